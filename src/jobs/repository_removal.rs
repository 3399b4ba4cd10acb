//! Takes away the rows of deleted repositories.

use super::JobError;
use crate::registry::Registry;

pub(super) async fn run(registry: &Registry) -> Result<(), JobError> {
    registry.drain_deleted().await.map(drop).map_err(JobError::new)
}
