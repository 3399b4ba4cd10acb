//! Removes the rows of sessions that have ended, and what deleted accounts and teams left when a crash came between.

use super::JobError;
use crate::access::accounts::drain;
use crate::access::session::remove_ended;
use crate::base::Timestamp;
use crate::registry::Registry;

pub(super) async fn run(registry: &Registry, now: Timestamp) -> Result<(), JobError> {
    let removed = remove_ended(registry.meta(), now).await.map_err(JobError::new)?;
    if removed > 0 {
        tracing::debug!(removed, "sessions that had ended were removed");
    }
    drain(registry.meta()).await.map(drop).map_err(JobError::new)
}
