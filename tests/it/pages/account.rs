//! One's own account: what one belongs to and may, the password, the sessions.

use std::time::Duration;

use msr_lite::access::accounts::NewAccount;
use msr_lite::access::personal_tokens::NewToken;
use msr_lite::meta::{Mode, event};
use msr_lite::model::Actor;
use msr_lite::model::account::AccountKind;
use msr_lite::model::event::Happening;
use msr_lite::model::permission::{Level, Place};
use msr_lite::oci::RepoName;
use reqwest::{Method, StatusCode};

use super::{Browser, Page, add_user};
use crate::harness::{Lab, on_each_engine};

const SESSIONS: &str = "/account/sessions";

/// The ids in the buttons that end sessions.
fn ids(page: &Page) -> Vec<String> {
    let parts = page.text.split("name=\"session\" value=\"").skip(1);
    parts.map(|part| part.split('"').next().unwrap().to_owned()).filter(|id| id != "others").collect()
}

/// `alice` owns `tools`, and is in the teams `dev` and `ops` of `lab`.
async fn with_teams(lab: &Lab) {
    let (access, by) = (lab.server.access(), Actor::system());
    add_user(lab, "alice").await;
    lab.push_image("lab/web", "1", b"layer").await;
    let full_name = "The tools".to_owned();
    let tools =
        NewAccount { name: "tools".into(), kind: AccountKind::Organization, full_name, ..NewAccount::default() };
    access.create_account(&by, tools).await.unwrap();
    access.set_member(&by, "tools", "alice", true).await.unwrap();
    for team in ["ops", "dev"] {
        access.create_team(&by, "lab", team, "").await.unwrap();
        access.add_team_member(&by, "lab", team, "alice").await.unwrap();
    }
    let web = Place::Repository(RepoName::parse("lab/web").unwrap());
    access.set_grant(&by, &web, "lab", "dev", Level::ReadWrite).await.unwrap();
    access.set_grant(&by, &Place::Namespace("lab".into()), "lab", "ops", Level::ReadOnly).await.unwrap();
}

