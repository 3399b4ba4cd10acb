//! The token service as clients speak to it, and the challenge as they read it.

use std::net::SocketAddr;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::Value;

use super::*;
use crate::access::AccessSettings;
use crate::base::{Clock, Timestamp};
use crate::meta::{Engine, Mode};
use crate::oci::RepoName;

const PASSWORD: &str = "pass:word & more";

fn access() -> (Access, Clock) {
    let clock = Clock::manual(Timestamp(1_800_000_000_000));
    let settings = AccessSettings { anonymous: crate::access::Anonymous::None, token_ttl: Duration::from_mins(30) };
    // Start-up waits for the store, which an async thread must not.
    let start = || {
        let access = Access::open(Engine::in_memory(Mode::Normal), clock.clone(), settings).unwrap();
        access.create_admin(&Secret::new(PASSWORD.into())).unwrap();
        access
    };
    let access = std::thread::scope(|scope| scope.spawn(start).join().unwrap());
    (access, clock)
}

fn context() -> Context {
    let peer: SocketAddr = "192.0.2.1:40000".parse().unwrap();
    Context {
        id: "request-1".into(),
        peer,
        client: peer.ip(),
        scheme: "https",
        authority: "registry.lab:8443".into(),
        own_host: None,
    }
}

fn basic_header(password: &str) -> String {
    format!("Basic {}", BASE64.encode(format!("admin:{password}")))
}

fn get(query: &str, authorization: Option<&str>) -> Request<RequestBody> {
    let mut request = Request::builder().uri(format!("{TOKEN_PATH}?{query}"));
    if let Some(value) = authorization {
        request = request.header(AUTHORIZATION, value);
    }
    request.body(RequestBody::from_bytes(Bytes::new())).unwrap()
}

fn post(fields: &[(&str, &str)]) -> Request<RequestBody> {
    let form = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    Request::post(TOKEN_PATH)
        .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(RequestBody::from_bytes(form))
        .unwrap()
}

async fn ask(access: &Access, request: Request<RequestBody>) -> (StatusCode, HeaderMap, Value) {
    let (head, body) = token_service(access, &context(), request).await.into_parts();
    let Body::Full(body) = body else { panic!("no body") };
    assert_eq!(head.headers[CACHE_CONTROL], "no-store");
    assert_eq!(head.headers[CONTENT_TYPE], "application/json");
    (head.status, head.headers, serde_json::from_slice(&body).unwrap())
}

/// The error code and message of a refusal.
fn error(body: &Value) -> (&str, &str) {
    let error = &body["errors"][0];
    (error["code"].as_str().unwrap(), error["message"].as_str().unwrap())
}

/// Docker's daemon: scopes repeated, Basic in the header; its login wants a refresh token this way.
#[tokio::test]
async fn get_with_repeated_scopes() {
    let (access, _) = access();
    let query = "account=admin&client_id=docker&offline_token=true&service=msr-lite\
                 &scope=repository%3Alab%2Fapp%3Apush%2Cpull&scope=repository:lab/base:pull+registry:catalog:*";
    let (status, _, body) = ask(&access, get(query, Some(&basic_header(PASSWORD)))).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(body["token"], body["access_token"]);
    assert_eq!(body["expires_in"], 1800);
    assert_eq!(body["issued_at"], "2027-01-15T08:00:00Z");
    assert_eq!(body["scope"], "repository:lab/app:pull,push repository:lab/base:pull registry:catalog:*");
    assert_eq!(body["refresh_token"].as_str().unwrap().len(), 43);
    let header = format!("Bearer {}", body["token"].as_str().unwrap());
    let caller = access.authenticate(Some(&header), context().client).await.unwrap();
    let repo = RepoName::parse("lab/base").unwrap();
    assert!(access.decide(&caller, Requirement::Repository(&repo, Action::Pull)).allowed());
    assert!(!access.decide(&caller, Requirement::Repository(&repo, Action::Push)).allowed());
}

#[tokio::test]
async fn get_without_credentials_is_anonymous() {
    let (access, _) = access();
    let (status, _, body) = ask(&access, get("account=admin&scope=repository:lab/app:pull", None)).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(body["scope"], "");
    assert!(body.get("refresh_token").is_none());
}

/// containerd and docker after `docker login`: a form with one list of scopes, then the refresh token.
#[tokio::test]
async fn post_with_a_password_and_then_with_the_refresh_token() {
    let (access, _) = access();
    let (status, _, body) = ask(
        &access,
        post(&[
            ("grant_type", "password"),
            ("service", "msr-lite"),
            ("client_id", "containerd-client"),
            ("access_type", "offline"),
            ("scope", "repository:lab/app:pull,push repository:lab/base:pull"),
            ("username", "admin"),
            ("password", PASSWORD),
        ]),
    )
    .await;
    assert_eq!(status, StatusCode::OK, "{body}");
    assert_eq!(body["scope"], "repository:lab/app:pull,push repository:lab/base:pull");
    let refresh = body["refresh_token"].as_str().unwrap();
    let fields = [("grant_type", "refresh_token"), ("refresh_token", refresh), ("scope", "repository:lab/app:*")];
    let (status, _, body) = ask(&access, post(&fields)).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(body["scope"], "repository:lab/app:delete,pull,push");
    assert!(body["access_token"].is_string() && body.get("refresh_token").is_none());
}

