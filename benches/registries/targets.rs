//! Who is measured: this build, its peers, and the limits of the machine. Each is set up at its best: no access log, no
//! tracing, caches on; and each is as durable as it can be told to be (zot with `commit: true`).

use std::cell::RefCell;
use std::collections::HashMap;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};
use std::{env, fs};

use base64::Engine as _;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use serde_json::json;

use crate::client::{Connection, Endpoint};
use crate::load::runtime;
use crate::machine::Machine;
use crate::options::Options;
use crate::process::{self, Process};
use crate::{Error, Result};

/// The account of ours.
const ADMIN: &str = "admin";
const PASSWORD: &str = "a password for one benchmark";

/// A token is fetched anew when it is this old: ours live for minutes.
const TOKEN_AGE: Duration = Duration::from_mins(1);

/// How long a server may take to start.
const PATIENCE: Duration = Duration::from_mins(1);

/// The name of ours in tables.
pub(crate) const OURS: &str = "msr-lite";
/// The name of Debian's package, which most targets of the issue are measured against.
pub(crate) const DEBIAN: &str = "Debian";
/// The static file server that is the limit of what a server can do here.
pub(crate) const NGINX: &str = "nginx";
/// Writing a file and syncing it.
pub(crate) const DISK: &str = "dd";

/// What a target is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// This build.
    Ours,
    /// Another registry.
    Peer,
    /// nginx over the same files.
    Files,
    /// The disk.
    Disk,
}

/// In clear or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scheme {
    /// In clear.
    Http,
    /// Over TLS.
    Https,
}

/// Where a target is reached, and which process answers there.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    /// Where.
    pub(crate) endpoint: Endpoint,
    /// The process, where it is known.
    pub(crate) pid: Option<u32>,
}

/// Something that is measured; its processes end with it.
#[derive(Debug)]
pub(crate) struct Target {
    /// Its name in tables.
    pub(crate) name: String,
    /// What it is.
    pub(crate) role: Role,
    /// What it says of its version.
    pub(crate) version: String,
    /// Whether it was here before us, so that its data is not ours to make.
    pub(crate) external: bool,
    /// Its files, where they are ours.
    pub(crate) dir: PathBuf,
    http: Option<Place>,
    https: Option<Place>,
    account: Option<(String, String)>,
    tokens: RefCell<HashMap<String, (Instant, String)>>,
    processes: Vec<Process>,
}

impl Target {
    fn new(name: &str, role: Role, dir: &Path) -> Self {
        Self {
            name: name.to_owned(),
            role,
            version: String::new(),
            external: false,
            dir: dir.to_owned(),
            http: None,
            https: None,
            account: None,
            tokens: RefCell::default(),
            processes: Vec::new(),
        }
    }

    /// Where it is reached by this scheme.
    pub(crate) fn place(&self, scheme: Scheme) -> Option<&Place> {
        match scheme {
            Scheme::Http => self.http.as_ref(),
            Scheme::Https => self.https.as_ref(),
        }
    }

    /// The places that have data of their own.
    pub(crate) fn stores(&self) -> Vec<&Place> {
        let both = [&self.http, &self.https];
        both.into_iter().flatten().take(if self.role == Role::Peer { 2 } else { 1 }).collect()
    }

    /// The process that answers in clear (or at all).
    pub(crate) fn pid(&self) -> Option<u32> {
        self.http.as_ref().or(self.https.as_ref()).and_then(|place| place.pid)
    }

    /// The header line that signs in for these scopes, with a token for ours; nothing where nobody signs in.
    pub(crate) fn sign_in(&self, scopes: &[&str]) -> Result<String> {
        if self.role != Role::Ours {
            return Ok(self.basic());
        }
        let mut query = String::new();
        for scope in scopes {
            query.extend(["&scope=", scope]);
        }
        if let Some((fetched, line)) = self.tokens.borrow().get(&query)
            && fetched.elapsed() < TOKEN_AGE
        {
            return Ok(line.clone());
        }
        let place = self.http.as_ref().or(self.https.as_ref()).ok_or("it is not reached")?;
        let head = place.endpoint.head("GET", &format!("/auth/token?service=msr-lite{query}"), &self.basic(), None);
        let answer = runtime()?.block_on(async {
            Connection::open(&place.endpoint).await?.ask(&head, b"", false).await?.expect(&[200])
        })?;
        let answer: serde_json::Value = serde_json::from_slice(&answer.body)?;
        let token = answer["token"].as_str().ok_or("no token was given")?;
        let line = format!("Authorization: Bearer {token}\r\n");
        self.tokens.borrow_mut().insert(query, (Instant::now(), line.clone()));
        Ok(line)
    }

