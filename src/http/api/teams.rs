//! eNZi's members and teams of organizations.

use hyper::{Method, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};

use super::call::{Call, Outcome};
use super::enzi::SPAN;
use super::error::{Code, Failure};
use super::people::{MOST_COUNTED, account, account_shown, cut, listed, refused, span, team_brief, team_shown, user};
use super::table::{Endpoint, Need, at_once, row};
use crate::access::organizations::{Membership, TeamChange};
use crate::http::reply;
use crate::model::account::Account;
use crate::model::operation::OrganizationAction;
use crate::model::organization::Team;

const SEE: Need = Need::Organization(OrganizationAction::See);
const MANAGE: Need = Need::Organization(OrganizationAction::Manage);

const MEMBERS: &str = "/accounts/{organization}/members";
const MEMBER: &str = "/accounts/{organization}/members/{user}";
const TEAMS: &str = "/accounts/{organization}/teams";
const TEAM: &str = "/accounts/{organization}/teams/{team}";
const TEAM_MEMBERS: &str = "/accounts/{organization}/teams/{team}/members";
const TEAM_MEMBER: &str = "/accounts/{organization}/teams/{team}/members/{user}";

pub(super) static ROWS: &[Endpoint] = &[
    row(Method::GET, MEMBERS, "enzi_list_members", SEE, "The members of an organization", SPAN, |call| {
        at_once(members(&call))
    }),
    row(Method::GET, MEMBER, "enzi_get_member", SEE, "One member of an organization", &[], |call| {
        at_once(member(&call))
    }),
    row(Method::PUT, MEMBER, "enzi_put_member", MANAGE, "Makes a user a member, or (isAdmin) an owner", &[], |call| {
        Box::pin(put_member(call))
    }),
    row(
        Method::DELETE,
        MEMBER,
        "enzi_delete_member",
        MANAGE,
        "Takes a user out of an organization and its teams; 204 also when the user was in none",
        &[],
        |call| Box::pin(delete_member(call)),
    ),
    row(Method::GET, TEAMS, "enzi_list_teams", SEE, "The teams of an organization", SPAN, |call| at_once(teams(&call))),
    row(Method::POST, TEAMS, "enzi_create_team", MANAGE, "Makes a team", &[], |call| Box::pin(create(call))),
    row(Method::GET, TEAM, "enzi_get_team", SEE, "One team", &[], |call| at_once(get(&call))),
    row(Method::PATCH, TEAM, "enzi_change_team", MANAGE, "Changes a team's name and description", &[], |call| {
        Box::pin(change(call))
    }),
    row(Method::DELETE, TEAM, "enzi_delete_team", MANAGE, "Deletes a team with the rights that it gave", &[], |call| {
        Box::pin(delete(call))
    }),
    row(Method::GET, TEAM_MEMBERS, "enzi_list_team_members", SEE, "The members of a team", SPAN, |call| {
        at_once(team_members(&call))
    }),
    row(Method::GET, TEAM_MEMBER, "enzi_get_team_member", SEE, "One member of a team", &[], |call| {
        at_once(team_member(&call))
    }),
    row(
        Method::PUT,
        TEAM_MEMBER,
        "enzi_put_team_member",
        MANAGE,
        "Puts a user into a team, and so into the organization",
        &[],
        |call| Box::pin(put_team_member(call)),
    ),
    row(
        Method::DELETE,
        TEAM_MEMBER,
        "enzi_delete_team_member",
        MANAGE,
        "Takes a user out of a team; 204 also when the user was not in it",
        &[],
        |call| Box::pin(delete_team_member(call)),
    ),
];

/// The organization in the path.
fn organization(call: &Call<'_>) -> Result<Account, Failure> {
    let found = account(call, call.account())?;
    if found.is_organization() {
        return Ok(found);
    }
    let message = format!("{} is a user: members and teams belong to organizations", found.name);
    Err(Failure::Said(Code::InvalidParameters, message))
}

