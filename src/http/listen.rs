//! Accepting connections, and stopping to.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use super::conn::{self, Link, Wire};
use super::limits::{Full, Place};
use super::request::Ends;
use super::service::{Routes, Shell};
use super::{tls, trust};

/// What a listener speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The registry over TLS (`listen`).
    Tls,
    /// The registry in clear (`http`).
    Clear,
    /// Only the CA certificate, the trust script and a redirect, in clear (`trust_http`).
    Trust,
}

impl Kind {
    /// The metric's label.
    pub fn label(self) -> &'static str {
        match self {
            Self::Tls => "tls",
            Self::Clear => "http",
            Self::Trust => "trust",
        }
    }
}

/// A bound socket and what it speaks.
#[derive(Debug)]
pub struct Listener {
    /// The socket.
    pub socket: TcpListener,
    /// What it speaks.
    pub kind: Kind,
}

impl Listener {
    /// Takes a socket that was bound by us or passed in by the service manager.
    ///
    /// # Errors
    /// When it cannot be made non-blocking or joined to the runtime.
    pub fn from_std(socket: std::net::TcpListener, kind: Kind) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        Ok(Self { socket: TcpListener::from_std(socket)?, kind })
    }
}

/// Where the server is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// It serves.
    Serving,
    /// It takes no new connections and requests; those running may end.
    Draining,
    /// What still runs is cut.
    Over,
}

/// Tells a connection when to end; as long as one lives, the server waits for it (up to `limits.shutdown_seconds`).
#[derive(Clone, Debug)]
pub struct Stop(watch::Receiver<Phase>);

impl Stop {
    /// Waits for the next phase.
    pub async fn changed(&mut self) -> Phase {
        match self.0.changed().await {
            Ok(()) => *self.0.borrow_and_update(),
            Err(_) => Phase::Over,
        }
    }

    /// Waits until no more than what is running shall be served.
    pub async fn draining(&mut self) {
        let _ = self.0.wait_for(|phase| *phase != Phase::Serving).await;
    }
}

/// Serves on `listeners` until `stop` ends; then running requests get `limits.shutdown_seconds`, and the rest is cut.
pub async fn serve<R: Routes>(shell: Arc<Shell<R>>, listeners: Vec<Listener>, stop: impl Future<Output = ()>) {
    let (phase, watching) = watch::channel(Phase::Serving);
    let stopping = Stop(watching);
    let tls = listeners.iter().find(|listener| listener.kind == Kind::Tls);
    if let Some(address) = tls.and_then(|listener| listener.socket.local_addr().ok()) {
        shell.set_tls_port(address.port());
    }
    for Listener { socket, kind } in listeners {
        tokio::spawn(accept(shell.clone(), socket, kind, stopping.clone()));
    }
    drop(stopping);
    stop.await;
    let grace = Duration::from_secs(shell.limits.shutdown_seconds);
    phase.send_replace(Phase::Draining);
    if tokio::time::timeout(grace, phase.closed()).await.is_err() {
        tracing::warn!(
            connections = shell.doors.open(),
            "{} s after the order to stop some connections are still open: they are cut",
            grace.as_secs()
        );
        phase.send_replace(Phase::Over);
        // Tasks that are cut end at their next turn; a second is plenty.
        let _ = tokio::time::timeout(Duration::from_secs(1), phase.closed()).await;
    }
}

async fn accept<R: Routes>(shell: Arc<Shell<R>>, socket: TcpListener, kind: Kind, mut stop: Stop) {
    let mut pause = Duration::ZERO;
    loop {
        let accepted = tokio::select! {
            accepted = socket.accept() => accepted,
            // The listener is dropped: from here on the kernel refuses.
            () = stop.draining() => return,
        };
        match accepted {
            Ok((stream, peer)) => {
                pause = Duration::ZERO;
                match shell.doors.admit(peer.ip()) {
                    Ok(place) => take(&shell, stream, peer, kind, place, &stop),
                    Err(full) => turn_away(&shell, stream, peer, full),
                }
            }
            // That one connection failed before we took it; the next may not.
            Err(error) if is_of_the_connection(&error) => {}
            Err(error) => {
                // Out of descriptors or memory: trying again at once would only burn the processor.
                pause = (pause * 2).clamp(Duration::from_millis(10), Duration::from_secs(1));
                tracing::error!(%error, "a connection cannot be accepted; trying again in {} ms", pause.as_millis());
                tokio::select! {
                    () = tokio::time::sleep(pause) => {}
                    () = stop.draining() => return,
                }
            }
        }
    }
}

fn is_of_the_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}

fn turn_away<R>(shell: &Shell<R>, stream: TcpStream, peer: SocketAddr, full: Full) {
    // Gone at once: nothing waits for a client that may be one of very many.
    let _ = stream.set_zero_linger();
    drop(stream);
    shell.metrics.turned_away(full.label());
    if shell.may_log_turned_away() {
        tracing::warn!(
            peer = %peer.ip(),
            "connections are turned away: limits.{} is reached; this line comes at most once a minute",
            full.label()
        );
    }
}

fn take<R: Routes>(shell: &Arc<Shell<R>>, stream: TcpStream, peer: SocketAddr, kind: Kind, place: Place, stop: &Stop) {
    // Answers are written whole; waiting for more to send only adds latency.
    let _ = stream.set_nodelay(true);
    let Ok(local) = stream.local_addr() else { return };
    let ends = Ends { peer: canonical(peer), local: canonical(local), tls: kind == Kind::Tls };
    let link = Link::new(ends, &shell.limits);
    let held = (place, shell.metrics.connection(kind.label()), stop.clone());
    let wire = Wire::new(stream, link.clone(), held);
    let (shell, stop) = (shell.clone(), stop.clone());
    // A task of its own for each kind: one for all would have the size of the largest.
    match kind {
        Kind::Tls => tokio::spawn(tls::serve(shell, link, wire, stop)),
        Kind::Clear => tokio::spawn(conn::serve(shell, link, wire, conn::Version::Either, stop)),
        Kind::Trust => tokio::spawn(async move { trust::serve(&shell, link, wire, stop).await }),
    };
}

/// IPv4 clients of a dual-stack socket are IPv4 clients.
fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

#[cfg(test)]
mod tests;
