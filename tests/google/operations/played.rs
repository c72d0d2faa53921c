//! A Cloud Tasks that is played: its tasks are listed and deleted for real, and requests can be made to fail.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use cloud_tasks::{Context, PublisherTask, Runtime, Task, TaskResult, task};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, Request, Respond, ResponseTemplate};

use crate::support::api::{QUEUES, config, google, refused};

#[derive(Debug, Deserialize, PartialEq, Serialize)]
pub(crate) struct Send {
    pub(crate) user_id: u64,
}

/// Tells what it was told.
#[task(queue = "emails", aliases = ["OldSend"])]
impl Task for Send {
    async fn run(self, cx: Context) -> TaskResult<Value> {
        let metadata = cx.metadata();
        Ok(json!({
            "user_id": self.user_id,
            "attempt": metadata.attempt(),
            "execution_count": metadata.execution_count(),
            "previous_response": metadata.previous_response(),
            "max_attempts": metadata.max_attempts(),
            "queue": metadata.queue(),
            "id": metadata.id(),
            // A header of decimal seconds tells it to the microsecond or so.
            "eta": metadata.eta().map(|eta| humantime::format_rfc3339_millis(eta).to_string()),
            "request": metadata.headers().get("x-request-id").map(|id| id.to_str().unwrap()),
        }))
    }
}

#[derive(Deserialize, Serialize)]
pub(crate) struct Placed {
    pub(crate) id: u64,
}

#[task(queue = "emails", absolute_topic = "placed")]
impl PublisherTask for Placed {}

pub(crate) const EMAILS: &str = "/v2/projects/acme/locations/europe-west1/queues/emails";

/// A task of the service `https://shop.example` as the API shows it, with so many attempts behind it.
pub(crate) fn shown(id: &str, name: &str, attempts: u32) -> Value {
    shown_at(id, &format!("https://shop.example/tasks/{name}"), attempts)
}

