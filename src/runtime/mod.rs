//! The runtime: settings, tasks, states and a backend, behind one cloneable handle.

mod attempt;
mod attempt_future;
mod attempt_limit;
mod builder;
mod capture;
mod concurrency;
mod context;
mod deliver;
mod detached;
mod guarded;
pub mod idempotency;
mod inventory;
mod last_attempt;
mod outgoing;
mod run_at;
mod scope;
mod send_options;
mod spawned;

pub use crate::base::RunMode;
#[cfg(feature = "local")]
#[cfg_attr(docsrs, doc(cfg(feature = "local")))]
pub use builder::Embedded;
pub use builder::{Configured, InProcess, Mode, RuntimeBuilder};
pub use inventory::{RegisteredKind, RegisteredTask};
pub use run_at::RunAt;

pub(crate) use attempt::Attempt;
#[cfg(feature = "testing")]
pub(crate) use attempt::panic_message;
pub(crate) use attempt_future::AttemptFuture;
use builder::Engine;
pub(crate) use builder::{Missing, Parts, access_in_tests};
pub(crate) use capture::Capture;
pub(crate) use detached::RunToEnd;
pub(crate) use outgoing::{Outgoing, Request, encode_error, not_enqueued};
pub(crate) use run_at::Start;
pub(crate) use scope::{Scope, Scoped};
pub(crate) use send_options::SendOptions;

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use http::HeaderName;

use crate::auth::{Access, Endpoint};
use crate::backend::{Backend, QueueOperations, Services};
use crate::base::{Clock, Config};
use crate::registry::dead_letter::DeadLetters;
use crate::registry::queue_settings::QueueSettings;
use crate::registry::schedule::Schedule;
use crate::registry::subscription::Subscription;
use crate::registry::topic::Topic;
use crate::registry::topic_publisher::TopicPublisher;
use crate::registry::{Registry, Role};
use crate::runtime::concurrency::Limit;
use crate::runtime::idempotency::{IdempotencyStore, MemoryStore};
use crate::runtime::spawned::Spawned;

/// How long a flush waits for what was spawned.
const SPAWNED_LIMIT: Duration = Duration::from_secs(10);

/// A handle to the settings, the registered tasks, their states and the backend.
///
/// It is cheap to clone. Code finds its runtime in three ways, in this order: [`on`](crate::task::Enqueue::on) names
/// one; the code runs inside [`scope`](Self::scope), inside a task, or inside a request that passed the layer; or one
/// was [installed](Self::install) in this process. `tokio::spawn` leaves the scope; [`spawn`](Self::spawn) keeps it.
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

struct Inner {
    config: Config,
    clock: Clock,
    registry: Registry,
    role: Role,
    backend: Arc<dyn Backend>,
    /// Queue operations; a backend of the user has none.
    queue_admin: Option<Arc<dyn QueueOperations>>,
    services: Services,
    queues: Vec<QueueSettings>,
    /// The idempotency store.
    idempotency: Option<Arc<dyn IdempotencyStore>>,
    /// How long its claims last unless they are renewed.
    lease: Duration,
    /// Tasks that died in this process, if there is no idempotency store.
    dead_tasks: MemoryStore,
    /// For tasks without a topic of their own.
    dead_letter_topic: Option<Topic>,
    /// Every topic of dead tasks.
    #[cfg_attr(
        not(feature = "google"),
        expect(
            dead_code,
            reason = "only setup and the administration of dead letters use them"
        )
    )]
    dead_letters: Vec<DeadLetters>,
    /// Accounts outside of the application that publish to its topics.
    #[cfg_attr(
        not(feature = "google"),
        expect(dead_code, reason = "only setup grants roles")
    )]
    publishers: Vec<(Topic, TopicPublisher)>,
    propagated: Vec<HeaderName>,
    /// What [`Runtime::spawn`] started.
    spawned: Spawned,
    /// What the library does for requests that have ended.
    own_work: Spawned,
    requests: Requests,
    /// The local engine of a [configured](RunMode::Local) runtime, which stops with it.
    _engine: Option<Engine>,
}

/// Which requests are accepted, and how many.
struct Requests {
    /// The path of the endpoint, with which routes start.
    base_path: String,
    access: Access,
    limit: Option<Limit>,
    max_body_bytes: usize,
    max_push_bytes: usize,
}

