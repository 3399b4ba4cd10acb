//! What a manifest is: an image, an application, a chart, a signature and so on.
//!
//! The rules are data, `assets/kinds.json`, read once ([`table`] says what stands there); this file applies them in
//! the order of the image specification's implementers' note:
//!
//! 1. the type under which the manifest was pushed, and the marks of an index (`by_form`);
//! 2. `artifactType`, then the config's media type (`by_type`);
//! 3. if neither says what it is, or the config is an image's: children, layers, annotations, the config's content and
//!    the tag (`by_content`). Three things wear an image's config and are none: cosign's signatures, Ollama's models
//!    and the CNAB config of clients that fell back. So the layers are asked before anything is called an image; but
//!    where one of them is an image's, the rest do not hide it.
//!
//! What is left is [`Kind::Unknown`] and shows its raw type. `subject` decides nothing: whatever has one is attached to
//! it, of whatever kind it is.
//!
//! An index with one platform besides attestations is one image, with its provenance; attestations and lazy-loading
//! indexes are never platforms. The parts that children play (invocation image, component, attestation) are edges and
//! no kinds: the same digest may be a component of two applications and a tagged image. [`role_of_child`] tells them.

mod child;
mod config;
mod summary;
mod table;
#[cfg(test)]
mod tests;

use std::fmt;

use serde::{Deserialize, Serialize};

pub use self::child::{ChildRole, role_of_child};
pub use self::config::{CONFIG_MAX, ImageConfig, needs_config};
pub use self::summary::Summary;
pub use self::table::{About, Group, Pull};

use self::table::{Count, Rule, Shape, TABLE, TagShape, When, matches};
use super::{Digest, Manifest, Tag};

macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident = $name:literal,)*) => {
        /// What a manifest is. The names are stable: they stand in rows, in the API (`type`) and in addresses.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(from = "String", into = "&'static str")]
        pub enum Kind {
            $($(#[$doc])* $kind,)*
        }

        impl Kind {
            /// Every kind.
            pub const ALL: &[Self] = &[$(Self::$kind),*];

            /// Its stable name.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$kind => $name,)*
                }
            }
        }
    };
}

kinds! {
    /// An image for one platform (Docker or OCI), or an index of one image and its attestations.
    Image = "image",
    /// An index or manifest list of images for several platforms (or of one, and nothing else).
    MultiArch = "multiarch",
    /// Docker's first format.
    DockerSchema1 = "docker-schema1",
    /// A docker application: a CNAB bundle that says so.
    Application = "application",
    /// Another CNAB bundle (Porter's, cnab-to-oci's).
    CnabBundle = "cnab-bundle",
    /// The config manifest of a bundle.
    CnabConfig = "cnab-config",
    /// A Compose application.
    Compose = "compose",
    /// The images of a Compose application, attached to it.
    ComposeImages = "compose-images",
    /// A Docker engine plugin.
    Plugin = "plugin",
    /// A Helm chart.
    Chart = "chart",
    /// A Helm plugin.
    HelmPlugin = "helm-plugin",
    /// What Flux reconciles.
    Flux = "flux",
    /// A WebAssembly module or component.
    Wasm = "wasm",
    /// A signature.
    Signature = "signature",
    /// A signed or unsigned statement about something else.
    Attestation = "attestation",
    /// A bill of materials.
    Sbom = "sbom",
    /// An index of referrers that a client keeps under a tag (distribution-spec, "Referrers Tag Schema").
    ReferrersIndex = "referrers-index",
    /// A Singularity or Apptainer image.
    Sif = "sif",
    /// A BuildKit cache.
    BuildkitCache = "buildkit-cache",
    /// A machine-learning model.
    Model = "model",
    /// What lets a runtime load an image lazily.
    LazyLoadIndex = "lazy-load-index",
    /// Policies for an admission controller.
    Policy = "policy",
    /// A package of a tool that has no kind of its own here.
    Package = "package",
    /// Files that were pushed without a type (ORAS).
    Artifact = "artifact",
    /// The artifact manifest of image-spec 1.1's release candidates.
    OciArtifactManifest = "oci-artifact-manifest",
    /// An index whose children name no platform.
    Index = "index",
    /// Nothing that is known here; its raw type says what it is.
    Unknown = "unknown",
}

