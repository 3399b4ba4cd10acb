//! Rows of events.

use super::key::Key;
use super::record::{decode, encode};
use super::tables::{EVENT, EVENT_BY_REPO};
use super::{MetaError, Read, WriteTx};
use crate::base::RepoId;
use crate::model::Event;

/// Writes an event, in the transaction that made it true.
pub fn put(tx: &mut WriteTx, repo: Option<RepoId>, event: &Event) {
    tx.put(EVENT, &event.id.0, encode(event));
    if let Some(repo) = repo {
        tx.put(EVENT_BY_REPO, Key::new().u64(repo.0).raw(&event.id.0).as_ref(), Vec::new());
    }
}

/// At most `limit` events of a repository, oldest first.
///
/// # Errors
/// When the store fails.
pub fn of_repo(tx: &impl Read, repo: RepoId, limit: usize) -> Result<Vec<Event>, MetaError> {
    let prefix = Key::new().u64(repo.0);
    let end = Key::prefix_end(prefix.as_bytes());
    let rows = tx.range(EVENT_BY_REPO, prefix.as_ref(), end.as_deref(), limit)?;
    let events = rows.iter().map(|(key, _)| tx.get(EVENT, &key[8..]));
    events.filter_map(Result::transpose).map(|value| decode(EVENT, &value?)).collect()
}

/// At most `limit` events of the whole registry, oldest first.
///
/// # Errors
/// When the store fails.
pub fn list(tx: &impl Read, limit: usize) -> Result<Vec<Event>, MetaError> {
    tx.range(EVENT, &[], None, limit)?.iter().map(|(_, value)| decode(EVENT, value)).collect()
}
