//! Tasks and subscribers that do as their scenario says, and note each attempt.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use cloud_tasks::{
    Context, Discard, Message, PublisherTask, RetryAfter, SubscriberTask, Task, TaskError, TaskResult, task,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// What happens in an attempt.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, PartialEq, Eq)]
pub(super) enum Act {
    Succeed,
    Fail,
    Panic,
    Wait,
    Discard,
    /// The body does not decode, so no handler runs.
    Refuse,
    /// Enqueues a task, and succeeds.
    Enqueue,
}

/// An attempt in which a handler ran.
#[derive(Clone, Debug)]
pub(super) struct Attempt {
    /// What it was told, apart from the times.
    pub(super) told: Value,
    pub(super) eta: Option<SystemTime>,
    pub(super) began: SystemTime,
    pub(super) ended: SystemTime,
}

/// Everything that handlers have noted, in order.
#[derive(Clone, Default)]
pub(crate) struct Journal(Arc<Mutex<Vec<(String, Attempt)>>>);

impl Journal {
    fn note(&self, who: &str, attempt: Attempt) {
        self.0.lock().unwrap().push((who.to_owned(), attempt));
    }

    /// The attempts of each task and each delivery of a scenario.
    pub(super) fn of(&self, scenario: &str) -> Vec<(String, Attempt)> {
        let noted = self.0.lock().unwrap();
        let own = noted.iter().filter(|(who, _)| who.starts_with(scenario));
        own.cloned().collect()
    }

    fn count(&self, who: &str) -> usize {
        self.0
            .lock()
            .unwrap()
            .iter()
            .filter(|(other, _)| other == who)
            .count()
    }
}

/// How often the body of each task was decoded, by its key.
static DECODED: Mutex<BTreeMap<String, usize>> = Mutex::new(BTreeMap::new());

/// Forgets the decoded bodies, before the scenarios are played again.
pub(super) fn forget_decoded() {
    DECODED.lock().unwrap().clear();
}

#[derive(Serialize, Deserialize)]
struct Body {
    key: String,
    acts: Vec<Act>,
}

/// A task whose attempts do this, one after the other, and then succeed.
#[derive(Clone, Serialize, Deserialize)]
#[serde(try_from = "Body")]
pub(super) struct Play {
    pub(super) key: String,
    pub(super) acts: Vec<Act>,
}

impl TryFrom<Body> for Play {
    type Error = &'static str;

    fn try_from(Body { key, acts }: Body) -> Result<Self, Self::Error> {
        let mut decoded = DECODED.lock().unwrap();
        let number = decoded.entry(key.clone()).or_default();
        // The first time it is the library, which decodes what it is about to send.
        let attempt = number.checked_sub(1);
        *number += 1;
        if attempt.and_then(|attempt| acts.get(attempt)) == Some(&Act::Refuse) {
            return Err("the scenario refuses this body");
        }
        Ok(Self { key, acts })
    }
}

#[task(queue = "model")]
impl Task for Play {
    async fn run(self, cx: Context<Journal>) -> TaskResult {
        let metadata = cx.metadata();
        let began = cx.now();
        let act = self.acts.get(metadata.attempt() as usize - 1).copied();
        let act = act.unwrap_or(Act::Succeed);
        let queue = metadata.queue().unwrap_or_default().to_owned();
        if act == Act::Enqueue {
            let child = Self {
                key: format!("{}-child", self.key),
                acts: vec![Act::Fail],
            };
            child.asap().queue(&*queue).await?;
        }
        let header = |name: &str| metadata.headers().get(name).map(|value| value.to_str().unwrap());
        let told = json!({
            "queue": queue,
            "attempt": metadata.attempt(),
            "retries": metadata.retry_count(),
            "responses": metadata.execution_count(),
            "previous": metadata.previous_response(),
            "reason": header("x-cloudtasks-taskretryreason"),
            "last": metadata.is_last_attempt(),
            "agent": header("user-agent"),
        });
        let attempt = Attempt {
            told,
            eta: metadata.eta(),
            began,
            ended: cx.now(),
        };
        cx.state().note(&self.key, attempt);
        end(act)
    }
}