/// The team in the path, by name or id.
fn team(call: &Call<'_>, organization: &Account) -> Result<Team, Failure> {
    call.app.access.team(&organization.name, call.parameter("team")).map_err(refused(Code::NoSuchTeam))
}

fn membership(call: &Call<'_>, owner: bool, account: &Account) -> Result<Value, Failure> {
    Ok(json!({ "isAdmin": owner, "isPublic": false, "member": account_shown(call, account, false)? }))
}

fn memberships(call: &Call<'_>, mut found: Vec<Membership>, limit: usize) -> Outcome {
    let next = cut(&mut found, limit, |member| member.account.name.clone());
    let shown = found.iter().map(|member| membership(call, member.owner, &member.account));
    let shown = shown.collect::<Result<Vec<_>, _>>()?;
    Ok(listed(json!({ "members": shown }), next.as_deref()))
}

fn members(call: &Call<'_>) -> Outcome {
    let (organization, page) = (organization(call)?, span(call)?);
    let found = call.app.access.members(&organization.name, page.start.as_deref(), page.limit + 1);
    memberships(call, found.map_err(refused(Code::NoSuchAccount))?, page.limit)
}

fn no_member(user: &str, of: &str) -> Failure {
    Failure::Said(Code::NoSuchUser, format!("{user} is no member of {of}"))
}

fn member(call: &Call<'_>) -> Outcome {
    let (organization, user) = (organization(call)?, user(call, call.parameter("user"))?);
    let member = call.app.access.member(&organization.name, &user.name)?;
    let member = member.ok_or_else(|| no_member(&user.name, &organization.name))?;
    Ok(reply::json(StatusCode::OK, &membership(call, member.owner, &user)?))
}

/// What may be said of a membership.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct AskedMember {
    is_admin: Option<bool>,
}

async fn put_member(mut call: Call<'_>) -> Outcome {
    let asked: AskedMember = call.object().await?;
    let (organization, user) = (organization(&call)?, user(&call, call.parameter("user"))?);
    let access = &call.app.access;
    // Who says nothing of it leaves an owner an owner.
    let owner = match asked.is_admin {
        Some(owner) => owner,
        None => access.member(&organization.name, &user.name)?.is_some_and(|member| member.owner),
    };
    let member = access.set_member(&call.actor(), &organization.name, &user.name, owner).await;
    let member = member.map_err(refused(Code::NoSuchAccount))?;
    Ok(reply::json(StatusCode::OK, &membership(&call, member.owner, &user)?))
}

async fn delete_member(call: Call<'_>) -> Outcome {
    let (organization, user) = (organization(&call)?, user(&call, call.parameter("user"))?);
    let removed = call.app.access.remove_member(&call.actor(), &organization.name, &user.name).await;
    removed.map_err(refused(Code::NoSuchAccount))?;
    Ok(reply::empty(StatusCode::NO_CONTENT))
}

fn teams(call: &Call<'_>) -> Outcome {
    let (organization, page) = (organization(call)?, span(call)?);
    let found = call.app.access.teams(&organization.name, page.start.as_deref(), page.limit + 1);
    let mut found = found.map_err(refused(Code::NoSuchAccount))?;
    let next = cut(&mut found, page.limit, |team| team.name.clone());
    // Members are counted one by one: not for a thousand teams in one request.
    let counted = found.len() <= MOST_COUNTED;
    let show = if counted { team_shown } else { team_brief };
    let shown = found.iter().map(|team| show(call, &organization, team));
    let shown = shown.collect::<Result<Vec<_>, _>>()?;
    Ok(listed(json!({ "teams": shown }), next.as_deref()))
}

/// What may be said of a team.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Asked {
    name: Option<String>,
    description: Option<String>,
    #[serde(rename = "type")]
    kind: Option<String>,
}

