//! What can happen next.

use crate::rules::{Bounds, Rules};
use crate::state::{BLOBS, DIGESTS, REPOS, Session, State, Sweep, disk, manifest, phase};

/// A step, as the counterexamples name it and as the replay asks for it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Step {
    /// A session stands in memory and owns a file's name.
    Begin {
        session: u8,
        repo: u8,
        blob: u8,
        file: u8,
    },
    /// Its sidecar is written.
    Sidecar {
        session: u8,
    },
    /// Its file is made.
    File {
        session: u8,
    },
    /// Its bytes are verified and on disk.
    Seal {
        session: u8,
    },
    /// Committed: rows, link and lease of an upload; 201.
    Publish {
        session: u8,
        repo: u8,
        blob: u8,
        new_row: bool,
    },
    /// The same, but the session's end fails.
    PublishUnended {
        session: u8,
    },
    /// A closing request finds that its session's file was published, collected and removed: the session is over.
    SessionWasOver {
        session: u8,
    },
    /// A session expires or is cancelled. A removal that is not synced may come undone.
    Expire {
        session: u8,
        file_stays: bool,
    },
    /// The removal of a sidecar is on disk.
    Settle {
        session: u8,
    },
    /// Session, file and commit of an upload in one (where uploads are not what is searched).
    Upload {
        repo: u8,
        blob: u8,
    },
    /// 200 to one who may push.
    Head {
        repo: u8,
        digest: u8,
        renewed: bool,
    },
    /// Committed: link and lease; 201.
    Mount {
        repo: u8,
        blob: u8,
    },
    /// Committed: row, edges, tag and lease of a manifest; 201.
    Put {
        repo: u8,
        manifest: u8,
        tagged: bool,
        missing: u8,
    },
    DeleteTag {
        repo: u8,
    },
    DeleteManifest {
        repo: u8,
        manifest: u8,
    },
    DeleteBlob {
        repo: u8,
        blob: u8,
    },
    /// A weakened rule looks, and acts later.
    Look,
    CollectLink {
        repo: u8,
        blob: u8,
    },
    CollectRow {
        blob: u8,
    },
    /// The weakened collector removes a file before it commits.
    UnlinkTooEarly {
        blob: u8,
    },
    CleanUp {
        repo: u8,
        manifest: u8,
    },
    Purge {
        file: u8,
    },
    Forget {
        file: u8,
    },
    /// The sweep asks, first the sessions, then the table, and removes.
    SweepAsksFirst {
        file: u8,
    },
    SweepAsksSecond {
        file: u8,
        orphan: bool,
    },
    SweepRemoves {
        file: u8,
    },
    Tick,
    /// The process ends, in order or killed, and starts again: memory is gone, what was written is there.
    Restart,
    /// The machine loses power and starts again: what was not synced is there, or is not.
    PowerCut,
}

impl Step {
    /// Whether a user asked for something to be gone: the one who may break promises.
    pub(crate) fn is_deletion(self) -> bool {
        matches!(self, Self::DeleteTag { .. } | Self::DeleteManifest { .. } | Self::DeleteBlob { .. })
    }

    /// Whether files may be left behind for the sweep.
    pub(crate) fn may_orphan(self) -> bool {
        matches!(self, Self::PowerCut | Self::Expire { .. })
    }
}

/// Bounds and rules: what is needed to know the next states.
#[derive(Clone, Copy, Debug)]
pub(crate) struct World {
    pub(crate) bounds: Bounds,
    pub(crate) rules: Rules,
}

pub(crate) type Next = Vec<(Step, State)>;

impl World {
    /// Whether manifests of the repository refer to the digest, as the edges say.
    pub(crate) fn is_referred_to(&self, s: &State, repo: usize, digest: usize) -> bool {
        (0..self.bounds.manifests).any(|k| s.edges[repo] >> k & 1 == 1 && self.bounds.references(k) >> digest & 1 == 1)
    }

    /// Everything that can happen next.
    pub(crate) fn next(&self, s: &State, out: &mut Next) {
        out.clear();
        self.uploads(s, out);
        self.pushers(s, out);
        self.users(s, out);
        self.collector(s, out);
        self.purger_and_sweep(s, out);
        Self::time(s, out);
        self.crashes(s, out);
    }

    // Uploads.

