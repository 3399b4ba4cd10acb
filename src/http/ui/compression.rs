//! Pages travel compressed, where that tells nobody anything.
//!
//! The length of an answer that is compressed tells of a secret in it, if somebody can have the same secret sent many
//! times beside words of their own choosing (BREACH, CVE-2013-3587). So it is done for what a browser asks for on our
//! own pages' or its user's behalf alone, never for what another site made it ask for; never for the answer to a form,
//! which may hold what is shown once; and what guards the forms is another text in every answer ([`super::csrf`]).

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use hyper::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderValue, VARY};

use super::{assets, csrf};
use crate::http::reply::{Body, Reply};

/// Shorter pages fit into one packet as they are; longer ones would hold up the thread that serves others too.
const SHORT: usize = 1_400;
const LONG: usize = 256 * 1024;

/// Whether the answer to a request with these headers may be compressed.
pub(super) fn is_asked(headers: &HeaderMap) -> bool {
    headers.contains_key(csrf::SITE) && !csrf::comes_from_elsewhere(headers) && assets::takes_gzip(headers)
}

/// Compresses a page; leaves anything else.
pub(super) fn compress(reply: &mut Reply) {
    let is_page = reply.headers().get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"text/html"));
    let Body::Full(html) = reply.body() else { return };
    if !is_page || !(SHORT..=LONG).contains(&html.len()) {
        return;
    }
    let mut gzip = GzEncoder::new(Vec::with_capacity(html.len() / 4), Compression::fast());
    let Ok(gzip) = gzip.write_all(html).and_then(|()| gzip.finish()) else { return };
    *reply.body_mut() = Body::Full(gzip.into());
    reply.headers_mut().insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    reply.headers_mut().insert(VARY, HeaderValue::from_static("accept-encoding, sec-fetch-site"));
}

#[cfg(test)]
mod tests {
    use hyper::StatusCode;
    use hyper::header::HeaderName;

    use super::*;
    use crate::http::reply;

    #[test]
    fn what_another_site_asks_for_is_not_compressed() {
        let asked = |lines: &[(&'static str, &'static str)]| {
            let line = |(name, value): &(&'static str, &'static str)| {
                (HeaderName::from_static(name), HeaderValue::from_static(value))
            };
            is_asked(&lines.iter().map(line).collect())
        };
        let gzip = ("accept-encoding", "gzip, br");
        assert!(asked(&[gzip, ("sec-fetch-site", "same-origin")]) && asked(&[gzip, ("sec-fetch-site", "none")]));
        for site in ["cross-site", "same-site", "x"] {
            assert!(!asked(&[gzip, ("sec-fetch-site", site)]), "{site}");
        }
        assert!(!asked(&[gzip]), "who does not say may be anybody");
        assert!(
            !asked(&[("sec-fetch-site", "none")]) && !asked(&[("accept-encoding", "br"), ("sec-fetch-site", "none")])
        );
    }

    #[test]
    fn pages_are_compressed_within_bounds_and_nothing_else_is() {
        let compressed = |kind: &'static str, length: usize| {
            let mut reply = reply::typed(StatusCode::OK, kind, "x".repeat(length));
            compress(&mut reply);
            assert_eq!(reply.headers().contains_key(CONTENT_ENCODING), reply.body().len() != length as u64);
            reply.headers().contains_key(CONTENT_ENCODING)
        };
        let html = "text/html; charset=utf-8";
        assert!(compressed(html, SHORT) && compressed(html, LONG));
        assert!(!compressed(html, SHORT - 1) && !compressed(html, LONG + 1));
        assert!(!compressed("application/octet-stream", SHORT) && !compressed("text/csv", SHORT));
    }
}
