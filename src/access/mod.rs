//! Floor 3: who asks, and may they?
//!
//! - [`credentials`] reads the `Authorization` header;
//! - `sign_in` finds out whose the credentials are, with what is remembered of earlier ones; [`password`] hashes,
//!   `throttle` slows down who guesses;
//! - `grant` answers the token service, `token` signs and verifies bearer tokens, `refresh` keeps refresh tokens;
//! - [`decide`](mod@decide) says what a caller may do;
//! - [`refusals`] puts on record what was refused;
//! - `accounts` makes, changes and deletes accounts, `htpasswd` imports them; `organizations` has members and teams,
//!   `grants` what teams may, `rights` what that comes to, `paths` each way by itself, `report` all of it as a list;
//! - `personal_tokens` are passwords for machines;
//! - `authenticator` is where other sources of accounts (LDAP, OIDC) are put in.
//!
//! Everything that is remembered (sign-ins, verified tokens) carries the account's revision and is compared with the
//! account's row on each use: a new password ends it all at once. Nothing here logs more of a secret than whose it is.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

pub use crate::base::config::Anonymous;
use crate::base::{Clock, Secret};
use crate::meta::{Engine, MetaError, WriteError};
use crate::model::Caller;
use crate::oci::scope::Scope;

pub mod accounts;
pub mod authenticator;
mod cache;
pub mod credentials;
pub mod decide;
mod grant;
pub mod grants;
pub mod htpasswd;
pub mod organizations;
pub mod password;
pub mod paths;
pub mod personal_tokens;
mod record;
mod refresh;
pub mod refusals;
pub mod report;
pub mod rights;
pub mod session;
mod sign_in;
mod throttle;
mod token;

#[cfg(test)]
mod tests;

pub use accounts::ADMIN;
pub use credentials::Credentials;

/// Why a caller was not let in, in words for a person.
#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    /// Credentials were shown and are not right.
    #[error("{0}")]
    Refused(String),
    /// Too many failures; try again later.
    #[error("too many failed sign-ins; try again in {} s", retry_after.as_secs())]
    Throttled {
        /// When to try again.
        retry_after: Duration,
    },
    /// The request makes no sense (a malformed header or form).
    #[error("{0}")]
    Malformed(String),
    /// No such account.
    #[error("there is no account {0}")]
    UnknownAccount(String),
    /// No such team, member, grant, token or repository; the message says which.
    #[error("{0}")]
    NotFound(String),
    /// It cannot be done as things stand; the message says what to do first.
    #[error("{0}")]
    Conflict(String),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] MetaError),
}

impl From<WriteError<AccessError>> for AccessError {
    fn from(error: WriteError<AccessError>) -> Self {
        match error {
            WriteError::Refused(error) => error,
            WriteError::Store(error) => Self::Store(error),
        }
    }
}

/// Settings of this module.
#[derive(Clone, Debug)]
pub struct AccessSettings {
    /// What those may who do not sign in.
    pub anonymous: Anonymous,
    /// How long an access token works; at least a minute, whatever is set. It is looked at when a request starts, so
    /// an upload may take longer.
    pub token_ttl: Duration,
}

/// How a token is asked for.
#[derive(Debug)]
pub enum Grant {
    /// Nothing was shown: an anonymous token.
    Anonymous,
    /// Name and password, by Basic or by the form.
    Password {
        /// The account's name.
        username: String,
        /// Its password.
        password: Secret,
    },
    /// A refresh token, by the form.
    Refresh(Secret),
}

/// A request to the token service (Docker registry token authentication specification).
#[derive(Debug)]
pub struct TokenRequest {
    /// Credentials.
    pub grant: Grant,
    /// What is asked for.
    pub scopes: Vec<Scope>,
    /// Whether a refresh token is wanted too (`access_type=offline`, `offline_token=true`).
    pub offline: bool,
    /// The `client_id` (or `account`), for the record.
    pub client: String,
}

/// What the token service gives.
#[derive(Debug)]
pub struct TokenAnswer {
    /// The bearer token.
    pub token: Secret,
    /// For how long it works.
    pub expires_in: Duration,
    /// When it was issued.
    pub issued_at: crate::base::Timestamp,
    /// What it gives access to: the asked scopes, cut to what is allowed.
    pub scopes: Vec<Scope>,
    /// A refresh token, if one was wanted and somebody signed in.
    pub refresh: Option<Secret>,
}

impl Default for AccessSettings {
    fn default() -> Self {
        Self { anonymous: Anonymous::None, token_ttl: Duration::from_mins(30) }
    }
}

