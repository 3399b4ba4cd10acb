//! One thing of each sort that pages tell apart, and one repository in which every field was written by an attacker.

use msr_lite::model::personal_token::MAX_LABEL;
use msr_lite::oci::Digest;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::app_fixture::{App, app_fixture};
use crate::harness::{Lab, OCI_INDEX, OCI_MANIFEST, descriptor, noise, sha256};
use crate::support::server::ADMIN;

pub(crate) const IMAGE_CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";

/// A word with which a page would give itself away: as markup it makes an element that [`MARKED`] finds.
pub(crate) const HOSTILE: &str = "\"'><img src=x data-hostile onerror=alert(1)><script data-hostile>alert(2)</script>\
                                  <a data-hostile href=javascript:alert(3)>{{7*7}}\u{202e}\u{2066}";

/// The elements that [`HOSTILE`] would make.
pub(crate) const MARKED: &str = "[data-hostile]";

/// What was pushed.
pub(crate) struct Stock {
    pub(crate) app: App,
    /// The manifest of `lab/tools:image`.
    pub(crate) image: Digest,
    /// An image without a tag.
    pub(crate) untagged: Digest,
    /// The attached SBOM of `lab/tools:image`.
    pub(crate) sbom: Digest,
    /// The id of an access token that works, and of one that is switched off and has a hostile label.
    pub(crate) token: String,
    pub(crate) inactive: String,
}

