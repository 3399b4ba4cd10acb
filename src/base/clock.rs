//! The one place where the time is read.
//!
//! Two times are told apart. *Wall time* ([`Clock::now`]) dates events and certificates and follows the system's
//! clock wherever it jumps. *Steady time* ([`Clock::steady`]) only counts what this process has seen pass, on top of
//! what the store remembered of earlier runs: leases are measured in it, so that a clock that jumps forward (or a
//! week in which the machine was off) never shortens one.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

/// Wall time in milliseconds since the Unix epoch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Timestamp(pub u64);

impl Timestamp {
    /// This time moved forward; saturates at the end of time.
    #[must_use]
    pub fn plus(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(millis(duration)))
    }

    /// This time moved back; saturates at the epoch.
    #[must_use]
    pub fn minus(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(millis(duration)))
    }

    /// How long after `earlier` this is; zero when it is not after it.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }

    /// Reads a time as people and clients write it: RFC 3339, or a date (its beginning, UTC).
    pub fn parse(text: &str) -> Option<Self> {
        let time = text.parse::<jiff::Timestamp>().or_else(|_| format!("{text}T00:00:00Z").parse()).ok()?;
        u64::try_from(time.as_millisecond()).ok().map(Self)
    }

    /// Whole seconds since the Unix epoch, as JWTs and certificates count.
    pub fn seconds(self) -> u64 {
        self.0 / 1000
    }
}

/// RFC 3339 in UTC, e.g. `2026-11-22T10:00:00.123Z`.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = i64::try_from(self.0).unwrap_or(i64::MAX);
        match jiff::Timestamp::from_millisecond(millis) {
            Ok(time) => write!(f, "{time}"),
            Err(_) => write!(f, "{millis} ms after 1970"),
        }
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Tells the time; cheap to clone. Tests take [`Clock::manual`] and move it by hand.
#[derive(Clone)]
pub struct Clock(Arc<Inner>);

struct Inner {
    source: Source,
    /// Steady time remembered from earlier runs, in milliseconds.
    steady_base: AtomicU64,
}

enum Source {
    System { started: Instant },
    Manual { wall: AtomicU64, passed: AtomicU64 },
}

impl Clock {
    /// The system's clock.
    pub fn system() -> Self {
        let source = Source::System { started: Instant::now() };
        Self(Arc::new(Inner { source, steady_base: AtomicU64::new(0) }))
    }

    /// A clock that stands still until [`Clock::advance`] is called.
    pub fn manual(start: Timestamp) -> Self {
        let source = Source::Manual { wall: AtomicU64::new(start.0), passed: AtomicU64::new(0) };
        Self(Arc::new(Inner { source, steady_base: AtomicU64::new(0) }))
    }

    /// Wall time.
    #[allow(clippy::disallowed_methods, reason = "the one place that reads the system's clock")]
    pub fn now(&self) -> Timestamp {
        match &self.0.source {
            Source::System { .. } => {
                Timestamp(millis(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()))
            }
            Source::Manual { wall, .. } => Timestamp(wall.load(Ordering::SeqCst)),
        }
    }

    /// Steady time in milliseconds: what has been seen to pass since the store was made, downtime left out.
    pub fn steady(&self) -> u64 {
        let passed = match &self.0.source {
            Source::System { started } => millis(started.elapsed()),
            Source::Manual { passed, .. } => passed.load(Ordering::SeqCst),
        };
        self.0.steady_base.load(Ordering::SeqCst).saturating_add(passed)
    }

    /// Takes up steady time where an earlier run left it; called once, when the store has been opened.
    pub fn resume_steady(&self, remembered: u64) {
        self.0.steady_base.store(remembered, Ordering::SeqCst);
    }

    /// Moves a manual clock; does nothing to the system's.
    pub fn advance(&self, by: Duration) {
        if let Source::Manual { wall, passed } = &self.0.source {
            wall.fetch_add(millis(by), Ordering::SeqCst);
            passed.fetch_add(millis(by), Ordering::SeqCst);
        }
    }

    /// Makes a manual clock's wall time jump without time having passed, as an administrator or NTP may do.
    pub fn jump(&self, to: Timestamp) {
        if let Source::Manual { wall, .. } = &self.0.source {
            wall.store(to.0, Ordering::SeqCst);
        }
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Clock({})", self.now())
    }
}
