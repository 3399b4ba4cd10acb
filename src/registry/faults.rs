//! What faults of the disk do to a registry: one script of everything that changes it, over test disks under both
//! stores.
//!
//! Figures and how to run more of it: docs/reliability.md.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use serde_json::json;
use tempfile::TempDir;

use super::*;
use crate::base::UploadId;
use crate::base::faults::{Dice, Fault, Faults};
use crate::blobs::{Append, BlobError, BlobOptions, Source};
use crate::meta::faulty::Disk;
use crate::meta::{EngineOptions, MetaError, lease, migrate};
use crate::oci::{Algorithm, Digest, Reference, Tag};
use crate::registry::gc::{GcError, Options};
use crate::registry::pull::BlobBytes;

const LEASE: Duration = Duration::from_hours(24);
const IMAGE: &str = "application/vnd.oci.image.manifest.v1+json";

/// In memory where there is such a place: what is kept over a fault is decided by the test disks, not by this one.
fn directory() -> TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

/// Gives bytes in pieces.
struct Pieces(Bytes);

impl Source for Pieces {
    async fn next(&mut self) -> Option<Result<Bytes, String>> {
        (!self.0.is_empty()).then(|| Ok(self.0.split_to(self.0.len().min(9_000))))
    }
}

/// What stays when a registry goes down.
struct Remains {
    store: Vec<u8>,
    data: TempDir,
    clock: Clock,
}

impl Remains {
    fn nothing() -> Self {
        let clock = Clock::manual(Timestamp(1_700_000_000_000));
        Self { store: Vec::new(), data: directory(), clock }
    }
}

/// A registry over test disks.
struct House {
    faults: Faults,
    disk: Disk,
    data: TempDir,
    clock: Clock,
    registry: Registry,
}

impl House {
    /// Opens what remained, as `serve` does. When a fault prevents it, what remained then comes back.
    async fn open(remains: Remains, faults: Faults) -> Result<Self, Remains> {
        let Remains { store, data, clock } = remains;
        let disk = Disk::shared(faults.clone(), &store);
        // A new run has a new clock, which takes up what the store remembers.
        let clock = Clock::manual(clock.now());
        let (path, opened_disk, opened_clock, opened_faults) =
            (data.path().to_owned(), disk.clone(), clock.clone(), faults.clone());
        let opened = tokio::task::spawn_blocking(move || {
            let meta = Engine::on_disk(&opened_disk, EngineOptions { cache: 1 << 20, ..EngineOptions::default() })?;
            migrate::migrate(&meta).map_err(|error| MetaError::Storage(error.to_string()))?;
            opened_clock.resume_steady(meta.read(lease::remembered_steady)?);
            let named = |file| {
                let named = meta.read(|tx| uploads::is_named(tx, file));
                named.map_err(|error: RegistryError| BlobError::Io(error.to_string()))
            };
            let options = BlobOptions { session_ttl: LEASE, max_blob: 1 << 30 };
            let blobs = Blobs::open_faulty(&path, opened_faults, options, opened_clock, named)?;
            Ok::<_, RegistryError>((meta, blobs))
        });
        match opened.await.expect("no panic at start") {
            Ok((meta, blobs)) => {
                let manifest = ManifestLimits { references: 100, depth: 32 };
                let settings = Settings {
                    create_on_push: true,
                    accept_incomplete: true,
                    lease: LEASE,
                    untagged: Some(LEASE),
                    collect_every: Duration::from_hours(1),
                    manifest,
                };
                let registry = Registry::new(meta, blobs, clock.clone(), settings);
                Ok(Self { faults, disk, data, clock, registry })
            }
            Err(error) => {
                assert!(faults.is_out() || faults.struck().is_some(), "it does not open: {error}");
                Err(Remains { store: disk.after_kill(), data, clock })
            }
        }
    }

    /// SIGKILL: what was written is there.
    fn kill(self) -> Remains {
        let Self { faults, disk, data, clock, registry } = self;
        // Nothing that the registry does on its way out reaches a disk.
        faults.die("killed");
        registry.meta().clone().close();
        Remains { store: disk.after_kill(), data, clock }
    }

