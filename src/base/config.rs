//! Settings as types. Precedence, files and variables are the front door's business (`cli::config`).

use std::net::SocketAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Everything that can be set; the defaults are those of a fresh installation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Addresses that serve the registry over TLS. Empty: 443 where this process may, else 8443.
    pub listen: Vec<SocketAddr>,
    /// Addresses that serve the full API in clear (no UI sign-in there). Empty: none.
    pub http: Vec<SocketAddr>,
    /// An address that serves only the CA certificate, the trust scripts and a redirect, in clear.
    pub trust_http: Option<SocketAddr>,
    /// The registry's full name; guessed from the system when absent.
    pub fqdn: Option<String>,
    /// More names and addresses for the certificate, e.g. a NAT or floating address.
    pub san: Vec<String>,
    /// The URL under which a reverse proxy shows this registry, e.g. `https://registry.lab`.
    pub external_url: Option<String>,
    /// Addresses or networks (CIDR) of proxies whose `X-Forwarded-*` headers count.
    pub trusted_proxies: Vec<String>,
    /// Whether everybody may pull without signing in.
    pub anonymous_pull: bool,
    /// Whether manifests may refer to content that is not here (OCI "sparse" images and indexes).
    pub accept_incomplete: bool,
    /// Limits.
    pub limits: Limits,
    /// Uploads.
    pub uploads: Uploads,
    /// Garbage collection.
    pub gc: Gc,
    /// Page cache of the metadata store, in MiB (16 to 1024).
    pub metadata_cache_mib: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: Vec::new(),
            http: Vec::new(),
            trust_http: None,
            fqdn: None,
            san: Vec::new(),
            external_url: None,
            trusted_proxies: Vec::new(),
            anonymous_pull: false,
            accept_incomplete: true,
            limits: Limits::default(),
            uploads: Uploads::default(),
            gc: Gc::default(),
            metadata_cache_mib: 32,
        }
    }
}

/// Limits on what one client, one request or one manifest may take.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Bytes of a request's head (request line and headers).
    pub header_bytes: usize,
    /// Bytes of a manifest; the specification asks for at least 4 MiB.
    pub manifest_bytes: usize,
    /// References of one manifest.
    pub manifest_references: usize,
    /// Depth of a manifest's JSON.
    pub json_depth: usize,
    /// Bytes of a blob.
    pub blob_bytes: u64,
    /// Connections at once.
    pub connections: usize,
    /// Connections at once from one address (an IPv6 /64 counts as one).
    pub connections_per_address: usize,
    /// Seconds for a TLS handshake.
    pub handshake_seconds: u64,
    /// Seconds that a connection may be idle between requests, and for a request's head to arrive.
    pub idle_seconds: u64,
    /// Seconds in which a body in transfer, either way, must make some progress.
    pub progress_seconds: u64,
    /// Concurrent streams of one HTTP/2 connection.
    pub h2_streams: u32,
    /// Seconds that running requests get when the server stops.
    pub shutdown_seconds: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            header_bytes: 32 * 1024,
            manifest_bytes: 4 * 1024 * 1024,
            manifest_references: 5000,
            json_depth: 32,
            blob_bytes: 1 << 40,
            connections: 4096,
            connections_per_address: 1024,
            handshake_seconds: 10,
            idle_seconds: 75,
            progress_seconds: 60,
            h2_streams: 128,
            shutdown_seconds: 30,
        }
    }
}

/// Upload sessions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Uploads {
    /// Hours after which a session that received nothing expires.
    pub expire_hours: u64,
}

impl Default for Uploads {
    fn default() -> Self {
        Self { expire_hours: 24 }
    }
}

/// Garbage collection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Gc {
    /// Seconds for which an acknowledged blob or manifest is kept although nothing refers to it yet.
    pub lease_seconds: u64,
}

impl Default for Gc {
    fn default() -> Self {
        Self { lease_seconds: 24 * 3600 }
    }
}

impl Gc {
    /// The lease as a duration.
    pub fn lease(&self) -> Duration {
        Duration::from_secs(self.lease_seconds)
    }
}
