//! Pub/Sub and Cloud Tasks as a set-up sees them: what is made stays, and requests can be made to fail.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use cloud_tasks::queue::QueueSettings;
use cloud_tasks::runtime::RuntimeBuilder;
use cloud_tasks::{Config, Context, Message, PublisherTask, Runtime, SubscriberTask, Task, TaskResult, task};
use percent_encoding::percent_decode_str;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, Request, Respond, ResponseTemplate};

use crate::support::api::{config, google, refused, sent};

/// The event that most are interested in.
#[derive(Deserialize, Serialize)]
pub(crate) struct Placed {
    pub(crate) id: u64,
}

#[task(topic = "orders")]
impl PublisherTask for Placed {}

/// Wants everything that a subscriber can ask for.
pub(crate) struct Auditor;

#[task(
    filter = r#"attributes.kind = "loud""#,
    max_retries = 7,
    min_backoff = "5s",
    max_backoff = "60s",
    ack_deadline = "30s",
    dead_letter_topic = "orders-failed",
    retention = "1h"
)]
impl SubscriberTask for Auditor {
    async fn run(_message: Message<Placed>, _cx: Context) -> TaskResult {
        Ok(())
    }
}

/// Asks for nothing.
pub(crate) struct Plain;

#[task]
impl SubscriberTask for Plain {
    async fn run(_message: Message<Placed>, _cx: Context) -> TaskResult {
        Ok(())
    }
}

/// Wants no token.
pub(crate) struct Unsigned;

#[task(oidc = false)]
impl SubscriberTask for Unsigned {
    async fn run(_message: Message<Placed>, _cx: Context) -> TaskResult {
        Ok(())
    }
}

#[derive(Deserialize, Serialize)]
pub(crate) struct Send;

#[task(queue = "emails")]
impl Task for Send {
    async fn run(self, _cx: Context) -> TaskResult {
        Ok(())
    }
}

/// Runs at its times.
#[derive(Default, Deserialize, Serialize)]
pub(crate) struct Digest {
    pub(crate) limit: u32,
}

#[task(
    every = "0 9 * * 1-5",
    time_zone = "Europe/Paris",
    payload = Digest { limit: 10 },
    schedule_max_retries = 3,
    schedule_min_backoff = "10s",
    timeout = "2m"
)]
impl Task for Digest {
    async fn run(self, _cx: Context) -> TaskResult {
        Ok(())
    }
}

pub(crate) const NUMBER: u64 = 123_456;
pub(crate) const SUBSCRIPTIONS: &str = "projects/acme/subscriptions";
pub(crate) const TOPICS: &str = "projects/acme/topics";

#[derive(Default)]
struct State {
    /// By full path.
    resources: BTreeMap<String, Value>,
    policies: BTreeMap<String, Value>,
    /// How often a policy was written, for etags.
    policy_writes: usize,
    /// What to answer in place of what would be: how often, to which method and path, with what.
    faults: Vec<(usize, String, String, ResponseTemplate)>,
}

/// A cloud in this process.
#[derive(Clone)]
pub(crate) struct Cloud {
    state: Arc<Mutex<State>>,
    server: Arc<MockServer>,
}

