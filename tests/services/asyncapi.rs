//! The `AsyncAPI` document, by the official JSON Schema of its specification.

use std::collections::BTreeMap;
use std::io::Write;
use std::process::{Command, Stdio};

use cloud_tasks::{Context, PublisherTask, Runtime, Task, TaskResult, task};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::support::console;

/// Arguments of every shape.
#[derive(Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
struct Survey {
    /// The number of the plot.
    #[schemars(extend("x-aliases" = ["number"]))]
    plot: u64,
    corner: (f64, f64),
    grade: char,
    owner: Option<Owner>,
    #[serde(default)]
    neighbours: Vec<Owner>,
    by_year: BTreeMap<String, i32>,
    state: State,
    any: Value,
    #[serde(flatten)]
    note: Note,
}

/// Contains itself.
#[derive(Deserialize, JsonSchema, Serialize)]
struct Owner {
    name: String,
    heirs: Vec<Owner>,
}

#[derive(Deserialize, JsonSchema, Serialize)]
#[serde(tag = "kind")]
enum State {
    Free,
    Sold { to: Box<Owner> },
}

#[derive(Deserialize, JsonSchema, Serialize)]
struct Note {
    note: Words,
}

#[derive(Deserialize, JsonSchema, Serialize)]
#[serde(untagged)]
enum Words {
    One(String),
    Many(Vec<String>),
}

#[task(name = "land.Survey-1_0")]
impl Task for Survey {
    async fn run(self, _cx: Context) -> TaskResult {
        Ok(())
    }
}

#[derive(Deserialize, JsonSchema, Serialize)]
struct Surveyed(Survey, Option<u8>);

#[task(topic = "surveyed")]
impl PublisherTask for Surveyed {}

fn survey() -> Value {
    json!({
        "plot": 7, "corner": [0.5, 1], "grade": "A", "owner": null, "neighbours": [{"name": "Ada", "heirs": []}],
        "by_year": {"1900": -1}, "state": {"kind": "Free"}, "any": [1, "x"], "note": ["a", "b"],
    })
}

/// The survey with another value somewhere.
fn with(pointer: &str, value: Value) -> Value {
    let mut survey = survey();
    *survey.pointer_mut(pointer).unwrap() = value;
    survey
}

async fn document() -> Value {
    let (runtime, _) = Runtime::recorded().build().await.unwrap();
    let (code, out, _) = console::run(&runtime, &["schema", "asyncapi", "--title", "land"], None).await;
    assert_eq!(code, 0);
    serde_json::from_str(&out).unwrap()
}

#[tokio::test]
async fn schemas_of_the_document_have_no_keyword_that_draft_07_does_not_know() {
    let document = document().await;

    let text = document["components"]["schemas"].to_string();
    assert!(text.contains(r#""items":[{"#) && text.contains(r#""additionalProperties":false"#));
    for keyword in [
        "prefixItems",
        "unevaluated",
        "$schema",
        "dependentRequired",
        "$anchor",
    ] {
        assert!(!text.contains(&format!("\"{keyword}")), "{keyword}: {text}");
    }
}

/// What the official schema, or that of a payload, says of each value, in Python; `None` where `.ci/peers` has not installed
/// them, which it says loudly.
fn validate(test: &str, input: &Value) -> Option<Value> {
    let var = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
    let (Some(venv), Some(schema)) = (var("CLOUD_TASKS_PEERS_VENV"), var("CLOUD_TASKS_ASYNCAPI_SCHEMA"))
    else {
        // Not `eprintln!`, which the test harness hides.
        let skipped = format!("SKIPPED: {test}: the official schema is fetched by .ci/peers\n");
        let _ = std::io::stderr().write_all(skipped.as_bytes());
        return None;
    };
    let mut child = Command::new(format!("{venv}/bin/python"))
        .args([
            "-B",
            concat!(env!("CARGO_MANIFEST_DIR"), "/tests/services/asyncapi.py"),
        ])
        .arg(schema)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let input = input.to_string();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    Some(serde_json::from_slice(&output.stdout).unwrap())
}

#[tokio::test]
async fn the_document_is_valid_by_the_official_schema_and_a_broken_one_is_not() {
    let document = document().await;
    let broken = |pointer: &str, value: Value| {
        let mut broken = document.clone();
        *broken.pointer_mut(pointer).unwrap() = value;
        broken
    };
    let documents = [
        document.clone(),
        broken("/asyncapi", json!("4")),
        broken("/operations/Surveyed/action", json!("publish")),
        broken(
            "/components/schemas/Surveyed",
            json!({"type": "array", "items": 7}),
        ),
    ];

    let Some(errors) = validate("the_document_is_valid", &json!({ "documents": documents })) else {
        return;
    };

    let errors = errors["documents"].as_array().unwrap();
    assert_eq!(errors[0], json!([]));
    for errors in &errors[1..] {
        assert_ne!(errors, &json!([]));
    }
}

#[tokio::test]
async fn a_payload_is_valid_by_the_schema_in_the_document_exactly_if_it_decodes() {
    let document = document().await;
    let payloads = [
        survey(),
        with(
            "/owner",
            json!({"name": "Ada", "heirs": [{"name": "Eve", "heirs": []}]}),
        ),
        with(
            "/state",
            json!({"kind": "Sold", "to": {"name": "Ada", "heirs": []}}),
        ),
        with("/note", json!("a")),
        with("/plot", json!(-1)),
        with("/corner", json!([0.5])),
        with("/corner", json!([0.5, 1, 2])),
        with("/corner", json!(["a", 1])),
        with("/grade", json!("AB")),
        with(
            "/owner",
            json!({"name": "Ada", "heirs": [{"name": 7, "heirs": []}]}),
        ),
        with("/by_year", json!({"1900": "x"})),
        with("/state", json!({"kind": "Sold"})),
        with("/note", json!(7)),
    ];

    let input = json!({"payloads": payloads, "of": document, "schema": "land.Survey-1_0"});
    let Some(errors) = validate("a_payload_is_valid", &input) else {
        return;
    };

    for (payload, errors) in payloads.iter().zip(errors["payloads"].as_array().unwrap()) {
        let decodes = serde_json::from_value::<Survey>(payload.clone()).is_ok();
        assert_eq!(errors == &json!([]), decodes, "{payload}: {errors}");
    }
}
