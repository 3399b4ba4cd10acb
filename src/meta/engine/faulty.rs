//! A disk in memory whose faults a test chooses.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

use super::{InMemoryBackend, StorageBackend};

/// The disk; clones are the same disk, so that a store on it can be opened again.
#[derive(Clone, Debug)]
pub(crate) struct Disk(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    bytes: InMemoryBackend,
    fault: Mutex<Option<Fault>>,
    struck: AtomicU64,
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
    pub(crate) fn new() -> Self {
        let bytes = InMemoryBackend::new();
        Self(Arc::new(Inner { bytes, fault: Mutex::new(None), struck: AtomicU64::new(0) }))
    }

    /// Lets every `on` but the next `after` ones fail with `kind`.
    pub(crate) fn fail(&self, on: Operation, after: u64, kind: io::ErrorKind) {
        *self.0.fault.lock() = Some(Fault { on, after, kind });
    }

    /// Mends the disk.
    pub(crate) fn mend(&self) {
        *self.0.fault.lock() = None;
    }

    /// Whether a fault has struck since it was chosen.
    pub(crate) fn struck(&self) -> bool {
        self.0.struck.swap(0, Ordering::SeqCst) > 0
    }

    fn try_to(&self, operation: Operation) -> io::Result<()> {
        let mut fault = self.0.fault.lock();
        match &mut *fault {
            Some(fault) if fault.on == operation && fault.after == 0 => {
                self.0.struck.fetch_add(1, Ordering::SeqCst);
                Err(io::Error::from(fault.kind))
            }
            Some(fault) if fault.on == operation => {
                fault.after -= 1;
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        self.0.bytes.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.try_to(Operation::Read)?;
        self.0.bytes.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.try_to(Operation::Write)?;
        self.0.bytes.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.try_to(Operation::Sync)?;
        self.0.bytes.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.try_to(Operation::Write)?;
        self.0.bytes.write(offset, data)
    }
}
