//! Personal access tokens: passwords for machines. Each belongs to a user, gives at most what that user may, and can
//! give less.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::operation::Requirement;
use super::permission::{Level, Place};
use crate::base::{Timestamp, Uuid};
use crate::oci::RepoName;

/// What every token begins with, so that scanners find those that leaked; no character of a token means anything to a
/// shell.
pub const PREFIX: &str = "mslt_";

/// The most places that one token names.
pub const MAX_PLACES: usize = 100;

/// The most characters of a label.
pub const MAX_LABEL: usize = 128;

/// The SHA-256 of a token's text: what is stored of it, and the id by which it is managed (MSR's `hashedToken`).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TokenHash(pub [u8; 32]);

impl TokenHash {
    /// Reads 64 hex digits.
    pub fn parse(text: &str) -> Option<Self> {
        let mut hash = [0; 32];
        hex::decode_to_slice(text, &mut hash).ok()?;
        Some(Self(hash))
    }
}

impl fmt::Display for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for TokenHash {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for TokenHash {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| serde::de::Error::custom("not 64 hex digits"))
    }
}

/// What a token gives of what its owner may.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TokenScope {
    /// All of it.
    #[default]
    All,
    /// Looking and pulling, everywhere.
    ReadOnly,
    /// At most these levels in these places, and nothing elsewhere.
    Places(Vec<(Place, Level)>),
}

impl TokenScope {
    /// Reads a scope as it is shown: `all`, `read-only`, or places with levels, separated by commas
    /// (`lab/web:read-write,lab/*:read-only`); `None` for anything else. How many places there may be is not asked here.
    pub fn parse(text: &str) -> Option<Self> {
        let entry = |text: &str| {
            let (place, level) = text.trim().rsplit_once(':')?;
            Some((Place::parse(place)?, Level::parse(level)?))
        };
        match text {
            "all" => Some(Self::All),
            "read-only" => Some(Self::ReadOnly),
            places => places.split(',').map(entry).collect::<Option<_>>().map(Self::Places),
        }
    }

    /// The greatest level that it leaves on a repository; `None` for none.
    pub fn on(&self, repo: &RepoName) -> Option<Level> {
        match self {
            Self::All => Some(Level::Admin),
            Self::ReadOnly => Some(Level::ReadOnly),
            Self::Places(places) => places.iter().filter(|(place, _)| place.holds(repo)).map(|(_, level)| *level).max(),
        }
    }

    /// Whether it leaves what is required. Lists are open to every token: their entries are asked for one by one. What
    /// concerns accounts and the registry as a whole takes a token that gives all.
    pub fn covers(&self, requirement: Requirement<'_>) -> bool {
        match requirement {
            Requirement::SignedIn | Requirement::Browse | Requirement::Catalog => true,
            Requirement::Repository(repo, action) => self.on(repo).is_some_and(|level| level.allows(action)),
            Requirement::Namespace(namespace) => match self {
                Self::All => true,
                Self::ReadOnly => false,
                Self::Places(places) => places.iter().any(|(place, level)| {
                    *level >= Level::ReadWrite && matches!(place, Place::Namespace(named) if named == namespace)
                }),
            },
            Requirement::Admin | Requirement::Organization(..) | Requirement::Account(..) => *self == Self::All,
        }
    }

    /// Whether every action is left to its owner.
    pub fn is_all(&self) -> bool {
        *self == Self::All
    }
}

impl fmt::Display for TokenScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("all"),
            Self::ReadOnly => f.write_str("read-only"),
            Self::Places(places) => {
                let words: Vec<_> = places.iter().map(|(place, level)| format!("{place}:{level}")).collect();
                f.write_str(&words.join(","))
            }
        }
    }
}

/// How a token came to be (MSR's `generatedBy`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum GeneratedBy {
    /// Somebody asked for it.
    #[default]
    Manual,
    /// A program made it for itself, at a sign-in.
    Auto,
}

/// The last use of a token, give or take some minutes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenUsed {
    /// When.
    pub at: Timestamp,
    /// What the client called itself.
    pub client: String,
    /// From which address.
    pub address: String,
}

