//! Who may do what, over the wire: teams, access tokens, public repositories, read-only mode.

use std::time::Instant;

use msr_lite::access::accounts::{AccountChange, AccountFilter, NewAccount};
use msr_lite::access::personal_tokens::{NewToken, TokenChange, TokenFilter};
use msr_lite::access::rights::Visible;
use msr_lite::access::{Access, AccessSettings};
use msr_lite::base::Secret;
use msr_lite::base::config::Anonymous;
use msr_lite::base::{Clock, RepoId, Timestamp, Uuid};
use msr_lite::meta::grant::{self, At};
use msr_lite::meta::{Engine, MetaError, Mode, WriteTx, account, organization as rows, personal_token, repo};
use msr_lite::model::account::AccountKind;
use msr_lite::model::event::Happening;
use msr_lite::model::operation::Requirement;
use msr_lite::model::organization::{Member, Team};
use msr_lite::model::permission::{Level, Place};
use msr_lite::model::personal_token::{GeneratedBy, PersonalToken, TokenHash, TokenScope};
use msr_lite::model::{Account, Action, Actor, Caller, Principal};
use msr_lite::oci::RepoName;
use msr_lite::oci::kind::Kind;
use msr_lite::registry::listing::Sort;
use msr_lite::registry::repos::RepoQuery;
use reqwest::{Method, Response, StatusCode};
use serde_json::Value;

use crate::harness::{Lab, OCI_MANIFEST, code, on_each_engine, sha256};

pub(crate) const PASSWORD: &str = "a password of alice";

pub(crate) fn system() -> Actor {
    Actor::system()
}

fn name(text: &str) -> RepoName {
    RepoName::parse(text).unwrap()
}

pub(crate) fn at(text: &str) -> Place {
    Place::Repository(name(text))
}

impl Lab {
    /// The user `alice` in the team `dev` of the organization `lab`.
    pub(crate) async fn with_alice(&self) {
        let access = self.server.access();
        let password = Some(Secret::new(PASSWORD.to_owned()));
        let alice = NewAccount { name: "alice".into(), password, ..NewAccount::default() };
        access.create_account(&system(), alice).await.unwrap();
        if access.account("lab").unwrap().is_none() {
            let lab = NewAccount { name: "lab".into(), kind: AccountKind::Organization, ..NewAccount::default() };
            access.create_account(&system(), lab).await.unwrap();
        }
        access.create_team(&system(), "lab", "dev", "").await.unwrap();
        access.add_team_member(&system(), "lab", "dev", "alice").await.unwrap();
    }

    pub(crate) async fn give(&self, place: Place, level: Level) {
        self.server.access().set_grant(&system(), &place, "lab", "dev", level).await.unwrap();
    }

    async fn take(&self, place: Place) {
        self.server.access().remove_grant(&system(), &place, "lab", "dev").await.unwrap();
    }

    pub(crate) async fn by(&self, password: &str, method: Method, path: &str) -> Response {
        self.anonymous(method, path).basic_auth("alice", Some(password)).send().await.unwrap()
    }

    async fn statuses(&self, password: &str, repo: &str) -> [u16; 4] {
        let manifest = format!("/v2/{repo}/manifests/1");
        let upload = format!("/v2/{repo}/blobs/uploads/");
        let missing = format!("/v2/{repo}/manifests/none");
        let api = format!("/api/v0/repositories/{repo}");
        let change =
            self.anonymous(Method::PATCH, &api).basic_auth("alice", Some(password)).json(&serde_json::json!({}));
        [
            self.by(password, Method::GET, &manifest).await.status().as_u16(),
            self.by(password, Method::POST, &upload).await.status().as_u16(),
            self.by(password, Method::DELETE, &missing).await.status().as_u16(),
            change.send().await.unwrap().status().as_u16(),
        ]
    }

    pub(crate) async fn token(&self, scope: TokenScope) -> String {
        let new = NewToken { label: "build".into(), scope, ..NewToken::default() };
        let (text, _) = self.server.access().create_token(&system(), None, "alice", new).await.unwrap();
        text.reveal().clone()
    }
}

