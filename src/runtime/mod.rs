//! The runtime: settings, tasks, states and a backend, behind one cloneable handle.

pub(crate) mod attempt;
pub(crate) mod attempt_limit;
pub(crate) mod builder;
pub(crate) mod capture;
pub(crate) mod concurrency;
pub(crate) mod deliver;
pub mod idempotency;
pub(crate) mod inventory;
pub(crate) mod last_attempt;
pub(crate) mod scope;

pub use builder::RuntimeBuilder;
pub use builder::configured::Configured;
#[cfg(feature = "local")]
#[cfg_attr(docsrs, doc(cfg(feature = "local")))]
pub use builder::configured::Embedded;
pub use builder::in_process::InProcess;
pub use inventory::{RegisteredKind, RegisteredTask};

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use http::HeaderName;
use tokio::task::JoinHandle;

use crate::auth::Access;
use crate::backend::Backend;
#[cfg(feature = "google")]
use crate::backend::dead_letter_store::DeadLetterStore;
#[cfg(feature = "google")]
use crate::backend::google::{PubSubAccess, QueueAccess, SchedulerAccess};
use crate::backend::queue_admin::QueueOperations;
use crate::base::clock::Clock;
use crate::base::config::Config;
use crate::base::error::{Error, ErrorKind};
use crate::registry::Registry;
use crate::registry::dead_letter::DeadLetters;
#[cfg(feature = "google")]
use crate::registry::queue_settings::QueueSettings;
use crate::registry::schedule::Schedule;
use crate::registry::subscription::Subscription;
use crate::registry::topic::Topic;
use crate::runtime::concurrency::Limit;
use crate::runtime::idempotency::IdempotencyStore;
use crate::runtime::scope::Scope;

/// A handle on everything that tasks need: settings, the registered tasks, their states and the backend.
///
/// Cheap to clone. Code finds it in one of three ways, the first that applies: [`on`](crate::task::Enqueue::on) names one;
/// the code runs inside [`scope`](Self::scope), a task, or a request that passed the layer; one was
/// [installed](Self::install) in this process. `tokio::spawn` leaves the scope; [`spawn`](Self::spawn) keeps it.
///
/// ```standalone_crate
/// use cloud_tasks::{Config, Runtime};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), cloud_tasks::Error> {
/// let runtime = Runtime::eager().config(Config::from_env()?).build().await?;
/// runtime.clone().install()?;
/// assert!(Runtime::current().is_ok());
/// assert!(runtime.install().unwrap_err().to_string().contains("already installed"));
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Runtime {
    inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) config: Config,
    pub(crate) clock: Clock,
    pub(crate) registry: Registry,
    pub(crate) backend: Arc<dyn Backend>,
    /// What can be done to queues; a backend of the user's has no such thing.
    pub(crate) operations: Option<Arc<dyn QueueOperations>>,
    /// How set-up reaches Pub/Sub, where there is one.
    #[cfg(feature = "google")]
    pub(crate) pubsub: Option<PubSubAccess>,
    /// How set-up reaches queues, where there are some.
    #[cfg(feature = "google")]
    pub(crate) queue_access: Option<QueueAccess>,
    /// How set-up reaches schedules, where there are some.
    #[cfg(feature = "google")]
    pub(crate) scheduler: Option<SchedulerAccess>,
    #[cfg(feature = "google")]
    pub(crate) queues: Vec<QueueSettings>,
    /// Where it is written down what ran.
    pub(crate) idempotency: Option<Arc<dyn IdempotencyStore>>,
    /// After how many attempts a queue gives a task up, as far as its settings say.
    pub(crate) queue_attempts: HashMap<String, u32>,
    /// For tasks that name none.
    pub(crate) dead_letter_topic: Option<Topic>,
    /// Every topic that dead tasks go to.
    #[cfg_attr(
        not(feature = "google"),
        expect(dead_code, reason = "only set-up and replay look at them")
    )]
    pub(crate) dead_letters: Vec<DeadLetters>,
    /// Where dead tasks are kept, where they can be read.
    #[cfg(feature = "google")]
    pub(crate) dead_letter_store: Option<Arc<dyn DeadLetterStore>>,
    pub(crate) propagated: Vec<HeaderName>,
    /// The path of the endpoint, which routes start with.
    pub(crate) base_path: String,
    pub(crate) access: Access,
    pub(crate) limit: Option<Limit>,
    pub(crate) max_body_bytes: usize,
    pub(crate) max_push_bytes: usize,
}

