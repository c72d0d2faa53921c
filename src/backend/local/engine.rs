//! The local engine: the emulator and the relay on a thread of their own, and their handle.

use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Request, StatusCode};
use tokio::runtime::{self, Handle};
use tokio::sync::oneshot;
use uuid::Uuid;

use crate::auth::TrustedCallers;
use crate::backend::google::{Google, PubSubAccess};
use crate::backend::local::backend::LocalBackend;
use crate::backend::local::emulator::Emulator;
use crate::backend::local::guard;
use crate::backend::local::instance::{Instance, answers_as};
use crate::backend::local::pubsub::PubSub;
use crate::backend::local::relay::{self, Relay};
use crate::backend::local::scheduler::Scheduler;
use crate::backend::{Services, relay_url};
use crate::base::http_client::{Connections, HttpClient};
use crate::base::limits::INDEFINITELY;
use crate::base::text::error_chain;
use crate::base::{BoxError, Clock, Config, Error, ErrorKind, Invalid};
use crate::registry::Role;
use crate::registry::dead_letter::DeadLetters;
use crate::registry::schedule::Schedule;
use crate::registry::subscription::Subscription;

/// Cloud Tasks, Pub/Sub and a scheduler in this process, on loopback ports, with real queues, schedules, retries,
/// deadlines and signed tokens.
///
/// Built by [`Runtime::local`](crate::Runtime::local). A queue is created when its first task arrives. When the engine
/// stops, everything that has not run is lost. It uses the `cloud-tasks-emulator` crate, through the client that also
/// calls Google. The emulator ignores `Retry-After`.
///
/// The emulator prints a line to standard error for each attempt, such as `projects/p/locations/l/queues/q/tasks/7
/// http://127.0.0.1:4000/..: 200`. It has no setting that turns this off, and the lines do not go through `tracing`. The library
/// logs the attempts itself, with their tasks and durations.
///
/// ```no_run
/// use cloud_tasks::{Config, Runtime};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let listener = tokio::net::TcpListener::bind("127.0.0.1:8080").await?;
/// let config = Config::from_env()?.with_endpoint("http://127.0.0.1:8080");
/// let (runtime, engine) = Runtime::local().config(config).build().await?;
/// axum::serve(listener, axum::Router::new().layer(runtime.layer())).await?;
/// engine.stop().await;
/// # Ok(())
/// # }
/// ```
///
/// A success that does not come from this library, such as that of a page that answers every path, ends a task as it does
/// on Google Cloud, and is logged as a warning. To see the responses, tasks with `http` URLs are called through a relay
/// of the engine, which appears in the URLs that the emulator prints.
///
/// Commands in another process find it by a file, once this process has made its layer or service: see the [operations
/// guide](crate::guide::operations).
///
/// Web pages cannot use it: a request with an `Origin` header, with a `Host` that is not a loopback name, or of a form is refused.
/// Other programs on this machine can.
///
/// # Messages
///
/// A published message is pushed over HTTP to each [subscription of the runtime](crate::Runtime::subscriptions) with
/// its topic and a matching filter. The push is like that of the real service: wrapped, within the ack deadline, and
/// with a token that is signed with the same key as those of tasks (unless `oidc` is off). Without a subscription a
/// message is dropped, except the records of [dead tasks](crate::Runtime::dead_tasks).
///
/// * It is pushed again until it is acknowledged, with a backoff that doubles from `min_backoff` to `max_backoff`. The
///   defaults are 0.1 and 10 seconds instead of the service's, which would keep a developer waiting. If only
///   `min_backoff` is set, `max_backoff` is at least as long.
/// * With a dead-letter topic it has the number of its delivery. When the last of `max_retries` (by default 5) fails,
///   it is published to that topic, with the `CloudPubSubDeadLetterSource..` attributes of the real service.
/// * With `ordering`, messages with the same ordering key are delivered one after the other. A failed one blocks its
///   key until it is acknowledged or goes to the dead-letter topic.
/// * Only `http` URLs are called. Retention and expiration do not apply: a message waits as long as the engine runs.
///
/// With `PUBSUB_EMULATOR_HOST` in the settings none of this applies: messages go to that emulator.
///
/// # Schedules
///
/// The [schedules of the runtime](crate::Runtime::schedules) run when they are due, while the engine is alive, with the
/// headers of Cloud Scheduler and a token like that of tasks. [`run_schedule`](Self::run_schedule) runs one now.
///
/// * A failed run is retried as often as the schedule says, but not beyond the next time it is due. The default backoff
///   is 0.1 to 10 seconds, instead of the service's 5 seconds to 1 hour.
/// * If a schedule is due several times while the machine sleeps, it runs once afterwards. A run does not start before
///   the attempt in progress has ended.
/// * An interval such as `every 5 minutes` counts from when the last run was due, not from its end.
pub struct LocalEngine {
    address: SocketAddr,
    location: String,
    pubsub: Arc<PubSub>,
    scheduler: Arc<Scheduler>,
    instance: Arc<Instance>,
    /// The engine's own tokio runtime.
    handle: Handle,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl LocalEngine {
    /// Starts an engine, and changes the settings to use it.
    pub(crate) async fn start(config: &mut Config, clock: Clock) -> Result<(Self, LocalBackend), Error> {
        let listener = listen_for_calls(config.local_engine_port()).await?;
        let relay_listener = listen()?;
        let emulated = listen_apart()?;
        let address = address(&listener)?;
        *config = config.clone().with_cloud_tasks_emulator_host(address.to_string());
        let mut google = Google::new()
            .connect(config, Role::Runs)
            .await
            .map_err(|errors| {
                Error::new(
                    ErrorKind::Build,
                    format!("the runtime was not built: {}", Invalid::join(&errors)),
                )
            })?;
        let emulator = Arc::new(Emulator {
            http: HttpClient::plain(Connections::Pooled),
            url: format!("http://{address}"),
            account: google.target.service_account().to_owned(),
            audience: config.base_url().to_owned(),
        });
        let relay_base = format!("http://{}", self::address(&relay_listener)?);
        // Only the emulator is to call tasks through the relay.
        let secret = Uuid::new_v4().simple().to_string();
        google
            .target
            .set_relay(format!("{relay_base}{}{secret}", relay_url::PATH));
        let project = config.project().unwrap_or_default().to_owned();
        let scheduler = Scheduler::new(Arc::clone(&emulator), relay_base.clone(), &project, clock);
        let scheduler = Arc::new(scheduler);
        let pubsub = Arc::new(PubSub::new(Arc::clone(&emulator), relay_base, project));

        let instance = Arc::new(Instance::new(address, config));
        let id = HeaderValue::from_str(&instance.id).map_err(|error| failed(io::Error::other(error)))?;
        let (stop, stopped) = oneshot::channel();
        let (started, handle) = oneshot::channel();
        let relay = Relay {
            emulator,
            secret,
            pubsub: Arc::clone(&pubsub),
            scheduler: Arc::clone(&scheduler),
        };
        let thread = thread::Builder::new()
            .name("cloud-tasks-engine".into())
            .spawn(move || run([listener, emulated, relay_listener], id, relay, started, stopped))
            .map_err(failed)?;
        // If this fails, the thread has ended.
        let handle = handle
            .await
            .unwrap_or_else(|_| Err(io::Error::other("its thread ended")))
            .map_err(failed)?;
        let engine = Self {
            address,
            location: google.target.location().to_owned(),
            pubsub: Arc::clone(&pubsub),
            scheduler,
            instance: Arc::clone(&instance),
            handle: handle.clone(),
            stop: Some(stop),
            thread: Some(thread),
        };
        let pubsub = config.pubsub_emulator_host().is_none().then_some(pubsub);
        Ok((engine, LocalBackend::new(google, pubsub, handle, instance)))
    }

    /// The same callers, whose tokens the engine signs.
    pub(crate) fn sign_for(&self, callers: TrustedCallers) -> TrustedCallers {
        callers.issuer(self.url(), format!("{}/jwks", self.url()))
    }

    /// Delivers messages to these subscriptions.
    pub(crate) fn subscribe(&self, subscriptions: &[Subscription]) {
        self.pubsub.subscribe(subscriptions);
    }

    /// Keeps the dead tasks of these topics, unless they go to a Pub/Sub emulator.
    pub(crate) fn capture_dead(&self, letters: &[DeadLetters]) {
        self.pubsub.dead_letters.capture(letters);
    }

    /// The services of the engine, for set-up and administration: its queues, and the Pub/Sub emulator of the settings
    /// or its own dead letters.
    pub(crate) fn services(&self, backend: &LocalBackend, config: &Config) -> Services {
        Services::new(PubSubAccess::emulator(config), backend.queue_access(), None)
            .or_dead_letters(self.pubsub.dead_letters.clone())
            .with_local_engine(Arc::clone(&self.instance))
    }

    /// Runs these schedules when they are due.
    pub(crate) fn schedule(&self, schedules: &[Schedule]) {
        self.scheduler.add(schedules);
    }

    /// The URL of the API. It is also the issuer of the engine's tokens; their keys are at `/jwks`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Waits until a queue is empty: every task has run or was given up. Waits forever if a task keeps failing.
    ///
    /// # Errors
    ///
    /// If the engine does not respond.
    pub async fn wait_idle(&self, queue: &str) -> Result<(), BoxError> {
        self.wait_idle_in(&self.location, queue).await
    }

    async fn wait_idle_in(&self, location: &str, queue: &str) -> Result<(), BoxError> {
        let url = format!("{}/emulator/{location}/queues/{queue}:waitIdle", self.url());
        let request = Request::get(url).body(Bytes::new())?;
        let http = HttpClient::plain(Connections::Closed).timeout(INDEFINITELY);
        match http.status(request).await? {
            // A queue that was never used is empty.
            StatusCode::NO_CONTENT | StatusCode::NOT_FOUND => Ok(()),
            status => Err(format!("the local engine answered {status}").into()),
        }
    }

    /// Waits until every published message was acknowledged or went to a dead-letter topic, including those dead
    /// letters. Waits forever if a message keeps failing.
    ///
    /// Tasks that will publish a message later do not count, nor do tasks that messages were forwarded to: see
    /// [`wait_idle`](Self::wait_idle) for their queues.
    ///
    /// # Errors
    ///
    /// If the engine has stopped by itself.
    pub async fn wait_delivered(&self) -> Result<(), BoxError> {
        if self.pubsub.unacked.none_left().await {
            Ok(())
        } else {
            Err("the local engine has stopped".into())
        }
    }

    /// Starts a run of a schedule now, like `gcloud scheduler jobs run`.
    ///
    /// `name` is the name of its task or of its job. [`wait_scheduled`](Self::wait_scheduled) waits for its end.
    ///
    /// ```no_run
    /// # async fn run(engine: cloud_tasks::backend::LocalEngine) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    /// engine.run_schedule("Digest").await?;
    /// engine.wait_scheduled().await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// If there is no such schedule, or if the engine has stopped by itself.
    pub async fn run_schedule(&self, name: &str) -> Result<(), BoxError> {
        let (scheduler, name) = (Arc::clone(&self.scheduler), name.to_owned());
        let started = self
            .handle
            .spawn(async move { scheduler.run_now(&name).await })
            .await;
        started.unwrap_or_else(|_| Err("the local engine has stopped".into()))
    }

    /// Waits until every started run of a schedule has succeeded or was given up.
    ///
    /// Tasks that those runs enqueued do not count: see [`wait_idle`](Self::wait_idle) for their queues.
    ///
    /// # Errors
    ///
    /// If the engine does not respond.
    pub async fn wait_scheduled(&self) -> Result<(), BoxError> {
        let (location, queues) = self.scheduler.queues();
        for queue in queues {
            self.wait_idle_in(location, queue).await?;
        }
        Ok(())
    }

    /// Stops the engine and waits for its end. Attempts and pushes in progress are cut off; waiting tasks and messages
    /// are lost.
    pub async fn stop(mut self) {
        self.signal();
        if let Some(thread) = self.thread.take() {
            // Only its end matters: a thread that panicked has ended too.
            let _ = tokio::task::spawn_blocking(move || thread.join()).await;
        }
    }

    fn signal(&mut self) {
        if let Some(stop) = self.stop.take() {
            self.instance.withdraw();
            // Fails if the engine has ended by itself.
            let _ = stop.send(());
        }
    }
}

impl Drop for LocalEngine {
    fn drop(&mut self) {
        self.signal();
    }
}

impl fmt::Debug for LocalEngine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalEngine")
            .field("url", &self.url())
            .finish_non_exhaustive()
    }
}