on_each_engine! {
    async fn a_team_member_may_what_the_grant_says_until_it_is_taken_away(lab) {
        lab.push_image("lab/web", "1", b"layer").await;
        lab.with_alice().await;
        assert_eq!(lab.statuses(PASSWORD, "lab/web").await, [404; 4]);
        lab.give(at("lab/web"), Level::ReadOnly).await;
        assert_eq!(lab.statuses(PASSWORD, "lab/web").await, [200, 403, 403, 403]);
        lab.give(at("lab/web"), Level::ReadWrite).await;
        assert_eq!(lab.statuses(PASSWORD, "lab/web").await, [200, 202, 404, 403]);
        lab.give(at("lab/web"), Level::Admin).await;
        assert_eq!(lab.statuses(PASSWORD, "lab/web").await, [200, 202, 404, 200]);
        lab.take(at("lab/web")).await;
        assert_eq!(lab.statuses(PASSWORD, "lab/web").await, [404; 4]);
        lab.publish("lab/web").await;
        assert_eq!(lab.statuses(PASSWORD, "lab/web").await, [200, 403, 403, 403]);
    }

    async fn repositories_come_into_being_where_the_pusher_may_make_them(lab) {
        lab.with_alice().await;
        let begin = async |repo: &str| {
            let answer = lab.by(PASSWORD, Method::POST, &format!("/v2/{repo}/blobs/uploads/")).await;
            (answer.status().as_u16(), answer.text().await.unwrap())
        };
        assert_eq!(begin("alice/new").await.0, 202);
        assert_eq!(begin("lab/new").await.0, 404);
        lab.give(Place::Namespace("lab".into()), Level::ReadOnly).await;
        assert_eq!(begin("lab/new").await.0, 403);
        lab.give(Place::Namespace("lab".into()), Level::ReadWrite).await;
        assert_eq!(begin("lab/new").await.0, 202);
        assert_eq!(begin("nobodys/new").await.0, 404);
        assert_eq!(begin("single").await.0, 404);
        // An administrator's push to a namespace that nobody has makes the organization.
        lab.push_image("fresh/app", "1", b"layer").await;
        assert!(lab.server.access().account("fresh").unwrap().unwrap().is_organization());
        let events = lab.server.registry().meta().read(|tx| msr_lite::meta::event::list(tx, 1000)).unwrap();
        let made = events.iter().any(|event| matches!(
            &event.what,
            Happening::AccountCreated { account, by_push_to: Some(repo), .. } if account == "fresh" && repo.as_str() == "fresh/app"
        ));
        assert!(made, "and the record says by what");
        lab.push_image("single", "1", b"layer").await;
        // Anonymous mounts and catalogs show what the account may see and no more.
        lab.push_image("hidden/app", "1", b"secret layer").await;
        let mount = format!("/v2/alice/new/blobs/uploads/?mount={}", sha256(b"secret layer"));
        assert_eq!(lab.by(PASSWORD, Method::POST, &mount).await.status(), StatusCode::ACCEPTED);
        let catalog: Value = lab.by(PASSWORD, Method::GET, "/v2/_catalog").await.json().await.unwrap();
        assert_eq!(catalog["repositories"], serde_json::json!([]));
        lab.publish("fresh/app").await;
        let catalog: Value = lab.by(PASSWORD, Method::GET, "/v2/_catalog").await.json().await.unwrap();
        assert_eq!(catalog["repositories"], serde_json::json!(["fresh/app"]));
    }

    async fn a_token_for_one_place_is_good_for_nothing_else(lab) {
        lab.push_image("lab/web", "1", b"layer").await;
        lab.push_image("lab/db", "1", b"other layer").await;
        lab.with_alice().await;
        lab.give(Place::Namespace("lab".into()), Level::Admin).await;
        let token = lab.token(TokenScope::Places(vec![(at("lab/web"), Level::ReadWrite)])).await;
        assert_eq!(lab.statuses(&token, "lab/web").await, [200, 202, 404, 403]);
        assert_eq!(lab.statuses(&token, "lab/db").await, [404; 4]);
        assert_eq!(lab.statuses(&lab.token(TokenScope::ReadOnly).await, "lab/db").await, [200, 403, 403, 403]);
        let catalog: Value = lab.by(&token, Method::GET, "/v2/_catalog").await.json().await.unwrap();
        assert_eq!(catalog["repositories"], serde_json::json!(["lab/web"]));
        // As docker signs in, and asks for more than the token gives.
        let service = "/auth/token?scope=repository:lab/web:pull,push&scope=repository:lab/db:pull&offline_token=true";
        let answer: Value = lab.by(&token, Method::GET, service).await.json().await.unwrap();
        let bearer = answer["token"].as_str().unwrap().to_owned();
        let show = async |method: Method, path: &str| {
            lab.anonymous(method, path).bearer_auth(&bearer).send().await.unwrap().status().as_u16()
        };
        assert_eq!(show(Method::GET, "/v2/lab/web/manifests/1").await, 200);
        assert_eq!(show(Method::GET, "/v2/lab/db/manifests/1").await, 404);
        // A mount looks for a source with the account's rights, but not past the token's.
        let mount = format!("/v2/lab/web/blobs/uploads/?mount={}", sha256(b"other layer"));
        assert_eq!(show(Method::POST, &mount).await, 202);
        assert_eq!(show(Method::POST, &format!("{mount}&from=lab/db")).await, 202);
        let own = lab.by(PASSWORD, Method::POST, &mount).await;
        assert_eq!(own.status(), StatusCode::CREATED, "the account itself may");
        // Switched off, everything that was got with it stops.
        let tokens = lab.server.access().tokens(&TokenFilter::default(), None, 10).unwrap();
        let entry = tokens.iter().find(|entry| entry.token.scope != TokenScope::ReadOnly).unwrap();
        assert!(entry.used.is_some());
        let off = TokenChange { active: Some(false), ..TokenChange::default() };
        lab.server.access().change_token(&system(), None, &entry.hash, off).await.unwrap();
        assert_eq!(show(Method::GET, "/v2/lab/web/manifests/1").await, 401);
        assert_eq!(lab.by(&token, Method::GET, "/v2/").await.status(), StatusCode::UNAUTHORIZED);
    }

    async fn read_only_mode_refuses_pushes_at_their_first_request(lab) {
        let (manifest, digest) = lab.push_image("lab/web", "1", b"layer").await;
        let upload = lab.begin_upload("lab/web").await;
        let registry = lab.server.registry();
        assert!(registry.set_read_only(&system(), Some("moving to a larger disk".into())).await.unwrap());
        assert!(!registry.set_read_only(&system(), Some("moving to a larger disk".into())).await.unwrap());
        assert_eq!(lab.get("/v2/lab/web/manifests/1").await.status(), StatusCode::OK);
        for answer in [
            lab.request(Method::POST, "/v2/lab/web/blobs/uploads/").send().await.unwrap(),
            lab.request(Method::POST, &format!("/v2/lab/web/blobs/uploads/?digest={digest}")).send().await.unwrap(),
            lab.put_manifest("lab/web", "2", OCI_MANIFEST, &manifest).await,
            lab.delete("/v2/lab/web/manifests/1").await,
            lab.delete(&format!("/v2/lab/web/manifests/{digest}")).await,
        ] {
            assert_eq!(answer.status(), StatusCode::FORBIDDEN);
            let body: Value = answer.json().await.unwrap();
            assert_eq!(body["errors"][0]["code"], "DENIED");
            let message = body["errors"][0]["message"].as_str().unwrap();
            assert!(message.contains("read-only") && message.contains("moving to a larger disk"), "{message}");
        }
        registry.collect_garbage(msr_lite::registry::gc::Options::default()).await.unwrap();
        assert!(registry.set_read_only(&system(), None).await.unwrap());
        let body = reqwest::Body::from("late");
        let path = format!("{upload}{}digest={}", if upload.contains('?') { '&' } else { '?' }, sha256(b"late"));
        assert_eq!(lab.request(Method::PUT, &path).body(body).send().await.unwrap().status(), StatusCode::CREATED);
    }

    async fn lists_are_read_where_something_is_visible(lab) {
        for n in 0..12 {
            lab.push_image(&format!("lab/r{n:02}"), "1", format!("{n}").as_bytes()).await;
            lab.push_image(&format!("other/r{n:02}"), "1", format!("{n}").as_bytes()).await;
        }
        lab.push_image("mine/app", "1", b"layer").await;
        lab.with_alice().await;
        lab.publish("other/r07").await;
        for repo in ["lab/r03", "lab/r11"] {
            lab.give(at(repo), Level::ReadOnly).await;
        }
        let access = lab.server.access();
        access.set_member(&system(), "mine", "alice", true).await.unwrap();
        let alice = Caller::of(Principal::User { name: "alice".into(), admin: false });
        let visible = access.visible(&alice).unwrap();
        assert!(matches!(visible, Visible::Some(_)));
        let pull = msr_lite::model::Action::Pull;
        let readable = |name: &RepoName| {
            access.may(&alice, msr_lite::model::operation::Requirement::Repository(name, pull))
        };
        for sort in Sort::ALL {
            for (namespace, kind) in
                [(None, None), (Some("lab"), None), (Some("mine"), None), (None, Some(Kind::Image)), (None, Some(Kind::Chart))]
            {
                for limit in [1, 2, 100] {
                    let all = |visible: &Visible| {
                        let namespace = namespace.map(str::to_owned);
                        let mut query = RepoQuery { sort, namespace, kind, limit, ..RepoQuery::default() };
                        let mut names = Vec::new();
                        loop {
                            let page = lab.server.registry().repositories_visible(&query, visible, readable).unwrap();
                            names.extend(page.entries.into_iter().map(|entry| entry.name.to_string()));
                            query.after = page.next;
                            if query.after.is_none() {
                                break (names, page.total);
                            }
                        }
                    };
                    let found = all(&visible);
                    assert_eq!(found, all(&Visible::Ask), "{sort:?} {namespace:?} {kind:?} {limit}");
                    if namespace.is_none() && kind != Some(Kind::Chart) {
                        assert_eq!(found.0.len(), 4);
                    }
                }
            }
        }
    }
}

