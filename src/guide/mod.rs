//! Guides: one subject a page.

#[doc = include_str!("periodic.md")]
pub mod periodic {}

#[doc = include_str!("pubsub.md")]
pub mod pubsub {}

#[doc = include_str!("retries.md")]
pub mod retries {}

#[cfg(feature = "google")]
#[doc = include_str!("setup.md")]
pub mod setup {}
