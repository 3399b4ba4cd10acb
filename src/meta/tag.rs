//! Rows of tags, and the lists that they stand in.
//!
//! A list shows units: a tag, or the tag of an application together with that of its invocation image. `<tag>-invoc` is
//! the second half of a unit when it points at the very manifest that the application behind `<tag>` lists as its
//! invocation image; the name alone pairs nothing.

use serde::{Deserialize, Serialize};

use super::key::{Key, KeyReader};
use super::order::{self, Merged, Sort, Weight};
use super::record::{decode, encode};
use super::tables::{TAG, TAG_BY_MANIFEST, TAG_BY_NAME, TAG_HISTORY, TAG_ORDER};
use super::{MetaError, Read, WriteTx, manifest, repo};
use crate::base::{EventId, RepoId, Timestamp};
use crate::oci::kind::Kind;
use crate::oci::{Digest, Tag};

/// What follows an application's tag in that of its invocation image (docker app 0.8).
const INVOCATION_SUFFIX: &str = "-invoc";

/// Where a tag points.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TagRow {
    /// The manifest, by the digest under which it was pushed.
    pub digest: Digest,
    /// When the tag was last written.
    pub pushed: Timestamp,
    /// By whom.
    pub pusher: String,
    /// When the tag was first written.
    pub created: Timestamp,
    /// How it stands in the lists; `None` in a row of an earlier version, which stands in none until it is reindexed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub listed: Option<Listed>,
}

/// How a tag stands in the lists. The keys of its rows there are made of this, so that they are found again whatever
/// has become of its manifest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Listed {
    /// As a unit.
    Unit {
        /// What it is.
        kind: Kind,
        /// Its bytes.
        size: u64,
    },
    /// Within the unit of the application whose invocation image it is.
    Invocation,
}

impl TagRow {
    /// The tag's rows in the lists of its repository.
    fn order_keys(&self, repo: RepoId, tag: &Tag) -> Vec<Key> {
        let Some(Listed::Unit { kind, size }) = self.listed else { return Vec::new() };
        let weight = Weight { pushed: self.pushed, size };
        let key = |sort| order_prefix(repo, kind, sort).raw(order::place(sort, weight, tag.as_str()).as_ref());
        Sort::ALL.into_iter().map(key).collect()
    }

    fn unit_kind(&self) -> Option<Kind> {
        match self.listed {
            Some(Listed::Unit { kind, .. }) => Some(kind),
            Some(Listed::Invocation) | None => None,
        }
    }
}

fn order_prefix(repo: RepoId, kind: Kind, sort: Sort) -> Key {
    Key::new().u64(repo.0).text(kind.name()).raw(sort.letter())
}

/// One step in a tag's history.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TagMove {
    /// What it pointed at from then on; `None` when it was deleted.
    pub digest: Option<Digest>,
    /// When.
    pub time: Timestamp,
    /// By whom.
    pub actor: String,
}

fn key(repo: RepoId, tag: &Tag) -> Key {
    Key::new().u64(repo.0).text(tag.as_str())
}

/// The tag's row.
///
/// # Errors
/// When the store fails.
pub fn get(tx: &impl Read, repo: RepoId, tag: &Tag) -> Result<Option<TagRow>, MetaError> {
    tx.get(TAG, key(repo, tag).as_ref())?.map(|value| decode(TAG, &value)).transpose()
}

/// Points a tag at a manifest and remembers where it pointed before. `moved` names the step in its history.
///
/// # Errors
/// When the store fails.
pub fn point(
    tx: &mut WriteTx,
    repo: RepoId,
    tag: &Tag,
    digest: Digest,
    time: Timestamp,
    actor: &str,
    moved: EventId,
) -> Result<(), MetaError> {
    let before = get(tx, repo, tag)?;
    let is_new_step = before.as_ref().is_none_or(|before| before.digest != digest);
    if is_new_step {
        let step = TagMove { digest: Some(digest), time, actor: actor.to_owned() };
        tx.put(TAG_HISTORY, key(repo, tag).raw(&moved.0).as_ref(), encode(&step));
        tx.put(TAG_BY_MANIFEST, Key::new().u64(repo.0).digest(&digest).text(tag.as_str()).as_ref(), Vec::new());
    }
    let created = before.as_ref().map_or(time, |before| before.created);
    let mut row = TagRow { digest, pushed: time, pusher: actor.to_owned(), created, listed: None };
    row.listed = Some(standing(tx, repo, tag, &row)?);
    replace(tx, repo, tag, before.as_ref(), Some(&row));
    if let Some(before) = before.filter(|_| is_new_step) {
        leave(tx, repo, tag, &before.digest)?;
    }
    refresh_invocation(tx, repo, tag)
}

