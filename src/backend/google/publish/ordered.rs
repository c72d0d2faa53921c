//! Messages with an ordering key: one request at a time for each key.
//!
//! Google's client keeps a task for every key that it has seen, and knows nothing of retries that change the connection. So
//! the order is kept here: a bounded number of workers share the keys that have messages, and hand over one batch at a time.

use std::sync::Arc;
use std::time::Duration;

use google_cloud_pubsub::model::Message;
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep_until};

use crate::backend::google::publish::Shared;
use crate::backend::google::publish::attempts::{Failed, Failure, Next};
use crate::backend::google::publish::connection::{BATCH, Batch, Connection};
use crate::backend::google::publish::flights::Flight;
use crate::backend::google::publish::queues::{Job, Key, Turn, Waiting};
use crate::backend::google::publish::session::Session;

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
    if session.queues.push(key, waiting) {
        let worker = Worker {
            shared,
            session,
            key: None,
            ended: false,
        };
        tokio::spawn(worker.run());
    }
    result.await.unwrap_or_else(|_| Err(Failure::Stopped.into()))
}

/// Publishes the messages of the keys that are ready, one batch after the other.
struct Worker {
    shared: Arc<Shared>,
    session: Arc<Session>,
    /// The key that it works on.
    key: Option<Arc<Key>>,
    /// Whether it ended by itself, and is not counted any more.
    ended: bool,
}

/// What becomes of a job after an attempt.
enum Step {
    PutBack,
    Pause(Duration),
    GiveUp(GivenUp),
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
        loop {
            let queues = &self.session.queues;
            self.key = None;
            let mut job = match queues.turn() {
                Turn::Publish(job) => job,
                Turn::WaitUntil(end) => {
                    tokio::select! {
                        () = sleep_until(end) => {}
                        () = queues.changed() => {}
                    }
                    continue;
                }
                Turn::End => break,
            };
            self.key = Some(Arc::clone(&job.key));
            match self.step(&mut job).await {
                Step::PutBack => queues.put_back(job),
                Step::Pause(pause) => queues.pause(job, Instant::now() + pause),
                Step::GiveUp(given_up) => {
                    let behind = queues.remove(&job.key);
                    for (place, waiting) in job.batch.into_iter().chain(behind).enumerate() {
                        waiting.end(Err(given_up.result(place)));
                    }
                }
            }
        }
        self.ended = true;
    }

    /// Makes one attempt to publish a batch, and takes from it what was published.
    async fn step(&self, job: &mut Job) -> Step {
        let count = match job.mode {
            Batch::Shared => job.batch.len(),
            Batch::Alone => 1,
        };
        let mut attempts = job.attempts.take().unwrap_or_else(|| self.shared.attempts());
        let before = job.batch.len();
        let attempt = self.attempt(job, count).await;
        let published = before - job.batch.len();
        job.unclear = job.unclear.saturating_sub(published);
        if published > 0 {
            attempts = self.shared.attempts();
        }
        let Err(failure) = attempt else {
            return Step::PutBack;
        };
        let last = count - published;
        if failure.may_have_taken_effect() {
            job.unclear = job.unclear.max(last);
        }
        let sent = if count == 1 { Batch::Alone } else { job.mode };
        let next = attempts.failed(failure, sent);
        job.attempts = Some(attempts);
        match next {
            Next::Alone => {
                job.mode = Batch::Alone;
                Step::PutBack
            }
            Next::After(pause) => Step::Pause(pause),
            Next::GiveUp(failed) => Step::GiveUp(GivenUp {
                failed,
                last,
                unclear: job.unclear,
            }),
        }
    }

    /// Hands over the first messages of a batch, and takes from it what was published.
    async fn attempt(&self, job: &mut Job, count: usize) -> Result<(), Failure> {
        let (topic, _) = &*job.key;
        let connection: Arc<Connection> = self.shared.sessions.connection(&self.session).await?;
        // A publisher of its own, because the client pauses a key of a publisher after a failure.
        let publisher = connection.publisher(topic, BATCH);
        let responses: Vec<_> = job
            .batch
            .iter()
            .take(count)
            .map(|waiting| publisher.publish(waiting.message.clone()))
            .collect();
        for response in responses {
            let id = connection.response(response).await?;
            if let Some(waiting) = job.batch.pop_front() {
                waiting.end(Ok(id));
            }
        }
        Ok(())
    }
}

impl Drop for Worker {
    /// If the tokio runtime ends, nobody sends what waits.
    fn drop(&mut self) {
        if self.ended {
            return;
        }
        let queues = &self.session.queues;
        for waiting in self.key.take().map(|key| queues.remove(&key)).unwrap_or_default() {
            waiting.end(Err(Failure::NoRuntime.into()));
        }
        queues.worker_is_gone();
    }
}
