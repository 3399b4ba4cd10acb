//! The real binary under faults that a test can really cause: kills at any moment, and a filesystem that is full.
//!
//! Faults that need a disk of our making are in `src/registry/faults.rs`. What all of it shows, with figures:
//! docs/reliability.md.

#![allow(clippy::unwrap_used, reason = "a test fails with a panic")]

mod client;
mod full;
mod kill;
mod meanwhile;

use std::io::Write as _;
use std::sync::atomic::{AtomicUsize, Ordering};

/// How many rounds: the usual number, or what the variable says.
fn rounds(variable: &str, usual: u64) -> u64 {
    std::env::var(variable).ok().map_or(usual, |text| text.parse().expect("a number"))
}

/// Says that a test cannot run here, and counts it. With `CI=true` that is a failure, so that a green run there has run
/// everything.
fn skip(test: &str, reason: &str) {
    static SKIPPED: AtomicUsize = AtomicUsize::new(0);
    assert!(
        std::env::var("CI").as_deref() != Ok("true"),
        "{test} cannot run here: {reason}, and CI=true skips nothing"
    );
    let count = SKIPPED.fetch_add(1, Ordering::Relaxed) + 1;
    // Past the test harness's capture, which keeps the output of passing tests to itself.
    let _ = writeln!(std::io::stderr(), "SKIPPED {test}: {reason}\nfaults: {count} skipped");
}