/// Removes a tag that stands as `row` says.
///
/// # Errors
/// When the store fails.
pub fn remove(
    tx: &mut WriteTx,
    repo: RepoId,
    tag: &Tag,
    row: &TagRow,
    time: Timestamp,
    actor: &str,
    moved: EventId,
) -> Result<(), MetaError> {
    replace(tx, repo, tag, Some(row), None);
    let step = TagMove { digest: None, time, actor: actor.to_owned() };
    tx.put(TAG_HISTORY, key(repo, tag).raw(&moved.0).as_ref(), encode(&step));
    leave(tx, repo, tag, &row.digest)?;
    refresh_invocation(tx, repo, tag)
}

/// A manifest loses a tag.
fn leave(tx: &mut WriteTx, repo: RepoId, tag: &Tag, digest: &Digest) -> Result<(), MetaError> {
    tx.delete(TAG_BY_MANIFEST, Key::new().u64(repo.0).digest(digest).text(tag.as_str()).as_ref());
    let row = manifest::get(tx, repo, digest)?;
    manifest::settle_untagged(tx, repo, digest, None, row.as_ref())
}

/// Puts a tag's row in place of the one before, with its rows in the lists and what is counted.
fn replace(tx: &mut WriteTx, repo: RepoId, tag: &Tag, before: Option<&TagRow>, after: Option<&TagRow>) {
    let keys = |row: Option<&TagRow>| row.map(|row| row.order_keys(repo, tag)).unwrap_or_default();
    let (old, new) = (keys(before), keys(after));
    for key in old.iter().filter(|key| !new.contains(key)) {
        tx.delete(TAG_ORDER, key.as_ref());
    }
    for key in new.iter().filter(|key| !old.contains(key)) {
        tx.put(TAG_ORDER, key.as_ref(), Vec::new());
    }
    let by_name = Key::new().text(tag.as_str()).u64(repo.0);
    // A row of an earlier version had none of the rows that came with the lists.
    let was_listed = before.is_some_and(|before| before.listed.is_some());
    if let Some(row) = after {
        tx.put(TAG, key(repo, tag).as_ref(), encode(row));
        if !was_listed {
            tx.put(TAG_BY_NAME, by_name.as_ref(), Vec::new());
        }
    } else {
        tx.delete(TAG, key(repo, tag).as_ref());
        tx.delete(TAG_BY_NAME, by_name.as_ref());
    }
    let (was, is) = (before.and_then(TagRow::unit_kind), after.and_then(TagRow::unit_kind));
    if was != is {
        for (kind, delta) in was.map(|kind| (kind, -1)).into_iter().chain(is.map(|kind| (kind, 1))) {
            repo::count(tx, repo, repo::Counter::Units(kind), delta);
        }
    }
    match (before, after) {
        (None, Some(_)) => repo::count(tx, repo, repo::Counter::Tags, 1),
        (Some(_), None) => repo::count(tx, repo, repo::Counter::Tags, -1),
        (None, None) | (Some(_), Some(_)) => {}
    }
}

/// How a tag that stands as `row` says belongs into the lists.
fn standing(tx: &impl Read, repo: RepoId, tag: &Tag, row: &TagRow) -> Result<Listed, MetaError> {
    let stored = manifest::get(tx, repo, &row.digest)?;
    // An application is never the second half of another one, or a third tag could hide behind both.
    if stored.as_ref().is_none_or(|stored| stored.invocation.is_none())
        && let Some(application) = application_tag(tag)
        && invocation_of(tx, repo, &application)? == Some(row.digest)
    {
        return Ok(Listed::Invocation);
    }
    Ok(match stored {
        Some(stored) => Listed::Unit { kind: stored.kind(), size: stored.content_size },
        None => Listed::Unit { kind: Kind::Unknown, size: 0 },
    })
}

/// The invocation image of the application that a tag points at, if it points at one.
fn invocation_of(tx: &impl Read, repo: RepoId, tag: &Tag) -> Result<Option<Digest>, MetaError> {
    let Some(row) = get(tx, repo, tag)? else { return Ok(None) };
    Ok(manifest::get(tx, repo, &row.digest)?.and_then(|stored| stored.invocation))
}

/// The tag that an application of this tag gives its invocation image; `None` when it would be too long.
pub fn invocation_tag(application: &Tag) -> Option<Tag> {
    Tag::parse(&format!("{application}{INVOCATION_SUFFIX}")).ok()
}

/// The tag of the application whose invocation image this tag would name, to go by the name alone.
pub fn application_tag(invocation: &Tag) -> Option<Tag> {
    invocation.as_str().strip_suffix(INVOCATION_SUFFIX).and_then(|stem| Tag::parse(stem).ok())
}

/// Brings the lists up to date with a tag whose manifest, or whose application, has changed.
///
/// # Errors
/// When the store fails.
pub fn refresh(tx: &mut WriteTx, repo: RepoId, tag: &Tag) -> Result<(), MetaError> {
    let Some(before) = get(tx, repo, tag)? else { return Ok(()) };
    let listed = Some(standing(tx, repo, tag, &before)?);
    if before.listed != listed {
        let after = TagRow { listed, ..before.clone() };
        replace(tx, repo, tag, Some(&before), Some(&after));
    }
    Ok(())
}

