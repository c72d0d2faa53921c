//! Publishing and delivering: fan-out, pushes, acknowledgements, dead letters.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime};

use http::{HeaderValue, Request, header};
use http_body_util::Full;

use crate::backend::local::dead_letters::LocalDeadLetters;
use crate::backend::local::emulator::Emulator;
use crate::backend::local::push_queue::{PushQueue, full_topic};
use crate::backend::local::unacked::{Delivery, Unacked};
use crate::base::{BoxError, Error, Publication, Push, acknowledges, time};
use crate::registry::subscription::Subscription;

/// What Pub/Sub calls itself.
/// Source: <https://developers.google.com/crawling/docs/crawlers-fetchers/google-special-case-crawlers>.
const USER_AGENT: &str = "APIs-Google; (+https://developers.google.com/webmasters/APIs-Google.html)";
/// What the relay may take beyond the push itself, before the emulator gives an attempt up.
const MARGIN: Duration = Duration::from_secs(30);

/// A Pub/Sub for the subscriptions of one runtime.
pub(crate) struct PubSub {
    pub emulator: Arc<Emulator>,
    /// The base URL of the relay.
    pub relay: String,
    pub project: String,
    pub outstanding: Unacked,
    pub kept: LocalDeadLetters,
    /// Known once the runtime is built.
    queues: OnceLock<Vec<Arc<PushQueue>>>,
}

impl PubSub {
    pub(crate) fn new(emulator: Arc<Emulator>, relay: String, project: String) -> Self {
        Self {
            kept: LocalDeadLetters::new(&project),
            emulator,
            relay,
            project,
            outstanding: Unacked::new(),
            queues: OnceLock::new(),
        }
    }

    /// Delivers to these subscriptions from now on; the first call counts.
    pub(crate) fn subscribe(&self, subscriptions: &[Subscription]) {
        self.queues.get_or_init(|| {
            let queue = |subscription| Arc::new(PushQueue::new(subscription, &self.project));
            subscriptions.iter().map(queue).collect()
        });
    }

    /// Hands a message to every subscription of its topic that wants it, and gives back its id.
    pub(crate) async fn publish(&self, publication: &Publication) -> Result<String, Error> {
        let topic = full_topic(publication.topic(), &self.project);
        let id = message_id();
        let mut wanted = 0;
        for queue in self.queues.get().into_iter().flatten() {
            if queue.topic != topic || !queue.subscription.wants(publication.attributes()) {
                continue;
            }
            let push = Push {
                data: publication.data.clone(),
                attributes: publication.attributes.clone(),
                id: id.clone(),
                publish_time: Some(SystemTime::now()),
                ordering_key: publication.ordering_key.clone(),
                delivery_attempt: None,
                subscription: queue.full_name(),
            };
            self.send(queue, push).await.map_err(|error| {
                Error::unavailable(
                    format!(
                        "the message to topic {topic} was not published to the subscription {}",
                        queue.name
                    ),
                    wanted > 0,
                )
                .with_source(error)
            })?;
            wanted += 1;
        }
        let kept = self.kept.add(&topic, &id, &publication.data);
        if wanted == 0 && !kept {
            tracing::debug!(%topic, id, "dropped: no subscription wants the message");
        }
        Ok(id)
    }

    async fn send(&self, queue: &Arc<PushQueue>, push: Push) -> Result<(), BoxError> {
        let path = format!("/{}/{}", queue.id, push.id);
        let delivery = Delivery {
            queue: Arc::clone(queue),
            push,
            number: 0,
        };
        if !self.outstanding.insert(&path, delivery)? {
            return Ok(());
        }
        let dispatched = self.dispatch(queue, &path).await;
        if dispatched.is_err() {
            self.settle(&path).await;
        }
        dispatched
    }

    /// Makes the task that delivers a message.
    async fn dispatch(&self, queue: &PushQueue, path: &str) -> Result<(), BoxError> {
        // A location of its own, where no queue of a task can be.
        let location = format!("projects/{}/locations/pubsub", self.project);
        queue
            .made
            .get_or_try_init(|| self.emulator.create_queue(&location, &queue.id, queue.settings()))
            .await?;
        self.emulator
            .create_task(
                &format!("{location}/queues/{}", queue.id),
                &format!("{}{path}", self.relay),
                queue.ack_deadline() + MARGIN,
            )
            .await
    }

