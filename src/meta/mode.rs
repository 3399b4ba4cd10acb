//! Read-only mode: a row that admission reads in the transaction of every change.

use serde::{Deserialize, Serialize};

use super::engine::{MetaError, Read, WriteTx};
use super::record::{decode, encode};
use super::tables::META;
use crate::base::Timestamp;

/// The row of [`META`] that is there while the registry is read-only.
const KEY: &[u8] = b"read_only";

/// That the registry takes no changes to its content.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReadOnly {
    /// Since when.
    pub since: Timestamp,
    /// By whom.
    pub by: String,
    /// What those are told whose pushes are refused; may be empty.
    #[serde(default)]
    pub reason: String,
}

/// Whether the registry is read-only.
///
/// # Errors
/// [`MetaError`] when the store fails.
pub fn read_only(tx: &impl Read) -> Result<Option<ReadOnly>, MetaError> {
    tx.get(META, KEY)?.map(|value| decode(META, &value)).transpose()
}

/// Makes it so, or (`None`) ends it.
pub fn set_read_only(tx: &mut WriteTx, mode: Option<&ReadOnly>) {
    match mode {
        Some(mode) => tx.put(META, KEY, encode(mode)),
        None => tx.delete(META, KEY),
    }
}
