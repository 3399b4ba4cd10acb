use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;

use super::Keep;
use super::activity::{ActivityQuery, Sight, Viewer};
use super::export::{Note, Wanted};
use super::key::PublicKey;
use super::verify::{Fault, Report, Verifier};
use crate::access::refusals::Refusals;
use crate::base::{Clock, EventId, RepoId, Timestamp, Uuid};
use crate::blobs::{BlobOptions, Blobs};
use crate::meta::key::Key;
use crate::meta::{Engine, MetaError, Mode, Read, WriteTx, account, event, record, repo, tables};
use crate::model::event::chain::{Chain, Recorded};
use crate::model::event::{Happening, Outcome};
use crate::model::{Account, Caller, Event, Principal};
use crate::oci::manifest::ManifestLimits;
use crate::oci::{Algorithm, Digest, RepoName};
use crate::registry::{Actor, Registry, Settings};

const NOW: Timestamp = Timestamp(1_790_000_000_000);
const REPO: RepoId = RepoId(7);

struct Lab {
    registry: Registry,
    clock: Clock,
    _data: tempfile::TempDir,
}

impl Lab {
    fn new(mode: Mode, keep: Keep) -> Self {
        let data = tempfile::tempdir().unwrap();
        let clock = Clock::manual(NOW);
        let options = BlobOptions { session_ttl: Duration::from_hours(1), max_blob: 1 << 20 };
        let blobs = Blobs::open(data.path(), options, clock.clone(), |_| Ok(false)).unwrap();
        let settings = Settings {
            create_on_push: true,
            untagged: None,
            collect_every: Duration::from_hours(1),
            accept_incomplete: true,
            lease: Duration::from_hours(24),
            manifest: ManifestLimits { references: 100, depth: 100 },
        };
        let meta = Engine::in_memory(mode);
        let registry = Registry::new(meta.clone(), blobs, clock.clone(), settings);
        registry.set_up_audit(keep, Refusals::new(meta, clock.clone()));
        let lab = Self { registry, clock, _data: data };
        lab.tamper(|tx| {
            crate::meta::account::put_instance(tx, "instance-1");
            repo::create(tx, REPO, &repo::RepoRow::new(name("lab/app"), NOW));
        });
        lab
    }

    /// Whatever somebody with the store in hand may do to it.
    fn tamper(&self, act: impl Fn(&mut WriteTx) + Send + 'static) {
        let done = self.registry.meta().write_blocking::<_, MetaError>(move |tx| {
            act(tx);
            Ok(())
        });
        done.unwrap();
    }

    /// Writes events to a chain, a second apart.
    fn happen(&self, repo: Option<RepoId>, count: usize) {
        for _ in 0..count {
            let happened = self.event(&format!("user-{}", self.clock.now().0 % 7));
            let written =
                self.registry.meta().write_blocking(move |tx| event::append(tx, repo, std::slice::from_ref(&happened)));
            written.unwrap();
            self.clock.advance(Duration::from_secs(1));
        }
    }

    fn event(&self, who: &str) -> Event {
        let now = self.clock.now();
        let actor = Principal::User { name: who.to_owned(), admin: false };
        Event::new(EventId::at(now), now, actor, Happening::RepositoryChanged { name: name("lab/app") })
    }

    async fn lines(&self, wanted: &Wanted) -> Vec<String> {
        let (mut lines, mut mark) = (Vec::new(), None);
        loop {
            let page = self.registry.export_events(wanted, mark).await.unwrap();
            lines.extend(page.lines);
            mark = page.next;
            if mark.is_none() {
                return lines;
            }
        }
    }

    async fn verify(&self) -> Report {
        verify(&self.lines(&Wanted::default()).await)
    }

    fn id(&self, repo: Option<RepoId>, seq: u64) -> EventId {
        self.registry.meta().read(|tx| event::at(tx, Chain(repo), seq)).unwrap().unwrap()
    }

    fn value(&self, repo: Option<RepoId>, seq: u64) -> Vec<u8> {
        let id = self.id(repo, seq);
        self.registry.meta().read(|tx| event::value(tx, id)).unwrap().unwrap()
    }
}

fn name(text: &str) -> RepoName {
    RepoName::parse(text).unwrap()
}

fn verify(lines: &[impl AsRef<str>]) -> Report {
    let mut verifier = Verifier::new();
    for line in lines {
        verifier.line(line.as_ref());
    }
    verifier.finish()
}

