//! Guides: one subject a page.

#[doc = include_str!("pubsub.md")]
pub mod pubsub {}
