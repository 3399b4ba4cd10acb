//! The stylesheet, the script and the icons: part of the program, under addresses that change with their content.
//!
//! They travel compressed to whoever takes gzip; when pages do, [`super::compression`] says.

use std::io::Write as _;
use std::sync::LazyLock;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use hyper::header::{ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, HeaderMap, HeaderName, HeaderValue, VARY};
use hyper::{Method, StatusCode};
use sha2::{Digest as _, Sha256};

use crate::http::reply::{self, Reply};

/// Where they are.
pub const PREFIX: &str = "/a/";

struct Asset {
    name: &'static str,
    content_type: &'static str,
    content: &'static [u8],
    gzip: Bytes,
    url: String,
}

/// Name, type, content.
const FILES: [(&str, &str, &[u8]); 3] = [
    ("app.css", "text/css; charset=utf-8", include_bytes!("../../../assets/static/app.css")),
    ("app.js", "text/javascript; charset=utf-8", include_bytes!("../../../assets/static/app.js")),
    ("icons.svg", "image/svg+xml", include_bytes!("../../../assets/static/icons.svg")),
];

static ASSETS: LazyLock<Vec<Asset>> = LazyLock::new(|| {
    let asset = |(name, content_type, content): (&'static str, &'static str, &'static [u8])| {
        let hash = hex::encode(Sha256::digest(content));
        Asset { name, content_type, content, gzip: compress(content), url: format!("{PREFIX}{}/{name}", &hash[..12]) }
    };
    FILES.into_iter().map(asset).collect()
});

fn compress(content: &[u8]) -> Bytes {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
    let written = gzip.write_all(content).and_then(|()| gzip.finish());
    written.expect("writing to memory does not fail").into()
}

/// Whether `Accept-Encoding` names gzip without refusing it (RFC 9110 §12.5.3).
pub(super) fn takes_gzip(headers: &HeaderMap) -> bool {
    let lists = headers.get_all(ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    lists.flat_map(|list| list.split(',')).any(|coding| {
        let mut parts = coding.split(';').map(str::trim);
        let gzip = parts.next().is_some_and(|name| name.eq_ignore_ascii_case("gzip"));
        gzip && !parts.any(|weight| matches!(weight, "q=0" | "q=0.0" | "q=0.00" | "q=0.000"))
    })
}

/// The address of an asset.
///
/// # Panics
/// When there is none of that name, which the test of the pages would find.
pub fn url(name: &str) -> &'static str {
    let asset = ASSETS.iter().find(|asset| asset.name == name);
    asset.map(|asset| asset.url.as_str()).expect("pages name assets that there are")
}

/// Answers a request below [`PREFIX`]. Content under an address never changes, so browsers may keep it for ever; an
/// address of an earlier version is gone.
pub fn serve(method: &Method, path: &str, asked: &HeaderMap) -> Reply {
    let Some(asset) = ASSETS.iter().find(|asset| asset.url == path) else {
        return reply::text(StatusCode::NOT_FOUND, "there is no such file in this version; load the page again\n");
    };
    if !matches!(*method, Method::GET | Method::HEAD) {
        return reply::method_not_allowed("GET, HEAD");
    }
    let gzip = takes_gzip(asked);
    let body = if gzip { asset.gzip.clone() } else { Bytes::from_static(asset.content) };
    let mut reply = reply::typed(StatusCode::OK, asset.content_type, body);
    let headers = reply.headers_mut();
    if gzip {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    headers.insert(VARY, HeaderValue::from_static("accept-encoding"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("public, max-age=31536000, immutable"));
    headers.insert(HeaderName::from_static("cross-origin-resource-policy"), HeaderValue::from_static("same-origin"));
    reply
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_asset_is_found_at_its_address_alone() {
        for (name, _, content) in FILES {
            let plain = HeaderMap::new();
            let reply = serve(&Method::GET, url(name), &plain);
            assert_eq!((reply.status(), reply.body().len()), (StatusCode::OK, content.len() as u64));
            assert!(reply.headers()[CACHE_CONTROL].to_str().unwrap().contains("immutable"));
            assert_eq!(serve(&Method::POST, url(name), &plain).status(), StatusCode::METHOD_NOT_ALLOWED);
        }
        for path in ["/a/", "/a/000000000000/app.css", "/a/app.css", "/a/../app.css"] {
            assert_eq!(serve(&Method::GET, path, &HeaderMap::new()).status(), StatusCode::NOT_FOUND);
        }
    }

    #[test]
    fn an_asset_travels_compressed_to_those_who_take_it() {
        for (accept, gzip) in
            [("gzip, deflate, br", true), ("br;q=1, GZIP;q=0.5", true), ("gzip;q=0", false), ("br", false)]
        {
            let headers = HeaderMap::from_iter([(ACCEPT_ENCODING, HeaderValue::from_static(accept))]);
            for (name, _, content) in FILES {
                let reply = serve(&Method::GET, url(name), &headers);
                assert_eq!(reply.headers().get(CONTENT_ENCODING).is_some(), gzip, "{accept}");
                assert_eq!(reply.body().len() < content.len() as u64, gzip);
            }
        }
    }

    /// Of the 45 kB that a page may cost when nothing is cached yet (ui-design §1), these leave enough for its text.
    #[test]
    fn assets_are_small() {
        let script = FILES[1].2.len();
        let travels: usize = ASSETS.iter().map(|asset| asset.gzip.len()).sum();
        assert!(script <= 8_192 && travels <= 9_000, "{script} {travels}");
    }

    /// Trusted Types would stop these; better not to write them.
    #[test]
    fn the_script_makes_no_html() {
        let script = std::str::from_utf8(FILES[1].2).unwrap();
        for word in
            ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function", ".style"]
        {
            assert!(!script.contains(word), "{word}");
        }
    }
}
