//! Rows of repositories, and the lists that they stand in.

use serde::{Deserialize, Serialize};

use super::key::{Key, KeyReader};
use super::order::{self, Merged, Sort, Weight};
use super::record::{decode, encode};
use super::tables::{
    META, REPO, REPO_BY_NAME, REPO_COUNTER, REPO_DELETED, REPO_GONE, REPO_LISTED, REPO_ORDER, REPO_README,
};
use super::{MetaError, Read, WriteTx, tag};
use crate::base::{RepoId, Timestamp};
use crate::oci::RepoName;
use crate::oci::kind::{Group, Kind};

/// Where the number of repositories is kept.
const TOTAL: &[u8] = b"repositories";

/// A repository as stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RepoRow {
    /// Its name.
    pub name: RepoName,
    /// When its first push was acknowledged.
    pub created: Timestamp,
    /// Who may see it.
    #[serde(default)]
    pub visibility: Visibility,
    /// One line about it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub short_description: String,
    /// When it was deleted: nobody sees it any more, and its rows go in bounded steps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deleted: Option<Timestamp>,
}

impl RepoRow {
    /// A repository that comes into being.
    pub fn new(name: RepoName, created: Timestamp) -> Self {
        let (visibility, short_description, deleted) = (Visibility::default(), String::new(), None);
        Self { name, created, visibility, short_description, deleted }
    }
}

/// Who may see a repository, besides those who have rights on it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Visibility {
    /// Nobody.
    #[default]
    Private,
    /// Everybody who is signed in, and others where anonymous reading is on.
    Public,
}

/// How a repository stands in the lists: what the keys of its rows there are made of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listed {
    /// The latest push of a tag that it has, else when it came into being.
    pub pushed: Timestamp,
    /// Its bytes, to [`SIZE_STEP`].
    pub size: u64,
    /// The kinds of its units.
    pub kinds: Vec<Kind>,
    /// Whether everybody who is signed in may see it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub public: bool,
}

/// A repository's place in the order by size follows its size when that has changed by more than one part in so many:
/// nearly every push adds a little, and would move six rows.
const SIZE_STEP: u64 = 50;

/// What is counted for each repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counter {
    /// Tags.
    Tags,
    /// Manifests, tagged or not.
    Manifests,
    /// Bytes of the blobs that it has.
    BlobBytes,
    /// Pushes of manifests.
    Pushes,
    /// Pulls of manifests.
    Pulls,
    /// Units of a kind in the list of its tags: an application and its invocation image's tag are one.
    Units(Kind),
}

/// What the names of the counters of units begin with.
const UNITS: &str = "units/";

fn counter_key(id: RepoId, counter: Counter) -> Key {
    let key = Key::new().u64(id.0);
    match counter {
        Counter::Tags => key.text("tags"),
        Counter::Manifests => key.text("manifests"),
        Counter::BlobBytes => key.text("blob_bytes"),
        Counter::Pushes => key.text("pushes"),
        Counter::Pulls => key.text("pulls"),
        Counter::Units(kind) => key.raw(UNITS.as_bytes()).text(kind.name()),
    }
}

/// The id of the repository that bears this name now.
///
/// # Errors
/// When the store fails.
pub fn id_of(tx: &impl Read, name: &RepoName) -> Result<Option<RepoId>, MetaError> {
    let row = tx.get(REPO_BY_NAME, Key::new().text(name.as_str()).as_ref())?;
    row.map(|value| decode(REPO_BY_NAME, &value)).transpose()
}

/// The repository's row.
///
/// # Errors
/// When the store fails.
pub fn get(tx: &impl Read, id: RepoId) -> Result<Option<RepoRow>, MetaError> {
    tx.get(REPO, Key::new().u64(id.0).as_ref())?.map(|value| decode(REPO, &value)).transpose()
}

/// Makes a repository.
pub fn create(tx: &mut WriteTx, id: RepoId, row: &RepoRow) {
    tx.put(REPO_BY_NAME, Key::new().text(row.name.as_str()).as_ref(), encode(&id));
    tx.put(REPO, Key::new().u64(id.0).as_ref(), encode(row));
    tx.add(META, TOTAL, 1);
}

/// At most `limit` names after `last`, in byte order.
///
/// # Errors
/// When the store fails.
pub fn names(tx: &impl Read, last: Option<&str>, limit: usize) -> Result<Vec<RepoName>, MetaError> {
    let from = after(&Key::new(), last);
    let keys = tx.keys(REPO_BY_NAME, &from, None, limit)?;
    keys.iter().map(|key| name_in(key)).collect()
}

