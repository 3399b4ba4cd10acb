use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper::Request;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::base::config::Limits;
use crate::http::testing::{FILE, limits, read_to_end, start};

#[tokio::test]
async fn connections_above_the_limit_are_closed_at_once_and_counted() {
    let server = start(Limits { connections_per_address: 2, ..limits() }).await;
    let mut first = server.connect().await;
    let mut second = server.connect().await;
    for stream in [&mut first, &mut second] {
        stream.write_all(b"GET /ping HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
        let mut answer = [0; 512];
        assert!(stream.read(&mut answer).await.unwrap() > 0);
    }
    assert_eq!(read_to_end(&mut server.connect().await).await, "");
    let metrics = server.shell.metrics.render();
    assert!(metrics.contains(r#"msrlite_connections_refused_total{reason="connections_per_address"} 1"#), "{metrics}");
    assert!(metrics.contains(r#"msrlite_connections{listener="http"} 2"#), "{metrics}");
    // Room again when one goes.
    drop(first);
    for _ in 0..50 {
        if server.shell.doors.open() < 2 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(server.get("/ping", "").await.ends_with("pong"));
}

#[tokio::test]
async fn a_stop_lets_running_requests_end_and_closes_the_rest() {
    let mut server = start(limits()).await;
    let mut idle = server.connect().await;
    idle.write_all(b"GET /ping HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    let mut answer = [0; 512];
    assert!(idle.read(&mut answer).await.unwrap() > 0);

    let mut running = server.connect().await;
    running.write_all(b"GET /slow HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    let mut download = server.connect().await;
    download.write_all(b"GET /file HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();

    let io = TokioIo::new(server.connect().await);
    let (mut sender, connection) =
        hyper::client::conn::http2::Builder::new(TokioExecutor::new()).handshake::<_, Empty<Bytes>>(io).await.unwrap();
    let driving = tokio::spawn(connection);
    let request = Request::builder().uri("http://a/slow").body(Empty::new()).unwrap();
    let slow = tokio::spawn(sender.send_request(request));
    tokio::time::sleep(Duration::from_millis(200)).await;

    let begun = Instant::now();
    server.stop();
    assert_eq!(read_to_end(&mut idle).await, "");
    assert!(begun.elapsed() < Duration::from_secs(1));
    assert!(read_to_end(&mut running).await.ends_with("slow"));
    assert_eq!(slow.await.unwrap().unwrap().into_body().collect().await.unwrap().to_bytes(), "slow");
    driving.await.unwrap().unwrap();
    let mut whole = Vec::new();
    download.read_to_end(&mut whole).await.unwrap();
    assert!(whole.len() as u64 > FILE);
    // Nobody listens any more, and the server has returned well before its bound.
    assert!(tokio::net::TcpStream::connect(server.address).await.is_err());
    drop((idle, running, download));
    tokio::time::timeout(Duration::from_secs(4), server.running).await.expect("an end").unwrap();
}

#[tokio::test]
async fn what_does_not_end_in_time_is_cut() {
    let mut server = start(Limits { shutdown_seconds: 1, ..limits() }).await;
    let mut stalled = server.connect().await;
    stalled.write_all(b"GET /file HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    tokio::time::sleep(Duration::from_millis(200)).await;
    let begun = Instant::now();
    server.stop();
    server.running.await.unwrap();
    assert!(begun.elapsed() >= Duration::from_secs(1) && begun.elapsed() < Duration::from_secs(3));
    let mut rest = Vec::new();
    assert!(stalled.read_to_end(&mut rest).await.is_err() || (rest.len() as u64) < FILE);
}
