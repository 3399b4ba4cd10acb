//! Floor 2: blob bytes. The contract is this file's signatures; the file system stands behind it today, object
//! storage may later.
//!
//! A blob file is created under its final, never reused name `blobs/ab/<file-id>` and is published by a metadata row
//! alone: nothing is renamed, re-read or copied at commit. Until then an upload session owns it: an entry in memory
//! and, once the session shall survive a restart or has a file, a sidecar; made in this order, before the file.
//!
//! Which thread: whatever may touch much data or wait for the disk runs on tokio's blocking threads. What is done on
//! the calling thread is taking in content that stays at hand (at most [`INLINE_MAX`] bytes) and writing or removing
//! a sidecar (some kilobytes into the page cache, not synced); a change of threads would cost more. [`Blobs::open`],
//! [`Blobs::open_file`], [`Blobs::unlink`] and [`Blobs::list`] block and leave the choice of the thread to the caller.
//!
//! Crash-safe by order: offset and hash state reach the sidecar only after an fdatasync of the bytes that they cover,
//! and [`Sealed`] is given out only when bytes and directory entry are on disk.
//!
//! | file | what |
//! |---|---|
//! | `layout` | where things lie |
//! | `fs` | file operations, and what their errors mean |
//! | `seam` | where tests reach under them |
//! | `sidecar` | the stored form of a session |
//! | `upload` | a session's content: bytes, offset, hash state |
//! | `session` | who works on which session; begin, end, cancel, expiry, rebuild |
//! | `pipeline` | receiving: limits, batches, hashing in parallel with writing |

#![allow(clippy::result_large_err, reason = "a mismatch carries two digests by value; errors are rare")]

mod fs;
mod layout;
mod pipeline;
mod seam;
mod session;
mod sidecar;
mod upload;

#[cfg(test)]
mod suite;
#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::future::Future;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use self::fs::Fs;
use self::session::{Claim, Store};
use self::upload::Before;
use crate::base::{Clock, FileId, Timestamp, UploadId};
use crate::oci::{Algorithm, Digest, RepoName};
use crate::space::Space;

/// Bodies up to this many bytes live inline in the metadata store; larger ones in a file of their own.
pub const INLINE_MAX: usize = 16 * 1024;

/// The most sessions that may be open at once. An open session holds no thread, descriptor or buffer while nobody
/// sends, but up to twice [`INLINE_MAX`] bytes of memory: 320 MiB at the very worst.
pub const SESSIONS_MAX: usize = 10_000;

/// The most sessions of one owner: nobody can keep all others from pushing. At either limit the owner's own session
/// that has stood empty for longest (every push of docker app leaves one) gives way to the new one.
pub const SESSIONS_EACH: usize = 2_000;

/// Why bytes could not be taken in or given out.
#[derive(Debug, thiserror::Error)]
pub enum BlobError {
    /// No such session: it was finished, cancelled or has expired, or belongs to another repository.
    #[error("the upload session is not known")]
    UnknownSession,
    /// Another request is writing to this session right now.
    #[error("another request is writing to this upload session")]
    Busy,
    /// Too many sessions are open.
    #[error("{limit} uploads are open, and no more are taken: finish or cancel some, or wait until they expire")]
    TooManySessions {
        /// How many may be.
        limit: usize,
    },
    /// A chunk does not begin where the session stands.
    #[error("the chunk begins at byte {asked}, but the upload stands at byte {offset}")]
    WrongOffset {
        /// Where the chunk said that it begins.
        asked: u64,
        /// Where the session stands.
        offset: u64,
    },
    /// The chunk is shorter or longer than its range said. What came and lies within the range is kept; the session's
    /// status tells where to go on.
    #[error("the chunk has {got} bytes, but its range names {announced}")]
    WrongLength {
        /// What the range named.
        announced: u64,
        /// What came.
        got: u64,
    },
    /// The content's digest is another one.
    #[error("the content has digest {actual}, not {expected}")]
    DigestMismatch {
        /// What the client named.
        expected: Digest,
        /// What came.
        actual: Digest,
    },
    /// The blob would be larger than allowed.
    #[error("a blob may have at most {limit} bytes")]
    TooLarge {
        /// The limit in bytes.
        limit: u64,
    },
    /// The sender broke off or was too slow; what had arrived before stands.
    #[error("the sender broke off: {0}")]
    Sender(String),
    /// The disk is full, or will be before the announced bytes have come. Nothing of the append is kept.
    #[error("the disk that holds the blobs is full")]
    DiskFull,
    /// The file is not there although it should be.
    #[error("the blob's file {0} is missing")]
    Missing(FileId),
    /// Anything else that the file system says.
    #[error("the blob store failed: {0}")]
    Io(String),
}

