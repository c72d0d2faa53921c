//! A service with its instances, which start, stop and die.

use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::backend::Simulated;
use super::delivery::hung_up;
use super::handler::run_request;
use super::instance::Instance;
use super::world::{World, lock};
use crate::registry::schedule::Schedule;
use crate::registry::subscription::Subscription;
use crate::runtime::{Runtime, RuntimeBuilder};
use crate::testing::simulation::Fault;

type Build = Box<dyn Fn() -> RuntimeBuilder<Simulated> + Send + Sync>;

/// How long an instance needs to start again, in milliseconds.
const RESTART: std::ops::Range<u64> = 500..5_000;

/// A service of a simulation; see [`Cloud::service`](super::Cloud::service).
#[derive(Clone)]
pub struct Service {
    pub(super) state: Arc<ServiceState>,
}

pub(super) struct ServiceState {
    pub name: String,
    world: Arc<World>,
    build: Build,
    settings: Mutex<Settings>,
    instances: Mutex<Vec<Arc<Instance>>>,
    /// The process of the test, which is never interrupted and serves nothing.
    outside: Mutex<Option<Arc<Instance>>>,
    /// The runtime that was built first. It says what the service has set up, also while no instance runs.
    first: Mutex<Option<Runtime>>,
    /// Until when its front answers for it.
    unavailable: Mutex<Option<Instant>>,
}

struct Settings {
    instances: usize,
    grace: Duration,
    schedules: bool,
}

impl Service {
    pub(super) fn new(
        world: &Arc<World>,
        name: &str,
        build: impl Fn() -> RuntimeBuilder<Simulated> + Send + Sync + 'static,
    ) -> Self {
        let state = Arc::new(ServiceState {
            name: name.to_owned(),
            world: Arc::clone(world),
            build: Box::new(build),
            settings: Mutex::new(Settings {
                instances: 1,
                grace: Duration::from_secs(10),
                schedules: false,
            }),
            instances: Mutex::default(),
            outside: Mutex::default(),
            first: Mutex::default(),
            unavailable: Mutex::default(),
        });
        lock(&world.services).push(Arc::clone(&state));
        Self { state }
    }

    /// Sets how many instances there are; default 1. One that ends is replaced some seconds later.
    pub fn instances(self, instances: usize) -> Self {
        lock(&self.state.settings).instances = instances;
        self
    }

    /// Sets the grace period between SIGTERM and SIGKILL; default 10 seconds.
    pub fn grace_period(self, grace: Duration) -> Self {
        lock(&self.state.settings).grace = grace;
        self
    }

    /// Runs the schedules of its periodic tasks, as Cloud Scheduler does. By default none run, because a test program contains
    /// those of all its tests.
    pub fn run_schedules(self) -> Self {
        lock(&self.state.settings).schedules = true;
        self
    }

    /// Runs a future with a runtime of this service, in a process that serves nothing and is never interrupted.
    ///
    /// # Panics
    ///
    /// If the runtime cannot be built; the message lists every error.
    pub async fn run<F: IntoFuture>(&self, future: F) -> F::Output {
        self.state.world.start_services().await;
        let (outside, runtime) = self.state.outside().await;
        outside.inside(runtime.scope(future)).await
    }

    /// Runs a future in one of the instances, as the code of a request of a user: it may be interrupted at each of its awaits,
    /// because its process dies or because its client hangs up.
    ///
    /// Returns `None` if that happened, or if no instance runs. Part of it may have happened then.
    ///
    /// ```
    /// # use cloud_tasks::{Context, Runtime, Task, TaskResult, task};
    /// # use serde::{Deserialize, Serialize};
    /// use cloud_tasks::testing::simulate;
    ///
    /// # #[derive(Serialize, Deserialize)]
    /// # struct ChargeRequestedShop { invoice: u64 }
    /// # #[task]
    /// # impl Task for ChargeRequestedShop {
    /// #     async fn run(self, _cx: Context) -> TaskResult { Ok(()) }
    /// # }
    /// simulate(10, async |cloud| {
    ///     let shop = cloud.service("shop", Runtime::simulated).instances(2);
    ///     let enqueued = shop.request(ChargeRequestedShop { invoice: 7 }.asap()).await;
    ///     if let Some(enqueued) = enqueued {
    ///         enqueued?;
    ///     }
    ///     Ok(())
    /// });
    /// ```
    pub async fn request<F>(&self, future: F) -> Option<F::Output>
    where
        F: IntoFuture<IntoFuture: Send + 'static, Output: Send + 'static> + 'static,
    {
        let world = &self.state.world;
        world.start_services().await;
        let subject = format!("request-{}", world.next_number("requests"));
        let instance = self.state.pick(&subject)?;
        let runtime = instance.runtime()?;
        let plan = world.plan(&subject, &subject);
        let run = run_request(&instance, &subject, plan.clone(), runtime.scope(future));
        let handling = instance.handle(run);
        let abort = handling.abort_handle();
        let ended = tokio::select! {
            biased;
            () = hung_up(plan.as_deref()) => None,
            ended = handling => ended.ok(),
        };
        abort.abort();
        ended
    }

