//! Referrers.

use msr_lite::meta::Mode;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::harness::{Lab, OCI_INDEX, OCI_MANIFEST, descriptor, header, on_each_engine, sha256};

fn artifact(config: &msr_lite::oci::Digest, subject: &msr_lite::oci::Digest, kind: &str, n: usize) -> Value {
    json!({
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "artifactType": kind,
        "config": descriptor("application/vnd.oci.empty.v1+json", config, 2),
        "layers": [],
        "subject": descriptor(OCI_MANIFEST, subject, 10),
        "annotations": { "n": n.to_string() },
    })
}

on_each_engine! {
    async fn referrers_are_listed_filtered_and_paged(lab) {
        let config = lab.push_blob("lab/ref", b"{}").await;
        let subject = sha256(b"a subject that is not here");
        for n in 0..5 {
            let kind = if n % 2 == 0 { "application/x.sbom" } else { "application/x.signature" };
            let body = artifact(&config, &subject, kind, n);
            let digest = sha256(body.to_string().as_bytes());
            let pushed = lab.put_manifest("lab/ref", &digest.to_string(), OCI_MANIFEST, &body).await;
            assert_eq!(pushed.status(), StatusCode::CREATED);
            assert_eq!(header(&pushed, "oci-subject"), subject.to_string());
        }
        let path = format!("/v2/lab/ref/referrers/{subject}");
        let all = lab.get(&path).await;
        assert_eq!(header(&all, "content-type"), OCI_INDEX);
        let all: Value = all.json().await.unwrap();
        assert_eq!(all["manifests"].as_array().unwrap().len(), 5);
        assert_eq!(all["mediaType"], OCI_INDEX);

        let some = lab.get(&format!("{path}?artifactType=application/x.sbom")).await;
        assert_eq!(header(&some, "oci-filters-applied"), "artifactType");
        let some: Value = some.json().await.unwrap();
        let some = some["manifests"].as_array().unwrap();
        assert_eq!(some.len(), 3);
        assert!(some.iter().all(|entry| entry["artifactType"] == "application/x.sbom" && entry["annotations"]["n"].is_string()));

        let mut seen = 0;
        let mut next = Some(format!("{path}?n=2"));
        while let Some(page) = next.take() {
            let page = lab.get(&page).await;
            let link = header(&page, "link");
            next = link.strip_prefix('<').and_then(|link| link.split_once('>')).map(|(link, _)| link.to_owned());
            let page: Value = page.json().await.unwrap();
            seen += page["manifests"].as_array().unwrap().len();
        }
        assert_eq!(seen, 5);
    }

    async fn nothing_refers_to_the_unknown(lab) {
        let none = lab.get(&format!("/v2/lab/nothing/referrers/{}", sha256(b"x"))).await;
        assert_eq!(none.status(), StatusCode::OK);
        let none: Value = none.json().await.unwrap();
        assert_eq!(none["manifests"], json!([]));
    }

    async fn a_deleted_referrer_is_not_listed(lab) {
        let config = lab.push_blob("lab/ref", b"{}").await;
        let subject = sha256(b"subject");
        let body = artifact(&config, &subject, "application/x.sbom", 1);
        let digest = sha256(body.to_string().as_bytes());
        lab.put_manifest("lab/ref", &digest.to_string(), OCI_MANIFEST, &body).await;
        lab.delete(&format!("/v2/lab/ref/manifests/{digest}")).await;
        let left: Value = lab.get(&format!("/v2/lab/ref/referrers/{subject}")).await.json().await.unwrap();
        assert_eq!(left["manifests"], json!([]));
    }

    async fn indexes_of_the_tag_schema_are_merged(lab) {
        let config = lab.push_blob("lab/schema", b"{}").await;
        let subject = sha256(b"subject");
        // A client of before the referrers API: the artifact has a subject, and the client keeps an index of its own.
        let with_subject = artifact(&config, &subject, "application/x.sbom", 1);
        let with_digest = sha256(with_subject.to_string().as_bytes());
        lab.put_manifest("lab/schema", &with_digest.to_string(), OCI_MANIFEST, &with_subject).await;
        let mut old = artifact(&config, &subject, "application/x.signature", 2);
        old.as_object_mut().unwrap().remove("subject");
        let old_digest = sha256(old.to_string().as_bytes());
        lab.put_manifest("lab/schema", &old_digest.to_string(), OCI_MANIFEST, &old).await;
        let entry = |digest, kind: &str, body: &Value| {
            let mut entry = descriptor(OCI_MANIFEST, digest, body.to_string().len());
            entry["artifactType"] = kind.into();
            entry
        };
        let index = json!({ "schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [
            entry(&with_digest, "application/x.sbom", &with_subject),
            entry(&old_digest, "application/x.signature", &old),
        ]});
        let tag = subject.to_string().replace(':', "-");
        assert_eq!(lab.put_manifest("lab/schema", &tag, OCI_INDEX, &index).await.status(), StatusCode::CREATED);
        let listed: Value = lab.get(&format!("/v2/lab/schema/referrers/{subject}")).await.json().await.unwrap();
        let mut digests: Vec<&str> = listed["manifests"].as_array().unwrap().iter().map(|e| e["digest"].as_str().unwrap()).collect();
        digests.sort_unstable();
        let (a, b) = (with_digest.to_string(), old_digest.to_string());
        let mut expected = [a.as_str(), b.as_str()];
        expected.sort_unstable();
        assert_eq!(digests, expected, "each once");
    }

    async fn merged_entries_are_paged_like_all_others(lab) {
        let config = lab.push_blob("lab/pages", b"{}").await;
        let subject = sha256(b"subject");
        let entries: Vec<Value> = (0..7).map(|n| {
            let mut entry = descriptor(OCI_MANIFEST, &sha256(format!("old {n}").as_bytes()), 10);
            entry["artifactType"] = "application/x.old".into();
            entry
        }).collect();
        let index = json!({ "schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries });
        let tag = subject.to_string().replace(':', "-");
        assert_eq!(lab.put_manifest("lab/pages", &tag, OCI_INDEX, &index).await.status(), StatusCode::CREATED);
        for n in 0..4 {
            let body = artifact(&config, &subject, "application/x.new", n);
            let digest = sha256(body.to_string().as_bytes());
            lab.put_manifest("lab/pages", &digest.to_string(), OCI_MANIFEST, &body).await;
        }
        let mut digests: Vec<String> = Vec::new();
        let mut next = Some(format!("/v2/lab/pages/referrers/{subject}?n=3"));
        while let Some(page) = next.take() {
            let page = lab.get(&page).await;
            let link = header(&page, "link");
            next = link.strip_prefix('<').and_then(|link| link.split_once('>')).map(|(link, _)| link.to_owned());
            let page: Value = page.json().await.unwrap();
            let page = page["manifests"].as_array().unwrap();
            assert!(page.len() <= 3);
            digests.extend(page.iter().map(|entry| entry["digest"].as_str().unwrap().to_owned()));
        }
        assert_eq!(digests.len(), 11);
        assert!(digests.is_sorted(), "and each comes once");
    }

    async fn annotations_too_large_for_a_row_are_listed_all_the_same(lab) {
        let config = lab.push_blob("lab/big", b"{}").await;
        let subject = sha256(b"subject");
        let mut body = artifact(&config, &subject, "application/x.sbom", 1);
        body["annotations"]["big"] = "z".repeat(200_000).into();
        let digest = sha256(body.to_string().as_bytes());
        let pushed = lab.put_manifest("lab/big", &digest.to_string(), OCI_MANIFEST, &body).await;
        assert_eq!(pushed.status(), StatusCode::CREATED, "{}", pushed.text().await.unwrap());
        let listed: Value = lab.get(&format!("/v2/lab/big/referrers/{subject}")).await.json().await.unwrap();
        assert_eq!(listed["manifests"][0]["annotations"]["big"].as_str().unwrap().len(), 200_000);
        for (kind, count) in [("application/x.sbom", 1), ("application/x.signature", 0)] {
            let path = format!("/v2/lab/big/referrers/{subject}?artifactType={kind}");
            let filtered: Value = lab.get(&path).await.json().await.unwrap();
            assert_eq!(filtered["manifests"].as_array().unwrap().len(), count, "{kind}: the row alone decides");
        }
    }
}
