//! Bodies in motion: what comes in from a client ([`RequestBody`]) and what goes out to it ([`Outgoing`]).

use std::fs::File;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::{Body as HttpBody, Frame, Incoming, SizeHint};
use parking_lot::Mutex;
use tokio::task::JoinHandle;

use super::conn::Ticket;
use super::reply::Body;
use crate::blobs;

/// Bytes of one read from a blob's file. Smaller reads cost more system calls per byte (measured: 64 KiB costs almost
/// twice the CPU of 256 KiB), larger ones only memory.
const READ: u64 = 256 * 1024;

/// A part of a file that is no longer than this is read at once, where it is asked for: from the page cache that takes
/// some microseconds, a change of threads and back three times as long. A disk that has to be asked holds the other
/// requests of this one worker thread up for one read of it.
const READ_HERE: u64 = 64 * 1024;

/// Buffers of [`READ`] bytes that are kept when they are done with (8 MiB): memory that was just used is in the
/// processor's cache, fresh pages have to be cleared by the kernel first.
const SPARE: usize = 32;

/// Bytes handed to the connection at once from a body that is at hand already. What the connection has been given it
/// must hold until the client takes it, so that a client that takes nothing is seen before all of it is gone.
const SLICE: usize = 256 * 1024;

/// Why a body could not be read whole.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// It has more bytes than allowed; the rest was not read.
    #[error("the body has more than {limit} bytes")]
    TooLarge {
        /// The limit in bytes.
        limit: usize,
    },
    /// The sender broke off, or sent nothing for too long.
    #[error("the sender broke off: {0}")]
    Sender(String),
}

/// A request's body. Reading it is what makes hyper answer `Expect: 100-continue`, so that a refusal that has not
/// touched the body never invites it.
#[derive(Debug)]
pub struct RequestBody {
    source: Source,
    /// How long the sender may send nothing while we wait for it.
    patience: Duration,
    /// Whether the end has been seen; shared with the shell, which closes a connection whose body was not read.
    finished: Arc<AtomicBool>,
}

#[derive(Debug)]
enum Source {
    Wire(Incoming),
    Memory(Option<Bytes>),
}

impl RequestBody {
    /// The body of a request on the wire; `patience` is `limits.progress_seconds`.
    pub fn new(incoming: Incoming, patience: Duration) -> Self {
        let finished = Arc::new(AtomicBool::new(incoming.is_end_stream()));
        Self { source: Source::Wire(incoming), patience, finished }
    }

    /// A body at hand, for requests that did not come over the wire (tests).
    pub fn from_bytes(bytes: impl Into<Bytes>) -> Self {
        let bytes = Some(bytes.into()).filter(|bytes| !bytes.is_empty());
        let finished = Arc::new(AtomicBool::new(bytes.is_none()));
        Self { source: Source::Memory(bytes), patience: Duration::MAX, finished }
    }

