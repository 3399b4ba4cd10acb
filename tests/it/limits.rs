//! Limits and bad input: every request gets an answer with a reason and leaves nothing behind.

use msr_lite::meta::Mode;
use reqwest::{Method, StatusCode};

use crate::harness::{Lab, code, noise, on_each_engine, sha256};
use crate::uploads::files_in;

on_each_engine! {
    async fn odd_paths_are_answered(lab) {
        for (path, status) in [
            ("/v2/UPPER/tags/list", 400),
            ("/v2/a..b/tags/list", 400),
            ("/v2/a%2Fb/tags/list", 400),
            ("/v2//tags/list", 400),
            ("/v2/a/blobs/md5:d41d8cd98f00b204e9800998ecf8427e", 400),
            ("/v2/a/blobs/sha256:xyz", 400),
            ("/v2/a/referrers/latest", 400),
            ("/v2/a/nothing", 404),
            ("/v2/a", 404),
            ("/v2/%ff/tags/list", 404),
        ] {
            let answer = lab.get(path).await;
            assert_eq!(answer.status().as_u16(), status, "{path}");
            let body = answer.text().await.unwrap();
            assert!(body.contains("\"message\""), "{path}: {body}");
        }
        let name = "a".repeat(256);
        assert_eq!(code(lab.get(&format!("/v2/{name}/tags/list")).await).await, "NAME_INVALID");
        let wrong = lab.request(Method::PATCH, "/v2/a/manifests/1").send().await.unwrap();
        assert_eq!(wrong.status(), StatusCode::METHOD_NOT_ALLOWED);
        assert_eq!(wrong.headers()["allow"], "GET, HEAD, PUT, DELETE");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_blob_over_the_limit_is_refused_at_the_first_request() {
    let lab = Lab::with(Mode::Strict, |config| config.limits.blob_bytes = 100_000).await;
    let content = noise(100_001, 1);
    let path = format!("/v2/lab/big/blobs/uploads/?digest={}", sha256(&content));
    let refused = lab.request(Method::POST, &path).body(content.clone()).send().await.unwrap();
    assert_eq!(refused.status(), StatusCode::PAYLOAD_TOO_LARGE);
    let body = refused.text().await.unwrap();
    assert!(body.contains("DENIED") && body.contains("a blob may have at most 100000 bytes"), "{body}");
    // Without a length it is found out on the way.
    let location = lab.begin_upload("lab/big").await;
    let stream = reqwest::Body::wrap(Chunks(content.chunks(10_000).map(<[u8]>::to_vec).collect()));
    let refused = lab.request(Method::PATCH, &location).body(stream).send().await.unwrap();
    assert_eq!(refused.status(), StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(lab.delete(&location).await.status(), StatusCode::NO_CONTENT, "the session can be given up");
    assert_eq!(files_in(&lab.data().join("blobs")), 0);
}

/// A body of unannounced length.
struct Chunks(std::collections::VecDeque<Vec<u8>>);

impl hyper::body::Body for Chunks {
    type Data = bytes::Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<hyper::body::Frame<bytes::Bytes>, std::convert::Infallible>>> {
        std::task::Poll::Ready(self.0.pop_front().map(|chunk| Ok(hyper::body::Frame::data(chunk.into()))))
    }
}
