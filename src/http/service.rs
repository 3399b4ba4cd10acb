//! The shell around every request: its id and context, limits on its head, panics, security headers, access log.

mod rooms;

use std::convert::Infallible;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, AtomicU64, Ordering};

use hyper::body::Incoming;
use hyper::header::{
    CONNECTION, CONTENT_SECURITY_POLICY, HeaderName, HeaderValue, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
    X_FRAME_OPTIONS,
};
use hyper::{Method, Request, Response, StatusCode, Version};

use rooms::Rooms;

use super::body::{Outgoing, RequestBody};
use super::conn::{self, Entry, Http, Link, Ticket};
use super::limits::{Doors, check_head};
use super::metrics::Metrics;
use super::reply::{self, Asker, OperationName, Reply};
use super::request::{Context, Front};
use super::trace;
use crate::base::Clock;
use crate::base::config::Limits;
use crate::oci::Code;
use crate::ops::handshakes::Handshakes;

/// Shown in every answer, in 5xx bodies and in the log.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// What answers requests, once the shell has made their context.
pub trait Routes: Send + Sync + 'static {
    /// Answers one request.
    fn answer(&self, context: &Context, request: Request<RequestBody>) -> impl Future<Output = Reply> + Send;
}

/// The three ways in which HTTP is spoken.
#[derive(Debug)]
pub struct Versions {
    /// HTTP/1.
    pub one: Http,
    /// HTTP/2.
    pub two: Http,
    /// Either.
    pub either: Http,
}

impl Versions {
    /// The one for this version.
    pub(super) fn speaking(&self, version: conn::Version) -> &Http {
        match version {
            conn::Version::One => &self.one,
            conn::Version::Two => &self.two,
            conn::Version::Either => &self.either,
        }
    }
}

/// What all connections share.
#[derive(Debug)]
pub struct Shell<R> {
    /// What answers.
    pub routes: R,
    /// How the world sees us.
    pub front: Front,
    /// TLS settings.
    pub tls: Arc<rustls::ServerConfig>,
    /// Limits.
    pub limits: Limits,
    /// Counts.
    pub metrics: Metrics,
    /// Clients that refuse our certificate.
    pub handshakes: Handshakes,
    /// The time.
    pub clock: Clock,
    pub(super) doors: Arc<Doors>,
    pub(super) http: Arc<Versions>,
    rooms: Rooms<R>,
    /// The port of the first TLS listener; known when the listeners are.
    tls_port: AtomicU16,
    turned_away_logged: AtomicU64,
}

impl<R> Shell<R> {
    /// A shell around `routes`.
    pub fn new(
        routes: R,
        front: Front,
        tls: Arc<rustls::ServerConfig>,
        limits: Limits,
        metrics: Metrics,
        handshakes: Handshakes,
        clock: Clock,
    ) -> Arc<Self> {
        let doors = Doors::new(limits.connections, limits.connections_per_address);
        let http = Arc::new(Versions {
            one: Http::new(&limits, conn::Version::One),
            two: Http::new(&limits, conn::Version::Two),
            either: Http::new(&limits, conn::Version::Either),
        });
        Arc::new(Self {
            routes,
            front,
            tls,
            limits,
            metrics,
            handshakes,
            clock,
            doors,
            http,
            rooms: Rooms::default(),
            tls_port: AtomicU16::new(443),
            turned_away_logged: AtomicU64::new(0),
        })
    }

    /// Where a client that asks elsewhere is sent to.
    pub(super) fn tls_port(&self) -> u16 {
        self.tls_port.load(Ordering::Relaxed)
    }

    pub(super) fn set_tls_port(&self, port: u16) {
        self.tls_port.store(port, Ordering::Relaxed);
    }

