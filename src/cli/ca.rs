//! `msr-lite ca`: the authority that clients trust. As in `cert`, a request is carried out over a [`Pki`] by the
//! running server or by this process.

use clap::{Args, Subcommand};
use serde::{Deserialize, Serialize};

use super::cert::{CertReply, CertificateReport, print};
use crate::pki::{Pki, PkiError};

/// The authority that clients trust
#[derive(Debug, Args)]
pub struct CaArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: CaCommand,
}

/// The verbs of `msr-lite ca`.
#[derive(Debug, Subcommand)]
pub enum CaCommand {
    /// Show name, term and fingerprints
    Show {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Print the certificate in PEM, as /ca.crt serves it
    Export,
    /// Give our own authority ten more years with the same key; clients go on trusting it
    Renew,
}

/// A command as it goes over the socket.
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

impl From<&CaCommand> for CaRequest {
    fn from(command: &CaCommand) -> Self {
        match command {
            CaCommand::Show { .. } => Self::Show,
            CaCommand::Export => Self::Export,
            CaCommand::Renew => Self::Renew,
        }
    }
}

/// Carries a request out.
///
/// # Errors
/// [`PkiError`] in words; then nothing has changed.
pub fn perform(pki: &Pki, request: CaRequest) -> Result<CertReply, PkiError> {
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

/// Carries a command out in this process, for when no server runs. Returns what to print.
///
/// # Errors
/// [`PkiError`] in words.
pub fn run(args: &CaArgs, pki: &Pki) -> Result<String, PkiError> {
    let reply = perform(pki, CaRequest::from(&args.command))?;
    Ok(print(&reply, matches!(args.command, CaCommand::Show { json: true })))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{Clock, Timestamp};
    use crate::pki::NameSettings;

    #[test]
    fn the_authority_is_shown_exported_and_renewed() {
        let data = tempfile::tempdir().unwrap();
        let settings = NameSettings { fqdn: Some("registry.lab".into()), ..NameSettings::default() };
        let pki = Pki::open(data.path(), settings, Clock::manual(Timestamp(1_798_761_600_000))).unwrap();
        let run = |command| run(&CaArgs { command }, &pki).unwrap();
        let shown = run(CaCommand::Show { json: false });
        assert!(shown.contains(&format!("{}  ca.crt", pki.ca_pem_sha256())), "{shown}");
        assert!(!shown.contains("PRIVATE"));
        assert_eq!(run(CaCommand::Export), *pki.ca_pem());
        let before = pki.ca_facts();
        run(CaCommand::Renew);
        assert_eq!(pki.ca_facts().subject, before.subject);
        assert_ne!(pki.ca_facts().serial, before.serial);
    }
}