    fn uploads(&self, s: &State, out: &mut Next) {
        let free_file = |blob: usize| {
            if self.rules == Rules::FileNamesAreReused {
                return Some(blob);
            }
            (0..self.bounds.files).find(|file| !s.is_in_use(*file))
        };
        for repo in 0..self.bounds.repos {
            for blob in 0..self.bounds.blobs {
                let Some(file) = free_file(blob) else { continue };
                if self.bounds.sessions == 0 {
                    let mut n = *s;
                    n.disk[file] = disk::SYNCED;
                    self.publish(&mut n, repo, blob, file);
                    out.push((Step::Upload { repo: repo as u8, blob: blob as u8 }, n));
                } else if let Some(slot) = (0..self.bounds.sessions).find(|i| s.sessions[*i].phase == phase::NONE) {
                    let mut n = *s;
                    let (repo, blob, file) = (repo as u8, blob as u8, file as u8);
                    n.sessions[slot] = Session { phase: phase::MEMORY, repo, blob, file };
                    if self.rules == Rules::FileBeforeSession {
                        n.disk[file as usize] = disk::UNSYNCED;
                    }
                    out.push((Step::Begin { session: slot as u8, repo, blob, file }, n));
                }
            }
        }
        for slot in 0..self.bounds.sessions {
            self.session(s, slot, out);
        }
    }

    fn session(&self, s: &State, slot: usize, out: &mut Next) {
        let session = s.sessions[slot];
        let (name, file) = (slot as u8, session.file as usize);
        let (repo, blob) = (session.repo as usize, session.blob as usize);
        let mut n = *s;
        match session.phase {
            phase::MEMORY => {
                n.sessions[slot].phase = phase::SIDECAR;
                if self.rules == Rules::FileBeforeSession {
                    // The file is there since the session began, which is remembered only now.
                    n.sessions[slot].phase = phase::FILE;
                }
                out.push((Step::Sidecar { session: name }, n));
            }
            phase::SIDECAR => {
                n.disk[file] = disk::UNSYNCED;
                n.sessions[slot].phase = phase::FILE;
                out.push((Step::File { session: name }, n));
            }
            phase::FILE => {
                if s.disk[file] == disk::UNSYNCED && self.rules != Rules::PublishBeforeSync {
                    n.disk[file] = disk::SYNCED;
                }
                n.sessions[slot].phase = phase::SEALED;
                out.push((Step::Seal { session: name }, n));
            }
            phase::SEALED => {
                let new_row = s.row[blob] == 0;
                self.publish(&mut n, repo, blob, file);
                n.sessions[slot].phase = phase::LINGERING;
                out.push((Step::Publish { session: name, repo: session.repo, blob: session.blob, new_row }, n));
                n.sessions[slot].phase = phase::UNENDED;
                out.push((Step::PublishUnended { session: name }, n));
            }
            phase::UNENDED => {
                n.sessions[slot].phase = phase::LINGERING;
                if s.row[blob] as usize == file + 1 {
                    self.give(&mut n, repo, blob, self.rules != Rules::PublishWithoutLease);
                    let step = Step::Publish { session: name, repo: session.repo, blob: session.blob, new_row: false };
                    out.push((step, n));
                } else {
                    out.push((Step::SessionWasOver { session: name }, n));
                }
            }
            phase::LINGERING => {
                n.sessions[slot] = Session::default();
                out.push((Step::Settle { session: name }, n));
            }
            _ => {}
        }
        if session.is_open() {
            let mut n = *s;
            self.expire(&mut n, slot);
            out.push((Step::Expire { session: name, file_stays: false }, n));
            if matches!(session.phase, phase::FILE | phase::SEALED) && s.disk[file] != disk::ABSENT {
                let mut n = *s;
                n.sessions[slot] = Session::default();
                n.disk[file] = disk::SYNCED;
                out.push((Step::Expire { session: name, file_stays: true }, n));
            }
        }
    }

    /// Ends a session that nobody works on.
    pub(crate) fn expire(&self, n: &mut State, slot: usize) {
        let Session { phase, file, .. } = n.sessions[slot];
        let file = file as usize;
        if phase == phase::UNENDED {
            n.sessions[slot].phase = phase::LINGERING;
        } else {
            n.sessions[slot] = Session::default();
        }
        if !n.is_named(file) || self.rules == Rules::ExpiryIgnoresTheTable {
            n.disk[file] = disk::ABSENT;
        }
    }

