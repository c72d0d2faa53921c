//! The options of a subscription that are fields of its own in Google's API, each declared once.

use std::time::Duration;

use cloud_tasks_rules::limits::Lengths;
pub(super) use cloud_tasks_rules::limits::{ACK_DEADLINE, BACKOFF, EXPIRATION, RETENTION};

use crate::base::Invalid;

/// Calls a macro with every such option: description, `name: type`, field in `google.pubsub.v1.Subscription`, check and
/// default from the settings.
///
/// Fields, setters, checks, conversion and comparison are generated from this table. A new option is a line here, an
/// entry in the macro's list and a row in its documentation. The order is that of an update mask, and `checks` is this
/// module.
macro_rules! subscription_options {
    ($then:ident) => {
        $then! {
            /// The deadline of a push.
            ack_deadline: Duration => ack_deadline_seconds, checks::lengths(&checks::ACK_DEADLINE), |_| None;
            /// The shortest backoff before a message is redelivered.
            min_backoff: Duration => retry_policy.minimum_backoff, checks::lengths(&checks::BACKOFF), |config| config.subscriber_min_backoff();
            /// The longest backoff before a message is redelivered.
            max_backoff: Duration => retry_policy.maximum_backoff, checks::lengths(&checks::BACKOFF), |config| config.subscriber_max_backoff();
            /// How long the subscription is kept without activity; [`Duration::MAX`] means forever.
            expiration: Duration => expiration_policy, checks::expiration, |config| config.subscriber_expiration();
            /// How long an unacknowledged message is kept.
            retention: Duration => message_retention_duration, checks::lengths(&checks::RETENTION), |_| None;
            /// Labels of the subscription, as keys and values; labels that others have set stay.
            labels: &'static [(&'static str, &'static str)] => labels, checks::labels, |_| None;
        }
    };
}
pub(crate) use subscription_options;

/// What Pub/Sub fills in for a retry policy without a shortest backoff.
pub(super) const DEFAULT_MIN_BACKOFF: Duration = Duration::from_secs(10);

/// How long Pub/Sub keeps messages if a subscription does not say it.
pub(super) const DEFAULT_RETENTION: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// Lengths of time that Pub/Sub accepts.
pub(super) fn lengths(accepted: &'static Lengths) -> impl Fn(&str, &Duration) -> Result<(), Invalid> {
    let Lengths { min, max, .. } = *accepted;
    move |option, value| {
        if accepted.contain(*value) {
            return Ok(());
        }
        let accepted = if (min..=max).contains(value) {
            "whole seconds".to_owned()
        } else {
            format!("{min:?} to {max:?}")
        };
        Err(Invalid::because(format!(
            "{option} is {value:?}; Pub/Sub accepts {accepted}"
        )))
    }
}

/// The same, or for ever.
pub(super) fn expiration(option: &str, value: &Duration) -> Result<(), Invalid> {
    if *value == Duration::MAX {
        return Ok(());
    }
    lengths(&EXPIRATION)(option, value)
}

/// Labels that Pub/Sub accepts. Source: <https://cloud.google.com/pubsub/docs/labels#requirements>.
pub(super) fn labels(option: &str, labels: &&[(&str, &str)]) -> Result<(), Invalid> {
    const MAX_LABELS: usize = 64;
    const MAX_CHARS: usize = 63;
    const MAX_BYTES: usize = 128;
    let is_lower = |letter: char| letter.is_alphabetic() && !letter.is_uppercase();
    let is_plain = |text: &str| {
        text.len() <= MAX_BYTES
            && text.chars().count() <= MAX_CHARS
            && text
                .chars()
                .all(|letter| is_lower(letter) || letter.is_numeric() || "_-".contains(letter))
    };
    if labels.len() > MAX_LABELS {
        return Err(Invalid::because(format!(
            "{option} has {} labels; Pub/Sub accepts at most {MAX_LABELS}",
            labels.len()
        )));
    }
    for (index, (key, value)) in labels.iter().enumerate() {
        if !key.starts_with(is_lower) || !is_plain(key) || key.starts_with("goog") {
            return Err(Invalid::because(format!(
                "the key {key:?} in {option} is not accepted: 1 to {MAX_CHARS} lower-case letters, digits, `_` and `-`, the \
                 first a letter, and not beginning with `goog`"
            )));
        }
        if !is_plain(value) {
            return Err(Invalid::because(format!(
                "the value {value:?} of {key:?} in {option} is not accepted: at most {MAX_CHARS} lower-case letters, digits, \
                 `_` and `-`"
            )));
        }
        if labels[..index].iter().any(|(other, _)| other == key) {
            return Err(Invalid::because(format!(
                "the key {key:?} is given twice in {option}"
            )));
        }
    }
    Ok(())
}
