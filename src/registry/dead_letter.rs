//! The topics of dead tasks, and the subscriptions that keep the records.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::base::{Config, Invalid, names};
use crate::registry::topic::Topic;
use crate::registry::{Declared, Kind, Registry};

/// A topic of dead tasks, and the subscription that keeps its records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DeadLetters {
    /// Its name with its prefix, or its full path.
    pub topic: String,
    pub subscription: String,
    /// The tasks that are recorded there.
    pub tasks: BTreeSet<&'static str>,
}

impl DeadLetters {
    /// A topic with a subscription of the same name.
    pub fn of(topic: String) -> Self {
        Self {
            subscription: names::last_segment(&topic).to_owned(),
            topic,
            tasks: BTreeSet::new(),
        }
    }

    /// The topics of all tasks, and every error in them.
    pub fn all(registry: &Registry, default: Option<&Topic>, config: &Config) -> (Vec<Self>, Vec<Invalid>) {
        let mut all: Vec<Self> = Vec::new();
        let mut errors = Vec::new();
        let default = default.map(|topic| topic.name(config));
        if let Some(Err(error)) = default.as_deref().map(validate_topic) {
            errors.push(error.at("`.dead_letter_topic(..)` of the runtime"));
        }
        all.extend(default.clone().map(Self::of));
        let mut places: HashMap<_, _> = default.iter().map(|topic| (topic.clone(), 0)).collect();
        // The dead tasks of another service are recorded there.
        let registrations = registry.registrations().into_iter();
        for registration in registrations.filter(|registration| registration.runs_here()) {
            let own = registration.dead_letter_topic.map(|topic| topic().name(config));
            if let Some(Err(error)) = own.as_deref().map(validate_topic) {
                errors.push(error.at(registration.location));
            }
            let Some(topic) = own.or_else(|| default.clone().filter(|_| comes_from_a_queue(registration)))
            else {
                continue;
            };
            let at = *places.entry(topic).or_insert_with_key(|topic| {
                all.push(Self::of(topic.clone()));
                all.len() - 1
            });
            all[at].tasks.insert(registration.name);
        }
        errors.extend(shared(&all, registry));
        (all, errors)
    }
}

fn validate_topic(topic: &str) -> Result<(), Invalid> {
    names::validate_pubsub_name("dead-letter topic", topic)
}

/// Whether it comes from Cloud Tasks. Pub/Sub gives up pushed messages itself.
fn comes_from_a_queue(registration: &Declared) -> bool {
    match &registration.kind {
        Kind::Task | Kind::Publisher { .. } => true,
        Kind::Subscriber(options) => options.use_cloud_tasks,
    }
}

/// Subscriptions that would keep dead tasks but already have another purpose.
fn shared(all: &[DeadLetters], registry: &Registry) -> Vec<Invalid> {
    let mut errors = Vec::new();
    let mut topics: HashMap<&str, &str> = HashMap::new();
    let subscribers = registry.subscriptions();
    let pushed: HashMap<_, _> = subscribers
        .iter()
        .map(|one| (one.name.as_str(), one.task))
        .collect();
    // Of the subscribers with the same topic and subscription for dead letters, one is enough.
    let mut keepers: HashMap<&str, BTreeMap<Option<&str>, &str>> = HashMap::new();
    for subscriber in subscribers {
        if let Some(kept) = &subscriber.dead_letter_subscription {
            let topics = keepers.entry(kept).or_default();
            topics
                .entry(subscriber.dead_letter_topic.as_deref())
                .or_insert(subscriber.task);
        }
    }
    for letters in all {
        let DeadLetters {
            topic, subscription, ..
        } = letters;
        if let Some(other) = topics.get(subscription.as_str()) {
            errors.push(Invalid::because(format!(
                "the dead-letter topics {other:?} and {topic:?} would be kept in one subscription, {subscription:?}, which can \
                 have one topic: give one of them another name"
            )));
        } else {
            topics.insert(subscription, topic);
        }
        if let Some(task) = pushed.get(subscription.as_str()) {
            errors.push(Invalid::because(format!(
                "the dead tasks of topic {topic:?} would be kept in the subscription {subscription:?}, which is the one that \
                 {task} is pushed from: give one of them another name"
            )));
        }
        let keepers = keepers.get(subscription.as_str()).into_iter().flatten();
        for (_, task) in keepers.filter(|(other, _)| **other != Some(topic.as_str())) {
            errors.push(Invalid::because(format!(
                "the dead tasks of topic {topic:?} would be kept in the subscription {subscription:?}, which keeps the \
                 dead letters of {task}: give it another `dead_letter_subscription`"
            )));
        }
    }
    errors
}
