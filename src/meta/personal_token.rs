//! Rows of personal access tokens, under the SHA-256 of their texts.

use super::engine::{MetaError, Read, WriteTx};
use super::key::Key;
use super::record::{decode, encode};
use super::tables::{PERSONAL_TOKEN, PERSONAL_TOKEN_OF, PERSONAL_TOKEN_USED};
use crate::model::personal_token::{PersonalToken, TokenHash, TokenUsed};

/// The most tokens that one user may have.
pub const MAX_TOKENS: usize = 1000;

/// Tokens that one step takes away.
const STEP: usize = 200;

/// The token under this hash.
///
/// # Errors
/// [`MetaError`] when the store fails.
pub fn get(tx: &impl Read, hash: &TokenHash) -> Result<Option<PersonalToken>, MetaError> {
    tx.get(PERSONAL_TOKEN, &hash.0)?.map(|value| decode(PERSONAL_TOKEN, &value)).transpose()
}

/// Stores a token.
pub fn put(tx: &mut WriteTx, hash: &TokenHash, token: &PersonalToken) {
    tx.put(PERSONAL_TOKEN, &hash.0, encode(token));
    tx.put(PERSONAL_TOKEN_OF, index(hash, token).as_bytes(), Vec::new());
}

/// Takes a token away.
pub fn delete(tx: &mut WriteTx, hash: &TokenHash, token: &PersonalToken) {
    tx.delete(PERSONAL_TOKEN, &hash.0);
    tx.delete(PERSONAL_TOKEN_OF, index(hash, token).as_bytes());
    tx.delete(PERSONAL_TOKEN_USED, &hash.0);
}

fn index(hash: &TokenHash, token: &PersonalToken) -> Key {
    Key::new().text(&token.owner).u64(token.created.0).raw(&hash.0)
}

/// How many tokens a user has.
///
/// # Errors
/// [`MetaError`] when the store fails.
pub fn count(tx: &impl Read, owner: &str) -> Result<usize, MetaError> {
    Ok(tx.range_prefix(PERSONAL_TOKEN_OF, Key::new().text(owner).as_bytes(), MAX_TOKENS + 1)?.len())
}

/// At most `limit` tokens of a user (`None`: of all users, one after the other) behind the mark `after`, the oldest
/// first; each with its hash, its last use and its mark.
///
/// # Errors
/// [`MetaError`] when the store fails.
pub fn list(tx: &impl Read, owner: Option<&str>, after: Option<&[u8]>, limit: usize) -> Result<Vec<Listed>, MetaError> {
    let prefix = owner.map_or_else(Key::new, |owner| Key::new().text(owner));
    let end = Key::prefix_end(prefix.as_bytes());
    let mut from = prefix.as_bytes().to_vec();
    // A mark of another owner's list leads nowhere else.
    if let Some(after) = after.filter(|after| after.starts_with(prefix.as_bytes())) {
        from = after.to_vec();
        from.push(0);
    }
    let mut found = Vec::new();
    for (mark, _) in tx.range(PERSONAL_TOKEN_OF, &from, end.as_deref(), limit)? {
        let hash = mark.last_chunk::<32>().map(|hash| TokenHash(*hash));
        let hash = hash.ok_or_else(|| MetaError::Corrupt("the key of an access token does not read".into()))?;
        if let Some(token) = get(tx, &hash)? {
            found.push(Listed { hash, token, used: used(tx, &hash)?, mark });
        }
    }
    Ok(found)
}

/// A token in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its hash.
    pub hash: TokenHash,
    /// The token.
    pub token: PersonalToken,
    /// Its last use that was written down.
    pub used: Option<TokenUsed>,
    /// What the next page begins behind.
    pub mark: Vec<u8>,
}

/// The last use of a token that was written down.
///
/// # Errors
/// [`MetaError`] when the store fails.
pub fn used(tx: &impl Read, hash: &TokenHash) -> Result<Option<TokenUsed>, MetaError> {
    tx.get(PERSONAL_TOKEN_USED, &hash.0)?.map(|value| decode(PERSONAL_TOKEN_USED, &value)).transpose()
}

/// Writes down a use, if the token is still there and was not used later.
///
/// # Errors
/// [`MetaError`] when the store fails.
pub fn put_used(tx: &mut WriteTx, hash: &TokenHash, use_: &TokenUsed) -> Result<(), MetaError> {
    let later = used(tx, hash)?.is_some_and(|known| known.at > use_.at);
    if !later && get(tx, hash)?.is_some() {
        tx.put(PERSONAL_TOKEN_USED, &hash.0, encode(use_));
    }
    Ok(())
}

/// Takes away some tokens of a user; true when none are left.
pub(super) fn delete_some(tx: &mut WriteTx, owner: &str) -> Result<bool, MetaError> {
    let some = list(tx, Some(owner), None, STEP)?;
    for listed in &some {
        delete(tx, &listed.hash, &listed.token);
    }
    Ok(some.len() < STEP)
}
