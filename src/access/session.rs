//! Sessions of the pages: a random token in a cookie, a row under its SHA-256. Nothing on the server leads back from
//! the row to the token.

use std::cmp::Reverse;
use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;

use super::{Access, AccessError, sign_in};
use crate::base::id::random;
use crate::base::{EventId, Secret, Timestamp};
use crate::meta::session::{self, SessionHash, SessionRow};
use crate::meta::{Engine, MetaError, WriteError, event};
use crate::model::account::Account;
use crate::model::event::Happening;
use crate::model::personal_token::TokenHash;
use crate::model::{Actor, Caller, Event};

/// A session that is not used for so long has ended.
pub const IDLE: Duration = Duration::from_hours(12);

/// No session lasts longer.
pub const LONGEST: Duration = Duration::from_hours(7 * 24);

/// When a session was last used is written down at most so often: each page would cost a commit otherwise.
const TOUCH: Duration = Duration::from_mins(5);

/// What is kept of a browser's name for itself.
const MAX_AGENT: usize = 256;

/// Rows that one closure looks at when it removes what has ended.
const BATCH: usize = 256;

/// A session that was just opened.
#[derive(Debug)]
pub struct Opened {
    /// For the cookie; 256 random bits as text.
    pub token: Secret,
    /// The session.
    pub session: Session,
}

/// The SHA-256 of a session's token, by which its account ends it; nobody gets from it to the token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionId(SessionHash);

impl SessionId {
    /// Reads 64 hex digits.
    pub fn parse(text: &str) -> Option<Self> {
        TokenHash::parse(text).map(|hash| Self(hash.0))
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

/// A session as its account sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionEntry {
    /// Its id.
    pub id: SessionId,
    /// When it was opened.
    pub opened: Timestamp,
    /// When it was last used, give or take some minutes.
    pub seen: Timestamp,
    /// Where it was opened from.
    pub address: String,
    /// What the browser called itself.
    pub agent: String,
}

/// A session that a cookie named.
#[derive(Clone, Debug)]
pub struct Session {
    /// Its id.
    pub id: SessionId,
    /// Who is signed in, with all that the account may do.
    pub caller: Caller,
    /// The text that each form must carry: made from the session's token, so that no other site can know it.
    pub csrf: String,
    /// When it was opened.
    pub opened: Timestamp,
    /// Whether the account still has the password that the registry made for it at its first start.
    pub initial_password: bool,
}

impl Session {
    fn of(account: &Account, row: &SessionRow, token: &str) -> Self {
        Self {
            id: SessionId(hash(token)),
            caller: Caller::of(sign_in::principal(account)),
            csrf: csrf_text(token),
            opened: row.opened,
            initial_password: account.initial,
        }
    }
}

/// The text that forms carry for the holder of this token. Who knows the text does not know the token.
pub fn csrf_text(token: &str) -> String {
    BASE64.encode(digest(&SHA256, format!("form {token}").as_bytes()))
}

fn hash(token: &str) -> SessionHash {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest(&SHA256, token.as_bytes()).as_ref());
    hash
}

fn has_ended(row: &SessionRow, now: Timestamp) -> bool {
    now.since(row.seen) >= IDLE || now.since(row.opened) >= LONGEST
}

impl Access {
    /// Signs in with name and password and opens a session: always a new token, whatever cookie came with the request.
    ///
    /// # Errors
    /// As [`Access::authenticate`].
    pub async fn open_session(
        &self,
        username: &str,
        password: Secret,
        peer: IpAddr,
        user_agent: &str,
    ) -> Result<Opened, AccessError> {
        let account = self.sign_in(username, password, peer).await?;
        self.open_for(account, peer, user_agent).await
    }

    /// Opens a session for an account whose password was just changed from within a session: that one has ended with
    /// the change.
    ///
    /// # Errors
    /// [`AccessError::UnknownAccount`], [`AccessError::Refused`] when the account was switched off meanwhile, or the
    /// store's fault.
    pub async fn reopen_session(&self, name: &str, peer: IpAddr, user_agent: &str) -> Result<Opened, AccessError> {
        let account = self.account(name)?.ok_or_else(|| AccessError::UnknownAccount(name.to_owned()))?;
        if !account.can_sign_in() {
            return Err(AccessError::Refused(format!("the account {name} is not active")));
        }
        self.open_for(account, peer, user_agent).await
    }

    async fn open_for(&self, account: Account, peer: IpAddr, user_agent: &str) -> Result<Opened, AccessError> {
        let token = BASE64.encode(random::<32>());
        let now = self.0.clock.now();
        let row = SessionRow {
            account: account.name.clone(),
            revision: account.revision,
            opened: now,
            seen: now,
            address: peer.to_string(),
            agent: user_agent[..user_agent.floor_char_boundary(MAX_AGENT)].to_owned(),
        };
        let (key, stored) = (hash(&token), row.clone());
        let actor = sign_in::principal(&account);
        let signed_in = Event {
            address: Some(row.address.clone()),
            agent: Some(row.agent[..row.agent.floor_char_boundary(Event::AGENT)].to_owned()),
            ..Event::new(EventId::at(now), now, actor, Happening::SignedIn { account: account.name.clone() })
        };
        let written = self.0.meta.write(move |tx| {
            session::open(tx, &key, &stored)?;
            event::append(tx, None, std::slice::from_ref(&signed_in))?;
            Ok::<_, AccessError>(())
        });
        written.await?;
        let session = Session::of(&account, &row, &token);
        tracing::info!(account = account.name, address = %peer, "signed in to the pages");
        Ok(Opened { token: Secret::new(token), session })
    }

