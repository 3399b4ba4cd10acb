//! `msr-lite trust`: what a client needs to trust a registry, and whether it does.
//!
//! `show` reads the data directory of a registry; the other verbs run on client machines that have nothing but this
//! binary. `install` and `uninstall` run the same script that the registry serves (`assets/trust.sh`), rendered here
//! from a certificate that was checked first: where things go is said in one place.

use std::fmt::Write as _;
use std::io::Write as _;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use clap::{Args, Subcommand};
use serde::Serialize;

use super::cert::read_file;
use super::{CliError, Context, Exit};
use crate::base::Clock;
use crate::client::{Names, Outbound, OutboundError, Roots, Verdict, handshake};
use crate::ops::status::Serves;
use crate::pki::trust::{OneLiner, RegistryHost, TrustMaterial, one_liners, script};
use crate::pki::{CertificateFacts, PkiError, Published, SubjectName, covers};
use crate::serve::admin::{AdminAnswer, AdminRequest};

/// A `ca.crt` has some hundred bytes; a chain of them some thousand.
const CA_LIMIT: usize = 64 * 1024;

/// The verbs of `msr-lite trust`.
#[derive(Debug, Subcommand)]
pub enum TrustCommand {
    /// At the registry: print fingerprints, names and the commands for clients
    #[command(after_help = "\
Examples:
  msr-lite trust show
  msr-lite trust show --host 192.0.2.10:8443      # for clients that will use this address")]
    Show {
        /// The registry as clients write it: HOST or HOST:PORT [default: its full name and the port that it serves on]
        #[arg(long)]
        host: Option<RegistryHost>,
    },
    /// On a client: make this machine trust a registry
    #[command(after_help = "\
It fetches ca.crt in clear and goes on only if that has the fingerprint.

Examples (SHA256 stands for what `msr-lite trust show` prints at the registry):
  sudo msr-lite trust install --host registry.lab --fingerprint SHA256
  msr-lite trust install --host registry.lab:8443 --fingerprint SHA256 --podman --dry-run
  sudo msr-lite trust install --host registry.lab --fingerprint SHA256 --ca ca.crt")]
    Install {
        /// Which registry and where.
        #[command(flatten)]
        at: Target,
        /// SHA-256 of its ca.crt or of the certificate in it, as `trust show` prints it at the registry
        #[arg(long, value_name = "SHA256")]
        fingerprint: String,
    },
    /// On a client: take that trust away again
    #[command(after_help = "\
Example:
  sudo msr-lite trust uninstall --host registry.lab")]
    Uninstall {
        /// Which registry and where.
        #[command(flatten)]
        at: Target,
    },
    /// On a client: tell whether its tools would trust a registry, and the cure
    #[command(after_help = "\
Exit codes: 0 all of them would, 4 one of them would not.

Examples:
  msr-lite trust check --host registry.lab
  msr-lite trust check --host 192.0.2.10:8443 --docker")]
    Check {
        /// The registry as clients write it: HOST or HOST:PORT
        #[arg(long)]
        host: RegistryHost,
        /// Which clients.
        #[command(flatten)]
        clients: Clients,
    },
}

/// A registry, and where on this machine.
#[derive(Debug, Args)]
pub struct Target {
    /// The registry as clients write it: HOST or HOST:PORT
    #[arg(long)]
    pub host: RegistryHost,
    /// Its ca.crt, if it cannot be fetched from the registry
    #[arg(long, value_name = "FILE")]
    pub ca: Option<PathBuf>,
    /// Which clients.
    #[command(flatten)]
    pub clients: Clients,
    /// Say what would be done and do nothing
    #[arg(long)]
    pub dry_run: bool,
}

/// Which clients of this machine are meant; without any flag, all that are there.
#[derive(Clone, Copy, Debug, Default, Args)]
pub struct Clients {
    /// Docker
    #[arg(long)]
    pub docker: bool,
    /// podman, skopeo, buildah
    #[arg(long)]
    pub podman: bool,
    /// The system's store
    #[arg(long)]
    pub system: bool,
}