/// At most `limit` repositories of a namespace, in byte order of their names.
///
/// # Errors
/// When the store fails.
pub fn in_namespace(tx: &impl Read, namespace: &str, limit: usize) -> Result<Vec<RepoName>, MetaError> {
    if namespace.is_empty() || namespace.contains('\0') {
        return Ok(Vec::new());
    }
    let rows = tx.range_prefix(REPO_BY_NAME, format!("{namespace}/").as_bytes(), limit)?;
    rows.iter().map(|(key, _)| name_in(key)).collect()
}

fn name_in(key: &[u8]) -> Result<RepoName, MetaError> {
    let name = KeyReader::new(key).text().and_then(|name| RepoName::parse(name).ok());
    name.ok_or_else(|| MetaError::Corrupt("a repository name does not read".into()))
}

/// How many repositories there are.
///
/// # Errors
/// When the store fails.
pub fn total(tx: &impl Read) -> Result<u64, MetaError> {
    Ok(u64::try_from(tx.counter(META, TOTAL)?).unwrap_or(0))
}

/// Moves a counter.
pub fn count(tx: &mut WriteTx, id: RepoId, counter: Counter, delta: i64) {
    tx.add(REPO_COUNTER, counter_key(id, counter).as_ref(), delta);
}

/// Reads a counter.
///
/// # Errors
/// When the store fails.
pub fn counted(tx: &impl Read, id: RepoId, counter: Counter) -> Result<i64, MetaError> {
    tx.counter(REPO_COUNTER, counter_key(id, counter).as_ref())
}

/// The kinds of a repository's units, and how many there are of each.
///
/// # Errors
/// When the store fails.
pub fn contains(tx: &impl Read, id: RepoId) -> Result<Vec<(Kind, u64)>, MetaError> {
    let prefix = Key::new().u64(id.0).raw(UNITS.as_bytes());
    let mut found = Vec::new();
    for (key, value) in tx.range_prefix(REPO_COUNTER, prefix.as_ref(), Kind::ALL.len())? {
        let kind = KeyReader::new(&key[prefix.as_bytes().len()..]).text().and_then(Kind::from_name);
        let count = value.try_into().map(i64::from_be_bytes).ok().and_then(|count| u64::try_from(count).ok());
        found.extend(kind.zip(count).filter(|(_, count)| *count > 0));
    }
    found.sort_unstable();
    Ok(found)
}

/// The place by push time of a repository's newest unit, of the `kinds` that it contains. Signatures and their like
/// follow what they are about: they are the newest only where there is nothing else.
///
/// # Errors
/// When the store fails.
pub fn newest(tx: &impl Read, id: RepoId, kinds: &[Kind]) -> Result<Option<Vec<u8>>, MetaError> {
    let (about_others, things): (Vec<Kind>, Vec<Kind>) =
        kinds.iter().partition(|kind| kind.about(None).group == Group::Trust);
    let kinds = if things.is_empty() { about_others } else { things };
    Ok(tag::units(tx, id, kinds, Sort::Pushed, None, 1).next_entry()?.map(|(place, _)| place))
}

/// Changes the row of a repository that is there.
pub fn update(tx: &mut WriteTx, id: RepoId, row: &RepoRow) {
    tx.put(REPO, Key::new().u64(id.0).as_ref(), encode(row));
}

/// What a repository says of itself at length, in Markdown.
///
/// # Errors
/// When the store fails.
pub fn readme(tx: &impl Read, id: RepoId) -> Result<String, MetaError> {
    let text = tx.get(REPO_README, Key::new().u64(id.0).as_ref())?.map(String::from_utf8);
    text.transpose().map(Option::unwrap_or_default).map_err(|_| MetaError::Corrupt("a README is no text".into()))
}

/// Sets it; an empty one takes no room.
pub fn put_readme(tx: &mut WriteTx, id: RepoId, text: &str) {
    let key = Key::new().u64(id.0);
    if text.is_empty() {
        tx.delete(REPO_README, key.as_ref());
    } else {
        tx.put(REPO_README, key.as_ref(), text.as_bytes().to_vec());
    }
}

/// Takes a repository out of sight: nothing finds it any more, its name is free, and its other rows wait for
/// [`super::drain`]. Its name is remembered as gone until `until` (steady ms).
///
/// # Errors
/// When the store fails.
pub fn bury(tx: &mut WriteTx, id: RepoId, row: &RepoRow, now: Timestamp, until: u64) -> Result<(), MetaError> {
    tx.put(REPO_GONE, Key::new().text(row.name.as_str()).as_ref(), until.to_be_bytes().to_vec());
    tx.delete(REPO_BY_NAME, Key::new().text(row.name.as_str()).as_ref());
    update(tx, id, &RepoRow { deleted: Some(now), ..row.clone() });
    tx.put(REPO_DELETED, Key::new().u64(id.0).as_ref(), Vec::new());
    tx.add(META, TOTAL, -1);
    refresh(tx, id)
}

