//! The queues of a recorded runtime hold what waits to be drained.

use std::time::{Duration, SystemTime};

use cloud_tasks::queue::{QueueExt, QueueState};
use cloud_tasks::task::Enqueue;
use cloud_tasks::testing::Recorder;
use cloud_tasks::{Runtime, Task};

use super::played::Send;

const HOUR: Duration = Duration::from_secs(3600);

async fn recorded() -> (Runtime, Recorder) {
    let start = SystemTime::UNIX_EPOCH + HOUR;
    Runtime::recorded().starting_at(start).build().await.unwrap()
}

fn send(user_id: u64, id: &str) -> Enqueue {
    Send { user_id }.later(HOUR).task_id(id)
}

#[tokio::test]
async fn a_recorded_task_is_listed_like_one_in_a_queue() {
    let (runtime, recorder) = recorded().await;
    send(7, "seven").on(&runtime).await.unwrap();
    send(8, "eight").queue("slow").on(&runtime).await.unwrap();

    let found = runtime.queue("emails").get("seven").await.unwrap().unwrap();
    let mut list = Send::queued_tasks().on(&runtime).list();
    let (first, second) = (list.try_next().await.unwrap(), list.try_next().await.unwrap());

    assert_eq!(
        (found.id(), found.queue(), found.task()),
        ("seven", "emails", Some("Send"))
    );
    assert_eq!(found.arguments::<Send>().unwrap().user_id, 7);
    assert_eq!(found.schedule_time(), Some(recorder.now() + HOUR));
    assert_eq!((first.unwrap().id(), second.is_none()), ("seven", true));
}

#[tokio::test]
async fn a_task_that_is_cancelled_is_not_drained_and_its_id_stays_taken() {
    let (runtime, recorder) = recorded().await;
    send(7, "seven").on(&runtime).await.unwrap();
    let queue = runtime.queue("emails");

    let (cancelled, again) = (queue.cancel("seven").await, queue.cancel("seven").await);
    let repeated = send(7, "seven").on(&runtime).await.unwrap();

    assert_eq!((cancelled.unwrap(), again.unwrap()), (true, false));
    assert!(repeated.duplicate());
    assert_eq!(recorder.drain().await.unwrap(), 0);
    recorder.advance(24 * HOUR);
    assert!(!send(7, "seven").on(&runtime).await.unwrap().duplicate());
}

#[tokio::test]
async fn a_task_that_is_to_run_now_is_due() {
    let (runtime, recorder) = recorded().await;
    send(7, "seven").on(&runtime).await.unwrap();
    send(8, "eight").on(&runtime).await.unwrap();

    let asked = Send::queued_tasks().on(&runtime).run_now("eight").await.unwrap();
    let gone = Send::queued_tasks().on(&runtime).run_now("nine").await.unwrap();

    assert_eq!((asked, gone), (true, false));
    assert_eq!(recorder.drain_due().await.unwrap(), 1);
    assert_eq!(recorder.ran::<Send>()[0].task.user_id, 8);
}

#[tokio::test]
async fn the_tasks_of_a_paused_queue_are_not_drained_until_it_is_resumed() {
    let (runtime, recorder) = recorded().await;
    send(7, "seven").on(&runtime).await.unwrap();
    send(8, "eight").queue("slow").on(&runtime).await.unwrap();
    let queue = runtime.queue("emails");

    queue.pause().await.unwrap();
    let paused = (
        queue.info().await.unwrap().state,
        recorder.drain_until(2 * HOUR).await.unwrap(),
    );
    queue.resume().await.unwrap();
    let resumed = (queue.info().await.unwrap().state, recorder.drain().await.unwrap());

    assert_eq!(paused, (QueueState::Paused, 1));
    assert_eq!(resumed, (QueueState::Running, 1));
}

#[tokio::test]
async fn a_queue_that_is_purged_is_empty_and_the_others_are_not() {
    let (runtime, recorder) = recorded().await;
    send(7, "seven").on(&runtime).await.unwrap();
    send(8, "eight").queue("slow").on(&runtime).await.unwrap();

    runtime.queue("emails").purge().await.unwrap();

    let left: Vec<_> = recorder.enqueued::<Send>();
    assert_eq!(left.len(), 1);
    assert_eq!(left[0].user_id, 8);
}

#[tokio::test]
async fn deleting_takes_those_that_were_tried_often_enough() {
    let (runtime, recorder) = recorded().await;
    for id in ["a", "b", "c"] {
        send(7, id).on(&runtime).await.unwrap();
    }

    let dry = runtime.queue("emails").delete_tasks().dry_run().await.unwrap();
    let tried = runtime
        .queue("emails")
        .delete_tasks()
        .at_least_attempts(1)
        .await
        .unwrap();
    let all = Send::queued_tasks().on(&runtime).delete_tasks().await.unwrap();

    assert_eq!((dry.scanned, tried.deleted, all.deleted), (3, 0, 3));
    recorder.assert_nothing_enqueued();
}

#[tokio::test]
async fn a_task_that_is_run_here_stays_in_its_queue() {
    let (runtime, recorder) = recorded().await;
    send(7, "seven").on(&runtime).await.unwrap();

    let told = Send::queued_tasks().on(&runtime).run_here("seven").await.unwrap();

    assert_eq!((&told["user_id"], &told["attempt"]), (&7.into(), &1.into()));
    assert_eq!(recorder.drain().await.unwrap(), 1);
}
