//! What happened, newest first, as the pages and the REST interface list it: of one repository, or of all that the viewer
//! may see.

use std::collections::{HashMap, VecDeque};

use crate::base::{EventId, RepoId, Timestamp};
use crate::meta::key::Key;
use crate::meta::order::Entry;
use crate::meta::{MetaError, ReadTx, account, event, record, repo, tables};
use crate::model::event::chain::{Chain, Recorded};
use crate::model::event::msr::{self, ObjectType, Verb};
use crate::model::event::{Happening, Outcome};
use crate::oci::RepoName;
use crate::registry::listing::{self, Cursor, Page, Scope, Sort};
use crate::registry::{Registry, RegistryError, known};

/// Events that one request looks at to fill a page: some ten milliseconds. Then the page ends, short or empty, and its mark
/// goes on from there.
const SCAN: usize = 2_000;
/// Rows read at once.
const CHUNK: usize = 200;

/// What is listed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ActivityQuery {
    /// Only of this repository.
    pub repo: Option<RepoName>,
    /// Only by this account.
    pub actor: Option<String>,
    /// Only with this verb.
    pub verb: Option<Verb>,
    /// Only about objects of this type.
    pub object: Option<ObjectType>,
    /// Only what was done, or refused.
    pub result: Option<Outcome>,
    /// Only from this time on.
    pub since: Option<Timestamp>,
    /// Only before this time.
    pub until: Option<Timestamp>,
    /// Pulls too.
    pub pulls: bool,
    /// Where the page begins.
    pub after: Option<Cursor>,
    /// How many entries it may have; 0 for the usual number.
    pub limit: usize,
}

/// How much of what happened in a repository somebody may see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sight {
    /// Nothing, not even that it exists.
    Nothing,
    /// What was changed, and by whom: whoever may read it.
    Changes,
    /// Also who pulled, who was refused, and from where: whoever administers it.
    Everything,
}

/// Who looks.
pub struct Viewer<'v> {
    /// The account's name, if somebody is signed in: one sees what concerns one's own account.
    pub name: Option<&'v str>,
    /// Whether an administrator of the registry looks, who sees everything.
    pub admin: bool,
    /// How much of a repository the viewer may see.
    pub sight: &'v dyn Fn(&RepoName) -> Sight,
}

/// The first id of events of a time.
fn id_from(time: Timestamp) -> EventId {
    let mut id = EventId([0; 16]);
    id.0[..6].copy_from_slice(&time.0.to_be_bytes()[2..]);
    id
}

/// Rows of events, newest first, read a few at a time.
enum Source {
    Chain { chain: Chain, from: u64, before: Option<u64> },
    All { from: Option<EventId>, before: Option<EventId> },
}

struct Rows<'t> {
    tx: &'t ReadTx,
    source: Source,
    read: VecDeque<Entry>,
    ended: bool,
}

impl Rows<'_> {
    fn next(&mut self) -> Result<Option<Entry>, MetaError> {
        while self.read.is_empty() && !self.ended {
            self.more()?;
        }
        Ok(self.read.pop_front())
    }

    fn more(&mut self) -> Result<(), MetaError> {
        let tx = self.tx;
        let count = match &mut self.source {
            Source::Chain { chain, from, before } => {
                let places = event::places_back(tx, *chain, *before, CHUNK)?;
                let count = places.len();
                for (seq, id) in places {
                    *before = Some(seq);
                    if seq < *from {
                        self.ended = true;
                        break;
                    }
                    if let Some(value) = event::value(tx, id)? {
                        self.read.push_back((Key::new().u64(seq).as_bytes().to_vec(), value));
                    }
                }
                count
            }
            Source::All { from, before } => {
                let rows = event::rows_back(tx, *from, *before, CHUNK)?;
                let count = rows.len();
                for (id, value) in rows {
                    *before = Some(id);
                    self.read.push_back((id.0.to_vec(), value));
                }
                count
            }
        };
        self.ended |= count < CHUNK;
        Ok(())
    }
}

impl Registry {
    /// What happened, newest first. A page costs at most a look at two thousand events, wherever it begins.
    ///
    /// # Errors
    /// [`RegistryError::NameUnknown`], [`RegistryError::ForeignCursor`], or the store's fault.
    pub fn activity(&self, query: &ActivityQuery, viewer: &Viewer<'_>) -> Result<Page<Recorded>, RegistryError> {
        let limit = listing::page_size(query.limit);
        self.meta().read(|tx| {
            let of = query.repo.as_ref().map(|name| known(tx, name)).transpose()?;
            let ActivityQuery { actor, verb, object, result, since, until, pulls, .. } = query;
            let filters = format!("{:?}", (actor, verb, object, result, since, until, pulls));
            let scope = Scope::new(self.seal()?, "activity", Sort::Pushed).filter(Some(&filters));
            let scope = if let Some(id) = of { scope.repo(id) } else { scope };
            let place = scope.place(query.after.as_ref())?;
            let source = source(tx, query, of, place.as_deref())?;
            let mut rows = Rows { tx, source, read: VecDeque::new(), ended: false };
            let own = viewer.name.map(|name| account::get(tx, name)).transpose()?.flatten();
            let own_since = own.map(|account| account.created);
            let mut seen = Seen { tx, viewer, own_since, repos: HashMap::new() };
            let (entries, next) = listing::fill_from(
                || rows.next(),
                limit,
                SCAN,
                &scope,
                |_, value| {
                    // One that does not read has nothing to show; `audit verify` says where it is.
                    let Ok(read) = record::decode::<Recorded>(tables::EVENT, value) else { return Ok(None) };
                    if !query.wants(&read) {
                        return Ok(None);
                    }
                    seen.shown(read)
                },
            )?;
            Ok(Page { entries, next, total: None })
        })
    }
}

