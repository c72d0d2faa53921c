//! The builder of a runtime, common to all modes.

use std::any::Any;
use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use cloud_tasks_rules::limits::DISPATCH_DEADLINE;
use tokio::sync::Semaphore;

use crate::auth::UnsignedPushes;
use crate::base::{Config, Error};
use crate::registry::queue_settings::QueueSettings;
use crate::registry::topic::Topic;
use crate::registry::topic_publisher::TopicPublisher;
use crate::registry::{Registered, Registration, Role};
use crate::runtime::Runtime;
use crate::runtime::builder::configured::Configured;
#[cfg(feature = "local")]
use crate::runtime::builder::embedded::Embedded;
use crate::runtime::builder::in_process::InProcess;
use crate::runtime::builder::{Mode, Parts};
use crate::runtime::idempotency::{IdempotencyStore, MemoryStore};

/// Builds a [`Runtime`]. `build()` validates everything at once.
///
/// `M` is the mode, which decides where tasks go: where the settings say ([`Configured`]), this process
/// ([`InProcess`]), a recorder ([`Recorded`](crate::testing::Recorded)) or the local engine ([`Embedded`]).
///
/// ```
/// use cloud_tasks::{Config, Context, Runtime, Task, TaskResult, task};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize)]
/// struct ChargeDelivery { invoice: u64 }
///
/// #[task(queue = "billing")]
/// impl Task for ChargeDelivery {
///     async fn run(self, _cx: Context<String>) -> TaskResult { Ok(()) }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), cloud_tasks::Error> {
/// let runtime = Runtime::eager()
///     .config(Config::from_env()?.with_app_name("shop"))
///     .state(String::from("a state, which tasks ask for by its type"))
///     .expect_tasks(["ChargeDelivery"])
///     .build()
///     .await?;
/// # let _ = runtime;
/// # Ok(())
/// # }
/// ```
#[must_use = "nothing is built until `build()` is called and awaited"]
pub struct RuntimeBuilder<M = Configured> {
    mode: M,
    parts: Parts,
}

impl Runtime {
    /// Starts building a runtime whose tasks go where its settings say, by default to Google Cloud Tasks.
    ///
    /// # Errors
    ///
    /// `build()` reports every error at once: invalid settings and names, missing states, tasks that were not linked.
    pub fn builder() -> RuntimeBuilder {
        RuntimeBuilder::with_mode(Configured::default())
    }

    /// Starts building a runtime that runs each task in this process as soon as it is enqueued.
    ///
    /// The arguments go through JSON as on the way to Google, and a failure returns to the caller that enqueued. Delays
    /// are ignored. A task that a task enqueues has ended when the outer one goes on; it runs as a task of tokio of its own,
    /// so chains may be long, and task-local values of yours are not visible there. A missing state is reported when a task that needs it runs, since a test binary links more tasks
    /// than one test needs.
    ///
    /// ```
    /// # use cloud_tasks::{Context, Runtime, Task, TaskResult, task};
    /// # use serde::{Deserialize, Serialize};
    /// #[derive(Serialize, Deserialize)]
    /// struct Divide { by: u64 }
    ///
    /// #[task]
    /// impl Task for Divide {
    ///     async fn run(self, _cx: Context) -> TaskResult<u64> {
    ///         Ok(84_u64.checked_div(self.by).ok_or("division by zero")?)
    ///     }
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), cloud_tasks::Error> {
    /// let runtime = Runtime::eager().build().await?;
    /// runtime.scope(async {
    ///     assert!(Divide { by: 2 }.asap().await.is_ok());
    ///     let error = Divide { by: 0 }.asap().await.unwrap_err();
    ///     assert_eq!(format!("{error:#}"), "task Divide failed: division by zero");
    /// }).await;
    /// # Ok(())
    /// # }
    /// ```
    pub fn eager() -> RuntimeBuilder<InProcess> {
        RuntimeBuilder::with_mode(InProcess::default())
    }

    /// Starts building a runtime with Cloud Tasks and Pub/Sub in this process. `build()` also returns the
    /// [`LocalEngine`](crate::backend::LocalEngine).
    ///
    /// Tasks come back over HTTP to the endpoint of the settings, and messages to the subscriptions of the runtime, so
    /// you must serve the runtime.
    #[cfg(feature = "local")]
    #[cfg_attr(docsrs, doc(cfg(feature = "local")))]
    pub fn local() -> RuntimeBuilder<Embedded> {
        RuntimeBuilder::with_mode(Embedded::default())
    }
}

