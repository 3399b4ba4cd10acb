//! Lists of tags.

use super::listing::{self, Cursor, Sort};
use super::{Registry, RegistryError, known};
use crate::base::{Page, Timestamp};
use crate::meta::manifest::ManifestRow;
use crate::meta::tag;
use crate::oci::kind::Kind;
use crate::oci::{Digest, Reference, RepoName, Tag};

/// One page of a list and whether more follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed<T> {
    /// The entries, in byte order.
    pub entries: Vec<T>,
    /// Whether there are entries after these.
    pub more: bool,
}

impl<T> Listed<T> {
    /// Makes a page of `limit` out of up to `limit + 1` entries: the last one only tells that there is more.
    pub(super) fn cut(mut entries: Vec<T>, limit: usize) -> Self {
        let more = entries.len() > limit && limit > 0;
        entries.truncate(limit);
        Self { entries, more }
    }
}

impl Registry {
    /// The tags of a repository (end-8).
    ///
    /// # Errors
    /// [`RegistryError::NameUnknown`], or the store's fault.
    pub fn list_tags(&self, name: &RepoName, page: &Page) -> Result<Listed<String>, RegistryError> {
        let limit = page.limit();
        let entries = self.meta().read(|tx| {
            let id = known(tx, name)?;
            Ok::<_, RegistryError>(tag::names(tx, id, page.last.as_deref(), limit + 1)?)
        })?;
        Ok(Listed::cut(entries, limit))
    }
}

/// Which tags are asked for.
#[derive(Clone, Debug, Default)]
pub struct TagQuery {
    /// Only units of this kind. An application's unit holds its invocation image's tag, so a filter for images does
    /// not show that one.
    pub kind: Option<Kind>,
    /// Only those whose name contains this text; ASCII case is ignored.
    pub text: Option<String>,
    /// In which order.
    pub sort: Sort,
    /// From where on.
    pub after: Option<Cursor>,
    /// At most so many units.
    pub limit: usize,
}

/// What stands as one in a list: a tag, and the tag of its invocation image if it is an application that has one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TagUnit {
    /// The tag.
    pub tag: TagEntry,
    /// `<app>-invoc`, when it points at this application's invocation image: paired by digest, never by name alone.
    pub invocation: Option<TagEntry>,
}

/// One tag with what its manifest's row says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TagEntry {
    /// The tag; `None` for an untagged manifest.
    pub name: Option<Tag>,
    /// What it points at.
    pub digest: Digest,
    /// The manifest's row: kind, platforms, sizes, pushes and pulls.
    pub manifest: ManifestRow,
    /// When the tag was last pushed.
    pub pushed: Timestamp,
    /// By whom.
    pub pusher: String,
    /// When the tag was first pushed.
    pub created: Timestamp,
    /// The other tag of the pair: for an application its invocation image's tag, for that the application's.
    pub pair: Option<Tag>,
    /// Whether this tag is the invocation image of the application in `pair`.
    pub is_invocation: bool,
}

impl Registry {
    /// A page of a repository's tags; an application and its invocation image are one unit.
    ///
    /// # Errors
    /// [`RegistryError::NameUnknown`], a cursor that is none of ours, or the store's fault.
    pub fn tag_units(&self, name: &RepoName, query: &TagQuery) -> Result<listing::Page<TagUnit>, RegistryError> {
        todo!("{name} {query:?}")
    }

    /// A page of a repository's tags, each on its own, by name: as the REST interface lists them.
    ///
    /// # Errors
    /// [`RegistryError::NameUnknown`], or the store's fault.
    pub fn tag_entries(&self, name: &RepoName, page: &Page) -> Result<Listed<TagEntry>, RegistryError> {
        todo!("{name} {page:?}")
    }

    /// The tags that a reference stands for: a tag itself, or every tag that points at a digest (at most `limit`).
    ///
    /// # Errors
    /// [`RegistryError::NameUnknown`], [`RegistryError::ManifestUnknown`], or the store's fault.
    pub fn tags_of(&self, name: &RepoName, of: &Reference, limit: usize) -> Result<Vec<TagEntry>, RegistryError> {
        todo!("{name} {of} {limit}")
    }

    /// A page of the manifests that no tag points at and no other manifest refers to, latest push first.
    ///
    /// # Errors
    /// [`RegistryError::NameUnknown`], a cursor that is none of ours, or the store's fault.
    pub fn untagged(
        &self,
        name: &RepoName,
        after: Option<&Cursor>,
        limit: usize,
    ) -> Result<listing::Page<TagEntry>, RegistryError> {
        todo!("{name} {after:?} {limit}")
    }
}
