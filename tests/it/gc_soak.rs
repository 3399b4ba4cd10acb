//! Pushers, pullers and deleters against a collector that never rests, on the real clock; and what a run costs over
//! many rows.
//!
//! `MSR_LITE_SOAK_PUSHES=50000 MSR_LITE_SOAK_LEASE=3 cargo test --release --test it gc_soak -- --nocapture` prints the
//! figures of a long soak; `cargo test --test it many_links -- --ignored --nocapture` those of one run.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use msr_lite::base::{Clock, RepoId};
use msr_lite::meta::manifest::{Edge, EdgeRole};
use msr_lite::meta::{MetaError, Mode, blob, lease, manifest};
use msr_lite::oci::Digest;
use msr_lite::registry::gc::Options;
use parking_lot::Mutex;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::harness::{Lab, OCI_MANIFEST, code, descriptor, noise, sha256};

const WORKERS: u64 = 8;
const REPOS: u64 = 4;
/// Layers that all pushes choose from.
const SHARED: u64 = 12;

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|value| value.parse().ok()).unwrap_or(default)
}

/// A generator that repeats (splitmix64).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % sides
    }
}

/// An image that was acknowledged: its blobs with their sizes.
type Image = BTreeMap<Digest, usize>;

struct Soak {
    lab: Lab,
    /// What an answer is good for.
    promise: Duration,
    living: Mutex<BTreeMap<(u64, Digest), Image>>,
    pushes: AtomicU64,
    pulls: AtomicU64,
    deletes: AtomicU64,
    late: AtomicU64,
    broken: Mutex<Vec<String>>,
    over: AtomicBool,
}

impl Soak {
    fn fails(&self, what: String) {
        self.broken.lock().push(what);
    }

    /// Makes a blob be there, as clients do: ask, mount, upload.
    async fn ensure(&self, dice: &mut Dice, repo: u64, content: &[u8]) {
        let digest = sha256(content);
        if self.lab.head(&format!("/v2/soak/r{repo}/blobs/{digest}")).await.status() == StatusCode::OK {
            return;
        }
        let from = (repo + 1 + dice.roll(REPOS - 1)) % REPOS;
        let mount = format!("/v2/soak/r{repo}/blobs/uploads/?mount={digest}&from=soak/r{from}");
        let answer = self.lab.request(Method::POST, &mount).send().await.unwrap();
        if answer.status() == StatusCode::CREATED {
            return;
        }
        assert_eq!(answer.status(), StatusCode::ACCEPTED);
        let location = answer.headers()["location"].to_str().unwrap().to_owned();
        let half = content.len() / 2;
        let patch = self.lab.request(Method::PATCH, &location).body(content[..half].to_vec()).send().await.unwrap();
        assert_eq!(patch.status(), StatusCode::ACCEPTED);
        let put = self.lab.request(Method::PUT, &format!("{location}?digest={digest}"));
        let put = put.body(content[half..].to_vec()).send().await.unwrap();
        assert_eq!(put.status(), StatusCode::CREATED);
    }

