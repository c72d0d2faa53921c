//! Tasks: any body and any headers, against what serde and the documented headers say of them.
#![no_main]

mod support;

use std::cell::RefCell;
use std::time::{Duration, UNIX_EPOCH};

use arbitrary::Arbitrary;
use cloud_tasks::task::TaskMetadata;
use cloud_tasks::{Context, Discard, RetryAfter, Runtime, Task, TaskError, TaskResult, task};
use libfuzzer_sys::fuzz_target;
use serde::{Deserialize, Serialize};
use support::{Answer, SECRET, Tree, block_on, post, send};

thread_local! {
    static SEEN: RefCell<Option<TaskMetadata>> = const { RefCell::new(None) };
}

/// Has fields of many kinds, and gives itself back.
#[derive(Debug, Deserialize, PartialEq, Serialize)]
struct Echo {
    number: u32,
    text: String,
    list: Option<Vec<Choice>>,
    inner: Option<Box<Echo>>,
}

#[derive(Debug, Deserialize, PartialEq, Serialize)]
enum Choice {
    Left(u8),
    Right { text: char },
}

#[task]
impl Task for Echo {
    async fn run(self, cx: Context) -> TaskResult<Echo> {
        SEEN.set(Some(cx.metadata().clone()));
        Ok(self)
    }
}

/// Refuses members that it does not know.
#[derive(Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
struct Strict {
    number: i64,
    #[serde(default)]
    choice: Option<Choice>,
}

#[task(timeout = "30s")]
impl Task for Strict {
    async fn run(self, _cx: Context) -> TaskResult<Strict> {
        Ok(self)
    }
}

/// Has no fields.
#[derive(Deserialize, Serialize)]
struct Nothing;

#[task]
impl Task for Nothing {
    async fn run(self, _cx: Context) -> TaskResult {
        Ok(())
    }
}

/// Ends as it is told.
#[derive(Arbitrary, Clone, Debug, Deserialize, Serialize)]
enum End {
    Well(String),
    Badly(String),
    Discarded(Option<u16>),
    Later(Duration),
    Enqueues,
}

#[task]
impl Task for End {
    async fn run(self, _cx: Context) -> TaskResult<String> {
        match self {
            Self::Well(text) => Ok(text),
            Self::Badly(text) => Err(format!("{SECRET}{text}").into()),
            Self::Discarded(None) => Err(Discard::new(SECRET).into()),
            Self::Discarded(Some(status)) => Err(Discard::new(SECRET).status(status)?.into()),
            Self::Later(delay) => Err(RetryAfter::new(delay).into()),
            Self::Enqueues => {
                Nothing.asap().await.map_err(TaskError::from)?;
                Ok(String::new())
            }
        }
    }
}

#[derive(Arbitrary, Debug)]
enum Input {
    Anything {
        to: u8,
        method: Method,
        headers: Vec<(Header, Value)>,
        body: Vec<u8>,
    },
    Shaped {
        to: u8,
        headers: Vec<(Header, Value)>,
        body: Tree,
    },
    Ends {
        end: End,
        headers: Vec<(Header, Value)>,
    },
}

#[derive(Arbitrary, Debug)]
enum Method {
    Post,
    Any(String),
}

#[derive(Arbitrary, Debug)]
enum Header {
    Known(u8),
    Any(String),
}

