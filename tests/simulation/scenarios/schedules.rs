//! Periodic tasks.

use std::time::Duration;

use cloud_tasks::testing::simulation::{Cloud, Event};
use cloud_tasks::{BoxError, Context, Task, TaskResult, task};
use serde::{Deserialize, Serialize};

use super::idempotent::bank;
use super::ledger::{Ledger, call};

#[derive(Default, Serialize, Deserialize)]
struct Tick;

#[task(every = "every 5 minutes", schedule_max_retries = 5, idempotent)]
impl Task for Tick {
    async fn run(self, cx: Context<Ledger>) -> TaskResult {
        call().await;
        let due = cx.metadata().schedule_time();
        cx.state().add(&format!("tick {due:?}"));
        Ok(())
    }
}

/// Runs the schedules for an hour, and returns how many runs were due, and how many were acknowledged.
async fn run_for_an_hour(cloud: &Cloud, ledger: &Ledger) -> (usize, usize) {
    let _bank = bank(cloud, ledger).run_schedules();
    cloud.run_for(Duration::from_secs(61 * 60)).await;
    cloud.settle().await;
    let history = cloud.history();
    let count = |event| {
        let steps = history.steps().iter().filter(|step| step.event == event);
        let ticks = steps.filter(|step| step.subject.starts_with("Tick@"));
        ticks.filter(|step| step.place == "scheduler").count()
    };
    (count(Event::Due), count(Event::Acknowledged))
}

pub async fn a_due_run_of_an_idempotent_task_runs_once(cloud: Cloud) -> Result<(), BoxError> {
    let ledger = Ledger::default();

    let (_, acknowledged) = run_for_an_hour(&cloud, &ledger).await;

    ledger.check();
    ledger.check_once("tick");
    assert!(ledger.counts("tick").len() >= acknowledged);
    Ok(())
}

/// A run that is given up after its retries is missed; the next one is due at its time.
pub async fn a_schedule_goes_on_whatever_happens(cloud: Cloud) -> Result<(), BoxError> {
    let ledger = Ledger::default();

    let (due, acknowledged) = run_for_an_hour(&cloud, &ledger).await;

    // One that takes longer than until the next one, with its retries, delays that one.
    assert!((4..=12).contains(&due), "{due} runs were due");
    assert!(ledger.counts("tick").len() >= acknowledged);
    Ok(())
}
