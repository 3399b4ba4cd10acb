//! A map that forgets: bounded memory, constant work, what is used stays.

use std::collections::HashMap;
use std::hash::Hash;

/// At most `2 × half` entries in two generations. When the young generation is full it becomes the old one, and the
/// old one is forgotten; an entry that is used moves to the young one. So whatever was used within the last `half`
/// insertions is still there, and no list of uses has to be kept.
#[derive(Debug)]
pub(super) struct Bounded<K, V> {
    young: HashMap<K, V>,
    old: HashMap<K, V>,
    half: usize,
}

impl<K: Hash + Eq, V> Bounded<K, V> {
    /// An empty map that never holds more than `capacity` entries (at least two).
    pub(super) fn new(capacity: usize) -> Self {
        Self { young: HashMap::new(), old: HashMap::new(), half: (capacity / 2).max(1) }
    }

    /// The value under `key`, which counts as a use.
    pub(super) fn get(&mut self, key: &K) -> Option<&mut V> {
        if !self.young.contains_key(key) {
            let (key, value) = self.old.remove_entry(key)?;
            self.insert(key, value);
        }
        self.young.get_mut(key)
    }

    /// Sets the value under `key`.
    pub(super) fn insert(&mut self, key: K, value: V) {
        if self.young.len() >= self.half && !self.young.contains_key(&key) {
            self.old = std::mem::take(&mut self.young);
        }
        self.old.remove(&key);
        self.young.insert(key, value);
    }

    /// Removes the entry under `key`.
    pub(super) fn remove(&mut self, key: &K) {
        self.young.remove(key);
        self.old.remove(key);
    }

    /// Keeps only the entries that `keep` wants.
    pub(super) fn retain(&mut self, mut keep: impl FnMut(&K, &V) -> bool) {
        self.young.retain(|key, value| keep(key, value));
        self.old.retain(|key, value| keep(key, value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_bounded_and_what_is_used_stays() {
        let mut map = Bounded::new(8);
        map.insert(0, "kept");
        for n in 1..1000 {
            map.insert(n, "passing");
            assert_eq!(map.get(&0), Some(&mut "kept"), "used after every insertion");
            assert!(map.young.len() + map.old.len() <= 8);
        }
        assert!(map.get(&1).is_none(), "unused ones are forgotten");
        map.remove(&0);
        assert!(map.get(&0).is_none());
    }

    #[test]
    fn a_value_set_again_has_no_older_self() {
        let mut map = Bounded::new(4);
        map.insert(1, "a");
        map.insert(2, "b");
        map.insert(3, "c"); // 1 and 2 are the old generation now
        map.insert(1, "new");
        map.retain(|_, value| *value != "new");
        assert!(map.get(&1).is_none());
        assert_eq!(map.get(&2), Some(&mut "b"));
    }
}
