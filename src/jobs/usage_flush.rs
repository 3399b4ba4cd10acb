//! Writes down which manifests were pulled, and when access tokens were used.

use super::JobError;
use crate::access::Access;
use crate::registry::Registry;

pub(super) async fn run(registry: &Registry, access: Option<&Access>) -> Result<(), JobError> {
    registry.flush_usage().await.map_err(JobError::new)?;
    if let Some(access) = access {
        access.flush_token_uses().await.map_err(JobError::new)?;
    }
    Ok(())
}
