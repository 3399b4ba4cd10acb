//! Personal access tokens, htpasswd, and what ends them.

use super::*;
use crate::access::accounts::{AccountChange, NewAccount};
use crate::access::authenticator::{Answer, Authenticator};
use crate::access::htpasswd::Imported;
use crate::access::personal_tokens::{NewToken, TokenChange, TokenFilter};
use crate::model::Actor;
use crate::model::permission::{Level, Place};
use crate::model::personal_token::{GeneratedBy, PREFIX, TokenHash, TokenScope};

fn system() -> Actor {
    Actor::system()
}

impl House {
    async fn new_token(&self, owner: &str, scope: TokenScope) -> (Secret, TokenHash) {
        let new = NewToken { label: "build".into(), scope, ..NewToken::default() };
        let (text, entry) = self.access.create_token(&system(), None, owner, new).await.unwrap();
        (text, entry.hash)
    }

    async fn log_in(
        &self,
        name: &str,
        token: &Secret,
        scopes: &str,
        offline: bool,
    ) -> Result<TokenAnswer, AccessError> {
        let grant = Grant::Password { username: name.into(), password: token.clone() };
        self.token(grant, scopes, offline).await
    }
}

fn web_only() -> TokenScope {
    TokenScope::Places(vec![(Place::Repository(RepoName::parse("alice/web").unwrap()), Level::ReadOnly)])
}

