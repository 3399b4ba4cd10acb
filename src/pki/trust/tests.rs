use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::base::{Clock, Timestamp};
use crate::pki::NameSettings;

fn pki() -> (TempDir, Pki) {
    let data = tempfile::tempdir().unwrap();
    let settings = NameSettings { fqdn: Some("registry.lab".into()), ..NameSettings::default() };
    let pki = Pki::open(data.path(), settings, Clock::manual(Timestamp(1_798_761_600_000))).unwrap();
    (data, pki)
}

/// Runs a script as a client would, below a root of its own.
struct Client {
    root: TempDir,
    script: String,
}

impl Client {
    fn new(pki: &Pki, host: &str) -> Self {
        let script = script_for(pki, &host.parse().unwrap()).unwrap();
        Self { root: tempfile::tempdir().unwrap(), script }
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let file = self.root.path().with_extension("sh");
        fs::write(&file, &self.script).unwrap();
        let output = Command::new("sh")
            .arg(&file)
            .args(arguments)
            .env("MSR_LITE_ROOT", self.root.path())
            .stdin(Stdio::null())
            .output()
            .unwrap();
        fs::remove_file(&file).unwrap();
        output
    }

    fn ok(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// All files below the root, with what is in them.
    fn files(&self) -> Vec<(String, String)> {
        fn walk(directory: &Path, root: &Path, into: &mut Vec<(String, String)>) {
            for entry in fs::read_dir(directory).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    walk(&path, root, into);
                } else {
                    let name = path.strip_prefix(root).unwrap().display().to_string();
                    into.push((name, fs::read_to_string(&path).unwrap()));
                }
            }
        }
        let mut files = Vec::new();
        walk(self.root.path(), self.root.path(), &mut files);
        files.sort();
        files
    }
}

#[test]
fn the_script_writes_both_spellings_and_takes_them_away_again() {
    let (_data, pki) = pki();
    let client = Client::new(&pki, "registry.lab");
    let said = client.ok(&["--only", "docker,podman", "--fingerprint", &pki.ca_pem_sha256()]);
    assert!(said.contains("wrote:") && said.contains("nothing to restart"), "{said}");
    let names: Vec<_> = client.files().iter().map(|(name, _)| name.clone()).collect();
    assert_eq!(
        names,
        [
            "etc/containers/certs.d/registry.lab/ca.crt",
            "etc/containers/certs.d/registry.lab:443/ca.crt",
            "etc/docker/certs.d/registry.lab/ca.crt",
            "etc/docker/certs.d/registry.lab:443/ca.crt",
        ]
    );
    assert!(client.files().iter().all(|(_, text)| *text == *pki.ca_pem()), "exactly the bytes of ca.crt");
    let again = client.ok(&["--only", "docker,podman"]);
    assert!(!again.contains("wrote:") && again.contains("in place already"), "{again}");

    client.ok(&["--uninstall", "--only=docker,podman", "--dry-run"]);
    assert_eq!(client.files().len(), 4);
    client.ok(&["--uninstall", "--only=docker,podman"]);
    assert_eq!(client.files(), []);
    assert!(!client.root.path().join("etc/docker/certs.d").exists(), "no empty directories either");
}

#[test]
fn the_script_knows_the_systems_stores() {
    let (_data, pki) = pki();
    for anchors in ["usr/local/share/ca-certificates", "etc/pki/ca-trust/source/anchors", "etc/pki/trust/anchors"] {
        let client = Client::new(&pki, "registry.lab:8443");
        let unknown = client.run(&["--only", "system"]);
        assert!(!unknown.status.success() && client.files().is_empty());
        fs::create_dir_all(client.root.path().join(anchors)).unwrap();
        let said = client.ok(&["--only", "system"]);
        assert!(said.contains("not running 'update-ca-"), "{said}");
        let file = format!("{anchors}/msr-lite-{}.crt", &pki.ca_pem_sha256()[..8]);
        assert_eq!(client.files(), [(file, pki.ca_pem().to_string())]);
        client.ok(&["--only", "system", "--uninstall"]);
        assert_eq!(client.files(), []);
    }
}

