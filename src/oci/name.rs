//! Repository names (distribution-spec, "Pulling manifests": `<name>`).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The longest repository name, in bytes.
pub const MAX_NAME: usize = 255;

/// Why a text is not a repository name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Empty, or longer than [`MAX_NAME`].
    #[error("a repository name has 1 to {MAX_NAME} characters")]
    Length,
    /// Outside the grammar.
    #[error(
        "a repository name is made of lower-case letters and digits, joined by single '.', '_' or '/', by '__' or by dashes"
    )]
    Grammar,
}

/// A checked repository name such as `admin/lab-words`.
///
/// Grammar: components `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*`, joined by `/`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RepoName(Box<str>);

impl RepoName {
    /// Checks a name.
    ///
    /// # Errors
    /// [`NameError`] when the text is outside the grammar or longer than 255 bytes.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        if text.is_empty() || text.len() > MAX_NAME {
            return Err(NameError::Length);
        }
        if text.split('/').all(is_component) { Ok(Self(text.into())) } else { Err(NameError::Grammar) }
    }

    /// The whole name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The first component when there are at least two; a one-component repository has an empty namespace.
    pub fn namespace(&self) -> &str {
        self.0.split_once('/').map_or("", |(namespace, _)| namespace)
    }

    /// What follows the namespace.
    pub fn name(&self) -> &str {
        self.0.split_once('/').map_or(&self.0, |(_, name)| name)
    }
}

fn is_component(component: &str) -> bool {
    let alphanumeric = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let bytes = component.as_bytes();
    if !(bytes.first().is_some_and(|&b| alphanumeric(b)) && bytes.last().is_some_and(|&b| alphanumeric(b))) {
        return false;
    }
    // Between two alphanumeric runs stands one separator: ".", "_", "__" or any number of "-".
    component
        .split(|c: char| c.is_ascii() && alphanumeric(c as u8))
        .filter(|separator| !separator.is_empty())
        .all(|separator| matches!(separator, "." | "_" | "__") || separator.bytes().all(|b| b == b'-'))
}

impl fmt::Display for RepoName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for RepoName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for RepoName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        Self::parse(text)
    }
}

impl Serialize for RepoName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for RepoName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The specification's expression `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(\/…)*`, walked one character at a time, as a
    /// second opinion.
    fn matches_the_expression(text: &str) -> bool {
        let mut separator = "/".to_owned();
        for c in text.chars() {
            match c {
                'a'..='z' | '0'..='9' => separator.clear(),
                '.' | '_' | '-' | '/' => {
                    separator.push(c);
                    let only_dashes = separator.chars().all(|c| c == '-');
                    if !only_dashes && !["/", ".", "_", "__"].contains(&separator.as_str()) {
                        return false;
                    }
                }
                _ => return false,
            }
        }
        separator.is_empty()
    }

    #[test]
    fn names_in_use() {
        for (text, namespace, name) in [
            ("admin/lab-words", "admin", "lab-words"),
            ("a", "", "a"),
            ("lab/team/web", "lab", "team/web"),
            ("a__b/c---d/e.f/0", "a__b", "c---d/e.f/0"),
        ] {
            let parsed = RepoName::parse(text).unwrap();
            assert_eq!((parsed.namespace(), parsed.name(), parsed.to_string().as_str()), (namespace, name, text));
        }
    }

    #[test]
    fn names_outside_the_grammar_are_refused() {
        for text in [
            "..", ".", "a/..", "../a", "a/../b", "a..b", "a/./b", "A", "a/B", "a%2fb", "a%2Fb", "a//b", "/a", "a/",
            "a___b", "a._b", "-a", "a-", "_a", "a b", "a:b", "a@b", "ä", "a\0b", "a\nb", "a\\b",
        ] {
            assert_eq!(RepoName::parse(text), Err(NameError::Grammar), "{text:?}");
        }
        assert_eq!(RepoName::parse(""), Err(NameError::Length));
        assert_eq!(RepoName::parse(&"a".repeat(256)), Err(NameError::Length));
        assert!(RepoName::parse(&"a".repeat(255)).is_ok());
    }

    proptest! {
        #[test]
        fn what_the_grammar_allows_round_trips(
            text in "[a-z0-9]{1,4}((\\.|_|__|-{1,3})[a-z0-9]{1,4}){0,3}(/[a-z0-9]{1,4}((\\.|_|__|-{1,3})[a-z0-9]{1,4}){0,3}){0,4}"
        ) {
            let parsed = RepoName::parse(&text).unwrap();
            prop_assert_eq!(parsed.as_str(), &text);
            prop_assert_eq!(&serde_json::from_str::<RepoName>(&serde_json::to_string(&parsed).unwrap()).unwrap(), &parsed);
            let joined = [parsed.namespace(), parsed.name()].join("/");
            prop_assert_eq!(joined.trim_start_matches('/'), &text);
        }

        #[test]
        fn the_grammar_is_the_specifications(text in "[ab0._/-]{1,9}|[aA%2f./]{1,6}|\\PC{1,6}") {
            prop_assert_eq!(RepoName::parse(&text).is_ok(), matches_the_expression(&text));
        }

        #[test]
        fn order_is_bytewise(a in "[a-c]{1,3}(/[a-c0-]{0,2}[a-c])?", b in "[a-c]{1,3}(/[a-c0-]{0,2}[a-c])?") {
            let (Ok(x), Ok(y)) = (RepoName::parse(&a), RepoName::parse(&b)) else { return Ok(()) };
            prop_assert_eq!(x.cmp(&y), a.as_bytes().cmp(b.as_bytes()));
        }
    }
}
