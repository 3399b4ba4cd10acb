//! MSR's REST interface, `/api/v0`, and that of its accounts, `/enzi/v0`: [`table`] has one row for each endpoint, one
//! file per noun answers, [`error`] gives statuses and codes. Replies have MSR's keys and, beside them, ours: what a tag
//! is, its pair, an application's members.
//!
//! Callers sign in with Basic (name and password) or a bearer token of the token service, or with the token of a
//! session that `/enzi/v0/id/login` opened; cookies are not looked at.

pub mod call;
pub mod enzi;
pub mod error;
pub(super) mod events;
mod grants;
mod imagescan;
mod index;
mod jobs;
mod manifests;
pub mod openapi;
pub mod path;
mod people;
mod policies;
mod repositories;
mod settings;
pub mod table;
mod tags;
mod teams;
mod tokens;
mod version;

use std::sync::Arc;

use hyper::header::{AUTHORIZATION, CACHE_CONTROL, HeaderMap, HeaderValue};
use hyper::{Method, Request};

use self::call::{Call, Outcome, Query};
use self::error::{Code, Failure};
use self::table::{Endpoint, Found, Need};
use super::App;
use super::body::RequestBody;
use super::reply::{Asker, OperationName, Reply};
use super::request::{Context, user_agent};
use super::ui::csrf;
use crate::access::AccessError;
use crate::model::operation::{AccountAction, Requirement};
use crate::model::permission::Verdict;
use crate::model::{Caller, Decision};

/// Where it begins.
pub const PREFIX: &str = "/api/v0";

/// Bytes of a body that is read before anything is refused: what nearly every call sends, and little memory for who sends
/// it without credentials.
const SHORT: usize = 16 * 1024;

/// The prefix of a path and what is behind it; `None` for what does not belong here.
fn split(path: &str) -> Option<(&'static str, &str)> {
    let behind = |prefix: &'static str| {
        let rest = path.strip_prefix(prefix)?;
        (rest.is_empty() || rest.starts_with('/')).then_some((prefix, rest))
    };
    behind(PREFIX).or_else(|| behind(enzi::PREFIX))
}

/// Whether a path belongs to it.
pub fn is_api(path: &str) -> bool {
    path == SEARCH_V1 || split(path).is_some()
}

/// What `docker search` asks, by the path of the first registries.
pub const SEARCH_V1: &str = "/v1/search";

/// Answers a request to it.
pub async fn serve(app: &Arc<App>, context: &Context, request: Request<RequestBody>) -> Reply {
    let (head, body) = request.into_parts();
    let (mut reply, name) = match body.at_hand(SHORT).await {
        Ok(body) => answer(app, context, Request::from_parts(head, body)).await,
        Err(error) => (error::show(context, &error.into(), (Code::InvalidJson, "")), "api"),
    };
    reply.extensions_mut().insert(OperationName(name));
    reply.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    reply
}

/// The answer, and the name of what gave it.
async fn answer(app: &Arc<App>, context: &Context, request: Request<RequestBody>) -> (Reply, &'static str) {
    let (prefix, path) = split(request.uri().path()).unwrap_or((PREFIX, index::SEARCH));
    match table::find(prefix, request.method(), path) {
        Found::Endpoint(endpoint, parameters) => {
            (ask(app, context, endpoint, parameters, request).await, endpoint.name)
        }
        Found::Method(allowed) => (error::method(&allowed), "api"),
        Found::Nothing => {
            let message = "there is no such endpoint in this version of msr-lite; check the path";
            (error::said(Code::NoSuchEndpoint, message), "api")
        }
    }
}

/// Finds out who asks and whether they may, and lets the endpoint answer.
async fn ask(
    app: &Arc<App>,
    ctx: &Context,
    endpoint: &Endpoint,
    path: path::Parameters,
    request: Request<RequestBody>,
) -> Reply {
    let (head, body) = request.into_parts();
    let caller = match who(app, ctx, &head.headers).await {
        Ok(caller) => caller,
        Err(refused) => return error::access(ctx, &refused),
    };
    let who = caller.principal.clone();
    // The same words whether it exists or not.
    let hidden = match (&path.repository, path.others.first()) {
        (Some(name), _) => {
            let message = format!("there is no repository {name} that {who} may use; check the name, or ask for it");
            (Code::NoSuchRepository, message)
        }
        (None, Some((parameter, name))) => {
            let what = if *parameter == "namespace" { "namespace" } else { "account" };
            (Code::NoSuchAccount, format!("there is no {what} {name} that {who} may use; check the name"))
        }
        (None, None) => (Code::NotAuthorized, "ask an administrator of this registry for it".to_owned()),
    };
    let query = Query::parse(head.uri.query());
    let mut call =
        Call { app, ctx, caller, headers: &head.headers, query, path, repo: None, account: String::new(), body };
    if let Err(error) = name_namespaces(&mut call) {
        return error::access(ctx, &error);
    }
    let (actor, named) = (call.actor(), call.path.repository.clone());
    let outcome = carry_out(endpoint, &head.method, call).await;
    if let Err(Failure::Denied(decision)) = &outcome
        && matches!(decision.verdict, Verdict::Forbidden | Verdict::Hidden)
        && !matches!(head.method, Method::GET | Method::HEAD)
    {
        let repo = named.as_deref().and_then(|path| path.split_once('/'));
        let repo = repo.and_then(|(namespace, name)| path::repository(namespace, name).ok());
        app.registry.note_denied(actor, repo.as_ref(), endpoint.name, &decision.because);
    }
    let mut reply = outcome.unwrap_or_else(|failure| error::show(ctx, &failure, (hidden.0, &hidden.1)));
    reply.extensions_mut().insert(Asker(who.name().to_owned()));
    reply
}