fn place(repo: Option<RepoId>, seq: u64) -> Vec<u8> {
    Key::new().u64(Chain(repo).number()).u64(seq).as_bytes().to_vec()
}

/// What is wrong with a chain, as fault and number.
fn faults(report: &Report, repo: Option<RepoId>) -> Vec<(Fault, Option<u64>)> {
    let chain = report.chains.iter().find(|chain| chain.chain == Chain(repo)).unwrap();
    chain.problems.iter().map(|problem| (problem.fault, problem.seq)).collect()
}

#[track_caller]
fn only(report: &Report, fault: Fault, seq: u64) {
    assert_eq!(faults(report, Some(REPO)), [(fault, Some(seq))], "{report:#?}");
    assert!(report.problems.is_empty(), "{report:#?}");
    assert!(!report.is_whole());
    assert_eq!(report.whole_chains(), 1, "the other chain is not concerned");
}

async fn lab() -> Lab {
    tokio::task::spawn_blocking(|| {
        let lab = Lab::new(Mode::Strict, Keep::default());
        lab.happen(Some(REPO), 10);
        lab.happen(None, 3);
        lab
    })
    .await
    .unwrap()
}

/// Runs `act` where it may wait for the store.
async fn blocking<T: Send + 'static>(lab: &std::sync::Arc<Lab>, act: impl FnOnce(&Lab) -> T + Send + 'static) -> T {
    let lab = lab.clone();
    tokio::task::spawn_blocking(move || act(&lab)).await.unwrap()
}

#[tokio::test]
async fn what_is_written_verifies_and_each_line_is_hashed_in_the_next() {
    let lab = lab().await;
    let lines = lab.lines(&Wanted::default()).await;
    let report = verify(&lines);
    assert!(report.is_whole(), "{report:#?}");
    assert_eq!((report.chains.len(), report.events(), report.registry.as_str()), (2, 13, "instance-1"));
    let events: Vec<&String> = lines.iter().filter(|line| line.starts_with("{\"chain\"")).collect();
    for pair in events[3..].windows(2) {
        let hash = Digest::of(Algorithm::Sha256, pair[0].as_bytes());
        let next: serde_json::Value = serde_json::from_str(pair[1]).unwrap();
        assert_eq!(next["previous"], hash.to_string());
    }
}

/// Every byte of an event, changed in whatever way, is found, and found there.
#[tokio::test]
async fn a_changed_byte_is_found_where_it_is() {
    let lab = std::sync::Arc::new(lab().await);
    for seq in [1, 2, 5, 9, 10] {
        let (id, value) = (lab.id(Some(REPO), seq), lab.value(Some(REPO), seq));
        for at in (0..value.len()).step_by(7) {
            let mut changed = value.clone();
            changed[at] ^= 1;
            let text = changed.clone();
            blocking(&lab, move |lab| lab.tamper(move |tx| tx.put(tables::EVENT, &id.0, text.clone()))).await;
            let report = lab.verify().await;
            if at == 0 {
                // The format byte: the text is as it was, and the row reads no more.
                assert!(!report.is_whole(), "{report:#?}");
                continue;
            }
            let found = faults(&report, Some(REPO));
            let text = String::from_utf8_lossy(&changed);
            assert!(!found.is_empty(), "event {seq}, byte {at}: {text}");
            let (fault, named) = found[0];
            // A changed number or chain is an event at a place not its own.
            assert!(matches!(fault, Fault::Changed | Fault::Moved | Fault::Missing), "{report:#?}");
            if fault == Fault::Changed {
                assert_eq!(named, Some(seq), "byte {at} of {text}: {report:#?}");
            }
        }
        let value = value.clone();
        blocking(&lab, move |lab| lab.tamper(move |tx| tx.put(tables::EVENT, &id.0, value.clone()))).await;
    }
    assert!(lab.verify().await.is_whole(), "put back as it was");
}

#[tokio::test]
async fn a_deleted_event_is_missing() {
    for with_place in [true, false] {
        for (seq, fault) in [(1, Fault::Missing), (5, Fault::Missing), (10, Fault::Cut)] {
            let lab = std::sync::Arc::new(lab().await);
            let id = lab.id(Some(REPO), seq);
            let delete = move |tx: &mut WriteTx| {
                tx.delete(tables::EVENT, &id.0);
                if with_place {
                    tx.delete(tables::EVENT_BY_CHAIN, &place(Some(REPO), seq));
                }
            };
            blocking(&lab, move |lab| lab.tamper(delete)).await;
            only(&lab.verify().await, if with_place { fault } else { Fault::Missing }, seq);
        }
    }
}

