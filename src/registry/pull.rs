//! Pulling manifests and blobs.

use bytes::Bytes;

use super::{Registry, RegistryError, known};
use crate::base::FileId;
use crate::meta::{Read, blob, lease, manifest, repo, tag};
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
    /// A manifest by tag or digest (end-3). Its body has the digest under which it is given out, or is not given out.
    ///
    /// # Errors
    /// [`RegistryError::NameUnknown`], [`RegistryError::ManifestUnknown`], or the store's fault.
    pub fn pull_manifest(
        &self,
        name: &RepoName,
        reference: &Reference,
        with_body: bool,
    ) -> Result<PulledManifest, RegistryError> {
        let unknown = || RegistryError::ManifestUnknown { repo: name.clone(), reference: reference.clone() };
        let mut stored = None;
        let mut pulled = self.meta().read(|tx| {
            let id = known(tx, name)?;
            let digest = match reference {
                Reference::Digest(digest) => *digest,
                Reference::Tag(tag) => tag::get(tx, id, tag)?.ok_or_else(unknown)?.digest,
            };
            let row = manifest::get(tx, id, &digest)?.ok_or_else(unknown)?;
            let body = if with_body { self.0.bodies.get(&digest) } else { None };
            if with_body && body.is_none() {
                stored = Some(manifest::body(tx, &digest, row.size)?);
            }
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
        let lease = u64::try_from(self.settings().lease.as_millis()).unwrap_or(u64::MAX);
        let now = self.clock().steady();
        let (size, left) = self.meta().read(|tx| {
            let row = linked_row(tx, name, digest)?;
            let until = if may_push { lease::until(tx, digest)? } else { u64::MAX };
            Ok::<_, RegistryError>((row.size, until.saturating_sub(now)))
        })?;
        if left < lease / 2 {
            let (name, digest) = (name.clone(), *digest);
            let renewed = self.meta().write(move |tx| {
                linked_row(tx, &name, &digest)?;
                lease::grow(tx, &digest, now.saturating_add(lease))?;
                Ok::<_, RegistryError>(())
            });
            match renewed.await {
                Ok(()) => {}
                // If the lease cannot be written (full disk), pushes are refused anyway: the answer stays 200.
                Err(crate::meta::WriteError::Store(error)) => tracing::warn!(%error, "a lease could not be renewed"),
                Err(crate::meta::WriteError::Refused(error)) => return Err(error),
            }
        }
        Ok(PulledBlob { size, bytes: None })
    }
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