    /// Returns the runtime in which [`run`](Self::run) runs.
    ///
    /// # Panics
    ///
    /// If it cannot be built; the message lists every error.
    pub async fn runtime(&self) -> Runtime {
        self.state.world.start_services().await;
        self.state.outside().await.1
    }

    /// Sends SIGTERM to an instance, if one runs. Its successor starts at once.
    pub fn stop_one(&self) {
        if let Some(instance) = self.state.pick_any("stop") {
            self.state.stop(instance);
        }
    }

    /// Sends SIGKILL to an instance, if one runs.
    pub fn kill_one(&self) {
        if let Some(instance) = self.state.pick_any("kill") {
            self.state.kill(&instance, "killed by the test");
        }
    }

    /// Changes the number of instances. Those that are too many get SIGTERM; those that are missing start now.
    pub async fn scale(&self, instances: usize) {
        let surplus = {
            lock(&self.state.settings).instances = instances;
            let running = lock(&self.state.instances);
            running.get(instances..).map(<[_]>::to_vec).unwrap_or_default()
        };
        for instance in surplus {
            self.state.stop(instance);
        }
        self.state.fill_up().await;
    }
}

impl ServiceState {
    /// Starts the instances that are missing.
    ///
    /// # Panics
    ///
    /// If a runtime cannot be built.
    pub async fn fill_up(self: &Arc<Self>) {
        while lock(&self.instances).len() < lock(&self.settings).instances {
            let number = self.world.next_number(&format!("instance of {}", self.name));
            let name = format!("{}/{number}", self.name);
            let skew = self.world.fault(Fault::ClockSkew, &name, "");
            let skew = skew.map_or(0, |mut details| details.i64(-5_000..=5_000));
            let instance = Instance::new(&self.world, name, skew);
            lock(&self.instances).push(Arc::clone(&instance));
            let runtime = self.built(&instance).await;
            if number == 1 && lock(&self.settings).schedules {
                self.world.start_schedules(self, runtime.schedules());
            }
            instance.start(runtime);
        }
    }

    async fn built(&self, instance: &Arc<Instance>) -> Runtime {
        let builder = (self.build)().change_mode(|mode| mode.run_in(self.name.clone(), Arc::clone(instance)));
        match instance.inside(builder.build()).await {
            Ok(runtime) => {
                lock(&self.first).get_or_insert_with(|| runtime.clone());
                runtime
            }
            Err(error) => panic!("the service {} cannot start: {error:#}", self.name),
        }
    }

    /// The process of the test.
    async fn outside(self: &Arc<Self>) -> (Arc<Instance>, Runtime) {
        let known = lock(&self.outside).clone();
        if let Some(outside) = known
            && let Some(runtime) = outside.runtime()
        {
            return (outside, runtime);
        }
        let outside = Instance::new(&self.world, format!("{} (test)", self.name), 0);
        let runtime = self.built(&outside).await;
        outside.keep(runtime.clone());
        *lock(&self.outside) = Some(Arc::clone(&outside));
        (outside, runtime)
    }

    /// The runtimes of its processes.
    pub fn runtimes(&self) -> Vec<Runtime> {
        let outside = lock(&self.outside).clone();
        let instances = lock(&self.instances).clone();
        let all = instances.into_iter().chain(outside);
        all.filter_map(|instance| instance.runtime()).collect()
    }

    /// A runtime with the settings of the service, if one was built.
    pub fn any_runtime(&self) -> Option<Runtime> {
        lock(&self.first).clone()
    }

    /// The URL that it is called at.
    pub fn is_at(&self, url: &str) -> bool {
        self.any_runtime().is_some_and(|runtime| {
            let base = runtime.config().base_url().trim_end_matches('/').to_owned();
            url.strip_prefix(&base).is_some_and(|rest| rest.starts_with('/'))
        })
    }

