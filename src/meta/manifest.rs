//! Rows of manifests, their bodies and the edges that they make.

use bytes::{Bytes, BytesMut};
use serde::{Deserialize, Serialize};

use super::key::{Key, KeyReader};
use super::record::{decode, encode};
use super::tables::{EDGE, MANIFEST, MANIFEST_BODY, MANIFEST_BY_DIGEST, UNTAGGED};
use super::{MetaError, Read, WriteTx, tag};
use crate::base::{RepoId, Timestamp};
use crate::oci::kind::{Kind, Summary};
use crate::oci::manifest::Role;
use crate::oci::{Digest, MediaType};

/// Bytes in one piece of a body: a value stays below the 100 kB that a distributed engine takes.
pub const PIECE: usize = 90_000;

/// A manifest of a repository as stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ManifestRow {
    /// The type under which it was pushed.
    pub media_type: MediaType,
    /// Bytes of its body.
    pub size: u64,
    /// `artifactType` of the body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<String>,
    /// The media type of its config.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config_media_type: Option<String>,
    /// What it is attached to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<Digest>,
    /// When it was first pushed here.
    pub created: Timestamp,
    /// When it was last pushed here.
    pub pushed: Timestamp,
    /// By whom.
    pub pusher: String,
    /// The invocation image that an application or CNAB bundle lists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invocation: Option<Digest>,
    /// Bytes of its body and of all that it and its children refer to, each digest once: blobs as their descriptors
    /// say, and children too when they were not here yet. Beyond 100 children (or 4 MiB of them) each counts by itself,
    /// with what it may share. Taken at the last push or reindexing.
    #[serde(default)]
    pub content_size: u64,
    /// How many of its references were not here when it was last pushed.
    #[serde(default)]
    pub missing: u64,
    /// When it was last pulled here, to about a day: pulls are counted in memory and written down in batches.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pulled: Option<Timestamp>,
    /// Steady time (ms) at which it was last pushed or pulled or lost a tag, pulls to about a day: from then on an
    /// untagged manifest's time runs. Steady, so that a wall clock that jumps does not end it.
    #[serde(default)]
    pub used: u64,
    /// What lists show of it; `None` in rows of versions that did not know kinds, until they are indexed again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub summary: Option<Summary>,
}

impl ManifestRow {
    /// What it is; [`Kind::Unknown`] for a row of an earlier version that is still to be reindexed.
    pub fn kind(&self) -> Kind {
        self.summary.as_ref().map_or(Kind::Unknown, |summary| summary.kind)
    }
}

/// What an edge says: the part that a child plays in its parent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Edge {
    /// The parts, each once, in the order of the manifest.
    pub roles: Vec<EdgeRole>,
}

/// [`Role`] as stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EdgeRole {
    /// The config blob.
    Config,
    /// A layer blob.
    Layer,
    /// A child manifest.
    Child,
    /// A child of an index that is no manifest.
    ForeignChild,
}

impl From<Role> for EdgeRole {
    fn from(role: Role) -> Self {
        match role {
            Role::Config => Self::Config,
            Role::Layer => Self::Layer,
            Role::Child => Self::Child,
            Role::ForeignChild => Self::ForeignChild,
        }
    }
}

fn key(repo: RepoId, digest: &Digest) -> Key {
    Key::new().u64(repo.0).digest(digest)
}

/// The manifest's row in this repository.
///
/// # Errors
/// When the store fails.
pub fn get(tx: &impl Read, repo: RepoId, digest: &Digest) -> Result<Option<ManifestRow>, MetaError> {
    tx.get(MANIFEST, key(repo, digest).as_ref())?.map(|value| decode(MANIFEST, &value)).transpose()
}

/// Sets the manifest's row in this repository.
pub fn put(tx: &mut WriteTx, repo: RepoId, digest: &Digest, row: &ManifestRow) {
    tx.put(MANIFEST, key(repo, digest).as_ref(), encode(row));
    tx.put(MANIFEST_BY_DIGEST, Key::new().digest(digest).u64(repo.0).as_ref(), Vec::new());
}

/// Changes the row of a manifest that this repository has.
pub fn update(tx: &mut WriteTx, repo: RepoId, digest: &Digest, row: &ManifestRow) {
    tx.put(MANIFEST, key(repo, digest).as_ref(), encode(row));
}

/// Notes that the manifest was in use at `steady` (ms), if it is here: its time without use begins anew.
///
/// # Errors
/// When the store fails.
pub fn touch(tx: &mut WriteTx, repo: RepoId, digest: &Digest, steady: u64) -> Result<(), MetaError> {
    if let Some(mut row) = get(tx, repo, digest)?
        && row.used < steady
    {
        row.used = steady;
        update(tx, repo, digest, &row);
    }
    Ok(())
}

fn untagged_key(repo: RepoId, digest: &Digest, pushed: Timestamp) -> Key {
    Key::new().u64(repo.0).u64(!pushed.0).digest(digest)
}

