//! Signing in and out.

use askama::Template;
use hyper::StatusCode;
use hyper::header::RETRY_AFTER;

use super::page::{Frame, Nav, render};
use super::{Failure, Outcome, Visit, errors, local, redirect, session};
use crate::access::AccessError;
use crate::base::Secret;
use crate::http::reply::Reply;

#[derive(Template)]
#[template(path = "login.html")]
struct LoginPage {
    frame: Frame,
    next: Option<String>,
    username: String,
    problem: Option<String>,
}

#[derive(Template)]
#[template(path = "in_clear.html")]
struct InClearPage {
    frame: Frame,
    url: String,
}

/// `/login`. The session of `token`, in which the browser was until now, ends when another one begins.
pub(super) async fn serve(visit: &Visit<'_>, token: Option<Secret>) -> Outcome {
    if visit.is_get() {
        let next = local(visit.query.get("next"));
        if visit.caller.is_signed_in() {
            return Ok(redirect(next.unwrap_or("/")));
        }
        return Ok(form(visit, StatusCode::OK, next, "", None));
    }
    let next = local(visit.form.get("next"));
    let username = visit.form.get("username").unwrap_or_default();
    let password = Secret::new(visit.form.raw("password").unwrap_or_default().to_owned());
    match visit.app.access.open_session(username, password, visit.ctx.client, &visit.agent).await {
        Ok(opened) => {
            if let Some(token) = token {
                visit.app.access.close_session(token.reveal()).await?;
            }
            let next = next.filter(|next| *next != "/");
            let begin = if opened.session.initial_password { "/welcome" } else { next.unwrap_or("/") };
            let mut reply = redirect(begin);
            session::set(&mut reply, session::SESSION, opened.token.reveal(), None);
            session::clear(&mut reply, session::VISITOR);
            Ok(reply)
        }
        Err(AccessError::Refused(message)) => {
            Ok(form(visit, StatusCode::UNAUTHORIZED, next, username, Some(errors::sentence(&message))))
        }
        Err(AccessError::Throttled { retry_after }) => {
            let words = Some(errors::wait_words(retry_after));
            let mut reply = form(visit, StatusCode::TOO_MANY_REQUESTS, next, username, words);
            reply.headers_mut().insert(RETRY_AFTER, errors::retry_after(retry_after));
            Ok(reply)
        }
        Err(error) => Err(error.into()),
    }
}

fn form(visit: &Visit<'_>, status: StatusCode, next: Option<&str>, username: &str, problem: Option<String>) -> Reply {
    let frame = visit.frame("Sign in", Nav::Elsewhere);
    render(status, &LoginPage { frame, next: next.map(str::to_owned), username: username.to_owned(), problem })
}

/// `/logout`.
pub(super) async fn sign_out(visit: &Visit<'_>, token: Option<Secret>) -> Outcome {
    if let Some(token) = token {
        visit.app.access.close_session(token.reveal()).await?;
    }
    let mut reply = redirect("/login");
    session::clear(&mut reply, session::SESSION);
    Ok(reply)
}

/// Every page where the browser speaks plain HTTP with us: a password or a cookie could be read on the way.
pub(super) fn in_clear(visit: &Visit<'_>) -> Outcome {
    if !visit.is_get() {
        return Err(Failure::Forbidden("Forms are taken over TLS only.".to_owned()));
    }
    let frame = visit.frame("Use https", Nav::Elsewhere);
    Ok(render(StatusCode::OK, &InClearPage { frame, url: visit.app.tls_base(visit.ctx) }))
}
