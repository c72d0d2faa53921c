//! Tokens that were checked before, and are the same to the letter.

use std::sync::Arc;

use quick_cache::Weighter;
use quick_cache::sync::Cache;

use crate::auth::rules::SKEW;
use crate::auth::token::Token;

/// How many bytes of tokens are kept, about.
const MAX_BYTES: u64 = 4 * 1024 * 1024;
/// How many tokens there may be, for the size of the tables; Google's have about 1 KiB.
const EXPECTED: usize = 4096;

/// Google sends the same token for up to an hour, so most need no signature checked.
///
/// Only what passed every check gets in, so a caller without a good token can neither fill it nor find anything in it.
pub(crate) struct TokenCache {
    tokens: Cache<Tail, Arc<Passed>, Bytes>,
}

/// The end of a token: the last 12 bytes of a signature, as good as random where the signature was right.
type Tail = [u8; 16];

struct Passed {
    token: Box<str>,
    exp: u64,
    /// The keys were these when it passed; see [`KeySet::epoch`](crate::auth::key_cache::KeySet).
    epoch: u64,
}

#[derive(Clone)]
struct Bytes;

impl Weighter<Tail, Arc<Passed>> for Bytes {
    fn weight(&self, _key: &Tail, passed: &Arc<Passed>) -> u64 {
        // The entry itself and its place in the table count too.
        passed.token.len() as u64 + 128
    }
}

impl TokenCache {
    pub(crate) fn new() -> Self {
        Self {
            tokens: Cache::with_weighter(EXPECTED, MAX_BYTES, Bytes),
        }
    }

    /// Whether this very token passed under these keys and is still in force.
    pub(crate) fn has(&self, token: &Token<'_>, epoch: u64, now: u64) -> bool {
        tail(token)
            .and_then(|tail| self.tokens.get(&tail))
            .is_some_and(|passed| {
                passed.epoch == epoch && now < passed.exp.saturating_add(SKEW) && *passed.token == *token.text
            })
    }

    /// Remembers a token that passed every check.
    pub(crate) fn insert(&self, token: &Token<'_>, exp: u64, epoch: u64) {
        if let Some(tail) = tail(token) {
            let passed = Passed {
                token: token.text.into(),
                exp,
                epoch,
            };
            self.tokens.insert(tail, Arc::new(passed));
        }
    }

    #[cfg(test)]
    pub(crate) fn bytes(&self) -> u64 {
        self.tokens.weight()
    }

    #[cfg(test)]
    pub(crate) fn forget(&self) {
        self.tokens.clear();
    }
}

fn tail(token: &Token<'_>) -> Option<Tail> {
    token.signature.as_bytes().last_chunk().copied()
}
