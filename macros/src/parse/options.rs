//! The options of each attribute, and their valid combinations.

use cloud_tasks_rules::limits::{self, Numbers};
use syn::{Expr, Lit};

use super::duration::{self, Limits};
use super::given::Options;
use super::value::{Check, literal};
use super::{Errors, Length, Value};
use super::{check, literal_check};

/// An option of an attribute.
pub(super) struct Accepted {
    pub(super) name: &'static str,
    /// An example value for messages.
    pub(super) example: &'static str,
    pub(super) form: Form,
}

/// The form of an option's value.
pub(super) enum Form {
    Text(Check),
    Texts(Check),
    /// A text that names a topic.
    Topic(Check),
    Length(&'static Limits),
    /// A duration, or the word `never`.
    LengthOrNever(&'static Limits),
    /// An integer in this range.
    Number(Numbers),
    Bool,
    /// A flag: `true` without a value.
    Flag,
    /// The path of a module.
    Path,
    /// Pairs of texts.
    Pairs,
    /// Any expression.
    Any,
    /// A list of field names.
    Fields,
    /// A word, with optional options in parentheses.
    Unique,
}

pub(super) const TASK: &[Accepted] = &[
    NAME,
    ALIASES,
    QUEUE,
    TIMEOUT,
    IDEMPOTENT,
    UNIQUE,
    ONLY_ONCE,
    MAX_ATTEMPTS,
    DEAD_LETTER_TOPIC,
    EVERY,
    TIME_ZONE,
    PAYLOAD,
    HEADERS,
    SCHEDULE_MAX_RETRIES,
    SCHEDULE_MIN_BACKOFF,
    SCHEDULE_MAX_BACKOFF,
    SCHEDULE_MAX_DOUBLINGS,
    ATTEMPT_DEADLINE,
    DESCRIPTION,
    SCHEDULE_NAME,
    ABSOLUTE_SCHEDULE_NAME,
    OIDC,
    CRATE,
];

/// The options of a schedule, which require `every`.
pub(super) const OF_SCHEDULE: &[Accepted] = &[
    TIME_ZONE,
    HEADERS,
    SCHEDULE_MAX_RETRIES,
    SCHEDULE_MIN_BACKOFF,
    SCHEDULE_MAX_BACKOFF,
    SCHEDULE_MAX_DOUBLINGS,
    ATTEMPT_DEADLINE,
    DESCRIPTION,
    SCHEDULE_NAME,
    ABSOLUTE_SCHEDULE_NAME,
    OIDC,
];

pub(super) const SHARED_TASK: &[Accepted] = &[
    NAME,
    ALIASES,
    SERVICE,
    QUEUE,
    TIMEOUT,
    IDEMPOTENT,
    UNIQUE,
    ONLY_ONCE,
    MAX_ATTEMPTS,
    DEAD_LETTER_TOPIC,
    CRATE,
];

/// Everything else stands at the declaration of its task.
pub(super) const HANDLER: &[Accepted] = &[CRATE];

pub(super) const PUBLISHER: &[Accepted] = &[
    NAME,
    ALIASES,
    QUEUE,
    TIMEOUT,
    UNIQUE,
    ONLY_ONCE,
    MAX_ATTEMPTS,
    DEAD_LETTER_TOPIC,
    TOPIC,
    ABSOLUTE_TOPIC,
    APP,
    SHARED,
    CRATE,
];

pub(super) const MODEL_PUBLISHER: &[Accepted] = &[
    NAME,
    ALIASES,
    QUEUE,
    TIMEOUT,
    UNIQUE,
    ONLY_ONCE,
    MAX_ATTEMPTS,
    DEAD_LETTER_TOPIC,
    TOPIC,
    ABSOLUTE_TOPIC,
    APP,
    APP_LABEL,
    SHARED,
    CRATE,
];

pub(super) const SUBSCRIBER: &[Accepted] = &[
    NAME,
    ALIASES,
    QUEUE,
    TIMEOUT,
    IDEMPOTENT,
    TOPIC,
    ABSOLUTE_TOPIC,
    APP,
    option(
        "filter",
        "\"attributes:priority\"",
        Form::Text(literal_check::filter),
    ),
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
    OIDC,
    SUBSCRIPTION,
    ABSOLUTE_SUBSCRIPTION,
    option("url", "\"https://example.com/push\"", Form::Text(check::url)),
    ORDERING,
    option("retention", "\"7d\"", Form::Length(&duration::RETENTION)),
    option("labels", "[(\"team\", \"orders\")]", Form::Pairs),
    USE_CLOUD_TASKS,
    option("bare_body", "true", Form::Flag),
    CRATE,
];

/// The options of `#[model(..)]` beside `#[derive(Model)]`.
pub(super) const MODEL: &[Accepted] = &[APP_LABEL, MODEL_NAME, CRATE];

/// The options of `unique(..)`.
pub(super) const OF_UNIQUE: &[Accepted] = &[BY, WINDOW];

pub(super) const NAME: Accepted = option("name", "\"SendWelcomeEmail\"", Form::Text(check::task_name));
const ALIASES: Accepted = option("aliases", "[\"OldName\"]", Form::Texts(check::task_name));
pub(super) const SERVICE: Accepted = option("service", "\"billing\"", Form::Text(check::service));
const SHARED: Accepted = option("shared", "true", Form::Flag);
const QUEUE: Accepted = option("queue", "\"emails\"", Form::Text(check::queue_name));
const TIMEOUT: Accepted = option("timeout", "\"15m\"", Form::Length(&duration::DISPATCH_DEADLINE));
const ORDERING: Accepted = option("ordering", "true", Form::Flag);
const USE_CLOUD_TASKS: Accepted = option("use_cloud_tasks", "true", Form::Flag);
const IDEMPOTENT: Accepted = option("idempotent", "true", Form::Flag);
pub(super) const UNIQUE: Accepted = option(
    "unique",
    "unique(by = [\"order_id\"], window = \"5m\")",
    Form::Unique,
);
const ONLY_ONCE: Accepted = option("only_once", "true", Form::Flag);
pub(super) const BY: Accepted = option("by", "[\"order_id\", \"customer.id\"]", Form::Fields);
pub(super) const WINDOW: Accepted = option("window", "\"5m\"", Form::Length(&duration::WINDOW));
const MAX_ATTEMPTS: Accepted = option("max_attempts", "5", Form::Number(limits::ATTEMPTS));
pub(super) const TOPIC: Accepted = option("topic", "\"user-actions\"", Form::Text(check::topic));
pub(super) const ABSOLUTE_TOPIC: Accepted = option(
    "absolute_topic",
    "\"legacy-bus\"",
    Form::Text(check::absolute_topic),
);
pub(super) const APP: Accepted = option("app", "\"accounts\"", Form::Text(check::app));
pub(super) const APP_LABEL: Accepted = option("app_label", "\"sales\"", Form::Text(check::app_label));
const OIDC: Accepted = option("oidc", "false", Form::Bool);
pub(super) const EVERY: Accepted = option("every", "\"0 9 * * 1-5\"", Form::Text(literal_check::every));
const TIME_ZONE: Accepted = option(
    "time_zone",
    "\"Europe/Paris\"",
    Form::Text(literal_check::time_zone),
);
pub(super) const PAYLOAD: Accepted = option("payload", "Self { limit: 10 }", Form::Any);
const HEADERS: Accepted = option("headers", "[(\"X-Source\", \"schedule\")]", Form::Pairs);
const SCHEDULE_MAX_RETRIES: Accepted = option(
    "schedule_max_retries",
    "3",
    Form::Number(limits::SCHEDULE_RETRIES),
);
const SCHEDULE_MIN_BACKOFF: Accepted = option(
    "schedule_min_backoff",
    "\"10s\"",
    Form::Length(&duration::SCHEDULE_BACKOFF),
);
const SCHEDULE_MAX_BACKOFF: Accepted = option(
    "schedule_max_backoff",
    "\"5m\"",
    Form::Length(&duration::SCHEDULE_BACKOFF),
);
const SCHEDULE_MAX_DOUBLINGS: Accepted = option(
    "schedule_max_doublings",
    "3",
    Form::Number(limits::SCHEDULE_DOUBLINGS),
);
const ATTEMPT_DEADLINE: Accepted = option(
    "attempt_deadline",
    "\"10m\"",
    Form::Length(&duration::ATTEMPT_DEADLINE),
);
const DESCRIPTION: Accepted = option(
    "description",
    "\"mails the digest\"",
    Form::Text(check::description),
);
const SCHEDULE_NAME: Accepted = option("schedule_name", "\"digest\"", Form::Text(check::schedule_name));
const ABSOLUTE_SCHEDULE_NAME: Accepted = option(
    "absolute_schedule_name",
    "\"legacy-digest\"",
    Form::Text(check::schedule_name),
);
const MAX_RETRIES: Accepted = option("max_retries", "5", Form::Number(limits::DELIVERIES));
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

const fn option(name: &'static str, example: &'static str, form: Form) -> Accepted {
    Accepted { name, example, form }
}

impl Accepted {
    /// The option as it is written.
    pub(super) fn usage(&self) -> String {
        if matches!(self.form, Form::Unique) {
            return self.example.to_owned();
        }
        format!("{} = {}", self.name, self.example)
    }
}

/// Rejects invalid combinations of valid options.
pub(super) fn refuse_combinations(given: &Options, errors: &mut Errors) {
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
    refuse_backoffs(given, &MIN_BACKOFF, &MAX_BACKOFF, errors);
    refuse_backoffs(given, &SCHEDULE_MIN_BACKOFF, &SCHEDULE_MAX_BACKOFF, errors);
    refuse_both(
        given,
        &SCHEDULE_NAME,
        &ABSOLUTE_SCHEDULE_NAME,
        "`schedule_name` and `absolute_schedule_name` both name the Cloud Scheduler job: keep `schedule_name` for a name \
         that gets the app's prefix, `absolute_schedule_name` for one that stays as it is",
        errors,
    );
    refuse_schedule_without_times(given, errors);
    refuse_both(
        given,
        &UNIQUE,
        &ONLY_ONCE,
        "`only_once` makes the name the one id of all tasks of the type, and `unique` makes many: keep one of the two",
        errors,
    );
    refuse_only_once_with_a_dot(given, errors);
    if given.is_on(&ORDERING) && given.is_on(&USE_CLOUD_TASKS) {
        refuse_both(
            given,
            &ORDERING,
            &USE_CLOUD_TASKS,
            "`ordering` and `use_cloud_tasks` exclude each other: Cloud Tasks runs the forwarded tasks at once and in any \
             order; drop one of the two",
            errors,
        );
    }
}

/// The name becomes the id, which accepts fewer characters.
fn refuse_only_once_with_a_dot(given: &Options, errors: &mut Errors) {
    if given.has(&ONLY_ONCE)
        && given.text(&NAME).is_some_and(|name| name.contains('.'))
        && let Some(Value::Constant(name)) = given.value(&NAME)
    {
        errors.push(syn::Error::new_spanned(
            name,
            "with `only_once` the name is the task's id, which cannot contain `.`: write `-`, or `unique` instead of `only_once`",
        ));
    }
}

/// The error is reported at the second option.
fn refuse_both(given: &Options, one: &Accepted, other: &Accepted, message: &str, errors: &mut Errors) {
    if let (Some(_), Some(key)) = (given.key(one), given.key(other)) {
        errors.push(syn::Error::new_spanned(key, message));
    }
}

fn refuse_dead_letters(given: &Options, errors: &mut Errors) {
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
    let Numbers { min, max } = limits::DEAD_LETTER_DELIVERIES;
    // Zero leaves the number to the service.
    if let Some(Value::Constant(value)) = given.value(&MAX_RETRIES)
        && let Some(Lit::Int(number)) = literal(value)
        && number
            .base10_parse()
            .is_ok_and(|number: u32| number != 0 && number < min)
    {
        errors.push(syn::Error::new_spanned(
            value,
            format!(
                "with a dead-letter topic Pub/Sub accepts {min} to {max} for `max_retries`, or 0 to leave the number to it"
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

fn refuse_backoffs(given: &Options, min: &Accepted, max: &Accepted, errors: &mut Errors) {
    let millis = |option| match given.value(option) {
        Some(Value::Length(Length::Millis(millis))) => Some(*millis),
        _ => None,
    };
    if let (Some(shortest), Some(longest)) = (millis(min), millis(max))
        && shortest > longest
    {
        errors.push(syn::Error::new_spanned(
            given.key(min),
            format!("`{}` is longer than `{}`", min.name, max.name),
        ));
    }
}

/// Schedule options require a schedule; a subscriber has other options with the same names.
fn refuse_schedule_without_times(given: &Options, errors: &mut Errors) {
    if !given.accepts(&EVERY) || given.has(&EVERY) {
        return;
    }
    for option in OF_SCHEDULE.iter().chain([&PAYLOAD]) {
        if let Some(key) = given.key(option) {
            let (name, every) = (option.name, EVERY.usage());
            errors.push(syn::Error::new_spanned(
                key,
                format!(
                    "`{name}` is an option of a schedule, which this task does not have: write `{every}` as well"
                ),
            ));
        }
    }
}

/// A repeated name of one task is a slip.
fn refuse_repeated_names(given: &Options, errors: &mut Errors) {
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
