//! Messages under the local engine: published, pushed over HTTP to a server in this process, repeated and dead-lettered.

use std::future::pending;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::routing::post;
use bytes::Bytes;
use cloud_tasks::__private::Registration;
use cloud_tasks::backend::{LocalEngine, RetrySettings};
use cloud_tasks::{
    Config, Context, Discard, Message, PublisherTask, Runtime, SubscriberTask, TaskResult, task,
};
use http_body_util::{BodyExt, Empty};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::sync::mpsc;

use crate::emulator;
use crate::support::server::{Port, Server};
use crate::support::wait::{next, within};

/// What the subscribers of a test have done so far, in order.
#[derive(Clone)]
pub(crate) struct Journal {
    lines: Arc<Mutex<Vec<(&'static str, Value)>>>,
    changed: mpsc::UnboundedSender<()>,
}

impl Journal {
    /// A journal that nobody reads.
    pub(crate) fn unread() -> Self {
        Self::new().0
    }

    fn new() -> (Self, mpsc::UnboundedReceiver<()>) {
        let (changed, receiver) = mpsc::unbounded_channel();
        let lines = Arc::default();
        (Self { lines, changed }, receiver)
    }

    fn write(&self, subscriber: &'static str, line: Value) {
        self.lines.lock().unwrap().push((subscriber, line));
        // A test may be over by now.
        let _ = self.changed.send(());
    }

    /// What one subscriber has written.
    fn of(&self, subscriber: &str) -> Vec<Value> {
        let lines = self.lines.lock().unwrap();
        lines
            .iter()
            .filter(|(name, _)| *name == subscriber)
            .map(|(_, line)| line.clone())
            .collect()
    }
}

#[derive(Serialize, Deserialize)]
struct Order {
    id: u64,
}

#[task(topic = "orders")]
impl PublisherTask for Order {}

struct Billing;

#[task]
impl SubscriberTask for Billing {
    async fn run(message: Message<Order>, cx: Context<Journal>) -> TaskResult {
        let line = json!({
            "order": message.content.id,
            "attributes": message.attributes,
            "id": message.id,
            "subscription": message.subscription,
            "delivery_attempt": message.delivery_attempt,
            "published": message.publish_time.is_some(),
            "trace": cx.metadata().headers().get("traceparent").and_then(|value| value.to_str().ok()),
        });
        cx.state().write("Billing", line);
        Ok(())
    }
}

/// Sends books alone.
struct BookShipping;

#[task(filter = r#"attributes.category = "books""#)]
impl SubscriberTask for BookShipping {
    async fn run(message: Message<Order>, cx: Context<Journal>) -> TaskResult {
        cx.state().write("BookShipping", json!(message.content.id));
        Ok(())
    }
}

/// Fails so many times, then arrives.
#[derive(Serialize, Deserialize)]
struct Parcel {
    fails: usize,
}

#[task(topic = "parcels")]
impl PublisherTask for Parcel {}

fn carry(courier: &'static str, message: &Message<Parcel>, journal: &Journal) -> TaskResult {
    journal.write(courier, json!(message.delivery_attempt));
    if journal.of(courier).len() <= message.content.fails {
        Err("nobody is at home")?;
    }
    Ok(())
}

struct Courier;

#[task(
    filter = "NOT attributes:pigeon",
    dead_letter_topic = "lost-parcels",
    max_retries = 6,
    min_backoff = "20ms",
    max_backoff = "50ms"
)]
impl SubscriberTask for Courier {
    async fn run(message: Message<Parcel>, cx: Context<Journal>) -> TaskResult {
        carry("Courier", &message, cx.state())
    }
}

/// Leaves to the service how often it tries.
struct Pigeon;

#[task(
    filter = "attributes:pigeon",
    dead_letter_topic = "lost-parcels",
    min_backoff = "1ms",
    max_backoff = "1ms"
)]
impl SubscriberTask for Pigeon {
    async fn run(message: Message<Parcel>, cx: Context<Journal>) -> TaskResult {
        carry("Pigeon", &message, cx.state())
    }
}

