//! One team: its members, and what it was given where.

use askama::Template;
use hyper::StatusCode;

use super::list_query::Choice;
use super::organization::{MemberRow, find};
use super::page::{Frame, Nav, render};
use super::people::{Pages, Problem, ROWS, counted, cut, level, levels, mistyped, not_ours, problem, required};
use super::routes::{TeamPage, organization_path, repository_path, team_path};
use super::{Failure, Outcome, Visit, redirect};
use crate::access::organizations::TeamChange;
use crate::http::reply::Reply;
use crate::model::Action;
use crate::model::operation::{OrganizationAction, Requirement};
use crate::model::organization::{MAX_DESCRIPTION, Team};
use crate::model::permission::{Level, Place};
use crate::oci::RepoName;

/// Grants that are looked at for one page, of which the reader may see some.
const LOOKED_AT: usize = 500;

#[derive(Template)]
#[template(path = "team.html")]
struct Page {
    frame: Frame,
    organization: String,
    organization_path: String,
    team: Team,
    path: String,
    manages: bool,
    members_count: String,
    members: Vec<MemberRow>,
    members_pages: Pages,
    grants: Vec<Grant>,
    grants_pages: Pages,
    levels: Vec<Choice>,
    done: Option<&'static str>,
    problem: Option<String>,
    longest: usize,
}

struct Grant {
    place: String,
    /// The repositories, or the repository.
    path: String,
    namespace: bool,
    level: Level,
    levels: Vec<Choice>,
    /// Whether the reader may change it.
    changes: bool,
}

/// Answers for the pages of one team.
pub(super) async fn serve(visit: &Visit<'_>, organization: &str, team: &str, page: TeamPage) -> Outcome {
    let organization = find(visit, organization)?;
    let team = visit.app.access.team(&organization.name, team)?;
    match page {
        TeamPage::Overview => show(visit, team, None),
        TeamPage::Change => change(visit, team).await,
        TeamPage::Members => members(visit, team).await,
        TeamPage::Grants => grants(visit, team).await,
        TeamPage::Delete => delete(visit, team).await,
    }
}

/// Whether the reader may give and take rights there.
fn may_grant(visit: &Visit<'_>, organization: &str, place: &Place) -> bool {
    visit.may(match place {
        Place::Namespace(_) => Requirement::Organization(organization, OrganizationAction::Manage),
        Place::Repository(name) => Requirement::Repository(name, Action::Administer),
    })
}

fn show(visit: &Visit<'_>, team: Team, refused: Option<Problem>) -> Outcome {
    let access = &visit.app.access;
    let (organization, name) = (team.organization.clone(), team.name.clone());
    let path = team_path(&organization, &name);
    let (status, problem) = refused.map_or((StatusCode::OK, None), |(status, words)| (status, Some(words)));
    let mut found = access.team_members(&organization, &name, visit.query.get("members"), ROWS + 1)?;
    let next = cut(&mut found, |member| member.account.name.clone());
    let members_pages = Pages::new(visit, &path, &["grants"], "members", next);
    let (grants, grants_pages) = grant_rows(visit, &team, &path)?;
    let page = Page {
        frame: visit
            .frame(format!("{name} of {organization}"), Nav::People)
            .with_api(format!("/api/v0/accounts/{organization}/teams/{name}/repositoryAccess")),
        organization_path: organization_path(&organization),
        manages: visit.may(Requirement::Organization(&organization, OrganizationAction::Manage)),
        members_count: counted(access.team_sizes(team.id)?.members),
        members: found.into_iter().map(|member| MemberRow::new(visit, member)).collect(),
        members_pages,
        grants,
        grants_pages,
        levels: levels(Level::ReadOnly),
        done: match visit.query.get("done") {
            Some("made") => Some("The team was made. Add members, and give it rights."),
            Some("saved") => Some("Saved: it holds from the next request on."),
            _ => None,
        },
        organization,
        team,
        path,
        problem,
        longest: MAX_DESCRIPTION,
    };
    Ok(render(status, &page))
}

/// The grants that the reader may know of: those in repositories that the reader may see.
fn grant_rows(visit: &Visit<'_>, team: &Team, path: &str) -> Result<(Vec<Grant>, Pages), Failure> {
    let after = visit.query.get("grants").map(hex::decode).transpose();
    let mut after =
        after.map_err(|_| Failure::Bad("This list does not go on there. Begin at its first page.".into()))?;
    let (mut rows, mut looked) = (Vec::new(), 0);
    let next = loop {
        let found = visit.app.access.grants_of(team.id, after.as_deref(), ROWS)?;
        let end = found.len() < ROWS;
        looked += found.len();
        after = found.last().map(|grant| grant.mark.clone());
        for grant in found {
            let place_path = match &grant.place {
                Place::Namespace(namespace) => format!("/repositories?ns={namespace}"),
                Place::Repository(name) if visit.may(Requirement::Repository(name, Action::Pull)) => {
                    repository_path(name)
                }
                Place::Repository(_) => continue,
            };
            rows.push(Grant {
                place: grant.place.to_string(),
                path: place_path,
                namespace: matches!(grant.place, Place::Namespace(_)),
                level: grant.level,
                levels: levels(grant.level),
                changes: may_grant(visit, &team.organization, &grant.place),
            });
        }
        match after.as_ref().filter(|_| !end) {
            Some(mark) if rows.len() >= ROWS || looked >= LOOKED_AT => break Some(hex::encode(mark)),
            Some(_) => {}
            None => break None,
        }
    };
    Ok((rows, Pages::new(visit, path, &["members"], "grants", next)))
}

