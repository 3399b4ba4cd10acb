use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;

use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, UdpSocket};

use super::*;
use crate::base::Clock;
use crate::pki::{NameSettings, Pki};

fn pki() -> (TempDir, Pki) {
    let data = tempfile::tempdir().unwrap();
    let settings = NameSettings { fqdn: Some("registry.lab".into()), ..NameSettings::default() };
    let pki = Pki::open(data.path(), settings, Clock::system()).unwrap();
    (data, pki)
}

fn machine(files: &[(&str, &str)]) -> TempDir {
    let root = tempfile::tempdir().unwrap();
    fs::create_dir(root.path().join("etc")).unwrap();
    for (path, text) in files {
        fs::write(root.path().join(path), text).unwrap();
    }
    root
}

/// Answers every request with the same bytes, in clear or over TLS.
async fn serve(tls: Option<&Pki>, answer: &'static str) -> SocketAddr {
    async fn answer_one(mut socket: impl AsyncRead + AsyncWrite + Unpin, answer: &str) {
        let mut head = [0; 4096];
        if socket.read(&mut head).await.is_ok_and(|n| n > 0) {
            let _ = socket.write_all(answer.as_bytes()).await;
            let _ = socket.shutdown().await;
        }
    }
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let acceptor = tls.map(|pki| tokio_rustls::TlsAcceptor::from(pki.server_config()));
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            match acceptor.clone() {
                None => answer_one(socket, answer).await,
                Some(acceptor) => {
                    if let Ok(tls) = acceptor.accept(socket).await {
                        answer_one(tls, answer).await;
                    }
                }
            }
        }
    });
    address
}

const HELLO: &str = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-Word: yes\r\nConnection: close\r\n\r\nhello";

#[tokio::test]
async fn gets_over_tls_by_address_and_by_name_with_these_roots_only() {
    let (_data, pki) = pki();
    let port = serve(Some(&pki), HELLO).await.port();
    let root = machine(&[("etc/hosts", "127.0.0.1 registry.lab")]);
    let client = |roots| Outbound::with_names(roots, Names::below(root.path())).unwrap();
    let ours = client(Roots::pem(&pki.ca_pem()).unwrap());
    for host in ["127.0.0.1", "registry.lab"] {
        let answer = ours.get(&format!("https://{host}:{port}/"), 5).await.unwrap();
        assert_eq!((answer.status, &*answer.body, answer.header("x-word")), (200, &b"hello"[..], Some("yes")));
    }
    let long = ours.get(&format!("https://127.0.0.1:{port}/"), 4).await.unwrap_err();
    assert!(matches!(long, OutboundError::TooLong { limit: 4, .. }), "{long}");
    let stranger = client(Roots::pem(&self::pki().1.ca_pem()).unwrap());
    let error = stranger.get(&format!("https://127.0.0.1:{port}/"), 5).await.unwrap_err().to_string();
    assert!(error.contains("UnknownIssuer"), "{error}");
    assert!(client(Roots::none()).get(&format!("https://127.0.0.1:{port}/"), 5).await.is_err());
}

#[tokio::test]
async fn redirects_are_answers_and_refusals_say_why() {
    let moved = "HTTP/1.1 302 Found\r\nLocation: http://192.0.2.1/\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    let address = serve(None, moved).await;
    let root = machine(&[]);
    let client = Outbound::with_names(Roots::none(), Names::below(root.path())).unwrap();
    let answer = client.get(&format!("http://{address}/"), 100).await.unwrap();
    assert_eq!((answer.status, answer.header("location")), (302, Some("http://192.0.2.1/")));
    let error = client.get("http://registry.lab/", 100).await.unwrap_err();
    assert!(matches!(error, OutboundError::Name(_)) && error.to_string().contains("/etc/hosts"), "{error}");
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let error = client.get(&format!("http://{closed}/"), 100).await.unwrap_err().to_string();
    assert!(error.contains("refused"), "{error}");
}

