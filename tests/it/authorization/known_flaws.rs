//! What went wrong with the rights of other registries, tried here: each test bears the number of the published flaw.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use msr_lite::meta::{MetaError, Mode, Read, account, tables};
use msr_lite::oci::Digest;
use reqwest::{Method, Response, StatusCode};
use serde_json::{Value, json};

use crate::api_accounts::PASSWORD;
use crate::harness::{Lab, OCI_INDEX, OCI_MANIFEST, descriptor, header, noise, on_each_engine, sha256};
use crate::pages::{Browser, add_user, encoded};

/// A request by a user, or by nobody (`-`).
async fn ask(lab: &Lab, who: &str, method: Method, path: &str, body: impl Into<reqwest::Body>) -> Response {
    let request = lab.anonymous(method, path).body(body);
    let request = if who == "-" { request } else { request.basic_auth(who, Some(&lab.password)) };
    request.send().await.unwrap()
}

async fn get(lab: &Lab, who: &str, path: &str) -> Response {
    ask(lab, who, Method::GET, path, "").await
}

async fn status(lab: &Lab, who: &str, method: Method, path: &str) -> StatusCode {
    ask(lab, who, method, path, "").await.status()
}

/// Status and body.
async fn whole(response: Response) -> (StatusCode, String) {
    (response.status(), response.text().await.unwrap())
}

async fn token(lab: &Lab, who: &str, scope: &str) -> String {
    let answer = get(lab, who, &format!("/auth/token?service=msr-lite&scope={scope}")).await;
    answer.json::<Value>().await.unwrap()["token"].as_str().unwrap().to_owned()
}

async fn with_token(lab: &Lab, token: &str, method: Method, path: &str) -> StatusCode {
    lab.anonymous(method, path).bearer_auth(token).send().await.unwrap().status()
}

/// Two users with an image each: `alice/app` and `bob/app`, both tagged `1`.
async fn two_users(lab: &Lab) -> (Digest, Digest) {
    for user in ["alice", "bob"] {
        add_user(lab, user).await;
    }
    let (_, alice) = lab.push_image("alice/app", "1", b"the layer of alice").await;
    let (_, bob) = lab.push_image("bob/app", "1", b"the layer of bob").await;
    (alice, bob)
}

