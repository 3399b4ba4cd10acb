use std::sync::Arc;

use super::*;
use crate::model::permission::Place;
use crate::model::personal_token::{Through, TokenHash, TokenScope};
use Verdict::{Allowed, Forbidden, Hidden, NeedsSignIn, NeedsWiderToken};

/// What a store could tell.
#[derive(Default)]
struct Told {
    anonymous: Anonymous,
    public: Vec<&'static str>,
    levels: Vec<(&'static str, &'static str, Level)>,
    on_namespaces: Vec<(&'static str, &'static str, Level)>,
    members: Vec<(&'static str, &'static str, bool)>,
    fails: bool,
}

impl Told {
    fn asked(&self) -> Result<(), MetaError> {
        if self.fails { Err(MetaError::Closed) } else { Ok(()) }
    }
}

impl Rights for Told {
    fn anonymous(&self) -> Anonymous {
        self.anonymous
    }

    fn standing(&self, user: Option<&String>, repo: &RepoName) -> Result<Standing, MetaError> {
        self.asked()?;
        let has =
            self.levels.iter().find(|(who, at, _)| Some(*who) == user.map(String::as_str) && *at == repo.as_str());
        Ok(Standing {
            public: self.public.contains(&repo.as_str()),
            level: has.map(|(_, _, level)| *level),
            because: has.map(|_| "through team web of lab".into()),
        })
    }

    fn in_namespace(&self, user: &str, namespace: &str) -> Result<Option<Right>, MetaError> {
        self.asked()?;
        let has = self.on_namespaces.iter().find(|(who, at, _)| *who == user && *at == namespace);
        Ok(has
            .map(|(_, _, level)| Right { level: *level, because: "through team ops of lab, on the namespace".into() }))
    }

    fn member(&self, organization: &str, user: &str) -> Result<Option<Member>, MetaError> {
        self.asked()?;
        let has = self.members.iter().find(|(who, at, _)| *who == user && *at == organization);
        Ok(has.map(|(_, _, owner)| Member { owner: *owner, since: crate::base::Timestamp(0) }))
    }
}

fn user(name: &str, admin: bool) -> Principal {
    Principal::User { name: name.into(), admin }
}

fn scope(kind: &str, name: &str, actions: &[&str]) -> Scope {
    Scope { kind: kind.into(), name: name.into(), actions: actions.iter().map(|&a| a.into()).collect() }
}

fn through(caller: &Caller, scope: TokenScope) -> Caller {
    let through = Through { token: TokenHash([0; 32]), label: "build".into(), scope, expires: None };
    Caller { through: Some(Arc::new(through)), ..caller.clone() }
}

fn repo(name: &str) -> RepoName {
    RepoName::parse(name).unwrap()
}

/// Two ways to ask, one answer.
fn verdict(rights: &Told, caller: &Caller, requirement: Requirement<'_>) -> Verdict {
    let decision = decide(rights, caller, requirement);
    assert_eq!(may(rights, caller, requirement), decision.allowed(), "{caller:?} {requirement:?}");
    assert!(!decision.because.is_empty());
    decision.verdict
}

const ACTIONS: [Action; 4] = [Action::Pull, Action::Push, Action::Delete, Action::Administer];

/// Who asks × where × for what.
#[test]
fn rights() {
    let told = |anonymous| Told {
        anonymous,
        public: vec!["lab/open", "open"],
        levels: vec![
            ("alice", "lab/read", Level::ReadOnly),
            ("alice", "lab/write", Level::ReadWrite),
            ("alice", "lab/rule", Level::Admin),
            ("alice", "single", Level::ReadWrite),
        ],
        ..Told::default()
    };
    let (closed, open) = (told(Anonymous::None), told(Anonymous::PublicRepositories));
    let nobody = [NeedsSignIn; 4];
    let none = [Hidden; 4];
    let read = [Allowed, Forbidden, Forbidden, Forbidden];
    let write = [Allowed, Allowed, Allowed, Forbidden];
    let all = [Allowed; 4];
    let pulls_only = [Allowed, NeedsSignIn, NeedsSignIn, NeedsSignIn];
    for (rights, who, at, expected) in [
        (&closed, Principal::System, "lab/web", all),
        (&closed, user("admin", true), "lab/web", all),
        (&closed, user("admin", true), "one", all),
        (&closed, user("alice", false), "alice/app", all),
        (&closed, user("alice", false), "alice/deep/er/app", all),
        (&closed, user("alice", false), "alicia/app", none),
        (&closed, user("alice", false), "lab/web", none),
        (&closed, user("alice", false), "one", none),
        (&closed, user("alice", false), "alice", none),
        (&closed, user("alice", false), "lab/open", read),
        (&closed, user("alice", false), "open", read),
        (&closed, user("alice", false), "lab/read", read),
        (&closed, user("alice", false), "lab/write", write),
        (&closed, user("alice", false), "lab/rule", all),
        (&closed, user("alice", false), "single", write),
        (&closed, user("bob", false), "lab/write", none),
        (&closed, user("", false), "one", none),
        (&closed, Principal::Anonymous, "lab/open", nobody),
        (&closed, Principal::Anonymous, "lab/web", nobody),
        (&open, Principal::Anonymous, "lab/open", pulls_only),
        (&open, Principal::Anonymous, "open", pulls_only),
        (&open, Principal::Anonymous, "lab/web", nobody),
        (&open, user("alice", false), "lab/web", none),
    ] {
        let (caller, at) = (Caller::of(who), repo(at));
        for (action, expected) in ACTIONS.into_iter().zip(expected) {
            let found = verdict(rights, &caller, Requirement::Repository(&at, action));
            assert_eq!(found, expected, "{caller:?} {at} {action}");
        }
    }
}

