//! Pushing, pulling and deleting manifests.

use std::time::Duration;

use msr_lite::meta::{Mode, lease};
use msr_lite::model::event::Happening;
use msr_lite::oci::{Algorithm, Digest};
use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::harness::{Lab, OCI_INDEX, OCI_MANIFEST, code, descriptor, header, noise, on_each_engine, sha256};

on_each_engine! {
    async fn a_manifest_comes_back_byte_for_byte(lab) {
        let manifest = lab.image("lab/bytes", b"layer").await;
        // White space is part of the content.
        let body = serde_json::to_vec_pretty(&manifest).unwrap();
        let digest = sha256(&body);
        let pushed = lab.put_bytes("lab/bytes", "1.0", OCI_MANIFEST, body.clone()).await;
        assert_eq!(pushed.status(), StatusCode::CREATED);
        assert_eq!(header(&pushed, "docker-content-digest"), digest.to_string());
        assert_eq!(header(&pushed, "location"), format!("/v2/lab/bytes/manifests/{digest}"));
        for reference in ["1.0".to_owned(), digest.to_string()] {
            let path = format!("/v2/lab/bytes/manifests/{reference}");
            for accept in ["*", "*/*", "application/vnd.docker.distribution.manifest.v1+json", OCI_INDEX] {
                let pulled = lab.request(Method::GET, &path).header("accept", accept).send().await.unwrap();
                assert_eq!(pulled.status(), StatusCode::OK);
                assert_eq!(header(&pulled, "content-type"), OCI_MANIFEST);
                assert_eq!(header(&pulled, "docker-content-digest"), digest.to_string());
                assert_eq!(pulled.bytes().await.unwrap(), body);
            }
            let head = lab.head(&path).await;
            assert_eq!(header(&head, "content-length"), body.len().to_string());
            assert_eq!(header(&head, "content-type"), OCI_MANIFEST);
        }
    }

    async fn docker_apps_config_manifest_is_taken(lab) {
        // docker app and cnab-to-oci: no mediaType, and "layers":null.
        let config = lab.push_blob("lab/app", b"{}").await;
        let body = json!({
            "schemaVersion": 2,
            "config": descriptor("application/vnd.cnab.config.v1+json", &config, 2),
            "layers": null,
        });
        let digest = sha256(body.to_string().as_bytes());
        let pushed = lab.put_manifest("lab/app", &digest.to_string(), OCI_MANIFEST, &body).await;
        assert_eq!(pushed.status(), StatusCode::CREATED, "{}", pushed.text().await.unwrap());
    }

    async fn large_manifests_fit_and_larger_ones_are_told_so(lab) {
        let config = lab.push_blob("lab/large", b"{}").await;
        let annotations: serde_json::Map<_, _> =
            (0..390).map(|n| (format!("annotation-{n}"), "x".repeat(10_000).into())).collect();
        let mut body = json!({
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": descriptor("application/vnd.oci.empty.v1+json", &config, 2),
            "layers": [],
            "annotations": annotations,
        });
        let pushed = lab.put_manifest("lab/large", "4mib", OCI_MANIFEST, &body).await;
        assert_eq!(pushed.status(), StatusCode::CREATED, "{}", pushed.text().await.unwrap());
        let pulled = lab.get("/v2/lab/large/manifests/4mib").await.bytes().await.unwrap();
        assert_eq!(pulled, body.to_string());
        body["annotations"]["more"] = "y".repeat(400_000).into();
        let refused = lab.put_manifest("lab/large", "5mib", OCI_MANIFEST, &body).await;
        assert_eq!(refused.status(), StatusCode::PAYLOAD_TOO_LARGE);
        assert_eq!(code(refused).await, "MANIFEST_INVALID");
    }

    async fn one_push_sets_many_tags(lab) {
        let manifest = lab.image("lab/tags", b"layer").await;
        let body = manifest.to_string().into_bytes();
        for digest in [Digest::of(Algorithm::Sha256, &body), Digest::of(Algorithm::Sha512, &body)] {
            let name = digest.algorithm().name();
            let tags: Vec<String> = (0..12).map(|n| format!("{name}-{n}")).collect();
            let query = tags.iter().map(|tag| format!("tag={tag}")).collect::<Vec<_>>().join("&");
            let pushed = lab.put_bytes("lab/tags", &format!("{digest}?{query}"), OCI_MANIFEST, body.clone()).await;
            assert_eq!(pushed.status(), StatusCode::CREATED);
            assert_eq!(header(&pushed, "oci-tag").split(", ").collect::<Vec<_>>(), tags);
            for tag in &tags {
                let head = lab.head(&format!("/v2/lab/tags/manifests/{tag}")).await;
                assert_eq!(header(&head, "docker-content-digest"), digest.to_string(), "as it was pushed");
            }
        }
    }

    async fn an_index_and_its_children(lab) {
        let (child, child_digest) = lab.push_image("lab/index", "amd64", &noise(1000, 1)).await;
        let mut entry = descriptor(OCI_MANIFEST, &child_digest, child.to_string().len());
        entry["platform"] = json!({ "architecture": "amd64", "os": "linux" });
        let index = json!({ "schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [entry] });
        let pushed = lab.put_manifest("lab/index", "latest", OCI_INDEX, &index).await;
        assert_eq!(pushed.status(), StatusCode::CREATED);
        assert_eq!(header(&pushed, "warning"), "");
        let mut sparse = index.clone();
        sparse["manifests"][0]["digest"] = sha256(b"never pushed").to_string().into();
        let pushed = lab.put_manifest("lab/index", "sparse", OCI_INDEX, &sparse).await;
        assert_eq!(pushed.status(), StatusCode::CREATED);
        assert!(header(&pushed, "warning").contains("incomplete"));
    }

    async fn what_is_no_manifest_is_told_why(lab) {
        let digest = sha256(b"x");
        for (reference, media_type, body, expected) in [
            ("1", OCI_MANIFEST, "no json", "MANIFEST_INVALID"),
            ("1", OCI_MANIFEST, "[]", "MANIFEST_INVALID"),
            ("1", OCI_MANIFEST, r#"{"schemaVersion":2,"manifests":[],"layers":[]}"#, "MANIFEST_INVALID"),
            ("1", OCI_INDEX, r#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","manifests":[]}"#, "MANIFEST_INVALID"),
            (&digest.to_string(), OCI_INDEX, r#"{"schemaVersion":2,"manifests":[]}"#, "DIGEST_INVALID"),
            ("sha256:baddigeststring", OCI_INDEX, r#"{"schemaVersion":2,"manifests":[]}"#, "DIGEST_INVALID"),
            (".bad", OCI_INDEX, r#"{"schemaVersion":2,"manifests":[]}"#, "TAG_INVALID"),
        ] {
            let refused = lab.put_bytes("lab/bad", reference, media_type, body.into()).await;
            assert_eq!(refused.status(), StatusCode::BAD_REQUEST, "{reference} {body}");
            assert_eq!(code(refused).await, expected, "{reference} {body}");
        }
        assert_eq!(lab.get("/v2/lab/bad/tags/list").await.status(), StatusCode::NOT_FOUND, "nothing stays behind");
    }

    async fn an_artifact_type_too_long_for_a_row_is_refused(lab) {
        let mut manifest = lab.image("lab/kind", b"layer").await;
        manifest["artifactType"] = "a/".repeat(64 * 1024).into();
        let refused = lab.put_manifest("lab/kind", "1", OCI_MANIFEST, &manifest).await;
        assert_eq!(refused.status(), StatusCode::BAD_REQUEST);
        let body = refused.text().await.unwrap();
        assert!(body.contains("artifactType must be a media type, of at most 255 bytes"), "{body}");
        manifest["artifactType"] = "a".repeat(255).into();
        let taken = lab.put_manifest("lab/kind", "1", OCI_MANIFEST, &manifest).await;
        assert_eq!(taken.status(), StatusCode::CREATED);
    }

    async fn a_content_type_that_is_no_text_is_refused(lab) {
        let manifest = lab.image("lab/type", b"layer").await.to_string();
        let odd = reqwest::header::HeaderValue::from_bytes(b"application/\xff").unwrap();
        let put = lab.request(Method::PUT, "/v2/lab/type/manifests/1").header("content-type", odd).body(manifest);
        assert_eq!(code(put.send().await.unwrap()).await, "MANIFEST_INVALID");
    }

    async fn a_head_by_a_pusher_renews_the_lease_of_a_manifest(lab) {
        let (_, digest) = lab.push_image("lab/lease", "1", b"leased").await;
        let until = || lab.server.registry().meta().read(|tx| lease::until(tx, &digest)).unwrap();
        let first = until();
        let path = format!("/v2/lab/lease/manifests/{digest}");
        lab.head(&path).await;
        assert_eq!(until(), first, "more than half of the lease is left");
        lab.clock.advance(Duration::from_hours(13));
        lab.get(&path).await;
        assert_eq!(until(), first, "a pull promises nothing");
        assert_eq!(lab.head(&path).await.status(), StatusCode::OK);
        assert!(until() > first);
    }

    async fn the_same_bytes_keep_their_type(lab) {
        // CVE-2021-41190: one digest, two readings.
        let body = json!({ "schemaVersion": 2, "manifests": [] });
        assert_eq!(lab.put_manifest("lab/type", "1", OCI_INDEX, &body).await.status(), StatusCode::CREATED);
        let list = "application/vnd.docker.distribution.manifest.list.v2+json";
        let refused = lab.put_manifest("lab/type", "2", list, &body).await;
        assert_eq!(code(refused).await, "MANIFEST_INVALID");
        assert_eq!(header(&lab.head("/v2/lab/type/manifests/1").await, "content-type"), OCI_INDEX);
    }

    async fn deleting_a_tag_leaves_the_manifest_and_deleting_the_manifest_takes_its_tags(lab) {
        let (_, digest) = lab.push_image("lab/delete", "1.0", b"layer").await;
        lab.put_bytes("lab/delete", "latest", OCI_MANIFEST, lab.get("/v2/lab/delete/manifests/1.0").await.bytes().await.unwrap().to_vec()).await;
        assert_eq!(lab.delete("/v2/lab/delete/manifests/1.0").await.status(), StatusCode::ACCEPTED);
        assert_eq!(code(lab.get("/v2/lab/delete/manifests/1.0").await).await, "MANIFEST_UNKNOWN");
        assert_eq!(lab.head(&format!("/v2/lab/delete/manifests/{digest}")).await.status(), StatusCode::OK);
        assert_eq!(lab.head("/v2/lab/delete/manifests/latest").await.status(), StatusCode::OK);
        assert_eq!(lab.delete(&format!("/v2/lab/delete/manifests/{digest}")).await.status(), StatusCode::ACCEPTED);
        assert_eq!(lab.head("/v2/lab/delete/manifests/latest").await.status(), StatusCode::NOT_FOUND);
        assert_eq!(lab.delete("/v2/lab/delete/manifests/latest").await.status(), StatusCode::NOT_FOUND);
        let tags: serde_json::Value = lab.get("/v2/lab/delete/tags/list").await.json().await.unwrap();
        assert_eq!(tags["tags"], json!([]));
    }

    async fn every_change_leaves_its_event(lab) {
        let (_, digest) = lab.push_image("lab/events", "1.0", b"layer").await;
        lab.delete("/v2/lab/events/manifests/1.0").await;
        lab.delete(&format!("/v2/lab/events/manifests/{digest}")).await;
        let events = lab.server.registry().meta().read(|tx| {
            let name = "lab/events".parse().unwrap();
            let repo = msr_lite::meta::repo::id_of(tx, &name)?.unwrap();
            msr_lite::meta::event::of_repo(tx, repo, 100)
        });
        let events = events.unwrap();
        let names: Vec<&str> = events.iter().map(|event| match event.what {
            Happening::AccountCreated { .. } => "organization made",
            Happening::RepositoryCreated { .. } => "created",
            Happening::ManifestPushed { .. } => "pushed",
            Happening::TagPushed { .. } => "tag pushed",
            Happening::TagDeleted { .. } => "tag deleted",
            Happening::ManifestDeleted { .. } => "manifest deleted",
            _ => "other",
        }).collect();
        assert_eq!(names, ["organization made", "created", "pushed", "tag pushed", "tag deleted", "manifest deleted"]);
        assert!(events.iter().all(|event| event.actor.name() == "admin" && event.address.as_deref() == Some("127.0.0.1")));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn incomplete_manifests_can_be_refused() {
    let lab = Lab::with(Mode::Strict, |config| config.accept_incomplete = false).await;
    let mut manifest = lab.image("lab/complete", b"layer").await;
    assert_eq!(lab.put_manifest("lab/complete", "1", OCI_MANIFEST, &manifest).await.status(), StatusCode::CREATED);
    manifest["layers"][0]["digest"] = sha256(b"never pushed").to_string().into();
    let refused = lab.put_manifest("lab/complete", "2", OCI_MANIFEST, &manifest).await;
    assert_eq!(code(refused).await, "MANIFEST_BLOB_UNKNOWN");
    let foreign = "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip";
    manifest["layers"][0]["mediaType"] = foreign.into();
    let taken = lab.put_manifest("lab/complete", "3", OCI_MANIFEST, &manifest).await;
    assert_eq!(taken.status(), StatusCode::CREATED, "non-distributable layers are never pushed");
    manifest["subject"] = descriptor(OCI_MANIFEST, &sha256(b"a missing subject"), 100);
    let taken = lab.put_manifest("lab/complete", "4", OCI_MANIFEST, &manifest).await;
    assert_eq!(taken.status(), StatusCode::CREATED, "a missing subject is none of the references");
}
