//! The account `admin` of the first start.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use super::{INITIAL_PASSWORD, ServeError};
use crate::access::{Access, password};
use crate::base::Secret;

/// Reads a first password that was given, so that one that does not do is refused before anything is made.
pub(super) fn given_password(file: &Path) -> Result<Secret, ServeError> {
    let failed = |error: &dyn std::fmt::Display| {
        ServeError::Failed(format!("--admin-password-file {}: {error}", file.display()))
    };
    let text = fs::read_to_string(file).map_err(|error| failed(&error))?;
    let password = Secret::new(text.trim_end_matches(['\r', '\n']).to_owned());
    password::check_new(&password).map_err(|error| failed(&error))?;
    Ok(password)
}

/// Makes the account `admin` unless there is one: with the password from `given`, or with one made up, which is left
/// in the data directory, readable by the owner alone, until it is changed. There is no default password.
pub(super) fn create_admin(access: &Access, data_dir: &Path, given: Option<&Path>) -> Result<(), ServeError> {
    if access.account("admin").map_err(ServeError::of)?.is_some() {
        return Ok(());
    }
    if let Some(file) = given {
        return access.create_admin(&given_password(file)?).map(|_| ()).map_err(ServeError::of);
    }
    let password = password::generate();
    // The file first: an account whose password nobody can read would be worse than a file without an account, which
    // the next start replaces.
    write(&data_dir.join(INITIAL_PASSWORD), &password)?;
    access.create_admin_with_initial(&password).map(|_| ()).map_err(ServeError::of)
}

/// The file with the made-up password, while it is there.
pub(super) fn password_file(data_dir: &Path) -> Option<PathBuf> {
    let file = data_dir.join(INITIAL_PASSWORD);
    file.exists().then_some(file)
}

/// Removes that file: its password does not work any more.
pub(super) fn forget_password_file(data_dir: &Path) {
    let _ = fs::remove_file(data_dir.join(INITIAL_PASSWORD));
}

fn write(file: &Path, password: &Secret) -> Result<(), ServeError> {
    let failed = |error| ServeError::Failed(format!("{}: {error}", file.display()));
    let _ = fs::remove_file(file);
    let mut out = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(file).map_err(failed)?;
    writeln!(out, "{}", password.reveal()).and_then(|()| out.sync_all()).map_err(failed)
}