    /// Name and password, where there is an account.
    pub(crate) fn account(&self) -> Option<&(String, String)> {
        self.account.as_ref()
    }

    /// The header line with name and password, where there is an account.
    pub(crate) fn basic(&self) -> String {
        self.account.as_ref().map_or(String::new(), |(name, password)| {
            let encoded = base64::engine::general_purpose::STANDARD.encode(format!("{name}:{password}"));
            format!("Authorization: Basic {encoded}\r\n")
        })
    }

    /// Waits until every process answers.
    fn await_ready(&mut self) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        let runtime = runtime()?;
        for place in [&self.http, &self.https].into_iter().flatten() {
            while let Err(error) = runtime.block_on(answers(&place.endpoint)) {
                for process in &mut self.processes {
                    process.alive()?;
                }
                if Instant::now() > deadline {
                    return Err(format!("it does not answer: {error}").into());
                }
                std::thread::sleep(Duration::from_millis(20));
            }
        }
        Ok(())
    }
}

/// Asks `/v2/`; an error as long as nobody answers there.
pub(crate) async fn answers(endpoint: &Endpoint) -> Result<()> {
    let head = endpoint.head("GET", "/v2/", "", None);
    Connection::with_buffer(endpoint, 16 * 1024).await?.probe(&head, false).await?;
    Ok(())
}

/// What it takes to start targets.
pub(crate) struct Launcher<'b> {
    options: &'b Options,
    machine: &'b Machine,
    dir: &'b Path,
    /// This program, copied: see [`fresh_copy`].
    program: PathBuf,
    /// A certificate for 127.0.0.1 that lives as long as this run, for all but ours.
    certificate: PathBuf,
    key: PathBuf,
}

impl<'b> Launcher<'b> {
    /// A launcher whose targets live in `dir`.
    pub(crate) fn new(options: &'b Options, machine: &'b Machine, dir: &'b Path) -> Result<Self> {
        let key = rcgen::KeyPair::generate()?;
        let certificate = rcgen::CertificateParams::new(vec!["127.0.0.1".to_owned()])?.self_signed(&key)?;
        let (certificate_file, key_file) = (dir.join("peers.crt"), dir.join("peers.key"));
        fs::write(&certificate_file, certificate.pem())?;
        fs::write(&key_file, key.serialize_pem())?;
        let program = fresh_copy(&options.binary(), dir)?;
        Ok(Self { options, machine, dir, program, certificate: certificate_file, key: key_file })
    }

    /// This build on a data directory of this name, which may have been filled before.
    pub(crate) fn ours(&self, name: &str) -> Result<Target> {
        let mut target = Target::new(name, Role::Ours, &self.dir.join(format!("ours-{name}")));
        self.initialise(&target.dir)?;
        let (http, https) = (free_port()?, free_port()?);
        target.processes.push(Process::start(&mut self.serve(&target.dir, http, https), &self.log(name))?);
        let pid = target.processes.first().map(Process::pid);
        let tls = trusting(&target.dir.join("pki/ca.crt"))?;
        target.http = Some(Place { endpoint: at(http, None), pid });
        target.https = Some(Place { endpoint: at(https, Some(tls)), pid });
        target.account = Some((ADMIN.to_owned(), PASSWORD.to_owned()));
        env!("CARGO_PKG_VERSION").clone_into(&mut target.version);
        target.await_ready()?;
        Ok(target)
    }

    /// The same on a store that was filled and never served: it is served once before, for as long as it has work of
    /// its own. A registry that runs does that work when it is due; a store that was filled in one go makes all of it due
    /// at the first start (the first collection, and the verification of every event), which would be counted with
    /// whatever is measured then. What it took is returned.
    pub(crate) fn settled(&self, name: &str) -> Result<(Target, FirstStart)> {
        let mut first = FirstStart::default();
        if let Some(pid) = self.ours(name)?.pid() {
            process::await_quiet(pid);
            let (spent, peak, own) = (process::cpu(pid).as_secs_f64(), process::peak(pid), process::own(pid));
            first = FirstStart { cpu: spent, peak, own };
        }
        Ok((self.ours(name)?, first))
    }

