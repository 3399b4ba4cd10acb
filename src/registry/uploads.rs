//! Blobs on their way in: upload sessions, and mounts from other repositories.

use std::time::Duration;

use super::commit::{Change, Proposal, Step};
use super::trace::TraceEvent;
use super::{Actor, Registry, RegistryError, admission};
use crate::base::UploadId;
use crate::blobs::{Append, BlobError, Content, Sealed, SessionStatus, Source};
use crate::meta::blob::FileState;
use crate::meta::{Read, blob, lease, repo};
use crate::oci::{Algorithm, Digest, RepoName};

/// How often an upload that did not end is tried to be closed, and how long after one another.
const RESTS: u32 = 60;
const REST: Duration = Duration::from_secs(1);

/// The most repositories that are looked at to find one from which a blob may be mounted.
const MOUNT_CANDIDATES: usize = 256;

impl Registry {
    /// Begins an upload (end-4a, end-4c).
    ///
    /// # Errors
    /// [`RegistryError::NoSpace`]; the blob store's.
    pub async fn start_upload(
        &self,
        actor: &Actor,
        repo: &RepoName,
        algorithm: Option<Algorithm>,
    ) -> Result<UploadId, RegistryError> {
        self.admit_push(actor, repo)?;
        let id = self.blobs().begin(repo, actor.principal.name(), algorithm, true).await?;
        self.tell_begun(id, repo);
        Ok(id)
    }

    /// How far an upload has come (end-13). Somebody else's upload is as unknown as none.
    ///
    /// # Errors
    /// [`BlobError::UnknownSession`].
    pub fn upload_status(&self, actor: &Actor, repo: &RepoName, id: UploadId) -> Result<SessionStatus, RegistryError> {
        let status = self.blobs().status(id, repo)?;
        if status.owner == actor.principal.name() { Ok(status) } else { Err(BlobError::UnknownSession.into()) }
    }

    /// Appends a chunk (end-5). Returns the number of bytes received so far.
    ///
    /// # Errors
    /// The blob store's; the session stays usable after all but [`BlobError::UnknownSession`].
    pub async fn append_upload(
        &self,
        actor: &Actor,
        repo: &RepoName,
        id: UploadId,
        how: Append,
        source: impl Source,
    ) -> Result<u64, RegistryError> {
        self.upload_status(actor, repo, id)?;
        Ok(self.blobs().append_with(id, repo, how, source).await?)
    }

    /// Verifies an upload and publishes its blob (end-6). `Ok` means that data, directory entry and metadata are on
    /// disk. What has begun is finished also when the client goes away.
    ///
    /// # Errors
    /// [`BlobError::DigestMismatch`] and the stores' faults; the session stays then, so that the client may retry.
    pub async fn finish_upload(
        &self,
        actor: Actor,
        repo: &RepoName,
        id: UploadId,
        digest: Digest,
    ) -> Result<(), RegistryError> {
        self.upload_status(&actor, repo, id)?;
        let (registry, repo) = (self.clone(), repo.clone());
        let publish = async move {
            // Held until the commit is through, so that nobody takes the file away in between.
            let (sealed, hold) = registry.blobs().seal_and_hold(id, &repo, digest).await?;
            let change = Change::PublishBlob { sealed, upload: id };
            let committed = registry.commit(Proposal { actor, repo, change }).await;
            drop(hold);
            committed
        };
        tokio::spawn(publish).await.map_err(|error| BlobError::Io(error.to_string()))??;
        Ok(())
    }

    /// Takes in a whole blob in one request (end-4b). `admitted` is asked when all of it is here, and says on whose behalf
    /// it is published: it came as slowly as its sender liked.
    ///
    /// # Errors
    /// [`RegistryError::NoSpace`], [`BlobError::DigestMismatch`], [`BlobError::Sender`], the stores' faults, and what
    /// `admitted` says; nothing stays behind.
    pub async fn push_blob<E: From<RegistryError>>(
        &self,
        actor: Actor,
        repo: &RepoName,
        digest: Digest,
        length: Option<u64>,
        source: impl Source,
        admitted: impl Future<Output = Result<Actor, E>>,
    ) -> Result<(), E> {
        self.admit_push(&actor, repo)?;
        let begun = self.blobs().begin(repo, actor.principal.name(), Some(digest.algorithm()), false).await;
        let id = begun.map_err(RegistryError::from)?;
        self.tell_begun(id, repo);
        let pushed = async {
            let how = Append {
                range: length.map(|length| (0, length)),
                expected: length,
                closing: true,
                ..Append::default()
            };
            self.blobs().append_with(id, repo, how, source).await.map_err(RegistryError::from)?;
            Ok(self.finish_upload(admitted.await?, repo, id, digest).await?)
        }
        .await;
        if pushed.is_err() {
            // The client cannot know this session's name, so nothing could go on from here. A failure to clean up
            // now is mended by the session's expiry.
            if self.blobs().cancel(id, repo).await.is_ok() {
                self.trace().tell(|| TraceEvent::SessionCancelled { upload: id });
            }
        }
        pushed
    }

