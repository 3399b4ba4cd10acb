//! What lists need of a manifest beyond what it is: computed at the push, kept with its row, and made again by
//! `reindex`.

use std::collections::HashSet;

use super::RegistryError;
use crate::base::RepoId;
use crate::meta::manifest::{self, ManifestRow};
use crate::meta::{Read, WriteTx, tag};
use crate::oci::kind::{ChildRole, role_of_child};
use crate::oci::manifest::Role;
use crate::oci::{Digest, Manifest};

/// The most tags whose rows in the lists one commit moves because their manifest has changed. That is rare (an index
/// pushed again when more of its children are here, a hint of another tag); with more tags than this the manifest's row
/// keeps what it said, and `reindex` changes both in steps.
const TAGS_AT_ONCE: usize = 30;
/// How deep indexes are followed: an application lists multi-arch components, which list images.
const DEPTH: usize = 4;
/// The most children that one count opens, and the most bytes of theirs, as it runs in the writer: what is beyond counts
/// as it was counted itself.
const CHILDREN: usize = 100;
const CHILDREN_BYTES: u64 = 4 << 20;

/// The invocation image that an application or CNAB bundle lists; the first, where several are (CNAB 1.0 §101 allows it,
/// no client makes it).
pub(super) fn invocation(read: &Manifest) -> Option<Digest> {
    let is_invocation = |role: &ChildRole| matches!(role, ChildRole::CnabInvocation);
    read.children().find(|child| is_invocation(&role_of_child(read, child))).map(|child| child.digest)
}

/// [`ManifestRow::content_size`] of a manifest with a body of `size` bytes.
///
/// # Errors
/// When the store fails.
pub(super) fn content_size(tx: &impl Read, repo: RepoId, read: &Manifest, size: u64) -> Result<u64, RegistryError> {
    let mut count = Count { tx, repo, seen: HashSet::new(), open: CHILDREN, bytes: CHILDREN_BYTES, sum: size };
    count.add(read, DEPTH)?;
    Ok(count.sum)
}

/// Adds up what a manifest refers to, each digest once, also where two children share it.
struct Count<'t, T> {
    tx: &'t T,
    repo: RepoId,
    seen: HashSet<Digest>,
    /// Children that may still be opened, and bytes of theirs.
    open: usize,
    bytes: u64,
    sum: u64,
}

impl<T: Read> Count<'_, T> {
    fn add(&mut self, read: &Manifest, depth: usize) -> Result<(), RegistryError> {
        for reference in read.references() {
            let descriptor = &reference.descriptor;
            if !self.seen.insert(descriptor.digest) {
                continue;
            }
            let here = match reference.role {
                Role::Config | Role::Layer => None,
                Role::Child | Role::ForeignChild => manifest::get(self.tx, self.repo, &descriptor.digest)?,
            };
            match here {
                None => self.sum = self.sum.saturating_add(descriptor.size),
                Some(row) if depth == 0 || self.open == 0 || self.bytes < row.size => {
                    self.sum = self.sum.saturating_add(row.content_size.max(row.size));
                }
                Some(row) => {
                    self.open -= 1;
                    self.bytes -= row.size;
                    self.sum = self.sum.saturating_add(row.size);
                    let body = manifest::body(self.tx, &descriptor.digest, row.size)?;
                    if let Ok(child) = Manifest::from_stored(row.media_type, &body) {
                        self.add(&child, depth - 1)?;
                    }
                }
            }
        }
        Ok(())
    }
}

/// Before a manifest's row is written over another one: where that would move more tags in the lists than one commit
/// may, the row says what it said.
///
/// # Errors
/// When the store fails.
pub(super) fn moderate(
    tx: &impl Read,
    repo: RepoId,
    digest: &Digest,
    before: Option<&ManifestRow>,
    row: &mut ManifestRow,
) -> Result<(), RegistryError> {
    if let Some(before) = before.filter(|before| weighs_otherwise(before, row))
        && tag::of_manifest(tx, repo, digest, TAGS_AT_ONCE + 1)?.len() > TAGS_AT_ONCE
    {
        row.summary.clone_from(&before.summary);
        (row.invocation, row.content_size) = (before.invocation, before.content_size);
    }
    Ok(())
}

/// Brings the lists up to date after a manifest's row was written in place of `before`, and its tags.
///
/// # Errors
/// When the store fails.
pub(super) fn settle(
    tx: &mut WriteTx,
    repo: RepoId,
    digest: &Digest,
    before: Option<&ManifestRow>,
    row: &ManifestRow,
) -> Result<(), RegistryError> {
    manifest::settle_untagged(tx, repo, digest, before.map(|before| before.pushed), Some(row))?;
    if before.is_some_and(|before| weighs_otherwise(before, row)) {
        for tag in tag::of_manifest(tx, repo, digest, TAGS_AT_ONCE)? {
            tag::refresh(tx, repo, &tag)?;
        }
    }
    Ok(())
}

/// Whether tags of this manifest stand elsewhere in the lists than before.
fn weighs_otherwise(before: &ManifestRow, row: &ManifestRow) -> bool {
    let weight = |row: &ManifestRow| (row.kind(), row.invocation, row.content_size);
    weight(before) != weight(row)
}
