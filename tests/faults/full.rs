//! A real filesystem of some megabytes, full again and again, while garbage is collected about every second: pulls never
//! stop, nothing that was acknowledged is lost, and it recovers by itself, whether somebody else gives space back or its
//! own collection does.
//!
//! `MSR_LITE_FULL_ROUNDS=50 cargo test --release --test faults full -- --nocapture`, as root. `MSR_LITE_FULL_SEED` picks
//! other sizes and moments.

use std::collections::VecDeque;
use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::client::{Asker, Dice, Ledger, Server, Site, Told, image, sha256};
use crate::meanwhile::{Collections, Collector, Puller, Pulls};
use crate::{rounds, skip};

const MIB: u64 = 1 << 20;
const SIZE: u64 = 96 * MIB;
/// Longer than a push of one image takes.
const LEASE: Duration = Duration::from_secs(4);
const CONFIG: &str = "log = \"warn\"\n[storage]\nreserve_mib = 8\nballast_mib = 6\n[gc]\nlease_seconds = 4\n";
/// As above.
const BALLAST: u64 = 6 * MIB;

/// What stays of the images before a round, and what is there when the disk fills. What lies between is more than it
/// takes to leave the reserve (a ninth MiB beyond it is asked for) and to make the ballast again, so that deletions
/// alone can bring the registry back.
const FEW: u64 = 4 * MIB;
const MANY: u64 = 28 * MIB;

/// The longest time that space may take to come back: a lease, a collection, the look at the disk, and a busy machine.
const SOON: Duration = Duration::from_secs(30);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_tmpfs_is_got_over() {
    fill_again_and_again("tmpfs", |place, _| mount(&["-t", "tmpfs", "-o", &format!("size={SIZE}"), "tmpfs"], place))
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_ext4_is_got_over() {
    fill_again_and_again("ext4", |place, scratch| {
        let image = scratch.join("image");
        File::create(&image).unwrap().set_len(SIZE).unwrap();
        run(Command::new("mkfs.ext4").args(["-q", "-m", "0"]).arg(&image))?;
        mount(&["-o", "loop", image.to_str().unwrap()], place)
    })
    .await;
}

/// A mounted filesystem; taken away with the value.
struct Mounted(PathBuf);

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = Command::new("umount").args(["--lazy"]).arg(&self.0).status();
    }
}

/// Mounts, or tells why that cannot be done here.
fn mount(what: &[&str], place: &Path) -> Result<Mounted, String> {
    std::fs::create_dir(place).unwrap();
    run(Command::new("mount").args(what).arg(place))?;
    Ok(Mounted(place.to_owned()))
}

fn run(command: &mut Command) -> Result<(), String> {
    let output = command.output().map_err(|error| format!("{}: {error}", command.get_program().display()))?;
    let error = String::from_utf8_lossy(&output.stderr);
    if output.status.success() { Ok(()) } else { Err(error.lines().next().unwrap_or_default().to_owned()) }
}

async fn fill_again_and_again(kind: &str, mount: impl Fn(&Path, &Path) -> Result<Mounted, String>) {
    let (times, seed) = (rounds("MSR_LITE_FULL_ROUNDS", 6), rounds("MSR_LITE_FULL_SEED", 1));
    let scratch = tempfile::tempdir().unwrap();
    let place = scratch.path().join(kind);
    let mounted = match mount(&place, scratch.path()) {
        Ok(mounted) => mounted,
        Err(reason) => return skip(&format!("a_full_{kind}_is_got_over"), &format!("no {kind} (root?): {reason}")),
    };
    let mut lab = Lab::start(scratch.path(), place, Dice(seed)).await;
    for round in 0..times {
        lab.when = format!("{kind}, seed {seed}, round {round}");
        lab.round().await;
    }
    lab.end(&format!("{kind}: filled {times} times, seed {seed}")).await;
    drop(mounted);
}

/// An image that was acknowledged whole.
struct Image {
    tag: String,
    manifest: String,
    blobs: [String; 2],
    bytes: u64,
}

impl Image {
    fn paths(&self) -> impl Iterator<Item = &String> {
        [&self.tag, &self.manifest].into_iter().chain(&self.blobs)
    }
}

/// What is counted.
#[derive(Default)]
struct Counts {
    images: u64,
    refused: u64,
    deleted: u64,
    deleted_when_full: u64,
    restarts: u64,
    /// Times the ballast was taken, too, and a deletion refused.
    starved: u64,
    recovered_by_itself: u64,
    collections: Collections,
    /// Those while not a block was free.
    collections_when_full: u64,
    pulls: Pulls,
    longest_after_others: Duration,
    longest_by_itself: Duration,
}

