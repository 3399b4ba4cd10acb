//! The registry's errors as OCI answers: the only place that gives them statuses and codes.

use hyper::StatusCode;
use hyper::header::{ALLOW, HeaderValue, RETRY_AFTER};
use serde_json::json;

use super::route::RouteError;
use crate::access::AccessError;
use crate::blobs::BlobError;
use crate::http::reply::{Reply, json};
use crate::http::{BodyError, Context};
use crate::meta::MetaError;
use crate::oci::{Code, Digest};
use crate::registry::RegistryError;
use crate::space::{Full, Size};

/// The answer with one OCI error (distribution-spec, "Error Codes").
pub fn reply(status: StatusCode, code: Code, message: &str) -> Reply {
    with_detail(status, code, message, &serde_json::Value::Null)
}

fn with_detail(status: StatusCode, code: Code, message: &str, detail: &serde_json::Value) -> Reply {
    let mut error = json!({ "code": code.as_str(), "message": message });
    if !detail.is_null() {
        error["detail"] = detail.clone();
    }
    json(status, &json!({ "errors": [error] }))
}

/// A fault of ours: the client gets a code and the request's id, the log the rest.
fn fault(ctx: &Context, error: &dyn std::error::Error) -> Reply {
    tracing::error!(request = %ctx.id, %error, "a request failed through no fault of the client");
    let message = format!("the registry failed; its log says more under request id {}", ctx.id);
    reply(StatusCode::INTERNAL_SERVER_ERROR, Code::Unknown, &message)
}

/// Docker shows the body of a 4xx and not of a 5xx: whoever pushes shall read what is the matter.
fn disk_full(how: &str) -> Reply {
    let message = format!(
        "the registry's disk is full{how}, so nothing can be pushed; pulls go on. Ask the administrator to delete images \
         or to enlarge the disk"
    );
    reply(StatusCode::FORBIDDEN, Code::Denied, &message)
}

/// What is wrong with a path, method or query.
pub fn route(error: &RouteError) -> Reply {
    let message = error.to_string();
    match error {
        RouteError::NotFound => reply(StatusCode::NOT_FOUND, Code::Unsupported, &message),
        RouteError::Method(allowed) => {
            let mut answer = reply(StatusCode::METHOD_NOT_ALLOWED, Code::Unsupported, &message);
            answer.headers_mut().insert(ALLOW, HeaderValue::from_static(allowed));
            answer
        }
        RouteError::Name(_) => reply(StatusCode::BAD_REQUEST, Code::NameInvalid, &message),
        RouteError::Digest(_) | RouteError::NoDigest => reply(StatusCode::BAD_REQUEST, Code::DigestInvalid, &message),
        RouteError::Tag(_) => reply(StatusCode::BAD_REQUEST, Code::TagInvalid, &message),
        RouteError::PageSize => reply(StatusCode::BAD_REQUEST, Code::PaginationNumberInvalid, &message),
        RouteError::UploadId => reply(StatusCode::NOT_FOUND, Code::BlobUploadUnknown, &message),
        RouteError::TooManyTags => reply(StatusCode::URI_TOO_LONG, Code::TagInvalid, &message),
    }
}

/// Why a caller was not let in; a 401 gets its challenge from the caller of this function.
pub fn access(ctx: &Context, error: &AccessError) -> Reply {
    match error {
        AccessError::Refused(message) => reply(StatusCode::UNAUTHORIZED, Code::Unauthorized, message),
        AccessError::Throttled { retry_after } => {
            let mut answer = reply(StatusCode::TOO_MANY_REQUESTS, Code::TooManyRequests, &error.to_string());
            answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from(retry_after.as_secs().max(1)));
            answer
        }
        AccessError::Malformed(message) | AccessError::NotFound(message) | AccessError::Conflict(message) => {
            reply(StatusCode::BAD_REQUEST, Code::Unauthorized, message)
        }
        AccessError::UnknownAccount(_) => reply(StatusCode::UNAUTHORIZED, Code::Unauthorized, &error.to_string()),
        AccessError::Store(_) => fault(ctx, error),
    }
}

