//! Personal access tokens: 256 random bits behind a word that tells what they are, stored by their SHA-256 alone and
//! shown once. They work wherever a password does, but in the pages.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use parking_lot::Mutex;

use super::sign_in::Identity;
use super::{Access, AccessError, password};
use crate::base::{Secret, Timestamp, Uuid};
use crate::meta::{MetaError, Read, account, personal_token};
use crate::model::event::Happening;
use crate::model::personal_token::{
    GeneratedBy, MAX_LABEL, MAX_PLACES, PREFIX, PersonalToken, Through, TokenHash, TokenScope, TokenUsed,
};
use crate::model::{Actor, Caller};

/// Letters behind the prefix: 44 of 57 are 256 bits.
const LETTERS: usize = 44;

/// The most bytes of a client's name for itself that are kept.
const MAX_CLIENT: usize = 128;

/// Uses that memory holds until they are written down; those of more tokens are not noted.
const MAX_USES: usize = 1 << 16;

/// Rows that one closure writes or removes.
const BATCH: usize = 200;

/// The most entries of one page, and one more that tells whether there is a next page.
pub const MAX_PAGE: usize = 1001;

/// A token to be made.
#[derive(Clone, Debug, Default)]
pub struct NewToken {
    /// What it is for.
    pub label: String,
    /// What it gives.
    pub scope: TokenScope,
    /// When it stops working; `None`: not by itself.
    pub expires: Option<Timestamp>,
    /// How it came to be.
    pub generated_by: GeneratedBy,
    /// What the client that makes it calls itself.
    pub client: String,
}

/// What may be changed about a token; `None` leaves it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TokenChange {
    /// What it is for.
    pub label: Option<String>,
    /// Whether it works.
    pub active: Option<bool>,
}

/// A token as lists show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenEntry {
    /// Its id.
    pub hash: TokenHash,
    /// What is stored of it.
    pub token: PersonalToken,
    /// Its last use.
    pub used: Option<TokenUsed>,
    /// Ask for what comes behind it with this.
    pub mark: Vec<u8>,
}

/// Which tokens are meant.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TokenFilter {
    /// Only those of this user.
    pub owner: Option<String>,
    /// Only those that came to be like this.
    pub generated_by: Option<GeneratedBy>,
    /// Only those that were not used since: last used before then, or never used and made before.
    pub used_before: Option<Timestamp>,
}

impl TokenFilter {
    fn wants(&self, entry: &TokenEntry) -> bool {
        self.generated_by.is_none_or(|how| entry.token.generated_by == how)
            && self
                .used_before
                .is_none_or(|then| entry.used.as_ref().map_or(entry.token.created, |used| used.at) < then)
    }
}

/// Uses of tokens that are not written down yet.
#[derive(Debug, Default)]
pub(super) struct Uses(Mutex<HashMap<TokenHash, TokenUsed>>);

impl Uses {
    fn note(&self, token: TokenHash, last: TokenUsed) {
        let mut uses = self.0.lock();
        if uses.len() < MAX_USES || uses.contains_key(&token) {
            uses.insert(token, last);
        }
    }

    fn of(&self, token: &TokenHash) -> Option<TokenUsed> {
        self.0.lock().get(token).cloned()
    }

    fn take(&self, limit: usize) -> Vec<(TokenHash, TokenUsed)> {
        let mut uses = self.0.lock();
        let some: Vec<_> = uses.keys().take(limit).copied().collect();
        some.into_iter().filter_map(|token| uses.remove_entry(&token)).collect()
    }
}

/// The id of a token's text.
pub(super) fn hash(text: &str) -> TokenHash {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest(&SHA256, text.as_bytes()).as_ref());
    TokenHash(hash)
}

/// Whether a text can only be a personal access token: no password may look like one.
pub(super) fn is_token(text: &str) -> bool {
    text.strip_prefix(PREFIX)
        .is_some_and(|rest| rest.len() == LETTERS && rest.bytes().all(|byte| byte.is_ascii_alphanumeric()))
}

fn cut(client: &str) -> String {
    client[..client.floor_char_boundary(MAX_CLIENT)].to_owned()
}

