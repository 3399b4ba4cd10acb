//! Rows of referrers: what is attached to a subject.

use serde::{Deserialize, Serialize};

use super::key::{Key, KeyReader};
use super::record::{decode, encode};
use super::tables::REFERRER;
use super::{MetaError, Read, WriteTx};
use crate::base::RepoId;
use crate::oci::{Descriptor, Digest};

/// A descriptor larger than this is not stored but made from the manifest's body when it is listed.
const INLINE_DESCRIPTOR: usize = 64 * 1024;

/// A referrer as stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReferrerRow {
    /// The artifact type, by which lists are filtered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<String>,
    /// The descriptor as listed; `None` when it is too large for a row.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub descriptor: Option<Descriptor>,
}

fn key(repo: RepoId, subject: &Digest, referrer: &Digest) -> Key {
    Key::new().u64(repo.0).digest(subject).digest(referrer)
}

/// Attaches a referrer to a subject (which need not exist).
pub fn put(tx: &mut WriteTx, repo: RepoId, subject: &Digest, descriptor: &Descriptor) {
    let mut row = ReferrerRow { artifact_type: descriptor.artifact_type.clone(), descriptor: Some(descriptor.clone()) };
    let mut value = encode(&row);
    if value.len() > INLINE_DESCRIPTOR {
        row.descriptor = None;
        value = encode(&row);
    }
    tx.put(REFERRER, key(repo, subject, &descriptor.digest).as_ref(), value);
}

/// Detaches it.
pub fn remove(tx: &mut WriteTx, repo: RepoId, subject: &Digest, referrer: &Digest) {
    tx.delete(REFERRER, key(repo, subject, referrer).as_ref());
}

/// At most `limit` referrers of a subject after `last`, in the order of their digests.
///
/// # Errors
/// When the store fails.
pub fn list(
    tx: &impl Read,
    repo: RepoId,
    subject: &Digest,
    last: Option<&Digest>,
    limit: usize,
) -> Result<Vec<(Digest, ReferrerRow)>, MetaError> {
    let prefix = Key::new().u64(repo.0).digest(subject);
    let end = Key::prefix_end(prefix.as_bytes());
    let from = match last {
        // Digests have no common prefix among keys of one algorithm, so one more byte passes exactly `last`.
        Some(last) => prefix.clone().digest(last).raw(&[0]).as_bytes().to_vec(),
        None => prefix.as_bytes().to_vec(),
    };
    let rows = tx.range(REFERRER, &from, end.as_deref(), limit)?;
    rows.iter()
        .map(|(key, value)| {
            let digest = key
                .get(prefix.as_bytes().len()..)
                .and_then(|rest| KeyReader::new(rest).digest())
                .ok_or_else(|| MetaError::Corrupt("a referrer's key does not read".into()))?;
            Ok((digest, decode(REFERRER, value)?))
        })
        .collect()
}
