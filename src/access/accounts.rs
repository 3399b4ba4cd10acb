//! Makes, changes and deletes accounts, and sets passwords. Whether the caller may is decided before.

use std::net::IpAddr;

use super::password::{check_new, generate, hash};
use super::{Access, AccessError};
use crate::base::{Secret, Timestamp, Uuid};
pub use crate::meta::account::List;
use crate::meta::{Engine, MetaError, Read, WriteError, WriteTx, account, organization, repo, session};
use crate::model::account::{Account, AccountKind, MAX_FULL_NAME, wrong_name};
use crate::model::event::Happening;
use crate::model::{Actor, Principal};

/// The account of the first start.
pub const ADMIN: &str = "admin";

/// The most entries of one page of accounts, and one more that tells whether there is a next page.
pub const MAX_PAGE: usize = 1001;

/// Accounts among which one request looks for a text.
const SCAN: usize = 20_000;

/// An account to be made.
#[derive(Clone, Debug)]
pub struct NewAccount {
    /// Its name.
    pub name: String,
    /// What it is.
    pub kind: AccountKind,
    /// How people call it.
    pub full_name: String,
    /// Its password; `None`: it has none, and signs in by access tokens alone.
    pub password: Option<Secret>,
    /// Whether it administers the registry.
    pub admin: bool,
    /// Whether it may be used.
    pub active: bool,
}

impl Default for NewAccount {
    fn default() -> Self {
        Self {
            name: String::new(),
            kind: AccountKind::User,
            full_name: String::new(),
            password: None,
            admin: false,
            active: true,
        }
    }
}

/// What may be changed about an account; `None` leaves it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccountChange {
    /// Its password. Everything that was signed in before ends.
    pub password: Option<Secret>,
    /// How people call it.
    pub full_name: Option<String>,
    /// Whether it may be used: switched off, its sessions and tokens end at once.
    pub active: Option<bool>,
    /// Whether it administers the registry.
    pub admin: Option<bool>,
}

/// Which accounts are asked for (eNZi's filters).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AccountFilter {
    /// All.
    #[default]
    All,
    /// Users.
    Users,
    /// Organizations.
    Organizations,
    /// Administrators.
    Admins,
    /// Users who do not administer.
    NonAdmins,
    /// Users who may sign in.
    ActiveUsers,
    /// Users who may not.
    InactiveUsers,
}

impl AccountFilter {
    fn list(self) -> Option<List> {
        match self {
            Self::All => None,
            Self::Users => Some(List::Users),
            Self::NonAdmins => Some(List::Plain),
            Self::ActiveUsers => Some(List::Active),
            Self::Organizations => Some(List::Organizations),
            Self::Admins => Some(List::Admins),
            Self::InactiveUsers => Some(List::Inactive),
        }
    }
}

/// What became of an account that was to be made.
pub(super) enum Created {
    /// It is there now.
    New(Account),
    /// There was one of that name.
    Known,
}

/// The revision after a change. It always rises, also above that of an account of the same name that is no more.
fn next_revision(before: u64, now: Timestamp) -> u64 {
    before.saturating_add(1).max(now.0)
}

fn check_full_name(text: &str) -> Result<(), AccessError> {
    if text.chars().count() > MAX_FULL_NAME || text.chars().any(char::is_control) {
        return Err(AccessError::Malformed(format!("a full name is one line of at most {MAX_FULL_NAME} characters")));
    }
    Ok(())
}

/// Ends what an account is signed in to.
fn sign_out(tx: &mut WriteTx, account: &mut Account, now: Timestamp) -> Result<(), MetaError> {
    account.revision = next_revision(account.revision, now);
    account::delete_refresh(tx, &account.name)?;
    session::delete_all(tx, &account.name)
}

