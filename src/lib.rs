//! msr-lite: a secure registry for container images and applications in one static binary.
//!
//! The house has six floors; a module imports its own floor's listed friends and any lower floor, never upward
//! (`tests/floors.rs` holds it to that). The same noun bears the same file name on every floor.
//!
//! | floor | modules | must not know |
//! |---|---|---|
//! | 0 words | [`oci`] | tokio, redb, HTTP, clocks |
//! | 1 nouns | [`base`], [`model`] | tokio, stores, HTTP |
//! | 2 stores and keys | [`space`] < [`blobs`], [`meta`], [`pki`] | HTTP, permissions, each other |
//! | 3 the registry | [`client`], [`access`] < [`registry`] < [`ops`] < [`jobs`] | server types, HTML |
//! | 4 the wire | [`http`] | redb, files |
//! | 5 the front door | [`serve`], [`cli`] | – |

pub mod oci;

pub mod base;
pub mod model;

pub mod blobs;
pub mod meta;
pub mod pki;
pub mod space;

pub mod access;
pub mod client;
pub mod jobs;
pub mod ops;
pub mod registry;

pub mod http;

pub mod cli;
pub mod serve;