/// A task that goes to this URL.
pub(crate) fn shown_at(id: &str, url: &str, attempts: u32) -> Value {
    json!({
        "name": format!("{QUEUES}/emails/tasks/{id}"),
        "scheduleTime": "2030-01-02T03:04:05.678901Z",
        "createTime": "2030-01-01T00:00:00Z",
        "dispatchDeadline": "120s",
        "dispatchCount": attempts,
        "responseCount": 1,
        "lastAttempt": {
            "dispatchTime": "2030-01-01T00:00:01Z",
            "responseTime": "2030-01-01T00:00:02Z",
            "responseStatus": {"code": 14, "message": "UNAVAILABLE(14): HTTP status code 503"},
        },
        "httpRequest": {
            "url": url,
            "httpMethod": 1,
            "headers": {"x-request-id": "abc", "User-Agent": "Google-Cloud-Tasks"},
            "body": STANDARD.encode(r#"{"user_id":7}"#),
        },
    })
}

#[derive(Default)]
struct State {
    /// By id; the queue is `emails`.
    tasks: BTreeMap<String, Value>,
    /// So many tasks a page, where it is not as many as are asked for.
    page: Option<usize>,
    /// What to answer in place of what would be: how often, to which method and path, with what.
    faults: Vec<(usize, &'static str, String, ResponseTemplate)>,
    requests: Vec<String>,
}

/// Cloud Tasks with one queue, `emails`.
#[derive(Clone)]
pub(crate) struct Played {
    state: Arc<Mutex<State>>,
    server: Arc<MockServer>,
}

impl Played {
    pub(crate) async fn with(tasks: impl IntoIterator<Item = Value>) -> Self {
        let played = Self {
            state: Arc::default(),
            server: Arc::new(MockServer::start().await),
        };
        for task in tasks {
            let id = task["name"]
                .as_str()
                .unwrap()
                .rsplit('/')
                .next()
                .unwrap()
                .to_owned();
            played.state().tasks.insert(id, task);
        }
        let answer = Answer(Arc::clone(&played.state));
        Mock::given(any())
            .respond_with(answer)
            .mount(&played.server)
            .await;
        played
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Shows so many tasks a page.
    pub(crate) fn pages_of(&self, tasks: usize) {
        self.state().page = Some(tasks);
    }

    /// Answers with this so many times, to this method and to paths that end so.
    pub(crate) fn fail(&self, times: usize, method: &'static str, path: &str, answer: ResponseTemplate) {
        self.state().faults.push((times, method, path.to_owned(), answer));
    }

    /// The ids that are left.
    pub(crate) fn ids(&self) -> Vec<String> {
        self.state().tasks.keys().cloned().collect()
    }

    /// The requests so far: method, path and query, body.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.state().requests.clone()
    }

    pub(crate) fn requests_of(&self, method: &str) -> usize {
        let requests = self.requests();
        requests
            .iter()
            .filter(|request| request.starts_with(method))
            .count()
    }

    pub(crate) fn url(&self) -> String {
        self.server.uri()
    }

    pub(crate) async fn runtime(&self) -> Runtime {
        Runtime::builder()
            .config(config())
            .google(google(self.url()))
            .allow_unsigned_pushes()
            .build()
            .await
            .unwrap()
    }
}

struct Answer(Arc<Mutex<State>>);

impl Respond for Answer {
    fn respond(&self, request: &Request) -> ResponseTemplate {
        let mut state = self.0.lock().unwrap();
        let (method, path) = (request.method.as_str(), request.url.path().to_owned());
        let query: BTreeMap<_, _> = request.url.query_pairs().into_owned().collect();
        // How enums are written is the client's business.
        let told: Vec<_> = query
            .iter()
            .filter(|(name, _)| !name.starts_with('$'))
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let body = String::from_utf8_lossy(&request.body);
        let told = format!("{method} {path}?{} {body}", told.join("&"));
        state.requests.push(told.replace("? ", " ").trim_end().to_owned());
        let fault = state
            .faults
            .iter_mut()
            .find(|(times, of, end, _)| *times > 0 && *of == method && path.ends_with(end.as_str()));
        if let Some((times, _, _, answer)) = fault {
            *times -= 1;
            return answer.clone();
        }
        state.answer(method, path.trim_start_matches(EMAILS), &query)
    }
}

impl State {
    fn answer(&mut self, method: &str, path: &str, query: &BTreeMap<String, String>) -> ResponseTemplate {
        let missing = || refused(404, "NOT_FOUND", "Requested entity was not found.");
        let found = |task: Option<Value>| task.map_or_else(missing, |task| ok(&task));
        let id = path.strip_prefix("/tasks/").map(|id| id.trim_end_matches(":run"));
        match (method, id) {
            ("GET", None) if path == "/tasks" => self.page(query),
            ("GET", None) if path.is_empty() => ok(&json!({
                "name": format!("{QUEUES}/emails"),
                "state": "PAUSED",
                "rateLimits": {"maxDispatchesPerSecond": 2.5, "maxConcurrentDispatches": 10},
                "retryConfig": {"maxAttempts": 5},
                "purgeTime": "2030-01-01T00:00:00Z",
            })),
            ("GET" | "POST", Some(id)) => found(self.tasks.get(id).cloned()),
            ("DELETE", Some(id)) => found(self.tasks.remove(id).map(|_| json!({}))),
            ("POST", None) if path.starts_with(':') => {
                if path == ":purge" {
                    self.tasks.clear();
                }
                ok(&json!({"name": format!("{QUEUES}/emails")}))
            }
            _ => refused(400, "INVALID_ARGUMENT", path),
        }
    }

    fn page(&self, query: &BTreeMap<String, String>) -> ResponseTemplate {
        let asked: usize = query["pageSize"].parse().unwrap();
        let size = self.page.unwrap_or(asked).min(asked);
        let after = &query["pageToken"];
        let mut tasks: Vec<_> = self.tasks.iter().filter(|(id, _)| *id > after).collect();
        let more = tasks.len() > size;
        tasks.truncate(size);
        let next = tasks.last().filter(|_| more).map(|(id, _)| *id);
        let tasks: Vec<_> = tasks.iter().map(|(_, task)| task).collect();
        ok(&json!({"tasks": tasks, "nextPageToken": next.cloned().unwrap_or_default()}))
    }
}

fn ok(body: &Value) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_json(body)
}
