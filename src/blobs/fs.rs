//! File operations, and what an error of each of them means. Everything here blocks.
//!
//! Only `fsync` and `fdatasync` make promises: bytes count as kept after [`Fs::sync_data`], a name after
//! [`Fs::sync_entry`]. Sidecars are not synced (but after a failure: [`Fs::sync_sidecars`]): one that a power cut took
//! or tore costs a client one upload, and its blob file is then an orphan for the sweep.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::Path;

use bytes::Bytes;
use rustix::fs::{FallocateFlags, fallocate, fstatvfs};
use rustix::io::Errno;

use super::BlobError;
use super::layout::Layout;
use crate::base::{FileId, UploadId};

/// The most bytes that are set aside for an upload ahead of its content. Lengths are only claims: without a bound, a
/// client could take the whole disk by announcing a large body and sending none of it.
const RESERVE_MAX: u64 = 1 << 30;

/// Below this many bytes setting space aside gains nothing.
const RESERVE_MIN: u64 = 1 << 20;

/// The largest sidecar that is read: base64 of the inline bytes plus ample room for the rest.
const SIDECAR_MAX: u64 = 128 * 1024;

/// The file system under one data directory.
pub(super) struct Fs {
    layout: Layout,
    /// Bytes that may still be written before the disk pretends to be full.
    #[cfg(test)]
    pub(super) room: std::sync::atomic::AtomicU64,
}

impl Fs {
    /// Makes the directories that are missing and syncs those that changed. The data directory itself must exist: a
    /// data directory that is not there is a missing mount, not a new registry.
    pub(super) fn open(data: &Path) -> Result<Self, BlobError> {
        let layout = Layout::new(data);
        let mut changed = make_directory(layout.uploads())?;
        changed |= make_directory(layout.blobs())?;
        let mut shelves_changed = false;
        for first_byte in 0..=u8::MAX {
            shelves_changed |= make_directory(&layout.shelf(first_byte))?;
        }
        if shelves_changed {
            sync_directory(layout.blobs())?;
        }
        if changed {
            sync_directory(layout.data())?;
        }
        Ok(Self {
            layout,
            #[cfg(test)]
            room: u64::MAX.into(),
        })
    }

    /// Makes a blob's file. The name is fresh, so a file that is already there is an error, never overwritten.
    pub(super) fn create(&self, id: FileId) -> Result<File, BlobError> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create_new(true).mode(0o600);
        options.open(self.layout.file(id)).map_err(|e| failed("making a blob file", &e))
    }

    /// Opens the file of an upload that goes on.
    pub(super) fn open_to_write(&self, id: FileId) -> Result<File, BlobError> {
        let opened = OpenOptions::new().read(true).write(true).open(self.layout.file(id));
        opened.map_err(|e| missing(id, "opening an upload's file", &e))
    }

    /// Opens a file for reading.
    pub(super) fn open_to_read(&self, id: FileId) -> Result<File, BlobError> {
        File::open(self.layout.file(id)).map_err(|e| missing(id, "opening a blob file", &e))
    }

    /// The bytes of a file; `None` when it is not there.
    pub(super) fn size(&self, id: FileId) -> Result<Option<u64>, BlobError> {
        match std::fs::metadata(self.layout.file(id)) {
            Ok(metadata) => Ok(Some(metadata.len())),
            Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
            Err(e) => Err(failed("looking at a blob file", &e)),
        }
    }

    /// A whole file, which must have `size` bytes.
    pub(super) fn read_all(&self, id: FileId, size: u64) -> Result<Bytes, BlobError> {
        let size = usize::try_from(size).map_err(|_| BlobError::TooLarge { limit: usize::MAX as u64 })?;
        let mut content = vec![0; size];
        let read = self.open_to_read(id)?.read_exact(&mut content);
        read.map_err(|e| failed("reading a blob file", &e))?;
        Ok(content.into())
    }

    /// Sets space aside for `length` bytes from `at` on, so that a full disk is noticed before the client has sent
    /// them, and returns where that space ends. A file system that cannot do this is no error.
    pub(super) fn reserve(&self, file: &File, at: u64, length: u64) -> Result<u64, BlobError> {
        let _ = self;
        if length < RESERVE_MIN {
            return Ok(at);
        }
        // Some network file systems tell no sizes at all: then f_blocks is 0 too.
        let full = |v: rustix::fs::StatVfs| v.f_blocks > 0 && v.f_bavail.saturating_mul(v.f_frsize) < length;
        if fstatvfs(file).is_ok_and(full) {
            return Err(BlobError::DiskFull);
        }
        let length = length.min(RESERVE_MAX);
        match fallocate(file, FallocateFlags::KEEP_SIZE, at, length) {
            Ok(()) => Ok(at + length),
            Err(e @ (Errno::NOSPC | Errno::DQUOT | Errno::FBIG)) => Err(failed("setting space aside", &e.into())),
            Err(_) => Ok(at),
        }
    }

    /// Writes `pieces` one after the other from `at` on.
    pub(super) fn write(&self, file: &File, mut at: u64, pieces: &[Bytes]) -> Result<(), BlobError> {
        for piece in pieces {
            self.pretend(piece.len() as u64)?;
            file.write_all_at(piece, at).map_err(|e| failed("writing a blob file", &e))?;
            at += piece.len() as u64;
        }
        Ok(())
    }

    #[cfg(test)]
    fn pretend(&self, length: u64) -> Result<(), BlobError> {
        use std::sync::atomic::Ordering::SeqCst;
        let took = self.room.fetch_update(SeqCst, SeqCst, |room| room.checked_sub(length));
        took.map(drop).map_err(|_| BlobError::DiskFull)
    }

    #[cfg(not(test))]
    #[allow(clippy::unused_self, clippy::unnecessary_wraps, reason = "the seam of the tests that fill the disk")]
    fn pretend(&self, _length: u64) -> Result<(), BlobError> {
        Ok(())
    }

    /// Brings a file's bytes to disk.
    pub(super) fn sync_data(&self, file: &File) -> Result<(), BlobError> {
        let _ = self;
        file.sync_data().map_err(|e| sync_failed("a blob file", &e))
    }

    /// Brings a file's directory entry, or its removal, to disk.
    pub(super) fn sync_entry(&self, id: FileId) -> Result<(), BlobError> {
        sync_directory(&self.layout.shelf_of(id))
    }

    /// Removes a file's name; `false` when it was gone already.
    pub(super) fn remove(&self, id: FileId) -> Result<bool, BlobError> {
        remove(&self.layout.file(id), "removing a blob file")
    }

    /// The file ids of one of the 256 directories, sorted. Names that are no file ids are left alone.
    pub(super) fn files(&self, first_byte: u8) -> Result<Vec<FileId>, BlobError> {
        let mut ids: Vec<_> = names(&self.layout.shelf(first_byte))?.iter().filter_map(|n| FileId::parse(n)).collect();
        ids.retain(|id| id.0[0] == first_byte);
        ids.sort_unstable();
        Ok(ids)
    }

    /// Puts a sidecar in place of the one before.
    pub(super) fn put_sidecar(&self, id: UploadId, content: &[u8]) -> Result<(), BlobError> {
        let unfinished = self.layout.unfinished_sidecar(id);
        let written =
            write_new(&unfinished, content).and_then(|()| std::fs::rename(&unfinished, self.layout.sidecar(id)));
        written.map_err(|e| {
            let _ = std::fs::remove_file(&unfinished);
            failed("writing an upload's sidecar", &e)
        })
    }

    /// Brings which sidecars there are to disk, so that none from before comes back. Their content may still be lost.
    pub(super) fn sync_sidecars(&self) -> Result<(), BlobError> {
        sync_directory(self.layout.uploads())
    }

    /// Removes a session's sidecar.
    pub(super) fn remove_sidecar(&self, id: UploadId) -> Result<bool, BlobError> {
        remove(&self.layout.sidecar(id), "removing an upload's sidecar")
    }

    /// A sidecar's content.
    pub(super) fn sidecar(&self, id: UploadId) -> Result<Vec<u8>, BlobError> {
        let mut content = Vec::new();
        let read = File::open(self.layout.sidecar(id)).and_then(|f| f.take(SIDECAR_MAX).read_to_end(&mut content));
        read.map_err(|e| failed("reading an upload's sidecar", &e))?;
        Ok(content)
    }

    /// The sessions that have a sidecar; sidecars that were being written when the last run ended are removed.
    pub(super) fn sidecars(&self) -> Result<Vec<UploadId>, BlobError> {
        let mut ids = Vec::new();
        for name in names(self.layout.uploads())? {
            if Layout::is_unfinished(&name) {
                remove(&self.layout.uploads().join(&name), "removing an unfinished sidecar")?;
            }
            ids.extend(UploadId::parse(&name));
        }
        Ok(ids)
    }
}

