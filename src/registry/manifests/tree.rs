//! What refers to a manifest, and what refers to that: signatures, SBOMs, attestations and signatures of those.

use std::collections::{BTreeMap, HashSet};

use super::super::referrers::{describe_stored, fallback_entries};
use super::super::{Registry, RegistryError, known};
use crate::base::RepoId;
use crate::meta::manifest::{self, ManifestRow};
use crate::meta::{Read, referrer, tag};
use crate::oci::{Descriptor, Digest, RepoName, Tag};

/// Nodes of one tree.
const NODES: usize = 200;
/// From the subject's referrers (one deep) to the last that are shown.
const DEPTH: usize = 8;
/// What cosign puts behind the tag that it makes of a subject's digest.
const COSIGN: [&str; 3] = ["sig", "att", "sbom"];

/// A referrer of a manifest, with those that refer to it in turn: signatures of an SBOM, say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReferrerNode {
    /// As the referrers list shows it.
    pub descriptor: Descriptor,
    /// Its row; `None` when it is not here and only a client's own list names it.
    pub row: Option<ManifestRow>,
    /// The tag by which it refers (`sha256-<hex>.sig`), for one that has no `subject`.
    pub tag: Option<Tag>,
    /// What refers to it.
    pub referrers: Vec<ReferrerNode>,
}

impl Registry {
    /// What refers to a manifest: by `subject`, by cosign's tags, or by a client's own list under the referrers tag
    /// schema. At most 200 nodes and eight deep, in the order of digests; each manifest once, where it is met first. The
    /// subject need not be here.
    ///
    /// # Errors
    /// [`RegistryError::NameUnknown`], or the store's fault.
    pub fn referrer_tree(&self, name: &RepoName, subject: &Digest) -> Result<Vec<ReferrerNode>, RegistryError> {
        self.meta().read(|tx| {
            let repo = known(tx, name)?;
            Growing { tx, repo, left: NODES, seen: HashSet::from([*subject]) }.branches(subject, DEPTH)
        })
    }
}

struct Growing<'t, T> {
    tx: &'t T,
    repo: RepoId,
    left: usize,
    seen: HashSet<Digest>,
}

impl<T: Read> Growing<'_, T> {
    fn branches(&mut self, subject: &Digest, depth: usize) -> Result<Vec<ReferrerNode>, RegistryError> {
        if depth == 0 {
            return Ok(Vec::new());
        }
        // The whole level first, so that one deep branch does not take its neighbours' room.
        let mut nodes = Vec::new();
        for (digest, (descriptor, tag)) in attached(self.tx, self.repo, subject, self.left)? {
            if self.left == 0 {
                break;
            }
            if self.seen.insert(digest) {
                self.left -= 1;
                let row = manifest::get(self.tx, self.repo, &digest)?;
                nodes.push(ReferrerNode { descriptor, row, tag, referrers: Vec::new() });
            }
        }
        for node in &mut nodes {
            node.referrers = self.branches(&node.descriptor.digest, depth - 1)?;
        }
        Ok(nodes)
    }
}

type Attached = BTreeMap<Digest, (Descriptor, Option<Tag>)>;

/// Whatever refers to a subject, by whichever way; `subject` goes before the others.
pub(in crate::registry) fn attached(
    tx: &impl Read,
    repo: RepoId,
    subject: &Digest,
    limit: usize,
) -> Result<Attached, RegistryError> {
    let mut found = Attached::new();
    for (digest, row) in referrer::list(tx, repo, subject, None, limit)? {
        let descriptor = match row.descriptor {
            Some(descriptor) => Some(descriptor),
            None => describe_stored(tx, repo, &digest)?,
        };
        found.extend(descriptor.map(|descriptor| (digest, (descriptor, None))));
    }
    for name in cosign_tags(subject) {
        let Some(row) = tag::get(tx, repo, &name)? else { continue };
        if let Some(descriptor) = describe_stored(tx, repo, &row.digest)? {
            found.entry(row.digest).or_insert((descriptor, Some(name)));
        }
    }
    for (digest, descriptor) in fallback_entries(tx, repo, subject)?.0 {
        found.entry(digest).or_insert((descriptor, None));
    }
    Ok(found)
}

/// The tags that cosign makes of a subject's digest. (Those of longer digests are no tags.)
pub(in crate::registry) fn cosign_tags(subject: &Digest) -> impl Iterator<Item = Tag> {
    let stem = format!("{}-{}", subject.algorithm().name(), subject.hex());
    COSIGN.into_iter().filter_map(move |suffix| Tag::parse(&format!("{stem}.{suffix}")).ok())
}
