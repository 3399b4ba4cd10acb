//! Work that takes longer than a request on the administration socket may: it is begun, gets a ticket, and is asked for
//! until it is done.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::ops::gc::{GcReply, GcTask, perform};
use crate::registry::{Actor, Registry};

/// Outcomes that nobody has asked for yet; the oldest are forgotten.
const KEPT: usize = 16;

type Outcome = Result<GcReply, String>;

/// The work that was begun. Cheap to clone.
#[derive(Clone, Default)]
pub(super) struct Tickets(Arc<Mutex<Inner>>);

#[derive(Default)]
struct Inner {
    last: u64,
    /// `None` while it goes on.
    outcomes: BTreeMap<u64, Option<Outcome>>,
}

impl Tickets {
    /// Begins, and gives a ticket.
    pub(super) fn begin(&self, registry: &Registry, task: GcTask) -> u64 {
        let ticket = {
            let mut inner = self.0.lock();
            inner.last += 1;
            let ticket = inner.last;
            inner.outcomes.insert(ticket, None);
            while inner.outcomes.len() > KEPT {
                inner.outcomes.pop_first();
            }
            ticket
        };
        let (tickets, registry) = (self.clone(), registry.clone());
        tokio::spawn(async move {
            let outcome = perform(&registry, &Actor::system(), task).await.map_err(|error| error.to_string());
            if let Some(slot) = tickets.0.lock().outcomes.get_mut(&ticket) {
                *slot = Some(outcome);
            }
        });
        ticket
    }

    /// What came of it, told once; [`GcReply::Running`] while it goes on.
    pub(super) fn ask(&self, registry: &Registry, ticket: u64) -> Outcome {
        let mut inner = self.0.lock();
        match inner.outcomes.get(&ticket) {
            None => Err("nothing is known of this collection; msr-lite gc status shows the last one".to_owned()),
            Some(None) => Ok(GcReply::Running(registry.collector().progress())),
            Some(Some(_)) => inner.outcomes.remove(&ticket).flatten().unwrap_or_else(|| Err("it is gone".to_owned())),
        }
    }
}
