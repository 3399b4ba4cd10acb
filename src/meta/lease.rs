//! Leases: until when something acknowledged is kept although nothing refers to it; and marks of what was lost.

use super::key::Key;
use super::tables::{LEASE, LOST, META};
use super::{MetaError, Read, WriteTx};
use crate::base::{RepoId, Timestamp};
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

/// Marks that the repository had this blob or manifest and lost it now.
pub fn mark_lost(tx: &mut WriteTx, repo: RepoId, digest: &Digest, now: Timestamp) {
    tx.put(LOST, Key::new().u64(repo.0).digest(digest).as_ref(), now.0.to_be_bytes().to_vec());
}

/// Takes the mark away: the repository has it again.
pub fn clear_lost(tx: &mut WriteTx, repo: RepoId, digest: &Digest) {
    tx.delete(LOST, Key::new().u64(repo.0).digest(digest).as_ref());
}

/// When the repository lost this blob or manifest, if the mark is still kept.
///
/// # Errors
/// When the store fails.
pub fn lost(tx: &impl Read, repo: RepoId, digest: &Digest) -> Result<Option<Timestamp>, MetaError> {
    let value = tx.get(LOST, Key::new().u64(repo.0).digest(digest).as_ref())?;
    Ok(value.as_deref().and_then(number).map(Timestamp))
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
