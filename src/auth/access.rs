//! Access control for the HTTP endpoints.

use std::sync::Arc;

use http::HeaderMap;
use http::header::AUTHORIZATION;

use crate::auth::{Refusal, Verifier};

/// If this header is present, Cloud Run verifies it instead of `Authorization` and passes `Authorization` on
/// unverified.
pub(crate) const SERVERLESS: &str = "x-serverless-authorization";

/// The endpoint that a request is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Endpoint {
    Tasks,
    Subscriptions,
}

/// The access control of a runtime's endpoints.
pub(crate) struct Access {
    callers: Policy,
    /// Whether unauthenticated pushes are accepted, as Google's Pub/Sub emulator sends them.
    unsigned_pushes: bool,
}

enum Policy {
    Anybody,
    Nobody,
    Verified(Arc<Verifier>),
}

impl Access {
    /// Accepts every caller: for tests, and for a runtime that was configured so.
    pub(crate) fn anybody() -> Self {
        Self::new(Policy::Anybody)
    }

    /// Rejects every caller.
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

    /// Whether every caller is accepted.
    pub(crate) fn is_open(&self) -> bool {
        matches!(self.callers, Policy::Anybody)
    }

    /// Accepts a caller or says why not. Marks the token as sensitive, so that the `Debug` output of the headers hides
    /// it.
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