#[test]
fn organizations_and_accounts() {
    let told = Told {
        members: vec![("alice", "lab", true), ("bob", "lab", false)],
        on_namespaces: vec![
            ("alice", "lab", Level::Admin),
            ("bob", "lab", Level::ReadWrite),
            ("carol", "lab", Level::ReadOnly),
        ],
        ..Told::default()
    };
    let see = Requirement::Organization("lab", OrganizationAction::See);
    let manage = Requirement::Organization("lab", OrganizationAction::Manage);
    let make = Requirement::Namespace("lab");
    for (who, expected) in [
        (user("admin", true), [Allowed, Allowed, Allowed]),
        (user("alice", false), [Allowed, Allowed, Allowed]),
        (user("bob", false), [Allowed, Forbidden, Allowed]),
        (user("carol", false), [Hidden, Hidden, Forbidden]),
        (user("lab", false), [Hidden, Hidden, Allowed]),
        (Principal::Anonymous, [NeedsSignIn; 3]),
    ] {
        let caller = Caller::of(who);
        assert_eq!([see, manage, make].map(|what| verdict(&told, &caller, what)), expected, "{caller:?}");
    }
    let bob = Caller::of(user("bob", false));
    assert_eq!(verdict(&told, &bob, Requirement::Namespace("")), Forbidden);
    assert_eq!(verdict(&told, &Caller::of(user("", false)), Requirement::Namespace("")), Forbidden);
    assert_eq!(verdict(&told, &bob, Requirement::Account("bob", AccountAction::Manage)), Allowed);
    assert_eq!(verdict(&told, &bob, Requirement::Account("alice", AccountAction::See)), Allowed);
    assert_eq!(verdict(&told, &bob, Requirement::Account("alice", AccountAction::Manage)), Forbidden);
    let admin = Caller::of(user("admin", true));
    assert_eq!(verdict(&told, &admin, Requirement::Account("bob", AccountAction::Manage)), Allowed);
    assert_eq!(verdict(&told, &Caller::anonymous(), Requirement::Account("", AccountAction::Manage)), NeedsSignIn);
}

#[test]
fn a_decision_says_why_and_whom_to_ask() {
    let told = Told { levels: vec![("alice", "lab/web", Level::ReadWrite)], ..Told::default() };
    let (alice, web) = (Caller::of(user("alice", false)), repo("lab/web"));
    let because = |what| decide(&told, &alice, what).because.into_owned();
    assert_eq!(because(Requirement::Repository(&web, Action::Push)), "through team web of lab");
    let right = right_on(&told, &alice, &web).unwrap().unwrap();
    assert_eq!(right.to_string(), "read-write, through team web of lab");
    let refused = because(Requirement::Repository(&web, Action::Administer));
    assert!(refused.contains("an owner of lab"), "{refused}");
    assert!(because(Requirement::Admin).contains("an administrator of this registry"));
}

