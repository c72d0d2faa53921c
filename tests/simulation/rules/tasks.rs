//! The rules of Cloud Tasks. Source of what was recorded: the transcripts of the real service in the crate
//! `cloud-tasks-emulator`, `tests/recordings`.

use std::time::Duration;

use cloud_tasks::queue::{QueueSettings, QueueState};
use cloud_tasks::testing::simulation::{Event, Simulation};
use cloud_tasks::{Context, Task, TaskResult, task};
use serde::{Deserialize, Serialize};

use super::{Told, calm, pauses, runtime, times};

const HOUR: Duration = Duration::from_secs(3600);

/// Fails in its first attempts, and then succeeds.
#[derive(Serialize, Deserialize)]
struct Failing {
    times: u32,
}

impl Failing {
    const ALWAYS: Self = Self { times: u32::MAX };
    const NEVER: Self = Self { times: 0 };
}

#[task(queue = "rules")]
impl Task for Failing {
    async fn run(self, cx: Context<Told>) -> TaskResult {
        cx.state().note(cx.metadata());
        // So that there is a moment in which it is in progress.
        tokio::time::sleep(Duration::from_secs(1)).await;
        if cx.metadata().attempt() <= self.times {
            Err("it was told to")?;
        }
        Ok(())
    }
}

/// Never ends.
#[derive(Serialize, Deserialize)]
struct Endless;

