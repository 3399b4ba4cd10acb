use std::net::SocketAddr;

use hyper::Request;
use hyper::http::request::Parts;
use proptest::prelude::*;

use super::{Authority, Context, Ends, Front, Network, authority};
use crate::base::Config;
use crate::http::testing::lab;

fn front(external: Option<&str>, proxies: &[&str]) -> Front {
    let config = Config {
        external_url: external.map(str::to_owned),
        trusted_proxies: proxies.iter().map(|text| (*text).to_owned()).collect(),
        ..Config::default()
    };
    Front::new(&config, lab()).unwrap()
}

fn head(headers: &[(&str, &str)]) -> Parts {
    let mut request = Request::builder().uri("/v2/");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(()).unwrap().into_parts().0
}

fn ends(peer: &str, tls: bool) -> Ends {
    let local: SocketAddr = "192.0.2.5:8443".parse().unwrap();
    Ends { peer: format!("{peer}:40000").parse().unwrap(), local, tls }
}

fn context(front: &Front, ends: Ends, headers: &[(&str, &str)]) -> Context {
    front.context("0".repeat(16), ends, &head(headers)).unwrap()
}

#[test]
fn a_covered_name_is_kept_and_another_is_replaced() {
    let front = front(None, &[]);
    let covered = context(&front, ends("192.0.2.9", true), &[("host", "registry.lab:9443")]);
    assert_eq!(covered.base_url(), "https://registry.lab:9443");
    assert_eq!(covered.own_host.as_deref(), Some("registry.lab:9443"));
    for foreign in ["evil.example", "registry.lab$(id)", "registry.lab:99999", "[::1]x", ""] {
        let other = context(&front, ends("192.0.2.9", true), &[("host", foreign)]);
        assert_eq!(other.base_url(), "https://registry.lab:8443", "{foreign}");
        assert_eq!(other.own_host, None);
    }
    // In clear any plausible name will do: no certificate could contradict it.
    let clear = context(&front, ends("192.0.2.9", false), &[("host", "other.lab:5000")]);
    assert_eq!(clear.base_url(), "http://other.lab:5000");
}

#[test]
fn an_external_url_goes_before_everything() {
    let front = front(Some("https://hub.lab"), &["192.0.2.0/24"]);
    let direct = context(&front, ends("192.0.2.9", true), &[("host", "registry.lab:8443")]);
    assert_eq!(direct.base_url(), "https://hub.lab");
    let headers = [("host", "backend:5000"), ("x-forwarded-host", "hub.lab"), ("x-forwarded-proto", "https")];
    let proxied = context(&front, ends("192.0.2.9", false), &headers);
    assert_eq!((proxied.base_url().as_str(), proxied.own_host.as_deref()), ("https://hub.lab", Some("hub.lab")));
}

#[test]
fn a_trusted_proxy_passes_the_name_on_in_either_header() {
    let front = front(None, &["192.0.2.1"]);
    let proto = ("x-forwarded-proto", "https");
    let kept = context(&front, ends("192.0.2.1", false), &[("host", "hub.lab"), proto]);
    assert_eq!(kept.base_url(), "https://hub.lab");
    let forwarded = [("host", "backend:5000"), ("x-forwarded-host", "hub.lab"), proto];
    assert_eq!(context(&front, ends("192.0.2.1", false), &forwarded).base_url(), "https://hub.lab");
    // Over TLS from anybody else the same headers mean nothing.
    assert_eq!(context(&front, ends("192.0.2.2", true), &forwarded).base_url(), "https://registry.lab:8443");
}

#[test]
fn the_client_is_the_rightmost_address_that_is_no_proxy_of_ours() {
    let front = front(None, &["192.0.2.1", "2001:db8::/32"]);
    let client = |peer: &str, forwarded: &str| {
        context(&front, ends(peer, false), &[("host", "a"), ("x-forwarded-for", forwarded)]).client.to_string()
    };
    assert_eq!(client("192.0.2.1", "203.0.113.1, 198.51.100.7, 2001:db8::5"), "198.51.100.7");
    assert_eq!(client("192.0.2.1", "198.51.100.7:4711"), "198.51.100.7");
    assert_eq!(client("192.0.2.1", "2001:db8::5, nonsense, 192.0.2.1"), "192.0.2.1");
    assert_eq!(client("192.0.2.2", "198.51.100.7"), "192.0.2.2");
}

#[test]
fn networks_are_read_and_contain() {
    let network = |text: &str| text.parse::<Network>();
    assert!(network("192.0.2.0/24").unwrap().contains("192.0.2.255".parse().unwrap()));
    assert!(network("192.0.2.0/24").unwrap().contains("::ffff:192.0.2.1".parse().unwrap()));
    assert!(!network("192.0.2.0/24").unwrap().contains("192.0.3.0".parse().unwrap()));
    assert!(network("0.0.0.0/0").unwrap().contains("203.0.113.9".parse().unwrap()));
    assert!(network("::/0").unwrap().contains("2001:db8::1".parse().unwrap()));
    assert!(!network("::1").unwrap().contains("127.0.0.1".parse().unwrap()));
    for wrong in ["", "proxy.lab", "192.0.2.0/33", "192.0.2.0/-1", "192.0.2.0/"] {
        assert!(network(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn a_wrong_setting_is_named() {
    for url in ["registry.lab", "ftp://registry.lab", "https://registry.lab/path", "https://u@registry.lab"] {
        let config = Config { external_url: Some(url.to_owned()), ..Config::default() };
        assert!(Front::new(&config, lab()).unwrap_err().starts_with("external_url: "), "{url}");
    }
}

#[test]
fn authorities_are_written_as_urls_want_them() {
    assert_eq!(authority("https", "registry.lab", 443), "registry.lab");
    assert_eq!(authority("http", "registry.lab", 443), "registry.lab:443");
    assert_eq!(authority("https", "2001:db8::1", 8443), "[2001:db8::1]:8443");
}

proptest! {
    #[test]
    fn what_parses_as_an_authority_is_harmless(text in "\\PC{0,40}") {
        if Authority::parse(&text).is_some() {
            prop_assert!(text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._:[]".contains(&b)), "{}", text);
        }
    }

    #[test]
    fn an_authority_comes_back(host in "[a-z0-9.-]{1,20}", port: u16) {
        let text = authority("x", &host, port);
        let parsed = Authority::parse(&text).unwrap();
        prop_assert_eq!((parsed.host, parsed.port), (host.as_str(), Some(port)));
    }
}
