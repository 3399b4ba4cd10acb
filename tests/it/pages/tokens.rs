//! One's own access tokens.

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use msr_lite::meta::{Mode, event};
use msr_lite::model::Actor;
use msr_lite::model::event::Happening;
use reqwest::{Method, StatusCode};

use super::{Browser, HOSTILE, Page, add_user, encoded};
use crate::harness::{Lab, on_each_engine};

const LIST: &str = "/account/tokens";

/// The text that a page shows, if it does.
fn shown(page: &Page) -> Option<String> {
    let (_, rest) = page.text.split_once("mslt_")?;
    Some(format!("mslt_{}", &rest[..44]))
}

/// The id in the address of the first token of the list.
fn first_id(page: &Page) -> String {
    let (_, rest) = page.text.split_once("href=\"/account/tokens/").expect("the list has a token");
    rest[..64].to_owned()
}

/// The value that tells a form from the next one.
fn form(page: &Page) -> String {
    let (_, rest) = page.text.split_once("name=\"form\" value=\"").expect("the page has the form");
    rest.split('"').next().unwrap().to_owned()
}

/// Makes a token as a person does; the page that shows it.
async fn make(browser: &mut Browser<'_>, label: &str, scope: &str, places: &str, days: &str) -> Page {
    let page = browser.get(LIST).await;
    let (csrf, form) = (page.csrf(), form(&page));
    let fields = [
        ("csrf", csrf.as_str()),
        ("form", &form),
        ("label", label),
        ("scope", scope),
        ("places", places),
        ("days", days),
    ];
    browser.request(Method::POST, LIST, &[("sec-fetch-site", "same-origin")], &encoded(&fields)).await
}

async fn status(lab: &Lab, password: &str, method: Method, path: &str) -> u16 {
    let request = lab.anonymous(method, path).header("user-agent", "a-build-job/1.0");
    request.basic_auth("alice", Some(password)).send().await.unwrap().status().as_u16()
}