fn check(label: &str, scope: &TokenScope) -> Result<(), AccessError> {
    if label.chars().count() > MAX_LABEL || label.chars().any(char::is_control) {
        return Err(AccessError::Malformed(format!("a label is one line of at most {MAX_LABEL} characters")));
    }
    match scope {
        TokenScope::Places(places) if places.is_empty() => {
            Err(AccessError::Malformed("a token for places names at least one: it would be good for nothing".into()))
        }
        TokenScope::Places(places) if places.len() > MAX_PLACES => {
            Err(AccessError::Malformed(format!("a token names at most {MAX_PLACES} places")))
        }
        _ => Ok(()),
    }
}

fn unknown() -> AccessError {
    AccessError::NotFound("there is no such access token".into())
}

impl Through {
    fn of(hash: TokenHash, token: PersonalToken) -> Self {
        Self { token: hash, label: token.label, scope: token.scope, expires: token.expires }
    }
}

impl Access {
    /// Makes a token for a user; its text is shown here and never again. Made by a caller who came with a token itself, it
    /// gives no more and lives no longer than that one.
    ///
    /// # Errors
    /// [`AccessError::UnknownAccount`], [`AccessError::Malformed`], [`AccessError::Conflict`] when the user has too many,
    /// or the store's fault.
    pub async fn create_token(
        &self,
        actor: &Actor,
        by: Option<&Caller>,
        owner: &str,
        new: NewToken,
    ) -> Result<(Secret, TokenEntry), AccessError> {
        self.make_token(actor, by, owner, new, None).await
    }

    /// The same by a form that makes one token at most: browsers send forms again when their page is reloaded, and nobody
    /// knows of a token that was made that way.
    ///
    /// # Errors
    /// As [`Access::create_token`]; [`AccessError::Conflict`] when the form has made one that is still there.
    pub async fn create_token_once(
        &self,
        actor: &Actor,
        by: Option<&Caller>,
        owner: &str,
        new: NewToken,
        form: Uuid,
    ) -> Result<(Secret, TokenEntry), AccessError> {
        self.make_token(actor, by, owner, new, Some(form)).await
    }

    async fn make_token(
        &self,
        actor: &Actor,
        by: Option<&Caller>,
        owner: &str,
        new: NewToken,
        form: Option<Uuid>,
    ) -> Result<(Secret, TokenEntry), AccessError> {
        check(&new.label, &new.scope)?;
        let now = self.0.clock.now();
        if new.expires.is_some_and(|end| end <= now) {
            return Err(AccessError::Malformed("the token would have expired already; give it a later end".into()));
        }
        let through = by.and_then(|caller| caller.through.as_ref());
        if through.is_some_and(|through| !through.scope.is_all()) {
            return Err(AccessError::Conflict(
                "a token that gives less than its owner may cannot make others; use the password".into(),
            ));
        }
        let longest = through.and_then(|through| through.expires);
        let expires = match (new.expires, longest) {
            (Some(end), Some(longest)) => Some(end.min(longest)),
            (end, longest) => end.or(longest),
        };
        let text = format!("{PREFIX}{}", password::letters(LETTERS));
        let hash = hash(&text);
        let token = PersonalToken {
            owner: owner.to_owned(),
            label: new.label,
            scope: new.scope,
            created: now,
            creator: actor.principal.name().to_owned(),
            creator_client: cut(&new.client),
            generated_by: new.generated_by,
            expires,
            active: true,
            form,
        };
        let stored = token.clone();
        self.change(actor, move |tx, record| {
            let account = account::get(tx, &stored.owner)?.filter(|account| !account.is_organization());
            account.ok_or_else(|| AccessError::UnknownAccount(stored.owner.clone()))?;
            if let Some(made) = form.map(|form| made_by(tx, &stored.owner, form)).transpose()?.flatten() {
                return Err(AccessError::Conflict(format!(
                    "this form was sent before, and made the token \"{}\": its text was shown then and is not shown again. \
                     Nothing was made now. Should the text be lost, revoke that token and make another",
                    made.label
                )));
            }
            if personal_token::count(tx, &stored.owner)? >= personal_token::MAX_TOKENS {
                return Err(AccessError::Conflict(format!(
                    "{} has {} access tokens; delete some that are not used any more",
                    stored.owner,
                    personal_token::MAX_TOKENS
                )));
            }
            personal_token::put(tx, &hash, &stored);
            let PersonalToken { owner: account, label, scope, .. } = stored.clone();
            record.put(tx, 0, None, Happening::TokenCreated { account, token: hash, label, scope })?;
            Ok(())
        })
        .await?;
        Ok((Secret::new(text), TokenEntry { hash, token, used: None, mark: Vec::new() }))
    }

