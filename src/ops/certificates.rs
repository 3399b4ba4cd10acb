//! Showing and changing the certificates: what the command line asks, over the administration socket or by itself when
//! no server runs, and what the pages show.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::base::Timestamp;
use crate::pki::{CertificateFacts, Pki, PkiError, SubjectName};

/// A command with the bytes of its files: what goes over the socket. It may hold a key: not for logs, hence no
/// `Debug`.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CertRequest {
    /// `cert show`
    Show,
    /// `cert add`
    Add(String),
    /// `cert renew`
    Renew,
    /// `cert revert`
    Revert,
    /// `cert import`, all in PEM
    Import {
        /// The chain.
        cert: String,
        /// The key, if not that of the pending request.
        key: Option<String>,
        /// The root.
        ca: Option<String>,
    },
    /// `cert csr`
    Csr,
}

/// What is asked of the authority.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CaRequest {
    /// `ca show`
    Show,
    /// `ca export`
    Export,
    /// `ca renew`
    Renew,
}

/// What a command has to say; `Display` is for people, the serialized form for `--json` and the socket.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", untagged)]
pub enum CertReply {
    /// The certificate in use.
    Certificate(CertificateReport),
    /// Something was changed.
    Done {
        /// What, in one line.
        done: String,
        /// What some clients may dislike.
        notes: Vec<String>,
        /// The certificate in use now.
        certificate: CertificateReport,
    },
    /// Text for another program.
    Text(String),
}

impl fmt::Display for CertReply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Certificate(report) => report.fmt(f),
            Self::Done { done, notes, certificate } => {
                writeln!(f, "{done}")?;
                notes.iter().try_for_each(|note| writeln!(f, "note: {note}"))?;
                certificate.fmt(f)
            }
            Self::Text(text) => f.write_str(text),
        }
    }
}

/// A certificate as `cert show` and `ca show` tell of it.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CertificateReport {
    /// Subject as one line.
    pub subject: String,
    /// Issuer as one line.
    pub issuer: String,
    /// Serial number, hex.
    pub serial: String,
    /// SHA-256 of the certificate as browsers show it.
    pub fingerprint: String,
    /// SHA-256 of the PEM file, for `sha256sum`; for the authority's only.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub file_sha256: Option<String>,
    /// RFC 3339.
    pub not_before: String,
    /// RFC 3339.
    pub not_after: String,
    /// Whole days until then; negative when it has ended.
    pub days_left: i64,
    /// The names and addresses that it covers.
    pub names: Vec<String>,
    /// Whether an administrator brought it.
    pub imported: bool,
    /// What should be seen to.
    pub warnings: Vec<String>,
}

impl CertificateReport {
    fn of(facts: CertificateFacts, pki: &Pki, now: Timestamp) -> Self {
        Self {
            days_left: facts.days_left(now),
            not_before: facts.not_before.to_string(),
            not_after: facts.not_after.to_string(),
            names: facts.names.iter().map(SubjectName::to_string).collect(),
            subject: facts.subject,
            issuer: facts.issuer,
            serial: facts.serial,
            fingerprint: facts.fingerprint,
            file_sha256: None,
            imported: pki.is_imported(),
            warnings: pki.warnings(),
        }
    }
}

impl fmt::Display for CertificateReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let origin = if self.imported { " (imported)" } else { "" };
        writeln!(f, "subject      {}{origin}", self.subject)?;
        writeln!(f, "issuer       {}", self.issuer)?;
        writeln!(f, "serial       {}", self.serial)?;
        writeln!(f, "valid        {} to {} ({} days left)", self.not_before, self.not_after, self.days_left)?;
        if !self.names.is_empty() {
            writeln!(f, "names        {}", self.names.join(", "))?;
        }
        writeln!(f, "fingerprint  {}", self.fingerprint)?;
        if let Some(sha256) = &self.file_sha256 {
            writeln!(f, "sha256sum    {sha256}  ca.crt")?;
        }
        self.warnings.iter().try_for_each(|warning| writeln!(f, "warning: {warning}"))
    }
}

/// Carries a request out.
///
/// # Errors
/// [`PkiError`] in words; then nothing has changed.
pub fn perform(pki: &Pki, request: CertRequest) -> Result<CertReply, PkiError> {
    let report = || CertificateReport::of(pki.leaf_facts(), pki, pki.now());
    let (done, notes) = match request {
        CertRequest::Show => return Ok(CertReply::Certificate(report())),
        CertRequest::Csr => return Ok(CertReply::Text(pki.csr()?)),
        CertRequest::Add(name) => {
            pki.add_name(&name)?;
            (format!("The certificate covers {name} now; clients that trust the authority need nothing new."), vec![])
        }
        CertRequest::Renew => {
            pki.renew()?;
            ("A new certificate is in use.".into(), vec![])
        }
        CertRequest::Revert => {
            pki.revert()?;
            ("A certificate of our own authority is in use.".into(), vec![])
        }
        CertRequest::Import { cert, key, ca } => {
            let notes = pki.import(&cert, key.as_deref(), ca.as_deref())?;
            ("The imported certificate is in use; it is never renewed from here.".into(), notes)
        }
    };
    Ok(CertReply::Done { done, notes, certificate: report() })
}

/// Carries a request out.
///
/// # Errors
/// [`PkiError`] in words; then nothing has changed.
pub fn perform_ca(pki: &Pki, request: CaRequest) -> Result<CertReply, PkiError> {
    let report = || {
        let report = CertificateReport::of(pki.ca_facts(), pki, pki.now());
        CertificateReport { file_sha256: Some(pki.ca_pem_sha256()), ..report }
    };
    match request {
        CaRequest::Show => Ok(CertReply::Certificate(report())),
        CaRequest::Export => Ok(CertReply::Text(pki.ca_pem().to_string())),
        CaRequest::Renew => {
            pki.renew_authority()?;
            let done = "The authority has a new certificate with the same key. Clients that trust the old one go on \
                        until that ends; ca.crt and its fingerprints are new."
                .into();
            Ok(CertReply::Done { done, notes: Vec::new(), certificate: report() })
        }
    }
}
