//! Manifests and indexes (image-spec, manifest.md and image-index.md; Docker's schema 2 and manifest list).

mod document;
mod error;
#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::fmt;

pub use error::ManifestError;

use self::document::{Document, Found, List, Pairs, Part, Runs};
use super::descriptor::{Annotations, Descriptor};
use super::{Digest, MediaType};

/// Limits on what one manifest may contain.
#[derive(Clone, Copy, Debug)]
pub struct ManifestLimits {
    /// The most references (config, layers, children, blobs; the subject not counted) that one manifest may have.
    pub references: usize,
    /// The deepest nesting of JSON arrays and objects.
    pub depth: usize,
}

/// The part that a reference plays in the manifest that makes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// The `config` of an image manifest: a blob.
    Config,
    /// One of `layers` (or of `blobs` in the withdrawn artifact manifest): a blob.
    Layer,
    /// One of `manifests` of an index whose media type is a manifest or an index.
    Child,
    /// One of `manifests` of an index whose media type is none (BuildKit caches put layers there), or none that is
    /// known here: a blob or a manifest.
    ForeignChild,
}

/// A reference from a manifest to other content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManifestReference {
    /// The part it plays.
    pub role: Role,
    /// The descriptor as it stands in the manifest.
    pub descriptor: Descriptor,
    /// Whether this is the reference by which the content is needed here: false for a non-distributable layer, which
    /// clients never push, and for another reference to the same digest in the same role.
    pub counts: bool,
}

/// A manifest or index that has been read; the bytes themselves are kept elsewhere and never rewritten.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// The type under which it was pushed, without parameters.
    pub media_type: MediaType,
    /// `artifactType` of the body, when present and not empty.
    pub artifact_type: Option<String>,
    /// The media type of `config`, when there is one.
    pub config_media_type: Option<String>,
    /// Every descriptor of the manifest but its subject, in its order: config and layers, children, blobs. An
    /// application may name one digest as two components, and a layer may stand in an image twice;
    /// [`Manifest::references`] has what must be here.
    pub parts: Vec<ManifestReference>,
    /// `subject`: what this manifest is attached to; need not exist.
    pub subject: Option<Descriptor>,
    /// Top-level annotations.
    pub annotations: Annotations,
    /// Whether the body is an index or manifest list.
    pub is_index: bool,
}

impl Manifest {
    /// Reads a manifest at the door, strictly.
    ///
    /// Its type is what `content_type` (the header) says; without one, what its `mediaType` says; without that, what
    /// its fields show. Header and `mediaType` must agree (distribution-spec, "Pushing Manifests"), and a type that is
    /// not an image manifest, an index, their Docker forms or the withdrawn artifact manifest is refused, because its
    /// references could not be found: `application/json` too, which clients do not send.
    ///
    /// # Errors
    /// [`ManifestError`]: what is wrong and what to do about it.
    pub fn from_pushed(content_type: Option<&str>, body: &[u8], limits: ManifestLimits) -> Result<Self, ManifestError> {
        if document::nests_deeper(body, limits.depth) {
            return Err(ManifestError::TooDeep { limit: limits.depth });
        }
        let mut document = Document::read(body, limits.references)?;
        if let Some(fault) = document.fault.take() {
            return Err(fault);
        }
        let media_type = pushed_type(content_type, &document)?;
        let Some(form) = Form::of(&media_type) else { return Err(ManifestError::UnknownType { given: media_type }) };
        form.check(&media_type, &document)?;
        Reader { strict: true, limit: limits.references }.read(media_type, form, document)
    }

    /// Reads a manifest that was accepted once, leniently: whatever an earlier version took in stays readable. What
    /// cannot be read of it is left out.
    ///
    /// # Errors
    /// [`ManifestError`] only when the bytes are not a JSON object at all.
    pub fn from_stored(media_type: MediaType, body: &[u8]) -> Result<Self, ManifestError> {
        let document = Document::read(body, usize::MAX)?;
        let form = Form::of(&media_type).or_else(|| Form::shown_by(&document)).unwrap_or(Form::Image);
        Reader { strict: false, limit: usize::MAX }.read(media_type, form, document)
    }

    /// The artifact type that the referrers list shows: `artifactType`, else the config's media type for an image
    /// manifest (distribution-spec, "Listing Referrers").
    pub fn referrer_artifact_type(&self) -> Option<&str> {
        self.artifact_type.as_deref().or(if self.is_index { None } else { self.config_media_type.as_deref() })
    }

