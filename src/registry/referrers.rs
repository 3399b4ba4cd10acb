//! What refers to a manifest.

use std::collections::HashSet;

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
        let limit = page.n.unwrap_or(MAX_ENTRIES).min(MAX_ENTRIES);
        let wanted = |kind: Option<&str>| artifact_type.is_none_or(|wanted| kind == Some(wanted));
        self.meta().read(|tx| {
            let Some(id) = repo::id_of(tx, name)? else { return Ok(Listed { entries: Vec::new(), more: false }) };
            let mut last = page.last.as_deref().and_then(|last| Digest::parse(last).ok());
            let merged = fallback_entries(tx, id, subject)?;
            let mut entries: Vec<Descriptor> = Vec::new();
            let mut bytes = 0;
            loop {
                let rows = referrer::list(tx, id, subject, last.as_ref(), CHUNK)?;
                let end = rows.last().map(|(digest, _)| *digest);
                for (digest, row) in rows {
                    // Asked of the row, so that no body is read for what is not wanted.
                    if !wanted(row.artifact_type.as_deref()) {
                        continue;
                    }
                    let descriptor = match row.descriptor {
                        Some(descriptor) => descriptor,
                        None => match describe_stored(tx, id, &digest)? {
                            Some(descriptor) => descriptor,
                            None => continue,
                        },
                    };
                    bytes += serde_json::to_vec(&descriptor).map_or(0, |json| json.len());
                    if entries.len() == limit || (bytes > MAX_BYTES && !entries.is_empty()) {
                        return Ok(Listed { entries, more: limit > 0 });
                    }
                    entries.push(descriptor);
                }
                match end {
                    Some(end) => last = Some(end),
                    None => break,
                }
            }
            // The merged ones come last, on the last page: clients that page follow `Link` to the end.
            let known: HashSet<Digest> = entries.iter().map(|descriptor| descriptor.digest).collect();
            for descriptor in merged {
                let stored_row = manifest::get(tx, id, &descriptor.digest)?;
                let listed_by_row = stored_row.is_some_and(|row| row.subject == Some(*subject));
                if !known.contains(&descriptor.digest) && !listed_by_row && wanted(descriptor.artifact_type.as_deref())
                {
                    entries.push(descriptor);
                }
            }
            Ok(Listed { entries, more: false })
        })
    }
}

/// The descriptors of an index that a client stored under the referrers tag schema, if there is one
/// (distribution-spec, "Referrers Tag Schema").
fn fallback_entries(tx: &impl Read, id: RepoId, subject: &Digest) -> Result<Vec<Descriptor>, RegistryError> {
    let schema_tag = format!("{}-{}", subject.algorithm().name(), subject.hex());
    // The schema cuts the tag to what the grammar allows.
    let Ok(schema_tag) = Tag::parse(&schema_tag[..schema_tag.len().min(crate::oci::tag::MAX_TAG)]) else {
        return Ok(Vec::new());
    };
    let Some(row) = tag::get(tx, id, &schema_tag)? else { return Ok(Vec::new()) };
    let Some(stored) = manifest::get(tx, id, &row.digest)? else { return Ok(Vec::new()) };
    let body = manifest::body(tx, &row.digest, stored.size)?;
    match Manifest::from_stored(stored.media_type, &body) {
        Ok(index) if index.is_index => Ok(index.references.into_iter().map(|child| child.descriptor).collect()),
        _ => Ok(Vec::new()),
    }
}

/// The descriptor of a referrer whose annotations are too large for its row.
fn describe_stored(tx: &impl Read, id: RepoId, digest: &Digest) -> Result<Option<Descriptor>, RegistryError> {
    let Some(row) = manifest::get(tx, id, digest)? else { return Ok(None) };
    let body = manifest::body(tx, digest, row.size)?;
    let Ok(read) = Manifest::from_stored(row.media_type.clone(), &body) else { return Ok(None) };
    Ok(Some(Descriptor {
        media_type: row.media_type,
        digest: *digest,
        size: row.size,
        artifact_type: read.referrer_artifact_type().map(str::to_owned),
        annotations: (!read.annotations.is_empty()).then_some(read.annotations),
    }))
}
