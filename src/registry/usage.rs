//! When manifests were last pulled, and how often those of a repository. A pull writes nothing: it leaves a note in memory, at most one for each manifest
//! and day, and a job writes the notes down every few minutes. A crash loses the notes since then, which is said in
//! the manual; collection asks the notes too.

use std::collections::HashMap;
use std::time::Duration;

use parking_lot::Mutex;

use super::{Registry, RegistryError};
use crate::base::{RepoId, Timestamp};
use crate::meta::manifest::{self, ManifestRow};
use crate::meta::repo::{self, Counter};
use crate::oci::Digest;

/// Notes that memory holds: about 7 MiB, for as many fit into a hash table of 65,536 places (one more would double it).
/// While there are more manifests pulled within minutes, some pulls are not noted; the next one of the same manifest
/// will be.
const NOTES_MAX: usize = (1 << 16) / 8 * 7;
/// Rows written in one step.
const BATCH: usize = 300;
/// A note within this time of the last says nothing new.
const COARSE: Duration = Duration::from_hours(24);

#[derive(Clone, Copy, Debug)]
struct Note {
    /// Wall time of the last pull; `None` when it was only asked for.
    pulled: Option<Timestamp>,
    steady: u64,
}

/// Notes of pulls.
#[derive(Debug, Default)]
pub struct Usage {
    notes: Mutex<HashMap<(RepoId, Digest), Note>>,
    /// Pulls of each repository's manifests since they were last written down.
    pulls: Mutex<HashMap<RepoId, u64>>,
}

impl Usage {
    /// Whether there is a note of this manifest.
    pub fn knows(&self, repo: RepoId, digest: &Digest) -> bool {
        self.notes.lock().contains_key(&(repo, *digest))
    }

    /// Pulls of a repository's manifests that are not written down yet.
    pub fn pulls(&self, repo: RepoId) -> u64 {
        self.pulls.lock().get(&repo).copied().unwrap_or(0)
    }

    fn count(&self, repo: RepoId, pulls: u64) {
        let mut counts = self.pulls.lock();
        if counts.len() < NOTES_MAX || counts.contains_key(&repo) {
            *counts.entry(repo).or_default() += pulls;
        }
    }

    fn take_pulls(&self, limit: usize) -> Vec<(RepoId, u64)> {
        let mut counts = self.pulls.lock();
        let repos: Vec<_> = counts.keys().take(limit).copied().collect();
        repos.into_iter().filter_map(|repo| counts.remove(&repo).map(|pulls| (repo, pulls))).collect()
    }

    fn note(&self, repo: RepoId, digest: Digest, note: Note) {
        let mut notes = self.notes.lock();
        let room = notes.len() < NOTES_MAX;
        match notes.get_mut(&(repo, digest)) {
            Some(before) => *before = Note { pulled: note.pulled.or(before.pulled), ..note },
            None if room => drop(notes.insert((repo, digest), note)),
            None => {}
        }
    }

    fn take(&self, limit: usize) -> Vec<((RepoId, Digest), Note)> {
        let mut notes = self.notes.lock();
        let keys: Vec<_> = notes.keys().take(limit).copied().collect();
        keys.into_iter().filter_map(|key| notes.remove(&key).map(|note| (key, note))).collect()
    }
}

impl Registry {
    /// Notes that a manifest was given out (`pulled`) or asked for. Whoever answers such a request calls this, also
    /// from a cache. Costs a count and two comparisons, but for the first time in a day.
    pub fn note_use(&self, repo: RepoId, digest: &Digest, row: &ManifestRow, pulled: bool) {
        if pulled {
            self.usage().count(repo, 1);
        }
        let (now, steady) = (self.clock().now(), self.clock().steady());
        let recent = Duration::from_millis(steady.saturating_sub(row.used)) < COARSE;
        let shown = !pulled || row.pulled.is_some_and(|before| now.since(before) < COARSE);
        if !(recent && shown) {
            self.usage().note(repo, *digest, Note { pulled: pulled.then_some(now), steady });
        }
    }

    /// Writes the notes down and returns how many there were; those of who pulled what, and refusals, too.
    ///
    /// # Errors
    /// When the store fails; what was not written is kept.
    pub async fn flush_usage(&self) -> Result<usize, RegistryError> {
        self.flush_pulls().await?;
        self.flush_pull_events().await?;
        self.refusals().flush().await?;
        let mut written = 0;
        loop {
            let notes = self.usage().take(BATCH);
            if notes.is_empty() {
                return Ok(written);
            }
            let rows = notes.clone();
            let write = self.meta().write(move |tx| {
                for ((repo, digest), note) in &rows {
                    // Deleted meanwhile?
                    let Some(mut row) = manifest::get(tx, *repo, digest)? else { continue };
                    row.pulled = row.pulled.max(note.pulled);
                    row.used = row.used.max(note.steady);
                    manifest::update(tx, *repo, digest, &row);
                }
                Ok::<_, RegistryError>(())
            });
            if let Err(error) = write.await {
                for ((repo, digest), note) in notes {
                    self.usage().note(repo, digest, note);
                }
                return Err(error.into());
            }
            written += notes.len();
        }
    }

    async fn flush_pulls(&self) -> Result<(), RegistryError> {
        loop {
            let counts = self.usage().take_pulls(BATCH);
            if counts.is_empty() {
                return Ok(());
            }
            let rows = counts.clone();
            let write = self.meta().write(move |tx| {
                for (id, pulls) in &rows {
                    // Deleted meanwhile?
                    if repo::get(tx, *id)?.is_some() {
                        repo::count(tx, *id, Counter::Pulls, i64::try_from(*pulls).unwrap_or(i64::MAX));
                    }
                }
                Ok::<_, RegistryError>(())
            });
            if let Err(error) = write.await {
                for (repo, pulls) in counts {
                    self.usage().count(repo, pulls);
                }
                return Err(error.into());
            }
        }
    }
}