    /// What must be here for the manifest to be complete: no subject, no non-distributable layer, each digest once for
    /// each role.
    pub fn references(&self) -> impl Iterator<Item = &ManifestReference> {
        self.parts.iter().filter(|part| part.counts)
    }

    /// The config's descriptor, in an image manifest.
    pub fn config(&self) -> Option<&Descriptor> {
        self.parts.iter().find(|part| part.role == Role::Config).map(|part| &part.descriptor)
    }

    /// The layers (or the blobs of the withdrawn artifact manifest), in order, repeated and non-distributable ones too.
    pub fn layers(&self) -> impl Iterator<Item = &Descriptor> {
        self.parts.iter().filter(|part| part.role == Role::Layer).map(|part| &part.descriptor)
    }

    /// The children of an index, in order, repeated and foreign ones too.
    pub fn children(&self) -> impl Iterator<Item = &Descriptor> {
        let is_child = |part: &&ManifestReference| matches!(part.role, Role::Child | Role::ForeignChild);
        self.parts.iter().filter(is_child).map(|part| &part.descriptor)
    }

    /// The digests of all references, in order, each once.
    pub fn referenced_digests(&self) -> Vec<Digest> {
        let mut seen = HashSet::new();
        self.references().map(|r| r.descriptor.digest).filter(|d| seen.insert(*d)).collect()
    }
}

/// What a manifest looks like.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    /// A config and layers.
    Image,
    /// Manifests.
    Index,
    /// Blobs.
    Artifact,
}

impl Form {
    fn of(media_type: &MediaType) -> Option<Self> {
        match media_type.as_str() {
            MediaType::OCI_MANIFEST | MediaType::DOCKER_MANIFEST => Some(Self::Image),
            MediaType::OCI_INDEX | MediaType::DOCKER_LIST => Some(Self::Index),
            MediaType::OCI_ARTIFACT => Some(Self::Artifact),
            _ => None,
        }
    }

    fn shown_by(document: &Document) -> Option<Self> {
        if document.manifests.is_present() {
            Some(Self::Index)
        } else if document.config.is_present() || document.layers.is_present() {
            Some(Self::Image)
        } else {
            document.blobs.is_present().then_some(Self::Artifact)
        }
    }

    /// The type of a document of which nobody says more.
    fn plain_type(self) -> MediaType {
        let text = match self {
            Self::Image => MediaType::OCI_MANIFEST,
            Self::Index => MediaType::OCI_INDEX,
            Self::Artifact => MediaType::OCI_ARTIFACT,
        };
        MediaType::parse(text).expect("the specification's own types are well formed")
    }

    /// Refuses a document that could be taken for another form, and one without `schemaVersion` 2, which only the
    /// withdrawn artifact manifest lacks.
    fn check(self, media_type: &MediaType, document: &Document) -> Result<(), ManifestError> {
        let fields = [
            ("manifests", document.manifests.is_present(), self == Self::Index),
            ("config", document.config.is_present(), self == Self::Image),
            ("layers", document.layers.is_present(), self == Self::Image),
        ];
        // Even `null` and an empty list are too much: clients that guard against CVE-2021-41190 refuse those as well.
        for (field, present, belongs) in fields {
            if present && !belongs {
                return Err(ManifestError::TwoShapes { media_type: media_type.clone(), field });
            }
        }
        match document.schema_version {
            Found::This(2) => {}
            Found::Absent if self == Self::Artifact => {}
            _ => return Err(ManifestError::SchemaVersion),
        }
        if self == Self::Index && !document.manifests.is_present() {
            return Err(ManifestError::Missing { field: "manifests".to_owned() });
        }
        Ok(())
    }
}

/// The type under which a document was pushed.
fn pushed_type(content_type: Option<&str>, document: &Document) -> Result<MediaType, ManifestError> {
    let header = match content_type.map(str::trim).filter(|text| !text.is_empty()) {
        Some(text) => Some(MediaType::parse(text).map_err(|_| ManifestError::ContentType { given: excerpt(text) })?),
        None => None,
    };
    let named_schema_one = header.as_ref().is_some_and(|header| SCHEMA_ONE.contains(&header.as_str()));
    if named_schema_one || document.fs_layers.is_present() || matches!(document.schema_version, Found::This(1)) {
        return Err(ManifestError::SchemaOne);
    }
    let malformed = || ManifestError::Malformed { field: "mediaType".to_owned(), expected: MEDIA_TYPE };
    let body = match &document.media_type {
        Found::This(text) if !text.is_empty() => Some(MediaType::parse(text).map_err(|_| malformed())?),
        Found::Other => return Err(malformed()),
        Found::Absent | Found::Null | Found::This(_) => None,
    };
    match (header, body) {
        (Some(header), Some(body)) if header != body => Err(ManifestError::TypeMismatch { header, body }),
        (Some(media_type), _) | (None, Some(media_type)) => Ok(media_type),
        (None, None) => Form::shown_by(document).map(Form::plain_type).ok_or(ManifestError::NoType),
    }
}

