//! Idempotency: a repeated delivery has its effect only once.

mod guard;
mod held;
mod key;
mod memory;
mod once;
mod store;

pub(super) use guard::{Begun, Guard};
pub(super) use held::{Held, Lost};
pub use key::IdempotencyKey;
pub use memory::MemoryStore;
pub use once::Once;
pub use store::{Claim, ClaimToken, IdempotencyStore, StoreFuture};
