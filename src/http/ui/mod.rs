//! The web pages: complete HTML for each GET, a form and a redirect for each change (ui-design, "Principles").
//!
//! [`routes`] says which path is which page, `session` who looks at it, [`page`] what all pages share; one file for each
//! page's view, with its template of the same name in `assets/templates`.

use std::sync::Arc;

use hyper::Request;

use super::App;
use super::body::RequestBody;
use super::reply::Reply;
use super::request::Context;

/// Whether a path is one of the pages' (or of their assets).
pub fn is_page(path: &str) -> bool {
    const EXACT: [&str; 7] = ["/", "/welcome", "/login", "/logout", "/repositories", "/search", "/docs"];
    const UNDER: [&str; 5] = ["/r/", "/a/", "/system", "/account", "/docs/"];
    EXACT.contains(&path) || UNDER.iter().any(|under| path.starts_with(under))
}

/// Answers a request to one of them.
pub async fn serve(_app: &Arc<App>, _context: &Context, _request: Request<RequestBody>) -> Reply {
    todo!()
}
