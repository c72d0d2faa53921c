//! Operations on the local engine, whose queues and attempts are real.

use std::sync::Arc;

use cloud_tasks::queue::{QueueExt, QueueState};
use cloud_tasks::{ErrorKind, Task};
use futures_util::TryStreamExt;

use super::stage::{Breakpoint, Debugged, HOUR, Note, Stage, note};
use crate::support::wait::next;

async fn texts(stage: &Stage, queue: &str) -> Vec<String> {
    let tasks = stage.runtime.queue(queue).list();
    let texts = tasks.and_then(async |task| Ok(task.arguments::<Note>()?.text));
    let mut texts: Vec<_> = texts.try_collect().await.unwrap();
    texts.sort();
    texts
}

#[tokio::test]
async fn what_waits_is_listed_and_what_is_cancelled_never_runs() {
    let mut stage = Stage::set().await;
    let queue = stage.runtime.queue("notes");
    queue.pause().await.unwrap();
    let first = note("first").asap().on(&stage.runtime).await.unwrap();
    note("second").asap().on(&stage.runtime).await.unwrap();

    let both = texts(&stage, "notes").await;
    let cancelled = queue.cancel(first.id()).await.unwrap();
    let again = queue.cancel(first.id()).await.unwrap();
    let rest = texts(&stage, "notes").await;
    queue.resume().await.unwrap();
    let (ran, _) = stage.next_attempt().await;
    stage.wait_idle("notes").await;

    assert_eq!(
        (both, rest),
        (vec!["first".into(), "second".into()], vec!["second".to_owned()])
    );
    assert!(cancelled && !again);
    assert_eq!(ran, "second");
    assert!(stage.is_quiet());
    assert!(queue.get(first.id()).await.unwrap().is_none());
    stage.strike().await;
}

#[tokio::test]
async fn a_task_that_is_far_ahead_runs_now_when_it_is_asked_for() {
    let mut stage = Stage::set().await;
    let id = stage.for_later("soon").await;

    let there = stage.runtime.queue("notes").run_now(&id).await.unwrap();

    let (text, metadata) = stage.next_attempt().await;
    assert!(there);
    assert_eq!((text.as_str(), metadata.id()), ("soon", Some(id.as_str())));
    stage.wait_idle("notes").await;
    assert!(!stage.runtime.queue("notes").run_now(&id).await.unwrap());
    stage.strike().await;
}

#[tokio::test]
async fn running_here_runs_a_task_here_and_leaves_it_where_it_is() {
    let mut stage = Stage::set().await;
    let id = stage.for_later("12345").await;
    let notes = Note::queued_tasks().on(&stage.runtime);

    let output = stage.runtime.queue("notes").run_here(&id).await.unwrap();
    let typed: usize = notes.run_here(&id).await.unwrap();

    assert_eq!((output, typed), (5.into(), 5));
    for _ in 0..2 {
        let (text, metadata) = stage.next_attempt().await;
        assert_eq!((text.as_str(), metadata.attempt()), ("12345", 1));
        assert_eq!(
            (metadata.id(), metadata.queue()),
            (Some(id.as_str()), Some("notes"))
        );
        assert!(metadata.eta().is_some());
    }
    assert_eq!(notes.get(&id).await.unwrap().unwrap().attempts(), 0);
    stage.strike().await;
}

#[tokio::test]
async fn a_debugger_at_a_breakpoint_does_not_keep_the_queue_from_running_an_idempotent_task() {
    let (breakpoint, mut reached) = Breakpoint::closed();
    let passes = Arc::clone(&breakpoint.passes);
    let stage = Stage::set_with(breakpoint).await;
    let queued = Debugged.later(HOUR).on(&stage.runtime).await.unwrap();
    let (queue, id) = (stage.runtime.queue("notes"), queued.id().to_owned());

    let debugged = tokio::spawn({
        let (queue, id) = (queue.clone(), id.clone());
        async move { queue.run_here(&id).await }
    });
    next(&mut reached).await;
    assert!(queue.run_now(&id).await.unwrap());
    // The queue's attempt runs beside it.
    next(&mut reached).await;
    passes.add_permits(2);

    assert_eq!(debugged.await.unwrap().unwrap(), 1);
    stage.wait_idle("notes").await;
    assert!(reached.try_recv().is_err());
    stage.strike().await;
}

#[tokio::test]
async fn a_failure_and_a_panic_under_debug_are_the_callers_and_change_nothing_in_the_queue() {
    let stage = Stage::set().await;
    let (fails, panics) = (stage.for_later("fails").await, stage.for_later("panics").await);
    let notes = Note::queued_tasks().on(&stage.runtime);

    let failed = stage.runtime.queue("notes").run_here(&fails).await.unwrap_err();
    let panicked = notes.run_here(&panics).await.unwrap_err();

    assert_eq!(format!("{failed:#}"), "task Note failed: it was told to");
    assert_eq!(panicked.kind(), ErrorKind::TaskPanicked);
    assert_eq!(texts(&stage, "notes").await, ["fails", "panics"]);
    stage.strike().await;
}

