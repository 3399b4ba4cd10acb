//! One manifest with everything that a person wants to see of it.

use super::apps::Application;
use super::tags::TagEntry;
use super::{Registry, RegistryError};
use crate::meta::manifest::ManifestRow;
use crate::oci::image_config::ImageConfig;
use crate::oci::{Descriptor, Digest, Manifest, Reference, RepoName, Tag};

/// A manifest of a repository.
#[derive(Clone, Debug)]
pub struct Details {
    /// Where it is.
    pub repo: RepoName,
    /// Under which it was asked for.
    pub reference: Reference,
    /// Its digest.
    pub digest: Digest,
    /// Its row.
    pub row: ManifestRow,
    /// Its bytes as pushed.
    pub body: bytes::Bytes,
    /// What they say.
    pub manifest: Manifest,
    /// The tags that point at it, at most 100.
    pub tags: Vec<TagEntry>,
    /// Bytes of all distinct blobs and manifests that it needs and that are here.
    pub size: u64,
    /// References that are not here.
    pub missing: Vec<Digest>,
    /// The manifests of this repository that list it as a child, at most 20: applications it is a part of, indexes.
    pub parents: Vec<Parent>,
    /// What there is to it by its kind.
    pub what: What,
}

/// A manifest that lists another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parent {
    /// Its digest.
    pub digest: Digest,
    /// A tag of it.
    pub tag: Option<Tag>,
    /// Its row.
    pub row: ManifestRow,
    /// `config`, `invocation`, `component NAME`, `platform`, …
    pub role: String,
}

/// What there is to a manifest by its kind.
#[derive(Clone, Debug)]
pub enum What {
    /// An application.
    Application(Box<Application>),
    /// An image: its configuration, where that is here and can be read, and its layers with the command of the history
    /// that made each.
    Image {
        /// The configuration.
        config: Option<Box<ImageConfig>>,
        /// The layers in order.
        layers: Vec<Layer>,
    },
    /// A multi-arch index.
    MultiArch {
        /// Platforms; attestations are none.
        platforms: Vec<Platform>,
        /// What describes a platform's image: provenance, SBOM; by its subject.
        attestations: Vec<Attestation>,
    },
    /// A chart, a plugin, a model, anything else: files by their titles.
    Artifact {
        /// `layers` or `blobs`, or children of an index, in order.
        files: Vec<Descriptor>,
        /// The config blob where it is JSON of at most 64 KiB: a chart's `Chart.yaml` as JSON, a plugin's settings.
        config: Option<serde_json::Value>,
    },
}

/// A layer of an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layer {
    /// As the manifest lists it.
    pub descriptor: Descriptor,
    /// The command that made it, if the history says so.
    pub command: Option<String>,
    /// Whether it is here; a foreign layer never is.
    pub present: bool,
}

/// A platform of a multi-arch index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Platform {
    /// `os/architecture[/variant]`.
    pub name: String,
    /// As the index lists it.
    pub descriptor: Descriptor,
    /// Bytes of its distinct blobs, when it is here.
    pub size: Option<u64>,
}

/// An attestation beside a platform (buildx).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attestation {
    /// As the index lists it.
    pub descriptor: Descriptor,
    /// The image that it describes.
    pub of: Option<Digest>,
    /// The predicates of its statements (SLSA provenance, SPDX, …).
    pub predicates: Vec<String>,
}

/// A referrer of a manifest, with those that refer to it in turn: signatures of an SBOM, say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReferrerNode {
    /// As the referrers list shows it.
    pub descriptor: Descriptor,
    /// Its row.
    pub row: Option<ManifestRow>,
    /// What refers to it.
    pub referrers: Vec<ReferrerNode>,
}

impl Registry {
    /// One manifest with everything about it.
    ///
    /// # Errors
    /// [`RegistryError::NameUnknown`], [`RegistryError::ManifestUnknown`], or the store's fault.
    pub async fn manifest_details(&self, name: &RepoName, reference: &Reference) -> Result<Details, RegistryError> {
        todo!("{name} {reference}")
    }

    /// What refers to a manifest, by `subject` and by cosign's tag scheme, at most 200 nodes and eight deep.
    ///
    /// # Errors
    /// [`RegistryError::NameUnknown`], or the store's fault.
    pub fn referrer_tree(&self, name: &RepoName, subject: &Digest) -> Result<Vec<ReferrerNode>, RegistryError> {
        todo!("{name} {subject}")
    }
}
