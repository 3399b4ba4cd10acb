//! The layout of the metadata store: every table, its key and its value, in one place.
//!
//! Keys are written with [`super::key::Key`], in the order in which their parts are named here; values are a format
//! byte plus JSON ([`super::record`]), bodies raw. `repo` is a [`crate::base::RepoId`]; `→ ()` means an empty value.

/// A table of byte keys and byte values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Table(&'static str);

impl Table {
    /// A table that only the engine's tests have.
    #[cfg(test)]
    pub(super) const fn for_test(name: &'static str) -> Self {
        Self(name)
    }

    /// The table's name in the store.
    pub const fn name(self) -> &'static str {
        self.0
    }
}

/// `name` → single values: schema version, instance id, steady time, the last report of collection,
/// read-only mode.
pub const META: Table = Table("meta");

/// `repository name` → repo. In byte order, which is the catalog's.
pub const REPO_BY_NAME: Table = Table("repo_by_name");
/// repo → [`super::repo::RepoRow`].
pub const REPO: Table = Table("repo");
/// repo, `counter name` → i64 ([`super::repo::Counter`]).
pub const REPO_COUNTER: Table = Table("repo_counter");

/// repo → Markdown, raw: what a repository says of itself at length.
pub const REPO_README: Table = Table("repo_readme");
/// repo → [`super::repo::Listed`]: the rows of [`REPO_ORDER`] that it has.
pub const REPO_LISTED: Table = Table("repo_listed");
/// `k`, `kind` (or an empty text, for a repository without tags), `n`, `namespace` or `p` (public ones); order, place
/// ([`super::order`]) → repo.
pub const REPO_ORDER: Table = Table("repo_order");
/// repo → (): deleted repositories whose rows are still to go.
pub const REPO_DELETED: Table = Table("repo_deleted");
/// `repository name` → steady time in ms, raw u64: until when a push may still be on its way that began before the
/// repository of this name was deleted.
pub const REPO_GONE: Table = Table("repo_gone");

/// repo, `tag` → [`super::tag::TagRow`].
pub const TAG: Table = Table("tag");
/// repo, digest, `tag` → (): the tags that point at a manifest.
pub const TAG_BY_MANIFEST: Table = Table("tag_by_manifest");
/// repo, `tag`, event id → [`super::tag::TagMove`]: what a tag pointed at, oldest first.
pub const TAG_HISTORY: Table = Table("tag_history");

/// repo, `kind`, order, place ([`super::order`]) → (): the units of the tag list.
pub const TAG_ORDER: Table = Table("tag_order");
/// `tag`, repo → (): where a tag is, for searching by its beginning.
pub const TAG_BY_NAME: Table = Table("tag_by_name");

/// repo, digest → [`super::manifest::ManifestRow`].
pub const MANIFEST: Table = Table("manifest");
/// digest, repo → (): the repositories that have a manifest; with the last one the body goes.
pub const MANIFEST_BY_DIGEST: Table = Table("manifest_by_digest");
/// digest, u64 piece → at most [`super::manifest::PIECE`] raw bytes of a manifest's body, as pushed.
pub const MANIFEST_BODY: Table = Table("manifest_body");
/// repo, child digest, parent digest → [`super::manifest::Edge`]: what a manifest of this repository refers to.
/// Answers "is this still needed here?" in one probe.
pub const EDGE: Table = Table("edge");
/// repo, inverse of when it was pushed (u64), digest → (): manifests that no tag points at, the latest first.
pub const UNTAGGED: Table = Table("untagged");
/// repo, digest → the terms of a manifest, as they stand in [`TERM`].
pub const MANIFEST_TERMS: Table = Table("manifest_terms");
/// `term`, repo, digest → (): what annotations and labels say ([`super::term`]).
pub const TERM: Table = Table("term");
/// repo, subject digest, referrer digest → [`super::referrer::ReferrerRow`].
pub const REFERRER: Table = Table("referrer");

/// digest → [`super::blob::BlobRow`].
pub const BLOB: Table = Table("blob");
/// digest → the raw bytes of a blob that is small enough to live here.
pub const BLOB_BODY: Table = Table("blob_body");
/// repo, digest → [`super::blob::LinkRow`]: the blobs that a repository has, and so may be pulled from it.
pub const LINK: Table = Table("link");
/// digest, repo → (): the repositories that have a blob.
pub const LINK_BY_DIGEST: Table = Table("link_by_digest");
/// file id → digest: the blob files that a row names.
pub const FILE: Table = Table("file");
/// file id → [`super::blob::DoomedRow`]: files that no row needs any more and that wait to be unlinked.
pub const DOOMED: Table = Table("doomed");

/// digest → steady time in ms, raw u64: until when an acknowledged blob or manifest is kept although nothing refers
/// to it. Leases only grow.
pub const LEASE: Table = Table("lease");
/// repo, digest → steady time in ms, raw u64: when this repository last lost a blob or manifest that it had.
pub const LOST: Table = Table("lost");

/// event id → [`crate::model::event::chain::Recorded`]: what happened, by time.
pub const EVENT: Table = Table("event");
/// chain (the repository's id, 0 for what belongs to none), u64 number → event id: the events of a chain, in order.
pub const EVENT_BY_CHAIN: Table = Table("event_by_chain");
/// chain → [`crate::model::event::chain::Head`]: where a chain ends.
pub const EVENT_HEAD: Table = Table("event_head");
/// chain → [`crate::model::event::chain::Checkpoint`]: where a chain begins whose oldest events were removed.
pub const EVENT_CHECKPOINT: Table = Table("event_checkpoint");
/// repo, event id → (): the events of a repository in schema 2; emptied by the migration to schema 3.
pub const EVENT_BY_REPO: Table = Table("event_by_repo");

