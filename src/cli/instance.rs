//! "A missing data directory is not a new registry."
//!
//! An installed registry is named outside its data directory too, in `/etc/msr-lite/instance`, with its id and the
//! directory. When that directory comes up empty (a disk that is not mounted yet, a wrong path after a restore), the
//! server must not quietly make a new registry with a new CA there: clients would be told that the registry they know
//! has changed, and the next mount would hide what was pushed in between.

use std::fs;
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::CliError;
use crate::serve::STORE;

/// Where an installed registry is named.
pub const SYSTEM_FILE: &str = "/etc/msr-lite/instance";

/// What the file says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Instance {
    /// The instance id that the store in the data directory must have.
    pub id: String,
    /// The data directory, absolute.
    pub data_dir: PathBuf,
}

impl Instance {
    /// Reads the file; `None` when there is none.
    ///
    /// # Errors
    /// When it cannot be read or understood.
    pub fn read(file: &Path) -> Result<Option<Self>, CliError> {
        let text = match fs::read_to_string(file) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(CliError::setup(format!("cannot read {}: {error}", file.display()))),
        };
        let instance = toml::from_str(&text)
            .map_err(|error| CliError::setup(format!("{} is damaged: {}", file.display(), error.message())))?;
        Ok(Some(instance))
    }

    /// Writes the file if its directory exists and it does not yet; tells whether it did.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn record(&self, file: &Path) -> Result<bool, CliError> {
        let installed = file.parent().is_some_and(Path::is_dir);
        if !installed || file.exists() {
            return Ok(false);
        }
        let body = toml::to_string(self).expect("two texts are TOML");
        let text = format!(
            "# Written by `msr-lite init`: this machine's registry and where its data is. If that data is missing when\n\
             # the server starts, it refuses instead of making a new registry. Remove this file only to start anew.\n{body}"
        );
        let written = fs::File::create_new(file).and_then(|mut out| {
            out.write_all(text.as_bytes())?;
            out.sync_all()
        });
        written.map_err(|error| CliError::failed(format!("cannot write {}: {error}", file.display())))?;
        Ok(true)
    }
}

/// Decides whether `data_dir` may be served or initialised; returns the id that its store must have, if one is promised.
///
/// # Errors
/// When the file promises a registry in this directory and none is there: says what to mount.
pub fn check(instance: Option<&Instance>, file: &Path, data_dir: &Path) -> Result<Option<String>, CliError> {
    let Some(instance) = instance else { return Ok(None) };
    // Another directory is another registry, e.g. one run by hand beside the installed one.
    if !same(&instance.data_dir, data_dir) {
        return Ok(None);
    }
    if data_dir.join(STORE).exists() {
        return Ok(Some(instance.id.clone()));
    }
    Err(CliError::setup(format!(
        "this machine's registry (instance {id}) keeps its data in {dir}, but there is no {STORE} in it. A new registry \
         is not made in its place.\n  \
         Mount the disk or volume that belongs at {dir}, or restore a backup there, and start again.\n  \
         Only if the registry shall really begin anew, with a new CA that every client must trust again: remove {file}.",
        id = instance.id,
        dir = data_dir.display(),
        file = file.display(),
    )))
}

fn same(left: &Path, right: &Path) -> bool {
    let resolved =
        |path: &Path| path.canonicalize().or_else(|_| std::path::absolute(path)).unwrap_or_else(|_| path.into());
    left == right || resolved(left) == resolved(right)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::Exit;

    fn lab() -> (tempfile::TempDir, PathBuf, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let (etc, data) = (dir.path().join("etc"), dir.path().join("data"));
        fs::create_dir(&etc).unwrap();
        fs::create_dir(&data).unwrap();
        (dir, etc.join("instance"), data)
    }

    #[test]
    fn without_the_file_every_directory_may_begin() {
        let (_dir, file, data) = lab();
        assert_eq!(Instance::read(&file).unwrap(), None);
        assert_eq!(check(None, &file, &data).unwrap(), None);
    }

    #[test]
    fn a_promised_registry_that_is_missing_is_refused_with_the_cure() {
        let (_dir, file, data) = lab();
        let instance = Instance { id: "abc".into(), data_dir: data.clone() };
        assert!(instance.record(&file).unwrap());
        assert!(!instance.record(&file).unwrap(), "it is written once");
        let read = Instance::read(&file).unwrap();
        assert_eq!(read.as_ref(), Some(&instance));

        let error = check(read.as_ref(), &file, &data).unwrap_err();
        assert_eq!(error.exit, Exit::Setup);
        assert!(error.message.contains(&format!("belongs at {}", data.display())), "{error}");
        assert!(error.message.contains(&format!("remove {}", file.display())), "{error}");

        fs::write(data.join(STORE), "").unwrap();
        assert_eq!(check(read.as_ref(), &file, &data).unwrap().as_deref(), Some("abc"));
    }

    #[test]
    fn a_directory_that_does_not_exist_at_all_is_refused_too() {
        let (dir, file, _data) = lab();
        let gone = dir.path().join("gone");
        let instance = Instance { id: "abc".into(), data_dir: gone.clone() };
        assert!(check(Some(&instance), &file, &gone).is_err());
    }

    #[test]
    fn a_registry_beside_the_installed_one_is_free() {
        let (dir, file, data) = lab();
        let instance = Instance { id: "abc".into(), data_dir: data };
        assert_eq!(check(Some(&instance), &file, &dir.path().join("other")).unwrap(), None);
    }

    #[test]
    fn nothing_is_recorded_where_nothing_is_installed() {
        let (dir, _file, data) = lab();
        let instance = Instance { id: "abc".into(), data_dir: data };
        assert!(!instance.record(&dir.path().join("no-etc/instance")).unwrap());
    }

    #[test]
    fn a_damaged_file_is_an_error_not_a_fresh_start() {
        let (_dir, file, _data) = lab();
        fs::write(&file, "id = ").unwrap();
        assert!(Instance::read(&file).unwrap_err().message.contains("is damaged"));
    }
}
