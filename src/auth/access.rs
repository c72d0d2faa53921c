//! Access control for the HTTP endpoints.

use std::sync::Arc;

use http::HeaderMap;

use crate::auth::refusal_log::RefusalLog;
use crate::auth::{Refusal, Verifier};

/// The endpoint that a request is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Endpoint {
    Tasks,
    Subscriptions,
}

impl Endpoint {
    #[cfg(feature = "google")]
    pub const ALL: [Self; 2] = [Self::Tasks, Self::Subscriptions];

    /// The path of its routes, up to their names.
    pub fn path(self) -> &'static str {
        match self {
            Self::Tasks => "/tasks/",
            Self::Subscriptions => "/subscriptions/",
        }
    }
}

/// The route that is called.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Called<'a> {
    pub endpoint: Endpoint,
    /// The decoded name in the path; a task of this name need not exist.
    pub name: &'a str,
    /// Whether pushes to the subscriber of this name carry a token.
    pub signed: bool,
    /// The push URL that the subscriber of this name sets, if any.
    #[cfg_attr(
        not(feature = "google"),
        expect(dead_code, reason = "without it there is no verifier")
    )]
    pub own_url: Option<&'a str>,
}

/// The access policy of a runtime's routes.
pub(crate) struct Access {
    callers: Policy,
    unsigned_pushes: UnsignedPushes,
    refusals: RefusalLog,
}

/// Which pushes are accepted without a token.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum UnsignedPushes {
    #[default]
    None,
    /// Pushes to subscribers with `oidc = false`.
    Declared,
    /// All pushes, because Google's Pub/Sub emulator does not sign.
    Emulator,
}

enum Policy {
    Anybody,
    Nobody,
    Verified(Arc<Verifier>),
}

impl Access {
    /// Accepts every caller: in tests, and with `allow_unauthenticated()`.
    pub fn anybody() -> Self {
        Self::new(Policy::Anybody)
    }

    /// Rejects every caller.
    pub fn nobody() -> Self {
        Self::new(Policy::Nobody)
    }

    pub fn verified(verifier: Verifier) -> Self {
        Self::new(Policy::Verified(Arc::new(verifier)))
    }

    fn new(callers: Policy) -> Self {
        Self {
            callers,
            unsigned_pushes: UnsignedPushes::None,
            refusals: RefusalLog::default(),
        }
    }

    pub fn with_unsigned_pushes(mut self, unsigned: UnsignedPushes) -> Self {
        self.unsigned_pushes = unsigned;
        self
    }

    /// The accounts and audiences that open every route, for the log.
    pub fn trusted(&self) -> (&[String], &[String]) {
        match &self.callers {
            Policy::Verified(verifier) => verifier.trusted(),
            Policy::Anybody | Policy::Nobody => (&[], &[]),
        }
    }

    /// Fetches the keys of callers before the first of them arrives; `None` if callers need none.
    pub fn prefetch_keys(&self) -> Option<impl Future<Output = ()> + Send + use<>> {
        match &self.callers {
            Policy::Verified(verifier) => Some(verifier.prefetch_keys()),
            Policy::Anybody | Policy::Nobody => None,
        }
    }

    /// Whether every caller is accepted.
    pub fn is_open(&self) -> bool {
        matches!(self.callers, Policy::Anybody)
    }

    /// Accepts a caller, or returns and logs the reason for the refusal, as far as that is known at once. `None` if its token
    /// must be [verified](Self::verify).
    pub fn decide(&self, called: &Called<'_>, headers: &HeaderMap) -> Option<Result<(), Refusal>> {
        if self.needs_no_token(called) {
            return Some(Ok(()));
        }
        let verdict = match &self.callers {
            Policy::Anybody => Ok(()),
            Policy::Nobody => Err(Refusal::NobodyTrusted),
            Policy::Verified(verifier) => verifier.decide(called, headers)?,
        };
        Some(self.logged(verdict, called, headers))
    }

    /// Accepts a caller whose token was not seen before, or returns and logs the reason for the refusal.
    pub async fn verify(&self, called: &Called<'_>, headers: &HeaderMap) -> Result<(), Refusal> {
        let verdict = match &self.callers {
            Policy::Anybody => Ok(()),
            Policy::Nobody => Err(Refusal::NobodyTrusted),
            Policy::Verified(verifier) => verifier.verify(called, headers).await,
        };
        self.logged(verdict, called, headers)
    }

    fn logged(
        &self,
        verdict: Result<(), Refusal>,
        called: &Called<'_>,
        headers: &HeaderMap,
    ) -> Result<(), Refusal> {
        if let Err(refusal) = verdict {
            self.refusals.write(refusal, called, || match &self.callers {
                Policy::Verified(verifier) => verifier.foreign(called, headers),
                Policy::Anybody | Policy::Nobody => None,
            });
        }
        verdict
    }
}

impl Access {
    fn needs_no_token(&self, called: &Called<'_>) -> bool {
        let unsigned = match self.unsigned_pushes {
            UnsignedPushes::None => false,
            UnsignedPushes::Declared => !called.signed,
            UnsignedPushes::Emulator => true,
        };
        unsigned && called.endpoint == Endpoint::Subscriptions
    }
}
