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
        assert!(page.text.contains("/api/v0/repositories/admin/lab-words/tags/0.1.0&#39;"), "{}", page.text);
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
        assert!(image.text.contains("k-invocation\">Invocation image") && image.text.contains("as <bdi>invocation image</bdi>"));
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
        // Both places count what the application lists; what comes from elsewhere is counted apart.
        assert!(page.text.contains("<dd>3 components <small>and an invocation image</small><br><small>1 more from elsewhere"));
        let list = shown(&mut browser, "/r/lab/bundle/-/tags").await;
        assert!(row(&list, "k-cnab-bundle").contains("<bdi>3 components</bdi>"), "{}", list.text);

        let twin = Wanted { client: Client::CnabToOci, repo: "lab/bundle", tag: "0.2.0", ..Wanted::default() };
        push_app(&lab, twin).await;
        let page = shown(&mut browser, "/r/lab/bundle/-/tags/0.1.0").await;
        assert!(links(row(&page, ">web<")).contains(&"/r/lab/bundle/-/tags/0.2.0"));
    }
}

/// Pushes an artifact: a config and files of these types, each file with a title.
async fn put_artifact(lab: &Lab, repo: &str, tag: &str, config: (&str, &Value), files: &[(&str, &str)]) -> String {
    let text = config.1.to_string();
    let stored = lab.push_blob(repo, text.as_bytes()).await;
    let mut layers = Vec::new();
    for (title, media_type) in files {
        let file = lab.push_blob(repo, title.as_bytes()).await;
        let mut file = descriptor(media_type, &file, title.len());
        file["annotations"] = json!({ "org.opencontainers.image.title": title });
        layers.push(file);
    }
    let config = descriptor(config.0, &stored, text.len());
    let body = json!({ "schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": config, "layers": layers });
    put(lab, repo, Some(tag), OCI_MANIFEST, &body).await
}

/// Pushes an image with this configuration and one layer.
async fn put_image(lab: &Lab, repo: &str, tag: Option<&str>, config: &Value, annotations: Value) -> (String, usize) {
    let text = config.to_string();
    let (config, layer) = (lab.push_blob(repo, text.as_bytes()).await, lab.push_blob(repo, b"a layer").await);
    let body = json!({
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": descriptor(IMAGE_CONFIG, &config, text.len()),
        "layers": [descriptor(LAYER, &layer, 7)],
        "annotations": annotations,
    });
    (put(lab, repo, tag, OCI_MANIFEST, &body).await, body.to_string().len())
}

