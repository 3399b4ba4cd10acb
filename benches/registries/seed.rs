//! Fills stores quickly: ours through the library, with the rows that pushes make; peers by writing their files.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use msr_lite::base::Clock;
use msr_lite::blobs::{BlobError, BlobOptions, Blobs};
use msr_lite::meta::{Engine, EngineOptions};
use msr_lite::oci::manifest::ManifestLimits;
use msr_lite::oci::{Digest, Reference, RepoName, Tag};
use msr_lite::registry::{Actor, Registry, RegistryError, Settings, uploads};
use serde_json::json;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::Result;
use crate::content::{Blob, MANIFEST};

/// The repository with many tags.
pub(crate) const TAGS: &str = "bench/tags";
/// Tags that point at one manifest.
pub(crate) const TAGS_EACH: usize = 10;

/// The name of the n-th tag.
pub(crate) fn tag(number: usize) -> String {
    format!("tag-{number:07}")
}

/// The name of the n-th of many repositories.
pub(crate) fn repository(number: usize) -> String {
    format!("bench/r{:02}/repo{number:05}", number % 100)
}

/// The manifest at which the n-th tag points.
pub(crate) fn manifest_of(tag: usize) -> Blob {
    Blob::manifest(&[], (tag / TAGS_EACH) as u64)
}

/// Our store, opened by this process.
pub(crate) struct Store {
    registry: Registry,
    runtime: tokio::runtime::Runtime,
}

impl Store {
    /// Opens the store of an initialised data directory.
    pub(crate) fn open(data: &Path) -> Result<Self> {
        // Large batches and a large cache: how fast a store is filled is not what is measured.
        let options = EngineOptions { cache: 1 << 30, batch: 1024, ..EngineOptions::default() };
        let meta = Engine::open(&data.join(msr_lite::serve::STORE), options)?;
        let clock = Clock::system();
        let limits = BlobOptions { session_ttl: Duration::from_hours(1), max_blob: 1 << 30 };
        let named = |file| {
            let named = meta.read(|tx| uploads::is_named(tx, file));
            named.map_err(|error: RegistryError| BlobError::Io(error.to_string()))
        };
        let blobs = Blobs::open(data, limits, clock.clone(), named)?;
        let settings = Settings {
            create_on_push: true,
            accept_incomplete: true,
            lease: Duration::from_hours(24),
            untagged: None,
            collect_every: Duration::from_hours(1),
            manifest: ManifestLimits { references: 5000, depth: 32 },
        };
        let registry = Registry::new(meta.clone(), blobs, clock, settings);
        Ok(Self { registry, runtime: tokio::runtime::Runtime::new()? })
    }

    /// Closes it. Dropping it would not do: the writer thread may hold the last clone of the registry.
    pub(crate) fn close(self) {
        self.registry.meta().clone().close();
    }

    /// Gives [`TAGS`] so many tags, and a tenth as many manifests.
    pub(crate) fn tags(&self, count: usize) -> Result<()> {
        let manifests = count.div_ceil(TAGS_EACH);
        self.push_all((0..manifests).map(|number| {
            let tags = (number * TAGS_EACH..count.min((number + 1) * TAGS_EACH)).map(tag).collect();
            (TAGS.to_owned(), manifest_of(number * TAGS_EACH), tags)
        }))
    }

    /// Makes so many repositories with one image each.
    pub(crate) fn repositories(&self, count: usize) -> Result<()> {
        self.push_all((0..count).map(|number| (repository(number), manifest_of(0), vec!["latest".to_owned()])))
    }

