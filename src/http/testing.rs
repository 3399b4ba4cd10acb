//! A server on loopback with fake routes, for the tests of the wire.

use std::io::Write;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::{Request, StatusCode};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::body::RequestBody;
use super::listen::{self, Kind, Listener};
use super::reply::{self, Body, OperationName, Reply};
use super::request::{Context, Front};
use super::service::{Routes, Shell};
use super::{BodyError, Metrics};
use crate::base::config::Limits;
use crate::base::{Clock, Config, Timestamp};
use crate::ops::handshakes::Handshakes;
use crate::pki::{NameSettings, Pki};

/// The certificates of a registry named `registry.lab`, on 127.0.0.1.
pub(crate) fn lab() -> Pki {
    let data = tempfile::tempdir().unwrap();
    let extra = ["127.0.0.1".parse().unwrap()].into();
    let names = NameSettings { fqdn: Some("registry.lab".to_owned()), extra };
    Pki::open(data.path(), names, Clock::system()).unwrap()
}

pub(crate) fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

/// Bytes of `/file`: more than all buffers between server and client hold.
pub(crate) const FILE: u64 = 40 * 1024 * 1024 + 5;

/// Byte of `/file` at an offset.
pub(crate) fn byte(offset: u64) -> u8 {
    (offset % 251) as u8
}

pub(crate) struct Fake {
    file: std::fs::File,
}

impl Fake {
    fn new() -> Self {
        let mut file = tempfile::tempfile().unwrap();
        let pattern: Vec<u8> = (0..251).map(byte).collect();
        let bytes = pattern.repeat(usize::try_from(FILE).unwrap() / 251 + 1);
        file.write_all(&bytes).unwrap();
        file.set_len(FILE).unwrap();
        Self { file }
    }
}

impl Routes for Fake {
    async fn answer(&self, context: &Context, request: Request<RequestBody>) -> Reply {
        let path = request.uri().path().to_owned();
        let mut reply = match path.as_str() {
            "/ping" | "/v2/" => reply::text(StatusCode::OK, "pong"),
            // Refuses without a look at the body.
            "/refuse" => reply::error(StatusCode::FORBIDDEN, "DENIED", "no pushes today"),
            "/count" => {
                let (mut body, mut total) = (request.into_body(), 0);
                loop {
                    match body.next().await {
                        Some(Ok(chunk)) => total += chunk.len(),
                        Some(Err(error)) => break reply::text(StatusCode::REQUEST_TIMEOUT, error),
                        None => break reply::text(StatusCode::OK, total.to_string()),
                    }
                }
            }
            "/ten" => match request.into_body().read_limited(10).await {
                Ok(body) => reply::text(StatusCode::OK, body),
                Err(BodyError::TooLarge { .. }) => reply::empty(StatusCode::PAYLOAD_TOO_LARGE),
                Err(BodyError::Sender(error)) => reply::text(StatusCode::BAD_REQUEST, error),
            },
            "/file" => {
                let file = self.file.try_clone().unwrap();
                Reply::new(Body::File { file, offset: 0, length: FILE })
            }
            // Promises more than there is.
            "/short" => {
                let file = self.file.try_clone().unwrap();
                Reply::new(Body::File { file, offset: FILE - 1_000_000, length: 2_000_000 })
            }
            "/panic" => panic!("as asked"),
            "/slow" => {
                tokio::time::sleep(Duration::from_millis(700)).await;
                reply::text(StatusCode::OK, "slow")
            }
            "/context" => {
                let Context { client, scheme, authority, own_host, .. } = context;
                let value = json!({ "client": client, "scheme": scheme, "authority": authority, "own": own_host });
                reply::json(StatusCode::OK, &value)
            }
            _ => reply::empty(StatusCode::NOT_FOUND),
        };
        reply.extensions_mut().insert(OperationName("fake"));
        reply
    }
}

/// A running server.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) pki: Pki,
    pub(crate) shell: Arc<Shell<Fake>>,
    stop: Option<oneshot::Sender<()>>,
    pub(crate) running: JoinHandle<()>,
}

impl Server {
    /// Orders it to stop.
    pub(crate) fn stop(&mut self) {
        let _ = self.stop.take().unwrap().send(());
    }

    pub(crate) async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// Sends bytes and reads until the server closes.
    pub(crate) async fn exchange(&self, request: &str) -> String {
        let mut stream = self.connect().await;
        stream.write_all(request.as_bytes()).await.unwrap();
        read_to_end(&mut stream).await
    }

    /// `GET path` with these header lines, closing after it.
    pub(crate) async fn get(&self, path: &str, headers: &str) -> String {
        let host = self.address;
        self.exchange(&format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{headers}\r\n")).await
    }
}

pub(crate) async fn read_to_end(stream: &mut (impl AsyncReadExt + Unpin)) -> String {
    let mut answer = Vec::new();
    // A reset after the answer is as good an end as any.
    let _ = tokio::time::timeout(Duration::from_secs(20), stream.read_to_end(&mut answer)).await.expect("an end");
    String::from_utf8_lossy(&answer).into_owned()
}

/// Limits small enough to be met in a test.
pub(crate) fn limits() -> Limits {
    Limits { idle_seconds: 30, progress_seconds: 30, shutdown_seconds: 5, handshake_seconds: 5, ..Limits::default() }
}

/// A server of this kind with these settings.
pub(crate) async fn start_with(kind: Kind, config: Config) -> Server {
    let (pki, clock) = (lab(), Clock::manual(Timestamp(1_000_000)));
    let handshakes = Handshakes::new(pki.clone(), clock.clone());
    let metrics = Metrics::new();
    metrics.register(|registry| handshakes.register(registry));
    let (front, tls) = (Front::new(&config, pki.clone()).unwrap(), pki.server_config());
    let shell = Shell::new(Fake::new(), front, tls, config.limits, metrics, handshakes, clock);
    let socket = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel();
    let running = tokio::spawn(listen::serve(shell.clone(), vec![Listener { socket, kind }], async {
        let _ = stopped.await;
    }));
    Server { address, pki, shell, stop: Some(stop), running }
}

/// A server in clear.
pub(crate) async fn start(limits: Limits) -> Server {
    start_with(Kind::Clear, Config { limits, ..Config::default() }).await
}

/// A server over TLS.
pub(crate) async fn start_tls(limits: Limits) -> Server {
    start_with(Kind::Tls, Config { limits, ..Config::default() }).await
}
