//! Checks an export, line by line: needs nothing of the registry. Says of each chain that it is whole, or at which event it
//! is not and what was done there.
//!
//! What it can find: an event that was changed, left out, moved or added; events cut off at the end, as long as the chain's
//! signed head was not; a checkpoint or head that the key did not sign. Somebody who has the registry's store and its key
//! can write a whole new record: against that helps an export that is kept elsewhere, to which a later one is compared
//! ([`Verifier::against`]).

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::export::{Note, VERSION};
use super::key::PublicKey;
use crate::base::Timestamp;
use crate::model::event::chain::{Chain, Checkpoint, Head, Recorded, hash};
use crate::oci::{Digest, RepoName};

/// Problems of a chain that are told one by one.
const TOLD: usize = 20;

/// What is wrong with an event, or a chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// It was changed after it was written.
    Changed,
    /// It is missing.
    Missing,
    /// It stands at another place than its own.
    Moved,
    /// The chain was cut at its end.
    Cut,
    /// It stands in no chain, or behind the chain's end: nobody wrote it as an event.
    Added,
    /// A signature is not the key's.
    Forged,
    /// It does not fit an earlier export.
    Rewritten,
}

/// One problem.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// What.
    pub fault: Fault,
    /// The number of the event, where it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seq: Option<u64>,
    /// In words.
    pub words: String,
}

/// What was found of a chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChainReport {
    /// Which.
    pub chain: Chain,
    /// The repository's name, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<RepoName>,
    /// Its events that were looked at.
    pub events: u64,
    /// The number of the first of them.
    pub first: u64,
    /// Where it ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head: Option<Head>,
    /// Events that were removed, with a checkpoint in their place.
    pub removed: u64,
    /// What is wrong; empty: it is whole.
    pub problems: Vec<Problem>,
    /// Problems beyond those that are told.
    #[serde(default)]
    pub more: u64,
}

impl ChainReport {
    /// Whether nothing is wrong with it.
    pub fn is_whole(&self) -> bool {
        self.problems.is_empty()
    }

    fn problem(&mut self, fault: Fault, seq: Option<u64>, words: String) {
        if self.problems.len() < TOLD {
            self.problems.push(Problem { fault, seq, words });
        } else {
            self.more += 1;
        }
    }
}

/// What was found of an export.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// The registry's id.
    pub registry: String,
    /// When the export was made.
    pub time: Timestamp,
    /// The id of the key that signed: compare it with what the registry says elsewhere.
    pub key: String,
    /// Whether only a part was exported.
    pub partial: bool,
    /// The chains.
    pub chains: Vec<ChainReport>,
    /// What is wrong with the export as a whole, and with rows in no chain.
    pub problems: Vec<Problem>,
}

impl Report {
    /// Whether nothing is wrong.
    pub fn is_whole(&self) -> bool {
        self.problems.is_empty() && self.chains.iter().all(ChainReport::is_whole)
    }

    /// Chains with nothing wrong.
    pub fn whole_chains(&self) -> usize {
        self.chains.iter().filter(|chain| chain.is_whole()).count()
    }

    /// Events that were looked at.
    pub fn events(&self) -> u64 {
        self.chains.iter().map(|chain| chain.events).sum()
    }
}

/// The last event, as far as the next has to fit it.
#[derive(Clone, Copy, Debug)]
struct Last {
    seq: u64,
    hash: Digest,
    /// It is what a checkpoint stands for, and no event that is here.
    removed: bool,
}

/// A link that does not hold: one of the two events was changed, and the next link tells which.
#[derive(Clone, Copy, Debug)]
struct Suspect {
    before: Last,
    here: u64,
}

/// A chain that is being checked.
struct Open {
    report: ChainReport,
    next: u64,
    last: Option<Last>,
    /// Whether the first event must have none before it, or fit what is known: not when the export begins in the middle.
    anchored: bool,
    /// Whether something must stand for the events before the first.
    from_start: bool,
    suspect: Option<Suspect>,
    /// Numbers that were passed over and may still come.
    missing: BTreeSet<u64>,
    /// What an earlier export says of this chain.
    earlier: Option<Head>,
}

