//! Deliveries that come twice: one after the other, and at once.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use cloud_tasks::idempotency::MemoryStore;
use cloud_tasks::{Config, Context, Discard, Message, Runtime, SubscriberTask, Task, TaskResult, task};
use http::Request;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::Notify;

use crate::support::deliveries::{Charge, Effects, answer, assert_once_each, charge, delivery, push, storm};

/// Makes a task of each message.
struct Shipping;

#[task(topic = "orders", idempotent = true, use_cloud_tasks)]
impl SubscriberTask for Shipping {
    async fn run(message: Message<u64>, cx: Context<Effects>) -> TaskResult {
        cx.state().happen(message.content);
        Ok(())
    }
}

/// The same for somebody else.
struct Packing;

#[task(topic = "orders", idempotent = true, use_cloud_tasks)]
impl SubscriberTask for Packing {
    async fn run(message: Message<u64>, cx: Context<Effects>) -> TaskResult {
        cx.state().happen(message.content);
        Ok(())
    }
}

/// A subscriber that anybody may call.
struct Harmless;

#[task(topic = "orders", idempotent = true)]
impl SubscriberTask for Harmless {
    async fn run(message: Message<u64>, cx: Context<Effects>) -> TaskResult {
        cx.state().happen(message.content);
        Ok(())
    }
}

#[derive(Deserialize, Serialize)]
struct GiveUp;

#[task(idempotent)]
impl Task for GiveUp {
    async fn run(self, cx: Context<Effects>) -> TaskResult {
        cx.state().happen(0);
        Err(Discard::new("there is nothing to charge"))?
    }
}

#[derive(Default, Deserialize, Serialize)]
struct Tally;

#[task(idempotent, every = "@daily")]
impl Task for Tally {
    async fn run(self, cx: Context<Effects>) -> TaskResult {
        cx.state().happen(0);
        Ok(())
    }
}

/// Says that it started, and waits until it may end.
#[derive(Deserialize, Serialize)]
struct SlowDelivery;

#[derive(Clone, Default)]
pub(super) struct Signals {
    started: Arc<Notify>,
    finish: Arc<Notify>,
}

