//! The record as JSON lines, a page at a time: for the command line, on a running registry and on a stopped one, and for
//! the job that verifies it.
//!
//! An event's line is its canonical text as it is stored, byte for byte; `sha256sum` of it (without the line's end) is
//! what the next event of its chain names as `previous`. All other lines are objects whose first key is `audit`
//! ([`Note`]): the registry and its key at the beginning, where a chain begins and ends (signed), what stands in an event's
//! place where it is missing, and how many there were at the end.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::key::AuditKey;
use crate::base::{EventId, RepoId, Timestamp};
use crate::meta::{Read, ReadTx, event, record, repo, tables};
use crate::model::event::chain::{Chain, Checkpoint, Head, Recorded};
use crate::oci::RepoName;
use crate::registry::{Registry, RegistryError};

/// Bytes of a page, about.
const PAGE: usize = 256 * 1024;
/// Events read at once.
const CHUNK: usize = 200;
/// Rows looked at in one page for events that stand in no chain.
const STRAYS: usize = 2_000;
/// The version of the form.
pub const VERSION: u32 = 1;

/// What is exported.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wanted {
    /// Only the chain of this repository: its name, or a chain's id as exports have it (a deleted repository has only
    /// that).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repo: Option<String>,
    /// Only events from this time on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
}

impl Wanted {
    fn is_all(&self) -> bool {
        *self == Self::default()
    }
}

/// A line that is no event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "audit", rename_all = "snake_case")]
pub enum Note {
    /// The first line.
    Export {
        /// [`VERSION`].
        version: u32,
        /// The registry's id.
        registry: String,
        /// When it was made (ms since 1970); signatures of heads name it.
        time: Timestamp,
        /// What was asked for.
        wanted: Wanted,
        /// The key that signs, PEM.
        key: String,
    },
    /// A chain begins.
    Chain {
        /// Which.
        chain: Chain,
        /// The repository's name, where it is known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        name: Option<RepoName>,
        /// The number of the first event that follows.
        first: u64,
    },
    /// Older events were removed.
    Checkpoint {
        /// Of this chain.
        chain: Chain,
        /// What stands in their place.
        #[serde(flatten)]
        checkpoint: Checkpoint,
    },
    /// There is a place for an event, and no event.
    Missing {
        /// In this chain.
        chain: Chain,
        /// Its number.
        seq: u64,
    },
    /// An event that is no text any more.
    Unreadable {
        /// In this chain.
        chain: Chain,
        /// Its number.
        seq: u64,
    },
    /// A chain ends.
    Head {
        /// Which.
        chain: Chain,
        /// Where.
        #[serde(flatten)]
        head: Head,
        /// Over [`Head::text`].
        signature: String,
    },
    /// A row that stands in no chain's place.
    Stray {
        /// Its id.
        id: EventId,
    },
    /// The last line.
    End {
        /// How many chains there were.
        chains: u64,
        /// How many lines of events.
        events: u64,
    },
}

/// Where an export goes on; made by one page for the next.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    time: Timestamp,
    stage: Stage,
    chains: u64,
    events: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Stage {
    /// The next chain behind this one.
    Next(Option<Chain>),
    /// Within a chain whose end was seen.
    Within { chain: Chain, next: u64, head: Head },
    /// Looking for rows that stand in no chain.
    Strays(Option<EventId>),
    /// Nothing but the last line.
    End,
}

/// A page of an export.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExportPage {
    /// Its lines, without their ends.
    pub lines: Vec<String>,
    /// Where the next page begins, if there is one.
    pub next: Option<Mark>,
}

struct Writer<'w> {
    tx: &'w ReadTx,
    wanted: &'w Wanted,
    only: Option<Chain>,
    key: &'w AuditKey,
    registry: &'w str,
    lines: Vec<String>,
    bytes: usize,
    mark: Mark,
}