/// Where incoming bytes come from: the wire's request body, or a file in tests. Floor 2 knows no HTTP.
pub trait Source: Send {
    /// The next bytes; `None` at the end; `Err` with a reason when the sender broke off.
    fn next(&mut self) -> impl Future<Output = Option<Result<Bytes, String>>> + Send;
}

/// Verified bytes that wait to be published by a metadata row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sealed {
    /// Their digest, in the algorithm that the client named.
    pub digest: Digest,
    /// Their number.
    pub size: u64,
    /// Where they are.
    pub content: Content,
}

/// Where a blob's bytes are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// At hand: at most [`INLINE_MAX`] bytes, to be stored in the metadata.
    Inline(Bytes),
    /// In this file, which is on disk with its directory entry.
    File(FileId),
}

/// How a session stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionStatus {
    /// The repository it uploads to.
    pub repo: RepoName,
    /// Who began it (the principal's name).
    pub owner: String,
    /// Bytes received and kept.
    pub offset: u64,
    /// When it expires if nothing more comes.
    pub expires: Timestamp,
}

/// What is known about bytes before they come. The default knows nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Append {
    /// First byte and length, as a `Content-Range` announced them. Both are enforced.
    pub range: Option<(u64, u64)>,
    /// How many bytes are likely to come (`Content-Length`): space is set aside for them, so that a full disk is
    /// noticed early. More or fewer may come.
    pub expected: Option<u64>,
    /// The algorithm that the client will name when it closes the upload, if known before the body. It is taken up as
    /// long as the content is at hand; later it is too late, and closing reads the file again.
    pub algorithm: Option<Algorithm>,
    /// These are the last bytes and [`Blobs::seal`] follows at once: no progress is secured in between (a crash
    /// takes the session back to where it stood before).
    pub closing: bool,
}

/// Settings of the store.
#[derive(Clone, Debug)]
pub struct BlobOptions {
    /// A session that has received nothing for this long expires, counted in steady time ([`Clock::steady`]) and anew
    /// after a restart: neither a clock that jumps nor a week of downtime takes an upload from a client.
    pub session_ttl: Duration,
    /// The most bytes in one blob.
    pub max_blob: u64,
}

/// The blob store over a directory. Cheap to clone.
#[derive(Clone)]
pub struct Blobs(Arc<Store>);

