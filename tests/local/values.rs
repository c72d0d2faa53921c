//! Values that arrive as they were sent: through the queue of the local engine, and over a socket.

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::time::Duration;

use axum::body::Body;
use cloud_tasks::backend::{LocalEngine, RetrySettings};
use cloud_tasks::{
    BoxError, Config, Context, Message, PublisherTask, Runtime, SubscriberTask, Task, TaskResult, task,
};
use http_body_util::BodyExt;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::dependencies::with_dependencies;

/// Longer than anything here takes: a test that waits so long has failed.
const PATIENCE: Duration = Duration::from_secs(60);

/// What arrived.
#[derive(Clone)]
pub(crate) struct Arrivals(mpsc::UnboundedSender<String>);

impl Arrivals {
    /// Arrivals that nobody reads.
    pub(crate) fn unread() -> Self {
        Self(mpsc::unbounded_channel().0)
    }

    fn tell(&self, what: String) {
        // A test may have ended.
        let _ = self.0.send(what);
    }
}

/// Its JSON is `null` or an object.
#[derive(Clone, Debug, Deserialize, Serialize)]
struct Filter(Option<BTreeMap<String, String>>);

#[task(unique)]
impl Task for Filter {
    async fn run(self, cx: Context<Arrivals>) -> TaskResult {
        cx.state().tell(format!("{self:?}"));
        Ok(())
    }
}

/// Its JSON is anything.
#[derive(Debug, Deserialize, Serialize)]
#[serde(transparent)]
struct AnyJson(Value);

#[task(unique)]
impl Task for AnyJson {
    async fn run(self, cx: Context<Arrivals>) -> TaskResult {
        cx.state().tell(self.0.to_string());
        Ok(())
    }
}

/// Numbers of all widths.
#[derive(Debug, Deserialize, PartialEq, Serialize)]
struct Numbers {
    ratio: f64,
    small: f32,
    wide: i128,
    widest: u128,
    names: HashMap<String, Option<f64>>,
}

#[task(unique)]
impl Task for Numbers {
    async fn run(self, cx: Context<Arrivals>) -> TaskResult {
        let Self {
            ratio,
            small,
            wide,
            widest,
            names,
        } = self;
        let names = serde_json::to_string(&names)?;
        let (ratio, small) = (ratio.to_bits(), small.to_bits());
        cx.state()
            .tell(format!("{ratio:x} {small:x} {wide} {widest} {names}"));
        Ok(())
    }
}

#[derive(Deserialize, Serialize)]
struct Measured {
    value: u64,
}

#[task(topic = "measured")]
impl PublisherTask for Measured {}

/// Takes a body without a word of what it is.
struct Meter;

#[task(bare_body, topic = "measured")]
impl SubscriberTask for Meter {
    fn parse(data: &[u8]) -> Result<String, BoxError> {
        Ok(String::from_utf8(data.to_vec())?)
    }

    async fn run(message: Message<String>, cx: Context<Arrivals>) -> TaskResult {
        let unit = message.attribute("unit").unwrap_or_default();
        cx.state().tell(format!(
            "{:?} {unit:?} {}",
            message.content,
            message.id.is_empty()
        ));
        Ok(())
    }
}

/// Takes a message alone.
struct Strict;

#[task(topic = "measured-strictly")]
impl SubscriberTask for Strict {
    async fn run(_message: Message<Value>, _cx: Context) -> TaskResult {
        Ok(())
    }
}

struct Stage {
    runtime: Runtime,
    engine: LocalEngine,
    address: SocketAddr,
    arrived: mpsc::UnboundedReceiver<String>,
    server: JoinHandle<()>,
}

impl Stage {
    async fn set() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let config = Config::default()
            .with_endpoint(format!("http://{address}"))
            .with_enqueue_retry(RetrySettings::off());
        let (sender, arrived) = mpsc::unbounded_channel();
        let (runtime, engine) = with_dependencies(Runtime::local())
            .config(config)
            .state(Arrivals(sender))
            .allow_emulator_pushes()
            .build()
            .await
            .unwrap();
        let serve = runtime.serve(listener, runtime.service());
        Self {
            runtime,
            engine,
            address,
            arrived,
            server: tokio::spawn(async move { serve.await.unwrap() }),
        }
    }

    async fn next(&mut self) -> String {
        tokio::time::timeout(PATIENCE, self.arrived.recv())
            .await
            .expect("nothing arrives any more")
            .unwrap()
    }

    /// Posts a body as a subscription without a wrapper and without metadata does.
    async fn post(&self, subscriber: &str, unit: Option<&str>, body: &[u8]) -> (u16, String) {
        let mut request = http::Request::post(format!("http://{}/subscriptions/{subscriber}", self.address));
        if let Some(unit) = unit {
            request = request.header("unit", unit);
        }
        let client: Client<_, Body> = Client::builder(TokioExecutor::new()).build_http();
        let request = request.body(body.to_vec().into()).unwrap();
        let (parts, body) = client.request(request).await.unwrap().into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        (parts.status.as_u16(), String::from_utf8(body.to_vec()).unwrap())
    }

    async fn strike(self) {
        self.engine.stop().await;
        self.server.abort();
    }
}

