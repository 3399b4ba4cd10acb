//! Sessions of the pages.

use std::time::Duration;

use super::*;
use crate::access::accounts::AccountChange;
use crate::access::session::{IDLE, LONGEST, Session, csrf_text, remove_ended};
use crate::meta::session::{self, MAX_SESSIONS};
use crate::model::Actor;

impl House {
    async fn open(&self, name: &str) -> String {
        let opened = self.access.open_session(name, secret(PASSWORD), address(HERE), "browser").await.unwrap();
        opened.token.reveal().clone()
    }

    async fn at(&self, token: &str) -> Option<Session> {
        self.access.session(token).await.unwrap()
    }

    fn rows(&self) -> usize {
        self.meta.read(|tx| session::list(tx, None, 1000)).unwrap().len()
    }
}

#[tokio::test]
async fn a_session_is_its_accounts_with_all_that_it_may() {
    for mode in [Mode::Normal, Mode::Strict] {
        let house = house_of(mode, false);
        let token = house.open("alice").await;
        assert_eq!(token.len(), 43, "256 bits");
        let session = house.at(&token).await.unwrap();
        assert_eq!(session.caller, Caller::of(Principal::User { name: "alice".into(), admin: false }));
        assert_eq!(session.csrf, csrf_text(&token));
        assert_ne!(house.open("alice").await, token, "each has a token of its own");
        assert!(house.at("").await.is_none() && house.at(&token[1..]).await.is_none());
        // What is stored does not open anything.
        let (hash, row) = house.meta.read(|tx| session::list(tx, None, 1)).unwrap().remove(0);
        assert!(house.at(&hex::encode(hash)).await.is_none());
        assert_eq!((row.address.as_str(), row.agent.as_str()), (HERE, "browser"));
    }
}

#[tokio::test]
async fn a_wrong_password_opens_nothing_and_sounds_like_an_unknown_name() {
    let house = house();
    let open = |name: &'static str, word: &'static str| {
        let access = house.access.clone();
        async move { refused(access.open_session(name, secret(word), address(HERE), "").await) }
    };
    assert_eq!(open("alice", "wrong").await, open("nobody", "wrong").await);
    assert_eq!(house.rows(), 0);
}

#[tokio::test]
async fn a_session_ends_when_it_is_not_used_and_at_last_in_any_case() {
    let house = house();
    let (used, idle) = (house.open("alice").await, house.open("alice").await);
    for _ in 0..LONGEST.as_secs() / 3600 - 1 {
        house.clock.advance(Duration::from_hours(1));
        assert!(house.at(&used).await.is_some());
    }
    assert!(house.at(&idle).await.is_none());
    house.clock.advance(Duration::from_hours(1));
    assert!(house.at(&used).await.is_none(), "after {LONGEST:?} it is over");
    assert_eq!(remove_ended(&house.meta, house.clock.now()).await.unwrap(), 2);
    assert_eq!(house.rows(), 0);

    let token = house.open("alice").await;
    house.clock.advance(IDLE.checked_sub(Duration::from_millis(1)).unwrap());
    assert!(house.at(&token).await.is_some(), "seen just in time, and written down");
    house.clock.advance(IDLE.checked_sub(Duration::from_mins(5)).unwrap());
    assert_eq!(remove_ended(&house.meta, house.clock.now()).await.unwrap(), 0);
    assert!(house.at(&token).await.is_some());
}

#[tokio::test]
async fn what_changes_the_account_ends_its_sessions() {
    let house = house();
    let (token, other) = (house.open("alice").await, house.open("admin").await);
    let owner = Some((secret(PASSWORD), address(HERE)));
    house.access.change_password("alice", owner, secret("battery staple")).await.unwrap();
    assert!(house.at(&token).await.is_none());
    assert!(house.at(&other).await.is_some());
    assert_eq!(house.rows(), 1, "no row is left");
    let opened = house.access.reopen_session("alice", address(HERE), "").await.unwrap();
    assert!(house.at(opened.token.reveal()).await.is_some());
    house.access.reset_password("alice").await.unwrap();
    assert!(house.at(opened.token.reveal()).await.is_none());
}

/// A password was changed from within a session, and before that goes on somebody switches the account off.
#[tokio::test]
async fn an_account_that_is_off_gets_no_session_again() {
    let house = house();
    let off = AccountChange { active: Some(false), ..AccountChange::default() };
    house.access.change_account(&Actor::system(), "alice", off).await.unwrap();
    let again = house.access.reopen_session("alice", address(HERE), "browser").await;
    assert!(matches!(again, Err(AccessError::Refused(_))), "{again:?}");
    assert_eq!(house.rows(), 0);
}

#[tokio::test]
async fn signing_out_ends_one_session() {
    let house = house();
    let (one, other) = (house.open("alice").await, house.open("alice").await);
    house.access.close_session(&one).await.unwrap();
    house.access.close_session(&one).await.unwrap();
    assert!(house.at(&one).await.is_none() && house.at(&other).await.is_some());
}

#[tokio::test]
async fn an_account_has_a_bounded_number_of_sessions() {
    let house = house();
    let first = house.open("alice").await;
    let admin = house.open("admin").await;
    for _ in 0..MAX_SESSIONS {
        house.clock.advance(Duration::from_secs(1));
        house.open("alice").await;
    }
    assert!(house.at(&first).await.is_none(), "the oldest has gone");
    assert!(house.at(&admin).await.is_some(), "of another account none");
    assert_eq!(house.rows(), MAX_SESSIONS + 1);
}

#[tokio::test]
async fn the_first_password_is_known_as_such_until_it_is_changed() {
    let (meta, clock) = (Engine::in_memory(Mode::Normal), Clock::manual(Timestamp(1_800_000_000_000)));
    let access = open(&meta, &clock, AccessSettings::default());
    assert!(at_start(|| access.create_admin_with_initial(&secret(PASSWORD)).unwrap()));
    let session = access.open_session(ADMIN, secret(PASSWORD), address(HERE), "").await.unwrap().session;
    assert!(session.initial_password);
    let owner = Some((secret(PASSWORD), address(HERE)));
    access.change_password(ADMIN, owner, secret("battery staple")).await.unwrap();
    let session = access.open_session(ADMIN, secret("battery staple"), address(HERE), "").await.unwrap().session;
    assert!(!session.initial_password);
    assert!(!house().access.account(ADMIN).unwrap().unwrap().initial, "a given password is nobody's but the giver's");
}