/// Docker's first format, plain and signed.
const SCHEMA_ONE: [&str; 2] = [
    "application/vnd.docker.distribution.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v1+prettyjws",
];

const MEDIA_TYPE: &str = "a media type, of the form type/subtype";

/// Bytes of the longest media type (RFC 6838 §4.2: 127 on either side of the slash).
const MAX_ARTIFACT_TYPE: usize = 255;
const ARTIFACT_TYPE: &str = "a media type, of at most 255 bytes";

/// The beginning of what a client sent, short enough for a message.
fn excerpt(text: &str) -> String {
    text.chars().take(80).collect()
}

/// Where a descriptor stands.
#[derive(Clone, Copy)]
struct Place {
    field: &'static str,
    index: Option<usize>,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.index {
            Some(index) => write!(f, "{}[{index}]", self.field),
            None => f.write_str(self.field),
        }
    }
}

/// Makes a manifest of a document.
struct Reader {
    /// Whether what cannot be read is an error; else it is left out.
    strict: bool,
    /// The most references.
    limit: usize,
}

impl Reader {
    fn read(&self, media_type: MediaType, form: Form, document: Document) -> Result<Manifest, ManifestError> {
        let mut manifest = Manifest {
            media_type,
            artifact_type: self.artifact_type(document.artifact_type)?,
            config_media_type: None,
            parts: Vec::new(),
            subject: self.one(document.subject, "subject")?,
            annotations: self.annotations(document.annotations, || "annotations".to_owned())?.unwrap_or_default(),
            is_index: form == Form::Index,
        };
        let mut references = Vec::new();
        match form {
            Form::Image => {
                if let Found::This(Part { media_type: Found::This(text), .. }) = &document.config {
                    // It stands in rows. What is longer than any media type is one with parameters without end.
                    if text.len() > MAX_ARTIFACT_TYPE && self.strict {
                        let field = "config.mediaType".to_owned();
                        return Err(ManifestError::Malformed { field, expected: ARTIFACT_TYPE });
                    }
                    manifest.config_media_type = Some(text.clone()).filter(|text| !text.is_empty());
                }
                match self.one(document.config, "config")? {
                    Some(config) => references.push((Role::Config, config)),
                    None if self.strict => return Err(ManifestError::Missing { field: "config".to_owned() }),
                    None => {}
                }
                self.list(document.layers, "layers", Role::Layer, &mut references)?;
            }
            Form::Index => self.list(document.manifests, "manifests", Role::Child, &mut references)?,
            Form::Artifact => self.list(document.blobs, "blobs", Role::Layer, &mut references)?,
        }
        let total = references.iter().try_fold(0_u64, |sum, (_, descriptor)| sum.checked_add(descriptor.size));
        if self.strict && total.is_none() {
            return Err(ManifestError::SizeOverflow);
        }
        let mut seen = HashSet::new();
        let part = |(role, descriptor): (Role, Descriptor)| {
            let counts = !descriptor.media_type.is_nondistributable() && seen.insert((role, descriptor.digest));
            ManifestReference { role, descriptor, counts }
        };
        manifest.parts = references.into_iter().map(part).collect();
        Ok(manifest)
    }

    /// What was found, or `None` for what is absent, null or (if that is not an error) of another kind.
    fn value<T>(
        &self,
        found: Found<T>,
        field: impl FnOnce() -> String,
        expected: &'static str,
    ) -> Result<Option<T>, ManifestError> {
        match found {
            Found::This(value) => Ok(Some(value)),
            Found::Other if self.strict => Err(ManifestError::Malformed { field: field(), expected }),
            Found::Absent | Found::Null | Found::Other => Ok(None),
        }
    }

    /// A text; an empty one counts as absent.
    fn text(&self, found: Found<String>, field: impl FnOnce() -> String) -> Result<Option<String>, ManifestError> {
        Ok(self.value(found, field, "a text")?.filter(|text| !text.is_empty()))
    }

