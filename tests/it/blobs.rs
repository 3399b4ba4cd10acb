//! Pulling and deleting blobs.

use std::time::Duration;

use msr_lite::meta::{Mode, lease};
use reqwest::{Method, StatusCode};

use crate::harness::{Lab, OCI_MANIFEST, code, header, noise, on_each_engine, sha256};

on_each_engine! {
    async fn ranges_are_served_exactly(lab) {
        for content in [noise(2048, 1), noise(50_000, 2)] {
            let size = content.len();
            let digest = lab.push_blob("lab/ranges", &content).await;
            let path = format!("/v2/lab/ranges/blobs/{digest}");
            let ask = |range: &str| lab.request(Method::GET, &path).header("range", format!("bytes={range}")).send();
            for (range, from, to) in [
                ("500-1499", 500, 1499),
                ("500-", 500, size - 1),
                ("-500", size - 500, size - 1),
                ("2000-999999", 2000, size - 1),
            ] {
                let part = ask(range).await.unwrap();
                assert_eq!(part.status(), StatusCode::PARTIAL_CONTENT, "{range}");
                assert_eq!(header(&part, "content-range"), format!("bytes {from}-{to}/{size}"));
                assert_eq!(header(&part, "content-length"), (to - from + 1).to_string());
                assert_eq!(part.bytes().await.unwrap(), content[from..=to]);
            }
            for range in ["500-0", "999999-1000000"] {
                let none = ask(range).await.unwrap();
                assert_eq!(none.status(), StatusCode::RANGE_NOT_SATISFIABLE, "{range}");
                assert_eq!(header(&none, "content-range"), format!("bytes */{size}"));
                assert_eq!(header(&none, "docker-content-digest"), digest.to_string());
                assert_eq!(code(none).await, "UNSUPPORTED", "a refusal has a reason");
            }
            assert_eq!(ask("0-1,5-9").await.unwrap().status(), StatusCode::OK, "several ranges: the whole");
        }
    }

    async fn heads_tell_all_but_the_content(lab) {
        let content = noise(20_000, 3);
        let digest = lab.push_blob("lab/head", &content).await;
        let head = lab.head(&format!("/v2/lab/head/blobs/{digest}")).await;
        assert_eq!(head.status(), StatusCode::OK);
        assert_eq!(header(&head, "content-length"), "20000");
        assert_eq!(header(&head, "docker-content-digest"), digest.to_string());
        assert_eq!(header(&head, "content-type"), "application/octet-stream");
        let unknown = format!("/v2/lab/head/blobs/{}", sha256(b"unknown"));
        assert_eq!(lab.head(&unknown).await.status(), StatusCode::NOT_FOUND);
        assert_eq!(code(lab.get(&unknown).await).await, "BLOB_UNKNOWN");
        let known = lab.request(Method::GET, &format!("/v2/lab/head/blobs/{digest}"));
        let known = known.header("if-none-match", format!("\"{digest}\"")).send().await.unwrap();
        assert_eq!(known.status(), StatusCode::NOT_MODIFIED);
    }

    async fn a_blob_is_only_in_the_repositories_that_have_it(lab) {
        let digest = lab.push_blob("lab/has", b"content").await;
        lab.push_blob("lab/has-not", b"other").await;
        assert_eq!(lab.head(&format!("/v2/lab/has-not/blobs/{digest}")).await.status(), StatusCode::NOT_FOUND);
    }

    async fn a_deleted_blob_is_gone_at_once_and_only_here(lab) {
        let digest = lab.push_blob("lab/a", b"shared").await;
        lab.push_blob("lab/b", b"shared").await;
        let path = format!("/v2/lab/a/blobs/{digest}");
        assert_eq!(lab.delete(&path).await.status(), StatusCode::ACCEPTED);
        assert_eq!(lab.head(&path).await.status(), StatusCode::NOT_FOUND);
        assert_eq!(lab.delete(&path).await.status(), StatusCode::NOT_FOUND);
        assert_eq!(lab.get(&format!("/v2/lab/b/blobs/{digest}")).await.bytes().await.unwrap(), "shared");
    }

    async fn a_blob_that_a_manifest_needs_is_not_deleted(lab) {
        let layer = noise(500, 4);
        let (_, manifest) = lab.push_image("lab/needs", "1.0", &layer).await;
        let path = format!("/v2/lab/needs/blobs/{}", sha256(&layer));
        let refused = lab.delete(&path).await;
        assert_eq!(refused.status(), StatusCode::FORBIDDEN);
        let body = refused.text().await.unwrap();
        assert!(body.contains("DENIED") && body.contains(&manifest.to_string()), "{body}");
        assert_eq!(lab.delete(&format!("/v2/lab/needs/manifests/{manifest}")).await.status(), StatusCode::ACCEPTED);
        assert_eq!(lab.delete(&path).await.status(), StatusCode::ACCEPTED);
    }

    async fn lost_content_is_asked_for_again(lab) {
        // A manifest whose blob was here lately is no "incomplete image": the client must push the blob again.
        let manifest = lab.image("lab/lost", b"a layer").await;
        lab.delete(&format!("/v2/lab/lost/blobs/{}", sha256(b"a layer"))).await;
        let refused = lab.put_manifest("lab/lost", "1", OCI_MANIFEST, &manifest).await;
        assert_eq!(code(refused).await, "MANIFEST_BLOB_UNKNOWN");
        lab.push_blob("lab/lost", b"a layer").await;
        assert_eq!(lab.put_manifest("lab/lost", "1", OCI_MANIFEST, &manifest).await.status(), StatusCode::CREATED);
        // After 30 days the mark no longer counts.
        lab.push_blob("lab/lost", b"another").await;
        lab.delete(&format!("/v2/lab/lost/blobs/{}", sha256(b"another"))).await;
        let mut sparse = manifest.clone();
        sparse["layers"][0]["digest"] = sha256(b"another").to_string().into();
        assert_eq!(lab.put_manifest("lab/lost", "2", OCI_MANIFEST, &sparse).await.status(), StatusCode::NOT_FOUND);
        lab.clock.advance(Duration::from_hours(744));
        let taken = lab.put_manifest("lab/lost", "2", OCI_MANIFEST, &sparse).await;
        assert_eq!(taken.status(), StatusCode::CREATED);
        assert!(header(&taken, "warning").starts_with("299 - \""), "{}", header(&taken, "warning"));
    }

    async fn a_head_by_a_pusher_renews_the_lease_and_a_pull_does_not(lab) {
        let digest = lab.push_blob("lab/lease", b"leased").await;
        let until = || {
            lab.server.registry().meta().read(|tx| lease::until(tx, &digest)).unwrap()
        };
        let first = until();
        lab.clock.advance(Duration::from_hours(1));
        lab.head(&format!("/v2/lab/lease/blobs/{digest}")).await;
        assert_eq!(until(), first, "more than half of the lease is left");
        lab.clock.advance(Duration::from_hours(12));
        lab.get(&format!("/v2/lab/lease/blobs/{digest}")).await;
        assert_eq!(until(), first, "a pull promises nothing");
        lab.head(&format!("/v2/lab/lease/blobs/{digest}")).await;
        assert!(until() > first);
    }
}