#[tokio::test]
async fn a_handshake_tells_what_each_client_would_make_of_it() {
    let (_data, pki) = pki();
    let port = serve(Some(&pki), HELLO).await.port();
    let root = machine(&[("etc/hosts", "127.0.0.1 registry.lab other.lab")]);
    let names = Names::below(root.path());
    let shake = async |host: &str, roots: Roots| {
        handshake(&RegistryHost::new(host, port).unwrap(), roots, &names).await.unwrap()
    };
    let ours = Roots::pem(&pki.ca_pem()).unwrap();
    let good = shake("registry.lab", ours.clone()).await;
    assert_eq!((good.verdict, good.chain.len(), good.address.is_loopback()), (Verdict::Trusted, 2, true));
    assert_eq!(shake("127.0.0.1", ours.clone()).await.verdict, Verdict::Trusted);
    let wrong = shake("other.lab", ours).await;
    assert_eq!((wrong.verdict, wrong.chain.len()), (Verdict::WrongName, 2));
    for stranger in [Roots::none(), Roots::pem(&self::pki().1.ca_pem()).unwrap()] {
        let unknown = shake("registry.lab", stranger).await;
        assert_eq!((unknown.verdict, unknown.chain.len()), (Verdict::UnknownAuthority, 2));
    }
    let plain = serve(None, HELLO).await.port();
    let host = RegistryHost::new("127.0.0.1", plain).unwrap();
    assert!(handshake(&host, Roots::none(), &names).await.is_err(), "no TLS, no verdict");
}

#[tokio::test]
async fn names_come_from_hosts_first() {
    let root = machine(&[("etc/hosts", "192.0.2.7 Registry.lab registry # here\n2001:db8::7 registry\nrubbish\n")]);
    let names = Names::below(root.path());
    let found = |list: &[&str]| -> Vec<IpAddr> { list.iter().map(|a| a.parse().unwrap()).collect() };
    assert_eq!(names.lookup("registry").await.unwrap(), found(&["192.0.2.7", "2001:db8::7"]));
    assert_eq!(names.lookup("REGISTRY.lab.").await.unwrap(), found(&["192.0.2.7"]));
    assert_eq!(names.lookup("x.localhost").await.unwrap(), found(&["127.0.0.1", "::1"]));
    assert_eq!(names.lookup("2001:db8::9").await.unwrap(), found(&["2001:db8::9"]));
}

#[tokio::test]
async fn without_a_configuration_no_name_server_is_asked() {
    for files in [&[][..], &[("etc/resolv.conf", "search lab\n")], &[("etc/resolv.conf", "")]] {
        let root = machine(files);
        let names = Names::below(root.path());
        let error = names.lookup("registry.lab").await.unwrap_err().to_string();
        assert!(error.contains("registry.lab") && error.contains("not in /etc/hosts"), "{error}");
        assert!(error.contains("no name server is configured (/etc/resolv.conf"), "{error}");
        assert!(!names.has_servers(), "nothing was made that could send a packet");
    }
    assert!(!Path::new("/nonexistent/etc").exists());
    assert!(Names::below(Path::new("/nonexistent")).lookup("registry.lab").await.is_err());
}

/// A name server for one name, on port 53 of a loopback address of its own: needs the right to bind it.
#[tokio::test]
async fn the_configured_name_server_is_asked_with_search_domains() {
    let Ok(socket) = UdpSocket::bind("127.0.53.53:53").await else {
        eprintln!("skipped: port 53 cannot be bound");
        return;
    };
    tokio::spawn(async move {
        let mut packet = [0; 512];
        while let Ok((length, from)) = socket.recv_from(&mut packet).await {
            let question_end = 12 + packet[12..length].iter().position(|b| *b == 0).unwrap() + 5;
            let known = packet[12..question_end].to_ascii_lowercase().starts_with(b"\x08registry\x03lab\0\0\x01");
            let mut answer = packet[..question_end].to_vec();
            // Response, recursion available; NXDOMAIN unless known; one question, one or no answer (RFC 1035 §4.1).
            answer[2..4].copy_from_slice(&[0x81, if known { 0x80 } else { 0x83 }]);
            answer[6..12].copy_from_slice(&[0, u8::from(known), 0, 0, 0, 0]);
            if known {
                answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 77]);
            }
            socket.send_to(&answer, from).await.unwrap();
        }
    });
    let root = machine(&[("etc/resolv.conf", "nameserver 127.0.53.53\nsearch lab\n")]);
    let names = Names::below(root.path());
    let wanted: Vec<IpAddr> = vec!["192.0.2.77".parse().unwrap()];
    assert_eq!(names.lookup("registry.lab").await.unwrap(), wanted);
    assert_eq!(names.lookup("registry").await.unwrap(), wanted);
    let error = names.lookup("other.lab").await.unwrap_err().to_string();
    assert!(error.contains("the name server"), "{error}");
    fs::remove_file(root.path().join("etc/resolv.conf")).unwrap();
    assert!(names.lookup("registry.lab").await.is_err(), "changes of the file are followed");
}
