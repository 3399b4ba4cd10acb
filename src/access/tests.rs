//! The whole module over a store in memory, with a manual clock.

use std::io;
use std::sync::atomic::Ordering;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use parking_lot::Mutex;

use super::password::MAX_PASSWORD;
use super::*;
use crate::base::{RepoId, Timestamp, Uuid};
use crate::meta::{Mode, account, repo};
use crate::model::account::Account;
use crate::model::event::Happening;
use crate::model::operation::Requirement;
use crate::model::permission::Verdict;
use crate::model::{Action, Principal};
use crate::oci::RepoName;

mod rights;
mod sessions;
mod tokens;

const PASSWORD: &str = "correct horse";
const HERE: &str = "192.0.2.1";
const THERE: &str = "192.0.2.2";

struct House {
    access: Access,
    clock: Clock,
    meta: Engine,
}

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn secret(text: &str) -> Secret {
    Secret::new(text.to_owned())
}

fn basic(name: &str, password: &str) -> String {
    format!("Basic {}", BASE64.encode(format!("{name}:{password}")))
}

fn bearer(token: &Secret) -> String {
    format!("Bearer {}", token.reveal())
}

/// Start-up waits for the store, which an async thread must not.
fn at_start<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| scope.spawn(work).join().unwrap())
}

fn open(meta: &Engine, clock: &Clock, settings: AccessSettings) -> Access {
    at_start(|| Access::open(meta.clone(), clock.clone(), settings).unwrap())
}

fn put(meta: &Engine, account: Account) {
    let put = move |tx: &mut crate::meta::WriteTx| {
        account::put(tx, &account);
        Ok::<_, MetaError>(())
    };
    at_start(|| meta.write_blocking(put).unwrap());
}

/// A registry with `admin` and the user `alice`, both with the same password.
fn house_of(mode: Mode, anonymous_pull: bool) -> House {
    let meta = Engine::in_memory(mode);
    let clock = Clock::manual(Timestamp(1_800_000_000_000));
    let anonymous = if anonymous_pull { Anonymous::PublicRepositories } else { Anonymous::None };
    let settings = AccessSettings { anonymous, ..AccessSettings::default() };
    let access = open(&meta, &clock, settings);
    assert!(at_start(|| access.create_admin(&secret(PASSWORD)).unwrap()));
    let admin = access.account(ADMIN).unwrap().unwrap();
    put(&meta, Account { name: "alice".into(), id: Uuid::random(), admin: false, ..admin });
    House { access, clock, meta }
}

fn house() -> House {
    house_of(Mode::Normal, false)
}

impl House {
    async fn sign_in(&self, name: &str, password: &str, from: &str) -> Result<Caller, AccessError> {
        self.access.authenticate(Some(&basic(name, password)), address(from)).await
    }

    async fn show(&self, token: &Secret) -> Result<Caller, AccessError> {
        self.access.authenticate(Some(&bearer(token)), address(HERE)).await
    }

    async fn token(&self, grant: Grant, scopes: &str, offline: bool) -> Result<TokenAnswer, AccessError> {
        let request = TokenRequest { grant, scopes: Scope::parse_list(scopes), offline, client: "test".into() };
        self.access.token(request, address(HERE)).await
    }

    /// Makes a repository.
    fn make(&self, name: &str, visibility: repo::Visibility) {
        let (id, name) = (RepoId::random(), RepoName::parse(name).unwrap());
        let row = repo::RepoRow { visibility, ..repo::RepoRow::new(name, self.clock.now()) };
        let make = move |tx: &mut crate::meta::WriteTx| {
            repo::create(tx, id, &row);
            repo::refresh(tx, id)
        };
        at_start(|| self.meta.write_blocking(make).unwrap());
    }

    fn may(&self, caller: &Caller, repo: &str, action: Action) -> Verdict {
        let repo = RepoName::parse(repo).unwrap();
        self.access.decide(caller, Requirement::Repository(&repo, action)).verdict
    }

