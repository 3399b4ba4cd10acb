//! What real clients sent once, from the data folder beside the checkout (`make test-data`). A user has none: without
//! `MSR_LITE_TEST_DATA` there is nothing to do, and it says so.

#![allow(clippy::unwrap_used, reason = "a test fails with a panic")]

use std::path::PathBuf;

use msr_lite::oci::manifest::ManifestLimits;
use msr_lite::oci::{Kind, Manifest, MediaType};
use serde_json::Value;

const LIMITS: ManifestLimits = ManifestLimits { references: 5000, depth: 32 };

/// Documents in the samples that are no manifests: bundles and image configurations.
const BLOBS: [&str; 4] = [
    "v080-cnab-config-blob.json",
    "v091-cnab-config-blob.json",
    "v080-invoc-config.json",
    "v080-fallback-list-and-config.json",
];

/// What a sample is, by its name.
fn kind_of(name: &str) -> Option<Kind> {
    let kinds = [
        ("app-index", Kind::Application),
        ("fallback-manifestlist", Kind::Application),
        ("cnab-to-oci-index", Kind::CnabBundle),
        ("cnab-config-manifest", Kind::CnabConfig),
        ("docker-manifest-list", Kind::MultiArch),
        ("docker-plugin", Kind::Plugin),
        ("invoc-manifest", Kind::Image),
    ];
    kinds.into_iter().find(|(part, _)| name.contains(part)).map(|(_, kind)| kind)
}

fn data() -> Option<PathBuf> {
    let data = std::env::var_os("MSR_LITE_TEST_DATA").map(PathBuf::from);
    if data.is_none() {
        eprintln!("skipped: MSR_LITE_TEST_DATA names no folder (make test-data)");
    }
    data
}

#[test]
fn manifests_of_docker_app_and_cnab_to_oci_are_taken() {
    let Some(data) = data() else { return };
    let mut taken = 0;
    for entry in std::fs::read_dir(data.join("samples/cnab")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if path.extension().is_none_or(|extension| extension != "json") || BLOBS.contains(&name.as_str()) {
            continue;
        }
        let body = std::fs::read(&path).unwrap();
        let document: Value = serde_json::from_slice(&body).unwrap();
        // The header that the client sent: docker app's OCI documents have no mediaType of their own.
        let content_type = document["mediaType"].as_str().unwrap_or(if document["manifests"].is_array() {
            MediaType::OCI_INDEX
        } else {
            MediaType::OCI_MANIFEST
        });
        let read = Manifest::from_pushed(Some(content_type), &body, LIMITS);
        let read = read.unwrap_or_else(|error| panic!("{name} is refused: {error}"));
        assert_eq!(read.media_type.as_str(), content_type, "{name}");
        assert!(!read.parts.is_empty(), "{name} refers to something");
        if let Some(kind) = kind_of(&name) {
            assert_eq!(Kind::decide(&read, None, &[]).kind, kind, "{name}");
        }
        taken += 1;
    }
    assert!(taken >= 12, "only {taken} samples were found");
}
