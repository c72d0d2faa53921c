//! Against Google's Pub/Sub emulator: topics, push subscriptions, publishing, pushes, redelivery, dead letters, order.
//!
//! `PUBSUB_EMULATOR_HOST` names the emulator; without it one from the installed Cloud SDK is started, for the whole test
//! binary and on loopback. Where there is none, every test says `SKIPPED` on standard error. Cloud Tasks is the local
//! engine. Every test has a project of its own, so any number of them shares an emulator.
//!
//! What the emulator cannot do, and so nothing here shows: it ignores filters, signs no pushes, leaves `orderingKey` and
//! `deliveryAttempt` out of them, takes the answer 202 for a failure, answers IAM with 501, changes neither expiration
//! nor filter of a subscription, and its first retry comes after about a second whatever the backoff.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::Path;
use axum::http::{HeaderMap, Method, Request, StatusCode};
use axum::routing::post;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use cloud_tasks::backend::{LocalEngine, RetrySettings};
use cloud_tasks::event::Attributes;
use cloud_tasks::runtime::{Embedded, RuntimeBuilder};
use cloud_tasks::setup::{Action, ResourceKind, SetUpReport};
use cloud_tasks::{
    Config, Context, Discard, Error, Message, PublisherTask, Runtime, SubscriberTask, TaskResult, task,
};
use futures_util::future::{join_all, poll_immediate, try_join_all};
use http_body_util::Full;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use crate::engine;
use crate::support::calls::Calls;
use crate::support::pubsub::{self, make_topic, rest};
use crate::support::server::{Port, Server};
use crate::support::wait::{next, within};

/// A message that arrived, as its subscriber saw it.
#[derive(Debug)]
struct Delivery {
    number: u64,
    attributes: Attributes,
    id: String,
    subscription: String,
    traceparent: Option<String>,
}

/// Where subscribers tell what arrives.
#[derive(Clone)]
pub(crate) struct Journal {
    deliveries: mpsc::UnboundedSender<Delivery>,
    /// How often a message came so far.
    times: Arc<Mutex<HashMap<String, u32>>>,
}

impl Journal {
    /// A journal that nobody reads.
    pub(crate) fn unread() -> Self {
        Self::new().0
    }

    fn new() -> (Self, mpsc::UnboundedReceiver<Delivery>) {
        let (deliveries, delivered) = mpsc::unbounded_channel();
        let times = Arc::default();
        (Self { deliveries, times }, delivered)
    }

    /// Notes a delivery, and says which one of its message it is.
    fn note(
        &self,
        number: u64,
        attributes: Attributes,
        id: &str,
        subscription: &str,
        headers: &HeaderMap,
    ) -> u32 {
        let delivery = Delivery {
            number,
            attributes,
            id: id.to_owned(),
            subscription: subscription.to_owned(),
            traceparent: headers
                .get("traceparent")
                .map(|value| value.to_str().unwrap().to_owned()),
        };
        // A test may be over by now.
        let _ = self.deliveries.send(delivery);
        let mut times = self.times.lock().unwrap();
        let times = times.entry(format!("{subscription} {id}")).or_default();
        *times += 1;
        *times
    }
}

macro_rules! event {
    ($event:ident, $subscriber:ident, { $($publisher:tt)* }, { $($options:tt)* }, $outcome:expr) => {
        #[derive(Serialize, Deserialize)]
        struct $event {
            number: u64,
        }

        #[task($($publisher)*)]
        impl PublisherTask for $event {}

        struct $subscriber;

        #[task($($options)*)]
        impl SubscriberTask for $subscriber {
            async fn run(message: Message<$event>, cx: Context<Journal>) -> TaskResult {
                let Message { content, attributes, id, subscription, .. } = message;
                let headers = cx.metadata().headers();
                let time = cx.state().note(content.number, attributes, &id, &subscription, headers);
                let outcome: fn(u32) -> TaskResult = $outcome;
                outcome(time)
            }
        }
    };
}

