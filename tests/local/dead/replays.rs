//! Replays against services that answer with an error at each step.

use std::time::Duration;

use cloud_tasks::Runtime;
use cloud_tasks::dead_letters::{ReplayEnd, ReplayError, Replayed};
use futures_util::future::join_all;
use futures_util::stream::{self, StreamExt};
use serde_json::json;
use tokio::sync::oneshot;

use super::played::{self, Answer, Cloud, Fault, Step, record};
use crate::support::wait::within;

const CHARGES: u64 = 12;
/// Of these, one is of another task, and one is not a record.
const RECORDS: usize = 14;
const ALWAYS: usize = usize::MAX;

async fn cloud() -> Cloud {
    let charges = (1..=CHARGES).map(|n| (format!("m{n:02}"), record("Charge", n)));
    let others = [
        ("a-other".to_owned(), record("Restock", 0)),
        ("b-event".to_owned(), json!({"some": "event"})),
    ];
    Cloud::with(charges.chain(others)).await
}

async fn replay(runtime: &Runtime) -> Result<Replayed, ReplayError> {
    let replay = runtime.dead_tasks("dead-charges").replay();
    within(replay.task("Charge").idle_timeout(Duration::ZERO).into_future()).await
}

/// What a replay must do at a fault.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Expected {
    /// It enqueues all tasks.
    Done,
    /// It enqueues all tasks but one.
    DoneButOne,
    /// It stops with an error.
    Stopped,
}

fn expected(fault: Fault) -> Expected {
    let is_refusal = fault.answer.is_refusal();
    match fault.step {
        // The records come back when their lease ends.
        Step::Release => Expected::Done,
        // The backup queue takes it.
        Step::Create if fault.answer == Answer::NotFound404 && fault.times == 1 => Expected::Done,
        // A queue may be missing, or forbidden, and the next one may not.
        Step::Create if is_refusal => Expected::DoneButOne,
        _ if is_refusal || fault.times == ALWAYS => Expected::Stopped,
        _ => Expected::Done,
    }
}

fn faults() -> Vec<Fault> {
    let mut faults = Vec::new();
    for step in Step::ALL {
        for answer in Answer::ALL {
            let is_refusal = answer.is_refusal();
            for (times, takes_effect) in [(1, false), (1, true), (ALWAYS, false)] {
                // What is refused has no effect. A pull whose answer is lost leases messages that nobody has read.
                let has_none = is_refusal || answer == Answer::TooMany429 || step == Step::Pull;
                if takes_effect && has_none {
                    continue;
                }
                faults.push(Fault {
                    step,
                    answer,
                    times,
                    takes_effect,
                });
            }
        }
    }
    faults
}

async fn check(fault: Fault) {
    let cloud = cloud().await;
    // A call that hangs is given up, the others have all the time that they need.
    let limit = if fault.answer == Answer::Hangs { 2 } else { 30 };
    let runtime = played::runtime(&cloud.url, Duration::from_secs(limit)).await;
    cloud.played().fault = Some(fault);

    let replayed = replay(&runtime).await;

    let (report, error) = match &replayed {
        Ok(report) => (report, None),
        Err(error) => (error.report(), Some(error)),
    };
    let case = format!("{fault:?}: {report:?}, {error:?}");
    assert_eq!(report.read(), cloud.played().delivered.len(), "{case}");
    let enqueued = report.replayed + report.duplicates;
    assert_eq!(
        cloud.played().acknowledged.len(),
        enqueued - report.unacknowledged,
        "{case}"
    );
    let everything = [
        report.replayed,
        report.skipped,
        report.left.len(),
        report.failed.len(),
    ];
    match expected(fault) {
        Expected::Done => {
            assert_eq!((everything, report.duplicates), ([12, 1, 1, 0], 0), "{case}");
            assert_eq!(report.end, Some(ReplayEnd::NoMore), "{case}");
        }
        Expected::DoneButOne if fault.times == ALWAYS => {
            assert_eq!((everything, report.duplicates), ([0, 1, 1, 12], 0), "{case}");
            assert_eq!(report.end, Some(ReplayEnd::NoMore), "{case}");
        }
        Expected::DoneButOne => {
            assert_eq!((everything, report.duplicates), ([11, 1, 1, 1], 0), "{case}");
            assert_eq!(report.end, Some(ReplayEnd::NoMore), "{case}");
        }
        Expected::Stopped => {
            let error = error.unwrap_or_else(|| panic!("{case}"));
            assert_eq!(report.end, Some(ReplayEnd::Failed), "{case}");
            assert_eq!(
                report.failed.len(),
                usize::from(fault.step == Step::Create),
                "{case}"
            );
            let of_pubsub = "projects/acme/subscriptions/dead-charges was not read (";
            match fault.step {
                Step::Create => assert!(error.error().is_unavailable(), "{case}"),
                _ => assert!(error.error().to_string().starts_with(of_pubsub), "{case}"),
            }
        }
    }
    let came_back = cloud.played().waiting.len();
    if fault.step != Step::Release || (fault.times == 1 && !fault.answer.is_refusal()) {
        let stays = RECORDS - enqueued;
        assert_eq!(
            came_back, stays,
            "what was not enqueued is returned at once: {case}"
        );
    }

    // The next replay, after all leases have ended, makes up for everything, and nothing is created twice.
    cloud.played().fault = None;
    cloud.played().expire();
    let unacknowledged = report.unacknowledged;
    let rest = replay(&runtime).await.unwrap();
    assert_eq!(
        (rest.skipped, rest.left.len(), rest.failed.len()),
        (1, 1, 0),
        "{case}, then {rest:?}"
    );
    assert!(rest.duplicates >= unacknowledged, "{case}, then {rest:?}");
    let played = cloud.played();
    assert_eq!(played.acknowledged.len(), 12, "{case}, then {rest:?}");
    assert!(played.created.values().all(|tasks| tasks.len() == 1), "{case}");
    assert_eq!(played.created.len(), 12, "{case}");
}

