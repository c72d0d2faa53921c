//! Subscribers: tasks that run on the messages of a topic.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::base::{
    Attributes, BoxError, BoxFuture, Context, Push, States, TaskError, TaskMetadata, TaskResult,
    in_subscriber, json, propagation,
};
use crate::event::attributes;
use crate::event::message::Message;
use crate::registry::subscription::SubscriptionOptions;
use crate::registry::topic::Topic;
use crate::registry::{AttemptError, BoundTask, Handler, Kind, Registration, TaskInput};
use crate::registry::{Registered, resolve};
use crate::runtime::Scope;

/// A task that runs on each message of a topic, which Pub/Sub pushes to `{endpoint}/subscriptions/{name}`.
///
/// Write `#[task]` above the `impl` block: it registers the subscriber, infers the types from `run`, takes the topic
/// from the content's [`Event`](crate::Event) or from `topic = ".."`, and decodes the content as JSON unless you write
/// `parse`. A message is acknowledged when `run` succeeds or discards it; after any other error Pub/Sub delivers it
/// again.
///
/// ```
/// use cloud_tasks::{Context, Message, PublisherTask, Runtime, SubscriberTask, TaskResult, task};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize)]
/// struct PasswordChanged { user_id: u64 }
///
/// #[task(topic = "password-changes")]
/// impl PublisherTask for PasswordChanged {}
///
/// struct AuditPasswords;
///
/// #[task(filter = r#"attributes.priority = "high""#, min_backoff = "5s", max_backoff = "60s")]
/// impl SubscriberTask for AuditPasswords {
///     async fn run(message: Message<PasswordChanged>, _cx: Context) -> TaskResult {
///         if message.content.user_id == 0 {
///             Err("nobody does anything")?;
///         }
///         Ok(())
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), cloud_tasks::Error> {
/// let runtime = Runtime::eager().build().await?;        // delivers in this process
/// runtime.scope(async {
///     assert!(PasswordChanged { user_id: 0 }.sync().await.is_ok());        // the filter lets it pass by
///     assert!(PasswordChanged { user_id: 0 }.sync().attribute("priority", "high").await.is_err());
/// }).await;
/// # Ok(())
/// # }
/// ```
#[doc(alias("consumer", "listener", "handler"))]
pub trait SubscriberTask: Registered + Send + 'static {
    /// The content of a message: `C` of [`Message<C, A>`], filled in by `#[task]`.
    type Content: Send + 'static;

    /// The attributes of a message, the map or a struct: `A` of [`Message<C, A>`], filled in by `#[task]`.
    type Attributes: DeserializeOwned + Send + 'static;

    /// The state that the subscriber needs: `S` of its [`Context<S>`], filled in by `#[task]`.
    type State: Send + Sync + 'static;

    /// The subscriber's output: `T` of its [`TaskResult<T>`], filled in by `#[task]`.
    type Output: Serialize + Send + 'static;

    /// The topic that the subscriber receives messages from, filled in by `#[task]`.
    fn topic() -> Topic;

    /// Decodes the content from the bytes of a message; by default from JSON. It receives any bytes unchanged.
    ///
    /// # Errors
    ///
    /// If the bytes are not valid content: the message is not acknowledged, and finally goes to the dead-letter topic.
    fn parse(data: &[u8]) -> Result<Self::Content, BoxError>;

    /// Handles a message.
    ///
    /// # Errors
    ///
    /// After any error the message is delivered again; a [`Discard`](crate::Discard) acknowledges it.
    fn run(
        message: Message<Self::Content, Self::Attributes>,
        cx: Context<Self::State>,
    ) -> impl Future<Output = TaskResult<Self::Output>> + Send;
}

impl Registration {
    /// The registration of a subscriber with this name, defined at `location` (`file:line`).
    pub const fn subscriber<T: SubscriberTask>(name: &'static str, location: &'static str) -> Self {
        let options = SubscriptionOptions::new(T::topic);
        Self::new::<T>(name, location, Kind::Subscriber(options), bind::<T>)
    }
}

