//! The contract, as tests against the public functions alone: another backend has to pass them as they stand.

use std::collections::HashSet;
use std::sync::LazyLock;
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use proptest::prelude::*;
use tempfile::TempDir;
use tokio::sync::mpsc;

use super::*;

/// The repository that the tests upload to.
pub(super) static REPO: LazyLock<RepoName> = LazyLock::new(|| RepoName::parse("lab/repo").unwrap());
const TTL: Duration = Duration::from_hours(1);
const MAX: u64 = 64 << 20;

/// A store that can be closed and opened again, with the metadata's answers in a set.
pub(super) struct Lab {
    pub(super) data: TempDir,
    pub(super) clock: Clock,
    named: Mutex<HashSet<FileId>>,
}

impl Lab {
    pub(super) fn new() -> Self {
        let clock = Clock::manual(Timestamp(1_700_000_000_000));
        Self { data: tempfile::tempdir().unwrap(), clock, named: Mutex::default() }
    }

    pub(super) fn open(&self) -> Blobs {
        let options = BlobOptions { session_ttl: TTL, max_blob: MAX };
        Blobs::open(self.data.path(), options, self.clock.clone(), |id| self.names(id)).unwrap()
    }

    #[allow(clippy::unnecessary_wraps, reason = "as the metadata answers, which may fail")]
    pub(super) fn names(&self, id: FileId) -> Result<bool, BlobError> {
        Ok(self.named.lock().contains(&id))
    }

    fn name(&self, id: FileId) {
        self.named.lock().insert(id);
    }
}

/// Bytes that differ everywhere.
pub(super) fn content(length: usize) -> Bytes {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64 ^ length as u64;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(length);
    bytes.into()
}

pub(super) fn sha256(bytes: &[u8]) -> Digest {
    Digest::of(Algorithm::Sha256, bytes)
}

/// Gives bytes in pieces, and then perhaps a reason to stop.
pub(super) struct Pieces {
    bytes: Bytes,
    piece: usize,
    breaks_off: bool,
}

pub(super) fn pieces(bytes: &Bytes, piece: usize) -> Pieces {
    Pieces { bytes: bytes.clone(), piece, breaks_off: false }
}

impl Source for Pieces {
    async fn next(&mut self) -> Option<Result<Bytes, String>> {
        if self.bytes.is_empty() {
            return std::mem::take(&mut self.breaks_off).then(|| Err("connection reset".to_owned()));
        }
        Some(Ok(self.bytes.split_to(self.piece.min(self.bytes.len()))))
    }
}

/// Gives what a test sends, when it sends it.
pub(super) struct Live(pub(super) mpsc::UnboundedReceiver<Bytes>);

impl Source for Live {
    async fn next(&mut self) -> Option<Result<Bytes, String>> {
        self.0.recv().await.map(Ok)
    }
}

/// Never stops.
struct Endless(Bytes);
impl Source for Endless {
    async fn next(&mut self) -> Option<Result<Bytes, String>> {
        Some(Ok(self.0.clone()))
    }
}

pub(super) async fn put(blobs: &Blobs, id: UploadId, bytes: &Bytes) -> Result<u64, BlobError> {
    blobs.append(id, &REPO, None, pieces(bytes, 16_384)).await
}

pub(super) async fn read(blobs: &Blobs, sealed: &Sealed) -> Bytes {
    match &sealed.content {
        Content::Inline(bytes) => bytes.clone(),
        Content::File(id) => blobs.read_all(*id, sealed.size).await.unwrap(),
    }
}

fn file_of(sealed: &Sealed) -> FileId {
    let Content::File(id) = sealed.content else { panic!("not in a file") };
    id
}

