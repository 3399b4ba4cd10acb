//! A run as a machine that makes one bounded step at a time, so that it can be put off between any two.

use super::rules::Terms;
use super::{Options, collect, expired, purge, sweep, untagged};
use crate::base::{FileId, RepoId, Timestamp};
use crate::model::gc::{Freed, Phase, Progress, Report, Trigger};
use crate::oci::Digest;
use crate::registry::{Registry, RegistryError};

/// What comes next.
#[derive(Debug)]
enum Next {
    Begin,
    Manifests(untagged::Position),
    Blobs(Option<collect::Position>),
    Leases(Option<Digest>),
    Marks(Option<(RepoId, Digest)>),
    Files(Option<FileId>),
    Orphans(Option<FileId>),
    End,
}

/// A run.
#[derive(Debug)]
pub(super) struct Run {
    options: Options,
    trigger: Trigger,
    started: Timestamp,
    steady: u64,
    next: Next,
    seen: u64,
    freed: Freed,
    missing: u64,
}

impl Run {
    pub(super) fn new(registry: &Registry, options: Options, trigger: Trigger) -> Self {
        Self {
            options,
            trigger,
            started: registry.clock().now(),
            steady: registry.clock().steady(),
            next: Next::Begin,
            seen: 0,
            freed: Freed::default(),
            missing: 0,
        }
    }

    /// Makes one step; false when there is none left.
    pub(super) async fn step(&mut self, registry: &Registry) -> Result<bool, RegistryError> {
        // The time of the step: what runs out while the run goes on may go, too.
        let terms = Terms::new(registry, self.options);
        let next = match std::mem::replace(&mut self.next, Next::End) {
            Next::Begin => {
                // Pulls that are still notes count.
                registry.flush_usage().await?;
                if terms.untagged.is_some() {
                    Next::Manifests(untagged::Position::default())
                } else {
                    Next::Blobs(None)
                }
            }
            Next::Manifests(position) => {
                let (went, position) = untagged::step(registry, terms, position).await?;
                self.seen += went.seen;
                went.bytes.iter().for_each(|bytes| self.freed.manifests.add(*bytes));
                position.map_or_else(|| self.turn(Next::Blobs(None)), Next::Manifests)
            }
            Next::Blobs(position) => {
                let (went, position) = collect::step(registry, terms, position).await?;
                self.seen += went.seen;
                self.freed.links += went.links;
                self.freed.blobs += went.blobs;
                position.map_or_else(|| self.turn(Next::Leases(None)), |position| Next::Blobs(Some(position)))
            }
            Next::Leases(after) => {
                let (seen, removed, after) = expired::leases(registry, terms, after).await?;
                self.seen += seen;
                self.freed.leases += removed;
                after.map_or(Next::Marks(None), |after| Next::Leases(Some(after)))
            }
            Next::Marks(after) => {
                if after.is_none() {
                    self.freed.marks += expired::names(registry, terms).await?;
                }
                let (seen, removed, after) = expired::marks(registry, terms, after).await?;
                self.seen += seen;
                self.freed.marks += removed;
                after.map_or_else(|| self.turn(Next::Files(None)), |after| Next::Marks(Some(after)))
            }
            Next::Files(after) => {
                let (removed, after) = purge::step(registry, after).await?;
                self.seen += removed.count;
                self.freed.files += removed;
                after.map_or_else(|| self.turn(Next::Orphans(None)), |after| Next::Files(Some(after)))
            }
            Next::Orphans(after) => {
                let (went, after) = sweep::step(registry, after).await?;
                self.seen += went.seen;
                self.freed.orphans += went.orphans;
                self.missing += went.missing;
                after.map_or(Next::End, |after| Next::Orphans(Some(after)))
            }
            Next::End => Next::End,
        };
        self.next = next;
        Ok(!matches!(self.next, Next::End))
    }

    /// Another phase counts anew.
    fn turn(&mut self, next: Next) -> Next {
        self.seen = 0;
        next
    }

    /// How far it has come; `None` at the end.
    pub(super) fn progress(&self) -> Option<Progress> {
        let phase = match self.next {
            Next::Begin | Next::Manifests(_) => Phase::Manifests,
            Next::Blobs(_) => Phase::Blobs,
            Next::Leases(_) | Next::Marks(_) => Phase::Leases,
            Next::Files(_) => Phase::Files,
            Next::Orphans(_) => Phase::Orphans,
            Next::End => return None,
        };
        Some(Progress { phase, seen: self.seen, freed: self.freed.clone() })
    }

    /// What it did.
    pub(super) fn report(self, registry: &Registry) -> Report {
        Report {
            started: self.started,
            took_ms: registry.clock().steady().saturating_sub(self.steady),
            trigger: self.trigger,
            ignored_leases: self.options.ignore_leases,
            freed: self.freed,
            missing_files: self.missing,
        }
    }
}
