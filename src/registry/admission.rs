//! Admission: the ordered list of checks that every change passes inside its own transaction. Each is pure: facts and
//! proposal in, verdict out. The first Deny wins.

use std::collections::HashSet;
use std::time::Duration;

use super::apps::{Living, Pair, living, pair_of};
use super::commit::{Change, Proposal};
use super::{RegistryError, Settings};
use crate::base::RepoId;
use crate::meta::mode::ReadOnly;
use crate::meta::{Read, account, blob, lease, manifest, mode, repo, tag};
use crate::model::Actor;
use crate::model::account::wrong_name;
use crate::oci::manifest::Role;
use crate::oci::{Code, Digest, MediaType, Reference, RepoName, Tag};

/// For how long a repository that lost content is asked to get it back rather than to go without it.
pub(super) const LOST_KEPT: Duration = Duration::from_hours(30 * 24);

/// What a check says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// No objection.
    Allow,
    /// No.
    Deny {
        /// The code for the client.
        code: Code,
        /// One plain line that says what to do.
        message: String,
        /// The digests that it is about.
        digests: Vec<Digest>,
    },
}

/// A reference that is not here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    /// Which.
    pub digest: Digest,
    /// Whether this repository had it lately.
    pub lost_lately: bool,
}

/// What the checks may know, read once from the transaction.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// The repository, if it exists.
    pub repo: Option<RepoId>,
    /// Whether the registry is read-only, and what is told about it.
    pub read_only: Option<ReadOnly>,
    /// For a change that makes the repository: whose the namespace is.
    pub namespace: Namespace,
    /// For a manifest: its references that are not here.
    pub missing: Vec<Missing>,
    /// For a manifest: the type under which the same bytes are stored here already.
    pub stored_type: Option<MediaType>,
    /// For a blob to be deleted: a manifest of the repository that needs it.
    pub needed_by: Option<Digest>,
    /// For a tag or manifest to be deleted: the living application that it belongs to.
    pub part_of: Option<PartOf>,
}

/// Whose a namespace is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Namespace {
    /// An account's; or it was not asked.
    #[default]
    Owned,
    /// Nobody's yet.
    Nobodys,
    /// An account's that was deleted, and whose rows are still to go.
    Departed,
    /// There is none: the name has one component.
    Empty,
}

impl Namespace {
    fn of(tx: &impl Read, name: &RepoName) -> Result<Self, RegistryError> {
        let namespace = name.namespace();
        Ok(match namespace {
            "" => Self::Empty,
            _ if account::get(tx, namespace)?.is_some() => Self::Owned,
            _ if account::is_departed(tx, namespace)? => Self::Departed,
            _ => Self::Nobodys,
        })
    }
}

/// What keeps a part of an application from being deleted by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PartOf {
    /// The tag is the one of the invocation image of the application with this tag.
    InvocationTag(Tag),
    /// The manifest is a member of this application, which lives by this tag.
    Member(Digest, Tag),
    /// More manifests list it than can be asked at once.
    Unknown,
}

impl PartOf {
    /// The living application that a tag or manifest of the repository belongs to.
    ///
    /// # Errors
    /// When the store fails.
    pub fn find(tx: &impl Read, repo: RepoId, reference: &Reference) -> Result<Option<Self>, RegistryError> {
        match reference {
            Reference::Tag(name) => {
                // Any other tag is but a name: what it points at stays, and so does the application.
                let Some(row) = tag::get(tx, repo, name)? else { return Ok(None) };
                let pair = pair_of(tx, repo, name, &row.digest)?;
                Ok(pair.and_then(|Pair { other, is_invocation }| is_invocation.then_some(Self::InvocationTag(other))))
            }
            Reference::Digest(digest) => Ok(living(tx, repo, digest)?.map(|living| match living {
                Living::Application { digest, tag } => Self::Member(digest, tag),
                Living::Unknown => Self::Unknown,
            })),
        }
    }

