//! Accounts, refresh tokens and the keys that sign bearer tokens, as rows.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::{Deserialize, Serialize};

use super::engine::{MetaError, Read, WriteTx};
use super::key::{Key, KeyReader};
use super::record::{decode, encode};
use super::tables::{
    ACCOUNT, ACCOUNT_BY_ID, ACCOUNT_LIST, DEPARTED, META, REFRESH, REFRESH_BY_ACCOUNT, TOKEN_KEY, Table,
};
use super::{organization, personal_token, repo, session};
use crate::base::{Timestamp, Uuid};
use crate::model::account::{Account, RefreshToken};
use crate::oci::{Algorithm, Digest};

/// The most refresh tokens that one account has at a time; a new one makes the oldest go. All of them fit into one
/// transaction (design §5: 1,000 keys), so that a new password can end them at once.
pub const MAX_REFRESH: usize = 256;

/// The row of [`META`] with the registry's id.
const INSTANCE: &[u8] = b"instance";

/// The SHA-256 of a refresh token's text: what is stored of it.
pub type RefreshHash = [u8; 32];

/// The account of that name. A name that no account can have (with a zero byte) is simply not there.
///
/// # Errors
/// [`MetaError`] when the store fails.
pub fn get(tx: &impl Read, name: &str) -> Result<Option<Account>, MetaError> {
    if name.contains('\0') {
        return Ok(None);
    }
    tx.get(ACCOUNT, Key::new().text(name).as_bytes())?.map(|value| decode(ACCOUNT, &value)).transpose()
}

/// Stores an account, and where it stands in the lists.
pub fn put(tx: &mut WriteTx, account: &Account) {
    tx.put(ACCOUNT, Key::new().text(&account.name).as_bytes(), encode(account));
    tx.put(ACCOUNT_BY_ID, &account.id.0, encode(&account.name));
    for list in List::ALL {
        if list.has(account) {
            tx.put(ACCOUNT_LIST, list.key(&account.name).as_bytes(), Vec::new());
        } else {
            tx.delete(ACCOUNT_LIST, list.key(&account.name).as_bytes());
        }
    }
}

/// Takes an account's own rows away, ends what it was signed in to, and notes that others are left ([`drain`]).
///
/// # Errors
/// [`MetaError`] when the store fails.
pub fn delete(tx: &mut WriteTx, account: &Account) -> Result<(), MetaError> {
    delete_refresh(tx, &account.name)?;
    session::delete_all(tx, &account.name)?;
    let name = Key::new().text(&account.name);
    tx.delete(ACCOUNT, name.as_bytes());
    tx.delete(ACCOUNT_BY_ID, &account.id.0);
    for list in List::ALL {
        tx.delete(ACCOUNT_LIST, list.key(&account.name).as_bytes());
    }
    tx.put(DEPARTED, name.as_bytes(), Vec::new());
    Ok(())
}

/// Whether rows of a deleted account of this name are left.
///
/// # Errors
/// [`MetaError`] when the store fails.
pub fn is_departed(tx: &impl Read, name: &str) -> Result<bool, MetaError> {
    Ok(!name.contains('\0') && tx.get(DEPARTED, Key::new().text(name).as_bytes())?.is_some())
}

/// At most `limit` names of deleted accounts of which rows are left.
///
/// # Errors
/// [`MetaError`] when the store fails.
pub fn departed(tx: &impl Read, limit: usize) -> Result<Vec<String>, MetaError> {
    tx.range(DEPARTED, &[], None, limit)?.iter().map(|(key, _)| name_in(key, DEPARTED)).collect()
}

/// One bounded step over what a deleted account left; true when nothing is left.
///
/// # Errors
/// [`MetaError`] when the store fails.
pub fn drain(tx: &mut WriteTx, name: &str) -> Result<bool, MetaError> {
    if organization::leave_all(tx, name)? && organization::dissolve(tx, name)? && personal_token::delete_some(tx, name)?
    {
        tx.delete(DEPARTED, Key::new().text(name).as_bytes());
        return Ok(true);
    }
    Ok(false)
}

/// The name of the account with this id.
///
/// # Errors
/// [`MetaError`] when the store fails.
pub fn name_of(tx: &impl Read, id: Uuid) -> Result<Option<String>, MetaError> {
    tx.get(ACCOUNT_BY_ID, &id.0)?.map(|value| decode(ACCOUNT_BY_ID, &value)).transpose()
}

