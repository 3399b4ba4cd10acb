//! Bearer tokens: JSON web tokens (RFC 7519) signed with ES256, as the registry token specification wants them.
//!
//! The key is found by `kid` among our own; whatever else a token's header offers (`jwk`, `jku`, `x5c`, another
//! algorithm) is not looked at (CVE-2025-24976).

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};

use crate::base::{Secret, Timestamp, Uuid};
use crate::meta::account::{self, TokenKey};
use crate::meta::{Engine, MetaError, ReadTx, WriteError};
use crate::model::Account;
use crate::model::personal_token::TokenHash;
use crate::oci::scope::Scope;

/// By how many seconds the clocks of two nodes may differ.
pub(super) const LEEWAY: u64 = 60;

/// Who issues; the audience tells registries apart.
const ISSUER: &str = "msr-lite";

/// What a token says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Claims {
    pub(super) iss: String,
    /// The account's name; empty for an anonymous token.
    pub(super) sub: String,
    /// The registry's id.
    pub(super) aud: String,
    pub(super) exp: u64,
    pub(super) nbf: u64,
    pub(super) iat: u64,
    pub(super) jti: String,
    pub(super) access: Vec<Scope>,
    /// The account's id: a later account of the same name has another. Tokens of earlier versions have none, and are dead;
    /// they lived for minutes.
    #[serde(default)]
    pub(super) acc: Uuid,
    /// The account's revision; a token of an older one is dead.
    #[serde(default)]
    pub(super) rev: u64,
    /// The personal access token that it was got with: it dies with that one, and gives no more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) pat: Option<TokenHash>,
}

impl Claims {
    /// Whether the token works at this time, give or take [`LEEWAY`].
    pub(super) fn check_time(nbf: u64, exp: u64, now: Timestamp) -> Result<(), TokenFault> {
        let now = now.seconds();
        if now >= exp.saturating_add(LEEWAY) {
            Err(TokenFault::Expired)
        } else if now.saturating_add(LEEWAY) < nbf {
            Err(TokenFault::NotYet)
        } else {
            Ok(())
        }
    }
}

/// Why a token is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum TokenFault {
    #[error("the token is not one of this registry; sign in again")]
    Foreign,
    #[error("the token has expired; ask for another one")]
    Expired,
    #[error("the token is not valid yet; compare the clocks of this machine and the registry")]
    NotYet,
}

struct Key {
    kid: String,
    sign: EncodingKey,
    verify: DecodingKey,
}

/// The keys of this registry; the newest signs, all verify.
pub(super) struct Keys {
    /// The newest last.
    ring: Vec<Key>,
    instance: String,
    validation: Validation,
}

/// The keys in the store; on the first start they are made, and the registry's id with them.
///
/// # Errors
/// [`MetaError`] when the store fails.
pub(super) fn open(meta: &Engine, now: Timestamp) -> Result<Keys, MetaError> {
    let stored = |tx: &ReadTx| Ok::<_, MetaError>((account::instance(tx)?, account::token_keys(tx)?));
    let (instance, rows) = match meta.read(stored)? {
        (Some(instance), rows) if !rows.is_empty() => (instance, rows),
        _ => {
            let (id, key) = (hex::encode(crate::base::id::random::<16>()), fresh_key(now));
            // Looked at again inside: another node may have come first.
            let made = meta.write_blocking(move |tx| {
                let instance = account::instance(tx)?.unwrap_or_else(|| {
                    account::put_instance(tx, &id);
                    id.clone()
                });
                let mut rows = account::token_keys(tx)?;
                if rows.is_empty() {
                    account::put_token_key(tx, &key);
                    rows.push(key.clone());
                }
                Ok::<_, MetaError>((instance, rows))
            });
            made.map_err(|error| match error {
                WriteError::Refused(error) | WriteError::Store(error) => error,
            })?
        }
    };
    Keys::load(&rows, instance)
}

/// A fresh key, to be stored.
pub(super) fn fresh_key(now: Timestamp) -> TokenKey {
    let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new())
        .expect("a P-256 key can be made");
    TokenKey::new(hex::encode(crate::base::id::random::<16>()), pkcs8.as_ref(), now)
}

impl Keys {
    /// The keys in these rows (the newest last), for the registry of this id.
    ///
    /// # Errors
    /// [`MetaError::Corrupt`] when a row does not hold a key, or there is none.
    pub(super) fn load(rows: &[TokenKey], instance: String) -> Result<Self, MetaError> {
        let ring = rows.iter().map(load).collect::<Result<Vec<_>, _>>()?;
        if ring.is_empty() {
            return Err(MetaError::Corrupt("there is no token key".into()));
        }
        let mut validation = Validation::new(Algorithm::ES256);
        validation.set_issuer(&[ISSUER]);
        validation.set_audience(&[&instance]);
        validation.set_required_spec_claims(&["iss", "sub", "aud", "exp", "nbf"]);
        // Times are checked by our own clock, on each use and not only when the token is first seen.
        validation.validate_exp = false;
        Ok(Self { ring, instance, validation })
    }