    /// Why the part is not deleted by itself, and what to do.
    pub fn refusal(&self, repo: &RepoName, reference: &Reference) -> String {
        match self {
            Self::InvocationTag(tag) => format!(
                "{reference} is the invocation image of the application {repo}:{tag}; delete that first, or both together"
            ),
            Self::Member(_, tag) => {
                format!("{reference} is a part of the application {repo}:{tag}; delete that first")
            }
            Self::Unknown => format!(
                "too many manifests of {repo} list {reference} to tell whether an application among them needs it; delete \
                 some of them first"
            ),
        }
    }

    fn digests(&self) -> Vec<Digest> {
        if let Self::Member(digest, _) = self { vec![*digest] } else { Vec::new() }
    }
}

impl Facts {
    /// What every change is asked about.
    fn about(tx: &impl Read, name: &RepoName, makes: bool) -> Result<Self, RegistryError> {
        let (repo, read_only) = (repo::id_of(tx, name)?, mode::read_only(tx)?);
        let namespace = if repo.is_none() && makes { Namespace::of(tx, name)? } else { Namespace::Owned };
        Ok(Self { repo, read_only, namespace, ..Self::default() })
    }

    /// Reads what the checks need to know of this proposal at `steady` (ms).
    ///
    /// # Errors
    /// When the store fails.
    pub fn gather(tx: &impl Read, proposal: &Proposal, steady: u64) -> Result<Self, RegistryError> {
        let mut facts = Self::about(tx, &proposal.repo, proposal.change.makes_repository())?;
        match &proposal.change {
            Change::PutManifest(new) => {
                let mut noted = HashSet::new();
                for reference in new.manifest.references() {
                    let digest = reference.descriptor.digest;
                    let lost = match facts.repo {
                        None => None,
                        Some(repo) if is_here(tx, repo, reference.role, &digest)? => continue,
                        Some(repo) => lease::lost(tx, repo, &digest)?,
                    };
                    if noted.insert(digest) {
                        // A push that began before its repository was deleted, and ends after: it was told of parts
                        // that went with the repository.
                        let lost_lately = lost.is_some_and(|when| is_lately(when, steady))
                            || steady < repo::gone_until(tx, &proposal.repo)?;
                        facts.missing.push(Missing { digest, lost_lately });
                    }
                }
                if let Some(repo) = facts.repo {
                    facts.stored_type = manifest::get(tx, repo, &new.digest)?.map(|row| row.media_type);
                }
            }
            Change::DeleteBlob(digest) => {
                if let Some(repo) = facts.repo {
                    facts.needed_by = manifest::parents(tx, repo, digest, 1)?.into_iter().next();
                }
            }
            Change::PublishBlob { .. }
            | Change::MountBlob { .. }
            | Change::CollectManifest(_)
            | Change::CreateRepository(_)
            | Change::ChangeRepository(_)
            | Change::DeleteRepository => {}
            Change::DeleteTag(_) | Change::DeleteManifest(_) | Change::DeleteUnit(_) => {
                if let (Some(repo), Some((reference, _))) = (facts.repo, deleted(&proposal.change)) {
                    facts.part_of = PartOf::find(tx, repo, &reference)?;
                }
            }
        }
        Ok(facts)
    }
}

/// The tag or manifest that a change deletes, and whether that is forced.
fn deleted(change: &Change) -> Option<(Reference, bool)> {
    match change {
        Change::DeleteTag(tag) => Some((Reference::Tag(tag.clone()), false)),
        Change::DeleteManifest(digest) => Some((Reference::Digest(*digest), false)),
        Change::DeleteUnit(deletion) => Some((deletion.reference.clone(), deletion.options.force)),
        _ => None,
    }
}

