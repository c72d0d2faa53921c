//! The leased messages of one reading, and what is decided about them.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::backend::dead_letter_store::Claim;

/// This many acknowledgements are sent together, or those of this long: a process that is killed loses no more.
const STEP: usize = 10;
const STEP_TIME: Duration = Duration::from_secs(1);

/// The leased messages of one reading, by the ids of the messages. A message keeps its id when it is delivered again,
/// with another ack id.
#[derive(Clone, Default)]
pub(super) struct Leases(Arc<Mutex<Ids>>);

#[derive(Default)]
struct Ids {
    /// The ack ids of messages that nothing was decided about.
    held: HashMap<String, String>,
    /// The ack ids of messages whose acknowledgement is not yet sent, and since when there are any.
    acknowledged: BTreeMap<String, String>,
    waiting_since: Option<Instant>,
    /// The ack ids of messages that are not yet released.
    released: Vec<String>,
    /// The number of messages whose acknowledgement was refused.
    refused: usize,
}

impl Leases {
    fn ids(&self) -> MutexGuard<'_, Ids> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a delivery. Returns its claim, or `None` if the message is leased already: then its lease had ended, and it
    /// was delivered again.
    pub fn add(&self, message: &str, ack_id: String) -> Option<Box<dyn Claim>> {
        let mut ids = self.ids();
        if let Some(unsent) = ids.acknowledged.get_mut(message) {
            *unsent = ack_id;
            return None;
        }
        if ids.held.insert(message.to_owned(), ack_id).is_some() {
            return None;
        }
        Some(Box::new(Lease {
            message: message.to_owned(),
            leases: self.clone(),
        }))
    }

    /// The ack ids of the messages that nothing was decided about.
    pub fn held(&self) -> Vec<String> {
        self.ids().held.values().cloned().collect()
    }

    pub fn count(&self) -> usize {
        let ids = self.ids();
        ids.held.len() + ids.acknowledged.len() + ids.released.len()
    }

    /// Whether it is time to send acknowledgements.
    pub fn is_due(&self) -> bool {
        let ids = self.ids();
        ids.acknowledged.len() >= STEP
            || ids
                .waiting_since
                .is_some_and(|since| since.elapsed() >= STEP_TIME)
    }

    /// The messages to acknowledge, with their ack ids. They stay until they are [settled](Self::settled).
    pub fn unsent(&self, most: usize) -> Vec<(String, String)> {
        let ids = self.ids();
        let unsent = ids.acknowledged.iter().take(most);
        unsent
            .map(|(message, ack_id)| (message.clone(), ack_id.clone()))
            .collect()
    }

    /// These messages were acknowledged.
    pub fn settled(&self, messages: &[(String, String)]) {
        let mut ids = self.ids();
        for (message, _) in messages {
            ids.acknowledged.remove(message);
        }
        ids.waiting_since = (!ids.acknowledged.is_empty()).then(Instant::now);
    }

    /// Pub/Sub refuses to acknowledge these messages.
    pub fn refused(&self, messages: &[(String, String)]) {
        self.settled(messages);
        self.ids().refused += messages.len();
    }

    /// The number of messages whose acknowledgement did not succeed.
    pub fn unacknowledged(&self) -> usize {
        let ids = self.ids();
        ids.refused + ids.acknowledged.len()
    }

    /// Takes the ack ids of the messages to release.
    pub fn take_released(&self) -> Vec<String> {
        std::mem::take(&mut self.ids().released)
    }
}

/// The lease of one message.
struct Lease {
    message: String,
    leases: Leases,
}

impl Claim for Lease {
    fn acknowledge(self: Box<Self>) {
        let mut ids = self.leases.ids();
        if let Some(ack_id) = ids.held.remove(&self.message) {
            ids.acknowledged.insert(self.message.clone(), ack_id);
            ids.waiting_since.get_or_insert_with(Instant::now);
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let mut ids = self.leases.ids();
        if let Some(ack_id) = ids.held.remove(&self.message) {
            ids.released.push(ack_id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ack_ids(leases: &Leases) -> Vec<String> {
        let unsent = leases.unsent(usize::MAX).into_iter();
        unsent.map(|(_, ack_id)| ack_id).collect()
    }

    #[test]
    fn a_message_that_is_delivered_again_while_it_is_leased_is_the_same_message() {
        let leases = Leases::default();
        let held = leases.add("m1", "a1".into()).unwrap();
        let done = leases.add("m2", "a2".into()).unwrap();
        done.acknowledge();

        assert!(leases.add("m1", "b1".into()).is_none());
        assert!(leases.add("m2", "b2".into()).is_none());

        assert_eq!(
            (leases.held(), ack_ids(&leases)),
            (vec!["b1".into()], vec!["b2".into()])
        );
        drop(held);
        assert_eq!(leases.take_released(), ["b1"]);
    }

    #[test]
    fn an_acknowledgement_is_kept_until_it_is_settled_and_counts_if_it_never_is() {
        let leases = Leases::default();
        for n in 0..3 {
            leases
                .add(&format!("m{n}"), format!("a{n}"))
                .unwrap()
                .acknowledge();
        }

        let first = leases.unsent(1);
        assert_eq!(ack_ids(&leases), ["a0", "a1", "a2"]);
        leases.settled(&first);
        assert_eq!(ack_ids(&leases), ["a1", "a2"]);
        let second = leases.unsent(1);
        leases.refused(&second);

        assert_eq!(ack_ids(&leases), ["a2"]);
        assert_eq!(leases.unacknowledged(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn acknowledgements_are_due_after_ten_or_after_a_second() {
        let leases = Leases::default();
        let acknowledge = |n: usize| leases.add(&format!("m{n}"), "a".into()).unwrap().acknowledge();
        assert!(!leases.is_due());

        acknowledge(0);
        assert!(!leases.is_due());
        tokio::time::advance(STEP_TIME).await;
        assert!(leases.is_due());
        leases.settled(&leases.unsent(1));
        assert!(!leases.is_due());
        (1..=STEP).for_each(acknowledge);
        assert!(leases.is_due());
    }
}
