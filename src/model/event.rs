//! Events: what happened, in the past tense, versioned. Written in the transaction that made them true.

pub mod chain;
pub mod msr;

use serde::{Deserialize, Serialize};

use crate::base::{EventId, JobId, RepoId, Timestamp, Uuid};
use crate::oci::kind::Kind;
use crate::oci::{Digest, MediaType, RepoName, Tag};

use super::account::AccountKind;
use super::job::Task;
use super::permission::{Level, Place};
use super::personal_token::{TokenHash, TokenScope};
use super::principal::{Actor, Principal};

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
    /// With which program, as it calls itself; at most [`Event::AGENT`] bytes of that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    /// By which access token or policy, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub via: Option<String>,
    /// Whether it was done.
    #[serde(default, skip_serializing_if = "Outcome::is_done")]
    pub result: Outcome,
    /// Why it was refused, or allowed: the decision's own sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What.
    pub what: Happening,
}

impl Event {
    /// The most bytes of a program's name for itself.
    pub const AGENT: usize = 128;
    /// The most bytes of a reason.
    pub const REASON: usize = 512;

    /// Something that was done; whoever knows more of it sets the other fields.
    pub fn new(id: EventId, time: Timestamp, actor: Principal, what: Happening) -> Self {
        Self { id, time, actor, address: None, agent: None, via: None, result: Outcome::Done, reason: None, what }
    }

    /// The same with all that is known of who did it.
    pub fn by(actor: &Actor, id: EventId, time: Timestamp, what: Happening) -> Self {
        let Actor { principal, address, agent, via, narrowed: _ } = actor.clone();
        Self { address, agent, via, ..Self::new(id, time, principal, what) }
    }
}

/// Whether what an event tells of was done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It was.
    #[default]
    Done,
    /// It was not: the registry said no.
    Refused,
}

