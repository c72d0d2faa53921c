use std::time::{Duration, SystemTime};

use cloud_tasks::testing::RecordedTask;
use cloud_tasks::{Context, Runtime, Task, TaskResult, task};
use proptest::prelude::*;
use serde::{Deserialize, Serialize};

use crate::tasks::{End, Log, Note, Try, new_year, note, panic_text, recorded, seconds};

/// Says when it was due, and enqueues itself for a minute later.
#[derive(Debug, Deserialize, Serialize)]
struct Poll;

#[task]
impl Task for Poll {
    async fn run(self, cx: Context<Log>) -> TaskResult {
        let due = cx
            .metadata()
            .eta()
            .and_then(|eta| eta.duration_since(new_year()).ok());
        cx.state()
            .write(format!("poll due at {:?}", due.unwrap_or_default()));
        Poll.later(seconds(60)).await?;
        Ok(())
    }
}

/// Is due every night at half past one in Paris.
#[derive(Debug, Default, Deserialize, Serialize)]
struct Nightly;

#[task(every = "30 1 * * *", time_zone = "Europe/Paris", queue = "nights")]
impl Task for Nightly {
    async fn run(self, cx: Context<Log>) -> TaskResult {
        let metadata = cx.metadata();
        let due = metadata
            .schedule_time()
            .and_then(|due| due.duration_since(new_year()).ok());
        let (job, due) = (metadata.job_name(), due.unwrap_or_default());
        cx.state()
            .write(format!("{job:?} due at {due:?} from {:?}", metadata.queue()));
        Ok(())
    }
}

#[tokio::test]
async fn a_scheduled_task_waits_until_the_clock_is_moved() {
    let log = Log::default();
    let (runtime, recorder) = recorded(&log).await;
    note("soon").later(seconds(60)).on(&runtime).await.unwrap();
    note("now").asap().on(&runtime).await.unwrap();

    assert_eq!(recorder.drain_due().await.unwrap(), 1);
    recorder.advance(Duration::from_millis(59_999));
    assert_eq!(recorder.drain_due().await.unwrap(), 0);
    recorder.advance(Duration::from_millis(1));
    assert_eq!(recorder.drain_due().await.unwrap(), 1);

    assert_eq!(log.lines(), ["now", "soon"]);
}

#[tokio::test]
async fn the_clock_is_the_machines_until_it_is_moved_and_then_stands_still() {
    let (runtime, recorder) = Runtime::recorded().state(Log::default()).build().await.unwrap();
    let before = SystemTime::now();
    let running = recorder.now();
    let enqueued = note("soon").later(seconds(60)).on(&runtime).await.unwrap();

    assert!(running >= before);
    assert!(enqueued.schedule_time().unwrap() >= before + seconds(60));
    assert_eq!(recorder.drain_due().await.unwrap(), 0);
    recorder.advance(seconds(60));

    let stopped = recorder.now();
    assert!(stopped >= running + seconds(60));
    let enqueued = note("later").later(seconds(60)).on(&runtime).await.unwrap();
    assert_eq!(enqueued.schedule_time(), Some(stopped + seconds(60)));
    assert_eq!(recorder.now(), stopped);
    assert_eq!(recorder.drain_due().await.unwrap(), 1);
}

#[tokio::test]
async fn the_clock_does_not_go_back() {
    let (_runtime, recorder) = recorded(&Log::default()).await;
    recorder.advance_to(new_year() + seconds(90));

    let told = panic_text(|| recorder.advance_to(new_year()));

    assert_eq!(told, "the clock cannot go back: it is already 1m 30s later");
    assert_eq!(recorder.now(), new_year() + seconds(90));
}