fn failed(error: io::Error) -> Error {
    Error::new(ErrorKind::Build, "the local engine did not start").with_source(error)
}

/// Listens at a random loopback address, if the system has more than one: only the guard is to find the emulator.
fn listen_apart() -> Result<TcpListener, Error> {
    let [a, b, c, ..] = Uuid::new_v4().into_bytes();
    let apart = Ipv4Addr::new(127, a, b, c.clamp(1, 254));
    match TcpListener::bind((apart, 0)) {
        Ok(listener) => {
            listener.set_nonblocking(true).map_err(failed)?;
            Ok(listener)
        }
        Err(_) => listen(),
    }
}

/// Listens at the port of the settings, if there is one. It may be taken by the same service: then a command runs, or a second
/// engine.
async fn listen_for_calls(port: Option<u16>) -> Result<TcpListener, Error> {
    let Some(port) = port else { return listen() };
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    match TcpListener::bind(address) {
        Ok(listener) => {
            listener.set_nonblocking(true).map_err(failed)?;
            Ok(listener)
        }
        Err(error) if error.kind() == io::ErrorKind::AddrInUse && answers_as(address).await.is_some() => {
            tracing::info!(
                port,
                "another local engine listens at this port, so this one chooses its own"
            );
            listen()
        }
        Err(error) => {
            let message = format!("the local engine did not start: it cannot listen at {address}");
            Err(Error::new(ErrorKind::Build, message).with_source(error))
        }
    }
}

