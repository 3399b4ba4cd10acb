//! Files, kills and faults.

use std::io::{self, BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::*;
use crate::meta::engine::faulty::{Disk, Operation};

#[test]
fn a_file_is_in_use_until_its_last_clone_is_dropped() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("metadata.redb");
    let engine = Engine::open(&path, EngineOptions::default()).unwrap();
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    assert!(matches!(Engine::open(&path, EngineOptions::default()), Err(MetaError::InUse)));
    let clone = engine.clone();
    drop(engine);
    assert!(matches!(Engine::open(&path, EngineOptions::default()), Err(MetaError::InUse)));
    drop(clone);
    Engine::open(&path, EngineOptions::default()).unwrap();
}

#[test]
fn what_is_queued_is_finished_before_the_last_drop_returns() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("metadata.redb");
    let engine = start(Source::File(path.clone()), Mode::Normal).unwrap();
    for n in 0..200_u8 {
        drop(queue(&engine, move |tx| tx.put_new(ROWS, &[n], Vec::new())));
    }
    drop(engine);
    let engine = start(Source::File(path), Mode::Normal).unwrap();
    assert_eq!(keys(&engine).len(), 200);
    assert_eq!(engine.commits(), 0, "nothing to make anew");
}

#[test]
fn a_file_that_is_no_store_is_refused_and_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("metadata.redb");
    let content = b"something else entirely, long enough to be looked at".repeat(200);
    std::fs::write(&path, &content).unwrap();
    assert!(Engine::open(&path, EngineOptions::default()).is_err());
    assert_eq!(std::fs::read(&path).unwrap(), content);
    let nowhere = directory.path().join("nowhere/metadata.redb");
    match Engine::open(&nowhere, EngineOptions::default()) {
        Err(MetaError::Storage(what)) => assert!(what.contains("nowhere"), "{what}"),
        _ => panic!("a directory that is not there"),
    }
}

#[test]
fn a_first_start_that_a_power_cut_ended_is_begun_anew() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("metadata.redb");
    let unfinished = directory.path().join("metadata.redb.new");
    // What redb leaves before the magic number is on disk.
    std::fs::write(&unfinished, vec![0; 1 << 20]).unwrap();
    let engine = start(Source::File(path.clone()), Mode::Normal).unwrap();
    put(&engine, b"row", b"kept").unwrap();
    drop(engine);
    assert!(!unfinished.exists());

    std::fs::write(&unfinished, b"of no account beside a store").unwrap();
    let engine = start(Source::File(path), Mode::Normal).unwrap();
    assert_eq!(get(&engine, b"row").unwrap(), b"kept");
}

/// Writes a row of 5 kB whose effects are logged.
fn put_logged(engine: &Engine, n: u64, log: &Log) -> Answer<()> {
    let log = log.clone();
    write(engine, move |tx| {
        tx.put(ROWS, &n.to_be_bytes(), vec![7; 5_000]);
        tx.on_commit(log.note("commit"));
        tx.on_abort(log.note("abort"));
        Ok(())
    })
}

#[test]
fn a_full_disk_is_told_and_got_over() {
    let disk = Disk::default();
    let engine = start(Source::Faulty(disk.clone()), Mode::Normal).unwrap();
    let (log, mut acknowledged, mut refused) = (Log::default(), Vec::new(), 0);
    for n in 0..300 {
        disk.fill((100..200).contains(&n));
        match put_logged(&engine, n, &log) {
            Ok(()) => {
                acknowledged.push(n.to_be_bytes().to_vec());
                assert_eq!(log.take(), ["commit"]);
            }
            Err(WriteError::Store(MetaError::DiskFull)) => {
                refused += 1;
                assert!((100..200).contains(&n), "{n}");
                assert_eq!(log.take(), ["abort"]);
            }
            Err(error) => panic!("{error:?}"),
        }
        assert_eq!(keys(&engine), acknowledged, "reads go on, over what was acknowledged");
    }
    assert!(refused > 50, "{refused} of 100");
}

