//! Publishing a message, as a client of the simulated Pub/Sub sees it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tokio::time::sleep;

use super::pubsub::Messages;
use super::world::{World, lock};
use crate::base::names::{last_segment, pubsub_path};
use crate::base::{Error, Publication};
use crate::testing::simulation::Fault;

/// How long a publish takes, in milliseconds.
const LATENCY: std::ops::Range<u64> = 5..40;
/// The client of one process for one ordering key: it sends in the order of the calls, and what waits behind a failure fails.
#[derive(Default)]
pub(super) struct KeyPublisher {
    turn: tokio::sync::Mutex<()>,
    failures: AtomicU32,
}

impl World {
    /// Publishes a message, and returns its id.
    pub async fn publish(
        self: &Arc<Self>,
        publisher: &str,
        project: &str,
        publication: Publication,
    ) -> Result<String, Error> {
        let topic = pubsub_path(project, "topics", publication.topic()).into_owned();
        let name = last_segment(&topic).to_owned();
        let place = format!(
            "{name}, publish {}",
            self.next_number(&format!("publishes to {name}"))
        );
        let refused = || {
            Error::unavailable(format!(
                "the message to topic {name} was not published: Pub/Sub is unavailable"
            ))
        };
        let key = publication.ordering_key.clone();
        let line = key.map(|key| lock(&self.messages).publisher(publisher, &topic, key));
        let _turn = match &line {
            Some(line) => Some(line.turn().await.ok_or_else(refused)?),
            None => None,
        };
        let pause = |way| Duration::from_millis(self.number_at(&format!("{place}, {way}"), LATENCY));
        sleep(pause("there")).await;
        if self.fault(Fault::RefusedPublish, &place, &name).is_some() {
            if let Some(line) = &line {
                line.failures.fetch_add(1, Ordering::Relaxed);
            }
            return Err(refused());
        }
        let mut id = self.store_message(publisher, project, &topic, &publication);
        if let Some(mut details) = self.fault(Fault::LostPublish, &place, &name) {
            sleep(Duration::from_millis(details.u64(500..5_000))).await;
            id = self.store_message(publisher, project, &topic, &publication);
        }
        sleep(pause("back")).await;
        Ok(id)
    }
}

impl KeyPublisher {
    /// Waits for those that called before. `None` if one of them failed.
    async fn turn(&self) -> Option<tokio::sync::MutexGuard<'_, ()>> {
        let failures = self.failures.load(Ordering::Relaxed);
        let turn = self.turn.lock().await;
        (self.failures.load(Ordering::Relaxed) == failures).then_some(turn)
    }
}

impl Messages {
    fn publisher(&mut self, process: &str, topic: &str, key: String) -> Arc<KeyPublisher> {
        let place = (process.to_owned(), topic.to_owned(), key);
        Arc::clone(self.publishers.entry(place).or_default())
    }
}
