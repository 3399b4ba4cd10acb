//! Rows of blobs, of the repositories that have them, and of the files that hold them.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::key::{Key, KeyReader};
use super::record::{decode, encode};
use super::tables::{BLOB, BLOB_BODY, DOOMED, FILE, LINK, LINK_BY_DIGEST, Table};
use super::{MetaError, Read, WriteTx, repo};
use crate::base::{FileId, RepoId, Timestamp};
use crate::oci::Digest;

/// A blob as stored, whatever the number of repositories that have it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlobRow {
    /// Its bytes.
    pub size: u64,
    /// The file that holds them; `None` when they live in the metadata.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<FileId>,
    /// When it was first published.
    pub created: Timestamp,
}

/// A repository has a blob.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkRow {
    /// Since when.
    pub created: Timestamp,
}

/// A file that waits to be unlinked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DoomedRow {
    /// The digest of what it holds.
    pub digest: Digest,
    /// Since when it is doomed.
    pub since: Timestamp,
}

/// What the metadata says of a blob file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FileState {
    /// A blob's row names it.
    Published(Digest),
    /// It waits to be unlinked.
    Doomed,
}

/// The blob's row.
///
/// # Errors
/// When the store fails.
pub fn get(tx: &impl Read, digest: &Digest) -> Result<Option<BlobRow>, MetaError> {
    tx.get(BLOB, Key::new().digest(digest).as_ref())?.map(|value| decode(BLOB, &value)).transpose()
}

/// The bytes of a blob that lives in the metadata.
///
/// # Errors
/// When the store fails.
pub fn inline_body(tx: &impl Read, digest: &Digest) -> Result<Option<Bytes>, MetaError> {
    Ok(tx.get(BLOB_BODY, Key::new().digest(digest).as_ref())?.map(Bytes::from))
}

/// Publishes a blob whose bytes are in a file.
pub fn put_file(tx: &mut WriteTx, digest: &Digest, size: u64, file: FileId, created: Timestamp) {
    tx.put(FILE, &file.0, encode(digest));
    tx.put(BLOB, Key::new().digest(digest).as_ref(), encode(&BlobRow { size, file: Some(file), created }));
}

/// Publishes a blob whose bytes are at hand.
pub fn put_inline(tx: &mut WriteTx, digest: &Digest, body: &Bytes, created: Timestamp) {
    let row = BlobRow { size: body.len() as u64, file: None, created };
    tx.put(BLOB_BODY, Key::new().digest(digest).as_ref(), body.to_vec());
    tx.put(BLOB, Key::new().digest(digest).as_ref(), encode(&row));
}

/// Dooms a file: no row needs it, it will be unlinked.
pub fn doom(tx: &mut WriteTx, file: FileId, digest: Digest, since: Timestamp) {
    tx.delete(FILE, &file.0);
    tx.put(DOOMED, &file.0, encode(&DoomedRow { digest, since }));
}

/// What the metadata says of a file; `None` when it names it nowhere.
///
/// # Errors
/// When the store fails.
pub fn file_state(tx: &impl Read, file: FileId) -> Result<Option<FileState>, MetaError> {
    if let Some(value) = tx.get(FILE, &file.0)? {
        return Ok(Some(FileState::Published(decode(FILE, &value)?)));
    }
    Ok(tx.get(DOOMED, &file.0)?.map(|_| FileState::Doomed))
}

fn link_key(repo: RepoId, digest: &Digest) -> Key {
    Key::new().u64(repo.0).digest(digest)
}

/// Whether the repository has the blob.
///
/// # Errors
/// When the store fails.
pub fn is_linked(tx: &impl Read, repo: RepoId, digest: &Digest) -> Result<bool, MetaError> {
    Ok(tx.get(LINK, link_key(repo, digest).as_ref())?.is_some())
}

/// Gives the repository the blob, if it has it not yet.
///
/// # Errors
/// When the store fails.
pub fn link(tx: &mut WriteTx, repo: RepoId, digest: &Digest, size: u64, created: Timestamp) -> Result<(), MetaError> {
    if tx.put_new(LINK, link_key(repo, digest).as_ref(), encode(&LinkRow { created }))? {
        tx.put(LINK_BY_DIGEST, Key::new().digest(digest).u64(repo.0).as_ref(), Vec::new());
        repo::count(tx, repo, repo::Counter::BlobBytes, i64::try_from(size).unwrap_or(i64::MAX));
    }
    Ok(())
}

/// Takes the blob from the repository.
pub fn unlink(tx: &mut WriteTx, repo: RepoId, digest: &Digest, size: u64) {
    tx.delete(LINK, link_key(repo, digest).as_ref());
    tx.delete(LINK_BY_DIGEST, Key::new().digest(digest).u64(repo.0).as_ref());
    repo::count(tx, repo, repo::Counter::BlobBytes, -i64::try_from(size).unwrap_or(i64::MAX));
}

/// At most `limit` repositories that have the blob.
///
/// # Errors
/// When the store fails.
pub fn repos_with(tx: &impl Read, digest: &Digest, limit: usize) -> Result<Vec<RepoId>, MetaError> {
    repos_after(tx, digest, None, limit)
}

