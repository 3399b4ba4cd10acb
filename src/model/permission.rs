//! What may be done, by how much right, and why it may or may not.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::account::wrong_name;
use crate::oci::RepoName;

/// An action on a repository. The first three are the words of Docker's token scopes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// Read manifests, blobs, tags and referrers.
    Pull,
    /// Write them.
    Push,
    /// Delete manifests, tags and blobs.
    Delete,
    /// Change what the repository says of itself, who may see it and who has rights on it; make it, delete it. No
    /// bearer token's scope can say this.
    Administer,
}

impl Action {
    /// The word of the token scope.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pull => "pull",
            Self::Push => "push",
            Self::Delete => "delete",
            Self::Administer => "administer",
        }
    }

    /// Reads the word of a token scope; `None` for words that this registry gives no meaning there.
    pub fn parse(word: &str) -> Option<Self> {
        match word {
            "pull" => Some(Self::Pull),
            "push" => Some(Self::Push),
            "delete" => Some(Self::Delete),
            _ => None,
        }
    }

    /// The least level that allows it.
    pub const fn needs(self) -> Level {
        match self {
            Self::Pull => Level::ReadOnly,
            Self::Push | Self::Delete => Level::ReadWrite,
            Self::Administer => Level::Admin,
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How much right somebody has on a repository (MSR's `accessLevel`). Each has what those before it have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// View and pull.
    ReadOnly,
    /// Push as well, and delete tags and manifests.
    ReadWrite,
    /// Change settings and access as well, and delete the repository.
    Admin,
}

impl Level {
    /// Every level, the least first.
    pub const ALL: [Self; 3] = [Self::ReadOnly, Self::ReadWrite, Self::Admin];

    /// MSR's word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ReadOnly => "read-only",
            Self::ReadWrite => "read-write",
            Self::Admin => "admin",
        }
    }

    /// Reads MSR's word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|level| level.as_str() == word)
    }

    /// Whether it allows this.
    pub fn allows(self, action: Action) -> bool {
        self >= action.needs()
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Where a grant holds.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Place {
    /// Every repository of this namespace, also those to come.
    Namespace(String),
    /// This repository.
    Repository(RepoName),
}

impl Place {
    /// Reads `lab/*` or the name of a repository, as they are shown; `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        match text.strip_suffix("/*") {
            Some(namespace) => wrong_name(namespace).is_none().then(|| Self::Namespace(namespace.to_owned())),
            None => RepoName::parse(text).ok().map(Self::Repository),
        }
    }

    /// Whether the repository is there.
    pub fn holds(&self, repo: &RepoName) -> bool {
        match self {
            Self::Namespace(namespace) => !namespace.is_empty() && repo.namespace() == namespace,
            Self::Repository(name) => name == repo,
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Namespace(namespace) => write!(f, "{namespace}/*"),
            Self::Repository(name) => write!(f, "{name}"),
        }
    }
}

/// What somebody may do to a repository, and by which path: the greatest level that any path gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Right {
    /// How much.
    pub level: Level,
    /// The path, as it stands after the level: `through team web of lab, on the namespace`.
    pub because: Cow<'static, str>,
}

impl fmt::Display for Right {
    /// `read-write, through team web of lab`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {}", self.level, self.because)
    }
}

/// How "may this caller do that?" is answered. The wire makes 401, 403 or 404 of it (design §6: not allowed to see is
/// not found).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Yes.
    Allowed,
    /// Nobody is signed in, and anonymous callers may not.
    NeedsSignIn,
    /// The account may, but the token that was shown is narrower.
    NeedsWiderToken,
    /// The caller may see the repository, but not do this.
    Forbidden,
    /// The caller may not even know whether the repository exists.
    Hidden,
}

/// A verdict with the sentence that the log, the audit trail and the UI show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// The answer.
    pub verdict: Verdict,
    /// Why, in plain words.
    pub because: Cow<'static, str>,
}

impl Decision {
    /// This verdict, for this reason.
    pub fn new(verdict: Verdict, because: impl Into<Cow<'static, str>>) -> Self {
        Self { verdict, because: because.into() }
    }

    /// Whether it is a yes.
    pub fn allowed(&self) -> bool {
        self.verdict == Verdict::Allowed
    }
}
