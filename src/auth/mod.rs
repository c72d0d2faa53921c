//! Authentication of callers: Google's tokens, the keys that verify them, and the configured exceptions.

mod access;
#[cfg(feature = "google")]
mod audience;
#[cfg(feature = "google")]
mod callers;
#[cfg(feature = "google")]
mod claims;
#[cfg(feature = "google")]
mod jwks;
#[cfg(feature = "google")]
mod jwks_client;
#[cfg(feature = "google")]
mod key_cache;
#[cfg(not(feature = "google"))]
mod no_google;
mod refusal;
mod refusal_log;
#[cfg(feature = "google")]
mod rules;
#[cfg(feature = "google")]
mod token;
#[cfg(feature = "google")]
mod token_cache;
#[cfg(feature = "google")]
mod verifier;

pub(crate) use access::{Access, Called, Endpoint, UnsignedPushes};
#[cfg(feature = "google")]
pub use callers::TrustedCallers;
#[cfg(feature = "testing")]
pub(crate) use jwks::{FixedKeys, parse as parse_keys};
#[cfg(not(feature = "google"))]
pub(crate) use no_google::TrustedCallers;
#[cfg(not(feature = "google"))]
use no_google::Verifier;
pub(crate) use refusal::Refusal;
#[cfg(feature = "google")]
use verifier::Verifier;
