//! A subscription as Pub/Sub takes it, and what of it differs from one that is there.

use std::time::Duration;

use google_cloud_pubsub::model::push_config::{AuthenticationMethod, OidcToken};
use google_cloud_pubsub::model::{
    DeadLetterPolicy, ExpirationPolicy, PushConfig, RetryPolicy, Subscription as Shape,
};
use google_cloud_wkt::Duration as WktDuration;

use crate::admin::setup::change::{Differences, FieldChange};
use crate::admin::setup::convert;
use crate::backend::google::PubSubAccess;
use crate::base::{Config, Error};
use crate::registry::filter::Filter;
use crate::registry::subscription::Subscription;

/// The subscription that is wanted; what the subscriber leaves open stays open.
pub(crate) fn wanted(wanted: &Subscription, access: &PubSubAccess, config: &Config) -> Result<Shape, Error> {
    let mut push = PushConfig::new().set_push_endpoint(&wanted.url);
    if let Some(signer) = access.signer.as_ref().filter(|_| wanted.oidc) {
        let token = OidcToken::new()
            .set_service_account_email(signer)
            .set_audience(config.base_url());
        push = push.set_oidc_token(token);
    }
    let mut shape = Shape::new()
        .set_name(access.subscription(&wanted.name))
        .set_topic(access.topic(&wanted.topic))
        .set_push_config(push)
        .set_enable_message_ordering(wanted.ordering);
    if let Some(filter) = &wanted.filter {
        shape = shape.set_filter(filter.to_string());
    }
    if let Some(deadline) = wanted.ack_deadline {
        shape = shape.set_ack_deadline_seconds(i32::try_from(deadline.as_secs()).unwrap_or(i32::MAX));
    }
    if wanted.min_backoff.is_some() || wanted.max_backoff.is_some() {
        let policy = RetryPolicy::new()
            .set_or_clear_minimum_backoff(wanted.min_backoff.map(duration).transpose()?)
            .set_or_clear_maximum_backoff(wanted.max_backoff.map(duration).transpose()?);
        shape = shape.set_retry_policy(policy);
    }
    if let Some(expiration) = wanted.expiration {
        shape = shape.set_expiration_policy(match expiration {
            Duration::MAX => ExpirationPolicy::new(),
            _ => ExpirationPolicy::new().set_ttl(duration(expiration)?),
        });
    }
    if let Some(retention) = wanted.retention {
        shape = shape.set_message_retention_duration(duration(retention)?);
    }
    if let Some(topic) = &wanted.dead_letter_topic {
        let policy = DeadLetterPolicy::new()
            .set_dead_letter_topic(access.topic(topic))
            .set_max_delivery_attempts(convert::number(wanted.max_retries));
        shape = shape.set_dead_letter_policy(policy);
    }
    Ok(shape)
}

/// The subscription that keeps dead letters: pulled by whoever looks after them, and kept for ever.
pub(crate) fn dead_letters(path: &str, topic: &str) -> Shape {
    Shape::new()
        .set_name(path)
        .set_topic(topic)
        .set_expiration_policy(ExpirationPolicy::new())
}

/// What differs and can be changed in place; what is left open in `wanted` stays as it is.
pub(crate) fn changes(there: &Shape, wanted: &Shape) -> Vec<FieldChange> {
    let mut differing = Differences::default();
    differing.push("push_config", push(there), push(wanted));
    let deadline =
        |shape: &Shape| (shape.ack_deadline_seconds != 0).then(|| format!("{}s", shape.ack_deadline_seconds));
    differing.push_asked("ack_deadline_seconds", deadline(there), deadline(wanted));
    let backoff = |shape: &Shape, pick: fn(&RetryPolicy) -> Option<WktDuration>| {
        shape.retry_policy.as_ref().and_then(pick).map(String::from)
    };
    differing.push_asked(
        "retry_policy.minimum_backoff",
        backoff(there, |policy| policy.minimum_backoff),
        backoff(wanted, |policy| policy.minimum_backoff),
    );
    differing.push_asked(
        "retry_policy.maximum_backoff",
        backoff(there, |policy| policy.maximum_backoff),
        backoff(wanted, |policy| policy.maximum_backoff),
    );
    let expiration = |shape: &Shape| {
        let policy = shape.expiration_policy.as_ref()?;
        Some(policy.ttl.map_or_else(|| "never".to_owned(), String::from))
    };
    differing.push_asked("expiration_policy", expiration(there), expiration(wanted));
    let retention = |shape: &Shape| shape.message_retention_duration.map(String::from);
    differing.push_asked("message_retention_duration", retention(there), retention(wanted));
    let dead_letters = |shape: &Shape| shape.dead_letter_policy.clone();
    let topic = |shape: &Shape| dead_letters(shape).map(|policy| policy.dead_letter_topic);
    differing.push_asked(
        "dead_letter_policy.dead_letter_topic",
        topic(there),
        topic(wanted),
    );
    let attempts = |shape: &Shape| {
        dead_letters(shape)
            .map(|policy| policy.max_delivery_attempts)
            .filter(|attempts| *attempts != 0)
            .map(|attempts| attempts.to_string())
    };
    differing.push_asked(
        "dead_letter_policy.max_delivery_attempts",
        attempts(there),
        attempts(wanted),
    );
    differing.into_fields()
}

