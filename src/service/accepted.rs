//! A request whose caller is accepted and whose task is known.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;

use crate::auth::Endpoint;
use crate::base::{Push, TaskMetadata, text};
use crate::registry::{AttemptError, RegisteredHandler, TaskInput};
use crate::runtime::{Attempt, Runtime};
use crate::service::body::Unread;
use crate::service::handle::Handling;
use crate::service::respond;

/// What a request delivers.
pub(super) enum Delivery {
    Task(TaskMetadata),
    Push(HeaderMap),
}

impl Delivery {
    pub fn endpoint(&self) -> Endpoint {
        match self {
            Self::Task(_) => Endpoint::Tasks,
            Self::Push(_) => Endpoint::Subscriptions,
        }
    }

    /// Whether the queue gives the task up after this delivery, as far as that is known. Pub/Sub has dead letters of its own.
    pub fn is_last(&self, runtime: &Runtime) -> bool {
        match self {
            Self::Task(metadata) => runtime.is_last_of_queue(metadata),
            Self::Push(_) => false,
        }
    }

    pub fn timeout(&self, entry: &RegisteredHandler) -> Duration {
        match self {
            Self::Task(metadata) => entry.task_timeout(metadata),
            Self::Push(_) => entry.push_timeout(),
        }
    }
}

/// A request whose caller is accepted, without its body.
pub(super) struct Accepted {
    pub runtime: Runtime,
    pub entry: Arc<RegisteredHandler>,
    pub delivery: Delivery,
    pub on: Attempt,
}

impl Accepted {
    /// Goes on with the body, once it is read.
    pub fn read<B: http_body::Body>(self, body: Result<Bytes, Unread>) -> Handling<B> {
        match body {
            Ok(body) => self.perform(body),
            Err(unread) => {
                let max_bytes = self.runtime.max_bytes(self.delivery.endpoint());
                Handling::ended(respond::unread(unread, max_bytes))
            }
        }
    }

    /// Runs the task on its body.
    pub fn perform<B: http_body::Body>(self, body: Bytes) -> Handling<B> {
        let Self {
            runtime,
            entry,
            delivery,
            on,
        } = self;
        let (name, endpoint) = (entry.registration.name, delivery.endpoint());
        let bound = match entry.bound(name) {
            Ok(bound) => bound,
            Err(error) => {
                tracing::error!(task = name, error = %text::error_chain(&error), "the task cannot run");
                return Handling::ended(respond::failed_inside(name));
            }
        };
        let attempt = match delivery {
            Delivery::Task(metadata) => runtime.run(&entry, bound, TaskInput::Body(body), metadata, on),
            Delivery::Push(headers) => {
                let bare = entry
                    .registration
                    .subscriber_options()
                    .is_some_and(|options| options.bare_body);
                let read = if bare { Push::read_or_bare } else { Push::read };
                match read(&headers, body) {
                    Ok(push) => runtime.attempt_push(&entry, bound, push, on),
                    Err(reason) => {
                        tracing::error!(task = name, reason = %text::brief(&reason), "the push does not decode");
                        let failure = AttemptError::Decode(reason);
                        return Handling::ended(respond::outcome(name, &Err(failure), endpoint));
                    }
                }
            }
        };
        Handling::Running {
            attempt,
            name,
            endpoint,
        }
    }
}
