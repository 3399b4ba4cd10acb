//! Where a client gets our CA certificate: `/ca.crt`, `/trust.sh`, and plain HTTP that came to a TLS port.

use std::convert::Infallible;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::header::{ACCEPT, CONNECTION, CONTENT_DISPOSITION, HeaderValue, LOCATION};
use hyper::http::request::Parts;
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};

use super::body::Outgoing;
use super::conn::{Entry, Link, Ticket, Wire};
use super::limits::check_head;
use super::listen::{Phase, Stop};
use super::reply::{self, Reply};
use super::request::{Authority, Ends, Front, authority};
use super::service::{REQUEST_ID, Routes, Shell};
use super::trace;
use crate::pki::Pki;
use crate::pki::trust::{self, RegistryHost, ScriptInputs, SnippetClient};

/// Seconds for which a connection in clear to a TLS port may last, whatever it does: what is served there is small.
const LONGEST: Duration = Duration::from_secs(30);

/// The paths that need no sign-in and no TLS: the CA certificate is public, its fingerprint makes it trustworthy.
/// `base` is the URL under which the client reaches the registry over TLS.
pub fn page(pki: &Pki, base: &str, method: &Method, path: &str) -> Option<Reply> {
    let reply = match path {
        // Browsers offer to import this type; curl and wget do not care.
        "/ca" | "/ca.crt" => {
            let mut reply = reply::typed(StatusCode::OK, "application/x-x509-ca-cert", pki.ca_pem().to_string());
            let name = HeaderValue::from_static("attachment; filename=\"ca.crt\"");
            reply.headers_mut().insert(CONTENT_DISPOSITION, name);
            reply
        }
        "/trust.sh" => script(pki, base),
        "/trust" => guide(pki, base),
        _ => return None,
    };
    if matches!(*method, Method::GET | Method::HEAD) {
        Some(reply)
    } else {
        Some(reply::method_not_allowed("GET, HEAD"))
    }
}

/// The registry as the client of `base` writes it; by our full name when `base` has none that clients can write.
fn registry(pki: &Pki, base: &str) -> Option<RegistryHost> {
    let spelled = base.split_once("://").map_or(base, |(_, authority)| authority);
    let port = Authority::parse(spelled).and_then(|authority| authority.port).unwrap_or(443);
    spelled.parse().or_else(|_| RegistryHost::new(&pki.fqdn(), port)).ok()
}

fn no_name() -> Reply {
    let message = "this registry has no name that clients can dial; its administrator runs: msr-lite cert add NAME";
    reply::error(StatusCode::NOT_FOUND, "UNSUPPORTED", message)
}

fn script(pki: &Pki, base: &str) -> Reply {
    let Some(host) = registry(pki, base) else { return no_name() };
    let (ca_pem, sha256) = (pki.ca_pem(), pki.ca_pem_sha256());
    let script = trust::script(&ScriptInputs { ca_pem: &ca_pem, sha256: &sha256, authority: &host });
    reply::typed(StatusCode::OK, "text/x-shellscript; charset=utf-8", script)
}

/// The commands by client, for people.
fn guide(pki: &Pki, base: &str) -> Reply {
    let Some(host) = registry(pki, base) else { return no_name() };
    let (ca_pem, sha256) = (pki.ca_pem(), pki.ca_pem_sha256());
    let mut page = format!(
        "How a client learns to trust the registry {host}\n\n\
         Its certificate authority is its own. The certificate (http://{at}/ca.crt) is public; what makes it\n\
         trustworthy is its SHA-256. Compare it with what `msr-lite trust show` prints on the registry's machine:\n\n\
         \x20 {sha256}\n",
        at = host.with_port(),
    );
    for line in trust::one_liners(&ScriptInputs { ca_pem: &ca_pem, sha256: &sha256, authority: &host }) {
        let note = if line.note.is_empty() { String::new() } else { format!(" ({})", line.note) };
        // Writing to a String cannot fail.
        let _ = write!(page, "\n{}{note}\n  {}\n", line.client, line.command);
    }
    page.push_str("\nClients that want a file of their own, with ca.crt fetched and checked as above:\n");
    for client in [SnippetClient::Containerd, SnippetClient::Buildkit, SnippetClient::K3s] {
        let _ = write!(page, "\n{}", trust::snippet(client, &host));
    }
    reply::text(StatusCode::OK, page)
}

