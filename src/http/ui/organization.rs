//! One organization: its teams with what they may, its members; and what its owners do about them (ui-design, S11).

use askama::Template;
use hyper::StatusCode;

use super::organizations::role;
use super::page::{Frame, Nav, render};
use super::people::{Pages, Problem, ROWS, counted, cut, not_ours, problem, required};
use super::routes::{OrganizationPage, organization_path, repository_path, team_path, user_path};
use super::user::{may_open, may_see};
use super::{Failure, Outcome, Visit, redirect};
use crate::access::AccessError;
use crate::access::paths::GrantCounts;
use crate::model::operation::{OrganizationAction, Requirement};
use crate::model::organization::MAX_DESCRIPTION;
use crate::model::permission::Level;
use crate::model::{Account, Action};

/// Repositories that the page before deletion names.
const NAMED: usize = 20;

#[derive(Template)]
#[template(path = "organization.html")]
struct Page {
    frame: Frame,
    organization: Account,
    path: String,
    /// The reader's own role; empty for an administrator who is no member.
    role: &'static str,
    /// Whether the reader may change what is here.
    manages: bool,
    ownerless: bool,
    members_count: String,
    teams_count: String,
    teams: Vec<TeamRow>,
    teams_pages: Pages,
    members: Vec<MemberRow>,
    members_pages: Pages,
    done: Option<&'static str>,
    problem: Option<String>,
    longest: usize,
}

struct TeamRow {
    name: String,
    path: String,
    description: String,
    members: String,
    namespace: Option<&'static str>,
    counts: [u64; 3],
    more: bool,
}

/// A member, as the lists of organizations and of teams show it.
pub(super) struct MemberRow {
    pub(super) name: String,
    /// The user's page, for who may open it.
    pub(super) path: Option<String>,
    pub(super) full_name: String,
    pub(super) owner: bool,
    pub(super) active: bool,
}

impl MemberRow {
    pub(super) fn new(visit: &Visit<'_>, member: crate::access::organizations::Membership) -> Self {
        let account = member.account;
        Self {
            path: may_open(visit, &account.name).then(|| user_path(&account.name)),
            owner: member.owner,
            active: account.active,
            full_name: account.full_name,
            name: account.name,
        }
    }

    /// The role, in a word.
    pub(super) fn role(&self) -> &'static str {
        role(self.owner)
    }
}

/// The organization of that name, for somebody who may see it.
pub(super) fn find(visit: &Visit<'_>, name: &str) -> Result<Account, Failure> {
    visit.app.access.organization(name).map_err(|error| match error {
        AccessError::NotFound(_) => Failure::NotFound(super::NO_ORGANIZATION.to_owned()),
        error => error.into(),
    })
}

/// Answers for the pages of one organization.
pub(super) async fn serve(visit: &Visit<'_>, name: &str, page: &OrganizationPage) -> Outcome {
    let organization = find(visit, name)?;
    match page {
        OrganizationPage::Members => members(visit, organization).await,
        OrganizationPage::Teams => create_team(visit, organization).await,
        OrganizationPage::Delete => delete(visit, organization).await,
        OrganizationPage::Overview | OrganizationPage::Team(..) => show(visit, organization, None),
    }
}

fn show(visit: &Visit<'_>, organization: Account, refused: Option<Problem>) -> Outcome {
    let (access, name) = (&visit.app.access, organization.name.clone());
    let path = organization_path(&name);
    let (status, problem) = refused.map_or((StatusCode::OK, None), |(status, words)| (status, Some(words)));
    let mut found = access.teams(&name, visit.query.get("teams"), ROWS + 1)?;
    let next = cut(&mut found, |team| team.name.clone());
    let teams_pages = Pages::new(visit, &path, &["members"], "teams", next);
    let mut teams = Vec::new();
    for team in found {
        // A member is told of no repository that it may not see, not even by a number.
        let visible = |repo: &_| visit.may(Requirement::Repository(repo, Action::Pull));
        let GrantCounts { namespace, repositories, more } = access.grant_counts(team.id, visible)?;
        teams.push(TeamRow {
            path: team_path(&name, &team.name),
            members: counted(access.team_sizes(team.id)?.members),
            namespace: namespace.map(Level::as_str),
            counts: repositories,
            more,
            name: team.name,
            description: team.description,
        });
    }
    let mut found = access.members(&name, visit.query.get("members"), ROWS + 1)?;
    let next = cut(&mut found, |member| member.account.name.clone());
    let sizes = access.organization_sizes(&name)?;
    let page = Page {
        frame: visit.frame(&*name, Nav::People).with_api(format!("/enzi/v0/accounts/{name}/teams")),
        role: access.member(&name, visit.caller.principal.name())?.map_or("", |member| role(member.owner)),
        manages: visit.may(Requirement::Organization(&name, OrganizationAction::Manage)),
        ownerless: access.owners(&name, 1)?.is_empty(),
        members_count: counted(sizes.members),
        teams_count: counted(sizes.teams),
        teams,
        teams_pages,
        members: found.into_iter().map(|member| MemberRow::new(visit, member)).collect(),
        members_pages: Pages::new(visit, &path, &["teams"], "members", next),
        done: match visit.query.get("done") {
            Some("made") => Some("The organization was made. Add members, make teams, and give them rights."),
            Some("member") => Some("Saved: it holds from the next request on."),
            Some("removed") => Some("The user is out of the organization and all its teams."),
            Some("team-deleted") => Some("The team was deleted, and what it was given is gone."),
            _ => None,
        },
        organization,
        path,
        problem,
        longest: MAX_DESCRIPTION,
    };
    Ok(render(status, &page))
}