#[test]
fn a_wrong_fingerprint_writes_nothing() {
    let (_data, pki) = pki();
    let client = Client::new(&pki, "registry.lab:8443");
    let wrong = "0".repeat(64);
    for arguments in [&["--fingerprint", &wrong][..], &["--fingerprint", ""], &["--fingerprint="], &["--fingerprint"]] {
        let refused = client.run(&[&["--only", "docker"], arguments].concat());
        assert!(!refused.status.success(), "{arguments:?}");
        assert_eq!(client.files(), []);
    }
    let shown = pki.ca_pem_sha256().to_uppercase();
    client.ok(&["--only", "docker", "--fingerprint", &shown]);
    assert_eq!(client.files()[0].0, "etc/docker/certs.d/registry.lab:8443/ca.crt");
    assert_eq!(client.files().len(), 1, "one spelling when the port is not 443");
}

#[test]
fn what_is_damaged_or_unknown_does_nothing() {
    let (_data, pki) = pki();
    let mut client = Client::new(&pki, "registry.lab");
    for bad in [&["--only", "dcoker"][..], &["--only", ""], &["--bogus"], &["--only"]] {
        assert!(!client.run(bad).status.success(), "{bad:?}");
    }
    assert!(client.ok(&["--help"]).contains("usage"));
    assert!(client.ok(&["--dry-run", "--only", "docker"]).contains("would write"));
    assert_eq!(client.files(), []);
    let whole = client.script.clone();
    for end in [whole.len() / 3, whole.len() / 2, whole.len() - 12] {
        client.script = whole[..end].to_owned();
        client.run(&["--only", "docker"]);
        assert_eq!(client.files(), [], "a download that broke off at {end}");
    }
    client.script = whole.replacen("-----BEGIN CERTIFICATE-----\nMII", "-----BEGIN CERTIFICATE-----\nMIJ", 1);
    assert!(!client.run(&["--only", "docker"]).status.success());
    assert_eq!(client.files(), []);
}

#[test]
fn another_authority_in_the_same_place_is_kept_and_put_back() {
    let (_data, pki) = pki();
    let client = Client::new(&pki, "registry.lab:8443");
    let file = client.root.path().join("etc/docker/certs.d/registry.lab:8443/ca.crt");
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(&file, "another\n").unwrap();
    client.ok(&["--uninstall", "--only", "docker"]);
    assert_eq!(fs::read_to_string(&file).unwrap(), "another\n", "not ours to remove");
    client.ok(&["--only", "docker"]);
    assert_eq!(fs::read_to_string(&file).unwrap(), *pki.ca_pem());
    client.ok(&["--uninstall", "--only", "docker"]);
    assert_eq!(fs::read_to_string(&file).unwrap(), "another\n");
}

#[test]
fn linters_find_nothing() {
    let (_data, pki) = pki();
    let file = tempfile::Builder::new().suffix(".sh").tempfile().unwrap();
    fs::write(file.path(), script_for(&pki, &"registry.lab".parse().unwrap()).unwrap()).unwrap();
    for (linter, arguments) in [("dash", &["-n"][..]), ("bash", &["--posix", "-n"]), ("shellcheck", &["-s", "sh"])] {
        match Command::new(linter).args(arguments).arg(file.path()).output() {
            Ok(output) => assert!(output.status.success(), "{linter}: {output:?}"),
            Err(_) => eprintln!("skipped: no {linter}"),
        }
    }
}

#[test]
fn every_command_checks_the_bytes_before_it_uses_them() {
    let (_data, pki) = pki();
    let host: RegistryHost = "registry.lab:8443".parse().unwrap();
    let material = TrustMaterial::from(&pki);
    let script = sha256_hex(script_for(&pki, &host).unwrap().as_bytes());
    for OneLiner { command, client, .. } in one_liners(&material.inputs(&host)) {
        let steps: Vec<_> = command.split(" && ").collect();
        assert!(steps[0].starts_with("curl -fsS -o ") && !command.contains("-k"), "{client}: {command}");
        assert!(steps[1].ends_with("| sha256sum -c -"), "{client}: {command}");
        assert!(command.contains(&script) || command.contains(material.sha256()), "{client}: {command}");
    }
    assert_eq!(
        one_liner(&material.inputs(&host)),
        format!(
            "curl -fsS -o trust.sh http://registry.lab:8443/trust.sh && echo '{script}  trust.sh' | sha256sum -c - && \
             sudo sh trust.sh"
        )
    );
}

