//! Places for the verbs that are written beside this one: `ca`, `cert`, `trust`.
//!
//! Each becomes a file `cli/<verb>.rs` with a clap type named as here and `run(&Context, &…) -> Result<Exit, CliError>`;
//! then its line here goes, and `cli/mod.rs` declares the module.

macro_rules! place {
    ($module:ident, $command:ident, $about:literal) => {
        pub(crate) mod $module {
            use crate::cli::{CliError, Context, Exit};

            #[doc = $about]
            #[derive(Debug, clap::Subcommand)]
            pub enum $command {
                /// (being built)
                Show,
            }

            pub(crate) fn run(_: &Context, _: &$command) -> Result<Exit, CliError> {
                Err(CliError::failed(concat!("msr-lite ", stringify!($module), " is not built yet")))
            }
        }
    };
}

place!(ca, CaCommand, "`msr-lite ca …`");
place!(cert, CertCommand, "`msr-lite cert …`");
place!(trust, TrustCommand, "`msr-lite trust …`");
