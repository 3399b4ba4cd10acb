//! Ids: random, or ordered by time per node; never a global sequence.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::clock::Timestamp;

/// Random bytes from the operating system.
///
/// # Panics
/// When the operating system has no randomness to give; nothing in this program would be safe then.
pub fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the operating system gives randomness");
    bytes
}

macro_rules! id128 {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(pub [u8; 16]);

        impl $name {
            /// A fresh random id.
            pub fn random() -> Self {
                Self(random())
            }

            /// Parses 32 lower-case hex digits; `None` for anything else.
            pub fn parse(text: &str) -> Option<Self> {
                if text.bytes().any(|b| b.is_ascii_uppercase()) {
                    return None;
                }
                let mut bytes = [0; 16];
                hex::decode_to_slice(text, &mut bytes).ok()?;
                Some(Self(bytes))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&hex::encode(self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                Self::parse(&text).ok_or_else(|| serde::de::Error::custom("not 32 hex digits"))
            }
        }
    };
}

id128! {
    /// Names one blob file for ever: never derived from the digest, never used twice, so that no deletion can hit a
    /// file that a later push made (ARCHITECTURE.md, "Garbage collection").
    FileId
}
id128! {
    /// Names an upload session. It is as good as a password for that session, so it is random.
    UploadId
}
id128! {
    /// Names an event; ordered by the time of the node that wrote it.
    EventId
}
id128! {
    /// Names a job; ordered by the time of the node that wrote it.
    JobId
}

/// Six bytes of milliseconds, then ten random bytes: ordered by time, unique without coordination.
fn time_ordered(now: Timestamp) -> [u8; 16] {
    let mut bytes = random::<16>();
    bytes[..6].copy_from_slice(&now.0.to_be_bytes()[2..]);
    bytes
}

impl EventId {
    /// An id that sorts after those of earlier milliseconds.
    pub fn at(now: Timestamp) -> Self {
        Self(time_ordered(now))
    }
}

impl JobId {
    /// An id that sorts after those of earlier milliseconds.
    pub fn at(now: Timestamp) -> Self {
        Self(time_ordered(now))
    }
}

/// Names a repository for its lifetime; a name that is deleted and pushed again gets another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct RepoId(pub u64);

impl RepoId {
    /// A fresh random id.
    pub fn random() -> Self {
        Self(u64::from_be_bytes(random()))
    }
}

/// Names an account or a team for its lifetime: a random UUID (RFC 9562, version 4), in the 36 characters in which
/// clients of MSR's interface expect it.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Uuid(pub [u8; 16]);

impl Uuid {
    /// All zeros (RFC 9562, §5.9): nobody's.
    pub const NIL: Self = Self([0; 16]);

    /// A fresh random one.
    pub fn random() -> Self {
        Self::of_version(random(), 4)
    }

    /// The one that these bytes make (version 8, "custom"): the same bytes, the same id.
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self::of_version(bytes, 8)
    }

    fn of_version(mut bytes: [u8; 16], version: u8) -> Self {
        bytes[6] = bytes[6] & 0x0f | version << 4;
        bytes[8] = bytes[8] & 0x3f | 0x80;
        Self(bytes)
    }

    /// Parses the 36 characters, in either case; `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        let dashed = text.len() == 36 && [8, 13, 18, 23].iter().all(|&at| text.as_bytes()[at] == b'-');
        let digits: String = text.chars().filter(|c| *c != '-').collect();
        let mut bytes = [0; 16];
        (dashed && digits.len() == 32).then(|| hex::decode_to_slice(digits, &mut bytes).ok())??;
        Some(Self(bytes))
    }
}

impl fmt::Display for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = hex::encode(self.0);
        let parts = [&digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..]];
        f.write_str(&parts.join("-"))
    }
}

impl fmt::Debug for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Uuid {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Uuid {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| serde::de::Error::custom("not a UUID"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uuid_reads_as_it_was_written() {
        let id = Uuid::random();
        let text = id.to_string();
        assert_eq!((text.len(), text.as_bytes()[14]), (36, b'4'));
        assert_eq!(Uuid::parse(&text), Some(id));
        assert_eq!(Uuid::parse(&text.to_uppercase()), Some(id));
        for other in ["", &text[1..], &text.replace('-', ""), &text.replace('-', "0"), "ü"] {
            assert_eq!(Uuid::parse(other), None, "{other}");
        }
        assert_eq!(Uuid::from_bytes([0xff; 16]).to_string(), "ffffffff-ffff-8fff-bfff-ffffffffffff");
    }
}