on_each_engine! {
    // A token is verified by our own keys, whatever its header offers.
    async fn distribution_cve_2025_24976_a_token_brings_no_key(lab) {
        lab.push_image("lab/app", "1", b"layer").await;
        let scope = "repository:lab/app:pull";
        let good = token(&lab, "admin", scope).await;
        let path = "/v2/lab/app/manifests/1";
        assert_eq!(with_token(&lab, &good, Method::GET, path).await, StatusCode::OK);
        let parts: Vec<&str> = good.split('.').collect();
        let read = |part: &str| serde_json::from_slice::<Value>(&BASE64.decode(part).unwrap()).unwrap();
        let (header, claims) = (read(parts[0]), read(parts[1]));
        let kid = header["kid"].as_str().unwrap();
        let encode = |value: &Value| BASE64.encode(value.to_string());

        let theirs = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        let point = theirs.public_key().as_ref();
        let jwk = json!({
            "kty": "EC", "crv": "P-256", "alg": "ES256", "kid": kid,
            "x": BASE64.encode(&point[1..33]), "y": BASE64.encode(&point[33..]),
        });
        let mut forged = Vec::new();
        for more in [
            json!({}),
            json!({ "jwk": jwk }),
            json!({ "jku": "https://registry.lab/keys", "jwk": jwk }),
            json!({ "x5u": "https://registry.lab/chain" }),
            json!({ "x5c": [base64::engine::general_purpose::STANDARD.encode(point)] }),
        ] {
            let mut header = header.clone();
            header.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            let message = format!("{}.{}", encode(&header), encode(&claims));
            let signature = theirs.sign(&SystemRandom::new(), message.as_bytes()).unwrap();
            forged.push(format!("{message}.{}", BASE64.encode(signature.as_ref())));
        }
        for alg in ["none", "None", "NONE"] {
            let message = format!("{}.{}", encode(&json!({ "typ": "JWT", "alg": alg, "kid": kid })), encode(&claims));
            forged.extend([format!("{message}."), format!("{message}.{}", parts[2])]);
        }
        // Our public key as the secret of an HMAC.
        let rows = lab.server.registry().meta().read(account::token_keys).unwrap();
        let ours = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &rows[0].pkcs8().unwrap()).unwrap();
        let public = ours.public_key().as_ref();
        for secret in [public.to_vec(), BASE64.encode(public).into_bytes(), hex::encode(public).into_bytes()] {
            let message = format!("{}.{}", encode(&json!({ "typ": "JWT", "alg": "HS256", "kid": kid })), encode(&claims));
            let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, &secret);
            let signature = aws_lc_rs::hmac::sign(&key, message.as_bytes());
            forged.push(format!("{message}.{}", BASE64.encode(signature.as_ref())));
        }
        // Rights that were not signed.
        let mut wider = claims.clone();
        wider["access"][0]["actions"] = json!(["*"]);
        forged.push(format!("{}.{}.{}", parts[0], encode(&wider), parts[2]));
        for token in forged {
            for path in ["/v2/", path, "/api/v0/repositories"] {
                assert_eq!(with_token(&lab, &token, Method::GET, path).await, StatusCode::UNAUTHORIZED, "{path} {token}");
            }
        }
    }

    // What was deleted in one repository stays deleted there, although another one keeps the content.
    async fn distribution_cve_2026_35172_a_deleted_blob_does_not_come_back(lab) {
        let digest = lab.push_blob("lab/a", b"shared").await;
        lab.push_blob("lab/b", b"shared").await;
        let (a, b) = (format!("/v2/lab/a/blobs/{digest}"), format!("/v2/lab/b/blobs/{digest}"));
        for path in [&a, &b] {
            assert_eq!(lab.get(path).await.status(), StatusCode::OK, "whatever remembers content knows it now");
        }
        assert_eq!(lab.delete(&a).await.status(), StatusCode::ACCEPTED);
        let manifest = json!({
            "schemaVersion": 2, "mediaType": OCI_MANIFEST,
            "config": descriptor("application/vnd.oci.image.config.v1+json", &digest, 6), "layers": [],
        });
        let mut lab = lab;
        for step in ["at once", "when another repository was read", "when a manifest names it", "after a restart"] {
            match step {
                "when a manifest names it" => _ = lab.put_manifest("lab/a", "1", OCI_MANIFEST, &manifest).await,
                "after a restart" => lab = lab.restart().await,
                _ => {}
            }
            assert_eq!(lab.head(&a).await.status(), StatusCode::NOT_FOUND, "{step}");
            assert_eq!(lab.get(&a).await.status(), StatusCode::NOT_FOUND, "{step}");
            let part = lab.request(Method::GET, &a).header("range", "bytes=0-1").send().await.unwrap();
            assert_eq!(part.status(), StatusCode::NOT_FOUND, "{step}");
            assert_eq!(lab.get(&b).await.bytes().await.unwrap(), "shared", "{step}");
        }
    }

    // Each way to delete asks for the right to delete.
    async fn distribution_cve_2026_41888_deleting_by_tag_is_deleting(lab) {
        let (digest, _) = two_users(&lab).await;
        let blob = lab.push_blob("alice/app", b"nobody needs it").await;
        let push = token(&lab, "alice", "repository:alice/app:pull,push").await;
        let pull = token(&lab, "alice", "repository:alice/app:pull").await;
        let api = "/api/v0/repositories/alice/app";
        for path in [
            "/v2/alice/app/manifests/1".to_owned(),
            format!("/v2/alice/app/manifests/{digest}"),
            format!("/v2/alice/app/blobs/{blob}"),
            format!("{api}/tags/1"),
            format!("{api}/tags/1?force=true"),
            format!("{api}/manifests/{digest}"),
            api.to_owned(),
        ] {
            for narrow in [&push, &pull] {
                assert_eq!(with_token(&lab, narrow, Method::DELETE, &path).await, StatusCode::UNAUTHORIZED, "{path}");
            }
            assert_eq!(status(&lab, "bob", Method::DELETE, &path).await, StatusCode::NOT_FOUND, "{path}");
        }
        assert_eq!(lab.head("/v2/alice/app/manifests/1").await.status(), StatusCode::OK);
        assert_eq!(lab.head(&format!("/v2/alice/app/blobs/{blob}")).await.status(), StatusCode::OK);
    }

    // Content of others is reached by no mount, no digest and no manifest that names it, nor told to exist.
    async fn zot_cve_2024_39897_content_of_others_is_not_reached_by_its_digest(lab) {
        let (alice, _) = two_users(&lab).await;
        let (secret, nowhere) = (sha256(b"the layer of alice"), sha256(b"nowhere"));
        let uploads = "/v2/bob/app/blobs/uploads/";
        for digest in [&secret, &nowhere] {
            let blob = format!("/v2/bob/app/blobs/{digest}");
            for from in ["", "&from=alice/app", "&from=alice/none", "&from=bob/app"] {
                let mount = format!("{uploads}?mount={digest}{from}");
                assert_eq!(status(&lab, "bob", Method::POST, &mount).await, StatusCode::ACCEPTED, "{mount}");
            }
            for body in ["", "something else"] {
                let whole = ask(&lab, "bob", Method::POST, &format!("{uploads}?digest={digest}"), body).await;
                assert_eq!(whole.status(), StatusCode::BAD_REQUEST);
                let begun = header(&ask(&lab, "bob", Method::POST, uploads, "").await, "location");
                let closed = ask(&lab, "bob", Method::PUT, &format!("{begun}?digest={digest}"), body).await;
                assert_eq!(closed.status(), StatusCode::BAD_REQUEST);
            }
            assert_eq!(status(&lab, "bob", Method::HEAD, &blob).await, StatusCode::NOT_FOUND);
            assert_eq!(status(&lab, "bob", Method::DELETE, &blob).await, StatusCode::NOT_FOUND);
            assert_eq!(status(&lab, "bob", Method::GET, &blob).await, StatusCode::NOT_FOUND);
        }
        // A manifest that names it, and an index that names its manifest, open nothing.
        let push = |body: Value, kind: &'static str| {
            let lab = &lab;
            async move {
                let request = lab.anonymous(Method::PUT, "/v2/bob/app/manifests/taken").body(body.to_string());
                let request = request.basic_auth("bob", Some(&lab.password)).header("content-type", kind);
                request.send().await.unwrap().status()
            }
        };
        let config = descriptor("application/vnd.oci.image.config.v1+json", &sha256(b"{}"), 2);
        let image = |layer: &Digest| {
            let layer = descriptor("application/vnd.oci.image.layer.v1.tar+gzip", layer, 18);
            json!({ "schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": config, "layers": [layer] })
        };
        assert_eq!(push(image(&secret), OCI_MANIFEST).await, push(image(&nowhere), OCI_MANIFEST).await);
        let index = |manifest: &Digest| {
            let manifest = descriptor(OCI_MANIFEST, manifest, 500);
            json!({ "schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [manifest] })
        };
        assert_eq!(push(index(&alice), OCI_INDEX).await, push(index(&nowhere), OCI_INDEX).await);
        for path in [format!("/v2/bob/app/blobs/{secret}"), format!("/v2/bob/app/manifests/{alice}")] {
            assert_eq!(status(&lab, "bob", Method::GET, &path).await, StatusCode::NOT_FOUND, "{path}");
        }
    }

    // No tag, `latest` neither, is set or moved without the right to push, in none of the ways in which tags are set.
    async fn zot_cve_2026_31801_no_tag_is_moved_without_the_right(lab) {
        let (digest, _) = two_users(&lab).await;
        let pull = token(&lab, "alice", "repository:alice/app:pull").await;
        let body = lab.get("/v2/alice/app/manifests/1").await.bytes().await.unwrap();
        lab.put_bytes("alice/app", "latest", OCI_MANIFEST, body.to_vec()).await;
        let other = br#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}"#;
        let by_digest = sha256(other);
        for reference in ["latest", "1", "new", &by_digest.to_string(), &format!("{by_digest}?tag=latest")] {
            let path = format!("/v2/alice/app/manifests/{reference}");
            let put = || lab.anonymous(Method::PUT, &path).header("content-type", OCI_INDEX).body(other.to_vec());
            let narrow = put().bearer_auth(&pull).send().await.unwrap();
            assert_eq!(narrow.status(), StatusCode::UNAUTHORIZED, "{reference}");
            let stranger = put().basic_auth("bob", Some(&lab.password)).send().await.unwrap();
            assert_eq!(stranger.status(), StatusCode::NOT_FOUND, "{reference}");
        }
        let tags: Value = lab.get("/v2/alice/app/tags/list").await.json().await.unwrap();
        assert_eq!(tags["tags"], json!(["1", "latest"]));
        let latest = lab.head("/v2/alice/app/manifests/latest").await;
        assert_eq!(header(&latest, "docker-content-digest"), digest.to_string());
    }

    // What a body may not say is not done because it says so.
    async fn harbor_cve_2019_16097_a_body_makes_nobody_an_administrator(lab) {
        two_users(&lab).await;
        let more = json!({
            "id": "0000000000000001", "namespace": "bob", "namespaceType": "organization", "owner": "bob", "pulls": 7,
            "pushes": 7, "admin": true, "isAdmin": true, "has_admin_role": true, "role": "admin", "revision": 0,
            "account": { "name": "alice", "admin": true }, "accessLevel": "admin",
        });
        let with = |field: &str, value: &str| {
            let mut body = more.clone();
            body[field] = json!(value);
            body.to_string()
        };
        let path = "/api/v0/repositories/alice";
        let made = ask(&lab, "alice", Method::POST, path, with("name", "made")).await;
        assert_eq!(made.status(), StatusCode::CREATED);
        let made: Value = made.json().await.unwrap();
        let before: Value = get(&lab, "alice", &format!("{path}/app")).await.json().await.unwrap();
        let changed = ask(&lab, "alice", Method::PATCH, &format!("{path}/app"), with("name", "stolen")).await;
        assert_eq!(changed.status(), StatusCode::OK);
        assert_eq!(changed.json::<Value>().await.unwrap(), before, "none of it is the caller's to say");
        assert_eq!((&made["namespace"], &made["pushes"]), (&json!("alice"), &json!(0)));
        assert_ne!(made["id"], more["id"]);
        let mut browser = Browser::signed_in(&lab, "alice").await;
        let fields = [("theme", "dark"), ("admin", "true"), ("name", "admin"), ("has_admin_role", "true")];
        browser.send("/account", "/account/prefs", &fields).await;
        assert_eq!(browser.get("/system").await.status, StatusCode::FORBIDDEN);
        let account = lab.server.registry().meta().read(|tx| account::get(tx, "alice")).unwrap().unwrap();
        assert!(!account.admin);
    }

    // Nobody learns which accounts there are: neither by signing in nor by asking for their namespaces.
    async fn harbor_2019_3990_and_2020_13794_accounts_are_not_told(lab) {
        two_users(&lab).await;
        for path in ["/v2/", "/v2/alice/app/tags/list", "/auth/token?service=msr-lite", "/api/v0/repositories"] {
            let wrong = |name: &'static str| lab.anonymous(Method::GET, path).basic_auth(name, Some("wrong")).send();
            let known = whole(wrong("alice").await.unwrap()).await;
            assert_eq!(known.0, StatusCode::UNAUTHORIZED, "{path}");
            let unknown = whole(wrong("carol").await.unwrap()).await;
            assert_eq!((unknown.0, unknown.1.replace("carol", "alice")), known, "{path}");
        }
        let form = |name: &str| format!("grant_type=password&service=msr-lite&username={name}&password=wrong");
        let send = |name: &str| {
            let request = lab.anonymous(Method::POST, "/auth/token").body(form(name));
            request.header("content-type", "application/x-www-form-urlencoded").send()
        };
        assert_eq!(whole(send("alice").await.unwrap()).await, whole(send("carol").await.unwrap()).await);
        for path in ["/api/v0/repositories/NAME", "/api/v0/repositories/NAME/app", "/v2/NAME/app/tags/list"] {
            let known = whole(get(&lab, "bob", &path.replace("NAME", "alice")).await).await;
            let unknown = whole(get(&lab, "bob", &path.replace("NAME", "carol")).await).await;
            assert_eq!((unknown.0, unknown.1.replace("carol", "alice")), known, "{path}");
        }
    }

    // An upload is its account's: nobody else learns of it, adds to it, ends it, or takes it to another repository.
    async fn quay_cve_2026_32589_an_upload_is_nobody_elses(lab) {
        two_users(&lab).await;
        let begun = ask(&lab, "alice", Method::POST, "/v2/alice/app/blobs/uploads/", "").await;
        let mine = header(&begun, "location");
        assert_eq!(ask(&lab, "alice", Method::PATCH, &mine, "half").await.status(), StatusCode::ACCEPTED);
        let digest = sha256(b"half and half");
        let id = mine.rsplit('/').next().unwrap();
        let unknown = id.chars().rev().collect::<String>();
        for who in ["bob", "admin"] {
            for repo in ["alice/app", "bob/app"] {
                for (method, query) in [
                    (Method::GET, String::new()),
                    (Method::PATCH, String::new()),
                    (Method::PUT, format!("?digest={digest}")),
                    (Method::DELETE, String::new()),
                ] {
                    let path = |id: &str| format!("/v2/{repo}/blobs/uploads/{id}{query}");
                    let there = whole(ask(&lab, who, method.clone(), &path(id), " stolen").await).await;
                    let absent = whole(ask(&lab, who, method.clone(), &path(&unknown), " stolen").await).await;
                    assert_eq!(there.0, StatusCode::NOT_FOUND, "{who} {method} {repo}");
                    assert_eq!(there, absent, "{who} {method} {repo}");
                }
            }
        }
        let status = get(&lab, "alice", &mine).await;
        assert_eq!((status.status(), header(&status, "range").as_str()), (StatusCode::NO_CONTENT, "0-3"));
        let finished = ask(&lab, "alice", Method::PUT, &format!("{mine}?digest={digest}"), " and half").await;
        assert_eq!(finished.status(), StatusCode::CREATED);
    }

    // Without credentials nothing of a private repository is there: by no endpoint, in no list, by no method. So it is
    // with a repository about whose visibility nobody said anything.
    async fn gitea_cve_2026_27771_and_harbor_2020_29662_the_private_is_not_for_everybody(lab) {
        let (digest, _) = two_users(&lab).await;
        let blob = sha256(b"the layer of alice");
        let made: Value = get(&lab, "alice", "/api/v0/repositories/alice/app").await.json().await.unwrap();
        assert_eq!(made["visibility"], "private");
        let nobodys = token(&lab, "-", "repository:alice/app:pull&scope=registry:catalog:*").await;
        for path in [
            "/v2/_catalog".to_owned(),
            "/v2/alice/app/manifests/1".to_owned(),
            format!("/v2/alice/app/manifests/{digest}"),
            format!("/v2/alice/app/blobs/{blob}"),
            "/v2/alice/app/tags/list".to_owned(),
            format!("/v2/alice/app/referrers/{digest}"),
            "/api/v0/repositories".to_owned(),
            "/api/v0/repositories/alice".to_owned(),
            "/api/v0/repositories/alice/app".to_owned(),
            "/api/v0/repositories/alice/app/tags".to_owned(),
        ] {
            for method in [Method::GET, Method::HEAD] {
                let bare = lab.anonymous(method.clone(), &path).send().await.unwrap();
                assert_eq!(bare.status(), StatusCode::UNAUTHORIZED, "{method} {path}");
                assert_eq!(with_token(&lab, &nobodys, method, &path).await, StatusCode::UNAUTHORIZED, "{path}");
            }
            let part = lab.anonymous(Method::GET, &path).header("range", "bytes=0-3").send().await.unwrap();
            assert_eq!(part.status(), StatusCode::UNAUTHORIZED, "{path}");
            assert!(!part.text().await.unwrap().contains(&digest.to_string()[7..]));
        }
        // Nor for somebody who is signed in and has no right to it.
        for path in ["/api/v0/repositories", "/repositories", "/search?q=app"] {
            let mut browser = Browser::signed_in(&lab, "bob").await;
            let text = match path.strip_prefix("/api") {
                Some(_) => get(&lab, "bob", path).await.text().await.unwrap(),
                None => browser.get(path).await.text,
            };
            assert!(text.contains("bob") && !text.contains("alice"), "{path}: {text}");
        }
    }

    // However many entries somebody asks for, the answer is bounded, or the number is refused.
    async fn distribution_cve_2023_2253_a_huge_number_allocates_nothing(lab) {
        let (digest, _) = two_users(&lab).await;
        for path in ["/v2/_catalog?n=", "/v2/alice/app/tags/list?n=", &format!("/v2/alice/app/referrers/{digest}?n=")] {
            for n in ["2147483647", "2147483648", "4294967296", "9223372036854775807"] {
                assert_eq!(lab.get(&format!("{path}{n}")).await.status(), StatusCode::OK, "{path}{n}");
            }
            for n in ["-1", "-9223372036854775808", "ten", "1e9", "0x10"] {
                assert_eq!(lab.get(&format!("{path}{n}")).await.status(), StatusCode::BAD_REQUEST, "{path}{n}");
            }
            // More digits than any number has: refused or cut, never taken at its word.
            let endless = lab.get(&format!("{path}{}", "9".repeat(60))).await.status();
            assert!([StatusCode::OK, StatusCode::BAD_REQUEST].contains(&endless), "{path} {endless}");
        }
        for n in ["2147483648", "9223372036854775807"] {
            let list = lab.get(&format!("/api/v0/repositories?pageSize={n}")).await;
            assert_eq!(list.status(), StatusCode::OK, "{n}");
        }
        assert_eq!(lab.get("/api/v0/repositories?pageSize=-1").await.status(), StatusCode::BAD_REQUEST);
    }

    // What is named by an id is looked for in the repository in the path, for which the rights were asked.
    async fn harbor_2022_31666_to_31671_ids_are_looked_up_where_the_right_is(lab) {
        let (alice, bob) = two_users(&lab).await;
        let layer = sha256(b"the layer of alice");
        let api = "/api/v0/repositories/bob/app";
        for (method, path, expected) in [
            (Method::GET, format!("/v2/bob/app/manifests/{alice}"), 404),
            (Method::DELETE, format!("/v2/bob/app/manifests/{alice}"), 404),
            (Method::GET, format!("/v2/bob/app/blobs/{layer}"), 404),
            (Method::DELETE, format!("/v2/bob/app/blobs/{layer}"), 404),
            (Method::GET, format!("{api}/tags/{alice}"), 404),
            // A digest is no tag, whoever has it.
            (Method::DELETE, format!("{api}/tags/{alice}"), 400),
            (Method::DELETE, format!("{api}/manifests/{alice}"), 404),
        ] {
            assert_eq!(status(&lab, "bob", method.clone(), &path).await.as_u16(), expected, "{method} {path}");
        }
        let mut browser = Browser::signed_in(&lab, "bob").await;
        assert_eq!(browser.get(&format!("/r/bob/app/-/digests/{alice}")).await.status, StatusCode::NOT_FOUND);
        // A list that begins behind an entry of another repository's shows what is behind it, and nothing of that one.
        let list = get(&lab, "bob", &format!("{api}/manifests?pageStart={alice}")).await.text().await.unwrap();
        assert!(!list.contains(&alice.to_string()), "{list}");
        for (repo, digest) in [("alice/app", alice), ("bob/app", bob)] {
            let head = lab.head(&format!("/v2/{repo}/manifests/1")).await;
            assert_eq!(header(&head, "docker-content-digest"), digest.to_string());
        }
    }

    // Whatever a form names as the place to go on to, the browser stays here. (After a sign-in:
    // `pages::signed_in::the_way_back_stays_here`.)
    async fn harbor_cve_2024_22244_nobody_is_led_elsewhere(lab) {
        add_user(&lab, "alice").await;
        let mut browser = Browser::signed_in(&lab, "alice").await;
        for next in ["//registry.lab/", "https://registry.lab/", "/\\registry.lab", "\\\\registry.lab", "javascript:x", " //x"] {
            let page = browser.send("/account", "/account/prefs", &[("theme", "dark"), ("next", next)]).await;
            assert_eq!(page.location(), "/", "{next}");
        }
        let mut stranger = Browser::new(&lab);
        for path in ["//registry.lab/account", "/account?next=//registry.lab"] {
            let page = stranger.get(path).await;
            let location = page.header("location");
            assert!(location.is_empty() || location.starts_with("/login"), "{path}: {location}");
        }
    }
}

