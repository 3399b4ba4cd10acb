//! Rows of grants: which teams have which rights where. Each stands twice, to be found from the place and from the team.

use super::engine::{MetaError, Read, WriteTx};
use super::key::{Key, KeyReader};
use super::record::{decode, encode};
use super::repo;
use super::tables::{GRANT, GRANT_OF};
use crate::base::{RepoId, Uuid};
use crate::model::Level;
use crate::model::permission::Place;
use crate::oci::RepoName;

/// Where a grant holds, as the store finds it: a repository by its id, so that a later one of the same name has none of
/// its rights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum At<'p> {
    /// A namespace.
    Namespace(&'p str),
    /// A repository.
    Repository(RepoId, &'p RepoName),
}

impl<'p> At<'p> {
    /// The place as the store finds it; `None` when there is no such repository.
    ///
    /// # Errors
    /// When the store fails.
    pub fn find(tx: &impl Read, place: &'p Place) -> Result<Option<Self>, MetaError> {
        match place {
            Place::Namespace(namespace) => Ok(Some(Self::Namespace(namespace))),
            Place::Repository(name) => Ok(repo::id_of(tx, name)?.map(|id| Self::Repository(id, name))),
        }
    }

    /// The repository, if it is one.
    pub fn repo(self) -> Option<RepoId> {
        if let Self::Repository(id, _) = self { Some(id) } else { None }
    }

    fn prefix(self) -> Key {
        match self {
            Self::Namespace(namespace) => Key::new().raw(b"n").text(namespace),
            Self::Repository(id, _) => Key::new().raw(b"r").u64(id.0),
        }
    }

    fn behind_team(self, team: Uuid) -> Key {
        let key = Key::new().raw(&team.0);
        match self {
            Self::Namespace(namespace) => key.raw(b"n").text(namespace),
            Self::Repository(id, name) => key.raw(b"r").text(name.as_str()).u64(id.0),
        }
    }
}

/// What a team has there.
///
/// # Errors
/// When the store fails.
pub fn get(tx: &impl Read, at: At<'_>, team: Uuid) -> Result<Option<Level>, MetaError> {
    tx.get(GRANT, at.prefix().raw(&team.0).as_bytes())?.map(|value| decode(GRANT, &value)).transpose()
}

/// Gives a team a right.
pub fn put(tx: &mut WriteTx, at: At<'_>, team: Uuid, level: Level) {
    tx.put(GRANT, at.prefix().raw(&team.0).as_bytes(), encode(&level));
    tx.put(GRANT_OF, at.behind_team(team).as_bytes(), encode(&level));
}

/// Takes it away.
pub fn delete(tx: &mut WriteTx, at: At<'_>, team: Uuid) {
    tx.delete(GRANT, at.prefix().raw(&team.0).as_bytes());
    tx.delete(GRANT_OF, at.behind_team(team).as_bytes());
}

/// At most `limit` grants in a place behind the team `last`; some may be of deleted teams.
///
/// # Errors
/// When the store fails.
pub fn on(tx: &impl Read, at: At<'_>, last: Option<Uuid>, limit: usize) -> Result<Vec<(Uuid, Level)>, MetaError> {
    let prefix = at.prefix();
    let end = Key::prefix_end(prefix.as_bytes());
    let from = last.map_or_else(|| prefix.clone(), |last| prefix.clone().raw(&last.0).raw(&[0]));
    let rows = tx.range(GRANT, from.as_bytes(), end.as_deref(), limit)?;
    let team = |key: &[u8]| key.last_chunk::<16>().map(|id| Uuid(*id)).ok_or_else(unread);
    rows.iter().map(|(key, value)| Ok((team(key)?, decode(GRANT, value)?))).collect()
}

/// A grant as it is found from its team.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// Where.
    pub place: Place,
    /// The repository, if it is one. It may be gone since.
    pub repo: Option<RepoId>,
    /// How much.
    pub level: Level,
    /// What the next page begins behind.
    pub mark: Vec<u8>,
}

/// At most `limit` grants of a team behind `after` (a [`Held::mark`]): namespaces first, then repositories, each by name.
///
/// # Errors
/// When the store fails.
pub fn of_team(tx: &impl Read, team: Uuid, after: Option<&[u8]>, limit: usize) -> Result<Vec<Held>, MetaError> {
    let prefix = Key::new().raw(&team.0);
    let end = Key::prefix_end(prefix.as_bytes());
    let from = after.map_or_else(|| prefix.clone(), |after| prefix.clone().raw(after).raw(&[0]));
    let rows = tx.range(GRANT_OF, from.as_bytes(), end.as_deref(), limit)?;
    rows.iter().map(|(key, value)| held(&key[16..], value)).collect()
}

fn held(mark: &[u8], value: &[u8]) -> Result<Held, MetaError> {
    let (kind, rest) = mark.split_first().ok_or_else(unread)?;
    let mut key = KeyReader::new(rest);
    let text = key.text().ok_or_else(unread)?;
    let (place, repo) = if *kind == b'n' {
        (Place::Namespace(text.to_owned()), None)
    } else {
        let name = RepoName::parse(text).map_err(|_| unread())?;
        (Place::Repository(name), Some(RepoId(key.u64().ok_or_else(unread)?)))
    };
    Ok(Held { place, repo, level: decode(GRANT_OF, value)?, mark: mark.to_vec() })
}

/// Takes away at most `limit` grants of a team; true when none are left.
pub(super) fn drop_some(tx: &mut WriteTx, team: Uuid, limit: usize) -> Result<bool, MetaError> {
    let some = of_team(tx, team, None, limit)?;
    for held in &some {
        match (&held.place, held.repo) {
            (Place::Namespace(namespace), _) => delete(tx, At::Namespace(namespace), team),
            (Place::Repository(name), Some(id)) => delete(tx, At::Repository(id, name), team),
            (Place::Repository(_), None) => {}
        }
    }
    Ok(some.len() < limit)
}

/// Takes away at most `limit` grants in a repository; true when none are left.
pub(super) fn clear_some(tx: &mut WriteTx, id: RepoId, name: &RepoName, limit: usize) -> Result<bool, MetaError> {
    let at = At::Repository(id, name);
    let some = on(tx, at, None, limit)?;
    for (team, _) in &some {
        delete(tx, at, *team);
    }
    Ok(some.len() < limit)
}

fn unread() -> MetaError {
    MetaError::Corrupt("the key of a grant does not read".into())
}