    /// The commit of an upload whose file no table names yet.
    fn publish(&self, n: &mut State, repo: usize, blob: usize, file: usize) {
        let before = n.row[blob] as usize;
        if before == 0 {
            n.row[blob] = file as u8 + 1;
        } else if before != file + 1 && self.rules != Rules::PublishDoesNotDoomTheSecondFile {
            n.doomed |= 1 << file;
        }
        self.give(n, repo, blob, self.rules != Rules::PublishWithoutLease);
    }

    /// The repository has the blob or manifest from now on, and whoever brought it may rely on that.
    fn give(&self, n: &mut State, repo: usize, digest: usize, with_lease: bool) {
        n.present[repo] |= 1 << digest;
        let mark = 1 << digest & self.bounds.referable();
        n.had[repo] |= mark;
        n.lost[repo] &= !mark;
        self.promise(n, repo, digest, with_lease);
    }

    fn promise(&self, n: &mut State, repo: usize, digest: usize, renew: bool) {
        if renew {
            n.lease[digest] = self.bounds.lease;
        }
        n.promise[repo][digest] = self.bounds.promise;
    }

    /// The repository has it no more.
    fn take(&self, n: &mut State, repo: usize, digest: usize, mark: bool) {
        n.present[repo] &= !(1 << digest);
        if mark {
            n.lost[repo] |= 1 << digest & self.bounds.referable();
        }
    }

    // Pushers, but for their uploads.

    fn pushers(&self, s: &State, out: &mut Next) {
        self.head_after_a_look(s, out);
        for repo in 0..self.bounds.repos {
            for blob in 0..self.bounds.blobs {
                self.head(s, repo, blob, out);
                self.mount(s, repo, blob, out);
            }
            for k in 0..self.bounds.manifests {
                if self.bounds.untagged {
                    self.head(s, repo, manifest(k), out);
                    self.put(s, repo, k, false, out);
                }
                self.put(s, repo, k, true, out);
            }
        }
    }

    fn head(&self, s: &State, repo: usize, digest: usize, out: &mut Next) {
        if !s.has(repo, digest) || (digest < BLOBS && s.row[digest] == 0) {
            return;
        }
        let enough = match self.rules {
            Rules::HeadDoesNotRenew => true,
            Rules::HeadTrustsAnyLease => s.lease[digest] > 0,
            _ => s.lease[digest] >= self.bounds.promise,
        };
        let mut n = *s;
        let in_two = match self.rules {
            Rules::HeadDoesNotLookAgain => !enough,
            Rules::ManifestHeadTakesTwoViews => digest >= BLOBS,
            _ => false,
        };
        if in_two {
            if s.seen == 0 {
                n.seen = seen(repo, digest);
                out.push((Step::Look, n));
            }
            return;
        }
        self.promise(&mut n, repo, digest, !enough);
        out.push((Step::Head { repo: repo as u8, digest: digest as u8, renewed: !enough }, n));
    }

    /// The second half of an answer that does not look again.
    fn head_after_a_look(&self, s: &State, out: &mut Next) {
        if s.seen == 0 {
            return;
        }
        let (repo, digest) = ((s.seen as usize - 1) / DIGESTS, (s.seen as usize - 1) % DIGESTS);
        let enough = s.lease[digest] >= self.bounds.promise;
        let answers = match self.rules {
            Rules::HeadDoesNotLookAgain => true,
            // A renewal does look again.
            Rules::ManifestHeadTakesTwoViews => enough || s.has(repo, digest),
            _ => return,
        };
        let mut n = *s;
        n.seen = 0;
        if answers {
            self.promise(&mut n, repo, digest, !enough);
        }
        out.push((Step::Head { repo: repo as u8, digest: digest as u8, renewed: !enough }, n));
    }