/// A manifest's body that could not be read.
pub fn manifest_body(error: &BodyError) -> Reply {
    match error {
        BodyError::TooLarge { limit } => {
            let message = format!("a manifest may have at most {limit} bytes here (limits.manifest_bytes)");
            reply(StatusCode::PAYLOAD_TOO_LARGE, Code::ManifestInvalid, &message)
        }
        BodyError::Sender(reason) => {
            let message = format!("the manifest did not arrive whole: {reason}; push it again");
            reply(StatusCode::BAD_REQUEST, Code::ManifestInvalid, &message)
        }
    }
}

/// Whatever the registry said.
pub fn registry(ctx: &Context, error: &RegistryError) -> Reply {
    let message = error.to_string();
    match error {
        RegistryError::NameUnknown(_) => reply(StatusCode::NOT_FOUND, Code::NameUnknown, &message),
        RegistryError::ManifestUnknown { .. } => reply(StatusCode::NOT_FOUND, Code::ManifestUnknown, &message),
        RegistryError::BlobUnknown { .. } => reply(StatusCode::NOT_FOUND, Code::BlobUnknown, &message),
        RegistryError::ManifestInvalid(_) => reply(StatusCode::BAD_REQUEST, Code::ManifestInvalid, &message),
        RegistryError::ManifestDigest { expected, actual } => {
            let detail = json!({ "expected": expected, "actual": actual });
            with_detail(StatusCode::BAD_REQUEST, Code::DigestInvalid, &message, &detail)
        }
        RegistryError::Refused { policy, code, digests, .. } => refused(*code, &message, policy, digests),
        // Asked of lists that this protocol has not, so that only the other interfaces can get them.
        RegistryError::NameTaken(_) => reply(StatusCode::CONFLICT, Code::NameInvalid, &message),
        RegistryError::TextTooLong { .. } => reply(StatusCode::BAD_REQUEST, Code::Unsupported, &message),
        RegistryError::ForeignCursor => reply(StatusCode::BAD_REQUEST, Code::PaginationNumberInvalid, &message),
        RegistryError::NoSpace(Full { free, reserve }) => {
            disk_full(&format!(" ({} free, {} kept in reserve)", Size(*free), Size(*reserve)))
        }
        RegistryError::Blob(error) => blob(ctx, error),
        RegistryError::Store(MetaError::DiskFull) => disk_full(""),
        RegistryError::Store(error) => fault(ctx, error),
    }
}

fn refused(code: Code, message: &str, policy: &str, digests: &[Digest]) -> Reply {
    let status = match code {
        Code::Denied => StatusCode::FORBIDDEN,
        Code::ManifestBlobUnknown => StatusCode::NOT_FOUND,
        _ => StatusCode::BAD_REQUEST,
    };
    with_detail(status, code, message, &json!({ "policy": policy, "digests": digests }))
}

fn blob(ctx: &Context, error: &BlobError) -> Reply {
    let message = error.to_string();
    match error {
        BlobError::UnknownSession => {
            reply(StatusCode::NOT_FOUND, Code::BlobUploadUnknown, &RouteError::UploadId.to_string())
        }
        BlobError::Busy => reply(StatusCode::CONFLICT, Code::BlobUploadInvalid, &message),
        BlobError::WrongOffset { .. } => reply(StatusCode::RANGE_NOT_SATISFIABLE, Code::BlobUploadInvalid, &message),
        BlobError::WrongLength { .. } => reply(StatusCode::BAD_REQUEST, Code::SizeInvalid, &message),
        BlobError::DigestMismatch { expected, actual } => {
            let detail = json!({ "expected": expected, "actual": actual });
            with_detail(StatusCode::BAD_REQUEST, Code::DigestInvalid, &message, &detail)
        }
        BlobError::TooLarge { .. } => {
            let message = format!("{message} here (limits.blob_bytes)");
            reply(StatusCode::PAYLOAD_TOO_LARGE, Code::Denied, &message)
        }
        BlobError::Sender(_) => reply(StatusCode::BAD_REQUEST, Code::BlobUploadInvalid, &message),
        BlobError::DiskFull => disk_full(""),
        BlobError::TooManySessions { .. } => reply(StatusCode::TOO_MANY_REQUESTS, Code::TooManyRequests, &message),
        error => fault(ctx, error),
    }
}
