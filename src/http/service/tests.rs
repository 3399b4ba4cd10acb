use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::base::Config;
use crate::base::config::Limits;
use crate::http::limits::MAX_HEADERS;
use crate::http::listen::Kind;
use crate::http::testing::{limits, read_to_end, start, start_with};

#[tokio::test]
async fn every_answer_bears_an_id_and_keeps_browsers_in_check() {
    let server = start(limits()).await;
    for path in ["/ping", "/v2/", "/nothing", "/panic"] {
        let answer = server.get(path, "").await.to_lowercase();
        let id = answer.lines().find_map(|line| line.strip_prefix("x-request-id: ")).unwrap();
        assert!(id.len() == 16 && id.bytes().all(|b| b.is_ascii_hexdigit()), "{answer}");
        assert!(answer.contains("x-content-type-options: nosniff"), "{answer}");
        assert!(answer.contains("content-security-policy: default-src 'none'"), "{answer}");
        assert!(answer.contains("\r\ndate: "), "{answer}");
    }
}

#[tokio::test]
async fn head_says_the_length_and_sends_nothing() {
    let server = start(limits()).await;
    let answer = server.exchange("HEAD /file HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await;
    assert!(answer.contains(&format!("content-length: {}\r\n", crate::http::testing::FILE)), "{answer}");
    assert!(answer.ends_with("\r\n\r\n"), "{answer}");
}

#[tokio::test]
async fn a_panic_costs_one_request_and_names_its_id() {
    let server = start(limits()).await;
    let mut stream = server.connect().await;
    stream.write_all(b"GET /panic HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    // The same connection lives on.
    stream.write_all(b"GET /ping HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await.unwrap();
    let answer = read_to_end(&mut stream).await;
    assert!(answer.starts_with("HTTP/1.1 500 "), "{answer}");
    let id = answer.lines().find_map(|line| line.strip_prefix("x-request-id: ")).unwrap().to_owned();
    assert!(answer.contains(r#""code":"UNKNOWN""#) && answer.contains(&format!("under request id {id}")), "{answer}");
    assert!(answer.contains("HTTP/1.1 200 OK") && answer.ends_with("pong"), "{answer}");
}

#[tokio::test]
async fn heads_that_are_too_large_get_a_reason() {
    let server = start(Limits { header_bytes: 8 * 1024, ..limits() }).await;
    let long = "a".repeat(9 * 1024);
    let answer = server.get("/ping", &format!("X-Long: {long}\r\n")).await;
    assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
    assert!(answer.contains("limits.header_bytes"), "{answer}");

    let many = "X-One: 1\r\n".repeat(MAX_HEADERS + 1);
    let answer = server.get("/ping", &many).await;
    assert!(answer.starts_with("HTTP/1.1 431 ") && answer.contains("header lines"), "{answer}");

    let server = start(limits()).await;
    let answer = server.get(&format!("/ping?{long}"), "").await;
    assert!(answer.starts_with("HTTP/1.1 414 ") && answer.contains("the request's URL has"), "{answer}");
}

#[tokio::test]
async fn requests_must_say_for_whom_they_are() {
    let server = start(limits()).await;
    let answer = server.exchange("GET /ping HTTP/1.1\r\nConnection: close\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 400 ") && answer.contains("no Host header"), "{answer}");
    let answer = server.exchange("GET /ping HTTP/1.1\r\nHost: a\r\nHost: b\r\nConnection: close\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 400 ") && answer.contains("more than one Host"), "{answer}");
    let answer = server.exchange("GET /ping HTTP/1.0\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.0 200 "), "{answer}");
    let answer = server.exchange("OPTIONS * HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 204 ") && answer.contains("allow: GET, HEAD"), "{answer}");
    let answer = server.exchange("GET http://b.lab/context HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await;
    assert!(answer.contains(r#""authority":"b.lab""#), "{answer}");
    let answer = server.exchange("TRACE /ping HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 405 "), "{answer}");
}

#[tokio::test]
async fn forwarded_headers_count_only_from_trusted_proxies() {
    let headers =
        "X-Forwarded-For: 198.51.100.9, 192.0.2.7\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: hub.lab\r\n";
    let server = start(limits()).await;
    let answer = server.get("/context", headers).await;
    assert!(answer.contains(r#""client":"127.0.0.1""#) && answer.contains(r#""scheme":"http""#), "{answer}");

    let proxies = vec!["127.0.0.0/8".to_owned()];
    let server =
        start_with(Kind::Clear, Config { limits: limits(), trusted_proxies: proxies, ..Config::default() }).await;
    let answer = server.get("/context", headers).await;
    assert!(answer.contains(r#""client":"192.0.2.7""#) && answer.contains(r#""scheme":"https""#), "{answer}");
    assert!(answer.contains(r#""authority":"hub.lab""#), "{answer}");
}

#[tokio::test]
async fn an_early_refusal_does_not_invite_the_body() {
    let server = start(limits()).await;
    let mut stream = server.connect().await;
    let head = |path| format!("PUT {path} HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n");
    stream.write_all(head("/refuse").as_bytes()).await.unwrap();
    let answer = read_to_end(&mut stream).await;
    assert!(answer.starts_with("HTTP/1.1 403 ") && answer.contains("no pushes today"), "{answer}");
    assert!(answer.contains("connection: close"), "{answer}");

    let mut stream = server.connect().await;
    stream.write_all(head("/count").as_bytes()).await.unwrap();
    let mut invited = [0; 25];
    stream.read_exact(&mut invited).await.unwrap();
    assert_eq!(&invited, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(b"hello").await.unwrap();
    let mut answer = vec![0; 4096];
    let read = stream.read(&mut answer).await.unwrap();
    let answer = String::from_utf8_lossy(&answer[..read]);
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with('5'), "{answer}");
    assert!(!answer.contains("connection: close"), "{answer}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_sends_on_and_on_still_gets_its_answer() {
    let server = start(limits()).await;
    let address = server.address;
    // A blocking client that looks for the answer only when it cannot send any more.
    let answer = tokio::task::spawn_blocking(move || {
        use std::io::{Read, Write};
        let mut stream = std::net::TcpStream::connect(address).unwrap();
        let head = format!("PUT /refuse HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n", 100 * 1024 * 1024);
        stream.write_all(head.as_bytes()).unwrap();
        let chunk = vec![0; 64 * 1024];
        for _ in 0..1600 {
            if stream.write_all(&chunk).is_err() {
                break;
            }
        }
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        String::from_utf8_lossy(&answer).into_owned()
    });
    let answer = answer.await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 403 ") && answer.contains("no pushes today"), "{answer:?}");
}

#[tokio::test]
async fn bodies_are_read_up_to_a_limit() {
    let server = start(limits()).await;
    let put = |length: usize| {
        let body = "x".repeat(length);
        format!("PUT /ten HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}")
    };
    assert!(server.exchange(&put(10)).await.ends_with("xxxxxxxxxx"));
    assert!(server.exchange(&put(11)).await.starts_with("HTTP/1.1 413 "));
    let chunked = "PUT /ten HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n";
    assert!(server.exchange(&format!("{chunked}5\r\nabcde\r\n5\r\nfghij\r\n0\r\n\r\n")).await.ends_with("abcdefghij"));
    let long = server.exchange(&format!("{chunked}5\r\nabcde\r\n6\r\nfghijk\r\n0\r\n\r\n")).await;
    assert!(long.starts_with("HTTP/1.1 413 "), "{long}");
}