struct LostAndFound;

#[task(topic = "lost-parcels")]
impl SubscriberTask for LostAndFound {
    async fn run(message: Message<Parcel>, cx: Context<Journal>) -> TaskResult {
        let line = json!({
            "fails": message.content.fails,
            "attributes": message.attributes,
            "id": message.id,
            "delivery_attempt": message.delivery_attempt,
        });
        cx.state().write("LostAndFound", line);
        Ok(())
    }
}

/// A message that fails so many times, and then passes, without anybody who counts.
#[derive(Serialize, Deserialize)]
struct Reminder {
    fails: usize,
}

#[task(topic = "reminders")]
impl PublisherTask for Reminder {}

struct Nagger;

#[task(min_backoff = "200ms", max_backoff = "200ms")]
impl SubscriberTask for Nagger {
    async fn run(message: Message<Reminder>, cx: Context<Journal>) -> TaskResult {
        cx.state().write("Nagger", json!(message.delivery_attempt));
        if cx.state().of("Nagger").len() <= message.content.fails {
            Err("not now")?;
        }
        Ok(())
    }
}

#[derive(Serialize, Deserialize)]
struct Offer {}

#[task(topic = "offers")]
impl PublisherTask for Offer {}

struct Decliner;

#[task]
impl SubscriberTask for Decliner {
    async fn run(_message: Message<Offer>, cx: Context<Journal>) -> TaskResult {
        cx.state().write("Decliner", json!("declined"));
        Err(Discard::new("no, thank you"))?
    }
}

#[derive(Serialize, Deserialize)]
struct Scan {
    pixels: String,
}

#[task(topic = "scans")]
impl PublisherTask for Scan {}

struct Archive;

#[task]
impl SubscriberTask for Archive {
    async fn run(message: Message<Scan>, cx: Context<Journal>) -> TaskResult {
        cx.state().write("Archive", json!(message.content.pixels.len()));
        Ok(())
    }
}

#[derive(Serialize, Deserialize)]
struct Notice {}

#[task(topic = "notices")]
impl PublisherTask for Notice {}

/// Its pushes carry a token, unless a test says otherwise.
struct Board;

#[task]
impl SubscriberTask for Board {
    async fn run(_message: Message<Notice>, cx: Context<Journal>) -> TaskResult {
        cx.state().write("Board", json!("read"));
        Ok(())
    }
}

#[derive(Serialize, Deserialize)]
struct Refund {
    id: u64,
}

#[task(topic = "refunds")]
impl PublisherTask for Refund {}

struct Accounting;

#[task(use_cloud_tasks, queue = "forwarded")]
impl SubscriberTask for Accounting {
    async fn run(message: Message<Refund>, cx: Context<Journal>) -> TaskResult {
        let line = json!({"refund": message.content.id, "id": message.id, "queue": cx.metadata().queue()});
        cx.state().write("Accounting", line);
        Ok(())
    }
}

#[derive(Serialize, Deserialize)]
struct Postcard {
    text: String,
}

#[task(topic = "postcards")]
impl PublisherTask for Postcard {}

/// Its messages are pushed to another server, where a test gives it one.
struct PenPal;

#[task]
impl SubscriberTask for PenPal {
    async fn run(_message: Message<Postcard>, cx: Context<Journal>) -> TaskResult {
        cx.state().write("PenPal", json!("read here"));
        Ok(())
    }
}

#[derive(Serialize, Deserialize)]
struct Riddle {}

#[task(topic = "riddles")]
impl PublisherTask for Riddle {}

/// Tells that the subscriber that holds it was dropped: it never ends by itself.
struct TellsCutOff(Journal);

impl Drop for TellsCutOff {
    fn drop(&mut self) {
        self.0.write("Thinker", json!("cut off"));
    }
}

struct Thinker;

