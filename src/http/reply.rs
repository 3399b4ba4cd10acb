//! Response bodies and the few helpers that every answer is made with.

use bytes::Bytes;
use hyper::{Response, StatusCode};

/// The body of an answer.
#[derive(Debug, Default)]
pub enum Body {
    /// None.
    #[default]
    Empty,
    /// Bytes at hand.
    Full(Bytes),
    /// A part of an open file, read ahead on blocking threads.
    File {
        /// The file.
        file: std::fs::File,
        /// Offset of the first byte.
        offset: u64,
        /// Number of bytes.
        length: u64,
    },
}

/// An answer.
pub type Reply = Response<Body>;

/// An answer with a status and no body.
pub fn empty(status: StatusCode) -> Reply {
    let mut reply = Response::new(Body::Empty);
    *reply.status_mut() = status;
    reply
}
