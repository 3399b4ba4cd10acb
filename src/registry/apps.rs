//! Applications (docker app, CNAB; Compose and Porter bundles) as one unit: what they are made of, what of it is here,
//! and what else uses it.

use super::{Registry, RegistryError};
use crate::meta::manifest::ManifestRow;
use crate::oci::bundle::Bundle;
use crate::oci::kind::Kind;
use crate::oci::{Digest, MediaType, Reference, RepoName, Tag};

/// An application of a repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Application {
    /// Where it is.
    pub repo: RepoName,
    /// The tags that point at it.
    pub tags: Vec<Tag>,
    /// Its index (or manifest list, or Compose manifest).
    pub digest: Digest,
    /// Its row: media type, kind, pushes and pulls.
    pub manifest: ManifestRow,
    /// Name, version, description, authors, keywords, parameters, credentials and actions: from the annotations, and
    /// from the bundle where that says more.
    pub bundle: Bundle,
    /// `bundle.json` (or the Compose file) as pushed: its digest, and the bytes if they are here and at most 1 MiB.
    pub document: Option<(Digest, Option<bytes::Bytes>)>,
    /// Its parts, in the order config, invocation image, components as the index lists them.
    pub members: Vec<Member>,
    /// Bytes of all distinct blobs and manifests that it needs and that are here.
    pub size: u64,
    /// The tag of its invocation image, if there is one of the name `<app>-invoc` that points at it, for the tag that
    /// was asked for.
    pub invocation_tag: Option<Tag>,
    /// Whether any part is not here: a pull will fail.
    pub incomplete: bool,
}

/// A part of an application.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// The part it plays.
    pub role: MemberRole,
    /// The component's name; empty for config and invocation image.
    pub name: String,
    /// The image as the author wrote it, where that is known.
    pub original_name: Option<String>,
    /// The manifest; `None` when the bundle names the image without a digest.
    pub digest: Option<Digest>,
    /// Its media type as the index gives it.
    pub media_type: Option<MediaType>,
    /// Its kind, where it is here.
    pub kind: Option<Kind>,
    /// `os/architecture[/variant]`, several for a multi-arch component.
    pub platforms: Vec<String>,
    /// Bytes of its distinct blobs and manifests, where it is here; else of the descriptor.
    pub size: u64,
    /// Whether it is here.
    pub state: MemberState,
    /// Tags of this repository that point at it.
    pub tags: Vec<Tag>,
    /// For a multi-arch component, its platforms' manifests.
    pub children: Vec<Member>,
    /// Other applications of this repository that have the same digest as a component or invocation image, by their
    /// tags (else digests); at most ten.
    pub shared_with: Vec<Reference>,
}

/// The part that a member plays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum MemberRole {
    /// The manifest that carries `bundle.json`.
    Config,
    /// The image that installs the application.
    Invocation,
    /// A service's image.
    Component,
    /// A platform of a multi-arch member.
    Platform,
}

/// Whether a member is here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MemberState {
    /// With everything that it needs.
    Present,
    /// It, or something that it needs, is not in this repository: a pull will fail.
    Missing,
    /// The bundle names it, and it is not among the index's children: it is pulled from elsewhere.
    Foreign,
}

impl MemberRole {
    /// As the REST interface says it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Config => "config",
            Self::Invocation => "invocation",
            Self::Component => "component",
            Self::Platform => "platform",
        }
    }
}

impl MemberState {
    /// As the REST interface says it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Present => "present",
            Self::Missing => "missing",
            Self::Foreign => "foreign",
        }
    }
}

impl Registry {
    /// The application that a reference stands for; `None` when it is there and is no application.
    ///
    /// # Errors
    /// [`RegistryError::NameUnknown`], [`RegistryError::ManifestUnknown`], or the store's fault.
    pub fn application(&self, name: &RepoName, reference: &Reference) -> Result<Option<Application>, RegistryError> {
        todo!("{name} {reference}")
    }
}