    fn mount(&self, s: &State, repo: usize, blob: usize, out: &mut Next) {
        let step = Step::Mount { repo: repo as u8, blob: blob as u8 };
        let source = (0..self.bounds.repos).any(|from| from != repo && s.has(from, blob)) && s.row[blob] > 0;
        let mut n = *s;
        if self.rules == Rules::MountDoesNotLookAgain {
            if s.seen == 0 && source {
                n.seen = seen(repo, blob);
                out.push((Step::Look, n));
            } else if s.seen == seen(repo, blob) {
                n.seen = 0;
                self.give(&mut n, repo, blob, true);
                out.push((step, n));
            }
        } else if source {
            self.give(&mut n, repo, blob, self.rules != Rules::MountWithoutLease);
            out.push((step, n));
        }
    }

    fn put(&self, s: &State, repo: usize, k: usize, tagged: bool, out: &mut Next) {
        let missing = self.bounds.references(k) & !s.present[repo];
        if missing & s.lost[repo] != 0 && self.rules != Rules::IncompleteInPlaceOfTheLost {
            return; // MANIFEST_BLOB_UNKNOWN: nothing changes.
        }
        let mut n = *s;
        n.present[repo] |= 1 << manifest(k);
        n.edges[repo] |= 1 << k;
        if self.bounds.untagged {
            self.give(&mut n, repo, manifest(k), self.rules != Rules::PutWithoutLease);
            if tagged {
                n.tag[repo] = k as u8 + 1;
            }
        } else {
            let mark = 1 << manifest(k) & self.bounds.referable();
            n.had[repo] |= mark;
            n.lost[repo] &= !mark;
        }
        out.push((Step::Put { repo: repo as u8, manifest: k as u8, tagged, missing }, n));
    }

    // Users.

    fn users(&self, s: &State, out: &mut Next) {
        for repo in 0..self.bounds.repos {
            if s.tag[repo] > 0 {
                let mut n = *s;
                n.tag[repo] = 0;
                out.push((Step::DeleteTag { repo: repo as u8 }, n));
            }
            for k in 0..self.bounds.manifests {
                if s.has(repo, manifest(k)) {
                    let mut n = *s;
                    if n.tag[repo] as usize == k + 1 {
                        n.tag[repo] = 0;
                    }
                    self.remove_manifest(&mut n, repo, k, self.rules != Rules::DeleteDoesNotMarkWhatIsLost);
                    if self.rules == Rules::DeleteLeavesEdges {
                        n.edges[repo] |= 1 << k;
                    }
                    Self::release(&mut n, repo, manifest(k));
                    out.push((Step::DeleteManifest { repo: repo as u8, manifest: k as u8 }, n));
                }
            }
            for blob in 0..self.bounds.blobs {
                if self.bounds.blob_deletes && s.has(repo, blob) && !self.is_referred_to(s, repo, blob) {
                    let mut n = *s;
                    self.take(&mut n, repo, blob, self.rules != Rules::DeleteDoesNotMarkWhatIsLost);
                    Self::release(&mut n, repo, blob);
                    out.push((Step::DeleteBlob { repo: repo as u8, blob: blob as u8 }, n));
                }
            }
        }
    }

    /// A user breaks the promise, also of an answer that is on its way.
    fn release(n: &mut State, repo: usize, digest: usize) {
        n.promise[repo][digest] = 0;
        if n.seen == seen(repo, digest) {
            n.seen = 0;
        }
    }

    fn remove_manifest(&self, n: &mut State, repo: usize, k: usize, mark: bool) {
        self.take(n, repo, manifest(k), mark);
        n.edges[repo] &= !(1 << k);
    }

    // Collection. What a snapshot found does not matter, since the closure looks again: any digest may be a candidate.

    fn collector(&self, s: &State, out: &mut Next) {
        for repo in 0..self.bounds.repos {
            for blob in 0..self.bounds.blobs {
                let free = self.link_is_free(s, repo, blob);
                let mut n = *s;
                if self.rules == Rules::CollectDoesNotLookAgain {
                    if s.seen == 0 && free {
                        n.seen = seen(repo, blob);
                        out.push((Step::Look, n));
                    } else if s.seen == seen(repo, blob) {
                        n.seen = 0;
                        self.take(&mut n, repo, blob, true);
                        out.push((Step::CollectLink { repo: repo as u8, blob: blob as u8 }, n));
                    }
                } else if free {
                    self.collect_link(&mut n, repo, blob);
                    out.push((Step::CollectLink { repo: repo as u8, blob: blob as u8 }, n));
                }
            }
            for k in 0..self.bounds.manifests {
                if self.manifest_is_free(s, repo, k) {
                    let mut n = *s;
                    self.clean_up(&mut n, repo, k);
                    out.push((Step::CleanUp { repo: repo as u8, manifest: k as u8 }, n));
                }
            }
        }
        for blob in 0..self.bounds.blobs {
            if self.row_is_free(s, blob) {
                let mut n = *s;
                if self.rules == Rules::UnlinkBeforeCommit && s.disk[s.row[blob] as usize - 1] != disk::ABSENT {
                    n.disk[s.row[blob] as usize - 1] = disk::ABSENT;
                    out.push((Step::UnlinkTooEarly { blob: blob as u8 }, n));
                } else {
                    Self::collect_row(&mut n, blob);
                    out.push((Step::CollectRow { blob: blob as u8 }, n));
                }
            }
        }
    }