#[tokio::test]
async fn a_row_without_a_place_and_a_chain_without_a_head_are_found() {
    let lab = std::sync::Arc::new(lab().await);
    blocking(&lab, |lab| lab.tamper(|tx| tx.delete(tables::EVENT_BY_CHAIN, &place(Some(REPO), 4)))).await;
    let report = lab.verify().await;
    assert_eq!(faults(&report, Some(REPO)), [(Fault::Missing, Some(4))]);
    assert_eq!(report.problems.len(), 1, "and its row stands in no chain: {report:#?}");

    let headless = std::sync::Arc::new(self::lab().await);
    let key = Key::new().u64(REPO.0).as_bytes().to_vec();
    blocking(&headless, |lab| lab.tamper(move |tx| tx.delete(tables::EVENT_HEAD, &key))).await;
    let report = headless.verify().await;
    assert_eq!((report.chains.len(), report.problems.len()), (1, 10), "{report:#?}");

    let added = std::sync::Arc::new(self::lab().await);
    let forged = added.event("mallory");
    let row = Recorded { chain: Chain(Some(REPO)), seq: 3, previous: None, event: forged };
    blocking(&added, |lab| {
        lab.tamper(move |tx| tx.put(tables::EVENT, &row.event.id.0, record::encode(&row)));
    })
    .await;
    let report = added.verify().await;
    assert_eq!(report.problems[0].fault, Fault::Added, "{report:#?}");
}

#[tokio::test]
async fn swapped_events_are_moved() {
    for (one, other) in [(4, 5), (2, 9), (9, 10)] {
        // By their places, and by their contents.
        for by_place in [true, false] {
            let lab = std::sync::Arc::new(lab().await);
            let ids = (lab.id(Some(REPO), one), lab.id(Some(REPO), other));
            let values = (lab.value(Some(REPO), one), lab.value(Some(REPO), other));
            let swap = move |tx: &mut WriteTx| {
                if by_place {
                    tx.put(tables::EVENT_BY_CHAIN, &place(Some(REPO), one), ids.1.0.to_vec());
                    tx.put(tables::EVENT_BY_CHAIN, &place(Some(REPO), other), ids.0.0.to_vec());
                } else {
                    tx.put(tables::EVENT, &ids.0.0, values.1.clone());
                    tx.put(tables::EVENT, &ids.1.0, values.0.clone());
                }
            };
            blocking(&lab, move |lab| lab.tamper(swap)).await;
            let report = lab.verify().await;
            let found = faults(&report, Some(REPO));
            assert!(found.contains(&(Fault::Moved, Some(one))), "{one} {other} {by_place}: {report:#?}");
        }
    }
}

#[tokio::test]
async fn a_chain_that_was_cut_is_found_by_its_head_and_by_an_earlier_export() {
    let lab = std::sync::Arc::new(lab().await);
    let earlier = lab.verify().await;
    let ids: Vec<EventId> = (8..=10).map(|seq| lab.id(Some(REPO), seq)).collect();
    let cut = move |tx: &mut WriteTx| {
        for (seq, id) in (8..).zip(&ids) {
            tx.delete(tables::EVENT, &id.0);
            tx.delete(tables::EVENT_BY_CHAIN, &place(Some(REPO), seq));
        }
    };
    blocking(&lab, move |lab| lab.tamper(cut)).await;
    only(&lab.verify().await, Fault::Cut, 8);

    // With the head put back too, only an earlier export tells.
    let (last, hash) = (lab.value(Some(REPO), 7), crate::model::event::chain::hash);
    let head = crate::model::event::chain::Head { seq: 7, hash: hash(event::text(&last)) };
    let key = Key::new().u64(REPO.0).as_bytes().to_vec();
    blocking(&lab, move |lab| {
        lab.tamper(move |tx| tx.put(tables::EVENT_HEAD, &key, record::encode(&head)));
    })
    .await;
    let lines = lab.lines(&Wanted::default()).await;
    assert!(verify(&lines).is_whole(), "nothing in the store tells");
    let mut verifier = Verifier::new().against(&earlier);
    for line in &lines {
        verifier.line(line);
    }
    let report = verifier.finish();
    assert_eq!(faults(&report, Some(REPO)), [(Fault::Rewritten, Some(8))], "{report:#?}");

    // And so it does when others were written in their place.
    blocking(&lab, |lab| lab.happen(Some(REPO), 5)).await;
    let mut verifier = Verifier::new().against(&earlier);
    for line in &lab.lines(&Wanted::default()).await {
        verifier.line(line);
    }
    assert_eq!(faults(&verifier.finish(), Some(REPO)), [(Fault::Rewritten, Some(10))]);
}

