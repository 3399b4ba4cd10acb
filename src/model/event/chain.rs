//! Chains of events: each event names the hash of the one before it, so that none can be changed, left out or moved
//! without a trace. There is a chain for each repository, and one for what belongs to none.
//!
//! The canonical form of an event is the JSON text that is stored, byte for byte; its hash is the SHA-256 of that text.
//! An export writes the same text as a line, so that `sha256sum` of a line gives what the next line names.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Event;
use crate::base::{RepoId, Timestamp};
use crate::oci::{Algorithm, Digest};

/// Which chain: a repository's, or the registry's own for what belongs to none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Chain(pub Option<RepoId>);

impl Chain {
    /// The chain of what belongs to no repository.
    pub const REGISTRY: Self = Self(None);
    /// How it is written.
    const WORD: &'static str = "registry";

    /// Reads what its `Display` writes.
    pub fn parse(text: &str) -> Option<Self> {
        if text == Self::WORD {
            return Some(Self::REGISTRY);
        }
        let fits = text.len() == 16 && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        fits.then(|| u64::from_str_radix(text, 16).ok().map(|id| Self(Some(RepoId(id)))))?
    }

    /// The number that stands for it in keys: the repository's id, which is random and never 0 in practice.
    pub const fn number(self) -> u64 {
        match self.0 {
            Some(RepoId(id)) => id,
            None => 0,
        }
    }

    /// The chain that a number stands for.
    pub const fn of_number(number: u64) -> Self {
        Self(if number == 0 { None } else { Some(RepoId(number)) })
    }
}

/// `registry`, or the repository's id in 16 hex digits.
impl fmt::Display for Chain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            None => f.write_str(Self::WORD),
            Some(RepoId(id)) => write!(f, "{id:016x}"),
        }
    }
}

impl Serialize for Chain {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Chain {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| serde::de::Error::custom("no chain: `registry` or 16 hex digits"))
    }
}

/// An event in its chain, as stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recorded {
    /// Its chain.
    pub chain: Chain,
    /// Its number there; the first is 1, and none is left out.
    pub seq: u64,
    /// The hash of the one before it; the first has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<Digest>,
    /// What happened.
    pub event: Event,
}

/// The hash of an event, from its canonical text.
pub fn hash(text: &[u8]) -> Digest {
    Digest::of(Algorithm::Sha256, text)
}

/// Where a chain ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// The number of its last event.
    pub seq: u64,
    /// That event's hash.
    pub hash: Digest,
}

/// Where a chain begins when older events were removed, signed with the registry's audit key when it was made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// The number of the last event that was removed.
    pub seq: u64,
    /// That event's hash, which the next one names.
    pub hash: Digest,
    /// When it was removed.
    pub time: Timestamp,
    /// How many events of this chain were removed in all.
    pub removed: u64,
    /// Over [`Checkpoint::text`]: ECDSA on P-256 with SHA-256, DER in base64.
    pub signature: String,
}

impl Checkpoint {
    /// What is signed.
    pub fn text(&self, registry: &str, chain: Chain) -> String {
        let Self { seq, hash, time, removed, .. } = self;
        format!(
            "msr-lite audit checkpoint\nregistry {registry}\nchain {chain}\nup to {seq}\nhash {hash}\ntime {}\nremoved \
             {removed}\n",
            time.0
        )
    }
}

impl Head {
    /// What is signed of it in an export that was made at this time.
    pub fn text(&self, registry: &str, chain: Chain, time: Timestamp) -> String {
        let Self { seq, hash } = self;
        format!("msr-lite audit head\nregistry {registry}\nchain {chain}\nup to {seq}\nhash {hash}\ntime {}\n", time.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chain_reads_as_it_is_written() {
        for chain in [Chain::REGISTRY, Chain(Some(RepoId(1))), Chain(Some(RepoId(u64::MAX)))] {
            assert_eq!(Chain::parse(&chain.to_string()), Some(chain));
            assert_eq!(Chain::of_number(chain.number()), chain);
            assert_eq!(serde_json::from_str::<Chain>(&serde_json::to_string(&chain).unwrap()).unwrap(), chain);
        }
        for other in ["", "Registry", "1", "+000000000000001", "000000000000000G", "00000000000000AB"] {
            assert_eq!(Chain::parse(other), None, "{other}");
        }
    }
}