/// A registry on a small filesystem, with collections and pulls going on beside.
struct Lab {
    site: Site,
    place: PathBuf,
    server: Server,
    asker: Asker,
    ledger: Ledger,
    dice: Dice,
    shelf: VecDeque<Image>,
    /// `None` only while the server is killed, or when a collection would be in the way.
    puller: Option<Puller>,
    collector: Option<Collector>,
    counts: Counts,
    when: String,
}

impl Lab {
    async fn start(scratch: &Path, place: PathBuf, mut dice: Dice) -> Self {
        let site = Site::new(scratch, &place.join("data"), CONFIG);
        let (server, _) = Server::start(&site).await;
        let (asker, ledger) = (site.sign_in(), Ledger::default());
        let puller = Some(Puller::begin(&asker, &ledger, Dice(dice.roll())));
        let collector = Some(Collector::begin(&site));
        let (shelf, counts, when) = (VecDeque::new(), Counts::default(), String::new());
        Self { site, place, server, asker, ledger, dice, shelf, puller, collector, counts, when }
    }

    async fn round(&mut self) {
        // What was deleted before comes back, or there would soon be no more room for the test.
        self.delete_down_to(FEW).await;
        self.wait("deletions give no space back", |lab| bytes(&lab.place.join("data/blobs")) <= FEW + MIB).await;
        while self.standing() < MANY {
            let told = self.push().await;
            assert_eq!(told, Told::Yes, "{}: there is room", self.when);
            if self.dice.below(4) == 0 {
                self.delete().await;
            }
        }

        // Somebody else takes what there is, up to a point between nothing and a little more than the reserve.
        let outside = File::create(self.place.join("outside")).unwrap();
        let left = self.dice.below(12 * MIB);
        self.take_all_but_the_ballast(&outside, free(&self.place).saturating_sub(left));
        self.push_until_refused().await;
        self.check("refused").await;

        // To the last block, and into what the reserve left.
        self.take_all_but_the_ballast(&outside, SIZE);
        assert_eq!(self.push().await, Told::Full, "{}", self.when);
        self.check("full").await;
        let ready = self.asker.get("/readyz").await.unwrap().unwrap();
        assert!(String::from_utf8_lossy(&ready).starts_with("ready to pull; pushes are refused"), "{}", self.when);

        if self.dice.below(4) == 0 {
            self.starve(&outside).await;
        } else {
            self.recover(&outside).await;
        }
    }

    /// Deletions and collections go on, for the ballast pays for them; then space comes back.
    async fn recover(&mut self, outside: &File) {
        let by_itself = self.dice.below(2) == 0;
        let before = (self.counts.deleted, self.counts.collections.done);
        self.delete_down_to(if by_itself { FEW } else { self.standing() / 2 }).await;
        // The one that is going on belongs to this.
        self.collect_no_more().await;
        self.collector = Some(Collector::begin(&self.site));
        self.counts.deleted_when_full += self.counts.deleted - before.0;
        let collections = self.counts.collections.done - before.1;
        assert!(collections > 0, "{}: no collection on a full disk: {:?}", self.when, self.counts.collections.failed);
        self.counts.collections_when_full += collections;
        self.check("deleted on a full disk").await;
        if self.dice.below(3) == 0 {
            self.restart().await;
            self.check("started again on a full disk").await;
        }

        // Space comes back, and with it everything else.
        if !by_itself {
            self.give_back(outside);
        }
        let took = self.wait_for_pushes().await;
        let longest =
            if by_itself { &mut self.counts.longest_by_itself } else { &mut self.counts.longest_after_others };
        *longest = took.max(*longest);
        self.counts.recovered_by_itself += u64::from(by_itself);
        self.check("recovered").await;
        if by_itself {
            self.give_back(outside);
        }
    }

    /// Somebody else takes what the ballast gave, too. Then not even a deletion can be written (docs/reliability.md tells
    /// of this limit): it is refused in words, and nothing is lost by it. But for those for which the store finds room in
    /// its own file, where earlier rows stood: now and then these are all.
    async fn starve(&mut self, outside: &File) {
        self.collect_no_more().await;
        while self.standing() > FEW {
            fill(outside, SIZE);
            if self.delete_oldest().await == Told::Full {
                self.counts.starved += 1;
                break;
            }
        }
        fill(outside, SIZE);
        assert_eq!(self.push().await, Told::Full, "{}", self.when);
        self.check("starved").await;
        if self.dice.below(2) == 0 {
            self.restart().await;
            self.collect_no_more().await;
            self.check("started again while starved").await;
        }
        self.give_back(outside);
        self.collector = Some(Collector::begin(&self.site));
        let took = self.wait_for_pushes().await;
        self.counts.longest_after_others = took.max(self.counts.longest_after_others);
        self.check("recovered").await;
    }

