//! By which way somebody came in: the record says it, a right that is taken away ends it at once, and none of them shows
//! what its caller may not see.

use std::fmt::Write as _;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use msr_lite::access::accounts::{AccountChange, NewAccount};
use msr_lite::access::personal_tokens::{NewToken, TokenChange, TokenFilter};
use msr_lite::base::Secret;
use msr_lite::base::config::Anonymous;
use msr_lite::meta::{Mode, event};
use msr_lite::model::Event;
use msr_lite::model::account::AccountKind;
use msr_lite::model::event::Happening;
use msr_lite::model::permission::{Level, Place};
use msr_lite::model::personal_token::TokenScope;
use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde_json::Value;

use crate::harness::{Lab, OCI_MANIFEST, code, header, on_each_engine, sha256};
use crate::late::Late;
use crate::pages::{Browser, encoded};
use crate::rights::{PASSWORD, at, system};

impl Lab {
    /// What the token service gives `alice` for this password or token, with a refresh token.
    async fn tokens(&self, password: &str, scope: &str) -> (String, String) {
        let path = format!("/auth/token?service=msr-lite&offline_token=true&scope={scope}");
        let answer: Value = self.by(password, Method::GET, &path).await.json().await.unwrap();
        let text = |key: &str| answer[key].as_str().unwrap().to_owned();
        (text("token"), text("refresh_token"))
    }

    async fn refresh(&self, token: &str, scope: &str) -> Response {
        let form =
            [("grant_type", "refresh_token"), ("service", "msr-lite"), ("refresh_token", token), ("scope", scope)];
        let request = self.anonymous(Method::POST, "/auth/token");
        let request = request.header("content-type", "application/x-www-form-urlencoded").body(encoded(&form));
        request.send().await.unwrap()
    }

    /// What is on record, also of what was only noted so far.
    async fn record(&self) -> Vec<Event> {
        self.server.registry().flush_usage().await.unwrap();
        self.server.registry().meta().read(|tx| event::list(tx, 1000)).unwrap()
    }
}

/// How credentials are shown.
type Shows = Box<dyn Fn(RequestBuilder) -> RequestBuilder>;

/// By which token, and with which program.
fn way(event: &Event) -> (Option<&str>, Option<&str>) {
    (event.via.as_deref(), event.agent.as_deref())
}

