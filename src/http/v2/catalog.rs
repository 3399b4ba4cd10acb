//! `GET /v2/_catalog`: Docker's list of repositories.

use serde_json::json;

use super::{Call, next_page};
use crate::base::Page;
use crate::http::reply::{Reply, json};
use crate::model::operation::Requirement;
use crate::model::permission::Action;
use crate::registry::RegistryError;

/// One page of the repositories that the account may read.
pub(super) fn list(call: &Call<'_>, page: &Page) -> Result<Reply, RegistryError> {
    let reader = call.caller.without_token();
    let repositories = call
        .app
        .registry
        .catalog(page, |name| call.app.access.decide(&reader, Requirement::Repository(name, Action::Pull)).allowed())?;
    let mut reply = json(hyper::StatusCode::OK, &json!({ "repositories": repositories.entries }));
    if repositories.more
        && let Some(last) = repositories.entries.last()
    {
        next_page(&mut reply, "/v2/_catalog", &[("n", &page.limit().to_string()), ("last", last)]);
    }
    Ok(reply)
}
