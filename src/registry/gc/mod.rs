//! Garbage collection: online, in bounded steps, without a lock or a read-only mode (ARCHITECTURE.md, "What frees
//! space").
//!
//! A run goes through five phases; each looks at a page of rows in a read view and changes what it found in write
//! closures that look again:
//!
//! | file | what goes |
//! |---|---|
//! | `untagged` | manifests without tag, parent or living subject that were not used for long |
//! | `collect` | blobs of a repository that no manifest of it refers to and whose lease is over; with the last link the row, and its file is doomed |
//! | `expired` | leases and marks that are over |
//! | `purge` | the files of doomed rows, then the rows |
//! | `sweep` | files that no session owns and no row names |
//!
//! `rules` says what is needed, for all of them; `survey` asks the same without changing anything. A run may be
//! stopped between any two steps, and a crash leaves nothing that the next run does not finish.

mod collect;
mod expired;
mod purge;
mod rules;
mod run;
mod survey;
mod sweep;
pub mod untagged;

use std::time::Duration;

use parking_lot::Mutex;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;

use self::run::Run;
use super::jobs::Start;
use super::{Actor, Registry, RegistryError};
use crate::meta::{WriteError, gc, job, lease};
use crate::model::gc::{Progress, Report, Status, Survey, Trigger};
use crate::model::job::Task;

/// How a run differs from the usual one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Leases keep nothing. A client that is pushing right now may then be answered `MANIFEST_BLOB_UNKNOWN`, and has
    /// to push again; what a manifest refers to is never taken.
    pub ignore_leases: bool,
}

/// Why there was no run.
#[derive(Debug, thiserror::Error)]
pub enum GcError {
    /// One is going on, and for a run that a person begins: another one waits for it already.
    #[error(
        "a collection is running, and another one that was asked for waits until it is over; msr-lite gc status shows how \
         far it is"
    )]
    Busy,
    /// It ended early. What it did stands, and the next run goes on.
    #[error(transparent)]
    Failed(#[from] RegistryError),
}

/// What collection is doing, and what it counts.
#[derive(Debug, Default)]
pub struct Collector {
    /// Held by whoever runs; holds the scheduled run that was put off to let other jobs work.
    run: tokio::sync::Mutex<Option<Run>>,
    /// Held by the person's run that waits for `run`. One is enough: it has not begun yet, so it finds all that a second
    /// one would find, unless only that one is to ignore leases; then the person asks again.
    waiting: tokio::sync::Mutex<()>,
    progress: Mutex<Option<Progress>>,
    counts: Counts,
}

/// Since the start of the process.
#[derive(Debug, Default)]
struct Counts {
    runs: Counter,
    manifests: Counter,
    links: Counter,
    blobs: Counter,
    files: Counter,
    bytes: Counter,
    orphans: Counter,
    missing: Gauge,
    last: Gauge,
    took: Gauge,
}

impl Collector {
    /// Makes what is counted visible to scrapers.
    pub fn register(&self, registry: &mut prometheus_client::registry::Registry) {
        let counts = &self.counts;
        let mut counter = |name, help: &str, metric: &Counter| registry.register(name, help, metric.clone());
        counter("gc_runs", "Collections that came to their end", &counts.runs);
        counter("gc_manifests", "Untagged manifests collected", &counts.manifests);
        counter("gc_links", "Blobs taken from repositories that do not need them", &counts.links);
        counter("gc_blobs", "Blobs collected", &counts.blobs);
        counter("gc_files", "Files of collected blobs removed", &counts.files);
        counter("gc_freed_bytes", "Bytes of removed files", &counts.bytes);
        counter("gc_orphans", "Files removed that nothing named", &counts.orphans);
        let mut gauge = |name, help: &str, metric: &Gauge| registry.register(name, help, metric.clone());
        gauge("gc_missing_files", "Blobs whose file the last collection did not find", &counts.missing);
        gauge("gc_last_run_timestamp_seconds", "When the last collection began", &counts.last);
        gauge("gc_last_run_duration_milliseconds", "How long the last collection took", &counts.took);
    }

    /// How far the run that is going on has come; `None` when there is none.
    pub fn progress(&self) -> Option<Progress> {
        self.progress.lock().clone()
    }

    fn count(&self, report: &Report) {
        let (counts, freed) = (&self.counts, &report.freed);
        counts.runs.inc();
        counts.manifests.inc_by(freed.manifests.count);
        counts.links.inc_by(freed.links);
        counts.blobs.inc_by(freed.blobs.count);
        counts.files.inc_by(freed.files.count);
        counts.bytes.inc_by(freed.file_bytes());
        counts.orphans.inc_by(freed.orphans.count);
        let number = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
        counts.missing.set(number(report.missing_files));
        counts.last.set(number(report.started.seconds()));
        counts.took.set(number(report.took_ms));
    }
}

/// Shows a run's progress for as long as it lives, also when its future is dropped.
struct Shown<'c>(&'c Collector);

impl Drop for Shown<'_> {
    fn drop(&mut self) {
        *self.0.progress.lock() = None;
    }
}