/// The first password is made up by each registry for itself.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn harbor_cve_2026_4404_no_password_is_there_by_default() {
    let (one, other) = (Lab::new(Mode::Strict).await, Lab::new(Mode::Strict).await);
    assert!(one.password.len() >= 16 && one.password != other.password);
    for guess in ["", "admin", "password", "msr-lite", &other.password] {
        let ping = one.anonymous(Method::GET, "/v2/").basic_auth("admin", Some(guess)).send().await.unwrap();
        assert_eq!(ping.status(), StatusCode::UNAUTHORIZED);
    }
    // An account that nobody made does not sign in.
    for name in ["root", "administrator", "guest", ""] {
        let ping = one.anonymous(Method::GET, "/v2/").basic_auth(name, Some(&one.password)).send().await.unwrap();
        assert!(ping.status().is_client_error(), "{name}");
    }
}

/// Every range of a blob is asked for with the right to it (a gate on whole manifests alone was passed by others).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nora_ghsa_4j4m_every_way_to_a_blob_is_gated() {
    let lab = Lab::new(Mode::Strict).await;
    two_users(&lab).await;
    let content = noise(4096, 3);
    let digest = lab.push_blob("alice/app", &content).await;
    let path = format!("/v2/alice/app/blobs/{digest}");
    for range in ["bytes=0-0", "bytes=-1", "bytes=4096-", "bytes=0-99999", "bytes=x"] {
        let part = lab.anonymous(Method::GET, &path).basic_auth("bob", Some(&lab.password)).header("range", range);
        assert_eq!(part.send().await.unwrap().status(), StatusCode::NOT_FOUND, "{range}");
    }
    for (name, value) in [("if-none-match", format!("\"{digest}\"")), ("if-none-match", "*".to_owned())] {
        let known = lab.anonymous(Method::GET, &path).basic_auth("bob", Some(&lab.password)).header(name, value);
        assert_eq!(known.send().await.unwrap().status(), StatusCode::NOT_FOUND);
    }
}

