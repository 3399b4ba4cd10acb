//! Checks that what the real server did is a run of the model.
//!
//! A trace tells less than the model knows: when a sidecar is written or what the sweep asks is not told, and what a
//! restart found of a session shows only later. So the replay follows every run of the model that fits what was told
//! so far; when none is left, the server did something that the model does not know.

use std::collections::HashMap;

use msr_lite::base::{FileId, UploadId};
use msr_lite::oci::{Digest, RepoName};
use msr_lite::registry::trace::TraceEvent;

use crate::invariants;
use crate::rules::{Bounds, Rules};
use crate::state::{DIGESTS, FILES, REPOS, SESSIONS, State, disk};
use crate::steps::{Next, Step, World};

/// A line of a trace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    /// By the server.
    Event(TraceEvent),
    /// A tick of the model has passed.
    Tick,
    /// The server was stopped and started.
    Restarted,
    /// The repository's tag was deleted.
    TagDeleted(RepoName),
    /// A manifest was answered `MANIFEST_BLOB_UNKNOWN`.
    PutRefused(RepoName, Digest),
}

/// What the names in a trace mean to the model.
#[derive(Clone, Debug)]
pub(crate) struct Names {
    pub(crate) repos: [RepoName; REPOS],
    pub(crate) digests: [Digest; DIGESTS],
    /// Steady time at which the trace begins, in ms.
    pub(crate) start: u64,
    /// Milliseconds in a tick.
    pub(crate) tick: u64,
}

/// Why a trace is no run of the model.
#[derive(Debug)]
pub(crate) struct Refused {
    /// The line.
    pub(crate) at: usize,
    pub(crate) why: String,
}

const NOBODY: u16 = u16::MAX;

/// A state that fits what was told, and which of its numbers are whose.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct Guess {
    state: State,
    uploads: [u16; SESSIONS],
    files: [u16; FILES],
}

impl Guess {
    /// Numbers that nobody has any more.
    fn forget_the_unused(&mut self) {
        for (slot, upload) in self.uploads.iter_mut().enumerate() {
            if !self.state.sessions[slot].is_open() {
                *upload = NOBODY;
            }
        }
        for (slot, file) in self.files.iter_mut().enumerate() {
            if !self.state.is_in_use(slot) {
                *file = NOBODY;
            }
        }
    }
}

struct Replay<'n> {
    names: &'n Names,
    world: World,
    uploads: HashMap<UploadId, u16>,
    files: HashMap<FileId, u16>,
    /// Which blob an upload turns out to be: it is not known when the session begins, but the model says it then.
    blobs: HashMap<UploadId, u8>,
    now: u64,
    doomed: Option<FileId>,
    guesses: Vec<Guess>,
}

/// Whether the trace is a run of the model.
///
/// # Errors
/// [`Refused`] with the first line that does not fit.
pub(crate) fn replay(names: &Names, trace: &[Told]) -> Result<(), Refused> {
    let world = World { bounds: Bounds::LARGEST, rules: Rules::AsBuilt };
    let nothing = Guess { state: State::default(), uploads: [NOBODY; SESSIONS], files: [NOBODY; FILES] };
    let mut replay = Replay {
        names,
        world,
        uploads: HashMap::new(),
        files: HashMap::new(),
        blobs: HashMap::new(),
        now: names.start,
        doomed: None,
        guesses: vec![nothing],
    };
    for told in trace {
        if let Told::Event(TraceEvent::Published { upload, digest, .. }) = told {
            replay.blobs.insert(*upload, replay.digest(digest).unwrap_or_default() as u8);
        }
    }
    for (at, told) in trace.iter().enumerate() {
        replay.line(told).map_err(|why| Refused { at, why: format!("{why}: {told:?}") })?;
    }
    match replay.doomed {
        Some(_) => Err(Refused { at: trace.len(), why: "a file was doomed by nothing".to_owned() }),
        None => Ok(()),
    }
}

