//! Floor 3: work that is done later: a queue of rows, schedules that fill it, and the runner that empties it.
//!
//! Handlers are idempotent and bounded: a job whose runner died is simply done again when its claim has run out.
//! There is one file per handler.

mod audit;
mod certificate_renewal;
mod garbage_collection;
mod reindex;
mod repository_removal;
mod runner;
mod schedule;
mod session_expiry;
mod steady_time;
mod upload_expiry;
mod usage_flush;

pub use runner::{JobError, Runner};