/// Until when (steady ms) a repository of this name counts as just deleted; 0 when it does not.
///
/// # Errors
/// When the store fails.
pub fn gone_until(tx: &impl Read, name: &RepoName) -> Result<u64, MetaError> {
    let value = tx.get(REPO_GONE, Key::new().text(name.as_str()).as_ref())?;
    Ok(value.and_then(|value| Some(u64::from_be_bytes(value.as_slice().try_into().ok()?))).unwrap_or(0))
}

/// Whether any name counts as just deleted, or did.
///
/// # Errors
/// When the store fails.
pub fn any_gone(tx: &impl Read) -> Result<bool, MetaError> {
    Ok(!tx.range(REPO_GONE, &[], None, 1)?.is_empty())
}

/// Forgets at most `limit` names that are gone since long enough at `steady` (ms), among the first 10,000, and tells how
/// many that were. (A name that stays longer refuses incomplete manifests only as long as its row says.)
///
/// # Errors
/// When the store fails.
pub fn forget_gone(tx: &mut WriteTx, steady: u64, limit: usize) -> Result<usize, MetaError> {
    let over = |value: &[u8]| value.try_into().map_or(true, |until| u64::from_be_bytes(until) <= steady);
    let rows = tx.range(REPO_GONE, &[], None, 10_000)?;
    let over: Vec<_> = rows.into_iter().filter(|(_, value)| over(value)).take(limit).collect();
    for (name, _) in &over {
        tx.delete(REPO_GONE, name);
    }
    Ok(over.len())
}

/// At most `limit` deleted repositories whose rows are still to go.
///
/// # Errors
/// When the store fails.
pub fn buried(tx: &impl Read, limit: usize) -> Result<Vec<RepoId>, MetaError> {
    let rows = tx.range(REPO_DELETED, &[], None, limit)?;
    rows.iter()
        .map(|(key, _)| {
            let id = KeyReader::new(key).u64().map(RepoId);
            id.ok_or_else(|| MetaError::Corrupt("a deleted repository's key does not read".into()))
        })
        .collect()
}

/// A list of repositories.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum List<'n> {
    /// Those that hold a unit of this kind; `None`: those that hold none at all.
    Kind(Option<Kind>),
    /// Those of a namespace.
    Namespace(&'n str),
    /// Those that everybody who is signed in may see.
    Public,
}

impl List<'_> {
    fn prefix(self, sort: Sort) -> Key {
        let key = match self {
            Self::Kind(kind) => Key::new().raw(b"k").text(kind.map_or("", Kind::name)),
            Self::Namespace(namespace) => Key::new().raw(b"n").text(namespace),
            Self::Public => Key::new().raw(b"p"),
        };
        key.raw(sort.letter())
    }
}

impl Listed {
    /// The repository's rows in the lists.
    fn keys(&self, name: &RepoName) -> Vec<Key> {
        let weight = Weight { pushed: self.pushed, size: self.size };
        let empty = self.kinds.is_empty().then_some(None);
        let kinds = self.kinds.iter().copied().map(Some).chain(empty).map(List::Kind);
        let public = self.public.then_some(List::Public);
        let lists: Vec<List<'_>> = kinds.chain([List::Namespace(name.namespace())]).chain(public).collect();
        let mut keys = Vec::with_capacity(3 * lists.len());
        for sort in Sort::ALL {
            let place = order::place(sort, weight, name.as_str());
            keys.extend(lists.iter().map(|list| list.prefix(sort).raw(place.as_ref())));
        }
        keys
    }
}

/// Brings the lists up to date with a repository whose tags or blobs have changed, or which is gone.
///
/// # Errors
/// When the store fails.
pub fn refresh(tx: &mut WriteTx, id: RepoId) -> Result<(), MetaError> {
    let listed_key = Key::new().u64(id.0);
    let before: Option<Listed> =
        tx.get(REPO_LISTED, listed_key.as_ref())?.map(|value| decode(REPO_LISTED, &value)).transpose()?;
    let Some(row) = get(tx, id)? else { return Ok(()) };
    let after = if row.deleted.is_some() { None } else { Some(standing(tx, id, &row, before.as_ref())?) };
    if before == after {
        return Ok(());
    }
    let keys = |listed: Option<&Listed>| listed.map(|listed| listed.keys(&row.name)).unwrap_or_default();
    let (old, new) = (keys(before.as_ref()), keys(after.as_ref()));
    for key in old.iter().filter(|key| !new.contains(key)) {
        tx.delete(REPO_ORDER, key.as_ref());
    }
    for key in new.iter().filter(|key| !old.contains(key)) {
        tx.put(REPO_ORDER, key.as_ref(), encode(&id));
    }
    match after {
        Some(listed) => tx.put(REPO_LISTED, listed_key.as_ref(), encode(&listed)),
        None => tx.delete(REPO_LISTED, listed_key.as_ref()),
    }
    Ok(())
}

