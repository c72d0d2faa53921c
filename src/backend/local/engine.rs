//! The engine: the emulator and the relay on a thread of their own, and the handle on both.

use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::Empty;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use tokio::runtime::{self, Handle};
use tokio::sync::oneshot;

use crate::auth::TrustedCallers;
use crate::backend::Services;
use crate::backend::google::{Google, PubSubAccess};
use crate::backend::local::backend::LocalBackend;
use crate::backend::local::emulator::Emulator;
use crate::backend::local::pubsub::PubSub;
use crate::backend::local::relay;
use crate::backend::local::scheduler::Scheduler;
use crate::base::{BoxError, Clock, Config, Error, ErrorKind};
use crate::registry::dead_letter::DeadLetters;
use crate::registry::schedule::Schedule;
use crate::registry::subscription::Subscription;

/// A Cloud Tasks and a Pub/Sub in this process, on loopback ports: queues, schedules, retries, deadlines and signed tokens
/// for real.
///
/// Made by [`Runtime::local`](crate::Runtime::local). Queues are made when a task first goes to one. What was not run when
/// it stops is gone. It is the `cloud-tasks-emulator` crate behind the same client that calls Google; it prints a line to
/// standard error for every attempt, and does not heed `Retry-After`.
///
/// ```no_run
/// use cloud_tasks::{Config, Runtime};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let listener = tokio::net::TcpListener::bind("127.0.0.1:8080").await?;
/// let config = Config::from_env()?.endpoint("http://127.0.0.1:8080");
/// let (runtime, engine) = Runtime::local().config(config).build().await?;
/// axum::serve(listener, axum::Router::new().layer(runtime.layer())).await?;
/// engine.stop().await;
/// # Ok(())
/// # }
/// ```
///
/// # Messages
///
/// A message that is published is pushed over HTTP to [the subscriptions of the runtime](crate::Runtime::subscriptions)
/// that are of its topic and whose filter wants it, as the real service pushes: wrapped, with a token that is signed by the
/// same key as those of tasks (unless `oidc` is off), within the ack deadline. Where nobody subscribes it is dropped, but for
/// the records of [dead tasks](crate::Runtime::dead_tasks), which are kept.
///
/// * It is pushed again until it is acknowledged, after pauses that double from `min_backoff` to `max_backoff`. Where they
///   are left open, and the settings name none, these are 0.1 and 10 seconds, and not the service's own, which would keep
///   a developer waiting; a longest pause that is left open is never shorter than the shortest one that is given.
/// * With a dead-letter topic it carries the number of its delivery, and is published to that topic when the last of
///   `max_retries` (else 5) fails, with the `CloudPubSubDeadLetterSource..` attributes that the real service adds.
/// * With `ordering` the messages of one ordering key are delivered one after the other; one that fails holds up the rest
///   of its key until it is acknowledged or goes to the dead-letter topic.
/// * Only `http` URLs are called, and retention and expiration do not apply: a message waits as long as the engine runs.
///
/// With `PUBSUB_EMULATOR_HOST` in the settings nothing of this happens: messages go to that emulator.
///
/// # Schedules
///
/// [The schedules of the runtime](crate::Runtime::schedules) run at their times while the engine lives, with the headers of
/// Cloud Scheduler and a token as tasks have it; [`run_schedule`](Self::run_schedule) runs one now.
///
/// * A run that fails is tried again as often as the schedule says, but not beyond the next time that it is due. Pauses that
///   are left open are 0.1 to 10 seconds, and not the service's own 5 seconds to 1 hour.
/// * A time that passes while the machine sleeps is made up for once. A run does not begin before the attempt under way ends.
/// * An interval such as `every 5 minutes` counts from when the last run was due, and not from its end.
pub struct LocalEngine {
    address: SocketAddr,
    location: String,
    pubsub: Arc<PubSub>,
    scheduler: Arc<Scheduler>,
    /// The engine's own tokio.
    handle: Handle,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl LocalEngine {
    /// Starts an engine, and points the settings at it.
    pub(crate) async fn start(config: &mut Config, clock: Clock) -> Result<(Self, LocalBackend), Error> {
        let listener = listen()?;
        let relay = listen()?;
        let address = address(&listener)?;
        config.cloud_tasks_emulator_host = Some(address.to_string());
        let google = Google::new().connect(config).await.map_err(|mistakes| {
            Error::new(
                ErrorKind::Build,
                format!("the runtime was not built: {}", mistakes.join("; ")),
            )
        })?;
        let emulator = Arc::new(Emulator {
            http: Client::builder(TokioExecutor::new()).build_http(),
            url: format!("http://{address}"),
            account: google.target.service_account().to_owned(),
            audience: config.base_url().to_owned(),
        });
        let relay_url = format!("http://{}", self::address(&relay)?);
        let project = config.project.clone().unwrap_or_default();
        let scheduler = Scheduler::new(Arc::clone(&emulator), relay_url.clone(), &project, clock);
        let scheduler = Arc::new(scheduler);
        let pubsub = Arc::new(PubSub::new(emulator, relay_url, project));

        let (stop, stopped) = oneshot::channel();
        let (started, handle) = oneshot::channel();
        let of_thread = (Arc::clone(&pubsub), Arc::clone(&scheduler));
        let thread = thread::Builder::new()
            .name("cloud-tasks-engine".into())
            .spawn(move || run(listener, relay, of_thread, started, stopped))
            .map_err(failed)?;
        // Where it fails the thread has ended.
        let handle = handle
            .await
            .unwrap_or_else(|_| Err(io::Error::other("its thread ended")))
            .map_err(failed)?;
        let engine = Self {
            address,
            location: google.target.location().to_owned(),
            pubsub: Arc::clone(&pubsub),
            scheduler,
            handle: handle.clone(),
            stop: Some(stop),
            thread: Some(thread),
        };
        let pubsub = config.pubsub_emulator_host.is_none().then_some(pubsub);
        Ok((engine, LocalBackend::new(google, pubsub, handle)))
    }

    /// Those who may call: the engine itself.
    pub(crate) fn callers(&self) -> TrustedCallers {
        TrustedCallers::new().issuer(self.url(), format!("{}/jwks", self.url()))
    }

    /// Delivers messages to these subscriptions.
    pub(crate) fn subscribe(&self, subscriptions: &[Subscription]) {
        self.pubsub.subscribe(subscriptions);
    }

    /// Keeps the dead tasks that go to these topics, unless they go to a Pub/Sub emulator.
    pub(crate) fn keep_dead(&self, letters: &[DeadLetters]) {
        self.pubsub.kept.keep(letters);
    }

    /// How the engine is reached for other work than sending: its queues, and the Pub/Sub emulator of the settings or its
    /// own dead letters.
    pub(crate) fn services(&self, backend: &LocalBackend, config: &Config) -> Services {
        Services::new(PubSubAccess::emulator(config), backend.queue_access(), None)
            .or_dead_letters(self.pubsub.kept.clone())
    }

    /// Runs these schedules at their times.
    pub(crate) fn schedule(&self, schedules: &[Schedule]) {
        self.scheduler.add(schedules);
    }

    /// The URL of the API, which is the issuer of its tokens too; their keys are at `/jwks`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Waits until a queue holds no task: all ran, or were given up. Never, while one keeps failing.
    ///
    /// # Errors
    ///
    /// When the engine does not answer.
    pub async fn wait_idle(&self, queue: &str) -> Result<(), BoxError> {
        self.wait_idle_in(&self.location, queue).await
    }

    async fn wait_idle_in(&self, location: &str, queue: &str) -> Result<(), BoxError> {
        let url = format!("{}/emulator/{location}/queues/{queue}:waitIdle", self.url());
        let request = Request::get(url).body(Empty::<Bytes>::new())?;
        let response = Client::builder(TokioExecutor::new())
            .build_http()
            .request(request)
            .await?;
        match response.status() {
            // A queue that was never used holds nothing.
            StatusCode::NO_CONTENT | StatusCode::NOT_FOUND => Ok(()),
            status => Err(format!("the local engine answered {status}").into()),
        }
    }

    /// Waits until every message that was published is acknowledged or went to a dead-letter topic, and so did that dead
    /// letter. Never, while one keeps failing.
    ///
    /// What a publisher task has yet to publish does not count, nor do tasks that messages were forwarded to: see
    /// [`wait_idle`](Self::wait_idle) for their queues.
    ///
    /// # Errors
    ///
    /// When the engine has stopped by itself.
    pub async fn wait_delivered(&self) -> Result<(), BoxError> {
        if self.pubsub.outstanding.none_left().await {
            Ok(())
        } else {
            Err("the local engine has stopped".into())
        }
    }

    /// Starts a run of a schedule now, whenever it is due, as `gcloud scheduler jobs run` does.
    ///
    /// It is named by its task or by its job. [`wait_scheduled`](Self::wait_scheduled) waits for its end.
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
    /// When there is no such schedule, or when the engine has stopped by itself.
    pub async fn run_schedule(&self, name: &str) -> Result<(), BoxError> {
        let (scheduler, name) = (Arc::clone(&self.scheduler), name.to_owned());
        let started = self
            .handle
            .spawn(async move { scheduler.run_now(&name).await })
            .await;
        started.unwrap_or_else(|_| Err("the local engine has stopped".into()))
    }

    /// Waits until every run of a schedule that was started has succeeded or was given up.
    ///
    /// What those runs enqueued does not count: see [`wait_idle`](Self::wait_idle) for its queues.
    ///
    /// # Errors
    ///
    /// When the engine does not answer.
    pub async fn wait_scheduled(&self) -> Result<(), BoxError> {
        let (location, queues) = self.scheduler.queues();
        for queue in queues {
            self.wait_idle_in(location, queue).await?;
        }
        Ok(())
    }

    /// Stops the engine and waits for it; attempts and pushes under way are cut off, tasks and messages that wait are gone.
    pub async fn stop(mut self) {
        self.signal();
        if let Some(thread) = self.thread.take() {
            // Its end is all that is waited for: a thread that panicked has ended too.
            let _ = tokio::task::spawn_blocking(move || thread.join()).await;
        }
    }

    fn signal(&mut self) {
        if let Some(stop) = self.stop.take() {
            // Fails where the engine has ended by itself.
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

fn listen() -> Result<TcpListener, Error> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(failed)?;
    listener.set_nonblocking(true).map_err(failed)?;
    Ok(listener)
}

fn address(listener: &TcpListener) -> Result<SocketAddr, Error> {
    listener.local_addr().map_err(failed)
}

/// Runs the engine on a tokio of its own: the emulator spawns tasks that only the end of their runtime stops.
fn run(
    listener: TcpListener,
    relay: TcpListener,
    (pubsub, scheduler): (Arc<PubSub>, Arc<Scheduler>),
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
    // Fails where nobody waits for the engine any more, who has dropped its other end too.
    let _ = started.send(Ok(runtime.handle().clone()));
    let served: Result<(), BoxError> = runtime.block_on(async {
        let address = listener.local_addr()?;
        let listener = tokio::net::TcpListener::from_std(listener)?;
        let relay = tokio::net::TcpListener::from_std(relay)?;
        let serve = cloud_tasks_emulator::serve(listener, format!("http://{address}"), Vec::new());
        tokio::select! {
            served = serve => served,
            never = relay::serve(relay, Arc::clone(&pubsub), Arc::clone(&scheduler)) => match never {},
            never = scheduler.run() => match never {},
            _ = stopped => Ok(()),
        }
    });
    if let Err(error) = served {
        tracing::error!(error, "the local engine stopped");
    }
    pubsub.outstanding.stop();
    runtime.shutdown_timeout(Duration::from_secs(1));
}
