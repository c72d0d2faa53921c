//! What every builder takes, whatever its mode.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use tokio::sync::Semaphore;

use crate::base::{Config, Error};
use crate::registry::queue_settings::QueueSettings;
use crate::registry::topic::Topic;
use crate::registry::{Registered, Registration};
use crate::runtime::Runtime;
use crate::runtime::builder::configured::Configured;
#[cfg(feature = "local")]
use crate::runtime::builder::embedded::Embedded;
use crate::runtime::builder::in_process::InProcess;
use crate::runtime::builder::{Mode, Parts};
use crate::runtime::idempotency::IdempotencyStore;

/// Collects what a [`Runtime`] is made of; `build()` checks all of it at once.
///
/// `M` is where tasks go: what the settings say ([`Configured`]), this process ([`InProcess`]), a record
/// ([`Recorded`](crate::Recorded)) or the local engine ([`Embedded`]).
///
/// ```standalone_crate
/// use cloud_tasks::{Config, Context, Runtime, Task, TaskResult, task};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize)]
/// struct Charge { invoice: u64 }
///
/// #[task(queue = "billing")]
/// impl Task for Charge {
///     async fn run(self, _cx: Context<String>) -> TaskResult { Ok(()) }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), cloud_tasks::Error> {
/// let runtime = Runtime::eager()
///     .config(Config::from_env()?.app_name("shop"))
///     .state(String::from("a state, which tasks ask for by its type"))
///     .expect_tasks(["Charge"])
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
    /// Starts a runtime whose tasks go where its settings say: to Google Cloud Tasks, unless told otherwise.
    ///
    /// # Errors
    ///
    /// `build()` fails with everything that is wrong, at once: settings, names, missing states, tasks that were not linked.
    pub fn builder() -> RuntimeBuilder {
        RuntimeBuilder::with_mode(Configured::default())
    }

    /// Starts a runtime that runs every task in this process, at once, when it is enqueued.
    ///
    /// The arguments go through JSON as they would on the way to Google; a failure comes back to the caller who
    /// enqueued. Delays are not waited for. A state that is missing shows when a task that needs it runs, since a test
    /// binary links more tasks than a test needs.
    ///
    /// ```standalone_crate
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

    /// Starts a runtime with a Cloud Tasks and a Pub/Sub of its own in this process; `build()` gives the [`LocalEngine`](crate::backend::LocalEngine)
    /// too.
    ///
    /// Tasks come back over HTTP to the endpoint of the settings, and messages to the subscriptions of the runtime, so
    /// something must serve it.
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

    /// Sets the settings; without this they are the defaults, and the environment is not read.
    pub fn config(mut self, config: Config) -> Self {
        self.parts.config = config;
        self
    }

    /// Adds a state that tasks ask for by its type; a second one of a type replaces the first.
    pub fn state<S: Send + Sync + 'static>(mut self, state: S) -> Self {
        self.parts.states.insert(state);
        self
    }

    /// Registers a task, a publisher or a subscriber by hand, which also makes the linker keep its crate; harmless where `#[task]` did it already.
    pub fn register<T: Registered>(mut self) -> Self {
        self.parts.registered.push(T::__REGISTRATION);
        self
    }

    /// Registers what a registration says.
    #[doc(hidden)]
    pub fn register_all(mut self, registrations: impl IntoIterator<Item = Registration>) -> Self {
        self.parts.registered.extend(registrations);
        self
    }

    /// Makes `build()` fail unless tasks of these names (or aliases) are registered.
    ///
    /// A crate that the binary never names is dropped by the linker, and its tasks with it; `use my_tasks as _;` keeps it.
    pub fn expect_tasks<N: Into<String>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        self.parts.expected.extend(names.into_iter().map(Into::into));
        self
    }

    /// Says what a queue is to be like, for [`Runtime::setup`]; a second time for a queue replaces the first.
    ///
    /// [`Runtime::setup`]: crate::Runtime#method.setup
    pub fn queue(mut self, settings: QueueSettings) -> Self {
        self.parts.queues.retain(|other| other.name != settings.name);
        self.parts.queues.push(settings);
        self
    }

    /// Sets where it is remembered what ran, for tasks that say `idempotent` and for [`Context::once`].
    ///
    /// The [guide](crate::guide::idempotency) tells what that guarantees and what not. Without a store, `build()` fails where
    /// a task says `idempotent`; in tests (`eager()`, `recorded()`) such a task then runs as any other.
    ///
    /// [`Context::once`]: crate::Context::once
    pub fn idempotency(mut self, store: impl IdempotencyStore) -> Self {
        self.parts.idempotency = Some(Arc::new(store));
        self
    }

    /// Records the tasks that are given up to this topic, where they name none themselves: its base name, which gets the prefix
    /// of the application, or its full path.
    ///
    /// A subscription of the same name keeps them, which [`Runtime::setup`] makes with the topic. A record contains the
    /// arguments of its task. The [guide](crate::guide::retries) tells when a task is given up.
    ///
    /// [`Runtime::setup`]: crate::Runtime#method.setup
    ///
    /// ```standalone_crate
    /// # use cloud_tasks::{Context, Runtime, Task, TaskResult, task};
    /// # use serde::{Deserialize, Serialize};
    /// #[derive(Serialize, Deserialize)]
    /// struct Charge { invoice: u64 }
    ///
    /// #[task(max_attempts = 1)]
    /// impl Task for Charge {
    ///     async fn run(self, _cx: Context) -> TaskResult { Err("the card was declined")? }
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), cloud_tasks::Error> {
    /// let (runtime, recorder) = Runtime::recorded().dead_letter_topic("dead-tasks").build().await?;
    /// Charge { invoice: 7 }.asap().on(&runtime).await?;
    /// assert!(recorder.drain().await.is_err());
    /// assert_eq!(recorder.publications()[0].topic(), "dead-tasks");
    /// assert_eq!(recorder.publications()[0].attributes()["task"], "Charge");
    /// # Ok(())
    /// # }
    /// ```
    pub fn dead_letter_topic(mut self, topic: impl Into<Cow<'static, str>>) -> Self {
        self.parts.dead_letter_topic = Some(Topic::new(topic));
        self
    }

    /// Takes messages at `/subscriptions/` from anybody, without a token: Google's Pub/Sub emulator sends none.
    ///
    /// Say it where you know that it is this emulator that you talk to, and nowhere else: no setting says it for you.
    /// Tasks stay verified.
    pub fn allow_unsigned_pushes(mut self) -> Self {
        self.parts.unsigned_pushes = true;
        self
    }

    /// Sets how many tasks and messages may be worked on at once; default: as many as come. At least 1.
    ///
    /// Those beyond are answered 429 with `Retry-After`, which also makes Cloud Tasks slow the queue down. A queue's own
    /// limits are the better means where they do: this one protects the process from all its queues together. Callers are
    /// verified first, and only what is let in counts.
    pub fn max_concurrency(mut self, requests: usize) -> Self {
        self.parts.max_concurrency = Some(requests.clamp(1, Semaphore::MAX_PERMITS));
        self
    }

    /// Sets the largest body that a task's request may have; default 1 MiB, which is Cloud Tasks' own limit.
    pub fn max_body_bytes(mut self, bytes: usize) -> Self {
        self.parts.max_body_bytes = bytes;
        self
    }

    /// Sets the largest body that a Pub/Sub push may have; default 14 MiB, for 10 MB of content in base64.
    pub fn max_push_bytes(mut self, bytes: usize) -> Self {
        self.parts.max_push_bytes = bytes;
        self
    }
}

impl<M: Mode> RuntimeBuilder<M> {
    /// Checks everything and builds the runtime, and what its mode adds: a recorder, a local engine.
    ///
    /// [`eager()`](Runtime::eager) and [`recorded()`](crate::Runtime::recorded) do not check whether states are missing.
    /// [`local()`](crate::Runtime#method.local) starts the engine.
    ///
    /// # Errors
    ///
    /// With all that is wrong at once, or when the engine cannot listen on a loopback port. Nothing was sent, and nothing
    /// keeps running.
    pub async fn build(self) -> Result<M::Built, Error> {
        self.mode.build(self.parts).await
    }
}

impl<M> fmt::Debug for RuntimeBuilder<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RuntimeBuilder")
            .field("config", &self.parts.config)
            .finish_non_exhaustive()
    }
}
