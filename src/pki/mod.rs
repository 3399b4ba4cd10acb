//! Floor 2: our own certificate authority and the server's certificate.
//!
//! Clients trust the authority once; names and addresses may then change, and certificates be renewed, without any
//! client noticing. What is served and shown is one immutable `State` behind a pointer: readers never wait, and a
//! change is complete or has not happened.

use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use rcgen::KeyPair;
use rustls::sign::CertifiedKey;
use serde::{Deserialize, Serialize};

use crate::base::{Clock, Timestamp};

mod ca;
mod facts;
mod import;
mod leaf;
pub(crate) mod names;
mod resolver;
mod store;
pub mod trust;

#[cfg(test)]
mod tests;

use ca::CertificateAuthority;
pub use facts::{certificate_pem, certificates, fingerprint, sha256_hex};
use names::Coverage;
use resolver::SwappingResolver;
pub(crate) use resolver::provider;
use store::{Access, Store};

const CA_CERTIFICATE: &str = "ca.crt";
const CA_KEY: &str = "ca.key";
const CERTIFICATE: &str = "server.crt";
const KEY: &str = "server.key";
/// There while an administrator's certificate is in use; holds the root that was given with it.
const IMPORTED: &str = "imported";
/// The key of a certificate signing request that has not come back yet.
const PENDING_KEY: &str = "pending.key";
/// Names that were added by hand.
const NAMES: &str = "names.json";

/// What went wrong with keys or certificates, in words that say what to do.
#[derive(Debug, thiserror::Error)]
pub enum PkiError {
    /// A file cannot be read or written.
    #[error("{path}: {error}")]
    File {
        /// Which.
        path: String,
        /// What the system says.
        error: String,
    },
    /// A certificate or key does not do.
    #[error("{0}")]
    Unusable(String),
}

/// A name that the certificate covers: a DNS name in lower case or an address (never written as a DNS name).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SubjectName {
    /// dNSName; may begin with `*.` when an administrator asked for it.
    Dns(String),
    /// iPAddress.
    Ip(IpAddr),
}

/// What decides the names of the certificate, apart from the machine's own addresses.
#[derive(Clone, Debug, Default)]
pub struct NameSettings {
    /// The registry's full name; guessed from the system when absent.
    pub fqdn: Option<String>,
    /// Names and addresses that an administrator added (`--san`, `cert add`).
    pub extra: BTreeSet<SubjectName>,
}

/// Facts about a certificate, for the banner, `cert show`, the pages and the doctor.
#[derive(Clone, Debug)]
pub struct CertificateFacts {
    /// Subject as one line.
    pub subject: String,
    /// Issuer as one line.
    pub issuer: String,
    /// Serial number, hex.
    pub serial: String,
    /// SHA-256 of the DER form, colon-grouped upper-case hex, as browsers show it.
    pub fingerprint: String,
    /// Valid from.
    pub not_before: Timestamp,
    /// Valid until.
    pub not_after: Timestamp,
    /// The names it covers.
    pub names: Vec<SubjectName>,
}

/// Why the server's certificate was issued anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reissue {
    /// The names or addresses that it should cover have changed.
    Names,
    /// Less than a third of its life was left.
    Age,
}

/// Where the machine's own names and addresses are read; tests put their own in its place.
pub(crate) struct Machine {
    /// The root of the file system (`etc/hostname`, …).
    pub(crate) root: PathBuf,
    /// The stable addresses of the interfaces.
    pub(crate) addresses: Box<dyn Fn() -> Result<BTreeSet<IpAddr>, PkiError> + Send + Sync>,
}

impl Machine {
    fn this() -> Self {
        Self { root: PathBuf::from("/"), addresses: Box::new(names::interface_addresses) }
    }
}

/// The certificate authority, the server's certificate and the TLS settings made of them. Cheap to clone.
#[derive(Clone)]
pub struct Pki(Arc<Inner>);

struct Inner {
    store: Store,
    settings: NameSettings,
    clock: Clock,
    machine: Machine,
    /// Held by whoever changes files and state, so that one change is over before the next begins.
    change: Mutex<()>,
    state: ArcSwap<State>,
    resolver: Arc<SwappingResolver>,
    tls: Arc<rustls::ServerConfig>,
}