/// A long password is compared whole: what begins like it does not open the account.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn quay_2024_9683_no_password_is_cut() {
    let lab = Lab::new(Mode::Strict).await;
    let long = "correct horse battery ".repeat(5);
    assert!(long.len() > 72, "where bcrypt ends");
    let mut browser = Browser::signed_in(&lab, "admin").await;
    let fields = [("current", &*lab.password), ("new", &long), ("again", &long)];
    assert_eq!(browser.send("/account", "/account/password", &fields).await.status, StatusCode::SEE_OTHER);
    let ping = |password: String| lab.anonymous(Method::GET, "/v2/").basic_auth("admin", Some(password)).send();
    assert_eq!(ping(long.clone()).await.unwrap().status(), StatusCode::OK);
    for wrong in [long[..72].to_owned(), long[..long.len() - 1].to_owned(), format!("{long}x")] {
        assert_eq!(ping(wrong).await.unwrap().status(), StatusCode::UNAUTHORIZED);
    }
}

/// `alice` in the team `web` of the organization `lab`, which may push to `lab/app`.
async fn in_a_team(lab: &Lab) {
    lab.people().await;
    lab.push_image("lab/app", "1", b"the layer of the lab").await;
    lab.done(Method::POST, "/accounts", Some(json!({ "name": "alice", "password": PASSWORD })), 201).await;
    lab.done(Method::PUT, "/accounts/lab/teams/web/members/alice", Some(json!({})), 200).await;
    let level = Some(json!({ "accessLevel": "read-write" }));
    lab.done(Method::PUT, "/api/v0/repositories/lab/app/teamAccess/web", level, 200).await;
}

