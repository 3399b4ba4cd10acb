//! Which directory is the registry: flag > variable > configuration > the installed one > an error that tells the ways.

use std::fs::{self, DirBuilder};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::CliError;
use super::instance::Instance;
use crate::base::Config;

/// The directory of an installed registry, used when nothing names another and it exists.
pub const SYSTEM_DIR: &str = "/var/lib/msr-lite";

/// The data directory, absolute; whether it exists is for the caller to find out. `config` already holds flag, variable
/// and file in their order.
///
/// # Errors
/// When nothing names a directory; the message has the three ways to name one.
pub fn resolve(config: &Config, system_dir: &Path, instance: Option<&Instance>) -> Result<PathBuf, CliError> {
    let dir = match (&config.data_dir, instance) {
        (Some(dir), _) => dir.clone(),
        (None, _) if system_dir.exists() => system_dir.to_owned(),
        // The registry that this machine was set up with, although its directory is missing: what follows refuses and
        // says what to mount.
        (None, Some(instance)) => instance.data_dir.clone(),
        (None, None) => {
            return Err(CliError::setup(format!(
                "no data directory is named. Name one in one of these ways:\n  \
                 msr-lite --data-dir ./data …\n  \
                 export MSR_LITE_DATA_DIR=/srv/msr-lite\n  \
                 data_dir = \"/srv/msr-lite\" in {}\n\
                 ({} would be used without any of them, but does not exist.)",
                super::config::SYSTEM_FILE,
                system_dir.display()
            )));
        }
    };
    std::path::absolute(&dir)
        .map_err(|error| CliError::setup(format!("the data directory {} cannot be used: {error}", dir.display())))
}

/// Makes the directory if it is missing (0700: it holds private keys) and returns its path without symbolic links.
///
/// # Errors
/// When it cannot be made, is no directory, or everybody may write to it.
pub fn prepare(dir: &Path) -> Result<PathBuf, CliError> {
    let cannot = |what: &str, error: std::io::Error| {
        CliError::setup(format!("the data directory {} cannot be {what}: {error}", dir.display()))
    };
    if !dir.exists() {
        if let Some(parent) = dir.parent() {
            fs::create_dir_all(parent).map_err(|error| cannot("made", error))?;
        }
        DirBuilder::new().mode(0o700).create(dir).map_err(|error| cannot("made", error))?;
    }
    let metadata = fs::metadata(dir).map_err(|error| cannot("read", error))?;
    if !metadata.is_dir() {
        return Err(CliError::setup(format!("the data directory {} is a file", dir.display())));
    }
    if metadata.permissions().mode() & 0o002 != 0 {
        return Err(CliError::setup(format!(
            "everybody may write to the data directory {0}; it holds private keys. Run: chmod 700 {0}",
            dir.display()
        )));
    }
    dir.canonicalize().map_err(|error| cannot("read", error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_of_the_ways() {
        let system = tempfile::tempdir().unwrap();
        let missing = Path::new("/nonexistent/msr-lite");
        let instance = Instance { id: "a".into(), data_dir: "/srv/registry".into() };
        let named = Config { data_dir: Some("/srv/data".into()), ..Config::default() };
        let unnamed = Config::default();
        assert_eq!(resolve(&named, system.path(), Some(&instance)).unwrap(), Path::new("/srv/data"));
        assert_eq!(resolve(&unnamed, system.path(), Some(&instance)).unwrap(), system.path());
        assert_eq!(resolve(&unnamed, missing, Some(&instance)).unwrap(), Path::new("/srv/registry"));
        let error = resolve(&unnamed, missing, None).unwrap_err().message;
        for way in ["--data-dir", "MSR_LITE_DATA_DIR", "data_dir =", "/etc/msr-lite/config.toml"] {
            assert!(error.contains(way), "{error}");
        }
        let relative = Config { data_dir: Some("./data".into()), ..Config::default() };
        assert!(resolve(&relative, missing, None).unwrap().is_absolute());
    }

    #[test]
    fn it_is_made_for_its_owner_alone() {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("deep/data");
        let made = prepare(&data).unwrap();
        assert_eq!(fs::metadata(&made).unwrap().permissions().mode() & 0o777, 0o700);
        prepare(&data).expect("a second time is no error");
    }

    #[test]
    fn a_file_or_an_open_directory_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        fs::write(&file, "").unwrap();
        assert!(prepare(&file).unwrap_err().message.contains("is a file"));
        let open = dir.path().join("open");
        fs::create_dir(&open).unwrap();
        fs::set_permissions(&open, fs::Permissions::from_mode(0o777)).unwrap();
        assert!(prepare(&open).unwrap_err().message.contains("chmod 700"));
    }
}
