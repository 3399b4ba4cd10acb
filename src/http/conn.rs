//! One connection: its socket, its clock, and HTTP over it.
//!
//! hyper bounds only how long a head may take (and with it how long an HTTP/1 connection may be idle). The rest is
//! here: [`Wire`] sees the bytes move and closes gently, [`Watch`] knows what is in progress and judges when a
//! connection has been idle or has stood still for too long. Bodies that come in have their own timer
//! ([`super::body::RequestBody`]).

use std::future::Future;
use std::io;
use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::Instant;

use super::limits::Place;
use super::listen::{Phase, Stop};
use super::metrics::{Metrics, OpenConnection};
use super::request::Ends;
use super::service::{Routes, Shell};
use super::trace::Line;
use crate::base::config::Limits;

/// A stream that stands still while its connection moves gets this many times `limits.progress_seconds`: a client
/// that is busy with another stream of the same connection is slow, not gone.
const PATIENCE: u32 = 10;

/// What a closing connection still reads from a client that has not finished sending, so that the client gets to read
/// its answer: closing with unread bytes would make the kernel send a reset, which may overtake it (RFC 9112, 9.6).
const LINGER_BYTES: usize = 1024 * 1024;
const LINGER: Duration = Duration::from_secs(2);

/// Which HTTP is spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// HTTP/1.1 (or 1.0).
    One,
    /// HTTP/2.
    Two,
    /// Whichever the first bytes show.
    Either,
}

/// HTTP with the limits of the configuration.
#[derive(Debug)]
pub struct Http {
    builder: auto::Builder<TokioExecutor>,
}

impl Http {
    /// One for each version, made once.
    ///
    /// hyper answers what breaks *its* limits by itself, with an empty body; they are therefore set above ours
    /// ([`super::limits`]), so that a client gets a reason.
    ///
    /// Memory that one connection can make us hold, at most: HTTP/1, one read buffer (256 KiB) and one write buffer of
    /// the same size; HTTP/2, the connection window of uploads (4 MiB, whatever its streams' windows) and per stream
    /// of a download one chunk in the connection and one read ahead (2 × 256 KiB × `limits.h2_streams`, 64 MiB at 128
    /// streams, only while the client withholds its window, and then no longer than [`Watch`] lets it).
    pub fn new(limits: &Limits, version: Version) -> Self {
        let idle = Duration::from_secs(limits.idle_seconds);
        let mut builder = auto::Builder::new(TokioExecutor::new());
        builder
            .http1()
            .timer(TokioTimer::new())
            .header_read_timeout(idle)
            .max_buf_size((limits.header_bytes * 2).max(256 * 1024));
        builder
            .http2()
            .timer(TokioTimer::new())
            .max_concurrent_streams(limits.h2_streams)
            // One upload may fill a long fat pipe (1 MiB in flight: 80 Mbit/s at 100 ms); four share the connection.
            .initial_stream_window_size(1024 * 1024)
            .initial_connection_window_size(4 * 1024 * 1024)
            .max_frame_size(64 * 1024)
            .max_send_buf_size(256 * 1024)
            .max_header_list_size(u32::try_from(limits.header_bytes * 2).unwrap_or(u32::MAX))
            // A peer that is gone without a word is found out.
            .keep_alive_interval(Duration::from_secs(30))
            .keep_alive_timeout(Duration::from_secs(20))
            // CVE-2023-44487 ("rapid reset"): streams that are opened and reset at once end the connection.
            .max_pending_accept_reset_streams(32)
            .max_local_error_reset_streams(256);
        let builder = match version {
            Version::One => builder.http1_only(),
            Version::Two => builder.http2_only(),
            Version::Either => builder,
        };
        Self { builder }
    }
}

/// What the parts of a connection share.
#[derive(Debug)]
pub struct Link {
    /// Its ends.
    pub ends: Ends,
    watch: Watch,
    /// Set when it is cut: no gentle close then.
    cut: AtomicBool,
}

impl Link {
    /// A connection that has just been made.
    pub fn new(ends: Ends, limits: &Limits) -> Arc<Self> {
        let watch = Watch::new(Duration::from_secs(limits.idle_seconds), Duration::from_secs(limits.progress_seconds));
        Arc::new(Self { ends, watch, cut: AtomicBool::new(false) })
    }

    /// Ends it without ceremony.
    pub fn cut(&self) {
        self.cut.store(true, Ordering::Relaxed);
    }
}

/// The socket under HTTP or TLS. It tells the [`Watch`] that bytes were taken, and closes gently when it is dropped.
#[derive(Debug)]
pub struct Wire {
    /// `None` only while it is being dropped.
    stream: Option<TcpStream>,
    link: Arc<Link>,
    /// Held until the gentle close is over.
    held: Option<(Place, OpenConnection, Stop)>,
}

