//! Rights of teams on namespaces and repositories, and accounts as MSR's own interface knows them.

use hyper::{Method, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};

use super::call::{Call, Outcome, page};
use super::error::{Code, Failure};
use super::people::{account, account_shown, refused, team_brief, user};
use super::repositories;
use super::table::{ADMINISTER, Endpoint, Need, PAGING, PULL, WHOLE, at_once, row};
use crate::access::AccessError;
use crate::base::Uuid;
use crate::http::reply;
use crate::model::account::Account;
use crate::model::operation::{AccountAction, OrganizationAction, Requirement};
use crate::model::organization::Team;
use crate::model::permission::{Action, Level, Place};
use crate::model::{Caller, Principal};
use crate::registry::RegistryError;

const MANAGE: Need = Need::Organization(OrganizationAction::Manage);
const OWN: Need = Need::Account(AccountAction::Manage);

const ON_NAMESPACE: &str = "/repositoryNamespaces/{organization}/teamAccess";
const OF_NAMESPACE: &str = "/repositoryNamespaces/{organization}/teamAccess/{team}";
const ON_REPOSITORY: &str = "/repositories/{repository}/teamAccess";
const OF_REPOSITORY: &str = "/repositories/{repository}/teamAccess/{team}";

/// Entries of one page of a team's rights are looked for among so many.
const LOOKED_AT: usize = 1000;

pub(super) static ROWS: &[Endpoint] = &[
    row(
        Method::GET,
        ON_NAMESPACE,
        "api_list_namespace_access",
        MANAGE,
        "Teams with rights on a namespace",
        WHOLE,
        |call| at_once(on_namespace(&call)),
    ),
    row(Method::GET, OF_NAMESPACE, "api_get_namespace_access", MANAGE, "A team's right on a namespace", &[], |call| {
        at_once(of_namespace(&call))
    }),
    row(
        Method::PUT,
        OF_NAMESPACE,
        "api_put_namespace_access",
        MANAGE,
        "Gives a team a right (accessLevel) on every repository of a namespace",
        &[],
        |call| Box::pin(put_namespace(call)),
    ),
    row(
        Method::DELETE,
        OF_NAMESPACE,
        "api_delete_namespace_access",
        MANAGE,
        "Takes it away; 204 also when there was none",
        &[],
        |call| Box::pin(delete_namespace(call)),
    ),
    row(
        Method::GET,
        ON_REPOSITORY,
        "api_list_team_access",
        ADMINISTER,
        "Teams with rights on a repository",
        WHOLE,
        |call| at_once(on_repository(&call)),
    ),
    row(
        Method::PUT,
        OF_REPOSITORY,
        "api_put_team_access",
        ADMINISTER,
        "Gives a team a right (accessLevel) on a repository",
        &[],
        |call| Box::pin(put_repository(call)),
    ),
    row(
        Method::DELETE,
        OF_REPOSITORY,
        "api_delete_team_access",
        ADMINISTER,
        "Takes it away; 204 also when there was none",
        &[],
        |call| Box::pin(delete_repository(call)),
    ),
    row(
        Method::GET,
        "/accounts/{organization}/teams/{team}/repositoryAccess",
        "api_list_repository_access",
        Need::Organization(OrganizationAction::See),
        "The repositories that a team has a right on by name",
        PAGING,
        |call| at_once(of_team(&call)),
    ),
    row(
        Method::GET,
        "/accounts/{account}/repositoryAccess/{repository}",
        "api_get_repository_access",
        // And of others only for those who administer the repository.
        PULL,
        "How much a user may do to a repository, and why",
        &[],
        |call| at_once(of_user(&call)),
    ),
    row(
        Method::DELETE,
        "/accounts/{account}",
        "api_delete_account",
        Need::Admin,
        "Deletes an account with its repositories; 204 also when there is none",
        &[],
        |call| Box::pin(delete_account(call)),
    ),
    row(
        Method::DELETE,
        "/accounts/{account}/repositories",
        "api_delete_account_repositories",
        Need::Admin,
        "Deletes every repository of an account, which stays",
        &[],
        |call| Box::pin(delete_repositories(call)),
    ),
    row(Method::GET, "/accounts/{account}/settings", "api_get_account_settings", OWN, "A user's settings", &[], |_| {
        at_once(Ok(reply::json(StatusCode::OK, &json!({ "ContentCacheUUID": "" }))))
    }),
    row(
        Method::PATCH,
        "/accounts/{account}/settings",
        "api_change_account_settings",
        OWN,
        "Changes them; there are no content caches to choose",
        &[],
        |call| Box::pin(change_settings(call)),
    ),
    row(
        Method::GET,
        "/accounts/{account}/webhooks",
        "api_list_account_webhooks",
        OWN,
        "Webhooks of a namespace; not built yet, so there are none",
        &[],
        |_| at_once(Ok(reply::json(StatusCode::OK, &json!([])))),
    ),
];

