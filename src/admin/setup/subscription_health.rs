//! What keeps a subscription with the desired settings from working.

use google_cloud_pubsub::model::Subscription as PubSubSubscription;
use google_cloud_pubsub::model::push_config::Wrapper;
use google_cloud_pubsub::model::subscription::State;

use crate::admin::setup::subscription_diff;
use crate::registry::subscription::Subscription;

/// The topic of a subscription whose topic was deleted.
const DELETED_TOPIC: &str = "_deleted-topic_";

/// The warnings about the subscription of a subscriber.
pub(super) fn of_subscriber(
    subscriber: &Subscription,
    current: &PubSubSubscription,
) -> impl Iterator<Item = String> {
    let letters = current.dead_letter_policy.as_ref();
    let letters_gone = letters.is_some_and(|policy| policy.dead_letter_topic == DELETED_TOPIC);
    // A topic that the code specifies is a difference, which the plan repairs.
    let letters_gone = letters_gone && subscriber.dead_letter_topic.is_none();
    let letters_gone = letters_gone.then(|| {
        format!(
            "the dead-letter topic of {} was deleted, so its dead letters are delivered again and again: name one with \
             `dead_letter_topic`, or `gcloud pubsub subscriptions update {} --clear-dead-letter-policy`",
            current.name, current.name
        )
    });
    let bare = !subscriber.bare_body && pushes_bare_bodies(current);
    let bare = bare.then(|| {
        format!(
            "{} pushes bare bodies without metadata (`noWrapper: {{}}`), which {} cannot tell from a request without a \
             message: write `#[task(bare_body)]` above the subscriber, or have it write metadata: `gcloud pubsub \
             subscriptions update {} --push-no-wrapper --push-no-wrapper-write-metadata`",
            current.name, subscriber.task, current.name
        )
    });
    [in_error(current), letters_gone, bare].into_iter().flatten()
}

/// The warning about the subscription that keeps the messages of a dead-letter topic.
pub(super) fn of_dead_letters(topic: &str, current: &PubSubSubscription) -> Option<String> {
    let name = &current.name;
    let remake = format!(
        "read what it has, delete it with `gcloud pubsub subscriptions delete {name}`, and set up again"
    );
    if current.topic == DELETED_TOPIC {
        return Some(format!(
            "the topic of {name} was deleted, so dead letters in {topic} would be lost: {remake}"
        ));
    }
    if current.topic != topic {
        return Some(format!(
            "{name} already belongs to the topic {}, so dead letters in {topic} would be lost: give \
             `dead_letter_subscription`, or the topic of dead tasks, another name",
            current.topic
        ));
    }
    if current.detached {
        return Some(format!(
            "{name} is detached from its topic, so dead letters in {topic} would be lost: {remake}"
        ));
    }
    let elsewhere = delivery(current).map(|delivery| {
        format!(
            "{name} {delivery}, so its dead letters cannot be replayed: make it a pull subscription, or give \
             `dead_letter_subscription` another name"
        )
    });
    elsewhere.or_else(|| in_error(current))
}

fn in_error(current: &PubSubSubscription) -> Option<String> {
    (current.state == State::ResourceError).then(|| {
        format!(
            "{} is in the state RESOURCE_ERROR, so Pub/Sub delivers nothing: `gcloud pubsub subscriptions describe {}` shows \
             the reason",
            current.name, current.name
        )
    })
}

/// Where messages go that are not left to be pulled.
fn delivery(current: &PubSubSubscription) -> Option<String> {
    let push = current.push_config.as_ref().map(|push| &push.push_endpoint);
    if let Some(endpoint) = push.filter(|endpoint| !endpoint.is_empty()) {
        return Some(format!("pushes to {endpoint}"));
    }
    let export = subscription_diff::exports(current).into_iter().next()?;
    let service = match export.field.as_str() {
        "bigquery_config" => "BigQuery",
        "cloud_storage_config" => "Cloud Storage",
        _ => "Bigtable",
    };
    Some(format!(
        "writes to {service} ({})",
        export.old.as_deref().unwrap_or_default()
    ))
}

/// Whether a subscription pushes only the data of its messages.
fn pushes_bare_bodies(current: &PubSubSubscription) -> bool {
    let wrapper = current
        .push_config
        .as_ref()
        .and_then(|config| config.wrapper.as_ref());
    matches!(wrapper, Some(Wrapper::NoWrapper(no_wrapper)) if !no_wrapper.write_metadata)
}
