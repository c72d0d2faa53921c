//! Handlers with a bug, which the simulator finds, and the same handlers without it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use cloud_tasks::runtime::idempotency::MemoryStore;
use cloud_tasks::testing::simulation::{Cloud, Failure, Simulation};
use cloud_tasks::{Context, Runtime, Task, TaskResult, task};
use serde::{Deserialize, Serialize};

/// What happened outside, such as at a bank: it stays when a process dies.
#[derive(Clone, Default)]
struct World(Arc<Mutex<BTreeMap<String, u32>>>);

impl World {
    fn add(&self, what: &str) -> u32 {
        let mut counts = self.0.lock().unwrap();
        let count = counts.entry(what.to_owned()).or_default();
        *count += 1;
        *count
    }

    fn count(&self, what: &str) -> u32 {
        self.0.lock().unwrap().get(what).copied().unwrap_or_default()
    }
}

/// A call to another service, which takes its time.
async fn call() {
    tokio::time::sleep(Duration::from_millis(20)).await;
}

/// The bug is found within 100 seeds, and its history is short.
#[track_caller]
fn assert_found<F>(test: F) -> Failure
where
    F: AsyncFn(Cloud) -> Result<(), Box<dyn std::error::Error + Send + Sync>>,
{
    let failure = *Simulation::new()
        .seeds(100)
        .explore(test)
        .expect_err("the bug was not found");
    println!("{failure}");
    let steps = failure.history().steps().len();
    assert!(steps <= 30, "{steps} steps: {failure}");
    failure
}

#[derive(Serialize, Deserialize)]
struct Charge {
    invoice: u64,
}

#[task]
impl Task for Charge {
    async fn run(self, cx: Context<World>) -> TaskResult {
        call().await;
        cx.state().add(&format!("charge {}", self.invoice));
        Ok(())
    }
}

#[test]
fn a_handler_without_idempotency_is_found() {
    assert_found(async |cloud| {
        let world = World::default();
        let state = world.clone();
        let shop = cloud
            .service("shop", move || Runtime::simulated().state(state.clone()))
            .instances(2);
        shop.run(Charge { invoice: 7 }.asap()).await?;
        cloud.settle().await;
        assert_eq!(world.count("charge 7"), 1);
        Ok(())
    });
}

/// The bank takes the invoice as the key of its own, and charges once.
#[derive(Serialize, Deserialize)]
struct ChargeByKey {
    invoice: u64,
}

#[task(idempotent)]
impl Task for ChargeByKey {
    async fn run(self, cx: Context<World>) -> TaskResult {
        call().await;
        if cx.state().count(&format!("charge {}", self.invoice)) == 0 {
            cx.state().add(&format!("charge {}", self.invoice));
        }
        Ok(())
    }
}

#[test]
fn a_handler_whose_effect_has_a_key_charges_once_in_every_history() {
    let report = Simulation::new().seeds(300).twice().run(async |cloud| {
        let (world, store) = (World::default(), MemoryStore::new());
        let state = world.clone();
        let shop = cloud
            .service("shop", move || {
                Runtime::simulated()
                    .state(state.clone())
                    .idempotency(store.clone())
            })
            .instances(2);
        shop.run(ChargeByKey { invoice: 7 }.asap()).await?;
        cloud.settle().await;
        assert_eq!(world.count("charge 7"), 1);
        Ok(())
    });

    assert!(report.faults() > 100, "{report:?}");
}
