//! No certificate warning: with our CA among what the browser trusts there is none, without it there is one, so the
//! first says something.

use serde_json::json;

use crate::browser::{Browser, Trusts};
use crate::harness::Lab;
use crate::in_browser;

in_browser! {
    /// With the CA: the page, and the browser calls the connection secure.
    async fn there_is_no_warning_where_our_ca_is_trusted() {
        let lab = Lab::new();
        let browser = Browser::new(&lab).await;
        browser.open("/").await;
        assert_eq!(browser.path().await, "/login");
        assert_eq!(browser.title().await, "Sign in · msr-lite");
        assert_eq!(browser.run("return isSecureContext", json!([])).await, true);
        browser.sign_in().await;
        assert_eq!(browser.path().await, "/repositories");
        assert_eq!(browser.console().await, Vec::<String>::new());
    }

    /// The browser holds pages to their policy, and the tests see when it has to.
    async fn the_policy_stops_what_no_page_of_ours_does() {
        let lab = Lab::new();
        let browser = Browser::new(&lab).await;
        browser.open("/login").await;
        let tries = include_str!("scripts/stopped.js");
        let told = browser.run(tries, json!([])).await;
        assert_eq!(told, json!([["TypeError", "TypeError"], false]), "markup and scripts made of text; styles");
        let console = browser.console().await;
        let refused = console.iter().filter(|line| line.contains("Content Security Policy")).count();
        assert!(refused >= 2, "{console:#?}");
    }

    /// Without it: the browser's own page, and none of ours.
    async fn there_is_a_warning_where_it_is_not() {
        let lab = Lab::new();
        let browser = Browser::trusting(&lab, Trusts::Nothing).await;
        browser.open("/").await;
        let text = browser.text().await;
        assert!(text.contains("ERR_CERT_AUTHORITY_INVALID"), "{text}");
        assert!(!text.contains("msr-lite"), "{text}");
    }
}
