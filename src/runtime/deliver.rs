//! Delivery of messages: pushed to this service, or published in this process.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use http::HeaderMap;
use serde_json::json;
use uuid::Uuid;

use crate::backend::{BackendFuture, Delivery};
use crate::base::text::{brief, excerpt};
use crate::base::{
    Config, Envelope, Error, ErrorKind, MessageIdentity, Publication, Push, TaskError, TaskMetadata,
    names::pubsub_path, propagation,
};
use crate::registry::{AttemptError, BoundTask, Handler, RegisteredHandler, TaskInput};
use crate::runtime::attempt::{Attempt, panic_message};
use crate::runtime::attempt_future::AttemptFuture;
use crate::runtime::outgoing::Request;
use crate::runtime::scope::Scope;
use crate::runtime::{Inner, Runtime};

/// The id of the task that a message makes: of the subscriber that is registered, not of the subscription that the body names.
fn forwarded_task_id(config: &Config, subscriber: &str, message: MessageIdentity<'_>) -> String {
    let parts = config.service_identity().into_iter().chain([subscriber]);
    let parts: Vec<_> = parts.chain(message.parts()).collect();
    // As JSON, so that what is between the parts cannot be in them.
    let name = json!(parts).to_string();
    let id = Uuid::new_v5(&Uuid::NAMESPACE_URL, name.as_bytes());
    id.simple().to_string()
}

impl Runtime {
    /// Runs the subscriber on a message, or forwards the message if the subscriber says so.
    pub(crate) fn attempt_push(
        &self,
        entry: &Arc<RegisteredHandler>,
        bound: &BoundTask,
        mut push: Push,
        on: Attempt,
    ) -> AttemptFuture {
        let headers = self.take_headers(&mut push);
        if entry
            .registration
            .subscriber_options()
            .is_some_and(|options| options.use_cloud_tasks)
        {
            let (runtime, entry) = (self.clone(), Arc::clone(entry));
            let handler = Arc::clone(&bound.handler);
            return AttemptFuture::forward(async move {
                runtime.forward(&entry, &*handler, &push, headers).await
            });
        }
        self.run_push(entry, bound, push, headers, on)
    }

    /// Runs the subscriber on a message that arrived with these headers.
    fn run_push(
        &self,
        entry: &Arc<RegisteredHandler>,
        bound: &BoundTask,
        push: Push,
        headers: HeaderMap,
        on: Attempt,
    ) -> AttemptFuture {
        let mut metadata = TaskMetadata::from_headers(headers).with_id(&push.id);
        if let Some(attempt) = push.delivery_attempt {
            metadata = metadata.with_retry_count(attempt.saturating_sub(1));
        }
        self.run(entry, bound, TaskInput::Push(Box::new(push)), metadata, on)
    }

    /// Runs the subscriber on a message, even if it would forward it.
    #[cfg(feature = "testing")]
    pub(crate) fn deliver_here(
        &self,
        entry: &Arc<RegisteredHandler>,
        bound: &BoundTask,
        mut push: Push,
    ) -> AttemptFuture {
        let headers = self.take_headers(&mut push);
        self.run_push(entry, bound, push, headers, Attempt::of_queue())
    }

    /// Extracts the propagated headers from a message.
    fn take_headers(&self, push: &mut Push) -> HeaderMap {
        let inner = &self.inner;
        let (data, headers) = propagation::read(
            std::mem::take(&mut push.data),
            &push.attributes,
            inner.config.propagated_headers_key(),
            &inner.propagated,
        );
        push.data = data;
        headers
    }