/// Pushes all of it: `admin/lab-words` (application and invocation image), `lab/tools` (tags `image`, `multi-arch`,
/// `plugin`, `chart`, `artifact`, and an SBOM that is attached to the image), `lab/hostile` and the empty `lab/empty`. Makes two access tokens, a team, and a second session of the administrator.
pub(crate) async fn stock(lab: &Lab) -> Stock {
    let app = app_fixture(lab).await;
    let image = image(lab, "lab/tools", Some("image"), "amd64", "tools").await;
    let untagged = self::image(lab, "lab/tools", Some("old"), "amd64", "an older build").await;
    self::image(lab, "lab/tools", Some("old"), "amd64", "a newer build").await;
    multi_arch(lab).await;
    let plugin = "application/vnd.docker.plugin.v1+json";
    artifact(lab, "lab/tools", Some("plugin"), (plugin, br#"{"description":"a volume plugin"}"#), json!({})).await;
    let chart = "application/vnd.cncf.helm.config.v1+json";
    let about = br#"{"apiVersion":"v2","name":"web","version":"1.2.3","description":"A chart for the lab"}"#;
    artifact(lab, "lab/tools", Some("chart"), (chart, about), json!({})).await;
    let typed = json!({ "artifactType": "application/vnd.lab.notes.v1" });
    artifact(lab, "lab/tools", Some("artifact"), ("application/vnd.oci.empty.v1+json", b"{}"), typed).await;
    let (_, size) = manifest_of(lab, "lab/tools", &image).await;
    let attached = json!({
        "artifactType": "application/spdx+json", "subject": descriptor(OCI_MANIFEST, &image, size),
    });
    let sbom = artifact(lab, "lab/tools", None, ("application/vnd.oci.empty.v1+json", b"{}"), attached).await;
    hostile(lab).await;
    let readme = "# Tools\n\nA list:\n\n- `one`\n- [two](https://registry.lab/)\n\n\
                  | a | b |\n|---|---|\n| 1 | 2 |\n\n```\ndocker pull\n```\n";
    describe(lab, "lab/tools", "One of each", readme).await;
    let empty = json!({ "name": "empty", "shortDescription": "", "visibility": "private" });
    let made = lab.request(Method::POST, "/api/v0/repositories/lab").json(&empty).send().await.unwrap();
    assert!(made.status().is_success(), "{}", made.text().await.unwrap());
    let (token, inactive) = account(lab);
    people(lab);
    sign_in_elsewhere(lab).await;
    Stock { app, image, untagged, sbom, token, inactive }
}

/// What the administrator's own account shows; the ids of two access tokens.
fn account(lab: &Lab) -> (String, String) {
    let cli = |args: &[&str]| lab.server.cli(args).ok();
    cli(&["org", "add-member", "lab", ADMIN, "--owner"]);
    cli(&["team", "add", "lab/dev"]);
    cli(&["team", "add-member", "lab/dev", ADMIN]);
    let scope = "lab/tools:read-write,admin/*:read-only,lab/empty:admin,lab/hostile:read-only,other/*:read-only";
    let made = cli(&["token", "add", ADMIN, "--label", "nightly build", "--scope", scope, "--days", "90"]);
    let token = made.stdout.lines().next().unwrap().to_owned();
    lab.server.request("GET", "/v2/").option("--user", &format!("{ADMIN}:{token}")).send().is(200);
    // As much of it as a label may have.
    let label: String = HOSTILE.chars().take(MAX_LABEL).collect();
    cli(&["token", "add", ADMIN, "--label", &label, "--scope", "read-only"]);
    let listed = cli(&["token", "ls", "--user", ADMIN, "--json"]);
    let listed: Value = serde_json::from_str(&listed.stdout).unwrap();
    let ids: Vec<_> = listed.as_array().unwrap().iter().map(|token| token["id"].as_str().unwrap().to_owned()).collect();
    cli(&["token", "set", &ids[1], "--active", "false"]);
    (ids[0].clone(), ids[1].clone())
}

/// Signs the administrator in with another browser, which calls itself something hostile.
async fn sign_in_elsewhere(lab: &Lab) {
    let agent: String = HOSTILE.chars().filter(char::is_ascii).collect();
    let page = lab.client.get(lab.url("/login")).send().await.unwrap();
    let cookie = page.headers()["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned();
    let text = page.text().await.unwrap();
    let csrf = text.split("name=\"csrf\" value=\"").nth(1).unwrap().split('"').next().unwrap();
    let password = crate::browser::escaped(lab.server.password());
    let form = lab.client.post(lab.url("/login")).header("cookie", cookie).header("user-agent", agent);
    let form = form.header("content-type", "application/x-www-form-urlencoded");
    let sent = form.body(format!("csrf={csrf}&username={ADMIN}&password={password}")).send().await.unwrap();
    // The client has no place for the cookie, and is asked to sign in once more; but not because it was refused.
    let text = sent.text().await.unwrap();
    assert!(!text.contains("role=\"alert\""), "{text}");
}

/// The users `alice` and `ci` (inactive, with access tokens), the organizations `lab`, `web` and `empty-handed`; team
/// `dev` of `lab` has every kind of right.
fn people(lab: &Lab) {
    let label = &HOSTILE[..80];
    for args in [
        &["user", "add", "alice", "--full-name", "Alice of the lab"][..],
        &["user", "add", "ci", "--no-password", "--full-name", "Builds \u{202e}things<b>"],
        &["token", "add", "ci", "--label", label, "--scope", "lab/tools:read-write,lab/*:read-only"],
        &["token", "add", "alice", "--label", "laptop", "--days", "30"],
        &["user", "set", "ci", "--active", "false"],
        &["org", "add", "web", "--full-name", "The web"],
        &["org", "add", "empty-handed"],
        &["org", "add-member", "web", "alice", "--owner"],
        &["team", "add", "web/nobody"],
        &["team", "set", "lab/dev", "--description", HOSTILE],
        &["team", "add", "lab/readers", "--description", "Those who look"],
        &["team", "add-member", "lab/dev", "alice"],
        &["team", "add-member", "lab/dev", "ci"],
        &["access", "grant", "lab/*", "lab/dev", "read-only"],
        &["access", "grant", "lab/tools", "lab/dev", "read-write"],
        &["access", "grant", "lab/hostile", "lab/dev", "admin"],
        &["access", "grant", "lab/tools", "lab/readers", "read-only"],
    ] {
        lab.server.cli(args).ok();
    }
}

/// Pushes an image and answers its digest.
async fn image(lab: &Lab, repo: &str, tag: Option<&str>, architecture: &str, words: &str) -> Digest {
    let layers = [noise(30_000, 1), noise(9_000, words.len() as u64), words.as_bytes().to_vec()];
    let long = format!("RUN /bin/sh -c apt-get update && apt-get install {} # buildkit", "a-long-name ".repeat(16));
    let config = json!({
        "architecture": architecture, "os": "linux", "created": "2026-01-02T03:04:05Z", "author": "alice",
        "config": {
            "Entrypoint": ["/bin/tool"], "Cmd": ["--help"], "User": "1000", "WorkingDir": "/work",
            "Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin", "API_TOKEN=not-for-everybody"],
            "ExposedPorts": { "8080/tcp": {} }, "Volumes": { "/data": {} },
            "Labels": { "org.opencontainers.image.source": "https://registry.lab/source", "words": words },
        },
        "history": [
            { "created": "2026-01-02T03:04:05Z", "created_by": "/bin/sh -c #(nop) ADD file:0a1b2c in / " },
            { "created": "2026-01-02T03:04:06Z", "created_by": long, "comment": "buildkit.dockerfile.v0" },
            { "created": "2026-01-02T03:04:07Z", "created_by": "ENV API_TOKEN=not-for-everybody", "empty_layer": true },
            { "created": "2026-01-02T03:04:08Z", "created_by": format!("COPY {words} /work # buildkit") },
        ],
        "rootfs": { "type": "layers", "diff_ids": layers.iter().map(|layer| sha256(layer)).collect::<Vec<_>>() },
    });
    let mut descriptors = Vec::new();
    for layer in &layers {
        descriptors.push(descriptor(LAYER, &lab.push_blob(repo, layer).await, layer.len()));
    }
    let config = config.to_string().into_bytes();
    let body = json!({
        "schemaVersion": 2, "mediaType": OCI_MANIFEST, "layers": descriptors,
        "config": descriptor(IMAGE_CONFIG, &lab.push_blob(repo, &config).await, config.len()),
        "annotations": { "org.opencontainers.image.title": words, "org.opencontainers.image.version": "1.2.3" },
    });
    put(lab, repo, tag, OCI_MANIFEST, &body).await
}

/// `lab/tools:multi-arch`: three platforms and the attestation of one.
async fn multi_arch(lab: &Lab) {
    let repo = "lab/tools";
    let mut children = Vec::new();
    for (architecture, variant) in [("amd64", ""), ("arm64", "v8"), ("s390x", "")] {
        let digest = image(lab, repo, None, architecture, &format!("tools for {architecture}")).await;
        let mut child = descriptor(OCI_MANIFEST, &digest, manifest_of(lab, repo, &digest).await.1);
        child["platform"] = json!({ "architecture": architecture, "os": "linux" });
        if !variant.is_empty() {
            child["platform"]["variant"] = variant.into();
        }
        children.push(child);
    }
    let statement = ("application/vnd.in-toto+json", br#"{"_type":"https://in-toto.io/Statement/v0.1"}"#.as_slice());
    let digest = artifact(lab, repo, None, statement, json!({})).await;
    let mut attestation = descriptor(OCI_MANIFEST, &digest, manifest_of(lab, repo, &digest).await.1);
    attestation["platform"] = json!({ "architecture": "unknown", "os": "unknown" });
    attestation["annotations"] = json!({
        "vnd.docker.reference.type": "attestation-manifest", "vnd.docker.reference.digest": children[0]["digest"],
    });
    children.push(attestation);
    let index = json!({ "schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": children });
    put(lab, repo, Some("multi-arch"), OCI_INDEX, &index).await;
}

/// Pushes a manifest with this config and one file, and with what else it shall have.
async fn artifact(lab: &Lab, repo: &str, tag: Option<&str>, config: (&str, &[u8]), with: Value) -> Digest {
    let file = noise(5_000, config.0.len() as u64);
    let mut layer = descriptor("application/vnd.lab.file", &lab.push_blob(repo, &file).await, file.len());
    layer["annotations"] = json!({ "org.opencontainers.image.title": "notes.txt" });
    let config = descriptor(config.0, &lab.push_blob(repo, config.1).await, config.1.len());
    let mut body = json!({ "schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": config, "layers": [layer] });
    body.as_object_mut().unwrap().extend(with.as_object().unwrap().clone());
    put(lab, repo, tag, OCI_MANIFEST, &body).await
}

/// `lab/hostile`: an image, an application and an artifact in which whatever may be free text is [`HOSTILE`].
async fn hostile(lab: &Lab) {
    let repo = "lab/hostile";
    let digest = image(lab, repo, Some("image"), HOSTILE, HOSTILE).await;
    let size = manifest_of(lab, repo, &digest).await.1;
    let marked = |name: &str, more: Value| {
        let mut child = descriptor(OCI_MANIFEST, &digest, size);
        child["platform"] = json!({ "architecture": HOSTILE, "os": HOSTILE, "variant": HOSTILE });
        child["annotations"] = json!({ "io.cnab.manifest.type": name, (HOSTILE): HOSTILE });
        child["annotations"].as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        child
    };
    let component = json!({ "io.cnab.component.name": HOSTILE, "io.cnab.component.original_name": HOSTILE });
    let wild = json!({
        "schemaVersion": HOSTILE, "name": HOSTILE, "version": HOSTILE, "description": HOSTILE,
        "keywords": [HOSTILE], "maintainers": [{ "name": HOSTILE, "email": HOSTILE, "url": HOSTILE }],
        "actions": { (HOSTILE): { "description": HOSTILE } },
        "credentials": { (HOSTILE): { "path": HOSTILE, "env": HOSTILE, "description": HOSTILE } },
        "definitions": { (HOSTILE): { "type": HOSTILE, "default": HOSTILE, "description": HOSTILE } },
        "parameters": { (HOSTILE): { "definition": HOSTILE, "destination": { "env": HOSTILE, "path": HOSTILE } } },
        "images": { (HOSTILE): { "image": HOSTILE, "description": HOSTILE, "contentDigest": digest } },
    });
    let wild = wild.to_string();
    let bundle = artifact(lab, repo, None, ("application/vnd.cnab.config.v1+json", wild.as_bytes()), json!({})).await;
    let mut config = descriptor(OCI_MANIFEST, &bundle, manifest_of(lab, repo, &bundle).await.1);
    config["annotations"] = json!({ "io.cnab.manifest.type": "config" });
    let annotations = |artifact: &str| {
        json!({
            "io.docker.type": "app", "io.docker.app.format": "cnab", "io.cnab.keywords": HOSTILE,
            "org.opencontainers.artifactType": artifact, (HOSTILE): HOSTILE,
            "org.opencontainers.image.authors": HOSTILE, "org.opencontainers.image.description": HOSTILE,
            "org.opencontainers.image.title": HOSTILE, "org.opencontainers.image.version": HOSTILE,
        })
    };
    let parts = [marked("invocation", json!({})), marked("component", component), marked(HOSTILE, json!({}))];
    let children = [vec![config], parts.to_vec()].concat();
    let index = |artifact: &str| {
        let annotations = annotations(artifact);
        json!({ "schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": children, "annotations": annotations })
    };
    put(lab, repo, Some("app"), OCI_INDEX, &index("application/vnd.cnab.manifest.v1")).await;
    let mut plain = index("");
    plain["annotations"] = json!({ (HOSTILE): HOSTILE });
    plain["manifests"] = json!([marked("", json!({}))]);
    plain["manifests"][0]["annotations"] = json!({ (HOSTILE): HOSTILE });
    put(lab, repo, Some("multi-arch"), OCI_INDEX, &plain).await;
    let attached = json!({
        "subject": descriptor(OCI_MANIFEST, &digest, size),
        "annotations": annotations(HOSTILE),
        "artifactType": "text/x-hostile",
    });
    artifact(lab, repo, Some("artifact"), ("application/vnd.lab.config", HOSTILE.as_bytes()), attached).await;
    let chart = json!({
        "name": HOSTILE, "version": HOSTILE, "description": HOSTILE, "home": "javascript:alert(5)",
        "appVersion": HOSTILE, "keywords": [HOSTILE], "maintainers": [{ "name": HOSTILE }],
    });
    let chart = chart.to_string();
    artifact(lab, repo, Some("chart"), ("application/vnd.cncf.helm.config.v1+json", chart.as_bytes()), json!({})).await;
    describe(
        lab,
        repo,
        HOSTILE,
        &format!(
            "# {HOSTILE}\n\n{HOSTILE}\n\n[{HOSTILE}](javascript:alert(6))\n\n![x](data:x)\n\n```\n{HOSTILE}\n```\n"
        ),
    )
    .await;
}

/// The description and the README of a repository.
async fn describe(lab: &Lab, repo: &str, short: &str, readme: &str) {
    let words = json!({ "shortDescription": short, "longDescription": readme });
    let said = lab.request(Method::PATCH, &format!("/api/v0/repositories/{repo}")).json(&words).send().await.unwrap();
    assert!(said.status().is_success(), "{}", said.text().await.unwrap());
}

async fn put(lab: &Lab, repo: &str, tag: Option<&str>, media_type: &str, body: &Value) -> Digest {
    let body = body.to_string().into_bytes();
    let digest = sha256(&body);
    let reference = tag.map_or_else(|| digest.to_string(), str::to_owned);
    let pushed = lab.put_bytes(repo, &reference, media_type, body).await;
    assert_eq!(pushed.status(), StatusCode::CREATED, "{}", pushed.text().await.unwrap());
    digest
}

/// A manifest and its size.
async fn manifest_of(lab: &Lab, repo: &str, digest: &Digest) -> (Value, usize) {
    let path = format!("/v2/{repo}/manifests/{digest}");
    let accept = format!("{OCI_MANIFEST}, {OCI_INDEX}");
    let body = lab.request(Method::GET, &path).header("accept", accept).send().await.unwrap().bytes().await.unwrap();
    (serde_json::from_slice(&body).unwrap(), body.len())
}
