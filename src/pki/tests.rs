use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use x509_parser::extensions::ParsedExtension;

use super::*;

const DAY: Duration = Duration::from_hours(24);
/// 2027-01-01.
const START: Timestamp = Timestamp(1_798_761_600_000);

/// A machine whose addresses a test changes.
#[derive(Clone, Default)]
struct Addresses(Arc<Mutex<Option<BTreeSet<IpAddr>>>>);

impl Addresses {
    fn set(&self, addresses: &[&str]) {
        *self.0.lock() = Some(addresses.iter().map(|a| a.parse().unwrap()).collect());
    }
}

struct Lab {
    data: TempDir,
    root: TempDir,
    clock: Clock,
    addresses: Addresses,
}

impl Lab {
    fn new() -> Self {
        let lab = Self {
            data: tempfile::tempdir().unwrap(),
            root: tempfile::tempdir().unwrap(),
            clock: Clock::manual(START),
            addresses: Addresses::default(),
        };
        lab.addresses.set(&["192.0.2.7", "2001:db8::7"]);
        lab
    }

    fn try_open(&self) -> Result<Pki, PkiError> {
        let settings = NameSettings { fqdn: Some("registry.lab".into()), ..NameSettings::default() };
        self.open_with(settings)
    }

    fn open_with(&self, settings: NameSettings) -> Result<Pki, PkiError> {
        let addresses = self.addresses.clone();
        let read = move || addresses.0.lock().clone().ok_or_else(|| PkiError::Unusable("no netlink".into()));
        let machine = Machine { root: self.root.path().into(), addresses: Box::new(read) };
        Pki::open_on(machine, self.data.path(), settings, self.clock.clone())
    }

    fn open(&self) -> Pki {
        self.try_open().unwrap()
    }

    fn file(&self, name: &str) -> PathBuf {
        self.data.path().join("pki").join(name)
    }

    fn text(&self, name: &str) -> String {
        fs::read_to_string(self.file(name)).unwrap()
    }
}

fn critical(certificate: &x509_parser::certificate::X509Certificate<'_>, oid: &str) -> Option<bool> {
    certificate.extensions().iter().find(|e| e.oid.to_id_string() == oid).map(|e| e.critical)
}