event!(Placed, Clerk, { topic = "orders-placed" }, {}, |_| Ok(()));
event!(Shaky, Stumbler, { topic = "shaky" }, { min_backoff = "0s", max_backoff = "1s" }, |time| {
    if time == 1 { Err("stumbled")? }
    Ok(())
});
event!(
    Doomed,
    Failing,
    { topic = "doomed" },
    { max_retries = 5, min_backoff = "0s", max_backoff = "1s", dead_letter_topic = "doomed-failed" },
    |_| Err("never".into())
);
event!(Page, Follower, { topic = "pages" }, { ordering = true }, |_| Ok(
    ()
));
event!(
    Dropped,
    Refuser,
    { topic = "dropped" },
    { ordering = true },
    |_| Err(Discard::new("not for us"))?
);
event!(Chosen, Chooser, { topic = "chosen" }, { ordering = true }, |_| {
    Err(Discard::new("not for us").status(204)?)?
});
event!(Tuned, Tuner, { topic = "tuned" }, {
    filter = r#"attributes.kind = "loud""#, ack_deadline = "20s", retention = "1h", expiration = "2d", oidc = true
}, |_| Ok(()));

/// A service with its local engine, on ports of their own, and an emulator that it has set up.
struct Stage {
    emulator: String,
    project: String,
    runtime: Runtime,
    engine: LocalEngine,
    endpoint: String,
    deliveries: mpsc::UnboundedReceiver<Delivery>,
    server: Server,
}

impl Stage {
    /// `None` where there is no emulator.
    async fn set(test: &str) -> Option<Self> {
        let stage = Self::bare(test).await?;
        set_up(&stage.runtime).await;
        Some(stage)
    }

    /// The same, before anything was set up.
    async fn bare(test: &str) -> Option<Self> {
        let emulator = pubsub::emulator(test)?;
        let port = Port::open().await;
        let endpoint = port.url().to_owned();
        let project = own_project();
        let (journal, deliveries) = Journal::new();
        let (runtime, engine) = local(config(&emulator, &project).with_endpoint(&endpoint))
            .state(journal)
            .allow_emulator_pushes()
            .build()
            .await
            .unwrap();
        let app = Router::new()
            .route("/place/{number}", post(place))
            .layer(runtime.layer());
        let server = port.serve(app);
        Some(Self {
            emulator,
            project,
            runtime,
            engine,
            endpoint,
            deliveries,
            server,
        })
    }

    async fn next(&mut self) -> Delivery {
        next(&mut self.deliveries).await
    }

    async fn get(&self, collection: &str, name: &str) -> Value {
        let path = format!("projects/{}/{collection}/{name}", self.project);
        let (status, answer) = rest(&self.emulator, Method::GET, &path, &json!({})).await;
        assert_eq!(status, 200, "{path}: {answer}");
        answer
    }

    async fn strike(self) {
        self.engine.stop().await;
        self.server.stop().await;
    }
}

/// Projects of one process, and of those that share an emulator with it, differ.
fn own_project() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let next = NEXT.fetch_add(1, Ordering::Relaxed);
    format!("test-{}-{next}", std::process::id())
}

fn config(emulator: &str, project: &str) -> Config {
    Config::default()
        .with_app_name("shop")
        .with_project(project)
        .with_pubsub_emulator_host(emulator)
        .with_enqueue_retry(RetrySettings::off())
}

/// A runtime whose tasks go through the local engine.
fn local(config: Config) -> RuntimeBuilder<Embedded> {
    Runtime::local()
        .config(config)
        .state(Journal::unread())
        .state(engine::Journal::unread())
}

/// Places an order by a task.
async fn place(Path(number): Path<u64>) -> Result<(), StatusCode> {
    Placed { number }
        .asap()
        .attribute("kind", "web")
        .await
        .map(drop)
        .map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)
}

