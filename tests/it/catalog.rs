//! Lists of tags and repositories, and their pages.

use msr_lite::meta::Mode;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::harness::{Lab, OCI_INDEX, code, header, on_each_engine};

async fn pages(lab: &Lab, first: &str, field: &str) -> Vec<Vec<String>> {
    let mut pages = Vec::new();
    let mut next = Some(first.to_owned());
    while let Some(path) = next.take() {
        let page = lab.get(&path).await;
        let link = header(&page, "link");
        next = link.strip_prefix('<').and_then(|link| link.split_once('>')).map(|(link, _)| link.to_owned());
        let page: Value = page.json().await.unwrap();
        pages.push(serde_json::from_value(page[field].clone()).unwrap());
    }
    pages
}

on_each_engine! {
    async fn tags_are_paged_in_byte_order(lab) {
        let index = json!({ "schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [] });
        for tag in ["b", "a", "B", "a.1", "a-1", "_x", "10", "9"] {
            assert_eq!(lab.put_manifest("lab/tags", tag, OCI_INDEX, &index).await.status(), StatusCode::CREATED);
        }
        let sorted = ["10", "9", "B", "_x", "a", "a-1", "a.1", "b"];
        let all: Value = lab.get("/v2/lab/tags/tags/list").await.json().await.unwrap();
        assert_eq!(all, json!({ "name": "lab/tags", "tags": sorted }));
        assert_eq!(pages(&lab, "/v2/lab/tags/tags/list?n=3", "tags").await, [&sorted[..3], &sorted[3..6], &sorted[6..]]);
        let after: Value = lab.get("/v2/lab/tags/tags/list?last=_x").await.json().await.unwrap();
        assert_eq!(after["tags"], json!(["a", "a-1", "a.1", "b"]));
        let none = lab.get("/v2/lab/tags/tags/list?n=0").await;
        assert_eq!(header(&none, "link"), "");
        assert_eq!(none.json::<Value>().await.unwrap()["tags"], json!([]));
        assert_eq!(code(lab.get("/v2/lab/tags/tags/list?n=-1").await).await, "PAGINATION_NUMBER_INVALID");
        // CVE-2023-2253: a huge n allocates nothing.
        assert_eq!(lab.get("/v2/lab/tags/tags/list?n=2147483648").await.status(), StatusCode::OK);
        for odd in ["%00", "~", "%F0%9F%90%B3", "zz%00"] {
            assert_eq!(lab.get(&format!("/v2/lab/tags/tags/list?last={odd}")).await.status(), StatusCode::OK);
        }
        assert_eq!(code(lab.get("/v2/lab/nothing/tags/list").await).await, "NAME_UNKNOWN");
    }

    async fn the_catalog_is_paged(lab) {
        for repo in ["lab/b", "lab/a", "one", "lab/a/deep", "lab/a-b"] {
            lab.push_blob(repo, b"x").await;
        }
        let sorted = ["lab/a", "lab/a-b", "lab/a/deep", "lab/b", "one"];
        assert_eq!(pages(&lab, "/v2/_catalog?n=2", "repositories").await, [&sorted[..2], &sorted[2..4], &sorted[4..]]);
        let all: Value = lab.get("/v2/_catalog").await.json().await.unwrap();
        assert_eq!(all["repositories"], json!(sorted));
    }
}
