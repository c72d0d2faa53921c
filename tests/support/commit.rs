//! A task, an event and a backend that fails, for tests of what is sent after a commit.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used)]

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Poll;

use cloud_tasks::backend::{Backend, BackendFuture, Envelope};
use cloud_tasks::event::Publication;
use cloud_tasks::runtime::RuntimeBuilder;
use cloud_tasks::task::Enqueued;
use cloud_tasks::{Context, Error, PublisherTask, Runtime, Task, TaskResult, task};
use serde::{Deserialize, Serialize};

#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct GreetUser {
    pub(crate) user_id: i64,
}

#[task(queue = "emails")]
impl Task for GreetUser {
    async fn run(self, _cx: Context) -> TaskResult {
        Ok(())
    }
}

#[derive(Deserialize, Serialize)]
pub(crate) struct SignUp {
    pub(crate) action: String,
}

#[task(topic = "user-actions")]
impl PublisherTask for SignUp {}

pub(crate) fn action(action: &str) -> SignUp {
    SignUp {
        action: action.to_owned(),
    }
}

/// A backend that fails a number of times before it works, and writes down every call.
#[derive(Clone, Default)]
pub(crate) struct Shaky {
    failures: Arc<AtomicUsize>,
    calls: Arc<Mutex<Vec<Call>>>,
}

/// A call, by what names its subject: `queue/id`, or the content of a message.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Call {
    pub(crate) subject: String,
    pub(crate) worked: bool,
}

impl Shaky {
    pub(crate) fn failing(failures: usize) -> Self {
        let shaky = Self::default();
        shaky.failures.store(failures, Ordering::Relaxed);
        shaky
    }

    /// A builder of a runtime with this backend. It lacks the states and the store that other tasks of the program need.
    pub(crate) fn builder(&self) -> RuntimeBuilder {
        Runtime::builder().backend(self.clone()).allow_unauthenticated()
    }

    pub(crate) fn calls(&self) -> Vec<Call> {
        self.calls.lock().unwrap().clone()
    }

    fn call(&self, subject: &str) -> Result<(), Error> {
        let left = self.failures.load(Ordering::Relaxed);
        self.failures.store(left.saturating_sub(1), Ordering::Relaxed);
        let worked = left == 0;
        self.calls.lock().unwrap().push(Call {
            subject: subject.to_owned(),
            worked,
        });
        if worked {
            return Ok(());
        }
        Err(Error::unavailable(format!("no answer for {subject}")))
    }
}

impl Backend for Shaky {
    fn enqueue(&self, envelope: Envelope) -> BackendFuture<'_> {
        let id = envelope
            .id()
            .expect("an id that a second try can repeat")
            .to_owned();
        let outcome = self.call(&format!("{}/{id}", envelope.queue()));
        Box::pin(async move { outcome.map(|()| Enqueued::new(envelope.queue(), id)) })
    }

    fn publish(&self, publication: Publication) -> BackendFuture<'_, String> {
        let outcome = self.call(&String::from_utf8_lossy(publication.data()));
        Box::pin(async move { outcome.map(|()| "1".to_owned()) })
    }
}

/// A backend that takes several polls for each task, as a network does, and writes down which it has taken.
#[derive(Clone, Default)]
pub(crate) struct Gradual {
    taken: Arc<Mutex<Vec<String>>>,
    refusing: bool,
}

impl Gradual {
    /// A backend that refuses every task.
    pub(crate) fn refusing() -> Self {
        Self {
            refusing: true,
            ..Self::default()
        }
    }

    pub(crate) fn taken(&self) -> Vec<String> {
        self.taken.lock().unwrap().clone()
    }
}

impl Backend for Gradual {
    fn enqueue(&self, envelope: Envelope) -> BackendFuture<'_> {
        Box::pin(async move {
            for _ in 0..3 {
                tokio::task::yield_now().await;
            }
            if self.refusing {
                return Err(Error::unavailable("no answer"));
            }
            let id = envelope.id().expect("an id of the commit").to_owned();
            self.taken.lock().unwrap().push(id.clone());
            Ok(Enqueued::new(envelope.queue(), id))
        })
    }
}

/// Polls a future as often as its tasks wake it, at most a number of times, and drops it: a client has hung up.
pub(crate) async fn dropped_after<F: Future>(polls: usize, future: F) -> Option<F::Output> {
    let mut future = std::pin::pin!(future);
    let mut polled = 0;
    std::future::poll_fn(|cx| {
        if polled == polls {
            return Poll::Ready(None);
        }
        polled += 1;
        match future.as_mut().poll(cx) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending if polled == polls => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}
