//! What an image's config (image-spec, config.md) tells of its kind and its platform.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use super::table::{TABLE, matches};
use crate::oci::{Descriptor, Manifest, Platform};

/// Bytes of the largest config that is read to tell a kind; real ones have a few thousand.
pub const CONFIG_MAX: u64 = 1024 * 1024;

/// The config whose content tells more of the manifest: the one of an image, or of what wears an image's. `None` when
/// there is nothing to learn from it, or when it is larger than [`CONFIG_MAX`].
pub fn needs_config(manifest: &Manifest) -> Option<&Descriptor> {
    let is_image = manifest.config_media_type.as_deref().is_some_and(|config| matches(&TABLE.image_configs, config));
    manifest.config().filter(|config| is_image && config.size <= CONFIG_MAX)
}

/// The part of a config that is looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImageConfig {
    /// What the image runs on.
    pub platform: Platform,
    /// The names of its labels.
    pub(super) labels: BTreeSet<String>,
    /// The names of the fields that it has.
    pub(super) fields: BTreeSet<String>,
}

impl ImageConfig {
    /// Reads a config, leniently: what cannot be read of it is left out. `None` when it is no JSON object.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        #[derive(Default, Deserialize)]
        #[expect(clippy::zero_sized_map_values, reason = "labels are an object, of which the names count")]
        struct Process {
            #[serde(default, rename = "Labels")]
            labels: Option<BTreeMap<String, IgnoredAny>>,
        }
        fn value<'a, T: Deserialize<'a> + Default>(raw: Option<&&'a RawValue>) -> T {
            raw.and_then(|raw| serde_json::from_str(raw.get()).ok()).unwrap_or_default()
        }
        let fields: BTreeMap<String, &RawValue> = serde_json::from_slice(bytes).ok()?;
        let field = |name: &str| fields.get(name);
        let platform = Platform {
            architecture: value(field("architecture")),
            os: value(field("os")),
            variant: value(field("variant")),
            os_version: value(field("os.version")),
            os_features: value(field("os.features")),
        };
        let process: Process = value(field("config"));
        let labels = process.labels.unwrap_or_default().into_keys().collect();
        Some(Self { platform, labels, fields: fields.into_keys().collect() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_read_is_left_out() {
        let config =
            br#"{"os":"linux","architecture":7,"variant":null,"config":{"Labels":{"a":1,"b":"c"}},"rootfs":[]}"#;
        let read = ImageConfig::read(config).unwrap();
        assert_eq!((read.platform.os.as_str(), read.platform.architecture.as_str()), ("linux", ""));
        assert!(!read.platform.is_real());
        assert_eq!(read.labels, BTreeSet::from(["a".to_owned(), "b".to_owned()]));
        assert!(read.fields.contains("rootfs") && read.fields.contains("architecture"));
        assert!(ImageConfig::read(br#"{"config":{"Labels":null}}"#).unwrap().labels.is_empty());
        let deep = format!("{{\"os\":\"linux\",\"x\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000));
        assert_eq!(ImageConfig::read(deep.as_bytes()).unwrap().platform.os, "linux");
        for bytes in [&b""[..], b"[]", b"{", b"\xff"] {
            assert_eq!(ImageConfig::read(bytes), None);
        }
    }
}