    /// Whether a minute has passed since the last line about connections turned away.
    pub(super) fn may_log_turned_away(&self) -> bool {
        let now = self.clock.now().0.max(1);
        let last = self.turned_away_logged.load(Ordering::Relaxed);
        let due = last == 0 || now.abs_diff(last) >= 60_000;
        due && self.turned_away_logged.compare_exchange(last, now, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }
}

impl<R: Routes> Shell<R> {
    /// Answers a request that came over `link`.
    async fn handle(
        self: Arc<Self>,
        link: Arc<Link>,
        request: Request<Incoming>,
    ) -> Result<Response<Outgoing>, Infallible> {
        let (head, body) = request.into_parts();
        let (method, version, id) = (head.method.clone(), head.version, trace::request_id());
        let entry = Entry::new(&id, link.ends.peer.ip(), &head);
        let mut ticket = Ticket::open(&link, &self.metrics, entry);
        let body = RequestBody::new(body, std::time::Duration::from_secs(self.limits.progress_seconds));
        let body_read = body.watch_end();
        let distribution = is_distribution(head.uri.path());

        let mut reply = match self.front.context(id.clone(), link.ends, &head) {
            _ if let Some(refusal) = check_head(&head, self.limits.header_bytes) => refusal,
            Err(sentence) => reply::error(StatusCode::BAD_REQUEST, "UNSUPPORTED", sentence),
            Ok(context) => {
                ticket.entry.client = context.client;
                match refuse_form(&head) {
                    Some(reply) => reply,
                    None => self.guarded(&context, Request::from_parts(head, body)).await,
                }
            }
        };

        let headers = reply.headers_mut();
        if let Ok(value) = HeaderValue::from_str(&id) {
            headers.insert(REQUEST_ID, value);
        }
        secure(headers, distribution);
        // The rest of the body would have to be read before the connection can be used again; saying so beats
        // letting the client find out.
        if version < Version::HTTP_2 && !body_read.load(Ordering::Relaxed) {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        if method == Method::HEAD {
            reply = reply::without_body(reply);
        }
        ticket.entry.operation = reply.extensions_mut().remove::<OperationName>().map(|OperationName(name)| name);
        ticket.entry.principal = reply.extensions_mut().remove::<Asker>().map(|Asker(name)| name);
        ticket.answered(reply.status().as_u16(), reply.body().len());
        Ok(reply.map(|body| Outgoing::new(body, ticket)))
    }

    /// Runs the routes; a panic in them costs this one request.
    async fn guarded(&self, context: &Context, request: Request<RequestBody>) -> Reply {
        let mut answer = pin!(self.routes.answer(context, request));
        let outcome =
            std::future::poll_fn(|cx| match std::panic::catch_unwind(AssertUnwindSafe(|| answer.as_mut().poll(cx))) {
                Ok(poll) => poll.map(Ok),
                Err(panic) => std::task::Poll::Ready(Err(panic)),
            });
        match outcome.await {
            Ok(reply) => reply,
            Err(panic) => {
                let said = panic.downcast_ref::<&str>().copied();
                let said = said.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no words");
                tracing::error!(id = context.id, panic = said, "a request failed by a fault of ours; please report it");
                internal_error(&context.id)
            }
        }
    }
}

/// 500: what a client may know about a fault of ours is the id under which the log has the rest.
pub fn internal_error(id: &str) -> Reply {
    let message = format!("the registry failed; its log has more under request id {id}");
    reply::error(StatusCode::INTERNAL_SERVER_ERROR, Code::Unknown.as_str(), &message)
}

/// Forms of a request target that no route is made for (RFC 9112, 3.2).
fn refuse_form(head: &hyper::http::request::Parts) -> Option<Reply> {
    const ALL: &str = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS";
    match head.method {
        Method::OPTIONS if head.uri.path() == "*" => {
            let mut reply = reply::empty(StatusCode::NO_CONTENT);
            reply.headers_mut().insert(hyper::header::ALLOW, HeaderValue::from_static(ALL));
            Some(reply)
        }
        Method::CONNECT | Method::TRACE => Some(reply::method_not_allowed(ALL)),
        _ => None,
    }
}

/// Whether a path belongs to the distribution API.
pub(super) fn is_distribution(path: &str) -> bool {
    path == "/v2" || path.starts_with("/v2/")
}

/// What keeps a browser from making more of an answer than it is. Answers under `/v2` may carry content that anybody
/// pushed: there a sandbox keeps it from running on our origin.
pub(super) fn secure(headers: &mut hyper::HeaderMap, distribution: bool) {
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    let policy =
        if distribution { "default-src 'none'; sandbox" } else { "default-src 'none'; frame-ancestors 'none'" };
    headers.entry(CONTENT_SECURITY_POLICY).or_insert(HeaderValue::from_static(policy));
    if !distribution {
        headers.entry(REFERRER_POLICY).or_insert(HeaderValue::from_static("no-referrer"));
        headers.entry(X_FRAME_OPTIONS).or_insert(HeaderValue::from_static("DENY"));
    }
}

#[cfg(test)]
mod tests;
