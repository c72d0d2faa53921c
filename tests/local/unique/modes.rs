//! What becomes of duplicates in this process.

use std::time::Duration;

use cloud_tasks::commit::CommitHooks;
use cloud_tasks::{ModelPublisherTask, PeriodicTask, PublisherTask, Runtime, Task};

use super::tasks::{Bulletin, Count, Customer, Log, Migrate, Order, OrderMade, Paid, Plain, Purchase, eager};

fn charge(at: u64) -> Purchase {
    let name = format!("customer at {at}");
    Purchase {
        order_id: 7,
        customer: Customer { id: 3, name },
        at,
    }
}

#[tokio::test]
async fn a_duplicate_is_a_value_and_nothing_waits_twice() {
    let (runtime, recorder) = Runtime::recorded().build().await.unwrap();

    let first = charge(1).asap().on(&runtime).await.unwrap();
    let second = charge(2).asap().on(&runtime).await.unwrap();

    assert_eq!((first.duplicate(), second.duplicate()), (false, true));
    assert_eq!(first.id(), second.id());
    assert_eq!(recorder.enqueued::<Purchase>().len(), 1);
    assert_eq!(recorder.enqueued::<Purchase>()[0].at, 1);
}

#[tokio::test]
async fn another_queue_has_ids_of_its_own() {
    let (runtime, recorder) = Runtime::recorded().build().await.unwrap();

    let first = charge(1).asap().on(&runtime).await.unwrap();
    let elsewhere = charge(1).asap().queue("slow").on(&runtime).await.unwrap();

    assert_eq!(first.id(), elsewhere.id());
    assert!(!elsewhere.duplicate());
    assert_eq!(recorder.envelopes().len(), 2);
}

#[tokio::test]
async fn a_task_stays_the_same_one_after_it_ran_from_the_record() {
    let log = Log::default();
    let (runtime, recorder) = Runtime::recorded().state(log.clone()).build().await.unwrap();

    Count { number: 1 }.asap().on(&runtime).await.unwrap();
    recorder.drain().await.unwrap();
    let again = Count { number: 1 }.asap().on(&runtime).await.unwrap();

    assert!(again.duplicate());
    assert_eq!(recorder.drain().await.unwrap(), 0);
    assert_eq!(log.numbers(), [1]);
}

#[tokio::test]
async fn the_id_of_a_call_wins_over_its_key_and_its_key_over_the_types() {
    let (runtime, _recorder) = Runtime::recorded().build().await.unwrap();
    let window = Duration::from_secs(60 * 60 * 24 * 365 * 1000);

    let of_type = charge(1).asap().on(&runtime).await.unwrap();
    let of_key = charge(1).asap().unique_key("k").on(&runtime).await.unwrap();
    let of_key_again = charge(2).asap().unique_key("k").on(&runtime).await.unwrap();
    let of_window = charge(2).asap().unique_for(window).on(&runtime).await.unwrap();
    let of_id = charge(1)
        .asap()
        .task_id("i")
        .unique_key("k")
        .on(&runtime)
        .await
        .unwrap();

    assert_ne!(of_type.id(), of_key.id());
    assert_eq!(of_key.id(), of_key_again.id());
    assert_ne!(of_window.id(), of_type.id());
    assert_eq!(of_id.id(), "i");
}

#[tokio::test]
async fn a_window_of_a_call_keeps_what_the_type_is_unique_by() {
    let (runtime, _recorder) = Runtime::recorded().build().await.unwrap();
    let window = Duration::from_secs(60 * 60 * 24 * 365 * 1000);

    let first = charge(1)
        .later(window.min(Duration::from_secs(60)))
        .unique_for(window)
        .on(&runtime)
        .await
        .unwrap();
    let second = charge(2).asap().unique_for(window).on(&runtime).await.unwrap();

    assert!(!first.duplicate() && second.duplicate());
}

#[tokio::test]
async fn a_task_that_is_unique_nowhere_runs_as_often_as_it_is_enqueued() {
    let (runtime, recorder) = Runtime::recorded().build().await.unwrap();

    for _ in 0..3 {
        assert!(!Plain { number: 1 }.asap().on(&runtime).await.unwrap().duplicate());
    }

    assert_eq!(recorder.envelopes().len(), 3);
    assert!(
        recorder
            .envelopes()
            .iter()
            .all(|envelope| envelope.id().is_none())
    );
}

#[tokio::test]
async fn a_task_that_runs_only_once_has_its_name_as_its_id_whatever_its_arguments() {
    let (runtime, _recorder) = Runtime::recorded().build().await.unwrap();

    let first = Migrate { step: 1 }.asap().on(&runtime).await.unwrap();
    let second = Migrate { step: 2 }.asap().on(&runtime).await.unwrap();

    assert_eq!(first.id(), "Migrate");
    assert!(!first.duplicate() && second.duplicate());
}