#[tokio::test]
async fn a_file_that_was_changed_is_found() {
    let lab = lab().await;
    let lines = lab.lines(&Wanted::default()).await;
    let other = AuditKeyOf::fresh();
    assert!(verify(&lines).is_whole());
    for at in 0..lines.len() {
        let mut without = lines.clone();
        without.remove(at);
        assert!(!verify(&without).is_whole(), "without line {at}: {}", lines[at]);
        let mut twice = lines.clone();
        twice.insert(at, lines[at].clone());
        // The first line says who signs, and says the same twice.
        assert!(at == 0 || !verify(&twice).is_whole(), "with line {at} twice: {}", lines[at]);
        let cut: Vec<_> = lines[..at].to_vec();
        assert!(!verify(&cut).is_whole());
    }
    // Rewritten from end to end, as anybody can: the hashes fit, the signatures do not.
    let head = lines.iter().position(|line| line.contains("\"audit\":\"head\"")).unwrap();
    let Note::Head { chain, head: was, .. } = serde_json::from_str(&lines[head]).unwrap() else { panic!() };
    let mut forged = lines.clone();
    let text = was.text("instance-1", chain, NOW);
    forged[head] = serde_json::to_string(&Note::Head { chain, head: was, signature: other.0.sign(&text) }).unwrap();
    let report = verify(&forged);
    assert!(report.chains.iter().any(|chain| chain.problems[..].iter().any(|p| p.fault == Fault::Forged)));
    // Whoever knows the key sees that it is another one.
    let mut verifier = Verifier::new().with_key(other.0.public());
    for line in &lines {
        verifier.line(line);
    }
    assert!(verifier.finish().problems.iter().any(|problem| problem.fault == Fault::Forged));
    assert!(!verify(&[""; 0]).is_whole() && !verify(&["{}", "no line"]).is_whole());
}

struct AuditKeyOf(super::key::AuditKey);

impl AuditKeyOf {
    fn fresh() -> Self {
        Self(super::key::AuditKey::read(&super::key::AuditKey::generate(NOW)).unwrap())
    }
}

#[tokio::test]
async fn what_is_old_goes_and_the_rest_verifies_from_the_checkpoint() {
    for mode in [Mode::Normal, Mode::Strict] {
        let keep = Keep { time: Some(Duration::from_hours(24)), events: Some(300) };
        let lab = std::sync::Arc::new(tokio::task::spawn_blocking(move || Lab::new(mode, keep)).await.unwrap());
        blocking(&lab, |lab| {
            lab.happen(Some(REPO), 850);
            lab.happen(None, 5);
        })
        .await;
        let earlier = lab.verify().await;
        assert_eq!(lab.registry.remove_old_events().await.unwrap(), 550, "by number, in bounded steps");
        let report = lab.verify().await;
        assert!(report.is_whole(), "{report:#?}");
        let chain = report.chains.iter().find(|chain| chain.chain == Chain(Some(REPO))).unwrap();
        assert_eq!((chain.first, chain.events, chain.removed), (551, 300, 550));
        let mut verifier = Verifier::new().against(&earlier);
        for line in &lab.lines(&Wanted::default()).await {
            verifier.line(line);
        }
        assert!(verifier.finish().is_whole(), "an earlier export agrees");

        lab.clock.advance(Duration::from_hours(25));
        assert_eq!(lab.registry.remove_old_events().await.unwrap(), 305, "by age, to the last");
        assert_eq!(lab.registry.remove_old_events().await.unwrap(), 0);
        blocking(&lab, |lab| lab.happen(Some(REPO), 2)).await;
        let report = lab.verify().await;
        assert!(report.is_whole(), "{report:#?}");
        let chain = report.chains.iter().find(|chain| chain.chain == Chain(Some(REPO))).unwrap();
        assert_eq!((chain.first, chain.events, chain.removed), (851, 2, 850));

        // The checkpoint is signed: to forget more, or other things, takes the key.
        for (seq, removed) in [(851, 851), (850, 849), (849, 849)] {
            let key = Key::new().u64(REPO.0).as_bytes().to_vec();
            let was = lab.registry.meta().read(|tx| event::checkpoint(tx, Chain(Some(REPO)))).unwrap().unwrap();
            let forged = crate::model::event::chain::Checkpoint { seq, removed, ..was.clone() };
            let (row, put) = (record::encode(&forged), key.clone());
            blocking(&lab, move |lab| lab.tamper(move |tx| tx.put(tables::EVENT_CHECKPOINT, &put, row.clone()))).await;
            let report = lab.verify().await;
            let found = faults(&report, Some(REPO));
            assert!(found.iter().any(|(fault, _)| *fault == Fault::Forged), "{report:#?}");
            let back = record::encode(&was);
            blocking(&lab, move |lab| lab.tamper(move |tx| tx.put(tables::EVENT_CHECKPOINT, &key, back.clone()))).await;
        }
        // Without it, what was removed is missing.
        let key = Key::new().u64(REPO.0).as_bytes().to_vec();
        blocking(&lab, move |lab| lab.tamper(move |tx| tx.delete(tables::EVENT_CHECKPOINT, &key))).await;
        assert_eq!(faults(&lab.verify().await, Some(REPO)), [(Fault::Missing, Some(1))]);
    }
}

