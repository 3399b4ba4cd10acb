//! Floor 4: the wire. Status codes, headers and sockets live here (and in `client`), nowhere else.
//!
//! A connection comes in through [`listen`], over TLS through [`tls`], and is driven by [`conn`]. Each of its requests
//! passes the shell of [`service`], which hands it to [`site`]: `/v2` goes on to [`v2`], the rest is answered there.

use std::path::PathBuf;
use std::sync::Arc;

use crate::access::Access;
use crate::base::{Clock, Config, Timestamp};
use crate::ops::handshakes::Handshakes;
use crate::pki::Pki;
use crate::registry::Registry;

pub mod api;
pub mod body;
pub mod conn;
pub mod limits;
pub mod listen;
pub mod metrics;
pub mod reply;
pub mod request;
pub mod service;
pub mod site;
pub mod tls;
pub mod trace;
pub mod trust;
pub mod ui;
pub mod v2;

pub use body::{BodyError, RequestBody};
pub use metrics::Metrics;
pub use reply::{Body, Reply};
pub use request::Context;

/// Everything that answers requests. Made once, in `serve`.
pub struct App {
    /// The registry.
    pub registry: Registry,
    /// Sign-in and permissions.
    pub access: Access,
    /// Certificates.
    pub pki: Pki,
    /// Settings.
    pub config: Arc<Config>,
    /// The time.
    pub clock: Clock,
    /// Counts.
    pub metrics: Metrics,
    /// Clients that refuse our certificate.
    pub handshakes: Handshakes,
    /// When the server was started.
    pub started: Timestamp,
    /// The data directory, to be shown.
    pub data_dir: PathBuf,
    /// The port of the first TLS listener as it is bound, whatever was asked for; 443 when there is none.
    pub tls_port: u16,
    /// Whether the registry can do its work, for `/readyz`: `Err` says what is missing.
    pub ready: Box<dyn Fn() -> Result<(), String> + Send + Sync>,
    /// Held by whoever has the pages look at every row: one at a time.
    pub survey: tokio::sync::Mutex<()>,
    /// Told when the owner of this account has changed its password here: the file with the first password goes.
    pub password_changed: Box<dyn Fn(&str) + Send + Sync>,
}

#[cfg(test)]
mod testing;
