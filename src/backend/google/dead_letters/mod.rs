//! Pulling dead tasks from a Pub/Sub subscription.
//!
//! Uses single pulls: Google's client only has a stream, and messages that are released while it closes may be sent
//! down that stream again and stay invisible until their lease ends. Source:
//! <https://cloud.google.com/pubsub/docs/reference/rest/v1/projects.subscriptions/pull>.
//!
//! All calls are repeated: a pull that is repeated leases other messages, and to acknowledge or to lease a message twice
//! does no harm.

mod leases;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use google_cloud_gax::error::{Error as GoogleError, rpc::Code};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::backend::dead_letter_store::{
    Claim, Closed, DeadLetter, DeadLetterReader, DeadLetterStore, NextLetter,
};
use crate::backend::google::access::PubSubAccess;
use crate::backend::google::dead_letters::leases::Leases;
use crate::backend::google::error::{Call, Operation, is};
use crate::backend::google::rest_client::RestClient;
use crate::backend::google::retry::repeated;
use crate::base::http_client::{Connections, HttpClient};
use crate::base::text::error_chain;
use crate::base::{BoxFuture, Error};
use crate::registry::dead_letter::DeadLetters;

const ENDPOINT: &str = "https://pubsub.googleapis.com";
/// The maximum number of messages per call.
const BATCH: usize = 100;
/// The maximum number of messages that are leased at once.
const MAX_LEASES: usize = 1000;
/// The longest lease of Pub/Sub.
const LEASE: Duration = Duration::from_secs(600);

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
    ) -> BoxFuture<'a, Result<Box<dyn DeadLetterReader>, Error>> {
        Box::pin(async move {
            let letters: Box<dyn DeadLetterReader> = Box::new(Pulled {
                path: self.access.subscription(&letters.subscription),
                rest: rest_client(&self.access)?,
                pool: VecDeque::new(),
                leases: Leases::default(),
                leased_at: Instant::now(),
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

struct Pulled {
    path: String,
    rest: RestClient,
    pool: VecDeque<DeadLetter>,
    leases: Leases,
    /// When the oldest lease began, or was renewed.
    leased_at: Instant,
}

/// Google's client has no single pull.
fn rest_client(access: &PubSubAccess) -> Result<RestClient, Error> {
    let endpoint = access.endpoint.as_deref().unwrap_or(ENDPOINT);
    let http = HttpClient::for_url(endpoint, Connections::Pooled).map_err(|error| {
        Error::unreachable("the dead tasks were not read: Pub/Sub is unreachable").with_source(error)
    })?;
    let url = format!("{}/v1", endpoint.trim_end_matches('/'));
    let http = http.timeout(access.attempt_timeout);
    Ok(RestClient::new(http, &url, access.credentials.clone()))
}

impl Pulled {
    async fn call<T: DeserializeOwned>(&self, verb: &str, body: &Value) -> Result<T, GoogleError> {
        repeated(|| self.rest.post(&self.path, verb, body)).await
    }

    fn failed(&self, verb: &str, error: GoogleError) -> Error {
        Call::new(Operation::Pull, &self.path, &format!("read ({verb})")).failed(error)
    }

    /// Sends the acknowledgements. Those that fail stay for the next time, unless Pub/Sub refuses the very message.
    async fn acknowledge(&self) -> Result<(), Error> {
        let mut most = BATCH;
        let mut refused = None;
        loop {
            let messages = self.leases.unsent(most);
            if messages.is_empty() {
                return refused.map_or(Ok(()), Err);
            }
            let ids: Vec<_> = messages.iter().map(|(_, ack_id)| ack_id).collect();
            let sent: Result<Value, _> = self.call("acknowledge", &json!({"ackIds": ids})).await;
            match sent {
                Ok(_) => self.leases.settled(&messages),
                // One message spoils the request, if the subscription has exactly-once delivery and a lease has ended.
                Err(error) if is(&error, Code::InvalidArgument) && messages.len() > 1 => most = 1,
                Err(error) if is(&error, Code::InvalidArgument) => {
                    self.leases.refused(&messages);
                    refused = Some(self.failed("acknowledge", error));
                }
                Err(error) => return Err(self.failed("acknowledge", error)),
            }
        }
    }

    /// Leases messages for this long.
    async fn lease(&self, ids: &[String], time: Duration) -> Result<(), Error> {
        for ids in ids.chunks(BATCH) {
            let body = json!({"ackIds": ids, "ackDeadlineSeconds": time.as_secs()});
            let sent: Result<Value, _> = self.call("modifyAckDeadline", &body).await;
            sent.map_err(|error| self.failed("modifyAckDeadline", error))?;
        }
        Ok(())
    }

    /// Renews the leases in time, so that a long reading does not see the same messages again and again.
    async fn renew(&mut self) -> Result<(), Error> {
        if self.leased_at.elapsed() >= LEASE / 2 {
            self.lease(&self.leases.held(), LEASE).await?;
            self.leased_at = Instant::now();
        }
        Ok(())
    }

    /// Pulls the available messages. Returns whether there may be more.
    async fn pull(&mut self, most: usize) -> Result<bool, Error> {
        let leased = self.leases.count();
        let most = most.min(BATCH).min(MAX_LEASES.saturating_sub(leased));
        if most == 0 {
            return Ok(false);
        }
        // A pull that waits and is abandoned may still lease messages.
        let body = json!({"maxMessages": most, "returnImmediately": true});
        let response: PullResponse = self
            .call("pull", &body)
            .await
            .map_err(|error| self.failed("pull", error))?;
        let received = response.received_messages;
        if leased == 0 {
            self.leased_at = Instant::now();
        }
        let ids: Vec<_> = received.iter().map(|one| one.ack_id.clone()).collect();
        // Before they are leased for longer: a reading that is stopped in between releases them.
        for Received { ack_id, message } in received {
            let Some(claim) = self.leases.add(&message.message_id, ack_id) else {
                continue;
            };
            self.pool.push_back(DeadLetter {
                id: message.message_id,
                // Invalid base64 is not a record either, as its reader will report.
                data: STANDARD
                    .decode(&message.data)
                    .map_or_else(|_| message.data.into(), Bytes::from),
                claim,
            });
        }
        self.lease(&ids, LEASE).await?;
        Ok(true)
    }
}

impl DeadLetterReader for Pulled {
    fn next(&mut self, most: usize) -> BoxFuture<'_, Result<NextLetter, Error>> {
        Box::pin(async move {
            if self.leases.is_due() {
                self.acknowledge().await?;
            }
            self.renew().await?;
            if self.pool.is_empty() {
                self.acknowledge().await?;
                if !self.pull(most).await? {
                    return Ok(NextLetter::Full);
                }
            }
            Ok(match self.pool.pop_front() {
                Some(letter) => NextLetter::Letter(letter),
                None => NextLetter::NotYet,
            })
        })
    }

    fn close(mut self: Box<Self>, held: Vec<Box<dyn Claim>>) -> BoxFuture<'static, Closed> {
        Box::pin(async move {
            let unread = self.pool.len();
            drop(held);
            self.pool.clear();
            let acknowledged = self.acknowledge().await;
            if let Err(error) = self.lease(&self.leases.take_released(), Duration::ZERO).await {
                tracing::warn!(error = %error_chain(&error), "releasing messages failed; they become visible when their lease ends");
            }
            Closed {
                unread,
                unacknowledged: self.leases.unacknowledged(),
                error: acknowledged.err(),
            }
        })
    }
}
