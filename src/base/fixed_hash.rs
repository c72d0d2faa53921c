//! A fast hash for tables that only the program fills.
//!
//! A caller chooses only the key that is looked up, so nobody can fill such a table with keys of one hash, and no protection
//! against that is paid for. The hash is the same in every process.

use std::hash::{BuildHasherDefault, Hasher};

/// The hash for a `HashMap`.
pub(crate) type FixedHash = BuildHasherDefault<FixedHasher>;

/// Odd, and without a pattern in its bits: those of the golden ratio.
const FACTOR: u64 = 0x9E37_79B9_7F4A_7C15;

#[derive(Default)]
pub struct FixedHasher(u64);

impl FixedHasher {
    fn add(&mut self, word: u64) {
        // Both halves of the product, since the table takes some bits from the top and some from the bottom.
        let product = u128::from(self.0 ^ word) * u128::from(FACTOR);
        let bytes = product.to_le_bytes();
        let (low, high) = bytes.split_at(8);
        self.0 = word_of(low) ^ word_of(high);
    }
}

/// The number that up to eight bytes are.
fn word_of(bytes: &[u8]) -> u64 {
    let mut word = [0; 8];
    word[..bytes.len()].copy_from_slice(bytes);
    u64::from_le_bytes(word)
}

impl Hasher for FixedHasher {
    fn write(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        for word in words {
            self.add(u64::from_le_bytes(*word));
        }
        // With the length, so that zeros at the end make a difference.
        self.add(word_of(rest) ^ ((bytes.len() as u64) << 56));
    }

    fn write_u8(&mut self, _end_of_text: u8) {}

    fn write_u64(&mut self, word: u64) {
        self.add(word);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::hash::Hash;

    use super::*;

    fn hash(name: &str) -> u64 {
        let mut hasher = FixedHasher::default();
        name.hash(&mut hasher);
        hasher.finish()
    }

    #[test]
    fn names_that_differ_little_spread_over_both_ends_of_a_hash() {
        let names: Vec<_> = (0..10_000)
            .map(|number| format!("billing.Task{number}"))
            .collect();

        let hashes: HashSet<_> = names.iter().map(|name| hash(name)).collect();
        let tops: HashSet<_> = hashes.iter().map(|hash| hash >> 57).collect();
        let mut bottoms = vec![0; 1024];
        for hash in &hashes {
            bottoms[usize::try_from(hash % 1024).unwrap()] += 1;
        }

        assert_eq!((hashes.len(), tops.len()), (10_000, 128));
        assert!(bottoms.iter().all(|count| (1..30).contains(count)), "{bottoms:?}");
        assert_ne!(hash("a"), hash("a\0"));
        assert_ne!(hash(""), hash("\0"));
    }
}
