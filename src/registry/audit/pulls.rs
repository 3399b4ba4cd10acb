//! Who pulled what: a pull leaves a note in memory, and a job writes the notes down every few minutes, one event for each
//! manifest, name, account, address and program. A pull itself writes nothing.
//!
//! Lossy, and said to be: a crash loses the notes since the last flush; at most [`MOST`] different ones are kept between
//! two flushes, and what is beyond them is counted in the repository's number of pulls alone.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::{BuildHasher as _, RandomState};
use std::net::IpAddr;

use parking_lot::Mutex;

use crate::base::{EventId, Timestamp};
use crate::meta::{event, repo};
use crate::model::event::Happening;
use crate::model::{Actor, Caller, Event};
use crate::oci::{Digest, Reference, RepoName};
use crate::registry::{Registry, RegistryError};

/// Notes between two flushes.
const MOST: usize = 1_000;
/// Notes written in one step, three rows each.
const BATCH: usize = 200;

#[derive(Clone, Debug)]
struct Note {
    actor: Actor,
    repo: RepoName,
    reference: Reference,
    digest: Digest,
    times: u64,
    since: Timestamp,
    last: Timestamp,
}

/// Notes of pulls.
#[derive(Debug, Default)]
pub(in crate::registry) struct Pulls {
    /// Keyed at random, so that nobody can choose what meets.
    hasher: RandomState,
    /// By the hash of what makes two pulls the same: a pull that is noted already costs no allocation.
    notes: Mutex<HashMap<u64, Note>>,
}

impl Registry {
    /// Notes that this manifest was pulled, for the record.
    pub fn note_pull(
        &self,
        caller: &Caller,
        address: IpAddr,
        agent: Option<&str>,
        repo: &RepoName,
        reference: &Reference,
        digest: &Digest,
    ) {
        let pulls = &self.0.audit.pulls;
        let through = caller.through.as_ref();
        let key = pulls.hasher.hash_one((
            &caller.principal,
            through.map(|through| through.token),
            address,
            agent,
            repo,
            reference,
            digest,
        ));
        let now = self.clock().now();
        let mut notes = pulls.notes.lock();
        let room = notes.len() < MOST;
        match notes.entry(key) {
            Entry::Occupied(mut note) => {
                let note = note.get_mut();
                (note.times, note.last) = (note.times + 1, now);
            }
            Entry::Vacant(place) if room => {
                place.insert(Note {
                    actor: Actor {
                        address: Some(address.to_string()),
                        agent: agent.map(str::to_owned),
                        ..Actor::of(caller)
                    },
                    repo: repo.clone(),
                    reference: reference.clone(),
                    digest: *digest,
                    times: 1,
                    since: now,
                    last: now,
                });
            }
            Entry::Vacant(_) => {}
        }
    }

    /// Writes the notes down.
    ///
    /// # Errors
    /// When the store fails; what was not written is kept.
    pub(in crate::registry) async fn flush_pull_events(&self) -> Result<(), RegistryError> {
        let pulls = &self.0.audit.pulls;
        loop {
            let mut taken: Vec<(u64, Note)> = {
                let mut notes = pulls.notes.lock();
                let keys: Vec<u64> = notes.keys().take(BATCH).copied().collect();
                keys.into_iter().filter_map(|key| notes.remove(&key).map(|note| (key, note))).collect()
            };
            if taken.is_empty() {
                return Ok(());
            }
            // So that the events of a chain stand in the order of their times.
            taken.sort_by_key(|(_, note)| note.last);
            let rows: Vec<(RepoName, Event)> = taken.iter().map(|(_, note)| (note.repo.clone(), row(note))).collect();
            let write = self.meta().write(move |tx| {
                for (name, row) in &rows {
                    // Deleted meanwhile?
                    if let Some(id) = repo::id_of(tx, name)? {
                        event::append(tx, Some(id), std::slice::from_ref(row))?;
                    }
                }
                Ok::<_, RegistryError>(())
            });
            if let Err(error) = write.await {
                let mut notes = pulls.notes.lock();
                for (key, note) in taken {
                    match notes.entry(key) {
                        Entry::Occupied(mut newer) => {
                            let newer = newer.get_mut();
                            (newer.times, newer.since) = (newer.times + note.times, note.since);
                        }
                        Entry::Vacant(place) => drop(place.insert(note)),
                    }
                }
                return Err(error.into());
            }
        }
    }
}

fn row(note: &Note) -> Event {
    let tag = match &note.reference {
        Reference::Tag(tag) => Some(tag.clone()),
        Reference::Digest(_) => None,
    };
    let (name, digest, times, since) = (note.repo.clone(), note.digest, note.times, note.since);
    let what = Happening::Pulled { name, tag, digest, times, since };
    Event::by(&note.actor, EventId::at(note.last), note.last, what)
}
