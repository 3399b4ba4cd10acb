//! Remembers how much time has been seen to pass, so that leases go on where they stood after a restart.

use super::JobError;
use crate::meta::{MetaError, lease};
use crate::registry::Registry;

pub(super) async fn run(registry: &Registry) -> Result<(), JobError> {
    let steady = registry.clock().steady();
    let remember = registry.meta().write(move |tx| {
        lease::remember_steady(tx, steady);
        Ok::<_, MetaError>(())
    });
    remember.await.map_err(JobError::new)
}
