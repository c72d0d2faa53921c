//! An instance of a service: a process with a clock of its own, which can be stopped and killed.

use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use tokio::task::{AbortHandle, JoinHandle};
use tokio::time::{sleep, timeout};

use super::history::Event;
use super::world::{World, lock};
use crate::base::process::{Inside, Process};
use crate::runtime::Runtime;

/// The part of the grace period that is kept for what requests leave behind, as in `Runtime::serve`.
const REST: Duration = Duration::from_secs(1);

/// A process.
pub(super) struct Instance {
    pub name: String,
    pub world: Arc<World>,
    /// By how much its clock is ahead of the world's, in milliseconds; negative if it is behind.
    skew: i64,
    phase: Mutex<Phase>,
    futures: Mutex<Vec<AbortHandle>>,
    /// Those that handle requests.
    requests: Mutex<Vec<AbortHandle>>,
    runtime: Mutex<Option<Runtime>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Starting,
    Running,
    Stopping,
    Ended,
}

impl Instance {
    pub fn new(world: &Arc<World>, name: String, skew: i64) -> Arc<Self> {
        Arc::new(Self {
            name,
            world: Arc::clone(world),
            skew,
            phase: Mutex::new(Phase::Starting),
            futures: Mutex::default(),
            requests: Mutex::default(),
            runtime: Mutex::default(),
        })
    }

    /// It has started with this runtime.
    pub fn start(&self, runtime: Runtime) {
        *lock(&self.runtime) = Some(runtime);
        self.advance(Phase::Starting, Phase::Running);
        self.world.step(&self.name, "", Event::Started, "");
    }

    /// Keeps the runtime of a process that serves nothing.
    pub fn keep(&self, runtime: Runtime) {
        *lock(&self.runtime) = Some(runtime);
    }

    /// Drops the runtime, which knows this instance.
    pub fn drop_runtime(&self) {
        let runtime = lock(&self.runtime).take();
        drop(runtime);
    }

    fn advance(&self, from: Phase, to: Phase) -> bool {
        let mut phase = lock(&self.phase);
        let may = *phase == from;
        if may {
            *phase = to;
        }
        may
    }

    pub fn runtime(&self) -> Option<Runtime> {
        lock(&self.runtime).clone()
    }

    /// Whether it accepts requests.
    pub fn accepts(&self) -> bool {
        *lock(&self.phase) == Phase::Running
    }

    pub fn has_ended(&self) -> bool {
        *lock(&self.phase) == Phase::Ended
    }

    /// Waits for ever if it has ended: nothing that a process sends after its end arrives.
    pub async fn alive(&self) {
        if self.has_ended() {
            std::future::pending::<()>().await;
        }
    }

    /// Runs a future as code of this process, which ends with it.
    pub fn spawn<F>(self: &Arc<Self>, future: F) -> JoinHandle<F::Output>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        let spawned = tokio::spawn(self.inside(future));
        self.spawned(spawned.abort_handle());
        spawned
    }

    /// Runs a future that handles a request.
    pub fn handle<F>(self: &Arc<Self>, future: F) -> JoinHandle<F::Output>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        let request = self.spawn(future);
        let mut requests = lock(&self.requests);
        requests.retain(|request| !request.is_finished());
        requests.push(request.abort_handle());
        request
    }

    /// A future that runs as code of this process, in the task of its caller.
    pub fn inside<F>(self: &Arc<Self>, future: F) -> Inside<F> {
        Inside::new(Arc::clone(self) as _, future)
    }

    /// Ends it without notice: every future of it is dropped, and nothing that their destructors send goes out.
    pub fn kill(&self, why: &str) {
        let before = std::mem::replace(&mut *lock(&self.phase), Phase::Ended);
        if before == Phase::Ended {
            return;
        }
        self.world.step(&self.name, "", Event::Ended, why);
        for future in std::mem::take(&mut *lock(&self.futures)) {
            future.abort();
        }
        self.drop_runtime();
    }

    /// Ends it as SIGTERM does: no new requests, and a grace period for what has begun.
    pub async fn stop(&self, grace: Duration) {
        if !self.advance(Phase::Running, Phase::Stopping) {
            return;
        }
        let Some(runtime) = self.runtime() else {
            return;
        };
        self.world.step(
            &self.name,
            "",
            Event::Stopping,
            &format!("grace period {grace:?}"),
        );
        let rest = REST.min(grace / 10);
        sleep(grace.saturating_sub(rest)).await;
        // As `Runtime::serve` does with requests that are still running.
        self.cut_off();
        let _ = timeout(rest, runtime.all_spawned_ended()).await;
        let ended = async {
            runtime.flush_messages().await;
            runtime.own_work_ended().await;
        };
        let _ = timeout(grace.max(REST), ended).await;
        self.kill("stopped");
    }

    /// Drops requests that are running.
    fn cut_off(&self) {
        for request in std::mem::take(&mut *lock(&self.requests)) {
            request.abort();
        }
    }
}

impl Process for Instance {
    fn now(&self) -> SystemTime {
        let now = self.world.now();
        let skew = Duration::from_millis(self.skew.unsigned_abs());
        if self.skew < 0 { now - skew } else { now + skew }
    }

    fn random(&self) -> u64 {
        self.world.random()
    }

    fn spawned(&self, future: AbortHandle) {
        if self.has_ended() {
            future.abort();
            return;
        }
        let mut futures = lock(&self.futures);
        if futures.len() >= 64 {
            futures.retain(|future| !future.is_finished());
        }
        futures.push(future);
    }
}
