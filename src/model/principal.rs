//! Who asks.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::personal_token::{Through, TokenScope};
use crate::oci::scope::Scope;

/// An identity, proved or anonymous.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Principal {
    /// Nobody signed in.
    Anonymous,
    /// A user of this registry.
    User {
        /// The account's name.
        name: String,
        /// Whether the account administers the registry.
        admin: bool,
    },
    /// The registry itself: jobs, schedules, the command line on a stopped server.
    System,
}

impl Principal {
    /// The name as logs and events show it.
    pub fn name(&self) -> &str {
        match self {
            Self::Anonymous => "anonymous",
            Self::User { name, .. } => name,
            Self::System => "system",
        }
    }
}

impl fmt::Display for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A principal together with what its credentials allow at most.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// Who asks.
    pub principal: Principal,
    /// The scopes of the bearer token that was shown; `None` for Basic and anonymous callers, whom no token narrows.
    pub token: Option<Arc<[Scope]>>,
    /// The personal access token by which the caller came, straight or by a bearer token that was got with it: it
    /// narrows whatever is decided.
    pub through: Option<Arc<Through>>,
}

impl Caller {
    /// Nobody signed in.
    pub fn anonymous() -> Self {
        Self::of(Principal::Anonymous)
    }

    /// A principal with all its rights.
    pub fn of(principal: Principal) -> Self {
        Self { principal, token: None, through: None }
    }

    /// The same caller with all that its account may do, whatever the scopes of the bearer token that was shown. What a
    /// personal access token narrows stays narrow.
    #[must_use]
    pub fn without_token(&self) -> Self {
        Self { principal: self.principal.clone(), token: None, through: self.through.clone() }
    }

    /// Whether the caller came by a personal access token that is for some places alone.
    pub fn is_for_places(&self) -> bool {
        self.through.as_ref().is_some_and(|through| matches!(through.scope, TokenScope::Places(_)))
    }

    /// Whether somebody signed in.
    pub fn is_signed_in(&self) -> bool {
        self.principal != Principal::Anonymous
    }
}

/// Who asks for a change, for the record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actor {
    /// The principal.
    pub principal: Principal,
    /// The client's address, where there is one.
    pub address: Option<String>,
    /// What the client calls itself, where it says so.
    pub agent: Option<String>,
    /// By which access token or policy, where that is known.
    pub via: Option<String>,
    /// Whether it came by a personal access token that gives less than its owner may.
    pub narrowed: bool,
}

impl Actor {
    /// A principal of whom no more is known.
    pub fn new(principal: Principal) -> Self {
        Self { principal, address: None, agent: None, via: None, narrowed: false }
    }

    /// A caller, and the access token by which it came.
    pub fn of(caller: &Caller) -> Self {
        let through = caller.through.as_ref();
        Self {
            via: through.map(|through| through.name()),
            narrowed: through.is_some_and(|through| !through.scope.is_all()),
            ..Self::new(caller.principal.clone())
        }
    }

    /// The registry itself.
    pub fn system() -> Self {
        Self::new(Principal::System)
    }

    /// Whether it administers the registry.
    pub fn is_admin(&self) -> bool {
        matches!(self.principal, Principal::User { admin: true, .. } | Principal::System)
    }
}