#[task]
impl SubscriberTask for Thinker {
    async fn run(_message: Message<Riddle>, cx: Context<Journal>) -> TaskResult {
        let _cut_off = TellsCutOff(cx.state().clone());
        cx.state().write("Thinker", json!("started"));
        pending().await
    }
}

/// A step that fails the first so many times that any step is taken.
#[derive(Serialize, Deserialize)]
struct Step {
    number: u64,
    fails: usize,
}

#[task(topic = "steps")]
impl PublisherTask for Step {}

struct Walker;

#[task(ordering, min_backoff = "20ms", max_backoff = "20ms")]
impl SubscriberTask for Walker {
    async fn run(message: Message<Step>, cx: Context<Journal>) -> TaskResult {
        let line = json!([message.ordering_key, message.content.number]);
        cx.state().write("Walker", line.clone());
        let tries = cx
            .state()
            .of("Walker")
            .iter()
            .filter(|other| **other == line)
            .count();
        if tries <= message.content.fails {
            Err("stumbled")?;
        }
        Ok(())
    }
}

/// Nobody subscribes to it.
#[derive(Serialize, Deserialize)]
struct Echo {}

#[task(topic = "echoes")]
impl PublisherTask for Echo {}

/// A service with an engine of its own.
struct Shop {
    runtime: Runtime,
    engine: LocalEngine,
    endpoint: String,
    journal: Journal,
    changed: mpsc::UnboundedReceiver<()>,
    requests: Requests,
    server: Server,
}

/// The requests that a server got: path and headers.
type Requests = Arc<Mutex<Vec<(String, HeaderMap)>>>;

impl Shop {
    async fn open() -> Self {
        Self::open_with(Config::default(), []).await
    }

    async fn open_with(config: Config, registrations: impl IntoIterator<Item = Registration>) -> Self {
        let port = Port::open().await;
        let endpoint = port.url().to_owned();
        let (journal, changed) = Journal::new();
        let config = config
            .with_endpoint(&endpoint)
            .with_app_name("shop")
            .with_service_account("shop@local.iam.gserviceaccount.com");
        let (runtime, engine) = Runtime::local()
            .config(config)
            .state(journal.clone())
            .state(emulator::Journal::unread())
            .register_all(registrations)
            .allow_unsigned_pushes()
            .build()
            .await
            .unwrap();
        let requests = Requests::default();
        let app = Router::new()
            .layer(runtime.layer())
            .layer(middleware::from_fn_with_state(Arc::clone(&requests), note));
        let server = port.serve(app);
        Self {
            runtime,
            engine,
            endpoint,
            journal,
            changed,
            requests,
            server,
        }
    }

    async fn delivered(&self) {
        within(self.engine.wait_delivered()).await.unwrap();
    }

    /// Waits until a subscriber writes something.
    async fn next_line(&mut self) {
        next(&mut self.changed).await;
    }

    /// The headers of the only push to a subscriber.
    fn push_to(&self, subscriber: &str) -> HeaderMap {
        let requests = self.requests.lock().unwrap();
        let path = format!("/subscriptions/{subscriber}");
        let mut pushes = requests.iter().filter(|(to, _)| *to == path);
        let (_, headers) = pushes.next().unwrap();
        assert!(pushes.next().is_none(), "one push is expected");
        headers.clone()
    }

    async fn close(self) {
        within(self.engine.stop()).await;
        self.server.stop().await;
    }
}

async fn note(State(requests): State<Requests>, request: Request, next: Next) -> Response {
    let path = request.uri().path().to_owned();
    requests.lock().unwrap().push((path, request.headers().clone()));
    next.run(request).await
}