impl Clients {
    /// The names that the script knows; none for "what is there".
    fn names(self) -> Vec<&'static str> {
        let all = [(self.docker, "docker"), (self.podman, "podman"), (self.system, "system")];
        all.into_iter().filter_map(|(wanted, name)| wanted.then_some(name)).collect()
    }

    fn means(self, name: &str) -> bool {
        self.names().is_empty() || self.names().contains(&name)
    }
}

/// Why a command failed, in words.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// Certificates or keys.
    #[error(transparent)]
    Pki(#[from] PkiError),
    /// The call to the registry.
    #[error(transparent)]
    Outbound(#[from] OutboundError),
    /// Anything else.
    #[error("{0}")]
    Said(String),
}

/// What to print, and whether the answer is yes (exit code 0) or no (exit code 1).
#[derive(Debug)]
pub struct TrustReply {
    /// For standard output, ending in a line end.
    pub text: String,
    /// Whether everything is as it should be.
    pub good: bool,
}

/// The client machine that the verbs look at and change: this one, or what stands below `MSR_LITE_ROOT`.
#[derive(Debug)]
pub struct Machine {
    root: Option<PathBuf>,
    home: Option<PathBuf>,
    ssl_cert_file: Option<PathBuf>,
    names: Names,
}

impl Machine {
    /// This machine, as the environment says.
    pub fn this() -> Self {
        let path = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        Self {
            root: path("MSR_LITE_ROOT"),
            home: path("HOME"),
            ssl_cert_file: path("SSL_CERT_FILE"),
            names: Names::system(),
        }
    }

    fn at(&self, path: &str) -> PathBuf {
        self.root.as_deref().unwrap_or(Path::new("/")).join(path)
    }

    fn system_roots(&self) -> Roots {
        let own = self.ssl_cert_file.as_deref().and_then(|file| Roots::pem(&read_file(file).ok()?).ok());
        own.unwrap_or_else(|| Roots::system(&self.at("")))
    }

    /// The directories of a client's own certificates for one spelling of a registry.
    fn directories(&self, client: &str, spelling: &str) -> Vec<PathBuf> {
        let docker = self.at("etc/docker/certs.d").join(spelling);
        match client {
            "docker" => vec![docker],
            // containers-certs.d(5): the user's, the system's, and docker's too.
            "podman" => {
                let home = self.home.as_ref().map(|home| home.join(".config/containers/certs.d").join(spelling));
                home.into_iter().chain([self.at("etc/containers/certs.d").join(spelling), docker]).collect()
            }
            _ => Vec::new(),
        }
    }
}

/// Runs the verb.
///
/// # Errors
/// In words; then nothing was written.
pub fn run(context: &Context, command: &TrustCommand) -> Result<Exit, CliError> {
    let served = match command {
        TrustCommand::Show { .. } => Some(Served::find(context)?),
        _ => None,
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(CliError::failed)?;
    let machine = Machine::this();
    let done = carry_out(command, served.as_ref(), context.json(), &machine);
    let reply = runtime.block_on(done).map_err(CliError::failed)?;
    context.print(&reply.text)?;
    Ok(if reply.good { Exit::Done } else { Exit::Found })
}

/// This machine's registry, and where clients reach it.
struct Served {
    /// Its data directory.
    data: PathBuf,
    /// Its URL as the running server tells it; else the setting `external_url`.
    url: Option<String>,
    /// The port that it speaks TLS on.
    port: u16,
}

impl Served {
    fn find(context: &Context) -> Result<Self, CliError> {
        let data = context.existing_data_dir()?;
        if let Some(AdminAnswer::Status(status)) = context.ask(&AdminRequest::Status)? {
            let tls = status.listeners.iter().find(|listener| listener.serves == Serves::Https);
            let address = tls.and_then(|listener| listener.address.parse().ok());
            return Ok(Self { data, url: Some(status.url), port: address.map_or(443, |a: SocketAddr| a.port()) });
        }
        let config = &context.config()?.config;
        let port = config.listen.first().map_or(443, SocketAddr::port);
        if !context.json() {
            context.note(format!("(no server is running; port {port} is assumed, --host NAME:PORT says another)"));
        }
        Ok(Self { data, url: config.external_url.clone(), port })
    }

    /// How clients write it: as its URL says, if the certificate covers that and others can dial it; else its full name
    /// and the port that it serves on.
    fn host(&self, published: &Published) -> Result<RegistryHost, PkiError> {
        let url = self.url.as_deref().and_then(|url| url.strip_prefix("https://"));
        let host = url.and_then(|host| host.trim_end_matches('/').parse::<RegistryHost>().ok());
        match host.filter(|host| host.host() != "localhost" && published.covers(&host.host())) {
            Some(host) => Ok(host),
            None => RegistryHost::new(&full_name(published), self.port),
        }
    }
}

/// Carries a verb out. Only `show` needs to know what this machine serves.
async fn carry_out(
    command: &TrustCommand,
    served: Option<&Served>,
    json: bool,
    machine: &Machine,
) -> Result<TrustReply, TrustError> {
    match command {
        TrustCommand::Show { host } => {
            let served = served.ok_or_else(|| {
                TrustError::Said("`trust show` reads a registry's data directory: name it with --data-dir".into())
            })?;
            let published = Published::read(&served.data)?;
            let host = host.as_ref().map_or_else(|| served.host(&published), |host| Ok(host.clone()))?;
            show(&published, &host)
        }
        TrustCommand::Install { at, fingerprint } => {
            let material = match &at.ca {
                Some(file) => TrustMaterial::of_pem(&read_file(file)?)?,
                None => fetch(&at.host, machine).await?,
            };
            if !material.matches(fingerprint) {
                return Err(TrustError::Said(format!(
                    "the certificate of {} is NOT the one you expect\n  expected: {fingerprint}\n  found:    {} (ca.crt)\n\
                     Nothing was written. Ask the registry's administrator for the output of: msr-lite trust show",
                    at.host,
                    material.sha256()
                )));
            }
            run_script(&material, at, machine, false)
        }
        TrustCommand::Uninstall { at } => run_script(&installed(at, machine)?, at, machine, true),
        TrustCommand::Check { host, clients } => check(host, *clients, json, machine).await,
    }
}

fn show(published: &Published, host: &RegistryHost) -> Result<TrustReply, TrustError> {
    if !published.covers(&host.host()) {
        let name = host.host();
        return Err(TrustError::Said(format!(
            "the certificate does not cover {name}: `msr-lite cert add {name}`, then ask again"
        )));
    }
    let material = TrustMaterial::from(published);
    let names: Vec<_> = published.leaf.names.iter().map(SubjectName::to_string).collect();
    let mut text = format!(
        "registry     {host}\nauthority    {}\n  until      {}\n  SHA-256    {} (of the file ca.crt, for sha256sum)\n  \
         SHA-256    {} (of the certificate, as browsers show it)\ncertificate  {}\n  until      {}\n  \
         SHA-256    {}\n  names      {}\n",
        published.ca.subject,
        published.ca.not_after,
        material.sha256(),
        published.ca.fingerprint,
        published.leaf.subject,
        published.leaf.not_after,
        published.leaf.fingerprint,
        names.join(", ")
    );
    text.push_str("\nOn each client, once (each command checks what it fetched against the fingerprint above):\n");
    for OneLiner { client, command, note } in one_liners(&material.inputs(host)) {
        let _ = writeln!(text, "\n# {client}: {note}\n{command}");
    }
    let _ = writeln!(
        text,
        "\n# a client that has this program\nmsr-lite trust install --host {host} --fingerprint {}",
        material.sha256()
    );
    Ok(TrustReply { text, good: true })
}

/// The registry's full name: the subject of our own certificates. An imported one's may say anything, but it covers
/// something.
fn full_name(published: &Published) -> String {
    let subject = published.leaf.subject.strip_prefix("CN=").filter(|name| published.covers(name));
    let any = || published.leaf.names.iter().map(SubjectName::to_string).find(|name| !name.starts_with('*'));
    subject.map(ToOwned::to_owned).or_else(any).unwrap_or_else(|| "localhost".into())
}

/// Fetches `/ca.crt` in clear: what makes it authentic is the fingerprint, which the caller compares. The TLS port
/// answers plain HTTP with it; a reverse proxy's may not, and then port 80 is tried.
async fn fetch(host: &RegistryHost, machine: &Machine) -> Result<TrustMaterial, TrustError> {
    let client = Outbound::with_names(Roots::none(), machine.names.clone())?;
    let plain = RegistryHost::new(&host.host(), 80)?;
    let mut failures = Vec::new();
    for url in [format!("http://{}/ca.crt", host.with_port()), format!("http://{}/ca.crt", plain.with_port())] {
        match client.get(&url, CA_LIMIT).await {
            Ok(answer) if answer.status == 200 => {
                if let Ok(material) = TrustMaterial::of_pem(&String::from_utf8_lossy(&answer.body)) {
                    return Ok(material);
                }
                failures.push(format!("{url}: this is no certificate"));
            }
            Ok(answer) => failures.push(format!("{url}: status {}", answer.status)),
            // Asking another port does not make a name known.
            Err(error @ OutboundError::Name(_)) => return Err(error.into()),
            Err(error) => failures.push(error.to_string()),
        }
    }
    Err(TrustError::Said(format!(
        "the certificate cannot be fetched ({}): copy ca.crt from the registry (`msr-lite ca export`) and give it with \
         --ca",
        failures.join("; ")
    )))
}

/// The certificate to take away: given, or lying where an installation put it.
fn installed(at: &Target, machine: &Machine) -> Result<TrustMaterial, TrustError> {
    if let Some(file) = &at.ca {
        return Ok(TrustMaterial::of_pem(&read_file(file)?)?);
    }
    for spelling in at.host.spellings() {
        for directory in ["etc/docker/certs.d", "etc/containers/certs.d"] {
            let file = machine.at(directory).join(&spelling).join("ca.crt");
            if let Ok(material) = read_file(&file).and_then(|text| TrustMaterial::of_pem(&text)) {
                return Ok(material);
            }
        }
    }
    Err(TrustError::Said(format!(
        "no certificate of {} is installed for docker or podman; for the system's store give it with --ca",
        at.host
    )))
}

/// Renders the script from a certificate that is known to be right, and runs it.
fn run_script(
    material: &TrustMaterial,
    at: &Target,
    machine: &Machine,
    uninstall: bool,
) -> Result<TrustReply, TrustError> {
    let cannot = |error: std::io::Error| TrustError::Said(format!("sh cannot be run: {error}"));
    let mut command = Command::new("sh");
    command.args(["-s", "--", "--fingerprint", material.sha256()]);
    let only = at.clients.names().join(",");
    if !only.is_empty() {
        command.args(["--only", &only]);
    }
    if uninstall {
        command.arg("--uninstall");
    }
    if at.dry_run {
        command.arg("--dry-run");
    }
    if let Some(root) = &machine.root {
        command.env("MSR_LITE_ROOT", root);
    }
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().map_err(cannot)?;
    let mut input = child.stdin.take().expect("a pipe was asked for");
    input.write_all(script(&material.inputs(&at.host)).as_bytes()).map_err(cannot)?;
    drop(input);
    let output = child.wait_with_output().map_err(cannot)?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() {
        return Ok(TrustReply { text, good: true });
    }
    Err(TrustError::Said(format!("{text}{}", String::from_utf8_lossy(&output.stderr).trim_end())))
}

/// What one client makes of a registry.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    /// `docker`, `podman` or `system`.
    pub client: &'static str,
    /// The registry as a reference would spell it.
    pub reference: String,
    /// Whether this client would go on.
    pub trusted: bool,
    /// Whether the certificate covers the name, whoever issued it.
    pub covered: bool,
    /// Why not, in words; empty when it would.
    pub reason: String,
    /// What to do about it; empty when nothing.
    pub cure: String,
}

async fn check(host: &RegistryHost, clients: Clients, json: bool, machine: &Machine) -> Result<TrustReply, TrustError> {
    let mut checks = Vec::new();
    let mut loopback = false;
    for client in ["docker", "podman", "system"].into_iter().filter(|client| clients.means(client)) {
        let spellings = if client == "system" { vec![host.to_string()] } else { host.spellings() };
        for reference in spellings {
            let directories = machine.directories(client, &reference);
            let roots = directories.iter().fold(machine.system_roots(), |r, d| r.and(Roots::directory(d)));
            let shaken = handshake(host, roots, &machine.names).await?;
            loopback |= shaken.address.is_loopback();
            let facts = shaken.chain.iter().map(|der| CertificateFacts::of(der)).collect::<Result<Vec<_>, _>>()?;
            checks.push(judge(client, reference, host, &facts, shaken.verdict));
        }
    }
    let good = checks.iter().all(|check| check.trusted);
    if json {
        let text = serde_json::to_string_pretty(&checks).expect("strings and flags are JSON") + "\n";
        return Ok(TrustReply { text, good });
    }
    let mut text = String::new();
    for check in &checks {
        let verdict = if check.trusted { "trusts it" } else { "refuses it" };
        let _ = writeln!(text, "{:<7} {:<30} {verdict}", check.client, check.reference);
        for line in [&check.reason, &check.cure].into_iter().filter(|line| !line.is_empty()) {
            let _ = writeln!(text, "        {line}");
        }
    }
    if loopback {
        text.push_str("note: docker verifies nothing on loopback addresses, whatever it would say elsewhere\n");
    }
    Ok(TrustReply { text, good })
}

fn judge(
    client: &'static str,
    reference: String,
    host: &RegistryHost,
    chain: &[CertificateFacts],
    verdict: Verdict,
) -> Check {
    let name = host.host();
    let covered = chain.first().is_some_and(|leaf| covers(&leaf.names, &name));
    let now = Clock::system().now();
    // rustls does not look at a root's own term; every other client does.
    let ended = chain.iter().find(|certificate| {
        certificate.subject == certificate.issuer && (now > certificate.not_after || now < certificate.not_before)
    });
    let wrong_name = || {
        let names = chain.first().map(|leaf| leaf.names.iter().map(SubjectName::to_string).collect::<Vec<_>>());
        let what = match host.subject() {
            SubjectName::Ip(IpAddr::V4(_) | IpAddr::V6(_)) => "address",
            SubjectName::Dns(_) => "name",
        };
        (
            format!("the certificate does not cover the {what} {name}, but {}", names.unwrap_or_default().join(", ")),
            format!("at the registry: msr-lite cert add {name}"),
        )
    };
    let (reason, cure) = match verdict {
        Verdict::Trusted => match ended {
            None => (String::new(), String::new()),
            Some(root) => (
                format!("the authority is valid from {} to {} only", root.not_before, root.not_after),
                "compare the clocks; at the registry: msr-lite ca show".into(),
            ),
        },
        Verdict::UnknownAuthority => {
            let issuer = chain.first().map(|leaf| leaf.issuer.clone()).unwrap_or_default();
            let mut cure = format!(
                "msr-lite trust install --host {host} --{client} --fingerprint SHA256 (at the registry: msr-lite trust show)"
            );
            if !covered {
                cure = format!("{cure}; and {}", wrong_name().1);
            }
            (format!("it does not know the authority {issuer}"), cure)
        }
        Verdict::WrongName => wrong_name(),
        Verdict::Refused(why) => (why, "at the registry: msr-lite cert show; here: compare the clock".into()),
    };
    Check { client, reference, trusted: reason.is_empty(), covered, reason, cure }
}

#[cfg(test)]
mod tests;
