//! The report of the last collection.

use super::record::{decode, encode};
use super::tables::META;
use super::{MetaError, Read, WriteTx};
use crate::model::gc::Report;

const REPORT: &[u8] = b"collection";

/// What the last collection did; `None` before the first.
///
/// # Errors
/// When the store fails.
pub fn report(tx: &impl Read) -> Result<Option<Report>, MetaError> {
    tx.get(META, REPORT)?.map(|value| decode(META, &value)).transpose()
}

/// Keeps the report of a collection in place of the one before.
pub fn put_report(tx: &mut WriteTx, report: &Report) {
    tx.put(META, REPORT, encode(report));
}