    /// The audience: the registry's id.
    pub(super) fn instance(&self) -> &str {
        &self.instance
    }

    /// Signs a token for an account (`None`: anonymous) as it is, got with the personal access token `pat`, that works from
    /// `now` for `ttl` seconds.
    pub(super) fn sign(
        &self,
        account: Option<&Account>,
        pat: Option<TokenHash>,
        access: Vec<Scope>,
        now: Timestamp,
        ttl: u64,
    ) -> Secret {
        let iat = now.seconds();
        self.sign_claims(&Claims {
            iss: ISSUER.into(),
            sub: account.map(|account| account.name.clone()).unwrap_or_default(),
            aud: self.instance.clone(),
            exp: iat.saturating_add(ttl),
            nbf: iat,
            iat,
            jti: hex::encode(crate::base::id::random::<16>()),
            access,
            acc: account.map_or(Uuid::NIL, |account| account.id),
            rev: account.map_or(0, |account| account.revision),
            pat,
        })
    }

    fn sign_claims(&self, claims: &Claims) -> Secret {
        let key = self.ring.last().expect("there is a key: load() saw to it");
        let header = Header { kid: Some(key.kid.clone()), ..Header::new(Algorithm::ES256) };
        Secret::new(jsonwebtoken::encode(&header, claims, &key.sign).expect("plain data, and a key that was checked"))
    }

    /// What a token says, if it is one of ours and its time is now.
    ///
    /// # Errors
    /// Why it is not accepted.
    pub(super) fn verify(&self, token: &str, now: Timestamp) -> Result<Claims, TokenFault> {
        let header = jsonwebtoken::decode_header(token).map_err(|_| TokenFault::Foreign)?;
        let key = self.ring.iter().find(|key| Some(&key.kid) == header.kid.as_ref()).ok_or(TokenFault::Foreign)?;
        let token = jsonwebtoken::decode::<Claims>(token, &key.verify, &self.validation);
        let claims = token.map_err(|_| TokenFault::Foreign)?.claims;
        Claims::check_time(claims.nbf, claims.exp, now)?;
        Ok(claims)
    }
}

