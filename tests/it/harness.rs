//! A registry in this process, on a socket of its own, in a directory of its own, with a clock that stands still.

use std::path::Path;
use std::time::Duration;

use msr_lite::base::{Clock, Config, Timestamp};
use msr_lite::meta::Mode;
use msr_lite::model::Actor;
use msr_lite::oci::{Algorithm, Digest, RepoName};
use msr_lite::registry::repos::{RepoChange, Visibility};
use msr_lite::serve::{Seams, ServeOptions, Server};
use reqwest::{Client, ClientBuilder, Method, RequestBuilder, Response, StatusCode};
use serde_json::Value;

pub(crate) const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub(crate) const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// Runs a test on both engines.
macro_rules! on_each_engine {
    ($(async fn $name:ident($lab:ident) $body:block)*) => {
        $(mod $name {
            use super::*;

            async fn run($lab: Lab) $body

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn normal() {
                run(Lab::new(Mode::Normal).await).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn strict() {
                run(Lab::new(Mode::Strict).await).await;
            }
        })*
    };
}
pub(crate) use on_each_engine;

/// A running registry and a client that trusts its CA.
pub(crate) struct Lab {
    pub(crate) server: Server,
    pub(crate) clock: Clock,
    pub(crate) client: Client,
    pub(crate) password: String,
    mode: Mode,
    config: Config,
    data: tempfile::TempDir,
}

impl Lab {
    pub(crate) async fn new(mode: Mode) -> Self {
        Self::with(mode, |_| {}).await
    }

    /// A registry whose settings differ from the defaults.
    pub(crate) async fn with(mode: Mode, change: impl FnOnce(&mut Config)) -> Self {
        Self::on_clock(Clock::manual(wall()), mode, change).await
    }

    /// A registry that takes its time from this clock.
    pub(crate) async fn on_clock(clock: Clock, mode: Mode, change: impl FnOnce(&mut Config)) -> Self {
        let data = tempfile::tempdir().unwrap();
        let mut config = Config {
            listen: vec!["127.0.0.1:0".parse().unwrap()],
            fqdn: Some("registry.lab".into()),
            ..Config::default()
        };
        // The machine's disk is nobody's business here.
        (config.storage.reserve_mib, config.storage.ballast_mib) = (1, 1);
        change(&mut config);
        let server = start(data.path(), &config, &clock, mode).await;
        let client = client(&server);
        let password = std::fs::read_to_string(data.path().join("initial-admin-password")).unwrap().trim().to_owned();
        Self { server, clock, client, password, mode, config, data }
    }

    /// The same data under other settings.
    pub(crate) async fn reconfigured(mut self, change: impl FnOnce(&mut Config)) -> Self {
        change(&mut self.config);
        self.restart().await
    }

    /// Stops the registry and starts another one on the same data; the clock goes on.
    pub(crate) async fn restart(self) -> Self {
        self.restart_after(|_| ()).await
    }

    /// The same; in between something is done to the data directory.
    pub(crate) async fn restart_after(mut self, change: impl FnOnce(&Path) + Send + 'static) -> Self {
        self.server.stop().await;
        let data = self.data.path().to_owned();
        tokio::task::spawn_blocking(move || change(&data)).await.unwrap();
        self.clock = Clock::manual(self.clock.now());
        self.server = start(self.data.path(), &self.config, &self.clock, self.mode).await;
        self.client = client(&self.server);
        self
    }

    /// A client that goes nowhere by itself: redirects are answers like others.
    pub(crate) fn strict_client(&self) -> Client {
        client_builder(&self.server).redirect(reqwest::redirect::Policy::none()).build().unwrap()
    }

    pub(crate) fn data(&self) -> &Path {
        self.data.path()
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("https://localhost:{}{path}", self.server.addresses()[0].port())
    }

    /// A request without credentials.
    pub(crate) fn anonymous(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, self.url(path))
    }

    /// A request signed in as `admin`.
    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.anonymous(method, path).basic_auth("admin", Some(&self.password))
    }

    pub(crate) async fn get(&self, path: &str) -> Response {
        self.request(Method::GET, path).send().await.unwrap()
    }

    pub(crate) async fn head(&self, path: &str) -> Response {
        self.request(Method::HEAD, path).send().await.unwrap()
    }

    pub(crate) async fn delete(&self, path: &str) -> Response {
        self.request(Method::DELETE, path).send().await.unwrap()
    }

    /// Makes a repository public.
    pub(crate) async fn publish(&self, repo: &str) {
        let (name, actor) = (RepoName::parse(repo).unwrap(), Actor::system());
        let change = RepoChange { visibility: Some(Visibility::Public), ..RepoChange::default() };
        self.server.registry().change_repository(actor, &name, change).await.unwrap();
    }

    /// Pushes a blob in one request and returns its digest.
    pub(crate) async fn push_blob(&self, repo: &str, content: &[u8]) -> Digest {
        let digest = Digest::of(Algorithm::Sha256, content);
        let path = format!("/v2/{repo}/blobs/uploads/?digest={digest}");
        let response = self.request(Method::POST, &path).body(content.to_vec()).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::CREATED, "{}", response.text().await.unwrap());
        digest
    }

    /// Begins an upload and returns its path.
    pub(crate) async fn begin_upload(&self, repo: &str) -> String {
        let response = self.request(Method::POST, &format!("/v2/{repo}/blobs/uploads/")).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::ACCEPTED);
        header(&response, "location")
    }

    pub(crate) async fn put_manifest(&self, repo: &str, reference: &str, media_type: &str, body: &Value) -> Response {
        self.put_bytes(repo, reference, media_type, body.to_string().into_bytes()).await
    }

    pub(crate) async fn put_bytes(&self, repo: &str, reference: &str, media_type: &str, body: Vec<u8>) -> Response {
        let path = format!("/v2/{repo}/manifests/{reference}");
        self.request(Method::PUT, &path).header("content-type", media_type).body(body).send().await.unwrap()
    }

    /// Pushes an image with one layer of this content and returns its manifest and digest.
    pub(crate) async fn push_image(&self, repo: &str, tag: &str, layer: &[u8]) -> (Value, Digest) {
        let manifest = self.image(repo, layer).await;
        let response = self.put_manifest(repo, tag, OCI_MANIFEST, &manifest).await;
        assert_eq!(response.status(), StatusCode::CREATED, "{}", response.text().await.unwrap());
        let digest = Digest::of(Algorithm::Sha256, manifest.to_string().as_bytes());
        (manifest, digest)
    }

    /// Pushes config and layer of an image and returns the manifest that is still to be pushed.
    pub(crate) async fn image(&self, repo: &str, layer: &[u8]) -> Value {
        let config = br#"{"architecture":"amd64","os":"linux"}"#;
        let config_digest = self.push_blob(repo, config).await;
        let layer_digest = self.push_blob(repo, layer).await;
        serde_json::json!({
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": descriptor("application/vnd.oci.image.config.v1+json", &config_digest, config.len()),
            "layers": [descriptor("application/vnd.oci.image.layer.v1.tar+gzip", &layer_digest, layer.len())],
        })
    }
}