/// Everything about the certificate in use, made whole and then never changed.
struct State {
    authority: Arc<CertificateAuthority>,
    fqdn: SubjectName,
    imported: bool,
    ca_pem: Arc<str>,
    ca_facts: CertificateFacts,
    leaf_facts: CertificateFacts,
    coverage: Coverage,
}

/// The form of [`NAMES`].
#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct AddedNames {
    names: BTreeSet<String>,
}

impl Pki {
    /// Opens `<data>/pki` (`ca.crt`, `ca.key`, `server.crt`, `server.key`, 0600 keys), making what is missing.
    ///
    /// # Errors
    /// [`PkiError`] naming the file and the cure.
    pub fn open(data: &Path, settings: NameSettings, clock: Clock) -> Result<Self, PkiError> {
        Self::open_on(Machine::this(), data, settings, clock)
    }

    /// [`Pki::open`] with the machine's names and addresses from elsewhere.
    pub(crate) fn open_on(
        machine: Machine,
        data: &Path,
        settings: NameSettings,
        clock: Clock,
    ) -> Result<Self, PkiError> {
        let store = Store::open(data.join("pki"))?;
        let fqdn = full_name(&settings, &machine)?;
        let authority = Arc::new(open_authority(&store, &fqdn, clock.now())?);
        let (certified, state) = match store.read(IMPORTED, Access::Public)? {
            Some(root) => {
                let (chain, certified) = stored_certificate(&store)?;
                let state = State::imported(authority, fqdn, &chain, &root)?;
                (certified, state)
            }
            None => open_own(&store, &settings, &machine, &clock, authority, fqdn)?,
        };
        let resolver = Arc::new(SwappingResolver::new(certified));
        let tls = Arc::new(resolver::server_config(Arc::clone(&resolver))?);
        let state = ArcSwap::from_pointee(state);
        Ok(Self(Arc::new(Inner { store, settings, clock, machine, change: Mutex::new(()), state, resolver, tls })))
    }

    /// TLS settings for the listener: TLS 1.2 and 1.3, ALPN h2 and http/1.1, session tickets, certificate by
    /// a resolver that follows every re-issue without dropping a connection.
    pub fn server_config(&self) -> Arc<rustls::ServerConfig> {
        Arc::clone(&self.0.tls)
    }

    /// The registry's full name as it stands in the certificate's subject.
    pub fn fqdn(&self) -> String {
        self.0.state.load().fqdn.to_string()
    }

    /// Whether the certificate in use covers this host (a name or an address, without port).
    pub fn covers(&self, host: &str) -> bool {
        self.0.state.load().coverage.covers(host)
    }

    /// The CA certificate in PEM, exactly the bytes that `/ca.crt` serves. With a certificate brought by the
    /// administrator, the CA that they gave with it.
    pub fn ca_pem(&self) -> Arc<str> {
        Arc::clone(&self.0.state.load().ca_pem)
    }

    /// SHA-256 of [`Pki::ca_pem`]'s bytes, lower-case hex, as `sha256sum` prints it.
    pub fn ca_pem_sha256(&self) -> String {
        sha256_hex(self.ca_pem().as_bytes())
    }

    /// Facts about the CA.
    pub fn ca_facts(&self) -> CertificateFacts {
        self.0.state.load().ca_facts.clone()
    }

    /// Facts about the server's certificate.
    pub fn leaf_facts(&self) -> CertificateFacts {
        self.0.state.load().leaf_facts.clone()
    }

    /// Whether the certificate was brought by the administrator and is therefore never issued anew by us.
    pub fn is_imported(&self) -> bool {
        self.0.state.load().imported
    }

    /// The time by which terms are judged here.
    pub fn now(&self) -> Timestamp {
        self.0.clock.now()
    }

    /// What an administrator should know and do about the certificates, in words; empty when all is well.
    pub fn warnings(&self) -> Vec<String> {
        self.0.state.load().warnings(self.0.clock.now())
    }

    /// Looks at addresses and age and issues the certificate anew when it must; takes effect at once.
    ///
    /// # Errors
    /// [`PkiError`]; the old certificate stays in use.
    pub fn refresh(&self) -> Result<Option<Reissue>, PkiError> {
        let _change = self.0.change.lock();
        let state = self.0.state.load_full();
        if state.imported {
            return Ok(None);
        }
        let now = self.0.clock.now();
        let (fqdn, names) = self.wanted()?;
        let reason = if names != state.leaf_facts.names.iter().cloned().collect() {
            Reissue::Names
        } else if state.due(now) {
            Reissue::Age
        } else {
            return Ok(None);
        };
        self.issue(Arc::clone(&state.authority), fqdn, &names)?;
        Ok(Some(reason))
    }

