//! Content digests: `sha256:<64 hex>` and `sha512:<128 hex>` (image-spec, descriptor.md, "Digests").

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::digest::common::hazmat::SerializableState;
use sha2::{Digest as _, Sha256, Sha512};

/// A registered digest algorithm (image-spec, descriptor.md, "Registered algorithms").
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Algorithm {
    /// SHA-256, 32 bytes.
    Sha256,
    /// SHA-512, 64 bytes.
    Sha512,
}

impl Algorithm {
    /// The name as it stands before the colon.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sha256 => "sha256",
            Self::Sha512 => "sha512",
        }
    }

    /// Length of the digest in bytes.
    pub const fn size(self) -> usize {
        match self {
            Self::Sha256 => 32,
            Self::Sha512 => 64,
        }
    }

    /// The byte that stands for this algorithm in stored keys; it sorts sha256 before sha512 and never changes.
    const fn key_byte(self) -> u8 {
        match self {
            Self::Sha256 => 1,
            Self::Sha512 => 2,
        }
    }
}

impl FromStr for Algorithm {
    type Err = DigestError;

    fn from_str(name: &str) -> Result<Self, DigestError> {
        match name {
            "sha256" => Ok(Self::Sha256),
            "sha512" => Ok(Self::Sha512),
            _ => Err(DigestError::Algorithm),
        }
    }
}

/// Why a text is not a digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DigestError {
    /// No `algorithm:hex` form.
    #[error("a digest has the form sha256:<64 lower-case hex digits> or sha512:<128>")]
    Form,
    /// An algorithm that this registry does not know.
    #[error("the digest algorithm is not known here; use sha256 or sha512")]
    Algorithm,
    /// A known algorithm with another number of digits, or characters that are not lower-case hex.
    #[error("the digest has not the right number of lower-case hex digits for its algorithm")]
    Hex,
}

/// A content digest, checked: a known algorithm and exactly as many bytes as it has.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest {
    algorithm: Algorithm,
    // Only the first `algorithm.size()` bytes count; the rest are zero so that the derived Eq and Ord hold.
    bytes: [u8; 64],
}

impl Digest {
    /// Parses `algorithm:hex`.
    ///
    /// # Errors
    /// [`DigestError`] when the text is not exactly a registered algorithm, a colon and that algorithm's number of
    /// lower-case hex digits.
    pub fn parse(text: &str) -> Result<Self, DigestError> {
        let (algorithm, digits) = text.split_once(':').ok_or(DigestError::Form)?;
        let algorithm: Algorithm = algorithm.parse()?;
        if digits.len() != algorithm.size() * 2 || digits.bytes().any(|b| b.is_ascii_uppercase()) {
            return Err(DigestError::Hex);
        }
        let mut bytes = [0; 64];
        hex::decode_to_slice(digits, &mut bytes[..algorithm.size()]).map_err(|_| DigestError::Hex)?;
        Ok(Self { algorithm, bytes })
    }

    /// The digest of these bytes.
    pub fn of(algorithm: Algorithm, content: &[u8]) -> Self {
        let mut hasher = Hasher::new(algorithm);
        hasher.update(content);
        hasher.finish()
    }

    fn from_raw(algorithm: Algorithm, raw: &[u8]) -> Self {
        let mut bytes = [0; 64];
        bytes[..algorithm.size()].copy_from_slice(raw);
        Self { algorithm, bytes }
    }

