use std::sync::Arc;

use super::*;
use Verdict::{Allowed, Forbidden, Hidden, NeedsSignIn, NeedsWiderToken};

fn user(name: &str, admin: bool) -> Principal {
    Principal::User { name: name.into(), admin }
}

fn scope(kind: &str, name: &str, actions: &[&str]) -> Scope {
    Scope { kind: kind.into(), name: name.into(), actions: actions.iter().map(|&a| a.into()).collect() }
}

/// Who asks × what for, without and with anonymous pull.
#[test]
fn rights() {
    let own = RepoName::parse("alice/app").unwrap();
    let other = RepoName::parse("lab/app").unwrap();
    let single = RepoName::parse("app").unwrap();
    let requirements = [
        Requirement::SignedIn,
        Requirement::Catalog,
        Requirement::Repository(&own, Action::Pull),
        Requirement::Repository(&own, Action::Push),
        Requirement::Repository(&own, Action::Delete),
        Requirement::Repository(&other, Action::Pull),
        Requirement::Repository(&other, Action::Push),
        Requirement::Repository(&other, Action::Delete),
        Requirement::Repository(&single, Action::Pull),
        Requirement::Repository(&single, Action::Push),
    ];
    let all = [Allowed; 10];
    let nobody = [NeedsSignIn; 10];
    let alice_private = [Allowed, Forbidden, Allowed, Allowed, Allowed, Hidden, Hidden, Hidden, Hidden, Hidden];
    let alice_public = [Allowed, Allowed, Allowed, Allowed, Allowed, Allowed, Forbidden, Forbidden, Allowed, Forbidden];
    let nobody_public = [
        NeedsSignIn,
        Allowed,
        Allowed,
        NeedsSignIn,
        NeedsSignIn,
        Allowed,
        NeedsSignIn,
        NeedsSignIn,
        Allowed,
        NeedsSignIn,
    ];
    let unnamed = [Allowed, Forbidden, Hidden, Hidden, Hidden, Hidden, Hidden, Hidden, Hidden, Hidden];
    for (anonymous_pull, principal, expected) in [
        (false, Principal::System, all),
        (true, Principal::System, all),
        (false, user("admin", true), all),
        (true, user("admin", true), all),
        (false, user("alice", false), alice_private),
        (true, user("alice", false), alice_public),
        (false, Principal::Anonymous, nobody),
        (true, Principal::Anonymous, nobody_public),
        (false, user("", false), unnamed),
    ] {
        let caller = Caller::of(principal);
        for (requirement, expected) in requirements.iter().zip(expected) {
            let decision = decide(anonymous_pull, &caller, *requirement);
            assert_eq!(may(anonymous_pull, &caller, *requirement), decision.allowed());
            assert_eq!(decision.verdict, expected, "{caller:?} {requirement:?} {}", decision.because);
        }
    }
}

#[test]
fn a_token_narrows_and_never_widens() {
    let own = RepoName::parse("alice/app").unwrap();
    let other = RepoName::parse("lab/app").unwrap();
    let with = |principal: &Principal, scopes: &[Scope]| Caller {
        principal: principal.clone(),
        token: Some(Arc::from(scopes)),
    };
    let verdict = |caller: &Caller, requirement| {
        let decision = decide(false, caller, requirement);
        assert_eq!(may(false, caller, requirement), decision.allowed());
        decision.verdict
    };
    let alice = user("alice", false);
    let pull = with(&alice, &[scope("repository", "alice/app", &["pull"])]);
    assert_eq!(verdict(&pull, Requirement::Repository(&own, Action::Pull)), Allowed);
    assert_eq!(verdict(&pull, Requirement::Repository(&own, Action::Push)), NeedsWiderToken);
    let push = with(&alice, &[scope("repository", "alice/app", &["pull", "push"])]);
    assert_eq!(verdict(&push, Requirement::Repository(&own, Action::Push)), Allowed);
    assert_eq!(verdict(&push, Requirement::Repository(&own, Action::Delete)), NeedsWiderToken, "not by push");
    let star = with(&alice, &[scope("repository", "alice/app", &["*"])]);
    assert_eq!(verdict(&star, Requirement::Repository(&own, Action::Delete)), Allowed);
    let forged = with(&alice, &[scope("repository", "lab/app", &["pull", "push"])]);
    assert_eq!(verdict(&forged, Requirement::Repository(&other, Action::Push)), Hidden, "rights come first");
    let empty = with(&user("admin", true), &[]);
    assert_eq!(verdict(&empty, Requirement::SignedIn), Allowed);
    assert_eq!(verdict(&empty, Requirement::Catalog), NeedsWiderToken);
    assert_eq!(verdict(&empty, Requirement::Repository(&own, Action::Pull)), NeedsWiderToken);
    let named_alike = with(&user("admin", true), &[scope("registry", "alice/app", &["*"])]);
    assert_eq!(verdict(&named_alike, Requirement::Repository(&own, Action::Pull)), NeedsWiderToken);
    let catalog = with(&user("admin", true), &[scope("registry", "catalog", &["*"])]);
    assert_eq!(verdict(&catalog, Requirement::Catalog), Allowed);
}

