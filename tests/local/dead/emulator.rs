//! Through Google's Pub/Sub emulator, where there is one; see `tests/emulator/main.rs` for how it is found.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use cloud_tasks::setup::{Action, ResourceKind};
use cloud_tasks::{Config, PublisherTask, Task};
use http::Method;
use serde_json::json;

use super::stage::{Anything, Charge, Stage};
use crate::support::pubsub::{emulator, rest};

/// The emulator delivers what it has within far less than this.
const QUIET: Duration = Duration::from_secs(2);

/// Projects of one process, and of those that share an emulator with it, differ.
fn own_project() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let next = NEXT.fetch_add(1, Ordering::Relaxed);
    format!("dead-{}-{next}", std::process::id())
}

async fn stage(host: &str, project: &str) -> Stage {
    let config = Config::default()
        .with_app_name("shop")
        .with_project(project)
        .with_pubsub_emulator_host(host);
    Stage::set_with(config).await
}

#[tokio::test]
async fn set_up_makes_the_topic_and_what_keeps_it_and_a_dead_task_is_recorded_listed_and_replayed() {
    let Some(host) = emulator("set_up_makes_the_topic_and_what_keeps_it") else {
        return;
    };
    let project = own_project();
    let stage = stage(&host, &project).await;
    let dead = stage.runtime.dead_tasks("dead-charges");
    let plan = stage.runtime.setup().only_subscribers().plan().await.unwrap();

    let report = plan.apply().await.unwrap();
    let charge = Charge { invoice: 7 }.asap().header("x-request-id", "r1");
    charge.on(&stage.runtime).await.unwrap();
    stage.idle("shop").await;
    stage.shop.lines();
    let listed = dead.list().idle_timeout(QUIET).await.unwrap();
    stage.shop.open();
    let replayed = dead.replay().idle_timeout(QUIET).await.unwrap();
    stage.idle("shop").await;
    let after = dead.replay().idle_timeout(QUIET).await.unwrap();

    let names = ["shop--dead-charges", "shop--dead-tasks"];
    // The other subscribers of this program have topics, and dead letters, as well.
    for kind in [ResourceKind::Topic, ResourceKind::DeadLetterSubscription] {
        let added = report.names(Action::Add, kind).into_iter();
        let dead: Vec<_> = added.filter(|name| name.starts_with("shop--dead")).collect();
        assert_eq!(dead, names, "{kind:?}");
    }
    let path = format!("projects/{project}/subscriptions/shop--dead-charges");
    let (status, made) = rest(&host, Method::GET, &path, &json!({})).await;
    assert_eq!(status, 200, "{made}");
    assert_eq!(
        made["topic"],
        format!("projects/{project}/topics/shop--dead-charges")
    );
    let [task] = &listed.tasks[..] else {
        panic!("{listed:?}")
    };
    assert_eq!(
        (task.task(), task.attempts(), task.body()),
        ("Charge", 3, &br#"{"invoice":7}"#[..])
    );
    assert_eq!((replayed.replayed, replayed.left.len()), (1, 0));
    assert_eq!(stage.shop.lines(), ["charge 7 attempt 1 in shop for r1"]);
    assert_eq!((after.replayed, after.left.len()), (0, 0));
    stage.strike().await;
}

#[tokio::test]
async fn what_stays_is_given_back_and_is_there_the_next_time() {
    let Some(host) = emulator("what_stays_is_given_back") else {
        return;
    };
    let stage = stage(&host, &own_project()).await;
    let plan = stage.runtime.setup().only_subscribers().plan().await.unwrap();
    plan.apply().await.unwrap();
    Anything(json!({"some": "event"}))
        .sync()
        .on(&stage.runtime)
        .await
        .unwrap();
    let dead = stage.runtime.dead_tasks("dead-charges");

    let first = dead.replay().idle_timeout(QUIET).await.unwrap();
    let second = dead.replay().idle_timeout(QUIET).await.unwrap();

    assert_eq!((first.replayed, first.left.len()), (0, 1));
    assert_eq!((second.replayed, second.left.len()), (0, 1));
    assert_eq!(first.left[0].message_id, second.left[0].message_id);
    stage.strike().await;
}

#[tokio::test]
async fn a_subscription_that_nobody_made_is_an_error_that_says_who_does() {
    let Some(host) = emulator("a_subscription_that_nobody_made") else {
        return;
    };
    let stage = stage(&host, &own_project()).await;

    let error = stage
        .runtime
        .dead_tasks("dead-charges")
        .list()
        .await
        .unwrap_err()
        .to_string();

    assert!(
        error.contains("check that the subscription exists; `Runtime::setup` creates it"),
        "{error}"
    );
    stage.strike().await;
}
