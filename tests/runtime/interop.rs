//! Bodies in both directions between this library and django-cloud-tasks 2.21, which it is wire-compatible with.
//!
//! `tests/fixtures/django` holds what the Django library wrote, recorded by its `record.py`. What this library writes for
//! the same input stands in `from_rust` next to it and is read by the Django library with `record.py --check`;
//! `INTEROP=overwrite cargo test --test runtime interop` writes it again.
//!
//! What differs, and does not matter to either side:
//! * JSON: Django puts `", "` and `": "` between parts and escapes all that is not ASCII; we write neither blanks nor such
//!   escapes. Members stand in the order of the fields, which is a struct's here and the call's there.
//! * Dates and decimals are texts: Django's datetimes end in `+00:00`, its decimals keep their zeros. A struct that keeps
//!   them as `String` changes nothing; a type of chrono's reads them, and may write `Z` instead.
//! * Tasks: Django adds the header `X-CloudTasks-Projectname`, we add `Content-Type: application/json`.
//! * Messages: Django spells the carried headers as in `Traceparent`, we in lower case; both read either. We carry them as
//!   attributes too, so a Django subscriber sees `googclient_traceparent` among its attributes.
//! * Content: a Django subscriber finds `_http_headers` in it, also in a message that was forwarded to a task; ours never.
//! * Tasks made of a forwarded message: ours have an id made of the message's and a header `X-Cloud-Tasks-Message`.
//! * Answers: a discarded message gets 202 from Django and 200 from us; one that is no POST an empty page or a JSON error.
//!
//! What does matter, and cannot be helped:
//! * An ordering key travels as a member of a publisher's body, which Django refuses (`TypeError`): it knows no such keys.
//! * Python writes `NaN` and `Infinity`, which are not JSON and are refused here.
//! * Raw content that is forwarded to a task travels in base64 as `data`, which Django does not know.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use crate::support::http::send;
use axum::body::Body;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use cloud_tasks::backend::Envelope;
use cloud_tasks::event::{Attributes, Publication};
use cloud_tasks::testing::Recorder;
use cloud_tasks::{
    Config, Context, Discard, Message, Model, ModelPublisherTask, PublisherTask, Runtime, SubscriberTask,
    Task, TaskResult, task,
};
use http::{Request, Response};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

const TRACE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

/// Every field is written out, so that one that is lost or added is noticed.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
struct SendWelcomeEmail {
    user_id: u64,
    name: String,
    signed_up_at: String,
    born_on: String,
    trial: String,
    credit: String,
    token: String,
    ratio: f64,
    address: Address,
    tags: Vec<String>,
    referrer: Option<String>,
}

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
struct Address {
    city: String,
    lines: Vec<Option<String>>,
    geo: BTreeMap<String, f64>,
}

#[task]
impl Task for SendWelcomeEmail {
    async fn run(self, cx: Context<Seen>) -> TaskResult<Value> {
        let answer = json!({"sent_to": self.name, "credit": self.credit, "lines": self.address.lines.len()});
        cx.state().welcomed.lock().unwrap().push(self);
        Ok(answer)
    }
}

#[derive(Deserialize, Serialize)]
struct Discarding {
    #[serde(default)]
    status: Option<u16>,
}

#[task]
impl Task for Discarding {
    async fn run(self, _cx: Context) -> TaskResult {
        let discard = Discard::new("seen before");
        Err(match self.status {
            Some(status) => discard.status(status)?,
            None => discard,
        })?
    }
}

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
struct OrderShipped {
    order_id: u64,
    note: String,
    shipped_at: String,
    weight: String,
    tracking: String,
    lines: Vec<Line>,
}

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
struct Line {
    sku: String,
    price: String,
}

#[task]
impl PublisherTask for OrderShipped {}

#[derive(Model)]
#[model(app_label = "sales")]
struct Order {
    id: u64,
    total: &'static str,
    category: &'static str,
}