    fn hashes(&self) -> usize {
        self.access.0.passwords.load.all.load(Ordering::SeqCst)
    }
}

fn password(name: &str) -> Grant {
    Grant::Password { username: name.into(), password: secret(PASSWORD) }
}

fn refused<T: std::fmt::Debug>(result: Result<T, AccessError>) -> String {
    match result {
        Err(AccessError::Refused(text)) => text,
        other => panic!("not refused: {other:?}"),
    }
}

fn throttled<T: std::fmt::Debug>(result: Result<T, AccessError>) -> Duration {
    match result {
        Err(AccessError::Throttled { retry_after }) => retry_after,
        other => panic!("not throttled: {other:?}"),
    }
}

#[tokio::test]
async fn the_first_start_makes_one_admin() {
    let meta = Engine::in_memory(Mode::Normal);
    let clock = Clock::manual(Timestamp(1_000));
    let access = open(&meta, &clock, AccessSettings::default());
    let create = |password: &str| at_start(|| access.create_admin(&secret(password)));
    for bad in ["", "short", &"x".repeat(MAX_PASSWORD + 1)] {
        assert!(matches!(create(bad), Err(AccessError::Malformed(_))));
        assert_eq!(access.account(ADMIN).unwrap(), None, "a refused password leaves nothing behind");
    }
    assert!(create(PASSWORD).unwrap());
    assert!(!create("another one").unwrap());
    let caller = access.authenticate(Some(&basic(ADMIN, PASSWORD)), address(HERE)).await.unwrap();
    assert_eq!(caller.principal, Principal::User { name: ADMIN.into(), admin: true });
    assert!(access.authenticate(Some(&basic(ADMIN, "another one")), address(HERE)).await.is_err());
}

#[tokio::test]
async fn wrong_and_unknown_are_refused_alike_and_cost_alike() {
    let house = house();
    let wrong = refused(house.sign_in("alice", "no", HERE).await);
    assert_eq!(house.hashes(), 1);
    assert_eq!(refused(house.sign_in("nobody", PASSWORD, HERE).await), wrong);
    assert_eq!(house.hashes(), 2, "an account that is not there costs a hash too");
    assert_eq!(refused(house.sign_in("nul\0name", PASSWORD, HERE).await), wrong);
    assert_eq!(refused(house.sign_in("", "", HERE).await), wrong);
    let hashes = house.hashes();
    assert_eq!(refused(house.sign_in("alice", &"x".repeat(MAX_PASSWORD + 1), HERE).await), wrong);
    assert_eq!(refused(house.sign_in(&"x".repeat(300), PASSWORD, HERE).await), wrong);
    assert_eq!(house.hashes(), hashes, "what is too long is not hashed");
}

