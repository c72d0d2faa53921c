//! The simulated Pub/Sub: topics, and pushes to the subscriptions of all services.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use http::{HeaderMap, HeaderValue, StatusCode, header};
use tokio::sync::Semaphore;
use tokio::time::sleep;

use super::delivery::{Answer, Delivery};
use super::history::Event;
use super::plans::message_key;
use super::publish::KeyPublisher;
use super::service::ServiceState;
use super::world::{World, lock};
use crate::base::names::{last_segment, pubsub_path};
use crate::base::{Attributes, Publication, Push, acknowledges};
use crate::registry::subscription::Subscription;
use crate::testing::simulation::Fault;

const USER_AGENT: HeaderValue =
    HeaderValue::from_static("APIs-Google; (+https://developers.google.com/webmasters/APIs-Google.html)");
/// How long a message is kept, unless the subscription says so.
const RETENTION: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// The deadline of a push, unless the subscription says so.
const DEADLINE: Duration = Duration::from_secs(10);
// The pauses between pushes without a retry policy. Source: <https://cloud.google.com/pubsub/docs/push#push_backoff>.
const MIN_PAUSE: Duration = Duration::from_millis(100);
const MAX_PAUSE: Duration = Duration::from_secs(60);
// The defaults of a retry policy, and of a dead-letter policy.
const MIN_BACKOFF: Duration = Duration::from_secs(10);
const MAX_BACKOFF: Duration = Duration::from_secs(600);
const MAX_DELIVERIES: u32 = 5;

/// What Pub/Sub keeps.
#[derive(Default)]
pub(super) struct Messages {
    /// The messages with an ordering key, by subscription and key.
    lines: BTreeMap<(String, String), Line>,
    /// Those without an end, by subscription and label.
    open: BTreeSet<(String, String)>,
    /// The publishers of ordering keys, by process, topic and key.
    pub publishers: BTreeMap<(String, String, String), Arc<KeyPublisher>>,
}

/// The messages of one ordering key: each holds the permit while it is delivered, and they come in order.
type Line = Arc<Semaphore>;

#[derive(Clone)]
struct Message {
    label: String,
    id: String,
    data: bytes::Bytes,
    attributes: Attributes,
    ordering_key: Option<String>,
    published: SystemTime,
}

impl World {
    pub fn store_message(
        self: &Arc<Self>,
        publisher: &str,
        project: &str,
        topic: &str,
        publication: &Publication,
    ) -> String {
        let name = last_segment(topic);
        // As the service's: a number of 16 digits.
        let id = (1_000_000_000_000_000 + self.random() % 9_000_000_000_000_000).to_string();
        let label = format!("{name}-m{}", self.next_number(&format!("messages of {name}")));
        let text = String::from_utf8_lossy(&publication.data);
        self.step(
            publisher,
            &label,
            Event::Published,
            crate::base::text::brief(&text).as_ref(),
        );
        if let Some(task) = publication.attributes().get("id") {
            lock(&self.seen).record(task);
        }
        let message = Message {
            label,
            id: id.clone(),
            data: publication.data.clone(),
            attributes: publication.attributes.clone(),
            ordering_key: publication.ordering_key.clone(),
            published: self.now(),
        };
        let services = lock(&self.services).clone();
        // Services that set up the same subscription share it.
        let mut names = BTreeSet::new();
        for service in services {
            for subscription in service.subscriptions() {
                if pubsub_path(project, "topics", &subscription.topic) == topic
                    && subscription.wants(&message.attributes)
                    && names.insert(subscription.name.clone())
                {
                    self.start_delivery(&service, subscription, message.clone(), project);
                }
            }
        }
        id
    }

    fn start_delivery(
        self: &Arc<Self>,
        service: &Arc<ServiceState>,
        subscription: Subscription,
        message: Message,
        project: &str,
    ) {
        let place = (subscription.name.clone(), message.label.clone());
        lock(&self.messages).open.insert(place.clone());
        let turn = message
            .ordering_key
            .clone()
            .filter(|_| subscription.ordering)
            .map(|key| lock(&self.messages).line(&subscription.name, key));
        let key = message_key(last_segment(&subscription.name), &message.id);
        if let Some(ordering_key) = message.ordering_key.as_ref().filter(|_| subscription.ordering) {
            let line = (subscription.name.clone(), ordering_key.clone());
            lock(&self.seen).expect_in_order(&key, line);
        }
        let (world, open) = (Arc::clone(self), self.begin());
        let (account, audience) = (service.account(), service.audience());
        let project = project.to_owned();
        tokio::spawn(async move {
            let _open = open;
            let ordered = turn.is_some();
            let _turn = match turn {
                // It is never closed.
                Some(line) => line.acquire_owned().await.ok(),
                None => None,
            };
            let pusher = Pusher {
                world: Arc::clone(&world),
                subscription,
                message,
                project,
                account,
                audience,
            };
            pusher.push_until_done(ordered).await;
            lock(&world.seen).end_in_order(&key);
            lock(&world.messages).open.remove(&place);
        });
    }

