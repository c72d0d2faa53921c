//! Building a runtime: the place where mistakes surface.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
#[cfg(feature = "local")]
use std::time::SystemTime;

use http::HeaderName;
use tokio::sync::Semaphore;

use crate::backend::Backend;
use crate::backend::eager::Eager;
#[cfg(feature = "google")]
use crate::backend::google::{Google, PubSubAccess, QueueAccess, SchedulerAccess};
#[cfg(feature = "local")]
use crate::backend::local::{Clock, LocalEngine};
use crate::backend::recorder::Recorder;
use crate::config::Config;
use crate::error::{Error, ErrorKind};
use crate::names;
use crate::queue::QueueSettings;
use crate::registry::{self, Registration, Registry};
use crate::runtime::{Inner, Runtime};
use crate::service::limit::Limit;
use crate::state::States;
use crate::task::Registered;
use crate::verify::Access;
#[cfg(feature = "google")]
use crate::verify::Callers;

/// Cloud Tasks sends at most 1 MiB, headers and all.
const MAX_BODY_BYTES: usize = 1024 * 1024;
/// Pub/Sub pushes messages of 10 MB, in base64 and with their attributes.
const MAX_PUSH_BYTES: usize = 14 * 1024 * 1024;

/// Collects what a [`Runtime`] is made of; `build()` checks all of it at once.
///
/// `M` is where tasks go: what the settings say ([`Configured`]), this process ([`InProcess`]), a record
/// ([`Recorded`]) or the local engine ([`Embedded`]).
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

/// Tasks go where the settings say: to Google, to an emulator, or nowhere with `EAGER`.
#[derive(Default)]
pub struct Configured {
    backend: Option<Arc<dyn Backend>>,
    #[cfg(feature = "google")]
    callers: Callers,
    trust: Trust,
    #[cfg(feature = "google")]
    google: Google,
}

/// What a user said of callers that show no token of their own.
#[derive(Clone, Copy, Default, PartialEq)]
enum Trust {
    #[default]
    Verified,
    #[cfg(feature = "google")]
    Platform,
    Anybody,
}

impl fmt::Debug for Configured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Configured").finish_non_exhaustive()
    }
}

/// Tasks run in this process, at once.
#[derive(Debug)]
pub struct InProcess;

/// Tasks are recorded, and run when a test says so.
#[derive(Debug)]
pub struct Recorded;

/// Tasks go to a local engine that belongs to this process.
#[cfg(feature = "local")]
pub struct Embedded {
    clock: Clock,
}

#[cfg(feature = "local")]
impl fmt::Debug for Embedded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Embedded").finish_non_exhaustive()
    }
}

struct Parts {
    config: Config,
    /// How set-up reaches Pub/Sub.
    #[cfg(feature = "google")]
    pubsub: Option<PubSubAccess>,
    #[cfg(feature = "google")]
    queue_access: Option<QueueAccess>,
    #[cfg(feature = "google")]
    scheduler: Option<SchedulerAccess>,
    queues: Vec<QueueSettings>,
    states: States,
    registered: Vec<Registration>,
    expected: BTreeSet<String>,
    unsigned_pushes: bool,
    max_concurrency: Option<usize>,
    max_body_bytes: usize,
    max_push_bytes: usize,
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
        RuntimeBuilder::with_mode(InProcess)
    }

    /// Starts a runtime that records what is enqueued; `build()` gives the [`Recorder`] too.
    pub fn recorded() -> RuntimeBuilder<Recorded> {
        RuntimeBuilder::with_mode(Recorded)
    }

    /// Starts a runtime with a Cloud Tasks and a Pub/Sub of its own in this process; `build()` gives the [`LocalEngine`]
    /// too.
    ///
    /// Tasks come back over HTTP to the endpoint of the settings, and messages to the subscriptions of the runtime, so
    /// something must serve it.
    #[cfg(feature = "local")]
    #[cfg_attr(docsrs, doc(cfg(feature = "local")))]
    pub fn local() -> RuntimeBuilder<Embedded> {
        RuntimeBuilder::with_mode(Embedded {
            clock: Arc::new(SystemTime::now),
        })
    }
}

