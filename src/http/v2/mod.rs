//! The distribution API (and Docker's): one file per noun, found from [`route`].

pub mod auth;
