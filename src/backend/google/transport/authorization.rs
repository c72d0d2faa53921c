//! The headers that authorize calls, which are made again only if the token changes.

use std::sync::Arc;

use google_cloud_auth::credentials::{CacheableResource, Credentials, EntityTag};
use google_cloud_gax::error::Error as GoogleError;
use http::header::ACCEPT;
use http::{Extensions, HeaderMap, HeaderValue};
use tokio::sync::watch;

use crate::backend::google::credentials::{Fetched, Rejected};

/// Credentials, and the headers of their current token.
pub(crate) struct Authorization {
    /// They are [`bounded`](crate::backend::google::credentials::bounded).
    credentials: Credentials,
    /// The headers of each call of our transport.
    fixed: HeaderMap,
    /// A reader holds its lock only while it clones the pointer.
    current: watch::Sender<Option<Arc<Token>>>,
}

/// The headers of a token.
pub(crate) struct Token {
    tag: EntityTag,
    headers: HeaderMap,
    /// All headers of a call of our transport.
    pub call: HeaderMap,
}

impl Authorization {
    pub fn new(credentials: Credentials, fixed: HeaderMap) -> Self {
        Self {
            credentials,
            fixed,
            current: watch::Sender::new(None),
        }
    }

    /// The current token. The credentials are asked each time, since only they know when it ends.
    pub async fn token(&self) -> Result<Arc<Token>, GoogleError> {
        let current = self.current.borrow().clone();
        let mut extensions = Extensions::new();
        if let Some(current) = &current {
            extensions.insert(current.tag.clone());
        }
        self.ask(extensions, current).await
    }

    /// Another token than this one, which the service has rejected; `None` if the credentials have no other one.
    pub async fn other_than(&self, rejected: &Token) -> Result<Option<Arc<Token>>, GoogleError> {
        let mut extensions = Extensions::new();
        extensions.insert(Rejected(rejected.tag.clone()));
        let token = self.ask(extensions, None).await?;
        Ok(Some(token).filter(|token| token.headers != rejected.headers))
    }

    async fn ask(
        &self,
        extensions: Extensions,
        current: Option<Arc<Token>>,
    ) -> Result<Arc<Token>, GoogleError> {
        let answer = self.credentials.headers(extensions).await;
        let (tag, headers) = match (answer.map_err(GoogleError::authentication)?, current) {
            (CacheableResource::NotModified, Some(current)) => return Ok(current),
            (CacheableResource::NotModified, None) => (EntityTag::new(), HeaderMap::new()),
            // Some credentials do not look at tags.
            (CacheableResource::New { entity_tag, data }, Some(current))
                if current.tag == entity_tag && current.headers == data =>
            {
                return Ok(current);
            }
            (CacheableResource::New { entity_tag, data }, _) => (entity_tag, data),
        };
        let mut call = self.fixed.clone();
        call.extend(headers.clone());
        // It is the last one, as with Google's client.
        call.entry(ACCEPT).or_insert(HeaderValue::from_static("*/*"));
        let token = Arc::new(Token { tag, headers, call });
        self.current.send_replace(Some(Arc::clone(&token)));
        Ok(token)
    }
}

impl Token {
    /// Makes a call with this token, by a client of Google with the same credentials.
    pub fn for_client<F: Future>(&self, call: F) -> impl Future<Output = F::Output> {
        Fetched::new(self.tag.clone(), self.headers.clone()).for_call(call)
    }
}
