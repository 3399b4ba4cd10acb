//! May this caller do that? Pure logic over what [`Rights`] tells; nothing is allocated on the way to a yes but its
//! reason.
//!
//! Rights come from the account (or from nobody's): `rights` has the table of paths. What was shown only narrows them: a
//! bearer token by its scopes, a personal access token by its own. A bearer token is asked for anew when it is too
//! narrow; who comes with a personal access token is treated as somebody who has no more rights than it says.

use std::borrow::Cow;

use super::Anonymous;
use super::rights::Standing;
use crate::meta::MetaError;
use crate::model::operation::{AccountAction, OrganizationAction, Requirement};
use crate::model::organization::Member;
use crate::model::permission::{Level, Right, Verdict};
use crate::model::{Action, Caller, Decision, Principal};
use crate::oci::RepoName;
use crate::oci::scope::Scope;

/// The actions that a token's scope can say.
const ACTIONS: [Action; 3] = [Action::Delete, Action::Pull, Action::Push];

/// What dockerd's token for `docker search` says of the catalog. It opens what `*` opens: the names that one may see.
const SEARCH: &str = "search";

const ITSELF: &str = "the registry itself";
const ADMINISTRATOR: &str = "an administrator";
const SIGNED_IN: &str = "signed in";

/// What is asked of the store.
pub(super) trait Rights {
    /// What those may who do not sign in.
    fn anonymous(&self) -> Anonymous;

    /// How a user (`None`: nobody) stands to a repository.
    fn standing(&self, user: Option<&String>, repo: &RepoName) -> Result<Standing, MetaError>;

    /// What an organization gives a user on its whole namespace.
    fn in_namespace(&self, user: &str, namespace: &str) -> Result<Option<Right>, MetaError>;

    /// How a user belongs to an organization.
    fn member(&self, organization: &str, user: &str) -> Result<Option<Member>, MetaError>;
}

/// Why something is allowed.
type Because = Cow<'static, str>;

/// Decides (design §6: not allowed to see is not found).
pub(super) fn decide(rights: &impl Rights, caller: &Caller, requirement: Requirement<'_>) -> Decision {
    decided(rights, caller, requirement).unwrap_or_else(|error| {
        tracing::error!(%error, "who may do what could not be read");
        let verdict = if caller.is_signed_in() { Verdict::Forbidden } else { Verdict::NeedsSignIn };
        Decision::new(verdict, "the registry cannot read just now who may do what; try again in a minute")
    })
}

fn decided(rights: &impl Rights, caller: &Caller, requirement: Requirement<'_>) -> Result<Decision, MetaError> {
    let Some(because) = right(rights, caller, requirement)? else {
        return refuse(rights, caller, requirement);
    };
    let who = &caller.principal;
    Ok(match &caller.token {
        Some(scopes) if !covers(scopes, requirement) => Decision::new(
            Verdict::NeedsWiderToken,
            format!("{who} may {}, but the token does not say so", Wanted(requirement)),
        ),
        _ => Decision::new(Verdict::Allowed, because),
    })
}

/// Whether [`decide`] says yes. A no costs no sentence here: a look at content asks whether its caller could push, and
/// most cannot.
pub(super) fn may(rights: &impl Rights, caller: &Caller, requirement: Requirement<'_>) -> bool {
    let right = match right(rights, caller, requirement) {
        Ok(right) => right.is_some(),
        Err(error) => {
            tracing::error!(%error, "who may do what could not be read");
            false
        }
    };
    right && caller.token.as_ref().is_none_or(|scopes| covers(scopes, requirement))
}

/// What a token may say of what was asked for: the actions that the caller has the right to, or `None`. Asking for `*`
/// is asking for every action there is.
pub(super) fn grant(rights: &impl Rights, caller: &Caller, asked: &Scope) -> Option<Scope> {
    let has = |action: &str| asked.actions.iter().any(|asked| asked == action || asked == "*");
    let caller = &caller.without_token();
    let actions: Vec<String> = match asked.kind.as_str() {
        "repository" => {
            let repo = RepoName::parse(&asked.name).ok()?;
            let allowed = |action: &Action| may(rights, caller, Requirement::Repository(&repo, *action));
            ACTIONS.iter().filter(|a| has(a.as_str()) && allowed(a)).map(|a| a.as_str().to_owned()).collect()
        }
        "registry" if asked.name == "catalog" && may(rights, caller, Requirement::Catalog) => {
            let known = asked.actions.iter().filter(|action| ["*", SEARCH].contains(&action.as_str()));
            known.cloned().collect()
        }
        _ => return None,
    };
    (!actions.is_empty()).then(|| Scope { kind: asked.kind.clone(), name: asked.name.clone(), actions })
}

