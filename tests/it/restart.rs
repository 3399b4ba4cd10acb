//! What a restart must not lose.

use msr_lite::meta::Mode;
use reqwest::{Method, StatusCode};

use crate::harness::{Lab, header, noise, on_each_engine, sha256};

on_each_engine! {
    async fn an_upload_is_finished_after_a_restart(lab) {
        let mut lab = lab;
        for (n, size) in [(1, 10_000), (2, 300_000)] {
            let content = noise(size, n);
            let half = content.len() / 2;
            let location = lab.begin_upload("lab/restart").await;
            let patched = lab.request(Method::PATCH, &location).body(content[..half].to_vec()).send().await.unwrap();
            assert_eq!(patched.status(), StatusCode::ACCEPTED);

            lab = lab.restart().await;

            let status = lab.get(&location).await;
            assert_eq!(status.status(), StatusCode::NO_CONTENT);
            assert_eq!(header(&status, "range"), format!("0-{}", half - 1));
            let digest = sha256(&content);
            let put = lab.request(Method::PUT, &format!("{location}?digest={digest}")).body(content[half..].to_vec());
            assert_eq!(put.send().await.unwrap().status(), StatusCode::CREATED);
            assert_eq!(lab.get(&format!("/v2/lab/restart/blobs/{digest}")).await.bytes().await.unwrap(), content);
        }
    }

    async fn everything_acknowledged_is_there_after_a_restart(lab) {
        let (manifest, digest) = lab.push_image("lab/kept", "1.0", &noise(100_000, 3)).await;
        let fingerprint = lab.server.pki().ca_facts().fingerprint;
        let lab = lab.restart().await;
        assert_eq!(lab.server.pki().ca_facts().fingerprint, fingerprint, "the CA is the same");
        let pulled = lab.get("/v2/lab/kept/manifests/1.0").await;
        assert_eq!(header(&pulled, "docker-content-digest"), digest.to_string());
        assert_eq!(pulled.bytes().await.unwrap(), manifest.to_string());
        let layer = manifest["layers"][0]["digest"].as_str().unwrap().to_owned();
        assert_eq!(lab.get(&format!("/v2/lab/kept/blobs/{layer}")).await.bytes().await.unwrap(), noise(100_000, 3));
    }
}
