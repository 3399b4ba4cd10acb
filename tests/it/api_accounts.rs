//! Accounts, organizations, teams, rights and access tokens over `/enzi/v0` and `/api/v0`.

use msr_lite::meta::Mode;
use reqwest::{Method, Response, StatusCode};
use serde_json::{Value, json};

use crate::api::{error, keys, texts};
use crate::harness::{Lab, header, on_each_engine};

pub(crate) const PASSWORD: &str = "correct horse battery";

impl Lab {
    /// A request to `/enzi/v0` or `/api/v0` by somebody with [`PASSWORD`], by `admin`, or by nobody (`-`).
    pub(crate) async fn enzi(&self, who: &str, method: Method, path: &str, body: Option<Value>) -> Response {
        let path = if path.starts_with("/api/") { path.to_owned() } else { format!("/enzi/v0{path}") };
        let mut request = self.anonymous(method, &path);
        match who {
            "-" => {}
            "admin" => request = request.basic_auth("admin", Some(&self.password)),
            who => request = request.basic_auth(who, Some(PASSWORD)),
        }
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body.to_string());
        }
        request.send().await.unwrap()
    }

    /// The same by `admin`, which must answer with this status.
    pub(crate) async fn done(&self, method: Method, path: &str, body: Option<Value>, status: u16) -> Value {
        let answer = self.enzi("admin", method.clone(), path, body).await;
        let found = answer.status().as_u16();
        let text = answer.text().await.unwrap();
        assert_eq!(found, status, "{method} {path}: {text}");
        if text.is_empty() { Value::Null } else { serde_json::from_str(&text).unwrap() }
    }

    /// An organization `lab` with the owner olga, the member mia in the team `web`, and the stranger sam.
    pub(crate) async fn people(&self) -> Value {
        for name in ["olga", "mia", "sam"] {
            self.done(Method::POST, "/accounts", Some(json!({ "name": name, "password": PASSWORD })), 201).await;
        }
        self.done(Method::POST, "/accounts", Some(json!({ "name": "lab", "isOrg": true })), 201).await;
        self.done(Method::PUT, "/accounts/lab/members/olga", Some(json!({ "isAdmin": true })), 200).await;
        let team = self.done(Method::POST, "/accounts/lab/teams", Some(json!({ "name": "web" })), 201).await;
        self.done(Method::PUT, "/accounts/lab/teams/web/members/mia", Some(json!({})), 200).await;
        team
    }
}

