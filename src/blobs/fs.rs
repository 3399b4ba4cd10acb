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
use super::seam::{Did, Kind, Seam};
use crate::base::{FileId, UploadId};
use crate::space::Space;

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
    space: Space,
    pub(super) seam: Seam,
}

impl Fs {
    /// Makes the directories that are missing and syncs those that changed. The data directory itself must exist: a
    /// data directory that is not there is a missing mount, not a new registry.
    pub(super) fn open(data: &Path, space: Space) -> Result<Self, BlobError> {
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
        #[allow(clippy::default_constructed_unit_structs, reason = "a unit in the program alone")]
        let seam = Seam::default();
        Ok(Self { layout, space, seam })
    }

    /// The watch over the file system's room.
    pub(super) fn space(&self) -> &Space {
        &self.space
    }

    /// Makes a blob's file. The name is fresh, so a file that is already there is an error, never overwritten.
    pub(super) fn create(&self, id: FileId) -> Result<File, BlobError> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create_new(true).mode(0o600);
        let path = self.layout.file(id);
        let made = self.seam.before(Kind::Write).and_then(|()| options.open(&path));
        let file = made.map_err(|e| self.refused("making a blob file", &e))?;
        self.seam.did(Did::Made(&path, &file));
        Ok(file)
    }

    /// Opens the file of an upload that goes on.
    pub(super) fn open_to_write(&self, id: FileId) -> Result<File, BlobError> {
        let open = |()| OpenOptions::new().read(true).write(true).open(self.layout.file(id));
        let opened = self.seam.before(Kind::Read).and_then(open);
        opened.map_err(|e| missing(id, "opening an upload's file", &e))
    }

    /// Opens a file for reading.
    pub(super) fn open_to_read(&self, id: FileId) -> Result<File, BlobError> {
        let opened = self.seam.before(Kind::Read).and_then(|()| File::open(self.layout.file(id)));
        opened.map_err(|e| missing(id, "opening a blob file", &e))
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
        let mut file = self.open_to_read(id)?;
        let read = self.seam.before(Kind::Read).and_then(|()| file.read_exact(&mut content));
        read.map_err(|e| failed("reading a blob file", &e))?;
        Ok(content.into())
    }

    /// Sets space aside for `length` bytes from `at` on, so that a full disk is noticed before the client has sent
    /// them, and returns where that space ends. A file system that cannot do this is no error.
    pub(super) fn reserve(&self, file: &File, at: u64, length: u64) -> Result<u64, BlobError> {
        if length < RESERVE_MIN {
            return Ok(at);
        }
        // Some network file systems tell no sizes at all: then f_blocks is 0 too.
        let full = |v: rustix::fs::StatVfs| v.f_blocks > 0 && v.f_bavail.saturating_mul(v.f_frsize) < length;
        if fstatvfs(file).is_ok_and(full) {
            return Err(BlobError::DiskFull);
        }
        let length = length.min(RESERVE_MAX);
        self.space.take(length).map_err(|_| BlobError::DiskFull)?;
        match fallocate(file, FallocateFlags::KEEP_SIZE, at, length) {
            Ok(()) => Ok(at + length),
            Err(e @ (Errno::NOSPC | Errno::DQUOT | Errno::FBIG)) => Err(self.refused("setting space aside", &e.into())),
            Err(_) => Ok(at),
        }
    }

    /// Counts `bytes` that are about to be written beyond what was set aside.
    pub(super) fn take(&self, bytes: u64) -> Result<(), BlobError> {
        self.space.take(bytes).map_err(|_| BlobError::DiskFull)
    }

    /// Writes `pieces` one after the other from `at` on.
    pub(super) fn write(&self, file: &File, mut at: u64, pieces: &[Bytes]) -> Result<(), BlobError> {
        for piece in pieces {
            let room = self.seam.take_room(piece.len() as u64).and_then(|()| self.seam.before(Kind::Write));
            room.and_then(|()| file.write_all_at(piece, at)).map_err(|e| self.refused("writing a blob file", &e))?;
            self.seam.did(Did::Wrote(file, at, piece));
            at += piece.len() as u64;
        }
        Ok(())
    }

    /// Reads exactly what fills `buffer` from `at` on.
    pub(super) fn read_at(&self, file: &File, buffer: &mut [u8], at: u64) -> Result<(), BlobError> {
        let read = self.seam.before(Kind::Read).and_then(|()| file.read_exact_at(buffer, at));
        read.map_err(|e| failed("reading an upload's file again", &e))
    }

    /// Cuts a file to its first `length` bytes; what was set aside behind them goes too.
    pub(super) fn cut(&self, file: &File, length: u64) -> Result<(), BlobError> {
        let cut = self.seam.before(Kind::Remove).and_then(|()| file.set_len(length));
        cut.map_err(|e| failed("cutting an upload's file", &e))?;
        self.seam.did(Did::Cut(file, length));
        Ok(())
    }

    /// Brings a file's bytes to disk.
    pub(super) fn sync_data(&self, file: &File) -> Result<(), BlobError> {
        let synced = self.seam.before(Kind::Sync).and_then(|()| file.sync_data());
        synced.map_err(|e| self.sync_failed("a blob file", &e))?;
        self.seam.did(Did::SyncedData(file));
        Ok(())
    }

    /// Brings a file's directory entry, or its removal, to disk.
    pub(super) fn sync_entry(&self, id: FileId) -> Result<(), BlobError> {
        self.sync_names(&self.layout.shelf_of(id))
    }

    /// Removes a file's name; `false` when it was gone already.
    pub(super) fn remove(&self, id: FileId) -> Result<bool, BlobError> {
        self.remove_name(&self.layout.file(id), "removing a blob file")
    }

    /// The file ids of one of the 256 directories, sorted. Names that are no file ids are left alone.
    pub(super) fn files(&self, first_byte: u8) -> Result<Vec<FileId>, BlobError> {
        self.seam.before(Kind::Read).map_err(|e| failed("listing blob files", &e))?;
        let mut ids: Vec<_> = names(&self.layout.shelf(first_byte))?.iter().filter_map(|n| FileId::parse(n)).collect();
        ids.retain(|id| id.0[0] == first_byte);
        ids.sort_unstable();
        Ok(ids)
    }

    /// Puts a sidecar in place of the one before.
    pub(super) fn put_sidecar(&self, id: UploadId, content: &[u8]) -> Result<(), BlobError> {
        let (unfinished, finished) = (self.layout.unfinished_sidecar(id), self.layout.sidecar(id));
        let written = self.write_new(&unfinished, content).and_then(|()| {
            self.seam.before(Kind::Write)?;
            std::fs::rename(&unfinished, &finished)?;
            self.seam.did(Did::Renamed(&unfinished, &finished));
            Ok(())
        });
        written.map_err(|e| {
            let _ = std::fs::remove_file(&unfinished);
            self.refused("writing an upload's sidecar", &e)
        })
    }

    /// Brings which sidecars there are to disk, so that none from before comes back. Their content may still be lost.
    pub(super) fn sync_sidecars(&self) -> Result<(), BlobError> {
        self.sync_names(self.layout.uploads())
    }

    /// Removes a session's sidecar.
    pub(super) fn remove_sidecar(&self, id: UploadId) -> Result<bool, BlobError> {
        self.remove_name(&self.layout.sidecar(id), "removing an upload's sidecar")
    }

    /// A sidecar's content.
    pub(super) fn sidecar(&self, id: UploadId) -> Result<Vec<u8>, BlobError> {
        let mut content = Vec::new();
        let opened = self.seam.before(Kind::Read).and_then(|()| File::open(self.layout.sidecar(id)));
        let read = opened.and_then(|f| f.take(SIDECAR_MAX).read_to_end(&mut content));
        read.map_err(|e| failed("reading an upload's sidecar", &e))?;
        Ok(content)
    }

    /// The sessions that have a sidecar; sidecars that were being written when the last run ended are removed.
    pub(super) fn sidecars(&self) -> Result<Vec<UploadId>, BlobError> {
        let mut ids = Vec::new();
        self.seam.before(Kind::Read).map_err(|e| failed("listing uploads", &e))?;
        for name in names(self.layout.uploads())? {
            if Layout::is_unfinished(&name) {
                self.remove_name(&self.layout.uploads().join(&name), "removing an unfinished sidecar")?;
            }
            ids.extend(UploadId::parse(&name));
        }
        Ok(ids)
    }

    fn write_new(&self, path: &Path, content: &[u8]) -> io::Result<()> {
        use io::Write as _;
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true).mode(0o600);
        self.seam.before(Kind::Write)?;
        let mut file = options.open(path)?;
        self.seam.did(Did::Made(path, &file));
        self.seam.before(Kind::Write)?;
        file.write_all(content)?;
        self.seam.did(Did::Wrote(&file, 0, content));
        Ok(())
    }

    fn remove_name(&self, path: &Path, doing: &str) -> Result<bool, BlobError> {
        match self.seam.before(Kind::Remove).and_then(|()| std::fs::remove_file(path)) {
            Ok(()) => {
                self.seam.did(Did::Removed(path));
                Ok(true)
            }
            Err(e) if e.kind() == ErrorKind::NotFound => Ok(false),
            Err(e) => Err(failed(doing, &e)),
        }
    }

    fn sync_names(&self, path: &Path) -> Result<(), BlobError> {
        let directory = File::open(path).map_err(|e| failed("opening a blob directory", &e))?;
        let synced = self.seam.before(Kind::Sync).and_then(|()| directory.sync_all());
        synced.map_err(|e| self.sync_failed("a blob directory", &e))?;
        self.seam.did(Did::SyncedNames(path));
        Ok(())
    }

    /// What needs room was refused: if by a full disk, the watch looks at once.
    fn refused(&self, doing: &str, error: &io::Error) -> BlobError {
        let error = failed(doing, error);
        if matches!(error, BlobError::DiskFull) {
            self.space.look_again();
        }
        error
    }

    /// What a failed sync means. After EIO the kernel may have dropped the pages and marked them clean: a second sync
    /// would succeed and lie. No answer that this process could give from then on would be true, so it ends here, and
    /// the next start takes up what really is on disk. A full disk is no such fault.
    fn sync_failed(&self, what: &str, error: &io::Error) -> BlobError {
        if error.raw_os_error() == Some(Errno::IO.raw_os_error()) {
            tracing::error!(%error, "syncing {what} failed: the disk lost data; stopping");
            self.seam.die(&format!("syncing {what} failed"));
        }
        failed(&format!("syncing {what}"), error)
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

/// At the very start, when nothing has been taken in yet.
fn sync_directory(path: &Path) -> Result<(), BlobError> {
    let synced = File::open(path).and_then(|directory| directory.sync_all());
    synced.map_err(|e| failed("syncing a new blob directory", &e))
}

/// The names in a directory; those that are not UTF-8 are none of ours.
fn names(directory: &Path) -> Result<Vec<String>, BlobError> {
    let listed = std::fs::read_dir(directory)
        .and_then(|entries| entries.map(|e| Ok(e?.file_name().into_string().ok())).collect::<io::Result<Vec<_>>>());
    Ok(listed.map_err(|e| failed(&format!("listing {}", directory.display()), &e))?.into_iter().flatten().collect())
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
