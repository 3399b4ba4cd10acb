//! Repositories: the list that the pages and the REST interface show, one repository's description, making, changing
//! and deleting one.

use super::listing::{Cursor, Page, Sort};
use super::{Actor, Registry, RegistryError};
use crate::base::{RepoId, Timestamp};
use crate::oci::kind::Kind;
use crate::oci::{RepoName, Tag};

/// Which repositories are asked for.
#[derive(Clone, Debug, Default)]
pub struct RepoQuery {
    /// Only those of this namespace.
    pub namespace: Option<String>,
    /// Only those that hold a tag of this kind.
    pub kind: Option<Kind>,
    /// Only those whose name contains this text; ASCII case is ignored.
    pub text: Option<String>,
    /// In which order.
    pub sort: Sort,
    /// From where on.
    pub after: Option<Cursor>,
    /// At most so many.
    pub limit: usize,
}

/// One line of the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RepoEntry {
    /// Its id, which outlives a deletion and a new repository of the same name.
    pub id: RepoId,
    /// Its name.
    pub name: RepoName,
    /// Who may see it.
    pub visibility: Visibility,
    /// One line about it.
    pub short_description: String,
    /// How many units of each kind its tags are: an application and its invocation image are one.
    pub contains: Vec<(Kind, u64)>,
    /// The tag that was pushed last, when, and by whom.
    pub newest: Option<Newest>,
    /// Tags.
    pub tags: u64,
    /// Bytes of the blobs that it has.
    pub size: u64,
    /// When it came into being.
    pub created: Timestamp,
}

/// The latest push to a tag of a repository.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Newest {
    /// The tag.
    pub tag: Tag,
    /// When.
    pub pushed: Timestamp,
    /// By whom.
    pub pusher: String,
}

/// Who may see a repository, besides those who have rights on it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Visibility {
    /// Nobody.
    #[default]
    Private,
    /// Everybody who is signed in, and others where anonymous reading is on.
    Public,
}

/// A repository as its own page shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RepoDetails {
    /// What the list says.
    pub entry: RepoEntry,
    /// The README, as Markdown.
    pub long_description: String,
    /// Pulls of manifests since it came into being; those of the last minutes may be missing.
    pub pulls: u64,
    /// Pushes of manifests.
    pub pushes: u64,
    /// Untagged manifests that nothing tagged refers to, as far as counted: `None` when not known.
    pub untagged: Option<u64>,
}

/// What may be changed about a repository; `None` leaves it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RepoChange {
    /// One line, at most 140 characters.
    pub short_description: Option<String>,
    /// Markdown, at most 25,000 bytes.
    pub long_description: Option<String>,
    /// Who may see it.
    pub visibility: Option<Visibility>,
}

impl Registry {
    /// The repositories that `readable` lets the caller see.
    ///
    /// # Errors
    /// A cursor that is none of ours, or the store's fault.
    pub fn repositories(
        &self,
        query: &RepoQuery,
        readable: impl Fn(&RepoName) -> bool,
    ) -> Result<Page<RepoEntry>, RegistryError> {
        todo!("{query:?} {}", readable(&RepoName::parse("a").expect("a name")))
    }

    /// One repository.
    ///
    /// # Errors
    /// [`RegistryError::NameUnknown`], or the store's fault.
    pub fn repository(&self, name: &RepoName) -> Result<RepoDetails, RegistryError> {
        todo!("{name}")
    }

    /// Makes an empty repository. (A first push makes one too.)
    ///
    /// # Errors
    /// A refusal when there is one of this name already, or the store's fault.
    pub async fn create_repository(
        &self,
        actor: Actor,
        name: &RepoName,
        change: RepoChange,
    ) -> Result<RepoDetails, RegistryError> {
        todo!("{actor:?} {name} {change:?}")
    }

    /// Changes what a repository says of itself.
    ///
    /// # Errors
    /// [`RegistryError::NameUnknown`], a refusal of a text that is too long, or the store's fault.
    pub async fn change_repository(
        &self,
        actor: Actor,
        name: &RepoName,
        change: RepoChange,
    ) -> Result<RepoDetails, RegistryError> {
        todo!("{actor:?} {name} {change:?}")
    }

    /// Deletes a repository with all that it holds: it is gone with the answer, and its rows go in bounded steps
    /// behind (design.md §5). A push to its name makes a new one.
    ///
    /// # Errors
    /// [`RegistryError::NameUnknown`], or the store's fault.
    pub async fn delete_repository(&self, actor: Actor, name: &RepoName) -> Result<(), RegistryError> {
        todo!("{actor:?} {name}")
    }
}