#[test]
fn an_anonymous_token_opens_the_ping_only_where_everybody_may_pull() {
    let caller = Caller { principal: Principal::Anonymous, token: Some(Arc::from([])) };
    assert_eq!(decide(true, &caller, Requirement::SignedIn).verdict, Allowed);
    assert_eq!(decide(false, &caller, Requirement::SignedIn).verdict, NeedsSignIn);
    let repo = RepoName::parse("lab/app").unwrap();
    assert_eq!(decide(true, &caller, Requirement::Repository(&repo, Action::Pull)).verdict, NeedsWiderToken);
    assert_eq!(decide(true, &caller, Requirement::Repository(&repo, Action::Push)).verdict, NeedsSignIn);
}

#[test]
fn lists_are_for_those_who_may_see_something_and_administration_for_administrators() {
    let caller = |principal: &Principal, token: bool| Caller {
        principal: principal.clone(),
        token: token.then(|| Arc::from([scope("registry", "catalog", &["*"])])),
    };
    let (admin, alice, nobody) = (user("admin", true), user("alice", false), Principal::Anonymous);
    let verdict = |open, who: &Caller, what| decide(open, who, what).verdict;
    for open in [false, true] {
        let shown = if open { Allowed } else { NeedsSignIn };
        assert_eq!(verdict(open, &caller(&nobody, false), Requirement::Browse), shown);
        assert_eq!(verdict(open, &caller(&alice, true), Requirement::Browse), Allowed);
        assert_eq!(verdict(open, &caller(&nobody, false), Requirement::Admin), NeedsSignIn);
        assert_eq!(verdict(open, &caller(&alice, false), Requirement::Admin), Forbidden);
        assert_eq!(verdict(open, &caller(&admin, false), Requirement::Admin), Allowed);
        assert_eq!(verdict(open, &caller(&admin, true), Requirement::Admin), NeedsWiderToken, "no scope says so");
    }
}

#[test]
fn a_grant_is_what_was_asked_and_is_allowed() {
    let alice = user("alice", false);
    let granted = |open, principal: &Principal, asked: Scope| grant(open, principal, &asked).map(|s| s.to_string());
    let asked = |name, actions| scope("repository", name, actions);
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(granted(false, &alice, asked("alice/app", &["push", "pull"])), some("repository:alice/app:pull,push"));
    assert_eq!(granted(false, &alice, asked("alice/app", &["*"])), some("repository:alice/app:delete,pull,push"));
    assert_eq!(granted(false, &alice, asked("lab/app", &["pull"])), None);
    assert_eq!(granted(true, &alice, asked("lab/app", &["pull", "push", "*"])), some("repository:lab/app:pull"));
    assert_eq!(granted(true, &Principal::Anonymous, asked("lab/app", &["*"])), some("repository:lab/app:pull"));
    assert_eq!(granted(false, &user("admin", true), asked("x", &["own", "pull"])), some("repository:x:pull"));
    assert_eq!(granted(false, &user("admin", true), asked("Not/Valid", &["pull"])), None);
    let catalog = || scope("registry", "catalog", &["*"]);
    assert_eq!(granted(false, &user("admin", true), catalog()), some("registry:catalog:*"));
    assert_eq!(granted(false, &alice, catalog()), None);
    assert_eq!(granted(false, &user("admin", true), scope("server", "x", &["*"])), None);
}
