//! MSR's REST interface over the wire: who may what, what replies look like, pages, and the liberal forms that real
//! clients use.

use msr_lite::base::config::Anonymous;
use msr_lite::meta::{Mode, account};
use msr_lite::model::account::Account;
use reqwest::{Method, Response, StatusCode};
use serde_json::{Value, json};

use crate::app_fixture::{Client, Wanted, app_fixture, push_app};
use crate::harness::{Lab, OCI_INDEX, OCI_MANIFEST, code, descriptor, header, on_each_engine, sha256};

pub(crate) const NEVER: &str = "0001-01-01T00:00:00Z";

impl Lab {
    /// An account that is no administrator, with the administrator's password.
    pub(crate) async fn add_user(&self, name: &str) {
        let name = name.to_owned();
        let write = self.server.registry().meta().write(move |tx| {
            let admin = account::get(tx, "admin")?.unwrap();
            account::put(tx, &Account { name: name.clone(), admin: false, ..admin });
            Ok::<_, msr_lite::meta::MetaError>(())
        });
        write.await.unwrap();
    }

    /// A request to `/api/v0` by one of `admin`, another account, or `-` for nobody.
    pub(crate) async fn ask(&self, who: &str, method: Method, path: &str, body: Option<Value>) -> Response {
        let mut request = self.anonymous(method, &format!("/api/v0{path}"));
        if who != "-" {
            request = request.basic_auth(who, Some(&self.password));
        }
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body.to_string());
        }
        request.send().await.unwrap()
    }

    pub(crate) async fn api(&self, path: &str) -> Value {
        let response = self.ask("admin", Method::GET, path, None).await;
        assert_eq!(response.status(), StatusCode::OK, "{path}");
        assert_eq!(header(&response, "content-type"), "application/json");
        response.json().await.unwrap()
    }

    /// Sends a body as `admin`.
    pub(crate) async fn send(&self, method: Method, path: &str, body: Value) -> (StatusCode, Value) {
        let response = self.ask("admin", method, path, Some(body)).await;
        (response.status(), response.json().await.unwrap())
    }

    /// The pages of a list, and where each next one begins.
    async fn api_pages(&self, path: &str) -> Vec<Value> {
        let (mut pages, mut start) = (Vec::new(), None::<String>);
        loop {
            let mut url = reqwest::Url::parse(&self.url(&format!("/api/v0{path}"))).unwrap();
            if let Some(start) = &start {
                url.query_pairs_mut().append_pair("pageStart", start);
            }
            let page = self.client.get(url).basic_auth("admin", Some(&self.password)).send().await.unwrap();
            assert_eq!(page.status(), StatusCode::OK);
            start = Some(header(&page, "x-next-page-start")).filter(|next| !next.is_empty());
            pages.push(page.json().await.unwrap());
            if start.is_none() {
                return pages;
            }
        }
    }
}

pub(crate) fn error(body: &Value) -> &str {
    assert!(!body["errors"][0]["message"].as_str().unwrap().is_empty(), "{body}");
    body["errors"][0]["code"].as_str().unwrap()
}

pub(crate) fn keys(value: &Value) -> Vec<&str> {
    let mut keys: Vec<&str> = value.as_object().unwrap().keys().map(String::as_str).collect();
    keys.sort_unstable();
    keys
}

pub(crate) fn texts<'v>(rows: &'v Value, key: &str) -> Vec<&'v str> {
    rows.as_array().unwrap().iter().map(|row| row[key].as_str().unwrap()).collect()
}

