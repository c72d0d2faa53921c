//! Names: what is accepted keeps the service's rules, and finds its way through a path.
#![no_main]

mod support;

use std::cell::RefCell;

use arbitrary::Arbitrary;
use cloud_tasks::event::Topic;
use cloud_tasks::{
    Config, Context, Event, ModelPublisherTask, PublisherTask, Runtime, SubscriberTask, Task, TaskResult,
    task,
};
use libfuzzer_sys::fuzz_target;
use serde::{Deserialize, Serialize};
use support::{block_on, post, send};

thread_local! {
    static TOPIC: RefCell<Topic> = RefCell::new(Topic::new("topic"));
}

#[derive(Deserialize, Serialize)]
struct Note;

#[task(name = "No.te_1", aliases = ["old_name"])]
impl Task for Note {
    async fn run(self, _cx: Context) -> TaskResult {
        Ok(())
    }
}

/// An event whose topic is the fuzzer's.
#[derive(Deserialize, Serialize)]
struct Happened {
    what: u8,
}

impl Event for Happened {
    fn topic() -> Topic {
        TOPIC.with_borrow(Clone::clone)
    }
}

struct Listener;

#[task(subscription = "listener")]
impl SubscriberTask for Listener {
    async fn run(_message: cloud_tasks::Message<Happened>, _cx: Context) -> TaskResult {
        Ok(())
    }
}

#[derive(Deserialize, Serialize)]
struct Picked;

#[task(topic = "picked")]
impl ModelPublisherTask for Picked {
    fn content(_model: &Topic, _extra: &()) -> Self {
        Self
    }

    fn topic_for(model: &Topic, _extra: &()) -> Topic {
        model.clone()
    }
}

#[derive(Deserialize, Serialize)]
struct Plain {
    what: u8,
}

#[task]
impl PublisherTask for Plain {}

#[derive(Arbitrary, Debug)]
struct Input {
    app: Option<Name>,
    delimiter: Option<Name>,
    topic: TopicOf,
    queue: Option<Name>,
    id: Option<Name>,
    headers: Vec<(Name, String)>,
    attributes: Vec<(Name, String)>,
    ordering_key: Option<String>,
    path: Path,
}

/// Any text, or one that is likely to be a name.
#[derive(Arbitrary, Debug)]
enum Name {
    Any(String),
    Likely(Vec<u8>),
    Long(u8, u16),
    Known(u8),
}

const CHARACTERS: &[u8] = b"abcXYZ019-_.~+%/";
const KNOWN: &[&str] = &[
    "projects/p/topics/abc",
    "projects/p/subscriptions/abc",
    "projects//topics/abc",
    "projects/",
    "goog",
    "google",
    "..",
    ".",
    "x-cloudtasks-queuename",
    "host",
    "traceparent",
    "googclient_traceparent",
    "user",
    "--",
];

impl Name {
    fn text(&self) -> String {
        let of = |byte: &u8| char::from(CHARACTERS[usize::from(*byte) % CHARACTERS.len()]);
        match self {
            Self::Any(text) => text.clone(),
            Self::Likely(bytes) => bytes.iter().map(of).collect(),
            Self::Long(byte, length) => of(byte).to_string().repeat(usize::from(*length) % 600),
            Self::Known(index) => KNOWN[usize::from(*index) % KNOWN.len()].to_owned(),
        }
    }
}

#[derive(Arbitrary, Debug)]
enum TopicOf {
    New(Name),
    OfApp(Name, Name),
    Absolute(Name),
    AbsoluteOfApp(Name, Name),
    Path { project: Name, name: Name },
    Model(Name, Name),
}

impl TopicOf {
    /// The topic, and what its name is to be.
    fn topic(&self, config: &Config, app: Option<&str>, delimiter: &str) -> (Topic, String) {
        let prefixed = |app: Option<&str>, base: &str| match app {
            _ if base.starts_with("projects/") => base.to_owned(),
            Some(app) => format!("{app}{delimiter}{base}"),
            None => base.to_owned(),
        };
        let (topic, name) = match self {
            Self::New(base) => (Topic::new(base.text()), prefixed(app, &base.text())),
            Self::OfApp(base, owner) => (
                Topic::new(base.text()).of_app(owner.text()),
                prefixed(Some(&owner.text()), &base.text()),
            ),
            Self::Absolute(name) => (Topic::absolute(name.text()), name.text()),
            Self::AbsoluteOfApp(name, owner) => {
                (Topic::absolute(name.text()).of_app(owner.text()), name.text())
            }
            Self::Path { project, name } => {
                let path = format!("projects/{}/topics/{}", project.text(), name.text());
                (Topic::new(path.clone()), path)
            }
            Self::Model(label, model) => {
                let base = format!("{}-{}", label.text(), model.text()).to_lowercase();
                (Topic::model(&label.text(), &model.text()), prefixed(app, &base))
            }
        };
        assert_eq!(topic.name(config), name);
        (topic, name)
    }
}