impl Cloud {
    pub(crate) async fn new() -> Self {
        let cloud = Self {
            state: Arc::default(),
            server: Arc::new(MockServer::start().await),
        };
        let respond = Responder(Arc::clone(&cloud.state));
        Mock::given(any())
            .respond_with(respond)
            .mount(&cloud.server)
            .await;
        cloud
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Answers with this so many times, to this method and to paths that end so.
    pub(crate) fn fail(&self, times: usize, method: &str, path: &str, answer: ResponseTemplate) {
        self.state()
            .faults
            .push((times, method.into(), path.into(), answer));
    }

    pub(crate) fn put(&self, path: &str, mut resource: Value) {
        resource["name"] = path.into();
        self.state().resources.insert(path.to_owned(), resource);
    }

    /// Sets one field of a resource, by its JSON pointer.
    pub(crate) fn set(&self, path: &str, field: &str, value: Value) {
        let mut state = self.state();
        let resource = state.resources.get_mut(path).unwrap();
        set(resource, &field.trim_start_matches('/').replace('/', "."), value);
    }

    pub(crate) fn set_policy(&self, path: &str, policy: Value) {
        self.state().policies.insert(path.to_owned(), policy);
    }

    pub(crate) fn get(&self, path: &str) -> Option<Value> {
        self.state().resources.get(path).cloned()
    }

    pub(crate) fn policy(&self, path: &str) -> Value {
        self.state().policies.get(path).cloned().unwrap_or_default()
    }

    /// Everything that is there.
    pub(crate) fn all(&self) -> (BTreeMap<String, Value>, BTreeMap<String, Value>) {
        let state = self.state();
        (state.resources.clone(), state.policies.clone())
    }

    pub(crate) fn url(&self) -> String {
        self.server.uri()
    }

    /// The calls since the last time, as `PUT /v1/projects/..`.
    pub(crate) async fn calls(&self) -> Vec<String> {
        let requests = self.server.received_requests().await.unwrap();
        requests
            .iter()
            .map(|request| format!("{} {}", request.method, request.url.path()))
            .collect()
    }

    /// How many calls of this method there were.
    pub(crate) async fn count(&self, method: &str) -> usize {
        let prefix = format!("{method} ");
        let calls = self.calls().await;
        calls.iter().filter(|call| call.starts_with(&prefix)).count()
    }

    /// The body and the query of the calls of this method to this path.
    pub(crate) async fn sent(&self, method: &str, path: &str) -> Vec<(Value, String)> {
        let requests = self.server.received_requests().await.unwrap();
        requests
            .iter()
            .filter(|request| request.method.as_str() == method && request.url.path() == path)
            .map(|request| (sent(request), request.url.query().unwrap_or_default().to_owned()))
            .collect()
    }

    pub(crate) fn builder(&self, config: Config) -> RuntimeBuilder {
        Runtime::builder()
            .config(config)
            .google(
                google(self.server.uri())
                    .pubsub_endpoint(self.server.uri())
                    .scheduler_endpoint(self.server.uri()),
            )
            .allow_unsigned_pushes()
    }

    /// A runtime of the application `shop` that reaches this cloud.
    pub(crate) async fn runtime(&self) -> Runtime {
        let emails = QueueSettings::new("emails")
            .with_max_dispatches_per_second(5.0)
            .with_max_attempts(3);
        self.builder(config().with_app_name("shop"))
            .queue(emails)
            .build()
            .await
            .unwrap()
    }
}

struct Responder(Arc<Mutex<State>>);

impl Respond for Responder {
    fn respond(&self, request: &Request) -> ResponseTemplate {
        let mut state = self.0.lock().unwrap();
        let path = percent_decode_str(request.url.path())
            .decode_utf8()
            .unwrap()
            .into_owned();
        let fault = state.faults.iter_mut().find(|(times, method, suffix, _)| {
            *times > 0 && request.method.as_str() == method && path.ends_with(suffix.as_str())
        });
        if let Some((times, _, _, answer)) = fault {
            *times -= 1;
            return answer.clone();
        }
        let path = path.trim_start_matches("/v1/").trim_start_matches("/v2/");
        if let Some((resource, verb)) = path.rsplit_once(':') {
            return state.policy(resource, verb, request);
        }
        match request.method.as_str() {
            "GET" => state.read(path),
            "PUT" => state.make(path, sent(request)),
            "POST" => {
                let queue = sent(request);
                let name = queue["name"].as_str().unwrap().to_owned();
                state.make(&name, queue)
            }
            "PATCH" => state.change(path, request),
            "DELETE" => match state.delete(path) {
                Some(_) => ResponseTemplate::new(200).set_body_json(json!({})),
                None => refused(404, "NOT_FOUND", "there is no such thing"),
            },
            method => refused(400, "INVALID_ARGUMENT", method),
        }
    }
}

impl State {
    /// Deletes a resource, and its policy with it.
    fn delete(&mut self, path: &str) -> Option<Value> {
        self.policies.remove(path);
        self.resources.remove(path)
    }

