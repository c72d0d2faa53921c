//! Publishers whose content is not JSON, the place of propagated headers, and the size of a message.

use cloud_tasks::event::{HeaderPlacement, PublishNow};
use cloud_tasks::testing::Recorder;
use cloud_tasks::{
    BoxError, Config, Context, ErrorKind, Message, Model, ModelPublisherTask, PublisherTask, Runtime,
    SubscriberTask, TaskResult, task,
};
use serde::{Deserialize, Serialize};

use crate::events::{Legacy, action};
use crate::tasks::{Log, answer, post};

/// Travels as its bytes, backwards.
#[derive(Serialize, Deserialize)]
struct Backwards(String);

fn backwards(text: &[u8]) -> Vec<u8> {
    text.iter().rev().copied().collect()
}

#[task(topic = "backwards")]
impl PublisherTask for Backwards {
    fn encode(event: &Self) -> Result<Vec<u8>, BoxError> {
        match event.0.as_str() {
            "hunter2" => Err("hunter2 is refused")?,
            text => Ok(backwards(text.as_bytes())),
        }
    }
}

struct ReadsBackwards;

#[task]
impl SubscriberTask for ReadsBackwards {
    fn parse(data: &[u8]) -> Result<Backwards, BoxError> {
        Ok(Backwards(String::from_utf8(backwards(data))?))
    }

    async fn run(message: Message<Backwards>, cx: Context<Log>) -> TaskResult {
        cx.state().write(message.content.0);
        Ok(())
    }
}

#[derive(Model)]
#[model(app_label = "sales")]
struct Parcel {
    weight: u32,
}

#[derive(Serialize, Deserialize)]
struct ParcelSent {
    weight: u32,
}

#[task]
impl ModelPublisherTask for ParcelSent {
    fn content(model: &Parcel, _extra: &()) -> Self {
        Self { weight: model.weight }
    }

    fn encode(event: &Self) -> Result<Vec<u8>, BoxError> {
        Ok(event.weight.to_be_bytes().into())
    }
}

/// On a topic with an Avro schema in JSON, which has no member for headers.
#[derive(Serialize, Deserialize)]
struct Reading {
    celsius: f64,
}

#[task(topic = "readings")]
impl PublisherTask for Reading {
    const HEADERS: Option<HeaderPlacement> = Some(HeaderPlacement::Attributes);
}

async fn recorded(config: Config) -> (Runtime, Recorder) {
    let builder = Runtime::recorded().config(config).state(Log::default());
    builder.build().await.unwrap()
}

const TRACE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

/// Runs the task that publishes, in a request with a trace.
async fn run(runtime: &Runtime, name: &str, body: impl Into<Vec<u8>>) -> (u16, serde_json::Value) {
    let mut request = post(&format!("/tasks/{name}"), body.into());
    let headers = request.headers_mut();
    headers.insert("traceparent", TRACE.parse().unwrap());
    answer(runtime, request).await
}

