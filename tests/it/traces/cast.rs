//! The documents of a trace: made at run time, digests computed.

use std::collections::BTreeMap;

use msr_lite::oci::Digest;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::harness::{Lab, OCI_INDEX, OCI_MANIFEST, descriptor, noise, sha256};

pub(super) const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
pub(super) const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
pub(super) const DOCKER_CONFIG: &str = "application/vnd.docker.container.image.v1+json";
pub(super) const DOCKER_LAYER: &str = "application/vnd.docker.image.rootfs.diff.tar.gzip";
pub(super) const CNAB_CONFIG: &str = "application/vnd.cnab.config.v1+json";

/// A blob or a manifest.
pub(super) struct Thing {
    pub(super) media_type: &'static str,
    pub(super) bytes: Vec<u8>,
    pub(super) digest: Digest,
    /// Names of the things that a manifest names.
    children: Vec<String>,
}

/// The documents of a trace by their names in its table.
#[derive(Default)]
pub(super) struct Cast(BTreeMap<String, Thing>);

impl Cast {
    pub(super) fn get(&self, name: &str) -> &Thing {
        self.0.get(name).unwrap_or_else(|| panic!("the table names {name:?}, which is not in the cast"))
    }

    /// The manifests that an index names.
    pub(super) fn children(&self, index: &str) -> Vec<String> {
        self.get(index).children.clone()
    }

    pub(super) fn blob(&mut self, name: &str, media_type: &'static str, bytes: Vec<u8>) {
        self.put(name, media_type, bytes, Vec::new());
    }

    /// A Docker image, with its configuration as `<name>-config` and a layer for each of these names. Manifests of
    /// docker are indented.
    pub(super) fn image(&mut self, name: &str, layers: &[&str]) {
        let config = format!("{name}-config");
        let facts = json!({ "architecture": "amd64", "os": "linux", "config": { "Labels": { "name": name } } });
        self.blob(&config, DOCKER_CONFIG, facts.to_string().into_bytes());
        for (seed, layer) in (name.len() as u64..).zip(layers) {
            // Above and below the size from which a blob is a file.
            let length = if layer.contains("rootfs") { 300_000 } else { 400 };
            self.blob(layer, DOCKER_LAYER, noise(length, seed ^ u64::from(layer.as_bytes()[0]) << 8));
        }
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": DOCKER_MANIFEST,
            "config": self.descriptor(&config),
            "layers": layers.iter().map(|layer| self.descriptor(layer)).collect::<Vec<_>>(),
        });
        let children = layers.iter().map(|&layer| layer.to_owned()).chain([config]).collect();
        self.put(name, DOCKER_MANIFEST, serde_json::to_vec_pretty(&manifest).unwrap(), children);
    }

    /// A Docker manifest list.
    pub(super) fn list(&mut self, name: &str, images: &[(&str, &str)]) {
        let entries = images.iter().map(|(image, architecture)| {
            let mut entry = self.descriptor(image);
            entry["platform"] = json!({ "architecture": architecture, "os": "linux" });
            entry
        });
        let list = json!({ "schemaVersion": 2, "mediaType": DOCKER_LIST, "manifests": entries.collect::<Vec<_>>() });
        let children = images.iter().map(|(image, _)| (*image).to_owned()).collect();
        self.put(name, DOCKER_LIST, serde_json::to_vec_pretty(&list).unwrap(), children);
    }

    /// The manifest of a bundle's configuration as all these clients write it: no `mediaType`, and `"layers":null`.
    pub(super) fn bundle(&mut self, name: &str, config: &str, bundle: &Value) {
        self.blob(config, CNAB_CONFIG, bundle.to_string().into_bytes());
        let Thing { digest, bytes, .. } = self.get(config);
        let manifest = format!(
            r#"{{"schemaVersion":2,"config":{{"mediaType":"{CNAB_CONFIG}","digest":"{digest}","size":{}}},"layers":null}}"#,
            bytes.len()
        );
        self.put(name, OCI_MANIFEST, manifest.into_bytes(), vec![config.to_owned()]);
    }

    /// The index of an application: no `mediaType`, no platforms, a role on every descriptor.
    pub(super) fn application(&mut self, name: &str, parts: &[(&str, Value)], annotations: &Value) {
        let entries = parts.iter().map(|(part, role)| {
            let mut entry = self.descriptor(part);
            entry["annotations"] = role.clone();
            entry
        });
        let index = json!({
            "schemaVersion": 2,
            "manifests": entries.collect::<Vec<_>>(),
            "annotations": annotations,
        });
        let children = parts.iter().map(|(part, _)| (*part).to_owned()).collect();
        self.put(name, OCI_INDEX, index.to_string().into_bytes(), children);
    }

    /// Any other manifest: this text, which names these things.
    pub(super) fn manifest(&mut self, name: &str, media_type: &'static str, document: &Value, children: &[&str]) {
        let children = children.iter().map(|&child| child.to_owned()).collect();
        self.put(name, media_type, document.to_string().into_bytes(), children);
    }

    /// Puts a thing into a repository by the shortest way, with what it names: what was there before the trace.
    pub(super) async fn store(&self, lab: &Lab, repo: &str, tag: &str, name: &str) {
        let thing = self.get(name);
        for child in &thing.children {
            let child = self.get(child);
            if child.children.is_empty() {
                lab.push_blob(repo, &child.bytes).await;
            }
        }
        let path = format!("/v2/{repo}/manifests/{tag}");
        let put = lab.request(Method::PUT, &path).header("content-type", thing.media_type).body(thing.bytes.clone());
        assert_eq!(put.send().await.unwrap().status(), StatusCode::CREATED);
    }

    pub(super) fn descriptor(&self, name: &str) -> Value {
        let thing = self.get(name);
        descriptor(thing.media_type, &thing.digest, thing.bytes.len())
    }

    fn put(&mut self, name: &str, media_type: &'static str, bytes: Vec<u8>, children: Vec<String>) {
        let digest = sha256(&bytes);
        self.0.insert(name.to_owned(), Thing { media_type, bytes, digest, children });
    }
}

/// The annotations of an index's entry for a service's image.
pub(super) fn component(name: &str) -> Value {
    json!({ "io.cnab.manifest.type": "component", "io.cnab.component.name": name })
}