impl Runtime {
    pub(crate) fn new(inner: Inner) -> Self {
        Self {
            inner: Arc::new(inner),
        }
    }

    pub(crate) fn inner(&self) -> &Inner {
        &self.inner
    }

    /// Makes this the runtime of all code in this process that is in no scope.
    ///
    /// # Errors
    ///
    /// When one is installed already; that one stays.
    pub fn install(self) -> Result<(), Error> {
        scope::install(self).map_err(|_| {
            Error::new(
                ErrorKind::AlreadyInstalled,
                "a runtime is already installed in this process; use `runtime.scope(..)` for another one",
            )
        })
    }

    /// The runtime that code at this point would use.
    ///
    /// # Errors
    ///
    /// When there is none: none in scope, and none installed.
    pub fn current() -> Result<Self, Error> {
        Scope::current().map(|scope| scope.runtime)
    }

    /// Runs a future with this runtime as its own, whichever is installed.
    ///
    /// ```standalone_crate
    /// # use cloud_tasks::Runtime;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), cloud_tasks::Error> {
    /// let runtime = Runtime::eager().build().await?;
    /// assert!(Runtime::current().is_err());
    /// runtime.scope(async { assert!(Runtime::current().is_ok()) }).await;
    /// # Ok(())
    /// # }
    /// ```
    pub fn scope<F: Future>(&self, future: F) -> impl Future<Output = F::Output> + use<F> {
        Scope::of(self).run(future)
    }

    /// Spawns a future on tokio that keeps this runtime and the propagated headers of the code that spawns it.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime, as `tokio::spawn` does.
    ///
    /// ```standalone_crate
    /// # use cloud_tasks::{Context, Runtime, Task, TaskResult, task};
    /// # use serde::{Deserialize, Serialize};
    /// # #[derive(Serialize, Deserialize)]
    /// # struct Charge { invoice: u64 }
    /// # #[task]
    /// # impl Task for Charge {
    /// #     async fn run(self, _cx: Context) -> TaskResult { Ok(()) }
    /// # }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let (runtime, recorder) = Runtime::recorded().build().await?;
    /// runtime.spawn(Charge { invoice: 7 }.asap()).await??;
    /// recorder.assert_enqueued::<Charge>(|charge| charge.invoice == 7);
    /// # Ok(())
    /// # }
    /// ```
    pub fn spawn<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: IntoFuture,
        F::IntoFuture: Send + 'static,
        F::Output: Send + 'static,
    {
        tokio::spawn(Scope::of(self).run(future.into_future()))
    }

    /// Waits until every message that was handed over is published; call it before the process ends.
    ///
    /// What is awaited is published then; this is for futures that were dropped, and for tasks that were spawned.
    pub async fn flush(&self) {
        self.inner.backend.flush().await;
    }

    /// The subscriptions of all registered subscribers, as they are to be.
    pub fn subscriptions(&self) -> &[Subscription] {
        self.inner.registry.subscriptions()
    }

    /// The schedules of all registered periodic tasks, as they are to be.
    pub fn schedules(&self) -> &[Schedule] {
        self.inner.registry.schedules()
    }

    /// The settings.
    pub fn config(&self) -> &Config {
        &self.inner.config
    }
}

impl fmt::Debug for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Runtime")
            .field("config", &self.inner.config)
            .finish_non_exhaustive()
    }
}