/// What differs and can only be had by making the subscription anew, which loses its backlog.
pub(crate) fn fixed_changes(there: &Shape, wanted: &Shape) -> Vec<FieldChange> {
    let mut differing = Differences::default();
    differing.push("topic", Some(there.topic.clone()), Some(wanted.topic.clone()));
    let filter = |shape: &Shape| Some(shape.filter.clone()).filter(|filter| !filter.is_empty());
    // Another spelling of the same filter is no reason to lose messages.
    let same = matches!(
        (Filter::parse(&there.filter), Filter::parse(&wanted.filter)),
        (Ok(there), Ok(wanted)) if there.means_the_same_as(&wanted)
    );
    if !same {
        differing.push("filter", filter(there), filter(wanted));
    }
    let ordering = |shape: &Shape| Some(shape.enable_message_ordering.to_string());
    differing.push("enable_message_ordering", ordering(there), ordering(wanted));
    differing.into_fields()
}

/// The names of an update mask: whole policies, since Pub/Sub takes no parts of them.
pub(crate) fn mask(changes: &[FieldChange]) -> Vec<String> {
    let mut fields: Vec<_> = changes
        .iter()
        .map(|change| change.field.split('.').next().unwrap_or_default().to_owned())
        .collect();
    fields.dedup();
    fields
}

/// The wanted shape, with what it leaves open in the policies that are sent whole as it is there.
pub(crate) fn completed(mut wanted: Shape, there: &Shape) -> Shape {
    if let (Some(wanted), Some(there)) = (&mut wanted.retry_policy, &there.retry_policy) {
        wanted.minimum_backoff = wanted.minimum_backoff.or(there.minimum_backoff);
        wanted.maximum_backoff = wanted.maximum_backoff.or(there.maximum_backoff);
    }
    if let (Some(wanted), Some(there)) = (&mut wanted.push_config, &there.push_config) {
        // What may have been set by hand, and is read all the same.
        wanted.wrapper.clone_from(&there.wrapper);
        wanted.attributes.clone_from(&there.attributes);
    }
    if let (Some(wanted), Some(there)) = (&mut wanted.dead_letter_policy, &there.dead_letter_policy)
        && wanted.max_delivery_attempts == 0
    {
        wanted.max_delivery_attempts = there.max_delivery_attempts;
    }
    wanted
}

/// The wanted shape of a subscription that is made anew, with all that it leaves open as it was.
pub(crate) fn inherited(wanted: Shape, there: &Shape) -> Shape {
    let mut wanted = completed(wanted, there);
    if wanted.ack_deadline_seconds == 0 {
        wanted.ack_deadline_seconds = there.ack_deadline_seconds;
    }
    wanted.message_retention_duration = wanted
        .message_retention_duration
        .or(there.message_retention_duration);
    wanted.expiration_policy = wanted
        .expiration_policy
        .or_else(|| there.expiration_policy.clone());
    wanted.retry_policy = wanted.retry_policy.or_else(|| there.retry_policy.clone());
    wanted.dead_letter_policy = wanted
        .dead_letter_policy
        .or_else(|| there.dead_letter_policy.clone());
    wanted
        .set_labels(there.labels.clone())
        .set_retain_acked_messages(there.retain_acked_messages)
        .set_enable_exactly_once_delivery(there.enable_exactly_once_delivery)
}

/// Where pushes go, and as whom they are signed; the service fills attributes in, so only what we set counts.
fn push(shape: &Shape) -> Option<String> {
    let push = shape.push_config.as_ref()?;
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
