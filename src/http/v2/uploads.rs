//! `/v2/<name>/blobs/uploads/…`: uploads and mounts (end-4, end-5, end-6, end-11, end-13, end-14).

use hyper::StatusCode;
use hyper::header::{CONTENT_LENGTH, CONTENT_RANGE, HeaderMap, HeaderValue, LOCATION, RANGE};

use super::blobs::header;
use super::{Call, Outcome, digest_header, error};
use crate::base::UploadId;
use crate::blobs::{Append, BlobError};
use crate::http::RequestBody;
use crate::http::reply::{Reply, empty};
use crate::model::operation::Requirement;
use crate::model::permission::{Action, Verdict};
use crate::oci::range::ChunkRange;
use crate::oci::{Algorithm, Code, Digest, RepoName};
use crate::registry::RegistryError;

/// Begins an upload: 202 and where to send the bytes.
pub(super) async fn start(
    call: &Call<'_>,
    repo: &RepoName,
    algorithm: Option<Algorithm>,
) -> Result<Reply, RegistryError> {
    let id = call.app.registry.start_upload(&call.actor(), repo, algorithm).await?;
    Ok(progress(StatusCode::ACCEPTED, repo, id, 0))
}

/// Takes in a whole blob with the POST.
pub(super) async fn push(
    call: &mut Call<'_>,
    headers: &HeaderMap,
    repo: &RepoName,
    digest: Digest,
    body: RequestBody,
) -> Outcome {
    let length = content_length(headers);
    refuse_early(call, 0, length)?;
    let (registry, actor) = (call.app.registry.clone(), call.actor());
    let admitted = async {
        call.admit(headers).await.map_err(Stop::Answered)?;
        Ok(call.actor())
    };
    match registry.push_blob(actor, repo, digest, length, body, admitted).await {
        Ok(()) => Ok(created(repo, &digest)),
        Err(Stop::Answered(reply)) => Ok(*reply),
        Err(Stop::Error(error)) => Err(error),
    }
}

/// Mounts a blob from another repository: 201, or 202 and an upload session when there is nothing to mount.
pub(super) async fn mount(
    call: &Call<'_>,
    repo: &RepoName,
    digest: Digest,
    from: Option<&RepoName>,
    algorithm: Option<Algorithm>,
) -> Outcome {
    if let Some(from) = from {
        let decision = call.app.access.decide(&call.caller, Requirement::Repository(from, Action::Pull));
        if decision.verdict == Verdict::NeedsWiderToken {
            return Ok(call.challenge(&decision, Some(from)));
        }
    }
    // A named source is read with the credentials that were shown; to look for one, what counts is what the account of
    // somebody signed in may read: a token for this push alone could never name the others.
    let reader = if from.is_some() { call.caller.clone() } else { call.caller.without_token() };
    let may_look = from.is_some() || reader.is_signed_in();
    let readable = |name: &RepoName| {
        may_look && call.app.access.decide(&reader, Requirement::Repository(name, Action::Pull)).allowed()
    };
    if let Some(source) = call.app.registry.mount_source(&digest, from, readable)?
        && call.app.registry.mount_blob(call.actor(), repo, digest, &source).await?
    {
        return Ok(created(repo, &digest));
    }
    start(call, repo, algorithm.or(Some(digest.algorithm()))).await
}

/// Tells how far an upload has come.
pub(super) fn status(call: &Call<'_>, repo: &RepoName, id: UploadId) -> Result<Reply, RegistryError> {
    let status = call.app.registry.upload_status(&call.actor(), repo, id)?;
    Ok(progress(StatusCode::NO_CONTENT, repo, id, status.offset))
}

/// Takes in the next chunk.
pub(super) async fn append(
    call: &mut Call<'_>,
    headers: &HeaderMap,
    repo: &RepoName,
    id: UploadId,
    body: RequestBody,
) -> Outcome {
    match receive(call, headers, repo, id, None, body).await {
        Ok(offset) => Ok(progress(StatusCode::ACCEPTED, repo, id, offset)),
        Err(stop) => stop_reply(call, repo, id, stop),
    }
}

/// Takes in the last chunk, if there is one, and publishes the blob.
pub(super) async fn finish(
    call: &mut Call<'_>,
    headers: &HeaderMap,
    repo: &RepoName,
    id: UploadId,
    digest: Digest,
    body: RequestBody,
) -> Outcome {
    // Only for who may go on with it.
    call.app.registry.upload_status(&call.actor(), repo, id)?;
    let closing = call.app.registry.closing(repo, id);
    // Most closing PUTs have no body; one with a range must be checked even when it is empty.
    let has_chunk = body.length() != Some(0) || headers.contains_key(CONTENT_RANGE);
    let ended = async {
        if has_chunk {
            receive(call, headers, repo, id, Some(digest), body).await?;
        }
        Ok(call.app.registry.finish_upload(call.actor(), repo, id, digest).await?)
    };
    match ended.await {
        Ok(()) => {
            closing.ended();
            Ok(created(repo, &digest))
        }
        Err(stop) => {
            closing.rest().await;
            stop_reply(call, repo, id, stop)
        }
    }
}