#[tokio::test]
async fn a_message_is_pushed_to_every_subscriber_of_its_topic() {
    let shop = Shop::open().await;

    let order = Order { id: 7 }.sync().attribute("category", "books");
    let id = order.on(&shop.runtime).await.unwrap();
    shop.delivered().await;

    assert_eq!(
        shop.journal.of("Billing"),
        [json!({
            "order": 7,
            "attributes": {"category": "books"},
            "id": id,
            "subscription": "projects/local/subscriptions/shop--Billing",
            "delivery_attempt": null,
            "published": true,
            "trace": null,
        })]
    );
    assert_eq!(shop.journal.of("BookShipping"), [7]);
    let headers = shop.push_to("Billing");
    assert_eq!(headers["content-type"], "application/json");
    assert!(
        headers["user-agent"]
            .to_str()
            .unwrap()
            .starts_with("APIs-Google;")
    );
    assert!(!headers.contains_key("x-cloudtasks-queuename"), "{headers:?}");
    shop.close().await;
}

#[tokio::test]
async fn a_filter_drops_messages_that_do_not_match() {
    let shop = Shop::open().await;

    let order = Order { id: 7 }.sync().attribute("category", "hats");
    order.on(&shop.runtime).await.unwrap();
    shop.delivered().await;

    assert_eq!(shop.journal.of("Billing").len(), 1);
    assert_eq!(shop.journal.of("BookShipping").len(), 0);
    shop.close().await;
}

#[tokio::test]
async fn a_message_that_nobody_subscribes_to_is_dropped() {
    let shop = Shop::open().await;

    let id = Echo {}.sync().on(&shop.runtime).await.unwrap();
    shop.delivered().await;

    assert!(id.bytes().all(|byte| byte.is_ascii_digit()), "{id}");
    assert_eq!(shop.requests.lock().unwrap().len(), 0);
    shop.close().await;
}

#[derive(Debug, Deserialize, PartialEq)]
struct Claims {
    email: String,
    email_verified: bool,
}

#[tokio::test]
async fn a_push_carries_a_token_that_the_engine_signed_for_this_service() {
    let shop = Shop::open().await;

    Order { id: 7 }.sync().on(&shop.runtime).await.unwrap();
    shop.delivered().await;

    let headers = shop.push_to("Billing");
    let token = headers["authorization"].to_str().unwrap();
    let claims = claims(&shop, token.strip_prefix("Bearer ").unwrap()).await;
    assert_eq!(
        claims,
        Claims {
            email: "shop@local.iam.gserviceaccount.com".into(),
            email_verified: true
        }
    );
    shop.close().await;
}

/// The claims of a token, checked as a service should: against the keys of the engine, for this endpoint.
async fn claims(shop: &Shop, token: &str) -> Claims {
    let url = format!("{}/jwks", shop.engine.url()).parse().unwrap();
    let client = Client::builder(TokioExecutor::new()).build_http::<Empty<Bytes>>();
    let keys = client
        .get(url)
        .await
        .unwrap()
        .into_body()
        .collect()
        .await
        .unwrap();
    let keys: JwkSet = serde_json::from_slice(&keys.to_bytes()).unwrap();
    let header = jsonwebtoken::decode_header(token).unwrap();
    let key = keys.find(header.kid.as_deref().unwrap()).unwrap();
    let mut validation = Validation::new(Algorithm::RS256);
    validation.set_required_spec_claims(&["exp", "iss", "aud"]);
    validation.set_issuer(&[shop.engine.url()]);
    validation.set_audience(&[shop.endpoint.as_str()]);
    let token = jsonwebtoken::decode::<Claims>(token, &DecodingKey::from_jwk(key).unwrap(), &validation);
    token.unwrap().claims
}

#[tokio::test]
async fn a_push_carries_no_token_if_the_subscriber_opts_out() {
    let board = Registration::subscriber::<Board>("Board", "").oidc(false);
    let shop = Shop::open_with(Config::default(), [board]).await;

    Notice {}.sync().on(&shop.runtime).await.unwrap();
    shop.delivered().await;

    assert_eq!(shop.journal.of("Board"), ["read"]);
    assert!(!shop.push_to("Board").contains_key("authorization"));
    shop.close().await;
}

