//! Commits whose caller is dropped halfway, as the handler of a request is when its client hangs up.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Waker;
use std::time::Duration;

use cloud_tasks::backend::{Backend, BackendFuture, Envelope};
use cloud_tasks::commit::CommitHooks;
use cloud_tasks::{BoxError, Context, Runtime, Task, TaskResult, task};
use serde::{Deserialize, Serialize};
use tokio::task::yield_now;
use tokio::time::Instant;

use crate::dependencies::with_dependencies;
use crate::support::commit::{Gradual, GreetUser, dropped_after};
use crate::support::logs::Logs;

/// More polls than any of these commits takes.
const POLLS: usize = 40;

async fn runtime(backend: impl Backend) -> Runtime {
    with_dependencies(Runtime::builder())
        .backend(backend)
        .allow_unauthenticated()
        .build()
        .await
        .unwrap()
}

/// Hooks with three tasks.
fn hooks(runtime: &Runtime) -> CommitHooks {
    let mut hooks = CommitHooks::new();
    for user_id in 1..=3 {
        let email = GreetUser { user_id }.asap().task_id(user_id.to_string());
        email.on(runtime).on_commit(&mut hooks).unwrap();
    }
    hooks
}

#[tokio::test]
async fn what_waits_for_a_commit_is_sent_at_whichever_poll_the_caller_is_dropped() {
    for polls in 1..POLLS {
        let backend = Gradual::default();
        let runtime = runtime(backend.clone()).await;

        let ended = dropped_after(polls, hooks(&runtime).run()).await;
        runtime.flush().await;

        assert_eq!(backend.taken(), ["1", "2", "3"], "{polls} polls");
        if polls + 1 == POLLS {
            ended.expect("an end before the last poll").unwrap();
        }
    }
}

#[tokio::test]
async fn a_commit_ends_and_sends_at_whichever_poll_its_caller_is_dropped() {
    for polls in 0..POLLS {
        let backend = Gradual::default();
        let runtime = runtime(backend.clone()).await;
        let committed = Arc::new(AtomicBool::new(false));
        let commit = Arc::clone(&committed);

        let ended = dropped_after(
            polls,
            hooks(&runtime).commit_with(|hooks| async move {
                for _ in 0..3 {
                    yield_now().await;
                }
                commit.store(true, Ordering::SeqCst);
                yield_now().await;
                hooks.run().await?;
                Ok::<_, BoxError>("committed")
            }),
        )
        .await;
        runtime.flush().await;

        // A future that is never polled has not begun.
        let sent: &[&str] = if polls == 0 { &[] } else { &["1", "2", "3"] };
        assert_eq!(backend.taken(), sent, "{polls} polls");
        assert_eq!(committed.load(Ordering::SeqCst), polls > 0, "{polls} polls");
        if polls + 1 == POLLS {
            assert_eq!(ended.expect("an end before the last poll").unwrap(), "committed");
        }
    }
}

#[tokio::test]
async fn a_commit_without_hooks_is_dropped_with_its_caller() {
    let ended = Arc::new(AtomicBool::new(false));
    let commit = Arc::clone(&ended);

    dropped_after(
        1,
        CommitHooks::new().commit_with(|_| async move {
            yield_now().await;
            commit.store(true, Ordering::SeqCst);
            Ok::<_, BoxError>(())
        }),
    )
    .await;
    for _ in 0..10 {
        yield_now().await;
    }

    assert!(!ended.load(Ordering::SeqCst));
}

#[tokio::test]
async fn an_error_of_which_nobody_is_told_is_logged() {
    let logs = Logs::capture();
    let refusing = runtime(Gradual::refusing()).await;

    dropped_after(1, hooks(&refusing).run()).await;
    dropped_after(
        1,
        hooks(&refusing).commit_with(|_hooks| async {
            yield_now().await;
            Err::<(), BoxError>("the database is read-only".into())
        }),
    )
    .await;
    refusing.flush().await;

    let text = logs.text();
    for part in [
        "the caller of a commit was dropped, so nobody handles its error",
        "transaction committed, but 3 of 3 messages could not be sent: no answer",
        "the database is read-only",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
}

#[tokio::test]
async fn that_it_went_on_is_logged_too() {
    let logs = Logs::capture();
    let backend = Gradual::default();
    let runtime = runtime(backend.clone()).await;

    dropped_after(1, hooks(&runtime).run()).await;
    runtime.flush().await;

    let text = logs.text();
    assert!(
        text.contains("it has ended without it, and everything was sent"),
        "{text}"
    );
}

/// Begins with a task, and does not get any further.
#[derive(Clone)]
struct Stuck;

impl Backend for Stuck {
    fn enqueue(&self, _envelope: Envelope) -> BackendFuture<'_> {
        Box::pin(std::future::pending())
    }
}

/// Polls a future once outside of tokio, and drops it.
fn dropped_outside(future: impl Future) {
    let polled = pin!(future).poll(&mut std::task::Context::from_waker(Waker::noop()));
    assert!(polled.is_pending());
}

#[test]
fn what_is_lost_when_tokio_shuts_down_or_is_missing_is_logged() {
    const SENDING: &str = "the sending after a commit was cut off; what is left is lost left=3 total=3";
    const COMMIT: &str = "a commit was cut off: the transaction may be committed, and its tasks and messages may not be sent waiting=3";
    let tokio = || {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap()
    };
    let stuck = tokio().block_on(runtime(Stuck));
    let committing = || hooks(&stuck).commit_with(|_| std::future::pending::<Result<(), BoxError>>());

    for (named, lost, lose) in [
        (
            "no tokio, sending",
            SENDING,
            &(|| dropped_outside(hooks(&stuck).run())) as &dyn Fn(),
        ),
        ("no tokio, committing", COMMIT, &|| dropped_outside(committing())),
        ("the end of tokio, sending", SENDING, &|| {
            tokio().block_on(dropped_after(1, hooks(&stuck).run()));
        }),
        ("the end of tokio, committing", COMMIT, &|| {
            tokio().block_on(dropped_after(1, committing()));
        }),
        ("a caller at the end of tokio", SENDING, &|| {
            let tokio = tokio();
            tokio.spawn(hooks(&stuck).run());
            tokio.block_on(async {
                for _ in 0..3 {
                    yield_now().await;
                }
            });
        }),
    ] {
        let logs = Logs::capture();

        lose();

        let text = logs.text();
        assert!(text.contains(lost), "{named}: {text}");
    }
}

/// Enqueues, and waits for everything.
#[derive(Deserialize, Serialize)]
struct FlushesAll;

#[task]
impl Task for FlushesAll {
    async fn run(self, _cx: Context) -> TaskResult {
        yield_now().await;
        Runtime::current()?.flush().await;
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn a_task_that_flushes_inside_such_a_commit_does_not_wait_for_itself() {
    let runtime = with_dependencies(Runtime::eager()).build().await.unwrap();
    let mut hooks = CommitHooks::new();
    FlushesAll.asap().on(&runtime).on_commit(&mut hooks).unwrap();
    let started = Instant::now();

    dropped_after(1, hooks.run()).await;
    runtime.flush().await;

    // The clock of a test stands still unless somebody waits for a time.
    assert_eq!(started.elapsed(), Duration::ZERO);
}
