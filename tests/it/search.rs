//! Search among much that others have: what the caller has is found, and how long that takes is the caller's own affair.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use msr_lite::access::rights::{Places, Visible};
use msr_lite::base::{RepoId, Timestamp};
use msr_lite::meta::key::Key;
use msr_lite::meta::repo::RepoRow;
use msr_lite::meta::{MetaError, Mode, WriteTx, repo, tables, term};
use msr_lite::model::operation::Requirement;
use msr_lite::model::permission::Level;
use msr_lite::model::personal_token::TokenScope;
use msr_lite::model::{Action, Caller, Principal};
use msr_lite::oci::RepoName;
use msr_lite::registry::Registry;
use msr_lite::registry::repos::RepoQuery;
use reqwest::Method;
use serde_json::Value;
use tokio::sync::Mutex;

use crate::api::texts;
use crate::harness::{Lab, noise, on_each_engine, sha256};
use crate::pages::Browser;
use crate::rights::{PASSWORD, at};

/// Repositories that one closure makes: as many rows as one may touch.
const BATCH: usize = 80;
/// The first id of those that others have.
const OTHERS: u64 = 1 << 40;

impl Lab {
    /// Repositories that only administrators see, by name before those of everybody else, with a tag and a term each.
    async fn hide(&self, many: u64) {
        for begin in (0..many).step_by(BATCH) {
            let hidden = move |tx: &mut WriteTx| {
                for n in begin..(begin + BATCH as u64).min(many) {
                    let (name, id): (RepoName, _) = (format!("aaa/web-{n:05}").parse().unwrap(), RepoId(OTHERS + n));
                    repo::create(tx, id, &RepoRow::new(name, Timestamp(n)));
                    repo::refresh(tx, id)?;
                    tx.put(tables::TAG_BY_NAME, Key::new().text("web-1").u64(id.0).as_ref(), Vec::new());
                }
                Ok::<_, MetaError>(())
            };
            self.server.registry().meta().write(hidden).await.unwrap();
        }
    }
}

on_each_engine! {
    async fn one_s_own_repository_behind_ten_thousand_hidden_ones_is_found(lab) {
        lab.hide(10_000).await;
        lab.with_alice().await;
        lab.push_image("lab/web", "web-1", b"of the lab").await;
        let (_, digest) = lab.push_image("alice/web", "web-1", b"of alice").await;
        lab.give(at("lab/web"), Level::ReadOnly).await;
        let whole = PASSWORD.to_owned();
        let narrow = lab.token(TokenScope::parse("lab/*:read-only").unwrap()).await;
        let bearer = async |scope: &str| {
            let path = format!("/auth/token?service=registry.lab&scope={scope}");
            let token = lab.anonymous(Method::GET, &path).basic_auth("alice", Some(&whole)).send().await.unwrap();
            token.json::<Value>().await.unwrap()["token"].as_str().unwrap().to_owned()
        };
        let of_lab = bearer("repository:lab/web:pull").await;
        let by_bearer = lab.anonymous(Method::GET, "/v1/search?q=web").bearer_auth(of_lab).send().await.unwrap();
        assert_eq!(texts(&by_bearer.json::<Value>().await.unwrap()["results"], "name"), ["lab/web"]);
        for (password, both) in [(&whole, true), (&narrow, false)] {
            let ask = async |path: &str| {
                let found = lab.by(password, Method::GET, path).await;
                assert_eq!(found.status(), 200, "{path}");
                found.json::<Value>().await.unwrap()
            };
            let wanted = if both { vec!["alice/web", "lab/web"] } else { vec!["lab/web"] };
            for path in ["/v1/search?q=web", "/api/v0/index/dockersearch?q=WEB&n=100"] {
                assert_eq!(texts(&ask(path).await["results"], "name"), wanted, "{path}");
            }
            let completed = ask("/api/v0/index/autocomplete?query=we&namespace=lab").await;
            assert_eq!(texts(&completed["repositoryResults"], "name"), ["web"]);
            assert_eq!(texts(&ask("/api/v0/repositories").await["repositories"], "name").len(), wanted.len());
            assert_eq!(ask("/v2/_catalog").await["repositories"].as_array().unwrap().len(), wanted.len());
        }
        let mut browser = Browser::new(&lab);
        browser.sign_in("alice", PASSWORD).await;
        for text in ["web", "web-1", &digest.to_string()[..20], "web-"] {
            let page = browser.get(&format!("/search?q={text}")).await;
            assert!(page.text.contains("alice/web") && !page.text.contains("aaa/"), "{text}");
        }
        let page = browser.get("/search?q=web-1").await;
        assert!(page.text.contains("lab/web") && !page.text.contains("There is more than is shown"), "{}", page.text);
    }
}