/// Brings the list of untagged manifests up to date with a manifest: its row as it stands now (`None` when it is gone),
/// and when it had been pushed before. To be called when the row or the tags that point at it have changed.
///
/// # Errors
/// When the store fails.
pub fn settle_untagged(
    tx: &mut WriteTx,
    repo: RepoId,
    digest: &Digest,
    before: Option<Timestamp>,
    row: Option<&ManifestRow>,
) -> Result<(), MetaError> {
    let now = match row {
        Some(row) if tag::of_manifest(tx, repo, digest, 1)?.is_empty() => Some(row.pushed),
        _ => None,
    };
    let stale = before.into_iter().chain(row.map(|row| row.pushed)).filter(|pushed| Some(*pushed) != now);
    for pushed in stale {
        let key = untagged_key(repo, digest, pushed);
        if tx.get(UNTAGGED, key.as_ref())?.is_some() {
            tx.delete(UNTAGGED, key.as_ref());
        }
    }
    if let Some(pushed) = now {
        tx.put_new(UNTAGGED, untagged_key(repo, digest, pushed).as_ref(), Vec::new())?;
    }
    Ok(())
}

/// At most `limit` manifests that no tag points at, the latest push first, behind the place `after`: each with its
/// place.
///
/// # Errors
/// When the store fails.
pub fn untagged(
    tx: &impl Read,
    repo: RepoId,
    after: Option<&[u8]>,
    limit: usize,
) -> Result<Vec<(Vec<u8>, Digest)>, MetaError> {
    let prefix = Key::new().u64(repo.0);
    let end = Key::prefix_end(prefix.as_bytes());
    let from = after.map_or_else(|| prefix.clone(), |after| prefix.clone().raw(after).raw(&[0]));
    let rows = tx.range(UNTAGGED, from.as_ref(), end.as_deref(), limit)?;
    rows.into_iter()
        .map(|(key, _)| {
            let place = key[prefix.as_bytes().len()..].to_vec();
            let mut reader = KeyReader::new(&place);
            let digest = reader.u64().and_then(|_| reader.digest());
            let digest = digest.ok_or_else(|| MetaError::Corrupt("an untagged manifest's key does not read".into()))?;
            Ok((place, digest))
        })
        .collect()
}

/// A manifest of a repository, with its row.
pub type Placed = (RepoId, Digest, ManifestRow);

/// At most `limit` manifests of all repositories, from behind `after` on.
///
/// # Errors
/// When the store fails.
pub fn scan(tx: &impl Read, after: Option<(RepoId, Digest)>, limit: usize) -> Result<Vec<Placed>, MetaError> {
    let from = after.map_or_else(Key::new, |(repo, digest)| key(repo, &digest).raw(&[0]));
    let rows = tx.range(MANIFEST, from.as_ref(), None, limit)?;
    rows.iter()
        .map(|(key, value)| {
            let mut key = KeyReader::new(key);
            let read = key.u64().zip(key.digest());
            let (repo, digest) = read.ok_or_else(|| MetaError::Corrupt("a manifest's key does not read".into()))?;
            Ok((RepoId(repo), digest, decode(MANIFEST, value)?))
        })
        .collect()
}

/// Removes the manifest's row from this repository, and its body when no other repository has it.
///
/// # Errors
/// When the store fails.
pub fn remove(tx: &mut WriteTx, repo: RepoId, digest: &Digest, size: u64) -> Result<(), MetaError> {
    tx.delete(MANIFEST, key(repo, digest).as_ref());
    tx.delete(MANIFEST_BY_DIGEST, Key::new().digest(digest).u64(repo.0).as_ref());
    if !is_anywhere(tx, digest)? {
        for piece in 0..pieces(size) {
            tx.delete(MANIFEST_BODY, Key::new().digest(digest).u64(piece).as_ref());
        }
    }
    Ok(())
}

/// At most `limit` manifests of a repository behind `after`, in the order of their digests' keys.
///
/// # Errors
/// When the store fails.
pub fn of_repo(tx: &impl Read, repo: RepoId, after: Option<&Digest>, limit: usize) -> Result<Vec<Digest>, MetaError> {
    let prefix = Key::new().u64(repo.0);
    let from = after.map_or_else(|| prefix.clone(), |digest| key(repo, digest).raw(&[0]));
    let end = Key::prefix_end(prefix.as_bytes());
    let rows = tx.range(MANIFEST, from.as_ref(), end.as_deref(), limit)?;
    let digest = |key: &[u8]| {
        let mut key = KeyReader::new(key);
        key.u64().and_then(|_| key.digest()).ok_or_else(|| MetaError::Corrupt("a manifest's key does not read".into()))
    };
    rows.iter().map(|(key, _)| digest(key)).collect()
}

