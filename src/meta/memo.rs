//! What was read of the metadata since the last commit, decoded, for those who ask for the same again: pulls come by
//! the thousand between two pushes.
//!
//! Nothing here outlives the [`Epoch`] in which it was read: the first commit that begins (for what was read of rights, the
//! first that changes some) makes all of it void, and as long as one is under way nothing is recalled. So a deletion works at once, as it would if every request read the
//! store; remembered membership served deleted content elsewhere (CVE-2026-35172).

use std::collections::BTreeMap;
use std::hash::{BuildHasher, Hash, RandomState};

use parking_lot::Mutex;

use super::Epoch;
use crate::oci::RepoName;

/// What one memo holds at most. When it is full it begins anew.
const BYTES: usize = 2 << 20;

/// What holds more is not remembered: it would push many others out.
const LONGEST: usize = 64 * 1024;

/// What an entry costs besides the bytes that its value names, about.
const ENTRY: usize = 600;

/// Values of one epoch by repository and `K`.
#[derive(Debug)]
pub struct Memo<K, V> {
    /// Keyed at random, so that nobody can choose names that meet.
    hasher: RandomState,
    kept: Mutex<Kept<K, V>>,
}

#[derive(Debug)]
struct Kept<K, V> {
    epoch: Option<Epoch>,
    /// By the hash of their key: of two keys with the same one the later stays.
    entries: BTreeMap<u64, (RepoName, K, V)>,
    bytes: usize,
}

impl<K, V> Kept<K, V> {
    fn clear(&mut self) {
        self.entries.clear();
        self.bytes = 0;
    }
}

impl<K, V> Default for Memo<K, V> {
    fn default() -> Self {
        let kept = Kept { epoch: None, entries: BTreeMap::new(), bytes: 0 };
        Self { hasher: RandomState::new(), kept: Mutex::new(kept) }
    }
}

impl<K: Clone + Eq + Hash, V: Clone> Memo<K, V> {
    /// What was remembered in this epoch, which must be the present one.
    pub fn recall(&self, epoch: Option<Epoch>, repo: &RepoName, key: &K) -> Option<V> {
        let hash = self.hasher.hash_one((repo, key));
        let kept = self.kept.lock();
        if epoch.is_none() || kept.epoch != epoch {
            return None;
        }
        let (known, its, value) = kept.entries.get(&hash)?;
        (known == repo && its == key).then(|| value.clone())
    }

    /// Remembers what was read after `epoch` had been asked for; `bytes` is what the value holds.
    pub fn remember(&self, epoch: Option<Epoch>, repo: &RepoName, key: &K, value: V, bytes: usize) {
        if epoch.is_none() || bytes > LONGEST {
            return;
        }
        let (hash, cost) = (self.hasher.hash_one((repo, key)), bytes + ENTRY);
        let mut kept = self.kept.lock();
        if kept.epoch != epoch || kept.bytes + cost > BYTES {
            kept.clear();
            kept.epoch = epoch;
        }
        kept.bytes += cost;
        kept.entries.insert(hash, (repo.clone(), key.clone(), value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::meta::{Engine, MetaError, Mode, tables};

    fn commit(meta: &Engine, row: u8) {
        let write = meta.write_blocking(move |tx| {
            tx.put(tables::META, b"row", vec![row]);
            Ok::<_, MetaError>(())
        });
        write.unwrap();
    }

    #[test]
    fn a_commit_makes_everything_void() {
        let meta = Engine::in_memory(Mode::Normal);
        let (memo, name) = (Memo::default(), RepoName::parse("lab/a").unwrap());
        let before = meta.epoch();
        memo.remember(before, &name, &1, "one", 3);
        assert_eq!(memo.recall(meta.epoch(), &name, &1), Some("one"));
        assert_eq!(memo.recall(meta.epoch(), &name, &2), None);
        assert_eq!(memo.recall(meta.epoch(), &RepoName::parse("lab/b").unwrap(), &1), None);
        assert_eq!(memo.recall(None, &name, &1), None, "while a commit is under way");
        commit(&meta, 1);
        assert_eq!(memo.recall(meta.epoch(), &name, &1), None);
        memo.remember(before, &name, &2, "read before the commit", 3);
        assert_eq!(memo.recall(meta.epoch(), &name, &2), None);
    }

    #[test]
    fn memory_is_bounded() {
        let meta = Engine::in_memory(Mode::Normal);
        let (memo, name) = (Memo::default(), RepoName::parse("lab/a").unwrap());
        for n in 0..10_000 {
            memo.remember(meta.epoch(), &name, &n, (), 1000);
            assert_eq!(memo.recall(meta.epoch(), &name, &n), Some(()));
            let kept = memo.kept.lock();
            assert!(kept.bytes <= BYTES && kept.entries.len() <= BYTES / ENTRY);
        }
        memo.remember(meta.epoch(), &name, &0, (), LONGEST + 1);
        assert_eq!(memo.recall(meta.epoch(), &name, &0), None);
    }
}
