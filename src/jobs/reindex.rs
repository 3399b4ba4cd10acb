//! Makes the rows of lists and searches anew.

use super::JobError;
use crate::registry::Registry;

pub(super) async fn run(registry: &Registry) -> Result<(), JobError> {
    registry.reindex_all().await.map(drop).map_err(JobError::new)
}
