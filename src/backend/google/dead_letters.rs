//! Reading the dead tasks that a subscription of Pub/Sub keeps.
//!
//! By single pulls: a stream, which Google's client has, may be sent messages that are given back when it ends, and these
//! are then out of sight until their time is up. Source:
//! <https://cloud.google.com/pubsub/docs/reference/rest/v1/projects.subscriptions/pull>.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::backend::dead_letter_store::{Claim, DeadLetter, DeadLetterReader, DeadLetterStore, Reading};
use crate::backend::google::access::PubSubAccess;
use crate::backend::google::pull_client::Rest;
use crate::base::{BoxFuture, Error};
use crate::registry::dead_letter::DeadLetters;

/// As many as one pull brings.
const BATCH: usize = 100;
/// The longest that Pub/Sub holds a message for somebody.
const HOLD: Duration = Duration::from_secs(600);
/// Between two looks at a subscription that has nothing.
const PAUSE: Duration = Duration::from_millis(500);

/// Pub/Sub, or its emulator.
pub(crate) struct PubSubDeadLetters {
    access: PubSubAccess,
}

impl PubSubDeadLetters {
    pub(crate) fn new(access: PubSubAccess) -> Self {
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
                rest: Rest::new(&self.access)?,
                reading,
                pool: VecDeque::new(),
                settled: Arc::default(),
                taken: 0,
            });
            Ok(letters)
        })
    }
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Answer {
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

/// What is decided of messages, and not told to Pub/Sub yet.
#[derive(Default)]
struct Settled {
    acknowledged: Vec<String>,
    given_back: Vec<String>,
}

struct Pulled {
    path: String,
    rest: Rest,
    reading: Reading,
    pool: VecDeque<DeadLetter>,
    settled: Arc<Mutex<Settled>>,
    /// How many messages were held so far, those that were acknowledged left out.
    taken: usize,
}

impl Pulled {
    /// Tells Pub/Sub what is decided.
    async fn settle(&mut self) -> Result<(), Error> {
        let Settled {
            acknowledged,
            given_back,
        } = std::mem::take(&mut *lock(&self.settled));
        self.taken = self.taken.saturating_sub(acknowledged.len() + given_back.len());
        for ids in acknowledged.chunks(BATCH) {
            let _: Value = self
                .rest
                .call(&self.path, "acknowledge", &json!({"ackIds": ids}))
                .await?;
        }
        for ids in given_back.chunks(BATCH) {
            self.hold(ids, Duration::ZERO).await?;
        }
        Ok(())
    }

    /// Keeps messages from everybody else for so long.
    async fn hold(&self, ids: &[String], time: Duration) -> Result<(), Error> {
        let body = json!({"ackIds": ids, "ackDeadlineSeconds": time.as_secs()});
        let _: Value = self.rest.call(&self.path, "modifyAckDeadline", &body).await?;
        Ok(())
    }

    /// Pulls what is there now.
    async fn pull(&mut self) -> Result<(), Error> {
        let most = (self.reading.at_once as usize)
            .saturating_sub(self.taken)
            .min(BATCH);
        if most == 0 {
            return Ok(());
        }
        // A pull that waits, and is given up, may be sent messages all the same.
        let body = json!({"maxMessages": most, "returnImmediately": true});
        let answer: Answer = self.rest.call(&self.path, "pull", &body).await?;
        let ids: Vec<_> = answer
            .received_messages
            .iter()
            .map(|received| received.ack_id.clone())
            .collect();
        self.taken += ids.len();
        self.pool
            .extend(answer.received_messages.into_iter().map(|received| {
                DeadLetter {
                    id: received.message.message_id,
                    // What is no base64 is no record either, as its reader will say.
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
                tracing::warn!(%error, "what was read comes again, once Pub/Sub holds it no more");
            }
        })
    }
}

/// The hold on a message.
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
