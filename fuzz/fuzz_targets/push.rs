//! Pushes: what arrives reaches the subscriber to the letter, whether it runs at once or is forwarded to a task.
#![no_main]

mod support;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use arbitrary::Arbitrary;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use cloud_tasks::testing::Recorder;
use cloud_tasks::{BoxError, Context, Message, Runtime, SubscriberTask, TaskResult, task};
use libfuzzer_sys::fuzz_target;
use serde::Deserialize;
use serde_json::json;
use support::{Answer, SECRET, Tree, block_on, post, send};

type Attributes = BTreeMap<String, String>;

/// What a subscriber was given.
#[derive(Clone, Debug, PartialEq)]
struct Seen {
    content: Vec<u8>,
    attributes: Attributes,
    id: String,
    publish_time: Option<SystemTime>,
    ordering_key: Option<String>,
    delivery_attempt: Option<u32>,
    subscription: String,
    trace: Option<String>,
}

thread_local! {
    static SEEN: RefCell<Option<Seen>> = const { RefCell::new(None) };
}

fn see(message: Message<Vec<u8>>, cx: &Context) {
    let trace = cx.metadata().headers().get("traceparent");
    let seen = Seen {
        content: message.content,
        attributes: message.attributes,
        id: message.id,
        publish_time: message.publish_time,
        ordering_key: message.ordering_key,
        delivery_attempt: message.delivery_attempt,
        subscription: message.subscription,
        trace: trace.and_then(|value| value.to_str().ok()).map(str::to_owned),
    };
    assert!(cx.metadata().attempt() >= 1);
    SEEN.set(Some(seen));
}

struct Raw;

#[task(topic = "topic")]
impl SubscriberTask for Raw {
    fn parse(data: &[u8]) -> Result<Vec<u8>, BoxError> {
        Ok(data.to_vec())
    }

    async fn run(message: Message<Vec<u8>>, cx: Context) -> TaskResult {
        see(message, &cx);
        Ok(())
    }
}

struct Forwarded;

#[task(topic = "topic", use_cloud_tasks = true)]
impl SubscriberTask for Forwarded {
    fn parse(data: &[u8]) -> Result<Vec<u8>, BoxError> {
        Ok(data.to_vec())
    }

    async fn run(message: Message<Vec<u8>>, cx: Context) -> TaskResult {
        see(message, &cx);
        Ok(())
    }
}

#[derive(Deserialize)]
#[allow(dead_code, reason = "read from JSON, to see what that says")]
struct Order {
    number: u32,
    text: String,
    list: Option<Vec<Choice>>,
    inner: Option<Box<Order>>,
}

#[derive(Deserialize)]
enum Choice {
    Left(#[allow(dead_code)] u8),
    Right {
        #[allow(dead_code)]
        text: char,
    },
}

#[derive(Deserialize)]
#[allow(dead_code, reason = "read from attributes, to see what that says")]
struct Typed {
    number: i16,
    text: Option<String>,
    choice: Option<bool>,
}

struct Strict;

#[task(topic = "topic")]
impl SubscriberTask for Strict {
    async fn run(_message: Message<Order>, _cx: Context) -> TaskResult {
        Ok(())
    }
}

struct StrictAttributes;

#[task(topic = "topic")]
impl SubscriberTask for StrictAttributes {
    fn parse(_data: &[u8]) -> Result<(), BoxError> {
        Ok(())
    }