    /// The account that its tasks and pushes are signed as.
    pub fn account(&self) -> String {
        let runtime = self.any_runtime();
        let account = runtime
            .as_ref()
            .and_then(|runtime| runtime.config().service_account());
        account.unwrap_or_default().to_owned()
    }

    /// The audience of the tokens of its pushes and schedules.
    pub fn audience(&self) -> String {
        let runtime = self.any_runtime();
        runtime
            .map(|runtime| runtime.config().base_url().to_owned())
            .unwrap_or_default()
    }

    pub fn subscriptions(&self) -> Vec<Subscription> {
        self.any_runtime()
            .map(|runtime| runtime.subscriptions().to_vec())
            .unwrap_or_default()
    }

    /// An instance that accepts requests.
    pub fn pick(&self, place: &str) -> Option<Arc<Instance>> {
        let instances = lock(&self.instances);
        let mut running: Vec<_> = instances.iter().filter(|instance| instance.accepts()).collect();
        if running.is_empty() {
            return None;
        }
        let number = self.world.number_at(place, 0..running.len() as u64);
        Some(Arc::clone(
            running.swap_remove(usize::try_from(number).unwrap_or_default()),
        ))
    }

    /// An instance that runs, another one for each call.
    fn pick_any(&self, what: &str) -> Option<Arc<Instance>> {
        let number = self.world.next_number(&format!("{what} in {}", self.name));
        self.pick(&format!("{what} {number} by the test"))
    }

    /// Ends an instance without notice. Another one starts later.
    pub fn kill(self: &Arc<Self>, instance: &Arc<Instance>, why: &str) {
        if instance.has_ended() {
            return;
        }
        instance.kill(why);
        self.remove(instance);
        let pause = self.world.number_at(&instance.name, RESTART);
        let service = Arc::clone(self);
        tokio::spawn(async move {
            sleep(Duration::from_millis(pause)).await;
            service.fill_up().await;
        });
    }

    /// Stops an instance. Another one starts at once.
    pub fn stop(self: &Arc<Self>, instance: Arc<Instance>) {
        let grace = lock(&self.settings).grace;
        // What it still does, such as recording a dead task, belongs to the history.
        let open = self.world.begin();
        let service = Arc::clone(self);
        tokio::spawn(async move {
            let stopped = Arc::clone(&instance);
            let stopping = tokio::spawn(async move { stopped.stop(grace).await });
            service.remove(&instance);
            service.fill_up().await;
            let _ = stopping.await;
            drop(open);
        });
    }

    fn remove(&self, instance: &Arc<Instance>) {
        lock(&self.instances).retain(|other| !Arc::ptr_eq(other, instance));
    }

    /// Makes its front answer for it for a time.
    pub fn make_unavailable(&self, time: Duration) {
        *lock(&self.unavailable) = Some(Instant::now() + time);
    }

    pub fn is_unavailable(&self) -> bool {
        lock(&self.unavailable).is_some_and(|end| Instant::now() < end)
    }

    /// Drops everything that knows the world.
    pub fn end(&self) {
        let instances = std::mem::take(&mut *lock(&self.instances));
        let outside = lock(&self.outside).take();
        let first = lock(&self.first).take();
        drop(first);
        for instance in instances.into_iter().chain(outside) {
            instance.drop_runtime();
        }
    }
}

impl World {
    /// Starts what has not started of all services.
    pub async fn start_services(self: &Arc<Self>) {
        let services = lock(&self.services).clone();
        for service in services {
            service.fill_up().await;
        }
    }

    pub fn service_at(&self, url: &str) -> Option<Arc<ServiceState>> {
        let services = lock(&self.services).clone();
        // By its name first: one that only enqueues has the endpoint of another, which runs its tasks.
        let host = url
            .strip_prefix("https://")
            .and_then(|rest| rest.split_once(".simulated/"));
        let named = host.and_then(|(name, _)| services.iter().find(|service| service.name == name));
        let found = named.or_else(|| services.iter().find(|service| service.is_at(url)));
        found.cloned()
    }

    /// The service of an instance.
    pub fn service_of(&self, instance: &Instance) -> Option<Arc<ServiceState>> {
        let name = instance.name.rsplit_once('/')?.0;
        let services = lock(&self.services);
        services.iter().find(|service| service.name == name).cloned()
    }

    fn start_schedules(self: &Arc<Self>, service: &Arc<ServiceState>, schedules: &[Schedule]) {
        for schedule in schedules {
            super::scheduler::start(self, service, schedule);
        }
    }
}

impl fmt::Debug for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Service")
            .field("name", &self.state.name)
            .finish_non_exhaustive()
    }
}