    /// Changes a token of a user (`None`: of whomever); switched off, it stops at once, and so does what was got with it.
    ///
    /// # Errors
    /// [`AccessError::NotFound`], [`AccessError::Malformed`], or the store's fault.
    pub async fn change_token(
        &self,
        actor: &Actor,
        owner: Option<&str>,
        hash: &TokenHash,
        change: TokenChange,
    ) -> Result<TokenEntry, AccessError> {
        check(change.label.as_deref().unwrap_or_default(), &TokenScope::All)?;
        let (owner, hash) = (owner.map(str::to_owned), *hash);
        let token = self
            .change(actor, move |tx, record| {
                let before = owned(personal_token::get(tx, &hash)?, owner.as_deref())?;
                let mut after = before.clone();
                if let Some(label) = &change.label {
                    after.label.clone_from(label);
                }
                after.active = change.active.unwrap_or(after.active);
                if after != before {
                    personal_token::put(tx, &hash, &after);
                    let PersonalToken { owner: account, label, active, .. } = after.clone();
                    record.put(tx, 0, None, Happening::TokenChanged { account, token: hash, label, active })?;
                }
                Ok(after)
            })
            .await?;
        Ok(TokenEntry { hash, token, used: self.used(&hash)?, mark: Vec::new() })
    }

    /// Deletes a token of a user (`None`: of whomever); it stops at once, and so does what was got with it.
    ///
    /// # Errors
    /// [`AccessError::NotFound`], or the store's fault.
    pub async fn delete_token(&self, actor: &Actor, owner: Option<&str>, hash: &TokenHash) -> Result<(), AccessError> {
        let (owner, hash) = (owner.map(str::to_owned), *hash);
        self.change(actor, move |tx, record| {
            let token = owned(personal_token::get(tx, &hash)?, owner.as_deref())?;
            personal_token::delete(tx, &hash, &token);
            let PersonalToken { owner: account, label, .. } = token;
            record.put(tx, 0, None, Happening::TokenDeleted { account, token: hash, label })?;
            Ok(())
        })
        .await
    }

    /// Deletes the tokens that a filter means, in bounded steps; how many there were.
    ///
    /// # Errors
    /// When the store fails; those before stay deleted.
    pub async fn delete_tokens(&self, actor: &Actor, filter: &TokenFilter) -> Result<usize, AccessError> {
        let (mut deleted, mut after) = (0, None::<Vec<u8>>);
        loop {
            let page = self.tokens(filter, after.as_deref(), BATCH)?;
            let Some(end) = page.last() else { return Ok(deleted) };
            after = Some(end.mark.clone());
            for entry in page {
                match self.delete_token(actor, None, &entry.hash).await {
                    Ok(()) => deleted += 1,
                    // Somebody else was faster.
                    Err(AccessError::NotFound(_)) => {}
                    Err(error) => return Err(error),
                }
            }
        }
    }

    /// One token of a user (`None`: of whomever).
    ///
    /// # Errors
    /// [`AccessError::NotFound`], or the store's fault.
    pub fn personal_token(&self, owner: Option<&str>, hash: &TokenHash) -> Result<TokenEntry, AccessError> {
        let token = owned(self.0.meta.read(|tx| personal_token::get(tx, hash))?, owner)?;
        Ok(TokenEntry { hash: *hash, token, used: self.used(hash)?, mark: Vec::new() })
    }

    /// How many tokens a user has.
    ///
    /// # Errors
    /// When the store fails.
    pub fn count_tokens(&self, owner: &str) -> Result<usize, AccessError> {
        Ok(self.0.meta.read(|tx| personal_token::count(tx, owner))?)
    }

