//! What names a manifest within a repository: a tag or a digest.

use std::fmt;

use super::digest::{Digest, DigestError};
use super::tag::{Tag, TagError};

/// Why a text is no reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReferenceError {
    /// It has a colon, so a digest was meant.
    #[error(transparent)]
    Digest(#[from] DigestError),
    /// It has none, so a tag was meant.
    #[error(transparent)]
    Tag(#[from] TagError),
}

/// A tag or a digest (distribution-spec, "Pulling manifests": `<reference>`).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Reference {
    /// A mutable name.
    Tag(Tag),
    /// The content itself.
    Digest(Digest),
}

impl Reference {
    /// Parses a reference; a colon, which no tag may contain, tells a digest from a tag.
    ///
    /// # Errors
    /// [`ReferenceError`] with the reason of the form that was meant.
    pub fn parse(text: &str) -> Result<Self, ReferenceError> {
        if text.contains(':') { Ok(Self::Digest(Digest::parse(text)?)) } else { Ok(Self::Tag(Tag::parse(text)?)) }
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tag(tag) => tag.fmt(f),
            Self::Digest(digest) => fmt::Display::fmt(digest, f),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_colon_tells_a_digest_from_a_tag() {
        assert!(matches!(Reference::parse("0.1.0-invoc"), Ok(Reference::Tag(_))));
        // A referrers tag looks like a digest without its colon.
        assert!(matches!(Reference::parse(&format!("sha256-{}", "a".repeat(64))), Ok(Reference::Tag(_))));
        assert!(matches!(Reference::parse(&format!("sha256:{}", "a".repeat(64))), Ok(Reference::Digest(_))));
        // The conformance suite's bad digest: refused as a digest, not taken for a tag.
        assert_eq!(Reference::parse("sha256:baddigeststring"), Err(ReferenceError::Digest(DigestError::Hex)));
        assert_eq!(Reference::parse(".."), Err(ReferenceError::Tag(TagError)));
        assert_eq!(Reference::parse(""), Err(ReferenceError::Tag(TagError)));
    }

    proptest! {
        #[test]
        fn references_round_trip(text in "[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}|sha256:[a-f0-9]{64}|sha512:[a-f0-9]{128}") {
            prop_assert_eq!(Reference::parse(&text).unwrap().to_string(), text);
        }
    }
}
