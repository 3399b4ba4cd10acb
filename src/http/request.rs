//! What the wire knows about a request besides its head and body.

use std::net::{IpAddr, SocketAddr};

/// Context of one request, made by `http::service` before anything is parsed.
#[derive(Clone, Debug)]
pub struct Context {
    /// The request's id, shown in `X-Request-Id`, in 5xx bodies and in the log.
    pub id: String,
    /// The peer of the connection.
    pub peer: SocketAddr,
    /// The client: the peer, or what a trusted proxy says.
    pub client: IpAddr,
    /// `https` or `http`, as the client sees it.
    pub scheme: &'static str,
    /// The authority under which the client may be told to come back: `external_url`'s, or the one it used when our
    /// certificate covers it, else our full name and port.
    pub authority: String,
    /// The registry hosts that a client may put before a repository name in `from=` (our own names, with or without port).
    pub own_host: Option<String>,
}

impl Context {
    /// The URL under which the client reaches us, without a trailing slash.
    pub fn base_url(&self) -> String {
        format!("{}://{}", self.scheme, self.authority)
    }
}
