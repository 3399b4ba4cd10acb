//! What can go wrong, in the registry's words. Statuses and codes are given on the wire (`http::v2::error`).

use crate::blobs::BlobError;
use crate::meta::{MetaError, WriteError};
use crate::oci::manifest::ManifestError;
use crate::oci::{Code, Digest, Reference, RepoName};

/// Why the registry did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// No repository of this name.
    #[error("there is no repository {0}; it comes into being with the first push to it")]
    NameUnknown(RepoName),
    /// No such manifest there.
    #[error("repository {repo} has no manifest {reference}")]
    ManifestUnknown {
        /// Where it was looked for.
        repo: RepoName,
        /// What was looked for.
        reference: Reference,
    },
    /// No such blob there.
    #[error("repository {repo} has no blob {digest}")]
    BlobUnknown {
        /// Where it was looked for.
        repo: RepoName,
        /// What was looked for.
        digest: Digest,
    },
    /// The pushed bytes are no manifest.
    #[error(transparent)]
    ManifestInvalid(#[from] ManifestError),
    /// The manifest's digest is not the one in the request.
    #[error("the manifest has digest {actual}, not {expected}; push the bytes exactly as they were hashed")]
    ManifestDigest {
        /// What the request named.
        expected: Digest,
        /// What came.
        actual: Digest,
    },
    /// A check of the admission list said no.
    #[error("{message}")]
    Refused {
        /// The policy that said it.
        policy: &'static str,
        /// The code for the client.
        code: Code,
        /// What to do about it.
        message: String,
        /// The digests that it is about.
        digests: Vec<Digest>,
    },
    /// There is a repository of this name.
    #[error("there is a repository {0} already; change that one, or choose another name")]
    NameTaken(RepoName),
    /// What a repository is to say of itself is too long.
    #[error("{field} may have at most {limit} {unit}; it has {found}")]
    TextTooLong {
        /// Which text.
        field: &'static str,
        /// How long it may be.
        limit: usize,
        /// How long it is.
        found: usize,
        /// What was counted.
        unit: &'static str,
    },
    /// A mark that leads to another page, and not to one of this list.
    #[error("this is no mark of a page of this list; begin again at its first page")]
    ForeignCursor,
    /// A push is not begun because the disk is full.
    #[error(transparent)]
    NoSpace(#[from] crate::space::Full),
    /// The blob store said no.
    #[error(transparent)]
    Blob(#[from] BlobError),
    /// The metadata store failed.
    #[error(transparent)]
    Store(#[from] MetaError),
}

impl From<WriteError<RegistryError>> for RegistryError {
    fn from(error: WriteError<RegistryError>) -> Self {
        match error {
            WriteError::Refused(error) => error,
            WriteError::Store(error) => Self::Store(error),
        }
    }
}
