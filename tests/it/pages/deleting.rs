//! Deleting with a page that says first what goes.

use msr_lite::base::config::Anonymous;
use msr_lite::meta::Mode;
use reqwest::{Method, StatusCode};

use super::{Browser, Page, add_user, encoded};
use crate::app_fixture::app_fixture;
use crate::harness::{Lab, OCI_INDEX, OCI_MANIFEST, descriptor, on_each_engine};

const TAGS: &str = "/r/admin/lab-words/-/tags";

/// Sends the form of a confirmation page as it stands.
async fn confirm(browser: &mut Browser<'_>, page: &Page, to: &str, more: &[(&str, &str)]) -> Page {
    let (_, form) = page.text.split_once("<form class=\"stack\"").expect("there is a form");
    let mut fields: Vec<(String, String)> = Vec::new();
    for input in form.split("<input type=\"hidden\" name=\"").skip(1) {
        let (name, rest) = input.split_once("\" value=\"").unwrap();
        fields.push((name.to_owned(), rest.split('"').next().unwrap().to_owned()));
    }
    fields.extend(more.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    let fields: Vec<_> = fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    browser.request(Method::POST, to, &[("sec-fetch-site", "same-origin")], &encoded(&fields)).await
}

async fn status(lab: &Lab, reference: &str) -> StatusCode {
    lab.head(&format!("/v2/admin/lab-words/manifests/{reference}")).await.status()
}

on_each_engine! {
    async fn an_application_goes_with_what_belongs_to_it(lab) {
        let app = app_fixture(&lab).await;
        lab.push_image("admin/lab-words", "other", b"another layer").await;
        let mut browser = Browser::signed_in(&lab, "admin").await;
        let path = format!("{TAGS}/0.1.0/delete");
        let page = browser.get(&path).await;
        page.has(&[
            "Delete 0.1.0", "What goes", ">0.1.0<", ">0.1.0-invoc<", "it goes with 0.1.0", "component web",
            &app.multi.to_string(), "nothing else needs it", "Keep that tag", "Collection frees",
            "-u admin -X DELETE", "/api/v0/repositories/admin/lab-words/tags/0.1.0?withInvocation=true",
        ]);
        // Looking changes nothing, and neither does a form without its text or from elsewhere.
        assert_eq!(browser.request(Method::POST, &path, &[], "digest=x").await.status, StatusCode::FORBIDDEN);
        let fields = encoded(&[("csrf", &page.csrf()), ("digest", &app.digest.to_string())]);
        let cross = browser.request(Method::POST, &path, &[("sec-fetch-site", "cross-site")], &fields).await;
        assert_eq!(cross.status, StatusCode::FORBIDDEN);
        assert_eq!(status(&lab, "0.1.0").await, StatusCode::OK);

        // With the tag kept.
        let kept = browser.get(&format!("{path}?invocation=keep")).await;
        kept.has(&["What stays, and why", "becomes the tag of an ordinary image", "Delete it with its application"]);
        assert!(!kept.text.contains("withInvocation"), "{}", kept.text);

        let done = confirm(&mut browser, &page, &path, &[]).await;
        assert_eq!(done.location(), format!("{TAGS}?done=deleted"));
        browser.get(done.location()).await.has(&["Deleted. Collection frees the bytes later.", ">other<"]);
        for gone in ["0.1.0", "0.1.0-invoc", &app.web.to_string(), &app.multi.to_string()] {
            assert_eq!(status(&lab, gone).await, StatusCode::NOT_FOUND, "{gone}");
        }
        assert_eq!(status(&lab, "other").await, StatusCode::OK);
        assert_eq!(browser.get(&path).await.status, StatusCode::NOT_FOUND, "it is gone");
    }

    async fn the_invocation_images_tag_can_be_kept(lab) {
        let app = app_fixture(&lab).await;
        let mut browser = Browser::signed_in(&lab, "admin").await;
        let path = format!("{TAGS}/0.1.0/delete");
        let page = browser.get(&format!("{path}?invocation=keep")).await;
        confirm(&mut browser, &page, &path, &[]).await.location();
        assert_eq!(status(&lab, "0.1.0").await, StatusCode::NOT_FOUND);
        assert_eq!(status(&lab, "0.1.0-invoc").await, StatusCode::OK);
        assert_eq!(status(&lab, &app.invocation.to_string()).await, StatusCode::OK);
    }

    async fn what_an_application_needs_is_refused_unless_forced(lab) {
        add_user(&lab, "alice").await;
        let app = app_fixture(&lab).await;
        let mut browser = Browser::signed_in(&lab, "admin").await;
        for (path, costs) in [
            (format!("{TAGS}/0.1.0-invoc/delete"), "keeps the image, which loses its tag"),
            (format!("/r/admin/lab-words/-/digests/{}/delete", app.web), "cannot be pulled any more"),
        ] {
            let page = browser.get(&path).await;
            page.has(&["admin/lab-words:0.1.0", "name=\"force\"", "note bad", costs]);
            let refused = confirm(&mut browser, &page, &path, &[]).await;
            assert_eq!(refused.status, StatusCode::CONFLICT);
            refused.has(&["role=\"alert\"", "admin/lab-words:0.1.0"]);
        }
        assert_eq!(status(&lab, "0.1.0-invoc").await, StatusCode::OK);
        // Another page of the same session has the same text; the digest is what tells.
        let path = format!("{TAGS}/0.1.0-invoc/delete");
        let page = browser.get(&path).await;
        let done = confirm(&mut browser, &page, &path, &[("force", "1")]).await;
        assert_eq!(done.location(), format!("{TAGS}?done=deleted"));
        assert_eq!(status(&lab, "0.1.0-invoc").await, StatusCode::NOT_FOUND);
        // The application lists its invocation image still.
        browser.get(TAGS).await.has(&["invocation image (no tag)"]);
    }

    async fn several_go_at_once(lab) {
        let app = app_fixture(&lab).await;
        for tag in ["a", "b", "c"] {
            lab.push_image("admin/lab-words", tag, tag.as_bytes()).await;
        }
        let mut browser = Browser::signed_in(&lab, "admin").await;
        let target = "/r/admin/lab-words/-/delete-tags";
        let nothing = browser.get(target).await;
        assert_eq!(nothing.status, StatusCode::BAD_REQUEST);
        nothing.has(&["Nothing was chosen"]);
        let many = (0..101).map(|n| format!("ref=t{n}")).collect::<Vec<_>>().join("&");
        assert_eq!(browser.get(&format!("{target}?{many}")).await.status, StatusCode::BAD_REQUEST);
        assert_eq!(browser.get(&format!("{target}?ref=zz")).await.status, StatusCode::NOT_FOUND);
        let page = browser.get(&format!("{target}?ref=a&ref=zz&ref=0.1.0-invoc&ref=0.1.0&ref=b")).await;
        page.has(&["Delete 3 of admin/lab-words", "zz is not there any more.", "it goes with 0.1.0", "at least"]);
        let done = confirm(&mut browser, &page, target, &[]).await;
        assert_eq!(done.location(), format!("{TAGS}?done=deleted"));
        for gone in ["a", "b", "0.1.0", "0.1.0-invoc", &app.db.to_string()] {
            assert_eq!(status(&lab, gone).await, StatusCode::NOT_FOUND, "{gone}");
        }
        assert_eq!(status(&lab, "c").await, StatusCode::OK);
    }

    async fn a_tag_that_moved_is_not_deleted(lab) {
        lab.push_image("admin/lab-words", "1", b"first").await;
        let mut browser = Browser::signed_in(&lab, "admin").await;
        let path = format!("{TAGS}/1/delete");
        let page = browser.get(&path).await;
        lab.push_image("admin/lab-words", "1", b"second").await;
        let refused = confirm(&mut browser, &page, &path, &[]).await;
        assert_eq!(refused.status, StatusCode::CONFLICT);
        refused.has(&["Somebody pushed another manifest"]);
        assert_eq!(status(&lab, "1").await, StatusCode::OK);
        confirm(&mut browser, &refused, &path, &[]).await.location();
        assert_eq!(status(&lab, "1").await, StatusCode::NOT_FOUND);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_may_not_delete_does_not() {
    let lab = Lab::with(Mode::Normal, |config| config.anonymous = Anonymous::PublicRepositories).await;
    add_user(&lab, "alice").await;
    let app = app_fixture(&lab).await;
    lab.publish(app.repo).await;
    let mut alice = Browser::signed_in(&lab, "alice").await;
    let fields = [("digest", &*app.digest.to_string()), ("ref", "0.1.0"), ("name", "admin/lab-words")];
    for path in [
        format!("{TAGS}/0.1.0/delete"),
        "/r/admin/lab-words/-/delete-tags".to_owned(),
        "/r/admin/lab-words/-/delete".to_owned(),
    ] {
        assert_eq!(alice.get(&path).await.status, StatusCode::FORBIDDEN, "{path}");
        let sent = alice.send("/account", &path, &fields).await;
        assert_eq!(sent.status, StatusCode::FORBIDDEN, "{path}");
    }
    assert_eq!(status(&lab, "0.1.0").await, StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_an_administrator_forces() {
    let lab = Lab::new(Mode::Normal).await;
    add_user(&lab, "alice").await;
    let wanted = crate::app_fixture::Wanted { repo: "alice/words", ..Default::default() };
    crate::app_fixture::push_app(&lab, wanted).await;
    let mut alice = Browser::signed_in(&lab, "alice").await;
    let path = "/r/alice/words/-/tags/0.1.0-invoc/delete";
    let page = alice.get(path).await;
    page.has(&["alice/words:0.1.0", "Back to the tags"]);
    page.lacks(&["name=\"force\"", "class=\"danger\""]);
    let forced = confirm(&mut alice, &page, path, &[("force", "1")]).await;
    assert_eq!(forced.status, StatusCode::FORBIDDEN);
    forced.has(&["Only an administrator"]);
    assert_eq!(lab.head("/v2/alice/words/manifests/0.1.0-invoc").await.status(), StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_deletion_frees_does_not_tell_what_others_hold() {
    let lab = Lab::new(Mode::Normal).await;
    add_user(&lab, "alice").await;
    let guess = crate::harness::noise(50_000, 7);
    lab.push_image("alice/guess", "1", &guess).await;
    let mut alice = Browser::signed_in(&lab, "alice").await;
    let path = "/r/alice/guess/-/tags/1/delete";
    let frees = |page: Page| {
        let (_, rest) = page.text.split_once("Collection frees ").expect("it says what is freed");
        rest.split("</span>").next().unwrap().to_owned()
    };
    let before = frees(alice.get(path).await);
    lab.push_image("admin/hidden", "1", &guess).await;
    assert_eq!(frees(alice.get(path).await), before, "a repository that she may not see has the same layer");
    let mut admin = Browser::signed_in(&lab, "admin").await;
    assert_ne!(frees(admin.get(path).await), before, "who sees all is told exactly");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_platform_turns_the_words_of_a_deletion_around() {
    let lab = Lab::new(Mode::Normal).await;
    let (image, digest) = lab.push_image("admin/odd", "image", b"layer").await;
    let mut child = descriptor(OCI_MANIFEST, &digest, image.to_string().len());
    child["platform"] = serde_json::json!({ "os": super::HOSTILE, "architecture": "x".repeat(5_000) });
    let index = serde_json::json!({ "schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [child] });
    assert_eq!(lab.put_manifest("admin/odd", "odd", OCI_INDEX, &index).await.status(), StatusCode::CREATED);
    let page = Browser::signed_in(&lab, "admin").await.get("/r/admin/odd/-/tags/odd/delete").await;
    page.has(&["platform &#60;img"]);
    page.lacks(&["\u{202e}", "\u{2066}", &"x".repeat(1_000)]);
}
