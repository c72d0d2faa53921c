//! The desired state of a subscription in Pub/Sub's form, and its differences from the current state.

use std::time::Duration;

use google_cloud_pubsub::model::push_config::{AuthenticationMethod, OidcToken};
use google_cloud_pubsub::model::{
    DeadLetterPolicy, ExpirationPolicy, PushConfig, Subscription as PubSubSubscription,
};

use crate::admin::setup::api_field::ApiField;
use crate::admin::setup::change::{Differences, FieldChange};
use crate::admin::setup::convert;
use crate::backend::google::PubSubAccess;
use crate::base::{Config, Error};
use crate::registry::filter::Filter;
use crate::registry::subscription::Subscription;
use crate::registry::subscription_options;

/// A field of a subscription, or of a policy in it.
macro_rules! field {
    ($subscription:expr, $field:ident) => {
        Some(&$subscription.$field)
    };
    ($subscription:expr, $policy:ident.$field:ident) => {
        $subscription.$policy.as_ref().map(|policy| &policy.$field)
    };
}

/// The same, to be changed; a missing policy is created.
macro_rules! field_mut {
    ($subscription:expr, $field:ident) => {
        &mut $subscription.$field
    };
    ($subscription:expr, $policy:ident.$field:ident) => {
        &mut $subscription.$policy.get_or_insert_default().$field
    };
}

/// Completes what is sent as a whole: a policy, and a field that is set.
macro_rules! complete_given {
    ($type:ty, $subscription:expr, $current:expr, $field:ident) => {
        if <$type as ApiField<_>>::shown(&$subscription.$field).is_some() {
            <$type as ApiField<_>>::complete(&mut $subscription.$field, &$current.$field);
        }
    };
    ($type:ty, $subscription:expr, $current:expr, $policy:ident.$field:ident) => {
        if let (Some(policy), Some(current)) = (&mut $subscription.$policy, &$current.$policy) {
            <$type as ApiField<_>>::complete(&mut policy.$field, &current.$field);
        }
    };
}

/// Writes, compares and completes each of the [`subscription_options`].
macro_rules! fields {
    ($($(#[$doc:meta])* $name:ident: $type:ty => $($field:ident).+, $check:expr, $default:expr;)*) => {
        fn write_options(options: &Subscription, subscription: &mut PubSubSubscription) -> Result<(), Error> {
            $(if let Some(value) = &options.$name {
                *field_mut!(subscription, $($field).+) = ApiField::to_field(value)?;
            })*
            Ok(())
        }

        fn compare_options(current: &PubSubSubscription, desired: &PubSubSubscription, differing: &mut Differences) {
            $(
                let name = [$(stringify!($field)),+].join(".");
                let shown = |subscription: &PubSubSubscription| field!(subscription, $($field).+).and_then(<$type as ApiField<_>>::shown);
                differing.push_asked(&name, shown(current), shown(desired));
            )*
        }

        fn complete_given_options(desired: &mut PubSubSubscription, current: &PubSubSubscription) {
            $(complete_given!($type, desired, current, $($field).+);)*
        }

        fn complete_options(desired: &mut PubSubSubscription, current: &PubSubSubscription) {
            $(if let Some(current) = field!(current, $($field).+) {
                <$type as ApiField<_>>::complete(field_mut!(desired, $($field).+), current);
            })*
        }
    };
}

subscription_options!(fields);

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
    write_options(desired, &mut subscription)?;
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
    compare_options(current, &completed(desired.clone(), current), &mut differing);
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
    complete_given_options(&mut desired, current);
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
    complete_options(&mut desired, current);
    desired.dead_letter_policy = desired
        .dead_letter_policy
        .or_else(|| current.dead_letter_policy.clone());
    for (key, value) in &current.labels {
        desired.labels.entry(key.clone()).or_insert_with(|| value.clone());
    }
    desired
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
