//! Looking things up in JSON that somebody else wrote: what is missing or of another kind is empty, never an error.

use serde_json::{Map, Value};

/// The largest document that is looked at, in bytes: `bundle.json` and image configurations have a few KiB, and a
/// parsed one takes a multiple of its size.
pub const MAX_DOCUMENT: usize = 1024 * 1024;

/// The document, if it is a JSON object of at most [`MAX_DOCUMENT`] bytes. (The parser itself refuses what nests
/// deeper than 128.)
pub(super) fn object(document: &[u8]) -> Option<Value> {
    if document.len() > MAX_DOCUMENT {
        return None;
    }
    serde_json::from_slice(document).ok().filter(Value::is_object)
}

/// The text at `key`, without blanks around it, cut at `limit` bytes; empty when there is none.
pub(super) fn text(value: &Value, key: &str, limit: usize) -> String {
    value[key].as_str().map(|text| cut(text.trim(), limit)).unwrap_or_default()
}

/// The text at `key`, if there is one that is not empty.
pub(super) fn some_text(value: &Value, key: &str, limit: usize) -> Option<String> {
    Some(text(value, key, limit)).filter(|text| !text.is_empty())
}

/// The beginning of a text, at most `limit` bytes of it.
pub(super) fn cut(text: &str, limit: usize) -> String {
    text[..text.floor_char_boundary(limit)].to_owned()
}

/// The entries of an object, at most `limit`, by name.
pub(super) fn entries(value: &Value, limit: usize) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flat_map(Map::iter).take(limit)
}

/// The elements of an array, at most `limit`.
pub(super) fn elements(value: &Value, limit: usize) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten().take(limit)
}

/// The texts of an array, at most `limit`; what is no text is left out.
pub(super) fn texts(value: &Value, limit: usize, length: usize) -> Vec<String> {
    elements(value, limit).filter_map(Value::as_str).map(|text| cut(text, length)).collect()
}

/// Whether the value at `key` is `true`.
pub(super) fn is_true(value: &Value, key: &str) -> bool {
    value[key].as_bool().unwrap_or_default()
}
