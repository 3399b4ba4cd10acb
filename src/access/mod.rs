//! Floor 3: who asks, and may they?
//!
//! - [`credentials`] reads the `Authorization` header;
//! - `sign_in` finds out whose the credentials are, with what is remembered of earlier ones; [`password`] hashes,
//!   `throttle` slows down who guesses;
//! - `grant` answers the token service, `token` signs and verifies bearer tokens, `refresh` keeps refresh tokens;
//! - [`decide`](mod@decide) says what a caller may do;
//! - `accounts` makes accounts and sets passwords.
//!
//! Everything that is remembered (sign-ins, verified tokens) carries the account's revision and is compared with the
//! account's row on each use: a new password ends it all at once. Nothing here logs more of a secret than whose it is.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::base::{Clock, Secret};
use crate::meta::{Engine, MetaError, WriteError};
use crate::model::operation::Requirement;
use crate::model::{Caller, Decision};
use crate::oci::scope::Scope;

mod accounts;
mod cache;
pub mod credentials;
pub mod decide;
mod grant;
pub mod password;
mod refresh;
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
    /// Whether everybody may pull without signing in.
    pub anonymous_pull: bool,
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
        Self { anonymous_pull: false, token_ttl: Duration::from_mins(30) }
    }
}

/// Sign-in and permissions. Cheap to clone.
#[derive(Clone)]
pub struct Access(Arc<Inner>);

struct Inner {
    meta: Engine,
    clock: Clock,
    settings: AccessSettings,
    passwords: password::Passwords,
    throttle: throttle::Throttle,
    sign_ins: sign_in::SignIns,
    keys: token::Keys,
    tokens: sign_in::Tokens,
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
        let keys = token::open(&meta, clock.now())?;
        Ok(Self(Arc::new(Inner {
            meta,
            clock,
            settings,
            passwords: password::Passwords::new(),
            throttle: throttle::Throttle::new(),
            sign_ins: sign_in::SignIns::new(),
            keys,
            tokens: sign_in::Tokens::new(),
        })))
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
        match authorization.map(Credentials::parse).transpose()? {
            None => Ok(Caller::anonymous()),
            Some(Credentials::Bearer(token)) => self.bearer(&token, peer),
            Some(Credentials::Basic { username, password }) => {
                let account = self.sign_in(&username, password, peer).await?;
                Ok(Caller::of(sign_in::principal(&account)))
            }
        }
    }

    /// May they? As [`Access::decide`], for one who need not know why.
    pub fn may(&self, caller: &Caller, requirement: Requirement<'_>) -> bool {
        decide::may(self.0.settings.anonymous_pull, caller, requirement)
    }

    /// May they?
    pub fn decide(&self, caller: &Caller, requirement: Requirement<'_>) -> Decision {
        decide::decide(self.0.settings.anonymous_pull, caller, requirement)
    }
}
