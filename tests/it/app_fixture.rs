//! Applications as their clients push them, for whatever test needs one: `admin/lab-words:0.1.0` with the components
//! `web` and `db` (images) and `multi` (a manifest list), parameters and a credential.

#![allow(dead_code, reason = "a fixture has what its users may ask for")]

use msr_lite::oci::Digest;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::harness::{Lab, OCI_INDEX, OCI_MANIFEST, descriptor, noise, sha256};

pub(crate) const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
pub(crate) const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
const DOCKER_CONFIG: &str = "application/vnd.docker.container.image.v1+json";
const DOCKER_LAYER: &str = "application/vnd.docker.image.rootfs.diff.tar.gzip";
const CNAB_CONFIG: &str = "application/vnd.cnab.config.v1+json";

/// Which client pushes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Client {
    /// docker app 0.8: `<app>-invoc`, a small config, `original_name` in the annotations.
    #[default]
    App08,
    /// docker app 0.9: everything under one tag, which is written three times; the whole bundle.json.
    App09,
    /// cnab-to-oci and Porter: no docker annotations, children by digest alone.
    CnabToOci,
}

/// How an application differs from the usual one.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    pub(crate) client: Client,
    pub(crate) repo: &'static str,
    pub(crate) tag: &'static str,
    /// Whether the index falls back to a Docker manifest list, and the config to a fake image.
    pub(crate) fallback: bool,
    /// Components that are named and not pushed.
    pub(crate) missing: &'static [&'static str],
    /// Whether `db` is the very image of `web`.
    pub(crate) twins: bool,
    /// An image that bundle.json names and the index does not have (0.9 and cnab-to-oci).
    pub(crate) foreign: bool,
    /// Makes the invocation image's and the components' content another one.
    pub(crate) salt: u64,
}

impl Default for Wanted {
    fn default() -> Self {
        Self {
            client: Client::App08,
            repo: "admin/lab-words",
            tag: "0.1.0",
            fallback: false,
            missing: &[],
            twins: false,
            foreign: false,
            salt: 0,
        }
    }
}

/// What was pushed.
#[derive(Clone, Debug)]
pub(crate) struct App {
    pub(crate) repo: &'static str,
    pub(crate) tag: &'static str,
    /// The index.
    pub(crate) digest: Digest,
    pub(crate) index: Value,
    pub(crate) index_type: &'static str,
    /// The manifest that carries the bundle, and the bundle.
    pub(crate) config: Digest,
    pub(crate) bundle: Digest,
    pub(crate) invocation: Digest,
    pub(crate) web: Digest,
    pub(crate) db: Digest,
    pub(crate) multi: Digest,
    /// The children of `multi`: linux/amd64 and linux/arm64.
    pub(crate) platforms: [Digest; 2],
    /// Bytes of all distinct blobs and manifests.
    pub(crate) size: u64,
}

/// `admin/lab-words:0.1.0` and `0.1.0-invoc`, as docker app 0.8 pushes them.
pub(crate) async fn app_fixture(lab: &Lab) -> App {
    push_app(lab, Wanted::default()).await
}

/// A manifest that is yet to be pushed.
struct Ready {
    media_type: &'static str,
    body: Vec<u8>,
    digest: Digest,
    /// Its blobs.
    blobs: Vec<Vec<u8>>,
}

impl Ready {
    fn new(media_type: &'static str, body: &Value, blobs: Vec<Vec<u8>>) -> Self {
        let body = body.to_string().into_bytes();
        Self { media_type, digest: sha256(&body), body, blobs }
    }

    fn descriptor(&self) -> Value {
        descriptor(self.media_type, &self.digest, self.body.len())
    }
}

/// An image as the Docker daemon makes it: two layers, and a history that tells how they came about.
fn image(name: &str, architecture: &str, salt: u64) -> Ready {
    let layers = [format!("base of {architecture}").into_bytes(), {
        let seed = name.bytes().fold(salt, |seed, byte| seed.wrapping_mul(31).wrapping_add(u64::from(byte)));
        noise(20_000, seed)
    }];
    let config = json!({
        "architecture": architecture, "os": "linux",
        "config": { "Cmd": ["/run", name], "Env": ["PATH=/bin"], "Labels": { "lab.name": name } },
        "history": [
            { "created": "2026-01-02T03:04:05Z", "created_by": "/bin/sh -c #(nop) ADD file:0a in / " },
            { "created_by": "/bin/sh -c #(nop)  CMD [\"/run\"]", "empty_layer": true },
            { "created_by": format!("/bin/sh -c make {name}") },
        ],
        "rootfs": { "type": "layers", "diff_ids": layers.iter().map(|layer| sha256(layer)).collect::<Vec<_>>() },
    });
    let config = config.to_string().into_bytes();
    let body = json!({
        "schemaVersion": 2,
        "mediaType": DOCKER_MANIFEST,
        "config": descriptor(DOCKER_CONFIG, &sha256(&config), config.len()),
        "layers": layers.iter().map(|layer| descriptor(DOCKER_LAYER, &sha256(layer), layer.len())).collect::<Vec<_>>(),
    });
    Ready::new(DOCKER_MANIFEST, &body, [vec![config], layers.to_vec()].concat())
}

