//! What stored manifests are: asked of their rows, and decided again after an update.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::pull::stored_manifest;
use super::{Registry, RegistryError};
use crate::base::RepoId;
use crate::meta::manifest::{self, ManifestRow, Placed};
use crate::meta::{Read, blob, repo, tag};
use crate::oci::kind::{Summary, needs_config};
use crate::oci::{Digest, Manifest, Reference, RepoName};

/// Manifests that are indexed again in one step; one write closure changes their rows.
const BATCH: usize = 100;
/// Tags of a manifest that are looked at for a hint.
const TAGS: usize = 16;

/// How far indexing has come.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reindexed {
    /// Manifests looked at.
    pub looked: u64,
    /// Rows that said something else before.
    pub changed: u64,
    /// Behind which manifest to go on; `None` at the end.
    pub next: Option<(RepoId, Digest)>,
}

/// A blob's bytes, or the file that has them.
pub(super) type Found = (blob::BlobRow, Option<Bytes>);

impl Registry {
    /// What a stored manifest is, by tag or digest.
    ///
    /// # Errors
    /// [`RegistryError::NameUnknown`], [`RegistryError::ManifestUnknown`], or the store's fault.
    pub fn summary(&self, name: &RepoName, reference: &Reference) -> Result<Summary, RegistryError> {
        self.meta().read(|tx| {
            let (id, digest, row) = stored_manifest(tx, name, reference)?;
            summary_of(tx, id, &digest, &row)
        })
    }

    /// Decides again what the manifests after `after` are, at most a hundred of them, and writes down what changed.
    /// Safe at any time, and to be called until there is no `next`.
    ///
    /// # Errors
    /// When the store fails; what was written stands.
    pub async fn reindex(&self, after: Option<(RepoId, Digest)>) -> Result<Reindexed, RegistryError> {
        let rows = self.meta().read(|tx| manifest::scan(tx, after, BATCH))?;
        let mut done = Reindexed { looked: rows.len() as u64, ..Reindexed::default() };
        if rows.len() == BATCH {
            done.next = rows.last().map(|(repo, digest, _)| (*repo, *digest));
        }
        let mut changed = Vec::new();
        for placed in rows {
            if let Some(summary) = self.summarize(&placed).await?
                && placed.2.summary.as_ref() != Some(&summary)
            {
                changed.push((placed.0, placed.1, summary));
            }
        }
        done.changed = changed.len() as u64;
        if !changed.is_empty() {
            let write = self.meta().write(move |tx| {
                for (repo, digest, summary) in &changed {
                    // Deleted meanwhile?
                    let Some(mut row) = manifest::get(tx, *repo, digest)? else { continue };
                    row.summary = Some(summary.clone());
                    manifest::update(tx, *repo, digest, &row);
                }
                Ok::<_, RegistryError>(())
            });
            write.await?;
        }
        Ok(done)
    }

    /// Decides from the stored bytes; `None` when the manifest went meanwhile or does not read.
    async fn summarize(&self, (repo, digest, row): &Placed) -> Result<Option<Summary>, RegistryError> {
        let read = self.meta().read(|tx| {
            if manifest::get(tx, *repo, digest)?.is_none() {
                return Ok(None);
            }
            let body = manifest::body(tx, digest, row.size)?;
            let Ok(read) = Manifest::from_stored(row.media_type.clone(), &body) else { return Ok(None) };
            let found = find_config(tx, *repo, &read)?;
            Ok::<_, RegistryError>(Some((read, found, tag::of_manifest(tx, *repo, digest, TAGS)?)))
        })?;
        let Some((read, found, tags)) = read else { return Ok(None) };
        let config = self.content(found).await;
        Ok(Some(Summary::of(&read, config.as_deref(), &tags)))
    }

    /// The content of the config that tells what a manifest is, if the repository has it. What cannot be read tells
    /// nothing, and is no reason to refuse a push.
    pub(super) async fn config_content(&self, name: &RepoName, read: &Manifest) -> Option<Bytes> {
        needs_config(read)?;
        let found = self.meta().read(|tx| match repo::id_of(tx, name)? {
            Some(id) => find_config(tx, id, read),
            None => Ok(None),
        });
        match found {
            Ok(found) => self.content(found).await,
            Err(error) => {
                tracing::warn!(%error, "the config of a pushed manifest could not be looked up");
                None
            }
        }
    }

    pub(super) async fn content(&self, found: Option<Found>) -> Option<Bytes> {
        let (row, inline) = found?;
        let Some(file) = row.file else { return inline };
        match self.blobs().read_all(file, row.size).await {
            Ok(bytes) => Some(bytes),
            Err(error) => {
                tracing::warn!(%error, "the config of a manifest could not be read");
                None
            }
        }
    }
}

/// What lists show of a manifest: what its row says, or, when an earlier version wrote it, what its stored bytes say.
/// For rows without a summary this reads the body, and its config where that lives in the metadata; `reindex` makes
/// it last.
///
/// # Errors
/// When the store fails.
pub fn summary_of(tx: &impl Read, repo: RepoId, digest: &Digest, row: &ManifestRow) -> Result<Summary, RegistryError> {
    if let Some(summary) = row.summary.as_ref().filter(|summary| !summary.is_outdated()) {
        return Ok(summary.clone());
    }
    let body = manifest::body(tx, digest, row.size)?;
    // Nothing that can be read of it: an empty object of its type.
    let read = Manifest::from_stored(row.media_type.clone(), &body)
        .or_else(|_| Manifest::from_stored(row.media_type.clone(), b"{}"))
        .map_err(|error| crate::meta::MetaError::Corrupt(error.to_string()))?;
    let config = find_config(tx, repo, &read)?.and_then(|(_, inline)| inline);
    Ok(Summary::of(&read, config.as_deref(), &tag::of_manifest(tx, repo, digest, TAGS)?))
}

/// The config that tells what a manifest is, where this repository has it and it is as small as it should be.
fn find_config(tx: &impl Read, repo: RepoId, read: &Manifest) -> Result<Option<Found>, RegistryError> {
    let Some(config) = needs_config(read) else { return Ok(None) };
    if !blob::is_linked(tx, repo, &config.digest)? {
        return Ok(None);
    }
    // The descriptor may lie about the size; the row does not.
    let row = blob::get(tx, &config.digest)?.filter(|row| row.size <= crate::oci::kind::CONFIG_MAX);
    let Some(row) = row else { return Ok(None) };
    let inline = if row.file.is_none() { blob::inline_body(tx, &config.digest)? } else { None };
    Ok(Some((row, inline)))
}
