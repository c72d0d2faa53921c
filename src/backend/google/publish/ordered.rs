//! Messages with an ordering key: one queue per key, and one request at a time.
//!
//! Google's client keeps a task for every key that it has seen, and knows nothing of retries that change the connection. So
//! the order is kept here: a worker exists while its key has messages, and hands over one batch at a time.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};

use google_cloud_pubsub::model::Message;
use tokio::sync::oneshot;

use crate::backend::google::publish::Shared;
use crate::backend::google::publish::attempts::{Failed, Failure, Next};
use crate::backend::google::publish::connection::{BATCH, Batch, Connection};
use crate::backend::google::publish::flights::Flight;
use crate::backend::google::publish::session::{Session, lock};

/// A topic's full path, and an ordering key.
type Key = (String, String);

/// The messages that wait, by topic and key. A key without messages has no entry.
#[derive(Default)]
pub(super) struct Queues(Mutex<HashMap<Key, VecDeque<Waiting>>>);

/// A message that waits for its turn, or for its response.
struct Waiting {
    message: Message,
    done: oneshot::Sender<Result<String, Failed>>,
    _flight: Flight,
}

impl Waiting {
    /// Tells the caller the result, who may have gone.
    fn end(self, result: Result<String, Failed>) {
        let _ = self.done.send(result);
    }
}

/// Publishes a message after all earlier ones with its key. Dropping the future does not stop it.
pub(super) async fn publish(
    shared: Arc<Shared>,
    topic: String,
    message: Message,
    flight: Flight,
) -> Result<String, Failed> {
    let session = shared.sessions.current()?;
    let (done, result) = oneshot::channel();
    let key = (topic, message.ordering_key.clone());
    let waiting = Waiting {
        message,
        done,
        _flight: flight,
    };
    if session.queues.push(&key, waiting) {
        let worker = Worker {
            shared,
            session,
            key,
            ended: false,
        };
        tokio::spawn(worker.run());
    }
    result.await.unwrap_or_else(|_| Err(Failure::Stopped.into()))
}

impl Queues {
    /// Adds a message, and says whether its key needs a worker.
    fn push(&self, key: &Key, waiting: Waiting) -> bool {
        let mut queues = lock(&self.0);
        match queues.get_mut(key) {
            Some(queue) => {
                queue.push_back(waiting);
                false
            }
            None => {
                queues.insert(key.clone(), VecDeque::from([waiting]));
                true
            }
        }
    }

    /// The next messages of a key, or `None` if its worker may end.
    fn next(&self, key: &Key) -> Option<VecDeque<Waiting>> {
        let mut queues = lock(&self.0);
        let queue = queues.get_mut(key)?;
        if queue.is_empty() {
            queues.remove(key);
            return None;
        }
        let count = queue.len().min(BATCH as usize);
        Some(queue.drain(..count).collect())
    }

    /// The messages that wait behind one that failed. The key has no pause after them.
    fn take(&self, key: &Key) -> VecDeque<Waiting> {
        lock(&self.0).get_mut(key).map(std::mem::take).unwrap_or_default()
    }
}

/// Publishes the messages of one key.
struct Worker {
    shared: Arc<Shared>,
    session: Arc<Session>,
    key: Key,
    /// Whether it ended by itself: then the queue belongs to the next worker.
    ended: bool,
}

/// A batch that was given up.
struct GivenUp {
    failed: Failed,
    /// How many messages the last attempt contained.
    last: usize,
    /// How many messages an attempt without a clear response contained.
    unclear: usize,
}

impl GivenUp {
    /// The result for the message with this place in the batch, or behind it.
    fn result(&self, place: usize) -> Failed {
        if place < self.last {
            return self.failed.clone();
        }
        // It was not sent, or not again, since that would be out of order.
        Failed {
            may_have_taken_effect: place < self.unclear,
            failure: Failure::Paused,
        }
    }
}

impl Worker {
    async fn run(mut self) {
        while let Some(mut batch) = self.session.queues.next(&self.key) {
            if let Err(given_up) = self.publish(&mut batch).await {
                let behind = self.session.queues.take(&self.key);
                for (place, waiting) in batch.into_iter().chain(behind).enumerate() {
                    waiting.end(Err(given_up.result(place)));
                }
            }
        }
        self.ended = true;
    }

    /// Publishes a batch, and takes from it what was published.
    async fn publish(&self, batch: &mut VecDeque<Waiting>) -> Result<(), GivenUp> {
        let mut attempts = self.shared.attempts();
        let mut mode = Batch::Shared;
        let mut unclear: usize = 0;
        while !batch.is_empty() {
            let count = match mode {
                Batch::Shared => batch.len(),
                Batch::Alone => 1,
            };
            let before = batch.len();
            let attempt = self.attempt(batch, count).await;
            let published = before - batch.len();
            unclear = unclear.saturating_sub(published);
            if published > 0 {
                attempts = self.shared.attempts();
            }
            let Err(failure) = attempt else { continue };
            let last = count - published;
            if failure.may_have_taken_effect() {
                unclear = unclear.max(last);
            }
            let sent = if count == 1 { Batch::Alone } else { mode };
            match attempts.failed(failure, sent) {
                Next::Alone => mode = Batch::Alone,
                Next::After(pause) => tokio::time::sleep(pause).await,
                Next::GiveUp(failed) => {
                    return Err(GivenUp {
                        failed,
                        last,
                        unclear,
                    });
                }
            }
        }
        Ok(())
    }

    /// Hands over the first messages of a batch, and takes from it what was published.
    async fn attempt(&self, batch: &mut VecDeque<Waiting>, count: usize) -> Result<(), Failure> {
        let (topic, _) = &self.key;
        let connection: Arc<Connection> = self.shared.sessions.connection(&self.session).await?;
        // A publisher of its own, because the client pauses a key of a publisher after a failure.
        let publisher = connection.publisher(topic, BATCH);
        let responses: Vec<_> = batch
            .iter()
            .take(count)
            .map(|waiting| publisher.publish(waiting.message.clone()))
            .collect();
        for response in responses {
            let id = connection.response(response).await?;
            if let Some(waiting) = batch.pop_front() {
                waiting.end(Ok(id));
            }
        }
        Ok(())
    }
}

impl Drop for Worker {
    /// If the tokio runtime ends, nobody sends what waits.
    fn drop(&mut self) {
        if !self.ended {
            for waiting in self.session.queues.take(&self.key) {
                waiting.end(Err(Failure::NoRuntime.into()));
            }
        }
    }
}