#[tokio::test]
async fn retention_leaves_a_broken_chain_alone() {
    let keep = Keep { time: None, events: Some(2) };
    let lab = std::sync::Arc::new(tokio::task::spawn_blocking(move || Lab::new(Mode::Strict, keep)).await.unwrap());
    blocking(&lab, |lab| lab.happen(Some(REPO), 10)).await;
    let id = lab.id(Some(REPO), 4);
    let mut value = lab.value(Some(REPO), 4);
    let at = value.len() - 5;
    value[at] ^= 1;
    blocking(&lab, move |lab| lab.tamper(move |tx| tx.put(tables::EVENT, &id.0, value.clone()))).await;
    assert!(lab.registry.remove_old_events().await.unwrap() <= 4);
    assert_eq!(lab.registry.remove_old_events().await.unwrap(), 0);
    assert!(!lab.verify().await.is_whole(), "what shows it is still there");
}

#[tokio::test]
async fn a_part_can_be_exported_and_verified() {
    let lab = lab().await;
    let since = NOW.plus(Duration::from_secs(6));
    let part = Wanted { repo: Some("lab/app".to_owned()), since: Some(since) };
    let report = verify(&lab.lines(&part).await);
    assert!(report.is_whole() && report.partial, "{report:#?}");
    assert_eq!((report.chains.len(), report.chains[0].first, report.events()), (1, 7, 4));
    let by_id = Wanted { repo: Some(Chain(Some(REPO)).to_string()), since: None };
    assert_eq!(verify(&lab.lines(&by_id).await).events(), 10);
    let none = Wanted { repo: Some("lab/other".to_owned()), since: None };
    assert!(lab.registry.export_events(&none, None).await.is_err());
    let later = Wanted { repo: None, since: Some(NOW.plus(Duration::from_hours(1))) };
    assert!(verify(&lab.lines(&later).await).is_whole(), "of nothing");
}

#[tokio::test]
async fn an_export_of_many_pages_is_whole_while_events_are_written() {
    let lab =
        std::sync::Arc::new(tokio::task::spawn_blocking(|| Lab::new(Mode::Normal, Keep::default())).await.unwrap());
    blocking(&lab, |lab| lab.happen(Some(REPO), 1_500)).await;
    let (mut lines, mut mark, mut pages) = (Vec::new(), None, 0);
    loop {
        let page = lab.registry.export_events(&Wanted::default(), mark).await.unwrap();
        lines.extend(page.lines);
        pages += 1;
        mark = page.next;
        if mark.is_none() {
            break;
        }
        blocking(&lab, |lab| lab.happen(Some(REPO), 3)).await;
    }
    assert!(pages > 1);
    let report = verify(&lines);
    assert!(report.is_whole(), "{report:#?}");
}