#[test]
fn certificates_have_the_fields_that_clients_ask_for() {
    let lab = Lab::new();
    let pki = lab.open();
    let chain = certificates(&lab.text("server.crt"), "").unwrap();
    assert_eq!(chain.len(), 2, "the leaf is served with the authority behind it");
    let ca_der = certificates(&pki.ca_pem(), "").unwrap().remove(0);
    assert_eq!(chain[1], ca_der);
    let (ca, leaf) = (facts::parse(&ca_der).unwrap(), facts::parse(&chain[0]).unwrap());

    let short = &sha256_hex(ca.public_key().raw)[..8];
    assert_eq!(ca.subject().to_string(), format!("CN=msr-lite CA registry.lab {short}, O=msr-lite"));
    let constraints = ca.basic_constraints().unwrap().unwrap();
    assert!(constraints.critical && constraints.value.ca && constraints.value.path_len_constraint == Some(0));
    let usage = ca.key_usage().unwrap().unwrap();
    assert!(usage.critical && usage.value.key_cert_sign() && usage.value.crl_sign() && usage.value.flags == 0b110_0000);
    assert!(ca.extended_key_usage().unwrap().is_none());
    assert_eq!(ca.validity().not_before.timestamp().cast_unsigned(), START.minus(DAY).seconds());
    assert_eq!(ca.validity().not_after.timestamp().cast_unsigned(), START.plus(DAY * 3652).seconds());

    assert_eq!(leaf.subject().to_string(), "CN=registry.lab");
    assert_eq!(leaf.issuer().as_raw(), ca.subject().as_raw());
    let usage = leaf.key_usage().unwrap().unwrap();
    assert!(usage.critical && usage.value.digital_signature() && usage.value.flags == 1);
    let extended = leaf.extended_key_usage().unwrap().unwrap().value;
    assert!(extended.server_auth && !extended.client_auth && !extended.any);
    assert!(!leaf.is_ca());
    assert_eq!(critical(&leaf, "2.5.29.17"), Some(false));
    assert_eq!(leaf.validity().not_before.timestamp().cast_unsigned(), START.minus(DAY).seconds());
    assert_eq!(leaf.validity().not_after.timestamp().cast_unsigned(), START.plus(DAY * 397).seconds());
    let key_id = |c: &x509_parser::certificate::X509Certificate<'_>| {
        c.extensions().iter().find_map(|e| match e.parsed_extension() {
            ParsedExtension::SubjectKeyIdentifier(id) => Some(id.0.to_vec()),
            _ => None,
        })
    };
    let authority_id = leaf.extensions().iter().find_map(|e| match e.parsed_extension() {
        ParsedExtension::AuthorityKeyIdentifier(id) => id.key_identifier.as_ref().map(|id| id.0.to_vec()),
        _ => None,
    });
    assert!(key_id(&ca).is_some() && key_id(&leaf).is_some());
    assert_eq!(authority_id, key_id(&ca));
    assert_ne!(key_id(&leaf), key_id(&ca));

    for certificate in [&ca, &leaf] {
        assert_eq!(certificate.signature_algorithm.algorithm.to_id_string(), "1.2.840.10045.4.3.2", "ECDSA, SHA-256");
        let curve = certificate.public_key().algorithm.parameters.as_ref().unwrap().as_oid().unwrap();
        assert_eq!(curve.to_id_string(), "1.2.840.10045.3.1.7", "P-256");
        assert!((8..=17).contains(&certificate.raw_serial().len()), "random serial of 128 bits");
    }
    let names: BTreeSet<String> = pki.leaf_facts().names.iter().map(SubjectName::to_string).collect();
    let wanted = ["registry.lab", "registry", "localhost", "127.0.0.1", "::1", "192.0.2.7", "2001:db8::7"];
    assert_eq!(names, wanted.iter().map(ToString::to_string).collect());
    assert!(pki.covers("REGISTRY.lab") && pki.covers("[2001:db8::7]") && !pki.covers("192.0.2.8"));
    assert!(pki.warnings().is_empty(), "{:?}", pki.warnings());
}

#[test]
fn a_long_name_stands_in_the_alternative_names_only() {
    let lab = Lab::new();
    let long = format!("{}.{}.lab", "a".repeat(60), "b".repeat(20));
    let pki = lab.open_with(NameSettings { fqdn: Some(long.clone()), ..NameSettings::default() }).unwrap();
    let der = certificates(&lab.text("server.crt"), "").unwrap().remove(0);
    let leaf = facts::parse(&der).unwrap();
    assert_eq!(leaf.subject().iter().count(), 0);
    assert_eq!(critical(&leaf, "2.5.29.17"), Some(true));
    assert!(pki.covers(&long));
    let ca = pki.ca_facts().subject;
    assert!(ca.len() <= "CN=, O=msr-lite".len() + 64, "{ca}");
}

/// The judgement of another implementation, where there is one.
#[test]
fn openssl_verifies_strictly() {
    let lab = Lab::new();
    let pki = lab.open();
    let ca = lab.file("root.pem");
    fs::write(&ca, pki.ca_pem().as_bytes()).unwrap();
    let verify = |what: &str, value: &str| {
        Command::new("openssl")
            .args([
                "verify",
                "-x509_strict",
                "-attime",
                &START.seconds().to_string(),
                what,
                value,
                "-purpose",
                "sslserver",
            ])
            .arg("-CAfile")
            .args([&ca, &lab.file("server.crt")])
            .output()
    };
    let Ok(good) = verify("-verify_hostname", "registry.lab") else {
        eprintln!("skipped: no openssl");
        return;
    };
    assert!(good.status.success(), "{}", String::from_utf8_lossy(&good.stderr));
    assert!(verify("-verify_ip", "192.0.2.7").unwrap().status.success());
    assert!(!verify("-verify_ip", "192.0.2.8").unwrap().status.success());
    assert!(!verify("-verify_hostname", "other.lab").unwrap().status.success());
}

