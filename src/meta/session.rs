//! Sessions of the pages, under the SHA-256 of their tokens.

use serde::{Deserialize, Serialize};

use super::engine::{MetaError, Read, WriteTx};
use super::key::{Key, KeyReader};
use super::record::{decode, encode};
use super::tables::{SESSION, SESSION_BY_ACCOUNT};
use crate::base::Timestamp;

/// The most sessions that one account has at a time; a new one makes the oldest go.
pub const MAX_SESSIONS: usize = 64;

/// The SHA-256 of a session's token: what is stored of it.
pub type SessionHash = [u8; 32];

/// A session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionRow {
    /// Whose it is.
    pub account: String,
    /// The account's revision when it was opened.
    pub revision: u64,
    /// When it was opened.
    pub opened: Timestamp,
    /// When it was last used, give or take some minutes.
    pub seen: Timestamp,
    /// Where it was opened from.
    pub address: String,
    /// What the browser called itself.
    pub agent: String,
}

/// The session under this hash.
///
/// # Errors
/// [`MetaError`] when the store fails.
pub fn get(tx: &impl Read, hash: &SessionHash) -> Result<Option<SessionRow>, MetaError> {
    tx.get(SESSION, hash)?.map(|value| decode(SESSION, &value)).transpose()
}

/// Stores a new session; the oldest of the same account go while there are [`MAX_SESSIONS`].
///
/// # Errors
/// [`MetaError`] when the store fails.
pub fn open(tx: &mut WriteTx, hash: &SessionHash, row: &SessionRow) -> Result<(), MetaError> {
    let opened = keys(tx, &row.account)?;
    let surplus = (opened.len() + 1).saturating_sub(MAX_SESSIONS);
    for (key, older) in opened.into_iter().take(surplus) {
        tx.delete(SESSION, &older);
        tx.delete(SESSION_BY_ACCOUNT, &key);
    }
    tx.put(SESSION, hash, encode(row));
    tx.put(SESSION_BY_ACCOUNT, index_key(hash, row).as_bytes(), Vec::new());
    Ok(())
}

/// Stores that a session was used.
pub fn touch(tx: &mut WriteTx, hash: &SessionHash, row: &SessionRow) {
    tx.put(SESSION, hash, encode(row));
}

/// Removes a session.
pub fn delete(tx: &mut WriteTx, hash: &SessionHash, row: &SessionRow) {
    tx.delete(SESSION, hash);
    tx.delete(SESSION_BY_ACCOUNT, index_key(hash, row).as_bytes());
}

/// Removes all sessions of an account.
///
/// # Errors
/// [`MetaError`] when the store fails.
pub fn delete_all(tx: &mut WriteTx, account: &str) -> Result<(), MetaError> {
    for (key, hash) in keys(tx, account)? {
        tx.delete(SESSION, &hash);
        tx.delete(SESSION_BY_ACCOUNT, &key);
    }
    Ok(())
}

/// Up to `limit` sessions behind `after`, in the order of their hashes.
///
/// # Errors
/// [`MetaError`] when the store fails.
pub fn list(
    tx: &impl Read,
    after: Option<&SessionHash>,
    limit: usize,
) -> Result<Vec<(SessionHash, SessionRow)>, MetaError> {
    let from = after.map(|after| Key::new().raw(after).raw(&[0])).unwrap_or_default();
    let rows = tx.range(SESSION, from.as_bytes(), None, limit)?;
    let mut sessions = Vec::with_capacity(rows.len());
    for (key, value) in rows {
        let hash = SessionHash::try_from(key.as_slice()).map_err(|_| corrupt(SESSION))?;
        sessions.push((hash, decode(SESSION, &value)?));
    }
    Ok(sessions)
}

/// The sessions of an account, the oldest first; of them those that have ended and were not removed yet.
///
/// # Errors
/// [`MetaError`] when the store fails.
pub fn of_account(tx: &impl Read, account: &str) -> Result<Vec<(SessionHash, SessionRow)>, MetaError> {
    let mut sessions = Vec::new();
    for (_, hash) in keys(tx, account)? {
        sessions.extend(get(tx, &hash)?.map(|row| (hash, row)));
    }
    Ok(sessions)
}

fn index_key(hash: &SessionHash, row: &SessionRow) -> Key {
    Key::new().text(&row.account).u64(row.opened.0).raw(hash)
}

/// The index rows of an account's sessions, oldest first, with the hash that each names.
fn keys(tx: &impl Read, account: &str) -> Result<Vec<(Vec<u8>, SessionHash)>, MetaError> {
    let prefix = Key::new().text(account);
    let end = Key::prefix_end(prefix.as_bytes());
    let rows = tx.range(SESSION_BY_ACCOUNT, prefix.as_bytes(), end.as_deref(), MAX_SESSIONS)?;
    let hash = |key: &[u8]| {
        let mut reader = KeyReader::new(key);
        match (reader.text(), reader.u64(), SessionHash::try_from(reader.rest())) {
            (Some(_), Some(_), Ok(hash)) => Ok(hash),
            _ => Err(corrupt(SESSION_BY_ACCOUNT)),
        }
    };
    rows.into_iter().map(|(key, _)| hash(&key).map(|hash| (key, hash))).collect()
}

fn corrupt(table: super::Table) -> MetaError {
    MetaError::Corrupt(format!("a key of table {} does not read", table.name()))
}
