//! One manifest with everything that a person wants to see of it.

mod brief;
mod tree;

pub use brief::{Brief, Counts, Line};
pub use tree::ReferrerNode;
pub(super) use tree::attached;

use super::apps::{Application, is_application, small_blob};
use super::content::Look;
use super::kinds::summary_of;
use super::pull::stored_manifest;
use super::tags::{self, TagEntry};
use super::{Registry, RegistryError};
use crate::base::RepoId;
use crate::meta::manifest::{self, ManifestRow};
use crate::meta::{Read, blob, tag};
use crate::oci::image_config::{ImageConfig, MAX_DOCUMENT};
use crate::oci::kind::{ChildRole, Kind, role_of_child};
use crate::oci::manifest::Role;
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
    /// What it or one of its children refers to and is not here, now: what was missing at the push may have come since.
    pub missing: Vec<Digest>,
    /// The manifests of this repository that list it as a child, at most 20, those with tags first: applications it is a
    /// part of, indexes. For an image of a Compose application, that application.
    pub parents: Vec<Parent>,
    /// The configuration that an image or another artifact names, as it was pushed. An application has its document.
    pub config: Option<ConfigBlob>,
    /// What there is to it by its kind.
    pub what: What,
}

/// The configuration of a manifest as it was pushed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigBlob {
    /// As the manifest names it.
    pub descriptor: Descriptor,
    /// Its bytes, if they are here and at most 1 MiB.
    pub bytes: Option<bytes::Bytes>,
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
        /// The other children: nested indexes, what names no platform.
        others: Vec<Descriptor>,
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

/// Tags that are shown.
const TAGS: usize = 100;
/// Parents that are shown, and those that are looked at to find ones with tags.
const PARENTS: usize = 20;
const PARENTS_SEEN: usize = 200;
/// The config of an artifact that is shown: bytes.
const ARTIFACT_CONFIG: usize = 64 * 1024;
/// Layers of an attestation whose predicates are listed.
const PREDICATES: usize = 50;

impl Registry {
    /// One manifest with everything about it. Looking at it is no pull.
    ///
    /// # Errors
    /// [`RegistryError::NameUnknown`], [`RegistryError::ManifestUnknown`], or a store's fault.
    pub async fn manifest_details(&self, name: &RepoName, reference: &Reference) -> Result<Details, RegistryError> {
        let mut stored = None;
        let Seen { repo, digest, row, body, kind, tags, size, missing, parents } = self.meta().read(|tx| {
            let (repo, digest, row) = stored_manifest(tx, name, reference)?;
            let body = self.0.bodies.get(&digest);
            if body.is_none() {
                stored = Some(manifest::body(tx, &digest, row.size)?);
            }
            see(tx, repo, digest, row, body)
        })?;
        let body = match (body, stored) {
            (Some(body), _) => body,
            (None, Some(stored)) => self.0.bodies.verify(&digest, stored)?,
            (None, None) => unreachable!("a body that is not at hand was read from the store"),
        };
        let read = Manifest::from_stored(row.media_type.clone(), &body)
            .or_else(|_| Manifest::from_stored(row.media_type.clone(), b"{}"))?;
        let what = if is_application(kind) { self.application(name, reference).await? } else { None };
        let (what, config) = match what {
            // Between the two views the tag may have moved; what is shown is one manifest.
            Some(application) if application.digest == digest => (What::Application(Box::new(application)), None),
            Some(_) | None => self.what(repo, &read, kind).await?,
        };
        let reference = reference.clone();
        Ok(Details {
            repo: name.clone(),
            reference,
            digest,
            row,
            body,
            manifest: read,
            tags,
            size,
            missing,
            parents,
            config,
            what,
        })
    }

    /// What there is to a manifest that is no application, and its configuration.
    async fn what(
        &self,
        repo: RepoId,
        read: &Manifest,
        kind: Kind,
    ) -> Result<(What, Option<ConfigBlob>), RegistryError> {
        let is_image = kind == Kind::Image && !read.is_index;
        let stored = self.meta().read(|tx| match read.config() {
            Some(config) => small_blob(tx, repo, &config.digest, MAX_DOCUMENT),
            None => Ok(None),
        })?;
        let config = self.content(stored).await;
        let blob = read.config().map(|named| ConfigBlob { descriptor: named.clone(), bytes: config.clone() });
        if is_image {
            let config = config.as_deref().and_then(ImageConfig::read).map(Box::new);
            let layers = self.meta().read(|tx| layers(tx, repo, read, config.as_deref()))?;
            return Ok((What::Image { config, layers }, blob));
        }
        if matches!(kind, Kind::Image | Kind::MultiArch) {
            return Ok((self.meta().read(|tx| multi_arch(tx, repo, read))?, blob));
        }
        let files = read.parts.iter().filter(|part| part.role != Role::Config).map(|part| part.descriptor.clone());
        let config = config.filter(|config| config.len() <= ARTIFACT_CONFIG);
        let config = config.and_then(|config| serde_json::from_slice(&config).ok());
        Ok((What::Artifact { files: files.collect(), config }, blob))
    }
}

