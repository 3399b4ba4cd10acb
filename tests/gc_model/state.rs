//! What the model remembers: everything that the registry has on disk, in its tables and in memory as far as
//! collection is concerned, and one ghost: what clients were promised.
//!
//! Nothing in it counts upwards. Leases and promises only run out, a file's number is free again once nothing can name
//! it (a fresh random id cannot be told from one that was never used), and there is no budget of crashes, deletes or
//! uploads. So the states are finitely many although runs are not, and the search covers runs of any length.

pub(crate) const REPOS: usize = 2;
pub(crate) const BLOBS: usize = 2;
pub(crate) const MANIFESTS: usize = 3;
/// Digests: the blobs, then the manifests.
pub(crate) const DIGESTS: usize = BLOBS + MANIFESTS;
pub(crate) const FILES: usize = 4;
pub(crate) const SESSIONS: usize = 2;

/// The digest of manifest `k`.
pub(crate) const fn manifest(k: usize) -> usize {
    BLOBS + k
}

/// Where a file's bytes are.
pub(crate) mod disk {
    /// Not there, or not any more.
    pub(crate) const ABSENT: u8 = 0;
    /// Written, but a power cut may take it.
    pub(crate) const UNSYNCED: u8 = 1;
    /// There for good, with its directory entry.
    pub(crate) const SYNCED: u8 = 2;
}

/// How far an upload session is. From `MEMORY` to `UNENDED` it stands in memory and owns its file.
pub(crate) mod phase {
    /// There is none.
    pub(crate) const NONE: u8 = 0;
    /// In memory.
    pub(crate) const MEMORY: u8 = 1;
    /// Its sidecar is written.
    pub(crate) const SIDECAR: u8 = 2;
    /// Its file is made; bytes come.
    pub(crate) const FILE: u8 = 3;
    /// All bytes are here, verified and synced; the request holds it to publish.
    pub(crate) const SEALED: u8 = 4;
    /// Published, but the effect of the commit that ends it has failed.
    pub(crate) const UNENDED: u8 = 5;
    /// Over, but a power cut may bring its sidecar back.
    pub(crate) const LINGERING: u8 = 6;
}

/// An upload session.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub(crate) struct Session {
    pub(crate) phase: u8,
    pub(crate) repo: u8,
    pub(crate) blob: u8,
    pub(crate) file: u8,
}

impl Session {
    /// Whether it stands in memory.
    pub(crate) fn is_open(self) -> bool {
        self.phase != phase::NONE && self.phase != phase::LINGERING
    }
}

/// How far the orphan sweep is with the one file that it looks at.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub(crate) struct Sweep {
    /// 0: it looks at none; 1: the first question is answered; 2: both are, and the file is taken for an orphan.
    pub(crate) answers: u8,
    pub(crate) file: u8,
}

/// A state. Sets of digests are bit masks.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub(crate) struct State {
    // Files.
    pub(crate) disk: [u8; FILES],
    /// Files that a doomed row names.
    pub(crate) doomed: u8,
    // Tables.
    /// The file that a blob's row names, plus one; 0: there is no row.
    pub(crate) row: [u8; BLOBS],
    /// What a repository has: links to blobs, rows of manifests.
    pub(crate) present: [u8; REPOS],
    /// What a repository is marked to have lost.
    pub(crate) lost: [u8; REPOS],
    /// The manifests whose edges are drawn.
    pub(crate) edges: [u8; REPOS],
    /// The manifest that the repository's one tag points at, plus one.
    pub(crate) tag: [u8; REPOS],
    /// Ticks that are left.
    pub(crate) lease: [u8; DIGESTS],
    // Sessions (memory and sidecars), memory.
    pub(crate) sessions: [Session; SESSIONS],
    pub(crate) sweep: Sweep,
    /// What a weakened rule has seen and acts on later without looking again; 0: nothing.
    pub(crate) seen: u8,
    // Ghosts.
    /// Ticks for which clients may still rely on an answer.
    pub(crate) promise: [[u8; DIGESTS]; REPOS],
    /// What a repository has or ever had.
    pub(crate) had: [u8; REPOS],
}

impl State {
    pub(crate) fn has(&self, repo: usize, digest: usize) -> bool {
        self.present[repo] >> digest & 1 == 1
    }

    pub(crate) fn is_doomed(&self, file: usize) -> bool {
        self.doomed >> file & 1 == 1
    }

    /// Whether a blob's row names the file.
    pub(crate) fn is_published(&self, file: usize) -> bool {
        self.row[0] as usize == file + 1 || self.row[1] as usize == file + 1
    }

    /// Whether the metadata names the file.
    pub(crate) fn is_named(&self, file: usize) -> bool {
        self.is_doomed(file) || self.is_published(file)
    }

    /// Whether a session in memory owns the file.
    pub(crate) fn is_owned(&self, file: usize) -> bool {
        self.sessions.iter().any(|session| session.is_open() && session.file as usize == file)
    }

    /// Whether anything at all may still come back to the file's number.
    pub(crate) fn is_in_use(&self, file: usize) -> bool {
        self.disk[file] != disk::ABSENT
            || self.is_named(file)
            || (self.sweep.answers > 0 && self.sweep.file as usize == file)
            || self.sessions.iter().any(|session| session.phase != phase::NONE && session.file as usize == file)
    }

