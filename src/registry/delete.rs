//! Deleting tags, manifests and blobs. What goes at once is the name; bytes wait for collection.
//!
//! Clients delete by the specification: a tag and no more (its manifest stays, untagged), or a manifest with its tags and
//! no more. People delete units ([`Registry::delete_with`]): what belongs to a tag or manifest and is needed by nothing
//! else goes with it, and [`Registry::plan_deletion`] says beforehand what that is. Neither takes a part of a living
//! application (`admission`).

mod plan;

use std::collections::BTreeSet;

use super::admission::PartOf;
use super::commit::{Change, Proposal, Step};
use super::pull::stored_manifest;
use super::trace::TraceEvent;
use super::{Actor, Registry, RegistryError};
use crate::meta::{blob, lease, manifest, referrer, repo, tag, term};
use crate::model::event::Happening;
use crate::oci::{Digest, Manifest, Reference, RepoName, Tag};

/// The most tags that one transaction takes from a manifest; the engine's limit of keys is behind it. A manifest with
/// more is refused in words rather than half deleted.
const TAGS_AT_ONCE: usize = 300;

impl Registry {
    /// Deletes a tag, or a manifest with all its tags (end-9).
    ///
    /// # Errors
    /// [`RegistryError::NameUnknown`], [`RegistryError::ManifestUnknown`], a refusal (also when a living application needs
    /// it), or the store's fault.
    pub async fn delete_manifest(
        &self,
        actor: Actor,
        repo: &RepoName,
        reference: &Reference,
    ) -> Result<(), RegistryError> {
        let change = match reference {
            Reference::Tag(tag) => Change::DeleteTag(tag.clone()),
            Reference::Digest(digest) => Change::DeleteManifest(*digest),
        };
        self.commit(Proposal { actor, repo: repo.clone(), change }).await?;
        Ok(())
    }

    /// Deletes a blob from a repository (end-10).
    ///
    /// # Errors
    /// [`RegistryError::BlobUnknown`]; a refusal when a manifest of the repository needs it; the store's fault.
    pub async fn delete_blob(&self, actor: Actor, repo: &RepoName, digest: Digest) -> Result<(), RegistryError> {
        self.commit(Proposal { actor, repo: repo.clone(), change: Change::DeleteBlob(digest) }).await?;
        Ok(())
    }
}

pub(super) fn tag(step: &mut Step<'_>, name: &Tag, forced: bool) -> Result<(), RegistryError> {
    let row = tag::get(step.tx, step.repo, name)?.ok_or_else(|| RegistryError::ManifestUnknown {
        repo: step.name.clone(),
        reference: Reference::Tag(name.clone()),
    })?;
    let moved = step.next_id();
    tag::remove(step.tx, step.repo, name, &row, step.stamp.now, step.actor.principal.name(), moved)?;
    // From now on its time without a tag runs.
    manifest::touch(step.tx, step.repo, &row.digest, step.stamp.steady)?;
    step.happenings.push(Happening::TagDeleted {
        name: step.name.clone(),
        tag: name.clone(),
        digest: row.digest,
        forced,
    });
    Ok(())
}

pub(super) fn manifest(
    step: &mut Step<'_>,
    digest: &Digest,
    parts: Vec<Digest>,
    forced: bool,
) -> Result<(), RegistryError> {
    let Removed { tags, .. } = remove_manifest(step, digest)?;
    for part in &parts {
        remove_manifest(step, part)?;
    }
    for digest in std::iter::once(digest).chain(&parts).copied() {
        step.tell(|step| TraceEvent::ManifestDeleted { repo: step.name.clone(), digest, collected: false });
    }
    let name = step.name.clone();
    step.happenings.push(Happening::ManifestDeleted { name, digest: *digest, tags, parts, forced });
    Ok(())
}

