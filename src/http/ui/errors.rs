//! Refusals and faults as pages.

use std::time::Duration;

use askama::Template;
use hyper::StatusCode;
use hyper::header::{ALLOW, HeaderValue, RETRY_AFTER};

use super::page::{Frame, render};
use super::{Visit, redirect};
use crate::access::AccessError;
use crate::http::reply::Reply;
use crate::meta::MetaError;
use crate::registry::RegistryError;

/// Why there is no page to show.
#[derive(Debug)]
pub enum Failure {
    /// 404, in words that say what was looked for.
    NotFound(String),
    /// 403, with the reason.
    Forbidden(String),
    /// Nobody is signed in: leads to the form, and back here.
    SignIn,
    /// 400.
    Bad(String),
    /// 409: what was asked for does not go together with what is there.
    Conflict(String),
    /// 413, with the limit in bytes.
    TooLarge(usize),
    /// 405, with the methods that there are.
    Method(&'static str),
    /// 429, with the time to wait.
    Throttled(Duration),
    /// 503: it can be tried again.
    Unavailable(String),
    /// 500; the log has the error under the request's id.
    Fault(String),
}

impl From<RegistryError> for Failure {
    fn from(error: RegistryError) -> Self {
        let message = sentence(&error.to_string());
        match error {
            RegistryError::NameUnknown(_)
            | RegistryError::ManifestUnknown { .. }
            | RegistryError::BlobUnknown { .. } => Self::NotFound(message),
            RegistryError::ManifestInvalid(_)
            | RegistryError::ManifestDigest { .. }
            | RegistryError::TextTooLong { .. }
            | RegistryError::ForeignCursor => Self::Bad(message),
            RegistryError::Refused { .. } | RegistryError::NameTaken(_) => Self::Conflict(message),
            RegistryError::NoSpace(_) | RegistryError::Store(MetaError::DiskFull) => Self::Unavailable(message),
            other => Self::Fault(other.to_string()),
        }
    }
}

impl From<MetaError> for Failure {
    fn from(error: MetaError) -> Self {
        Self::from(RegistryError::Store(error))
    }
}

impl From<AccessError> for Failure {
    fn from(error: AccessError) -> Self {
        match error {
            AccessError::Throttled { retry_after } => Self::Throttled(retry_after),
            AccessError::Refused(message) => Self::Forbidden(sentence(&message)),
            AccessError::Malformed(message) | AccessError::Conflict(message) => Self::Bad(sentence(&message)),
            AccessError::NotFound(_) | AccessError::UnknownAccount(_) => Self::NotFound(sentence(&error.to_string())),
            AccessError::Store(error) => Self::from(error),
        }
    }
}

/// A message of the lower floors, which begin small and end without a stop, as a sentence.
pub fn sentence(message: &str) -> String {
    let mut letters = message.chars();
    let first = letters.next().map(|letter| letter.to_uppercase().collect::<String>()).unwrap_or_default();
    let stop = if message.ends_with(['.', '!', '?']) { "" } else { "." };
    format!("{first}{}{stop}", letters.as_str())
}

#[derive(Template)]
#[template(path = "error.html")]
struct ErrorPage {
    frame: Frame,
    message: String,
}

/// The answer for a failure.
pub fn show(visit: &Visit<'_>, failure: Failure) -> Reply {
    let (status, title, message) = match failure {
        Failure::SignIn if visit.is_get() => return redirect(&visit.login_path()),
        Failure::SignIn => (
            StatusCode::FORBIDDEN,
            "Sign in first",
            "Your session has ended. Sign in, and send the form again.".to_owned(),
        ),
        Failure::NotFound(message) => (StatusCode::NOT_FOUND, "Not found", message),
        Failure::Forbidden(message) => (StatusCode::FORBIDDEN, "Not allowed", message),
        Failure::Bad(message) => (StatusCode::BAD_REQUEST, "This does not work", message),
        Failure::Conflict(message) => (StatusCode::CONFLICT, "This does not work", message),
        Failure::TooLarge(limit) => {
            (StatusCode::PAYLOAD_TOO_LARGE, "Too large", format!("A form has at most {limit} bytes here."))
        }
        Failure::Method(allow) => {
            let message = format!("This address knows {allow} only.");
            let mut reply = page(visit, StatusCode::METHOD_NOT_ALLOWED, "Wrong method", message);
            reply.headers_mut().insert(ALLOW, HeaderValue::from_static(allow));
            return reply;
        }
        Failure::Throttled(wait) => {
            let mut reply = page(visit, StatusCode::TOO_MANY_REQUESTS, "Too many attempts", wait_words(wait));
            reply.headers_mut().insert(RETRY_AFTER, retry_after(wait));
            return reply;
        }
        Failure::Unavailable(message) => (StatusCode::SERVICE_UNAVAILABLE, "Not now", message),
        Failure::Fault(error) => {
            tracing::error!(request = visit.ctx.id, %error, "a page failed through no fault of its reader");
            let message = "The registry failed. Its log has the reason under the request id at the foot of this page.";
            (StatusCode::INTERNAL_SERVER_ERROR, "The registry failed", message.to_owned())
        }
    };
    page(visit, status, title, message)
}

/// What somebody reads who has to wait.
pub(super) fn wait_words(wait: Duration) -> String {
    let seconds = wait.as_secs().max(1);
    let wait = if seconds < 120 { format!("{seconds} seconds") } else { format!("{} minutes", seconds.div_ceil(60)) };
    format!("There were too many failed sign-ins. Try again in {wait}.")
}

/// The same for programs.
pub(super) fn retry_after(wait: Duration) -> HeaderValue {
    HeaderValue::from(wait.as_secs().max(1))
}

fn page(visit: &Visit<'_>, status: StatusCode, title: &str, message: String) -> Reply {
    render(status, &ErrorPage { frame: visit.frame(title, super::page::Nav::Elsewhere), message })
}
