//! Credentials whose access token is not waited for without a limit.

use std::cell::Cell;
use std::time::Duration;

use google_cloud_auth::credentials::{CacheableResource, Credentials, CredentialsProvider, EntityTag};
use google_cloud_gax::error::CredentialsError;
use http::{Extensions, HeaderMap};
use tokio::time::timeout;

tokio::task_local! {
    /// The headers for the call that this future makes.
    static FETCHED: Cell<Option<CacheableResource<HeaderMap>>>;
}

/// Credentials that give up. Neither `gcp_auth` nor the clients limit the time that fetching a token takes.
#[derive(Debug)]
struct Bounded {
    inner: Credentials,
    limit: Duration,
}

/// Limits the time of fetching a token to three quarters of an attempt.
///
/// So a silent token server ends before the attempt does, and the error says that nothing was sent.
pub(crate) fn bounded(credentials: Credentials, attempt_timeout: Duration) -> Credentials {
    Bounded {
        inner: credentials,
        limit: attempt_timeout / 4 * 3,
    }
    .into()
}

impl CredentialsProvider for Bounded {
    async fn headers(
        &self,
        extensions: Extensions,
    ) -> Result<CacheableResource<HeaderMap>, CredentialsError> {
        if let Ok(Some(fetched)) = FETCHED.try_with(Cell::take) {
            return Ok(fetched);
        }
        let headers = timeout(self.limit, self.inner.headers(extensions)).await;
        headers.unwrap_or_else(|_| {
            let message = format!("no access token came within {:?}", self.limit);
            Err(CredentialsError::from_msg(true, message))
        })
    }

    async fn universe_domain(&self) -> Option<String> {
        let domain = timeout(self.limit, self.inner.universe_domain()).await;
        domain.unwrap_or_default()
    }
}

/// The tag of headers that the service has rejected, in the extensions of a request for others. Credentials that do not know it
/// return what they have.
#[derive(Clone, Debug)]
pub(crate) struct Rejected(pub EntityTag);

/// The headers for one call, fetched before it.
///
/// A call that waits for its token inside Google's client would hold its connection meanwhile.
pub(crate) struct Fetched(CacheableResource<HeaderMap>);

impl Fetched {
    pub fn new(entity_tag: EntityTag, data: HeaderMap) -> Self {
        Self(CacheableResource::New { entity_tag, data })
    }

    /// Makes a call with these headers, by a client with the same credentials.
    pub fn for_call<F: Future>(self, call: F) -> impl Future<Output = F::Output> {
        FETCHED.scope(Cell::new(Some(self.0)), call)
    }
}
