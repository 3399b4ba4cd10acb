//! Media types (RFC 6838), as they name manifests and blobs.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A text that is not a media type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a media type: it has the form type/subtype and at most 255 characters")]
pub struct MediaTypeError;

/// A checked media type without parameters, kept exactly as it was pushed: letters keep their case, and types that
/// differ in case alone are different here, as they are to every client.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct MediaType(Box<str>);

impl MediaType {
    /// OCI image manifest.
    pub const OCI_MANIFEST: &'static str = "application/vnd.oci.image.manifest.v1+json";
    /// OCI image index.
    pub const OCI_INDEX: &'static str = "application/vnd.oci.image.index.v1+json";
    /// Docker image manifest, schema 2.
    pub const DOCKER_MANIFEST: &'static str = "application/vnd.docker.distribution.manifest.v2+json";
    /// Docker manifest list.
    pub const DOCKER_LIST: &'static str = "application/vnd.docker.distribution.manifest.list.v2+json";
    /// The artifact manifest of image-spec 1.1's release candidates, withdrawn since; old clients still push it.
    pub const OCI_ARTIFACT: &'static str = "application/vnd.oci.artifact.manifest.v1+json";
    /// What content is when nobody says more (RFC 9110 §8.3).
    pub const OCTET_STREAM: &'static str = "application/octet-stream";

    /// Checks a media type; parameters such as `; charset=utf-8` are dropped, as the specification asks on a push.
    ///
    /// # Errors
    /// [`MediaTypeError`] when the text is not `type/subtype` of RFC 6838 characters, or too long.
    pub fn parse(text: &str) -> Result<Self, MediaTypeError> {
        let essence = text.split_once(';').map_or(text, |(essence, _)| essence).trim_matches([' ', '\t']);
        let well_formed = essence.split_once('/').is_some_and(|(kind, subtype)| is_name(kind) && is_name(subtype));
        if well_formed { Ok(Self(essence.into())) } else { Err(MediaTypeError) }
    }

    /// Whether this names a layer that clients leave where it came from (image-spec, layer.md, "Non-Distributable
    /// Layers"; Docker's foreign layers): they neither push nor pull it here.
    pub fn is_nondistributable(&self) -> bool {
        self.0.starts_with("application/vnd.oci.image.layer.nondistributable.v1.")
            || self.0.starts_with("application/vnd.docker.image.rootfs.foreign.diff.tar")
    }

    /// Content of which nothing more is known.
    pub fn octet_stream() -> Self {
        Self(Self::OCTET_STREAM.into())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// RFC 6838 §4.2, `restricted-name`: 1 to 127 characters, the first a letter or digit.
fn is_name(name: &str) -> bool {
    let bytes = name.as_bytes();
    bytes.len() <= 127
        && bytes.first().is_some_and(u8::is_ascii_alphanumeric)
        && bytes.iter().all(|&b| b.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&b))
}

impl TryFrom<String> for MediaType {
    type Error = MediaTypeError;

    fn try_from(text: String) -> Result<Self, MediaTypeError> {
        Self::parse(&text)
    }
}

impl From<MediaType> for String {
    fn from(value: MediaType) -> Self {
        value.0.into()
    }
}

impl fmt::Display for MediaType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for MediaType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn parameters_and_blanks_are_dropped() {
        for text in ["text/spdx", "text/spdx;charset=utf-8", " text/spdx ; charset=utf-8", "text/spdx;", "text/spdx;;/"]
        {
            assert_eq!(MediaType::parse(text).unwrap().as_str(), "text/spdx", "{text:?}");
        }
    }

    #[test]
    fn types_outside_the_grammar_are_refused() {
        let long = format!("a/{}", "b".repeat(128));
        for text in
            ["", "text", "/", "text/", "/plain", "a/b/c", "*/*", "text/pl ain", "+a/b", "tëxt/a", "a/b,c/d", &long]
        {
            assert_eq!(MediaType::parse(text), Err(MediaTypeError), "{text:?}");
        }
        assert!(MediaType::parse(&format!("{0}/{0}", "a".repeat(127))).is_ok());
    }

    proptest! {
        #[test]
        fn what_the_grammar_allows_round_trips(text in "[a-zA-Z0-9][a-zA-Z0-9!#$&^_.+-]{0,126}/[a-zA-Z0-9][a-zA-Z0-9!#$&^_.+-]{0,126}") {
            let parsed = MediaType::parse(&text).unwrap();
            prop_assert_eq!(parsed.as_str(), &text);
            prop_assert_eq!(&serde_json::from_str::<MediaType>(&serde_json::to_string(&parsed).unwrap()).unwrap(), &parsed);
            prop_assert_eq!(&MediaType::parse(&format!("{text}; a=b")).unwrap(), &parsed);
        }

        #[test]
        fn no_text_panics(text in "\\PC*") {
            if let Ok(parsed) = MediaType::parse(&text) {
                prop_assert!(parsed.as_str().len() <= 255 && text.contains(parsed.as_str()));
            }
        }
    }
}
