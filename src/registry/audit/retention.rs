//! Removes old events, oldest first, in bounded steps, and leaves in their place a checkpoint that the registry signs: what
//! is left verifies from there.
//!
//! A chain in which something is amiss is left alone: what would show it must not be removed.

use std::time::Duration;

use super::Keep;
use crate::base::{EventId, Timestamp};
use crate::meta::{Read, event, record, tables};
use crate::model::event::chain::{Chain, Checkpoint, Head, Recorded, hash};
use crate::registry::{Registry, RegistryError};

/// Events removed in one step, two rows each.
const STEP: usize = 200;
/// Chains looked at at once.
const CHAINS: usize = 500;

/// What one look at the beginning of a chain found.
struct Old {
    places: Vec<(u64, EventId)>,
    /// The last of them.
    end: Head,
    removed: u64,
}

impl Registry {
    /// Removes the events that need not be kept any more, and returns how many there were.
    ///
    /// # Errors
    /// When the store fails; what was removed is removed.
    pub async fn remove_old_events(&self) -> Result<u64, RegistryError> {
        let keep = self.keep();
        if keep == Keep::default() {
            return Ok(0);
        }
        let (mut removed, mut after) = (0, None);
        loop {
            let chains = self.meta().read(|tx| event::heads(tx, after, CHAINS))?;
            let Some((last, _)) = chains.last() else { return Ok(removed) };
            after = Some(*last);
            for (chain, _) in chains {
                removed += self.remove_old_of(chain, keep).await?;
            }
        }
    }

    async fn remove_old_of(&self, chain: Chain, keep: Keep) -> Result<u64, RegistryError> {
        let mut removed = 0;
        loop {
            let now = self.clock().now();
            let Some(old) = self.meta().read(|tx| old(tx, chain, keep, now))? else { return Ok(removed) };
            let (key, registry) = (self.audit_key().await?, self.instance()?);
            let Head { seq, hash } = old.end;
            let mut checkpoint = Checkpoint { seq, hash, time: now, removed: old.removed, signature: String::new() };
            checkpoint.signature = key.sign(&checkpoint.text(&registry, chain));
            let count = old.places.len() as u64;
            let before = seq - count;
            let places = old.places;
            let written = self.meta().write(move |tx| {
                // Somebody else may have been here; places are only ever removed from the front.
                let here = event::checkpoint(tx, chain)?.map_or(0, |checkpoint| checkpoint.seq);
                if here == before {
                    event::remove(tx, chain, &places, &checkpoint);
                }
                Ok::<_, RegistryError>(here == before)
            });
            if !written.await? {
                return Ok(removed);
            }
            removed += count;
            if count < STEP as u64 {
                return Ok(removed);
            }
        }
    }
}

/// The oldest events of a chain that need not be kept, at most [`STEP`]; `None` when there are none.
fn old(tx: &impl Read, chain: Chain, keep: Keep, now: Timestamp) -> Result<Option<Old>, RegistryError> {
    let Some(head) = event::head(tx, chain)? else { return Ok(None) };
    let checkpoint = event::checkpoint(tx, chain)?;
    let (first, mut previous) =
        checkpoint.as_ref().map_or((1, None), |checkpoint| (checkpoint.seq + 1, Some(checkpoint.hash)));
    let too_many = keep.events.map_or(0, |most| (head.seq + 1).saturating_sub(first).saturating_sub(most));
    let before = keep.time.map_or(Timestamp(0), |time: Duration| now.minus(time));
    let mut found =
        Old { places: Vec::new(), end: head, removed: checkpoint.as_ref().map_or(0, |checkpoint| checkpoint.removed) };
    for (place, id) in event::places(tx, chain, first, STEP)? {
        let seq = first + found.places.len() as u64;
        let value = event::value(tx, id)?.filter(|_| place == seq);
        let read = value.as_deref().and_then(|value| record::decode::<Recorded>(tables::EVENT, value).ok());
        let fits = |read: &Recorded| read.chain == chain && read.seq == seq && read.previous == previous;
        let (Some(value), Some(read)) = (value, read.filter(fits)) else {
            tracing::error!(%chain, seq, "the record of events is damaged here; nothing older is removed. Run msr-lite audit verify");
            break;
        };
        if (found.places.len() as u64) >= too_many && read.event.time >= before {
            break;
        }
        let this = hash(event::text(&value));
        found.places.push((seq, id));
        found.removed += 1;
        (found.end, previous) = (Head { seq, hash: this }, Some(this));
    }
    Ok((!found.places.is_empty()).then_some(found))
}
