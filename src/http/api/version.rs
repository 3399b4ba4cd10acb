//! Which version answers.

use hyper::StatusCode;
use serde_json::json;

use crate::http::reply::{self, Reply};

/// `{"version": …}`. For those who are signed in: strangers need not know which faults are still open here.
pub(super) fn get() -> Reply {
    reply::json(StatusCode::OK, &json!({ "version": env!("CARGO_PKG_VERSION") }))
}
