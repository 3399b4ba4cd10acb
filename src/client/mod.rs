//! Floor 3: the outbound client. Nothing else in this program dials out.
//!
//! No proxy, no redirects, no names from anywhere but this machine's own configuration: a registry behind an air gap
//! must not knock on the world's door because a library's default says so.

use std::error::Error as _;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use tokio::net::TcpStream;

use crate::pki::{self, PkiError, trust::RegistryHost};

mod resolve;
mod roots;

#[cfg(test)]
mod tests;

pub use resolve::{Names, Unresolved};
pub use roots::Roots;

/// For the connection to stand, TLS included.
const CONNECT: Duration = Duration::from_secs(10);
/// For a whole answer.
const TOTAL: Duration = Duration::from_mins(1);

/// Why a call to another host failed, in words.
#[derive(Debug, thiserror::Error)]
pub enum OutboundError {
    /// The name has no address here.
    #[error(transparent)]
    Name(#[from] Unresolved),
    /// Nobody answered, or not in time, or not in HTTP.
    #[error("{url}: {why}")]
    Call {
        /// What was asked for.
        url: String,
        /// The innermost cause.
        why: String,
    },
    /// The answer is longer than the caller wants.
    #[error("{url}: the answer is longer than {limit} bytes")]
    TooLong {
        /// What was asked for.
        url: String,
        /// The caller's limit.
        limit: usize,
    },
    /// Roots or TLS settings that do not do.
    #[error(transparent)]
    Trust(#[from] PkiError),
}

/// The answer to a [`Outbound::get`].
#[derive(Debug)]
pub struct Answer {
    /// Status code; redirects are answers like any other.
    pub status: u16,
    headers: reqwest::header::HeaderMap,
    /// The body.
    pub body: Vec<u8>,
}

impl Answer {
    /// A header's value, by its name in any case; `None` when there is none or it is no text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// A client that trusts certain roots. Cheap to clone; connections are pooled.
#[derive(Clone, Debug)]
pub struct Outbound(reqwest::Client);

impl Outbound {
    /// A client that trusts these roots and no others, and resolves names as this machine is configured.
    ///
    /// # Errors
    /// [`OutboundError::Trust`] when there are roots that cannot be read.
    pub fn new(roots: Roots) -> Result<Self, OutboundError> {
        Self::with_names(roots, Names::system())
    }

    /// [`Outbound::new`] with names from elsewhere.
    ///
    /// # Errors
    /// As [`Outbound::new`].
    pub fn with_names(roots: Roots, names: Names) -> Result<Self, OutboundError> {
        let tls = builder()?.with_root_certificates(roots.load()?).with_no_client_auth();
        reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .dns_resolver(Arc::new(names))
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT)
            .timeout(TOTAL)
            .user_agent(concat!("msr-lite/", env!("CARGO_PKG_VERSION")))
            .build()
            .map(Self)
            .map_err(|error| call_error("the client", &error))
    }

    /// Fetches a URL (`https:` or `http:`) with a body of at most `limit` bytes.
    ///
    /// # Errors
    /// [`OutboundError`]; an answer of any status is none.
    pub async fn get(&self, url: &str, limit: usize) -> Result<Answer, OutboundError> {
        let mut response = self.0.get(url).send().await.map_err(|error| call_error(url, &error))?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| call_error(url, &error))? {
            if body.len() + chunk.len() > limit {
                return Err(OutboundError::TooLong { url: url.into(), limit });
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Answer { status, headers, body })
    }
}

/// The library's outer messages only repeat the URL: what a person needs is innermost.
fn call_error(url: &str, error: &reqwest::Error) -> OutboundError {
    let mut why = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        if let Some(unresolved) = inner.downcast_ref::<Unresolved>() {
            return OutboundError::Name(unresolved.clone());
        }
        why = inner.to_string();
        source = inner.source();
    }
    if error.is_timeout() {
        why = "no answer in time".into();
    }
    OutboundError::Call { url: url.into(), why }
}

fn builder() -> Result<rustls::ConfigBuilder<ClientConfig, rustls::WantsVerifier>, PkiError> {
    ClientConfig::builder_with_provider(pki::provider())
        .with_safe_default_protocol_versions()
        .map_err(|error| PkiError::Unusable(format!("TLS cannot be set up: {error}")))
}

/// What a TLS handshake with a registry showed.
#[derive(Debug)]
pub struct Handshake {
    /// Whether a client with these roots goes on, and if not, why.
    pub verdict: Verdict,
    /// The chain as the server sent it, its own certificate first.
    pub chain: Vec<CertificateDer<'static>>,
    /// The address that was dialled.
    pub address: std::net::IpAddr,
}

/// What a client with certain roots makes of a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It goes on.
    Trusted,
    /// The chain leads to none of its roots.
    UnknownAuthority,
    /// The chain is good, but the certificate is not for the name that was dialled.
    WrongName,
    /// Anything else, in words: over, not yet valid, a broken signature.
    Refused(String),
}

