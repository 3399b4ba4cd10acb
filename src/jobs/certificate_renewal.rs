//! Looks at the machine's addresses and the certificate's age and issues it anew when it must.

use super::JobError;
use crate::pki::{Pki, Reissue};

pub(super) async fn run(pki: &Pki) -> Result<(), JobError> {
    let pki_for_files = pki.clone();
    // Writes and syncs files: not on an async thread.
    let refreshed = tokio::task::spawn_blocking(move || pki_for_files.refresh()).await.map_err(JobError::new)?;
    match refreshed.map_err(JobError::new)? {
        None => {}
        Some(why) => {
            let facts = pki.leaf_facts();
            let why = match why {
                Reissue::Names => "its names or this machine's addresses changed",
                Reissue::Age => "less than a third of its life was left",
            };
            tracing::info!(fingerprint = %facts.fingerprint, until = %facts.not_after, "the certificate was issued anew: {why}");
        }
    }
    Ok(())
}
