//! The local Pub/Sub: fan-out, pushes, acknowledgements and dead letters.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime};

use http::{HeaderValue, Request, header};

use crate::backend::local::dead_letters::LocalDeadLetters;
use crate::backend::local::emulator::Emulator;
use crate::backend::local::push_queue::{PushQueue, full_topic};
use crate::backend::local::unacked::{Delivery, Unacked};
use crate::base::text::{error_chain, safe};
use crate::base::{BoxError, Error, Publication, Push, acknowledges, process};
use crate::registry::subscription::Subscription;

/// The user agent of Pub/Sub. Source:
/// <https://developers.google.com/crawling/docs/crawlers-fetchers/google-special-case-crawlers>.
const USER_AGENT: &str = "APIs-Google; (+https://developers.google.com/webmasters/APIs-Google.html)";
/// How long the relay may take in addition to the push, before the emulator gives up the attempt.
const MARGIN: Duration = Duration::from_secs(30);

/// A Pub/Sub for the subscriptions of one runtime.
pub(crate) struct PubSub {
    pub emulator: Arc<Emulator>,
    /// The base URL of the relay.
    pub relay: String,
    pub project: String,
    pub unacked: Unacked,
    pub dead_letters: LocalDeadLetters,
    /// Set when the runtime is built.
    queues: OnceLock<Vec<Arc<PushQueue>>>,
}

impl PubSub {
    pub fn new(emulator: Arc<Emulator>, relay: String, project: String) -> Self {
        Self {
            dead_letters: LocalDeadLetters::new(&project),
            emulator,
            relay,
            project,
            unacked: Unacked::new(),
            queues: OnceLock::new(),
        }
    }

    /// Delivers to these subscriptions from now on. Only the first call has an effect.
    pub fn subscribe(&self, subscriptions: &[Subscription]) {
        self.queues.get_or_init(|| {
            let queue = |subscription| Arc::new(PushQueue::new(subscription, &self.project));
            subscriptions.iter().map(queue).collect()
        });
    }

    /// Sends a message to every matching subscription of its topic, and returns its id.
    pub async fn publish(&self, publication: &Publication) -> Result<String, Error> {
        let topic = full_topic(publication.topic(), &self.project);
        let id = message_id();
        let mut sent = false;
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
                source: None,
            };
            self.send(queue, push).await.map_err(|error| {
                let message = format!(
                    "the message to topic {topic} was not published to the subscription {}",
                    queue.name
                );
                let error_of = if sent {
                    Error::unavailable
                } else {
                    Error::unreachable
                };
                error_of(message).with_source(error)
            })?;
            sent = true;
        }
        let recorded = self.dead_letters.add(&topic, &id, &publication.data);
        if !sent && !recorded {
            tracing::debug!(topic = %safe(&topic), id, "dropped: no subscription matches the message");
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
        if !self.unacked.insert(&path, delivery)? {
            return Ok(());
        }
        let dispatched = self.dispatch(queue, &path).await;
        if dispatched.is_err() {
            self.settle(&path).await;
        }
        dispatched
    }

    /// Creates the task that delivers a message.
    async fn dispatch(&self, queue: &PushQueue, path: &str) -> Result<(), BoxError> {
        // A separate location, where no task can have a queue.
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

    /// Removes a message, and delivers the one that waited for it.
    async fn settle(&self, path: &str) {
        let mut next = self.unacked.remove(path);
        while let Some((path, queue)) = next {
            let Err(error) = self.dispatch(&queue, &path).await else {
                return;
            };
            tracing::error!(
                error = %error_chain(&*error),
                subscription = queue.name,
                "the next message of its ordering key is lost"
            );
            next = self.unacked.remove(&path);
        }
    }

    /// Delivers a message once. Returns `false` if it must be delivered again.
    pub async fn deliver(&self, path: &str, token: Option<HeaderValue>) -> bool {
        let Some(mut delivery) = self.unacked.begin(path) else {
            // An earlier attempt settled it, and its response was lost.
            return true;
        };
        let queue = Arc::clone(&delivery.queue);
        let (subscription, id, number) = (&queue.name, delivery.push.id.clone(), delivery.number);
        // The service sends it only with a dead-letter policy.
        delivery.push.delivery_attempt = queue.subscription.dead_letter_topic.as_ref().map(|_| number);
        if let Err(error) = self.push(&delivery, token).await {
            tracing::warn!(subscription, id, delivery = number, error = %error_chain(&*error), "not acknowledged");
            let Some(topic) = queue.dead_letter_topic(number) else {
                return false;
            };
            let dead = delivery.push.into_dead_letter(topic, number);
            match self.publish(&dead).await {
                Ok(dead_letter) => tracing::warn!(subscription, id, topic, dead_letter, "a dead letter"),
                Err(error) => {
                    tracing::error!(subscription, id, topic, error = %error_chain(&error), "dead-lettering failed; the message is delivered again");
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
            .body(delivery.push.to_body())?;
        if let Some(token) = token.filter(|_| subscription.oidc) {
            request.headers_mut().insert(header::AUTHORIZATION, token);
        }
        let deadline = delivery.queue.ack_deadline();
        // A 102 also acknowledges, but it is not a final response: the client waits for the one that follows.
        // An answer that breaks off acknowledges nothing.
        let response = self.emulator.call(request, deadline).await;
        match response.map_err(|error| format!("{}: {}", subscription.url, error_chain(&error)))? {
            status if acknowledges(status.as_u16()) => Ok(()),
            status => Err(format!("{} answered {status}", subscription.url).into()),
        }
    }
}

/// Sixteen random digits, like the service's ids.
fn message_id() -> String {
    (1_000_000_000_000_000 + process::random_number() % 9_000_000_000_000_000).to_string()
}
