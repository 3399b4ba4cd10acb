//! Who is signed in: what they belong to and may, their password, and how pages look to them.

use askama::Template;
use hyper::StatusCode;
use hyper::header::RETRY_AFTER;

use super::page::{Frame, Nav, Theme, render};
use super::routes::repository_path;
use super::{Failure, Outcome, Visit, errors, local, redirect, session};
use crate::access::password::MIN_PASSWORD;
use crate::access::report::Line;
use crate::access::{Access, AccessError};
use crate::base::config::Anonymous;
use crate::base::{Secret, Timestamp};
use crate::model::account::wrong_name;
use crate::model::permission::Place;

/// For how long a browser remembers a preference: a year.
const REMEMBER: u64 = 365 * 24 * 3600;

/// Organizations that the page lists, and rights that it lists unless all are asked for.
const ORGANIZATIONS: usize = 100;
const RIGHTS: usize = 25;

/// An organization that somebody belongs to.
struct Membership {
    organization: String,
    full_name: String,
    owner: bool,
    teams: Vec<String>,
}

/// What somebody may in a place, and through what.
struct RightLine {
    place: String,
    /// Where the repositories are shown on which it is a right.
    path: String,
    level: String,
    through: String,
}

impl From<Line> for RightLine {
    fn from(Line { place, level, path: through, .. }: Line) -> Self {
        let path = match Place::parse(&place) {
            Some(Place::Repository(name)) => repository_path(&name),
            Some(Place::Namespace(namespace)) => format!("/repositories?ns={namespace}"),
            None => "/repositories".to_owned(),
        };
        let place = if place == "*" { "every repository".to_owned() } else { place };
        Self { place, path, level, through }
    }
}

#[derive(Template)]
#[template(path = "account.html")]
struct AccountPage {
    frame: Frame,
    full_name: String,
    created: Timestamp,
    namespace: String,
    organizations: Vec<Membership>,
    /// Whether there are organizations that the page does not list.
    more_organizations: bool,
    rights: Vec<RightLine>,
    /// How many rights it does not list.
    more_rights: usize,
    /// Whether public repositories are public to everybody.
    anonymous: bool,
    /// How many access tokens there are, and browsers in which the account is signed in.
    tokens: usize,
    sessions: usize,
    since: Option<Timestamp>,
    initial: bool,
    shortest: usize,
    next: Option<String>,
    problem: Option<String>,
    done: bool,
}

/// `/account`.
pub(super) fn serve(visit: &Visit<'_>) -> Outcome {
    page(visit, StatusCode::OK, None)
}

fn page(visit: &Visit<'_>, status: StatusCode, problem: Option<String>) -> Outcome {
    let (session, access, name) = (visit.session.as_ref(), &visit.app.access, visit.caller.principal.name());
    let account = access.account(name)?.ok_or_else(|| AccessError::UnknownAccount(name.to_owned()))?;
    let organizations = memberships(access, name)?;
    let mut rights = access.report_of(name)?;
    let shown = if visit.query.get("rights") == Some("all") { rights.len() } else { RIGHTS };
    let more_rights = rights.len().saturating_sub(shown);
    rights.truncate(shown);
    let mut frame = visit.frame("Account", Nav::Account);
    // Names from elsewhere (htpasswd) may be anything; a command that people copy holds none of those.
    if wrong_name(name).is_none() {
        frame = frame.with_api(format!("/enzi/v0/accounts/{name}"));
    }
    let page = AccountPage {
        frame,
        full_name: account.full_name,
        created: account.created,
        namespace: account.name,
        more_organizations: organizations.len() == ORGANIZATIONS,
        organizations,
        rights: rights.into_iter().map(RightLine::from).collect(),
        more_rights,
        anonymous: access.anonymous() == Anonymous::PublicRepositories,
        tokens: access.count_tokens(name)?,
        sessions: access.sessions_of(name)?.len(),
        since: session.map(|session| session.opened),
        initial: session.is_some_and(|session| session.initial_password),
        shortest: MIN_PASSWORD,
        next: local(visit.form.get("next")).map(str::to_owned),
        problem,
        done: visit.query.get("done") == Some("password"),
    };
    Ok(render(status, &page))
}

/// What somebody belongs to, by name.
fn memberships(access: &Access, name: &str) -> Result<Vec<Membership>, AccessError> {
    let organizations = access.organizations_of(name, None, ORGANIZATIONS)?.into_iter();
    let with_teams = organizations.map(|(organization, member)| {
        let mut teams: Vec<_> = access.teams_of(&organization.name, name)?.into_iter().map(|team| team.name).collect();
        teams.sort();
        let (organization, full_name) = (organization.name, organization.full_name);
        Ok(Membership { organization, full_name, owner: member.owner, teams })
    });
    with_teams.collect()
}

/// `/account/password`: everything that was signed in with the old one ends; this browser goes on in a new session.
pub(super) async fn change_password(visit: &Visit<'_>) -> Outcome {
    let secret = |name| Secret::new(visit.form.raw(name).unwrap_or_default().to_owned());
    let refuse = |status, words: String| page(visit, status, Some(words));
    let (old, new, again) = (secret("current"), secret("new"), secret("again"));
    if new.reveal() != again.reveal() {
        return refuse(StatusCode::BAD_REQUEST, "The new password was typed in two different ways.".into());
    }
    if new.reveal() == old.reveal() {
        return refuse(StatusCode::BAD_REQUEST, "The new password is the old one.".into());
    }
    let (app, peer, name) = (visit.app, visit.ctx.client, visit.caller.principal.name());
    match app.access.change_password(name, Some((old, peer)), new).await {
        Ok(()) => {}
        Err(AccessError::Refused(_)) => {
            return refuse(StatusCode::FORBIDDEN, "The current password is not right.".into());
        }
        Err(AccessError::Malformed(message)) => return refuse(StatusCode::BAD_REQUEST, errors::sentence(&message)),
        Err(AccessError::Throttled { retry_after }) => {
            let mut reply = page(visit, StatusCode::TOO_MANY_REQUESTS, Some(errors::wait_words(retry_after)))?;
            reply.headers_mut().insert(RETRY_AFTER, errors::retry_after(retry_after));
            return Ok(reply);
        }
        Err(error) => return Err(error.into()),
    }
    (app.password_changed)(name);
    let opened = app.access.reopen_session(name, peer, &visit.agent).await?;
    let mut reply = redirect(local(visit.form.get("next")).unwrap_or("/account?done=password"));
    session::set(&mut reply, session::SESSION, opened.token.reveal(), None);
    Ok(reply)
}

/// `/account/prefs`: kept in the browser's cookies, also of those who are not signed in.
pub(super) fn preferences(visit: &Visit<'_>) -> Outcome {
    let mut reply = redirect(local(visit.form.get("next")).unwrap_or("/"));
    match (visit.form.get("theme").map(Theme::parse), visit.form.get("keys")) {
        (Some(Some(Theme::Auto)), None) => session::clear(&mut reply, session::THEME),
        (Some(Some(chosen)), None) => session::set(&mut reply, session::THEME, chosen.as_str(), Some(REMEMBER)),
        (None, Some("on")) => session::clear(&mut reply, session::KEYS),
        (None, Some("off")) => session::set(&mut reply, session::KEYS, "off", Some(REMEMBER)),
        _ => return Err(Failure::Bad("A theme is auto, light or dark; keys are on or off.".to_owned())),
    }
    Ok(reply)
}
