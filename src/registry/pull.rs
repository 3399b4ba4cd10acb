//! Pulling manifests and blobs.

use bytes::Bytes;

use super::trace::TraceEvent;
use super::{Registry, RegistryError, known};
use crate::base::FileId;
use crate::meta::{Read, WriteError, blob, lease, manifest, repo, tag};
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
    /// A manifest by tag or digest (end-3).
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
        self.meta().read(|tx| {
            let id = known(tx, name)?;
            let digest = match reference {
                Reference::Digest(digest) => *digest,
                Reference::Tag(tag) => tag::get(tx, id, tag)?.ok_or_else(unknown)?.digest,
            };
            let row = manifest::get(tx, id, &digest)?.ok_or_else(unknown)?;
            let body = if with_body { Some(manifest::body(tx, &digest, row.size)?) } else { None };
            self.note_use(id, &digest, &row, with_body);
            Ok(PulledManifest { digest, media_type: row.media_type, size: row.size, body })
        })
    }

    /// Keeps a manifest for one who `HEAD`s it by digest and may push: they may refer to it in what they push next,
    /// without sending it again. As with blobs, the lease is renewed when less than half of it is left.
    ///
    /// # Errors
    /// [`RegistryError::ManifestUnknown`] when it went meanwhile; the store's fault.
    pub async fn keep_manifest(&self, name: &RepoName, digest: &Digest) -> Result<(), RegistryError> {
        let lease = u64::try_from(self.settings().lease.as_millis()).unwrap_or(u64::MAX);
        let now = self.clock().steady();
        let until = self.meta().read(|tx| Ok::<_, RegistryError>(lease::until(tx, digest)?))?;
        if until.saturating_sub(now) >= lease / 2 {
            return Ok(());
        }
        let (name, digest) = (name.clone(), *digest);
        let renewed = self.meta().write(move |tx| {
            let unknown =
                || RegistryError::ManifestUnknown { repo: name.clone(), reference: Reference::Digest(digest) };
            let id = known(tx, &name)?;
            manifest::get(tx, id, &digest)?.ok_or_else(unknown)?;
            lease::grow(tx, &digest, now.saturating_add(lease))?;
            Ok::<_, RegistryError>(())
        });
        unless_the_store_is_full(renewed.await)
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
        let renewed = left < lease / 2;
        if renewed {
            let (name, digest) = (name.clone(), *digest);
            let renewed = self.meta().write(move |tx| {
                linked_row(tx, &name, &digest)?;
                lease::grow(tx, &digest, now.saturating_add(lease))?;
                Ok::<_, RegistryError>(())
            });
            unless_the_store_is_full(renewed.await)?;
        }
        if may_push {
            self.trace().tell(|| TraceEvent::HeadAnswered {
                repo: name.clone(),
                digest: *digest,
                lease_until: now.saturating_add(if renewed { lease } else { left }),
                renewed,
            });
        }
        Ok(PulledBlob { size, bytes: None })
    }
}

/// If a lease cannot be written (full disk), pushes are refused anyway: the answer stays 200.
fn unless_the_store_is_full(renewed: Result<(), WriteError<RegistryError>>) -> Result<(), RegistryError> {
    match renewed {
        Ok(()) => Ok(()),
        Err(WriteError::Store(error)) => {
            tracing::warn!(%error, "a lease could not be renewed");
            Ok(())
        }
        Err(WriteError::Refused(error)) => Err(error),
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
