//! What happened: on record, listed for those who may see it, by the REST interface and on pages.

use std::time::Duration;

use msr_lite::meta::{Mode, event, tables};
use msr_lite::registry::audit::export::Wanted;
use msr_lite::registry::audit::verify::Verifier;
use reqwest::{Method, StatusCode};
use serde_json::Value;

use crate::harness::{Lab, OCI_MANIFEST, code, header, on_each_engine};
use crate::pages::{Browser, add_user};

/// A page of events, and where the next one begins.
async fn events(lab: &Lab, user: &str, path: &str) -> (Vec<Value>, String) {
    let request = lab.anonymous(Method::GET, &format!("/api/v0{path}")).basic_auth(user, Some(&lab.password));
    let response = request.send().await.unwrap();
    let (status, next) = (response.status(), header(&response, "x-next-page-start"));
    let body: Value = response.json().await.unwrap();
    assert_eq!(status, StatusCode::OK, "{path}: {body}");
    (body["events"].as_array().unwrap().clone(), next)
}

fn names(events: &[Value]) -> Vec<&str> {
    events.iter().map(|event| event["name"].as_str().unwrap()).collect()
}

/// Writes down what is noted in memory, and waits for what is written at once.
async fn settle(lab: &Lab) {
    lab.server.registry().flush_usage().await.unwrap();
}

/// Verifies the whole record as somebody else would.
async fn is_whole(lab: &Lab) {
    let (mut verifier, mut mark) = (Verifier::new(), None);
    loop {
        let page = lab.server.registry().export_events(&Wanted::default(), mark).await.unwrap();
        for line in &page.lines {
            verifier.line(line);
        }
        mark = page.next;
        if mark.is_none() {
            break;
        }
    }
    let report = verifier.finish();
    assert!(report.is_whole(), "{report:#?}");
}

