//! Whom an outbound call trusts.

use std::path::{Path, PathBuf};

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;

use crate::pki::{self, PkiError};

/// Where distributions keep their bundle: Debian and Alpine, Fedora and RHEL, SUSE, Alpine and others.
const BUNDLES: &[&str] = &[
    "etc/ssl/certs/ca-certificates.crt",
    "etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "etc/pki/tls/certs/ca-bundle.crt",
    "etc/ssl/ca-bundle.pem",
    "etc/ssl/cert.pem",
];

/// Whom an outbound call trusts; none is added by itself.
#[derive(Clone, Debug, Default)]
pub struct Roots(Vec<CertificateDer<'static>>);

impl Roots {
    /// Nobody: for calls in clear, or to learn what a server shows.
    pub fn none() -> Self {
        Self::default()
    }

    /// All certificates of a PEM text.
    ///
    /// # Errors
    /// [`PkiError::Unusable`] when there is none or one is broken.
    pub fn pem(text: &str) -> Result<Self, PkiError> {
        Ok(Self(pki::certificates(text, "the roots")?))
    }

    /// The bundle of the system whose root is `root` (`/`): the first of the usual files that is there; nobody when
    /// there is none. The variable `SSL_CERT_FILE` is the caller's business.
    pub fn system(root: &Path) -> Self {
        let bundle = BUNDLES.iter().find_map(|path| std::fs::read(root.join(path)).ok());
        Self(bundle.map(|text| readable(&text)).unwrap_or_default())
    }

    /// Every `*.crt` of a directory as docker and podman read it; nobody when there is no such directory.
    pub fn directory(directory: &Path) -> Self {
        let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
        let files: Vec<PathBuf> =
            entries.map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|e| e == "crt")).collect();
        Self(files.iter().filter_map(|file| std::fs::read(file).ok()).flat_map(|text| readable(&text)).collect())
    }

    /// These and those.
    #[must_use]
    pub fn and(mut self, others: Self) -> Self {
        self.0.extend(others.0);
        self
    }

    /// The form that verifiers take.
    pub(super) fn load(self) -> Result<RootCertStore, PkiError> {
        let mut store = RootCertStore::empty();
        let given = self.0.len();
        let (_, unusable) = store.add_parsable_certificates(self.0);
        // A bundle may hold certificates that are of no use here; all of them useless is a mistake.
        if given > 0 && unusable == given {
            return Err(PkiError::Unusable("none of the roots can be used: they are broken".into()));
        }
        Ok(store)
    }
}

/// The certificates of a file that others wrote: broken blocks are passed over, as container tools do.
fn readable(text: &[u8]) -> Vec<CertificateDer<'static>> {
    use rustls::pki_types::pem::PemObject;
    CertificateDer::pem_slice_iter(text).filter_map(Result::ok).collect()
}
