//! `/orgs` and what is behind it: for members to read, for owners and administrators to change, for others not there.

use msr_lite::meta::Mode;
use msr_lite::model::permission::Level;
use reqwest::{Method, StatusCode};

use super::people::{acme, done, give, on_record, pull_and_push, refused_from_elsewhere};
use super::{Browser, HOSTILE};
use crate::harness::{Lab, on_each_engine};

const ACME: &str = "/orgs/acme";
const TEAM: &str = "/orgs/acme/teams/web";

on_each_engine! {
    async fn each_sees_what_is_theirs(lab) {
        acme(&lab).await;
        give(&lab, "acme/vault", Level::Admin).await;
        // A right of another team, in what bob may not see.
        let access = lab.server.access();
        let system = msr_lite::model::Actor::system();
        lab.push_image("acme/secret", "1", b"secret").await;
        access.create_team(&system, "acme", "ops", "").await.unwrap();
        let secret = msr_lite::model::permission::Place::Repository(msr_lite::oci::RepoName::parse("acme/secret").unwrap());
        access.set_grant(&system, &secret, "acme", "ops", Level::ReadWrite).await.unwrap();

        let [mut admin, mut alice, mut bob, mut mallory] = [
            Browser::signed_in(&lab, "admin").await,
            Browser::signed_in(&lab, "alice").await,
            Browser::signed_in(&lab, "bob").await,
            Browser::signed_in(&lab, "mallory").await,
        ];
        admin.get("/orgs").await.has(&["href=\"/orgs/acme\"", "New organization", "accounts?filter=orgs"]);
        let page = alice.get("/orgs").await;
        page.has(&["href=\"/orgs/acme\"", "<td>owner</td>", ">Organizations</a>", "/enzi/v0/accounts/alice/organizations"]);
        page.lacks(&["New organization", "href=\"/users\""]);
        mallory.get("/orgs").await.has(&["You belong to no organization."]);
        for browser in [&mut admin, &mut alice] {
            let page = browser.get(ACME).await;
            page.has(&["New team", "Make an owner", "Delete organization", "Those who make the site", "/accounts/acme/teams"]);
            browser.get("/orgs/acme/teams/ops").await.has(&["acme/secret", ">Revoke<", "/api/v0/accounts/acme/teams/ops/repositoryAccess"]);
        }
        alice.get(ACME).await.has(&["your role: owner"]);
        let page = bob.get(ACME).await;
        page.has(&["href=\"/orgs/acme/teams/web\"", "your role: member", ">alice<", "<td>owner</td>"]);
        page.lacks(&["New team", "Remove", "Delete", "/users/alice"]);
        let page = bob.get(TEAM).await;
        page.has(&["href=\"/r/acme/site\"", "<td>read-only</td>", "<td>admin</td>"]);
        page.lacks(&["Revoke", "Give"]);
        bob.get("/orgs/acme/teams/ops").await.lacks(&["secret"]);
        for path in [ACME, TEAM, "/orgs/acme/delete", "/orgs/acme/teams/web/delete", "/orgs/nothing", "/orgs/nothing/teams/web"] {
            let page = mallory.get(path).await;
            assert_eq!(page.status, StatusCode::NOT_FOUND, "{path}");
            page.has(&["There is no organization of this name that you may see."]);
        }
        // A member changes nothing, and is told whom to ask; who is outside is told nothing.
        for path in ["/orgs/acme/members", "/orgs/acme/teams", "/orgs/acme/teams/web/grants", "/orgs/acme/teams/web/delete"] {
            let fields = [("user", "bob"), ("role", "owner"), ("team", "x"), ("place", "acme/*"), ("level", "admin"), ("do", "set")];
            let page = bob.send("/account", path, &fields).await;
            assert_eq!(page.status, StatusCode::FORBIDDEN, "{path}");
            page.has(&["ask an owner of acme"]);
            assert_eq!(mallory.send("/account", path, &fields).await.status, StatusCode::NOT_FOUND, "{path}");
        }
        assert_eq!(mallory.send("/account", "/orgs", &[("name", "mine")]).await.status, StatusCode::FORBIDDEN);
    }

    async fn an_owner_manages_members_and_teams(lab) {
        acme(&lab).await;
        let mut alice = Browser::signed_in(&lab, "alice").await;
        let members = "/orgs/acme/members";
        let add = [("user", "mallory"), ("role", "member")];
        refused_from_elsewhere(&mut alice, ACME, members, &add).await;
        done(&mut alice, ACME, members, &add).await.has(&[">mallory<"]);
        let page = alice.send(ACME, members, &[("user", "nobody"), ("role", "member")]).await;
        assert_eq!(page.status, StatusCode::NOT_FOUND);
        page.has(&["There is no user nobody.", "<h1>acme</h1>"]);
        // An owner may everything in it with the next request, and then nothing.
        assert_eq!(pull_and_push(&lab, "mallory", "acme/vault").await, [404, 404]);
        done(&mut alice, ACME, members, &[("user", "mallory"), ("role", "owner")]).await;
        assert_eq!(pull_and_push(&lab, "mallory", "acme/vault").await, [200, 202]);
        done(&mut alice, ACME, members, &[("user", "mallory"), ("role", "none")]).await.has(&["out of the organization"]);
        assert_eq!(pull_and_push(&lab, "mallory", "acme/vault").await, [404, 404]);

        let page = done(&mut alice, ACME, "/orgs/acme/teams", &[("team", "ops"), ("description", HOSTILE)]).await;
        page.has(&["ops <span class=\"count\">team of acme</span>", "The team was made."]);
        let page = alice.send(ACME, "/orgs/acme/teams", &[("team", "ops")]).await;
        assert_eq!(page.status, StatusCode::CONFLICT);
        assert_eq!(alice.send(ACME, "/orgs/acme/teams", &[("team", "a b")]).await.status, StatusCode::BAD_REQUEST);
        let ops = "/orgs/acme/teams/ops";
        let to = |page: &str| format!("{ops}/{page}");
        done(&mut alice, ops, &to("members"), &[("user", "mallory"), ("do", "add")]).await.has(&[">mallory<"]);
        let give = [("place", "acme/*"), ("level", "read-only"), ("do", "set")];
        refused_from_elsewhere(&mut alice, ops, &to("grants"), &give).await;
        done(&mut alice, ops, &to("grants"), &give).await.has(&["the whole namespace"]);
        assert_eq!(pull_and_push(&lab, "mallory", "acme/vault").await, [200, 403]);
        alice.get(ACME).await.has(&["<td>read-only</td>"]);
        let more = [("place", "acme/vault"), ("level", "read-write"), ("do", "set")];
        done(&mut alice, ops, &to("grants"), &more).await.has(&["Right on acme/vault"]);
        assert_eq!(pull_and_push(&lab, "mallory", "acme/vault").await, [200, 202]);
        alice.get(ACME).await.has(&["<a class=\"quiet\" href=\"/orgs/acme/teams/ops#grants\">1</a>"]);
        for place in ["acme/*", "acme/vault"] {
            done(&mut alice, ops, &to("grants"), &[("place", place), ("do", "revoke")]).await;
        }
        assert_eq!(pull_and_push(&lab, "mallory", "acme/vault").await, [404, 404]);
        // What is others', what is not there, what is no place.
        lab.push_image("admin/own", "1", b"own").await;
        for (place, status) in [
            ("admin/own", StatusCode::FORBIDDEN),
            ("nobodys/own", StatusCode::FORBIDDEN),
            ("other/*", StatusCode::BAD_REQUEST),
            ("acme/nothing", StatusCode::NOT_FOUND),
            (HOSTILE, StatusCode::BAD_REQUEST),
        ] {
            let page = alice.send(ops, &to("grants"), &[("place", place), ("level", "admin"), ("do", "set")]).await;
            assert_eq!(page.status, status, "{place}: {}", page.text);
        }
        let page = done(&mut alice, ops, &to("change"), &[("team", "run"), ("description", "")]).await;
        page.has(&["<h1>run "]);
        alice.get("/orgs/acme/teams/run/delete").await.has(&["It has no rights anywhere.", "-X DELETE"]);
        done(&mut alice, "/orgs/acme/teams/run/delete", "/orgs/acme/teams/run/delete", &[]).await.has(&["The team was deleted"]);
        assert_eq!(alice.get("/orgs/acme/teams/run").await.status, StatusCode::NOT_FOUND);
        let record = on_record(&lab, "alice").await.concat();
        for words in ["mallory", "acme/vault", "run"] {
            assert!(record.contains(words), "{words} is not on record: {record}");
        }
        // Who leaves is told so, and has no page to go back to.
        let page = alice.send(ACME, members, &[("user", "alice"), ("role", "none")]).await;
        assert_eq!(page.location(), "/orgs?done=left");
        Browser::signed_in(&lab, "admin").await.get(ACME).await.has(&["It has no owner"]);
    }

    async fn an_organization_goes_when_its_repositories_have(lab) {
        acme(&lab).await;
        let mut admin = Browser::signed_in(&lab, "admin").await;
        let page = done(&mut admin, "/orgs", "/orgs", &[("name", "zoo"), ("owner", "bob")]).await;
        page.has(&["<h1>zoo</h1>", ">bob<"]);
        let page = admin.send("/orgs", "/orgs", &[("name", "fair"), ("owner", "nobody")]).await;
        assert_eq!(page.status, StatusCode::NOT_FOUND);
        assert!(lab.server.access().account("fair").unwrap().is_none(), "nothing is left behind");
        assert_eq!(admin.send("/orgs", "/orgs", &[("name", "zoo")]).await.status, StatusCode::CONFLICT);

        let mut alice = Browser::signed_in(&lab, "alice").await;
        let path = "/orgs/acme/delete";
        let page = alice.get(path).await;
        page.has(&["cannot be deleted while there are repositories", "href=\"/r/acme/site\"", "href=\"/r/acme/vault\""]);
        page.lacks(&["name=\"name\""]);
        let page = alice.send(ACME, path, &[("name", "acme")]).await;
        assert_eq!(page.status, StatusCode::CONFLICT);
        page.has(&["Nothing was deleted."]);
        for repo in ["acme/site", "acme/vault"] {
            let gone = lab.request(Method::DELETE, &format!("/api/v0/repositories/{repo}")).send().await.unwrap();
            assert_eq!(gone.status(), StatusCode::NO_CONTENT);
        }
        alice.get(path).await.has(&["1 <small>with all rights", "2 <small>the users themselves stay"]);
        assert_eq!(alice.send(path, path, &[("name", "acm")]).await.status, StatusCode::BAD_REQUEST);
        done(&mut alice, path, path, &[("name", "acme")]).await.has(&["The organization was deleted"]);
        assert_eq!(alice.get(ACME).await.status, StatusCode::NOT_FOUND);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lists_of_an_organization_are_paged() {
    let lab = Lab::new(Mode::Normal).await;
    acme(&lab).await;
    let (access, system) = (lab.server.access(), msr_lite::model::Actor::system());
    for n in 0..60 {
        access.create_team(&system, "acme", &format!("team-{n:02}"), "").await.unwrap();
    }
    let mut alice = Browser::signed_in(&lab, "alice").await;
    let first = alice.get(ACME).await;
    first.has(&["<h2 id=\"teams\">Teams <span class=\"count\">61</span>", "href=\"/orgs/acme?teams=team-49\""]);
    let second = alice.get("/orgs/acme?teams=team-49").await;
    second.has(&["/teams/team-50", "/teams/web", "href=\"/orgs/acme\">First page"]);
    second.lacks(&["/teams/team-49\"", "rel=\"next\""]);
}
