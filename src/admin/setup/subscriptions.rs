//! Planning of topics, subscriptions and dead letters.

use std::collections::{BTreeMap, BTreeSet};

use google_cloud_gax::error::rpc::Code;
use google_cloud_pubsub::model::Subscription as PubSubSubscription;

use crate::admin::setup::call_error::{POLICY_READ, failed};
use crate::admin::setup::change::{Action, Change, ResourceKind};
use crate::admin::setup::clients::PubSubAdmin;
use crate::admin::setup::operation::{Operation, Step};
use crate::admin::setup::options::Options;
use crate::admin::setup::ownership::made_by_us;
use crate::admin::setup::plan::PlanDraft;
use crate::admin::setup::recreate::{self, PolicyCopy, Replacement};
use crate::admin::setup::{dead_letters, grants, iam, subscription_diff, subscription_health, trial};
use crate::backend::google::is;
use crate::base::{Error, names::last_segment};
use crate::registry::subscription::Subscription;
use crate::runtime::Runtime;

/// Plans the topics and subscriptions of publishers and subscribers.
pub(crate) async fn find(
    runtime: &Runtime,
    admin: &PubSubAdmin,
    options: &Options,
    found: &mut PlanDraft,
) -> Result<(), Error> {
    let current = admin.list_topics().await?;
    for topic in wanted_topics(runtime, admin, options) {
        // Topics of another project are created by their owner.
        if !current.contains(&topic) && admin.is_in_project(&topic) {
            let change = Change::new(Action::Add, ResourceKind::Topic, last_segment(&topic), &topic);
            found.steps.push(Step {
                change,
                operation: Operation::MakeTopic,
            });
        }
    }
    let current: BTreeMap<String, PubSubSubscription> = admin
        .list_subscriptions()
        .await?
        .into_iter()
        .map(|subscription| (subscription.name.clone(), subscription))
        .collect();
    let subscriptions: Vec<_> = runtime
        .subscriptions()
        .iter()
        .filter(|subscription| options.takes(subscription.task))
        .collect();
    let mut made = BTreeSet::new();
    for (topic, name) in dead_letters::keeping(runtime, options) {
        dead_letters::find(topic, name, admin, &current, &mut made, found);
    }
    for subscription in &subscriptions {
        one(runtime, subscription, admin, &current, options, found).await?;
    }
    if options.only.is_none() {
        leftovers(runtime, admin, &current, options, found);
    }
    grants::find(runtime, admin, options, found).await
}

/// The full paths of all topics that publishers, subscribers and dead letters need.
fn wanted_topics(runtime: &Runtime, admin: &PubSubAdmin, options: &Options) -> BTreeSet<String> {
    let config = runtime.config();
    let published = runtime
        .registry()
        .published_topics(config)
        .filter(|(name, _)| options.takes(name))
        .map(|(_, topic)| topic);
    let subscribed = runtime
        .subscriptions()
        .iter()
        .filter(|subscription| options.takes(subscription.task))
        .flat_map(|subscription| [Some(&subscription.topic), subscription.dead_letter_topic.as_ref()])
        .flatten()
        .cloned();
    let dead = dead_letters::keeping(runtime, options).map(|(topic, _)| topic.to_owned());
    let foreign = grants::publishers(runtime, options).map(|(topic, _)| topic);
    published
        .chain(subscribed)
        .chain(dead)
        .chain(foreign)
        .map(|name| admin.access.topic(&name))
        .collect()
}

