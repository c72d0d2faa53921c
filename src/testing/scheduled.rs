//! Requests of Cloud Scheduler.

use std::time::SystemTime;

use bytes::Bytes;
use http::{HeaderValue, Request, header};
use http_body_util::Full;

use super::signer::Signer;
use super::token::{Signature, Token, token_options};
use crate::base::{Error, ErrorKind, job_headers};
use crate::registry::schedule::Schedule;
use crate::runtime::Runtime;
use crate::task::periodic::PeriodicTask;

const USER_AGENT: HeaderValue = HeaderValue::from_static("Google-Cloud-Scheduler");

/// The request that Cloud Scheduler makes for a schedule; see [`Signer::scheduled`].
#[derive(Clone)]
#[must_use = "it becomes a request with `request()`"]
pub struct ScheduledRequest {
    signer: Signer,
    token: Token,
    url: String,
    schedule: Schedule,
    due: SystemTime,
}

token_options!(ScheduledRequest);

impl Signer {
    /// Creates the request of a periodic task's schedule, due now.
    ///
    /// ```
    /// use cloud_tasks::testing::Signer;
    /// use cloud_tasks::{Context, Runtime, Task, TaskResult, task};
    /// use serde::{Deserialize, Serialize};
    /// use tower::ServiceExt;
    ///
    /// #[derive(Default, Serialize, Deserialize)]
    /// struct WeeklyDigest;
    ///
    /// #[task(every = "0 9 * * *")]
    /// impl Task for WeeklyDigest {
    ///     async fn run(self, cx: Context) -> TaskResult<bool> { Ok(cx.metadata().is_scheduled()) }
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let signer = Signer::new()?;
    /// let (runtime, _recorder) = Runtime::recorded().verified_by(&signer).build().await?;
    /// let request = signer.scheduled::<WeeklyDigest>(&runtime)?.request()?;
    /// let response = runtime.service().oneshot(request).await?;
    /// assert_eq!(response.status(), 200);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// If the runtime has no such task.
    pub fn scheduled<T: PeriodicTask>(&self, runtime: &Runtime) -> Result<ScheduledRequest, Error> {
        let name = T::__REGISTRATION.declared().name;
        let schedule = runtime.schedules().iter().find(|schedule| schedule.task == name);
        let schedule = schedule.cloned().ok_or_else(|| {
            Error::new(
                ErrorKind::UnknownTask,
                format!("this runtime has no schedule of {name}: add `.register::<..>()`"),
            )
        })?;
        let mut token = Token::of(runtime.config());
        if !schedule.oidc {
            token.signature = Signature::None;
        }
        Ok(ScheduledRequest {
            signer: *self,
            token,
            url: schedule.url.clone(),
            schedule,
            due: runtime.now(),
        })
    }
}

impl ScheduledRequest {
    /// Sets when the run was due.
    pub fn due(mut self, time: SystemTime) -> Self {
        self.due = time;
        self
    }

    /// Returns the request, for `tower::ServiceExt::oneshot` or for an HTTP client.
    ///
    /// # Errors
    ///
    /// If its URL is invalid.
    pub fn request(self) -> Result<Request<Full<Bytes>>, Error> {
        let mut headers = self.schedule.headers;
        headers.extend(job_headers(&self.schedule.name, self.due));
        headers.insert(header::USER_AGENT, USER_AGENT);
        let body = self.schedule.payload;
        self.signer.request(&self.url, headers, body, &self.token)
    }
}