/// job id → [`crate::model::Job`].
pub const JOB: Table = Table("job");
/// u64 due time in ms, job id → (): the queue.
pub const JOB_DUE: Table = Table("job_due");
/// `task name` → [`crate::model::job::Schedule`].
pub const SCHEDULE: Table = Table("schedule");

/// account name → `model::account::Account`.
pub const ACCOUNT: Table = Table("account");
/// account id → account name.
pub const ACCOUNT_BY_ID: Table = Table("account_by_id");
/// `u` (users), `o` (organizations), `a` (administrators), `p` (users who are none), `c` (active) or `i` (inactive), account
/// name → (): a list for each filter that is offered, so that a page costs what it shows.
pub const ACCOUNT_LIST: Table = Table("account_list");
/// account name → (): deleted accounts whose other rows are still to go; until then nobody gets the name.
pub const DEPARTED: Table = Table("departed");

/// organization, user → [`crate::model::organization::Member`].
pub const MEMBER: Table = Table("member");
/// user, organization → (): the organizations of a user.
pub const MEMBER_OF: Table = Table("member_of");
/// team id → [`crate::model::organization::Team`]. What names a team without a row here means nothing any more.
pub const TEAM: Table = Table("team");
/// organization, team name → team id.
pub const TEAM_BY_NAME: Table = Table("team_by_name");
/// team id → (): deleted teams whose other rows are still to go.
pub const TEAM_GONE: Table = Table("team_gone");
/// team id, user → (): the members of a team.
pub const TEAM_MEMBER: Table = Table("team_member");
/// user, organization, team id → (): the teams of a user.
pub const TEAM_OF: Table = Table("team_of");
/// `n`, namespace or `r`, repo; team id → [`crate::model::Level`]: who has rights there.
pub const GRANT: Table = Table("grant");
/// team id; `n`, namespace or `r`, repository name, repo → [`crate::model::Level`]: where a team has rights.
pub const GRANT_OF: Table = Table("grant_of");

/// SHA-256 of a personal access token (32 bytes) → [`crate::model::personal_token::PersonalToken`].
pub const PERSONAL_TOKEN: Table = Table("personal_token");
/// account name, created (ms), SHA-256 of the token → (): the tokens of a user, oldest first.
pub const PERSONAL_TOKEN_OF: Table = Table("personal_token_of");
/// SHA-256 of the token → [`crate::model::personal_token::TokenUsed`]: its last use.
pub const PERSONAL_TOKEN_USED: Table = Table("personal_token_used");

/// SHA-256 of a refresh token (32 bytes) → `model::account::RefreshToken`.
pub const REFRESH: Table = Table("refresh");
/// account name, issued (ms), SHA-256 of the token → (); oldest first.
pub const REFRESH_BY_ACCOUNT: Table = Table("refresh_by_account");
/// key id → `super::account::TokenKey`: the shared secrets that sign bearer tokens.
pub const TOKEN_KEY: Table = Table("token_key");

/// SHA-256 of a session's token (32 bytes) → [`super::session::SessionRow`].
pub const SESSION: Table = Table("session");
/// account name, opened (ms), SHA-256 of the token → (); oldest first.
pub const SESSION_BY_ACCOUNT: Table = Table("session_by_account");

/// client address, asked name, alert → a client that refused our certificate ([`super::refusal`]).
pub const REFUSAL: Table = Table("refusal");

/// What decides whose credentials are good, and who may do what in a repository. Pushes change none of these but where they
/// make a repository, so what was read of them alone may be remembered beyond commits ([`super::Engine::rights_epoch`]).
pub const RIGHTS: &[Table] =
    &[REPO_BY_NAME, REPO, MEMBER, MEMBER_OF, TEAM, TEAM_OF, GRANT, GRANT_OF, ACCOUNT, PERSONAL_TOKEN];

/// Every table, so that the engine can create them all at once.
pub const ALL: &[Table] = &[
    META,
    REPO_BY_NAME,
    REPO,
    REPO_COUNTER,
    REPO_README,
    REPO_LISTED,
    REPO_ORDER,
    REPO_DELETED,
    REPO_GONE,
    TAG,
    TAG_BY_MANIFEST,
    TAG_HISTORY,
    TAG_ORDER,
    TAG_BY_NAME,
    MANIFEST,
    MANIFEST_BY_DIGEST,
    MANIFEST_BODY,
    EDGE,
    UNTAGGED,
    MANIFEST_TERMS,
    TERM,
    REFERRER,
    BLOB,
    BLOB_BODY,
    LINK,
    LINK_BY_DIGEST,
    FILE,
    DOOMED,
    LEASE,
    LOST,
    EVENT,
    EVENT_BY_CHAIN,
    EVENT_HEAD,
    EVENT_CHECKPOINT,
    EVENT_BY_REPO,
    JOB,
    JOB_DUE,
    SCHEDULE,
    ACCOUNT,
    ACCOUNT_BY_ID,
    ACCOUNT_LIST,
    DEPARTED,
    MEMBER,
    MEMBER_OF,
    TEAM,
    TEAM_BY_NAME,
    TEAM_GONE,
    TEAM_MEMBER,
    TEAM_OF,
    GRANT,
    GRANT_OF,
    PERSONAL_TOKEN,
    PERSONAL_TOKEN_OF,
    PERSONAL_TOKEN_USED,
    REFRESH,
    REFRESH_BY_ACCOUNT,
    TOKEN_KEY,
    SESSION,
    SESSION_BY_ACCOUNT,
    REFUSAL,
];
