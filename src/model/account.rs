//! Accounts: users, who can sign in, and organizations, who own a namespace together. Both share one space of names,
//! which is that of the namespaces: the first component of a repository's name.

use serde::{Deserialize, Serialize};

use super::personal_token::TokenHash;
use crate::base::{Timestamp, Uuid};
use crate::oci::RepoName;

/// The longest name of an account in bytes; what MSR allows, and room for what other registries allowed.
pub const MAX_NAME: usize = 64;

/// The most characters of a full name.
pub const MAX_FULL_NAME: usize = 128;

/// What an account is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AccountKind {
    /// A person or a robot, who can sign in.
    #[default]
    User,
    /// An owner of a namespace with members and teams; nobody signs in as one.
    Organization,
}

/// An account as stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// Its name: the sign-in name, and the namespace that it owns.
    pub name: String,
    /// Its id, which no later account of the same name has; [`Uuid::NIL`] only in rows of earlier versions that were not
    /// migrated yet.
    #[serde(default)]
    pub id: Uuid,
    /// What it is.
    #[serde(default)]
    pub kind: AccountKind,
    /// How people call it; may be empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub full_name: String,
    /// The password's hash: argon2id in PHC form, or bcrypt as it was imported, until the first sign-in. Empty: no
    /// password is right (organizations, and users who have only access tokens).
    pub password: String,
    /// Whether the account administers the registry.
    pub admin: bool,
    /// Whether it may be used. One that may not loses its sessions and tokens at once, and keeps its rights for later.
    #[serde(default = "yes", skip_serializing_if = "is_true")]
    pub active: bool,
    /// When it was made.
    pub created: Timestamp,
    /// Raised whenever the password or what the account may be used for change; every cached sign-in and token carries
    /// the one it was made under, so that it dies with the change.
    pub revision: u64,
    /// Whether the password is still the one that the registry made up at its first start.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub initial: bool,
}

const fn yes() -> bool {
    true
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks with a reference")]
const fn is_true(value: &bool) -> bool {
    *value
}

impl Account {
    /// A user without password or rights.
    pub fn user(name: &str, id: Uuid, created: Timestamp) -> Self {
        Self {
            name: name.to_owned(),
            id,
            kind: AccountKind::User,
            full_name: String::new(),
            password: String::new(),
            admin: false,
            active: true,
            created,
            revision: created.0.max(1),
            initial: false,
        }
    }

    /// An organization.
    pub fn organization(name: &str, id: Uuid, created: Timestamp) -> Self {
        Self { kind: AccountKind::Organization, ..Self::user(name, id, created) }
    }

    /// Whether it is an organization.
    pub fn is_organization(&self) -> bool {
        self.kind == AccountKind::Organization
    }

    /// Whether somebody may sign in as this account.
    pub fn can_sign_in(&self) -> bool {
        self.active && self.kind == AccountKind::User
    }

    /// Whether somebody can sign in as this account and administer the registry. That takes a password. Access tokens do
    /// not count: they expire, whatever anybody does, and no page opens for them.
    pub fn can_administer(&self) -> bool {
        self.admin && self.can_sign_in() && !self.password.is_empty()
    }
}

/// Why a name is none that an account may have; `None` when it may. An account's name is a namespace, so it is one
/// component of a repository's name (distribution-spec, "Pulling manifests").
pub fn wrong_name(name: &str) -> Option<String> {
    let component = !name.contains('/') && RepoName::parse(name).is_ok();
    (!component || name.len() > MAX_NAME).then(|| {
        format!(
            "a name has 1 to {MAX_NAME} lower-case letters and digits, with single . _ or - between them, such as \
             \"web-team\""
        )
    })
}

/// A refresh token as stored, under the SHA-256 of its text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefreshToken {
    /// Whose it is.
    pub account: String,
    /// The account's revision when it was issued.
    pub revision: u64,
    /// When it was issued.
    pub issued: Timestamp,
    /// When it stops working.
    pub expires: Timestamp,
    /// The `client_id` that asked for it.
    pub client: String,
    /// The personal access token that it was got with: it ends with that, and gives no more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub through: Option<TokenHash>,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows of the first version know none of the later fields.
    #[test]
    fn an_account_of_the_first_version_is_an_active_user() {
        let row = r#"{"name":"admin","password":"x","admin":true,"created":5,"revision":5}"#;
        let account: Account = serde_json::from_str(row).unwrap();
        assert!(account.can_sign_in() && account.admin && account.id == Uuid::NIL && account.full_name.is_empty());
    }

    #[test]
    fn names_are_components_of_repository_names() {
        for good in ["a", "alice", "web-team", "a.b_c", "0", &"x".repeat(MAX_NAME)] {
            assert_eq!(wrong_name(good), None, "{good}");
        }
        for bad in ["", "-", "Alice", "a/b", "a b", "robot$x", "-a", "a-", "é", "a\0", &"x".repeat(MAX_NAME + 1)] {
            assert!(wrong_name(bad).is_some(), "{bad}");
        }
    }
}
