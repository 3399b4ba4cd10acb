//! (being built)

pub mod ca;
pub mod cert;
pub mod trust;