/// The organization in the path. MSR answers 400 where it is a user.
fn organization(call: &Call<'_>) -> Result<Account, Failure> {
    owner(call, call.account())
}

fn owner(call: &Call<'_>, namespace: &str) -> Result<Account, Failure> {
    let found = call.app.access.owner_of(namespace)?.filter(Account::is_organization);
    found.ok_or_else(|| {
        let message = format!("{namespace} is no organization: rights are given to teams, and teams belong to one");
        Failure::Said(Code::InvalidParameters, message)
    })
}

/// Where a right cannot be given, MSR answers 400.
fn bad(error: AccessError) -> Failure {
    match error {
        AccessError::Conflict(message) => Failure::Said(Code::InvalidParameters, message),
        other => refused(Code::NoSuchTeam)(other),
    }
}

/// What is asked for.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Asked {
    access_level: Option<String>,
}

async fn level(call: &mut Call<'_>) -> Result<Level, Failure> {
    let asked: Asked = call.object().await?;
    let level = asked.access_level.as_deref().and_then(Level::parse);
    level.ok_or_else(|| Failure::said(Code::InvalidParameters, "accessLevel is read-only, read-write or admin"))
}

/// The teams with rights in a place, and where the next page begins.
fn granted(call: &Call<'_>, place: &Place, of: &Account) -> Result<(Vec<Value>, Option<String>), Failure> {
    let paging = call.query.whole()?;
    let after = paging.start.as_deref().map(Uuid::parse);
    let Some(after) = after.map_or(Some(None), |after| after.map(Some)) else {
        return Err(Failure::said(Code::InvalidParameters, "pageStart is none that a page of this list gave"));
    };
    let mut found = call.app.access.grants_on(place, after, paging.size + 1).map_err(bad)?;
    let next = super::people::cut(&mut found, paging.size, |granted| granted.team.id.to_string());
    let shown = found.iter().map(|granted| {
        Ok(json!({ "accessLevel": granted.level.as_str(), "team": team_brief(call, of, &granted.team)? }))
    });
    Ok((shown.collect::<Result<_, Failure>>()?, next))
}

fn on_namespace(call: &Call<'_>) -> Outcome {
    let of = organization(call)?;
    let (list, next) = granted(call, &Place::Namespace(of.name.clone()), &of)?;
    let body = json!({ "namespace": account_shown(call, &of, false)?, "teamAccessList": list });
    Ok(page(&body, next.as_deref(), None))
}

fn namespace_shown(call: &Call<'_>, of: &Account, team: &Team, level: Level) -> Outcome {
    let body = json!({
        "accessLevel": level.as_str(),
        "team": team_brief(call, of, team)?,
        "namespace": account_shown(call, of, false)?,
    });
    Ok(reply::json(StatusCode::OK, &body))
}

fn of_namespace(call: &Call<'_>) -> Outcome {
    let (of, team) = (organization(call)?, call.parameter("team"));
    let place = Place::Namespace(of.name.clone());
    let granted = call.app.access.grant_of(&place, &of.name, team).map_err(bad)?;
    let granted = granted.ok_or_else(|| {
        Failure::Said(Code::NoSuchNamespaceTeamAccess, format!("team {team} has no right on the whole of {}", of.name))
    })?;
    namespace_shown(call, &of, &granted.team, granted.level)
}

async fn put_namespace(mut call: Call<'_>) -> Outcome {
    let level = level(&mut call).await?;
    let (of, access) = (organization(&call)?, &call.app.access);
    let team = access.team(&of.name, call.parameter("team")).map_err(bad)?;
    let place = Place::Namespace(of.name.clone());
    access.set_grant(&call.actor(), &place, &of.name, &team.id.to_string(), level).await.map_err(bad)?;
    namespace_shown(&call, &of, &team, level)
}

/// Takes a right away; that there is none, or no such team, is as well.
async fn remove(call: &Call<'_>, place: &Place, of: &Account) -> Outcome {
    match call.app.access.remove_grant(&call.actor(), place, &of.name, call.parameter("team")).await {
        Ok(_) | Err(AccessError::NotFound(_)) => Ok(reply::empty(StatusCode::NO_CONTENT)),
        Err(error) => Err(bad(error)),
    }
}

async fn delete_namespace(call: Call<'_>) -> Outcome {
    let of = organization(&call)?;
    remove(&call, &Place::Namespace(of.name.clone()), &of).await
}

fn repository_shown(call: &Call<'_>) -> Outcome {
    let of = owner(call, call.repo().namespace())?;
    let details = call.app.registry.repository(call.repo())?;
    let (list, next) = granted(call, &Place::Repository(call.repo().clone()), &of)?;
    let repository = repositories::shown(call, &[details])?.pop();
    Ok(page(&json!({ "repository": repository, "teamAccessList": list }), next.as_deref(), None))
}

