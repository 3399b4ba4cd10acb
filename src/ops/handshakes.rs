//! Clients that refuse our certificate: noticed, explained, counted, remembered.
//!
//! A refusal costs its client's user hours, because their tool says "x509" and nothing else. We see who refused, which
//! name they asked for and why, so we can say what to type there. Attackers can refuse as often as they like: log
//! lines come at most once in ten minutes per client and name, memory and table are bounded, and the disk is written
//! at most every few seconds.

use std::collections::HashMap;
use std::fmt::{self, Write as _};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

use crate::base::{Clock, Timestamp};
use crate::meta::refusal::{self, Refusal};
use crate::meta::{Engine, MetaError, WriteError};
use crate::pki::Pki;
use crate::pki::trust::{self, RegistryHost, ScriptInputs};

/// How many refusals (client, name, alert) are kept, in memory and in the table; the newest stay.
pub const KEPT: usize = 256;

/// One line per client and name in this time.
const QUIET: Duration = Duration::from_mins(10);

/// The table is written at most this often.
const FLUSH: Duration = Duration::from_secs(5);

/// What a client said when it refused (RFC 8446, 6.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Alert {
    /// `unknown_ca`: curl, OpenSSL.
    UnknownCa,
    /// `bad_certificate`: Go (docker, podman, …) for an unknown authority and for a wrong name alike; Python for the
    /// latter.
    BadCertificate,
    /// `certificate_unknown`: browsers, Java.
    CertificateUnknown,
    /// `certificate_expired`.
    CertificateExpired,
    /// `certificate_revoked`.
    CertificateRevoked,
    /// `unsupported_certificate`.
    UnsupportedCertificate,
    /// `decrypt_error`: a client that trusts another authority of the same name.
    DecryptError,
    /// Any other; mostly not about the certificate.
    Other(u8),
}

impl Alert {
    /// The word of the TLS specification, for the log, the metric and the table.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::UnknownCa => "unknown_ca",
            Self::BadCertificate => "bad_certificate",
            Self::CertificateUnknown => "certificate_unknown",
            Self::CertificateExpired => "certificate_expired",
            Self::CertificateRevoked => "certificate_revoked",
            Self::UnsupportedCertificate => "unsupported_certificate",
            Self::DecryptError => "decrypt_error",
            Self::Other(_) => "other",
        }
    }

    /// What it means, as the second half of "it …".
    fn meaning(self) -> &'static str {
        match self {
            Self::UnknownCa => "does not know the authority that issued our certificate",
            Self::BadCertificate => {
                "does not know the authority that issued our certificate, or dialled a name that the certificate does not cover"
            }
            Self::CertificateUnknown => {
                "does not accept our certificate, most likely because it does not know our authority"
            }
            Self::CertificateExpired => {
                "takes our certificate for expired or not yet valid: compare its clock with this machine's"
            }
            Self::CertificateRevoked => "takes our certificate for revoked",
            Self::UnsupportedCertificate => "does not support our kind of certificate",
            Self::DecryptError => {
                "trusts another authority of the same name, most likely that of an earlier installation: replace it there"
            }
            Self::Other(_) => "broke the handshake off",
        }
    }
}

impl fmt::Display for Alert {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Other(number) => write!(f, "TLS alert {number}"),
            named => f.write_str(named.as_str()),
        }
    }
}

/// A refusal as the listener saw it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Who.
    pub peer: IpAddr,
    /// The address and port of ours that its packets came to.
    pub dialled: SocketAddr,
    /// The name that it asked for (SNI); none when it dialled an address.
    pub asked: Option<String>,
    /// What it said.
    pub alert: Alert,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Label {
    alert: &'static str,
}

/// The observatory. Cheap to clone.
#[derive(Clone)]
pub struct Handshakes(Arc<Inner>);

struct Inner {
    clock: Clock,
    pki: Pki,
    rejections: Family<Label, Counter>,
    book: Mutex<Book>,
}

#[derive(Default)]
struct Book {
    /// By client, asked name and alert.
    rows: HashMap<(IpAddr, Option<String>, &'static str), Row>,
    /// When a line was last written, by client and name.
    said: HashMap<(IpAddr, Option<String>), Timestamp>,
    /// Rows that fell out and are still in the table.
    gone: Vec<Refusal>,
}

struct Row {
    refusal: Refusal,
    /// Whether the table does not have it so yet.
    dirty: bool,
    /// Whether the table has it in some state.
    stored: bool,
}

impl fmt::Debug for Handshakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handshakes").field("rows", &self.0.book.lock().rows.len()).finish_non_exhaustive()
    }
}

impl Handshakes {
    /// An empty observatory.
    pub fn new(pki: Pki, clock: Clock) -> Self {
        Self(Arc::new(Inner { clock, pki, rejections: Family::default(), book: Mutex::default() }))
    }

