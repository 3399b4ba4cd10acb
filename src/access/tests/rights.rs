//! Accounts, organizations, teams and grants over the store; what they come to; and what lists read of it.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::access::accounts::{AccountChange, AccountFilter, NewAccount};
use crate::access::report::From as Begin;
use crate::access::rights::Visible;
use crate::meta::{WriteTx, grant};
use crate::model::Actor;
use crate::model::account::AccountKind;
use crate::model::permission::{Level, Place};

fn system() -> Actor {
    Actor::system()
}

fn repo(name: &str) -> RepoName {
    RepoName::parse(name).unwrap()
}

fn namespace(name: &str) -> Place {
    Place::Namespace(name.into())
}

fn at(name: &str) -> Place {
    Place::Repository(repo(name))
}

fn user(name: &str) -> Caller {
    Caller::of(Principal::User { name: name.into(), admin: false })
}

impl House {
    async fn add(&self, name: &str, kind: AccountKind) {
        let new = NewAccount { name: name.into(), kind, ..NewAccount::default() };
        self.access.create_account(&system(), new).await.unwrap();
    }

    /// The organization `lab` with the teams `dev` and `ops`, the users `bob` and `carol`, and four repositories.
    async fn furnish(&self) {
        self.add("lab", AccountKind::Organization).await;
        for name in ["bob", "carol"] {
            self.add(name, AccountKind::User).await;
        }
        for team in ["dev", "ops"] {
            self.access.create_team(&system(), "lab", team, "").await.unwrap();
        }
        for name in ["lab/web", "lab/db", "bob/own", "single"] {
            self.make(name, repo::Visibility::Private);
        }
        self.make("other/open", repo::Visibility::Public);
    }

    fn level(&self, name: &str, at: &str) -> Option<Level> {
        self.access.right(&user(name), &repo(at)).unwrap().map(|right| right.level)
    }

    async fn join(&self, team: &str, name: &str) {
        self.access.add_team_member(&system(), "lab", team, name).await.unwrap();
    }

    async fn give(&self, place: Place, team: &str, level: Level) {
        self.access.set_grant(&system(), &place, "lab", team, level).await.unwrap();
    }
}

fn conflict<T: std::fmt::Debug>(result: Result<T, AccessError>) -> String {
    match result {
        Err(AccessError::Conflict(text)) => text,
        other => panic!("no conflict: {other:?}"),
    }
}

async fn teams_give_rights(mode: Mode) {
    let house = house_of(mode, false);
    house.furnish().await;
    assert_eq!(house.level("bob", "lab/web"), None);
    house.join("dev", "bob").await;
    assert_eq!(house.level("bob", "lab/web"), None, "being in a team is nothing yet");
    house.give(at("lab/web"), "dev", Level::ReadWrite).await;
    let right = house.access.right(&user("bob"), &repo("lab/web")).unwrap().unwrap();
    assert_eq!(right.to_string(), "read-write, through team dev of lab");
    house.give(namespace("lab"), "dev", Level::ReadOnly).await;
    assert_eq!(house.level("bob", "lab/web"), Some(Level::ReadWrite), "rights add up");
    let right = house.access.right(&user("bob"), &repo("lab/db")).unwrap().unwrap();
    assert_eq!(right.to_string(), "read-only, through team dev of lab, on the namespace");
    assert_eq!(house.level("carol", "lab/db"), None);
    house
        .access
        .change_team(
            &system(),
            "lab",
            "dev",
            organizations::TeamChange { name: Some("developers".into()), ..Default::default() },
        )
        .await
        .unwrap();
    let right = house.access.right(&user("bob"), &repo("lab/web")).unwrap().unwrap();
    assert_eq!(right.to_string(), "read-write, through team developers of lab");

    // What is taken away is gone with the answer.
    house.access.remove_grant(&system(), &at("lab/web"), "lab", "developers").await.unwrap();
    assert_eq!(house.level("bob", "lab/web"), Some(Level::ReadOnly));
    house.access.remove_team_member(&system(), "lab", "developers", "bob").await.unwrap();
    assert_eq!(house.level("bob", "lab/web"), None);
    house.join("developers", "bob").await;
    assert_eq!(house.level("bob", "lab/web"), Some(Level::ReadOnly));
    house.access.remove_member(&system(), "lab", "bob").await.unwrap();
    assert_eq!(house.level("bob", "lab/web"), None, "with the organization its teams are left");
    house.join("developers", "bob").await;
    house.access.delete_team(&system(), "lab", "developers").await.unwrap();
    assert_eq!(house.level("bob", "lab/web"), None);
    house.access.create_team(&system(), "lab", "developers", "").await.unwrap();
    house.join("developers", "bob").await;
    assert_eq!(house.level("bob", "lab/web"), None, "a team of the same name is another one");

    house.access.set_member(&system(), "lab", "carol", true).await.unwrap();
    let right = house.access.right(&user("carol"), &repo("lab/web")).unwrap().unwrap();
    assert_eq!(right.to_string(), "admin, as an owner of lab");
    house.access.set_member(&system(), "lab", "carol", false).await.unwrap();
    assert_eq!(house.level("carol", "lab/web"), None);

    // A repository without a namespace is nobody's; any team may have rights on it.
    house.give(at("single"), "ops", Level::Admin).await;
    house.join("ops", "carol").await;
    assert_eq!(house.level("carol", "single"), Some(Level::Admin));
    for (place, says) in [(at("bob/own"), "user's own"), (at("other/open"), "user's own"), (namespace("bob"), "own")] {
        let refused = conflict(house.access.set_grant(&system(), &place, "lab", "ops", Level::ReadOnly).await);
        assert!(refused.contains(says), "{refused}");
    }
    let missing = house.access.set_grant(&system(), &at("lab/none"), "lab", "ops", Level::ReadOnly).await;
    assert!(matches!(missing, Err(AccessError::NotFound(_))));
    assert_eq!(house.level("bob", "other/open"), Some(Level::ReadOnly), "public");
}

