//! What a client must do to trust the registry: the script `trust.sh`, commands to paste, files for clients that have
//! stores of their own.
//!
//! Nothing here is authentic because of how it travels: the script comes over an unverified connection. What makes it
//! so is a SHA-256 that the administrator reads at the server, and every command that we print compares it with the
//! bytes that arrived *before* anything runs.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use super::{Pki, PkiError, Published, SubjectName, facts, sha256_hex};

/// The script with places to fill in.
const TEMPLATE: &str = include_str!("../../assets/trust.sh");

/// The registry as clients write it: `host[:port]`, 443 when there is no port. Made of characters that mean nothing
/// to a shell, a TOML or a YAML string, by construction.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RegistryHost {
    host: SubjectName,
    port: u16,
}

impl RegistryHost {
    /// A registry on this name or address (no wildcard) and port.
    ///
    /// # Errors
    /// [`PkiError::Unusable`] for a host that is no name and for port 0.
    pub fn new(host: &str, port: u16) -> Result<Self, PkiError> {
        let host: SubjectName = host.parse()?;
        if matches!(&host, SubjectName::Dns(name) if name.starts_with("*.")) {
            return Err(PkiError::Unusable(format!("{host} stands for many hosts: give one of them")));
        }
        if port == 0 {
            return Err(PkiError::Unusable("0 is no port that a client can dial".into()));
        }
        Ok(Self { host, port })
    }

    /// The name or address, IPv6 without brackets.
    pub fn host(&self) -> String {
        self.host.to_string()
    }

    /// The name or address.
    pub fn subject(&self) -> &SubjectName {
        &self.host
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// `host:port` with the port always there.
    pub fn with_port(&self) -> String {
        match self.host {
            SubjectName::Ip(IpAddr::V6(address)) => format!("[{address}]:{}", self.port),
            _ => format!("{}:{}", self.host, self.port),
        }
    }

    /// How clients may write this registry in a reference: podman does not apply the directory `host:443` to a
    /// reference that says `host`, nor the other way round.
    pub fn spellings(&self) -> Vec<String> {
        let bare = self.to_string();
        if self.port == 443 { vec![bare, self.with_port()] } else { vec![bare] }
    }
}

impl fmt::Display for RegistryHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host {
            SubjectName::Ip(IpAddr::V6(address)) if self.port == 443 => write!(f, "[{address}]"),
            _ if self.port == 443 => write!(f, "{}", self.host),
            _ => f.write_str(&self.with_port()),
        }
    }
}

impl FromStr for RegistryHost {
    type Err = PkiError;

    fn from_str(text: &str) -> Result<Self, PkiError> {
        let bracketed = text.strip_prefix('[').and_then(|rest| rest.split_once(']'));
        let (host, port) = match bracketed {
            Some((host, "")) => (host, None),
            Some((host, rest)) => (host, Some(rest.strip_prefix(':').unwrap_or("-"))),
            // More than one colon: an IPv6 address without brackets, which has no port.
            None => match text.split_once(':') {
                Some((host, port)) if !port.contains(':') => (host, Some(port)),
                _ => (text, None),
            },
        };
        let port = match port {
            None => 443,
            Some(port) if !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit()) => {
                port.parse().map_err(|_| PkiError::Unusable(format!("{port} is no port: ports go from 1 to 65535")))?
            }
            Some(_) => {
                return Err(PkiError::Unusable(format!("{text:?} is no registry: write HOST or HOST:PORT")));
            }
        };
        Self::new(host, port)
    }
}

/// What a script or command is made of.
#[derive(Clone, Copy, Debug)]
pub struct ScriptInputs<'a> {
    /// The root that clients shall trust, in PEM: [`Pki::ca_pem`].
    pub ca_pem: &'a str,
    /// SHA-256 of those bytes, lower-case hex: [`Pki::ca_pem_sha256`].
    pub sha256: &'a str,
    /// The registry as clients write it.
    pub authority: &'a RegistryHost,
}

/// The trust script for one registry host: POSIX sh, for root, the same bytes each time for the same inputs.
///
/// It embeds the certificate and writes it for docker, podman and its kin, and the system's store; `--dry-run`,
/// `--uninstall`, `--only`, `--fingerprint` (SHA-256 of `ca.crt`). With `MSR_LITE_ROOT` set it writes below that
/// directory and runs nothing else. Whoever renders it for a host that a *request* named must have asked
/// [`Pki::covers`] first: [`script_for`] does.
pub fn script(inputs: &ScriptInputs<'_>) -> String {
    // Only certificates go in, whatever else a PEM file may hold: the text stands inside a shell script.
    let certificates = facts::certificates(inputs.ca_pem, "ca.crt").unwrap_or_default();
    let pem: String = certificates.iter().map(|der| facts::certificate_pem(der)).collect();
    TEMPLATE
        .replace("@AUTHORITY@", &inputs.authority.to_string())
        .replace("@SPELLINGS@", &inputs.authority.spellings().join("\n"))
        .replace("@SHA256@", &sha256_hex(pem.as_bytes()))
        .replace("@SHORT@", short(&sha256_hex(pem.as_bytes())))
        .replace("@CA_PEM@", &pem)
}

