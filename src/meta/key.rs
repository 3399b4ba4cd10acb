//! The one order-preserving key codec: u64 big-endian, digests as algorithm byte + bytes, strings zero-terminated.

use crate::oci::Digest;

/// Builds a key part by part; the byte order of keys is the order of their parts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Key(Vec<u8>);

impl Key {
    /// An empty key, which sorts before all others.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an unsigned number.
    #[must_use]
    pub fn u64(mut self, value: u64) -> Self {
        self.0.extend_from_slice(&value.to_be_bytes());
        self
    }

    /// Adds a text that has no zero byte, and its terminator.
    #[must_use]
    pub fn text(mut self, value: &str) -> Self {
        debug_assert!(!value.as_bytes().contains(&0), "a key text has no zero byte");
        self.0.extend_from_slice(value.as_bytes());
        self.0.push(0);
        self
    }

    /// Adds a digest.
    #[must_use]
    pub fn digest(mut self, value: &Digest) -> Self {
        self.0.extend_from_slice(&value.to_key());
        self
    }

    /// Adds bytes of a fixed length as they are.
    #[must_use]
    pub fn raw(mut self, value: &[u8]) -> Self {
        self.0.extend_from_slice(value);
        self
    }

    /// The key's bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The first key that does not begin with these bytes: the end of the range of all keys with this prefix. `None`
    /// when there is none (all bytes are 0xff).
    pub fn prefix_end(prefix: &[u8]) -> Option<Vec<u8>> {
        let mut end = prefix.to_vec();
        while let Some(last) = end.last_mut() {
            if *last < u8::MAX {
                *last += 1;
                return Some(end);
            }
            end.pop();
        }
        None
    }
}

impl AsRef<[u8]> for Key {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

/// Takes a key apart again, in the order in which it was built; every step is `None` on a malformed key.
#[derive(Clone, Copy, Debug)]
pub struct KeyReader<'k>(&'k [u8]);

impl<'k> KeyReader<'k> {
    /// Reads `key` from its front.
    pub fn new(key: &'k [u8]) -> Self {
        Self(key)
    }

    /// The next number.
    pub fn u64(&mut self) -> Option<u64> {
        let (bytes, rest) = self.0.split_first_chunk::<8>()?;
        self.0 = rest;
        Some(u64::from_be_bytes(*bytes))
    }

    /// The next text.
    pub fn text(&mut self) -> Option<&'k str> {
        let end = self.0.iter().position(|&b| b == 0)?;
        let text = std::str::from_utf8(&self.0[..end]).ok()?;
        self.0 = &self.0[end + 1..];
        Some(text)
    }

    /// The next digest.
    pub fn digest(&mut self) -> Option<Digest> {
        let (digest, rest) = Digest::split_key(self.0)?;
        self.0 = rest;
        Some(digest)
    }

    /// What has not been read yet.
    pub fn rest(self) -> &'k [u8] {
        self.0
    }
}