struct Campaign(&'static str);

#[derive(Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
struct OrderCreated {
    order_id: u64,
    total: String,
    source: String,
}

#[task]
impl ModelPublisherTask for OrderCreated {
    fn content(order: &Order, campaign: &Campaign) -> Self {
        Self {
            order_id: order.id,
            total: order.total.into(),
            source: campaign.0.into(),
        }
    }

    fn attributes(order: &Order, _campaign: &Campaign) -> Attributes {
        [("category".to_owned(), order.category.to_owned())].into()
    }
}

struct OrderAuditor;

#[task]
impl SubscriberTask for OrderAuditor {
    async fn run(message: Message<OrderShipped>, cx: Context<Seen>) -> TaskResult<String> {
        audit(message, &cx)
    }
}

struct OrderForwarder;

#[task(use_cloud_tasks)]
impl SubscriberTask for OrderForwarder {
    async fn run(message: Message<OrderShipped>, cx: Context<Seen>) -> TaskResult<String> {
        audit(message, &cx)
    }
}

fn audit(message: Message<OrderShipped>, cx: &Context<Seen>) -> TaskResult<String> {
    if message.content.order_id == 0 {
        Err(Discard::new("seen before"))?;
    }
    let header = |name| Some(cx.metadata().headers().get(name)?.to_str().ok()?.to_owned());
    let note = message.content.note.clone();
    cx.state().audited.lock().unwrap().push(Audited {
        content: message.content,
        attributes: message.attributes,
        id: message.id,
        subscription: message.subscription,
        traceparent: header("traceparent"),
        request_id: header("x-request-id"),
    });
    Ok(note)
}

/// A message as its subscriber saw it.
#[derive(Clone, Debug, PartialEq)]
struct Audited {
    content: OrderShipped,
    attributes: Attributes,
    id: String,
    subscription: String,
    traceparent: Option<String>,
    request_id: Option<String>,
}

/// What ran, typed.
#[derive(Clone, Default)]
pub(crate) struct Seen {
    welcomed: Arc<Mutex<Vec<SendWelcomeEmail>>>,
    audited: Arc<Mutex<Vec<Audited>>>,
}

/// A shop with the settings that the fixtures were recorded with.
struct Shop {
    runtime: Runtime,
    recorder: Recorder,
    seen: Seen,
}

impl Shop {
    async fn open() -> Self {
        let config = Config::default()
            .with_app_name("shop")
            .with_endpoint("https://shop.example")
            .with_propagated_headers(["traceparent", "x-request-id"]);
        let seen = Seen::default();
        let (runtime, recorder) = Runtime::recorded()
            .config(config)
            .state(seen.clone())
            .build()
            .await
            .unwrap();
        Self {
            runtime,
            recorder,
            seen,
        }
    }

    async fn send(&self, request: Request<Body>) -> Response<Bytes> {
        send(&self.runtime, request).await
    }

    /// Posts a body with the headers of a trace.
    async fn post(&self, path: &str, body: impl Into<Body>) -> (u16, Value) {
        let request = Request::post(path)
            .header("traceparent", TRACE)
            .header("x-request-id", "req-42")
            .header("x-not-allowed", "stays here")
            .body(body.into())
            .unwrap();
        parsed(&self.send(request).await)
    }

    /// Posts a body and nothing else.
    async fn push(&self, path: &str, body: impl Into<Body>) -> (u16, Value) {
        parsed(&self.send(Request::post(path).body(body.into()).unwrap()).await)
    }

    fn envelope(&self) -> Envelope {
        let mut envelopes = self.recorder.envelopes();
        assert_eq!(envelopes.len(), 1);
        envelopes.remove(0)
    }

    fn publication(&self) -> Publication {
        let mut publications = self.recorder.publications();
        assert_eq!(publications.len(), 1);
        publications.remove(0)
    }

    fn audited(&self) -> Audited {
        self.seen.audited.lock().unwrap().last().unwrap().clone()
    }
}

fn parsed(response: &Response<Bytes>) -> (u16, Value) {
    (response.status().as_u16(), value(response.body()))
}

fn value(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).unwrap()
}

fn path(name: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "tests/fixtures/django", name]
        .iter()
        .collect()
}

/// What the Django library wrote.
fn django(name: &str) -> Vec<u8> {
    std::fs::read(path(name)).unwrap()
}

/// What the Django library said to Google beside a body.
fn django_call(name: &str) -> Value {
    value(&django("calls.json"))[name].clone()
}

