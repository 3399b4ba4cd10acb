//! Rows of events, chained ([`crate::model::event::chain`]).
//!
//! An event is two rows, itself and its place in its chain; a commit that writes events adds the chain's head, once for
//! all of them.

use super::account::TokenKey;
use super::key::{Key, KeyReader};
use super::record::{decode, encode};
use super::tables::{EVENT, EVENT_BY_CHAIN, EVENT_BY_REPO, EVENT_CHECKPOINT, EVENT_HEAD, META};
use super::{MetaError, Read, ReadTx, WriteTx};
use crate::base::{EventId, RepoId};
use crate::model::Event;
use crate::model::event::chain::{Chain, Checkpoint, Head, Recorded, hash};

fn chain_key(chain: Chain) -> Key {
    Key::new().u64(chain.number())
}

fn place_key(chain: Chain, seq: u64) -> Key {
    chain_key(chain).u64(seq)
}

/// Writes events behind the last one of their chain, in the transaction that made them true. The only way by which an
/// event is written: the head is read in the same transaction, so closures of one batch chain on each other.
///
/// # Errors
/// When the store fails.
pub fn append(tx: &mut WriteTx, repo: Option<RepoId>, events: &[Event]) -> Result<(), MetaError> {
    let chain = Chain(repo);
    let Some(mut last) = events.first().map(|_| head(tx, chain)).transpose()? else { return Ok(()) };
    for event in events {
        let seq = last.map_or(1, |head| head.seq + 1);
        let recorded = Recorded { chain, seq, previous: last.map(|head| head.hash), event: event.clone() };
        let value = encode(&recorded);
        last = Some(Head { seq, hash: hash(text(&value)) });
        tx.put(EVENT, &event.id.0, value);
        tx.put(EVENT_BY_CHAIN, place_key(chain, seq).as_ref(), event.id.0.to_vec());
    }
    if let Some(head) = last {
        tx.put(EVENT_HEAD, chain_key(chain).as_ref(), encode(&head));
    }
    Ok(())
}

/// The canonical text in a stored value: what is behind the format byte.
pub fn text(value: &[u8]) -> &[u8] {
    value.get(1..).unwrap_or_default()
}

/// Where a chain ends; `None` when nothing was ever written to it.
///
/// # Errors
/// When the store fails.
pub fn head(tx: &impl Read, chain: Chain) -> Result<Option<Head>, MetaError> {
    tx.get(EVENT_HEAD, chain_key(chain).as_ref())?.map(|value| decode(EVENT_HEAD, &value)).transpose()
}

/// At most `limit` chains behind this one (the first ones for `None`), in the order of their keys, with their heads.
///
/// # Errors
/// When the store fails.
pub fn heads(tx: &impl Read, after: Option<Chain>, limit: usize) -> Result<Vec<(Chain, Head)>, MetaError> {
    let from = match after {
        None => Key::new(),
        Some(chain) => match chain.number().checked_add(1) {
            Some(next) => Key::new().u64(next),
            None => return Ok(Vec::new()),
        },
    };
    let rows = tx.range(EVENT_HEAD, from.as_ref(), None, limit)?;
    rows.iter().map(|(key, value)| Ok((Chain::of_number(number(key)?), decode(EVENT_HEAD, value)?))).collect()
}

fn number(key: &[u8]) -> Result<u64, MetaError> {
    KeyReader::new(key).u64().ok_or_else(|| MetaError::Corrupt("the key of a chain does not read".to_owned()))
}

/// Where a chain begins, if events were removed from it.
///
/// # Errors
/// When the store fails.
pub fn checkpoint(tx: &impl Read, chain: Chain) -> Result<Option<Checkpoint>, MetaError> {
    tx.get(EVENT_CHECKPOINT, chain_key(chain).as_ref())?.map(|value| decode(EVENT_CHECKPOINT, &value)).transpose()
}