#[test]
fn keys_are_for_the_owner_only() {
    let lab = Lab::new();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let pki = lab.open();
    pki.csr().unwrap();
    for key in ["ca.key", "server.key", "pending.key"] {
        assert_eq!(mode(&lab.file(key)), 0o600, "{key}");
    }
    assert_eq!(mode(&lab.data.path().join("pki")), 0o700);
    fs::set_permissions(lab.file("ca.key"), fs::Permissions::from_mode(0o644)).unwrap();
    lab.open();
    assert_eq!(mode(&lab.file("ca.key")), 0o600, "closed again at the next start");
    assert!(
        fs::read_dir(lab.data.path().join("pki")).unwrap().all(|e| !e
            .unwrap()
            .file_name()
            .to_string_lossy()
            .ends_with(".tmp"))
    );
}

#[test]
fn a_restart_changes_nothing_and_repairs_what_a_crash_left() {
    let lab = Lab::new();
    let first = lab.open();
    let again = lab.open();
    assert_eq!(first.leaf_facts().serial, again.leaf_facts().serial);
    assert_eq!(first.ca_pem(), again.ca_pem());

    fs::remove_file(lab.file("server.key")).unwrap();
    let repaired = lab.open();
    assert_ne!(repaired.leaf_facts().serial, first.leaf_facts().serial);
    assert_eq!(repaired.ca_pem(), first.ca_pem());

    fs::remove_file(lab.file("ca.crt")).unwrap();
    let remade = lab.open();
    assert_eq!(remade.ca_facts().subject, first.ca_facts().subject, "same key, same name: clients go on");

    fs::remove_file(lab.file("ca.key")).unwrap();
    let error = lab.try_open().unwrap_err().to_string();
    assert!(error.contains("ca.key is missing") && error.contains("backup") && error.contains("trust anew"), "{error}");

    let other = Lab::new();
    other.open();
    fs::copy(other.file("ca.key"), lab.file("ca.key")).unwrap();
    assert!(lab.try_open().unwrap_err().to_string().contains("does not belong"));
}

#[test]
fn a_stopped_clock_does_not_make_certificates_that_are_over() {
    let lab = Lab { clock: Clock::manual(Timestamp(0)), ..Lab::new() };
    let pki = lab.open();
    assert!(pki.ca_facts().not_before.0 > 1_790_000_000_000);
    assert!(pki.warnings().iter().any(|w| w.contains("set the clock")));
    assert_eq!(pki.refresh().unwrap(), None, "no new certificate each minute");
}

#[test]
fn a_certificate_from_a_clock_that_was_ahead_is_replaced() {
    let lab = Lab::new();
    lab.open();
    lab.clock.jump(START.plus(DAY * 300));
    let pki = lab.open();
    assert_eq!(pki.refresh().unwrap(), None);
    lab.clock.jump(START.plus(DAY));
    assert_eq!(pki.refresh().unwrap(), Some(Reissue::Age));
    assert_eq!(pki.leaf_facts().not_before, START);
}

#[test]
fn refresh_follows_addresses_and_age() {
    let lab = Lab::new();
    let pki = lab.open();
    assert_eq!(pki.refresh().unwrap(), None);

    lab.addresses.set(&["192.0.2.9"]);
    assert_eq!(pki.refresh().unwrap(), Some(Reissue::Names));
    assert!(pki.covers("192.0.2.9") && !pki.covers("192.0.2.7"));
    *lab.addresses.0.lock() = None;
    assert!(pki.refresh().is_err(), "addresses that cannot be listed are not gone");
    assert!(pki.covers("192.0.2.9") && lab.open().covers("192.0.2.9"));
    lab.addresses.set(&["192.0.2.9"]);

    let serial = pki.leaf_facts().serial;
    lab.clock.advance(DAY * 260);
    assert_eq!(pki.refresh().unwrap(), None);
    lab.clock.advance(DAY * 10);
    assert_eq!(pki.refresh().unwrap(), Some(Reissue::Age));
    assert_ne!(pki.leaf_facts().serial, serial);
    assert_eq!(pki.refresh().unwrap(), None);

    lab.clock.advance(DAY * 3300);
    assert_eq!(pki.refresh().unwrap(), Some(Reissue::Age));
    assert_eq!(pki.leaf_facts().not_after, pki.ca_facts().not_after, "not beyond the authority's end");
    lab.clock.advance(DAY * 60);
    assert_eq!(pki.refresh().unwrap(), None, "a new one would end at the same time");
    assert!(pki.warnings().iter().any(|w| w.contains("ca renew")));
    let old = certificates(&pki.ca_pem(), "").unwrap().remove(0);
    pki.renew_authority().unwrap();
    assert!(pki.warnings().is_empty());
    assert!(pki.leaf_facts().days_left(lab.clock.now()) >= 396);
    let leaf = certificates(&lab.text("server.crt"), "").unwrap().remove(0);
    let name = SubjectName::Dns("registry.lab".into());
    import::verify(&leaf, &[], &old, &name, lab.clock.now()).expect("who trusts the old root still verifies");
    assert_eq!(lab.open().ca_pem(), pki.ca_pem());
}

