//! Plans for many.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::extract::State;
use axum::http::Method;
use axum::routing::any;
use axum::{Json, Router};
use cloud_tasks::__private::{Registration, Resolved, Resolver};
use cloud_tasks::event::Topic;
use cloud_tasks::task::Registered;
use cloud_tasks::{Context, Message, Runtime, SubscriberTask, TaskResult};
use serde_json::{Value, json};

use crate::cloud::{Cloud, NUMBER, SUBSCRIPTIONS};
use crate::support::api::{config, google};
use crate::support::server::Port;

/// One of a hundred subscribers, told apart by two digits.
struct Many<const A: u8, const B: u8>;

impl<const A: u8, const B: u8> Many<A, B> {
    const LETTERS: [u8; 6] = [b'M', b'a', b'n', b'y', b'0' + A, b'0' + B];
    const NAME: &str = match std::str::from_utf8(&Self::LETTERS) {
        Ok(name) => name,
        Err(_) => "",
    };
}

// What `#[task]` writes, but for a name that the type's arguments are part of.
impl<const A: u8, const B: u8> Registered for Many<A, B> {
    const __REGISTRATION: Registration =
        Registration::subscriber::<Self>(Self::NAME, concat!(file!(), ":", line!()));

    fn __state(states: &mut Resolver<'_>) -> Resolved {
        states.each::<()>()
    }
}

impl<const A: u8, const B: u8> SubscriberTask for Many<A, B> {
    type State = ();
    type Content = Value;
    type Attributes = cloud_tasks::event::Attributes;
    type Output = ();

    fn topic() -> Topic {
        Topic::new("many")
    }

    fn parse(data: &[u8]) -> Result<Value, cloud_tasks::BoxError> {
        Ok(serde_json::from_slice(data)?)
    }

    async fn run(_message: Message<Value>, _cx: Context) -> TaskResult {
        Ok(())
    }
}

fn ten<const A: u8>() -> [Registration; 10] {
    [
        Many::<A, 0>::__REGISTRATION,
        Many::<A, 1>::__REGISTRATION,
        Many::<A, 2>::__REGISTRATION,
        Many::<A, 3>::__REGISTRATION,
        Many::<A, 4>::__REGISTRATION,
        Many::<A, 5>::__REGISTRATION,
        Many::<A, 6>::__REGISTRATION,
        Many::<A, 7>::__REGISTRATION,
        Many::<A, 8>::__REGISTRATION,
        Many::<A, 9>::__REGISTRATION,
    ]
}

fn hundred() -> Vec<Registration> {
    let mut all = Vec::new();
    all.extend(ten::<0>());
    all.extend(ten::<1>());
    all.extend(ten::<2>());
    all.extend(ten::<3>());
    all.extend(ten::<4>());
    all.extend(ten::<5>());
    all.extend(ten::<6>());
    all.extend(ten::<7>());
    all.extend(ten::<8>());
    all.extend(ten::<9>());
    all
}

#[tokio::test]
async fn a_plan_for_a_hundred_subscriptions_takes_a_handful_of_calls() {
    let cloud = Cloud::new().await;
    let runtime = cloud
        .builder(config().with_app_name("shop"))
        .register_all(hundred())
        .build()
        .await
        .unwrap();
    let plan = || runtime.setup().project_number(NUMBER).plan();

    let first = plan().await.unwrap();
    let read = cloud.calls().await;
    let report = first.apply().await.unwrap();
    let second = plan().await.unwrap();

    // Topics, subscriptions, queues, jobs; and two policies, for the one subscriber with dead letters.
    assert_eq!(read.len(), 6, "{read:?}");
    assert_eq!(report.subscribers, Some(103));
    assert!(second.is_empty(), "{second}");
    let made = cloud.calls().await;
    let prefix = format!("PUT /v1/{SUBSCRIPTIONS}/shop--Many");
    assert_eq!(made.iter().filter(|call| call.starts_with(&prefix)).count(), 100);
}

/// How many calls are under way, and the most that ever were.
#[derive(Clone, Default)]
struct Busy {
    now: Arc<AtomicUsize>,
    most: Arc<AtomicUsize>,
}

async fn count(State(busy): State<Busy>, method: Method) -> Json<Value> {
    if method == Method::PUT {
        let now = busy.now.fetch_add(1, Ordering::SeqCst) + 1;
        busy.most.fetch_max(now, Ordering::SeqCst);
        // Long enough for others to come, as many as do.
        for _ in 0..200 {
            tokio::task::yield_now().await;
        }
        busy.now.fetch_sub(1, Ordering::SeqCst);
    }
    Json(json!({}))
}

#[tokio::test]
async fn a_hundred_subscriptions_are_made_side_by_side_and_never_more_than_sixteen_at_once() {
    let busy = Busy::default();
    let port = Port::open().await;
    let url = port.url().to_owned();
    let app = Router::new().fallback(any(count)).with_state(busy.clone());
    let _server = port.serve(app);
    let runtime = Runtime::builder()
        .config(config().with_app_name("shop"))
        .google(google(&url).pubsub_endpoint(&url))
        .allow_unsigned_pushes()
        .register_all(hundred())
        .build()
        .await
        .unwrap();

    let plan = runtime.setup().only_subscribers().plan().await.unwrap();
    plan.apply().await.unwrap();

    let most = busy.most.load(Ordering::SeqCst);
    assert!((2..=16).contains(&most), "{most}");
}
