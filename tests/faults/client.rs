//! A server process and a client that keeps account of what it was told.

use std::collections::BTreeMap;
use std::fs::File;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use msr_lite::oci::{Algorithm, Digest};
use reqwest::{Client, Method, RequestBuilder, Response, StatusCode};
use serde_json::json;

const IMAGE: &str = "application/vnd.oci.image.manifest.v1+json";

/// The binary over a data directory.
pub(crate) struct Server {
    child: Child,
    log: PathBuf,
}

impl Server {
    /// Starts it and waits until it answers; tells how long that took.
    pub(crate) async fn start(site: &Site) -> (Self, Duration) {
        let log = site.scratch.join("log");
        let file = File::options().create(true).append(true).open(&log).unwrap();
        let begun = Instant::now();
        // The server ends with the test, however that ends.
        let child = Command::new("setpriv")
            .args(["--pdeathsig", "KILL", &binary(), "serve", "--fqdn", "registry.lab"])
            .args(["--listen", &format!("127.0.0.1:{}", site.port)])
            .arg("--data-dir")
            .arg(&site.data)
            .arg("--config")
            .arg(site.scratch.join("config.toml"))
            .stdin(Stdio::null())
            .stdout(file.try_clone().unwrap())
            .stderr(file)
            .spawn()
            .unwrap();
        let mut server = Self { child, log };
        loop {
            // Until the first start has made the CA there is nothing to verify with.
            if let Some(client) = site.client()
                && let Ok(answer) = client.get(site.url("/readyz")).send().await
                && answer.status() == StatusCode::OK
            {
                return (server, begun.elapsed());
            }
            assert!(server.is_running() && begun.elapsed() < Duration::from_mins(1), "{}", server.log());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    pub(crate) fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// SIGKILL.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The binary under test: the one that this build made, or another one by `MSR_LITE_TEST_BINARY`.
fn binary() -> String {
    std::env::var("MSR_LITE_TEST_BINARY").unwrap_or_else(|_| env!("CARGO_BIN_EXE_msr-lite").to_owned())
}

/// Where a server keeps its data and listens.
#[derive(Clone)]
pub(crate) struct Site {
    scratch: PathBuf,
    data: PathBuf,
    port: u16,
}

impl Site {
    pub(crate) fn new(scratch: &Path, data: &Path, config: &str) -> Self {
        std::fs::write(scratch.join("config.toml"), config).unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        Self { scratch: scratch.to_owned(), data: data.to_owned(), port }
    }

    fn url(&self, path: &str) -> String {
        format!("https://localhost:{}{path}", self.port)
    }

    fn client(&self) -> Option<Client> {
        let pem = std::fs::read(self.data.join("pki/ca.crt")).ok()?;
        let mut roots = rustls::RootCertStore::empty();
        roots.add(rustls::pki_types::pem::PemObject::from_pem_slice(&pem).ok()?).ok()?;
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let tls = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let client = Client::builder().tls_backend_preconfigured(tls).no_proxy().timeout(Duration::from_secs(30));
        Some(client.build().unwrap())
    }

    /// Collects garbage once; tells how many bytes of files that freed, or what the command said.
    pub(crate) fn collect(&self) -> Result<u64, String> {
        let mut command = Command::new(binary());
        let run = command.args(["gc", "run", "--yes", "--json", "--data-dir"]).arg(&self.data).output().unwrap();
        if !run.status.success() {
            return Err(String::from_utf8_lossy(&run.stderr).into_owned());
        }
        let report: serde_json::Value = serde_json::from_slice(&run.stdout).unwrap();
        let bytes = |class: &str| report["freed"][class]["bytes"].as_u64().unwrap();
        Ok(bytes("files") + bytes("orphans"))
    }

    /// Collects garbage, again and again, until `stop` is set; tells how often it was done to the end. What a kill cuts
    /// off is no failure.
    pub(crate) fn collect_until(&self, stop: &AtomicBool) -> u64 {
        let mut done = 0;
        while !stop.load(Ordering::Relaxed) {
            done += u64::from(self.collect().is_ok());
        }
        done
    }

    /// A client signed in as the administrator.
    pub(crate) fn sign_in(&self) -> Asker {
        let password = std::fs::read_to_string(self.data.join("initial-admin-password")).unwrap().trim().to_owned();
        Asker { client: self.client().unwrap(), site: self.clone(), password }
    }
}

/// How a request went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    Yes,
    /// Refused in words, because the disk is full.
    Full,
    /// Refused otherwise.
    No(StatusCode),
    /// No whole answer: it may have happened.
    Nothing,
}

/// Asks one server.
#[derive(Clone)]
pub(crate) struct Asker {
    client: Client,
    site: Site,
    password: String,
}

impl Asker {
    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, self.site.url(path)).basic_auth("admin", Some(&self.password))
    }

    async fn tell(request: RequestBuilder) -> Told {
        match request.send().await {
            Ok(answer) => Self::told(answer).await,
            Err(_) => Told::Nothing,
        }
    }

    async fn told(answer: Response) -> Told {
        let status = answer.status();
        let Ok(body) = answer.text().await else { return Told::Nothing };
        if status.is_success() {
            return Told::Yes;
        }
        if status == StatusCode::FORBIDDEN && body.contains("DENIED") && body.contains("the registry's disk is full") {
            return Told::Full;
        }
        Told::No(status)
    }

