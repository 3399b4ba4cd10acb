//! How large a world is searched, and which rule is weakened in it.

use crate::state::{BLOBS, FILES, MANIFESTS, REPOS, SESSIONS, manifest};

/// The bounds of a world. Within them every run is covered, whatever its length.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    pub(crate) name: &'static str,
    pub(crate) repos: usize,
    pub(crate) blobs: usize,
    /// Manifest 0 is an image of all blobs; each further one is an index over the one before it.
    pub(crate) manifests: usize,
    /// Upload sessions at once; 0: an upload is a single step.
    pub(crate) sessions: usize,
    /// Files that anything refers to, at once.
    pub(crate) files: usize,
    /// Ticks in a lease.
    pub(crate) lease: u8,
    /// Ticks for which a client may rely on an answer: `HEAD` renews a lease with less left.
    pub(crate) promise: u8,
    /// Whether manifests may be untagged, have leases and are cleaned up.
    pub(crate) untagged: bool,
    /// Whether users delete blobs by hand.
    pub(crate) blob_deletes: bool,
}

impl Bounds {
    /// What the state can hold at most; for replaying.
    pub(crate) const LARGEST: Self = Self {
        name: "largest",
        repos: REPOS,
        blobs: BLOBS,
        manifests: MANIFESTS,
        sessions: SESSIONS,
        files: FILES,
        lease: 3,
        promise: 2,
        untagged: true,
        blob_deletes: true,
    };

    /// What manifest `k` refers to.
    pub(crate) fn references(&self, k: usize) -> u8 {
        if k == 0 { (1 << self.blobs) - 1 } else { 1 << manifest(k - 1) }
    }

    /// The digests that a manifest may refer to: of others nobody asks whether they were lost.
    pub(crate) fn referable(&self) -> u8 {
        (0..self.manifests).fold(0, |all, k| all | self.references(k))
    }
}

/// The rules as built, or with one of them weakened.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Rules {
    AsBuilt,
    // Collection.
    CollectIgnoresLease,
    /// What a snapshot found is taken without asking again inside the transaction.
    CollectDoesNotLookAgain,
    /// A blob goes everywhere when the first repository does not need it.
    CollectLooksAtOneRepositoryOnly,
    /// A blob stays where nobody needs it as long as another repository does.
    CollectLooksAtAllRepositories,
    CollectDoesNotMarkWhatIsLost,
    RowGoesThoughLinked,
    UnlinkBeforeCommit,
    PurgeForgetsFirst,
    // Answers.
    HeadDoesNotRenew,
    HeadTrustsAnyLease,
    /// The transaction of `HEAD` renews the lease, but trusts the read before it that the blob is there.
    HeadDoesNotLookAgain,
    /// The manifest is looked up in one view, its lease in a later one.
    ManifestHeadTakesTwoViews,
    PublishWithoutLease,
    PublishBeforeSync,
    PublishDoesNotDoomTheSecondFile,
    MountWithoutLease,
    MountDoesNotLookAgain,
    PutWithoutLease,
    IncompleteInPlaceOfTheLost,
    // Files and sessions.
    SweepAsksTheTableFirst,
    SweepIgnoresSessions,
    FileBeforeSession,
    FileNamesAreReused,
    ExpiryIgnoresTheTable,
    RestartResumesNamedSessions,
    LeasesInMemoryOnly,
    // Manifests.
    CleanUpIgnoresLeases,
    CleanUpIgnoresParents,
    CleanUpIgnoresTags,
    CleanUpDoesNotMarkWhatIsLost,
    DeleteLeavesEdges,
    DeleteDoesNotMarkWhatIsLost,
}
