//! Collects garbage, for a while at a time: the other jobs wait for this one.

use std::time::Duration;

use super::JobError;
use crate::base::{JobId, Timestamp};
use crate::meta::{MetaError, job};
use crate::model::Job;
use crate::model::job::{JobState, Task};
use crate::registry::Registry;
use crate::registry::gc::GcError;

/// After this time the run is put off, so that the other jobs get their turn.
const SLICE: Duration = Duration::from_secs(20);

pub(super) async fn run(registry: &Registry, now: Timestamp) -> Result<(), JobError> {
    match registry.collect_garbage_for(SLICE).await {
        // A person runs one by hand: it does the same work.
        Err(GcError::Busy) => Ok(()),
        Err(error) => Err(JobError::new(error)),
        Ok(Some(report)) => {
            let freed = &report.freed;
            if freed.is_nothing() {
                tracing::debug!(took = ?report.took(), "collection found nothing to free");
            } else {
                tracing::info!(
                    manifests = freed.manifests.count,
                    links = freed.links,
                    blobs = freed.blobs.count,
                    files = freed.files.count,
                    orphans = freed.orphans.count,
                    freed_bytes = freed.file_bytes(),
                    took = ?report.took(),
                    "collected garbage"
                );
            }
            Ok(())
        }
        Ok(None) => {
            let id = JobId::at(now);
            let again = registry.meta().write(move |tx| {
                let (task, state) = (Task::GarbageCollection, JobState::Waiting);
                job::put(tx, None, &Job { id, task, state, due: now, attempts: 0, last_error: None });
                Ok::<_, MetaError>(())
            });
            again.await.map_err(JobError::new)
        }
    }
}
