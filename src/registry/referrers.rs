//! What refers to a manifest.

use std::collections::BTreeMap;

use super::tags::Listed;
use super::{Registry, RegistryError};
use crate::base::{Page, RepoId};
use crate::meta::{Read, manifest, referrer, repo, tag};
use crate::oci::{Descriptor, Digest, Manifest, RepoName, Tag};

/// Rows that are read from the store at once; each may have 64 KiB.
const CHUNK: usize = 64;
/// The most descriptors in one answer, and the most bytes of them: manifests, and so this answer, may have 4 MiB.
const MAX_ENTRIES: usize = 1000;
const MAX_BYTES: usize = 4 * 1024 * 1024;

impl Registry {
    /// The referrers of a manifest, which need not exist (end-12): an unknown repository or subject has none.
    ///
    /// Indexes that clients stored under the referrers tag schema (`sha256-<hex>`) before this registry knew their
    /// referrers are merged into the list.
    ///
    /// # Errors
    /// When the store fails.
    pub fn referrers(
        &self,
        name: &RepoName,
        subject: &Digest,
        artifact_type: Option<&str>,
        page: &Page,
    ) -> Result<Listed<Descriptor>, RegistryError> {
        let mut filling =
            Filling { entries: Vec::new(), bytes: 0, limit: page.n.unwrap_or(MAX_ENTRIES).min(MAX_ENTRIES) };
        let wanted = |kind: Option<&str>| artifact_type.is_none_or(|wanted| kind == Some(wanted));
        self.meta().read(|tx| {
            let Some(id) = repo::id_of(tx, name)? else { return Ok(filling.page(false)) };
            let mut last = page.last.as_deref().and_then(|last| Digest::parse(last).ok());
            let mut merged = fallback_entries(tx, id, subject)?;
            merged
                .retain(|entry| last.is_none_or(|last| entry.digest > last) && wanted(entry.artifact_type.as_deref()));
            loop {
                let rows = referrer::list(tx, id, subject, last.as_ref(), CHUNK)?;
                let end = rows.last().map(|(digest, _)| *digest);
                for (digest, row) in rows {
                    while let Some(before) = merged.pop_first_below(&digest) {
                        if !filling.take(before) {
                            return Ok(filling.page(true));
                        }
                    }
                    // Asked of the row, so that no body is read for what is not wanted.
                    if !wanted(row.artifact_type.as_deref()) {
                        continue;
                    }
                    let descriptor = match row.descriptor {
                        Some(descriptor) => Some(descriptor),
                        None => describe_stored(tx, id, &digest)?,
                    };
                    if descriptor.is_some_and(|descriptor| !filling.take(descriptor)) {
                        return Ok(filling.page(true));
                    }
                }
                match end {
                    Some(end) => last = Some(end),
                    None => break,
                }
            }
            let more = merged.0.into_values().any(|entry| !filling.take(entry));
            Ok(filling.page(more))
        })
    }
}

/// A page that is being filled, in the order of digests.
struct Filling {
    entries: Vec<Descriptor>,
    bytes: usize,
    limit: usize,
}

impl Filling {
    /// Takes an entry; `false` when the page is full.
    fn take(&mut self, entry: Descriptor) -> bool {
        self.bytes += serde_json::to_vec(&entry).map_or(0, |json| json.len());
        if self.entries.len() == self.limit || (self.bytes > MAX_BYTES && !self.entries.is_empty()) {
            return false;
        }
        self.entries.push(entry);
        true
    }

    /// The page; one of no entries has none after it that a client could ask for.
    fn page(self, more: bool) -> Listed<Descriptor> {
        Listed { more: more && self.limit > 0, entries: self.entries }
    }
}

/// Entries of an index that a client keeps, by digest, that no row of ours lists.
pub(super) struct Merged(pub(super) BTreeMap<Digest, Descriptor>);

impl Merged {
    fn retain(&mut self, keep: impl Fn(&Descriptor) -> bool) {
        self.0.retain(|_, entry| keep(entry));
    }

    fn pop_first_below(&mut self, digest: &Digest) -> Option<Descriptor> {
        let first = self.0.first_entry()?;
        (first.key() < digest).then(|| first.remove())
    }
}

/// The descriptors of an index that a client stored under the referrers tag schema, if there is one
/// (distribution-spec, "Referrers Tag Schema").
pub(super) fn fallback_entries(tx: &impl Read, id: RepoId, subject: &Digest) -> Result<Merged, RegistryError> {
    let none = || Ok(Merged(BTreeMap::new()));
    let schema_tag = format!("{}-{}", subject.algorithm().name(), subject.hex());
    // The schema cuts the tag to what the grammar allows.
    let Ok(schema_tag) = Tag::parse(&schema_tag[..schema_tag.len().min(crate::oci::tag::MAX_TAG)]) else {
        return none();
    };
    let Some(row) = tag::get(tx, id, &schema_tag)? else { return none() };
    let Some(stored) = manifest::get(tx, id, &row.digest)? else { return none() };
    let body = manifest::body(tx, &row.digest, stored.size)?;
    let Ok(index) = Manifest::from_stored(stored.media_type, &body) else { return none() };
    let mut merged = BTreeMap::new();
    for entry in index.children().cloned() {
        let stored = manifest::get(tx, id, &entry.digest)?;
        // What has this subject is listed by its own row.
        if stored.is_none_or(|row| row.subject != Some(*subject)) {
            merged.insert(entry.digest, entry);
        }
    }
    Ok(Merged(merged))
}

/// The descriptor of a referrer whose annotations are too large for its row.
pub(super) fn describe_stored(
    tx: &impl Read,
    id: RepoId,
    digest: &Digest,
) -> Result<Option<Descriptor>, RegistryError> {
    let Some(row) = manifest::get(tx, id, digest)? else { return Ok(None) };
    let body = manifest::body(tx, digest, row.size)?;
    let Ok(read) = Manifest::from_stored(row.media_type.clone(), &body) else { return Ok(None) };
    Ok(Some(Descriptor {
        media_type: row.media_type,
        digest: *digest,
        size: row.size,
        artifact_type: read.referrer_artifact_type().map(str::to_owned),
        annotations: (!read.annotations.is_empty()).then_some(read.annotations),
        urls: Vec::new(),
        platform: None,
    }))
}
