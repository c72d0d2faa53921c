//! A bounded map of the entries that were used last.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, RandomState};
use std::mem::take;
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// The entries that were used last, as many as fit. Two maps are a list of the least recently used without its bookkeeping: when
/// `newer` is half of what fits, it becomes `older`, whose unused entries are forgotten.
pub(crate) struct Recent<K, V, S = RandomState> {
    newer: Generation<K, V, S>,
    older: Generation<K, V, S>,
    /// What a generation may weigh.
    half: usize,
}

struct Generation<K, V, S> {
    entries: HashMap<K, Entry<V>, S>,
    weight: usize,
}

impl<K, V, S: Default> Default for Generation<K, V, S> {
    fn default() -> Self {
        Self {
            entries: HashMap::default(),
            weight: 0,
        }
    }
}

struct Entry<V> {
    value: V,
    weight: usize,
}

impl<K: Eq + Hash, V, S: BuildHasher + Default> Recent<K, V, S> {
    /// A map of entries that weigh no more than this together.
    pub fn new(max_weight: usize) -> Self {
        Self {
            newer: Generation::default(),
            older: Generation::default(),
            half: max_weight / 2,
        }
    }

    /// The value, if it is among the recent ones. This does not count as a use.
    fn peek<Q: Eq + Hash + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        self.newer.entries.get(key).map(|entry| &entry.value)
    }

    /// The value, which counts as used.
    pub fn get<Q: Eq + Hash + ?Sized>(&mut self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        if let Some((key, entry)) = self.older.remove(key) {
            self.insert(key, entry.value, entry.weight);
        }
        self.peek(key)
    }

    fn is_older<Q: Eq + Hash + ?Sized>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
    {
        self.older.entries.contains_key(key)
    }

    /// Adds or replaces an entry. One that weighs more than half of what fits is not kept.
    pub fn insert(&mut self, key: K, value: V, weight: usize) {
        self.older.remove(&key);
        self.newer.remove(&key);
        if weight > self.half {
            return;
        }
        if self.newer.weight + weight > self.half {
            self.older = take(&mut self.newer);
        }
        self.newer.weight += weight;
        self.newer.entries.insert(key, Entry { value, weight });
    }

    /// Forgets the older entries for which this is true; if there is none, the recent ones.
    pub fn forget(&mut self, is_unused: impl Fn(&V) -> bool) {
        for generation in [&mut self.older, &mut self.newer] {
            let before = generation.entries.len();
            generation.entries.retain(|_, entry| {
                let is_kept = !is_unused(&entry.value);
                generation.weight -= if is_kept { 0 } else { entry.weight };
                is_kept
            });
            if generation.entries.len() < before {
                return;
            }
        }
    }
}

impl<K: Eq + Hash, V, S: BuildHasher> Generation<K, V, S> {
    fn remove<Q: Eq + Hash + ?Sized>(&mut self, key: &Q) -> Option<(K, Entry<V>)>
    where
        K: Borrow<Q>,
    {
        let (key, entry) = self.entries.remove_entry(key)?;
        self.weight -= entry.weight;
        Some((key, entry))
    }
}

/// [`Recent`] entries of many threads. Only an entry that was not used for long, or a new one, needs the lock for itself.
pub(crate) struct SharedRecent<K, V, S = RandomState>(RwLock<Recent<K, V, S>>);

impl<K: Eq + Hash, V, S: BuildHasher + Default> SharedRecent<K, V, S> {
    /// A map of entries that weigh no more than this together.
    pub fn new(max_weight: usize) -> Self {
        Self(RwLock::new(Recent::new(max_weight)))
    }

    /// Reads the value of a key, if there is one.
    pub fn read<Q: Eq + Hash + ?Sized, R>(&self, key: &Q, look: impl FnOnce(&V) -> R) -> Option<R>
    where
        K: Borrow<Q>,
    {
        let entries = self.shared();
        if let Some(value) = entries.peek(key) {
            return Some(look(value));
        }
        // An unknown key waits for nobody.
        if !entries.is_older(key) {
            return None;
        }
        drop(entries);
        self.exclusive().get(key).map(look)
    }

