//! The record of what happened: [`activity`] lists it, [`export`] writes it out, [`verify`] checks it without the
//! registry and [`check`] within it, [`retention`] removes what is old and leaves a signed checkpoint, [`pulls`] adds who pulled what.

pub mod activity;
pub mod check;
pub mod export;
pub mod key;
pub mod pulls;
pub mod retention;
#[cfg(test)]
mod tests;
pub mod verify;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use self::key::AuditKey;
use super::commit::Proposal;
use super::{Actor, Registry, RegistryError};
use crate::access::refusals::{Refusal, Refusals};
use crate::meta::{MetaError, event};
use crate::model::Principal;
use crate::oci::RepoName;

/// For how long events are kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Keep {
    /// For this long; `None`: whatever their age.
    pub time: Option<Duration>,
    /// The newest so many of each chain; `None`: however many.
    pub events: Option<u64>,
}

/// What the registry holds of this.
#[derive(Default)]
pub(super) struct Audit {
    keep: OnceLock<Keep>,
    refusals: OnceLock<Refusals>,
    key: OnceLock<Arc<AuditKey>>,
    pub(super) pulls: pulls::Pulls,
}

impl Registry {
    /// Says for how long events are kept (otherwise for ever) and shares what puts refusals on record. To be called once,
    /// before the first request.
    pub fn set_up_audit(&self, keep: Keep, refusals: Refusals) {
        let _ = (self.0.audit.keep.set(keep), self.0.audit.refusals.set(refusals));
    }

    pub(super) fn keep(&self) -> Keep {
        self.0.audit.keep.get().copied().unwrap_or_default()
    }

    /// What puts refusals on record.
    pub fn refusals(&self) -> &Refusals {
        self.0.audit.refusals.get_or_init(|| Refusals::new(self.meta().clone(), self.clock().clone()))
    }

    /// Puts on record that the admission list refused a change.
    pub(super) fn note_refusal(&self, proposal: &Proposal, error: &RegistryError) {
        let RegistryError::Refused { policy, message, .. } = error else { return };
        // The registry's own work looks again later: nobody was told no.
        if proposal.actor.principal == Principal::System {
            return;
        }
        let actor = proposal.actor.clone();
        self.refusals().note(Refusal {
            actor: actor.principal,
            address: actor.address,
            agent: actor.agent,
            via: actor.via,
            repo: Some(proposal.repo.clone()),
            operation: proposal.change.verb(),
            account: None,
            reason: format!("{message} ({policy})"),
        });
    }

    /// Puts on record that somebody who signed in may not do what was asked.
    pub fn note_denied(&self, actor: Actor, repo: Option<&RepoName>, operation: &'static str, because: &str) {
        let Actor { principal, address, agent, via, .. } = actor;
        let (repo, reason) = (repo.cloned(), because.to_owned());
        self.refusals().note(Refusal { actor: principal, address, agent, via, repo, operation, account: None, reason });
    }

    /// The key that signs checkpoints and exports; made when it is first needed.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn audit_key(&self) -> Result<Arc<AuditKey>, RegistryError> {
        if let Some(key) = self.0.audit.key.get() {
            return Ok(Arc::clone(key));
        }
        let row = if let Some(row) = self.meta().read(event::audit_key)? {
            row
        } else {
            let fresh = AuditKey::generate(self.clock().now());
            let made = self.meta().write(move |tx| {
                // Looked at again inside: somebody else may have come first.
                if let Some(row) = event::audit_key(tx)? {
                    return Ok(row);
                }
                event::put_audit_key(tx, &fresh);
                Ok::<_, RegistryError>(fresh.clone())
            });
            made.await?
        };
        let key = Arc::new(AuditKey::read(&row)?);
        Ok(Arc::clone(self.0.audit.key.get_or_init(|| key)))
    }

    /// The registry's id, which signatures name.
    pub(super) fn instance(&self) -> Result<String, MetaError> {
        self.meta().read(|tx| Ok(crate::meta::account::instance(tx)?.unwrap_or_default()))
    }
}