/// At most `limit` places of a chain from this number on, oldest first, and the events that stand there.
///
/// # Errors
/// When the store fails.
pub fn places(tx: &impl Read, chain: Chain, from: u64, limit: usize) -> Result<Vec<(u64, EventId)>, MetaError> {
    let prefix = chain_key(chain);
    let end = Key::prefix_end(prefix.as_bytes());
    place_rows(&tx.range(EVENT_BY_CHAIN, place_key(chain, from).as_ref(), end.as_deref(), limit)?)
}

/// At most `limit` places of a chain before this number (from its end for `None`), newest first.
///
/// # Errors
/// When the store fails.
pub fn places_back(
    tx: &ReadTx,
    chain: Chain,
    before: Option<u64>,
    limit: usize,
) -> Result<Vec<(u64, EventId)>, MetaError> {
    let prefix = chain_key(chain);
    let end = match before {
        Some(seq) => Some(place_key(chain, seq).as_bytes().to_vec()),
        None => Key::prefix_end(prefix.as_bytes()),
    };
    place_rows(&tx.range_back(EVENT_BY_CHAIN, prefix.as_ref(), end.as_deref(), limit)?)
}

fn place_rows(rows: &[super::engine::Row]) -> Result<Vec<(u64, EventId)>, MetaError> {
    let read = |(key, value): &super::engine::Row| {
        let mut reader = KeyReader::new(key);
        let (_, seq) = (reader.u64()?, reader.u64()?);
        Some((seq, EventId(value.as_slice().try_into().ok()?)))
    };
    let corrupt = || MetaError::Corrupt("a place in a chain of events does not read".to_owned());
    rows.iter().map(|row| read(row).ok_or_else(corrupt)).collect()
}

/// The event that stands at a place of a chain, by its id; `None` when there is none.
///
/// # Errors
/// When the store fails.
pub fn at(tx: &impl Read, chain: Chain, seq: u64) -> Result<Option<EventId>, MetaError> {
    let value = tx.get(EVENT_BY_CHAIN, place_key(chain, seq).as_ref())?;
    Ok(value.and_then(|value| value.try_into().ok()).map(EventId))
}

/// An event's stored value as it is, format byte and all.
///
/// # Errors
/// When the store fails.
pub fn value(tx: &impl Read, id: EventId) -> Result<Option<Vec<u8>>, MetaError> {
    tx.get(EVENT, &id.0)
}

/// An event.
///
/// # Errors
/// When the store fails, or its row does not read.
pub fn get(tx: &impl Read, id: EventId) -> Result<Option<Recorded>, MetaError> {
    value(tx, id)?.map(|value| decode(EVENT, &value)).transpose()
}

/// At most `limit` rows of events of every chain with ids from `from` on and before `to`, newest first, as they are
/// stored; ids begin with the time.
///
/// # Errors
/// When the store fails.
pub fn rows_back(
    tx: &ReadTx,
    from: Option<EventId>,
    to: Option<EventId>,
    limit: usize,
) -> Result<Vec<(EventId, Vec<u8>)>, MetaError> {
    let (from, to) = (from.map(|id| id.0), to.map(|id| id.0));
    let from = from.as_ref().map_or(&[][..], |id| &id[..]);
    let rows = tx.range_back(EVENT, from, to.as_ref().map(|id| &id[..]), limit)?;
    Ok(rows.into_iter().filter_map(|(key, value)| Some((id_of(&key)?, value))).collect())
}

/// At most `limit` rows of events of every chain behind this id, oldest first, as they are stored.
///
/// # Errors
/// When the store fails.
pub fn rows(tx: &impl Read, after: Option<EventId>, limit: usize) -> Result<Vec<(EventId, Vec<u8>)>, MetaError> {
    let from = after.map(|id| Key::new().raw(&id.0).raw(&[0])).unwrap_or_default();
    let rows = tx.range(EVENT, from.as_ref(), None, limit)?;
    Ok(rows.into_iter().filter_map(|(key, value)| Some((id_of(&key)?, value))).collect())
}

