//! Floor 2, below the stores: how much room the filesystem of the data directory has, and what is kept back of it.
//!
//! A full disk is an ordinary day. Three things keep the registry working through it:
//!
//! - The *reserve*: when less than it is free, pushes are refused at their first request ([`Space::admit`]), where
//!   clients show the reason. Pulls, deletions and collection go on. What was already being received may use up the
//!   upper half ([`Space::take`]); the lower half is left to the metadata store.
//! - The *ballast*: a file of allocated and meaningless bytes. When the metadata store meets a full disk in spite of the
//!   reserve (somebody else filled it), the ballast goes ([`Space::release_ballast`]), and deletions and collection can
//!   be committed: a copy-on-write store needs new pages for them too.
//! - The *watch* ([`Space::settle`]): notices that space has come back, admits pushes again and makes the ballast anew.
//!   No restart is needed.
//!
//! What counts as free is what an ordinary user may still allocate (`f_bavail`). A ballast that has been released
//! counts as taken: otherwise its release would look like space that has come back.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use parking_lot::Mutex;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use rustix::fs::{FallocateFlags, fallocate, statvfs};
use rustix::io::Errno;

use crate::base::{Clock, id};

/// The ballast's name in the data directory.
pub const BALLAST: &str = "ballast";

/// For how long, in milliseconds of steady time, a look at the filesystem is good.
const GOOD_FOR: u64 = 1_000;

/// Part of the reserve (one eighth) that must be free beyond it before pushes are admitted again, so that the state
/// does not change with every request.
const HYSTERESIS: u64 = 8;

const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;

/// What is kept back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SpaceOptions {
    /// Bytes below which pushes are refused. `None`: [`usual_reserve`].
    pub reserve: Option<u64>,
    /// Bytes of the ballast; 0 for none. Never more than a sixteenth of the filesystem.
    pub ballast: u64,
}

/// The reserve of a filesystem of `total` bytes for which none is set: 2 %, at least 1 GiB and at most 10 GiB, but on a
/// small one never more than a tenth of it.
pub fn usual_reserve(total: u64) -> u64 {
    (total / 50).clamp(GIB, 10 * GIB).min(total / 10)
}

/// A push is refused: less than the reserve is free.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the disk is full: {} free, {} kept in reserve", Size(*free), Size(*reserve))]
pub struct Full {
    /// Bytes that are free, without those of a ballast that was released.
    pub free: u64,
    /// Bytes that are kept back.
    pub reserve: u64,
}

/// How the filesystem stood when it was last looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Bytes of the filesystem; 0 when it does not tell.
    pub total: u64,
    /// Bytes that are free, without those of a ballast that was released.
    pub free: u64,
    /// Bytes that are kept back.
    pub reserve: u64,
    /// Bytes of the ballast; 0 while there is none.
    pub ballast: u64,
    /// Whether pushes are refused.
    pub full: bool,
}

impl Report {
    /// Bytes that are not free.
    pub const fn used(&self) -> u64 {
        self.total.saturating_sub(self.free)
    }

    /// From so many used bytes on it is time to look: room for twice the reserve is left.
    pub const fn scarce(&self) -> u64 {
        self.total.saturating_sub(self.reserve.saturating_mul(2))
    }

    /// The used part in whole percents.
    pub fn used_percent(&self) -> u64 {
        (u128::from(self.used()) * 100)
            .checked_div(u128::from(self.total))
            .map_or(0, |part| u64::try_from(part).unwrap_or(100))
    }
}

/// Watches the filesystem under one data directory. Cheap to clone; the default watches nothing and is never full.
#[derive(Clone, Default)]
pub struct Space(Option<Arc<Inner>>);

struct Inner {
    ballast_path: PathBuf,
    options: SpaceOptions,
    clock: Clock,
    probe: Probe,
    /// Steady time of the last look.
    looked: AtomicU64,
    /// As the last look found it, less what was taken since.
    free: AtomicU64,
    full: AtomicBool,
    state: Mutex<Report>,
    free_bytes: Gauge,
    full_now: Gauge,
}

/// Asks for (total, free) bytes.
type Probe = Box<dyn Fn() -> io::Result<(u64, u64)> + Send + Sync>;

impl Space {
    /// Watches the filesystem under `data` and makes the ballast there, if there is room for it. A ballast of an earlier
    /// run is taken over. Blocks.
    pub fn open(data: &Path, options: SpaceOptions, clock: Clock) -> Self {
        let directory = data.to_owned();
        let probe = move || {
            let found = statvfs(&directory)?;
            Ok((found.f_blocks.saturating_mul(found.f_frsize), found.f_bavail.saturating_mul(found.f_frsize)))
        };
        Self::with(data, options, clock, Box::new(probe))
    }

