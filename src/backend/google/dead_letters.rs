//! Pulling dead tasks from a Pub/Sub subscription.
//!
//! Uses single pulls: Google's client only has a stream, and messages that are released while it closes may be sent
//! down that stream again and stay invisible until their lease ends. Source:
//! <https://cloud.google.com/pubsub/docs/reference/rest/v1/projects.subscriptions/pull>.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::backend::dead_letter_store::{Claim, DeadLetter, DeadLetterReader, DeadLetterStore, Reading};
use crate::backend::google::access::PubSubAccess;
use crate::backend::google::error::{Call, Operation};
use crate::backend::google::rest_client::RestClient;
use crate::base::http_client::{Connections, HttpClient};
use crate::base::text::error_chain;
use crate::base::{BoxFuture, Error};
use crate::registry::dead_letter::DeadLetters;

const ENDPOINT: &str = "https://pubsub.googleapis.com";
/// The maximum number of messages per pull.
const BATCH: usize = 100;
/// The longest lease of Pub/Sub.
const HOLD: Duration = Duration::from_secs(600);
/// The pause between two pulls from an empty subscription.
const PAUSE: Duration = Duration::from_millis(500);

/// Pub/Sub, or its emulator.
pub(crate) struct PubSubDeadLetters {
    access: PubSubAccess,
}

impl PubSubDeadLetters {
    pub fn new(access: PubSubAccess) -> Self {
        Self { access }
    }
}

impl DeadLetterStore for PubSubDeadLetters {
    fn open<'a>(
        &'a self,
        letters: &'a DeadLetters,
        reading: Reading,
    ) -> BoxFuture<'a, Result<Box<dyn DeadLetterReader>, Error>> {
        Box::pin(async move {
            let letters: Box<dyn DeadLetterReader> = Box::new(Pulled {
                path: self.access.subscription(&letters.subscription),
                rest: rest_client(&self.access)?,
                reading,
                pool: VecDeque::new(),
                settled: Arc::default(),
                leased: 0,
            });
            Ok(letters)
        })
    }
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct PullResponse {
    received_messages: Vec<Received>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Received {
    ack_id: String,
    message: Message,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Message {
    #[serde(default)]
    data: String,
    message_id: String,
}

/// Decisions about messages that are not yet sent to Pub/Sub.
#[derive(Default)]
struct Settled {
    acknowledged: Vec<String>,
    given_back: Vec<String>,
}

struct Pulled {
    path: String,
    rest: RestClient,
    reading: Reading,
    pool: VecDeque<DeadLetter>,
    settled: Arc<Mutex<Settled>>,
    /// The number of leased messages so far, without the acknowledged ones.
    leased: usize,
}

/// Google's client has no single pull.
fn rest_client(access: &PubSubAccess) -> Result<RestClient, Error> {
    let endpoint = access.endpoint.as_deref().unwrap_or(ENDPOINT);
    let http = HttpClient::for_url(endpoint, Connections::Pooled).map_err(|error| {
        Error::unreachable("the dead tasks were not read: Pub/Sub is unreachable").with_source(error)
    })?;
    let url = format!("{}/v1", endpoint.trim_end_matches('/'));
    Ok(RestClient::new(http, &url, access.credentials.clone()))
}

impl Pulled {
    async fn call<T: DeserializeOwned>(&self, verb: &str, body: &Value) -> Result<T, Error> {
        let sent = self.rest.post(&self.path, verb, body).await;
        sent.map_err(|error| Call::new(Operation::Pull, &self.path, &format!("read ({verb})")).failed(error))
    }

    /// Sends the decisions to Pub/Sub.
    async fn settle(&mut self) -> Result<(), Error> {
        let Settled {
            acknowledged,
            given_back,
        } = std::mem::take(&mut *lock(&self.settled));
        self.leased = self.leased.saturating_sub(acknowledged.len() + given_back.len());
        for ids in acknowledged.chunks(BATCH) {
            let _: Value = self.call("acknowledge", &json!({"ackIds": ids})).await?;
        }
        for ids in given_back.chunks(BATCH) {
            self.hold(ids, Duration::ZERO).await?;
        }
        Ok(())
    }

    /// Leases messages for this long.
    async fn hold(&self, ids: &[String], time: Duration) -> Result<(), Error> {
        let body = json!({"ackIds": ids, "ackDeadlineSeconds": time.as_secs()});
        let _: Value = self.call("modifyAckDeadline", &body).await?;
        Ok(())
    }

    /// Pulls the available messages.
    async fn pull(&mut self) -> Result<(), Error> {
        let max = (self.reading.at_once as usize)
            .saturating_sub(self.leased)
            .min(BATCH);
        if max == 0 {
            return Ok(());
        }
        // A pull that waits and is abandoned may still lease messages.
        let body = json!({"maxMessages": max, "returnImmediately": true});
        let response: PullResponse = self.call("pull", &body).await?;
        let ids: Vec<_> = response
            .received_messages
            .iter()
            .map(|received| received.ack_id.clone())
            .collect();
        self.leased += ids.len();
        self.pool
            .extend(response.received_messages.into_iter().map(|received| {
                DeadLetter {
                    id: received.message.message_id,
                    // Invalid base64 is not a record either, as its reader will report.
                    data: STANDARD
                        .decode(&received.message.data)
                        .map_or_else(|_| received.message.data.into(), Bytes::from),
                    claim: Box::new(Hold {
                        id: Some(received.ack_id),
                        settled: Arc::clone(&self.settled),
                    }),
                }
            }));
        if ids.is_empty() {
            return Ok(());
        }
        self.hold(&ids, HOLD).await
    }
}

impl DeadLetterReader for Pulled {
    fn next(&mut self) -> BoxFuture<'_, Result<Option<DeadLetter>, Error>> {
        Box::pin(async move {
            let started = Instant::now();
            loop {
                if let Some(letter) = self.pool.pop_front() {
                    return Ok(Some(letter));
                }
                self.settle().await?;
                self.pull().await?;
                if self.pool.is_empty() {
                    if started.elapsed() >= self.reading.idle_timeout {
                        return Ok(None);
                    }
                    tokio::time::sleep(PAUSE.min(self.reading.idle_timeout)).await;
                }
            }
        })
    }

    fn close(mut self: Box<Self>, held: Vec<Box<dyn Claim>>) -> BoxFuture<'static, ()> {
        Box::pin(async move {
            drop(held);
            self.pool.clear();
            if let Err(error) = self.settle().await {
                tracing::warn!(error = %error_chain(&error), "releasing messages failed; they become visible when their lease ends");
            }
        })
    }
}

/// The lease of a message.
struct Hold {
    id: Option<String>,
    settled: Arc<Mutex<Settled>>,
}

impl Claim for Hold {
    fn acknowledge(mut self: Box<Self>) {
        lock(&self.settled).acknowledged.extend(self.id.take());
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        lock(&self.settled).given_back.extend(self.id.take());
    }
}

fn lock(settled: &Mutex<Settled>) -> MutexGuard<'_, Settled> {
    settled.lock().unwrap_or_else(PoisonError::into_inner)
}