/// Asserts that these bytes are the ones that `record.py --check` reads.
#[track_caller]
fn assert_checked(name: &str, bytes: &[u8]) {
    let path = path("from_rust").join(name);
    if std::env::var("INTEROP").as_deref() == Ok("overwrite") {
        std::fs::write(&path, bytes).unwrap();
    }
    let expected = std::fs::read(&path).unwrap();
    assert_eq!(
        String::from_utf8_lossy(bytes),
        String::from_utf8_lossy(&expected),
        "{name}"
    );
}

/// The content without the headers that it carries.
fn without_headers(data: &[u8]) -> Value {
    let mut content = value(data);
    content.as_object_mut().unwrap().remove("_http_headers");
    content
}

fn welcome() -> SendWelcomeEmail {
    SendWelcomeEmail {
        user_id: 7,
        name: "Zoë — 日本 🎉".into(),
        signed_up_at: "2024-02-29T12:30:45.123456+00:00".into(),
        born_on: "1990-12-31".into(),
        trial: "P14DT06H00M00S".into(),
        credit: "12345678901234567890.10".into(),
        token: "6ba7b810-9dad-11d1-80b4-00c04fd430c8".into(),
        ratio: 1e22,
        address: Address {
            city: "São Paulo".into(),
            lines: vec![Some(r#"Rua "A"\b"#.into()), None],
            geo: [("lat".to_owned(), -23.55), ("lon".to_owned(), -46.63)].into(),
        },
        tags: Vec::new(),
        referrer: None,
    }
}

fn shipped() -> OrderShipped {
    OrderShipped {
        order_id: 9_007_199_254_740_993,
        note: "Grüße 🚚".into(),
        shipped_at: "2024-02-29T12:30:45+00:00".into(),
        weight: "1.50".into(),
        tracking: "6ba7b811-9dad-11d1-80b4-00c04fd430c8".into(),
        lines: vec![Line {
            sku: "ä-1".into(),
            price: "0.10".into(),
        }],
    }
}

fn attributes() -> Attributes {
    [("priority", "high"), ("region", "São Paulo")]
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .into()
}

fn created() -> cloud_tasks::event::PreparedEvent {
    let order = Order {
        id: 7,
        total: "19.90",
        category: "books",
    };
    OrderCreated::of_with(&order, &Campaign("printemps été"))
}

#[tokio::test]
async fn a_task_of_django_runs_with_the_arguments_that_it_was_enqueued_with() {
    let shop = Shop::open().await;

    let (status, _) = shop.post("/tasks/SendWelcomeEmail", django("task.json")).await;

    assert_eq!(status, 200);
    assert_eq!(*shop.seen.welcomed.lock().unwrap(), [welcome()]);
}

#[tokio::test]
async fn a_publisher_task_of_django_publishes_its_message_to_the_letter_and_adds_the_headers() {
    for (task, message) in [
        ("publisher_task.json", "message_data.json"),
        (
            "publisher_task_without_attributes.json",
            "message_data_without_headers.json",
        ),
    ] {
        let shop = Shop::open().await;
        let call = django_call(message);

        let (status, _) = shop.post("/tasks/OrderShipped", django(task)).await;

        let published = shop.publication();
        let bare = String::from_utf8(django("message_data_without_headers.json")).unwrap();
        let headers = format!(r#","_http_headers":{{"traceparent":"{TRACE}","x-request-id":"req-42"}}}}"#);
        assert_eq!(status, 200);
        assert_eq!(published.topic(), call["topic_id"]);
        assert_eq!(
            String::from_utf8_lossy(published.data()),
            format!("{}{headers}", bare.strip_suffix('}').unwrap())
        );
        let mut expected: Attributes = serde_json::from_value(call["attributes"].clone()).unwrap_or_default();
        expected.insert("googclient_traceparent".into(), TRACE.into());
        expected.insert("x-request-id".into(), "req-42".into());
        assert_eq!(*published.attributes(), expected);
    }
}

#[tokio::test]
async fn a_publisher_task_of_django_outside_a_trace_publishes_exactly_what_django_would() {
    let shop = Shop::open().await;

    shop.push(
        "/tasks/OrderShipped",
        django("publisher_task_without_attributes.json"),
    )
    .await;

    let published = shop.publication();
    assert_eq!(published.data(), django("message_data_without_headers.json"));
    assert!(published.attributes().is_empty());
}

#[tokio::test]
async fn a_model_publisher_task_of_django_publishes_to_the_topic_that_it_names() {
    let shop = Shop::open().await;
    let call = django_call("model_message_data.json");

    let (status, _) = shop
        .post("/tasks/OrderCreated", django("model_publisher_task.json"))
        .await;

    let published = shop.publication();
    assert_eq!(status, 200);
    assert_eq!(published.topic(), call["topic_id"]);
    assert_eq!(
        without_headers(published.data()),
        without_headers(&django("model_message_data.json"))
    );
    assert_eq!(published.attributes()["category"], call["attributes"]["category"]);
}

#[tokio::test]
async fn a_message_of_django_reaches_the_subscriber_with_its_headers_taken_out() {
    let shop = Shop::open().await;

    let (status, _) = shop
        .push("/subscriptions/OrderAuditor", django("push.json"))
        .await;

    assert_eq!(status, 200);
    assert_eq!(
        shop.audited(),
        Audited {
            content: shipped(),
            attributes: attributes(),
            id: "136969346945".into(),
            subscription: "projects/demo/subscriptions/shop--OrderAuditor".into(),
            traceparent: Some(TRACE.into()),
            request_id: Some("req-42".into()),
        }
    );
}

#[tokio::test]
async fn a_task_that_django_forwarded_a_message_to_runs_the_subscriber_with_the_headers_taken_out() {
    let shop = Shop::open().await;

    let (status, answer) = shop
        .post("/tasks/OrderForwarder", django("forwarded_task.json"))
        .await;

    assert_eq!((status, &answer["status"]), (200, &json!("executed")), "{answer}");
    assert_eq!(
        shop.audited(),
        Audited {
            content: shipped(),
            attributes: attributes(),
            id: String::new(),
            subscription: String::new(),
            traceparent: Some(TRACE.into()),
            request_id: Some("req-42".into()),
        }
    );
}

#[tokio::test]
async fn tasks_are_enqueued_with_the_body_the_queue_and_the_url_that_django_would_use() {
    let shop = Shop::open().await;

    welcome().asap().on(&shop.runtime).await.unwrap();

    assert_enqueued_alike(&shop.envelope(), "task.json");
}

#[tokio::test]
async fn publisher_tasks_are_enqueued_as_django_would() {
    let with = Shop::open().await;
    let without = Shop::open().await;
    let of_model = Shop::open().await;

    shipped()
        .asap()
        .attributes(attributes())
        .on(&with.runtime)
        .await
        .unwrap();
    shipped().asap().on(&without.runtime).await.unwrap();
    created().asap().on(&of_model.runtime).await.unwrap();

    assert_enqueued_alike(&with.envelope(), "publisher_task.json");
    assert_enqueued_alike(&without.envelope(), "publisher_task_without_attributes.json");
    assert_enqueued_alike(&of_model.envelope(), "model_publisher_task.json");
}

#[track_caller]
fn assert_enqueued_alike(envelope: &Envelope, name: &str) {
    let call = django_call(name);
    assert_eq!(value(envelope.body()), value(&django(name)));
    assert_eq!(
        (envelope.queue(), envelope.url()),
        (
            call["queue_name"].as_str().unwrap(),
            call["url"].as_str().unwrap()
        )
    );
    assert_checked(name, envelope.body());
}

#[tokio::test]
async fn messages_are_published_as_django_would_whoever_enqueued_the_task() {
    let shop = Shop::open().await;
    shipped()
        .asap()
        .attributes(attributes())
        .on(&shop.runtime)
        .await
        .unwrap();
    let task = shop.envelope().body().to_vec();

    shop.post("/tasks/OrderShipped", task).await;

    let published = shop.publication();
    let call = django_call("message_data.json");
    let message = json!({"topic": published.topic(), "attributes": published.attributes()});
    assert_eq!(published.topic(), call["topic_id"]);
    assert_eq!(
        without_headers(published.data()),
        without_headers(&django("message_data.json"))
    );
    assert_eq!(
        lower_keys(&value(published.data())["_http_headers"]),
        lower_keys(&value(&django("message_data.json"))["_http_headers"])
    );
    assert_checked("message_data.json", published.data());
    assert_checked("message.json", message.to_string().as_bytes());
}

fn lower_keys(object: &Value) -> BTreeMap<String, Value> {
    let object = object.as_object().unwrap();
    object
        .iter()
        .map(|(key, value)| (key.to_lowercase(), value.clone()))
        .collect()
}

#[tokio::test]
async fn a_message_is_forwarded_to_a_task_that_a_subscriber_of_django_can_run() {
    let shop = Shop::open().await;

    shop.push("/subscriptions/OrderForwarder", django("push.json"))
        .await;

    let envelope = shop.envelope();
    let mut expected = value(&django("forwarded_task.json"));
    expected["content"]
        .as_object_mut()
        .unwrap()
        .remove("_http_headers");
    let call = django_call("forwarded_task.json");
    assert_eq!(value(envelope.body()), expected);
    assert_eq!(
        (envelope.queue(), envelope.url()),
        (
            call["queue_name"].as_str().unwrap(),
            call["url"].as_str().unwrap()
        )
    );
    for name in ["Traceparent", "X-Request-Id"] {
        assert_eq!(
            envelope.headers()[name].to_str().ok(),
            call["headers"][name].as_str()
        );
    }
    assert_checked("forwarded_task.json", envelope.body());
}

#[tokio::test]
async fn a_forwarded_message_keeps_the_metadata_that_its_body_cannot_hold() {
    let shop = Shop::open().await;
    shop.push("/subscriptions/OrderForwarder", django("push.json"))
        .await;

    let ran = shop.recorder.drain().await.unwrap();

    let audited = shop.audited();
    assert_eq!(ran, 1);
    assert_eq!(audited.id, "136969346945");
    assert_eq!(
        audited.subscription,
        "projects/demo/subscriptions/shop--OrderAuditor"
    );
    assert_eq!(audited.traceparent.as_deref(), Some(TRACE));
}

/// An answer as `record.py` writes it down, apart from what only Django says.
#[derive(Deserialize, Serialize)]
struct Answer {
    case: String,
    path: String,
    status: u16,
    content_type: String,
    body: String,
}

#[tokio::test]
async fn answers_equal_those_of_django_except_for_intended_differences() {
    let shop = Shop::open().await;
    let recorded: Vec<Answer> = serde_json::from_slice(&django("answers.json")).unwrap();
    let mut answers = Vec::new();

    for told in &recorded {
        let method = if told.case == "not POST" { "GET" } else { "POST" };
        let request = Request::builder().method(method).uri(&told.path);
        let response = shop.send(request.body(request_body(told).into()).unwrap()).await;
        let answer = Answer {
            case: told.case.clone(),
            path: told.path.clone(),
            status: response.status().as_u16(),
            content_type: response.headers()["content-type"].to_str().unwrap().into(),
            body: String::from_utf8(response.body().to_vec()).unwrap(),
        };

        let mut body = value(response.body());
        let expected = match told.case.as_str() {
            "discarded subscriber" => (200, json!({"result": null, "status": "discarded"})),
            "not POST" => (405, json!({"error": "Only POST is taken here"})),
            _ => (told.status, value(told.body.as_bytes())),
        };
        // What Google chose: the ids of a message and of a task.
        match told.case.as_str() {
            "executed publisher" => body["result"] = expected.1["result"].clone(),
            "forwarded" => {
                let id = &expected.1["result"]["cloud-tasks-forwarded"]["task_id"];
                body["result"]["cloud-tasks-forwarded"]["task_id"] = id.clone();
            }
            _ => {}
        }
        assert_eq!((answer.status, body), expected, "{}", told.case);
        assert_eq!(answer.content_type, "application/json");
        if told.case != "executed publisher" {
            answers.push(answer);
        }
    }

    let text = serde_json::to_string_pretty(&answers).unwrap() + "\n";
    assert_checked("answers.json", text.as_bytes());
}

/// The body that `record.py` sent for a case.
fn request_body(told: &Answer) -> Vec<u8> {
    match told.case.as_str() {
        "executed" => django("task.json"),
        "executed publisher" => django("publisher_task.json"),
        "executed forwarded" => django("forwarded_task.json"),
        "discarded with a status" => br#"{"status": 299}"#.to_vec(),
        "discarded subscriber" => {
            let content = OrderShipped {
                order_id: 0,
                ..shipped()
            };
            let data = STANDARD.encode(serde_json::to_vec(&content).unwrap());
            json!({"message": {"data": data, "attributes": {}}})
                .to_string()
                .into_bytes()
        }
        _ if told.path.starts_with("/subscriptions/") => django("push.json"),
        _ => b"{}".to_vec(),
    }
}
