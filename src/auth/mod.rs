//! Who may call: the tokens of Google's callers, the keys that they are checked against, and the doors that stay open.

pub(crate) mod access;
#[cfg(feature = "google")]
pub(crate) mod callers;
#[cfg(feature = "google")]
pub(crate) mod claims;
#[cfg(feature = "google")]
pub(crate) mod jwks;
#[cfg(feature = "google")]
pub(crate) mod jwks_client;
#[cfg(feature = "google")]
pub(crate) mod key_cache;
#[cfg(not(feature = "google"))]
mod no_google;
pub(crate) mod refusal;
#[cfg(feature = "google")]
pub(crate) mod rules;
#[cfg(feature = "google")]
pub(crate) mod token;
#[cfg(feature = "google")]
pub(crate) mod token_cache;
#[cfg(feature = "google")]
pub(crate) mod verifier;

pub(crate) use access::{Access, Endpoint, hide_tokens};
#[cfg(feature = "google")]
pub use callers::TrustedCallers;
#[cfg(feature = "testing")]
pub(crate) use jwks::{FixedKeys, parse as parse_keys};
#[cfg(feature = "google")]
pub(crate) use jwks_client::connector;
#[cfg(not(feature = "google"))]
pub(crate) use no_google::{TrustedCallers, Verifier};
pub(crate) use refusal::Refusal;
#[cfg(feature = "google")]
pub(crate) use verifier::Verifier;