    /// Whether collection may take the blob from the repository.
    pub(crate) fn link_is_free(&self, s: &State, repo: usize, blob: usize) -> bool {
        let needed = match self.rules {
            Rules::CollectLooksAtOneRepositoryOnly => {
                self.is_referred_to(s, repo, blob) && self.is_referred_to(s, 0, blob)
            }
            Rules::CollectLooksAtAllRepositories => {
                (0..self.bounds.repos).any(|repo| self.is_referred_to(s, repo, blob))
            }
            _ => self.is_referred_to(s, repo, blob),
        };
        s.has(repo, blob) && !needed && (s.lease[blob] == 0 || self.rules == Rules::CollectIgnoresLease)
    }

    pub(crate) fn collect_link(&self, n: &mut State, repo: usize, blob: usize) {
        self.take(n, repo, blob, self.rules != Rules::CollectDoesNotMarkWhatIsLost);
    }

    /// Whether collection may remove the blob's row.
    pub(crate) fn row_is_free(&self, s: &State, blob: usize) -> bool {
        let linked = (0..self.bounds.repos).any(|repo| s.has(repo, blob));
        s.row[blob] > 0 && (!linked || self.rules == Rules::RowGoesThoughLinked) && s.lease[blob] == 0
    }

    pub(crate) fn collect_row(n: &mut State, blob: usize) {
        n.doomed |= 1 << (n.row[blob] - 1);
        n.row[blob] = 0;
    }

    /// Whether the clean-up of untagged manifests may take this one. (That it waits for thirty days without a pull
    /// only makes it later: here it never waits.)
    pub(crate) fn manifest_is_free(&self, s: &State, repo: usize, k: usize) -> bool {
        let untagged = s.tag[repo] as usize != k + 1 || self.rules == Rules::CleanUpIgnoresTags;
        let orphan = !self.is_referred_to(s, repo, manifest(k)) || self.rules == Rules::CleanUpIgnoresParents;
        let free = s.lease[manifest(k)] == 0 || self.rules == Rules::CleanUpIgnoresLeases;
        self.bounds.untagged && s.has(repo, manifest(k)) && untagged && orphan && free
    }

    pub(crate) fn clean_up(&self, n: &mut State, repo: usize, k: usize) {
        if n.tag[repo] as usize == k + 1 {
            n.tag[repo] = 0;
        }
        self.remove_manifest(n, repo, k, self.rules != Rules::CleanUpDoesNotMarkWhatIsLost);
    }

    // Files that nobody needs.

    fn purger_and_sweep(&self, s: &State, out: &mut Next) {
        for file in 0..self.bounds.files {
            if s.is_doomed(file) {
                out.push(self.purge(s, file));
            }
            if s.sweep.answers == 0 && s.disk[file] != disk::ABSENT {
                let first = match self.rules {
                    Rules::SweepAsksTheTableFirst => s.is_named(file),
                    Rules::SweepIgnoresSessions => false,
                    Rules::FileBeforeSession => s.sessions.iter().any(|session| {
                        session.is_open() && session.phase != phase::MEMORY && session.file as usize == file
                    }),
                    _ => s.is_owned(file),
                };
                if !first {
                    let mut n = *s;
                    n.sweep = Sweep { answers: 1, file: file as u8 };
                    out.push((Step::SweepAsksFirst { file: file as u8 }, n));
                }
            }
        }
        let file = s.sweep.file;
        let mut n = *s;
        n.sweep = Sweep::default();
        if s.sweep.answers == 1 {
            let second = match self.rules {
                Rules::SweepAsksTheTableFirst => s.is_owned(file as usize),
                _ => s.is_named(file as usize),
            };
            if !second {
                n.sweep = Sweep { answers: 2, file };
            }
            out.push((Step::SweepAsksSecond { file, orphan: !second }, n));
        } else if s.sweep.answers == 2 {
            n.disk[file as usize] = disk::ABSENT;
            out.push((Step::SweepRemoves { file }, n));
        }
    }