/// A token as stored, under its [`TokenHash`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PersonalToken {
    /// The user whose it is.
    pub owner: String,
    /// What it is for, in the owner's words.
    pub label: String,
    /// What it gives.
    #[serde(default)]
    pub scope: TokenScope,
    /// When it was made.
    pub created: Timestamp,
    /// Who made it.
    pub creator: String,
    /// What the client that made it called itself.
    #[serde(default)]
    pub creator_client: String,
    /// How it came to be.
    #[serde(default)]
    pub generated_by: GeneratedBy,
    /// When it stops working; `None`: not by itself.
    #[serde(default)]
    pub expires: Option<Timestamp>,
    /// Whether it works.
    pub active: bool,
    /// The form by which it was made: sent again, that makes no second one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub form: Option<Uuid>,
}

/// Whether a token works, and why not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenState {
    /// It works.
    Active,
    /// It was switched off, and can be switched on.
    Inactive,
    /// Its time is over, whether it was switched off or not.
    Expired,
}

impl TokenState {
    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Inactive => "inactive",
            Self::Expired => "expired",
        }
    }
}

impl PersonalToken {
    /// Whether it works at this time, and why not.
    pub fn state(&self, now: Timestamp) -> TokenState {
        match (self.expires.is_some_and(|end| end <= now), self.active) {
            (true, _) => TokenState::Expired,
            (false, true) => TokenState::Active,
            (false, false) => TokenState::Inactive,
        }
    }

    /// Whether it works at this time.
    pub fn works(&self, now: Timestamp) -> bool {
        self.state(now) == TokenState::Active
    }
}

/// That a caller came by a personal access token: carried along, so that nothing gives more than it says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Through {
    /// Which.
    pub token: TokenHash,
    /// Its label, for the record.
    pub label: String,
    /// What it gives.
    pub scope: TokenScope,
    /// When it stops working.
    pub expires: Option<Timestamp>,
}

impl Through {
    /// What the record calls it: its label, or the beginning of its id when it has none.
    pub fn name(&self) -> String {
        if self.label.is_empty() { format!("token {}", hex::encode(&self.token.0[..6])) } else { self.label.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::permission::Action;

    #[test]
    fn scopes_are_read_as_they_are_shown() {
        for text in ["all", "read-only", "lab/web:read-write", "lab/web:read-write,lab/*:read-only", "web:admin"] {
            assert_eq!(TokenScope::parse(text).unwrap().to_string(), text);
        }
        assert_eq!(
            TokenScope::parse("lab/web:admin, lab/*:read-only").unwrap().to_string(),
            "lab/web:admin,lab/*:read-only"
        );
        for bad in
            ["", "everything", "lab/web", "lab/web:push", "Lab:admin", "a/b/*:admin", "/*:admin", "lab/web:admin,"]
        {
            assert_eq!(TokenScope::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn what_is_over_cannot_be_switched_on() {
        let token = |active, expires: Option<u64>| PersonalToken {
            owner: "alice".into(),
            label: String::new(),
            scope: TokenScope::All,
            created: Timestamp(0),
            creator: "alice".into(),
            creator_client: String::new(),
            generated_by: GeneratedBy::Manual,
            expires: expires.map(Timestamp),
            active,
            form: None,
        };
        for (active, expires, state) in [
            (true, None, TokenState::Active),
            (true, Some(11), TokenState::Active),
            (true, Some(10), TokenState::Expired),
            (false, None, TokenState::Inactive),
            (false, Some(10), TokenState::Expired),
        ] {
            let token = token(active, expires);
            assert_eq!(token.state(Timestamp(10)), state);
            assert_eq!(token.works(Timestamp(10)), state == TokenState::Active);
        }
    }

    #[test]
    fn a_scope_leaves_what_it_names() {
        let (web, app) = (RepoName::parse("lab/web").unwrap(), RepoName::parse("lab/app").unwrap());
        let other = RepoName::parse("other/web").unwrap();
        let scope = TokenScope::Places(vec![
            (Place::Namespace("lab".into()), Level::ReadOnly),
            (Place::Repository(web.clone()), Level::ReadWrite),
            (Place::Namespace(String::new()), Level::Admin),
        ]);
        assert_eq!(scope.on(&web), Some(Level::ReadWrite));
        assert_eq!(scope.on(&app), Some(Level::ReadOnly));
        assert_eq!(scope.on(&other), None);
        assert_eq!(scope.on(&RepoName::parse("single").unwrap()), None, "nobody owns the empty namespace");
        assert!(scope.covers(Requirement::Repository(&web, Action::Push)));
        assert!(!scope.covers(Requirement::Repository(&app, Action::Push)));
        assert!(!scope.covers(Requirement::Admin) && scope.covers(Requirement::SignedIn));
        assert!(!TokenScope::ReadOnly.covers(Requirement::Repository(&web, Action::Delete)));
    }
}
