//! Manifests and indexes (image-spec, manifest.md and image-index.md; Docker's schema 2 and manifest list).

use super::descriptor::{Annotations, Descriptor};
use super::{Digest, MediaType};

/// Why pushed bytes are no manifest that this registry takes. Each message tells the client's user what to mend.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    /// See the helper's implementation.
    #[error("{0}")]
    Invalid(String),
}

/// Limits on what one manifest may contain.
#[derive(Clone, Copy, Debug)]
pub struct ManifestLimits {
    /// The most references (config, layers, children, blobs; the subject not counted) that one manifest may have.
    pub references: usize,
    /// The deepest nesting of JSON arrays and objects.
    pub depth: usize,
}

/// The part that a reference plays in the manifest that makes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// The `config` of an image manifest: a blob.
    Config,
    /// One of `layers` (or of `blobs` in the withdrawn artifact manifest): a blob.
    Layer,
    /// One of `manifests` of an index whose media type is a manifest or an index.
    Child,
    /// One of `manifests` of an index whose media type is none (BuildKit caches put layers there): a blob or a manifest.
    ForeignChild,
}

/// A reference from a manifest to other content that must be here for the manifest to be complete.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManifestReference {
    /// The part it plays.
    pub role: Role,
    /// The descriptor as it stands in the manifest.
    pub descriptor: Descriptor,
}

/// A manifest or index that has been read; the bytes themselves are kept elsewhere and never rewritten.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// The type under which it was pushed, without parameters.
    pub media_type: MediaType,
    /// `artifactType` of the body, when present and not empty.
    pub artifact_type: Option<String>,
    /// The media type of `config`, when there is one.
    pub config_media_type: Option<String>,
    /// Everything that the manifest refers to, without its subject and without non-distributable layers, which
    /// clients never push. Each digest at most once for each role.
    pub references: Vec<ManifestReference>,
    /// `subject`: what this manifest is attached to; need not exist.
    pub subject: Option<Descriptor>,
    /// Top-level annotations.
    pub annotations: Annotations,
    /// Whether the body is an index or manifest list.
    pub is_index: bool,
}

impl Manifest {
    /// Reads a manifest at the door, strictly.
    ///
    /// # Errors
    /// [`ManifestError`]: what is wrong and what to do about it.
    pub fn from_pushed(content_type: Option<&str>, body: &[u8], limits: ManifestLimits) -> Result<Self, ManifestError> {
        let _ = (content_type, body, limits);
        todo!()
    }

    /// Reads a manifest that was accepted once, leniently: whatever an earlier version took in stays readable.
    ///
    /// # Errors
    /// [`ManifestError`] only when the bytes are not a JSON object at all.
    pub fn from_stored(media_type: MediaType, body: &[u8]) -> Result<Self, ManifestError> {
        let _ = (media_type, body);
        todo!()
    }

    /// The artifact type that the referrers list shows: `artifactType`, else the config's media type for an image
    /// manifest (distribution-spec, "Listing Referrers").
    pub fn referrer_artifact_type(&self) -> Option<&str> {
        self.artifact_type.as_deref().or(if self.is_index { None } else { self.config_media_type.as_deref() })
    }

    /// The digests of all references, in order, each once.
    pub fn referenced_digests(&self) -> Vec<Digest> {
        let mut seen = std::collections::HashSet::new();
        self.references.iter().map(|r| r.descriptor.digest).filter(|d| seen.insert(*d)).collect()
    }
}
