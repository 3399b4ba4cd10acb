//! Upload sessions: who owns which file, who is working on it, and when it is over.
//!
//! A session's content ([`Upload`]) is taken out of it by whoever works on it (a [`Claim`]) and comes back when the
//! claim is dropped, wherever and however that happens; so there is one writer at most, no lock is held across I/O,
//! and a request that is dropped in the middle leaves the session as its last finished step left it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use super::fs::Fs;
use super::sidecar::{Heading, Sidecar, Stored};
use super::upload::{Before, Upload};
use super::{BlobError, BlobOptions, SESSIONS_EACH, SESSIONS_MAX, SessionStatus};
use crate::base::{Clock, FileId, Timestamp, UploadId};
use crate::oci::{Algorithm, RepoName};

/// A session that no client can come back to (a push in a single request) is over when nobody has worked on it for
/// this long: its request has gone.
const SINGLE_TTL: Duration = Duration::from_mins(10);

/// An empty session that nobody has touched for this long may give way to a new one of the same owner.
const ABANDONED: Duration = Duration::from_mins(1);

/// What all clones of [`super::Blobs`] share.
pub(super) struct Store {
    pub(super) fs: Arc<Fs>,
    pub(super) options: BlobOptions,
    clock: Clock,
    sessions: Mutex<HashMap<UploadId, Arc<Session>>>,
}

/// One upload session.
pub(super) struct Session {
    id: UploadId,
    repo: RepoName,
    owner: String,
    pub(super) file: FileId,
    pub(super) durable: bool,
    started: Timestamp,
    state: Mutex<State>,
}

struct State {
    /// Bytes received and kept, as the last finished step left them.
    offset: u64,
    /// The last activity, in steady time: a wall clock that jumps expires nothing.
    steady: u64,
    /// The same in wall time, for people.
    active: Timestamp,
    work: Work,
    fate: Option<Fate>,
}

/// What is being done with a session's content.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Bytes are being taken in: a cancellation stops it.
    Receiving,
    /// It is being verified, or a row that names the file is being written: nothing may come between.
    Publishing,
    /// It is being removed.
    Expiring,
}

enum Work {
    /// Nobody works on it.
    Idle(Box<Upload>),
    /// Somebody has taken the content out.
    Taken(Kind),
}

/// How a session ended while somebody was working on it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// Whoever works on it removes file and sidecar.
    Cancelled,
    /// The file is a published blob now.
    Ended,
}

/// The right to work on a session, with its content.
pub(super) struct Claim {
    store: Arc<Store>,
    session: Arc<Session>,
    upload: Option<Box<Upload>>,
    kind: Kind,
}

impl Store {
    pub(super) fn new(fs: Fs, options: BlobOptions, clock: Clock) -> Self {
        Self { fs: Arc::new(fs), options, clock, sessions: Mutex::default() }
    }

    /// Rebuilds the sessions of the last run; see [`super::Blobs::open`].
    pub(super) fn rebuild(&self, named: impl Fn(FileId) -> Result<bool, BlobError>) -> Result<(), BlobError> {
        for id in self.fs.sidecars()? {
            let Some(sidecar) = Sidecar::decode(&self.fs.sidecar(id)?) else {
                tracing::warn!("removing an upload's sidecar that cannot be read");
                self.fs.remove_sidecar(id)?;
                continue;
            };
            let upload = if named(sidecar.file)? { None } else { self.take_up(&sidecar)? };
            match upload {
                Some(upload) => {
                    let session = Session {
                        id,
                        repo: sidecar.repo,
                        owner: sidecar.owner,
                        file: sidecar.file,
                        durable: sidecar.durable,
                        started: sidecar.started,
                        state: Mutex::new(self.state(upload)),
                    };
                    self.sessions.lock().insert(id, Arc::new(session));
                }
                None => drop(self.fs.remove_sidecar(id)?),
            }
        }
        Ok(())
    }