/// Whether any repository has this manifest.
///
/// # Errors
/// When the store fails.
pub fn is_anywhere(tx: &impl Read, digest: &Digest) -> Result<bool, MetaError> {
    let prefix = Key::new().digest(digest);
    let end = Key::prefix_end(prefix.as_bytes());
    Ok(!tx.range(MANIFEST_BY_DIGEST, prefix.as_ref(), end.as_deref(), 1)?.is_empty())
}

/// Whether another repository than this one has the manifest.
///
/// # Errors
/// When the store fails.
pub fn is_elsewhere(tx: &impl Read, repo: RepoId, digest: &Digest) -> Result<bool, MetaError> {
    let prefix = Key::new().digest(digest);
    let end = Key::prefix_end(prefix.as_bytes());
    let own = prefix.clone().u64(repo.0);
    let rows = tx.range(MANIFEST_BY_DIGEST, prefix.as_ref(), end.as_deref(), 2)?;
    Ok(rows.iter().any(|(key, _)| key.as_slice() != own.as_bytes()))
}

/// At most `limit` manifests whose digests' keys lie in a range, each with a repository that has it.
///
/// # Errors
/// When the store fails.
pub fn in_range(
    tx: &impl Read,
    from: &[u8],
    to: Option<&[u8]>,
    limit: usize,
) -> Result<Vec<(Digest, RepoId)>, MetaError> {
    super::blob::places(tx, MANIFEST_BY_DIGEST, from, to, limit)
}

/// At most `limit` manifests of one repository whose digests' keys lie in a range.
///
/// # Errors
/// When the store fails.
pub fn of_repo_in_range(
    tx: &impl Read,
    repo: RepoId,
    from: &[u8],
    to: Option<&[u8]>,
    limit: usize,
) -> Result<Vec<Digest>, MetaError> {
    super::blob::digests(tx, MANIFEST, repo, from, to, limit)
}

fn pieces(size: u64) -> u64 {
    size.div_ceil(PIECE as u64)
}

/// Stores a body, in pieces.
pub fn put_body(tx: &mut WriteTx, digest: &Digest, body: &[u8]) {
    for (piece, bytes) in (0..).zip(body.chunks(PIECE)) {
        tx.put(MANIFEST_BODY, Key::new().digest(digest).u64(piece).as_ref(), bytes.to_vec());
    }
}

/// The body of a manifest that is `size` bytes long, exactly as pushed.
///
/// # Errors
/// [`MetaError::Corrupt`] when a piece is missing; when the store fails.
pub fn body(tx: &impl Read, digest: &Digest, size: u64) -> Result<Bytes, MetaError> {
    let mut pieces = (0..pieces(size)).map(|piece| {
        tx.get(MANIFEST_BODY, Key::new().digest(digest).u64(piece).as_ref())?
            .ok_or_else(|| MetaError::Corrupt(format!("a piece of the body of manifest {digest} is missing")))
    });
    // Nearly every manifest has one piece, which is handed on without a copy.
    let first = pieces.next().transpose()?.unwrap_or_default();
    if first.len() as u64 == size {
        return Ok(first.into());
    }
    let mut body = BytesMut::from(first.as_slice());
    for piece in pieces {
        body.extend_from_slice(&piece?);
    }
    Ok(body.freeze())
}

/// Draws an edge from a child to its parent.
pub fn put_edge(tx: &mut WriteTx, repo: RepoId, child: &Digest, parent: &Digest, edge: &Edge) {
    tx.put(EDGE, key(repo, child).digest(parent).as_ref(), encode(edge));
}

/// Removes an edge.
pub fn remove_edge(tx: &mut WriteTx, repo: RepoId, child: &Digest, parent: &Digest) {
    tx.delete(EDGE, key(repo, child).digest(parent).as_ref());
}

/// At most `limit` manifests of this repository that refer to `child`.
///
/// # Errors
/// When the store fails.
pub fn parents(tx: &impl Read, repo: RepoId, child: &Digest, limit: usize) -> Result<Vec<Digest>, MetaError> {
    parents_after(tx, repo, child, None, limit)
}

/// The same from behind `after` on, in the order of the parents' digests.
///
/// # Errors
/// When the store fails.
pub fn parents_after(
    tx: &impl Read,
    repo: RepoId,
    child: &Digest,
    after: Option<&Digest>,
    limit: usize,
) -> Result<Vec<Digest>, MetaError> {
    let prefix = key(repo, child);
    let end = Key::prefix_end(prefix.as_bytes());
    let from = after.map_or_else(|| prefix.clone(), |after| prefix.clone().digest(after).raw(&[0]));
    let rows = tx.range(EDGE, from.as_ref(), end.as_deref(), limit)?;
    rows.iter()
        .map(|(key, _)| {
            key.get(prefix.as_bytes().len()..)
                .and_then(|rest| KeyReader::new(rest).digest())
                .ok_or_else(|| MetaError::Corrupt("an edge's key does not read".into()))
        })
        .collect()
}