impl Registry {
    /// One whole run, begun by a person. Waits while another one works: that one has already passed some of what was
    /// deleted just before, and may keep to leases that this one is to ignore. Dropping the future ends it at the step it
    /// is in.
    ///
    /// # Errors
    /// [`GcError`]; [`GcError::Busy`] when another one waits already.
    pub async fn collect_garbage(&self, options: Options) -> Result<Report, GcError> {
        self.collect_garbage_by(&Actor::system(), options).await
    }

    /// The same on behalf of somebody, which the record tells.
    ///
    /// # Errors
    /// As [`Registry::collect_garbage`].
    pub async fn collect_garbage_by(&self, actor: &Actor, options: Options) -> Result<Report, GcError> {
        let collector = self.collector();
        let turn = collector.waiting.try_lock().map_err(|_| GcError::Busy)?;
        let _one = collector.run.lock().await;
        drop(turn);
        let how = Start::ByHand { ignore_leases: options.ignore_leases };
        match self.start_job(actor, Task::GarbageCollection, how).await {
            Ok(_) => {}
            // The disk may be full, which is when a run matters most.
            Err(error @ RegistryError::Store(_)) => {
                tracing::warn!(%error, "that a collection was started could not be put on record");
            }
            Err(error) => return Err(error.into()),
        }
        let run = Run::new(self, options, Trigger::Hand);
        match self.go_on(run, None).await? {
            Going::Done(report) => Ok(report),
            Going::PutOff(_) => unreachable!("a run without a limit comes to its end"),
        }
    }

    /// Goes on with the scheduled run, or begins it, for about this long. `None` when it is not at its end yet, or
    /// when somebody runs one by hand.
    ///
    /// # Errors
    /// [`GcError`]; the next call begins anew.
    pub async fn collect_garbage_for(&self, limit: Duration) -> Result<Option<Report>, GcError> {
        let mut slot = self.collector().run.try_lock().map_err(|_| GcError::Busy)?;
        let run = slot.take().unwrap_or_else(|| Run::new(self, Options::default(), Trigger::Schedule));
        Ok(match self.go_on(run, Some(limit)).await? {
            Going::Done(report) => Some(report),
            Going::PutOff(run) => {
                *slot = Some(*run);
                None
            }
        })
    }

    async fn go_on(&self, mut run: Run, limit: Option<Duration>) -> Result<Going, RegistryError> {
        let shown = Shown(self.collector());
        let began = self.clock().steady();
        while run.step(self).await? {
            *shown.0.progress.lock() = run.progress();
            let passed = Duration::from_millis(self.clock().steady().saturating_sub(began));
            if limit.is_some_and(|limit| passed >= limit) {
                return Ok(Going::PutOff(Box::new(run)));
            }
        }
        let report = run.report(self);
        self.collector().count(&report);
        let (kept, steady) = (report.clone(), self.clock().steady());
        let keep = self.meta().write(move |tx| {
            gc::put_report(tx, &kept);
            // Leases go on from here after a crash, and do not last longer by the minutes since the job remembered it.
            lease::remember_steady(tx, steady);
            Ok::<_, RegistryError>(())
        });
        match keep.await {
            Ok(()) => {}
            // The disk may be full, which is when a run matters most: what it did stands all the same.
            Err(WriteError::Store(error)) => tracing::warn!(%error, "the report of a collection could not be kept"),
            Err(WriteError::Refused(error)) => return Err(error),
        }
        Ok(Going::Done(report))
    }

    /// What a run would free now, and what waits until when. Looks at every row; not for a request's path.
    ///
    /// # Errors
    /// When a store fails.
    pub async fn survey_garbage(&self, options: Options) -> Result<Survey, RegistryError> {
        let registry = self.clone();
        // Pulls that are not written down yet keep manifests, too.
        self.flush_usage().await?;
        on_a_thread(move || survey::survey(&registry, options)).await
    }

    /// Everything that there is to say about collection.
    ///
    /// # Errors
    /// When a store fails.
    pub async fn garbage_status(&self) -> Result<Status, RegistryError> {
        let survey = self.survey_garbage(Options::default()).await?;
        let (last, schedule) = self
            .meta()
            .read(|tx| Ok::<_, RegistryError>((gc::report(tx)?, job::schedule(tx, &Task::GarbageCollection)?)))?;
        let settings = self.settings();
        Ok(Status {
            now: self.clock().now(),
            last,
            running: self.collector().progress(),
            next: schedule.map(|schedule| schedule.next),
            lease_seconds: settings.lease.as_secs(),
            untagged_days: settings.untagged.map(|after| after.as_secs() / 86_400),
            survey,
        })
    }
}

enum Going {
    Done(Report),
    PutOff(Box<Run>),
}

/// Long reads and file operations do not belong on a thread that drives async tasks.
async fn on_a_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, RegistryError> + Send + 'static,
) -> Result<T, RegistryError> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| {
        Err(crate::blobs::BlobError::Io(format!("a step of the collection broke off: {error}")).into())
    })
}
