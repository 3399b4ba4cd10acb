//! Search over what a caller may see: repositories, tags, digest prefixes and annotations.

use super::{Registry, RegistryError};
use crate::oci::kind::Kind;
use crate::oci::{Digest, RepoName, Tag};

/// What was found, each list at most `limit` long.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// Repositories whose name contains the text.
    pub repositories: Vec<RepoName>,
    /// Tags that begin with the text.
    pub tags: Vec<(RepoName, Tag, Kind)>,
    /// Manifests whose digest begins with the text (six hexadecimal digits or more), or blobs' repositories.
    pub digests: Vec<(RepoName, Digest, Kind)>,
    /// Manifests with an annotation or label of this `key=value`, or with a title, name or description word that begins
    /// with the text.
    pub annotations: Vec<(RepoName, Digest, String)>,
    /// Whether any list was cut.
    pub more: bool,
}

impl Registry {
    /// Searches for `text` in what `readable` lets the caller see.
    ///
    /// # Errors
    /// When the store fails.
    pub fn search(
        &self,
        text: &str,
        limit: usize,
        readable: impl Fn(&RepoName) -> bool,
    ) -> Result<Found, RegistryError> {
        todo!("{text} {limit} {}", readable(&RepoName::parse("a").expect("a name")))
    }
}
