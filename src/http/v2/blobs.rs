//! `GET`, `HEAD` and `DELETE /v2/<name>/blobs/<digest>` (end-2, end-10).

use hyper::StatusCode;
use hyper::header::{
    ACCEPT_RANGES, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, HeaderMap, HeaderValue, IF_NONE_MATCH, RANGE,
};

use super::{CONTENT_DIGEST, Call, digest_header, error, identify};
use crate::blobs::BlobError;
use crate::http::reply::{Body, Reply, content, empty};
use crate::oci::range::{Asked, asked};
use crate::oci::{Code, Digest, RepoName};
use crate::registry::RegistryError;
use crate::registry::pull::{BlobBytes, PulledBlob};

/// Gives out a blob, or the part of it that `Range` asks for.
pub(super) fn get(
    call: &Call<'_>,
    headers: &HeaderMap,
    repo: &RepoName,
    digest: &Digest,
) -> Result<Reply, RegistryError> {
    let blob = call.app.registry.pull_blob(repo, digest)?;
    if is_known_to_client(headers, digest) {
        return Ok(not_modified(digest));
    }
    let range = headers.get(RANGE).and_then(|value| value.to_str().ok());
    let (status, offset, length) = match asked(range, blob.size) {
        Asked::Whole => (StatusCode::OK, 0, blob.size),
        Asked::Part { first, last } => (StatusCode::PARTIAL_CONTENT, first, last - first + 1),
        Asked::Unsatisfiable => {
            let message = format!("no byte of this blob lies in the Range: it has {} bytes", blob.size);
            let mut reply = error::reply(StatusCode::RANGE_NOT_SATISFIABLE, Code::Unsupported, &message);
            reply.headers_mut().insert(CONTENT_RANGE, header(format!("bytes */{}", blob.size)));
            reply.headers_mut().insert(CONTENT_DIGEST, digest_header(digest));
            return Ok(reply);
        }
    };
    let mut reply = describe(digest, length);
    *reply.status_mut() = status;
    if status == StatusCode::PARTIAL_CONTENT {
        let range = format!("bytes {offset}-{}/{}", offset + length - 1, blob.size);
        reply.headers_mut().insert(CONTENT_RANGE, header(range));
    }
    *reply.body_mut() = match body(call, &blob, offset, length) {
        // Collected between the look at its row and the opening of its file: now there is no row, or another file.
        Err(RegistryError::Blob(BlobError::Missing(_))) => {
            body(call, &call.app.registry.pull_blob(repo, digest)?, offset, length)?
        }
        body => body?,
    };
    Ok(reply)
}

fn body(call: &Call<'_>, blob: &PulledBlob, offset: u64, length: u64) -> Result<Body, RegistryError> {
    Ok(match &blob.bytes {
        None => Body::Empty,
        Some(BlobBytes::Inline(bytes)) => {
            // Inline bodies are small; their offsets fit any usize.
            let from = usize::try_from(offset).unwrap_or(usize::MAX).min(bytes.len());
            let to = from.saturating_add(usize::try_from(length).unwrap_or(usize::MAX)).min(bytes.len());
            Body::Full(bytes.slice(from..to))
        }
        Some(BlobBytes::File(file)) => Body::File { file: call.app.registry.blobs().open_file(*file)?, offset, length },
    })
}

/// Tells whether a blob is here. One who may push relies on the answer, so it renews the lease.
pub(super) async fn head(call: &Call<'_>, repo: &RepoName, digest: &Digest) -> Result<Reply, RegistryError> {
    let blob = call.app.registry.head_blob(repo, digest, call.may_push(repo)).await?;
    Ok(describe(digest, blob.size))
}

/// Deletes a blob from a repository.
pub(super) async fn delete(call: &Call<'_>, repo: &RepoName, digest: Digest) -> Result<Reply, RegistryError> {
    call.app.registry.delete_blob(call.actor(), repo, digest).await?;
    Ok(empty(StatusCode::ACCEPTED))
}

/// Whether `If-None-Match` names this content; its digest is its entity tag.
pub(super) fn is_known_to_client(headers: &HeaderMap, digest: &Digest) -> bool {
    let Some(tags) = headers.get(IF_NONE_MATCH).and_then(|value| value.to_str().ok()) else { return false };
    let digest = digest.to_string();
    tags.split(',').any(|tag| tag.trim().trim_start_matches("W/").trim_matches('"') == digest)
}

/// 304, with what identifies the content.
pub(super) fn not_modified(digest: &Digest) -> Reply {
    let mut reply = empty(StatusCode::NOT_MODIFIED);
    identify(reply.headers_mut(), digest);
    reply
}

fn describe(digest: &Digest, length: u64) -> Reply {
    let mut reply = content(Body::Empty);
    let headers = reply.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    identify(headers, digest);
    headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    reply
}

/// A header made of our own checked parts.
pub(super) fn header(value: impl AsRef<str>) -> HeaderValue {
    HeaderValue::from_str(value.as_ref()).expect("digests, names and numbers are visible ASCII")
}