on_each_engine! {
    async fn a_token_is_shown_once_and_does_what_it_says_and_no_more(lab) {
        add_user(&lab, "alice").await;
        for repo in ["alice/web", "alice/db"] {
            lab.push_image(repo, "1", b"layer").await;
        }
        let mut alice = Browser::signed_in(&lab, "alice").await;
        let page = alice.get(LIST).await;
        page.has(&["No access tokens yet", "API: <code>curl", "/api/v0/api_tokens?username=alice", "alice/web: read-write"]);

        let made = make(&mut alice, "nightly build", "places", "alice/web: read-write\r\n", "30").await;
        assert_eq!(made.status, StatusCode::CREATED, "{}", made.text);
        let token = shown(&made).unwrap();
        let port = lab.server.addresses()[0].port();
        made.has(&[
            "shown this once",
            "nightly build",
            "read-write on alice/web",
            &format!("docker login -u alice localhost:{port}"),
            &format!(
                "kubectl create secret docker-registry msr-lite --docker-server=localhost:{port} --docker-username=alice \
                 --docker-password={token}"
            ),
        ]);
        assert!(!made.headers.contains_key("location") && made.header("cache-control") == "no-store");
        let list = alice.get(LIST).await;
        list.has(&["nightly build", "read-write on alice/web", ">active<", "never"]);
        let id = first_id(&list);
        let about = alice.get(&format!("{LIST}/{id}")).await;
        about.has(&["nightly build", "read-write on alice/web", &id]);
        for page in [&list, &about] {
            page.lacks(&[&token, "mslt_"]);
        }

        // At the registry it is the password that it says, there and nowhere else.
        assert_eq!(status(&lab, &token, Method::GET, "/v2/").await, 200);
        assert_eq!(status(&lab, &token, Method::GET, "/v2/alice/web/manifests/1").await, 200);
        assert_eq!(status(&lab, &token, Method::POST, "/v2/alice/web/blobs/uploads/").await, 202);
        assert_eq!(status(&lab, &token, Method::GET, "/v2/alice/db/manifests/1").await, 404);
        assert_eq!(status(&lab, &token, Method::DELETE, "/api/v0/repositories/alice/web").await, 403);
        let scope = "/auth/token?service=msr-lite&scope=repository:alice/web:pull,push";
        assert_eq!(status(&lab, &token, Method::GET, scope).await, 200);
        assert_eq!(Browser::new(&lab).sign_in("alice", &token).await.status, StatusCode::UNAUTHORIZED, "no pages");
        alice.get(LIST).await.has(&["from 127.0.0.1, <bdi>a-build-job/1.0</bdi>"]);

        // Labelled anew, switched off and on, revoked.
        let path = format!("{LIST}/{id}");
        let page = alice.send(&path, &path, &[("label", "weekly build")]).await;
        assert_eq!(page.location(), format!("{path}?done=saved"));
        alice.get(&path).await.has(&["weekly build"]);
        assert_eq!(alice.send(&path, &path, &[("label", " ")]).await.status, StatusCode::BAD_REQUEST);
        for (step, answer, state) in [("deactivate", 401, ">inactive<"), ("activate", 200, ">active<")] {
            let step_path = format!("{path}/{step}");
            let page = alice.get(&step_path).await;
            page.has(&["weekly build", "read-write on alice/web", "from 127.0.0.1"]);
            let done = format!("{LIST}?done={step}");
            assert_eq!(alice.send(&step_path, &step_path, &[]).await.location(), done);
            alice.get(&done).await.has(&["role=\"status\"", state]);
            assert_eq!(status(&lab, &token, Method::GET, "/v2/").await, answer, "at once");
        }
        let revoke = format!("{path}/revoke");
        alice.get(&revoke).await.has(&["for ever", &format!("-X DELETE &#39;https://localhost:{port}/api/v0/api_tokens/{id}")]);
        assert_eq!(alice.send(&revoke, &revoke, &[]).await.location(), format!("{LIST}?done=revoke"));
        assert_eq!(status(&lab, &token, Method::GET, "/v2/").await, 401, "at once");
        alice.get(&format!("{LIST}?done=revoke")).await.lacks(&["weekly build"]);
        assert_eq!(alice.get(&path).await.status, StatusCode::NOT_FOUND);

        // All of it is on record, with the browser's address; the token's text is nowhere in the store's events.
        let events = lab.server.registry().meta().read(|tx| event::list(tx, 1000)).unwrap();
        let of_token = |event: &msr_lite::model::Event| match &event.what {
            Happening::TokenCreated { .. } => Some("made"),
            Happening::TokenChanged { active, .. } => Some(if *active { "on" } else { "off" }),
            Happening::TokenDeleted { .. } => Some("gone"),
            _ => None,
        };
        let of_tokens: Vec<_> = events.iter().filter_map(|event| Some((of_token(event)?, event))).collect();
        let mut names: Vec<_> = of_tokens.iter().map(|(name, _)| *name).collect();
        names.sort_unstable();
        assert_eq!(names, ["gone", "made", "off", "on", "on"]);
        for (_, event) in of_tokens {
            assert_eq!((event.actor.name(), event.address.as_deref()), ("alice", Some("127.0.0.1")));
        }
        assert!(!format!("{events:?}").contains(&token));
    }

    async fn a_form_that_is_sent_again_makes_no_second_token(lab) {
        let mut admin = Browser::signed_in(&lab, "admin").await;
        let page = admin.get(LIST).await;
        let (csrf, form) = (page.csrf(), form(&page));
        let fields = [("csrf", csrf.as_str()), ("form", &form), ("label", "once"), ("scope", "all"), ("days", "")];
        let body = encoded(&fields);
        let made = admin.request(Method::POST, LIST, &[], &body).await;
        assert_eq!(made.status, StatusCode::CREATED);
        made.has(&["all that you may", "never"]);
        let token = shown(&made).unwrap();
        let again = admin.request(Method::POST, LIST, &[], &body).await;
        assert_eq!(again.status, StatusCode::CONFLICT);
        again.has(&["This form was sent before", "Nothing was made now", "once"]);
        again.lacks(&["mslt_"]);
        assert_eq!(lab.server.access().count_tokens("admin").unwrap(), 1);
        // Nor after a restart; and without what tells forms apart nothing is made either.
        let cookies = admin.cookies;
        let lab = lab.restart().await;
        let mut admin = Browser { cookies, ..Browser::new(&lab) };
        assert_eq!(admin.request(Method::POST, LIST, &[], &body).await.status, StatusCode::CONFLICT);
        let without = admin.send(LIST, LIST, &[("label", "x"), ("scope", "all"), ("days", "")]).await;
        assert_eq!(without.status, StatusCode::BAD_REQUEST);
        assert_eq!(lab.server.access().count_tokens("admin").unwrap(), 1);
        let signed_in = lab.anonymous(Method::GET, "/v2/").basic_auth("admin", Some(&token)).send().await.unwrap();
        assert_eq!(signed_in.status(), StatusCode::OK);
    }

    async fn what_does_not_work_is_said_and_kept_in_the_form(lab) {
        add_user(&lab, "alice").await;
        let mut alice = Browser::signed_in(&lab, "alice").await;
        for (label, scope, places, days, words) in [
            ("", "all", "", "1", "Say what the token is for"),
            ("typed-label", "all", "", "0", "works for 1 to 3650 days"),
            ("typed-label", "places", "", "1", "Name at least one repository"),
            ("typed-label", "places", "typed-place", "1", "after a colon, how much"),
            ("typed-label", "places", "Typed-place: admin", "1", "names neither a repository"),
            ("typed-label", "everything", "", "1", "Choose what the token gives"),
            ("a\u{7}b", "all", "", "1", "A label is one line"),
        ] {
            let page = make(&mut alice, label, scope, places, days).await;
            assert_eq!(page.status, StatusCode::BAD_REQUEST, "{}", page.text);
            page.has(&["role=\"alert\"", words, "<details class=\"new\" open>"]);
            assert!(label.contains('\u{7}') || page.text.contains(&format!("value=\"{label}\"")), "{}", page.text);
            assert!(page.text.contains(places) && page.text.contains(&format!("value=\"{days}\"")), "{}", page.text);
        }
        assert_eq!(lab.server.access().count_tokens("alice").unwrap(), 0);
        // A label is text, on every page that shows it.
        let hostile: String = HOSTILE.chars().filter(|c| !c.is_control()).collect();
        let made = make(&mut alice, &hostile, "read-only", "", "7").await;
        assert_eq!(made.status, StatusCode::CREATED, "{}", made.text);
        let id = first_id(&alice.get(LIST).await);
        for step in ["", "/deactivate", "/activate", "/revoke"] {
            alice.get(&format!("{LIST}/{id}{step}")).await.has(&["&#60;img src=x"]);
        }
    }

    async fn an_expired_token_is_said_to_be_so(lab) {
        add_user(&lab, "alice").await;
        let mut alice = Browser::signed_in(&lab, "alice").await;
        let token = shown(&make(&mut alice, "short", "read-only", "", "1").await).unwrap();
        assert_eq!(status(&lab, &token, Method::GET, "/v2/").await, 200);
        lab.clock.advance(Duration::from_hours(24));
        assert_eq!(status(&lab, &token, Method::GET, "/v2/").await, 401);
        let mut alice = Browser::signed_in(&lab, "alice").await;
        let list = alice.get(LIST).await;
        list.has(&[">expired<", "read-only, wherever you may pull"]);
        list.lacks(&[">Deactivate<", ">Activate<"]);
        let path = format!("{LIST}/{}", first_id(&list));
        alice.get(&path).await.has(&["It has expired and is refused. <a href=\"/account/tokens?new=1\">Make a new one</a>"]);
        let activate = format!("{path}/activate");
        let page = alice.get(&activate).await;
        page.has(&["activating it does not change that"]);
        let page = alice.send(&path, &activate, &[]).await;
        assert_eq!(page.status, StatusCode::CONFLICT);
        page.has(&["role=\"alert\"", "Make a new one"]);
    }

    async fn tokens_of_others_are_none(lab) {
        for name in ["alice", "bob"] {
            add_user(&lab, name).await;
        }
        let mut alice = Browser::signed_in(&lab, "alice").await;
        let token = shown(&make(&mut alice, "mine", "all", "", "").await).unwrap();
        let path = format!("{LIST}/{}", first_id(&alice.get(LIST).await));
        for name in ["bob", "admin"] {
            let mut other = Browser::signed_in(&lab, name).await;
            other.get(LIST).await.lacks(&["mine"]);
            for step in ["", "/deactivate", "/activate", "/revoke"] {
                let target = format!("{path}{step}");
                let page = other.get(&target).await;
                assert_eq!(page.status, StatusCode::NOT_FOUND);
                page.lacks(&["mine"]);
                let page = other.send("/account", &target, &[("label", "stolen")]).await;
                assert_eq!(page.status, StatusCode::NOT_FOUND, "{name} {target}");
            }
        }
        assert_eq!(status(&lab, &token, Method::GET, "/v2/").await, 200);
        alice.get(LIST).await.has(&[">mine<"]);
    }

    async fn long_lists_have_pages(lab) {
        let mut admin = Browser::signed_in(&lab, "admin").await;
        for n in 0..51 {
            let new = msr_lite::access::personal_tokens::NewToken { label: format!("number-{n:02}"), ..Default::default() };
            lab.server.access().create_token(&Actor::system(), None, "admin", new).await.unwrap();
            lab.clock.advance(Duration::from_millis(1));
        }
        let page = admin.get(LIST).await;
        page.has(&["number-00", "number-49", "rel=\"next\""]);
        page.lacks(&["number-50"]);
        let (_, next) = page.text.split_once("rel=\"next\" href=\"").unwrap();
        let page = admin.get(next.split('"').next().unwrap()).await;
        page.has(&["number-50", "First page"]);
        page.lacks(&["number-49"]);
        assert_eq!(admin.get(&format!("{LIST}?after=x")).await.status, StatusCode::BAD_REQUEST);
    }
}