    /// The messages that have no end, by subscription.
    pub fn open_messages(&self) -> Vec<String> {
        let messages = lock(&self.messages);
        let open = messages.open.iter();
        open.map(|(subscription, label)| format!("{label} for {subscription}"))
            .collect()
    }
}

impl Messages {
    /// The line of an ordering key. Who waits for its permit stands in line.
    fn line(&mut self, subscription: &str, key: String) -> Line {
        let line = self.lines.entry((subscription.to_owned(), key));
        Arc::clone(line.or_insert_with(|| Arc::new(Semaphore::new(1))))
    }
}

/// Pushes one message to one subscription.
struct Pusher {
    world: Arc<World>,
    subscription: Subscription,
    message: Message,
    project: String,
    account: String,
    audience: String,
}

impl Pusher {
    /// Pushes until the message is acknowledged, dead, or too old.
    async fn push_until_done(&self, ordered: bool) {
        let (world, label) = (&self.world, &self.message.label);
        let subject = format!("{label}>{}", self.subscription.task);
        let dead_letters = self.subscription.dead_letter_topic.clone();
        let most = self
            .subscription
            .max_retries
            .filter(|retries| *retries > 0)
            .unwrap_or(MAX_DELIVERIES);
        let retention = self.subscription.retention.unwrap_or(RETENTION);
        let mut attempt = 0;
        loop {
            attempt += 1;
            let place = format!("{subject}, delivery {attempt}");
            if !ordered && let Some(mut details) = world.fault(Fault::Delay, &place, &subject) {
                sleep(Duration::from_millis(details.u64(100..10_000))).await;
            }
            world.may_rotate_keys(&place);
            let number = dead_letters.as_ref().map(|_| attempt);
            let twin = (!ordered && world.fault(Fault::Duplicate, &place, &subject).is_some()).then(|| {
                let twin = format!("{subject}, twin of delivery {attempt}");
                self.push(&subject, twin, number)
            });
            let answer = match twin {
                Some(twin) => {
                    let (answer, _) = tokio::join!(self.push(&subject, place, number), twin);
                    answer
                }
                None => self.push(&subject, place, number).await,
            };
            if answer.status().is_some_and(acknowledges_push) {
                world.step("pubsub", &subject, Event::Acknowledged, "");
                world.check_handled(&subject, &[&self.message.id], &answer);
                return;
            }
            if let Some(topic) = dead_letters.as_ref().filter(|_| attempt >= most) {
                world.step(
                    "pubsub",
                    &subject,
                    Event::GivenUp,
                    &format!("to {topic}, after delivery {attempt}"),
                );
                self.forward(topic, attempt);
                return;
            }
            let age = world
                .now()
                .duration_since(self.message.published)
                .unwrap_or_default();
            if age >= retention {
                world.step("pubsub", &subject, Event::GivenUp, "it is too old");
                return;
            }
            sleep(self.pause(attempt)).await;
        }
    }

    fn pause(&self, attempt: u32) -> Duration {
        let Subscription {
            min_backoff,
            max_backoff,
            ..
        } = self.subscription;
        let (min, max) = match (min_backoff, max_backoff) {
            (None, None) => (MIN_PAUSE, MAX_PAUSE),
            (min, max) => (min.unwrap_or(MIN_BACKOFF), max.unwrap_or(MAX_BACKOFF)),
        };
        super::queue::backoff(min, max, 30, attempt)
    }

    async fn push(&self, subject: &str, place: String, delivery_attempt: Option<u32>) -> Answer {
        let (subscription, message) = (&self.subscription, &self.message);
        let push = self.push_of(delivery_attempt);
        let mut headers = HeaderMap::new();
        headers.insert(header::USER_AGENT, USER_AGENT);
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if subscription.oidc
            && let Some(token) = self.world.token(&self.audience, &self.account)
        {
            headers.insert(header::AUTHORIZATION, token);
        }
        let delivery = Delivery {
            url: &subscription.url,
            headers,
            body: push.to_body().into(),
            deadline: subscription.ack_deadline.unwrap_or(DEADLINE),
            key: message_key(last_segment(&push.subscription), &message.id),
            subject,
            place,
        };
        self.world.deliver(delivery).await
    }

    /// Publishes the message to the dead-letter topic, with what Pub/Sub adds.
    fn forward(&self, topic: &str, deliveries: u32) {
        let publication = self.push_of(None).into_dead_letter(topic, deliveries);
        let path = pubsub_path(&self.project, "topics", topic);
        self.world
            .store_message("pubsub", &self.project, &path, &publication);
    }

    fn push_of(&self, delivery_attempt: Option<u32>) -> Push {
        let (subscription, message) = (&self.subscription, &self.message);
        Push {
            data: message.data.clone(),
            attributes: message.attributes.clone(),
            id: message.id.clone(),
            publish_time: Some(message.published),
            ordering_key: message.ordering_key.clone(),
            delivery_attempt,
            subscription: pubsub_path(&self.project, "subscriptions", &subscription.name).into_owned(),
            source: None,
        }
    }
}

fn acknowledges_push(status: StatusCode) -> bool {
    status == StatusCode::PROCESSING || acknowledges(status.as_u16())
}