impl<M> RuntimeBuilder<M> {
    fn with_mode(mode: M) -> Self {
        Self {
            mode,
            parts: Parts {
                config: Config::default(),
                #[cfg(feature = "google")]
                pubsub: None,
                #[cfg(feature = "google")]
                queue_access: None,
                #[cfg(feature = "google")]
                scheduler: None,
                queues: Vec::new(),
                states: States::default(),
                registered: Vec::new(),
                expected: BTreeSet::new(),
                unsigned_pushes: false,
                max_concurrency: None,
                max_body_bytes: MAX_BODY_BYTES,
                max_push_bytes: MAX_PUSH_BYTES,
            },
        }
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
        self.parts.registered.push(T::REGISTRATION);
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

impl RuntimeBuilder<Configured> {
    /// Sends tasks to a backend of your own.
    pub fn backend(mut self, backend: impl Backend) -> Self {
        self.mode.backend = Some(Arc::new(backend));
        self
    }

    /// Sets how Google Cloud Tasks is called: credentials, endpoint, calls in flight, time limits.
    #[cfg(feature = "google")]
    #[cfg_attr(docsrs, doc(cfg(feature = "google")))]
    pub fn google(mut self, google: Google) -> Self {
        self.mode.google = google;
        self
    }

    /// Sets who may call, where the default does not fit.
    #[cfg(feature = "google")]
    #[cfg_attr(docsrs, doc(cfg(feature = "google")))]
    pub fn callers(mut self, callers: Callers) -> Self {
        self.mode.callers = callers;
        self
    }

    /// Runs tasks and takes messages for anybody who calls, without a token.
    ///
    /// For a service that only machines of your own can reach, or whose callers something in front of it verifies. For
    /// Cloud Run's own check there is [`trust_platform`](Self::trust_platform), which still looks at who calls.
    pub fn allow_unauthenticated(mut self) -> Self {
        self.mode.trust = Trust::Anybody;
        self
    }

    /// Believes the platform in front of this service that it checked the signatures of tokens, and took them away.
    ///
    /// Cloud Run does so for a service that requires authentication (IAM): the token arrives with
    /// `SIGNATURE_REMOVED_BY_GOOGLE` in the place of its signature. All that it says is checked still: issuer, audience,
    /// times, account. A token that has its signature is checked in full. Where no such platform stands in front, this
    /// lets in whoever writes a token by hand.
    #[cfg(feature = "google")]
    #[cfg_attr(docsrs, doc(cfg(feature = "google")))]
    pub fn trust_platform(mut self) -> Self {
        self.mode.trust = Trust::Platform;
        self
    }

    /// Checks everything and builds the runtime.
    ///
    /// # Errors
    ///
    /// With all that is wrong at once. Nothing was sent, and nothing keeps running.
    #[cfg_attr(
        not(feature = "google"),
        expect(clippy::unused_async, reason = "every `build()` is awaited")
    )]
    pub async fn build(self) -> Result<Runtime, Error> {
        let Self { mode, parts } = self;
        #[cfg(feature = "google")]
        let mut parts = parts;
        let mut mistakes = Vec::new();
        let eager = parts.config.eager && mode.backend.is_none();
        let backend: Option<Arc<dyn Backend>> = match mode.backend {
            Some(backend) => Some(backend),
            None if eager => Some(Arc::new(Eager)),
            #[cfg(feature = "google")]
            None => match mode.google.connect(&mut parts.config).await {
                Ok(backend) => {
                    parts.pubsub = backend.pubsub_access().cloned();
                    parts.queue_access = Some(backend.queues.clone());
                    parts.scheduler.clone_from(&backend.scheduler);
                    Some(Arc::new(backend))
                }
                Err(found) => {
                    mistakes.extend(found);
                    None
                }
            },
            #[cfg(not(feature = "google"))]
            None => {
                mistakes.push(
                    "there is no backend: enable the feature `google`, set CLOUD_TASKS_EAGER, or name a `.backend(..)`"
                        .to_owned(),
                );
                None
            }
        };
        let access = access(
            mode.trust,
            #[cfg(feature = "google")]
            mode.callers,
            &parts.config,
        );
        let access = match access {
            Ok(access) => access,
            // Its tasks do not come back, so nobody needs to get in.
            Err(_) if eager => Access::nobody(),
            // What there is no account for was said already.
            Err(_) if backend.is_none() => Access::nobody(),
            Err(found) => {
                mistakes.extend(found);
                Access::nobody()
            }
        };
        parts.finish(backend, access, !eager, mistakes)
    }
}

