//! The same seed is the same history.

use std::time::Duration;

use cloud_tasks::testing::simulation::Simulation;
use cloud_tasks::{Context, Runtime, Task, TaskResult, task};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct Work {
    number: u32,
}

#[task]
impl Task for Work {
    async fn run(self, _cx: Context) -> TaskResult {
        tokio::time::sleep(Duration::from_millis(u64::from(self.number))).await;
        Ok(())
    }
}

/// Runs each seed twice, with twenty tasks.
fn run_twice(seeds: u64) {
    let report = Simulation::new().seeds(seeds).twice().run(async |cloud| {
        let shop = cloud.service("shop", Runtime::simulated).instances(2);
        for number in 0..20 {
            let _ = shop.run(Work { number }.asap()).await;
        }
        cloud.settle().await;
        Ok(())
    });

    assert_eq!(report.seeds(), seeds);
    assert!(report.faults() > 100, "{report:?}");
}

#[test]
fn twenty_tasks_have_the_same_history_in_both_runs_of_a_seed() {
    run_twice(40);
}

#[test]
#[ignore = "takes a minute of a core: its figures are in RELIABILITY.md"]
fn a_thousand_seeds_have_the_same_history_in_both_runs() {
    run_twice(1_000);
}