on_each_engine! {
    async fn each_endpoint_of_accounts_is_for_those_who_may(lab) {
        let team = lab.people().await;
        let id = team["id"].as_str().unwrap().to_owned();
        let member = Some(json!({ "isAdmin": false }));
        let level = Some(json!({ "accessLevel": "read-only" }));
        lab.done(Method::POST, "/api/v0/repositories/lab", Some(json!({ "name": "app" })), 201).await;
        let team_path = format!("/accounts/lab/teams/{id}");
        for (method, path, body, expected) in [
            // Nobody, a stranger, a member, an owner, an administrator.
            (Method::GET, "/accounts", None, [401, 200, 200, 200, 200]),
            (Method::GET, "/accounts?filter=admins", None, [401, 403, 403, 403, 200]),
            (Method::GET, "/accounts/lab", None, [401, 200, 200, 200, 200]),
            (Method::GET, "/accounts/none", None, [401, 404, 404, 404, 404]),
            (Method::POST, "/accounts", Some(json!({ "name": "x" })), [401, 403, 403, 403, 201]),
            (Method::PATCH, "/accounts/lab", Some(json!({ "fullName": "The lab" })), [401, 404, 403, 200, 200]),
            (Method::PATCH, "/accounts/sam", Some(json!({ "fullName": "Sam" })), [401, 200, 403, 403, 200]),
            (Method::PATCH, "/accounts/sam", Some(json!({ "isAdmin": true })), [401, 403, 403, 403, 200]),
            (Method::PATCH, "/accounts/sam", Some(json!({ "isAdmin": false })), [401, 200, 403, 403, 200]),
            (Method::PATCH, "/accounts/mia", Some(json!({ "isActive": false, "isAdmin": false })), [401, 403, 403, 403, 200]),
            (Method::PATCH, "/accounts/mia", Some(json!({ "isActive": true })), [401, 403, 401, 403, 200]),
            (Method::GET, "/accounts/sam/organizations", None, [401, 200, 403, 403, 200]),
            (Method::GET, "/accounts/lab/members", None, [401, 404, 200, 200, 200]),
            (Method::GET, "/accounts/lab/members/olga", None, [401, 404, 200, 200, 200]),
            (Method::PUT, "/accounts/lab/members/mia", member.clone(), [401, 404, 403, 200, 200]),
            (Method::GET, "/accounts/lab/teams", None, [401, 404, 200, 200, 200]),
            (Method::POST, "/accounts/lab/teams", Some(json!({ "name": "db" })), [401, 404, 403, 201, 409]),
            (Method::GET, &team_path, None, [401, 404, 200, 200, 200]),
            (Method::PATCH, &team_path, Some(json!({ "description": "Pages" })), [401, 404, 403, 200, 200]),
            (Method::GET, "/accounts/lab/teams/web/members", None, [401, 404, 200, 200, 200]),
            (Method::PUT, "/accounts/lab/teams/web/members/mia", member.clone(), [401, 404, 403, 200, 200]),
            (Method::DELETE, "/accounts/lab/teams/db", None, [401, 404, 403, 204, 404]),
            (Method::GET, "/api/v0/repositoryNamespaces/lab/teamAccess", None, [401, 404, 403, 200, 200]),
            (Method::PUT, "/api/v0/repositoryNamespaces/lab/teamAccess/web", level.clone(), [401, 404, 403, 200, 200]),
            (Method::GET, "/api/v0/repositories/lab/app/teamAccess", None, [401, 404, 403, 200, 200]),
            (Method::PUT, "/api/v0/repositories/lab/app/teamAccess/web", level.clone(), [401, 404, 403, 200, 200]),
            (Method::GET, "/api/v0/accounts/lab/teams/web/repositoryAccess", None, [401, 404, 200, 200, 200]),
            (Method::GET, "/api/v0/accounts/mia/repositoryAccess/lab/app", None, [401, 404, 200, 200, 200]),
            (Method::GET, "/api/v0/accounts/olga/repositoryAccess/lab/app", None, [401, 404, 403, 200, 200]),
            (Method::GET, "/api/v0/accounts/sam/settings", None, [401, 200, 403, 403, 200]),
            (Method::GET, "/api/v0/accounts/sam/webhooks", None, [401, 200, 403, 403, 200]),
            (Method::GET, "/api/v0/api_tokens", None, [401, 200, 200, 200, 200]),
            (Method::GET, "/api/v0/api_tokens?username=sam", None, [401, 200, 403, 403, 200]),
            (Method::POST, "/api/v0/api_tokens?username=sam", Some(json!({ "tokenLabel": "x" })), [401, 200, 403, 403, 200]),
            (Method::DELETE, "/api/v0/repositories/lab/app/teamAccess/web", None, [401, 404, 403, 204, 204]),
            (Method::DELETE, "/api/v0/repositoryNamespaces/lab/teamAccess/web", None, [401, 404, 403, 204, 204]),
            (Method::DELETE, "/accounts/lab/teams/web/members/mia", None, [401, 404, 403, 204, 204]),
            (Method::DELETE, "/accounts/lab/members/mia", None, [401, 404, 403, 204, 204]),
            (Method::DELETE, "/api/v0/accounts/none", None, [401, 403, 403, 403, 204]),
            (Method::DELETE, "/accounts/sam", None, [401, 403, 403, 403, 204]),
            (Method::DELETE, "/accounts/lab", None, [401, 401, 403, 403, 409]),
            (Method::DELETE, "/api/v0/accounts/lab", None, [401, 401, 403, 403, 204]),
        ] {
            for (who, expected) in ["-", "sam", "mia", "olga", "admin"].iter().zip(expected) {
                let answer = lab.enzi(who, method.clone(), path, body.clone()).await;
                let (status, text) = (answer.status().as_u16(), answer.text().await.unwrap());
                assert_eq!(status, expected, "{who} {method} {path} {body:?}: {text}");
                if status >= 400 {
                    let body: Value = serde_json::from_str(&text).unwrap();
                    assert_eq!(keys(&body["errors"][0]), ["code", "detail", "message"], "{body}");
                }
            }
        }
        assert_eq!(lab.ask("admin", Method::GET, "/repositories/lab/app", None).await.status(), StatusCode::NOT_FOUND);
    }

    async fn an_account_has_the_keys_that_clients_know(lab) {
        let body = json!({
            "name": "dora", "id": "", "password": PASSWORD, "fullName": "Dora", "isAdmin": false, "searchLDAP": false,
            "unheard": 1,
        });
        let made = lab.done(Method::POST, "/accounts", Some(body.clone()), 201).await;
        let id = made["id"].as_str().unwrap();
        assert_eq!((id.len(), &made["isActive"], &made["isOrg"]), (36, &json!(true), &json!(false)));
        for named in ["dora".to_owned(), id.to_owned(), format!("id:{id}"), "dora/".to_owned()] {
            assert_eq!(lab.done(Method::GET, &format!("/accounts/{named}"), None, 200).await, made, "{named}");
        }
        let again = lab.done(Method::POST, "/accounts", Some(body), 409).await;
        assert_eq!(error(&again), "CONFLICT");
        for wrong in [json!({}), json!({ "name": "A b" }), json!({ "name": "x", "password": "short" })] {
            let refused = lab.done(Method::POST, "/accounts", Some(wrong), 400).await;
            assert_eq!(error(&refused), "INVALID_PARAMETERS");
        }
        let org = lab.done(Method::POST, "/accounts", Some(json!({ "name": "org", "isOrg": true, "password": "" })), 201).await;
        assert_eq!((&org["isOrg"], &org["membersCount"], &org["teamsCount"]), (&json!(true), &json!(0), &json!(0)));
        // What is not for everybody is not told: whether somebody administers, or is active.
        let seen: Value = lab.enzi("dora", Method::GET, "/accounts/admin", None).await.json().await.unwrap();
        assert_eq!(keys(&seen), ["fullName", "id", "isImported", "isOrg", "name", "onDemand", "otpEnabled"]);
        let all = lab.enzi("admin", Method::GET, "/accounts?limit=2", None).await;
        let next = header(&all, "x-next-page-start");
        let all: Value = all.json().await.unwrap();
        assert_eq!(texts(&all["accounts"], "name"), ["admin", "dora"]);
        assert_eq!((&all["nextPageStart"], &all["usersCount"], &all["orgsCount"], &all["resourceCount"]),
            (&json!(next), &json!(2), &json!(1), &json!(3)));
        let rest = lab.done(Method::GET, &format!("/accounts?limit=2&start={next}"), None, 200).await;
        assert_eq!((texts(&rest["accounts"], "name"), &rest["nextPageStart"]), (vec!["org"], &json!("")));
        let orgs = lab.done(Method::GET, "/accounts/?filter=orgs", None, 200).await;
        assert_eq!(texts(&orgs["accounts"], "name"), ["org"]);
        let found = lab.done(Method::GET, "/api/v0/index/autocomplete?query=or", None, 200).await;
        assert_eq!(texts(&found["accountResults"], "name"), ["dora", "org"]);
        // The last administrator cannot go, nor stop to be one.
        lab.done(Method::DELETE, "/accounts/admin", None, 409).await;
        lab.done(Method::PATCH, "/accounts/admin", Some(json!({ "isAdmin": false })), 409).await;
        lab.done(Method::PATCH, "/accounts/dora", Some(json!({ "name": "eve" })), 400).await;
    }

    async fn an_account_does_not_make_itself_an_administrator(lab) {
        lab.people().await;
        // Harbor's CVE-2019-16097 was a key that nobody looked for in what its owner may send.
        for body in [
            json!({ "fullName": "Sam", "isAdmin": true }), json!({ "isAdmin": true, "isActive": true }),
            json!({ "password": "another long password" }),
        ] {
            let answer = lab.enzi("sam", Method::PATCH, "/accounts/sam", Some(body.clone())).await;
            assert_eq!(answer.status(), StatusCode::FORBIDDEN, "{body}");
        }
        let sam = lab.done(Method::GET, "/accounts/sam", None, 200).await;
        assert_eq!((&sam["isAdmin"], &sam["fullName"]), (&json!(false), &json!("")), "not even in part");
        let admin = lab.enzi("mia", Method::PUT, "/accounts/lab/teams/web/members/mia", Some(json!({ "isAdmin": true }))).await;
        assert_eq!(admin.status(), StatusCode::FORBIDDEN);
        lab.done(Method::PUT, "/accounts/lab/teams/web/members/mia", Some(json!({ "isAdmin": true })), 400).await;
        let owner = lab.enzi("mia", Method::PUT, "/accounts/lab/members/mia", Some(json!({ "isAdmin": true }))).await;
        assert_eq!(owner.status(), StatusCode::FORBIDDEN);
    }

    async fn rights_are_given_and_taken(lab) {
        let team = lab.people().await;
        let id = team["id"].as_str().unwrap();
        lab.done(Method::POST, "/api/v0/repositories/lab", Some(json!({ "name": "deep/app" })), 201).await;
        let repo = "/api/v0/repositories/lab/deep/app";
        let sees = async || lab.enzi("mia", Method::GET, repo, None).await.status().as_u16();
        let pushes = async || lab.enzi("mia", Method::PATCH, repo, Some(json!({}))).await.status().as_u16();
        assert_eq!(sees().await, 404);
        let given = lab.done(Method::PUT, &format!("{repo}/teamAccess/web"), Some(json!({ "accessLevel": "read-only" })), 200).await;
        assert_eq!((&given["repository"]["name"], &given["teamAccessList"][0]["team"]["name"]), (&json!("deep/app"), &json!("web")));
        assert_eq!((sees().await, pushes().await), (200, 403));
        let access = lab.done(Method::GET, "/api/v0/accounts/lab/teams/web/repositoryAccess", None, 200).await;
        assert_eq!((&access["team"]["id"], &access["repositoryAccessList"][0]["accessLevel"]), (&json!(id), &json!("read-only")));
        let of = lab.done(Method::GET, "/api/v0/accounts/mia/repositoryAccess/lab/deep/app", None, 200).await;
        assert_eq!((&of["accessLevel"], &of["user"]["name"]), (&json!("read-only"), &json!("mia")));
        lab.done(Method::DELETE, &format!("{repo}/teamAccess/{id}"), None, 204).await;
        lab.done(Method::DELETE, &format!("{repo}/teamAccess/{id}"), None, 204).await;
        assert_eq!(sees().await, 404);
        let none = lab.done(Method::GET, "/api/v0/repositoryNamespaces/lab/teamAccess/web", None, 404).await;
        assert_eq!(error(&none), "NO_SUCH_NAMESPACE_TEAM_ACCESS");
        let on = lab.done(Method::PUT, "/api/v0/repositoryNamespaces/lab/teamAccess/web", Some(json!({ "accessLevel": "admin" })), 200).await;
        assert_eq!((&on["accessLevel"], &on["namespace"]["name"], &on["team"]["id"]), (&json!("admin"), &json!("lab"), &json!(id)));
        assert_eq!((sees().await, pushes().await), (200, 200));
        lab.done(Method::DELETE, &format!("/accounts/lab/teams/{id}"), None, 204).await;
        assert_eq!(sees().await, 404, "a team's rights end with it");
        lab.done(Method::PUT, "/api/v0/repositoryNamespaces/sam/teamAccess/web", Some(json!({ "accessLevel": "admin" })), 400).await;
        lab.done(Method::PUT, "/api/v0/repositoryNamespaces/lab/teamAccess/web", Some(json!({ "accessLevel": "all" })), 400).await;
    }

    async fn an_access_token_is_a_password_that_can_be_taken_back(lab) {
        lab.people().await;
        let made = lab.enzi("sam", Method::POST, "/api/v0/api_tokens", Some(json!({ "tokenLabel": "ci" }))).await;
        assert_eq!(made.status(), StatusCode::OK);
        let made: Value = made.json().await.unwrap();
        let (text, hash) = (made["token"].as_str().unwrap().to_owned(), made["hashedToken"].as_str().unwrap().to_owned());
        assert_eq!((&made["isActive"], &made["generatedBy"], &made["lastUsed"]), (&json!(true), &json!("manual"), &json!("0001-01-01T00:00:00Z")));
        let with = async |path: &str| {
            lab.anonymous(Method::GET, path).basic_auth("sam", Some(&text)).send().await.unwrap().status().as_u16()
        };
        assert_eq!(with("/api/v0/repositories").await, 200);
        assert_eq!(with("/enzi/v0/accounts/sam").await, 200);
        let list: Value = lab.enzi("sam", Method::GET, "/api/v0/api_tokens?count=true", None).await.json().await.unwrap();
        assert!(list[0]["token"].is_null() && !list.to_string().contains(&text), "shown once");
        let one = format!("/api/v0/api_tokens/{hash}");
        assert_eq!(lab.enzi("mia", Method::GET, &one, None).await.status(), StatusCode::NOT_FOUND, "another's");
        assert_eq!(lab.enzi("mia", Method::DELETE, &one, None).await.status(), StatusCode::NOT_FOUND);
        let off = lab.enzi("sam", Method::PATCH, &one, Some(json!({ "isActive": false, "tokenLabel": "old", "scope": "all" }))).await;
        assert_eq!(off.json::<Value>().await.unwrap()["tokenLabel"], "old");
        assert_eq!(with("/api/v0/repositories").await, 401);
        // By default only those go that programs made for themselves.
        lab.enzi("sam", Method::DELETE, "/api/v0/api_tokens", None).await;
        assert_eq!(lab.enzi("sam", Method::GET, &one, None).await.status(), StatusCode::OK);
        let gone = lab.enzi("sam", Method::DELETE, "/api/v0/api_tokens?generatedby=manual&usedbefore=2999-01-01T00:00:00Z", None).await;
        assert_eq!(gone.json::<Value>().await.unwrap(), json!({ "deleted": 1 }));
        let missing = lab.enzi("sam", Method::GET, &one, None).await;
        assert_eq!(error(&missing.json().await.unwrap()), "NO_SUCH_API_TOKEN");
        // A narrow one manages nothing.
        let narrow = json!({ "tokenLabel": "pull", "scope": "read-only", "expiresInDays": 7 });
        let narrow: Value = lab.enzi("sam", Method::POST, "/api/v0/api_tokens", Some(narrow)).await.json().await.unwrap();
        let narrow = narrow["token"].as_str().unwrap();
        let tried = lab.anonymous(Method::POST, "/api/v0/api_tokens").basic_auth("sam", Some(narrow)).send().await.unwrap();
        assert_eq!(tried.status(), StatusCode::FORBIDDEN);
        // What a reply shows is taken as it is.
        let places = json!({ "tokenLabel": "a", "scope": ["lab/*:read-write", "lab/app:read-only"], "expires": "2999-01-31T00:00:00Z" });
        let made: Value = lab.enzi("sam", Method::POST, "/api/v0/api_tokens", Some(places)).await.json().await.unwrap();
        assert_eq!(made["scope"], "lab/*:read-write,lab/app:read-only");
        assert_eq!(made["expires"], "2999-01-31T00:00:00Z");
        let again: Value = lab.enzi("sam", Method::POST, "/api/v0/api_tokens", Some(made.clone())).await.json().await.unwrap();
        assert_eq!((&again["scope"], &again["expires"]), (&made["scope"], &made["expires"]));
        let one = format!("/api/v0/api_tokens/{}", made["hashedToken"].as_str().unwrap());
        assert_eq!(lab.enzi("sam", Method::PATCH, &one, Some(made.clone())).await.status(), StatusCode::OK);
        for other in [json!({ "scope": "all" }), json!({ "expires": "2998-01-31T00:00:00Z" }), json!({ "expiresInDays": 7 })] {
            assert_eq!(lab.enzi("sam", Method::PATCH, &one, Some(other)).await.status(), StatusCode::BAD_REQUEST);
        }
        for wrong in [json!({ "scope": ["a/b/*:admin"] }), json!({ "scope": "lab/web" }), json!({ "scope": [] }),
            json!({ "expires": "tomorrow" }), json!({ "expires": "2999-01-31T00:00:00Z", "expiresInDays": 7 })] {
            assert_eq!(lab.enzi("sam", Method::POST, "/api/v0/api_tokens", Some(wrong)).await.status(), StatusCode::BAD_REQUEST);
        }
    }

    async fn a_namespace_is_named_by_the_id_of_its_account(lab) {
        lab.people().await;
        lab.push_image("lab/app", "1", b"layer").await;
        let id = lab.done(Method::GET, "/accounts/lab", None, 200).await["id"].as_str().unwrap().to_owned();
        for named in [id.clone(), format!("id:{id}"), format!("id%3A{id}")] {
            let path = format!("/api/v0/repositories/{named}");
            let made = lab.done(Method::POST, &path, Some(json!({ "name": "made" })), 201).await;
            assert_eq!((&made["namespace"], &made["name"]), (&json!("lab"), &json!("made")));
            assert_eq!(texts(&lab.done(Method::GET, &path, None, 200).await["repositories"], "name"), ["app", "made"]);
            assert_eq!(lab.done(Method::GET, &format!("{path}/app"), None, 200).await["namespace"], "lab");
            assert_eq!(lab.done(Method::GET, &format!("{path}/webhooks"), None, 200).await, json!([]));
            let complete = format!("/api/v0/index/autocomplete?query=&namespace={named}");
            let completed = lab.done(Method::GET, &complete, None, 200).await;
            assert_eq!(texts(&completed["repositoryResults"], "name"), ["app", "made"]);
            lab.done(Method::DELETE, &format!("{path}/made"), None, 204).await;
            // Who may not see it learns no name by an id, and neither does nobody.
            for path in [format!("{path}/app"), format!("{path}/none"), format!("{path}/app/tags")] {
                for (who, status) in [("sam", 404), ("-", 401)] {
                    let refused = if who == "-" {
                        lab.anonymous(Method::GET, &path).send().await.unwrap()
                    } else {
                        lab.enzi(who, Method::GET, &path, None).await
                    };
                    assert_eq!(refused.status().as_u16(), status, "{path}");
                    let text = refused.text().await.unwrap();
                    assert!(!text.contains("lab/"), "{text}");
                }
            }
        }
        let unknown = "/api/v0/repositories/id:00000000-0000-4000-8000-000000000000";
        assert_eq!(lab.done(Method::GET, unknown, None, 200).await["repositories"], json!([]));
        let refused = lab.done(Method::POST, unknown, Some(json!({ "name": "made" })), 404).await;
        assert_eq!(error(&refused), "NO_SUCH_ACCOUNT");
        // A repository whose name ends like the list of webhooks is named with %2F.
        lab.push_image("lab/webhooks", "1", b"layer").await;
        assert_eq!(lab.done(Method::GET, "/api/v0/repositories/lab/webhooks", None, 200).await, json!([]));
        assert_eq!(lab.done(Method::GET, "/api/v0/repositories/lab%2Fwebhooks", None, 200).await["name"], "webhooks");
        assert_eq!(lab.done(Method::GET, "/api/v0/repositories/lab/webhooks/tags", None, 200).await[0]["name"], "1");
        lab.done(Method::DELETE, "/api/v0/repositories/lab/webhooks", None, 204).await;
    }

    async fn an_account_loses_its_repositories_and_stays(lab) {
        lab.people().await;
        for repo in ["lab/app", "lab/app/web", "laboratory/app"] {
            lab.push_image(repo, "1", b"layer").await;
        }
        lab.done(Method::DELETE, "/api/v0/accounts/lab/repositories", None, 204).await;
        let left = lab.done(Method::GET, "/api/v0/repositories", None, 200).await;
        assert_eq!(texts(&left["repositories"], "namespace"), ["laboratory"]);
        lab.done(Method::GET, "/accounts/lab", None, 200).await;
        lab.done(Method::DELETE, "/api/v0/accounts/lab/repositories", None, 204).await;
        lab.done(Method::DELETE, "/api/v0/accounts/none/repositories", None, 404).await;
    }

    async fn a_session_is_opened_and_ended(lab) {
        lab.people().await;
        let sign_in = json!({ "username": "sam", "password": PASSWORD });
        let session: Value = lab.enzi("-", Method::POST, "/id/login", Some(sign_in)).await.json().await.unwrap();
        assert_eq!(session["account"]["name"], "sam");
        let token = session["sessionToken"].as_str().unwrap();
        let with = async |scheme: &str, method: Method, path: &str| {
            let request = lab.anonymous(method, path).header("authorization", format!("{scheme} {token}"));
            request.send().await.unwrap().status().as_u16()
        };
        assert_eq!(with("Bearer", Method::GET, "/enzi/v0/accounts/sam/organizations").await, 200);
        assert_eq!(with("SessionToken", Method::GET, "/api/v0/api_tokens").await, 200);
        assert_eq!(with("Bearer", Method::POST, "/enzi/v0/id/logout").await, 204);
        assert_eq!(with("Bearer", Method::GET, "/enzi/v0/accounts").await, 401);
        let wrong = json!({ "username": "sam", "password": "wrong password" });
        assert_eq!(lab.enzi("-", Method::POST, "/id/login", Some(wrong)).await.status(), StatusCode::UNAUTHORIZED);
    }

    async fn the_registry_is_made_read_only_and_back(lab) {
        let settings = "/api/v0/meta/settings";
        lab.done(Method::POST, settings, Some(json!({ "readOnlyRegistry": true })), 202).await;
        assert_eq!(lab.done(Method::GET, settings, None, 200).await["readOnlyRegistry"], true);
        assert_eq!(lab.done(Method::GET, "/api/v0/meta/alerts", None, 200).await[0]["id"], "read-only");
        let refused = lab.request(Method::POST, "/v2/lab/app/blobs/uploads/").send().await.unwrap();
        assert!(refused.status().is_client_error());
        lab.done(Method::POST, settings, Some(json!({ "readOnlyRegistry": false })), 202).await;
        lab.push_image("lab/app", "1", b"layer").await;
    }
}

/// What one request of a list may cost is bounded: the members of a thousand teams are not counted for it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_page_of_teams_counts_no_members() {
    let lab = Lab::new(Mode::Normal).await;
    lab.people().await;
    let (access, by) = (lab.server.access(), msr_lite::model::Actor::system());
    for n in 0..100 {
        access.create_team(&by, "lab", &format!("team-{n}"), "").await.unwrap();
    }
    for (limit, counted) in [(1000, false), (100, true)] {
        let page = lab.done(Method::GET, &format!("/accounts/lab/teams?limit={limit}"), None, 200).await;
        let teams = page["teams"].as_array().unwrap();
        assert_eq!(teams.len(), limit.min(101));
        assert!(teams.iter().all(|team| team["membersCount"].is_u64() == counted), "{limit}");
    }
}