/// A session that its request holds on to, from [`Blobs::seal_and_hold`] until the row that names its file is
/// committed or refused. While it lives, nobody else writes to, closes or cancels the session, and it does not expire:
/// otherwise a cancellation between the seal and the commit would leave a row that names a removed file.
#[must_use = "dropping it lets others cancel the upload before its row is committed"]
pub struct Hold(#[allow(dead_code, reason = "held, not looked at")] Claim);

impl Blobs {
    /// Opens or makes `<data>/blobs` and `<data>/uploads` and rebuilds the sessions from their sidecars. `named`
    /// tells whether the metadata names a file (as a blob or as doomed): such a session is over, and only its sidecar
    /// is removed. A session whose file is missing or too short is dropped; a file longer than its sidecar's offset is
    /// cut to it; a sidecar that cannot be read is removed (its file is an orphan then); a session that no client
    /// knows of (a push in a single request) goes with its file. Blocks, in proportion to the number of sessions.
    ///
    /// The clock must have taken up its steady time before ([`Clock::resume_steady`]), or every session looks old
    /// afterwards.
    ///
    /// # Errors
    /// [`BlobError::Io`] when the directories cannot be made or read; what `named` says.
    pub fn open(
        data: &Path,
        options: BlobOptions,
        clock: Clock,
        named: impl Fn(FileId) -> Result<bool, BlobError>,
    ) -> Result<Self, BlobError> {
        Self::open_within(data, Space::default(), options, clock, named)
    }

    /// [`Blobs::open`] on a filesystem that is watched: blobs leave the metadata store its part of the reserve.
    ///
    /// # Errors
    /// As [`Blobs::open`].
    pub fn open_within(
        data: &Path,
        space: Space,
        options: BlobOptions,
        clock: Clock,
        named: impl Fn(FileId) -> Result<bool, BlobError>,
    ) -> Result<Self, BlobError> {
        let store = Store::new(Fs::open(data, space)?, options, clock);
        store.rebuild(named)?;
        Ok(Self(Arc::new(store)))
    }

    /// [`Blobs::open`] over files whose faults a test chooses.
    #[cfg(test)]
    pub(crate) fn open_faulty(
        data: &Path,
        faults: crate::base::faults::Faults,
        options: BlobOptions,
        clock: Clock,
        named: impl Fn(FileId) -> Result<bool, BlobError>,
    ) -> Result<Self, BlobError> {
        let mut fs = Fs::open(data, Space::default())?;
        fs.seam = seam::Seam::with(faults, data).map_err(|e| fs::failed("reading what there is", &e))?;
        let store = Store::new(fs, options, clock);
        store.rebuild(named)?;
        Ok(Self(Arc::new(store)))
    }

    /// Makes, under `data`, what a power cut would leave of the files of [`Blobs::open_faulty`].
    #[cfg(test)]
    pub(crate) fn after_cut(&self, data: &Path, dice: &mut crate::base::faults::Dice) {
        self.0.fs.seam.after_cut(data, dice).expect("a directory of the test's own");
    }

    /// Begins a session. `announced` is the digest algorithm that the client named, SHA-256 when it named none.
    /// `durable` writes the sidecar at once, so that the session survives a restart; a push in a single request needs
    /// none until its file is made. A session that is not durable ends with its process, or when nobody has worked on
    /// it for ten minutes.
    ///
    /// # Errors
    /// [`BlobError::TooManySessions`]; [`BlobError::DiskFull`] or [`BlobError::Io`] when the sidecar cannot be
    /// written; the session does not exist then.
    #[allow(clippy::unused_async, reason = "another backend waits here")]
    pub async fn begin(
        &self,
        repo: &RepoName,
        owner: &str,
        announced: Option<Algorithm>,
        durable: bool,
    ) -> Result<UploadId, BlobError> {
        self.0.begin(repo, owner, announced.unwrap_or(Algorithm::Sha256), durable)
    }

    /// How a session of `repo` stands. While it receives, the offset grows with each batch that is written and hashed.
    ///
    /// # Errors
    /// [`BlobError::UnknownSession`].
    pub fn status(&self, id: UploadId, repo: &RepoName) -> Result<SessionStatus, BlobError> {
        self.0.status(id, repo)
    }

    /// [`Blobs::append_with`], knowing no more than a range: (first byte, length) as the client announced it.
    ///
    /// # Errors
    /// As [`Blobs::append_with`].
    pub async fn append(
        &self,
        id: UploadId,
        repo: &RepoName,
        range: Option<(u64, u64)>,
        source: impl Source,
    ) -> Result<u64, BlobError> {
        self.append_with(id, repo, Append { range, ..Append::default() }, source).await
    }

    /// Appends what `source` gives and returns the new offset. Hashes while writing, with at most 1.5 MiB in memory;
    /// what arrived before a sender broke off is kept and counted, so that the client can go on from there. The same
    /// holds for a future that is dropped in the middle, but for at most 512 KiB that were still being gathered; the
    /// session stays [`BlobError::Busy`] for the moment in which the rest is written.
    ///
    /// # Errors
    /// [`BlobError::WrongOffset`], [`BlobError::TooLarge`] or [`BlobError::WrongLength`] before a byte is read if that
    /// is known then; [`BlobError::WrongLength`] and [`BlobError::TooLarge`] (what fits is kept) and
    /// [`BlobError::Sender`] later; [`BlobError::Busy`]; [`BlobError::UnknownSession`], also when the session is
    /// cancelled meanwhile. [`BlobError::DiskFull`] and [`BlobError::Io`] keep nothing of this append; if bytes from
    /// before it were never synced, nothing at all. The session stays usable after every error but
    /// [`BlobError::UnknownSession`].
    pub async fn append_with(
        &self,
        id: UploadId,
        repo: &RepoName,
        how: Append,
        source: impl Source,
    ) -> Result<u64, BlobError> {
        pipeline::append(&self.0, id, repo, how, source).await
    }

    /// [`Blobs::seal_and_hold`] without the hold. For callers that know that nobody else can reach the session, such
    /// as a push in a single request.
    ///
    /// # Errors
    /// As [`Blobs::seal_and_hold`].
    pub async fn seal(&self, id: UploadId, repo: &RepoName, digest: Digest) -> Result<Sealed, BlobError> {
        self.seal_and_hold(id, repo, digest).await.map(|(sealed, _)| sealed)
    }

    /// Verifies the session's content against `digest` and brings bytes and directory entry to disk. Content that was
    /// hashed with another algorithm is read again once. The session stays until [`Blobs::end`] or [`Blobs::cancel`];
    /// sealing twice gives the same answer. Drop the [`Hold`] once the row that names the file is committed (after
    /// [`Blobs::end`]) or refused.
    ///
    /// # Errors
    /// [`BlobError::DigestMismatch`], after which the session can be sealed with the right digest or go on;
    /// [`BlobError::Busy`] while another request receives or publishes; [`BlobError::UnknownSession`];
    /// [`BlobError::DiskFull`], after which the session stands at byte 0 if its bytes could not be synced; I/O.
    pub async fn seal_and_hold(
        &self,
        id: UploadId,
        repo: &RepoName,
        digest: Digest,
    ) -> Result<(Sealed, Hold), BlobError> {
        let mut claim = self.0.publish(id, repo)?;
        let (upload, fs, file) = claim.parts();
        if upload.is_inline() {
            return Ok((upload.seal(fs, file, &digest)?, Hold(claim)));
        }
        upload.join_entry().await;
        let (claim, sealed) = pipeline::hop(claim, move |claim| {
            let (upload, fs, file) = claim.parts();
            let sealed = upload.seal(fs, file, &digest);
            if matches!(sealed, Err(BlobError::DiskFull)) {
                claim.roll_back(Before::nothing());
            }
            sealed
        })
        .await?;
        Ok((sealed?, Hold(claim)))
    }

    /// Brings to disk what a closing append took in after which nothing was published, and closes the file: an idle
    /// session holds no descriptor.
    ///
    /// # Errors
    /// As [`Blobs::seal_and_hold`], but for the digest.
    pub async fn rest(&self, id: UploadId, repo: &RepoName) -> Result<(), BlobError> {
        let claim = self.0.receive(id, repo)?;
        if claim.upload().is_inline() {
            return Ok(());
        }
        let (_, rested) = pipeline::hop(claim, |claim| {
            let rested = pipeline::end_append(claim, true);
            if matches!(rested, Err(BlobError::DiskFull)) {
                claim.roll_back(Before::nothing());
            }
            rested
        })
        .await?;
        rested
    }

    /// Forgets a session whose content has been published (or doomed) by a row: sidecar and memory go, the file stays.
    /// For a commit's effect: it removes one name and does not wait for the disk. A session that is not known is no
    /// error.
    pub fn end(&self, id: UploadId) {
        self.0.end(id);
    }

    /// Cancels a session: file, sidecar and memory go. A request that is receiving for it stops with
    /// [`BlobError::UnknownSession`] at its next bytes and cleans up after itself; the session is unknown at once.
    ///
    /// # Errors
    /// [`BlobError::UnknownSession`]; [`BlobError::Busy`] while another request publishes it.
    pub async fn cancel(&self, id: UploadId, repo: &RepoName) -> Result<(), BlobError> {
        match self.0.cancel(id, repo)? {
            Some(claim) => blocking(move || drop(claim)).await,
            None => Ok(()),
        }
    }

    /// Drops the sessions that have expired, at most `limit`, and returns how many. A session that somebody works on
    /// has not expired. A file that `named` knows is kept.
    ///
    /// # Errors
    /// [`BlobError`] from `named` or the file system.
    pub async fn expire(
        &self,
        limit: usize,
        named: impl Fn(FileId) -> Result<bool, BlobError> + Send,
    ) -> Result<usize, BlobError> {
        let claims = self.0.expired(limit);
        let count = claims.len();
        for claim in claims {
            let named = named(claim.session().file)?;
            blocking(move || claim.discard(named)).await?;
        }
        Ok(count)
    }

    /// Opens a published file for reading. The open file outlives its name, so that collection never breaks a pull.
    ///
    /// # Errors
    /// [`BlobError::Missing`]; I/O.
    pub fn open_file(&self, id: FileId) -> Result<std::fs::File, BlobError> {
        self.0.fs.open_to_read(id)
    }

    /// Reads a published file of `size` bytes at once; for small ones.
    ///
    /// # Errors
    /// [`BlobError::Missing`]; [`BlobError::Io`], also when the file has fewer bytes.
    pub async fn read_all(&self, id: FileId, size: u64) -> Result<Bytes, BlobError> {
        let store = Arc::clone(&self.0);
        blocking(move || store.fs.read_all(id, size)).await?
    }

    /// Removes a file's name and syncs its directory; a file that is already gone is no error.
    ///
    /// # Errors
    /// I/O.
    pub fn unlink(&self, id: FileId) -> Result<(), BlobError> {
        self.0.fs.remove(id)?;
        // Also when it was gone: the run that removed it may have ended before the sync.
        self.0.fs.sync_entry(id)
    }

    /// Removes the names of these files and syncs their directories, each once. Tells for each how many bytes it had;
    /// `None` when it was gone already.
    ///
    /// # Errors
    /// I/O, for each file alone: the others are removed all the same.
    pub fn unlink_all(&self, ids: &[FileId]) -> Vec<(FileId, Result<Option<u64>, BlobError>)> {
        let fs = &self.0.fs;
        let remove = |id: FileId| {
            let size = fs.size(id)?;
            fs.remove(id).map(|_| size)
        };
        let mut removed: Vec<_> = ids.iter().map(|id| (*id, remove(*id))).collect();
        removed.sort_unstable_by_key(|(id, _)| *id);
        for shelf in removed.chunk_by_mut(|(one, _), (other, _)| one.0[0] == other.0[0]) {
            // Also when all were gone: the run that removed them may have ended before the sync.
            if let Err(error) = fs.sync_entry(shelf[0].0) {
                let why = error.to_string();
                for (_, outcome) in shelf {
                    *outcome = Err(BlobError::Io(why.clone()));
                }
            }
        }
        removed
    }

    /// The bytes of a file; `None` when it is not there.
    ///
    /// # Errors
    /// I/O.
    pub fn size(&self, id: FileId) -> Result<Option<u64>, BlobError> {
        self.0.fs.size(id)
    }

    /// At most `limit` of the files that there are, in order, from behind `after` on; fewer only at the end. For the
    /// orphan sweep, which lists first, asks [`Blobs::owned`] second and the metadata third: in any other order it
    /// could take a file that was made or published in between for an orphan.
    ///
    /// # Errors
    /// I/O.
    pub fn list(&self, after: Option<FileId>, limit: usize) -> Result<Vec<FileId>, BlobError> {
        let mut found = Vec::new();
        for first_byte in after.map_or(0, |id| id.0[0])..=u8::MAX {
            let files = self.0.fs.files(first_byte)?;
            found.extend(files.into_iter().filter(|id| after.is_none_or(|after| *id > after)));
            if found.len() >= limit {
                found.truncate(limit);
                break;
            }
        }
        Ok(found)
    }

    /// The files that sessions own at this moment, made or not (the orphan sweep asks this before the metadata).
    pub fn owned(&self) -> HashSet<FileId> {
        self.0.owned()
    }

    /// The file that a session owns, made or not; `None` when there is no such session.
    pub fn file_of(&self, id: UploadId) -> Option<FileId> {
        self.0.file_of(id)
    }

    /// The watch over the filesystem's room.
    pub fn space(&self) -> &Space {
        self.0.fs.space()
    }

    /// How many sessions are open.
    pub fn open_sessions(&self) -> usize {
        self.0.open_sessions()
    }
}

/// Runs blocking work on a thread for it; the work goes to its end even when nobody waits for it any more.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, BlobError> {
    tokio::task::spawn_blocking(work).await.map_err(|e| BlobError::Io(format!("the blob store's worker: {e}")))
}