    /// The next step for a doomed file: its name goes and its directory is synced, then the metadata forgets it.
    pub(crate) fn purge(&self, s: &State, file: usize) -> (Step, State) {
        let mut n = *s;
        if s.disk[file] == disk::ABSENT || self.rules == Rules::PurgeForgetsFirst {
            n.doomed &= !(1 << file);
            (Step::Forget { file: file as u8 }, n)
        } else {
            n.disk[file] = disk::ABSENT;
            (Step::Purge { file: file as u8 }, n)
        }
    }

    // Time and crashes.

    fn time(s: &State, out: &mut Next) {
        let mut n = *s;
        for digest in 0..DIGESTS {
            n.lease[digest] = s.lease[digest].saturating_sub(1);
            for repo in 0..REPOS {
                n.promise[repo][digest] = s.promise[repo][digest].saturating_sub(1);
            }
        }
        if n != *s {
            out.push((Step::Tick, n));
        }
    }

    fn crashes(&self, s: &State, out: &mut Next) {
        let mut n = *s;
        n.sweep = Sweep::default();
        n.seen = 0;
        if self.rules == Rules::LeasesInMemoryOnly {
            n.lease = [0; DIGESTS];
        }
        self.rebuild(&n, Step::Restart, 0, out);
        if self.bounds.sessions > 0 {
            self.rebuild(&n, Step::PowerCut, 0, out);
        }
    }

    /// Sessions are rebuilt from their sidecars, from this one on.
    fn rebuild(&self, s: &State, step: Step, slot: usize, out: &mut Next) {
        if slot == self.bounds.sessions {
            out.push((step, *s));
            return;
        }
        let Session { phase, file, .. } = s.sessions[slot];
        let file = file as usize;
        let mut wake_up = |phase: u8, there: bool| {
            let mut n = *s;
            n.sessions[slot].phase = phase;
            if phase == phase::NONE {
                n.sessions[slot] = Session::default();
            }
            if !there {
                n.disk[file] = disk::ABSENT;
            } else if n.disk[file] == disk::UNSYNCED && phase == phase::NONE {
                // An orphan: whether it is synced makes no difference any more.
                n.disk[file] = disk::SYNCED;
            }
            self.rebuild(&n, step, slot + 1, out);
        };
        let resumes_named = self.rules == Rules::RestartResumesNamedSessions && s.is_named(file);
        match phase {
            phase::NONE => self.rebuild(s, step, slot + 1, out),
            phase::SIDECAR => {
                wake_up(phase::SIDECAR, false);
                wake_up(phase::NONE, false); // A push in a single request, or the sidecar is lost.
            }
            phase::FILE | phase::SEALED if s.disk[file] != disk::ABSENT => {
                wake_up(phase::FILE, true);
                wake_up(phase::SIDECAR, false); // The sidecar is from before the file's first sync: the file goes.
                wake_up(phase::NONE, false); // A push in a single request, or sidecar and file are lost.
                if step == Step::PowerCut {
                    wake_up(phase::NONE, true); // The sidecar is lost.
                }
            }
            phase::UNENDED | phase::LINGERING
                if resumes_named && (phase == phase::UNENDED || step == Step::PowerCut) =>
            {
                wake_up(phase::FILE, true);
                wake_up(phase::SIDECAR, false); // A sidecar from before the file's first sync takes the file with it.
            }
            // Dropped, since its file is named (or gone). Only a power cut settles whether the sidecar comes back.
            phase::UNENDED | phase::LINGERING if step == Step::Restart => wake_up(phase::LINGERING, true),
            _ => wake_up(phase::NONE, true),
        }
    }
}

/// What was seen, as a number that is not 0.
fn seen(repo: usize, digest: usize) -> u8 {
    (1 + repo * DIGESTS + digest) as u8
}
