//! The manifest and its configuration as pushed, and downloads of what somebody else wrote.

use askama::Template;
use hyper::StatusCode;
use hyper::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_SECURITY_POLICY, HeaderValue};

use super::document::{self, Shown};
use super::manifest::NAME;
use super::manifest_header::Header;
use super::page::{Frame, render};
use super::{Failure, ManifestPage, Outcome, shown, words};
use crate::http::reply::{self, Reply};
use crate::oci::Digest;
use crate::oci::image_config::MAX_DOCUMENT;
use crate::registry::manifests::{ConfigBlob, Details, What};

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

/// Bytes of a configuration's text; tables with what stands in it are on the same page.
const CONFIG: usize = 64 * 1024;

/// A configuration as it was pushed; `raw_config.html` shows it.
pub(super) struct RawConfig {
    pub(super) digest: Digest,
    /// Bytes; where it is not at hand, as the manifest says.
    pub(super) size: u64,
    pub(super) media_type: String,
    /// Its text; `None` when it is not here, or too large for a page.
    pub(super) body: Option<Shown>,
    pub(super) download: String,
    /// The command that fetches it from the registry's own interface, which has no such bound.
    pub(super) fetch: String,
    /// Whether it is shown only on demand: it has the values that the page beside it hides.
    pub(super) is_folded: bool,
}

impl RawConfig {
    /// The configuration that a manifest names, for the tab that the header says is shown.
    pub(super) fn new(frame: &Frame, header: &Header, details: &Details, is_folded: bool) -> Option<Self> {
        let ConfigBlob { descriptor, bytes } = details.config.as_ref()?;
        let path = format!("/v2/{}/blobs/{}", details.repo, descriptor.digest);
        Some(Self {
            digest: descriptor.digest,
            size: bytes.as_ref().map_or(descriptor.size, |bytes| bytes.len() as u64),
            media_type: shown::line(descriptor.media_type.as_str(), NAME),
            body: bytes.as_deref().map(|bytes| document::show_at_most(bytes, CONFIG)),
            download: header.download(),
            fetch: frame.command(" -o config.json", &path),
            is_folded,
        })
    }

    /// Whether it was not looked at for its size.
    pub(super) fn is_large(&self) -> bool {
        self.size > MAX_DOCUMENT as u64
    }
}

/// The bytes of a manifest, a configuration or a bundle, exactly. Nothing that a browser would look into: no type to run,
/// a name to store it under, and no rights should it be opened all the same.
pub(super) fn download(details: &Details, page: ManifestPage) -> Outcome {
    let nothing = || Failure::NotFound("There is nothing to download at this address.".to_owned());
    let bundle = match &details.what {
        What::Application(application) => application.document.as_ref(),
        _ => None,
    };
    let (name, bytes) = match (page, bundle) {
        (ManifestPage::Raw, _) => (format!("manifest-{}.json", words::short(details.digest)), details.body.clone()),
        (ManifestPage::Config, _) => match &details.config {
            Some(ConfigBlob { descriptor, bytes: Some(bytes) }) => {
                (format!("config-{}.json", words::short(descriptor.digest)), bytes.clone())
            }
            _ => return Err(nothing()),
        },
        (ManifestPage::Bundle, Some((digest, Some(bytes)))) => {
            (format!("bundle-{}.txt", words::short(digest)), bytes.clone())
        }
        _ => return Err(nothing()),
    };
    let mut reply = reply::typed(StatusCode::OK, "application/octet-stream", bytes);
    let disposition = HeaderValue::try_from(format!("attachment; filename=\"{name}\""));
    let headers = reply.headers_mut();
    headers.insert(CONTENT_DISPOSITION, disposition.unwrap_or(HeaderValue::from_static("attachment")));
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'; sandbox"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(reply)
}
