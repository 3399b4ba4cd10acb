//! A manifest in short, as the lists of the REST interface show it: what it says, and how it was made.

use super::super::apps::small_blob;
use super::super::content::Look;
use super::super::kinds::summary_of;
use super::super::pull::stored_manifest;
use super::super::tags::Listed;
use super::super::{Registry, RegistryError, known};
use crate::meta::manifest::{self, ManifestRow};
use crate::meta::repo::{self, Counter};
use crate::oci::image_config::{ImageConfig, MAX_DOCUMENT};
use crate::oci::kind::{Kind, Summary};
use crate::oci::{Descriptor, Digest, Manifest, Reference, RepoName};

/// A manifest in short.
#[derive(Clone, Debug)]
pub struct Brief {
    /// Its digest.
    pub digest: Digest,
    /// Its row.
    pub row: ManifestRow,
    /// What it is.
    pub summary: Summary,
    /// What its bytes say; `None` when they do not read.
    pub manifest: Option<Manifest>,
    /// For an image, the steps that made it, oldest first.
    pub lines: Vec<Line>,
}

/// A step that made an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The command, as a Dockerfile has it; empty where the history does not say which command made the layer.
    pub command: String,
    /// The layer that it made, if it made one.
    pub layer: Option<Descriptor>,
}

impl Registry {
    /// One manifest in short. Looking at it is no pull.
    ///
    /// # Errors
    /// [`RegistryError::NameUnknown`], [`RegistryError::ManifestUnknown`], or a store's fault.
    pub async fn manifest_brief(&self, name: &RepoName, digest: &Digest) -> Result<Brief, RegistryError> {
        let reference = Reference::Digest(*digest);
        let (mut brief, config) = self.meta().read(|tx| {
            let (repo, digest, row) = stored_manifest(tx, name, &reference)?;
            let summary = summary_of(tx, repo, &digest, &row)?;
            let read = Look::new(tx, repo).read(&digest)?;
            let config = match read.as_ref().filter(|read| summary.kind == Kind::Image && !read.is_index) {
                Some(image) => match image.config() {
                    Some(config) => small_blob(tx, repo, &config.digest, MAX_DOCUMENT)?,
                    None => None,
                },
                None => None,
            };
            Ok::<_, RegistryError>((Brief { digest, row, summary, manifest: read, lines: Vec::new() }, config))
        })?;
        if let Some(image) = brief.manifest.as_ref().filter(|read| brief.summary.kind == Kind::Image && !read.is_index)
        {
            let config = self.content(config).await;
            brief.lines = lines(image, config.as_deref().and_then(ImageConfig::read).as_ref());
        }
        Ok(brief)
    }

    /// The digests of a repository's manifests, tagged or not, behind `after`.
    ///
    /// # Errors
    /// [`RegistryError::NameUnknown`], or the store's fault.
    pub fn manifest_digests(
        &self,
        name: &RepoName,
        after: Option<&Digest>,
        limit: usize,
    ) -> Result<Listed<Digest>, RegistryError> {
        let entries = self.meta().read(|tx| {
            let id = known(tx, name)?;
            Ok::<_, RegistryError>(manifest::of_repo(tx, id, after, limit + 1)?)
        })?;
        Ok(Listed::cut(entries, limit))
    }

    /// How many manifests and how many tags a repository has.
    ///
    /// # Errors
    /// [`RegistryError::NameUnknown`], or the store's fault.
    pub fn counts(&self, name: &RepoName) -> Result<Counts, RegistryError> {
        self.meta().read(|tx| {
            let id = known(tx, name)?;
            let count = |counter| Ok::<_, RegistryError>(u64::try_from(repo::counted(tx, id, counter)?).unwrap_or(0));
            Ok(Counts { manifests: count(Counter::Manifests)?, tags: count(Counter::Tags)? })
        })
    }
}

/// What a repository has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counts {
    /// Manifests, tagged or not.
    pub manifests: u64,
    /// Tags.
    pub tags: u64,
}

/// The steps, if the history tells of each layer; else the layers alone.
fn lines(image: &Manifest, config: Option<&ImageConfig>) -> Vec<Line> {
    let history = config.map(|config| config.history.as_slice()).unwrap_or_default();
    let mut layers = image.layers().cloned();
    if history.iter().filter(|step| !step.empty_layer).count() != image.layers().count() {
        return layers.map(|layer| Line { command: String::new(), layer: Some(layer) }).collect();
    }
    let line = |step: &crate::oci::image_config::Step| Line {
        command: step.command.clone(),
        layer: if step.empty_layer { None } else { layers.next() },
    };
    history.iter().map(line).collect()
}
