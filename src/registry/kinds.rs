//! What stored manifests are: asked of their rows, and decided again after an update.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::pull::stored_manifest;
use super::{Registry, RegistryError, derived, terms};
use crate::base::RepoId;
use crate::meta::manifest::{self, ManifestRow, Placed};
use crate::meta::{Read, WriteTx, blob, repo, tag, term};
use crate::oci::kind::{Summary, needs_config};
use crate::oci::{Digest, Manifest, Reference, RepoName};

/// Manifests that are indexed again in one step.
const BATCH: usize = 100;
/// Those whose rows one write closure changes: each has some thirty terms at most.
const AT_ONCE: usize = 20;
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

/// What the bytes of a manifest say, for its rows.
#[derive(Clone)]
struct Derived {
    summary: Summary,
    terms: Vec<String>,
    read: Manifest,
}

impl Derived {
    /// Writes it down, if the manifest is still here; tells whether its row said something else before.
    fn write(&self, tx: &mut WriteTx, repo: RepoId, digest: &Digest) -> Result<bool, RegistryError> {
        let Some(before) = manifest::get(tx, repo, digest)? else { return Ok(false) };
        let row = ManifestRow {
            summary: Some(self.summary.clone()),
            invocation: derived::invocation(&self.read),
            content_size: derived::content_size(tx, repo, &self.read, before.size)?,
            ..before.clone()
        };
        manifest::settle_untagged(tx, repo, digest, None, Some(&row))?;
        term::set(tx, repo, digest, &self.terms)?;
        if row != before {
            manifest::update(tx, repo, digest, &row);
        }
        Ok(row != before)
    }
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

    /// Decides again what the manifests after `after` are, at most a hundred of them, writes down what changed and brings
    /// the lists up to date with their tags and repositories.
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
        let places: Vec<(RepoId, Digest)> = rows.iter().map(|(repo, digest, _)| (*repo, *digest)).collect();
        let mut derived = Vec::new();
        for placed in rows {
            if let Some(found) = self.derive(&placed).await? {
                derived.push((placed.0, placed.1, found));
            }
        }
        for some in derived.chunks(AT_ONCE) {
            let some = some.to_vec();
            let write = self.meta().write(move |tx| {
                let mut changed = 0;
                for (repo, digest, found) in &some {
                    changed += u64::from(found.write(tx, *repo, digest)?);
                }
                Ok::<_, RegistryError>(changed)
            });
            done.changed += write.await?;
        }
        self.relist(&places).await?;
        if done.next.is_none() {
            self.list_the_unlisted().await?;
        }
        Ok(done)
    }

    /// Decides from the stored bytes; `None` when the manifest went meanwhile or does not read.
    async fn derive(&self, (repo, digest, row): &Placed) -> Result<Option<Derived>, RegistryError> {
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
        let summary = Summary::of(&read, config.as_deref(), &tags);
        let terms = terms::of(&read, config.as_deref());
        Ok(Some(Derived { summary, terms, read }))
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
