//! `msr-lite ca`: the authority that clients trust. As in `cert`, a request is carried out by the
//! running server or by this process.

use clap::Subcommand;

use super::cert::{self, print};
use super::{CliError, Context, Exit};
use crate::ops::certificates::{CaRequest, perform_ca};
use crate::serve::admin::{AdminAnswer, AdminRequest};

/// The verbs of `msr-lite ca`.
#[derive(Debug, Subcommand)]
pub enum CaCommand {
    /// Show name, term and fingerprints
    Show,
    /// Print the certificate in PEM, as /ca.crt serves it
    #[command(after_help = "\
Example:
  msr-lite ca export > ca.crt      # for clients that cannot fetch http://REGISTRY/ca.crt")]
    Export,
    /// Give our own authority ten more years with the same key; clients go on trusting it
    Renew,
}

impl From<&CaCommand> for CaRequest {
    fn from(command: &CaCommand) -> Self {
        match command {
            CaCommand::Show => Self::Show,
            CaCommand::Export => Self::Export,
            CaCommand::Renew => Self::Renew,
        }
    }
}

/// Runs the verb.
///
/// # Errors
/// When neither server nor data directory can be reached, or it cannot be done; then nothing has changed.
pub fn run(context: &Context, command: &CaCommand) -> Result<Exit, CliError> {
    let request = CaRequest::from(command);
    let reply = match context.ask(&AdminRequest::Ca(request))? {
        Some(AdminAnswer::Certificate(reply)) => *reply,
        Some(_) => return Err(CliError::failed("the running server answered something else")),
        None => perform_ca(&cert::offline(context)?, request).map_err(CliError::failed)?,
    };
    context.print(&print(&reply, context.json()))?;
    Ok(Exit::Done)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{Clock, Timestamp};
    use crate::pki::{NameSettings, Pki};

    #[test]
    fn the_authority_is_shown_exported_and_renewed() {
        let data = tempfile::tempdir().unwrap();
        let settings = NameSettings { fqdn: Some("registry.lab".into()), ..NameSettings::default() };
        let pki = Pki::open(data.path(), settings, Clock::manual(Timestamp(1_798_761_600_000))).unwrap();
        let run = |command: CaCommand| perform_ca(&pki, CaRequest::from(&command)).unwrap().to_string();
        let shown = run(CaCommand::Show);
        assert!(shown.contains(&format!("{}  ca.crt", pki.ca_pem_sha256())), "{shown}");
        assert!(!shown.contains("PRIVATE"));
        assert_eq!(run(CaCommand::Export), *pki.ca_pem());
        let before = pki.ca_facts();
        run(CaCommand::Renew);
        assert_eq!(pki.ca_facts().subject, before.subject);
        assert_ne!(pki.ca_facts().serial, before.serial);
    }
}
