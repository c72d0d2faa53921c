//! Many tests at once in one process: each has a runtime of its own, and none sees another.

use std::time::Duration;

use cloud_tasks::testing::Signer;
use cloud_tasks::{PublisherTask, Runtime, Task};
use tokio::task::JoinSet;
use tower::ServiceExt;

use crate::tasks::{Log, Note, OrderPlaced, new_year, note, seconds};

/// What a test of a service does, with a number of its own everywhere.
async fn whole_test(number: u64) {
    let log = Log::default();
    let signer = Signer::new().unwrap();
    let start = new_year() + seconds(number);
    let builder = Runtime::recorded()
        .starting_at(start)
        .verified_by(&signer)
        .state(log.clone());
    let (runtime, recorder) = builder.build().await.unwrap();
    let text = |kind: &str| format!("{kind} {number}");

    let enqueue = async {
        note(&text("later")).later(seconds(60)).await.unwrap();
        tokio::task::yield_now().await;
        OrderPlaced { order_id: number }.sync().await.unwrap();
    };
    runtime.scope(enqueue).await;
    let inline = async {
        tokio::task::yield_now().await;
        note(&text("inline")).asap().on(&runtime).await.unwrap();
    };
    recorder.inline(inline).await;
    let performed = runtime.perform(note(&text("performed"))).await.unwrap();
    performed.assert_done();
    let request = signer
        .callback(&runtime, &note(&text("called")))
        .request()
        .unwrap();
    let status = runtime.service().oneshot(request).await.unwrap().status();

    assert_eq!(status, 200);
    recorder.assert_enqueued_count::<Note>(1);
    recorder.assert_published::<OrderPlaced>(|event, _| event.order_id == number);
    recorder.refute_published::<OrderPlaced>(|event, _| event.order_id != number);
    let due = recorder.drain_due().await.unwrap();
    assert_eq!(
        due, 2,
        "the message and the task that it is forwarded to, and not the note"
    );
    recorder.advance(Duration::from_secs(60));
    assert_eq!(recorder.now(), start + seconds(60));
    recorder.drain().await.unwrap();
    assert_eq!(
        &log.lines()[..3],
        [text("inline"), text("performed"), text("called")]
    );
    assert!(log.lines().contains(&text("later")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn fifty_tests_at_once_do_not_see_each_other() {
    let mut tests = JoinSet::new();
    for number in 1..=50 {
        tests.spawn(whole_test(number));
    }

    let outcomes = tests.join_all().await;

    assert_eq!(outcomes.len(), 50);
}