#[test]
fn a_bearer_token_narrows_and_never_widens() {
    let told = Told::default();
    let (own, other) = (repo("alice/app"), repo("lab/app"));
    let with = |principal: &Principal, scopes: &[Scope]| Caller {
        token: Some(Arc::from(scopes)),
        ..Caller::of(principal.clone())
    };
    let verdict = |caller: &Caller, what| verdict(&told, caller, what);
    let alice = user("alice", false);
    let pull = with(&alice, &[scope("repository", "alice/app", &["pull"])]);
    assert_eq!(verdict(&pull, Requirement::Repository(&own, Action::Pull)), Allowed);
    assert_eq!(verdict(&pull, Requirement::Repository(&own, Action::Push)), NeedsWiderToken);
    let push = with(&alice, &[scope("repository", "alice/app", &["pull", "push"])]);
    assert_eq!(verdict(&push, Requirement::Repository(&own, Action::Push)), Allowed);
    assert_eq!(verdict(&push, Requirement::Repository(&own, Action::Delete)), NeedsWiderToken, "not by push");
    let star = with(&alice, &[scope("repository", "alice/app", &["*"])]);
    assert_eq!(verdict(&star, Requirement::Repository(&own, Action::Delete)), Allowed);
    assert_eq!(verdict(&star, Requirement::Repository(&own, Action::Administer)), NeedsWiderToken, "no scope says it");
    let forged = with(&alice, &[scope("repository", "lab/app", &["pull", "push"])]);
    assert_eq!(verdict(&forged, Requirement::Repository(&other, Action::Push)), Hidden, "rights come first");
    let empty = with(&user("admin", true), &[]);
    assert_eq!(verdict(&empty, Requirement::SignedIn), Allowed);
    for what in [
        Requirement::Catalog,
        Requirement::Admin,
        Requirement::Namespace("lab"),
        Requirement::Organization("lab", OrganizationAction::See),
        Requirement::Account("admin", AccountAction::Manage),
        Requirement::Repository(&own, Action::Pull),
    ] {
        assert_eq!(verdict(&empty, what), NeedsWiderToken, "{what:?}");
    }
    let named_alike = with(&user("admin", true), &[scope("registry", "alice/app", &["*"])]);
    assert_eq!(verdict(&named_alike, Requirement::Repository(&own, Action::Pull)), NeedsWiderToken);
    for action in ["*", "search"] {
        let catalog = with(&user("admin", true), &[scope("registry", "catalog", &[action])]);
        assert_eq!(verdict(&catalog, Requirement::Catalog), Allowed);
        assert_eq!(verdict(&catalog, Requirement::Repository(&own, Action::Pull)), NeedsWiderToken);
    }
}

/// Who comes with a personal access token is somebody who has no more than it says.
#[test]
fn a_personal_access_token_makes_a_lesser_caller() {
    let told = Told { public: vec!["tools/open"], ..Told::default() };
    let admin = Caller::of(user("admin", true));
    let (web, app, open) = (repo("lab/web"), repo("lab/app"), repo("tools/open"));
    let on =
        |caller: &Caller, repo| ACTIONS.map(|action| verdict(&told, caller, Requirement::Repository(repo, action)));
    let all = through(&admin, TokenScope::All);
    assert_eq!(on(&all, &web), [Allowed; 4]);
    assert_eq!(verdict(&told, &all, Requirement::Admin), Allowed);
    let reads = through(&admin, TokenScope::ReadOnly);
    assert_eq!(on(&reads, &web), [Allowed, Forbidden, Forbidden, Forbidden]);
    assert_eq!(verdict(&told, &reads, Requirement::Admin), Forbidden);
    let places = TokenScope::Places(vec![
        (Place::Repository(web.clone()), Level::ReadWrite),
        (Place::Namespace("tools".into()), Level::ReadOnly),
    ]);
    let build = through(&admin, places.clone());
    assert_eq!(on(&build, &web), [Allowed, Allowed, Allowed, Forbidden]);
    assert_eq!(on(&build, &open), [Allowed, Forbidden, Forbidden, Forbidden]);
    assert_eq!(on(&build, &app), [Hidden; 4], "its owner's rights do not show");
    for what in
        [Requirement::Namespace("lab"), Requirement::Account("admin", AccountAction::Manage), Requirement::Admin]
    {
        assert_eq!(verdict(&told, &build, what), Forbidden, "{what:?}");
    }
    let said = decide(&told, &build, Requirement::Repository(&web, Action::Administer)).because;
    assert!(said.contains("the access token \"build\" does not allow"), "{said}");
    // The owner has no more than read-only there: neither has the token.
    let bob = through(&Caller::of(user("bob", false)), places.clone());
    assert_eq!(on(&bob, &web), [Hidden; 4]);
    assert_eq!(on(&bob, &open), [Allowed, Forbidden, Forbidden, Forbidden]);
    // What is got with it is as narrow, and stays so whatever looks past the bearer token's scopes.
    let granted = grant(&told, &build, &scope("repository", "lab/web", &["*"])).unwrap();
    assert_eq!(granted.to_string(), "repository:lab/web:delete,pull,push");
    assert_eq!(grant(&told, &build, &scope("repository", "lab/app", &["pull"])), None);
    let bearer = Caller { token: Some(Arc::from([granted])), ..build };
    assert_eq!(on(&bearer.without_token(), &app), [Hidden; 4]);
}

