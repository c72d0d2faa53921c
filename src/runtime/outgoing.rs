//! Sending tasks and messages, from a request to the backend's response.

use std::fmt;
use std::time::SystemTime;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use tracing::level_filters::LevelFilter;
use tracing::{Instrument, Span};

use crate::base::text::error_chain;
use crate::base::{
    Enqueued, Envelope, Error, ErrorKind, Invalid, Publication, creation_header, job_headers, limits,
    service_variable, timeout_header,
};
use crate::registry::Declared;
use crate::registry::schedule::ScheduleOptions;
use crate::registry::unique::{UniqueOptions, Uniqueness};
use crate::runtime::Runtime;
use crate::runtime::scope::{Scope, is_running};
use crate::runtime::send_options::SendOptions;

/// A task to be created. An invalid part fails the request when it is sent.
pub(crate) struct Request {
    registration: Declared,
    body: Bytes,
    pub options: SendOptions,
    id: Option<String>,
    /// The uniqueness of the task, if it has no explicit id.
    unique: Option<Box<Uniqueness>>,
    /// The headers of the message.
    carried: HeaderMap,
    /// The schedule, if this is a run of one.
    job: Option<&'static ScheduleOptions>,
    error: Option<Error>,
}

impl Request {
    pub fn new(registration: Declared, body: Bytes) -> Self {
        Self {
            registration,
            body,
            options: SendOptions::default(),
            id: None,
            unique: None,
            carried: HeaderMap::new(),
            job: None,
            error: None,
        }
    }

    pub fn task(&self) -> &'static str {
        self.registration.name
    }

    pub fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    /// Makes the request fail with this error, unless it fails with another one already.
    pub fn refuse(&mut self, error: Error) {
        self.error.get_or_insert(error);
    }

    pub fn set_body(&mut self, body: Bytes) {
        self.body = body;
    }

    pub fn set_id(&mut self, id: String) {
        self.id = Some(id);
    }

    pub fn set_unique(&mut self, unique: Option<Box<Uniqueness>>) {
        self.unique = unique;
    }

    /// The uniqueness of the call, initialized from the type.
    pub fn uniqueness(&mut self) -> &mut Uniqueness {
        const BY_ARGUMENTS: &UniqueOptions = &UniqueOptions::new();
        let unique = &mut self.unique;
        unique.get_or_insert_with(|| Box::new(Uniqueness::of_type(BY_ARGUMENTS)))
    }

    /// Marks it as a run of a schedule.
    pub fn set_job(&mut self, job: &'static ScheduleOptions) {
        self.job = Some(job);
    }

    /// Adds a header of our own.
    pub fn set_our_header(&mut self, name: HeaderName, value: &str) {
        let header = HeaderValue::from_str(value).ok().map(|value| (name, value));
        self.options.add_headers(header.into_iter().collect());
    }

    /// Sets the headers of the message.
    pub fn set_carried(&mut self, headers: HeaderMap) {
        self.carried = headers;
    }

    /// Creates the task with the runtime and the headers of a scope.
    pub async fn send(self, scope: &Scope) -> Result<Enqueued, Error> {
        let envelope = self.into_envelope(scope)?;
        scope.runtime.send_task(envelope).await
    }

    /// The envelope for this scope, checked against the service's limits.
    pub fn into_envelope(mut self, scope: &Scope) -> Result<Envelope, Error> {
        if let Some(error) = self.error {
            return Err(error);
        }
        let config = scope.runtime.config();
        let name = self.registration.name;
        scope.runtime.registry().validate_sender(&self.registration)?;
        let registration = scope.runtime.registry().resolve(self.registration);
        let service = match registration.service {
            Some(service) => Some(
                config
                    .shared_service(service)
                    .ok_or_else(|| not_enqueued(name, &unknown_service(service)))?,
            ),
            None => None,
        };
        let url = registration.url(name, config);
        let SendOptions { start, timeout, .. } = self.options;
        let queue = self.options.queue.take();
        let own_headers = self
            .options
            .into_headers()
            .map_err(|reason| not_enqueued(name, &reason))?;
        let mut headers = scope.headers();
        headers.extend(self.carried);
        for own in own_headers.keys() {
            headers.remove(own);
        }
        let propagated: Vec<_> = headers.keys().cloned().collect();
        headers.extend(own_headers);
        if !headers.contains_key(header::CONTENT_TYPE) {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        let now = scope.runtime.now();
        if let Some(options) = self.job {
            headers.extend(job_headers(&options.job_name(name, config), now));
        }
        if let Some(timeout) = timeout {
            headers.extend([timeout_header(timeout)]);
        }
        let queue = queue.unwrap_or_else(|| {
            self.registration
                .queue
                .unwrap_or(config.default_queue())
                .to_owned()
        });
        let id = match (self.id, &self.unique) {
            (None, Some(unique)) => Some(unique_id(name, unique, &self.body, now)?),
            (given, _) => given,
        };
        if id.is_some() && self.registration.idempotent {
            // An id can be used again later, and that is another run.
            headers.extend([creation_header()]);
        }
        let mut envelope = Envelope {
            task: name.into(),
            queue,
            id,
            url,
            service,
            body: self.body,
            headers,
            schedule_time: start.time(now, limits::max_ahead(config)),
            timeout: timeout.or(self.registration.timeout),
        };
        let checked = limits::check(&envelope, config, now);
        if checked.is_ok() || propagated.is_empty() {
            return checked.map(|()| envelope);
        }
        // Propagated headers must not prevent the task from being enqueued.
        for name in &propagated {
            envelope.headers.remove(name);
        }
        limits::check(&envelope, config, now)?;
        tracing::warn!(
            task = name,
            "there is no room for the propagated headers; they are left out"
        );
        Ok(envelope)
    }
}