    async fn push(&self, dice: &mut Dice, n: u64) {
        let repo = dice.roll(REPOS);
        let config = format!(r#"{{"architecture":"amd64","os":"linux","n":{n}}}"#).into_bytes();
        let mut layers: BTreeMap<u64, Vec<u8>> = BTreeMap::new();
        for _ in 0..=dice.roll(3) {
            let seed = dice.roll(SHARED);
            layers.insert(seed, noise(1_000 + 3_500 * usize::try_from(seed).unwrap(), seed + 1));
        }
        if dice.roll(3) == 0 {
            layers.insert(1_000 + n, noise(17_000, 1_000 + n));
        }
        let image: Image = layers.values().chain([&config]).map(|content| (sha256(content), content.len())).collect();
        let described: Vec<Value> = layers
            .values()
            .map(|layer| descriptor("application/vnd.oci.image.layer.v1.tar+gzip", &sha256(layer), layer.len()))
            .collect();
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": descriptor("application/vnd.oci.image.config.v1+json", &sha256(&config), config.len()),
            "layers": described,
        });
        let digest = sha256(manifest.to_string().as_bytes());
        let reference = if dice.roll(2) == 0 { format!("t{n}") } else { digest.to_string() };
        loop {
            let began = Instant::now();
            for content in layers.values().chain([&config]) {
                self.ensure(dice, repo, content).await;
            }
            let answer = self.lab.put_manifest(&format!("soak/r{repo}"), &reference, OCI_MANIFEST, &manifest).await;
            match answer.status() {
                StatusCode::CREATED if answer.headers().contains_key("warning") => {
                    self.fails(format!("push {n} was stored incomplete"));
                    return;
                }
                StatusCode::CREATED => {
                    self.living.lock().insert((repo, digest), image);
                    self.pushes.fetch_add(1, Ordering::Relaxed);
                    return;
                }
                // A client that took longer than what it was told holds must push again.
                _ if began.elapsed() >= self.promise => drop(self.late.fetch_add(1, Ordering::Relaxed)),
                status => {
                    let code = code(answer).await;
                    self.fails(format!("push {n} was refused with {status} {code} after {:?}", began.elapsed()));
                    return;
                }
            }
        }
    }

    fn choose(&self, dice: &mut Dice) -> Option<((u64, Digest), Image)> {
        let living = self.living.lock();
        let nth = usize::try_from(dice.roll(living.len().max(1) as u64)).unwrap();
        living.iter().nth(nth).map(|(key, image)| (*key, image.clone()))
    }

    async fn pull(&self, dice: &mut Dice) {
        let Some(((repo, digest), image)) = self.choose(dice) else { return };
        let mut answers = vec![self.lab.get(&format!("/v2/soak/r{repo}/manifests/{digest}")).await];
        for layer in image.keys() {
            answers.push(self.lab.get(&format!("/v2/soak/r{repo}/blobs/{layer}")).await);
        }
        let bad = answers.iter().map(reqwest::Response::status).find(|status| *status != StatusCode::OK);
        if let Some(status) = bad
            && self.living.lock().contains_key(&(repo, digest))
        {
            self.fails(format!("a pull of {digest} was answered {status}"));
        }
        self.pulls.fetch_add(1, Ordering::Relaxed);
    }

    async fn delete(&self, dice: &mut Dice) {
        let Some(((repo, digest), _)) = self.choose(dice) else { return };
        if self.living.lock().remove(&(repo, digest)).is_some() {
            let answer = self.lab.delete(&format!("/v2/soak/r{repo}/manifests/{digest}")).await;
            assert_eq!(answer.status(), StatusCode::ACCEPTED);
            self.deletes.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Bytes of the blob files on disk, and of those that should be.
    fn disk(&self) -> (u64, u64) {
        let blobs = self.lab.server.registry().blobs();
        let files = blobs.list(None, usize::MAX).unwrap();
        let there = files.iter().map(|file| blobs.size(*file).unwrap().unwrap_or(0)).sum();
        let living = self.living.lock();
        let large: BTreeSet<_> = living.values().flatten().filter(|(_, size)| **size > 16 * 1024).collect();
        (there, large.into_iter().map(|(_, size)| *size as u64).sum())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nothing_acknowledged_is_lost_and_all_else_goes() {
    let (pushes, lease) = (setting("MSR_LITE_SOAK_PUSHES", 120), setting("MSR_LITE_SOAK_LEASE", 3));
    let lab = Lab::on_clock(Clock::system(), Mode::Normal, |config| config.gc.lease_seconds = lease).await;
    let soak = Arc::new(Soak {
        lab,
        promise: Duration::from_secs(lease) / 2,
        living: Mutex::default(),
        pushes: AtomicU64::new(0),
        pulls: AtomicU64::new(0),
        deletes: AtomicU64::new(0),
        late: AtomicU64::new(0),
        broken: Mutex::default(),
        over: AtomicBool::new(false),
    });
    let began = Instant::now();
    let collector = tokio::spawn({
        let soak = soak.clone();
        async move {
            let (mut runs, mut freed) = (0_u64, 0);
            while !soak.over.load(Ordering::Relaxed) {
                soak.lab.server.runner().drain().await.unwrap();
                if let Ok(report) = soak.lab.server.registry().collect_garbage(Options::default()).await {
                    assert_eq!(report.missing_files, 0);
                    runs += 1;
                    freed += report.freed.file_bytes();
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            (runs, freed)
        }
    });
    let mut workers = tokio::task::JoinSet::new();
    for worker in 0..WORKERS {
        let soak = soak.clone();
        workers.spawn(async move {
            let mut dice = Dice(worker);
            for n in (worker..pushes).step_by(usize::try_from(WORKERS).unwrap()) {
                soak.push(&mut dice, n).await;
                match dice.roll(10) {
                    0..=4 => soak.delete(&mut dice).await,
                    5..=7 => soak.pull(&mut dice).await,
                    _ => {}
                }
            }
        });
    }
    while let Some(ended) = workers.join_next().await {
        ended.unwrap();
    }
    let took = began.elapsed();
    let dry = |soak: &Arc<Soak>| {
        let registry = soak.lab.server.registry().clone();
        async move { registry.collect_garbage(Options::default()).await }
    };
    // Leases of what nothing refers to run out while the collector goes on.
    tokio::time::sleep(Duration::from_secs(lease + 1)).await;
    soak.over.store(true, Ordering::Relaxed);
    let (runs, freed) = collector.await.unwrap();
    dry(&soak).await.unwrap();

    assert_eq!(*soak.broken.lock(), Vec::<String>::new());
    let living = soak.living.lock().clone();
    for ((repo, digest), image) in &living {
        let head = soak.lab.head(&format!("/v2/soak/r{repo}/manifests/{digest}")).await;
        assert_eq!(head.status(), StatusCode::OK);
        for (layer, size) in image {
            let got = soak.lab.get(&format!("/v2/soak/r{repo}/blobs/{layer}")).await;
            assert_eq!(got.status(), StatusCode::OK);
            let bytes = got.bytes().await.unwrap();
            assert_eq!((bytes.len(), sha256(&bytes)), (*size, *layer));
        }
    }
    let (there, should) = soak.disk();
    assert!(there >= should && there <= should + should / 50, "{there} bytes on disk for {should} that live");
    println!(
        "{} pushes, {} pulls, {} deletes, {runs} collections that freed {freed} bytes, in {took:?}; {} pushes took longer \
         than half a lease and were repeated; {} images live, {there} bytes on disk for {should} that live",
        soak.pushes.load(Ordering::Relaxed),
        soak.pulls.load(Ordering::Relaxed),
        soak.deletes.load(Ordering::Relaxed),
        soak.late.load(Ordering::Relaxed),
        living.len(),
    );
}

/// What a run costs: `MSR_LITE_GC_LINKS` links, one half of which nothing refers to.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement, not a test"]
async fn a_run_over_many_links() {
    let links = setting("MSR_LITE_GC_LINKS", 100_000);
    let lab = Lab::new(Mode::Normal).await;
    let registry = lab.server.registry().clone();
    let now = lab.clock.now();
    let parent = sha256(b"a parent");
    for chunk in (0..links).collect::<Vec<_>>().chunks(1_000) {
        let chunk = chunk.to_vec();
        let write = registry.meta().write(move |tx| {
            for n in &chunk {
                let content = n.to_be_bytes().to_vec();
                let digest = sha256(&content);
                blob::put_inline(tx, &digest, &content.into(), now);
                blob::link(tx, RepoId(n % 100), &digest, 8, now)?;
                lease::grow(tx, &digest, 1_000)?;
                if n % 2 == 0 {
                    manifest::put_edge(tx, RepoId(n % 100), &digest, &parent, &Edge { roles: vec![EdgeRole::Layer] });
                }
            }
            Ok::<_, MetaError>(())
        });
        write.await.unwrap();
    }
    for what in ["all leased", "one half to go", "nothing to go"] {
        let (began, commits) = (Instant::now(), registry.meta().commits());
        let freed = registry.collect_garbage(Options::default()).await.unwrap().freed;
        let commits = registry.meta().commits() - commits;
        println!("{links} links, {what}: {:?}, {} links went in {commits} commits", began.elapsed(), freed.links);
        let began = Instant::now();
        let goes = registry.survey_garbage(Options::default()).await.unwrap().goes;
        println!("{links} links, survey after it: {:?}, {} links to go", began.elapsed(), goes.links);
        lab.clock.advance(Duration::from_mins(1));
    }
}
