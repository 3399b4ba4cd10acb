//! A disk in memory whose faults a test chooses.

use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;

use parking_lot::Mutex;

use super::{InMemoryBackend, StorageBackend};
use crate::base::faults::{CachedFile, Dice, Faults, Kind};

const BLOCK: u64 = 4096;

/// The disk; clones are the same disk, so that a store on it can be opened again.
#[derive(Clone, Debug, Default)]
pub(crate) struct Disk(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    bytes: InMemoryBackend,
    state: Mutex<State>,
    /// Faults shared with other stores, and what of the bytes has been synced.
    shared: Option<(Faults, Mutex<CachedFile>)>,
}

/// What the writer thread unwinds with where the program would have ended the process.
pub(crate) struct Died;

#[derive(Debug, Default)]
struct State {
    fault: Option<Fault>,
    /// The blocks that have been written to; a file is sparse elsewhere.
    used: BTreeSet<u64>,
    /// No further block is to be had.
    full: bool,
}

#[derive(Clone, Copy, Debug)]
struct Fault {
    on: Operation,
    after: u64,
    kind: io::ErrorKind,
}

/// What can fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    Read,
    Write,
    Sync,
}

impl Disk {
    /// A disk that holds `content` and fails with the other stores of one registry.
    pub(crate) fn shared(faults: Faults, content: &[u8]) -> Self {
        let bytes = InMemoryBackend::new();
        bytes.set_len(content.len() as u64).and_then(|()| bytes.write(0, content)).expect("memory");
        let shared = Some((faults, Mutex::new(CachedFile::synced(content.to_vec()))));
        Self(Arc::new(Inner { bytes, state: Mutex::default(), shared }))
    }

    /// What a power cut leaves.
    pub(crate) fn after_cut(&self, dice: &mut Dice) -> Vec<u8> {
        let (_, cache) = self.0.shared.as_ref().expect("a shared disk");
        cache.lock().after_cut(dice)
    }

    /// What a kill leaves: everything that was written, for the kernel lives on.
    pub(crate) fn after_kill(&self) -> Vec<u8> {
        let length = self.0.bytes.len().expect("memory");
        let mut content = vec![0; usize::try_from(length).expect("a small disk")];
        self.0.bytes.read(0, &mut content).expect("memory");
        content
    }

    /// Returns where the process really is to end.
    pub(super) fn die_in_place_of_the_process(&self, why: &str) {
        if let Some((faults, _)) = &self.0.shared {
            faults.die(why);
            std::panic::resume_unwind(Box::new(Died));
        }
    }

    fn step(&self, kind: Kind) -> io::Result<()> {
        self.0.shared.as_ref().map_or(Ok(()), |(faults, _)| faults.step(kind))
    }

    fn note(&self, change: impl FnOnce(&mut CachedFile)) {
        if let Some((_, cache)) = &self.0.shared {
            change(&mut cache.lock());
        }
    }

    /// Lets one `on` fail with `kind`, after `after` more that do not.
    pub(crate) fn fail(&self, on: Operation, after: u64, kind: io::ErrorKind) {
        self.0.state.lock().fault = Some(Fault { on, after, kind });
    }

    /// Whether the fault has struck; if not, it never will.
    pub(crate) fn struck(&self) -> bool {
        self.0.state.lock().fault.take().is_none()
    }

    /// Fills the disk, or frees space: what is written in place goes on either way.
    pub(crate) fn fill(&self, full: bool) {
        self.0.state.lock().full = full;
    }

    fn try_to(&self, operation: Operation) -> io::Result<()> {
        match &mut self.0.state.lock().fault {
            Some(fault) if fault.on == operation && fault.after > 0 => fault.after -= 1,
            fault @ Some(_) if fault.is_some_and(|fault| fault.on == operation) => {
                return fault.take().map_or(Ok(()), |fault| Err(fault.kind.into()));
            }
            _ => {}
        }
        Ok(())
    }

    fn take_blocks(&self, offset: u64, length: usize) -> io::Result<()> {
        let mut state = self.0.state.lock();
        for block in offset / BLOCK..(offset + length as u64).div_ceil(BLOCK) {
            if state.full && !state.used.contains(&block) {
                return Err(io::ErrorKind::StorageFull.into());
            }
            state.used.insert(block);
        }
        Ok(())
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        self.0.bytes.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.try_to(Operation::Read)?;
        self.step(Kind::Read)?;
        self.0.bytes.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.step(Kind::Write)?;
        self.note(|cache| cache.set_length(len));
        self.0.bytes.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.try_to(Operation::Sync)?;
        self.step(Kind::Sync)?;
        self.note(CachedFile::sync);
        self.0.bytes.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.try_to(Operation::Write)?;
        self.step(Kind::Write)?;
        self.note(|cache| cache.write(offset, data));
        self.take_blocks(offset, data.len())?;
        self.0.bytes.write(offset, data)
    }
}
