//! Floor 3: what the command line, the pages and the jobs all show about a running registry.

pub mod accounts;
pub mod certificates;
pub mod gc;
pub mod handshakes;
pub mod status;

pub use status::Status;