#[test]
fn whichever_write_of_a_commit_finds_the_disk_full_the_answer_is_true() {
    let disk = Disk::default();
    let engine = start(Source::Faulty(disk.clone()), Mode::Normal).unwrap();
    let (log, mut acknowledged, mut refused) = (Log::default(), Vec::new(), 0);
    for n in 0.. {
        disk.fail(Operation::Write, n, io::ErrorKind::StorageFull);
        let answer = put_logged(&engine, n, &log);
        let struck = disk.struck();
        match answer {
            Ok(()) => acknowledged.push(n.to_be_bytes().to_vec()),
            Err(WriteError::Store(MetaError::DiskFull)) => refused += 1,
            Err(error) => panic!("{error:?}"),
        }
        assert_eq!(keys(&engine), acknowledged);
        if !struck {
            break;
        }
    }
    assert!(refused > 3, "{refused} faults struck");
}

#[test]
fn all_of_a_batch_fail_when_the_disk_is_full() {
    let disk = Disk::default();
    let (engine, log) = (start(Source::Faulty(disk.clone()), Mode::Normal).unwrap(), Log::default());
    let held = hold(&engine);
    let answers: Vec<_> = (0..8_u8)
        .map(|n| {
            let notes = log.clone();
            queue(&engine, move |tx| {
                tx.on_abort(notes.note(n.to_string()));
                tx.on_commit(notes.note("commit"));
                tx.put(ROWS, &[n], Vec::new());
                // A refusal may rest on what the others wrote, which is now undone.
                if n == 5 { Err(refusal()) } else { Ok(()) }
            })
        })
        .collect();
    disk.fail(Operation::Write, 0, io::ErrorKind::StorageFull);
    held.release();
    for answer in answers {
        assert!(matches!(wait(answer), Err(WriteError::Store(MetaError::DiskFull))));
    }
    assert_eq!(log.take(), ["0", "1", "2", "3", "4", "5", "6", "7"]);
    put(&engine, b"next", b"").unwrap();
    assert_eq!(keys(&engine), [b"next"]);
}

#[test]
fn a_read_fault_is_got_over_without_a_write() {
    let disk = Disk::default();
    let options = EngineOptions { cache: 0, ..EngineOptions::default() };
    let engine = Engine::start(Source::Faulty(disk.clone()), options, TABLES).unwrap();
    put(&engine, b"k", b"v").unwrap();
    disk.fail(Operation::Read, 0, io::ErrorKind::Other);
    let read = || engine.read::<_, MetaError>(|tx| tx.get(ROWS, b"k"));
    assert!(matches!(read(), Err(MetaError::Storage(_))));
    // The failed read woke the writer, which opens the store again in its own time.
    let patience = Instant::now() + Duration::from_secs(20);
    while read().is_err() {
        assert!(Instant::now() < patience, "nobody opens it again");
        std::thread::yield_now();
    }
    assert_eq!(read().unwrap(), Some(b"v".to_vec()));
}

#[test]
fn a_read_fault_inside_a_closure_is_got_over_by_the_next() {
    let disk = Disk::default();
    let options = EngineOptions { cache: 0, ..EngineOptions::default() };
    let engine = Engine::start(Source::Faulty(disk.clone()), options, TABLES).unwrap();
    put(&engine, b"k", b"v").unwrap();
    let look = || write(&engine, |tx| tx.get(ROWS, b"k"));
    let mut inside = 0;
    // Each read in turn: those that begin the view, then those of the closure itself.
    for after in 0.. {
        disk.fail(Operation::Read, after, io::ErrorKind::Other);
        let answer = look();
        if !disk.struck() {
            break;
        }
        match answer {
            Err(WriteError::Refused(MetaError::Storage(_))) => inside += 1,
            Err(WriteError::Store(MetaError::Storage(_))) => {}
            other => panic!("{other:?}"),
        }
        assert_eq!(look().unwrap(), Some(b"v".to_vec()), "after a fault at read {after}");
    }
    assert!(inside > 0, "no fault struck inside the closure");
}