impl Wire {
    /// Wraps a socket; `held` is what makes the connection count.
    pub fn new(stream: TcpStream, link: Arc<Link>, held: (Place, OpenConnection, Stop)) -> Self {
        Self { stream: Some(stream), link, held: Some(held) }
    }

    /// The socket.
    pub fn socket(&self) -> &TcpStream {
        self.stream.as_ref().expect("the socket leaves only with the wire")
    }

    fn stream(&mut self) -> Pin<&mut TcpStream> {
        Pin::new(self.stream.as_mut().expect("the socket leaves only with the wire"))
    }

    fn took(&self, written: &Poll<io::Result<usize>>) {
        if matches!(written, Poll::Ready(Ok(1..))) {
            self.link.watch.moved();
        }
    }
}

impl AsyncRead for Wire {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.stream().poll_read(cx, buf)
    }
}

impl AsyncWrite for Wire {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let written = self.stream().poll_write(cx, buf);
        self.took(&written);
        written
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = self.stream().poll_write_vectored(cx, bufs);
        self.took(&written);
        written
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream().poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream().poll_shutdown(cx)
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        let (Some(stream), held) = (self.stream.take(), self.held.take()) else { return };
        if self.link.cut.load(Ordering::Relaxed) {
            // What the kernel still holds for a client that takes nothing is thrown away too.
            let _ = stream.set_zero_linger();
            return;
        }
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                linger(stream).await;
                drop(held);
            });
        }
    }
}

/// Says that nothing more comes, and gives the client time to read what came.
async fn linger(mut stream: TcpStream) {
    if stream.shutdown().await.is_err() {
        return;
    }
    let deadline = Instant::now() + LINGER;
    let mut buffer = vec![0; 16 * 1024];
    let mut drained = 0;
    while drained < LINGER_BYTES {
        match tokio::time::timeout_at(deadline, stream.read(&mut buffer)).await {
            Ok(Ok(read @ 1..)) => drained += read,
            // The client has closed its side too, or time is up.
            _ => return,
        }
    }
    // It sends on and on. Not reading holds it; the reset waits until it had time to look at the answer.
    tokio::time::sleep_until(deadline).await;
}

/// Knows what a connection is doing and since when.
#[derive(Debug)]
pub struct Watch {
    idle: Duration,
    progress: Duration,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// Requests whose answer has not been given out to its end.
    running: usize,
    /// When the last of them ended.
    idle_since: Instant,
    /// When the socket last took bytes.
    moved: Instant,
    /// When each answer under way last found room for more, by its number. There are few, over HTTP/1 one.
    answers: Vec<(u64, Instant)>,
    next: u64,
}

/// How a connection stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Well; look again at this time.
    Well(Instant),
    /// Nothing has been asked for longer than the idle limit.
    Idle,
    /// The client does not take the answer it asked for.
    Stalled,
}

impl Watch {
    fn new(idle: Duration, progress: Duration) -> Self {
        let now = Instant::now();
        let state = State { running: 0, idle_since: now, moved: now, answers: Vec::new(), next: 0 };
        Self { idle, progress, state: Mutex::new(state) }
    }

    fn moved(&self) {
        self.state.lock().moved = Instant::now();
    }

    fn judge(&self, now: Instant) -> Verdict {
        let state = self.state.lock();
        // What begins after this look is due no earlier than the shorter limit from now.
        let mut next = now + self.idle.min(self.progress);
        if state.running == 0 {
            let due = state.idle_since + self.idle;
            if due <= now {
                return Verdict::Idle;
            }
            next = next.min(due);
        }
        if let Some(slowest) = state.answers.iter().map(|(_, asked)| *asked).min() {
            let due = (slowest.max(state.moved) + self.progress).min(slowest + self.progress * PATIENCE);
            if due <= now {
                return Verdict::Stalled;
            }
            next = next.min(due);
        }
        Verdict::Well(next)
    }
}

/// The books of one request: opened when its head has come, closed when this is dropped, however that comes about.
#[derive(Debug)]
pub struct Ticket {
    link: Arc<Link>,
    metrics: Metrics,
    begun: Instant,
    /// Its number among the answers under way, once there is an answer.
    answer: Option<u64>,
    /// Whether the connection has asked for its body.
    asked: bool,
    sent: u64,
    length: u64,
    /// What the access log will say.
    pub entry: Entry,
}

/// What is known of a request for the access log.
#[derive(Debug)]
pub struct Entry {
    /// The request's id.
    pub id: String,
    /// The client.
    pub client: std::net::IpAddr,
    /// Method.
    pub method: hyper::Method,
    /// Path, without the query.
    pub path: String,
    /// Status, once there is an answer.
    pub status: Option<u16>,
    /// What was asked for.
    pub operation: Option<&'static str>,
    /// Who asked.
    pub principal: Option<String>,
}