#[tokio::test]
async fn a_run_of_a_schedule_by_hand_is_the_same_task_as_one_with_its_payload() {
    let (runtime, _recorder) = Runtime::recorded().build().await.unwrap();

    let by_hand = Bulletin::run_scheduled().on(&runtime).await.unwrap();
    let again = Bulletin::run_scheduled().on(&runtime).await.unwrap();
    let equal = Bulletin { limit: 10 }.asap().on(&runtime).await.unwrap();
    let other = Bulletin { limit: 11 }.asap().on(&runtime).await.unwrap();

    let duplicates = [by_hand, again, equal, other].map(|enqueued| enqueued.duplicate());
    assert_eq!(duplicates, [false, true, true, false]);
}

#[tokio::test]
async fn an_event_is_unique_by_fields_of_its_content() {
    let (runtime, recorder) = Runtime::recorded().build().await.unwrap();
    let order = |total| Order { id: 7, total };

    let paid = Paid {
        order_id: 7,
        cents: 1,
    }
    .asap()
    .on(&runtime)
    .await
    .unwrap();
    let paid_more = Paid {
        order_id: 7,
        cents: 2,
    }
    .asap()
    .attribute("a", "b")
    .on(&runtime)
    .await
    .unwrap();
    let keyed = Paid {
        order_id: 7,
        cents: 2,
    }
    .asap()
    .unique_key(2)
    .on(&runtime)
    .await
    .unwrap();
    let made = OrderMade::of(&order(1)).asap().on(&runtime).await.unwrap();
    let made_more = OrderMade::of(&order(2)).asap().on(&runtime).await.unwrap();

    let duplicates = [paid, paid_more, keyed, made, made_more].map(|enqueued| enqueued.duplicate());
    assert_eq!(duplicates, [false, true, false, false, true]);
    assert_eq!(recorder.envelopes().len(), 3);
}

#[tokio::test]
async fn a_message_that_is_published_at_once_is_never_a_duplicate() {
    let (runtime, recorder) = Runtime::recorded().build().await.unwrap();

    for _ in 0..2 {
        Paid {
            order_id: 7,
            cents: 1,
        }
        .sync()
        .on(&runtime)
        .await
        .unwrap();
        OrderMade::of(&Order { id: 7, total: 1 })
            .sync()
            .on(&runtime)
            .await
            .unwrap();
    }

    assert_eq!(recorder.publications().len(), 4);
}

#[tokio::test]
async fn a_task_that_waits_for_a_commit_has_the_same_id() {
    let (runtime, recorder) = Runtime::recorded().build().await.unwrap();
    let mut hooks = CommitHooks::new();

    charge(1).asap().on(&runtime).on_commit(&mut hooks).unwrap();
    Paid {
        order_id: 7,
        cents: 1,
    }
    .asap()
    .on(&runtime)
    .on_commit(&mut hooks)
    .unwrap();
    hooks.run().await.unwrap();

    assert!(charge(2).asap().on(&runtime).await.unwrap().duplicate());
    assert!(
        Paid {
            order_id: 7,
            cents: 2
        }
        .asap()
        .on(&runtime)
        .await
        .unwrap()
        .duplicate()
    );
    assert_eq!(recorder.envelopes().len(), 2);
}

#[tokio::test]
async fn in_eager_mode_a_task_that_succeeded_or_was_discarded_does_not_run_again() {
    let log = Log::default();
    let runtime = eager(&log).await;

    let first = Count { number: 1 }.asap().on(&runtime).await.unwrap();
    let second = Count { number: 1 }.asap().on(&runtime).await.unwrap();
    let discarded = Count { number: 17 }.asap().on(&runtime).await.unwrap_err();
    let after_it = Count { number: 17 }.asap().on(&runtime).await.unwrap();

    assert_eq!((first.duplicate(), second.duplicate()), (false, true));
    assert!(discarded.is_discarded());
    assert!(after_it.duplicate());
    assert_eq!(log.numbers(), [1, 17]);
}

#[tokio::test]
async fn in_eager_mode_a_task_that_failed_can_be_enqueued_again() {
    let log = Log::default();
    let runtime = eager(&log).await;

    let failed = Count { number: 13 }.asap().on(&runtime).await.unwrap_err();
    let again = Count { number: 13 }.asap().on(&runtime).await.unwrap();
    let after_it = Count { number: 13 }.asap().on(&runtime).await.unwrap();

    assert!(failed.is_task());
    assert_eq!((again.duplicate(), after_it.duplicate()), (false, true));
    assert_eq!(log.numbers(), [13, 13]);
}

#[tokio::test]
async fn in_eager_mode_each_runtime_remembers_for_itself() {
    let log = Log::default();
    let (one, other) = (eager(&log).await, eager(&log).await);

    for runtime in [&one, &other] {
        assert!(!Count { number: 1 }.asap().on(runtime).await.unwrap().duplicate());
    }

    assert_eq!(log.numbers(), [1, 1]);
}