impl Registry {
    /// One page of an export, from its beginning or from where another page ended. Each page is one view; a chain is
    /// written up to where it ended when its first event was.
    ///
    /// # Errors
    /// [`RegistryError::NameUnknown`] when the repository is not there; when the store fails.
    pub async fn export_events(&self, wanted: &Wanted, mark: Option<Mark>) -> Result<ExportPage, RegistryError> {
        let (key, registry) = (self.audit_key().await?, self.instance()?);
        let now = self.clock().now();
        let (this, wanted) = (self.clone(), wanted.clone());
        let page = tokio::task::spawn_blocking(move || {
            this.meta().read(|tx| {
                let only = wanted.repo.as_deref().map(|text| chain_of(tx, text)).transpose()?;
                let is_first = mark.is_none();
                let mark = mark.unwrap_or(Mark { time: now, stage: Stage::Next(None), chains: 0, events: 0 });
                let (key, registry) = (&*key, registry.as_str());
                let mut page = Writer { tx, wanted: &wanted, only, key, registry, lines: Vec::new(), bytes: 0, mark };
                if is_first {
                    page.note(&Note::Export {
                        version: VERSION,
                        registry: registry.to_owned(),
                        time: now,
                        wanted: wanted.clone(),
                        key: key.public().pem(),
                    });
                }
                let more = page.fill()?;
                Ok::<_, RegistryError>(ExportPage { lines: page.lines, next: more.then_some(page.mark) })
            })
        });
        page.await.map_err(|error| RegistryError::Store(crate::meta::MetaError::Storage(error.to_string())))?
    }
}

/// The chain that somebody names.
fn chain_of(tx: &impl Read, text: &str) -> Result<Chain, RegistryError> {
    if let Some(chain) = Chain::parse(text)
        && event::head(tx, chain)?.is_some()
    {
        return Ok(chain);
    }
    let wrong = |_| RegistryError::Store(crate::meta::MetaError::Storage(format!("{text} is no repository's name")));
    let name = RepoName::parse(text).map_err(wrong)?;
    let id = repo::id_of(tx, &name)?.ok_or_else(|| RegistryError::NameUnknown(name.clone()))?;
    Ok(Chain(Some(id)))
}

