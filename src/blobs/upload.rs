//! The content of one upload: bytes at hand or in a file, the offset, the hash state, and what of it is on disk.
//!
//! Invariants, between any two calls: the hasher, when there is one, has seen exactly the first `offset` bytes; the
//! file, when there is one, has at least `offset` bytes, and what lies behind them does not count. A hasher that is
//! lost (a foreign state after a restart, a panic while it was away) is made again from the file.

use std::fs::File;
use std::sync::Arc;

use bytes::Bytes;
use tokio::task::JoinHandle;

use super::fs::{Fs, failed};
use super::sidecar::{Heading, Sidecar};
use super::{BlobError, Content, INLINE_MAX, Sealed};
use crate::base::FileId;
use crate::oci::{Algorithm, Digest, Hasher};

/// The content of one upload.
pub(super) struct Upload {
    algorithm: Algorithm,
    hasher: Option<Hasher>,
    offset: u64,
    place: Place,
    sealed: Option<Sealed>,
}

enum Place {
    /// At most [`INLINE_MAX`] bytes.
    Inline(Vec<u8>),
    File(OnDisk),
}

struct OnDisk {
    /// Open only while there are bytes to write or to sync: an idle session holds no descriptor.
    open: Option<Arc<File>>,
    /// The first bytes that the last sync covered.
    synced: u64,
    /// The end of the space that was set aside.
    reserved: u64,
    entry: Entry,
}

/// Whether the file's directory entry is on disk.
enum Entry {
    /// Not known (after a restart), or a sync failed.
    Unsynced,
    /// A blocking thread is at it.
    Syncing(JoinHandle<Result<(), BlobError>>),
    Synced,
}

/// Where an upload stood when an append began: what it goes back to when the file system fails.
pub(super) struct Before {
    hasher: Option<Hasher>,
    offset: u64,
    /// The bytes at hand; `None` when there was a file already.
    inline: Option<Vec<u8>>,
}

impl Upload {
    /// An upload that has received nothing.
    pub(super) fn empty(algorithm: Algorithm) -> Self {
        Self::inline(algorithm, Vec::new())
    }

    /// An upload whose bytes are at hand.
    pub(super) fn inline(algorithm: Algorithm, bytes: Vec<u8>) -> Self {
        let mut hasher = Hasher::new(algorithm);
        hasher.update(&bytes);
        let offset = bytes.len() as u64;
        Self { algorithm, hasher: Some(hasher), offset, place: Place::Inline(bytes), sealed: None }
    }

    /// An upload whose first `offset` bytes stand synced in a file.
    pub(super) fn on_disk(algorithm: Algorithm, offset: u64, hasher: Option<Hasher>) -> Self {
        let place = Place::File(OnDisk { open: None, synced: offset, reserved: 0, entry: Entry::Unsynced });
        Self { algorithm, hasher, offset, place, sealed: None }
    }

    pub(super) fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Bytes received and kept.
    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    /// Whether the bytes are at hand.
    pub(super) fn is_inline(&self) -> bool {
        matches!(self.place, Place::Inline(_))
    }

    /// Hashes with another algorithm from now on, if that costs nothing: while the bytes are at hand.
    pub(super) fn switch_to(&mut self, algorithm: Algorithm) {
        if let Place::Inline(bytes) = &mut self.place
            && algorithm != self.algorithm
        {
            *self = Self::inline(algorithm, std::mem::take(bytes));
        }
    }

    /// Takes `content` in if all bytes together may still stay at hand; `false` when a file is needed.
    pub(super) fn take_inline(&mut self, content: &[u8]) -> bool {
        let Place::Inline(bytes) = &mut self.place else { return false };
        if bytes.len() + content.len() > INLINE_MAX {
            return false;
        }
        bytes.extend_from_slice(content);
        if let Some(hasher) = &mut self.hasher {
            hasher.update(content);
        }
        self.offset += content.len() as u64;
        self.sealed = None;
        true
    }

    /// Where the upload stands now. Called when an append begins.
    pub(super) fn before(&self) -> Before {
        let inline = match &self.place {
            Place::Inline(bytes) => Some(bytes.clone()),
            Place::File(_) => None,
        };
        Before { hasher: self.hasher.clone(), offset: self.offset, inline }
    }