/// Sets up the subscribers of this file.
async fn set_up(runtime: &Runtime) -> SetUpReport {
    let setup = runtime
        .setup()
        .only::<Clerk>()
        .only::<Stumbler>()
        .only::<Failing>()
        .only::<Follower>()
        .only::<Refuser>()
        .only::<Chooser>()
        .only::<Tuner>();
    setup.plan().await.unwrap().apply().await.unwrap()
}

/// A runtime that publishes to `emulator` and serves nothing.
async fn publisher(emulator: &str, project: &str) -> (Runtime, LocalEngine) {
    local(config(emulator, project)).build().await.unwrap()
}

#[tokio::test]
async fn set_up_makes_topics_and_push_subscriptions() {
    let Some(stage) = Stage::bare("set_up_makes_topics_and_push_subscriptions").await else {
        return;
    };

    let report = set_up(&stage.runtime).await;

    let names = [
        "Chooser", "Clerk", "Failing", "Follower", "Refuser", "Stumbler", "Tuner",
    ];
    assert_eq!(report.names(Action::Add, ResourceKind::Subscription), names);
    let mut lines = vec![format!(
        "Successfully initialized 7 subscribers to domain {}",
        stage.endpoint
    )];
    lines.extend(names.map(|name| format!("[+] {name}")));
    assert!(report.to_string().starts_with(&lines.join("\n")), "{report}");
    assert!(report.unchanged.is_empty() && report.held_back.is_empty());
    let made = |path: &str| {
        let path = format!("projects/{}/{path}", stage.project);
        report.changes.iter().any(|change| change.resource == path)
    };
    assert!(
        made("topics/shop--orders-placed") && made("topics/shop--doomed-failed"),
        "{report:?}"
    );
    assert!(made("subscriptions/shop--doomed-failed"), "{report:?}");

    let topic = stage.get("topics", "shop--orders-placed").await["name"].clone();
    let clerk = stage.get("subscriptions", "shop--Clerk").await;
    assert_eq!(clerk["topic"], topic);
    let pushed_to = format!("{}/subscriptions/Clerk", stage.endpoint);
    assert_eq!(clerk["pushConfig"], json!({"pushEndpoint": pushed_to}));
    let tuner = stage.get("subscriptions", "shop--Tuner").await;
    assert_eq!(tuner["filter"], r#"attributes.kind = "loud""#);
    assert_eq!(tuner["ackDeadlineSeconds"], 20);
    assert_eq!(tuner["messageRetentionDuration"], "3600s");
    assert_eq!(tuner["expirationPolicy"], json!({"ttl": "172800s"}));
    assert_eq!(
        stage.get("subscriptions", "shop--Follower").await["enableMessageOrdering"],
        true
    );
    let failing = stage.get("subscriptions", "shop--Failing").await;
    let dead_letters = format!("projects/{}/topics/shop--doomed-failed", stage.project);
    assert_eq!(
        failing["deadLetterPolicy"],
        json!({"deadLetterTopic": dead_letters, "maxDeliveryAttempts": 5}),
    );
    assert_eq!(
        failing["retryPolicy"],
        json!({"minimumBackoff": "0s", "maximumBackoff": "1s"})
    );
    let letters = stage.get("subscriptions", "shop--doomed-failed").await;
    assert_eq!(letters["topic"], dead_letters.as_str());
    assert_eq!(letters["pushConfig"], json!({}));
    stage.strike().await;
}

#[tokio::test]
async fn a_second_set_up_changes_only_what_differs() {
    let Some(stage) = Stage::set("a_second_set_up_changes_only_what_differs").await else {
        return;
    };

    let again = set_up(&stage.runtime).await;
    assert_eq!(again.unchanged.len(), 7, "{again:?}");
    assert!(again.changes.is_empty(), "{again:?}");

    // The service has moved, and someone has made the topic of one subscription by hand before.
    let (moved, engine) =
        local(config(&stage.emulator, &stage.project).with_endpoint("http://127.0.0.1:9/moved/"))
            .build()
            .await
            .unwrap();
    let report = set_up(&moved).await;
    let changed = report.names(Action::Change, ResourceKind::Subscription);
    assert_eq!(changed.len(), 7, "{report:?}");
    assert!(report.to_string().contains("\n[~] Clerk\n"), "{report}");
    let clerk = stage.get("subscriptions", "shop--Clerk").await;
    assert_eq!(
        clerk["pushConfig"]["pushEndpoint"],
        "http://127.0.0.1:9/moved/subscriptions/Clerk"
    );
    assert_eq!(
        stage.get("subscriptions", "shop--Tuner").await["ackDeadlineSeconds"],
        20
    );
    engine.stop().await;
    stage.strike().await;
}

#[tokio::test]
async fn a_subscription_whose_subscriber_is_gone_is_deleted_with_prune_alone() {
    let Some(stage) =
        Stage::bare("a_subscription_whose_subscriber_is_gone_is_deleted_with_prune_alone").await
    else {
        return;
    };
    let setup = || stage.runtime.setup().only_subscribers();
    setup().plan().await.unwrap().apply().await.unwrap();
    let project = &stage.project;
    let path = format!("projects/{project}/subscriptions/shop--Gone");
    let subscription = json!({
        "topic": format!("projects/{project}/topics/shop--tuned"),
        "pushConfig": {"pushEndpoint": format!("{}/subscriptions/Gone", stage.endpoint)},
    });
    let (status, answer) = rest(&stage.emulator, Method::PUT, &path, &subscription).await;
    assert_eq!(status, 200, "{answer}");

    let kept = setup().plan().await.unwrap().apply().await.unwrap();
    let (there, _) = rest(&stage.emulator, Method::GET, &path, &json!({})).await;
    let report = setup().prune().plan().await.unwrap().apply().await.unwrap();
    let (gone, _) = rest(&stage.emulator, Method::GET, &path, &json!({})).await;

    assert_eq!(
        (kept.held_back.len(), there.as_u16(), gone.as_u16()),
        (1, 200, 404)
    );
    assert_eq!(report.names(Action::Delete, ResourceKind::Subscription), ["Gone"]);
    stage.strike().await;
}

#[tokio::test]
async fn a_subscription_that_cannot_be_changed_is_reported_and_kept() {
    let Some(stage) = Stage::bare("a_subscription_that_cannot_be_changed_is_reported_and_kept").await else {
        return;
    };
    let project = &stage.project;
    let topic = format!("projects/{project}/topics/shop--tuned");
    make_topic(&stage.emulator, &topic).await;
    let path = format!("projects/{project}/subscriptions/shop--Tuner");
    let subscription =
        json!({"topic": topic, "filter": "attributes:other", "expirationPolicy": {"ttl": "172800s"}});
    let (status, answer) = rest(&stage.emulator, Method::PUT, &path, &subscription).await;
    assert_eq!(status, 200, "{answer}");

    let report = set_up(&stage.runtime).await;

    assert_eq!(
        report.names(Action::Change, ResourceKind::Subscription),
        ["Tuner"]
    );
    assert_eq!(report.held_back.len(), 1);
    assert_eq!(
        report.held_back[0].change.to_string(),
        "[~] subscription Tuner\n      filter: attributes:other -> attributes.kind = \"loud\"\n      loses: unacknowledged messages, since the subscription is recreated"
    );
    let tuner = stage.get("subscriptions", "shop--Tuner").await;
    assert_eq!(tuner["filter"], "attributes:other");
    assert_eq!(tuner["ackDeadlineSeconds"], 20);
    stage.strike().await;
}

#[tokio::test]
async fn a_detached_subscription_is_recreated_with_what_was_set_by_hand() {
    let Some(stage) = Stage::bare("a_detached_subscription_is_recreated_with_what_was_set_by_hand").await
    else {
        return;
    };
    let topic = format!("projects/{}/topics/shop--tuned", stage.project);
    make_topic(&stage.emulator, &topic).await;
    let path = format!("projects/{}/subscriptions/shop--Tuner", stage.project);
    let subscription = json!({
        "topic": topic,
        "filter": "attributes:other",
        "labels": {"team": "by-hand"},
        "retainAckedMessages": true,
        // The emulator has no call that detaches it.
        "detached": true,
        "messageTransforms": [{"javascriptUdf": {"functionName": "same", "code": "function same(m, _) { return m; }"}}],
    });
    let (status, answer) = rest(&stage.emulator, Method::PUT, &path, &subscription).await;
    assert_eq!(status, 200, "{answer}");
    let made = stage.get("subscriptions", "shop--Tuner").await;
    let setup = || stage.runtime.setup().only::<Tuner>();

    let careful = setup().plan().await.unwrap();
    let allowed = setup().allow_data_loss().plan().await.unwrap();
    allowed.apply().await.unwrap();

    assert!(
        careful.to_string().contains("detached: true -> false"),
        "{careful}"
    );
    let after = stage.get("subscriptions", "shop--Tuner").await;
    assert_eq!(after["filter"], "attributes.kind = \"loud\"");
    for field in ["topic", "labels", "retainAckedMessages", "messageTransforms"] {
        assert_eq!(after[field], made[field], "{after}");
    }
    assert!(after["detached"].is_null(), "{after}");
    assert!(setup().plan().await.unwrap().is_empty());
    stage.strike().await;
}

#[tokio::test]
async fn a_message_that_is_published_inline_reaches_its_subscriber() {
    let Some(mut stage) = Stage::set("a_message_that_is_published_inline_reaches_its_subscriber").await
    else {
        return;
    };

    let id = Placed { number: 7 }
        .sync()
        .attribute("kind", "loud")
        .on(&stage.runtime)
        .await
        .unwrap();

    let delivery = stage.next().await;
    assert_eq!((delivery.number, &delivery.id), (7, &id));
    assert_eq!(
        delivery.attributes,
        Attributes::from([("kind".to_owned(), "loud".to_owned())])
    );
    assert_eq!(
        delivery.subscription,
        format!("projects/{}/subscriptions/shop--Clerk", stage.project)
    );
    stage.strike().await;
}

#[tokio::test]
async fn a_message_that_is_published_by_a_task_keeps_the_trace_of_the_request() {
    let Some(mut stage) = Stage::set("a_message_that_is_published_by_a_task_keeps_the_trace").await else {
        return;
    };
    let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let request = Request::post(format!("{}/place/8", stage.endpoint))
        .header("traceparent", trace)
        .body(Full::<Bytes>::default())
        .unwrap();

    let response = Client::builder(TokioExecutor::new())
        .build_http()
        .request(request)
        .await
        .unwrap();

    assert_eq!(response.status(), 200);
    let delivery = stage.next().await;
    assert_eq!(delivery.number, 8);
    assert_eq!(delivery.traceparent.as_deref(), Some(trace));
    assert_eq!(delivery.attributes["kind"], "web");
    assert_eq!(delivery.attributes["googclient_traceparent"], trace);
    stage.strike().await;
}

#[tokio::test]
async fn a_message_whose_subscriber_fails_comes_again() {
    let Some(mut stage) = Stage::set("a_message_whose_subscriber_fails_comes_again").await else {
        return;
    };

    let id = Shaky { number: 1 }.sync().on(&stage.runtime).await.unwrap();

    assert_eq!(stage.next().await.id, id);
    let again = stage.next().await;
    assert_eq!((again.number, again.id), (1, id));
    stage.strike().await;
}

#[tokio::test]
async fn a_message_that_fails_five_times_becomes_a_dead_letter() {
    let Some(mut stage) = Stage::set("a_message_that_fails_five_times_becomes_a_dead_letter").await else {
        return;
    };

    let id = Doomed { number: 13 }.sync().on(&stage.runtime).await.unwrap();

    for _ in 0..5 {
        assert_eq!(stage.next().await.id, id);
    }
    let path = format!(
        "projects/{}/subscriptions/shop--doomed-failed:pull",
        stage.project
    );
    let pull = async {
        loop {
            let (status, answer) =
                rest(&stage.emulator, Method::POST, &path, &json!({"maxMessages": 1})).await;
            assert_eq!(status, 200, "{answer}");
            if let Some(letter) = answer["receivedMessages"].get(0) {
                return letter["message"].clone();
            }
        }
    };
    let letter = within(pull).await;
    let data = STANDARD.decode(letter["data"].as_str().unwrap()).unwrap();
    assert_eq!(data, br#"{"number":13}"#);
    assert!(stage.deliveries.try_recv().is_err(), "it came a sixth time");
    stage.strike().await;
}

#[tokio::test]
async fn messages_of_one_key_arrive_in_the_order_in_which_they_were_published() {
    let Some(mut stage) = Stage::set("messages_of_one_key_arrive_in_order").await else {
        return;
    };

    // Polled in their order, and not one after the other: what makes batches, and so mixes them up if anything does.
    let publishing = (0..50).map(|number| {
        Page { number }
            .sync()
            .ordering_key("walk")
            .on(&stage.runtime)
            .into_future()
    });
    try_join_all(publishing).await.unwrap();

    for number in 0..50 {
        assert_eq!(stage.next().await.number, number);
    }
    stage.strike().await;
}

/// A discarded message would come again before the next one of its key, so the order shows that it did not.
#[tokio::test]
async fn a_discarded_message_is_delivered_once() {
    let Some(mut stage) = Stage::set("a_discarded_message_is_delivered_once").await else {
        return;
    };

    for number in 0..3 {
        Dropped { number }
            .sync()
            .ordering_key("k")
            .on(&stage.runtime)
            .await
            .unwrap();
    }
    for number in 0..3 {
        assert_eq!(stage.next().await.number, number);
    }

    for number in 0..3 {
        Chosen { number }
            .sync()
            .ordering_key("k")
            .on(&stage.runtime)
            .await
            .unwrap();
    }
    for number in 0..3 {
        assert_eq!(stage.next().await.number, number);
    }
    stage.strike().await;
}

#[tokio::test]
async fn a_missing_topic_is_an_error_that_names_the_command_for_it() {
    let Some(stage) = Stage::bare("a_missing_topic_is_an_error_that_names_the_command_for_it").await else {
        return;
    };

    let error = Placed { number: 1 }.sync().on(&stage.runtime).await.unwrap_err();

    assert!(error.is_rejected() && !error.may_have_taken_effect(), "{error:?}");
    let topic = format!("projects/{}/topics/shop--orders-placed", stage.project);
    let text = format!("{error:#}");
    assert!(
        text.starts_with(&format!("the message to topic {topic} was not published: ")),
        "{text}"
    );
    assert!(
        text.ends_with(&format!("`gcloud pubsub topics create {topic}`")),
        "{text}"
    );
    stage.strike().await;
}

#[tokio::test]
async fn a_key_whose_message_failed_takes_the_next_one() {
    let Some(emulator) = pubsub::emulator("a_key_whose_message_failed_takes_the_next_one") else {
        return;
    };
    let project = own_project();
    let (runtime, engine) = publisher(&emulator, &project).await;
    let publish = |key: usize| {
        let publish = Placed { number: 1 }
            .sync()
            .ordering_key(format!("key-{key}"))
            .on(&runtime);
        publish.into_future()
    };

    for result in join_all((0..50).map(publish)).await {
        assert!(result.unwrap_err().is_rejected());
    }
    make_topic(
        &emulator,
        &format!("projects/{project}/topics/shop--orders-placed"),
    )
    .await;

    for result in join_all((0..50).map(publish)).await {
        result.unwrap();
    }
    engine.stop().await;
}

#[tokio::test]
async fn many_at_once_go_in_few_calls_and_one_alone_waits_for_nothing() {
    let Some(emulator) = pubsub::emulator("many_at_once_go_in_few_calls_and_one_alone_waits_for_nothing")
    else {
        return;
    };
    let calls = Calls::to(&emulator).await;
    let project = own_project();
    make_topic(
        &emulator,
        &format!("projects/{project}/topics/shop--orders-placed"),
    )
    .await;
    let (runtime, engine) = publisher(calls.host(), &project).await;
    let publish = |number| Placed { number }.sync().on(&runtime).into_future();
    publish(0).await.unwrap();

    let before = calls.count();
    let ids = try_join_all((0..1000).map(publish)).await.unwrap();
    let batched = calls.count() - before;

    assert_eq!(ids.len(), 1000);
    assert!(
        (1..=20).contains(&batched),
        "1000 messages went in {batched} calls"
    );

    let before = calls.count();
    let mut fastest = Duration::MAX;
    for number in 0..50 {
        let started = Instant::now();
        publish(number).await.unwrap();
        fastest = fastest.min(started.elapsed());
    }
    assert_eq!(calls.count() - before, 50);
    // The client's own delay is 10 ms.
    assert!(
        fastest < Duration::from_millis(10),
        "the fastest of 50 took {fastest:?}"
    );
    engine.stop().await;
}

/// Nobody waits for it any more, and the tokio that it was published on ends: after a flush it is out all the same.
#[test]
fn a_flush_publishes_messages_that_nobody_awaits() {
    let tokio = || {
        tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap()
    };
    let serving = tokio();
    let test = "a_flush_publishes_messages_that_nobody_awaits";
    let Some(mut stage) = serving.block_on(Stage::set(test)) else {
        return;
    };
    let publishing = tokio();

    publishing.block_on(async {
        let (runtime, engine) = publisher(&stage.emulator, &stage.project).await;
        // The first one connects.
        Placed { number: 0 }.sync().on(&runtime).await.unwrap();
        for number in 1..=3 {
            let publish = Placed { number }.sync().on(&runtime).into_future();
            assert!(poll_immediate(publish).await.is_none());
        }
        runtime.flush().await;
        engine.stop().await;
    });
    publishing.shutdown_background();

    serving.block_on(async {
        let mut numbers = Vec::new();
        while numbers.len() < 4 {
            numbers.push(stage.next().await.number);
        }
        numbers.sort_unstable();
        assert_eq!(numbers, [0, 1, 2, 3]);
        stage.strike().await;
    });
}

#[tokio::test]
async fn a_pubsub_that_is_out_of_reach_leaves_tasks_alone() -> Result<(), Error> {
    let url = Port::open().await.url().to_owned();
    let nobody = url.trim_start_matches("http://");

    let (runtime, engine) = publisher(nobody, "any").await;
    let enqueued = Placed { number: 1 }.asap().on(&runtime).await?;
    assert_eq!(enqueued.queue(), "shop");
    let error = Placed { number: 1 }.sync().on(&runtime).await.unwrap_err();

    assert!(
        error.is_unavailable() && !error.may_have_taken_effect(),
        "{error:?}"
    );
    let unplanned = runtime.setup().only_subscribers().plan().await.unwrap_err();
    assert!(unplanned.is_unavailable(), "{unplanned:?}");
    for error in [error, unplanned] {
        let text = error.to_string();
        assert!(
            text.contains("if PUBSUB_EMULATOR_HOST is set, start its emulator or unset the variable"),
            "{text}"
        );
    }
    engine.stop().await;
    Ok(())
}
