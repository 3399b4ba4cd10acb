//! What the tests see of the registry's inside: every step that the model of garbage collection knows
//! (`tests/gc_model.rs`), told to one observer.
//!
//! Steps of one commit are told by the writer thread after it is on disk, in their order within it and in the order of
//! commits. [`TraceEvent::HeadAnswered`] with `renewed: false` comes from a read: it tells of the state at the moment of
//! the read and may be told after the steps of a commit that came later; leases only grow, so what it says still
//! holds. Steps on files are told when they are done, [`TraceEvent::SessionBegan`] before the caller knows the session.
//!
//! Nobody observes outside the tests; a step costs one load then.

use std::fmt;
use std::sync::{Arc, OnceLock};

use crate::base::{FileId, UploadId};
use crate::oci::{Digest, RepoName};

/// A step of the model. Times are steady time in ms ([`crate::base::Clock::steady`]).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TraceEvent {
    /// A session is in memory (and its sidecar on disk, if it is durable); its file is made later, or never when the
    /// content stays small.
    SessionBegan {
        /// The session.
        upload: UploadId,
        /// The file that it owns.
        file: FileId,
        /// Where the upload goes.
        repo: RepoName,
    },
    /// A client gave a session up; its file goes.
    SessionCancelled {
        /// The session.
        upload: UploadId,
    },
    /// A session expired. Its file goes unless the metadata names it.
    SessionExpired {
        /// The file that it owned.
        file: FileId,
        /// Whether the metadata named the file.
        named: bool,
    },
    /// Committed: a repository has a blob that was uploaded; answered 201. The session ends with it.
    Published {
        /// The session.
        upload: UploadId,
        /// Where.
        repo: RepoName,
        /// Which blob.
        digest: Digest,
        /// The file with the bytes; `None` when they are in the metadata.
        file: Option<FileId>,
        /// Whether this made the blob's row (naming `file`). If not, a row was there, and `file`, unless it is the
        /// one that the row names, was doomed: [`TraceEvent::Doomed`] comes right before.
        new_row: bool,
        /// Until when the lease runs.
        lease_until: u64,
    },
    /// Committed: a repository has a blob that another one has; answered 201.
    Mounted {
        /// Where.
        repo: RepoName,
        /// Where it was.
        from: RepoName,
        /// Which blob.
        digest: Digest,
        /// Until when the lease runs.
        lease_until: u64,
    },
    /// `HEAD` of a blob by one who may push was answered 200.
    HeadAnswered {
        /// Where.
        repo: RepoName,
        /// Which blob.
        digest: Digest,
        /// Until when the lease runs at least.
        lease_until: u64,
        /// Whether a commit renewed the lease, or a read found it long enough.
        renewed: bool,
    },
    /// Committed: a manifest is stored; answered 201.
    ManifestPut {
        /// Where.
        repo: RepoName,
        /// Which.
        digest: Digest,
        /// What it refers to, without its subject.
        references: Vec<Digest>,
        /// What it is attached to.
        subject: Option<Digest>,
        /// Those of the references that are not here.
        missing: Vec<Digest>,
        /// Whether a tag points at it since then.
        tagged: bool,
        /// Until when the manifest's own lease runs.
        lease_until: u64,
    },
    /// Committed: a manifest is gone from a repository.
    ManifestDeleted {
        /// Where.
        repo: RepoName,
        /// Which.
        digest: Digest,
        /// Whether collection did it (untagged and unused), or somebody.
        collected: bool,
    },
    /// Committed: somebody deleted a blob from a repository.
    BlobDeleted {
        /// Where.
        repo: RepoName,
        /// Which.
        digest: Digest,
    },
    /// Committed: collection took a blob from a repository.
    LinkCollected {
        /// Where.
        repo: RepoName,
        /// Which.
        digest: Digest,
        /// The time by which its lease had run out.
        steady: u64,
    },
    /// Committed: collection removed a blob's row. Its file, if it has one, is doomed: [`TraceEvent::Doomed`] comes
    /// right before.
    RowCollected {
        /// Which.
        digest: Digest,
        /// The file that the row named.
        file: Option<FileId>,
        /// The time by which its lease had run out.
        steady: u64,
    },
    /// Committed: a file is doomed.
    Doomed {
        /// Which.
        file: FileId,
        /// The digest of what it holds.
        digest: Digest,
    },
    /// A doomed file's name was removed (or was gone already).
    Purged {
        /// Which.
        file: FileId,
    },
    /// Committed: the metadata does not name a purged file any more.
    Forgotten {
        /// Which.
        file: FileId,
    },
    /// A file that no session owned and the metadata did not name was removed.
    Swept {
        /// Which.
        file: FileId,
    },
}

/// Takes in steps; called on the writer thread too, so it must not wait.
pub type Observer = Arc<dyn Fn(&TraceEvent) + Send + Sync>;

/// Where steps are told.
#[derive(Default)]
pub struct Trace(OnceLock<Observer>);

impl Trace {
    /// Sets the observer; the first one stays.
    pub fn observe(&self, observer: Observer) {
        let _ = self.0.set(observer);
    }

    /// Whether anybody observes.
    pub fn is_on(&self) -> bool {
        self.0.get().is_some()
    }

    /// Tells a step, which is only made when somebody observes.
    pub fn tell(&self, step: impl FnOnce() -> TraceEvent) {
        if let Some(observer) = self.0.get() {
            observer(&step());
        }
    }
}

impl fmt::Debug for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Trace").field(&self.is_on()).finish()
    }
}
