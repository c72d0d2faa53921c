//! Idempotency: what is delivered more than once has its effect once.

pub(crate) mod guard;
pub(crate) mod key;
pub(crate) mod memory;
pub(crate) mod once;
pub(crate) mod store;

pub(crate) use guard::{Guard, key};
pub use key::IdempotencyKey;
pub use memory::MemoryStore;
pub use once::Once;
pub use store::{Claim, ClaimToken, IdempotencyStore, StoreFuture};
