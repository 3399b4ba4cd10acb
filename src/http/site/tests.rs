use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http_body_util::BodyExt;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use hyper::{Request, StatusCode};

use crate::access::{Access, AccessSettings};
use crate::base::{Clock, Config, Secret, Timestamp};
use crate::blobs::{BlobOptions, Blobs};
use crate::http::body::{Outgoing, RequestBody};
use crate::http::conn::{Entry, Link, Ticket};
use crate::http::request::{Context, Ends, Front};
use crate::http::service::Routes;
use crate::http::testing::lab;
use crate::http::{App, Metrics, Reply};
use crate::meta::{Engine, Mode};
use crate::oci::manifest::ManifestLimits;
use crate::ops::handshakes::Handshakes;
use crate::registry::{Registry, Settings};

async fn app() -> (Arc<App>, Arc<AtomicBool>) {
    let clock = Clock::manual(Timestamp(1_790_000_000_000));
    let (meta, pki, config) = (Engine::in_memory(Mode::Strict), lab(), Arc::new(Config::default()));
    let settings = AccessSettings::default();
    let access = {
        let (meta, clock) = (meta.clone(), clock.clone());
        let made = tokio::task::spawn_blocking(move || {
            let access = Access::open(meta, clock, settings).unwrap();
            assert!(access.create_admin(&Secret::new("correct horse battery".to_owned())).unwrap());
            access
        });
        made.await.unwrap()
    };
    let (healthy, metrics) = (Arc::new(AtomicBool::new(true)), Metrics::new());
    let ready = {
        let healthy = healthy.clone();
        Box::new(move || if healthy.load(Ordering::Relaxed) { Ok(()) } else { Err("the disk is full".to_owned()) })
    };
    let handshakes = Handshakes::new(pki.clone(), clock.clone());
    let data = tempfile::tempdir().unwrap();
    let options = BlobOptions { session_ttl: Duration::from_hours(24), max_blob: 1 << 20 };
    let blobs = Blobs::open(data.path(), options, clock.clone(), |_| Ok(false)).unwrap();
    let manifest = ManifestLimits { references: 100, depth: 32 };
    let settings = Settings {
        create_on_push: true,
        accept_incomplete: true,
        lease: Duration::from_hours(24),
        untagged: None,
        collect_every: Duration::from_hours(1),
        manifest,
    };
    let registry = Registry::new(meta, blobs, clock.clone(), settings);
    let app = App {
        registry,
        access,
        pki,
        config,
        started: clock.now(),
        data_dir: data.path().to_owned(),
        clock,
        metrics,
        handshakes,
        tls_port: 9443,
        ready,
        survey: tokio::sync::Mutex::default(),
        password_changed: Box::new(|_| {}),
    };
    (Arc::new(app), healthy)
}

/// Asks the routes alone, from this peer.
async fn ask(app: &Arc<App>, peer: &str, request: Request<RequestBody>) -> Reply {
    let local = "192.0.2.5:8443".parse().unwrap();
    let ends = Ends { peer: format!("{peer}:40000").parse().unwrap(), local, tls: true };
    let (mut head, body) = request.into_parts();
    head.headers.entry(HOST).or_insert("registry.lab:8443".parse().unwrap());
    let context: Context =
        Front::new(&app.config, app.pki.clone()).unwrap().context("1".repeat(16), ends, &head).unwrap();
    app.answer(&context, Request::from_parts(head, body)).await
}

fn get(path: &str) -> Request<RequestBody> {
    Request::builder().uri(path).body(RequestBody::from_bytes("")).unwrap()
}