    /// Takes up what an earlier run remembered.
    ///
    /// # Errors
    /// When the store fails.
    pub fn load(&self, meta: &Engine) -> Result<(), MetaError> {
        let stored = meta.read(|tx| refusal::list(tx, KEPT))?;
        let mut book = self.0.book.lock();
        for refusal in stored {
            if let Some(word) = known_word(&refusal.alert) {
                let key = (refusal.peer, refusal.asked.clone(), word);
                book.rows.entry(key).or_insert(Row { refusal, dirty: false, stored: true });
            }
        }
        Ok(())
    }

    /// Registers `msrlite_tls_client_rejections_total`.
    pub fn register(&self, registry: &mut Registry) {
        let help = "TLS handshakes that clients broke off with this alert, or left without a request (silent)";
        registry.register("tls_client_rejections", help, self.0.rejections.clone());
    }

    /// A client refused our certificate.
    pub fn refused(&self, refused: &Refused) {
        self.count(refused.alert.as_str());
        if let Alert::Other(number) = refused.alert {
            tracing::debug!(peer = %refused.peer, alert = number, "a client broke a TLS handshake off");
            return;
        }
        let now = self.0.clock.now();
        if self.0.book.lock().note(refused, now) {
            tracing::warn!(
                peer = %refused.peer,
                asked = refused.asked.as_deref(),
                alert = refused.alert.as_str(),
                "{}",
                advice(&self.0.pki, refused)
            );
        }
    }

    /// A client finished the handshake and left without a request. `GnuTLS` refuses like that, and so does everybody
    /// who only looks whether the port is open: it is counted and no more.
    pub fn silent(&self, peer: IpAddr, asked: Option<&str>) {
        self.count("silent");
        tracing::debug!(%peer, asked, "a client left after the TLS handshake without a request");
    }

    /// The refusals remembered, the newest first.
    pub fn refusals(&self) -> Vec<Refusal> {
        let mut rows: Vec<_> = self.0.book.lock().rows.values().map(|row| row.refusal.clone()).collect();
        rows.sort_by_key(|refusal| std::cmp::Reverse(refusal.last));
        rows
    }

    /// Writes what is new to the table every few seconds, for as long as it is polled.
    pub async fn keep(&self, meta: Engine) {
        loop {
            tokio::time::sleep(FLUSH).await;
            if let Err(error) = self.flush(&meta).await {
                tracing::warn!(%error, "refused handshakes cannot be remembered");
            }
        }
    }

    /// Writes what is new to the table now, in one transaction.
    ///
    /// # Errors
    /// When the store fails; what is new is tried again at the next call.
    pub async fn flush(&self, meta: &Engine) -> Result<(), MetaError> {
        let (dirty, gone) = self.0.book.lock().take();
        if dirty.is_empty() && gone.is_empty() {
            return Ok(());
        }
        let (put, remove) = (dirty.clone(), gone.clone());
        let written = meta.write(move |tx| -> Result<(), MetaError> {
            for refusal in &remove {
                refusal::delete(tx, refusal);
            }
            for refusal in &put {
                refusal::put(tx, refusal);
            }
            Ok(())
        });
        match written.await {
            Ok(()) => Ok(()),
            Err(WriteError::Refused(error) | WriteError::Store(error)) => {
                self.0.book.lock().untake(&dirty, gone);
                Err(error)
            }
        }
    }

    fn count(&self, alert: &'static str) {
        self.0.rejections.get_or_create(&Label { alert }).inc();
    }
}

impl Book {
    /// Notes a refusal; tells whether a line about it is due.
    fn note(&mut self, refused: &Refused, now: Timestamp) -> bool {
        let key = (refused.peer, refused.asked.clone(), refused.alert.as_str());
        if !self.rows.contains_key(&key) && self.rows.len() >= KEPT {
            self.forget_one();
        }
        let row = self.rows.entry(key).or_insert_with(|| {
            let (asked, alert) = (refused.asked.clone(), refused.alert.as_str().to_owned());
            Row {
                refusal: Refusal { peer: refused.peer, asked, alert, first: now, last: now, count: 0 },
                dirty: true,
                stored: false,
            }
        });
        row.refusal.last = now;
        row.refusal.count += 1;
        row.dirty = true;

        let key = (refused.peer, refused.asked.clone());
        let quiet = self.said.get(&key).is_some_and(|said| now.since(*said) < QUIET);
        if quiet {
            return false;
        }
        self.said.retain(|_, said| now.since(*said) < QUIET);
        // Beyond the bound the log stays silent; counts and rows go on.
        if self.said.len() >= KEPT {
            return false;
        }
        self.said.insert(key, now);
        true
    }

