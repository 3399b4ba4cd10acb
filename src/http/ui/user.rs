//! One user: what the user may and by which paths, where the user belongs; and what an administrator does about it.

use askama::Template;
use hyper::StatusCode;

use super::page::{Frame, Nav, render};
use super::people::{Pages, Problem, ROWS, cut, not_ours, problem, required};
use super::routes::{UserPage, organization_path, repository_path, team_path, user_path};
use super::users::new_password;
use super::{Failure, Outcome, Visit, redirect};
use crate::access::AccessError;
use crate::access::accounts::AccountChange;
use crate::access::password::MIN_PASSWORD;
use crate::access::paths::{Path, RightMark};
use crate::access::personal_tokens::TokenFilter;
use crate::base::Timestamp;
use crate::model::Account;
use crate::model::account::MAX_FULL_NAME;
use crate::model::operation::{OrganizationAction, Requirement};
use crate::model::permission::Place;
use crate::model::personal_token::{TokenHash, TokenScope};
use crate::ops::accounts::{DeleteError, delete_account};

/// Organizations that the page names, with the user's teams in each.
const MEMBERSHIPS: usize = ROWS;

/// Why an account stays: the words begin with no name, which would be written as no name is.
const LAST: &str = "This is the last active administrator: make somebody else one first, who has a password, or nobody \
                    could administer this registry.";

/// Repositories that the page before deletion names.
const NAMED: usize = 20;

#[derive(Template)]
#[template(path = "user.html")]
struct Page {
    frame: Frame,
    path: String,
    account: Account,
    /// Whether it is the reader's own.
    own: bool,
    rights: Vec<Right>,
    rights_pages: Pages,
    memberships: Vec<Membership>,
    memberships_pages: Pages,
    /// What administrators do.
    manage: Option<Manage>,
    done: Option<&'static str>,
    problem: Option<String>,
}

struct Right {
    level: &'static str,
    /// The place, and its page where it has one.
    place: String,
    place_path: Option<String>,
    by: String,
    by_path: Option<String>,
}

struct Membership {
    organization: String,
    path: String,
    owner: bool,
    teams: Vec<(String, String)>,
}

struct Manage {
    /// Why the account must stay an active administrator.
    kept: Option<&'static str>,
    tokens: Vec<Token>,
    tokens_pages: Pages,
    longest: usize,
    shortest: usize,
}

struct Token {
    hash: String,
    label: String,
    scope: String,
    state: &'static str,
    created: Timestamp,
    expires: Option<Timestamp>,
    used: Option<(Timestamp, String, String)>,
}

/// Answers for the pages of one user.
pub(super) async fn serve(visit: &Visit<'_>, name: &str, page: UserPage) -> Outcome {
    let account = match visit.app.access.user(name) {
        Ok(account) => account,
        Err(AccessError::UnknownAccount(_)) => return Err(Failure::NotFound(super::NO_USER.to_owned())),
        Err(error) => return Err(error.into()),
    };
    match page {
        UserPage::Overview => show(visit, account, None),
        UserPage::Change => change(visit, account).await,
        UserPage::Password => set_password(visit, account).await,
        UserPage::Tokens => revoke(visit, account).await,
        UserPage::Delete => delete(visit, account).await,
    }
}

fn show(visit: &Visit<'_>, account: Account, refused: Option<Problem>) -> Outcome {
    let path = user_path(&account.name);
    let (status, problem) = refused.map_or((StatusCode::OK, None), |(status, words)| (status, Some(words)));
    let (rights, rights_pages) = rights(visit, &account, &path)?;
    let (memberships, memberships_pages) = memberships(visit, &account, &path)?;
    let page = Page {
        frame: visit.frame(&*account.name, Nav::People).with_api(format!("/enzi/v0/accounts/{}", account.name)),
        own: visit.caller.principal.name() == account.name,
        rights,
        rights_pages,
        memberships,
        memberships_pages,
        manage: visit.may(Requirement::Admin).then(|| manage(visit, &account, &path)).transpose()?,
        done: match visit.query.get("done") {
            Some("made") => Some("The user was made. Tell the password over a way that nobody else listens to."),
            Some("changed") => Some("Done. Sessions and tokens that were got before have ended where that matters."),
            Some("saved") => Some("Saved."),
            Some("password") => {
                Some("The password was set. Everything that was signed in with the one before has ended.")
            }
            Some("revoked") => Some("The access token is gone, and what was got with it."),
            _ => None,
        },
        path,
        account,
        problem,
    };
    Ok(render(status, &page))
}

