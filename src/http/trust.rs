//! Where a client gets our CA certificate: `/ca.crt`, `/trust.sh`, and plain HTTP that came to a TLS port.

use std::convert::Infallible;
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
use super::reply::{self, OperationName, Reply};
use super::request::{Authority, Ends, Front, authority};
use super::service::{REQUEST_ID, Routes, Shell};
use super::trace;
use crate::ops::handshakes::Identity;

/// Seconds for which a connection in clear to a TLS port may last, whatever it does: what is served there is small.
const LONGEST: Duration = Duration::from_secs(30);

/// The paths that need no sign-in and no TLS: the CA certificate is public, its fingerprint makes it trustworthy.
/// `base` is the URL under which the client reaches the registry over TLS.
pub fn page(identity: &dyn Identity, base: &str, method: &Method, path: &str) -> Option<Reply> {
    let reply = match path {
        // Browsers offer to import this type; curl and wget do not care.
        "/ca" | "/ca.crt" => {
            let mut reply = reply::typed(StatusCode::OK, "application/x-x509-ca-cert", identity.ca_pem().to_string());
            let name = HeaderValue::from_static("attachment; filename=\"ca.crt\"");
            reply.headers_mut().insert(CONTENT_DISPOSITION, name);
            reply
        }
        "/trust.sh" => reply::typed(StatusCode::OK, "text/x-shellscript; charset=utf-8", script(identity, base)),
        "/trust" => reply::text(StatusCode::OK, guide(identity, base)),
        _ => return None,
    };
    if matches!(*method, Method::GET | Method::HEAD) {
        Some(reply)
    } else {
        Some(reply::method_not_allowed("GET, HEAD"))
    }
}

/// `host:port` of a base URL, with the port that clients' directories spell out.
fn spelled(base: &str) -> (String, u16) {
    let bare = base.split_once("://").map_or(base, |(_, rest)| rest);
    let parsed = Authority::parse(bare);
    let port = parsed.as_ref().and_then(|authority| authority.port).unwrap_or(443);
    let host = parsed.map_or(bare, |authority| authority.host);
    (if host.contains(':') { format!("[{host}]") } else { host.to_owned() }, port)
}

/// A script that fetches the CA certificate, compares its fingerprint with the one that is written in the script, and
/// puts it where docker, podman, skopeo, buildah and the system look.
pub fn script(identity: &dyn Identity, base: &str) -> String {
    let (host, port) = spelled(base);
    let pem = identity.ca_pem();
    let sum = identity.ca_pem_sha256();
    // A reference without a port means 443, and clients look for the directory as the reference is spelled.
    let names = if port == 443 { format!("'{host}' '{host}:443'") } else { format!("'{host}:{port}'") };
    let pem = pem.trim_end();
    format!(
        r#"#!/bin/sh
# Makes this machine trust the certificate authority of the registry {host}:{port}.
# SHA-256 of ca.crt: {sum}
# Compare it with what `msr-lite trust show` prints on the registry's machine before you run this as root.
set -eu
if [ "$(id -u)" != 0 ]; then echo "run this as root: sudo sh trust.sh" >&2; exit 1; fi
ca=$(mktemp)
trap 'rm -f "$ca"' EXIT
cat >"$ca" <<'PEM'
{pem}
PEM
if ! echo "{sum}  $ca" | sha256sum -c >/dev/null; then echo "the certificate was changed on its way" >&2; exit 1; fi
for name in {names}; do
  for store in /etc/docker/certs.d /etc/containers/certs.d; do
    mkdir -p "$store/$name"
    cp "$ca" "$store/$name/ca.crt"
    chmod 644 "$store/$name/ca.crt"
    echo "wrote $store/$name/ca.crt"
  done
done
if command -v update-ca-certificates >/dev/null; then
  cp "$ca" /usr/local/share/ca-certificates/msr-lite-{short}.crt
  chmod 644 /usr/local/share/ca-certificates/msr-lite-{short}.crt
  update-ca-certificates
elif command -v update-ca-trust >/dev/null; then
  cp "$ca" /etc/pki/ca-trust/source/anchors/msr-lite-{short}.crt
  chmod 644 /etc/pki/ca-trust/source/anchors/msr-lite-{short}.crt
  update-ca-trust
fi
echo "done: docker, podman, skopeo and buildah trust {host}:{port} now"
"#,
        short = sum.get(..8).unwrap_or_default(),
    )
}