#[task(queue = "rules", timeout = "15s")]
impl Task for Endless {
    async fn run(self, cx: Context<Told>) -> TaskResult {
        cx.state().note(cx.metadata());
        if cx.metadata().attempt() == 1 {
            std::future::pending::<()>().await;
        }
        Ok(())
    }
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[test]
fn a_task_is_given_up_after_as_many_attempts_as_recorded() {
    // `retries_stop_at_max_attempts`, `retries_stop_at_max_retry_duration`, `retries_stop_once_both_limits_pass`. Here each attempt
    // takes a second, which the durations contain.
    for (attempts, duration, backoff, expected) in [
        (3, 0, 1, 3),
        (-1, 6, 2, 3),
        (2, 6, 2, 3),
        (4, 2, 1, 4),
        (1, 0, 1, 1),
    ] {
        let settings = QueueSettings::new("rules")
            .with_max_attempts(attempts)
            .with_max_retry_duration(seconds(duration))
            .with_min_backoff(seconds(backoff))
            .with_max_backoff(seconds(backoff));
        let told = Told::default();

        let history = calm(async |cloud| {
            let (told, settings) = (told.clone(), settings.clone());
            let shop = cloud.service("shop", move || runtime(&told).queue(settings.clone()));
            shop.run(Failing::ALWAYS.asap()).await?;
            Ok(())
        });

        assert_eq!(told.all().len(), expected, "{settings:?}");
        assert_eq!(history.count(Event::GivenUp), 1, "{settings:?}");
    }
}

#[test]
fn the_pauses_between_attempts_double_and_then_grow_as_recorded() {
    // `retries_back_off_exponentially_then_linearly`.
    let settings = QueueSettings::new("rules")
        .with_max_attempts(6)
        .with_min_backoff(seconds(1))
        .with_max_backoff(seconds(7))
        .with_max_doublings(1);

    let history = calm(async |cloud| {
        let (told, settings) = (Told::default(), settings.clone());
        let shop = cloud.service("shop", move || runtime(&told).queue(settings.clone()));
        shop.run(Failing::ALWAYS.asap()).await?;
        Ok(())
    });

    assert_eq!(pauses(&history, "Failing-1"), [1000, 2000, 4000, 6000, 7000]);
}

#[test]
fn a_queue_without_settings_has_the_defaults_of_the_service() {
    let told = Told::default();

    let history = calm(async |cloud| {
        let state = told.clone();
        let shop = cloud.service("shop", move || runtime(&state));
        shop.run(Failing::ALWAYS.asap()).await?;
        cloud.settle().await;
        let info = shop.runtime().await.queue("rules").info().await?;
        // `create_queue_returns_defaults`.
        assert_eq!(info.max_dispatches_per_second, Some(500.0));
        assert_eq!(info.max_concurrent_dispatches, Some(1000));
        assert_eq!(info.max_attempts, Some(100));
        Ok(())
    });

    assert_eq!(told.all().len(), 100);
    let pauses = pauses(&history, "Failing-1");
    assert_eq!(pauses[..4], [100, 200, 400, 800]);
    assert_eq!(pauses.last(), Some(&3_600_000));
}

#[test]
fn a_burst_is_as_large_as_recorded() {
    // `create_queue_derives_burst_size`.
    for (rate, burst, gained) in [
        (0.5, 10, 0),
        (54.0, 10, 1),
        (77.0, 15, 1),
        (333.0, 66, 6),
        (500.0, 100, 10),
    ] {
        let history = calm(async |cloud| {
            let settings = QueueSettings::new("rules").with_max_dispatches_per_second(rate);
            let told = Told::default();
            let shop = cloud.service("shop", move || runtime(&told).queue(settings.clone()));
            let queue = shop.runtime().await.queue("rules");
            queue.pause().await?;
            for _ in 0..120 {
                shop.run(Failing::NEVER.asap()).await?;
            }
            cloud.note("resumed");
            queue.resume().await?;
            Ok(())
        });

        let steps = history.steps();
        let resumed = steps.iter().find(|step| step.detail == "resumed").unwrap().at;
        // A request is on its way for at most 20 ms, in which these are gained.
        let early = |after: u64| {
            let limit = resumed + Duration::from_millis(after);
            steps
                .iter()
                .filter(|step| step.event == Event::Attempt && step.at <= limit)
                .count()
        };
        assert!(
            (burst..=burst + gained).contains(&early(20)),
            "{rate}: {}",
            early(20)
        );
    }
}

#[test]
fn an_attempt_that_timed_out_is_reported_as_504_and_does_not_count_as_a_response() {
    let told = Told::default();

    calm(async |cloud| {
        let state = told.clone();
        let shop = cloud.service("shop", move || runtime(&state));
        shop.run(Endless.asap()).await?;
        Ok(())
    });

    // `dispatch_reports_504_after_timeout`.
    let second = &told.all()[1];
    assert_eq!(second.previous_response(), Some(504));
    assert_eq!(
        (second.retry_count(), second.execution_count()),
        (Some(1), Some(0))
    );
    assert_eq!(second.headers()["x-cloudtasks-taskretryreason"], "");
    assert!(
        !told.all()[0]
            .headers()
            .contains_key("x-cloudtasks-taskretryreason")
    );
}

#[test]
fn each_attempt_announces_the_time_at_which_it_was_due() {
    let told = Told::default();

    calm(async |cloud| {
        let state = told.clone();
        let shop = cloud.service("shop", move || {
            let settings = QueueSettings::new("rules").with_min_backoff(seconds(20));
            runtime(&state).queue(settings)
        });
        let due = cloud.now() + HOUR;
        let enqueued = shop.run(Failing { times: 1 }.later(due)).await?;
        cloud.run_for(HOUR + seconds(10)).await;
        let waiting = shop
            .runtime()
            .await
            .queue("rules")
            .get(enqueued.id())
            .await?
            .unwrap();
        let answered = waiting.last_attempt().unwrap().response_time.unwrap();
        assert_eq!(waiting.schedule_time(), Some(answered + seconds(20)));
        cloud.settle().await;
        let etas: Vec<_> = told
            .all()
            .iter()
            .map(|metadata| metadata.eta().unwrap())
            .collect();
        assert_eq!(etas[0], due);
        // The header has microseconds.
        assert!(
            answered + seconds(20) - etas[1].duration_since(due).unwrap() - Duration::from_micros(1) <= due
        );
        Ok(())
    });
}

#[test]
fn the_name_of_a_task_that_has_ended_stays_blocked_for_an_hour_and_at_most_a_day() {
    Simulation::new().seeds(20).without_faults().run(async |cloud| {
        let told = Told::default();
        let shop = cloud.service("shop", move || runtime(&told));
        let queue = shop.runtime().await.queue("rules");
        let ran = |number: u32| Failing::NEVER.asap().task_id(format!("id-{number}"));
        let later = Failing::NEVER.later(HOUR).task_id("deleted");
        assert!(!shop.run(ran(1)).await?.duplicate());
        assert!(!shop.run(later).await?.duplicate());
        // In the queue.
        assert!(shop.run(ran(1)).await?.duplicate());
        assert!(queue.cancel("deleted").await?);
        cloud.settle().await;

        cloud.run_for(seconds(59 * 60)).await;
        let deleted = || Failing::NEVER.asap().task_id("deleted");
        assert!(shop.run(ran(1)).await?.duplicate());
        assert!(shop.run(deleted()).await?.duplicate());

        cloud.run_for(23 * HOUR).await;
        cloud.run_for(seconds(120)).await;
        assert!(!shop.run(ran(1)).await?.duplicate());
        assert!(!shop.run(deleted()).await?.duplicate());
        Ok(())
    });
}

#[test]
fn a_task_of_a_paused_queue_runs_when_it_is_asked_for_and_otherwise_waits() {
    let told = Told::default();

    let history = calm(async |cloud| {
        let state = told.clone();
        let shop = cloud.service("shop", move || {
            runtime(&state).queue(QueueSettings::new("rules").with_max_concurrent_dispatches(1))
        });
        let queue = shop.runtime().await.queue("rules");
        queue.pause().await?;
        let first = shop.run(Failing { times: 1 }.asap()).await?;
        shop.run(Failing::NEVER.asap()).await?;
        cloud.run_for(HOUR).await;
        assert!(told.all().is_empty());
        assert_eq!(queue.info().await?.state, QueueState::Paused);

        // `run_task_dispatches_from_paused_queue`.
        assert!(queue.run_now(first.id()).await?);
        cloud.run_for(HOUR).await;
        assert_eq!(told.all().len(), 1);

        queue.resume().await?;
        Ok(())
    });

    assert_eq!(told.all().len(), 3);
    assert_eq!(history.count(Event::Acknowledged), 2);
}

#[test]
fn what_is_asked_to_run_now_keeps_its_schedule_and_backs_off_after_a_failure() {
    let told = Told::default();

    calm(async |cloud| {
        let state = told.clone();
        let shop = cloud.service("shop", move || {
            let settings = QueueSettings::new("rules").with_min_backoff(seconds(60));
            runtime(&state).queue(settings)
        });
        let queue = shop.runtime().await.queue("rules");
        let due = cloud.now() + 24 * HOUR;
        let task = shop.run(Failing { times: 1 }.later(due)).await?;
        assert!(queue.run_now(task.id()).await?);
        cloud.run_for(seconds(30)).await;

        // `run_task_dispatches_now`, `run_task_backs_off_after_failure`.
        assert_eq!(told.all()[0].eta(), Some(due));
        let waiting = queue.get(task.id()).await?.unwrap();
        let last = waiting.last_attempt().unwrap();
        assert_eq!((waiting.attempts(), waiting.responses()), (1, 0));
        assert_eq!(last.status.as_deref(), Some("INTERNAL(13): HTTP status code 500"));
        assert_eq!(
            waiting.schedule_time(),
            Some(last.response_time.unwrap() + seconds(60))
        );

        // In its backoff.
        assert!(queue.run_now(task.id()).await?);
        cloud.run_for(seconds(10)).await;
        assert_eq!(told.all().len(), 2);
        Ok(())
    });
}

#[test]
fn a_task_that_runs_is_dispatched_again_when_it_is_asked_for() {
    let told = Told::default();

    let history = calm(async |cloud| {
        let state = told.clone();
        let shop = cloud.service("shop", move || runtime(&state));
        let queue = shop.runtime().await.queue("rules");
        let task = shop.run(Failing { times: 1 }.asap()).await?;
        cloud.run_for(Duration::from_millis(500)).await;
        assert_eq!(told.all().len(), 1);

        // `google/cloud/tasks/v2/cloudtasks.proto`, RunTask: "even if the task is already running".
        assert!(queue.run_now(task.id()).await?);
        cloud.run_for(Duration::from_millis(300)).await;
        assert_eq!(told.all().len(), 2);
        Ok(())
    });

    // The failure of the first has no effect any more.
    assert_eq!(told.all().len(), 2);
    assert_eq!(history.count(Event::Acknowledged), 1);
}

#[test]
fn a_task_that_is_deleted_while_it_runs_is_gone_whatever_it_answers() {
    let told = Told::default();

    let history = calm(async |cloud| {
        let state = told.clone();
        let shop = cloud.service("shop", move || runtime(&state));
        let queue = shop.runtime().await.queue("rules");
        for failing in [Failing::NEVER, Failing::ALWAYS] {
            let task = shop.run(failing.asap()).await?;
            cloud.run_for(Duration::from_millis(500)).await;
            assert!(queue.cancel(task.id()).await?);
            assert!(queue.get(task.id()).await?.is_none());
            assert!(!queue.cancel(task.id()).await?);
            assert!(!queue.run_now(task.id()).await?);
        }
        Ok(())
    });

    assert_eq!(told.all().len(), 2);
    assert_eq!(history.count(Event::Answered), 2);
    assert_eq!(history.count(Event::Acknowledged), 0);
    assert_eq!(history.count(Event::GivenUp), 0);
}

#[test]
fn a_purge_of_a_paused_queue_leaves_nothing_to_wait_for() {
    let told = Told::default();

    calm(async |cloud| {
        let state = told.clone();
        let shop = cloud.service("shop", move || runtime(&state));
        let queue = shop.runtime().await.queue("rules");
        queue.pause().await?;
        let first = shop.run(Failing::NEVER.asap()).await?;
        shop.run(Failing::NEVER.later(HOUR)).await?;
        cloud.run_for(seconds(1)).await;

        queue.purge().await?;

        assert_eq!(queue.info().await?.purge_time, Some(cloud.now()));
        assert!(queue.get(first.id()).await?.is_none());
        Ok(())
    });

    assert!(told.all().is_empty());
}

#[test]
fn no_more_tasks_run_at_once_than_the_queue_allows_and_they_start_in_order() {
    let history = calm(async |cloud| {
        let settings = QueueSettings::new("rules").with_max_concurrent_dispatches(2);
        let told = Told::default();
        let shop = cloud.service("shop", move || runtime(&told).queue(settings.clone()));
        for _ in 0..7 {
            shop.run(Failing::NEVER.asap()).await?;
        }
        Ok(())
    });

    let mut running: i32 = 0;
    let mut most = 0;
    for step in history.steps() {
        running += i32::from(step.event == Event::Began) - i32::from(step.event == Event::Ran);
        most = most.max(running);
    }
    assert_eq!(most, 2);
    let starts: Vec<_> = (1..=7)
        .map(|number| times(&history, &format!("Failing-{number}"), Event::Attempt)[0])
        .collect();
    // Each waits for the end of one of the two before it.
    assert!(
        starts
            .windows(3)
            .all(|starts| starts[2] >= starts[0] + seconds(1)),
        "{starts:?}"
    );
}