/// Everything that is logged while it listens, as text.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Option<Vec<u8>>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if let Some(text) = self.0.lock().unwrap().as_mut() {
            text.extend_from_slice(bytes);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Whatever is logged on any thread, down to the least detail of ours.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_text_of_a_token_is_in_no_log_line() {
    let log = Log(Arc::new(Mutex::new(Some(Vec::new()))));
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter("msr_lite=trace,access=trace")
        .with_writer(move || writer.clone())
        .with_ansi(false)
        .finish();
    // Of the whole process: requests are served on other threads.
    tracing::subscriber::set_global_default(subscriber).unwrap();
    let lab = Lab::new(Mode::Normal).await;
    add_user(&lab, "alice").await;
    let mut alice = Browser::signed_in(&lab, "alice").await;
    let token = shown(&make(&mut alice, "logged", "all", "", "").await).unwrap();
    assert_eq!(status(&lab, &token, Method::GET, "/v2/").await, 200);
    let scope = "/auth/token?service=msr-lite&offline_token=true";
    assert_eq!(status(&lab, &token, Method::GET, scope).await, 200);
    let fields = [("current", lab.password.as_str()), ("new", "not to be logged"), ("again", "not to be logged")];
    assert_eq!(alice.send("/account", "/account/password", &fields).await.status, StatusCode::SEE_OTHER);
    let session = alice.cookies["__Host-session"].clone();
    let text = String::from_utf8(log.0.lock().unwrap().take().unwrap()).unwrap();
    assert!(text.contains("page_tokens") && text.contains("password changed"), "{text}");
    for secret in [&token, "mslt_", "not to be logged", &session, &lab.password] {
        assert!(!text.contains(secret), "{secret} is in the log:\n{text}");
    }
}