#[tokio::test]
async fn a_task_that_enqueues_itself_runs_as_often_as_it_would_by_then() {
    let log = Log::default();
    let (runtime, recorder) = recorded(&log).await;
    Poll.later(seconds(30)).on(&runtime).await.unwrap();

    let ran = recorder.drain_until(new_year() + seconds(200)).await.unwrap();

    assert_eq!(ran, 3);
    assert_eq!(
        log.lines(),
        ["poll due at 30s", "poll due at 90s", "poll due at 150s"]
    );
    assert_eq!(recorder.now(), new_year() + seconds(200));
    assert_eq!(
        recorder.find::<Poll>()[0].schedule_time(),
        Some(new_year() + seconds(210))
    );
}

#[tokio::test]
async fn schedules_run_at_their_times_if_the_recorder_runs_them() {
    let log = Log::default();
    let (runtime, recorder) = Runtime::recorded()
        .starting_at(new_year())
        .run_schedules()
        .state(log.clone())
        .build()
        .await
        .unwrap();
    // Half past one in Paris is half past midnight in UTC, in winter.
    note("between")
        .later(seconds(40 * 60))
        .on(&runtime)
        .await
        .unwrap();

    let ran = recorder.drain_until(seconds(25 * 60 * 60)).await.unwrap();

    assert_eq!(ran, 4, "with the morning's of another test");
    assert_eq!(
        log.lines(),
        [
            "Some(\"Nightly\") due at 1800s from Some(\"nights\")",
            "between",
            "Some(\"Nightly\") due at 88200s from Some(\"nights\")",
        ]
    );
}

#[tokio::test]
async fn schedules_do_not_run_unless_they_are_to() {
    let log = Log::default();
    let (_runtime, recorder) = recorded(&log).await;

    assert_eq!(recorder.drain_until(seconds(7 * 24 * 60 * 60)).await.unwrap(), 0);

    assert_eq!(log.lines().len(), 0);
}

#[tokio::test]
async fn the_first_failure_ends_a_drain_and_the_clock_stands_at_its_time() {
    let log = Log::default();
    let (runtime, recorder) = recorded(&log).await;
    Try { end: End::Fail }
        .later(seconds(10))
        .on(&runtime)
        .await
        .unwrap();
    note("behind").later(seconds(20)).on(&runtime).await.unwrap();

    let error = recorder.drain_until(seconds(60)).await.unwrap_err();

    assert_eq!(format!("{error:#}"), "task Try failed: the mail server is down");
    assert_eq!(recorder.now(), new_year() + seconds(10));
    recorder.assert_enqueued_count::<Try>(0);
    recorder.assert_enqueued_count::<Note>(1);
    assert_eq!(recorder.ran::<Try>().len(), 1);
}

#[tokio::test]
async fn a_failed_task_is_tried_again_as_often_as_it_may() {
    let log = Log::default();
    let (runtime, recorder) = recorded(&log).await;
    Try {
        end: End::FailUntil { attempt: 3 },
    }
    .asap()
    .on(&runtime)
    .await
    .unwrap();
    Try { end: End::Fail }.asap().on(&runtime).await.unwrap();

    let error = recorder.drain().attempts(3).await.unwrap_err();

    assert_eq!(format!("{error:#}"), "task Try failed: the mail server is down");
    let (kept, failed) = (["1, last false", "2, last false", "3, last true"], log.lines());
    let twice: Vec<_> = kept.iter().flat_map(|line| [line, line]).collect();
    assert_eq!(failed.len(), 6);
    for (line, expected) in failed.iter().zip(twice) {
        assert_eq!(line, &format!("attempt {expected}"));
    }
    let attempts: Vec<_> = recorder.ran::<Try>().iter().map(RecordedTask::attempt).collect();
    assert_eq!(attempts, [1, 1, 2, 2, 3, 3]);
    recorder.assert_nothing_enqueued();
}