async fn personal_token(lab: &Lab, scope: Value) -> String {
    let asked = json!({ "tokenLabel": "of a test", "scope": scope });
    let made = lab.enzi("alice", Method::POST, "/api/v0/api_tokens", Some(asked)).await;
    made.json::<Value>().await.unwrap()["token"].as_str().unwrap().to_owned()
}

async fn by_alice(lab: &Lab, password: &str, method: Method, path: &str) -> u16 {
    let request = lab.anonymous(method, path).basic_auth("alice", Some(password));
    request.send().await.unwrap().status().as_u16()
}

on_each_engine! {
    // Who leaves a team, or a team that loses a right, has none of it at the next request, by whatever was shown before.
    async fn zot_cve_2025_23208_what_is_taken_away_is_gone(lab) {
        in_a_team(&lab).await;
        let scope = "/auth/token?service=msr-lite&scope=repository:lab/app:pull,push";
        let signed = lab.anonymous(Method::GET, scope).basic_auth("alice", Some(PASSWORD)).send().await.unwrap();
        let bearer = signed.json::<Value>().await.unwrap()["token"].as_str().unwrap().to_owned();
        let personal = personal_token(&lab, json!("all")).await;
        let mut browser = Browser::new(&lab);
        assert_eq!(browser.sign_in("alice", PASSWORD).await.status, StatusCode::SEE_OTHER);
        let mut looks = async || {
            let path = "/v2/lab/app/manifests/1";
            [
                by_alice(&lab, PASSWORD, Method::GET, path).await,
                by_alice(&lab, &personal, Method::GET, path).await,
                with_token(&lab, &bearer, Method::GET, path).await.as_u16(),
                with_token(&lab, &bearer, Method::POST, "/v2/lab/app/blobs/uploads/").await.as_u16(),
                browser.get("/r/lab/app").await.status.as_u16(),
            ]
        };
        assert_eq!(looks().await, [200, 200, 200, 202, 200]);
        let member = "/accounts/lab/teams/web/members/alice";
        lab.done(Method::DELETE, member, None, 204).await;
        assert_eq!(looks().await, [404, 404, 404, 404, 404]);
        lab.done(Method::PUT, member, Some(json!({})), 200).await;
        assert_eq!(looks().await, [200, 200, 200, 202, 200]);
        let level = |level: &str| Some(json!({ "accessLevel": level }));
        let access = "/api/v0/repositories/lab/app/teamAccess/web";
        lab.done(Method::PUT, access, level("read-only"), 200).await;
        assert_eq!(looks().await, [200, 200, 200, 403, 200]);
        lab.done(Method::DELETE, access, None, 204).await;
        assert_eq!(looks().await, [404, 404, 404, 404, 404]);
        lab.done(Method::PUT, access, level("read-write"), 200).await;
        lab.done(Method::DELETE, "/accounts/lab/teams/web", None, 204).await;
        assert_eq!(looks().await, [404, 404, 404, 404, 404]);
    }

    // A token gives what its scope says and nothing beside: no other repository, no account, no other token.
    async fn quay_2024_5891_a_token_is_as_narrow_as_it_says(lab) {
        in_a_team(&lab).await;
        lab.push_image("alice/app", "1", b"the layer of alice").await;
        let narrow = personal_token(&lab, json!(["lab/app:read-only"])).await;
        let me = "/enzi/v0/accounts/alice";
        for (method, path, expected) in [
            (Method::GET, "/v2/lab/app/manifests/1", 200),
            (Method::POST, "/v2/lab/app/blobs/uploads/", 403),
            (Method::DELETE, "/v2/lab/app/manifests/1", 403),
            (Method::GET, "/v2/alice/app/manifests/1", 404),
            (Method::GET, "/api/v0/api_tokens", 403),
            (Method::POST, "/api/v0/api_tokens", 403),
            (Method::GET, "/enzi/v0/accounts", 403),
            (Method::GET, me, 403),
            (Method::PATCH, me, 403),
        ] {
            assert_eq!(by_alice(&lab, &narrow, method.clone(), path).await, expected, "{method} {path}");
        }
        // No wider by way of the token service.
        let scope = "/auth/token?service=msr-lite&scope=repository:lab/app:pull,push&scope=repository:alice/app:pull";
        let wide = lab.anonymous(Method::GET, scope).basic_auth("alice", Some(&narrow)).send().await.unwrap();
        let wide = wide.json::<Value>().await.unwrap()["token"].as_str().unwrap().to_owned();
        let claims = BASE64.decode(wide.split('.').nth(1).unwrap()).unwrap();
        let access = &serde_json::from_slice::<Value>(&claims).unwrap()["access"];
        assert_eq!(access, &json!([{ "type": "repository", "name": "lab/app", "actions": ["pull"] }]));
        assert!(with_token(&lab, &wide, Method::GET, "/v2/lab/app/manifests/1").await.is_success());
        assert!(with_token(&lab, &wide, Method::GET, "/v2/alice/app/manifests/1").await.is_client_error());
    }

    // Who may push may not say what the repository is.
    async fn harbor_cve_2024_22278_who_pushes_does_not_administer(lab) {
        in_a_team(&lab).await;
        for (method, path) in [
            (Method::PATCH, "/api/v0/repositories/lab/app"),
            (Method::DELETE, "/api/v0/repositories/lab/app"),
            (Method::GET, "/api/v0/repositories/lab/app/teamAccess"),
            (Method::PUT, "/api/v0/repositories/lab/app/teamAccess/web"),
            (Method::GET, "/api/v0/repositories/lab/app/webhooks"),
        ] {
            let body = Some(json!({ "visibility": "public", "accessLevel": "admin" }));
            let answer = lab.enzi("alice", method.clone(), path, body).await;
            assert_eq!(answer.status(), StatusCode::FORBIDDEN, "{method} {path}");
        }
        assert_eq!(lab.done(Method::GET, "/api/v0/repositories/lab/app", None, 200).await["visibility"], "private");
    }

    // Nothing that is listed, filtered or sorted by has a password or a token in it, and neither has the store.
    async fn quay_2019_10205_and_harbor_2025_30086_secrets_are_in_no_answer_and_in_no_row(lab) {
        in_a_team(&lab).await;
        let token = personal_token(&lab, json!("all")).await;
        for path in [
            "/enzi/v0/accounts?filter=all",
            "/enzi/v0/accounts?filter=all&q=password~a&sort=password&start=password",
            "/enzi/v0/accounts/alice",
            "/enzi/v0/accounts/lab/members",
            "/api/v0/api_tokens?username=alice&generatedby=any",
            "/api/v0/events?pageSize=100",
            "/api/v0/index/autocomplete?query=alice",
        ] {
            let answer = lab.get(path).await;
            assert_eq!(answer.status(), StatusCode::OK, "{path}");
            let text = answer.text().await.unwrap();
            assert!(!text.contains("argon2") && !text.contains(PASSWORD) && !text.contains(&token), "{path}: {text}");
        }
        let rows = lab.server.registry().meta().read(|tx| {
            let rows = tables::ALL.iter().map(|table| tx.range(*table, &[], None, 10_000));
            rows.collect::<Result<Vec<_>, MetaError>>()
        });
        let contains = |row: &[u8], secret: &str| row.windows(secret.len()).any(|part| part == secret.as_bytes());
        let rows: Vec<_> = rows.unwrap().into_iter().flatten().collect();
        assert!(rows.iter().any(|(_, value)| contains(value, "argon2")), "hashes are there");
        for (key, value) in rows {
            for secret in [PASSWORD, &lab.password, &token] {
                assert!(!contains(&key, secret) && !contains(&value, secret), "{}", value.escape_ascii());
            }
        }
    }

    // What is new is seen by nobody who was not told of it.
    async fn harbor_2022_46463_nothing_is_public_by_itself(lab) {
        in_a_team(&lab).await;
        lab.push_image("lab/new", "1", b"layer").await;
        for repo in ["lab/app", "lab/new"] {
            let path = format!("/v2/{repo}/manifests/1");
            assert_eq!(status(&lab, "-", Method::GET, &path).await, StatusCode::UNAUTHORIZED);
            assert_eq!(lab.enzi("sam", Method::GET, &format!("/api/v0/repositories/{repo}"), None).await.status(), 404);
        }
        let listed = lab.enzi("sam", Method::GET, "/api/v0/repositories", None).await.text().await.unwrap();
        assert!(!listed.contains("app") && !listed.contains("new"), "{listed}");
    }
}

