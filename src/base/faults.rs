//! For tests: I/O that fails when a test says so, over every store that shares one [`Faults`].
//!
//! The stores ask [`Faults::step`] before each operation. A test makes the n-th one fail, or cuts the power at the n-th:
//! from then on nothing works, and the stores' own test disks say what was kept of what had not been synced.

use std::io;
use std::sync::Arc;

use parking_lot::Mutex;

/// What an operation does, as far as it decides which errors it may meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Reads, lists or opens.
    Read,
    /// Needs room: writes, makes, grows.
    Write,
    /// Brings to disk.
    Sync,
    /// Removes or cuts.
    Remove,
}

/// An error that the test chose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// EIO, which every operation may meet.
    Broken,
    /// ENOSPC, which only what needs room may meet.
    Full,
}

impl Fault {
    fn meets(self, kind: Kind) -> bool {
        self == Self::Broken || matches!(kind, Kind::Write | Kind::Sync)
    }

    fn error(self) -> io::Error {
        let errno = if self == Self::Broken { rustix::io::Errno::IO } else { rustix::io::Errno::NOSPC };
        io::Error::from_raw_os_error(errno.raw_os_error())
    }
}

/// Shared by the stores of one registry; clones are the same.
#[derive(Clone, Debug, Default)]
pub(crate) struct Faults(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    fault: Option<(Fault, u64)>,
    cut: Option<u64>,
    struck: Option<Kind>,
    /// The power is out, or the process has ended.
    out: bool,
    died: Option<String>,
    steps: u64,
}

impl Faults {
    /// Lets one operation that may meet `fault` fail, after `after` more that do not.
    pub(crate) fn fail(&self, fault: Fault, after: u64) {
        self.0.lock().fault = Some((fault, after));
    }

    /// Cuts the power after `after` more operations.
    pub(crate) fn cut(&self, after: u64) {
        self.0.lock().cut = Some(after);
    }

    /// What the fault struck, if it did.
    pub(crate) fn struck(&self) -> Option<Kind> {
        self.0.lock().struck
    }

    /// Whether nothing works any more.
    pub(crate) fn is_out(&self) -> bool {
        self.0.lock().out
    }

    /// Why the process would have ended, if it would.
    pub(crate) fn died(&self) -> Option<String> {
        self.0.lock().died.clone()
    }

    /// Ends the process as far as its stores are concerned.
    pub(crate) fn die(&self, why: &str) {
        let mut state = self.0.lock();
        state.out = true;
        state.died.get_or_insert_with(|| why.to_owned());
    }

    /// How many operations there were.
    pub(crate) fn steps(&self) -> u64 {
        self.0.lock().steps
    }

    /// Asked before each operation.
    pub(crate) fn step(&self, kind: Kind) -> io::Result<()> {
        let mut state = self.0.lock();
        state.steps += 1;
        match &mut state.cut {
            Some(0) => state.out = true,
            Some(left) => *left -= 1,
            None => {}
        }
        if state.out {
            return Err(io::Error::other("the power is out"));
        }
        match &mut state.fault {
            Some((fault, 0)) if fault.meets(kind) => {
                let fault = *fault;
                state.fault = None;
                state.struck = Some(kind);
                return Err(fault.error());
            }
            Some((fault, after)) if fault.meets(kind) => *after -= 1,
            _ => {}
        }
        Ok(())
    }
}

/// Small and repeatable randomness (splitmix64): the same seed gives the same disk.
#[derive(Clone, Debug)]
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.roll() % bound.max(1)
    }

    pub(crate) fn coin(&mut self) -> bool {
        self.roll() & 1 == 0
    }
}

/// A file as a disk with a volatile cache has it: what was synced, and the changes since.
#[derive(Clone, Debug, Default)]
pub(crate) struct CachedFile {
    kept: Vec<u8>,
    unsynced: Vec<Change>,
}

#[derive(Clone, Debug)]
enum Change {
    Write(u64, Vec<u8>),
    Length(u64),
}

/// What a disk writes whole or not at all.
const SECTOR: u64 = 512;

impl CachedFile {
    pub(crate) fn synced(content: Vec<u8>) -> Self {
        Self { kept: content, unsynced: Vec::new() }
    }

    pub(crate) fn write(&mut self, at: u64, bytes: &[u8]) {
        self.unsynced.push(Change::Write(at, bytes.to_vec()));
    }

    pub(crate) fn set_length(&mut self, length: u64) {
        self.unsynced.push(Change::Length(length));
    }

    pub(crate) fn sync(&mut self) {
        for change in std::mem::take(&mut self.unsynced) {
            apply(&mut self.kept, &change);
        }
    }

    /// What a power cut leaves: of the changes since the last sync any, in any order, one of them perhaps torn.
    pub(crate) fn after_cut(&self, dice: &mut Dice) -> Vec<u8> {
        let mut content = self.kept.clone();
        let mut left: Vec<&Change> = self.unsynced.iter().filter(|_| dice.coin()).collect();
        let torn = dice.below(2 * left.len() as u64 + 1);
        let mut written = 0;
        while !left.is_empty() {
            let next = usize::try_from(dice.below(left.len() as u64)).expect("an index");
            match left.swap_remove(next) {
                Change::Write(at, bytes) if written == torn => {
                    // The sectors before, or those behind, some boundary.
                    let boundary = (at + dice.below(bytes.len() as u64 + 1)).next_multiple_of(SECTOR);
                    let cut = usize::try_from(boundary.saturating_sub(*at)).expect("a length").min(bytes.len());
                    let part = if dice.coin() {
                        Change::Write(*at, bytes[..cut].to_vec())
                    } else {
                        Change::Write(at + cut as u64, bytes[cut..].to_vec())
                    };
                    apply(&mut content, &part);
                }
                change => apply(&mut content, change),
            }
            written += 1;
        }
        content
    }
}

fn apply(content: &mut Vec<u8>, change: &Change) {
    let index = |n: u64| usize::try_from(n).expect("files of tests are small");
    match change {
        Change::Length(length) => content.resize(index(*length), 0),
        Change::Write(at, bytes) if !bytes.is_empty() => {
            let (start, end) = (index(*at), index(*at) + bytes.len());
            if content.len() < end {
                content.resize(end, 0);
            }
            content[start..end].copy_from_slice(bytes);
        }
        Change::Write(..) => {}
    }
}