fn id_of(key: &[u8]) -> Option<EventId> {
    key.try_into().ok().map(EventId)
}

/// Removes the events at these places of a chain, which this checkpoint takes the place of.
pub fn remove(tx: &mut WriteTx, chain: Chain, places: &[(u64, EventId)], checkpoint: &Checkpoint) {
    for (seq, id) in places {
        tx.delete(EVENT, &id.0);
        tx.delete(EVENT_BY_CHAIN, place_key(chain, *seq).as_ref());
    }
    tx.put(EVENT_CHECKPOINT, chain_key(chain).as_ref(), encode(checkpoint));
}

/// At most `limit` events of a repository, oldest first.
///
/// # Errors
/// When the store fails.
pub fn of_repo(tx: &impl Read, repo: RepoId, limit: usize) -> Result<Vec<Event>, MetaError> {
    let places = places(tx, Chain(Some(repo)), 0, limit)?;
    places.into_iter().filter_map(|(_, id)| get(tx, id).transpose()).map(|found| Ok(found?.event)).collect()
}

/// At most `limit` events of the whole registry, oldest first.
///
/// # Errors
/// When the store fails.
pub fn list(tx: &impl Read, limit: usize) -> Result<Vec<Event>, MetaError> {
    let rows = tx.range(EVENT, &[], None, limit)?;
    rows.iter().map(|(_, value)| Ok(decode::<Recorded>(EVENT, value)?.event)).collect()
}

/// The row of [`META`] with the id of the last event that [`chain_old`] has looked at.
const LOOKED_AT: &[u8] = b"events_chained";

/// Events that one step of [`chain_old`] chains: about four rows each.
const STEP: usize = 150;

/// One step of chaining the events of a store from before there were chains (schema 2): those of repositories by
/// [`EVENT_BY_REPO`], then the rest. They are chained as they are found, each in its own order: what was done to them
/// before cannot be told any more. True when all are chained.
///
/// # Errors
/// When the store fails.
pub(super) fn chain_old(tx: &mut WriteTx) -> Result<bool, MetaError> {
    let old = |value: &[u8]| decode::<Event>(EVENT, value).ok();
    let rows = tx.range(EVENT_BY_REPO, &[], None, STEP)?;
    for (key, _) in &rows {
        let mut reader = KeyReader::new(key);
        // A row that does not read stays where it is, in no chain; verification names it.
        if let (Some(repo), Some(id)) = (reader.u64(), reader.raw::<16>())
            && let Some(event) = tx.get(EVENT, &id)?.as_deref().and_then(old)
        {
            append(tx, Some(RepoId(repo)), &[event])?;
        }
        tx.delete(EVENT_BY_REPO, key);
    }
    if !rows.is_empty() {
        return Ok(false);
    }
    let after = tx.get(META, LOOKED_AT)?.map(|mut last| {
        last.push(0);
        last
    });
    let rows = tx.range(EVENT, after.as_deref().unwrap_or_default(), None, STEP)?;
    let Some((last, _)) = rows.last() else {
        tx.delete(META, LOOKED_AT);
        return Ok(true);
    };
    tx.put(META, LOOKED_AT, last.clone());
    for event in rows.iter().filter_map(|(_, value)| old(value)) {
        append(tx, None, &[event])?;
    }
    Ok(false)
}

/// The row of [`META`] with the key that signs checkpoints and exports.
const AUDIT_KEY: &[u8] = b"audit_key";

/// The key that signs checkpoints and exports; `None` before it was made.
///
/// # Errors
/// When the store fails.
pub fn audit_key(tx: &impl Read) -> Result<Option<TokenKey>, MetaError> {
    tx.get(META, AUDIT_KEY)?.map(|value| decode(META, &value)).transpose()
}

/// Stores the key that signs checkpoints and exports.
pub fn put_audit_key(tx: &mut WriteTx, key: &TokenKey) {
    tx.put(META, AUDIT_KEY, encode(key));
}
