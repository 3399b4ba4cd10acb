//! Floor 0: the words of the OCI distribution and image specifications, as types.
//!
//! Everything here is pure: no clock, no store, no HTTP. A value of one of these types has been checked once,
//! at the edge, and is carried from there on; no code below the wire parses a string again.

pub mod bundle;
pub mod code;
pub mod descriptor;
pub mod digest;
pub mod image_config;
pub mod kind;
mod lenient;
pub mod manifest;
pub mod media_type;
pub mod name;
pub mod platform;
pub mod range;
pub mod reference;
pub mod scope;
pub mod tag;

pub use code::Code;
pub use descriptor::Descriptor;
pub use digest::{Algorithm, Digest, Hasher};
pub use kind::Kind;
pub use manifest::Manifest;
pub use media_type::MediaType;
pub use name::RepoName;
pub use platform::Platform;
pub use reference::Reference;
pub use tag::Tag;
