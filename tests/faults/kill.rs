//! SIGKILL at any moment, under everything that a registry does.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::client::{Asker, Dice, Ledger, Server, Site, Told, image, sha256};
use crate::rounds;

/// Repositories, each with a worker of its own, which alone writes there.
const WORKERS: u64 = 4;

/// Longer than a blob that no manifest came to name stays in the ledger (ten cycles), so that none is missed rightly.
const LEASE_SECONDS: u64 = 20;

/// Images that a worker keeps; older ones are deleted, so that checking does not grow with the test.
const KEPT: usize = 6;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_loses_nothing_that_was_acknowledged() {
    let (cycles, seed) = (rounds("MSR_LITE_KILL_CYCLES", 50), rounds("MSR_LITE_KILL_SEED", 1));
    let scratch = tempfile::tempdir().unwrap();
    let config = format!("log = \"error\"\n[storage]\nballast_mib = 1\n[gc]\nlease_seconds = {LEASE_SECONDS}\n");
    let site = Site::new(scratch.path(), &scratch.path().join("data"), &config);
    let (ledger, mut dice) = (Ledger::default(), Dice(seed));
    let (mut longest, mut total, mut checked, mut images, mut collections) = (Duration::ZERO, Duration::ZERO, 0, 0, 0);
    let (mut server, _) = Server::start(&site).await;
    let mut shelves: Vec<Vec<Image>> = (0..WORKERS).map(|_| Vec::new()).collect();
    for cycle in 0..cycles {
        let workers = shelves.drain(..).enumerate().map(|(n, shelf)| {
            let dice = Dice(dice.roll());
            tokio::spawn(work(site.sign_in(), ledger.clone(), n, shelf, dice))
        });
        let workers: Vec<_> = workers.collect();
        let stop = Arc::new(AtomicBool::new(false));
        let collector = {
            let (site, stop) = (site.clone(), stop.clone());
            tokio::task::spawn_blocking(move || site.collect_until(&stop))
        };
        tokio::time::sleep(Duration::from_millis(30 + dice.below(270))).await;
        // Set before the kill, so that no run finds the server gone and opens the store itself.
        stop.store(true, Ordering::Relaxed);
        server.kill();
        collections += collector.await.unwrap();
        for worker in workers {
            let (shelf, pushed) = worker.await.unwrap();
            images += pushed;
            shelves.push(shelf);
        }
        let (again, took) = Server::start(&site).await;
        server = again;
        (longest, total) = (longest.max(took), total + took);
        checked += ledger.check(&site.sign_in(), &format!("seed {seed}, cycle {cycle}")).await;
        if cycle % 10 == 9 {
            // Compared up to ten times; from now on only what is still to be pulled and deleted.
            let kept = |path: &str| {
                shelves.iter().flatten().any(|image| path.ends_with(&image.tag) || path == image.layer_path)
            };
            ledger.keep(kept);
        }
        if cycle % 100 == 99 {
            println!("{} kills, {images} images, {checked} compared, longest start-up {longest:?}", cycle + 1);
        }
    }
    let mean = total.checked_div(u32::try_from(cycles).unwrap()).unwrap_or_default();
    println!(
        "{cycles} kills, seed {seed}: {images} images acknowledged, {collections} collections, {checked} manifests and blobs pulled and compared, \
         none lost or corrupt; start-up {mean:?} on average, {longest:?} at most"
    );
    // Otherwise nothing was under way that a kill could have met.
    assert!(images > 0 && collections > 0 && checked > 0, "the load did nothing");
    // The longest one says more about what else this machine was doing.
    assert!(mean < Duration::from_secs(1), "starts took {mean:?}");
}

/// An image that was acknowledged whole.
struct Image {
    tag: String,
    manifest: String,
    layer: Vec<u8>,
    layer_path: String,
}

/// Pushes, pulls and deletes until the server is gone.
async fn work(asker: Asker, ledger: Ledger, n: usize, mut shelf: Vec<Image>, mut dice: Dice) -> (Vec<Image>, u64) {
    let repo = format!("lab/kill-{n}");
    let path = |content: &[u8]| format!("/v2/{repo}/blobs/{}", sha256(content));
    let mut pushed = 0;
    loop {
        let most = if dice.below(8) == 0 { 3_000_000 } else { 60_000 };
        let (config, length) = (dice.bytes(500), 1_000 + dice.below(most));
        let (layer, tag) = (dice.bytes(length), format!("t{}", dice.below(1 << 40)));
        for content in [&config, &layer] {
            match asker.push_blob(&repo, content, dice.below(2) == 0).await {
                Told::Yes => ledger.stands(&path(content), content),
                Told::Nothing => return (shelf, pushed),
                other => panic!("{other:?}"),
            }
        }
        let manifest = image(&config, &layer);
        match asker.put_manifest(&repo, &tag, &manifest).await {
            Told::Yes => ledger.stands(&format!("/v2/{repo}/manifests/{tag}"), manifest.as_bytes()),
            Told::Nothing => return (shelf, pushed),
            other => panic!("{other:?}"),
        }
        pushed += 1;
        shelf.push(Image { tag, manifest, layer_path: path(&layer), layer });
        let some = &shelf[usize::try_from(dice.below(shelf.len() as u64)).unwrap()];
        match asker.get(&path(&some.layer)).await {
            Ok(found) => assert!(found.as_ref() == Some(&some.layer), "a pull under load"),
            Err(_) => return (shelf, pushed),
        }
        if shelf.len() > KEPT {
            let old = shelf.remove(0);
            let tagged = format!("/v2/{repo}/manifests/{}", old.tag);
            ledger.open(&tagged);
            match asker.delete(&format!("/v2/{repo}/manifests/{}", sha256(old.manifest.as_bytes()))).await {
                Told::Yes => ledger.forget(&tagged),
                Told::Nothing => return (shelf, pushed),
                other => panic!("{other:?}"),
            }
            let blob = path(&old.layer);
            ledger.open(&blob);
            match asker.delete(&blob).await {
                Told::Yes => ledger.forget(&blob),
                Told::Nothing => return (shelf, pushed),
                other => panic!("{other:?}"),
            }
        }
    }
}
