//! Floor 3: the registry itself, in domain words.
//!
//! Everything that changes it passes [`commit`] and is one write closure, atomic; everything that reads it is in
//! [`pull`], [`tags`], [`catalog`] and [`referrers`]. One file per noun, as on the wire (`http::v2`).

pub mod admission;
pub mod apps;
pub mod audit;
mod cache;
pub mod catalog;
pub mod commit;
mod content;
pub mod delete;
mod derived;
pub mod error;
pub mod gc;
pub mod jobs;
pub mod kinds;
pub mod listing;
pub mod manifests;
pub mod mode;
pub mod pull;
pub mod push;
pub mod react;
pub mod referrers;
mod reindex;
pub mod repos;
pub mod search;
pub mod tags;
mod terms;
#[doc(hidden)]
pub mod trace;
pub mod uploads;
pub mod usage;

#[cfg(test)]
mod faults;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::sync::{Notify, Semaphore};

use crate::base::{Clock, Timestamp};
use crate::blobs::Blobs;
use crate::meta::{Engine, Read, repo};
pub use crate::model::Actor;
use crate::oci::RepoName;
use crate::oci::manifest::ManifestLimits;
use crate::space::Space;

pub use error::RegistryError;

/// Settings of the registry.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Whether manifests may refer to content that is not here.
    pub accept_incomplete: bool,
    /// Whether a push makes its repository, for those who may make one there.
    pub create_on_push: bool,
    /// How long something acknowledged is kept although nothing refers to it yet.
    pub lease: Duration,
    /// How long an untagged manifest that nothing refers to stays without use; `None`: for ever.
    pub untagged: Option<Duration>,
    /// From one collection to the next.
    pub collect_every: Duration,
    /// Limits on one manifest.
    pub manifest: ManifestLimits,
}

/// The registry. Cheap to clone.
#[derive(Clone)]
pub struct Registry(Arc<Inner>);

struct Inner {
    meta: Engine,
    blobs: Blobs,
    clock: Clock,
    settings: Settings,
    /// Manifests' bodies, verified.
    bodies: cache::Bodies,
    /// What was pulled since the last commit.
    recent: pull::Recent,
    /// The last tick that [`Registry::next_tick`] gave.
    tick: AtomicU64,
    /// Rung when a commit has written job rows, so that the runner looks at once.
    jobs: Arc<Notify>,
    trace: trace::Trace,
    usage: usage::Usage,
    /// What seals the marks of pages, once it was needed.
    seal: OnceLock<listing::Seal>,
    gc: gc::Collector,
    audit: audit::Audit,
    /// Turns of searches.
    searches: Arc<Semaphore>,
}

impl Registry {
    /// Puts the registry together.
    pub fn new(meta: Engine, blobs: Blobs, clock: Clock, settings: Settings) -> Self {
        let (tick, jobs) = (AtomicU64::new(0), Arc::new(Notify::new()));
        let (trace, seal) = (trace::Trace::default(), OnceLock::new());
        let (usage, gc, bodies) = (usage::Usage::default(), gc::Collector::default(), cache::Bodies::default());
        let (recent, audit) = (pull::Recent::default(), audit::Audit::default());
        let searches = Arc::new(Semaphore::new(search::AT_ONCE));
        Self(Arc::new(Inner {
            meta,
            blobs,
            clock,
            settings,
            bodies,
            recent,
            tick,
            jobs,
            trace,
            usage,
            seal,
            gc,
            audit,
            searches,
        }))
    }

    /// The metadata store.
    pub fn meta(&self) -> &Engine {
        &self.0.meta
    }

    /// The blob store.
    pub fn blobs(&self) -> &Blobs {
        &self.0.blobs
    }

    /// The watch over the disk's room. Whatever begins a push asks it first ([`Space::admit`]); pulls, deletions and
    /// collection do not.
    pub fn space(&self) -> &Space {
        self.blobs().space()
    }

    /// The clock.
    pub fn clock(&self) -> &Clock {
        &self.0.clock
    }

    /// The settings.
    pub fn settings(&self) -> &Settings {
        &self.0.settings
    }

    /// Pulls that are not written down yet.
    pub fn usage(&self) -> &usage::Usage {
        &self.0.usage
    }

    /// What collection is doing, and what it counts.
    pub fn collector(&self) -> &gc::Collector {
        &self.0.gc
    }

    /// Where tests observe.
    #[doc(hidden)]
    pub fn trace(&self) -> &trace::Trace {
        &self.0.trace
    }

    /// The time in 2⁻¹⁶ ms, later than every tick before it: what happened first sorts first, also within a
    /// millisecond and when the wall clock is set back.
    fn next_tick(&self, now: Timestamp) -> u64 {
        let later = |last: u64| (now.0 << 16).max(last + 1);
        let before = self.0.tick.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |last| Some(later(last)));
        later(before.unwrap_or_else(|last| last))
    }

    /// Rung when there is new work in the job queue.
    pub fn jobs_bell(&self) -> Arc<Notify> {
        self.0.jobs.clone()
    }
}

/// The repository's id, or [`RegistryError::NameUnknown`].
fn known(tx: &impl Read, name: &RepoName) -> Result<crate::base::RepoId, RegistryError> {
    repo::id_of(tx, name)?.ok_or_else(|| RegistryError::NameUnknown(name.clone()))
}