    /// Adds a name or address that the certificate shall cover from now on, remembers it and re-issues.
    ///
    /// # Errors
    /// [`PkiError`] when it is no name or address, or the certificate was brought by the administrator.
    pub fn add_name(&self, name: &str) -> Result<(), PkiError> {
        let name: SubjectName = name.parse()?;
        let _change = self.0.change.lock();
        let state = self.own("names are added to it by whoever issues it: see `msr-lite cert csr`")?;
        let mut added = read_added(&self.0.store)?;
        if added.insert(name) {
            let names = AddedNames { names: added.iter().map(SubjectName::to_string).collect() };
            let text = serde_json::to_string_pretty(&names).expect("a list of strings is JSON");
            self.0.store.write(NAMES, &text, Access::Public)?;
        }
        let (fqdn, names) = self.wanted()?;
        if names == state.leaf_facts.names.iter().cloned().collect() {
            return Ok(());
        }
        self.issue(Arc::clone(&state.authority), fqdn, &names)
    }

    /// Issues our own certificate anew, with a fresh key, whatever its age.
    ///
    /// # Errors
    /// [`PkiError`] when the certificate was brought by the administrator, or files cannot be written.
    pub fn renew(&self) -> Result<(), PkiError> {
        let _change = self.0.change.lock();
        let state = self.own("import its successor, or go back to our own authority with `msr-lite cert revert`")?;
        let (fqdn, names) = self.wanted()?;
        self.issue(Arc::clone(&state.authority), fqdn, &names)
    }

    /// Gives up the administrator's certificate and issues one of our own authority; does nothing when it is one.
    ///
    /// # Errors
    /// [`PkiError`] when files cannot be written.
    pub fn revert(&self) -> Result<(), PkiError> {
        let _change = self.0.change.lock();
        let state = self.0.state.load_full();
        if !state.imported {
            return Ok(());
        }
        let (fqdn, names) = self.wanted()?;
        self.0.store.remove(IMPORTED)?;
        self.issue(Arc::clone(&state.authority), fqdn, &names)
    }

    /// Gives the authority ten more years: the same key and name in a new certificate. Clients that trust the old one
    /// go on until that ends; `/ca.crt` and its fingerprint change.
    ///
    /// # Errors
    /// [`PkiError`] when files cannot be written.
    pub fn renew_authority(&self) -> Result<(), PkiError> {
        let _change = self.0.change.lock();
        let state = self.own("its root is not ours to renew")?;
        let renewed = Arc::new(state.authority.renewed(self.0.clock.now())?);
        let (fqdn, names) = self.wanted()?;
        self.0.store.write(CA_CERTIFICATE, &renewed.pem, Access::Public)?;
        self.issue(renewed, fqdn, &names)
    }

    /// Uses a certificate that the administrator brings: chain with the server's certificate first, its key (`None`:
    /// the key of the last [`Pki::csr`]) and the root when the chain does not end in it. Returns what some clients
    /// may dislike, in words.
    ///
    /// # Errors
    /// [`PkiError`] saying why clients would refuse it and how to mend that; the old certificate stays in use.
    pub fn import(&self, chain: &str, key: Option<&str>, ca: Option<&str>) -> Result<Vec<String>, PkiError> {
        let _change = self.0.change.lock();
        let fqdn = full_name(&self.0.settings, &self.0.machine)?;
        let store = &self.0.store;
        let pending = if key.is_none() { store.read(PENDING_KEY, Access::Owner)? } else { None };
        let key = key.or(pending.as_deref()).ok_or_else(|| {
            PkiError::Unusable("no request of `msr-lite cert csr` is pending: give the key with --key".into())
        })?;
        let import = import::check(chain, key, ca, &fqdn, self.0.clock.now())?;
        let authority = Arc::clone(&self.0.state.load().authority);
        let state = State::imported(authority, fqdn, &import.chain, &import.ca)?;
        // The marker last, and away while key and certificate change: a crash in between leaves a pair that does not
        // match and no marker, and the next start issues a certificate of our own.
        let files = [
            (KEY, key, Access::Owner),
            (CERTIFICATE, &*import.chain, Access::Public),
            (IMPORTED, &*import.ca, Access::Public),
        ];
        store.write_all(&files, || store.remove(IMPORTED))?;
        store.remove(PENDING_KEY)?;
        self.adopt(import.certified, state);
        Ok(import.warnings)
    }

