//! What MSR's interface says of the registry as a whole: search, settings, jobs, and what is not built yet.

use msr_lite::meta::Mode;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::api::{NEVER, error, texts};
use crate::harness::{Lab, header, on_each_engine};

on_each_engine! {
    async fn docker_search_finds_what_its_caller_may_see(lab) {
        for user in ["alice", "bob"] {
            lab.add_user(user).await;
        }
        for name in ["alice/web", "alice/website", "alice/db", "lab/web"] {
            lab.push_image(name, "1", b"layer").await;
        }
        let words = json!({ "shortDescription": "Pages" });
        lab.send(Method::PATCH, "/repositories/alice/web", words).await;
        // dockerd asks first whether there is such a registry.
        let ping = lab.anonymous(Method::GET, "/v1/_ping").send().await.unwrap();
        assert_eq!((ping.status(), ping.json::<Value>().await.unwrap()), (StatusCode::OK, json!({ "standalone": true })));
        let search = async |who: &str, path: &str| {
            let request = lab.anonymous(Method::GET, path).basic_auth(who, Some(&lab.password));
            let found = request.header("x-docker-token", "true").send().await.unwrap();
            assert_eq!(found.status(), StatusCode::OK);
            found.json::<Value>().await.unwrap()
        };
        let found = search("alice", "/v1/search?q=web&n=25").await;
        assert_eq!((&found["query"], &found["num_results"]), (&json!("web"), &json!(2)));
        let wanted = json!({
            "name": "alice/web", "description": "Pages", "star_count": 0, "is_official": false, "is_trusted": false,
            "is_automated": false,
        });
        assert_eq!(found["results"][0], wanted);
        assert_eq!(texts(&found["results"], "name"), ["alice/web", "alice/website"]);
        assert_eq!(search("bob", "/v1/search?q=web").await["results"], json!([]));
        assert_eq!(search("admin", "/v1/search?q=web&n=2").await["num_results"], 2);
        assert_eq!(texts(&search("admin", "/api/v0/index/dockersearch?q=WEB").await["results"], "name").len(), 3);
        // dockerd, which keeps an identity token and no password, asks for a token for the search alone.
        let bearer = async |scope: &str| {
            let path = format!("/auth/token?service=registry.lab&scope={scope}");
            let token = lab.anonymous(Method::GET, &path).basic_auth("alice", Some(&lab.password)).send().await.unwrap();
            let token: Value = token.json().await.unwrap();
            let request = lab.anonymous(Method::GET, "/v1/search?q=web").bearer_auth(token["token"].as_str().unwrap());
            let found: Value = request.send().await.unwrap().json().await.unwrap();
            texts(&found["results"], "name").join(" ")
        };
        assert_eq!(bearer("registry:catalog:search").await, "alice/web alice/website");
        assert_eq!(bearer("repository:alice/website:pull").await, "alice/website");
        let nobody = lab.anonymous(Method::GET, "/v1/search?q=web").send().await.unwrap();
        assert_eq!(nobody.status(), StatusCode::UNAUTHORIZED);
        assert!(header(&nobody, "www-authenticate").starts_with("Basic "));
        assert_eq!(lab.anonymous(Method::GET, "/v1/searching").send().await.unwrap().status(), StatusCode::NOT_FOUND);
        let completed = lab.api("/index/autocomplete?query=web&namespace=alice").await;
        assert_eq!(texts(&completed["repositoryResults"], "name"), ["web", "website"]);
        assert_eq!(lab.api("/index/autocomplete?query=web&includeRepositories=false").await["repositoryResults"], json!([]));
    }

    async fn a_refusal_has_taken_a_short_body(lab) {
        // Else HTTP/1.1 closes the connection, and HTTP/2 resets the stream, for which curl throws the answer away.
        let send = async |method: Method, path: &str, body: String| {
            let request = lab.anonymous(method, path).header("content-type", "application/json");
            let answer = request.body(body).send().await.unwrap();
            (answer.status().as_u16(), header(&answer, "connection"))
        };
        for (method, path, status) in [
            (Method::POST, "/api/v0/repositories/lab/app/pruningPolicies", 401),
            (Method::PUT, "/api/v0/repositories", 405),
            (Method::POST, "/api/v0/nothing", 404),
        ] {
            assert_eq!(send(method.clone(), path, "{}".into()).await, (status, String::new()), "{path}");
            assert_eq!(send(method, path, " ".repeat(20_000)).await, (status, "close".into()), "{path}");
        }
    }

    async fn settings_are_shown_as_they_are_and_not_changed_in_silence(lab) {
        lab.add_user("alice").await;
        let settings = lab.api("/meta/settings").await;
        assert_eq!((&settings["dtrHost"], &settings["scanningEnabled"]), (&json!("registry.lab"), &json!(false)));
        assert!(!settings["replicaID"].as_str().unwrap().is_empty() && settings["webTLSKey"].is_null());
        // What is sent back as it is changes nothing; nor do keys that nobody knows.
        let same = lab.ask("admin", Method::POST, "/meta/settings", Some(settings.clone())).await;
        assert_eq!(same.status(), StatusCode::ACCEPTED);
        let unknown = lab.ask("admin", Method::POST, "/meta/settings", Some(json!({ "unheard": 1, "sso": null }))).await;
        assert_eq!(unknown.status(), StatusCode::ACCEPTED);
        for other in [
            json!({ "scanningEnabled": true, "scanningSyncOnline": true }),
            json!({ "dtrHost": "other.lab" }),
            json!({ "webTLSKey": "-----BEGIN" }),
            json!({ "sso": true }),
        ] {
            let (status, body) = lab.send(Method::POST, "/meta/settings", other).await;
            assert_eq!((status, error(&body)), (StatusCode::BAD_REQUEST, "INVALID_SETTINGS"));
            assert!(!body.to_string().contains("BEGIN"), "what may be secret is not said again");
        }
        for (path, expected) in [
            ("/meta/settings", 403), ("/meta/cluster_status", 403), ("/jobs", 403), ("/crons", 403), ("/workers", 403),
            ("/action_configs", 403), ("/content_caches", 403), ("/meta/features", 200), ("/meta/alerts", 200),
            ("/openapi.json", 200), ("/imagescan/status", 200), ("/webhooks", 200), ("/accounts/language", 200),
        ] {
            assert_eq!(lab.ask("alice", Method::GET, path, None).await.status().as_u16(), expected, "{path}");
            assert_eq!(lab.ask("-", Method::GET, path, None).await.status(), StatusCode::UNAUTHORIZED, "{path}");
            assert_eq!(lab.ask("admin", Method::GET, path, None).await.status(), StatusCode::OK, "{path}");
        }
        assert_eq!(lab.ask("alice", Method::POST, "/meta/settings", Some(json!({}))).await.status(), StatusCode::FORBIDDEN);
        let features = lab.api("/meta/features").await;
        assert_eq!((&features["scanningEnabled"], &features["onlineGCEnabled"]), (&json!(false), &json!(true)));
        let replica = settings["replicaID"].as_str().unwrap();
        assert_eq!(lab.api("/meta/cluster_status").await["replica_health"][replica], "OK");
        assert_eq!(lab.api("/meta/alerts").await, json!([]));
        assert_eq!(lab.api("/openapi.json").await["openapi"], "3.1.0");
    }

    async fn a_collection_is_a_job(lab) {
        lab.add_user("alice").await;
        let gc = json!({ "action": "gc" });
        assert_eq!(lab.ask("alice", Method::POST, "/jobs", Some(gc.clone())).await.status(), StatusCode::FORBIDDEN);
        let (status, job) = lab.send(Method::POST, "/jobs", gc).await;
        assert_eq!(status, StatusCode::ACCEPTED, "{job}");
        assert_eq!((&job["action"], &job["status"]), (&json!("onlinegc"), &json!("waiting")));
        let path = format!("/jobs/{}", job["id"].as_str().unwrap());
        assert_eq!(lab.api(&path).await["id"], job["id"]);
        assert_eq!(lab.api(&format!("{path}/logs")).await, json!([]));
        let (_, other) = lab.send(Method::POST, "/jobs", json!({ "action": "onlinegc" })).await;
        let cancel = format!("/jobs/{}/cancel", other["id"].as_str().unwrap());
        assert_eq!(lab.ask("admin", Method::POST, &cancel, None).await.status(), StatusCode::NO_CONTENT);
        lab.server.runner().drain().await.unwrap();
        let gone = lab.ask("admin", Method::GET, &path, None).await;
        assert_eq!(error(&gone.json().await.unwrap()), "NO_SUCH_JOB");
        for (method, path) in [
            (Method::DELETE, path.clone()), (Method::POST, format!("{path}/cancel")), (Method::GET, format!("{path}/logs")),
            (Method::GET, "/jobs/x".to_owned()), (Method::GET, "/crons/none".to_owned()),
        ] {
            assert_eq!(lab.ask("admin", method, &path, None).await.status(), StatusCode::NOT_FOUND, "{path}");
        }
        for (action, wanted) in [("poll_mirror", "NOT_IMPLEMENTED"), ("", "INVALID_PARAMETERS"), ("rm", "INVALID_PARAMETERS")] {
            let (_, body) = lab.send(Method::POST, "/jobs", json!({ "action": action })).await;
            assert_eq!(error(&body), wanted, "{action}");
        }
        assert!(lab.api("/jobs?action=any&worker=any&running=any&start=0&limit=10").await["jobs"].is_array());
        assert_eq!(lab.ask("admin", Method::GET, "/jobs?limit=x", None).await.status(), StatusCode::BAD_REQUEST);
        let crons = lab.api("/crons").await;
        assert!(texts(&crons["crons"], "action").contains(&"onlinegc"), "{crons}");
        assert_eq!(lab.api("/crons/gc").await["schedule"], "@every 3600s");
        assert_eq!(lab.ask("admin", Method::DELETE, "/crons/gc", None).await.status(), StatusCode::NOT_IMPLEMENTED);
        assert_eq!(lab.ask("admin", Method::DELETE, "/crons/none", None).await.status(), StatusCode::NOT_FOUND);
        // What holds is taken, in whichever of the action's names; what would change it is refused.
        for (body, wanted) in [
            (json!({ "action": "onlinegc", "schedule": "@every 3600s" }), 202),
            (json!({ "action": "gc", "schedule": "", "retries": 3 }), 202),
            (json!({ "action": "gc", "schedule": "0 0 1 * * 6" }), 501),
            (json!({ "action": "poll_mirror", "schedule": "@hourly" }), 501),
            (json!({ "action": "rm" }), 404),
            (json!({ "schedule": "@hourly" }), 400),
        ] {
            let (status, cron) = lab.send(Method::POST, "/crons", body.clone()).await;
            assert_eq!(status.as_u16(), wanted, "{body}: {cron}");
            assert!(wanted != 202 || cron["action"] == "onlinegc", "{cron}");
        }
    }

    async fn the_storage_is_shown_and_chosen_at_the_start(lab) {
        let storage = lab.api("/admin/settings/registry").await;
        assert_eq!(storage["keep_metadata"], true);
        assert!(storage["storage"]["filesystem"]["rootdirectory"].is_string(), "{storage}");
        let put = async |body: Value| lab.ask("admin", Method::PUT, "/admin/settings/registry", Some(body)).await;
        assert_eq!(put(storage).await.status(), StatusCode::ACCEPTED, "what was read");
        assert_eq!(put(json!({ "unknown": 1, "storage": null })).await.status(), StatusCode::ACCEPTED);
        for other in [json!({ "storage": { "s3": { "bucket": "x" } } }), json!({ "keep_metadata": false })] {
            let refused: Value = put(other).await.json().await.unwrap();
            assert_eq!(error(&refused), "INVALID_SETTINGS");
        }
    }

    async fn connections_are_counted_as_nginx_counts_them(lab) {
        lab.add_user("alice").await;
        let ask = async |who: &str| {
            let request = lab.anonymous(Method::GET, "/nginx_status").header("via", "1.1 proxy.lab");
            request.basic_auth(who, Some(&lab.password)).send().await.unwrap()
        };
        assert_eq!(ask("alice").await.status(), StatusCode::FORBIDDEN);
        let text = ask("admin").await.text().await.unwrap();
        let lines: Vec<&str> = text.lines().collect();
        let figures: Vec<u64> = lines[2].split_whitespace().map(|figure| figure.parse().unwrap()).collect();
        let active: u64 = lines[0].strip_prefix("Active connections: ").unwrap().trim().parse().unwrap();
        assert_eq!(lines[1], "server accepts handled requests");
        assert!(active >= 1 && figures[0] >= figures[1] && figures[1] >= active && figures[2] >= 1, "{text}");
    }

    async fn what_was_not_scanned_is_said_to_be_not_scanned(lab) {
        lab.add_user("bob").await;
        let (_, digest) = lab.push_image("lab/app/web", "1.0", b"layer").await;
        let summaries = lab.api("/imagescan/repositories/lab/app/web/1.0?detailed=true&os=linux&arch=amd64").await;
        assert_eq!(summaries.as_array().unwrap().len(), 1, "gates look at exactly one");
        let summary = &summaries[0];
        assert_eq!((&summary["reponame"], &summary["tag"]), (&json!("app/web"), &json!("1.0")));
        assert_eq!((&summary["check_completed_at"], &summary["last_scan_status"]), (&json!(NEVER), &json!(1)));
        for reference in ["1.0".to_owned(), digest.to_string()] {
            let summaries = lab.api(&format!("/imagescan/scansummary/repositories/lab/app/web/{reference}")).await;
            assert_eq!((&summaries[0]["scanStatus"], &summaries[0]["scannedImage"]["manifestDigest"]), (&json!(1), &json!(digest)));
        }
        let (status, body) = lab.send(Method::POST, "/imagescan/scan/lab/app/web/1.0/linux/amd64", json!({})).await;
        assert_eq!((status, error(&body)), (StatusCode::BAD_REQUEST, "SCANNING_NOT_ENABLED"));
        let (status, body) = lab.send(Method::POST, "/imagescan/scan/lab/app/web/none/linux/amd64", json!({})).await;
        assert_eq!((status, error(&body)), (StatusCode::NOT_FOUND, "NO_SUCH_TAG"));
        for path in [
            "/imagescan/repositories/lab/app/web/1.0", "/imagescan/scansummary/repositories/lab/app/web/1.0",
            "/imagescan/scansummary/repositories/lab/app/web/1.0/export",
        ] {
            assert_eq!(lab.ask("bob", Method::GET, path, None).await.status(), StatusCode::NOT_FOUND, "{path}");
        }
        let export = lab.ask("admin", Method::GET, "/imagescan/scansummary/repositories/lab/app/web/1.0/export", None).await;
        assert_eq!(error(&export.json().await.unwrap()), "ARTIFACT_SCANNER_REPORT_UNAVAILABLE");
    }

    async fn a_list_that_is_not_built_yet_is_no_repository(lab) {
        lab.add_user("bob").await;
        lab.push_image("lab/app", "1", b"layer").await;
        for list in [
            "promotionPolicies", "pruningPolicies", "pushMirroringPolicies", "pollMirroringPolicies", "mirroringPolicies",
            "webhooks",
        ] {
            let path = format!("/repositories/lab/app/{list}");
            // What would delete a repository of this name does not.
            let deleted = lab.ask("admin", Method::DELETE, &path, None).await.status().as_u16();
            assert!([404, 405].contains(&deleted), "{path}: {deleted}");
            assert_eq!(lab.api(&format!("{path}?pageSize=10")).await, json!([]));
            let made = lab.ask("admin", Method::POST, &path, Some(json!({ "rules": [], "enabled": true }))).await.status();
            assert!([501, 405].contains(&made.as_u16()), "{path}: {made}");
            assert_eq!(lab.ask("bob", Method::GET, &path, None).await.status(), StatusCode::NOT_FOUND);
        }
        let (_, one) = lab.send(Method::PUT, "/repositories/lab/app/pruningPolicies/x", json!({})).await;
        assert_eq!(error(&one), "NO_SUCH_PRUNING_POLICY");
        let (_, test) = lab.send(Method::POST, "/repositories/lab/app/pruningPolicies/test", json!({})).await;
        assert_eq!(error(&test), "NOT_IMPLEMENTED");
        let (_, promoted) = lab.send(Method::POST, "/repositories/lab/app/tags/1/promotion", json!({})).await;
        assert_eq!(error(&promoted), "NOT_IMPLEMENTED");
        let (_, hook) = lab.send(Method::POST, "/webhooks", json!({ "type": "TAG_PUSH", "key": "lab/app" })).await;
        assert_eq!(error(&hook), "NOT_IMPLEMENTED");
        assert_eq!(lab.api("/repositories/lab/app").await["name"], "app");
    }

    async fn the_interface_is_described_in_a_page(lab) {
        let page = lab.anonymous(Method::GET, "/docs/api").send().await.unwrap();
        assert_eq!(page.status(), StatusCode::OK);
        let page = page.text().await.unwrap();
        for text in ["/api/v0/repositories/{namespace}/{name}/tags", "DELETE", "withInvocation", "href=\"/docs/api\""] {
            assert!(page.contains(text), "{text}");
        }
    }
}
