//! Floor 2: blob bytes. The contract is this file's signatures; the file system stands behind it today, object
//! storage may later.
//!
//! A blob file is created under its final, never reused name `blobs/ab/<file-id>` and is published by a metadata row
//! alone: nothing is renamed, re-read or copied at commit. Until then an upload session owns it.

use std::collections::HashSet;
use std::future::Future;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::base::{Clock, FileId, Timestamp, UploadId};
use crate::oci::{Algorithm, Digest, RepoName};

/// Bodies up to this many bytes live inline in the metadata store; larger ones in a file of their own.
pub const INLINE_MAX: usize = 16 * 1024;

/// Why bytes could not be taken in or given out.
#[derive(Debug, thiserror::Error)]
pub enum BlobError {
    /// No such session: it was finished, cancelled or has expired, or belongs to another repository.
    #[error("the upload session is not known")]
    UnknownSession,
    /// Another request is writing to this session right now.
    #[error("another request is writing to this upload session")]
    Busy,
    /// A chunk does not begin where the session stands.
    #[error("the chunk begins at byte {asked}, but the upload stands at byte {offset}")]
    WrongOffset {
        /// Where the chunk said that it begins.
        asked: u64,
        /// Where the session stands.
        offset: u64,
    },
    /// The chunk is shorter or longer than its range said.
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
    /// The disk is full.
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

/// Settings of the store.
#[derive(Clone, Debug)]
pub struct BlobOptions {
    /// A session that has received nothing for this long expires.
    pub session_ttl: Duration,
    /// The most bytes in one blob.
    pub max_blob: u64,
}

/// The blob store over a directory. Cheap to clone.
#[derive(Clone)]
pub struct Blobs(Arc<()>);

impl Blobs {
    /// Opens or makes `<data>/blobs` and `<data>/uploads` and rebuilds the sessions from their sidecars. `named`
    /// tells whether the metadata names a file (as a blob or as doomed): such a session is over, and only its sidecar
    /// is removed. A session whose file is missing is dropped; a file longer than its sidecar's offset is cut to it.
    ///
    /// # Errors
    /// [`BlobError::Io`] when the directories cannot be made or read.
    pub fn open(
        data: &Path,
        options: BlobOptions,
        clock: Clock,
        named: impl Fn(FileId) -> Result<bool, BlobError>,
    ) -> Result<Self, BlobError> {
        let _ = (data, options, clock, named);
        todo!()
    }

    /// Begins a session. `announced` is the digest algorithm that the client named, SHA-256 when it named none.
    /// `durable` writes the sidecar at once, so that the session survives a restart; a push in a single request needs
    /// none until its file is made.
    ///
    /// # Errors
    /// [`BlobError`] when the sidecar cannot be written.
    pub async fn begin(
        &self,
        repo: &RepoName,
        owner: &str,
        announced: Option<Algorithm>,
        durable: bool,
    ) -> Result<UploadId, BlobError> {
        let _ = (repo, owner, announced, durable);
        todo!()
    }

    /// How a session of `repo` stands.
    ///
    /// # Errors
    /// [`BlobError::UnknownSession`].
    pub fn status(&self, id: UploadId, repo: &RepoName) -> Result<SessionStatus, BlobError> {
        let _ = (id, repo);
        todo!()
    }

    /// Appends what `source` gives. `range` is (first byte, length) as the client announced it. Returns the new
    /// offset. Hashes while writing; what arrived before a sender broke off is kept and counted, so that the client
    /// can go on from there.
    ///
    /// # Errors
    /// [`BlobError::WrongOffset`] before a byte is read; the session stays usable after every error but
    /// [`BlobError::UnknownSession`].
    pub async fn append(
        &self,
        id: UploadId,
        repo: &RepoName,
        range: Option<(u64, u64)>,
        source: impl Source,
    ) -> Result<u64, BlobError> {
        let _ = (id, repo, range, source);
        todo!()
    }

    /// Verifies the session's content against `digest` and brings bytes and directory entry to disk. The session
    /// stays until [`Blobs::end`] or [`Blobs::cancel`]; sealing twice gives the same answer.
    ///
    /// # Errors
    /// [`BlobError::DigestMismatch`]; [`BlobError::Busy`]; I/O.
    pub async fn seal(&self, id: UploadId, repo: &RepoName, digest: Digest) -> Result<Sealed, BlobError> {
        let _ = (id, repo, digest);
        todo!()
    }

    /// Forgets a session whose content has been published (or doomed) by a row: sidecar and memory go, the file stays.
    pub fn end(&self, id: UploadId) {
        let _ = id;
        todo!()
    }

    /// Cancels a session: file, sidecar and memory go.
    ///
    /// # Errors
    /// [`BlobError::UnknownSession`]; [`BlobError::Busy`].
    pub async fn cancel(&self, id: UploadId, repo: &RepoName) -> Result<(), BlobError> {
        let _ = (id, repo);
        todo!()
    }

    /// Drops the sessions that have expired, at most `limit`, and returns how many. A file that `named` knows is kept.
    ///
    /// # Errors
    /// [`BlobError`] from `named` or the file system.
    pub async fn expire(
        &self,
        limit: usize,
        named: impl Fn(FileId) -> Result<bool, BlobError> + Send,
    ) -> Result<usize, BlobError> {
        let _ = (limit, named);
        todo!()
    }

    /// Opens a published file for reading. The open file outlives its name, so that collection never breaks a pull.
    ///
    /// # Errors
    /// [`BlobError::Missing`]; I/O.
    pub fn open_file(&self, id: FileId) -> Result<std::fs::File, BlobError> {
        let _ = id;
        todo!()
    }

    /// Removes a file's name and syncs its directory; a file that is already gone is no error.
    ///
    /// # Errors
    /// I/O.
    pub fn unlink(&self, id: FileId) -> Result<(), BlobError> {
        let _ = id;
        todo!()
    }

    /// The files that sessions own at this moment (the orphan sweep asks this first, the metadata second).
    pub fn owned(&self) -> HashSet<FileId> {
        todo!()
    }

    /// How many sessions are open.
    pub fn open_sessions(&self) -> usize {
        todo!()
    }
}