/// Why the account (or nobody) may, whatever a bearer token says; `None` when it may not.
fn right(rights: &impl Rights, caller: &Caller, requirement: Requirement<'_>) -> Result<Option<Because>, MetaError> {
    if caller.through.as_ref().is_some_and(|through| !through.scope.covers(requirement)) {
        return Ok(None);
    }
    let who = &caller.principal;
    let administers = administers(who).map(Cow::Borrowed);
    let open = rights.anonymous() == Anonymous::PublicRepositories;
    Ok(match requirement {
        Requirement::SignedIn => signed_in(open, caller).map(Cow::Borrowed),
        Requirement::Browse | Requirement::Catalog if caller.is_signed_in() => Some(Cow::Borrowed(SIGNED_IN)),
        Requirement::Browse | Requirement::Catalog => {
            open.then_some(Cow::Borrowed("everybody may see public repositories"))
        }
        Requirement::Admin => administers,
        Requirement::Repository(repo, action) => {
            let right = on_repository(rights, who, repo)?;
            right.filter(|right| right.level.allows(action)).map(|right| right.because)
        }
        Requirement::Namespace(namespace) => match who {
            Principal::User { name, admin: false } if owns(name, namespace) => Some(Cow::Borrowed(OWN)),
            Principal::User { name, admin: false } if !namespace.is_empty() => {
                let right = rights.in_namespace(name, namespace)?;
                right.filter(|right| right.level >= Level::ReadWrite).map(|right| right.because)
            }
            _ => administers,
        },
        Requirement::Organization(organization, action) => match who {
            Principal::User { name, admin: false } => {
                let member = rights.member(organization, name)?;
                match (member, action) {
                    (Some(Member { owner: true, .. }), _) => Some(Cow::Borrowed("an owner of the organization")),
                    (Some(_), OrganizationAction::See) => Some(Cow::Borrowed("a member of the organization")),
                    _ => None,
                }
            }
            _ => administers,
        },
        Requirement::Account(account, action) => match (who, action) {
            (Principal::User { name, .. }, _) if name == account => {
                Some(Cow::Borrowed("the account is the user's own"))
            }
            (Principal::User { admin: false, .. }, AccountAction::See) => Some(Cow::Borrowed(SIGNED_IN)),
            _ => administers,
        },
    })
}

/// Docker and others learn from the refusal of `GET /v2/` that there are tokens, and never ask for one when it is
/// answered 200. So a caller without credentials is refused here even where public repositories are open to everybody;
/// one with an anonymous token is not.
fn signed_in(open: bool, caller: &Caller) -> Option<&'static str> {
    match caller.principal {
        Principal::Anonymous if caller.token.is_none() || !open => None,
        Principal::Anonymous => Some("everybody may see public repositories"),
        Principal::User { .. } | Principal::System => Some(SIGNED_IN),
    }
}

fn administers(principal: &Principal) -> Option<&'static str> {
    match principal {
        Principal::System => Some(ITSELF),
        Principal::User { admin: true, .. } => Some(ADMINISTRATOR),
        Principal::User { .. } | Principal::Anonymous => None,
    }
}

const OWN: &str = "the namespace is the user's own";

/// A repository of one component has an empty namespace, which nobody owns.
fn owns(user: &str, namespace: &str) -> bool {
    !user.is_empty() && user == namespace
}

/// The greatest right that the caller has on a repository, as narrow as a personal access token makes it.
pub(super) fn right_on(rights: &impl Rights, caller: &Caller, repo: &RepoName) -> Result<Option<Right>, MetaError> {
    let Some(right) = on_repository(rights, &caller.principal, repo)? else { return Ok(None) };
    let Some(through) = &caller.through else { return Ok(Some(right)) };
    let left = through.scope.on(repo).map(|level| level.min(right.level));
    Ok(left.map(|level| Right { level, ..right }))
}

