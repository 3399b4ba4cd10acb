//! The runner: claims what is due, does it, and records how it went.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::JoinSet;

use super::{
    audit, certificate_renewal, garbage_collection, reindex, repository_removal, schedule, session_expiry, steady_time,
    upload_expiry, usage_flush,
};
use crate::access::Access;
use crate::base::{Clock, JobId, Timestamp, id};
use crate::meta::{MetaError, WriteError, job};
use crate::model::Job;
use crate::model::job::{JobState, Task};
use crate::pki::Pki;
use crate::registry::Registry;

/// For how long a claim holds; a handler must be done by then.
const CLAIM: Duration = Duration::from_mins(15);
/// Failures after which a job waits for a person.
const ATTEMPTS: u32 = 10;
/// Jobs that are claimed at once.
const BATCH: usize = 16;
/// The longest the runner sleeps without looking.
const LOOK: Duration = Duration::from_secs(30);

/// Why a handler did not succeed; kept with the job for a person to read.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct JobError(pub String);

impl JobError {
    /// From any error, by its words.
    pub fn new(error: impl std::fmt::Display) -> Self {
        Self(error.to_string())
    }
}

/// Does the registry's work in the background. Cheap to clone; several may run, also in several processes, as claims
/// are rows.
#[derive(Clone)]
pub struct Runner {
    registry: Registry,
    access: Option<Access>,
    pki: Pki,
    clock: Clock,
    bell: Arc<Notify>,
}

impl Runner {
    /// A runner over this registry.
    pub fn new(registry: Registry, pki: Pki) -> Self {
        let (clock, bell) = (registry.clock().clone(), registry.jobs_bell());
        Self { registry, access: None, pki, clock, bell }
    }

    /// The same, which also writes down when access tokens were used.
    #[must_use]
    pub fn with_access(self, access: Access) -> Self {
        Self { access: Some(access), ..self }
    }

    /// Rung to make the runner look at once.
    pub fn bell(&self) -> &Notify {
        &self.bell
    }