    /// The number of bytes still to come, where the client announced it (`Content-Length`); `None` for chunked bodies.
    pub fn length(&self) -> Option<u64> {
        match &self.source {
            Source::Wire(incoming) => incoming.size_hint().exact(),
            Source::Memory(bytes) => Some(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64)),
        }
    }

    /// The next bytes; `None` at the end. After an error the body is over.
    ///
    /// # Errors
    /// A sentence about the sender, which broke off or sent nothing for `limits.progress_seconds`.
    pub async fn next(&mut self) -> Option<Result<Bytes, String>> {
        let incoming = match &mut self.source {
            Source::Memory(bytes) => {
                self.finished.store(true, Ordering::Relaxed);
                return bytes.take().map(Ok);
            }
            Source::Wire(incoming) => incoming,
        };
        loop {
            let frame = match tokio::time::timeout(self.patience, incoming.frame()).await {
                Ok(Some(Ok(frame))) => frame,
                Ok(Some(Err(error))) => return Some(Err(chain(&error))),
                Ok(None) => {
                    self.finished.store(true, Ordering::Relaxed);
                    return None;
                }
                Err(_) => return Some(Err(format!("nothing came for {} s", self.patience.as_secs_f32()))),
            };
            if incoming.is_end_stream() {
                self.finished.store(true, Ordering::Relaxed);
            }
            match frame.into_data() {
                Ok(data) if !data.is_empty() => return Some(Ok(data)),
                // Trailers mean nothing to a registry.
                Ok(_) | Err(_) => {}
            }
        }
    }

    /// The whole body, at most `max` bytes of it. An announced length above `max` is refused before a byte is read.
    ///
    /// # Errors
    /// [`BodyError`].
    pub async fn read_limited(mut self, max: usize) -> Result<Bytes, BodyError> {
        let too_large = BodyError::TooLarge { limit: max };
        let announced = match self.length().map(usize::try_from) {
            Some(Ok(length)) if length <= max => length,
            Some(_) => return Err(too_large),
            None => 0,
        };
        let mut whole = match self.next().await {
            None => return Ok(Bytes::new()),
            Some(first) => first.map_err(BodyError::Sender)?,
        };
        let Some(second) = self.next().await else {
            return if whole.len() > max { Err(too_large) } else { Ok(whole) };
        };
        // Memory follows what has come, not what was announced.
        let mut collected = BytesMut::with_capacity(announced.min(1 << 20).max(whole.len()));
        collected.extend_from_slice(&whole);
        whole = second.map_err(BodyError::Sender)?;
        loop {
            if collected.len() + whole.len() > max {
                return Err(too_large);
            }
            collected.extend_from_slice(&whole);
            whole = match self.next().await {
                None => return Ok(collected.freeze()),
                Some(more) => more.map_err(BodyError::Sender)?,
            };
        }
    }

    /// Tells, also after the body has been moved away, whether its end was seen.
    pub(super) fn watch_end(&self) -> Arc<AtomicBool> {
        self.finished.clone()
    }
}

impl blobs::Source for RequestBody {
    fn next(&mut self) -> impl Future<Output = Option<Result<Bytes, String>>> + Send {
        Self::next(self)
    }
}

/// An error with its causes: hyper's own text alone says little.
pub(super) fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

/// An answer's body on its way to the client, with the ticket of its request. Whatever ends it, done, broken off or
/// dropped, the ticket closes the books: access log, metrics, the connection's watch.
#[derive(Debug)]
pub struct Outgoing {
    source: Flow,
    ticket: Ticket,
}

#[derive(Debug)]
enum Flow {
    Done,
    Full(Bytes),
    File(FileFlow),
}

impl Outgoing {
    /// Sets `body` in motion.
    pub(super) fn new(body: Body, ticket: Ticket) -> Self {
        let source = match body {
            Body::Full(bytes) if !bytes.is_empty() => Flow::Full(bytes),
            Body::File { file, offset, length } if length > 0 => Flow::File(FileFlow::new(file, offset, length)),
            Body::Empty | Body::Full(_) | Body::File { .. } => Flow::Done,
        };
        Self { source, ticket }
    }
}

impl HttpBody for Outgoing {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let this = self.get_mut();
        // Being asked for more means that the connection has found room for what it got before.
        this.ticket.progress();
        let chunk = match &mut this.source {
            Flow::Done => return Poll::Ready(None),
            Flow::Full(bytes) => {
                let chunk = bytes.split_to(bytes.len().min(SLICE));
                if bytes.is_empty() {
                    this.source = Flow::Done;
                }
                chunk
            }
            Flow::File(flow) => match ready!(flow.poll(cx)) {
                Ok(chunk) => {
                    if flow.left() == 0 {
                        this.source = Flow::Done;
                    }
                    chunk
                }
                Err(error) => {
                    // The head has promised a length that cannot be kept: only breaking off tells the client so.
                    this.ticket.broken(&error);
                    this.source = Flow::Done;
                    return Poll::Ready(Some(Err(error)));
                }
            },
        };
        this.ticket.sent(chunk.len() as u64);
        Poll::Ready(Some(Ok(Frame::data(chunk))))
    }

    fn is_end_stream(&self) -> bool {
        matches!(self.source, Flow::Done)
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(match &self.source {
            Flow::Done => 0,
            Flow::Full(bytes) => bytes.len() as u64,
            Flow::File(flow) => flow.left(),
        })
    }
}

