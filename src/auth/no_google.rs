//! What stands in for the check of tokens if the feature `google` is off.

use http::HeaderMap;

use crate::auth::Refusal;
use crate::base::Config;

/// Settings of a check that is not there.
#[derive(Debug, Default)]
pub(crate) struct TrustedCallers;

impl TrustedCallers {
    pub(crate) fn verifier(self, _config: &Config, _trusts_platform: bool) -> Result<Verifier, Vec<String>> {
        Err(vec![
            "callers cannot be verified without the feature `google`: enable it, or let everybody in with \
             `.allow_unauthenticated()`"
                .to_owned(),
        ])
    }
}

/// A check of tokens, which cannot be made.
pub(crate) enum Verifier {}

impl Verifier {
    #[expect(clippy::unused_async, reason = "with the feature, this is awaited")]
    pub(crate) async fn verify(&self, _headers: &HeaderMap) -> Result<(), Refusal> {
        match *self {}
    }
}
