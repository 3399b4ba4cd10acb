//! Makes accounts and sets passwords.

use std::net::IpAddr;

use super::password::{check_new, generate, hash};
use super::{Access, AccessError};
use crate::base::{EventId, Secret, Timestamp, Uuid};
use crate::meta::{account, event, session};
use crate::model::account::Account;
use crate::model::event::Happening;
use crate::model::{Event, Principal};

/// The account of the first start.
pub const ADMIN: &str = "admin";

/// The revision after a change. It always rises, also above that of an account of the same name that is no more.
fn next_revision(before: u64, now: Timestamp) -> u64 {
    before.saturating_add(1).max(now.0)
}

impl Access {
    /// Makes the `admin` account of the first start with a password that somebody gave, unless an account is there
    /// already; tells whether it did. Hashes and waits for the store.
    ///
    /// # Errors
    /// [`AccessError::Malformed`] when the password is too short or too long, or the store's fault.
    ///
    /// # Panics
    /// On a thread that drives async tasks, as `Engine::write_blocking` does.
    pub fn create_admin(&self, password: &Secret) -> Result<bool, AccessError> {
        self.make_admin(password, false)
    }

    /// The same with a password that the registry made up, which `admin` is asked to change.
    ///
    /// # Errors
    /// As [`Access::create_admin`].
    ///
    /// # Panics
    /// As [`Access::create_admin`].
    pub fn create_admin_with_initial(&self, password: &Secret) -> Result<bool, AccessError> {
        self.make_admin(password, true)
    }

    fn make_admin(&self, password: &Secret, initial: bool) -> Result<bool, AccessError> {
        if self.0.meta.read(account::any)? {
            return Ok(false);
        }
        check_new(password)?;
        let now = self.0.clock.now();
        let admin = Account {
            password: hash(password),
            admin: true,
            revision: next_revision(0, now),
            initial,
            ..Account::user(ADMIN, Uuid::random(), now)
        };
        let made = self.0.meta.write_blocking(move |tx| {
            let first = !account::any(tx)?;
            if first {
                account::put(tx, &admin);
            }
            Ok::<_, AccessError>(first)
        })?;
        Ok(made)
    }

    /// Gives an account a new random password and returns it; sessions, tokens and cached sign-ins made before end.
    ///
    /// # Errors
    /// [`AccessError::UnknownAccount`], or the store's fault.
    pub async fn reset_password(&self, account: &str) -> Result<Secret, AccessError> {
        let password = generate();
        self.set_password(account, None, password.clone(), None).await?;
        tracing::info!(account, "password reset");
        Ok(password)
    }

    /// Changes a password. `old` is the password so far and where it was typed, checked and throttled like a sign-in;
    /// `None` when an administrator sets it. Everything that was signed in before ends, as with
    /// [`Access::reset_password`].
    ///
    /// # Errors
    /// [`AccessError::Malformed`] when the new password is too short or too long; as [`Access::authenticate`] for the
    /// old one; [`AccessError::UnknownAccount`], or the store's fault.
    pub async fn change_password(
        &self,
        account: &str,
        old: Option<(Secret, IpAddr)>,
        new: Secret,
    ) -> Result<(), AccessError> {
        check_new(&new)?;
        let peer = old.as_ref().map(|(_, peer)| *peer);
        let seen = match old {
            Some((old, peer)) => Some(self.sign_in(account, old, peer).await?.revision),
            None => None,
        };
        self.set_password(account, seen, new, peer).await?;
        tracing::info!(account, "password changed");
        Ok(())
    }

    /// Sets a password, if the account still is at the revision at which the old one was checked. With a `peer` its
    /// owner did it, without one whoever has the machine.
    async fn set_password(
        &self,
        name: &str,
        seen: Option<u64>,
        new: Secret,
        peer: Option<IpAddr>,
    ) -> Result<(), AccessError> {
        let unknown = || AccessError::UnknownAccount(name.to_owned());
        self.account(name)?.ok_or_else(unknown)?;
        let password = self.0.passwords.hash(new).await?;
        let now = self.0.clock.now();
        let owned = name.to_owned();
        let id = EventId::at(now);
        let written = self.0.meta.write(move |tx| {
            let Some(mut account) = account::get(tx, &owned)? else {
                return Err(AccessError::UnknownAccount(owned.clone()));
            };
            if seen.is_some_and(|seen| seen != account.revision) {
                return Err(AccessError::Refused("the account was changed meanwhile; sign in again".into()));
            }
            account.password.clone_from(&password);
            account.revision = next_revision(account.revision, now);
            account.initial = false;
            account::put(tx, &account);
            account::delete_refresh(tx, &owned)?;
            session::delete_all(tx, &owned)?;
            let actor = match peer {
                Some(_) => Principal::User { name: owned.clone(), admin: account.admin },
                None => Principal::System,
            };
            let what = Happening::PasswordChanged { account: owned.clone() };
            let address = peer.map(|peer| peer.to_string());
            event::put(tx, None, &Event { id, time: now, actor, address, what });
            Ok(())
        });
        written.await?;
        self.0.throttle.forget(name);
        Ok(())
    }
}