/// What is wrong if the endpoint of a service is not known.
fn unknown_service(service: &str) -> Invalid {
    let variable = service_variable(service);
    Invalid::because(format!(
        "the endpoint of the service {service} is unknown: set {variable} to its URL, or use `Config::with_service(..)`"
    ))
}

/// The id of a unique task that is enqueued now.
fn unique_id(task: &str, unique: &Uniqueness, body: &[u8], now: SystemTime) -> Result<String, Error> {
    unique
        .id(task, body, now)
        .map_err(|reason| not_enqueued(task, &reason))
}

/// The error of a task that was rejected before anything was sent.
pub(crate) fn not_enqueued(task: &str, reason: &dyn fmt::Display) -> Error {
    Error::invalid(format!("task {task} was not enqueued: {reason}"))
}

/// The error for arguments or content that JSON cannot represent.
pub(crate) fn encode_error(name: &str, error: serde_json::Error) -> Error {
    Error::new(
        ErrorKind::Encode,
        format!("the arguments of task {name} do not serialize to JSON"),
    )
    .with_source(error)
}

/// A task or a message for the backend, kept so that a retry sends the same.
#[derive(Clone, Debug)]
pub(crate) enum Outgoing {
    Task(Box<Envelope>),
    Message(Publication),
}

impl Outgoing {
    pub async fn send(self, runtime: &Runtime) -> Result<(), Error> {
        match self {
            Self::Task(envelope) => runtime.send_task(*envelope).await.map(drop),
            Self::Message(publication) => runtime.send_message(publication).await.map(drop),
        }
    }
}

impl Runtime {
    /// Sends a task to the backend, and returns its receipt.
    pub(crate) async fn send_task(&self, envelope: Envelope) -> Result<Enqueued, Error> {
        let span = tracing::info_span!(
            "enqueue",
            task = envelope.task(),
            queue = envelope.queue(),
            id = tracing::field::Empty,
        );
        let enqueue = async {
            let result = self.inner.backend.enqueue(envelope).await;
            match &result {
                Ok(enqueued) => {
                    if enqueued.duplicate() && is_running(enqueued.queue(), enqueued.id()) {
                        tracing::warn!(
                            "a task has enqueued itself, and its own id blocks the new one: nothing was created, and its \
                             chain ends here; give each link another id, such as `.unique_key(..)` with the number of the \
                             link (see the guide on unique tasks)"
                        );
                    }
                    Span::current().record("id", enqueued.id());
                    tracing::debug!(duplicate = enqueued.duplicate(), "enqueued");
                }
                Err(error) => tracing::warn!(error = %error_chain(error), "not enqueued"),
            }
            result
        };
        enqueue.instrument(span).await
    }

    /// Sends a message to the backend, and returns its id.
    ///
    /// The message is not part of the future: thousands of these futures may wait at once.
    pub(crate) fn send_message(
        &self,
        publication: Publication,
    ) -> impl Future<Output = Result<String, Error>> + Send {
        // Entering a span has a cost even if no subscriber is interested.
        let span = if LevelFilter::current() >= LevelFilter::INFO {
            tracing::info_span!("publish", topic = publication.topic(), id = tracing::field::Empty)
        } else {
            Span::none()
        };
        let publish = span.in_scope(|| self.inner.backend.publish(publication));
        let mut publish = publish.instrument(span);
        async move {
            let result = (&mut publish).await;
            let span = publish.span();
            span.in_scope(|| match &result {
                Ok(id) => {
                    span.record("id", id.as_str());
                    tracing::debug!("published");
                }
                Err(error) => tracing::warn!(error = %error_chain(error), "not published"),
            });
            result
        }
    }
}