fn bind<T: SubscriberTask>(states: &States) -> Result<BoundTask, Vec<&'static str>> {
    let state = resolve::<T, T::State>(states)?;
    let handler = SubscriberHandler::<T> {
        state: Arc::clone(&state),
        subscriber: PhantomData,
    };
    Ok(BoundTask {
        handler: Arc::new(handler),
        state,
    })
}

struct SubscriberHandler<T: SubscriberTask> {
    state: Arc<T::State>,
    subscriber: PhantomData<fn() -> T>,
}

impl<T: SubscriberTask> Handler for SubscriberHandler<T> {
    fn call(
        self: Arc<Self>,
        input: TaskInput,
        metadata: TaskMetadata,
    ) -> BoxFuture<'static, Result<Vec<u8>, AttemptError>> {
        Box::pin(async move {
            let output = run_input::<T>(Arc::clone(&self.state), input, metadata).await?;
            serde_json::to_vec(&output).map_err(AttemptError::Output)
        })
    }

    fn check(&self, push: &Push) -> Result<(), String> {
        decode::<T>(&push.data, push.attributes.clone()).map(drop)
    }
}

/// Runs a subscriber on its input.
pub(crate) async fn run_input<T: SubscriberTask>(
    state: Arc<T::State>,
    input: TaskInput,
    metadata: TaskMetadata,
) -> Result<T::Output, AttemptError> {
    let push = match input {
        TaskInput::Push(push) => *push,
        TaskInput::Body(body) => read_forwarded(&body, &metadata)?,
    };
    let (content, attributes) = decode::<T>(&push.data, push.attributes).map_err(AttemptError::Decode)?;
    let message = Message {
        content,
        attributes,
        id: push.id,
        publish_time: push.publish_time,
        ordering_key: push.ordering_key,
        delivery_attempt: push.delivery_attempt,
        subscription: push.subscription,
    };
    let cx = Context::new(state, metadata);
    in_subscriber(T::run(message, cx))
        .await
        .map_err(AttemptError::Task)
}

/// Decodes the content and the attributes of a message.
fn decode<T: SubscriberTask>(
    data: &[u8],
    attributes: Attributes,
) -> Result<(T::Content, T::Attributes), String> {
    let content = T::parse(data).map_err(|error| refusal(&*error))?;
    Ok((content, attributes::read(attributes)?))
}

/// The message of a forwarded task. django-cloud-tasks leaves the propagated headers in the content, besides the task's
/// own.
fn read_forwarded(body: &[u8], metadata: &TaskMetadata) -> Result<Push, AttemptError> {
    let mut push = Push::read_forwarded(metadata.headers(), body).map_err(AttemptError::Decode)?;
    let scope = Scope::current().map_err(|error| AttemptError::Task(TaskError::from(error)))?;
    let key = scope.runtime.config().propagated_headers_key();
    (push.data, _) = propagation::read(push.data, &push.attributes, key, &[]);
    Ok(push)
}

/// The default of `parse`.
///
/// # Errors
///
/// If the bytes do not decode to the content. The error names the field and the position, and contains no value.
#[doc(hidden)]
pub fn parse_json<C: DeserializeOwned>(data: &[u8]) -> Result<C, BoxError> {
    json::decode(data).map_err(|reason| NotJson(reason).into())
}

#[derive(Debug)]
struct NotJson(String);

impl fmt::Display for NotJson {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for NotJson {}

/// The text of a parser's error for the response: our own contains no value of the message; another one may, so it is
/// omitted.
fn refusal(error: &(dyn std::error::Error + Send + Sync + 'static)) -> String {
    match error.downcast_ref::<NotJson>() {
        Some(NotJson(reason)) => reason.clone(),
        None => "its parser refused the content".to_owned(),
    }
}