    /// Creates a task from a message. A message that is delivered twice creates one task; one that does not decode
    /// creates none and is not acknowledged, so that it reaches the dead-letter topic.
    async fn forward(
        &self,
        entry: &RegisteredHandler,
        handler: &dyn Handler,
        push: &Push,
        headers: HeaderMap,
    ) -> Result<Vec<u8>, AttemptError> {
        // A parser may panic, too.
        catch_unwind(AssertUnwindSafe(|| handler.check(push)))
            .map_err(|panic| AttemptError::Panicked(panic_message(&*panic)))
            .and_then(|checked| checked.map_err(AttemptError::Decode))
            .inspect_err(|failure| report_not_forwarded(entry.registration.name, &push.id, failure))?;
        let body = push.to_forwarded_body();
        let (name, message) = push.to_forwarded_header();
        let mut request = Request::new(entry.registration, body.into());
        if !message.is_empty() {
            request.set_our_header(name, &message);
        }
        if let Some(message) = push.identity() {
            let subscriber = entry.registration.name;
            request.set_id(forwarded_task_id(&self.inner.config, subscriber, message));
        }
        request.set_carried(headers);
        let enqueued = request
            .send(&Scope::of(self))
            .await
            .map_err(|error| AttemptError::Task(TaskError::from(error)))?;
        if enqueued.duplicate() {
            tracing::info!(
                task = entry.registration.name,
                message = %excerpt(&push.id),
                id = enqueued.id(),
                "the message was forwarded before, and no second task was created; after a seek, a message creates a \
                 task again when Cloud Tasks has released its id, about a day after its first task has ended"
            );
        }
        let forwarded = json!({
            "cloud-tasks-forwarded": {"queue_name": enqueued.queue(), "task_id": enqueued.id()},
        });
        serde_json::to_vec(&forwarded).map_err(AttemptError::Output)
    }

    /// Delivers a message to every subscriber of its topic with a matching filter, in this process, through the wire
    /// form.
    ///
    /// All subscribers run, and all failures are reported.
    pub(crate) async fn deliver(&self, publication: &Publication, id: &str) -> Result<(), Error> {
        let inner = &self.inner;
        let project = inner.config.project().unwrap_or("local");
        let topic = |name| pubsub_path(project, "topics", name);
        let published = topic(&publication.topic);
        let mut failures = Vec::new();
        for subscription in inner.registry.subscriptions() {
            if topic(&subscription.topic) != published || !subscription.wants(&publication.attributes) {
                continue;
            }
            let Some(entry) = inner.registry.by_name(subscription.task) else {
                continue;
            };
            let push = Push {
                data: publication.data.clone(),
                attributes: publication.attributes.clone(),
                id: id.to_owned(),
                publish_time: Some(inner.clock.now()),
                ordering_key: publication.ordering_key.clone(),
                delivery_attempt: subscription.dead_letter_topic.as_ref().map(|_| 1),
                subscription: subscription.name.clone(),
                source: None,
            };
            if let Err(error) = self.deliver_to(entry, &push).await
                && !error.is_discarded()
            {
                failures.push(error);
            }
        }
        match failures.len() {
            0 => Ok(()),
            1 => Err(failures.remove(0)),
            count => {
                // The list has all of them, so none is the source.
                let failures: Vec<_> = failures.iter().map(|error| format!("{error:#}")).collect();
                Err(Error::new(
                    ErrorKind::TaskFailed,
                    format!("{count} subscribers failed: {}", failures.join("; ")),
                ))
            }
        }
    }

    async fn deliver_to(&self, entry: &Arc<RegisteredHandler>, push: &Push) -> Result<(), Error> {
        let name = entry.registration.name;
        let bound = entry.bound(name)?;
        let received = match Push::read(&HeaderMap::new(), push.to_body().into()) {
            Ok(push) => self.attempt_push(entry, bound, push, Attempt::of_queue()).await,
            Err(reason) => Err(AttemptError::Decode(reason)),
        };
        received.map(drop).map_err(|failure| failure.into_error(name))
    }
}

/// Logs why a message was neither forwarded nor acknowledged.
fn report_not_forwarded(task: &str, message: &str, failure: &AttemptError) {
    let reason = match failure {
        AttemptError::Decode(mistake) | AttemptError::Panicked(mistake) => brief(mistake),
        _ => "".into(),
    };
    tracing::error!(task, message = %excerpt(message), %reason, "the message does not decode; it is neither forwarded nor acknowledged");
}

/// The interface for a backend in this process.
impl Delivery for Inner {
    fn run(self: Arc<Self>, envelope: &Envelope, metadata: TaskMetadata) -> BackendFuture<'_, ()> {
        let runtime = Runtime { inner: self };
        Box::pin(async move { runtime.run_attempt(envelope, metadata).await })
    }

    fn deliver<'a>(self: Arc<Self>, publication: &'a Publication, id: &'a str) -> BackendFuture<'a, ()> {
        let runtime = Runtime { inner: self };
        Box::pin(async move { runtime.deliver(publication, id).await })
    }
}
