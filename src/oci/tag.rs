//! Tags (distribution-spec, "Pulling manifests": `<reference>` as a tag).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The longest tag, in bytes.
pub const MAX_TAG: usize = 128;

/// A text that is not a tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a tag has 1 to {MAX_TAG} letters, digits, '_', '.' and '-', and begins with a letter, a digit or '_'")]
pub struct TagError;

/// A checked tag: `[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}`. Ordered bytewise, as tag lists are.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Tag(Box<str>);

impl Tag {
    /// Checks a tag.
    ///
    /// # Errors
    /// [`TagError`] when the text is outside the grammar.
    pub fn parse(text: &str) -> Result<Self, TagError> {
        let word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
        let bytes = text.as_bytes();
        let well_formed = bytes.len() <= MAX_TAG
            && bytes.first().is_some_and(|&b| word(b))
            && bytes.iter().all(|&b| word(b) || b == b'.' || b == b'-');
        if well_formed { Ok(Self(text.into())) } else { Err(TagError) }
    }

    /// The tag's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Tag {
    type Err = TagError;

    fn from_str(text: &str) -> Result<Self, TagError> {
        Self::parse(text)
    }
}

impl Serialize for Tag {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Tag {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn tags_outside_the_grammar_are_refused() {
        for text in ["", ".", "..", "-a", ".a", "a/b", "a b", "a:b", "a%2fb", "a+b", "é", "a\n", "a\0", "a@b"] {
            assert_eq!(Tag::parse(text), Err(TagError), "{text:?}");
        }
        assert_eq!(Tag::parse(&"a".repeat(129)), Err(TagError));
        assert!(Tag::parse(&"a".repeat(128)).is_ok());
    }

    proptest! {
        #[test]
        fn what_the_grammar_allows_round_trips(text in "[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}") {
            let parsed = Tag::parse(&text).unwrap();
            prop_assert_eq!(parsed.as_str(), &text);
            prop_assert_eq!(&serde_json::from_str::<Tag>(&serde_json::to_string(&parsed).unwrap()).unwrap(), &parsed);
        }

        #[test]
        fn nothing_else_is_a_tag(text in "\\PC{0,4}[^a-zA-Z0-9._-]\\PC{0,4}") {
            prop_assert_eq!(Tag::parse(&text), Err(TagError));
        }

        #[test]
        fn order_is_bytewise(a in "[aAzZ09_.-]{1,4}", b in "[aAzZ09_.-]{1,4}") {
            let (Ok(x), Ok(y)) = (Tag::parse(&a), Tag::parse(&b)) else { return Ok(()) };
            prop_assert_eq!(x.cmp(&y), a.as_bytes().cmp(b.as_bytes()));
        }
    }
}