/// Checks an export as its lines come.
#[derive(Default)]
pub struct Verifier {
    report: Report,
    pinned: Option<PublicKey>,
    key: Option<PublicKey>,
    open: Option<Open>,
    lines: u64,
    events: u64,
    ended: bool,
    since: bool,
    earlier: BTreeMap<Chain, Head>,
    earlier_time: Timestamp,
    seen: BTreeSet<Chain>,
}

impl Verifier {
    /// A verifier that takes the key in the export for the registry's.
    pub fn new() -> Self {
        Self::default()
    }

    /// One that takes this key for the registry's, whatever the export has.
    #[must_use]
    pub fn with_key(mut self, key: PublicKey) -> Self {
        self.pinned = Some(key);
        self
    }

    /// Compares with what was found of an earlier export: each chain must still hold where that one ended.
    #[must_use]
    pub fn against(mut self, earlier: &Report) -> Self {
        self.earlier = earlier.chains.iter().filter_map(|chain| Some((chain.chain, chain.head?))).collect();
        self.earlier_time = earlier.time;
        self
    }

    fn fail(&mut self, fault: Fault, words: impl Into<String>) {
        if self.report.problems.len() < TOLD {
            self.report.problems.push(Problem { fault, seq: None, words: words.into() });
        }
    }

    /// Takes the next line, without its end.
    pub fn line(&mut self, line: &str) {
        self.lines += 1;
        if self.ended {
            return self.fail(Fault::Added, format!("line {} stands behind the last one", self.lines));
        }
        if line.starts_with("{\"audit\"") {
            match serde_json::from_str::<Note>(line) {
                Ok(note) => self.note(note),
                Err(error) => {
                    self.fail(Fault::Changed, format!("line {} is none of an export: {error}", self.lines));
                }
            }
        } else {
            self.events += 1;
            self.event(line);
        }
    }

    fn note(&mut self, note: Note) {
        match note {
            Note::Export { version, registry, time, wanted, key } => {
                if version != VERSION {
                    self.fail(
                        Fault::Changed,
                        format!("this export is of version {version}; a newer msr-lite reads it"),
                    );
                }
                let own = PublicKey::parse(&key);
                if own.is_none() {
                    self.fail(Fault::Forged, "the export has no key that reads");
                } else if self.pinned.is_some() && own != self.pinned {
                    self.fail(Fault::Forged, "the export was signed with another key than the one given");
                }
                self.key = self.pinned.clone().or(own);
                self.report.key = self.key.as_ref().map(PublicKey::id).unwrap_or_default();
                (self.report.registry, self.report.time) = (registry, time);
                self.since = wanted.since.is_some();
                self.report.partial = wanted.repo.is_some() || wanted.since.is_some();
            }
            Note::Chain { chain, name, first } => {
                self.close_chain();
                if !self.seen.insert(chain) {
                    self.fail(Fault::Added, format!("the chain {chain} is there twice"));
                }
                let report = ChainReport {
                    chain,
                    name,
                    events: 0,
                    first,
                    head: None,
                    removed: 0,
                    problems: Vec::new(),
                    more: 0,
                };
                self.open = Some(Open {
                    report,
                    next: first,
                    last: None,
                    anchored: first == 1,
                    from_start: first > 1 && !self.since,
                    suspect: None,
                    missing: BTreeSet::new(),
                    earlier: self.earlier.get(&chain).copied(),
                });
            }
            Note::Checkpoint { chain, checkpoint } => {
                let text = checkpoint.text(&self.report.registry, chain);
                let signed = self.key.as_ref().is_some_and(|key| key.verifies(&text, &checkpoint.signature));
                self.within(chain, |open| open.checkpoint(&checkpoint, signed));
            }
            Note::Missing { chain, seq } => self.within(chain, |open| open.gone(seq, Fault::Missing, "is missing")),
            Note::Unreadable { chain, seq } => {
                self.within(chain, |open| open.gone(seq, Fault::Changed, "was changed: it does not read"));
            }
            Note::Head { chain, head, signature } => {
                let text = head.text(&self.report.registry, chain, self.report.time);
                let signed = self.key.as_ref().is_some_and(|key| key.verifies(&text, &signature));
                self.within(chain, |open| open.end(head, signed));
                self.close_chain();
            }
            Note::Stray { id } => {
                self.fail(Fault::Added, format!("the row {id} stands at no place of any chain, or at one not its own"));
            }
            Note::End { chains, events } => {
                self.close_chain();
                self.ended = true;
                let found = self.report.chains.len() as u64;
                if found != chains || self.events != events {
                    let words = format!(
                        "the export had {events} events in {chains} chains, and here are {} in {found}",
                        self.events
                    );
                    self.fail(Fault::Missing, words);
                }
            }
        }
    }