#[tokio::test]
async fn teams_give_rights_on_each_engine() {
    teams_give_rights(Mode::Normal).await;
    teams_give_rights(Mode::Strict).await;
}

#[tokio::test]
async fn a_team_beyond_the_sixty_fourth_counts() {
    let house = house_of(Mode::Normal, false);
    house.furnish().await;
    for n in 0..150 {
        let team = format!("t{n}");
        house.access.create_team(&system(), "lab", &team, "").await.unwrap();
        house.join(&team, "bob").await;
    }
    for n in [0, 70, 149] {
        let team = format!("t{n}");
        house.give(at("lab/web"), &team, Level::ReadWrite).await;
        assert_eq!(house.level("bob", "lab/web"), Some(Level::ReadWrite), "{n}");
        house.access.remove_grant(&system(), &at("lab/web"), "lab", &team).await.unwrap();
        assert_eq!(house.level("bob", "lab/web"), None);
    }
}

#[tokio::test]
async fn whoever_gets_a_name_gets_nothing_of_its_last_owner() {
    let house = house_of(Mode::Strict, false);
    house.furnish().await;
    house.join("dev", "carol").await;
    house.give(namespace("lab"), "dev", Level::Admin).await;
    house.access.delete_account(&system(), "carol").await.unwrap();
    house.add("carol", AccountKind::User).await;
    assert_eq!(house.level("carol", "lab/web"), None);
    assert!(house.access.organizations_of("carol", None, 10).unwrap().is_empty());

    let refused = conflict(house.access.delete_account(&system(), "lab").await);
    assert!(refused.contains("repositories in lab"), "{refused}");
    house.join("dev", "bob").await;
    for name in ["lab/web", "lab/db"] {
        let name = repo(name);
        let bury = move |tx: &mut WriteTx| {
            let id = repo::id_of(tx, &name)?.unwrap();
            let row = repo::get(tx, id)?.unwrap();
            repo::bury(tx, id, &row, Timestamp(1), 0)
        };
        at_start(|| house.meta.write_blocking(bury).unwrap());
    }
    house.access.delete_account(&system(), "lab").await.unwrap();
    house.add("lab", AccountKind::Organization).await;
    house.make("lab/web", repo::Visibility::Private);
    assert_eq!(house.level("bob", "lab/web"), None);
    assert!(house.access.members("lab", None, 10).unwrap().is_empty());
    assert!(house.access.teams("lab", None, 10).unwrap().is_empty());
    house.make("orphan/x", repo::Visibility::Private);
    let new = NewAccount { name: "orphan".into(), ..NewAccount::default() };
    let taken = conflict(house.access.create_account(&system(), new).await);
    assert!(taken.contains("orphan/x"), "{taken}");
}

