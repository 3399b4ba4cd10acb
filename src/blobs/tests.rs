//! What is true of the file system behind the contract: what a crash or a full disk leaves, and what costs a thread.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering::SeqCst;

use tokio::sync::mpsc;

use super::layout::Layout;
use super::sidecar::{Heading, Sidecar, Stored};
use super::suite::{Lab, Live, REPO, content, pieces, put, read, sha256};
use super::*;

fn layout(lab: &Lab) -> Layout {
    Layout::new(lab.data.path())
}

fn names(directory: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        std::fs::read_dir(directory).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort_unstable();
    names
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

fn stored(lab: &Lab, id: UploadId) -> Option<Sidecar> {
    Sidecar::decode(&std::fs::read(layout(lab).sidecar(id)).ok()?)
}

/// A store with one durable session that holds `bytes`, closed again.
async fn stopped(lab: &Lab, bytes: &Bytes) -> (UploadId, PathBuf) {
    let blobs = lab.open();
    let id = blobs.begin(&REPO, "alice", None, true).await.unwrap();
    put(&blobs, id, bytes).await.unwrap();
    let file = layout(lab).file(stored(lab, id).unwrap().file);
    (id, file)
}

/// Sends the rest and checks the whole.
async fn goes_on(blobs: &Blobs, id: UploadId, whole: &Bytes) {
    let offset = usize::try_from(blobs.status(id, &REPO).unwrap().offset).unwrap();
    put(blobs, id, &whole.slice(offset..)).await.unwrap();
    let sealed = blobs.seal(id, &REPO, sha256(whole)).await.unwrap();
    assert_eq!((sealed.size, read(blobs, &sealed).await), (whole.len() as u64, whole.clone()));
}

#[tokio::test]
async fn directories_and_files_are_for_this_user_alone() {
    let lab = Lab::new();
    let (id, file) = stopped(&lab, &content(20_000)).await;
    let layout = layout(&lab);
    assert_eq!(names(layout.blobs()).len(), 256);
    for directory in [layout.blobs(), layout.uploads(), &layout.shelf(0), &layout.shelf(255)] {
        assert_eq!(mode(directory), 0o700, "{}", directory.display());
    }
    assert_eq!((mode(&file), mode(&layout.sidecar(id))), (0o600, 0o600));
}

#[test]
fn a_missing_data_directory_is_not_made() {
    let lab = Lab::new();
    let missing = lab.data.path().join("not-mounted");
    let options = BlobOptions { session_ttl: Duration::from_secs(1), max_blob: 1 };
    let opened = Blobs::open(&missing, options, lab.clock.clone(), |_| Ok(false));
    assert!(matches!(opened, Err(BlobError::Io(_))));
    assert!(!missing.exists());
}

#[tokio::test]
async fn a_file_is_cut_to_what_was_secured() {
    let lab = Lab::new();
    let bytes = content(100_000);
    let (id, file) = stopped(&lab, &bytes.slice(..60_000)).await;
    let mut longer = std::fs::read(&file).unwrap();
    longer.extend_from_slice(b"bytes that were written and never secured");
    std::fs::write(&file, longer).unwrap();
    let blobs = lab.open();
    assert_eq!(std::fs::metadata(&file).unwrap().len(), 60_000);
    goes_on(&blobs, id, &bytes).await;
}

#[tokio::test]
async fn a_session_whose_file_is_missing_or_too_short_is_dropped() {
    for length in [None, Some(59_999)] {
        let lab = Lab::new();
        let (id, file) = stopped(&lab, &content(60_000)).await;
        match length {
            None => std::fs::remove_file(&file).unwrap(),
            Some(length) => std::fs::write(&file, content(length)).unwrap(),
        }
        let blobs = lab.open();
        assert!(matches!(blobs.status(id, &REPO), Err(BlobError::UnknownSession)));
        assert!(!file.exists() && names(layout(&lab).uploads()).is_empty());
    }
}

#[tokio::test]
async fn a_file_that_was_just_made_is_made_again() {
    let lab = Lab::new();
    let bytes = content(50_000);
    let (id, file) = stopped(&lab, &bytes.slice(..9_000)).await;
    std::fs::write(&file, b"the first bytes, of which the sidecar knows nothing").unwrap();
    let blobs = lab.open();
    assert!(!file.exists());
    assert_eq!(blobs.status(id, &REPO).unwrap().offset, 9_000);
    goes_on(&blobs, id, &bytes).await;
}

#[tokio::test]
async fn torn_and_unfinished_sidecars_are_removed() {
    let lab = Lab::new();
    let (torn, file) = stopped(&lab, &content(20_000)).await;
    let layout = layout(&lab);
    let whole = std::fs::read(layout.sidecar(torn)).unwrap();
    std::fs::write(layout.sidecar(torn), &whole[..whole.len() / 2]).unwrap();
    std::fs::write(layout.unfinished_sidecar(UploadId::random()), &whole).unwrap();
    std::fs::write(layout.uploads().join("lost+found"), b"none of ours").unwrap();
    let blobs = lab.open();
    assert_eq!(names(layout.uploads()), ["lost+found"]);
    // Its file is left to the sweep: nothing tells any more whose it was.
    assert_eq!(blobs.list(None, 10).unwrap().len(), 1);
    assert!(file.exists() && blobs.owned().is_empty());
}

#[tokio::test]
async fn without_a_usable_hash_state_the_file_is_hashed_again() {
    let lab = Lab::new();
    let bytes = content(3_000_000);
    let (id, _) = stopped(&lab, &bytes.slice(..2_500_000)).await;
    let old = stored(&lab, id).unwrap();
    let heading = Heading {
        repo: old.repo,
        owner: &old.owner,
        file: old.file,
        algorithm: Algorithm::Sha256,
        durable: true,
        started: old.started,
        active: old.active,
    };
    std::fs::write(layout(&lab).sidecar(id), Sidecar::file(&heading, 2_500_000, None).encode()).unwrap();
    goes_on(&lab.open(), id, &bytes).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn progress_is_secured_while_bytes_arrive() {
    let lab = Lab::new();
    let options = BlobOptions { session_ttl: Duration::from_mins(1), max_blob: u64::MAX };
    let blobs = Blobs::open(lab.data.path(), options.clone(), lab.clock.clone(), |_| Ok(false)).unwrap();
    let bytes = content(70 << 20);
    let id = blobs.begin(&REPO, "alice", None, true).await.unwrap();
    let (sender, receiver) = mpsc::unbounded_channel();
    let writer = tokio::spawn({
        let blobs = blobs.clone();
        async move { blobs.append(id, &REPO, None, Live(receiver)).await }
    });
    for at in (0..68 << 20).step_by(1 << 20) {
        sender.send(bytes.slice(at..at + (1 << 20))).unwrap();
    }
    let secured = loop {
        match stored(&lab, id).unwrap().stored() {
            Some(Stored::File { offset, .. }) => break offset,
            _ => tokio::task::yield_now().await,
        }
    };
    assert_eq!(secured, 64 << 20);

    // The power fails here: what the directory holds is what another process finds.
    let (after, file) = (Lab::new(), stored(&lab, id).unwrap().file);
    drop(after.open());
    std::fs::copy(layout(&lab).file(file), layout(&after).file(file)).unwrap();
    std::fs::copy(layout(&lab).sidecar(id), layout(&after).sidecar(id)).unwrap();
    let found = Blobs::open(after.data.path(), options, after.clock.clone(), |_| Ok(false)).unwrap();
    assert_eq!(found.status(id, &REPO).unwrap().offset, secured);
    goes_on(&found, id, &bytes).await;

    drop(sender);
    writer.await.unwrap().unwrap();
    goes_on(&blobs, id, &bytes).await;
}

#[tokio::test]
async fn a_full_disk_keeps_nothing_of_the_append() {
    for (first, room) in [(0, 0), (0, 20_000), (9_000, 5_000), (9_000, 700_000), (30_000, 0), (30_000, 1_200_000)] {
        let lab = Lab::new();
        let blobs = lab.open();
        let bytes = content(2_000_000);
        let id = blobs.begin(&REPO, "alice", None, true).await.unwrap();
        put(&blobs, id, &bytes.slice(..first)).await.unwrap();

        blobs.0.fs.seam.room.store(room, SeqCst);
        let full = put(&blobs, id, &bytes.slice(first..)).await;
        assert!(matches!(full, Err(BlobError::DiskFull)), "{full:?}");
        assert_eq!(blobs.status(id, &REPO).unwrap().offset, first as u64);
        let file = layout(&lab).file(stored(&lab, id).unwrap().file);
        let length = std::fs::metadata(&file).map(|m| m.len()).unwrap_or_default();
        assert_eq!(length, if first > INLINE_MAX { first as u64 } else { 0 });

        blobs.0.fs.seam.room.store(u64::MAX, SeqCst);
        if room == 0 {
            drop(blobs);
            goes_on(&lab.open(), id, &bytes).await;
        } else {
            goes_on(&blobs, id, &bytes).await;
        }
    }
}

#[tokio::test]
async fn a_length_that_the_disk_cannot_hold_is_refused_at_once() {
    let lab = Lab::new();
    let options = BlobOptions { session_ttl: Duration::from_mins(1), max_blob: u64::MAX };
    let blobs = Blobs::open(lab.data.path(), options, lab.clock.clone(), |_| Ok(false)).unwrap();
    let id = blobs.begin(&REPO, "alice", None, true).await.unwrap();
    let how = Append { expected: Some(1 << 60), ..Append::default() };
    let refused = blobs.append_with(id, &REPO, how, pieces(&content(100_000), 50_000)).await;
    assert!(matches!(refused, Err(BlobError::DiskFull)), "{refused:?}");
    assert_eq!(blobs.status(id, &REPO).unwrap().offset, 0);
    assert_eq!(blobs.list(None, 10).unwrap(), []);
}

#[tokio::test]
async fn space_that_was_set_aside_in_vain_is_given_back() {
    let lab = Lab::new();
    let blobs = lab.open();
    let id = blobs.begin(&REPO, "alice", None, true).await.unwrap();
    let how = Append { expected: Some(32 << 20), ..Append::default() };
    blobs.append_with(id, &REPO, how, pieces(&content(100_000), 50_000)).await.unwrap();
    let file = std::fs::metadata(layout(&lab).file(stored(&lab, id).unwrap().file)).unwrap();
    assert!(file.len() == 100_000 && file.blocks() * 512 < 1 << 20, "{} blocks", file.blocks());
}

#[test]
fn small_blobs_cost_no_other_thread() {
    let runtime = tokio::runtime::Builder::new_current_thread().max_blocking_threads(1).build().unwrap();
    let (release, wait) = std::sync::mpsc::channel::<()>();
    runtime.block_on(async {
        // The only blocking thread is taken: whoever needs one would wait for ever.
        let taken = tokio::task::spawn_blocking(move || wait.recv());
        let lab = Lab::new();
        let blobs = lab.open();
        let bytes = content(INLINE_MAX);
        for durable in [false, true] {
            let id = blobs.begin(&REPO, "alice", None, durable).await.unwrap();
            put(&blobs, id, &bytes).await.unwrap();
            blobs.seal(id, &REPO, sha256(&bytes)).await.unwrap();
            blobs.end(id);
        }
        release.send(()).unwrap();
        taken.await.unwrap().unwrap();
        assert_eq!(names(layout(&lab).uploads()), Vec::<String>::new());
    });
}

#[tokio::test]
async fn an_idle_session_holds_no_descriptor() {
    let lab = Lab::new();
    let blobs = lab.open();
    let id = blobs.begin(&REPO, "alice", None, true).await.unwrap();
    put(&blobs, id, &content(200_000)).await.unwrap();
    assert!(blobs.seal(id, &REPO, sha256(b"other")).await.is_err());
    let open = names(Path::new("/proc/self/fd")).into_iter().filter(|fd| {
        std::fs::read_link(format!("/proc/self/fd/{fd}")).is_ok_and(|path| path.starts_with(layout(&lab).blobs()))
    });
    assert_eq!(open.count(), 0);
}

#[tokio::test]
async fn a_directory_that_cannot_be_written_is_an_error_that_leaves_nothing() {
    let lab = Lab::new();
    let blobs = lab.open();
    let bytes = content(50_000);
    let id = blobs.begin(&REPO, "alice", None, true).await.unwrap();
    put(&blobs, id, &bytes.slice(..100)).await.unwrap();
    let layout = layout(&lab);
    let shelf = layout.shelf_of(stored(&lab, id).unwrap().file);

    // Directories that are gone refuse root too, whom permissions do not stop.
    std::fs::remove_dir(&shelf).unwrap();
    assert!(matches!(put(&blobs, id, &bytes.slice(100..)).await, Err(BlobError::Io(_))));
    assert_eq!(blobs.status(id, &REPO).unwrap().offset, 100);
    std::fs::create_dir(&shelf).unwrap();
    goes_on(&blobs, id, &bytes).await;

    std::fs::rename(layout.uploads(), lab.data.path().join("aside")).unwrap();
    assert!(matches!(blobs.begin(&REPO, "alice", None, true).await, Err(BlobError::Io(_))));
    assert_eq!(blobs.open_sessions(), 1);
}

/// Requests that write, close, cancel, look and go away in the middle, all at once on the same few sessions: whatever
/// the order, content that was sealed is right, and in the end nothing is left.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn whatever_comes_at_once_nothing_is_left_behind() {
    let lab = Lab::new();
    let blobs = lab.open();
    let bytes = content(400_000);
    for round in 0..20_usize {
        let mut ids = Vec::new();
        for n in 0..3 {
            ids.push(blobs.begin(&REPO, "alice", None, n != 2).await.unwrap());
        }
        let requests: Vec<_> = (0..24_usize)
            .map(|n| {
                let (blobs, bytes, id) = (blobs.clone(), bytes.clone(), ids[n % 3]);
                tokio::spawn(async move {
                    let patience = Duration::from_micros(((n * 7_919 + round * 104_729) % 4_000) as u64);
                    let request = async {
                        let offset = usize::try_from(blobs.status(id, &REPO)?.offset).unwrap();
                        match (n / 3 + round) % 8 {
                            0 => blobs.cancel(id, &REPO).await?,
                            1 | 2 => drop(blobs.seal(id, &REPO, sha256(&bytes[..offset])).await?),
                            3 => drop(blobs.expire(1, |_| Ok(false)).await?),
                            _ => {
                                let range = Some((offset as u64, (bytes.len() - offset) as u64));
                                blobs.append(id, &REPO, range, pieces(&bytes.slice(offset..), 3_000 + n * 999)).await?;
                            }
                        }
                        Ok::<_, BlobError>(())
                    };
                    if n % 2 == 0 {
                        request.await
                    } else {
                        tokio::time::timeout(patience, request).await.unwrap_or(Ok(()))
                    }
                })
            })
            .collect();
        for request in requests {
            match request.await.unwrap() {
                // The last two: the session grew between the look at it and what was asked.
                Ok(())
                | Err(
                    BlobError::Busy
                    | BlobError::UnknownSession
                    | BlobError::WrongOffset { .. }
                    | BlobError::DigestMismatch { .. },
                ) => {}
                Err(other) => panic!("{other}"),
            }
        }
        for id in ids {
            while matches!(blobs.seal(id, &REPO, sha256(b"")).await, Err(BlobError::Busy)) {
                tokio::task::yield_now().await;
            }
            if let Ok(status) = blobs.status(id, &REPO) {
                let received = bytes.slice(..usize::try_from(status.offset).unwrap());
                let sealed = blobs.seal(id, &REPO, sha256(&received)).await.unwrap();
                assert_eq!(read(&blobs, &sealed).await, received);
                blobs.cancel(id, &REPO).await.unwrap();
            }
        }
    }
    // What a cancelled request leaves to its keeper is gone in a moment.
    while !blobs.list(None, 1).unwrap().is_empty() || !names(layout(&lab).uploads()).is_empty() {
        tokio::task::yield_now().await;
    }
    assert_eq!(blobs.open_sessions(), 0);
}
