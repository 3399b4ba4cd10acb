//! Answers, and the few helpers that every one of them is made with.

use bytes::Bytes;
use hyper::header::{ALLOW, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderValue};
use hyper::{Response, StatusCode};
use serde_json::json;

/// The body of an answer: what is to be sent, not yet in motion.
#[derive(Debug, Default)]
pub enum Body {
    /// None.
    #[default]
    Empty,
    /// Bytes at hand.
    Full(Bytes),
    /// A part of an open file, read as the client takes it.
    File {
        /// The file.
        file: std::fs::File,
        /// Offset of the first byte.
        offset: u64,
        /// Number of bytes.
        length: u64,
    },
}

impl Body {
    /// The number of its bytes.
    pub fn len(&self) -> u64 {
        match self {
            Self::Empty => 0,
            Self::Full(bytes) => bytes.len() as u64,
            Self::File { length, .. } => *length,
        }
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// An answer.
pub type Reply = Response<Body>;

/// What was asked for, in the words of [`crate::model::Operation::name`]; an extension of the answer, read by the
/// access log and the metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OperationName(pub &'static str);

/// Who asked ([`crate::model::Principal::name`]); an extension of the answer, read by the access log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asker(pub String);

/// 200 with this body, and room for the header lines that a pull gets: a map that grows to them costs twice as much.
pub fn content(body: Body) -> Reply {
    const LINES: usize = 10;
    let mut reply = Response::new(body);
    *reply.headers_mut() = HeaderMap::with_capacity(LINES);
    reply
}

/// An answer with a status and no body.
pub fn empty(status: StatusCode) -> Reply {
    let mut reply = Response::new(Body::Empty);
    *reply.status_mut() = status;
    reply
}

/// An answer with a body of this type.
pub fn typed(status: StatusCode, content_type: &'static str, body: impl Into<Bytes>) -> Reply {
    let mut reply = Response::new(Body::Full(body.into()));
    *reply.status_mut() = status;
    reply.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    reply
}

/// A plain sentence or page of text.
pub fn text(status: StatusCode, body: impl Into<Bytes>) -> Reply {
    typed(status, "text/plain; charset=utf-8", body)
}

/// A JSON value.
pub fn json(status: StatusCode, value: &serde_json::Value) -> Reply {
    typed(status, "application/json", value.to_string())
}

/// A refusal as every registry client reads it (distribution-spec, "Error Codes"). `code` is one of
/// [`crate::oci::Code`]'s texts; `message` is one plain line that says what to do.
pub fn error(status: StatusCode, code: &str, message: &str) -> Reply {
    json(status, &json!({ "errors": [{ "code": code, "message": message, "detail": null }] }))
}

/// 405 with the methods that there are.
pub fn method_not_allowed(allow: &'static str) -> Reply {
    let mut reply = error(
        StatusCode::METHOD_NOT_ALLOWED,
        "UNSUPPORTED",
        &format!("this path does not know this method; it knows {allow}"),
    );
    reply.headers_mut().insert(ALLOW, HeaderValue::from_static(allow));
    reply
}

/// What `HEAD` gets for what `GET` would have got: the same head, the length said explicitly, no body (RFC 9110,
/// 9.3.2). A length that is set already stands.
#[must_use]
pub fn without_body(mut reply: Reply) -> Reply {
    let length = reply.body().len();
    reply.headers_mut().entry(CONTENT_LENGTH).or_insert_with(|| HeaderValue::from(length));
    *reply.body_mut() = Body::Empty;
    reply
}
