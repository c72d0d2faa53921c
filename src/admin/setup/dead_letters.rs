//! The subscriptions that keep dead letters and dead tasks.

use std::collections::{BTreeMap, BTreeSet};

use google_cloud_pubsub::model::Subscription as PubSubSubscription;

use crate::admin::setup::change::{Action, Change, ResourceKind};
use crate::admin::setup::clients::PubSubAdmin;
use crate::admin::setup::operation::{Operation, Step};
use crate::admin::setup::options::Options;
use crate::admin::setup::plan::PlanDraft;
use crate::admin::setup::subscription_diff;
use crate::base::names::last_segment;
use crate::runtime::Runtime;

/// The topics of dead letters and of dead tasks, with the subscriptions that keep them.
pub(crate) fn keeping<'a>(
    runtime: &'a Runtime,
    options: &'a Options,
) -> impl Iterator<Item = (&'a str, &'a str)> {
    let letters = runtime
        .subscriptions()
        .iter()
        .filter(|subscription| options.takes(subscription.task))
        .filter_map(|subscription| {
            let topic = subscription.dead_letter_topic.as_deref()?;
            Some((topic, subscription.dead_letter_subscription.as_deref()?))
        });
    let tasks = runtime.dead_letters().iter().filter_map(|letters| {
        let meant = options.only.is_none() || letters.tasks.iter().any(|task| options.takes(task));
        meant.then_some((letters.topic.as_str(), letters.subscription.as_str()))
    });
    letters.chain(tasks)
}

/// Plans the subscription that keeps the messages of a dead-letter topic.
pub(crate) fn find(
    topic: &str,
    name: &str,
    admin: &PubSubAdmin,
    current: &BTreeMap<String, PubSubSubscription>,
    made: &mut BTreeSet<String>,
    found: &mut PlanDraft,
) {
    let path = admin.access.subscription(name);
    let topic = admin.access.topic(topic);
    if let Some(current) = current.get(&path) {
        if current.topic != topic {
            found.notes.push(format!(
                "{path} already belongs to the topic {}, so dead letters in {topic} would be lost: give `dead_letter_subscription`, or the topic of dead tasks, another name",
                current.topic
            ));
        }
        return;
    }
    if !admin.is_in_project(&path) || !made.insert(path.clone()) {
        return;
    }
    found.steps.push(Step {
        change: Change::new(
            Action::Add,
            ResourceKind::DeadLetterSubscription,
            last_segment(&path),
            &path,
        ),
        operation: Operation::MakeSubscription(Box::new(subscription_diff::dead_letters(&path, &topic))),
    });
}