impl Runtime {
    /// Waits until every message was published, and first until what was [spawned](Self::spawn) has ended. Call it
    /// before the process ends.
    ///
    /// An awaited message is already published; this is for futures that were dropped and for spawned ones. What was
    /// spawned has 10 seconds, the default grace period of a server. The same goes for [commit hooks](crate::commit) whose
    /// caller was dropped. Inside a spawned future only messages are waited for.
    ///
    /// ```
    /// # use cloud_tasks::{Context, Runtime, Task, TaskResult, task};
    /// # use serde::{Deserialize, Serialize};
    /// # #[derive(Serialize, Deserialize)]
    /// # struct ChargeFerry { invoice: u64 }
    /// # #[task]
    /// # impl Task for ChargeFerry {
    /// #     async fn run(self, _cx: Context) -> TaskResult { Ok(()) }
    /// # }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), cloud_tasks::Error> {
    /// let (runtime, recorder) = Runtime::recorded().build().await?;
    /// runtime.spawn(ChargeFerry { invoice: 7 }.asap());
    /// runtime.flush().await;
    /// recorder.assert_enqueued::<ChargeFerry>(|charge| charge.invoice == 7);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn flush(&self) {
        // Without anything to wait for no timer is needed, which a tokio runtime may lack.
        let waits = self.inner.spawned.len() + self.inner.own_work.len() > 0;
        if waits && !scope::is_in_spawned() {
            let ended = tokio::time::timeout(SPAWNED_LIMIT, self.all_spawned_ended()).await;
            if ended.is_err() {
                self.warn_of_unfinished();
            }
        }
        self.flush_messages().await;
    }

    /// Waits until every message was published.
    pub(crate) async fn flush_messages(&self) {
        self.inner.backend.flush().await;
    }

    /// Waits until everything spawned has ended. A future of the user may cause work of our own when it ends.
    pub(crate) async fn all_spawned_ended(&self) {
        self.inner.spawned.wait().await;
        self.own_work_ended().await;
    }

    /// Reports what has not ended in time.
    fn warn_of_unfinished(&self) {
        self.warn_of_own_work();
        self.warn_of_spawned();
    }

    /// Warns if something that the user spawned has not ended in time.
    pub(crate) fn warn_of_spawned(&self) {
        let unfinished = self.inner.spawned.len();
        if unfinished > 0 {
            tracing::warn!(
                unfinished,
                "what was spawned with `Runtime::spawn` did not end in time; tasks that it would have enqueued are lost"
            );
        }
    }

    /// Whether both are handles to the same runtime.
    pub(crate) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.inner, &other.inner)
    }

    /// The subscriptions of all registered subscribers, in their desired state.
    pub fn subscriptions(&self) -> &[Subscription] {
        self.inner.registry.subscriptions()
    }

    /// The schedules of all registered periodic tasks, in their desired state.
    pub fn schedules(&self) -> &[Schedule] {
        self.inner.registry.schedules()
    }

    /// The settings.
    pub fn config(&self) -> &Config {
        &self.inner.config
    }

    /// The time of the runtime's clock.
    pub(crate) fn now(&self) -> SystemTime {
        self.inner.clock.now()
    }

    pub(crate) fn registry(&self) -> &Registry {
        &self.inner.registry
    }

    /// Whether it runs nothing.
    pub(crate) fn only_enqueues(&self) -> bool {
        self.inner.role == Role::OnlyEnqueues
    }

    pub(crate) fn queue_admin(&self) -> Option<&Arc<dyn QueueOperations>> {
        self.inner.queue_admin.as_ref()
    }

    /// This process serves tasks: the commands of other processes find its local engine.
    #[cfg_attr(
        not(feature = "local"),
        expect(clippy::unused_self, reason = "only a local engine is looked for")
    )]
    pub(crate) fn mark_serving(&self) {
        #[cfg(feature = "local")]
        self.inner.services.mark_serving();
    }

    #[cfg(feature = "google")]
    pub(crate) fn services(&self) -> &Services {
        &self.inner.services
    }

    #[cfg(feature = "google")]
    pub(crate) fn queue_settings(&self) -> &[QueueSettings] {
        &self.inner.queues
    }

    #[cfg(feature = "google")]
    pub(crate) fn publishers(&self) -> &[(Topic, TopicPublisher)] {
        &self.inner.publishers
    }

    #[cfg(feature = "google")]
    pub(crate) fn dead_letters(&self) -> &[DeadLetters] {
        &self.inner.dead_letters
    }

    /// The path of the endpoint, with which routes start.
    pub(crate) fn base_path(&self) -> &str {
        &self.inner.requests.base_path
    }

    pub(crate) fn access(&self) -> &Access {
        &self.inner.requests.access
    }

    pub(crate) fn limit(&self) -> Option<&Limit> {
        self.inner.requests.limit.as_ref()
    }

    /// The maximum body size for an endpoint.
    pub(crate) fn max_bytes(&self, endpoint: Endpoint) -> usize {
        match endpoint {
            Endpoint::Tasks => self.inner.requests.max_body_bytes,
            Endpoint::Subscriptions => self.inner.requests.max_push_bytes,
        }
    }
}

impl fmt::Debug for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Runtime")
            .field("config", &self.inner.config)
            .finish_non_exhaustive()
    }
}
