//! Untagged manifests. Each goes by a commit of its own, like one that somebody deletes, and leaves an event.

use super::rules::{Fate, Supposed, Terms, fate, is_idle};
use crate::base::RepoId;
use crate::meta::{Read, manifest, referrer, repo};
use crate::model::event::Happening;
use crate::oci::{Digest, RepoName};
use crate::registry::commit::{Change, Proposal, Step};
use crate::registry::delete::remove_manifest;
use crate::registry::trace::TraceEvent;
use crate::registry::{Actor, Registry, RegistryError};

/// Manifests looked at in one view.
const PAGE: usize = 500;
/// Commits that are under way at once; the writer puts them into one transaction.
const AT_ONCE: usize = 32;
/// Referrers that are looked at when their subject goes; more of them are found by the next run.
const REFERRERS: usize = 5_000;

/// A manifest that seemed unused to a read. The commit looks again.
#[derive(Clone, Debug)]
pub struct Unused {
    digest: Digest,
    terms: Terms,
}

/// What went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Collected {
    /// Bytes of the manifest.
    pub bytes: u64,
    /// What it referred to and what was attached to it: these may be unused now.
    pub followers: Vec<Digest>,
}

/// Where the phase stands.
#[derive(Debug, Default)]
pub(super) struct Position {
    after: Option<(RepoId, Digest)>,
    /// Manifests that may be unused since another one went.
    followers: Vec<(RepoId, Digest)>,
    at_end: bool,
}

/// What a step did.
#[derive(Debug, Default)]
pub(super) struct Went {
    pub(super) seen: u64,
    pub(super) bytes: Vec<u64>,
}

/// One step; `None` for the position at the end.
pub(super) async fn step(
    registry: &Registry,
    terms: Terms,
    mut position: Position,
) -> Result<(Went, Option<Position>), RegistryError> {
    let reader = registry.clone();
    let (mut position, unused, seen) = super::on_a_thread(move || {
        reader.meta().read(|tx| {
            let (unused, seen) = look(tx, &reader, &terms, &mut position)?;
            Ok((position, unused, seen))
        })
    })
    .await?;
    let mut went = Went { seen, bytes: Vec::new() };
    for some in unused.chunks(AT_ONCE) {
        let mut commits = tokio::task::JoinSet::new();
        for (id, name, digest) in some.iter().cloned() {
            let registry = registry.clone();
            commits.spawn(async move {
                let change = Change::CollectManifest(Unused { digest, terms });
                let committed = registry.commit(Proposal { actor: Actor::system(), repo: name.clone(), change }).await;
                (id, name, digest, committed)
            });
        }
        while let Some(committed) = commits.join_next().await {
            let Ok((id, name, digest, committed)) = committed else { continue };
            match committed {
                Ok(committed) => {
                    if let Some(collected) = committed.collected {
                        tracing::debug!(repo = %name, %digest, "an unused manifest was collected");
                        went.bytes.push(collected.bytes);
                        position.followers.extend(collected.followers.into_iter().map(|digest| (id, digest)));
                    }
                }
                // One that is damaged must not keep the others from going.
                Err(RegistryError::Store(crate::meta::MetaError::Corrupt(error))) => {
                    tracing::error!(repo = %name, %digest, %error, "an unused manifest cannot be collected");
                }
                Err(RegistryError::NameUnknown(_)) => {}
                Err(error) => return Err(error),
            }
        }
    }
    let done = position.at_end && position.followers.is_empty();
    Ok((went, (!done).then_some(position)))
}

type Found = Vec<(RepoId, RepoName, Digest)>;

/// Finds unused manifests: among those that followed one that went, else on the next page.
fn look(
    tx: &impl Read,
    registry: &Registry,
    terms: &Terms,
    position: &mut Position,
) -> Result<(Found, u64), RegistryError> {
    let mut rows = Vec::new();
    if position.followers.is_empty() {
        rows = manifest::scan(tx, position.after, PAGE)?;
        position.at_end = rows.len() < PAGE;
        position.after = rows.last().map(|(repo, digest, _)| (*repo, *digest)).or(position.after);
    } else {
        for (repo, digest) in position.followers.drain(..position.followers.len().min(PAGE)) {
            if let Some(row) = manifest::get(tx, repo, &digest)? {
                rows.push((repo, digest, row));
            }
        }
    }
    let mut found = Vec::new();
    for (id, digest, row) in &rows {
        let unused = is_idle(row, terms)
            && !registry.usage().knows(*id, digest)
            && fate(tx, *id, digest, row, terms, &Supposed::new())? == Fate::Goes;
        // What a deleted repository had goes without this.
        if unused && let Some(repo) = repo::get(tx, *id)?.filter(|repo| repo.deleted.is_none()) {
            found.push((*id, repo.name, *digest));
        }
    }
    Ok((found, rows.len() as u64))
}

/// The commit: takes the manifest away if it is still unused.
pub(in crate::registry) fn collect(step: &mut Step<'_>, unused: &Unused) -> Result<Option<Collected>, RegistryError> {
    let digest = &unused.digest;
    let terms = Terms { steady: step.stamp.steady, ..unused.terms };
    let Some(row) = manifest::get(step.tx, step.repo, digest)? else { return Ok(None) };
    if fate(step.tx, step.repo, digest, &row, &terms, &Supposed::new())? != Fate::Goes {
        return Ok(None);
    }
    let attached = referrer::list(step.tx, step.repo, digest, None, REFERRERS)?;
    let removed = remove_manifest(step, digest)?;
    step.tell(|step| TraceEvent::ManifestDeleted { repo: step.name.clone(), digest: *digest, collected: true });
    step.happenings.push(Happening::ManifestCollected { name: step.name.clone(), digest: *digest });
    let followers = removed.children.into_iter().chain(attached.into_iter().map(|(referrer, _)| referrer)).collect();
    Ok(Some(Collected { bytes: row.size, followers }))
}
