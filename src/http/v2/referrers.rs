//! `GET /v2/<name>/referrers/<digest>` (end-12).

use hyper::StatusCode;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use serde_json::json;

use super::{Call, Outcome, next_page, read_list};
use crate::base::Page;
use crate::http::reply::json;
use crate::oci::{Digest, MediaType, RepoName};

/// The referrers of a manifest as an index; empty for one that nothing refers to, or that does not exist.
pub(super) async fn list(
    call: &Call<'_>,
    repo: &RepoName,
    subject: &Digest,
    artifact_type: Option<&str>,
    page: &Page,
) -> Outcome {
    let registry = call.app.registry.clone();
    let (name, digest, kind, wanted) = (repo.clone(), *subject, artifact_type.map(str::to_owned), page.clone());
    // Bodies of up to 4 MiB may have to be read for it, whatever the length of the page.
    let read = move || registry.referrers(&name, &digest, kind.as_deref(), &wanted);
    let listed = read_list(usize::MAX, read).await?;
    let index = json!({ "schemaVersion": 2, "mediaType": MediaType::OCI_INDEX, "manifests": listed.entries });
    let mut reply = json(StatusCode::OK, &index);
    reply.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(MediaType::OCI_INDEX));
    if artifact_type.is_some() {
        reply.headers_mut().insert("oci-filters-applied", HeaderValue::from_static("artifactType"));
    }
    if listed.more
        && let Some(last) = listed.entries.last()
    {
        let (n, last) = (page.n.map(|n| n.to_string()), last.digest.to_string());
        let mut parameters = vec![("last", last.as_str())];
        parameters.extend(n.as_deref().map(|n| ("n", n)));
        parameters.extend(artifact_type.map(|wanted| ("artifactType", wanted)));
        next_page(&mut reply, &format!("/v2/{repo}/referrers/{subject}"), &parameters);
    }
    Ok(reply)
}
