//! Rows of jobs and schedules.

use super::key::{Key, KeyReader};
use super::record::{decode, encode};
use super::tables::{JOB, JOB_DUE, SCHEDULE};
use super::{MetaError, Read, WriteTx};
use crate::base::{JobId, Timestamp};
use crate::model::Job;
use crate::model::job::{JobState, Schedule, Task};

fn due_key(job: &Job) -> Key {
    Key::new().u64(job.due.0).raw(&job.id.0)
}

/// The job's row.
///
/// # Errors
/// When the store fails.
pub fn get(tx: &impl Read, id: JobId) -> Result<Option<Job>, MetaError> {
    tx.get(JOB, &id.0)?.map(|value| decode(JOB, &value)).transpose()
}

/// Writes a job in place of `before`, and its place in the queue. A dead job has none.
pub fn put(tx: &mut WriteTx, before: Option<&Job>, job: &Job) {
    if let Some(before) = before {
        tx.delete(JOB_DUE, due_key(before).as_ref());
    }
    tx.put(JOB, &job.id.0, encode(job));
    if job.state != JobState::Dead {
        tx.put(JOB_DUE, due_key(job).as_ref(), Vec::new());
    }
}

/// Removes a job that is done.
pub fn remove(tx: &mut WriteTx, job: &Job) {
    tx.delete(JOB_DUE, due_key(job).as_ref());
    tx.delete(JOB, &job.id.0);
}

/// At most `limit` jobs that are due, the longest waiting first. A running job is due when its claim has run out.
///
/// # Errors
/// When the store fails.
pub fn due(tx: &impl Read, now: Timestamp, limit: usize) -> Result<Vec<Job>, MetaError> {
    let end = Key::new().u64(now.0.saturating_add(1));
    let mut jobs = Vec::new();
    for (key, _) in tx.range(JOB_DUE, &[], Some(end.as_ref()), limit)? {
        let id: Option<[u8; 16]> = key.get(8..).and_then(|id| id.try_into().ok());
        if let Some(job) = id.map(|id| get(tx, JobId(id))).transpose()?.flatten() {
            jobs.push(job);
        }
    }
    Ok(jobs)
}

/// When the next job is due.
///
/// # Errors
/// When the store fails.
pub fn next_due(tx: &impl Read) -> Result<Option<Timestamp>, MetaError> {
    let rows = tx.range(JOB_DUE, &[], None, 1)?;
    Ok(rows.first().and_then(|(key, _)| KeyReader::new(key).u64()).map(Timestamp))
}

/// At most `limit` jobs, whatever their state.
///
/// # Errors
/// When the store fails.
pub fn list(tx: &impl Read, limit: usize) -> Result<Vec<Job>, MetaError> {
    tx.range(JOB, &[], None, limit)?.iter().map(|(_, value)| decode(JOB, value)).collect()
}

/// All schedules.
///
/// # Errors
/// When the store fails.
pub fn schedules(tx: &impl Read) -> Result<Vec<Schedule>, MetaError> {
    tx.range(SCHEDULE, &[], None, 1000)?.iter().map(|(_, value)| decode(SCHEDULE, value)).collect()
}

/// The schedule of a task.
///
/// # Errors
/// When the store fails.
pub fn schedule(tx: &impl Read, task: &Task) -> Result<Option<Schedule>, MetaError> {
    tx.get(SCHEDULE, task.name().as_bytes())?.map(|value| decode(SCHEDULE, &value)).transpose()
}

/// Writes a schedule.
pub fn put_schedule(tx: &mut WriteTx, schedule: &Schedule) {
    tx.put(SCHEDULE, schedule.task.name().as_bytes(), encode(schedule));
}
