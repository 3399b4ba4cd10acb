//! The manifest as pushed, and downloads of what somebody else wrote.

use askama::Template;
use hyper::StatusCode;
use hyper::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_SECURITY_POLICY, HeaderValue};

use super::document::{self, Shown};
use super::manifest_header::Header;
use super::page::{Frame, render};
use super::{Failure, ManifestPage, Outcome, words};
use crate::http::reply::{self, Reply};
use crate::registry::manifests::{Details, What};

#[derive(Template)]
#[template(path = "raw.html")]
struct RawPage {
    frame: Frame,
    header: Header,
    bytes: u64,
    body: Shown,
    download: String,
}

/// The page that shows the manifest.
pub(super) fn page(frame: Frame, header: Header, details: &Details) -> Reply {
    let (bytes, body) = (details.body.len() as u64, document::show(&details.body));
    let download = header.download();
    render(StatusCode::OK, &RawPage { frame, header, bytes, body, download })
}

/// The bytes of a manifest or bundle, exactly. Nothing that a browser would look into: no type to run, a name to store
/// it under, and no rights should it be opened all the same.
pub(super) fn download(details: &Details, page: ManifestPage) -> Outcome {
    let bundle = match &details.what {
        What::Application(application) => application.document.as_ref(),
        _ => None,
    };
    let (name, bytes) = match (page, bundle) {
        (ManifestPage::Raw, _) => (format!("manifest-{}.json", words::short(details.digest)), details.body.clone()),
        (ManifestPage::Bundle, Some((digest, Some(bytes)))) => {
            (format!("bundle-{}.txt", words::short(digest)), bytes.clone())
        }
        _ => return Err(Failure::NotFound("There is nothing to download at this address.".to_owned())),
    };
    let mut reply = reply::typed(StatusCode::OK, "application/octet-stream", bytes);
    let disposition = HeaderValue::try_from(format!("attachment; filename=\"{name}\""));
    let headers = reply.headers_mut();
    headers.insert(CONTENT_DISPOSITION, disposition.unwrap_or(HeaderValue::from_static("attachment")));
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'; sandbox"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(reply)
}
