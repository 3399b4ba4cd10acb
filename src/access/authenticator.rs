//! Where names and passwords are checked: the registry's own accounts, and before them whatever else is put in (LDAP,
//! OIDC's password grant; neither is built yet).

use std::sync::Arc;

use super::AccessError;
use super::password::Passwords;
use crate::base::Secret;
use crate::meta::{Engine, account};

/// What a source of accounts says of a name and a password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// They belong together: it is this account.
    Identity {
        /// The account's name in this registry.
        account: String,
    },
    /// It does not know the name; the next source is asked.
    NotMine,
    /// It knows the name, and the password is wrong. Nobody else is asked.
    Refused,
}

/// A source of accounts. The registry asks its sources in order; its own comes last. Throttling, remembering, active or
/// not, and what the account may: all of that is decided elsewhere, whatever the source.
pub trait Authenticator: Send + Sync + 'static {
    /// Its name, for the log.
    fn name(&self) -> &'static str;

    /// Checks a name and a password. Runs on a blocking thread; only two are run at once, so that it gives up after a few
    /// seconds.
    ///
    /// # Errors
    /// When it cannot tell. Nobody is let in then.
    fn authenticate(&self, name: &str, password: &Secret) -> Result<Answer, AccessError>;
}

/// The registry's own accounts.
pub(super) struct Local {
    meta: Engine,
    passwords: Arc<Passwords>,
}

impl Local {
    pub(super) fn new(meta: Engine, passwords: Arc<Passwords>) -> Self {
        Self { meta, passwords }
    }
}

impl Authenticator for Local {
    fn name(&self) -> &'static str {
        "local"
    }

    fn authenticate(&self, name: &str, password: &Secret) -> Result<Answer, AccessError> {
        let account = self.meta.read(|tx| account::get(tx, name))?;
        // A name that is not there costs as much as one that is.
        let right = self.passwords.verify(account.as_ref(), password)?;
        Ok(match account {
            Some(account) if right => Answer::Identity { account: account.name },
            Some(_) => Answer::Refused,
            None => Answer::NotMine,
        })
    }
}