/// The place of a repository in an order, and its row's value there; `None` when it stands in no list.
///
/// # Errors
/// When the store fails.
pub fn place_of(tx: &impl Read, id: RepoId, name: &RepoName, sort: Sort) -> Result<Option<order::Entry>, MetaError> {
    let Some(value) = tx.get(REPO_LISTED, Key::new().u64(id.0).as_ref())? else { return Ok(None) };
    let listed: Listed = decode(REPO_LISTED, &value)?;
    let place = order::place(sort, Weight { pushed: listed.pushed, size: listed.size }, name.as_str());
    Ok(Some((place.as_bytes().to_vec(), encode(&id))))
}

/// Whether a repository stands in the lists; one of an earlier version does not yet.
///
/// # Errors
/// When the store fails.
pub fn is_listed(tx: &impl Read, id: RepoId) -> Result<bool, MetaError> {
    Ok(tx.get(REPO_LISTED, Key::new().u64(id.0).as_ref())?.is_some())
}

/// How a repository belongs into the lists.
fn standing(tx: &impl Read, id: RepoId, row: &RepoRow, before: Option<&Listed>) -> Result<Listed, MetaError> {
    let kinds: Vec<Kind> = contains(tx, id)?.into_iter().map(|(kind, _)| kind).collect();
    let pushed = newest(tx, id, &kinds)?.and_then(|place| order::pushed_at(&place)).unwrap_or(row.created);
    let size = u64::try_from(counted(tx, id, Counter::BlobBytes)?).unwrap_or(0);
    let size = match before {
        Some(before) if before.size.abs_diff(size) <= before.size / SIZE_STEP => before.size,
        _ => size,
    };
    Ok(Listed { pushed, size, kinds, public: row.visibility == Visibility::Public })
}

/// The repositories of `lists` in one order, behind the place `after`; the values are their ids ([`listed_id`]).
/// `chunk` rows are read at once.
pub fn listed<'t, 'n, R: Read>(
    tx: &'t R,
    lists: impl IntoIterator<Item = List<'n>>,
    sort: Sort,
    after: Option<&[u8]>,
    chunk: usize,
) -> Merged<'t, R> {
    Merged::new(tx, REPO_ORDER, lists.into_iter().map(|list| list.prefix(sort)), after, chunk)
}

/// At most `limit` names of a list after `last`, in byte order.
///
/// # Errors
/// When the store fails.
pub fn names_in(tx: &impl Read, of: List<'_>, last: Option<&str>, limit: usize) -> Result<Vec<RepoName>, MetaError> {
    let prefix = of.prefix(Sort::Name);
    let end = Key::prefix_end(prefix.as_bytes());
    let rows = tx.range(REPO_ORDER, &after(&prefix, last), end.as_deref(), limit)?;
    rows.iter().map(|(key, _)| name_in(&key[prefix.as_bytes().len()..])).collect()
}

/// The name at a place of [`Sort::Name`].
///
/// # Errors
/// [`MetaError::Corrupt`] when it does not read.
pub fn name_at(place: &[u8]) -> Result<RepoName, MetaError> {
    name_in(place)
}

/// At most `limit` of the public repositories of a namespace, in byte order of their names.
///
/// # Errors
/// When the store fails.
pub fn public_in(tx: &impl Read, namespace: &str, limit: usize) -> Result<Vec<RepoName>, MetaError> {
    let before = format!("{namespace}/");
    let mut names = names_in(tx, List::Public, Some(&before), limit)?;
    // No name lies between those of a namespace.
    names.retain(|name| name.as_str().starts_with(&before));
    Ok(names)
}

/// The id that a row of a list has for its value.
///
/// # Errors
/// [`MetaError::Corrupt`] when it does not read.
pub fn listed_id(value: &[u8]) -> Result<RepoId, MetaError> {
    decode(REPO_ORDER, value)
}

/// The first key strictly after `prefix` + `last` in a table whose keys go on with a text. `last` comes from a client
/// and may be any text; a zero byte ends it, as nothing stored contains one.
pub(super) fn after(prefix: &Key, last: Option<&str>) -> Vec<u8> {
    let mut from = prefix.as_bytes().to_vec();
    if let Some(last) = last {
        from.extend_from_slice(last.split('\0').next().unwrap_or_default().as_bytes());
        // Texts end with a zero byte, so `last` itself is `last\0`; one more byte passes it.
        from.extend_from_slice(&[0, 0]);
    }
    from
}