impl Kind {
    /// The kind of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.name() == name)
    }

    /// What people read, such as "Multi-arch".
    pub fn label(self) -> &'static str {
        self.about(None).label
    }

    /// What is true of everything of this kind; of one format of it, where that differs.
    pub fn about(self, format: Option<&str>) -> About {
        TABLE.about(self, format)
    }

    /// Whether the raw type tells more than the kind.
    pub const fn shows_raw_type(self) -> bool {
        matches!(self, Self::Unknown | Self::Artifact | Self::OciArtifactManifest | Self::Index)
    }

    /// Decides what a manifest is. `config` is the content of its config, where it was at hand ([`needs_config`]);
    /// without it, what only the config tells is not seen. `tags` are a hint, for what is named by a tag alone.
    pub fn decide(manifest: &Manifest, config: Option<&ImageConfig>, tags: &[Tag]) -> KindVerdict {
        let decided = Look::new(manifest, config, tags).decide();
        let kind = decided.map_or(Self::Unknown, |rule| rule.kind);
        KindVerdict {
            kind,
            format: decided.and_then(|rule| rule.format.as_deref()),
            raw_type: kind.shows_raw_type().then(|| raw_type(manifest)),
        }
    }
}

/// The version of the table of rules; rows that an older one decided are indexed again.
pub fn rules_version() -> u32 {
    TABLE.version
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A name that this version does not know was written by a later one.
impl From<String> for Kind {
    fn from(name: String) -> Self {
        Self::from_name(&name).unwrap_or(Self::Unknown)
    }
}

impl From<Kind> for &'static str {
    fn from(kind: Kind) -> Self {
        kind.name()
    }
}

/// What a manifest was found to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KindVerdict {
    /// The kind.
    pub kind: Kind,
    /// Which of several forms of it, such as `docker` or `oci` of an image.
    pub format: Option<&'static str>,
    /// The type in the manifest's own words, where the kind does not tell it ([`Kind::shows_raw_type`]). At most 255
    /// bytes in what was pushed.
    pub raw_type: Option<String>,
}

impl KindVerdict {
    /// What is true of it.
    pub fn about(&self) -> About {
        self.kind.about(self.format)
    }
}

/// What the manifest says that it is; else what is the least ordinary about it.
fn raw_type(manifest: &Manifest) -> String {
    let ordinary =
        |media_type: &str| matches(&TABLE.image_configs, media_type) || matches(&TABLE.says_nothing, media_type);
    let declared = manifest.artifact_type.as_deref().or(manifest.config_media_type.as_deref().filter(|t| !ordinary(t)));
    let layer = || manifest.layers().map(|l| l.media_type.as_str()).find(|t| !matches(&TABLE.image_layers, t));
    declared.or_else(layer).unwrap_or(manifest.media_type.as_str()).to_owned()
}

/// A manifest as rules look at it.
struct Look<'m> {
    manifest: &'m Manifest,
    config: Option<&'m ImageConfig>,
    tags: &'m [Tag],
    /// Whether the config is an image's, by its type.
    image_config: bool,
    /// Real platforms among the children.
    platforms: usize,
    /// The parts that the children play.
    roles: Vec<child::RoleName>,
}

impl<'m> Look<'m> {
    fn new(manifest: &'m Manifest, config: Option<&'m ImageConfig>, tags: &'m [Tag]) -> Self {
        let roles: Vec<_> =
            manifest.children().filter_map(|descriptor| child::role_name(manifest, descriptor)).collect();
        let platforms = roles.iter().filter(|role| **role == child::RoleName::Platform).count();
        let config_type = manifest.config_media_type.as_deref();
        let image_config = config_type.is_some_and(|config| matches(&TABLE.image_configs, config));
        Self { manifest, config, tags, image_config, platforms, roles }
    }