    /// A certificate signing request in PEM for the names that our own certificate would have. Its key stays here
    /// and waits for [`Pki::import`]; asking again uses the same key.
    ///
    /// # Errors
    /// [`PkiError`] when files cannot be read or written.
    pub fn csr(&self) -> Result<String, PkiError> {
        let _change = self.0.change.lock();
        let key = if let Some(pem) = self.0.store.read(PENDING_KEY, Access::Owner)? {
            KeyPair::from_pem(&pem).map_err(|e| ca::cannot("read pending.key", &e))?
        } else {
            let key = ca::new_key()?;
            self.0.store.write(PENDING_KEY, &key.serialize_pem(), Access::Owner)?;
            key
        };
        let (fqdn, names) = self.wanted()?;
        leaf::request(&key, &fqdn, &names)
    }

    /// The state, if the certificate is of our own authority.
    fn own(&self, otherwise: &str) -> Result<Arc<State>, PkiError> {
        let state = self.0.state.load_full();
        if state.imported {
            return Err(PkiError::Unusable(format!("the certificate in use was imported: {otherwise}")));
        }
        Ok(state)
    }

    fn wanted(&self) -> Result<(SubjectName, BTreeSet<SubjectName>), PkiError> {
        let Inner { store, settings, machine, .. } = &*self.0;
        let fqdn = full_name(settings, machine)?;
        let extra = settings.extra.iter().cloned().chain(read_added(store)?);
        let names = names::wanted(&fqdn, (machine.addresses)()?, extra);
        Ok((fqdn, names))
    }

    fn issue(
        &self,
        authority: Arc<CertificateAuthority>,
        fqdn: SubjectName,
        names: &BTreeSet<SubjectName>,
    ) -> Result<(), PkiError> {
        let (certified, state) = issue_own(&self.0.store, authority, fqdn, names, self.0.clock.now())?;
        self.adopt(certified, state);
        Ok(())
    }

    fn adopt(&self, certified: CertifiedKey, state: State) {
        self.0.resolver.swap(certified);
        self.0.state.store(Arc::new(state));
    }
}

impl fmt::Debug for Pki {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pki({})", self.fqdn())
    }
}

impl State {
    fn own(authority: Arc<CertificateAuthority>, fqdn: SubjectName, chain: &str) -> Result<Self, PkiError> {
        let ca_pem = authority.pem.as_str().into();
        let ca_facts = authority.facts.clone();
        Self::new(authority, fqdn, chain, false, ca_pem, ca_facts)
    }

    fn imported(
        authority: Arc<CertificateAuthority>,
        fqdn: SubjectName,
        chain: &str,
        root: &str,
    ) -> Result<Self, PkiError> {
        let root = facts::certificates(root, IMPORTED)?.swap_remove(0);
        let ca_facts = CertificateFacts::of(&root)?;
        Self::new(authority, fqdn, chain, true, certificate_pem(&root).into(), ca_facts)
    }

    fn new(
        authority: Arc<CertificateAuthority>,
        fqdn: SubjectName,
        chain: &str,
        imported: bool,
        ca_pem: Arc<str>,
        ca_facts: CertificateFacts,
    ) -> Result<Self, PkiError> {
        let leaf_facts = CertificateFacts::of(&facts::certificates(chain, CERTIFICATE)?[0])?;
        let coverage = Coverage::of(&leaf_facts.names);
        Ok(Self { authority, fqdn, imported, ca_pem, ca_facts, leaf_facts, coverage })
    }

    /// Whether a certificate issued now would be better by age. Near the authority's own end, and while the clock
    /// stands before its beginning, it would not be, and issuing one each minute would help nobody.
    fn due(&self, now: Timestamp) -> bool {
        let (leaf, ca) = (&self.leaf_facts, &self.authority.facts);
        if now < leaf.not_before {
            // The clock was ahead when the certificate was issued, and has been set right since.
            return leaf::begin(&self.authority, now) < leaf.not_before;
        }
        leaf.is_due(now) && leaf.not_after < ca.not_after
    }

