//! Who is let in, and what the others are told.

use msr_lite::base::config::Anonymous;
use msr_lite::meta::Mode;
use reqwest::{Method, StatusCode};
use serde_json::Value;

use crate::harness::{Lab, code, header, on_each_engine, sha256};

/// The parameters of a `Bearer` challenge.
fn challenge(response: &reqwest::Response) -> (String, String) {
    let text = header(response, "www-authenticate");
    let field = |name: &str| {
        let (_, rest) = text.split_once(&format!("{name}=\"")).unwrap_or_default();
        rest.split('"').next().unwrap_or_default().to_owned()
    };
    assert!(text.starts_with("Bearer "), "{text}");
    (field("realm"), field("scope"))
}

async fn token(lab: &Lab, scopes: &[&str]) -> String {
    let path = format!("/auth/token?service=registry&scope={}", scopes.join("&scope="));
    let answer: Value = lab.request(Method::GET, &path).send().await.unwrap().json().await.unwrap();
    answer["token"].as_str().unwrap().to_owned()
}

on_each_engine! {
    async fn a_stranger_is_shown_where_to_sign_in(lab) {
        let ping = lab.anonymous(Method::GET, "/v2/").send().await.unwrap();
        assert_eq!(ping.status(), StatusCode::UNAUTHORIZED);
        assert_eq!(challenge(&ping).0, lab.url("/auth/token"), "by the name that the client used");
        let push = lab.anonymous(Method::POST, "/v2/lab/x/blobs/uploads/").send().await.unwrap();
        assert_eq!(push.status(), StatusCode::UNAUTHORIZED);
        assert_eq!(challenge(&push).1, "repository:lab/x:pull,push");
        assert_eq!(code(push).await, "UNAUTHORIZED");
    }

    async fn a_token_opens_what_it_names_and_no_more(lab) {
        lab.push_image("lab/x", "1", b"layer").await;
        lab.push_image("lab/y", "1", b"layer").await;
        let pull = token(&lab, &["repository:lab/x:pull"]).await;
        let ask = |method: Method, path: &str| lab.anonymous(method, path).bearer_auth(&pull).send();
        assert_eq!(ask(Method::GET, "/v2/").await.unwrap().status(), StatusCode::OK);
        assert_eq!(ask(Method::GET, "/v2/lab/x/manifests/1").await.unwrap().status(), StatusCode::OK);
        let elsewhere = ask(Method::GET, "/v2/lab/y/manifests/1").await.unwrap();
        assert_eq!(elsewhere.status(), StatusCode::UNAUTHORIZED);
        assert_eq!(challenge(&elsewhere).1, "repository:lab/y:pull");
        assert!(header(&elsewhere, "www-authenticate").contains("insufficient_scope"));
        let push = ask(Method::POST, "/v2/lab/x/blobs/uploads/").await.unwrap();
        assert_eq!(push.status(), StatusCode::UNAUTHORIZED, "a token for pulling does not push");
    }

    async fn a_mount_with_a_narrow_token_is_asked_for_both_scopes(lab) {
        // zot CVE-2024-39897: the source of a mount is read too.
        let digest = lab.push_blob("lib/web", b"layer").await;
        let narrow = token(&lab, &["repository:lab/x:pull,push"]).await;
        let path = format!("/v2/lab/x/blobs/uploads/?mount={digest}&from=lib/web");
        let refused = lab.anonymous(Method::POST, &path).bearer_auth(&narrow).send().await.unwrap();
        assert_eq!(refused.status(), StatusCode::UNAUTHORIZED);
        assert_eq!(challenge(&refused).1, "repository:lab/x:pull,push repository:lib/web:pull");
        let wide = token(&lab, &["repository:lab/x:pull,push", "repository:lib/web:pull"]).await;
        let mounted = lab.anonymous(Method::POST, &path).bearer_auth(&wide).send().await.unwrap();
        assert_eq!(mounted.status(), StatusCode::CREATED);
    }

    async fn wrong_credentials_are_told_so(lab) {
        let wrong = lab.anonymous(Method::GET, "/v2/").basic_auth("admin", Some("wrong")).send().await.unwrap();
        assert_eq!(wrong.status(), StatusCode::UNAUTHORIZED);
        let body = wrong.text().await.unwrap();
        assert!(!body.contains("wrong"), "the password is not repeated: {body}");
        let nobody = lab.anonymous(Method::GET, "/v2/").basic_auth("nobody", Some("x")).send().await.unwrap();
        assert_eq!(nobody.text().await.unwrap(), body, "an unknown account looks the same");
        let forged = lab.anonymous(Method::GET, "/v2/").bearer_auth("a.b.c").send().await.unwrap();
        assert_eq!(forged.status(), StatusCode::UNAUTHORIZED);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn anonymous_pulls_are_a_setting() {
    let lab = Lab::with(Mode::Strict, |config| config.anonymous = Anonymous::PublicRepositories).await;
    lab.push_image("lab/open", "1", b"layer").await;
    let private = lab.anonymous(Method::GET, "/v2/lab/open/manifests/1").send().await.unwrap();
    assert_eq!(private.status(), StatusCode::UNAUTHORIZED, "a repository is private until somebody publishes it");
    lab.publish("lab/open").await;
    let pull = lab.anonymous(Method::GET, "/v2/lab/open/manifests/1").send().await.unwrap();
    assert_eq!(pull.status(), StatusCode::OK);
    let push = lab.anonymous(Method::POST, "/v2/lab/open/blobs/uploads/").send().await.unwrap();
    assert_eq!(push.status(), StatusCode::UNAUTHORIZED);
    // The anonymous mount is for the signed-in.
    let path = format!("/v2/lab/open/blobs/{}", sha256(b"layer"));
    assert_eq!(lab.anonymous(Method::DELETE, &path).send().await.unwrap().status(), StatusCode::UNAUTHORIZED);
}
