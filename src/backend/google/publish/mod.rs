//! Publishing to Google Pub/Sub. All publishers live here: a session per tokio runtime owns a connection, a connection owns
//! the publishers of its topics, and a session owns the queues of its ordering keys. All of them are bounded, whatever the
//! topics and the keys are called.

mod attempts;
mod connection;
mod detached;
pub(super) mod engine;
mod error;
mod flights;
mod ordered;
mod queues;
mod session;
mod topics;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use google_cloud_pubsub::model::Message;

use crate::backend::BackendFuture;
use crate::backend::google::access::PubSubAccess;
use crate::base::{Error, Publication, RetrySettings, process};
use attempts::{Attempts, Failed, Next};
use connection::Batch;
use detached::Detached;
use flights::{Flight, Flights};
use session::Sessions;

/// Publishes messages to Google Pub/Sub, or to its emulator.
pub(crate) struct PubSub {
    shared: Arc<Shared>,
}

struct Shared {
    sessions: Sessions,
    /// Publishing uses the retry settings of enqueueing. A message that is published twice gets two ids, as Pub/Sub
    /// documents.
    retry: RetrySettings,
    seed: u64,
    flights: Flights,
}

impl PubSub {
    pub fn new(access: PubSubAccess, retry: RetrySettings, attempt_timeout: Duration) -> Self {
        let shared = Shared {
            sessions: Sessions::new(access, attempt_timeout),
            retry,
            seed: process::random_number(),
            flights: Flights::default(),
        };
        Self {
            shared: Arc::new(shared),
        }
    }

    pub fn access(&self) -> &PubSubAccess {
        self.shared.access()
    }

    /// Publishes a message, and returns its id. Once polled, it goes on if the future is dropped.
    pub fn publish(&self, publication: Publication) -> BackendFuture<'static, String> {
        let shared = Arc::clone(&self.shared);
        let flight = shared.flights.enter();
        Box::pin(Detached::new(publish(shared, publication, flight)))
    }

    /// Waits until every message was published or has failed.
    pub async fn flush(&self) {
        self.shared.flights.flush().await;
    }
}

async fn publish(shared: Arc<Shared>, publication: Publication, flight: Flight) -> Result<String, Error> {
    let published = match publication.ordering_key() {
        None => shared.publish(&publication).await,
        Some(key) => {
            let topic = shared.access().topic(publication.topic());
            let message = message(&publication).set_ordering_key(key);
            ordered::publish(Arc::clone(&shared), topic, message, flight).await
        }
    };
    published.map_err(|failed| error::error(&shared.access().topic(publication.topic()), failed))
}

/// The message for Google's client, without an ordering key. The publication is kept for another attempt.
fn message(publication: &Publication) -> Message {
    let attributes = publication.attributes.iter();
    Message::new()
        .set_data(publication.data.clone())
        .set_attributes(attributes.map(|(key, value)| (key.as_str(), value.as_str())))
}

impl Shared {
    fn access(&self) -> &PubSubAccess {
        self.sessions.access()
    }

    fn attempts(&self) -> Attempts {
        Attempts::new(self.retry, self.seed)
    }

    /// Publishes a message without ordering key.
    async fn publish(&self, publication: &Publication) -> Result<String, Failed> {
        let mut attempts = self.attempts();
        let mut batch = Batch::Shared;
        loop {
            // The session is looked up anew: its tokio runtime is the one that polls.
            let session = self.sessions.current()?;
            let mut sent = batch;
            let published = match self.sessions.connection(&session).await {
                Ok(connection) => {
                    let path = || self.access().topic(publication.topic());
                    let message = message(publication);
                    connection
                        .publish(publication.topic(), path, message, &mut sent)
                        .await
                }
                Err(failure) => Err(failure),
            };
            let failure = match published {
                Ok(id) => return Ok(id),
                Err(failure) => failure,
            };
            match attempts.failed(failure, sent) {
                Next::Alone => batch = Batch::Alone,
                Next::After(pause) => tokio::time::sleep(pause).await,
                Next::GiveUp(failed) => return Err(failed),
            }
        }
    }
}

impl fmt::Debug for PubSub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PubSub")
            .field("access", self.access())
            .finish_non_exhaustive()
    }
}
