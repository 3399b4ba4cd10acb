//! Whose credentials are these? What was found right is remembered, under the account's revision.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use super::authenticator::Answer;
use super::cache::Bounded;
use super::password::{self, MAX_ACCOUNT, MAX_PASSWORD, Proof, is_imported};
use super::personal_tokens::{behind, is_token};
use super::refusals::Refusal;
use super::throttle::Source;
use super::token::Claims;
use super::{Access, AccessError, Began};
use crate::base::{Secret, Uuid};
use crate::meta::tables::RIGHTS;
use crate::meta::{Epoch, MetaError, Only, account};
use crate::model::account::Account;
use crate::model::personal_token::{Through, TokenHash};
use crate::model::{Caller, Principal};
use crate::oci::scope::Scope;

/// How long a right password is remembered: clients that send Basic do so with every request, and jobs sign in by
/// the hundred.
const REMEMBER: Duration = Duration::from_mins(5);

/// Which state of which account: its id and its revision. A name is not enough, nor name and revision: an account that is
/// deleted and made again within a millisecond begins at the revision at which the first one did.
pub(super) type Version = (Uuid, u64);

fn version(account: &Account) -> Version {
    (account.id, account.revision)
}

/// Passwords found right: by their proof, until when (steady ms) and of which state of the account.
pub(super) struct SignIns(Mutex<Bounded<Proof, (u64, Version)>>);

/// Tokens found right. They are found by the end of their text, a part of the signature that nobody can choose, and
/// then compared: whoever could learn from the time which that takes would have to know the end already.
pub(super) struct Tokens(Mutex<Bounded<[u8; END], Arc<Verified>>>);

/// Bytes of a token's end: 96 bits.
const END: usize = 16;

/// Whom a token was found to stand for, and when.
type Seen = (Epoch, Principal, Option<Arc<Through>>);

/// What is kept of a verified token.
struct Verified {
    token: Secret<Box<str>>,
    account: String,
    made_for: Version,
    nbf: u64,
    exp: u64,
    scopes: Arc<[Scope]>,
    /// The personal access token that it was got with.
    through: Option<TokenHash>,
    /// The account as it was found to be in this state, and when: it is so until a commit touches what rights are made
    /// of ([`RIGHTS`]). So asking again at the end of a push, among a thousand others, reads nothing.
    seen: Mutex<Option<Seen>>,
}

/// Whose credentials they are, and what narrows them.
pub(super) struct Identity {
    /// The account, which may sign in.
    pub(super) account: Account,
    /// The personal access token that was shown, or with which was got what was shown.
    pub(super) through: Option<Arc<Through>>,
}

impl Identity {
    pub(super) fn caller(self) -> Caller {
        Caller { principal: principal(&self.account), token: None, through: self.through }
    }
}

impl SignIns {
    pub(super) fn new() -> Self {
        Self(Mutex::new(Bounded::new(4096)))
    }

    fn knows(&self, proof: &Proof, version: Version, now: u64) -> bool {
        self.0.lock().get(proof).is_some_and(|&mut (until, of)| now < until && of == version)
    }

    fn remember(&self, proof: Proof, version: Version, now: u64) {
        self.0.lock().insert(proof, (now + REMEMBER.as_secs() * 1000, version));
    }
}

impl Tokens {
    pub(super) fn new() -> Self {
        Self(Mutex::new(Bounded::new(4096)))
    }
}

/// The account as one who asks.
pub(super) fn principal(account: &Account) -> Principal {
    Principal::User { name: account.name.clone(), admin: account.admin }
}

/// One text for a wrong password and for an account that is not there.
fn wrong() -> AccessError {
    AccessError::Refused("the user name or the password is not right".into())
}

/// One attempt to sign in.
struct Attempt {
    name: String,
    password: Secret,
    proof: Proof,
    from: Source,
    /// When the request began (steady ms).
    began: u64,
}

impl Access {
    /// The account of that name, if there is one.
    ///
    /// # Errors
    /// The store's fault.
    pub fn account(&self, name: &str) -> Result<Option<Account>, AccessError> {
        self.0.meta.read(|tx| Ok(account::get(tx, name)?))
    }

    /// Whose name and password, or name and personal access token, these are. (A token names its owner, so that logs of
    /// clients say whose it is; with another name it is refused.)
    pub(super) async fn identify(
        &self,
        name: &str,
        password: Secret,
        peer: IpAddr,
        client: &str,
        began: Began,
    ) -> Result<Identity, AccessError> {
        if is_token(password.reveal()) {
            return self.by_token(name, &password, peer, client);
        }
        Ok(Identity { account: self.sign_in_since(name, password, peer, began).await?, through: None })
    }