    /// Makes a data directory of ours, if there is none.
    pub(crate) fn initialise(&self, data: &Path) -> Result<()> {
        let password = self.dir.join("password");
        fs::write(&password, PASSWORD)?;
        let mut init = Command::new(&self.program);
        init.args(["init", "--fqdn", "registry.lab", "--admin-password-file"]).arg(password);
        done(init.arg("--data-dir").arg(data))
    }

    /// The command that serves a data directory of ours.
    pub(crate) fn serve(&self, data: &Path, http: u16, https: u16) -> Command {
        let mut command = self.machine.server(&self.program);
        command.args(["serve", "--fqdn", "registry.lab", "--data-dir"]).arg(data);
        command.args(["--http", &local(http), "--listen", &local(https)]);
        // As for the peers: no access log. The client is one address with many connections.
        command.env("MSR_LITE_LOG", "warn");
        command.env("MSR_LITE_LIMITS__CONNECTIONS", "100000");
        command.env("MSR_LITE_LIMITS__CONNECTIONS_PER_ADDRESS", "100000");
        command
    }

    /// A peer by the word that the command line has for it. `prepare` may fill its directory before it starts.
    pub(crate) fn peer(&self, word: &str, prepare: &dyn Fn(&str, &Path) -> Result<()>) -> Result<Target> {
        match word {
            "debian" => self.distribution(DEBIAN, &find("docker-registry").ok_or("not installed")?, prepare),
            "distribution" => self.distribution("distribution v3", &self.go_program("registry", GO_REGISTRY)?, prepare),
            "zot" => self.zot(&self.go_program("zot", GO_ZOT)?, prepare),
            other => self.external(other),
        }
    }

    /// Distribution's registry, which Debian packages in an old version.
    fn distribution(&self, name: &str, program: &Path, prepare: &dyn Fn(&str, &Path) -> Result<()>) -> Result<Target> {
        let mut target = Target::new(name, Role::Peer, &self.dir.join(name));
        target.version = version(program, "--version");
        for scheme in [Scheme::Http, Scheme::Https] {
            let (port, data) = (free_port()?, target.dir.join(format!("{scheme:?}")));
            fs::create_dir_all(&data)?;
            let tls = match scheme {
                Scheme::Http => String::new(),
                Scheme::Https => {
                    let (certificate, key) = (self.certificate.display(), self.key.display());
                    format!("  tls: {{certificate: '{certificate}', key: '{key}'}}\n")
                }
            };
            let config = format!(
                "version: 0.1\nlog: {{accesslog: {{disabled: true}}, level: error}}\nstorage:\n  filesystem: \
                 {{rootdirectory: '{}'}}\n  delete: {{enabled: true}}\n  cache: {{blobdescriptor: inmemory}}\n  \
                 maintenance: {{uploadpurging: {{enabled: false}}}}\nhttp:\n  addr: {}\n  secret: bench\n{tls}",
                data.display(),
                local(port)
            );
            let file = target.dir.join(format!("{scheme:?}.yml"));
            fs::write(&file, config)?;
            if scheme == Scheme::Http {
                prepare("distribution", &data.join("docker/registry/v2"))?;
            }
            let mut command = self.machine.server(program);
            command.arg("serve").arg(file).env("OTEL_TRACES_EXPORTER", "none");
            self.add(&mut target, scheme, port, &mut command)?;
        }
        target.await_ready()?;
        Ok(target)
    }

    fn zot(&self, program: &Path, prepare: &dyn Fn(&str, &Path) -> Result<()>) -> Result<Target> {
        let mut target = Target::new("zot", Role::Peer, &self.dir.join("zot"));
        target.version = version(program, "--version");
        for scheme in [Scheme::Http, Scheme::Https] {
            let (port, data) = (free_port()?, target.dir.join(format!("{scheme:?}")));
            fs::create_dir_all(&data)?;
            let mut http = json!({ "address": "127.0.0.1", "port": port.to_string() });
            if scheme == Scheme::Https {
                http["tls"] = json!({ "cert": self.certificate, "key": self.key });
            }
            let config = json!({
                "storage": { "rootDirectory": data, "commit": true, "gc": false },
                "http": http,
                "log": { "level": "error" },
            });
            let file = target.dir.join(format!("{scheme:?}.json"));
            fs::write(&file, config.to_string())?;
            if scheme == Scheme::Http {
                prepare("zot", &data)?;
            }
            self.add(&mut target, scheme, port, self.machine.server(program).arg("serve").arg(file))?;
        }
        target.await_ready()?;
        Ok(target)
    }