#[tokio::test]
async fn the_registry_remembers_what_it_verified() {
    let lab = std::sync::Arc::new(lab().await);
    assert_eq!(lab.registry.verified().unwrap(), None);
    assert!(lab.registry.verify_events().await.unwrap().is_whole());
    let found = lab.registry.verified().unwrap().unwrap();
    assert_eq!((found.chains, found.whole, found.events, found.all_well), (2, 2, 13, true));
    let id = lab.id(None, 2);
    blocking(&lab, move |lab| lab.tamper(move |tx| tx.delete(tables::EVENT, &id.0))).await;
    assert!(!lab.registry.verify_events().await.unwrap().is_whole());
    let found = lab.registry.verified().unwrap().unwrap();
    assert_eq!((found.chains, found.whole, found.all_well), (2, 1, false));
}

/// Events of one commit, and of commits of one batch, stand in their order; chains do not mix.
#[tokio::test]
async fn commits_at_once_make_whole_chains_on_both_engines() {
    for mode in [Mode::Normal, Mode::Strict] {
        let lab =
            std::sync::Arc::new(tokio::task::spawn_blocking(move || Lab::new(mode, Keep::default())).await.unwrap());
        let mut writers = Vec::new();
        for writer in 0..8_u64 {
            let lab = lab.clone();
            writers.push(tokio::spawn(async move {
                for round in 0..25_u64 {
                    let repo = RepoId(7 + (writer + round) % 2);
                    let events = [0, 1, 2].map(|n| lab.event(&format!("{writer}-{round}-{n}")));
                    let write = lab.registry.meta().write(move |tx| event::append(tx, Some(repo), &events));
                    write.await.unwrap();
                }
            }));
        }
        for writer in writers {
            writer.await.unwrap();
        }
        let report = lab.verify().await;
        assert!(report.is_whole(), "{report:#?}");
        assert_eq!(report.events(), 8 * 25 * 3);
        for repo in [7, 8] {
            let events = lab.registry.meta().read(|tx| event::of_repo(tx, RepoId(repo), 1_000)).unwrap();
            for three in events.chunks(3) {
                let names: Vec<_> = three.iter().map(|event| event.actor.name()).collect();
                let (commit, _) = names[0].rsplit_once('-').unwrap();
                assert_eq!(names, [0, 1, 2].map(|n| format!("{commit}-{n}")), "a commit's events stand together");
            }
        }
    }
}

#[tokio::test]
async fn pulls_of_the_same_are_one_event_and_refusals_have_their_reason() {
    let lab = lab().await;
    let alice = Principal::User { name: "alice".into(), admin: false };
    let digest = Digest::of(Algorithm::Sha256, b"x");
    let tag = crate::oci::Reference::parse("1.0").unwrap();
    for _ in 0..5 {
        let from = "192.0.2.7".parse().unwrap();
        lab.registry.note_pull(&Caller::of(alice.clone()), from, Some("podman/5"), &name("lab/app"), &tag, &digest);
        lab.clock.advance(Duration::from_secs(1));
    }
    for n in 0..3_000_u32 {
        let from = std::net::IpAddr::from(n.to_be_bytes());
        lab.registry.note_pull(&Caller::of(alice.clone()), from, None, &name("lab/app"), &tag, &digest);
    }
    let actor = Actor { address: Some("192.0.2.7".to_owned()), ..Actor::new(alice) };
    lab.registry.note_denied(actor, Some(&name("lab/app")), "put_manifest", "alice may not push to lab/app");
    lab.registry.flush_usage().await.unwrap();
    let events = lab.registry.meta().read(|tx| event::of_repo(tx, REPO, 10_000)).unwrap();
    let pulls: Vec<_> = events.iter().filter(|event| matches!(event.what, Happening::Pulled { .. })).collect();
    assert_eq!(pulls.len(), 1_000, "the memory for notes is bounded");
    let five = pulls.iter().find(|event| event.what.times() == 5).unwrap();
    assert_eq!((five.address.as_deref(), five.agent.as_deref()), (Some("192.0.2.7"), Some("podman/5")));
    let refused = events.iter().find(|event| event.result == Outcome::Refused).unwrap();
    assert_eq!(refused.reason.as_deref(), Some("alice may not push to lab/app"));
    assert!(lab.verify().await.is_whole());
}

