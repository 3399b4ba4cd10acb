//! A certificate that an administrator brings: looked at before it is used, and refused in words when clients would
//! refuse it. `curl` accepting a certificate proves little: what is asked here is what the strictest client asks.

use std::sync::Arc;

use rustls::RootCertStore;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::sign::CertifiedKey;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::{GeneralName, ParsedExtension};
use x509_parser::public_key::PublicKey;
use x509_parser::x509::X509Version;

use super::names::Coverage;
use super::{CertificateFacts, PkiError, SubjectName, facts, resolver};
use crate::base::Timestamp;

/// A chain, its key and its root, all of them good.
pub(super) struct Import {
    /// The chain in PEM, the server's certificate first, the root not in it.
    pub(super) chain: String,
    /// The root that clients must trust, in PEM.
    pub(super) ca: String,
    pub(super) certified: CertifiedKey,
    /// What some clients may dislike, in words.
    pub(super) warnings: Vec<String>,
}

fn refuse<T>(message: impl Into<String>) -> Result<T, PkiError> {
    Err(PkiError::Unusable(message.into()))
}

/// Looks at everything that clients look at.
pub(super) fn check(
    chain: &str,
    key: &str,
    ca: Option<&str>,
    fqdn: &SubjectName,
    now: Timestamp,
) -> Result<Import, PkiError> {
    let certified = resolver::certified_key(chain, key)?;
    let chain = facts::certificates(chain, "the certificate")?;
    let parsed = chain.iter().map(|der| facts::parse(der)).collect::<Result<Vec<_>, _>>()?;
    let mut warnings = Vec::new();

    let leaf = &parsed[0];
    check_kind(leaf)?;
    check_names(leaf, fqdn)?;
    check_usage(leaf)?;
    for certificate in &parsed {
        check_strength(certificate)?;
        check_term(certificate, now)?;
    }
    check_order(&parsed)?;
    note_oddities(leaf, &mut warnings);

    let root = find_root(&chain, &parsed, ca)?;
    check_term(&facts::parse(&root)?, now)?;
    // A root inside the chain is of no use to a client: it trusts its own copy or none. A pinned certificate that
    // signed itself is both.
    let sent: Vec<_> = chain.iter().enumerate().filter(|(at, der)| *at == 0 || **der != root).map(|(_, d)| d).collect();
    let intermediates: Vec<_> = sent[1..].iter().map(|der| (*der).clone()).collect();
    verify(&chain[0], &intermediates, &root, fqdn, now).map_err(|error| {
        PkiError::Unusable(format!(
            "the chain does not lead from the server's certificate to the root ({error}): put every intermediate \
             certificate behind the server's, in order, and give the root with --ca"
        ))
    })?;
    Ok(Import {
        chain: sent.iter().map(|der| facts::certificate_pem(der)).collect(),
        ca: facts::certificate_pem(&root),
        certified,
        warnings,
    })
}

/// Whether a chain leads to this root for this name at this time (RFC 5280 §6, RFC 9525), as rustls sees it. The
/// root's own term is not looked at by it.
pub(super) fn verify(
    leaf: &CertificateDer<'_>,
    intermediates: &[CertificateDer<'_>],
    root: &CertificateDer<'_>,
    name: &SubjectName,
    now: Timestamp,
) -> Result<(), rustls::Error> {
    let mut roots = RootCertStore::empty();
    roots.add(root.clone().into_owned())?;
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), resolver::provider())
        .build()
        .map_err(|error| rustls::Error::General(error.to_string()))?;
    let server = match name {
        SubjectName::Ip(address) => ServerName::IpAddress((*address).into()),
        SubjectName::Dns(name) => ServerName::try_from(name.replacen('*', "wildcard", 1))
            .map_err(|error| rustls::Error::General(error.to_string()))?,
    };
    let now = UnixTime::since_unix_epoch(std::time::Duration::from_secs(now.seconds()));
    verifier.verify_server_cert(leaf, intermediates, &server, &[], now).map(|_| ())
}

fn check_kind(leaf: &X509Certificate<'_>) -> Result<(), PkiError> {
    if leaf.version() != X509Version::V3 {
        return refuse("the certificate is of an old version (X.509 v1): issue it anew with extensions (v3)");
    }
    if leaf.is_ca() {
        let how = if leaf.subject() == leaf.issuer() {
            "it signed itself and calls itself an authority, as `openssl req -x509` does unless told otherwise: add \
             -addext basicConstraints=critical,CA:FALSE, or better let an authority sign it (`msr-lite cert csr`)"
        } else {
            "put the server's certificate first in the file, and the authority's behind it"
        };
        return refuse(format!("the first certificate is an authority's (CA:TRUE), which clients refuse: {how}"));
    }
    Ok(())
}

fn check_names(leaf: &X509Certificate<'_>, fqdn: &SubjectName) -> Result<(), PkiError> {
    let wanted = match fqdn {
        SubjectName::Dns(name) => format!("DNS:{name}"),
        SubjectName::Ip(address) => format!("IP:{address}"),
    };
    let fix =
        format!("issue it anew with -addext \"subjectAltName={wanted}\", or from the request of `msr-lite cert csr`");
    let mut alternatives = facts::alternative_names(leaf).peekable();
    if alternatives.peek().is_none() {
        return refuse(format!(
            "the certificate names its host in the common name only ({}), which docker and every other Go program \
             refuse (curl does not): {fix}",
            leaf.subject()
        ));
    }
    for name in alternatives {
        if let GeneralName::DNSName(name) = name
            && name.parse::<std::net::IpAddr>().is_ok()
        {
            return refuse(format!(
                "the address {name} is written as a DNS name, where no client looks for addresses: write IP:{name} \
                 in place of DNS:{name} and issue it anew"
            ));
        }
    }
    let names = facts::subject_names(leaf);
    if !Coverage::of(&names).covers(&fqdn.to_string()) {
        let names: Vec<_> = names.iter().map(SubjectName::to_string).collect();
        return refuse(format!(
            "the certificate does not cover this registry's name {fqdn}, but {}: {fix}, or set the registry's name \
             (--fqdn) to one that it covers",
            names.join(", ")
        ));
    }
    Ok(())
}