#[tokio::test]
async fn those_that_failed_often_are_deleted_and_the_others_stay() {
    let mut stage = Stage::set().await;
    let queue = stage.runtime.queue("notes");
    // A paused queue sends what it is asked to send, and does not retry it.
    queue.pause().await.unwrap();
    let stuck = stage.for_later("fails").await;
    stage.for_later("fresh").await;
    for attempt in 1..=2 {
        assert!(queue.run_now(&stuck).await.unwrap());
        assert_eq!(stage.next_attempt().await.1.attempt(), attempt);
    }

    let three = queue.delete_tasks().at_least_attempts(3).await.unwrap();
    let two = Note::queued_tasks()
        .on(&stage.runtime)
        .delete_tasks()
        .at_least_attempts(2);
    let look = two.dry_run().await.unwrap();
    let report = queue.delete_tasks().at_least_attempts(2).await.unwrap();

    assert_eq!((three.deleted, look.deleted, report.deleted), (0, 1, 1));
    assert_eq!(texts(&stage, "notes").await, ["fresh"]);
    stage.strike().await;
}

#[tokio::test]
async fn a_paused_queue_keeps_its_tasks_until_it_is_resumed() {
    let mut stage = Stage::set().await;
    let queue = stage.runtime.queue("notes");
    queue.pause().await.unwrap();
    note("kept").asap().on(&stage.runtime).await.unwrap();
    // What came later in another queue has run by now.
    note("passes")
        .asap()
        .queue("others")
        .on(&stage.runtime)
        .await
        .unwrap();
    stage.wait_idle("others").await;

    let (first, _) = stage.next_attempt().await;
    let quiet = stage.is_quiet();
    let paused = queue.info().await.unwrap().state;
    queue.resume().await.unwrap();
    let (second, _) = stage.next_attempt().await;

    assert_eq!((first.as_str(), second.as_str()), ("passes", "kept"));
    assert!(quiet);
    assert_eq!(paused, QueueState::Paused);
    assert_eq!(queue.info().await.unwrap().state, QueueState::Running);
    stage.strike().await;
}

#[tokio::test]
async fn a_purge_leaves_nothing_of_this_queue_and_everything_of_another() {
    let stage = Stage::set().await;
    for text in ["a", "b", "c"] {
        stage.for_later(text).await;
    }
    let other = note("stays").later(HOUR).queue("others");
    other.on(&stage.runtime).await.unwrap();

    stage.runtime.queue("notes").purge().await.unwrap();

    assert!(texts(&stage, "notes").await.is_empty());
    assert_eq!(texts(&stage, "others").await, ["stays"]);
    assert!(
        stage
            .runtime
            .queue("notes")
            .info()
            .await
            .unwrap()
            .purge_time
            .is_some()
    );
    stage.strike().await;
}

#[tokio::test]
async fn a_queue_that_services_share_loses_none_of_the_others_tasks() {
    let stage = Stage::set().await;
    let neighbour = stage.neighbour().await;
    let own = stage.for_later("own").await;
    let theirs = note("theirs").later(HOUR).on(&neighbour).await.unwrap();
    let notes = Note::queued_tasks().on(&stage.runtime);

    let cancelled = notes.cancel(theirs.id()).await.unwrap();
    let sent = notes.run_now(theirs.id()).await.unwrap();
    let report = notes.delete_tasks().await.unwrap();

    assert!(!cancelled && !sent);
    assert_eq!((report.scanned, report.deleted), (2, 1));
    assert!(notes.get(&own).await.unwrap().is_none());
    assert_eq!(texts(&stage, "notes").await, ["theirs"]);
    stage.strike().await;
}

#[tokio::test]
async fn more_tasks_than_a_page_holds_are_all_listed_and_all_deleted() {
    let stage = Stage::set().await;
    let notes = (0..250).map(|number| note(&number.to_string()).later(HOUR));
    let enqueued = notes.map(|enqueue| stage.runtime.spawn(enqueue));
    for enqueued in enqueued.collect::<Vec<_>>() {
        enqueued.await.unwrap().unwrap();
    }

    let listed = texts(&stage, "notes").await;
    let report = Note::queued_tasks()
        .on(&stage.runtime)
        .delete_tasks()
        .concurrency(4)
        .await
        .unwrap();

    assert_eq!(listed.len(), 250);
    assert_eq!((report.deleted, report.failed), (250, 0));
    assert!(texts(&stage, "notes").await.is_empty());
    stage.strike().await;
}
