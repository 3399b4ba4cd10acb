//! The real server does what chance says, and its trace is replayed on the model.

use std::sync::Arc;
use std::time::Duration;

use msr_lite::meta::Mode;
use msr_lite::oci::{Digest, RepoName};
use msr_lite::registry::gc::Options;
use msr_lite::registry::trace::TraceEvent;
use parking_lot::Mutex;
use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::harness::{Lab, OCI_INDEX, OCI_MANIFEST, code, descriptor, noise, sha256};
use crate::replay::{Names, Told, replay};
use crate::state::{DIGESTS, FILES};

/// A third of the default lease: the model counts three ticks.
const TICK: Duration = Duration::from_hours(8);
/// Servers whose traces are replayed.
const SERVERS: u64 = 6;
const REPOS: [&str; 2] = ["lab/one", "lab/two"];

/// What is pushed: two blobs too large to be kept in the metadata, an image of both, an index over it, an index over
/// that.
struct Content {
    blobs: [Vec<u8>; 2],
    manifests: [(&'static str, Vec<u8>); 3],
}

impl Content {
    fn new() -> Self {
        let blobs = [noise(20_000, 1), noise(30_000, 2)];
        let image = json!({
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": descriptor("application/vnd.oci.image.config.v1+json", &sha256(&blobs[0]), blobs[0].len()),
            "layers": [descriptor("application/vnd.oci.image.layer.v1.tar", &sha256(&blobs[1]), blobs[1].len())],
        })
        .to_string()
        .into_bytes();
        let over = |kind: &str, child: &[u8]| {
            let child = descriptor(kind, &sha256(child), child.len());
            json!({ "schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [child] }).to_string().into_bytes()
        };
        let index = over(OCI_MANIFEST, &image);
        let nested = over(OCI_INDEX, &index);
        Self { blobs, manifests: [(OCI_MANIFEST, image), (OCI_INDEX, index), (OCI_INDEX, nested)] }
    }

    fn digests(&self) -> [Digest; DIGESTS] {
        let [one, two] = &self.blobs;
        let [(_, image), (_, index), (_, nested)] = &self.manifests;
        [one, two, image, index, nested].map(|bytes| sha256(bytes))
    }
}

/// Numbers by chance, the same for the same seed.
struct Chance(u64);

impl Chance {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
        ((self.0 >> 33) % limit as u64) as usize
    }
}

struct Served {
    lab: Lab,
    content: Content,
    trace: Arc<Mutex<Vec<Told>>>,
}

impl Served {
    async fn new(mode: Mode) -> Self {
        let lab = Lab::with(mode, |config| config.gc.untagged_days = 1).await;
        let served = Self { lab, content: Content::new(), trace: Arc::default() };
        served.observe();
        served
    }

    fn observe(&self) {
        let trace = Arc::clone(&self.trace);
        let observer = move |event: &TraceEvent| trace.lock().push(Told::Event(event.clone()));
        self.lab.server.registry().trace().observe(Arc::new(observer));
    }

    fn tell(&self, told: Told) {
        self.trace.lock().push(told);
    }

    /// Whether the model has numbers for that many more uploads: it counts what refers to a file.
    fn has_room(&self, uploads: usize) -> bool {
        let blobs = self.lab.server.registry().blobs();
        blobs.list(None, 100).unwrap().len() + uploads <= FILES && blobs.open_sessions() + uploads <= 2
    }

    async fn push(&self, repo: &str, blob: usize) {
        self.lab.push_blob(repo, &self.content.blobs[blob]).await;
    }

    /// An upload in two requests, of which the second may not come.
    async fn upload(&self, repo: &str, blob: usize, comes_back: bool) {
        let place = self.lab.begin_upload(repo).await;
        let bytes = self.content.blobs[blob].clone();
        let request = if comes_back {
            let separator = if place.contains('?') { '&' } else { '?' };
            self.lab.request(Method::PUT, &format!("{place}{separator}digest={}", sha256(&bytes)))
        } else {
            self.lab.request(Method::PATCH, &place)
        };
        let answer = request.body(bytes).send().await.unwrap();
        assert!(answer.status().is_success(), "{}", answer.status());
    }

    async fn put(&self, repo: &str, k: usize, tagged: bool) {
        let (kind, bytes) = &self.content.manifests[k];
        let digest = sha256(bytes);
        let reference = if tagged { "latest".to_owned() } else { digest.to_string() };
        let answer = self.lab.put_bytes(repo, &reference, kind, bytes.clone()).await;
        if answer.status() != StatusCode::CREATED {
            assert_eq!(code(answer).await, "MANIFEST_BLOB_UNKNOWN");
            self.tell(Told::PutRefused(repo.parse().unwrap(), digest));
        }
    }

    async fn collect(&self) {
        self.lab.server.registry().collect_garbage(Options::default()).await.unwrap();
    }

    /// One thing by chance.
    async fn act(&self, chance: &mut Chance) {
        let repo = REPOS[chance.below(2)];
        let blob = chance.below(2);
        let digest = sha256(&self.content.blobs[blob]);
        match chance.below(16) {
            0..=2 if self.has_room(1) => self.push(repo, blob).await,
            3 if self.has_room(1) => self.upload(repo, blob, true).await,
            4 if self.has_room(1) => self.upload(repo, blob, false).await,
            // At the same time, and while a collection runs.
            5 if self.has_room(2) => {
                tokio::join!(self.push(repo, blob), self.push(REPOS[0], 1 - blob), self.collect());
            }
            6 => drop(self.lab.head(&format!("/v2/{repo}/blobs/{digest}")).await),
            7 => {
                let from = REPOS[usize::from(repo == REPOS[0])];
                // Only if it is there: otherwise the mount begins an upload.
                if self.lab.get(&format!("/v2/{from}/blobs/{digest}")).await.status() == StatusCode::OK {
                    let path = format!("/v2/{repo}/blobs/uploads/?mount={digest}&from={from}");
                    assert_eq!(self.lab.request(Method::POST, &path).send().await.unwrap().status(), 201);
                }
            }
            8..=10 => self.put(repo, chance.below(3), chance.below(2) == 0).await,
            11 => match chance.below(3) {
                0 => {
                    let gone = self.lab.delete(&format!("/v2/{repo}/manifests/latest")).await;
                    if gone.status() == StatusCode::ACCEPTED {
                        self.tell(Told::TagDeleted(repo.parse().unwrap()));
                    }
                }
                1 => drop(self.lab.delete(&format!("/v2/{repo}/blobs/{digest}")).await),
                _ => {
                    let manifest = sha256(&self.content.manifests[chance.below(3)].1);
                    drop(self.lab.delete(&format!("/v2/{repo}/manifests/{manifest}")).await);
                }
            },
            12 => self.collect().await,
            _ => {
                self.lab.clock.advance(TICK);
                self.tell(Told::Tick);
                self.lab.server.runner().drain().await.unwrap();
            }
        }
    }

    async fn restart(mut self) -> Self {
        // Remembers the time.
        self.lab.server.runner().drain().await.unwrap();
        self.tell(Told::Restarted);
        self.lab = self.lab.restart().await;
        self.observe();
        self
    }
}

/// The trace of a server that does so many things.
async fn serve(seed: u64, things: usize, mode: Mode) -> (Names, Vec<Told>) {
    let mut served = Served::new(mode).await;
    let names = Names {
        repos: REPOS.map(|name| name.parse::<RepoName>().unwrap()),
        digests: served.content.digests(),
        start: served.lab.clock.steady(),
        tick: u64::try_from(TICK.as_millis()).unwrap(),
    };
    let mut chance = Chance(seed);
    for _ in 0..things {
        if chance.below(40) == 0 {
            served = served.restart().await;
        }
        served.act(&mut chance).await;
    }
    let trace = served.trace.lock().clone();
    (names, trace)
}

/// The replay's verdict, with the lines before the one that does not fit.
fn check(names: &Names, trace: &[Told]) -> Result<(), String> {
    replay(names, trace).map_err(|refused| {
        let before = &trace[refused.at.saturating_sub(20)..refused.at.min(trace.len())];
        let before: Vec<String> = before.iter().map(|told| format!("  {told:?}")).collect();
        format!("line {}: {}\nbefore:\n{}", refused.at, refused.why, before.join("\n"))
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn traces_of_the_server_are_runs_of_the_model() {
    let mut servers = tokio::task::JoinSet::new();
    for seed in 1..=SERVERS {
        let mode = if seed % 2 == 0 { Mode::Normal } else { Mode::Strict };
        servers.spawn(async move { (seed, serve(seed, 80, mode).await) });
    }
    let mut lines = 0;
    while let Some(served) = servers.join_next().await {
        let (seed, (names, trace)) = served.unwrap();
        check(&names, &trace).unwrap_or_else(|why| panic!("seed {seed}, {why}"));
        lines += trace.len();
    }
    println!("replayed {lines} lines of {SERVERS} servers");
}

/// Whether the line is one without which, or before whose predecessor, no run of the model goes on.
fn matters(trace: &[Told], at: usize) -> bool {
    use TraceEvent::{Doomed, Forgotten, Published, Purged, RowCollected, SessionBegan};
    let Told::Event(event) = &trace[at] else { return false };
    let later = |wanted: &dyn Fn(&TraceEvent) -> bool| {
        trace[at + 1..].iter().any(|told| matches!(told, Told::Event(event) if wanted(event)))
    };
    match event {
        Doomed { .. } | RowCollected { .. } => true,
        SessionBegan { upload, .. } => {
            later(&|event| matches!(event, Published { upload: same, .. } if same == upload))
        }
        Purged { file } => later(&|event| matches!(event, Forgotten { file: same } if same == file)),
        _ => false,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_trace_that_was_changed_is_refused() {
    let (names, trace) = serve(7, 80, Mode::Normal).await;
    check(&names, &trace).unwrap();
    let (mut tried, mut refused) = (0, 0);
    for at in 0..trace.len() {
        let mut without = trace.clone();
        let line = without.remove(at);
        let verdict = replay(&names, &without);
        assert!(verdict.is_err() || !matters(&trace, at), "line {at} is missing and nobody notices: {line:?}");
        tried += 1;
        refused += usize::from(verdict.is_err());
        let last = at + 1 == trace.len();
        if !last && matters(&trace, at) && is_next_step(&trace[at], &trace[at + 1]) {
            let mut swapped = trace.clone();
            swapped.swap(at, at + 1);
            assert!(replay(&names, &swapped).is_err(), "lines {at} and {} are swapped and nobody notices", at + 1);
            tried += 1;
            refused += 1;
        }
    }
    println!("{refused} of {tried} changes to {} lines refused", trace.len());
    // The others change nothing that matters: a HEAD that renewed nothing, or a link that was given again later.
    assert!(refused * 2 > tried);
}

/// Whether the second line can only follow the first.
fn is_next_step(first: &Told, second: &Told) -> bool {
    use TraceEvent::{Doomed, Forgotten, Published, Purged, RowCollected, SessionBegan};
    let (Told::Event(first), Told::Event(second)) = (first, second) else { return false };
    match (first, second) {
        (Doomed { .. }, Published { .. } | RowCollected { .. }) => true,
        (Purged { file }, Forgotten { file: same }) => file == same,
        (SessionBegan { upload, .. }, Published { upload: same, .. }) => upload == same,
        _ => false,
    }
}
