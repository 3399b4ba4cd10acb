use std::time::Duration;

use tempfile::TempDir;

use super::*;
use crate::base::Timestamp;

/// A filesystem of 1,000 MiB that is as full as the test says; the ballast takes part of it.
struct Disk {
    data: TempDir,
    used: Arc<AtomicU64>,
    clock: Clock,
}

impl Disk {
    fn new() -> Self {
        let clock = Clock::manual(Timestamp(1_700_000_000_000));
        Self { data: tempfile::tempdir().unwrap(), used: Arc::default(), clock }
    }

    fn open(&self, options: SpaceOptions) -> Space {
        let (used, ballast) = (Arc::clone(&self.used), self.data.path().join(BALLAST));
        let probe = move || {
            let ballast = ballast.metadata().map_or(0, |file| file.len());
            Ok((1_000 * MIB, (1_000 * MIB).saturating_sub(used.load(Ordering::SeqCst) + ballast)))
        };
        Space::with(self.data.path(), options, self.clock.clone(), Box::new(probe))
    }

    fn use_up(&self, mib: u64) {
        self.used.store(mib * MIB, Ordering::SeqCst);
    }

    fn ballast(&self) -> u64 {
        self.data.path().join(BALLAST).metadata().map_or(0, |file| file.blocks() * 512)
    }
}

const OPTIONS: SpaceOptions = SpaceOptions { reserve: Some(80 * MIB), ballast: 4 * MIB };

#[test]
fn the_usual_reserve_fits_the_filesystem() {
    for (total, reserve) in [(0, 0), (64 * MIB, 64 * MIB / 10), (8 * GIB, 8 * GIB / 10), (30 * GIB, GIB)] {
        assert_eq!(usual_reserve(total), reserve, "{total}");
    }
    assert_eq!(usual_reserve(100 * GIB), 2 * GIB);
    assert_eq!(usual_reserve(20_000 * GIB), 10 * GIB);
}

#[test]
fn pushes_are_refused_below_the_reserve_and_taken_again_above_it() {
    let disk = Disk::new();
    let space = disk.open(OPTIONS);
    space.admit().unwrap();
    disk.use_up(920);
    space.admit().expect("a look is good for a second");
    disk.clock.advance(Duration::from_secs(1));
    assert_eq!(space.admit(), Err(Full { free: 76 * MIB, reserve: 80 * MIB }));
    disk.use_up(910);
    assert!(space.admit().is_err(), "a little more than the reserve is not enough to come back");
    disk.use_up(905);
    space.admit().expect("the reserve and an eighth of it");
}

#[test]
fn the_ballast_is_allocated_and_kept_over_restarts() {
    let disk = Disk::new();
    let space = disk.open(OPTIONS);
    assert_eq!((disk.ballast(), space.report().ballast), (4 * MIB, 4 * MIB));
    drop(space);
    disk.use_up(995);
    let space = disk.open(OPTIONS);
    assert_eq!((disk.ballast(), space.report().full), (4 * MIB, true));
    let space = {
        drop(space);
        disk.open(SpaceOptions { ballast: 0, ..OPTIONS })
    };
    assert_eq!(disk.ballast(), 4 * MIB, "while the disk is full it is left alone");
    disk.use_up(0);
    space.settle();
    assert_eq!(disk.ballast(), 0, "none is wanted");
}

#[test]
fn a_small_filesystem_has_a_small_ballast() {
    let disk = Disk::new();
    disk.open(SpaceOptions { ballast: GIB, ..OPTIONS });
    assert!((62 * MIB..63 * MIB).contains(&disk.ballast()), "{}", disk.ballast());
}

#[test]
fn a_released_ballast_is_no_space_that_came_back() {
    let disk = Disk::new();
    let space = disk.open(SpaceOptions { ballast: 20 * MIB, ..OPTIONS });
    disk.use_up(1_000);
    assert!(space.release_ballast());
    assert_eq!(disk.ballast(), 0);
    assert!(!space.release_ballast(), "there is one only");
    assert_eq!(space.admit(), Err(Full { free: 0, reserve: 80 * MIB }));
    // 100 MiB are free, 20 of which belong to the ballast.
    disk.use_up(900);
    assert_eq!(space.admit(), Err(Full { free: 80 * MIB, reserve: 80 * MIB }));
    assert_eq!((space.settle().ballast, space.pause()), (0, Duration::from_secs(1)));
    disk.use_up(800);
    assert!(!space.settle().full);
    assert_eq!((disk.ballast(), space.pause()), (20 * MIB, Duration::from_secs(5)));
    space.admit().unwrap();
}

#[test]
fn what_has_begun_may_use_half_of_the_reserve() {
    let disk = Disk::new();
    let space = disk.open(SpaceOptions { ballast: 0, ..OPTIONS });
    disk.use_up(925);
    disk.clock.advance(Duration::from_secs(1));
    assert!(space.admit().is_err());
    space.take(30 * MIB).unwrap();
    // What was taken is counted before the filesystem shows it; but before a refusal it is asked again.
    disk.use_up(955);
    space.take(5 * MIB).unwrap();
    disk.use_up(960);
    assert_eq!(space.take(1), Err(Full { free: 40 * MIB, reserve: 80 * MIB }));
    disk.use_up(0);
    space.take(800 * MIB).unwrap();
    assert!(space.take(800 * MIB).is_ok(), "asked again");
}

#[test]
fn where_nothing_is_known_nothing_is_refused() {
    let disk = Disk::new();
    for found in [|| Ok((0, 0)), || Err(io::ErrorKind::Other.into())] {
        let space = Space::with(disk.data.path(), OPTIONS, disk.clock.clone(), Box::new(found));
        space.admit().unwrap();
        assert_eq!(space.report().ballast, 0);
        let _ = space.take(GIB);
    }
    let space = Space::default();
    space.admit().unwrap();
    space.take(u64::MAX).unwrap();
    assert!(!space.release_ballast());
}

#[test]
fn the_real_filesystem_answers() {
    let data = tempfile::tempdir().unwrap();
    let space = Space::open(data.path(), SpaceOptions { reserve: Some(0), ballast: MIB }, Clock::system());
    let report = space.report();
    assert!(report.total > 0 && !report.full && report.ballast == MIB, "{report:?}");
}

#[test]
fn sizes_are_for_people() {
    for (bytes, text) in [(0, "0 KiB"), (1536, "1.5 KiB"), (64 * MIB, "64 MiB"), (5 * MIB + MIB / 2, "5.5 MiB")] {
        assert_eq!(Size(bytes).to_string(), text);
    }
    assert_eq!(Size(252 * GIB).to_string(), "252 GiB");
}
