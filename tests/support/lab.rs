//! A laboratory on one machine: two network namespaces with a wire between them.
//!
//! - The *server's* has the address [`SERVER`], which is no loopback address: docker never verifies a certificate on
//!   127.0.0.0/8, so a test there would prove nothing.
//! - The *client's* has [`CLIENT`]. Connections from it to [`NAT`], which no interface bears, are sent to the server:
//!   the floating address of a cloud.
//!
//! The client also has a mount namespace: its own `/etc` (a copy, with `registry.lab` in its hosts file and no trust in
//! any registry), `/run`, `/var/lib` and home directory. What a client program writes there touches nothing of the
//! machine.

use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use tempfile::TempDir;

use super::process::{Run, Service, word, words};
use super::server::{NAME, Options, Server};

/// The server's address (TEST-NET-2, RFC 5737).
pub(crate) const SERVER: &str = "198.51.100.1";
/// The client's address.
pub(crate) const CLIENT: &str = "198.51.100.2";
/// An address that no interface bears and that leads to the server (TEST-NET-3).
pub(crate) const NAT: &str = "203.0.113.5";
/// The server's port, not 443, so that names with a port are what is tested.
pub(crate) const PORT: u16 = 5443;
/// A name that leads to the server and that its certificate does not have.
pub(crate) const ALIAS: &str = "alias.lab";
/// The name of a reverse proxy beside the server.
pub(crate) const PROXY_NAME: &str = "proxy.lab";

const PREFIX: &str = "msr-lite-";

/// Two namespaces with a wire, gone with the value.
pub(crate) struct Lab {
    name: String,
    // Keeps the client's mount namespace alive.
    holder: Child,
    dir: TempDir,
}

impl Lab {
    /// Makes one. Several may stand side by side: no name or address is shared.
    #[track_caller]
    pub(crate) fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        sweep();
        let name = format!("{PREFIX}{}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        let dir = tempfile::Builder::new().prefix(&format!("{name}-")).tempdir().expect("a temporary directory");
        wire(&name);
        let holder = mount(&name, dir.path());
        Self { name, holder, dir }
    }

    /// Starts a server that clients reach as `registry.lab`, by [`SERVER`] and by [`NAT`]; `change` may add to its
    /// settings.
    #[track_caller]
    pub(crate) fn server(&self, change: impl FnOnce(Options) -> Options) -> Server {
        let mut options = change(Options::at(&format!("{SERVER}:{PORT}")));
        options.wrapper = self.beside_the_server();
        Server::start(options)
    }

    /// Runs a program as the client.
    pub(crate) fn client<S: AsRef<str>>(&self, program: &[S]) -> Run {
        self.client_with(&[], program)
    }

    /// The same with more variables in its environment.
    pub(crate) fn client_with<S: AsRef<str>>(&self, variables: &[(&str, &str)], program: &[S]) -> Run {
        let mut command = self.as_client(variables);
        command.extend(words(program));
        Run::of(&command)
    }

    /// Starts a program that stays, on the client's side.
    pub(crate) fn client_service<S: AsRef<str>>(&self, name: &str, program: &[S]) -> Service {
        let mut command = self.as_client(&[]);
        command.extend(words(program));
        Service::start(name, &command, &self.dir.path().join(format!("{name}.log")))
    }

    /// Starts a program that stays, on the server's side.
    pub(crate) fn server_service<S: AsRef<str>>(&self, name: &str, program: &[S]) -> Service {
        let mut command = self.beside_the_server();
        command.extend(words(program));
        Service::start(name, &command, &self.dir.path().join(format!("{name}.log")))
    }

    /// A directory for what a test makes, at the same path for the test and for the client.
    pub(crate) fn scratch(&self, name: &str) -> PathBuf {
        let path = self.dir.path().join(name);
        fs::create_dir_all(&path).expect("a directory of our own");
        path
    }

    /// Where a file of the client lies for the test; for `/etc`, `/run`, `/var/lib` and the home directory.
    pub(crate) fn client_path(&self, path: &str) -> PathBuf {
        self.dir.path().join(path.trim_start_matches('/').replacen("var/lib", "var-lib", 1))
    }

    /// The client's home directory, as the client names it.
    pub(crate) fn home(&self) -> String {
        word(&self.dir.path().join("home"))
    }

    /// Puts a CA where the client's programs of this family look for it: `docker` or `containers`.
    pub(crate) fn trust(&self, family: &str, authority: &str, ca: &Path) {
        let place = self.client_path(&format!("/etc/{family}/certs.d/{authority}"));
        fs::create_dir_all(&place).expect("the client's own /etc");
        fs::copy(ca, place.join("ca.crt")).expect("a CA certificate to copy");
    }

    /// Bytes that have come over the wire to the server since the laboratory was made.
    #[track_caller]
    pub(crate) fn received(&self) -> u64 {
        let server = format!("{}-s", self.name);
        let link = Run::of(&words(&["ip", "-n", &server, "-json", "-statistics", "link", "show", "wire"])).ok();
        let link: serde_json::Value = serde_json::from_str(&link.stdout).expect("ip writes JSON");
        link[0]["stats64"]["rx"]["bytes"].as_u64().expect("a wire counts its bytes")
    }

    fn beside_the_server(&self) -> Vec<String> {
        words(&["nsenter", &format!("--net=/run/netns/{}-s", self.name), "--"])
    }

