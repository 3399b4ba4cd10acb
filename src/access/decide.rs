//! May this caller do that? Pure logic; nothing is allocated on the way to a yes.
//!
//! Rights come from the account (or from nobody's), a token only narrows them. What each gets:
//!
//! | who | may |
//! |---|---|
//! | the registry itself, administrators | everything |
//! | a user | everything in the namespace of that name |
//! | everybody, where anonymous pull is on | pull everywhere, list the catalog |

use std::borrow::Cow;

use crate::model::operation::{AccountAction, OrganizationAction, Requirement};
use crate::model::permission::Verdict;
use crate::model::{Action, Caller, Decision, Principal};
use crate::oci::RepoName;
use crate::oci::scope::Scope;

const ACTIONS: [Action; 3] = [Action::Delete, Action::Pull, Action::Push];

/// Decides (design §6: not allowed to see is not found).
pub fn decide(anonymous_pull: bool, caller: &Caller, requirement: Requirement<'_>) -> Decision {
    let who = &caller.principal;
    let Some(because) = right(anonymous_pull, caller, requirement) else {
        return refuse(anonymous_pull, caller, requirement);
    };
    match &caller.token {
        Some(scopes) if !covers(scopes, requirement) => Decision::new(
            Verdict::NeedsWiderToken,
            format!("{who} may {}, but the token does not say so", Wanted(requirement)),
        ),
        _ => Decision::new(Verdict::Allowed, because),
    }
}

/// Whether [`decide`] says yes. A no costs no sentence here: a look at content asks whether its caller could push, and
/// most cannot.
pub fn may(anonymous_pull: bool, caller: &Caller, requirement: Requirement<'_>) -> bool {
    right(anonymous_pull, caller, requirement).is_some()
        && caller.token.as_ref().is_none_or(|scopes| covers(scopes, requirement))
}

/// What a token may say of what was asked for: the actions that the principal has the right to, or `None`. Asking for
/// `*` is asking for every action there is.
pub fn grant(anonymous_pull: bool, principal: &Principal, asked: &Scope) -> Option<Scope> {
    let has = |action: &str| asked.actions.iter().any(|asked| asked == action || asked == "*");
    let actions: Vec<String> = match asked.kind.as_str() {
        "repository" => {
            let repo = RepoName::parse(&asked.name).ok()?;
            let allowed = |action: &Action| in_repository(anonymous_pull, principal, &repo, *action).is_some();
            ACTIONS.iter().filter(|a| has(a.as_str()) && allowed(a)).map(|a| a.as_str().to_owned()).collect()
        }
        "registry" if asked.name == "catalog" && has("*") && in_catalog(anonymous_pull, principal).is_some() => {
            vec!["*".to_owned()]
        }
        _ => return None,
    };
    (!actions.is_empty()).then(|| Scope { kind: asked.kind.clone(), name: asked.name.clone(), actions })
}

/// Why the account (or nobody) may, whatever a token says; `None` when it may not.
fn right(anonymous_pull: bool, caller: &Caller, requirement: Requirement<'_>) -> Option<&'static str> {
    match requirement {
        Requirement::SignedIn => signed_in(anonymous_pull, caller),
        Requirement::Browse if caller.is_signed_in() => Some("signed in"),
        Requirement::Browse => anonymous_pull.then_some("everybody may pull"),
        Requirement::Admin => administers(&caller.principal),
        Requirement::Catalog => in_catalog(anonymous_pull, &caller.principal),
        Requirement::Repository(repo, action) => in_repository(anonymous_pull, &caller.principal, repo, action),
        Requirement::Namespace(..) | Requirement::Organization(..) | Requirement::Account(..) => {
            administers(&caller.principal)
        }
    }
}

/// Docker and others learn from the refusal of `GET /v2/` that there are tokens, and never ask for one when it is
/// answered 200. So a caller without credentials is refused here even where everybody may pull; one with an anonymous
/// token is not.
fn signed_in(anonymous_pull: bool, caller: &Caller) -> Option<&'static str> {
    match caller.principal {
        Principal::Anonymous if caller.token.is_none() || !anonymous_pull => None,
        Principal::Anonymous => Some("everybody may pull"),
        Principal::User { .. } | Principal::System => Some("signed in"),
    }
}

fn administers(principal: &Principal) -> Option<&'static str> {
    match principal {
        Principal::System => Some("the registry itself"),
        Principal::User { admin: true, .. } => Some("an administrator"),
        Principal::User { .. } | Principal::Anonymous => None,
    }
}

