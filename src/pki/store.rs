//! The files of `<data>/pki`: written whole or not at all, keys readable by their owner only.

use std::fs::{DirBuilder, File, OpenOptions, Permissions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::PkiError;

/// Who may read a file.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    /// Everybody that reaches the directory (0644): certificates.
    Public,
    /// The owner (0600): keys.
    Owner,
}

/// The directory that holds keys and certificates (0700).
#[derive(Clone)]
pub(super) struct Store(PathBuf);

impl Store {
    /// Makes the directory when it is missing, and takes it away from others' eyes when it is not.
    pub(super) fn open(directory: PathBuf) -> Result<Self, PkiError> {
        let store = Self(directory);
        DirBuilder::new().recursive(true).mode(0o700).create(&store.0).map_err(|e| file_error(&store.0, &e))?;
        Self::restrict(&store.0, 0o700)?;
        Ok(store)
    }

    /// Where a file of this name stands.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// A file's text; `None` when there is no such file. A key that others may read is closed to them first.
    pub(super) fn read(&self, name: &str, access: Access) -> Result<Option<String>, PkiError> {
        let path = self.path(name);
        match std::fs::read_to_string(&path) {
            Ok(text) => {
                if access == Access::Owner {
                    Self::restrict(&path, 0o600)?;
                }
                Ok(Some(text))
            }
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(file_error(&path, &error)),
        }
    }

    /// Writes a file so that after a crash either the old or the new content is there.
    pub(super) fn write(&self, name: &str, content: &str, access: Access) -> Result<(), PkiError> {
        self.write_all(&[(name, content, access)], || Ok(()))
    }

    /// Writes several files. All their bytes are on disk before `between` runs and the first of them takes its place,
    /// so that a full disk leaves everything as it was; only a crash between two renames can separate them. The
    /// temporary names are fixed: what a crash left behind (it may be a key) is overwritten and never piles up.
    pub(super) fn write_all(
        &self,
        files: &[(&str, &str, Access)],
        between: impl FnOnce() -> Result<(), PkiError>,
    ) -> Result<(), PkiError> {
        let temporary = |name: &str| self.path(&format!(".{name}.tmp"));
        let written = files.iter().try_for_each(|(name, content, access)| {
            let mode = if *access == Access::Owner { 0o600 } else { 0o644 };
            write_synced(&temporary(name), content, mode).map_err(|e| file_error(&self.path(name), &e))
        });
        if let Err(error) = written.and_then(|()| between()) {
            for (name, ..) in files {
                let _ = std::fs::remove_file(temporary(name));
            }
            return Err(error);
        }
        for (name, ..) in files {
            std::fs::rename(temporary(name), self.path(name)).map_err(|e| file_error(&self.path(name), &e))?;
        }
        File::open(&self.0).and_then(|directory| directory.sync_all()).map_err(|e| file_error(&self.0, &e))
    }

    /// Removes a file; one that is not there is no error.
    pub(super) fn remove(&self, name: &str) -> Result<(), PkiError> {
        let path = self.path(name);
        match std::fs::remove_file(&path) {
            Ok(()) => File::open(&self.0).and_then(|d| d.sync_all()).map_err(|e| file_error(&self.0, &e)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            Err(error) => Err(file_error(&path, &error)),
        }
    }

    fn restrict(path: &Path, mode: u32) -> Result<(), PkiError> {
        let found = std::fs::metadata(path).map_err(|e| file_error(path, &e))?.permissions().mode() & 0o777;
        if found & !mode != 0 {
            tracing::warn!(path = %path.display(), "was open to others (mode {found:o}); it is {mode:o} now");
            std::fs::set_permissions(path, Permissions::from_mode(mode)).map_err(|e| file_error(path, &e))?;
        }
        Ok(())
    }
}

fn write_synced(path: &Path, content: &str, mode: u32) -> std::io::Result<()> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(mode).open(path)?;
    // The mode above holds for a new file only.
    file.set_permissions(Permissions::from_mode(mode))?;
    file.write_all(content.as_bytes())?;
    file.sync_all()
}

pub(super) fn file_error(path: &Path, error: &std::io::Error) -> PkiError {
    PkiError::File { path: path.display().to_string(), error: error.to_string() }
}
