//! The rules of Cloud Scheduler. Source: `google/cloud/scheduler/v1/job.proto`.

use std::time::Duration;

use cloud_tasks::testing::simulation::Event;
use cloud_tasks::{Context, Task, TaskResult, task};
use serde::{Deserialize, Serialize};

use super::{Told, calm, pauses, runtime, seconds, times};

/// Fails always.
#[derive(Default, Serialize, Deserialize)]
struct RuleHourly;

#[task(every = "0 * * * *", schedule_max_retries = 4)]
impl Task for RuleHourly {
    async fn run(self, cx: Context<Told>) -> TaskResult {
        cx.state().note(cx.metadata());
        Err("it was told to")?
    }
}

/// Fails for longer than a minute.
#[derive(Default, Serialize, Deserialize)]
struct RuleMinutely;

#[task(every = "* * * * *", schedule_max_retries = 5)]
impl Task for RuleMinutely {
    async fn run(self, _cx: Context<Told>) -> TaskResult {
        Err("it was told to")?
    }
}

/// Its first two runs take longer than the time to the next.
#[derive(Default, Serialize, Deserialize)]
struct RuleSlow;

#[task(every = "*/2 * * * *")]
impl Task for RuleSlow {
    async fn run(self, cx: Context<Told>) -> TaskResult {
        cx.state().note(cx.metadata());
        let told = cx.state().all();
        let runs = told
            .iter()
            .filter(|run| run.job_name() == Some("RuleSlow"))
            .count();
        if runs <= 2 {
            tokio::time::sleep(Duration::from_secs(130)).await;
        }
        Ok(())
    }
}

#[test]
fn a_run_that_fails_is_retried_with_the_backoff_of_the_service_and_then_given_up() {
    let told = Told::default();

    let history = calm(async |cloud| {
        let state = told.clone();
        cloud.service("shop", move || runtime(&state)).run_schedules();
        cloud.run_for(Duration::from_secs(90 * 60)).await;
        Ok(())
    });

    assert_eq!(pauses(&history, "RuleHourly@1"), [5_000, 10_000, 20_000, 40_000]);
    assert_eq!(times(&history, "RuleHourly@1", Event::GivenUp).len(), 1);
    let runs: Vec<_> = told
        .all()
        .into_iter()
        .filter(|run| run.job_name() == Some("RuleHourly"))
        .collect();
    assert_eq!(runs.len(), 5);
    // All attempts of a run have the time at which it was due.
    assert!(
        runs.iter()
            .all(|run| run.schedule_time() == runs[0].schedule_time())
    );
}

#[test]
fn a_run_is_retried_until_it_is_due_the_next_time() {
    let history = calm(async |cloud| {
        let told = Told::default();
        cloud.service("shop", move || runtime(&told)).run_schedules();
        cloud.run_for(Duration::from_secs(150)).await;
        Ok(())
    });

    // 5, 10 and 20 seconds; the next pause of 40 seconds would end after the minute.
    let first = times(&history, "RuleMinutely@1", Event::Attempt);
    assert_eq!(seconds(&first), [0, 5, 15, 35]);
    let due: Vec<_> = (1..=2)
        .map(|number| times(&history, &format!("RuleMinutely@{number}"), Event::Due)[0])
        .collect();
    assert_eq!(due[1].saturating_sub(due[0]), Duration::from_secs(60));
}

#[test]
fn a_run_that_is_due_while_another_one_runs_is_delayed_and_not_left_out() {
    let told = Told::default();

    let history = calm(async |cloud| {
        let state = told.clone();
        cloud.service("shop", move || runtime(&state)).run_schedules();
        cloud.run_for(Duration::from_secs(8 * 60)).await;
        Ok(())
    });

    let starts: Vec<_> = (1..=3)
        .map(|number| times(&history, &format!("RuleSlow@{number}"), Event::Attempt)[0])
        .collect();
    assert_eq!(seconds(&starts), [0, 130, 260]);
    let runs = told.all();
    let due: Vec<_> = runs
        .iter()
        .filter(|run| run.job_name() == Some("RuleSlow"))
        .map(|run| run.schedule_time().unwrap())
        .collect();
    assert_eq!(due[1].duration_since(due[0]).unwrap(), Duration::from_secs(120));
    assert_eq!(due[2].duration_since(due[1]).unwrap(), Duration::from_secs(120));
}
