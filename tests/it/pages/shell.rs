//! What stands around all pages: who may see which, methods, headers, assets, plain HTTP.

use msr_lite::base::config::Anonymous;
use msr_lite::meta::Mode;
use reqwest::{Method, StatusCode};

use super::{Browser, HOSTILE, add_user};
use crate::harness::{Lab, header, on_each_engine};

/// Pages of the registry itself: what nobody, a user and an administrator get.
const PAGES: &[(&str, [u16; 3])] = &[
    ("/", [303, 303, 303]),
    ("/login", [200, 303, 303]),
    ("/welcome", [303, 403, 200]),
    ("/account", [303, 200, 200]),
    ("/account/tokens", [303, 200, 200]),
    ("/account/tokens/0000000000000000000000000000000000000000000000000000000000000000", [303, 404, 404]),
    ("/account/sessions", [303, 200, 200]),
    ("/account/nothing", [404, 404, 404]),
    ("/activity", [303, 200, 200]),
    ("/system", [303, 403, 200]),
    ("/system/storage", [303, 403, 200]),
    ("/system/storage?survey=1", [303, 403, 200]),
    ("/system/certificate", [303, 403, 200]),
    ("/system/about", [303, 403, 200]),
    ("/docs/applications", [200, 200, 200]),
    ("/docs/accounts", [200, 200, 200]),
    ("/users", [303, 403, 200]),
    ("/users/admin", [303, 404, 200]),
    ("/users/nobody", [303, 404, 404]),
    ("/users/alice", [303, 200, 200]),
    ("/users/alice/delete", [303, 403, 200]),
    ("/users/Alice", [404, 404, 404]),
    ("/orgs", [303, 200, 200]),
    ("/orgs/nothing", [303, 404, 404]),
    ("/orgs/nothing/delete", [303, 404, 404]),
    ("/orgs/nothing/teams/dev", [303, 404, 404]),
    ("/orgs/alice", [303, 404, 404]),
    // Only forms are sent there.
    ("/logout", [405, 405, 405]),
    ("/account/password", [405, 405, 405]),
    ("/account/prefs", [405, 405, 405]),
    ("/account/sessions/end", [405, 405, 405]),
    ("/system/storage/collect", [405, 405, 405]),
    ("/system/certificate/names", [405, 405, 405]),
    ("/users/alice/change", [405, 405, 405]),
    ("/users/alice/password", [405, 405, 405]),
    ("/users/alice/tokens", [405, 405, 405]),
    ("/orgs/lab/members", [405, 405, 405]),
    ("/orgs/lab/teams", [405, 405, 405]),
    ("/orgs/lab/teams/dev/change", [405, 405, 405]),
    ("/orgs/lab/teams/dev/members", [405, 405, 405]),
    ("/orgs/lab/teams/dev/grants", [405, 405, 405]),
    ("/r/private/repo/-/access/change", [405, 405, 405]),
    ("/system/nothing", [404, 404, 404]),
    ("/r/", [404, 404, 404]),
    ("/r/UPPER", [404, 404, 404]),
    ("/r/private/repo", [303, 404, 404]),
    ("/r/private/repo/-/nothing", [404, 404, 404]),
];

/// Targets of forms: what a form without its text gets there.
const TARGETS: [&str; 22] = [
    "/login",
    "/logout",
    "/account/password",
    "/account/prefs",
    "/account/tokens",
    "/account/tokens/0000000000000000000000000000000000000000000000000000000000000000/revoke",
    "/account/sessions/end",
    "/system/storage/collect",
    "/system/certificate/names",
    "/users",
    "/users/alice/change",
    "/users/alice/password",
    "/users/alice/tokens",
    "/users/alice/delete",
    "/orgs",
    "/orgs/lab/members",
    "/orgs/lab/teams",
    "/orgs/lab/delete",
    "/orgs/lab/teams/dev/change",
    "/orgs/lab/teams/dev/members",
    "/orgs/lab/teams/dev/grants",
    "/orgs/lab/teams/dev/delete",
];

