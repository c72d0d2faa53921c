//! The desired state of a subscription in Pub/Sub's form, and its differences from the current state.

use std::time::Duration;

use google_cloud_pubsub::model::push_config::{AuthenticationMethod, OidcToken};
use google_cloud_pubsub::model::subscription::State;
use google_cloud_pubsub::model::{
    DeadLetterPolicy, ExpirationPolicy, PushConfig, Subscription as PubSubSubscription,
};

use crate::admin::setup::api_field::{ApiField, field, field_mut};
use crate::admin::setup::change::{Differences, FieldChange};
use crate::admin::setup::convert;
use crate::backend::google::PubSubAccess;
use crate::base::{Config, Error};
use crate::registry::subscription::Subscription;
use crate::registry::subscription_options;
use cloud_tasks_rules::filter::Filter;

/// Writes a desired field over the current one, if the desired one is set.
macro_rules! overlay_field {
    ($type:ty, $desired:expr, $current:expr, $($field:ident).+) => {
        if let Some(desired) = field!($desired, $($field).+)
            && <$type as ApiField<_>>::text(desired).is_some()
        {
            <$type as ApiField<_>>::overlay(field_mut!($current, $($field).+), desired);
        }
    };
}

/// Writes, compares and overlays each of the [`subscription_options`].
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
                let text = |subscription: &PubSubSubscription| field!(subscription, $($field).+).and_then(<$type as ApiField<_>>::text);
                differing.push_asked(&name, text(current), text(desired));
            )*
        }

        fn overlay_options(current: &mut PubSubSubscription, desired: &PubSubSubscription) {
            $(overlay_field!($type, desired, current, $($field).+);)*
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
    if current.enable_exactly_once_delivery {
        // Pub/Sub accepts it for pull subscriptions only.
        let (old, new) = ("true".to_owned(), "false".to_owned());
        differing.push("enable_exactly_once_delivery", Some(old), Some(new));
    }
    compare_options(current, &overlaid(current, desired), &mut differing);
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
    if current.detached {
        // A subscription is attached when it is created, and never again.
        differing.push("detached", Some("true".to_owned()), Some("false".to_owned()));
    }
    differing.into_fields()
}

/// The deliveries to another service, which a push would take the place of.
pub(super) fn exports(current: &PubSubSubscription) -> Vec<FieldChange> {
    let bigquery = current.bigquery_config.as_ref().map(|config| &config.table);
    let storage = current.cloud_storage_config.as_ref().map(|config| &config.bucket);
    let bigtable = current.bigtable_config.as_ref().map(|config| &config.table);
    let mut differing = Differences::default();
    for (field, target) in [
        ("bigquery_config", bigquery),
        ("cloud_storage_config", storage),
        ("bigtable_config", bigtable),
    ] {
        differing.push(field, target.cloned(), None);
    }
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

/// The current subscription with the desired settings written over it. Everything else stays as it is, also fields that
/// this version does not know: they may have been set by hand, or by a later version of the API.
pub(super) fn overlaid(current: &PubSubSubscription, desired: &PubSubSubscription) -> PubSubSubscription {
    let mut overlaid = current.clone();
    overlay_options(&mut overlaid, desired);
    if let Some(desired) = &desired.push_config {
        let push = overlaid.push_config.get_or_insert_default();
        push.push_endpoint.clone_from(&desired.push_endpoint);
        push.authentication_method
            .clone_from(&desired.authentication_method);
        // A subscription has one way of delivery.
        overlaid.bigquery_config = None;
        overlaid.cloud_storage_config = None;
        overlaid.bigtable_config = None;
        overlaid.enable_exactly_once_delivery = false;
    }
    if let Some(desired) = &desired.dead_letter_policy {
        let policy = overlaid.dead_letter_policy.get_or_insert_default();
        policy.dead_letter_topic.clone_from(&desired.dead_letter_topic);
        if desired.max_delivery_attempts != 0 {
            policy.max_delivery_attempts = desired.max_delivery_attempts;
        }
    }
    // What only the service sets.
    overlaid.state = State::default();
    overlaid.topic_message_retention_duration = None;
    overlaid.analytics_hub_subscription_info = None;
    overlaid
}

/// The subscription that takes the place of the current one: its copy with the desired settings.
pub(super) fn recreated(current: &PubSubSubscription, desired: &PubSubSubscription) -> PubSubSubscription {
    let mut recreated = overlaid(current, desired);
    recreated.topic.clone_from(&desired.topic);
    recreated.filter.clone_from(&desired.filter);
    recreated.enable_message_ordering = desired.enable_message_ordering;
    recreated.detached = false;
    recreated
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