/// Whose credentials a request shows.
async fn who(app: &App, ctx: &Context, headers: &HeaderMap) -> Result<Caller, AccessError> {
    match session_token(headers) {
        None => {
            let authorization = headers.get(AUTHORIZATION).map(|value| value.to_str().unwrap_or(""));
            app.access.authenticate_client(authorization, ctx.client, user_agent(headers)).await
        }
        Some(token) => match app.access.session(token).await? {
            Some(session) => Ok(session.caller),
            None => Err(AccessError::Refused("this session has ended; sign in again".to_owned())),
        },
    }
}

async fn carry_out(endpoint: &Endpoint, method: &Method, mut call: Call<'_>) -> Outcome {
    // A browser that was once asked for a password here sends it along with whatever a page of another site makes it
    // send.
    if !matches!(*method, Method::GET | Method::HEAD) && csrf::comes_from_elsewhere(call.headers) {
        let message = "a page of another site sent this request; nothing was changed";
        return Err(Failure::said(Code::NotAuthorized, message));
    }
    call.repo = match call.path.repository.as_deref().and_then(|path| path.split_once('/')) {
        None => None,
        Some((namespace, name)) => {
            let repo = path::repository(namespace, name);
            if repo.is_err() {
                // As of every other name.
                call.need(Requirement::SignedIn)?;
            }
            let say = |error| format!("there is no repository {namespace}/{name}, for there cannot be: {error}");
            Some(repo.map_err(|error| Failure::Said(Code::NoSuchRepository, say(error)))?)
        }
    };
    if matches!(endpoint.needs, Need::Organization(_) | Need::Account(_)) {
        // Nobody else learns what there is.
        call.need(Requirement::Account("", AccountAction::See))?;
        let named = call.path.others.iter().find(|(name, _)| ["organization", "account"].contains(name));
        if let Some((_, text)) = named {
            call.account = match name_of(&call, text) {
                Err(AccessError::UnknownAccount(_)) => {
                    return Err(Failure::Denied(Decision::new(Verdict::Hidden, "there is no such account")));
                }
                account => account?,
            };
        }
    }
    let admit = |call: &Call<'_>| {
        endpoint.needs.requirement(call.repo.as_ref(), &call.account).map_or(Ok(()), |needed| call.need(needed))
    };
    admit(&call)?;
    if call.has_body() && !matches!(*method, Method::GET | Method::HEAD) {
        // A body comes as slowly as its sender likes, and what the sender may can end meanwhile: so it is asked again when
        // the body is here, and nothing is waited for from then on.
        call.receive().await?;
        call.caller = who(call.app, call.ctx, call.headers).await?;
        admit(&call)?;
    }
    (endpoint.handler)(call).await
}

/// Puts the names of accounts where the path names namespaces by their ids. Refusals say the path as it came: an id tells
/// nobody a name who may not see what is there.
fn name_namespaces(call: &mut Call<'_>) -> Result<(), AccessError> {
    if let Some((namespace, name)) = call.path.repository.as_deref().and_then(|path| path.split_once('/')) {
        let named = call.namespace_named(namespace)?;
        if named != namespace {
            let repo = path::repository(&named, name);
            // To who is not signed in, a refusal names the repository.
            if call.caller.is_signed_in() || repo.is_ok_and(|repo| call.sees(&repo)) {
                call.path.repository = Some(format!("{named}/{name}"));
            }
        }
    }
    for at in 0..call.path.others.len() {
        if call.path.others[at].0 == "namespace" {
            call.path.others[at].1 = call.namespace_named(&call.path.others[at].1)?;
        }
    }
    Ok(())
}

/// The name of the account that a name, an id or `id:` with an id stands for.
fn name_of(call: &Call<'_>, text: &str) -> Result<String, AccessError> {
    call.app.access.resolve(text).map(|account| account.name)
}

/// The token of a session that was opened by `/enzi/v0/id/login`. Bearer tokens of the token service have dots in them.
fn session_token(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(AUTHORIZATION)?.to_str().ok()?.trim().split_once(' ')?;
    let ours = scheme.eq_ignore_ascii_case("sessiontoken") || scheme.eq_ignore_ascii_case("bearer");
    Some(token.trim()).filter(|token| ours && !token.is_empty() && !token.contains('.'))
}