#[test]
fn names_that_were_added_stay() {
    let lab = Lab::new();
    let pki = lab.open();
    pki.add_name("Registry.Corp.lab").unwrap();
    pki.add_name("203.0.113.5").unwrap();
    assert!(pki.covers("registry.corp.lab") && pki.covers("203.0.113.5"));
    let serial = pki.leaf_facts().serial;
    pki.add_name("203.0.113.5").unwrap();
    assert_eq!(pki.leaf_facts().serial, serial, "nothing new, nothing issued");
    assert!(pki.add_name("a b").is_err());
    let again = lab.open();
    assert!(again.covers("203.0.113.5"));
    assert_eq!(again.leaf_facts().serial, serial);
    let published = Published::read(lab.data.path()).unwrap();
    assert!(published.covers("203.0.113.5"));
    assert_eq!(published.ca_pem, *pki.ca_pem());
    assert_eq!(sha256_hex(&fs::read(lab.file("ca.crt")).unwrap()), pki.ca_pem_sha256());
}

#[test]
fn concurrent_changes_lose_nothing() {
    let lab = Lab::new();
    let pki = lab.open();
    std::thread::scope(|scope| {
        for n in 0..8 {
            let pki = &pki;
            scope.spawn(move || pki.add_name(&format!("name{n}.lab")).unwrap());
        }
    });
    assert!((0..8).all(|n| pki.covers(&format!("name{n}.lab"))));
    assert_eq!(lab.open().leaf_facts().serial, pki.leaf_facts().serial);
}

// TLS over real sockets.

async fn serve(pki: &Pki) -> std::net::SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(pki.server_config());
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(mut tls) = acceptor.accept(socket).await else { return };
                let mut byte = [0];
                while tls.read_exact(&mut byte).await.is_ok() {
                    tls.write_all(&byte).await.unwrap();
                    tls.flush().await.unwrap();
                }
            });
        }
    });
    address
}

type Session = tokio_rustls::client::TlsStream<TcpStream>;

async fn dial(address: std::net::SocketAddr, ca: &str, name: &str) -> std::io::Result<Session> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(certificates(ca, "").unwrap().remove(0)).unwrap();
    let mut config = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec()];
    config.time_provider = Arc::new(At(START));
    let socket = TcpStream::connect(address).await.unwrap();
    let name = ServerName::try_from(name.to_owned()).unwrap();
    tokio_rustls::TlsConnector::from(Arc::new(config)).connect(name, socket).await
}

#[derive(Debug)]
struct At(Timestamp);

impl rustls::time_provider::TimeProvider for At {
    fn current_time(&self) -> Option<rustls::pki_types::UnixTime> {
        Some(rustls::pki_types::UnixTime::since_unix_epoch(Duration::from_secs(self.0.seconds())))
    }
}

async fn echo(session: &mut Session) {
    session.write_all(b"x").await.unwrap();
    session.flush().await.unwrap();
    let mut byte = [0];
    session.read_exact(&mut byte).await.unwrap();
    assert_eq!(&byte, b"x");
}

fn serial_of(session: &Session) -> String {
    CertificateFacts::of(&session.get_ref().1.peer_certificates().unwrap()[0]).unwrap().serial
}

