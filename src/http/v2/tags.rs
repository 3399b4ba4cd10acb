//! `GET /v2/<name>/tags/list` (end-8).

use serde_json::json;

use super::{Call, Outcome, next_page, read_list};
use crate::base::Page;
use crate::http::reply::json;
use crate::oci::RepoName;

/// One page of tags, in byte order.
pub(super) async fn list(call: &Call<'_>, repo: &RepoName, page: &Page) -> Outcome {
    let (registry, name, wanted) = (call.app.registry.clone(), repo.clone(), page.clone());
    let tags = read_list(page.limit(), move || registry.list_tags(&name, &wanted)).await?;
    let mut reply = json(hyper::StatusCode::OK, &json!({ "name": repo, "tags": tags.entries }));
    if tags.more
        && let Some(last) = tags.entries.last()
    {
        next_page(&mut reply, &format!("/v2/{repo}/tags/list"), &[("n", &page.limit().to_string()), ("last", last)]);
    }
    Ok(reply)
}
