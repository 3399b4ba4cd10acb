//! Pages of a manifest: an application, an image, a multi-arch image and everything else, whatever stands in them.

use msr_lite::meta::Mode;
use reqwest::StatusCode;
use serde_json::{Value, json};

use super::{Browser, HOSTILE, Page};
use crate::app_fixture::{Client, Wanted, app_fixture, push_app};
use crate::harness::{Lab, OCI_INDEX, OCI_MANIFEST, descriptor, on_each_engine, sha256};

const IMAGE_CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";

/// A page that is there; the browser checks what it is made of.
async fn shown(browser: &mut Browser<'_>, path: &str) -> Page {
    let page = browser.get(path).await;
    assert_eq!(page.status, StatusCode::OK, "{path}: {}", page.text);
    page
}

/// The row of a table in which this text stands.
fn row<'p>(page: &'p Page, text: &str) -> &'p str {
    let rows = page.text.split("<tr").skip(1).map(|row| row.split("</tr>").next().unwrap());
    rows.into_iter().find(|row| row.contains(text)).unwrap_or_else(|| panic!("no row has {text}: {}", page.text))
}

/// The links of a piece of a page.
fn links(html: &str) -> Vec<&str> {
    html.split("href=\"").skip(1).map(|rest| rest.split('"').next().unwrap()).collect()
}

/// The tabs of a page.
fn tabs(page: &Page) -> Vec<&str> {
    let (_, tabs) = page.text.split_once("<nav class=\"tabs\"").unwrap();
    links(tabs.split("</nav>").next().unwrap())
}

/// Every tab of a manifest; each is checked.
async fn all_tabs(browser: &mut Browser<'_>, path: &str) -> Vec<Page> {
    let mut pages = vec![shown(browser, path).await];
    for tab in tabs(&pages[0]).into_iter().skip(1).map(str::to_owned).collect::<Vec<_>>() {
        pages.push(shown(browser, &tab).await);
    }
    pages
}

async fn put(lab: &Lab, repo: &str, reference: Option<&str>, media_type: &str, body: &Value) -> String {
    let digest = sha256(body.to_string().as_bytes()).to_string();
    let pushed = lab.put_manifest(repo, reference.unwrap_or(&digest), media_type, body).await;
    assert_eq!(pushed.status(), StatusCode::CREATED, "{}", pushed.text().await.unwrap());
    digest
}