#[tokio::test]
async fn a_right_password_is_remembered_for_five_minutes() {
    let house = house();
    for _ in 0..3 {
        house.sign_in("alice", PASSWORD, HERE).await.unwrap();
        house.sign_in("alice", PASSWORD, THERE).await.unwrap();
    }
    assert_eq!(house.hashes(), 1);
    house.clock.advance(Duration::from_secs(299));
    house.sign_in("alice", PASSWORD, HERE).await.unwrap();
    assert_eq!(house.hashes(), 1);
    house.clock.advance(Duration::from_secs(1));
    house.sign_in("alice", PASSWORD, HERE).await.unwrap();
    assert_eq!(house.hashes(), 2);
    refused(house.sign_in("admin", "no", HERE).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_passwords_are_hashed_at_once_and_like_ones_once() {
    let house = house();
    let access = &house.access;
    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..12 {
        let access = access.clone();
        tasks.spawn(async move {
            let header = basic("alice", &format!("guess {n}"));
            access.authenticate(Some(&header), address(&format!("198.51.100.{n}"))).await.map(|_| ())
        });
    }
    for result in tasks.join_all().await {
        refused(result);
    }
    let load = &access.0.passwords.load;
    assert_eq!(load.all.load(Ordering::SeqCst), 12);
    assert_eq!(load.most.load(Ordering::SeqCst), 2);
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let access = access.clone();
        tasks.spawn(async move { access.authenticate(Some(&basic("alice", PASSWORD)), address(HERE)).await });
    }
    assert!(tasks.join_all().await.into_iter().all(|result| result.is_ok()));
    assert!(house.hashes() <= 14, "the first two hash, the others learn from them");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_guesses_at_once_gain_nothing() {
    let house = house();
    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..60 {
        let access = house.access.clone();
        tasks.spawn(async move {
            access.authenticate(Some(&basic("alice", &format!("guess {n}"))), address(HERE)).await.map(|_| ())
        });
    }
    let results = tasks.join_all().await;
    let waits = results.iter().filter(|result| matches!(result, Err(AccessError::Throttled { .. }))).count();
    assert!(waits >= 54, "{waits}");
    assert!(house.hashes() <= 6, "five are free, and one may have been running beside the fifth");
}

#[tokio::test]
async fn a_guesser_waits_and_the_owner_gets_in() {
    let house = house();
    for n in 0..5 {
        refused(house.sign_in("alice", &format!("guess {n}"), HERE).await);
    }
    assert_eq!(throttled(house.sign_in("alice", "guess 5", HERE).await), Duration::from_secs(1));
    assert_eq!(throttled(house.sign_in("alice", PASSWORD, HERE).await), Duration::from_secs(1));
    house.sign_in("alice", PASSWORD, THERE).await.expect("another address is free");
    house.sign_in("alice", PASSWORD, HERE).await.expect("what is remembered as right does not wait");
    house.sign_in("admin", PASSWORD, HERE).await.expect("another account is free");
    throttled(house.sign_in("alice", "guess 6", HERE).await);
    house.clock.jump(Timestamp(1_900_000_000_000));
    throttled(house.sign_in("alice", "guess 6", HERE).await);
    house.clock.advance(Duration::from_secs(1));
    refused(house.sign_in("alice", "guess 6", HERE).await);
    assert_eq!(throttled(house.sign_in("alice", "guess 7", HERE).await), Duration::from_secs(2));
    let new = house.access.reset_password("alice").await.unwrap();
    house.sign_in("alice", new.reveal(), HERE).await.expect("a new password lifts the wait");
}

#[tokio::test]
async fn an_old_password_in_a_script_disturbs_nobody() {
    let house = house();
    for _ in 0..100 {
        refused(house.sign_in("alice", "the old one", HERE).await);
        house.clock.advance(Duration::from_secs(1));
    }
    assert_eq!(house.hashes(), 1);
    house.sign_in("alice", PASSWORD, HERE).await.expect("from the same address, at once");
}

#[tokio::test]
async fn a_new_password_ends_everything_signed_in_before() {
    let house = house_of(Mode::Strict, false);
    house.sign_in("alice", PASSWORD, HERE).await.unwrap();
    let answer = house.token(password("alice"), "repository:alice/app:pull,push", true).await.unwrap();
    let refresh = answer.refresh.unwrap();
    house.show(&answer.token).await.unwrap();
    house.token(Grant::Refresh(refresh.clone()), "", false).await.unwrap();

    house.access.change_password("alice", Some((secret(PASSWORD), address(HERE))), secret("a new one")).await.unwrap();

    refused(house.sign_in("alice", PASSWORD, HERE).await);
    refused(house.show(&answer.token).await);
    refused(house.token(Grant::Refresh(refresh), "", false).await);
    house.sign_in("alice", "a new one", HERE).await.unwrap();
    house.sign_in("admin", PASSWORD, HERE).await.expect("other accounts are not concerned");
}

#[tokio::test]
async fn a_change_of_password_is_an_event_with_its_actor() {
    let house = house_of(Mode::Strict, false);
    house.access.change_password("alice", Some((secret(PASSWORD), address(HERE))), secret("a new one")).await.unwrap();
    house.clock.advance(Duration::from_millis(1));
    house.access.reset_password("alice").await.unwrap();
    let events = house.access.0.meta.read(|tx| crate::meta::event::list(tx, 10)).unwrap();
    let told: Vec<_> = events.iter().map(|event| (event.actor.name(), event.address.as_deref(), &event.what)).collect();
    let changed = Happening::PasswordChanged { account: "alice".into() };
    assert_eq!(told, [("alice", Some(HERE), &changed), ("system", None, &changed)]);
}

#[tokio::test]
async fn refused_credentials_of_accounts_that_exist_are_on_record() {
    let house = house_of(Mode::Strict, false);
    let answer = house.token(password("alice"), "", true).await.unwrap();
    refused(house.sign_in("alice", "wrong", HERE).await);
    refused(house.sign_in("hunter2", "wrong", HERE).await);
    house.access.change_password("alice", Some((secret(PASSWORD), address(HERE))), secret("a new one")).await.unwrap();
    for _ in 0..100 {
        refused(house.show(&answer.token).await);
    }
    house.access.refusals().flush().await.unwrap();
    let events = house.access.0.meta.read(|tx| crate::meta::event::list(tx, 100)).unwrap();
    let (mut told, mut rows) = (std::collections::BTreeMap::new(), 0);
    for event in &events {
        let text = serde_json::to_string(event).unwrap();
        assert!(!text.contains("hunter2") && !text.contains("wrong\""), "{text}");
        if let Happening::Refused { operation, account, times, .. } = &event.what {
            assert_eq!((account.as_deref(), event.address.as_deref()), (Some("alice"), Some(HERE)));
            *told.entry(operation.as_str()).or_insert(0) += times;
            rows += 1;
        }
    }
    assert_eq!(told.into_iter().collect::<Vec<_>>(), [("bearer_token", 100), ("sign_in", 1)]);
    assert!(rows <= 3, "the same is counted: {rows} rows");
    let signed_in = events.iter().find(|event| matches!(event.what, Happening::SignedIn { .. })).unwrap();
    assert_eq!((signed_in.actor.name(), signed_in.address.as_deref()), ("alice", Some(HERE)), "docker login");
}

#[tokio::test]
async fn passwords_are_changed_only_by_those_who_may() {
    let house = house();
    let old = |text: &str| Some((secret(text), address(HERE)));
    refused(house.access.change_password("alice", old("wrong"), secret("a new one")).await);
    for short in ["", "1234567"] {
        let result = house.access.change_password("alice", old(PASSWORD), secret(short)).await;
        assert!(matches!(result, Err(AccessError::Malformed(_))));
    }
    house.sign_in("alice", PASSWORD, HERE).await.expect("nothing has changed");
    let unknown = house.access.change_password("bob", None, secret("a new one")).await;
    assert!(matches!(unknown, Err(AccessError::UnknownAccount(name)) if name == "bob"));
    assert!(matches!(house.access.reset_password("bob").await, Err(AccessError::UnknownAccount(_))));
    let generated = house.access.reset_password("alice").await.unwrap();
    assert_eq!(generated.reveal().len(), 24);
    house.sign_in("alice", generated.reveal(), HERE).await.unwrap();
}

#[tokio::test]
async fn a_deleted_account_ends_what_it_had() {
    let house = house();
    let token = house.token(password("alice"), "", false).await.unwrap().token;
    house.show(&token).await.unwrap();
    // Deleted and made again under the same name: its first revision is above all that the old one had.
    let mut alice = house.access.account("alice").unwrap().unwrap();
    alice.revision += 1;
    put(&house.meta, alice);
    refused(house.show(&token).await);
}

#[tokio::test]
async fn a_token_says_what_was_asked_and_is_allowed() {
    let house = house();
    let asked = "repository:alice/app:push repository:alice/app:pull repository:lab/app:pull registry:x:* junk";
    let answer = house.token(password("alice"), asked, false).await.unwrap();
    let scopes: Vec<String> = answer.scopes.iter().map(Scope::to_string).collect();
    assert_eq!(scopes, ["repository:alice/app:pull,push"]);
    assert!(answer.refresh.is_none());
    let caller = house.show(&answer.token).await.unwrap();
    assert_eq!(house.may(&caller, "alice/app", Action::Push), Verdict::Allowed);
    assert_eq!(house.may(&caller, "alice/app", Action::Delete), Verdict::NeedsWiderToken);
    assert_eq!(house.may(&caller, "alice/other", Action::Pull), Verdict::NeedsWiderToken);
    assert_eq!(house.may(&caller, "lab/app", Action::Pull), Verdict::Hidden);
    let admin = house.token(password("admin"), "repository:lab/app:*", false).await.unwrap();
    let caller = house.show(&admin.token).await.unwrap();
    assert_eq!(house.may(&caller, "lab/app", Action::Delete), Verdict::Allowed);
    let many: Vec<String> = (0..200).map(|n| format!("repository:lab/app{n}:pull")).collect();
    assert_eq!(house.token(password("admin"), &many.join(" "), false).await.unwrap().scopes.len(), 50);
}

#[tokio::test]
async fn anonymous_tokens_follow_the_setting() {
    for open in [false, true] {
        let house = house_of(Mode::Normal, open);
        house.make("lab/app", repo::Visibility::Public);
        let answer = house.token(Grant::Anonymous, "repository:lab/app:pull,push", true).await.unwrap();
        assert_eq!(answer.scopes.len(), usize::from(open));
        assert!(answer.refresh.is_none(), "nobody signed in");
        let caller = house.show(&answer.token).await.unwrap();
        assert_eq!(caller.principal, Principal::Anonymous);
        let expected = if open { Verdict::Allowed } else { Verdict::NeedsSignIn };
        assert_eq!(house.may(&caller, "lab/app", Action::Pull), expected);
        assert_eq!(house.may(&caller, "lab/app", Action::Push), Verdict::NeedsSignIn);
        assert_eq!(house.may(&Caller::anonymous(), "lab/app", Action::Pull), expected);
        assert_eq!(house.access.decide(&caller, Requirement::SignedIn).verdict, expected);
        assert_eq!(house.access.decide(&Caller::anonymous(), Requirement::SignedIn).verdict, Verdict::NeedsSignIn);
    }
}

#[tokio::test]
async fn tokens_expire_also_when_they_are_remembered() {
    let house = house();
    let answer = house.token(password("alice"), "", false).await.unwrap();
    assert_eq!(answer.expires_in, Duration::from_mins(30));
    house.show(&answer.token).await.unwrap();
    house.clock.advance(Duration::from_secs(1859));
    house.show(&answer.token).await.unwrap();
    house.clock.advance(Duration::from_secs(1));
    assert!(refused(house.show(&answer.token).await).contains("expired"));
}

#[tokio::test]
async fn tokens_outlive_a_restart_and_belong_to_one_registry() {
    let house = house();
    let token = house.token(password("alice"), "", false).await.unwrap().token;
    let again = open(&house.meta, &house.clock, AccessSettings::default());
    assert_eq!(again.instance(), house.access.instance());
    again.authenticate(Some(&bearer(&token)), address(HERE)).await.unwrap();
    let other = self::house();
    assert_ne!(other.access.instance(), house.access.instance());
    refused(other.show(&token).await);
    refused(house.show(&secret("not a token")).await);
}

#[tokio::test]
async fn refresh_tokens_work_for_ninety_days_and_the_oldest_go() {
    let house = house_of(Mode::Strict, false);
    let login = || house.token(password("alice"), "", true);
    let first = login().await.unwrap().refresh.unwrap();
    let refresh = |token: &Secret| house.token(Grant::Refresh(token.clone()), "repository:alice/app:pull", true);
    let answer = refresh(&first).await.unwrap();
    assert_eq!(answer.scopes.len(), 1);
    assert!(answer.refresh.is_none(), "the client keeps the one it has");
    refused(refresh(&secret("not one")).await);

    let mut last = first.clone();
    for _ in 1..account::MAX_REFRESH {
        house.clock.advance(Duration::from_secs(1));
        last = login().await.unwrap().refresh.unwrap();
    }
    refresh(&first).await.expect("there is room for so many");
    house.clock.advance(Duration::from_secs(1));
    login().await.unwrap();
    refused(refresh(&first).await);

    let admin = house.token(password("admin"), "", true).await.unwrap().refresh.unwrap();
    house.clock.advance(Duration::from_secs(90 * 24 * 3600 - 2));
    refresh(&last).await.unwrap();
    house.clock.advance(Duration::from_secs(2));
    refused(refresh(&last).await);
    refused(refresh(&admin).await);
    login().await.unwrap();
    let left = house.meta.read(|tx| crate::meta::Read::range(tx, crate::meta::tables::REFRESH, &[], None, 1000));
    let left: Result<_, MetaError> = left;
    assert_eq!(left.unwrap().len(), 2, "expired ones of the account went with the new one; admin's row still stands");
    house.access.reset_password("alice").await.unwrap();
    house.access.reset_password("admin").await.unwrap();
    for table in [crate::meta::tables::REFRESH, crate::meta::tables::REFRESH_BY_ACCOUNT] {
        let left: Result<_, MetaError> = house.meta.read(|tx| crate::meta::Read::range(tx, table, &[], None, 1000));
        assert!(left.unwrap().is_empty());
    }
}

#[tokio::test]
async fn malformed_headers_are_told_from_wrong_ones() {
    let house = house();
    for header in ["", "Basic", "Basic !", "Digest x", "Bearer"] {
        let result = house.access.authenticate(Some(header), address(HERE)).await;
        assert!(matches!(result, Err(AccessError::Malformed(_))), "{header}");
    }
    assert_eq!(house.access.authenticate(None, address(HERE)).await.unwrap(), Caller::anonymous());
}

/// Everything that is logged, as text.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn no_secret_reaches_the_log() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(move || writer.clone())
        .with_ansi(false)
        .finish();
    // While there is only one dispatcher, tracing asks the thread that first passes a call site whether anybody wants
    // it, and tests beside this one want nothing; with a second one it asks all of them.
    let _second = tracing::Dispatch::new(tracing_subscriber::registry());
    let _guard = tracing::subscriber::set_default(subscriber);

    let house = house();
    house.sign_in("alice", PASSWORD, HERE).await.unwrap();
    house.sign_in("alice", "a wrong guess", HERE).await.unwrap_err();
    house.sign_in("typed-in-the-wrong-field", "x", HERE).await.unwrap_err();
    let answer = house.token(password("alice"), "repository:alice/app:pull", true).await.unwrap();
    let refresh = answer.refresh.clone().unwrap();
    house.show(&answer.token).await.unwrap();
    house.token(Grant::Refresh(refresh.clone()), "", true).await.unwrap();
    house.token(Grant::Refresh(secret("a-wrong-refresh-token")), "", true).await.unwrap_err();
    let new = house.access.reset_password("alice").await.unwrap();
    house.show(&answer.token).await.unwrap_err();
    house.access.change_password("alice", None, secret("another new one")).await.unwrap();
    let hash = house.access.account("alice").unwrap().unwrap().password;
    let debug = format!("{answer:?} {:?}", password("alice"));

    let text = String::from_utf8(log.0.lock().clone()).unwrap() + &debug;
    for expected in ["wrong password", "alice", HERE, "does not exist", "password changed", "token issued"] {
        assert!(text.contains(expected), "{expected:?} is not in the log:\n{text}");
    }
    let signature = answer.token.reveal().rsplit('.').next().unwrap();
    for kept in [
        PASSWORD,
        "a wrong guess",
        "typed-in-the-wrong-field",
        signature,
        refresh.reveal(),
        "a-wrong-refresh-token",
        new.reveal(),
        "another new one",
        &hash,
        "argon2id",
    ] {
        assert!(!text.contains(kept), "{kept:?} is in the log:\n{text}");
    }
}