impl Writer<'_> {
    fn note(&mut self, note: &Note) {
        let line = serde_json::to_string(note).expect("notes are plain data");
        self.bytes += line.len();
        self.lines.push(line);
    }

    /// Writes until the page is full; tells whether there is more.
    fn fill(&mut self) -> Result<bool, RegistryError> {
        loop {
            if self.bytes >= PAGE {
                return Ok(true);
            }
            match self.mark.stage.clone() {
                Stage::Next(after) => self.next_chain(after)?,
                Stage::Within { chain, next, head } => self.events(chain, next, head)?,
                Stage::Strays(after) => {
                    self.strays(after)?;
                    if self.mark.stage != Stage::End {
                        return Ok(true);
                    }
                }
                Stage::End => {
                    let Mark { chains, events, .. } = self.mark;
                    self.note(&Note::End { chains, events });
                    return Ok(false);
                }
            }
        }
    }

    fn next_chain(&mut self, after: Option<Chain>) -> Result<(), RegistryError> {
        let found = match self.only {
            Some(chain) if after.is_none() => event::head(self.tx, chain)?.map(|head| (chain, head)),
            Some(_) => None,
            None => event::heads(self.tx, after, 1)?.pop(),
        };
        let Some((chain, head)) = found else {
            self.mark.stage = if self.wanted.is_all() { Stage::Strays(None) } else { Stage::End };
            return Ok(());
        };
        self.mark.chains += 1;
        let checkpoint = event::checkpoint(self.tx, chain)?;
        let begin = checkpoint.as_ref().map_or(1, |checkpoint| checkpoint.seq + 1);
        let first = match self.wanted.since {
            Some(since) => first_since(self.tx, chain, begin, head.seq + 1, since)?,
            None => begin,
        };
        let name = match chain.0 {
            Some(id) => self.name(id, head)?,
            None => None,
        };
        self.note(&Note::Chain { chain, name, first });
        if let Some(checkpoint) = checkpoint.filter(|_| first == begin) {
            self.note(&Note::Checkpoint { chain, checkpoint });
        }
        self.mark.stage = Stage::Within { chain, next: first, head };
        Ok(())
    }

    /// The repository's name; of one that is gone, as its last event has it.
    fn name(&self, id: RepoId, head: Head) -> Result<Option<RepoName>, RegistryError> {
        if let Some(row) = repo::get(self.tx, id)? {
            return Ok(Some(row.name));
        }
        let last = event::at(self.tx, Chain(Some(id)), head.seq)?;
        let last = last.map(|id| event::value(self.tx, id)).transpose()?.flatten();
        let last = last.and_then(|value| record::decode::<Recorded>(tables::EVENT, &value).ok());
        Ok(last.and_then(|last| last.event.what.repository().cloned()))
    }

    fn events(&mut self, chain: Chain, mut next: u64, head: Head) -> Result<(), RegistryError> {
        // Meanwhile older ones may have been removed.
        if let Some(checkpoint) = event::checkpoint(self.tx, chain)?.filter(|checkpoint| checkpoint.seq >= next) {
            next = checkpoint.seq + 1;
            self.note(&Note::Checkpoint { chain, checkpoint });
        }
        let places = event::places(self.tx, chain, next, CHUNK)?;
        let was_last = places.len() < CHUNK;
        for (seq, id) in places {
            // A place behind the end was made since, unless the end itself was tampered with: that shows, for the end
            // that is stored now is behind it.
            if seq > head.seq && event::head(self.tx, chain)?.is_some_and(|now| now.seq >= seq) {
                self.end_chain(chain, head);
                return Ok(());
            }
            next = seq + 1;
            let text = event::value(self.tx, id)?.map(|value| String::from_utf8(event::text(&value).to_vec()));
            match text {
                None => self.note(&Note::Missing { chain, seq }),
                Some(Ok(text)) if text.starts_with('{') && !text.contains('\n') => {
                    self.mark.events += 1;
                    self.bytes += text.len();
                    self.lines.push(text);
                }
                Some(_) => self.note(&Note::Unreadable { chain, seq }),
            }
            if self.bytes >= PAGE {
                self.mark.stage = Stage::Within { chain, next, head };
                return Ok(());
            }
        }
        self.mark.stage = Stage::Within { chain, next, head };
        if was_last {
            self.end_chain(chain, head);
        }
        Ok(())
    }

    fn end_chain(&mut self, chain: Chain, head: Head) {
        let signature = self.key.sign(&head.text(self.registry, chain, self.mark.time));
        self.note(&Note::Head { chain, head, signature });
        self.mark.stage = Stage::Next(Some(chain));
    }

    /// Rows that no chain's place names, or that stand under another id than their own.
    fn strays(&mut self, after: Option<EventId>) -> Result<(), RegistryError> {
        let rows = event::rows(self.tx, after, STRAYS)?;
        self.mark.stage = if rows.len() < STRAYS { Stage::End } else { Stage::Strays(rows.last().map(|(id, _)| *id)) };
        let mut ends: HashMap<Chain, u64> = HashMap::new();
        for (id, value) in rows {
            let fits = match record::decode::<Recorded>(tables::EVENT, &value) {
                Ok(read) => {
                    let end = match ends.get(&read.chain) {
                        Some(end) => *end,
                        // A chain whose head was taken away would not be looked at otherwise.
                        None => event::head(self.tx, read.chain)?.map_or(0, |head| head.seq),
                    };
                    ends.insert(read.chain, end);
                    read.event.id == id && read.seq <= end && event::at(self.tx, read.chain, read.seq)? == Some(id)
                }
                // One that does not read is told where its chain has it, if one has.
                Err(_) => false,
            };
            if !fits {
                self.note(&Note::Stray { id });
            }
        }
        Ok(())
    }
}

/// The number of the first event from `begin` on and before `end` that is not older than `since`, or `end`. Events of a
/// chain are in the order in which they were written; where the clock was set back, it is the one that halving finds.
///
/// # Errors
/// When the store fails.
pub(super) fn first_since(
    tx: &impl Read,
    chain: Chain,
    begin: u64,
    end: u64,
    since: Timestamp,
) -> Result<u64, RegistryError> {
    let (mut low, mut high) = (begin, end);
    while low < high {
        let middle = low + (high - low) / 2;
        let value = event::at(tx, chain, middle)?.map(|id| event::value(tx, id)).transpose()?.flatten();
        let read = value.and_then(|value| record::decode::<Recorded>(tables::EVENT, &value).ok());
        if read.is_some_and(|read| read.event.time >= since) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    Ok(low)
}
