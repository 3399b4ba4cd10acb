//! Events in MSR's words (its REST interface, `/events`): a verb, the type of the object, and the name of what happened as
//! its webhooks and activity pages have it. Where MSR had no word (its list of object types is not documented), ours are
//! made after its own.

use super::{Event, Happening};

/// What an event does, as MSR's `type` says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verb {
    /// Something came into being: a repository, a pushed tag or manifest, a session.
    Create,
    /// Something was given out: a pull.
    Get,
    /// Something was changed.
    Update,
    /// Something went.
    Delete,
    /// Something was sent elsewhere (mirroring, webhooks).
    Send,
    /// Something was refused, or went wrong.
    Fail,
    /// Something was scanned.
    Scan,
}

impl Verb {
    /// All of them, in the order of MSR's documentation.
    pub const ALL: [Self; 7] =
        [Self::Create, Self::Get, Self::Update, Self::Delete, Self::Send, Self::Fail, Self::Scan];

    /// MSR's word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Create => "CREATE",
            Self::Get => "GET",
            Self::Update => "UPDATE",
            Self::Delete => "DELETE",
            Self::Send => "SEND",
            Self::Fail => "FAIL",
            Self::Scan => "SCAN",
        }
    }

    /// Reads the word, in any case.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|verb| verb.as_str().eq_ignore_ascii_case(word))
    }
}

/// The type of what an event is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ObjectType {
    /// A repository.
    Repository,
    /// A tag.
    Tag,
    /// A manifest.
    Manifest,
    /// A blob.
    Blob,
    /// An account: a user or an organization.
    Account,
    /// A team.
    Team,
    /// A personal access token.
    Token,
    /// The registry itself.
    Registry,
}

impl ObjectType {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Repository,
        Self::Tag,
        Self::Manifest,
        Self::Blob,
        Self::Account,
        Self::Team,
        Self::Token,
        Self::Registry,
    ];

    /// Its word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Repository => "REPOSITORY",
            Self::Tag => "TAG",
            Self::Manifest => "MANIFEST",
            Self::Blob => "BLOB",
            Self::Account => "ACCOUNT",
            Self::Team => "TEAM",
            Self::Token => "TOKEN",
            Self::Registry => "REGISTRY",
        }
    }

    /// Reads the word, in any case.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|object| object.as_str().eq_ignore_ascii_case(word))
    }
}

/// An event in MSR's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Words {
    /// Its verb.
    pub verb: Verb,
    /// What it is called: `TAG_PUSH`, `REPO_CREATED`, …
    pub name: &'static str,
    /// The type of its object.
    pub object: ObjectType,
    /// What identifies the object: a digest, or its name.
    pub id: String,
    /// The object's name: `lab/app:1.0`, `lab/app@sha256:…`, an account.
    pub label: String,
}

/// Whether an event is a pull, which lists leave out unless they are asked for.
pub const fn is_pull(what: &Happening) -> bool {
    matches!(what, Happening::Pulled { .. })
}