on_each_engine! {
    async fn what_happened_is_listed_in_the_words_of_msr(lab) {
        lab.push_image("lab/app", "1", b"one").await;
        lab.clock.advance(Duration::from_mins(1));
        lab.push_image("lab/app", "2", b"two").await;
        for _ in 0..3 {
            assert_eq!(lab.get("/v2/lab/app/manifests/2").await.status(), StatusCode::OK);
        }
        assert_eq!(lab.delete("/v2/lab/app/manifests/1").await.status(), StatusCode::ACCEPTED);
        settle(&lab).await;
        let (all, next) = events(&lab, "admin", "/repositories/lab/app/events").await;
        assert_eq!(names(&all), ["TAG_DELETE", "TAG_PUSH", "MANIFEST_PUSH", "TAG_PUSH", "MANIFEST_PUSH", "REPO_CREATED", "ACCOUNT_CREATED"]);
        assert_eq!(next, "");
        let pushed = &all[1];
        assert_eq!(pushed["type"], "CREATE");
        assert_eq!(pushed["actor"], "admin");
        assert_eq!(pushed["object"]["type"], "TAG");
        assert_eq!(pushed["object"]["name"], "lab/app:2");
        assert_eq!(pushed["repository"], "lab/app");
        assert_eq!(pushed["result"], "done");
        assert_eq!(pushed["clientAddress"], "127.0.0.1");

        let (pulls, _) = events(&lab, "admin", "/events?eventType=GET").await;
        assert_eq!((names(&pulls), pulls[0]["count"].as_u64()), (vec!["TAG_PULL"], Some(3)));
        let (with, _) = events(&lab, "admin", "/repositories/lab/app/events?excludePull=false").await;
        assert_eq!(with.len(), all.len() + 1);

        // The same in pages.
        let (mut paged, mut start) = (Vec::new(), String::new());
        loop {
            let path = format!("/repositories/lab/app/events?pageSize=4&pageStart={start}");
            let (some, next) = events(&lab, "admin", &path).await;
            assert!(some.len() <= 4);
            paged.extend(some);
            start = next;
            if start.is_empty() {
                break;
            }
        }
        assert_eq!(paged, all);
        let (first, _) = (events(&lab, "admin", "/events?objectType=tag&actorId=admin").await).clone();
        assert_eq!(names(&first), ["TAG_DELETE", "TAG_PUSH", "TAG_PUSH"]);
        // Accounts are named by name, by id, or by `id:` and id.
        let id = lab.server.access().account("admin").unwrap().unwrap().id;
        for actor in [format!("{id}"), format!("id:{id}")] {
            let (same, _) = events(&lab, "admin", &format!("/events?objectType=tag&actorId={actor}")).await;
            assert_eq!(same, first);
        }
        let middle = lab.clock.now().minus(Duration::from_secs(30));
        let (later, _) = events(&lab, "admin", &format!("/events?publishedAfter={middle}&objectType=TAG")).await;
        assert_eq!(names(&later), ["TAG_DELETE", "TAG_PUSH"]);
        let path = format!("/repositories/lab/app/events?publishedBefore={middle}&objectType=TAG");
        assert_eq!(names(&events(&lab, "admin", &path).await.0), ["TAG_PUSH"]);

        for wrong in ["eventType=x", "objectType=x", "publishedAfter=x", "result=x", "excludePull=x", "pageStart=x"] {
            let response = lab.get(&format!("/api/v0/events?{wrong}")).await;
            assert_eq!(response.status(), StatusCode::BAD_REQUEST, "{wrong}");
            assert_eq!(code(response).await, "INVALID_PARAMETERS", "{wrong}");
        }
        is_whole(&lab).await;
    }

    async fn everybody_sees_what_they_may_read(lab) {
        add_user(&lab, "alice").await;
        add_user(&lab, "bob").await;
        let alice = |method, path: &str| lab.anonymous(method, path).basic_auth("alice", Some(&lab.password));
        lab.push_image("lab/app", "1", b"one").await;
        lab.push_image("alice/app", "1", b"one").await;
        assert_eq!(alice(Method::GET, "/v2/alice/app/manifests/1").send().await.unwrap().status(), StatusCode::OK);
        settle(&lab).await;
        let of = |events: &[Value]| {
            let mut of: Vec<String> = events.iter().map(|event| event["repository"].to_string()).collect();
            of.dedup();
            of
        };
        let (hers, _) = events(&lab, "alice", "/events?excludePull=false").await;
        assert_eq!(of(&hers), ["\"alice/app\""]);
        assert_eq!(names(&hers)[0], "TAG_PULL");
        assert_eq!(events(&lab, "bob", "/events?excludePull=false").await.0.len(), 0);
        assert_eq!(of(&events(&lab, "admin", "/events").await.0), ["\"alice/app\"", "\"lab/app\""]);
        let elsewhere = alice(Method::GET, "/api/v0/repositories/lab/app/events").send().await.unwrap();
        assert_eq!(elsewhere.status(), StatusCode::NOT_FOUND);
        let nobody = lab.anonymous(Method::GET, "/api/v0/events").send().await.unwrap();
        assert_eq!(nobody.status(), StatusCode::UNAUTHORIZED);

        // A repository that has its name after it was deleted has none of its past, but for administrators.
        assert_eq!(lab.delete("/api/v0/repositories/alice/app").await.status(), StatusCode::NO_CONTENT);
        lab.push_image("alice/app", "1", b"other").await;
        assert_eq!(names(&events(&lab, "alice", "/events").await.0), ["TAG_PUSH", "MANIFEST_PUSH", "REPO_CREATED"]);
        assert_eq!(names(&events(&lab, "admin", "/events").await.0)[3], "REPO_DELETED");
        is_whole(&lab).await;
    }

    async fn refusals_are_on_record_with_their_reason(lab) {
        add_user(&lab, "alice").await;
        lab.push_image("lab/app", "1", b"one").await;
        let alice = |method, path: &str| {
            let agent = "podman/5.0 (\u{1b}[31m)".replace('\u{1b}', "");
            lab.anonymous(method, path).basic_auth("alice", Some(&lab.password)).header("user-agent", agent).send()
        };
        let denied = alice(Method::PUT, "/v2/lab/app/manifests/1").await.unwrap();
        assert_eq!(denied.status(), StatusCode::NOT_FOUND, "and nothing is said of it");
        for _ in 0..20 {
            alice(Method::DELETE, "/v2/lab/app/manifests/1").await.unwrap();
        }
        let wrong = lab.anonymous(Method::GET, "/v2/").basic_auth("alice", Some("wrong")).send().await.unwrap();
        assert_eq!(wrong.status(), StatusCode::UNAUTHORIZED);
        let unknown = lab.anonymous(Method::GET, "/v2/").basic_auth("hunter2", Some("wrong")).send().await.unwrap();
        assert_eq!(unknown.status(), StatusCode::UNAUTHORIZED);
        let missing = serde_json::json!({ "schemaVersion": 2, "mediaType": OCI_MANIFEST, "layers": [],
            "config": { "mediaType": "application/json", "digest": format!("sha256:{}", "0".repeat(64)), "size": 2 } });
        let invalid = lab.put_manifest("lab/app", "2", OCI_MANIFEST, &missing).await;
        assert_eq!(invalid.status(), StatusCode::CREATED, "no refusal");
        let deleted = lab.anonymous(Method::DELETE, "/api/v0/repositories/lab/app");
        let deleted = deleted.basic_auth("alice", Some(&lab.password)).send().await.unwrap();
        assert_eq!(deleted.status(), StatusCode::NOT_FOUND);
        settle(&lab).await;

        let (refused, _) = events(&lab, "admin", "/events?result=refused&pageSize=100").await;
        assert!(refused.iter().all(|event| event["type"] == "FAIL" && !event["reason"].as_str().unwrap().is_empty()));
        let count = |operation: &str| -> u64 {
            let of = refused.iter().filter(|event| event["operation"] == operation);
            of.map(|event| event["count"].as_u64().unwrap()).sum()
        };
        assert_eq!((count("put_manifest"), count("delete_manifest"), count("sign_in")), (1, 20, 1), "{refused:#?}");
        assert!(refused.len() < 10, "the same is counted: {}", refused.len());
        assert_eq!(count("api_delete_repository"), 1);
        let put = refused.iter().find(|event| event["operation"] == "put_manifest").unwrap();
        assert_eq!(put["actor"], "alice");
        assert_eq!(put["reason"], "alice may not see lab/app");
        assert!(put["userAgent"].as_str().unwrap().starts_with("podman/5.0"));
        assert!(!serde_json::to_string(&refused).unwrap().contains("hunter2"), "names that are none are kept nowhere");
        // Who has the account sees the attempts on it.
        let (own, _) = events(&lab, "alice", "/events").await;
        assert!(own.iter().any(|event| event["operation"] == "sign_in"), "{own:#?}");
        is_whole(&lab).await;
    }

    async fn pages_show_it(lab) {
        add_user(&lab, "alice").await;
        lab.push_image("lab/app", "1", b"one").await;
        lab.push_image("alice/app", "1", b"one").await;
        lab.get("/v2/lab/app/manifests/1").await;
        let hostile = crate::pages::HOSTILE.chars().filter(char::is_ascii).collect::<String>();
        let request = lab.anonymous(Method::PUT, "/v2/lab/app/manifests/1").basic_auth("alice", Some(&lab.password));
        request.header("user-agent", format!("=1+1,{hostile}")).send().await.unwrap();
        settle(&lab).await;

        let mut admin = Browser::signed_in(&lab, "admin").await;
        let page = admin.get("/activity").await;
        assert_eq!(page.status, StatusCode::OK, "{}", page.text);
        page.has(&["<a href=\"/activity\" aria-current=\"page\"", "pushed the tag", ">lab/app:1</bdi>", "tried to push to"]);
        page.has(&["<a class=\"quiet\" href=\"/users/alice\"><bdi>alice</bdi></a>"]);
        page.has(&["alice may not see lab/app", "&#60;img src=x", "<td>signed in as</td>"]);
        page.lacks(&["<td>pulled</td>", "chains verified"]);
        let page = admin.get("/activity?pulls=1&type=get").await;
        page.has(&["<td>pulled</td>", "Show all"]);
        let page = admin.get("/r/lab/app/-/activity").await;
        page.has(&["pushed the manifest", "href=\"/r/lab/app/-/activity\" aria-current=\"page\"", "/api/v0/repositories/lab/app/events"]);
        page.lacks(&["alice/app"]);
        for wrong in ["type=x", "object=x", "result=x", "since=x", "after=x", "format=x"] {
            assert_eq!(admin.get(&format!("/activity?{wrong}")).await.status, StatusCode::BAD_REQUEST, "{wrong}");
        }
        let none = admin.get("/activity?actor=nobody-of-this-name").await;
        none.has(&["No event fits."]);

        // Said once it was really verified.
        lab.server.runner().drain().await.unwrap();
        admin.get("/activity").await.has(&["chains verified (3 of 3)"]);

        let csv = admin.get("/activity?format=csv&result=refused").await;
        assert_eq!(csv.header("content-type"), "text/csv; charset=utf-8");
        assert!(csv.header("content-disposition").contains("activity.csv"));
        assert_eq!(csv.text.lines().count(), 2, "{}", csv.text);
        csv.has(&["time,who,via,event", ",alice,,REFUSED,lab/app,,refused,alice may not see lab/app", "\"'=1+1,<img"]);
        let lines = admin.get("/activity?format=jsonl").await;
        assert!(lines.text.lines().all(|line| serde_json::from_str::<Value>(line).is_ok()));

        let mut alice = Browser::signed_in(&lab, "alice").await;
        let page = alice.get("/activity").await;
        page.has(&["alice/app:1"]);
        // One's own page is there for everybody, those of others for administrators.
        page.has(&["href=\"/users/alice\""]);
        page.lacks(&["href=\"/users/admin\""]);
        page.lacks(&["lab/app", "chains verified"]);
        assert_eq!(alice.get("/r/lab/app/-/activity").await.status, StatusCode::NOT_FOUND);
        assert_eq!(Browser::new(&lab).get("/activity").await.location(), "/login?next=%2Factivity");
        // Behind a session that has moved on there is a second page.
        for n in 0..30 {
            lab.push_image("alice/app", &format!("t{n}"), b"one").await;
        }
        let page = alice.get("/activity?object=tag&type=create").await;
        page.lacks(&["rel=\"next\""]);
        let page = alice.get("/activity").await;
        let (_, rest) = page.text.split_once("rel=\"next\" href=\"").unwrap();
        let next = rest.split('"').next().unwrap().replace("&#38;", "&");
        let page = alice.get(&next).await;
        page.has(&["First page"]);
    }

    async fn many_pushes_at_once_make_whole_chains(lab) {
        let some = async |first: u32| {
            for n in first..first + 6 {
                let repo = if n % 2 == 0 { "lab/even" } else { "lab/odd" };
                lab.push_image(repo, &format!("t{n}"), format!("layer {n}").as_bytes()).await;
            }
        };
        tokio::join!(some(0), some(6), some(12), some(18));
        is_whole(&lab).await;
        let (all, _) = events(&lab, "admin", "/events?objectType=TAG&pageSize=100").await;
        assert_eq!(all.len(), 24);
    }

    async fn old_events_go_by_a_job_and_the_rest_is_whole(lab) {
        let lab = lab.reconfigured(|config| config.audit.keep_days = 1).await;
        lab.push_image("lab/app", "1", b"one").await;
        lab.clock.advance(Duration::from_hours(30));
        lab.server.runner().drain().await.unwrap();
        lab.push_image("lab/app", "2", b"two").await;
        let (left, _) = events(&lab, "admin", "/repositories/lab/app/events").await;
        assert_eq!(names(&left), ["TAG_PUSH", "MANIFEST_PUSH"]);
        assert_eq!(left[1]["sequence"], 5);
        is_whole(&lab).await;
        let lab = lab.restart().await;
        is_whole(&lab).await;
    }

    // What a push costs: two rows for each event, and one for the head of its chain.
    async fn a_push_writes_few_rows(lab) {
        let rows = |lab: &Lab| {
            let count = |table| lab.server.registry().meta().read(|tx| {
                msr_lite::meta::Read::range(tx, table, &[], None, 10_000)
            }).map(|rows| rows.len()).map_err(|error: msr_lite::meta::MetaError| error).unwrap();
            [tables::EVENT, tables::EVENT_BY_CHAIN, tables::EVENT_HEAD].map(count)
        };
        lab.push_image("lab/app", "1", b"one").await;
        let before = rows(&lab);
        let commits = lab.server.registry().meta().commits();
        let manifest = lab.image("lab/app", b"two").await;
        let blobs = rows(&lab);
        assert_eq!(blobs, before, "blobs are no events");
        assert_eq!(lab.put_manifest("lab/app", "2", OCI_MANIFEST, &manifest).await.status(), StatusCode::CREATED);
        let after = rows(&lab);
        assert_eq!([0, 1, 2].map(|n| after[n] - before[n]), [2, 2, 0], "and the head is written over");
        assert!(lab.server.registry().meta().commits() - commits <= 4, "a commit for each request, and no more");
        let events = lab.server.registry().meta().read(|tx| event::list(tx, 100)).unwrap();
        assert!(events.iter().all(|event| event.address.as_deref() == Some("127.0.0.1")));
    }
}
