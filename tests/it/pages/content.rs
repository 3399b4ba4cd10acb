//! Repositories, their tags, deleting, search.

use msr_lite::meta::Mode;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::{Browser, HOSTILE, add_user};
use crate::app_fixture::{Client, Wanted, app_fixture, push_app};
use crate::harness::{Lab, OCI_INDEX, OCI_MANIFEST, on_each_engine, sha256};

on_each_engine! {
    async fn from_the_list_to_the_details(lab) {
        let app = app_fixture(&lab).await;
        let mut browser = Browser::signed_in(&lab, "admin").await;
        let list = browser.get("/repositories").await;
        assert_eq!(list.status, StatusCode::OK, "{}", list.text);
        list.has(&["href=\"/r/admin/lab-words/-/tags\"", "1 application", ">0.1.0<", "by <bdi>admin</bdi>"]);
        let tags = browser.get("/r/admin/lab-words/-/tags").await;
        let details = format!("/r/admin/lab-words/-/digests/{}", app.digest);
        tags.has(&[
            "href=\"/r/admin/lab-words/-/tags/0.1.0\"",
            "<span class=\"kind k-application\">Application</span>",
            "3 components",
            "href=\"/r/admin/lab-words/-/tags/0.1.0-invoc\"",
            "<span class=\"kind k-invocation\">Invocation image</span>",
            "<bdi>linux/amd64</bdi>",
            "<tr class=\"part\">",
            "docker app pull localhost",
            "cnab-to-oci pull",
            &details,
            "View details",
        ]);
    }
}
