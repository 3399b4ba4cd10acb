//! What all pages share: the frame around them, and the answer that carries one.

use askama::Template;
use hyper::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderName, HeaderValue};
use hyper::{Method, StatusCode};

use super::assets;
use crate::http::reply::{self, Reply};

/// What a page may do: run our script, use our style, show our pictures, send forms to us. No other host is ever
/// asked, and no text can become script (Trusted Types).
pub const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
    connect-src 'self'; font-src 'none'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; \
    require-trusted-types-for 'script'; trusted-types 'none'";

/// Headers of every page besides those that the shell of `http::service` gives to all answers.
const HEADERS: [(HeaderName, &str); 5] = [
    (CONTENT_SECURITY_POLICY, POLICY),
    (CACHE_CONTROL, "no-store"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (HeaderName::from_static("permissions-policy"), "camera=(), microphone=(), geolocation=()"),
];

/// The entry of the main navigation that a page belongs to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Nav {
    /// None of them.
    #[default]
    Elsewhere,
    /// Repositories and what is in them.
    Repositories,
    /// What happened.
    Activity,
    /// The registry itself.
    System,
    /// Users and organizations.
    People,
    /// Who is signed in.
    Account,
}

/// Light or dark; a preference of the browser's user, kept in a cookie.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Theme {
    /// As the system has it.
    #[default]
    Auto,
    /// Always light.
    Light,
    /// Always dark.
    Dark,
}

impl Theme {
    /// The word of the cookie, the form and `data-theme`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }

    /// Reads that word; another one is no theme.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Auto, Self::Light, Self::Dark].into_iter().find(|theme| theme.as_str() == word)
    }
}

/// What stands around every page. The template of a page has it in a field `frame` and extends `layout.html`.
#[derive(Clone, Debug)]
pub struct Frame {
    /// The document's title, before the name of the program.
    pub title: String,
    /// Who is signed in.
    pub user: Option<String>,
    /// Whether they administer the registry.
    pub admin: bool,
    /// What every form carries in a field `csrf`.
    pub csrf: String,
    /// The active entry of the navigation.
    pub nav: Nav,
    /// Light or dark.
    pub theme: Theme,
    /// Whether the script may react to single keys.
    pub keys: bool,
    /// The request's id.
    pub request_id: String,
    /// The registry as commands name it: host, and port unless it is 443.
    pub host: String,
    /// The URL under which the client reaches us, without a trailing slash.
    pub base: String,
    /// This page's path and query, for forms that lead back here.
    pub here: String,
    /// What the search box holds.
    pub search: String,
    /// The method and the path by which the REST interface does the same.
    pub api: Option<(Method, String)>,
}

impl Frame {
    /// Names the path of the same data in the REST interface, `/api/v0/…`, for the line at the foot of the page.
    #[must_use]
    pub fn with_api(mut self, path: impl Into<String>) -> Self {
        self.api = Some((Method::GET, path.into()));
        self
    }

    /// The same for a page that is about to delete what the path names.
    #[must_use]
    pub fn with_api_delete(mut self, path: impl Into<String>) -> Self {
        self.api = Some((Method::DELETE, path.into()));
        self
    }

    /// The command for it.
    pub fn curl(&self) -> Option<String> {
        let (method, path) = self.api.as_ref()?;
        let method = if method == Method::GET { String::new() } else { format!(" -X {method}") };
        Some(self.command(&method, path))
    }

    /// The command that asks for a path of ours, as whoever is signed in. `options` begin with a space, or are empty.
    pub fn command(&self, options: &str, path: &str) -> String {
        let user = self.user.as_deref().map(|user| format!(" -u {}", quoted(user))).unwrap_or_default();
        format!("curl --cacert ca.crt{user}{options} '{}{path}'", self.base)
    }

    /// Where the stylesheet is.
    pub fn css(&self) -> &'static str {
        assets::url("app.css")
    }

    /// Where the script is.
    pub fn js(&self) -> &'static str {
        assets::url("app.js")
    }

    /// Where the sprite is; an icon is `<use href="{{ frame.icons() }}#name">`.
    pub fn icons(&self) -> &'static str {
        assets::url("icons.svg")
    }
}

/// A word as a POSIX shell reads it back: it stands in commands that people copy.
pub fn quoted(word: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'/' | b':' | b'@' | b',');
    if !word.is_empty() && word.bytes().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