on_each_engine! {
    // Sixteen searches among 5,000 manifests, side by side, held up `/readyz` and every pull for a second.
    async fn searches_of_one_user_hold_up_nobody_and_few_run_at_once(lab) {
        let registry = lab.server.registry().clone();
        let (running, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let gate = Arc::new(Mutex::new(()));
        let closed = gate.clone().lock_owned().await;
        let searches: Vec<_> = (0..6)
            .map(|_| {
                let (registry, running, most, gate) = (registry.clone(), running.clone(), most.clone(), gate.clone());
                tokio::spawn(async move {
                    let search = move |_: &Registry| {
                        most.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                        drop(gate.blocking_lock());
                        running.fetch_sub(1, Ordering::SeqCst);
                        Ok(())
                    };
                    registry.search_aside(search).await
                })
            })
            .collect();
        while running.load(Ordering::SeqCst) < 2 {
            tokio::task::yield_now().await;
        }
        // Who leaves makes no room for one more.
        for search in &searches {
            search.abort();
        }
        let mut browser = Browser::signed_in(&lab, "admin").await;
        let short = Duration::from_millis(100);
        for path in ["/v1/search?q=web", "/api/v0/index/autocomplete?query=web"] {
            let found = tokio::time::timeout(short, lab.get(path));
            assert!(found.await.is_err(), "{path} waits for its turn");
        }
        assert!(tokio::time::timeout(short, browser.get("/search?q=web")).await.is_err(), "so does the page");
        assert_eq!(lab.get("/v2/_catalog").await.status(), 200, "nobody else does");
        drop(closed);
        assert_eq!(browser.get("/search?q=web").await.status, 200);
        assert_eq!(lab.get("/v1/search?q=web").await.status(), 200);
        assert_eq!(most.load(Ordering::SeqCst), 2);
    }

    async fn terms_of_a_repository_are_all_found_although_not_read_at_once(lab) {
        lab.push_image("lab/web", "web-1", b"of the lab").await;
        let (registry, name) = (lab.server.registry(), "lab/web".parse::<RepoName>().unwrap());
        let id = registry.meta().read(|tx| repo::id_of(tx, &name)).unwrap().unwrap();
        // More than are read at once, twice; and just as many.
        for (many, text) in [(250_u32, "term-0249"), (520, "term-0519")] {
            for begin in (0..many).step_by(BATCH) {
                let put = move |tx: &mut WriteTx| {
                    for n in begin..(begin + 80).min(many) {
                        let digest = sha256(&n.to_be_bytes());
                        term::set(tx, id, &digest, &[format!("term-{n:04}")])?;
                    }
                    Ok::<_, MetaError>(())
                };
                registry.meta().write(put).await.unwrap();
            }
            let repositories = [(name.clone(), id)].into();
            let visible = Visible::Some(Places { repositories, ..Places::default() });
            let found = |text: &str| registry.search_visible(text, 20, &visible, |_| true).unwrap().annotations;
            assert_eq!(found(text).len(), 1, "the last of {many}");
            assert_eq!(found("term-0000").len(), 1);
            let all = registry.search_visible("term-", 1_000, &visible, |_| true).unwrap();
            assert_eq!((all.annotations.len(), all.more), (many as usize, false));
        }
    }
}

/// `cargo test --release --test it search_among_hidden -- --ignored --nocapture`: what a search costs somebody who sees a
/// hundred repositories, without and behind 10,000 that others have; by the places, and as if these were not known.
#[ignore = "figures, no assertions: run it by itself"]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn search_among_hidden() {
    let lab = Lab::new(Mode::Normal).await;
    lab.with_alice().await;
    for n in 0..100 {
        lab.push_image(&format!("alice/web-{n:03}"), "web-1", &noise(64, n)).await;
    }
    let (registry, access) = (lab.server.registry(), lab.server.access());
    let alice = Caller::of(Principal::User { name: "alice".into(), admin: false });
    let readable = |name: &RepoName| access.may(&alice, Requirement::Repository(name, Action::Pull));
    let visible = access.visible(&alice).unwrap();
    for hidden in [0, 10_000] {
        lab.hide(hidden).await;
        println!("behind {hidden} hidden repositories:");
        let told = |what: &str, search: &dyn Fn() -> usize| {
            let found = search();
            let mut taken: Vec<Duration> = (0..50)
                .map(|_| {
                    let began = Instant::now();
                    std::hint::black_box(search());
                    began.elapsed()
                })
                .collect();
            taken.sort_unstable();
            println!("  {what}: {found} found, median {:?}, most {:?}", taken[25], taken[49]);
        };
        for (how, visible) in [("by places", &visible), ("asked one by one", &Visible::Ask)] {
            told(&format!("names that contain \"web-05\", {how}"), &|| {
                registry.repositories_with("web-05", None, 25, visible, readable).unwrap().len()
            });
            told(&format!("search for the tag \"web-1\", {how}"), &|| {
                registry.search_visible("web-1", 20, visible, readable).unwrap().tags.len()
            });
        }
        told("a page of the list with that text, as names were searched before", &|| {
            let query = RepoQuery { text: Some("web-05".into()), limit: 25, ..RepoQuery::default() };
            registry.repositories_visible(&query, &visible, readable).unwrap().entries.len()
        });
    }
}