async fn one(
    runtime: &Runtime,
    subscription: &Subscription,
    admin: &PubSubAdmin,
    current: &BTreeMap<String, PubSubSubscription>,
    options: &Options,
    found: &mut PlanDraft,
) -> Result<(), Error> {
    let desired = subscription_diff::desired(subscription, &admin.access, runtime.config())?;
    if !admin.is_in_project(&desired.name) {
        found
            .notes
            .push(format!("skipped {}: it belongs to another project", desired.name));
        return Ok(());
    }
    let change = |action| {
        Change::new(
            action,
            ResourceKind::Subscription,
            subscription.task,
            &desired.name,
        )
    };
    left_trials(&desired.name, current, found);
    let Some(current) = current.get(&desired.name) else {
        found.steps.push(Step {
            change: change(Action::Add),
            operation: Operation::MakeSubscription(Box::new(desired)),
        });
        return Ok(());
    };
    found
        .warnings
        .extend(subscription_health::of_subscriber(subscription, current));
    let fixed = subscription_diff::fixed_changes(current, &desired);
    let exports = subscription_diff::exports(current);
    let mut fields = subscription_diff::changes(current, &desired);
    if !fixed.is_empty() {
        let policy = policy_copy(&desired.name, admin, options).await?;
        let mut replaced = change(Action::Change);
        let loss = recreate::data_loss(current, policy.unwrap_or(PolicyCopy::Lost));
        replaced.data_loss = Some(loss);
        replaced.fields = fixed;
        match policy {
            Some(policy) if options.allow_data_loss => {
                replaced.fields.extend(exports);
                replaced.fields.extend(fields);
                if policy != PolicyCopy::None {
                    found.notes.push(format!(
                        "{} is recreated only if Pub/Sub accepts its settings for {}, which receives no messages and is deleted at \
                         once",
                        desired.name,
                        trial::path_of(&desired.name)
                    ));
                }
                let replacement = Replacement {
                    current: current.clone(),
                    desired: subscription_diff::recreated(current, &desired),
                    policy,
                };
                found.steps.push(Step {
                    change: replaced,
                    operation: Operation::ReplaceSubscription(Box::new(replacement)),
                });
                return Ok(());
            }
            Some(_) => found.hold_back(replaced, "it needs `allow_data_loss`"),
            None => found.hold_back(
                replaced,
                "its IAM policy cannot be read and would be lost: it needs `roles/pubsub.admin`, or `skip_iam`",
            ),
        }
    }
    let mut changed = change(Action::Change);
    if !exports.is_empty() {
        changed.data_loss =
            Some("the delivery to that service, since the messages are pushed here".to_owned());
        fields = [exports, fields].concat();
        if !options.allow_data_loss {
            // Pub/Sub refuses a second way of delivery, so the push is held back too.
            let (delivery, others) = fields.into_iter().partition(|change| is_delivery(&change.field));
            changed.fields = delivery;
            found.hold_back(changed, "it needs `allow_data_loss`");
            changed = change(Action::Change);
            fields = others;
        }
    }
    if fields.is_empty() {
        found.unchanged.push(subscription.task.to_owned());
        return Ok(());
    }
    let mask = subscription_diff::mask(&fields);
    changed.fields = fields;
    found.steps.push(Step {
        change: changed,
        operation: Operation::ChangeSubscription(
            Box::new(subscription_diff::overlaid(current, &desired)),
            mask,
        ),
    });
    Ok(())
}

/// Deletes the trials of a subscription that a set-up has left.
fn left_trials(subscription: &str, current: &BTreeMap<String, PubSubSubscription>, found: &mut PlanDraft) {
    for left in trial::left(subscription, |path| current.get(path)) {
        found
            .notes
            .push(format!("{} is left of a set-up that was broken off", left.name));
        found.steps.push(Step {
            change: Change::new(
                Action::Delete,
                ResourceKind::Subscription,
                last_segment(&left.name),
                &left.name,
            ),
            operation: Operation::DeleteSubscription,
        });
    }
}

/// What happens to the IAM policy of a subscription that is recreated; `None` if it would be lost without being asked for.
async fn policy_copy(
    path: &str,
    admin: &PubSubAdmin,
    options: &Options,
) -> Result<Option<PolicyCopy>, Error> {
    if admin.access.signer.is_none() {
        return Ok(Some(PolicyCopy::None));
    }
    if options.skip_iam {
        return Ok(Some(PolicyCopy::Lost));
    }
    if !options.allow_data_loss {
        return Ok(Some(PolicyCopy::Copied));
    }
    match iam::read(admin, path).await {
        Ok(_) => Ok(Some(PolicyCopy::Copied)),
        Err(error) if is(&error, Code::PermissionDenied) => Ok(None),
        Err(error) => Err(failed(POLICY_READ, path, error)),
    }
}

/// Whether a field says where messages go.
fn is_delivery(field: &str) -> bool {
    field.ends_with("_config")
}

/// Subscriptions of this application whose subscribers no longer exist.
fn leftovers(
    runtime: &Runtime,
    admin: &PubSubAdmin,
    current: &BTreeMap<String, PubSubSubscription>,
    options: &Options,
    found: &mut PlanDraft,
) {
    let config = runtime.config();
    let desired: BTreeSet<String> = runtime
        .subscriptions()
        .iter()
        .map(|subscription| admin.access.subscription(&subscription.name))
        .collect();
    for (path, subscription) in current {
        let url = subscription
            .push_config
            .as_ref()
            .map_or("", |push| push.push_endpoint.as_str());
        let Some(base) = made_by_us(config, path, url, "subscriptions") else {
            continue;
        };
        let is_trial =
            |name: &String| trial::left(name, |trial| Some(subscription).filter(|_| trial == path));
        if !desired.contains(path) && desired.iter().all(|name| is_trial(name).is_empty()) {
            let mut change = Change::new(Action::Delete, ResourceKind::Subscription, base, path);
            change.data_loss = Some("unacknowledged messages".to_owned());
            found.delete(change, Operation::DeleteSubscription, options);
        }
    }
}
