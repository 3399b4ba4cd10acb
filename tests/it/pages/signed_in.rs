//! Sessions, and what an administrator does on the pages.

use std::time::Duration;

use msr_lite::meta::Mode;
use msr_lite::ops::handshakes::{Alert, Refused};
use reqwest::{Method, StatusCode};

use super::{Browser, Page, add_user};
use crate::harness::{Lab, on_each_engine};

const SESSION: &str = "__Host-session";

on_each_engine! {
    async fn a_new_sign_in_ends_the_session_before_it(lab) {
        let mut browser = Browser::signed_in(&lab, "admin").await;
        let first = browser.cookies[SESSION].clone();
        let fields = [("username", "admin"), ("password", lab.password.as_str())];
        assert_eq!(browser.send("/account", "/login", &fields).await.status, StatusCode::SEE_OTHER);
        assert_ne!(browser.cookies[SESSION], first);
        assert_eq!(browser.get("/account").await.status, StatusCode::OK);
        browser.cookies.insert(SESSION.into(), first);
        assert_eq!(browser.get("/account").await.status, StatusCode::SEE_OTHER, "nobody can end it any more");
    }

    async fn each_sign_in_has_a_session_of_its_own(lab) {
        add_user(&lab, "alice").await;
        let mut browser = Browser::new(&lab);
        assert_eq!(browser.get("/").await.location(), "/login");
        let before = browser.get("/login").await.csrf();
        assert_eq!(browser.sign_in("alice", &lab.password).await.location(), "/");
        let first = browser.cookies[SESSION].clone();
        assert!(first.len() == 43 && !browser.cookies.contains_key("__Host-visitor"), "{:?}", browser.cookies);
        assert_ne!(browser.get("/account").await.csrf(), before);

        // Somebody else's token, planted before the sign-in, is never made theirs.
        let mut victim = Browser::new(&lab);
        victim.cookies.insert(SESSION.into(), "planted-planted-planted-planted-planted-pla".into());
        victim.sign_in("alice", &lab.password).await;
        let second = victim.cookies[SESSION].clone();
        assert!(!second.starts_with("planted") && second != first);

        // Signing out ends this one, on the server.
        assert_eq!(browser.send("/account", "/logout", &[]).await.location(), "/login");
        assert!(!browser.cookies.contains_key(SESSION));
        browser.cookies.insert(SESSION.into(), first);
        assert_eq!(browser.get("/account").await.location(), "/login?next=%2Faccount");
        let own = [("sec-fetch-site", "same-origin")];
        let late = browser.request(Method::POST, "/account/password", &own, "csrf=x").await;
        assert!(late.status == StatusCode::FORBIDDEN && late.text.contains("Your session has ended"), "{}", late.text);
        assert_eq!(browser.request(Method::POST, "/logout", &own, "csrf=x").await.location(), "/login");
        assert_eq!(victim.get("/account").await.status, StatusCode::OK);

        // Sessions outlive a restart, and end when nobody uses them.
        let cookies = victim.cookies;
        let lab = lab.restart().await;
        let mut victim = Browser { cookies, ..Browser::new(&lab) };
        assert_eq!(victim.get("/account").await.status, StatusCode::OK);
        lab.clock.advance(Duration::from_hours(12));
        assert_eq!(victim.get("/account").await.status, StatusCode::SEE_OTHER);
        lab.server.runner().drain().await.unwrap();
        let rows = lab.server.registry().meta().read(|tx| msr_lite::meta::session::list(tx, None, 10)).unwrap();
        assert!(rows.is_empty(), "{rows:?}");
    }

    async fn a_refused_sign_in_tells_nothing(lab) {
        let mut browser = Browser::new(&lab);
        let words = |page: &Page| {
            let (_, rest) = page.text.split_once("role=\"alert\">").unwrap();
            rest.split('<').next().unwrap().to_owned()
        };
        let wrong = browser.sign_in("admin", "wrong").await;
        let unknown = browser.sign_in("nobody", "wrong").await;
        assert_eq!((wrong.status, unknown.status), (StatusCode::UNAUTHORIZED, StatusCode::UNAUTHORIZED));
        assert_eq!(words(&wrong), words(&unknown));
        assert!(!wrong.headers.contains_key("www-authenticate"));
        assert!(!browser.cookies.contains_key(SESSION));
        for attempt in 0..5 {
            browser.sign_in("admin", &format!("wrong {attempt}")).await;
        }
        let throttled = browser.sign_in("admin", "wrong again").await;
        assert_eq!(throttled.status, StatusCode::TOO_MANY_REQUESTS);
        assert!(throttled.header("retry-after").parse::<u64>().unwrap() >= 1);
        assert!(words(&throttled).contains("Try again in"), "{}", words(&throttled));
    }

    async fn the_way_back_stays_here(lab) {
        add_user(&lab, "alice").await;
        for (next, expected) in [
            ("/r/a/-/tags?q=1", "/r/a/-/tags?q=1"),
            ("//registry.lab/", "/"),
            ("https://registry.lab/", "/"),
            ("/\\registry.lab", "/"),
            ("javascript:alert(1)", "/"),
        ] {
            let mut browser = Browser::new(&lab);
            let fields = [("username", "alice"), ("password", &*lab.password), ("next", next)];
            assert_eq!(browser.send("/login", "/login", &fields).await.location(), expected);
        }
    }

    async fn the_first_steps(lab) {
        let mut browser = Browser::new(&lab);
        let first = lab.password.clone();
        assert_eq!(browser.sign_in("admin", &first).await.location(), "/welcome");
        assert_eq!(browser.get("/").await.location(), "/welcome", "until the password is changed");
        let page = browser.get("/welcome").await;
        for text in ["registry.lab", "name=\"current\"", &lab.server.pki().ca_facts().fingerprint, "docker login"] {
            assert!(page.text.contains(text), "{text} is missing: {}", page.text);
        }
        let old = browser.cookies[SESSION].clone();
        let change = |new: &'static str, again: &'static str| [("new", new), ("again", again), ("next", "/welcome")];
        for (current, new, again, status) in [
            ("wrong", "correct horse battery", "correct horse battery", StatusCode::FORBIDDEN),
            (&*first, "correct horse battery", "correct horse", StatusCode::BAD_REQUEST),
            (&*first, "short", "short", StatusCode::BAD_REQUEST),
        ] {
            let mut fields = vec![("current", current)];
            fields.extend(change(new, again));
            let page = browser.send("/welcome", "/account/password", &fields).await;
            assert_eq!(page.status, status, "{}", page.text);
            assert!(page.text.contains("role=\"alert\""));
        }
        assert!(lab.data().join("initial-admin-password").exists());
        let mut fields = vec![("current", &*first)];
        fields.extend(change("correct horse battery", "correct horse battery"));
        assert_eq!(browser.send("/welcome", "/account/password", &fields).await.location(), "/welcome");
        assert!(!lab.data().join("initial-admin-password").exists(), "it opens nothing any more");
        assert_ne!(browser.cookies[SESSION], old);
        assert!(!browser.get("/welcome").await.text.contains("name=\"current\""));
        assert_eq!(browser.get("/").await.location(), "/repositories");
        browser.cookies.insert(SESSION.into(), old);
        assert_eq!(browser.get("/welcome").await.status, StatusCode::SEE_OTHER, "the session from before has ended");
        let mut again = Browser::new(&lab);
        assert_eq!(again.sign_in("admin", "correct horse battery").await.location(), "/");
    }

    async fn a_name_is_added_to_the_certificate(lab) {
        let mut browser = Browser::signed_in(&lab, "admin").await;
        let refused = Refused {
            peer: "192.0.2.9".parse().unwrap(),
            dialled: lab.server.addresses()[0],
            asked: Some("asked.lab".into()),
            alert: Alert::UnknownCa,
        };
        lab.server.handshakes().refused(&refused);
        let page = browser.get("/system/certificate").await;
        for text in ["192.0.2.9", "<bdi>asked.lab</bdi>", "unknown_ca", "does not know the authority", "Add asked.lab"] {
            assert!(page.text.contains(text), "{text} is missing: {}", page.text);
        }
        assert!(browser.get("/system").await.text.contains("1 times"));
        let target = "/system/certificate/names";
        let page = browser.send("/system/certificate", target, &[("name", "asked.lab")]).await;
        assert_eq!(page.location(), "/system/certificate?done=name");
        let page = browser.get("/system/certificate?done=name").await;
        assert!(page.text.contains("<li>asked.lab</li>") && page.text.contains("role=\"status\""), "{}", page.text);
        assert!(lab.server.pki().covers("asked.lab"));
        for wrong in ["", "https://a", "a b", "<script>"] {
            let page = browser.send("/system/certificate", target, &[("name", wrong)]).await;
            assert_eq!(page.status, StatusCode::BAD_REQUEST, "{wrong}");
            assert!(page.text.contains("role=\"alert\""));
        }
        // By a name that the certificate does not have, the page offers to add it.
        let page = browser.request(Method::GET, "/welcome", &[("host", "other.lab")], "").await;
        assert!(page.text.contains("You opened this page as <strong><bdi>other.lab</bdi>"), "{}", page.text);
    }

    async fn collection_is_looked_at_and_begun(lab) {
        lab.push_image("lab/x", "1", b"layer").await;
        let mut browser = Browser::signed_in(&lab, "admin").await;
        let page = browser.get("/system/storage").await;
        assert!(page.text.contains("none yet") && !page.text.contains("What a run would find now"), "{}", page.text);
        let page = browser.get("/system/storage?survey=1").await;
        assert!(page.text.contains("What a run would find now"), "{}", page.text);
        let page = browser.send("/system/storage", "/system/storage/collect", &[]).await;
        assert_eq!(page.location(), "/system/storage?done=begun");
        for _ in 0..200 {
            if browser.get("/system/storage").await.text.contains("by hand") {
                let activity = browser.get("/activity").await;
                assert!(activity.text.contains("started the job"), "{}", activity.text);
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("the collection left no report");
    }

    async fn preferences_are_the_browsers(lab) {
        let mut browser = Browser::new(&lab);
        let page = browser.send("/login", "/account/prefs", &[("theme", "dark"), ("next", "/login")]).await;
        assert_eq!(page.location(), "/login");
        assert!(browser.get("/login").await.text.contains("data-theme=\"dark\""));
        browser.send("/login", "/account/prefs", &[("theme", "auto")]).await;
        assert!(browser.get("/login").await.text.contains("data-theme=\"auto\""));
        let page = browser.send("/login", "/account/prefs", &[("theme", "<b>")]).await;
        assert_eq!(page.status, StatusCode::BAD_REQUEST);
        browser.send("/login", "/account/prefs", &[("keys", "off")]).await;
        assert!(browser.get("/login").await.text.contains("data-keys=\"off\""));
    }
}