/// Most of the time is spent between repeated calls, so many faults are played at once, on threads of their own.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn each_answer_at_each_step_is_survived_or_told_and_the_next_replay_makes_up_for_it() {
    let play = |fault| async move { tokio::spawn(check(fault)).await.unwrap() };
    let (hanging, others): (Vec<_>, Vec<_>) = faults()
        .into_iter()
        .partition(|fault| fault.answer == Answer::Hangs);

    // Few of the others at a time, since a call that is slow because of its neighbours looks like one that hangs.
    let others = stream::iter(others).map(play).buffer_unordered(8);
    tokio::join!(
        join_all(hanging.into_iter().map(play)),
        others.collect::<Vec<()>>()
    );
}

#[tokio::test]
async fn a_record_whose_task_exists_is_a_duplicate_and_is_acknowledged() {
    let cloud = Cloud::with_charges(3).await;
    let runtime = cloud.runtime().await;
    replay(&runtime).await.unwrap();
    let again = [
        ("m02".to_owned(), record("Charge", 2)),
        ("m04".to_owned(), record("Charge", 4)),
    ];
    cloud.played().waiting.extend(again);
    cloud.played().acknowledged.clear();

    let report = replay(&runtime).await.unwrap();

    assert_eq!((report.replayed, report.duplicates, report.read()), (1, 1, 2));
    assert_eq!(cloud.played().acknowledged.len(), 2);
}

#[tokio::test]
async fn a_message_that_cannot_be_acknowledged_does_not_keep_the_others_from_it() {
    let cloud = Cloud::with_charges(12).await;
    cloud.played().expired = Some("m05".to_owned());

    let error = replay(&cloud.runtime().await).await.unwrap_err();

    assert_eq!((error.report().replayed, error.report().unacknowledged), (10, 1));
    assert_eq!(error.report().returned, 2);
    assert_eq!(cloud.played().acknowledged.len(), 9);
    let text = format!("{error:?}");
    assert!(
        text.starts_with(
            "the replay stopped: 10 enqueued, 0 duplicates, 0 skipped, 0 failed, 0 left, 2 returned; 1 could not be \
             acknowledged and will be delivered again: projects/acme/subscriptions/dead-charges was not read (acknowledge)"
        ) && text.contains("an ack id has expired"),
        "{text}"
    );
}

#[tokio::test]
async fn acknowledgements_are_sent_ten_at_a_time_so_that_a_killed_replay_loses_few() {
    let cloud = Cloud::with_charges(25).await;
    let runtime = cloud.runtime().await;

    // It is dropped after the 25th task.
    let replay = runtime.dead_tasks("dead-charges").replay();
    let replay = replay.on_progress(|report| assert!(report.replayed < 25, "enough"));
    let dropped = tokio::spawn(within(replay.into_future())).await;

    assert!(dropped.unwrap_err().is_panic());
    let played = cloud.played();
    assert_eq!(played.created.len(), 25);
    // After a second they are sent, however few there are.
    assert!(played.acknowledgements.iter().all(|count| *count <= 10));
    assert!(played.acknowledged.len() >= 15, "{:?}", played.acknowledgements);
}

#[tokio::test]
async fn a_replay_that_is_told_to_stop_acknowledges_what_it_did_and_returns_the_rest() {
    let cloud = Cloud::with_charges(12).await;
    let runtime = cloud.runtime().await;
    let (stop, stopped) = oneshot::channel();
    let mut stop = Some(stop);

    let replay = runtime
        .dead_tasks("dead-charges")
        .replay()
        .on_progress(move |report| {
            if report.replayed == 3 {
                stop.take().unwrap().send(()).unwrap();
            }
        })
        .stop_when(async { stopped.await.unwrap() });
    let report = within(replay.into_future()).await.unwrap();

    assert_eq!(report.end, Some(ReplayEnd::Stopped));
    assert_eq!((report.replayed, report.returned, report.read()), (3, 9, 12));
    assert_eq!(cloud.played().acknowledged.len(), 3);
    assert_eq!(cloud.played().waiting.len(), 9);
}

#[tokio::test]
async fn a_replay_ends_at_its_limit_and_where_more_stay_than_can_be_leased() {
    let cloud = Cloud::with_charges(3).await;
    let limited = cloud.runtime().await.dead_tasks("dead-charges").replay().limit(2);
    let limited = within(limited.into_future()).await.unwrap();
    let events = (0..1001).map(|n| (format!("m{n}"), json!({"some": "event"})));
    let cloud = Cloud::with(events).await;

    let full = replay(&cloud.runtime().await).await.unwrap();

    assert_eq!(
        (limited.replayed, limited.read(), limited.end),
        (2, 2, Some(ReplayEnd::Limit))
    );
    assert_eq!((full.left.len(), full.end), (1000, Some(ReplayEnd::Full)));
    assert_eq!(cloud.played().waiting.len(), 1001);
}