/// A repository of the same name has none of the rights that were given on the one before.
#[tokio::test]
async fn rights_on_a_deleted_repository_do_not_come_back() {
    let house = house_of(Mode::Strict, false);
    house.furnish().await;
    house.join("dev", "bob").await;
    house.give(at("lab/web"), "dev", Level::ReadWrite).await;
    let delete = |tx: &mut WriteTx| {
        let id = repo::id_of(tx, &repo("lab/web"))?.unwrap();
        let row = repo::get(tx, id)?.unwrap();
        repo::bury(tx, id, &row, Timestamp(1), 0)?;
        Ok::<_, MetaError>(id)
    };
    let id = at_start(|| house.meta.write_blocking(delete).unwrap());
    house.make("lab/web", repo::Visibility::Private);
    assert_eq!(house.level("bob", "lab/web"), None);
    let team = house.access.team("lab", "dev").unwrap();
    assert!(house.access.grants_of(team.id, None, 10).unwrap().is_empty());
    while !at_start(|| house.meta.write_blocking(move |tx| crate::meta::drain::step(tx, id)).unwrap()) {}
    for table in [crate::meta::tables::GRANT, crate::meta::tables::GRANT_OF] {
        let left: Result<_, MetaError> = house.meta.read(|tx| crate::meta::Read::range(tx, table, &[], None, 10));
        assert!(left.unwrap().is_empty());
    }
}

#[tokio::test]
async fn somebody_can_always_administer() {
    let house = house_of(Mode::Strict, false);
    let off = || AccountChange { active: Some(false), ..AccountChange::default() };
    let admin = |admin| AccountChange { admin: Some(admin), ..AccountChange::default() };
    conflict(house.access.change_account(&system(), ADMIN, off()).await);
    conflict(house.access.change_account(&system(), ADMIN, admin(false)).await);
    conflict(house.access.delete_account(&system(), ADMIN).await);
    house.access.change_account(&system(), "alice", admin(true)).await.unwrap();
    house.access.change_account(&system(), "alice", off()).await.unwrap();
    conflict(house.access.change_account(&system(), ADMIN, off()).await);
    let on = AccountChange { active: Some(true), ..AccountChange::default() };
    house.access.change_account(&system(), "alice", on).await.unwrap();
    house.access.change_account(&system(), ADMIN, off()).await.unwrap();
    conflict(house.access.change_account(&system(), "alice", admin(false)).await);
    house.access.delete_account(&system(), ADMIN).await.unwrap();
    conflict(house.access.delete_account(&system(), "alice").await);
}

#[tokio::test]
async fn an_administrator_who_cannot_sign_in_stands_in_for_nobody() {
    let house = house_of(Mode::Strict, false);
    let off = || AccountChange { active: Some(false), ..AccountChange::default() };
    let plain = || AccountChange { admin: Some(false), ..AccountChange::default() };
    let robot = NewAccount { name: "robot".into(), admin: true, ..NewAccount::default() };
    house.access.create_account(&system(), robot).await.unwrap();
    let token = crate::access::personal_tokens::NewToken::default();
    house.access.create_token(&system(), None, "robot", token).await.unwrap();
    conflict(house.access.change_account(&system(), ADMIN, off()).await);
    conflict(house.access.change_account(&system(), ADMIN, plain()).await);
    conflict(house.access.check_deletable(ADMIN));
    conflict(house.access.delete_account(&system(), ADMIN).await);
    let line = format!("{ADMIN}:$2y$05${}", "x".repeat(53));
    house.access.import_htpasswd(&system(), &line).await.unwrap();
    house.sign_in(ADMIN, PASSWORD, HERE).await.expect("an import leaves who is there as they are");
    // The robot itself may go.
    house.access.change_account(&system(), "robot", off()).await.unwrap();
    let back = AccountChange { active: Some(true), password: Some(secret("a long password")), ..off() };
    house.access.change_account(&system(), "robot", back).await.unwrap();
    house.access.change_account(&system(), ADMIN, off()).await.unwrap();
    conflict(house.access.delete_account(&system(), "robot").await);
}

