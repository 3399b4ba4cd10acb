//! `/users`: for administrators; each user's own page.

use msr_lite::meta::Mode;
use msr_lite::model::permission::Level;
use reqwest::{Method, StatusCode};

use super::people::{acme, done, give, on_record, pull_and_push, refused_from_elsewhere, token};
use super::{Browser, HOSTILE, add_user};
use crate::harness::{Lab, on_each_engine};

const PASSWORD: &str = "a password of somebody";

on_each_engine! {
    async fn users_are_listed_filtered_and_paged(lab) {
        for n in 0..60 {
            add_user(&lab, &format!("user-{n:02}")).await;
        }
        let mut admin = Browser::signed_in(&lab, "admin").await;
        let names = |text: &str| text.matches("class=\"name\" href=\"/users/").count();
        let first = admin.get("/users").await;
        first.has(&["API: <code>curl", "/enzi/v0/accounts?filter=users", ">administrator<", ">active<", "aria-current=\"page\">People<"]);
        assert_eq!(names(&first.text), 50);
        let second = admin.get("/users?after=user-48").await;
        assert_eq!(names(&second.text), 11);
        second.lacks(&["rel=\"next\""]);
        assert_eq!(names(&admin.get("/users?q=USER-5").await.text), 10);
        assert_eq!(names(&admin.get("/users?show=admins").await.text), 1);
        admin.get("/users?show=inactive-users").await.has(&["No user fits."]);
        done(&mut admin, "/users/user-07", "/users/user-07/change", &[("change", "deactivate")]).await;
        admin.get("/users?show=inactive-users").await.has(&["/users/user-07", ">inactive<"]);
        assert_eq!(admin.get("/users?show=nothing").await.status, StatusCode::BAD_REQUEST);
    }

    async fn a_user_is_made_changed_and_deleted(lab) {
        let mut admin = Browser::signed_in(&lab, "admin").await;
        let both = |new: &'static str, again: &'static str| [("name", "carol"), ("full-name", HOSTILE), ("new", new), ("again", again)];
        for (fields, status, words) in [
            (both("short", "short"), StatusCode::BAD_REQUEST, "A password has"),
            (both(PASSWORD, "another"), StatusCode::BAD_REQUEST, "two different ways"),
            ([("name", "Carol"), ("full-name", ""), ("new", PASSWORD), ("again", PASSWORD)], StatusCode::BAD_REQUEST, "lower-case"),
            ([("name", "admin"), ("full-name", ""), ("new", PASSWORD), ("again", PASSWORD)], StatusCode::CONFLICT, "already"),
        ] {
            let page = admin.send("/users", "/users", &fields).await;
            assert_eq!(page.status, status, "{}", page.text);
            page.has(&["role=\"alert\"", words]);
            page.lacks(&[PASSWORD]);
        }
        let fields = both(PASSWORD, PASSWORD);
        refused_from_elsewhere(&mut admin, "/users", "/users", &fields).await;
        assert!(lab.server.access().account("carol").unwrap().is_none());
        let page = done(&mut admin, "/users", "/users", &fields).await;
        page.has(&["<h1>carol</h1>", "The user was made.", "admin on <a href=\"/repositories?ns=carol\">carol/*</a>"]);
        let mut carol = Browser::new(&lab);
        assert_eq!(carol.sign_in("carol", PASSWORD).await.status, StatusCode::SEE_OTHER);
        assert_eq!(carol.get("/users").await.status, StatusCode::FORBIDDEN);

        // An administrator from the next sign-in on, and not any more.
        done(&mut admin, "/users/carol", "/users/carol/change", &[("change", "make-administrator")]).await;
        assert_eq!(carol.get("/account").await.status, StatusCode::SEE_OTHER, "signed out");
        carol.sign_in("carol", PASSWORD).await;
        carol.get("/users").await.has(&["/users/admin"]);
        let page = done(&mut admin, "/users/carol", "/users/carol/change", &[("change", "unmake-administrator")]).await;
        page.has(&["Make an administrator"]);

        // Inactive: nothing works; then it does again.
        let text = token(&lab, "carol", "laptop").await;
        let catalog = async || {
            lab.anonymous(Method::GET, "/v2/_catalog").basic_auth("carol", Some(&text)).send().await.unwrap().status().as_u16()
        };
        assert_eq!(catalog().await, 200);
        let page = done(&mut admin, "/users/carol", "/users/carol/change", &[("change", "deactivate")]).await;
        page.has(&["<span>inactive</span>", "Activate", "The account is inactive"]);
        assert_eq!(catalog().await, 401);
        done(&mut admin, "/users/carol", "/users/carol/change", &[("change", "activate")]).await;
        assert_eq!(catalog().await, 200);

        // Last use; revoked.
        let page = admin.get("/users/carol").await;
        page.has(&["<bdi>laptop</bdi>", "all that the user may", "<small>127.0.0.1"]);
        page.lacks(&[&text]);
        let (_, hash) = page.text.split_once("name=\"token\" value=\"").unwrap();
        let hash = hash[..64].to_owned();
        let page = admin.send("/users/carol", "/users/admin/tokens", &[("token", &hash)]).await;
        assert_eq!(page.status, StatusCode::NOT_FOUND, "another's token");
        done(&mut admin, "/users/carol", "/users/carol/tokens", &[("token", &hash)]).await.has(&["The access token is gone"]);
        assert_eq!(catalog().await, 401);

        // Another password.
        let new = [("new", "another password of hers"), ("again", "another password of hers")];
        let page = done(&mut admin, "/users/carol", "/users/carol/password", &new).await;
        page.has(&["The password was set."]);
        page.lacks(&["another password"]);
        assert_eq!(carol.sign_in("carol", PASSWORD).await.status, StatusCode::UNAUTHORIZED);
        assert_eq!(carol.sign_in("carol", "another password of hers").await.status, StatusCode::SEE_OTHER);

        // Deleted, with what is there, once that is said.
        lab.push_image("carol/tool", "1", b"tool").await;
        let page = admin.get("/users/carol/delete").await;
        page.has(&["carol/tool", "Delete the repositories too", "-X DELETE", "/enzi/v0/accounts/carol"]);
        for (fields, status) in [
            (vec![("name", "carl"), ("repositories", "1")], StatusCode::BAD_REQUEST),
            (vec![("name", "carol")], StatusCode::CONFLICT),
        ] {
            let page = admin.send("/users/carol/delete", "/users/carol/delete", &fields).await;
            assert_eq!(page.status, status, "{}", page.text);
        }
        let all = [("name", "carol"), ("repositories", "1")];
        done(&mut admin, "/users/carol/delete", "/users/carol/delete", &all).await.has(&["The user was deleted."]);
        assert_eq!(admin.get("/users/carol").await.status, StatusCode::NOT_FOUND);
        assert_eq!(lab.get("/v2/carol/tool/manifests/1").await.status(), StatusCode::NOT_FOUND);
        let record = on_record(&lab, "admin").await.concat();
        assert!(record.contains("carol") && record.contains("delete"), "{record}");
    }

    async fn the_last_administrator_stays(lab) {
        let mut admin = Browser::signed_in(&lab, "admin").await;
        let page = admin.get("/users/admin").await;
        page.has(&["This is the last active administrator: make somebody else one first", "neither deactivated nor deleted"]);
        page.lacks(&["Take administration away", "value=\"deactivate\"", "/users/admin/delete"]);
        for change in ["unmake-administrator", "deactivate"] {
            let page = admin.send("/users/admin", "/users/admin/change", &[("change", change)]).await;
            assert_eq!(page.status, StatusCode::CONFLICT);
            page.has(&["role=\"alert\"", "the last active administrator"]);
        }
        admin.get("/users/admin/delete").await.lacks(&["name=\"name\""]);
        let page = admin.send("/users/admin", "/users/admin/delete", &[("name", "admin")]).await;
        assert_eq!(page.status, StatusCode::CONFLICT);
        assert_eq!(admin.get("/users").await.status, StatusCode::OK);
        // With another one, it may go.
        add_user(&lab, "alice").await;
        done(&mut admin, "/users/alice", "/users/alice/change", &[("change", "make-administrator")]).await;
        admin.get("/users/admin").await.has(&["Take administration away", "/users/admin/delete"]);
        let page = admin.send("/users/admin", "/users/admin/change", &[("change", "deactivate")]).await;
        assert_eq!(page.location(), "/users/admin?done=changed");
        assert_eq!(admin.get("/users/admin").await.status, StatusCode::SEE_OTHER, "signed out by it");
        Browser::signed_in(&lab, "alice").await.get("/users/alice").await.has(&["the last active administrator"]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_user_reads_the_own_rights_and_nobody_elses() {
    let lab = Lab::new(Mode::Normal).await;
    acme(&lab).await;
    give(&lab, "acme/*", Level::ReadWrite).await;
    let mut bob = Browser::signed_in(&lab, "bob").await;
    let page = bob.get("/users/bob").await;
    let team = "<a href=\"/orgs/acme/teams/web\">through team web of acme</a>";
    page.has(&[
        "What you may",
        "read-write on <a href=\"/repositories?ns=acme\">acme/*</a>",
        "read-only on <a href=\"/r/acme/site\">acme/site</a>",
        team,
        "the namespace is the user&#39;s own",
        "href=\"/users/bob\">Your rights</a>",
    ]);
    page.lacks(&["Deactivate", "<h2 id=\"tokens\">", "/users\""]);
    let (alice, nobody) = (bob.get("/users/alice").await, bob.get("/users/nobody").await);
    assert_eq!((alice.status, nobody.status), (StatusCode::NOT_FOUND, StatusCode::NOT_FOUND));
    // Nor does the own page give what administrators do.
    let page = bob.send("/account", "/users/bob/change", &[("change", "make-administrator")]).await;
    assert_eq!(page.status, StatusCode::FORBIDDEN);
    let page = Browser::signed_in(&lab, "alice").await.get("/users/alice").await;
    page.has(&["admin on <a href=\"/repositories?ns=acme\">acme/*</a>", ">as an owner of acme</a>"]);
    let page = Browser::signed_in(&lab, "admin").await.get("/users/bob").await;
    page.has(&["Effective rights", team, ">web</a>", "Deactivate"]);
    assert_eq!(pull_and_push(&lab, "bob", "acme/vault").await, [200, 202]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_list_of_rights_is_paged() {
    let lab = Lab::new(Mode::Normal).await;
    acme(&lab).await;
    let access = lab.server.access();
    let system = msr_lite::model::Actor::system();
    for n in 0..60 {
        lab.push_blob(&format!("acme/r-{n:02}"), b"blob").await;
        give(&lab, &format!("acme/r-{n:02}"), Level::ReadOnly).await;
    }
    let zoo = msr_lite::access::accounts::NewAccount {
        name: "zoo".into(),
        kind: msr_lite::model::account::AccountKind::Organization,
        ..Default::default()
    };
    access.create_account(&system, zoo).await.unwrap();
    access.set_member(&system, "zoo", "bob", true).await.unwrap();
    let mut bob = Browser::signed_in(&lab, "bob").await;
    let (mut path, mut seen) = ("/users/bob".to_owned(), Vec::new());
    loop {
        let page = bob.get(&path).await;
        let table =
            page.text.split("aria-label=\"Rights\"").nth(1).unwrap().split("</table>").next().unwrap().to_owned();
        seen.extend(
            table
                .split("<tr><td>")
                .skip(1)
                .map(|row| row.split("</a>").next().unwrap().rsplit('>').next().unwrap().to_owned()),
        );
        let Some((before, _)) = page.text.split_once("\">Next page<span class=\"hidden\"> of rights") else { break };
        path = before.rsplit("href=\"").next().unwrap().replace("&#38;", "&");
    }
    assert_eq!(seen.len(), 63, "the own namespace, 61 grants, an owner's: {seen:?}");
    assert_eq!((seen[0].as_str(), seen[62].as_str()), ("bob/*", "zoo/*"));
    seen.dedup();
    assert_eq!(seen.len(), 63);
    assert_eq!(bob.get("/users/bob?after=a%2Fb").await.status, StatusCode::BAD_REQUEST);
}
