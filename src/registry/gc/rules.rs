//! What is needed, asked of one view: of a read to find what may go, and of the write closure again that lets it go.

use std::collections::HashSet;

use super::Options;
use crate::base::RepoId;
use crate::meta::manifest::ManifestRow;
use crate::meta::{MetaError, Read, lease, manifest, tag};
use crate::model::gc::Why;
use crate::oci::Digest;
use crate::registry::Registry;

/// Parents that are looked at in one probe.
const PARENTS: usize = 256;

/// The terms on which a run decides.
#[derive(Clone, Copy, Debug)]
pub(super) struct Terms {
    /// Steady time in ms.
    pub(super) steady: u64,
    /// Leases keep nothing.
    pub(super) ignore_leases: bool,
    /// How long an untagged manifest stays without use, in ms; `None`: for ever.
    pub(super) untagged: Option<u64>,
}

impl Terms {
    pub(super) fn new(registry: &Registry, options: Options) -> Self {
        let millis = |duration: std::time::Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        Self {
            steady: registry.clock().steady(),
            ignore_leases: options.ignore_leases,
            untagged: registry.settings().untagged.map(millis),
        }
    }
}

/// Manifests that are supposed to be gone already: none in a run, those that would go in a dry run.
pub(super) type Supposed = HashSet<(RepoId, Digest)>;

/// The steady time until which a lease keeps this digest; `None` when none does.
pub(super) fn leased_until(tx: &impl Read, digest: &Digest, terms: &Terms) -> Result<Option<u64>, MetaError> {
    if terms.ignore_leases {
        return Ok(None);
    }
    let until = lease::until(tx, digest)?;
    Ok((until > terms.steady).then_some(until))
}

/// Whether a manifest of this repository refers to this digest.
pub(super) fn is_needed(tx: &impl Read, repo: RepoId, digest: &Digest, gone: &Supposed) -> Result<bool, MetaError> {
    if gone.is_empty() {
        return Ok(!manifest::parents(tx, repo, digest, 1)?.is_empty());
    }
    let mut after = None;
    loop {
        let parents = manifest::parents_after(tx, repo, digest, after.as_ref(), PARENTS)?;
        if parents.iter().any(|parent| !gone.contains(&(repo, *parent))) {
            return Ok(true);
        }
        if parents.len() < PARENTS {
            return Ok(false);
        }
        after = parents.last().copied();
    }
}

/// What becomes of a manifest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// A tag, a parent or a living subject keeps it, or the settings do.
    Lives,
    /// Nothing keeps it but time, until this steady time.
    Waits(Why, u64),
    /// Nothing keeps it.
    Goes,
}

/// A manifest lives by a tag, by a manifest that refers to it, or by the subject to which it is attached; otherwise
/// until its lease is over and it was neither pushed nor pulled nor tagged for long. A referrer whose subject is
/// missing counts by its own age. (An index that is attached to one of its own children keeps it and is kept by it:
/// nobody makes such, and it errs on the safe side.)
pub(super) fn fate(
    tx: &impl Read,
    repo: RepoId,
    digest: &Digest,
    row: &ManifestRow,
    terms: &Terms,
    gone: &Supposed,
) -> Result<Fate, MetaError> {
    let Some(untagged) = terms.untagged else { return Ok(Fate::Lives) };
    if !tag::of_manifest(tx, repo, digest, 1)?.is_empty() || is_needed(tx, repo, digest, gone)? {
        return Ok(Fate::Lives);
    }
    if let Some(subject) = row.subject
        && !gone.contains(&(repo, subject))
        && manifest::get(tx, repo, &subject)?.is_some()
    {
        return Ok(Fate::Lives);
    }
    if !is_idle(row, terms) {
        return Ok(Fate::Waits(Why::Untagged, row.used.saturating_add(untagged)));
    }
    Ok(match leased_until(tx, digest, terms)? {
        Some(until) => Fate::Waits(Why::Lease, until),
        None => Fate::Goes,
    })
}

/// Whether a manifest was not used for so long that it could go: the first and cheapest question.
pub(super) fn is_idle(row: &ManifestRow, terms: &Terms) -> bool {
    terms.untagged.is_some_and(|untagged| row.used.saturating_add(untagged) <= terms.steady)
}
