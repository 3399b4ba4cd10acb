//! Floor 2: our own certificate authority and the server's certificate.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;

use crate::base::{Clock, Timestamp};

/// What went wrong with keys or certificates, in words that say what to do.
#[derive(Debug, thiserror::Error)]
pub enum PkiError {
    /// A file cannot be read or written.
    #[error("{path}: {error}")]
    File {
        /// Which.
        path: String,
        /// What the system says.
        error: String,
    },
    /// A certificate or key does not do.
    #[error("{0}")]
    Unusable(String),
}

/// A name that the certificate covers: a DNS name in lower case or an address (never written as a DNS name).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SubjectName {
    /// dNSName; may begin with `*.` when an administrator asked for it.
    Dns(String),
    /// iPAddress.
    Ip(IpAddr),
}

/// What decides the names of the certificate, apart from the machine's own addresses.
#[derive(Clone, Debug, Default)]
pub struct NameSettings {
    /// The registry's full name; guessed from the system when absent.
    pub fqdn: Option<String>,
    /// Names and addresses that an administrator added (`--san`, `cert add`).
    pub extra: BTreeSet<SubjectName>,
}

/// Facts about a certificate, for the banner, `cert show`, the pages and the doctor.
#[derive(Clone, Debug)]
pub struct CertificateFacts {
    /// Subject as one line.
    pub subject: String,
    /// Issuer as one line.
    pub issuer: String,
    /// Serial number, hex.
    pub serial: String,
    /// SHA-256 of the DER form, colon-grouped upper-case hex, as browsers show it.
    pub fingerprint: String,
    /// Valid from.
    pub not_before: Timestamp,
    /// Valid until.
    pub not_after: Timestamp,
    /// The names it covers.
    pub names: Vec<SubjectName>,
}

/// Why the server's certificate was issued anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reissue {
    /// The names or addresses that it should cover have changed.
    Names,
    /// Less than a third of its life was left.
    Age,
}

/// The certificate authority, the server's certificate and the TLS settings made of them. Cheap to clone.
#[derive(Clone)]
pub struct Pki(Arc<()>);

impl Pki {
    /// Opens `<data>/pki` (`ca.crt`, `ca.key`, `server.crt`, `server.key`, 0600 keys), making what is missing.
    ///
    /// # Errors
    /// [`PkiError`] naming the file and the cure.
    pub fn open(data: &Path, settings: NameSettings, clock: Clock) -> Result<Self, PkiError> {
        let _ = (data, settings, clock);
        todo!()
    }

    /// TLS settings for the listener: TLS 1.2 and 1.3, ALPN h2 and http/1.1, session tickets, certificate by
    /// a resolver that follows every re-issue without dropping a connection.
    pub fn server_config(&self) -> Arc<rustls::ServerConfig> {
        todo!()
    }

    /// The registry's full name as it stands in the certificate's subject.
    pub fn fqdn(&self) -> String {
        todo!()
    }

    /// Whether the certificate in use covers this host (a name or an address, without port).
    pub fn covers(&self, host: &str) -> bool {
        let _ = host;
        todo!()
    }

    /// The CA certificate in PEM, exactly the bytes that `/ca.crt` serves. With a certificate brought by the
    /// administrator, the CA that they gave with it.
    pub fn ca_pem(&self) -> Arc<str> {
        todo!()
    }

    /// SHA-256 of [`Pki::ca_pem`]'s bytes, lower-case hex, as `sha256sum` prints it.
    pub fn ca_pem_sha256(&self) -> String {
        todo!()
    }

    /// Facts about the CA.
    pub fn ca_facts(&self) -> CertificateFacts {
        todo!()
    }

    /// Facts about the server's certificate.
    pub fn leaf_facts(&self) -> CertificateFacts {
        todo!()
    }

    /// Looks at addresses and age and issues the certificate anew when it must; takes effect at once.
    ///
    /// # Errors
    /// [`PkiError`]; the old certificate stays in use.
    pub fn refresh(&self) -> Result<Option<Reissue>, PkiError> {
        todo!()
    }

    /// Adds a name or address that the certificate shall cover from now on, remembers it and re-issues.
    ///
    /// # Errors
    /// [`PkiError`] when it is no name or address, or the certificate was brought by the administrator.
    pub fn add_name(&self, name: &str) -> Result<(), PkiError> {
        let _ = name;
        todo!()
    }
}
