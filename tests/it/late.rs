//! Ways around what is promised of rights that were found by trying: requests whose body comes late, and what the record
//! and narrow tokens tell.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use msr_lite::access::accounts::AccountChange;
use msr_lite::meta::Mode;
use msr_lite::model::permission::Level;
use reqwest::Method;
use rustls::pki_types::ServerName;
use rustls::pki_types::pem::PemObject as _;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::api_accounts::PASSWORD;
use crate::harness::{Lab, OCI_INDEX, on_each_engine};
use crate::pages::{Browser, add_user};
use crate::rights::{at, system};

/// A request that was let in, and waits for its body.
pub(crate) struct Late {
    stream: TlsStream<TcpStream>,
    body: String,
}

impl Late {
    /// Sends all but the body. That it is let in shows by `100 Continue`: the registry reads the body from then on.
    pub(crate) async fn begin(lab: &Lab, request: &str, head: &str, body: &str) -> Self {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut roots = rustls::RootCertStore::empty();
        let pem = lab.server.pki().ca_pem();
        roots.add(rustls::pki_types::CertificateDer::from_pem_slice(pem.as_bytes()).unwrap()).unwrap();
        let tls = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let port = lab.server.addresses()[0].port();
        let stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        let mut stream = TlsConnector::from(Arc::new(tls)).connect(name, stream).await.unwrap();
        let head = format!(
            "{request} HTTP/1.1\r\nhost: localhost:{port}\r\nconnection: close\r\nexpect: 100-continue\r\n\
             content-length: {}\r\n{head}\r\n\r\n",
            body.len()
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut answer = [0; 25];
        stream.read_exact(&mut answer).await.unwrap();
        assert_eq!(std::str::from_utf8(&answer), Ok("HTTP/1.1 100 Continue\r\n\r\n"), "{request}");
        Self { stream, body: body.to_owned() }
    }

    /// Sends the body; the status of the answer.
    pub(crate) async fn end(mut self) -> u16 {
        self.stream.write_all(self.body.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        drop(self.stream.read_to_end(&mut answer).await);
        let answer = String::from_utf8_lossy(&answer);
        answer.split(' ').nth(1).unwrap().parse().unwrap()
    }
}

fn basic(name: &str, password: &str) -> String {
    format!("authorization: Basic {}", BASE64.encode(format!("{name}:{password}")))
}

/// The head of a request with JSON by somebody with [`PASSWORD`].
fn json_by(name: &str) -> String {
    format!("{}\r\ncontent-type: application/json", basic(name, PASSWORD))
}

async fn switch_off(lab: &Lab, name: &str) {
    let off = AccountChange { active: Some(false), ..AccountChange::default() };
    lab.server.access().change_account(&system(), name, off).await.unwrap();
}

on_each_engine! {
    async fn an_administrator_who_was_switched_off_makes_no_other_one(lab) {
        let root = json!({ "name": "root2", "password": PASSWORD, "isAdmin": true });
        lab.done(Method::POST, "/accounts", Some(root), 201).await;
        let other = json!({ "name": "other", "password": PASSWORD, "isAdmin": true }).to_string();
        let late = Late::begin(&lab, "POST /enzi/v0/accounts", &json_by("root2"), &other).await;
        switch_off(&lab, "root2").await;
        assert_eq!(late.end().await, 401);
        assert!(lab.server.access().account("other").unwrap().is_none());
    }

    async fn an_owner_who_was_removed_gives_nothing_away(lab) {
        lab.people().await;
        lab.done(Method::POST, "/api/v0/repositories/lab", Some(json!({ "name": "app" })), 201).await;
        let (owner, level) = (json!({ "isAdmin": true }).to_string(), json!({ "accessLevel": "admin" }).to_string());
        let member = Late::begin(&lab, "PUT /enzi/v0/accounts/lab/members/sam", &json_by("olga"), &owner).await;
        let path = "PUT /api/v0/repositories/lab/app/teamAccess/web";
        let grant = Late::begin(&lab, path, &json_by("olga"), &level).await;
        let made = json!({ "name": "new" }).to_string();
        let made = Late::begin(&lab, "POST /api/v0/repositories/lab", &json_by("olga"), &made).await;
        lab.server.access().remove_member(&system(), "lab", "olga").await.unwrap();
        assert_eq!([member.end().await, grant.end().await, made.end().await], [404, 404, 403]);
        assert!(lab.server.access().member("lab", "sam").unwrap().is_none());
    }

    async fn a_session_that_has_ended_sends_no_form(lab) {
        add_user(&lab, "alice").await;
        let none = AccountChange::default();
        let admin = AccountChange { admin: Some(true), ..none };
        lab.server.access().change_account(&system(), "alice", admin).await.unwrap();
        let mut browser = Browser::signed_in(&lab, "alice").await;
        let form = format!("csrf={}&name=other&password=a+long+password&again=a+long+password", browser.get("/users").await.csrf());
        let cookie = &browser.cookies["__Host-session"];
        let head = format!(
            "cookie: __Host-session={cookie}\r\nsec-fetch-site: same-origin\r\n\
             content-type: application/x-www-form-urlencoded"
        );
        let late = Late::begin(&lab, "POST /users", &head, &form).await;
        let plain = AccountChange { admin: Some(false), ..AccountChange::default() };
        lab.server.access().change_account(&system(), "alice", plain).await.unwrap();
        assert_eq!(late.end().await, 403);
        assert!(lab.server.access().account("other").unwrap().is_none());
    }

    async fn a_push_whose_right_was_taken_away_is_refused_before_it_is_stored(lab) {
        lab.push_image("lab/web", "1", b"layer").await;
        lab.with_alice().await;
        lab.give(at("lab/web"), Level::ReadWrite).await;
        let index = json!({ "schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [] }).to_string();
        let head = format!("{}\r\ncontent-type: {OCI_INDEX}", basic("alice", crate::rights::PASSWORD));
        let late = Late::begin(&lab, "PUT /v2/lab/web/manifests/late", &head, &index).await;
        lab.server.access().remove_team_member(&system(), "lab", "dev", "alice").await.unwrap();
        assert_eq!(late.end().await, 404);
        assert_eq!(lab.get("/v2/lab/web/manifests/late").await.status(), 404);
    }

    async fn whoever_gets_the_name_of_an_account_sees_nothing_of_what_was_done_by_it(lab) {
        lab.people().await;
        let events = async |who| {
            let answer = lab.enzi(who, Method::GET, "/api/v0/events?excludePull=false&pageSize=100", None).await;
            answer.json::<Value>().await.unwrap()["events"].as_array().unwrap().len()
        };
        let token = json!({ "tokenLabel": "secret project" });
        assert_eq!(lab.enzi("sam", Method::POST, "/api/v0/api_tokens", Some(token)).await.status(), 200);
        assert_eq!(events("sam").await, 2, "that the account was made, and the token");
        lab.clock.advance(Duration::from_secs(1));
        lab.done(Method::DELETE, "/accounts/sam", None, 204).await;
        lab.clock.advance(Duration::from_secs(1));
        lab.done(Method::POST, "/accounts", Some(json!({ "name": "sam", "password": PASSWORD })), 201).await;
        assert_eq!(events("sam").await, 1, "that the account was made");
    }

    async fn ones_own_refusals_do_not_tell_which_repositories_there_are(lab) {
        lab.people().await;
        lab.done(Method::POST, "/api/v0/repositories/lab", Some(json!({ "name": "hidden" })), 201).await;
        for name in ["hidden", "none"] {
            let path = format!("/api/v0/repositories/lab/{name}");
            assert_eq!(lab.enzi("sam", Method::DELETE, &path, None).await.status(), 404, "{name}");
        }
        let refused = async |who| {
            let answer = lab.enzi(who, Method::GET, "/api/v0/events?result=refused", None).await;
            let events = answer.json::<Value>().await.unwrap()["events"].take();
            let about = events.as_array().unwrap().iter().map(|event| event["repository"].as_str().unwrap().to_owned());
            let mut about: Vec<_> = about.collect();
            about.sort();
            about
        };
        // They are written behind the answers.
        while refused("admin").await.len() < 2 {
            tokio::task::yield_now().await;
        }
        assert_eq!(refused("admin").await, ["lab/hidden", "lab/none"]);
        assert_eq!(refused("sam").await, [""; 0]);
    }

    async fn a_narrow_token_tells_nothing_of_its_owners_account(lab) {
        lab.people().await;
        let label = "not for everybody";
        for (scope, told) in [(json!("all"), true), (json!("read-only"), false), (json!(["sam/*:admin"]), false)] {
            let new = json!({ "tokenLabel": label, "scope": scope });
            let made = lab.enzi("sam", Method::POST, "/api/v0/api_tokens", Some(new)).await.json::<Value>().await.unwrap();
            let token = made["token"].as_str().unwrap();
            let events = lab.anonymous(Method::GET, "/api/v0/events").basic_auth("sam", Some(token)).send().await.unwrap();
            assert_eq!(events.text().await.unwrap().contains(label), told, "{scope}");
            let bearer = lab.anonymous(Method::GET, "/auth/token").basic_auth("sam", Some(token)).send().await.unwrap();
            let bearer = bearer.json::<Value>().await.unwrap();
            let request = lab.anonymous(Method::GET, "/api/v0/events").bearer_auth(bearer["token"].as_str().unwrap());
            assert!(!request.send().await.unwrap().text().await.unwrap().contains(label), "{scope}");
        }
    }

    async fn a_token_names_only_namespaces_that_there_can_be(lab) {
        for namespace in ["a\u{0}b", "A", "a/b", "", "*", "la b"] {
            let scope = json!({ "scope": [format!("{namespace}/*:read-write")] });
            lab.done(Method::POST, "/api/v0/api_tokens", Some(scope), 400).await;
        }
        let scope = json!({ "scope": ["lab/*:read-write"] });
        lab.done(Method::POST, "/api/v0/api_tokens", Some(scope), 200).await;
    }
}