fn load(row: &TokenKey) -> Result<Key, MetaError> {
    let pkcs8 = row.pkcs8()?;
    let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &pkcs8)
        .map_err(|_| MetaError::Corrupt(format!("the token key {} does not read", row.kid)))?;
    Ok(Key {
        kid: row.kid.clone(),
        sign: EncodingKey::from_ec_der(&pkcs8),
        verify: DecodingKey::from_ec_der(pair.public_key().as_ref()),
    })
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
    use serde_json::{Value, json};

    use super::*;

    const NOW: Timestamp = Timestamp(1_800_000_000_000);

    fn keys() -> (Keys, TokenKey) {
        let row = fresh_key(NOW);
        (Keys::load(std::slice::from_ref(&row), "instance-1".into()).unwrap(), row)
    }

    fn alice(revision: u64) -> Account {
        Account { revision, ..Account::user("alice", Uuid::from_bytes([7; 16]), NOW) }
    }

    fn scopes() -> Vec<Scope> {
        vec![Scope { kind: "repository".into(), name: "lab/app".into(), actions: vec!["pull".into()] }]
    }

    /// The three parts of a good token, decoded.
    fn parts(token: &str) -> (Value, Value, String) {
        let mut parts = token.split('.');
        let mut json = || serde_json::from_slice(&BASE64.decode(parts.next().unwrap()).unwrap()).unwrap();
        (json(), json(), parts.next().unwrap().to_owned())
    }

    fn encode(value: &Value) -> String {
        BASE64.encode(value.to_string())
    }

    /// A token with this header and these claims, rightly signed by `row`'s key.
    fn signed(row: &TokenKey, header: &Value, claims: &Value) -> String {
        let message = format!("{}.{}", encode(header), encode(claims));
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &row.pkcs8().unwrap()).unwrap();
        let signature = pair.sign(&SystemRandom::new(), message.as_bytes()).unwrap();
        format!("{message}.{}", BASE64.encode(signature.as_ref()))
    }

    #[test]
    fn a_token_says_what_was_signed() {
        let (keys, row) = keys();
        let token = keys.sign(Some(&alice(7)), None, scopes(), NOW, 1800);
        let claims = keys.verify(token.reveal(), NOW).unwrap();
        assert_eq!((claims.sub.as_str(), claims.rev, &claims.access), ("alice", 7, &scopes()));
        assert_eq!(claims.acc, alice(7).id);
        assert_eq!((claims.exp - claims.iat, claims.nbf), (1800, claims.iat));
        let (header, body, _) = parts(token.reveal());
        assert_eq!(header, json!({"typ": "JWT", "alg": "ES256", "kid": row.kid}));
        assert_eq!(body["aud"], "instance-1");
        assert_eq!(body["access"], json!([{"type": "repository", "name": "lab/app", "actions": ["pull"]}]));
    }

    #[test]
    fn times_have_a_minute_of_leeway() {
        let (keys, _) = keys();
        let token = keys.sign(Some(&alice(1)), None, vec![], NOW, 100);
        let at = |seconds: u64| keys.verify(token.reveal(), Timestamp(NOW.0 - 1_000_000 + seconds * 1000)).map(|_| ());
        assert_eq!(at(939), Err(TokenFault::NotYet));
        assert_eq!(at(940), Ok(()));
        assert_eq!(at(1159), Ok(()));
        assert_eq!(at(1160), Err(TokenFault::Expired));
    }

    #[test]
    fn forged_tokens_are_refused() {
        let (keys, row) = keys();
        let token = keys.sign(Some(&alice(7)), None, scopes(), NOW, 1800);
        let (header, claims, signature) = parts(token.reveal());
        let refused = |what: &str, token: &str| assert_eq!(keys.verify(token, NOW), Err(TokenFault::Foreign), "{what}");
        assert!(keys.verify(&signed(&row, &header, &claims), NOW).is_ok(), "the test signs as we do");

        let mut admin = claims.clone();
        admin["sub"] = json!("admin");
        refused("changed claims", &format!("{}.{}.{signature}", encode(&header), encode(&admin)));

        for alg in ["none", "None", "NONE"] {
            let none = json!({"typ": "JWT", "alg": alg, "kid": row.kid});
            refused(alg, &format!("{}.{}.", encode(&none), encode(&admin)));
            refused(alg, &format!("{}.{}.{signature}", encode(&none), encode(&admin)));
        }

        // The public key as an HMAC secret, in each form in which somebody could have it.
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &row.pkcs8().unwrap()).unwrap();
        let public = pair.public_key().as_ref();
        for secret in [public.to_vec(), BASE64.encode(public).into_bytes(), hex::encode(public).into_bytes()] {
            let hs256 = Header { kid: Some(row.kid.clone()), ..Header::new(Algorithm::HS256) };
            let token = jsonwebtoken::encode(&hs256, &admin, &EncodingKey::from_secret(&secret)).unwrap();
            refused("HS256 with the public key", &token);
        }

        // A key of the forger's own, with our kid, with its own, without; and offered in the header.
        let theirs = fresh_key(NOW);
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &theirs.pkcs8().unwrap()).unwrap();
        let point = pair.public_key().as_ref();
        let jwk = json!({"kty": "EC", "crv": "P-256", "alg": "ES256", "kid": row.kid,
            "x": BASE64.encode(&point[1..33]), "y": BASE64.encode(&point[33..])});
        for kid in [Some(row.kid.as_str()), Some(theirs.kid.as_str()), Some(""), None] {
            for (name, value) in [
                ("jwk", jwk.clone()),
                ("jku", json!("https://registry.lab/keys")),
                ("x5u", json!("https://registry.lab/chain")),
                ("x5c", json!([base64::engine::general_purpose::STANDARD.encode(point)])),
                ("typ", json!("JWT")),
            ] {
                let mut header = json!({"typ": "JWT", "alg": "ES256"});
                if let Some(kid) = kid {
                    header["kid"] = json!(kid);
                }
                header[name] = value;
                refused(&header.to_string(), &signed(&theirs, &header, &admin));
            }
        }

        // Rightly signed, but for another registry, by another issuer, or without a claim.
        for (name, value) in [("aud", json!("instance-2")), ("iss", json!("someone")), ("exp", Value::Null)] {
            let mut claims = claims.clone();
            claims[name] = value;
            refused(name, &signed(&row, &header, &claims));
        }
        for name in ["iss", "sub", "aud", "exp", "nbf"] {
            let mut claims = claims.clone();
            claims.as_object_mut().unwrap().remove(name);
            refused(name, &signed(&row, &header, &claims));
        }
        let mut es384 = header.clone();
        es384["alg"] = json!("ES384");
        refused("ES384", &signed(&row, &es384, &claims));
        for garbage in ["", ".", "..", "a.b.c", "a.b.c.d", &token.reveal()[..token.reveal().len() - 1]] {
            refused("garbage", garbage);
        }
    }

    #[test]
    fn an_older_key_still_verifies_and_the_newest_signs() {
        let old = fresh_key(NOW);
        let new = fresh_key(NOW.plus(std::time::Duration::from_secs(1)));
        let before = Keys::load(std::slice::from_ref(&old), "instance-1".into()).unwrap();
        let token = before.sign(Some(&alice(1)), None, vec![], NOW, 100);
        let after = Keys::load(&[old, new.clone()], "instance-1".into()).unwrap();
        assert!(after.verify(token.reveal(), NOW).is_ok());
        let token = after.sign(Some(&alice(1)), None, vec![], NOW, 100);
        assert_eq!(parts(token.reveal()).0["kid"], new.kid);
        assert_eq!(before.verify(token.reveal(), NOW), Err(TokenFault::Foreign));
    }
}