on_each_engine! {
    async fn the_record_says_by_which_way_somebody_came(lab) {
        let (manifest, _) = lab.push_image("lab/web", "1", b"layer").await;
        lab.with_alice().await;
        lab.give(Place::Namespace("lab".into()), Level::Admin).await;
        let token = lab.token(TokenScope::All).await;
        let scope = "repository:lab/web:pull,push";
        let (by_password, _) = lab.tokens(PASSWORD, scope).await;
        let (by_token, refresh) = lab.tokens(&token, scope).await;
        let refreshed: Value = lab.refresh(&refresh, scope).await.json().await.unwrap();
        let refreshed = refreshed["token"].as_str().unwrap();
        let nameless = NewToken::default();
        let (nameless, entry) = lab.server.access().create_token(&system(), None, "alice", nameless).await.unwrap();
        let beginning = format!("token {}", &entry.hash.to_string()[..12]);

        let basic = |password: &str| -> Shows {
            let password = password.to_owned();
            Box::new(move |request| request.basic_auth("alice", Some(&password)))
        };
        let bearer = |token: &str| -> Shows {
            let token = token.to_owned();
            Box::new(move |request| request.bearer_auth(&token))
        };
        let ways: [(&str, Shows, Option<&str>); 6] = [
            ("password", basic(PASSWORD), None),
            ("password-bearer", bearer(&by_password), None),
            ("token", basic(&token), Some("build")),
            ("token-bearer", bearer(&by_token), Some("build")),
            ("token-refreshed", bearer(refreshed), Some("build")),
            ("token-nameless", basic(nameless.reveal()), Some(&beginning)),
        ];
        for (tag, show, _) in &ways {
            let agent = format!("client-of-{tag}/1");
            let path = format!("/v2/lab/web/manifests/{tag}");
            let put = show(lab.anonymous(Method::PUT, &path)).header("user-agent", &agent);
            let put = put.header("content-type", OCI_MANIFEST).body(manifest.to_string()).send().await.unwrap();
            assert_eq!(put.status(), StatusCode::CREATED, "{tag}");
            let get = show(lab.anonymous(Method::GET, &path)).header("user-agent", &agent).send().await.unwrap();
            assert_eq!(get.status(), StatusCode::OK, "{tag}");
        }
        let record = lab.record().await;
        for (tag, _, via) in &ways {
            let agent = format!("client-of-{tag}/1");
            let expected = (*via, Some(agent.as_str()));
            let pushed = record.iter().find(|event| {
                matches!(&event.what, Happening::TagPushed { tag: pushed, .. } if pushed.as_str() == *tag)
            });
            let pushed = pushed.unwrap();
            assert_eq!((pushed.actor.name(), pushed.address.as_deref()), ("alice", Some("127.0.0.1")), "{tag}");
            assert_eq!(way(pushed), expected);
            // One for each way: pulls by another token are not added to these.
            let pulled = record.iter().find(|event| {
                matches!(event.what, Happening::Pulled { .. }) && event.agent.as_deref() == Some(&agent)
            });
            assert_eq!(way(pulled.unwrap()), expected, "{tag}");
        }
    }

    async fn pages_the_interface_and_refusals_say_their_way_too(lab) {
        let (manifest, _) = lab.push_image("lab/web", "1", b"layer").await;
        lab.with_alice().await;
        lab.give(Place::Namespace("lab".into()), Level::Admin).await;

        // A page: no token, and the browser's own name.
        let mut browser = Browser::new(&lab);
        assert_eq!(browser.sign_in("alice", PASSWORD).await.status, StatusCode::SEE_OTHER);
        let csrf = browser.get("/repositories").await.csrf();
        let form = encoded(&[("csrf", &csrf), ("name", "alice/paged")]);
        let headers = [("sec-fetch-site", "same-origin"), ("user-agent", "browser/1")];
        let made = browser.request(Method::POST, "/repositories", &headers, &form).await;
        assert_eq!(made.status, StatusCode::SEE_OTHER, "{}", made.text);
        // The REST interface, by token.
        let token = lab.token(TokenScope::All).await;
        let change = lab.anonymous(Method::PATCH, "/api/v0/repositories/lab/web").basic_auth("alice", Some(&token));
        let change = change.header("user-agent", "script/1").json(&serde_json::json!({ "shortDescription": "new" }));
        assert_eq!(change.send().await.unwrap().status(), StatusCode::OK);
        // A push that the token does not give, though its owner may.
        let narrow = lab.token(TokenScope::ReadOnly).await;
        let put = lab.anonymous(Method::PUT, "/v2/lab/web/manifests/2").basic_auth("alice", Some(&narrow));
        let put = put.header("user-agent", "pusher/1").header("content-type", OCI_MANIFEST).body(manifest.to_string());
        assert_eq!(code(put.send().await.unwrap()).await, "DENIED");

        // Whoever is refused does not wait for the record.
        let mut record = lab.record().await;
        for _ in 0..1000 {
            if record.iter().any(|event| matches!(event.what, Happening::Refused { .. })) {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
            record = lab.record().await;
        }
        let of = |wanted: fn(&Happening) -> bool| {
            let found = record.iter().find(|event| event.actor.name() == "alice" && wanted(&event.what));
            found.unwrap_or_else(|| panic!("not in {record:#?}"))
        };
        let made = of(|what| matches!(what, Happening::RepositoryCreated { .. }));
        assert_eq!(way(made), (None, Some("browser/1")));
        let changed = of(|what| matches!(what, Happening::RepositoryChanged { .. }));
        assert_eq!(way(changed), (Some("build"), Some("script/1")));
        let refused = of(|what| matches!(what, Happening::Refused { .. }));
        assert_eq!(way(refused), (Some("build"), Some("pusher/1")));
        let reason = refused.reason.as_deref().unwrap();
        assert!(reason.contains("the access token \"build\" does not allow to push to lab/web"), "{reason}");
    }

    async fn what_was_got_before_ends_with_what_it_was_got_by(lab) {
        lab.push_image("lab/web", "1", b"layer").await;
        lab.with_alice().await;
        lab.give(at("lab/web"), Level::ReadWrite).await;
        let access = lab.server.access();
        let scope = "repository:lab/web:pull";
        let pull = async |bearer: &str| {
            lab.anonymous(Method::GET, "/v2/lab/web/manifests/1").bearer_auth(bearer).send().await.unwrap()
        };
        let is_over = async |why: &str, (bearer, refresh): &(String, String)| {
            let pulled = pull(bearer).await;
            assert_eq!(pulled.status(), StatusCode::UNAUTHORIZED, "{why}");
            // So that clients ask for another one, and do not come again with this.
            let challenge = header(&pulled, "www-authenticate");
            assert!(challenge.starts_with("Bearer ") && challenge.contains("error=\"invalid_token\""), "{why}: {challenge}");
            assert_eq!(code(pulled).await, "UNAUTHORIZED", "{why}");
            let upload = lab.anonymous(Method::POST, "/v2/lab/web/blobs/uploads/").bearer_auth(bearer);
            assert_eq!(upload.send().await.unwrap().status(), StatusCode::UNAUTHORIZED, "{why}");
            let refreshed = lab.refresh(refresh, scope).await;
            assert_eq!(refreshed.status(), StatusCode::UNAUTHORIZED, "{why}");
        };
        let set = async |active: bool| {
            let change = AccountChange { active: Some(active), ..AccountChange::default() };
            access.change_account(&system(), "alice", change).await.unwrap();
        };

        // A personal access token, switched off and on again, and deleted.
        let token = lab.token(TokenScope::All).await;
        let hash = access.tokens(&TokenFilter::default(), None, 10).unwrap()[0].hash;
        let got = lab.tokens(&token, scope).await;
        assert_eq!(pull(&got.0).await.status(), StatusCode::OK);
        let switch = |active| TokenChange { active: Some(active), ..TokenChange::default() };
        access.change_token(&system(), None, &hash, switch(false)).await.unwrap();
        is_over("switched off", &got).await;
        assert_eq!(lab.by(&token, Method::GET, "/auth/token").await.status(), StatusCode::UNAUTHORIZED);
        access.change_token(&system(), None, &hash, switch(true)).await.unwrap();
        assert_eq!(pull(&got.0).await.status(), StatusCode::OK);
        access.delete_token(&system(), None, &hash).await.unwrap();
        is_over("deleted", &got).await;

        // The account, switched off: what it had stays dead when it is switched on again.
        let got = lab.tokens(PASSWORD, scope).await;
        assert_eq!(pull(&got.0).await.status(), StatusCode::OK);
        set(false).await;
        is_over("not active", &got).await;
        assert_eq!(lab.by(PASSWORD, Method::GET, "/auth/token").await.status(), StatusCode::UNAUTHORIZED);
        set(true).await;
        is_over("active again", &got).await;

        // The account, deleted: nothing is good for another one of the same name.
        let got = lab.tokens(PASSWORD, scope).await;
        let token = lab.token(TokenScope::All).await;
        lab.delete_alice().await;
        is_over("deleted", &got).await;
        lab.server.runner().drain().await.unwrap();
        let alice = NewAccount { name: "alice".into(), password: Some(Secret::new(PASSWORD.into())), ..NewAccount::default() };
        access.create_account(&system(), alice).await.unwrap();
        is_over("another of the same name", &got).await;
        assert_eq!(lab.by(&token, Method::GET, "/auth/token").await.status(), StatusCode::UNAUTHORIZED);
        assert_eq!(lab.by(PASSWORD, Method::GET, "/v2/lab/web/manifests/1").await.status(), StatusCode::NOT_FOUND);
    }

    // Every operation of `/v2` and the token service, asked for what exists and for what does not.
    async fn what_one_may_not_see_looks_like_what_is_not_there(lab) {
        lab.hide_from_everybody().await;
        for (who, password) in lab.strangers().await {
            // Another repository of the organization; an organization; a user's namespace; a name of one component.
            for (there, absent) in [("lab/web", "lab/wex"), ("lab/web", "lax/web"), ("carol/app", "caron/app"), ("solo", "sola")] {
                let (here, gone) = (lab.seen(who, &password, there).await, lab.seen(who, &password, absent).await);
                for (one, other) in here.iter().zip(&gone) {
                    assert_eq!(one, other, "{who} can tell {there} from {absent}");
                }
            }
        }
    }
}

impl Lab {
    async fn delete_alice(&self) {
        self.server.access().delete_account(&system(), "alice").await.unwrap();
    }

    /// `lab/web`, `carol/app` and `solo` with an image each, and a team that may read the first.
    async fn hide_from_everybody(&self) {
        self.with_alice().await;
        let access = self.server.access();
        for user in ["bob", "carol"] {
            let password = Some(Secret::new(PASSWORD.to_owned()));
            let user = NewAccount { name: user.into(), password, ..NewAccount::default() };
            access.create_account(&system(), user).await.unwrap();
        }
        let hall = NewAccount { name: "hall".into(), kind: AccountKind::Organization, ..NewAccount::default() };
        access.create_account(&system(), hall).await.unwrap();
        for repo in ["lab/web", "carol/app", "solo", "hall/open"] {
            self.push_image(repo, "1", b"the layer").await;
        }
        self.give(at("lab/web"), Level::ReadOnly).await;
        // Somebody of the organization, but of no team.
        access.set_member(&system(), "lab", "bob", false).await.unwrap();
    }

    /// Those who may not see it: a member of the organization without a team, and by a token for another place a member
    /// of the team.
    async fn strangers(&self) -> Vec<(&'static str, String)> {
        let token = self.token(TokenScope::Places(vec![(at("hall/open"), Level::Admin)])).await;
        vec![("bob", PASSWORD.to_owned()), ("alice", token)]
    }

    /// What somebody is answered who asks for a repository in every way, by Basic and by the bearer token that the token
    /// service gives for it; its name is left out.
    async fn seen(&self, who: &str, password: &str, repo: &str) -> Vec<String> {
        let digest = sha256(b"the layer");
        let v2 = format!("/v2/{repo}");
        let requests = [
            (Method::GET, format!("{v2}/manifests/1")),
            (Method::HEAD, format!("{v2}/manifests/1")),
            (Method::GET, format!("{v2}/manifests/{digest}")),
            (Method::PUT, format!("{v2}/manifests/2")),
            (Method::DELETE, format!("{v2}/manifests/1")),
            (Method::GET, format!("{v2}/blobs/{digest}")),
            (Method::HEAD, format!("{v2}/blobs/{digest}")),
            (Method::DELETE, format!("{v2}/blobs/{digest}")),
            (Method::POST, format!("{v2}/blobs/uploads/")),
            (Method::POST, format!("{v2}/blobs/uploads/?mount={digest}&from=hall/open")),
            (Method::PATCH, format!("{v2}/blobs/uploads/0123456789abcdef0123456789abcdef")),
            (Method::GET, format!("{v2}/tags/list")),
            (Method::GET, format!("{v2}/referrers/{digest}")),
            (Method::GET, format!("/v2/_catalog?last={repo}")),
            (Method::POST, format!("/v2/{who}/own/blobs/uploads/?mount={digest}&from={repo}")),
        ];
        let scope = format!("repository:{repo}:pull,push,delete,*");
        let mut seen = Vec::new();
        let asked = format!("/auth/token?service=msr-lite&scope={scope}&scope=repository:{who}/own:pull,push");
        let answer = self.anonymous(Method::GET, &asked).basic_auth(who, Some(password)).send().await.unwrap();
        let answer: Value = answer.json().await.unwrap();
        let bearer = answer["token"].as_str().unwrap();
        let claims = URL_SAFE_NO_PAD.decode(bearer.split('.').nth(1).unwrap()).unwrap();
        let claims: Value = serde_json::from_slice(&claims).unwrap();
        let access = claims["access"].to_string();
        assert!(!access.contains(repo), "{who} is given {access}");
        seen.push(format!("token: {access} {} {}", answer["scope"], answer["expires_in"]));
        for (method, path) in requests {
            for by_bearer in [false, true] {
                let request = self.anonymous(method.clone(), &path).header("content-type", OCI_MANIFEST);
                let request =
                    if by_bearer { request.bearer_auth(bearer) } else { request.basic_auth(who, Some(password)) };
                let answer = request.send().await.unwrap();
                let mut text =
                    format!("{method} {path} {} {:?}\n", if by_bearer { "bearer" } else { "basic" }, answer.status());
                for (name, value) in answer.headers() {
                    // Different in every answer.
                    if !["date", "x-request-id", "docker-upload-uuid", "location"].contains(&name.as_str()) {
                        let _ = writeln!(text, "{name}: {}", value.to_str().unwrap());
                    }
                }
                text.push_str(&answer.text().await.unwrap());
                let namespace = repo.split('/').next().unwrap();
                seen.push(text.replace(repo, "REPO").replace(&format!("of {namespace},"), "of NAMESPACE,"));
            }
        }
        seen
    }
}

/// Nobody at all is told as little, also where public repositories are open to everybody.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_is_told_what_is_private() {
    let lab = Lab::with(Mode::Normal, |config| config.anonymous = Anonymous::PublicRepositories).await;
    lab.hide_from_everybody().await;
    lab.publish("hall/open").await;
    let ask = async |repo: &str| {
        let token: Value = lab
            .anonymous(Method::GET, &format!("/auth/token?scope=repository:{repo}:pull"))
            .send()
            .await
            .unwrap()
            .json()
            .await
            .unwrap();
        let pull = lab
            .anonymous(Method::GET, &format!("/v2/{repo}/manifests/1"))
            .bearer_auth(token["token"].as_str().unwrap());
        let pull = pull.send().await.unwrap();
        let challenge = header(&pull, "www-authenticate").replace(repo, "REPO");
        let status = pull.status().as_u16();
        (
            status,
            challenge,
            pull.text().await.unwrap().replace(repo, "REPO"),
            token["scope"].to_string().replace(repo, "REPO"),
        )
    };
    assert_eq!(ask("hall/open").await.0, 200);
    for (there, absent) in
        [("lab/web", "lab/wex"), ("lab/web", "lax/web"), ("carol/app", "caron/app"), ("solo", "sola")]
    {
        let seen = ask(there).await;
        assert_eq!(seen.0, 401);
        assert_eq!(seen, ask(absent).await);
    }
}