fn saved(team: &Team) -> Reply {
    redirect(&format!("{}?done=saved", team_path(&team.organization, &team.name)))
}

async fn change(visit: &Visit<'_>, team: Team) -> Outcome {
    let change = TeamChange {
        name: visit.form.get("team").map(str::to_owned),
        description: Some(visit.form.get("description").unwrap_or_default().to_owned()),
    };
    match visit.app.access.change_team(&visit.actor(), &team.organization, &team.name, change).await {
        Ok(team) => Ok(saved(&team)),
        Err(error) => show(visit, team, Some(problem(error)?)),
    }
}

async fn members(visit: &Visit<'_>, team: Team) -> Outcome {
    let (access, actor) = (&visit.app.access, visit.actor());
    let user = required(visit, "user", "Say who: nothing was changed.")?;
    let changed = match visit.form.get("do") {
        Some("add") => access.add_team_member(&actor, &team.organization, &team.name, user).await,
        Some("remove") => access.remove_team_member(&actor, &team.organization, &team.name, user).await,
        _ => return Err(not_ours()),
    };
    match changed {
        Ok(_) => Ok(saved(&team)),
        Err(error) => show(visit, team, Some(problem(error)?)),
    }
}

/// The place that a form says: the organization's whole namespace, or a repository.
fn place(visit: &Visit<'_>, team: &Team) -> Result<Place, Problem> {
    let namespace = format!("{}/*", team.organization);
    let Some(text) = visit.form.get("place") else {
        return Err(mistyped("Say where: nothing was changed."));
    };
    if text == namespace {
        return Ok(Place::Namespace(team.organization.clone()));
    }
    RepoName::parse(text).map(Place::Repository).map_err(|_| {
        mistyped(&format!(
            "A right is given on a repository, such as {}/web, or on the whole namespace: {namespace}",
            team.organization
        ))
    })
}

async fn grants(visit: &Visit<'_>, team: Team) -> Outcome {
    let (access, actor) = (&visit.app.access, visit.actor());
    let place = match place(visit, &team) {
        Ok(place) => place,
        Err(problem) => return show(visit, team, Some(problem)),
    };
    if !may_grant(visit, &team.organization, &place) {
        // The same words whether there is one or not.
        let refused = Failure::Forbidden(format!(
            "You may not give or take rights on {place}; ask who administers it, or an administrator of this registry."
        ));
        visit.note_refusal(&refused);
        return Err(refused);
    }
    let changed = match visit.form.get("do") {
        Some("set") => access.set_grant(&actor, &place, &team.organization, &team.name, level(visit)?).await,
        Some("revoke") => access.remove_grant(&actor, &place, &team.organization, &team.name).await,
        _ => return Err(not_ours()),
    };
    match changed {
        Ok(_) => Ok(saved(&team)),
        Err(error) => show(visit, team, Some(problem(error)?)),
    }
}

#[derive(Template)]
#[template(path = "delete_team.html")]
struct DeletePage {
    frame: Frame,
    organization: String,
    organization_path: String,
    name: String,
    path: String,
    members: String,
    grants: Vec<(String, &'static str)>,
    more_grants: bool,
}

async fn delete(visit: &Visit<'_>, team: Team) -> Outcome {
    let access = &visit.app.access;
    if !visit.is_get() {
        access.delete_team(&visit.actor(), &team.organization, &team.name).await?;
        return Ok(redirect(&format!("{}?done=team-deleted", organization_path(&team.organization))));
    }
    let mut grants = access.grants_of(team.id, None, ROWS + 1)?;
    let more_grants = grants.len() > ROWS;
    grants.truncate(ROWS);
    let (organization, name) = (team.organization, team.name);
    let page = DeletePage {
        frame: visit
            .frame(format!("Delete {name} of {organization}"), Nav::People)
            .with_api_delete(format!("/enzi/v0/accounts/{organization}/teams/{name}")),
        organization_path: organization_path(&organization),
        path: team_path(&organization, &name),
        members: counted(access.team_sizes(team.id)?.members),
        // Repositories without a namespace may be others' than the organization's.
        grants: grants
            .into_iter()
            .filter(|grant| match &grant.place {
                Place::Repository(name) => visit.may(Requirement::Repository(name, Action::Pull)),
                Place::Namespace(_) => true,
            })
            .map(|grant| (grant.place.to_string(), grant.level.as_str()))
            .collect(),
        more_grants,
        organization,
        name,
    };
    Ok(render(StatusCode::OK, &page))
}
