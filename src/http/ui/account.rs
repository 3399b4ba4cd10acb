//! Who is signed in: their password, and how pages look to them.

use askama::Template;
use hyper::StatusCode;
use hyper::header::RETRY_AFTER;

use super::page::{Frame, Nav, Theme, render};
use super::{Failure, Outcome, Visit, errors, local, redirect, session};
use crate::access::AccessError;
use crate::access::password::MIN_PASSWORD;
use crate::base::{Secret, Timestamp};
use crate::http::reply::Reply;

/// For how long a browser remembers a preference: a year.
const REMEMBER: u64 = 365 * 24 * 3600;

#[derive(Template)]
#[template(path = "account.html")]
struct AccountPage {
    frame: Frame,
    since: Option<Timestamp>,
    initial: bool,
    shortest: usize,
    next: Option<String>,
    problem: Option<String>,
    done: bool,
}

/// `/account`.
#[expect(clippy::unnecessary_wraps, reason = "a view like the others")]
pub(super) fn serve(visit: &Visit<'_>) -> Outcome {
    Ok(page(visit, StatusCode::OK, None))
}

fn page(visit: &Visit<'_>, status: StatusCode, problem: Option<String>) -> Reply {
    let session = visit.session.as_ref();
    let page = AccountPage {
        frame: visit.frame("Account", Nav::Account),
        since: session.map(|session| session.opened),
        initial: session.is_some_and(|session| session.initial_password),
        shortest: MIN_PASSWORD,
        next: local(visit.form.get("next")).map(str::to_owned),
        problem,
        done: visit.query.get("done") == Some("password"),
    };
    render(status, &page)
}

/// `/account/password`: everything that was signed in with the old one ends; this browser goes on in a new session.
pub(super) async fn change_password(visit: &Visit<'_>) -> Outcome {
    let secret = |name| Secret::new(visit.form.raw(name).unwrap_or_default().to_owned());
    let refuse = |status, words: String| Ok(page(visit, status, Some(words)));
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
            let mut reply = page(visit, StatusCode::TOO_MANY_REQUESTS, Some(errors::wait_words(retry_after)));
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
