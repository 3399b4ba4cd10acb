//! Who may what in a repository, by which path, and what its visibility means.

use askama::Template;
use hyper::StatusCode;

use super::list_query::Choice;
use super::page::{Frame, Nav, render};
use super::people::{Pages, Problem, ROWS, SUGGESTED, cut, level, levels, not_ours, problem, required};
use super::repositories::{read_visibility, visibility_meaning};
use super::repository::{Head, Tab, api_path};
use super::routes::{organization_path, repository_path, team_path, user_path};
use super::user::{may_open, may_see};
use super::{Failure, Outcome, Visit, redirect};
use crate::access::Anonymous;
use crate::access::grants::Granted;
use crate::access::paths::Path;
use crate::base::Uuid;
use crate::model::operation::{OrganizationAction, Requirement};
use crate::model::permission::{Level, Place};
use crate::oci::RepoName;
use crate::registry::repos::RepoChange;

/// Owners that are named.
const OWNERS: usize = 10;

#[derive(Template)]
#[template(path = "access.html")]
struct Page {
    frame: Frame,
    head: Head,
    /// The reader's own rights, the greatest first: level, path, and where that is managed.
    own: Vec<(&'static str, String, Option<String>)>,
    /// Whom to ask for more; none for who has all.
    ask: Option<String>,
    meaning: &'static str,
    public: bool,
    /// Who has which right; only for those who may know.
    rows: Option<Vec<Row>>,
    pages: Pages,
    /// The organization whose teams may be given rights.
    organization: Option<String>,
    /// Where no organization owns the repository: whether the reader may name any.
    any_organization: bool,
    /// Teams to suggest.
    teams: Vec<String>,
    levels: Vec<Choice>,
    done: bool,
    problem: Option<String>,
}

/// A line of who has which right.
#[derive(Default)]
struct Row {
    who: String,
    who_path: Option<String>,
    level: &'static str,
    by: String,
    /// A grant on this very repository, which the reader may change.
    grant: Option<Grant>,
}

struct Grant {
    organization: String,
    team: String,
    levels: Vec<Choice>,
}

/// `/r/{name…}/-/access`.
pub(super) fn serve(visit: &Visit<'_>, repo: &RepoName) -> Outcome {
    if !visit.caller.is_signed_in() {
        return Err(Failure::SignIn);
    }
    show(visit, repo, None)
}

fn show(visit: &Visit<'_>, repo: &RepoName, refused: Option<Problem>) -> Outcome {
    let (status, problem) = refused.map_or((StatusCode::OK, None), |(status, words)| (status, Some(words)));
    let access = &visit.app.access;
    let details = visit.app.registry.repository(repo)?;
    let head = Head::new(visit, &details, Tab::Access);
    let namespace = repo.namespace();
    let owner = access.owner_of(namespace)?.filter(|_| !namespace.is_empty());
    let organization = owner.filter(crate::model::Account::is_organization).map(|account| account.name);
    let member = organization.as_deref().is_some_and(|name| may_see(visit, name));
    let owners = match &organization {
        Some(name) if member => access.owners(name, OWNERS)?,
        _ => Vec::new(),
    };
    let own = access.paths_on(&visit.caller, repo)?.into_iter().map(|(level, path)| {
        let managed = managed(visit, &path);
        (level.as_str(), path.to_string(), managed)
    });
    let listed = head.may_administer || member;
    let (rows, next) =
        if listed { rows(visit, repo, &head, organization.as_deref(), &owners)? } else { Default::default() };
    let teams = match organization.as_deref().filter(|_| head.may_administer) {
        Some(name) => access.teams(name, None, SUGGESTED)?.into_iter().map(|team| team.name).collect(),
        None => Vec::new(),
    };
    let page = Page {
        frame: visit
            .frame(format!("{repo} · Access"), Nav::Repositories)
            .with_api(format!("{}/teamAccess", api_path(repo))),
        own: own.collect(),
        ask: (!head.may_administer).then(|| ask(namespace, &owners)),
        meaning: visibility_meaning(access.anonymous()),
        public: head.visibility == "public",
        pages: Pages::new(visit, &format!("{}/-/access", head.path), &[], "after", next),
        rows: listed.then_some(rows),
        any_organization: namespace.is_empty() && visit.may(Requirement::Admin),
        organization,
        teams,
        levels: levels(Level::ReadOnly),
        done: visit.query.get("done") == Some("saved"),
        problem,
        head,
    };
    Ok(render(status, &page))
}

/// Where a path is managed, for who may open that.
fn managed(visit: &Visit<'_>, path: &Path) -> Option<String> {
    match path {
        Path::Team { organization, team, .. } if may_see(visit, organization) => Some(team_path(organization, team)),
        Path::Owner(organization) => Some(organization_path(organization)),
        _ => None,
    }
}

/// Whom to ask for more.
fn ask(namespace: &str, owners: &[String]) -> String {
    match (namespace, owners) {
        ("", _) => "For more, ask an administrator of this registry.".to_owned(),
        (_, []) => format!("For more, ask an owner of {namespace}, or an administrator of this registry."),
        (_, owners) => format!("For more, ask an owner of {namespace} ({}).", owners.join(", ")),
    }
}

/// Who has which right, a page of it; where it goes on.
fn rows(
    visit: &Visit<'_>,
    repo: &RepoName,
    head: &Head,
    organization: Option<&str>,
    owners: &[String],
) -> Result<(Vec<Row>, Option<String>), Failure> {
    let access = &visit.app.access;
    let namespace = repo.namespace();
    let after = visit.query.get("after").map(|text| {
        Uuid::parse(text).ok_or_else(|| Failure::Bad("This list does not go on there. Begin at its first page.".into()))
    });
    let after = after.transpose()?;
    let mut rows = Vec::new();
    let admin = Level::Admin.as_str();
    if after.is_none() {
        let by = "administrators may everything".to_owned();
        rows.push(Row { who: "Administrators".into(), level: admin, by, ..Row::default() });
        if let Some(organization) = organization {
            let who = match owners {
                [] => format!("Owners of {organization} (there are none)"),
                owners => format!("Owners of {organization}: {}", owners.join(", ")),
            };
            let by = format!("owners may everything in {organization}/*");
            rows.push(Row { who, who_path: Some(organization_path(organization)), level: admin, by, grant: None });
            for Granted { team, level } in access.grants_on(&Place::Namespace(namespace.to_owned()), None, ROWS)? {
                let who_path = Some(team_path(&team.organization, &team.name));
                let (who, by) = (format!("Team {}", team.name), format!("a right on the namespace {namespace}/*"));
                rows.push(Row { who, who_path, level: level.as_str(), by, grant: None });
            }
        } else if !namespace.is_empty() {
            let who_path = may_open(visit, namespace).then(|| user_path(namespace));
            let by = "the namespace is the user's own".to_owned();
            rows.push(Row { who: namespace.to_owned(), who_path, level: admin, by, grant: None });
        }
        if head.visibility == "public" {
            let who = match access.anonymous() {
                Anonymous::None => "Whoever is signed in",
                Anonymous::PublicRepositories => "Everybody",
            };
            let by = "the repository is public".to_owned();
            rows.push(Row { who: who.into(), level: Level::ReadOnly.as_str(), by, ..Row::default() });
        }
    }
    let mut grants = access.grants_on(&Place::Repository(repo.clone()), after, ROWS + 1)?;
    let next = cut(&mut grants, |granted| granted.team.id.to_string());
    // Teams of other organizations than the reader's have rights where no organization owns the repository.
    for Granted { team, level } in grants.into_iter().filter(|granted| may_see(visit, &granted.team.organization)) {
        let who = match organization {
            Some(_) => format!("Team {}", team.name),
            None => format!("Team {} of {}", team.name, team.organization),
        };
        rows.push(Row {
            who,
            who_path: Some(team_path(&team.organization, &team.name)),
            level: level.as_str(),
            by: "a right on this repository".to_owned(),
            grant: head.may_administer.then(|| Grant {
                organization: team.organization,
                team: team.name,
                levels: levels(level),
            }),
        });
    }
    Ok((rows, next))
}

/// `/r/{name…}/-/access/change`: gives, changes or revokes a team's right, or changes the visibility.
pub(super) async fn change(visit: &Visit<'_>, repo: &RepoName) -> Outcome {
    let (access, actor) = (&visit.app.access, visit.actor());
    let saved = || Ok(redirect(&format!("{}/-/access?done=saved", repository_path(repo))));
    if let Some(word) = visit.form.get("visibility") {
        let change = RepoChange { visibility: Some(read_visibility(Some(word))?), ..RepoChange::default() };
        visit.app.registry.change_repository(actor, repo, change).await?;
        return saved();
    }
    // So that there is a page to show what is wrong on.
    visit.app.registry.repository(repo)?;
    let team = required(visit, "team", "Say which team: nothing was changed.")?;
    let organization = match repo.namespace() {
        "" => required(visit, "organization", "Say of which organization: nothing was changed.")?,
        namespace => namespace,
    };
    if repo.namespace().is_empty() && !visit.may(Requirement::Organization(organization, OrganizationAction::See)) {
        // The same words whether there is one or not.
        return Err(Failure::NotFound(super::NO_ORGANIZATION.to_owned()));
    }
    let place = Place::Repository(repo.clone());
    let changed = match visit.form.get("do") {
        Some("set") => access.set_grant(&actor, &place, organization, team, level(visit)?).await,
        Some("revoke") => access.remove_grant(&actor, &place, organization, team).await,
        _ => return Err(not_ours()),
    };
    match changed {
        Ok(_) => saved(),
        Err(error) => show(visit, repo, Some(problem(error)?)),
    }
}
