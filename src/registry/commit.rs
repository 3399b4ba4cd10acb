//! How state changes: one closure per proposal, in three steps: admission, rows, reaction.

use std::sync::Arc;

use super::admission::{self, Facts, Namespace, Verdict};
use super::gc::untagged;
use super::trace::TraceEvent;
use super::{Actor, Registry, RegistryError, delete, push, react, repos, uploads};
use crate::base::{EventId, RepoId, Timestamp, UploadId, Uuid};
use crate::blobs::Sealed;
use crate::meta::{WriteTx, account, repo};
use crate::model::event::Happening;
use crate::model::{Account, Event};
use crate::oci::{Digest, RepoName, Tag};

/// A change that somebody proposes.
#[derive(Clone, Debug)]
pub struct Proposal {
    /// Who.
    pub actor: Actor,
    /// Where.
    pub repo: RepoName,
    /// What.
    pub change: Change,
}

/// The changes that there are.
#[derive(Clone, Debug)]
pub enum Change {
    /// Give a repository a blob whose bytes were received and verified.
    PublishBlob {
        /// The bytes.
        sealed: Sealed,
        /// The session that received them; it ends with the commit.
        upload: UploadId,
    },
    /// Give a repository a blob that another one has.
    MountBlob {
        /// Which.
        digest: Digest,
        /// Who has it.
        from: RepoName,
    },
    /// Store a manifest and point tags at it.
    PutManifest(Arc<push::NewManifest>),
    /// Take a tag away; its manifest stays.
    DeleteTag(Tag),
    /// Take a manifest away, and every tag that points at it.
    DeleteManifest(Digest),
    /// Take a tag or a manifest away with what is a part of it and needed by nothing else.
    DeleteUnit(delete::Deletion),
    /// Take a blob from a repository.
    DeleteBlob(Digest),
    /// Take away a manifest that nobody needs, if that is still so.
    CollectManifest(untagged::Unused),
    /// Make an empty repository.
    CreateRepository(repos::RepoChange),
    /// Change what a repository says of itself.
    ChangeRepository(repos::RepoChange),
    /// Delete a repository with all that it holds.
    DeleteRepository,
}

impl Change {
    /// Whether the first such change to a name makes the repository.
    fn creates_repository(&self) -> bool {
        match self {
            Self::PublishBlob { .. } | Self::MountBlob { .. } | Self::PutManifest(_) | Self::CreateRepository(_) => {
                true
            }
            Self::DeleteTag(_)
            | Self::DeleteManifest(_)
            | Self::DeleteUnit(_)
            | Self::DeleteBlob(_)
            | Self::CollectManifest(_)
            | Self::ChangeRepository(_)
            | Self::DeleteRepository => false,
        }
    }

    /// What is asked for, as the access log names it.
    pub(super) const fn verb(&self) -> &'static str {
        match self {
            Self::PublishBlob { .. } => "finish_upload",
            Self::MountBlob { .. } => "mount_blob",
            Self::PutManifest(_) => "put_manifest",
            Self::DeleteTag(_) => "delete_tag",
            Self::DeleteManifest(_) | Self::DeleteUnit(_) => "delete_manifest",
            Self::DeleteBlob(_) => "delete_blob",
            Self::CollectManifest(_) => "collect_manifest",
            Self::CreateRepository(_) => "create_repository",
            Self::ChangeRepository(_) => "change_repository",
            Self::DeleteRepository => "delete_repository",
        }
    }

    /// Whether the repository may stand elsewhere in the lists afterwards. (Blobs that are pushed count with the manifest
    /// that follows them.)
    fn moves_repository(&self) -> bool {
        match self {
            Self::PutManifest(_)
            | Self::DeleteTag(_)
            | Self::DeleteManifest(_)
            | Self::DeleteUnit(_)
            | Self::DeleteBlob(_)
            | Self::CollectManifest(_)
            // It may have become public, or ceased to be.
            | Self::ChangeRepository(_) => true,
            Self::PublishBlob { .. } | Self::MountBlob { .. } | Self::CreateRepository(_) | Self::DeleteRepository => {
                false
            }
        }
    }

    /// Whether it goes on in read-only mode: what the registry itself does, and what leaves the content as it is, as who
    /// may see it.
    pub(super) fn leaves_content(&self) -> bool {
        matches!(self, Self::CollectManifest(_) | Self::ChangeRepository(_))
    }

    /// Whether it is a part of a push.
    pub(super) fn is_push(&self) -> bool {
        matches!(self, Self::PublishBlob { .. } | Self::MountBlob { .. } | Self::PutManifest(_))
    }

    /// Whether the first such change to a name makes the repository, as the checks ask.
    pub(super) fn makes_repository(&self) -> bool {
        self.creates_repository()
    }
}

/// What a commit did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Committed {
    /// References of the manifest that are not here: it is stored, but incomplete.
    pub missing: Vec<Digest>,
    /// For [`Change::CollectManifest`]: what went, if it did.
    pub collected: Option<untagged::Collected>,
    /// The organization that this made: an administrator used a namespace that nobody had.
    pub organization: Option<String>,
}

/// Everything that a closure must not make up itself, so that it can be run again with the same outcome.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stamp {
    /// Wall time.
    pub(super) now: Timestamp,
    /// Steady time in ms.
    pub(super) steady: u64,
    /// Steady time at which leases written by this commit run out, in ms.
    pub(super) lease_until: u64,
    /// The id of the repository, should this commit make it.
    pub(super) new_repo: RepoId,
    /// The id of the organization, should it make one.
    new_organization: Uuid,
    event: EventId,
}

