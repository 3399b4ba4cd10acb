//! Removes events that need not be kept any more, and verifies those that are left.

use super::JobError;
use crate::registry::Registry;

pub(super) async fn retention(registry: &Registry) -> Result<(), JobError> {
    let removed = registry.remove_old_events().await.map_err(JobError::new)?;
    if removed > 0 {
        tracing::info!(removed, "old events were removed (audit.keep_days, audit.keep_events)");
    }
    Ok(())
}

pub(super) async fn verification(registry: &Registry) -> Result<(), JobError> {
    let report = registry.verify_events().await.map_err(JobError::new)?;
    let (chains, whole) = (report.chains.len(), report.whole_chains());
    if report.is_whole() {
        tracing::debug!(chains, events = report.events(), "the record of events is whole");
    } else {
        tracing::error!(
            chains,
            whole,
            "the record of events is not whole: run msr-lite audit verify, which says where"
        );
    }
    Ok(())
}
