//! Floor 3: who asks, and may they?

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::base::{Clock, Secret};
use crate::meta::{Engine, MetaError};
use crate::model::operation::Requirement;
use crate::model::{Caller, Decision};
use crate::oci::scope::Scope;

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

/// Settings of this module.
#[derive(Clone, Debug)]
pub struct AccessSettings {
    /// Whether everybody may pull without signing in.
    pub anonymous_pull: bool,
    /// How long an access token works.
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

/// Sign-in and permissions. Cheap to clone.
#[derive(Clone)]
pub struct Access(Arc<()>);

impl Access {
    /// Opens the module over the store; makes token keys on the first start.
    ///
    /// # Errors
    /// When the store fails.
    pub fn open(meta: Engine, clock: Clock, settings: AccessSettings) -> Result<Self, AccessError> {
        let _ = (meta, clock, settings);
        todo!()
    }

    /// Who sent this `Authorization` header (`Basic`, `Bearer`, or none), from this address?
    ///
    /// # Errors
    /// [`AccessError::Refused`], [`AccessError::Throttled`], [`AccessError::Malformed`], or the store's fault.
    pub async fn authenticate(&self, authorization: Option<&str>, peer: IpAddr) -> Result<Caller, AccessError> {
        let _ = (authorization, peer);
        todo!()
    }

    /// May they?
    pub fn decide(&self, caller: &Caller, requirement: Requirement<'_>) -> Decision {
        let _ = (caller, requirement);
        todo!()
    }

    /// Answers the token service.
    ///
    /// # Errors
    /// As [`Access::authenticate`].
    pub async fn token(&self, request: TokenRequest, peer: IpAddr) -> Result<TokenAnswer, AccessError> {
        let _ = (request, peer);
        todo!()
    }

    /// Makes the `admin` account of the first start, unless an account is there already; tells whether it did.
    ///
    /// # Errors
    /// When the store fails.
    pub fn create_admin(&self, password: &Secret) -> Result<bool, AccessError> {
        let _ = password;
        todo!()
    }

    /// Gives an account a new random password and returns it; sessions, tokens and cached sign-ins made before end.
    ///
    /// # Errors
    /// [`AccessError::UnknownAccount`], or the store's fault.
    pub async fn reset_password(&self, account: &str) -> Result<Secret, AccessError> {
        let _ = account;
        todo!()
    }
}
