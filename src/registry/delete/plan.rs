//! What goes with a tag or a manifest that a person deletes, and what stays.

use std::collections::{BTreeMap, BTreeSet, HashSet, VecDeque};

use super::super::RegistryError;
use super::super::apps::{Pair, is_application, pair_of};
use super::super::content::Look;
use super::super::kinds::summary_of;
use super::super::manifests::{attached, role_in};
use super::{DeleteOptions, PlanLine, TAGS_AT_ONCE};
use crate::base::RepoId;
use crate::meta::manifest::ManifestRow;
use crate::meta::{MetaError, Read, blob, manifest, tag};
use crate::oci::kind::Kind;
use crate::oci::manifest::Role;
use crate::oci::{Digest, Reference, Tag};

/// Manifests that one commit takes, each with about ten rows; an application has a few dozen. What is beyond stays, is
/// needed by nothing, and goes with the untagged.
const AT_ONCE: usize = 100;
/// Parts that are asked for what keeps them: what is beyond stays. This is asked inside of commits, and thousands of parts
/// may each belong to all of those that go.
const PARTS: usize = 5_000;
/// Referrers of one manifest that may go with it.
const REFERRERS: usize = 200;
/// Lines about what stays.
const STAYS: usize = 200;

/// What a deletion does.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    /// Tags that go: those of the manifest, and the invocation image's.
    pub(super) tags: Vec<Tag>,
    /// Manifests that go: the one that was asked for first, if it goes, then its parts.
    pub(super) manifests: Vec<Digest>,
    /// The tags of invocation images that go, or may.
    pub(super) pairs: Vec<Tag>,
    pub(super) goes: Vec<PlanLine>,
    pub(super) stays: Vec<PlanLine>,
}

/// Why a manifest stays.
enum Keeper {
    Tag(Tag),
    Parent(Digest),
    Subject(Digest),
    /// Too many go already.
    Bound,
}

struct Planning<'t, T> {
    look: Look<'t, T>,
    tags: BTreeSet<Tag>,
    going: BTreeSet<Digest>,
    /// Parts that may still be asked for.
    left: usize,
}

/// What deleting `reference`, which stands for the manifest `target`, does.
pub(super) fn outcome(
    tx: &impl Read,
    repo: RepoId,
    reference: &Reference,
    target: Digest,
    options: DeleteOptions,
) -> Result<Outcome, RegistryError> {
    let mut done = Outcome::default();
    let kind = kind_of(tx, repo, &target)?.unwrap_or(Kind::Unknown);
    let names = match reference {
        Reference::Tag(name) => vec![name.clone()],
        Reference::Digest(_) => tag::of_manifest(tx, repo, &target, TAGS_AT_ONCE + 1)?,
    };
    for name in &names {
        let why = if matches!(reference, Reference::Tag(_)) { "" } else { "it points at it" };
        done.goes.push(line(Reference::Tag(name.clone()), "tag", why));
        let Some(Pair { other, is_invocation: false }) = pair_of(tx, repo, name, &target)? else { continue };
        let reference = Reference::Tag(other.clone());
        let what = "tag of the invocation image";
        if options.with_invocation {
            done.goes.push(line(reference, what, format!("it goes with {name}")));
            done.tags.push(other.clone());
        } else {
            done.stays.push(line(reference, what, "it was not asked for, and becomes the tag of an ordinary image"));
        }
        done.pairs.push(other);
    }
    done.tags.extend(names);

    let tags = done.tags.iter().cloned().collect();
    let mut plan = Planning { look: Look::new(tx, repo), tags, going: BTreeSet::new(), left: PARTS };
    // A digest was asked for by itself; a tag's manifest goes if nothing else keeps it.
    let keeper = match reference {
        Reference::Tag(_) => plan.keeper(&target)?,
        Reference::Digest(_) => None,
    };
    if let Some(keeper) = keeper {
        done.stays.push(plan.stays(&target, kind.label(), &keeper)?);
        return Ok(done);
    }
    if let Reference::Digest(_) = reference {
        for parent in manifest::parents(tx, repo, &target, STAYS)? {
            let what = kind_of(tx, repo, &parent)?.map_or("manifest", Kind::label);
            done.stays.push(line(plan.best_name(&parent)?, what, "it lists what goes, and will be incomplete"));
        }
    }
    plan.take_all(target, kind, &mut done)?;
    Ok(done)
}