const HEADERS: &[&str] = &[
    "x-cloudtasks-queuename",
    "x-cloudtasks-taskname",
    "x-cloudtasks-taskretrycount",
    "x-cloudtasks-taskexecutioncount",
    "x-cloudtasks-tasketa",
    "x-cloudtasks-taskpreviousresponse",
    "x-cloudtasks-taskretryreason",
    "x-cloudscheduler",
    "x-cloudscheduler-jobname",
    "x-cloudscheduler-scheduletime",
    "x-cloud-tasks-timeout",
    "authorization",
    "traceparent",
    "content-type",
    "x-cloud-tasks-message",
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
enum Value {
    Bytes(Vec<u8>),
    Text(String),
    Whole(u64),
    Negative(i32),
    Float(f64),
    Time(u16, u8, u8, u8, u8, u8, u32),
    True,
}

impl Value {
    fn bytes(&self) -> Vec<u8> {
        match self {
            Self::Bytes(bytes) => bytes.clone(),
            Self::Text(text) => text.clone().into_bytes(),
            Self::Whole(number) => number.to_string().into_bytes(),
            Self::Negative(number) => number.to_string().into_bytes(),
            Self::Float(number) => number.to_string().into_bytes(),
            Self::Time(year, month, day, hour, minute, second, nanos) => {
                format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{nanos:09}Z")
                    .into_bytes()
            }
            Self::True => b"TRUE".to_vec(),
        }
    }
}

const TASKS: &[&str] = &["Echo", "Strict", "Nothing"];

fn runtime() -> Runtime {
    block_on(async { Runtime::recorded().build().await.unwrap().0 })
}

fn call(
    runtime: &Runtime,
    task: &str,
    method: &Method,
    headers: &[(Header, Value)],
    body: &[u8],
) -> Option<(Answer, Option<TaskMetadata>)> {
    let lines = headers.iter().map(|(name, value)| (name.name(), value.bytes()));
    let mut request = post(&format!("/tasks/{task}"), lines, body.to_vec())?;
    if let Method::Any(method) = method {
        *request.method_mut() = method.parse().ok()?;
    }
    let posted = request.method() == http::Method::POST;
    SEEN.set(None);
    let answer = block_on(send(runtime, request));
    assert_eq!(answer.status == 405, !posted, "{}", answer.text);
    if !posted {
        assert_eq!(answer.headers["allow"], "POST");
        return None;
    }
    Some((answer, SEEN.take()))
}

/// What serde makes of a body, and what the task gives back for it.
fn expected(task: &str, body: &[u8]) -> Option<serde_json::Value> {
    let json = |value| serde_json::to_value(value).unwrap();
    match task {
        "Echo" => serde_json::from_slice::<Echo>(body)
            .ok()
            .map(|echo| serde_json::to_value(echo).unwrap()),
        "Strict" => serde_json::from_slice::<Strict>(body)
            .ok()
            .map(|strict| serde_json::to_value(strict).unwrap()),
        _ => {
            let nothing = matches!(body.trim_ascii(), b"" | b"{}" | b"null");
            nothing.then(|| json(()))
        }
    }
}

fuzz_target!(|input: Input| {
    thread_local! {
        static SHARED: Runtime = runtime();
    }
    SHARED.with(|shared| match input {
        Input::Anything {
            to,
            method,
            headers,
            body,
        } => {
            let task = TASKS[usize::from(to) % TASKS.len()];
            if let Some((answer, seen)) = call(shared, task, &method, &headers, &body) {
                check(&answer, expected(task, &body));
                if let Some(metadata) = seen {
                    check_metadata(&metadata, &headers);
                }
            }
        }
        Input::Shaped { to, headers, body } => {
            let task = TASKS[usize::from(to) % TASKS.len()];
            let body = body.json().to_string().into_bytes();
            if let Some((answer, seen)) = call(shared, task, &Method::Post, &headers, &body) {
                check(&answer, expected(task, &body));
                if !answer.status.is_success() {
                    assert!(!answer.text.contains(SECRET), "{}", answer.text);
                }
                if let Some(metadata) = seen {
                    check_metadata(&metadata, &headers);
                }
            }
        }
        Input::Ends { end, headers } => {
            // Nothing that waits in it is left to the next run.
            let fresh = matches!(end, End::Enqueues).then(runtime);
            let runtime = fresh.as_ref().unwrap_or(shared);
            let body = serde_json::to_vec(&end).unwrap();
            if let Some((answer, _)) = call(runtime, "End", &Method::Post, &headers, &body) {
                ended(&end, &answer);
            }
        }
    });
});

fn check(answer: &Answer, expected: Option<serde_json::Value>) {
    match expected {
        Some(result) => {
            assert_eq!(answer.status, 200, "{}", answer.text);
            assert_eq!(answer.json["result"], result);
            assert_eq!(answer.json["status"], "executed");
        }
        None => assert_eq!(answer.status, 400, "{}", answer.text),
    }
}

fn ended(end: &End, answer: &Answer) {
    let status = answer.status.as_u16();
    match end {
        End::Well(text) => assert_eq!((status, &answer.json["result"]), (200, &text.as_str().into())),
        End::Badly(_) => assert_eq!(status, 500),
        End::Discarded(None) => assert_eq!(status, 202),
        // Any other status is refused where the discard is made, and the task fails.
        End::Discarded(Some(chosen)) if !(200..300).contains(chosen) => assert_eq!(status, 500),
        End::Discarded(Some(chosen)) => assert_eq!(status, *chosen),
        End::Later(delay) => {
            assert_eq!(status, 503);
            let after: u64 = answer.headers["retry-after"].to_str().unwrap().parse().unwrap();
            let whole = delay
                .as_secs()
                .saturating_add(u64::from(delay.subsec_nanos() > 0));
            // The longest backoff of a queue.
            assert_eq!(after, whole.min(3600));
        }
        // A header that the request came with may be one that no task can carry on.
        End::Enqueues => assert!(matches!(status, 200 | 500), "{}", answer.text),
    }
    if !matches!(end, End::Well(_)) {
        assert!(!answer.text.contains(SECRET), "{}", answer.text);
    }
}

/// Every reading of a header is the header's, and what cannot be read is not there.
fn check_metadata(metadata: &TaskMetadata, headers: &[(Header, Value)]) {
    let first = |name: &str| {
        let (_, value) = headers
            .iter()
            .find(|(header, _)| header.name().eq_ignore_ascii_case(name))?;
        String::from_utf8(value.bytes()).ok().filter(|text| {
            text.bytes()
                .all(|byte| byte == b'\t' || (b' '..=b'~').contains(&byte))
        })
    };
    let number = |name: &str| first(name)?.trim().parse::<u32>().ok();
    assert_eq!(metadata.queue(), first("x-cloudtasks-queuename").as_deref());
    assert_eq!(metadata.id(), first("x-cloudtasks-taskname").as_deref());
    assert_eq!(metadata.retry_count(), number("x-cloudtasks-taskretrycount"));
    assert_eq!(
        metadata.execution_count(),
        number("x-cloudtasks-taskexecutioncount")
    );
    assert_eq!(
        metadata.attempt(),
        metadata.retry_count().unwrap_or(0).saturating_add(1)
    );
    assert_eq!(metadata.job_name(), first("x-cloudscheduler-jobname").as_deref());
    assert!(metadata.retry_reason().is_none_or(|reason| !reason.is_empty()));
    assert!(metadata.headers().get("authorization").is_none());
    let _ = (
        metadata.previous_response(),
        metadata.is_scheduled(),
        metadata.timeout(),
    );
    let since = |time: std::time::SystemTime| time.duration_since(UNIX_EPOCH).expect("not before 1970");
    let _ = (metadata.eta().map(since), metadata.schedule_time().map(since));
    let shown = format!("{metadata:?}");
    let again = TaskMetadata::from_headers(metadata.headers().clone());
    assert_eq!(format!("{again:?}"), shown);
    if let Some(eta) = metadata.eta() {
        // To the microsecond, as far as a float of the header tells it.
        let written = TaskMetadata::new()
            .with_eta(eta)
            .eta()
            .expect("what was written is read");
        let apart = written
            .duration_since(eta)
            .unwrap_or_else(|error| error.duration());
        let seconds = since(eta).as_secs();
        assert!(
            apart < Duration::from_micros(2) || seconds > 1 << 33,
            "{eta:?} {written:?}"
        );
    }
}
