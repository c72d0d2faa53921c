//! The options of a builder that only one mode has.

use std::sync::Arc;
#[cfg(feature = "local")]
use std::time::SystemTime;

#[cfg(feature = "google")]
use crate::auth::TrustedCallers;
use crate::backend::Backend;
#[cfg(feature = "google")]
use crate::backend::Google;
#[cfg(feature = "local")]
use crate::base::Clock;
use crate::runtime::builder::builder::RuntimeBuilder;
use crate::runtime::builder::configured::{Configured, Trust};
#[cfg(feature = "local")]
use crate::runtime::builder::embedded::Embedded;

impl RuntimeBuilder<Configured> {
    /// Sets a backend of your own.
    pub fn backend(self, backend: impl Backend) -> Self {
        self.change_mode(|mode| mode.set_backend(Arc::new(backend)))
    }

    /// Sets how Google Cloud Tasks is called: credentials, endpoint, calls in flight, timeouts.
    #[cfg(feature = "google")]
    #[cfg_attr(docsrs, doc(cfg(feature = "google")))]
    pub fn google(self, google: Google) -> Self {
        self.change_mode(|mode| mode.set_google(google))
    }

    /// Sets which callers are trusted, if the default does not fit.
    #[cfg(feature = "google")]
    #[cfg_attr(docsrs, doc(cfg(feature = "google")))]
    pub fn callers(self, callers: TrustedCallers) -> Self {
        self.change_mode(|mode| mode.set_callers(callers))
    }

    /// Accepts unauthenticated tasks and messages from any caller.
    ///
    /// Use it for a service that only machines of your own can reach, or whose callers are verified by something in
    /// front of it. For Cloud Run's own check use [`trust_platform`](Self::trust_platform), which still checks who
    /// calls.
    pub fn allow_unauthenticated(self) -> Self {
        self.change_mode(|mode| mode.set_trust(Trust::Anybody))
    }

    /// Trusts the platform in front of this service to verify the signatures of tokens, which it removes.
    ///
    /// Cloud Run does this for a service that requires authentication (IAM): the token arrives with
    /// `SIGNATURE_REMOVED_BY_GOOGLE` in place of its signature. Its claims are still checked: issuer, audience, times
    /// and account. A token with a signature is verified completely. A request with an `X-Serverless-Authorization`
    /// header is rejected, because Cloud Run then verifies that header and not `Authorization`.
    ///
    /// On any other platform this accepts handwritten tokens. Grant `roles/run.invoker` only to accounts that you would
    /// trust here too, since the platform's check is then the one that counts.
    #[cfg(feature = "google")]
    #[cfg_attr(docsrs, doc(cfg(feature = "google")))]
    pub fn trust_platform(self) -> Self {
        self.change_mode(|mode| mode.set_trust(Trust::Platform))
    }
}

#[cfg(feature = "local")]
impl RuntimeBuilder<Embedded> {
    /// Sets the clock for schedules, so that a test need not wait for midnight; by default the system clock.
    ///
    /// The clock is read about once a second, and when the next schedule is due by it. Delayed tasks, retries,
    /// deadlines and tokens keep using real time.
    ///
    /// ```no_run
    /// use std::time::{Duration, SystemTime};
    /// use cloud_tasks::Runtime;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), cloud_tasks::Error> {
    /// let tomorrow = || SystemTime::now() + Duration::from_secs(24 * 60 * 60);
    /// let (runtime, engine) = Runtime::local().clock(tomorrow).build().await?;
    /// # let _ = (runtime, engine);
    /// # Ok(())
    /// # }
    /// ```
    pub fn clock(self, now: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        self.change_mode(|mode| mode.set_clock(Clock::new(now)))
    }
}