fn rights(visit: &Visit<'_>, account: &Account, path: &str) -> Result<(Vec<Right>, Pages), Failure> {
    let after = visit.query.get("after").map(|text| {
        RightMark::parse(text)
            .ok_or_else(|| Failure::Bad("This list does not go on there. Begin at its first page.".into()))
    });
    let mut held = visit.app.access.rights_of(account, after.transpose()?.as_ref(), ROWS + 1)?;
    let next = cut(&mut held, |right| right.mark.to_string());
    let rows = held.into_iter().map(|right| Right {
        level: right.level.as_str(),
        place: right.place.as_ref().map_or_else(|| "every repository".to_owned(), Place::to_string),
        place_path: right.place.as_ref().map(|place| match place {
            Place::Namespace(namespace) => format!("/repositories?ns={namespace}"),
            Place::Repository(name) => repository_path(name),
        }),
        by: right.path.without_place(),
        by_path: match &right.path {
            Path::Owner(organization) => Some(organization_path(organization)),
            Path::Team { organization, team, .. } => Some(team_path(organization, team)),
            _ => None,
        },
    });
    Ok((rows.collect(), Pages::new(visit, path, &["orgs", "tokens"], "after", next)))
}

fn memberships(visit: &Visit<'_>, account: &Account, path: &str) -> Result<(Vec<Membership>, Pages), Failure> {
    let access = &visit.app.access;
    let mut found = access.organizations_of(&account.name, visit.query.get("orgs"), MEMBERSHIPS + 1)?;
    let next = cut(&mut found, |(organization, _)| organization.name.clone());
    let mut rows = Vec::new();
    for (organization, member) in found {
        let name = organization.name;
        let teams = access.teams_of(&name, &account.name)?;
        rows.push(Membership {
            path: organization_path(&name),
            owner: member.owner,
            teams: teams.into_iter().map(|team| (team_path(&name, &team.name), team.name)).collect(),
            organization: name,
        });
    }
    Ok((rows, Pages::new(visit, path, &["after", "tokens"], "orgs", next)))
}

fn manage(visit: &Visit<'_>, account: &Account, path: &str) -> Result<Manage, Failure> {
    let access = &visit.app.access;
    let kept = is_last(visit, &account.name)?;
    let after = visit.query.get("tokens").map(hex::decode).transpose();
    let after = after.map_err(|_| Failure::Bad("This list does not go on there. Begin at its first page.".into()))?;
    let of_user = TokenFilter { owner: Some(account.name.clone()), ..TokenFilter::default() };
    let mut found = access.tokens(&of_user, after.as_deref(), ROWS + 1)?;
    let next = cut(&mut found, |entry| hex::encode(&entry.mark));
    let now = visit.app.clock.now();
    let tokens = found.into_iter().map(|entry| Token {
        hash: entry.hash.to_string(),
        state: entry.token.state(now).as_str(),
        scope: match &entry.token.scope {
            TokenScope::All => "all that the user may".to_owned(),
            TokenScope::ReadOnly => "looking and pulling".to_owned(),
            TokenScope::Places(places) => {
                let words: Vec<_> = places.iter().map(|(place, level)| format!("{level} on {place}")).collect();
                words.join(", ")
            }
        },
        label: entry.token.label,
        created: entry.token.created,
        expires: entry.token.expires,
        used: entry.used.map(|used| (used.at, used.address, used.client)),
    });
    Ok(Manage {
        kept,
        tokens: tokens.collect(),
        tokens_pages: Pages::new(visit, path, &["after", "orgs"], "tokens", next),
        longest: MAX_FULL_NAME,
        shortest: MIN_PASSWORD,
    })
}