impl<T: Read> Planning<'_, T> {
    /// Takes the manifest, and then whatever belongs to something that goes as soon as nothing else keeps it.
    fn take_all(&mut self, target: Digest, kind: Kind, done: &mut Outcome) -> Result<(), RegistryError> {
        self.take(target, kind.label().to_owned(), "nothing else needs it", done);
        let mut open = VecDeque::from([target]);
        let mut kept: BTreeMap<Digest, (String, Keeper)> = BTreeMap::new();
        while let Some(digest) = open.pop_front() {
            for (part, what) in self.parts(&digest)? {
                if self.left == 0 {
                    break;
                }
                if self.going.contains(&part) {
                    continue;
                }
                self.left -= 1;
                // The last of its parents to go lets it go, too.
                match self.keeper(&part)? {
                    None => {
                        kept.remove(&part);
                        self.take(part, what, "nothing else needs it", done);
                        open.push_back(part);
                    }
                    Some(keeper) => _ = kept.insert(part, (what, keeper)),
                }
            }
        }
        for (digest, (what, keeper)) in kept.into_iter().take(STAYS) {
            let line = self.stays(&digest, &what, &keeper)?;
            done.stays.push(line);
        }
        Ok(())
    }

    fn take(&mut self, digest: Digest, what: String, why: &str, done: &mut Outcome) {
        self.going.insert(digest);
        done.manifests.push(digest);
        done.goes.push(line(Reference::Digest(digest), what, why));
    }

    /// The manifests that belong to one: its children, and what is attached to it.
    fn parts(&self, digest: &Digest) -> Result<Vec<(Digest, String)>, RegistryError> {
        let (tx, repo) = (self.look.tx, self.look.repo);
        let (mut parts, mut seen) = (Vec::new(), HashSet::new());
        if let Some(read) = self.look.read(digest)? {
            for child in read.parts.iter().filter(|part| matches!(part.role, Role::Child | Role::ForeignChild)) {
                let child = child.descriptor.digest;
                if seen.insert(child) && manifest::get(tx, repo, &child)?.is_some() {
                    parts.push((child, role_in(&read, &child)));
                }
            }
        }
        for referrer in attached(tx, repo, digest, REFERRERS)?.into_keys() {
            if let Some(kind) = kind_of(tx, repo, &referrer)? {
                parts.push((referrer, kind.label().to_owned()));
            }
        }
        Ok(parts)
    }

    /// What keeps a manifest, now that some go.
    fn keeper(&self, digest: &Digest) -> Result<Option<Keeper>, RegistryError> {
        let (tx, repo) = (self.look.tx, self.look.repo);
        for name in tag::of_manifest(tx, repo, digest, TAGS_AT_ONCE + 1)? {
            if !self.tags.contains(&name) {
                return Ok(Some(Keeper::Tag(name)));
            }
        }
        // Of one more than go, one does not.
        let parents = manifest::parents(tx, repo, digest, self.going.len() + 1)?;
        if let Some(parent) = parents.iter().find(|parent| !self.going.contains(parent)) {
            return Ok(Some(Keeper::Parent(*parent)));
        }
        let subject = manifest::get(tx, repo, digest)?.and_then(|row| row.subject);
        if let Some(subject) = subject.filter(|subject| !self.going.contains(subject))
            && manifest::get(tx, repo, &subject)?.is_some()
        {
            return Ok(Some(Keeper::Subject(subject)));
        }
        Ok((self.going.len() >= AT_ONCE).then_some(Keeper::Bound))
    }

    fn stays(&self, digest: &Digest, what: &str, keeper: &Keeper) -> Result<PlanLine, RegistryError> {
        let why = match keeper {
            Keeper::Tag(name) => format!("the tag {name} points at it"),
            Keeper::Parent(parent) => {
                let what = kind_of(self.look.tx, self.look.repo, parent)?.unwrap_or(Kind::Unknown);
                let is_part = if is_application(what) { "a part of the application" } else { "listed by" };
                format!("it is {is_part} {}", self.best_name(parent)?)
            }
            Keeper::Subject(subject) => format!("it is attached to {}, which stays", self.best_name(subject)?),
            Keeper::Bound => "it goes by itself later, when nobody has used it for long".to_owned(),
        };
        Ok(line(Reference::Digest(*digest), what, why))
    }

    /// A tag of a manifest, or else its digest.
    fn best_name(&self, digest: &Digest) -> Result<Reference, MetaError> {
        let tag = tag::of_manifest(self.look.tx, self.look.repo, digest, 1)?.pop();
        Ok(tag.map_or(Reference::Digest(*digest), Reference::Tag))
    }
}

fn line(reference: Reference, what: impl Into<String>, why: impl Into<String>) -> PlanLine {
    PlanLine { reference, what: what.into(), why: why.into() }
}

fn kind_of(tx: &impl Read, repo: RepoId, digest: &Digest) -> Result<Option<Kind>, RegistryError> {
    match manifest::get(tx, repo, digest)? {
        Some(row) => Ok(Some(summary_of(tx, repo, digest, &row)?.kind)),
        None => Ok(None),
    }
}

/// Bytes that nothing needs any more once manifests are gone: their bodies, and the blobs that no other manifest refers to.
#[derive(Debug, Default)]
pub(super) struct Frees {
    /// Nothing in any repository.
    pub(super) everywhere: u64,
    /// Nothing in this one.
    pub(super) here: u64,
}

/// What deleting frees.
pub(super) fn frees(tx: &impl Read, repo: RepoId, outcome: &Outcome) -> Result<Frees, RegistryError> {
    let look = Look::new(tx, repo);
    let going: BTreeSet<Digest> = outcome.manifests.iter().copied().collect();
    let (mut frees, mut seen) = (Frees::default(), BTreeSet::new());
    let mut add = |size: u64, is_elsewhere: bool| {
        frees.here = frees.here.saturating_add(size);
        if !is_elsewhere {
            frees.everywhere = frees.everywhere.saturating_add(size);
        }
    };
    for digest in &going {
        let Some(ManifestRow { size, .. }) = manifest::get(tx, repo, digest)? else { continue };
        add(size, manifest::is_elsewhere(tx, repo, digest)?);
        let Some(read) = look.read(digest)? else { continue };
        for part in read.referenced_digests() {
            let Some(size) = look.blob(&part)? else { continue };
            if !seen.insert(part) {
                continue;
            }
            let parents = manifest::parents(tx, repo, &part, going.len() + 1)?;
            if parents.iter().all(|parent| going.contains(parent)) {
                add(size, blob::repos_with(tx, &part, 2)?.len() > 1);
            }
        }
    }
    Ok(frees)
}
