//! Effects with keys of their own, inside of tasks.

use std::sync::Arc;

use cloud_tasks::idempotency::{MemoryStore, Once};
use cloud_tasks::{Context, Discard, ErrorKind, Runtime, Task, TaskResult, task};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::Notify;

use crate::support::deliveries::{Effects, answer, delivery};

/// Several effects, of which one fails in the first attempt.
#[derive(Deserialize, Serialize)]
struct Order {
    discards: bool,
}

#[task]
impl Task for Order {
    async fn run(self, cx: Context<Effects>) -> TaskResult<Value> {
        let effects = cx.state();
        let first = cx.once("order-1", effects.charge(1)).await?;
        let second = async {
            effects.happen(2);
            match (effects.of(2), self.discards) {
                (1, true) => Err(Discard::new("it is gone"))?,
                (1, false) => Err("out of paper")?,
                _ => TaskResult::Ok("a receipt"),
            }
        };
        let second = cx.once("order-2", second).await?;
        Ok(json!([first.is_already_done(), second.ran()]))
    }
}

#[derive(Clone, Default)]
pub(super) struct Signals {
    started: Arc<Notify>,
    finish: Arc<Notify>,
}

/// Its effect waits until it may end.
#[derive(Deserialize, Serialize)]
struct SlowEffect;

#[task]
impl Task for SlowEffect {
    async fn run(self, cx: Context<Signals>) -> TaskResult {
        let effect = async {
            cx.state().started.notify_one();
            cx.state().finish.notified().await;
            TaskResult::Ok(())
        };
        cx.once("slow", effect).await?;
        Ok(())
    }
}

fn order(discards: bool) -> axum::extract::Request {
    delivery("Order", "a", &json!({ "discards": discards }))
}

#[tokio::test]
async fn of_several_effects_those_that_happened_are_not_repeated() {
    let (runtime, effects) = super::runtime(MemoryStore::new()).await;

    let first = answer(&runtime, order(false)).await;
    let second = answer(&runtime, order(false)).await;
    let third = answer(&runtime, order(false)).await;

    assert_eq!(first.0, 500);
    assert_eq!(second.1["result"], json!([true, "a receipt"]));
    assert_eq!(third.1["result"], json!([true, null]));
    assert_eq!((effects.of(1), effects.of(2)), (1, 2));
}

#[tokio::test]
async fn an_effect_that_discards_is_done() {
    let (runtime, effects) = super::runtime(MemoryStore::new()).await;

    let first = answer(&runtime, order(true)).await;
    let second = answer(&runtime, order(true)).await;

    assert_eq!((first.0, second.0), (202, 200));
    assert_eq!((effects.of(1), effects.of(2)), (1, 1));
}

#[tokio::test]
async fn a_task_is_retried_while_its_effect_is_in_progress_elsewhere() {
    let signals = Signals::default();
    let (runtime, _) = super::runtime_with_signals(MemoryStore::new(), &signals).await;

    let first = runtime.spawn({
        let runtime = runtime.clone();
        async move { answer(&runtime, delivery("SlowEffect", "a", &Value::Null)).await }
    });
    signals.started.notified().await;
    let during = answer(&runtime, delivery("SlowEffect", "b", &Value::Null)).await;
    let in_process = SlowEffect.asap().on(&runtime).await.unwrap_err();
    signals.finish.notify_one();
    let first = first.await.unwrap();
    let after = answer(&runtime, delivery("SlowEffect", "b", &Value::Null)).await;

    assert_eq!((first.0, during.0, after.0), (200, 409, 200));
    assert_eq!(in_process.kind(), ErrorKind::InProgress);
    assert!(in_process.is_in_progress());
}

#[tokio::test]
async fn without_a_store_nothing_runs_and_the_error_says_how_to_name_one() {
    let effects = Effects::default();
    let runtime = Runtime::eager().state(effects.clone()).build().await.unwrap();

    let error = Order { discards: false }.asap().on(&runtime).await.unwrap_err();

    let told = format!("{error:#}");
    assert!(told.contains("effect/order-1 was not run"), "{told}");
    assert!(told.contains("`.idempotency(MemoryStore::new())`"), "{told}");
    assert_eq!(effects.count(), (0, 0));
}

#[tokio::test]
async fn an_effect_has_a_value_only_where_it_ran() {
    assert_eq!(Once::Ran(7).ran(), Some(7));
    assert_eq!(Once::<u8>::AlreadyDone.ran(), None);
    assert!(Once::<u8>::AlreadyDone.is_already_done() && !Once::Ran(7).is_already_done());
}
