//! What the test binaries share: a running server, a laboratory of network namespaces, images made on the spot,
//! and the count of what ran and what was skipped.
//!
//! Everything is made at run time in temporary directories and goes away with the value that made it.

// Each test binary uses its own part of this module.
#![allow(dead_code, unused_imports, unused_macros)]

pub(crate) mod image;
pub(crate) mod lab;
pub(crate) mod page;
pub(crate) mod process;
pub(crate) mod server;
pub(crate) mod tally;