    /// The content that a sidecar tells of, the file cut to it; `None` when there is no going on. No table names the
    /// file.
    fn take_up(&self, sidecar: &Sidecar) -> Result<Option<Upload>, BlobError> {
        let (fs, file) = (&self.fs, sidecar.file);
        match (sidecar.algorithm(), sidecar.stored()) {
            (Some(algorithm), Some(Stored::Inline(bytes))) if sidecar.durable => {
                // The run ended between making the file and the first sync.
                fs.remove(file)?;
                return Ok(Some(Upload::inline(algorithm, bytes)));
            }
            (Some(algorithm), Some(Stored::File { offset, hasher })) if sidecar.durable => {
                match fs.open_to_write(file) {
                    Ok(open) => {
                        let length = open.metadata().map_err(|e| super::fs::failed("looking at a file", &e))?.len();
                        if length >= offset {
                            fs.cut(&open, offset)?;
                            return Ok(Some(Upload::on_disk(algorithm, offset, hasher.map(|h| *h))));
                        }
                    }
                    Err(BlobError::Missing(_)) => return Ok(None),
                    Err(e) => return Err(e),
                }
            }
            _ => {}
        }
        fs.remove(file)?;
        Ok(None)
    }

    fn state(&self, upload: Upload) -> State {
        State {
            offset: upload.offset(),
            steady: self.clock.steady(),
            active: self.clock.now(),
            work: Work::Idle(Box::new(upload)),
            fate: None,
        }
    }

    /// Makes a session: the entry in memory first, then the sidecar.
    pub(super) fn begin(
        self: &Arc<Self>,
        repo: &RepoName,
        owner: &str,
        algorithm: Algorithm,
        durable: bool,
    ) -> Result<UploadId, BlobError> {
        let id = UploadId::random();
        let session = Arc::new(Session {
            id,
            repo: repo.clone(),
            owner: owner.to_owned(),
            file: FileId::random(),
            durable,
            started: self.clock.now(),
            state: Mutex::new(self.state(Upload::empty(algorithm))),
        });
        self.enter(&session)?;
        if durable {
            let written = Claim::take(self, &session, Kind::Receiving).and_then(|claim| claim.note());
            if let Err(e) = written {
                self.sessions.lock().remove(&id);
                return Err(e);
            }
        }
        Ok(id)
    }

    /// Takes a session into memory, if the limits leave room for it.
    fn enter(self: &Arc<Self>, session: &Arc<Session>) -> Result<(), BlobError> {
        // Dropped after the lock: it removes a sidecar.
        let mut gives_way = None;
        let mut sessions = self.sessions.lock();
        // Nobody can have more than there are: most of the time there is nothing to count.
        let own = match sessions.len() {
            0..SESSIONS_EACH => 0,
            _ => sessions.values().filter(|other| other.owner == session.owner).count(),
        };
        if own >= SESSIONS_EACH || sessions.len() >= SESSIONS_MAX {
            let limit = if own >= SESSIONS_EACH { SESSIONS_EACH } else { SESSIONS_MAX };
            let claim = self.abandoned(&sessions, &session.owner).ok_or(BlobError::TooManySessions { limit })?;
            claim.session.state.lock().fate = Some(Fate::Cancelled);
            sessions.remove(&claim.session.id);
            gives_way = Some(claim);
        }
        sessions.insert(session.id, Arc::clone(session));
        drop(sessions);
        drop(gives_way);
        Ok(())
    }

    /// The owner's session that has stood empty for longest, if that is long enough for a client to have given it up.
    fn abandoned(self: &Arc<Self>, sessions: &HashMap<UploadId, Arc<Session>>, owner: &str) -> Option<Claim> {
        let empty = sessions.values().filter(|session| session.owner == owner).filter_map(|session| {
            let state = session.state.lock();
            let idle = self.idle(&state);
            (state.offset == 0 && matches!(state.work, Work::Idle(_)) && idle >= ABANDONED).then_some((idle, session))
        });
        let (_, session) = empty.max_by_key(|(idle, _)| *idle)?;
        Claim::take(self, session, Kind::Expiring).ok()
    }

    fn find(&self, id: UploadId, repo: &RepoName) -> Result<Arc<Session>, BlobError> {
        let sessions = self.sessions.lock();
        sessions.get(&id).filter(|s| s.repo == *repo).cloned().ok_or(BlobError::UnknownSession)
    }

    /// Claims a session to write to it.
    pub(super) fn receive(self: &Arc<Self>, id: UploadId, repo: &RepoName) -> Result<Claim, BlobError> {
        Claim::take(self, &self.find(id, repo)?, Kind::Receiving)
    }

