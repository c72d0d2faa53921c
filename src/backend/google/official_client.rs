//! Google's client of Cloud Tasks, for set-up and rare operations.

use std::time::Duration;

use google_cloud_auth::credentials::Credentials;
use google_cloud_gax::client_builder;
use google_cloud_gax::error::Error as GoogleError;
use google_cloud_gax::retry_policy::NeverRetry;
use google_cloud_tasks_v2::client::CloudTasks;
use tokio::sync::OnceCell;

/// Google's client, which is made when it is first used: it reads the root certificates, even for a server without TLS.
pub(crate) struct OfficialClient {
    endpoint: Option<String>,
    credentials: Credentials,
    attempt_timeout: Duration,
    client: OnceCell<CloudTasks>,
}

impl OfficialClient {
    pub fn new(endpoint: Option<String>, credentials: Credentials, attempt_timeout: Duration) -> Self {
        Self {
            endpoint,
            credentials,
            attempt_timeout,
            client: OnceCell::new(),
        }
    }

    /// The client.
    pub async fn get(&self) -> Result<&CloudTasks, GoogleError> {
        // What the build has not found out is about TLS, so nothing can be sent.
        self.build().await.map_err(GoogleError::connect)
    }

    /// Makes the client, if there is none.
    pub async fn build(&self) -> Result<&CloudTasks, client_builder::Error> {
        let build = || async {
            // We retry calls ourselves: only then can we tell an ALREADY_EXISTS on the first call from one on a retry.
            let mut builder = CloudTasks::builder()
                .with_credentials(self.credentials.clone())
                .with_retry_policy(NeverRetry)
                .with_attempt_timeout(self.attempt_timeout);
            if let Some(url) = &self.endpoint {
                builder = builder.with_endpoint(url);
            }
            builder.build().await
        };
        self.client.get_or_try_init(build).await
    }

    /// Replaces the client.
    #[cfg(test)]
    pub fn set(&mut self, client: CloudTasks) {
        self.client = OnceCell::new_with(Some(client));
    }
}

/// The domain of Google's cloud that is called, as Google's client finds it: that of the environment, which must be the one of
/// the credentials.
pub(super) async fn universe(credentials: &Credentials) -> Result<String, client_builder::Error> {
    const DEFAULT: &str = "googleapis.com";
    let called = std::env::var("GOOGLE_CLOUD_UNIVERSE_DOMAIN").unwrap_or_else(|_| DEFAULT.to_owned());
    let theirs = credentials.universe_domain().await;
    let theirs = theirs.as_deref().unwrap_or(DEFAULT);
    if theirs == called {
        Ok(called)
    } else {
        Err(client_builder::Error::universe_domain_mismatch(&called, theirs))
    }
}