/// A page of another site neither sends a form nor shows ours in a frame.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn quay_2019_3864_and_2023_4956_and_2023_4959_other_sites_move_nobodys_hand() {
    let lab = Lab::new(Mode::Strict).await;
    lab.push_image("lab/app", "1", b"layer").await;
    let mut browser = Browser::signed_in(&lab, "admin").await;
    let page = browser.get("/r/lab/app/-/delete").await;
    assert!(page.header("content-security-policy").contains("frame-ancestors 'none'"));
    assert_eq!(page.header("x-frame-options"), "DENY");
    let form = [("content-type", "application/x-www-form-urlencoded")];
    for fields in ["name=lab/app", "csrf=&name=lab/app", "csrf=guess&name=lab/app"] {
        let sent = browser.request(Method::POST, "/r/lab/app/-/delete", &form, fields).await;
        assert_eq!(sent.status, StatusCode::FORBIDDEN, "{fields}");
    }
    let csrf = page.csrf();
    let whole = encoded(&[("csrf", &*csrf), ("name", "lab/app")]);
    for from in ["cross-site", "same-site"] {
        let headers = [form[0], ("sec-fetch-site", from)];
        let sent = browser.request(Method::POST, "/r/lab/app/-/delete", &headers, &whole).await;
        assert_eq!(sent.status, StatusCode::FORBIDDEN, "{from}");
    }
    assert_eq!(lab.head("/v2/lab/app/manifests/1").await.status(), StatusCode::OK);
    // What a browser keeps of a password for the interface opens no page of it to another site either.
    let sent = lab.request(Method::DELETE, "/api/v0/repositories/lab/app").header("sec-fetch-site", "cross-site");
    assert!(sent.send().await.unwrap().status().is_client_error());
    assert_eq!(lab.head("/v2/lab/app/manifests/1").await.status(), StatusCode::OK);
}