/// Makes a directory for this user alone; `false` when it is there already.
fn make_directory(path: &Path) -> Result<bool, BlobError> {
    match DirBuilder::new().mode(0o700).create(path) {
        Ok(()) => Ok(true),
        Err(e) if e.kind() == ErrorKind::AlreadyExists && path.is_dir() => Ok(false),
        Err(e) => Err(failed(&format!("making the directory {}", path.display()), &e)),
    }
}

fn sync_directory(path: &Path) -> Result<(), BlobError> {
    let directory = File::open(path).map_err(|e| failed("opening a blob directory", &e))?;
    directory.sync_all().map_err(|e| sync_failed("a blob directory", &e))
}

/// The names in a directory; those that are not UTF-8 are none of ours.
fn names(directory: &Path) -> Result<Vec<String>, BlobError> {
    let listed = std::fs::read_dir(directory)
        .and_then(|entries| entries.map(|e| Ok(e?.file_name().into_string().ok())).collect::<io::Result<Vec<_>>>());
    Ok(listed.map_err(|e| failed(&format!("listing {}", directory.display()), &e))?.into_iter().flatten().collect())
}

fn write_new(path: &Path, content: &[u8]) -> io::Result<()> {
    use io::Write as _;
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    options.open(path)?.write_all(content)
}

fn remove(path: &Path, doing: &str) -> Result<bool, BlobError> {
    match std::fs::remove_file(path) {
        Ok(()) => Ok(true),
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(false),
        Err(e) => Err(failed(doing, &e)),
    }
}

fn missing(id: FileId, doing: &str, error: &io::Error) -> BlobError {
    if error.kind() == ErrorKind::NotFound { BlobError::Missing(id) } else { failed(doing, error) }
}

/// The domain's word for an error of the file system.
pub(super) fn failed(doing: &str, error: &io::Error) -> BlobError {
    match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => BlobError::DiskFull,
        _ => BlobError::Io(format!("{doing}: {error}")),
    }
}

/// What a failed sync means. After EIO the kernel may have dropped the pages and marked them clean: a second sync
/// would succeed and lie. No answer that this process could give from then on would be true, so it ends here, and the
/// next start takes up what really is on disk.
fn sync_failed(what: &str, error: &io::Error) -> BlobError {
    if error.raw_os_error() == Some(Errno::IO.raw_os_error()) {
        tracing::error!(%error, "syncing {what} failed: the disk lost data; stopping");
        std::process::abort();
    }
    failed(&format!("syncing {what}"), error)
}
