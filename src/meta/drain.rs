//! Takes away the rows of a deleted repository, in bounded steps.
//!
//! Links go at once, whatever the leases, as when somebody deletes a blob; the blobs' own rows and files wait for their
//! leases and for collection. What happened there ([`super::tables::EVENT`]) stays on record.

use super::key::{Key, KeyReader};
use super::record::decode;
use super::tables::{
    EDGE, LINK, LINK_BY_DIGEST, LOST, MANIFEST, MANIFEST_TERMS, REFERRER, REPO, REPO_COUNTER, REPO_DELETED,
    REPO_LISTED, REPO_README, TAG, TAG_BY_MANIFEST, TAG_BY_NAME, TAG_HISTORY, TAG_ORDER, UNTAGGED,
};
use super::{MetaError, Read, Table, WriteTx, grant, manifest, repo, term};
use crate::base::RepoId;
use crate::oci::Digest;

/// Rows that one step takes away, about: what belongs to one more manifest may come on top.
const ROWS: usize = 400;

/// Tables whose rows of a repository stand alone.
const PLAIN: &[Table] = &[TAG_ORDER, TAG_BY_MANIFEST, TAG_HISTORY, UNTAGGED, EDGE, REFERRER, LOST];

/// One step over a repository that [`super::repo::bury`] took out of sight; true when nothing of it is left.
///
/// # Errors
/// When the store fails.
pub fn step(tx: &mut WriteTx, id: RepoId) -> Result<bool, MetaError> {
    let prefix = Key::new().u64(id.0);
    let rest = |key: &[u8]| key[prefix.as_bytes().len()..].to_vec();
    let mut left = ROWS;

    for (key, _) in tx.range_prefix(TAG, prefix.as_ref(), left / 2)? {
        tx.delete(TAG, &key);
        // The name stands at the front of the other key, with its terminator.
        tx.delete(TAG_BY_NAME, Key::new().raw(&rest(&key)).u64(id.0).as_ref());
        left -= 2;
    }
    for &table in PLAIN {
        for (key, _) in tx.range_prefix(table, prefix.as_ref(), left)? {
            tx.delete(table, &key);
            left -= 1;
        }
    }
    for (key, _) in tx.range_prefix(MANIFEST_TERMS, prefix.as_ref(), left / (term::MOST + 1))? {
        let digest = digest(&rest(&key))?;
        left = left.saturating_sub(term::of(tx, id, &digest)?.len() + 1);
        term::set(tx, id, &digest, &[])?;
    }
    if left > ROWS / 2 {
        for (key, value) in tx.range_prefix(MANIFEST, prefix.as_ref(), left / 4)? {
            let row: manifest::ManifestRow = decode(MANIFEST, &value)?;
            manifest::remove(tx, id, &digest(&rest(&key))?, row.size)?;
            left = left.saturating_sub(3 + usize::try_from(row.size).unwrap_or(usize::MAX) / manifest::PIECE);
            if left == 0 {
                return Ok(false);
            }
        }
    }
    for (key, _) in tx.range_prefix(LINK, prefix.as_ref(), left / 2)? {
        tx.delete(LINK, &key);
        tx.delete(LINK_BY_DIGEST, Key::new().raw(&rest(&key)).u64(id.0).as_ref());
    }
    for &table in [TAG, MANIFEST_TERMS, MANIFEST, LINK].iter().chain(PLAIN) {
        if !tx.range_prefix(table, prefix.as_ref(), 1)?.is_empty() {
            return Ok(false);
        }
    }

    if let Some(row) = repo::get(tx, id)?
        && !grant::clear_some(tx, id, &row.name, ROWS / 2)?
    {
        return Ok(false);
    }
    for (key, _) in tx.range_prefix(REPO_COUNTER, prefix.as_ref(), ROWS)? {
        tx.delete(REPO_COUNTER, &key);
    }
    for table in [REPO_README, REPO_LISTED, REPO, REPO_DELETED] {
        tx.delete(table, prefix.as_ref());
    }
    Ok(true)
}

fn digest(key: &[u8]) -> Result<Digest, MetaError> {
    KeyReader::new(key).digest().ok_or_else(|| MetaError::Corrupt("a manifest's key does not read".to_owned()))
}