    /// For a request that means to end an upload with bytes of its own: they are not synced before the whole is, so the
    /// file stays open meanwhile.
    pub fn closing(&self, repo: &RepoName, id: UploadId) -> Closing {
        Closing { registry: self.clone(), repo: repo.clone(), id, ended: false }
    }

    /// Gives an upload up (end-14).
    ///
    /// # Errors
    /// [`BlobError::UnknownSession`]; [`BlobError::Busy`].
    pub async fn cancel_upload(&self, actor: &Actor, repo: &RepoName, id: UploadId) -> Result<(), RegistryError> {
        self.upload_status(actor, repo, id)?;
        self.blobs().cancel(id, repo).await?;
        self.trace().tell(|| TraceEvent::SessionCancelled { upload: id });
        Ok(())
    }

    /// Whether a push may begin: there is room, the registry takes changes, and the repository is there or may be made.
    /// What must be refused is refused at the first request, where clients show the message.
    fn admit_push(&self, actor: &Actor, repo: &RepoName) -> Result<(), RegistryError> {
        self.space().admit()?;
        self.meta().read(|tx| admission::admit_push(tx, actor, repo, self.settings()))
    }

    fn tell_begun(&self, upload: UploadId, repo: &RepoName) {
        if self.trace().is_on()
            && let Some(file) = self.blobs().file_of(upload)
        {
            self.trace().tell(|| TraceEvent::SessionBegan { upload, file, repo: repo.clone() });
        }
    }

    /// The repository from which a blob can be mounted: `from`, or for an anonymous mount the first that has it and
    /// that `readable` lets the caller read. `None` when there is none.
    ///
    /// # Errors
    /// When the store fails.
    pub fn mount_source(
        &self,
        digest: &Digest,
        from: Option<&RepoName>,
        readable: impl Fn(&RepoName) -> bool,
    ) -> Result<Option<RepoName>, RegistryError> {
        self.meta().read(|tx| {
            if let Some(from) = from {
                let Some(id) = repo::id_of(tx, from)? else { return Ok(None) };
                let has_it = readable(from) && blob::is_linked(tx, id, digest)?;
                return Ok(has_it.then(|| from.clone()));
            }
            for id in blob::repos_with(tx, digest, MOUNT_CANDIDATES)? {
                if let Some(row) = repo::get(tx, id)?
                    && row.deleted.is_none()
                    && readable(&row.name)
                {
                    return Ok(Some(row.name));
                }
            }
            Ok(None)
        })
    }

