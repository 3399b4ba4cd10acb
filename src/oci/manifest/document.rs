//! A manifest's JSON as it stands: read once, field by field, without a judgement.
//!
//! What is not looked for is skipped without being stored, however large or deep it is, and a value of another kind
//! than the one looked for is noted ([`Found::Other`]) and not an error: whether that is to be refused is for
//! [`super::Manifest`] to say, who is strict at the door and lenient later.

use std::collections::HashSet;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::ManifestError;
use crate::oci::Platform;

/// What stands at a field.
#[derive(Debug, Default)]
pub(super) enum Found<T> {
    /// The field is not there.
    #[default]
    Absent,
    /// `null`, which Go's encoder writes for an empty list.
    Null,
    /// A value of the kind that was looked for.
    This(T),
    /// A value of another kind.
    Other,
}

impl<T> Found<T> {
    /// Whether the field is there at all, if only as `null`.
    pub(super) fn is_present(&self) -> bool {
        !matches!(self, Self::Absent)
    }

    /// The value, if it is one of the kind that was looked for.
    pub(super) fn said(self) -> Option<T> {
        if let Self::This(value) = self { Some(value) } else { None }
    }
}

/// A list of descriptors, cut off at the most that anybody wants to see.
#[derive(Debug)]
pub(super) struct List {
    /// The first descriptors.
    pub(super) parts: Vec<Found<Part>>,
    /// How many there are in the document.
    pub(super) length: usize,
}

/// Annotations in the order of the document, repetitions included.
pub(super) type Pairs = Vec<(String, Found<String>)>;

/// A descriptor.
#[derive(Debug, Default)]
pub(super) struct Part {
    pub(super) media_type: Found<String>,
    pub(super) digest: Found<String>,
    pub(super) size: Found<u64>,
    pub(super) artifact_type: Found<String>,
    pub(super) annotations: Found<Pairs>,
    pub(super) urls: Found<Texts>,
    pub(super) platform: Found<Runs>,
    /// What is wrong with the names of its fields.
    pub(super) fault: Option<ManifestError>,
}

/// A list of texts: addresses, features. What is no text, and what is beyond [`MAX_TEXTS`], is left out.
#[derive(Debug, Default)]
pub(super) struct Texts(pub(super) Vec<String>);

/// The most texts that are kept of one list; real ones have two or three.
const MAX_TEXTS: usize = 16;

/// A platform. It only describes, so a value that cannot be read is left out; but its fields are spelt and stand once
/// like all others, lest a child be an attestation here and an image to a client.
#[derive(Debug, Default)]
pub(super) struct Runs {
    pub(super) platform: Platform,
    /// What is wrong with the names of its fields.
    pub(super) fault: Option<ManifestError>,
}

/// The whole document.
#[derive(Debug, Default)]
pub(super) struct Document {
    pub(super) schema_version: Found<u64>,
    pub(super) media_type: Found<String>,
    pub(super) artifact_type: Found<String>,
    pub(super) config: Found<Part>,
    pub(super) layers: Found<List>,
    pub(super) manifests: Found<List>,
    pub(super) blobs: Found<List>,
    pub(super) subject: Found<Part>,
    pub(super) annotations: Found<Pairs>,
    /// The mark of Docker's schema 1; its entries are not looked at.
    pub(super) fs_layers: Found<List>,
    /// What is wrong with the names of its fields.
    pub(super) fault: Option<ManifestError>,
}

impl Document {
    /// Reads a document; of each list at most `limit` entries are kept.
    ///
    /// # Errors
    /// [`ManifestError::NotJson`] and [`ManifestError::NotAnObject`].
    pub(super) fn read(body: &[u8], limit: usize) -> Result<Self, ManifestError> {
        // JSON is UTF-8 (RFC 8259 §8.1); the parser would not look at texts that it skips.
        let text = std::str::from_utf8(body).map_err(|error| ManifestError::NotJson(error.to_string()))?;
        let mut json = serde_json::Deserializer::from_str(text);
        let document = Want::new(limit).deserialize(&mut json).and_then(|found| json.end().map(|()| found));
        match document.map_err(|error| ManifestError::NotJson(error.to_string()))? {
            Found::This(document) => Ok(document),
            Found::Absent | Found::Null | Found::Other => Err(ManifestError::NotAnObject),
        }
    }
}

