//! JSON and other documents as a page shows them: indented, and bounded.

use serde::de::IgnoredAny;

use super::shown::{escape, is_hidden};

/// Bytes of a document that a page shows; the rest is to be downloaded.
pub(super) const LIMIT: usize = 128 * 1024;
/// Deeper than this, lines are not indented further.
const DEPTH: usize = 40;

/// A document on a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Shown {
    /// Its text.
    pub(super) text: String,
    /// Whether that is only its beginning.
    pub(super) is_cut: bool,
}

/// A document, at most [`LIMIT`] bytes of it.
pub(super) fn show(document: &[u8]) -> Shown {
    show_at_most(document, LIMIT)
}

/// A document, at most so many bytes of it. JSON is indented; its members stay in their order and its numbers and
/// texts as they are, but for signs that cannot be seen, which are escaped.
pub(super) fn show_at_most(document: &[u8], bytes: usize) -> Shown {
    let text = String::from_utf8_lossy(document);
    match serde_json::from_slice::<IgnoredAny>(document) {
        Ok(_) => indent(&text, bytes),
        Err(_) => plain(&text, bytes),
    }
}

fn plain(text: &str, bytes: usize) -> Shown {
    let mut shown = String::new();
    for c in text.chars() {
        if shown.len() > bytes {
            return Shown { text: shown, is_cut: true };
        }
        if is_hidden(c) && !matches!(c, '\n' | '\t') { escape(c, &mut shown) } else { shown.push(c) }
    }
    Shown { text: shown, is_cut: false }
}

/// Indents what is known to be JSON.
fn indent(json: &str, bytes: usize) -> Shown {
    let mut shown = String::new();
    let (mut depth, mut quoted, mut escaped) = (0_usize, false, false);
    let mut signs = json.chars().peekable();
    let line = |shown: &mut String, depth: usize| {
        shown.push('\n');
        (0..depth.min(DEPTH)).for_each(|_| shown.push_str("  "));
    };
    while let Some(c) = signs.next() {
        if shown.len() > bytes {
            return Shown { text: shown, is_cut: true };
        }
        if quoted {
            quoted = escaped || c != '"';
            escaped = c == '\\' && !escaped;
            if is_hidden(c) {
                escape(c, &mut shown);
            } else {
                shown.push(c);
            }
            continue;
        }
        match c {
            ' ' | '\n' | '\r' | '\t' => {}
            '{' | '[' => {
                shown.push(c);
                while signs.next_if(char::is_ascii_whitespace).is_some() {}
                if let Some(end) = signs.next_if(|next| matches!(next, '}' | ']')) {
                    shown.push(end);
                } else {
                    depth += 1;
                    line(&mut shown, depth);
                }
            }
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                line(&mut shown, depth);
                shown.push(c);
            }
            ',' => {
                shown.push(c);
                line(&mut shown, depth);
            }
            ':' => shown.push_str(": "),
            c => {
                quoted = c == '"';
                shown.push(c);
            }
        }
    }
    Shown { text: shown, is_cut: false }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn json_is_indented_in_its_own_order() {
        let body = br#"{"z":[1.50,{}, [ ],"a\"]\\"],"a":{"b":null}}"#;
        let text =
            "{\n  \"z\": [\n    1.50,\n    {},\n    [],\n    \"a\\\"]\\\\\"\n  ],\n  \"a\": {\n    \"b\": null\n  }\n}";
        assert_eq!(show(body), Shown { text: text.to_owned(), is_cut: false });
        assert_eq!(show("{\"a\":\"\u{202e}x\"}".as_bytes()).text, "{\n  \"a\": \"\\u202ex\"\n}");
    }

    #[test]
    fn what_is_no_json_stays_as_it_is() {
        assert_eq!(show(b"services:\n\tweb: {}\n\x07").text, "services:\n\tweb: {}\n\\u0007");
        assert_eq!(show(b"{").text, "{");
        assert_eq!(show(b"\xff").text, "\u{fffd}");
    }

    #[test]
    fn long_documents_are_cut() {
        for document in [vec![b'x'; LIMIT * 2], [vec![b'['; LIMIT], vec![b']'; LIMIT]].concat()] {
            let shown = show(&document);
            assert!(shown.is_cut && shown.text.len() <= LIMIT + 2 * DEPTH + 8);
        }
    }

    proptest! {
        #[test]
        fn it_stays_the_same_document(texts in prop::collection::vec(any::<String>(), 0..4), number in any::<i64>()) {
            let body: Value = json!({"a": texts, "b": {"c": number, "d": []}, "e": [[], [texts.clone()]]});
            let shown = show(body.to_string().as_bytes());
            prop_assert_eq!(serde_json::from_str::<Value>(&shown.text).unwrap(), body);
        }
    }
}