/// A part of a file, read on blocking threads one read ahead: while the connection sends one buffer the next is
/// filled. At most two buffers of [`READ`] bytes exist per answer, and none is filled before it is asked for.
#[derive(Debug)]
struct FileFlow {
    file: Arc<File>,
    /// Where the next read begins.
    offset: u64,
    /// Bytes that no read has been started for.
    unread: u64,
    /// Bytes of the read under way.
    under_way: u64,
    reading: Option<JoinHandle<io::Result<Bytes>>>,
}

impl FileFlow {
    fn new(file: File, offset: u64, length: u64) -> Self {
        Self { file: Arc::new(file), offset, unread: length, under_way: 0, reading: None }
    }

    /// Bytes not handed out yet.
    fn left(&self) -> u64 {
        self.unread + self.under_way
    }

    fn start(&mut self) -> JoinHandle<io::Result<Bytes>> {
        let (file, offset, length) = (self.file.clone(), self.offset, self.unread.min(READ));
        self.offset += length;
        self.unread -= length;
        self.under_way = length;
        tokio::task::spawn_blocking(move || read_at(&file, offset, length))
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Bytes>> {
        if self.reading.is_none() && self.unread <= READ_HERE {
            return Poll::Ready(read_at(&self.file, self.offset, std::mem::take(&mut self.unread)));
        }
        let mut reading = match self.reading.take() {
            Some(reading) => reading,
            None => self.start(),
        };
        let result = match Pin::new(&mut reading).poll(cx) {
            Poll::Pending => {
                self.reading = Some(reading);
                return Poll::Pending;
            }
            Poll::Ready(joined) => joined.map_err(io::Error::other).and_then(|result| result),
        };
        self.under_way = 0;
        if result.is_ok() && self.unread > 0 {
            self.reading = Some(self.start());
        }
        Poll::Ready(result)
    }
}

/// A buffer that goes back to the spare ones when the last part of its bytes has been sent.
struct Buffer(Vec<u8>);

static SPARES: Mutex<Vec<Vec<u8>>> = Mutex::new(Vec::new());

impl Buffer {
    /// An empty buffer with room for `length` bytes; those of [`READ`] bytes come again.
    fn with_room(length: usize) -> Self {
        let spare = if length as u64 == READ { SPARES.lock().pop() } else { None };
        Self(spare.unwrap_or_else(|| Vec::with_capacity(length)))
    }
}

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let mut buffer = std::mem::take(&mut self.0);
        if buffer.capacity() as u64 == READ {
            buffer.clear();
            let mut spares = SPARES.lock();
            if spares.len() < SPARE {
                spares.push(buffer);
            }
        }
    }
}

/// Exactly `length` (at most [`READ`]) bytes of `file` at `offset`.
fn read_at(file: &File, mut offset: u64, length: u64) -> io::Result<Bytes> {
    let length = usize::try_from(length).map_err(io::Error::other)?;
    let mut read = Buffer::with_room(length);
    let buffer = &mut read.0;
    while buffer.len() < length {
        match rustix::io::pread(file, rustix::buffer::spare_capacity(buffer), offset) {
            Ok(0) => {
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, format!("the file ends at byte {offset}")));
            }
            Ok(read) => offset += read as u64,
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    // The allocator may have given more room than was asked for.
    buffer.truncate(length);
    Ok(Bytes::from_owner(read))
}