    async fn run(_message: Message<(), Typed>, _cx: Context) -> TaskResult {
        Ok(())
    }
}

#[derive(Arbitrary, Debug)]
enum Input {
    /// Any body with any headers, to any subscriber.
    Anything {
        to: u8,
        headers: Vec<(Header, Vec<u8>)>,
        body: Vec<u8>,
    },
    /// JSON of any shape, with names that mean something.
    Shaped { to: u8, body: Tree, twice: Option<Tree> },
    /// What Pub/Sub sends.
    Wrapped(Wrapped),
    Unwrapped {
        headers: Vec<(Header, Vec<u8>)>,
        id: String,
        body: Data,
    },
}

#[derive(Arbitrary, Debug)]
enum Header {
    Known(u8),
    Any(String),
}

const HEADERS: &[&str] = &[
    "x-goog-pubsub-subscription-name",
    "x-goog-pubsub-message-id",
    "x-goog-pubsub-publish-time",
    "x-goog-pubsub-ordering-key",
    "x-goog-pubsub-delivery-attempt",
    "authorization",
    "content-type",
    "traceparent",
    "googclient_traceparent",
    "x-forwarded-for",
    "number",
    "text",
    "choice",
];

impl Header {
    fn name(&self) -> &str {
        match self {
            Self::Known(index) => HEADERS[usize::from(*index) % HEADERS.len()],
            Self::Any(name) => name,
        }
    }
}

#[derive(Arbitrary, Debug)]
enum Data {
    Bytes(Vec<u8>),
    Text(String),
    Json(Tree),
    Spaced(Tree),
    Carrying(String),
}

impl Data {
    fn bytes(&self) -> Vec<u8> {
        match self {
            Self::Bytes(bytes) => bytes.clone(),
            Self::Text(text) => text.clone().into_bytes(),
            Self::Json(tree) => tree.json().to_string().into_bytes(),
            Self::Spaced(tree) => format!("\t{:#}\n", tree.json()).into_bytes(),
            Self::Carrying(trace) => {
                json!({"number": 1, "_http_headers": {"traceparent": trace, "authorization": trace}})
                    .to_string()
                    .into_bytes()
            }
        }
    }
}

#[derive(Arbitrary, Debug)]
struct Wrapped {
    data: Option<Data>,
    alphabet: u8,
    attributes: Option<Attributes>,
    trace: Option<String>,
    id: Option<String>,
    seconds: Option<u64>,
    ordering_key: Option<String>,
    delivery_attempt: Option<u32>,
    subscription: Option<String>,
    snake: bool,
    camel: bool,
}

const SUBSCRIBERS: &[&str] = &["Raw", "Strict", "StrictAttributes", "Forwarded"];

fn runtime() -> (Runtime, Recorder) {
    block_on(async { Runtime::recorded().build().await.unwrap() })
}

fn push(
    runtime: &Runtime,
    to: &str,
    headers: &[(Header, Vec<u8>)],
    body: Vec<u8>,
) -> Option<(Answer, Option<Seen>)> {
    let path = format!("/subscriptions/{to}");
    let headers = headers.iter().map(|(name, value)| (name.name(), value));
    let request = post(&path, headers, body)?;
    SEEN.set(None);
    let answer = block_on(send(runtime, request));
    Some((answer, SEEN.take()))
}

fuzz_target!(|input: Input| {
    thread_local! {
        static SHARED: (Runtime, Recorder) = runtime();
    }
    SHARED.with(|(shared, _)| match input {
        Input::Anything { to, headers, body } => {
            let to = SUBSCRIBERS[usize::from(to) % 3];
            if let Some((answer, _)) = push(shared, to, &headers, body.clone()) {
                assert!(matches!(answer.status.as_u16(), 200 | 400), "{}", answer.text);
                same_when_forwarded(&headers, &body);
            }
        }
        Input::Shaped { to, body, twice } => {
            let to = SUBSCRIBERS[usize::from(to) % 3];
            let body = match twice {
                // The content itself has a shape too.
                Some(content) => json!({"message": {
                    "data": STANDARD.encode(content.json().to_string()),
                    "attributes": {"number": SECRET, "text": SECRET},
                }}),
                None => body.json(),
            };
            let Some((answer, _)) = push(shared, to, &[], body.to_string().into_bytes()) else {
                return;
            };
            assert!(matches!(answer.status.as_u16(), 200 | 400), "{}", answer.text);
            assert!(!answer.text.contains(SECRET), "{}", answer.text);
        }
        Input::Wrapped(wrapped) => {
            let (body, expected) = wrapped.body();
            let (answer, seen) = push(shared, "Raw", &[], body.clone()).unwrap();
            assert_eq!(answer.status, 200, "{}", answer.text);
            let seen = seen.unwrap();
            if wrapped.carries_nothing() {
                assert_eq!(seen.content, expected.content);
            }
            assert_eq!(
                Seen {
                    content: Vec::new(),
                    trace: None,
                    ..seen
                },
                Seen {
                    content: Vec::new(),
                    ..expected
                }
            );
            same_when_forwarded(&[], &body);
        }
        Input::Unwrapped {
            mut headers,
            id,
            body,
        } => {
            headers.retain(|(header, _)| header.name() != "x-goog-pubsub-message-id");
            headers.push((Header::Known(1), id.clone().into_bytes()));
            let body = body.bytes();
            let Some((answer, seen)) = push(shared, "Raw", &headers, body.clone()) else {
                return;
            };
            assert_eq!(answer.status, 200, "{}", answer.text);
            let seen = seen.unwrap();
            let readable = id
                .bytes()
                .all(|byte| byte == b'\t' || (b' '..=b'~').contains(&byte));
            assert_eq!(seen.id, if readable { id.as_str() } else { "" });
            if !contains(&body, b"_http_headers") {
                assert_eq!(seen.content, body);
            }
            for (name, value) in &seen.attributes {
                let of_header = |(header, sent): &(Header, Vec<u8>)| {
                    header.name().eq_ignore_ascii_case(name) && sent == value.as_bytes()
                };
                assert!(headers.iter().any(of_header));
                assert!(name != "authorization" && !name.starts_with("x-goog-pubsub-"));
            }
            same_when_forwarded(&headers, &body);
        }
    });
});

impl Wrapped {
    fn carries_nothing(&self) -> bool {
        !self
            .data
            .as_ref()
            .is_some_and(|data| contains(&data.bytes(), b"_http_headers"))
    }

