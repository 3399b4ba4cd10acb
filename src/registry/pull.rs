//! Pulling manifests and blobs.

use std::sync::Arc;

use bytes::Bytes;

use super::trace::TraceEvent;
use super::{Inner, Registry, RegistryError, known};
use crate::base::{FileId, RepoId};
use crate::meta::manifest::ManifestRow;
use crate::meta::memo::Memo;
use crate::meta::{Read, WriteError, WriteTx, blob, lease, manifest, repo, tag};
use crate::oci::{Digest, MediaType, Reference, RepoName};

/// A manifest as it is given out.
#[derive(Clone, Debug)]
pub struct PulledManifest {
    /// The digest under which it is stored.
    pub digest: Digest,
    /// The type under which it was pushed.
    pub media_type: MediaType,
    /// Bytes of its body.
    pub size: u64,
    /// The body, if it was asked for.
    pub body: Option<Bytes>,
}

/// Where the bytes of a blob are.
#[derive(Clone, Debug)]
pub enum BlobBytes {
    /// Here.
    Inline(Bytes),
    /// In this file.
    File(FileId),
}

/// A blob as it is given out.
#[derive(Clone, Debug)]
pub struct PulledBlob {
    /// Its bytes' number.
    pub size: u64,
    /// Its bytes; `None` when only its existence was asked for.
    pub bytes: Option<BlobBytes>,
}

/// What was pulled since the last commit.
#[derive(Debug, Default)]
pub(super) struct Recent {
    manifests: Memo<Reference, Arc<StoredManifest>>,
    blobs: Memo<Digest, StoredBlob>,
}

/// What the metadata say of a manifest that somebody asks for.
#[derive(Debug)]
struct StoredManifest {
    repo: RepoId,
    digest: Digest,
    row: ManifestRow,
    /// Until when its lease runs (steady ms).
    until: u64,
    /// Verified; `None` when nobody has asked for it.
    body: Option<Bytes>,
}

impl StoredManifest {
    fn pulled(&self, body: Option<Bytes>) -> PulledManifest {
        PulledManifest { digest: self.digest, media_type: self.row.media_type.clone(), size: self.row.size, body }
    }
}

/// What the metadata say of a blob that somebody asks for.
#[derive(Clone, Debug)]
struct StoredBlob {
    size: u64,
    /// `None` when they are here and nobody has asked for them.
    bytes: Option<BlobBytes>,
    /// Until when its lease runs (steady ms).
    until: u64,
}

impl Registry {
    /// A manifest to be read, by tag or digest (end-3, `GET`). Its body has the digest under which it is given out, or is
    /// not given out.
    ///
    /// # Errors
    /// [`RegistryError::NameUnknown`], [`RegistryError::ManifestUnknown`], or the store's fault.
    pub fn pull_manifest(&self, name: &RepoName, reference: &Reference) -> Result<PulledManifest, RegistryError> {
        let Inner { bodies, recent, .. } = &*self.0;
        let epoch = self.meta().epoch();
        if let Some(stored) = recent.manifests.recall(epoch, name, reference)
            && stored.body.is_some()
        {
            self.note_use(stored.repo, &stored.digest, &stored.row, true);
            return Ok(stored.pulled(stored.body.clone()));
        }
        let mut read = None;
        let mut stored = self.meta().read(|tx| {
            let mut stored = to_pull(tx, name, reference)?;
            stored.body = bodies.get(&stored.digest);
            if stored.body.is_none() {
                read = Some(manifest::body(tx, &stored.digest, stored.row.size)?);
            }
            self.note_use(stored.repo, &stored.digest, &stored.row, true);
            Ok::<_, RegistryError>(stored)
        })?;
        if let Some(read) = read {
            stored.body = Some(bodies.verify(&stored.digest, read)?);
        }
        let pulled = stored.pulled(stored.body.clone());
        let held = stored.body.as_ref().map_or(0, Bytes::len);
        recent.manifests.remember(epoch, name, reference, Arc::new(stored), held);
        Ok(pulled)
    }

    /// A blob to be read (end-2, `GET`).
    ///
    /// # Errors
    /// [`RegistryError::NameUnknown`], [`RegistryError::BlobUnknown`], or the store's fault.
    pub fn pull_blob(&self, name: &RepoName, digest: &Digest) -> Result<PulledBlob, RegistryError> {
        let StoredBlob { size, bytes, .. } = self.stored_blob(name, digest, true)?;
        Ok(PulledBlob { size, bytes })
    }

    /// Whether a blob is here (end-2, `HEAD`). A caller who `may_push` will rely on the answer and not send the blob,
    /// so the answer renews the blob's lease when less than half of it is left.
    ///
    /// # Errors
    /// [`RegistryError::NameUnknown`], [`RegistryError::BlobUnknown`], or the store's fault.
    pub async fn head_blob(
        &self,
        name: &RepoName,
        digest: &Digest,
        may_push: bool,
    ) -> Result<PulledBlob, RegistryError> {
        let StoredBlob { size, until, .. } = self.stored_blob(name, digest, false)?;
        if may_push {
            let still_here = {
                let name = name.clone();
                move |tx: &WriteTx, digest: &Digest| linked_row(tx, &name, digest).map(drop)
            };
            let (lease_until, renewed) = self.renew_lease(*digest, until, still_here).await?;
            self.trace().tell(|| TraceEvent::HeadAnswered {
                repo: name.clone(),
                digest: *digest,
                lease_until,
                renewed,
            });
        }
        Ok(PulledBlob { size, bytes: None })
    }

