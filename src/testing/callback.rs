//! Requests of Cloud Tasks.

use std::time::SystemTime;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Request, header};
use http_body_util::Full;

use super::signer::{Signer, add_header};
use super::token::{Token, token_options};
use crate::base::{Envelope, Error, TaskMetadata, json, names};
use crate::runtime::{Runtime, encode_error};
use crate::task::Task;

const USER_AGENT: HeaderValue = HeaderValue::from_static("Google-Cloud-Tasks");
const RETRY_REASON: HeaderName = HeaderName::from_static("x-cloudtasks-taskretryreason");

/// The request that Cloud Tasks makes for a task; see [`Signer::callback`].
///
/// By default it is the first attempt, due now, from the task's queue, with a random id.
///
/// ```
/// # use cloud_tasks::testing::Signer;
/// # use cloud_tasks::{Context, Runtime, Task, TaskResult, task};
/// # use serde::{Deserialize, Serialize};
/// # #[derive(Serialize, Deserialize)]
/// # struct ChargeCall { invoice: u64 }
/// # #[task(queue = "billing")]
/// # impl Task for ChargeCall {
/// #     async fn run(self, _cx: Context) -> TaskResult { Ok(()) }
/// # }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), cloud_tasks::Error> {
/// # let signer = Signer::new()?;
/// # let (runtime, _recorder) = Runtime::recorded().verified_by(&signer).build().await?;
/// let request = signer.callback(&runtime, &ChargeCall { invoice: 7 }).attempt(3).id("invoice-7").request()?;
/// assert_eq!(request.uri(), "http://localhost:8080/tasks/ChargeCall");
/// assert_eq!(request.headers()["user-agent"], "Google-Cloud-Tasks");
/// assert_eq!(request.headers()["x-cloudtasks-queuename"], "billing");
/// assert_eq!(request.headers()["x-cloudtasks-taskname"], "invoice-7");
/// assert_eq!(request.headers()["x-cloudtasks-taskretrycount"], "2");
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
#[must_use = "it becomes a request with `request()`"]
pub struct CallbackRequest {
    signer: Signer,
    token: Token,
    url: String,
    body: Result<Bytes, String>,
    headers: HeaderMap,
    error: Option<String>,
    metadata: TaskMetadata,
    previous_response: u16,
}

token_options!(CallbackRequest);

impl Signer {
    /// Creates the request for a task.
    pub fn callback<T: Task>(&self, runtime: &Runtime, task: &T) -> CallbackRequest {
        let config = runtime.config();
        let name = T::__REGISTRATION.declared().name;
        let queue = T::__REGISTRATION
            .declared()
            .queue
            .unwrap_or(config.default_queue());
        let body = json::encode(task).map_err(|error| format!("{:#}", encode_error(name, error)));
        let json = HeaderValue::from_static("application/json");
        let headers = HeaderMap::from_iter([(header::CONTENT_TYPE, json)]);
        CallbackRequest::new(*self, runtime, config.task_url(name), queue, body, headers)
    }

    /// Creates the request for a task of a [`Recorder`](crate::testing::Recorder), also for a publisher's.
    ///
    /// ```
    /// # use cloud_tasks::testing::Signer;
    /// # use cloud_tasks::{PublisherTask, Runtime, task};
    /// # use serde::{Deserialize, Serialize};
    /// # use tower::ServiceExt;
    /// # #[derive(Serialize, Deserialize)]
    /// # struct CallBilled { order_id: u64 }
    /// # #[task]
    /// # impl PublisherTask for CallBilled {}
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let signer = Signer::new()?;
    /// let (runtime, recorder) = Runtime::recorded().verified_by(&signer).build().await?;
    /// CallBilled { order_id: 7 }.asap().on(&runtime).await?;
    /// let request = signer.callback_of(&runtime, &recorder.envelopes()[0]).request()?;
    /// runtime.service().oneshot(request).await?;
    /// assert_eq!(recorder.publications()[0].data(), br#"{"order_id":7}"#);
    /// # Ok(())
    /// # }
    /// ```
    pub fn callback_of(&self, runtime: &Runtime, envelope: &Envelope) -> CallbackRequest {
        let (url, queue) = (envelope.url().to_owned(), envelope.queue());
        let (body, headers) = (Ok(envelope.body.clone()), envelope.headers().clone());
        let mut request = CallbackRequest::new(*self, runtime, url, queue, body, headers);
        if let Some(id) = envelope.id() {
            request = request.id(id);
        }
        match envelope.schedule_time() {
            Some(eta) => request.eta(eta),
            None => request,
        }
    }
}

impl CallbackRequest {
    fn new(
        signer: Signer,
        runtime: &Runtime,
        url: String,
        queue: &str,
        body: Result<Bytes, String>,
        headers: HeaderMap,
    ) -> Self {
        let metadata = TaskMetadata::new()
            .with_queue(queue)
            .with_id(&names::random_task_id())
            .with_execution_count(0)
            .with_eta(runtime.now());
        Self {
            signer,
            token: Token::of(runtime.config()),
            url,
            body,
            headers,
            error: None,
            metadata: metadata.with_retry_count(0),
            previous_response: 500,
        }
    }

    /// Sets the number of the attempt, starting at 1; zero counts as 1.
    pub fn attempt(mut self, attempt: u32) -> Self {
        self.metadata = self.metadata.with_retry_count(attempt.saturating_sub(1));
        self
    }

    /// Sets the queue.
    pub fn queue(mut self, queue: &str) -> Self {
        self.metadata = self.metadata.with_queue(queue);
        self
    }

    /// Sets the task's id.
    pub fn id(mut self, id: &str) -> Self {
        self.metadata = self.metadata.with_id(id);
        self
    }

    /// Sets when the attempt was due.
    pub fn eta(mut self, eta: SystemTime) -> Self {
        self.metadata = self.metadata.with_eta(eta);
        self
    }

    /// Sets the status of the previous attempt's response, which is sent from the second attempt on; default 500.
    pub fn previous_response(mut self, status: u16) -> Self {
        self.previous_response = status;
        self
    }

    /// Adds a header, and replaces one that the enqueueing call set.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        if let Err(error) = add_header(&mut self.headers, name, value) {
            self.error.get_or_insert(error.to_string());
        }
        self
    }

    /// Returns the request, for `tower::ServiceExt::oneshot` or for an HTTP client.
    ///
    /// # Errors
    ///
    /// If the arguments do not serialize, or if a header is invalid.
    pub fn request(self) -> Result<Request<Full<Bytes>>, Error> {
        if let Some(error) = self.error {
            return Err(Error::invalid(error));
        }
        let body = self.body.map_err(Error::invalid)?;
        let metadata = match self.metadata.attempt() {
            1 => self.metadata,
            _ => self.metadata.with_previous_response(self.previous_response),
        };
        let mut headers = self.headers;
        headers.insert(header::USER_AGENT, USER_AGENT);
        if metadata.attempt() > 1 {
            headers.insert(RETRY_REASON, HeaderValue::from_static(""));
        }
        headers.extend(metadata.headers().clone());
        self.signer.request(&self.url, headers, body, &self.token)
    }
}
