//! Guides: one subject a page.

#[doc = include_str!("periodic.md")]
pub mod periodic {}

#[doc = include_str!("pubsub.md")]
pub mod pubsub {}

#[cfg(feature = "google")]
#[doc = include_str!("setup.md")]
pub mod setup {}

#[cfg(feature = "testing")]
#[doc = include_str!("testing.md")]
pub mod testing {}
