//! The real binary under faults that a test can really cause: kills at any moment, and a filesystem that is full.
//!
//! Faults that need a disk of our making are in `src/registry/faults.rs`. What all of it shows, with figures:
//! docs/reliability.md.

#![allow(clippy::unwrap_used, reason = "a test fails with a panic")]

mod client;
mod full;
mod kill;

/// How many rounds: the usual number, or what the variable says.
fn rounds(variable: &str, usual: u64) -> u64 {
    std::env::var(variable).ok().map_or(usual, |text| text.parse().expect("a number"))
}