impl Entry {
    /// What a request's head tells. Of a long path the beginning is enough.
    pub fn new(id: &str, client: std::net::IpAddr, head: &hyper::http::request::Parts) -> Self {
        const LONGEST: usize = 512;
        let path = head.uri.path();
        Self {
            id: id.to_owned(),
            client,
            method: head.method.clone(),
            path: path[..path.floor_char_boundary(LONGEST)].to_owned(),
            status: None,
            operation: None,
            principal: None,
        }
    }
}

impl Ticket {
    /// Opens the books.
    pub fn open(link: &Arc<Link>, metrics: &Metrics, entry: Entry) -> Self {
        link.watch.state.lock().running += 1;
        let (link, metrics) = (link.clone(), metrics.clone());
        Self { link, metrics, begun: Instant::now(), answer: None, asked: false, sent: 0, length: 0, entry }
    }

    /// The answer has been made; its body has `length` bytes. From now on the client must take it.
    pub fn answered(&mut self, status: u16, length: u64) {
        self.entry.status = Some(status);
        self.length = length;
        let mut state = self.link.watch.state.lock();
        let number = state.next;
        state.next += 1;
        state.answers.push((number, Instant::now()));
        self.answer = Some(number);
    }

    /// The connection asks for more of the body.
    pub fn progress(&mut self) {
        // What it asks for first it asks for at once; only after that does it mean that the client has taken something.
        if !mem::replace(&mut self.asked, true) {
            return;
        }
        let Some(number) = self.answer else { return };
        let mut state = self.link.watch.state.lock();
        if let Some((_, asked)) = state.answers.iter_mut().find(|(its, _)| *its == number) {
            *asked = Instant::now();
        }
    }

    /// The connection was given bytes of the body.
    pub fn sent(&mut self, bytes: u64) {
        self.sent += bytes;
    }

    /// The body could not be read to its end.
    pub fn broken(&self, error: &io::Error) {
        let Entry { id, path, .. } = &self.entry;
        tracing::error!(%id, %path, %error, "a body broke off: its file cannot be read; run `msr-lite check`");
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let now = Instant::now();
        {
            let mut state = self.link.watch.state.lock();
            if let Some(number) = self.answer {
                state.answers.retain(|(its, _)| *its != number);
            }
            state.running -= 1;
            if state.running == 0 {
                state.idle_since = now;
            }
        }
        let took = now - self.begun;
        let Entry { id, client, method, path, status, operation, principal } = &self.entry;
        let whole = status.is_some() && self.sent >= self.length;
        // 499 as nginx has it: the client went away before there was an answer.
        self.metrics.request(operation.unwrap_or("other"), status.unwrap_or(499), took, self.sent);
        Line {
            id,
            client: *client,
            method: method.as_str(),
            path,
            status: *status,
            operation: *operation,
            principal: principal.as_deref(),
            bytes: self.sent,
            whole,
            took,
        }
        .write();
    }
}

/// Serves HTTP over `io` until the client or the server has had enough.
///
/// Connections are idle for most of their lives, and each keeps its future all that while. So it is kept small: this is
/// no `async fn`, which would keep room for its argument `io` beside the connection that `io` was moved into; and hyper,
/// which keeps room for one request's future in each connection, gets a pointer to a room that connections share.
pub fn serve<R, IO>(
    shell: Arc<Shell<R>>,
    link: Arc<Link>,
    io: IO,
    version: Version,
    mut stop: Stop,
) -> impl Future<Output = ()> + Send + 'static
where
    R: Routes,
    IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let grace = Duration::from_secs(shell.limits.progress_seconds);
    let http = shell.http.clone();
    let service = {
        let link = link.clone();
        hyper::service::service_fn(move |request| shell.attend(link.clone(), request))
    };
    let connection = http.speaking(version).builder.serve_connection(TokioIo::new(io), service);
    let mut connection = Box::pin(connection.into_owned());
    async move {
        let mut closing: Option<Instant> = None;
        loop {
            let now = Instant::now();
            let wake = match (link.watch.judge(now), closing) {
                (Verdict::Stalled, _) => {
                    tracing::debug!(peer = %link.ends.peer, "cut: the client takes nothing of its answer");
                    return link.cut();
                }
                (Verdict::Idle, None) => {
                    connection.as_mut().graceful_shutdown();
                    closing = Some(now + grace);
                    now + grace
                }
                (Verdict::Idle, Some(deadline)) if deadline <= now => return link.cut(),
                (Verdict::Idle, Some(deadline)) => deadline,
                (Verdict::Well(next), Some(deadline)) if deadline > now => next.min(deadline),
                (Verdict::Well(next), _) => next,
            };
            tokio::select! {
                result = connection.as_mut() => {
                    if let Err(error) = result {
                        tracing::debug!(peer = %link.ends.peer, error = super::body::chain(&*error), "connection ended");
                    }
                    return;
                }
                () = tokio::time::sleep_until(wake) => {}
                phase = stop.changed() => match phase {
                    Phase::Serving => {}
                    Phase::Draining => connection.as_mut().graceful_shutdown(),
                    Phase::Over => return link.cut(),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