/// What is public is seen by whom `anonymous` says, and what is private by nobody else, in every list and by every way in.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn visibility_holds_wherever_repositories_are_named() {
    for anonymous in [Anonymous::None, Anonymous::PublicRepositories] {
        let lab = Lab::with(Mode::Normal, |config| config.anonymous = anonymous).await;
        let (_, open) = lab.push_image("lab/open", "both", b"open layer").await;
        let (_, shut) = lab.push_image("lab/shut", "both", b"shut layer").await;
        lab.with_alice().await;
        for public in [true, false] {
            let visibility = if public { repo::Visibility::Public } else { repo::Visibility::Private };
            let change = msr_lite::registry::repos::RepoChange { visibility: Some(visibility), ..Default::default() };
            lab.server.registry().change_repository(system(), &name("lab/open"), change).await.unwrap();
            let pages = [
                "/v2/_catalog",
                "/api/v0/repositories",
                "/api/v0/repositories?count=true",
                "/api/v0/repositories/lab",
                "/api/v0/events",
                "/repositories",
                "/search?q=lab",
                "/search?q=both",
                &format!("/search?q={}", &open.to_string()[..20]),
                &format!("/search?q={}", &shut.to_string()[..20]),
            ];
            for path in pages {
                for signed_in in [false, true] {
                    let answer = if signed_in {
                        lab.by(PASSWORD, Method::GET, path).await
                    } else {
                        lab.anonymous(Method::GET, path).send().await.unwrap()
                    };
                    let (status, text) = (answer.status(), answer.text().await.unwrap());
                    let place =
                        format!("{path} {anonymous:?} public: {public} signed in: {signed_in}: {status} {text}");
                    assert!(!text.contains("lab/shut") && !text.contains("\"shut\""), "{place}");
                    let names_it = text.contains("lab/open") || text.contains("\"open\"");
                    let page = !path.starts_with("/v2") && !path.starts_with("/api");
                    let everybody = anonymous == Anonymous::PublicRepositories && !path.ends_with("/events");
                    // Basic credentials mean nothing to a page: there, everybody is nobody.
                    let may = public && (everybody || signed_in && !page);
                    if !path.contains(&shut.to_string()[..20]) {
                        assert_eq!(names_it, may, "{place}");
                    }
                }
            }
            let nobody = if public && anonymous == Anonymous::PublicRepositories { 200 } else { 401 };
            let somebody = if public { 200 } else { 404 };
            for (repo, digest, nobody, somebody) in
                [("lab/open", &open, nobody, somebody), ("lab/shut", &shut, 401, 404)]
            {
                for path in [
                    format!("/v2/{repo}/referrers/{digest}"),
                    format!("/v2/{repo}/manifests/{digest}"),
                    format!("/v2/{repo}/tags/list"),
                    format!("/api/v0/repositories/{repo}"),
                    format!("/api/v0/repositories/{repo}/tags"),
                ] {
                    let by_nobody = lab.anonymous(Method::GET, &path).send().await.unwrap().status().as_u16();
                    let by_alice = lab.by(PASSWORD, Method::GET, &path).await.status().as_u16();
                    assert_eq!((by_nobody, by_alice), (nobody, somebody), "{path} {anonymous:?} {public}");
                }
            }
            let events = lab.by(PASSWORD, Method::GET, "/api/v0/repositories/lab/shut/events").await;
            assert_eq!(events.status(), StatusCode::NOT_FOUND);
            for (layer, repo, expected) in [
                (&b"open layer"[..], "lab/open", if public { 201 } else { 202 }),
                (&b"shut layer"[..], "lab/shut", 202),
            ] {
                for from in [String::new(), format!("&from={repo}")] {
                    // A new repository each time: what was mounted once is there.
                    let target = format!("alice/m{public}{}", from.is_empty()).to_lowercase();
                    let mount = format!("/v2/{target}/blobs/uploads/?mount={}{from}", sha256(layer));
                    let status = lab.by(PASSWORD, Method::POST, &mount).await.status().as_u16();
                    // Without a source the blob may be found in what alice mounted before.
                    if public || !from.is_empty() || layer == b"shut layer" {
                        assert_eq!(status, expected, "{mount}");
                    }
                }
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_push_makes_no_repository_where_that_is_off() {
    let lab = Lab::with(Mode::Strict, |config| {
        config.create_on_push = false;
        config.anonymous = Anonymous::PublicRepositories;
    })
    .await;
    lab.with_alice().await;
    let answer = lab.by(PASSWORD, Method::POST, "/v2/alice/new/blobs/uploads/").await;
    assert_eq!(answer.status(), StatusCode::FORBIDDEN);
    let body: Value = answer.json().await.unwrap();
    assert!(body["errors"][0]["message"].as_str().unwrap().contains("make it first"), "{body}");
    let admin = lab.request(Method::POST, "/v2/lab/new/blobs/uploads/").send().await.unwrap();
    assert_eq!(code(admin).await, "DENIED");
    let request = lab.anonymous(Method::POST, "/api/v0/repositories/alice").basic_auth("alice", Some(PASSWORD));
    let made = request.json(&serde_json::json!({ "name": "new" })).send().await.unwrap();
    assert_eq!(made.status(), StatusCode::CREATED);
    assert_eq!(lab.by(PASSWORD, Method::POST, "/v2/alice/new/blobs/uploads/").await.status(), StatusCode::ACCEPTED);
}

/// CVE-2025-23208: somebody who is taken out of a team keeps nothing, not even with a token that was got before.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_leaves_a_team_in_the_middle_of_a_session_is_out() {
    let lab = Lab::new(Mode::Normal).await;
    lab.push_image("lab/web", "1", b"layer").await;
    lab.with_alice().await;
    lab.give(at("lab/web"), Level::ReadWrite).await;
    let answer: Value =
        lab.by(PASSWORD, Method::GET, "/auth/token?scope=repository:lab/web:pull,push").await.json().await.unwrap();
    let bearer = answer["token"].as_str().unwrap();
    let pull = async || {
        let request = lab.anonymous(Method::GET, "/v2/lab/web/manifests/1").bearer_auth(bearer);
        request.send().await.unwrap().status().as_u16()
    };
    assert_eq!(pull().await, 200);
    lab.server.access().remove_team_member(&system(), "lab", "dev", "alice").await.unwrap();
    assert_eq!(pull().await, 404);
    lab.server.access().add_team_member(&system(), "lab", "dev", "alice").await.unwrap();
    assert_eq!(pull().await, 200);
    let off = AccountChange { active: Some(false), ..AccountChange::default() };
    lab.server.access().change_account(&system(), "alice", off).await.unwrap();
    assert_eq!(pull().await, 401);
}

/// Puts rows in batches, past the functions that write events.
fn fill(meta: &Engine, count: usize, row: impl Fn(&mut WriteTx, usize) + Send + Sync + Clone + 'static) {
    for from in (0..count).step_by(300) {
        let row = row.clone();
        let write = move |tx: &mut WriteTx| {
            for n in from..(from + 300).min(count) {
                row(tx, n);
            }
            Ok::<_, MetaError>(())
        };
        meta.write_blocking(write).unwrap();
    }
}

/// `cargo test --release --test it decisions_among_many -- --ignored --nocapture`: what a decision costs with 10,000 users,
/// 1,000 teams in 10 organizations, 20,000 repositories and 100,000 grants on a store on disk.
#[test]
#[ignore = "figures, no assertions: run it by itself"]
#[allow(clippy::cast_possible_truncation, clippy::similar_names, reason = "small numbers of its own making")]
fn decisions_among_many() {
    const LOOKS: usize = 20_000;
    let dir = tempfile::tempdir().unwrap();
    let meta = Engine::open(&dir.path().join("metadata.redb"), msr_lite::meta::EngineOptions::default()).unwrap();
    msr_lite::meta::migrate::migrate(&meta).unwrap();
    let now = Timestamp(1_800_000_000_000);
    let user = |n: usize| format!("user{n}");
    let org = |n: usize| format!("org{}", n % 10);
    let repo_name = |n: usize| name(&format!("org{}/r{n}", n % 10));
    fill(&meta, 10, move |tx, n| account::put(tx, &Account::organization(&org(n), Uuid::random(), now)));
    fill(&meta, 10_000, move |tx, n| account::put(tx, &Account::user(&user(n), Uuid::random(), now)));
    fill(&meta, 20_000, move |tx, n| {
        repo::create(tx, RepoId(n as u64), &repo::RepoRow::new(repo_name(n), now));
    });
    let team = move |n: usize| Team {
        id: Uuid::from_bytes([(n % 256) as u8, (n / 256) as u8, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
        organization: org(n),
        name: format!("t{n}"),
        description: String::new(),
        created: now,
    };
    fill(&meta, 1_000, move |tx, n| rows::put_team(tx, &team(n), None));
    // Each user is in three teams of one organization: n, n + 10 and n + 20 are of the same one.
    fill(&meta, 10_000, move |tx, n| {
        rows::put_member(tx, &org(n), &user(n), &Member { owner: false, since: now });
        for k in [0, 10, 20] {
            rows::put_team_member(tx, &team((n + k) % 1000), &user(n));
        }
    });
    // Each team has 100 repositories of its organization.
    fill(&meta, 100_000, move |tx, n| {
        let (team_number, k) = (n % 1000, n / 1000);
        let at = (team_number * 20 + k * 10) % 20_000 / 10 * 10 + team_number % 10;
        grant::put(tx, At::Repository(RepoId(at as u64), &repo_name(at)), team(team_number).id, Level::ReadWrite);
    });
    let access = Access::open(meta.clone(), Clock::manual(now), AccessSettings::default()).unwrap();
    let callers: Vec<Caller> = (0..LOOKS).map(|n| caller(&user(n * 7919 % 10_000))).collect();
    let names: Vec<RepoName> =
        (0..LOOKS).map(|n| repo_name((n * 7919 % 10_000 % 10) + (n * 104_729 % 2_000) * 10)).collect();
    let decide =
        |n: usize| access.decide(&callers[n % LOOKS], Requirement::Repository(&names[n % LOOKS], Action::Pull));
    // Every pair is another one: nothing is remembered of the first round, and the memory holds some three thousand.
    told(
        "never asked before",
        LOOKS / 100,
        |n| {
            for k in 0..100 {
                std::hint::black_box(decide(n * 100 + k));
            }
        },
        100,
    );
    told(
        "remembered",
        LOOKS / 100,
        |_| {
            for _ in 0..100 {
                std::hint::black_box(decide(1));
            }
        },
        100,
    );
    let push = |n: usize| {
        let push = move |tx: &mut WriteTx| {
            repo::count(tx, RepoId(n as u64 % 20_000), repo::Counter::Pushes, 1);
            Ok::<_, MetaError>(())
        };
        meta.write_blocking(push).unwrap();
    };
    let change = |n: usize| {
        let member = move |tx: &mut WriteTx| {
            rows::put_member(tx, "org0", "user0", &Member { owner: false, since: Timestamp(n as u64 + 1) });
            Ok::<_, MetaError>(())
        };
        meta.write_blocking(member).unwrap();
    };
    // One decision each, with whatever the commit left of the processor's caches.
    let after = |what: &str, commit: &dyn Fn(usize), pair: &dyn Fn(usize) -> usize| {
        let mut taken = Vec::new();
        for n in 0..300 {
            commit(n);
            let began = Instant::now();
            std::hint::black_box(decide(pair(n)));
            taken.push(began.elapsed());
        }
        spread(what, taken, 1);
    };
    after("asked before, the first after a push by somebody", &push, &|_| 1);
    after("never asked before, the first after a push", &push, &|n| 7 + n * 13);
    after("asked before, the first after a change of rights", &change, &|_| 1);
    told(
        "what a user may see, for lists",
        1000,
        |n| drop(std::hint::black_box(access.visible(&callers[n]).unwrap())),
        1,
    );
    told("the same user again", 1000, |_| drop(std::hint::black_box(access.visible(&callers[1]).unwrap())), 1);
}

/// `cargo test --release --test it lists_among_many -- --ignored --nocapture`: what a page of 50 costs at the beginning, in
/// the middle and at the end of lists of accounts, members, teams, grants and tokens, at two sizes that differ by ten.
#[test]
#[ignore = "figures, no assertions: run it by itself"]
fn lists_among_many() {
    for scale in [1, 10] {
        let dir = tempfile::tempdir().unwrap();
        let (users, organizations, teams, grants) = (1_000 * scale, 100 * scale, 100 * scale, 10_000 * scale);
        let access = furnish(&dir.path().join("metadata.redb"), [users, organizations, teams, grants]);
        let team = access.team("big", "t000000").unwrap();
        let user = |n: usize| format!("u{n:06}");
        // Where the last page begins, about, and one in the middle.
        let places = |total: usize| [None, Some(total / 2), Some(total - 51)];
        let row = |what: &str, total: usize, page: &dyn Fn(Option<usize>) -> usize| {
            let cells = places(total).map(|from| {
                assert_eq!(page(from), 50, "{what} from {from:?}");
                let mut taken: Vec<_> = (0..300)
                    .map(|_| {
                        let began = Instant::now();
                        std::hint::black_box(page(from));
                        began.elapsed()
                    })
                    .collect();
                taken.sort_unstable();
                format!("{:.0?}", taken[150])
            });
            println!("| {what} | {total} | {} |", cells.join(" | "));
        };
        println!("| list | entries | first page | middle | last |\n|---|---|---|---|---|");
        for (what, filter) in [
            ("users", AccountFilter::Users),
            ("users who may sign in, one in a hundred", AccountFilter::ActiveUsers),
            ("administrators, the last hundredth", AccountFilter::Admins),
        ] {
            let step = if filter == AccountFilter::ActiveUsers { 100 } else { 1 };
            let (base, total) = match filter {
                AccountFilter::Admins => (users - users / 10, users / 10),
                _ => (0, users / step),
            };
            if total > 60 {
                row(what, total, &|from| {
                    let last = from.map(|from| user(base + from * step));
                    access.accounts(filter, last.as_deref(), 50).unwrap().len()
                });
            }
        }
        row("organizations", organizations, &|from| {
            let last = from.map(|from| format!("o{from:06}"));
            access.accounts(AccountFilter::Organizations, last.as_deref(), 50).unwrap().len()
        });
        row("members of an organization", users, &|from| {
            access.members("big", from.map(user).as_deref(), 50).unwrap().len()
        });
        row("teams of an organization", teams, &|from| {
            let last = from.map(|from| format!("t{from:06}"));
            access.teams("big", last.as_deref(), 50).unwrap().len()
        });
        row("members of a team", users, &|from| {
            access.team_members("big", "t000000", from.map(user).as_deref(), 50).unwrap().len()
        });
        row("grants of a team", grants, &|from| {
            let mark =
                from.map(|from| [b"r", format!("big/r{from:06}\0").as_bytes(), &(from as u64).to_be_bytes()].concat());
            access.grants_of(team.id, mark.as_deref(), 50).unwrap().len()
        });
        row("grants on a repository", teams, &|from| {
            access.grants_on(&at("big/r000000"), from.map(team_id), 50).unwrap().len()
        });
        let all = access.tokens(&TokenFilter::default(), None, 1).unwrap();
        assert_eq!(all.len(), 1);
        row("access tokens of all users", users, &|from| {
            let mark = from.map(|from| [user(from).as_bytes(), &[0xff]].concat());
            access.tokens(&TokenFilter::default(), mark.as_deref(), 50).unwrap().len()
        });
        told("an organization's members and teams, counted", 100, |_| drop(access.organization_sizes("big")), 1);
    }
}

fn team_id(n: usize) -> Uuid {
    let mut id = [7; 16];
    id[..8].copy_from_slice(&(n as u64).to_be_bytes());
    Uuid::from_bytes(id)
}

/// A store with an organization `big` that has all users for members and all teams; its first team has all users and a
/// grant on each repository, and each team one on the first repository. One user in a hundred may sign in, the last tenth
/// administers, and each has an access token.
fn furnish(path: &std::path::Path, [users, organizations, teams, grants]: [usize; 4]) -> Access {
    let meta = Engine::open(path, msr_lite::meta::EngineOptions::default()).unwrap();
    msr_lite::meta::migrate::migrate(&meta).unwrap();
    let now = Timestamp(1_800_000_000_000);
    let user = |n: usize| format!("u{n:06}");
    fill(&meta, 1, move |tx, _| account::put(tx, &Account::organization("big", Uuid::random(), now)));
    fill(&meta, organizations, move |tx, n| {
        account::put(tx, &Account::organization(&format!("o{n:06}"), Uuid::random(), now));
    });
    let team = move |n: usize| Team {
        id: team_id(n),
        organization: "big".into(),
        name: format!("t{n:06}"),
        description: String::new(),
        created: now,
    };
    fill(&meta, users, move |tx, n| {
        let (active, admin) = (n % 100 == 0, n >= users - users / 10);
        account::put(tx, &Account { active, admin, ..Account::user(&user(n), Uuid::random(), now) });
        rows::put_member(tx, "big", &user(n), &Member { owner: false, since: now });
        rows::put_team_member(tx, &team(0), &user(n));
        let token = PersonalToken {
            owner: user(n),
            label: "build".into(),
            scope: TokenScope::All,
            created: now,
            creator: user(n),
            creator_client: String::new(),
            generated_by: GeneratedBy::default(),
            expires: None,
            active: true,
            form: None,
        };
        let mut hash = [0; 32];
        hash[..8].copy_from_slice(&(n as u64).to_be_bytes());
        personal_token::put(tx, &TokenHash(hash), &token);
    });
    let repo_name = |n: usize| name(&format!("big/r{n:06}"));
    fill(&meta, grants, move |tx, n| {
        repo::create(tx, RepoId(n as u64), &repo::RepoRow::new(repo_name(n), now));
        grant::put(tx, At::Repository(RepoId(n as u64), &repo_name(n)), team_id(0), Level::ReadOnly);
    });
    fill(&meta, teams, move |tx, n| {
        rows::put_team(tx, &team(n), None);
        grant::put(tx, At::Repository(RepoId(0), &repo_name(0)), team_id(n), Level::ReadOnly);
    });
    Access::open(meta, Clock::manual(now), AccessSettings::default()).unwrap()
}

/// Runs something `times` and tells what each of its `parts` cost: the median, which the other work of the machine moves
/// least, and the slowest but one in a hundred.
fn told(what: &str, times: usize, work: impl Fn(usize), parts: u32) {
    let taken = (0..times).map(|n| {
        let began = Instant::now();
        work(n);
        began.elapsed()
    });
    spread(what, taken.collect(), parts);
}

fn spread(what: &str, mut taken: Vec<std::time::Duration>, parts: u32) {
    taken.sort_unstable();
    let [least, median, most] =
        [taken[0], taken[taken.len() / 2], taken[taken.len() * 99 / 100]].map(|time| time / parts);
    println!("{what}: {median:.2?} (least {least:.2?}, 99 of 100 {most:.2?})");
}

fn caller(name: &str) -> Caller {
    Caller::of(Principal::User { name: name.to_owned(), admin: false })
}