/// Shakes hands with a registry as a client that trusts these roots would, and hangs up. The chain is told even when
/// it is refused: no byte is sent to a server that was not verified.
///
/// # Errors
/// [`OutboundError`] when no handshake came about: no address, nobody there, no TLS.
pub async fn handshake(host: &RegistryHost, roots: Roots, names: &Names) -> Result<Handshake, OutboundError> {
    let url = format!("https://{}", host.with_port());
    let roots = roots.load()?;
    let verifier = Arc::new(Recorder::new(roots)?);
    let config =
        builder()?.dangerous().with_custom_certificate_verifier(Arc::clone(&verifier) as _).with_no_client_auth();
    let server = ServerName::try_from(host.host()).map_err(|error| fail(&url, &error))?;
    let mut last = String::from("no address");
    for address in names.lookup(&host.host()).await? {
        let dial = tokio::time::timeout(CONNECT, TcpStream::connect((address, host.port()))).await;
        let socket = match dial {
            Ok(Ok(socket)) => socket,
            Ok(Err(error)) => {
                last = format!("{address}: {error}");
                continue;
            }
            Err(_) => {
                last = format!("{address}: no answer in time");
                continue;
            }
        };
        let connector = tokio_rustls::TlsConnector::from(Arc::new(config.clone()));
        let shaken = tokio::time::timeout(CONNECT, connector.connect(server.clone(), socket)).await;
        let chain = verifier.0.lock().take().unwrap_or_default();
        let verdict = match shaken {
            Ok(Ok(_)) => Verdict::Trusted,
            Ok(Err(error)) if !chain.is_empty() => verdict(&error),
            Ok(Err(error)) => return Err(fail(&url, &error)),
            Err(_) => return Err(fail(&url, &"no TLS handshake in time")),
        };
        return Ok(Handshake { verdict, chain, address });
    }
    Err(OutboundError::Call { url, why: last })
}

fn fail(url: &str, why: &dyn fmt::Display) -> OutboundError {
    OutboundError::Call { url: url.into(), why: why.to_string() }
}

fn verdict(error: &std::io::Error) -> Verdict {
    let Some(rustls::Error::InvalidCertificate(why)) = error.get_ref().and_then(|e| e.downcast_ref()) else {
        return Verdict::Refused(error.to_string());
    };
    match why {
        CertificateError::UnknownIssuer => Verdict::UnknownAuthority,
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => Verdict::WrongName,
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            Verdict::Refused(format!("it has ended, or this machine's clock is wrong ({why})"))
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            Verdict::Refused(format!("it is not valid yet: this machine's or the registry's clock is wrong ({why})"))
        }
        other => Verdict::Refused(other.to_string()),
    }
}

/// Verifies as rustls always does, and remembers the chain that it was shown.
#[derive(Debug)]
struct Recorder(parking_lot::Mutex<Option<Vec<CertificateDer<'static>>>>, Option<Arc<WebPkiServerVerifier>>);

impl Recorder {
    fn new(roots: RootCertStore) -> Result<Self, PkiError> {
        // A verifier without any root cannot be built: then nobody is trusted.
        let inner = (!roots.is_empty())
            .then(|| WebPkiServerVerifier::builder_with_provider(Arc::new(roots), pki::provider()).build())
            .transpose()
            .map_err(|error| PkiError::Unusable(format!("the roots cannot be used: {error}")))?;
        Ok(Self(parking_lot::Mutex::new(None), inner))
    }

    fn inner(&self) -> Result<&WebPkiServerVerifier, rustls::Error> {
        self.1.as_deref().ok_or_else(|| CertificateError::UnknownIssuer.into())
    }
}

impl ServerCertVerifier for Recorder {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let chain = std::iter::once(end_entity).chain(intermediates).map(|der| der.clone().into_owned());
        *self.0.lock() = Some(chain.collect());
        self.inner()?.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner()?.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner()?.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        pki::provider().signature_verification_algorithms.supported_schemes()
    }
}
