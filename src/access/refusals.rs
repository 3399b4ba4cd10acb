//! Refusals that matter, as events: denied pushes and deletions, wrong passwords of accounts that exist, tokens that were
//! revoked.
//!
//! Who is refused chooses how often, so what is written is bounded. A refusal is told at once while its source (account
//! and address, an IPv6 network of 64 bits counting as one) has not been told [`PER_SOURCE`] times in this minute, and all
//! sources together not [`IN_ALL`] times; the same refusal again within a minute, and what is beyond these numbers, is
//! counted and written with the next flush (the job `usage_flush`, and a stop), at most [`WAITING`] rows and one for all
//! that no longer fitted. So one flush in five minutes makes at most 50 rows a minute, whatever is sent. A crash loses
//! what was counted and not written.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::base::{Clock, EventId, Timestamp};
use crate::meta::{Engine, MetaError, WriteError, event, repo};
use crate::model::event::{Happening, Outcome};
use crate::model::{Event, Principal};
use crate::oci::RepoName;

/// Refusals of one source that are told at once, in a minute.
pub const PER_SOURCE: u32 = 10;
/// Refusals of all sources that are told at once, in a minute.
pub const IN_ALL: u32 = 30;
/// Different refusals that wait for a flush.
pub const WAITING: usize = 100;
/// The most bytes of a text that a client chose.
const TEXT: usize = 255;

/// Something that was asked for and refused.
#[derive(Clone, Debug)]
pub struct Refusal {
    /// Who asked.
    pub actor: Principal,
    /// From where.
    pub address: Option<String>,
    /// With which program, as it calls itself.
    pub agent: Option<String>,
    /// By which access token, where that is known.
    pub via: Option<String>,
    /// In which repository, where it is one.
    pub repo: Option<RepoName>,
    /// What was asked for ([`crate::model::Operation::name`], `sign_in`, `access_token`, `bearer_token`, `refresh_token`).
    pub operation: &'static str,
    /// Whose account it is about, where that is not the actor's.
    pub account: Option<String>,
    /// The decision's sentence.
    pub reason: String,
}

/// What makes two refusals the same.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Same {
    who: String,
    from: String,
    repo: Option<RepoName>,
    operation: &'static str,
}

#[derive(Debug)]
struct Waiting {
    refusal: Refusal,
    times: u64,
    since: Timestamp,
    last: Timestamp,
    /// To be written at once.
    due: bool,
}

#[derive(Debug, Default)]
struct State {
    /// The minute (of steady time) that is counted.
    minute: u64,
    told: u32,
    sources: HashMap<(String, String), u32>,
    /// What was told in this minute: the same again is counted only.
    told_already: HashSet<Same>,
    waiting: HashMap<Same, Waiting>,
    /// What found no room.
    others: Option<(u64, Timestamp, Timestamp)>,
}

/// Collects refusals and writes them down. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Refusals(Arc<Inner>);

struct Inner {
    meta: Engine,
    clock: Clock,
    state: Mutex<State>,
    /// Held from taking what waits until it is on disk, so that a flush ends after what others write.
    writing: tokio::sync::Mutex<()>,
}

impl std::fmt::Debug for Inner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}", self.state)
    }
}

impl Refusals {
    /// Writes into this store.
    pub fn new(meta: Engine, clock: Clock) -> Self {
        Self(Arc::new(Inner { meta, clock, state: Mutex::default(), writing: tokio::sync::Mutex::default() }))
    }

    /// Notes a refusal; returns at once. What the bounds let through is on disk soon after.
    pub fn note(&self, refusal: Refusal) {
        if self.0.note(refusal) {
            let refusals = self.clone();
            // Whoever is refused does not wait for the record. Without a runtime (tests, the command line) it waits for
            // the next flush.
            if let Ok(runtime) = tokio::runtime::Handle::try_current() {
                runtime.spawn(async move {
                    if let Err(error) = refusals.write(false).await {
                        tracing::warn!(%error, "a refusal could not be put on record; it is tried again");
                    }
                });
            }
        }
    }

    /// Writes down everything that waits, and ends when all that was noted before is on disk.
    ///
    /// # Errors
    /// When the store fails; what was not written is kept.
    pub async fn flush(&self) -> Result<(), MetaError> {
        self.write(true).await
    }