on_each_engine! {
    async fn each_endpoint_is_for_those_who_may(lab) {
        for user in ["alice", "bob"] {
            lab.add_user(user).await;
        }
        let (_, digest) = lab.push_image("alice/app", "1", b"layer").await;
        // Who: nobody, a user without rights, the owner, an administrator.
        let who = ["-", "bob", "alice", "admin"];
        let tag = "/repositories/alice/app/tags/1";
        let manifest = format!("/repositories/alice/app/manifests/{digest}");
        let forced = format!("{tag}?force=true");
        let new = |name: &str| Some(json!({ "name": name }));
        for (method, path, body, expected) in [
            (Method::GET, "/admin/version", None, [401, 200, 200, 200]),
            (Method::GET, "/repositories", None, [401, 200, 200, 200]),
            (Method::GET, "/repositories/alice", None, [401, 200, 200, 200]),
            (Method::GET, "/repositories/alice/app", None, [401, 404, 200, 200]),
            (Method::HEAD, "/repositories/alice/app", None, [401, 404, 200, 200]),
            (Method::GET, "/repositories/alice/app/tags", None, [401, 404, 200, 200]),
            (Method::GET, tag, None, [401, 404, 200, 200]),
            (Method::GET, "/repositories/alice/app/manifests", None, [401, 404, 200, 200]),
            (Method::GET, "/repositories/alice/app/events", None, [401, 404, 200, 200]),
            (Method::GET, "/events", None, [401, 200, 200, 200]),
            (Method::GET, "/repositories/alice/none", None, [401, 404, 404, 404]),
            (Method::POST, "/repositories/alice", new("new"), [401, 403, 201, 400]),
            (Method::PATCH, "/repositories/alice/app", Some(json!({})), [401, 404, 200, 200]),
            (Method::DELETE, &forced, None, [401, 404, 403, 204]),
            (Method::DELETE, tag, None, [401, 404, 404, 404]),
            (Method::DELETE, &manifest, None, [401, 404, 404, 404]),
            (Method::DELETE, "/repositories/alice/none", None, [401, 404, 204, 204]),
            (Method::DELETE, "/repositories/alice/app", None, [401, 404, 204, 204]),
        ] {
            for (who, expected) in who.iter().zip(expected) {
                let answer = lab.ask(who, method.clone(), path, body.clone()).await;
                assert_eq!(answer.status().as_u16(), expected, "{who} {method} {path}");
                assert_eq!(header(&answer, "cache-control"), "no-store");
                if expected == 401 {
                    assert!(header(&answer, "www-authenticate").starts_with("Basic realm="));
                }
                if expected >= 400 && method != Method::HEAD {
                    let body: Value = answer.json().await.unwrap();
                    assert_eq!(keys(&body["errors"][0]), ["code", "detail", "message"], "{body}");
                }
            }
        }
        let seen = |who: &'static str| {
            let lab = &lab;
            async move { lab.ask(who, Method::GET, "/repositories", None).await.json::<Value>().await.unwrap() }
        };
        assert_eq!(texts(&seen("alice").await["repositories"], "name"), ["new"]);
        assert_eq!(seen("bob").await["repositories"], json!([]), "what one may not see is not listed");
        let there: Value = lab.ask("bob", Method::GET, "/repositories/alice/new", None).await.json().await.unwrap();
        let not: Value = lab.ask("bob", Method::GET, "/repositories/alice/nil", None).await.json().await.unwrap();
        assert_eq!(there.to_string().replace("new", "nil"), not.to_string(), "nor told apart from what is not there");
    }

    async fn credentials_are_basic_or_a_token_and_no_cookie(lab) {
        lab.push_image("lab/app", "1", b"layer").await;
        let wrong = lab.anonymous(Method::GET, "/api/v0/repositories").basic_auth("admin", Some("wrong"));
        let wrong = wrong.send().await.unwrap();
        assert_eq!(wrong.status(), StatusCode::UNAUTHORIZED);
        assert_eq!(error(&wrong.json().await.unwrap()), "NOT_AUTHENTICATED");
        let asked = lab.get("/auth/token?service=x&scope=repository:lab/app:pull").await;
        let token = asked.json::<Value>().await.unwrap()["token"].as_str().unwrap().to_owned();
        let with = |method: Method, path: &str| lab.anonymous(method, path).bearer_auth(&token).send();
        let list: Value = with(Method::GET, "/api/v0/repositories").await.unwrap().json().await.unwrap();
        assert_eq!(texts(&list["repositories"], "name"), ["app"], "a list shows what the token opens");
        assert_eq!(with(Method::GET, "/api/v0/repositories/lab/app/tags").await.unwrap().status(), StatusCode::OK);
        let narrow = with(Method::DELETE, "/api/v0/repositories/lab/app").await.unwrap();
        assert_eq!(narrow.status(), StatusCode::UNAUTHORIZED);
        let forced = with(Method::DELETE, "/api/v0/repositories/lab/app/tags/1?force=true").await.unwrap();
        assert_eq!(forced.status(), StatusCode::UNAUTHORIZED);
        // What a browser sends by itself changes nothing on behalf of another site.
        let sent = lab.request(Method::DELETE, "/api/v0/repositories/lab/app").header("sec-fetch-site", "cross-site");
        assert_eq!(sent.send().await.unwrap().status(), StatusCode::FORBIDDEN);
        assert_eq!(lab.api("/repositories/lab/app").await["name"], "app");
    }

    async fn a_repository_has_the_keys_that_clients_know(lab) {
        lab.add_user("alice").await;
        let body = json!({
            "name": "app", "shortDescription": "Words", "longDescription": "# Words", "visibility": "public",
            "scanOnPush": false, "immutableTags": false, "tagLimit": 0, "enableManifestLists": false, "unheard": [1],
        });
        let (status, made) = lab.send(Method::POST, "/repositories/alice", body.clone()).await;
        assert_eq!(status, StatusCode::CREATED, "{made}");
        let wanted = json!({
            "id": made["id"], "namespace": "alice", "namespaceType": "user", "name": "app",
            "shortDescription": "Words", "longDescription": "# Words", "visibility": "public", "scanOnPush": false,
            "immutableTags": false, "enableManifestLists": true, "tagLimit": 0, "pulls": 0, "pushes": 0,
        });
        assert_eq!(made, wanted);
        assert_eq!(made["id"].as_str().unwrap().len(), 16);
        assert_eq!(lab.api("/repositories/alice/app").await, wanted);
        assert_eq!(lab.api("/repositories").await, json!({ "repositories": [wanted] }));
        let (status, again) = lab.send(Method::POST, "/repositories/alice", body).await;
        assert_eq!((status, error(&again)), (StatusCode::BAD_REQUEST, "REPOSITORY_EXISTS"));
        // What is not sent stays.
        let (status, changed) =
            lab.send(Method::PATCH, "/repositories/alice/app", json!({ "longDescription": "", "tagLimit": null })).await;
        assert_eq!((status, &changed["longDescription"]), (StatusCode::OK, &json!("")));
        assert_eq!((&changed["shortDescription"], &changed["visibility"]), (&json!("Words"), &json!("public")));
        lab.push_image("alice/app", "1", b"layer").await;
        lab.get("/v2/alice/app/manifests/1").await;
        let used = lab.api("/repositories/alice/app").await;
        assert_eq!((&used["pushes"], &used["pulls"], &used["id"]), (&json!(1), &json!(1), &made["id"]));
        let (_, org) = lab.send(Method::POST, "/repositories/lab", json!({ "name": "deep/app" })).await;
        assert_eq!((&org["namespaceType"], &org["name"]), (&json!("organization"), &json!("deep/app")));
        assert_eq!(org["visibility"], "private");
        let version = lab.api("/admin/version").await;
        assert_eq!(version, json!({ "version": env!("CARGO_PKG_VERSION") }));
    }

    async fn what_is_not_built_yet_is_refused_and_not_forgotten(lab) {
        for (asked, wanted) in [
            (json!({ "name": "x", "scanOnPush": true }), "SCANNING_NOT_ENABLED"),
            (json!({ "name": "x", "immutableTags": true }), "INVALID_PARAMETERS"),
            (json!({ "name": "x", "tagLimit": 3 }), "INVALID_PARAMETERS"),
            (json!({ "name": "x", "visibility": "secret" }), "INVALID_REPOSITORY_VISIBILITY"),
            (json!({ "name": "x", "shortDescription": "x".repeat(141) }), "INVALID_PARAMETERS"),
            (json!({ "name": "x", "longDescription": "x".repeat(25_001) }), "INVALID_PARAMETERS"),
            (json!({ "name": "X" }), "INVALID_REPOSITORY_NAME"),
            (json!({ "name": "" }), "INVALID_PARAMETERS"),
            (json!({}), "INVALID_PARAMETERS"),
            (json!({ "name": 1 }), "INVALID_JSON"),
            (json!([]), "INVALID_JSON"),
        ] {
            let (status, answer) = lab.send(Method::POST, "/repositories/lab", asked.clone()).await;
            assert_eq!((status, error(&answer)), (StatusCode::BAD_REQUEST, wanted), "{asked}");
        }
        assert_eq!(lab.api("/repositories").await, json!({ "repositories": [] }));
        lab.push_image("lab/app", "1", b"layer").await;
        for asked in [json!({ "scanOnPush": true }), json!({ "immutableTags": true }), json!({ "tagLimit": 1 })] {
            assert_eq!(lab.send(Method::PATCH, "/repositories/lab/app", asked).await.0, StatusCode::BAD_REQUEST);
        }
        let form = lab.request(Method::POST, "/api/v0/repositories/lab").body("{\"name\":\"x\"}");
        let form = form.header("content-type", "application/x-www-form-urlencoded").send().await.unwrap();
        assert_eq!(form.status(), StatusCode::UNSUPPORTED_MEDIA_TYPE);
        let bare = lab.request(Method::POST, "/api/v0/repositories/lab").body("{\"name\":\"bare\"}").send().await;
        assert_eq!(bare.unwrap().status(), StatusCode::CREATED, "a type that is not given is JSON");
        let (status, answer) =
            lab.send(Method::POST, "/repositories/lab", json!({ "name": "y", "x": "x".repeat(300_000) })).await;
        assert_eq!((status, error(&answer)), (StatusCode::PAYLOAD_TOO_LARGE, "BODY_TOO_LARGE"));
    }

    async fn paths_are_read_liberally(lab) {
        for repo in ["lab/app", "lab/app/web", "lab/app/tags", "app"] {
            lab.push_image(repo, "1", repo.as_bytes()).await;
        }
        for (path, name) in [
            ("/repositories/lab/app", "app"),
            ("/repositories/lab/app/", "app"),
            ("/repositories/lab%2Fapp", "app"),
            ("/repositories/lab/app/web", "app/web"),
            ("/repositories/lab/app%2fweb", "app/web"),
            ("/repositories/lab%2Fapp%2Fweb/", "app/web"),
            ("/repositories/lab/app%2Ftags", "app/tags"),
            ("/repositories/-/app", "app"),
        ] {
            assert_eq!(lab.api(path).await["name"], name, "{path}");
        }
        for path in [
            "/repositories/lab/app/tags",
            "/repositories/lab/app/tags/?pageSize=5",
            "/repositories/lab%2Fapp/tags",
            "/repositories/lab/app/web/tags/",
            "/repositories/lab/app/tags/tags",
            "/repositories/lab/app%2Ftags/tags",
            "/repositories/-/app/tags",
        ] {
            // `…/lab/app/tags/tags` is a tag of lab/app that is not there.
            if path.ends_with("app/tags/tags") {
                assert_eq!(code(lab.ask("admin", Method::GET, path, None).await).await, "NO_SUCH_REF");
            } else {
                assert_eq!(texts(&lab.api(path).await, "name"), ["1"], "{path}");
            }
        }
        let single = lab.api("/repositories/-/app").await;
        assert_eq!((&single["namespace"], &single["namespaceType"]), (&json!("-"), &json!("organization")));
        assert_eq!(texts(&lab.api("/repositories/-").await["repositories"], "name"), ["app"]);
        assert_eq!(texts(&lab.api("/repositories/lab/").await["repositories"], "name"), ["app", "app/tags", "app/web"]);
        assert_eq!(lab.send(Method::POST, "/repositories/-", json!({ "name": "solo" })).await.0, StatusCode::CREATED);
        assert_eq!(lab.send(Method::POST, "/repositories/-", json!({ "name": "a/b" })).await.0, StatusCode::BAD_REQUEST);
        for (method, path, status, wanted) in [
            (Method::GET, "", 404, "NO_SUCH_ENDPOINT"),
            (Method::GET, "/nothing", 404, "NO_SUCH_ENDPOINT"),
            (Method::GET, "/repositories/lab/Upper", 404, "NO_SUCH_REPOSITORY"),
            (Method::GET, "/repositories/-/app/web", 404, "NO_SUCH_REPOSITORY"),
            (Method::GET, "/repositories/lab/app/tags/2", 404, "NO_SUCH_REF"),
            (Method::GET, "/repositories/lab/app/tags/.x", 404, "NO_SUCH_REF"),
            (Method::GET, "/repositories/lab/nil/tags", 404, "NO_SUCH_REPOSITORY"),
            (Method::DELETE, "/repositories/lab/app/tags/2", 404, "NO_SUCH_TAG"),
            (Method::DELETE, "/repositories/lab/app/tags/.x", 400, "INVALID_TAG_NAME"),
            (Method::DELETE, "/repositories/lab/app/manifests/1", 400, "INVALID_DIGEST"),
            (Method::GET, "/repositories?pageSize=ten", 400, "INVALID_PARAMETERS"),
            (Method::GET, "/repositories?count=ten", 400, "INVALID_PARAMETERS"),
            (Method::GET, "/repositories?pageStart=x", 400, "INVALID_PARAMETERS"),
            (Method::GET, "/repositories/lab/app/manifests?pageStart=x", 400, "INVALID_DIGEST"),
        ] {
            let answer = lab.ask("admin", method, path, None).await;
            assert_eq!((answer.status().as_u16(), code(answer).await.as_str()), (status, wanted), "{path}");
        }
        let put = lab.ask("admin", Method::PUT, "/repositories/lab/app", None).await;
        assert_eq!((put.status(), header(&put, "allow").as_str()), (StatusCode::METHOD_NOT_ALLOWED, "GET, HEAD, PATCH, DELETE"));
        assert_eq!(code(put).await, "NOT_ALLOWED");
    }

    async fn lists_are_paged(lab) {
        let index = json!({ "schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [] });
        for tag in ["a", "b", "c", "d", "e"] {
            assert_eq!(lab.put_manifest("lab/tags", tag, OCI_INDEX, &index).await.status(), StatusCode::CREATED);
        }
        for n in 0..12 {
            lab.push_image(&format!("many/app-{n:02}"), "1", b"x").await;
        }
        let tags = lab.api_pages("/repositories/lab/tags/tags?pageSize=2").await;
        assert_eq!(tags.iter().map(|page| texts(page, "name")).collect::<Vec<_>>(), [vec!["a", "b"], vec!["c", "d"], vec!["e"]]);
        let repositories = lab.api_pages("/repositories/?count=true").await;
        let sizes: Vec<usize> = repositories.iter().map(|page| page["repositories"].as_array().unwrap().len()).collect();
        assert_eq!(sizes, [10, 3], "ten by default");
        let page = lab.ask("admin", Method::GET, "/repositories?pageSize=10000&count=true", None).await;
        assert_eq!((header(&page, "x-resource-count").as_str(), header(&page, "x-next-page-start").as_str()), ("13", ""));
        let one = lab.ask("admin", Method::GET, "/repositories/many?pageSize=1&count=true", None).await;
        assert_eq!(header(&one, "x-resource-count"), "12");
        let plain = lab.ask("admin", Method::GET, "/repositories", None).await;
        assert!(!plain.headers().contains_key("x-resource-count"), "only when it is asked for");
        let counted = lab.ask("admin", Method::GET, "/repositories/lab/tags/tags?pageSize=1&count=true", None).await;
        assert_eq!((header(&counted, "x-resource-count").as_str(), header(&counted, "x-next-page-start").as_str()), ("5", "a"));
        assert_eq!(lab.api("/repositories/lab/tags/tags?pageSize=0").await.as_array().unwrap().len(), 5, "as if not sent");
        lab.push_image("lab/tags", "f", b"x").await;
        lab.push_image("lab/tags", "g", b"y").await;
        let manifests = lab.api_pages("/repositories/lab/tags/manifests?pageSize=2&count=true").await;
        assert_eq!(manifests.iter().map(|page| page.as_array().unwrap().len()).collect::<Vec<_>>(), [2, 1]);
    }

    async fn an_application_is_one_unit_in_rows_of_its_own(lab) {
        let app = app_fixture(&lab).await;
        let listed = lab.api("/repositories/admin/lab-words/tags").await;
        assert_eq!(texts(&listed, "name"), ["0.1.0", "0.1.0-invoc"]);
        let (row, invocation) = (&listed[0], &listed[1]);
        assert_eq!(keys(row), [
            "author", "createdAt", "digest", "hashMismatch", "inNotary", "manifest", "members", "name", "pairTag",
            "platforms", "size", "type", "typeLabel", "updatedAt",
        ]);
        assert_eq!((&row["type"], &row["typeLabel"]), (&json!("application"), &json!("Application")));
        assert_eq!((&row["pairTag"], &row["digest"]), (&json!("0.1.0-invoc"), &json!(app.digest)));
        assert_eq!((&row["author"], &row["manifest"], &row["inNotary"]), (&json!("admin"), &Value::Null, &json!(false)));
        assert_eq!((&invocation["type"], &invocation["role"]), (&json!("image"), &json!("invocation")));
        assert_eq!((&invocation["pairTag"], &invocation["members"]), (&json!("0.1.0"), &Value::Null));
        assert_eq!(invocation["platforms"], json!(["linux/amd64"]));
        let members = row["members"].as_array().unwrap();
        let short: Vec<_> = members.iter().map(|m| (m["role"].as_str().unwrap(), m["name"].as_str().unwrap())).collect();
        assert_eq!(short, [("config", ""), ("invocation", ""), ("component", "multi"), ("component", "web"), ("component", "db")]);
        assert!(members.iter().all(|member| member["state"] == "present"));
        assert_eq!(keys(&members[3]), ["digest", "mediaType", "name", "originalName", "role", "size", "state"]);
        assert_eq!((&members[3]["digest"], &members[3]["originalName"]), (&json!(app.web), &json!("registry.lab/lib/web:1.0")));
        assert!(members[3]["size"].as_u64().unwrap() > 20_000, "with its layers");

        // One entry for each manifest of the index; by digest the same.
        let shown = lab.api("/repositories/admin/lab-words/tags/0.1.0").await;
        assert_eq!(shown, lab.api(&format!("/repositories/admin/lab-words/tags/{}", app.digest)).await);
        let digests: Vec<&Value> = shown.as_array().unwrap().iter().map(|row| &row["manifest"]["digest"]).collect();
        assert_eq!(digests, [&json!(app.config), &json!(app.invocation), &json!(app.multi), &json!(app.web), &json!(app.db)]);
        assert!(shown.as_array().unwrap().iter().all(|entry| entry["members"] == row["members"] && entry["name"] == "0.1.0"));
        // A component that no tag names.
        let web = lab.api(&format!("/repositories/admin/lab-words/tags/{}", app.web)).await;
        assert_eq!((web.as_array().unwrap().len(), &web[0]["name"], &web[0]["type"]), (1, &json!(""), &json!("image")));
        // With their manifests.
        let full = lab.api("/repositories/admin/lab-words/tags?includeManifests=true").await;
        assert_eq!(full[0]["manifest"]["mediaType"], OCI_INDEX);
        let image = &full[1]["manifest"];
        assert_eq!(keys(image), [
            "architecture", "author", "configDigest", "configMediaType", "createdAt", "digest", "dockerfile", "mediaType",
            "os", "osVersion", "size",
        ]);
        assert_eq!((&image["os"], &image["architecture"]), (&json!("linux"), &json!("amd64")));
        let lines = image["dockerfile"].as_array().unwrap();
        assert_eq!(lines.iter().map(|line| line["isEmpty"].as_bool().unwrap()).collect::<Vec<_>>(), [false, true, false]);
        assert_eq!((&lines[0]["line"], &lines[1]["layerDigest"]), (&json!("ADD file:0a in /"), &json!("")));
        assert!(lines[2]["layerDigest"].as_str().unwrap().starts_with("sha256:"));
    }

    async fn parts_are_present_missing_or_foreign(lab) {
        push_app(&lab, Wanted { missing: &["db"], ..Wanted::default() }).await;
        let wanted = Wanted { client: Client::CnabToOci, repo: "admin/other", tag: "c", foreign: true, ..Wanted::default() };
        push_app(&lab, wanted).await;
        let states = |row: &Value| -> Vec<(String, String)> {
            let text = |member: &Value, key: &str| member[key].as_str().unwrap().to_owned();
            row["members"].as_array().unwrap().iter().skip(2).map(|m| (text(m, "name"), text(m, "state"))).collect()
        };
        let pair = |name: &str, state: &str| (name.to_owned(), state.to_owned());
        let listed = lab.api("/repositories/admin/lab-words/tags").await;
        assert_eq!(states(&listed[0]), [pair("multi", "present"), pair("web", "present"), pair("db", "missing")]);
        let shown = lab.api("/repositories/admin/lab-words/tags/0.1.0").await;
        let absent = &shown[4]["manifest"];
        assert_eq!((&absent["createdAt"], &absent["configDigest"]), (&json!(NEVER), &json!("")));
        let other = lab.api("/repositories/admin/other/tags").await;
        assert_eq!((&other[0]["type"], &other[0]["pairTag"]), (&json!("cnab-bundle"), &Value::Null));
        let wanted = [pair("multi", "present"), pair("web", "present"), pair("db", "present"), pair("cache", "foreign")];
        assert_eq!(states(&other[0]), wanted);
        let foreign = other[0]["members"].as_array().unwrap().last().unwrap();
        assert_eq!((&foreign["digest"], &foreign["originalName"]), (&Value::Null, &json!("registry.lab/lib/cache:2.0")));
    }

    async fn a_tag_of_several_platforms_has_an_entry_for_each(lab) {
        let app = app_fixture(&lab).await;
        let list = lab.get(&format!("/v2/{}/manifests/{}", app.repo, app.multi)).await;
        let kind = header(&list, "content-type");
        let list = list.bytes().await.unwrap();
        for tag in ["multi", "many"] {
            let pushed = lab.put_bytes(app.repo, tag, &kind, list.to_vec()).await;
            assert_eq!(pushed.status(), StatusCode::CREATED);
        }
        let shown = lab.api("/repositories/admin/lab-words/tags/multi").await;
        let entry = |row: &Value| (row["manifest"]["architecture"].clone(), row["manifest"]["digest"].clone(), row["digest"].clone());
        let entries: Vec<_> = shown.as_array().unwrap().iter().map(entry).collect();
        assert_eq!(entries, [
            (json!("amd64"), json!(app.platforms[0]), json!(app.multi)),
            (json!("arm64"), json!(app.platforms[1]), json!(app.multi)),
        ]);
        assert_eq!((&shown[0]["type"], &shown[0]["platforms"]), (&json!("multiarch"), &json!(["linux/amd64", "linux/arm64"])));
        let one = lab.api("/repositories/admin/lab-words/tags/multi?os=linux&arch=arm64").await;
        assert_eq!(one.as_array().unwrap().len(), 1);
        assert_eq!(lab.api("/repositories/admin/lab-words/tags/multi?os=windows").await, json!([]));
        let every = lab.api(&format!("/repositories/admin/lab-words/tags/{}", app.multi)).await;
        assert_eq!(texts(&every, "name"), ["many", "many", "multi", "multi"], "every tag that points at it");
        let chart_config = lab.push_blob("lab/chart", b"{}").await;
        let chart = json!({
            "schemaVersion": 2, "layers": [],
            "config": descriptor("application/vnd.cncf.helm.config.v1+json", &chart_config, 2),
        });
        assert_eq!(lab.put_manifest("lab/chart", "1.0", OCI_MANIFEST, &chart).await.status(), StatusCode::CREATED);
        let chart = lab.api("/repositories/lab/chart/tags/1.0").await;
        assert_eq!((chart.as_array().unwrap().len(), &chart[0]["type"]), (1, &json!("chart")));
        assert_eq!(chart[0]["manifest"]["configMediaType"], "application/vnd.cncf.helm.config.v1+json");
        assert_eq!(chart[0]["manifest"]["configDigest"], json!(sha256(b"{}")));
    }

    async fn a_part_is_not_deleted_while_its_application_lives(lab) {
        lab.add_user("alice").await;
        let app = app_fixture(&lab).await;
        let delete = |path: String| {
            let lab = &lab;
            async move { lab.ask("admin", Method::DELETE, &format!("/repositories/admin/lab-words{path}"), None).await }
        };
        for part in ["/tags/0.1.0-invoc".to_owned(), format!("/manifests/{}", app.web)] {
            let refused = delete(part).await;
            assert_eq!(refused.status(), StatusCode::CONFLICT);
            let refused: Value = refused.json().await.unwrap();
            assert_eq!(error(&refused), "PART_OF_APPLICATION");
            assert!(refused["errors"][0]["message"].as_str().unwrap().contains("admin/lab-words:0.1.0"), "{refused}");
            assert_eq!(refused["errors"][0]["detail"]["policy"], "members of applications");
        }
        assert_eq!(delete("/tags/0.1.0-invoc?force=true".to_owned()).await.status(), StatusCode::NO_CONTENT);
        assert_eq!(texts(&lab.api("/repositories/admin/lab-words/tags").await, "name"), ["0.1.0"]);
        assert_eq!(lab.api("/repositories/admin/lab-words/tags").await[0]["pairTag"], Value::Null);

        let app = app_fixture(&lab).await;
        assert_eq!(delete("/tags/0.1.0?withInvocation=true".to_owned()).await.status(), StatusCode::NO_CONTENT);
        assert_eq!(lab.api("/repositories/admin/lab-words/tags").await, json!([]));
        assert_eq!(lab.api("/repositories/admin/lab-words/manifests").await, json!([]), "parts go with the last that needs them");
        assert_eq!(code(delete(format!("/manifests/{}", app.digest)).await).await, "NO_SUCH_REF");

        let app = app_fixture(&lab).await;
        assert_eq!(delete("/tags/0.1.0".to_owned()).await.status(), StatusCode::NO_CONTENT);
        let left = lab.api("/repositories/admin/lab-words/tags").await;
        assert_eq!(texts(&left, "name"), ["0.1.0-invoc"], "which is an ordinary image now");
        assert_eq!((&left[0]["role"], &left[0]["digest"]), (&Value::Null, &json!(app.invocation)));
        assert_eq!(delete(format!("/manifests/{}", app.invocation)).await.status(), StatusCode::NO_CONTENT);
        assert_eq!(lab.api("/repositories/admin/lab-words/tags").await, json!([]));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_everybody_may_pull_everybody_may_look() {
    let lab = Lab::with(Mode::Strict, |config| config.anonymous = Anonymous::PublicRepositories).await;
    lab.add_user("bob").await;
    lab.push_image("lab/open", "1", b"layer").await;
    lab.publish("lab/open").await;
    for (who, method, path, status) in [
        ("-", Method::GET, "/repositories", 200),
        ("-", Method::GET, "/repositories/lab/open/tags", 200),
        ("-", Method::GET, "/admin/version", 401),
        ("-", Method::DELETE, "/repositories/lab/open", 401),
        ("bob", Method::GET, "/repositories/lab/open", 200),
        ("bob", Method::DELETE, "/repositories/lab/open", 403),
        ("bob", Method::PATCH, "/repositories/lab/open", 403),
        ("bob", Method::DELETE, "/repositories/lab/open/tags/1", 403),
        ("bob", Method::POST, "/repositories/lab", 400),
    ] {
        assert_eq!(lab.ask(who, method, path, None).await.status().as_u16(), status, "{who} {path}");
    }
    let made = lab.ask("bob", Method::POST, "/repositories/lab", Some(json!({ "name": "x" }))).await;
    assert_eq!((made.status(), code(made).await.as_str()), (StatusCode::FORBIDDEN, "NOT_AUTHORIZED"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_of_many_applications_ends_early_and_none_is_without_its_members() {
    let lab = Lab::new(Mode::Normal).await;
    let app = app_fixture(&lab).await;
    for n in 0..230 {
        let mut index = app.index.clone();
        index["annotations"]["lab.number"] = json!(n.to_string());
        let pushed = lab.put_manifest(app.repo, &format!("v{n:03}"), OCI_INDEX, &index).await;
        assert_eq!(pushed.status(), StatusCode::CREATED);
    }
    let pages = lab.api_pages("/repositories/admin/lab-words/tags?pageSize=10000").await;
    let sizes: Vec<usize> = pages.iter().map(|page| page.as_array().unwrap().len()).collect();
    assert_eq!(sizes, [201, 31], "two hundred applications, and one invocation image");
    let names: Vec<&str> = pages.iter().flat_map(|page| texts(page, "name")).collect();
    assert!(names.is_sorted() && names.len() == 232);
    for row in pages.iter().flat_map(|page| page.as_array().unwrap()).filter(|row| row["type"] == "application") {
        assert_eq!(row["members"].as_array().unwrap().len(), 5);
    }
}
