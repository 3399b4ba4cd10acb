//! A client that costs little: HTTP/1.1 over one connection, with a read buffer and no allocation per request. What it
//! spends is missing to the server where they share a machine.

use std::sync::Arc;

use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::content::Blob;
use crate::{Error, Result};

/// Where a server is reached.
#[derive(Clone, Debug)]
pub(crate) struct Endpoint {
    /// Host and port, as they stand in the `Host` header.
    pub(crate) authority: String,
    /// How TLS is spoken; `None` for plain HTTP.
    pub(crate) tls: Option<Arc<rustls::ClientConfig>>,
}

impl Endpoint {
    /// A request's head. `headers` are whole lines; `length` announces a body.
    pub(crate) fn head(&self, method: &str, path: &str, headers: &str, length: Option<usize>) -> Vec<u8> {
        let length = length.map_or(String::new(), |length| format!("Content-Length: {length}\r\n"));
        format!("{method} {path} HTTP/1.1\r\nHost: {}\r\n{headers}{length}\r\n", self.authority).into_bytes()
    }

    /// A stream to the server, over TLS if it has it, that speaks `protocol` (ALPN).
    pub(crate) async fn stream(&self, protocol: &[u8]) -> Result<Box<dyn Stream>> {
        let socket = TcpStream::connect(&self.authority).await?;
        socket.set_nodelay(true)?;
        let Some(config) = &self.tls else { return Ok(Box::new(socket)) };
        let host = self.authority.rsplit_once(':').map_or(self.authority.as_str(), |(host, _)| host);
        let name = ServerName::try_from(host.to_owned())?;
        let mut config = rustls::ClientConfig::clone(config);
        config.alpn_protocols = vec![protocol.to_vec()];
        Ok(Box::new(TlsConnector::from(Arc::new(config)).connect(name, socket).await?))
    }
}

/// A byte stream in both directions.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

/// How the end of a body is known (RFC 9112, 6.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Framing {
    Length(u64),
    Chunked,
}

/// A head that has been read; `begin..end` are its bytes in the buffer.
#[derive(Clone, Copy, Debug)]
struct Head {
    status: u16,
    framing: Framing,
    begin: usize,
    end: usize,
}

/// An answer with everything in it.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    /// Its status.
    pub(crate) status: u16,
    head: String,
    /// Its body.
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// The first header of this name.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers(name).next()
    }

    /// All headers of this name.
    pub(crate) fn headers(&self, name: &str) -> impl Iterator<Item = &str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(':'));
        lines.filter(move |(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
    }

    /// Bytes of head and body, as they travelled.
    pub(crate) fn size(&self) -> usize {
        self.head.len() + self.body.len()
    }

    /// An error unless the status is one of these.
    pub(crate) fn expect(self, statuses: &[u16]) -> Result<Self> {
        if statuses.contains(&self.status) {
            return Ok(self);
        }
        let body = String::from_utf8_lossy(&self.body);
        Err(Error::from(format!("status {}: {}", self.status, body.chars().take(200).collect::<String>().trim())))
    }
}

/// A connection that is kept.
pub(crate) struct Connection {
    stream: Box<dyn Stream>,
    buffer: Box<[u8]>,
    /// What has been read and not yet used.
    begin: usize,
    end: usize,
}

impl Connection {
    /// Opens one.
    pub(crate) async fn open(endpoint: &Endpoint) -> Result<Self> {
        Self::with_buffer(endpoint, 256 * 1024).await
    }

    /// Opens one with a read buffer of this size, which a head must fit into.
    pub(crate) async fn with_buffer(endpoint: &Endpoint, buffer: usize) -> Result<Self> {
        let stream = endpoint.stream(b"http/1.1").await?;
        Ok(Self { stream, buffer: vec![0; buffer].into(), begin: 0, end: 0 })
    }

    /// Sends a request without a body and throws the answer's body away. Returns the status and the body's length.
    pub(crate) async fn probe(&mut self, head: &[u8], is_head: bool) -> Result<(u16, u64)> {
        self.stream.write_all(head).await?;
        self.stream.flush().await?;
        let head = self.read_head(is_head).await?;
        Ok((head.status, self.read_body(head.framing, None).await?))
    }

    /// Sends a request and reads the whole answer.
    pub(crate) async fn ask(&mut self, head: &[u8], body: &[u8], is_head: bool) -> Result<Answer> {
        self.stream.write_all(head).await?;
        self.stream.write_all(body).await?;
        self.stream.flush().await?;
        let head = self.read_head(is_head).await?;
        let text = String::from_utf8_lossy(&self.buffer[head.begin..head.end]).into_owned();
        let mut body = Vec::new();
        self.read_body(head.framing, Some(&mut body)).await?;
        Ok(Answer { status: head.status, head: text, body })
    }

    /// Pushes a blob: POST and one PUT, or one PATCH for every `chunk` bytes and an empty PUT. `headers` signs in.
    pub(crate) async fn push_blob(
        &mut self,
        endpoint: &Endpoint,
        headers: &str,
        repo: &str,
        blob: &Blob,
        chunk: Option<usize>,
    ) -> Result<()> {
        let post = endpoint.head("POST", &format!("/v2/{repo}/blobs/uploads/"), headers, Some(0));
        let mut location = location(&self.ask(&post, b"", false).await?.expect(&[202])?)?;
        let headers = format!("{headers}Content-Type: application/octet-stream\r\n");
        let mut rest = &blob.bytes[..];
        if let Some(chunk) = chunk {
            let mut begin = 0;
            while !rest.is_empty() {
                let (part, behind) = rest.split_at(chunk.min(rest.len()));
                let range = format!("{headers}Content-Range: {begin}-{}\r\n", begin + part.len() - 1);
                let patch = endpoint.head("PATCH", &location, &range, Some(part.len()));
                location = self::location(&self.ask(&patch, part, false).await?.expect(&[202])?)?;
                begin += part.len();
                rest = behind;
            }
        }
        let separator = if location.contains('?') { '&' } else { '?' };
        let path = format!("{location}{separator}digest={}", blob.digest);
        let put = endpoint.head("PUT", &path, &headers, Some(rest.len()));
        self.ask(&put, rest, false).await?.expect(&[201])?;
        Ok(())
    }