    /// A power cut: of what was not synced, some is there.
    fn cut(self, dice: &mut Dice) -> Remains {
        let Self { faults, disk, clock, registry, .. } = self;
        faults.die("the power was cut");
        let data = directory();
        registry.blobs().after_cut(data.path(), dice);
        let store = disk.after_cut(dice);
        registry.meta().clone().close();
        Remains { store, data, clock }
    }

    /// After the script: whatever went wrong before, its collection has left nothing behind.
    async fn check_nothing_is_wasted(&self, when: &str) {
        let survey = self.registry.survey_garbage(Options::default()).await.expect(when);
        assert!(survey.goes.is_nothing() && survey.missing_files == 0, "{when}: {survey:?}");
        let files = self.registry.blobs().list(None, 100).expect(when);
        assert_eq!(files.len(), FILES, "{when}: files on disk");
    }

    fn content(&self, repo: &RepoName, digest: &Digest) -> Result<Vec<u8>, RegistryError> {
        match self.registry.pull_blob(repo, digest)?.bytes {
            Some(BlobBytes::Inline(bytes)) => Ok(bytes.to_vec()),
            Some(BlobBytes::File(file)) => {
                let mut content = Vec::new();
                let mut file = self.registry.blobs().open_file(file)?;
                std::io::Read::read_to_end(&mut file, &mut content).unwrap();
                Ok(content)
            }
            None => panic!("a pull without bytes"),
        }
    }
}

