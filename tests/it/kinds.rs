//! What is pushed is told apart, and stays so over deletions, restarts and updates.

use msr_lite::meta::{Mode, manifest};
use msr_lite::oci::kind::Summary;
use msr_lite::oci::{Digest, Kind, Reference, RepoName, Tag};
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::harness::{Lab, OCI_INDEX, OCI_MANIFEST, descriptor, on_each_engine, sha256};

const REPO: &str = "lab/words";
const IMAGE_CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LINUX: &[u8] = br#"{"os":"linux","architecture":"amd64","rootfs":{}}"#;
const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";

fn repo() -> RepoName {
    RepoName::parse(REPO).unwrap()
}

/// What the row says of a tag.
fn shown(lab: &Lab, tag: &str) -> Summary {
    let tag = Reference::Tag(Tag::parse(tag).unwrap());
    lab.server.registry().summary(&repo(), &tag).unwrap()
}

async fn put(lab: &Lab, reference: &str, media_type: &str, body: &Value) -> Digest {
    let response = lab.put_manifest(REPO, reference, media_type, body).await;
    assert_eq!(response.status(), StatusCode::CREATED, "{}", response.text().await.unwrap());
    sha256(body.to_string().as_bytes())
}

/// An image with this config.
async fn put_image(lab: &Lab, tag: &str, config: &[u8]) -> (Digest, Value) {
    let config_digest = lab.push_blob(REPO, config).await;
    let layer = lab.push_blob(REPO, tag.as_bytes()).await;
    let body = json!({
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": descriptor(IMAGE_CONFIG, &config_digest, config.len()),
        "layers": [descriptor("application/vnd.oci.image.layer.v1.tar+gzip", &layer, tag.len())],
    });
    (put(lab, tag, OCI_MANIFEST, &body).await, body)
}

/// `lab-words:0.1.0` as docker app pushes it, of images that are here already.
async fn put_application(lab: &Lab, tag: &str, image: (Digest, &Value)) -> Digest {
    let bundle = br#"{"schema_version":"v1.0.0-WD","actions":{},"parameters":{},"credentials":{}}"#;
    let config = lab.push_blob(REPO, bundle).await;
    let config = json!({"schemaVersion": 2, "layers": null,
        "config": descriptor("application/vnd.cnab.config.v1+json", &config, bundle.len())});
    let config_digest = sha256(config.to_string().as_bytes());
    put(lab, &config_digest.to_string(), OCI_MANIFEST, &config).await;
    let child = |digest: &Digest, size: usize, annotations: Value| {
        let mut child = descriptor(OCI_MANIFEST, digest, size);
        child["annotations"] = annotations;
        child
    };
    let size = image.1.to_string().len();
    let component = |name: &str| json!({"io.cnab.manifest.type": "component", "io.cnab.component.name": name});
    let index = json!({
        "schemaVersion": 2,
        "manifests": [
            child(&config_digest, config.to_string().len(), json!({"io.cnab.manifest.type": "config"})),
            child(&image.0, size, json!({"io.cnab.manifest.type": "invocation"})),
            // The same image under two names.
            child(&image.0, size, component("web")),
            child(&image.0, size, component("api")),
        ],
        "annotations": {"io.docker.type": "app", "io.docker.app.format": "cnab",
            "org.opencontainers.artifactType": "application/vnd.cnab.manifest.v1",
            "org.opencontainers.image.title": "lab-words", "org.opencontainers.image.version": "0.1.0"},
    });
    put(lab, tag, OCI_INDEX, &index).await
}

/// Takes what lists show from every row, as if a version before kinds had written them.
async fn forget_summaries(lab: &Lab) {
    let write = lab.server.registry().meta().write(|tx| {
        for (repo, digest, mut row) in manifest::scan(tx, None, 100)? {
            row.summary = None;
            manifest::update(tx, repo, &digest, &row);
        }
        Ok::<_, msr_lite::meta::MetaError>(())
    });
    write.await.unwrap();
}

