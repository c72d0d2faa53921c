//! Trying out the settings of a subscription before another one is deleted for it.
//!
//! Pub/Sub checks settings when a subscription is created, and has no call that only checks them. So a subscription with the
//! same settings is created and deleted at once. It receives nothing: a condition that no message meets is added to its
//! filter, so nothing is pushed, and nothing becomes a dead letter.

use google_cloud_gax::error::{Error as GoogleError, rpc::Code};
use google_cloud_gax::options::RequestOptionsBuilder;
use google_cloud_pubsub::model::Subscription as PubSubSubscription;
use uuid::Uuid;

use crate::admin::setup::call_error::failed;
use crate::admin::setup::clients::{PubSubAdmin, in_path};
use crate::admin::setup::visibility::Visibility;
use crate::backend::google::is;
use crate::base::{Error, names::last_segment};

/// What no message meets.
const NOTHING: &str = "attributes:trial AND NOT attributes:trial";
/// The ends of the names. Names of subscribers have no `~`.
const SHAPE: &str = "~trial";
const FILTER: &str = "~trial-filter";
/// The longest filter and the longest name of Pub/Sub. Sources: <https://cloud.google.com/pubsub/quotas> and
/// <https://cloud.google.com/pubsub/docs/pubsub-basics#resource_names>.
const MAX_FILTER: usize = 256;
const MAX_NAME: usize = 255;
/// The number of characters kept of a name that would be too long.
const KEPT: usize = 200;

/// The full path of a trial of the subscription with this path.
fn path(subscription: &str, end: &str) -> String {
    let name = last_segment(subscription);
    if name.len() + end.len() <= MAX_NAME {
        return format!("{subscription}{end}");
    }
    let hash = Uuid::new_v5(&Uuid::NAMESPACE_OID, name.as_bytes()).simple();
    let (parent, kept) = (
        subscription.strip_suffix(name).unwrap_or_default(),
        name.get(..KEPT),
    );
    format!("{parent}{}~{hash}{end}", kept.unwrap_or_default())
}

/// The path of the trial that the plan and errors name.
pub(super) fn path_of(subscription: &str) -> String {
    path(subscription, SHAPE)
}

/// The subscriptions that try out this one: one, or two if its filter has no room for another condition.
fn trials(desired: &PubSubSubscription) -> Vec<PubSubSubscription> {
    let filter = match desired.filter.as_str() {
        "" => NOTHING.to_owned(),
        filter => format!("({filter}) AND {NOTHING}"),
    };
    let shape = desired.clone().set_name(path(&desired.name, SHAPE));
    if filter.len() <= MAX_FILTER {
        return vec![shape.set_filter(filter)];
    }
    // Without a push. It keeps messages of its own until it is deleted, so no other subscription misses them.
    let filter = PubSubSubscription::new()
        .set_name(path(&desired.name, FILTER))
        .set_topic(&desired.topic)
        .set_filter(&desired.filter);
    vec![shape.set_filter(NOTHING), filter]
}

/// The trials of a subscription that a set-up has left behind, among the current subscriptions.
pub(super) fn left<'a>(
    subscription: &str,
    current: impl Fn(&str) -> Option<&'a PubSubSubscription>,
) -> Vec<&'a PubSubSubscription> {
    let paths = [path(subscription, SHAPE), path(subscription, FILTER)];
    let there = paths.iter().filter_map(|path| current(path));
    there.filter(|trial| is_trial(trial)).collect()
}

/// Whether deleting it does no harm: it matches nothing, or nobody is called with what it matches.
fn is_trial(subscription: &PubSubSubscription) -> bool {
    let is_pull = subscription
        .push_config
        .as_ref()
        .is_none_or(|push| push.push_endpoint.is_empty());
    subscription.filter.ends_with(NOTHING) || (is_pull && subscription.name.ends_with(FILTER))
}