#[tokio::test]
async fn post_takes_basic_credentials_too() {
    let (access, _) = access();
    for fields in [&[("scope", "repository:lab/app:pull")][..], &[("grant_type", "password")]] {
        let mut request = post(fields);
        request.headers_mut().insert(AUTHORIZATION, basic_header(PASSWORD).parse().unwrap());
        assert_eq!(ask(&access, request).await.0, StatusCode::OK);
    }
}

#[tokio::test]
async fn wrong_credentials_are_401_with_a_reason() {
    let (access, _) = access();
    let by_form = post(&[("grant_type", "password"), ("username", "nobody"), ("password", "no")]);
    for request in [get("", Some(&basic_header("no"))), by_form] {
        let (status, headers, body) = ask(&access, request).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED);
        assert_eq!(error(&body), ("UNAUTHORIZED", "the user name or the password is not right"));
        assert!(headers[WWW_AUTHENTICATE].to_str().unwrap().starts_with("Basic "));
    }
    let request = post(&[("grant_type", "refresh_token"), ("refresh_token", "gone")]);
    assert_eq!(ask(&access, request).await.0, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn too_many_failures_are_429_with_a_time() {
    let (access, clock) = access();
    for n in 0..5 {
        let request = get("", Some(&basic_header(&format!("guess {n}"))));
        assert_eq!(ask(&access, request).await.0, StatusCode::UNAUTHORIZED);
    }
    clock.advance(Duration::from_millis(300));
    let (status, headers, body) = ask(&access, get("", Some(&basic_header("guess")))).await;
    assert_eq!(status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(headers[RETRY_AFTER], "1", "rounded up, or the client comes back too early");
    assert_eq!(error(&body), ("TOOMANYREQUESTS", "too many failed sign-ins; try again in 1 s"));
}

#[tokio::test]
async fn what_makes_no_sense_is_400_with_a_reason() {
    let (access, _) = access();
    let no_type = Request::post(TOKEN_PATH).body(RequestBody::from_bytes("grant_type=password")).unwrap();
    for (request, reason) in [
        (no_type, "x-www-form-urlencoded"),
        (post(&[]), "grant_type"),
        (post(&[("grant_type", "authorization_code")]), "grant_type"),
        (post(&[("grant_type", "password"), ("username", "admin")]), "username and password"),
        (post(&[("grant_type", "refresh_token")]), "refresh_token"),
        (post(&[("grant_type", "refresh_token"), ("refresh_token", "")]), "refresh_token"),
        (get("", Some("Basic ???")), "base64"),
        (get("", Some("Bearer x")), "Basic"),
        (get("", Some("Digest x")), "Basic"),
    ] {
        let (status, _, body) = ask(&access, request).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{reason}");
        assert!(error(&body).1.contains(reason), "{body}");
    }
}

#[tokio::test]
async fn a_form_has_a_limit_and_other_methods_are_told_which() {
    let (access, _) = access();
    let (status, _, body) = ask(&access, post(&[("scope", &"x".repeat(MAX_FORM))])).await;
    assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(error(&body).0, "SIZE_INVALID");
    for method in [Method::PUT, Method::DELETE, Method::HEAD, Method::OPTIONS] {
        let mut request = get("", None);
        *request.method_mut() = method;
        let (status, headers, _) = ask(&access, request).await;
        assert_eq!(status, StatusCode::METHOD_NOT_ALLOWED);
        assert_eq!(headers[ALLOW], "GET, POST");
    }
}

#[test]
fn a_challenge_names_realm_service_and_scopes() {
    let repo = RepoName::parse("lab/app").unwrap();
    let base = RepoName::parse("lab/base").unwrap();
    let start = "Bearer realm=\"https://registry.lab:8443/auth/token\",service=\"msr-lite\"";
    for (requirements, error, rest) in [
        (&[Requirement::SignedIn][..], None, ""),
        (&[Requirement::Catalog], None, ",scope=\"registry:catalog:*\""),
        (&[Requirement::Repository(&repo, Action::Pull)], None, ",scope=\"repository:lab/app:pull\""),
        (&[Requirement::Repository(&repo, Action::Delete)], None, ",scope=\"repository:lab/app:delete,pull\""),
        (
            &[Requirement::Repository(&repo, Action::Push)],
            Some("insufficient_scope"),
            ",scope=\"repository:lab/app:pull,push\",error=\"insufficient_scope\"",
        ),
        (
            &[Requirement::Repository(&repo, Action::Push), Requirement::Repository(&base, Action::Pull)],
            None,
            ",scope=\"repository:lab/app:pull,push repository:lab/base:pull\"",
        ),
    ] {
        let value = challenge(&context(), SERVICE, requirements, error);
        assert_eq!(value.to_str().unwrap(), format!("{start}{rest}"));
    }
}

#[test]
fn a_challenge_cannot_be_broken_out_of() {
    let mut ctx = context();
    ctx.authority = "x\",scope=\"repository:a:*\\\r\nSet-Cookie: é".into();
    let value = challenge(&ctx, "a\"b", &[], None);
    assert_eq!(
        value.to_str().unwrap(),
        "Bearer realm=\"https://x\\\",scope=\\\"repository:a:*\\\\Set-Cookie: /auth/token\",service=\"a\\\"b\""
    );
}
