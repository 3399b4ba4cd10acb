//! The token service's answers (registry token authentication and `OAuth2` specifications).

use std::net::IpAddr;
use std::time::Duration;

use super::sign_in::Identity;
use super::{Access, AccessError, Grant, TokenAnswer, TokenRequest, sign_in};
use crate::meta::MetaError;
use crate::model::Caller;
use crate::oci::scope::Scope;

/// Clients take a missing or shorter life for this one (token specification, `expires_in`).
const SHORTEST: Duration = Duration::from_mins(1);

/// The most repositories that one token names, so that it still fits into a request's header.
const MAX_SCOPES: usize = 50;

impl Access {
    /// Answers the token service. Asking for too much is no error: the token says what is allowed of it.
    ///
    /// # Errors
    /// As [`Access::authenticate`].
    pub async fn token(&self, request: TokenRequest, peer: IpAddr) -> Result<TokenAnswer, AccessError> {
        let TokenRequest { grant, scopes, offline, client } = request;
        let refreshed = matches!(grant, Grant::Refresh(_));
        let identity = match grant {
            Grant::Anonymous => None,
            Grant::Password { username, password } => {
                Some(self.identify(&username, password, peer, &client, self.began()).await?)
            }
            Grant::Refresh(token) => Some(self.refreshed(&token, peer, &client)?),
        };
        let scopes = self.allowed(identity.as_ref(), &scopes);
        let issued_at = self.0.clock.now();
        let expires_in = self.0.settings.token_ttl.max(SHORTEST);
        let account = identity.as_ref().map(|identity| &identity.account);
        let through = identity.as_ref().and_then(|identity| identity.through.as_ref()).map(|through| through.token);
        let token = self.0.keys.sign(account, through, scopes.clone(), issued_at, expires_in.as_secs());
        // A client that refreshes keeps the refresh token that it has.
        let refresh = match &identity {
            Some(identity) if offline && !refreshed => match self.new_refresh_token(identity, client, peer).await {
                Ok(refresh) => Some(refresh),
                // Pulls and deletes must still be possible; the client keeps the password instead.
                Err(AccessError::Store(MetaError::DiskFull)) => None,
                Err(error) => return Err(error),
            },
            _ => None,
        };
        let account = identity.as_ref().map_or("", |identity| &identity.account.name);
        tracing::debug!(account, address = %peer, scopes = scopes.len(), "token issued");
        Ok(TokenAnswer { token, expires_in, issued_at, scopes, refresh })
    }

    /// What the account (or nobody) may of what is asked, one scope per resource.
    fn allowed(&self, identity: Option<&Identity>, asked: &[Scope]) -> Vec<Scope> {
        let caller = identity.map_or_else(Caller::anonymous, |identity| Caller {
            principal: sign_in::principal(&identity.account),
            token: None,
            through: identity.through.clone(),
        });
        let mut allowed: Vec<Scope> = Vec::new();
        for asked in asked {
            let Some(granted) = self.grant(&caller, asked) else { continue };
            let room = allowed.len() < MAX_SCOPES;
            match allowed.iter_mut().find(|scope| (&scope.kind, &scope.name) == (&granted.kind, &granted.name)) {
                Some(scope) => {
                    scope.actions.extend(granted.actions);
                    scope.actions.sort_unstable();
                    scope.actions.dedup();
                }
                None if room => allowed.push(granted),
                None => break,
            }
        }
        allowed
    }
}