/// Whether arrays and objects stand in each other more than `limit` deep. It looks at nothing but brackets and
/// strings, so it answers before any parser has to follow the nesting.
pub(super) fn nests_deeper(body: &[u8], limit: usize) -> bool {
    let mut depth = 0_usize;
    let mut bytes = body.iter();
    while let Some(byte) = bytes.next() {
        match byte {
            b'{' | b'[' if depth == limit => return true,
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            b'"' => {
                while let Some(byte) = bytes.next() {
                    match byte {
                        b'"' => break,
                        b'\\' => _ = bytes.next(),
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }
    false
}

/// The most fields of one manifest or descriptor, annotations not counted. Real ones have a dozen; without a bound,
/// remembering the names would be the dearest part of reading a hostile document.
const MAX_FIELDS: usize = 1000;

/// The names of an object's fields as they come in.
///
/// Most clients are written in Go, whose decoder takes the last of several fields and does not tell `layers` from
/// `Layers` (nor from `layer\u{17f}`): such a document means one thing here and another one there, so that what is
/// scanned would not be what is pulled.
#[derive(Default)]
struct Names {
    seen: HashSet<String>,
    fault: Option<ManifestError>,
}

impl Names {
    /// Takes note of a name; the word that it is, when it is one of `words`.
    fn next(&mut self, name: String, words: &[&'static str]) -> Option<&'static str> {
        let word = words.iter().copied().find(|&word| word == name);
        if self.fault.is_none() {
            if word.is_none()
                && let Some(&meant) = words.iter().find(|word| fold(&name).eq(fold(word)))
            {
                self.fault = Some(ManifestError::Spelling { found: name, meant });
            } else if self.seen.contains(&name) {
                self.fault = Some(ManifestError::Repeated { field: super::excerpt(&name) });
            } else if self.seen.len() == MAX_FIELDS {
                self.fault = Some(ManifestError::TooManyFields { limit: MAX_FIELDS });
            } else {
                self.seen.insert(name);
            }
        }
        word
    }
}

/// A name as Go's JSON decoder compares it: ASCII letters without their case, and the two letters elsewhere in Unicode
/// that fold into them, the long s and the Kelvin sign.
fn fold(name: &str) -> impl Iterator<Item = char> {
    name.chars().map(|c| match c {
        '\u{17f}' => 's',
        '\u{212a}' => 'k',
        c => c.to_ascii_lowercase(),
    })
}

/// A type that can be read from one kind of JSON value. What a type does not read is skipped: the default.
trait Wanted: Sized {
    fn text(_text: &str) -> Option<Self> {
        None
    }

    fn whole(_number: u64) -> Option<Self> {
        None
    }

    fn list<'de, A: SeqAccess<'de>>(mut list: A, _limit: usize) -> Result<Option<Self>, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(None)
    }

    fn object<'de, A: MapAccess<'de>>(mut object: A, _limit: usize) -> Result<Option<Self>, A::Error> {
        while object.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(None)
    }
}

impl Wanted for String {
    fn text(text: &str) -> Option<Self> {
        Some(text.to_owned())
    }
}

impl Wanted for u64 {
    fn whole(number: u64) -> Option<Self> {
        Some(number)
    }
}

impl Wanted for List {
    fn list<'de, A: SeqAccess<'de>>(mut list: A, limit: usize) -> Result<Option<Self>, A::Error> {
        let mut parts = Vec::new();
        while parts.len() < limit {
            let Some(part) = list.next_element_seed(Want::new(limit))? else { break };
            parts.push(part);
        }
        let mut length = parts.len();
        if length == limit {
            while list.next_element::<IgnoredAny>()?.is_some() {
                length += 1;
            }
        }
        Ok(Some(Self { parts, length }))
    }
}

impl Wanted for Pairs {
    fn object<'de, A: MapAccess<'de>>(mut object: A, limit: usize) -> Result<Option<Self>, A::Error> {
        let mut pairs = Self::new();
        while let Some(key) = object.next_key()? {
            pairs.push((key, object.next_value_seed(Want::new(limit))?));
        }
        Ok(Some(pairs))
    }
}

impl Wanted for Part {
    fn object<'de, A: MapAccess<'de>>(mut object: A, limit: usize) -> Result<Option<Self>, A::Error> {
        let (mut part, mut names) = (Self::default(), Names::default());
        while let Some(name) = object.next_key()? {
            match names.next(name, PART_WORDS) {
                Some("mediaType") => part.media_type = object.next_value_seed(Want::new(limit))?,
                Some("digest") => part.digest = object.next_value_seed(Want::new(limit))?,
                Some("size") => part.size = object.next_value_seed(Want::new(limit))?,
                Some("artifactType") => part.artifact_type = object.next_value_seed(Want::new(limit))?,
                Some("annotations") => part.annotations = object.next_value_seed(Want::new(limit))?,
                Some("urls") => part.urls = object.next_value_seed(Want::new(limit))?,
                Some("platform") => part.platform = object.next_value_seed(Want::new(limit))?,
                _ => _ = object.next_value::<IgnoredAny>()?,
            }
        }
        part.fault = names.fault;
        Ok(Some(part))
    }
}

impl Wanted for Texts {
    fn list<'de, A: SeqAccess<'de>>(mut list: A, limit: usize) -> Result<Option<Self>, A::Error> {
        let mut texts = Vec::new();
        while let Some(text) = list.next_element_seed(Want::<String>::new(limit))? {
            if let Found::This(text) = text
                && texts.len() < MAX_TEXTS
            {
                texts.push(text);
            }
        }
        Ok(Some(Self(texts)))
    }
}

impl Wanted for Runs {
    fn object<'de, A: MapAccess<'de>>(mut object: A, limit: usize) -> Result<Option<Self>, A::Error> {
        let (mut platform, mut names) = (Platform::default(), Names::default());
        let text = |object: &mut A| object.next_value_seed(Want::<String>::new(limit)).map(Found::said);
        while let Some(name) = object.next_key()? {
            match names.next(name, PLATFORM_WORDS) {
                Some("architecture") => platform.architecture = text(&mut object)?.unwrap_or_default(),
                Some("os") => platform.os = text(&mut object)?.unwrap_or_default(),
                Some("variant") => platform.variant = text(&mut object)?,
                Some("os.version") => platform.os_version = text(&mut object)?,
                Some("os.features") => {
                    let features = object.next_value_seed(Want::<Texts>::new(limit))?.said();
                    platform.os_features = features.unwrap_or_default().0;
                }
                _ => _ = object.next_value::<IgnoredAny>()?,
            }
        }
        Ok(Some(Self { platform, fault: names.fault }))
    }
}

/// The fields of a platform.
const PLATFORM_WORDS: &[&str] = &["architecture", "os", "variant", "os.version", "os.features"];

/// The fields of a descriptor.
const PART_WORDS: &[&str] = &["mediaType", "digest", "size", "artifactType", "annotations", "urls", "platform"];

/// The fields of a manifest, an index, an artifact manifest and, for its mark alone, a manifest of schema 1.
const WORDS: &[&str] = &[
    "schemaVersion",
    "mediaType",
    "artifactType",
    "config",
    "layers",
    "manifests",
    "blobs",
    "subject",
    "annotations",
    "fsLayers",
];

impl Wanted for Document {
    fn object<'de, A: MapAccess<'de>>(mut object: A, limit: usize) -> Result<Option<Self>, A::Error> {
        let (mut document, mut names) = (Self::default(), Names::default());
        while let Some(name) = object.next_key()? {
            match names.next(name, WORDS) {
                Some("schemaVersion") => document.schema_version = object.next_value_seed(Want::new(limit))?,
                Some("mediaType") => document.media_type = object.next_value_seed(Want::new(limit))?,
                Some("artifactType") => document.artifact_type = object.next_value_seed(Want::new(limit))?,
                Some("config") => document.config = object.next_value_seed(Want::new(limit))?,
                Some("layers") => document.layers = object.next_value_seed(Want::new(limit))?,
                Some("manifests") => document.manifests = object.next_value_seed(Want::new(limit))?,
                Some("blobs") => document.blobs = object.next_value_seed(Want::new(limit))?,
                Some("subject") => document.subject = object.next_value_seed(Want::new(limit))?,
                Some("annotations") => document.annotations = object.next_value_seed(Want::new(limit))?,
                Some("fsLayers") => document.fs_layers = object.next_value_seed(Want::new(0))?,
                _ => _ = object.next_value::<IgnoredAny>()?,
            }
        }
        document.fault = names.fault;
        Ok(Some(document))
    }
}

/// Reads one value as a `T`, whatever it is.
struct Want<T> {
    limit: usize,
    wanted: PhantomData<T>,
}

impl<T> Want<T> {
    fn new(limit: usize) -> Self {
        Self { limit, wanted: PhantomData }
    }
}

impl<'de, T: Wanted> DeserializeSeed<'de> for Want<T> {
    type Value = Found<T>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Found<T>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, T: Wanted> Visitor<'de> for Want<T> {
    type Value = Found<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<Found<T>, E> {
        Ok(Found::Null)
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Found<T>, E> {
        Ok(Found::Other)
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<Found<T>, E> {
        Ok(Found::Other)
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Found<T>, E> {
        Ok(Found::Other)
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Found<T>, E> {
        Ok(T::whole(number).map_or(Found::Other, Found::This))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Found<T>, E> {
        Ok(T::text(text).map_or(Found::Other, Found::This))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Found<T>, A::Error> {
        Ok(T::list(list, self.limit)?.map_or(Found::Other, Found::This))
    }

    fn visit_map<A: MapAccess<'de>>(self, object: A) -> Result<Found<T>, A::Error> {
        Ok(T::object(object, self.limit)?.map_or(Found::Other, Found::This))
    }
}