    /// Grows what is outside by at most `bytes`. What the ballast gave if it was given up meanwhile is left to the
    /// registry.
    fn take_all_but_the_ballast(&self, outside: &File, bytes: u64) {
        fill(outside, bytes);
        if !self.has_ballast() {
            let length = outside.metadata().unwrap().len();
            outside.set_len(length.saturating_sub(BALLAST)).unwrap();
        }
    }

    fn give_back(&self, outside: &File) {
        std::fs::remove_file(self.place.join("outside")).unwrap();
        outside.set_len(0).unwrap();
    }

    fn has_ballast(&self) -> bool {
        self.place.join("data/ballast").exists()
    }

    /// Until they are taken again and the ballast stands; tells how long the first took.
    async fn wait_for_pushes(&mut self) -> Duration {
        let begun = Instant::now();
        while self.push().await != Told::Yes {
            assert!(begun.elapsed() < SOON, "{}: it does not recover\n{}", self.when, self.server.log());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let took = begun.elapsed();
        self.wait("no ballast again", Self::has_ballast).await;
        assert!(self.server.is_running(), "{}: the server ended\n{}", self.when, self.server.log());
        took
    }

    /// Refusals begin within the second for which a look at the disk is good.
    async fn push_until_refused(&mut self) {
        let (mut pushes, mut refusals) = (0, 0);
        while refusals < 3 {
            pushes += 1;
            assert!(pushes < 400, "{}: the disk does not fill", self.when);
            match self.push().await {
                Told::Full => refusals += 1,
                _ if pushes % 6 == 0 => self.delete().await,
                _ => {}
            }
        }
    }

    /// Pushes an image of some hundred kilobytes; the first answer that is not yes ends it. Yes or full, nothing else.
    async fn push(&mut self) -> Told {
        let length = 20_000 + self.dice.below(1_200_000);
        let (config, layer) = (self.dice.bytes(500), self.dice.bytes(length));
        let tag = format!("/v2/lab/full/manifests/t{}", self.dice.below(1 << 40));
        let blobs = [&config, &layer].map(|content| format!("/v2/lab/full/blobs/{}", sha256(content)));
        let begun = Instant::now();
        let mut told = Told::Yes;
        let mut acknowledged = Vec::new();
        for (path, content) in blobs.iter().zip([&config, &layer]) {
            told = self.asker.push_blob("lab/full", content, self.dice.below(2) == 0).await;
            if told != Told::Yes {
                break;
            }
            acknowledged.push((path, content));
        }
        let manifest = image(&config, &layer);
        if told == Told::Yes {
            told = self.asker.put_manifest("lab/full", tag.rsplit('/').next().unwrap(), &manifest).await;
        }
        match told {
            Told::Yes => {
                let digest = format!("/v2/lab/full/manifests/{}", sha256(manifest.as_bytes()));
                for path in [&tag, &digest] {
                    self.ledger.stands(path, manifest.as_bytes());
                }
                for (path, content) in acknowledged {
                    self.ledger.stands(path, content);
                }
                self.counts.images += 1;
                self.shelf.push_back(Image { tag, manifest: digest, blobs, bytes: layer.len() as u64 });
            }
            Told::Full => {
                // No manifest will name them, so they stand for as long as their lease.
                for (path, content) in acknowledged {
                    let found = self.asker.get(path).await.unwrap();
                    let lost = begun.elapsed() < LEASE && found.as_ref() != Some(content);
                    assert!(!lost, "{}: {path} was acknowledged and is lost", self.when);
                }
                self.counts.refused += 1;
            }
            other => panic!("{}: {other:?} after {:?}\n{}", self.when, begun.elapsed(), self.server.log()),
        }
        told
    }

    /// The manifest by its digest: the blobs follow by themselves, when their leases are over. Yes or full, nothing else.
    async fn delete_oldest(&mut self) -> Told {
        let Some(image) = self.shelf.pop_front() else { return Told::Yes };
        // Before it is asked for, for those who pull meanwhile.
        let stood = self.ledger.open_all(image.paths());
        let told = self.asker.delete(&image.manifest).await;
        match told {
            Told::Yes => {
                image.paths().for_each(|path| self.ledger.forget(path));
                for path in [&image.tag, &image.manifest] {
                    assert_eq!(self.asker.get(path).await.unwrap(), None, "{}: {path} was deleted", self.when);
                }
                self.counts.deleted += 1;
            }
            Told::Full => {
                self.ledger.stand_again(stood);
                self.shelf.push_front(image);
            }
            other => panic!("{}: {other:?}: {}\n{}", self.when, image.manifest, self.server.log()),
        }
        told
    }

    async fn delete(&mut self) {
        assert_eq!(self.delete_oldest().await, Told::Yes, "{}\n{}", self.when, self.server.log());
    }

    async fn delete_down_to(&mut self, bytes: u64) {
        while self.standing() > bytes {
            self.delete().await;
        }
    }

    /// Bytes of the images that stand.
    fn standing(&self) -> u64 {
        self.shelf.iter().map(|image| image.bytes).sum()
    }

    async fn check(&self, what: &str) {
        self.ledger.check(&self.asker, &format!("{}, {what}", self.when)).await;
    }

    async fn wait(&self, otherwise: &str, until: impl Fn(&Self) -> bool) {
        let begun = Instant::now();
        while !until(self) {
            assert!(begun.elapsed() < SOON, "{}: {otherwise}\n{}", self.when, self.server.log());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Waits for the collection that is going on; no other begins.
    async fn collect_no_more(&mut self) {
        if let Some(collector) = self.collector.take() {
            self.counts.collections.add(collector.end().await);
        }
    }

    async fn pull_no_more(&mut self) {
        if let Some(puller) = self.puller.take() {
            self.counts.pulls.add(&puller.end().await);
        }
    }

    /// SIGKILL, and again.
    async fn restart(&mut self) {
        self.collect_no_more().await;
        self.pull_no_more().await;
        self.server.kill();
        self.server = Server::start(&self.site).await.0;
        self.puller = Some(Puller::begin(&self.asker, &self.ledger, Dice(self.dice.roll())));
        self.collector = Some(Collector::begin(&self.site));
        self.counts.restarts += 1;
    }

    /// Deletes everything, waits until not a file is left of it, and tells what there was.
    async fn end(mut self, what: &str) {
        self.delete_down_to(0).await;
        self.wait("files are left of what was deleted", |lab| files(&lab.place.join("data/blobs")).is_empty()).await;
        let uploads = files(&self.place.join("data/uploads"));
        assert_eq!(uploads, [] as [PathBuf; 0], "uploads that were refused and cancelled");
        self.pull_no_more().await;
        self.collect_no_more().await;
        let Counts { images, refused, deleted, deleted_when_full, restarts, starved, recovered_by_itself, .. } =
            self.counts;
        let Counts { collections, collections_when_full, pulls, longest_after_others, longest_by_itself, .. } =
            self.counts;
        println!(
            "{what}: {images} images acknowledged and none lost, {refused} pushes refused; {deleted} deleted, \
             {deleted_when_full} of them on the full disk; {} collections, {collections_when_full} of them on the full disk, \
             {} failed, {} MiB freed; {} pulls without a break, the longest {:?}; {restarts} kills on the full disk; \
             {starved} times the ballast was taken, too, and a deletion refused; \
             pushes taken again {longest_after_others:?} at most after others gave space, {longest_by_itself:?} at most \
             where deletions alone did ({recovered_by_itself} times; a lease is {LEASE:?})",
            collections.done,
            collections.failed.len(),
            collections.freed / MIB,
            pulls.count,
            pulls.longest,
        );
        collections.failed.iter().for_each(|error| println!("a collection failed: {error}"));
        assert!(collections.failed.len() as u64 <= collections.done / 10, "{what}: collections fail");
        assert!(pulls.count > 0 && collections.freed > 0, "{what}: nothing went on beside");
        assert!(pulls.longest < Duration::from_secs(10), "{what}: pulls stopped for {:?}", pulls.longest);
    }
}

/// Files in a directory and its children.
fn files(directory: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

/// Their bytes. One that is removed meanwhile has none.
fn bytes(directory: &Path) -> u64 {
    files(directory).iter().filter_map(|file| Some(file.metadata().ok()?.len())).sum()
}

/// Grows a file by as many bytes as there is room for, at most `bytes`.
fn fill(file: &File, bytes: u64) {
    let (mut at, block) = (file.metadata().unwrap().len(), vec![0x5a; 64 * 1024]);
    let end = at + bytes;
    // The last block of the disk goes in small pieces.
    for piece in [block.len(), 4096, 512] {
        while at < end && file.write_all_at(&block[..piece], at).is_ok() {
            at += piece as u64;
        }
    }
    let _ = file.sync_all();
}

fn free(place: &Path) -> u64 {
    let found = rustix::fs::statvfs(place).unwrap();
    found.f_bavail * found.f_frsize
}