    fn warnings(&self, now: Timestamp) -> Vec<String> {
        let mut warnings = Vec::new();
        let days = self.leaf_facts.days_left(now);
        if self.imported && now > self.leaf_facts.not_after {
            warnings.push(
                "the imported certificate has ended, clients refuse it: import its successor, or \
                           `msr-lite cert revert`"
                    .into(),
            );
        } else if self.imported && (days < 30 || self.leaf_facts.is_due(now)) {
            warnings.push(format!("the imported certificate ends in {days} days: import its successor"));
        }
        if self.imported && !self.coverage.covers(&self.fqdn.to_string()) {
            warnings.push(format!("the imported certificate does not cover the registry's name {}", self.fqdn));
        }
        if !self.imported && self.ca_facts.is_due(now) {
            warnings.push(format!(
                "the authority ends in {} days: `msr-lite ca renew`, then let every client trust the new ca.crt",
                self.ca_facts.days_left(now)
            ));
        }
        if now < self.ca_facts.not_before {
            warnings.push(format!(
                "the clock ({now}) stands before the authority's beginning ({}): set the clock",
                self.ca_facts.not_before
            ));
        }
        if self.fqdn == SubjectName::Dns("localhost".into()) {
            warnings.push("this machine has no name but localhost: set the registry's name with --fqdn".into());
        }
        warnings
    }
}

/// What the data directory shows to everybody: usable without keys, beside a running server.
#[derive(Clone, Debug)]
pub struct Published {
    /// The root that clients must trust, in PEM ([`Pki::ca_pem`]).
    pub ca_pem: String,
    /// Facts about it.
    pub ca: CertificateFacts,
    /// Facts about the server's certificate.
    pub leaf: CertificateFacts,
}

impl Published {
    /// Reads the certificates of `<data>/pki`; changes nothing.
    ///
    /// # Errors
    /// [`PkiError`] naming the file that is missing or unreadable.
    pub fn read(data: &Path) -> Result<Self, PkiError> {
        let read = |name: &str| {
            let path = data.join("pki").join(name);
            std::fs::read_to_string(&path).map_err(|error| store::file_error(&path, &error))
        };
        let root = if data.join("pki").join(IMPORTED).exists() { IMPORTED } else { CA_CERTIFICATE };
        let root = facts::certificates(&read(root)?, root)?.swap_remove(0);
        let leaf = facts::certificates(&read(CERTIFICATE)?, CERTIFICATE)?.swap_remove(0);
        let ca = CertificateFacts::of(&root)?;
        Ok(Self { ca_pem: certificate_pem(&root), ca, leaf: CertificateFacts::of(&leaf)? })
    }

    /// Whether the server's certificate covers this host (a name or an address, without port).
    pub fn covers(&self, host: &str) -> bool {
        covers(&self.leaf.names, host)
    }
}

/// Whether a certificate with these names is accepted by clients that dial `host` (a name or an address, no port).
pub fn covers(names: &[SubjectName], host: &str) -> bool {
    Coverage::of(names).covers(host)
}

fn full_name(settings: &NameSettings, machine: &Machine) -> Result<SubjectName, PkiError> {
    match &settings.fqdn {
        Some(name) => match name.parse()? {
            SubjectName::Dns(name) if name.starts_with("*.") => {
                Err(PkiError::Unusable(format!("{name} cannot be the registry's name: add it as a further name")))
            }
            name => Ok(name),
        },
        None => Ok(SubjectName::Dns(names::guess_fqdn(&machine.root).unwrap_or_else(|| "localhost".into()))),
    }
}