#[tokio::test]
async fn a_task_that_asked_for_a_pause_is_due_after_it() {
    let log = Log::default();
    let (runtime, recorder) = recorded(&log).await;
    let end = End::RetryAfter { seconds: 30 };
    Try { end }.asap().on(&runtime).await.unwrap();

    assert_eq!(recorder.drain_due().attempts(9).await.unwrap(), 1);
    assert_eq!(recorder.drain_due().attempts(9).await.unwrap(), 0);
    let shown = panic_text(|| recorder.assert_nothing_enqueued());
    let ran = recorder.drain_until(seconds(89)).attempts(9).await.unwrap();

    assert!(shown.ends_with("to tries, in 30s, attempt 2"), "{shown}");
    assert_eq!(ran, 2, "30 and 60 seconds after the first one");
    assert_eq!(log.lines().len(), 3);
}

#[tokio::test]
async fn a_task_that_discards_itself_has_ended_well() {
    let log = Log::default();
    let (runtime, recorder) = recorded(&log).await;
    Try { end: End::Discard }.asap().on(&runtime).await.unwrap();
    note("behind").asap().on(&runtime).await.unwrap();

    let ran = recorder.drain().attempts(3).await.unwrap();

    assert_eq!((ran, log.lines().len()), (2, 2));
}

/// Delays in seconds, some of them the same, and how far the clock is moved.
fn delays() -> impl Strategy<Value = (Vec<u64>, u64)> {
    (proptest::collection::vec(0..20_u64, 0..30), 0..25_u64)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_is_due_runs_in_the_order_of_its_time_and_then_of_enqueueing((delays, moved) in delays()) {
        let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let (by_moving, by_draining) = tokio.block_on(async {
            let mut lines = Vec::new();
            for at_once in [true, false] {
                let log = Log::default();
                let (runtime, recorder) = recorded(&log).await;
                for (place, delay) in delays.iter().enumerate() {
                    note(&format!("{delay} {place}")).later(seconds(*delay)).on(&runtime).await.unwrap();
                }
                if at_once {
                    recorder.advance(seconds(moved));
                    recorder.drain_due().await.unwrap();
                } else {
                    recorder.drain_until(seconds(moved)).await.unwrap();
                }
                assert_eq!(recorder.now(), new_year() + seconds(moved));
                lines.push(log.lines());
            }
            (lines.remove(0), lines.remove(0))
        });

        let mut expected: Vec<_> = delays.iter().copied().zip(0..).filter(|(delay, _)| *delay <= moved).collect();
        expected.sort_unstable();
        let expected: Vec<_> = expected.iter().map(|(delay, place): &(u64, usize)| format!("{delay} {place}")).collect();
        prop_assert_eq!(&by_moving, &expected);
        prop_assert_eq!(&by_draining, &expected);
    }
}

/// Enqueues itself at once, or for a minute later.
#[derive(Debug, Deserialize, Serialize)]
struct Again {
    later: bool,
}

#[task]
impl Task for Again {
    async fn run(self, _cx: Context) -> TaskResult {
        let seconds = if self.later { 60 } else { 0 };
        self.later(Duration::from_secs(seconds)).await?;
        Ok(())
    }
}

#[tokio::test]
async fn a_drain_without_an_end_fails_and_names_what_would_run_next() {
    let (runtime, recorder) = recorded(&Log::default()).await;
    Again { later: false }.asap().on(&runtime).await.unwrap();

    for drain in [
        recorder.drain(),
        recorder.drain_due(),
        recorder.drain_until(seconds(60)),
    ] {
        let error = drain.max_runs(50).await.unwrap_err();

        let text = error.to_string();
        assert!(
            text.contains("stopped after 50 runs, before task Again"),
            "{text}"
        );
        assert!(
            text.contains("drain_until(..)") && text.contains(".max_runs(..)"),
            "{text}"
        );
        // What would run next is still there.
        assert_eq!(recorder.envelopes().len(), 1);
    }
}

#[tokio::test]
async fn what_runs_at_different_times_is_not_taken_for_a_drain_without_an_end() {
    let (runtime, recorder) = recorded(&Log::default()).await;
    Again { later: true }.asap().on(&runtime).await.unwrap();

    let ran = recorder.drain_until(seconds(60 * 100)).max_runs(2).await.unwrap();

    assert_eq!(ran, 101);
}