/// Whether the repository has what a manifest refers to in this role.
fn is_here(tx: &impl Read, repo: RepoId, role: Role, digest: &Digest) -> Result<bool, RegistryError> {
    Ok(match role {
        Role::Config | Role::Layer => blob::is_linked(tx, repo, digest)?,
        Role::Child => manifest::get(tx, repo, digest)?.is_some(),
        Role::ForeignChild => blob::is_linked(tx, repo, digest)? || manifest::get(tx, repo, digest)?.is_some(),
    })
}

/// Whether something that was lost at `when` was lost lately at `steady` (both in steady ms).
pub(super) fn is_lately(when: u64, steady: u64) -> bool {
    Duration::from_millis(steady.saturating_sub(when)) < LOST_KEPT
}

/// The policy that keeps the parts of a living application.
pub const MEMBERS_OF_APPLICATIONS: &str = "members of applications";

/// The policy of read-only mode.
pub const READ_ONLY_MODE: &str = "read-only mode";

/// The policy of what makes repositories.
pub const CREATION: &str = "creation of repositories";

fn deny(message: String) -> Verdict {
    Verdict::Deny { code: Code::Denied, message, digests: Vec::new() }
}

/// What the first request of a push is asked, before there is a change.
///
/// # Errors
/// [`RegistryError::Refused`], or the store's fault.
pub(super) fn admit_push(
    tx: &impl Read,
    actor: &Actor,
    repo: &RepoName,
    settings: &Settings,
) -> Result<(), RegistryError> {
    let facts = Facts::about(tx, repo, true)?;
    let made = || creation(&facts, actor, repo, true, settings);
    for (policy, verdict) in [(READ_ONLY_MODE, writable(&facts)), (CREATION, made())] {
        if let Verdict::Deny { code, message, digests } = verdict {
            return Err(RegistryError::Refused { policy, code, message, digests });
        }
    }
    Ok(())
}

fn not_read_only(facts: &Facts, proposal: &Proposal, _: &Settings) -> Verdict {
    if proposal.change.leaves_content() { Verdict::Allow } else { writable(facts) }
}

fn writable(facts: &Facts) -> Verdict {
    match &facts.read_only {
        None => Verdict::Allow,
        Some(ReadOnly { reason, .. }) if reason.is_empty() => {
            deny("this registry is read-only at the moment: pull, and push again later".into())
        }
        Some(ReadOnly { reason, .. }) => {
            deny(format!("this registry is read-only at the moment ({reason}): pull, and push again later"))
        }
    }
}

fn may_be_made(facts: &Facts, proposal: &Proposal, settings: &Settings) -> Verdict {
    if !proposal.change.makes_repository() {
        return Verdict::Allow;
    }
    creation(facts, &proposal.actor, &proposal.repo, proposal.change.is_push(), settings)
}

/// Whether a repository that is not there may come into being. That the caller may push there was decided before; here it
/// is about what there is: no account may have gone meanwhile, and what owns a namespace is an account.
fn creation(facts: &Facts, actor: &Actor, name: &RepoName, by_push: bool, settings: &Settings) -> Verdict {
    if facts.repo.is_some() {
        return Verdict::Allow;
    }
    if by_push && !settings.create_on_push {
        return deny(format!(
            "there is no repository {name}, and this registry is set not to make one by a push; make it first, in the \
             pages or with POST /api/v0/repositories/{}",
            if name.namespace().is_empty() { "-" } else { name.namespace() }
        ));
    }
    let namespace = name.namespace();
    match facts.namespace {
        Namespace::Owned => Verdict::Allow,
        Namespace::Departed => deny(format!("the account {namespace} was just deleted; try again in a minute")),
        Namespace::Empty if actor.is_admin() => Verdict::Allow,
        Namespace::Empty => deny(format!(
            "only an administrator can make the repository {name}, whose name has no namespace; push to {}/{name} instead",
            actor.principal
        )),
        Namespace::Nobodys if !actor.is_admin() => deny(format!(
            "there is no organization {namespace}; ask an administrator of this registry to make it, or push to {}/{}",
            actor.principal,
            name.name()
        )),
        // Organizations concern the registry as a whole, which a token for some places does not.
        Namespace::Nobodys if actor.narrowed => deny(format!(
            "there is no organization {namespace}, and the access token {} does not allow to make it; make it first, or use \
             the password or a token with the scope \"all\"",
            actor.via.as_deref().map_or_else(|| "that was shown".to_owned(), |label| format!("\"{label}\""))
        )),
        Namespace::Nobodys => match wrong_name(namespace) {
            None => Verdict::Allow,
            Some(wrong) => deny(format!("{namespace} cannot be an organization: {wrong}")),
        },
    }
}

