use std::collections::HashMap;
use std::time::Duration;

use cloud_tasks::{Context, Discard, ErrorKind, OrDiscard, RetryAfter, Runtime, Task, TaskResult, task};
use serde::{Deserialize, Serialize};

use crate::tasks::{Add, Log, Note};

#[derive(Deserialize, Serialize)]
struct Misbehave {
    how: String,
}

#[task(aliases = ["BehaveBadly"])]
impl Task for Misbehave {
    async fn run(self, _cx: Context) -> TaskResult<u64> {
        match self.how.as_str() {
            "fail" => Err(std::io::Error::other("the disk is full"))?,
            "discard" => Err(Discard::new("nobody asked for it"))?,
            "retry" => Err(RetryAfter::new(Duration::from_secs(30)))?,
            "panic" => panic!("at the disco"),
            number => Ok(number.parse().or_discard()?),
        }
    }
}

/// Runs another task, whose outcome becomes its own.
#[derive(Deserialize, Serialize)]
struct Outer {
    inner: String,
}

#[task]
impl Task for Outer {
    async fn run(self, _cx: Context) -> TaskResult<u64> {
        Ok(Misbehave { how: self.inner }.sync().await? + 1)
    }
}

/// What it holds does not survive the way through JSON.
#[derive(Deserialize, Serialize)]
struct Lossy {
    #[serde(skip)]
    kept: u32,
}

#[task]
impl Task for Lossy {
    async fn run(self, cx: Context<Log>) -> TaskResult {
        cx.state().write(format!("kept {}", self.kept));
        Ok(())
    }
}

/// JSON has only strings as keys.
#[derive(Deserialize, Serialize)]
struct Unwritable {
    by_pair: HashMap<(u8, u8), u8>,
}

#[task]
impl Task for Unwritable {
    async fn run(self, _cx: Context) -> TaskResult {
        Ok(())
    }
}

async fn eager() -> Runtime {
    Runtime::eager().build().await.unwrap()
}

fn misbehave(how: &str) -> Misbehave {
    Misbehave { how: how.into() }
}

#[tokio::test]
async fn a_task_runs_when_it_is_enqueued_with_its_metadata() {
    let log = Log::default();
    let runtime = Runtime::eager().state(log.clone()).build().await.unwrap();

    let enqueued = Note { text: "hello".into() }
        .asap()
        .task_id("note-1")
        .on(&runtime)
        .await
        .unwrap();

    assert_eq!(log.lines(), ["hello"]);
    assert_eq!((enqueued.queue(), enqueued.id()), ("notes", "note-1"));
}

#[tokio::test]
async fn arguments_go_through_json_as_they_would_on_the_way_to_google() {
    let log = Log::default();
    let runtime = Runtime::eager().state(log.clone()).build().await.unwrap();

    Lossy { kept: 7 }.asap().on(&runtime).await.unwrap();
    Lossy { kept: 7 }.sync().on(&runtime).await.unwrap();

    assert_eq!(log.lines(), ["kept 0", "kept 7"]);
}

#[tokio::test]
async fn a_delay_is_not_waited_for() {
    let log = Log::default();
    let runtime = Runtime::eager().state(log.clone()).build().await.unwrap();

    let enqueued = Note { text: "later".into() }
        .later(Duration::from_secs(3600))
        .on(&runtime)
        .await
        .unwrap();

    assert_eq!(log.lines(), ["later"]);
    assert!(enqueued.schedule_time().is_some());
}

#[tokio::test]
async fn every_way_to_fail_comes_back_to_the_caller_as_its_kind() {
    let runtime = eager().await;
    for (how, kind, message) in [
        (
            "fail",
            ErrorKind::TaskFailed,
            "task Misbehave failed: the disk is full",
        ),
        (
            "discard",
            ErrorKind::TaskDiscarded,
            "task Misbehave discarded itself: discarded: nobody asked for it",
        ),
        (
            "retry",
            ErrorKind::TaskRetryAfter,
            "task Misbehave asked to be retried later: to be retried after 30s",
        ),
        (
            "panic",
            ErrorKind::TaskPanicked,
            "task Misbehave panicked: at the disco",
        ),
        (
            "seven",
            ErrorKind::TaskDiscarded,
            "task Misbehave discarded itself: discarded: invalid digit found in string",
        ),
    ] {
        let error = misbehave(how).asap().on(&runtime).await.unwrap_err();

        assert_eq!(error.kind(), kind, "{how}");
        assert_eq!(format!("{error:#}"), message);
        assert!(error.is_task() && !error.may_have_taken_effect());
    }
}

#[tokio::test]
async fn sync_gives_the_typed_output_back() {
    let runtime = eager().await;

    let sum = Add { left: 2, right: 3 }.sync().on(&runtime).await.unwrap();
    let number = misbehave("41").sync().on(&runtime).await.unwrap();

    assert_eq!((sum.as_str(), number), ("5 in attempt 1", 41));
}

#[tokio::test]
async fn a_discard_of_an_inner_task_discards_the_outer_one_and_a_failure_fails_it() {
    let runtime = eager().await;

    let discarded = Outer {
        inner: "discard".into(),
    }
    .asap()
    .on(&runtime)
    .await
    .unwrap_err();
    let later = Outer {
        inner: "retry".into(),
    }
    .asap()
    .on(&runtime)
    .await
    .unwrap_err();
    let failed = Outer { inner: "fail".into() }
        .asap()
        .on(&runtime)
        .await
        .unwrap_err();

    assert_eq!(discarded.kind(), ErrorKind::TaskDiscarded);
    assert_eq!(later.kind(), ErrorKind::TaskRetryAfter);
    assert_eq!(
        format!("{failed:#}"),
        "task Outer failed: task Misbehave failed: the disk is full"
    );
}

#[tokio::test]
async fn a_missing_state_shows_when_a_task_that_needs_it_runs() {
    let runtime = eager().await;

    let fine = Add { left: 1, right: 1 }.asap().on(&runtime).await;
    let error = Note { text: "hello".into() }
        .asap()
        .on(&runtime)
        .await
        .unwrap_err();

    assert!(fine.is_ok());
    assert_eq!(error.kind(), ErrorKind::MissingState);
    let needed = format!("needs the state {}", std::any::type_name::<Log>());
    assert!(error.to_string().contains(&needed), "{error}");
}

#[tokio::test]
async fn arguments_that_do_not_serialize_are_an_error_of_the_await_and_nothing_runs() {
    let runtime = eager().await;

    let error = Unwritable {
        by_pair: HashMap::from([((1, 2), 3)]),
    }
    .asap()
    .on(&runtime)
    .await
    .unwrap_err();

    assert_eq!(error.kind(), ErrorKind::Encode);
    assert_eq!(
        format!("{error:#}"),
        "the arguments of task Unwritable do not serialize to JSON: key must be a string"
    );
}

#[tokio::test]
async fn a_runtime_whose_last_handle_is_dropped_is_gone_with_its_states() {
    let (eager_log, recorded_log) = (Log::default(), Log::default());
    let eager = Runtime::eager().state(eager_log.clone()).build().await.unwrap();
    let recorded = Runtime::recorded()
        .state(recorded_log.clone())
        .build()
        .await
        .unwrap();
    assert_eq!((eager_log.handles(), recorded_log.handles()), (2, 2));

    drop((eager, recorded));

    assert_eq!((eager_log.handles(), recorded_log.handles()), (1, 1));
}