    async fn write(&self, all: bool) -> Result<(), MetaError> {
        let _writing = self.0.writing.lock().await;
        let taken = self.0.take(all);
        if taken.is_empty() {
            return Ok(());
        }
        let rows: Vec<(Option<RepoName>, Event)> = taken.iter().map(|(_, waiting)| row(waiting)).collect();
        let written = self.0.meta.write(move |tx| {
            for (name, row) in &rows {
                // A repository that does not exist has no chain; that somebody asked for it belongs to the registry's.
                let repo = name.as_ref().map(|name| repo::id_of(tx, name)).transpose()?.flatten();
                event::append(tx, repo, std::slice::from_ref(row))?;
            }
            Ok::<_, MetaError>(())
        });
        written.await.map_err(|error| {
            self.0.put_back(taken);
            match error {
                WriteError::Refused(error) | WriteError::Store(error) => error,
            }
        })
    }
}

impl Inner {
    /// True when something is to be written at once.
    fn note(&self, mut refusal: Refusal) -> bool {
        for text in [&mut refusal.agent, &mut refusal.account, &mut refusal.via].into_iter().flatten() {
            text.truncate(text.floor_char_boundary(TEXT));
        }
        refusal.reason.truncate(refusal.reason.floor_char_boundary(Event::REASON));
        let now = self.clock.now();
        let minute = self.clock.steady() / 60_000;
        let who = refusal.account.clone().unwrap_or_else(|| refusal.actor.name().to_owned());
        let from = source(refusal.address.as_deref());
        let same =
            Same { who: who.clone(), from: from.clone(), repo: refusal.repo.clone(), operation: refusal.operation };
        let mut state = self.state.lock();
        if state.minute != minute {
            (state.minute, state.told) = (minute, 0);
            state.sources.clear();
            state.told_already.clear();
        }
        if let Some(waiting) = state.waiting.get_mut(&same) {
            (waiting.times, waiting.last) = (waiting.times + 1, now);
            return false;
        }
        let told = state.sources.get(&(who.clone(), from.clone())).copied().unwrap_or_default();
        let due = !state.told_already.contains(&same) && told < PER_SOURCE && state.told < IN_ALL;
        if due {
            state.told += 1;
            state.sources.insert((who, from), told + 1);
            state.told_already.insert(same.clone());
        } else if state.waiting.len() >= WAITING {
            let (times, since, _) = state.others.unwrap_or((0, now, now));
            state.others = Some((times + 1, since, now));
            return false;
        }
        state.waiting.insert(same, Waiting { refusal, times: 1, since: now, last: now, due });
        due
    }

    fn take(&self, all: bool) -> Vec<(Same, Waiting)> {
        let mut state = self.state.lock();
        let mut taken: Vec<_> = state.waiting.extract_if(|_, waiting| all || waiting.due).collect();
        taken.sort_by_key(|(_, waiting)| waiting.since);
        if let Some((times, since, last)) = state.others.take_if(|_| all) {
            let refusal = Refusal {
                actor: Principal::Anonymous,
                address: None,
                agent: None,
                via: None,
                repo: None,
                operation: "various",
                account: None,
                reason: "more was refused within a short time than is told one by one".to_owned(),
            };
            let same = Same { who: String::new(), from: String::new(), repo: None, operation: "various" };
            taken.push((same, Waiting { refusal, times, since, last, due: false }));
        }
        taken
    }

    fn put_back(&self, taken: Vec<(Same, Waiting)>) {
        let mut state = self.state.lock();
        for (same, mut back) in taken {
            if let Some(waiting) = state.waiting.get_mut(&same) {
                (waiting.times, waiting.since) = (waiting.times + back.times, back.since);
            } else if state.waiting.len() < WAITING {
                back.due = false;
                state.waiting.insert(same, back);
            } else {
                let (times, since, last) = state.others.unwrap_or((0, back.since, back.last));
                state.others = Some((times + back.times, since.min(back.since), last.max(back.last)));
            }
        }
    }
}

/// An address as one source: an IPv4 address, or an IPv6 network of 64 bits.
fn source(address: Option<&str>) -> String {
    match address.and_then(|address| address.parse::<IpAddr>().ok()).map(|address| address.to_canonical()) {
        Some(IpAddr::V6(v6)) => hex::encode(&v6.octets()[..8]),
        Some(v4) => v4.to_string(),
        None => String::new(),
    }
}

