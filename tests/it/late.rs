//! Ways around what is promised of rights that were found by trying: requests whose body comes late, and what the record
//! and narrow tokens tell.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use msr_lite::access::accounts::AccountChange;
use msr_lite::access::personal_tokens::{NewToken, TokenFilter};
use msr_lite::meta::Mode;
use msr_lite::model::permission::Level;
use msr_lite::model::personal_token::TokenScope;
use reqwest::Method;
use rustls::pki_types::ServerName;
use rustls::pki_types::pem::PemObject as _;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::api_accounts::PASSWORD;
use crate::harness::{Lab, OCI_INDEX, header, on_each_engine, sha256};
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

/// The head of a request with the bytes of a blob.
fn octets(authorization: &str) -> String {
    format!("{authorization}\r\ncontent-type: application/octet-stream")
}

impl Lab {
    /// Where an upload to `lab/web` goes on that `alice` has begun.
    async fn upload_of_alice(&self) -> String {
        let begun = self.by(crate::rights::PASSWORD, Method::POST, "/v2/lab/web/blobs/uploads/").await;
        assert_eq!(begun.status(), 202);
        header(&begun, "location")
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

    async fn an_upload_whose_right_was_taken_away_links_nothing_and_can_go_on_later(lab) {
        lab.push_image("lab/web", "1", b"layer").await;
        lab.with_alice().await;
        lab.give(at("lab/web"), Level::ReadWrite).await;
        let (head, patched, put, posted) = (octets(&basic("alice", crate::rights::PASSWORD)), "patched", "put", "posted");
        let [first, second] = [lab.upload_of_alice().await, lab.upload_of_alice().await];
        let patch = Late::begin(&lab, &format!("PATCH {first}"), &head, patched).await;
        let end = format!("{second}?digest={}", sha256(put.as_bytes()));
        let end = Late::begin(&lab, &format!("PUT {end}"), &head, put).await;
        let whole = format!("POST /v2/lab/web/blobs/uploads/?digest={}", sha256(posted.as_bytes()));
        let whole = Late::begin(&lab, &whole, &head, posted).await;
        lab.server.access().remove_team_member(&system(), "lab", "dev", "alice").await.unwrap();
        assert_eq!([patch.end().await, end.end().await, whole.end().await], [404; 3]);
        for content in [patched, put, posted] {
            let address = format!("/v2/lab/web/blobs/{}", sha256(content.as_bytes()));
            assert_eq!(lab.head(&address).await.status(), 404, "{content}");
        }
        assert_eq!(lab.server.registry().blobs().open_sessions(), 2, "nobody knows the name of the third one");
        assert_eq!(lab.by(crate::rights::PASSWORD, Method::GET, &first).await.status(), 404);

        lab.server.access().add_team_member(&system(), "lab", "dev", "alice").await.unwrap();
        for (upload, content) in [(first, patched), (second, put)] {
            let end = format!("{upload}?digest={}", sha256(content.as_bytes()));
            assert_eq!(lab.by(crate::rights::PASSWORD, Method::PUT, &end).await.status(), 201, "{content}");
        }
    }

    // A thousand of them took a registry's last descriptor, for a day.
    async fn uploads_that_did_not_end_keep_no_file_open(lab) {
        lab.push_image("lab/web", "1", b"layer").await;
        lab.with_alice().await;
        lab.give(at("lab/web"), Level::ReadWrite).await;
        let (head, content) = (octets(&basic("alice", crate::rights::PASSWORD)), "x".repeat(100_000));
        let right = sha256(content.as_bytes());
        let [wrong, refused, left] =
            [lab.upload_of_alice().await, lab.upload_of_alice().await, lab.upload_of_alice().await];
        let put = |upload: &str, digest| format!("PUT {upload}?digest={digest}");
        let request = Late::begin(&lab, &put(&wrong, sha256(b"other")), &head, &content).await;
        assert_eq!(request.end().await, 400);
        let mut request = Late::begin(&lab, &put(&left, right), &head, &content).await;
        request.stream.write_all(&content.as_bytes()[..60_000]).await.unwrap();
        request.stream.flush().await.unwrap();
        drop(request);
        let request = Late::begin(&lab, &put(&refused, right), &head, &content).await;
        lab.server.access().remove_team_member(&system(), "lab", "dev", "alice").await.unwrap();
        assert_eq!(request.end().await, 404);
        let open = || {
            let files = std::fs::read_dir("/proc/self/fd").unwrap().filter_map(|fd| fd.unwrap().path().read_link().ok());
            files.filter(|file| file.starts_with(lab.data().join("blobs"))).count()
        };
        let closed = async {
            while open() > 0 {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        assert!(tokio::time::timeout(Duration::from_secs(20), closed).await.is_ok(), "{} are open", open());

        lab.server.access().add_team_member(&system(), "lab", "dev", "alice").await.unwrap();
        for upload in [wrong, refused] {
            let end = format!("{upload}?digest={right}");
            assert_eq!(lab.by(crate::rights::PASSWORD, Method::PUT, &end).await.status(), 201);
        }
    }

    async fn an_upload_ends_with_the_token_the_account_or_the_mode_that_let_it_begin(lab) {
        lab.push_image("lab/web", "1", b"layer").await;
        lab.with_alice().await;
        lab.give(at("lab/web"), Level::ReadWrite).await;
        let token = lab.token(TokenScope::All).await;
        let scope = "/auth/token?scope=repository:lab/web:pull,push";
        let bearer = lab.by(&token, Method::GET, scope).await.json::<Value>().await.unwrap();
        let by_bearer = octets(&format!("authorization: Bearer {}", bearer["token"].as_str().unwrap()));
        let by_token = octets(&basic("alice", &token));
        let begin = async |head: &str, content: &'static str| {
            let end = format!("{}?digest={}", lab.upload_of_alice().await, sha256(content.as_bytes()));
            Late::begin(&lab, &format!("PUT {end}"), head, content).await
        };
        let (one, two) = (begin(&by_bearer, "one").await, begin(&by_token, "two").await);
        let access = lab.server.access();
        let hash = access.tokens(&TokenFilter::default(), None, 1).unwrap()[0].hash;
        access.delete_token(&system(), None, &hash).await.unwrap();
        assert_eq!([one.end().await, two.end().await], [401; 2]);

        let by_password = octets(&basic("alice", crate::rights::PASSWORD));
        let three = begin(&by_password, "three").await;
        lab.server.registry().set_read_only(&system(), Some(String::new())).await.unwrap();
        assert_eq!(three.end().await, 403);
        lab.server.registry().set_read_only(&system(), None).await.unwrap();

        let four = begin(&by_password, "four").await;
        switch_off(&lab, "alice").await;
        assert_eq!(four.end().await, 401);
        for content in ["one", "two", "three", "four"] {
            let path = format!("/v2/lab/web/blobs/{}", sha256(content.as_bytes()));
            assert_eq!(lab.head(&path).await.status(), 404, "{content}");
        }
    }

    async fn an_upload_that_takes_longer_than_a_sign_in_is_remembered_is_not_asked_for_the_password_again(lab) {
        lab.with_alice().await;
        let head = octets(&basic("alice", crate::rights::PASSWORD));
        let whole = |content: &str| format!("POST /v2/alice/app/blobs/uploads/?digest={}", sha256(content.as_bytes()));
        let late = Late::begin(&lab, &whole("long"), &head, "long").await;
        lab.clock.advance(Duration::from_hours(2));
        // So many that who signs in anew has to wait.
        for n in 0..6 {
            lab.by(&format!("wrong {n}"), Method::GET, "/v2/").await;
        }
        assert_eq!(lab.by(crate::rights::PASSWORD, Method::GET, "/v2/").await.status(), 429);
        assert_eq!(late.end().await, 201);
    }

    async fn a_narrow_token_of_an_administrator_makes_no_organization(lab) {
        let new = |scope: &str| {
            let (scope, label) = (TokenScope::parse(scope).unwrap(), "build".to_owned());
            NewToken { label, scope, ..NewToken::default() }
        };
        let access = lab.server.access();
        let (narrow, _) = access.create_token(&system(), None, "admin", new("fresh/*:admin")).await.unwrap();
        let (wide, _) = access.create_token(&system(), None, "admin", new("all")).await.unwrap();
        let path = "/v2/fresh/app/blobs/uploads/";
        let service = "/auth/token?scope=repository:fresh/app:pull,push";
        let by = |method, path: &str, token: &str| lab.anonymous(method, path).basic_auth("admin", Some(token));
        let bearer = by(Method::GET, service, narrow.reveal()).send().await.unwrap().json::<Value>().await.unwrap();
        let bearer = bearer["token"].as_str().unwrap();
        for request in [by(Method::POST, path, narrow.reveal()), lab.anonymous(Method::POST, path).bearer_auth(bearer)] {
            let answer = request.send().await.unwrap();
            assert_eq!(answer.status(), 403);
            let text = answer.text().await.unwrap();
            assert!(text.contains("the access token \\\"build\\\" does not allow to make it"), "{text}");
        }
        let made = json!({ "name": "app" });
        let made = by(Method::POST, "/api/v0/repositories/fresh", narrow.reveal()).json(&made).send().await.unwrap();
        assert_eq!(made.status(), 409, "{}", made.text().await.unwrap());
        assert!(access.account("fresh").unwrap().is_none());

        let whole = format!("{path}?digest={}", sha256(b"x"));
        assert_eq!(by(Method::POST, &whole, wide.reveal()).body("x").send().await.unwrap().status(), 201);
        assert!(access.account("fresh").unwrap().is_some_and(|account| account.is_organization()));
        let other = "/v2/fresh/other/blobs/uploads/";
        assert_eq!(by(Method::POST, other, narrow.reveal()).send().await.unwrap().status(), 202, "it is there now");
    }

    async fn a_request_that_deactivates_the_last_administrator_leaves_the_password(lab) {
        let both = json!({ "password": "another long password", "isActive": false });
        lab.done(Method::PATCH, "/accounts/admin", Some(both), 409).await;
        assert_eq!(lab.get("/v2/").await.status(), 200, "with the password so far");
    }

    async fn a_manifest_may_take_longer_than_its_token(lab) {
        lab.with_alice().await;
        let scope = "/auth/token?scope=repository:alice/app:pull,push";
        let bearer = lab.by(crate::rights::PASSWORD, Method::GET, scope).await.json::<Value>().await.unwrap();
        let index = json!({ "schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [] }).to_string();
        let head =
            format!("authorization: Bearer {}\r\ncontent-type: {OCI_INDEX}", bearer["token"].as_str().unwrap());
        let late = Late::begin(&lab, "PUT /v2/alice/app/manifests/late", &head, &index).await;
        lab.clock.advance(Duration::from_hours(2));
        assert_eq!(late.end().await, 201);
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