    /// The algorithm.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The raw digest: 32 or 64 bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes[..self.algorithm.size()]
    }

    /// The lower-case hex digits after the colon.
    pub fn hex(&self) -> String {
        hex::encode(self.bytes())
    }

    /// The stored form: one algorithm byte, then the raw digest (33 or 65 bytes).
    pub fn to_key(&self) -> Vec<u8> {
        let mut key = Vec::with_capacity(1 + self.algorithm.size());
        key.push(self.algorithm.key_byte());
        key.extend_from_slice(self.bytes());
        key
    }

    /// Reads a stored digest from the front of `key` and returns it with what follows.
    pub fn split_key(key: &[u8]) -> Option<(Self, &[u8])> {
        let (&byte, rest) = key.split_first()?;
        let algorithm = match byte {
            1 => Algorithm::Sha256,
            2 => Algorithm::Sha512,
            _ => return None,
        };
        let (raw, rest) = rest.split_at_checked(algorithm.size())?;
        Some((Self::from_raw(algorithm, raw), rest))
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Every answer has digests in its head: written without an allocation.
        let mut digits = [0; 128];
        let digits = &mut digits[..self.algorithm.size() * 2];
        hex::encode_to_slice(self.bytes(), digits).map_err(|_| fmt::Error)?;
        f.write_str(self.algorithm.name())?;
        f.write_str(":")?;
        f.write_str(std::str::from_utf8(digits).map_err(|_| fmt::Error)?)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Digest {
    type Err = DigestError;

    fn from_str(text: &str) -> Result<Self, DigestError> {
        Self::parse(text)
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

/// A digest being computed; its state can be stored and taken up again after a restart.
#[derive(Clone)]
pub enum Hasher {
    /// SHA-256.
    Sha256(Sha256),
    /// SHA-512.
    Sha512(Sha512),
}

impl Hasher {
    /// A hasher that has seen nothing yet.
    pub fn new(algorithm: Algorithm) -> Self {
        match algorithm {
            Algorithm::Sha256 => Self::Sha256(Sha256::new()),
            Algorithm::Sha512 => Self::Sha512(Sha512::new()),
        }
    }

    /// The algorithm.
    pub fn algorithm(&self) -> Algorithm {
        match self {
            Self::Sha256(_) => Algorithm::Sha256,
            Self::Sha512(_) => Algorithm::Sha512,
        }
    }

    /// Takes in the next bytes.
    pub fn update(&mut self, content: &[u8]) {
        match self {
            Self::Sha256(h) => h.update(content),
            Self::Sha512(h) => h.update(content),
        }
    }

    /// The digest of all that was taken in.
    pub fn finish(self) -> Digest {
        match self {
            Self::Sha256(h) => Digest::from_raw(Algorithm::Sha256, &h.finalize()),
            Self::Sha512(h) => Digest::from_raw(Algorithm::Sha512, &h.finalize()),
        }
    }

    /// The inner state (104 bytes for SHA-256), to be handed to [`Hasher::resume`].
    pub fn state(&self) -> Vec<u8> {
        match self {
            Self::Sha256(h) => h.serialize().to_vec(),
            Self::Sha512(h) => h.serialize().to_vec(),
        }
    }

    /// Goes on from a stored state; `None` when the state is not one of this algorithm.
    pub fn resume(algorithm: Algorithm, state: &[u8]) -> Option<Self> {
        match algorithm {
            Algorithm::Sha256 => Sha256::deserialize(state.try_into().ok()?).ok().map(Self::Sha256),
            Algorithm::Sha512 => Sha512::deserialize(state.try_into().ok()?).ok().map(Self::Sha512),
        }
    }
}

impl fmt::Debug for Hasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Hasher({})", self.algorithm().name())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn any_digest() -> impl Strategy<Value = Digest> {
        "sha256:[a-f0-9]{64}|sha512:[a-f0-9]{128}".prop_map(|text| Digest::parse(&text).unwrap())
    }

    /// The examples of FIPS 180-4 for an empty message.
    #[test]
    fn of_nothing() {
        let sha256 = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(Digest::of(Algorithm::Sha256, b"").to_string(), sha256);
        assert!(Digest::of(Algorithm::Sha512, b"").to_string().starts_with("sha512:cf83e1357eefb8bdf1542850d66d8007"));
    }

    #[test]
    fn digests_outside_the_grammar_are_refused() {
        let hex = "a".repeat(64);
        for text in ["", "sha256", &hex, &format!("sha256{hex}")] {
            assert_eq!(Digest::parse(text), Err(DigestError::Form), "{text}");
        }
        for text in [format!(":{hex}"), format!("SHA256:{hex}"), format!("md5:{hex}"), format!("sha256+b64:{hex}")] {
            assert_eq!(Digest::parse(&text), Err(DigestError::Algorithm), "{text}");
        }
        for digits in [
            String::new(),
            "A".repeat(64),
            "a".repeat(63),
            "a".repeat(65),
            "a".repeat(128),
            "g".repeat(64),
            "é".repeat(32),
            format!("{}/..", "a".repeat(61)),
            format!(" {}", "a".repeat(63)),
            "baddigeststring".to_owned(),
        ] {
            assert_eq!(Digest::parse(&format!("sha256:{digits}")), Err(DigestError::Hex), "{digits}");
        }
        assert_eq!(Digest::parse(&format!("sha512:{hex}")), Err(DigestError::Hex));
    }

    proptest! {
        #[test]
        fn texts_and_keys_round_trip(digest in any_digest(), rest: Vec<u8>) {
            prop_assert_eq!(Digest::parse(&digest.to_string()).unwrap(), digest);
            prop_assert_eq!(serde_json::from_str::<Digest>(&serde_json::to_string(&digest).unwrap()).unwrap(), digest);
            let mut key = digest.to_key();
            prop_assert_eq!(key.len(), 1 + digest.algorithm().size());
            key.extend_from_slice(&rest);
            prop_assert_eq!(Digest::split_key(&key), Some((digest, rest.as_slice())));
        }

        #[test]
        fn keys_sort_as_digests_do(a in any_digest(), b in any_digest()) {
            prop_assert_eq!(a.to_key().cmp(&b.to_key()), a.cmp(&b));
            prop_assert_eq!(a.to_key() == b.to_key(), a == b);
        }

        #[test]
        fn a_cut_key_is_none(digest in any_digest(), cut in 0..33usize) {
            let key = digest.to_key();
            prop_assert_eq!(Digest::split_key(&key[..cut]), None);
        }

        #[test]
        fn hashing_in_pieces_with_a_restart_gives_the_same(content: Vec<u8>, at: prop::sample::Index, long: bool) {
            let algorithm = if long { Algorithm::Sha512 } else { Algorithm::Sha256 };
            let (head, tail) = content.split_at(at.index(content.len() + 1));
            let mut first = Hasher::new(algorithm);
            first.update(head);
            let mut second = Hasher::resume(algorithm, &first.state()).unwrap();
            second.update(tail);
            prop_assert_eq!(second.finish(), Digest::of(algorithm, &content));
        }

        #[test]
        fn no_text_panics(text in "(sha(256|512):)?\\PC{0,130}") {
            if let Ok(digest) = Digest::parse(&text) {
                prop_assert_eq!(digest.to_string(), text);
            }
        }
    }

    #[test]
    fn a_foreign_state_is_none() {
        assert!(Hasher::resume(Algorithm::Sha256, b"").is_none());
        assert!(Hasher::resume(Algorithm::Sha256, &Hasher::new(Algorithm::Sha512).state()).is_none());
    }
}
