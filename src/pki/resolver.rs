//! TLS settings that follow the certificate: running connections keep the old one, new ones get the new one.

use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{CipherSuite, ServerConfig};

use super::{PkiError, facts};

/// Hands out the certificate in use.
#[derive(Debug)]
pub(super) struct SwappingResolver(ArcSwap<CertifiedKey>);

impl SwappingResolver {
    pub(super) fn new(first: CertifiedKey) -> Self {
        Self(ArcSwap::from_pointee(first))
    }

    pub(super) fn swap(&self, next: CertifiedKey) {
        self.0.store(Arc::new(next));
    }
}

impl ResolvesServerCert for SwappingResolver {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.load_full())
    }
}

/// The one cryptography provider, always given explicitly.
pub(crate) fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

/// Reads chain and key and proves that they belong together.
pub(super) fn certified_key(chain: &str, key: &str) -> Result<CertifiedKey, PkiError> {
    let chain = facts::certificates(chain, "the certificate")?;
    if key.contains("-----BEGIN ENCRYPTED") || key.contains("ENCRYPTED\n") {
        return Err(PkiError::Unusable(
            "the key is protected by a passphrase, which a server that starts by itself cannot type: \
             openssl pkey -in key.pem -out plain.pem, then import plain.pem and remove it"
                .into(),
        ));
    }
    // Errors are told in our own words: none of them may quote the key.
    let unreadable = || {
        PkiError::Unusable(
            "the key cannot be read: it must be PEM, PKCS #8, SEC1 or PKCS #1, with RSA of 2048 to 8192 bits, \
             P-256, P-384, P-521 or Ed25519"
                .into(),
        )
    };
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).map_err(|_| unreadable())?;
    let key = provider().key_provider.load_private_key(key).map_err(|_| unreadable())?;
    let certified = CertifiedKey::new(chain, key);
    certified.keys_match().map_err(|_| {
        PkiError::Unusable(
            "the key does not belong to the first certificate: compare `openssl pkey -in key.pem -pubout` with \
             `openssl x509 -in cert.pem -noout -pubkey`; the server's certificate must stand first in its file"
                .into(),
        )
    })?;
    Ok(certified)
}

/// TLS 1.2 and 1.3, HTTP/2 before HTTP/1.1, session tickets (docker's daemon closes after every request, so a full
/// handshake each time would be dear), no client certificates.
pub(super) fn server_config(resolver: Arc<SwappingResolver>) -> Result<ServerConfig, PkiError> {
    let unusable = |error: rustls::Error| PkiError::Unusable(format!("TLS cannot be set up: {error}"));
    let mut config = ServerConfig::builder_with_provider(Arc::new(preferring_aes_128()))
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
        .map_err(unusable)?
        .with_no_client_auth()
        .with_cert_resolver(resolver);
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    config.ignore_client_order = true;
    config.ticketer = aws_lc_rs::Ticketer::new().map_err(unusable)?;
    // Ours are not used up by being used, so one does for all connections of a client; each costs a message.
    config.send_tls13_tickets = 1;
    Ok(config)
}

/// The provider with the suites of AES-128 before the others. They are as safe as the handshake around them, and
/// cheaper at both ends: their hash is SHA-256, which processors know (SHA-384 many do not: it took a twelfth of a
/// handshake), and their rounds are fewer (a tenth less per byte of a pull).
fn preferring_aes_128() -> CryptoProvider {
    let mut provider = aws_lc_rs::default_provider();
    provider.cipher_suites.sort_by_key(|suite| {
        !matches!(
            suite.suite(),
            CipherSuite::TLS13_AES_128_GCM_SHA256
                | CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256
                | CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256
        )
    });
    provider
}