/// Why an account can be neither switched off nor deleted.
fn is_last(visit: &Visit<'_>, name: &str) -> Result<Option<&'static str>, Failure> {
    match visit.app.access.check_deletable(name) {
        Ok(()) => Ok(None),
        Err(AccessError::Conflict(_)) => Ok(Some(LAST)),
        Err(error) => Err(error.into()),
    }
}

async fn change(visit: &Visit<'_>, account: Account) -> Outcome {
    let none = AccountChange::default();
    let (change, done) = match visit.form.get("change") {
        Some("make-administrator") => (AccountChange { admin: Some(true), ..none }, "changed"),
        Some("unmake-administrator") => (AccountChange { admin: Some(false), ..none }, "changed"),
        Some("activate") => (AccountChange { active: Some(true), ..none }, "changed"),
        Some("deactivate") => (AccountChange { active: Some(false), ..none }, "changed"),
        Some("full-name") => {
            let full_name = visit.form.get("full-name").unwrap_or_default().to_owned();
            (AccountChange { full_name: Some(full_name), ..none }, "saved")
        }
        _ => return Err(not_ours()),
    };
    match visit.app.access.change_account(&visit.actor(), &account.name, change).await {
        Ok(_) => Ok(redirect(&format!("{}?done={done}", user_path(&account.name)))),
        Err(AccessError::Conflict(_)) => show(visit, account, Some((StatusCode::CONFLICT, LAST.to_owned()))),
        Err(error) => show(visit, account, Some(problem(error)?)),
    }
}

async fn set_password(visit: &Visit<'_>, account: Account) -> Outcome {
    let new = match new_password(visit) {
        Ok(new) => new,
        Err(problem) => return show(visit, account, Some(problem)),
    };
    match visit.app.access.set_password_by(&visit.actor(), &account.name, new).await {
        Ok(()) => {
            (visit.app.password_changed)(&account.name);
            Ok(redirect(&format!("{}?done=password", user_path(&account.name))))
        }
        Err(error) => show(visit, account, Some(problem(error)?)),
    }
}

async fn revoke(visit: &Visit<'_>, account: Account) -> Outcome {
    let hash = visit.form.get("token").and_then(TokenHash::parse).ok_or_else(not_ours)?;
    match visit.app.access.delete_token(&visit.actor(), Some(&account.name), &hash).await {
        Ok(()) => Ok(redirect(&format!("{}?done=revoked", user_path(&account.name)))),
        Err(error) => show(visit, account, Some(problem(error)?)),
    }
}

#[derive(Template)]
#[template(path = "delete_user.html")]
struct DeletePage {
    frame: Frame,
    path: String,
    name: String,
    organizations: u64,
    more_organizations: bool,
    tokens: u64,
    repositories: Vec<(String, String)>,
    more_repositories: bool,
    /// Why it cannot be deleted.
    kept: Option<&'static str>,
    problem: Option<String>,
}

async fn delete(visit: &Visit<'_>, account: Account) -> Outcome {
    if visit.is_get() {
        return confirm(visit, &account, None);
    }
    let name = &account.name;
    let typed = required(visit, "name", "Type the user's name: nothing was deleted.")?;
    if typed != name {
        let words = "What was typed is not the user's name; nothing was deleted.".to_owned();
        return confirm(visit, &account, Some((StatusCode::BAD_REQUEST, words)));
    }
    let (app, too) = (visit.app, visit.form.ticked("repositories"));
    if !too && !app.access.repositories_in(name, 1)?.is_empty() {
        let words = format!("There are repositories in {name}: say that they go too, or delete them first.");
        return confirm(visit, &account, Some((StatusCode::CONFLICT, words)));
    }
    match delete_account(&app.access, &app.registry, &visit.actor(), name, too).await {
        Ok(_) => Ok(redirect("/users?done=deleted")),
        Err(DeleteError::Access(error)) => confirm(visit, &account, Some(problem(error)?)),
        Err(DeleteError::Registry(error)) => Err(error.into()),
    }
}

fn confirm(visit: &Visit<'_>, account: &Account, refused: Option<Problem>) -> Outcome {
    let (access, name) = (&visit.app.access, &account.name);
    let (status, problem) = refused.map_or((StatusCode::OK, None), |(status, words)| (status, Some(words)));
    let mut repositories = access.repositories_in(name, NAMED + 1)?;
    let more_repositories = repositories.len() > NAMED;
    repositories.truncate(NAMED);
    let organizations = access.organizations_of(name, None, MEMBERSHIPS + 1)?.len();
    let page = DeletePage {
        frame: visit.frame(format!("Delete {name}"), Nav::People).with_api_delete(format!("/enzi/v0/accounts/{name}")),
        path: user_path(name),
        name: name.clone(),
        organizations: organizations.min(MEMBERSHIPS) as u64,
        more_organizations: organizations > MEMBERSHIPS,
        tokens: access.token_count(name)?,
        repositories: repositories.into_iter().map(|repo| (repository_path(&repo), repo.to_string())).collect(),
        more_repositories,
        kept: is_last(visit, name)?,
        problem,
    };
    Ok(render(status, &page))
}

/// Whether the reader may follow a link to a user: to the own account, or as an administrator.
pub(super) fn may_open(visit: &Visit<'_>, user: &str) -> bool {
    visit.may(Requirement::Account(user, crate::model::operation::AccountAction::Manage))
}

/// Whether the reader may follow a link to an organization.
pub(super) fn may_see(visit: &Visit<'_>, organization: &str) -> bool {
    visit.may(Requirement::Organization(organization, OrganizationAction::See))
}
