//! Pushing manifests.

use std::sync::Arc;

use bytes::Bytes;

use super::commit::{Change, Committed, Proposal, Step};
use super::trace::TraceEvent;
use super::{Actor, Registry, RegistryError, apps, derived, terms};
use crate::meta::manifest::{Edge, ManifestRow};
use crate::meta::{lease, manifest, referrer, repo, tag, term};
use crate::model::event::Happening;
use crate::oci::kind::Summary;
use crate::oci::{Algorithm, Descriptor, Digest, Manifest, Reference, RepoName, Tag};

/// A manifest that was read, checked and hashed, before the writer sees it.
#[derive(Clone, Debug)]
pub struct NewManifest {
    /// What it says.
    pub manifest: Manifest,
    /// Its bytes, which are never rewritten.
    pub body: Bytes,
    /// The digest under which it is stored: the client's, in the client's algorithm, or SHA-256.
    pub digest: Digest,
    /// The tags to point at it.
    pub tags: Vec<Tag>,
    /// What it is, for lists.
    pub summary: Summary,
    /// The terms by which it is found.
    pub terms: Vec<String>,
}

/// What a manifest push led to.
#[derive(Clone, Debug)]
pub struct Pushed {
    /// The digest under which it is stored.
    pub digest: Digest,
    /// Its subject, if it has one.
    pub subject: Option<Digest>,
    /// The tags that point at it now.
    pub tags: Vec<Tag>,
    /// References that are not here.
    pub missing: Vec<Digest>,
}

impl Registry {
    /// Stores a manifest under a tag, or under its digest with any number of tags (distribution-spec, "Pushing
    /// Manifests", end-7 and end-7b).
    ///
    /// # Errors
    /// [`RegistryError::ManifestInvalid`], [`RegistryError::ManifestDigest`], a refusal of the admission list,
    /// [`RegistryError::NoSpace`], or the store's fault.
    pub async fn push_manifest(
        &self,
        actor: Actor,
        repo: &RepoName,
        reference: &Reference,
        tags: &[Tag],
        content_type: Option<&str>,
        body: Bytes,
    ) -> Result<Pushed, RegistryError> {
        self.space().admit()?;
        let algorithm = match reference {
            Reference::Digest(digest) => digest.algorithm(),
            Reference::Tag(_) => Algorithm::Sha256,
        };
        let actual = Digest::of(algorithm, &body);
        let mut all_tags = Vec::with_capacity(tags.len() + 1);
        match reference {
            Reference::Digest(expected) if *expected != actual => {
                return Err(RegistryError::ManifestDigest { expected: *expected, actual });
            }
            Reference::Digest(_) => {}
            Reference::Tag(tag) => all_tags.push(tag.clone()),
        }
        for tag in tags {
            if !all_tags.contains(tag) {
                all_tags.push(tag.clone());
            }
        }
        let read = Manifest::from_pushed(content_type, &body, self.settings().manifest)?;
        let subject = read.subject.as_ref().map(|subject| subject.digest);
        // Read here, for a write closure does no I/O.
        let config = self.config_content(repo, &read).await;
        let summary = Summary::of(&read, config.as_deref(), &all_tags);
        let terms = terms::of(&read, config.as_deref());
        let tags = all_tags.clone();
        let new = Arc::new(NewManifest { manifest: read, body, digest: actual, tags, summary, terms });
        let proposal = Proposal { actor, repo: repo.clone(), change: Change::PutManifest(new) };
        let Committed { missing, .. } = self.commit(proposal).await?;
        Ok(Pushed { digest: actual, subject, tags: all_tags, missing })
    }
}

