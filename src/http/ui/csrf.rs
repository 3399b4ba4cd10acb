//! What keeps other sites from sending our forms: each form carries a text that is made from a cookie's token, which no
//! other site can read, and browsers say where a request comes from.
//!
//! The text is another one in every answer (a salt, and a MAC of it under the session's own text): what stands in many
//! answers beside words that somebody else chose could be guessed from their lengths once they are compressed (BREACH,
//! CVE-2013-3587).

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use hyper::HeaderMap;

/// Browsers say in this header how the page that sent a request is related to us (Fetch Metadata). Referrers and
/// origins are of no use here: our own pages send none (`Referrer-Policy: no-referrer`).
pub const SITE: &str = "sec-fetch-site";

/// Bytes of the salt, and of the MAC behind it.
const SALT: usize = 16;
const MAC: usize = 16;

/// Whether a browser says that the request was not made by a page of ours (or by its user).
pub fn comes_from_elsewhere(headers: &HeaderMap) -> bool {
    headers.get_all(SITE).iter().any(|site| !matches!(site.as_bytes(), b"same-origin" | b"none"))
}

/// What the forms of one answer carry. `text` is the session's own.
pub fn masked(text: &str) -> String {
    let salt = crate::base::id::random::<SALT>();
    BASE64.encode([salt.as_slice(), &mac(text, &salt)].concat())
}

/// Whether a form carries what [`masked`] made of this text.
pub fn matches(text: &str, found: Option<&str>) -> bool {
    let Some(found) = found.and_then(|found| BASE64.decode(found).ok()) else { return false };
    let Some((salt, found)) = found.split_at_checked(SALT) else { return false };
    verify_slices_are_equal(&mac(text, salt), found).is_ok()
}

fn mac(text: &str, salt: &[u8]) -> [u8; MAC] {
    let whole = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, text.as_bytes()), salt);
    let mut mac = [0; MAC];
    mac.copy_from_slice(&whole.as_ref()[..MAC]);
    mac
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
    fn a_text_is_another_one_in_each_answer_and_fits_all_the_same() {
        let (one, other) = (masked("abc"), masked("abc"));
        assert_ne!(one, other);
        assert!(matches("abc", Some(&one)) && matches("abc", Some(&other)));
        assert!(!matches("abd", Some(&one)));
        let changed = |at: usize| {
            let mut bytes = BASE64.decode(&one).unwrap();
            bytes[at] ^= 1;
            BASE64.encode(bytes)
        };
        for wrong in [&changed(0), &changed(SALT), &changed(SALT + MAC - 1), &one[1..], &one[..22], "abc", "", "ä"] {
            assert!(!matches("abc", Some(wrong)), "{wrong}");
        }
        assert!(!matches("abc", None));
    }
}
