//! Substitutes for token verification without the feature `google`.

use std::future::Ready;

use http::HeaderMap;

use crate::auth::refusal_log::Foreign;
use crate::auth::{Called, Refusal};
use crate::base::{Config, Invalid};

/// The configuration of trusted callers, which does not exist.
#[derive(Debug, Default)]
pub(crate) struct TrustedCallers;

impl TrustedCallers {
    #[expect(clippy::unused_self, reason = "with the feature, this is consumed")]
    pub(crate) fn verifier(self, _config: &Config, _trusts_platform: bool) -> Result<Verifier, Vec<Invalid>> {
        Err(vec![Invalid::because(
            "callers cannot be verified without the feature `google`: enable it, or accept every caller with `.allow_unauthenticated()`",
        )])
    }
}

/// A verifier, which cannot be built.
pub(crate) enum Verifier {}

impl Verifier {
    pub fn decide(&self, _called: &Called<'_>, _headers: &HeaderMap) -> Option<Result<(), Refusal>> {
        match *self {}
    }

    #[expect(clippy::unused_async, reason = "with the feature, this is awaited")]
    pub async fn verify(&self, _called: &Called<'_>, _headers: &HeaderMap) -> Result<(), Refusal> {
        match *self {}
    }

    pub fn foreign(&self, _called: &Called<'_>, _headers: &HeaderMap) -> Option<Foreign> {
        match *self {}
    }

    pub fn prefetch_keys(&self) -> Ready<()> {
        match *self {}
    }

    pub fn trusted(&self) -> (&[String], &[String]) {
        match *self {}
    }
}
