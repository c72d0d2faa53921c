//! The settings of a builder that only one mode has.

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
    /// Sends tasks to a backend of your own.
    pub fn backend(self, backend: impl Backend) -> Self {
        self.change_mode(|mode| mode.set_backend(Arc::new(backend)))
    }

    /// Sets how Google Cloud Tasks is called: credentials, endpoint, calls in flight, time limits.
    #[cfg(feature = "google")]
    #[cfg_attr(docsrs, doc(cfg(feature = "google")))]
    pub fn google(self, google: Google) -> Self {
        self.change_mode(|mode| mode.set_google(google))
    }

    /// Sets who may call, where the default does not fit.
    #[cfg(feature = "google")]
    #[cfg_attr(docsrs, doc(cfg(feature = "google")))]
    pub fn callers(self, callers: TrustedCallers) -> Self {
        self.change_mode(|mode| mode.set_callers(callers))
    }

    /// Runs tasks and takes messages for anybody who calls, without a token.
    ///
    /// For a service that only machines of your own can reach, or whose callers something in front of it verifies. For
    /// Cloud Run's own check there is [`trust_platform`](Self::trust_platform), which still looks at who calls.
    pub fn allow_unauthenticated(self) -> Self {
        self.change_mode(|mode| mode.set_trust(Trust::Anybody))
    }

    /// Believes the platform in front of this service that it checked the signatures of tokens, and took them away.
    ///
    /// Cloud Run does so for a service that requires authentication (IAM): the token arrives with
    /// `SIGNATURE_REMOVED_BY_GOOGLE` in the place of its signature. All that it says is checked still: issuer, audience,
    /// times, account. A token that has its signature is checked in full, and a request that has an
    /// `X-Serverless-Authorization` header is refused, since Cloud Run then checks that one and not `Authorization`.
    ///
    /// Where no such platform stands in front, this lets in whoever writes a token by hand. Give `roles/run.invoker` only to
    /// accounts that you would trust here too: the platform's check is then the one that counts.
    #[cfg(feature = "google")]
    #[cfg_attr(docsrs, doc(cfg(feature = "google")))]
    pub fn trust_platform(self) -> Self {
        self.change_mode(|mode| mode.set_trust(Trust::Platform))
    }
}

#[cfg(feature = "local")]
impl RuntimeBuilder<Embedded> {
    /// Sets the clock that schedules go by, so that a test need not wait for midnight; that of the machine, unless set.
    ///
    /// It is looked at about once a second, and when the next schedule is due by it. Everything else keeps the real time:
    /// delayed tasks, retries, deadlines and tokens.
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
