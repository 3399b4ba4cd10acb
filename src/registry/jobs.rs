//! Work that somebody starts or takes back, which the record tells. (What the registry does by itself is written where it
//! arises: by the schedule, by `react`, by `reindex`.)

use super::{Actor, Registry, RegistryError};
use crate::base::{EventId, JobId};
use crate::meta::{event, job};
use crate::model::event::Happening;
use crate::model::job::{JobState, Task};
use crate::model::{Event, Job};

/// How work is started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// By the runner, as soon as it gets there.
    Queued,
    /// By whoever asks, right away; for a collection, whether leases keep nothing.
    ByHand {
        /// Leases keep nothing.
        ignore_leases: bool,
    },
}

impl Registry {
    /// Puts on record that somebody starts this task, and leaves it to the runner where that is how. One closure.
    ///
    /// # Errors
    /// The store's fault; nothing is started then.
    pub async fn start_job(&self, actor: &Actor, task: Task, how: Start) -> Result<Job, RegistryError> {
        let (now, by, actor) = (self.clock().now(), actor.principal.name(), actor.clone());
        let (id, event_id, state) = (JobId::at(now), EventId::at(now), JobState::Waiting);
        let started = Job { id, task, state, due: now, attempts: 0, last_error: None };
        let row = started.clone();
        let written = self.meta().write(move |tx| {
            let queued = how == Start::Queued;
            if queued {
                job::put(tx, None, &row);
            }
            let ignore_leases = how == Start::ByHand { ignore_leases: true };
            let what = Happening::JobStarted { task: row.task.clone(), job: queued.then_some(id), ignore_leases };
            event::append(tx, None, &[Event::by(&actor, event_id, now, what)])?;
            Ok::<_, RegistryError>(())
        });
        written.await?;
        if how == Start::Queued {
            self.jobs_bell().notify_one();
        }
        tracing::info!(task = started.task.name(), ?how, by, "started on request");
        Ok(started)
    }

    /// Takes back a job that waits, or forgets one that failed for good; true when it is not there any more. What runs,
    /// and what the registry owes to itself, stays.
    ///
    /// # Errors
    /// The store's fault.
    pub async fn remove_job(&self, actor: &Actor, id: JobId) -> Result<bool, RegistryError> {
        let (now, actor) = (self.clock().now(), actor.clone());
        let event_id = EventId::at(now);
        let removed = self.meta().write(move |tx| {
            let Some(job) = job::get(tx, id)? else { return Ok(true) };
            let may = match job.state {
                JobState::Dead => true,
                JobState::Waiting => job.task == Task::GarbageCollection,
                JobState::Running => false,
            };
            if may {
                job::remove(tx, &job);
                let what = Happening::JobRemoved { task: job.task, job: id };
                event::append(tx, None, &[Event::by(&actor, event_id, now, what)])?;
            }
            Ok::<_, RegistryError>(may)
        });
        Ok(removed.await?)
    }
}
