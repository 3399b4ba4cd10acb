//! Bodies in motion: what comes in from a client ([`RequestBody`]) and what goes out to it ([`Outgoing`]).

use std::fs::File;
use std::future::Future;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::{Body as HttpBody, Frame, Incoming, SizeHint};
use parking_lot::Mutex;
use rustix::io::{Errno, ReadWriteFlags};
use tokio::task::JoinHandle;

use super::conn::Ticket;
use super::reply::Body;
use crate::blobs;

/// Bytes of one read from a blob's file. Smaller reads cost more system calls per byte (measured: 64 KiB costs almost
/// twice the CPU of 256 KiB), larger ones only memory.
const READ: usize = 256 * 1024;

/// Reads from the page cache that are made one after the other before the other connections of this thread get their
/// turn: [`READ`] bytes take some tens of microseconds, and as many again to send.
const IN_A_ROW: u32 = 4;

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

    /// The same body, of which all is at hand where at most `max` bytes were announced. Over HTTP/2 the answer to a request
    /// whose body was not read is followed by a reset (RFC 9113 §8.1), for which some clients (curl 7.88) throw the answer
    /// away: a refusal should be read by who sent a few bytes in vain.
    ///
    /// # Errors
    /// [`BodyError::Sender`].
    pub async fn at_hand(self, max: usize) -> Result<Self, BodyError> {
        match self.length() {
            Some(length) if length > 0 && usize::try_from(length).is_ok_and(|length| length <= max) => {}
            _ => return Ok(self),
        }
        let (patience, finished) = (self.patience, self.finished.clone());
        let bytes = self.read_limited(max).await?;
        Ok(Self { source: Source::Memory(Some(bytes).filter(|bytes| !bytes.is_empty())), patience, finished })
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

/// A part of a file. What the page cache holds is read where it is asked for: that takes microseconds, a change of
/// threads and back longer. At the first byte that only the disk has, the rest is left to blocking threads, one read
/// ahead: while the connection sends one buffer the next is filled. At most two buffers of [`READ`] bytes exist per
/// answer, and none is filled before it is asked for.
#[derive(Debug)]
struct FileFlow {
    file: Arc<File>,
    /// Where the next read begins.
    offset: u64,
    /// Bytes that no read has been started for.
    unread: u64,
    /// Bytes of the read under way.
    under_way: u64,
    /// Whether the page cache has not held all that was asked for.
    cold: bool,
    /// Reads since others had their turn.
    in_a_row: u32,
    reading: Option<JoinHandle<io::Result<Bytes>>>,
}

impl FileFlow {
    fn new(file: File, offset: u64, length: u64) -> Self {
        let file = Arc::new(file);
        Self { file, offset, unread: length, under_way: 0, cold: false, in_a_row: 0, reading: None }
    }

    /// Bytes not handed out yet.
    fn left(&self) -> u64 {
        self.unread + self.under_way
    }

    /// Takes the next part: a buffer of its size, and where it begins.
    fn take(&mut self) -> (Buffer, u64) {
        let length = usize::try_from(self.unread).map_or(READ, |unread| unread.min(READ));
        let offset = self.offset;
        self.offset += length as u64;
        self.unread -= length as u64;
        (Buffer::new(length), offset)
    }

    /// Fills what is left of a buffer on a blocking thread.
    fn start(&mut self, mut buffer: Buffer, offset: u64) -> JoinHandle<io::Result<Bytes>> {
        self.under_way = buffer.length as u64;
        let file = self.file.clone();
        tokio::task::spawn_blocking(move || {
            buffer.fill(&file, offset)?;
            Ok(Bytes::from_owner(buffer))
        })
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Bytes>> {
        let mut reading = if let Some(reading) = self.reading.take() {
            reading
        } else {
            if self.in_a_row == IN_A_ROW {
                self.in_a_row = 0;
                return let_others(cx);
            }
            let (mut buffer, offset) = self.take();
            if !self.cold && buffer.fill_from_cache(&self.file, offset) {
                self.in_a_row += 1;
                return Poll::Ready(Ok(Bytes::from_owner(buffer)));
            }
            self.cold = true;
            self.start(buffer, offset)
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
            let (buffer, offset) = self.take();
            self.reading = Some(self.start(buffer, offset));
        }
        Poll::Ready(result)
    }
}

/// Pending until the other tasks of this thread had their turn. A task that wakes itself is put where other threads look
/// for work, and the one that takes it finds nothing of it in its processor's cache.
fn let_others<T>(cx: &mut Context<'_>) -> Poll<T> {
    // Polled once, it has left the waker with the scheduler; nothing more is wanted of it.
    let turn = pin!(tokio::task::yield_now());
    match turn.poll(cx) {
        Poll::Pending => {}
        Poll::Ready(()) => cx.waker().wake_by_ref(),
    }
    Poll::Pending
}

/// Bytes of a file. Its memory goes back to the spare ones when the last part has been sent.
struct Buffer {
    memory: Vec<u8>,
    /// How many are to be read; not above [`READ`].
    length: usize,
    /// How many have been.
    filled: usize,
}

static SPARES: Mutex<Vec<Vec<u8>>> = Mutex::new(Vec::new());

impl Buffer {
    /// An empty buffer for `length` bytes; those of [`READ`] bytes come again.
    fn new(length: usize) -> Self {
        let spare = if length == READ { SPARES.lock().pop() } else { None };
        Self { memory: spare.unwrap_or_else(|| vec![0; length]), length, filled: 0 }
    }

    /// Reads from `file`, where this buffer's bytes begin at `offset`, as long as nothing has to be waited for. Whether
    /// that was all of it. What an error means is left to [`Buffer::fill`]; file systems that do not know how to read
    /// without waiting say so by one.
    fn fill_from_cache(&mut self, file: &File, offset: u64) -> bool {
        while self.filled < self.length {
            let at = offset + self.filled as u64;
            let mut rest = [io::IoSliceMut::new(&mut self.memory[self.filled..self.length])];
            match rustix::io::preadv2(file, &mut rest, at, ReadWriteFlags::NOWAIT) {
                Ok(0) | Err(_) => return false,
                Ok(read) => self.filled += read,
            }
        }
        true
    }

    /// Reads what is left to be read, and waits for the disk.
    fn fill(&mut self, file: &File, offset: u64) -> io::Result<()> {
        while self.filled < self.length {
            let at = offset + self.filled as u64;
            match rustix::io::pread(file, &mut self.memory[self.filled..self.length], at) {
                Ok(0) => {
                    return Err(io::Error::new(io::ErrorKind::UnexpectedEof, format!("the file ends at byte {at}")));
                }
                Ok(read) => self.filled += read,
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }
}

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        &self.memory[..self.filled]
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        if self.memory.len() == READ {
            let mut spares = SPARES.lock();
            if spares.len() < SPARE {
                spares.push(std::mem::take(&mut self.memory));
            }
        }
    }
}

#[cfg(test)]
mod tests;