impl<M> RuntimeBuilder<M> {
    pub(crate) fn with_mode(mode: M) -> Self {
        Self {
            mode,
            parts: Parts::default(),
        }
    }

    pub(crate) fn change_mode(mut self, change: impl FnOnce(&mut M)) -> Self {
        change(&mut self.mode);
        self
    }

    /// Sets the settings. Without them the defaults apply, and the environment is not read.
    pub fn config(mut self, config: Config) -> Self {
        self.parts.config = config;
        self
    }

    /// Adds a state, which tasks look up by its type. It replaces an earlier state of the same type.
    pub fn state<S: Send + Sync + 'static>(mut self, state: S) -> Self {
        self.parts.states.insert(state);
        self
    }

    /// Registers a task, a publisher or a subscriber by hand, which also makes the linker keep its crate. Has no effect
    /// if `#[task]` registered it already.
    pub fn register<T: Registered>(mut self) -> Self {
        self.parts.registered.push(T::__REGISTRATION);
        self
    }

    /// Adds registrations.
    #[doc(hidden)]
    pub fn register_all(mut self, registrations: impl IntoIterator<Item = Registration>) -> Self {
        self.parts.registered.extend(registrations);
        self
    }

    /// Makes a runtime that enqueues and publishes, and runs nothing: every request for a task is answered 404.
    ///
    /// It needs no state, no idempotency store, no trusted caller and, if all its tasks run in other services, no
    /// endpoint. Tasks of this program go to the settings' endpoint, which is then that of the service that runs them.
    /// It has no subscriptions and no schedules, and its set-up does not prune.
    ///
    /// ```standalone_crate
    /// # use cloud_tasks::{Context, Runtime, Task, TaskResult, task};
    /// # use serde::{Deserialize, Serialize};
    /// struct Ledger;
    ///
    /// #[derive(Serialize, Deserialize)]
    /// struct BookPayment { invoice: u64 }
    ///
    /// #[task]
    /// impl Task for BookPayment {
    ///     async fn run(self, _cx: Context<Ledger>) -> TaskResult { Ok(()) }
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), cloud_tasks::Error> {
    /// # struct Queue;
    /// # impl cloud_tasks::backend::Backend for Queue {
    /// #     fn enqueue(&self, envelope: cloud_tasks::backend::Envelope) -> cloud_tasks::backend::BackendFuture<'_> {
    /// #         Box::pin(async move { Ok(cloud_tasks::task::Enqueued::new(envelope.queue(), "1")) })
    /// #     }
    /// # }
    /// # let builder = Runtime::builder().backend(Queue);
    /// // let builder = Runtime::builder();
    /// let runtime = builder.enqueue_only().build().await?;       // without a `Ledger`
    /// BookPayment { invoice: 7 }.asap().on(&runtime).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn enqueue_only(mut self) -> Self {
        self.parts.role = Role::OnlyEnqueues;
        self
    }

    /// Makes `build()` fail unless tasks with these names (or aliases) are registered.
    ///
    /// The linker drops a crate that the binary never names, with all its tasks; `use my_tasks as _;` keeps it.
    pub fn expect_tasks<N: Into<String>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        self.parts.expected.extend(names.into_iter().map(Into::into));
        self
    }

    /// Sets the settings of a queue, for [`Runtime::setup`]. They replace earlier settings of the same queue.
    ///
    /// [`Runtime::setup`]: crate::Runtime#method.setup
    pub fn queue(mut self, settings: QueueSettings) -> Self {
        self.parts.queues.retain(|other| other.name() != settings.name());
        self.parts.queues.push(settings);
        self
    }

    /// Sets the idempotency store, for `idempotent` tasks and for [`Context::once`].
    ///
    /// The [idempotency guide](crate::guide::idempotency) says what this guarantees. Without a store, `build()` fails
    /// if a task is `idempotent`; the test modes (`eager()`, `recorded()`) run such a task like any other.
    ///
    /// [`Context::once`]: crate::Context::once
    pub fn idempotency(mut self, store: impl IdempotencyStore) -> Self {
        let any: &dyn Any = &store;
        self.parts.memory_store = any.downcast_ref::<MemoryStore>().cloned().or_else(|| {
            let shared = any.downcast_ref::<Arc<MemoryStore>>();
            shared.map(|store| MemoryStore::clone(store))
        });
        self.parts.idempotency = Some(Arc::new(store));
        self
    }

    /// Sets how long a claim in the idempotency store lasts unless it is renewed; default 30 seconds, at least 1 second.
    ///
    /// The runtime renews it at each third of this time as long as the effect runs. If a process dies, deliveries of its tasks
    /// wait for the end of the lease. Two thirds of it must be longer than the clocks of your instances differ, and longer
    /// than the store takes to respond.
    pub fn idempotency_lease(mut self, lease: Duration) -> Self {
        self.parts.lease = lease.clamp(Duration::from_secs(1), DISPATCH_DEADLINE.max);
        self
    }

    /// Sets the topic that dead tasks are recorded to, unless they have a topic of their own: its base name, which gets
    /// the application's prefix, or its full path.
    ///
    /// A subscription of the same name keeps the records; [`Runtime::setup`] creates both. A record contains the
    /// arguments of its task. See the [retries guide](crate::guide::retries).
    ///
    /// [`Runtime::setup`]: crate::Runtime#method.setup
    ///
    /// ```
    /// # use cloud_tasks::{Context, Runtime, Task, TaskResult, task};
    /// # use serde::{Deserialize, Serialize};
    /// #[derive(Serialize, Deserialize)]
    /// struct ChargeHotel { invoice: u64 }
    ///
    /// #[task(max_attempts = 1)]
    /// impl Task for ChargeHotel {
    ///     async fn run(self, _cx: Context) -> TaskResult { Err("the card was declined")? }
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), cloud_tasks::Error> {
    /// let (runtime, recorder) = Runtime::recorded().dead_letter_topic("dead-tasks").build().await?;
    /// ChargeHotel { invoice: 7 }.asap().on(&runtime).await?;
    /// assert!(recorder.drain().await.is_err());
    /// assert_eq!(recorder.publications()[0].topic(), "dead-tasks");
    /// assert_eq!(recorder.publications()[0].attributes()["task"], "ChargeHotel");
    /// # Ok(())
    /// # }
    /// ```
    pub fn dead_letter_topic(mut self, topic: impl Into<Cow<'static, str>>) -> Self {
        self.parts.dead_letter_topic = Some(Topic::new(topic));
        self
    }

    /// Lets an account outside of your application publish to a topic, such as that of Gmail or of Cloud Storage.
    ///
    /// [`Runtime::setup`] creates the topic and grants `roles/pubsub.publisher` on it; nothing is granted before.
    ///
    /// [`Runtime::setup`]: crate::Runtime#method.setup
    ///
    /// ```
    /// use cloud_tasks::event::{Topic, TopicPublisher};
    /// use cloud_tasks::Runtime;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), cloud_tasks::Error> {
    /// let runtime = Runtime::eager()
    ///     .allow_publisher(Topic::new("uploads"), TopicPublisher::cloud_storage())
    ///     .build()
    ///     .await?;
    /// # let _ = runtime;
    /// # Ok(())
    /// # }
    /// ```
    pub fn allow_publisher(mut self, topic: Topic, publisher: TopicPublisher) -> Self {
        self.parts.publishers.push((topic, publisher));
        self
    }

    /// Accepts unauthenticated pushes to the subscribers that say `oidc = false`, and to no other.
    ///
    /// Anybody who reaches the service may call these subscribers. Tasks and all other subscribers stay verified.
    pub fn allow_unsigned_pushes(mut self) -> Self {
        self.parts.unsigned_pushes = self.parts.unsigned_pushes.max(UnsignedPushes::Declared);
        self
    }

    /// Accepts unauthenticated pushes to every subscriber: Google's Pub/Sub emulator sends no token.
    ///
    /// Call this only in a program, or behind a flag such as `--dev`, that talks to the emulator: anybody who reaches the service
    /// may then call every subscriber. No environment variable does this for you. Tasks stay verified.
    pub fn allow_emulator_pushes(mut self) -> Self {
        self.parts.unsigned_pushes = UnsignedPushes::Emulator;
        self
    }

    /// Sets the maximum number of concurrent tasks and messages; unlimited by default, at least 1.
    ///
    /// Those beyond [wait](Self::max_concurrency_wait), and are then answered 429 with `Retry-After`, which also makes Cloud
    /// Tasks slow the queue down. Each 429 counts as an attempt, so a queue's own limits are the better means where they do:
    /// this one protects the process from all its queues together. A request counts once its caller is verified and its body
    /// has arrived.
    pub fn max_concurrency(mut self, requests: usize) -> Self {
        self.parts.max_concurrency = Some(requests.clamp(1, Semaphore::MAX_PERMITS));
        self
    }

    /// Sets how long a request waits at the [concurrency limit](Self::max_concurrency) before it is answered 429; default 10
    /// seconds.
    ///
    /// It waits for at most a quarter of its attempt's time, which the wait uses up, and only if its caller is verified. The
    /// bodies of waiting requests take at most 64 MiB; further requests do not wait. Zero turns the wait off.
    pub fn max_concurrency_wait(mut self, wait: Duration) -> Self {
        self.parts.max_concurrency_wait = wait;
        self
    }

    /// Sets the maximum size of a task's body; default 1 MiB, which is the limit of Cloud Tasks.
    pub fn max_body_bytes(mut self, bytes: usize) -> Self {
        self.parts.max_body_bytes = bytes;
        self
    }

    /// Sets the maximum size of a Pub/Sub push's body; default 14 MiB, for 10 MB of content in base64.
    pub fn max_push_bytes(mut self, bytes: usize) -> Self {
        self.parts.max_push_bytes = bytes;
        self
    }
}

impl<M: Mode> RuntimeBuilder<M> {
    /// Validates everything and builds the runtime, with what its mode adds: a recorder, or a local engine.
    ///
    /// [`eager()`](Runtime::eager) and [`recorded()`](crate::Runtime::recorded) allow missing states.
    /// [`local()`](crate::Runtime#method.local) starts the engine.
    ///
    /// If tasks go to Google (over TLS), it also fetches the first access token and, unless the runtime
    /// [only enqueues](Self::enqueue_only), the keys that verify callers, so that the first request of a cold instance waits for
    /// neither. It waits for at most a second, and never fails for that: what has not come goes on in the background, and what has
    /// failed is fetched again when it is needed. No other mode and no emulator makes a call.
    ///
    /// # Errors
    ///
    /// Reports every error at once. Also if the engine cannot listen on a loopback port. Nothing was sent, and nothing
    /// keeps running.
    pub async fn build(self) -> Result<M::Built, Error> {
        // Boxed, so that the future of the caller stays small.
        Box::pin(self.mode.build(self.parts)).await
    }
}

impl<M> fmt::Debug for RuntimeBuilder<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RuntimeBuilder")
            .field("config", &self.parts.config)
            .finish_non_exhaustive()
    }
}
