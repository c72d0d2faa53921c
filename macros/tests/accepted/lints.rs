//! The expansion passes where the user's crate is strict.
#![forbid(unsafe_code)]
#![deny(warnings, unused, rust_2018_idioms, missing_docs, unreachable_pub)]
#![deny(
    unused_qualifications,
    missing_debug_implementations,
    missing_copy_implementations
)]
#![deny(
    trivial_casts,
    trivial_numeric_casts,
    single_use_lifetimes,
    unused_results,
    variant_size_differences
)]
#![deny(
    let_underscore_drop,
    unused_lifetimes,
    unused_macro_rules,
    redundant_lifetimes
)]
#![deny(
    absolute_paths_not_starting_with_crate,
    elided_lifetimes_in_paths,
    explicit_outlives_requirements
)]
#![deny(
    non_local_definitions,
    redundant_imports,
    unit_bindings,
    ambiguous_negative_literals
)]

use core::time::Duration;

use cloud_tasks::event::{Attributes, Topic};
use cloud_tasks::task::Registered;
use cloud_tasks::{
    BoxError, Context, Event, Message, Model, ModelPublisherTask, PublisherTask, SubscriberTask, Task,
    TaskResult, task,
};
use serde::{Deserialize, Serialize};

/// Public.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[deprecated]
pub struct Old(String);

#[task(name = "Old", aliases = ["Older"], queue = "emails", timeout = "2m")]
#[allow(deprecated)]
impl Task for Old {
    async fn run(self, _cx: Context<(String, Duration)>) -> TaskResult<String> {
        Ok(self.0)
    }
}

/// Public.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[deprecated]
pub struct OldEvent(String);

#[task(topic = "old", app = APP)]
#[allow(deprecated)]
impl PublisherTask for OldEvent {}

const APP: &str = "old";

/// Public.
#[derive(Debug, Clone, Model)]
#[model(app_label = "old")]
#[deprecated]
pub struct OldModel(String);

/// Public.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[deprecated]
pub struct OldModelEvent(String);

#[task]
#[allow(deprecated)]
impl ModelPublisherTask for OldModelEvent {
    fn content(model: &OldModel, _: &()) -> Self {
        Self(model.0.clone())
    }

    fn attributes(_: &OldModel, _: &()) -> Attributes {
        Attributes::new()
    }
}

/// Public.
#[derive(Debug, Clone, Copy)]
#[deprecated]
pub struct OldSubscriber;

#[task(dead_letter_topic = APP, max_backoff = Duration::from_secs(5), expiration = "never", ordering)]
#[allow(deprecated)]
impl SubscriberTask for OldSubscriber {
    async fn run(message: Message<OldEvent>, _: Context) -> TaskResult<String> {
        Ok(message.content.0)
    }
}

/// What the expansion names is in scope, by its short name.
pub fn names<T: Event + Registered>() -> Result<Topic, BoxError> {
    Ok(T::topic())
}