    /// nginx over `www`: static files under `/v2/`, PUT under `/put/`. It neither hashes nor syncs.
    pub(crate) fn nginx(&self, www: &Path) -> Result<Target> {
        let program = find("nginx").ok_or("not installed")?;
        let mut target = Target::new(NGINX, Role::Files, &self.dir.join("nginx"));
        fs::create_dir_all(target.dir.join("tmp"))?;
        target.version = version(&program, "-v");
        let (http, https) = (free_port()?, free_port()?);
        let tmp = target.dir.join("tmp");
        let user = if rustix::process::geteuid().is_root() { "user root;" } else { "" };
        let config = format!(
            "daemon off; {user} worker_processes {workers}; pid {dir}/pid; error_log stderr crit;
            events {{ worker_connections 4096; }}
            http {{
              access_log off; sendfile on; tcp_nopush on; tcp_nodelay on; server_tokens off;
              keepalive_timeout 300; keepalive_requests 1000000000; http2_max_requests 1000000000;
              open_file_cache max=10000 inactive=300s; open_file_cache_valid 300s;
              client_max_body_size 0; client_body_temp_path {tmp}; proxy_temp_path {tmp}; fastcgi_temp_path {tmp};
              uwsgi_temp_path {tmp}; scgi_temp_path {tmp};
              types {{}} default_type {manifest};
              server {{
                listen 127.0.0.1:{http}; listen 127.0.0.1:{https} ssl http2;
                ssl_certificate {certificate}; ssl_certificate_key {key}; ssl_protocols TLSv1.2 TLSv1.3;
                root {www};
                location /put/ {{ dav_methods PUT; create_full_put_path on; }}
              }}
            }}",
            workers = self.machine.server_cores(),
            dir = target.dir.display(),
            tmp = tmp.display(),
            manifest = crate::content::MANIFEST,
            certificate = self.certificate.display(),
            key = self.key.display(),
            www = www.display(),
        );
        let file = target.dir.join("nginx.conf");
        fs::write(&file, config)?;
        let mut command = self.machine.server(program);
        command.arg("-c").arg(file).arg("-p").arg(&target.dir).args(["-e", "stderr"]);
        self.add(&mut target, Scheme::Http, http, &mut command)?;
        let pid = target.pid();
        target.https = Some(Place { endpoint: at(https, Some(trusting(&self.certificate)?)), pid });
        target.await_ready()?;
        Ok(target)
    }

    /// The disk, which only rows that write look at.
    pub(crate) fn disk(&self) -> Target {
        let mut target = Target::new(DISK, Role::Disk, &self.dir.join("disk"));
        "bs=1M conv=fsync".clone_into(&mut target.version);
        target
    }