impl Stamp {
    fn new(registry: &Registry) -> Self {
        let clock = registry.clock();
        let lease = u64::try_from(registry.settings().lease.as_millis()).unwrap_or(u64::MAX);
        let now = clock.now();
        let mut event = EventId::random();
        event.0[..8].copy_from_slice(&registry.next_tick(now).to_be_bytes());
        let steady = clock.steady();
        Self {
            now,
            steady,
            lease_until: steady.saturating_add(lease),
            new_repo: RepoId::random(),
            new_organization: Uuid::random(),
            event,
        }
    }

    /// The id of the n-th thing that this commit writes down; in order, and unlike those of other commits.
    pub(super) fn id(&self, n: usize) -> EventId {
        let mut id = self.event;
        let n = u16::try_from(n).unwrap_or(u16::MAX);
        // Behind the eight bytes of the tick two count within the commit; six random ones tell nodes apart.
        id.0[8..10].copy_from_slice(&n.to_be_bytes());
        id
    }
}

/// A closure's surroundings: the transaction, the repository and what this commit has made happen so far.
pub(super) struct Step<'t> {
    pub(super) tx: &'t mut WriteTx,
    pub(super) repo: RepoId,
    pub(super) name: &'t RepoName,
    pub(super) actor: &'t Actor,
    pub(super) stamp: &'t Stamp,
    pub(super) registry: &'t Registry,
    pub(super) happenings: Vec<Happening>,
    written: usize,
}

impl Step<'_> {
    /// The id for the next row of a history.
    pub(super) fn next_id(&mut self) -> EventId {
        self.written += 1;
        self.stamp.id(self.written)
    }

    /// Tells a step to the tests' observer once the commit is on disk.
    pub(super) fn tell(&mut self, step: impl FnOnce(&Self) -> TraceEvent) {
        if self.registry.trace().is_on() {
            let (registry, step) = (self.registry.clone(), step(self));
            self.tx.on_commit(move || registry.trace().tell(|| step));
        }
    }
}

impl Registry {
    /// Carries out a proposal, or says why not. `Ok` means that it is on disk.
    ///
    /// # Errors
    /// [`RegistryError`]; nothing was changed then.
    pub async fn commit(&self, proposal: Proposal) -> Result<Committed, RegistryError> {
        let registry = self.clone();
        let stamp = Stamp::new(self);
        let proposal = Arc::new(proposal);
        let proposed = Arc::clone(&proposal);
        let committed = self.meta().write(move |tx| run(&registry, &proposed, &stamp, tx)).await;
        let committed = committed.map_err(RegistryError::from);
        committed.inspect_err(|error| self.note_refusal(&proposal, error))
    }
}

fn run(registry: &Registry, proposal: &Proposal, stamp: &Stamp, tx: &mut WriteTx) -> Result<Committed, RegistryError> {
    // Admission.
    let facts = Facts::gather(tx, proposal, stamp.steady)?;
    for (policy, check) in admission::CHECKS {
        if let Verdict::Deny { code, message, digests } = check(&facts, proposal, registry.settings()) {
            return Err(RegistryError::Refused { policy, code, message, digests });
        }
    }

    // Rows.
    let created = facts.repo.is_none();
    if created && !proposal.change.creates_repository() {
        return Err(RegistryError::NameUnknown(proposal.repo.clone()));
    }
    let repo = facts.repo.unwrap_or(stamp.new_repo);
    let (name, actor) = (&proposal.repo, &proposal.actor);
    let mut step = Step { tx, repo, name, actor, stamp, registry, happenings: Vec::new(), written: 0 };
    if created {
        repo::create(step.tx, repo, &repo::RepoRow::new(proposal.repo.clone(), stamp.now));
        step.happenings.push(Happening::RepositoryCreated { repo, name: proposal.repo.clone() });
    }
    let mut committed = Committed::default();
    if created && facts.namespace == Namespace::Nobodys {
        // Only administrators get here (admission).
        let organization = Account::organization(name.namespace(), stamp.new_organization, stamp.now);
        account::put(step.tx, &organization);
        let Account { name: account, id, kind, .. } = organization;
        committed.organization = Some(account.clone());
        step.happenings.insert(0, Happening::AccountCreated { account, id, kind, by_push_to: Some(name.clone()) });
    }
    match &proposal.change {
        Change::PublishBlob { sealed, upload } => uploads::publish(&mut step, sealed, *upload)?,
        Change::MountBlob { digest, from } => uploads::mount(&mut step, digest, from)?,
        Change::PutManifest(manifest) => {
            committed.missing = facts.missing.iter().map(|missing| missing.digest).collect();
            push::put_manifest(&mut step, manifest, &committed.missing)?;
        }
        Change::DeleteTag(tag) => delete::tag(&mut step, tag, false)?,
        Change::DeleteManifest(digest) => delete::manifest(&mut step, digest, Vec::new(), false)?,
        Change::DeleteUnit(deletion) => delete::unit(&mut step, deletion, facts.part_of.is_some())?,
        Change::DeleteBlob(digest) => delete::blob(&mut step, digest)?,
        Change::CollectManifest(unused) => committed.collected = untagged::collect(&mut step, unused)?,
        Change::CreateRepository(change) => repos::create(&mut step, created, change)?,
        Change::ChangeRepository(change) => repos::change(&mut step, change)?,
        Change::DeleteRepository => repos::delete(&mut step)?,
    }
    if created || proposal.change.moves_repository() {
        repo::refresh(step.tx, repo)?;
    }

    // Reaction.
    let happenings = std::mem::take(&mut step.happenings);
    let events = happenings.into_iter().map(|what| Event::by(&proposal.actor, step.next_id(), stamp.now, what));
    let events: Vec<Event> = events.collect();
    react::write(step.tx, registry, repo, &events, stamp)?;
    Ok(committed)
}
