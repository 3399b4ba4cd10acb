//! Sessions of the pages: a random token in a cookie, a row under its SHA-256. Nothing on the server leads back from
//! the row to the token.

use std::net::IpAddr;

use super::{Access, AccessError};
use crate::base::{Secret, Timestamp};
use crate::model::Caller;

/// A session that was just opened.
#[derive(Debug)]
pub struct Opened {
    /// For the cookie; 256 random bits as text.
    pub token: Secret,
    /// The session.
    pub session: Session,
}

/// A session that a cookie named.
#[derive(Clone, Debug)]
pub struct Session {
    /// Who is signed in, with all that the account may do.
    pub caller: Caller,
    /// The text that each form must carry: made from the session's token, so that no other site can know it.
    pub csrf: String,
    /// When it was opened.
    pub opened: Timestamp,
    /// Whether the account still has the password that the registry made for it at its first start.
    pub initial_password: bool,
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
        todo!("{username} {password:?} {peer} {user_agent}")
    }

    /// The session that a cookie names: none when it is unknown, has ended (12 h without a request, 7 days in all), or
    /// when the account changed since.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn session(&self, token: &str) -> Result<Option<Session>, AccessError> {
        todo!("{token}")
    }

    /// Ends a session, if there is one.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn close_session(&self, token: &str) -> Result<(), AccessError> {
        todo!("{token}")
    }
}
