//! `msr-lite cert`: the server's certificate.
//!
//! A command is read here ([`CertRequest::read`], files included) and carried out over a [`Pki`] ([`perform`]):
//! by the running server, which is sent the request over its socket, or by this process when no server runs.

use std::fmt;
use std::path::{Path, PathBuf};

use clap::Subcommand;
use serde::{Deserialize, Serialize};

use super::admin::{AdminAnswer, AdminRequest, Way};
use super::{CliError, Context, Exit};
use crate::base::{Clock, Timestamp};
use crate::pki::{CertificateFacts, Pki, PkiError, SubjectName};

/// The verbs of `msr-lite cert`.
#[derive(Debug, Subcommand)]
pub enum CertCommand {
    /// Show names, term and fingerprint
    Show,
    /// Cover a further name or address, such as a NAT or floating address
    Add {
        /// A DNS name (also *.name) or an IP address
        name: String,
    },
    /// Issue a new certificate with a new key now
    Renew,
    /// Give up an imported certificate and use our own authority again
    Revert,
    /// Use a certificate of another authority
    Import {
        /// The chain in PEM, the server's certificate first
        #[arg(long, value_name = "FILE")]
        cert: PathBuf,
        /// Its key in PEM; without it, the key of the last `cert csr`
        #[arg(long, value_name = "FILE")]
        key: Option<PathBuf>,
        /// The root certificate in PEM, when the chain does not end in it
        #[arg(long, value_name = "FILE")]
        ca: Option<PathBuf>,
    },
    /// Print a signing request for another authority; its key stays here
    Csr,
}

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

impl CertRequest {
    /// Reads a command's files.
    ///
    /// # Errors
    /// [`PkiError::File`].
    pub fn read(command: &CertCommand) -> Result<Self, PkiError> {
        Ok(match command {
            CertCommand::Show => Self::Show,
            CertCommand::Add { name } => Self::Add(name.clone()),
            CertCommand::Renew => Self::Renew,
            CertCommand::Revert => Self::Revert,
            CertCommand::Import { cert, key, ca } => Self::Import {
                cert: read_file(cert)?,
                key: key.as_deref().map(read_file).transpose()?,
                ca: ca.as_deref().map(read_file).transpose()?,
            },
            CertCommand::Csr => Self::Csr,
        })
    }
}

pub(super) fn read_file(path: &Path) -> Result<String, PkiError> {
    std::fs::read_to_string(path)
        .map_err(|error| PkiError::File { path: path.display().to_string(), error: error.to_string() })
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
    pub(super) fn of(facts: CertificateFacts, pki: &Pki, now: Timestamp) -> Self {
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

/// Runs the verb.
///
/// # Errors
/// When neither server nor data directory can be reached, or it cannot be done; then nothing has changed.
pub fn run(context: &Context, command: &CertCommand) -> Result<Exit, CliError> {
    let request = AdminRequest::Cert(CertRequest::read(command).map_err(CliError::failed)?);
    let reply = match context.ask(&request)? {
        Some(AdminAnswer::Certificate(reply)) => *reply,
        Some(_) => return Err(CliError::failed("the running server answered something else")),
        None => {
            let AdminRequest::Cert(request) = request else { unreachable!("made above") };
            perform(&offline(context)?, request).map_err(CliError::failed)?
        }
    };
    context.print(&print(&reply, context.json()))?;
    Ok(Exit::Done)
}

/// The certificates of a registry that does not run.
pub(super) fn offline(context: &Context) -> Result<Pki, CliError> {
    let dir = context.existing_data_dir()?;
    context.say(Way::Store);
    let names = crate::serve::name_settings(&context.config()?.config)?;
    Pki::open(&dir, names, Clock::system()).map_err(CliError::failed)
}

/// A reply as text or JSON, ending in a line end.
pub fn print<T: fmt::Display + Serialize>(reply: &T, json: bool) -> String {
    if json {
        serde_json::to_string_pretty(reply).expect("strings and numbers are JSON") + "\n"
    } else {
        reply.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pki::NameSettings;

    #[test]
    fn commands_change_and_tell() {
        let data = tempfile::tempdir().unwrap();
        let settings = NameSettings { fqdn: Some("registry.lab".into()), ..NameSettings::default() };
        let pki = Pki::open(data.path(), settings, Clock::manual(Timestamp(1_798_761_600_000))).unwrap();
        let run =
            |command: CertCommand, json| perform(&pki, CertRequest::read(&command)?).map(|reply| print(&reply, json));
        let shown = run(CertCommand::Show, false).unwrap();
        assert!(shown.contains("subject      CN=registry.lab\n") && shown.contains("(397 days left)"), "{shown}");
        let json: CertificateReport = serde_json::from_str(&run(CertCommand::Show, true).unwrap()).unwrap();
        assert_eq!(json.fingerprint, pki.leaf_facts().fingerprint);
        assert!(
            run(CertCommand::Add { name: "203.0.113.5".into() }, false).unwrap().contains("covers 203.0.113.5 now")
        );
        assert!(pki.covers("203.0.113.5"));
        run(CertCommand::Renew, false).unwrap();
        assert!(run(CertCommand::Csr, false).unwrap().starts_with("-----BEGIN CERTIFICATE REQUEST"));
        let missing = CertCommand::Import { cert: data.path().join("none.pem"), key: None, ca: None };
        assert!(run(missing, false).unwrap_err().to_string().contains("none.pem"));
        let reply = perform(&pki, CertRequest::Revert).unwrap();
        let wire: CertReply = serde_json::from_str(&serde_json::to_string(&reply).unwrap()).unwrap();
        assert_eq!(wire, reply, "survives the socket");
    }
}