/// Names the part that a child process of the tests is to play.
const PART: &str = "MSR_LITE_META_TEST_PART";
const PATH: &str = "MSR_LITE_META_TEST_PATH";

/// This test program again, running only [`child`].
fn spawn(part: &str, path: &std::path::Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["meta::suite::disk::child", "--exact", "--nocapture", "--test-threads=1"])
        .env(PART, part)
        .env(PATH, path)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// Does nothing unless it is the child of another test.
#[test]
fn child() {
    let Ok(part) = std::env::var(PART) else { return };
    let disk = Disk::default();
    let other = io::ErrorKind::Other;
    match part.as_str() {
        "until killed" => {
            let path = std::env::var_os(PATH).expect("set by the parent");
            let engine = Engine::open(path.as_ref(), EngineOptions::default()).unwrap();
            for n in 0_u64.. {
                write(&engine, move |tx| tx.put_new(tables::META, &n.to_be_bytes(), vec![1; 300])).unwrap();
                println!("\nacknowledged {n}");
            }
        }
        "bad write" => fail_one(&disk, Operation::Write, 0, other),
        "bad sync" => fail_one(&disk, Operation::Sync, 0, other),
        "last sync" => fail_one(&disk, Operation::Sync, 1, io::ErrorKind::StorageFull),
        "first sync" => {
            fail_one(&disk, Operation::Sync, 0, io::ErrorKind::StorageFull);
        }
        part => panic!("no such part: {part}"),
    }
}

/// Prints how a write on this disk was answered, if it was.
fn fail_one(disk: &Disk, on: Operation, after: u64, kind: io::ErrorKind) {
    let engine = start(Source::Faulty(disk.clone()), Mode::Normal).unwrap();
    disk.fail(on, after, kind);
    let answer = put(&engine, b"k", b"v");
    println!("\nanswered {answer:?}");
    println!("\nrows {}", keys(&engine).len());
}

#[test]
fn a_kill_loses_nothing_that_was_acknowledged() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("metadata.redb");
    for _ in 0..3 {
        let mut acknowledged: Option<u64> = None;
        std::fs::remove_file(&path).ok();
        let mut child = spawn("until killed", &path);
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        for line in lines {
            let line = line.unwrap();
            if let Some(n) = line.strip_prefix("acknowledged ") {
                acknowledged = n.parse().ok();
                if acknowledged == Some(60) {
                    child.kill().unwrap();
                }
            }
        }
        child.wait().unwrap();
        let last = acknowledged.expect("the child wrote");
        assert!(last >= 60);
        let engine = Engine::open(&path, EngineOptions::default()).unwrap();
        let rows = engine.read::<_, MetaError>(|tx| tx.range(tables::META, &[], None, usize::MAX)).unwrap();
        let there = u64::try_from(rows.len()).unwrap();
        assert!((last + 1..=last + 2).contains(&there), "{last} acknowledged, {there} rows");
        assert!(rows.iter().zip(0_u64..).all(|((key, _), n)| *key == n.to_be_bytes()), "no holes");
    }
}

/// The exit status of a child and what it printed.
fn play(part: &str) -> (Option<i32>, String) {
    let output = spawn(part, "unused".as_ref()).wait_with_output().unwrap();
    (output.status.code(), String::from_utf8(output.stdout).unwrap())
}

#[test]
fn a_disk_fault_ends_the_process_and_answers_nobody() {
    for part in ["bad write", "bad sync", "last sync"] {
        let (status, output) = play(part);
        assert_eq!(status, Some(74), "{part}: {output}");
        assert!(!output.contains("answered"), "{part}: {output}");
    }
}

#[test]
fn a_disk_that_is_full_at_the_first_sync_only_fails_the_batch() {
    let (status, output) = play("first sync");
    assert_eq!(status, Some(0), "{output}");
    assert!(output.contains("answered Err(Store(DiskFull))") && output.contains("rows 0"), "{output}");
}
