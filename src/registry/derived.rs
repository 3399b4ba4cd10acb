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
/// How deep indexes are followed whose children were counted by no version yet.
const DEPTH: usize = 4;

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
    counted(tx, repo, read, size, DEPTH)
}

fn counted(tx: &impl Read, repo: RepoId, read: &Manifest, size: u64, depth: usize) -> Result<u64, RegistryError> {
    let mut seen = HashSet::new();
    let mut sum = size;
    for reference in read.references() {
        let descriptor = &reference.descriptor;
        if !seen.insert(descriptor.digest) {
            continue;
        }
        let here = match reference.role {
            Role::Config | Role::Layer => None,
            Role::Child | Role::ForeignChild => manifest::get(tx, repo, &descriptor.digest)?,
        };
        sum = sum.saturating_add(match here {
            None => descriptor.size,
            Some(row) if row.content_size > 0 || depth == 0 => row.content_size.max(row.size),
            // A row of an earlier version.
            Some(row) => {
                let body = manifest::body(tx, &descriptor.digest, row.size)?;
                match Manifest::from_stored(row.media_type, &body) {
                    Ok(child) => counted(tx, repo, &child, row.size, depth - 1)?,
                    Err(_) => row.size,
                }
            }
        });
    }
    Ok(sum)
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
