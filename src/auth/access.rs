//! Which doors are open, and to whom.

use std::sync::Arc;

use http::HeaderMap;
use http::header::AUTHORIZATION;

use crate::auth::{Refusal, Verifier};

/// Cloud Run checks this header in the place of `Authorization` where both are there, and lets the other pass as the caller
/// wrote it.
pub(crate) const SERVERLESS: &str = "x-serverless-authorization";

/// What a request is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Endpoint {
    Tasks,
    Subscriptions,
}

/// Who may use the routes of a runtime.
pub(crate) struct Access {
    callers: Policy,
    /// Pushes are taken from anybody, as Google's Pub/Sub emulator sends them.
    unsigned_pushes: bool,
}

enum Policy {
    Anybody,
    Nobody,
    Verified(Arc<Verifier>),
}

impl Access {
    /// Everybody gets in: a test's runtime, or one whose owner says so.
    pub(crate) fn anybody() -> Self {
        Self::new(Policy::Anybody)
    }

    /// Nobody gets in, whatever they show.
    pub(crate) fn nobody() -> Self {
        Self::new(Policy::Nobody)
    }

    pub(crate) fn verified(verifier: Verifier) -> Self {
        Self::new(Policy::Verified(Arc::new(verifier)))
    }

    fn new(callers: Policy) -> Self {
        Self {
            callers,
            unsigned_pushes: false,
        }
    }

    pub(crate) fn with_unsigned_pushes(mut self, unsigned: bool) -> Self {
        self.unsigned_pushes = unsigned;
        self
    }

    /// Whether everybody gets in.
    pub(crate) fn is_open(&self) -> bool {
        matches!(self.callers, Policy::Anybody)
    }

    /// Lets a caller in, or says why not. Marks the token, so that no `Debug` form of the headers shows it.
    #[cfg_attr(
        not(feature = "google"),
        expect(
            clippy::unused_async,
            reason = "without a verifier there is nothing to wait for"
        )
    )]
    pub(crate) async fn check(&self, endpoint: Endpoint, headers: &mut HeaderMap) -> Result<(), Refusal> {
        hide_tokens(headers);
        if self.unsigned_pushes && endpoint == Endpoint::Subscriptions {
            return Ok(());
        }
        match &self.callers {
            Policy::Anybody => Ok(()),
            Policy::Nobody => Err(Refusal::NobodyTrusted),
            Policy::Verified(verifier) => verifier.verify(headers).await,
        }
    }
}

/// Marks the values of headers that hold tokens as sensitive.
pub(crate) fn hide_tokens(headers: &mut HeaderMap) {
    for (name, value) in headers {
        if *name == AUTHORIZATION || *name == SERVERLESS {
            value.set_sensitive(true);
        }
    }
}
