//! `GET /v2/_catalog`: Docker's list of repositories.

use serde_json::json;

use super::{Call, Outcome, next_page, read_list};
use crate::access::rights::Visible;
use crate::base::Page;
use crate::http::reply::json;
use crate::model::operation::Requirement;
use crate::model::permission::Action;
use crate::oci::RepoName;

/// One page of the repositories that the account may read.
pub(super) async fn list(call: &Call<'_>, page: &Page) -> Outcome {
    let (app, reader, wanted) = (call.app.clone(), call.caller.without_token(), page.clone());
    let read = move || {
        let readable =
            |name: &RepoName| app.access.decide(&reader, Requirement::Repository(name, Action::Pull)).allowed();
        let visible = app.access.visible(&reader).unwrap_or(Visible::Ask);
        app.registry.catalog(&wanted, &visible, readable)
    };
    let repositories = read_list(page.limit(), read).await?;
    let mut reply = json(hyper::StatusCode::OK, &json!({ "repositories": repositories.entries }));
    if repositories.more
        && let Some(last) = repositories.entries.last()
    {
        next_page(&mut reply, "/v2/_catalog", &[("n", &page.limit().to_string()), ("last", last)]);
    }
    Ok(reply)
}
