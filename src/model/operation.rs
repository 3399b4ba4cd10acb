//! What is asked: one variant per verb. Routing, permission, metric label and audit verb are read from it.

use crate::base::{Page, UploadId};
use crate::oci::{Algorithm, Digest, Reference, RepoName, Tag};

use super::permission::Action;

/// A request to the registry, parsed and typed (distribution-spec, "Endpoints").
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operation {
    /// end-1: is this a registry, and am I signed in?
    Ping,
    /// Docker's catalog of repositories.
    Catalog(Page),
    /// end-8: the tags of a repository.
    ListTags {
        /// Where.
        repo: RepoName,
        /// Which page.
        page: Page,
    },
    /// end-12: what refers to a manifest.
    ListReferrers {
        /// Where.
        repo: RepoName,
        /// The subject.
        subject: Digest,
        /// Only this artifact type.
        artifact_type: Option<String>,
        /// Which page; `last` is a digest's text.
        page: Page,
    },
    /// end-3: a manifest, with its body (`GET`) or without (`HEAD`).
    GetManifest {
        /// Where.
        repo: RepoName,
        /// Which.
        reference: Reference,
        /// Whether the body is wanted.
        body: bool,
    },
    /// end-7: store a manifest under a tag, or under its digest with any number of tags.
    PutManifest {
        /// Where.
        repo: RepoName,
        /// The tag or digest in the path.
        reference: Reference,
        /// end-7b: the `tag` parameters.
        tags: Vec<Tag>,
    },
    /// end-9: delete a tag or a manifest.
    DeleteManifest {
        /// Where.
        repo: RepoName,
        /// Which.
        reference: Reference,
    },
    /// end-2: a blob, with its body (`GET`) or without (`HEAD`).
    GetBlob {
        /// Where.
        repo: RepoName,
        /// Which.
        digest: Digest,
        /// Whether the body is wanted.
        body: bool,
    },
    /// end-10: delete a blob.
    DeleteBlob {
        /// Where.
        repo: RepoName,
        /// Which.
        digest: Digest,
    },
    /// end-4a, end-4c: begin an upload.
    StartUpload {
        /// Where.
        repo: RepoName,
        /// The announced digest algorithm.
        algorithm: Option<Algorithm>,
    },
    /// end-4b: a whole blob in a single POST.
    PushBlob {
        /// Where.
        repo: RepoName,
        /// The digest of the body.
        digest: Digest,
    },
    /// end-11: mount a blob that another repository has.
    MountBlob {
        /// Where.
        repo: RepoName,
        /// Which.
        digest: Digest,
        /// From where; `None` asks the registry to look (anonymous mount).
        from: Option<RepoName>,
        /// The announced digest algorithm of the upload that follows when there is nothing to mount.
        algorithm: Option<Algorithm>,
    },
    /// end-13: how far an upload has come.
    UploadStatus {
        /// Where.
        repo: RepoName,
        /// Which session.
        upload: UploadId,
    },
    /// end-5: the next chunk of an upload.
    AppendUpload {
        /// Where.
        repo: RepoName,
        /// Which session.
        upload: UploadId,
    },
    /// end-6: the last chunk (or none) and the digest of the whole.
    FinishUpload {
        /// Where.
        repo: RepoName,
        /// Which session.
        upload: UploadId,
        /// The digest of the whole.
        digest: Digest,
    },
    /// end-14: give an upload up.
    CancelUpload {
        /// Where.
        repo: RepoName,
        /// Which session.
        upload: UploadId,
    },
}

/// What a caller must be allowed to do for an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Requirement<'o> {
    /// Being signed in is enough (or reading anonymously, where that is on).
    SignedIn,
    /// Looking at lists whose entries are each asked for by themselves: whoever is signed in, and nobody in particular
    /// where everybody may pull.
    Browse,
    /// Administering the registry.
    Admin,
    /// The catalog of repositories; it names those that the caller may see.
    Catalog,
    /// An action on a repository.
    Repository(&'o RepoName, Action),
    /// Making repositories in this namespace.
    Namespace(&'o str),
    /// Something about an organization.
    Organization(&'o str, OrganizationAction),
    /// Something about an account.
    Account(&'o str, AccountAction),
}

/// What may be asked of an organization.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OrganizationAction {
    /// See its members and teams: its members may, and administrators.
    See,
    /// Change its members, teams and their grants: its owners may, and administrators.
    Manage,
}

/// What may be asked of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccountAction {
    /// See that it is there, and its name: whoever is signed in may.
    See,
    /// See its tokens and settings, change its password and full name: the account itself may, and administrators.
    Manage,
}

impl Operation {
    /// The verb as logs, metrics and the audit trail name it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Ping => "ping",
            Self::Catalog(_) => "catalog",
            Self::ListTags { .. } => "list_tags",
            Self::ListReferrers { .. } => "list_referrers",
            Self::GetManifest { body: true, .. } => "get_manifest",
            Self::GetManifest { body: false, .. } => "head_manifest",
            Self::PutManifest { .. } => "put_manifest",
            Self::DeleteManifest { .. } => "delete_manifest",
            Self::GetBlob { body: true, .. } => "get_blob",
            Self::GetBlob { body: false, .. } => "head_blob",
            Self::DeleteBlob { .. } => "delete_blob",
            Self::StartUpload { .. } => "start_upload",
            Self::PushBlob { .. } => "push_blob",
            Self::MountBlob { .. } => "mount_blob",
            Self::UploadStatus { .. } => "upload_status",
            Self::AppendUpload { .. } => "append_upload",
            Self::FinishUpload { .. } => "finish_upload",
            Self::CancelUpload { .. } => "cancel_upload",
        }
    }

    /// What it needs. (A mount needs pull on its source as well, which is asked for where it is answered.)
    pub fn requires(&self) -> Requirement<'_> {
        match self {
            Self::Ping => Requirement::SignedIn,
            Self::Catalog(_) => Requirement::Catalog,
            Self::ListTags { repo, .. }
            | Self::ListReferrers { repo, .. }
            | Self::GetManifest { repo, .. }
            | Self::GetBlob { repo, .. } => Requirement::Repository(repo, Action::Pull),
            Self::PutManifest { repo, .. }
            | Self::StartUpload { repo, .. }
            | Self::PushBlob { repo, .. }
            | Self::MountBlob { repo, .. }
            | Self::UploadStatus { repo, .. }
            | Self::AppendUpload { repo, .. }
            | Self::FinishUpload { repo, .. }
            | Self::CancelUpload { repo, .. } => Requirement::Repository(repo, Action::Push),
            Self::DeleteManifest { repo, .. } | Self::DeleteBlob { repo, .. } => {
                Requirement::Repository(repo, Action::Delete)
            }
        }
    }

    /// The repository that it concerns, if it is one.
    pub fn repo(&self) -> Option<&RepoName> {
        match self.requires() {
            Requirement::Repository(repo, _) => Some(repo),
            _ => None,
        }
    }
}