    /// The state in 118 bits.
    pub(crate) fn pack(&self) -> u128 {
        let mut high = 0_u64;
        for file in 0..FILES {
            high = high << 2 | u64::from(self.disk[file]);
        }
        high = high << 4 | u64::from(self.doomed);
        high = high << 6 | u64::from(self.row[0]) << 3 | u64::from(self.row[1]);
        high = high << 10 | u64::from(self.present[0]) << 5 | u64::from(self.present[1]);
        high = high << 10 | u64::from(self.lost[0]) << 5 | u64::from(self.lost[1]);
        high = high << 6 | u64::from(self.edges[0]) << 3 | u64::from(self.edges[1]);
        high = high << 4 | u64::from(self.tag[0]) << 2 | u64::from(self.tag[1]);
        high = high << 10 | u64::from(self.had[0]) << 5 | u64::from(self.had[1]);
        high = high << 4 | u64::from(self.seen);
        let mut low = 0_u64;
        for digest in 0..DIGESTS {
            low = low << 6
                | u64::from(self.lease[digest]) << 4
                | u64::from(self.promise[0][digest]) << 2
                | u64::from(self.promise[1][digest]);
        }
        for session in &self.sessions {
            low = low << 7
                | u64::from(session.phase) << 4
                | u64::from(session.repo) << 3
                | u64::from(session.blob) << 2
                | u64::from(session.file);
        }
        low = low << 4 | u64::from(self.sweep.answers) << 2 | u64::from(self.sweep.file);
        u128::from(high) << 64 | u128::from(low)
    }

    /// The state that was packed.
    pub(crate) fn unpack(packed: u128) -> Self {
        let (mut high, mut low) = ((packed >> 64) as u64, packed as u64);
        let mut state = Self::default();
        state.sweep.file = take(&mut low, 2);
        state.sweep.answers = take(&mut low, 2);
        for session in state.sessions.iter_mut().rev() {
            session.file = take(&mut low, 2);
            session.blob = take(&mut low, 1);
            session.repo = take(&mut low, 1);
            session.phase = take(&mut low, 3);
        }
        for digest in (0..DIGESTS).rev() {
            state.promise[1][digest] = take(&mut low, 2);
            state.promise[0][digest] = take(&mut low, 2);
            state.lease[digest] = take(&mut low, 2);
        }
        state.seen = take(&mut high, 4);
        let pair = |bits: u32, high: &mut u64| {
            let second = take(high, bits);
            [take(high, bits), second]
        };
        state.had = pair(5, &mut high);
        state.tag = pair(2, &mut high);
        state.edges = pair(3, &mut high);
        state.lost = pair(5, &mut high);
        state.present = pair(5, &mut high);
        state.row = pair(3, &mut high);
        state.doomed = take(&mut high, 4);
        for file in (0..FILES).rev() {
            state.disk[file] = take(&mut high, 2);
        }
        state
    }

    /// The same state with sessions and files numbered in a fixed order: which number they bear changes nothing.
    pub(crate) fn canonical(mut self) -> Self {
        let order = |session: &Session| (session.phase, session.repo, session.blob, session.file);
        if order(&self.sessions[0]) < order(&self.sessions[1]) {
            self.sessions.swap(0, 1);
        }
        let mut new_number = [u8::MAX; FILES];
        let mut next = 0;
        let mut name = |file: u8| {
            if new_number[file as usize] == u8::MAX {
                new_number[file as usize] = next;
                next += 1;
            }
        };
        for row in self.row {
            if row > 0 {
                name(row - 1);
            }
        }
        for session in self.sessions {
            if session.phase != phase::NONE {
                name(session.file);
            }
        }
        if self.sweep.answers > 0 {
            name(self.sweep.file);
        }
        // Of what is left, files in the same condition are alike.
        for condition in [
            (disk::SYNCED, 1),
            (disk::SYNCED, 0),
            (disk::UNSYNCED, 1),
            (disk::UNSYNCED, 0),
            (disk::ABSENT, 1),
            (disk::ABSENT, 0),
        ] {
            for file in 0..FILES {
                if (self.disk[file], self.doomed >> file & 1) == condition {
                    name(file as u8);
                }
            }
        }
        let renamed = |file: u8| new_number[file as usize];
        let (disk, doomed) = (self.disk, self.doomed);
        self.doomed = 0;
        for (file, disk) in disk.into_iter().enumerate() {
            let number = renamed(file as u8);
            self.disk[number as usize] = disk;
            self.doomed |= (doomed >> file & 1) << number;
        }
        for row in &mut self.row {
            if *row > 0 {
                *row = renamed(*row - 1) + 1;
            }
        }
        for session in &mut self.sessions {
            if session.phase == phase::NONE {
                *session = Session::default();
            } else {
                session.file = renamed(session.file);
            }
        }
        if self.sweep.answers > 0 {
            self.sweep.file = renamed(self.sweep.file);
        }
        self
    }
}

fn take(word: &mut u64, bits: u32) -> u8 {
    let value = *word & ((1 << bits) - 1);
    *word >>= bits;
    value as u8
}
