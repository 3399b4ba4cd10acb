//! MSR's REST interface, `/api/v0`: [`table`] has one row for each endpoint, one file per noun answers, [`error`] gives
//! statuses and codes. Replies have MSR's keys and, beside them, ours: what a tag is, its pair, an application's members.
//!
//! Callers sign in with Basic (name and password) or a bearer token of the token service; cookies are not looked at.

pub mod call;
pub mod error;
mod imagescan;
mod index;
mod jobs;
mod manifests;
pub mod openapi;
pub mod path;
mod policies;
mod repositories;
mod settings;
pub mod table;
mod tags;
mod version;

use std::sync::Arc;

use hyper::header::{AUTHORIZATION, CACHE_CONTROL, HeaderValue};
use hyper::{Method, Request};

use self::call::{Call, Outcome, Query};
use self::error::{Code, Failure};
use self::table::{Endpoint, Found};
use super::App;
use super::body::RequestBody;
use super::reply::{Asker, OperationName, Reply};
use super::request::Context;
use super::ui::csrf;

/// Where it begins.
pub const PREFIX: &str = "/api/v0";

/// Whether a path belongs to it.
pub fn is_api(path: &str) -> bool {
    path == SEARCH_V1 || path.strip_prefix(PREFIX).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// What `docker search` asks, by the path of the first registries.
pub const SEARCH_V1: &str = "/v1/search";

/// Answers a request to it.
pub async fn serve(app: &Arc<App>, context: &Context, request: Request<RequestBody>) -> Reply {
    let path = request.uri().path();
    let path = if path == SEARCH_V1 { index::SEARCH } else { path.strip_prefix(PREFIX).unwrap_or_default() };
    let (mut reply, name) = match table::find(PREFIX, request.method(), path) {
        Found::Endpoint(endpoint, parameters) => {
            (ask(app, context, endpoint, parameters, request).await, endpoint.name)
        }
        Found::Method(allowed) => (error::method(&allowed), "api"),
        Found::Nothing => {
            let message = "there is no such endpoint in this version of msr-lite; check the path";
            (error::said(Code::NoSuchEndpoint, message), "api")
        }
    };
    reply.extensions_mut().insert(OperationName(name));
    reply.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    reply
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
    let authorization = head.headers.get(AUTHORIZATION).map(|value| value.to_str().unwrap_or(""));
    let caller = match app.access.authenticate(authorization, ctx.client).await {
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
        (None, Some((_, name))) => {
            (Code::NoSuchAccount, format!("there is no namespace {name} that {who} may use; check the name"))
        }
        (None, None) => (Code::NotAuthorized, "ask an administrator of this registry for it".to_owned()),
    };
    let query = Query::parse(head.uri.query());
    let call = Call { app, ctx, caller, headers: &head.headers, query, path, repo: None, body };
    let outcome = carry_out(endpoint, &head.method, call).await;
    let mut reply = outcome.unwrap_or_else(|failure| error::show(ctx, &failure, (hidden.0, &hidden.1)));
    reply.extensions_mut().insert(Asker(who.name().to_owned()));
    reply
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
            let say = |error| format!("there is no repository {namespace}/{name}, for there cannot be: {error}");
            Some(repo.map_err(|error| Failure::Said(Code::NoSuchRepository, say(error)))?)
        }
    };
    call.need(endpoint.needs.requirement(call.repo.as_ref()))?;
    (endpoint.handler)(call).await
}