    /// Gives `repo` a blob that `from` has (end-11); the caller's right to read `from` has been decided before. Tells
    /// whether it was still there.
    ///
    /// # Errors
    /// [`RegistryError::NoSpace`]; when the store fails.
    pub async fn mount_blob(
        &self,
        actor: Actor,
        repo: &RepoName,
        digest: Digest,
        from: &RepoName,
    ) -> Result<bool, RegistryError> {
        self.admit_push(&actor, repo)?;
        let change = Change::MountBlob { digest, from: from.clone() };
        match self.commit(Proposal { actor, repo: repo.clone(), change }).await {
            Ok(_) => Ok(true),
            Err(RegistryError::BlobUnknown { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }
}

/// A request that means to end an upload. Dropped before [`Closing::ended`], whether the digest was wrong, the sender's
/// right has ended or the sender has gone, it lets the upload wait for who goes on with it: on disk, and without an open
/// file. (Thousands may wait for a day, and nobody else could be served once they had all descriptors.)
#[must_use]
pub struct Closing {
    registry: Registry,
    repo: RepoName,
    id: UploadId,
    ended: bool,
}

impl Closing {
    /// The upload has ended.
    pub fn ended(mut self) {
        self.ended = true;
    }

    /// It has not: to be waited for before the answer, so that who goes on with the upload at once finds nobody at it.
    pub async fn rest(mut self) {
        self.ended = match self.registry.blobs().rest(self.id, &self.repo).await {
            Ok(()) | Err(BlobError::UnknownSession) => true,
            // Tried again later.
            Err(_) => false,
        };
    }
}

impl Drop for Closing {
    fn drop(&mut self) {
        if self.ended {
            return;
        }
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        let (blobs, repo, id) = (self.registry.blobs().clone(), self.repo.clone(), self.id);
        runtime.spawn(async move {
            // What was sent by who has gone is still being written; who goes on with the upload sees to it himself.
            for _ in 0..RESTS {
                match blobs.rest(id, &repo).await {
                    Ok(()) | Err(BlobError::UnknownSession) => return,
                    Err(BlobError::Busy) => tokio::time::sleep(REST).await,
                    Err(error) => return tracing::warn!(%error, "an upload that did not end keeps its file open"),
                }
            }
        });
    }
}

/// The rows of a new blob. If no row names its digest yet, the row names this file; if one names another file, this
/// one is doomed. The session ends with the commit, also when the client has gone away.
pub(super) fn publish(step: &mut Step<'_>, sealed: &Sealed, upload: UploadId) -> Result<(), RegistryError> {
    let Sealed { digest, size, .. } = *sealed;
    let now = step.stamp.now;
    let new_row = blob::get(step.tx, &digest)?.is_none();
    let mut in_file = None;
    if let Content::File(file) = sealed.content {
        in_file = Some(file);
        match blob::file_state(step.tx, file)? {
            // The same closing request twice: the first one published it.
            Some(FileState::Published(named)) if named == digest => {}
            // A file that the metadata names belongs to no session any more.
            Some(_) => return Err(BlobError::UnknownSession.into()),
            None if !new_row => {
                blob::doom(step.tx, file, digest, now);
                step.tell(|_| TraceEvent::Doomed { file, digest });
            }
            None => blob::put_file(step.tx, &digest, size, file, now),
        }
    }
    if let Content::Inline(body) = &sealed.content
        && new_row
    {
        blob::put_inline(step.tx, &digest, body, now);
    }
    give(step, &digest, size)?;
    step.tell(|step| TraceEvent::Published {
        upload,
        repo: step.name.clone(),
        digest,
        file: in_file,
        new_row,
        lease_until: step.stamp.lease_until,
    });
    let blobs = step.registry.blobs().clone();
    step.tx.on_commit(move || blobs.end(upload));
    Ok(())
}

/// The rows of a mount: link and lease, if the source still has the blob.
pub(super) fn mount(step: &mut Step<'_>, digest: &Digest, from: &RepoName) -> Result<(), RegistryError> {
    let gone = || RegistryError::BlobUnknown { repo: from.clone(), digest: *digest };
    let source = repo::id_of(step.tx, from)?.ok_or_else(gone)?;
    if !blob::is_linked(step.tx, source, digest)? {
        return Err(gone());
    }
    let row = blob::get(step.tx, digest)?.ok_or_else(gone)?;
    give(step, digest, row.size)?;
    step.tell(|step| TraceEvent::Mounted {
        repo: step.name.clone(),
        from: from.clone(),
        digest: *digest,
        lease_until: step.stamp.lease_until,
    });
    Ok(())
}

/// Gives the step's repository a blob that has a row, and promises to keep it for a lease.
fn give(step: &mut Step<'_>, digest: &Digest, size: u64) -> Result<(), RegistryError> {
    blob::link(step.tx, step.repo, digest, size, step.stamp.now)?;
    lease::clear_lost(step.tx, step.repo, digest);
    lease::grow(step.tx, digest, step.stamp.lease_until)?;
    Ok(())
}

/// Whether the metadata names a file, for the blob store's start and its expiry.
///
/// # Errors
/// When the store fails.
pub fn is_named(tx: &impl Read, file: crate::base::FileId) -> Result<bool, RegistryError> {
    Ok(blob::file_state(tx, file)?.is_some())
}
