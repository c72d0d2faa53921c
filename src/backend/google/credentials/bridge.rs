//! Adapts the sources of access tokens to Google's clients.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use gcp_auth::{Token, TokenProvider};
use google_cloud_auth::credentials::{CacheableResource, CredentialsProvider, EntityTag};
use google_cloud_auth::errors::CredentialsError;
use http::header::AUTHORIZATION;
use http::{Extensions, HeaderMap, HeaderValue};
use tokio::time::Instant;

use crate::backend::google::credentials::key_file::KeyFile;
use crate::backend::google::credentials::{Rejected, SCOPE};

/// How often a rejected token is given up at most, so that a rejected account does not load the token server.
const GIVE_UP_INTERVAL: Duration = Duration::from_secs(60);

/// Where tokens come from.
pub(super) enum Source {
    File(Box<KeyFile>),
    /// The metadata server.
    Machine(Arc<dyn TokenProvider>),
    /// The `gcloud` program, for which `gcp_auth` blocks the thread.
    Gcloud(Arc<dyn TokenProvider>),
}

impl Source {
    /// The account that tasks can be signed as, if the source names it.
    pub fn account(&self) -> Option<&str> {
        match self {
            Self::File(file) => file.account(),
            Self::Machine(_) | Self::Gcloud(_) => None,
        }
    }

    /// The project of the source. No source asks the network for it.
    pub async fn project(&self) -> Option<String> {
        match self {
            Self::File(file) => file.project().map(str::to_owned),
            Self::Machine(provider) | Self::Gcloud(provider) => provider
                .project_id()
                .await
                .ok()
                .map(|project| project.to_string()),
        }
    }

    async fn fetch(&self) -> Result<Arc<Token>, CredentialsError> {
        // These two do not say whether a retry would help.
        let transient = |error| CredentialsError::from_source(true, error);
        match self {
            Self::File(file) => file.fetch().await.map(Arc::new),
            Self::Machine(provider) => provider.token(SCOPE).await.map_err(transient),
            Self::Gcloud(provider) => {
                let provider = Arc::clone(provider);
                let fetched = blocking(async move { provider.token(SCOPE).await }).await;
                fetched
                    .map_err(|error| CredentialsError::from_source(true, error))?
                    .map_err(transient)
            }
        }
    }
}

/// Runs a future that blocks its thread on a thread where that is allowed.
pub(super) async fn blocking<F>(future: F) -> Result<F::Output, tokio::task::JoinError>
where
    F: Future<Output: Send> + Send + 'static,
{
    let runtime = tokio::runtime::Handle::current();
    tokio::task::spawn_blocking(move || runtime.block_on(future)).await
}

/// Credentials with a token of a source, which is fetched once for all callers.
pub(super) struct Bridge {
    source: Source,
    state: Mutex<State>,
    /// Held during a fetch.
    fetching: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct State {
    current: Option<Current>,
    /// When a rejected token was last given up.
    given_up: Option<Instant>,
    /// The last failure, and when it came.
    failed: Option<(Instant, CredentialsError)>,
}

struct Current {
    token: Arc<Token>,
    headers: HeaderMap,
    tag: EntityTag,
}

impl Bridge {
    pub fn new(source: Source) -> Self {
        Self {
            source,
            state: Mutex::default(),
            fetching: tokio::sync::Mutex::default(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives up a token that the service has rejected, unless the one before it was rejected as well: then the account is the
    /// reason.
    fn give_up(&self, Rejected(tag): &Rejected) {
        let mut state = self.state();
        let is_current = state.current.as_ref().is_some_and(|current| current.tag == *tag);
        if is_current
            && state
                .given_up
                .is_none_or(|instant| instant.elapsed() >= GIVE_UP_INTERVAL)
        {
            state.current = None;
            state.given_up = Some(Instant::now());
        }
    }

    /// The headers with the current token, if it has not expired.
    fn current(&self, extensions: &Extensions) -> Option<CacheableResource<HeaderMap>> {
        let state = self.state();
        let current = state
            .current
            .as_ref()
            .filter(|current| !current.token.has_expired())?;
        if extensions.get::<EntityTag>() == Some(&current.tag) {
            return Some(CacheableResource::NotModified);
        }
        Some(CacheableResource::New {
            entity_tag: current.tag.clone(),
            data: current.headers.clone(),
        })
    }
}

impl CredentialsProvider for Bridge {
    async fn headers(
        &self,
        extensions: Extensions,
    ) -> Result<CacheableResource<HeaderMap>, CredentialsError> {
        if let Some(rejected) = extensions.get() {
            self.give_up(rejected);
        }
        if let Some(headers) = self.current(&extensions) {
            return Ok(headers);
        }
        let asked = Instant::now();
        let _fetching = self.fetching.lock().await;
        // Another caller fetched it, or tried to, while this one waited: a thousand callers need one fetch.
        if let Some(headers) = self.current(&extensions) {
            return Ok(headers);
        }
        if let Some((failed, error)) = &self.state().failed
            && *failed >= asked
        {
            return Err(error.clone());
        }
        let fetched = self.source.fetch().await.and_then(|token| {
            let mut value = HeaderValue::from_str(&format!("Bearer {}", token.as_str()))
                .map_err(|error| CredentialsError::from_source(false, error))?;
            value.set_sensitive(true);
            Ok(Current {
                token,
                headers: HeaderMap::from_iter([(AUTHORIZATION, value)]),
                tag: EntityTag::new(),
            })
        });
        let mut state = self.state();
        match fetched {
            Ok(current) => {
                let headers = CacheableResource::New {
                    entity_tag: current.tag.clone(),
                    data: current.headers.clone(),
                };
                state.current = Some(current);
                state.failed = None;
                Ok(headers)
            }
            Err(error) => {
                state.failed = Some((Instant::now(), error.clone()));
                Err(error)
            }
        }
    }

    async fn universe_domain(&self) -> Option<String> {
        None
    }
}

impl fmt::Debug for Bridge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bridge").finish_non_exhaustive()
    }
}