async fn text(reply: Reply) -> String {
    let ends = Ends { peer: "192.0.2.9:1".parse().unwrap(), local: "192.0.2.5:1".parse().unwrap(), tls: true };
    let head = get("/").into_parts().0;
    let entry = Entry::new("", ends.peer.ip(), &head);
    let ticket = Ticket::open(&Link::new(ends, &crate::http::testing::limits()), &Metrics::new(), entry);
    let bytes = Outgoing::new(reply.into_body(), ticket).collect().await.unwrap().to_bytes();
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[tokio::test]
async fn public_pages_need_no_sign_in_and_know_their_methods() {
    let (app, _) = app().await;
    for path in ["/ca", "/ca.crt", "/trust.sh", "/trust", "/healthz", "/readyz", "/_ping", "/health"] {
        assert_eq!(ask(&app, "192.0.2.9", get(path)).await.status(), StatusCode::OK, "{path}");
        let mut post = get(path);
        *post.method_mut() = hyper::Method::POST;
        assert_eq!(ask(&app, "192.0.2.9", post).await.status(), StatusCode::METHOD_NOT_ALLOWED, "{path}");
    }
    assert_eq!(text(ask(&app, "192.0.2.9", get("/ca.crt")).await).await, *app.pki.ca_pem());
    let home = ask(&app, "192.0.2.9", get("/")).await;
    assert_eq!((home.status(), &home.headers()["location"]), (StatusCode::SEE_OTHER, &"/login".parse().unwrap()));
    let login = text(ask(&app, "192.0.2.9", get("/login")).await).await;
    assert!(login.contains("registry.lab:8443") && login.contains("name=\"password\""), "{login}");
    let nothing = ask(&app, "192.0.2.9", get("/nothing")).await;
    assert_eq!(nothing.status(), StatusCode::NOT_FOUND);
    assert!(text(nothing).await.contains("\"errors\""));
    let mut browser = get("/nothing");
    browser.headers_mut().insert("accept", "text/html,*/*;q=0.8".parse().unwrap());
    let nothing = ask(&app, "192.0.2.9", browser).await;
    assert_eq!(nothing.status(), StatusCode::NOT_FOUND);
    assert!(text(nothing).await.contains("<h1>Not found</h1>"));
}

#[tokio::test]
async fn in_clear_the_trust_page_leads_to_the_port_that_speaks_tls() {
    let (app, _) = app().await;
    let mut head = get("/trust").into_parts().0;
    head.headers.insert(HOST, "registry.lab:5000".parse().unwrap());
    let local = "192.0.2.5:5000".parse().unwrap();
    let ends = Ends { peer: "192.0.2.9:40000".parse().unwrap(), local, tls: false };
    let front = Front::new(&app.config, app.pki.clone()).unwrap();
    let context = front.context("1".repeat(16), ends, &head).unwrap();
    let page = text(app.answer(&context, Request::from_parts(head, RequestBody::from_bytes(""))).await).await;
    assert!(page.contains("the registry registry.lab:9443\n") && !page.contains(":5000"), "{page}");
    for file in ["/etc/containerd/certs.d/registry.lab:9443/hosts.toml", "buildkitd.toml", "registries.yaml"] {
        assert!(page.contains(file), "{file} is missing in:\n{page}");
    }
}

#[tokio::test]
async fn readiness_is_told_as_each_asker_wants_it() {
    let (app, healthy) = app().await;
    healthy.store(false, Ordering::Relaxed);
    let ready = ask(&app, "192.0.2.9", get("/readyz")).await;
    assert_eq!(ready.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(text(ready).await, "the disk is full\n");
    assert_eq!(ask(&app, "192.0.2.9", get("/healthz")).await.status(), StatusCode::OK);
    let health = text(ask(&app, "192.0.2.9", get("/health")).await).await;
    assert_eq!(health, r#"{"error":"the disk is full","healthy":false}"#);
}

#[tokio::test]
async fn metrics_are_for_this_machine_and_for_administrators() {
    let (app, _) = app().await;
    let local = ask(&app, "127.0.0.1", get("/metrics")).await;
    assert_eq!(local.status(), StatusCode::OK);
    let page = text(local).await;
    assert!(page.contains("msrlite_build_info") && page.ends_with("# EOF\n"), "{page}");
    assert_eq!(ask(&app, "192.0.2.9", get("/metrics")).await.status(), StatusCode::UNAUTHORIZED);
    // A proxy on this machine is not this machine's administrator.
    let mut proxied = get("/metrics");
    proxied.headers_mut().insert("x-forwarded-for", "192.0.2.9".parse().unwrap());
    assert_eq!(ask(&app, "127.0.0.1", proxied).await.status(), StatusCode::UNAUTHORIZED);
    for (password, status) in [("correct horse battery", StatusCode::OK), ("wrong", StatusCode::UNAUTHORIZED)] {
        let mut signed = get("/metrics");
        let basic = format!("Basic {}", BASE64_STANDARD.encode(format!("admin:{password}")));
        signed.headers_mut().insert(AUTHORIZATION, basic.parse().unwrap());
        assert_eq!(ask(&app, "192.0.2.9", signed).await.status(), status);
    }
}

#[tokio::test]
async fn the_token_service_is_reached_and_its_form_is_bounded() {
    let (app, _) = app().await;
    let answer = ask(&app, "192.0.2.9", get("/auth/token?service=msr-lite")).await;
    assert_eq!(answer.status(), StatusCode::OK);
    assert!(text(answer).await.contains("\"token\""));
    let long = RequestBody::from_bytes(vec![b'a'; 64 * 1024 + 1]);
    let post = Request::builder().method("POST").uri("/auth/token");
    let post = post.header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(long).unwrap();
    assert_eq!(ask(&app, "192.0.2.9", post).await.status(), StatusCode::PAYLOAD_TOO_LARGE);
}