/// Serves HTTP/1 in clear on a port that is made for TLS (or for trust alone): the CA certificate, the script, and for
/// everything else a sentence that says where to go.
pub async fn serve<R: Routes>(shell: &Arc<Shell<R>>, link: Arc<Link>, wire: Wire, mut stop: Stop) {
    let service = hyper::service::service_fn(|request: Request<Incoming>| {
        let (shell, link) = (shell.clone(), link.clone());
        async move { Ok::<_, Infallible>(answer(&shell, &link, request)) }
    });
    let mut builder = hyper::server::conn::http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(Duration::from_secs(shell.limits.handshake_seconds))
        .keep_alive(false)
        .max_buf_size((shell.limits.header_bytes * 2).max(8192));
    let mut connection = std::pin::pin!(builder.serve_connection(TokioIo::new(wire), service));
    let deadline = tokio::time::sleep(LONGEST);
    tokio::pin!(deadline);
    loop {
        tokio::select! {
            _ = connection.as_mut() => return,
            () = &mut deadline => return link.cut(),
            phase = stop.changed() => match phase {
                Phase::Serving => {}
                Phase::Draining => connection.as_mut().graceful_shutdown(),
                Phase::Over => return link.cut(),
            }
        }
    }
}

fn answer<R>(shell: &Shell<R>, link: &Arc<Link>, request: Request<Incoming>) -> hyper::Response<Outgoing> {
    let (head, _) = request.into_parts();
    let id = trace::request_id();
    let mut entry = Entry::new(&id, link.ends.peer.ip(), &head);
    entry.operation = Some("trust");
    let mut ticket = Ticket::open(link, &shell.metrics, entry);
    let mut reply = check_head(&head, shell.limits.header_bytes)
        .unwrap_or_else(|| in_clear(&shell.front, shell.tls_port(), link.ends, &head));
    if let Ok(value) = HeaderValue::from_str(&id) {
        reply.headers_mut().insert(REQUEST_ID, value);
    }
    reply.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    super::service::secure(reply.headers_mut(), false);
    if head.method == Method::HEAD {
        reply = reply::without_body(reply);
    }
    ticket.answered(reply.status().as_u16(), reply.body().len());
    reply.map(|body| Outgoing::new(body, ticket))
}

/// What plain HTTP gets where TLS is spoken.
fn in_clear(front: &Front, tls_port: u16, ends: Ends, head: &Parts) -> Reply {
    let base = tls_base(front, tls_port, ends, head);
    let path = head.uri.path();
    if let Some(reply) = page(front.pki(), &base, &head.method, path) {
        return reply;
    }
    let browser = head.method == Method::GET
        && head.headers.get(ACCEPT).and_then(|accept| accept.to_str().ok()).is_some_and(|a| a.contains("text/html"));
    let target = head.uri.path_and_query().map_or("/", |target| target.as_str());
    if browser && let Ok(location) = HeaderValue::from_str(&format!("{base}{target}")) {
        let sentence = format!("This is {base}: it speaks TLS. Its CA certificate is at /ca.crt here.\n");
        let mut reply = reply::text(StatusCode::PERMANENT_REDIRECT, sentence);
        reply.headers_mut().insert(LOCATION, location);
        return reply;
    }
    let how = if ends.tls { "this port speaks TLS" } else { "this port gives out the CA certificate only" };
    let message = format!(
        "{how}: use {base}. The CA certificate is at http://{}/ca.crt, a script that installs it at /trust.sh",
        authority("http", &asked_host(front, head).unwrap_or_else(|| front.pki().fqdn()), ends.local.port()),
    );
    reply::error(StatusCode::BAD_REQUEST, "UNSUPPORTED", &message)
}

/// The host that the client used, if our certificate covers it.
fn asked_host(front: &Front, head: &Parts) -> Option<String> {
    let used = super::request::used_authority(head).ok()??;
    let host = Authority::parse(used)?.host;
    front.pki().covers(host).then(|| host.to_owned())
}

/// Where the same client finds the registry over TLS.
fn tls_base(front: &Front, tls_port: u16, ends: Ends, head: &Parts) -> String {
    // A client that dialled us by a name of ours shall come back by it; the log told it the hash of that script.
    let host = asked_host(front, head);
    if host.is_none()
        && let Some(external) = front.external_url()
    {
        return external;
    }
    // On a TLS port the port that the client dialled is right, also behind a translation of addresses.
    let used = super::request::used_authority(head).ok().flatten().and_then(Authority::parse);
    let port = match (ends.tls, &host, used) {
        (true, Some(_), Some(used)) => used.port.unwrap_or(80),
        (true, ..) => ends.local.port(),
        (false, ..) => tls_port,
    };
    format!("https://{}", authority("https", &host.unwrap_or_else(|| front.pki().fqdn()), port))
}

#[cfg(test)]
mod tests;
