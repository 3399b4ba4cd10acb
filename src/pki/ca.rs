//! Our certificate authority: made once, kept for ten years, trusted by clients once.
//!
//! Every field is set here on purpose (what clients refuse is listed in ARCHITECTURE.md, "Trust"): a name that no
//! other authority of ours bears, so that after a reinstallation clients say "unknown authority" and not "bad
//! signature"; key identifiers, because strict verifiers demand them; a start in the past, because clocks differ.

use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, DnValue, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    PKCS_ECDSA_P256_SHA256, PublicKeyData, SerialNumber,
};
use rustls::pki_types::CertificateDer;
use time::OffsetDateTime;

use super::facts::{self, sha256_hex};
use super::{CertificateFacts, PkiError};
use crate::base::{Timestamp, id};

pub(super) const DAY: Duration = Duration::from_hours(24);
const LIFE: Duration = DAY.saturating_mul(3652);

/// No certificate of ours is older than this program: a machine whose clock has stopped at 1970 or at its own
/// making would otherwise issue certificates that are long over. Set anew at each release (2026-11-22).
const BUILT: Timestamp = Timestamp(1_795_305_600_000);

/// The authority's certificate and key.
pub(super) struct CertificateAuthority {
    pub(super) der: CertificateDer<'static>,
    /// Exactly what `ca.crt` holds.
    pub(super) pem: String,
    pub(super) facts: CertificateFacts,
    key: KeyPair,
}

impl CertificateAuthority {
    /// Makes a new authority, with a new key.
    pub(super) fn create(fqdn: &str, now: Timestamp) -> Result<Self, PkiError> {
        Self::of_key(new_key()?, fqdn, now)
    }

    /// Makes the certificate for a key that is there already.
    pub(super) fn of_key(key: KeyPair, fqdn: &str, now: Timestamp) -> Result<Self, PkiError> {
        let short = &sha256_hex(&key.subject_public_key_info())[..8];
        // CommonName has 64 characters (RFC 5280, ub-common-name); the part that makes it unique must survive.
        let name: String = fqdn.chars().take(64 - "msr-lite CA  12345678".len()).collect();
        Self::issue(key, format!("msr-lite CA {name} {short}"), now)
    }

    /// The same key and name with a new term: whoever trusts the old certificate goes on verifying until that one
    /// ends, whoever installs the new one has ten more years.
    pub(super) fn renewed(&self, now: Timestamp) -> Result<Self, PkiError> {
        let certificate = facts::parse(&self.der)?;
        let name = certificate.subject().iter_common_name().next().and_then(|name| name.as_str().ok());
        let name = name.ok_or_else(|| PkiError::Unusable("the authority's certificate has no name".into()))?;
        let key = KeyPair::from_pem(&self.key.serialize_pem()).map_err(|e| cannot("read the authority's key", &e))?;
        Self::issue(key, name.to_owned(), now)
    }

    fn issue(key: KeyPair, name: String, now: Timestamp) -> Result<Self, PkiError> {
        let now = not_before_build(now);
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, DnValue::Utf8String(name));
        params.distinguished_name.push(DnType::OrganizationName, DnValue::Utf8String("msr-lite".into()));
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.serial_number = Some(serial());
        params.not_before = date(now.minus(DAY));
        params.not_after = date(now.plus(LIFE));
        let certificate = params.self_signed(&key).map_err(|e| cannot("sign the authority's certificate", &e))?;
        Self::new(certificate.der().clone(), key)
    }

    /// Reads what [`CertificateAuthority::create`] made and was stored.
    pub(super) fn load(certificate: &str, key: &str) -> Result<Self, PkiError> {
        let mut found = facts::certificates(certificate, "ca.crt")?;
        let key = KeyPair::from_pem(key).map_err(|e| cannot("read ca.key", &e))?;
        if facts::parse(&found[0])?.public_key().raw != key.subject_public_key_info() {
            return Err(PkiError::Unusable(
                "ca.key does not belong to ca.crt: restore both from the same backup".into(),
            ));
        }
        Self::new(found.swap_remove(0), key)
    }

    fn new(der: CertificateDer<'static>, key: KeyPair) -> Result<Self, PkiError> {
        let facts = CertificateFacts::of(&der)?;
        Ok(Self { pem: facts::certificate_pem(&der), facts, der, key })
    }

    /// What signs the server's certificates.
    pub(super) fn issuer(&self) -> Result<Issuer<'static, &KeyPair>, PkiError> {
        Issuer::from_ca_cert_der(&self.der, &self.key).map_err(|e| cannot("use ca.crt", &e))
    }

    pub(super) fn key_pem(&self) -> String {
        self.key.serialize_pem()
    }
}

pub(super) fn new_key() -> Result<KeyPair, PkiError> {
    KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(|e| cannot("make a key", &e))
}

pub(super) fn cannot(what: &str, error: &rcgen::Error) -> PkiError {
    PkiError::Unusable(format!("cannot {what}: {error}"))
}

/// 128 random bits. Never left to the library, which derives it from the key: a renewal with the same key would
/// repeat issuer and serial, which Firefox refuses.
pub(super) fn serial() -> SerialNumber {
    SerialNumber::from_slice(&id::random::<16>())
}

/// This time, but none before this program was made ([`BUILT`]).
pub(super) fn not_before_build(now: Timestamp) -> Timestamp {
    now.max(BUILT)
}

/// The date type of the certificate library, to the second; times beyond year 9999 end there (RFC 5280 §4.1.2.5).
pub(super) fn date(time: Timestamp) -> OffsetDateTime {
    const LAST: i64 = 253_402_300_799;
    let seconds = i64::try_from(time.seconds()).unwrap_or(LAST).min(LAST);
    OffsetDateTime::from_unix_timestamp(seconds).expect("the first second of 1970 to the last of 9999 are dates")
}