    fn within(&mut self, chain: Chain, act: impl FnOnce(&mut Open)) {
        match &mut self.open {
            Some(open) if open.report.chain == chain => act(open),
            _ => self.fail(Fault::Moved, format!("line {} belongs to the chain {chain}, elsewhere", self.lines)),
        }
    }

    fn event(&mut self, line: &str) {
        let Some(open) = &mut self.open else {
            return self.fail(Fault::Added, format!("line {} stands in no chain", self.lines));
        };
        match serde_json::from_str::<Recorded>(line) {
            Err(_) => open.gone(open.next, Fault::Changed, "was changed: it does not read"),
            Ok(read) => open.event(&read, hash(line.as_bytes())),
        }
    }

    fn close_chain(&mut self) {
        if let Some(open) = self.open.take() {
            self.report.chains.push(open.close());
        }
    }

    /// What was found, after the last line.
    pub fn finish(mut self) -> Report {
        self.close_chain();
        if self.lines == 0 || self.report.registry.is_empty() {
            self.fail(Fault::Changed, "this is no export of msr-lite: its first line is missing");
        }
        if !self.ended {
            self.fail(Fault::Cut, "the export was cut: its last line is missing");
        }
        if !self.report.partial {
            let lost: Vec<Chain> = self.earlier.keys().filter(|chain| !self.seen.contains(chain)).copied().collect();
            for chain in lost {
                let words = format!("the chain {chain} is gone; the export of {} had it", self.earlier_time);
                self.fail(Fault::Rewritten, words);
            }
        }
        self.report
    }
}

impl Open {
    fn event(&mut self, read: &Recorded, this: Digest) {
        self.report.events += 1;
        let seq = read.seq;
        if read.chain != self.report.chain {
            let words = format!("in the place of event {} stands one of the chain {}", self.next, read.chain);
            return self.gone_words(self.next, Fault::Moved, words);
        }
        if let Some(earlier) = self.earlier
            && earlier.seq == seq
            && earlier.hash != this
        {
            let words = format!("event {seq} is another one than in the earlier export");
            self.report.problem(Fault::Rewritten, Some(seq), words);
        }
        if seq < self.next {
            let words = if self.missing.remove(&seq) {
                format!("event {seq} stands behind event {}", self.next - 1)
            } else {
                format!("event {seq} is there twice, or does not belong there: event {} is due", self.next)
            };
            return self.report.problem(Fault::Moved, Some(seq), words);
        }
        if seq > self.next {
            self.pass_over(seq);
        } else {
            self.link(read.previous, seq);
        }
        self.last = Some(Last { seq, hash: this, removed: false });
        (self.next, self.anchored) = (seq.saturating_add(1), true);
    }

    /// Numbers up to `seq` are not there; some may come later.
    fn pass_over(&mut self, seq: u64) {
        let wide = seq - self.next;
        if wide > 1_000 {
            let words = format!("events {} to {} are missing", self.next, seq - 1);
            self.report.problem(Fault::Missing, Some(self.next), words);
        } else {
            self.missing.extend(self.next..seq);
        }
        self.settle(false);
        self.last = None;
    }

    /// Checks what an event names as the one before it.
    fn link(&mut self, previous: Option<Digest>, here: u64) {
        let Some(last) = self.last else {
            if self.anchored && here == 1 && previous.is_some() {
                self.report.problem(Fault::Changed, Some(1), "event 1 names one before it".to_owned());
            }
            return;
        };
        let holds = previous == Some(last.hash);
        let explained = self.settle(holds);
        if !holds && !explained {
            self.suspect = Some(Suspect { before: last, here });
        }
    }

    /// Says which of two events a link that did not hold is to be blamed on, when the next link is known; true when that
    /// explains that this one does not hold.
    fn settle(&mut self, holds: bool) -> bool {
        let Some(Suspect { before, here }) = self.suspect.take() else { return false };
        let (seq, words) = match (holds, before.removed) {
            (true, false) => (before.seq, format!("event {} was changed", before.seq)),
            (true, true) => (here, format!("event {here} does not follow what was removed before it")),
            (false, _) => (here, format!("event {here} was changed")),
        };
        self.report.problem(Fault::Changed, Some(seq), words);
        !holds
    }

