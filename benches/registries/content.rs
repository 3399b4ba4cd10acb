//! Blobs and manifests to push: random, and the same in every run.

use std::sync::OnceLock;

use bytes::Bytes;
use msr_lite::oci::{Algorithm, Digest};
use serde_json::json;

/// The media type of an image manifest.
pub(crate) const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
/// The media type of an index.
pub(crate) const INDEX: &str = "application/vnd.oci.image.index.v1+json";
/// Bytes in a MiB.
pub(crate) const MIB: usize = 1 << 20;

/// A blob and its digest.
#[derive(Clone, Debug)]
pub(crate) struct Blob {
    /// Its bytes.
    pub(crate) bytes: Bytes,
    /// Its digest, as text.
    pub(crate) digest: String,
}

impl Blob {
    /// A blob of these bytes.
    pub(crate) fn of(bytes: Bytes) -> Self {
        let digest = Digest::of(Algorithm::Sha256, &bytes).to_string();
        Self { bytes, digest }
    }

    /// `size` random bytes, others for each seed.
    pub(crate) fn random(seed: u64, size: usize) -> Self {
        let mut bytes = noise(size).to_vec();
        let head = seed.to_be_bytes();
        let head_len = head.len().min(size);
        bytes[..head_len].copy_from_slice(&head[..head_len]);
        Self::of(bytes.into())
    }

    /// The config of every image here.
    pub(crate) fn config() -> Self {
        Self::of(Bytes::from_static(
            br#"{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]}}"#,
        ))
    }

    /// A manifest with these layers; `number` makes it unlike others.
    pub(crate) fn manifest(layers: &[Self], number: u64) -> Self {
        let config = Self::config();
        let layers: Vec<_> = layers
            .iter()
            .map(|layer| describe("application/vnd.oci.image.layer.v1.tar+gzip", &layer.digest, layer.bytes.len()))
            .collect();
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": describe("application/vnd.oci.image.config.v1+json", &config.digest, config.bytes.len()),
            "layers": layers,
            "annotations": { "number": number.to_string() },
        });
        Self::of(manifest.to_string().into())
    }

    /// An artifact that refers to `subject`.
    pub(crate) fn artifact(subject: &Self, number: u64) -> Self {
        let empty = Self::of(Bytes::from_static(b"{}"));
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "artifactType": "application/vnd.example.signature",
            "config": describe("application/vnd.oci.empty.v1+json", &empty.digest, 2),
            "layers": [describe("application/vnd.oci.empty.v1+json", &empty.digest, 2)],
            "subject": describe(MANIFEST, &subject.digest, subject.bytes.len()),
            "annotations": { "number": number.to_string() },
        });
        Self::of(manifest.to_string().into())
    }

    /// What an application says of itself.
    pub(crate) fn bundle() -> Self {
        Self::of(Bytes::from_static(
            br#"{"schemaVersion":"v1.0.0","name":"bench","version":"1.0.0","parameters":{},"images":{}}"#,
        ))
    }

    /// The manifest that carries it.
    pub(crate) fn bundle_manifest(bundle: &Self) -> Self {
        let config = describe("application/vnd.cnab.config.v1+json", &bundle.digest, bundle.bytes.len());
        Self::of(
            json!({ "schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": [] }).to_string().into(),
        )
    }

    /// An application of this bundle, whose first image is the invocation image.
    pub(crate) fn application(bundle: &Self, images: &[Self]) -> Self {
        let entry = |manifest: &Self, role: &str, name: Option<usize>| {
            let mut entry = describe(MANIFEST, &manifest.digest, manifest.bytes.len());
            entry["annotations"] = json!({ "io.cnab.manifest.type": role });
            if let Some(name) = name {
                entry["annotations"]["io.cnab.component.name"] = format!("component-{name}").into();
            }
            entry
        };
        let mut manifests = vec![entry(bundle, "config", None)];
        manifests.extend(images.iter().enumerate().map(|(number, image)| match number {
            0 => entry(image, "invocation", None),
            _ => entry(image, "component", Some(number)),
        }));
        let annotations = json!({
            "io.cnab.runtime_version": "v1.0.0", "io.docker.type": "app", "io.docker.app.format": "cnab",
            "org.opencontainers.artifactType": "application/vnd.cnab.manifest.v1",
            "org.opencontainers.image.title": "bench", "org.opencontainers.image.version": "1.0.0",
        });
        let index = json!({
            "schemaVersion": 2, "mediaType": INDEX, "manifests": manifests, "annotations": annotations,
        });
        Self::of(index.to_string().into())
    }
}

fn describe(media_type: &str, digest: &str, size: usize) -> serde_json::Value {
    json!({ "mediaType": media_type, "digest": digest, "size": size })
}

/// Bytes that do not compress (xorshift), made once.
fn noise(size: usize) -> &'static [u8] {
    const LARGEST: usize = 256 * MIB;
    static NOISE: OnceLock<Vec<u8>> = OnceLock::new();
    let noise = NOISE.get_or_init(|| {
        let mut state = 0x9E37_79B9_7F4A_7C15_u64;
        let mut noise = Vec::with_capacity(LARGEST);
        while noise.len() < LARGEST {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            noise.extend_from_slice(&state.to_le_bytes());
        }
        noise
    });
    &noise[..size]
}
