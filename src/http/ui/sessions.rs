//! The browsers in which somebody is signed in.

use askama::Template;
use hyper::StatusCode;

use super::page::{Frame, Nav, render};
use super::{Failure, Outcome, Visit, redirect};
use crate::access::session::{IDLE, LONGEST, SessionEntry, SessionId};

#[derive(Template)]
#[template(path = "sessions.html")]
struct SessionsPage {
    frame: Frame,
    /// Each, and whether it is the one that looks at this page.
    sessions: Vec<(SessionEntry, bool)>,
    idle: std::time::Duration,
    longest: std::time::Duration,
    /// What was done.
    done: Option<&'static str>,
}

/// `/account/sessions`.
pub(super) fn serve(visit: &Visit<'_>) -> Outcome {
    let this = visit.session.as_ref().map(|session| session.id);
    let sessions = visit.app.access.sessions_of(visit.caller.principal.name())?.into_iter();
    let page = SessionsPage {
        frame: visit.frame("Sessions", Nav::Account),
        sessions: sessions
            .map(|session| {
                let is_this = Some(session.id) == this;
                (session, is_this)
            })
            .collect(),
        idle: IDLE,
        longest: LONGEST,
        done: match visit.query.get("done") {
            Some("one") => Some("The session was ended: that browser has to sign in again."),
            Some("others") => Some("All other sessions were ended: those browsers have to sign in again."),
            _ => None,
        },
    };
    Ok(render(StatusCode::OK, &page))
}

/// `/account/sessions/end`: the session that the form names, or all but this one.
pub(super) async fn end(visit: &Visit<'_>) -> Outcome {
    let (access, actor, name) = (&visit.app.access, visit.actor(), visit.caller.principal.name());
    let Some(this) = visit.session.as_ref().map(|session| session.id) else { return Err(Failure::SignIn) };
    match visit.form.get("session") {
        Some("others") => {
            access.end_other_sessions(&actor, name, this).await?;
            Ok(redirect("/account/sessions?done=others"))
        }
        // One's own, too: the page behind it then asks to sign in.
        Some(id) => {
            let id = SessionId::parse(id).ok_or_else(|| Failure::NotFound("There is no such session.".to_owned()))?;
            access.end_session(&actor, name, id).await?;
            Ok(redirect("/account/sessions?done=one"))
        }
        None => Err(Failure::Bad("The form does not say which session is to be ended.".to_owned())),
    }
}
