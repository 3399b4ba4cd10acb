//! Cookies: the session, the token of somebody who has not signed in yet, and the theme.

use hyper::HeaderMap;
use hyper::header::{COOKIE, HeaderValue, SET_COOKIE};

use super::page::Theme;
use crate::http::reply::Reply;

/// The session's token. Browsers take a cookie with this prefix only over TLS, for this host and for all of its paths.
pub const SESSION: &str = "__Host-session";

/// What the form's text is made from while nobody is signed in.
pub const VISITOR: &str = "__Host-visitor";

/// Light or dark.
pub const THEME: &str = "__Host-theme";

/// `off` where single keys shall do nothing.
pub const KEYS: &str = "__Host-keys";

/// The longest value that is looked at.
const MAX_VALUE: usize = 128;

/// The value of a cookie that the browser sent, if it is one of ours by its look: one of them, letters, digits, `-` and
/// `_` only.
pub fn cookie<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let all = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut values = all.flat_map(|value| value.split(';')).filter_map(|pair| {
        let (found, value) = pair.trim().split_once('=')?;
        (found == name).then_some(value)
    });
    let value = values.next()?;
    let ours = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
    (values.next().is_none() && !value.is_empty() && value.len() <= MAX_VALUE && value.bytes().all(ours))
        .then_some(value)
}

/// The theme that the browser's user chose.
pub fn theme(headers: &HeaderMap) -> Theme {
    cookie(headers, THEME).and_then(Theme::parse).unwrap_or_default()
}

/// Whether the script may react to single keys (WCAG 2.2, 2.1.4: they can be switched off).
pub fn keys(headers: &HeaderMap) -> bool {
    cookie(headers, KEYS) != Some("off")
}

/// Sets a cookie that lasts as long as the browser runs, or for `max_age` seconds. `value` holds letters, digits, `-`
/// and `_` only.
pub fn set(reply: &mut Reply, name: &str, value: &str, max_age: Option<u64>) {
    let age = max_age.map(|age| format!("; Max-Age={age}")).unwrap_or_default();
    // Lax, so that a link from elsewhere finds its reader signed in; forms carry a text of their own (`csrf`).
    let cookie = format!("{name}={value}; Path=/; Secure; HttpOnly; SameSite=Lax{age}");
    if let Ok(cookie) = HeaderValue::try_from(cookie) {
        reply.headers_mut().append(SET_COOKIE, cookie);
    }
}

/// Removes a cookie.
pub fn clear(reply: &mut Reply, name: &str) {
    set(reply, name, "", Some(0));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_is_read_when_it_is_plain_and_alone() {
        let read = |lines: &[&str]| {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append(COOKIE, line.parse().unwrap());
            }
            cookie(&headers, SESSION).map(str::to_owned)
        };
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(read(&["a=b; __Host-session=x-1_Z; c=d"]), some("x-1_Z"));
        assert_eq!(read(&["a=b", "__Host-session=x"]), some("x"));
        assert_eq!(read(&["__Host-session=x", "__Host-session=y"]), None, "which one?");
        for wrong in ["", "__Host-session=", "__Host-session", "__Host-session=\"x\"", "session=x", "__Host-sessions=x"]
        {
            assert_eq!(read(&[wrong]), None, "{wrong}");
        }
        assert_eq!(read(&[&format!("__Host-session={}", "x".repeat(129))]), None);
    }
}
