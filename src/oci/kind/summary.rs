//! What a list shows of a manifest without reading it: made at the push, kept with its row.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};

use super::table::{TABLE, matches};
use super::{About, ChildRole, ImageConfig, Kind, role_of_child};
use crate::oci::descriptor::Annotations;
use crate::oci::{Manifest, Platform, Tag};

/// Bounds of what a row holds: less than 50 kB of JSON at most, a few hundred bytes as a rule.
const PLATFORMS_MAX: usize = 64;
const PLATFORM_BYTES: usize = 64;
const ANNOTATIONS_MAX: usize = 16;
const KEY_BYTES: usize = 128;
const VALUE_BYTES: usize = 1000;
const RAW_TYPE_BYTES: usize = 255;

/// The annotation that is cut when it is long; others are left out then, for half a list of authors is none.
const DESCRIPTION: &str = "org.opencontainers.image.description";

/// What a list shows of a manifest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// What it is.
    pub kind: Kind,
    /// Which form of it; one of `assets/kinds.json`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<String>,
    /// The type in its own words, where the kind does not tell it; at most 255 bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub raw_type: Option<String>,
    /// The platforms, as in `linux/arm64/v8`, each once, in the order of the index: one for an image, several for
    /// multi-arch. At most 64.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub platforms: Vec<String>,
    /// How many platforms there are, should there be more than stand above.
    #[serde(default)]
    pub platform_count: u64,
    /// Components of a CNAB bundle, as its index lists them; 0 for everything else.
    #[serde(default, skip_serializing_if = "is_none")]
    pub components: u64,
    /// Bytes of config and layers together, each digest once; `None` for an index, whose children tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_bytes: Option<u64>,
    /// Annotations for lists: title, version, description (at most 1,000 bytes), authors, and those of `io.docker.` and
    /// `io.cnab.`. At most 16; one of more than 1,000 bytes, or with control characters, is in the manifest alone.
    #[serde(default, skip_serializing_if = "Annotations::is_empty")]
    pub annotations: Annotations,
    /// The version of the table that decided.
    #[serde(default)]
    pub table: u32,
    /// Whether the config was read, where it was needed.
    #[serde(default)]
    pub config_read: bool,
}

impl Summary {
    /// Sums a manifest up. `config` is the content of the config that [`super::needs_config`] names, if it is here.
    pub fn of(manifest: &Manifest, config: Option<&[u8]>, tags: &[Tag]) -> Self {
        let config = config.and_then(ImageConfig::read);
        let verdict = Kind::decide(manifest, config.as_ref(), tags);
        let mut platforms = Vec::new();
        let mut platform_count = 0;
        for platform in all_platforms(manifest, config.as_ref()) {
            platform_count += 1;
            if platforms.len() < PLATFORMS_MAX && platform.len() <= PLATFORM_BYTES && is_plain(&platform) {
                platforms.push(platform);
            }
        }
        Self {
            kind: verdict.kind,
            format: verdict.format.map(str::to_owned),
            raw_type: verdict.raw_type.map(|raw| cut(&raw, RAW_TYPE_BYTES)),
            platforms,
            platform_count,
            components: components(manifest),
            content_bytes: content_bytes(manifest),
            annotations: kept(&manifest.annotations),
            table: TABLE.version,
            config_read: config.is_some(),
        }
    }

    /// Whether another version of the table decided this.
    pub fn is_outdated(&self) -> bool {
        self.table != TABLE.version
    }

    /// What is true of what it is.
    pub fn about(&self) -> About {
        self.kind.about(self.format.as_deref())
    }
}

/// The platforms, each once.
fn all_platforms(manifest: &Manifest, config: Option<&ImageConfig>) -> Vec<String> {
    let mut seen = HashSet::new();
    let children = manifest.children().filter_map(|child| match role_of_child(manifest, child) {
        ChildRole::Platform(platform) => Some(platform),
        _ => None,
    });
    let own = config.map(|config| config.platform.clone()).filter(Platform::is_real);
    children.chain(own).map(|platform| platform.to_string()).filter(|text| seen.insert(text.clone())).collect()
}

fn components(manifest: &Manifest) -> u64 {
    let is_component = |child: &&_| matches!(role_of_child(manifest, child), ChildRole::CnabComponent { .. });
    manifest.children().filter(is_component).count() as u64
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands references on")]
const fn is_none(count: &u64) -> bool {
    *count == 0
}

fn content_bytes(manifest: &Manifest) -> Option<u64> {
    let mut seen = HashSet::new();
    let distinct = manifest.parts.iter().map(|part| &part.descriptor).filter(|part| seen.insert(part.digest));
    (!manifest.is_index).then(|| distinct.fold(0, |sum: u64, part| sum.saturating_add(part.size)))
}

fn kept(annotations: &Annotations) -> Annotations {
    let fits = |key: &String, value: &String| {
        key.len() <= KEY_BYTES
            && (value.len() <= VALUE_BYTES || key == DESCRIPTION)
            && matches(&TABLE.kept_annotations, key)
            && is_plain(key)
            && is_plain(value)
    };
    let mut wanted: Vec<_> = annotations.iter().filter(|(key, value)| fits(key, value)).collect();
    // The specification's own stand last in the alphabet, and matter most.
    wanted.sort_by_key(|(key, _)| !key.starts_with("org.opencontainers."));
    wanted.into_iter().take(ANNOTATIONS_MAX).map(|(key, value)| (key.clone(), cut(value, VALUE_BYTES))).collect()
}

/// Whether a text has no control characters but those that end lines: nobody shows them, and JSON makes six bytes of
/// one.
fn is_plain(text: &str) -> bool {
    !text.contains(|c: char| c.is_control() && !matches!(c, '\n' | '\r' | '\t'))
}

/// The beginning of a text, in whole characters and at most this many bytes.
fn cut(text: &str, bytes: usize) -> String {
    text[..text.floor_char_boundary(bytes)].to_owned()
}
