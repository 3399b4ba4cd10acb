//! Schedules: tasks that return at an interval, as rows.

use std::time::Duration;

use crate::base::{JobId, Timestamp};
use crate::meta::{MetaError, WriteTx, job};
use crate::model::Job;
use crate::model::job::{JobState, Schedule, Task};
use crate::registry::Settings;

/// Schedules that become jobs in one closure; those that are left follow in the next.
pub(super) const AT_ONCE: usize = 16;

/// What the registry does by itself, and how often.
pub(super) fn all(settings: &Settings) -> Vec<(Task, Duration)> {
    vec![
        // Addresses change without a word (DHCP), so they are looked at every minute; it costs microseconds.
        (Task::CertificateRenewal, Duration::from_mins(1)),
        (Task::UploadExpiry, Duration::from_mins(10)),
        (Task::SteadyTime, Duration::from_mins(10)),
        (Task::UsageFlush, Duration::from_mins(5)),
        (Task::SessionExpiry, Duration::from_hours(1)),
        (Task::AuditRetention, Duration::from_hours(1)),
        (Task::AuditVerification, Duration::from_hours(24)),
        (Task::GarbageCollection, settings.collect_every),
    ]
}

/// Writes the schedules that are missing, due at once. One whose interval has changed keeps to the new one, and is
/// due no later than that says.
///
/// # Errors
/// When the store fails.
pub(super) fn ensure(tx: &mut WriteTx, schedules: &[(Task, Duration)], now: Timestamp) -> Result<(), MetaError> {
    for (task, every) in schedules {
        match job::schedule(tx, task)? {
            None => {
                job::put_schedule(
                    tx,
                    &Schedule { task: task.clone(), every: *every, next: now, last: None, job: None },
                );
            }
            Some(before) if before.every != *every => {
                let next = before.next.min(now.plus(*every));
                job::put_schedule(tx, &Schedule { every: *every, next, ..before });
            }
            Some(_) => {}
        }
    }
    Ok(())
}

/// Turns every schedule that is due into a job and sets its next time. Times that were missed (the machine was off)
/// are made up for once, not once each. A job of the schedule that has not succeeded yet is left to the runner, so that
/// a task that fails does not pile up; one that failed for good gives way to the new one. Ids come from the caller, so
/// that the closure can be run again.
///
/// # Errors
/// When the store fails.
pub(super) fn enqueue_due(tx: &mut WriteTx, now: Timestamp, ids: &[JobId]) -> Result<usize, MetaError> {
    let mut ids = ids.iter();
    let mut enqueued = 0;
    for mut due in job::schedules(tx)? {
        // A wall clock that was set back must not leave a schedule waiting for years.
        let waits_too_long = due.next > now.plus(due.every);
        if due.next > now && !waits_too_long {
            continue;
        }
        let Some(id) = ids.next() else { break };
        due.next = now.plus(due.every);
        match due.job.map(|id| job::get(tx, id)).transpose()?.flatten() {
            Some(before) if before.state == JobState::Dead => job::remove(tx, &before),
            Some(_) => {
                job::put_schedule(tx, &due);
                continue;
            }
            None => {}
        }
        due.last = Some(now);
        due.job = Some(*id);
        let work =
            Job { id: *id, task: due.task.clone(), state: JobState::Waiting, due: now, attempts: 0, last_error: None };
        job::put(tx, None, &work);
        job::put_schedule(tx, &due);
        enqueued += 1;
    }
    Ok(enqueued)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::meta::{Engine, Mode};

    fn at(minutes: u64) -> Timestamp {
        Timestamp(1_700_000_000_000).plus(Duration::from_mins(minutes))
    }

    /// The jobs of the certificate's schedule after a look at `now`.
    fn look(meta: &Engine, now: Timestamp) -> Vec<Job> {
        let ids = [JobId::at(now)];
        let looked = meta.write_blocking(move |tx| {
            ensure(tx, &[(Task::CertificateRenewal, Duration::from_mins(1))], now)?;
            enqueue_due(tx, now, &ids)?;
            let jobs = job::list(tx, 100)?;
            Ok::<_, MetaError>(jobs.into_iter().filter(|job| job.task == Task::CertificateRenewal).collect())
        });
        looked.unwrap()
    }

    #[test]
    fn a_task_that_fails_does_not_pile_up() {
        let meta = Engine::in_memory(Mode::Strict);
        let first = look(&meta, at(0));
        assert_eq!(first.len(), 1);
        assert_eq!(look(&meta, at(10)), first, "it waits for its next try");

        let dead = Job { state: JobState::Dead, ..first[0].clone() };
        let before = first[0].clone();
        let buried = meta.write_blocking(move |tx| {
            job::put(tx, Some(&before), &dead);
            Ok::<_, MetaError>(())
        });
        buried.unwrap();
        let second = look(&meta, at(20));
        assert_eq!(second.len(), 1, "the dead one gives way");
        assert_eq!(second[0].state, JobState::Waiting);
        assert_ne!(second[0].id, first[0].id);
    }
}
