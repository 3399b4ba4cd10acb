//! The web pages without a browser: who may see which, what every page must be like, sessions and forms.
//!
//! [`html`] has the checker that every page passes; [`Browser`] does what a browser does with cookies and forms.

mod access;
mod account;
mod content;
mod deleting;
mod details;
mod html;
mod organizations;
mod people;
mod shell;
mod signed_in;
mod tokens;
mod users;

use std::collections::BTreeMap;

use msr_lite::model::account::Account;
use reqwest::{Client, Method, StatusCode};

use crate::harness::{Lab, header};

/// What a hostile name looks like.
pub(crate) const HOSTILE: &str = "<img src=x onerror=alert(1)>\u{202e}\u{2066}'\";`$(id)`";

/// A page as a browser gets it.
pub(crate) struct Page {
    pub(crate) status: StatusCode,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) text: String,
}

impl Page {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
    }

    /// Fails unless each of these stands in it.
    pub(crate) fn has(&self, texts: &[&str]) {
        for text in texts {
            assert!(self.text.contains(text), "no {text} in {}", self.text);
        }
    }

    /// Fails if one of these stands in it.
    pub(crate) fn lacks(&self, texts: &[&str]) {
        for text in texts {
            assert!(!self.text.contains(text), "{text} in {}", self.text);
        }
    }

    /// Where a redirect leads.
    pub(crate) fn location(&self) -> &str {
        assert_eq!(self.status, StatusCode::SEE_OTHER, "{}", self.text);
        self.header("location")
    }

    /// The text that this page's forms carry.
    pub(crate) fn csrf(&self) -> String {
        let (_, rest) = self.text.split_once("name=\"csrf\" value=\"").expect("the page has a form");
        rest.split('"').next().unwrap().to_owned()
    }
}

/// An answer's head and body, as they came.
pub(crate) struct Travelled {
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) body: Vec<u8>,
}

/// Keeps cookies, sends forms as pages do, follows no redirect by itself.
pub(crate) struct Browser<'l> {
    pub(crate) lab: &'l Lab,
    client: Client,
    pub(crate) cookies: BTreeMap<String, String>,
}

impl<'l> Browser<'l> {
    pub(crate) fn new(lab: &'l Lab) -> Self {
        Self { lab, client: lab.strict_client(), cookies: BTreeMap::new() }
    }

    /// A browser in which this account is signed in.
    pub(crate) async fn signed_in(lab: &'l Lab, name: &str) -> Self {
        let mut browser = Self::new(lab);
        let page = browser.sign_in(name, &lab.password).await;
        assert_eq!(page.status, StatusCode::SEE_OTHER, "{}", page.text);
        browser
    }

    pub(crate) async fn request(&mut self, method: Method, path: &str, headers: &[(&str, &str)], body: &str) -> Page {
        let mut request = self.client.request(method.clone(), self.lab.url(path));
        if !self.cookies.is_empty() {
            let cookies: Vec<_> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
            request = request.header("cookie", cookies.join("; "));
        }
        if method == Method::POST {
            request = request.header("content-type", "application/x-www-form-urlencoded").body(body.to_owned());
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = request.send().await.unwrap();
        for cookie in response.headers().get_all("set-cookie") {
            let cookie = cookie.to_str().unwrap();
            let (pair, attributes) = cookie.split_once("; ").unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            assert!(name.starts_with("__Host-"), "{cookie}");
            for attribute in ["Path=/", "Secure", "HttpOnly", "SameSite=Lax"] {
                assert!(attributes.split("; ").any(|found| found == attribute), "{attribute} in {cookie}");
            }
            assert!(!attributes.contains("Domain"), "{cookie}");
            if attributes.contains("Max-Age=0") {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        let (status, headers) = (response.status(), response.headers().clone());
        let kind = header(&response, "content-type");
        let text = response.text().await.unwrap();
        if kind.starts_with("text/html") && method != Method::HEAD {
            html::check(path, &text);
            html::check_headers(path, &headers);
        }
        Page { status, headers, text }
    }

    /// What travels for a page, as it is asked for with these headers.
    pub(crate) async fn bytes(&mut self, path: &str, headers: &[(&str, &str)]) -> Travelled {
        let cookies: Vec<_> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let mut request = self.client.get(self.lab.url(path)).header("cookie", cookies.join("; "));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), StatusCode::OK, "{path}");
        Travelled { headers: response.headers().clone(), body: response.bytes().await.unwrap().to_vec() }
    }

    pub(crate) async fn get(&mut self, path: &str) -> Page {
        self.request(Method::GET, path, &[], "").await
    }

    /// Sends a form as the page at `from` would.
    pub(crate) async fn send(&mut self, from: &str, to: &str, fields: &[(&str, &str)]) -> Page {
        let csrf = self.get(from).await.csrf();
        let mut all = vec![("csrf", csrf.as_str())];
        all.extend(fields);
        self.request(Method::POST, to, &[("sec-fetch-site", "same-origin")], &encoded(&all)).await
    }

    pub(crate) async fn sign_in(&mut self, name: &str, password: &str) -> Page {
        self.send("/login", "/login", &[("username", name), ("password", password)]).await
    }
}

/// Fields as a form sends them.
pub(crate) fn encoded(fields: &[(&str, &str)]) -> String {
    let escape = |text: &str| -> String {
        let escaped = text.bytes().map(|b| match b {
            b if b.is_ascii_alphanumeric() => char::from(b).to_string(),
            b => format!("%{b:02X}"),
        });
        escaped.collect()
    };
    let pairs: Vec<_> = fields.iter().map(|(name, value)| format!("{}={}", escape(name), escape(value))).collect();
    pairs.join("&")
}

/// Makes a user who is no administrator and has the password of `admin`.
pub(crate) async fn add_user(lab: &Lab, name: &str) {
    let meta = lab.server.registry().meta();
    let admin = meta.read(|tx| msr_lite::meta::account::get(tx, "admin")).unwrap().unwrap();
    let id = msr_lite::base::Uuid::random();
    let user = Account { name: name.to_owned(), id, admin: false, initial: false, ..admin };
    let put = meta.write(move |tx| {
        msr_lite::meta::account::put(tx, &user);
        Ok::<_, msr_lite::meta::MetaError>(())
    });
    put.await.unwrap();
}
