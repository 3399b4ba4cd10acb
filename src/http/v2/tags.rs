//! `GET /v2/<name>/tags/list` (end-8).

use serde_json::json;

use super::{Call, next_page};
use crate::base::Page;
use crate::http::reply::{Reply, json};
use crate::oci::RepoName;
use crate::registry::RegistryError;

/// One page of tags, in byte order.
pub(super) fn list(call: &Call<'_>, repo: &RepoName, page: &Page) -> Result<Reply, RegistryError> {
    let tags = call.app.registry.list_tags(repo, page)?;
    let mut reply = json(hyper::StatusCode::OK, &json!({ "name": repo, "tags": tags.entries }));
    if tags.more
        && let Some(last) = tags.entries.last()
    {
        next_page(&mut reply, &format!("/v2/{repo}/tags/list"), &[("n", &page.limit().to_string()), ("last", last)]);
    }
    Ok(reply)
}
