//! The server's own certificate: one for all names and addresses, because clients that dial an address send no SNI.

use std::collections::BTreeSet;
use std::time::Duration;

use rcgen::{
    CertificateParams, DistinguishedName, DnType, DnValue, ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose,
    SanType,
};

use super::ca::{CertificateAuthority, DAY, cannot, date, new_key, not_before_build, serial};
use super::facts::certificate_pem;
use super::{PkiError, SubjectName};
use crate::base::{Secret, Timestamp};

/// 397 days: under the 398 that the strictest clients allow.
const LIFE: Duration = DAY.saturating_mul(397);

/// A certificate chain and its key, in PEM: what `server.crt` and `server.key` hold.
pub(super) struct Leaf {
    /// The certificate with the authority's behind it, so that a browser can show both.
    pub(super) chain: String,
    pub(super) key: Secret,
}

/// Issues a certificate with a fresh key, a fresh serial and these names.
pub(super) fn issue(
    authority: &CertificateAuthority,
    fqdn: &SubjectName,
    names: &BTreeSet<SubjectName>,
    now: Timestamp,
) -> Result<Leaf, PkiError> {
    let now = not_before_build(now);
    let key = new_key()?;
    let mut params = params(fqdn, names)?;
    params.is_ca = IsCa::ExplicitNoCa;
    params.use_authority_key_identifier_extension = true;
    params.serial_number = Some(serial());
    // Never beyond the authority's own end: verifiers look at both.
    params.not_before = date(begin(authority, now));
    params.not_after = date(now.plus(LIFE).min(authority.facts.not_after));
    let certificate =
        params.signed_by(&key, &authority.issuer()?).map_err(|e| cannot("sign the server's certificate", &e))?;
    Ok(Leaf { chain: certificate_pem(certificate.der()) + &authority.pem, key: Secret::new(key.serialize_pem()) })
}

/// When a certificate that is issued now begins: a day ago, because clocks differ, but not before the authority.
pub(super) fn begin(authority: &CertificateAuthority, now: Timestamp) -> Timestamp {
    not_before_build(now).minus(DAY).max(authority.facts.not_before)
}

/// A certificate signing request (PKCS #10) for these names, for an authority that is not ours.
pub(super) fn request(key: &KeyPair, fqdn: &SubjectName, names: &BTreeSet<SubjectName>) -> Result<String, PkiError> {
    let request = params(fqdn, names)?.serialize_request(key).map_err(|e| cannot("make the request", &e))?;
    request.pem().map_err(|e| cannot("make the request", &e))
}

fn params(fqdn: &SubjectName, names: &BTreeSet<SubjectName>) -> Result<CertificateParams, PkiError> {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    let common_name = fqdn.to_string();
    // CommonName has 64 characters (RFC 5280, ub-common-name). Without it the subject is empty and the alternative
    // names become critical, which all clients accept.
    if common_name.len() <= 64 {
        params.distinguished_name.push(DnType::CommonName, DnValue::Utf8String(common_name));
    }
    params.subject_alt_names = names
        .iter()
        .map(|name| match name {
            SubjectName::Dns(name) => name.as_str().try_into().map(SanType::DnsName),
            SubjectName::Ip(address) => Ok(SanType::IpAddress(*address)),
        })
        .collect::<Result<_, _>>()
        .map_err(|e| cannot("write the names", &e))?;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    Ok(params)
}