impl RuntimeBuilder<InProcess> {
    /// Checks everything but missing states, and builds the runtime.
    ///
    /// # Errors
    ///
    /// With all that is wrong at once.
    #[expect(
        clippy::unused_async,
        reason = "every `build()` is awaited, whatever the mode"
    )]
    pub async fn build(self) -> Result<Runtime, Error> {
        self.parts
            .finish(Some(Arc::new(Eager)), Access::anybody(), false, Vec::new())
    }
}

impl RuntimeBuilder<Recorded> {
    /// Checks everything but missing states, and builds the runtime and its recorder.
    ///
    /// # Errors
    ///
    /// With all that is wrong at once.
    #[expect(
        clippy::unused_async,
        reason = "every `build()` is awaited, whatever the mode"
    )]
    pub async fn build(self) -> Result<(Runtime, Recorder), Error> {
        let recorder = Recorder::new();
        let backend = Arc::new(recorder.backend());
        let runtime = self
            .parts
            .finish(Some(backend), Access::anybody(), false, Vec::new())?;
        Ok((runtime.clone(), recorder.with_runtime(runtime)))
    }
}

#[cfg(feature = "local")]
impl RuntimeBuilder<Embedded> {
    /// Sets the clock that schedules go by, so that a test need not wait for midnight; that of the machine, unless set.
    ///
    /// It is looked at about once a second, and when the next schedule is due by it. Everything else keeps the real time:
    /// delayed tasks, retries, deadlines and tokens.
    ///
    /// ```no_run
    /// use std::time::{Duration, SystemTime};
    /// use cloud_tasks::Runtime;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), cloud_tasks::Error> {
    /// let tomorrow = || SystemTime::now() + Duration::from_secs(24 * 60 * 60);
    /// let (runtime, engine) = Runtime::local().clock(tomorrow).build().await?;
    /// # let _ = (runtime, engine);
    /// # Ok(())
    /// # }
    /// ```
    pub fn clock(mut self, now: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        self.mode.clock = Arc::new(now);
        self
    }

    /// Checks everything, starts the engine, and builds the runtime.
    ///
    /// # Errors
    ///
    /// With all that is wrong at once, or when the engine cannot listen on a loopback port. Nothing keeps running.
    pub async fn build(self) -> Result<(Runtime, LocalEngine), Error> {
        let Self { mode, mut parts } = self;
        let (engine, backend) = LocalEngine::start(&mut parts.config, mode.clock).await?;
        parts.pubsub = PubSubAccess::emulator(&parts.config);
        parts.queue_access = Some(backend.queue_access());
        let access = engine
            .callers()
            .verifier(&parts.config, false)
            .map(Access::verified);
        let access = access.map_err(|mistakes| Error::new(ErrorKind::Build, list(&mistakes)))?;
        let runtime = parts.finish(Some(Arc::new(backend)), access, true, Vec::new())?;
        engine.subscribe(runtime.subscriptions());
        engine.schedule(runtime.schedules());
        Ok((runtime, engine))
    }
}