    /// Makes the file, or opens it again, and sets space aside for `expected` more bytes. The directory is synced
    /// meanwhile on another blocking thread. Blocks; within a tokio runtime.
    pub(super) fn prepare(&mut self, fs: &Arc<Fs>, id: FileId, expected: Option<u64>) -> Result<(), BlobError> {
        if let Place::Inline(bytes) = &self.place {
            let file = Arc::new(fs.create(id)?);
            let written = fs.write(&file, 0, &[Bytes::copy_from_slice(bytes)]);
            if let Err(e) = written {
                fs.remove(id)?;
                return Err(e);
            }
            let fs = Arc::clone(fs);
            let entry = Entry::Syncing(tokio::task::spawn_blocking(move || fs.sync_entry(id)));
            self.place = Place::File(OnDisk { open: Some(file), synced: 0, reserved: 0, entry });
        }
        let file = self.file(fs, id)?;
        if self.hasher.is_none() {
            self.hasher = Some(hash_file(fs, &file, self.algorithm, self.offset)?);
        }
        if let Some(expected) = expected
            && let Place::File(disk) = &mut self.place
        {
            disk.reserved = fs.reserve(&file, self.offset, expected)?;
        }
        Ok(())
    }

    /// The open file.
    pub(super) fn file(&mut self, fs: &Fs, id: FileId) -> Result<Arc<File>, BlobError> {
        let Place::File(disk) = &mut self.place else {
            return Err(BlobError::Io("the upload has no file yet".to_owned()));
        };
        if disk.open.is_none() {
            disk.open = Some(Arc::new(fs.open_to_write(id)?));
        }
        disk.open.clone().ok_or(BlobError::Missing(id))
    }

    /// Writes `pieces` behind what counts; they count once [`Upload::advance`] brings the hasher that has seen them.
    pub(super) fn write(&mut self, fs: &Fs, id: FileId, pieces: &[Bytes]) -> Result<(), BlobError> {
        self.sealed = None;
        let file = self.file(fs, id)?;
        let end = self.offset + pieces.iter().map(|piece| piece.len() as u64).sum::<u64>();
        let set_aside = if let Place::File(disk) = &self.place { disk.reserved } else { 0 };
        if end > set_aside {
            fs.take(end - self.offset.max(set_aside))?;
        }
        fs.write(&file, self.offset, pieces)
    }

    /// Lends the hasher out, to hash while [`Upload::write`] writes.
    pub(super) fn lend_hasher(&mut self) -> Option<Hasher> {
        self.hasher.take()
    }

    /// Counts `length` more bytes, which have been written and which `hasher` has seen.
    pub(super) fn advance(&mut self, hasher: Hasher, length: u64) {
        self.hasher = Some(hasher);
        self.offset += length;
    }

    /// Hashes and counts `pieces`, which have been written.
    pub(super) fn hash(&mut self, pieces: &[Bytes]) {
        for piece in pieces {
            if let Some(hasher) = &mut self.hasher {
                hasher.update(piece);
            }
            self.offset += piece.len() as u64;
        }
    }

    /// Brings the bytes in the file to disk, if that has not been done.
    pub(super) fn sync(&mut self, fs: &Fs, id: FileId) -> Result<(), BlobError> {
        if matches!(&self.place, Place::File(disk) if disk.synced < self.offset) {
            self.sync_anew(fs, id)?;
        }
        Ok(())
    }

    fn sync_anew(&mut self, fs: &Fs, id: FileId) -> Result<(), BlobError> {
        let file = self.file(fs, id)?;
        fs.sync_data(&file)?;
        self.note_synced(self.offset);
        Ok(())
    }

    /// Counts the first `through` bytes as synced.
    pub(super) fn note_synced(&mut self, through: u64) {
        if let Place::File(disk) = &mut self.place {
            disk.synced = disk.synced.max(through);
        }
    }

    /// Gives space that was set aside and not filled back.
    pub(super) fn release(&mut self, fs: &Fs) -> Result<(), BlobError> {
        if let Place::File(disk) = &mut self.place {
            let reserved = std::mem::take(&mut disk.reserved);
            if reserved > self.offset {
                return self.trim(fs);
            }
        }
        Ok(())
    }

    /// Cuts the file to the bytes that count.
    fn trim(&mut self, fs: &Fs) -> Result<(), BlobError> {
        if let Place::File(disk) = &self.place
            && let Some(file) = &disk.open
        {
            fs.cut(file, self.offset)?;
        }
        Ok(())
    }

    /// Closes the file if all its bytes are synced (an error that a later sync would tell would otherwise be lost).
    pub(super) fn close(&mut self) {
        if let Place::File(disk) = &mut self.place
            && disk.synced == self.offset
        {
            disk.open = None;
        }
    }

