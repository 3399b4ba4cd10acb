//! Floor 5: the composition root, readable top to bottom.

use std::path::PathBuf;

use crate::base::Config;

/// What the command line has settled before anything is opened.
#[derive(Clone, Debug)]
pub struct ServeOptions {
    /// Every setting, merged and checked.
    pub config: Config,
    /// The data directory: absolute; it exists and is a directory (mode 0700 when it was made by us).
    pub data_dir: PathBuf,
    /// A file with the first password of `admin`, read only when the directory is initialised.
    pub admin_password_file: Option<PathBuf>,
    /// The instance id that `/etc/msr-lite/instance` promises for this directory. A store with another id is not
    /// served: [`ServeError::WrongInstance`].
    pub instance: Option<String>,
}

/// Why the server did not start or had to stop, in words that say what to do.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The store in the data directory is not the one that this machine was set up with.
    #[error(
        "{data_dir} holds the registry {found}, but this machine was set up with {expected}: mount the right data, or \
         remove /etc/msr-lite/instance if the change is meant"
    )]
    WrongInstance {
        /// The data directory.
        data_dir: String,
        /// The id found there.
        found: String,
        /// The id promised.
        expected: String,
    },
    /// Anything else.
    #[error("{0}")]
    Failed(String),
}

/// What an initialised data directory is known by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Initialised {
    /// The instance id: random, made once, the audience of every token.
    pub instance: String,
    /// Whether this call made it.
    pub fresh: bool,
    /// Where the generated first password of `admin` stands, while it does.
    pub password_file: Option<PathBuf>,
}

/// Makes what is missing in the data directory (store, CA, certificate, the account `admin`) and opens no socket.
/// Calling it again changes nothing. `serve` begins with it, and `msr-lite init` is nothing else.
///
/// # Errors
/// [`ServeError`] in words.
pub fn initialise(options: &ServeOptions) -> Result<Initialised, ServeError> {
    let _ = options;
    todo!("the integrator composes it of meta, pki and access")
}

/// Serves until SIGTERM or SIGINT. In this order: store, keys, accounts, sessions, listeners, the administration socket
/// (`cli::admin::bind_admin`, `serve_admin`), jobs, READY=1, the banner (`cli::banner`) on standard output.
///
/// Listeners are those passed in by systemd (`LISTEN_FDNAMES`: `https`, `http`, `trust`; no fallback then), or bound here:
/// `config.listen`, else 443 where this process may, else 8443 with a notice. `0.0.0.0` and `[::]` are given side by side
/// (`make run` does), so an IPv6 socket takes IPv6 alone; where the kernel has no IPv6, `[::]` is left out with a notice.
///
///  SIGHUP looks again at addresses and age of
/// the certificate. Ends when running requests are done or `limits.shutdown_seconds` have passed; a second signal
/// ends it at once.
///
/// # Errors
/// [`ServeError`] in words; nothing is half open then.
pub async fn run(options: ServeOptions) -> Result<(), ServeError> {
    let _ = options;
    todo!("the integrator composes it")
}
