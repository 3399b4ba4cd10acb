//! Reading certificates: the facts that people are shown, and PEM with nothing else in it.

use std::net::IpAddr;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use x509_parser::prelude::{FromDer, GeneralName, ParsedExtension, X509Certificate};

use super::{CertificateFacts, PkiError, SubjectName};
use crate::base::Timestamp;

impl CertificateFacts {
    /// Reads a certificate.
    ///
    /// # Errors
    /// [`PkiError::Unusable`] when it is no X.509 certificate.
    pub fn of(der: &[u8]) -> Result<Self, PkiError> {
        let certificate = parse(der)?;
        Ok(Self {
            subject: certificate.subject().to_string(),
            issuer: certificate.issuer().to_string(),
            serial: hex::encode(certificate.serial.to_bytes_be()),
            fingerprint: fingerprint(der),
            not_before: timestamp(certificate.validity().not_before.timestamp()),
            not_after: timestamp(certificate.validity().not_after.timestamp()),
            names: subject_names(&certificate),
        })
    }

    /// Whole days until the certificate ends; negative when it has ended.
    pub fn days_left(&self, now: Timestamp) -> i64 {
        let millis = i128::from(self.not_after.0) - i128::from(now.0);
        i64::try_from(millis.div_euclid(86_400_000)).unwrap_or(i64::MAX)
    }

    /// Whether the certificate should be replaced: less than a third of its life is left.
    pub fn is_due(&self, now: Timestamp) -> bool {
        let life = self.not_after.since(self.not_before);
        self.not_after.since(now) < life / 3
    }
}

pub(super) fn parse(der: &[u8]) -> Result<X509Certificate<'_>, PkiError> {
    match X509Certificate::from_der(der) {
        Ok(([], certificate)) => Ok(certificate),
        _ => Err(PkiError::Unusable("this is no X.509 certificate".into())),
    }
}

/// The names that clients match: subjectAltName entries only, an address only where it is written as one.
pub(super) fn subject_names(certificate: &X509Certificate<'_>) -> Vec<SubjectName> {
    alternative_names(certificate)
        .filter_map(|name| match name {
            GeneralName::DNSName(name) => Some(SubjectName::Dns(name.to_ascii_lowercase())),
            GeneralName::IPAddress(bytes) => address(bytes).map(SubjectName::Ip),
            _ => None,
        })
        .collect()
}

pub(super) fn alternative_names<'a>(certificate: &'a X509Certificate<'a>) -> impl Iterator<Item = &'a GeneralName<'a>> {
    let names = certificate.extensions().iter().find_map(|extension| match extension.parsed_extension() {
        ParsedExtension::SubjectAlternativeName(names) => Some(&names.general_names),
        _ => None,
    });
    names.into_iter().flatten()
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    <[u8; 4]>::try_from(bytes).map(IpAddr::from).or_else(|_| <[u8; 16]>::try_from(bytes).map(IpAddr::from)).ok()
}

fn timestamp(seconds: i64) -> Timestamp {
    Timestamp(u64::try_from(seconds).unwrap_or(0).saturating_mul(1000))
}

/// SHA-256 of a certificate as browsers show it: upper-case hex pairs with colons.
pub fn fingerprint(der: &[u8]) -> String {
    digest(&SHA256, der).as_ref().iter().map(|byte| format!("{byte:02X}")).collect::<Vec<_>>().join(":")
}

/// SHA-256 as `sha256sum` prints it.
pub fn sha256_hex(bytes: &[u8]) -> String {
    hex::encode(digest(&SHA256, bytes))
}

/// One certificate in PEM (RFC 7468, 64 columns) and nothing else. Every PEM that leaves this program is made here,
/// so that scripts may carry it without further looks.
pub fn certificate_pem(der: &[u8]) -> String {
    let text = base64::engine::general_purpose::STANDARD.encode(der);
    let mut pem = String::from("-----BEGIN CERTIFICATE-----\n");
    for line in text.as_bytes().chunks(64) {
        pem.extend(line.iter().map(|byte| char::from(*byte)));
        pem.push('\n');
    }
    pem.push_str("-----END CERTIFICATE-----\n");
    pem
}

/// All certificates of a PEM text; other blocks and text between blocks are passed over.
///
/// # Errors
/// [`PkiError::Unusable`] when a block is broken or there is none; `what` names the text in the message.
pub fn certificates(pem: &str, what: &str) -> Result<Vec<CertificateDer<'static>>, PkiError> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
    match found {
        Ok(found) if found.is_empty() => Err(PkiError::Unusable(format!(
            "{what} holds no certificate: it must be PEM, with a line -----BEGIN CERTIFICATE----- \
             (from DER: openssl x509 -inform der -in FILE)"
        ))),
        Ok(found) => Ok(found),
        Err(error) => Err(PkiError::Unusable(format!("{what} is broken PEM: {error}"))),
    }
}
