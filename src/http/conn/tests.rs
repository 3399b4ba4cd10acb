use std::time::{Duration, Instant as Wall};

use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper::Request;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::Instant;

use super::{PATIENCE, Verdict, Watch};
use crate::base::config::Limits;
use crate::http::testing::{FILE, byte, limits, read_to_end, start};

const SECOND: Duration = Duration::from_secs(1);

// The verdict takes the time as an argument, so that these need no waiting.

fn answer_under_way(watch: &Watch, since: Instant) {
    let mut state = watch.state.lock();
    state.running += 1;
    state.answers.push((0, since));
}

#[test]
fn a_connection_without_a_request_becomes_idle() {
    let watch = Watch::new(75 * SECOND, 60 * SECOND);
    let begun = watch.state.lock().idle_since;
    assert_eq!(watch.judge(begun), Verdict::Well(begun + 60 * SECOND));
    assert_eq!(watch.judge(begun + 60 * SECOND), Verdict::Well(begun + 75 * SECOND));
    assert_eq!(watch.judge(begun + 75 * SECOND), Verdict::Idle);
}

#[test]
fn an_answer_that_nobody_takes_stalls_and_one_beside_others_gets_patience() {
    let watch = Watch::new(75 * SECOND, 60 * SECOND);
    let begun = Instant::now();
    watch.state.lock().moved = begun;
    answer_under_way(&watch, begun);
    assert_eq!(watch.judge(begun + 59 * SECOND), Verdict::Well(begun + 60 * SECOND));
    assert_eq!(watch.judge(begun + 60 * SECOND), Verdict::Stalled);
    // The socket takes bytes, of another stream or slowly of this one.
    let patience = 60 * SECOND * PATIENCE;
    for second in 1..600 {
        let now = begun + second * SECOND;
        watch.state.lock().moved = now;
        assert!(matches!(watch.judge(now), Verdict::Well(_)));
    }
    assert_eq!(watch.judge(begun + patience), Verdict::Stalled);
}

#[test]
fn a_request_without_an_answer_yet_may_take_its_time() {
    let watch = Watch::new(75 * SECOND, 60 * SECOND);
    watch.state.lock().running = 1;
    assert!(matches!(watch.judge(Instant::now() + 10_000 * SECOND), Verdict::Well(_)));
}

#[tokio::test]
async fn a_slow_head_is_cut() {
    let server = start(Limits { idle_seconds: 1, ..limits() }).await;
    let mut stream = server.connect().await;
    stream.write_all(b"GET /ping HTTP/1.1\r\nHos").await.unwrap();
    let begun = Wall::now();
    let answer = read_to_end(&mut stream).await;
    assert!(begun.elapsed() < Duration::from_secs(5) && !answer.contains("200 OK"), "{answer}");
}

#[tokio::test]
async fn silence_is_cut() {
    let server = start(Limits { idle_seconds: 1, ..limits() }).await;
    let begun = Wall::now();
    assert_eq!(read_to_end(&mut server.connect().await).await, "");
    // And between requests too.
    let mut stream = server.connect().await;
    stream.write_all(b"GET /ping HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    assert!(read_to_end(&mut stream).await.ends_with("pong"));
    assert!(begun.elapsed() < Duration::from_secs(8));
}

#[tokio::test]
async fn an_upload_that_stands_still_is_given_up() {
    let server = start(Limits { progress_seconds: 1, ..limits() }).await;
    let mut stream = server.connect().await;
    stream.write_all(b"PUT /count HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nonly this").await.unwrap();
    let answer = read_to_end(&mut stream).await;
    assert!(answer.starts_with("HTTP/1.1 408 ") && answer.ends_with("nothing came for 1 s"), "{answer}");
}

#[tokio::test]
async fn an_upload_that_is_slow_but_moves_is_not() {
    let server = start(Limits { progress_seconds: 1, ..limits() }).await;
    let mut stream = server.connect().await;
    stream
        .write_all(b"PUT /count HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nConnection: close\r\n\r\n")
        .await
        .unwrap();
    for _ in 0..4 {
        tokio::time::sleep(Duration::from_millis(500)).await;
        stream.write_all(b"x").await.unwrap();
    }
    assert!(read_to_end(&mut stream).await.ends_with('4'));
}

/// Waits until the server has let go of every connection.
async fn all_closed(server: &crate::http::testing::Server) {
    for _ in 0..100 {
        if server.shell.doors.open() == 0 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("a connection is still open");
}

#[tokio::test]
async fn a_download_that_nobody_reads_is_cut() {
    let server = start(Limits { progress_seconds: 1, ..limits() }).await;
    let mut stream = server.connect().await;
    stream.write_all(b"GET /file HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    // The head has come: the server has the connection.
    assert_eq!(stream.read(&mut [0; 1]).await.unwrap(), 1);
    all_closed(&server).await;
    // Cut means cut: the rest never comes.
    let mut rest = Vec::new();
    let end = stream.read_to_end(&mut rest).await;
    assert!(end.is_err() || (rest.len() as u64) < FILE);
}

#[tokio::test]
async fn a_download_is_whole_and_right() {
    let server = start(limits()).await;
    let mut stream = server.connect().await;
    stream.write_all(b"GET /file HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    let body = answer.windows(4).position(|window| window == b"\r\n\r\n").unwrap() + 4;
    let body = &answer[body..];
    assert_eq!(body.len() as u64, FILE);
    assert!(body.iter().zip(0..).all(|(got, offset)| *got == byte(offset)));
}

#[tokio::test]
async fn a_file_that_is_too_short_breaks_the_answer_off() {
    let server = start(limits()).await;
    let mut stream = server.connect().await;
    stream.write_all(b"GET /short HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    assert!(String::from_utf8_lossy(&answer[..400]).contains("content-length: 2000000"));
    assert!(answer.len() < 1_100_000);
    // The server lives.
    assert!(server.get("/ping", "").await.ends_with("pong"));
}

#[tokio::test]
async fn an_h2_client_that_withholds_its_window_is_cut_and_an_idle_one_told_to_go() {
    let server = start(Limits { progress_seconds: 1, idle_seconds: 1, ..limits() }).await;
    let io = TokioIo::new(server.connect().await);
    let (mut sender, connection) =
        hyper::client::conn::http2::Builder::new(TokioExecutor::new()).handshake::<_, Empty<Bytes>>(io).await.unwrap();
    let driving = tokio::spawn(connection);
    let get = |path: &str| Request::builder().uri(format!("http://a{path}")).body(Empty::new()).unwrap();
    let answer = sender.send_request(get("/ping")).await.unwrap();
    assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), "pong");
    // The body is held and never read: its window stays shut.
    let held = sender.send_request(get("/file")).await.unwrap();
    all_closed(&server).await;
    assert!(held.into_body().collect().await.is_err());
    let _ = driving.await;

    let io = TokioIo::new(server.connect().await);
    let (mut sender, connection) =
        hyper::client::conn::http2::Builder::new(TokioExecutor::new()).handshake::<_, Empty<Bytes>>(io).await.unwrap();
    let driving = tokio::spawn(connection);
    drop(sender.send_request(get("/ping")).await.unwrap());
    let ended = tokio::time::timeout(Duration::from_secs(10), driving).await.expect("GOAWAY ends it").unwrap();
    assert!(ended.is_ok(), "{ended:?}");
}