async fn push(lab: &Lab, repo: &str, tag: Option<&str>, ready: &Ready) {
    for blob in &ready.blobs {
        lab.push_blob(repo, blob).await;
    }
    let reference = tag.map_or_else(|| ready.digest.to_string(), str::to_owned);
    let pushed = lab.put_bytes(repo, &reference, ready.media_type, ready.body.clone()).await;
    assert_eq!(pushed.status(), StatusCode::CREATED, "{}", pushed.text().await.unwrap());
}

/// Pushes an application in the order of its client.
pub(crate) async fn push_app(lab: &Lab, wanted: Wanted) -> App {
    let Wanted { client, repo, tag, salt, .. } = wanted;
    let invocation = image("invocation", "amd64", salt);
    let web = image("web", "amd64", salt);
    let db = if wanted.twins { image("web", "amd64", salt) } else { image("db", "amd64", salt) };
    let platforms = ["amd64", "arm64"].map(|architecture| image("multi", architecture, salt));
    let entries = platforms.iter().zip(["amd64", "arm64"]).map(|(platform, architecture)| {
        let mut entry = platform.descriptor();
        entry["platform"] = json!({ "architecture": architecture, "os": "linux" });
        entry
    });
    let list = json!({ "schemaVersion": 2, "mediaType": DOCKER_LIST, "manifests": entries.collect::<Vec<_>>() });
    let multi = Ready::new(DOCKER_LIST, &list, Vec::new());
    let components = [("multi", &multi), ("web", &web), ("db", &db)];

    let bundle = match client {
        Client::App08 => small_config(),
        Client::App09 | Client::CnabToOci => whole_bundle(&wanted, &invocation, &components),
    };
    let bundle = bundle.to_string().into_bytes();
    let config = if wanted.fallback {
        // The form of 0.8: an image without layers, by its types.
        let config = descriptor(DOCKER_CONFIG, &sha256(&bundle), bundle.len());
        let body = json!({ "schemaVersion": 2, "mediaType": DOCKER_MANIFEST, "config": config, "layers": null });
        Ready::new(DOCKER_MANIFEST, &body, vec![bundle.clone()])
    } else {
        let config = descriptor(CNAB_CONFIG, &sha256(&bundle), bundle.len());
        Ready::new(OCI_MANIFEST, &json!({ "schemaVersion": 2, "config": config, "layers": null }), vec![bundle.clone()])
    };
    let index = index(&wanted, &config, &invocation, &components);
    let index_type = if wanted.fallback { DOCKER_LIST } else { OCI_INDEX };
    let index = Ready::new(index_type, &index, Vec::new());

    let invocation_tag = match client {
        Client::App08 => Some(format!("{tag}-invoc")),
        Client::App09 => Some(tag.to_owned()),
        Client::CnabToOci => None,
    };
    push(lab, repo, invocation_tag.as_deref(), &invocation).await;
    for (name, component) in components {
        if wanted.missing.contains(&name) {
            continue;
        }
        if name == "multi" {
            for platform in &platforms {
                push(lab, repo, None, platform).await;
            }
        }
        // 0.9 pushes what only the daemon has under the application's own tag.
        let tag = Some(tag).filter(|_| client == Client::App09 && name == "web");
        push(lab, repo, tag, component).await;
    }
    push(lab, repo, None, &config).await;
    push(lab, repo, Some(tag), &index).await;

    let manifests = [&index, &config, &invocation, &web, &db, &multi, &platforms[0], &platforms[1]];
    let mut distinct = std::collections::BTreeMap::new();
    for ready in manifests {
        let is_missing = components.iter().any(|(name, c)| wanted.missing.contains(name) && c.digest == ready.digest);
        let is_below = wanted.missing.contains(&"multi") && platforms.iter().any(|p| p.digest == ready.digest);
        if !is_missing && !is_below {
            distinct.insert(ready.digest, ready.body.len());
            distinct.extend(ready.blobs.iter().map(|blob| (sha256(blob), blob.len())));
        }
    }
    App {
        repo,
        tag,
        digest: index.digest,
        index: serde_json::from_slice(&index.body).unwrap(),
        index_type,
        config: config.digest,
        bundle: sha256(&bundle),
        invocation: invocation.digest,
        web: web.digest,
        db: db.digest,
        multi: multi.digest,
        platforms: platforms.map(|platform| platform.digest),
        size: distinct.values().map(|size| *size as u64).sum(),
    }
}

