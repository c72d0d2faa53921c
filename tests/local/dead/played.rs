//! Pub/Sub and Cloud Tasks as a replay sees them, with faults at each step.

use std::collections::{BTreeMap, BTreeSet};
use std::future::pending;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{Response, Uri};
use axum::response::IntoResponse;
use axum::{Json, Router};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use cloud_tasks::backend::{Google, RetrySettings};
use cloud_tasks::{Config, Runtime};
use futures_util::stream;
use google_cloud_auth::credentials::anonymous;
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::dependencies::with_dependencies;
use crate::support::server::{Port, Server};

/// The calls of a replay.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Step {
    Pull,
    /// `modifyAckDeadline` of what was pulled.
    Lease,
    Create,
    Acknowledge,
    /// `modifyAckDeadline` to 0.
    Release,
}

impl Step {
    pub(crate) const ALL: [Self; 5] = [
        Self::Pull,
        Self::Lease,
        Self::Create,
        Self::Acknowledge,
        Self::Release,
    ];
}

/// What a call is answered with, instead of what it should be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Answer {
    Unavailable503,
    TooMany429,
    Denied403,
    NotFound404,
    /// Nothing, until the caller gives up.
    Hangs,
    /// A page of something in between, as a success.
    Unreadable200,
    /// The beginning of a success, and the end of the connection.
    Partial200,
}

impl Answer {
    pub(crate) const ALL: [Self; 7] = [
        Self::Unavailable503,
        Self::TooMany429,
        Self::Denied403,
        Self::NotFound404,
        Self::Hangs,
        Self::Unreadable200,
        Self::Partial200,
    ];

    /// Whether it will be the same the next time.
    pub(crate) fn is_refusal(self) -> bool {
        matches!(self, Self::Denied403 | Self::NotFound404)
    }

    async fn give(self) -> Response<Body> {
        let error = |http: u16, status: &str| {
            let error =
                json!({"error": {"code": http, "message": "the answer of the test", "status": status}});
            answer(http, error)
        };
        match self {
            Self::Unavailable503 => error(503, "UNAVAILABLE"),
            Self::TooMany429 => error(429, "RESOURCE_EXHAUSTED"),
            Self::Denied403 => error(403, "PERMISSION_DENIED"),
            Self::NotFound404 => error(404, "NOT_FOUND"),
            Self::Hangs => pending().await,
            Self::Unreadable200 => "<html>please log in</html>".into_response(),
            Self::Partial200 => {
                let parts = [Ok(Bytes::from_static(b"{\"")), Err("the connection breaks")];
                Response::new(Body::from_stream(stream::iter(parts)))
            }
        }
    }
}

/// A fault of one step.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fault {
    pub(crate) step: Step,
    pub(crate) answer: Answer,
    pub(crate) times: usize,
    /// Whether the call has its effect all the same.
    pub(crate) takes_effect: bool,
}

#[derive(Default)]
pub(crate) struct Played {
    /// What a pull receives, by message id.
    pub(crate) waiting: BTreeMap<String, Value>,
    /// Message ids and records, by ack id.
    leased: BTreeMap<String, (String, Value)>,
    /// The ids of messages that a readable answer contained.
    pub(crate) delivered: BTreeSet<String>,
    pub(crate) acknowledged: BTreeSet<String>,
    /// How often the service was asked to create a task of this name, by the invoice.
    pub(crate) created: BTreeMap<u64, BTreeSet<String>>,
    pub(crate) fault: Option<Fault>,
    /// The message whose acknowledgement Pub/Sub refuses, with everything else in the same call.
    pub(crate) expired: Option<String>,
    /// The numbers of acknowledgements per call.
    pub(crate) acknowledgements: Vec<usize>,
    deliveries: usize,
}

/// The services, on a port of their own.
pub(crate) struct Cloud {
    pub(crate) url: String,
    played: Arc<Mutex<Played>>,
    /// The number of tasks that a caller wants to be created.
    pub(crate) creates: watch::Receiver<usize>,
    _server: Server,
}

/// A record of a dead task.
pub(crate) fn record(task: &str, invoice: u64) -> Value {
    json!({
        "task": task, "queue": "billing", "id": "c1", "attempts": 3, "error": "", "body": {"invoice": invoice},
        "headers": {}, "died_at": "2026-01-01T00:00:00Z",
    })
}

impl Cloud {
    /// Messages with these ids wait in the subscription `dead-charges`.
    pub(crate) async fn with(messages: impl IntoIterator<Item = (String, Value)>) -> Self {
        let played = Arc::new(Mutex::new(Played {
            waiting: messages.into_iter().collect(),
            ..Played::default()
        }));
        let (asked, creates) = watch::channel(0);
        let port = Port::open().await;
        let url = port.url().to_owned();
        let state = (Arc::clone(&played), Arc::new(asked));
        Self {
            url,
            played,
            creates,
            _server: port.serve(Router::new().fallback(respond).with_state(state)),
        }
    }

    /// The records of charges 1 to `count`.
    pub(crate) async fn with_charges(count: u64) -> Self {
        Self::with((1..=count).map(|n| (format!("m{n:02}"), record("Charge", n)))).await
    }

    pub(crate) fn played(&self) -> MutexGuard<'_, Played> {
        self.played.lock().unwrap()
    }

    pub(crate) async fn runtime(&self) -> Runtime {
        runtime(&self.url, Duration::from_secs(10)).await
    }
}

