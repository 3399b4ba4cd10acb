//! The stylesheet, the script and the icons: part of the program, under addresses that change with their content.

use std::sync::LazyLock;

use bytes::Bytes;
use hyper::header::{CACHE_CONTROL, HeaderName, HeaderValue};
use hyper::{Method, StatusCode};
use sha2::{Digest as _, Sha256};

use crate::http::reply::{self, Reply};

/// Where they are.
pub const PREFIX: &str = "/a/";

struct Asset {
    name: &'static str,
    content_type: &'static str,
    content: &'static [u8],
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
        Asset { name, content_type, content, url: format!("{PREFIX}{}/{name}", &hash[..12]) }
    };
    FILES.into_iter().map(asset).collect()
});

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
pub fn serve(method: &Method, path: &str) -> Reply {
    let Some(asset) = ASSETS.iter().find(|asset| asset.url == path) else {
        return reply::text(StatusCode::NOT_FOUND, "there is no such file in this version; load the page again\n");
    };
    if !matches!(*method, Method::GET | Method::HEAD) {
        return reply::method_not_allowed("GET, HEAD");
    }
    let mut reply = reply::typed(StatusCode::OK, asset.content_type, Bytes::from_static(asset.content));
    let headers = reply.headers_mut();
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
            let reply = serve(&Method::GET, url(name));
            assert_eq!((reply.status(), reply.body().len()), (StatusCode::OK, content.len() as u64));
            assert!(reply.headers()[CACHE_CONTROL].to_str().unwrap().contains("immutable"));
            assert_eq!(serve(&Method::POST, url(name)).status(), StatusCode::METHOD_NOT_ALLOWED);
        }
        for path in ["/a/", "/a/000000000000/app.css", "/a/app.css", "/a/../app.css"] {
            assert_eq!(serve(&Method::GET, path).status(), StatusCode::NOT_FOUND);
        }
    }

    /// Of the 45 kB that a page may cost when nothing is cached yet (ui-design §1), these leave enough for its text.
    #[test]
    fn assets_are_small() {
        let [css, js, icons] = FILES.map(|(_, _, content)| content.len());
        assert!(css <= 14_000 && js <= 8_192 && icons <= 3_000, "{css} {js} {icons}");
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
