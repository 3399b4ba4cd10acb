//! Floor 1: what every noun needs: time, ids, secrets, pages, settings.

pub mod clock;
pub mod config;
#[cfg(test)]
pub(crate) mod faults;
pub mod id;
pub mod page;
pub mod secret;

pub use clock::{Clock, Timestamp};
pub use config::Config;
pub use id::{EventId, FileId, JobId, RepoId, UploadId, Uuid};
pub use page::Page;
pub use secret::Secret;
