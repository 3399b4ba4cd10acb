//! Writes down which manifests were pulled.

use super::JobError;
use crate::registry::Registry;

pub(super) async fn run(registry: &Registry) -> Result<(), JobError> {
    registry.flush_usage().await.map(drop).map_err(JobError::new)
}
