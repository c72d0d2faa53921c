//! The desired state of a subscription in Pub/Sub's form, and its differences from the current state.

use std::time::Duration;

use google_cloud_pubsub::model::push_config::{AuthenticationMethod, OidcToken};
use google_cloud_pubsub::model::{
    DeadLetterPolicy, ExpirationPolicy, PushConfig, RetryPolicy, Subscription as PubSubSubscription,
};
use google_cloud_wkt::Duration as WktDuration;

use crate::admin::setup::change::{Differences, FieldChange};
use crate::admin::setup::convert;
use crate::backend::google::PubSubAccess;
use crate::base::{Config, Error};
use crate::registry::filter::Filter;
use crate::registry::subscription::Subscription;

/// The desired subscription; settings that the subscriber does not specify stay unset.
pub(crate) fn desired(
    desired: &Subscription,
    access: &PubSubAccess,
    config: &Config,
) -> Result<PubSubSubscription, Error> {
    let mut push = PushConfig::new().set_push_endpoint(&desired.url);
    if let Some(signer) = access.signer.as_ref().filter(|_| desired.oidc) {
        let token = OidcToken::new()
            .set_service_account_email(signer)
            .set_audience(config.base_url());
        push = push.set_oidc_token(token);
    }
    let mut subscription = PubSubSubscription::new()
        .set_name(access.subscription(&desired.name))
        .set_topic(access.topic(&desired.topic))
        .set_push_config(push)
        .set_enable_message_ordering(desired.ordering);
    if let Some(filter) = &desired.filter {
        subscription = subscription.set_filter(filter.to_string());
    }
    if let Some(deadline) = desired.ack_deadline {
        subscription =
            subscription.set_ack_deadline_seconds(i32::try_from(deadline.as_secs()).unwrap_or(i32::MAX));
    }
    if desired.min_backoff.is_some() || desired.max_backoff.is_some() {
        let policy = RetryPolicy::new()
            .set_or_clear_minimum_backoff(desired.min_backoff.map(duration).transpose()?)
            .set_or_clear_maximum_backoff(desired.max_backoff.map(duration).transpose()?);
        subscription = subscription.set_retry_policy(policy);
    }
    if let Some(expiration) = desired.expiration {
        subscription = subscription.set_expiration_policy(match expiration {
            Duration::MAX => ExpirationPolicy::new(),
            _ => ExpirationPolicy::new().set_ttl(duration(expiration)?),
        });
    }
    if let Some(retention) = desired.retention {
        subscription = subscription.set_message_retention_duration(duration(retention)?);
    }
    if let Some(topic) = &desired.dead_letter_topic {
        let policy = DeadLetterPolicy::new()
            .set_dead_letter_topic(access.topic(topic))
            .set_max_delivery_attempts(convert::number(desired.max_retries));
        subscription = subscription.set_dead_letter_policy(policy);
    }
    Ok(subscription)
}

/// The pull subscription that keeps dead letters, without expiration.
pub(crate) fn dead_letters(path: &str, topic: &str) -> PubSubSubscription {
    PubSubSubscription::new()
        .set_name(path)
        .set_topic(topic)
        .set_expiration_policy(ExpirationPolicy::new())
}

/// The differences that can be changed in place; settings that are unset in the desired state are ignored.
pub(crate) fn changes(current: &PubSubSubscription, desired: &PubSubSubscription) -> Vec<FieldChange> {
    let mut differing = Differences::default();
    differing.push("push_config", push(current), push(desired));
    let deadline = |subscription: &PubSubSubscription| {
        (subscription.ack_deadline_seconds != 0).then(|| format!("{}s", subscription.ack_deadline_seconds))
    };
    differing.push_asked("ack_deadline_seconds", deadline(current), deadline(desired));
    let backoff = |subscription: &PubSubSubscription, pick: fn(&RetryPolicy) -> Option<WktDuration>| {
        subscription
            .retry_policy
            .as_ref()
            .and_then(pick)
            .map(String::from)
    };
    differing.push_asked(
        "retry_policy.minimum_backoff",
        backoff(current, |policy| policy.minimum_backoff),
        backoff(desired, |policy| policy.minimum_backoff),
    );
    differing.push_asked(
        "retry_policy.maximum_backoff",
        backoff(current, |policy| policy.maximum_backoff),
        backoff(desired, |policy| policy.maximum_backoff),
    );
    let expiration = |subscription: &PubSubSubscription| {
        let policy = subscription.expiration_policy.as_ref()?;
        Some(policy.ttl.map_or_else(|| "never".to_owned(), String::from))
    };
    differing.push_asked("expiration_policy", expiration(current), expiration(desired));
    let retention =
        |subscription: &PubSubSubscription| subscription.message_retention_duration.map(String::from);
    differing.push_asked(
        "message_retention_duration",
        retention(current),
        retention(desired),
    );
    let dead_letters = |subscription: &PubSubSubscription| subscription.dead_letter_policy.clone();
    let topic =
        |subscription: &PubSubSubscription| dead_letters(subscription).map(|policy| policy.dead_letter_topic);
    differing.push_asked(
        "dead_letter_policy.dead_letter_topic",
        topic(current),
        topic(desired),
    );
    let attempts = |subscription: &PubSubSubscription| {
        dead_letters(subscription)
            .map(|policy| policy.max_delivery_attempts)
            .filter(|attempts| *attempts != 0)
            .map(|attempts| attempts.to_string())
    };
    differing.push_asked(
        "dead_letter_policy.max_delivery_attempts",
        attempts(current),
        attempts(desired),
    );
    differing.into_fields()
}

