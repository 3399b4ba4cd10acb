//! What keeps other sites from sending our forms: each form carries a text that is made from a cookie's token, which no
//! other site can read, and browsers say where a request comes from.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use hyper::HeaderMap;

/// Browsers say in this header how the page that sent a request is related to us (Fetch Metadata). Referrers and
/// origins are of no use here: our own pages send none (`Referrer-Policy: no-referrer`).
const SITE: &str = "sec-fetch-site";

/// Whether a browser says that the request was not made by a page of ours (or by its user).
pub fn comes_from_elsewhere(headers: &HeaderMap) -> bool {
    headers.get_all(SITE).iter().any(|site| !matches!(site.as_bytes(), b"same-origin" | b"none"))
}

/// Whether a form carries the text that it should.
pub fn matches(expected: &str, found: Option<&str>) -> bool {
    found.is_some_and(|found| verify_slices_are_equal(expected.as_bytes(), found.as_bytes()).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_pages_send_our_forms() {
        let with = |sites: &[&str]| {
            let mut headers = HeaderMap::new();
            for site in sites {
                headers.append(SITE, site.parse().unwrap());
            }
            comes_from_elsewhere(&headers)
        };
        assert!(!with(&[]) && !with(&["same-origin"]) && !with(&["none"]));
        assert!(with(&["cross-site"]) && with(&["same-site"]) && with(&["same-origin", "cross-site"]) && with(&["x"]));
    }

    #[test]
    fn the_text_must_be_the_same() {
        assert!(matches("abc", Some("abc")));
        assert!(!matches("abc", Some("abd")) && !matches("abc", Some("ab")) && !matches("abc", None));
    }
}