/// [`script`] for a host that a client asked by.
///
/// # Errors
/// [`PkiError::Unusable`] when the certificate does not cover it; nothing unknown gets into a script.
pub fn script_for(pki: &Pki, host: &RegistryHost) -> Result<String, PkiError> {
    check_covered(pki, host)?;
    Ok(script(&ScriptInputs { ca_pem: &pki.ca_pem(), sha256: &pki.ca_pem_sha256(), authority: host }))
}

fn check_covered(pki: &Pki, host: &RegistryHost) -> Result<(), PkiError> {
    if pki.covers(&host.host()) {
        return Ok(());
    }
    Err(PkiError::Unusable(format!(
        "the certificate does not cover {}; at the server: msr-lite cert add {}",
        host.host(),
        host.host()
    )))
}

fn short(sha256: &str) -> &str {
    sha256.get(..8).unwrap_or(sha256)
}

/// A command to paste on a client, with what it is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OneLiner {
    /// The clients that it serves, as people call them.
    pub client: &'static str,
    /// The command for a POSIX shell; verifies what it downloads before it uses it.
    pub command: String,
    /// What to know besides; may be empty.
    pub note: &'static str,
}

/// The commands for all clients, for the banner, the log line about a client that refused us and the `/trust` page.
///
/// They download in clear from the registry's own TLS port (it answers plain HTTP with `/ca.crt` and `/trust.sh`),
/// so that they need no other port and no `-k`. The hash of the script is that of [`script`] for the same inputs.
pub fn one_liners(inputs: &ScriptInputs<'_>) -> Vec<OneLiner> {
    let script_hash = sha256_hex(script(inputs).as_bytes());
    let run = |only: &str| format!("{} && sudo sh trust.sh{only}", fetch(inputs, "trust.sh", &script_hash));
    let ca = fetch_ca(inputs);
    let host = inputs.authority;
    vec![
        OneLiner { client: "all on this machine", command: run(""), note: "docker, podman and the system's store" },
        OneLiner { client: "docker", command: run(" --only docker"), note: "no restart" },
        OneLiner {
            client: "podman, skopeo, buildah",
            command: run(" --only podman"),
            note: "without root: put ca.crt into ~/.config/containers/certs.d/HOST:PORT/",
        },
        OneLiner {
            client: "system store",
            command: run(" --only system"),
            note: "daemons that are running, docker too, must be restarted to see it",
        },
        OneLiner {
            client: "docker app, oras, crane and other Go programs",
            command: format!("{ca} && export SSL_CERT_FILE=\"$PWD/ca.crt\""),
            note: "for this shell; in it they trust this file in place of the system's bundle",
        },
        OneLiner {
            client: "helm",
            command: format!("{ca} && helm registry login --ca-file ca.crt {host}"),
            note: "--ca-file is needed with pull and push too",
        },
    ]
}

/// The command that downloads `ca.crt` and compares it with its SHA-256.
pub fn fetch_ca(inputs: &ScriptInputs<'_>) -> String {
    fetch(inputs, "ca.crt", inputs.sha256)
}

fn fetch(inputs: &ScriptInputs<'_>, file: &str, sha256: &str) -> String {
    let base = format!("http://{}", inputs.authority.with_port());
    format!("curl -fsS -o {file} {base}/{file} && echo '{sha256}  {file}' | sha256sum -c -")
}

/// The commands that put `ca.crt` into a system's store with that system's own tools, for who would rather not run a
/// script.
pub fn system_stores(inputs: &ScriptInputs<'_>) -> Vec<OneLiner> {
    let ca = fetch_ca(inputs);
    let name = format!("msr-lite-{}.crt", short(inputs.sha256));
    let (base, sha256) = (format!("http://{}", inputs.authority.with_port()), inputs.sha256);
    let restart = "daemons that are running, docker too, must be restarted to see it";
    vec![
        OneLiner {
            client: "Debian, Ubuntu, Alpine",
            command: format!(
                "{ca} && sudo cp ca.crt /usr/local/share/ca-certificates/{name} && sudo update-ca-certificates"
            ),
            note: restart,
        },
        OneLiner {
            client: "RHEL, Fedora, Rocky, Alma",
            command: format!("{ca} && sudo cp ca.crt /etc/pki/ca-trust/source/anchors/{name} && sudo update-ca-trust"),
            note: restart,
        },
        OneLiner {
            client: "Windows",
            command: format!(
                "curl.exe -fsS -o ca.crt {base}/ca.crt; if ((Get-FileHash ca.crt -Algorithm SHA256).Hash -eq '{}') \
                 {{ Import-Certificate -FilePath ca.crt -CertStoreLocation Cert:\\LocalMachine\\Root }} else {{ throw \
                 'ca.crt is not the expected one' }}",
                sha256.to_ascii_uppercase()
            ),
            note: "in a PowerShell that runs as administrator",
        },
        OneLiner {
            client: "macOS",
            command: format!(
                "curl -fsS -o ca.crt {base}/ca.crt && echo '{sha256}  ca.crt' | shasum -a 256 -c - && sudo security \
                 add-trusted-cert -d -r trustRoot -k /Library/Keychains/System.keychain ca.crt"
            ),
            note: "then restart Docker Desktop, if it runs",
        },
    ]
}

