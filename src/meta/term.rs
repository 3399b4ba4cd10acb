//! Rows of terms: the words and `key=value` pairs by which manifests are found.

use super::key::{Key, KeyReader};
use super::record::{decode, encode};
use super::tables::{MANIFEST_TERMS, TERM};
use super::{MetaError, Read, WriteTx};
use crate::base::RepoId;
use crate::oci::Digest;

/// The most terms of one manifest.
pub const MOST: usize = 32;
/// Bytes of the longest term; what is longer is cut.
pub const LONGEST: usize = 120;

fn of_key(repo: RepoId, digest: &Digest) -> Key {
    Key::new().u64(repo.0).digest(digest)
}

fn key(term: &str, repo: RepoId, digest: &Digest) -> Key {
    Key::new().text(term).u64(repo.0).digest(digest)
}

/// The terms by which a manifest is found now.
///
/// # Errors
/// When the store fails.
pub fn of(tx: &impl Read, repo: RepoId, digest: &Digest) -> Result<Vec<String>, MetaError> {
    let row = tx.get(MANIFEST_TERMS, of_key(repo, digest).as_ref())?;
    row.map_or_else(|| Ok(Vec::new()), |value| decode(MANIFEST_TERMS, &value))
}

/// Lets a manifest be found by these terms and no others: at most [`MOST`], each at most [`LONGEST`] bytes long,
/// without zero bytes.
///
/// # Errors
/// When the store fails.
pub fn set(tx: &mut WriteTx, repo: RepoId, digest: &Digest, terms: &[String]) -> Result<(), MetaError> {
    let before = of(tx, repo, digest)?;
    if before == terms {
        return Ok(());
    }
    for gone in before.iter().filter(|term| !terms.contains(term)) {
        tx.delete(TERM, key(gone, repo, digest).as_ref());
    }
    for new in terms.iter().filter(|term| !before.contains(term)) {
        tx.put(TERM, key(new, repo, digest).as_ref(), Vec::new());
    }
    if terms.is_empty() {
        tx.delete(MANIFEST_TERMS, of_key(repo, digest).as_ref());
    } else {
        tx.put(MANIFEST_TERMS, of_key(repo, digest).as_ref(), encode(&terms));
    }
    Ok(())
}

/// The manifests of a repository that are found by terms, and those terms: at most `limit`, by digest, those behind `after`.
///
/// # Errors
/// When the store fails.
pub fn of_repo(
    tx: &impl Read,
    repo: RepoId,
    after: Option<&Digest>,
    limit: usize,
) -> Result<Vec<(Digest, Vec<String>)>, MetaError> {
    let all = Key::new().u64(repo.0);
    // No key of this table is the beginning of another one: a zero byte behind it is what comes next.
    let from = after.map(|digest| [of_key(repo, digest).as_ref(), &[0]].concat());
    let from = from.as_deref().unwrap_or(all.as_ref());
    let rows = tx.range(MANIFEST_TERMS, from, Key::prefix_end(all.as_ref()).as_deref(), limit)?;
    rows.iter()
        .map(|(key, value)| {
            let mut key = KeyReader::new(key);
            let digest = key.u64().and_then(|_| key.digest());
            let digest = digest.ok_or_else(|| MetaError::Corrupt("the key of terms does not read".into()))?;
            Ok((digest, decode(MANIFEST_TERMS, value)?))
        })
        .collect()
}

/// A manifest with the term by which it was found.
pub type Hit = (String, RepoId, Digest);

/// At most `limit` manifests with a term that begins with `text`, in the order of the terms.
///
/// # Errors
/// When the store fails.
pub fn find(tx: &impl Read, text: &str, limit: usize) -> Result<Vec<Hit>, MetaError> {
    let rows = tx.range_prefix(TERM, text.as_bytes(), limit)?;
    rows.iter()
        .map(|(key, _)| {
            let mut key = KeyReader::new(key);
            let hit = key.text().zip(key.u64()).zip(key.digest());
            let ((term, repo), digest) = hit.ok_or_else(|| MetaError::Corrupt("a term's key does not read".into()))?;
            Ok((term.to_owned(), RepoId(repo), digest))
        })
        .collect()
}
