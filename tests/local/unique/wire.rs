//! Unique tasks as Cloud Tasks gets them.

use cloud_tasks::task::{Enqueue, Enqueued};
use cloud_tasks::{Runtime, Task};
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::tasks::{Count, Migrate, Plain};
use crate::dependencies::with_dependencies;
use crate::support::api::{QUEUES, config, created, google, refused, sent};

async fn runtime(api: &MockServer) -> Runtime {
    with_dependencies(Runtime::builder())
        .config(config())
        .google(google(api.uri()))
        .build()
        .await
        .unwrap()
}

/// The name that a task is created under.
async fn name(enqueue: Enqueue) -> String {
    let api = MockServer::start().await;
    Mock::given(any()).respond_with(created).mount(&api).await;

    enqueue.on(&runtime(&api).await).await.unwrap();

    let requests = api.received_requests().await.unwrap();
    assert_eq!(requests.len(), 1);
    sent(&requests[0])["task"]["name"].as_str().unwrap().to_owned()
}

async fn answered(answer: ResponseTemplate) -> Enqueued {
    let api = MockServer::start().await;
    Mock::given(any())
        .respond_with(answer)
        .expect(1)
        .mount(&api)
        .await;

    Count { number: 7 }.asap().on(&runtime(&api).await).await.unwrap()
}

#[tokio::test]
async fn the_name_of_a_unique_task_is_this_to_the_letter() {
    // What waits at Google is known by it: it must never change.
    assert_eq!(
        name(Count { number: 7 }.asap()).await,
        format!("{QUEUES}/counts/tasks/GyLlcLC3nw7nwp5wzVBYc1kUEH-TQhuFanP1bYjrQ8s")
    );
    assert_eq!(
        name(Plain { number: 1 }.asap().unique_key(("invoice", 7))).await,
        format!("{QUEUES}/tasks/tasks/XY68LhLJ2v0L6jPcGUZ0Mi6u9uTXMKPavlBar1WRSqY")
    );
    assert_eq!(
        name(Migrate { step: 1 }.asap()).await,
        format!("{QUEUES}/tasks/tasks/Migrate")
    );
}

#[tokio::test]
async fn a_task_that_exists_is_a_duplicate_and_not_an_error() {
    let enqueued = answered(refused(409, "ALREADY_EXISTS", "Requested entity already exists")).await;

    assert!(enqueued.duplicate());
    assert_eq!(
        (enqueued.queue(), enqueued.id()),
        ("counts", "GyLlcLC3nw7nwp5wzVBYc1kUEH-TQhuFanP1bYjrQ8s")
    );
}

#[tokio::test]
async fn a_task_whose_name_is_blocked_after_it_ran_is_a_duplicate_as_well() {
    let blocked = "The task cannot be created because a task with this name existed too recently.";

    let enqueued = answered(refused(409, "ALREADY_EXISTS", blocked)).await;

    assert!(enqueued.duplicate());
}
