use std::fs;

use clap::Parser;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;
use crate::pki::{NameSettings, Pki};

#[derive(Parser)]
struct Line {
    #[command(subcommand)]
    trust: TrustCommand,
    #[arg(long, global = true)]
    json: bool,
}

/// A registry whose TLS port also answers plain HTTP with its `ca.crt`, and a client machine.
struct Lab {
    data: TempDir,
    pki: Pki,
    port: u16,
    machine: Machine,
    root: TempDir,
}

impl Lab {
    async fn new() -> Self {
        let data = tempfile::tempdir().unwrap();
        let settings = NameSettings { fqdn: Some("registry.lab".into()), ..NameSettings::default() };
        let pki = Pki::open(data.path(), settings, Clock::system()).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let acceptor = tokio_rustls::TlsAcceptor::from(pki.server_config());
        let ca = pki.ca_pem();
        tokio::spawn(async move {
            while let Ok((mut socket, _)) = listener.accept().await {
                let mut first = [0];
                let _ = socket.peek(&mut first).await;
                if first[0] == 0x16 {
                    let _ = acceptor.accept(socket).await;
                } else {
                    let _ = socket.read(&mut [0; 1024]).await;
                    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", ca.len());
                    let _ = socket.write_all((head + &ca).as_bytes()).await;
                }
            }
        });
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("etc")).unwrap();
        fs::write(root.path().join("etc/hosts"), "127.0.0.1 registry.lab other.lab\n").unwrap();
        let names = Names::below(root.path());
        let machine = Machine { root: Some(root.path().into()), home: None, ssl_cert_file: None, names };
        Self { data, pki, port, machine, root }
    }

    async fn run(&self, line: &str) -> Result<TrustReply, TrustError> {
        let line = line.replace("PORT", &self.port.to_string()).replace("SHA", &self.pki.ca_pem_sha256());
        let words = std::iter::once("trust").chain(line.split(' '));
        let line = Line::try_parse_from(words).unwrap();
        let served = Served { data: self.data.path().to_owned(), url: None, port: self.port };
        carry_out(&line.trust, Some(&served), line.json, &self.machine).await
    }

    fn docker_file(&self) -> PathBuf {
        self.root.path().join(format!("etc/docker/certs.d/registry.lab:{}/ca.crt", self.port))
    }
}

#[tokio::test]
async fn commands_for_clients_name_what_clients_can_dial() {
    let lab = Lab::new().await;
    let published = Published::read(lab.data.path()).unwrap();
    let host = |url: Option<&str>, port| {
        let served = Served { data: lab.data.path().to_owned(), url: url.map(str::to_owned), port };
        served.host(&published).unwrap().to_string()
    };
    assert_eq!(host(None, 443), "registry.lab");
    assert_eq!(host(Some("https://registry/"), 8443), "registry");
    // Nobody else's localhost is ours, and a proxy that shows a certificate of its own needs no trust in ours.
    assert_eq!(host(Some("https://localhost:8443"), 8443), "registry.lab:8443");
    assert_eq!(host(Some("https://hub.lab"), 8443), "registry.lab:8443");
}