#[test]
fn hosts_that_the_certificate_does_not_cover_get_no_script() {
    let (_data, pki) = pki();
    let error = script_for(&pki, &"other.lab".parse().unwrap()).unwrap_err().to_string();
    assert!(error.contains("msr-lite cert add other.lab"), "{error}");
    for hostile in [
        "",
        "a b",
        "$(id)",
        "`id`",
        "a;id",
        "a'b",
        "a\"b",
        "a\nb",
        "../..",
        "a/../b",
        "registry.lab:",
        "registry.lab:0",
        "registry.lab:70000",
        "registry.lab:+1",
        "[::1",
        "[::1]x",
        "[::1]:",
        "*.lab",
        "a&b",
        "a|b",
        "a\\b",
        "a@b",
        "registry.lab:443;id",
        "@CA_PEM@",
    ] {
        assert!(hostile.parse::<RegistryHost>().is_err(), "{hostile:?}");
    }
}

#[test]
fn registry_hosts_are_read_and_written_as_clients_do() {
    for (text, shown, spellings) in [
        ("Registry.lab", "registry.lab", 2),
        ("registry.lab:443", "registry.lab", 2),
        ("registry.lab:8443", "registry.lab:8443", 1),
        ("192.0.2.7:5000", "192.0.2.7:5000", 1),
        ("[2001:db8::7]:5000", "[2001:db8::7]:5000", 1),
        ("2001:db8::7", "[2001:db8::7]", 2),
        ("[2001:db8::7]", "[2001:db8::7]", 2),
    ] {
        let host: RegistryHost = text.parse().unwrap();
        assert_eq!(host.to_string(), shown);
        assert_eq!(host.spellings().len(), spellings);
        assert_eq!(shown.parse::<RegistryHost>().unwrap(), host);
    }
}

#[test]
fn snippets_name_the_registry() {
    let host: RegistryHost = "registry.lab:8443".parse().unwrap();
    let hosts: toml::Table = snippet(SnippetClient::Containerd, &host).parse().unwrap();
    assert_eq!(hosts["server"].as_str(), Some("https://registry.lab:8443"));
    let ca = hosts["host"]["https://registry.lab:8443"]["ca"].as_str();
    assert_eq!(ca, Some("/etc/containerd/certs.d/registry.lab:8443/ca.crt"));
    let buildkit: toml::Table = snippet(SnippetClient::Buildkit, &host).parse().unwrap();
    assert_eq!(buildkit["registry"]["registry.lab:8443"]["ca"][0].as_str(), Some("ca.crt"));
    assert!(snippet(SnippetClient::K3s, &host).contains("\n  \"registry.lab:8443\":\n    tls:\n      ca_file: "));
    assert_eq!("buildx".parse::<SnippetClient>().unwrap(), SnippetClient::Buildkit);
}

#[test]
fn fingerprints_are_recognised_in_both_forms() {
    let (_data, pki) = pki();
    let material = TrustMaterial::from(&pki);
    assert!(material.matches(&pki.ca_pem_sha256()) && material.matches(&pki.ca_facts().fingerprint));
    assert!(!material.matches(&pki.leaf_facts().fingerprint) && !material.matches(""));
}

proptest! {
    #[test]
    fn a_host_that_is_read_is_safe_in_a_shell(text in "\\PC{0,30}|[a-z0-9.:\\[\\]-]{1,30}") {
        if let Ok(host) = text.parse::<RegistryHost>() {
            prop_assert!(host.to_string().bytes().all(|b| b.is_ascii_alphanumeric() || b".-_:[]".contains(&b)));
            prop_assert!(!host.to_string().contains(".."));
            prop_assert_eq!(&host.to_string().parse::<RegistryHost>().unwrap(), &host);
        }
    }
}
