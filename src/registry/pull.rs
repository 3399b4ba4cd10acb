//! Pulling manifests and blobs.

use bytes::Bytes;

use super::trace::TraceEvent;
use super::{Registry, RegistryError, known};
use crate::base::{FileId, RepoId};
use crate::meta::manifest::ManifestRow;
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

impl Registry {
    /// A manifest to be read, by tag or digest (end-3, `GET`). Its body has the digest under which it is given out, or is
    /// not given out.
    ///
    /// # Errors
    /// [`RegistryError::NameUnknown`], [`RegistryError::ManifestUnknown`], or the store's fault.
    pub fn pull_manifest(&self, name: &RepoName, reference: &Reference) -> Result<PulledManifest, RegistryError> {
        let mut stored = None;
        let mut pulled = self.meta().read(|tx| {
            let (id, digest, row) = stored_manifest(tx, name, reference)?;
            let body = self.0.bodies.get(&digest);
            if body.is_none() {
                stored = Some(manifest::body(tx, &digest, row.size)?);
            }
            self.note_use(id, &digest, &row, true);
            Ok::<_, RegistryError>(PulledManifest { digest, media_type: row.media_type, size: row.size, body })
        })?;
        if let Some(body) = stored {
            pulled.body = Some(self.0.bodies.verify(&pulled.digest, body)?);
        }
        Ok(pulled)
    }

    /// A blob to be read (end-2, `GET`).
    ///
    /// # Errors
    /// [`RegistryError::NameUnknown`], [`RegistryError::BlobUnknown`], or the store's fault.
    pub fn pull_blob(&self, name: &RepoName, digest: &Digest) -> Result<PulledBlob, RegistryError> {
        self.meta().read(|tx| {
            let row = linked_row(tx, name, digest)?;
            let bytes = match row.file {
                Some(file) => BlobBytes::File(file),
                None => BlobBytes::Inline(blob::inline_body(tx, digest)?.ok_or_else(|| unknown(name, digest))?),
            };
            Ok(PulledBlob { size: row.size, bytes: Some(bytes) })
        })
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
        let (size, until) = self.meta().read(|tx| {
            let row = linked_row(tx, name, digest)?;
            Ok::<_, RegistryError>((row.size, lease::until(tx, digest)?))
        })?;
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
        let (found, until) = self.meta().read(|tx| {
            let (id, digest, row) = stored_manifest(tx, name, reference)?;
            self.note_use(id, &digest, &row, false);
            let found = PulledManifest { digest, media_type: row.media_type, size: row.size, body: None };
            Ok::<_, RegistryError>((found, lease::until(tx, &digest)?))
        })?;
        if may_push {
            let name = name.clone();
            let still_here =
                move |tx: &WriteTx, digest: &Digest| stored_manifest(tx, &name, &Reference::Digest(*digest)).map(drop);
            self.renew_lease(found.digest, until, still_here).await?;
        }
        Ok(found)
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
    let id = known(tx, name)?;
    let digest = match reference {
        Reference::Digest(digest) => *digest,
        Reference::Tag(tag) => tag::get(tx, id, tag)?.ok_or_else(unknown)?.digest,
    };
    let row = manifest::get(tx, id, &digest)?.ok_or_else(unknown)?;
    Ok((id, digest, row))
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
