//! Rows of tags.

use serde::{Deserialize, Serialize};

use super::key::{Key, KeyReader};
use super::record::{decode, encode};
use super::tables::{TAG, TAG_BY_MANIFEST, TAG_HISTORY};
use super::{MetaError, Read, WriteTx, repo};
use crate::base::{EventId, RepoId, Timestamp};
use crate::oci::{Digest, Tag};

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
    match &before {
        Some(before) if before.digest != digest => {
            tx.delete(TAG_BY_MANIFEST, Key::new().u64(repo.0).digest(&before.digest).text(tag.as_str()).as_ref());
        }
        Some(_) => {}
        None => repo::count(tx, repo, repo::Counter::Tags, 1),
    }
    if before.as_ref().is_none_or(|before| before.digest != digest) {
        let step = TagMove { digest: Some(digest), time, actor: actor.to_owned() };
        tx.put(TAG_HISTORY, key(repo, tag).raw(&moved.0).as_ref(), encode(&step));
    }
    let created = before.map_or(time, |before| before.created);
    let row = TagRow { digest, pushed: time, pusher: actor.to_owned(), created };
    tx.put(TAG, key(repo, tag).as_ref(), encode(&row));
    tx.put(TAG_BY_MANIFEST, Key::new().u64(repo.0).digest(&digest).text(tag.as_str()).as_ref(), Vec::new());
    Ok(())
}

/// Removes a tag that stands as `row` says.
pub fn remove(tx: &mut WriteTx, repo: RepoId, tag: &Tag, row: &TagRow, time: Timestamp, actor: &str, moved: EventId) {
    tx.delete(TAG, key(repo, tag).as_ref());
    tx.delete(TAG_BY_MANIFEST, Key::new().u64(repo.0).digest(&row.digest).text(tag.as_str()).as_ref());
    let step = TagMove { digest: None, time, actor: actor.to_owned() };
    tx.put(TAG_HISTORY, key(repo, tag).raw(&moved.0).as_ref(), encode(&step));
    repo::count(tx, repo, repo::Counter::Tags, -1);
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
    let rows = tx.range(TAG, &from, end.as_deref(), limit)?;
    rows.iter().map(|(key, _)| read_tag(key, 8).map(str::to_owned)).collect()
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
