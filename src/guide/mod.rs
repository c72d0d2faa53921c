//! Guides, one page per topic.

#[doc = include_str!("backup_queue.md")]
pub mod backup_queue {}

#[doc = include_str!("bulk.md")]
pub mod bulk {}

#[doc = include_str!("google_events.md")]
pub mod google_events {}

#[doc = include_str!("idempotency.md")]
pub mod idempotency {}

#[doc = include_str!("operations.md")]
pub mod operations {}

#[doc = include_str!("periodic.md")]
pub mod periodic {}

#[doc = include_str!("pubsub.md")]
pub mod pubsub {}

#[doc = include_str!("retries.md")]
pub mod retries {}

#[cfg(feature = "google")]
#[doc = include_str!("setup.md")]
pub mod setup {}

#[cfg(feature = "testing")]
#[doc = include_str!("testing.md")]
pub mod testing {}

#[doc = include_str!("uniqueness.md")]
pub mod uniqueness {}