#[tokio::test]
async fn a_change_of_an_account_is_made_whole_or_not_at_all() {
    let house = house_of(Mode::Strict, false);
    let both = AccountChange {
        password: Some(secret("a long password")),
        active: Some(false),
        full_name: Some("The last one".into()),
        ..AccountChange::default()
    };
    conflict(house.access.change_account(&system(), ADMIN, both.clone()).await);
    let admin = house.access.account(ADMIN).unwrap().unwrap();
    assert!(admin.full_name.is_empty());
    house.sign_in(ADMIN, PASSWORD, HERE).await.expect("the password is the old one");
    let two_lines = AccountChange { full_name: Some("two\nlines".into()), ..both.clone() };
    assert!(house.access.change_account(&system(), "alice", two_lines).await.is_err());
    house.sign_in("alice", PASSWORD, HERE).await.expect("here as well");

    house.access.change_account(&system(), "alice", both).await.unwrap();
    let events = house.meta.read(|tx| crate::meta::event::list(tx, 10)).unwrap();
    let about = |what: &Happening| match what {
        Happening::PasswordChanged { account } if account == "alice" => Some("password"),
        Happening::AccountChanged { account, active: Some(false), full_name: true, .. } if account == "alice" => {
            Some("account")
        }
        _ => None,
    };
    let told: BTreeSet<_> = events.iter().filter_map(|event| about(&event.what)).collect();
    assert_eq!(told, BTreeSet::from(["account", "password"]));
}

#[tokio::test]
async fn accounts_are_listed_found_and_checked() {
    let house = house();
    house.furnish().await;
    let names = |filter| -> Vec<String> {
        house.access.accounts(filter, None, 10).unwrap().into_iter().map(|account| account.name).collect()
    };
    assert_eq!(names(AccountFilter::All), ["admin", "alice", "bob", "carol", "lab"]);
    assert_eq!(names(AccountFilter::Organizations), ["lab"]);
    assert_eq!(names(AccountFilter::Admins), ["admin"]);
    assert_eq!(names(AccountFilter::NonAdmins), ["alice", "bob", "carol"]);
    let off = AccountChange { active: Some(false), ..AccountChange::default() };
    house.access.change_account(&system(), "bob", off).await.unwrap();
    assert_eq!(names(AccountFilter::InactiveUsers), ["bob"]);
    assert_eq!(names(AccountFilter::ActiveUsers), ["admin", "alice", "carol"]);
    let page = house.access.accounts(AccountFilter::Users, Some("alice"), 1).unwrap();
    assert_eq!(page[0].name, "bob");
    let id = page[0].id;
    for text in ["bob".to_owned(), id.to_string(), format!("id:{id}")] {
        assert_eq!(house.access.resolve(&text).unwrap().name, "bob");
    }
    assert!(matches!(house.access.resolve("nobody"), Err(AccessError::UnknownAccount(_))));
    for bad in ["", "Bob", "a/b", "robot$x", "-"] {
        let new = NewAccount { name: bad.into(), ..NewAccount::default() };
        assert!(matches!(house.access.create_account(&system(), new).await, Err(AccessError::Malformed(_))), "{bad}");
    }
    let taken = NewAccount { name: "lab".into(), ..NewAccount::default() };
    conflict(house.access.create_account(&system(), taken).await);
}

#[tokio::test]
async fn the_report_says_who_can_do_what_by_which_path() {
    let house = house();
    house.furnish().await;
    house.join("dev", "bob").await;
    house.give(namespace("lab"), "dev", Level::ReadOnly).await;
    house.give(at("lab/web"), "dev", Level::ReadWrite).await;
    house.access.set_member(&system(), "lab", "carol", true).await.unwrap();
    let (mut lines, mut from) = (Vec::new(), Some(Begin::Account(String::new())));
    while let Some(begin) = from {
        let part = house.access.report(Some(&begin)).unwrap();
        lines.extend(
            part.lines.into_iter().map(|line| format!("{} {} {} {}", line.account, line.place, line.level, line.path)),
        );
        from = part.next;
    }
    assert_eq!(
        lines,
        [
            "admin * admin an administrator",
            "admin admin/* admin the namespace is the user's own",
            "alice alice/* admin the namespace is the user's own",
            "bob bob/* admin the namespace is the user's own",
            "bob lab/* read-only through team dev of lab, on the namespace",
            "bob lab/web read-write through team dev of lab",
            "carol carol/* admin the namespace is the user's own",
            "carol lab/* admin as an owner of lab",
            "(signed in) other/open read-only the repository is public",
        ]
    );
}