    /// At most `limit` of the tokens that a filter means, behind the mark `after`, by owner, the oldest first.
    ///
    /// # Errors
    /// When the store fails.
    pub fn tokens(
        &self,
        filter: &TokenFilter,
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<TokenEntry>, AccessError> {
        let limit = limit.min(MAX_PAGE);
        let owner = filter.owner.as_deref();
        if owner.is_some_and(|owner| owner.contains('\0')) {
            return Ok(Vec::new());
        }
        // Where few may be wanted, more are read at once.
        let chunk =
            if filter.generated_by.is_none() && filter.used_before.is_none() { limit } else { limit.max(BATCH) };
        let (mut found, mut after) = (Vec::new(), after.map(<[u8]>::to_vec));
        while found.len() < limit {
            let rows = self.0.meta.read(|tx| personal_token::list(tx, owner, after.as_deref(), chunk))?;
            let Some(end) = rows.last() else { break };
            after = Some(end.mark.clone());
            let entries = rows.into_iter().map(|row| {
                let used = self.0.uses.of(&row.hash).or(row.used);
                TokenEntry { hash: row.hash, token: row.token, used, mark: row.mark }
            });
            found.extend(entries.filter(|entry| filter.wants(entry)).take(limit - found.len()));
        }
        Ok(found)
    }

    fn used(&self, hash: &TokenHash) -> Result<Option<TokenUsed>, AccessError> {
        match self.0.uses.of(hash) {
            Some(used) => Ok(Some(used)),
            None => Ok(self.0.meta.read(|tx| personal_token::used(tx, hash))?),
        }
    }

    /// Whose token this is, if it works and belongs to the account of that name.
    pub(super) fn by_token(
        &self,
        name: &str,
        text: &Secret,
        peer: IpAddr,
        client: &str,
    ) -> Result<Identity, AccessError> {
        let hash = hash(text.reveal());
        let identity = self.through(&hash)?.filter(|identity| identity.account.name == name);
        let Some(identity) = identity else {
            tracing::warn!(address = %peer, "an access token was refused");
            // Its owner's, if it is still there; else that of who is named, as with a wrong password.
            let owner = self.0.meta.read(|tx| personal_token::get(tx, &hash))?.map(|token| token.owner);
            if let Some(account) = self.account(owner.as_deref().unwrap_or(name))? {
                self.refused_credentials("access_token", &account.name, peer, "the access token does not work");
            }
            return Err(AccessError::Refused(
                "the access token does not work: it was deleted or switched off, has expired, or belongs to another user \
                 than the one named"
                    .into(),
            ));
        };
        self.note_use(&hash, peer, client);
        Ok(identity)
    }

    /// Who stands behind a token that works.
    pub(super) fn through(&self, hash: &TokenHash) -> Result<Option<Identity>, AccessError> {
        let now = self.0.clock.now();
        let found = self.0.meta.read(|tx| {
            let Some(token) = personal_token::get(tx, hash)? else { return Ok(None) };
            Ok::<_, MetaError>(account::get(tx, &token.owner)?.map(|account| (account, token)))
        })?;
        let working = found.filter(|(account, token)| token.works(now) && account.can_sign_in());
        Ok(working.map(|(account, token)| Identity { account, through: Some(Arc::new(Through::of(*hash, token))) }))
    }

    /// Notes the use of a token; memory only.
    pub(super) fn note_use(&self, hash: &TokenHash, peer: IpAddr, client: &str) {
        let used = TokenUsed { at: self.0.clock.now(), client: cut(client), address: peer.to_string() };
        self.0.uses.note(*hash, used);
    }

    /// Writes down when tokens were last used, in bounded steps; how many. A crash loses the uses since the last time.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn flush_token_uses(&self) -> Result<usize, AccessError> {
        let mut written = 0;
        loop {
            let some = self.0.uses.take(BATCH);
            if some.is_empty() {
                return Ok(written);
            }
            written += some.len();
            let rows = some.clone();
            let result = self.0.meta.write(move |tx| {
                for (hash, used) in &rows {
                    personal_token::put_used(tx, hash, used)?;
                }
                Ok::<_, AccessError>(())
            });
            if let Err(error) = result.await {
                for (hash, used) in some {
                    self.0.uses.0.lock().entry(hash).or_insert(used);
                }
                return Err(error.into());
            }
        }
    }
}

/// The token that a form made for this owner.
fn made_by(tx: &impl Read, owner: &str, form: Uuid) -> Result<Option<PersonalToken>, MetaError> {
    let tokens = personal_token::list(tx, Some(owner), None, personal_token::MAX_TOKENS)?;
    Ok(tokens.into_iter().map(|listed| listed.token).find(|token| token.form == Some(form)))
}

fn owned(token: Option<PersonalToken>, owner: Option<&str>) -> Result<PersonalToken, AccessError> {
    token.filter(|token| owner.is_none_or(|owner| token.owner == owner)).ok_or_else(unknown)
}