impl Outcome {
    /// Its name in queries, exports and on pages.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Refused => "refused",
        }
    }

    /// Reads the name.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Done, Self::Refused].into_iter().find(|outcome| outcome.as_str() == word)
    }

    #[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks with a reference")]
    const fn is_done(&self) -> bool {
        matches!(self, Self::Done)
    }
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
    /// A manifest was stored or stored again. One for each manifest, also for those that are pushed by digest as parts
    /// of another one; who asks what was pushed under a name looks at [`Happening::TagPushed`].
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
    /// A tag was pushed: written, also when it points where it pointed before. One for each tag of a push and none for
    /// what is pushed by digest, so that an application is one such event (docker app 0.8: and one for its invocation
    /// image's tag) however many parts it has. A client that writes a tag several times in one push (docker app 0.9:
    /// the invocation image, then the index) makes as many events: each could have been its last.
    TagPushed {
        /// Where.
        name: RepoName,
        /// Which.
        tag: Tag,
        /// What it points at since.
        digest: Digest,
        /// What that is.
        kind: Kind,
        /// The other tag of the pair as of this push: of an application its invocation image's, of that the
        /// application's. docker app pushes the invocation image first, so that only the application's event has it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pair: Option<Tag>,
        /// The members of an application as its index lists them, at most [`PushedMember::MOST`].
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        members: Vec<PushedMember>,
    },
    /// A tag was deleted.
    TagDeleted {
        /// Where.
        name: RepoName,
        /// Which.
        tag: Tag,
        /// What it pointed at.
        digest: Digest,
        /// Whether an administrator forced it although an application needed it.
        #[serde(default, skip_serializing_if = "is_false")]
        forced: bool,
    },
    /// A manifest was deleted, and with it the tags that pointed at it.
    ManifestDeleted {
        /// Where.
        name: RepoName,
        /// Which.
        digest: Digest,
        /// The tags that went with it.
        tags: Vec<Tag>,
        /// What belonged to it, was needed by nothing else and went with it.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        parts: Vec<Digest>,
        /// Whether an administrator forced it although an application needed it.
        #[serde(default, skip_serializing_if = "is_false")]
        forced: bool,
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
    /// Somebody signed in to the pages, or was given a token that lasts (`docker login`).
    SignedIn {
        /// Who.
        account: String,
    },
    /// Somebody ended sessions of the pages, other than by signing out of them.
    SessionsEnded {
        /// Whose.
        account: String,
        /// How many.
        sessions: u32,
    },
    /// A manifest was pulled. Pulls are noted in memory and written down every few minutes, those of the same manifest by
    /// the same name, account, address and program as one; a crash loses what was not written yet.
    Pulled {
        /// From where.
        name: RepoName,
        /// By which tag; `None` when by digest.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        tag: Option<Tag>,
        /// Which.
        digest: Digest,
        /// How often.
        times: u64,
        /// When for the first time; the event's own time is that of the last.
        since: Timestamp,
    },
    /// Something was asked for and refused. Like refusals within a short time are one.
    Refused {
        /// In which repository, where it is one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        name: Option<RepoName>,
        /// What was asked for, as the access log names it: `put_manifest`, `sign_in`, `bearer_token`, …
        operation: String,
        /// Whose account it is about, where that is not the actor's.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        account: Option<String>,
        /// How often.
        times: u64,
        /// When for the first time; the event's own time is that of the last.
        since: Timestamp,
    },
    /// An account came into being.
    AccountCreated {
        /// Its name.
        account: String,
        /// Its id.
        id: Uuid,
        /// What it is.
        kind: AccountKind,
        /// The repository whose first push made it: an administrator pushed to a new namespace.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by_push_to: Option<RepoName>,
    },
    /// Something about an account was changed, other than its password.
    AccountChanged {
        /// Its name.
        account: String,
        /// Whether it may be used since, if that changed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        active: Option<bool>,
        /// Whether it administers the registry since, if that changed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        admin: Option<bool>,
        /// Whether its full name changed.
        #[serde(default, skip_serializing_if = "is_false")]
        full_name: bool,
    },
    /// An account was deleted.
    AccountDeleted {
        /// Its name.
        account: String,
        /// Its id; a later one of the same name has another.
        id: Uuid,
        /// What it was.
        kind: AccountKind,
    },
    /// A team was made.
    TeamCreated {
        /// In which organization.
        organization: String,
        /// Its name.
        team: String,
        /// Its id.
        id: Uuid,
    },
    /// A team's name or description was changed.
    TeamChanged {
        /// In which organization.
        organization: String,
        /// Its name since.
        team: String,
        /// The name before, if that changed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        was: Option<String>,
    },
    /// A team was deleted, and with it its grants.
    TeamDeleted {
        /// In which organization.
        organization: String,
        /// Its name.
        team: String,
        /// Its id.
        id: Uuid,
    },
    /// A user became a member of an organization or of one of its teams, or became or ceased to be an owner.
    MemberAdded {
        /// Which organization.
        organization: String,
        /// Which team; none for the organization itself.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        team: Option<String>,
        /// Who.
        account: String,
        /// Whether as an owner of the organization.
        #[serde(default, skip_serializing_if = "is_false")]
        owner: bool,
    },
    /// A user left an organization (and with it its teams), or a team.
    MemberRemoved {
        /// Which organization.
        organization: String,
        /// Which team; none for the organization itself.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        team: Option<String>,
        /// Who.
        account: String,
    },
    /// A team got a right, or another one than it had there.
    GrantSet {
        /// Where.
        place: Place,
        /// The team's organization.
        organization: String,
        /// The team.
        team: String,
        /// How much since.
        level: Level,
        /// How much before.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        was: Option<Level>,
    },
    /// A team lost a right.
    GrantRemoved {
        /// Where.
        place: Place,
        /// The team's organization.
        organization: String,
        /// The team.
        team: String,
        /// How much it was.
        was: Level,
    },
    /// A personal access token was made.
    TokenCreated {
        /// Whose.
        account: String,
        /// Its id: the hash, from which nobody gets to the token.
        token: TokenHash,
        /// Its label.
        label: String,
        /// What it gives.
        scope: TokenScope,
    },
    /// A token was switched on or off, or labelled anew.
    TokenChanged {
        /// Whose.
        account: String,
        /// Which.
        token: TokenHash,
        /// Its label since.
        label: String,
        /// Whether it works since.
        active: bool,
    },
    /// A token was deleted.
    TokenDeleted {
        /// Whose.
        account: String,
        /// Which.
        token: TokenHash,
        /// Its label.
        label: String,
    },
    /// Who may see a repository, besides those with rights on it, was changed.
    VisibilityChanged {
        /// Its name.
        name: RepoName,
        /// Whether everybody who is signed in may pull since.
        public: bool,
    },
    /// Somebody started work that the registry otherwise does by itself.
    JobStarted {
        /// Which.
        task: Task,
        /// The job that does it; none where whoever asked for it did it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        job: Option<JobId>,
        /// Of a collection: whether leases kept nothing.
        #[serde(default, skip_serializing_if = "is_false")]
        ignore_leases: bool,
    },
    /// Somebody took back a job, or had one forgotten that had failed for good.
    JobRemoved {
        /// What it was to do.
        task: Task,
        /// Which.
        job: JobId,
    },
    /// A setting that is kept in the store was changed.
    SettingsChanged {
        /// Which.
        setting: String,
        /// To what, in words.
        value: String,
    },
}