/// Deletes a unit as it is planned now: the plan that somebody saw may be old.
pub(super) fn unit(step: &mut Step<'_>, deletion: &Deletion, needed: bool) -> Result<(), RegistryError> {
    let Deletion { reference, options } = deletion;
    let (repo, digest, _) = stored_manifest(step.tx, step.name, reference)?;
    if options.seen.is_some_and(|seen| seen != digest) {
        return Err(RegistryError::Refused {
            policy: "what was seen",
            code: crate::oci::Code::Denied,
            message: format!("somebody pushed another manifest as {reference} meanwhile; look again at what goes"),
            digests: vec![digest],
        });
    }
    let plan::Outcome { tags, mut manifests, .. } = plan::outcome(step.tx, repo, reference, digest, *options)?;
    let forced = needed && options.force;
    for name in &tags {
        // A manifest that is deleted by its digest takes its own tags with it.
        if matches!(reference, Reference::Tag(_)) || !points_at(step, name, &digest)? {
            tag(step, name, forced)?;
        }
    }
    if manifests.is_empty() {
        return Ok(());
    }
    let parts = manifests.split_off(1);
    manifest(step, &digest, parts, forced)
}

fn points_at(step: &Step<'_>, name: &Tag, digest: &Digest) -> Result<bool, RegistryError> {
    Ok(tag::get(step.tx, step.repo, name)?.is_some_and(|row| row.digest == *digest))
}

/// What went with a manifest.
pub(super) struct Removed {
    /// The tags that pointed at it.
    pub(super) tags: Vec<Tag>,
    /// What it referred to.
    pub(super) children: BTreeSet<Digest>,
}

/// Takes a manifest from the step's repository: its tags, edges, its place among referrers, its row and, with the last
/// repository, its body.
pub(super) fn remove_manifest(step: &mut Step<'_>, digest: &Digest) -> Result<Removed, RegistryError> {
    let unknown = || RegistryError::ManifestUnknown { repo: step.name.clone(), reference: Reference::Digest(*digest) };
    let row = manifest::get(step.tx, step.repo, digest)?.ok_or_else(unknown)?;
    step.tx.allow_many_keys("the edges and tags of one manifest, which are limited");
    let tags = tag::of_manifest(step.tx, step.repo, digest, TAGS_AT_ONCE + 1)?;
    if tags.len() > TAGS_AT_ONCE {
        return Err(RegistryError::Refused {
            policy: "bounded deletes",
            code: crate::oci::Code::Denied,
            message: format!("more than {TAGS_AT_ONCE} tags point at this manifest; delete tags first"),
            digests: vec![*digest],
        });
    }
    for name in &tags {
        if let Some(tag_row) = tag::get(step.tx, step.repo, name)? {
            let moved = step.next_id();
            tag::remove(step.tx, step.repo, name, &tag_row, step.stamp.now, step.actor.principal.name(), moved)?;
        }
    }
    let body = manifest::body(step.tx, digest, row.size)?;
    let mut children = BTreeSet::new();
    if let Ok(read) = Manifest::from_stored(row.media_type.clone(), &body) {
        children.extend(read.referenced_digests());
        for child in &children {
            manifest::remove_edge(step.tx, step.repo, child, digest);
        }
    }
    if let Some(subject) = row.subject {
        referrer::remove(step.tx, step.repo, &subject, digest);
    }
    manifest::remove(step.tx, step.repo, digest, row.size)?;
    manifest::settle_untagged(step.tx, step.repo, digest, Some(row.pushed), None)?;
    term::set(step.tx, step.repo, digest, &[])?;
    repo::count(step.tx, step.repo, repo::Counter::Manifests, -1);
    lease::mark_lost(step.tx, step.repo, digest, step.stamp.steady);
    Ok(Removed { tags, children })
}