/// At most `limit` repositories that have the blob, from behind `after` on, in the order of their ids.
///
/// # Errors
/// When the store fails.
pub fn repos_after(
    tx: &impl Read,
    digest: &Digest,
    after: Option<RepoId>,
    limit: usize,
) -> Result<Vec<RepoId>, MetaError> {
    let prefix = Key::new().digest(digest);
    let end = Key::prefix_end(prefix.as_bytes());
    let from = after.map_or_else(|| prefix.clone(), |after| prefix.clone().u64(after.0).raw(&[0]));
    let rows = tx.range(LINK_BY_DIGEST, from.as_ref(), end.as_deref(), limit)?;
    rows.iter()
        .map(|(key, _)| {
            key.get(prefix.as_bytes().len()..)
                .and_then(|rest| KeyReader::new(rest).u64())
                .map(RepoId)
                .ok_or_else(|| MetaError::Corrupt("a link's key does not read".into()))
        })
        .collect()
}

/// At most `limit` blobs whose digests' keys lie in a range, each with a repository that has it.
///
/// # Errors
/// When the store fails.
pub fn in_range(
    tx: &impl Read,
    from: &[u8],
    to: Option<&[u8]>,
    limit: usize,
) -> Result<Vec<(Digest, RepoId)>, MetaError> {
    places(tx, LINK_BY_DIGEST, from, to, limit)
}

/// At most `limit` blobs of one repository whose digests' keys lie in a range.
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
    digests(tx, LINK, repo, from, to, limit)
}

/// Digests out of a table whose keys are repository and digest.
pub(super) fn digests(
    tx: &impl Read,
    table: Table,
    repo: RepoId,
    from: &[u8],
    to: Option<&[u8]>,
    limit: usize,
) -> Result<Vec<Digest>, MetaError> {
    let of = |key: &[u8]| Key::new().u64(repo.0).raw(key);
    let end = to.map_or_else(|| Key::prefix_end(of(&[]).as_bytes()), |to| Some(of(to).as_bytes().to_vec()));
    let keys = tx.keys(table, of(from).as_bytes(), end.as_deref(), limit)?;
    let digest = |key: &Vec<u8>| {
        let mut key = KeyReader::new(key);
        let digest = key.u64().and_then(|_| key.digest());
        digest.ok_or_else(|| MetaError::Corrupt("a digest's key does not read".into()))
    };
    keys.iter().map(digest).collect()
}

/// Digests with the repositories that have them, out of a table whose keys are digest and repository.
pub(super) fn places(
    tx: &impl Read,
    table: Table,
    from: &[u8],
    to: Option<&[u8]>,
    limit: usize,
) -> Result<Vec<(Digest, RepoId)>, MetaError> {
    let rows = tx.range(table, from, to, limit)?;
    rows.iter()
        .map(|(key, _)| {
            let mut key = KeyReader::new(key);
            let read = key.digest().zip(key.u64());
            let (digest, repo) =
                read.ok_or_else(|| MetaError::Corrupt(format!("a key of {} does not read", table.name())))?;
            Ok((digest, RepoId(repo)))
        })
        .collect()
}

/// At most `limit` blobs from behind `after` on, in the order of their digests.
///
/// # Errors
/// When the store fails.
pub fn scan(tx: &impl Read, after: Option<&Digest>, limit: usize) -> Result<Vec<(Digest, BlobRow)>, MetaError> {
    let from = after.map_or_else(Key::new, |after| Key::new().digest(after).raw(&[0]));
    let rows = tx.range(BLOB, from.as_ref(), None, limit)?;
    rows.iter()
        .map(|(key, value)| {
            let digest = KeyReader::new(key).digest();
            let digest = digest.ok_or_else(|| MetaError::Corrupt("a blob's key does not read".into()))?;
            Ok((digest, decode(BLOB, value)?))
        })
        .collect()
}

/// Removes the row of a blob that no repository has any more; its file is doomed.
pub fn remove(tx: &mut WriteTx, digest: &Digest, row: &BlobRow, now: Timestamp) {
    tx.delete(BLOB, Key::new().digest(digest).as_ref());
    match row.file {
        Some(file) => doom(tx, file, *digest, now),
        None => tx.delete(BLOB_BODY, Key::new().digest(digest).as_ref()),
    }
}

fn file_id(key: &[u8]) -> Result<FileId, MetaError> {
    let id = KeyReader::new(key).raw::<16>();
    id.map(FileId).ok_or_else(|| MetaError::Corrupt("a file's key does not read".into()))
}

fn behind(after: Option<FileId>) -> Key {
    after.map_or_else(Key::new, |after| Key::new().raw(&after.0).raw(&[0]))
}

/// At most `limit` doomed files from behind `after` on, in the order of their ids.
///
/// # Errors
/// When the store fails.
pub fn doomed(tx: &impl Read, after: Option<FileId>, limit: usize) -> Result<Vec<(FileId, DoomedRow)>, MetaError> {
    let rows = tx.range(DOOMED, behind(after).as_ref(), None, limit)?;
    rows.iter().map(|(key, value)| Ok((file_id(key)?, decode(DOOMED, value)?))).collect()
}

/// Forgets a doomed file whose name has been removed.
pub fn forget(tx: &mut WriteTx, file: FileId) {
    tx.delete(DOOMED, &file.0);
}

/// The files that blobs' rows name: at most `limit`, from behind `after` up to and with `last` (or the end), in the
/// order of their ids.
///
/// # Errors
/// When the store fails.
pub fn files(
    tx: &impl Read,
    after: Option<FileId>,
    last: Option<FileId>,
    limit: usize,
) -> Result<Vec<(FileId, Digest)>, MetaError> {
    let end = last.map(|last| behind(Some(last)));
    let rows = tx.range(FILE, behind(after).as_ref(), end.as_ref().map(AsRef::as_ref), limit)?;
    rows.iter().map(|(key, value)| Ok((file_id(key)?, decode(FILE, value)?))).collect()
}