#[task(idempotent)]
impl Task for SlowDelivery {
    async fn run(self, cx: Context<(Effects, Signals)>) -> TaskResult {
        let (effects, signals) = cx.state();
        effects.happen(0);
        signals.started.notify_one();
        signals.finish.notified().await;
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn thousands_of_deliveries_half_of_them_doubled_have_each_effect_once_with_a_store_in_memory() {
    assert_once_each(MemoryStore::new(), 3000).await;
}

#[tokio::test]
async fn without_a_store_the_same_deliveries_have_double_effects() {
    let effects = Effects::default();
    let runtime = Runtime::eager().state(effects.clone()).build().await.unwrap();

    storm(&runtime, 100, |number| charge(number, &format!("task-{number}"))).await;

    assert_eq!(effects.count(), (100, 50));
}

#[tokio::test]
async fn a_repeated_delivery_is_answered_with_success_and_no_result() {
    let (runtime, effects) = super::runtime(MemoryStore::new()).await;

    let first = answer(&runtime, charge(7, "a")).await;
    let second = answer(&runtime, charge(7, "a")).await;
    let other = answer(&runtime, charge(7, "b")).await;

    assert_eq!(first, (200, json!({"result": 7, "status": "executed"})));
    assert_eq!(second, (200, json!({"result": null, "status": "executed"})));
    assert_eq!(other, first);
    assert_eq!(effects.of(7), 2);
}

#[tokio::test]
async fn tasks_without_an_id_are_not_taken_for_the_same() {
    let (runtime, effects) = super::runtime(MemoryStore::new()).await;

    for id in ["", " ", "\t"] {
        for _ in 0..2 {
            let (status, answered) = answer(&runtime, charge(7, id)).await;
            assert_eq!((status, &answered["result"]), (200, &json!(7)), "{id:?}");
        }
    }

    assert_eq!(effects.of(7), 6);
}

#[tokio::test]
async fn a_delivery_is_refused_while_another_one_is_in_progress() {
    let signals = Signals::default();
    let (runtime, effects) = super::runtime_with_signals(MemoryStore::new(), &signals).await;
    let request = || delivery("SlowDelivery", "a", &json!(null));

    let first = runtime.spawn({
        let (runtime, request) = (runtime.clone(), request());
        async move { answer(&runtime, request).await }
    });
    signals.started.notified().await;
    let during = answer(&runtime, request()).await;
    signals.finish.notify_one();
    let first = first.await.unwrap();
    let after = answer(&runtime, request()).await;

    let error = "Task SlowDelivery is under way in another delivery";
    assert_eq!(during, (409, json!({ "error": error })));
    assert_eq!((first.0, after.0, effects.of(0)), (200, 200, 1));
}

#[tokio::test]
async fn a_message_is_known_by_its_id_and_its_subscription() {
    let (runtime, effects) = super::runtime(MemoryStore::new()).await;

    for (id, expected) in [("1", 1), ("1", 1), ("2", 2), ("", 3), ("", 4)] {
        assert_eq!(answer(&runtime, push("Billing", 7, id)).await.0, 200);
        assert_eq!(effects.of(7), expected, "{id:?}");
    }
}

#[tokio::test]
async fn a_forwarded_message_is_known_by_its_id_whichever_task_was_made_of_it() {
    let effects = Effects::default();
    let (runtime, recorder) = Runtime::recorded()
        .state(effects.clone())
        .idempotency(MemoryStore::new())
        .build()
        .await
        .unwrap();
    for id in ["1", "2"] {
        answer(&runtime, push("Shipping", 7, id)).await;
    }
    let forwarded = recorder.envelopes();
    let request = |index: usize, id: &str| {
        let mut request = delivery("Shipping", id, &Value::Null);
        *request.body_mut() = forwarded[index].body().to_vec().into();
        let headers = forwarded[index].headers().clone();
        request.headers_mut().extend(headers);
        request
    };

    for (index, id, expected) in [(0, "a", 1), (0, "b", 1), (1, "c", 2), (1, "c", 2)] {
        assert_eq!(answer(&runtime, request(index, id)).await.0, 200);
        assert_eq!(effects.of(7), expected, "{id}");
    }
}

#[tokio::test]
async fn a_push_that_names_another_subscription_does_not_stand_for_its_message() {
    let (runtime, effects) = super::runtime(MemoryStore::new()).await;
    let mut forged = push("Billing", 7, "4242");
    *forged.uri_mut() = "/subscriptions/Harmless".parse().unwrap();

    let first = answer(&runtime, forged).await;
    let real = answer(&runtime, push("Billing", 7, "4242")).await;
    let again = answer(&runtime, push("Billing", 7, "4242")).await;

    assert_eq!((first.0, real.0, again.0), (200, 200, 200));
    assert_eq!(effects.of(7), 2);
}

#[tokio::test]
async fn a_message_makes_the_task_of_the_subscriber_that_is_called_whatever_subscription_it_names() {
    let (runtime, recorder) = Runtime::recorded()
        .state(Effects::default())
        .idempotency(MemoryStore::new())
        .build()
        .await
        .unwrap();
    for (subscription, path) in [
        ("Shipping", "/subscriptions/Shipping"),
        ("Other", "/subscriptions/Shipping"),
        ("Shipping", "/subscriptions/Packing"),
    ] {
        let mut request = push(subscription, 7, "1");
        *request.uri_mut() = path.parse().unwrap();
        assert_eq!(answer(&runtime, request).await.0, 200);
    }

    let ids: Vec<_> = recorder
        .envelopes()
        .iter()
        .map(|envelope| envelope.id().unwrap().to_owned())
        .collect();
    // The second is the first once more, and so makes no task of its own.
    assert_eq!(ids.len(), 2, "{ids:?}");
    assert_ne!(ids[0], ids[1]);
}

/// What tells two services apart that share a store, and the names of their queues and tasks.
#[tokio::test]
async fn services_that_share_a_store_run_their_own_tasks_messages_and_schedules() {
    let store = MemoryStore::new();
    let shop = || {
        Config::default()
            .with_app_name("shop")
            .with_project("acme")
            .with_location("europe-west1")
    };
    for (config, expected) in [
        (Config::default(), 1),
        (Config::default().with_endpoint("https://other.example"), 1),
        (shop(), 1),
        (shop().with_app_name("accounts"), 1),
        (shop().with_project("acme-staging"), 1),
        (shop().with_location("us-east1"), 1),
        // The same service once more, at another URL.
        (shop().with_endpoint("https://shop-2.example"), 0),
        (Config::default().with_endpoint("http://localhost:8080/"), 0),
    ] {
        let effects = Effects::default();
        let told = format!("{config:?}");
        let runtime = Runtime::eager()
            .config(config)
            .state(effects.clone())
            .idempotency(store.clone())
            .build()
            .await
            .unwrap();
        let digest = Request::post("/tasks/Tally")
            .header("x-cloudscheduler", "true")
            .header("x-cloudscheduler-jobname", "Tally")
            .header("x-cloudscheduler-scheduletime", "2026-01-01T00:00:00Z")
            .body(Body::from("{}"))
            .unwrap();
        for request in [charge(1, "a"), push("Billing", 2, "1"), digest] {
            assert_eq!(answer(&runtime, request).await.0, 200);
        }
        assert_eq!(
            [effects.of(1), effects.of(2), effects.of(0)],
            [expected; 3],
            "{told}"
        );
    }
}

#[tokio::test]
async fn a_scheduled_run_is_known_by_its_job_and_its_time() {
    let (runtime, effects) = super::runtime(MemoryStore::new()).await;
    let request = |time: &str| {
        let request = Request::post("/tasks/Tally")
            .header("x-cloudscheduler", "true")
            .header("x-cloudscheduler-jobname", "shop--Tally")
            .header("x-cloudscheduler-scheduletime", time);
        request.body(Body::from("{}")).unwrap()
    };

    for (time, expected) in [
        ("2026-01-01T00:00:00Z", 1),
        ("2026-01-01T00:00:00Z", 1),
        ("2026-01-01T01:00:00+01:00", 1),
        ("2026-01-02T00:00:00Z", 2),
    ] {
        assert_eq!(answer(&runtime, request(time)).await.0, 200);
        assert_eq!(effects.of(0), expected, "{time}");
    }
}

#[tokio::test]
async fn a_request_without_an_id_runs_whenever_it_comes() {
    let (runtime, effects) = super::runtime(MemoryStore::new()).await;

    for _ in 0..2 {
        let request = Request::post("/tasks/Charge")
            .body(r#"{"number": 7}"#.into())
            .unwrap();
        assert_eq!(answer(&runtime, request).await.0, 200);
    }

    assert_eq!(effects.of(7), 2);
}

#[tokio::test]
async fn a_task_that_discarded_itself_does_not_run_again() {
    let (runtime, effects) = super::runtime(MemoryStore::new()).await;

    let first = answer(&runtime, delivery("GiveUp", "a", &Value::Null)).await;
    let second = answer(&runtime, delivery("GiveUp", "a", &Value::Null)).await;

    assert_eq!((first.0, second.0, effects.of(0)), (202, 200, 1));
}

#[tokio::test]
async fn an_id_that_is_used_again_later_is_another_run() {
    let effects = Effects::default();
    let (runtime, recorder) = Runtime::recorded()
        .state(effects.clone())
        .state(Signals::default())
        .idempotency(MemoryStore::new())
        .build()
        .await
        .unwrap();
    let enqueue = async |number| {
        let named = Charge { number }.asap().task_id("a").on(&runtime).await.unwrap();
        let unique = Charge { number }
            .asap()
            .unique_key(number)
            .on(&runtime)
            .await
            .unwrap();
        [named, unique].map(|enqueued| enqueued.duplicate())
    };

    assert_eq!(enqueue(7).await, [false, false]);
    assert_eq!(enqueue(7).await, [true, true]);
    assert_eq!(recorder.drain().await.unwrap(), 2);
    assert_eq!(effects.of(7), 2);
    // The ids are free again, and the store still remembers both runs.
    recorder.advance(Duration::from_secs(2 * 24 * 60 * 60));
    assert_eq!(enqueue(7).await, [false, false]);
    assert_eq!(recorder.drain().await.unwrap(), 2);

    assert_eq!(effects.of(7), 4);
}

#[tokio::test]
async fn a_repeated_delivery_of_a_task_that_was_created_with_an_id_runs_once() {
    let (runtime, effects) = super::runtime(MemoryStore::new()).await;
    let creation = |nonce: &'static str| {
        let mut request = delivery("Charge", "a", &json!({"number": 7}));
        let nonce = http::HeaderValue::from_static(nonce);
        request.headers_mut().insert("x-cloud-tasks-creation", nonce);
        request
    };

    for nonce in ["one", "one", "other", "one", "other"] {
        assert_eq!(answer(&runtime, creation(nonce)).await.0, 200, "{nonce}");
    }

    assert_eq!(effects.of(7), 2);
}

#[tokio::test]
async fn the_store_in_memory_follows_the_clock_of_its_runtime() {
    let new_year = std::time::UNIX_EPOCH + Duration::from_secs(1_704_067_200);
    for shared in [false, true] {
        let store = MemoryStore::new();
        let builder = Runtime::recorded()
            .starting_at(new_year)
            .state(Effects::default())
            .state(Signals::default());
        let builder = if shared {
            builder.idempotency(Arc::new(store.clone()))
        } else {
            builder.idempotency(store.clone())
        };
        let (runtime, recorder) = builder.build().await.unwrap();
        Charge { number: 7 }.asap().on(&runtime).await.unwrap();
        recorder.drain().await.unwrap();

        recorder.advance(MemoryStore::DEFAULT_RETENTION.saturating_sub(Duration::from_secs(1)));
        assert_eq!(store.len(), 1);
        recorder.advance(Duration::from_secs(1));
        assert_eq!(store.len(), 0);
    }
}
