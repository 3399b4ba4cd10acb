//! What goes on beside a test: collections and pulls.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::task::JoinHandle;

use crate::client::{Asker, Dice, Ledger, Site, sha256};

/// From the end of one collection to the beginning of the next.
const PAUSE: Duration = Duration::from_millis(800);

/// Collects garbage about every second, through the running server.
pub(crate) struct Collector {
    stop: Arc<AtomicBool>,
    task: JoinHandle<Collections>,
}

/// What collections did.
#[derive(Debug, Default)]
pub(crate) struct Collections {
    pub(crate) done: u64,
    /// Bytes of files.
    pub(crate) freed: u64,
    /// What those said that ended early.
    pub(crate) failed: Vec<String>,
}

impl Collections {
    pub(crate) fn add(&mut self, more: Self) {
        self.done += more.done;
        self.freed += more.freed;
        self.failed.extend(more.failed);
    }
}

impl Collector {
    pub(crate) fn begin(site: &Site) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (site, stopped) = (site.clone(), stop.clone());
        let task = tokio::task::spawn_blocking(move || {
            let mut collections = Collections::default();
            while !stopped.load(Ordering::Relaxed) {
                match site.collect() {
                    Ok(freed) => collections.add(Collections { done: 1, freed, failed: Vec::new() }),
                    Err(error) => collections.failed.push(error),
                }
                let waiting = Instant::now();
                while waiting.elapsed() < PAUSE && !stopped.load(Ordering::Relaxed) {
                    std::thread::sleep(Duration::from_millis(20));
                }
            }
            collections
        });
        Self { stop, task }
    }

    /// Waits for the one that is going on.
    pub(crate) async fn end(mut self) -> Collections {
        self.stop.store(true, Ordering::Relaxed);
        (&mut self.task).await.unwrap()
    }
}

/// A test that fails must end: its runtime waits for this task.
impl Drop for Collector {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

/// Pulls what stands, again and again. A pull that does not give what was acknowledged fails the test.
pub(crate) struct Puller {
    stop: Arc<AtomicBool>,
    task: JoinHandle<Pulls>,
}

/// How pulls went.
#[derive(Debug, Default)]
pub(crate) struct Pulls {
    pub(crate) count: u64,
    pub(crate) longest: Duration,
}

impl Pulls {
    pub(crate) fn add(&mut self, more: &Self) {
        self.count += more.count;
        self.longest = self.longest.max(more.longest);
    }
}

impl Puller {
    pub(crate) fn begin(asker: &Asker, ledger: &Ledger, mut dice: Dice) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (asker, ledger, stopped) = (asker.clone(), ledger.clone(), stop.clone());
        let task = tokio::spawn(async move {
            let mut pulls = Pulls::default();
            while !stopped.load(Ordering::Relaxed) {
                tokio::time::sleep(Duration::from_millis(4)).await;
                let standing = ledger.standing();
                if standing.is_empty() {
                    continue;
                }
                let (path, digest) = &standing[usize::try_from(dice.below(standing.len() as u64)).unwrap()];
                let begun = Instant::now();
                match asker.get(path).await {
                    Ok(Some(found)) => assert_eq!(sha256(&found), *digest, "{path} is corrupt"),
                    // The test may have deleted it meanwhile; it says so before.
                    Ok(None) => assert!(!ledger.still_stands(path), "{path} was acknowledged and is lost"),
                    Err(error) => panic!("a pull of {path} broke off: {error}"),
                }
                pulls.add(&Pulls { count: 1, longest: begun.elapsed() });
            }
            pulls
        });
        Self { stop, task }
    }

    pub(crate) async fn end(self) -> Pulls {
        self.stop.store(true, Ordering::Relaxed);
        self.task.await.unwrap()
    }
}