fn index(wanted: &Wanted, config: &Ready, invocation: &Ready, components: &[(&str, &Ready)]) -> Value {
    let marked = |ready: &Ready, annotations: Value| {
        let mut entry = ready.descriptor();
        entry["annotations"] = annotations;
        entry
    };
    let mut manifests = vec![
        marked(config, json!({ "io.cnab.manifest.type": "config" })),
        marked(invocation, json!({ "io.cnab.manifest.type": "invocation" })),
    ];
    for (name, component) in components {
        let mut marks = json!({ "io.cnab.manifest.type": "component", "io.cnab.component.name": name });
        if wanted.client == Client::App08 {
            marks["io.cnab.component.original_name"] = format!("registry.lab/lib/{name}:1.0").into();
        }
        manifests.push(marked(component, marks));
    }
    let mut annotations = json!({
        "io.cnab.runtime_version": if wanted.client == Client::App08 { "v1.0.0-WD" } else { "v1.0.0" },
        "org.opencontainers.artifactType": "application/vnd.cnab.manifest.v1",
        "org.opencontainers.image.authors": r#"[{"name":"alice","email":"alice@registry.lab"}]"#,
        "org.opencontainers.image.description": "Words for the lab",
        "org.opencontainers.image.title": "lab-words",
        "org.opencontainers.image.version": wanted.tag,
    });
    if wanted.client == Client::CnabToOci {
        annotations["io.cnab.keywords"] = r#"["lab","words"]"#.into();
    } else {
        annotations["io.docker.type"] = "app".into();
        annotations["io.docker.app.format"] = "cnab".into();
    }
    let mut index = json!({ "schemaVersion": 2, "manifests": manifests, "annotations": annotations });
    if wanted.fallback {
        index["mediaType"] = DOCKER_LIST.into();
    }
    index
}

/// What 0.8 stores of the bundle.
fn small_config() -> Value {
    json!({
        "schema_version": "v1.0.0-WD",
        "actions": { "com.docker.app.inspect": { "stateless": true }, "com.docker.app.status": {} },
        "parameters": {
            "port": { "type": "string", "default": "8080", "destination": { "env": "docker_param1" } },
            "replicas": { "type": "int", "default": 2, "destination": { "env": "docker_param2" } },
        },
        "credentials": { "docker.context": { "path": "/cnab/app/context.dockercontext" } },
    })
}

/// The canonical bundle.json.
fn whole_bundle(wanted: &Wanted, invocation: &Ready, components: &[(&str, &Ready)]) -> Value {
    let mut images = serde_json::Map::new();
    for (name, component) in components {
        let image = format!("registry.lab/lib/{name}:1.0@{}", component.digest);
        let size = component.body.len();
        images.insert(
            (*name).to_owned(),
            json!({ "image": image, "contentDigest": component.digest, "mediaType": component.media_type, "size": size }),
        );
    }
    if wanted.foreign {
        images.insert("cache".to_owned(), json!({ "image": "registry.lab/lib/cache:2.0" }));
    }
    json!({
        "schemaVersion": "v1.0.0", "name": "lab-words", "version": wanted.tag, "description": "Words for the lab",
        "maintainers": [{ "name": "alice", "email": "alice@registry.lab" }],
        "actions": { "io.cnab.status": {} },
        "credentials": { "docker.context": { "path": "/cnab/app/context.dockercontext" } },
        "definitions": {
            "port": { "type": "string", "default": "8080" }, "replicas": { "type": "integer", "default": 2 },
        },
        "parameters": {
            "port": { "definition": "port", "destination": { "env": "docker_param1" } },
            "replicas": { "definition": "replicas", "destination": { "env": "docker_param2" } },
        },
        "images": images,
        "invocationImages": [{ "image": format!("lab-words:{}-invoc", wanted.tag), "contentDigest": invocation.digest }],
    })
}