/// A check: pure, cheap, named by its policy.
pub type Check = fn(&Facts, &Proposal, &Settings) -> Verdict;

/// The checks, in order.
pub const CHECKS: &[(&str, Check)] = &[
    (READ_ONLY_MODE, not_read_only),
    (CREATION, may_be_made),
    ("one type for each manifest", one_type),
    ("complete manifests", references_are_here),
    ("blobs in use", blob_is_not_needed),
    (MEMBERS_OF_APPLICATIONS, no_application_needs_it),
];

/// The same bytes under two types could mean two things (CVE-2021-41190); the first type stands.
fn one_type(facts: &Facts, proposal: &Proposal, _: &Settings) -> Verdict {
    match (&proposal.change, &facts.stored_type) {
        (Change::PutManifest(new), Some(stored)) if *stored != new.manifest.media_type => Verdict::Deny {
            code: Code::ManifestInvalid,
            message: format!(
                "this manifest is stored here already as {stored}; push it with that Content-Type, or delete {} first",
                new.digest
            ),
            digests: vec![new.digest],
        },
        _ => Verdict::Allow,
    }
}

/// Incomplete manifests are taken only where that is on, and never in place of content that was here lately: else a
/// collection between a client's check and its manifest would quietly break an image.
fn references_are_here(facts: &Facts, proposal: &Proposal, settings: &Settings) -> Verdict {
    if !matches!(proposal.change, Change::PutManifest(_)) {
        return Verdict::Allow;
    }
    let lost: Vec<Digest> = facts.missing.iter().filter(|m| m.lost_lately).map(|m| m.digest).collect();
    if let Some(first) = lost.first() {
        return Verdict::Deny {
            code: Code::ManifestBlobUnknown,
            message: format!(
                "the manifest refers to {first}, which this repository does not have any more; push it again"
            ),
            digests: lost,
        };
    }
    match facts.missing.first() {
        Some(first) if !settings.accept_incomplete => Verdict::Deny {
            code: Code::ManifestBlobUnknown,
            message: format!(
                "the manifest refers to {}, which this repository does not have; push it first \
                 (this registry is set to refuse incomplete manifests)",
                first.digest
            ),
            digests: facts.missing.iter().map(|m| m.digest).collect(),
        },
        _ => Verdict::Allow,
    }
}

fn blob_is_not_needed(facts: &Facts, _: &Proposal, _: &Settings) -> Verdict {
    match facts.needed_by {
        Some(parent) => Verdict::Deny {
            code: Code::Denied,
            message: format!("manifest {parent} of this repository needs this blob; delete the manifest first"),
            digests: vec![parent],
        },
        None => Verdict::Allow,
    }
}

/// An application is one unit: none of its parts goes by itself while it lives. An administrator may force it, which the
/// event tells.
fn no_application_needs_it(facts: &Facts, proposal: &Proposal, _: &Settings) -> Verdict {
    match (&facts.part_of, deleted(&proposal.change)) {
        (Some(part), Some((reference, false))) => Verdict::Deny {
            code: Code::Denied,
            message: part.refusal(&proposal.repo, &reference),
            digests: part.digests(),
        },
        _ => Verdict::Allow,
    }
}
