//! A disk on which less is free than the reserve. (Disks that are really full: `tests/faults`.)

use msr_lite::meta::Mode;
use reqwest::{Method, Response, StatusCode};

use crate::harness::{Lab, OCI_MANIFEST, noise, on_each_engine, sha256};

/// Asks for more than any disk has.
fn full(config: &mut msr_lite::base::Config) {
    config.storage.reserve_mib = 1 << 30;
}

async fn is_refused(response: Response) {
    assert_eq!(response.status(), StatusCode::FORBIDDEN);
    let body: serde_json::Value = response.json().await.unwrap();
    assert_eq!(body["errors"][0]["code"], "DENIED");
    let message = body["errors"][0]["message"].as_str().unwrap();
    for words in ["the registry's disk is full (", " free, ", "kept in reserve", "pulls go on", "Ask the administrator"]
    {
        assert!(message.contains(words), "{message}");
    }
}

on_each_engine! {
    async fn pushes_are_refused_at_their_first_request_and_nothing_else_is(lab) {
        let layer = noise(50_000, 1);
        let (manifest, digest) = lab.push_image("lab/a", "1.0", &layer).await;
        lab.push_image("lab/a", "2.0", &noise(60_000, 2)).await;
        let lab = lab.reconfigured(full).await;

        is_refused(lab.request(Method::POST, "/v2/lab/a/blobs/uploads/").send().await.unwrap()).await;
        let single = format!("/v2/lab/a/blobs/uploads/?digest={}", sha256(b"x"));
        is_refused(lab.request(Method::POST, &single).body("x").send().await.unwrap()).await;
        let mount = format!("/v2/lab/b/blobs/uploads/?mount={}&from=lab/a", sha256(&layer));
        is_refused(lab.request(Method::POST, &mount).send().await.unwrap()).await;
        is_refused(lab.put_manifest("lab/a", "again", OCI_MANIFEST, &manifest).await).await;

        let blob = format!("/v2/lab/a/blobs/{}", sha256(&layer));
        assert_eq!(lab.head(&blob).await.status(), StatusCode::OK);
        assert_eq!(lab.get(&blob).await.bytes().await.unwrap(), layer);
        assert_eq!(lab.get("/v2/lab/a/manifests/2.0").await.status(), StatusCode::OK);
        assert_eq!(lab.delete(&format!("/v2/lab/a/manifests/{digest}")).await.status(), StatusCode::ACCEPTED);
        assert_eq!(lab.delete("/v2/lab/a/manifests/2.0").await.status(), StatusCode::ACCEPTED);
        assert_eq!(lab.delete(&blob).await.status(), StatusCode::ACCEPTED);

        let ready = lab.get("/readyz").await;
        assert_eq!(ready.status(), StatusCode::OK, "pulls are welcome");
        assert!(ready.text().await.unwrap().starts_with("ready to pull; pushes are refused: the disk is full"));
        let metrics = lab.get("/metrics").await.text().await.unwrap();
        assert!(metrics.contains("msrlite_storage_full 1\n") && metrics.contains("msrlite_storage_free_bytes "));

        let lab = lab.reconfigured(|config| config.storage.reserve_mib = 1).await;
        lab.push_image("lab/a", "3.0", &layer).await;
        assert!(lab.get("/metrics").await.text().await.unwrap().contains("msrlite_storage_full 0\n"));
    }

    async fn an_upload_that_has_begun_is_stopped_in_words(lab) {
        let location = lab.begin_upload("lab/a").await;
        let lab = lab.reconfigured(full).await;
        // It was begun while there was room; what it needs now is more than half of the reserve leaves.
        let patched = lab.request(Method::PATCH, &location).body(noise(100_000, 3)).send().await.unwrap();
        assert_eq!(patched.status(), StatusCode::FORBIDDEN);
        assert!(patched.text().await.unwrap().contains("the registry's disk is full, so nothing can be pushed"));
        let lab = lab.reconfigured(|config| config.storage.reserve_mib = 1).await;
        let patched = lab.request(Method::PATCH, &location).body(noise(100_000, 3)).send().await.unwrap();
        assert_eq!(patched.status(), StatusCode::ACCEPTED, "the session is still good");
    }
}