    /// Forgets a message, and delivers the one that waited for it.
    async fn settle(&self, path: &str) {
        let mut next = self.outstanding.remove(path);
        while let Some((path, queue)) = next {
            let Err(error) = self.dispatch(&queue, &path).await else {
                return;
            };
            tracing::error!(
                error,
                subscription = queue.name,
                "the next message of its ordering key is lost"
            );
            next = self.outstanding.remove(&path);
        }
    }

    /// Delivers a message once; `false` means that it is to be delivered again.
    pub(crate) async fn deliver(&self, path: &str, token: Option<HeaderValue>) -> bool {
        let Some(mut delivery) = self.outstanding.begin(path) else {
            // Settled before, by an attempt whose answer did not arrive.
            return true;
        };
        let queue = Arc::clone(&delivery.queue);
        let (subscription, id, number) = (&queue.name, delivery.push.id.clone(), delivery.number);
        // The service tells it under a dead-letter policy alone.
        delivery.push.delivery_attempt = queue.subscription.dead_letter_topic.as_ref().map(|_| number);
        if let Err(error) = self.push(&delivery, token).await {
            tracing::warn!(subscription, id, delivery = number, error, "not acknowledged");
            let Some(topic) = queue.dead_letter_topic(number) else {
                return false;
            };
            match self.publish(&dead_letter(topic, delivery)).await {
                Ok(dead_letter) => tracing::warn!(subscription, id, topic, dead_letter, "a dead letter"),
                Err(error) => {
                    tracing::error!(subscription, id, topic, %error, "no dead letter; the message is delivered again");
                    return false;
                }
            }
        }
        self.settle(path).await;
        true
    }

    /// Calls the subscription's URL as Pub/Sub does.
    async fn push(&self, delivery: &Delivery, token: Option<HeaderValue>) -> Result<(), BoxError> {
        let subscription = &delivery.queue.subscription;
        let mut request = Request::post(&subscription.url)
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::USER_AGENT, USER_AGENT)
            .body(Full::from(delivery.push.to_body()))?;
        if let Some(token) = token.filter(|_| subscription.oidc) {
            request.headers_mut().insert(header::AUTHORIZATION, token);
        }
        let deadline = delivery.queue.ack_deadline();
        let answer = tokio::time::timeout(deadline, self.emulator.http.request(request))
            .await
            .map_err(|_| format!("{} did not answer within {deadline:?}", subscription.url))??;
        // A 102, which acknowledges too, is no answer yet: the client waits for the one that follows.
        match answer.status() {
            status if acknowledges(status.as_u16()) => Ok(()),
            status => Err(format!("{} answered {status}", subscription.url).into()),
        }
    }
}

/// The message as it goes to the dead-letter topic; the service adds these attributes and keeps the others.
/// Source: <https://cloud.google.com/pubsub/docs/handling-failures#track-delivery-attempts>.
fn dead_letter(topic: &str, delivery: Delivery) -> Publication {
    let Delivery { queue, push, number } = delivery;
    let mut attributes = push.attributes;
    let time = push
        .publish_time
        .map(|time| time::rfc3339_millis(time).replace('Z', "+00:00"));
    attributes.extend(
        [
            ("DeliveryCount", number.to_string()),
            ("Subscription", queue.name.clone()),
            ("SubscriptionProject", queue.project.clone()),
            ("TopicPublishTime", time.unwrap_or_default()),
        ]
        .map(|(name, value)| (format!("CloudPubSubDeadLetterSource{name}"), value)),
    );
    Publication {
        topic: topic.to_owned().into(),
        data: push.data,
        attributes,
        ordering_key: push.ordering_key,
    }
}

/// Sixteen digits, as the service's ids have, and random.
fn message_id() -> String {
    fastrand::u64(1_000_000_000_000_000..10_000_000_000_000_000).to_string()
}
