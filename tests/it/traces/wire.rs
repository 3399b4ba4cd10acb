//! Connections as these clients make them. A library would choose the version and reuse connections as it likes; here
//! both are part of what is tested.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Either, Full};
use hyper::body::{Frame, Incoming};
use hyper::client::conn::{http1, http2};
use hyper::{HeaderMap, Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::ServerName;
use rustls::pki_types::pem::PemObject as _;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::harness::Lab;

/// How a program speaks to a registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// HTTP/1.1 without ALPN and `Connection: close` in every request: docker's engine.
    Hasty,
    /// HTTP/1.1 without ALPN on one connection: Go's client with a TLS configuration of its caller's.
    Http1,
    /// HTTP/2 by ALPN on one connection: Go's client by itself.
    Http2,
}

/// An answer, read to its end.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Answer {
    /// A header's text; empty when it is not there.
    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

/// A body whose length is known, or one that is not told it: chunked, or DATA frames without a Content-Length.
pub(super) type Content = Either<Full<Bytes>, Pieces>;

/// Bytes in pieces, without a length in advance.
pub(super) struct Pieces(VecDeque<Bytes>);

/// A body that announces its length.
pub(super) fn whole(bytes: &[u8]) -> Content {
    Either::Left(Full::new(Bytes::copy_from_slice(bytes)))
}

/// A body that does not.
pub(super) fn stream(bytes: &[u8]) -> Content {
    Either::Right(Pieces(bytes.chunks(32 * 1024).map(Bytes::copy_from_slice).collect()))
}

impl hyper::body::Body for Pieces {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.pop_front().map(|piece| Ok(Frame::data(piece))))
    }
}

/// The way of one program to the registry of a test.
pub(super) struct Wire {
    line: Line,
    port: u16,
    connector: TlsConnector,
    open: Option<Sender>,
}

enum Sender {
    One(http1::SendRequest<Content>),
    Two(http2::SendRequest<Content>),
}

impl Wire {
    /// Trusts the registry's CA and nothing else.
    pub(super) fn new(lab: &Lab, line: Line) -> Self {
        let mut roots = rustls::RootCertStore::empty();
        let pem = lab.server.pki().ca_pem();
        roots.add(rustls::pki_types::CertificateDer::from_pem_slice(pem.as_bytes()).unwrap()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut tls = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        if line == Line::Http2 {
            tls.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        }
        let connector = TlsConnector::from(Arc::new(tls));
        Self { line, port: lab.server.addresses()[0].port(), connector, open: None }
    }

    /// `host:port` as the program names the registry.
    pub(super) fn authority(&self) -> String {
        format!("localhost:{}", self.port)
    }

    /// Sends a request, whose URI is path and query alone, and reads the answer.
    pub(super) async fn send(&mut self, mut request: Request<Content>) -> Answer {
        let sender = match self.open.take() {
            Some(sender) => sender,
            None => self.connect().await,
        };
        let (answer, sender) = match sender {
            Sender::One(mut sender) => {
                request.headers_mut().insert("host", self.authority().parse().unwrap());
                if self.line == Line::Hasty {
                    request.headers_mut().insert("connection", "close".parse().unwrap());
                }
                sender.ready().await.unwrap();
                let answer = read(sender.send_request(request).await.unwrap()).await;
                (answer, Sender::One(sender))
            }
            Sender::Two(mut sender) => {
                let path = request.uri().path_and_query().unwrap().as_str();
                *request.uri_mut() = format!("https://{}{path}", self.authority()).parse().unwrap();
                sender.ready().await.unwrap();
                let answer = read(sender.send_request(request).await.unwrap()).await;
                (answer, Sender::Two(sender))
            }
        };
        if self.line != Line::Hasty {
            self.open = Some(sender);
        }
        answer
    }

    async fn connect(&self) -> Sender {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).await.unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        let stream: TlsStream<_> = self.connector.connect(name, stream).await.unwrap();
        let protocol = stream.get_ref().1.alpn_protocol().map(<[u8]>::to_vec);
        if self.line == Line::Http2 {
            assert_eq!(protocol.as_deref(), Some(b"h2".as_slice()), "HTTP/2 is what the registry prefers");
            let (sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
            tokio::spawn(connection);
            Sender::Two(sender)
        } else {
            let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
            tokio::spawn(connection);
            Sender::One(sender)
        }
    }
}

async fn read(response: Response<Incoming>) -> Answer {
    let (head, body) = response.into_parts();
    Answer { status: head.status.as_u16(), headers: head.headers, body: body.collect().await.unwrap().to_bytes() }
}
