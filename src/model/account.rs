//! Accounts: who can sign in.

use serde::{Deserialize, Serialize};

use crate::base::Timestamp;

/// A user as stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// The sign-in name.
    pub name: String,
    /// The argon2id hash in PHC form.
    pub password: String,
    /// Whether the account administers the registry.
    pub admin: bool,
    /// When it was made.
    pub created: Timestamp,
    /// Raised whenever the password or the rights change; every cached sign-in and token carries the one it was made
    /// under, so that it dies with the change.
    pub revision: u64,
    /// Whether the password is still the one that the registry made up at its first start.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub initial: bool,
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
}