    /// Claims a session to publish it.
    pub(super) fn publish(self: &Arc<Self>, id: UploadId, repo: &RepoName) -> Result<Claim, BlobError> {
        Claim::take(self, &self.find(id, repo)?, Kind::Publishing)
    }

    pub(super) fn status(&self, id: UploadId, repo: &RepoName) -> Result<SessionStatus, BlobError> {
        let session = self.find(id, repo)?;
        let state = session.state.lock();
        let left = self.ttl(&session).saturating_sub(self.idle(&state));
        let expires = self.clock.now().plus(left);
        Ok(SessionStatus { repo: repo.clone(), owner: session.owner.clone(), offset: state.offset, expires })
    }

    /// Takes a session out of memory whose file has been published.
    pub(super) fn end(&self, id: UploadId) {
        let Some(session) = self.sessions.lock().remove(&id) else { return };
        session.state.lock().fate = Some(Fate::Ended);
        if let Err(error) = self.fs.remove_sidecar(id) {
            // The next start finds that the file is named and removes the sidecar.
            tracing::warn!(%error, "a finished upload's sidecar stays");
        }
    }

    /// Takes a session out of memory; whoever works on it cleans up, else the claim that is returned does when it is
    /// dropped (which blocks).
    pub(super) fn cancel(self: &Arc<Self>, id: UploadId, repo: &RepoName) -> Result<Option<Claim>, BlobError> {
        let session = self.find(id, repo)?;
        let claim = {
            let mut state = session.state.lock();
            let claim = match state.work {
                Work::Taken(Kind::Receiving) => None,
                _ => Some(Claim::take_from(self, &session, &mut state, Kind::Expiring)?),
            };
            state.fate = Some(Fate::Cancelled);
            claim
        };
        self.sessions.lock().remove(&id);
        Ok(claim)
    }

    /// Claims sessions that have expired, at most `limit`. Those that somebody works on have not.
    pub(super) fn expired(self: &Arc<Self>, limit: usize) -> Vec<Claim> {
        let sessions = self.sessions.lock();
        let expired = sessions.values().filter(|session| self.idle(&session.state.lock()) >= self.ttl(session));
        expired.filter_map(|session| Claim::take(self, session, Kind::Expiring).ok()).take(limit).collect()
    }

    fn ttl(&self, session: &Session) -> Duration {
        if session.durable { self.options.session_ttl } else { self.options.session_ttl.min(SINGLE_TTL) }
    }

    fn idle(&self, state: &State) -> Duration {
        Duration::from_millis(self.clock.steady().saturating_sub(state.steady))
    }

    pub(super) fn owned(&self) -> std::collections::HashSet<FileId> {
        self.sessions.lock().values().map(|session| session.file).collect()
    }

    pub(super) fn file_of(&self, id: UploadId) -> Option<FileId> {
        self.sessions.lock().get(&id).map(|session| session.file)
    }

    pub(super) fn open_sessions(&self) -> usize {
        self.sessions.lock().len()
    }
}

impl State {
    fn touch(&mut self, clock: &Clock) {
        self.steady = clock.steady();
        self.active = clock.now();
    }
}

impl Claim {
    fn take(store: &Arc<Store>, session: &Arc<Session>, kind: Kind) -> Result<Self, BlobError> {
        Self::take_from(store, session, &mut session.state.lock(), kind)
    }

    fn take_from(store: &Arc<Store>, session: &Arc<Session>, state: &mut State, kind: Kind) -> Result<Self, BlobError> {
        if state.fate.is_some() {
            return Err(BlobError::UnknownSession);
        }
        match std::mem::replace(&mut state.work, Work::Taken(kind)) {
            Work::Idle(upload) => {
                Ok(Self { store: Arc::clone(store), session: Arc::clone(session), upload: Some(upload), kind })
            }
            taken @ Work::Taken(_) => {
                state.work = taken;
                Err(BlobError::Busy)
            }
        }
    }

    pub(super) fn store(&self) -> &Arc<Store> {
        &self.store
    }

    pub(super) fn session(&self) -> &Session {
        &self.session
    }

    /// The content; with the file system and the file's id, which its operations need.
    pub(super) fn parts(&mut self) -> (&mut Upload, &Arc<Fs>, FileId) {
        let upload = self.upload.as_mut().expect("a claim has the content until it is dropped");
        (upload, &self.store.fs, self.session.file)
    }