on_each_engine! {
    async fn what_is_pushed_is_told_apart(lab) {
        let (image, body) = put_image(&lab, "0.1.0-invoc", LINUX).await;
        put_application(&lab, "0.1.0", (image, &body)).await;

        let config = lab.push_blob(REPO, b"{}").await;
        let artifact = |config_type: &str, layer_type: &str| json!({"schemaVersion": 2,
            "config": descriptor(config_type, &config, 2), "layers": [descriptor(layer_type, &config, 2)]});
        let chart =
            artifact("application/vnd.cncf.helm.config.v1+json", "application/vnd.cncf.helm.chart.content.v1.tar+gzip");
        put(&lab, "chart", OCI_MANIFEST, &chart).await;
        let plugin =
            artifact("application/vnd.docker.plugin.v1+json", "application/vnd.docker.image.rootfs.diff.tar.gzip");
        put(&lab, "plugin", DOCKER_MANIFEST, &plugin).await;
        let signature = artifact(IMAGE_CONFIG, "application/vnd.dev.cosign.simplesigning.v1+json");
        put(&lab, &format!("sha256-{}.sig", image.hex()), OCI_MANIFEST, &signature).await;
        put(&lab, "thing", OCI_MANIFEST, &artifact("application/vnd.example.thing.v1+json", "text/plain")).await;
        let mut child = descriptor(OCI_MANIFEST, &image, body.to_string().len());
        child["platform"] = json!({"os": "linux", "architecture": "arm64", "variant": "v8"});
        put(&lab, "multi", OCI_INDEX, &json!({"schemaVersion": 2, "manifests": [child]})).await;

        let app = shown(&lab, "0.1.0");
        let title = app.annotations["org.opencontainers.image.title"].as_str();
        assert_eq!((app.kind, title), (Kind::Application, "lab-words"));
        let invocation = shown(&lab, "0.1.0-invoc");
        assert_eq!((invocation.kind, invocation.platforms), (Kind::Image, vec!["linux/amd64".to_owned()]));
        let sizes = [&body["config"]["size"], &body["layers"][0]["size"]].map(|size| size.as_u64().unwrap());
        assert_eq!(invocation.content_bytes, Some(sizes.iter().sum()));
        assert_eq!(shown(&lab, "chart").kind, Kind::Chart);
        assert_eq!(shown(&lab, "plugin").kind, Kind::Plugin);
        assert_eq!(shown(&lab, &format!("sha256-{}.sig", image.hex())).kind, Kind::Signature);
        let thing = shown(&lab, "thing");
        let raw_type = "application/vnd.example.thing.v1+json";
        assert_eq!((thing.kind, thing.raw_type.as_deref()), (Kind::Unknown, Some(raw_type)));
        let multi = shown(&lab, "multi");
        assert_eq!((multi.kind, multi.platforms), (Kind::MultiArch, vec!["linux/arm64/v8".to_owned()]));

        // One edge for each child, however often it is named: the application goes, and takes its edges with it.
        assert_eq!(lab.delete(&format!("/v2/{REPO}/manifests/0.1.0")).await.status(), StatusCode::ACCEPTED);
    }

    async fn a_config_in_a_file_is_read_and_a_huge_one_is_not(lab) {
        // Beyond 16 KiB a blob is a file.
        let label = "x".repeat(20_000);
        let config = json!({"os": "linux", "architecture": "s390x", "rootfs": {},
            "config": {"Labels": {"io.buildpacks.builder.metadata": label}}});
        put_image(&lab, "builder", config.to_string().as_bytes()).await;
        let builder = shown(&lab, "builder");
        assert_eq!((builder.kind, builder.format.as_deref()), (Kind::Image, Some("builder")));
        assert_eq!(builder.platforms, ["linux/s390x"]);

        let label = "x".repeat(2 << 20);
        let config = json!({"os": "linux", "architecture": "s390x", "x": label}).to_string();
        let (_, mut body) = put_image(&lab, "huge", config.as_bytes()).await;
        assert_eq!((shown(&lab, "huge").kind, shown(&lab, "huge").platforms), (Kind::Image, Vec::new()));
        // Nor when its descriptor lies about its size.
        body["config"]["size"] = json!(2);
        put(&lab, "liar", OCI_MANIFEST, &body).await;
        assert_eq!((shown(&lab, "liar").kind, shown(&lab, "liar").config_read), (Kind::Image, false));
    }

    // A manifest must not tell what another repository's config says.
    async fn configs_of_other_repositories_are_not_read(lab) {
        let config = br#"{"os":"linux","architecture":"riscv64","rootfs":{}}"#;
        let elsewhere = lab.push_blob("lab/secret", config).await;
        let config_part = descriptor(IMAGE_CONFIG, &elsewhere, config.len());
        let body = json!({"schemaVersion": 2, "config": config_part, "layers": []});
        put(&lab, "1", OCI_MANIFEST, &body).await;
        assert!(shown(&lab, "1").platforms.is_empty());
        // Pushed here at last, it counts with the next push or indexing.
        lab.push_blob(REPO, config).await;
        let done = lab.server.registry().reindex(None).await.unwrap();
        assert_eq!((done.looked, done.changed, done.next), (1, 1, None));
        assert_eq!(shown(&lab, "1").platforms, ["linux/riscv64"]);
    }

    async fn rows_of_earlier_versions_are_read_and_indexed_again(lab) {
        let (image, body) = put_image(&lab, "0.1.0-invoc", LINUX).await;
        put_application(&lab, "0.1.0", (image, &body)).await;
        let index = json!({"schemaVersion": 2, "manifests": []});
        let referrers = format!("sha256-{}", image.hex());
        put(&lab, &referrers, OCI_INDEX, &index).await;
        let tags = ["0.1.0", "0.1.0-invoc", &referrers];
        let before = tags.map(|tag| shown(&lab, tag));
        assert_eq!(before[2].kind, Kind::ReferrersIndex);
        forget_summaries(&lab).await;
        assert_eq!(tags.map(|tag| shown(&lab, tag)), before, "decided on reading");
        let registry = lab.server.registry();
        let done = registry.reindex(None).await.unwrap();
        assert_eq!((done.looked, done.changed), (4, 4));
        assert_eq!(tags.map(|tag| shown(&lab, tag)), before, "and for good");
        assert_eq!(registry.reindex(None).await.unwrap().changed, 0);
        let lab = lab.restart().await;
        assert_eq!(tags.map(|tag| shown(&lab, tag)), before);
    }

    async fn indexing_goes_in_steps(lab) {
        for n in 0..130 {
            let body = json!({"schemaVersion": 2, "manifests": [], "annotations": {"n": n.to_string()}});
            put(&lab, &format!("t{n}"), OCI_INDEX, &body).await;
        }
        // A hundred of them.
        forget_summaries(&lab).await;
        let registry = lab.server.registry();
        let first = registry.reindex(None).await.unwrap();
        assert_eq!((first.looked, first.changed), (100, 100));
        let second = registry.reindex(first.next).await.unwrap();
        assert_eq!((second.looked, second.changed, second.next), (30, 0, None));
    }
}
