//! What answers which path, above `/v2`.

use std::sync::Arc;

use hyper::header::{ACCEPT, AUTHORIZATION, CACHE_CONTROL, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use hyper::{Method, Request, StatusCode};
use serde_json::json;

use super::body::RequestBody;
use super::reply::{self, Asker, OperationName, Reply};
use super::request::{Authority, Context, authority};
use super::service::{Routes, is_distribution};
use super::{App, api, trust, ui, v2};
use crate::access::AccessError;
use crate::model::Principal;

const READ: &str = "GET, HEAD";

impl Routes for Arc<App> {
    async fn answer(&self, context: &Context, request: Request<RequestBody>) -> Reply {
        let path = request.uri().path();
        if is_distribution(path) {
            return v2::serve(self, context, request).await;
        }
        if path == v2::auth::TOKEN_PATH {
            return named("token", v2::auth::token_service(&self.access, context, request).await);
        }
        if let Some(reply) = trust::page(&self.pki, &self.tls_base(context), request.method(), path) {
            return named("trust", reply);
        }
        if api::is_api(path) {
            return api::serve(self, context, request).await;
        }
        if ui::is_page(path) {
            return ui::serve(self, context, request).await;
        }
        let answer = match path {
            "/healthz" => named("health", reply::text(StatusCode::OK, "ok\n")),
            "/readyz" => named("health", self.readiness(|error| reply::text(StatusCode::SERVICE_UNAVAILABLE, error))),
            // As MSR has them: load balancers are set to these.
            "/_ping" => named("health", reply::json(StatusCode::OK, &json!({}))),
            "/health" => named("health", self.health()),
            // `docker search` asks whether there is a registry of the first kind before it asks for api::SEARCH_V1.
            "/v1/_ping" => named("health", reply::json(StatusCode::OK, &json!({ "standalone": true }))),
            "/metrics" | "/nginx_status" => named("metrics", self.figures(context, &request).await),
            _ if is_for_a_person(&request) => return ui::serve(self, context, request).await,
            _ => return not_found(),
        };
        let mut answer = match *request.method() {
            Method::GET | Method::HEAD => answer,
            _ => return reply::method_not_allowed(READ),
        };
        answer.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        answer
    }
}

fn named(operation: &'static str, mut reply: Reply) -> Reply {
    reply.extensions_mut().insert(OperationName(operation));
    reply
}

/// Whether a browser asks to show what is at a path: its user is told in a page that nothing is.
fn is_for_a_person(request: &Request<RequestBody>) -> bool {
    let accept = request.headers().get(ACCEPT).and_then(|accept| accept.to_str().ok());
    request.method() == Method::GET && accept.is_some_and(|accept| accept.contains("text/html"))
}

fn not_found() -> Reply {
    let message = "there is nothing at this path; the registry is at /v2/, its CA certificate at /ca.crt";
    reply::error(StatusCode::NOT_FOUND, "UNSUPPORTED", message)
}

impl App {
    /// The URL over TLS for the same client: what it used when that was TLS (or the reverse proxy's, when that is),
    /// else the same name, if our certificate covers it, at our own TLS port.
    pub(super) fn tls_base(&self, context: &Context) -> String {
        if context.scheme == "https" {
            return context.base_url();
        }
        let host = Authority::parse(&context.authority).map(|authority| authority.host.to_owned());
        let host = host.filter(|host| self.pki.covers(host)).unwrap_or_else(|| self.pki.fqdn());
        format!("https://{}", authority("https", &host, self.tls_port))
    }

    fn readiness(&self, not: impl FnOnce(String) -> Reply) -> Reply {
        match (self.ready)() {
            // Pulls go on, so traffic is welcome: a full disk is told, and is no reason to be taken out of service.
            Ok(()) => match self.registry.space().admit() {
                Ok(()) => reply::text(StatusCode::OK, "ready\n"),
                Err(full) => reply::text(StatusCode::OK, format!("ready to pull; pushes are refused: {full}\n")),
            },
            Err(error) => not(format!("{error}\n")),
        }
    }

    /// MSR's form: the truth is in the body, the status is 200 either way.
    fn health(&self) -> Reply {
        let error = (self.ready)().err().unwrap_or_default();
        reply::json(StatusCode::OK, &json!({ "healthy": error.is_empty(), "error": error }))
    }

    /// Figures tell who uses what: for this machine itself, or for an administrator.
    async fn figures(&self, context: &Context, request: &Request<RequestBody>) -> Reply {
        // A proxy on this machine makes everybody's requests come from it; one that forwards says so in a header.
        let forwarded =
            ["forwarded", "x-forwarded-for", "via"].iter().any(|name| request.headers().contains_key(*name));
        let local = context.peer.ip().is_loopback() && context.client.is_loopback() && !forwarded;
        if !local {
            let header = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
            match self.access.authenticate(header, context.client).await {
                Ok(caller) => match caller.principal {
                    // An access token for some places says nothing of the whole registry.
                    Principal::User { admin: true, .. } if !caller.is_for_places() => {}
                    Principal::Anonymous => return sign_in("sign in as an administrator to read the metrics"),
                    ref other => {
                        let name = other.name().to_owned();
                        let message = "only an administrator may read the metrics";
                        let mut reply = reply::error(StatusCode::FORBIDDEN, "DENIED", message);
                        reply.extensions_mut().insert(Asker(name));
                        return reply;
                    }
                },
                Err(AccessError::Throttled { retry_after }) => {
                    let message = AccessError::Throttled { retry_after }.to_string();
                    let mut reply = reply::error(StatusCode::TOO_MANY_REQUESTS, "TOOMANYREQUESTS", &message);
                    reply.headers_mut().insert(RETRY_AFTER, HeaderValue::from(retry_after.as_secs().max(1)));
                    return reply;
                }
                Err(AccessError::Store(error)) => {
                    tracing::error!(id = context.id, %error, "a sign-in failed by a fault of the store");
                    return super::service::internal_error(&context.id);
                }
                Err(error) => return sign_in(&error.to_string()),
            }
        }
        // As MSR has it, for scripts that watch connections.
        if request.uri().path() == "/nginx_status" {
            return reply::text(StatusCode::OK, self.metrics.status());
        }
        reply::typed(
            StatusCode::OK,
            "application/openmetrics-text; version=1.0.0; charset=utf-8",
            self.metrics.render(),
        )
    }
}

fn sign_in(message: &str) -> Reply {
    let mut reply = reply::error(StatusCode::UNAUTHORIZED, "UNAUTHORIZED", message);
    reply.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"msr-lite\""));
    reply
}

#[cfg(test)]
mod tests;