    /// Writes the schedules that are missing, or whose interval the settings have changed, and asks for what an update
    /// makes necessary.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn prepare(&self) -> Result<(), MetaError> {
        if let Err(error) = self.registry.prepare().await {
            // Lists may lack what an earlier version stored; that must not keep the registry from serving it.
            tracing::error!(%error, "reindexing after an update could not be asked for; msr-lite reindex does it");
        }
        let (now, schedules) = (self.clock.now(), schedule::all(self.registry.settings()));
        self.write(move |tx| schedule::ensure(tx, &schedules, now)).await
    }

    /// Works until `stop` ends; a job that is being done is finished first.
    pub async fn run(&self, stop: impl Future<Output = ()>) {
        let mut stop = std::pin::pin!(stop);
        loop {
            if let Err(error) = self.drain().await {
                tracing::error!(%error, "the job runner could not read its queue; it will try again");
            }
            tokio::select! {
                () = &mut stop => return,
                () = self.bell.notified() => {}
                () = tokio::time::sleep(self.nap()) => {}
            }
        }
    }

    fn nap(&self) -> Duration {
        let now = self.clock.now();
        let next = self.registry.meta().read(|tx| {
            let schedules = job::schedules(tx)?;
            let next_schedule = schedules.iter().map(|schedule| schedule.next).min();
            Ok::<_, MetaError>(job::next_due(tx)?.into_iter().chain(next_schedule).min())
        });
        let wait = next.ok().flatten().map_or(LOOK, |next| next.since(now));
        wait.clamp(Duration::from_millis(200), LOOK)
    }

    /// Does everything that is due by now and returns how many jobs were done or failed. Tests move the clock and
    /// call this.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn drain(&self) -> Result<usize, MetaError> {
        let mut handled = 0;
        loop {
            let now = self.clock.now();
            let ids: Vec<JobId> = (0..schedule::AT_ONCE).map(|_| JobId::at(now)).collect();
            self.write(move |tx| schedule::enqueue_due(tx, now, &ids)).await?;
            let claimed = self.claim(now).await?;
            if claimed.is_empty() {
                return Ok(handled);
            }
            for work in claimed {
                handled += 1;
                self.handle(work).await?;
            }
        }
    }

    async fn claim(&self, now: Timestamp) -> Result<Vec<Job>, MetaError> {
        // A look without the writer first: most of the time there is nothing.
        if self.registry.meta().read(|tx| job::due(tx, now, 1))?.is_empty() {
            return Ok(Vec::new());
        }
        self.write(move |tx| {
            let mut claimed = Vec::new();
            for before in job::due(tx, now, BATCH)? {
                let work = Job {
                    state: JobState::Running,
                    due: now.plus(CLAIM),
                    attempts: before.attempts + 1,
                    ..before.clone()
                };
                job::put(tx, Some(&before), &work);
                claimed.push(work);
            }
            Ok(claimed)
        })
        .await
    }

    async fn handle(&self, work: Job) -> Result<(), MetaError> {
        let name = work.task.name();
        let outcome = self.guarded(work.task.clone()).await;
        let now = self.clock.now();
        let jitter = u64::from(id::random::<1>()[0]);
        self.write(move |tx| {
            let Some(before) = job::get(tx, work.id)? else { return Ok(()) };
            match &outcome {
                Ok(()) => job::remove(tx, &before),
                Err(error) => job::put(tx, Some(&before), &failed(&before, error, now, jitter)),
            }
            Ok(())
        })
        .await
        .inspect_err(|error| tracing::error!(job = name, %error, "the outcome of a job could not be recorded"))
    }

    /// Does a task on a task of its own: a handler that panics has failed, and the runner goes on.
    async fn guarded(&self, task: Task) -> Result<(), JobError> {
        let runner = self.clone();
        // A set, so that a runner that is stopped takes the handler along.
        let mut handler = JoinSet::new();
        handler.spawn(async move {
            match task {
                Task::CertificateRenewal => certificate_renewal::run(&runner.pki).await,
                Task::UploadExpiry => upload_expiry::run(&runner.registry).await,
                Task::SteadyTime => steady_time::run(&runner.registry).await,
                Task::GarbageCollection => garbage_collection::run(&runner.registry, runner.clock.now()).await,
                Task::UsageFlush => usage_flush::run(&runner.registry, runner.access.as_ref()).await,
                Task::RepositoryRemoval => repository_removal::run(&runner.registry).await,
                Task::Reindex => reindex::run(&runner.registry).await,
                Task::AuditRetention => audit::retention(&runner.registry).await,
                Task::AuditVerification => audit::verification(&runner.registry).await,
                Task::SessionExpiry => session_expiry::run(&runner.registry, runner.clock.now()).await,
            }
        });
        match handler.join_next().await {
            Some(Ok(outcome)) => outcome,
            Some(Err(panic)) => Err(JobError::new(panic)),
            None => Err(JobError::new("the handler was never started")),
        }
    }

    async fn write<T: Send + 'static>(
        &self,
        f: impl FnMut(&mut crate::meta::WriteTx) -> Result<T, MetaError> + Send + 'static,
    ) -> Result<T, MetaError> {
        self.registry.meta().write(f).await.map_err(|error| match error {
            WriteError::Refused(error) | WriteError::Store(error) => error,
        })
    }
}

/// The job after a failure: again later, each time later (2 s, 4 s, … about an hour, up to a tenth more so that jobs
/// that failed together do not return together), and after [`ATTEMPTS`] no more.
fn failed(job: &Job, error: &JobError, now: Timestamp, jitter: u64) -> Job {
    let wait = Duration::from_secs(1 << job.attempts.min(12));
    let wait = wait + wait.mul_f64(0.1 * f64::from(u32::try_from(jitter).unwrap_or(0)) / 255.0);
    let state = if job.attempts >= ATTEMPTS { JobState::Dead } else { JobState::Waiting };
    if state == JobState::Dead {
        tracing::error!(job = job.task.name(), %error, "a job failed for good");
    } else {
        tracing::warn!(job = job.task.name(), %error, ?wait, "a job failed and will be tried again");
    }
    Job { state, due: now.plus(wait), last_error: Some(error.to_string()), ..job.clone() }
}
