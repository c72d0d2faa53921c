//! Subscriptions and schedules that share a name. Each one is looked up by name, so that ten thousand of them take no longer than as
//! many tasks.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};

use crate::base::Invalid;
use crate::registry::schedule::Schedule;
use crate::registry::subscription::Subscription;

/// The names that the subscriptions and schedules added so far use.
#[derive(Default)]
pub(super) struct Conflicts {
    /// The subscriber of each subscription.
    subscribers: HashMap<String, &'static str>,
    /// For each subscription that keeps dead letters, the first subscriber for each topic of dead letters, in order, so that two
    /// builds list the same mistakes alike.
    keepers: HashMap<String, BTreeMap<Option<String>, &'static str>>,
    /// The periodic task of each schedule.
    periodic: HashMap<String, &'static str>,
}

impl Conflicts {
    /// Adds a subscription, and returns what is wrong between it and those that were added before.
    pub fn add_subscription(&mut self, added: &Subscription) -> Vec<Invalid> {
        let mut errors = Vec::new();
        match self.subscribers.entry(added.name.clone()) {
            Entry::Occupied(other) => errors.push(Invalid::because(format!(
                "the subscribers {} and {} share the subscription {:?}: each would get a part of the messages",
                other.get(),
                added.task,
                added.name
            ))),
            Entry::Vacant(free) => {
                free.insert(added.task);
            }
        }
        if let Some(kept) = &added.dead_letter_subscription {
            let topics = self.keepers.entry(kept.clone()).or_default();
            errors.extend(
                topics
                    .iter()
                    .filter(|(topic, _)| **topic != added.dead_letter_topic)
                    .map(|(_, other)| keeps_two_topics(other, added.task, kept)),
            );
            topics
                .entry(added.dead_letter_topic.clone())
                .or_insert(added.task);
            if let Some(pushed) = self.subscribers.get(kept) {
                errors.push(is_pushed_from(added.task, pushed, kept));
            }
        }
        let keepers = self
            .keepers
            .get(&added.name)
            .into_iter()
            .flat_map(BTreeMap::values);
        errors.extend(
            keepers
                .filter(|keeper| **keeper != added.task)
                .map(|keeper| is_pushed_from(keeper, added.task, &added.name)),
        );
        errors
    }

    /// Adds a schedule, and returns what is wrong between it and those that were added before.
    pub fn add_schedule(&mut self, added: &Schedule) -> Option<Invalid> {
        match self.periodic.entry(added.name.clone()) {
            Entry::Occupied(other) => Some(Invalid::because(format!(
                "the tasks {} and {} share the Cloud Scheduler job {:?}: give one of them a `schedule_name`",
                other.get(),
                added.task,
                added.name
            ))),
            Entry::Vacant(free) => {
                free.insert(added.task);
                None
            }
        }
    }
}

fn keeps_two_topics(one: &str, other: &str, subscription: &str) -> Invalid {
    Invalid::because(format!(
        "the subscribers {one} and {other} keep the dead letters of two topics in one subscription, {subscription:?}, which can \
         have one topic: give one of them another `dead_letter_subscription`"
    ))
}

fn is_pushed_from(keeper: &str, pushed: &str, subscription: &str) -> Invalid {
    Invalid::because(format!(
        "the dead letters of {keeper} are kept in the subscription {subscription:?}, which is the one that {pushed} is pushed from: \
         give one of them another name"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Config;
    use crate::registry::subscription::SubscriptionOptions;
    use crate::registry::topic::Topic;

    /// A subscription, where its dead letters go, and where they are kept.
    type Row = (&'static str, &'static str, fn() -> Topic, &'static str);

    /// Subscriptions, and what is wrong with them.
    type Case = (&'static [Row], &'static [(&'static str, &'static str)]);

    fn jobs() -> Topic {
        Topic::absolute("jobs")
    }
    fn mails() -> Topic {
        Topic::absolute("mails")
    }

    /// What is wrong, by the subscription whose addition shows it.
    fn found(rows: &[Row]) -> Vec<(&'static str, String)> {
        let mut conflicts = Conflicts::default();
        let config = Config::default().with_endpoint("https://shop.example");
        let mut found = Vec::new();
        for (task, name, dead_letters, kept) in rows {
            let mut options = SubscriptionOptions::new(|| Topic::absolute("orders"));
            options.subscription = Some(name);
            options.absolute = true;
            options.dead_letter_topic = Some(*dead_letters);
            options.dead_letter_subscription = Some(kept);
            let (subscription, errors) = Subscription::new(task, "here", &options, &config);
            assert!(errors.is_empty(), "{errors:?}");
            let errors = conflicts.add_subscription(&subscription).into_iter();
            found.extend(errors.map(|error| (*task, error.to_string())));
        }
        found
    }

    #[test]
    fn two_subscriptions_conflict_wherever_they_need_one_name_for_two_purposes() {
        const TWO_TOPICS: &str = "keep the dead letters of two topics in one subscription, \"dead\"";
        let table: [Case; 7] = [
            (&[("A", "sub-a", jobs, "dead"), ("B", "sub-b", jobs, "dead")], &[]),
            (
                &[("A", "sub-a", jobs, "dead"), ("B", "sub-a", jobs, "dead")],
                &[("B", "the subscribers A and B share the subscription \"sub-a\"")],
            ),
            (
                &[("A", "sub-a", jobs, "dead"), ("B", "sub-b", mails, "dead")],
                &[("B", TWO_TOPICS)],
            ),
            (
                &[
                    ("A", "sub-a", jobs, "dead"),
                    ("B", "sub-b", jobs, "dead"),
                    ("C", "sub-c", mails, "dead"),
                ],
                &[("C", TWO_TOPICS)],
            ),
            (
                &[("A", "sub-a", jobs, "sub-b"), ("B", "sub-b", jobs, "dead")],
                &[(
                    "B",
                    "the dead letters of A are kept in the subscription \"sub-b\", which is the one that B is pushed from",
                )],
            ),
            (
                &[("A", "sub-a", jobs, "dead"), ("B", "sub-b", mails, "sub-a")],
                &[(
                    "B",
                    "the dead letters of B are kept in the subscription \"sub-a\", which is the one that A is pushed from",
                )],
            ),
            (
                &[("A", "sub-a", jobs, "sub-a")],
                &[(
                    "A",
                    "the dead letters of A are kept in the subscription \"sub-a\", which is the one that A is pushed from",
                )],
            ),
        ];
        for (rows, expected) in table {
            let found = found(rows);

            assert_eq!(found.len(), expected.len(), "{found:?}");
            for ((task, error), (at, text)) in found.iter().zip(expected) {
                assert_eq!(task, at, "{error}");
                assert!(error.contains(text), "{error}");
            }
        }
    }
}