#[tokio::test]
async fn a_token_is_a_password_that_names_its_owner() {
    let house = house_of(Mode::Strict, false);
    let (text, hash) = house.new_token("alice", TokenScope::All).await;
    assert!(text.reveal().starts_with(PREFIX) && text.reveal().len() == 49);
    assert!(text.reveal().bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_'), "nothing for a shell");
    let caller = house.sign_in("alice", text.reveal(), HERE).await.unwrap();
    assert_eq!(caller.principal, Principal::User { name: "alice".into(), admin: false });
    assert_eq!(caller.through.as_ref().unwrap().token, hash);
    refused(house.sign_in("admin", text.reveal(), HERE).await);
    refused(house.sign_in("", text.reveal(), HERE).await);
    let other = format!("{PREFIX}{}", "x".repeat(44));
    refused(house.sign_in("alice", &other, HERE).await);
    assert_eq!(house.hashes(), 0, "a token costs no argon2");
    house.sign_in("alice", PASSWORD, HERE).await.expect("wrong tokens slow nobody down: they cannot be guessed");
    // Not for the pages, and not instead of the password.
    assert!(house.access.open_session("alice", text.clone(), address(HERE), "").await.is_err());
    let old = Some((text.clone(), address(HERE)));
    refused(house.access.change_password("alice", old, secret("a new one")).await);
    let like_one = house.access.change_password("alice", None, secret(&other)).await;
    assert!(matches!(like_one, Err(AccessError::Malformed(_))));
    // Nothing but the hash is kept.
    let rows: Result<_, MetaError> =
        house.meta.read(|tx| crate::meta::Read::range(tx, crate::meta::tables::PERSONAL_TOKEN, &[], None, 10));
    let rows = rows.unwrap();
    assert!(!String::from_utf8_lossy(&rows[0].1).contains(&text.reveal()[5..]));
}

#[tokio::test]
async fn what_is_got_with_a_token_is_as_narrow_and_ends_with_it() {
    let house = house_of(Mode::Strict, false);
    let (text, hash) = house.new_token("alice", web_only()).await;
    let asked = "repository:alice/web:pull,push repository:alice/app:pull";
    let answer = house.log_in("alice", &text, asked, true).await.unwrap();
    let scopes: Vec<String> = answer.scopes.iter().map(Scope::to_string).collect();
    assert_eq!(scopes, ["repository:alice/web:pull"]);
    let caller = house.show(&answer.token).await.unwrap();
    assert_eq!(house.may(&caller, "alice/web", Action::Pull), Verdict::Allowed);
    assert_eq!(house.may(&caller, "alice/app", Action::Pull), Verdict::Hidden);
    assert_eq!(house.may(&caller.without_token(), "alice/app", Action::Pull), Verdict::Hidden, "as for mounts");
    let refresh = answer.refresh.unwrap();
    let again = |scope: &'static str| house.token(Grant::Refresh(refresh.clone()), scope, false);
    assert_eq!(again("repository:alice/app:pull").await.unwrap().scopes, []);
    assert_eq!(again("repository:alice/web:pull").await.unwrap().scopes.len(), 1);

    let change = |active| TokenChange { active: Some(active), ..TokenChange::default() };
    house.access.change_token(&system(), Some("alice"), &hash, change(false)).await.unwrap();
    refused(house.show(&answer.token).await);
    refused(again("").await);
    refused(house.sign_in("alice", text.reveal(), HERE).await);
    house.access.change_token(&system(), Some("alice"), &hash, change(true)).await.unwrap();
    house.show(&answer.token).await.unwrap();
    let foreign = house.access.delete_token(&system(), Some("admin"), &hash).await;
    assert!(matches!(foreign, Err(AccessError::NotFound(_))), "another's token is not there");
    house.access.delete_token(&system(), None, &hash).await.unwrap();
    refused(house.show(&answer.token).await);
    refused(again("").await);
}

#[tokio::test]
async fn a_token_expires_also_where_it_is_remembered() {
    let house = house();
    let expires = Some(house.clock.now().plus(Duration::from_mins(10)));
    let new = NewToken { expires, ..NewToken::default() };
    let (text, _) = house.access.create_token(&system(), None, "alice", new).await.unwrap();
    let bearer = house.log_in("alice", &text, "", false).await.unwrap().token;
    let caller = house.show(&bearer).await.unwrap();
    // Tokens that it makes live no longer, and narrow ones make none.
    let by = house.sign_in("alice", text.reveal(), HERE).await.unwrap();
    let (_, entry) = house.access.create_token(&system(), Some(&by), "alice", NewToken::default()).await.unwrap();
    assert_eq!(entry.token.expires, expires);
    house.clock.advance(Duration::from_secs(599));
    house.show(&bearer).await.unwrap();
    house.clock.advance(Duration::from_secs(1));
    refused(house.show(&bearer).await);
    refused(house.sign_in("alice", text.reveal(), HERE).await);
    assert!(caller.through.is_some());
    let (narrow, _) = house.new_token("alice", TokenScope::ReadOnly).await;
    let by = house.sign_in("alice", narrow.reveal(), HERE).await.unwrap();
    let made = house.access.create_token(&system(), Some(&by), "alice", NewToken::default()).await;
    assert!(matches!(made, Err(AccessError::Conflict(_))));
    let late = NewToken { expires: Some(house.clock.now()), ..NewToken::default() };
    let late = house.access.create_token(&system(), None, "alice", late).await;
    assert!(matches!(late, Err(AccessError::Malformed(_))));
}

#[tokio::test]
async fn uses_are_noted_and_tokens_are_found_by_them() {
    let house = house_of(Mode::Strict, false);
    let (used, used_hash) = house.new_token("alice", TokenScope::All).await;
    house.clock.advance(Duration::from_secs(1));
    let (_, idle) = house.new_token("alice", TokenScope::All).await;
    let auto = NewToken { generated_by: GeneratedBy::Auto, ..NewToken::default() };
    let (_, auto) = house.access.create_token(&system(), None, "admin", auto).await.unwrap();
    house.clock.advance(Duration::from_hours(48));
    let header = basic("alice", used.reveal());
    house.access.authenticate_client(Some(&header), address(THERE), "docker/28.0").await.unwrap();
    let shown = house.access.personal_token(Some("alice"), &used_hash).unwrap().used.unwrap();
    assert_eq!((shown.client.as_str(), shown.address.as_str()), ("docker/28.0", THERE));
    assert_eq!(house.access.flush_token_uses().await.unwrap(), 1);
    assert_eq!(house.access.flush_token_uses().await.unwrap(), 0);
    let again = open(&house.meta, &house.clock, AccessSettings::default());
    assert_eq!(again.personal_token(None, &used_hash).unwrap().used.unwrap(), shown);

    let hashes = |filter: TokenFilter| -> Vec<TokenHash> {
        house.access.tokens(&filter, None, 10).unwrap().into_iter().map(|entry| entry.hash).collect()
    };
    assert_eq!(hashes(TokenFilter::default()), [auto.hash, used_hash, idle], "by owner, then age");
    let alices = TokenFilter { owner: Some("alice".into()), ..TokenFilter::default() };
    let first = house.access.tokens(&alices, None, 1).unwrap();
    let second = house.access.tokens(&alices, Some(&first[0].mark), 10).unwrap();
    assert_eq!((first[0].hash, second[0].hash, second.len()), (used_hash, idle, 1));
    let unused = TokenFilter { used_before: Some(house.clock.now()), ..TokenFilter::default() };
    assert_eq!(hashes(unused.clone()), [auto.hash, idle]);
    let automatic = TokenFilter { generated_by: Some(GeneratedBy::Auto), ..unused };
    assert_eq!(house.access.delete_tokens(&system(), &automatic).await.unwrap(), 1);
    assert_eq!(hashes(TokenFilter::default()), [used_hash, idle]);
    assert_eq!(hashes(TokenFilter { owner: Some("a\0".into()), ..TokenFilter::default() }), []);
}

#[tokio::test]
async fn an_account_that_is_switched_off_is_out_at_once() {
    let house = house_of(Mode::Strict, false);
    let (text, _) = house.new_token("alice", TokenScope::All).await;
    house.sign_in("alice", PASSWORD, HERE).await.unwrap();
    let answer = house.token(password("alice"), "", true).await.unwrap();
    let by_token = house.log_in("alice", &text, "", true).await.unwrap();
    let session = house.access.open_session("alice", secret(PASSWORD), address(HERE), "").await.unwrap();
    house.show(&answer.token).await.unwrap();
    let off = AccountChange { active: Some(false), ..AccountChange::default() };
    house.access.change_account(&system(), "alice", off).await.unwrap();
    for bearer in [&answer.token, &by_token.token] {
        refused(house.show(bearer).await);
    }
    for refresh in [answer.refresh.unwrap(), by_token.refresh.unwrap()] {
        refused(house.token(Grant::Refresh(refresh), "", false).await);
    }
    assert!(house.access.session(session.token.reveal()).await.unwrap().is_none());
    refused(house.sign_in("alice", text.reveal(), HERE).await);
    assert!(refused(house.sign_in("alice", PASSWORD, HERE).await).contains("not active"));
    let on = AccountChange { active: Some(true), ..AccountChange::default() };
    house.access.change_account(&system(), "alice", on).await.unwrap();
    house.sign_in("alice", PASSWORD, HERE).await.unwrap();
    house.sign_in("alice", text.reveal(), HERE).await.unwrap();
    refused(house.show(&answer.token).await);
}

#[tokio::test]
async fn htpasswd_users_sign_in_and_get_a_better_hash() {
    let house = house_of(Mode::Strict, false);
    let hash = bcrypt::hash_with_result("an old password", 4).unwrap().format_for_version(bcrypt::Version::TwoY);
    let text = format!("# users\n\nbob:{hash}\nalice:{hash}\ncarol:$apr1$x$y\n");
    let outcome = house.access.import_htpasswd(&system(), &text).await.unwrap();
    assert_eq!(outcome[0], Imported::Created { account: "bob".into() });
    assert_eq!(outcome[1], Imported::Kept { account: "alice".into() });
    assert!(matches!(&outcome[2], Imported::Refused { line: 5, .. }));
    refused(house.sign_in("bob", "another password", HERE).await);
    assert_eq!(house.access.account("bob").unwrap().unwrap().password, hash);
    house.sign_in("bob", "an old password", HERE).await.unwrap();
    let bob = house.access.account("bob").unwrap().unwrap();
    assert!(bob.password.starts_with("$argon2id$"), "{}", bob.password);
    house.clock.advance(Duration::from_hours(1));
    house.sign_in("bob", "an old password", HERE).await.unwrap();
    refused(house.sign_in("alice", "an old password", HERE).await);
    // What bcrypt would cut off is not cut off.
    let long = "x".repeat(80);
    let cut = bcrypt::hash_with_result(&long[..72], 4).unwrap().format_for_version(bcrypt::Version::TwoY);
    house.access.import_htpasswd(&system(), &format!("dave:{cut}")).await.unwrap();
    refused(house.sign_in("dave", &long, HERE).await);
}

#[tokio::test]
async fn a_user_without_password_signs_in_by_tokens_alone() {
    let house = house();
    let new = NewAccount { name: "ci".into(), ..NewAccount::default() };
    house.access.create_account(&system(), new).await.unwrap();
    refused(house.sign_in("ci", "", HERE).await);
    refused(house.sign_in("ci", PASSWORD, HERE).await);
    let (text, _) = house.new_token("ci", TokenScope::All).await;
    house.sign_in("ci", text.reveal(), HERE).await.unwrap();
}

/// Another source of accounts.
struct Directory;

impl Authenticator for Directory {
    fn name(&self) -> &'static str {
        "directory"
    }

    fn authenticate(&self, name: &str, password: &Secret) -> Result<Answer, AccessError> {
        Ok(match (name, password.reveal().as_str()) {
            ("alice@lab", "from elsewhere") => Answer::Identity { account: "alice".into() },
            ("admin", _) => Answer::Refused,
            _ => Answer::NotMine,
        })
    }
}

