//! What a run would free, and what waits: the rules of a run, asked of reads alone, with what would go supposed gone.

use std::collections::HashMap;

use super::rules::{Fate, Supposed, Terms, fate, is_needed, leased_until};
use super::{Options, expired, purge, sweep};
use crate::base::{RepoId, Timestamp};
use crate::meta::manifest::ManifestRow;
use crate::meta::{MetaError, Read, blob, manifest, referrer};
use crate::model::gc::{Amount, Freed, Survey, Waiting, Why};
use crate::oci::{Digest, Manifest};
use crate::registry::{Registry, RegistryError};

/// Rows looked at in one view.
const PAGE: usize = 500;

/// The manifests that would go, and those that would go if all that wait had waited long enough.
#[derive(Default)]
struct Gone {
    now: Supposed,
    later: Supposed,
}

/// A manifest that waits: its row, why, and until when (steady).
type Waits = (RepoId, Digest, (ManifestRow, Why, u64));

/// The manifests that may be unused once this one is gone: its children, and what is attached to it.
fn followers(
    tx: &impl Read,
    repo: RepoId,
    digest: &Digest,
    row: &ManifestRow,
) -> Result<Vec<(Digest, ManifestRow)>, MetaError> {
    let body = manifest::body(tx, digest, row.size)?;
    let read = Manifest::from_stored(row.media_type.clone(), &body);
    let mut named = read.map(|read| read.referenced_digests()).unwrap_or_default();
    named.extend(referrer::list(tx, repo, digest, None, PAGE)?.into_iter().map(|(referrer, _)| referrer));
    let mut found = Vec::new();
    for named in named {
        found.extend(manifest::get(tx, repo, &named)?.map(|row| (named, row)));
    }
    Ok(found)
}

/// Blocks, in proportion to what is stored.
pub(super) fn survey(registry: &Registry, options: Options) -> Result<Survey, RegistryError> {
    let mut look = Look {
        registry,
        terms: Terms::new(registry, options),
        now: registry.clock().now(),
        found: Survey {
            goes: Freed::default(),
            leased: Waiting::new(Why::Lease),
            untagged: Waiting::new(Why::Untagged),
            missing_files: 0,
        },
    };
    let gone = look.manifests()?;
    let doomed = look.blobs(&gone)?;
    let Look { terms, mut found, .. } = look;
    (found.goes.leases, found.goes.marks) = expired::survey(registry, &terms)?;
    found.goes.files = purge::survey(registry)?;
    found.goes.files += doomed;
    let mut after = None;
    loop {
        let compared = sweep::compare(registry, after)?;
        compared.orphans.iter().for_each(|(_, size)| found.goes.orphans.add(*size));
        found.missing_files += compared.missing.len() as u64;
        after = compared.next;
        if after.is_none() {
            return Ok(found);
        }
    }
}

struct Look<'r> {
    registry: &'r Registry,
    terms: Terms,
    now: Timestamp,
    found: Survey,
}