/// The rows of a manifest: row, body, edges, referrer, lease, tags.
pub(super) fn put_manifest(step: &mut Step<'_>, new: &NewManifest, missing: &[Digest]) -> Result<(), RegistryError> {
    let Step { repo: id, stamp, .. } = *step;
    let read = &new.manifest;
    let before = manifest::get(step.tx, id, &new.digest)?;
    let mut row = ManifestRow {
        media_type: read.media_type.clone(),
        size: new.body.len() as u64,
        artifact_type: read.artifact_type.clone(),
        config_media_type: read.config_media_type.clone(),
        subject: read.subject.as_ref().map(|subject| subject.digest),
        created: before.as_ref().map_or(stamp.now, |before| before.created),
        pushed: stamp.now,
        pusher: step.actor.principal.name().to_owned(),
        invocation: derived::invocation(read),
        content_size: derived::content_size(step.tx, id, read, new.body.len() as u64)?,
        missing: missing.len() as u64,
        pulled: before.as_ref().and_then(|before| before.pulled),
        used: stamp.steady,
        summary: Some(new.summary.clone()),
    };
    step.tx.allow_many_keys("the edges and tags of one manifest, which are limited");
    if before.is_none() {
        if !manifest::is_anywhere(step.tx, &new.digest)? {
            manifest::put_body(step.tx, &new.digest, &new.body);
        }
        put_edges(step, new);
        if let Some(subject) = row.subject {
            referrer::put(step.tx, id, &subject, &describe(read, new));
        }
        repo::count(step.tx, id, repo::Counter::Manifests, 1);
        term::set(step.tx, id, &new.digest, &new.terms)?;
        lease::clear_lost(step.tx, id, &new.digest);
    }
    derived::moderate(step.tx, id, &new.digest, before.as_ref(), &mut row)?;
    manifest::put(step.tx, id, &new.digest, &row);
    lease::grow(step.tx, &new.digest, stamp.lease_until)?;
    for name in &new.tags {
        let moved = step.next_id();
        if let Some(tag) = tag::get(step.tx, id, name)?
            && tag.digest != new.digest
        {
            // The manifest that the tag leaves: from now on its time without a tag runs.
            manifest::touch(step.tx, id, &tag.digest, stamp.steady)?;
        }
        tag::point(step.tx, id, name, new.digest, stamp.now, &row.pusher, moved)?;
    }
    derived::settle(step.tx, id, &new.digest, before.as_ref(), &row)?;
    repo::count(step.tx, id, repo::Counter::Pushes, 1);
    step.tell(|step| TraceEvent::ManifestPut {
        repo: step.name.clone(),
        digest: new.digest,
        references: read.referenced_digests(),
        subject: row.subject,
        missing: missing.to_vec(),
        tagged: !new.tags.is_empty(),
        lease_until: stamp.lease_until,
    });
    step.happenings.push(Happening::ManifestPushed {
        name: step.name.clone(),
        digest: new.digest,
        media_type: row.media_type,
        tags: new.tags.clone(),
    });
    for name in &new.tags {
        let pair = apps::pair_of(step.tx, id, name, &new.digest)?.map(|pair| pair.other);
        step.happenings.push(Happening::TagPushed {
            name: step.name.clone(),
            tag: name.clone(),
            digest: new.digest,
            kind: new.summary.kind,
            pair,
            members: apps::pushed_members(new.summary.kind, read),
        });
    }
    Ok(())
}

/// One edge for each child, with all the parts that it plays: the same layer may stand in a manifest many times.
fn put_edges(step: &mut Step<'_>, new: &NewManifest) {
    let mut edges: std::collections::BTreeMap<Digest, Edge> = std::collections::BTreeMap::new();
    for reference in new.manifest.references() {
        let edge = edges.entry(reference.descriptor.digest).or_insert_with(|| Edge { roles: Vec::new() });
        let role = reference.role.into();
        if !edge.roles.contains(&role) {
            edge.roles.push(role);
        }
    }
    for (child, edge) in &edges {
        manifest::put_edge(step.tx, step.repo, child, &new.digest, edge);
    }
}

/// The manifest as the referrers list of its subject shows it.
fn describe(read: &Manifest, new: &NewManifest) -> Descriptor {
    Descriptor {
        media_type: read.media_type.clone(),
        digest: new.digest,
        size: new.body.len() as u64,
        artifact_type: read.referrer_artifact_type().map(str::to_owned),
        annotations: (!read.annotations.is_empty()).then(|| read.annotations.clone()),
        urls: Vec::new(),
        platform: None,
    }
}