    fn gone(&mut self, seq: u64, fault: Fault, what: &str) {
        self.gone_words(seq, fault, format!("event {seq} {what}"));
    }

    /// There is nothing at this place to link to.
    fn gone_words(&mut self, seq: u64, fault: Fault, words: String) {
        if seq > self.next {
            self.pass_over(seq);
        }
        self.settle(false);
        self.report.problem(fault, Some(seq), words);
        self.last = None;
        (self.next, self.anchored) = (self.next.max(seq.saturating_add(1)), true);
    }

    fn checkpoint(&mut self, checkpoint: &Checkpoint, signed: bool) {
        let &Checkpoint { seq, hash, removed, .. } = checkpoint;
        if !signed {
            let words = format!("the checkpoint at event {seq} was not signed with the registry's key");
            self.report.problem(Fault::Forged, Some(seq), words);
        }
        if let Some(earlier) = self.earlier
            && earlier.seq == seq
            && earlier.hash != hash
        {
            let words = format!("the checkpoint at event {seq} does not fit the earlier export");
            self.report.problem(Fault::Rewritten, Some(seq), words);
        }
        (self.report.removed, self.from_start) = (removed, false);
        if removed != seq {
            let words = format!("the checkpoint at event {seq} says that {removed} were removed");
            self.report.problem(Fault::Forged, Some(seq), words);
        }
        if let Some(last) = self.last.filter(|last| last.seq == seq) {
            let holds = last.hash == hash;
            if !self.settle(holds) && !holds {
                self.report.problem(Fault::Changed, Some(seq), format!("event {seq} was changed"));
            }
        }
        if seq + 1 >= self.next {
            (self.next, self.last) = (seq + 1, Some(Last { seq, hash, removed: true }));
            self.anchored = true;
            if self.report.events == 0 {
                self.report.first = seq + 1;
            }
        }
    }

    fn end(&mut self, head: Head, signed: bool) {
        self.report.head = Some(head);
        if !signed {
            self.report.problem(Fault::Forged, None, "its end was not signed with the registry's key".to_owned());
        }
        if head.seq >= self.next {
            self.settle(false);
            let (from, to) = (self.next, head.seq);
            let words = if from == to {
                format!("it was cut at its end: event {to} is missing")
            } else {
                format!("it was cut at its end: events {from} to {to} are missing")
            };
            self.report.problem(Fault::Cut, Some(from), words);
        } else if head.seq + 1 < self.next {
            self.settle(false);
            let words = format!("events behind number {} stand behind its end", head.seq);
            self.report.problem(Fault::Added, Some(head.seq + 1), words);
        } else if let Some(last) = self.last {
            let holds = last.hash == head.hash;
            if !self.settle(holds) && !holds {
                self.report.problem(Fault::Changed, Some(last.seq), format!("event {} was changed", last.seq));
            }
        }
        if let Some(earlier) = self.earlier.filter(|earlier| earlier.seq > head.seq) {
            let words = format!(
                "it was cut at its end: it has {} events, and had {} in the earlier export",
                head.seq, earlier.seq
            );
            self.report.problem(Fault::Rewritten, Some(head.seq + 1), words);
        }
    }

    fn close(mut self) -> ChainReport {
        self.settle(false);
        if self.report.head.is_none() {
            self.report.problem(Fault::Cut, None, "its end is missing: the export was cut".to_owned());
        }
        if self.from_start {
            let words = format!("events 1 to {} are missing, and no checkpoint stands for them", self.report.first - 1);
            self.report.problem(Fault::Missing, Some(1), words);
        }
        let missing = std::mem::take(&mut self.missing);
        let mut runs: Vec<(u64, u64)> = Vec::new();
        for seq in missing {
            match runs.last_mut() {
                Some((_, to)) if *to + 1 == seq => *to = seq,
                _ => runs.push((seq, seq)),
            }
        }
        for (from, to) in runs {
            let words = if from == to {
                format!("event {from} is missing")
            } else {
                format!("events {from} to {to} are missing")
            };
            self.report.problem(Fault::Missing, Some(from), words);
        }
        self.report
    }
}