fn listen() -> Result<TcpListener, Error> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(failed)?;
    listener.set_nonblocking(true).map_err(failed)?;
    Ok(listener)
}

fn address(listener: &TcpListener) -> Result<SocketAddr, Error> {
    listener.local_addr().map_err(failed)
}

/// Runs the engine on its own tokio runtime: the emulator spawns tasks that stop only when their runtime ends.
fn run(
    [listener, emulated, relay_listener]: [TcpListener; 3],
    id: HeaderValue,
    relay: Relay,
    started: oneshot::Sender<io::Result<Handle>>,
    stopped: oneshot::Receiver<()>,
) {
    let runtime = match runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            let _ = started.send(Err(error));
            return;
        }
    };
    // Fails if nobody waits for the engine any more; then its other end is dropped too.
    let _ = started.send(Ok(runtime.handle().clone()));
    let (pubsub, scheduler) = (Arc::clone(&relay.pubsub), Arc::clone(&relay.scheduler));
    let served: Result<(), BoxError> = runtime.block_on(async {
        let address = listener.local_addr()?;
        let listener = tokio::net::TcpListener::from_std(listener)?;
        let apart = emulated.local_addr()?;
        let emulated = tokio::net::TcpListener::from_std(emulated)?;
        let relay_listener = tokio::net::TcpListener::from_std(relay_listener)?;
        let serve = cloud_tasks_emulator::serve(emulated, format!("http://{address}"), Vec::new());
        tokio::select! {
            served = serve => served,
            never = guard::serve(listener, apart, Arc::clone(&pubsub), id) => match never {},
            never = relay::serve(relay_listener, relay) => match never {},
            never = scheduler.run() => match never {},
            _ = stopped => Ok(()),
        }
    });
    if let Err(error) = served {
        tracing::error!(error = %error_chain(&*error), "the local engine stopped");
    }
    pubsub.unacked.stop();
    runtime.shutdown_timeout(Duration::from_secs(1));
}