#[tokio::test]
async fn clients_that_trust_our_authority_alone_get_in_by_name_and_by_address() {
    let lab = Lab::new();
    let pki = lab.open();
    let address = serve(&pki).await;
    for name in ["registry.lab", "registry", "localhost", "127.0.0.1", "192.0.2.7", "2001:db8::7"] {
        let mut session = dial(address, &pki.ca_pem(), name).await.unwrap();
        assert_eq!(session.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
        let suite = session.get_ref().1.negotiated_cipher_suite().map(|suite| suite.suite());
        assert_eq!(suite, Some(rustls::CipherSuite::TLS13_AES_128_GCM_SHA256), "ours before the client's");
        echo(&mut session).await;
    }
    assert!(dial(address, &pki.ca_pem(), "other.lab").await.is_err());
    let stranger = Lab::new().open();
    let error = dial(address, &stranger.ca_pem(), "registry.lab").await.unwrap_err();
    assert!(error.to_string().contains("UnknownIssuer"), "{error}");
}

#[tokio::test]
async fn a_new_certificate_is_served_at_once_and_old_connections_go_on() {
    let lab = Lab::new();
    let pki = lab.open();
    let address = serve(&pki).await;
    let mut old = dial(address, &pki.ca_pem(), "registry.lab").await.unwrap();
    assert!(dial(address, &pki.ca_pem(), "new.lab").await.is_err());
    pki.add_name("new.lab").unwrap();
    let new = dial(address, &pki.ca_pem(), "new.lab").await.unwrap();
    assert_ne!(serial_of(&old), serial_of(&new));
    assert_eq!(serial_of(&new), pki.leaf_facts().serial);
    echo(&mut old).await;
}

// Certificates that an administrator brings.

/// An authority of somebody else, made with the fields that each test asks for.
struct Outside {
    key: KeyPair,
    params: rcgen::CertificateParams,
    pem: String,
}

impl Outside {
    fn root() -> Self {
        let key = ca::new_key().unwrap();
        let params = Self::params("outside root", true, START.minus(DAY), START.plus(DAY * 4000));
        let pem = certificate_pem(params.self_signed(&key).unwrap().der());
        Self { key, params, pem }
    }

    fn params(name: &str, ca: bool, from: Timestamp, to: Timestamp) -> rcgen::CertificateParams {
        let mut params = rcgen::CertificateParams::default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        params.not_before = ca::date(from);
        params.not_after = ca::date(to);
        params.use_authority_key_identifier_extension = !ca;
        if ca {
            params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        }
        params
    }

    fn leaf_params() -> rcgen::CertificateParams {
        let mut params = Self::params("registry.lab", false, START.minus(DAY), START.plus(DAY * 90));
        params.subject_alt_names = vec![rcgen::SanType::DnsName("registry.lab".try_into().unwrap())];
        params
    }

    fn sign(&self, params: &rcgen::CertificateParams, key: &KeyPair) -> String {
        let issuer = rcgen::Issuer::from_params(&self.params, &self.key);
        certificate_pem(params.signed_by(key, &issuer).unwrap().der())
    }
}

#[test]
fn an_imported_certificate_is_used_kept_and_given_up() {
    let lab = Lab::new();
    let pki = lab.open();
    let own = pki.ca_pem();
    let root = Outside::root();
    let key = ca::new_key().unwrap();
    let leaf = root.sign(&Outside::leaf_params(), &key);
    let warnings = pki.import(&leaf, Some(&key.serialize_pem()), Some(&root.pem)).unwrap();
    assert!(warnings.is_empty(), "{warnings:?}");
    assert!(pki.is_imported() && pki.covers("registry.lab") && !pki.covers("localhost"));
    assert_eq!(*pki.ca_pem(), *root.pem);
    assert_eq!(pki.ca_facts().subject, "CN=outside root");

    lab.addresses.set(&["192.0.2.99"]);
    lab.clock.advance(DAY * 80);
    assert_eq!(pki.refresh().unwrap(), None, "not ours to issue");
    assert!(pki.warnings().iter().any(|w| w.contains("ends in 10 days")), "{:?}", pki.warnings());
    assert!(pki.add_name("x.lab").is_err() && pki.renew().is_err() && pki.renew_authority().is_err());
    let again = lab.open();
    assert!(again.is_imported());
    assert_eq!(*again.ca_pem(), *root.pem);

    pki.revert().unwrap();
    assert_eq!(pki.ca_pem(), own);
    assert!(!pki.is_imported() && pki.covers("192.0.2.99") && !lab.open().is_imported());
    let serial = pki.leaf_facts().serial;
    pki.renew().unwrap();
    assert_ne!(pki.leaf_facts().serial, serial);
}

#[test]
fn a_crash_in_the_middle_of_an_import_leaves_a_certificate_of_our_own() {
    let lab = Lab::new();
    let pki = lab.open();
    fs::write(lab.file("server.key"), ca::new_key().unwrap().serialize_pem()).unwrap();
    let again = lab.open();
    assert_eq!(again.ca_pem(), pki.ca_pem());
    assert!(!again.is_imported() && again.covers("registry.lab"));
}

#[test]
fn a_request_comes_back_without_its_key() {
    let lab = Lab::new();
    let pki = lab.open();
    let root = Outside::root();
    let request = pki.csr().unwrap();
    assert!(request.starts_with("-----BEGIN CERTIFICATE REQUEST-----"));
    let parsed = rcgen::CertificateSigningRequestParams::from_pem(&request).unwrap();
    assert!(parsed.params.subject_alt_names.contains(&rcgen::SanType::DnsName("registry.lab".try_into().unwrap())));
    let mut params = Outside::leaf_params();
    params.subject_alt_names = parsed.params.subject_alt_names.clone();
    let issuer = rcgen::Issuer::from_params(&root.params, &root.key);
    let leaf = certificate_pem(params.signed_by(&parsed.public_key, &issuer).unwrap().der());
    assert!(pki.import(&leaf, Some(&ca::new_key().unwrap().serialize_pem()), Some(&root.pem)).is_err());
    pki.import(&leaf, None, Some(&root.pem)).unwrap();
    assert!(pki.covers("192.0.2.7") && !lab.file("pending.key").exists());
    assert!(pki.import(&leaf, None, Some(&root.pem)).unwrap_err().to_string().contains("--key"));
}

#[test]
fn a_chain_may_have_intermediates_and_must_have_them_in_order() {
    let lab = Lab::new();
    let pki = lab.open();
    let root = Outside::root();
    let middle_key = ca::new_key().unwrap();
    let params = Outside::params("outside middle", true, START.minus(DAY), START.plus(DAY * 900));
    let middle = Outside { pem: root.sign(&params, &middle_key), params, key: middle_key };
    let key = ca::new_key().unwrap();
    let leaf = middle.sign(&Outside::leaf_params(), &key);
    let key = key.serialize_pem();
    let import = |chain: &str, ca: Option<&str>| pki.import(chain, Some(&key), ca).map_err(|e| e.to_string());
    assert!(import(&leaf, Some(&root.pem)).unwrap_err().contains("intermediate"));
    assert!(import(&format!("{}{leaf}", middle.pem), Some(&root.pem)).unwrap_err().contains("first in its file"));
    assert!(import(&format!("{leaf}{}{}", root.pem, middle.pem), None).unwrap_err().contains("not in order"));
    assert!(import(&format!("{leaf}{}", middle.pem), None).unwrap_err().contains("--ca"));
    assert!(import(&leaf, Some(&format!("{}{}", root.pem, middle.pem))).unwrap_err().contains("one certificate"));
    assert!(!pki.is_imported());
    import(&format!("{leaf}{}{}", middle.pem, root.pem), None).unwrap();
    assert_eq!(certificates(&lab.text("server.crt"), "").unwrap().len(), 2, "the root is not sent");
    assert_eq!(*pki.ca_pem(), *root.pem);
}

#[test]
fn what_clients_would_refuse_is_refused_in_words() {
    use rcgen::{ExtendedKeyUsagePurpose, KeyUsagePurpose, SanType};
    let lab = Lab::new();
    let pki = lab.open();
    let before = pki.leaf_facts().serial;
    let root = Outside::root();
    let key = ca::new_key().unwrap();
    let refused = |change: &dyn Fn(&mut rcgen::CertificateParams)| {
        let mut params = Outside::leaf_params();
        change(&mut params);
        let leaf = root.sign(&params, &key);
        pki.import(&leaf, Some(&key.serialize_pem()), Some(&root.pem)).unwrap_err().to_string()
    };
    let name_only = refused(&|p| p.subject_alt_names.clear());
    assert!(
        name_only.contains("common name only") && name_only.contains("subjectAltName=DNS:registry.lab"),
        "{name_only}"
    );
    let address_as_name = refused(&|p| p.subject_alt_names.push(SanType::DnsName("192.0.2.7".try_into().unwrap())));
    assert!(address_as_name.contains("write IP:192.0.2.7"), "{address_as_name}");
    let other = refused(&|p| p.subject_alt_names = vec![SanType::DnsName("other.lab".try_into().unwrap())]);
    assert!(other.contains("does not cover") && other.contains("other.lab"), "{other}");
    assert!(refused(&|p| p.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth]).contains("serverAuth"));
    assert!(refused(&|p| p.key_usages = vec![KeyUsagePurpose::KeyEncipherment]).contains("digitalSignature"));
    assert!(refused(&|p| p.not_after = ca::date(START.minus(DAY / 2))).contains("ended at"));
    assert!(refused(&|p| p.not_before = ca::date(START.plus(DAY))).contains("not valid before"));
    assert!(refused(&|p| p.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained)).contains("CA:TRUE"));

    let good = root.sign(&Outside::leaf_params(), &key);
    let import = |chain: &str, key: &str, ca: &str| pki.import(chain, Some(key), Some(ca)).unwrap_err().to_string();
    assert!(import(&good, &ca::new_key().unwrap().serialize_pem(), &root.pem).contains("does not belong"));
    assert!(import(&good, &key.serialize_pem(), &Outside::root().pem).contains("does not lead"));
    assert!(import("hello", &key.serialize_pem(), &root.pem).contains("no certificate"));
    assert!(import(&good, "-----BEGIN ENCRYPTED PRIVATE KEY-----\n", &root.pem).contains("passphrase"));
    let secret = import(&good, "-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n", &root.pem);
    assert!(secret.contains("cannot be read") && !secret.contains("c2Vj"), "{secret}");
    assert_eq!(pki.leaf_facts().serial, before);
    assert_eq!(lab.open().leaf_facts().serial, before, "nothing was left behind");
}