    fn decide(&self) -> Option<&'static Rule> {
        let Manifest { artifact_type, config_media_type, .. } = self.manifest;
        let (by_artifact, by_config) = (artifact_type.as_deref(), config_media_type.as_deref());
        let all: Vec<&str> = by_artifact.into_iter().chain(by_config).collect();
        let first = |rules: &'static [Rule], types: &[&str]| rules.iter().find(|rule| self.holds(&rule.when, types));
        first(&TABLE.by_form, &all)
            .or_else(|| first(&TABLE.by_type, by_artifact.as_slice()))
            .or_else(|| first(&TABLE.by_type, by_config.as_slice()))
            .or_else(|| {
                // A type that is declared and not known here is not overruled by what stands in the layers; but what
                // has the config of an image may be run as one.
                let declares =
                    all.iter().any(|t| !matches(&TABLE.image_configs, t) && !matches(&TABLE.says_nothing, t));
                (self.image_config || !declares).then(|| first(&TABLE.by_content, &all)).flatten()
            })
    }

    /// Whether every condition holds; `types` are those that are asked now.
    fn holds(&self, when: &When, types: &[&str]) -> bool {
        let manifest = self.manifest;
        let layer_is = |patterns: &[_]| manifest.layers().any(|layer| matches(patterns, layer.media_type.as_str()));
        let is = |wanted: Option<bool>, found: &dyn Fn() -> bool| wanted.is_none_or(|wanted| wanted == found());
        let any = |patterns: &[table::Pattern], found: &dyn Fn() -> bool| patterns.is_empty() || found();

        when.form.is_none_or(|Shape::Index| manifest.is_index)
            && any(&when.media_types, &|| matches(&when.media_types, manifest.media_type.as_str()))
            && any(&when.types, &|| types.iter().any(|text| matches(&when.types, text)))
            && is(when.subject, &|| manifest.subject.is_some())
            && is(when.typed, &|| manifest.artifact_type.is_some())
            && when.annotations.hold(Some(&manifest.annotations))
            && (when.child_annotations.is_empty()
                || manifest.children().any(|child| when.child_annotations.hold(child.annotations.as_ref())))
            && any(&when.child_types, &|| {
                manifest.children().any(|child| matches(&when.child_types, child.media_type.as_str()))
            })
            && when.platforms.is_none_or(|count| match count {
                Count::None => self.platforms == 0,
                Count::One => self.platforms == 1,
                Count::Some => self.platforms > 0,
            })
            && when.child_role.is_none_or(|role| self.roles.contains(&role))
            && when.tag.is_none_or(|shape| self.tags.iter().any(|tag| is_shaped(shape, tag)))
            && any(&when.all_layers, &|| {
                manifest.layers().next().is_some()
                    && manifest.layers().all(|layer| matches(&when.all_layers, layer.media_type.as_str()))
            })
            && any(&when.any_layer, &|| layer_is(&when.any_layer))
            && is(when.image_config, &|| self.image_config)
            && is(when.image_layers, &|| manifest.layers().next().is_none() || layer_is(&TABLE.image_layers))
            && (when.layer_annotations.is_empty()
                || manifest.layers().any(|layer| when.layer_annotations.hold(layer.annotations.as_ref())))
            && self.config_holds(when)
    }

    fn config_holds(&self, when: &When) -> bool {
        if !when.asks_config() {
            return true;
        }
        let Some(config) = self.config else { return false };
        (when.config_os.is_empty() || matches(&when.config_os, &config.platform.os))
            && when.config_has.iter().all(|field| config.fields.contains(field))
            && !when.config_lacks.iter().any(|field| config.fields.contains(field))
            && (when.labels.is_empty() || when.labels.iter().any(|label| config.labels.contains(label)))
    }
}

/// Whether a tag has this form.
fn is_shaped(shape: TagShape, tag: &Tag) -> bool {
    match shape {
        TagShape::Referrers => ReferrerTag::of(tag).is_some_and(|tag| tag.names == TagNames::Referrers),
        TagShape::CosignSbom => ReferrerTag::of(tag).is_some_and(|tag| tag.names == TagNames::Sbom),
    }
}

/// A tag that only ties something to a manifest: the referrers tag schema (`sha256-<hex>`), or cosign's names after it
/// (`sha256-<hex>.sig`). Lists of tags hide them; what they name is decided by its content all the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReferrerTag {
    /// The manifest that it is tied to; `None` when the tag is too short for its digest (sha512).
    pub subject: Option<Digest>,
    /// What the tag says that it names.
    pub names: TagNames,
}

/// What a [`ReferrerTag`] says that it names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TagNames {
    /// An index of referrers.
    Referrers,
    /// Signatures (`.sig`).
    Signature,
    /// Attestations (`.att`).
    Attestation,
    /// A bill of materials (`.sbom`).
    Sbom,
}

impl ReferrerTag {
    /// Reads a tag; `None` when it is an ordinary one.
    pub fn of(tag: &Tag) -> Option<Self> {
        let (stem, names) = match tag.as_str().split_once('.') {
            None => (tag.as_str(), TagNames::Referrers),
            Some((stem, "sig")) => (stem, TagNames::Signature),
            Some((stem, "att")) => (stem, TagNames::Attestation),
            Some((stem, "sbom")) => (stem, TagNames::Sbom),
            Some(_) => return None,
        };
        let (algorithm, hex) = stem.split_once('-')?;
        if let Ok(subject) = Digest::parse(&format!("{algorithm}:{hex}")) {
            return Some(Self { subject: Some(subject), names });
        }
        // The schema cuts tags of longer digests to what the grammar allows.
        let is_cut = stem.len() == super::tag::MAX_TAG && algorithm == "sha512";
        let is_hex = || hex.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        (is_cut && is_hex()).then_some(Self { subject: None, names })
    }
}
