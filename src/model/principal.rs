//! Who asks.

use std::fmt;

use serde::{Deserialize, Serialize};

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
    pub token: Option<std::sync::Arc<[Scope]>>,
}

impl Caller {
    /// Nobody signed in.
    pub fn anonymous() -> Self {
        Self { principal: Principal::Anonymous, token: None }
    }

    /// The same caller with all that its account may do, whatever the token that was shown.
    #[must_use]
    pub fn without_token(&self) -> Self {
        Self { principal: self.principal.clone(), token: None }
    }

    /// Whether somebody signed in.
    pub fn is_signed_in(&self) -> bool {
        self.principal != Principal::Anonymous
    }
}