/// What one view of the metadata tells of a manifest.
struct Seen {
    repo: RepoId,
    digest: Digest,
    row: ManifestRow,
    body: Option<bytes::Bytes>,
    kind: Kind,
    tags: Vec<TagEntry>,
    size: u64,
    missing: Vec<Digest>,
    parents: Vec<Parent>,
}

fn see(
    tx: &impl Read,
    repo: RepoId,
    digest: Digest,
    row: ManifestRow,
    body: Option<bytes::Bytes>,
) -> Result<Seen, RegistryError> {
    let kind = summary_of(tx, repo, &digest, &row)?.kind;
    let mut look = Look::new(tx, repo);
    let needed = look.needed(&digest)?;
    let mut entries = Vec::new();
    for name in tag::of_manifest(tx, repo, &digest, TAGS)? {
        let Some(stored) = tag::get(tx, repo, &name)? else { continue };
        entries.extend(tags::entry(tx, repo, name, stored)?);
    }
    let parents = parents(&look, &digest)?;
    let (size, missing) = (needed.bytes(), needed.missing.into_iter().collect());
    Ok(Seen { repo, digest, row, body, kind, tags: entries, size, missing, parents })
}

/// What lists a manifest as a child.
fn parents<T: Read>(look: &Look<'_, T>, child: &Digest) -> Result<Vec<Parent>, RegistryError> {
    let (tx, repo) = (look.tx, look.repo);
    let mut found = Vec::new();
    for parent in manifest::parents(tx, repo, child, PARENTS_SEEN)? {
        let Some(row) = manifest::get(tx, repo, &parent)? else { continue };
        let application = match (summary_of(tx, repo, &parent, &row)?.kind, row.subject) {
            (Kind::ComposeImages, Some(subject)) => manifest::get(tx, repo, &subject)?.map(|row| (subject, row)),
            _ => None,
        };
        let (digest, row) = application.unwrap_or((parent, row));
        let tag = tag::of_manifest(tx, repo, &digest, 1)?.pop();
        found.push((parent, Parent { digest, tag, row, role: String::new() }));
    }
    found.sort_by_key(|(_, parent)| parent.tag.is_none());
    found.truncate(PARENTS);
    let mut parents = Vec::new();
    for (index, mut parent) in found {
        if let Some(read) = look.read(&index)? {
            parent.role = role_in(&read, child);
        }
        parents.push(parent);
    }
    Ok(parents)
}

/// The part that a child plays in a manifest, in words.
pub(super) fn role_in(parent: &Manifest, child: &Digest) -> String {
    let Some(part) = parent.parts.iter().find(|part| part.descriptor.digest == *child) else { return String::new() };
    match part.role {
        Role::Config => "config".to_owned(),
        Role::Layer => "layer".to_owned(),
        Role::Child | Role::ForeignChild => match role_of_child(parent, &part.descriptor) {
            ChildRole::Platform(platform) => format!("platform {platform}"),
            ChildRole::CnabComponent { name: Some(name), .. } => format!("component {name}"),
            ChildRole::ComposeImage => "component".to_owned(),
            ChildRole::Other => "child".to_owned(),
            role => role.name().to_owned(),
        },
    }
}

fn layers(
    tx: &impl Read,
    repo: RepoId,
    read: &Manifest,
    config: Option<&ImageConfig>,
) -> Result<Vec<Layer>, RegistryError> {
    let steps = config.map(|config| config.layer_steps(read.layers().count())).unwrap_or_default();
    let mut layers = Vec::new();
    for (n, descriptor) in read.layers().enumerate() {
        layers.push(Layer {
            descriptor: descriptor.clone(),
            command: steps.get(n).copied().flatten().map(|step| step.command.clone()),
            present: blob::is_linked(tx, repo, &descriptor.digest)?,
        });
    }
    Ok(layers)
}

fn multi_arch(tx: &impl Read, repo: RepoId, read: &Manifest) -> Result<What, RegistryError> {
    let mut look = Look::new(tx, repo);
    let (mut platforms, mut attestations, mut others) = (Vec::new(), Vec::new(), Vec::new());
    for child in read.children() {
        match role_of_child(read, child) {
            ChildRole::Platform(platform) => {
                let here = manifest::get(tx, repo, &child.digest)?.is_some();
                let size = if here { Some(look.weight(&child.digest)?.bytes) } else { None };
                platforms.push(Platform { name: platform.to_string(), descriptor: child.clone(), size });
            }
            ChildRole::Attestation { of } => {
                let statements = look.read_within(&child.digest)?;
                let predicates = statements.iter().flat_map(Manifest::layers).take(PREDICATES);
                let predicates = predicates.filter_map(|layer| layer.annotation("in-toto.io/predicate-type"));
                let predicates = predicates.map(str::to_owned).collect();
                attestations.push(Attestation { descriptor: child.clone(), of, predicates });
            }
            _ => others.push(child.clone()),
        }
    }
    Ok(What::MultiArch { platforms, attestations, others })
}
