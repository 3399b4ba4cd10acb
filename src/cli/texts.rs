//! `msr-lite completions|man|licenses`: texts that the program carries with it.

use std::path::PathBuf;

use clap::CommandFactory as _;
use clap_complete::Shell;

use super::{Cli, CliError, Context, Exit};

/// Crates that are linked in and their licences; made by `make bless`, compared by a test.
const CRATES: &str = include_str!("../../assets/licenses.txt");

/// The project's own licence.
const LICENSE: &str = include_str!("../../LICENSE");

/// `msr-lite completions SHELL`
///
/// # Errors
/// When standard output cannot be written.
pub fn completions(context: &Context, shell: Shell) -> Result<Exit, CliError> {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "msr-lite", &mut text);
    context.print(&String::from_utf8_lossy(&text))?;
    Ok(Exit::Done)
}

/// `msr-lite man [--out DIR]`
///
/// # Errors
/// When the pages cannot be written.
pub fn man(context: &Context, out: Option<&PathBuf>) -> Result<Exit, CliError> {
    if let Some(dir) = out {
        std::fs::create_dir_all(dir)
            .and_then(|()| clap_mangen::generate_to(Cli::command(), dir))
            .map_err(|error| CliError::failed(format!("cannot write manual pages to {}: {error}", dir.display())))?;
    } else {
        let mut page = Vec::new();
        clap_mangen::Man::new(Cli::command()).render(&mut page).map_err(CliError::failed)?;
        context.print(&String::from_utf8_lossy(&page))?;
    }
    Ok(Exit::Done)
}

/// `msr-lite licenses`
///
/// # Errors
/// When standard output cannot be written.
pub fn licenses(context: &Context) -> Result<Exit, CliError> {
    context.print(&format!("{LICENSE}\n{CRATES}"))?;
    Ok(Exit::Done)
}

#[cfg(test)]
mod tests {
    use crate::http::api::openapi;

    #[test]
    fn the_checked_in_openapi_is_that_of_the_table() {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/openapi.json");
        if std::env::var_os("BLESS").is_some() {
            std::fs::write(&path, openapi::text()).unwrap();
        }
        let checked_in = std::fs::read_to_string(&path).unwrap();
        assert_eq!(checked_in, openapi::text(), "run `make bless` and read the difference");
    }
}
