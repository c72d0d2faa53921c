//! Who may call: the tokens of Google's callers, the keys that they are checked against, and the doors that stay open.

mod access;
#[cfg(feature = "google")]
mod callers;
#[cfg(feature = "google")]
mod claims;
#[cfg(feature = "google")]
mod fetch;
#[cfg(feature = "google")]
mod jwks;
#[cfg(feature = "google")]
mod keys;
mod refusal;
#[cfg(feature = "google")]
mod rules;
#[cfg(feature = "google")]
mod seen;
#[cfg(feature = "google")]
mod token;
#[cfg(feature = "google")]
mod verifier;

pub(crate) use access::{Access, Door, hide_tokens};
#[cfg(feature = "google")]
pub use callers::Callers;
#[cfg(feature = "google")]
pub(crate) use fetch::connector;
#[cfg(feature = "testing")]
pub(crate) use jwks::{FixedKeys, parse as parse_keys};
pub(crate) use refusal::Refusal;
