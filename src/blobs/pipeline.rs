//! Receiving: what a source gives, into the session, hashed while it is written.
//!
//! ```text
//! request's future                        keeper (a task of its own)      blocking threads
//! source ─► Intake ─► Batch ─► Feed ──────► one batch at a time ─┬───────► write at the offset
//!           limits    512 KiB   channel     owns the claim       ├───────► hash
//!                                                                └───────► every 64 MiB: sync, then the sidecar
//! ```
//!
//! The keeper, not the request, owns the claim: when the connection breaks and the request's future is dropped, the
//! channel closes, and the keeper finishes what it has, brings the session to a consistent stand and gives it back.
//! At most three batches (1.5 MiB) are in memory: one being filled, one waiting, one being written and hashed. No
//! thread waits for a client, so slow clients hold none.
//!
//! As long as the content fits [`INLINE_MAX`](super::INLINE_MAX) there is no keeper, no channel and no other thread:
//! each chunk is taken in between two awaits.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::session::{Claim, Store};
use super::upload::Before;
use super::{Append, BlobError, Source};
use crate::base::UploadId;
use crate::oci::RepoName;

/// Bytes that go to the blocking threads at once.
const BATCH: usize = 512 * 1024;

/// Batches below this are hashed by the thread that writes them: waking another one would cost more.
const PARALLEL_MIN: usize = 64 * 1024;

/// Chunks below this are copied together; larger ones are kept as they came, without a copy. A slice of a few bytes
/// would keep the whole buffer alive that it was cut from.
const COPY_MAX: usize = 8 * 1024;

/// Bytes between two progress points: what a crash costs at most.
const POINT: u64 = 64 << 20;

/// Appends what `source` gives; see [`super::Blobs::append_with`].
pub(super) async fn append(
    store: &Arc<Store>,
    id: UploadId,
    repo: &RepoName,
    how: Append,
    source: impl Source,
) -> Result<u64, BlobError> {
    let mut claim = store.receive(id, repo)?;
    let start = claim.upload().offset();
    let mut intake = Intake::new(source, start, store.options.max_blob, &how)?;
    if let Some(algorithm) = how.algorithm {
        claim.parts().0.switch_to(algorithm);
    }
    let before = claim.upload().before();
    let first = loop {
        let Some(bytes) = intake.next().await else {
            if claim.upload().offset() > start && claim.session().durable && !how.closing {
                claim.note()?;
            }
            return intake.outcome(claim.upload().offset());
        };
        claim.alive()?;
        if !claim.parts().0.take_inline(&bytes) {
            break bytes;
        }
        claim.show();
    };
    let received = claim.upload().offset() - start;
    let left = intake.expected.map(|n| n.saturating_sub(received));
    let mut feed = Feed::start(claim, before, left, how.closing);
    let mut next = Some(first);
    while let Some(bytes) = next {
        if !feed.push(bytes).await {
            break;
        }
        next = intake.next().await;
    }
    let offset = feed.finish().await?;
    intake.outcome(offset)
}

/// A source with its limits: gives no byte too many, and tells at the end why it stopped.
struct Intake<S> {
    source: S,
    /// Bytes that the client named in a range.
    announced: Option<u64>,
    /// Bytes that are likely to come.
    expected: Option<u64>,
    /// Bytes that the blob may still grow by.
    room: u64,
    limit: u64,
    got: u64,
    stopped: Option<BlobError>,
    over: bool,
}

impl<S: Source> Intake<S> {
    /// Refuses, before a byte is read, what cannot end well.
    fn new(source: S, start: u64, limit: u64, how: &Append) -> Result<Self, BlobError> {
        let announced = how.range.map(|(_, length)| length);
        if let Some((asked, _)) = how.range
            && asked != start
        {
            return Err(BlobError::WrongOffset { asked, offset: start });
        }
        if let (Some(announced), Some(got)) = (announced, how.expected)
            && announced != got
        {
            return Err(BlobError::WrongLength { announced, got });
        }
        let (expected, room) = (announced.or(how.expected), limit.saturating_sub(start));
        if expected.is_some_and(|n| n > room) {
            return Err(BlobError::TooLarge { limit });
        }
        Ok(Self { source, announced, expected, room, limit, got: 0, stopped: None, over: false })
    }

    async fn next(&mut self) -> Option<Bytes> {
        loop {
            if self.over {
                return None;
            }
            let mut bytes = match self.source.next().await {
                None => {
                    self.over = true;
                    return None;
                }
                Some(Err(reason)) => {
                    self.over = true;
                    self.stopped = Some(BlobError::Sender(reason));
                    return None;
                }
                Some(Ok(bytes)) => bytes,
            };
            let allowed = self.announced.unwrap_or(u64::MAX).min(self.room) - self.got;
            if bytes.len() as u64 > allowed {
                self.over = true;
                self.stopped = Some(match self.announced {
                    Some(announced) => BlobError::WrongLength { announced, got: self.got + bytes.len() as u64 },
                    None => BlobError::TooLarge { limit: self.limit },
                });
                bytes.truncate(usize::try_from(allowed).unwrap_or(usize::MAX));
            }
            self.got += bytes.len() as u64;
            if !bytes.is_empty() {
                return Some(bytes);
            }
        }
    }