#[tokio::test]
async fn every_change_is_an_event_with_its_actor() {
    let house = house_of(Mode::Strict, false);
    house.furnish().await;
    let actor = Actor { address: Some(HERE.into()), ..Actor::new(Principal::User { name: ADMIN.into(), admin: true }) };
    house.clock.advance(Duration::from_secs(1));
    house.access.set_grant(&actor, &at("lab/web"), "lab", "dev", Level::Admin).await.unwrap();
    house.clock.advance(Duration::from_secs(1));
    house.access.set_grant(&actor, &at("lab/web"), "lab", "dev", Level::Admin).await.unwrap();
    house.access.remove_grant(&actor, &at("lab/web"), "lab", "dev").await.unwrap();
    house.clock.advance(Duration::from_secs(1));
    house.access.add_team_member(&actor, "lab", "dev", "bob").await.unwrap();
    let events = house.meta.read(|tx| crate::meta::event::list(tx, 100)).unwrap();
    let by_admin: Vec<_> = events.iter().filter(|event| event.actor == actor.principal).collect();
    assert!(by_admin.iter().all(|event| event.address.as_deref() == Some(HERE)));
    let member = |team: Option<&str>| Happening::MemberAdded {
        organization: "lab".into(),
        team: team.map(Into::into),
        account: "bob".into(),
        owner: false,
    };
    let (place, organization, team) = (at("lab/web"), "lab".to_owned(), "dev".to_owned());
    let expected = [
        Happening::GrantSet {
            place: place.clone(),
            organization: organization.clone(),
            team: team.clone(),
            level: Level::Admin,
            was: None,
        },
        Happening::GrantRemoved { place, organization, team, was: Level::Admin },
        member(None),
        member(Some("dev")),
    ];
    assert_eq!(
        by_admin.iter().map(|event| event.what.clone()).collect::<Vec<_>>(),
        expected,
        "what changes nothing is none"
    );
    let web = house.meta.read(|tx| repo::id_of(tx, &repo("lab/web"))).unwrap().unwrap();
    assert_eq!(house.meta.read(|tx| crate::meta::event::of_repo(tx, web, 10)).unwrap().len(), 2);
}

/// Rows of the first version have no ids and stand in no list.
#[test]
fn accounts_of_the_first_version_get_ids_and_places() {
    use crate::meta::{migrate, record, tables};
    for mode in [Mode::Normal, Mode::Strict] {
        let meta = Engine::in_memory(mode);
        let old = |tx: &mut WriteTx| {
            let row = br#"1{"name":"admin","password":"x","admin":true,"created":5,"revision":5}"#.to_vec();
            tx.put(tables::ACCOUNT, b"admin\0", row);
            tx.put(tables::META, b"schema", record::encode(&2));
            Ok::<_, MetaError>(())
        };
        meta.write_blocking(old).unwrap();
        migrate::migrate(&meta).unwrap();
        let access = Access::open(meta, Clock::manual(Timestamp(1_000)), AccessSettings::default()).unwrap();
        let admin = access.account(ADMIN).unwrap().unwrap();
        assert!(admin.id != Uuid::NIL && admin.can_sign_in());
        assert_eq!(access.resolve(&admin.id.to_string()).unwrap(), admin);
        assert_eq!(access.accounts(AccountFilter::Admins, None, 10).unwrap(), [admin]);
    }
}

/// Changes of rights, small numbers for names.
#[derive(Clone, Copy, Debug)]
enum Step {
    Join(u8, u8),
    Leave(u8, u8),
    Grant(u8, Option<u8>, Level),
    Revoke(u8, Option<u8>),
    Owner(u8, bool),
    Quit(u8),
    Drop(u8),
    Publish(u8, bool),
    Remake(u8),
    Push,
}

