use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Empty, Full};
use hyper::Request;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::base::config::Limits;
use crate::http::testing::{Fake, Server, limits, provider, read_to_end, start_tls};
use crate::meta::refusal::Refusal;
use crate::pki::Pki;

fn connector(trusted: Option<&Pki>, alpn: &[&[u8]]) -> TlsConnector {
    let mut roots = RootCertStore::empty();
    if let Some(pki) = trusted {
        roots.add(CertificateDer::from_pem_slice(pki.ca_pem().as_bytes()).unwrap()).unwrap();
    }
    let builder =
        rustls::ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions().unwrap();
    let mut config = builder.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = alpn.iter().map(|protocol| protocol.to_vec()).collect();
    Arc::new(config).into()
}

async fn dial(server: &Server, connector: &TlsConnector, name: &str) -> std::io::Result<TlsStream<TcpStream>> {
    connector.connect(ServerName::try_from(name.to_owned()).unwrap(), server.connect().await).await
}

/// Waits until so many refusals were noticed.
async fn refusals(server: &Server, many: usize) -> Vec<Refusal> {
    for _ in 0..100 {
        let refusals = server.shell.handshakes.refusals();
        if refusals.len() >= many {
            return refusals;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("no refusal was noticed");
}

/// The size of what a function of four arguments gives.
fn size<A, B, C, D, R>(_: impl Fn(A, B, C, D) -> R) -> usize {
    size_of::<R>()
}

#[test]
fn the_task_of_a_connection_has_no_room_for_its_handshake() {
    // With handshake, stream and HTTP by value it was 10 KiB, of which an idle connection used a third.
    let size = size(super::serve::<Fake>);
    assert!(size <= 1024, "{size} bytes");
}

#[tokio::test]
async fn both_versions_of_http_are_spoken_by_alpn_by_name_and_by_address() {
    let server = start_tls(limits()).await;
    for name in ["registry.lab", "127.0.0.1"] {
        let mut stream = dial(&server, &connector(Some(&server.pki), &[b"http/1.1"]), name).await.unwrap();
        let request =
            format!("GET /context HTTP/1.1\r\nHost: {name}:{}\r\nConnection: close\r\n\r\n", server.address.port());
        stream.write_all(request.as_bytes()).await.unwrap();
        let answer = read_to_end(&mut stream).await;
        assert!(answer.contains(&format!(r#""authority":"{name}:{}""#, server.address.port())), "{answer}");
        assert!(answer.contains(r#""scheme":"https""#), "{answer}");

        let stream = dial(&server, &connector(Some(&server.pki), &[b"h2", b"http/1.1"]), name).await.unwrap();
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
        let (mut sender, connection) = hyper::client::conn::http2::Builder::new(TokioExecutor::new())
            .handshake::<_, Empty<Bytes>>(TokioIo::new(stream))
            .await
            .unwrap();
        tokio::spawn(connection);
        let request = Request::builder().uri(format!("https://{name}/ping")).body(Empty::new()).unwrap();
        let answer = sender.send_request(request).await.unwrap();
        assert_eq!(answer.version(), hyper::Version::HTTP_2);
        assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), "pong");
    }
    assert!(server.shell.handshakes.refusals().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn uploads_larger_than_every_window_arrive_over_h2() {
    let server = start_tls(limits()).await;
    let stream = dial(&server, &connector(Some(&server.pki), &[b"h2"]), "registry.lab").await.unwrap();
    let (sender, connection) = hyper::client::conn::http2::Builder::new(TokioExecutor::new())
        .handshake::<_, Full<Bytes>>(TokioIo::new(stream))
        .await
        .unwrap();
    tokio::spawn(connection);
    let uploads = (0..8).map(|_| {
        let mut sender = sender.clone();
        tokio::spawn(async move {
            let body = Full::new(Bytes::from(vec![7; 6_000_000]));
            let request = Request::put("https://registry.lab/count").body(body).unwrap();
            sender.send_request(request).await.unwrap().into_body().collect().await.unwrap().to_bytes()
        })
    });
    for upload in uploads.collect::<Vec<_>>() {
        assert_eq!(upload.await.unwrap(), "6000000");
    }
}

#[tokio::test]
async fn a_client_that_does_not_know_our_authority_is_noticed_with_the_name_it_asked_for() {
    let server = start_tls(limits()).await;
    let stranger = connector(None, &[]);
    // By name twice, by address once.
    for name in ["registry.lab", "registry.lab", "127.0.0.1"] {
        assert!(dial(&server, &stranger, name).await.is_err());
    }
    for _ in 0..100 {
        if server.shell.handshakes.refusals().iter().map(|refusal| refusal.count).sum::<u64>() == 3 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let seen = refusals(&server, 2).await;
    let count =
        |asked: Option<&str>| seen.iter().find(|r| r.asked.as_deref() == asked).map(|r| (r.count, r.alert.clone()));
    assert_eq!(count(Some("registry.lab")), Some((2, "unknown_ca".to_owned())));
    assert_eq!(count(None), Some((1, "unknown_ca".to_owned())));
    let metrics = server.shell.metrics.render();
    assert!(metrics.contains(r#"msrlite_tls_client_rejections_total{alert="unknown_ca"} 3"#), "{metrics}");
    assert!(metrics.contains(r#"msrlite_tls_handshakes_total{result="refused"} 3"#), "{metrics}");
}

#[tokio::test]
async fn a_name_outside_the_certificate_is_noticed() {
    let server = start_tls(limits()).await;
    assert!(dial(&server, &connector(Some(&server.pki), &[]), "other.lab").await.is_err());
    let seen = refusals(&server, 1).await;
    assert_eq!((seen[0].asked.as_deref(), seen[0].alert.as_str()), (Some("other.lab"), "bad_certificate"));
}

#[tokio::test]
async fn a_client_that_leaves_without_a_request_is_only_counted() {
    let server = start_tls(limits()).await;
    let mut stream = dial(&server, &connector(Some(&server.pki), &[]), "registry.lab").await.unwrap();
    stream.shutdown().await.unwrap();
    drop(stream);
    let silent = r#"msrlite_tls_client_rejections_total{alert="silent"} 1"#;
    for _ in 0..100 {
        if server.shell.metrics.render().contains(silent) {
            assert!(server.shell.handshakes.refusals().is_empty());
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{}", server.shell.metrics.render());
}

/// Runs a client program, if this machine has it; whether it did.
async fn run(program: &'static str, arguments: Vec<String>) -> bool {
    let done = tokio::task::spawn_blocking(move || {
        Command::new(program).args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status()
    });
    let Ok(status) = done.await.unwrap() else {
        eprintln!("skipped: {program} is not installed");
        return false;
    };
    assert!(!status.success(), "{program} should have refused");
    true
}

#[tokio::test]
async fn openssl_and_curl_are_noticed_when_they_refuse() {
    let server = start_tls(limits()).await;
    let at = server.address.to_string();
    for version in ["-tls1_3", "-tls1_2"] {
        let server = start_tls(limits()).await;
        let at = server.address.to_string();
        let words = ["s_client", version, "-verify_return_error", "-servername", "registry.lab", "-connect", &at];
        if run("openssl", words.iter().map(|word| (*word).to_owned()).collect()).await {
            let seen = refusals(&server, 1).await;
            assert_eq!((seen[0].asked.as_deref(), seen[0].alert.as_str()), (Some("registry.lab"), "unknown_ca"));
        }
    }
    if run("curl", vec!["-sS".to_owned(), "--noproxy".to_owned(), "*".to_owned(), format!("https://{at}/")]).await {
        assert_eq!(refusals(&server, 1).await[0].asked, None);
    }
}

#[tokio::test]
async fn plain_http_on_the_tls_port_is_told_where_to_go() {
    let server = start_tls(limits()).await;
    let port = server.address.port();
    // A registry client that tries HTTP, as docker does on localhost.
    let answer = server.exchange(&format!("GET /v2/ HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n")).await;
    assert!(answer.starts_with("HTTP/1.1 400 ") && answer.contains(r#""errors":["#), "{answer}");
    assert!(answer.contains(&format!("this port speaks TLS: use https://127.0.0.1:{port}.")), "{answer}");
    // A browser.
    let browser = format!("GET /a?b=c HTTP/1.1\r\nHost: registry.lab:{port}\r\nAccept: text/html,*/*\r\n\r\n");
    let answer = server.exchange(&browser).await;
    assert!(answer.starts_with("HTTP/1.1 308 "), "{answer}");
    assert!(answer.contains(&format!("location: https://registry.lab:{port}/a?b=c\r\n")), "{answer}");
    // The CA, byte for byte, and the script under the hash that the log names.
    let answer = server.exchange("GET /ca.crt HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with(&*server.pki.ca_pem()), "{answer}");
    let answer = server.exchange(&format!("GET /trust.sh HTTP/1.1\r\nHost: registry.lab:{port}\r\n\r\n")).await;
    let (_, script) = answer.split_once("\r\n\r\n").unwrap();
    let host = format!("registry.lab:{port}").parse().unwrap();
    assert_eq!(script, crate::pki::trust::script_for(&server.pki, &host).unwrap());
    // A name that is not ours gets into neither.
    let answer = server.exchange(&browser.replace("registry.lab", "evil.example")).await;
    assert!(!answer.contains("evil.example") && answer.contains("location: https://registry.lab:"), "{answer}");
    assert!(server.shell.metrics.render().contains(r#"msrlite_tls_handshakes_total{result="plain"} 5"#));
}

#[tokio::test]
async fn a_handshake_has_its_time() {
    let server = start_tls(Limits { handshake_seconds: 1, ..limits() }).await;
    assert_eq!(read_to_end(&mut server.connect().await).await, "");
    let mut stream = server.connect().await;
    stream.write_all(&[super::HANDSHAKE, 3, 1, 2, 0]).await.unwrap();
    assert_eq!(read_to_end(&mut stream).await, "");
    let metrics = server.shell.metrics.render();
    assert!(metrics.contains(r#"msrlite_tls_handshakes_total{result="timeout"} 2"#), "{metrics}");
}