/// The catalog names every repository, so only those see it who may see them all.
fn in_catalog(anonymous_pull: bool, principal: &Principal) -> Option<&'static str> {
    match principal {
        Principal::System => Some("the registry itself"),
        Principal::User { admin: true, .. } => Some("an administrator"),
        Principal::User { .. } | Principal::Anonymous => anonymous_pull.then_some("everybody may pull"),
    }
}

fn in_repository(anonymous_pull: bool, principal: &Principal, repo: &RepoName, action: Action) -> Option<&'static str> {
    match principal {
        Principal::System => Some("the registry itself"),
        Principal::User { admin: true, .. } => Some("an administrator"),
        // A repository of one component has an empty namespace, which nobody owns.
        Principal::User { name, .. } if !name.is_empty() && repo.namespace() == name => {
            Some("the namespace is the user's own")
        }
        Principal::User { .. } | Principal::Anonymous => {
            (anonymous_pull && action == Action::Pull).then_some("everybody may pull")
        }
    }
}

/// Whether a token's scopes include what is required. Any token shows that somebody asked for it.
fn covers(scopes: &[Scope], requirement: Requirement<'_>) -> bool {
    let (kind, name, action) = match requirement {
        // A list shows what the token opens and no more.
        Requirement::SignedIn | Requirement::Browse => return true,
        Requirement::Admin | Requirement::Namespace(..) | Requirement::Organization(..) | Requirement::Account(..) => {
            return false;
        }
        Requirement::Catalog => ("registry", "catalog", "*"),
        Requirement::Repository(repo, action) => ("repository", repo.as_str(), action.as_str()),
    };
    scopes.iter().any(|scope| {
        scope.kind == kind && scope.name == name && scope.actions.iter().any(|has| has == action || has == "*")
    })
}

fn refuse(anonymous_pull: bool, caller: &Caller, requirement: Requirement<'_>) -> Decision {
    let who = &caller.principal;
    let wanted = Wanted(requirement);
    if !caller.is_signed_in() {
        return Decision::new(Verdict::NeedsSignIn, format!("only those who sign in may {wanted}"));
    }
    match requirement {
        Requirement::Repository(repo, _)
            if in_repository(anonymous_pull, &caller.principal, repo, Action::Pull).is_none() =>
        {
            Decision::new(Verdict::Hidden, format!("{who} may not see {repo}"))
        }
        Requirement::Repository(..)
        | Requirement::Catalog
        | Requirement::SignedIn
        | Requirement::Browse
        | Requirement::Admin
        | Requirement::Namespace(..)
        | Requirement::Organization(..)
        | Requirement::Account(..) => Decision::new(
            Verdict::Forbidden,
            Cow::Owned(format!("{who} may not {wanted}; ask an administrator of this registry for it")),
        ),
    }
}

/// A requirement as it stands after "may".
struct Wanted<'o>(Requirement<'o>);

impl std::fmt::Display for Wanted<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            Requirement::SignedIn => f.write_str("use this registry"),
            Requirement::Browse => f.write_str("list what is here"),
            Requirement::Admin => f.write_str("administer this registry"),
            Requirement::Catalog => f.write_str("list all repositories"),
            Requirement::Repository(repo, Action::Pull) => write!(f, "pull from {repo}"),
            Requirement::Repository(repo, Action::Push) => write!(f, "push to {repo}"),
            Requirement::Repository(repo, Action::Delete) => write!(f, "delete in {repo}"),
            Requirement::Repository(repo, Action::Administer) => write!(f, "administer {repo}"),
            Requirement::Namespace(namespace) => write!(f, "make repositories in {namespace}"),
            Requirement::Organization(name, OrganizationAction::See) => write!(f, "see the members of {name}"),
            Requirement::Organization(name, OrganizationAction::Manage) => write!(f, "manage {name}"),
            Requirement::Account(name, AccountAction::See) => write!(f, "see the account {name}"),
            Requirement::Account(name, AccountAction::Manage) => write!(f, "manage the account {name}"),
        }
    }
}

#[cfg(test)]
mod tests {
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
        let alice_public =
            [Allowed, Allowed, Allowed, Allowed, Allowed, Allowed, Forbidden, Forbidden, Allowed, Forbidden];
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
            through: None,
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
        let caller = Caller { principal: Principal::Anonymous, token: Some(Arc::from([])), through: None };
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
            through: None,
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
        assert_eq!(
            granted(false, &alice, asked("alice/app", &["push", "pull"])),
            some("repository:alice/app:pull,push")
        );
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
}
