//! The options of each attribute, and which of them go together.

use syn::{Expr, Lit};

use super::check;
use super::duration::{self, Limits};
use super::given::Given;
use super::value::{Check, literal};
use super::{Errors, Length, Value};

/// An option that an attribute takes.
pub(super) struct Accepted {
    pub(super) name: &'static str,
    /// A value as it is shown in messages.
    pub(super) example: &'static str,
    pub(super) form: Form,
}

/// What the value of an option is.
pub(super) enum Form {
    Text(Check),
    Texts(Check),
    /// A text that names a topic.
    Topic(Check),
    Length(&'static Limits),
    /// A length of time, or the word `never`.
    LengthOrNever(&'static Limits),
    /// A whole number up to this one.
    Number(u32),
    Truth,
    /// `true` where no value is given.
    Flag,
    /// The path of a module.
    Path,
}

pub(super) const TASK: &[Accepted] = &[NAME, ALIASES, QUEUE, TIMEOUT, CRATE];

pub(super) const PUBLISHER: &[Accepted] = &[NAME, ALIASES, QUEUE, TIMEOUT, TOPIC, ABSOLUTE_TOPIC, APP, CRATE];

pub(super) const MODEL_PUBLISHER: &[Accepted] = &[
    NAME,
    ALIASES,
    QUEUE,
    TIMEOUT,
    TOPIC,
    ABSOLUTE_TOPIC,
    APP,
    APP_LABEL,
    CRATE,
];

pub(super) const SUBSCRIBER: &[Accepted] = &[
    NAME,
    ALIASES,
    QUEUE,
    TIMEOUT,
    TOPIC,
    ABSOLUTE_TOPIC,
    APP,
    option("filter", "\"attributes:priority\"", Form::Text(check::filter)),
    MAX_RETRIES,
    MIN_BACKOFF,
    MAX_BACKOFF,
    option(
        "expiration",
        "\"31d\"",
        Form::LengthOrNever(&duration::EXPIRATION),
    ),
    option("ack_deadline", "\"30s\"", Form::Length(&duration::ACK_DEADLINE)),
    DEAD_LETTER_TOPIC,
    DEAD_LETTER_SUBSCRIPTION,
    option("oidc", "false", Form::Truth),
    SUBSCRIPTION,
    ABSOLUTE_SUBSCRIPTION,
    option("url", "\"https://example.com/push\"", Form::Text(check::url)),
    option("ordering", "true", Form::Flag),
    option("retention", "\"7d\"", Form::Length(&duration::RETENTION)),
    option("use_cloud_tasks", "true", Form::Flag),
    CRATE,
];

/// Those of `#[model(..)]` beside `#[derive(Model)]`.
pub(super) const MODEL: &[Accepted] = &[APP_LABEL, MODEL_NAME, CRATE];

pub(super) const NAME: Accepted = option("name", "\"SendWelcomeEmail\"", Form::Text(check::task_name));
const ALIASES: Accepted = option("aliases", "[\"OldName\"]", Form::Texts(check::task_name));
const QUEUE: Accepted = option("queue", "\"emails\"", Form::Text(check::queue_name));
const TIMEOUT: Accepted = option("timeout", "\"15m\"", Form::Length(&duration::DISPATCH_DEADLINE));
pub(super) const TOPIC: Accepted = option("topic", "\"user-actions\"", Form::Text(check::topic));
pub(super) const ABSOLUTE_TOPIC: Accepted = option(
    "absolute_topic",
    "\"legacy-bus\"",
    Form::Text(check::absolute_topic),
);
pub(super) const APP: Accepted = option("app", "\"accounts\"", Form::Text(check::app));
pub(super) const APP_LABEL: Accepted = option("app_label", "\"sales\"", Form::Text(check::app_label));
const MAX_RETRIES: Accepted = option("max_retries", "5", Form::Number(MOST_RETRIES));
const MIN_BACKOFF: Accepted = option("min_backoff", "\"5s\"", Form::Length(&duration::BACKOFF));
const MAX_BACKOFF: Accepted = option("max_backoff", "\"60s\"", Form::Length(&duration::BACKOFF));
const DEAD_LETTER_TOPIC: Accepted = option(
    "dead_letter_topic",
    "\"user-actions-failed\"",
    Form::Topic(check::topic),
);
const DEAD_LETTER_SUBSCRIPTION: Accepted = option(
    "dead_letter_subscription",
    "\"user-actions-failed\"",
    Form::Text(check::dead_letter_subscription),
);
const SUBSCRIPTION: Accepted = option("subscription", "\"audit\"", Form::Text(check::subscription));
const ABSOLUTE_SUBSCRIPTION: Accepted = option(
    "absolute_subscription",
    "\"legacy-audit\"",
    Form::Text(check::absolute_subscription),
);
pub(super) const MODEL_NAME: Accepted = option("name", "\"order\"", Form::Text(check::model_name));
pub(super) const CRATE: Accepted = option("crate", "\"path::to::cloud_tasks\"", Form::Path);

/// Deliveries that Pub/Sub counts before a message becomes a dead letter.
const LEAST_RETRIES: u32 = 5;
const MOST_RETRIES: u32 = 100;

const fn option(name: &'static str, example: &'static str, form: Form) -> Accepted {
    Accepted { name, example, form }
}

impl Accepted {
    /// The option as it is written.
    pub(super) fn usage(&self) -> String {
        format!("{} = {}", self.name, self.example)
    }
}

/// Options that are right each for itself, and wrong together.
pub(super) fn refuse_combinations(given: &Given, errors: &mut Errors) {
    refuse_repeated_names(given, errors);
    refuse_both(
        given,
        &TOPIC,
        &ABSOLUTE_TOPIC,
        "`topic` and `absolute_topic` both name the topic: keep `topic` for a name that gets the app's prefix, \
         `absolute_topic` for one that stays as it is",
        errors,
    );
    refuse_both(
        given,
        &ABSOLUTE_TOPIC,
        &APP,
        "`app` says whose prefix the topic gets, and an absolute topic gets none: remove `app`, or write `topic`",
        errors,
    );
    for named in [&TOPIC, &ABSOLUTE_TOPIC] {
        refuse_both(
            given,
            named,
            &APP_LABEL,
            "`app_label` names the topic after the model, and here it is named already: keep one of the two",
            errors,
        );
    }
    if let (Some(topic), Some(app)) = (given.text(&TOPIC), given.key(&APP))
        && check::is_path(&topic)
    {
        errors.push(syn::Error::new_spanned(
            app,
            "`app` says whose prefix the topic gets, and a full path gets none: remove `app`",
        ));
    }
    refuse_both(
        given,
        &SUBSCRIPTION,
        &ABSOLUTE_SUBSCRIPTION,
        "`subscription` and `absolute_subscription` both name the subscription: keep `subscription` for a name that gets \
         the app's prefix, `absolute_subscription` for one that stays as it is",
        errors,
    );
    refuse_dead_letters(given, errors);
    refuse_backoffs(given, errors);
}

/// The message goes to the second.
fn refuse_both(given: &Given, one: &Accepted, other: &Accepted, message: &str, errors: &mut Errors) {
    if let (Some(_), Some(key)) = (given.key(one), given.key(other)) {
        errors.push(syn::Error::new_spanned(key, message));
    }
}

fn refuse_dead_letters(given: &Given, errors: &mut Errors) {
    if !given.has(&DEAD_LETTER_TOPIC) {
        if let Some(key) = given.key(&DEAD_LETTER_SUBSCRIPTION) {
            errors.push(syn::Error::new_spanned(
                key,
                format!(
                    "`dead_letter_subscription` keeps what goes to a dead-letter topic: write `{}` as well",
                    DEAD_LETTER_TOPIC.usage()
                ),
            ));
        }
        return;
    }
    // Zero leaves the number to the service.
    if let Some(Value::Constant(value)) = given.value(&MAX_RETRIES)
        && let Some(Lit::Int(number)) = literal(value)
        && number
            .base10_parse()
            .is_ok_and(|number: u32| (1..LEAST_RETRIES).contains(&number))
    {
        errors.push(syn::Error::new_spanned(
            value,
            format!(
                "with a dead-letter topic Pub/Sub takes {LEAST_RETRIES} to {MOST_RETRIES} for `max_retries`, or 0 to \
                 leave the number to it"
            ),
        ));
    }
    if let (Some(topic), Some(letters)) = (given.text(&TOPIC), given.text(&DEAD_LETTER_TOPIC))
        && topic == letters
        && !given.has(&APP)
    {
        errors.push(syn::Error::new_spanned(
            given.key(&DEAD_LETTER_TOPIC),
            "the dead letters would go to the topic that they come from: name another",
        ));
    }
}

fn refuse_backoffs(given: &Given, errors: &mut Errors) {
    let millis = |option| match given.value(option) {
        Some(Value::Length(Length::Millis(millis))) => Some(*millis),
        _ => None,
    };
    if let (Some(least), Some(most)) = (millis(&MIN_BACKOFF), millis(&MAX_BACKOFF))
        && least > most
    {
        errors.push(syn::Error::new_spanned(
            given.key(&MIN_BACKOFF),
            "`min_backoff` is longer than `max_backoff`",
        ));
    }
}

/// A name that leads to one task twice is a slip of the hand.
fn refuse_repeated_names(given: &Given, errors: &mut Errors) {
    let name = match given.value(&NAME) {
        Some(Value::Constant(name)) => Some(name),
        _ => None,
    };
    let aliases: &[Expr] = match given.value(&ALIASES) {
        Some(Value::List(aliases)) => aliases,
        _ => &[],
    };
    let mut seen = Vec::new();
    for value in name.into_iter().chain(aliases) {
        if let Some(Lit::Str(text)) = literal(value) {
            let name = text.value();
            if !name.is_empty() && seen.contains(&name) {
                errors.push(syn::Error::new_spanned(
                    value,
                    format!("the task already answers to {name:?}"),
                ));
            }
            seen.push(name);
        }
    }
}
