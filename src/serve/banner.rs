//! What a fresh server says: where it is, how to trust it, and the exact next commands.

use std::fmt::Write as _;
use std::path::PathBuf;

use crate::ops::status::Certificate;

/// What the banner tells; filled by `serve` once everything listens.
#[derive(Clone, Debug)]
pub struct Banner {
    /// The program's version.
    pub version: String,
    /// The URL that the commands use, e.g. `https://registry.lab` or `https://localhost:8443`.
    pub url: String,
    /// The data directory.
    pub data_dir: PathBuf,
    /// The certificate authority.
    pub ca: Certificate,
    /// The server's certificate.
    pub leaf: Certificate,
    /// How clients come to trust the registry (`pki::trust::one_liners`), the most general command first.
    pub trust: Vec<TrustCommand>,
    /// Where the first password of `admin` stands, while it does.
    pub password_file: Option<PathBuf>,
    /// This program as it has to be called for this registry, e.g. `target/release/msr-lite --data-dir ./data`.
    pub program: String,
    /// What else should be read, e.g. that 443 could not be bound; a sentence each.
    pub notices: Vec<String>,
}

/// A command to paste on a client, once.
#[derive(Clone, Debug)]
pub struct TrustCommand {
    /// The clients that it serves, as people call them.
    pub client: String,
    /// The command; it verifies what it fetches before it uses it.
    pub command: String,
}

impl Banner {
    /// The registry as clients name it: host, and port unless it is 443.
    pub fn host(&self) -> &str {
        let authority = self.url.split_once("://").map_or(self.url.as_str(), |(_, rest)| rest).trim_end_matches('/');
        authority.strip_suffix(":443").unwrap_or(authority)
    }

    /// The banner as text, each line at most as long as its longest command.
    pub fn text(&self) -> String {
        let (host, program) = (self.host(), &self.program);
        let port = |port: &str| port.bytes().all(|b| b.is_ascii_digit());
        let bare = host.rsplit_once(':').filter(|(_, tail)| port(tail)).map_or(host, |(bare, _)| bare);
        let here = bare == "localhost";
        let day = |time: crate::base::Timestamp| time.to_string().chars().take(10).collect::<String>();
        let mut text = String::new();
        let _ = write!(
            text,
            "\nmsr-lite {version} serves {url}\n\n  \
             Names        {names}\n  \
             Certificate  valid until {leaf_until}, SHA-256\n               {leaf}\n  \
             Authority    valid until {ca_until}, SHA-256\n               {ca}\n  \
             Data         {data}\n",
            version = self.version,
            url = self.url,
            names = self.leaf.names.join(", "),
            leaf_until = day(self.leaf.not_after),
            leaf = self.leaf.fingerprint,
            ca_until = day(self.ca.not_after),
            ca = self.ca.fingerprint,
            data = self.data_dir.display(),
        );
        if let Some(file) = &self.password_file {
            let _ = writeln!(text, "  Sign in as   admin, with the password in {}", file.display());
        }
        for notice in &self.notices {
            let _ = writeln!(text, "  Note         {notice}");
        }
        if !self.trust.is_empty() {
            let place = if here { "this machine" } else { "each machine that pushes or pulls" };
            let _ = write!(text, "\nOnce on {place}; the command compares what it fetches before it uses it:\n\n");
        }
        for TrustCommand { client, command } in &self.trust {
            let _ = writeln!(text, "  # {client}\n  {command}");
        }
        // Not so when a proxy in front answers by a name and a certificate of its own.
        let others = if self.trust.is_empty() {
            String::new()
        } else {
            format!(" Every name above works in place of {bare}, once it is trusted by that name.")
        };
        let _ = write!(
            text,
            "\nSign in, push and pull:\n\n  \
             docker login -u admin {host}\n  \
             docker tag IMAGE {host}/admin/hello:1.0\n  \
             docker push {host}/admin/hello:1.0\n  \
             docker pull {host}/admin/hello:1.0\n\n\
             podman takes the same words.{others}\n\n  \
             {program} trust show       # what other machines need\n  \
             {program} cert add NAME    # a name or address is missing\n  \
             {program} status           # how the registry is\n\n",
        );
        text
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::base::Timestamp;

    pub(crate) fn certificate(names: &[&str]) -> Certificate {
        Certificate {
            subject: "CN=registry.lab".into(),
            issuer: "CN=msr-lite CA".into(),
            serial: "0a".into(),
            fingerprint: "AA:BB".into(),
            not_before: Timestamp(1_795_305_600_000),
            not_after: Timestamp(1_829_606_400_000),
            names: names.iter().map(ToString::to_string).collect(),
        }
    }

    fn banner(url: &str) -> Banner {
        Banner {
            version: "0.1.0".into(),
            url: url.into(),
            data_dir: "/srv/data".into(),
            ca: Certificate { fingerprint: "CC:DD".into(), ..certificate(&[]) },
            leaf: certificate(&["registry.lab", "localhost", "192.0.2.7"]),
            trust: vec![TrustCommand { client: "docker".into(), command: "curl … | sha256sum -c && …".into() }],
            password_file: Some("/srv/data/initial-admin-password".into()),
            program: "msr-lite --data-dir ./data".into(),
            notices: vec!["port 443 needs root, so 8443 is used".into()],
        }
    }

    #[test]
    fn it_tells_everything_that_the_first_hour_needs() {
        let text = banner("https://localhost:8443").text();
        for line in [
            "serves https://localhost:8443",
            "registry.lab, localhost, 192.0.2.7",
            "AA:BB",
            "CC:DD",
            "valid until 2027-12-24",
            "/srv/data/initial-admin-password",
            "port 443 needs root",
            "  # docker\n  curl … | sha256sum -c && …\n",
            "docker login -u admin localhost:8443",
            "docker push localhost:8443/admin/hello:1.0",
            "docker pull localhost:8443/admin/hello:1.0",
            "in place of localhost, ",
            "  msr-lite --data-dir ./data status ",
            "  msr-lite --data-dir ./data trust show ",
        ] {
            assert!(text.contains(line), "{line} is missing in:\n{text}");
        }
    }

    #[test]
    fn a_command_by_localhost_is_not_offered_to_other_machines() {
        assert!(banner("https://localhost:8443").text().contains("\nOnce on this machine;"));
        assert!(banner("https://registry.lab").text().contains("\nOnce on each machine that pushes or pulls;"));
    }

    #[test]
    fn the_default_port_is_not_named() {
        assert_eq!(banner("https://registry.lab/").host(), "registry.lab");
        assert_eq!(banner("https://registry.lab:443").host(), "registry.lab");
        assert_eq!(banner("https://[2001:db8::7]:8443").host(), "[2001:db8::7]:8443");
    }

    #[test]
    fn the_password_is_not_mentioned_once_it_was_changed() {
        let text = Banner { password_file: None, notices: vec![], ..banner("https://registry.lab") }.text();
        assert!(!text.contains("password in") && !text.contains("Note"), "{text}");
    }
}