fn on_repository(rights: &impl Rights, who: &Principal, repo: &RepoName) -> Result<Option<Right>, MetaError> {
    let right = |level, because: Because| Some(Right { level, because });
    if let Some(because) = administers(who) {
        return Ok(right(Level::Admin, Cow::Borrowed(because)));
    }
    let public = Cow::Borrowed("the repository is public");
    match who {
        Principal::User { name, .. } if owns(name, repo.namespace()) => Ok(right(Level::Admin, Cow::Borrowed(OWN))),
        Principal::User { name, .. } => {
            let Standing { public: is_public, level, because } = rights.standing(Some(name), repo)?;
            match (level, because) {
                (Some(level), Some(because)) => Ok(right(level, Cow::Owned(because.as_ref().to_owned()))),
                _ if is_public => Ok(right(Level::ReadOnly, public)),
                _ => Ok(None),
            }
        }
        Principal::Anonymous => {
            let open = rights.anonymous() == Anonymous::PublicRepositories && rights.standing(None, repo)?.public;
            Ok(if open { right(Level::ReadOnly, public) } else { None })
        }
        Principal::System => Ok(None),
    }
}

/// Whether a bearer token's scopes include what is required. Any token shows that somebody asked for it.
fn covers(scopes: &[Scope], requirement: Requirement<'_>) -> bool {
    let (kind, name, action) = match requirement {
        // A list shows what the token opens and no more.
        Requirement::SignedIn | Requirement::Browse => return true,
        // What no scope says.
        Requirement::Admin
        | Requirement::Repository(_, Action::Administer)
        | Requirement::Namespace(_)
        | Requirement::Organization(..)
        | Requirement::Account(..) => return false,
        Requirement::Catalog => ("registry", "catalog", SEARCH),
        Requirement::Repository(repo, action) => ("repository", repo.as_str(), action.as_str()),
    };
    scopes.iter().any(|scope| {
        scope.kind == kind && scope.name == name && scope.actions.iter().any(|has| has == action || has == "*")
    })
}

fn refuse(rights: &impl Rights, caller: &Caller, requirement: Requirement<'_>) -> Result<Decision, MetaError> {
    let who = &caller.principal;
    let wanted = Wanted(requirement);
    if !caller.is_signed_in() {
        return Ok(Decision::new(Verdict::NeedsSignIn, format!("only those who sign in may {wanted}")));
    }
    let through = caller.through.as_deref();
    let hidden = match requirement {
        Requirement::Repository(repo, _) => right_on(rights, caller, repo)?.is_none(),
        Requirement::Organization(organization, _) => {
            right(rights, caller, Requirement::Organization(organization, OrganizationAction::See))?.is_none()
        }
        _ => false,
    };
    if hidden {
        return Ok(Decision::new(
            Verdict::Hidden,
            match (requirement, through) {
                (Requirement::Repository(repo, _), Some(through)) if !through.scope.is_all() => {
                    format!("{who}, or the access token \"{}\", may not see {repo}", through.label)
                }
                (Requirement::Repository(repo, _), _) => format!("{who} may not see {repo}"),
                _ => format!("{who} may not {wanted}"),
            },
        ));
    }
    Ok(Decision::new(
        Verdict::Forbidden,
        match through {
            Some(through) if !through.scope.covers(requirement) => format!(
                "the access token \"{}\" does not allow to {wanted}; use one that does, or the password",
                through.label
            ),
            _ => format!("{who} may not {wanted}; ask {} for it", to_ask(requirement)),
        },
    ))
}

/// Who could give the right.
fn to_ask(requirement: Requirement<'_>) -> String {
    let owner = |namespace: &str| match namespace {
        "" => "an administrator of this registry".to_owned(),
        namespace => format!("an owner of {namespace}, or an administrator of this registry,"),
    };
    match requirement {
        Requirement::Repository(repo, _) => owner(repo.namespace()),
        Requirement::Namespace(namespace) | Requirement::Organization(namespace, _) => owner(namespace),
        _ => owner(""),
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
            Requirement::Catalog => f.write_str("list the repositories"),
            Requirement::Repository(repo, Action::Pull) => write!(f, "pull from {repo}"),
            Requirement::Repository(repo, Action::Push) => write!(f, "push to {repo}"),
            Requirement::Repository(repo, Action::Delete) => write!(f, "delete in {repo}"),
            Requirement::Repository(repo, Action::Administer) => write!(f, "administer {repo}"),
            Requirement::Namespace("") => f.write_str("make repositories without a namespace"),
            Requirement::Namespace(namespace) => write!(f, "make repositories in {namespace}"),
            Requirement::Organization(name, OrganizationAction::See) => write!(f, "see the members of {name}"),
            Requirement::Organization(name, OrganizationAction::Manage) => write!(f, "manage {name}"),
            Requirement::Account(name, AccountAction::See) => write!(f, "see the account {name}"),
            Requirement::Account(name, AccountAction::Manage) => write!(f, "manage the account {name}"),
        }
    }
}

#[cfg(test)]
mod tests;