    /// What the metadata say of a blob that the repository has; with its bytes, or where they are, if it is `to_read`.
    fn stored_blob(&self, name: &RepoName, digest: &Digest, to_read: bool) -> Result<StoredBlob, RegistryError> {
        let recent = &self.0.recent.blobs;
        let epoch = self.meta().epoch();
        if let Some(stored) = recent.recall(epoch, name, digest)
            && (stored.bytes.is_some() || !to_read)
        {
            return Ok(stored);
        }
        let stored = self.meta().read(|tx| {
            let row = linked_row(tx, name, digest)?;
            let bytes = match row.file {
                Some(file) => Some(BlobBytes::File(file)),
                None if to_read => {
                    Some(BlobBytes::Inline(blob::inline_body(tx, digest)?.ok_or_else(|| unknown(name, digest))?))
                }
                None => None,
            };
            Ok::<_, RegistryError>(StoredBlob { size: row.size, bytes, until: lease::until(tx, digest)? })
        })?;
        let held = match &stored.bytes {
            Some(BlobBytes::Inline(bytes)) => bytes.len(),
            Some(BlobBytes::File(_)) | None => 0,
        };
        recent.remember(epoch, name, digest, stored.clone(), held);
        Ok(stored)
    }

    /// Whether a manifest is here (end-3, `HEAD`). A caller who `may_push` will rely on the answer and push an index
    /// that names it, so the answer renews the lease as [`Registry::head_blob`] does.
    ///
    /// # Errors
    /// [`RegistryError::NameUnknown`], [`RegistryError::ManifestUnknown`], or the store's fault.
    pub async fn head_manifest(
        &self,
        name: &RepoName,
        reference: &Reference,
        may_push: bool,
    ) -> Result<PulledManifest, RegistryError> {
        let recent = &self.0.recent.manifests;
        let epoch = self.meta().epoch();
        let stored = if let Some(stored) = recent.recall(epoch, name, reference) {
            stored
        } else {
            let stored = Arc::new(self.meta().read(|tx| to_pull(tx, name, reference))?);
            recent.remember(epoch, name, reference, stored.clone(), 0);
            stored
        };
        self.note_use(stored.repo, &stored.digest, &stored.row, false);
        if may_push {
            let name = name.clone();
            let still_here =
                move |tx: &WriteTx, digest: &Digest| stored_manifest(tx, &name, &Reference::Digest(*digest)).map(drop);
            self.renew_lease(stored.digest, stored.until, still_here).await?;
        }
        Ok(stored.pulled(None))
    }

    /// Lets a lease that was seen to run `until` run on if less than half of it is left, after another look whether
    /// its content is `still_here`. Returns until when it runs now (steady ms) and whether that is new.
    async fn renew_lease(
        &self,
        digest: Digest,
        until: u64,
        still_here: impl Fn(&WriteTx, &Digest) -> Result<(), RegistryError> + Send + 'static,
    ) -> Result<(u64, bool), RegistryError> {
        let lease = u64::try_from(self.settings().lease.as_millis()).unwrap_or(u64::MAX);
        let now = self.clock().steady();
        if until.saturating_sub(now) >= lease / 2 {
            return Ok((until, false));
        }
        let longer = now.saturating_add(lease);
        let renewed = self.meta().write(move |tx| {
            still_here(tx, &digest)?;
            lease::grow(tx, &digest, longer)?;
            Ok::<_, RegistryError>(())
        });
        match renewed.await {
            Ok(()) => Ok((longer, true)),
            // If the lease cannot be written (full disk), pushes are refused anyway: the answer stays 200.
            Err(WriteError::Store(error)) => {
                tracing::warn!(%error, "a lease could not be renewed");
                Ok((until, false))
            }
            Err(WriteError::Refused(error)) => Err(error),
        }
    }
}

/// The manifest that a tag or digest names in the repository.
pub(super) fn stored_manifest(
    tx: &impl Read,
    name: &RepoName,
    reference: &Reference,
) -> Result<(RepoId, Digest, ManifestRow), RegistryError> {
    let unknown = || RegistryError::ManifestUnknown { repo: name.clone(), reference: reference.clone() };
    let repo = known(tx, name)?;
    let digest = match reference {
        Reference::Digest(digest) => *digest,
        Reference::Tag(tag) => tag::get(tx, repo, tag)?.ok_or_else(unknown)?.digest,
    };
    let row = manifest::get(tx, repo, &digest)?.ok_or_else(unknown)?;
    Ok((repo, digest, row))
}

/// The same, as a pull remembers it.
fn to_pull(tx: &impl Read, name: &RepoName, reference: &Reference) -> Result<StoredManifest, RegistryError> {
    let (repo, digest, row) = stored_manifest(tx, name, reference)?;
    Ok(StoredManifest { repo, digest, row, until: lease::until(tx, &digest)?, body: None })
}

fn unknown(name: &RepoName, digest: &Digest) -> RegistryError {
    RegistryError::BlobUnknown { repo: name.clone(), digest: *digest }
}

/// The row of a blob that the repository has.
fn linked_row(tx: &impl Read, name: &RepoName, digest: &Digest) -> Result<blob::BlobRow, RegistryError> {
    // To a client, a repository that does not exist yet and one without this blob are the same: it will push.
    let id = repo::id_of(tx, name)?.ok_or_else(|| unknown(name, digest))?;
    if !blob::is_linked(tx, id, digest)? {
        return Err(unknown(name, digest));
    }
    blob::get(tx, digest)?.ok_or_else(|| unknown(name, digest))
}

#[cfg(test)]
mod tests;
