//! Leases: until when something acknowledged is kept although nothing refers to it; and marks of what was lost.

use super::key::{Key, KeyReader};
use super::tables::{LEASE, LOST, META};
use super::{MetaError, Read, WriteTx};
use crate::base::RepoId;
use crate::oci::Digest;

const STEADY: &[u8] = b"steady";

fn number(value: &[u8]) -> Option<u64> {
    Some(u64::from_be_bytes(value.try_into().ok()?))
}

/// The steady time (ms) at which the lease on a blob or manifest runs out; 0 when there is none.
///
/// # Errors
/// When the store fails.
pub fn until(tx: &impl Read, digest: &Digest) -> Result<u64, MetaError> {
    Ok(tx.get(LEASE, Key::new().digest(digest).as_ref())?.as_deref().and_then(number).unwrap_or(0))
}

/// Lets the lease run until `until` (steady ms) at least: leases only grow, so that what a read saw stays true.
///
/// # Errors
/// When the store fails.
pub fn grow(tx: &mut WriteTx, digest: &Digest, until: u64) -> Result<(), MetaError> {
    if self::until(tx, digest)? < until {
        tx.put(LEASE, Key::new().digest(digest).as_ref(), until.to_be_bytes().to_vec());
    }
    Ok(())
}

/// Marks that the repository had this blob or manifest and lost it at `steady` (ms). Steady time, like leases: a wall
/// clock that jumps must not make a repository forget what it lost.
pub fn mark_lost(tx: &mut WriteTx, repo: RepoId, digest: &Digest, steady: u64) {
    tx.put(LOST, Key::new().u64(repo.0).digest(digest).as_ref(), steady.to_be_bytes().to_vec());
}

/// Takes the mark away: the repository has it again.
pub fn clear_lost(tx: &mut WriteTx, repo: RepoId, digest: &Digest) {
    tx.delete(LOST, Key::new().u64(repo.0).digest(digest).as_ref());
}

/// When (steady ms) the repository lost this blob or manifest, if the mark is still kept.
///
/// # Errors
/// When the store fails.
pub fn lost(tx: &impl Read, repo: RepoId, digest: &Digest) -> Result<Option<u64>, MetaError> {
    let value = tx.get(LOST, Key::new().u64(repo.0).digest(digest).as_ref())?;
    Ok(value.as_deref().and_then(number))
}

/// At most `limit` leases from behind `after` on, in the order of their digests, with the steady time at which each
/// runs out.
///
/// # Errors
/// When the store fails.
pub fn scan(tx: &impl Read, after: Option<&Digest>, limit: usize) -> Result<Vec<(Digest, u64)>, MetaError> {
    let from = after.map_or_else(Key::new, |after| Key::new().digest(after).raw(&[0]));
    let rows = tx.range(LEASE, from.as_ref(), None, limit)?;
    rows.iter()
        .map(|(key, value)| {
            let read = KeyReader::new(key).digest().zip(number(value));
            read.ok_or_else(|| MetaError::Corrupt("a lease does not read".into()))
        })
        .collect()
}

/// Removes a lease. Only for one that has run out and whose digest nothing stored bears: elsewhere a lease that
/// shrinks would break a promise.
pub fn remove(tx: &mut WriteTx, digest: &Digest) {
    tx.delete(LEASE, Key::new().digest(digest).as_ref());
}

/// A mark of what a repository lost, and when (steady ms).
pub type Mark = (RepoId, Digest, u64);

/// At most `limit` marks of what was lost, from behind `after` on.
///
/// # Errors
/// When the store fails.
pub fn scan_lost(tx: &impl Read, after: Option<(RepoId, Digest)>, limit: usize) -> Result<Vec<Mark>, MetaError> {
    let from = after.map_or_else(Key::new, |(repo, digest)| Key::new().u64(repo.0).digest(&digest).raw(&[0]));
    let rows = tx.range(LOST, from.as_ref(), None, limit)?;
    rows.iter()
        .map(|(key, value)| {
            let mut key = KeyReader::new(key);
            let read = key.u64().zip(key.digest()).zip(number(value));
            let ((repo, digest), when) = read.ok_or_else(|| MetaError::Corrupt("a mark does not read".into()))?;
            Ok((RepoId(repo), digest, when))
        })
        .collect()
}

/// The steady time that earlier runs have seen pass, in ms.
///
/// # Errors
/// When the store fails.
pub fn remembered_steady(tx: &impl Read) -> Result<u64, MetaError> {
    Ok(tx.get(META, STEADY)?.as_deref().and_then(number).unwrap_or(0))
}

/// Remembers steady time. What passes between the last call and a crash is forgotten, which only lengthens leases.
pub fn remember_steady(tx: &mut WriteTx, steady: u64) {
    tx.put(META, STEADY, steady.to_be_bytes().to_vec());
}
