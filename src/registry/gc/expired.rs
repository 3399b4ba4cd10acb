//! Leases and marks that are over.

use super::rules::Terms;
use crate::base::RepoId;
use crate::meta::{MetaError, Read, blob, lease, manifest, repo};
use crate::oci::Digest;
use crate::registry::admission::is_lately;
use crate::registry::{Registry, RegistryError};

/// Rows looked at in one view.
const PAGE: usize = 1_000;
/// Rows removed in one closure.
const BATCH: usize = 500;

/// Whether nothing bears this digest and no promise about it is left. Leases are those of the clock here, also when a
/// run ignores them: a row that grows again must have been there.
fn is_over(tx: &impl Read, digest: &Digest, until: u64, terms: &Terms) -> Result<bool, MetaError> {
    Ok(until <= terms.steady && blob::get(tx, digest)?.is_none() && !manifest::is_anywhere(tx, digest)?)
}

/// One step over the leases: rows seen, rows removed, and where to go on.
pub(super) async fn leases(
    registry: &Registry,
    terms: Terms,
    after: Option<Digest>,
) -> Result<(u64, u64, Option<Digest>), RegistryError> {
    let reader = registry.clone();
    let look = move || {
        reader.meta().read(|tx| {
            let rows = lease::scan(tx, after.as_ref(), PAGE)?;
            let next = rows.last().filter(|_| rows.len() == PAGE).map(|(digest, _)| *digest);
            let mut over = Vec::new();
            for (digest, until) in &rows {
                if is_over(tx, digest, *until, &terms)? {
                    over.push(*digest);
                }
            }
            Ok((rows.len() as u64, over, next))
        })
    };
    let (seen, over, next) = super::on_a_thread(look).await?;
    let mut removed = 0;
    for batch in over.chunks(BATCH) {
        let batch = batch.to_vec();
        let remove = registry.meta().write(move |tx| {
            let mut removed = 0;
            for digest in &batch {
                let until = lease::until(tx, digest)?;
                if is_over(tx, digest, until, &terms)? {
                    lease::remove(tx, digest);
                    removed += 1;
                }
            }
            Ok::<_, RegistryError>(removed)
        });
        removed += remove.await.map_err(RegistryError::from)?;
    }
    Ok((seen, removed, next))
}

/// Forgets names of repositories that were deleted so long ago that no push from before is on its way.
pub(super) async fn names(registry: &Registry, terms: Terms) -> Result<u64, RegistryError> {
    // Mostly there is none, and a collection that finds nothing commits nothing.
    if !registry.meta().read(repo::any_gone)? {
        return Ok(0);
    }
    let forget = registry.meta().write(move |tx| Ok::<_, RegistryError>(repo::forget_gone(tx, terms.steady, BATCH)?));
    Ok(forget.await.map_err(RegistryError::from)? as u64)
}

type Place = (RepoId, Digest);

/// One step over the marks of what was lost: rows seen, rows removed, and where to go on.
pub(super) async fn marks(
    registry: &Registry,
    terms: Terms,
    after: Option<Place>,
) -> Result<(u64, u64, Option<Place>), RegistryError> {
    let reader = registry.clone();
    let look = move || {
        reader.meta().read(|tx| {
            let rows = lease::scan_lost(tx, after, PAGE)?;
            let next = rows.last().filter(|_| rows.len() == PAGE).map(|(repo, digest, _)| (*repo, *digest));
            let old = rows.iter().filter(|(_, _, when)| !is_lately(*when, terms.steady));
            let old: Vec<Place> = old.map(|(repo, digest, _)| (*repo, *digest)).collect();
            Ok((rows.len() as u64, old, next))
        })
    };
    let (seen, old, next) = super::on_a_thread(look).await?;
    let mut removed = 0;
    for batch in old.chunks(BATCH) {
        let batch = batch.to_vec();
        let remove = registry.meta().write(move |tx| {
            let mut removed = 0;
            for (repo, digest) in &batch {
                if lease::lost(tx, *repo, digest)?.is_some_and(|when| !is_lately(when, terms.steady)) {
                    lease::clear_lost(tx, *repo, digest);
                    removed += 1;
                }
            }
            Ok::<_, RegistryError>(removed)
        });
        removed += remove.await.map_err(RegistryError::from)?;
    }
    Ok((seen, removed, next))
}

/// How many leases and marks a run would remove now.
pub(super) fn survey(registry: &Registry, terms: &Terms) -> Result<(u64, u64), RegistryError> {
    let (mut leases, mut marks) = (0, 0);
    let mut after = None;
    loop {
        let rows = registry.meta().read(|tx| {
            let rows = lease::scan(tx, after.as_ref(), PAGE)?;
            for (digest, until) in &rows {
                leases += u64::from(is_over(tx, digest, *until, terms)?);
            }
            Ok::<_, RegistryError>(rows)
        })?;
        after = rows.last().map(|(digest, _)| *digest);
        if rows.len() < PAGE {
            break;
        }
    }
    let mut after = None;
    loop {
        let rows = registry.meta().read(|tx| Ok::<_, RegistryError>(lease::scan_lost(tx, after, PAGE)?))?;
        marks += rows.iter().filter(|(_, _, when)| !is_lately(*when, terms.steady)).count() as u64;
        after = rows.last().map(|(repo, digest, _)| (*repo, *digest));
        if rows.len() < PAGE {
            return Ok((leases, marks));
        }
    }
}
