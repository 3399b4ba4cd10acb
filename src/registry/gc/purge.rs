//! The files of doomed rows: first the name goes, then the row. A crash in between leaves a row whose file is gone,
//! which the next run forgets.

use crate::base::FileId;
use crate::meta::blob;
use crate::model::gc::Amount;
use crate::registry::trace::TraceEvent;
use crate::registry::{Registry, RegistryError};

/// Files removed in one step.
const BATCH: usize = 200;

/// One step: what was removed, and behind which file to go on.
pub(super) async fn step(
    registry: &Registry,
    after: Option<FileId>,
) -> Result<(Amount, Option<FileId>), RegistryError> {
    let files = registry.clone();
    let (gone, next) = super::on_a_thread(move || {
        let rows = files.meta().read(|tx| Ok::<_, RegistryError>(blob::doomed(tx, after, BATCH)?))?;
        let next = rows.last().filter(|_| rows.len() == BATCH).map(|(file, _)| *file);
        let ids: Vec<FileId> = rows.iter().map(|(file, _)| *file).collect();
        let mut gone = Vec::new();
        for (file, outcome) in files.blobs().unlink_all(&ids) {
            match outcome {
                Ok(size) => gone.push((file, size)),
                // Its row stays, so the next run tries again.
                Err(error) => tracing::warn!(%file, %error, "a file that nothing needs could not be removed"),
            }
        }
        for (file, _) in &gone {
            files.trace().tell(|| TraceEvent::Purged { file: *file });
        }
        Ok((gone, next))
    })
    .await?;
    let mut removed = Amount::default();
    gone.iter().filter_map(|(_, size)| *size).for_each(|size| removed.add(size));
    if !gone.is_empty() {
        let writer = registry.clone();
        let forget = registry.meta().write(move |tx| {
            for (file, _) in gone.iter().copied() {
                blob::forget(tx, file);
                if writer.trace().is_on() {
                    let registry = writer.clone();
                    tx.on_commit(move || registry.trace().tell(|| TraceEvent::Forgotten { file }));
                }
            }
            Ok::<_, RegistryError>(())
        });
        forget.await.map_err(RegistryError::from)?;
    }
    Ok((removed, next))
}

/// What a run would remove of the files that are doomed already.
pub(super) fn survey(registry: &Registry) -> Result<Amount, RegistryError> {
    let (mut amount, mut after) = (Amount::default(), None);
    loop {
        let rows = registry.meta().read(|tx| Ok::<_, RegistryError>(blob::doomed(tx, after, BATCH)?))?;
        for (file, _) in &rows {
            if let Some(size) = registry.blobs().size(*file)? {
                amount.add(size);
            }
        }
        after = rows.last().map(|(file, _)| *file);
        if rows.len() < BATCH {
            return Ok(amount);
        }
    }
}
