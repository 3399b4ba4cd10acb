use std::time::Duration;

use super::{Alert, Handshakes, KEPT, QUIET, Refused, advice};
use crate::base::{Clock, Timestamp};
use crate::meta::{Engine, Mode, refusal};
use crate::pki::{NameSettings, Pki};

fn pki() -> Pki {
    let data = tempfile::tempdir().unwrap();
    let names = NameSettings { fqdn: Some("registry.lab".to_owned()), ..NameSettings::default() };
    Pki::open(data.path(), names, Clock::system()).unwrap()
}

fn refused(peer: u8, asked: Option<&str>, alert: Alert) -> Refused {
    let peer = [192, 0, 2, peer].into();
    Refused { peer, dialled: "198.51.100.5:8443".parse().unwrap(), asked: asked.map(str::to_owned), alert }
}

#[test]
fn the_line_says_who_why_and_what_to_type() {
    let pki = pki();
    let line = advice(&pki, &refused(7, Some("registry.lab"), Alert::UnknownCa));
    assert!(
        line.starts_with("192.0.2.7 refused our certificate (unknown_ca): it does not know the authority"),
        "{line}"
    );
    assert!(
        line.contains("It asked for registry.lab.") && line.contains("http://registry.lab:8443/trust.sh"),
        "{line}"
    );
    assert!(line.contains("/etc/docker/certs.d/registry.lab:8443/ca.crt") && !line.contains("cert add"), "{line}");
    assert!(line.contains("sha256sum -c"), "{line}");

    let line = advice(&pki, &refused(7, None, Alert::BadCertificate));
    assert!(
        line.contains("It asked for no name: it dialled an address, 198.51.100.5 or one that is translated"),
        "{line}"
    );
    assert!(line.contains("run here first: msr-lite cert add 198.51.100.5."), "{line}");

    let line = advice(&pki, &refused(7, Some("other.lab"), Alert::BadCertificate));
    assert!(line.contains("msr-lite cert add other.lab."), "{line}");

    let line = advice(&pki, &refused(7, Some("registry.lab"), Alert::CertificateExpired));
    assert!(line.contains("compare its clock") && !line.contains("curl"), "{line}");

    // Whatever gets in as a name, it does not get into a command.
    let line = advice(&pki, &refused(7, Some("x$(id)"), Alert::UnknownCa));
    assert!(!line.contains("http://x$") && !line.contains("add x$"), "{line}");
    assert!(!line.contains('\n'));
}

#[test]
fn a_client_is_told_once_in_ten_minutes_and_counted_always() {
    let clock = Clock::manual(Timestamp(1_000_000));
    let handshakes = Handshakes::new(pki(), clock.clone());
    let told =
        |peer| handshakes.0.book.lock().note(&refused(peer, Some("registry.lab"), Alert::UnknownCa), clock.now());
    assert!(told(1) && !told(1) && told(2));
    clock.advance(QUIET.checked_sub(Duration::from_millis(1)).unwrap());
    assert!(!told(1));
    clock.advance(Duration::from_millis(1));
    assert!(told(1));
    let seen = handshakes.refusals();
    assert_eq!((seen.len(), seen[0].count), (2, 4));
    assert_eq!((seen[0].first, seen[0].last), (Timestamp(1_000_000), clock.now()));
}

#[tokio::test]
async fn the_newest_are_remembered_and_the_table_stays_bounded() {
    let meta = Engine::in_memory(Mode::Strict);
    let clock = Clock::manual(Timestamp(1_000_000));
    let handshakes = Handshakes::new(pki(), clock.clone());
    for round in 0..3 {
        for i in 0..KEPT {
            clock.advance(Duration::from_millis(1));
            let name = format!("n{round}-{i}.lab");
            handshakes.refused(&refused(1, Some(&name), Alert::UnknownCa));
        }
        handshakes.flush(&meta).await.unwrap();
        let stored = meta.read(|tx| refusal::list(tx, usize::MAX)).unwrap();
        assert_eq!(stored.len(), KEPT);
        assert_eq!(stored, handshakes.refusals());
    }
    // Another run takes it up.
    let later = Handshakes::new(pki(), clock.clone());
    later.load(&meta).unwrap();
    assert_eq!(later.refusals(), handshakes.refusals());
    clock.advance(Duration::from_millis(1));
    later.refused(&refused(1, Some("n2-0.lab"), Alert::UnknownCa));
    assert_eq!(later.refusals()[0].count, 2);
    // What is no word about the certificate is counted, not remembered.
    later.refused(&refused(9, None, Alert::Other(40)));
    assert_eq!(later.refusals().len(), KEPT);
}
