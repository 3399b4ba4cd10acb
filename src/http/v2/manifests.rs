//! `/v2/<name>/manifests/<reference>` (end-3, end-7, end-9).

use hyper::StatusCode;
use hyper::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderValue, LOCATION};

use super::blobs::{header, is_known_to_client, not_modified};
use super::{CONTENT_DIGEST, Call, Outcome, digest_header, error, identify};
use crate::http::RequestBody;
use crate::http::reply::{Body, Reply, content, empty};
use crate::oci::{Code, Reference, RepoName, Tag};
use crate::registry::RegistryError;

/// Tags in one `OCI-Tag` header: the line stays below what proxies take.
const TAGS_A_LINE: usize = 20;

/// Gives out a manifest exactly as it was pushed. `Accept` does not bind (content-negotiation.md): nothing is ever
/// converted, so there is nothing to choose from.
pub(super) async fn get(
    call: &Call<'_>,
    headers: &HeaderMap,
    repo: &RepoName,
    reference: &Reference,
    with_body: bool,
) -> Result<Reply, RegistryError> {
    let registry = &call.app.registry;
    let manifest = if with_body {
        let pulled = registry.pull_manifest(repo, reference)?;
        registry.note_pull(&call.caller, call.ctx.client, call.agent, repo, reference, &pulled.digest);
        pulled
    } else {
        registry.head_manifest(repo, reference, call.may_push(repo)).await?
    };
    if is_known_to_client(headers, &manifest.digest) {
        return Ok(not_modified(&manifest.digest));
    }
    let mut reply = content(manifest.body.map_or(Body::Empty, Body::Full));
    let headers = reply.headers_mut();
    // No charset behind it: docker app copies this header into its index.
    headers.insert(CONTENT_TYPE, header(manifest.media_type.as_str()));
    headers.insert(CONTENT_LENGTH, HeaderValue::from(manifest.size));
    identify(headers, &manifest.digest);
    Ok(reply)
}

/// Stores a manifest.
pub(super) async fn put(
    call: &mut Call<'_>,
    headers: &HeaderMap,
    repo: &RepoName,
    reference: &Reference,
    tags: &[Tag],
    body: RequestBody,
) -> Outcome {
    let Ok(content_type) = headers.get(CONTENT_TYPE).map(HeaderValue::to_str).transpose() else {
        let message = "the Content-Type is not ASCII; send the manifest's own media type";
        return Ok(error::reply(StatusCode::BAD_REQUEST, Code::ManifestInvalid, message));
    };
    let body = match body.read_limited(call.app.config.limits.manifest_bytes).await {
        Ok(body) => body,
        Err(stopped) => return Ok(error::manifest_body(&stopped)),
    };
    if let Err(refusal) = call.admit(headers).await {
        return Ok(*refusal);
    }
    let pushed = call.app.registry.push_manifest(call.actor(), repo, reference, tags, content_type, body).await?;

    let mut reply = empty(StatusCode::CREATED);
    let headers = reply.headers_mut();
    headers.insert(LOCATION, header(format!("/v2/{repo}/manifests/{}", pushed.digest)));
    // Load-bearing: without it docker app pushes its application again as something else, and says it succeeded.
    headers.insert(CONTENT_DIGEST, digest_header(&pushed.digest));
    if let Some(subject) = &pushed.subject {
        headers.insert("oci-subject", digest_header(subject));
    }
    for line in tags.chunks(TAGS_A_LINE) {
        let line: Vec<&str> = line.iter().map(Tag::as_str).collect();
        headers.append("oci-tag", header(line.join(", ")));
    }
    if let Some(first) = pushed.missing.first() {
        let others = pushed.missing.len() - 1;
        let warning = format!("299 - \"stored incomplete: {first} and {others} more references are not in {repo}\"");
        headers.insert("warning", header(warning));
    }
    Ok(reply)
}

/// Deletes a tag or a manifest.
pub(super) async fn delete(call: &Call<'_>, repo: &RepoName, reference: &Reference) -> Result<Reply, RegistryError> {
    call.app.registry.delete_manifest(call.actor(), repo, reference).await?;
    Ok(empty(StatusCode::ACCEPTED))
}
