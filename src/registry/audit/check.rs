//! The registry verifies its own record, as `msr-lite audit verify` does, and remembers what it found for the pages.

use serde::{Deserialize, Serialize};

use super::export::Wanted;
use super::verify::{Report, Verifier};
use crate::base::Timestamp;
use crate::meta::{Read as _, record, tables};
use crate::registry::{Registry, RegistryError};

/// The row of [`tables::META`] with what was found last.
const FOUND: &[u8] = b"audit_verified";

/// What the last verification found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verified {
    /// When it ended.
    pub time: Timestamp,
    /// Chains that there were.
    pub chains: u64,
    /// Those of them that are whole.
    pub whole: u64,
    /// Events that were looked at.
    pub events: u64,
    /// Whether nothing at all was wrong.
    pub all_well: bool,
}

impl Registry {
    /// Goes through the whole record, a page at a time.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn verify_events(&self) -> Result<Report, RegistryError> {
        let (mut verifier, mut mark) = (Verifier::new(), None);
        loop {
            let page = self.export_events(&Wanted::default(), mark).await?;
            mark = page.next;
            let more = mark.is_some();
            verifier = tokio::task::spawn_blocking(move || {
                for line in &page.lines {
                    verifier.line(line);
                }
                verifier
            })
            .await
            .map_err(|error| RegistryError::Store(crate::meta::MetaError::Storage(error.to_string())))?;
            if !more {
                break;
            }
        }
        let report = verifier.finish();
        let found = Verified {
            time: self.clock().now(),
            chains: report.chains.len() as u64,
            whole: report.whole_chains() as u64,
            events: report.events(),
            all_well: report.is_whole(),
        };
        let written = self.meta().write(move |tx| {
            tx.put(tables::META, FOUND, record::encode(&found));
            Ok::<_, RegistryError>(())
        });
        written.await?;
        Ok(report)
    }

    /// What the last verification found; `None` before the first.
    ///
    /// # Errors
    /// When the store fails.
    pub fn verified(&self) -> Result<Option<Verified>, RegistryError> {
        self.meta().read(|tx| {
            let found = tx.get(tables::META, FOUND)?;
            Ok(found.map(|value| record::decode(tables::META, &value)).transpose()?)
        })
    }
}