    /// A registry that runs already: `name=[user:password@]URL[#PID]`.
    fn external(&self, word: &str) -> Result<Target> {
        let wrong = || Error::from("debian, distribution, zot or name=URL is meant");
        let (name, url) = word.split_once('=').ok_or_else(wrong)?;
        let (url, pid) = url.split_once('#').map_or((url, None), |(url, pid)| (url, pid.parse().ok()));
        let (scheme, rest) = url.split_once("://").ok_or_else(wrong)?;
        let rest = rest.trim_end_matches('/');
        let (account, authority) =
            rest.rsplit_once('@').map_or((None, rest), |(user, host)| (user.split_once(':'), host));
        let mut target = Target::new(name, Role::Peer, self.dir);
        target.external = true;
        url.clone_into(&mut target.version);
        target.account = account.map(|(user, password)| (user.to_owned(), password.to_owned()));
        let authority = if authority.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok()) {
            authority.to_owned()
        } else {
            format!("{authority}:{}", if scheme == "https" { 443 } else { 80 })
        };
        if scheme == "https" {
            let ca = self.options.peer_ca.as_ref().ok_or("--peer-ca must name its certificate authority")?;
            target.https = Some(Place { endpoint: Endpoint { authority, tls: Some(trusting(ca)?) }, pid });
        } else {
            target.http = Some(Place { endpoint: Endpoint { authority, tls: None }, pid });
        }
        target.await_ready()?;
        Ok(target)
    }

    fn add(&self, target: &mut Target, scheme: Scheme, port: u16, command: &mut Command) -> Result<()> {
        let process = Process::start(command, &self.log(&format!("{}-{scheme:?}", target.name)))?;
        let pid = Some(process.pid());
        target.processes.push(process);
        match scheme {
            Scheme::Http => target.http = Some(Place { endpoint: at(port, None), pid }),
            Scheme::Https => {
                target.https = Some(Place { endpoint: at(port, Some(trusting(&self.certificate)?)), pid });
            }
        }
        Ok(())
    }

    fn log(&self, name: &str) -> PathBuf {
        self.dir.join(format!("{name}.log"))
    }

    /// A Go program: installed, or brought once by `go install` in the full form, which then keeps it.
    fn go_program(&self, name: &str, package: &str) -> Result<PathBuf> {
        let kept = Path::new(env!("CARGO_TARGET_TMPDIR")).join("peers");
        let installed = [Some(kept.join(name)), find(name)].into_iter().flatten().find(|path| path.is_file());
        if let Some(program) = installed {
            return Ok(program);
        }
        if self.options.short() || find("go").is_none() {
            return Err(format!("not installed (`go install {package}`)").into());
        }
        eprintln!("bench: go install {package}, for ten minutes at most");
        let mut command = Command::new("timeout");
        command.args(["600", "go", "install", "-trimpath", package]).env("GOBIN", &kept).env("CGO_ENABLED", "0");
        done(&mut command)?;
        Ok(kept.join(name))
    }
}

const GO_REGISTRY: &str = "github.com/distribution/distribution/v3/cmd/registry@latest";
const GO_ZOT: &str = "zotregistry.dev/zot/v2/cmd/zot@latest";

/// What the work of a first start took.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct FirstStart {
    /// CPU, in s.
    pub(crate) cpu: f64,
    /// The most resident memory, in MiB.
    pub(crate) peak: f64,
    /// What was the server's own when it was done, in MiB.
    pub(crate) own: f64,
}

/// A copy of the program whose pages are read anew from the disk. How much of its file counts as a process's memory
/// depends on the pieces in which the page cache has it, so on who wrote or read it before, by some MiB.
fn fresh_copy(program: &Path, dir: &Path) -> Result<PathBuf> {
    let copy = dir.join("msr-lite");
    fs::copy(program, &copy)?;
    let file = fs::File::open(&copy)?;
    file.sync_all()?;
    rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed)?;
    Ok(copy)
}

/// Runs a command to its end.
fn done(command: &mut Command) -> Result<()> {
    let run = command.output().map_err(|error| format!("{command:?}: {error}"))?;
    if run.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&run.stderr);
    Err(said.lines().last().unwrap_or("it failed without a word").to_owned().into())
}

/// A program on the path, or in the places of system programs that a user's path may lack.
fn find(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let dirs = env::split_paths(&path).chain(["/usr/sbin".into(), "/usr/local/sbin".into()]);
    dirs.map(|dir| dir.join(program)).find(|file| file.is_file())
}

/// The first version-like word of what a program says of itself.
fn version(program: &Path, flag: &str) -> String {
    let Ok(run) = Command::new(program).arg(flag).output() else { return String::new() };
    let said = [run.stdout, run.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    let words = said.split(|c: char| c.is_whitespace() || matches!(c, '/' | '"' | ','));
    let mut words = words.filter(|word| word.trim_start_matches('v').starts_with(|c: char| c.is_ascii_digit()));
    words.find(|word| word.contains('.')).unwrap_or("unknown").to_owned()
}

fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

fn local(port: u16) -> String {
    format!("127.0.0.1:{port}")
}

fn at(port: u16, tls: Option<Arc<rustls::ClientConfig>>) -> Endpoint {
    Endpoint { authority: local(port), tls }
}

/// Ports for a server of ours that is started over and over.
pub(crate) fn two_ports() -> Result<(u16, u16)> {
    Ok((free_port()?, free_port()?))
}

/// TLS that trusts the certificates in a file, and never resumes: each connection is a full handshake.
fn trusting(file: &Path) -> Result<Arc<rustls::ClientConfig>> {
    let mut roots = rustls::RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(file).map_err(|error| error.to_string())? {
        roots.add(certificate.map_err(|error| error.to_string())?)?;
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.resumption = rustls::client::Resumption::disabled();
    Ok(Arc::new(config))
}
