//! Fixtures that several test programs share: one of each kind.
#![allow(dead_code, reason = "each test program uses a part")]
#![allow(clippy::unwrap_used, clippy::expect_used)]

pub(crate) mod api;
pub(crate) mod calls;
pub(crate) mod chaos;
pub(crate) mod child;
pub(crate) mod console;
pub(crate) mod effects;
pub(crate) mod http;
pub(crate) mod key_server;
pub(crate) mod log;
pub(crate) mod logs;
pub(crate) mod nowhere;
pub(crate) mod peer;
pub(crate) mod publish_api;
pub(crate) mod pubsub;
pub(crate) mod server;
pub(crate) mod tokens;
pub(crate) mod wait;
