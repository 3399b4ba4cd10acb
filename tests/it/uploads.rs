//! Uploads in all their forms (distribution-spec, "Pushing blobs").

use msr_lite::meta::Mode;
use msr_lite::oci::{Algorithm, Digest};
use reqwest::{Method, StatusCode};

use crate::harness::{Lab, code, header, noise, on_each_engine, sha256};

on_each_engine! {
    async fn a_single_post_stores_a_blob(lab) {
        for content in [Vec::new(), b"{}".to_vec(), noise(16 * 1024, 1), noise(16 * 1024 + 1, 2), noise(3 << 20, 3)] {
            let digest = sha256(&content);
            let path = format!("/v2/lab/one/blobs/uploads/?digest={digest}");
            let pushed = lab.request(Method::POST, &path).body(content.clone()).send().await.unwrap();
            assert_eq!(pushed.status(), StatusCode::CREATED);
            assert_eq!(header(&pushed, "docker-content-digest"), digest.to_string());
            let pulled = lab.get(&header(&pushed, "location")).await;
            assert_eq!(pulled.status(), StatusCode::OK);
            assert_eq!(header(&pulled, "docker-content-digest"), digest.to_string());
            assert_eq!(pulled.bytes().await.unwrap(), content);
        }
        assert_eq!(lab.server.registry().blobs().open_sessions(), 0);
    }

    async fn a_wrong_digest_is_refused_and_nothing_stays(lab) {
        let digest = sha256(b"something else");
        let path = format!("/v2/lab/one/blobs/uploads/?digest={digest}");
        let pushed = lab.request(Method::POST, &path).body(noise(100_000, 4)).send().await.unwrap();
        assert_eq!(pushed.status(), StatusCode::BAD_REQUEST);
        assert_eq!(code(pushed).await, "DIGEST_INVALID");
        assert_eq!(lab.server.registry().blobs().open_sessions(), 0);
        assert_eq!(lab.get("/v2/lab/one/tags/list").await.status(), StatusCode::NOT_FOUND, "no repository came of it");
        assert_eq!(files_in(&lab.data().join("blobs")), 0);
        assert_eq!(files_in(&lab.data().join("uploads")), 0);
    }

    async fn chunks_arrive_in_order_or_are_told_where_to_go_on(lab) {
        let content = noise(200_000, 5);
        let location = lab.begin_upload("lab/chunks").await;
        let patch = |range: &str, body: &[u8]| {
            lab.request(Method::PATCH, &location).header("content-range", range).body(body.to_vec()).send()
        };
        let first = patch("0-49999", &content[..50_000]).await.unwrap();
        assert_eq!(first.status(), StatusCode::ACCEPTED);
        assert_eq!(header(&first, "range"), "0-49999");

        let hasty = patch("100000-149999", &content[100_000..150_000]).await.unwrap();
        assert_eq!(hasty.status(), StatusCode::RANGE_NOT_SATISFIABLE);
        assert_eq!(header(&hasty, "range"), "0-49999");
        assert_eq!(header(&hasty, "location"), location);

        let status = lab.get(&location).await;
        assert_eq!(status.status(), StatusCode::NO_CONTENT);
        assert_eq!(header(&status, "range"), "0-49999");
        assert_eq!(header(&status, "location"), location);

        assert_eq!(patch("50000-149999", &content[50_000..150_000]).await.unwrap().status(), StatusCode::ACCEPTED);
        let digest = sha256(&content);
        let hasty = lab
            .request(Method::PUT, &format!("{location}?digest={digest}"))
            .header("content-range", "0-49999")
            .body(content[150_000..].to_vec())
            .send().await.unwrap();
        assert_eq!(hasty.status(), StatusCode::RANGE_NOT_SATISFIABLE, "also on the closing PUT");
        let last = lab
            .request(Method::PUT, &format!("{location}?digest={digest}"))
            .header("content-range", "150000-199999")
            .body(content[150_000..].to_vec())
            .send().await.unwrap();
        assert_eq!(last.status(), StatusCode::CREATED);
        assert_eq!(lab.get(&format!("/v2/lab/chunks/blobs/{digest}")).await.bytes().await.unwrap(), content);
        assert_eq!(lab.get(&location).await.status(), StatusCode::NOT_FOUND, "the session is over");
    }

    async fn a_wrong_digest_leaves_the_session_for_another_try(lab) {
        let content = noise(40_000, 6);
        let location = lab.begin_upload("lab/retry").await;
        lab.request(Method::PATCH, &location).body(content.clone()).send().await.unwrap();
        let wrong = lab.request(Method::PUT, &format!("{location}?digest={}", sha256(b"no"))).send().await.unwrap();
        assert_eq!(wrong.status(), StatusCode::BAD_REQUEST);
        let right = lab.request(Method::PUT, &format!("{location}?digest={}", sha256(&content))).send().await.unwrap();
        assert_eq!(right.status(), StatusCode::CREATED);
    }

    async fn an_upload_can_be_cancelled(lab) {
        let location = lab.begin_upload("lab/cancel").await;
        lab.request(Method::PATCH, &location).body(noise(50_000, 7)).send().await.unwrap();
        assert_eq!(lab.delete(&location).await.status(), StatusCode::NO_CONTENT);
        assert_eq!(code(lab.get(&location).await).await, "BLOB_UPLOAD_UNKNOWN");
        assert_eq!(files_in(&lab.data().join("blobs")), 0);
        assert_eq!(files_in(&lab.data().join("uploads")), 0);
    }

    async fn sha512_works_announced_and_unannounced(lab) {
        let content = noise(70_000, 8);
        let digest = Digest::of(Algorithm::Sha512, &content);
        for announcement in ["", "?digest-algorithm=sha512"] {
            let begun = lab.request(Method::POST, &format!("/v2/lab/sha512/blobs/uploads/{announcement}")).send().await.unwrap();
            let location = header(&begun, "location");
            let put = lab.request(Method::PUT, &format!("{location}?digest={digest}")).body(content.clone()).send();
            let put = put.await.unwrap();
            assert_eq!(put.status(), StatusCode::CREATED);
            assert_eq!(header(&put, "docker-content-digest"), digest.to_string());
        }
        let head = lab.head(&format!("/v2/lab/sha512/blobs/{digest}")).await;
        assert_eq!(head.status(), StatusCode::OK);
        assert_eq!(header(&head, "docker-content-digest"), digest.to_string());
    }

    async fn an_upload_belongs_to_its_repository(lab) {
        let location = lab.begin_upload("lab/mine").await;
        let elsewhere = location.replace("lab/mine", "lab/yours");
        assert_eq!(code(lab.get(&elsewhere).await).await, "BLOB_UPLOAD_UNKNOWN");
        assert_eq!(lab.get(&location).await.status(), StatusCode::NO_CONTENT);
    }

    async fn mounts_really_mount(lab) {
        let content = noise(30_000, 9);
        let digest = lab.push_blob("lib/web", &content).await;
        let own = lab.url("").trim_start_matches("https://").to_owned();
        for (target, from) in [
            ("lab/a", "&from=lib/web".to_owned()),
            ("lab/b", format!("&from={own}/lib/web")),
            ("lab/c", String::new()),
        ] {
            let path = format!("/v2/{target}/blobs/uploads/?mount={digest}{from}");
            let mounted = lab.request(Method::POST, &path).send().await.unwrap();
            assert_eq!(mounted.status(), StatusCode::CREATED, "{target}");
            assert_eq!(header(&mounted, "location"), format!("/v2/{target}/blobs/{digest}"));
            assert_eq!(lab.get(&format!("/v2/{target}/blobs/{digest}")).await.bytes().await.unwrap(), content);
        }
        assert_eq!(files_in(&lab.data().join("blobs")), 1, "one file serves all four");
    }

    async fn a_storm_on_one_session_leaves_no_file_that_nobody_names(lab) {
        for round in 0..6_u64 {
            let content = noise(30_000, 100 + round);
            let digest = sha256(&content);
            let location = lab.begin_upload("lab/storm").await;
            let close = format!("{location}?digest={digest}");
            let send = |method: Method, path: &str, body: &[u8]| lab.request(method, path).body(body.to_vec()).send();
            let answers = tokio::join!(
                send(Method::PATCH, &location, &content),
                send(Method::PATCH, &location, &content),
                send(Method::PUT, &close, &content),
                send(Method::PUT, &close, b""),
                send(if round % 2 == 0 { Method::DELETE } else { Method::GET }, &location, b""),
            );
            for answer in <[_; 5]>::from(answers) {
                let status = answer.unwrap().status().as_u16();
                assert!([201, 202, 204, 400, 404, 409, 416].contains(&status), "{status}");
            }
            lab.delete(&location).await;
            lab.push_blob("lab/storm", &content).await;
            let back = lab.get(&format!("/v2/lab/storm/blobs/{digest}")).await;
            assert_eq!(back.bytes().await.unwrap(), content);
        }
        let (registry, blobs) = (lab.server.registry(), lab.server.registry().blobs());
        for file in blobs.list(None, usize::MAX).unwrap() {
            let named = registry.meta().read(|tx| msr_lite::registry::uploads::is_named(tx, file)).unwrap();
            assert!(named || blobs.owned().contains(&file), "{file:?} is an orphan");
        }
        assert_eq!(files_in(&lab.data().join("uploads")), 0, "no sidecar stays");
    }

    async fn what_cannot_be_mounted_can_be_uploaded(lab) {
        let content = b"nowhere yet".to_vec();
        let digest = sha256(&content);
        for from in ["", "&from=lib/nothing", "&from=other.lab:5000/x"] {
            let path = format!("/v2/lab/target/blobs/uploads/?mount={digest}{from}");
            let begun = lab.request(Method::POST, &path).send().await.unwrap();
            assert_eq!(begun.status(), StatusCode::ACCEPTED);
            let put = format!("{}?digest={digest}", header(&begun, "location"));
            let put = lab.request(Method::PUT, &put).body(content.clone()).send().await.unwrap();
            assert_eq!(put.status(), StatusCode::CREATED);
        }
    }

    async fn the_same_blob_pushed_at_once_by_many_is_stored_once(lab) {
        let content = noise(120_000, 10);
        let digest = sha256(&content);
        let pushes = (0..8).map(|n| {
            let path = format!("/v2/lab/many{}/blobs/uploads/?digest={digest}", n % 3);
            lab.request(Method::POST, &path).body(content.clone()).send()
        });
        let pushes: Vec<_> = pushes.map(tokio::spawn).collect();
        for push in pushes {
            assert_eq!(push.await.unwrap().unwrap().status(), StatusCode::CREATED);
        }
        let published = lab.server.registry().meta().read(|tx| {
            use msr_lite::meta::{Read, tables};
            Ok::<_, msr_lite::meta::MetaError>((
                tx.range(tables::FILE, &[], None, 100)?.len(),
                tx.range(tables::DOOMED, &[], None, 100)?.len(),
            ))
        });
        let (files, doomed) = published.unwrap();
        assert_eq!(files, 1);
        assert_eq!(files + doomed, files_in(&lab.data().join("blobs")), "every file is named by a row");
    }
}

/// Files below a directory.
pub(crate) fn files_in(directory: &std::path::Path) -> usize {
    let Ok(entries) = std::fs::read_dir(directory) else { return 0 };
    let entries = entries.map(Result::unwrap);
    entries.map(|entry| if entry.path().is_dir() { files_in(&entry.path()) } else { 1 }).sum()
}

/// docker app 0.9 writes the host that it connected to before the source, whatever `external_url` says.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mount_names_the_host_that_was_dialled_beside_an_external_url() {
    let lab = Lab::with(Mode::Normal, |config| config.external_url = Some("https://hub.lab".into())).await;
    let digest = lab.push_blob("lib/web", b"content").await;
    let dialled = lab.url("").trim_start_matches("https://").to_owned();
    let path = format!("/v2/lab/a/blobs/uploads/?mount={digest}&from={dialled}/lib/web");
    assert_eq!(lab.request(Method::POST, &path).send().await.unwrap().status(), StatusCode::CREATED);
}
