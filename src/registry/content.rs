//! What a manifest needs: itself, its children and theirs, and all their blobs.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::RegistryError;
use crate::base::RepoId;
use crate::meta::{MetaError, Read, blob, manifest};
use crate::oci::manifest::Role;
use crate::oci::{Digest, Manifest};

/// Digests that one question looks up; real applications have hundreds. What is beyond is not counted: a page must not
/// take seconds because somebody nested indexes for that.
const LOOKUPS: usize = 20_000;
/// Bytes of manifests that one question reads beside its first: parsing them is what takes the time, and an index may
/// list thousands of large ones.
const BODIES: u64 = 64 * 1024 * 1024;

/// What is needed, each digest once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Needed {
    /// Manifests that are here, with the bytes of their bodies.
    pub(super) manifests: BTreeMap<Digest, u64>,
    /// Blobs that are here, with their bytes.
    pub(super) blobs: BTreeMap<Digest, u64>,
    /// What is not here.
    pub(super) missing: BTreeSet<Digest>,
}

impl Needed {
    /// Bytes of everything that is here.
    pub(super) fn bytes(&self) -> u64 {
        self.manifests.values().chain(self.blobs.values()).fold(0, |sum, size| sum.saturating_add(*size))
    }

    pub(super) fn add(&mut self, other: &Self) {
        self.manifests.extend(&other.manifests);
        self.blobs.extend(&other.blobs);
        self.missing.extend(&other.missing);
    }
}

/// Looks up what manifests of a repository need, within bounds for all of them together.
pub(super) struct Look<'t, T> {
    pub(super) tx: &'t T,
    pub(super) repo: RepoId,
    left: usize,
    bodies: u64,
    /// What was looked up before: an index may list the same manifest thousands of times.
    known: HashMap<Digest, Weight>,
}

/// What a manifest comes to with all that it needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Weight {
    /// As [`Needed::bytes`].
    pub(super) bytes: u64,
    /// Whether nothing of it is missing.
    pub(super) complete: bool,
}

impl<'t, T: Read> Look<'t, T> {
    pub(super) fn new(tx: &'t T, repo: RepoId) -> Self {
        Self { tx, repo, left: LOOKUPS, bodies: BODIES, known: HashMap::new() }
    }

    /// What the manifest with this digest comes to.
    pub(super) fn weight(&mut self, digest: &Digest) -> Result<Weight, RegistryError> {
        if let Some(weight) = self.known.get(digest) {
            return Ok(*weight);
        }
        let needed = self.needed(digest)?;
        let weight = Weight { bytes: needed.bytes(), complete: needed.missing.is_empty() };
        self.known.insert(*digest, weight);
        Ok(weight)
    }

    /// A manifest of the repository as it was stored; `None` when it is not here or does not read.
    pub(super) fn read(&self, digest: &Digest) -> Result<Option<Manifest>, MetaError> {
        let Some(row) = manifest::get(self.tx, self.repo, digest)? else { return Ok(None) };
        let body = manifest::body(self.tx, digest, row.size)?;
        Ok(Manifest::from_stored(row.media_type, &body).ok())
    }

    /// The same within the bounds of this question: `None` also when enough was read.
    pub(super) fn read_within(&mut self, digest: &Digest) -> Result<Option<Manifest>, MetaError> {
        let size = manifest::get(self.tx, self.repo, digest)?.map_or(0, |row| row.size);
        if self.bodies == 0 {
            return Ok(None);
        }
        self.bodies = self.bodies.saturating_sub(size);
        self.read(digest)
    }

    /// What the manifest with this digest needs.
    pub(super) fn needed(&mut self, digest: &Digest) -> Result<Needed, RegistryError> {
        let mut needed = Needed::default();
        let mut open = vec![*digest];
        while let Some(digest) = open.pop() {
            if needed.manifests.contains_key(&digest) || self.left == 0 {
                continue;
            }
            self.left -= 1;
            let Some(row) = manifest::get(self.tx, self.repo, &digest)? else {
                needed.missing.insert(digest);
                continue;
            };
            needed.manifests.insert(digest, row.size);
            if self.bodies == 0 {
                continue;
            }
            self.bodies = self.bodies.saturating_sub(row.size);
            let body = manifest::body(self.tx, &digest, row.size)?;
            let Ok(read) = Manifest::from_stored(row.media_type, &body) else { continue };
            for reference in read.references() {
                let digest = reference.descriptor.digest;
                let is_manifest = match reference.role {
                    Role::Child => true,
                    Role::ForeignChild => manifest::get(self.tx, self.repo, &digest)?.is_some(),
                    Role::Config | Role::Layer => false,
                };
                if is_manifest {
                    open.push(digest);
                } else if !needed.blobs.contains_key(&digest) && self.left > 0 {
                    self.left -= 1;
                    match self.blob(&digest)? {
                        Some(size) => _ = needed.blobs.insert(digest, size),
                        None => _ = needed.missing.insert(digest),
                    }
                }
            }
        }
        Ok(needed)
    }

    /// Bytes of a blob that the repository has.
    pub(super) fn blob(&self, digest: &Digest) -> Result<Option<u64>, MetaError> {
        if !blob::is_linked(self.tx, self.repo, digest)? {
            return Ok(None);
        }
        Ok(blob::get(self.tx, digest)?.map(|row| row.size))
    }
}