    /// The new offset, or why the source stopped too early.
    fn outcome(self, offset: u64) -> Result<u64, BlobError> {
        match (self.stopped, self.announced) {
            (Some(error), _) => Err(error),
            (None, Some(announced)) if announced != self.got => {
                Err(BlobError::WrongLength { announced, got: self.got })
            }
            _ => Ok(offset),
        }
    }
}

/// Chunks gathered until they are worth a blocking thread's while.
#[derive(Default)]
struct Batch {
    whole: Vec<Bytes>,
    small: BytesMut,
    length: usize,
}

impl Batch {
    fn push(&mut self, bytes: Bytes) {
        self.length += bytes.len();
        if bytes.len() < COPY_MAX {
            self.small.extend_from_slice(&bytes);
        } else {
            self.close_small();
            self.whole.push(bytes);
        }
    }

    fn close_small(&mut self) {
        if !self.small.is_empty() {
            self.whole.push(self.small.split().freeze());
        }
    }

    fn take(&mut self, last: bool) -> Message {
        self.close_small();
        self.small = BytesMut::new();
        Message { pieces: std::mem::take(&mut self.whole), length: std::mem::take(&mut self.length), last }
    }
}

/// A batch on its way to the keeper.
struct Message {
    pieces: Vec<Bytes>,
    length: usize,
    last: bool,
}

/// The request's end of the channel.
struct Feed {
    batch: Batch,
    sender: Option<mpsc::Sender<Message>>,
    keeper: Option<JoinHandle<Result<u64, BlobError>>>,
}

impl Feed {
    fn start(claim: Claim, before: Before, expected: Option<u64>, closing: bool) -> Self {
        let (sender, receiver) = mpsc::channel(1);
        let secure = claim.session().durable && !closing;
        let next_point = claim.upload().offset() + POINT;
        let keeper = Keeper { before, expected, secure, point: None, next_point, prepared: false, ended: false };
        let keeper = Some(tokio::spawn(keeper.run(claim, receiver)));
        Self { batch: Batch::default(), sender: Some(sender), keeper }
    }

    /// Takes the next bytes; `false` when the keeper has stopped.
    async fn push(&mut self, bytes: Bytes) -> bool {
        self.batch.push(bytes);
        if self.batch.length < BATCH {
            return true;
        }
        let Some(sender) = &self.sender else { return false };
        // The room in the channel first, so that a future dropped while waiting for it still has the batch.
        match sender.reserve().await {
            Ok(permit) => {
                permit.send(self.batch.take(false));
                true
            }
            Err(_) => false,
        }
    }

    async fn finish(mut self) -> Result<u64, BlobError> {
        if let Some(sender) = &self.sender
            && let Ok(permit) = sender.reserve().await
        {
            permit.send(self.batch.take(true));
        }
        self.sender = None;
        match self.keeper.take() {
            Some(keeper) => keeper.await.map_err(|e| BlobError::Io(format!("receiving: {e}")))?,
            None => Err(BlobError::UnknownSession),
        }
    }
}

impl Drop for Feed {
    /// The request is gone; what has arrived is kept if there is room for it on the way.
    fn drop(&mut self) {
        if let Some(sender) = self.sender.take()
            && self.batch.length > 0
        {
            let _ = sender.try_send(self.batch.take(true));
        }
    }
}

/// Brings batches into the session.
struct Keeper {
    before: Before,
    /// Bytes that are likely to come.
    expected: Option<u64>,
    /// Whether the end of the append is a progress point.
    secure: bool,
    /// The progress point that is being made in the background, with the offset that it secures.
    point: Option<JoinHandle<Result<u64, BlobError>>>,
    next_point: u64,
    /// Whether the file is open.
    prepared: bool,
    /// Whether the last hop has ended the append already.
    ended: bool,
}

impl Keeper {
    async fn run(mut self, mut claim: Claim, mut receiver: mpsc::Receiver<Message>) -> Result<u64, BlobError> {
        loop {
            let message = receiver.recv().await;
            let last = message.as_ref().is_none_or(|m| m.last);
            let (back, step) = match message {
                Some(message) => self.take_in(claim, message).await?,
                None => (claim, Ok(())),
            };
            claim = back;
            let step = match step {
                Ok(()) => self.make_point(&mut claim, last).await,
                failed => failed,
            };
            match step {
                Ok(()) if last => return self.finish(claim).await,
                Ok(()) => {}
                Err(error) => return Err(self.give_up(claim, error).await),
            }
        }
    }

