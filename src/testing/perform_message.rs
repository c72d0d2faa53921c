//! Running a subscriber on one message, as a push would.

use std::fmt;
use std::marker::PhantomData;
use std::pin::Pin;

use bytes::Bytes;
use http::HeaderMap;
use serde::Serialize;

use super::performed::Performed;
use super::push::{push_of, subscription};
use crate::base::{Error, Push};
use crate::event::message::Message;
use crate::event::subscriber::{self, SubscriberTask};
use crate::runtime::{Capture, Runtime};

impl Runtime {
    /// Runs a subscriber on one message, as a push would, with its content as JSON, and returns the outcome.
    ///
    /// The subscription's filter is ignored, and a subscriber that forwards its messages to tasks runs here.
    ///
    /// ```
    /// use cloud_tasks::{Context, Message, Runtime, SubscriberTask, TaskResult, task};
    /// use serde::{Deserialize, Serialize};
    ///
    /// #[derive(Serialize, Deserialize)]
    /// struct UserAction { user_id: u64 }
    ///
    /// struct AuditMessages;
    ///
    /// #[task(topic = "audited-messages")]
    /// impl SubscriberTask for AuditMessages {
    ///     async fn run(message: Message<UserAction>, cx: Context) -> TaskResult<String> {
    ///         Ok(format!("{} in delivery {}", message.content.user_id, cx.metadata().attempt()))
    ///     }
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), cloud_tasks::Error> {
    /// let (runtime, _recorder) = Runtime::recorded().build().await?;
    /// let message = Message::new(UserAction { user_id: 7 }).with_delivery_attempt(3);
    /// let performed = runtime.perform_message::<AuditMessages>(&message).await?;
    /// assert_eq!(performed.assert_done(), "7 in delivery 3");
    ///
    /// let performed = runtime.perform_message::<AuditMessages>(&Message::new("seven")).await?;
    /// assert!(matches!(performed, cloud_tasks::testing::Performed::Unreadable(_)));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// The await fails if the runtime lacks the subscriber or one of its states, or if the content does not serialize.
    /// Nothing ran.
    #[cfg_attr(docsrs, doc(cfg(feature = "testing")))]
    pub fn perform_message<S: SubscriberTask>(&self, message: &Message<impl Serialize>) -> PerformMessage<S> {
        let push = subscription::<S>(self).and_then(|subscription| push_of(self, subscription, message));
        PerformMessage {
            runtime: self.clone(),
            push,
            subscriber: PhantomData,
        }
    }
}

/// One delivery of a message; nothing happens until it is awaited. See [`Runtime::perform_message`].
#[must_use = "nothing runs until this is awaited"]
pub struct PerformMessage<S> {
    runtime: Runtime,
    push: Result<Push, Error>,
    subscriber: PhantomData<fn() -> S>,
}

impl<S: SubscriberTask> PerformMessage<S> {
    /// Replaces the content with these bytes, which need not be JSON.
    pub fn data(mut self, data: impl Into<Bytes>) -> Self {
        if let Ok(push) = &mut self.push {
            push.data = data.into();
        }
        self
    }

    async fn run(self) -> Result<Performed<S::Output>, Error> {
        let body = self.push?.to_body();
        let entry = self.runtime.entry_of::<S>()?;
        let (bound, captured) = Capture::bind::<S>(&self.runtime, |state, input, metadata| {
            Box::pin(subscriber::run_input::<S>(state, input, metadata))
        })?;
        let push = match Push::read(&HeaderMap::new(), body.into()) {
            Ok(push) => push,
            Err(reason) => return Ok(Performed::Unreadable(reason)),
        };
        let ran = self.runtime.deliver_here(entry, &bound, push);
        Ok(Performed::of_run(ran.await, captured.take()))
    }
}

impl<S: SubscriberTask> IntoFuture for PerformMessage<S> {
    type Output = Result<Performed<S::Output>, Error>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.run())
    }
}

impl<S> fmt::Debug for PerformMessage<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PerformMessage").finish_non_exhaustive()
    }
}