async fn free(blobs: &Blobs, id: UploadId) {
    // A dropped request leaves its session busy until what it had sent has been written.
    while matches!(blobs.append(id, &REPO, None, pieces(&Bytes::new(), 1)).await, Err(BlobError::Busy)) {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn one_request_takes_a_blob_of_any_size() {
    let lab = Lab::new();
    let blobs = lab.open();
    for length in [0, 1, INLINE_MAX - 1, INLINE_MAX, INLINE_MAX + 1, 65_537, 3_000_001] {
        for piece in [1_000, 16_384, 300_000] {
            let bytes = content(length);
            let id = blobs.begin(&REPO, "alice", None, false).await.unwrap();
            let how = Append { expected: Some(length as u64), closing: true, ..Append::default() };
            let offset = blobs.append_with(id, &REPO, how, pieces(&bytes, piece)).await.unwrap();
            assert_eq!(offset, length as u64);
            let sealed = blobs.seal(id, &REPO, sha256(&bytes)).await.unwrap();
            assert_eq!((sealed.digest, sealed.size), (sha256(&bytes), length as u64));
            assert_eq!(matches!(sealed.content, Content::Inline(_)), length <= INLINE_MAX, "{length} bytes");
            assert_eq!(read(&blobs, &sealed).await, bytes);
            blobs.end(id);
            assert_eq!(read(&blobs, &sealed).await, bytes, "published content outlives the session");
        }
    }
    assert_eq!(blobs.open_sessions(), 0);
}

#[tokio::test]
async fn chunks_follow_each_other() {
    let lab = Lab::new();
    let blobs = lab.open();
    let bytes = content(100_000);
    let id = blobs.begin(&REPO, "alice", None, true).await.unwrap();
    for (at, chunk) in [(0, 0..10_000), (10_000, 10_000..20_000), (20_000, 20_000..100_000)] {
        let range = Some((at, chunk.len() as u64));
        let end = chunk.end as u64;
        assert_eq!(blobs.append(id, &REPO, range, pieces(&bytes.slice(chunk), 7_000)).await.unwrap(), end);
        assert_eq!(blobs.status(id, &REPO).unwrap().offset, end);
    }
    let sealed = blobs.seal(id, &REPO, sha256(&bytes)).await.unwrap();
    assert_eq!(blobs.seal(id, &REPO, sha256(&bytes)).await.unwrap(), sealed, "sealing twice gives the same answer");
    assert_eq!(read(&blobs, &sealed).await, bytes);
}

#[tokio::test]
async fn a_wrong_chunk_leaves_the_session_usable() {
    let lab = Lab::new();
    let blobs = lab.open();
    for first in [1_000_u64, 40_000] {
        let bytes = content(100_000);
        let part = |from: u64, to: u64| bytes.slice(usize::try_from(from).unwrap()..usize::try_from(to).unwrap());
        let id = blobs.begin(&REPO, "alice", None, true).await.unwrap();
        put(&blobs, id, &part(0, first)).await.unwrap();

        let ahead = blobs.append(id, &REPO, Some((first + 5, 10)), pieces(&part(0, 10), 10)).await;
        assert!(
            matches!(ahead, Err(BlobError::WrongOffset { asked, offset }) if asked == first + 5 && offset == first)
        );
        assert_eq!(blobs.status(id, &REPO).unwrap().offset, first);

        // Shorter than announced: what came is kept.
        let short = blobs.append(id, &REPO, Some((first, 500)), pieces(&part(first, first + 400), 100)).await;
        assert!(matches!(short, Err(BlobError::WrongLength { announced: 500, got: 400 })));
        assert_eq!(blobs.status(id, &REPO).unwrap().offset, first + 400);

        // Longer than announced: what lies within the range is kept.
        let range = Some((first + 400, 500));
        let long = blobs.append(id, &REPO, range, pieces(&part(first + 400, first + 1_400), 300)).await;
        assert!(matches!(long, Err(BlobError::WrongLength { announced: 500, got: 600 })));
        assert_eq!(blobs.status(id, &REPO).unwrap().offset, first + 900);

        // Known to be wrong before it begins.
        let how = Append { range: Some((first + 900, 10)), expected: Some(11), ..Append::default() };
        let wrong = blobs.append_with(id, &REPO, how, pieces(&part(0, 11), 11)).await;
        assert!(matches!(wrong, Err(BlobError::WrongLength { announced: 10, got: 11 })));

        put(&blobs, id, &part(first + 900, 100_000)).await.unwrap();
        let sealed = blobs.seal(id, &REPO, sha256(&bytes)).await.unwrap();
        assert_eq!(read(&blobs, &sealed).await, bytes);
    }
}

#[tokio::test]
async fn what_arrived_before_a_sender_broke_off_is_kept() {
    let lab = Lab::new();
    let blobs = lab.open();
    for kept in [0_usize, 9_000, 16_384, 16_385, 1_500_000] {
        let bytes = content(2_000_000);
        let id = blobs.begin(&REPO, "alice", None, true).await.unwrap();
        let source = Pieces { breaks_off: true, ..pieces(&bytes.slice(..kept), 5_000) };
        let broken = blobs.append(id, &REPO, None, source).await;
        assert!(matches!(broken, Err(BlobError::Sender(reason)) if reason == "connection reset"));
        assert_eq!(blobs.status(id, &REPO).unwrap().offset, kept as u64);
        put(&blobs, id, &bytes.slice(kept..)).await.unwrap();
        let sealed = blobs.seal(id, &REPO, sha256(&bytes)).await.unwrap();
        assert_eq!(read(&blobs, &sealed).await, bytes);
    }
}

#[tokio::test]
async fn a_wrong_digest_can_be_corrected() {
    let lab = Lab::new();
    let blobs = lab.open();
    for length in [10, 50_000] {
        let bytes = content(length);
        let id = blobs.begin(&REPO, "alice", None, true).await.unwrap();
        put(&blobs, id, &bytes).await.unwrap();
        let wrong = blobs.seal(id, &REPO, sha256(b"other")).await;
        assert!(matches!(wrong, Err(BlobError::DigestMismatch { actual, .. }) if actual == sha256(&bytes)));
        assert_eq!(read(&blobs, &blobs.seal(id, &REPO, sha256(&bytes)).await.unwrap()).await, bytes);
    }
}

#[tokio::test]
async fn sha512_works_announced_early_late_or_never() {
    let lab = Lab::new();
    let blobs = lab.open();
    let (on_post, on_put) =
        (Some(Algorithm::Sha512), Append { algorithm: Some(Algorithm::Sha512), ..Append::default() });
    for length in [0, 100, 50_000] {
        for (announced, how) in [(on_post, Append::default()), (None, on_put), (None, Append::default())] {
            let bytes = content(length);
            let id = blobs.begin(&REPO, "alice", announced, true).await.unwrap();
            blobs.append_with(id, &REPO, how, pieces(&bytes, 4_096)).await.unwrap();
            let digest = Digest::of(Algorithm::Sha512, &bytes);
            let sealed = blobs.seal(id, &REPO, digest).await.unwrap();
            assert_eq!((sealed.digest, read(&blobs, &sealed).await), (digest, bytes.clone()));
            // The other algorithm still gives its own answer.
            assert_eq!(blobs.seal(id, &REPO, sha256(&bytes)).await.unwrap().digest, sha256(&bytes));
        }
    }
}

#[tokio::test]
async fn a_blob_has_a_largest_size() {
    let lab = Lab::new();
    let blobs = lab.open();
    let id = blobs.begin(&REPO, "alice", None, true).await.unwrap();
    let how = Append { expected: Some(MAX + 1), ..Append::default() };
    let announced = blobs.append_with(id, &REPO, how, pieces(&content(10), 10)).await;
    assert!(matches!(announced, Err(BlobError::TooLarge { limit: MAX })));
    assert_eq!(blobs.status(id, &REPO).unwrap().offset, 0);

    let endless = blobs.append(id, &REPO, None, Endless(content(1 << 20))).await;
    assert!(matches!(endless, Err(BlobError::TooLarge { limit: MAX })));
    assert_eq!(blobs.status(id, &REPO).unwrap().offset, MAX);
}

#[tokio::test]
async fn a_session_belongs_to_its_repository() {
    let lab = Lab::new();
    let blobs = lab.open();
    let id = blobs.begin(&REPO, "alice", None, true).await.unwrap();
    let (other, unknown) = (RepoName::parse("lab/other").unwrap(), BlobError::UnknownSession.to_string());
    assert_eq!(blobs.status(id, &REPO).unwrap().owner, "alice");
    assert_eq!(blobs.status(id, &other).unwrap_err().to_string(), unknown);
    assert_eq!(blobs.append(id, &other, None, pieces(&content(1), 1)).await.unwrap_err().to_string(), unknown);
    assert_eq!(blobs.seal(id, &other, sha256(b"")).await.unwrap_err().to_string(), unknown);
    assert_eq!(blobs.cancel(id, &other).await.unwrap_err().to_string(), unknown);
    assert_eq!(blobs.status(UploadId::random(), &REPO).unwrap_err().to_string(), unknown);
    assert_eq!(blobs.open_sessions(), 1);
}

#[tokio::test]
async fn one_request_at_a_time_writes() {
    let lab = Lab::new();
    let blobs = lab.open();
    for length in [100, 200_000, 2_000_000] {
        let bytes = content(length);
        let id = blobs.begin(&REPO, "alice", None, true).await.unwrap();
        let (sender, receiver) = mpsc::unbounded_channel();
        let writer = tokio::spawn({
            let blobs = blobs.clone();
            async move { blobs.append(id, &REPO, None, Live(receiver)).await }
        });
        sender.send(bytes.slice(..length / 2)).unwrap();
        while !matches!(put(&blobs, id, &Bytes::new()).await, Err(BlobError::Busy)) {
            tokio::task::yield_now().await;
        }
        assert!(matches!(blobs.seal(id, &REPO, sha256(&bytes)).await, Err(BlobError::Busy)));
        lab.clock.advance(TTL * 2);
        assert_eq!(blobs.expire(10, |id| lab.names(id)).await.unwrap(), 0, "a session at work does not expire");
        sender.send(bytes.slice(length / 2..)).unwrap();
        drop(sender);
        assert_eq!(writer.await.unwrap().unwrap(), length as u64);
        let sealed = blobs.seal(id, &REPO, sha256(&bytes)).await.unwrap();
        assert_eq!(read(&blobs, &sealed).await, bytes);
        blobs.end(id);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dropped_request_leaves_a_session_to_go_on_with() {
    let lab = Lab::new();
    let blobs = lab.open();
    for sent in [10_usize, 16_384, 16_385, 100_000, 600_000, 3_000_000] {
        let bytes = content(3_500_000);
        let id = blobs.begin(&REPO, "alice", None, true).await.unwrap();
        let (sender, receiver) = mpsc::unbounded_channel();
        for at in (0..sent).step_by(50_000) {
            sender.send(bytes.slice(at..sent.min(at + 50_000))).unwrap();
        }
        {
            let mut append = std::pin::pin!(blobs.append(id, &REPO, None, Live(receiver)));
            // Poll until it waits for more, then drop it.
            tokio::select! {
                biased;
                result = &mut append => panic!("the source is still open: {result:?}"),
                () = async { for _ in 0..sent % 97 { tokio::task::yield_now().await } } => {}
            }
        }
        free(&blobs, id).await;
        let offset = usize::try_from(blobs.status(id, &REPO).unwrap().offset).unwrap();
        assert!(offset <= sent, "{offset} of {sent}");
        if sent < 500_000 {
            assert_eq!(offset, sent, "what had been gathered counts");
        }
        put(&blobs, id, &bytes.slice(offset..)).await.unwrap();
        let sealed = blobs.seal(id, &REPO, sha256(&bytes)).await.unwrap();
        assert_eq!(read(&blobs, &sealed).await, bytes);
    }
}

#[tokio::test]
async fn a_dropped_seal_harms_nothing() {
    let lab = Lab::new();
    let blobs = lab.open();
    let bytes = content(300_000);
    let id = blobs.begin(&REPO, "alice", None, true).await.unwrap();
    put(&blobs, id, &bytes).await.unwrap();
    {
        let mut seal = std::pin::pin!(blobs.seal(id, &REPO, sha256(&bytes)));
        tokio::select! { biased; _ = &mut seal => {}, () = std::future::ready(()) => {} }
    }
    free(&blobs, id).await;
    let sealed = blobs.seal(id, &REPO, sha256(&bytes)).await.unwrap();
    assert_eq!(read(&blobs, &sealed).await, bytes);
}

#[tokio::test]
async fn nothing_comes_between_seal_and_commit() {
    let lab = Lab::new();
    let blobs = lab.open();
    for length in [10, 50_000] {
        let bytes = content(length);
        let id = blobs.begin(&REPO, "alice", None, true).await.unwrap();
        put(&blobs, id, &bytes).await.unwrap();
        let (sealed, hold) = blobs.seal_and_hold(id, &REPO, sha256(&bytes)).await.unwrap();
        assert!(matches!(blobs.cancel(id, &REPO).await, Err(BlobError::Busy)));
        assert!(matches!(put(&blobs, id, &bytes).await, Err(BlobError::Busy)));
        assert!(matches!(blobs.seal(id, &REPO, sha256(&bytes)).await, Err(BlobError::Busy)));
        lab.clock.advance(TTL * 2);
        assert_eq!(blobs.expire(10, |id| lab.names(id)).await.unwrap(), 0);
        blobs.end(id);
        drop(hold);
        assert_eq!(read(&blobs, &sealed).await, bytes);
        assert!(matches!(blobs.cancel(id, &REPO).await, Err(BlobError::UnknownSession)));
    }
}

#[tokio::test]
async fn cancelling_leaves_nothing() {
    let lab = Lab::new();
    let blobs = lab.open();
    for length in [10, 50_000] {
        let id = blobs.begin(&REPO, "alice", None, true).await.unwrap();
        put(&blobs, id, &content(length)).await.unwrap();
        blobs.cancel(id, &REPO).await.unwrap();
        assert!(matches!(blobs.status(id, &REPO), Err(BlobError::UnknownSession)));
        assert!(matches!(blobs.cancel(id, &REPO).await, Err(BlobError::UnknownSession)));
    }
    assert_eq!(blobs.list(None, 10).unwrap(), []);
    drop(blobs);
    assert_eq!(lab.open().open_sessions(), 0);
}

#[tokio::test]
async fn cancelling_stops_the_request_that_receives() {
    let lab = Lab::new();
    let blobs = lab.open();
    for length in [10, 700_000] {
        let id = blobs.begin(&REPO, "alice", None, true).await.unwrap();
        let (sender, receiver) = mpsc::unbounded_channel();
        let writer = tokio::spawn({
            let blobs = blobs.clone();
            async move { blobs.append(id, &REPO, None, Live(receiver)).await }
        });
        sender.send(content(length)).unwrap();
        while blobs.status(id, &REPO).unwrap().offset == 0 {
            tokio::task::yield_now().await;
        }
        blobs.cancel(id, &REPO).await.unwrap();
        assert!(matches!(blobs.status(id, &REPO), Err(BlobError::UnknownSession)));
        sender.send(content(600_000)).unwrap();
        drop(sender);
        assert!(matches!(writer.await.unwrap(), Err(BlobError::UnknownSession)));
    }
    assert_eq!(blobs.list(None, 10).unwrap(), []);
    drop(blobs);
    assert_eq!(lab.open().open_sessions(), 0);
}

#[tokio::test]
async fn sessions_survive_a_restart() {
    let lab = Lab::new();
    for first in [0, 1, 16_384, 16_385, 300_000] {
        for announced in [None, Some(Algorithm::Sha512)] {
            let bytes = content(400_000);
            let blobs = lab.open();
            let id = blobs.begin(&REPO, "alice", announced, true).await.unwrap();
            put(&blobs, id, &bytes.slice(..first)).await.unwrap();
            drop(blobs);

            let blobs = lab.open();
            let status = blobs.status(id, &REPO).unwrap();
            assert_eq!((status.offset, status.owner.as_str()), (first as u64, "alice"));
            put(&blobs, id, &bytes.slice(first..)).await.unwrap();
            drop(blobs);

            let blobs = lab.open();
            let digest = Digest::of(announced.unwrap_or(Algorithm::Sha256), &bytes);
            let sealed = blobs.seal(id, &REPO, digest).await.unwrap();
            assert_eq!(read(&blobs, &sealed).await, bytes);
            lab.name(file_of(&sealed));
            blobs.end(id);
        }
    }
    assert_eq!(lab.open().open_sessions(), 0);
}

#[tokio::test]
async fn a_session_that_nobody_can_come_back_to_ends_with_the_process() {
    let lab = Lab::new();
    for length in [10, 50_000] {
        let blobs = lab.open();
        let id = blobs.begin(&REPO, "alice", None, false).await.unwrap();
        put(&blobs, id, &content(length)).await.unwrap();
        assert_eq!(blobs.list(None, 10).unwrap().len(), usize::from(length > INLINE_MAX));
        drop(blobs);
        let blobs = lab.open();
        assert_eq!((blobs.open_sessions(), blobs.list(None, 10).unwrap()), (0, vec![]));
    }
}

#[tokio::test]
async fn a_published_file_is_not_the_sessions_any_more() {
    let lab = Lab::new();
    let blobs = lab.open();
    let bytes = content(50_000);
    // The process ends between the commit and the end of the session.
    let id = blobs.begin(&REPO, "alice", None, true).await.unwrap();
    put(&blobs, id, &bytes).await.unwrap();
    let sealed = blobs.seal(id, &REPO, sha256(&bytes)).await.unwrap();
    lab.name(file_of(&sealed));
    drop(blobs);
    let blobs = lab.open();
    assert!(matches!(blobs.status(id, &REPO), Err(BlobError::UnknownSession)));
    assert_eq!(read(&blobs, &sealed).await, bytes);

    // The session expires after the commit.
    let id = blobs.begin(&REPO, "alice", None, true).await.unwrap();
    put(&blobs, id, &bytes).await.unwrap();
    let sealed = blobs.seal(id, &REPO, sha256(&bytes)).await.unwrap();
    lab.name(file_of(&sealed));
    lab.clock.advance(TTL);
    assert_eq!(blobs.expire(10, |id| lab.names(id)).await.unwrap(), 1);
    assert!(matches!(blobs.status(id, &REPO), Err(BlobError::UnknownSession)));
    assert_eq!(read(&blobs, &sealed).await, bytes);
}

#[tokio::test]
async fn sessions_expire_in_steady_time() {
    let lab = Lab::new();
    let blobs = lab.open();
    let old = blobs.begin(&REPO, "alice", None, true).await.unwrap();
    put(&blobs, old, &content(50_000)).await.unwrap();
    let kept = blobs.begin(&REPO, "alice", None, true).await.unwrap();
    assert_eq!(blobs.status(old, &REPO).unwrap().expires, lab.clock.now().plus(TTL));

    lab.clock.jump(Timestamp(1_900_000_000_000));
    assert_eq!(blobs.expire(10, |id| lab.names(id)).await.unwrap(), 0, "a wall clock that jumps expires nothing");

    lab.clock.advance(TTL / 2);
    assert_eq!(blobs.status(old, &REPO).unwrap().expires, lab.clock.now().plus(TTL / 2));
    put(&blobs, kept, &content(1)).await.unwrap();
    lab.clock.advance(TTL / 2);

    let refused = blobs.expire(10, |_| Err(BlobError::Io("the metadata cannot be read".to_owned()))).await;
    assert!(refused.is_err());
    assert_eq!(blobs.open_sessions(), 2, "who cannot ask does not delete");
    assert_eq!(blobs.expire(10, |id| lab.names(id)).await.unwrap(), 1);
    assert!(matches!(blobs.status(old, &REPO), Err(BlobError::UnknownSession)));
    assert!(blobs.status(kept, &REPO).is_ok());
    assert_eq!(blobs.list(None, 10).unwrap(), []);

    // After a restart a session has its whole time again.
    drop(blobs);
    let blobs = lab.open();
    assert_eq!(blobs.status(kept, &REPO).unwrap().expires, lab.clock.now().plus(TTL));
}

#[tokio::test]
async fn expiry_goes_in_bounded_steps() {
    let lab = Lab::new();
    let blobs = lab.open();
    for _ in 0..5 {
        blobs.begin(&REPO, "alice", None, true).await.unwrap();
    }
    lab.clock.advance(TTL);
    for left in [3, 1, 0, 0] {
        blobs.expire(2, |id| lab.names(id)).await.unwrap();
        assert_eq!(blobs.open_sessions(), left);
    }
}

#[tokio::test]
async fn one_owners_sessions_are_limited_and_the_abandoned_give_way() {
    let lab = Lab::new();
    let blobs = lab.open();
    let first = blobs.begin(&REPO, "alice", None, true).await.unwrap();
    put(&blobs, first, &content(100)).await.unwrap();
    let second = blobs.begin(&REPO, "alice", None, true).await.unwrap();
    lab.clock.advance(Duration::from_secs(1));
    for _ in 2..SESSIONS_EACH {
        blobs.begin(&REPO, "alice", None, false).await.unwrap();
    }
    let refused = blobs.begin(&REPO, "alice", None, false).await.unwrap_err();
    assert!(matches!(refused, BlobError::TooManySessions { limit: SESSIONS_EACH }), "a storm is no abandonment");
    blobs.begin(&REPO, "bob", None, false).await.expect("nobody keeps others from pushing");

    lab.clock.advance(Duration::from_mins(2));
    blobs.begin(&REPO, "alice", None, false).await.unwrap();
    assert!(blobs.status(second, &REPO).is_err(), "the one that stood empty for longest gave way");
    assert_eq!(blobs.status(first, &REPO).unwrap().offset, 100, "one that has received something did not");
    assert_eq!(blobs.open_sessions(), SESSIONS_EACH + 1);
}

#[tokio::test]
async fn files_are_listed_opened_and_removed() {
    use std::io::Read as _;
    let lab = Lab::new();
    let blobs = lab.open();
    let mut files = Vec::new();
    let bytes = content(20_000);
    for _ in 0..20 {
        let id = blobs.begin(&REPO, "alice", None, false).await.unwrap();
        put(&blobs, id, &bytes).await.unwrap();
        let file = file_of(&blobs.seal(id, &REPO, sha256(&bytes)).await.unwrap());
        assert!(blobs.owned().contains(&file));
        blobs.end(id);
        assert!(!blobs.owned().contains(&file));
        files.push(file);
    }
    files.sort_unstable();
    let mut listed: Vec<FileId> = Vec::new();
    loop {
        let step = blobs.list(listed.last().copied(), 7).unwrap();
        listed.extend(&step);
        if step.len() < 7 {
            break;
        }
    }
    assert_eq!(listed, files);

    let mut open = blobs.open_file(files[0]).unwrap();
    blobs.unlink(files[0]).unwrap();
    blobs.unlink(files[0]).unwrap();
    let mut pulled = Vec::new();
    open.read_to_end(&mut pulled).unwrap();
    assert_eq!(pulled, bytes, "an open file outlives its name");
    assert!(matches!(blobs.open_file(files[0]), Err(BlobError::Missing(id)) if id == files[0]));
    assert!(matches!(blobs.read_all(files[0], 20_000).await, Err(BlobError::Missing(_))));
    assert!(matches!(blobs.read_all(files[1], 20_001).await, Err(BlobError::Io(_))));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// However content is cut into chunks, pieces and runs of the process, the same bytes come out.
    #[test]
    fn any_split_gives_the_same_blob(
        chunks in prop::collection::vec((0_usize..60_000, 1_usize..70_000, any::<bool>()), 0..8),
        sha512: bool,
        announced: bool,
    ) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
        runtime.block_on(async {
            let lab = Lab::new();
            let bytes = content(chunks.iter().map(|(length, ..)| length).sum());
            let algorithm = if sha512 { Algorithm::Sha512 } else { Algorithm::Sha256 };
            let mut blobs = lab.open();
            let id = blobs.begin(&REPO, "alice", announced.then_some(algorithm), true).await.unwrap();
            let mut at = 0;
            for (length, piece, reopen) in chunks {
                let range = Some((at as u64, length as u64));
                let chunk = bytes.slice(at..at + length);
                at += length;
                let offset = blobs.append(id, &REPO, range, pieces(&chunk, piece)).await.unwrap();
                assert_eq!(offset, at as u64);
                if reopen {
                    drop(blobs);
                    blobs = lab.open();
                    assert_eq!(blobs.status(id, &REPO).unwrap().offset, at as u64);
                }
            }
            let sealed = blobs.seal(id, &REPO, Digest::of(algorithm, &bytes)).await.unwrap();
            assert_eq!(sealed.size, bytes.len() as u64);
            assert_eq!(read(&blobs, &sealed).await, bytes);
        });
    }
}
