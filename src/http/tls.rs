//! A connection to a TLS port: TLS, or plain HTTP that lost its way; and clients that refuse our certificate.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use rustls::AlertDescription;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_rustls::LazyConfigAcceptor;
use tokio_rustls::server::TlsStream;

use super::conn::{self, Link, Version, Wire};
use super::listen::Stop;
use super::service::{Routes, Shell};
use super::trust;
use crate::ops::handshakes::{Alert, Refused};

/// The first byte of a TLS connection: a handshake record (RFC 8446, 5.1).
const HANDSHAKE: u8 = 0x16;

/// Serves one connection to a TLS port.
pub async fn serve<R: Routes>(shell: Arc<Shell<R>>, link: Arc<Link>, wire: Wire, stop: Stop) {
    // In a box that goes when it is done: the room that a handshake takes would otherwise stay part of the connection.
    let Some((asked, stream)) = Box::pin(open(&shell, &link, wire, stop.clone())).await else { return };
    let seen = Arc::new(Seen::default());
    serve_http(shell.clone(), link.clone(), stream, seen.clone(), stop).await;
    match seen.alert() {
        Some(alert) => report(&shell, &link, asked, alert),
        // GnuTLS and curl with a wrong name finish a TLS 1.3 handshake before they look at the certificate.
        None if seen.left_without_a_word() => shell.handshakes.silent(link.ends.peer.ip(), asked.as_deref()),
        None => {}
    }
}

/// A TLS stream and the name that its client asked for; `None` when something else came of the connection, which then
/// is over.
async fn open<R: Routes>(
    shell: &Arc<Shell<R>>,
    link: &Arc<Link>,
    wire: Wire,
    mut stop: Stop,
) -> Option<(Option<String>, TlsStream<Wire>)> {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(shell.limits.handshake_seconds);
    // rustls would answer plain HTTP with a TLS alert before we hear of it: look at the first byte ourselves.
    let mut first = [0; 1];
    let peeked = tokio::select! {
        peeked = tokio::time::timeout_at(deadline, wire.socket().peek(&mut first)) => peeked,
        () = stop.draining() => return None,
    };
    match peeked {
        // A port probe, or a client that gave up.
        Ok(Ok(0) | Err(_)) => return None,
        Ok(Ok(_)) if first[0] == HANDSHAKE => {}
        Ok(Ok(_)) => {
            shell.metrics.handshake("plain");
            trust::serve(shell, link.clone(), wire, stop).await;
            return None;
        }
        Err(_) => {
            shell.metrics.handshake("timeout");
            link.cut();
            return None;
        }
    }
    let handshake = async {
        let start = match LazyConfigAcceptor::new(rustls::server::Acceptor::default(), wire).await {
            Ok(start) => start,
            Err(error) => return (None, Err(error)),
        };
        let asked = start.client_hello().server_name().map(str::to_owned);
        (asked, start.into_stream(shell.tls.clone()).await)
    };
    // Pinned here, so that a socket that ran out of time is still ours to cut below.
    let mut handshake = std::pin::pin!(handshake);
    let done = tokio::select! {
        done = tokio::time::timeout_at(deadline, handshake.as_mut()) => done,
        () = stop.draining() => return None,
    };
    match done {
        Ok((asked, Ok(stream))) => {
            shell.metrics.handshake("done");
            Some((asked, stream))
        }
        Ok((asked, Err(error))) => {
            let alert = alert_in(&error);
            shell.metrics.handshake(if alert.is_some() { "refused" } else { "failed" });
            if let Some(alert) = alert {
                report(shell, link, asked, alert);
            } else {
                tracing::debug!(peer = %link.ends.peer, %error, "a TLS handshake failed");
            }
            None
        }
        Err(_) => {
            shell.metrics.handshake("timeout");
            link.cut();
            None
        }
    }
}

/// HTTP in the version that was agreed upon. No `async fn`, like [`conn::serve`]: a stream that is looked at here would
/// keep its room while the connection it was moved into runs.
fn serve_http<R: Routes>(
    shell: Arc<Shell<R>>,
    link: Arc<Link>,
    stream: TlsStream<Wire>,
    seen: Arc<Seen>,
    stop: Stop,
) -> impl Future<Output = ()> + Send + 'static {
    let version = if stream.get_ref().1.alpn_protocol() == Some(b"h2") { Version::Two } else { Version::One };
    conn::serve(shell, link, Witness { stream, seen }, version, stop)
}

fn report<R>(shell: &Shell<R>, link: &Link, asked: Option<String>, alert: AlertDescription) {
    let refused = Refused { peer: link.ends.peer.ip(), dialled: link.ends.local, asked, alert: word(alert) };
    shell.handshakes.refused(&refused);
}

/// The alert that the client sent, if that is why the stream failed.
fn alert_in(error: &io::Error) -> Option<AlertDescription> {
    match error.get_ref()?.downcast_ref::<rustls::Error>()? {
        rustls::Error::AlertReceived(alert) => Some(*alert),
        _ => None,
    }
}

fn word(alert: AlertDescription) -> Alert {
    match alert {
        AlertDescription::UnknownCA => Alert::UnknownCa,
        AlertDescription::BadCertificate => Alert::BadCertificate,
        AlertDescription::CertificateUnknown => Alert::CertificateUnknown,
        AlertDescription::CertificateExpired => Alert::CertificateExpired,
        AlertDescription::CertificateRevoked => Alert::CertificateRevoked,
        AlertDescription::UnsupportedCertificate => Alert::UnsupportedCertificate,
        AlertDescription::DecryptError => Alert::DecryptError,
        other => Alert::Other(u8::from(other)),
    }
}

/// What a client did after the handshake.
#[derive(Debug, Default)]
struct Seen {
    /// It sent something.
    spoke: AtomicBool,
    /// It ended the connection.
    left: AtomicBool,
    /// It sent this alert; zero (`close_notify`, which is none) when it sent none.
    alert: AtomicU8,
}

impl Seen {
    fn alert(&self) -> Option<AlertDescription> {
        match self.alert.load(Ordering::Relaxed) {
            0 => None,
            alert => Some(AlertDescription::from(alert)),
        }
    }

    fn left_without_a_word(&self) -> bool {
        self.left.load(Ordering::Relaxed) && !self.spoke.load(Ordering::Relaxed)
    }
}

/// A TLS stream that notes how the client takes it: in TLS 1.3 a client may finish the handshake first and send its
/// alert afterwards, which then is the first thing that reading meets.
struct Witness<S> {
    stream: S,
    seen: Arc<Seen>,
}

impl<S: AsyncRead + Unpin> AsyncRead for Witness<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let result = Pin::new(&mut self.stream).poll_read(cx, buf);
        match &result {
            Poll::Pending => {}
            Poll::Ready(Ok(())) if buf.filled().len() > before => self.seen.spoke.store(true, Ordering::Relaxed),
            Poll::Ready(Ok(())) => {
                // A read into no room says nothing.
                if buf.remaining() > 0 {
                    self.seen.left.store(true, Ordering::Relaxed);
                }
            }
            Poll::Ready(Err(error)) => {
                self.seen.left.store(true, Ordering::Relaxed);
                if let Some(alert) = alert_in(error) {
                    self.seen.alert.store(u8::from(alert), Ordering::Relaxed);
                }
            }
        }
        result
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Witness<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests;