    fn as_client(&self, variables: &[(&str, &str)]) -> Vec<String> {
        let mut command =
            words(&["nsenter", "--target", &self.holder.id().to_string(), "--net", "--mount", "--", "env", "-i"]);
        // Nothing of the machine's environment: a proxy or an SSL_CERT_FILE there would be part of the test.
        command.push(format!("PATH={}", path()));
        command.push(format!("HOME={}", self.home()));
        command.push(format!("TMPDIR={}", word(self.dir.path())));
        command.extend(variables.iter().map(|(name, value)| format!("{name}={value}")));
        command
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        let _ = self.holder.kill();
        let _ = self.holder.wait();
        for side in ["s", "c"] {
            let _ = Run::of(&words(&["ip", "netns", "del", &format!("{}-{side}", self.name)]));
        }
    }
}

/// The authority by which clients name the server.
pub(crate) fn authority(host: &str) -> String {
    format!("{host}:{PORT}")
}

fn wire(name: &str) {
    let (server, client) = (format!("{name}-s"), format!("{name}-c"));
    let ip = |line: &str| {
        let mut command = vec!["ip".to_owned()];
        command.extend(line.split(' ').map(str::to_owned));
        Run::of(&command).ok();
    };
    ip(&format!("netns add {server}"));
    ip(&format!("netns add {client}"));
    ip(&format!("-n {server} link add wire type veth peer name wire netns {client}"));
    for (side, address) in [(&server, SERVER), (&client, CLIENT)] {
        ip(&format!("-n {side} address add {address}/24 dev wire"));
        ip(&format!("-n {side} link set wire up"));
        ip(&format!("-n {side} link set lo up"));
    }
    // Without a route the kernel refuses the address before the NAT rule sees it.
    ip(&format!("-n {client} route add default via {SERVER}"));
    let rule = ["-t", "nat", "-A", "OUTPUT", "-d", NAT, "-p", "tcp", "-j", "DNAT", "--to-destination", SERVER];
    let mut command = words(&["nsenter", &format!("--net=/run/netns/{client}"), "--", "iptables"]);
    command.extend(words(&rule));
    Run::of(&command).ok();
}

fn mount(name: &str, dir: &Path) -> Child {
    for part in ["home", "run", "var-lib", "ca-certificates"] {
        fs::create_dir(dir.join(part)).expect("a directory of our own");
    }
    Run::of(&words(&["cp", "--archive", "/etc", &word(dir)])).ok();
    let etc = dir.join("etc");
    // What the machine trusts and is signed in to is not the client's.
    for part in ["docker", "containers"] {
        let _ = fs::remove_dir_all(etc.join(part));
    }
    let containers = etc.join("containers");
    fs::create_dir_all(&containers).expect("the client's own /etc");
    let files = [
        (etc.join("hosts"), format!("127.0.0.1 localhost\n{SERVER} {NAME} {ALIAS} {PROXY_NAME}\n")),
        (containers.join("policy.json"), r#"{ "default": [{ "type": "insecureAcceptAnything" }] }"#.to_owned()),
        (containers.join("registries.conf"), "unqualified-search-registries = []\n".to_owned()),
        (containers.join("storage.conf"), storage()),
    ];
    for (path, text) in files {
        let _ = fs::remove_file(&path);
        fs::write(path, text).expect("the client's own /etc");
    }

    let script = format!(
        "set -e
         for part in etc run; do mount --bind '{dir}'/$part /$part; done
         mount --bind '{dir}/var-lib' /var/lib
         if test -d /usr/local/share/ca-certificates; then
           mount --bind '{dir}/ca-certificates' /usr/local/share/ca-certificates
         fi
         echo ready
         exec sleep infinity",
        dir = dir.display(),
    );
    let mut holder = Command::new("setpriv")
        .args(["--pdeathsig", "KILL", "nsenter", &format!("--net=/run/netns/{name}-c"), "--"])
        .args(["unshare", "--mount", "--", "sh", "-c", &script])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .expect("unshare was found before");
    let mut line = String::new();
    BufReader::new(holder.stdout.take().expect("it is piped")).read_line(&mut line).expect("a line from our own child");
    assert_eq!(line.trim(), "ready", "the client's mount namespace could not be made");
    holder
}

/// vfs is the only driver that works everywhere, also inside a container.
fn storage() -> String {
    "[storage]\ndriver = \"vfs\"\nrunroot = \"/run/containers/storage\"\ngraphroot = \"/var/lib/containers/storage\"\n"
        .to_owned()
}

/// Where the client finds programs: as the test does, and where administrators' and Go's programs are.
fn path() -> String {
    let mut places = vec![std::env::var("PATH").unwrap_or_default(), "/usr/sbin:/sbin".to_owned()];
    places.extend(std::env::var("HOME").map(|home| format!("{home}/go/bin")));
    places.join(":")
}

/// Removes what test processes that were killed have left behind. Only names of ours, and only of processes that are
/// no more.
fn sweep() {
    let dead = |name: &OsStr| {
        let name = name.to_str()?;
        let process = name.strip_prefix(PREFIX)?.split('-').next()?.parse::<u32>().ok()?;
        (!Path::new("/proc").join(process.to_string()).exists()).then(|| name.to_owned())
    };
    let names = |place: &Path| -> Vec<String> {
        fs::read_dir(place)
            .map(|entries| entries.flatten().filter_map(|entry| dead(&entry.file_name())).collect())
            .unwrap_or_default()
    };
    for name in names(Path::new("/run/netns")) {
        let _ = Run::of(&words(&["ip", "netns", "del", &name]));
    }
    for name in names(&std::env::temp_dir()) {
        let _ = fs::remove_dir_all(std::env::temp_dir().join(name));
    }
}