#[tokio::test]
async fn a_list_is_paged_and_filtered_and_shows_what_may_be_seen() {
    let lab = std::sync::Arc::new(lab().await);
    blocking(&lab, |lab| {
        let mut sign_in = lab.event("bob");
        sign_in.what = Happening::SignedIn { account: "bob".to_owned() };
        let accounts = ["alice", "bob"].map(|name| Account::user(name, Uuid::random(), NOW));
        let sign_in = move |tx: &mut WriteTx| {
            for account in &accounts {
                account::put(tx, account);
            }
            event::append(tx, None, std::slice::from_ref(&sign_in))
        };
        lab.registry.meta().write_blocking(sign_in).unwrap();
        let mut pulled = lab.event("alice");
        (pulled.address, pulled.agent) = (Some("192.0.2.7".to_owned()), Some("podman".to_owned()));
        pulled.what = Happening::Pulled {
            name: name("lab/app"),
            tag: None,
            digest: Digest::of(Algorithm::Sha256, b"x"),
            times: 2,
            since: NOW,
        };
        lab.registry
            .meta()
            .write_blocking(move |tx| event::append(tx, Some(REPO), std::slice::from_ref(&pulled)))
            .unwrap();
    })
    .await;
    let everything = |_: &RepoName| Sight::Everything;
    let nothing = |_: &RepoName| Sight::Nothing;
    let changes = |_: &RepoName| Sight::Changes;
    let admin = Viewer { name: Some("admin"), admin: true, sight: &everything };
    let list = |query: &ActivityQuery, viewer: &Viewer<'_>| lab.registry.activity(query, viewer).unwrap().entries;
    let all = ActivityQuery { pulls: true, ..ActivityQuery::default() };
    assert_eq!(list(&all, &admin).len(), 15);
    assert_eq!(list(&ActivityQuery::default(), &admin).len(), 14, "without pulls");
    let of_repo = ActivityQuery { repo: Some(name("lab/app")), ..ActivityQuery::default() };
    let seqs: Vec<u64> = list(&of_repo, &admin).iter().map(|read| read.seq).collect();
    assert_eq!(seqs, [10, 9, 8, 7, 6, 5, 4, 3, 2, 1]);

    for of in [None, Some(name("lab/app"))] {
        let mut query = ActivityQuery { repo: of, limit: 3, ..ActivityQuery::default() };
        let mut seen = Vec::new();
        loop {
            let page = lab.registry.activity(&query, &admin).unwrap();
            assert!(page.entries.len() <= 3);
            seen.extend(page.entries.into_iter().map(|read| read.event.id));
            query.after = page.next;
            if query.after.is_none() {
                break;
            }
        }
        let whole = list(&ActivityQuery { after: None, limit: 0, ..query.clone() }, &admin);
        assert_eq!(seen, whole.iter().map(|read| read.event.id).collect::<Vec<_>>());
        let (since, until) = (NOW.plus(Duration::from_secs(3)), NOW.plus(Duration::from_secs(6)));
        let between = ActivityQuery { since: Some(since), until: Some(until), limit: 0, after: None, ..query.clone() };
        let times: Vec<_> = list(&between, &admin).iter().map(|read| read.event.time.since(NOW).as_secs()).collect();
        assert_eq!(times, [5, 4, 3]);
        let actor = ActivityQuery { actor: Some("user-0".to_owned()), limit: 0, after: None, ..query };
        assert!(list(&actor, &admin).iter().all(|read| read.event.actor.name() == "user-0"));
    }

    let bob = |sight| Viewer { name: Some("bob"), admin: false, sight };
    let who = |read: &Recorded| read.event.actor.name().to_owned();
    assert_eq!(list(&all, &bob(&nothing)).iter().map(who).collect::<Vec<_>>(), ["bob"], "one's own sign-in");
    assert_eq!(list(&all, &bob(&changes)).len(), 11, "and what is changed where one may read, but no pulls");
    assert_eq!(list(&all, &bob(&everything)).len(), 12);
    assert_eq!(list(&all, &Viewer { name: Some("alice"), admin: false, sight: &changes }).len(), 11, "but one's own");
    assert_eq!(list(&all, &Viewer { name: None, admin: false, sight: &nothing }).len(), 0);

    // What a repository was that is gone is for administrators, also when its name lives on.
    blocking(&lab, |lab| {
        lab.tamper(|tx| {
            let row = repo::get(tx, REPO).unwrap().unwrap();
            repo::bury(tx, REPO, &row, NOW, 0).unwrap();
            repo::create(tx, RepoId(9), &repo::RepoRow::new(name("lab/app"), NOW));
        });
    })
    .await;
    assert_eq!(list(&all, &bob(&everything)).len(), 1);
    assert_eq!(list(&all, &admin).len(), 15);
    assert_eq!(list(&of_repo, &admin).len(), 0, "the new one has no past");
}