const USERS: u8 = 3;
const TEAMS: u8 = 3;
const REPOS: u8 = 3;

fn step() -> impl Strategy<Value = Step> {
    let level = prop_oneof![Just(Level::ReadOnly), Just(Level::ReadWrite), Just(Level::Admin)];
    let place = || proptest::option::of(0..REPOS);
    prop_oneof![
        4 => (0..TEAMS, 0..USERS).prop_map(|(team, user)| Step::Join(team, user)),
        2 => (0..TEAMS, 0..USERS).prop_map(|(team, user)| Step::Leave(team, user)),
        4 => (0..TEAMS, place(), level).prop_map(|(team, place, level)| Step::Grant(team, place, level)),
        2 => (0..TEAMS, place()).prop_map(|(team, place)| Step::Revoke(team, place)),
        1 => (0..USERS, any::<bool>()).prop_map(|(user, owner)| Step::Owner(user, owner)),
        1 => (0..USERS).prop_map(Step::Quit),
        1 => (0..TEAMS).prop_map(Step::Drop),
        1 => (0..REPOS, any::<bool>()).prop_map(|(repo, public)| Step::Publish(repo, public)),
        1 => (0..REPOS).prop_map(Step::Remake),
        2 => Just(Step::Push),
    ]
}

/// The rights as a table would have them.
#[derive(Clone, Default)]
struct Model {
    teams: BTreeSet<(u8, u8)>,
    members: std::collections::BTreeMap<u8, bool>,
    grants: std::collections::BTreeMap<(u8, Option<u8>), Level>,
    public: BTreeSet<u8>,
}

impl Model {
    fn level(&self, user: u8, repo: u8) -> Option<Level> {
        if self.members.get(&user) == Some(&true) {
            return Some(Level::Admin);
        }
        let teams = (0..TEAMS).filter(|team| self.teams.contains(&(*team, user)));
        let of =
            |team| [None, Some(repo)].into_iter().filter_map(move |place| self.grants.get(&(team, place)).copied());
        teams.flat_map(of).max().or_else(|| self.public.contains(&repo).then_some(Level::ReadOnly))
    }
}

fn name_of(user: u8) -> String {
    format!("u{user}")
}

fn place_at(place: Option<u8>) -> Place {
    place.map_or_else(|| namespace("lab"), |repo| at(&format!("lab/r{repo}")))
}