/// The differences that require recreating the subscription, which loses its backlog.
pub(crate) fn fixed_changes(current: &PubSubSubscription, desired: &PubSubSubscription) -> Vec<FieldChange> {
    let mut differing = Differences::default();
    differing.push("topic", Some(current.topic.clone()), Some(desired.topic.clone()));
    let filter = |subscription: &PubSubSubscription| {
        Some(subscription.filter.clone()).filter(|filter| !filter.is_empty())
    };
    // Another spelling of the same filter is no reason to lose messages.
    let same = matches!(
        (Filter::parse(&current.filter), Filter::parse(&desired.filter)),
        (Ok(current), Ok(desired)) if current.means_the_same_as(&desired)
    );
    if !same {
        differing.push("filter", filter(current), filter(desired));
    }
    let ordering = |subscription: &PubSubSubscription| Some(subscription.enable_message_ordering.to_string());
    differing.push("enable_message_ordering", ordering(current), ordering(desired));
    differing.into_fields()
}

/// The paths of an update mask: whole policies, since Pub/Sub does not update parts of them.
pub(crate) fn mask(changes: &[FieldChange]) -> Vec<String> {
    let mut fields: Vec<_> = changes
        .iter()
        .map(|change| change.field.split('.').next().unwrap_or_default().to_owned())
        .collect();
    fields.dedup();
    fields
}

/// The desired subscription, with unset parts of policies taken from the current one, since policies are sent as a
/// whole.
pub(crate) fn completed(mut desired: PubSubSubscription, current: &PubSubSubscription) -> PubSubSubscription {
    if let (Some(desired), Some(current)) = (&mut desired.retry_policy, &current.retry_policy) {
        desired.minimum_backoff = desired.minimum_backoff.or(current.minimum_backoff);
        desired.maximum_backoff = desired.maximum_backoff.or(current.maximum_backoff);
    }
    if let (Some(desired), Some(current)) = (&mut desired.push_config, &current.push_config) {
        // Set by hand perhaps; both forms can be read.
        desired.wrapper.clone_from(&current.wrapper);
        desired.attributes.clone_from(&current.attributes);
    }
    if let (Some(desired), Some(current)) = (&mut desired.dead_letter_policy, &current.dead_letter_policy)
        && desired.max_delivery_attempts == 0
    {
        desired.max_delivery_attempts = current.max_delivery_attempts;
    }
    desired
}

/// The desired state of a recreated subscription, with unset settings taken from the current one.
pub(crate) fn recreate_from(desired: PubSubSubscription, current: &PubSubSubscription) -> PubSubSubscription {
    let mut desired = completed(desired, current);
    if desired.ack_deadline_seconds == 0 {
        desired.ack_deadline_seconds = current.ack_deadline_seconds;
    }
    desired.message_retention_duration = desired
        .message_retention_duration
        .or(current.message_retention_duration);
    desired.expiration_policy = desired
        .expiration_policy
        .or_else(|| current.expiration_policy.clone());
    desired.retry_policy = desired.retry_policy.or_else(|| current.retry_policy.clone());
    desired.dead_letter_policy = desired
        .dead_letter_policy
        .or_else(|| current.dead_letter_policy.clone());
    desired
        .set_labels(current.labels.clone())
        .set_retain_acked_messages(current.retain_acked_messages)
        .set_enable_exactly_once_delivery(current.enable_exactly_once_delivery)
}

/// The URL of pushes and the account that signs them. The service fills in attributes, so only those that we set are
/// compared.
fn push(subscription: &PubSubSubscription) -> Option<String> {
    let push = subscription.push_config.as_ref()?;
    let endpoint = &push.push_endpoint;
    Some(match &push.authentication_method {
        Some(AuthenticationMethod::OidcToken(token)) => {
            let (account, audience) = (&token.service_account_email, &token.audience);
            format!("{endpoint}, signed as {account} for {audience}")
        }
        _ => format!("{endpoint}, not signed"),
    })
}

fn duration(duration: Duration) -> Result<WktDuration, Error> {
    convert::duration(duration, "Pub/Sub")
}