#[tokio::test]
async fn an_encoder_makes_the_bytes_of_a_message_now_and_by_a_task() {
    let (runtime, recorder) = recorded(Config::default()).await;

    Backwards("abc".into()).sync().on(&runtime).await.unwrap();
    Backwards("abc".into()).asap().on(&runtime).await.unwrap();
    let body = recorder.envelopes().remove(0).body().to_vec();
    let (status, _) = run(&runtime, "Backwards", body.clone()).await;

    assert_eq!(body, br#"{"message":"abc","attributes":null}"#);
    assert_eq!(status, 200);
    let published = recorder.publications();
    assert!(published.iter().all(|publication| publication.data() == b"cba"));
    assert_eq!(published[1].attributes()["googclient_traceparent"], TRACE);
}

#[tokio::test]
async fn a_model_publisher_encodes_as_well() {
    let (runtime, recorder) = recorded(Config::default()).await;

    ParcelSent::of(&Parcel { weight: 7 })
        .sync()
        .on(&runtime)
        .await
        .unwrap();
    let body = r#"{"message": {"weight": 8}, "attributes": null, "topic_name": "sales-parcel"}"#;
    run(&runtime, "ParcelSent", body).await;

    let data: Vec<_> = recorder
        .publications()
        .iter()
        .map(|one| one.data().to_vec())
        .collect();
    assert_eq!(data, [[0, 0, 0, 7], [0, 0, 0, 8]]);
}

#[tokio::test]
async fn attributes_alone_are_not_encoded() {
    let (runtime, recorder) = recorded(Config::default()).await;
    let alone = || Backwards("abc".into());

    alone()
        .sync()
        .without_content()
        .attribute("a", "1")
        .on(&runtime)
        .await
        .unwrap();
    alone()
        .asap()
        .without_content()
        .attribute("a", "1")
        .on(&runtime)
        .await
        .unwrap();
    run(&runtime, "Backwards", recorder.envelopes().remove(0).body()).await;

    let published = recorder.publications();
    assert_eq!(published.len(), 2);
    assert!(published.iter().all(|publication| publication.data().is_empty()));
}

#[tokio::test]
async fn a_subscriber_parses_what_the_publisher_encoded() {
    let log = Log::default();
    let runtime = Runtime::eager().state(log.clone()).build().await.unwrap();

    Backwards("abc".into()).sync().on(&runtime).await.unwrap();
    Backwards("def".into()).asap().on(&runtime).await.unwrap();

    assert_eq!(log.lines(), ["abc", "def"]);
}

#[tokio::test]
async fn an_encoder_that_refuses_publishes_nothing_and_its_words_stay_inside() {
    let (runtime, recorder) = recorded(Config::default()).await;

    let now = Backwards("hunter2".into()).sync().on(&runtime).await.unwrap_err();
    let later = Backwards("hunter2".into()).asap().on(&runtime).await.unwrap_err();
    let (status, answered) = run(
        &runtime,
        "Backwards",
        r#"{"message": "hunter2", "attributes": null}"#,
    )
    .await;

    for error in [now, later] {
        assert_eq!(error.kind(), ErrorKind::Encode);
        assert_eq!(
            error.to_string(),
            "the content of Backwards was not encoded: its encoder refused it"
        );
    }
    assert_eq!(status, 500);
    assert!(!answered.to_string().contains("hunter2"), "{answered}");
    assert!(recorder.publications().is_empty() && recorder.envelopes().is_empty());
}

#[tokio::test]
async fn headers_are_sent_only_as_attributes_if_the_event_or_the_settings_say_so() {
    let attributes = Config::default().with_header_placement(HeaderPlacement::Attributes);
    for (config, name, content, in_content) in [
        (Config::default(), "Reading", r#"{"celsius":1.5}"#, false),
        (
            Config::default(),
            "UserAction",
            r#"{"user_id":7,"action":"a"}"#,
            true,
        ),
        (attributes, "UserAction", r#"{"user_id":7,"action":"a"}"#, false),
    ] {
        let (runtime, recorder) = recorded(config).await;

        run(&runtime, name, format!(r#"{{"message": {content}}}"#)).await;

        let published = recorder.publications().remove(0);
        assert_eq!(published.attributes()["googclient_traceparent"], TRACE);
        assert_eq!(published.data() != content.as_bytes(), in_content, "{name}");
    }
}

/// A request of 10,000,000 bytes is accepted, and one byte more is not. Topic: field number and length, and the longest
/// path. Message: field number and length, and that of its data.
#[tokio::test]
async fn the_size_of_a_message_counts_everything_in_its_request() {
    let (runtime, _recorder) = recorded(Config::default()).await;
    let room = 10_000_000 - (2 + "projects//topics/user-actions".len() + 30) - 5 - 5;
    let content = room - r#"{"user_id":7,"action":""}"#.len();
    let of = |length: usize| action(&"x".repeat(length)).sync();
    // An entry, its key and its value have a field number and a length each.
    let attribute = 2 + 2 + 1 + 2 + 7;
    let cases: [(PublishNow, bool); 6] = [
        (of(content), true),
        (of(content + 1), false),
        (of(content - attribute).attribute("a", "7 bytes"), true),
        (of(content - attribute + 1).attribute("a", "7 bytes"), false),
        (of(content - 2 - 3).ordering_key("key"), true),
        (of(content - 2 - 3 + 1).ordering_key("key"), false),
    ];

    for (number, (publish, fits)) in cases.into_iter().enumerate() {
        let published = publish.on(&runtime).await;

        assert_eq!(published.is_ok(), fits, "{number}");
        if let Err(error) = published {
            assert!(error.is_invalid_request());
            assert!(
                error.to_string().contains("would have 10000001 bytes"),
                "{number}: {error}"
            );
        }
    }
    assert!(Legacy("x".into()).sync().on(&runtime).await.is_ok());
}