/// A token is looked at when a request begins: what takes longer than the token lives is not cut off, and a token that
/// is got meanwhile goes on with the same upload.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_push_outlives_its_token() {
    let lab = Lab::new(Mode::Normal).await;
    lab.with_alice().await;
    let scope = "repository:alice/large:pull,push";
    let (bearer, refresh) = lab.tokens(PASSWORD, scope).await;
    let with = |bearer: &str, method: Method, path: &str| lab.anonymous(method, path).bearer_auth(bearer);
    let begun = with(&bearer, Method::POST, "/v2/alice/large/blobs/uploads/").send().await.unwrap();
    assert_eq!(begun.status(), StatusCode::ACCEPTED);
    let location = header(&begun, "location");

    let content = "a long layer ".repeat(30_000);
    // Let in while the token lives; its content comes later.
    let head = format!("authorization: Bearer {bearer}\r\ncontent-type: application/octet-stream");
    let patch = Late::begin(&lab, &format!("PATCH {location}"), &head, &content).await;
    lab.clock.advance(Duration::from_hours(2));
    let late = with(&bearer, Method::GET, "/v2/").send().await.unwrap();
    assert_eq!(late.status(), StatusCode::UNAUTHORIZED, "the token is over");
    assert_eq!(patch.end().await, 202);

    let end =
        format!("{location}{}digest={}", if location.contains('?') { '&' } else { '?' }, sha256(content.as_bytes()));
    let late = with(&bearer, Method::PUT, &end).send().await.unwrap();
    assert_eq!(late.status(), StatusCode::UNAUTHORIZED);
    assert!(header(&late, "www-authenticate").contains("scope=\"repository:alice/large:pull,push\""));
    let refreshed: Value = lab.refresh(&refresh, scope).await.json().await.unwrap();
    let put = with(refreshed["token"].as_str().unwrap(), Method::PUT, &end).send().await.unwrap();
    assert_eq!(put.status(), StatusCode::CREATED, "{}", put.text().await.unwrap());
}