/// Fails unless Pub/Sub accepts the settings of this subscription, under another name. Leaves nothing behind.
pub(super) async fn try_out(pubsub: &PubSubAdmin, desired: &PubSubSubscription) -> Result<(), Error> {
    for trial in trials(desired) {
        let (name, path) = (&desired.name, &trial.name);
        let created = create(pubsub, &trial).await;
        // A create that failed may have had its effect.
        let deleted = pubsub.delete_subscription(path).await;
        match (created, deleted) {
            (Ok(()), Ok(())) => {}
            (Ok(()), Err(error)) => {
                let message = format!(
                    "{name} was not recreated: {path}, with which its new settings were tried out, was not deleted; the next \
                     set-up deletes it"
                );
                return Err(Error::unreachable(message).with_source(error));
            }
            (Err(error), _) => {
                let message = format!(
                    "{name} was not recreated and keeps its messages: its new settings were tried out as {path} and not accepted"
                );
                let error = failed("made", path, error);
                return Err(Error::new(error.kind(), message).with_source(error));
            }
        }
    }
    Ok(())
}

async fn create(pubsub: &PubSubAdmin, trial: &PubSubSubscription) -> Result<(), GoogleError> {
    let create = || {
        let request = pubsub
            .subscriptions
            .create_subscription()
            .with_request(trial.clone().set_name(in_path(&trial.name)));
        request.with_idempotency(true).send()
    };
    // The topic may have been created by this run.
    match Visibility::Recent.wait_for(create).await {
        // A set-up has left it, perhaps with other settings, or an earlier attempt of this call has created it.
        Err(error) if is(&error, Code::AlreadyExists) => {
            let delete = pubsub.subscriptions.delete_subscription();
            let deleted = delete
                .set_subscription(in_path(&trial.name))
                .with_idempotency(true)
                .send();
            match deleted.await {
                Err(error) if !is(&error, Code::NotFound) => Err(error),
                _ => Visibility::Recent.wait_for(create).await.map(drop),
            }
        }
        outcome => outcome.map(drop),
    }
}

#[cfg(test)]
mod tests {
    use google_cloud_pubsub::model::PushConfig;

    use super::*;
    use cloud_tasks_rules::filter::Filter;

    fn desired(name: &str, filter: &str) -> PubSubSubscription {
        PubSubSubscription::new()
            .set_name(format!("projects/acme/subscriptions/{name}"))
            .set_topic("projects/acme/topics/orders")
            .set_filter(filter)
            .set_enable_message_ordering(true)
            .set_push_config(PushConfig::new().set_push_endpoint("https://shop.example/subscriptions/Audit"))
    }

    #[test]
    fn a_trial_with_a_push_matches_no_message_and_only_its_name_and_filter_differ() {
        let long = format!("attributes.kind = \"{}\"", "x".repeat(230));
        for (filter, count) in [
            ("", 1),
            ("attributes:kind", 1),
            ("attributes.kind = \"a\" OR attributes.kind = \"b\"", 1),
            ("NOT attributes:kind", 1),
            (long.as_str(), 2),
        ] {
            let desired = desired("shop--Audit", filter);

            let trials = trials(&desired);

            assert_eq!(trials.len(), count, "{filter}");
            let parsed = Filter::parse(&trials[0].filter).unwrap();
            for attributes in [
                vec![],
                vec![("trial", "")],
                vec![("kind", "a"), ("trial", "b")],
                vec![("kind", "a")],
            ] {
                let get = |name: &str| {
                    attributes
                        .iter()
                        .find(|(key, _)| *key == name)
                        .map(|(_, value)| *value)
                };
                assert!(!parsed.matches(get), "{filter} {attributes:?}");
            }
            let same = trials[0].clone().set_name(&desired.name).set_filter(filter);
            assert_eq!(same, desired);
            if let [_, alone] = &trials[..] {
                assert_eq!((alone.filter.as_str(), &alone.push_config), (filter, &None));
            }
            assert!(trials.iter().all(is_trial));
            assert!(!is_trial(&desired));
        }
    }

    #[test]
    fn the_names_of_trials_fit_and_differ() {
        let (one, other) = ("a".repeat(254) + "1", "a".repeat(254) + "2");
        let mut paths = Vec::new();
        for name in ["Audit", &one, &other] {
            let subscription = format!("projects/acme/subscriptions/{name}");
            for end in [SHAPE, FILTER] {
                let path = path(&subscription, end);
                assert!(path.starts_with("projects/acme/subscriptions/"), "{path}");
                assert!(last_segment(&path).len() <= MAX_NAME, "{path}");
                assert!(path.ends_with(end));
                paths.push(path);
            }
        }
        assert_eq!(paths[0], "projects/acme/subscriptions/Audit~trial");
        paths.sort();
        paths.dedup();
        assert_eq!(paths.len(), 6);
    }
}
