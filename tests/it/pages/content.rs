//! Repositories, their tags, settings, search.

use std::io::Read as _;
use std::time::Duration;

use flate2::read::GzDecoder;
use msr_lite::base::config::Anonymous;
use msr_lite::meta::Mode;
use reqwest::{Method, StatusCode};
use serde_json::json;

use super::{Browser, HOSTILE, Page, add_user, encoded};
use crate::app_fixture::{Client, Wanted, app_fixture, push_app};
use crate::harness::{Lab, OCI_INDEX, OCI_MANIFEST, descriptor, on_each_engine};

/// What the rows are of, in their order.
fn rows(page: &Page) -> Vec<String> {
    let links = page.text.split("data-row aria-label=\"Select ").skip(1);
    links.map(|rest| rest.split('"').next().unwrap().to_owned()).collect()
}

/// The address of a link with these words.
fn link(page: &Page, words: &str) -> String {
    let (before, _) = page.text.split_once(&format!("\">{words}</a>")).unwrap_or_else(|| panic!("{}", page.text));
    before.rsplit("href=\"").next().unwrap().split('"').next().unwrap().replace("&#38;", "&").replace("&amp;", "&")
}

on_each_engine! {
    async fn from_the_list_to_the_details(lab) {
        let app = app_fixture(&lab).await;
        let mut browser = Browser::signed_in(&lab, "admin").await;
        let list = browser.get("/repositories").await;
        assert_eq!(list.status, StatusCode::OK, "{}", list.text);
        list.has(&["href=\"/r/admin/lab-words/-/tags\"", "1 application", ">0.1.0<", "by <bdi>admin</bdi>"]);
        let tags = browser.get("/r/admin/lab-words/-/tags").await;
        let digest = format!("<code title=\"{}\">{}</code>", app.digest, &app.digest.hex()[..12]);
        tags.has(&[
            "href=\"/r/admin/lab-words/-/tags/0.1.0\"",
            "<span class=\"kind k-application\">Application</span>",
            "3 components",
            "href=\"/r/admin/lab-words/-/tags/0.1.0-invoc\"",
            "<span class=\"kind k-invocation\">Invocation image</span>",
            "<bdi>linux/amd64</bdi>",
            "<tr class=\"part\">",
            "docker app pull localhost",
            "cnab-to-oci pull",
            "1 in all",
            &digest,
            "View details",
        ]);
        assert_eq!(rows(&tags), ["0.1.0", "0.1.0-invoc"], "the invocation image below its application");
        let info = browser.get("/r/admin/lab-words").await;
        info.has(&["docker push localhost", "Your permission: admin, an administrator (<a href=\"/r/admin/lab-words/-/access\">why?</a>)", "docker app pull localhost"]);
    }

    async fn tags_are_filtered_sorted_and_paged(lab) {
        let app = app_fixture(&lab).await;
        let repo = "admin/lab-words";
        lab.clock.advance(Duration::from_mins(1));
        for n in 0..53 {
            lab.push_image(repo, &format!("1.{n:02}"), &vec![b'x'; 100 + n]).await;
            lab.clock.advance(Duration::from_secs(1));
        }
        let mut browser = Browser::signed_in(&lab, "admin").await;
        let first = browser.get("/r/admin/lab-words/-/tags").await;
        first.has(&["54 in all", "docker pull localhost", "rel=\"next\""]);
        let mut seen = rows(&first);
        assert_eq!((seen.len(), seen[0].as_str()), (50, "1.52"), "the latest push first");
        // With the stylesheet and the script, which travel compressed, a cold page is to stay below 45 kB.
        assert!(first.text.len() < 37_000, "{} bytes", first.text.len());
        first.has(&["<option value=\"image\">Image</option>"]);
        first.lacks(&["<option value=\"chart\""]);
        let second = browser.get(&link(&first, "Next page")).await;
        second.has(&[">First page</a>"]);
        second.lacks(&["rel=\"next\""]);
        seen.extend(rows(&second));
        assert_eq!(seen.len(), 55, "53 images, and the application with its invocation image");
        assert_eq!(seen[53..], ["0.1.0", "0.1.0-invoc"]);

        let tags = |query: &str| format!("/r/admin/lab-words/-/tags?{query}");
        let applications = browser.get(&tags("type=application")).await;
        assert_eq!(rows(&applications), ["0.1.0", "0.1.0-invoc"]);
        applications.has(&["<option value=\"application\" selected>"]);
        assert_eq!(rows(&browser.get(&tags("q=1.3&sort=name")).await), (30..40).map(|n| format!("1.{n}")).collect::<Vec<_>>());
        assert_eq!(rows(&browser.get(&tags("rows=100")).await).len(), 55);
        let by_name = browser.get(&link(&first, "Tag")).await;
        by_name.has(&["aria-sort=\"ascending\""]);
        assert_eq!(rows(&by_name)[..3], ["0.1.0", "0.1.0-invoc", "1.00"]);
        let by_size = browser.get(&link(&first, "Size")).await;
        assert_eq!(rows(&by_size)[0], "0.1.0");
        browser.get(&tags("q=nothing")).await.has(&["No tag fits."]);
        for bad in ["type=nothing", "sort=x", "rows=1", "after=x", "untagged=1&uafter=x"] {
            assert_eq!(browser.get(&tags(bad)).await.status, StatusCode::BAD_REQUEST, "{bad}");
        }
        // A mark is of its own list.
        let next = link(&first, "Next page");
        assert_eq!(browser.get(&format!("{next}&q=1")).await.status, StatusCode::BAD_REQUEST);

        // What loses its tag is listed when it is asked for.
        assert_eq!(lab.delete("/v2/admin/lab-words/manifests/1.00").await.status(), StatusCode::ACCEPTED);
        browser.get(&tags("")).await.has(&["untagged (1)"]);
        let untagged = browser.get(&tags("untagged=1&q=0.1.0")).await;
        untagged.has(&["<h2 id=\"untagged\">", "<small>no tag</small>"]);
        assert_eq!(rows(&untagged).len(), 3);
        assert!(!untagged.text.contains(&app.web.to_string()), "a component is not untagged");
    }

    async fn a_page_of_applications_travels_small(lab) {
        for n in 0..50 {
            push_app(&lab, Wanted { tag: format!("1.0.{n}").leak(), ..Wanted::default() }).await;
        }
        let mut browser = Browser::signed_in(&lab, "admin").await;
        let path = "/r/admin/lab-words/-/tags";
        let plain = browser.get(path).await;
        assert_eq!(rows(&plain).len(), 100);
        plain.has(&["50 in all; 100 tags with invocation images"]);
        assert!(!plain.headers.contains_key("content-encoding"));
        // As a browser asks when somebody types the address, or follows a link of ours.
        let gzip = |site: &'static str| [("accept-encoding", "gzip, deflate, br"), ("sec-fetch-site", site)];
        for site in ["none", "same-origin"] {
            let travels = browser.bytes(path, &gzip(site)).await;
            assert_eq!(travels.headers["content-encoding"], "gzip");
            let mut html = String::new();
            GzDecoder::new(travels.body.as_slice()).read_to_string(&mut html).unwrap();
            assert_eq!(html.matches("View details").count(), 100);
            // With the stylesheet, the script and the icons, a cold page is to stay below 45 kB.
            assert!(travels.body.len() < 30_000, "{} of {} bytes", travels.body.len(), plain.text.len());
            println!("50 applications: {} bytes, compressed {}", plain.text.len(), travels.body.len());
        }
        // What another site makes a browser ask for would tell by its length what stands in it.
        for site in ["cross-site", "same-site"] {
            assert!(!browser.bytes(path, &gzip(site)).await.headers.contains_key("content-encoding"), "{site}");
        }
        // And the text of the forms is never the same.
        assert_ne!(browser.get(path).await.csrf(), plain.csrf());
    }

    async fn repositories_are_made_filtered_and_changed(lab) {
        add_user(&lab, "alice").await;
        let mut admin = Browser::signed_in(&lab, "admin").await;
        let empty = admin.get("/repositories").await;
        empty.has(&["No repositories yet.", "docker push localhost", "docker login localhost"]);
        for n in 0..52 {
            let made = [("name", &*format!("lab/r{n:02}")), ("description", "One of many"), ("visibility", "private")];
            let page = admin.send("/repositories", "/repositories", &made).await;
            assert_eq!(page.location(), format!("/r/lab/r{n:02}"));
        }
        app_fixture(&lab).await;
        let list = admin.get("/repositories").await;
        list.has(&["<span class=\"count\">53</span>", "rel=\"next\"", "One of many", "nothing yet"]);
        let count = |page: &Page| page.text.matches("class=\"name\"").count();
        assert_eq!(count(&list), 50);
        assert_eq!(count(&admin.get(&link(&list, "Next page")).await), 3);
        let found = admin.get("/repositories?q=R1&ns=lab&sort=name").await;
        assert_eq!(count(&found), 10);
        found.has(&["value=\"R1\"", "value=\"lab\"", "href=\"/r/lab/r10/-/tags\""]);
        assert_eq!(count(&admin.get("/repositories?type=application").await), 1);
        admin.get("/repositories?q=nothing").await.has(&["No repository fits."]);

        // A user sees and makes what is in the own namespace.
        let mut alice = Browser::signed_in(&lab, "alice").await;
        alice.get("/repositories").await.has(&["No repositories yet.", "/alice/hello-world:1"]);
        for (name, status) in [("lab/r00", 403), ("lab/new", 403), ("UPPER", 400), ("", 400), ("alice/web", 303)] {
            let page = alice.send("/repositories", "/repositories", &[("name", name)]).await;
            assert_eq!(page.status.as_u16(), status, "{name}");
        }
        let again = alice.send("/repositories", "/repositories", &[("name", "alice/web"), ("description", "kept")]).await;
        assert_eq!(again.status, StatusCode::CONFLICT);
        again.has(&["There is a repository alice/web already", "value=\"kept\"", "<details class=\"new\" open>"]);
        let list = alice.get("/repositories").await;
        list.has(&["<span class=\"count\">1</span>", "alice/web"]);
        list.lacks(&["lab/r00", "lab-words"]);
        for path in ["/r/lab/r00", "/r/lab/r00/-/tags", "/r/lab/r00/-/settings", "/r/lab/r00/-/delete", "/r/lab/none"] {
            assert_eq!(alice.get(path).await.status, StatusCode::NOT_FOUND, "{path}");
        }

        // Settings.
        let settings = "/r/alice/web/-/settings";
        let sent = [("description", "A web"), ("readme", "\r\n# Web\r\n\r\n*Words*"), ("visibility", "public")];
        assert_eq!(alice.send(settings, settings, &sent).await.location(), format!("{settings}?done=saved"));
        let page = alice.get(&format!("{settings}?done=saved")).await;
        page.has(&["Saved.", "value=\"A web\"", "\n\n# Web\n\n*Words*</textarea>", "<option value=\"public\" selected>"]);
        page.has(&["Whoever is signed in may pull from a public repository"]);
        alice.get("/r/alice/web").await.has(&[">Web</h2>", "<em>Words</em>", "A web", "public", "the namespace is the user"]);
        let long = "x".repeat(141);
        let refused = alice.send(settings, settings, &[("description", &long), ("readme", "mine")]).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST);
        refused.has(&["at most 140 characters; it has 141", "mine</textarea>", &long]);
        alice.get(settings).await.has(&["value=\"A web\""]);
        let wrong = alice.send(settings, settings, &[("visibility", "secret")]).await;
        assert_eq!(wrong.status, StatusCode::BAD_REQUEST);

        // The whole repository goes only when its name is typed.
        let delete = "/r/alice/web/-/delete";
        let typed = alice.send(delete, delete, &[("name", "alice/wep")]).await;
        assert_eq!(typed.status, StatusCode::BAD_REQUEST);
        assert_eq!(alice.get("/r/alice/web").await.status, StatusCode::OK);
        let foreign = alice.send(delete, "/r/lab/r00/-/delete", &[("name", "lab/r00")]).await;
        assert_eq!(foreign.status, StatusCode::NOT_FOUND);
        assert_eq!(alice.send(delete, delete, &[("name", "alice/web")]).await.location(), "/repositories?done=deleted");
        assert_eq!(alice.get("/r/alice/web").await.status, StatusCode::NOT_FOUND);
    }

    async fn search_finds_what_one_may_see(lab) {
        add_user(&lab, "alice").await;
        let app = app_fixture(&lab).await;
        let mut admin = Browser::signed_in(&lab, "admin").await;
        admin.get("/search").await.has(&["Type into the box"]);
        let digest = app.digest.to_string();
        for (text, found) in [
            ("words", "href=\"/r/admin/lab-words\""),
            ("0.1", "href=\"/r/admin/lab-words/-/tags/0.1.0\""),
            (&digest[7..17], &*format!("/-/digests/{digest}\"")),
            (&app.bundle.hex()[..8], "<small>blob</small>"),
            ("org.opencontainers.image.title=lab-words", "<h2>Annotations</h2>"),
        ] {
            let page = admin.get(&format!("/search?{}", encoded(&[("q", text)]))).await;
            assert_eq!(page.status, StatusCode::OK);
            page.has(&[found]);
        }
        let mut alice = Browser::signed_in(&lab, "alice").await;
        for text in ["words", "0.1", &digest] {
            let page = alice.get(&format!("/search?{}", encoded(&[("q", text)]))).await;
            page.has(&["Nothing was found that you may see."]);
            page.lacks(&["lab-words"]);
        }
        let long = admin.get(&format!("/search?q={}", "x".repeat(201))).await;
        assert_eq!(long.status, StatusCode::BAD_REQUEST);
    }

    async fn what_others_wrote_stays_text(lab) {
        // Every page is read by the checker, which takes none of these for more than text.
        let repo = "admin/hostile";
        let layer = lab.push_blob(repo, b"layer").await;
        let typed = json!({
            "schemaVersion": 2, "mediaType": OCI_MANIFEST, "artifactType": format!("application/{HOSTILE}"),
            "config": descriptor("application/vnd.oci.empty.v1+json", &lab.push_blob(repo, b"{}").await, 2),
            "layers": [descriptor("application/x", &layer, 5)],
            "annotations": {
                "org.opencontainers.image.title": HOSTILE, "org.opencontainers.image.description": "needle <b>x</b>",
            },
        });
        lab.put_manifest(repo, "typed", OCI_MANIFEST, &typed).await;
        let (_, image) = lab.push_image(repo, "image", b"layer").await;
        let platform = json!({ "os": HOSTILE, "architecture": "\"><script>x</script>" });
        let child = json!({ "mediaType": OCI_MANIFEST, "digest": image, "size": 500, "platform": platform, "annotations": {
            "io.cnab.manifest.type": "component", "io.cnab.component.name": HOSTILE } });
        let index = json!({ "schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [child],
            "annotations": { "io.docker.type": "app", "org.opencontainers.image.title": HOSTILE } });
        let pushed = lab.put_manifest(repo, "app", OCI_INDEX, &index).await;
        assert_eq!(pushed.status(), StatusCode::CREATED, "{}", pushed.text().await.unwrap());

        let mut browser = Browser::signed_in(&lab, "admin").await;
        let settings = "/r/admin/hostile/-/settings";
        let readme = format!("</textarea>{HOSTILE}\n\n<script>x</script> [a](javascript:x) ![b](https://registry.lab/x.png)");
        let sent = [("description", HOSTILE), ("readme", readme.as_str())];
        assert_eq!(browser.send(settings, settings, &sent).await.status, StatusCode::SEE_OTHER);
        let query = encoded(&[("q", HOSTILE)]);
        for path in [
            "/repositories",
            "/r/admin/hostile",
            "/r/admin/hostile/-/tags",
            "/r/admin/hostile/-/tags?untagged=1",
            settings,
            "/r/admin/hostile/-/delete",
            "/r/admin/hostile/-/tags/app/delete",
            "/r/admin/hostile/-/delete-tags?ref=app&ref=typed&ref=image",
            "/search?q=needle",
            &format!("/search?{query}"),
            &format!("/repositories?{query}&{}", encoded(&[("ns", HOSTILE)])),
            &format!("/r/admin/hostile/-/tags?{query}"),
        ] {
            let page = browser.get(path).await;
            assert_eq!(page.status, StatusCode::OK, "{path}: {}", page.text);
            page.lacks(&["<img", "<script>", "<b>", "href=\"javascript:"]);
        }
        browser.get("/search?q=needle").await.has(&["<bdi>", "/-/digests/"]);
        for bad in [
            format!("/repositories?{}", encoded(&[("type", HOSTILE)])),
            format!("/r/admin/hostile/-/delete-tags?{}", encoded(&[("ref", HOSTILE)])),
            format!("/r/admin/hostile/-/tags?{}", encoded(&[("after", HOSTILE)])),
        ] {
            assert_eq!(browser.get(&bad).await.status, StatusCode::BAD_REQUEST, "{bad}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn signatures_are_shown_when_they_are_asked_for() {
    let lab = Lab::new(Mode::Normal).await;
    let repo = "admin/web";
    let (_, image) = lab.push_image(repo, "1", b"layer").await;
    let tag = format!("sha256-{}.sig", image.hex());
    let config = br#"{"architecture":"","os":""}"#;
    let signature = json!({
        "schemaVersion": 2, "mediaType": OCI_MANIFEST,
        "config": descriptor("application/vnd.oci.image.config.v1+json", &lab.push_blob(repo, config).await, config.len()),
        "layers": [descriptor("application/vnd.dev.cosign.simplesigning.v1+json", &lab.push_blob(repo, b"s").await, 1)],
    });
    assert_eq!(lab.put_manifest(repo, &tag, OCI_MANIFEST, &signature).await.status(), StatusCode::CREATED);
    let mut browser = Browser::signed_in(&lab, "admin").await;
    let tags = browser.get("/r/admin/web/-/tags").await;
    tags.has(&["signatures and SBOMs (1)", "1 in all; 2 tags with signatures</span>"]);
    assert_eq!(rows(&tags), ["1"]);
    for query in ["signatures=1&sort=name&q=sha", "type=signature"] {
        let shown = browser.get(&format!("/r/admin/web/-/tags?{query}")).await;
        assert_eq!(rows(&shown), [tag.as_str()]);
        shown.has(&["Cosign signature", "cosign download signature localhost"]);
    }
    assert_eq!(lab.delete("/v2/admin/web/manifests/1").await.status(), StatusCode::ACCEPTED);
    browser.get("/r/admin/web/-/tags").await.has(&["Only signatures and their like are tagged here."]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_invocation_image_without_a_tag_has_a_row() {
    let lab = Lab::new(Mode::Normal).await;
    let app = push_app(&lab, Wanted { client: Client::CnabToOci, ..Wanted::default() }).await;
    let mut browser = Browser::signed_in(&lab, "admin").await;
    let tags = browser.get("/r/admin/lab-words/-/tags").await;
    tags.has(&["invocation image (no tag)", "CNAB bundle", "porter inspect --reference localhost"]);
    assert_eq!(rows(&tags), ["0.1.0".to_owned(), app.invocation.to_string()]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_everybody_may_pull_everybody_may_look() {
    let lab = Lab::with(Mode::Normal, |config| config.anonymous = Anonymous::PublicRepositories).await;
    let app = app_fixture(&lab).await;
    lab.publish(app.repo).await;
    let mut nobody = Browser::new(&lab);
    let list = nobody.get("/repositories").await;
    list.has(&["admin/lab-words"]);
    list.lacks(&["New repository"]);
    let tags = nobody.get("/r/admin/lab-words/-/tags").await;
    tags.has(&["Your permission: read-only, the repository is public"]);
    tags.lacks(&["Delete…", "Settings", "type=\"checkbox\" name=\"ref\""]);
    let info = nobody.get("/r/admin/lab-words").await;
    info.lacks(&["Push to it", "docker push"]);
    for path in ["/r/admin/lab-words/-/settings", "/r/admin/lab-words/-/delete-tags?ref=0.1.0"] {
        assert!(nobody.get(path).await.location().starts_with("/login?next="), "{path}");
    }
    let made = nobody.send("/login", "/repositories", &[("name", "lab/new")]).await;
    assert_eq!(made.status, StatusCode::FORBIDDEN);
    let mut admin = Browser::signed_in(&lab, "admin").await;
    let settings = admin.get("/r/admin/lab-words/-/settings").await;
    settings.has(&["Everybody may pull from a public repository, also who is not signed in"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn head_and_wrong_methods_on_every_page() {
    let lab = Lab::new(Mode::Normal).await;
    app_fixture(&lab).await;
    let mut browser = Browser::signed_in(&lab, "admin").await;
    for (path, allow) in [
        ("/repositories", "GET, HEAD, POST"),
        ("/search", "GET, HEAD"),
        ("/r/admin/lab-words", "GET, HEAD"),
        ("/r/admin/lab-words/-/tags", "GET, HEAD"),
        ("/r/admin/lab-words/-/settings", "GET, HEAD, POST"),
        ("/r/admin/lab-words/-/delete", "GET, HEAD, POST"),
        ("/r/admin/lab-words/-/tags/0.1.0/delete", "GET, HEAD, POST"),
    ] {
        let head = browser.request(Method::HEAD, path, &[], "").await;
        assert_eq!((head.status, head.text.as_str()), (StatusCode::OK, ""), "{path}");
        let wrong = browser.request(Method::PUT, path, &[], "").await;
        assert_eq!((wrong.status, wrong.header("allow")), (StatusCode::METHOD_NOT_ALLOWED, allow), "{path}");
        if allow.ends_with("POST") {
            let without = browser.request(Method::POST, path, &[], "name=admin%2Flab-words&digest=x").await;
            assert_eq!(without.status, StatusCode::FORBIDDEN, "{path}: no text of ours");
        }
    }
    assert_eq!(browser.get("/r/admin/lab-words").await.status, StatusCode::OK, "nothing was changed");
}