/// Takes away what deleted accounts and teams left, in bounded steps; how many that finished. What they gave was gone
/// before; a crash leaves nothing that the next call does not finish.
///
/// # Errors
/// When the store fails.
pub async fn drain(meta: &Engine) -> Result<usize, MetaError> {
    let plain = |error| match error {
        WriteError::Refused(error) | WriteError::Store(error) => error,
    };
    let mut finished = 0;
    loop {
        let gone = meta.read(|tx| organization::gone(tx, 1))?.pop();
        let departed = meta.read(|tx| account::departed(tx, 1))?.pop();
        let done = match (gone, departed) {
            (Some((team, organization)), _) => {
                meta.write(move |tx| organization::drain_team(tx, team, &organization)).await.map_err(plain)?
            }
            (None, Some(name)) => meta.write(move |tx| account::drain(tx, &name)).await.map_err(plain)?,
            (None, None) => return Ok(finished),
        };
        finished += usize::from(done);
    }
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

    /// Makes an account.
    ///
    /// # Errors
    /// [`AccessError::Malformed`], [`AccessError::Conflict`] when the name is taken, or the store's fault.
    pub async fn create_account(&self, actor: &Actor, new: NewAccount) -> Result<Account, AccessError> {
        let organization = new.kind == AccountKind::Organization;
        if organization && (new.password.is_some() || new.admin) {
            return Err(AccessError::Malformed(
                "nobody signs in as an organization: give its owners accounts, and make them members".into(),
            ));
        }
        let password = match &new.password {
            Some(password) => {
                check_new(password)?;
                self.0.passwords.hash(password.clone()).await?
            }
            None => String::new(),
        };
        let name = new.name.clone();
        match self.create(actor, new, password).await? {
            Created::New(account) => Ok(account),
            Created::Known => Err(AccessError::Conflict(format!("there is an account {name} already"))),
        }
    }

    /// Makes an account with this hash of its password.
    pub(super) async fn create(
        &self,
        actor: &Actor,
        new: NewAccount,
        password: String,
    ) -> Result<Created, AccessError> {
        if let Some(wrong) = wrong_name(&new.name) {
            return Err(AccessError::Malformed(wrong));
        }
        check_full_name(&new.full_name)?;
        let now = self.0.clock.now();
        let base = match new.kind {
            AccountKind::User => Account::user(&new.name, Uuid::random(), now),
            AccountKind::Organization => Account::organization(&new.name, Uuid::random(), now),
        };
        let (admin, active) = (new.admin, new.active);
        let account = Account { password, full_name: new.full_name, admin, active, ..base };
        loop {
            let account = account.clone();
            let made = self.change(actor, move |tx, record| {
                if account::get(tx, &account.name)?.is_some() {
                    return Ok(Some(Created::Known));
                }
                if account::is_departed(tx, &account.name)? {
                    return Ok(None);
                }
                if let Some(repo) =
                    repo::in_namespace(tx, &account.name, 1)?.first().filter(|_| !account.is_organization())
                {
                    return Err(AccessError::Conflict(format!(
                        "there are repositories in {}, such as {repo}, which a user of that name would own; make it an \
                         organization, or choose another name",
                        account.name
                    )));
                }
                account::put(tx, &account);
                let Account { name, id, kind, .. } = account.clone();
                record.put(tx, 0, None, Happening::AccountCreated { account: name, id, kind, by_push_to: None })?;
                Ok(Some(Created::New(account.clone())))
            });
            match made.await? {
                Some(made) => return Ok(made),
                // Whoever gets the name gets nothing of what its last owner had.
                None => drop(drain(&self.0.meta).await?),
            }
        }
    }

    /// Changes an account: all of what is asked for, or nothing.
    ///
    /// # Errors
    /// [`AccessError::UnknownAccount`], also for the password of an organization; [`AccessError::Malformed`],
    /// [`AccessError::Conflict`] when nobody could administer the registry afterwards, or the store's fault.
    pub async fn change_account(
        &self,
        actor: &Actor,
        name: &str,
        change: AccountChange,
    ) -> Result<Account, AccessError> {
        self.change_seen(actor, name, None, change).await
    }

    /// The same if the account still is at the revision at which it was `seen`.
    async fn change_seen(
        &self,
        actor: &Actor,
        name: &str,
        seen: Option<u64>,
        change: AccountChange,
    ) -> Result<Account, AccessError> {
        check_full_name(change.full_name.as_deref().unwrap_or_default())?;
        let owned = name.to_owned();
        let unknown = move || AccessError::UnknownAccount(owned.clone());
        let password = match &change.password {
            None => None,
            Some(new) => {
                check_new(new)?;
                self.account(name)?.filter(|account| !account.is_organization()).ok_or_else(&unknown)?;
                Some(self.0.passwords.hash(new.clone()).await?)
            }
        };
        let sets_password = password.is_some();
        let owned = name.to_owned();
        let changed = self.change(actor, move |tx, record| {
            let name = &owned;
            let before = account::get(tx, name)?.ok_or_else(&unknown)?;
            if seen.is_some_and(|seen| seen != before.revision) {
                return Err(AccessError::Refused("the account was changed meanwhile; sign in again".into()));
            }
            let mut after = before.clone();
            if let Some(password) = &password {
                if before.is_organization() {
                    return Err(unknown());
                }
                after.password.clone_from(password);
                after.initial = false;
            }
            if let Some(full_name) = &change.full_name {
                after.full_name.clone_from(full_name);
            }
            after.active = change.active.unwrap_or(before.active);
            after.admin = change.admin.unwrap_or(before.admin);
            if after == before {
                return Ok(after);
            }
            if after.is_organization() && (after.admin || !after.active) {
                return Err(AccessError::Malformed(
                    "an organization is always active, and administers nothing but itself".into(),
                ));
            }
            let (active, admin) = (after.active != before.active, after.admin != before.admin);
            if before.admin && before.active && !(after.admin && after.active) {
                keep_an_admin(tx, name)?;
            }
            if active || admin || password.is_some() {
                sign_out(tx, &mut after, record.now)?;
            }
            account::put(tx, &after);
            if password.is_some() {
                record.put(tx, 0, None, Happening::PasswordChanged { account: name.clone() })?;
            }
            let full_name = after.full_name != before.full_name;
            if active || admin || full_name {
                let (active, admin) = (active.then_some(after.active), admin.then_some(after.admin));
                record.put(
                    tx,
                    1,
                    None,
                    Happening::AccountChanged { account: name.clone(), active, admin, full_name },
                )?;
            }
            Ok(after)
        });
        let changed = changed.await?;
        if sets_password {
            self.0.throttle.forget(name);
            tracing::info!(account = name, "password changed");
        }
        Ok(changed)
    }

    /// Deletes an account whose namespace is empty: it is gone with the answer, and its memberships, tokens, members and
    /// teams go behind.
    ///
    /// # Errors
    /// [`AccessError::UnknownAccount`], [`AccessError::Conflict`] when there are repositories in its namespace, or nobody
    /// could administer the registry afterwards, or the store's fault.
    pub async fn delete_account(&self, actor: &Actor, name: &str) -> Result<Account, AccessError> {
        let name = name.to_owned();
        let gone = self.change(actor, move |tx, record| {
            let account = account::get(tx, &name)?.ok_or_else(|| AccessError::UnknownAccount(name.clone()))?;
            if account.admin && account.can_sign_in() {
                keep_an_admin(tx, &name)?;
            }
            if let Some(repo) = repo::in_namespace(tx, &name, 1)?.first() {
                return Err(AccessError::Conflict(format!(
                    "there are repositories in {name}, such as {repo}; delete them first, or say that they go as well"
                )));
            }
            account::delete(tx, &account)?;
            let Account { name, id, kind, .. } = account.clone();
            record.put(tx, 0, None, Happening::AccountDeleted { account: name, id, kind })?;
            Ok(account)
        });
        let gone = gone.await?;
        self.0.throttle.forget(&gone.name);
        drain(&self.0.meta).await?;
        Ok(gone)
    }

    /// Whether an account may be deleted, apart from what its namespace holds.
    ///
    /// # Errors
    /// As [`Access::delete_account`].
    pub fn check_deletable(&self, name: &str) -> Result<(), AccessError> {
        let account = self.account(name)?.ok_or_else(|| AccessError::UnknownAccount(name.to_owned()))?;
        if account.admin && account.can_sign_in() {
            return self.0.meta.read(|tx| keep_an_admin(tx, name));
        }
        Ok(())
    }

    /// The account of that name, of that id, or of that id behind `id:`.
    ///
    /// # Errors
    /// [`AccessError::UnknownAccount`], or the store's fault.
    pub fn resolve(&self, name_or_id: &str) -> Result<Account, AccessError> {
        if let Some(account) = self.account(name_or_id)? {
            return Ok(account);
        }
        let found = match Uuid::parse(name_or_id.strip_prefix("id:").unwrap_or(name_or_id)) {
            Some(id) => self.0.meta.read(|tx| match account::name_of(tx, id)? {
                Some(name) => account::get(tx, &name),
                None => Ok(None),
            })?,
            None => None,
        };
        found.ok_or_else(|| AccessError::UnknownAccount(name_or_id.to_owned()))
    }

    /// At most `limit` accounts after the name `last`, by name.
    ///
    /// # Errors
    /// When the store fails.
    pub fn accounts(
        &self,
        filter: AccountFilter,
        last: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Account>, AccessError> {
        Ok(self.0.meta.read(|tx| account::list(tx, filter.list(), last, limit.min(MAX_PAGE)))?)
    }

    /// At most `limit` accounts after the name `last`, by name, whose name or full name has a text in it, in whatever
    /// case; and where to go on, when there may be more. One call looks at a bounded number of accounts, so a page may be
    /// short, or empty, and not the last.
    ///
    /// # Errors
    /// When the store fails.
    pub fn find_accounts(
        &self,
        filter: AccountFilter,
        text: &str,
        last: Option<&str>,
        limit: usize,
    ) -> Result<(Vec<Account>, Option<String>), AccessError> {
        let limit = limit.clamp(1, MAX_PAGE);
        let text = text.to_lowercase();
        let wanted =
            |account: &Account| account.name.contains(&text) || account.full_name.to_lowercase().contains(&text);
        let (mut found, mut looked, mut last) = (Vec::new(), 0, last.map(str::to_owned));
        loop {
            let page = self.0.meta.read(|tx| account::list(tx, filter.list(), last.as_deref(), limit + 1))?;
            let end = page.len() <= limit;
            for account in page.into_iter().take(limit) {
                if found.len() == limit {
                    return Ok((found, last));
                }
                last = Some(account.name.clone());
                looked += 1;
                found.extend(wanted(&account).then_some(account));
            }
            if end {
                return Ok((found, None));
            }
            if found.len() == limit || looked >= SCAN {
                return Ok((found, last));
            }
        }
    }

    /// Gives an account a new random password and returns it; sessions, tokens and cached sign-ins made before end.
    ///
    /// # Errors
    /// [`AccessError::UnknownAccount`], or the store's fault.
    pub async fn reset_password(&self, account: &str) -> Result<Secret, AccessError> {
        self.reset_password_by(&Actor::system(), account).await
    }

    /// The same on behalf of an administrator.
    ///
    /// # Errors
    /// As [`Access::reset_password`].
    pub async fn reset_password_by(&self, actor: &Actor, account: &str) -> Result<Secret, AccessError> {
        let password = generate();
        self.set_password_by(actor, account, password.clone()).await?;
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
        // Before the old one is checked: nobody types that in vain.
        check_new(&new)?;
        let (mut seen, mut actor) = (None, Actor::system());
        if let Some((old, peer)) = old {
            let account = self.sign_in(account, old, peer).await?;
            seen = Some(account.revision);
            let principal = Principal::User { name: account.name, admin: account.admin };
            actor = Actor { address: Some(peer.to_string()), ..Actor::new(principal) };
        }
        let change = AccountChange { password: Some(new), ..AccountChange::default() };
        self.change_seen(&actor, account, seen, change).await?;
        Ok(())
    }

    /// Sets an account's password on behalf of an administrator.
    ///
    /// # Errors
    /// As [`Access::change_password`].
    pub async fn set_password_by(&self, actor: &Actor, account: &str, new: Secret) -> Result<(), AccessError> {
        let change = AccountChange { password: Some(new), ..AccountChange::default() };
        self.change_account(actor, account, change).await?;
        Ok(())
    }
}

/// The registry is never left without somebody who can sign in and administer it. (Who has no password is kept as well
/// while there is nobody else: better an access token than nothing.)
fn keep_an_admin(tx: &impl Read, name: &str) -> Result<(), AccessError> {
    if account::other_admin(tx, name)? {
        return Ok(());
    }
    Err(AccessError::Conflict(format!(
        "{name} is the last active administrator; make somebody else one first, who has a password, or nobody could \
         administer this registry"
    )))
}
