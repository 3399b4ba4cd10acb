//! Events: what happened, in the past tense, versioned. Written in the transaction that made them true.

use serde::{Deserialize, Serialize};

use crate::base::{EventId, RepoId, Timestamp};
use crate::oci::{Digest, MediaType, RepoName, Tag};

use super::principal::Principal;

/// Something that happened to the registry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// Its id, ordered by time.
    pub id: EventId,
    /// When.
    pub time: Timestamp,
    /// By whom.
    pub actor: Principal,
    /// From which address, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// What.
    pub what: Happening,
}

/// What happened. Variants and fields are only ever added.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Happening {
    /// A repository came into being, by its first push or because somebody made it.
    RepositoryCreated {
        /// Its id.
        repo: RepoId,
        /// Its name.
        name: RepoName,
    },
    /// What a repository says of itself, or who may see it, was changed.
    RepositoryChanged {
        /// Its name.
        name: RepoName,
    },
    /// A repository was deleted with all that it held.
    RepositoryDeleted {
        /// Its id; a later one of the same name has another.
        repo: RepoId,
        /// Its name.
        name: RepoName,
    },
    /// A manifest was stored or stored again.
    ManifestPushed {
        /// Where.
        name: RepoName,
        /// Which.
        digest: Digest,
        /// Its type.
        media_type: MediaType,
        /// The tags that point at it since this push.
        tags: Vec<Tag>,
    },
    /// A tag was deleted.
    TagDeleted {
        /// Where.
        name: RepoName,
        /// Which.
        tag: Tag,
        /// What it pointed at.
        digest: Digest,
    },
    /// A manifest was deleted, and with it the tags that pointed at it.
    ManifestDeleted {
        /// Where.
        name: RepoName,
        /// Which.
        digest: Digest,
        /// The tags that went with it.
        tags: Vec<Tag>,
    },
    /// Collection took away a manifest: nothing referred to it, and it was not used for long.
    ManifestCollected {
        /// Where.
        name: RepoName,
        /// Which.
        digest: Digest,
    },
    /// A blob was deleted from a repository.
    BlobDeleted {
        /// Where.
        name: RepoName,
        /// Which.
        digest: Digest,
    },
    /// An account's password was changed.
    PasswordChanged {
        /// Whose.
        account: String,
    },
}