#[tokio::test]
async fn nothing_and_an_empty_map_are_two_unique_tasks_and_arrive_as_they_were_sent() {
    let mut stage = Stage::set().await;
    for (task, arrives) in [
        (Filter(None), "Filter(None)"),
        (Filter(Some(BTreeMap::new())), "Filter(Some({}))"),
        (
            Filter(Some(BTreeMap::from([(String::new(), String::new())]))),
            r#"Filter(Some({"": ""}))"#,
        ),
    ] {
        let enqueued = task.clone().asap().on(&stage.runtime).await.unwrap();
        let again = task.asap().on(&stage.runtime).await.unwrap();

        assert!(!enqueued.duplicate(), "{arrives}");
        assert!(again.duplicate(), "{arrives}");
        assert_eq!(stage.next().await, arrives);
    }
    stage.strike().await;
}

#[tokio::test]
async fn any_json_arrives_as_it_was_sent_and_is_a_task_of_its_own() {
    let mut stage = Stage::set().await;
    for value in [
        json!(null),
        json!({}),
        json!([]),
        json!(""),
        json!(0),
        json!(false),
        json!([null]),
        json!({"": null}),
        json!({"a": {}}),
        json!({"a": null}),
        json!("null"),
        json!("{}"),
        json!({"\u{0}\n\"\\\u{202e}": "\u{1f600}\u{ffff}"}),
        json!(u64::MAX),
        json!(i64::MIN),
        json!(117.633_311_394_000_17),
        json!(5e-324),
        json!(f64::MAX),
    ] {
        let enqueued = AnyJson(value.clone()).asap().on(&stage.runtime).await.unwrap();

        assert!(!enqueued.duplicate(), "{value}");
        assert_eq!(stage.next().await, value.to_string());
    }
    stage.strike().await;
}

#[tokio::test]
async fn numbers_arrive_to_the_bit() {
    let mut stage = Stage::set().await;
    for (ratio, small, wide, widest) in [
        (-0.0, -0.0, i128::MIN, u128::MAX),
        (f64::MIN_POSITIVE, f32::MIN_POSITIVE, i128::MAX, 0),
        (f64::MAX, f32::MAX, -1, u128::from(u64::MAX) + 1),
        (117.633_311_394_000_17, 0.1, 0, 1),
    ] {
        let names = HashMap::from([(String::new(), Some(ratio))]);
        let text = serde_json::to_string(&names).unwrap();
        let numbers = Numbers {
            ratio,
            small,
            wide,
            widest,
            names,
        };

        numbers.asap().on(&stage.runtime).await.unwrap();

        let expected = format!(
            "{:x} {:x} {wide} {widest} {text}",
            ratio.to_bits(),
            small.to_bits()
        );
        assert_eq!(stage.next().await, expected);
    }
    for names in [
        HashMap::from([("a".to_owned(), Some(f64::NAN))]),
        HashMap::from([("a".to_owned(), Some(f64::INFINITY))]),
    ] {
        let numbers = Numbers {
            ratio: 1.0,
            small: 1.0,
            wide: 1,
            widest: 1,
            names,
        };
        let error = numbers.asap().on(&stage.runtime).await.unwrap_err();
        assert_eq!(
            format!("{error:#}"),
            "the arguments of task Numbers do not serialize to JSON: names.a: NaN and infinity have no JSON"
        );
    }
    stage.strike().await;
}

#[tokio::test]
async fn a_bare_body_is_the_content_where_the_subscriber_says_so_and_a_message_stays_one() {
    let mut stage = Stage::set().await;

    Measured { value: 7 }
        .sync()
        .attribute("unit", "m")
        .on(&stage.runtime)
        .await
        .unwrap();
    assert_eq!(stage.next().await, r#""{\"value\":7}" "m" false"#);

    for (unit, body, arrives) in [
        (Some("m"), r#"{"value":8}"#, r#""{\"value\":8}" "m" true"#),
        (None, "plain text", r#""plain text" "" true"#),
        (None, "", r#""" "" true"#),
        (None, r#"{"message": 1}"#, r#""{\"message\": 1}" "" true"#),
        // A wrapped message is read as one.
        (
            Some("m"),
            r#"{"message": {"data": "OQ==", "messageId": "1"}, "subscription": "s"}"#,
            r#""9" "" false"#,
        ),
    ] {
        let (status, answer) = stage.post("Meter", unit, body.as_bytes()).await;

        assert_eq!(status, 200, "{body}: {answer}");
        assert_eq!(stage.next().await, arrives);
    }
    let (not_utf8, _) = stage.post("Meter", None, b"\xff").await;
    let (undeclared, answer) = stage.post("Strict", None, br#"{"value": 8}"#).await;

    assert_eq!((not_utf8, undeclared), (400, 400));
    assert_eq!(
        answer,
        r#"{"error":"Task Strict cannot read its arguments: missing field `message` at line 1 column 12"}"#
    );
    stage.strike().await;
}
