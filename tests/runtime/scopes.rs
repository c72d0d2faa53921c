use std::time::Duration;

use cloud_tasks::testing::Recorder;
use cloud_tasks::{ErrorKind, Runtime, Task};

use crate::support::logs::Logs;
use crate::tasks::Add;

async fn recorded() -> (Runtime, Recorder) {
    Runtime::recorded().build().await.unwrap()
}

#[tokio::test]
async fn without_a_runtime_the_error_says_what_to_call() {
    let error = Add { left: 1, right: 2 }.asap().await.unwrap_err();

    assert_eq!(error.kind(), ErrorKind::NoRuntime);
    for way in [
        "runtime.install()",
        "runtime.scope(..)",
        "runtime.layer()",
        ".on(&runtime)",
        "runtime.spawn(..)",
    ] {
        assert!(error.to_string().contains(way), "{way} is not in: {error}");
    }
    assert!(
        Add { left: 1, right: 2 }
            .sync()
            .await
            .unwrap_err()
            .is_no_runtime()
    );
}

#[tokio::test]
async fn an_inner_scope_wins_over_an_outer_one_and_a_named_runtime_over_both() {
    let (outer, in_outer) = recorded().await;
    let (inner, in_inner) = recorded().await;
    let (named, in_named) = recorded().await;

    outer
        .scope(async {
            Add { left: 1, right: 0 }.asap().await.unwrap();
            inner
                .scope(async {
                    Add { left: 2, right: 0 }.asap().await.unwrap();
                    Add { left: 3, right: 0 }.asap().on(&named).await.unwrap();
                })
                .await;
            Add { left: 4, right: 0 }.asap().await.unwrap();
        })
        .await;

    let lefts =
        |recorder: &Recorder| -> Vec<u64> { recorder.enqueued::<Add>().iter().map(|add| add.left).collect() };
    assert_eq!(lefts(&in_outer), [1, 4]);
    assert_eq!(lefts(&in_inner), [2]);
    assert_eq!(lefts(&in_named), [3]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn runtimes_side_by_side_never_meet() {
    let runs = (0..16_u64).map(|number| {
        tokio::spawn(async move {
            let (runtime, recorder) = recorded().await;
            runtime
                .scope(async {
                    for step in 0..50 {
                        Add {
                            left: number,
                            right: step,
                        }
                        .asap()
                        .await
                        .unwrap();
                        tokio::task::yield_now().await;
                    }
                })
                .await;
            (number, recorder.enqueued::<Add>())
        })
    });

    for run in runs.collect::<Vec<_>>() {
        let (number, tasks) = run.await.unwrap();
        assert_eq!(tasks.len(), 50);
        assert!(tasks.iter().all(|task| task.left == number));
    }
}

#[tokio::test]
async fn spawn_keeps_the_scope_and_tokio_spawn_leaves_it() {
    let (runtime, recorder) = recorded().await;

    let left = runtime
        .scope(async { tokio::spawn(async { Runtime::current().is_err() }).await.unwrap() })
        .await;
    runtime
        .spawn(Add { left: 1, right: 2 }.asap())
        .await
        .unwrap()
        .unwrap();
    let again = runtime.clone();
    runtime
        .scope(async move {
            again
                .spawn(async { Add { left: 3, right: 4 }.asap().await })
                .await
        })
        .await
        .unwrap()
        .unwrap();

    assert!(left);
    assert_eq!(recorder.envelopes().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_flush_waits_for_spawned_futures_and_then_for_messages() {
    let (runtime, recorder) = recorded().await;

    runtime.spawn(async {
        tokio::time::sleep(Duration::from_secs(9)).await;
        Add { left: 1, right: 2 }.asap().await
    });
    runtime.flush().await;

    assert_eq!(recorder.envelopes().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_flush_gives_up_on_futures_that_never_end_and_says_so() {
    let logs = Logs::capture();
    let (runtime, _recorder) = recorded().await;

    let endless = runtime.spawn(std::future::pending::<()>());
    runtime.flush().await;

    assert!(logs.text().contains("did not end in time"), "{}", logs.text());
    endless.abort();
}

#[tokio::test(start_paused = true)]
async fn a_spawned_future_that_flushes_does_not_wait_for_itself() {
    let (runtime, recorder) = recorded().await;
    let started = tokio::time::Instant::now();
    let flushing = runtime.clone();

    let spawned = runtime.spawn(async move {
        Add { left: 1, right: 2 }.asap().await.unwrap();
        flushing.flush().await;
    });
    spawned.await.unwrap();

    // The clock of a test stands still unless somebody waits for a time.
    assert_eq!(started.elapsed(), Duration::ZERO);
    assert_eq!(recorder.envelopes().len(), 1);
}

#[tokio::test]
async fn a_spawned_future_that_panics_or_is_aborted_is_not_waited_for() {
    let (runtime, _recorder) = recorded().await;

    let panicking = runtime.spawn(async { panic!("at the disco") });
    let aborted = runtime.spawn(std::future::pending::<()>());
    aborted.abort();
    runtime.flush().await;

    assert!(panicking.await.unwrap_err().is_panic());
    assert!(aborted.await.unwrap_err().is_cancelled());
}
