//! The configuration of trusted callers.

use std::time::Duration;

use http::Uri;

use crate::auth::audience::Audiences;
#[cfg(feature = "testing")]
use crate::auth::jwks::FixedKeys;
use crate::auth::jwks_client::Source;
use crate::auth::key_cache::{Keys, Timing};
use crate::auth::rules::Rules;
use crate::auth::verifier::Verifier;
#[cfg(feature = "testing")]
use crate::base::http_client::Server;
use crate::base::{Config, Invalid, is_loopback, limits::INDEFINITELY, without_user};

const GOOGLE_ISSUERS: [&str; 2] = ["https://accounts.google.com", "accounts.google.com"];
const GOOGLE_KEYS: &str = "https://www.googleapis.com/oauth2/v3/certs";

/// Which callers may use `/tasks/` and `/subscriptions/`: their accounts, and the keys that verify their tokens.
///
/// The default is what most services need: tokens from Google, for the account that this service's tasks are signed as
/// ([`Config::service_account`]), with this service's URL ([`Config::endpoint`]) or that of the called
/// [route](Self::audience) as audience. A token must have a valid signature (RS256), issuer, audience, account and
/// `email_verified`, and be in its period of validity; clocks may differ by 10 seconds.
///
/// ```standalone_crate
/// use cloud_tasks::backend::Google;
/// use cloud_tasks::service::TrustedCallers;
/// use cloud_tasks::{Config, Runtime};
/// # use google_cloud_auth::credentials::anonymous;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), cloud_tasks::Error> {
/// let config = Config::default()
///     .with_endpoint("https://shop.example")
///     .with_project("my-project")
///     .with_location("europe-west1")
///     .with_service_account("tasks@my-project.iam.gserviceaccount.com");
/// let callers = TrustedCallers::new()
///     .account("scheduler@my-project.iam.gserviceaccount.com")   // besides the one of the settings
///     .audience("https://shop-a1b2c3-ew.a.run.app");             // besides the endpoint
/// # let google = Google::new().credentials(anonymous::Builder::new().build());
/// let runtime = Runtime::builder().config(config).callers(callers).google(google).build().await?;
/// # let _ = runtime;
/// # Ok(())
/// # }
/// ```
///
/// # Keys
///
/// The keys are fetched [while the runtime is built](crate::runtime::RuntimeBuilder::build), or when the first token arrives, and
/// cached for as long as the response allows. After that they are refreshed in the background while the old keys stay in use. If the refresh fails, the old keys stay in use up to
/// [`max_key_age`](Self::max_key_age). A token with an unknown key triggers a fetch, at most once per
/// [`min_refresh_interval`](Self::min_refresh_interval); tokens with known keys never wait for it. Without any keys,
/// callers get 503.
///
/// Sources: <https://cloud.google.com/tasks/docs/creating-http-target-tasks#token>,
/// <https://cloud.google.com/pubsub/docs/authenticate-push-subscriptions>.
#[derive(Clone, Debug)]
pub struct TrustedCallers {
    accounts: Vec<String>,
    audiences: Vec<String>,
    issuers: Vec<String>,
    pub(crate) keys_url: String,
    fetch_timeout: Duration,
    timing: Timing,
    /// The keys of a test, instead of those from the URL.
    #[cfg(feature = "testing")]
    fixed: Option<FixedKeys>,
    /// The server of a simulation.
    #[cfg(feature = "testing")]
    server: Option<Server>,
}

impl Default for TrustedCallers {
    fn default() -> Self {
        Self {
            accounts: Vec::new(),
            audiences: Vec::new(),
            issuers: GOOGLE_ISSUERS.map(str::to_owned).to_vec(),
            keys_url: GOOGLE_KEYS.to_owned(),
            fetch_timeout: Duration::from_secs(5),
            timing: Timing {
                min_refresh_interval: Duration::from_secs(10),
                max_key_age: Duration::from_secs(24 * 60 * 60),
            },
            #[cfg(feature = "testing")]
            fixed: None,
            #[cfg(feature = "testing")]
            server: None,
        }
    }
}

impl TrustedCallers {
    /// Trusts tokens from Google, for the account and the URL of the settings.
    pub fn new() -> Self {
        Self::default()
    }

    /// Also trusts this service account, given by its e-mail address.
    pub fn account(mut self, email: impl Into<String>) -> Self {
        self.accounts.push(email.into());
        self
    }

    /// Accepts tokens for this audience too, on every route.
    ///
    /// Always accepted are the [endpoint](Config::endpoint), which this service asks for, and the URL of the route that is
    /// called, on this route alone: `{endpoint}/tasks/{Name}`, `{endpoint}/subscriptions/{Name}` and a subscriber's own `url`. That
    /// URL is the default of Cloud Tasks, Pub/Sub, Cloud Scheduler and their clients. Scheme and host are compared without case; a
    /// slash at the end does not matter.
    pub fn audience(mut self, audience: impl Into<String>) -> Self {
        self.audiences.push(audience.into());
        self
    }

