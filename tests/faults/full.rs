//! A real filesystem of some megabytes, full again and again.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::client::{Asker, Dice, Ledger, Server, Site, Told, image, sha256};
use crate::rounds;

const MIB: u64 = 1 << 20;
const SIZE: u64 = 96 * MIB;
const CONFIG: &str = "log = \"warn\"\n[storage]\nreserve_mib = 8\nballast_mib = 6\n";

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
        let made = Command::new("mkfs.ext4").args(["-q", "-m", "0"]).arg(&image).status();
        if !made.is_ok_and(|status| status.success()) {
            return None;
        }
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

fn mount(what: &[&str], place: &Path) -> Option<Mounted> {
    std::fs::create_dir(place).unwrap();
    let mounted = Command::new("mount").args(what).arg(place).output();
    mounted.is_ok_and(|output| output.status.success()).then(|| Mounted(place.to_owned()))
}

async fn fill_again_and_again(kind: &str, mount: impl Fn(&Path, &Path) -> Option<Mounted>) {
    let (times, seed) = (rounds("MSR_LITE_FULL_ROUNDS", 6), rounds("MSR_LITE_FULL_SEED", 1));
    let scratch = tempfile::tempdir().unwrap();
    let place = scratch.path().join(kind);
    let Some(mounted) = mount(&place, scratch.path()) else {
        println!("SKIPPED a_full_{kind}_is_got_over: {kind} cannot be mounted here (it takes root)");
        return;
    };
    let site = Site::new(scratch.path(), &place.join("data"), CONFIG);
    let (mut server, _) = Server::start(&site).await;
    let (mut asker, mut ledger, mut dice) = (site.sign_in(), Ledger::default(), Dice(seed));
    let (mut refused, mut deleted, mut longest) = (0, 0, Duration::ZERO);
    let mut images = 0;
    for round in 0..times {
        let when = format!("{kind}, seed {seed}, round {round}");
        if free(&place) < 32 * MIB {
            // What was deleted waits for its lease; the test does not, and begins with a new registry.
            server.kill();
            std::fs::remove_dir_all(place.join("data")).unwrap();
            server = Server::start(&site).await.0;
            (asker, ledger) = (site.sign_in(), Ledger::default());
        }
        for _ in 0..4 {
            images += u64::from(push(&asker, &ledger, &mut dice).await == Told::Yes);
        }
        // Somebody else takes what there is, up to a point between nothing and a little more than the reserve.
        let outside = File::create(place.join("outside")).unwrap();
        fill(&outside, free(&place).saturating_sub(dice.below(12 * MIB)));
        // Refusals begin within the second for which a look is good.
        let (mut pushes, mut refusals) = (0, 0);
        while refusals < 3 {
            pushes += 1;
            assert!(pushes < 400, "{when}: the disk does not fill");
            match push(&asker, &ledger, &mut dice).await {
                Told::Yes => images += 1,
                Told::Full => refusals += 1,
                other => panic!("{when}: {other:?}\n{}", server.log()),
            }
        }
        refused += refusals;
        ledger.check(&asker, &when).await;
        // To the last block, and into what the reserve left.
        fill(&outside, SIZE);
        let answer = push(&asker, &ledger, &mut dice).await;
        assert_eq!(answer, Told::Full, "{when}");
        ledger.check(&asker, &when).await;
        let ready = asker.get("/readyz").await.unwrap().unwrap();
        assert!(String::from_utf8_lossy(&ready).starts_with("ready to pull; pushes are refused"), "{when}");

        // Deletions go on; the ballast pays for them.
        let standing = ledger.standing();
        let tags: Vec<_> = standing.iter().filter(|(path, _)| path.contains("/manifests/")).collect();
        for (path, _) in tags.iter().take(tags.len() / 2) {
            assert_eq!(asker.delete(path).await, Told::Yes, "{when}: {path}\n{}", server.log());
            ledger.forget(path);
            deleted += 1;
        }
        ledger.check(&asker, &when).await;
        if dice.below(3) == 0 {
            server.kill();
            server = Server::start(&site).await.0;
            ledger.check(&asker, &format!("{when}, started again on a full disk")).await;
        }

        // Space comes back, and with it everything else.
        drop(outside);
        std::fs::remove_file(place.join("outside")).unwrap();
        let begun = Instant::now();
        while push(&asker, &ledger, &mut dice).await != Told::Yes {
            assert!(begun.elapsed() < Duration::from_secs(20), "{when}: it does not recover\n{}", server.log());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        longest = longest.max(begun.elapsed());
        assert!(server.is_running(), "{when}: the server ended\n{}", server.log());
        while !place.join("data/ballast").exists() {
            assert!(begun.elapsed() < Duration::from_secs(30), "{when}: no ballast again");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
    println!(
        "{kind}: filled {times} times, seed {seed}: {images} images acknowledged and none lost, {refused} pushes refused, \
         {deleted} deletions on the full disk, pushes taken again after {longest:?} at most"
    );
    drop(server);
    drop(mounted);
}

/// Pushes an image of some hundred kilobytes; the first answer that is not yes ends it.
async fn push(asker: &Asker, ledger: &Ledger, dice: &mut Dice) -> Told {
    let length = 20_000 + dice.below(600_000);
    let (config, layer, tag) = (dice.bytes(500), dice.bytes(length), format!("t{}", dice.below(1 << 40)));
    for content in [&config, &layer] {
        match asker.push_blob("lab/full", content, dice.below(2) == 0).await {
            Told::Yes => ledger.stands(&format!("/v2/lab/full/blobs/{}", sha256(content)), content),
            other => return other,
        }
    }
    let manifest = image(&config, &layer);
    let told = asker.put_manifest("lab/full", &tag, &manifest).await;
    if told == Told::Yes {
        ledger.stands(&format!("/v2/lab/full/manifests/{tag}"), manifest.as_bytes());
    }
    told
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