#[tokio::test]
async fn a_delivery_that_fails_is_repeated_with_its_number_until_it_succeeds() {
    let shop = Shop::open().await;

    Parcel { fails: 2 }.sync().on(&shop.runtime).await.unwrap();
    shop.delivered().await;

    assert_eq!(shop.journal.of("Courier"), [1, 2, 3]);
    assert_eq!(shop.journal.of("LostAndFound").len(), 0);
    shop.close().await;
}

#[tokio::test]
async fn deliveries_are_the_subscriptions_backoff_apart_and_have_no_number_without_a_dead_letter_topic() {
    let shop = Shop::open().await;
    let started = Instant::now();

    Reminder { fails: 2 }.sync().on(&shop.runtime).await.unwrap();
    shop.delivered().await;

    assert_eq!(shop.journal.of("Nagger"), [Value::Null, Value::Null, Value::Null]);
    assert!(
        started.elapsed() >= Duration::from_millis(400),
        "{:?}",
        started.elapsed()
    );
    shop.close().await;
}

#[tokio::test]
async fn a_push_that_outlasts_the_ack_deadline_is_cut_off_and_repeated() {
    let mut shop = Shop::open().await;
    let started = Instant::now();

    Riddle {}.sync().on(&shop.runtime).await.unwrap();
    for _ in 0..3 {
        shop.next_line().await;
    }

    // The server may notice after the next delivery that the one before was given up.
    let lines = shop.journal.of("Thinker");
    assert_eq!(
        lines.iter().filter(|line| **line == "started").count(),
        2,
        "{lines:?}"
    );
    assert_eq!(
        lines.iter().filter(|line| **line == "cut off").count(),
        1,
        "{lines:?}"
    );
    assert!(
        started.elapsed() >= Duration::from_secs(10),
        "{:?}",
        started.elapsed()
    );
    shop.close().await;
}

#[tokio::test]
async fn a_message_that_is_discarded_is_delivered_once() {
    let shop = Shop::open().await;

    Offer {}.sync().on(&shop.runtime).await.unwrap();
    shop.delivered().await;

    assert_eq!(shop.journal.of("Decliner"), ["declined"]);
    shop.close().await;
}

#[tokio::test]
async fn a_message_that_fails_too_often_goes_to_the_dead_letter_topic_and_names_its_subscription() {
    let shop = Shop::open().await;

    let parcel = Parcel { fails: 99 }.sync().attribute("fragile", "yes");
    let id = parcel.on(&shop.runtime).await.unwrap();
    shop.delivered().await;

    assert_eq!(shop.journal.of("Courier"), [1, 2, 3, 4, 5, 6]);
    let [found] = &shop.journal.of("LostAndFound")[..] else {
        panic!(
            "one dead letter is expected: {:?}",
            shop.journal.of("LostAndFound")
        );
    };
    assert_eq!(found["fails"], 99);
    assert_ne!(found["id"], id);
    assert_eq!(found["delivery_attempt"], Value::Null);
    let mut attributes = found["attributes"].clone();
    let time = attributes["CloudPubSubDeadLetterSourceTopicPublishTime"].take();
    assert!(time.as_str().unwrap().ends_with("+00:00"), "{time}");
    assert_eq!(
        attributes,
        json!({
            "fragile": "yes",
            "CloudPubSubDeadLetterSourceDeliveryCount": "6",
            "CloudPubSubDeadLetterSourceSubscription": "shop--Courier",
            "CloudPubSubDeadLetterSourceSubscriptionProject": "local",
            "CloudPubSubDeadLetterSourceTopicPublishTime": null,
        })
    );
    shop.close().await;
}

#[tokio::test]
async fn a_message_is_dead_lettered_after_five_deliveries_by_default() {
    let shop = Shop::open().await;

    let parcel = Parcel { fails: 99 }.sync().attribute("pigeon", "");
    parcel.on(&shop.runtime).await.unwrap();
    shop.delivered().await;

    assert_eq!(shop.journal.of("Pigeon"), [1, 2, 3, 4, 5]);
    assert_eq!(shop.journal.of("LostAndFound").len(), 1);
    shop.close().await;
}