/// Gives an upload up.
pub(super) async fn cancel(call: &Call<'_>, repo: &RepoName, id: UploadId) -> Result<Reply, RegistryError> {
    call.app.registry.cancel_upload(&call.actor(), repo, id).await?;
    Ok(empty(StatusCode::NO_CONTENT))
}

/// Why a chunk was not taken in.
enum Stop {
    /// There is an answer already: it makes no sense, or its sender may not push any more.
    Answered(Box<Reply>),
    Error(RegistryError),
}

impl From<RegistryError> for Stop {
    fn from(error: RegistryError) -> Self {
        Self::Error(error)
    }
}

/// Takes in a chunk; the last one comes with the digest of the whole. Where the sender's right ended meanwhile, the upload
/// stays as it is with the chunk: nothing of it can be pulled, every request to it is refused from now on, and it expires
/// as what nobody goes on with does. A right that comes back in time goes on where it was.
async fn receive(
    call: &mut Call<'_>,
    headers: &HeaderMap,
    repo: &RepoName,
    id: UploadId,
    closing: Option<Digest>,
    body: RequestBody,
) -> Result<u64, Stop> {
    let actor = call.actor();
    let length = content_length(headers);
    let range = match headers.get(CONTENT_RANGE) {
        None => None,
        Some(value) => {
            let range = value.to_str().ok().and_then(ChunkRange::parse).ok_or_else(|| {
                let message = "Content-Range of a chunk is <first byte>-<last byte>";
                Stop::Answered(Box::new(error::reply(StatusCode::BAD_REQUEST, Code::BlobUploadInvalid, message)))
            })?;
            Some((range.first, range.length()))
        }
    };
    let status = call.app.registry.upload_status(&actor, repo, id).map_err(Stop::Error)?;
    refuse_early(call, status.offset, length).map_err(Stop::Error)?;
    let algorithm = closing.map(|digest| digest.algorithm());
    let how = Append { range, expected: length, algorithm, closing: closing.is_some() };
    let offset = call.app.registry.append_upload(&actor, repo, id, how, body).await?;
    call.admit(headers).await.map_err(Stop::Answered)?;
    Ok(offset)
}

fn stop_reply(call: &Call<'_>, repo: &RepoName, id: UploadId, stop: Stop) -> Outcome {
    match stop {
        Stop::Answered(reply) => Ok(*reply),
        // The session is still good: the client learns where to go on.
        Stop::Error(wrong @ RegistryError::Blob(BlobError::WrongOffset { offset, .. })) => {
            let mut reply = error::registry(call.ctx, &wrong);
            tell_progress(reply.headers_mut(), repo, id, offset);
            Ok(reply)
        }
        Stop::Error(error) => Err(error),
    }
}

/// What can be known from the length alone is refused before a byte is read.
fn refuse_early(call: &Call<'_>, offset: u64, length: Option<u64>) -> Result<(), RegistryError> {
    let limit = call.app.config.limits.blob_bytes;
    match length {
        Some(length) if offset.saturating_add(length) > limit => Err(BlobError::TooLarge { limit }.into()),
        _ => Ok(()),
    }
}

fn content_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

fn created(repo: &RepoName, digest: &Digest) -> Reply {
    let mut reply = empty(StatusCode::CREATED);
    reply.headers_mut().insert(LOCATION, header(format!("/v2/{repo}/blobs/{digest}")));
    reply.headers_mut().insert(super::CONTENT_DIGEST, digest_header(digest));
    reply
}

fn progress(status: StatusCode, repo: &RepoName, id: UploadId, offset: u64) -> Reply {
    let mut reply = empty(status);
    tell_progress(reply.headers_mut(), repo, id, offset);
    reply
}

/// Where to go on and from which byte. At 0 bytes the range is `0-0`, as every registry has it: the form has no way
/// to say "nothing".
fn tell_progress(headers: &mut HeaderMap, repo: &RepoName, id: UploadId, offset: u64) {
    headers.insert(LOCATION, header(format!("/v2/{repo}/blobs/uploads/{id}")));
    headers.insert(RANGE, header(format!("0-{}", offset.saturating_sub(1))));
    headers.insert("docker-upload-uuid", HeaderValue::try_from(id.to_string()).expect("hex digits"));
}
