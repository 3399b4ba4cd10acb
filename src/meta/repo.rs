//! Rows of repositories.

use serde::{Deserialize, Serialize};

use super::key::{Key, KeyReader};
use super::record::{decode, encode};
use super::tables::{META, REPO, REPO_BY_NAME, REPO_COUNTER};
use super::{MetaError, Read, WriteTx};
use crate::base::{RepoId, Timestamp};
use crate::oci::RepoName;

/// Where the number of repositories is kept.
const TOTAL: &[u8] = b"repositories";

/// A repository as stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RepoRow {
    /// Its name.
    pub name: RepoName,
    /// When its first push was acknowledged.
    pub created: Timestamp,
}

/// What is counted for each repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counter {
    /// Tags.
    Tags,
    /// Manifests, tagged or not.
    Manifests,
    /// Bytes of the blobs that it has.
    BlobBytes,
}

impl Counter {
    const fn name(self) -> &'static str {
        match self {
            Self::Tags => "tags",
            Self::Manifests => "manifests",
            Self::BlobBytes => "blob_bytes",
        }
    }
}

/// The id of the repository that bears this name now.
///
/// # Errors
/// When the store fails.
pub fn id_of(tx: &impl Read, name: &RepoName) -> Result<Option<RepoId>, MetaError> {
    let row = tx.get(REPO_BY_NAME, Key::new().text(name.as_str()).as_ref())?;
    row.map(|value| decode(REPO_BY_NAME, &value)).transpose()
}

/// The repository's row.
///
/// # Errors
/// When the store fails.
pub fn get(tx: &impl Read, id: RepoId) -> Result<Option<RepoRow>, MetaError> {
    tx.get(REPO, Key::new().u64(id.0).as_ref())?.map(|value| decode(REPO, &value)).transpose()
}

/// Makes a repository.
pub fn create(tx: &mut WriteTx, id: RepoId, row: &RepoRow) {
    tx.put(REPO_BY_NAME, Key::new().text(row.name.as_str()).as_ref(), encode(&id));
    tx.put(REPO, Key::new().u64(id.0).as_ref(), encode(row));
    tx.add(META, TOTAL, 1);
}

/// At most `limit` names after `last`, in byte order.
///
/// # Errors
/// When the store fails.
pub fn names(tx: &impl Read, last: Option<&str>, limit: usize) -> Result<Vec<RepoName>, MetaError> {
    let from = after(&Key::new(), last);
    let rows = tx.range(REPO_BY_NAME, &from, None, limit)?;
    rows.iter()
        .map(|(key, _)| {
            KeyReader::new(key)
                .text()
                .and_then(|name| RepoName::parse(name).ok())
                .ok_or_else(|| MetaError::Corrupt("a repository name does not read".into()))
        })
        .collect()
}

/// How many repositories there are.
///
/// # Errors
/// When the store fails.
pub fn total(tx: &impl Read) -> Result<u64, MetaError> {
    Ok(u64::try_from(tx.counter(META, TOTAL)?).unwrap_or(0))
}

/// Moves a counter.
pub fn count(tx: &mut WriteTx, id: RepoId, counter: Counter, delta: i64) {
    tx.add(REPO_COUNTER, Key::new().u64(id.0).text(counter.name()).as_ref(), delta);
}

/// Reads a counter.
///
/// # Errors
/// When the store fails.
pub fn counted(tx: &impl Read, id: RepoId, counter: Counter) -> Result<i64, MetaError> {
    tx.counter(REPO_COUNTER, Key::new().u64(id.0).text(counter.name()).as_ref())
}

/// The first key strictly after `prefix` + `last` in a table whose keys go on with a text. `last` comes from a client
/// and may be any text; a zero byte ends it, as nothing stored contains one.
pub(super) fn after(prefix: &Key, last: Option<&str>) -> Vec<u8> {
    let mut from = prefix.as_bytes().to_vec();
    if let Some(last) = last {
        from.extend_from_slice(last.split('\0').next().unwrap_or_default().as_bytes());
        // Texts end with a zero byte, so `last` itself is `last\0`; one more byte passes it.
        from.extend_from_slice(&[0, 0]);
    }
    from
}