    fn with(data: &Path, options: SpaceOptions, clock: Clock, probe: Probe) -> Self {
        let ballast_path = data.join(BALLAST);
        // Blocks count, not the length: a sparse file sets nothing aside.
        let ballast = ballast_path.metadata().map_or(0, |file| file.len().min(file.blocks().saturating_mul(512)));
        let inner = Inner {
            ballast_path,
            options,
            clock,
            probe,
            looked: AtomicU64::new(0),
            free: AtomicU64::new(u64::MAX),
            full: AtomicBool::new(false),
            state: Mutex::new(Report { ballast, ..Report::default() }),
            free_bytes: Gauge::default(),
            full_now: Gauge::default(),
        };
        let space = Self(Some(Arc::new(inner)));
        space.settle();
        space
    }

    /// Whether a push may begin. Costs nothing while there is room (a look is good for a second), one system call while
    /// there is none.
    ///
    /// # Errors
    /// [`Full`] while less than the reserve is free.
    pub fn admit(&self) -> Result<(), Full> {
        let Some(inner) = &self.0 else { return Ok(()) };
        if inner.full.load(Ordering::Relaxed) || inner.is_stale() {
            let Report { free, reserve, full, .. } = inner.look();
            return if full { Err(Full { free, reserve }) } else { Ok(()) };
        }
        Ok(())
    }

    /// Counts `bytes` that are about to be written for a push that has begun. They may come from the upper half of the
    /// reserve.
    ///
    /// # Errors
    /// [`Full`] when they would leave less than half of the reserve; nothing is counted then.
    pub fn take(&self, bytes: u64) -> Result<(), Full> {
        let Some(inner) = &self.0 else { return Ok(()) };
        if !inner.is_stale() && inner.count(bytes, inner.state.lock().reserve / 2) {
            return Ok(());
        }
        let Report { free, reserve, total, .. } = inner.look();
        if total == 0 || inner.count(bytes, reserve / 2) { Ok(()) } else { Err(Full { free, reserve }) }
    }

    /// Removes the ballast, because the metadata store has met a full disk; `false` when there is none. Blocks.
    pub fn release_ballast(&self) -> bool {
        let Some(inner) = &self.0 else { return false };
        let mut state = inner.state.lock();
        if let Err(error) = std::fs::remove_file(&inner.ballast_path) {
            state.ballast = 0;
            if error.kind() != io::ErrorKind::NotFound {
                tracing::error!(%error, "the disk is full and the ballast could not be removed");
            }
            return false;
        }
        // Journalling filesystems give blocks out again only when the transaction that freed them has ended.
        let _ = inner.ballast_path.parent().map(|data| File::open(data).and_then(|data| data.sync_all()));
        tracing::warn!(
            "the metadata store met a full disk: the ballast of {} was given up so that deletions can be written",
            Size(state.ballast)
        );
        state.ballast = 0;
        drop(state);
        inner.look();
        true
    }

    /// Looks at the filesystem and makes the ballast anew when there is room for it again. To be called every few
    /// seconds ([`Space::pause`]). Blocks.
    pub fn settle(&self) -> Report {
        let Some(inner) = &self.0 else { return Report::default() };
        let report = inner.look();
        let wanted = inner.ballast_of(report.total);
        if report.ballast == wanted || report.full {
            return report;
        }
        match inner.make_ballast(wanted) {
            Ok(()) => tracing::debug!("the ballast of {} stands", Size(wanted)),
            // Quotas do not show in what is free.
            Err(error) => tracing::debug!(%error, "the ballast could not be made"),
        }
        inner.look()
    }

    /// How long until the next [`Space::settle`]: a second while the disk is full or the ballast is missing.
    pub fn pause(&self) -> std::time::Duration {
        let report = self.report();
        let wanted = self.0.as_ref().map_or(0, |inner| inner.ballast_of(report.total));
        std::time::Duration::from_secs(if report.full || report.ballast != wanted { 1 } else { 5 })
    }

    /// Looks at once, because somebody has just met a full disk.
    pub fn look_again(&self) {
        if let Some(inner) = &self.0 {
            inner.look();
        }
    }

    /// How it stands; a look is good for a second.
    pub fn current(&self) -> Report {
        let _ = self.admit();
        self.report()
    }

    /// How it stood at the last look.
    pub fn report(&self) -> Report {
        self.0.as_ref().map_or_else(Report::default, |inner| *inner.state.lock())
    }