/// How long it takes to put an event on record, for a person who asks: `cargo test --release --lib -- --ignored
/// time_of_an_event --nocapture`.
#[test]
#[ignore = "it measures"]
fn time_of_an_event() {
    let lab = Lab::new(Mode::Normal, Keep::default());
    let events: Vec<Event> = (0..300).map(|n| lab.event(&n.to_string())).collect();
    let started = Clock::system();
    for _ in 0..100 {
        let events = events.clone();
        lab.registry.meta().write_blocking(move |tx| event::append(tx, Some(REPO), &events)).unwrap();
    }
    println!("{} ms for 30,000 events, {} bytes each", started.steady(), lab.value(Some(REPO), 30_000).len());
}

/// A store of schema 2, as it was written before there were chains.
#[tokio::test]
async fn old_events_are_chained_by_the_migration() {
    for mode in [Mode::Normal, Mode::Strict] {
        let lab =
            std::sync::Arc::new(tokio::task::spawn_blocking(move || Lab::new(mode, Keep::default())).await.unwrap());
        blocking(&lab, |lab| {
            let mut olds = Vec::new();
            for n in 0..700_u64 {
                let repo = match n % 3 {
                    0 => None,
                    n => Some(RepoId(6 + n)),
                };
                olds.push((repo, lab.event(&format!("{n}"))));
                lab.clock.advance(Duration::from_secs(1));
            }
            for some in olds.chunks(100) {
                let some = some.to_vec();
                lab.tamper(move |tx| {
                    for (repo, old) in &some {
                        // Its fields were fewer; those of now are left out when they say nothing.
                        tx.put(tables::EVENT, &old.id.0, record::encode(old));
                        if let Some(repo) = repo {
                            let key = Key::new().u64(repo.0).raw(&old.id.0);
                            tx.put(tables::EVENT_BY_REPO, key.as_bytes(), Vec::new());
                        }
                    }
                });
            }
            lab.tamper(|tx| tx.put(tables::META, b"schema", record::encode(&2_u64)));
            crate::meta::migrate::migrate(lab.registry.meta()).unwrap();
            let left = lab.registry.meta().read(|tx| tx.range(tables::EVENT_BY_REPO, &[], None, 1)).unwrap();
            assert!(left.is_empty());
        })
        .await;
        let report = lab.verify().await;
        assert!(report.is_whole(), "{report:#?}");
        let counts: BTreeMap<String, u64> =
            report.chains.iter().map(|chain| (chain.chain.to_string(), chain.events)).collect();
        assert_eq!(counts.into_values().collect::<Vec<_>>(), [233, 233, 234]);
        let of_repo = lab.registry.meta().read(|tx| event::of_repo(tx, REPO, 1_000)).unwrap();
        assert!(of_repo.is_sorted_by_key(|event| event.time));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Whatever is written in whatever order, to whichever chains, with retention in between: it verifies; and whatever
    /// one line is taken out of the export, it does not.
    #[test]
    fn any_sequence_verifies(steps in prop::collection::vec((0..4_u64, 0..4_usize, prop::bool::weighted(0.1)), 1..30), lost in any::<prop::sample::Index>()) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
        let lab = Lab::new(Mode::Strict, Keep { time: None, events: Some(6) });
        for (chain, count, retire) in steps {
            let repo = (chain > 0).then_some(RepoId(chain + 6));
            let events: Vec<Event> = (0..count).map(|n| lab.event(&n.to_string())).collect();
            lab.registry.meta().write_blocking(move |tx| event::append(tx, repo, &events)).unwrap();
            lab.clock.advance(Duration::from_secs(1));
            if retire {
                runtime.block_on(lab.registry.remove_old_events()).unwrap();
            }
        }
        let mut lines = runtime.block_on(lab.lines(&Wanted::default()));
        let report = verify(&lines);
        prop_assert!(report.is_whole(), "{report:#?}");
        let Note::Export { key, .. } = serde_json::from_str(&lines[0]).unwrap() else { panic!() };
        prop_assert_eq!(PublicKey::parse(&key).unwrap().id(), report.key);
        let lost = lost.index(lines.len());
        let line = lines.remove(lost);
        prop_assert!(!verify(&lines).is_whole(), "without {line}");
    }

    #[test]
    fn no_lines_make_the_verifier_panic(lines in prop::collection::vec("(\\{\"(audit|chain)\":)?.{0,40}", 0..6)) {
        prop_assert!(!verify(&lines).is_whole());
    }
}
