//! The layout of the metadata store: every table, its key and its value, in one place.
//!
//! Keys are written with [`super::key::Key`]; values are a format byte plus JSON ([`super::record`]), bodies raw.

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

/// `name` → single values: schema version, instance id, steady time.
pub const META: Table = Table("meta");

/// client address, asked name, alert → a client that refused our certificate ([`super::refusal`]).
pub const REFUSAL: Table = Table("refusal");

/// Every table, so that the engine can create them all at once.
pub const ALL: &[Table] = &[META, ACCOUNT, REFRESH, REFRESH_BY_ACCOUNT, TOKEN_KEY, REFUSAL];

/// account name → `model::account::Account`.
pub const ACCOUNT: Table = Table("account");
/// SHA-256 of a refresh token (32 bytes) → `model::account::RefreshToken`.
pub const REFRESH: Table = Table("refresh");
/// account name, issued (ms), SHA-256 of the token → nothing; oldest first.
pub const REFRESH_BY_ACCOUNT: Table = Table("refresh_by_account");
/// key id → `super::account::TokenKey`: the shared secrets that sign bearer tokens.
pub const TOKEN_KEY: Table = Table("token_key");
