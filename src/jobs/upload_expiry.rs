//! Drops upload sessions that have received nothing for too long.

use super::JobError;
use crate::blobs::BlobError;
use crate::registry::trace::TraceEvent;
use crate::registry::{Registry, RegistryError, uploads};

/// Sessions dropped in one step.
const BATCH: usize = 200;

pub(super) async fn run(registry: &Registry) -> Result<(), JobError> {
    let of = registry.clone();
    let named = move |file| {
        let named = of.meta().read(|tx| uploads::is_named(tx, file));
        let named = named.map_err(|error: RegistryError| BlobError::Io(error.to_string()))?;
        of.trace().tell(|| TraceEvent::SessionExpired { file, named });
        Ok(named)
    };
    let mut dropped = 0;
    loop {
        let step = registry.blobs().expire(BATCH, &named).await.map_err(JobError::new)?;
        dropped += step;
        if step < BATCH {
            break;
        }
    }
    if dropped > 0 {
        tracing::info!(dropped, "upload sessions expired");
    }
    Ok(())
}