/// The one command that a single client needs, e.g. in a log line.
pub fn one_liner(inputs: &ScriptInputs<'_>) -> String {
    one_liners(inputs).swap_remove(0).command
}

/// Clients with stores of their own, which take a file rather than a script.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SnippetClient {
    /// containerd, nerdctl and the CRI: `hosts.toml`.
    Containerd,
    /// `buildkitd` and the container builders of docker buildx.
    Buildkit,
    /// k3s and RKE2.
    K3s,
}

impl FromStr for SnippetClient {
    type Err = PkiError;

    fn from_str(text: &str) -> Result<Self, PkiError> {
        match text {
            "containerd" | "nerdctl" => Ok(Self::Containerd),
            "buildkit" | "buildx" => Ok(Self::Buildkit),
            "k3s" | "rke2" => Ok(Self::K3s),
            _ => Err(PkiError::Unusable(format!("{text:?}: there are snippets for containerd, buildkit and k3s"))),
        }
    }
}

/// The text for one of these clients; each says where it goes and expects `ca.crt` (checked against its SHA-256, see
/// [`one_liners`]) where it says.
pub fn snippet(client: SnippetClient, host: &RegistryHost) -> String {
    match client {
        SnippetClient::Containerd => format!(
            "# /etc/containerd/certs.d/{host}/hosts.toml, with ca.crt beside it. No restart, provided that\n\
             # /etc/containerd/config.toml has config_path = \"/etc/containerd/certs.d\" for the registry plugin.\n\
             # ctr reads it with --hosts-dir /etc/containerd/certs.d only.\n\
             server = \"https://{host}\"\n\n\
             [host.\"https://{host}\"]\n  \
             capabilities = [\"pull\", \"resolve\", \"push\"]\n  \
             ca = \"/etc/containerd/certs.d/{host}/ca.crt\"\n"
        ),
        SnippetClient::Buildkit => format!(
            "# buildkitd.toml, with ca.crt beside it. For docker buildx:\n\
             #   docker buildx create --use --buildkitd-config buildkitd.toml\n\
             # (--config in older versions; a builder that exists must be made anew.)\n\
             [registry.\"{host}\"]\n  \
             ca = [\"ca.crt\"]\n"
        ),
        SnippetClient::K3s => format!(
            "# /etc/rancher/k3s/registries.yaml (rke2: /etc/rancher/rke2/), then restart the service on this node.\n\
             configs:\n  \
             \"{host}\":\n    \
             tls:\n      \
             ca_file: /etc/rancher/k3s/msr-lite-ca.crt\n"
        ),
    }
}

/// Inputs with the right hash, owned: for callers that hold a [`Pki`] or what the data directory publishes.
#[derive(Clone, Debug)]
pub struct TrustMaterial {
    ca_pem: String,
    sha256: String,
}

impl TrustMaterial {
    /// The root of this PEM text: its first certificate, in our own spelling.
    ///
    /// # Errors
    /// [`PkiError::Unusable`] when there is none.
    pub fn of_pem(pem: &str) -> Result<Self, PkiError> {
        let ca_pem = facts::certificate_pem(&facts::certificates(pem, "the certificate")?[0]);
        Ok(Self { sha256: sha256_hex(ca_pem.as_bytes()), ca_pem })
    }

    /// What a script for this host is made of.
    pub fn inputs<'a>(&'a self, host: &'a RegistryHost) -> ScriptInputs<'a> {
        ScriptInputs { ca_pem: &self.ca_pem, sha256: &self.sha256, authority: host }
    }

    /// The certificate in PEM.
    pub fn ca_pem(&self) -> &str {
        &self.ca_pem
    }

    /// SHA-256 of [`TrustMaterial::ca_pem`], lower-case hex.
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    /// Whether a fingerprint that a person was given means this certificate: the SHA-256 of `ca.crt` or, as browsers
    /// show it, of the certificate itself; colons, spaces and case do not matter.
    pub fn matches(&self, fingerprint: &str) -> bool {
        let plain = |text: &str| -> String {
            text.chars().filter(|c| !matches!(c, ':' | ' ')).map(|c| c.to_ascii_lowercase()).collect()
        };
        let given = plain(fingerprint);
        let der = facts::certificates(&self.ca_pem, "").map(|found| facts::fingerprint(&found[0])).unwrap_or_default();
        given.len() == 64 && (given == self.sha256 || given == plain(&der))
    }
}

impl From<&Pki> for TrustMaterial {
    fn from(pki: &Pki) -> Self {
        let ca_pem = pki.ca_pem().to_string();
        Self { sha256: sha256_hex(ca_pem.as_bytes()), ca_pem }
    }
}

impl From<&Published> for TrustMaterial {
    fn from(published: &Published) -> Self {
        Self { sha256: sha256_hex(published.ca_pem.as_bytes()), ca_pem: published.ca_pem.clone() }
    }
}

#[cfg(test)]
mod tests;