    /// Trusts this issuer instead of Google, and fetches its keys from this URL (a JSON Web Key Set): for an emulator.
    pub fn issuer(mut self, issuer: impl Into<String>, keys_url: impl Into<String>) -> Self {
        self.issuers = vec![issuer.into()];
        self.keys_url = keys_url.into();
        self
    }

    /// Sets the timeout of a key fetch; default 5 seconds.
    pub fn fetch_timeout(mut self, timeout: Duration) -> Self {
        self.fetch_timeout = timeout;
        self
    }

    /// Sets the minimum interval between two key fetches; default 10 seconds.
    pub fn min_refresh_interval(mut self, time: Duration) -> Self {
        self.timing.min_refresh_interval = time.min(INDEFINITELY);
        self
    }

    /// Sets how long expired keys stay in use while refreshing fails; default 24 hours.
    pub fn max_key_age(mut self, time: Duration) -> Self {
        self.timing.max_key_age = time.min(INDEFINITELY);
        self
    }

    /// Verifies tokens with these keys only, and fetches none. For tests: no setting and no user code reaches this.
    #[cfg(feature = "testing")]
    pub(crate) fn with_fixed_keys(mut self, keys: FixedKeys) -> Self {
        self.fixed = Some(keys);
        self
    }

    /// Fetches the keys from this server.
    #[cfg(feature = "testing")]
    pub(crate) fn with_key_server(mut self, server: Server) -> Self {
        self.server = Some(server);
        self
    }

    fn keys(&self) -> Result<Keys, String> {
        #[cfg(feature = "testing")]
        if let Some(fixed) = &self.fixed {
            return Ok(Keys::fixed(fixed.0.clone(), self.timing));
        }
        let source = Source::new(&self.keys_url, self.fetch_timeout)?;
        #[cfg(feature = "testing")]
        let source = source.with_server(self.server.clone());
        Ok(Keys::new(source, self.timing))
    }

    /// The error of an issuer whose keys would be fetched over plain HTTP, where anybody on the network could replace them.
    fn keys_in_the_clear(&self) -> Option<String> {
        let url: Uri = self.keys_url.parse().ok()?;
        let is_public = url.scheme_str() == Some("http") && !url.authority().is_some_and(is_loopback);
        let issuer = self
            .issuers
            .iter()
            .find(|issuer| GOOGLE_ISSUERS.contains(&issuer.as_str()) || issuer.starts_with("https://"))?;
        is_public.then(|| {
            format!(
                "the keys of {issuer} cannot be fetched from {:?} without TLS, because anybody on the network could replace them: \
                 use an https URL, or for an emulator an issuer of its own that is not an https URL",
                without_user(&self.keys_url)
            )
        })
    }

    /// Builds the verifier, or returns every error in these settings.
    pub(crate) fn verifier(
        mut self,
        config: &Config,
        trusts_platform: bool,
    ) -> Result<Verifier, Vec<Invalid>> {
        let mut errors = Vec::new();
        self.accounts.extend(config.service_account().map(str::to_owned));
        if self.accounts.is_empty() {
            errors.push(Invalid::because(
                "no caller is trusted: set CLOUD_TASKS_SERVICE_ACCOUNT, name an account with \
                 `.callers(TrustedCallers::new().account(\"..\"))`, or accept every caller with `.allow_unauthenticated()`",
            ));
        }
        for email in self.accounts.iter().filter(|email| !is_email(email)) {
            errors.push(Invalid::because(format!(
                "the account {email:?} is not accepted: expected the e-mail of a service account, such as \
                 tasks@my-project.iam.gserviceaccount.com"
            )));
        }
        for audience in self.audiences.iter().filter(|audience| audience.is_empty()) {
            errors.push(Invalid::because(format!("the audience {audience:?} is empty")));
        }
        errors.extend(self.keys_in_the_clear().map(Invalid::because));
        let keys = self
            .keys()
            .map_err(|error| errors.push(Invalid::because(error)))
            .ok();
        let (Some(keys), true) = (keys, errors.is_empty()) else {
            return Err(errors);
        };
        let rules = Rules {
            issuers: self.issuers,
            audiences: Audiences::new(config.base_url(), &self.audiences),
            accounts: self.accounts,
        };
        Ok(Verifier::new(rules, keys, trusts_platform))
    }
}

fn is_email(text: &str) -> bool {
    let well_formed =
        |part: &str| !part.is_empty() && !part.contains(|c: char| c.is_whitespace() || c == '@');
    text.split_once('@')
        .is_some_and(|(name, host)| well_formed(name) && well_formed(host))
}
