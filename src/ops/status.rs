//! One screen that says how the registry is: filled by the server, shown by `msr-lite status` and the pages.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::base::Timestamp;
use crate::pki::{CertificateFacts, SubjectName};
use crate::space::Report;

/// How the registry is, right now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// The program's version.
    pub version: String,
    /// The instance id: made once, with the data directory.
    pub instance: String,
    /// The server's process id.
    pub pid: u32,
    /// When the server was started.
    pub started: Timestamp,
    /// The server's wall time when it answered.
    pub now: Timestamp,
    /// The data directory, absolute.
    pub data_dir: String,
    /// The URL under which clients are meant to reach it.
    pub url: String,
    /// The sockets it listens on.
    pub listeners: Vec<Listener>,
    /// The certificate authority that signed the server's certificate.
    pub ca: Certificate,
    /// The server's certificate.
    pub leaf: Certificate,
    /// Whether the administrator brought the server's certificate (`cert import`).
    pub brought: bool,
    /// Room on the data directory's filesystem.
    pub storage: Storage,
    /// Upload sessions that are open.
    pub uploads: u64,
    /// Repositories that hold something.
    pub repositories: u64,
    /// TLS handshakes that clients broke off because they do not trust or accept the certificate, since the start.
    pub refused_handshakes: u64,
}

impl Status {
    /// How long the server has been up, by its wall clock.
    pub fn uptime(&self) -> Duration {
        self.now.since(self.started)
    }
}

/// Room on the data directory's filesystem.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Storage {
    /// Bytes of the filesystem; 0 when it does not tell.
    pub total_bytes: u64,
    /// Bytes that are free.
    pub free_bytes: u64,
    /// Bytes that are kept back (`storage.reserve_mib`): pushes are refused when less is free.
    pub reserve_bytes: u64,
    /// Whether pushes are refused because the disk is full.
    pub full: bool,
}

impl From<Report> for Storage {
    fn from(report: Report) -> Self {
        let Report { total, free, reserve, full, .. } = report;
        Self { total_bytes: total, free_bytes: free, reserve_bytes: reserve, full }
    }
}

/// A socket that the server listens on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listener {
    /// `address:port`.
    pub address: String,
    /// What is served there.
    pub serves: Serves,
}

/// What a socket serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Serves {
    /// Everything, over TLS.
    Https,
    /// The API in clear, for a reverse proxy.
    Http,
    /// The CA's certificate, the trust scripts and a redirect, in clear.
    Trust,
}

/// A certificate, as people and scripts want to see it. The serialisable form of [`CertificateFacts`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Certificate {
    /// Subject as one line.
    pub subject: String,
    /// Issuer as one line.
    pub issuer: String,
    /// Serial number, hex.
    pub serial: String,
    /// SHA-256 of the DER form, colon-grouped upper-case hex.
    pub fingerprint: String,
    /// Valid from.
    pub not_before: Timestamp,
    /// Valid until.
    pub not_after: Timestamp,
    /// The names and addresses it covers.
    pub names: Vec<String>,
}

impl From<&CertificateFacts> for Certificate {
    fn from(facts: &CertificateFacts) -> Self {
        let name = |name: &SubjectName| match name {
            SubjectName::Dns(name) => name.clone(),
            SubjectName::Ip(address) => address.to_string(),
        };
        Self {
            subject: facts.subject.clone(),
            issuer: facts.issuer.clone(),
            serial: facts.serial.clone(),
            fingerprint: facts.fingerprint.clone(),
            not_before: facts.not_before,
            not_after: facts.not_after,
            names: facts.names.iter().map(name).collect(),
        }
    }
}