on_each_engine! {
    async fn an_image_shows_its_layers_and_its_configuration(lab) {
        let config = json!({
            "architecture": "amd64", "os": "linux", "created": "2026-01-02T03:04:05Z",
            "config": {
                "User": "app", "Entrypoint": ["/run", "a b"], "Cmd": ["--words"], "WorkingDir": "/srv",
                "Env": ["PATH=/bin", "DB_PASSWORD=open sesame"], "Labels": { "lab.team": "words" },
                "ExposedPorts": { "8080/tcp": {} }, "Volumes": { "/data": {} },
            },
            "history": [
                { "created_by": "/bin/sh -c #(nop)  ENV PATH=/bin", "empty_layer": true },
                { "created": "2026-01-02T03:04:05Z", "created_by": "RUN /bin/sh -c apk add curl # buildkit" },
            ],
            "rootfs": { "type": "layers", "diff_ids": [sha256(b"x")] },
        });
        put_image(&lab, "lab/web", Some("1"), &config, json!({})).await;
        let mut browser = Browser::signed_in(&lab, "admin").await;
        let pages = all_tabs(&mut browser, "/r/lab/web/-/tags/1").await;
        let [layers, config, history, referrers, raw] = pages.as_slice() else { panic!("{} tabs", pages.len()) };
        assert!(row(layers, "RUN apk add curl").contains("present") && layers.text.contains("linux/amd64"));
        assert!(config.text.contains("[&#34;/run&#34;,&#34;a b&#34;]") && config.text.contains("/data"));
        assert!(config.text.contains("8080/tcp") && row(config, "lab.team").contains("words"));
        let masked = row(config, "DB_PASSWORD");
        assert!(masked.contains("<details><summary>hidden</summary><code class=\"break\"><bdi>open sesame"), "{masked}");
        assert!(!row(config, ">PATH<").contains("<details>"));
        assert!(row(history, "<bdi>ENV PATH=/bin").contains("none") && row(history, "RUN apk").contains("7 B"));
        let when = row(history, "RUN apk");
        assert!(when.contains("<time datetime=\"2026-01-02T03:04:05Z\">2026-01-02 03:04 UTC</time>"), "{when}");
        assert!(history.text.contains("<pre tabindex=\"0\"><code>ENV PATH=/bin\nRUN apk add curl\n</code></pre>"));
        assert!(referrers.text.contains("Nothing does") && raw.text.contains("&#34;schemaVersion&#34;: 2"));
        let delete = "/r/lab/web/-/tags/1/delete";
        assert!(links(&layers.text).contains(&delete) && !links(&raw.text).contains(&delete));
    }

    async fn a_configuration_is_shown_and_handed_out_as_it_was_pushed(lab) {
        let config = json!({
            "architecture": "amd64", "os": "linux", "author": HOSTILE, "words": "a\u{202e}b</code><script>",
            "config": { "Env": ["DB_PASSWORD=open sesame"] },
        });
        put_image(&lab, "lab/web", Some("1"), &config, json!({})).await;
        let (text, mut browser) = (config.to_string(), Browser::signed_in(&lab, "admin").await);
        let path = "/r/lab/web/-/tags/1/config";
        let page = shown(&mut browser, path).await;
        let (_, raw) = page.text.split_once("<h3 id=\"raw\">").unwrap();
        let digest = sha256(text.as_bytes()).to_string();
        assert!(raw.contains(&digest) && raw.contains(&format!("{} B", text.len())), "{raw}");
        assert!(raw.contains(IMAGE_CONFIG) && raw.contains("data-copy"), "{raw}");
        assert!(raw.contains("a\\u202eb&#60;/code&#62;&#60;script&#62;") && !raw.contains("<script>"), "{raw}");
        // It has the values that the table folds, so it is folded, too.
        let folded = "<details class=\"client\"><summary>Show it, with every value</summary>";
        assert!(raw.contains(folded) && raw.contains("open sesame"), "{raw}");
        assert!(links(raw).contains(&"/r/lab/web/-/tags/1/config?download=1"), "{raw}");

        let file = browser.get("/r/lab/web/-/tags/1/config?download=1").await;
        assert_eq!((file.status, file.text), (StatusCode::OK, text));
        let name = format!("attachment; filename=\"config-{}.json\"", &digest["sha256:".len()..][..12]);
        for (line, value) in [
            ("content-type", "application/octet-stream"),
            ("content-disposition", name.as_str()),
            ("content-security-policy", "default-src 'none'; sandbox"),
            ("x-content-type-options", "nosniff"),
            ("cache-control", "no-store"),
        ] {
            assert_eq!(file.headers[line], value, "{line}");
        }
        let foreign = Browser::new(&lab).get("/r/lab/web/-/tags/1/config?download=1").await;
        assert!(foreign.location().starts_with("/login?next="), "{}", foreign.text);

        // A long one is shown from its beginning, and is not to be copied from there.
        put_image(&lab, "lab/web", Some("long"), &json!({ "words": "x".repeat(200_000) }), json!({})).await;
        let page = shown(&mut browser, "/r/lab/web/-/tags/long/config").await;
        let (_, raw) = page.text.split_once("<h3 id=\"raw\">").unwrap();
        assert!(raw.contains("This is its beginning") && !raw.contains("data-copy") && raw.len() < 140_000);
        // Beyond the bound there are words, and the command that has none.
        put_image(&lab, "lab/web", Some("large"), &json!({ "words": "x".repeat(1_100_000) }), json!({})).await;
        let page = shown(&mut browser, "/r/lab/web/-/tags/large/config").await;
        let (_, raw) = page.text.split_once("<h3 id=\"raw\">").unwrap();
        assert!(raw.contains("1.1 MB") && raw.contains("more than 1 MiB") && raw.len() < 5_000, "{raw}");
        assert!(raw.contains("curl --cacert ca.crt -u admin -o config.json") && raw.contains("/v2/lab/web/blobs/sha256:"));
        let absent = browser.get("/r/lab/web/-/tags/large/config?download=1").await;
        assert_eq!(absent.status, StatusCode::NOT_FOUND, "{}", absent.text);

        // So too that of anything else, whether or not it is small enough, or JSON, to be looked into.
        let (thing, long) = ("application/vnd.lab.thing.v1+json", json!({ "words": "x".repeat(100_000) }));
        put_artifact(&lab, "lab/thing", "1", (thing, &long), &[("a.bin", "application/x")]).await;
        let page = shown(&mut browser, "/r/lab/thing/-/tags/1").await;
        assert!(links(&page.text).contains(&"/r/lab/thing/-/tags/1/config"), "{}", page.text);
        let page = shown(&mut browser, "/r/lab/thing/-/tags/1/config").await;
        assert!(page.text.contains("This is its beginning") && !page.text.contains("not in this registry"));
        let file = browser.get("/r/lab/thing/-/tags/1/config?download=1").await;
        assert_eq!((file.status, file.text), (StatusCode::OK, long.to_string()));
    }

    async fn attestations_are_no_platforms(lab) {
        let config = |architecture: &str| json!({ "architecture": architecture, "os": "linux" });
        let (amd, amd_size) = put_image(&lab, "lab/multi", None, &config("amd64"), json!({})).await;
        let (arm, arm_size) = put_image(&lab, "lab/multi", None, &config("arm64"), json!({})).await;
        let statement = lab.push_blob("lab/multi", b"{\"a\":1}").await;
        let mut layer = descriptor("application/vnd.in-toto+json", &statement, 7);
        layer["annotations"] = json!({ "in-toto.io/predicate-type": "https://slsa.dev/provenance/v1" });
        let empty = lab.push_blob("lab/multi", b"{}").await;
        let body = json!({ "schemaVersion": 2, "config": descriptor(IMAGE_CONFIG, &empty, 2), "layers": [layer] });
        let attestation = put(&lab, "lab/multi", None, OCI_MANIFEST, &body).await;
        let child = |digest: &str, size: usize, os: &str, architecture: &str| json!({
            "mediaType": OCI_MANIFEST, "digest": digest, "size": size, "platform": { "os": os, "architecture": architecture },
        });
        let mut about = child(&attestation, body.to_string().len(), "unknown", "unknown");
        about["annotations"] =
            json!({ "vnd.docker.reference.type": "attestation-manifest", "vnd.docker.reference.digest": amd });
        let gone = sha256(b"gone").to_string();
        let children =
            [child(&amd, amd_size, "linux", "amd64"), child(&arm, arm_size, "linux", "arm64"), about, child(&gone, 9, "linux", "s390x")];
        put(&lab, "lab/multi", Some("1"), OCI_INDEX, &json!({ "schemaVersion": 2, "manifests": children })).await;

        let mut browser = Browser::signed_in(&lab, "admin").await;
        let pages = all_tabs(&mut browser, "/r/lab/multi/-/tags/1").await;
        let (platforms, attestations) = pages[0].text.split_once("<h2>Attestations</h2>").unwrap();
        assert!(!platforms.contains("unknown/unknown") && platforms.matches("<tr>").count() == 4, "{platforms}");
        assert!(platforms.contains("Platforms<span class=\"n\">3</span>"));
        let page = format!("/r/lab/multi/-/digests/{amd}");
        assert_eq!(links(row(&pages[0], "linux/amd64")), [&page, &page]);
        assert!(links(row(&pages[0], "linux/s390x")).is_empty() && row(&pages[0], "linux/s390x").contains("missing"));
        assert!(attestations.contains("<bdi>linux/amd64</bdi>") && attestations.contains("https://slsa.dev/provenance/v1"));
        let image = shown(&mut browser, &page).await;
        assert!(image.text.contains("as <bdi>platform linux/amd64</bdi>"), "{}", image.text);
        all_tabs(&mut browser, &format!("/r/lab/multi/-/digests/{attestation}")).await;
    }

    async fn other_artifacts_are_files(lab) {
        let chart = json!({ "name": "web", "version": "2.0.1", "description": "A chart of the lab" });
        let types = ("application/vnd.cncf.helm.config.v1+json", "application/vnd.cncf.helm.chart.content.v1.tar+gzip");
        put_artifact(&lab, "charts/web", "2.0.1", (types.0, &chart), &[("web-2.0.1.tgz", types.1)]).await;
        let plugin = json!({ "Description": "A plugin of the lab", "Entrypoint": ["/run"] });
        let rootfs = "application/vnd.docker.image.rootfs.diff.tar.gzip";
        put_artifact(&lab, "lab/plugin", "1", ("application/vnd.docker.plugin.v1+json", &plugin), &[("r", rootfs)]).await;
        let thing = ("application/vnd.lab.thing.v1+json", &json!({ "of": "the lab" }));
        put_artifact(&lab, "lab/thing", "1", thing, &[("notes.txt", "text/plain"), ("b.bin", "application/x")]).await;

        let mut browser = Browser::signed_in(&lab, "admin").await;
        let pages = all_tabs(&mut browser, "/r/charts/web/-/tags/2.0.1").await;
        assert!(pages[0].text.contains("k-chart\">Helm chart") && pages[0].text.contains("A chart of the lab"));
        assert!(pages[0].text.contains(&format!("helm pull oci://{}/charts/web --version 2.0.1", host(&lab))));
        assert!(row(&pages[0], "web-2.0.1.tgz").contains("13 B"));
        assert!(pages[1].text.contains("&#34;version&#34;: &#34;2.0.1&#34;"), "{}", pages[1].text);
        let pages = all_tabs(&mut browser, "/r/lab/plugin/-/tags/1").await;
        assert!(pages[0].text.contains("Docker plugin") && pages[0].text.contains("A plugin of the lab"));
        assert!(pages[0].text.contains("docker plugin install"));
        let pages = all_tabs(&mut browser, "/r/lab/thing/-/tags/1").await;
        assert!(pages[0].text.contains("k-unknown\">Other") && pages[0].text.contains("application/vnd.lab.thing.v1+json"));
        assert!(row(&pages[0], "notes.txt").contains("text/plain") && row(&pages[0], "b.bin").contains("application/x"));
    }

    async fn referrers_stand_in_a_tree(lab) {
        let app = app_fixture(&lab).await;
        let empty = lab.push_blob(app.repo, b"{}").await;
        let attach = |subject: String, size: usize, artifact_type: &'static str, tag: Option<&'static str>| {
            let mut body = json!({
                "schemaVersion": 2, "mediaType": OCI_MANIFEST, "artifactType": artifact_type,
                "config": descriptor("application/vnd.oci.empty.v1+json", &empty, 2),
                "layers": [descriptor("application/vnd.oci.empty.v1+json", &empty, 2)],
                "subject": { "mediaType": OCI_MANIFEST, "digest": subject, "size": size },
            });
            body["annotations"] = json!({ "in-toto.io/predicate-type": HOSTILE });
            (body, tag)
        };
        let (body, _) = attach(app.digest.to_string(), 1, "application/spdx+json", None);
        let sbom = put(&lab, app.repo, None, OCI_MANIFEST, &body).await;
        let (body, _) = attach(sbom.clone(), body.to_string().len(), "application/vnd.cncf.notary.signature", None);
        let signature = put(&lab, app.repo, None, OCI_MANIFEST, &body).await;
        let (body, _) = attach(app.web.to_string(), 1, "application/vnd.cncf.notary.signature", None);
        let of_web = put(&lab, app.repo, None, OCI_MANIFEST, &body).await;

        // cosign ties a signature to its subject by a tag.
        let payload = lab.push_blob(app.repo, b"signed").await;
        let simple = descriptor("application/vnd.dev.cosign.simplesigning.v1+json", &payload, 6);
        let body = json!({ "schemaVersion": 2, "config": descriptor(IMAGE_CONFIG, &empty, 2), "layers": [simple] });
        let cosign = format!("sha256-{}.sig", app.db.hex());
        put(&lab, app.repo, Some(&cosign), OCI_MANIFEST, &body).await;

        let mut browser = Browser::signed_in(&lab, "admin").await;
        let pages = all_tabs(&mut browser, "/r/admin/lab-words/-/tags/0.1.0").await;
        assert!(pages[0].text.contains("Referrers<span class=\"n\">1</span>"));
        let by_tag = format!("/r/admin/lab-words/-/tags/{cosign}");
        assert!(links(&pages[3].text).contains(&by_tag.as_str()) && pages[3].text.contains("Cosign signature"));
        all_tabs(&mut browser, &by_tag).await;
        let tree = &pages[3].text;
        let [sbom_at, signature_at, web_at] =
            [&sbom, &signature, &of_web].map(|digest| tree.find(&format!("/-/digests/{digest}\"")).unwrap());
        assert!(sbom_at < signature_at && signature_at < web_at);
        assert!(tree[sbom_at..signature_at].contains("<ul>") && !tree[sbom_at..signature_at].contains("</li>"), "{tree}");
        assert!(tree[signature_at..web_at].contains("component web"), "{tree}");
        nothing_hostile(&pages[3]);
        let page = shown(&mut browser, &format!("/r/admin/lab-words/-/digests/{sbom}")).await;
        let subject = format!("/r/admin/lab-words/-/digests/{}", app.digest);
        assert!(links(&page.text).contains(&subject.as_str()) && page.text.contains("Attached to"));
    }

    async fn downloads_are_nothing_that_a_browser_runs(lab) {
        let app = app_fixture(&lab).await;
        let mut browser = Browser::signed_in(&lab, "admin").await;
        for (tab, name, bytes) in [("raw", "manifest-", app.index.to_string()), ("bundle", "bundle-", String::new())] {
            let page = shown(&mut browser, &format!("/r/admin/lab-words/-/tags/0.1.0/{tab}")).await;
            let path = format!("/r/admin/lab-words/-/tags/0.1.0/{tab}?download=1");
            assert!(links(&page.text).contains(&path.as_str()), "{}", page.text);
            let file = shown(&mut browser, &path).await;
            assert_eq!(file.header("content-type"), "application/octet-stream");
            assert!(file.header("content-disposition").starts_with(&format!("attachment; filename=\"{name}")));
            assert_eq!(file.header("content-security-policy"), "default-src 'none'; sandbox");
            assert_eq!((file.header("x-content-type-options"), file.header("cache-control")), ("nosniff", "no-store"));
            assert!(bytes.is_empty() || file.text == bytes, "{}", file.text);
        }
        assert_eq!(browser.get("/r/admin/lab-words/-/tags/0.1.0?download=1").await.status, StatusCode::NOT_FOUND);
    }

    async fn what_others_wrote_stays_text(lab) {
        let long = format!("{HOSTILE}\n{}", "x".repeat(9_000));
        let config = json!({
            "architecture": HOSTILE, "os": "linux", "created": HOSTILE, "author": HOSTILE,
            "config": {
                "User": HOSTILE, "Entrypoint": [HOSTILE, long], "Cmd": [HOSTILE], "WorkingDir": HOSTILE,
                "Env": [format!("{HOSTILE}={HOSTILE}"), format!("A_TOKEN={long}")], "Labels": { HOSTILE: long, "b": HOSTILE },
                "ExposedPorts": { HOSTILE: {} }, "Volumes": { HOSTILE: {} }, "StopSignal": HOSTILE,
            },
            "history": [{ "created": HOSTILE, "created_by": format!("{HOSTILE}\n</code>{long}"), "comment": HOSTILE }],
        });
        let annotations = json!({ HOSTILE: HOSTILE, "long": long, "org.opencontainers.image.title": HOSTILE });
        let (image, size) = put_image(&lab, "lab/web", Some("1"), &config, annotations.clone()).await;

        let bundle = json!({
            "schemaVersion": HOSTILE, "name": HOSTILE,
            "parameters": { HOSTILE: { "type": HOSTILE, "default": long, "destination": { "env": HOSTILE }, "description": HOSTILE } },
            "credentials": { HOSTILE: { "path": HOSTILE, "description": long } },
            "actions": { HOSTILE: { "description": HOSTILE } },
            "images": { HOSTILE: { "image": HOSTILE }, "elsewhere\n": { "image": long } },
        });
        let text = bundle.to_string();
        let stored = lab.push_blob("lab/web", text.as_bytes()).await;
        let stored = descriptor("application/vnd.cnab.config.v1+json", &stored, text.len());
        let body = json!({ "schemaVersion": 2, "config": stored, "layers": null });
        let carrier = put(&lab, "lab/web", None, OCI_MANIFEST, &body).await;
        let child = |digest: &str, size: usize, annotations: Value| json!({
            "mediaType": OCI_MANIFEST, "digest": digest, "size": size, "annotations": annotations,
        });
        let index = json!({
            "schemaVersion": 2,
            "manifests": [
                child(&carrier, body.to_string().len(), json!({ "io.cnab.manifest.type": "config" })),
                child(&image, size, json!({ "io.cnab.manifest.type": "component", "io.cnab.component.name": HOSTILE,
                    "io.cnab.component.original_name": long })),
            ],
            "annotations": { "io.docker.type": "app", HOSTILE: HOSTILE, "org.opencontainers.image.title": HOSTILE,
                "org.opencontainers.image.description": long, "org.opencontainers.image.authors": json!([HOSTILE]).to_string(),
                "io.cnab.keywords": json!([HOSTILE, long]).to_string(), "org.opencontainers.image.version": HOSTILE },
        });
        put(&lab, "lab/web", Some("app"), OCI_INDEX, &index).await;

        let mut platform = child(&image, size, annotations);
        platform["platform"] = json!({ "os": HOSTILE, "architecture": HOSTILE, "os.version": HOSTILE });
        put(&lab, "lab/web", Some("multi"), OCI_INDEX, &json!({ "schemaVersion": 2, "manifests": [platform] })).await;
        let thing = json!({ HOSTILE: long, "name": HOSTILE, "description": long });
        put_artifact(&lab, "lab/web", "thing", ("application/x", &thing), &[(HOSTILE, "text/plain"), (&long, "text/x")]).await;

        let mut browser = Browser::signed_in(&lab, "admin").await;
        for tag in ["1", "app", "multi", "thing"] {
            let pages = all_tabs(&mut browser, &format!("/r/lab/web/-/tags/{tag}")).await;
            for page in &pages {
                nothing_hostile(page);
            }
            assert!(pages[0].text.contains("&#60;img src=x onerror=alert(1)&#62;\\u202e\\u2066"), "{}", pages[0].text);
        }
        let page = shown(&mut browser, "/r/lab/web/-/tags/app").await;
        assert_eq!(links(row(&page, ">component<"))[0], format!("/r/lab/web/-/digests/{image}"));
    }

    async fn large_manifests_make_bounded_pages(lab) {
        let child = |n: usize| json!({
            "mediaType": OCI_MANIFEST, "digest": sha256(&n.to_be_bytes()), "size": 10,
            "platform": { "os": "linux", "architecture": format!("cpu{n}") },
            "annotations": { "org.opencontainers.image.title": "x".repeat(200) },
        });
        let children: Vec<_> = (0..5_000).map(child).collect();
        let multi = json!({ "schemaVersion": 2, "manifests": children });
        put(&lab, "lab/large", Some("multi"), OCI_INDEX, &multi).await;
        let component = |n: usize| {
            let mut child = child(n);
            child["annotations"] =
                json!({ "io.cnab.manifest.type": "component", "io.cnab.component.name": format!("c{n}") });
            child
        };
        let children: Vec<_> = (0..5_000).map(component).collect();
        let app = json!({ "schemaVersion": 2, "manifests": children, "annotations": { "io.docker.type": "app" } });
        put(&lab, "lab/large", Some("app"), OCI_INDEX, &app).await;
        let empty = lab.push_blob("lab/large", b"{}").await;
        let layers: Vec<_> = (0..4_000).map(|n| child(n + 9_000)).collect();
        let image = json!({ "schemaVersion": 2, "config": descriptor(IMAGE_CONFIG, &empty, 2), "layers": layers });
        put(&lab, "lab/large", Some("files"), OCI_MANIFEST, &image).await;

        let mut browser = Browser::signed_in(&lab, "admin").await;
        for (tag, left_out) in [("multi", 4_500), ("app", 4_500), ("files", 3_500)] {
            let pages = all_tabs(&mut browser, &format!("/r/lab/large/-/tags/{tag}")).await;
            assert!(pages[0].text.contains(&format!("{left_out} more are not shown")), "{tag}");
            assert!(pages[0].text.matches("<tr").count() <= 510 && pages[0].text.len() < 512 * 1024, "{tag}");
            let raw = &pages.last().unwrap().text;
            assert!(raw.contains("This is its beginning") && raw.len() < 1024 * 1024, "{tag}: {}", raw.len());
        }

        // Many long texts, each sign of which takes five in HTML.
        let text = "<".repeat(1_000);
        let variables: Vec<_> = (0..450).map(|n| format!("V{n}={text}")).collect();
        let history: Vec<_> = (0..450).map(|n| json!({ "created_by": format!("RUN {n} {text}") })).collect();
        let config = json!({ "os": "linux", "architecture": "amd64", "config": { "Env": variables }, "history": history });
        assert!(config.to_string().len() < 1024 * 1024, "more than that is not read");
        put_image(&lab, "lab/large", Some("texts"), &config, json!({})).await;
        for page in all_tabs(&mut browser, "/r/lab/large/-/tags/texts").await {
            assert!(page.text.len() < 1024 * 1024, "{}", page.text.len());
        }
    }
}

/// Nothing in the page is more than text, or hides or turns around what stands beside it.
fn nothing_hostile(page: &Page) {
    let text = &page.text;
    assert!(!text.contains("<img") && !text.contains(['\u{202e}', '\u{2066}']), "{text}");
    for link in links(text) {
        assert!(link.bytes().all(|b| b.is_ascii_alphanumeric() || b"/-_.:#?=%&;".contains(&b)), "{link}");
    }
}

/// The registry as commands name it.
fn host(lab: &Lab) -> String {
    lab.url("").strip_prefix("https://").unwrap().to_owned()
}