    pub(super) fn upload(&self) -> &Upload {
        self.upload.as_ref().expect("a claim has the content until it is dropped")
    }

    /// Ends the work if the session has been cancelled or ended meanwhile.
    ///
    /// # Errors
    /// [`BlobError::UnknownSession`] then.
    pub(super) fn alive(&self) -> Result<(), BlobError> {
        if self.session.state.lock().fate.is_some() { Err(BlobError::UnknownSession) } else { Ok(()) }
    }

    /// Shows the progress to [`Store::status`].
    pub(super) fn show(&self) {
        let mut state = self.session.state.lock();
        state.offset = self.upload().offset();
        state.touch(&self.store.clock);
    }

    /// The sidecar as the session stands now.
    pub(super) fn sidecar(&self) -> Sidecar {
        let upload = self.upload();
        upload.sidecar(&Heading {
            repo: self.session.repo.clone(),
            owner: &self.session.owner,
            file: self.session.file,
            algorithm: upload.algorithm(),
            durable: self.session.durable,
            started: self.session.started,
            active: self.session.state.lock().active,
        })
    }

    /// Writes the sidecar as the session stands now. Some kilobytes into the page cache and a rename, no sync: this
    /// is done on asynchronous threads too, where a change of threads would cost more.
    pub(super) fn note(&self) -> Result<(), BlobError> {
        self.alive()?;
        self.store.fs.put_sidecar(self.session.id, &self.sidecar().encode())
    }

    /// What writes this sidecar later, on another thread.
    pub(super) fn later_note(&self) -> impl FnOnce() -> Result<(), BlobError> + Send + 'static {
        let (store, session, content) = (Arc::clone(&self.store), Arc::clone(&self.session), self.sidecar().encode());
        move || {
            if session.state.lock().fate.is_some() {
                return Err(BlobError::UnknownSession);
            }
            store.fs.put_sidecar(session.id, &content)
        }
    }

    /// Makes or opens the file: the sidecar, which names the file from the first on, comes before it. A durable
    /// session has had one since it began.
    pub(super) fn prepare(&mut self, expected: Option<u64>) -> Result<(), BlobError> {
        self.alive()?;
        if !self.session.durable && self.upload().is_inline() {
            self.note()?;
        }
        let (upload, fs, file) = self.parts();
        upload.prepare(fs, file, expected)
    }

    /// Goes back to where an append began, in memory, in the file and in the sidecar.
    pub(super) fn roll_back(&mut self, before: Before) {
        let (upload, fs, file) = self.parts();
        let mut went = upload.roll_back(fs, file, before);
        self.show();
        if self.session.durable {
            // Synced here alone: were a power cut to bring back the sidecar from before, its hash state could belong to
            // bytes that are overwritten from now on.
            went = went.and_then(|()| self.note()).and_then(|()| self.store.fs.sync_sidecars());
        } else if self.upload().is_inline() {
            went = went.and(self.store.fs.remove_sidecar(self.session.id).map(drop));
        }
        if let Err(error) = went {
            // The sidecar may tell of bytes that are gone: without it a restart ends the session cleanly.
            tracing::warn!(%error, "an upload that failed could not be set back; it will not survive a restart");
            let _ = self.store.fs.remove_sidecar(self.session.id);
        }
    }

    /// Ends the session: memory, file and sidecar go, or memory and sidecar alone when a table names the file. Blocks.
    pub(super) fn discard(self, named: bool) {
        if named {
            self.store.end(self.session.id);
        } else {
            self.session.state.lock().fate = Some(Fate::Cancelled);
            self.store.sessions.lock().remove(&self.session.id);
        }
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        let Some(upload) = self.upload.take() else { return };
        let mut state = self.session.state.lock();
        state.offset = upload.offset();
        if self.kind != Kind::Expiring {
            state.touch(&self.store.clock);
        }
        state.work = Work::Idle(upload);
        let fate = state.fate;
        drop(state);
        if fate == Some(Fate::Cancelled) {
            // The file first: a sidecar without its file is dropped at start, a file without sidecar must be swept.
            let file = self.store.fs.remove(self.session.file);
            if let Err(error) = file.and_then(|_| self.store.fs.remove_sidecar(self.session.id)) {
                tracing::warn!(%error, "a cancelled upload left something behind for the sweep");
            }
        }
    }
}
