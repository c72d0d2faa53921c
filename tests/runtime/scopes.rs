use cloud_tasks::testing::Recorder;
use cloud_tasks::{ErrorKind, Runtime, Task};

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
