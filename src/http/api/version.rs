//! Which version answers.

use hyper::StatusCode;
use serde_json::json;

use super::call::{Call, Outcome};
use crate::http::reply;

/// `{"version": …}`. For those who are signed in: strangers need not know which faults are still open here.
#[allow(clippy::unused_async, reason = "as every endpoint")]
pub(super) async fn get(_: Call<'_>) -> Outcome {
    Ok(reply::json(StatusCode::OK, &json!({ "version": env!("CARGO_PKG_VERSION") })))
}