impl Happening {
    /// The repository that it is about.
    pub const fn repository(&self) -> Option<&RepoName> {
        match self {
            Self::RepositoryCreated { name, .. }
            | Self::RepositoryChanged { name }
            | Self::RepositoryDeleted { name, .. }
            | Self::ManifestPushed { name, .. }
            | Self::TagPushed { name, .. }
            | Self::TagDeleted { name, .. }
            | Self::ManifestDeleted { name, .. }
            | Self::ManifestCollected { name, .. }
            | Self::BlobDeleted { name, .. }
            | Self::Pulled { name, .. }
            | Self::GrantSet { place: Place::Repository(name), .. }
            | Self::GrantRemoved { place: Place::Repository(name), .. }
            | Self::VisibilityChanged { name, .. } => Some(name),
            Self::Refused { name, .. } | Self::AccountCreated { by_push_to: name, .. } => name.as_ref(),
            Self::PasswordChanged { .. }
            | Self::SignedIn { .. }
            | Self::SessionsEnded { .. }
            | Self::AccountChanged { .. }
            | Self::AccountDeleted { .. }
            | Self::TeamCreated { .. }
            | Self::TeamChanged { .. }
            | Self::TeamDeleted { .. }
            | Self::MemberAdded { .. }
            | Self::MemberRemoved { .. }
            | Self::GrantSet { .. }
            | Self::GrantRemoved { .. }
            | Self::TokenCreated { .. }
            | Self::TokenChanged { .. }
            | Self::TokenDeleted { .. }
            | Self::JobStarted { .. }
            | Self::JobRemoved { .. }
            | Self::SettingsChanged { .. } => None,
        }
    }

    /// The account that it is about.
    pub fn account(&self) -> Option<&str> {
        match self {
            Self::PasswordChanged { account }
            | Self::SignedIn { account }
            | Self::SessionsEnded { account, .. }
            | Self::AccountCreated { account, .. }
            | Self::AccountChanged { account, .. }
            | Self::AccountDeleted { account, .. }
            | Self::MemberAdded { account, .. }
            | Self::MemberRemoved { account, .. }
            | Self::TokenCreated { account, .. }
            | Self::TokenChanged { account, .. }
            | Self::TokenDeleted { account, .. }
            // An organization is an account.
            | Self::TeamCreated { organization: account, .. }
            | Self::TeamChanged { organization: account, .. }
            | Self::TeamDeleted { organization: account, .. }
            | Self::GrantSet { organization: account, .. }
            | Self::GrantRemoved { organization: account, .. } => Some(account),
            Self::Refused { account, .. } => account.as_deref(),
            _ => None,
        }
    }

    /// How often it happened.
    pub const fn times(&self) -> u64 {
        match self {
            Self::Pulled { times, .. } | Self::Refused { times, .. } => *times,
            _ => 1,
        }
    }
}

/// A member of an application that was pushed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PushedMember {
    /// `config`, `invocation` or `component`.
    pub role: String,
    /// The component's name.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// Its manifest.
    pub digest: Digest,
}

impl PushedMember {
    /// The most members that one event lists; an event is one row, and rows are small.
    pub const MOST: usize = 100;
    /// The most bytes of a name.
    pub const NAME: usize = 255;
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks with a reference")]
const fn is_false(value: &bool) -> bool {
    !*value
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::oci::Algorithm;

    /// Rows of earlier versions have fewer fields, and rows of this one no more than they need.
    #[test]
    fn what_was_written_before_is_read() {
        let digest = Digest::of(Algorithm::Sha256, b"x");
        let old = json!({ "tag_deleted": { "name": "a/b", "tag": "1", "digest": digest } });
        let read: Happening = serde_json::from_value(old.clone()).unwrap();
        assert!(matches!(read, Happening::TagDeleted { forced: false, .. }));
        assert_eq!(serde_json::to_value(&read).unwrap(), old);
        let old = json!({ "manifest_deleted": { "name": "a/b", "digest": digest, "tags": [] } });
        let read: Happening = serde_json::from_value(old.clone()).unwrap();
        assert!(matches!(&read, Happening::ManifestDeleted { forced: false, parts, .. } if parts.is_empty()));
        assert_eq!(serde_json::to_value(&read).unwrap(), old);
        let pushed = json!({ "tag_pushed": { "name": "a/b", "tag": "1", "digest": digest, "kind": "application",
            "pair": "1-invoc", "members": [{ "role": "config", "digest": digest }] } });
        let read: Happening = serde_json::from_value(pushed.clone()).unwrap();
        assert_eq!(serde_json::to_value(&read).unwrap(), pushed);
    }
}
