//! Where things lie under the data directory. Every path of the blob store is built here.
//!
//! ```text
//! <data>/                       made by the operator or by `init`, never here
//! ├── blobs/                    0700
//! │   ├── 00/ … ff/             0700, all 256 made at the first start, so that a push never makes a directory
//! │   │   └── <file-id>         0600, 32 hex digits; the directory is named after the first two
//! └── uploads/                  0700
//!     ├── <upload-id>           0600, the sidecar of one open session
//!     └── <upload-id>.new       0600, a sidecar being written; removed at start
//! ```

use std::path::{Path, PathBuf};

use crate::base::{FileId, UploadId};

/// What a sidecar's name ends in until it is complete.
const UNFINISHED: &str = ".new";

/// The paths of one store.
pub(super) struct Layout {
    data: PathBuf,
    blobs: PathBuf,
    uploads: PathBuf,
}

impl Layout {
    pub(super) fn new(data: &Path) -> Self {
        Self { data: data.to_owned(), blobs: data.join("blobs"), uploads: data.join("uploads") }
    }

    /// The data directory.
    pub(super) fn data(&self) -> &Path {
        &self.data
    }

    /// The directory of the 256 blob directories.
    pub(super) fn blobs(&self) -> &Path {
        &self.blobs
    }

    /// The directory of the sidecars.
    pub(super) fn uploads(&self) -> &Path {
        &self.uploads
    }

    /// One of the 256 blob directories.
    pub(super) fn shelf(&self, first_byte: u8) -> PathBuf {
        self.blobs.join(format!("{first_byte:02x}"))
    }

    /// The directory that holds this file.
    pub(super) fn shelf_of(&self, id: FileId) -> PathBuf {
        self.shelf(id.0[0])
    }

    /// A blob's file.
    pub(super) fn file(&self, id: FileId) -> PathBuf {
        self.shelf_of(id).join(id.to_string())
    }

    /// A session's sidecar.
    pub(super) fn sidecar(&self, id: UploadId) -> PathBuf {
        self.uploads.join(id.to_string())
    }

    /// A session's sidecar while it is being written.
    pub(super) fn unfinished_sidecar(&self, id: UploadId) -> PathBuf {
        self.uploads.join(format!("{id}{UNFINISHED}"))
    }

    /// Whether this name in `uploads/` is one that [`Layout::unfinished_sidecar`] gave.
    pub(super) fn is_unfinished(name: &str) -> bool {
        name.strip_suffix(UNFINISHED).and_then(UploadId::parse).is_some()
    }
}