/// The lists that accounts stand in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum List {
    /// Users.
    Users,
    /// Organizations.
    Organizations,
    /// Users who administer the registry.
    Admins,
    /// Users who do not.
    Plain,
    /// Users who may sign in.
    Active,
    /// Users who may not.
    Inactive,
}

impl List {
    const ALL: [Self; 6] = [Self::Users, Self::Organizations, Self::Admins, Self::Plain, Self::Active, Self::Inactive];

    fn key(self, name: &str) -> Key {
        self.prefix().text(name)
    }

    fn prefix(self) -> Key {
        Key::new().raw(match self {
            Self::Users => b"u",
            Self::Organizations => b"o",
            Self::Admins => b"a",
            Self::Plain => b"p",
            Self::Active => b"c",
            Self::Inactive => b"i",
        })
    }

    fn has(self, account: &Account) -> bool {
        match self {
            Self::Users => !account.is_organization(),
            Self::Organizations => account.is_organization(),
            Self::Admins => account.admin,
            Self::Plain => !account.is_organization() && !account.admin,
            Self::Active => !account.is_organization() && account.active,
            Self::Inactive => !account.active,
        }
    }
}

/// At most `limit` accounts of a list (`None`: all accounts) after the name `last`, by name.
///
/// # Errors
/// [`MetaError`] when the store fails.
pub fn list(tx: &impl Read, of: Option<List>, last: Option<&str>, limit: usize) -> Result<Vec<Account>, MetaError> {
    let Some(of) = of else {
        let rows = tx.range(ACCOUNT, &repo::after(&Key::new(), last), None, limit)?;
        return rows.iter().map(|(_, value)| decode(ACCOUNT, value)).collect();
    };
    let prefix = of.prefix();
    let end = Key::prefix_end(prefix.as_bytes());
    let rows = tx.range(ACCOUNT_LIST, &repo::after(&prefix, last), end.as_deref(), limit)?;
    let mut accounts = Vec::with_capacity(rows.len());
    for (key, _) in rows {
        accounts.extend(get(tx, &name_in(&key[1..], ACCOUNT_LIST)?)?);
    }
    Ok(accounts)
}

/// Whether somebody else than `name` could sign in now and administer the registry. Administrators are few.
///
/// # Errors
/// [`MetaError`] when the store fails.
pub fn other_admin(tx: &impl Read, name: &str) -> Result<bool, MetaError> {
    let mut last: Option<String> = None;
    loop {
        let admins = list(tx, Some(List::Admins), last.as_deref(), 64)?;
        let Some(end) = admins.last() else { return Ok(false) };
        if admins.iter().any(|admin| admin.name != name && admin.can_administer()) {
            return Ok(true);
        }
        last = Some(end.name.clone());
    }
}

/// Gives the accounts of earlier versions their ids and their places in lists: made of what never changes about them,
/// so that running it again makes the same.
///
/// # Errors
/// [`MetaError`] when the store fails.
pub fn number(tx: &mut WriteTx) -> Result<bool, MetaError> {
    // One step: earlier versions made but one.
    for mut account in list(tx, None, None, 200)? {
        if account.id == Uuid::NIL {
            let digest =
                Digest::of(Algorithm::Sha256, format!("account {} {}", account.name, account.created.0).as_bytes());
            let mut id = [0; 16];
            id.copy_from_slice(&digest.to_key()[1..17]);
            account.id = Uuid::from_bytes(id);
        }
        put(tx, &account);
    }
    Ok(true)
}

fn name_in(key: &[u8], table: Table) -> Result<String, MetaError> {
    let name = KeyReader::new(key).text().map(str::to_owned);
    name.ok_or_else(|| MetaError::Corrupt(format!("a key of table {} does not read", table.name())))
}

/// Whether there is any account.
///
/// # Errors
/// [`MetaError`] when the store fails.
pub fn any(tx: &impl Read) -> Result<bool, MetaError> {
    Ok(!tx.range(ACCOUNT, &[], None, 1)?.is_empty())
}

/// The refresh token that is stored under this hash.
///
/// # Errors
/// [`MetaError`] when the store fails.
pub fn refresh(tx: &impl Read, hash: &RefreshHash) -> Result<Option<RefreshToken>, MetaError> {
    tx.get(REFRESH, hash)?.map(|value| decode(REFRESH, &value)).transpose()
}

