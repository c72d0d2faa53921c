//! The simulated cloud as a test sees it.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::time::{sleep, timeout};

use super::backend::Simulated;
use super::history::{Event, History};
use super::service::Service;
use super::world::World;
use crate::runtime::RuntimeBuilder;

/// How long a cloud may take to settle: longer than Cloud Tasks keeps a task.
const SETTLED: Duration = Duration::from_secs(62 * 24 * 60 * 60);

/// A simulated cloud: Cloud Tasks, Pub/Sub and Cloud Scheduler, and the services of a test.
///
/// Time is virtual: it goes on only when nothing is left to do, and then jumps to what comes next. See the
/// [module](crate::testing::simulation).
#[derive(Clone)]
pub struct Cloud {
    pub(super) world: Arc<World>,
}

impl Cloud {
    /// Adds a service. The function builds the runtime of each of its instances, so what they share, such as a database, is
    /// cloned into it.
    ///
    /// It starts when something first runs in the cloud. Its URL is `https://{name}.simulated`, unless its settings name one.
    ///
    /// ```
    /// # use cloud_tasks::{Context, Runtime, Task, TaskResult, task};
    /// # use serde::{Deserialize, Serialize};
    /// use cloud_tasks::testing::simulate;
    ///
    /// # #[derive(Serialize, Deserialize)]
    /// # struct ChargeSimulatedShop { invoice: u64 }
    /// # #[task]
    /// # impl Task for ChargeSimulatedShop {
    /// #     async fn run(self, _cx: Context) -> TaskResult { Ok(()) }
    /// # }
    /// simulate(10, async |cloud| {
    ///     let shop = cloud.service("shop", Runtime::simulated).instances(2);
    ///     shop.run(ChargeSimulatedShop { invoice: 7 }.asap()).await?;
    ///     cloud.settle().await;
    ///     Ok(())
    /// });
    /// ```
    pub fn service(
        &self,
        name: &str,
        runtime: impl Fn() -> RuntimeBuilder<Simulated> + Send + Sync + 'static,
    ) -> Service {
        Service::new(&self.world, name, runtime)
    }

    /// Waits until every task has run, has been given up, or is dead, every message is acknowledged or dead, and no scheduled
    /// run is under way.
    ///
    /// # Panics
    ///
    /// If that takes longer than 62 days of virtual time; the message names what is left.
    pub async fn settle(&self) {
        self.world.start_services().await;
        if timeout(SETTLED, self.world.all_ended()).await.is_err() {
            let mut left = self.world.waiting_tasks();
            left.extend(self.world.open_messages());
            panic!("the cloud has not settled in 62 days: {}", left.join(", "));
        }
    }

    /// Lets virtual time go on by this duration. What is due meanwhile happens.
    pub async fn run_for(&self, time: Duration) {
        self.world.start_services().await;
        sleep(time).await;
    }

    /// Returns the time of the cloud. Every simulation begins at the same time.
    pub fn now(&self) -> SystemTime {
        self.world.now()
    }

    /// Returns the seed.
    pub fn seed(&self) -> u64 {
        self.world.seed
    }

    /// Returns a random number, which depends on the seed.
    pub fn random(&self) -> u64 {
        self.world.random()
    }

    /// Adds a step to the history.
    pub fn note(&self, text: &str) {
        self.world.step("test", "", Event::Note, text);
    }

    /// Returns what has happened so far.
    pub fn history(&self) -> History {
        self.world.history()
    }
}

impl fmt::Debug for Cloud {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cloud")
            .field("seed", &self.world.seed)
            .field("now", &self.world.elapsed())
            .finish_non_exhaustive()
    }
}