/// The same for people, by client.
fn guide(identity: &dyn Identity, base: &str) -> String {
    let (host, port) = spelled(base);
    let sum = identity.ca_pem_sha256();
    let at = format!("{host}:{port}");
    format!(
        "How to make a client trust this registry ({at})\n\
         \n\
         The registry has a certificate authority of its own. Its certificate is public; compare the fingerprint with\n\
         what `msr-lite trust show` prints on the registry's machine.\n\
         \n\
         \x20 curl -fsS http://{at}/ca.crt -o ca.crt\n\
         \x20 echo '{sum}  ca.crt' | sha256sum -c\n\
         \n\
         docker engine (no restart needed)\n\
         \x20 sudo install -D -m 0644 ca.crt /etc/docker/certs.d/{at}/ca.crt\n\
         podman, skopeo, buildah\n\
         \x20 sudo install -D -m 0644 ca.crt /etc/containers/certs.d/{at}/ca.crt\n\
         Debian, Ubuntu (curl, helm, oras, crane)\n\
         \x20 sudo install -m 0644 ca.crt /usr/local/share/ca-certificates/msr-lite.crt && sudo update-ca-certificates\n\
         Red Hat, Fedora\n\
         \x20 sudo install -m 0644 ca.crt /etc/pki/ca-trust/source/anchors/msr-lite.crt && sudo update-ca-trust\n\
         \n\
         All of it at once\n\
         \x20 curl -fsS http://{at}/trust.sh -o trust.sh; read it; sudo sh trust.sh\n"
    )
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
    let entry = Entry {
        id: id.clone(),
        client: link.ends.peer.ip(),
        method: head.method.clone(),
        path: head.uri.path().to_owned(),
        status: None,
        operation: Some("trust"),
        principal: None,
    };
    let mut ticket = Ticket::open(link, &shell.metrics, entry);
    let mut reply = check_head(&head, shell.limits.header_bytes)
        .unwrap_or_else(|| in_clear(&shell.front, shell.tls_port(), link.ends, &head));
    if let Ok(value) = HeaderValue::from_str(&id) {
        reply.headers_mut().insert(REQUEST_ID, value);
    }
    reply.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    super::service::secure(reply.headers_mut(), false);
    reply.extensions_mut().remove::<OperationName>();
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
    if let Some(reply) = page(front.identity(), &base, &head.method, path) {
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
        authority("http", &asked_host(front, head).unwrap_or_else(|| front.identity().fqdn()), ends.local.port()),
    );
    reply::error(StatusCode::BAD_REQUEST, "UNSUPPORTED", &message)
}

/// The host that the client used, if our certificate covers it.
fn asked_host(front: &Front, head: &Parts) -> Option<String> {
    let used = super::request::used_authority(head).ok()??;
    let host = Authority::parse(used)?.host;
    front.identity().covers(host).then(|| host.to_owned())
}

/// Where the same client finds the registry over TLS.
fn tls_base(front: &Front, tls_port: u16, ends: Ends, head: &Parts) -> String {
    if let Some(external) = front.external_url() {
        return external;
    }
    let host = asked_host(front, head);
    // On a TLS port the port that the client dialled is right, also behind a translation of addresses.
    let used = super::request::used_authority(head).ok().flatten().and_then(Authority::parse);
    let port = match (ends.tls, &host, used) {
        (true, Some(_), Some(used)) => used.port.unwrap_or(80),
        (true, ..) => ends.local.port(),
        (false, ..) => tls_port,
    };
    format!("https://{}", authority("https", &host.unwrap_or_else(|| front.identity().fqdn()), port))
}

#[cfg(test)]
mod tests;
