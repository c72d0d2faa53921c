//! Idempotency: what is delivered more than once has its effect once.

mod guard;
mod key;
mod memory;
mod once;
mod store;

pub(crate) use guard::{Guard, key};
pub use key::IdempotencyKey;
pub use memory::MemoryStore;
pub use once::Once;
pub use store::{Claim, ClaimToken, IdempotencyStore, StoreFuture};
