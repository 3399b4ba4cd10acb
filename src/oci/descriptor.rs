//! Descriptors (image-spec, descriptor.md).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Digest, MediaType, Platform};

/// Annotations: arbitrary text by key.
pub type Annotations = BTreeMap<String, String>;

/// What points at content: its type, digest and size.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    /// The content's media type.
    pub media_type: MediaType,
    /// The content's digest.
    pub digest: Digest,
    /// The content's size in bytes.
    pub size: u64,
    /// The content's artifact type, where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<String>,
    /// Annotations.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub annotations: Option<Annotations>,
    /// Where the content may be had as well; nobody here follows it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub urls: Vec<String>,
    /// What the content runs on, where an index says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<Box<Platform>>,
}

impl Descriptor {
    /// An annotation's text.
    pub fn annotation(&self, key: &str) -> Option<&str> {
        self.annotations.as_ref()?.get(key).map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::oci::Algorithm;

    #[test]
    fn it_reads_and_writes_the_specifications_fields() {
        let digest = Digest::of(Algorithm::Sha512, b"content");
        let plain = json!({"mediaType": "text/plain", "digest": digest.to_string(), "size": u64::MAX});
        let descriptor: Descriptor = serde_json::from_value(plain.clone()).unwrap();
        assert_eq!((descriptor.digest, descriptor.size), (digest, u64::MAX));
        assert_eq!(serde_json::to_value(&descriptor).unwrap(), plain, "what is absent is not written");
        let full = json!({"mediaType": "text/plain", "digest": digest.to_string(), "size": 1,
            "artifactType": "text/spdx", "annotations": {"a": "b"}, "urls": ["https://registry.lab/x"],
            "platform": {"architecture": "amd64", "os": "linux"}});
        let descriptor: Descriptor = serde_json::from_value(full.clone()).unwrap();
        assert_eq!(serde_json::to_value(&descriptor).unwrap(), full);
        for wrong in [json!({"size": -1}), json!({"digest": "sha256:x"}), json!({"mediaType": "text"})] {
            let mut body = plain.clone();
            body.as_object_mut().unwrap().extend(wrong.as_object().unwrap().clone());
            assert!(serde_json::from_value::<Descriptor>(body).is_err(), "{wrong}");
        }
    }
}
