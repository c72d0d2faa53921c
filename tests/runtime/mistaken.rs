//! Mistakes that people make while a program runs, and what they are told. Those in the code are in `macros/src/tests/mistakes.rs`.

use std::time::Duration;

use cloud_tasks::{Config, Runtime, Task};

use crate::tasks::{Add, answer, post};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

async fn expecting(name: &str) -> String {
    let built = Runtime::eager().expect_tasks([name]).build().await;
    built.unwrap_err().to_string()
}

fn of_variable(name: &str, value: &str) -> String {
    Config::from_vars([(name, value)]).unwrap_err().to_string()
}

#[tokio::test]
async fn a_mistake_at_run_time_is_told_with_the_way_out() {
    let (runtime, _recorder) = Runtime::recorded().build().await.unwrap();
    let add = || Add { left: 1, right: 2 }.asap();
    let far = Add { left: 1, right: 2 }
        .later(60 * DAY)
        .on(&runtime)
        .await
        .unwrap_err();
    let queue = add().queue("my_queue").on(&runtime).await.unwrap_err();
    let id = add().task_id("a b").on(&runtime).await.unwrap_err();
    let header = add()
        .header("Content-Length", "1")
        .on(&runtime)
        .await
        .unwrap_err();
    let timeout = add()
        .timeout(Duration::from_secs(5))
        .on(&runtime)
        .await
        .unwrap_err();
    let nowhere = add().await.unwrap_err();

    for (input, told, expected) in [
        (
            "expect_tasks([\"measure\"])",
            expecting("measure").await,
            r#"the runtime was not built: the task "measure" is expected but not registered: did you mean "Measure" or "MeasureText"? Otherwise its crate was not linked; `use the_crate as _;` in the binary makes the linker keep a crate"#,
        ),
        (
            "expect_tasks([\"number\"])",
            expecting("number").await,
            r#"the runtime was not built: the task "number" is expected but not registered: did you mean "BoxedNumber"? Otherwise its crate was not linked; `use the_crate as _;` in the binary makes the linker keep a crate"#,
        ),
        (
            "expect_tasks([\"Nowhere\"])",
            expecting("Nowhere").await,
            r#"the runtime was not built: the task "Nowhere" is expected but not registered: its crate was not linked, or it has another name; `use the_crate as _;` in the binary makes the linker keep a crate"#,
        ),
        (
            "later(60 days)",
            far.to_string(),
            r#"task Add was not enqueued: it is scheduled 60 days ahead; Cloud Tasks accepts at most 30 days: keep the time in your database, and let a periodic task (`every = ".."`) enqueue what is due"#,
        ),
        (
            "queue(\"my_queue\")",
            queue.to_string(),
            r#"task Add was not enqueued: the queue "my_queue" is not accepted: 1 to 100 letters, digits and `-`"#,
        ),
        (
            "task_id(\"a b\")",
            id.to_string(),
            r#"task Add was not enqueued: the task id "a b" (3 bytes) is not accepted: 1 to 500 letters, digits, `_` and `-`"#,
        ),
        (
            "header(\"Content-Length\", ..)",
            header.to_string(),
            r#"task Add was not enqueued: the header "Content-Length" cannot be set: Cloud Tasks sets it or drops it, or it belongs to one request alone"#,
        ),
        (
            "timeout(5 s)",
            timeout.to_string(),
            "task Add was not enqueued: the timeout 5s is not accepted: Cloud Tasks accepts 15 seconds to 30 minutes",
        ),
        (
            "asap() without a runtime",
            nowhere.to_string(),
            "no runtime found: call `runtime.install()` in main, run this inside `runtime.scope(..)` or a request that passed `runtime.layer()`, or name one with `.on(&runtime)`; `tokio::spawn` leaves the scope, `runtime.spawn(..)` keeps it",
        ),
    ] {
        assert_eq!(told, expected, "{input}");
    }
}

#[tokio::test]
async fn a_mistaken_request_is_answered_with_what_is_wrong() {
    let (runtime, _recorder) = Runtime::recorded().build().await.unwrap();
    let as_push = answer(&runtime, post("/subscriptions/Note", "{}")).await;
    let lowercase = answer(&runtime, post("/tasks/add", "{}")).await;
    let empty = answer(&runtime, post("/tasks/Add", "")).await;
    let incomplete = answer(&runtime, post("/tasks/Add", r#"{"left": 1}"#)).await;

    for (input, told, expected) in [
        (
            "POST /subscriptions/Note",
            as_push.1.to_string(),
            r#"{"error":"Task Note not found"}"#,
        ),
        (
            "POST /tasks/add",
            lowercase.1.to_string(),
            r#"{"error":"Task add not found"}"#,
        ),
        (
            "POST /tasks/Add without a body",
            empty.1.to_string(),
            r#"{"error":"Task Add cannot read its arguments: the body is empty; expected the JSON of the task's arguments"}"#,
        ),
        (
            "POST /tasks/Add without a field",
            incomplete.1.to_string(),
            r#"{"error":"Task Add cannot read its arguments: missing field `right` at line 1 column 11"}"#,
        ),
    ] {
        assert_eq!(told, expected, "{input}");
    }
}

#[test]
fn a_mistaken_variable_is_told_with_what_is_accepted() {
    for (input, told, expected) in [
        (
            "CLOUD_TASKS_ENDPOINT=shop.example",
            of_variable("CLOUD_TASKS_ENDPOINT", "shop.example"),
            r#"CLOUD_TASKS_ENDPOINT is "shop.example", which is not accepted: a URL that starts with http:// or https:// and has no query, user or password, such as https://shop.example/jobs"#,
        ),
        (
            "CLOUD_TASKS_MODE=cloud",
            of_variable("CLOUD_TASKS_MODE", "cloud"),
            r#"CLOUD_TASKS_MODE is "cloud", which is not accepted: google, local or eager"#,
        ),
        (
            "CLOUD_TASKS_LOCATION=projects/p/locations/l",
            of_variable("CLOUD_TASKS_LOCATION", "projects/p/locations/l"),
            r#"CLOUD_TASKS_LOCATION is "projects/p/locations/l", which is not accepted: the name of a region alone, such as europe-west1"#,
        ),
        (
            "CLOUD_TASKS_EMULATOR_HOST=http://localhost:8123",
            of_variable("CLOUD_TASKS_EMULATOR_HOST", "http://localhost:8123"),
            r#"CLOUD_TASKS_EMULATOR_HOST is "http://localhost:8123", which is not accepted: host:port, such as localhost:8123"#,
        ),
        (
            "CLOUD_TASKS_MAXIMUM_ETA_TASK=1h",
            of_variable("CLOUD_TASKS_MAXIMUM_ETA_TASK", "1h"),
            r#"CLOUD_TASKS_MAXIMUM_ETA_TASK is "1h", which is not accepted: a number of seconds, 0 or more"#,
        ),
    ] {
        assert_eq!(told, expected, "{input}");
    }
}