/// An event in MSR's words.
pub fn words(event: &Event) -> Words {
    use ObjectType::{Account, Blob, Manifest, Registry, Repository, Tag, Team, Token};
    use Verb::{Create, Delete, Update};
    let place = |organization: &str, team: Option<&str>| match team {
        Some(team) => format!("{organization}/{team}"),
        None => organization.to_owned(),
    };
    let make = |verb, name, object, id: String, label: String| Words { verb, name, object, id, label };
    let plain = |verb, name, object, label: &str| make(verb, name, object, label.to_owned(), label.to_owned());
    match &event.what {
        Happening::RepositoryCreated { name, .. } => plain(Verb::Create, "REPO_CREATED", Repository, name.as_str()),
        Happening::RepositoryChanged { name } => plain(Verb::Update, "REPO_UPDATED", Repository, name.as_str()),
        Happening::RepositoryDeleted { name, .. } => plain(Verb::Delete, "REPO_DELETED", Repository, name.as_str()),
        Happening::ManifestPushed { name, digest, .. } => {
            make(Verb::Create, "MANIFEST_PUSH", Manifest, digest.to_string(), format!("{name}@{digest}"))
        }
        Happening::TagPushed { name, tag, digest, .. } => {
            make(Verb::Create, "TAG_PUSH", Tag, digest.to_string(), format!("{name}:{tag}"))
        }
        Happening::TagDeleted { name, tag, digest, .. } => {
            make(Verb::Delete, "TAG_DELETE", Tag, digest.to_string(), format!("{name}:{tag}"))
        }
        Happening::ManifestDeleted { name, digest, .. } => {
            make(Verb::Delete, "MANIFEST_DELETE", Manifest, digest.to_string(), format!("{name}@{digest}"))
        }
        Happening::ManifestCollected { name, digest } => {
            make(Verb::Delete, "MANIFEST_COLLECTED", Manifest, digest.to_string(), format!("{name}@{digest}"))
        }
        Happening::BlobDeleted { name, digest } => {
            make(Verb::Delete, "BLOB_DELETE", Blob, digest.to_string(), format!("{name}@{digest}"))
        }
        Happening::PasswordChanged { account } => plain(Verb::Update, "PASSWORD_CHANGED", Account, account),
        Happening::SignedIn { account } => plain(Verb::Create, "SIGN_IN", Account, account),
        Happening::SessionsEnded { account, .. } => plain(Verb::Delete, "SESSIONS_ENDED", Account, account),
        Happening::Pulled { name, tag: Some(tag), digest, .. } => {
            make(Verb::Get, "TAG_PULL", Tag, digest.to_string(), format!("{name}:{tag}"))
        }
        Happening::Pulled { name, tag: None, digest, .. } => {
            make(Verb::Get, "MANIFEST_PULL", Manifest, digest.to_string(), format!("{name}@{digest}"))
        }
        Happening::AccountCreated { account, .. } => plain(Create, "ACCOUNT_CREATED", Account, account),
        Happening::AccountChanged { account, .. } => plain(Update, "ACCOUNT_UPDATED", Account, account),
        Happening::AccountDeleted { account, .. } => plain(Delete, "ACCOUNT_DELETED", Account, account),
        Happening::TeamCreated { organization, team, id } => {
            make(Create, "TEAM_CREATED", Team, id.to_string(), place(organization, Some(team)))
        }
        Happening::TeamChanged { organization, team, .. } => {
            plain(Update, "TEAM_UPDATED", Team, &place(organization, Some(team)))
        }
        Happening::TeamDeleted { organization, team, id } => {
            make(Delete, "TEAM_DELETED", Team, id.to_string(), place(organization, Some(team)))
        }
        Happening::MemberAdded { organization, team, account, .. } => {
            let to = place(organization, team.as_deref());
            make(Create, "MEMBER_ADDED", Account, account.clone(), format!("{account} to {to}"))
        }
        Happening::MemberRemoved { organization, team, account } => {
            let from = place(organization, team.as_deref());
            make(Delete, "MEMBER_REMOVED", Account, account.clone(), format!("{account} from {from}"))
        }
        Happening::GrantSet { place: at, organization, team, level, .. } => {
            let team = place(organization, Some(team));
            make(Update, "GRANT_SET", Team, team.clone(), format!("{team}: {level} on {at}"))
        }
        Happening::GrantRemoved { place: at, organization, team, was } => {
            let team = place(organization, Some(team));
            make(Delete, "GRANT_REMOVED", Team, team.clone(), format!("{team}: {was} on {at}"))
        }
        Happening::TokenCreated { account, token, label, .. } => {
            make(Create, "TOKEN_CREATED", Token, token.to_string(), format!("{account}: {label}"))
        }
        Happening::TokenChanged { account, token, label, .. } => {
            make(Update, "TOKEN_UPDATED", Token, token.to_string(), format!("{account}: {label}"))
        }
        Happening::TokenDeleted { account, token, label } => {
            make(Delete, "TOKEN_DELETED", Token, token.to_string(), format!("{account}: {label}"))
        }
        Happening::VisibilityChanged { name, .. } => plain(Update, "VISIBILITY_CHANGED", Repository, name.as_str()),
        Happening::JobStarted { task, job, .. } => {
            let id = job.map_or_else(|| task.name().to_owned(), |job| job.to_string());
            make(Create, "JOB_STARTED", Registry, id, task.name().to_owned())
        }
        Happening::JobRemoved { task, job } => {
            make(Delete, "JOB_REMOVED", Registry, job.to_string(), task.name().to_owned())
        }
        Happening::SettingsChanged { setting, value } => {
            make(Update, "SETTINGS_CHANGED", Registry, setting.clone(), format!("{setting}: {value}"))
        }
        Happening::Refused { name: Some(name), .. } => plain(Verb::Fail, "REFUSED", Repository, name.as_str()),
        Happening::Refused { account: Some(account), .. } => plain(Verb::Fail, "REFUSED", Account, account),
        Happening::Refused { .. } => plain(Verb::Fail, "REFUSED", Registry, "registry"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{EventId, RepoId, Timestamp};
    use crate::model::Principal;
    use crate::oci::kind::Kind;
    use crate::oci::{Algorithm, Digest, RepoName};

    #[test]
    fn words_read_back() {
        for verb in Verb::ALL {
            assert_eq!(Verb::parse(&verb.as_str().to_lowercase()), Some(verb));
        }
        for object in ObjectType::ALL {
            assert_eq!(ObjectType::parse(object.as_str()), Some(object));
        }
        assert_eq!((Verb::parse("PUSH"), ObjectType::parse("")), (None, None));
    }

    #[test]
    fn each_happening_has_its_words() {
        let (name, digest) = (RepoName::parse("lab/app").unwrap(), Digest::of(Algorithm::Sha256, b"x"));
        let tag = || "1.0".parse::<crate::oci::Tag>().unwrap();
        let account = || "alice".to_owned();
        let since = Timestamp(1);
        let repo = RepoId(7);
        let media_type = crate::oci::MediaType::parse("application/json").unwrap();
        for (what, expected) in [
            (Happening::RepositoryCreated { repo, name: name.clone() }, "CREATE REPO_CREATED REPOSITORY lab/app"),
            (Happening::RepositoryChanged { name: name.clone() }, "UPDATE REPO_UPDATED REPOSITORY lab/app"),
            (Happening::RepositoryDeleted { repo, name: name.clone() }, "DELETE REPO_DELETED REPOSITORY lab/app"),
            (
                Happening::ManifestPushed { name: name.clone(), digest, media_type, tags: vec![] },
                "CREATE MANIFEST_PUSH MANIFEST lab/app@",
            ),
            (
                Happening::TagPushed {
                    name: name.clone(),
                    tag: tag(),
                    digest,
                    kind: Kind::Image,
                    pair: None,
                    members: vec![],
                },
                "CREATE TAG_PUSH TAG lab/app:1.0",
            ),
            (
                Happening::TagDeleted { name: name.clone(), tag: tag(), digest, forced: false },
                "DELETE TAG_DELETE TAG lab/app:1.0",
            ),
            (
                Happening::ManifestDeleted { name: name.clone(), digest, tags: vec![], parts: vec![], forced: false },
                "DELETE MANIFEST_DELETE MANIFEST lab/app@",
            ),
            (
                Happening::ManifestCollected { name: name.clone(), digest },
                "DELETE MANIFEST_COLLECTED MANIFEST lab/app@",
            ),
            (Happening::BlobDeleted { name: name.clone(), digest }, "DELETE BLOB_DELETE BLOB lab/app@"),
            (Happening::PasswordChanged { account: account() }, "UPDATE PASSWORD_CHANGED ACCOUNT alice"),
            (Happening::SignedIn { account: account() }, "CREATE SIGN_IN ACCOUNT alice"),
            (Happening::SessionsEnded { account: account(), sessions: 2 }, "DELETE SESSIONS_ENDED ACCOUNT alice"),
            (
                Happening::Pulled { name: name.clone(), tag: Some(tag()), digest, times: 2, since },
                "GET TAG_PULL TAG lab/app:1.0",
            ),
            (
                Happening::Pulled { name: name.clone(), tag: None, digest, times: 2, since },
                "GET MANIFEST_PULL MANIFEST lab/app@",
            ),
            (
                Happening::Refused {
                    name: Some(name.clone()),
                    operation: "put_manifest".into(),
                    account: None,
                    times: 1,
                    since,
                },
                "FAIL REFUSED REPOSITORY lab/app",
            ),
            (
                Happening::Refused {
                    name: None,
                    operation: "sign_in".into(),
                    account: Some(account()),
                    times: 1,
                    since,
                },
                "FAIL REFUSED ACCOUNT alice",
            ),
        ] {
            let event = Event::new(EventId([0; 16]), since, Principal::System, what);
            let Words { verb, name, object, label, .. } = words(&event);
            let found = format!("{} {name} {} {label}", verb.as_str(), object.as_str());
            assert!(found.starts_with(expected), "{found}");
            let pull = is_pull(&event.what);
            assert_eq!(pull, verb == Verb::Get);
        }
    }
}