    /// Registers the gauges `storage_free_bytes` and `storage_full` (1 while pushes are refused).
    pub fn register(&self, registry: &mut Registry) {
        let Some(inner) = &self.0 else { return };
        let help = "Bytes that are free on the data directory's filesystem";
        registry.register("storage_free_bytes", help, inner.free_bytes.clone());
        let help = "Whether pushes are refused because the disk is full";
        registry.register("storage_full", help, inner.full_now.clone());
    }
}

impl Inner {
    fn is_stale(&self) -> bool {
        self.clock.steady().saturating_sub(self.looked.load(Ordering::Relaxed)) >= GOOD_FOR
    }

    /// Takes `bytes` from what is free if `left` stays.
    fn count(&self, bytes: u64, left: u64) -> bool {
        let taken = self.free.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |free| {
            free.checked_sub(bytes).filter(|rest| *rest >= left)
        });
        taken.is_ok()
    }

    fn reserve_of(&self, total: u64) -> u64 {
        self.options.reserve.unwrap_or_else(|| usual_reserve(total))
    }

    fn ballast_of(&self, total: u64) -> u64 {
        self.options.ballast.min(total / 16)
    }

    fn look(&self) -> Report {
        let mut state = self.state.lock();
        let found = (self.probe)();
        self.looked.store(self.clock.steady(), Ordering::Relaxed);
        let (total, free) = match found {
            Ok(found) => found,
            Err(error) => {
                tracing::warn!(%error, "the filesystem does not say how much of it is free");
                return *state;
            }
        };
        let (was_full, reserve) = (state.full, self.reserve_of(total));
        let free = free.saturating_sub(self.ballast_of(total).saturating_sub(state.ballast));
        let enough = if was_full { reserve + reserve / HYSTERESIS } else { reserve };
        // Some network filesystems tell no sizes at all; then nothing is known, and nothing is refused.
        let full = total > 0 && free < enough;
        *state = Report { total, free, reserve, full, ..*state };
        let report = *state;
        self.free.store(if total == 0 { u64::MAX } else { free }, Ordering::Relaxed);
        self.full.store(full, Ordering::Relaxed);
        self.free_bytes.set(i64::try_from(free).unwrap_or(i64::MAX));
        self.full_now.set(i64::from(full));
        drop(state);
        match (was_full, full) {
            (false, true) => tracing::warn!(
                "the disk is full: {} free, {} kept in reserve (storage.reserve_mib); pushes are refused until there is \
                 more, pulls and deletions go on",
                Size(free),
                Size(reserve)
            ),
            (true, false) => tracing::info!("the disk has room again: {} free; pushes are taken again", Size(free)),
            _ => {}
        }
        report
    }

    fn make_ballast(&self, bytes: u64) -> io::Result<()> {
        let mut state = self.state.lock();
        let made = match std::fs::remove_file(&self.ballast_path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ if bytes == 0 => Ok(()),
            _ => allocate(&self.ballast_path, bytes),
        };
        if made.is_err() {
            let _ = std::fs::remove_file(&self.ballast_path);
        }
        state.ballast = if made.is_ok() { bytes } else { 0 };
        made
    }
}

/// Makes a file with `bytes` of its own on the disk.
fn allocate(path: &Path, bytes: u64) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    match fallocate(&file, FallocateFlags::empty(), 0, bytes) {
        Ok(()) => {}
        // Filesystems that cannot set space aside (ZFS) may compress: random bytes take what they take.
        Err(Errno::OPNOTSUPP | Errno::NOSYS) => {
            let block = id::random::<65_536>();
            let mut left = bytes;
            while left > 0 {
                let length = usize::try_from(left).unwrap_or(usize::MAX).min(block.len());
                file.write_all(&block[..length])?;
                left -= length as u64;
            }
        }
        Err(error) => return Err(error.into()),
    }
    file.sync_all()
}

impl fmt::Debug for Space {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Space").field(&self.report()).finish()
    }
}

/// Bytes for people: `512 KiB`, `3.4 GiB`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size(pub u64);

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (unit, name) = match self.0 {
            0..MIB => (1 << 10, "KiB"),
            MIB..GIB => (MIB, "MiB"),
            _ => (GIB, "GiB"),
        };
        let tenths = self.0 / (unit / 10).max(1);
        match (tenths / 10, tenths % 10) {
            (whole, tenth) if whole < 100 && tenth > 0 => write!(f, "{whole}.{tenth} {name}"),
            (whole, _) => write!(f, "{whole} {name}"),
        }
    }
}

#[cfg(test)]
mod tests;