impl Look<'_> {
    /// The wall time at which steady time will be `until`, if the registry runs on.
    fn wall(&self, until: u64) -> Timestamp {
        self.now.plus(std::time::Duration::from_millis(until.saturating_sub(self.terms.steady)))
    }

    fn manifests(&mut self) -> Result<Gone, RegistryError> {
        let mut gone = Gone::default();
        if self.terms.untagged.is_none() {
            return Ok(gone);
        }
        let (registry, mut after) = (self.registry, None);
        let mut waiting = HashMap::new();
        loop {
            let rows = registry.meta().read(|tx| {
                let rows = manifest::scan(tx, after, PAGE)?;
                for (repo, digest, row) in &rows {
                    self.suppose(tx, &mut gone.now, &mut waiting, (*repo, *digest, row.clone()))?;
                }
                Ok::<_, RegistryError>(rows)
            })?;
            after = rows.last().map(|(repo, digest, _)| (*repo, *digest));
            if rows.len() < PAGE {
                break;
            }
        }
        // What is kept by those that wait waits with them.
        gone.later.clone_from(&gone.now);
        let mut queue: Vec<Waits> = waiting.into_iter().map(|((repo, digest), waits)| (repo, digest, waits)).collect();
        while let Some((repo, digest, (row, why, until))) = queue.pop() {
            if !gone.later.insert((repo, digest)) {
                continue;
            }
            let when = self.wall(until);
            let waits = if why == Why::Lease { &mut self.found.leased } else { &mut self.found.untagged };
            waits.manifests.add(row.size);
            waits.until(when);
            registry.meta().read(|tx| {
                for (follower, row) in followers(tx, repo, &digest, &row)? {
                    let own = match fate(tx, repo, &follower, &row, &self.terms, &gone.later)? {
                        Fate::Lives => continue,
                        Fate::Waits(_, own) => own,
                        Fate::Goes => 0,
                    };
                    queue.push((repo, follower, (row, why, own.max(until))));
                }
                Ok::<_, RegistryError>(())
            })?;
        }
        Ok(gone)
    }

    /// Supposes a manifest gone if it would go, and then whatever follows it.
    fn suppose(
        &mut self,
        tx: &impl Read,
        gone: &mut Supposed,
        waiting: &mut HashMap<(RepoId, Digest), (ManifestRow, Why, u64)>,
        first: manifest::Placed,
    ) -> Result<(), MetaError> {
        let mut queue = vec![first];
        while let Some((repo, digest, row)) = queue.pop() {
            if gone.contains(&(repo, digest)) {
                continue;
            }
            match fate(tx, repo, &digest, &row, &self.terms, gone)? {
                Fate::Lives => {}
                Fate::Waits(why, until) => drop(waiting.insert((repo, digest), (row, why, until))),
                Fate::Goes => {
                    gone.insert((repo, digest));
                    waiting.remove(&(repo, digest));
                    self.found.goes.manifests.add(row.size);
                    let followers = followers(tx, repo, &digest, &row)?;
                    queue.extend(followers.into_iter().map(|(follower, row)| (repo, follower, row)));
                }
            }
        }
        Ok(())
    }

    /// Returns the files that would be doomed.
    fn blobs(&mut self, gone: &Gone) -> Result<Amount, RegistryError> {
        let mut files = Amount::default();
        let mut after = None;
        loop {
            let registry = self.registry;
            let rows = registry.meta().read(|tx| {
                let rows = blob::scan(tx, after.as_ref(), PAGE)?;
                for (digest, row) in &rows {
                    if self.blob(tx, digest, row, gone)? && row.file.is_some() {
                        files.add(row.size);
                    }
                }
                Ok::<_, RegistryError>(rows)
            })?;
            after = rows.last().map(|(digest, _)| *digest);
            if rows.len() < PAGE {
                return Ok(files);
            }
        }
    }

    /// Counts a blob where it belongs; tells whether its row would go.
    fn blob(
        &mut self,
        tx: &impl Read,
        digest: &Digest,
        row: &blob::BlobRow,
        gone: &Gone,
    ) -> Result<bool, RegistryError> {
        let (mut links, mut unneeded, mut unneeded_later) = (0, 0, 0);
        let mut after = None;
        loop {
            let repos = blob::repos_after(tx, digest, after, PAGE)?;
            for repo in &repos {
                links += 1;
                if !is_needed(tx, *repo, digest, &gone.now)? {
                    unneeded += 1;
                } else if !is_needed(tx, *repo, digest, &gone.later)? {
                    unneeded_later += 1;
                }
            }
            after = repos.last().copied();
            if repos.len() < PAGE {
                break;
            }
        }
        let lease = leased_until(tx, digest, &self.terms)?;
        let whole = unneeded == links;
        if unneeded > 0 || whole {
            if let Some(until) = lease {
                let when = self.wall(until);
                self.found.leased.links += unneeded;
                if whole {
                    self.found.leased.blobs.add(row.size);
                }
                self.found.leased.until(when);
            } else {
                self.found.goes.links += unneeded;
                if whole {
                    self.found.goes.blobs.add(row.size);
                }
            }
        }
        self.found.untagged.links += unneeded_later;
        if unneeded_later > 0 && unneeded + unneeded_later == links {
            self.found.untagged.blobs.add(row.size);
        }
        Ok(whole && lease.is_none())
    }
}
