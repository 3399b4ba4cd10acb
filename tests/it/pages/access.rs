//! `/r/{name}/-/access`: who may what there, and why.

use msr_lite::base::config::Anonymous;
use msr_lite::meta::Mode;
use msr_lite::model::Actor;
use msr_lite::model::permission::Level;
use reqwest::StatusCode;

use super::Browser;
use super::people::{acme, done, give, on_record, pull_and_push, refused_from_elsewhere};
use crate::harness::{Lab, on_each_engine};

const SITE: &str = "/r/acme/site/-/access";
const CHANGE: &str = "/r/acme/site/-/access/change";

on_each_engine! {
    async fn a_right_is_explained_and_changed(lab) {
        acme(&lab).await;
        let mut bob = Browser::signed_in(&lab, "bob").await;
        let why = "Your permission: read-only, through team web of acme (<a href=\"/r/acme/site/-/access\">why?</a>)";
        let info = bob.get("/r/acme/site").await;
        info.has(&[why, ">Access</a>"]);
        info.lacks(&[">Settings</a>"]);
        let page = bob.get(SITE).await;
        page.has(&[
            "read-only, <a href=\"/orgs/acme/teams/web\">through team web of acme</a>",
            "For more, ask an owner of acme (alice).",
            "Owners of acme: alice",
            "Team web",
            "/api/v0/repositories/acme/site/teamAccess",
            "<strong>private</strong>",
        ]);
        page.lacks(&["Revoke", "Make it public", "for the team"]);
        // A refusal tells what is missing, and whom to ask.
        let refused = bob.get("/r/acme/site/-/settings").await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN);
        refused.has(&["may not administer acme/site", "ask an owner of acme"]);
        let set = |level: &'static str| [("team", "web"), ("level", level), ("do", "set")];
        assert_eq!(bob.send("/account", CHANGE, &set("admin")).await.status, StatusCode::FORBIDDEN);

        let mut alice = Browser::signed_in(&lab, "alice").await;
        alice.get(SITE).await.has(&["admin, <a href=\"/orgs/acme\">as an owner of acme</a>", "Revoke", "<option value=\"web\">"]);
        refused_from_elsewhere(&mut alice, SITE, CHANGE, &set("admin")).await;
        assert_eq!(pull_and_push(&lab, "bob", "acme/site").await, [200, 403]);
        done(&mut alice, SITE, CHANGE, &set("read-write")).await.has(&["Saved: it holds from the next request on."]);
        assert_eq!(pull_and_push(&lab, "bob", "acme/site").await, [200, 202]);
        bob.get("/r/acme/site").await.has(&["Your permission: read-write, through team web of acme"]);
        // Read-write deletes tags, and not the repository.
        assert_eq!(bob.get("/r/acme/site/-/tags/1/delete").await.status, StatusCode::OK);
        assert_eq!(bob.get("/r/acme/site/-/delete").await.status, StatusCode::FORBIDDEN);
        assert_eq!(bob.send("/account", "/r/acme/site/-/delete", &[("name", "acme/site")]).await.status, StatusCode::FORBIDDEN);
        assert_eq!(pull_and_push(&lab, "bob", "acme/site").await[0], 200);
        // Whoever has admin there gives it on.
        done(&mut alice, SITE, CHANGE, &set("admin")).await;
        bob.get(SITE).await.has(&["Revoke", "Make it public"]);
        let missing = [("team", "nothing"), ("level", "admin"), ("do", "set")];
        let page = bob.send(SITE, CHANGE, &missing).await;
        assert_eq!(page.status, StatusCode::NOT_FOUND);
        page.has(&["The organization acme has no team nothing."]);
        done(&mut alice, SITE, CHANGE, &[("team", "web"), ("do", "revoke")]).await;
        assert_eq!(pull_and_push(&lab, "bob", "acme/site").await, [404, 404]);
        assert_eq!(bob.get(SITE).await.status, StatusCode::NOT_FOUND);
        let record = on_record(&lab, "alice").await.concat();
        assert!(record.contains("acme/site") && record.contains("web"), "{record}");
    }

    async fn visibility_says_what_it_means(lab) {
        acme(&lab).await;
        let mut mallory = Browser::signed_in(&lab, "mallory").await;
        assert_eq!(mallory.get(SITE).await.status, StatusCode::NOT_FOUND);
        let mut alice = Browser::signed_in(&lab, "alice").await;
        let meaning = "Whoever is signed in may pull from a public repository, and nobody else: the setting anonymous";
        alice.get(SITE).await.has(&[meaning, "Make it public"]);
        alice.get("/r/acme/site/-/settings").await.has(&[meaning]);
        let page = done(&mut alice, SITE, CHANGE, &[("visibility", "public")]).await;
        page.has(&["<strong>public</strong>", "Whoever is signed in", "Make it private"]);
        assert_eq!(pull_and_push(&lab, "mallory", "acme/site").await, [200, 403]);
        let page = mallory.get(SITE).await;
        page.has(&["read-only, the repository is public", "ask an owner of acme, or an administrator"]);
        page.lacks(&["alice", "Team web", "/orgs/acme"]);
        done(&mut alice, SITE, CHANGE, &[("visibility", "private")]).await;
        assert_eq!(pull_and_push(&lab, "mallory", "acme/site").await, [404, 404]);
        assert_eq!(alice.send(SITE, CHANGE, &[("visibility", "secret")]).await.status, StatusCode::BAD_REQUEST);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_everybody_may_pull_the_page_says_so() {
    let lab = Lab::with(Mode::Normal, |config| config.anonymous = Anonymous::PublicRepositories).await;
    acme(&lab).await;
    lab.publish("acme/site").await;
    let page = Browser::signed_in(&lab, "admin").await.get(SITE).await;
    page.has(&[
        "Everybody may pull from a public repository, also who is not signed in",
        "<td class=\"some\">Everybody</td>",
    ]);
    let mut nobody = Browser::new(&lab);
    let info = nobody.get("/r/acme/site").await;
    info.has(&["Your permission: read-only, the repository is public"]);
    info.lacks(&["why?", ">Access</a>", "/orgs"]);
    assert_eq!(nobody.get(SITE).await.location(), "/login?next=%2Fr%2Facme%2Fsite%2F-%2Faccess");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn repositories_of_users_and_of_nobody() {
    let lab = Lab::new(Mode::Normal).await;
    acme(&lab).await;
    lab.push_image("bob/own", "1", b"own").await;
    lab.push_image("tools", "1", b"tools").await;
    let mut bob = Browser::signed_in(&lab, "bob").await;
    let page = bob.get("/r/bob/own/-/access").await;
    page.has(&[
        "admin, the namespace is the user&#39;s own",
        "in a user's own namespace",
        "href=\"/users/bob\">bob</a>",
    ]);
    let given = bob
        .send(
            "/r/bob/own/-/access",
            "/r/bob/own/-/access/change",
            &[("team", "web"), ("level", "admin"), ("do", "set")],
        )
        .await;
    assert_eq!(given.status, StatusCode::NOT_FOUND, "{}", given.text);

    let mut admin = Browser::signed_in(&lab, "admin").await;
    let fields = [("organization", "acme"), ("team", "web"), ("level", "admin"), ("do", "set")];
    let page = done(&mut admin, "/r/tools/-/access", "/r/tools/-/access/change", &fields).await;
    page.has(&["Team web of acme"]);
    assert_eq!(pull_and_push(&lab, "bob", "tools").await, [200, 202]);
    // Who administers it by that learns nothing of other organizations.
    let (access, system) = (lab.server.access(), Actor::system());
    let zoo = msr_lite::access::accounts::NewAccount {
        name: "zoo".into(),
        kind: msr_lite::model::account::AccountKind::Organization,
        ..Default::default()
    };
    access.create_account(&system, zoo).await.unwrap();
    access.create_team(&system, "zoo", "keepers", "").await.unwrap();
    for organization in ["zoo", "nothing"] {
        let fields = [("organization", organization), ("team", "keepers"), ("level", "admin"), ("do", "set")];
        let page = bob.send("/r/tools/-/access", "/r/tools/-/access/change", &fields).await;
        assert_eq!(page.status, StatusCode::NOT_FOUND);
        page.has(&["There is no organization of this name that you may see."]);
    }
    give(&lab, "acme/*", Level::ReadOnly).await;
    let page = Browser::signed_in(&lab, "admin").await.get(SITE).await;
    page.has(&["a right on the namespace acme/*", "a right on this repository"]);
}