on_each_engine! {
    async fn the_account_says_who_one_is_and_what_one_may_and_why(lab) {
        with_teams(&lab).await;
        let mut alice = Browser::signed_in(&lab, "alice").await;
        let page = alice.get("/account").await;
        page.has(&[
            "<dd>user</dd>",
            "href=\"/repositories?ns=alice\"",
            "<bdi>The tools</bdi>",
            "<td>owner</td>",
            "<td>member</td>",
            "<a href=\"/orgs/lab/teams/dev\"><bdi>dev</bdi></a>, <a href=\"/orgs/lab/teams/ops\"><bdi>ops</bdi></a>",
            "href=\"/repositories?ns=lab\">lab/*</a></td><td>read-only</td><td class=\"some\"><bdi>through team ops of lab, on the namespace</bdi>",
            "href=\"/r/lab/web\">lab/web</a></td><td>read-write</td><td class=\"some\"><bdi>through team dev of lab</bdi>",
            "tools/*</a></td><td>admin</td><td class=\"some\"><bdi>as an owner of tools</bdi>",
            "alice/*</a></td><td>admin</td>",
            "whoever is signed in may pull",
        ]);
        page.lacks(&["every repository", "administrator"]);
        let mut admin = Browser::signed_in(&lab, "admin").await;
        let page = admin.get("/account").await;
        page.has(&["administrator <small>", "every repository</a></td><td>admin</td>", "<bdi>an administrator</bdi>"]);
        page.has(&["You are in no organization"]);

        // Many rights: a part of them first.
        let by = Actor::system();
        for n in 0..30 {
            let repo = format!("lab/many-{n:02}");
            lab.push_image(&repo, "1", b"layer").await;
            let place = Place::Repository(RepoName::parse(&repo).unwrap());
            lab.server.access().set_grant(&by, &place, "lab", "dev", Level::ReadOnly).await.unwrap();
        }
        let page = alice.get("/account").await;
        page.has(&["Show 9 more", "/account?rights=all#rights"]);
        alice.get("/account?rights=all").await.has(&["lab/many-00", "lab/many-29"]);
    }

    async fn a_new_password_ends_the_other_sessions_and_not_this_one(lab) {
        add_user(&lab, "alice").await;
        let new = NewToken { label: "job".into(), ..NewToken::default() };
        let (token, _) = lab.server.access().create_token(&Actor::system(), None, "alice", new).await.unwrap();
        let mut other = Browser::signed_in(&lab, "alice").await;
        let mut alice = Browser::signed_in(&lab, "alice").await;
        let old = lab.password.clone();
        let fields = |current| [("current", current), ("new", "correct horse battery"), ("again", "correct horse battery")];
        let page = alice.send("/account", "/account/password", &fields("wrong")).await;
        assert_eq!(page.status, StatusCode::FORBIDDEN);
        page.has(&["role=\"alert\">The current password is not right."]);
        assert_eq!(alice.send("/account", "/account/password", &fields(&old)).await.location(), "/account?done=password");
        alice.get("/account?done=password").await.has(&["The password was changed"]);
        assert_eq!(other.get("/account").await.status, StatusCode::SEE_OTHER);
        assert_eq!(ids(&alice.get(SESSIONS).await).len(), 0, "nobody else is left");
        let with = async |password: &str| {
            lab.anonymous(Method::GET, "/v2/").basic_auth("alice", Some(password)).send().await.unwrap().status()
        };
        assert_eq!(with(&old).await, StatusCode::UNAUTHORIZED);
        assert_eq!(with("correct horse battery").await, StatusCode::OK);
        assert_eq!(with(token.reveal()).await, StatusCode::OK, "as the page says");
        let events = lab.server.registry().meta().read(|tx| event::list(tx, 1000)).unwrap();
        let changed = events.iter().find(|event| matches!(event.what, Happening::PasswordChanged { .. })).unwrap();
        assert_eq!((changed.actor.name(), changed.address.as_deref()), ("alice", Some("127.0.0.1")));
    }

    async fn guessing_the_current_password_is_slowed_down(lab) {
        add_user(&lab, "alice").await;
        let mut alice = Browser::signed_in(&lab, "alice").await;
        let mut last = StatusCode::OK;
        for guess in 0..8 {
            let guess = format!("guess {guess}");
            let fields = [("current", &*guess), ("new", "correct horse battery"), ("again", "correct horse battery")];
            let page = alice.send("/account", "/account/password", &fields).await;
            last = page.status;
            if last == StatusCode::TOO_MANY_REQUESTS {
                page.has(&["Try again in", "role=\"alert\""]);
                assert!(page.header("retry-after").parse::<u64>().unwrap() >= 1);
                break;
            }
        }
        assert_eq!(last, StatusCode::TOO_MANY_REQUESTS);
        assert_eq!(alice.get("/account").await.status, StatusCode::OK, "who is signed in stays so");
    }

    async fn sessions_are_listed_and_ended(lab) {
        for name in ["alice", "bob"] {
            add_user(&lab, name).await;
        }
        let mut first = Browser::signed_in(&lab, "alice").await;
        lab.clock.advance(Duration::from_mins(10));
        let mut second = Browser::signed_in(&lab, "alice").await;
        let mut third = Browser::signed_in(&lab, "alice").await;
        let mut bob = Browser::signed_in(&lab, "bob").await;
        let page = first.get(SESSIONS).await;
        page.has(&["<strong>this one</strong>", "127.0.0.1", "End all others", "12 h after its last use", "7 d after"]);
        assert_eq!(page.text.matches("this one</strong>").count(), 1);
        let others = ids(&page);
        assert_eq!(others.len(), 2);
        page.lacks(&[&first.cookies["__Host-session"]]);

        // Somebody else's, one that is none, and a form that names none.
        let target = "/account/sessions/end";
        assert_eq!(ids(&bob.get(SESSIONS).await).len(), 0);
        for id in [others[0].as_str(), &"0".repeat(64), "x"] {
            assert_eq!(bob.send(SESSIONS, target, &[("session", id)]).await.status, StatusCode::NOT_FOUND, "{id}");
        }
        assert_eq!(bob.send(SESSIONS, target, &[]).await.status, StatusCode::BAD_REQUEST);
        assert_eq!(ids(&first.get(SESSIONS).await).len(), 2, "all of them go on");

        let one = [("session", others[0].as_str())];
        assert_eq!(first.send(SESSIONS, target, &one).await.location(), "/account/sessions?done=one");
        first.get("/account/sessions?done=one").await.has(&["role=\"status\"", "That browser".to_lowercase().as_str()]);
        assert_eq!(first.send(SESSIONS, target, &one).await.status, StatusCode::NOT_FOUND, "it is ended already");
        let left = [second.get("/account").await.status, third.get("/account").await.status];
        assert_eq!(left.iter().filter(|status| **status == StatusCode::OK).count(), 1, "{left:?}");

        let mut fourth = Browser::signed_in(&lab, "alice").await;
        assert_eq!(first.send(SESSIONS, target, &[("session", "others")]).await.location(), "/account/sessions?done=others");
        for browser in [&mut second, &mut third, &mut fourth] {
            assert_eq!(browser.get("/account").await.status, StatusCode::SEE_OTHER);
        }
        first.get(SESSIONS).await.has(&["You are signed in nowhere else."]);
        assert_eq!(bob.get("/account").await.status, StatusCode::OK);
        let events = lab.server.registry().meta().read(|tx| event::list(tx, 1000)).unwrap();
        let ended = events.iter().filter_map(|event| match event.what {
            Happening::SessionsEnded { sessions, .. } => Some((event.actor.name(), sessions)),
            _ => None,
        });
        let mut ended: Vec<_> = ended.collect();
        ended.sort_unstable();
        assert_eq!(ended, [("alice", 1), ("alice", 2)]);
    }
}