#[test]
fn what_openssl_makes_by_default_is_refused_with_the_cure() {
    let lab = Lab { clock: Clock::system(), ..Lab::new() };
    let pki = lab.open();
    let make = |arguments: &[&str]| {
        let at = |name: &str| lab.root.path().join(name);
        let made = Command::new("openssl")
            .args(["req", "-x509", "-nodes", "-subj", "/CN=registry.lab", "-days", "30", "-keyout"])
            .args([&at("k.pem"), Path::new("-out"), &at("c.pem")])
            .args(arguments)
            .output();
        made.ok().filter(|o| o.status.success())?;
        Some((fs::read_to_string(at("c.pem")).unwrap(), fs::read_to_string(at("k.pem")).unwrap()))
    };
    let named = "subjectAltName=DNS:registry.lab";
    let Some((chain, key)) = make(&["-newkey", "rsa:2048", "-addext", named]) else {
        eprintln!("skipped: no openssl");
        return;
    };
    let error = pki.import(&chain, Some(&key), None).unwrap_err().to_string();
    assert!(error.contains("CA:TRUE") && error.contains("basicConstraints=critical,CA:FALSE"), "{error}");

    let not_ca = ["-addext", "basicConstraints=critical,CA:FALSE", "-addext", named];
    let (chain, key) = make(&[&["-newkey", "rsa:1024"][..], &not_ca].concat()).unwrap();
    let error = pki.import(&chain, Some(&key), None).unwrap_err().to_string();
    assert!(error.contains("2048"), "{error}");

    let (chain, key) = make(&[&["-newkey", "rsa:2048"][..], &not_ca].concat()).unwrap();
    let warnings = pki.import(&chain, Some(&key), None).unwrap();
    assert!(warnings.iter().any(|w| w.contains("signed itself")), "{warnings:?}");
    assert_eq!(*pki.ca_pem(), *chain);
}
