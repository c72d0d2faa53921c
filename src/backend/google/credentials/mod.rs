//! Credentials: the given ones, or those that `gcp_auth` finds.

mod bounded;

pub(super) use bounded::{Fetched, bounded};

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use gcp_auth::TokenProvider;
use google_cloud_auth::credentials::{CacheableResource, Credentials, CredentialsProvider, EntityTag};
use google_cloud_auth::errors::CredentialsError;
use http::header::AUTHORIZATION;
use http::{Extensions, HeaderMap, HeaderValue, Request};
use serde::Deserialize;

use crate::base::Config;
use crate::base::http_client::{Connections, HttpClient};

const SCOPE: &[&str] = &["https://www.googleapis.com/auth/cloud-platform"];
/// Elsewhere its name does not resolve, or nothing answers.
const METADATA_TIMEOUT: Duration = Duration::from_secs(2);
const KEY_FILE: &str = "GOOGLE_APPLICATION_CREDENTIALS";

/// Gives back the credentials to use, and fills in the project and the account where the settings leave them open; the account
/// only for credentials that were found.
pub(crate) async fn find(given: Option<Credentials>, config: &mut Config) -> Result<Credentials, String> {
    if let Some(credentials) = given {
        if config.project().is_none()
            && let Some(project) = metadata("project/project-id").await
        {
            *config = config.clone().with_project(project);
        }
        // They do not say whose they are, and the account that the metadata server names may be another one.
        return Ok(credentials);
    }
    let provider = gcp_auth::provider().await.map_err(|error| {
        format!(
            "no Google credentials were found ({error}): set {KEY_FILE}, run `gcloud auth application-default login`, or pass \
             credentials with `.google(Google::new().credentials(..))`"
        )
    })?;
    if config.project().is_none()
        && let Ok(project) = provider.project_id().await
    {
        *config = config.clone().with_project(&*project);
    }
    if config.service_account().is_none() {
        let email = match key_file_account() {
            Some(email) => Some(email),
            None => metadata("instance/service-accounts/default/email").await,
        };
        if let Some(email) = email {
            *config = config.clone().with_service_account(email);
        }
    }
    Ok(Bridge::new(provider).into())
}

/// The account of the key file that `gcp_auth` reads first.
fn key_file_account() -> Option<String> {
    #[derive(Deserialize)]
    struct KeyFile {
        client_email: Option<String>,
    }
    let path = std::env::var_os(KEY_FILE)?;
    let text = std::fs::read(path).ok()?;
    serde_json::from_slice::<KeyFile>(&text).ok()?.client_email
}

/// Asks the metadata server, which exists only on Google's machines. Source:
/// <https://cloud.google.com/compute/docs/metadata/predefined-metadata-keys>.
pub(crate) async fn metadata(key: &str) -> Option<String> {
    let host = std::env::var("GCE_METADATA_HOST").unwrap_or_else(|_| "metadata.google.internal".into());
    let request = Request::get(format!("http://{host}/computeMetadata/v1/{key}"))
        .header("metadata-flavor", "Google")
        .body(Bytes::new())
        .ok()?;
    let http = HttpClient::plain(Connections::Closed);
    let response = http.timeout(METADATA_TIMEOUT).max_bytes(4096).send(request).await;
    let response = response.ok().filter(|response| response.status().is_success())?;
    // Without it this is not the metadata server, but a proxy or somebody else under its name.
    let flavor = response.headers().get("metadata-flavor");
    if flavor.is_none_or(|flavor| flavor != "Google") {
        tracing::warn!(
            host,
            "the metadata server's answer is ignored: it has no Metadata-Flavor header"
        );
        return None;
    }
    let text = String::from_utf8(response.into_body().into()).ok()?;
    Some(text.trim().to_owned()).filter(|text| !text.is_empty())
}

/// Adapts tokens of `gcp_auth` to Google's clients.
struct Bridge {
    provider: Arc<dyn TokenProvider>,
    /// The last token, so that a client that has it need not build its header again.
    last: Mutex<Option<(String, EntityTag)>>,
}

impl Bridge {
    fn new(provider: Arc<dyn TokenProvider>) -> Self {
        Self {
            provider,
            last: Mutex::default(),
        }
    }

    fn tag(&self, token: &str) -> EntityTag {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        match &*last {
            Some((known, tag)) if known == token => tag.clone(),
            _ => {
                let tag = EntityTag::new();
                *last = Some((token.to_owned(), tag.clone()));
                tag
            }
        }
    }
}

impl CredentialsProvider for Bridge {
    async fn headers(
        &self,
        extensions: Extensions,
    ) -> Result<CacheableResource<HeaderMap>, CredentialsError> {
        // The error does not say whether a retry would help, so every failure to fetch a token counts as transient.
        let token = self
            .provider
            .token(SCOPE)
            .await
            .map_err(|error| CredentialsError::from_source(true, error))?;
        let tag = self.tag(token.as_str());
        if extensions.get::<EntityTag>() == Some(&tag) {
            return Ok(CacheableResource::NotModified);
        }
        let mut value = HeaderValue::from_str(&format!("Bearer {}", token.as_str()))
            .map_err(|error| CredentialsError::from_source(false, error))?;
        value.set_sensitive(true);
        Ok(CacheableResource::New {
            entity_tag: tag,
            data: HeaderMap::from_iter([(AUTHORIZATION, value)]),
        })
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