    /// Makes room: the oldest row of the client that has the most goes, so that a noisy one drives only itself out.
    fn forget_one(&mut self) {
        let mut rows_of: HashMap<IpAddr, usize> = HashMap::new();
        for (peer, ..) in self.rows.keys() {
            *rows_of.entry(*peer).or_default() += 1;
        }
        let Some(noisiest) = rows_of.into_iter().max_by_key(|(_, rows)| *rows).map(|(peer, _)| peer) else { return };
        let of_it = self.rows.iter().filter(|((peer, ..), _)| *peer == noisiest);
        let oldest = of_it.min_by_key(|(_, row)| row.refusal.last).map(|(key, _)| key.clone());
        // Only what the table has need be deleted there, so that `gone` never holds more than the table does.
        if let Some(row) = oldest.and_then(|key| self.rows.remove(&key)).filter(|row| row.stored) {
            self.gone.push(row.refusal);
        }
    }

    fn take(&mut self) -> (Vec<Refusal>, Vec<Refusal>) {
        let mut dirty = Vec::new();
        for row in self.rows.values_mut().filter(|row| row.dirty) {
            (row.dirty, row.stored) = (false, true);
            dirty.push(row.refusal.clone());
        }
        (dirty, std::mem::take(&mut self.gone))
    }

    fn untake(&mut self, dirty: &[Refusal], mut gone: Vec<Refusal>) {
        for refusal in dirty {
            let word = known_word(&refusal.alert).unwrap_or("other");
            if let Some(row) = self.rows.get_mut(&(refusal.peer, refusal.asked.clone(), word)) {
                row.dirty = true;
            }
        }
        gone.append(&mut self.gone);
        self.gone = gone;
    }
}

fn known(word: &str) -> Option<Alert> {
    use Alert::{
        BadCertificate, CertificateExpired, CertificateRevoked, CertificateUnknown, DecryptError, UnknownCa,
        UnsupportedCertificate,
    };
    let all = [
        UnknownCa,
        BadCertificate,
        CertificateUnknown,
        CertificateExpired,
        CertificateRevoked,
        UnsupportedCertificate,
        DecryptError,
    ];
    all.into_iter().find(|alert| alert.as_str() == word)
}

fn known_word(word: &str) -> Option<&'static str> {
    known(word).map(Alert::as_str)
}

/// What is likely the matter with a client that refused, and what helps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cure {
    /// The cause, as the second half of "it …".
    pub cause: &'static str,
    /// The name that it asked for, where our certificate does not cover it; parsed, so that it may stand in a command.
    pub uncovered: Option<String>,
    /// What to run there; none where it would not help.
    pub command: Option<String>,
}

/// The cure for a refusal that is remembered, for the pages. `here` is the registry as whoever asks writes it: clients
/// that asked for no name are given that.
pub fn cure(pki: &Pki, refusal: &Refusal, here: &RegistryHost) -> Cure {
    let alert = known(&refusal.alert).unwrap_or(Alert::Other(0));
    let asked = refusal.asked.as_deref().and_then(|name| RegistryHost::new(name, here.port()).ok());
    let uncovered = asked.as_ref().map(RegistryHost::host).filter(|host| !pki.covers(host));
    let host = asked.as_ref().unwrap_or(here);
    let command = (alert != Alert::CertificateExpired).then(|| {
        let (ca_pem, sha256) = (pki.ca_pem(), pki.ca_pem_sha256());
        trust::one_liner(&ScriptInputs { ca_pem: &ca_pem, sha256: &sha256, authority: host })
    });
    Cure { cause: alert.meaning(), uncovered, command }
}

/// One line: who, what for, what it means, what to type there (and here, when the name is not covered).
pub fn advice(pki: &Pki, refused: &Refused) -> String {
    let Refused { peer, dialled, asked, alert } = refused;
    let address = dialled.ip().to_string();
    let mut line = format!("{peer} refused our certificate ({alert}): it {}. ", alert.meaning());
    // Writing to a String cannot fail, here and below.
    let _ = match asked {
        Some(name) => write!(line, "It asked for {name}. "),
        None => {
            write!(line, "It asked for no name: it dialled an address, {address} or one that is translated to it. ")
        }
    };
    // What stands in a command is parsed first: the name comes from whoever dials us.
    let asked = asked.as_deref().and_then(|name| RegistryHost::new(name, dialled.port()).ok());
    let Some(host) = asked.or_else(|| RegistryHost::new(&address, dialled.port()).ok()) else { return line };
    if !pki.covers(&host.host()) {
        let host = host.host();
        let _ = write!(
            line,
            "Our certificate does not cover {host}: if clients shall use it, run here first: msr-lite cert add {host}. "
        );
    }
    if *alert != Alert::CertificateExpired {
        let (ca_pem, sha256) = (pki.ca_pem(), pki.ca_pem_sha256());
        let command = trust::one_liner(&ScriptInputs { ca_pem: &ca_pem, sha256: &sha256, authority: &host });
        let _ = write!(
            line,
            "Run there: {command} (it puts our CA into /etc/docker/certs.d/{at}/ca.crt and where podman and the system \
             look; other clients: http://{at}/trust)",
            at = host.with_port(),
        );
    }
    line.truncate(line.trim_end().len());
    line
}

#[cfg(test)]
mod tests;