/// Stores a refresh token; expired ones of the same account go, and the oldest while there are [`MAX_REFRESH`].
///
/// # Errors
/// [`MetaError`] when the store fails.
pub fn put_refresh(
    tx: &mut WriteTx,
    hash: &RefreshHash,
    token: &RefreshToken,
    now: Timestamp,
) -> Result<(), MetaError> {
    let issued = refresh_keys(tx, &token.account)?;
    let mut left = issued.len();
    for (key, older) in &issued {
        let expired = refresh(tx, older)?.is_none_or(|older| older.expires <= now);
        if !expired && left < MAX_REFRESH {
            break;
        }
        tx.delete(REFRESH, older);
        tx.delete(REFRESH_BY_ACCOUNT, key);
        left -= 1;
    }
    tx.put(REFRESH, hash, encode(token));
    let key = Key::new().text(&token.account).u64(token.issued.0).raw(hash);
    tx.put(REFRESH_BY_ACCOUNT, key.as_bytes(), Vec::new());
    Ok(())
}

/// Removes all refresh tokens of an account.
///
/// # Errors
/// [`MetaError`] when the store fails.
pub fn delete_refresh(tx: &mut WriteTx, account: &str) -> Result<(), MetaError> {
    for (key, hash) in refresh_keys(tx, account)? {
        tx.delete(REFRESH, &hash);
        tx.delete(REFRESH_BY_ACCOUNT, &key);
    }
    Ok(())
}

/// The index rows of an account's refresh tokens, oldest first, with the hash that each names.
fn refresh_keys(tx: &impl Read, account: &str) -> Result<Vec<(Vec<u8>, RefreshHash)>, MetaError> {
    let prefix = Key::new().text(account);
    let end = Key::prefix_end(prefix.as_bytes());
    let rows = tx.range(REFRESH_BY_ACCOUNT, prefix.as_bytes(), end.as_deref(), MAX_REFRESH)?;
    rows.into_iter().map(|(key, _)| refresh_hash(&key).map(|hash| (key, hash))).collect()
}

fn refresh_hash(key: &[u8]) -> Result<RefreshHash, MetaError> {
    let mut reader = KeyReader::new(key);
    let parts = (reader.text(), reader.u64(), RefreshHash::try_from(reader.rest()));
    match parts {
        (Some(_), Some(_), Ok(hash)) => Ok(hash),
        _ => Err(MetaError::Corrupt(format!("a key of table {} does not read", REFRESH_BY_ACCOUNT.name()))),
    }
}

/// A key that signs bearer tokens (ES256). Every node of a registry reads the same ones.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenKey {
    /// The key's id, as tokens name it in `kid`.
    pub kid: String,
    /// The private key: PKCS #8 in base64.
    pkcs8: String,
    /// When it was made; the newest one signs.
    pub created: Timestamp,
}

impl TokenKey {
    /// A row for this private key (PKCS #8, DER).
    pub fn new(kid: String, pkcs8: &[u8], created: Timestamp) -> Self {
        Self { kid, pkcs8: BASE64.encode(pkcs8), created }
    }

    /// The private key (PKCS #8, DER).
    ///
    /// # Errors
    /// [`MetaError::Corrupt`] when the row does not hold base64.
    pub fn pkcs8(&self) -> Result<Vec<u8>, MetaError> {
        BASE64.decode(&self.pkcs8).map_err(|_| MetaError::Corrupt(format!("the token key {} does not read", self.kid)))
    }
}

impl fmt::Debug for TokenKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TokenKey({}, made {})", self.kid, self.created)
    }
}

/// All token keys, the newest last.
///
/// # Errors
/// [`MetaError`] when the store fails.
pub fn token_keys(tx: &impl Read) -> Result<Vec<TokenKey>, MetaError> {
    let rows = tx.range(TOKEN_KEY, &[], None, 64)?;
    let mut keys = rows.iter().map(|(_, value)| decode(TOKEN_KEY, value)).collect::<Result<Vec<TokenKey>, _>>()?;
    keys.sort_by(|a, b| (a.created, &a.kid).cmp(&(b.created, &b.kid)));
    Ok(keys)
}

/// Stores a token key.
pub fn put_token_key(tx: &mut WriteTx, key: &TokenKey) {
    tx.put(TOKEN_KEY, Key::new().text(&key.kid).as_bytes(), encode(key));
}

/// The registry's id, which is the audience of its tokens; `None` before the first start.
///
/// # Errors
/// [`MetaError`] when the store fails.
pub fn instance(tx: &impl Read) -> Result<Option<String>, MetaError> {
    tx.get(META, INSTANCE)?.map(|value| decode(META, &value)).transpose()
}

/// Stores the registry's id.
pub fn put_instance(tx: &mut WriteTx, id: &str) {
    tx.put(META, INSTANCE, encode(&id));
}
