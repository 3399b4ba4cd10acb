//! The key that signs checkpoints and exports: ECDSA on P-256 with SHA-256, signatures in DER, so that
//! `openssl dgst -sha256 -verify KEY.pem` checks them too.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _, UnparsedPublicKey,
};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use crate::base::Timestamp;
use crate::meta::MetaError;
use crate::meta::account::TokenKey;
use crate::oci::{Algorithm, Digest};

/// What stands before the point in the public key's DER form (RFC 5480: id-ecPublicKey, prime256v1, a bit string).
const SPKI: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce,
    0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];

/// The private key.
pub struct AuditKey(EcdsaKeyPair);

impl AuditKey {
    /// A fresh key, to be stored.
    ///
    /// # Panics
    /// When the system has no randomness.
    pub fn generate(now: Timestamp) -> TokenKey {
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &SystemRandom::new())
            .expect("a P-256 key can be made");
        let id = Self::of(pkcs8.as_ref()).expect("it was just made").public().id();
        TokenKey::new(id, pkcs8.as_ref(), now)
    }

    fn of(pkcs8: &[u8]) -> Option<Self> {
        EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, pkcs8).ok().map(Self)
    }

    /// The key in a row.
    ///
    /// # Errors
    /// [`MetaError::Corrupt`] when there is none in it.
    pub fn read(row: &TokenKey) -> Result<Self, MetaError> {
        let corrupt = || MetaError::Corrupt("the key that signs the audit record does not read".to_owned());
        Self::of(&row.pkcs8()?).ok_or_else(corrupt)
    }

    /// Signs a text; base64.
    ///
    /// # Panics
    /// When the system has no randomness.
    pub fn sign(&self, text: &str) -> String {
        let signature = self.0.sign(&SystemRandom::new(), text.as_bytes()).expect("the system has randomness");
        BASE64.encode(signature.as_ref())
    }

    /// The public key.
    pub fn public(&self) -> PublicKey {
        PublicKey(self.0.public_key().as_ref().to_vec())
    }
}

/// The public key: a point.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKey(Vec<u8>);

impl PublicKey {
    /// Reads a PEM text, as [`PublicKey::pem`] writes it.
    pub fn parse(pem: &str) -> Option<Self> {
        let (_, rest) = pem.split_once("-----BEGIN PUBLIC KEY-----")?;
        let (body, _) = rest.split_once("-----END PUBLIC KEY-----")?;
        let body: String = body.split_whitespace().collect();
        let der = BASE64.decode(body).ok()?;
        let point = der.strip_prefix(&SPKI[..])?;
        (point.len() == 65).then(|| Self(point.to_vec()))
    }

    fn der(&self) -> Vec<u8> {
        [&SPKI[..], &self.0].concat()
    }

    /// The key as PEM (RFC 7468).
    pub fn pem(&self) -> String {
        let body = BASE64.encode(self.der());
        let lines: Vec<_> = body.as_bytes().chunks(64).map(String::from_utf8_lossy).collect();
        format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", lines.join("\n"))
    }

    /// The key's id: the SHA-256 of its DER form, in hex.
    pub fn id(&self) -> String {
        Digest::of(Algorithm::Sha256, &self.der()).hex()
    }

    /// Whether the signature is this key's over the text.
    pub fn verifies(&self, text: &str, signature: &str) -> bool {
        let Ok(signature) = BASE64.decode(signature) else { return false };
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, &self.0).verify(text.as_bytes(), &signature).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_holds_for_its_text_and_key_only() {
        let key = AuditKey::read(&AuditKey::generate(Timestamp(0))).unwrap();
        let other = AuditKey::read(&AuditKey::generate(Timestamp(0))).unwrap();
        let public = PublicKey::parse(&key.public().pem()).unwrap();
        assert_eq!(public, key.public());
        let signature = key.sign("text");
        assert!(public.verifies("text", &signature));
        assert!(!public.verifies("test", &signature) && !other.public().verifies("text", &signature));
        assert!(!public.verifies("text", "") && !public.verifies("text", "!"));
        assert_ne!(public.id(), other.public().id());
        for pem in ["", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"] {
            assert_eq!(PublicKey::parse(pem), None);
        }
    }
}