    fn read(&self, path: &str) -> ResponseTemplate {
        if let Some(resource) = self.resources.get(path) {
            return ResponseTemplate::new(200).set_body_json(resource);
        }
        let kind = path.rsplit('/').next().unwrap();
        if !["topics", "subscriptions", "queues", "jobs"].contains(&kind) {
            return refused(404, "NOT_FOUND", "there is no such thing");
        }
        let prefix = format!("{path}/");
        let found: Vec<_> = self
            .resources
            .iter()
            .filter(|(name, _)| name.starts_with(&prefix))
            .map(|(_, resource)| resource)
            .collect();
        ResponseTemplate::new(200).set_body_json(json!({ kind: found }))
    }

    fn make(&mut self, path: &str, mut resource: Value) -> ResponseTemplate {
        if self.resources.contains_key(path) {
            return refused(409, "ALREADY_EXISTS", "it is there");
        }
        resource["name"] = path.into();
        // As the service fills in what is left open.
        let filled = json!({"ackDeadlineSeconds": 10, "expirationPolicy": {"ttl": "2678400s"}});
        if path.contains("/subscriptions/") {
            for (field, value) in filled.as_object().unwrap() {
                if resource[field].is_null() {
                    resource[field] = value.clone();
                }
            }
        }
        self.resources.insert(path.to_owned(), resource.clone());
        ResponseTemplate::new(200).set_body_json(resource)
    }

    fn change(&mut self, path: &str, request: &Request) -> ResponseTemplate {
        let body = sent(request);
        let (new, mask) = match body.get("subscription") {
            Some(new) => (new.clone(), body["updateMask"].as_str().unwrap().to_owned()),
            None => {
                let query: BTreeMap<_, _> = request.url.query_pairs().into_owned().collect();
                (body, query["updateMask"].clone())
            }
        };
        let Some(resource) = self.resources.get_mut(path) else {
            return refused(404, "NOT_FOUND", "there is no such thing");
        };
        for field in mask.split(',') {
            let pointer = format!("/{}", camel(field).replace('.', "/"));
            let value = new.pointer(&pointer).cloned().unwrap_or_default();
            set(resource, &camel(field), value);
        }
        ResponseTemplate::new(200).set_body_json(resource)
    }

    fn policy(&mut self, resource: &str, verb: &str, request: &Request) -> ResponseTemplate {
        let there = self
            .policies
            .get(resource)
            .cloned()
            .unwrap_or_else(|| json!({"etag": "MQ=="}));
        if verb == "getIamPolicy" {
            if !self.resources.contains_key(resource) {
                return refused(404, "NOT_FOUND", "there is no such thing");
            }
            return ResponseTemplate::new(200).set_body_json(there);
        }
        let mut policy = sent(request)["policy"].clone();
        // Without an etag it is overwritten.
        if !policy["etag"].is_null() && policy["etag"] != there["etag"] {
            return refused(409, "ABORTED", "somebody else was quicker");
        }
        self.policy_writes += 1;
        policy["etag"] = json!(STANDARD.encode(self.policy_writes.to_string()));
        self.policies.insert(resource.to_owned(), policy.clone());
        ResponseTemplate::new(200).set_body_json(policy)
    }
}

fn set(resource: &mut Value, path: &str, value: Value) {
    match path.split_once('.') {
        Some((first, rest)) => set(&mut resource[first], rest, value),
        None => resource[path] = value,
    }
}

/// `rate_limits.max_attempts` as JSON has it.
fn camel(field: &str) -> String {
    let mut words = field.split('_');
    let first = words.next().unwrap().to_owned();
    words.fold(first, |text, word| text + &word[..1].to_uppercase() + &word[1..])
}