    /// The body as Pub/Sub writes it, and what a subscriber is to be given.
    fn body(&self) -> (Vec<u8>, Seen) {
        let data = self.data.as_ref().map(Data::bytes);
        let engine =
            [STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD][usize::from(self.alphabet) % 4].clone();
        let mut attributes = self.attributes.clone();
        if let Some(trace) = &self.trace {
            let attributes = attributes.get_or_insert_default();
            attributes.insert("googclient_traceparent".to_owned(), trace.clone());
        }
        // Up to the year 9999.
        let time = self
            .seconds
            .map(|seconds| UNIX_EPOCH + Duration::from_secs(seconds % 253_402_300_800));
        let mut message =
            json!({ "data": data.as_ref().map(|data| engine.encode(data)), "attributes": attributes });
        let members = message.as_object_mut().unwrap();
        let spellings = [
            (
                self.camel || !self.snake,
                ["messageId", "publishTime", "orderingKey"],
            ),
            (self.snake, ["message_id", "publish_time", "ordering_key"]),
        ];
        for (_, [id, published, key]) in spellings.into_iter().filter(|(used, _)| *used) {
            members.insert(id.to_owned(), self.id.clone().into());
            members.insert(published.to_owned(), time.map(rfc3339).into());
            members.insert(key.to_owned(), self.ordering_key.clone().into());
        }
        let body = json!({
            "message": message,
            "subscription": self.subscription,
            "deliveryAttempt": self.delivery_attempt,
        });
        let expected = Seen {
            content: data.unwrap_or_default(),
            attributes: attributes.unwrap_or_default(),
            id: self.id.clone().unwrap_or_default(),
            publish_time: time,
            ordering_key: self.ordering_key.clone().filter(|key| !key.is_empty()),
            delivery_attempt: self.delivery_attempt,
            subscription: self.subscription.clone().unwrap_or_default(),
            trace: None,
        };
        (body.to_string().into_bytes(), expected)
    }
}

/// A subscriber that forwards sees what one sees that runs at once.
fn same_when_forwarded(headers: &[(Header, Vec<u8>)], body: &[u8]) {
    let (runtime, recorder) = runtime();
    let Some((direct, Some(mut seen))) = push(&runtime, "Raw", headers, body.to_vec()) else {
        let (answer, _) = push(&runtime, "Forwarded", headers, body.to_vec()).unwrap();
        assert_ne!(answer.status, 200, "{}", answer.text);
        return;
    };
    assert_eq!(direct.status, 200);
    let told = seen.id.len() + seen.subscription.len() + seen.ordering_key.as_ref().map_or(0, String::len);
    if told * 3 > 8000 {
        // More than one header holds; the service's own names and keys are shorter.
        return;
    }
    let (answer, early) = push(&runtime, "Forwarded", headers, body.to_vec()).unwrap();
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert!(early.is_none() && recorder.envelopes().len() == 1);
    assert_eq!(block_on(recorder.drain()).unwrap(), 1);
    let mut forwarded = SEEN.take().unwrap();
    let milliseconds = |time: SystemTime| time.duration_since(UNIX_EPOCH).unwrap().as_millis();
    assert_eq!(
        forwarded.publish_time.map(milliseconds),
        seen.publish_time.map(milliseconds)
    );
    // A delivery is of the push, and a header of Cloud Tasks has its limits.
    let travels = |trace: &String| !trace.is_empty() && trace.len() < 8000;
    seen.trace = seen.trace.filter(travels);
    for seen in [&mut seen, &mut forwarded] {
        seen.publish_time = None;
        seen.delivery_attempt = None;
    }
    assert_eq!(forwarded, seen);
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

/// A time as Pub/Sub writes it.
fn rfc3339(time: SystemTime) -> String {
    let seconds = time.duration_since(UNIX_EPOCH).unwrap().as_secs();
    let (days, of_day) = (seconds / 86400, seconds % 86400);
    // Days to a date, as Howard Hinnant does it.
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 {
        shifted_month + 3
    } else {
        shifted_month - 9
    };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    format!(
        "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z",
        of_day / 3600,
        of_day / 60 % 60,
        of_day % 60
    )
}
