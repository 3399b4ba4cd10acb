//! Garbage collection in figures: what a run freed, what the next would free, and what waits.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::base::Timestamp;

/// A number of things and their bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Amount {
    /// How many.
    pub count: u64,
    /// Their bytes.
    pub bytes: u64,
}

impl Amount {
    /// One more, of `bytes` bytes.
    pub fn add(&mut self, bytes: u64) {
        *self += Self { count: 1, bytes };
    }
}

impl std::ops::AddAssign for Amount {
    fn add_assign(&mut self, other: Self) {
        self.count += other.count;
        self.bytes += other.bytes;
    }
}

/// What goes, by class. In a report: what went; of a dry run: what would go.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Freed {
    /// Untagged manifests that nothing refers to and that were not used for long.
    pub manifests: Amount,
    /// Blobs taken from a repository none of whose manifests refers to them; a blob that several repositories had
    /// counts for each.
    pub links: u64,
    /// Blobs that no repository has any more, small ones (kept in the metadata) and large ones (files) alike.
    pub blobs: Amount,
    /// Files of such blobs that were removed, those from before included.
    pub files: Amount,
    /// Files that nothing named: left over from crashes.
    pub orphans: Amount,
    /// Leases that ran out and belong to nothing any more; a dry run does not count those of what would go.
    pub leases: u64,
    /// Marks of what was lost long ago.
    pub marks: u64,
}

impl Freed {
    /// The bytes of files: what the file system gets back.
    pub fn file_bytes(&self) -> u64 {
        self.files.bytes + self.orphans.bytes
    }

    /// Whether there is nothing.
    pub fn is_nothing(&self) -> bool {
        *self == Self::default()
    }
}

/// Who began a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Trigger {
    /// The schedule.
    Schedule,
    /// A person, with `gc run`.
    Hand,
}

/// What a run did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// When it began.
    pub started: Timestamp,
    /// How long it took, in ms.
    pub took_ms: u64,
    /// Who began it.
    pub trigger: Trigger,
    /// Whether leases were ignored (`gc run --now`).
    pub ignored_leases: bool,
    /// What it freed.
    pub freed: Freed,
    /// Blobs whose file is not there: content is lost. The log names them.
    pub missing_files: u64,
}

impl Report {
    /// How long it took.
    pub fn took(&self) -> Duration {
        Duration::from_millis(self.took_ms)
    }
}

/// Why something that nothing needs does not go yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Why {
    /// It was acknowledged lately; whoever pushed it may still refer to it.
    Lease,
    /// It was used within the time that untagged manifests stay.
    Untagged,
}

/// Things that will go if nobody refers to them until then.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiting {
    /// Why they wait.
    pub why: Why,
    /// Manifests.
    pub manifests: Amount,
    /// Blobs in a repository.
    pub links: u64,
    /// Blobs, and their bytes, that no repository will have any more.
    pub blobs: Amount,
    /// When the first of them can go.
    pub earliest: Option<Timestamp>,
    /// When the last of them can go.
    pub latest: Option<Timestamp>,
}

impl Waiting {
    /// Nothing yet.
    pub fn new(why: Why) -> Self {
        Self { why, manifests: Amount::default(), links: 0, blobs: Amount::default(), earliest: None, latest: None }
    }

    /// Whether nothing waits.
    pub fn is_nothing(&self) -> bool {
        self.manifests.count == 0 && self.links == 0 && self.blobs.count == 0
    }

    /// One of them can go at `when`.
    pub fn until(&mut self, when: Timestamp) {
        self.earliest = Some(self.earliest.map_or(when, |earliest| earliest.min(when)));
        self.latest = Some(self.latest.map_or(when, |latest| latest.max(when)));
    }
}

/// What a run would find now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Survey {
    /// What it would free.
    pub goes: Freed,
    /// What waits for its lease.
    pub leased: Waiting,
    /// What waits for the time that untagged manifests stay.
    pub untagged: Waiting,
    /// Blobs whose file is not there.
    pub missing_files: u64,
}

/// A part of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// Untagged manifests.
    Manifests,
    /// Blobs that no manifest refers to.
    Blobs,
    /// Leases and marks that are over.
    Leases,
    /// Files of blobs that are gone.
    Files,
    /// Files that nothing names.
    Orphans,
}

impl Phase {
    /// What is being done, for people.
    pub fn in_words(self) -> &'static str {
        match self {
            Self::Manifests => "looking for untagged manifests",
            Self::Blobs => "looking for blobs that no manifest refers to",
            Self::Leases => "clearing leases that are over",
            Self::Files => "removing files",
            Self::Orphans => "looking for files that nothing names",
        }
    }
}

/// How far a run has come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// What it does now.
    pub phase: Phase,
    /// Rows and files looked at in this phase.
    pub seen: u64,
    /// What it freed so far.
    pub freed: Freed,
}

/// Everything that `gc status` shows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// The registry's wall time.
    pub now: Timestamp,
    /// The last run that came to its end.
    pub last: Option<Report>,
    /// The run that is going on.
    pub running: Option<Progress>,
    /// When the next one begins by itself.
    pub next: Option<Timestamp>,
    /// Seconds of a lease.
    pub lease_seconds: u64,
    /// Days that an untagged manifest stays; `None`: for ever.
    pub untagged_days: Option<u64>,
    /// What a run would find now.
    pub survey: Survey,
}