fn row(waiting: &Waiting) -> (Option<RepoName>, Event) {
    let Waiting { refusal, times, since, last, .. } = waiting;
    let Refusal { actor, address, agent, via, repo, operation, account, reason } = refusal.clone();
    let operation = operation.to_owned();
    let what = Happening::Refused { name: repo.clone(), operation, account, times: *times, since: *since };
    let event = Event {
        address,
        agent,
        via,
        result: Outcome::Refused,
        reason: Some(reason),
        ..Event::new(EventId::at(*last), *last, actor, what)
    };
    (repo, event)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::meta::Mode;

    fn refusal(account: &str, address: &str) -> Refusal {
        Refusal {
            actor: Principal::Anonymous,
            address: Some(address.to_owned()),
            agent: None,
            via: None,
            repo: None,
            operation: "sign_in",
            account: Some(account.to_owned()),
            reason: "the password is not right".to_owned(),
        }
    }

    fn told(meta: &Engine) -> Vec<(Option<String>, u64)> {
        let events = meta.read(|tx| event::list(tx, 10_000)).unwrap();
        events.into_iter().map(|event| (event.what.account().map(str::to_owned), event.what.times())).collect()
    }

    #[tokio::test]
    async fn the_first_is_told_at_once_and_the_same_again_is_counted() {
        for mode in [Mode::Normal, Mode::Strict] {
            let (meta, clock) = (Engine::in_memory(mode), Clock::manual(Timestamp(1_790_000_000_000)));
            let refusals = Refusals::new(meta.clone(), clock.clone());
            assert!(refusals.0.note(refusal("alice", "192.0.2.7")));
            refusals.write(false).await.unwrap();
            assert_eq!(told(&meta), [(Some("alice".to_owned()), 1)]);
            for _ in 0..5_000 {
                assert!(!refusals.0.note(refusal("alice", "192.0.2.7")));
            }
            refusals.write(false).await.unwrap();
            assert_eq!(told(&meta).len(), 1);
            refusals.flush().await.unwrap();
            assert!(told(&meta).contains(&(Some("alice".to_owned()), 5_000)));
            clock.advance(Duration::from_mins(1));
            assert!(refusals.0.note(refusal("alice", "192.0.2.7")), "a new minute");
        }
    }

    #[tokio::test]
    async fn whoever_sends_whatever_fills_no_disk() {
        let (meta, clock) = (Engine::in_memory(Mode::Normal), Clock::manual(Timestamp(1_790_000_000_000)));
        let refusals = Refusals::new(meta.clone(), clock.clone());
        let mut sent = 0;
        for minute in 0..5 {
            for n in 0..2_000 {
                let of_one_source = minute == 0 && n < 1_000;
                let address = if of_one_source {
                    format!("2001:db8::{n:x}")
                } else {
                    format!("10.{minute}.{}.{}", n / 250, n % 250)
                };
                refusals.0.note(refusal("alice", &address));
                refusals.write(false).await.unwrap();
                sent += 1;
            }
            clock.advance(Duration::from_mins(1));
        }
        refusals.flush().await.unwrap();
        let told = told(&meta);
        assert!(told.len() <= 5 * IN_ALL as usize + WAITING + 1, "{}", told.len());
        assert_eq!(told.iter().map(|(_, times)| times).sum::<u64>(), sent, "none is left uncounted");
        assert_eq!(told.iter().filter(|(account, _)| account.is_none()).count(), 1, "what found no room is one");
    }

    #[tokio::test]
    async fn a_flush_waits_for_what_is_being_written() {
        let (meta, clock) = (Engine::in_memory(Mode::Normal), Clock::manual(Timestamp(1_790_000_000_000)));
        let refusals = Refusals::new(meta.clone(), clock);
        for n in 0..PER_SOURCE {
            refusals.0.note(refusal("alice", &format!("192.0.2.{n}")));
            // The first of these is polled first: it has taken the row when the other looks.
            let (written, flushed) = tokio::join!(refusals.write(false), async {
                let flushed = refusals.flush().await;
                assert_eq!(told(&meta).len(), n as usize + 1);
                flushed
            });
            written.and(flushed).unwrap();
        }
    }

    #[tokio::test]
    async fn what_could_not_be_written_is_kept() {
        let (meta, clock) = (Engine::in_memory(Mode::Normal), Clock::manual(Timestamp(1_790_000_000_000)));
        let refusals = Refusals::new(meta.clone(), clock);
        refusals.0.note(refusal("alice", "192.0.2.7"));
        meta.close();
        assert!(refusals.flush().await.is_err());
        assert_eq!(refusals.0.take(true).len(), 1);
    }
}
