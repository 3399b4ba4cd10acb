//! Refresh tokens: 256 random bits, stored by their SHA-256 alone. `docker login` keeps one instead of the password.

use std::net::IpAddr;
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;

use super::sign_in::{Identity, principal};
use super::{Access, AccessError};
use crate::base::id::random;
use crate::base::{EventId, Secret};
use crate::meta::account::{self, RefreshHash};
use crate::meta::event;
use crate::model::Event;
use crate::model::account::RefreshToken;
use crate::model::event::Happening;

/// How long a refresh token works.
const LIFE: Duration = Duration::from_hours(90 * 24);

/// The most bytes of a `client_id` that are kept.
const MAX_CLIENT: usize = 128;

fn hash(token: &str) -> RefreshHash {
    let mut hash = RefreshHash::default();
    hash.copy_from_slice(digest(&SHA256, token.as_bytes()).as_ref());
    hash
}

impl Access {
    /// Makes a refresh token for an account that has just signed in.
    pub(super) async fn new_refresh_token(
        &self,
        for_: &Identity,
        mut client: String,
        peer: IpAddr,
    ) -> Result<Secret, AccessError> {
        let Identity { account, through } = for_;
        client.truncate(client.floor_char_boundary(MAX_CLIENT));
        let text = BASE64.encode(random::<32>());
        let hash = hash(&text);
        let now = self.0.clock.now();
        let row = RefreshToken {
            account: account.name.clone(),
            revision: account.revision,
            issued: now,
            expires: now.plus(LIFE),
            client: client.clone(),
            through: through.as_ref().map(|through| through.token),
        };
        let what = Happening::SignedIn { account: account.name.clone() };
        let signed_in = Event {
            address: Some(peer.to_string()),
            agent: Some(client).filter(|client| !client.is_empty()),
            via: through.as_ref().map(|through| through.name()),
            ..Event::new(EventId::at(now), now, principal(account), what)
        };
        let written = self.0.meta.write(move |tx| {
            account::put_refresh(tx, &hash, &row, now)?;
            event::append(tx, None, std::slice::from_ref(&signed_in))?;
            Ok::<_, AccessError>(())
        });
        written.await?;
        Ok(Secret::new(text))
    }

    /// Whom a refresh token stands for.
    pub(super) fn refreshed(&self, token: &Secret, peer: IpAddr, client: &str) -> Result<Identity, AccessError> {
        let hash = hash(token.reveal());
        let found = self.0.meta.read(|tx| {
            let Some(row) = account::refresh(tx, &hash)? else { return Ok(None) };
            Ok::<_, AccessError>(account::get(tx, &row.account)?.map(|account| (row, account)))
        })?;
        match found {
            Some((row, account))
                if self.0.clock.now() < row.expires
                    && row.revision == account.revision
                    && account.can_sign_in()
                    && row.through.is_none() =>
            {
                Ok(Identity { account, through: None })
            }
            // Got with a personal access token: it works as long as that one does, and has its use noted as its own.
            Some((RefreshToken { through: Some(hash), expires, revision, .. }, account))
                if self.0.clock.now() < expires
                    && revision == account.revision
                    && let Some(identity) = self.through(&hash)?
                    && identity.account.name == account.name =>
            {
                self.note_use(&hash, peer, client);
                Ok(identity)
            }
            found => {
                tracing::debug!(address = %peer, "refresh token refused");
                if let Some((_, account)) = found {
                    let because = "the refresh token is not valid any more";
                    self.refused_credentials("refresh_token", &account.name, peer, because);
                }
                Err(AccessError::Refused("the refresh token is not valid any more; sign in again".into()))
            }
        }
    }
}
