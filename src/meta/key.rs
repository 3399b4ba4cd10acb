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

    /// Adds a text and its terminator.
    ///
    /// # Panics
    /// When the text has a zero byte, which no name, tag or term that was parsed at the edge has: the key would be
    /// another one than it seems.
    #[must_use]
    pub fn text(mut self, value: &str) -> Self {
        assert!(!value.as_bytes().contains(&0), "a key text has no zero byte");
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

    /// The next `N` bytes, as [`Key::raw`] added them.
    pub fn raw<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (bytes, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*bytes)
    }

    /// What has not been read yet.
    pub fn rest(self) -> &'k [u8] {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::oci::digest::Algorithm;

    /// A part of a key; the derived order is the order that keys must have.
    #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
    enum Part {
        Number(u64),
        Text(String),
        Digest(Digest),
        Raw([u8; 4]),
    }

    fn digest() -> impl Strategy<Value = Digest> {
        (prop::sample::select(vec![Algorithm::Sha256, Algorithm::Sha512]), any::<[u8; 2]>())
            .prop_map(|(algorithm, content)| Digest::of(algorithm, &content))
    }

    /// Two parts of the same kind, often close to each other.
    fn pair() -> impl Strategy<Value = (Part, Part)> {
        let number = || prop_oneof![0..3_u64, any::<u64>(), Just(u64::MAX)].prop_map(Part::Number);
        let text = || prop_oneof!["[\\x01-\\x02a-b\u{ff}]{0,3}", "[^\\x00]{0,8}"].prop_map(Part::Text);
        let digest = || digest().prop_map(Part::Digest);
        let raw = || any::<[u8; 4]>().prop_map(Part::Raw);
        prop_oneof![(number(), number()), (text(), text()), (digest(), digest()), (raw(), raw())]
            .prop_flat_map(|(one, other)| (Just(one.clone()), prop_oneof![Just(other), Just(one)]))
    }

    fn key<'p>(parts: impl IntoIterator<Item = &'p Part>) -> Key {
        parts.into_iter().fold(Key::new(), |key, part| match part {
            Part::Number(number) => key.u64(*number),
            Part::Text(text) => key.text(text),
            Part::Digest(digest) => key.digest(digest),
            Part::Raw(bytes) => key.raw(bytes),
        })
    }

    proptest! {
        #[test]
        fn keys_sort_as_their_parts_do(pairs in prop::collection::vec(pair(), 0..5)) {
            let (one, other): (Vec<_>, Vec<_>) = pairs.into_iter().unzip();
            prop_assert_eq!(key(&one).as_bytes().cmp(key(&other).as_bytes()), one.cmp(&other));
        }

        #[test]
        fn keys_come_apart_as_they_were_built(pairs in prop::collection::vec(pair(), 0..5)) {
            let parts: Vec<_> = pairs.into_iter().map(|(one, _)| one).collect();
            let key = key(&parts);
            let mut reader = KeyReader::new(key.as_bytes());
            for part in parts {
                let read = match part {
                    Part::Number(_) => reader.u64().map(Part::Number),
                    Part::Text(_) => reader.text().map(|text| Part::Text(text.to_owned())),
                    Part::Digest(_) => reader.digest().map(Part::Digest),
                    Part::Raw(_) => reader.raw().map(Part::Raw),
                };
                prop_assert_eq!(read, Some(part));
            }
            prop_assert!(reader.rest().is_empty());
        }

        #[test]
        fn a_prefix_ends_where_its_last_key_does(
            prefix in prop::collection::vec(prop::sample::select(vec![0, 1, 254, 255]), 0..4),
            key in prop::collection::vec(prop::sample::select(vec![0, 1, 254, 255]), 0..6),
        ) {
            let end = Key::prefix_end(&prefix);
            let within = prefix <= key && end.is_none_or(|end| key < end);
            prop_assert_eq!(within, key.starts_with(&prefix));
        }

        #[test]
        fn no_bytes_make_the_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
            let mut reader = KeyReader::new(&bytes);
            let _ = (reader.digest(), reader.text(), reader.u64(), reader.raw::<3>(), reader.rest());
        }
    }

    #[test]
    fn malformed_keys_do_not_read() {
        assert_eq!(KeyReader::new(&[0; 7]).u64(), None);
        assert_eq!(KeyReader::new(b"no terminator").text(), None);
        assert_eq!(KeyReader::new(b"\xff\0").text(), None);
        assert_eq!(KeyReader::new(&[9; 65]).digest(), None);
        assert_eq!(KeyReader::new(&[1; 32]).digest(), None);
        let mut reader = KeyReader::new(b"short");
        assert_eq!(reader.u64(), None);
        assert_eq!(reader.rest(), b"short", "what does not read is left");
    }

    #[test]
    #[should_panic(expected = "no zero byte")]
    fn a_text_with_a_zero_byte_is_no_key() {
        let _ = Key::new().text("a\0b");
    }
}
