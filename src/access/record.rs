//! How this module changes something: one closure, with the events of what it did in the same transaction.

use super::{Access, AccessError};
use crate::base::{EventId, RepoId, Timestamp};
use crate::meta::{WriteTx, event};
use crate::model::event::Happening;
use crate::model::{Actor, Event};

/// What a closure may not make up itself: it may be run again.
#[derive(Clone, Debug)]
pub(super) struct Record {
    /// Wall time.
    pub(super) now: Timestamp,
    actor: Actor,
    id: EventId,
}

impl Record {
    /// Writes an event. A closure's `n`-th has its own id, in order.
    pub(super) fn put(
        &self,
        tx: &mut WriteTx,
        n: u8,
        repo: Option<RepoId>,
        what: Happening,
    ) -> Result<(), AccessError> {
        let mut id = self.id;
        // Behind the six bytes of the time; the rest tells changes of one millisecond apart.
        id.0[6] = n;
        Ok(event::append(tx, repo, &[Event::by(&self.actor, id, self.now, what)])?)
    }
}

impl Access {
    /// Runs one closure.
    pub(super) async fn change<T: Send + 'static>(
        &self,
        actor: &Actor,
        mut work: impl FnMut(&mut WriteTx, &Record) -> Result<T, AccessError> + Send + 'static,
    ) -> Result<T, AccessError> {
        let now = self.0.clock.now();
        let record = Record { now, actor: actor.clone(), id: EventId::at(now) };
        Ok(self.0.meta.write(move |tx| work(tx, &record)).await?)
    }
}
