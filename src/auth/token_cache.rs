//! A cache of verified tokens, compared byte for byte.

use crate::auth::access::Called;
use crate::auth::audience::Opens;
use crate::auth::rules::SKEW;
use crate::auth::token::Token;
use crate::base::{FixedHash, SharedRecent};

/// The approximate maximum size of all cached tokens.
const MAX_BYTES: usize = 4 * 1024 * 1024;
/// What a token takes besides its text, with its slot in the table.
const OVERHEAD: usize = 128;

/// The cache of verified tokens. Google sends the same token for up to an hour, so most signatures need not be
/// verified.
///
/// Only verified tokens are inserted. A caller without a valid token can neither fill the cache nor find anything in
/// it.
pub(crate) struct TokenCache {
    tokens: SharedRecent<Tail, Passed, FixedHash>,
}

/// The last 12 bytes of a valid signature, which are as good as random.
type Tail = [u8; 16];

struct Passed {
    token: Box<str>,
    /// A token for the URL of one route must not open another one.
    opens: Opens,
    exp: u64,
    /// The epoch of the keys that verified it; see [`KeySet::epoch`](crate::auth::key_cache::KeySet).
    epoch: u64,
}

impl TokenCache {
    pub fn new() -> Self {
        Self {
            tokens: SharedRecent::new(MAX_BYTES),
        }
    }

    /// Whether this exact text is a token that was verified with these keys, opens the called route and has not expired.
    ///
    /// Nothing needs to be known of the text: if it is the same, it is in order.
    pub fn has(&self, text: &[u8], called: &Called<'_>, epoch: u64, now: u64) -> bool {
        let is_same = |passed: &Passed| {
            passed.epoch == epoch
                && passed.opens.includes(called)
                && now < passed.exp.saturating_add(SKEW)
                && passed.token.as_bytes() == text
        };
        text.last_chunk::<16>()
            .and_then(|tail| self.tokens.read(tail, is_same))
            .unwrap_or(false)
    }

    /// Remembers a token that passed every check.
    pub fn insert(&self, token: &Token<'_>, opens: Opens, exp: u64, epoch: u64) {
        if let Some(tail) = token.text.as_bytes().last_chunk::<16>() {
            let passed = Passed {
                token: token.text.into(),
                opens,
                exp,
                epoch,
            };
            let weight = passed.token.len() + OVERHEAD;
            self.tokens.insert(*tail, passed, weight);
        }
    }

    #[cfg(test)]
    pub fn bytes(&self) -> usize {
        self.tokens.weight()
    }

    #[cfg(test)]
    pub fn forget(&self) {
        self.tokens.clear();
    }
}
