//! Spans and events.

use cloud_tasks::testing::Recorder;
use cloud_tasks::{Runtime, Task};

use crate::support::logs::Logs;
use crate::tasks::{Add, Log, Note, post, send};

async fn recorded() -> (Runtime, Recorder) {
    Runtime::recorded().state(Log::default()).build().await.unwrap()
}

#[tokio::test]
async fn a_run_has_a_span_with_task_id_attempt_and_queue_and_an_event_for_its_outcome() {
    let (runtime, _recorder) = recorded().await;
    let logs = Logs::capture();
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
        without_durations(&logs.lines()),
        [
            "span task task=\"Note\" id=\"n1\" attempt=3 queue=\"notes\"",
            "DEBUG message=executed duration=_"
        ]
    );
}

/// The lines of a log, without the durations.
fn without_durations(lines: &[String]) -> Vec<String> {
    let cut = |line: &String| match line.split_once(" duration=") {
        Some((before, _)) => format!("{before} duration=_"),
        None => line.clone(),
    };
    lines.iter().map(cut).collect()
}

#[tokio::test]
async fn an_enqueue_has_a_span_with_task_queue_and_id() {
    let (runtime, _recorder) = recorded().await;
    let logs = Logs::capture();

    Add { left: 1234, right: 2 }
        .asap()
        .task_id("sum")
        .on(&runtime)
        .await
        .unwrap();

    assert_eq!(
        logs.lines(),
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
    let logs = Logs::capture();

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

    let lines = logs.lines();
    assert!(lines.len() >= 8, "{lines:#?}");
    assert!(lines.iter().all(|line| !line.contains("hunter2")), "{lines:#?}");
}