impl Parts {
    /// Puts the runtime together, or names everything that is wrong.
    fn finish(
        self,
        backend: Option<Arc<dyn Backend>>,
        access: Access,
        strict: bool,
        mut mistakes: Vec<String>,
    ) -> Result<Runtime, Error> {
        mistakes.extend(self.config.mistakes());
        mistakes.extend(self.queues.iter().flat_map(QueueSettings::mistakes));
        mistakes.extend(
            names::queue_mistake(self.config.default_queue())
                .map(|mistake| format!("{mistake} (the default queue is the application's name)")),
        );
        // The linker's order is no order: the same mistakes must read the same in every build.
        let mut registrations: Vec<_> = registry::linked().chain(self.registered).collect();
        registrations.sort_by_key(|registration| (registration.name, registration.location));
        let (registry, found) = Registry::new(registrations, &self.states, &self.config);
        mistakes.extend(found);
        for name in &self.expected {
            if registry.by_name(name).is_none() {
                mistakes.push(format!(
                    "the task {name:?} is expected but not registered: its crate was not linked, or it has another name; \
                     `use the_crate as _;` in the binary makes the linker keep a crate"
                ));
            }
        }
        if strict {
            for (state, tasks) in registry.missing_states() {
                mistakes.push(format!(
                    "no state of type `{state}` was given, which {} needs: add `.state(..)`",
                    tasks.join(", ")
                ));
            }
        }
        if strict && !self.unsigned_pushes && !access.is_open() {
            for subscription in registry
                .subscriptions()
                .iter()
                .filter(|subscription| !subscription.oidc)
            {
                mistakes.push(format!(
                    "the pushes to {} carry no token, since it says `oidc = false`, and would all be refused: take that \
                     away, or take messages from anybody with `.allow_unsigned_pushes()`",
                    subscription.task
                ));
            }
        }
        if strict && !access.is_open() {
            for schedule in registry.schedules().iter().filter(|schedule| !schedule.oidc) {
                mistakes.push(format!(
                    "the scheduled requests to {} carry no token, since it says `oidc = false`, and would all be refused: \
                     take that away",
                    schedule.task
                ));
            }
        }
        if self.unsigned_pushes {
            tracing::warn!(
                "pushes are not verified: `allow_unsigned_pushes()` takes messages from everybody"
            );
        } else if self.config.pubsub_emulator_host.is_some() && !access.is_open() {
            tracing::warn!(
                "the Pub/Sub emulator of PUBSUB_EMULATOR_HOST sends no token, so its pushes are refused; \
                 `allow_unsigned_pushes()` takes them"
            );
        }
        match backend {
            Some(backend) if mistakes.is_empty() => Ok(Runtime::new(Inner {
                propagated: self
                    .config
                    .propagated_headers
                    .iter()
                    .filter_map(|name| name.parse::<HeaderName>().ok())
                    .collect(),
                base_path: self.config.base_path(),
                config: self.config,
                registry,
                backend,
                #[cfg(feature = "google")]
                pubsub: self.pubsub,
                #[cfg(feature = "google")]
                queue_access: self.queue_access,
                #[cfg(feature = "google")]
                scheduler: self.scheduler,
                #[cfg(feature = "google")]
                queues: self.queues,
                limit: self.max_concurrency.map(Limit::new),
                access: access.with_unsigned_pushes(self.unsigned_pushes),
                max_body_bytes: self.max_body_bytes,
                max_push_bytes: self.max_push_bytes,
            })),
            _ => Err(Error::new(ErrorKind::Build, list(&mistakes))),
        }
    }
}

/// Who may call, as the user said and else as it is safe.
fn access(
    trust: Trust,
    #[cfg(feature = "google")] callers: Callers,
    #[cfg_attr(not(feature = "google"), expect(unused_variables))] config: &Config,
) -> Result<Access, Vec<String>> {
    if trust == Trust::Anybody {
        tracing::warn!("callers are not verified: `allow_unauthenticated()` lets everybody run tasks");
        return Ok(Access::anybody());
    }
    #[cfg(feature = "google")]
    return callers
        .verifier(config, trust == Trust::Platform)
        .map(Access::verified);
    #[cfg(not(feature = "google"))]
    Err(vec![
        "callers cannot be verified without the feature `google`: enable it, or let everybody in with \
         `.allow_unauthenticated()`"
            .to_owned(),
    ])
}

fn list(mistakes: &[String]) -> String {
    match mistakes {
        [mistake] => format!("the runtime was not built: {mistake}"),
        _ => format!(
            "the runtime was not built, for {} reasons:\n- {}",
            mistakes.len(),
            mistakes.join("\n- ")
        ),
    }
}

impl<M> fmt::Debug for RuntimeBuilder<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RuntimeBuilder")
            .field("config", &self.parts.config)
            .finish_non_exhaustive()
    }
}
