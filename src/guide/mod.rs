//! Guides: one subject a page.

#[doc = include_str!("backup_queue.md")]
pub mod backup_queue {}

#[doc = include_str!("periodic.md")]
pub mod periodic {}

#[doc = include_str!("pubsub.md")]
pub mod pubsub {}

#[cfg(feature = "google")]
#[doc = include_str!("setup.md")]
pub mod setup {}

#[doc = include_str!("uniqueness.md")]
pub mod uniqueness {}