on_each_engine! {
    async fn every_page_is_for_whom_it_is_for(lab) {
        add_user(&lab, "alice").await;
        let visitors = [
            Browser::new(&lab),
            Browser::signed_in(&lab, "alice").await,
            Browser::signed_in(&lab, "admin").await,
        ];
        for (who, mut browser) in visitors.into_iter().enumerate() {
            for (path, expected) in PAGES {
                let page = browser.get(path).await;
                assert_eq!(page.status.as_u16(), expected[who], "{path} for {who}: {}", page.text);
                let head = browser.request(Method::HEAD, path, &[], "").await;
                assert_eq!((head.status, head.text.as_str()), (page.status, ""), "{path}");
                if page.status == StatusCode::SEE_OTHER && who == 0 && *path != "/" {
                    let next = page.location().strip_prefix("/login?next=").unwrap();
                    assert!(next.starts_with("%2F"), "{next}");
                }
                let deleted = browser.request(Method::DELETE, path, &[], "").await.status;
                assert!(matches!(deleted.as_u16(), 404 | 405), "{path}: {deleted}");
            }
        }
    }

    async fn pages_are_not_driven_by_what_a_browser_sends_by_itself(lab) {
        // Credentials of the registry's API are not looked at.
        let basic = lab.strict_client().get(lab.url("/system")).basic_auth("admin", Some(&lab.password));
        let answer = basic.send().await.unwrap();
        assert_eq!(header(&answer, "location"), "/login?next=%2Fsystem");
        assert_eq!(header(&answer, "www-authenticate"), "", "no window pops up");
        // Nor are cookies anywhere else.
        let mut admin = Browser::signed_in(&lab, "admin").await;
        assert_eq!(admin.get("/v2/").await.status, StatusCode::UNAUTHORIZED);
        assert_eq!(admin.get("/v2/_catalog").await.status, StatusCode::UNAUTHORIZED);
        let page = admin.get("/auth/token?scope=registry:catalog:*").await;
        assert!(!page.text.contains("registry:catalog"), "{}", page.text);
    }

    async fn forms_are_taken_from_our_own_pages_only(lab) {
        add_user(&lab, "alice").await;
        let mut admin = Browser::signed_in(&lab, "admin").await;
        let mut alice = Browser::signed_in(&lab, "alice").await;
        let own = admin.get("/account").await.csrf();
        let foreign = alice.get("/account").await.csrf();
        assert_ne!(own, foreign);
        let names = |csrf: &str| format!("csrf={csrf}&name=other.lab&theme=dark&current=x&new=y&again=z");
        let same = [("sec-fetch-site", "same-origin")];
        for target in TARGETS {
            for (headers, body) in [
                (&same[..], "name=other.lab".to_owned()),
                (&same, names("")),
                (&same, names(&foreign)),
                (&same, names(&own[1..])),
                (&[("sec-fetch-site", "cross-site")], names(&own)),
                (&[("sec-fetch-site", "same-site")], names(&own)),
                (&[("content-type", "text/plain"), ("sec-fetch-site", "cross-site")], names(&own)),
            ] {
                let page = admin.request(Method::POST, target, headers, &body).await;
                assert_eq!(page.status, StatusCode::FORBIDDEN, "{target} {headers:?} {body}");
            }
        }
        let names = lab.server.pki().leaf_facts().names;
        assert!(!names.iter().any(|name| name.to_string() == "other.lab"), "nothing was changed");
        assert_eq!(admin.get("/account").await.status, StatusCode::OK, "nor was anybody signed out");
        // A form may have so many bytes.
        let long = format!("csrf={own}&x={}", "y".repeat(200_000));
        let page = admin.request(Method::POST, "/account/prefs", &same, &long).await;
        assert_eq!(page.status, StatusCode::PAYLOAD_TOO_LARGE);
        // A user's form does not do what an administrator's does.
        let page = alice.send("/account", "/system/certificate/names", &[("name", "other.lab")]).await;
        assert_eq!(page.status, StatusCode::FORBIDDEN);
        let page = alice.send("/account", "/system/storage/collect", &[]).await;
        assert_eq!(page.status, StatusCode::FORBIDDEN);
    }

    async fn assets_are_kept_for_ever_and_pages_never(lab) {
        let mut browser = Browser::new(&lab);
        let page = browser.get("/login").await;
        let gzip = [("accept-encoding", "gzip"), ("sec-fetch-site", "none")];
        let mut bytes = browser.bytes("/login", &gzip).await.body.len();
        for name in ["app.css", "app.js", "icons.svg"] {
            let at = page.text.find(&format!("/{name}")).unwrap();
            let from = page.text[..at].rfind("/a/").unwrap();
            let path = &page.text[from..=at + name.len()];
            let asset = browser.get(path).await;
            assert_eq!(asset.status, StatusCode::OK, "{path}");
            assert_eq!(asset.header("cache-control"), "public, max-age=31536000, immutable");
            assert_eq!(asset.header("x-content-type-options"), "nosniff");
            assert!(!asset.headers.contains_key("set-cookie"));
            bytes += browser.bytes(path, &gzip).await.body.len();
        }
        assert!(bytes < 12_000, "{bytes} bytes leave too little for a list of tags");
        assert_eq!(browser.get("/a/000000000000/app.css").await.status, StatusCode::NOT_FOUND);
    }

    async fn what_others_wrote_stays_text(lab) {
        add_user(&lab, HOSTILE).await;
        // In the form that failed, in the header of every page, on the account page.
        let mut browser = Browser::new(&lab);
        let page = browser.sign_in(HOSTILE, "wrong").await;
        assert_eq!(page.status, StatusCode::UNAUTHORIZED);
        let mut browser = Browser::signed_in(&lab, HOSTILE).await;
        let page = browser.get("/account").await;
        assert!(page.text.contains("<bdi>&#60;img src=x onerror=alert(1)&#62;\u{202e}"), "{}", page.text);
        for path in ["/login?next=%22%3E%3Cscript%3E", "/docs/applications?q=%3Cscript%3E", "/r/%3Cscript%3E", "/system/%22%3E"] {
            let page = browser.get(path).await;
            assert!(!page.text.contains("<script>"), "{path}: {}", page.text);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_clear_nobody_signs_in() {
    let lab = Lab::with(Mode::Normal, |config| config.http = vec!["127.0.0.1:0".parse().unwrap()]).await;
    let clear = lab.server.addresses()[1];
    let client = lab.strict_client();
    for path in ["/", "/login", "/repositories", "/system", "/r/a"] {
        let answer = client.get(format!("http://{clear}{path}")).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK, "{path}");
        assert_eq!(header(&answer, "set-cookie"), "");
        let text = answer.text().await.unwrap();
        let tls = lab.server.addresses()[0].port();
        assert!(text.contains(&format!(":{tls}/")) && !text.contains("type=\"password\""), "{path}: {text}");
    }
    let body = super::encoded(&[("username", "admin"), ("password", &lab.password)]);
    let post = client.post(format!("http://{clear}/login")).body(body);
    let answer = post.header("content-type", "application/x-www-form-urlencoded").send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::FORBIDDEN);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_everybody_may_pull_everybody_may_look() {
    let lab = Lab::with(Mode::Normal, |config| config.anonymous = Anonymous::PublicRepositories).await;
    let mut browser = Browser::new(&lab);
    assert_eq!(browser.get("/").await.location(), "/repositories");
    assert_eq!(browser.get("/docs/applications").await.status, StatusCode::OK);
    assert_eq!(browser.get("/system").await.location(), "/login?next=%2Fsystem");
    assert_eq!(browser.get("/r/a/-/delete").await.location(), "/login?next=%2Fr%2Fa%2F-%2Fdelete");
}