    /// What the manifest says that it is. It stands in rows, so it has the length of a media type at most; its form is
    /// not looked at, for tools write words of their own there.
    fn artifact_type(&self, found: Found<String>) -> Result<Option<String>, ManifestError> {
        let field = "artifactType";
        match self.text(found, || field.to_owned())? {
            Some(text) if text.len() > MAX_ARTIFACT_TYPE && self.strict => {
                Err(ManifestError::Malformed { field: field.to_owned(), expected: ARTIFACT_TYPE })
            }
            text => Ok(text),
        }
    }

    fn annotations(
        &self,
        found: Found<Pairs>,
        field: impl Fn() -> String,
    ) -> Result<Option<Annotations>, ManifestError> {
        let Some(pairs) = self.value(found, &field, "an object of texts")? else { return Ok(None) };
        let texts = pairs.into_iter().filter_map(|(key, value)| match value {
            Found::This(value) => Some(Ok((key, value))),
            _ if self.strict => {
                let field = format!("{}.{}", field(), excerpt(&key));
                Some(Err(ManifestError::Malformed { field, expected: "a text" }))
            }
            _ => None,
        });
        texts.collect::<Result<_, _>>().map(Some)
    }

    /// A descriptor by itself.
    fn one(&self, found: Found<Part>, field: &'static str) -> Result<Option<Descriptor>, ManifestError> {
        let place = Place { field, index: None };
        match self.value(found, || field.to_owned(), "a descriptor")? {
            Some(part) => self.descriptor(part, place),
            None => Ok(None),
        }
    }

    /// A list of descriptors; children whose type is no manifest's are foreign.
    fn list(
        &self,
        found: Found<List>,
        field: &'static str,
        role: Role,
        references: &mut Vec<(Role, Descriptor)>,
    ) -> Result<(), ManifestError> {
        let Some(list) = self.value(found, || field.to_owned(), "a list of descriptors")? else { return Ok(()) };
        let found = references.len().saturating_add(list.length);
        if self.strict && found > self.limit {
            return Err(ManifestError::TooManyReferences { found, limit: self.limit });
        }
        for (index, part) in list.parts.into_iter().enumerate() {
            let place = Place { field, index: Some(index) };
            let Found::This(part) = part else {
                if self.strict {
                    return Err(ManifestError::Malformed { field: place.to_string(), expected: "a descriptor" });
                }
                continue;
            };
            if let Some(descriptor) = self.descriptor(part, place)? {
                let foreign = role == Role::Child && Form::of(&descriptor.media_type).is_none();
                references.push((if foreign { Role::ForeignChild } else { role }, descriptor));
            }
        }
        Ok(())
    }

    /// A descriptor. Its digest must be there. A missing type counts as unknown and a missing size as zero, because
    /// that is what clients mean whose encoder leaves out what is empty (distribution's own `Descriptor` does).
    fn descriptor(&self, part: Part, place: Place) -> Result<Option<Descriptor>, ManifestError> {
        let at = |field: &str| format!("{place}.{field}");
        if self.strict
            && let Some(fault) = part.fault
        {
            return Err(fault);
        }
        let media_type = match self.text(part.media_type, || at("mediaType"))? {
            Some(text) => match MediaType::parse(&text) {
                Ok(media_type) => media_type,
                Err(_) if self.strict => {
                    return Err(ManifestError::Malformed { field: at("mediaType"), expected: MEDIA_TYPE });
                }
                Err(_) => MediaType::octet_stream(),
            },
            None => MediaType::octet_stream(),
        };
        let digest = match self.text(part.digest, || at("digest"))?.as_deref().map(Digest::parse) {
            Some(Ok(digest)) => digest,
            Some(Err(reason)) if self.strict => return Err(ManifestError::Digest { field: at("digest"), reason }),
            None if self.strict => return Err(ManifestError::Missing { field: at("digest") }),
            Some(Err(_)) | None => return Ok(None),
        };
        let size = self.value(part.size, || at("size"), "a whole number of bytes that is not negative")?;
        let platform = match self.value(part.platform, || at("platform"), "an object")? {
            Some(Runs { fault: Some(fault), .. }) if self.strict => return Err(fault),
            runs => runs.map(|runs| Box::new(runs.platform)),
        };
        Ok(Some(Descriptor {
            media_type,
            digest,
            size: size.unwrap_or_default(),
            artifact_type: self.text(part.artifact_type, || at("artifactType"))?,
            annotations: self.annotations(part.annotations, || at("annotations"))?,
            urls: self.value(part.urls, || at("urls"), "a list of texts")?.unwrap_or_default().0,
            platform,
        }))
    }
}