pub(super) fn blob(step: &mut Step<'_>, digest: &Digest) -> Result<(), RegistryError> {
    let unknown = || RegistryError::BlobUnknown { repo: step.name.clone(), digest: *digest };
    if !blob::is_linked(step.tx, step.repo, digest)? {
        return Err(unknown());
    }
    let row = blob::get(step.tx, digest)?.ok_or_else(unknown)?;
    // The link goes at once, whatever the lease; row and file wait for collection.
    blob::unlink(step.tx, step.repo, digest, row.size);
    lease::mark_lost(step.tx, step.repo, digest, step.stamp.steady);
    step.tell(|step| TraceEvent::BlobDeleted { repo: step.name.clone(), digest: *digest });
    step.happenings.push(Happening::BlobDeleted { name: step.name.clone(), digest: *digest });
    Ok(())
}

/// What a deletion would do, for a person to look at first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeletePlan {
    /// What goes: tags, and manifests that nothing keeps, in words with their reference; first what was asked for.
    pub goes: Vec<PlanLine>,
    /// What stays although it belongs to it, and why.
    pub stays: Vec<PlanLine>,
    /// Bytes that collection will free once the leases have run out.
    pub frees: u64,
    /// The same as if there were no other repository: for those who must not learn what others hold.
    pub frees_here: u64,
    /// The invocation image's tag that may go with an application.
    pub with_invocation: Option<Tag>,
    /// Why it is refused, in words; an administrator may force it.
    pub refused: Option<String>,
}

/// A line of a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanLine {
    /// A tag or a digest of the repository.
    pub reference: Reference,
    /// What it is, in words: `Application`, `component web`, …
    pub what: String,
    /// Why, in words.
    pub why: String,
}

/// How a deletion is asked for beyond its target.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DeleteOptions {
    /// With an application, its invocation image's tag too, in the same commit.
    pub with_invocation: bool,
    /// Although an application needs it; only an administrator may ask for it, and the event says so.
    pub force: bool,
    /// Only while the reference stands for this manifest: the one that somebody saw. `None`: whatever it stands for.
    pub seen: Option<Digest>,
}

/// A deletion of a tag or a manifest with what belongs to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deletion {
    /// Of what.
    pub reference: Reference,
    /// How.
    pub options: DeleteOptions,
}

impl Registry {
    /// What deleting a tag or a manifest would do.
    ///
    /// # Errors
    /// [`RegistryError::NameUnknown`], [`RegistryError::ManifestUnknown`], or the store's fault.
    pub fn plan_deletion(
        &self,
        name: &RepoName,
        reference: &Reference,
        options: DeleteOptions,
    ) -> Result<DeletePlan, RegistryError> {
        self.meta().read(|tx| {
            let (repo, digest, _) = stored_manifest(tx, name, reference)?;
            let outcome = plan::outcome(tx, repo, reference, digest, options)?;
            let part_of = PartOf::find(tx, repo, reference)?;
            let plan::Frees { everywhere, here } = plan::frees(tx, repo, &outcome)?;
            Ok(DeletePlan {
                frees: everywhere,
                frees_here: here,
                goes: outcome.goes,
                stays: outcome.stays,
                with_invocation: outcome.pairs.into_iter().next(),
                refused: part_of.map(|part| part.refusal(name, reference)),
            })
        })
    }

    /// Deletes a tag, or a manifest with all its tags, and what belongs to it and is needed by nothing else, as
    /// [`Registry::plan_deletion`] says, in one commit. Bytes are freed by the first collection after their lease.
    ///
    /// # Errors
    /// As [`Registry::delete_manifest`]; a refusal when a living application needs it and it is not forced. Whether the
    /// actor may force it is for the caller to ask.
    pub async fn delete_with(
        &self,
        actor: Actor,
        name: &RepoName,
        reference: &Reference,
        options: DeleteOptions,
    ) -> Result<(), RegistryError> {
        let change = Change::DeleteUnit(Deletion { reference: reference.clone(), options });
        self.commit(Proposal { actor, repo: name.clone(), change }).await?;
        Ok(())
    }
}