fn open_authority(store: &Store, fqdn: &SubjectName, now: Timestamp) -> Result<CertificateAuthority, PkiError> {
    let certificate = store.read(CA_CERTIFICATE, Access::Public)?;
    let key = store.read(CA_KEY, Access::Owner)?;
    match (certificate, key) {
        (Some(certificate), Some(key)) => CertificateAuthority::load(&certificate, &key),
        (Some(_), None) => Err(PkiError::Unusable(format!(
            "{} is missing while {} is there: restore the key from a backup; or remove the certificate too, and a new \
             authority is made, which every client must trust anew",
            store.path(CA_KEY).display(),
            store.path(CA_CERTIFICATE).display()
        ))),
        // A crash between the two writes below, or a certificate removed by mistake: what the key signs is trusted.
        (None, Some(key)) => {
            let key = KeyPair::from_pem(&key).map_err(|e| ca::cannot("read ca.key", &e))?;
            let authority = CertificateAuthority::of_key(key, &fqdn.to_string(), now)?;
            store.write(CA_CERTIFICATE, &authority.pem, Access::Public)?;
            Ok(authority)
        }
        (None, None) => {
            let authority = CertificateAuthority::create(&fqdn.to_string(), now)?;
            store.write(CA_KEY, &authority.key_pem(), Access::Owner)?;
            store.write(CA_CERTIFICATE, &authority.pem, Access::Public)?;
            Ok(authority)
        }
    }
}

fn stored_certificate(store: &Store) -> Result<(String, CertifiedKey), PkiError> {
    let missing = |name| PkiError::Unusable(format!("{} is missing", store.path(name).display()));
    let chain = store.read(CERTIFICATE, Access::Public)?.ok_or_else(|| missing(CERTIFICATE))?;
    let key = store.read(KEY, Access::Owner)?.ok_or_else(|| missing(KEY))?;
    let certified = resolver::certified_key(&chain, &key).map_err(|error| {
        PkiError::Unusable(format!("{} and {}: {error}", store.path(CERTIFICATE).display(), store.path(KEY).display()))
    })?;
    Ok((chain, certified))
}

/// Takes up our own stored certificate if it still does, or issues one.
fn open_own(
    store: &Store,
    settings: &NameSettings,
    machine: &Machine,
    clock: &Clock,
    authority: Arc<CertificateAuthority>,
    fqdn: SubjectName,
) -> Result<(CertifiedKey, State), PkiError> {
    let now = clock.now();
    // Whatever is wrong with a certificate of our own, a new one mends it.
    let stored = stored_certificate(store).ok().and_then(|(chain, certified)| {
        let localhost = SubjectName::Dns("localhost".into());
        import::verify(certified.cert.first()?, &[], &authority.der, &localhost, now).ok()?;
        Some((State::own(Arc::clone(&authority), fqdn.clone(), &chain).ok()?, certified))
    });
    let addresses = (machine.addresses)().unwrap_or_else(|error| {
        tracing::warn!(%error, "the certificate keeps the addresses that it has");
        let known = stored.iter().flat_map(|(state, _)| &state.leaf_facts.names);
        known.filter_map(|name| if let SubjectName::Ip(ip) = name { Some(*ip) } else { None }).collect()
    });
    let names = names::wanted(&fqdn, addresses, settings.extra.iter().cloned().chain(read_added(store)?));
    match stored {
        Some((state, certified)) if !state.due(now) && names == state.leaf_facts.names.iter().cloned().collect() => {
            Ok((certified, state))
        }
        _ => issue_own(store, authority, fqdn, &names, now),
    }
}

/// Issues and stores. The key goes first: a crash in between leaves a pair that does not match, and the next start
/// issues anew.
fn issue_own(
    store: &Store,
    authority: Arc<CertificateAuthority>,
    fqdn: SubjectName,
    names: &BTreeSet<SubjectName>,
    now: Timestamp,
) -> Result<(CertifiedKey, State), PkiError> {
    let issued = leaf::issue(&authority, &fqdn, names, now)?;
    let certified = resolver::certified_key(&issued.chain, issued.key.reveal())?;
    let state = State::own(authority, fqdn, &issued.chain)?;
    let key = (KEY, issued.key.reveal().as_str(), Access::Owner);
    store.write_all(&[key, (CERTIFICATE, &issued.chain, Access::Public)], || Ok(()))?;
    Ok((certified, state))
}

fn read_added(store: &Store) -> Result<BTreeSet<SubjectName>, PkiError> {
    let Some(text) = store.read(NAMES, Access::Public)? else { return Ok(BTreeSet::new()) };
    let unusable = |error: String| {
        PkiError::Unusable(format!("{}: {error}; mend or remove this file", store.path(NAMES).display()))
    };
    let added: AddedNames = serde_json::from_str(&text).map_err(|e| unusable(e.to_string()))?;
    added.names.iter().map(|name| name.parse().map_err(|e: PkiError| unusable(e.to_string()))).collect()
}