    /// Adds or replaces an entry; see [`Recent::insert`].
    pub fn insert(&self, key: K, value: V, weight: usize) {
        self.exclusive().insert(key, value, weight);
    }

    #[cfg(test)]
    pub fn weight(&self) -> usize {
        let entries = self.shared();
        entries.newer.weight + entries.older.weight
    }

    #[cfg(test)]
    pub fn clear(&self) {
        let mut entries = self.exclusive();
        *entries = Recent::new(2 * entries.half);
    }

    fn shared(&self) -> RwLockReadGuard<'_, Recent<K, V, S>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn exclusive(&self) -> RwLockWriteGuard<'_, Recent<K, V, S>> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_used_stays_and_what_is_not_makes_room() {
        let mut recent: Recent<u32, u32> = Recent::new(20);
        recent.insert(0, 100, 1);
        recent.insert(1, 101, 1);

        for key in 2..100 {
            recent.insert(key, 100 + key, 1);
            assert_eq!(recent.get(&0), Some(&100), "{key}");
        }

        assert_eq!(recent.get(&1), None);
        assert_eq!(recent.get(&99), Some(&199));
    }

    #[test]
    fn an_entry_that_does_not_fit_is_not_kept_and_removes_none() {
        let entries: SharedRecent<&str, u8> = SharedRecent::new(20);
        entries.insert("small", 1, 10);
        entries.insert("growing", 2, 1);

        entries.insert("large", 3, 11);
        entries.insert("growing", 4, 11);

        let read = |key| entries.read(key, |value| *value);
        assert_eq!(
            [read("small"), read("large"), read("growing")],
            [Some(1), None, None]
        );
    }

    #[test]
    fn the_older_unused_entries_are_forgotten_first() {
        let mut recent: Recent<u32, bool> = Recent::new(4);
        for (key, is_unused) in [(1, true), (2, false), (3, true)] {
            recent.insert(key, is_unused, 1);
        }

        recent.forget(|is_unused| *is_unused);
        assert_eq!(
            [1, 2, 3].map(|key| recent.get(&key).is_some()),
            [false, true, true]
        );
        recent.forget(|is_unused| *is_unused);

        assert_eq!(
            [1, 2, 3].map(|key| recent.get(&key).is_some()),
            [false, true, false]
        );
    }

    proptest! {
        #[test]
        fn the_last_half_is_kept_and_no_more_than_what_fits(
            entries in proptest::collection::vec((0_u8..12, any::<bool>()), 1..60),
            max in 1_usize..60,
        ) {
            let shared: SharedRecent<u8, (u8, usize)> = SharedRecent::new(max);
            // What was used, the last one at the end.
            let mut used: Vec<(u8, usize)> = Vec::new();
            for (key, is_read) in entries {
                let weight = 1 + usize::from(key);
                if is_read {
                    let Some(entry) = shared.read(&key, |entry| *entry) else {
                        continue;
                    };
                    prop_assert_eq!(entry.0, key);
                    used.retain(|(other, _)| *other != key);
                    used.push(entry);
                } else {
                    shared.insert(key, (key, weight), weight);
                    used.retain(|(other, _)| *other != key);
                    if weight <= max / 2 {
                        used.push((key, weight));
                    }
                }
                prop_assert!(shared.weight() <= max);
            }
            let mut room = max / 2;
            for entry in used.iter().rev() {
                let Some(rest) = room.checked_sub(entry.1) else { break };
                room = rest;
                let kept = shared.shared();
                prop_assert!(kept.peek(&entry.0).is_some() || kept.is_older(&entry.0), "{:?}", used);
            }
        }
    }
}
