//! Tasks that enqueue tasks, in this process: order, depth, ends, and what blocks a unique task.

use std::time::Duration;

use cloud_tasks::testing::Recorder;
use cloud_tasks::{
    Context, Error, ErrorKind, Message, PublisherTask, Runtime, SubscriberTask, Task, TaskResult, task,
};
use serde::{Deserialize, Serialize};

use crate::support::logs::Logs;
use crate::tasks::Log;

/// Enqueues itself so many times.
#[derive(Debug, Deserialize, Serialize)]
struct Countdown {
    from: u32,
    /// Whether the last one fails.
    crash: bool,
}

#[task]
impl Task for Countdown {
    async fn run(self, cx: Context<Log>) -> TaskResult {
        let Self { from, crash } = self;
        cx.state().write(format!("begin {from}"));
        if from > 0 {
            Self {
                from: from - 1,
                crash,
            }
            .asap()
            .await?;
        } else if crash {
            Err("nothing is left")?;
        }
        cx.state().write(format!("end {from}"));
        Ok(())
    }
}

/// Enqueues itself without end.
#[derive(Debug, Deserialize, Serialize)]
struct Perpetual;

#[task]
impl Task for Perpetual {
    async fn run(self, _cx: Context) -> TaskResult {
        Perpetual.asap().await?;
        Ok(())
    }
}

/// A message whose subscriber publishes the next one.
#[derive(Deserialize, Serialize)]
struct Echo {
    left: u32,
}

#[task(topic = "echoes")]
impl PublisherTask for Echo {}

struct EchoRepeater;

#[task]
impl SubscriberTask for EchoRepeater {
    async fn run(message: Message<Echo>, cx: Context<Log>) -> TaskResult {
        let left = message.content.left;
        if left > 0 {
            Echo { left: left - 1 }.sync().await?;
        }
        cx.state().write(format!("echo {left}"));
        Ok(())
    }
}

/// Enqueues the next link of a chain, which it takes for the same task, or for another one.
#[derive(Deserialize, Serialize)]
struct Link {
    link: u32,
    keyed: bool,
}

#[task(unique(by = ["keyed"]))]
impl Task for Link {
    async fn run(self, cx: Context<Log>) -> TaskResult {
        let Self { link, keyed } = self;
        cx.state().write(format!("link {link}"));
        if link < 3 {
            let next = Self {
                link: link + 1,
                keyed,
            }
            .asap();
            let next = if keyed { next.unique_key(link) } else { next };
            next.await?;
        }
        Ok(())
    }
}

fn countdown(from: u32) -> Countdown {
    Countdown { from, crash: false }
}

async fn eager(log: &Log) -> Runtime {
    Runtime::eager().state(log.clone()).build().await.unwrap()
}

async fn recorded(log: &Log) -> (Runtime, Recorder) {
    Runtime::recorded().state(log.clone()).build().await.unwrap()
}

#[tokio::test]
async fn a_task_that_a_task_enqueues_has_ended_when_the_outer_one_goes_on() {
    let log = Log::default();

    countdown(3).asap().on(&eager(&log).await).await.unwrap();

    assert_eq!(
        log.lines(),
        [
            "begin 3", "begin 2", "begin 1", "begin 0", "end 0", "end 1", "end 2", "end 3"
        ]
    );
}

#[tokio::test]
async fn a_chain_of_ten_thousand_tasks_does_not_overflow_the_stack() {
    let (log, inline_log) = (Log::default(), Log::default());
    let (runtime, recorder) = recorded(&inline_log).await;

    countdown(10_000).asap().on(&eager(&log).await).await.unwrap();
    recorder
        .inline(countdown(10_000).asap().on(&runtime))
        .await
        .unwrap();

    for lines in [log.lines(), inline_log.lines()] {
        assert_eq!(lines.len(), 20_002);
        assert_eq!(
            (lines[10_000].as_str(), lines[10_001].as_str()),
            ("begin 0", "end 0")
        );
        assert_eq!(lines[20_001], "end 10000");
    }
    assert_eq!(recorder.ran::<Countdown>().len(), 10_001);
    assert!(recorder.envelopes().is_empty());
}

#[tokio::test]
async fn a_chain_of_messages_does_not_overflow_the_stack() {
    let log = Log::default();

    Echo { left: 2_000 }.sync().on(&eager(&log).await).await.unwrap();

    assert_eq!(log.lines().len(), 2_001);
    assert_eq!(log.lines()[0], "echo 0");
}

#[tokio::test]
async fn a_failure_at_the_end_of_a_long_chain_comes_back_with_its_cause() {
    let log = Log::default();
    let chain = Countdown {
        from: 5_000,
        crash: true,
    };

    let error = chain.asap().on(&eager(&log).await).await.unwrap_err();

    assert_eq!(error.kind(), ErrorKind::TaskFailed);
    let text = format!("{error:#}");
    assert!(text.starts_with("task Countdown failed: "), "{text}");
    assert!(text.ends_with(": nothing is left"), "{text}");
    assert!(text.len() < 1000, "{text}");
    assert_eq!(log.lines().len(), 5_001);
}

#[tokio::test]
async fn a_chain_without_an_end_fails_and_says_so() {
    let error = Perpetual
        .asap()
        .on(&eager(&Log::default()).await)
        .await
        .unwrap_err();

    let text = format!("{error:#}");
    assert!(text.contains("seems to have no end"), "{text}");
    assert!(text.contains("Perpetual"), "{text}");
}

#[tokio::test]
async fn a_chain_or_a_drain_without_an_end_ends_with_its_time_limit() {
    let soon = Duration::from_millis(20);
    let log = Log::default();
    let (runtime, recorder) = recorded(&log).await;
    Perpetual.asap().on(&runtime).await.unwrap();

    let chain = tokio::time::timeout(soon, Perpetual.asap().on(&eager(&log).await).into_future()).await;
    let drain = tokio::time::timeout(soon, recorder.drain().max_runs(usize::MAX).into_future()).await;

    assert!(chain.is_err() && drain.is_err());
}

#[tokio::test]
async fn a_unique_task_that_its_own_id_blocks_is_warned_of() {
    let (mine, others) = ("its own id blocks the new one", "enqueued");
    for keyed in [false, true] {
        let logs = Logs::capture();
        let log = Log::default();
        let (runtime, recorder) = recorded(&log).await;
        let start = || Link { link: 1, keyed }.asap().on(&runtime);
        start().await.unwrap();
        // A duplicate of a task that waits is nothing to be warned of.
        assert!(start().await.unwrap().duplicate());
        assert!(!logs.text().contains(mine), "{}", logs.text());

        recorder.drain().await.unwrap();

        assert_eq!(logs.text().contains(mine), !keyed, "{}", logs.text());
        assert!(logs.text().contains(others));
        let expected: &[&str] = if keyed {
            &["link 1", "link 2", "link 3"]
        } else {
            &["link 1"]
        };
        assert_eq!(log.lines(), expected);
    }
}

#[tokio::test]
async fn the_duplicate_of_a_task_that_enqueues_itself_in_eager_mode_is_warned_of_too() {
    let logs = Logs::capture();
    let log = Log::default();

    let chain: Result<_, Error> = Link {
        link: 1,
        keyed: false,
    }
    .asap()
    .on(&eager(&log).await)
    .await;

    assert!(chain.is_ok());
    assert!(
        logs.text().contains("its own id blocks the new one"),
        "{}",
        logs.text()
    );
}