async fn members(visit: &Visit<'_>, organization: Account) -> Outcome {
    let (access, actor, name) = (&visit.app.access, visit.actor(), organization.name.clone());
    let user = required(visit, "user", "Say who: nothing was changed.")?;
    let (changed, done) = match visit.form.get("role") {
        Some("owner") => (access.set_member(&actor, &name, user, true).await.map(drop), "member"),
        Some("member") => (access.set_member(&actor, &name, user, false).await.map(drop), "member"),
        Some("none") => (access.remove_member(&actor, &name, user).await.map(drop), "removed"),
        _ => return Err(not_ours()),
    };
    match changed {
        // Who has just left it has no page to go back to.
        Ok(()) if !may_see(visit, &name) => Ok(redirect("/orgs?done=left")),
        Ok(()) => Ok(redirect(&format!("{}?done={done}", organization_path(&name)))),
        Err(error) => show(visit, organization, Some(problem(error)?)),
    }
}

async fn create_team(visit: &Visit<'_>, organization: Account) -> Outcome {
    let team = visit.form.get("team").unwrap_or_default();
    let description = visit.form.get("description").unwrap_or_default();
    match visit.app.access.create_team(&visit.actor(), &organization.name, team, description).await {
        Ok(team) => Ok(redirect(&format!("{}?done=made", team_path(&team.organization, &team.name)))),
        Err(error) => show(visit, organization, Some(problem(error)?)),
    }
}

#[derive(Template)]
#[template(path = "delete_organization.html")]
struct DeletePage {
    frame: Frame,
    path: String,
    name: String,
    teams: String,
    members: String,
    repositories: Vec<(String, String)>,
    more_repositories: bool,
    problem: Option<String>,
}

async fn delete(visit: &Visit<'_>, organization: Account) -> Outcome {
    if visit.is_get() {
        return confirm(visit, &organization, None);
    }
    let name = &organization.name;
    if required(visit, "name", "Type the organization's name: nothing was deleted.")? != name {
        let words = "What was typed is not the organization's name; nothing was deleted.".to_owned();
        return confirm(visit, &organization, Some((StatusCode::BAD_REQUEST, words)));
    }
    match visit.app.access.delete_account(&visit.actor(), name).await {
        Ok(_) => Ok(redirect("/orgs?done=deleted")),
        Err(AccessError::Conflict(_)) => {
            let words = format!("There are repositories in {name}; delete them first. Nothing was deleted.");
            confirm(visit, &organization, Some((StatusCode::CONFLICT, words)))
        }
        Err(error) => confirm(visit, &organization, Some(problem(error)?)),
    }
}

fn confirm(visit: &Visit<'_>, organization: &Account, refused: Option<Problem>) -> Outcome {
    let (access, name) = (&visit.app.access, &organization.name);
    let (status, problem) = refused.map_or((StatusCode::OK, None), |(status, words)| (status, Some(words)));
    let sizes = access.organization_sizes(name)?;
    let mut repositories = access.repositories_in(name, NAMED + 1)?;
    let more_repositories = repositories.len() > NAMED;
    repositories.truncate(NAMED);
    let page = DeletePage {
        frame: visit.frame(format!("Delete {name}"), Nav::People).with_api_delete(format!("/enzi/v0/accounts/{name}")),
        path: organization_path(name),
        name: name.clone(),
        teams: counted(sizes.teams),
        members: counted(sizes.members),
        repositories: repositories.into_iter().map(|repo| (repository_path(&repo), repo.to_string())).collect(),
        more_repositories,
        problem,
    };
    Ok(render(status, &page))
}
