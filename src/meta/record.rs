//! Stored values: one format byte, then JSON. A later format gets another byte and a way forward from this one.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::engine::MetaError;

/// JSON, as written since the first version.
const JSON: u8 = b'1';

/// The stored form of a record.
///
/// # Panics
/// When the record cannot be written as JSON, which none of our types allows.
pub fn encode<T: Serialize>(record: &T) -> Vec<u8> {
    let mut value = vec![JSON];
    serde_json::to_writer(&mut value, record).expect("records are plain data");
    value
}

/// Reads a stored record.
///
/// # Errors
/// [`MetaError::Corrupt`] when the format byte is unknown (a newer version wrote it) or the JSON does not fit.
pub fn decode<T: DeserializeOwned>(table: super::Table, value: &[u8]) -> Result<T, MetaError> {
    match value.split_first() {
        Some((&JSON, json)) => serde_json::from_slice(json)
            .map_err(|error| MetaError::Corrupt(format!("a row of table {} does not read: {error}", table.name()))),
        _ => Err(MetaError::Corrupt(format!("a row of table {} has an unknown format", table.name()))),
    }
}