/// Something that a client can ask for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Thing {
    Blob(&'static str, Digest),
    Manifest(&'static str, Digest),
    Tag(&'static str, &'static str),
}
use Thing::{Blob, Manifest, Tag as Tagged};

/// What a client was told, and what may therefore be found.
#[derive(Default)]
struct Ledger {
    /// The contents that each thing may have; `None` is "not there". One unless an answer never came.
    known: BTreeMap<Thing, Vec<Option<Vec<u8>>>>,
    /// Uploads that were begun and not finished, with what they are to become.
    open: Vec<(UploadId, &'static str, Bytes)>,
    /// Files that collections found without an owner: what crashes left.
    swept: u64,
}

impl Ledger {
    /// Notes how a change was answered. What was refused has not happened; where no answer came, it may have.
    fn note<T>(&mut self, answer: &Result<T, RegistryError>, faults: &Faults, changes: &[(Thing, Option<&[u8]>)]) {
        for (thing, content) in changes {
            let content = content.map(<[u8]>::to_vec);
            let known = self.known.entry(thing.clone()).or_insert_with(|| vec![None]);
            match answer {
                Ok(_) => *known = vec![content],
                Err(_) if faults.is_out() => known.push(content),
                Err(_) => {}
            }
        }
    }

    /// Notes that a collection has left nothing but these, and the tags. One that broke off may have left anything.
    fn note_collected(&mut self, done: bool, kept: &[Thing]) {
        for (thing, known) in &mut self.known {
            if matches!(thing, Tagged(..)) || kept.contains(thing) {
                continue;
            }
            if done {
                known.clear();
            }
            known.push(None);
        }
    }

    /// Everything that was acknowledged is there, to the byte; what was deleted or collected is not.
    fn check(&mut self, house: &House, when: &str) {
        for (thing, known) in &mut self.known {
            let found = match thing {
                Blob(repo, digest) => house.content(&name(repo), digest),
                Manifest(repo, digest) => {
                    let pulled = house.registry.pull_manifest(&name(repo), &Reference::Digest(*digest));
                    pulled.map(|pulled| pulled.body.expect("it was asked for").to_vec())
                }
                Tagged(repo, tag) => {
                    let tag = Reference::Tag(Tag::parse(tag).unwrap());
                    let pulled = house.registry.pull_manifest(&name(repo), &tag);
                    pulled.map(|pulled| pulled.digest.to_string().into_bytes())
                }
            };
            let found = match found {
                Ok(content) => Some(content),
                Err(
                    RegistryError::NameUnknown(_)
                    | RegistryError::BlobUnknown { .. }
                    | RegistryError::ManifestUnknown { .. },
                ) => None,
                Err(error) => panic!("{when}: {thing:?}: {error}"),
            };
            assert!(known.contains(&found), "{when}: {thing:?} is not as it was acknowledged");
            // What was open is so no more: whatever was found has to stay.
            *known = vec![found];
        }
    }

    /// An upload that is still known goes on where it says that it stands, and gives the right bytes. Returns how many
    /// did.
    async fn finish_open(&mut self, house: &House, when: &str) -> u64 {
        let mut finished = 0;
        for (id, repo, content) in std::mem::take(&mut self.open) {
            let digest = sha256(&content);
            let status = match house.registry.upload_status(&Actor::system(), &name(repo), id) {
                Ok(status) => status,
                Err(RegistryError::Blob(BlobError::UnknownSession)) => continue,
                Err(error) => panic!("{when}: {error}"),
            };
            let rest = content.slice(usize::try_from(status.offset).unwrap()..);
            let how = Append { closing: true, ..Append::default() };
            house.registry.append_upload(&Actor::system(), &name(repo), id, how, Pieces(rest)).await.expect(when);
            house.registry.finish_upload(Actor::system(), &name(repo), id, digest).await.expect(when);
            self.known.insert(Blob(repo, digest), vec![Some(content.to_vec())]);
            finished += 1;
        }
        finished
    }
}

fn name(repo: &str) -> RepoName {
    RepoName::parse(repo).unwrap()
}

fn sha256(content: &[u8]) -> Digest {
    Digest::of(Algorithm::Sha256, content)
}

fn noise(length: usize, seed: u64) -> Bytes {
    let mut dice = Dice(seed);
    (0..length.div_ceil(8)).flat_map(|_| dice.roll().to_le_bytes()).take(length).collect::<Vec<_>>().into()
}

/// Files of the script's image: its two layers; the config is small.
const FILES: usize = 2;

/// Everything that changes a registry, once, up to the first failure. Can be repeated.
async fn script(house: &House, ledger: &mut Ledger, seed: u64) -> Result<(), RegistryError> {
    let (registry, faults) = (&house.registry, &house.faults);
    let actor = Actor::system;
    let config = noise(2_000, seed);
    let large = noise(40_000, seed + 1);
    for content in [&config, &large] {
        push(house, ledger, "lab/a", content).await?;
    }

    // Chunks: at hand, into a file, to its end.
    let chunked = noise(70_000, seed + 2);
    let id = registry.start_upload(&actor(), &name("lab/a"), None).await?;
    ledger.open.push((id, "lab/a", chunked.clone()));
    for (from, to) in [(0, 10_000), (10_000, 45_000), (45_000, 70_000)] {
        let how = Append { expected: Some(to - from), closing: to == 70_000, ..Append::default() };
        let part = |n: u64| usize::try_from(n).unwrap();
        let source = Pieces(chunked.slice(part(from)..part(to)));
        registry.append_upload(&actor(), &name("lab/a"), id, how, source).await?;
    }
    let finished = registry.finish_upload(actor(), &name("lab/a"), id, sha256(&chunked)).await;
    ledger.note(&finished, faults, &[(Blob("lab/a", sha256(&chunked)), Some(&chunked))]);
    finished?;
    ledger.open.clear();

    // One that is under way while all else happens, so that most cuts fall into it.
    let slow = noise(60_000, seed + 5);
    let under_way = registry.start_upload(&actor(), &name("lab/a"), None).await?;
    ledger.open.push((under_way, "lab/a", slow.clone()));
    let how = Append { expected: Some(20_000), ..Append::default() };
    registry.append_upload(&actor(), &name("lab/a"), under_way, how, Pieces(slow.slice(..20_000))).await?;

    let mounted = registry.mount_blob(actor(), &name("lab/b"), sha256(&large), &name("lab/a")).await;
    ledger.note(&mounted, faults, &[(Blob("lab/b", sha256(&large)), Some(&large))]);
    assert!(mounted?, "it was there");

    // Two images; of the second one tag goes, then all of it.
    let first = image(&config, &[&large, &chunked]);
    put(house, ledger, &first, "first", &[]).await?;
    let second = image(&config, &[&chunked]);
    put(house, ledger, &second, "second", &["again"]).await?;
    let again = Reference::Tag(Tag::parse("again").unwrap());
    let deleted = registry.delete_manifest(actor(), &name("lab/a"), &again).await;
    ledger.note(&deleted, faults, &[(Tagged("lab/a", "again"), None)]);
    deleted?;
    let deleted = registry.delete_manifest(actor(), &name("lab/a"), &Reference::Digest(sha256(&second))).await;
    let gone = [(Tagged("lab/a", "second"), None), (Manifest("lab/a", sha256(&second)), None)];
    ledger.note(&deleted, faults, &gone);
    deleted?;

    // A blob that nothing needs.
    let extra = noise(30_000, seed + 3);
    push(house, ledger, "lab/a", &extra).await?;
    let deleted = registry.delete_blob(actor(), &name("lab/a"), sha256(&extra)).await;
    ledger.note(&deleted, faults, &[(Blob("lab/a", sha256(&extra)), None)]);
    deleted?;

    // An image that loses its only tag.
    let third = image(&config, &[]);
    put(house, ledger, &third, "third", &[]).await?;
    let untagged =
        registry.delete_manifest(actor(), &name("lab/a"), &Reference::Tag(Tag::parse("third").unwrap())).await;
    ledger.note(&untagged, faults, &[(Tagged("lab/a", "third"), None)]);
    untagged?;

    // Uploads that are given up, and one that expires with every lease.
    registry.cancel_upload(&actor(), &name("lab/a"), under_way).await?;
    ledger.open.clear();
    for expires in [false, true] {
        let id = registry.start_upload(&actor(), &name("lab/a"), None).await?;
        let source = Pieces(noise(20_000, seed + 4));
        registry.append_upload(&actor(), &name("lab/a"), id, Append::default(), source).await?;
        if expires {
            house.clock.advance(LEASE + Duration::from_secs(1));
            // At once, so that no lease is ever written by a time that a restart would not take up again.
            remember_steady(house).await?;
            let meta = registry.meta().clone();
            let named = move |file| {
                let named = meta.read(|tx| uploads::is_named(tx, file));
                named.map_err(|error: RegistryError| BlobError::Io(error.to_string()))
            };
            registry.blobs().expire(10, named).await?;
        } else {
            registry.cancel_upload(&actor(), &name("lab/a"), id).await?;
        }
    }

    // What no tag leads to: the mount (no manifest of lab/b refers to it), the image that lost its tag, and whatever
    // earlier runs and lives left.
    let collected = registry.collect_garbage(Options::default()).await;
    let blobs = [&config, &large, &chunked].map(|content| Blob("lab/a", sha256(content)));
    ledger.note_collected(collected.is_ok(), &[&blobs[..], &[Manifest("lab/a", sha256(&first))]].concat());
    let report = collected.map_err(|error| match error {
        GcError::Failed(error) => error,
        GcError::Busy => panic!("nobody else collects"),
    })?;
    assert_eq!(report.missing_files, 0, "a blob lost its file");
    ledger.swept += report.freed.orphans.count;

    // A lease that is renewed.
    registry.head_blob(&name("lab/a"), &sha256(&large), true).await.map(drop)
}

async fn remember_steady(house: &House) -> Result<(), RegistryError> {
    let steady = house.clock.steady();
    let remembered = house.registry.meta().write(move |tx| {
        lease::remember_steady(tx, steady);
        Ok::<_, MetaError>(())
    });
    remembered.await.map_err(|error| match error {
        crate::meta::WriteError::Refused(error) | crate::meta::WriteError::Store(error) => error.into(),
    })
}

async fn push(house: &House, ledger: &mut Ledger, repo: &'static str, content: &Bytes) -> Result<(), RegistryError> {
    let (digest, length) = (sha256(content), Some(content.len() as u64));
    let source = Pieces(content.clone());
    let admitted = async { Ok::<_, RegistryError>(Actor::system()) };
    let pushed = house.registry.push_blob(Actor::system(), &name(repo), digest, length, source, admitted).await;
    ledger.note(&pushed, &house.faults, &[(Blob(repo, digest), Some(content))]);
    pushed
}

fn image(config: &[u8], layers: &[&Bytes]) -> Bytes {
    let descriptor = |content: &[u8]| json!({ "mediaType": "application/octet-stream", "digest": sha256(content), "size": content.len() });
    let layers: Vec<_> = layers.iter().map(|layer| descriptor(layer)).collect();
    json!({ "schemaVersion": 2, "mediaType": IMAGE, "config": descriptor(config), "layers": layers }).to_string().into()
}

async fn put(
    house: &House,
    ledger: &mut Ledger,
    body: &Bytes,
    tag: &'static str,
    more: &[&'static str],
) -> Result<(), RegistryError> {
    let reference = Reference::Tag(Tag::parse(tag).unwrap());
    let tags: Vec<Tag> = more.iter().map(|tag| Tag::parse(tag).unwrap()).collect();
    let (repo, digest) = (name("lab/a"), sha256(body));
    let put = house.registry.push_manifest(Actor::system(), &repo, &reference, &tags, Some(IMAGE), body.clone()).await;
    let shown = digest.to_string().into_bytes();
    let mut changes = vec![(Manifest("lab/a", digest), Some(&body[..])), (Tagged("lab/a", tag), Some(&shown[..]))];
    changes.extend(more.iter().map(|tag| (Tagged("lab/a", tag), Some(&shown[..]))));
    ledger.note(&put, &house.faults, &changes);
    put.map(drop)
}

/// A registry that has been through the script once, and the number of operations that it took.
async fn settled() -> (Remains, u64) {
    let house = House::open(Remains::nothing(), Faults::default()).await.ok().expect("an empty disk");
    let before = house.faults.steps();
    script(&house, &mut Ledger::default(), 1).await.unwrap();
    let steps = house.faults.steps() - before;
    (house.kill(), steps)
}

/// How many of something a test does: fewer for every day, more by the variable.
fn rounds(variable: &str, usual: u64) -> u64 {
    std::env::var(variable).ok().map_or(usual, |text| text.parse().expect("a number"))
}

#[tokio::test]
async fn the_script_runs_over_restarts() {
    let (mut remains, steps) = settled().await;
    println!("the script takes {steps} operations of the disk");
    let mut ledger = Ledger::default();
    for seed in [1, 100, 1] {
        let house = House::open(remains, Faults::default()).await.ok().expect("no faults");
        ledger.check(&house, "after a restart");
        script(&house, &mut ledger, seed).await.unwrap();
        ledger.check(&house, "at the end");
        house.check_nothing_is_wasted("at the end").await;
        remains = house.kill();
    }
}

/// Every operation of the script fails once, for each kind of fault.
async fn each_operation_fails_once(fault: Fault) {
    let (mut met, mut ended, mut resumed, mut swept) = (BTreeMap::new(), 0, 0, 0);
    for n in 0.. {
        let when = format!("{fault:?} at operation {n}");
        let house = House::open(Remains::nothing(), Faults::default()).await.ok().expect("an empty disk");
        let mut ledger = Ledger::default();
        house.faults.fail(fault, n);
        let ran = script(&house, &mut ledger, 1).await;
        let Some(kind) = house.faults.struck() else {
            assert!(ran.is_ok(), "{when}");
            println!(
                "{fault:?}: {n} operations, each failed once {met:?}; the process ended {ended} times, {resumed} uploads \
                 went on, {swept} files swept"
            );
            // Otherwise the faults met nothing, or nothing came through them.
            let kinds: &[_] =
                if fault == Fault::Broken { &["Read", "Remove", "Sync", "Write"] } else { &["Sync", "Write"] };
            assert!(met.keys().eq(kinds), "{met:?}");
            assert!(resumed > 0, "no upload ever went on");
            // A full disk leaves no file behind: what fails there is cleaned up where it failed.
            assert!(fault == Fault::Full || swept > 0, "no crash left a file");
            return;
        };
        *met.entry(format!("{kind:?}")).or_insert(0) += 1;
        let mut house = house;
        if let Some(why) = house.faults.died() {
            // A full disk ends the process in one case alone: when an error behind the point of no return leaves it open
            // whether a commit is durable. What is written there is written in place, so that only filesystems that
            // allocate anew for it (copy on write, network) can be full at that moment.
            let in_doubt = why.contains("not known");
            assert!(fault == Fault::Broken || in_doubt, "{when}: {why}");
            ended += 1;
            let remains = if n % 2 == 0 { house.kill() } else { house.cut(&mut Dice(n)) };
            house = House::open(remains, Faults::default()).await.ok().expect("the fault is over");
        }
        // Without a restart, unless that was it.
        ledger.check(&house, &when);
        resumed += ledger.finish_open(&house, &when).await;
        script(&house, &mut ledger, 1).await.unwrap_or_else(|error| panic!("{when}: again: {error}"));
        ledger.check(&house, &when);
        house.check_nothing_is_wasted(&when).await;
        swept += ledger.swept;
        let house = House::open(house.cut(&mut Dice(n)), Faults::default()).await.ok().expect("no faults");
        ledger.check(&house, &format!("{when}, after a power cut"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_operation_meets_a_full_disk_once() {
    each_operation_fails_once(Fault::Full).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_operation_meets_a_broken_disk_once() {
    each_operation_fails_once(Fault::Broken).await;
}

/// Power cuts at random points, in three lives each; also while the store is being opened.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_power_cut_loses_nothing_that_was_acknowledged() {
    let (_, steps) = settled().await;
    let (first, count) = (rounds("MSR_LITE_CUT_SEED", 1), rounds("MSR_LITE_CUTS", 200));
    let (mut cuts, mut at_start, mut resumed, mut swept) = (0, 0, 0, 0);
    for seed in first..first + count {
        let mut dice = Dice(seed);
        let mut ledger = Ledger::default();
        let mut house = House::open(Remains::nothing(), Faults::default()).await.ok().expect("an empty disk");
        for life in 0..3 {
            let when = format!("seed {seed}, life {life}");
            house.faults.cut(dice.below(steps + steps / 10));
            let ran = script(&house, &mut ledger, 10 * life).await;
            assert!(ran.is_ok() || house.faults.is_out(), "{when}: {}", ran.unwrap_err());
            cuts += 1;
            let mut remains = house.cut(&mut dice);
            if dice.coin() {
                let faults = Faults::default();
                faults.cut(dice.below(40));
                remains = match House::open(remains, faults).await {
                    Ok(house) => house.cut(&mut dice),
                    Err(remains) => {
                        at_start += 1;
                        remains
                    }
                };
            }
            house = House::open(remains, Faults::default()).await.ok().expect("the power is back");
            ledger.check(&house, &when);
            resumed += ledger.finish_open(&house, &when).await;
            ledger.check(&house, &when);
        }
        script(&house, &mut ledger, 1).await.unwrap_or_else(|error| panic!("seed {seed}: again: {error}"));
        ledger.check(&house, &format!("seed {seed}, at the end"));
        house.check_nothing_is_wasted(&format!("seed {seed}, at the end")).await;
        swept += ledger.swept;
    }
    println!(
        "seeds {first} to {}: {cuts} power cuts, {at_start} more at start; {resumed} uploads went on after one, {swept} files \
         swept",
        first + count - 1
    );
    assert!(count < 20 || (at_start > 0 && resumed > 0 && swept > 0), "the cuts fell nowhere");
}