/// When a request began, by the wall clock and by steady time (ms). What grows old by itself, a bearer token and a password
/// that was found right, is measured against this for the whole of the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Began {
    wall: crate::base::Timestamp,
    steady: u64,
}

/// Sign-in and permissions. Cheap to clone.
#[derive(Clone)]
pub struct Access(Arc<Inner>);

struct Inner {
    meta: Engine,
    clock: Clock,
    settings: AccessSettings,
    passwords: Arc<password::Passwords>,
    authenticators: Vec<Box<dyn authenticator::Authenticator>>,
    throttle: throttle::Throttle,
    sign_ins: sign_in::SignIns,
    keys: token::Keys,
    tokens: sign_in::Tokens,
    refusals: refusals::Refusals,
    standings: rights::Standings,
    sights: rights::Sights,
    uses: personal_tokens::Uses,
}

impl Access {
    /// Opens the module over the store; makes the registry's id and its token key on the first start. Waits for the
    /// store.
    ///
    /// # Errors
    /// When the store fails.
    ///
    /// # Panics
    /// On a thread that drives async tasks, as [`Engine::write_blocking`] does.
    pub fn open(meta: Engine, clock: Clock, settings: AccessSettings) -> Result<Self, AccessError> {
        Self::open_with(meta, clock, settings, Vec::new())
    }

    /// The same with sources of accounts that are asked before the registry's own.
    ///
    /// # Errors
    /// As [`Access::open`].
    ///
    /// # Panics
    /// As [`Access::open`].
    pub fn open_with(
        meta: Engine,
        clock: Clock,
        settings: AccessSettings,
        mut authenticators: Vec<Box<dyn authenticator::Authenticator>>,
    ) -> Result<Self, AccessError> {
        let keys = token::open(&meta, clock.now())?;
        let refusals = refusals::Refusals::new(meta.clone(), clock.clone());
        let passwords = Arc::new(password::Passwords::new());
        authenticators.push(Box::new(authenticator::Local::new(meta.clone(), Arc::clone(&passwords))));
        Ok(Self(Arc::new(Inner {
            meta,
            clock,
            settings,
            passwords,
            authenticators,
            throttle: throttle::Throttle::new(),
            sign_ins: sign_in::SignIns::new(),
            keys,
            tokens: sign_in::Tokens::new(),
            refusals,
            standings: rights::Standings::default(),
            sights: rights::Sights::default(),
            uses: personal_tokens::Uses::default(),
        })))
    }

    /// What puts refusals on record.
    pub fn refusals(&self) -> &refusals::Refusals {
        &self.0.refusals
    }

    /// The registry's id: the audience of its tokens.
    pub fn instance(&self) -> &str {
        self.0.keys.instance()
    }

    /// Who sent this `Authorization` header (`Basic`, `Bearer`, or none), from this address?
    ///
    /// # Errors
    /// [`AccessError::Refused`], [`AccessError::Throttled`], [`AccessError::Malformed`], or the store's fault.
    pub async fn authenticate(&self, authorization: Option<&str>, peer: IpAddr) -> Result<Caller, AccessError> {
        self.authenticate_client(authorization, peer, "").await
    }

    /// The same for a client that calls itself `client` (`User-Agent`): the record of a token's last use says so.
    ///
    /// # Errors
    /// As [`Access::authenticate`].
    pub async fn authenticate_client(
        &self,
        authorization: Option<&str>,
        peer: IpAddr,
        client: &str,
    ) -> Result<Caller, AccessError> {
        self.authenticate_since(authorization, peer, client, self.began()).await
    }

    /// The present, for a request that begins.
    pub fn began(&self) -> Began {
        Began { wall: self.0.clock.now(), steady: self.0.clock.steady() }
    }

    /// The same as [`Access::authenticate_client`] once more, for a request that began then and whose body has come since.
    /// What was taken away meanwhile is taken away: the account, its password, a personal access token. That a bearer
    /// token has grown too old is not held against the request: its age was looked at when it began, and a large layer
    /// takes longer than any token lives.
    ///
    /// # Errors
    /// As [`Access::authenticate`].
    pub async fn authenticate_since(
        &self,
        authorization: Option<&str>,
        peer: IpAddr,
        client: &str,
        began: Began,
    ) -> Result<Caller, AccessError> {
        match authorization.map(Credentials::parse).transpose()? {
            None => Ok(Caller::anonymous()),
            Some(Credentials::Bearer(token)) => self.bearer(&token, peer, began),
            Some(Credentials::Basic { username, password }) => {
                let identity = self.identify(&username, password, peer, client, began).await?;
                Ok(identity.caller())
            }
        }
    }
}