    /// In one request, or begun and sent in two chunks.
    pub(crate) async fn push_blob(&self, repo: &str, content: &[u8], chunked: bool) -> Told {
        let digest = sha256(content);
        if !chunked {
            let path = format!("/v2/{repo}/blobs/uploads/?digest={digest}");
            return Self::tell(self.request(Method::POST, &path).body(content.to_vec())).await;
        }
        let begun = self.request(Method::POST, &format!("/v2/{repo}/blobs/uploads/"));
        let Ok(answer) = begun.send().await else { return Told::Nothing };
        let location = answer.headers().get("location").map(|value| value.to_str().unwrap().to_owned());
        let told = Self::told(answer).await;
        let Some(location) = location.filter(|_| told == Told::Yes) else { return told };
        let half = content.len() / 2;
        let told = match Self::tell(self.request(Method::PATCH, &location).body(content[..half].to_vec())).await {
            Told::Yes => {
                let put = self.request(Method::PUT, &format!("{location}?digest={digest}"));
                Self::tell(put.body(content[half..].to_vec())).await
            }
            refused => refused,
        };
        if told == Told::Full {
            // Otherwise it keeps its bytes until it expires.
            let cancelled = self.delete(&location).await;
            assert!(matches!(cancelled, Told::Yes | Told::No(StatusCode::NOT_FOUND)), "{location}: {cancelled:?}");
        }
        told
    }

    pub(crate) async fn put_manifest(&self, repo: &str, tag: &str, body: &str) -> Told {
        let path = format!("/v2/{repo}/manifests/{tag}");
        Self::tell(self.request(Method::PUT, &path).header("content-type", IMAGE).body(body.to_owned())).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Told {
        Self::tell(self.request(Method::DELETE, path)).await
    }

    /// What is there; `Ok(None)` for "not there", `Err` for no whole answer.
    pub(crate) async fn get(&self, path: &str) -> Result<Option<Vec<u8>>, String> {
        let answer = self.request(Method::GET, path).send().await.map_err(|error| error.to_string())?;
        match answer.status() {
            StatusCode::OK => Ok(Some(answer.bytes().await.map_err(|error| error.to_string())?.to_vec())),
            StatusCode::NOT_FOUND => Ok(None),
            status => panic!("{path}: {status}"),
        }
    }
}

/// What the server acknowledged: path → content; `None` where a deletion or an answer that never came leaves it open.
#[derive(Clone, Default)]
pub(crate) struct Ledger(Arc<Mutex<BTreeMap<String, Option<Digest>>>>);

impl Ledger {
    pub(crate) fn stands(&self, path: &str, content: &[u8]) {
        self.0.lock().unwrap().insert(path.to_owned(), Some(sha256(content)));
    }

    pub(crate) fn open(&self, path: &str) {
        self.0.lock().unwrap().insert(path.to_owned(), None);
    }

    /// Leaves these open; tells what was known of them.
    pub(crate) fn open_all<'p>(&self, paths: impl Iterator<Item = &'p String>) -> Vec<(String, Option<Digest>)> {
        let mut known = self.0.lock().unwrap();
        paths.map(|path| (path.clone(), known.insert(path.clone(), None).flatten())).collect()
    }

    /// What [`Ledger::open_all`] left open is as it was.
    pub(crate) fn stand_again(&self, stood: Vec<(String, Option<Digest>)>) {
        self.0.lock().unwrap().extend(stood);
    }

    pub(crate) fn forget(&self, path: &str) {
        self.0.lock().unwrap().remove(path);
    }

    pub(crate) fn keep(&self, wanted: impl Fn(&str) -> bool) {
        self.0.lock().unwrap().retain(|path, _| wanted(path));
    }

    pub(crate) fn still_stands(&self, path: &str) -> bool {
        self.0.lock().unwrap().get(path).is_some_and(Option::is_some)
    }

    pub(crate) fn standing(&self) -> Vec<(String, Digest)> {
        let known = self.0.lock().unwrap();
        known.iter().filter_map(|(path, digest)| Some((path.clone(), (*digest)?))).collect()
    }

    /// Pulls everything that was acknowledged, byte by byte, and returns how many things there were.
    pub(crate) async fn check(&self, asker: &Asker, when: &str) -> usize {
        let standing = self.standing();
        for (path, digest) in &standing {
            let found = asker.get(path).await.unwrap_or_else(|error| panic!("{when}: {path}: {error}"));
            let found = found.unwrap_or_else(|| panic!("{when}: {path} was acknowledged and is lost"));
            assert_eq!(sha256(&found), *digest, "{when}: {path} is corrupt");
        }
        standing.len()
    }
}

pub(crate) fn image(config: &[u8], layer: &[u8]) -> String {
    let descriptor = |content: &[u8]| json!({ "mediaType": "application/octet-stream", "digest": sha256(content), "size": content.len() });
    json!({ "schemaVersion": 2, "mediaType": IMAGE, "config": descriptor(config), "layers": [descriptor(layer)] })
        .to_string()
}

pub(crate) fn sha256(content: &[u8]) -> Digest {
    Digest::of(Algorithm::Sha256, content)
}

/// Repeatable randomness (splitmix64).
#[derive(Clone)]
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.roll() % bound
    }

    pub(crate) fn bytes(&mut self, length: u64) -> Vec<u8> {
        (0..length.div_ceil(8)).flat_map(|_| self.roll().to_le_bytes()).collect()
    }
}