/// After a tag has changed: the tag of its invocation image may be paired now, or not any more.
///
/// # Errors
/// When the store fails.
pub fn refresh_invocation(tx: &mut WriteTx, repo: RepoId, tag: &Tag) -> Result<(), MetaError> {
    match invocation_tag(tag) {
        Some(invocation) => refresh(tx, repo, &invocation),
        None => Ok(()),
    }
}

/// The units of a repository's tag list behind the place `after`: of one kind, or of all that it `contains`. Places
/// are those of `sort`; `chunk` rows are read at once.
pub fn units<'t, R: Read>(
    tx: &'t R,
    repo: RepoId,
    kinds: impl IntoIterator<Item = Kind>,
    sort: Sort,
    after: Option<&[u8]>,
    chunk: usize,
) -> Merged<'t, R> {
    Merged::new(tx, TAG_ORDER, kinds.into_iter().map(|kind| order_prefix(repo, kind, sort)), after, chunk)
}

/// At most `limit` tags of all repositories that begin with `text`, in byte order.
///
/// # Errors
/// When the store fails.
pub fn beginning_with(tx: &impl Read, text: &str, limit: usize) -> Result<Vec<(Tag, RepoId)>, MetaError> {
    let rows = tx.range_prefix(TAG_BY_NAME, text.as_bytes(), limit)?;
    rows.iter()
        .map(|(key, _)| {
            let mut key = KeyReader::new(key);
            let read = key.text().and_then(|text| Tag::parse(text).ok()).zip(key.u64());
            let (tag, repo) = read.ok_or_else(|| MetaError::Corrupt("a tag's key does not read".into()))?;
            Ok((tag, RepoId(repo)))
        })
        .collect()
}

/// At most `limit` tags of one repository that begin with `text`, in byte order.
///
/// # Errors
/// When the store fails.
pub fn of_repo_beginning_with(tx: &impl Read, repo: RepoId, text: &str, limit: usize) -> Result<Vec<Tag>, MetaError> {
    let prefix = Key::new().u64(repo.0).raw(text.as_bytes());
    let keys = tx.keys(TAG, prefix.as_bytes(), Key::prefix_end(prefix.as_bytes()).as_deref(), limit)?;
    let tag =
        |key: &Vec<u8>| Tag::parse(read_tag(key, 8)?).map_err(|_| MetaError::Corrupt("a tag does not read".into()));
    keys.iter().map(tag).collect()
}

/// At most `limit` tags of a repository after `last` with their rows, in byte order.
///
/// # Errors
/// When the store fails.
pub fn rows(tx: &impl Read, repo: RepoId, last: Option<&str>, limit: usize) -> Result<Vec<(Tag, TagRow)>, MetaError> {
    let prefix = Key::new().u64(repo.0);
    let from = repo::after(&prefix, last);
    let rows = tx.range(TAG, &from, Key::prefix_end(prefix.as_bytes()).as_deref(), limit)?;
    rows.iter()
        .map(|(key, value)| {
            let tag = Tag::parse(read_tag(key, 8)?).map_err(|_| MetaError::Corrupt("a tag does not read".into()))?;
            Ok((tag, decode(TAG, value)?))
        })
        .collect()
}

/// At most `limit` tags after `last`, in byte order.
///
/// # Errors
/// When the store fails.
pub fn names(tx: &impl Read, repo: RepoId, last: Option<&str>, limit: usize) -> Result<Vec<String>, MetaError> {
    let prefix = Key::new().u64(repo.0);
    let end = Key::prefix_end(prefix.as_bytes());
    let from = repo::after(&prefix, last);
    if end.as_deref().is_some_and(|end| from.as_slice() >= end) {
        return Ok(Vec::new());
    }
    let keys = tx.keys(TAG, &from, end.as_deref(), limit)?;
    keys.iter().map(|key| read_tag(key, 8).map(str::to_owned)).collect()
}

/// At most `limit` of the tags that point at a manifest.
///
/// # Errors
/// When the store fails.
pub fn of_manifest(tx: &impl Read, repo: RepoId, digest: &Digest, limit: usize) -> Result<Vec<Tag>, MetaError> {
    let prefix = Key::new().u64(repo.0).digest(digest);
    let end = Key::prefix_end(prefix.as_bytes());
    let rows = tx.range(TAG_BY_MANIFEST, prefix.as_ref(), end.as_deref(), limit)?;
    rows.iter()
        .map(|(key, _)| {
            let text = read_tag(key, prefix.as_bytes().len())?;
            Tag::parse(text).map_err(|_| MetaError::Corrupt("a tag does not read".into()))
        })
        .collect()
}

fn read_tag(key: &[u8], prefix: usize) -> Result<&str, MetaError> {
    key.get(prefix..)
        .and_then(|rest| KeyReader::new(rest).text())
        .ok_or_else(|| MetaError::Corrupt("a tag's key does not read".into()))
}