fn check_usage(leaf: &X509Certificate<'_>) -> Result<(), PkiError> {
    if let Ok(Some(usage)) = leaf.extended_key_usage()
        && !usage.value.server_auth
        && !usage.value.any
    {
        return refuse("the certificate is not for servers: its extended key usage must include serverAuth");
    }
    if let Ok(Some(usage)) = leaf.key_usage()
        && !usage.value.digital_signature()
    {
        return refuse("the certificate may not sign handshakes: its key usage must include digitalSignature");
    }
    Ok(())
}

fn check_strength(certificate: &X509Certificate<'_>) -> Result<(), PkiError> {
    const BROKEN: &[(&str, &str)] = &[
        ("1.2.840.113549.1.1.2", "MD2"),
        ("1.2.840.113549.1.1.4", "MD5"),
        ("1.2.840.113549.1.1.5", "SHA-1"),
        ("1.2.840.10045.4.1", "SHA-1"),
        ("1.2.840.10040.4.3", "SHA-1"),
        ("1.3.14.3.2.29", "SHA-1"),
    ];
    let subject = certificate.subject();
    let algorithm = certificate.signature_algorithm.algorithm.to_id_string();
    // Nobody checks the signature that a root gave to itself.
    if subject != certificate.issuer()
        && let Some((_, hash)) = BROKEN.iter().find(|(oid, _)| *oid == algorithm)
    {
        return refuse(format!("{subject} is signed with {hash}, which clients refuse: issue it anew with SHA-256"));
    }
    match certificate.public_key().parsed() {
        Ok(PublicKey::RSA(key)) if key.key_size() < 2048 => {
            refuse(format!("{subject} has an RSA key of {} bits, clients ask for 2048 at least", key.key_size()))
        }
        Ok(PublicKey::DSA(_)) => refuse(format!("{subject} has a DSA key, which no client accepts")),
        _ => Ok(()),
    }
}

fn check_term(certificate: &X509Certificate<'_>, now: Timestamp) -> Result<(), PkiError> {
    let facts = CertificateFacts::of(certificate.as_raw())?;
    let clock = format!("this machine's clock says {now}");
    if now > facts.not_after {
        return refuse(format!("{} ended at {} ({clock})", facts.subject, facts.not_after));
    }
    if now < facts.not_before {
        return refuse(format!("{} is not valid before {} ({clock})", facts.subject, facts.not_before));
    }
    Ok(())
}

fn check_order(chain: &[X509Certificate<'_>]) -> Result<(), PkiError> {
    for pair in chain.windows(2) {
        if pair[0].issuer().as_raw() != pair[1].subject().as_raw() {
            return refuse(format!(
                "the certificates are not in order: behind {} must stand its issuer {}, but there is {}",
                pair[0].subject(),
                pair[0].issuer(),
                pair[1].subject()
            ));
        }
    }
    Ok(())
}

fn note_oddities(leaf: &X509Certificate<'_>, warnings: &mut Vec<String>) {
    let has = |wanted: fn(&ParsedExtension<'_>) -> bool| leaf.extensions().iter().any(|e| wanted(e.parsed_extension()));
    let signed_itself = leaf.subject() == leaf.issuer();
    if signed_itself {
        warnings.push("the certificate signed itself: every client must trust it anew at each renewal".into());
    } else if !has(|e| matches!(e, ParsedExtension::AuthorityKeyIdentifier(_))) {
        warnings.push("it has no authority key identifier: Python 3.13 and other strict clients refuse it".into());
    }
    let days = (leaf.validity().not_after.timestamp() - leaf.validity().not_before.timestamp()) / 86_400;
    if days > 825 {
        warnings.push(format!("it is valid for {days} days: Apple's clients refuse more than 825"));
    }
    if leaf.public_key().algorithm.algorithm.to_id_string() == "1.3.101.112" {
        warnings.push("it has an Ed25519 key: browsers refuse it".into());
    }
}

/// The root that clients must trust: given, or standing at the end of the chain.
fn find_root(
    chain: &[CertificateDer<'static>],
    parsed: &[X509Certificate<'_>],
    ca: Option<&str>,
) -> Result<CertificateDer<'static>, PkiError> {
    if let Some(ca) = ca {
        let mut found = facts::certificates(ca, "--ca")?;
        if found.len() != 1 {
            return refuse(
                "--ca takes one certificate, the root; intermediates belong behind the server's certificate",
            );
        }
        return Ok(found.remove(0));
    }
    match (chain.last(), parsed.last()) {
        (Some(der), Some(last)) if last.subject().as_raw() == last.issuer().as_raw() => Ok(der.clone()),
        (_, last) => refuse(format!(
            "the root certificate is missing: give it with --ca, so that clients can be told whom to trust{}",
            last.map(|last| format!(" (it is {})", last.issuer())).unwrap_or_default()
        )),
    }
}