impl Played {
    /// All leases end.
    pub(crate) fn expire(&mut self) {
        let leased = std::mem::take(&mut self.leased);
        self.waiting.extend(leased.into_values());
    }

    fn pull(&mut self, body: &Value) -> Value {
        let most = usize::try_from(body["maxMessages"].as_u64().unwrap()).unwrap();
        let ids: Vec<_> = self.waiting.keys().take(most).cloned().collect();
        let mut received = Vec::new();
        for id in ids {
            let record = self.waiting.remove(&id).unwrap();
            let data = STANDARD.encode(record.to_string());
            self.deliveries += 1;
            let ack_id = format!("ack-{}", self.deliveries);
            received.push(json!({"ackId": ack_id, "message": {"messageId": id, "data": data}}));
            self.delivered.insert(id.clone());
            self.leased.insert(ack_id, (id, record));
        }
        if received.is_empty() {
            return json!({});
        }
        json!({"receivedMessages": received})
    }

    fn acknowledge(&mut self, ids: &[String]) -> Response<Body> {
        let expired = self.expired.as_ref();
        let is_expired = |id: &String| self.leased.get(id).is_some_and(|(id, _)| Some(id) == expired);
        if ids.iter().any(is_expired) {
            let error =
                json!({"code": 400, "message": "an ack id has expired", "status": "INVALID_ARGUMENT"});
            return answer(400, json!({"error": error}));
        }
        self.acknowledgements.push(ids.len());
        for id in ids {
            let message = self.leased.remove(id).map(|(message, _)| message);
            self.acknowledged.extend(message);
        }
        answer(200, json!({}))
    }

    fn release(&mut self, ids: &[String]) {
        for id in ids {
            self.waiting.extend(self.leased.remove(id));
        }
    }

    fn create(&mut self, body: &Value) -> Response<Body> {
        let task = &body["task"];
        let name = task["name"].as_str().unwrap();
        let arguments = STANDARD
            .decode(task["httpRequest"]["body"].as_str().unwrap())
            .unwrap();
        let arguments: Value = serde_json::from_slice(&arguments).unwrap();
        let tasks = self
            .created
            .entry(arguments["invoice"].as_u64().unwrap())
            .or_default();
        if tasks.insert(name.to_owned()) {
            answer(200, task.clone())
        } else {
            let error = json!({"code": 409, "message": "it is there", "status": "ALREADY_EXISTS"});
            answer(409, json!({"error": error}))
        }
    }

    fn answer(&mut self, step: Step, body: &Value) -> Response<Body> {
        let ids: Vec<String> = serde_json::from_value(body["ackIds"].clone()).unwrap_or_default();
        match step {
            Step::Pull => return answer(200, self.pull(body)),
            Step::Create => return self.create(body),
            Step::Acknowledge => return self.acknowledge(&ids),
            Step::Release => self.release(&ids),
            Step::Lease => {}
        }
        answer(200, json!({}))
    }
}

type Shared = (Arc<Mutex<Played>>, Arc<watch::Sender<usize>>);

async fn respond(
    State((played, asked)): State<Shared>,
    uri: Uri,
    body: Option<Json<Value>>,
) -> Response<Body> {
    let body = body.map(|Json(body)| body).unwrap_or_default();
    let step = match uri.path().rsplit_once(':').map(|(_, verb)| verb) {
        Some("pull") => Step::Pull,
        Some("acknowledge") => Step::Acknowledge,
        Some("modifyAckDeadline") if body["ackDeadlineSeconds"] == 0 => Step::Release,
        Some("modifyAckDeadline") => Step::Lease,
        _ => Step::Create,
    };
    let fault = {
        let mut played = played.lock().unwrap();
        match played
            .fault
            .as_mut()
            .filter(|fault| fault.step == step && fault.times > 0)
        {
            None => return played.answer(step, &body),
            Some(fault) => {
                fault.times -= 1;
                let fault = *fault;
                if fault.takes_effect {
                    played.answer(step, &body);
                }
                fault
            }
        }
    };
    if step == Step::Create {
        asked.send_modify(|count| *count += 1);
    }
    fault.answer.give().await
}

fn answer(status: u16, body: Value) -> Response<Body> {
    let mut response = Json(body).into_response();
    *response.status_mut() = status.try_into().unwrap();
    response
}

/// A runtime that reaches services at this URL, and gives up a call after this time.
pub(crate) async fn runtime(url: &str, attempt_timeout: Duration) -> Runtime {
    let retry = RetrySettings {
        initial: Duration::from_millis(25),
        maximum: Duration::from_millis(200),
        deadline: Duration::from_secs(5),
        ..RetrySettings::default()
    };
    let config = Config::default()
        .with_endpoint("https://shop.example")
        .with_project("acme")
        .with_location("europe-west1")
        .with_service_account("tasks@acme.iam.gserviceaccount.com")
        .with_enqueue_retry(retry);
    let google = Google::new()
        .credentials(anonymous::Builder::new().build())
        .api_endpoint(url)
        .pubsub_endpoint(url)
        .attempt_timeout(attempt_timeout);
    with_dependencies(Runtime::builder())
        .config(config)
        .google(google)
        .build()
        .await
        .unwrap()
}
