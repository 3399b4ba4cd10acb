//! Floor 3: what the command line, the pages and the jobs all show.

pub mod handshakes;
