//! The subscriptions that keep dead letters and dead tasks.

use std::collections::{BTreeMap, BTreeSet};

use google_cloud_pubsub::model::Subscription as PubSubSubscription;

use crate::admin::setup::change::{Action, Change, ResourceKind};
use crate::admin::setup::clients::PubSubAdmin;
use crate::admin::setup::operation::{Operation, Step};
use crate::admin::setup::options::Options;
use crate::admin::setup::plan::PlanDraft;
use crate::admin::setup::{subscription_diff, subscription_health};
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
    planned: &mut BTreeSet<String>,
    found: &mut PlanDraft,
) {
    let path = admin.access.subscription(name);
    let topic = admin.access.topic(topic);
    if !planned.insert(path.clone()) {
        return;
    }
    if let Some(current) = current.get(&path) {
        found
            .warnings
            .extend(subscription_health::of_dead_letters(&topic, current));
        return;
    }
    if !admin.is_in_project(&path) {
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
