use std::panic::{AssertUnwindSafe, catch_unwind};

use cloud_tasks::testing::Recorder;
use cloud_tasks::{Context, Runtime, Task, TaskResult, task};
use serde::{Deserialize, Serialize};

use crate::tasks::{Add, Log, Note};

/// Writes a line and enqueues the next one.
#[derive(Deserialize, Serialize)]
struct Chain {
    left: u32,
}

#[task]
impl Task for Chain {
    async fn run(self, cx: Context<Log>) -> TaskResult {
        cx.state().write(format!("{} left", self.left));
        if self.left > 0 {
            Chain { left: self.left - 1 }.asap().await?;
        }
        Ok(())
    }
}

async fn recorded(log: &Log) -> (Runtime, Recorder) {
    Runtime::recorded().state(log.clone()).build().await.unwrap()
}

fn panic_text(check: impl FnOnce()) -> String {
    let panic = catch_unwind(AssertUnwindSafe(check)).unwrap_err();
    panic.downcast_ref::<String>().unwrap().clone()
}

#[tokio::test]
async fn nothing_runs_until_it_is_drained() {
    let log = Log::default();
    let (runtime, recorder) = recorded(&log).await;

    Note { text: "one".into() }.asap().on(&runtime).await.unwrap();

    assert_eq!(log.lines().len(), 0);
    assert_eq!(recorder.enqueued::<Note>(), [Note { text: "one".into() }]);
    assert_eq!(recorder.drain().await.unwrap(), 1);
    assert_eq!(log.lines(), ["one"]);
    assert!(recorder.envelopes().is_empty());
}

#[tokio::test]
async fn draining_also_runs_tasks_that_are_enqueued_meanwhile() {
    let log = Log::default();
    let (runtime, recorder) = recorded(&log).await;

    Chain { left: 2 }.asap().on(&runtime).await.unwrap();

    assert_eq!(recorder.drain().await.unwrap(), 3);
    assert_eq!(log.lines(), ["2 left", "1 left", "0 left"]);
}

#[tokio::test]
async fn draining_stops_at_the_first_failure_and_keeps_the_remaining_tasks() {
    let (runtime, recorder) = Runtime::recorded().build().await.unwrap();
    Note {
        text: "needs a log that is not there".into(),
    }
    .asap()
    .on(&runtime)
    .await
    .unwrap();
    Add { left: 1, right: 2 }.asap().on(&runtime).await.unwrap();

    let error = recorder.drain().await.unwrap_err();

    assert!(error.to_string().contains("task Note needs the state"), "{error}");
    assert_eq!(recorder.envelopes().len(), 1);
    assert_eq!(recorder.drain().await.unwrap(), 1);
}

#[tokio::test]
async fn a_failed_assertion_lists_the_enqueued_tasks() {
    let (runtime, recorder) = Runtime::recorded().build().await.unwrap();
    let nothing = panic_text(|| recorder.assert_enqueued::<Add>(|_| true));
    Add { left: 1, right: 2 }.asap().on(&runtime).await.unwrap();

    let missing = panic_text(|| recorder.assert_enqueued::<Add>(|task| task.left == 9));
    let unwanted = panic_text(|| recorder.refute_enqueued::<Add>(|task| task.left == 1));

    assert_eq!(nothing, "no matching Add was enqueued; nothing was");
    assert_eq!(
        missing,
        "no matching Add was enqueued; these were:\n  Add {\"left\":1,\"right\":2} to tasks"
    );
    assert_eq!(
        unwanted,
        "a matching Add was enqueued; these were:\n  Add {\"left\":1,\"right\":2} to tasks"
    );
}

#[tokio::test]
async fn a_second_task_of_an_id_is_a_duplicate_also_after_the_first_one_ran() {
    let (runtime, recorder) = Runtime::recorded().build().await.unwrap();
    let enqueue = || Add { left: 1, right: 2 }.asap().task_id("sum").on(&runtime);

    let first = enqueue().await.unwrap();
    let second = enqueue().await.unwrap();
    recorder.drain().await.unwrap();
    let third = enqueue().await.unwrap();
    let elsewhere = enqueue().queue("other").await.unwrap();

    let duplicates = [first, second, third, elsewhere].map(|enqueued| enqueued.duplicate());
    assert_eq!(duplicates, [false, true, true, false]);
}
