//! Tiny images as OCI image layouts, made here: nothing is fetched, nothing is checked in.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

/// A directory in the OCI image layout (image-spec, "OCI Image Layout Specification").
pub(crate) struct Layout {
    dir: PathBuf,
    entries: Vec<Value>,
}

impl Layout {
    /// An empty layout in a directory that this makes.
    pub(crate) fn create(dir: &Path) -> Self {
        fs::create_dir_all(dir.join("blobs/sha256")).expect("a directory of our own");
        fs::write(dir.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).expect("a file of our own");
        Self { dir: dir.to_owned(), entries: Vec::new() }
    }

    /// The layout's directory.
    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// Adds an image for one architecture whose only file, `/words`, has this content; answers its digest.
    pub(crate) fn image(&mut self, tag: &str, content: &[u8]) -> String {
        let descriptor = self.manifest("amd64", content);
        self.name(tag, descriptor)
    }

    /// Adds an index over two architectures; answers its digest.
    pub(crate) fn index(&mut self, tag: &str, content: &[u8]) -> String {
        let children: Vec<Value> = ["amd64", "arm64"]
            .into_iter()
            .map(|architecture| {
                let mut child = self.manifest(architecture, &[content, architecture.as_bytes()].concat());
                child["platform"] = json!({ "architecture": architecture, "os": "linux" });
                child
            })
            .collect();
        let media_type = "application/vnd.oci.image.index.v1+json";
        let index = json!({ "schemaVersion": 2, "mediaType": media_type, "manifests": children });
        let descriptor = self.blob(media_type, index.to_string().as_bytes());
        self.name(tag, descriptor)
    }

    /// Adds an application of one service as docker app 0.8 makes them, under `tag`, and its invocation image under
    /// `<tag>-invoc`; answers the application's digest.
    pub(crate) fn application(&mut self, tag: &str, content: &[u8]) -> String {
        let invocation = self.manifest("amd64", &[content, b"invocation"].concat());
        self.name(&format!("{tag}-invoc"), invocation.clone());
        let bundle = self.blob("application/vnd.cnab.config.v1+json", br#"{"schema_version":"v1.0.0-WD"}"#);
        // Neither a media type nor layers, as the clients write it.
        let config = json!({ "schemaVersion": 2, "config": bundle, "layers": null });
        let config = self.blob("application/vnd.oci.image.manifest.v1+json", config.to_string().as_bytes());
        let component = self.manifest("amd64", content);
        let parts = [(config, "config"), (invocation, "invocation"), (component, "component")];
        let children = parts.map(|(mut part, role)| {
            part["annotations"] = json!({ "io.cnab.manifest.type": role });
            if role == "component" {
                part["annotations"]["io.cnab.component.name"] = "web".into();
            }
            part
        });
        let annotations = json!({
            "io.docker.app.format": "cnab",
            "io.docker.type": "app",
            "org.opencontainers.artifactType": "application/vnd.cnab.manifest.v1",
            "org.opencontainers.image.title": "lab-words",
            "org.opencontainers.image.version": tag,
        });
        let index = json!({ "schemaVersion": 2, "manifests": children, "annotations": annotations });
        let descriptor = self.blob("application/vnd.oci.image.index.v1+json", index.to_string().as_bytes());
        self.name(tag, descriptor)
    }

    fn manifest(&mut self, architecture: &str, content: &[u8]) -> Value {
        let layer = tar("words", content);
        let config = json!({
            "architecture": architecture,
            "os": "linux",
            "config": { "Cmd": ["/words"] },
            "rootfs": { "type": "layers", "diff_ids": [digest(&layer)] },
        });
        let layer = self.blob("application/vnd.oci.image.layer.v1.tar", &layer);
        let config = self.blob("application/vnd.oci.image.config.v1+json", config.to_string().as_bytes());
        let media_type = "application/vnd.oci.image.manifest.v1+json";
        let manifest = json!({ "schemaVersion": 2, "mediaType": media_type, "config": config, "layers": [layer] });
        self.blob(media_type, manifest.to_string().as_bytes())
    }

    fn blob(&self, media_type: &str, bytes: &[u8]) -> Value {
        let digest = digest(bytes);
        fs::write(self.dir.join("blobs").join(digest.replace(':', "/")), bytes).expect("a file of our own");
        json!({ "mediaType": media_type, "digest": digest, "size": bytes.len() })
    }

    fn name(&mut self, tag: &str, mut descriptor: Value) -> String {
        descriptor["annotations"] = json!({ "org.opencontainers.image.ref.name": tag });
        let digest = descriptor["digest"].as_str().expect("every descriptor of ours has a digest").to_owned();
        self.entries.push(descriptor);
        let index = json!({ "schemaVersion": 2, "manifests": self.entries });
        fs::write(self.dir.join("index.json"), index.to_string()).expect("a file of our own");
        digest
    }
}

/// `sha256:` and the hash of these bytes.
pub(crate) fn digest(bytes: &[u8]) -> String {
    format!("sha256:{}", hex::encode(Sha256::digest(bytes)))
}

/// Bytes that no compression makes smaller, the same for the same seed.
pub(crate) fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(length + 32);
    let mut block = 0_u64;
    while bytes.len() < length {
        bytes.extend_from_slice(&Sha256::digest([seed.to_be_bytes(), block.to_be_bytes()].concat()));
        block += 1;
    }
    bytes.truncate(length);
    bytes
}

/// A tar archive (POSIX ustar) with one file that everybody may read and run.
pub(crate) fn tar(name: &str, content: &[u8]) -> Vec<u8> {
    let mut header = [0_u8; 512];
    let mut put = |at: usize, text: &str| header[at..at + text.len()].copy_from_slice(text.as_bytes());
    put(0, name);
    put(100, "0000755\0");
    put(108, "0000000\0");
    put(116, "0000000\0");
    put(124, &format!("{:011o}\0", content.len()));
    put(136, "00000000000\0");
    put(148, "        ");
    put(156, "0");
    put(257, "ustar\x0000");
    let sum: u32 = header.iter().copied().map(u32::from).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());

    let mut archive = header.to_vec();
    archive.extend_from_slice(content);
    archive.resize(archive.len().next_multiple_of(512) + 1024, 0);
    archive
}