#[derive(Arbitrary, Debug)]
enum Path {
    Any(String),
    Segment(String),
    Encoded(String, Vec<bool>),
    Bytes(Vec<u8>),
}

impl Path {
    fn text(&self) -> String {
        let escaped = |bytes: &[u8], wanted: &dyn Fn(usize) -> bool| -> String {
            let one = |(index, byte): (usize, &u8)| {
                if wanted(index) || !(byte.is_ascii_alphanumeric() || b"-_.~".contains(byte)) {
                    format!("%{byte:02X}")
                } else {
                    char::from(*byte).to_string()
                }
            };
            bytes.iter().enumerate().map(one).collect()
        };
        match self {
            Self::Any(path) => path.clone(),
            Self::Segment(segment) => format!("/tasks/{segment}"),
            Self::Encoded(name, which) => {
                let wanted = |index: usize| which.get(index).is_some_and(|wanted| *wanted);
                let name = if name.len() < 3 { "No.te_1" } else { name };
                format!("/tasks/{}", escaped(name.as_bytes(), &wanted))
            }
            Self::Bytes(bytes) => format!("/tasks/{}", escaped(bytes, &|_| true)),
        }
    }
}

/// The rules of `google.pubsub.v1.Topic.name`.
fn is_topic(name: &str) -> bool {
    let id = match name.strip_prefix("projects/") {
        Some(path) => {
            let parts: Vec<_> = path.split('/').collect();
            let [project, "topics", id] = parts[..] else {
                return false;
            };
            let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-.:_".contains(&byte);
            if project.is_empty() || !project.bytes().all(fits) {
                return false;
            }
            id
        }
        None => name,
    };
    (3..=255).contains(&id.len())
        && id.as_bytes()[0].is_ascii_alphabetic()
        && id
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_.~+%".contains(&byte))
        && !id.starts_with("goog")
}

