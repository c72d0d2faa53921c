//! A subscription as Pub/Sub takes it, and what of it differs from one that is there.

use std::time::Duration;

use google_cloud_pubsub::model::push_config::{AuthenticationMethod, OidcToken};
use google_cloud_pubsub::model::{
    DeadLetterPolicy, ExpirationPolicy, PushConfig, RetryPolicy, Subscription as Shape,
};

use crate::backend::google::PubSubAccess;
use crate::config::Config;
use crate::error::Error;
use crate::subscription::Subscription;

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
        let attempts = wanted.max_retries.unwrap_or_default();
        let policy = DeadLetterPolicy::new()
            .set_dead_letter_topic(access.topic(topic))
            .set_max_delivery_attempts(i32::try_from(attempts).unwrap_or(i32::MAX));
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

/// The fields to change, by their names in an update mask. What is left open in `wanted` stays as it is.
pub(crate) fn changes(there: &Shape, wanted: &Shape) -> Vec<&'static str> {
    let deadline = wanted.ack_deadline_seconds;
    let differing = [
        (
            "push_config",
            !same_push(there.push_config.as_ref(), wanted.push_config.as_ref()),
        ),
        (
            "ack_deadline_seconds",
            deadline != 0 && deadline != there.ack_deadline_seconds,
        ),
        (
            "retry_policy",
            !same_retry(there.retry_policy.as_ref(), wanted.retry_policy.as_ref()),
        ),
        (
            "expiration_policy",
            wanted.expiration_policy.is_some() && wanted.expiration_policy != there.expiration_policy,
        ),
        (
            "message_retention_duration",
            wanted.message_retention_duration.is_some()
                && wanted.message_retention_duration != there.message_retention_duration,
        ),
        (
            "dead_letter_policy",
            !same_dead_letters(
                there.dead_letter_policy.as_ref(),
                wanted.dead_letter_policy.as_ref(),
            ),
        ),
    ];
    differing
        .into_iter()
        .filter_map(|(field, differs)| differs.then_some(field))
        .collect()
}

/// What differs and can only be had by deleting the subscription, and its backlog with it.
pub(crate) fn fixed_differences(there: &Shape, wanted: &Shape) -> Vec<String> {
    let mut differences = Vec::new();
    if there.topic != wanted.topic {
        differences.push(format!("its topic is {}, not {}", there.topic, wanted.topic));
    }
    if there.filter != wanted.filter {
        differences.push(format!(
            "its filter is {:?}, not {:?}",
            there.filter, wanted.filter
        ));
    }
    if there.enable_message_ordering != wanted.enable_message_ordering {
        let (is, not) = if wanted.enable_message_ordering {
            ("does not order", "orders")
        } else {
            ("orders", "does not")
        };
        differences.push(format!("it {is} messages, and the subscriber's {not}"));
    }
    differences
}

fn same_push(there: Option<&PushConfig>, wanted: Option<&PushConfig>) -> bool {
    let parts = |push: Option<&PushConfig>| {
        let push = push?;
        // The service fills attributes in, so only what we set counts.
        let token = push
            .authentication_method
            .as_ref()
            .and_then(|method| match method {
                AuthenticationMethod::OidcToken(token) => {
                    Some((token.service_account_email.clone(), token.audience.clone()))
                }
                _ => None,
            });
        Some((push.push_endpoint.clone(), token))
    };
    parts(there) == parts(wanted)
}

fn same_retry(there: Option<&RetryPolicy>, wanted: Option<&RetryPolicy>) -> bool {
    let Some(wanted) = wanted else {
        return true;
    };
    there.is_some_and(|there| {
        (wanted.minimum_backoff.is_none() || wanted.minimum_backoff == there.minimum_backoff)
            && (wanted.maximum_backoff.is_none() || wanted.maximum_backoff == there.maximum_backoff)
    })
}

fn same_dead_letters(there: Option<&DeadLetterPolicy>, wanted: Option<&DeadLetterPolicy>) -> bool {
    let Some(wanted) = wanted else {
        return true;
    };
    there.is_some_and(|there| {
        let attempts = wanted.max_delivery_attempts;
        there.dead_letter_topic == wanted.dead_letter_topic
            && (attempts == 0 || attempts == there.max_delivery_attempts)
    })
}

fn duration(duration: Duration) -> Result<google_cloud_wkt::Duration, Error> {
    duration.try_into().map_err(|error| {
        Error::invalid(format!("{duration:?} is longer than Pub/Sub takes")).with_source(Box::new(error))
    })
}
