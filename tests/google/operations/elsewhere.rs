//! Runtimes whose tasks do not go to Cloud Tasks.

use cloud_tasks::queue::{QueueExt, QueueState};
use cloud_tasks::{ErrorKind, Runtime, Task};

use super::played::Send;
use crate::support::nowhere::Nowhere;

#[tokio::test]
async fn the_queues_of_an_eager_runtime_are_always_empty() {
    let runtime = Runtime::eager().build().await.unwrap();
    Send { user_id: 7 }
        .asap()
        .task_id("7")
        .on(&runtime)
        .await
        .unwrap();
    let queue = runtime.queue("emails");

    assert!(queue.get("7").await.unwrap().is_none());
    assert!(queue.list().try_next().await.unwrap().is_none());
    assert!(!queue.cancel("7").await.unwrap());
    assert!(!Send::queued_tasks().on(&runtime).run_now("7").await.unwrap());
    assert_eq!(queue.delete_tasks().await.unwrap().scanned, 0);
    queue.pause().await.unwrap();
    queue.resume().await.unwrap();
    queue.purge().await.unwrap();
    assert_eq!(queue.info().await.unwrap().state, QueueState::Running);
    assert_eq!(runtime.default_queue().name(), "tasks");
}

#[tokio::test]
async fn a_backend_of_the_users_has_no_operations_and_says_so() {
    let builder = Runtime::builder()
        .backend(Nowhere::default())
        .allow_unauthenticated();
    let runtime = builder.build().await.unwrap();
    let queue = runtime.queue("emails");

    for error in [
        queue.get("7").await.unwrap_err(),
        queue.list().try_next().await.unwrap_err(),
        queue.delete_tasks().await.unwrap_err(),
        queue.purge().await.unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(error.to_string().contains("has no queue operations"), "{error}");
    }
}

#[tokio::test]
async fn without_a_runtime_every_way_says_so() {
    let mut list = Send::queued_tasks().list();
    let first = list.try_next().await.unwrap_err();
    let second = list.try_next().await.unwrap();

    assert!(first.is_no_runtime() && second.is_none());
    assert!(Send::queued_tasks().get("7").await.unwrap_err().is_no_runtime());
    assert!(
        Send::queued_tasks()
            .run_here("7")
            .await
            .unwrap_err()
            .is_no_runtime()
    );
    assert!(
        Send::queued_tasks()
            .delete_tasks()
            .await
            .unwrap_err()
            .is_no_runtime()
    );
}