impl Replay<'_> {
    fn repo(&self, name: &RepoName) -> Option<usize> {
        self.names.repos.iter().position(|known| known == name)
    }

    fn digest(&self, digest: &Digest) -> Option<usize> {
        self.names.digests.iter().position(|known| known == digest)
    }

    fn mask(&self, digests: &[Digest]) -> Option<u8> {
        digests.iter().try_fold(0, |mask, digest| Some(mask | 1 << self.digest(digest)?))
    }

    fn line(&mut self, told: &Told) -> Result<(), String> {
        if let Told::Event(TraceEvent::Doomed { file, .. }) = told {
            return match self.doomed.replace(*file) {
                Some(_) => Err("another file was doomed by nothing".to_owned()),
                None => Ok(()),
            };
        }
        if let Told::Event(TraceEvent::SessionBegan { upload, file, .. }) = told {
            let next = self.uploads.len() as u16;
            self.uploads.insert(*upload, next);
            self.files.insert(*file, next);
        }
        if *told == Told::Tick {
            self.now += self.names.tick;
        }
        self.times(told)?;
        let mut after: Vec<Guess> = Vec::new();
        for guess in self.unfold(told) {
            for mut next in self.fitting(&guess, told) {
                next.forget_the_unused();
                if let Some(broken) = invariants::in_state(&self.world, &next.state) {
                    return Err(format!("{broken:?} is broken"));
                }
                if !after.contains(&next) {
                    after.push(next);
                }
            }
        }
        if after.is_empty() {
            return Err("no state of the model allows this".to_owned());
        }
        let dooms = matches!(told, Told::Event(TraceEvent::Published { .. } | TraceEvent::RowCollected { .. }));
        if self.doomed.take_if(|_| dooms).is_none() && self.doomed.is_some() {
            return Err("a file was doomed, but not by this".to_owned());
        }
        self.guesses = after;
        Ok(())
    }

    /// Whether the times that are told are right; what is left of leases is compared in [`Replay::fitting`].
    fn times(&self, told: &Told) -> Result<(), String> {
        let full = self.now + u64::from(self.world.bounds.lease) * self.names.tick;
        let right = match told {
            Told::Event(
                TraceEvent::Published { lease_until, .. }
                | TraceEvent::Mounted { lease_until, .. }
                | TraceEvent::ManifestPut { lease_until, .. }
                | TraceEvent::HeadAnswered { lease_until, renewed: true, .. },
            ) => *lease_until == full,
            Told::Event(TraceEvent::LinkCollected { steady, .. } | TraceEvent::RowCollected { steady, .. }) => {
                *steady == self.now
            }
            _ => true,
        };
        if right { Ok(()) } else { Err(format!("the model's time is {}", self.now)) }
    }

    /// The guesses, and what may have become of them by steps that are not told. Such a step can always wait until one
    /// that is told needs it: nobody else touches the file of a session or an orphan, or an ended session's number.
    fn unfold(&self, told: &Told) -> Vec<Guess> {
        let uploads = |step| matches!(step, Step::Sidecar { .. } | Step::File { .. } | Step::Seal { .. });
        let is_needed: fn(Step) -> bool = match told {
            Told::Event(TraceEvent::Published { .. }) | Told::Restarted => uploads,
            Told::Event(TraceEvent::SessionBegan { .. }) => |step| matches!(step, Step::Settle { .. }),
            Told::Event(TraceEvent::Swept { .. }) => {
                |step| matches!(step, Step::SweepAsksFirst { .. } | Step::SweepAsksSecond { .. })
            }
            _ => return self.guesses.clone(),
        };
        let mut guesses = self.guesses.clone();
        let mut next = Next::new();
        let mut at = 0;
        while at < guesses.len() {
            let guess = guesses[at];
            self.world.next(&guess.state, &mut next);
            for (step, state) in &next {
                let after = Guess { state: *state, ..guess };
                if is_needed(*step) && !guesses.contains(&after) {
                    guesses.push(after);
                }
            }
            at += 1;
        }
        guesses
    }

    /// What a line makes of a guess.
    fn fitting(&self, guess: &Guess, told: &Told) -> Vec<Guess> {
        let s = &guess.state;
        let unchanged = match told {
            Told::Event(TraceEvent::Purged { file }) => {
                self.slot_of(guess, file).is_some_and(|file| s.is_doomed(file) && s.disk[file] == disk::ABSENT)
            }
            // Time goes on, also when nothing is left that could run out.
            Told::Tick => s.lease == [0; DIGESTS],
            Told::PutRefused(repo, digest) => match (self.repo(repo), self.digest(digest)) {
                (Some(repo), Some(digest)) if digest >= crate::state::BLOBS => {
                    let missing = self.world.bounds.references(digest - crate::state::BLOBS) & !s.present[repo];
                    missing & s.lost[repo] != 0
                }
                _ => false,
            },
            _ => false,
        };
        let mut fitting = Vec::new();
        if unchanged {
            fitting.push(*guess);
        }
        let mut next = Next::new();
        self.world.next(s, &mut next);
        for (step, state) in next {
            let mut after = Guess { state, ..*guess };
            if self.fits(guess, told, step, &mut after).unwrap_or(false)
                && invariants::in_step(&self.world, s, step, &state).is_none()
            {
                fitting.push(after);
            }
        }
        fitting
    }

    fn slot_of(&self, guess: &Guess, file: &FileId) -> Option<usize> {
        let number = self.files.get(file)?;
        guess.files.iter().position(|known| known == number)
    }

    /// Whether a step of the model is what was told. `None` when the trace names something that the model lacks.
    fn fits(&self, guess: &Guess, told: &Told, step: Step, after: &mut Guess) -> Option<bool> {
        let s = &guess.state;
        let event = match told {
            Told::Tick => return Some(step == Step::Tick),
            Told::Restarted => return Some(step == Step::Restart),
            Told::TagDeleted(repo) => return Some(step == Step::DeleteTag { repo: self.repo(repo)? as u8 }),
            Told::PutRefused(..) => return Some(false),
            Told::Event(event) => event,
        };
        let is = |slot: u8, upload: &UploadId| self.uploads.get(upload) == Some(&guess.uploads[slot as usize]);
        let holds =
            |slot: u8, file: &FileId| self.slot_of(guess, file) == Some(s.sessions[slot as usize].file as usize);
        let doomed = || self.doomed.and_then(|file| self.slot_of(guess, &file));
        Some(match (event, step) {
            (
                TraceEvent::SessionBegan { upload, file, repo },
                Step::Begin { session, repo: into, blob, file: slot },
            ) => {
                after.uploads[session as usize] = *self.uploads.get(upload)?;
                after.files[slot as usize] = *self.files.get(file)?;
                self.repo(repo)? == into as usize && self.blobs.get(upload).copied().unwrap_or_default() == blob
            }
            (TraceEvent::SessionCancelled { upload }, Step::Expire { session, file_stays: false }) => {
                is(session, upload)
            }
            (TraceEvent::SessionExpired { file, named }, Step::Expire { session, file_stays: false }) => {
                holds(session, file) && s.is_named(s.sessions[session as usize].file as usize) == *named
            }
            (
                TraceEvent::Published { upload, repo, digest, file, new_row, .. },
                Step::Publish { session, repo: into, blob, new_row: first },
            ) => {
                let own = s.sessions[session as usize].file as usize;
                let dooms = after.state.is_doomed(own) && !s.is_doomed(own);
                is(session, upload)
                    && holds(session, &(*file)?)
                    && (self.repo(repo)?, self.digest(digest)?, *new_row) == (into as usize, blob as usize, first)
                    && doomed() == dooms.then_some(own)
            }
            (TraceEvent::Mounted { repo, from, digest, .. }, Step::Mount { repo: into, blob }) => {
                (self.repo(repo)?, self.digest(digest)?) == (into as usize, blob as usize)
                    && s.has(self.repo(from)?, blob as usize)
            }
            (
                TraceEvent::HeadAnswered { repo, digest, lease_until, renewed },
                Step::Head { repo: of, digest: asked, renewed: again },
            ) => {
                let left = u64::from(after.state.lease[asked as usize]) * self.names.tick;
                (self.repo(repo)?, self.digest(digest)?, *renewed) == (of as usize, asked as usize, again)
                    && *lease_until == self.now + left
            }
            (
                TraceEvent::ManifestPut { repo, digest, references, missing, tagged, .. },
                Step::Put { repo: into, manifest, tagged: with_tag, missing: lacks },
            ) => {
                let k = manifest as usize;
                (self.repo(repo)?, self.digest(digest)?) == (into as usize, crate::state::manifest(k))
                    && (self.mask(references)?, self.mask(missing)?) == (self.world.bounds.references(k), lacks)
                    && *tagged == with_tag
            }
            (TraceEvent::ManifestDeleted { repo, digest, collected }, step) => {
                let (repo, manifest) =
                    (self.repo(repo)? as u8, self.digest(digest)?.checked_sub(crate::state::BLOBS)? as u8);
                match step {
                    Step::CleanUp { .. } => *collected && step == Step::CleanUp { repo, manifest },
                    _ => !*collected && step == Step::DeleteManifest { repo, manifest },
                }
            }
            (TraceEvent::BlobDeleted { repo, digest }, step) => {
                step == Step::DeleteBlob { repo: self.repo(repo)? as u8, blob: self.digest(digest)? as u8 }
            }
            (TraceEvent::LinkCollected { repo, digest, .. }, step) => {
                step == Step::CollectLink { repo: self.repo(repo)? as u8, blob: self.digest(digest)? as u8 }
            }
            (TraceEvent::RowCollected { digest, file, .. }, Step::CollectRow { blob }) => {
                let named = s.row[blob as usize] as usize - 1;
                self.digest(digest)? == blob as usize
                    && self.slot_of(guess, &(*file)?) == Some(named)
                    && doomed() == Some(named)
            }
            (TraceEvent::Purged { file }, step) => step == Step::Purge { file: self.slot_of(guess, file)? as u8 },
            (TraceEvent::Forgotten { file }, step) => step == Step::Forget { file: self.slot_of(guess, file)? as u8 },
            (TraceEvent::Swept { file }, step) => step == Step::SweepRemoves { file: self.slot_of(guess, file)? as u8 },
            _ => false,
        })
    }
}
