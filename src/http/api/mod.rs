//! MSR's REST interface, `/api/v0`: one table of endpoints, one file per noun.

use std::sync::Arc;

use hyper::Request;

use super::App;
use super::body::RequestBody;
use super::reply::Reply;
use super::request::Context;

/// Where it begins.
pub const PREFIX: &str = "/api/v0";

/// Whether a path belongs to it.
pub fn is_api(path: &str) -> bool {
    path.strip_prefix(PREFIX).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Answers a request to it.
pub async fn serve(_app: &Arc<App>, _context: &Context, _request: Request<RequestBody>) -> Reply {
    todo!()
}