#[tokio::test]
async fn a_message_larger_than_a_task_can_be_arrives() {
    let shop = Shop::open().await;
    let size = 3_000_000;

    let scan = Scan {
        pixels: "x".repeat(size),
    };
    scan.sync().on(&shop.runtime).await.unwrap();
    shop.delivered().await;

    assert_eq!(shop.journal.of("Archive"), [size]);
    shop.close().await;
}

#[tokio::test]
async fn a_message_is_forwarded_to_a_task_that_runs_its_subscriber() {
    let shop = Shop::open().await;

    let id = Refund { id: 7 }.sync().on(&shop.runtime).await.unwrap();
    shop.delivered().await;
    within(shop.engine.wait_idle("forwarded")).await.unwrap();

    assert_eq!(
        shop.journal.of("Accounting"),
        [json!({"refund": 7, "id": id, "queue": "forwarded"})]
    );
    shop.push_to("Accounting");
    shop.close().await;
}

#[tokio::test]
async fn a_trace_goes_through_the_task_that_publishes_to_the_subscriber() {
    let shop = Shop::open().await;
    let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    let order = Order { id: 7 }.asap().header("traceparent", trace);
    order.on(&shop.runtime).await.unwrap();
    within(shop.engine.wait_idle("shop")).await.unwrap();
    shop.delivered().await;

    let [billed] = &shop.journal.of("Billing")[..] else {
        panic!("one message is expected");
    };
    assert_eq!(billed["trace"], trace);
    assert_eq!(billed["attributes"]["googclient_traceparent"], trace);
    shop.close().await;
}

/// A server that answers with these statuses in turn, and keeps what it got.
async fn pen_pal(answers: &[u16]) -> (String, Requests, Arc<Mutex<Vec<Value>>>, Server) {
    let port = Port::open().await;
    let url = format!("{}/letters", port.url());
    let requests = Requests::default();
    let bodies = Arc::<Mutex<Vec<Value>>>::default();
    let answers: Vec<_> = answers
        .iter()
        .map(|status| StatusCode::from_u16(*status).unwrap())
        .collect();
    let kept = Arc::clone(&bodies);
    let answer = move |body: String| async move {
        let mut bodies = kept.lock().unwrap();
        bodies.push(serde_json::from_str(&body).unwrap());
        answers[bodies.len() - 1]
    };
    let app = Router::new()
        .route("/letters", post(answer))
        .layer(middleware::from_fn_with_state(Arc::clone(&requests), note));
    let server = port.serve(app);
    (url, requests, bodies, server)
}

/// A shop whose pen pal has this URL. It is set here, since an option is a constant, and a port of a test is not.
async fn shop_with_pen_pal(url: String) -> Shop {
    let registration = Registration::subscriber::<PenPal>("PenPal", "")
        .url(url.leak())
        .min_backoff(Duration::from_millis(1))
        .max_backoff(Duration::from_millis(1));
    Shop::open_with(Config::default(), [registration]).await
}

#[tokio::test]
async fn a_subscription_may_push_to_another_server() {
    let (url, requests, bodies, _server) = pen_pal(&[200]).await;
    let shop = shop_with_pen_pal(url).await;

    let postcard = Postcard { text: "hello".into() };
    let id = postcard.sync().on(&shop.runtime).await.unwrap();
    shop.delivered().await;

    let body = bodies.lock().unwrap()[0].clone();
    assert_eq!(body["message"]["data"], "eyJ0ZXh0IjoiaGVsbG8ifQ==");
    assert_eq!(
        (&body["message"]["messageId"], &body["message"]["message_id"]),
        (&json!(id), &json!(id))
    );
    assert_eq!(body["message"]["publishTime"], body["message"]["publish_time"]);
    assert_eq!(body["subscription"], "projects/local/subscriptions/shop--PenPal");
    assert_eq!(body.get("deliveryAttempt"), None);
    assert!(requests.lock().unwrap()[0].1.contains_key("authorization"));
    assert_eq!(shop.journal.of("PenPal").len(), 0);
    shop.close().await;
}