#[tokio::test]
async fn sources_of_accounts_are_asked_in_order() {
    let house = house();
    let settings = AccessSettings::default();
    let access = at_start(|| {
        Access::open_with(house.meta.clone(), house.clock.clone(), settings, vec![Box::new(Directory)]).unwrap()
    });
    let sign_in = |name: &'static str, password: &'static str| {
        let access = access.clone();
        async move { access.authenticate(Some(&basic(name, password)), address(HERE)).await }
    };
    let caller = sign_in("alice@lab", "from elsewhere").await.unwrap();
    assert_eq!(caller.principal.name(), "alice");
    sign_in("alice", PASSWORD).await.expect("the registry's own accounts come last");
    refused(sign_in("admin", PASSWORD).await);
}

#[tokio::test]
async fn what_an_account_had_is_dead_for_one_that_is_made_again_within_a_millisecond() {
    let house = house();
    let make = async |password: &str| {
        let bob = NewAccount { name: "bob".into(), password: Some(secret(password)), ..NewAccount::default() };
        house.access.create_account(&system(), bob).await.unwrap()
    };
    let first = make(PASSWORD).await;
    let token = house.token(password("bob"), "repository:bob/app:pull", false).await.unwrap().token;
    house.show(&token).await.unwrap();
    house.sign_in("bob", PASSWORD, HERE).await.unwrap();
    house.access.delete_account(&system(), "bob").await.unwrap();
    let second = make("another password").await;
    assert_eq!(first.revision, second.revision, "the clock stands still");
    refused(house.show(&token).await);
    refused(house.sign_in("bob", PASSWORD, HERE).await);
    house.sign_in("bob", "another password", HERE).await.unwrap();
}
