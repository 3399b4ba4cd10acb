//! The sidecar: what of an upload session survives a restart.
//!
//! One line with format, and the SHA-256 of what follows, then JSON. The checksum tells a torn or damaged sidecar from
//! a whole one; it is needed because the words of a stored hash state carry no redundancy of their own.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::{Deserialize, Serialize};

use crate::base::{FileId, Timestamp};
use crate::oci::{Algorithm, Digest, Hasher, RepoName};

/// Names the format; a sidecar that begins otherwise is unreadable.
const FORMAT: &str = "msr-lite upload 1";

/// Who made the stored hash states. They are stable within one minor version of the crate only: states of another one
/// are left alone and the file is hashed again.
const STATES: &str = "sha2 0.11";

/// One session as it is stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Sidecar {
    /// The repository it uploads to.
    pub(super) repo: RepoName,
    /// Who began it.
    pub(super) owner: String,
    /// The file that it owns, made or not.
    pub(super) file: FileId,
    /// The name of the algorithm that the content is hashed with.
    algorithm: String,
    /// Whether a client can come back to it; if not, a restart ends it.
    pub(super) durable: bool,
    /// What of its content is kept.
    kept: Kept,
    /// When it began; for people who look into the file.
    pub(super) started: Timestamp,
    /// When it last received something, or stood still; for people too (expiry counts from the restart).
    pub(super) active: Timestamp,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kept {
    /// All of it: base64.
    Inline { bytes: String },
    /// The first `offset` bytes of the file, which were synced before this was written.
    File { offset: u64, states: String, state: String },
}

/// What of a session's content is kept, as types.
pub(super) enum Stored {
    /// These bytes, no file.
    Inline(Vec<u8>),
    /// The first `offset` bytes of the file; `hasher` has seen them, `None` when its state is not one of ours.
    File {
        /// Bytes that count.
        offset: u64,
        /// Their hasher.
        hasher: Option<Box<Hasher>>,
    },
}

/// What a session is, whatever it has received.
pub(super) struct Heading<'a> {
    pub(super) repo: RepoName,
    pub(super) owner: &'a str,
    pub(super) file: FileId,
    pub(super) algorithm: Algorithm,
    pub(super) durable: bool,
    pub(super) started: Timestamp,
    pub(super) active: Timestamp,
}

impl Sidecar {
    fn new(heading: &Heading<'_>, kept: Kept) -> Self {
        Self {
            repo: heading.repo.clone(),
            owner: heading.owner.to_owned(),
            file: heading.file,
            algorithm: heading.algorithm.name().to_owned(),
            durable: heading.durable,
            kept,
            started: heading.started,
            active: heading.active,
        }
    }

    /// The sidecar of a session whose bytes are all at hand.
    pub(super) fn inline(heading: &Heading<'_>, bytes: &[u8]) -> Self {
        Self::new(heading, Kept::Inline { bytes: BASE64.encode(bytes) })
    }

    /// The sidecar of a session whose first `offset` bytes are in its file and synced. Without a hasher, its state
    /// is left out and the file is hashed again after a restart.
    pub(super) fn file(heading: &Heading<'_>, offset: u64, hasher: Option<&Hasher>) -> Self {
        let state = hasher.map(|h| hex::encode(h.state())).unwrap_or_default();
        Self::new(heading, Kept::File { offset, states: STATES.to_owned(), state })
    }

    /// The algorithm; `None` when it is not one of ours.
    pub(super) fn algorithm(&self) -> Option<Algorithm> {
        self.algorithm.parse().ok()
    }

    /// The content; `None` when it is damaged.
    pub(super) fn stored(&self) -> Option<Stored> {
        match &self.kept {
            Kept::Inline { bytes } => BASE64.decode(bytes).ok().map(Stored::Inline),
            Kept::File { offset, states, state } => {
                let hasher =
                    (states == STATES).then(|| Hasher::resume(self.algorithm()?, &hex::decode(state).ok()?)).flatten();
                Some(Stored::File { offset: *offset, hasher: hasher.map(Box::new) })
            }
        }
    }

    /// The stored form.
    pub(super) fn encode(&self) -> Vec<u8> {
        let json = serde_json::to_vec(self).expect("strings, numbers and ids have a JSON form");
        let mut content = format!("{FORMAT} {}\n", checksum(&json)).into_bytes();
        content.extend_from_slice(&json);
        content
    }

    /// Reads the stored form; `None` when it is not one, or not whole.
    pub(super) fn decode(content: &[u8]) -> Option<Self> {
        let end = content.iter().position(|&b| b == b'\n')?;
        let (line, json) = (std::str::from_utf8(&content[..end]).ok()?, &content[end + 1..]);
        let stated = line.strip_prefix(FORMAT)?.strip_prefix(' ')?;
        (stated == checksum(json)).then(|| serde_json::from_slice(json).ok()).flatten()
    }
}

fn checksum(json: &[u8]) -> String {
    Digest::of(Algorithm::Sha256, json).hex()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heading() -> Heading<'static> {
        Heading {
            repo: RepoName::parse("lab/repo").unwrap(),
            owner: "alice",
            file: FileId([9; 16]),
            algorithm: Algorithm::Sha512,
            durable: true,
            started: Timestamp(1_000),
            active: Timestamp(2_000),
        }
    }

    #[test]
    fn comes_back_as_it_was() {
        let sidecar = Sidecar::inline(&heading(), b"some bytes");
        let back = Sidecar::decode(&sidecar.encode()).unwrap();
        assert_eq!(back, sidecar);
        assert!(matches!(back.stored(), Some(Stored::Inline(bytes)) if bytes == b"some bytes"));
        assert_eq!(back.algorithm(), Some(Algorithm::Sha512));
    }

    #[test]
    fn a_hasher_goes_on_where_it_stood() {
        let mut hasher = Hasher::new(Algorithm::Sha512);
        hasher.update(b"first ");
        let back = Sidecar::decode(&Sidecar::file(&heading(), 6, Some(&hasher)).encode()).unwrap();
        let Some(Stored::File { offset: 6, hasher: Some(mut hasher) }) = back.stored() else { panic!("no hasher") };
        hasher.update(b"second");
        assert_eq!(hasher.finish(), Digest::of(Algorithm::Sha512, b"first second"));
    }

    #[test]
    fn a_foreign_hash_state_is_left_alone() {
        let mut sidecar = Sidecar::file(&heading(), 6, Some(&Hasher::new(Algorithm::Sha512)));
        let Kept::File { states, .. } = &mut sidecar.kept else { unreachable!() };
        *states = "sha2 0.99".to_owned();
        assert!(matches!(sidecar.stored(), Some(Stored::File { offset: 6, hasher: None })));
        assert!(matches!(Sidecar::file(&heading(), 6, None).stored(), Some(Stored::File { hasher: None, .. })));
    }

    #[test]
    fn damage_anywhere_is_noticed() {
        let whole = Sidecar::inline(&heading(), b"some bytes").encode();
        for at in 0..whole.len() {
            assert_eq!(Sidecar::decode(&whole[..at]), None, "torn at byte {at}");
            let mut flipped = whole.clone();
            flipped[at] ^= 1;
            assert_eq!(Sidecar::decode(&flipped), None, "flipped at byte {at}");
        }
    }
}