    /// Writes and hashes one batch. The claim comes back whatever happens but a panic.
    async fn take_in(&mut self, claim: Claim, message: Message) -> Result<(Claim, Result<(), BlobError>), BlobError> {
        let Message { pieces, length, last } = message;
        if length == 0 {
            return Ok((claim, Ok(())));
        }
        let first = !std::mem::replace(&mut self.prepared, true);
        let expected = self.expected;
        let mut claim = claim;
        if length < PARALLEL_MIN {
            // A body of some ten kilobytes costs a single change of threads.
            let end = (last && self.point.is_none()).then_some(self.secure);
            let (back, step) = hop(claim, move |claim| {
                if first {
                    claim.prepare(expected)?;
                }
                claim.alive()?;
                write_and_hash(claim, &pieces)?;
                end.map_or(Ok(()), |secure| end_append(claim, secure))
            })
            .await?;
            self.ended = end.is_some();
            return Ok((back, step));
        }
        if first {
            let (back, prepared) = hop(claim, move |claim| claim.prepare(expected)).await?;
            claim = back;
            if prepared.is_err() {
                return Ok((claim, prepared));
            }
        }
        if let Err(e) = claim.alive() {
            return Ok((claim, Err(e)));
        }
        let Some(mut hasher) = claim.parts().0.lend_hasher() else {
            return hop(claim, move |claim| write_and_hash(claim, &pieces)).await;
        };
        let copies = pieces.clone();
        let hashing = tokio::task::spawn_blocking(move || {
            for piece in &copies {
                hasher.update(piece);
            }
            hasher
        });
        let (mut claim, written) = hop(claim, move |claim| {
            let (upload, fs, file) = claim.parts();
            upload.write(fs, file, &pieces)
        })
        .await?;
        let seen = hashing.await;
        let step = written.and_then(|()| {
            let hasher = seen.map_err(|e| BlobError::Io(format!("hashing: {e}")))?;
            claim.parts().0.advance(hasher, length as u64);
            claim.show();
            Ok(())
        });
        Ok((claim, step))
    }

    /// Begins a progress point where one is due, and takes note of one that is done. One at a time: a disk that
    /// cannot keep up slows the sender down.
    async fn make_point(&mut self, claim: &mut Claim, last: bool) -> Result<(), BlobError> {
        let due = claim.upload().offset() >= self.next_point && !last;
        if last || due {
            self.join_point(claim).await?;
        }
        if due {
            let (offset, store) = (claim.upload().offset(), Arc::clone(claim.store()));
            self.next_point = offset + POINT;
            let (upload, fs, id) = claim.parts();
            let file = upload.file(fs, id)?;
            // What the sidecar says holds once the sync has passed.
            let note = claim.later_note();
            self.point = Some(tokio::task::spawn_blocking(move || {
                store.fs.sync_data(&file)?;
                note().map(|()| offset)
            }));
        }
        Ok(())
    }

    async fn join_point(&mut self, claim: &mut Claim) -> Result<(), BlobError> {
        if let Some(point) = self.point.take() {
            let offset = point.await.map_err(|e| BlobError::Io(format!("syncing: {e}")))??;
            claim.parts().0.note_synced(offset);
        }
        Ok(())
    }

    /// Ends the append: brings it to disk if the session shall survive a restart at this offset.
    async fn finish(self, claim: Claim) -> Result<u64, BlobError> {
        let offset = claim.upload().offset();
        if self.ended {
            return Ok(offset);
        }
        let secure = self.secure;
        let (claim, ended) = hop(claim, move |claim| end_append(claim, secure)).await?;
        match ended {
            Ok(()) => Ok(offset),
            Err(error) => Err(self.give_up(claim, error).await),
        }
    }

    /// Ends an append that failed: nothing of it is kept, and the session stands where it stood before.
    async fn give_up(mut self, mut claim: Claim, error: BlobError) -> BlobError {
        let _ = self.join_point(&mut claim).await;
        let before = self.before;
        let cleaned = tokio::task::spawn_blocking(move || {
            if claim.alive().is_ok() {
                claim.roll_back(before);
            }
            drop(claim);
        });
        match cleaned.await {
            Ok(()) => error,
            Err(e) => BlobError::Io(format!("giving up: {e}")),
        }
    }
}

fn write_and_hash(claim: &mut Claim, pieces: &[Bytes]) -> Result<(), BlobError> {
    let (upload, fs, file) = claim.parts();
    upload.write(fs, file, pieces)?;
    upload.hash(pieces);
    claim.show();
    Ok(())
}

pub(super) fn end_append(claim: &mut Claim, secure: bool) -> Result<(), BlobError> {
    claim.alive()?;
    let (upload, fs, file) = claim.parts();
    upload.release(fs)?;
    if secure {
        upload.sync(fs, file)?;
        upload.close();
        claim.note()?;
    }
    Ok(())
}

/// Works on a claimed session on a blocking thread, which goes to its end even when nobody waits for it any more.
pub(super) async fn hop<T: Send + 'static>(
    mut claim: Claim,
    work: impl FnOnce(&mut Claim) -> Result<T, BlobError> + Send + 'static,
) -> Result<(Claim, Result<T, BlobError>), BlobError> {
    let done = tokio::task::spawn_blocking(move || {
        let result = work(&mut claim);
        (claim, result)
    });
    done.await.map_err(|e| BlobError::Io(format!("the blob store's worker: {e}")))
}