impl Asked {
    fn check(&self) -> Result<(), Failure> {
        match self.kind.as_deref() {
            None | Some("" | "managed") => Ok(()),
            Some(_) => {
                Err(Failure::said(Code::NotImplemented, "this version of msr-lite knows teams of type managed only"))
            }
        }
    }
}

async fn create(mut call: Call<'_>) -> Outcome {
    let asked: Asked = call.object().await?;
    asked.check()?;
    let organization = organization(&call)?;
    let Some(name) = asked.name.filter(|name| !name.is_empty()) else {
        return Err(Failure::said(Code::InvalidParameters, "name the team: {\"name\": \"…\"}"));
    };
    let about = asked.description.unwrap_or_default();
    let team = call.app.access.create_team(&call.actor(), &organization.name, &name, &about).await;
    let team = team.map_err(refused(Code::NoSuchTeam))?;
    Ok(reply::json(StatusCode::CREATED, &team_shown(&call, &organization, &team)?))
}

fn get(call: &Call<'_>) -> Outcome {
    let organization = organization(call)?;
    let team = team(call, &organization)?;
    Ok(reply::json(StatusCode::OK, &team_shown(call, &organization, &team)?))
}

async fn change(mut call: Call<'_>) -> Outcome {
    let asked: Asked = call.object().await?;
    asked.check()?;
    let organization = organization(&call)?;
    let change = TeamChange { name: asked.name.filter(|name| !name.is_empty()), description: asked.description };
    let team = call.parameter("team");
    let team = call.app.access.change_team(&call.actor(), &organization.name, team, change).await;
    let team = team.map_err(refused(Code::NoSuchTeam))?;
    Ok(reply::json(StatusCode::OK, &team_shown(&call, &organization, &team)?))
}

async fn delete(call: Call<'_>) -> Outcome {
    let organization = organization(&call)?;
    let deleted = call.app.access.delete_team(&call.actor(), &organization.name, call.parameter("team")).await;
    deleted.map_err(refused(Code::NoSuchTeam))?;
    Ok(reply::empty(StatusCode::NO_CONTENT))
}

fn team_members(call: &Call<'_>) -> Outcome {
    let (organization, page) = (organization(call)?, span(call)?);
    let team = call.parameter("team");
    let found = call.app.access.team_members(&organization.name, team, page.start.as_deref(), page.limit + 1);
    memberships(call, found.map_err(refused(Code::NoSuchTeam))?, page.limit)
}

fn team_member(call: &Call<'_>) -> Outcome {
    let organization = organization(call)?;
    let (team, user) = (team(call, &organization)?, user(call, call.parameter("user"))?);
    if !call.app.access.is_in_team(team.id, &user.name)? {
        return Err(no_member(&user.name, &team.name));
    }
    Ok(reply::json(StatusCode::OK, &membership(call, false, &user)?))
}

async fn put_team_member(mut call: Call<'_>) -> Outcome {
    let asked: AskedMember = call.object().await?;
    if asked.is_admin == Some(true) {
        let message = "teams have no administrators here: make the user an owner of the organization, with PUT \
                       …/members/{user} and {\"isAdmin\": true}";
        return Err(Failure::said(Code::InvalidParameters, message));
    }
    let (organization, user) = (organization(&call)?, user(&call, call.parameter("user"))?);
    let team = call.parameter("team");
    let added = call.app.access.add_team_member(&call.actor(), &organization.name, team, &user.name).await;
    added.map_err(refused(Code::NoSuchTeam))?;
    Ok(reply::json(StatusCode::OK, &membership(&call, false, &user)?))
}

async fn delete_team_member(call: Call<'_>) -> Outcome {
    let (organization, user) = (organization(&call)?, user(&call, call.parameter("user"))?);
    let team = call.parameter("team");
    let removed = call.app.access.remove_team_member(&call.actor(), &organization.name, team, &user.name).await;
    removed.map_err(refused(Code::NoSuchTeam))?;
    Ok(reply::empty(StatusCode::NO_CONTENT))
}