fn source(
    tx: &ReadTx,
    query: &ActivityQuery,
    of: Option<RepoId>,
    place: Option<&[u8]>,
) -> Result<Source, RegistryError> {
    let Some(id) = of else {
        let place = place.and_then(|place| place.try_into().ok()).map(EventId);
        return Ok(Source::All { from: query.since.map(id_from), before: place.or_else(|| query.until.map(id_from)) });
    };
    let chain = Chain(Some(id));
    let begin = event::checkpoint(tx, chain)?.map_or(1, |checkpoint| checkpoint.seq + 1);
    let end = event::head(tx, chain)?.map_or(begin, |head| head.seq + 1);
    let halve = |time| super::export::first_since(tx, chain, begin, end, time);
    let from = query.since.map(halve).transpose()?.unwrap_or(begin);
    let place = place.and_then(|place| Some(u64::from_be_bytes(place.try_into().ok()?)));
    let before = match (place, query.until) {
        (Some(place), _) => Some(place),
        (None, Some(until)) => Some(halve(until)?),
        (None, None) => None,
    };
    Ok(Source::Chain { chain, from, before })
}

impl ActivityQuery {
    fn wants(&self, read: &Recorded) -> bool {
        let event = &read.event;
        if !self.pulls && self.verb != Some(Verb::Get) && msr::is_pull(&event.what) {
            return false;
        }
        if self.result.is_some_and(|result| result != event.result)
            || self.since.is_some_and(|since| event.time < since)
            || self.until.is_some_and(|until| event.time >= until)
            || self
                .actor
                .as_deref()
                .is_some_and(|actor| event.actor.name() != actor && (event.what.account() != Some(actor)))
        {
            return false;
        }
        if self.verb.is_none() && self.object.is_none() {
            return true;
        }
        let words = msr::words(event);
        self.verb.is_none_or(|verb| verb == words.verb) && self.object.is_none_or(|object| object == words.object)
    }
}

/// What the viewer may see, looked up once for each repository of a page.
struct Seen<'t> {
    tx: &'t ReadTx,
    viewer: &'t Viewer<'t>,
    /// Since when the viewer's account is there: what happened before to one of the same name is another's.
    own_since: Option<Timestamp>,
    repos: HashMap<RepoId, Sight>,
}

impl Seen<'_> {
    fn sight(&mut self, id: RepoId) -> Result<Sight, RegistryError> {
        if self.viewer.admin {
            return Ok(Sight::Everything);
        }
        if let Some(sight) = self.repos.get(&id) {
            return Ok(*sight);
        }
        // What a repository was that is gone is for administrators: one that has its name now may be another's.
        let living = match repo::get(self.tx, id)? {
            Some(row) if repo::id_of(self.tx, &row.name)? == Some(id) => Some(row.name),
            _ => None,
        };
        let sight = living.map_or(Sight::Nothing, |name| (self.viewer.sight)(&name));
        self.repos.insert(id, sight);
        Ok(sight)
    }

    /// The event as far as the viewer may see it.
    fn shown(&mut self, mut read: Recorded) -> Result<Option<Recorded>, RegistryError> {
        let own = |name: &str| {
            let event = &read.event;
            event.what.account() == Some(name)
                || (event.actor.name() == name && matches!(event.actor, crate::model::Principal::User { .. }))
        };
        let is_own = self.viewer.name.is_some_and(own) && self.own_since.is_some_and(|since| read.event.time >= since);
        let sight = match read.chain.0 {
            Some(id) => self.sight(id)?,
            None if self.viewer.admin => Sight::Everything,
            // That somebody was refused in a repository stands in that one's chain, or here when there is none: who may
            // not see it must not learn by this which it is.
            None if is_own
                && read.event.what.repository().is_none_or(|name| (self.viewer.sight)(name) != Sight::Nothing) =>
            {
                Sight::Everything
            }
            None => Sight::Nothing,
        };
        let is_private = matches!(
            read.event.what,
            Happening::Pulled { .. }
                | Happening::Refused { .. }
                | Happening::GrantSet { .. }
                | Happening::GrantRemoved { .. }
        );
        Ok(match sight {
            Sight::Nothing => None,
            Sight::Changes if is_private && !is_own => None,
            Sight::Changes if !is_own => {
                (read.event.address, read.event.agent, read.event.via) = (None, None, None);
                Some(read)
            }
            Sight::Changes | Sight::Everything => Some(read),
        })
    }
}