#[tokio::test]
async fn only_the_codes_that_acknowledge_end_the_deliveries() {
    for acknowledges in [200, 201, 202, 204] {
        let answers = [206, 203, 302, 400, 404, 429, 500, 503, acknowledges];
        let (url, _, bodies, _server) = pen_pal(&answers).await;
        let shop = shop_with_pen_pal(url).await;

        let postcard = Postcard { text: "hello".into() };
        postcard.sync().on(&shop.runtime).await.unwrap();
        shop.delivered().await;

        assert_eq!(bodies.lock().unwrap().len(), answers.len());
        shop.close().await;
    }
}

#[tokio::test]
async fn messages_of_one_ordering_key_go_one_after_the_other() {
    let shop = Shop::open().await;

    for (key, number, fails) in [("a", 1, 2), ("a", 2, 1), ("b", 3, 0), ("a", 4, 0)] {
        let step = Step { number, fails }.sync().ordering_key(key);
        step.on(&shop.runtime).await.unwrap();
    }
    shop.delivered().await;

    let steps = shop.journal.of("Walker");
    let of_key = |key: &str| -> Vec<_> {
        steps
            .iter()
            .filter(|step| step[0] == key)
            .map(|step| step[1].clone())
            .collect()
    };
    assert_eq!(of_key("a"), [1, 1, 1, 2, 2, 4]);
    assert_eq!(of_key("b"), [3]);
    shop.close().await;
}

#[tokio::test]
async fn many_messages_at_once_all_arrive() {
    let shop = Shop::open().await;

    let orders = (0..50).map(|id| Order { id }.sync().on(&shop.runtime).into_future());
    let ids = futures_util::future::try_join_all(orders).await.unwrap();
    shop.delivered().await;

    let mut orders: Vec<_> = shop
        .journal
        .of("Billing")
        .iter()
        .map(|line| line["order"].as_u64().unwrap())
        .collect();
    orders.sort_unstable();
    assert_eq!(orders, (0..50).collect::<Vec<_>>());
    assert_eq!(ids.len(), 50);
    shop.close().await;
}

#[tokio::test]
async fn an_engine_stops_with_a_delivery_under_way_and_cuts_it_off() {
    let mut shop = Shop::open().await;
    let api: SocketAddr = shop
        .engine
        .url()
        .strip_prefix("http://")
        .unwrap()
        .parse()
        .unwrap();
    Riddle {}.sync().on(&shop.runtime).await.unwrap();
    shop.next_line().await;

    within(shop.engine.stop()).await;
    next(&mut shop.changed).await;

    assert_eq!(shop.journal.of("Thinker"), ["started", "cut off"]);
    assert!(TcpStream::connect(api).await.is_err());
    let error = Riddle {}.sync().on(&shop.runtime).await.unwrap_err();
    assert!(error.is_unavailable(), "{error:?}");
    shop.server.stop().await;
}

#[tokio::test]
async fn an_engine_stops_with_messages_that_wait_for_their_next_delivery() {
    let mut shop = Shop::open().await;
    Reminder { fails: 99 }.sync().on(&shop.runtime).await.unwrap();
    shop.next_line().await;

    shop.close().await;
}

#[tokio::test]
async fn messages_go_to_the_pubsub_emulator_if_the_settings_name_one() {
    let url = Port::open().await.url().to_owned();
    let config = Config::default()
        .with_pubsub_emulator_host(url.strip_prefix("http://").unwrap())
        .with_enqueue_retry(RetrySettings::off());
    let shop = Shop::open_with(config, []).await;

    let error = within(Order { id: 7 }.sync().on(&shop.runtime).into_future()).await;

    assert!(
        error.is_err(),
        "nobody listens where the emulator should be: {error:?}"
    );
    shop.delivered().await;
    assert_eq!(shop.journal.of("Billing").len(), 0);
    shop.close().await;
}