fn on_repository(call: &Call<'_>) -> Outcome {
    call.app.registry.counts(call.repo())?;
    repository_shown(call)
}

async fn put_repository(mut call: Call<'_>) -> Outcome {
    let level = level(&mut call).await?;
    call.app.registry.counts(call.repo())?;
    let of = owner(&call, call.repo().namespace())?;
    let place = Place::Repository(call.repo().clone());
    let set = call.app.access.set_grant(&call.actor(), &place, &of.name, call.parameter("team"), level).await;
    set.map_err(bad)?;
    repository_shown(&call)
}

async fn delete_repository(call: Call<'_>) -> Outcome {
    call.app.registry.counts(call.repo())?;
    let of = owner(&call, call.repo().namespace())?;
    remove(&call, &Place::Repository(call.repo().clone()), &of).await
}

fn of_team(call: &Call<'_>) -> Outcome {
    let (of, paging) = (organization(call)?, call.query.page()?);
    let access = &call.app.access;
    let team = access.team(&of.name, call.parameter("team")).map_err(refused(Code::NoSuchTeam))?;
    let after = paging.start.as_deref().map(hex::decode).transpose();
    let after = after.map_err(|_| {
        Failure::said(Code::InvalidParameters, "pageStart is none that a page of this list gave; begin without it")
    })?;
    let held = access.grants_of(team.id, after.as_deref(), LOOKED_AT)?;
    let (mut list, mut next) = (Vec::new(), None);
    for grant in &held {
        let Place::Repository(name) = &grant.place else { continue };
        if !call.sees(name) {
            continue;
        }
        if list.len() == paging.size {
            break;
        }
        let details = match call.app.registry.repository(name) {
            Err(RegistryError::NameUnknown(_)) => continue,
            details => details?,
        };
        let repository = repositories::shown(call, &[details])?.pop();
        list.push(json!({ "accessLevel": grant.level.as_str(), "repository": repository }));
        next = (list.len() == paging.size).then(|| hex::encode(&grant.mark));
    }
    let whole = held.len() < LOOKED_AT && held.last().is_none_or(|last| next == Some(hex::encode(&last.mark)));
    let next = match next {
        Some(_) if whole => None,
        None if held.len() == LOOKED_AT => held.last().map(|last| hex::encode(&last.mark)),
        next => next,
    };
    let body = json!({ "team": team_brief(call, &of, &team)?, "repositoryAccessList": list });
    Ok(page(&body, next.as_deref(), None))
}

fn of_user(call: &Call<'_>) -> Outcome {
    let asked = &call.namespace_named(call.parameter("account"))?;
    if !call.caller.is_signed_in() || call.caller.principal.name() != asked {
        call.need(Requirement::Repository(call.repo(), Action::Administer))?;
    }
    let user = user(call, asked)?;
    let details = call.app.registry.repository(call.repo())?;
    let caller = Caller::of(Principal::User { name: user.name.clone(), admin: user.admin });
    let right = call.app.access.right(&caller, call.repo())?;
    let body = json!({
        "accessLevel": right.as_ref().map_or("", |right| right.level.as_str()),
        "because": right.as_ref().map_or("no right", |right| right.because.as_ref()),
        "user": account_shown(call, &user, false)?,
        "repository": repositories::shown(call, &[details])?.pop(),
    });
    Ok(reply::json(StatusCode::OK, &body))
}

async fn delete_account(call: Call<'_>) -> Outcome {
    let found = match account(&call, call.parameter("account")) {
        Err(Failure::Said(Code::NoSuchAccount, _)) => return Ok(reply::empty(StatusCode::NO_CONTENT)),
        found => found?,
    };
    // The last administrator cannot go: then the repositories must not be gone already.
    call.app.access.check_deletable(&found.name).map_err(refused(Code::NoSuchAccount))?;
    call.app.registry.delete_namespace(&call.actor(), &found.name).await?;
    call.app.access.delete_account(&call.actor(), &found.name).await.map_err(refused(Code::NoSuchAccount))?;
    Ok(reply::empty(StatusCode::NO_CONTENT))
}

async fn delete_repositories(call: Call<'_>) -> Outcome {
    let found = account(&call, call.parameter("account"))?;
    call.app.registry.delete_namespace(&call.actor(), &found.name).await?;
    Ok(reply::empty(StatusCode::NO_CONTENT))
}

/// A choice of cache.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Settings {
    #[serde(rename = "contentCacheUUID", alias = "ContentCacheUUID")]
    cache: Option<String>,
}

async fn change_settings(mut call: Call<'_>) -> Outcome {
    let Settings { cache } = call.object().await?;
    if cache.is_some_and(|cache| !cache.is_empty()) {
        let message = "this registry has no content caches; leave contentCacheUUID empty";
        return Err(Failure::said(Code::InvalidUserSettings, message));
    }
    Ok(reply::json(StatusCode::OK, &json!({ "ContentCacheUUID": "" })))
}