    /// Pushes a manifest.
    pub(crate) async fn push_manifest(
        &mut self,
        endpoint: &Endpoint,
        headers: &str,
        repo: &str,
        reference: &str,
        manifest: &Blob,
    ) -> Result<()> {
        self.push_typed(endpoint, headers, (repo, reference), crate::content::MANIFEST, manifest).await
    }

    /// Pushes an index.
    pub(crate) async fn push_index(
        &mut self,
        endpoint: &Endpoint,
        headers: &str,
        repo: &str,
        reference: &str,
        index: &Blob,
    ) -> Result<()> {
        self.push_typed(endpoint, headers, (repo, reference), crate::content::INDEX, index).await
    }

    async fn push_typed(
        &mut self,
        endpoint: &Endpoint,
        headers: &str,
        (repo, reference): (&str, &str),
        media_type: &str,
        manifest: &Blob,
    ) -> Result<()> {
        let headers = format!("{headers}Content-Type: {media_type}\r\n");
        let path = format!("/v2/{repo}/manifests/{reference}");
        let put = endpoint.head("PUT", &path, &headers, Some(manifest.bytes.len()));
        self.ask(&put, &manifest.bytes, false).await?.expect(&[201])?;
        Ok(())
    }

    async fn fill(&mut self) -> Result<()> {
        if self.begin > 0 {
            self.buffer.copy_within(self.begin..self.end, 0);
            self.end -= self.begin;
            self.begin = 0;
        }
        if self.end == self.buffer.len() {
            return Err(Error::from("a head or chunk line is too long"));
        }
        match self.stream.read(&mut self.buffer[self.end..]).await? {
            0 => Err(Error::from("the server closed the connection")),
            read => {
                self.end += read;
                Ok(())
            }
        }
    }

    async fn read_head(&mut self, is_head: bool) -> Result<Head> {
        loop {
            if let Some(length) = find(&self.buffer[self.begin..self.end], b"\r\n\r\n") {
                let (begin, end) = (self.begin, self.begin + length);
                self.begin = end + 4;
                let (status, framing) = parse(&self.buffer[begin..end])?;
                let bodiless = is_head || matches!(status, 204 | 304);
                return Ok(Head { status, framing: if bodiless { Framing::Length(0) } else { framing }, begin, end });
            }
            self.fill().await?;
        }
    }

    async fn read_body(&mut self, framing: Framing, mut into: Option<&mut Vec<u8>>) -> Result<u64> {
        match framing {
            Framing::Length(length) => self.read_exactly(length, into).await.map(|()| length),
            Framing::Chunked => {
                let mut whole = 0;
                loop {
                    let size = self.read_line().await?;
                    let size = size.split(';').next().unwrap_or_default().trim().to_owned();
                    let size = u64::from_str_radix(&size, 16)?;
                    self.read_exactly(size, into.as_deref_mut()).await?;
                    // The line end behind the chunk; behind the last one, no trailers come here.
                    self.read_line().await?;
                    whole += size;
                    if size == 0 {
                        return Ok(whole);
                    }
                }
            }
        }
    }

    async fn read_line(&mut self) -> Result<String> {
        loop {
            if let Some(length) = find(&self.buffer[self.begin..self.end], b"\r\n") {
                let line = String::from_utf8_lossy(&self.buffer[self.begin..self.begin + length]).into_owned();
                self.begin += length + 2;
                return Ok(line);
            }
            self.fill().await?;
        }
    }

    async fn read_exactly(&mut self, length: u64, mut into: Option<&mut Vec<u8>>) -> Result<()> {
        let mut left = length;
        while left > 0 {
            if self.begin == self.end {
                (self.begin, self.end) = (0, 0);
                self.fill().await?;
            }
            let taken = (self.end - self.begin).min(usize::try_from(left).unwrap_or(usize::MAX));
            if let Some(into) = into.as_deref_mut() {
                into.extend_from_slice(&self.buffer[self.begin..self.begin + taken]);
            }
            self.begin += taken;
            left -= taken as u64;
        }
        Ok(())
    }
}

/// The path in a `Location`, which may be absolute.
fn location(answer: &Answer) -> Result<String> {
    let location = answer.header("location").ok_or("an upload without a Location")?;
    let path = match location.split_once("://") {
        Some((_, rest)) => rest.find('/').map_or("/", |slash| &rest[slash..]),
        None => location,
    };
    Ok(path.to_owned())
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}

fn parse(head: &[u8]) -> Result<(u16, Framing)> {
    let status = head.get(9..12).and_then(|digits| std::str::from_utf8(digits).ok()?.parse().ok());
    let status = status.ok_or("an answer without a status")?;
    let mut framing = Framing::Length(0);
    for line in head.split(|byte| *byte == b'\n').skip(1) {
        // By the first letter and length: this runs for every header of every answer.
        match line.iter().position(|byte| *byte == b':') {
            Some(14) if line[..14].eq_ignore_ascii_case(b"content-length") => {
                framing = Framing::Length(std::str::from_utf8(&line[15..])?.trim().parse()?);
            }
            Some(17) if line[..17].eq_ignore_ascii_case(b"transfer-encoding") => framing = Framing::Chunked,
            _ => {}
        }
    }
    Ok((status, framing))
}