    /// The account, if the password is its own.
    pub(super) async fn sign_in(&self, name: &str, password: Secret, peer: IpAddr) -> Result<Account, AccessError> {
        self.sign_in_since(name, password, peer, self.began()).await
    }

    /// The same for a request that began then: what was remembered at that time is good for all of it.
    async fn sign_in_since(
        &self,
        name: &str,
        password: Secret,
        peer: IpAddr,
        began: Began,
    ) -> Result<Account, AccessError> {
        if is_token(password.reveal()) {
            return Err(AccessError::Refused("an access token does not work here; use the password".into()));
        }
        if name.len() > MAX_ACCOUNT || password.reveal().len() > MAX_PASSWORD {
            return Err(wrong());
        }
        let proof = self.0.passwords.proof(name, &password);
        let attempt = Attempt { name: name.to_owned(), password, proof, from: Source::of(peer), began: began.steady };
        if let Some(account) = self.remembered(&attempt)? {
            return Ok(account);
        }
        let access = self.clone();
        self.0.passwords.in_turn(move || access.check(&attempt, peer)).await
    }

    /// The account, if this attempt is known to be right.
    ///
    /// # Errors
    /// When it is known to be wrong, or must wait.
    fn remembered(&self, attempt: &Attempt) -> Result<Option<Account>, AccessError> {
        let inner = &self.0;
        let now = inner.clock.steady();
        let account = self.account(&attempt.name)?;
        let seen = account.as_ref().map(version);
        if seen.is_some_and(|seen| inner.sign_ins.knows(&attempt.proof, seen, attempt.began)) {
            return Ok(account);
        }
        if inner.throttle.refused_before(&attempt.name, attempt.from, (attempt.proof, seen)) {
            return Err(wrong());
        }
        match inner.throttle.check(&attempt.name, attempt.from, now) {
            Ok(()) => Ok(None),
            // In whole seconds, rounded up, as people and `Retry-After` count them.
            Err(wait) => Err(AccessError::Throttled {
                retry_after: Duration::from_secs(u64::try_from(wait.as_millis().div_ceil(1000)).unwrap_or(u64::MAX)),
            }),
        }
    }

    /// Hashes and compares. Asks what is remembered once more first: while this attempt waited for its turn, a like
    /// one may have been found right, or so many wrong ones may have come that this one has to wait. So sending many
    /// at once gains nothing.
    fn check(&self, attempt: &Attempt, peer: IpAddr) -> Result<Account, AccessError> {
        let inner = &self.0;
        if let Some(account) = self.remembered(attempt)? {
            return Ok(account);
        }
        let found = self.ask_sources(attempt)?;
        let right = found.is_some();
        let account = match found {
            Some(name) => self.account(&name)?,
            None => self.account(&attempt.name)?,
        };
        let now = inner.clock.steady();
        match account {
            Some(account) if right && !account.can_sign_in() => {
                tracing::warn!(account = account.name, address = %peer, "sign-in to an account that is not active");
                self.refused_credentials("sign_in", &account.name, peer, "the account is not active");
                Err(AccessError::Refused(format!(
                    "the account {} is not active; ask an administrator of this registry",
                    account.name
                )))
            }
            Some(account) if right => {
                self.renew_hash(&account, &attempt.password);
                inner.throttle.succeeded(&account.name, attempt.from);
                inner.sign_ins.remember(attempt.proof, version(&account), now);
                tracing::debug!(account = account.name, address = %peer, "signed in");
                Ok(account)
            }
            account => {
                let seen = account.as_ref().map(version);
                inner.throttle.failed(&attempt.name, attempt.from, (attempt.proof, seen), now);
                if let Some(account) = account {
                    tracing::warn!(account = account.name, address = %peer, "wrong password");
                    self.refused_credentials("sign_in", &account.name, peer, "the password is not right");
                } else {
                    // The name is left out: people type passwords into the wrong field.
                    tracing::warn!(address = %peer, "sign-in to an account that does not exist");
                }
                Err(wrong())
            }
        }
    }

    /// The account that a source of accounts says it is.
    fn ask_sources(&self, attempt: &Attempt) -> Result<Option<String>, AccessError> {
        for source in &self.0.authenticators {
            match source.authenticate(&attempt.name, &attempt.password)? {
                Answer::Identity { account } => {
                    tracing::debug!(account, source = source.name(), "the password is right");
                    return Ok(Some(account));
                }
                Answer::Refused => return Ok(None),
                Answer::NotMine => {}
            }
        }
        Ok(None)
    }