/// A fixed wall time, later than any build.
fn wall() -> Timestamp {
    // Certificates are judged by the client's real clock, so the test's must not be far from it.
    Clock::system().now()
}

async fn start(data: &Path, config: &Config, clock: &Clock, engine: Mode) -> Server {
    let options =
        ServeOptions { config: config.clone(), data_dir: data.to_owned(), admin_password_file: None, instance: None };
    Server::start(options, Seams { clock: clock.clone(), engine }).await.unwrap()
}

fn client(server: &Server) -> Client {
    client_builder(server).build().unwrap()
}

fn client_builder(server: &Server) -> ClientBuilder {
    let provider = std::sync::Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut roots = rustls::RootCertStore::empty();
    let pem = server.pki().ca_pem();
    let ca = rustls::pki_types::pem::PemObject::from_pem_slice(pem.as_bytes()).unwrap();
    roots.add(ca).unwrap();
    let tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    Client::builder().tls_backend_preconfigured(tls).timeout(Duration::from_mins(1)).no_proxy()
}

pub(crate) fn descriptor(media_type: &str, digest: &Digest, size: usize) -> Value {
    serde_json::json!({ "mediaType": media_type, "digest": digest, "size": size })
}

/// A header's text; empty when it is not there.
pub(crate) fn header(response: &Response, name: &str) -> String {
    response.headers().get(name).map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default()
}

/// The code of the first error in an OCI error body.
pub(crate) async fn code(response: Response) -> String {
    let body: Value = response.json().await.unwrap();
    body["errors"][0]["code"].as_str().unwrap_or_default().to_owned()
}

pub(crate) fn sha256(content: &[u8]) -> Digest {
    Digest::of(Algorithm::Sha256, content)
}

/// Bytes that do not repeat within a blob file's buffers.
pub(crate) fn noise(length: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}