    /// Goes back to where an append began; to nothing at all when the bytes from before it may be lost too, because
    /// they were never synced.
    pub(super) fn roll_back(&mut self, fs: &Fs, id: FileId, before: Before) -> Result<(), BlobError> {
        self.sealed = None;
        if let Place::File(disk) = &mut self.place
            && before.inline.is_none()
            && disk.synced >= before.offset
        {
            (disk.synced, disk.reserved) = (before.offset, 0);
            (self.offset, self.hasher) = (before.offset, before.hasher);
            self.file(fs, id)?;
            self.trim(fs)?;
            self.close();
            return Ok(());
        }
        *self = Self::inline(self.algorithm, before.inline.unwrap_or_default());
        fs.remove(id).map(drop)
    }

    /// The sidecar that tells how the upload stands. It may be written only once the bytes in the file are synced.
    pub(super) fn sidecar(&self, heading: &Heading<'_>) -> Sidecar {
        match &self.place {
            Place::Inline(bytes) => Sidecar::inline(heading, bytes),
            Place::File(_) => Sidecar::file(heading, self.offset, self.hasher.as_ref()),
        }
    }

    /// Waits until the directory entry is on disk or known not to be. May be dropped at any point and called again.
    pub(super) async fn join_entry(&mut self) {
        if let Place::File(OnDisk { entry, .. }) = &mut self.place
            && let Entry::Syncing(task) = entry
        {
            let synced = matches!(task.await, Ok(Ok(())));
            *entry = if synced { Entry::Synced } else { Entry::Unsynced };
        }
    }

    /// Verifies the content and brings it to disk, after [`Upload::join_entry`]. Blocks unless
    /// [`Upload::is_inline`].
    pub(super) fn seal(&mut self, fs: &Fs, id: FileId, expected: &Digest) -> Result<Sealed, BlobError> {
        if let Some(sealed) = &self.sealed
            && sealed.digest == *expected
        {
            return Ok(sealed.clone());
        }
        let actual = self.digest(fs, id, expected.algorithm())?;
        if actual != *expected {
            return Err(BlobError::DigestMismatch { expected: *expected, actual });
        }
        let content = match &self.place {
            Place::Inline(bytes) => Content::Inline(Bytes::copy_from_slice(bytes)),
            Place::File(_) => {
                self.settle(fs, id)?;
                Content::File(id)
            }
        };
        let sealed = Sealed { digest: actual, size: self.offset, content };
        self.sealed = Some(sealed.clone());
        Ok(sealed)
    }

    /// The digest in this algorithm; the content is read again only if it was hashed with another one.
    fn digest(&mut self, fs: &Fs, id: FileId, algorithm: Algorithm) -> Result<Digest, BlobError> {
        if let Some(hasher) = &self.hasher
            && hasher.algorithm() == algorithm
        {
            return Ok(hasher.clone().finish());
        }
        if let Place::Inline(bytes) = &self.place {
            return Ok(Digest::of(algorithm, bytes));
        }
        let file = self.file(fs, id)?;
        let hasher = hash_file(fs, &file, algorithm, self.offset)?;
        self.close();
        if algorithm == self.algorithm {
            self.hasher = Some(hasher.clone());
        }
        Ok(hasher.finish())
    }

    /// Brings length, bytes and directory entry to disk.
    fn settle(&mut self, fs: &Fs, id: FileId) -> Result<(), BlobError> {
        let offset = self.offset;
        let file = self.file(fs, id)?;
        let length = file.metadata().map_err(|e| failed("looking at an upload's file", &e))?.len();
        if length < offset {
            return Err(BlobError::Io(format!("the upload's file {id} has {length} bytes instead of {offset}")));
        }
        if length > offset {
            self.trim(fs)?;
            self.sync_anew(fs, id)?;
        }
        self.sync(fs, id)?;
        self.close();
        if let Place::File(disk) = &mut self.place
            && !matches!(disk.entry, Entry::Synced)
        {
            fs.sync_entry(id)?;
            disk.entry = Entry::Synced;
        }
        Ok(())
    }
}

impl Before {
    /// The stand after a sync that failed: no byte can be relied upon.
    pub(super) fn nothing() -> Self {
        Self { hasher: None, offset: 0, inline: Some(Vec::new()) }
    }
}

/// Hashes the first `length` bytes of a file.
fn hash_file(fs: &Fs, file: &File, algorithm: Algorithm, length: u64) -> Result<Hasher, BlobError> {
    let mut hasher = Hasher::new(algorithm);
    let mut buffer = vec![0; 1 << 20];
    let mut at = 0;
    while at < length {
        let wanted = usize::try_from(length - at).unwrap_or(usize::MAX).min(buffer.len());
        fs.read_at(file, &mut buffer[..wanted], at)?;
        hasher.update(&buffer[..wanted]);
        at += wanted as u64;
    }
    Ok(hasher)
}