    /// Puts an argon2id hash in the place of an imported one, now that the password is known. It stays the same password,
    /// so the revision stays as well. Waits for the store: on a blocking thread.
    fn renew_hash(&self, account: &Account, password: &Secret) {
        if !is_imported(&account.password) {
            return;
        }
        let (name, old, new) = (account.name.clone(), account.password.clone(), password::hash(password));
        let written = self.0.meta.write_blocking(move |tx| {
            if let Some(mut account) = account::get(tx, &name)?.filter(|account| account.password == old) {
                account.password.clone_from(&new);
                account::put(tx, &account);
            }
            Ok::<_, AccessError>(())
        });
        if let Err(error) = written {
            // The next sign-in tries again.
            tracing::debug!(account = account.name, error = %AccessError::from(error), "the hash was not renewed");
        }
    }

    /// Whom a bearer token stands for, shown by a request that began then.
    pub(super) fn bearer(&self, token: &Secret<&str>, peer: IpAddr, began: Began) -> Result<Caller, AccessError> {
        self.check_bearer(token, peer, began)
            .inspect_err(|error| tracing::debug!(address = %peer, %error, "token refused"))
    }

    fn check_bearer(&self, token: &Secret<&str>, peer: IpAddr, began: Began) -> Result<Caller, AccessError> {
        let verified = self.verify_bearer(token.reveal(), began)?;
        let token = Some(Arc::clone(&verified.scopes));
        if verified.account.is_empty() {
            return Ok(Caller { principal: Principal::Anonymous, token, through: None });
        }
        let epoch = self.0.meta.rights_epoch();
        if let Some((at, principal, through)) = &*verified.seen.lock()
            && epoch == Some(*at)
            && through.as_ref().and_then(|through| through.expires).is_none_or(|end| self.0.clock.now() < end)
        {
            return Ok(Caller { principal: principal.clone(), token, through: through.clone() });
        }
        let now = self.0.clock.now();
        let identity = self.0.meta.read(|tx| {
            let tx = &Only::of(tx, RIGHTS);
            Ok::<_, MetaError>(match &verified.through {
                Some(hash) => behind(tx, hash, now)?.filter(|identity| identity.account.name == verified.account),
                None => account::get(tx, &verified.account)?.map(|account| Identity { account, through: None }),
            })
        })?;
        match identity {
            Some(Identity { account, through }) if version(&account) == verified.made_for && account.can_sign_in() => {
                let principal = principal(&account);
                if let Some(epoch) = epoch {
                    *verified.seen.lock() = Some((epoch, principal.clone(), through.clone()));
                }
                Ok(Caller { principal, token, through })
            }
            _ => {
                let because = "the account has changed since the token was issued; sign in again";
                // Asked for again: a personal access token that works no more leads to nobody.
                if let Some(account) = self.account(&verified.account)? {
                    self.refused_credentials("bearer_token", &account.name, peer, because);
                }
                Err(AccessError::Refused(because.into()))
            }
        }
    }

    /// Puts on record that credentials of an account that exists were refused. Nobody is signed in then, so the actor is
    /// nobody.
    pub(super) fn refused_credentials(&self, operation: &'static str, account: &str, peer: IpAddr, because: &str) {
        self.0.refusals.note(Refusal {
            actor: Principal::Anonymous,
            address: Some(peer.to_string()),
            agent: None,
            via: None,
            repo: None,
            operation,
            account: Some(account.to_owned()),
            reason: because.to_owned(),
        });
    }

    fn verify_bearer(&self, token: &str, began: Began) -> Result<Arc<Verified>, AccessError> {
        let inner = &self.0;
        let refuse = |fault: super::token::TokenFault| AccessError::Refused(fault.to_string());
        let now = began.wall;
        let end = token.as_bytes().last_chunk::<END>();
        let known = end.and_then(|end| inner.tokens.0.lock().get(end).map(|known| Arc::clone(known)));
        if let Some(known) = known.filter(|known| **known.token.reveal() == *token) {
            Claims::check_time(known.nbf, known.exp, now).map_err(refuse)?;
            return Ok(known);
        }
        let Claims { sub, acc, rev, nbf, exp, access, pat, .. } = inner.keys.verify(token, now).map_err(refuse)?;
        let verified = Arc::new(Verified {
            token: Secret::new(token.into()),
            account: sub,
            made_for: (acc, rev),
            nbf,
            exp,
            scopes: access.into(),
            through: pat,
            seen: Mutex::default(),
        });
        if let Some(end) = end {
            inner.tokens.0.lock().insert(*end, Arc::clone(&verified));
        }
        Ok(verified)
    }
}
