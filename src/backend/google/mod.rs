//! Google Cloud Tasks, through Google's own client.

mod answer;
mod connect;
mod create;
mod credentials;
mod message;

pub use connect::Google;
#[cfg(feature = "local")]
pub(crate) use create::GoogleBackend;
