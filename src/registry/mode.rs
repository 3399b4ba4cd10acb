//! Read-only mode: the registry's content stays as it is. Pulls go on, and so do sign-ins, accounts and collection;
//! pushes and deletions are refused at their first request, with a sentence.

use super::{Actor, Registry, RegistryError};
use crate::base::EventId;
pub use crate::meta::mode::ReadOnly;
use crate::meta::{event, mode};
use crate::model::Event;
use crate::model::event::Happening;

/// The most bytes of a reason.
pub const MAX_REASON: usize = 256;

impl Registry {
    /// Whether the registry is read-only, since when, by whom and why.
    ///
    /// # Errors
    /// When the store fails.
    pub fn read_only(&self) -> Result<Option<ReadOnly>, RegistryError> {
        Ok(self.meta().read(mode::read_only)?)
    }

    /// Makes the registry read-only with this reason (which may be empty), or (`None`) ends that. Tells whether it
    /// changed.
    ///
    /// # Errors
    /// [`RegistryError::TextTooLong`], or the store's fault.
    pub async fn set_read_only(&self, actor: &Actor, reason: Option<String>) -> Result<bool, RegistryError> {
        if let Some(found) = reason.as_ref().map(String::len).filter(|found| *found > MAX_REASON) {
            return Err(RegistryError::TextTooLong { field: "the reason", limit: MAX_REASON, found, unit: "bytes" });
        }
        let (now, actor) = (self.clock().now(), actor.clone());
        let id = EventId::at(now);
        let wanted = reason.map(|reason| ReadOnly { since: now, by: actor.principal.name().to_owned(), reason });
        let changed = self.meta().write(move |tx| {
            let before = mode::read_only(tx)?;
            let same = match (&before, &wanted) {
                (None, None) => true,
                (Some(before), Some(wanted)) => before.reason == wanted.reason,
                _ => false,
            };
            if same {
                return Ok::<_, RegistryError>(false);
            }
            mode::set_read_only(tx, wanted.as_ref());
            let value = match &wanted {
                None => "off".to_owned(),
                Some(ReadOnly { reason, .. }) if reason.is_empty() => "on".to_owned(),
                Some(ReadOnly { reason, .. }) => format!("on ({reason})"),
            };
            let what = Happening::SettingsChanged { setting: "read-only mode".to_owned(), value };
            event::append(tx, None, &[Event::by(&actor, id, now, what)])?;
            Ok(true)
        });
        Ok(changed.await?)
    }
}