    fn push_all(&self, images: impl Iterator<Item = (String, Blob, Vec<String>)>) -> Result<()> {
        self.runtime.block_on(async {
            let places = Arc::new(Semaphore::new(1024));
            let mut running = JoinSet::new();
            for (repo, manifest, tags) in images {
                let place = places.clone().acquire_owned().await?;
                while let Some(pushed) = running.try_join_next() {
                    let done: Result<()> = pushed?;
                    done?;
                }
                let registry = self.registry.clone();
                running.spawn(async move {
                    let repo = RepoName::parse(&repo)?;
                    let tags = tags.iter().map(|tag| Tag::parse(tag)).collect::<std::result::Result<Vec<_>, _>>()?;
                    let reference = Reference::Digest(Digest::parse(&manifest.digest)?);
                    let actor = Actor::system();
                    registry.push_manifest(actor, &repo, &reference, &tags, Some(MANIFEST), manifest.bytes).await?;
                    drop(place);
                    Ok(())
                });
            }
            while let Some(pushed) = running.join_next().await {
                pushed??;
            }
            Ok(())
        })
    }
}

/// The same tags and repositories for distribution's file layout (`root` is its `docker/registry/v2`).
pub(crate) fn distribution(root: &Path, tags: usize, repositories: usize) -> Result<()> {
    let put = |path: &Path, content: &str| -> Result<()> {
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        Ok(fs::write(path, content)?)
    };
    let blob = |blob: &Blob| -> Result<()> {
        let hex = blob.digest.trim_start_matches("sha256:");
        let data = root.join("blobs/sha256").join(&hex[..2]).join(hex).join("data");
        put(&data, &String::from_utf8_lossy(&blob.bytes))
    };
    let image = |repo: &str, manifest: &Blob, tags: &[String]| -> Result<()> {
        let repo = root.join("repositories").join(repo);
        let (hex, config) = (manifest.digest.trim_start_matches("sha256:"), Blob::config());
        blob(manifest)?;
        put(&repo.join("_manifests/revisions/sha256").join(hex).join("link"), &manifest.digest)?;
        let layer = repo.join("_layers/sha256").join(config.digest.trim_start_matches("sha256:"));
        put(&layer.join("link"), &config.digest)?;
        fs::create_dir_all(repo.join("_uploads"))?;
        for tag in tags {
            let tag = repo.join("_manifests/tags").join(tag);
            put(&tag.join("current/link"), &manifest.digest)?;
            put(&tag.join("index/sha256").join(hex).join("link"), &manifest.digest)?;
        }
        Ok(())
    };
    blob(&Blob::config())?;
    for first in (0..tags).step_by(TAGS_EACH) {
        let names: Vec<String> = (first..tags.min(first + TAGS_EACH)).map(tag).collect();
        image(TAGS, &manifest_of(first), &names)?;
    }
    (0..repositories).try_for_each(|number| image(&repository(number), &manifest_of(0), &["latest".to_owned()]))
}

/// The same for zot, whose repositories are OCI layouts.
pub(crate) fn zot(root: &Path, tags: usize, repositories: usize) -> Result<()> {
    let layout = |repo: &str, images: &[(Blob, String)]| -> Result<()> {
        let dir = root.join(repo);
        let blobs = dir.join("blobs/sha256");
        fs::create_dir_all(&blobs)?;
        fs::write(dir.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#)?;
        for blob in images.iter().map(|(manifest, _)| manifest).chain([&Blob::config()]) {
            fs::write(blobs.join(blob.digest.trim_start_matches("sha256:")), &blob.bytes)?;
        }
        let manifests: Vec<_> = images
            .iter()
            .map(|(manifest, tag)| {
                json!({
                    "mediaType": MANIFEST,
                    "digest": manifest.digest,
                    "size": manifest.bytes.len(),
                    "annotations": { "org.opencontainers.image.ref.name": tag },
                })
            })
            .collect();
        Ok(fs::write(dir.join("index.json"), json!({ "schemaVersion": 2, "manifests": manifests }).to_string())?)
    };
    let images: Vec<_> = (0..tags).map(|number| (manifest_of(number), tag(number))).collect();
    layout(TAGS, &images)?;
    (0..repositories).try_for_each(|number| layout(&repository(number), &[(manifest_of(0), "latest".to_owned())]))
}