fn end(act: Act) -> TaskResult {
    match act {
        Act::Succeed | Act::Enqueue | Act::Refuse => Ok(()),
        Act::Fail => Err("it was told to")?,
        // Without the message of a panic, of which there are hundreds.
        Act::Panic => std::panic::resume_unwind(Box::new("it was told to")),
        Act::Wait => Err(RetryAfter::new(Duration::from_secs(1)))?,
        Act::Discard => Err(TaskError::from(Discard::new("it was told to"))),
    }
}

/// A message whose deliveries to each subscriber do this.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Parcel {
    pub(super) key: String,
    pub(super) acts: Vec<Act>,
}

#[task(topic = "model-parcels")]
impl PublisherTask for Parcel {}

/// The attributes without what differs in each run.
fn stable(attributes: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let mut attributes = attributes.clone();
    if let Some(time) = attributes.get_mut("CloudPubSubDeadLetterSourceTopicPublishTime") {
        // Its form is compared, such as 2030-01-03T12:00:00.012+00:00.
        *time = time.replace(|c: char| c.is_ascii_digit(), "0");
    }
    attributes.retain(|name, _| name != "googclient_traceparent" && name != "traceparent");
    attributes
}

fn deliver(subscriber: &str, message: &Message<Parcel>, cx: &Context<Journal>) -> TaskResult {
    let began = cx.now();
    let parcel = &message.content;
    let who = format!("{}>{subscriber}", parcel.key);
    let number = cx.state().count(&who);
    let attempt = Attempt {
        told: json!({
            "delivery": message.delivery_attempt,
            "ordering_key": message.ordering_key,
            "attributes": stable(&message.attributes),
            "subscription": message.subscription.rsplit('/').next(),
            "published": message.publish_time.is_some_and(|time| time <= began),
        }),
        eta: None,
        began,
        ended: cx.now(),
    };
    cx.state().note(&who, attempt);
    end(parcel.acts.get(number).copied().unwrap_or(Act::Succeed))
}

macro_rules! subscriber {
    ($name:ident $(, $option:ident = $value:literal)* $(, [$flag:ident])*) => {
        pub(super) struct $name;

        #[task(topic = "model-parcels" $(, $option = $value)* $(, $flag)*)]
        impl SubscriberTask for $name {
            async fn run(message: Message<Parcel>, cx: Context<Journal>) -> TaskResult {
                deliver(stringify!($name), &message, &cx)
            }
        }
    };
}

// Without a retry policy.
subscriber!(ModelPlain);
subscriber!(ModelPatient, min_backoff = "20ms", max_backoff = "50ms");
subscriber!(
    ModelBooks,
    filter = "attributes.kind = \"book\" AND NOT attributes:hidden",
    min_backoff = "20ms",
    max_backoff = "50ms"
);
subscriber!(
    ModelOrdered,
    min_backoff = "20ms",
    max_backoff = "50ms",
    [ordering]
);
subscriber!(
    ModelMortal,
    dead_letter_topic = "model-dead",
    max_retries = 5,
    min_backoff = "20ms",
    max_backoff = "50ms"
);
subscriber!(
    ModelMortalInOrder,
    dead_letter_topic = "model-dead",
    min_backoff = "20ms",
    max_backoff = "20ms",
    [ordering]
);

/// Takes the dead letters.
pub(super) struct ModelUndertaker;

#[task(topic = "model-dead")]
impl SubscriberTask for ModelUndertaker {
    async fn run(mut message: Message<Parcel>, cx: Context<Journal>) -> TaskResult {
        // The dead letters of two subscriptions are two messages.
        let source = message.attributes["CloudPubSubDeadLetterSourceSubscription"].clone();
        message.content.acts.clear();
        deliver(&format!("ModelUndertaker of {source}"), &message, &cx)
    }
}
