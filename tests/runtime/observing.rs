use std::fmt::{self, Debug};
use std::sync::{Arc, Mutex};

use cloud_tasks::testing::Recorder;
use cloud_tasks::{Runtime, Task};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};

use crate::tasks::{Add, Log, Note, post, send};

/// Keeps every span and event as a line.
#[derive(Clone, Default)]
struct Capture(Arc<Mutex<Vec<String>>>);

impl Capture {
    fn lines(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        fmt::write(&mut self.0, format_args!(" {field}={value:?}")).unwrap();
    }
}

impl<S: Subscriber> Layer<S> for Capture {
    fn on_new_span(&self, attributes: &Attributes<'_>, _id: &Id, _cx: Context<'_, S>) {
        let mut line = Line(format!("span {}", attributes.metadata().name()));
        attributes.record(&mut line);
        self.0.lock().unwrap().push(line.0);
    }

    fn on_record(&self, _id: &Id, values: &Record<'_>, _cx: Context<'_, S>) {
        let mut line = Line("record".into());
        values.record(&mut line);
        self.0.lock().unwrap().push(line.0);
    }

    fn on_event(&self, event: &Event<'_>, _cx: Context<'_, S>) {
        if event.metadata().target().starts_with("cloud_tasks") && *event.metadata().level() <= Level::DEBUG {
            let mut line = Line(event.metadata().level().to_string());
            event.record(&mut line);
            self.0.lock().unwrap().push(line.0);
        }
    }
}

fn capture() -> (Capture, tracing::subscriber::DefaultGuard) {
    let capture = Capture::default();
    let guard = tracing::subscriber::set_default(tracing_subscriber::registry().with(capture.clone()));
    (capture, guard)
}

async fn recorded() -> (Runtime, Recorder) {
    Runtime::recorded().state(Log::default()).build().await.unwrap()
}

#[tokio::test]
async fn a_run_has_a_span_with_task_id_attempt_and_queue_and_an_event_for_its_outcome() {
    let (runtime, _recorder) = recorded().await;
    let (capture, _guard) = capture();
    let mut request = post("/tasks/Note", r#"{"text": "a secret"}"#);
    for (name, value) in [
        ("x-cloudtasks-taskname", "n1"),
        ("x-cloudtasks-queuename", "notes"),
        ("x-cloudtasks-taskretrycount", "2"),
        ("authorization", "Bearer hunter2"),
    ] {
        request.headers_mut().insert(name, value.parse().unwrap());
    }

    send(&runtime, request).await;

    assert_eq!(
        capture.lines(),
        [
            "span task task=\"Note\" id=\"n1\" attempt=3 queue=\"notes\"",
            "DEBUG message=executed"
        ]
    );
}

#[tokio::test]
async fn an_enqueue_has_a_span_with_task_queue_and_id() {
    let (runtime, _recorder) = recorded().await;
    let (capture, _guard) = capture();

    Add { left: 1234, right: 2 }
        .asap()
        .task_id("sum")
        .on(&runtime)
        .await
        .unwrap();

    assert_eq!(
        capture.lines(),
        [
            "span enqueue task=\"Add\" queue=\"tasks\"",
            "record id=\"sum\"",
            "DEBUG message=enqueued duplicate=false"
        ]
    );
}

#[tokio::test]
async fn arguments_and_tokens_are_in_no_line_whatever_the_outcome() {
    let (runtime, _recorder) = recorded().await;
    let (capture, _guard) = capture();

    for body in [
        r#"{"text": "hunter2"}"#,
        r#"{"text": ["hunter2"]}"#,
        "hunter2",
        r#"{"hunter2": 1}"#,
    ] {
        let mut request = post("/tasks/Note", body);
        request
            .headers_mut()
            .insert("authorization", "Bearer hunter2".parse().unwrap());
        send(&runtime, request).await;
    }
    let _ = Note {
        text: "hunter2".into(),
    }
    .asap()
    .on(&runtime)
    .await;
    let _ = Note {
        text: "hunter2".into(),
    }
    .asap()
    .queue("no good")
    .on(&runtime)
    .await;
    let _ = Note {
        text: "hunter2".into(),
    }
    .sync()
    .on(&runtime)
    .await;

    let lines = capture.lines();
    assert!(lines.len() >= 8, "{lines:#?}");
    assert!(lines.iter().all(|line| !line.contains("hunter2")), "{lines:#?}");
}