on_each_engine! {
    async fn an_application_leads_to_its_components_and_back(lab) {
        let app = app_fixture(&lab).await;
        let mut browser = Browser::signed_in(&lab, "admin").await;
        let page = shown(&mut browser, "/r/admin/lab-words/-/tags/0.1.0").await;
        assert!(page.text.contains("<span class=\"kind k-application\">Application</span>"), "{}", page.text);
        assert!(page.text.contains("<h1>admin/lab-words<span class=\"tag\">:0.1.0</span></h1>"));
        assert!(page.text.contains(&format!("docker app pull {}/admin/lab-words:0.1.0", host(&lab))));
        assert!(page.text.contains(&format!("/api/v0/repositories/admin/lab-words/tags/0.1.0&#39;")), "{}", page.text);
        assert!(page.text.contains("Words for the lab") && page.text.contains("alice &#60;alice@registry.lab&#62;"));
        assert!(!page.text.contains("Incomplete"));
        let expected = ["", "/parameters", "/bundle", "/referrers", "/raw"];
        assert_eq!(tabs(&page), expected.map(|tab| format!("/r/admin/lab-words/-/tags/0.1.0{tab}")));

        let web = row(&page, ">web<");
        assert!(web.contains("component") && web.contains("registry.lab/lib/web:1.0") && web.contains("present"));
        assert!(web.contains("linux/amd64"), "{web}");
        let pinned = format!("/r/admin/lab-words/-/digests/{}", app.web);
        assert_eq!(links(web), [&pinned, &pinned], "by name and by digest");
        let invocation = row(&page, "Invocation image");
        let tag = "/r/admin/lab-words/-/tags/0.1.0-invoc".to_owned();
        assert_eq!(links(invocation), [&tag, &format!("/r/admin/lab-words/-/digests/{}", app.invocation)]);
        // The platforms of a multi-arch component stand below it.
        let arm = row(&page, "linux/arm64</bdi>");
        assert!(arm.contains("class=\"part\"") && arm.contains(&app.platforms[1].to_string()), "{arm}");

        let image = shown(&mut browser, &pinned).await;
        assert!(image.text.contains("component web</bdi>") && image.text.contains("RUN make web"));
        assert!(links(&image.text).contains(&"/r/admin/lab-words/-/tags/0.1.0"), "{}", image.text);
        let image = shown(&mut browser, &tag).await;
        assert!(image.text.contains("k-invocation\">Invocation image") && image.text.contains("as <bdi>invocation</bdi>"));
        assert!(image.text.contains(&format!("docker pull {}/admin/lab-words:0.1.0-invoc", host(&lab))));
        let nested = shown(&mut browser, &format!("/r/admin/lab-words/-/digests/{}", app.platforms[1])).await;
        assert!(links(&nested.text).contains(&format!("/r/admin/lab-words/-/digests/{}", app.multi).as_str()));
        all_tabs(&mut browser, &format!("/r/admin/lab-words/-/digests/{}", app.multi)).await;
        all_tabs(&mut browser, &format!("/r/admin/lab-words/-/digests/{}", app.config)).await;

        let parameters = shown(&mut browser, "/r/admin/lab-words/-/tags/0.1.0/parameters").await;
        assert!(row(&parameters, ">port<").contains("docker_param1"));
        assert!(row(&parameters, "docker.context").contains("/cnab/app/context.dockercontext"));
        assert!(row(&parameters, "com.docker.app.inspect").contains("<td>no</td><td>no</td>"));
        let bundle = shown(&mut browser, "/r/admin/lab-words/-/tags/0.1.0/bundle").await;
        assert!(bundle.text.contains("&#34;schema_version&#34;: &#34;v1.0.0-WD&#34;"), "{}", bundle.text);
        // The form of the address is the manifest's own; an image has no components.
        assert_eq!(browser.get("/r/admin/lab-words/-/tags/0.1.0-invoc/components").await.status, StatusCode::NOT_FOUND);
        assert_eq!(browser.get("/r/admin/lab-words/-/tags/0.2.0").await.status, StatusCode::NOT_FOUND);
        let anonymous = Browser::new(&lab).get("/r/admin/lab-words/-/tags/0.1.0").await;
        assert!(anonymous.location().starts_with("/login?next="));
    }

    async fn what_an_application_lacks_is_said(lab) {
        push_app(&lab, Wanted { missing: &["web"], ..Wanted::default() }).await;
        let mut browser = Browser::signed_in(&lab, "admin").await;
        let page = shown(&mut browser, "/r/admin/lab-words/-/tags/0.1.0").await;
        assert!(page.text.contains("Incomplete: a pull will fail.") && page.text.contains("One part of it is not"));
        let web = row(&page, ">web<");
        assert!(web.contains("missing</span><small>: not in this registry: a pull will fail"), "{web}");
        assert!(links(web).is_empty(), "what is not here has no page");
        assert!(row(&page, ">db<").contains("present"));

        // cnab-to-oci pushes no tag for the invocation image, and this bundle names an image that is nowhere.
        let foreign = Wanted { client: Client::CnabToOci, foreign: true, repo: "lab/bundle", ..Wanted::default() };
        let app = push_app(&lab, foreign).await;
        let page = shown(&mut browser, "/r/lab/bundle/-/tags/0.1.0").await;
        let cache = row(&page, ">cache<");
        assert!(cache.contains("foreign</span><small>: the bundle names it") && links(cache).is_empty(), "{cache}");
        let invocation = row(&page, "invocation image (no tag)");
        let pinned = format!("/r/lab/bundle/-/digests/{}", app.invocation);
        assert_eq!(links(invocation), [&pinned, &pinned]);
        assert!(page.text.contains("<bdi>words</bdi>") && !page.text.contains("Incomplete"));

        let twin = Wanted { client: Client::CnabToOci, repo: "lab/bundle", tag: "0.2.0", ..Wanted::default() };
        push_app(&lab, twin).await;
        let page = shown(&mut browser, "/r/lab/bundle/-/tags/0.1.0").await;
        assert!(links(row(&page, ">web<")).contains(&"/r/lab/bundle/-/tags/0.2.0"));
    }
}

/// The registry as commands name it.
fn host(lab: &Lab) -> String {
    lab.url("").strip_prefix("https://").unwrap().to_owned()
}