/// The answer that carries a page.
pub fn render(status: StatusCode, page: &impl Template) -> Reply {
    match page.render() {
        Ok(html) => html_reply(status, html),
        // Templates are checked when they are compiled; what is left is a `Display` of ours that fails.
        Err(error) => {
            tracing::error!(%error, "a page could not be written");
            reply::text(StatusCode::INTERNAL_SERVER_ERROR, "the page could not be written; the log has more\n")
        }
    }
}

fn html_reply(status: StatusCode, html: String) -> Reply {
    let mut reply = reply::typed(status, "text/html; charset=utf-8", html);
    for (name, value) in HEADERS {
        reply.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    reply
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What pages are made of, each with arguments such as views have.
    #[derive(Template)]
    #[template(
        source = r#"{% import "macros.html" as ui %}{% call ui::badge(kind, words) %}{% endcall %}
{% call ui::size(bytes) %}{% endcall %}
{% call ui::time(at) %}{% endcall %}
{% call ui::date(at) %}{% endcall %}
{% call ui::digest(digest) %}{% endcall %}
{% call ui::copy(words) %}{% endcall %}
{% call ui::crumbs(above) %}{% endcall %}
{% call ui::pager(here, next, first) %}{% endcall %}
{% call ui::empty("None", words) %}{% endcall %}
{% for (bytes, digest) in rows %}{% call ui::size(bytes) %}{% endcall %}{% call ui::digest(digest) %}{% endcall %}{% endfor %}"#,
        ext = "html"
    )]
    struct Parts {
        kind: &'static str,
        words: &'static str,
        bytes: u64,
        at: crate::base::Timestamp,
        digest: crate::oci::Digest,
        above: Vec<(String, String)>,
        here: String,
        next: Option<String>,
        first: bool,
        rows: Vec<(u64, crate::oci::Digest)>,
    }

    #[test]
    fn parts_of_pages() {
        let digest = crate::oci::Digest::of(crate::oci::Algorithm::Sha256, b"");
        let parts = Parts {
            kind: "application",
            words: "<A>",
            bytes: 23_400_000,
            at: crate::base::Timestamp(1_790_000_000_000),
            digest,
            above: vec![("/r/a".into(), "a&b".into())],
            here: "/r/a/-/tags?type=image&".into(),
            next: Some("a/b c+".into()),
            first: false,
            rows: vec![(1, digest)],
        };
        let html = parts.render().unwrap();
        for part in [
            "<span class=\"kind k-application\">&#60;A&#62;</span>",
            "<span class=\"num\" title=\"23\u{202f}400\u{202f}000 bytes\">23.4 MB</span>",
            "<time datetime=\"2026-09-21T14:13:20Z\">2026-09-21 14:13 UTC</time>",
            "<time datetime=\"2026-09-21T14:13:20Z\" data-exact>",
            "<code title=\"sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\">e3b0c44298fc</code>",
            "<code tabindex=\"0\">&#60;A&#62;</code><button type=\"button\" data-copy hidden>Copy</button>",
            "<a href=\"/r/a\">a&#38;b</a>",
            "<a class=\"button\" rel=\"next\" href=\"/r/a/-/tags?type=image&#38;after=a%2Fb%20c%2B\">Next page</a>",
            "<a class=\"button\" href=\"/r/a/-/tags?type=image&#38;\">First page</a>",
            "<strong>None</strong>",
            "1 B",
        ] {
            assert!(html.contains(part), "{part} is missing in\n{html}");
        }
    }

    #[test]
    fn words_in_commands_are_quoted() {
        for (word, quoted_word) in [
            ("alice", "alice"),
            ("registry.lab:8443/a_b-c", "registry.lab:8443/a_b-c"),
            ("", "''"),
            ("a b", "'a b'"),
            ("a;rm -rf /", "'a;rm -rf /'"),
            ("it's", "'it'\\''s'"),
            ("$(x)", "'$(x)'"),
        ] {
            assert_eq!(quoted(word), quoted_word);
        }
    }

    #[test]
    fn themes_are_read_back() {
        for theme in [Theme::Auto, Theme::Light, Theme::Dark] {
            assert_eq!(Theme::parse(theme.as_str()), Some(theme));
        }
        assert_eq!(Theme::parse("blue"), None);
    }
}