#[test]
fn an_anonymous_token_opens_the_ping_only_where_public_repositories_are_open() {
    let (closed, open) = (
        Told { public: vec!["lab/app"], ..Told::default() },
        Told { public: vec!["lab/app"], anonymous: Anonymous::PublicRepositories, ..Told::default() },
    );
    let caller = Caller { token: Some(Arc::from([])), ..Caller::anonymous() };
    assert_eq!(verdict(&open, &caller, Requirement::SignedIn), Allowed);
    assert_eq!(verdict(&closed, &caller, Requirement::SignedIn), NeedsSignIn);
    assert_eq!(verdict(&open, &Caller::anonymous(), Requirement::SignedIn), NeedsSignIn);
    let app = repo("lab/app");
    assert_eq!(verdict(&open, &caller, Requirement::Repository(&app, Action::Pull)), NeedsWiderToken);
    assert_eq!(verdict(&open, &caller, Requirement::Repository(&app, Action::Push)), NeedsSignIn);
}

#[test]
fn lists_are_for_those_who_may_see_something_and_administration_for_administrators() {
    let caller = |principal: &Principal, token: bool| Caller {
        token: token.then(|| Arc::from([scope("registry", "catalog", &["*"])])),
        ..Caller::of(principal.clone())
    };
    let (admin, alice, nobody) = (user("admin", true), user("alice", false), Principal::Anonymous);
    for anonymous in [Anonymous::None, Anonymous::PublicRepositories] {
        let told = Told { anonymous, ..Told::default() };
        let shown = if anonymous == Anonymous::None { NeedsSignIn } else { Allowed };
        for list in [Requirement::Browse, Requirement::Catalog] {
            assert_eq!(verdict(&told, &caller(&nobody, false), list), shown);
            assert_eq!(verdict(&told, &caller(&alice, true), list), Allowed);
        }
        assert_eq!(verdict(&told, &caller(&nobody, false), Requirement::Admin), NeedsSignIn);
        assert_eq!(verdict(&told, &caller(&alice, false), Requirement::Admin), Forbidden);
        assert_eq!(verdict(&told, &caller(&admin, false), Requirement::Admin), Allowed);
        assert_eq!(verdict(&told, &caller(&admin, true), Requirement::Admin), NeedsWiderToken, "no scope says so");
    }
}

#[test]
fn a_grant_is_what_was_asked_and_is_allowed() {
    let told = Told {
        public: vec!["lab/open"],
        anonymous: Anonymous::PublicRepositories,
        levels: vec![("alice", "lab/write", Level::ReadWrite)],
        ..Told::default()
    };
    let alice = user("alice", false);
    let granted = |principal: &Principal, asked: Scope| {
        grant(&told, &Caller::of(principal.clone()), &asked).map(|s| s.to_string())
    };
    let asked = |name, actions| scope("repository", name, actions);
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(granted(&alice, asked("alice/app", &["push", "pull"])), some("repository:alice/app:pull,push"));
    assert_eq!(granted(&alice, asked("alice/app", &["*"])), some("repository:alice/app:delete,pull,push"));
    assert_eq!(granted(&alice, asked("lab/write", &["push", "administer"])), some("repository:lab/write:push"));
    assert_eq!(granted(&alice, asked("lab/app", &["pull"])), None);
    assert_eq!(granted(&alice, asked("lab/open", &["pull", "push", "*"])), some("repository:lab/open:pull"));
    assert_eq!(granted(&Principal::Anonymous, asked("lab/open", &["*"])), some("repository:lab/open:pull"));
    assert_eq!(granted(&user("admin", true), asked("x", &["own", "pull"])), some("repository:x:pull"));
    assert_eq!(granted(&user("admin", true), asked("Not/Valid", &["pull"])), None);
    let catalog = || scope("registry", "catalog", &["*"]);
    assert_eq!(granted(&user("admin", true), catalog()), some("registry:catalog:*"));
    let search = || scope("registry", "catalog", &["own", "search"]);
    assert_eq!(granted(&alice, search()), some("registry:catalog:search"));
    assert_eq!(granted(&alice, scope("registry", "catalog", &["own"])), None);
    assert_eq!(granted(&user("admin", true), scope("server", "x", &["*"])), None);
}

#[test]
fn a_store_that_fails_lets_nobody_in() {
    let told = Told { fails: true, anonymous: Anonymous::PublicRepositories, ..Told::default() };
    let app = repo("lab/app");
    let pull = Requirement::Repository(&app, Action::Pull);
    assert_eq!(verdict(&told, &Caller::of(user("alice", false)), pull), Forbidden);
    assert_eq!(verdict(&told, &Caller::anonymous(), pull), NeedsSignIn);
    assert_eq!(verdict(&told, &Caller::of(user("admin", true)), pull), Allowed, "needs nothing of the store");
}