async fn take(house: &House, model: &mut Model, step: Step) {
    let access = &house.access;
    let team_of = |team: u8| format!("t{team}");
    let actor = &system();
    match step {
        Step::Join(team, user) => {
            access.add_team_member(actor, "lab", &team_of(team), &name_of(user)).await.unwrap();
            model.teams.insert((team, user));
            model.members.entry(user).or_default();
        }
        Step::Leave(team, user) => {
            access.remove_team_member(actor, "lab", &team_of(team), &name_of(user)).await.unwrap();
            model.teams.remove(&(team, user));
        }
        Step::Grant(team, place, level) => {
            access.set_grant(actor, &place_at(place), "lab", &team_of(team), level).await.unwrap();
            model.grants.insert((team, place), level);
        }
        Step::Revoke(team, place) => {
            access.remove_grant(actor, &place_at(place), "lab", &team_of(team)).await.unwrap();
            model.grants.remove(&(team, place));
        }
        Step::Owner(user, owner) => {
            access.set_member(actor, "lab", &name_of(user), owner).await.unwrap();
            model.members.insert(user, owner);
        }
        Step::Quit(user) => {
            access.remove_member(actor, "lab", &name_of(user)).await.unwrap();
            model.members.remove(&user);
            model.teams.retain(|(_, member)| *member != user);
        }
        Step::Drop(team) => {
            access.delete_team(actor, "lab", &team_of(team)).await.unwrap();
            access.create_team(actor, "lab", &team_of(team), "").await.unwrap();
            model.teams.retain(|(of, _)| *of != team);
            model.grants.retain(|(of, _), _| *of != team);
        }
        Step::Publish(n, public) => {
            let visibility = if public { repo::Visibility::Public } else { repo::Visibility::Private };
            let name = repo(&format!("lab/r{n}"));
            let publish = move |tx: &mut WriteTx| {
                let id = repo::id_of(tx, &name)?.unwrap();
                let row = repo::get(tx, id)?.unwrap();
                repo::update(tx, id, &repo::RepoRow { visibility, ..row });
                repo::refresh(tx, id)
            };
            house.meta.write(publish).await.unwrap();
            model.public.remove(&n);
            model.public.extend(public.then_some(n));
        }
        Step::Remake(n) => {
            let name = repo(&format!("lab/r{n}"));
            let gone = name.clone();
            let bury = move |tx: &mut WriteTx| {
                let id = repo::id_of(tx, &gone)?.unwrap();
                let row = repo::get(tx, id)?.unwrap();
                repo::bury(tx, id, &row, Timestamp(1), 0)
            };
            house.meta.write(bury).await.unwrap();
            house.make(name.as_str(), repo::Visibility::Private);
            model.grants.retain(|(_, place), _| *place != Some(n));
            model.public.remove(&n);
        }
        Step::Push => {
            let epoch = house.meta.rights_epoch();
            let write = |tx: &mut WriteTx| {
                repo::count(tx, crate::base::RepoId(1), repo::Counter::Pushes, 1);
                Ok::<_, MetaError>(())
            };
            house.meta.write(write).await.unwrap();
            assert_eq!(house.meta.rights_epoch(), epoch, "what was remembered outlives a push");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// After any changes the rights are those that the table has (so a grant never takes away, and what is taken away takes
    /// exactly what it gave), decided from memory, from the store, and by somebody who remembers nothing alike; and lists
    /// see exactly what decisions allow. So too in places with more grants than are read at once: here those of teams that
    /// are gone, which give nothing.
    #[test]
    fn rights_are_the_sum_of_their_paths(
        steps in proptest::collection::vec(step(), 1..25),
        crowded in proptest::option::of(proptest::option::of(0..REPOS)),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let house = house();
            house.add("lab", AccountKind::Organization).await;
            for user in 0..USERS {
                house.add(&name_of(user), AccountKind::User).await;
            }
            for team in 0..TEAMS {
                house.access.create_team(&system(), "lab", &format!("t{team}"), "").await.unwrap();
            }
            for n in 0..REPOS {
                house.make(&format!("lab/r{n}"), repo::Visibility::Private);
            }
            if let Some(place) = crowded {
                let crowd = move |tx: &mut WriteTx| {
                    let place = place_at(place);
                    let at = grant::At::find(tx, &place)?.unwrap();
                    (0..20).for_each(|n| grant::put(tx, at, Uuid::from_bytes([n * 12; 16]), Level::Admin));
                    Ok::<_, MetaError>(())
                };
                house.meta.write(crowd).await.unwrap();
            }
            let mut model = Model::default();
            // Asked before the first change: there is something to remember wrongly.
            for user in 0..USERS {
                assert_eq!(house.level(&name_of(user), "lab/r0"), None);
            }
            for step in steps {
                let before = model.clone();
                take(&house, &mut model, step).await;
                let forgetful = open(&house.meta, &house.clock, AccessSettings::default());
                for user in 0..USERS {
                    let Visible::Some(places) = house.access.visible(&self::user(&name_of(user))).unwrap() else {
                        panic!("few places")
                    };
                    for n in 0..REPOS {
                        let (name, expected) = (repo(&format!("lab/r{n}")), model.level(user, n));
                        for _ in 0..2 {
                            assert_eq!(house.level(&name_of(user), name.as_str()), expected, "{step:?}");
                        }
                        let caller = self::user(&name_of(user));
                        let right = |access: &Access| access.right(&caller, &name).unwrap();
                        assert_eq!(right(&house.access), right(&forgetful), "{step:?}: the same reason too");
                        if matches!(step, Step::Join(..)) {
                            assert!(expected >= before.level(user, n), "joining never takes away");
                        }
                        let listed = places.namespaces.contains("lab")
                            || places.repositories.iter().any(|(listed, _)| *listed == name)
                            || places.public && model.public.contains(&n);
                        assert_eq!(listed, expected.is_some(), "{step:?}");
                    }
                }
            }
        });
    }
}
