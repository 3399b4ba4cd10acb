//! What may be done to a repository, and why it may or may not.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};

/// An action on a repository, in the words of Docker's token scopes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// Read manifests, blobs, tags and referrers.
    Pull,
    /// Write them.
    Push,
    /// Delete manifests, tags and blobs.
    Delete,
}

impl Action {
    /// The word of the token scope.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pull => "pull",
            Self::Push => "push",
            Self::Delete => "delete",
        }
    }

    /// Reads the word of a token scope; `None` for words that this registry gives no meaning.
    pub fn parse(word: &str) -> Option<Self> {
        match word {
            "pull" => Some(Self::Pull),
            "push" => Some(Self::Push),
            "delete" => Some(Self::Delete),
            _ => None,
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
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