/// The rules of `google.cloud.tasks.v2.Queue.name` and `Task.name`.
fn is_queue(name: &str) -> bool {
    (1..=100).contains(&name.len())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

fn is_task_id(id: &str) -> bool {
    (1..=500).contains(&id.len())
        && id
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
}

fuzz_target!(|input: Input| {
    let app = input.app.as_ref().map(Name::text);
    let delimiter = input.delimiter.as_ref().map(Name::text);
    let mut config = Config::default();
    if let Some(app) = &app {
        config = config.with_app_name(app.as_str());
    }
    if let Some(delimiter) = &delimiter {
        config = config.with_delimiter(delimiter.as_str());
    }
    let delimiter = delimiter.as_deref().unwrap_or("--");
    let (topic, name) = input.topic.topic(&config, app.as_deref(), delimiter);
    built(&config, app.as_deref(), delimiter, &topic, &name);
    thread_local! {
        static SHARED: Runtime = {
            TOPIC.set(Topic::new("topic"));
            block_on(async { Runtime::recorded().build().await.unwrap().0 })
        };
    }
    enqueued(&input);
    published(&input);
    SHARED.with(|runtime| routed(runtime, &input.path.text()));
});

/// A runtime builds with names that keep the rules, and with no others.
fn built(config: &Config, app: Option<&str>, delimiter: &str, topic: &Topic, name: &str) {
    TOPIC.set(topic.clone());
    let built = block_on(Runtime::recorded().config(config.clone()).build());
    let prefixed = |base: &str| app.map_or(base.to_owned(), |app| format!("{app}{delimiter}{base}"));
    let plain = [prefixed("listener"), prefixed("picked"), prefixed("Plain")];
    let names = plain.iter().map(String::as_str).chain([name]);
    let fits = names.clone().all(is_topic) && app.is_none_or(is_queue) && !delimiter.is_empty();
    assert_eq!(built.is_ok(), fits, "{:?} {built:?}", names.collect::<Vec<_>>());
}

/// An enqueue is taken with a queue and an id that keep the rules, and with no others.
fn enqueued(input: &Input) {
    TOPIC.set(Topic::new("topic"));
    let (runtime, recorder) = block_on(Runtime::recorded().build()).unwrap();
    let (queue, id) = (
        input.queue.as_ref().map(Name::text),
        input.id.as_ref().map(Name::text),
    );
    let mut enqueue = Note.asap().on(&runtime);
    if let Some(queue) = &queue {
        enqueue = enqueue.queue(queue.as_str());
    }
    if let Some(id) = &id {
        enqueue = enqueue.task_id(id.as_str());
    }
    for (name, value) in &input.headers {
        enqueue = enqueue.header(name.text(), value);
    }
    let fits = queue.as_deref().is_none_or(is_queue) && id.as_deref().is_none_or(is_task_id);
    match block_on(async { enqueue.await }) {
        Ok(enqueued) => {
            assert!(fits, "{enqueued:?}");
            let envelope = &recorder.envelopes()[0];
            assert_eq!(
                (envelope.queue(), enqueued.queue()),
                (queue.as_deref().unwrap_or("tasks"), envelope.queue())
            );
            assert_eq!(envelope.id(), id.as_deref());
            assert_eq!(envelope.url(), "http://localhost:8080/tasks/No.te_1");
            for (name, value) in envelope.headers() {
                let name = name.as_str();
                assert!(
                    !name.starts_with("x-cloudtasks-") && name != "host" && name != "authorization",
                    "{name}"
                );
                let value = value.to_str().expect("printable");
                assert!(!value.is_empty() && name.len() + value.len() <= 8188);
            }
            assert_eq!(block_on(recorder.drain()).unwrap(), 1);
        }
        Err(error) => {
            assert!(
                error.is_invalid_request() && !error.may_have_taken_effect(),
                "{error}"
            );
            assert!(!fits || !input.headers.is_empty(), "{error}");
            assert!(recorder.envelopes().is_empty());
        }
    }
}

/// A message is taken for a topic and with attributes that keep the rules, and for no others.
fn published(input: &Input) {
    let (runtime, recorder) = block_on(Runtime::recorded().build()).unwrap();
    let (topic, name) = input.topic.topic(&Config::default(), None, "--");
    let attributes: Vec<_> = input
        .attributes
        .iter()
        .map(|(key, value)| (key.text(), value.clone()))
        .collect();
    let mut publish = Picked::of(&topic).sync().on(&runtime);
    let mut later = Picked::of(&topic)
        .asap()
        .on(&runtime)
        .attributes(attributes.clone());
    for (key, value) in &attributes {
        publish = publish.attribute(key, value);
    }
    if let Some(key) = &input.ordering_key {
        publish = publish.ordering_key(key);
        later = later.ordering_key(key);
    }
    let taken = block_on(async { publish.await });
    let enqueued = block_on(async { later.await });
    assert_eq!(taken.is_ok(), enqueued.is_ok(), "{taken:?} {enqueued:?}");
    let bad = |(key, value): &(String, String)| {
        !(1..=256).contains(&key.len())
            || value.len() > 1024
            || key.starts_with("goog") && !key.starts_with("googclient_")
    };
    // Of two of a key the last one counts.
    let attributes: std::collections::BTreeMap<_, _> = attributes.into_iter().collect();
    let fits = is_topic(&name)
        && !attributes.clone().into_iter().any(|pair| bad(&pair))
        && attributes.len() <= 100
        && input.ordering_key.as_ref().is_none_or(|key| key.len() <= 1024);
    assert_eq!(taken.is_ok(), fits, "{name:?} {taken:?}");
    if fits {
        let publication = &recorder.publications()[0];
        assert_eq!(
            (publication.topic(), publication.attributes()),
            (name.as_str(), &attributes)
        );
        assert_eq!(
            publication.ordering_key(),
            input.ordering_key.as_deref().filter(|key| !key.is_empty())
        );
    }
}

/// A path leads to the task whose name it is when decoded once, and nowhere else.
fn routed(runtime: &Runtime, path: &str) {
    let Some(request) = post(path, [("content-type", "application/json")], "{}") else {
        return;
    };
    let segment = request
        .uri()
        .path()
        .strip_prefix("/tasks/")
        .unwrap_or_default()
        .to_owned();
    let found = matches!(decoded(&segment).as_deref(), Some(b"No.te_1" | b"old_name"));
    let elsewhere = request.uri().path().starts_with("/subscriptions/")
        || ["Picked", "Plain", "Listener"]
            .map(|name| Some(name.as_bytes().to_vec()))
            .contains(&decoded(&segment));
    let answer = block_on(send(runtime, request));
    if !elsewhere {
        assert_eq!(
            answer.status,
            if found { 200 } else { 404 },
            "{path:?}: {}",
            answer.text
        );
    }
    assert!(answer.text.len() < 1000, "{}", answer.text);
}

fn decoded(segment: &str) -> Option<Vec<u8>> {
    let bytes = segment.as_bytes();
    let mut out = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let digits = bytes
            .get(at + 1..at + 3)
            .and_then(|digits| std::str::from_utf8(digits).ok());
        let byte = digits
            .filter(|digits| bytes[at] == b'%' && digits.bytes().all(|digit| digit.is_ascii_hexdigit()))
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        out.push(byte.unwrap_or(bytes[at]));
        at += if byte.is_some() { 3 } else { 1 };
    }
    Some(out)
}