    /// The session that a cookie names: none when it is unknown, has ended (12 h without a request, 7 days in all), or
    /// when the account changed since.
    ///
    /// The row is found by the SHA-256 of the token: how long the search takes tells about the hash, from which nobody
    /// gets to a token.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn session(&self, token: &str) -> Result<Option<Session>, AccessError> {
        let (key, now) = (hash(token), self.0.clock.now());
        let Some(row) = self.0.meta.read(|tx| session::get(tx, &key))? else { return Ok(None) };
        if has_ended(&row, now) {
            return Ok(None);
        }
        let account = self.account(&row.account)?;
        let account = account.filter(|account| account.revision == row.revision && account.can_sign_in());
        let Some(account) = account else { return Ok(None) };
        if now.since(row.seen) >= TOUCH {
            let written = self.0.meta.write(move |tx| {
                // It may have ended meanwhile.
                if let Some(row) = session::get(tx, &key)? {
                    session::touch(tx, &key, &SessionRow { seen: row.seen.max(now), ..row });
                }
                Ok::<_, AccessError>(())
            });
            // On a full disk people still look at pages: they need them to make room.
            if let Err(error) = written.await {
                tracing::debug!(%error, "the use of a session could not be written down");
            }
        }
        Ok(Some(Session::of(&account, &row, token)))
    }

    /// Ends a session, if there is one.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn close_session(&self, token: &str) -> Result<(), AccessError> {
        let key = hash(token);
        let written = self.0.meta.write(move |tx| {
            if let Some(row) = session::get(tx, &key)? {
                session::delete(tx, &key, &row);
            }
            Ok::<_, AccessError>(())
        });
        Ok(written.await?)
    }
}

impl Access {
    /// The sessions of an account that have not ended, the last used first.
    ///
    /// # Errors
    /// [`AccessError::UnknownAccount`], or the store's fault.
    pub fn sessions_of(&self, account: &str) -> Result<Vec<SessionEntry>, AccessError> {
        let (now, name) = (self.0.clock.now(), account);
        let revision = self.account(name)?.ok_or_else(|| AccessError::UnknownAccount(name.to_owned()))?.revision;
        let rows = self.0.meta.read(|tx| session::of_account(tx, name))?;
        let lasting = rows.into_iter().filter(|(_, row)| row.revision == revision && !has_ended(row, now));
        let mut sessions: Vec<_> = lasting
            .map(|(hash, SessionRow { opened, seen, address, agent, .. })| SessionEntry {
                id: SessionId(hash),
                opened,
                seen,
                address,
                agent,
            })
            .collect();
        sessions.sort_by_key(|session| Reverse((session.seen, session.opened)));
        Ok(sessions)
    }

    /// Ends one session of an account.
    ///
    /// # Errors
    /// [`AccessError::NotFound`] when the account has no such session (any more), or the store's fault.
    pub async fn end_session(&self, actor: &Actor, account: &str, id: SessionId) -> Result<(), AccessError> {
        let account = account.to_owned();
        self.change(actor, move |tx, record| {
            let row = session::get(tx, &id.0)?.filter(|row| row.account == account);
            let row = row.ok_or_else(|| AccessError::NotFound("there is no such session any more".into()))?;
            session::delete(tx, &id.0, &row);
            record.put(tx, 0, None, Happening::SessionsEnded { account: account.clone(), sessions: 1 })
        })
        .await
    }

    /// Ends all sessions of an account but this one; how many there were.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn end_other_sessions(
        &self,
        actor: &Actor,
        account: &str,
        kept: SessionId,
    ) -> Result<usize, AccessError> {
        let account = account.to_owned();
        self.change(actor, move |tx, record| {
            let mut ended = 0_u32;
            for (hash, row) in session::of_account(tx, &account)? {
                if hash != kept.0 {
                    session::delete(tx, &hash, &row);
                    ended += u32::from(!has_ended(&row, record.now));
                }
            }
            if ended > 0 {
                record.put(tx, 0, None, Happening::SessionsEnded { account: account.clone(), sessions: ended })?;
            }
            Ok(ended as usize)
        })
        .await
    }
}

/// Removes the rows of sessions that have ended, in bounded steps; how many there were.
///
/// # Errors
/// When the store fails.
pub async fn remove_ended(meta: &Engine, now: Timestamp) -> Result<usize, MetaError> {
    let (mut after, mut removed) = (None::<SessionHash>, 0);
    loop {
        let rows = meta.read(|tx| session::list(tx, after.as_ref(), BATCH))?;
        let Some((last, _)) = rows.last() else { return Ok(removed) };
        after = Some(*last);
        let ended: Vec<_> = rows.into_iter().filter(|(_, row)| has_ended(row, now)).map(|(hash, _)| hash).collect();
        if ended.is_empty() {
            continue;
        }
        let written = meta.write(move |tx| {
            let mut gone = 0;
            for hash in &ended {
                if let Some(row) = session::get(tx, hash)?.filter(|row| has_ended(row, now)) {
                    session::delete(tx, hash, &row);
                    gone += 1;
                }
            }
            Ok::<_, MetaError>(gone)
        });
        removed += written.await.map_err(|error| match error {
            WriteError::Refused(error) | WriteError::Store(error) => error,
        })?;
    }
}
