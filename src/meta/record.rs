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
        // Where, but not what: the parser's own words may quote the row, and rows hold password hashes.
        Some((&JSON, json)) => serde_json::from_slice(json).map_err(|error| {
            let (name, kind, column) = (table.name(), error.classify(), error.column());
            MetaError::Corrupt(format!("a row of table {name} does not read ({kind:?} error at byte {column})"))
        }),
        _ => Err(MetaError::Corrupt(format!("a row of table {} has an unknown format", table.name()))),
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::super::tables::META;
    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Record {
        name: String,
        size: u64,
    }

    #[test]
    fn a_record_reads_as_it_was_written() {
        let record = Record { name: "alice".to_owned(), size: 7 };
        let value = encode(&record);
        assert_eq!(value, br#"1{"name":"alice","size":7}"#);
        assert_eq!(decode::<Record>(META, &value).unwrap(), record);
    }

    #[test]
    fn what_does_not_read_is_told_without_its_content() {
        for value in [
            &b""[..],
            b"1",
            b"2{}",
            br#"{"name":"alice","size":7}"#,
            br#"1{"name":"alice"}"#,
            br#"1{"name":"alice","size":"hush"}"#,
            br#"1{"name":"alice","size":7}hush"#,
        ] {
            match decode::<Record>(META, value) {
                Err(MetaError::Corrupt(what)) => {
                    assert!(what.contains("table meta") && !what.contains("hush") && !what.contains("alice"), "{what}");
                }
                other => panic!("{other:?}"),
            }
        }
    }
}
