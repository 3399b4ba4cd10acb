//! Why bytes are no manifest that this registry takes.

use crate::oci::digest::DigestError;
use crate::oci::media_type::MediaType;

/// Why pushed bytes are no manifest that this registry takes. Each message tells the client's user what to mend.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    /// No JSON; the parser's own words, which name line and column.
    #[error("the manifest is not JSON ({0}); push the bytes of an image manifest or index as they are")]
    NotJson(String),
    /// JSON, but a list, a text or a number.
    #[error("the manifest is not a JSON object; push an image manifest or an index")]
    NotAnObject,
    /// Deeper than [`super::ManifestLimits::depth`].
    #[error("the manifest's JSON nests deeper than {limit} levels; flatten it, or raise limits.json_depth")]
    TooDeep {
        /// The limit.
        limit: usize,
    },
    /// A field stands twice in one object.
    #[error(
        "the field {field:?} stands twice in the same object, and clients differ in which one counts; write it once"
    )]
    Repeated {
        /// The field, cut to a readable length.
        field: String,
    },
    /// A field of the specification in another spelling, which some clients take for it.
    #[error("the field {found:?} would be read as {meant:?} by some clients and not by others; write {meant:?}")]
    Spelling {
        /// The field as it stands.
        found: String,
        /// The field that it resembles.
        meant: &'static str,
    },
    /// More fields in one object than anybody needs.
    #[error("a manifest or descriptor has more than {limit} fields; put what is yours into annotations")]
    TooManyFields {
        /// The limit.
        limit: usize,
    },
    /// The `Content-Type` header is no media type.
    #[error(
        "the Content-Type {given:?} is no media type; send the manifest's own, such as {}",
        MediaType::OCI_MANIFEST
    )]
    ContentType {
        /// The header, cut to a readable length.
        given: String,
    },
    /// The type is none of those that this registry can read. It is refused because content that such a manifest
    /// refers to could be neither checked nor kept from the garbage collection.
    #[error(
        "manifests of type {given} are not known here; push them as {} or {}, with what they are in artifactType",
        MediaType::OCI_MANIFEST,
        MediaType::OCI_INDEX
    )]
    UnknownType {
        /// The type.
        given: MediaType,
    },
    /// Neither the header nor the document says what it is, and its fields do not show it.
    #[error(
        "nothing says what the manifest is; send its type as Content-Type, such as {} or {}",
        MediaType::OCI_MANIFEST,
        MediaType::OCI_INDEX
    )]
    NoType,
    /// Header and document name different types.
    #[error("the Content-Type says {header}, the manifest's mediaType {body}; send the manifest's own as Content-Type")]
    TypeMismatch {
        /// What the header says.
        header: MediaType,
        /// What the document says.
        body: MediaType,
    },
    /// Docker's first format.
    #[error(
        "this is a Docker schema 1 manifest, which no current client pulls; push the image again with Docker 1.10 or \
         later, or convert it with: skopeo copy --format v2s2"
    )]
    SchemaOne,
    /// `schemaVersion` is absent or another number than 2.
    #[error("schemaVersion must be 2 in every manifest and index; set it and push again")]
    SchemaVersion,
    /// A field that makes the document another thing than its type says (CVE-2021-41190).
    #[error(
        "a manifest of type {media_type} must not have the field {field:?}: clients could take it for two different \
         things; push the image and the index as two manifests, each under its own type"
    )]
    TwoShapes {
        /// The type.
        media_type: MediaType,
        /// The field.
        field: &'static str,
    },
    /// A field that must be there is not.
    #[error("the manifest has no {field:?}, which its type requires; add it")]
    Missing {
        /// Where it should stand, such as `layers[3].digest`.
        field: String,
    },
    /// A field holds something else than it should.
    #[error("{field} must be {expected}")]
    Malformed {
        /// Where it stands, such as `layers[3].size`.
        field: String,
        /// What it should be.
        expected: &'static str,
    },
    /// A digest that is none, or in an algorithm that is not known here.
    #[error("{field}: {reason}")]
    Digest {
        /// Where it stands, such as `layers[3].digest`.
        field: String,
        /// What is wrong with it.
        reason: DigestError,
    },
    /// More references than [`super::ManifestLimits::references`].
    #[error("the manifest refers to {found} things, more than {limit}; split it, or raise limits.manifest_references")]
    TooManyReferences {
        /// How many there are.
        found: usize,
        /// The limit.
        limit: usize,
    },
    /// The sizes together are no number of 64 bits.
    #[error("the sizes in the manifest add up to more than 2^64 bytes; correct them")]
    SizeOverflow,
}
