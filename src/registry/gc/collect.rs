//! Blobs that no manifest of their repository refers to and whose lease is over.
//!
//! The phase goes through the blobs (not the links), because a lease is a blob's: one probe passes over all links of a
//! blob that is leased, and rows without any link are found on the way.

use super::rules::{Supposed, Terms, is_needed, leased_until};
use crate::base::{RepoId, Timestamp};
use crate::meta::{MetaError, Read, WriteTx, blob, lease, repo};
use crate::model::gc::Amount;
use crate::oci::Digest;
use crate::registry::trace::TraceEvent;
use crate::registry::{Registry, RegistryError};

/// Blobs looked at in one view.
const PAGE: usize = 500;
/// Links taken in one closure, if a page of one more blob does not come on top: four rows each, and three for a blob
/// that goes with its last one, within the engine's limit of a thousand.
const LINKS: usize = 80;

/// Behind which link the phase stands; without a repository, behind all links of the blob.
#[derive(Clone, Debug)]
pub(super) struct Position {
    digest: Digest,
    repo: Option<RepoId>,
}

/// A blob that seemed to be unneeded in these repositories; in none when no repository has it.
#[derive(Clone, Debug)]
struct Candidate {
    digest: Digest,
    repos: Vec<RepoId>,
}

/// What a step did.
#[derive(Clone, Debug, Default)]
pub(super) struct Went {
    pub(super) seen: u64,
    pub(super) links: u64,
    pub(super) blobs: Amount,
}

/// One step; `None` for the position at the end.
pub(super) async fn step(
    registry: &Registry,
    terms: Terms,
    position: Option<Position>,
) -> Result<(Went, Option<Position>), RegistryError> {
    let reader = registry.clone();
    let look = move || reader.meta().read(|tx| Ok(look(tx, &terms, position.as_ref())?));
    let (candidates, seen, position) = super::on_a_thread(look).await?;
    if candidates.is_empty() {
        return Ok((Went { seen, ..Went::default() }, position));
    }
    let (writer, now) = (registry.clone(), registry.clock().now());
    let mut touched: Vec<RepoId> = candidates.iter().flat_map(|candidate| candidate.repos.iter().copied()).collect();
    touched.sort_unstable();
    touched.dedup();
    let collected = registry.meta().write(move |tx| collect(tx, &writer, &candidates, &terms, now));
    let went = collected.await.map_err(RegistryError::from)?;
    // Their places in the order by size. Not in the same closure, which has its fill of rows; what a crash leaves out,
    // the repository's next change makes good.
    registry.relist_repositories(&touched).await?;
    Ok((Went { seen, ..went }, position))
}

type Found = (Vec<Candidate>, u64, Option<Position>);

fn look(tx: &impl Read, terms: &Terms, position: Option<&Position>) -> Result<Found, MetaError> {
    let mut blobs: Vec<(Digest, Option<RepoId>)> = Vec::new();
    let after = position.map(|position| position.digest);
    if let Some(Position { digest, repo: Some(repo) }) = position {
        blobs.push((*digest, Some(*repo)));
    }
    let page = blob::scan(tx, after.as_ref(), PAGE)?;
    let is_last = page.len() < PAGE;
    blobs.extend(page.iter().map(|(digest, _)| (*digest, None)));

    let (mut candidates, mut links, mut seen) = (Vec::new(), 0, 0);
    for (digest, after) in &blobs {
        let mut after = *after;
        seen += 1;
        if leased_until(tx, digest, terms)?.is_some() {
            continue;
        }
        loop {
            let linked = blob::repos_after(tx, digest, after, LINKS)?;
            let more = linked.len() == LINKS;
            let mut repos = Vec::new();
            for repo in &linked {
                if !is_needed(tx, *repo, digest, &Supposed::new())? {
                    repos.push(*repo);
                }
            }
            if !repos.is_empty() || (linked.is_empty() && after.is_none()) {
                links += repos.len().max(1);
                candidates.push(Candidate { digest: *digest, repos });
            }
            after = linked.last().copied();
            if links >= LINKS {
                let repo = if more { after } else { None };
                return Ok((candidates, seen, Some(Position { digest: *digest, repo })));
            }
            if !more {
                break;
            }
        }
    }
    let position = blobs.last().map(|(digest, _)| Position { digest: *digest, repo: None });
    Ok((candidates, seen, position.filter(|_| !is_last)))
}

/// The closure: takes away what is still not needed.
fn collect(
    tx: &mut WriteTx,
    registry: &Registry,
    candidates: &[Candidate],
    terms: &Terms,
    now: Timestamp,
) -> Result<Went, RegistryError> {
    let mut went = Went::default();
    let mut steps = Vec::new();
    let traced = registry.trace().is_on();
    for Candidate { digest, repos } in candidates {
        let Some(row) = blob::get(tx, digest)? else { continue };
        if leased_until(tx, digest, terms)?.is_some() {
            continue;
        }
        for repo in repos {
            if !blob::is_linked(tx, *repo, digest)? || is_needed(tx, *repo, digest, &Supposed::new())? {
                continue;
            }
            blob::unlink(tx, *repo, digest, row.size);
            lease::mark_lost(tx, *repo, digest, terms.steady);
            went.links += 1;
            if traced && let Some(named) = repo::get(tx, *repo)? {
                steps.push(TraceEvent::LinkCollected { repo: named.name, digest: *digest, steady: terms.steady });
            }
        }
        if blob::repos_with(tx, digest, 1)?.is_empty() {
            blob::remove(tx, digest, &row, now);
            went.blobs.add(row.size);
            if traced {
                steps.extend(row.file.map(|file| TraceEvent::Doomed { file, digest: *digest }));
                steps.push(TraceEvent::RowCollected { digest: *digest, file: row.file, steady: terms.steady });
            }
        }
    }
    if !steps.is_empty() {
        let registry = registry.clone();
        tx.on_commit(move || steps.into_iter().for_each(|step| registry.trace().tell(|| step)));
    }
    Ok(went)
}