#[tokio::test]
async fn a_client_is_refused_told_the_cure_cured_and_cleaned() {
    let lab = Lab::new().await;
    let before = lab.run("check --host registry.lab:PORT --docker").await.unwrap();
    assert!(!before.good && before.text.contains("refuses it"), "{}", before.text);
    assert!(before.text.contains("does not know the authority CN=msr-lite CA registry.lab"), "{}", before.text);
    assert!(before.text.contains("--docker --fingerprint SHA256"), "{}", before.text);

    let wrong = format!("install --host registry.lab:PORT --docker --fingerprint {}", "0".repeat(64));
    assert!(lab.run(&wrong).await.unwrap_err().to_string().contains("NOT the one you expect"));
    let dry = lab.run("install --host registry.lab:PORT --docker --fingerprint SHA --dry-run").await.unwrap();
    assert!(dry.text.contains("would write"), "{}", dry.text);
    assert!(!lab.docker_file().exists());
    lab.run("install --host registry.lab:PORT --docker --fingerprint SHA").await.unwrap();
    assert_eq!(fs::read_to_string(lab.docker_file()).unwrap(), *lab.pki.ca_pem());

    let after = lab.run("check --host registry.lab:PORT --json").await.unwrap();
    let checks: serde_json::Value = serde_json::from_str(&after.text).unwrap();
    let trusted = |n: usize| (checks[n]["client"].as_str().unwrap(), checks[n]["trusted"].as_bool().unwrap());
    assert_eq!(trusted(0), ("docker", true));
    assert_eq!(trusted(1), ("podman", true), "podman reads docker's directory too");
    assert_eq!(trusted(2), ("system", false));
    assert!(!after.good);

    lab.run("uninstall --host registry.lab:PORT --docker").await.unwrap();
    assert!(!lab.docker_file().exists());
    let gone = lab.run("uninstall --host registry.lab:PORT").await.unwrap_err().to_string();
    assert!(gone.contains("--ca"), "{gone}");
}

#[tokio::test]
async fn a_name_that_is_not_covered_is_told_apart() {
    let lab = Lab::new().await;
    let ca = lab.root.path().join("given.crt");
    fs::write(&ca, lab.pki.ca_pem().as_bytes()).unwrap();
    let install = format!("install --host other.lab:PORT --docker --fingerprint SHA --ca {}", ca.display());
    lab.run(&install).await.unwrap();
    let check = lab.run("check --host other.lab:PORT --docker").await.unwrap();
    assert!(!check.good && check.text.contains("does not cover the name other.lab, but "), "{}", check.text);
    assert!(check.text.contains("at the registry: msr-lite cert add other.lab"), "{}", check.text);
    lab.pki.add_name("other.lab").unwrap();
    let check = lab.run("check --host other.lab:PORT --docker").await.unwrap();
    assert!(check.good && check.text.contains("loopback"), "{}", check.text);
}

#[tokio::test]
async fn the_systems_store_is_read() {
    let lab = Lab::new().await;
    fs::create_dir_all(lab.root.path().join("etc/ssl/certs")).unwrap();
    let bundle = format!("# a comment\n{}", lab.pki.ca_pem());
    fs::write(lab.root.path().join("etc/ssl/certs/ca-certificates.crt"), bundle).unwrap();
    assert!(lab.run("check --host registry.lab:PORT").await.unwrap().good, "every client reads it");
    assert!(lab.run("check --host nowhere.lab").await.unwrap_err().to_string().contains("/etc/hosts"));
}

#[tokio::test]
async fn show_prints_what_clients_need() {
    let lab = Lab::new().await;
    let shown = lab.run("show --host registry.lab:PORT").await.unwrap().text;
    for needed in [&lab.pki.ca_pem_sha256(), &lab.pki.ca_facts().fingerprint, &lab.pki.leaf_facts().fingerprint] {
        assert!(shown.contains(needed), "{shown}");
    }
    assert!(shown.contains("names      localhost, registry, registry.lab, 127.0.0.1"), "{shown}");
    assert!(shown.contains(&format!("http://registry.lab:{}/trust.sh", lab.port)), "{shown}");
    let by_default = format!("registry     registry.lab:{}\n", lab.port);
    assert!(lab.run("show").await.unwrap().text.starts_with(&by_default), "the port that it serves on");
    let error = lab.run("show --host other.lab").await.unwrap_err().to_string();
    assert!(error.contains("cert add other.lab"), "{error}");
    let parsed = Line::try_parse_from(["trust", "show", "--host", "$(id)"]).err().unwrap();
    assert!(parsed.to_string().contains("no name for a certificate"), "{parsed}");
}
