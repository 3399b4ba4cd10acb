//! Clients that refused our certificate: the newest few, for the pages and the command line.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::engine::{MetaError, Read, WriteTx};
use super::key::Key;
use super::record::{decode, encode};
use super::tables::REFUSAL;
use crate::base::Timestamp;

/// One client's refusals of one kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// Who refused.
    pub peer: IpAddr,
    /// The name that it asked for; none when it dialled an address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked: Option<String>,
    /// The TLS alert, in the word of the specification.
    pub alert: String,
    /// When first.
    pub first: Timestamp,
    /// When last.
    pub last: Timestamp,
    /// How often.
    pub count: u64,
}

impl Refusal {
    fn key(&self) -> Key {
        let asked = self.asked.as_deref().unwrap_or_default();
        Key::new().text(&self.peer.to_string()).text(asked).text(&self.alert)
    }
}

/// Stores it, in place of what was known of the same client, name and alert.
pub fn put(tx: &mut WriteTx, refusal: &Refusal) {
    tx.put(REFUSAL, refusal.key().as_bytes(), encode(refusal));
}

/// Forgets it.
pub fn delete(tx: &mut WriteTx, refusal: &Refusal) {
    tx.delete(REFUSAL, refusal.key().as_bytes());
}

/// The newest `limit` of them, the newest first. The table is small (its writer bounds it), so it is read whole.
///
/// # Errors
/// When the store fails or a row does not read.
pub fn list(tx: &impl Read, limit: usize) -> Result<Vec<Refusal>, MetaError> {
    const MOST: usize = 4096;
    let rows = tx.range(REFUSAL, &[], None, MOST)?;
    let mut refusals =
        rows.iter().map(|(_, value)| decode::<Refusal>(REFUSAL, value)).collect::<Result<Vec<_>, _>>()?;
    refusals.sort_by_key(|refusal| std::cmp::Reverse(refusal.last));
    refusals.truncate(limit);
    Ok(refusals)
}
