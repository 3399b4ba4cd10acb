//! `msr-lite cert`: the server's certificate.
//!
//! A command is read here (files included) and carried out over a [`Pki`] by `ops::certificates`:
//! by the running server, which is sent the request over its socket, or by this process when no server runs.

use std::fmt;
use std::path::{Path, PathBuf};

use clap::Subcommand;
use serde::Serialize;

use super::{CliError, Context, Exit};
use crate::base::Clock;
use crate::ops::certificates::{CertRequest, perform};
use crate::pki::{Pki, PkiError};
use crate::serve::admin::{AdminAnswer, AdminRequest, Way};

/// The verbs of `msr-lite cert`.
#[derive(Debug, Subcommand)]
pub enum CertCommand {
    /// Show names, term and fingerprint
    Show,
    /// Cover a further name or address, such as a NAT or floating address
    #[command(after_help = "\
The running server uses the new certificate at once; no connection is dropped, and clients that trust the authority \
need nothing new.

Examples:
  msr-lite cert add 192.0.2.10
  msr-lite cert add images.lab")]
    Add {
        /// A DNS name (also *.name) or an IP address
        name: String,
    },
    /// Issue a new certificate with a new key now
    Renew,
    /// Give up an imported certificate and use our own authority again
    Revert,
    /// Use a certificate of another authority
    #[command(after_help = "\
It is checked before it is used: key, chain, names, term, usages. `msr-lite cert revert` goes back to our own \
authority.

Examples:
  msr-lite cert import --cert chain.pem --key key.pem
  msr-lite cert import --cert chain.pem --ca root.pem      # answers the last `cert csr`")]
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
    #[command(after_help = "\
Example:
  msr-lite cert csr > registry.csr       # have it signed, then:
  msr-lite cert import --cert chain.pem --ca root.pem")]
    Csr,
}

/// Reads a command's files.
fn read(command: &CertCommand) -> Result<CertRequest, PkiError> {
    Ok(match command {
        CertCommand::Show => CertRequest::Show,
        CertCommand::Add { name } => CertRequest::Add(name.clone()),
        CertCommand::Renew => CertRequest::Renew,
        CertCommand::Revert => CertRequest::Revert,
        CertCommand::Import { cert, key, ca } => CertRequest::Import {
            cert: read_file(cert)?,
            key: key.as_deref().map(read_file).transpose()?,
            ca: ca.as_deref().map(read_file).transpose()?,
        },
        CertCommand::Csr => CertRequest::Csr,
    })
}

pub(super) fn read_file(path: &Path) -> Result<String, PkiError> {
    std::fs::read_to_string(path)
        .map_err(|error| PkiError::File { path: path.display().to_string(), error: error.to_string() })
}

/// Runs the verb.
///
/// # Errors
/// When neither server nor data directory can be reached, or it cannot be done; then nothing has changed.
pub fn run(context: &Context, command: &CertCommand) -> Result<Exit, CliError> {
    let request = AdminRequest::Cert(read(command).map_err(CliError::failed)?);
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
    use crate::base::Timestamp;
    use crate::ops::certificates::{CertReply, CertificateReport};
    use crate::pki::NameSettings;

    #[test]
    fn commands_change_and_tell() {
        let data = tempfile::tempdir().unwrap();
        let settings = NameSettings { fqdn: Some("registry.lab".into()), ..NameSettings::default() };
        let pki = Pki::open(data.path(), settings, Clock::manual(Timestamp(1_798_761_600_000))).unwrap();
        let run = |command: CertCommand, json| perform(&pki, read(&command)?).map(|reply| print(&reply, json));
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
