//! The sequences of calls of programs that were written for MSR, as they send them: with the keys that they send, the
//! statuses that they insist on, and the fields that they read.

use msr_lite::meta::Mode;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::api::{NEVER, error, texts};
use crate::api_accounts::PASSWORD;
use crate::harness::{Lab, header, on_each_engine};

on_each_engine! {
    // terraform-provider-msr: any status below 400 is success, and an error must have an entry in its envelope.
    async fn terraform_applies_changes_and_destroys(lab) {
        assert_eq!(lab.done(Method::GET, "/api/v0/admin/version", None, 200).await["version"], env!("CARGO_PKG_VERSION"));
        let org = json!({ "name": "lab", "id": "", "password": "", "isOrg": true });
        let org = lab.done(Method::POST, "/accounts", Some(org), 201).await;
        let org_id = org["id"].as_str().unwrap();
        assert_eq!(lab.done(Method::GET, "/accounts/lab", None, 200).await["id"], org["id"]);
        let user = json!({ "name": "alice", "id": "", "password": PASSWORD, "fullName": "Alice", "isAdmin": false });
        let user = lab.done(Method::POST, "/accounts", Some(user), 201).await;
        let user_id = user["id"].as_str().unwrap();
        assert_eq!(user["isActive"], true);
        let renamed = lab.done(Method::PATCH, &format!("/accounts/{user_id}"), Some(json!({ "fullName": "A." })), 200).await;
        assert_eq!(renamed["fullName"], "A.");
        // Organizations by id, teams by name when read and by id when changed.
        let team = json!({ "description": "Pages", "id": "", "membersCount": 0, "name": "web", "orgID": org_id });
        let team = lab.done(Method::POST, &format!("/accounts/{org_id}/teams"), Some(team), 201).await;
        let team_id = team["id"].as_str().unwrap();
        assert_eq!((&team["orgID"], &team["membersCount"]), (&org["id"], &json!(0)));
        let read = lab.done(Method::GET, &format!("/accounts/{org_id}/teams/web"), None, 200).await;
        assert_eq!((&read["id"], &read["description"]), (&team["id"], &json!("Pages")));
        let one = format!("/accounts/{org_id}/teams/{team_id}");
        lab.done(Method::PUT, &format!("{one}/members/{user_id}"), Some(json!({})), 200).await;
        let body = json!({ "description": "", "id": team_id, "membersCount": 0, "name": "web", "orgID": org_id });
        lab.done(Method::PATCH, &one, Some(body), 200).await;
        let members = lab.done(Method::GET, &format!("{one}/members"), None, 200).await;
        assert_eq!(members["members"][0]["member"]["id"], user["id"]);
        lab.done(Method::GET, &format!("/accounts/{user_id}"), None, 200).await;
        lab.done(Method::DELETE, &format!("{one}/members/{user_id}"), None, 204).await;
        // A repository, read, changed with all its zeros, deleted.
        let repo = json!({
            "immutableTags": false, "longDescription": "", "name": "app", "scanOnPush": false, "shortDescription": "",
            "tagLimit": 0, "visibility": "public",
        });
        let made = lab.done(Method::POST, "/api/v0/repositories/lab", Some(repo.clone()), 201).await;
        assert!(made["id"].is_string());
        let read = lab.done(Method::GET, "/api/v0/repositories/lab/app", None, 200).await;
        for key in ["id", "name", "scanOnPush", "visibility"] {
            assert_eq!(read[key], made[key]);
        }
        lab.done(Method::PATCH, "/api/v0/repositories/lab/app", Some(repo), 200).await;
        // Policies are listed before one is made, which is refused in words that its user reads.
        assert_eq!(lab.done(Method::GET, "/api/v0/repositories/lab/app/pruningPolicies", None, 200).await, json!([]));
        let rules = json!({ "enabled": true, "rules": [{ "field": "tag", "operator": "eq", "values": ["x"] }] });
        let policy = "/api/v0/repositories/lab/app/pruningPolicies?initialEvaluation=false";
        let refused = lab.done(Method::POST, policy, Some(rules), 501).await;
        assert_eq!(error(&refused), "NOT_IMPLEMENTED");
        let all = lab.done(Method::GET, "/accounts?filter=all", None, 200).await;
        assert_eq!(texts(&all["accounts"], "name"), ["admin", "alice", "lab"]);
        assert_eq!(all["usersCount"], 2);
        lab.done(Method::DELETE, "/api/v0/repositories/lab/app", Some(json!({})), 204).await;
        lab.done(Method::DELETE, &one, None, 204).await;
        lab.done(Method::DELETE, &format!("/accounts/{user_id}"), None, 204).await;
        lab.done(Method::DELETE, "/accounts/lab", None, 204).await;
        // What is gone makes an error with a sentence in it.
        error(&lab.done(Method::GET, "/accounts/lab", None, 404).await);
    }

    // Harbor's adapter for DTR, as source: namespaces, repositories and tags, page by page, then `/v2`.
    async fn harbor_replicates_from_here(lab) {
        for name in ["lab", "other"] {
            lab.done(Method::POST, "/accounts", Some(json!({ "name": name, "isOrg": true })), 201).await;
        }
        for (repo, tag) in [("lab/app", "1"), ("lab/app", "2"), ("lab/web", "1"), ("other/db", "1")] {
            lab.push_image(repo, tag, b"layer").await;
        }
        let (mut accounts, mut start) = (Vec::new(), String::new());
        loop {
            let answer = lab.enzi("admin", Method::GET, &format!("/accounts?limit=2&start={start}"), None).await;
            assert_eq!(answer.status(), StatusCode::OK);
            start = header(&answer, "x-next-page-start");
            let body: Value = answer.json().await.unwrap();
            accounts.extend(texts(&body["accounts"], "name").into_iter().map(str::to_owned));
            if start.is_empty() {
                break;
            }
        }
        assert_eq!(accounts, ["admin", "lab", "other"]);
        let (mut found, mut start) = (Vec::new(), String::new());
        loop {
            let path = format!("/api/v0/repositories?pageSize=2&count=true&pageStart={start}");
            let answer = lab.enzi("admin", Method::GET, &path, None).await;
            assert_eq!(header(&answer, "x-resource-count"), "3");
            start = header(&answer, "x-next-page-start");
            let body: Value = answer.json().await.unwrap();
            for repo in body["repositories"].as_array().unwrap() {
                found.push(format!("{}/{}", repo["namespace"].as_str().unwrap(), repo["name"].as_str().unwrap()));
            }
            if start.is_empty() {
                break;
            }
        }
        assert_eq!(found, ["lab/app", "lab/web", "other/db"]);
        let tags = lab.done(Method::GET, "/api/v0/repositories/lab/app/tags?pageSize=100", None, 200).await;
        assert_eq!(texts(&tags, "name"), ["1", "2"]);
        assert_eq!(lab.get("/v2/lab/app/manifests/1").await.status(), StatusCode::OK);
    }

    // The same as target: it makes what is missing, insists on 201, and pushes.
    async fn harbor_replicates_to_here(lab) {
        let listed = lab.done(Method::GET, "/accounts?limit=100", None, 200).await;
        assert!(!texts(&listed["accounts"], "name").contains(&"lab"));
        lab.done(Method::POST, "/accounts", Some(json!({ "name": "lab", "isOrg": true })), 201).await;
        assert_eq!(lab.done(Method::GET, "/api/v0/repositories?pageSize=100", None, 200).await["repositories"], json!([]));
        lab.done(Method::POST, "/api/v0/repositories/lab", Some(json!({ "name": "app" })), 201).await;
        lab.push_image("lab/app", "1", b"layer").await;
        let tags = lab.done(Method::GET, "/api/v0/repositories/lab/app/tags?pageSize=100", None, 200).await;
        assert_eq!(texts(&tags, "name"), ["1"]);
    }

    // StackRox's scanner client: it works only where scanning is on, and says so to its user otherwise.
    async fn stackrox_learns_that_nothing_is_scanned(lab) {
        lab.push_image("lab/app", "1", b"layer").await;
        let status = lab.done(Method::GET, "/api/v0/imagescan/status", None, 200).await;
        assert_eq!((&status["db_updated_at"], &status["lastDBUpdateFailed"]), (&json!(NEVER), &json!(false)));
        assert_eq!(lab.done(Method::GET, "/api/v0/meta/features", None, 200).await["scanningEnabled"], false);
        let scans = lab.done(Method::GET, "/api/v0/imagescan/repositories/lab/app/1?detailed=true", None, 200).await;
        assert_eq!((&scans[0]["check_completed_at"], &scans[0]["layer_details"]), (&json!(NEVER), &json!([])));
        let started = lab.done(Method::POST, "/api/v0/imagescan/scan/lab/app/1/linux/amd64", None, 400).await;
        assert_eq!(error(&started), "SCANNING_NOT_ENABLED");
    }

    // A gate of a Jenkins job: it starts a scan and, were that not refused, would wait for a time that is not zero in
    // the one entry of the summary.
    async fn a_jenkins_gate_is_not_let_through(lab) {
        lab.push_image("lab/app", "1.0-rc.1", b"layer").await;
        let started = lab.done(Method::POST, "/api/v0/imagescan/scan/lab/app/1.0-rc.1/linux/amd64", None, 400).await;
        assert!(started["errors"][0]["message"].as_str().unwrap().contains("does not scan"));
        let summary = lab.done(Method::GET, "/api/v0/imagescan/repositories/lab/app/1.0-rc.1", None, 200).await;
        assert_eq!(summary.as_array().unwrap().len(), 1);
        assert_eq!((&summary[0]["check_completed_at"], &summary[0]["critical"]), (&json!(NEVER), &json!(0)));
    }

    // Scripts of administrators: a token for a robot, the people of an organization, a count of the storage.
    async fn scripts_export_and_report(lab) {
        lab.people().await;
        lab.push_image("lab/app", "1", b"layer").await;
        let token = lab.done(Method::POST, "/api/v0/api_tokens?username=mia", Some(json!({ "tokenLabel": "mirror" })), 200).await;
        let signed_in = lab.anonymous(Method::GET, "/api/v0/repositories/").basic_auth("mia", token["token"].as_str());
        assert_eq!(signed_in.send().await.unwrap().status(), StatusCode::OK);
        let orgs = lab.done(Method::GET, "/accounts?filter=orgs&limit=100", None, 200).await;
        assert_eq!(texts(&orgs["accounts"], "name"), ["lab"]);
        let members = lab.done(Method::GET, "/accounts/lab/members", None, 200).await;
        let owners: Vec<_> = members["members"].as_array().unwrap().iter().map(|member| member["isAdmin"] == true).collect();
        assert_eq!(owners, [false, true], "mia, olga");
        let answer = lab.enzi("admin", Method::GET, "/api/v0/repositories/lab/app/tags/?includeManifests=true&count=true", None).await;
        assert_eq!(header(&answer, "x-resource-count"), "1");
        assert!(answer.json::<Value>().await.unwrap()[0]["manifest"]["size"].is_number());
        assert!(lab.done(Method::GET, "/api/v0/meta/settings", None, 200).await["replicaID"].is_string());
    }
}
