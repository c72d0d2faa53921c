//! The `#[task]` attribute and the `Model` derive of the `cloud-tasks` crate, which re-exports them. Depend on
//! `cloud-tasks`, not on this crate.

use proc_macro::TokenStream;

mod expand;
mod parse;
#[cfg(test)]
mod tests;

/// Registers a task at link time, and fills in the omitted parts of its impl block.
///
/// Write it above an impl of `Task`, `PublisherTask`, `ModelPublisherTask` or `SubscriberTask`. Omitted associated
/// types are inferred from the signature of the required function; write them in the impl if they cannot be inferred,
/// for example behind a type alias.
///
/// The value of every option except `crate` may be a constant expression instead of a literal. A literal is checked at
/// compile time, a constant when the runtime is built.
///
/// # `Task`: a background job
///
/// `type State` is inferred from the context parameter of `run`, and `type Output` from its result. You may also write
/// `on_dead`, which is called after the last attempt has failed.
///
/// ```
/// use cloud_tasks::{Context, Error, Runtime, Task, TaskResult, task};
/// use serde::{Deserialize, Serialize};
///
/// struct Mailer;
///
/// #[derive(Serialize, Deserialize)]
/// struct SendWelcomeEmail { user_id: u64 }
///
/// #[task(queue = "emails", timeout = "15m")]
/// impl Task for SendWelcomeEmail {
///     async fn run(self, cx: Context<Mailer>) -> TaskResult<String> {
///         let Mailer = cx.state();
///         Ok(format!("welcome, {}", self.user_id))
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Error> {
/// let runtime = Runtime::eager().state(Mailer).build().await?;
/// let text = SendWelcomeEmail { user_id: 7 }.sync().on(&runtime).await?;
/// assert_eq!(text, "welcome, 7");
/// # Ok(())
/// # }
/// ```
///
/// | option | value | default |
/// |---|---|---|
/// | `name` | the task's name in queues and URLs: 1 to 255 of `A-Z a-z 0-9 _ . -`, not `.` or `..` | the type's name; required if the type has generic arguments |
/// | `aliases` | a list of further names that the task answers to, `["OldName"]` | none |
/// | `queue` | the queue, unless a call names another: 1 to 100 of `A-Z a-z 0-9 -` | `APP_NAME`, or `tasks` |
/// | `timeout` | the timeout of one attempt, 15 seconds to 30 minutes | that of Cloud Tasks, 10 minutes |
/// | `idempotent` | whether a task that is delivered more than once runs once; the runtime needs an idempotency store | `false` |
/// | `max_attempts` | the maximum number of attempts, 1 to 2147483647, in addition to the limit of the queue | none |
/// | `dead_letter_topic` | the base name or the full path of the topic that dead tasks are recorded to | that of the runtime, if any |
/// | `unique`, `only_once` | which tasks count as the same, [below](#unique-and-only_once-unique-tasks) | all tasks are different |
/// | `crate` | the path of this crate if it has another name: `jobs` or `"path::to::jobs"` | `::cloud_tasks` |
/// | `every` and related options | a schedule, [below](#task-with-every-a-periodic-task) | none |
///
/// A duration is a string of integers with the units `d`, `h`, `m`, `s` and `ms` (`"15m"`, `"1m 30s"`), or a constant
/// `Duration`.
///
/// Tasks that wait in a queue are found by their name. If you rename a type, keep its `name`, or add the old name to
/// `aliases`.
///
/// # `unique` and `only_once`: unique tasks
///
/// If a task is enqueued that is the same as one that waits, runs or has ended recently, it is not created, and its
/// receipt says that it is a duplicate. `PublisherTask` and `ModelPublisherTask` have these options too.
///
/// ```
/// use cloud_tasks::{Context, Error, Runtime, Task, TaskResult, task};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize)]
/// struct SendInvoice { order_id: u64, copies: u8 }
///
/// #[task(unique(by = ["order_id"]))]
/// impl Task for SendInvoice {
///     async fn run(self, _cx: Context) -> TaskResult { Ok(()) }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Error> {
/// let (runtime, _recorder) = Runtime::recorded().build().await?;
/// assert!(!SendInvoice { order_id: 7, copies: 1 }.asap().on(&runtime).await?.duplicate());
/// assert!(SendInvoice { order_id: 7, copies: 2 }.asap().on(&runtime).await?.duplicate());
/// # Ok(())
/// # }
/// ```
///
/// | option | value | default |
/// |---|---|---|
/// | `unique` | no value: tasks with equal arguments are the same; or options in parentheses, `unique(by = [..], window = "5m")` | all tasks are different |
/// | `by` in `unique(..)` | a list of fields, `["order_id", "customer.id", "pair.0"]`, as literals: tasks with equal fields are the same | all arguments |
/// | `window` in `unique(..)` | a duration: tasks are the same only within a time window of this length, counted from 1970 | none |
/// | `only_once` | whether all tasks of the type are the same; the id is the name, which must not contain a `.`; `only_once` alone means `true`; cannot be combined with `unique` | `false` |
///
/// # `Task` with `every`: a periodic task
///
/// The task also has a schedule, and implements `PeriodicTask`.
///
/// ```
/// use cloud_tasks::{Context, Error, PeriodicTask, Runtime, Task, TaskResult, task};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize)]
/// struct Digest { limit: u32 }
///
/// #[task(every = "0 9 * * 1-5", time_zone = "Europe/Paris", payload = Digest { limit: 10 }, schedule_max_retries = 3)]
/// impl Task for Digest {
///     async fn run(self, cx: Context) -> TaskResult {
///         assert_eq!(cx.metadata().job_name(), Some("Digest"));
///         Ok(())
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Error> {
/// let runtime = Runtime::eager().build().await?;
/// assert_eq!(runtime.schedules()[0].time_zone, "Europe/Paris");
/// Digest::run_scheduled().on(&runtime).await?;
/// # Ok(())
/// # }
/// ```
///
/// | option | value | default |
/// |---|---|---|
/// | `every` | the schedule: cron with five fields, `@hourly`, `@daily`, `@weekly`, `@monthly`, `@yearly`, or an App Engine format such as `every 5 minutes`, `every monday 09:00`; checked when the runtime is built | none; the options below require it |
/// | `time_zone` | the time zone of the schedule, by its name in the tz database | `UTC` |
/// | `payload` | the arguments: a value of the type, or a function that returns one; evaluated once, when the runtime is built | the type's `Default` |
/// | `headers` | headers of the request, `[("X-Source", "schedule")]`, or a constant slice of such pairs | `Content-Type: application/json` |
/// | `schedule_max_retries` | how often a failed run is retried: 0 to 5 | that of Cloud Scheduler, 0 |
/// | `schedule_min_backoff`, `schedule_max_backoff` | the shortest and the longest backoff before a retry: 5 seconds to 1 hour | those of Cloud Scheduler, 5 seconds and 1 hour |
/// | `schedule_max_doublings` | how often the backoff doubles: 0 to 5 | that of Cloud Scheduler, 5 |
/// | `attempt_deadline` | the deadline of one attempt of a scheduled run: 15 seconds to 30 minutes | `timeout`, or that of Cloud Scheduler, 3 minutes |
/// | `description` | the description of the job: at most 500 characters | none |
/// | `schedule_name` | the base name of the Cloud Scheduler job, which gets the app's prefix: 1 to 500 of `A-Z a-z 0-9 _ -` | the task's name |
/// | `absolute_schedule_name` | the name of the job without a prefix; instead of `schedule_name` | none |
/// | `oidc` | whether its requests carry a signed token | `true` |
///
/// # `PublisherTask`: an event
///
/// The type is the message. It also implements `Event`, and so has a topic.
///
/// ```
/// use cloud_tasks::{Config, Error, Event, PublisherTask, Runtime, task};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize)]
/// struct SignIn { user_id: u64 }
///
/// #[task(topic = "user-actions", app = "accounts", queue = "events")]
/// impl PublisherTask for SignIn {}
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Error> {
/// assert_eq!(SignIn::topic().name(&Config::default()), "accounts--user-actions");
///
/// let (runtime, recorder) = Runtime::recorded().build().await?;
/// SignIn { user_id: 7 }.sync().attribute("priority", "high").on(&runtime).await?;
/// assert_eq!(recorder.publications()[0].data(), br#"{"user_id":7}"#);
/// # Ok(())
/// # }
/// ```
///
/// | option | value | default |
/// |---|---|---|
/// | `topic` | the topic's base name, which gets the app's prefix; or a full path, `"projects/P/topics/T"` | the type's name, even if `name` is given; required if the type has generic arguments |
/// | `absolute_topic` | the topic's name without a prefix, or a full path; instead of `topic` | none |
/// | `app` | the app that owns the topic, whose prefix it gets | the current app |
/// | `name`, `aliases`, `queue`, `timeout`, `max_attempts`, `dead_letter_topic`, `unique`, `only_once`, `crate` | as for `Task`; the task publishes the message | as for `Task` |
///
/// A topic's name has 3 to 255 of `A-Z a-z 0-9 - _ . ~ + %`, and begins with a letter and not with `goog`. A base name
/// may be shorter.
///
/// # `ModelPublisherTask`: an event built from a model
///
/// `type Model` and `type Extra` are inferred from the reference parameters of `content`; `&()` means no extra
/// argument.
///
/// ```
/// use cloud_tasks::{Config, Event, Model, ModelPublisherTask, task};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Model)]
/// #[model(app_label = "sales")]
/// struct Order { id: u64 }
///
/// struct Campaign { source: String }
///
/// #[derive(Serialize, Deserialize)]
/// struct OrderCreated { order_id: u64, source: String }
///
/// #[task]
/// impl ModelPublisherTask for OrderCreated {
///     fn content(order: &Order, campaign: &Campaign) -> Self {
///         Self { order_id: order.id, source: campaign.source.clone() }
///     }
/// }
///
/// assert_eq!(OrderCreated::topic().name(&Config::default()), "sales-order");
/// ```
///
/// | option | value | default |
/// |---|---|---|
/// | `app_label` | the label of the model's application: the topic is `{app_label}-{model}` in lower case, with the last segment of the model's type | that of the `Model`, which the model must then implement |
/// | `topic`, `absolute_topic` | as for `PublisherTask`, instead of `app_label` | `{app_label}-{model}` |
/// | `app` | as for `PublisherTask` | the current app |
/// | `name`, `aliases`, `queue`, `timeout`, `max_attempts`, `dead_letter_topic`, `unique`, `only_once`, `crate` | as for `Task`; the task publishes the message | as for `Task` |
///
/// A topic per object is not an option but a function: write `topic_for` in the impl.
///
/// In the impl of either publisher you may write `fn encode`, for content that is not JSON, and `const HEADERS`, for the
/// place of propagated headers.
///
/// # `SubscriberTask`: a task that runs on messages
///
/// `run` has no `self`. `type Content` and `type Attributes` are inferred from its message, `type State` and `type
/// Output` as for a task. `fn topic` is that of the content's `Event`, unless an option sets it; `fn parse` decodes
/// JSON. You may write either in the impl.
///
/// ```
/// use cloud_tasks::{Context, Error, Message, PublisherTask, Runtime, SubscriberTask, TaskResult, task};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize)]
/// struct UserAction { user_id: u64 }
///
/// #[task(topic = "user-actions")]
/// impl PublisherTask for UserAction {}
///
/// struct Auditor;
///
/// #[task(
///     filter = r#"attributes.priority = "high""#,
///     max_retries = 5,
///     min_backoff = "5s",
///     max_backoff = "60s",
///     dead_letter_topic = "user-actions-failed"
/// )]
/// impl SubscriberTask for Auditor {
///     async fn run(message: Message<UserAction>, _cx: Context) -> TaskResult {
///         assert_eq!(message.content.user_id, 7);
///         Ok(())
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Error> {
/// let runtime = Runtime::eager().build().await?;
/// UserAction { user_id: 7 }.sync().attribute("priority", "high").on(&runtime).await?;
///
/// let subscription = &runtime.subscriptions()[0];
/// assert_eq!(subscription.topic, "user-actions");
/// assert_eq!(subscription.dead_letter_topic.as_deref(), Some("user-actions-failed"));
/// # Ok(())
/// # }
/// ```
///
/// | option | value | default |
/// |---|---|---|
/// | `topic`, `absolute_topic` | the topic, as for `PublisherTask` | that of the content's `Event` |
/// | `app` | the app that owns the topic, also if the topic comes from the content's `Event` | that of the `Event`, or the current app |
/// | `filter` | which messages are delivered, by their attributes: 1 to 256 bytes of Pub/Sub's filter syntax; checked when the runtime is built | every message |
/// | `max_retries` | how often a message is delivered before it goes to the dead-letter topic: 0 to 100, with a dead-letter topic at least 5; 0 leaves the number to Pub/Sub, whatever the settings say | that of the settings |
/// | `min_backoff`, `max_backoff` | the shortest and the longest backoff before a redelivery: 0 seconds to 10 minutes | those of the settings |
/// | `expiration` | how long the subscription is kept without activity: 1 day or more, or `"never"` | that of the settings |
/// | `ack_deadline` | the deadline of a push: 10 seconds to 10 minutes, in whole seconds | that of Pub/Sub, 10 seconds |
/// | `dead_letter_topic` | the base name or the full path of the topic for undeliverable messages | none |
/// | `dead_letter_subscription` | the base name of the subscription that keeps them; requires `dead_letter_topic` | the topic's name |
/// | `oidc` | whether pushes carry a signed token | `true` |
/// | `subscription` | the base name of the subscription, which gets the app's prefix | the task's name |
/// | `absolute_subscription` | the name of the subscription without a prefix, or its full path; instead of `subscription` | none |
/// | `url` | the URL that messages are pushed to | `{ENDPOINT}/subscriptions/{name}` |
/// | `ordering` | whether messages with the same ordering key are delivered in order; `ordering` alone means `true`; not together with `use_cloud_tasks` | `false` |
/// | `retention` | how long an unacknowledged message is kept: 10 minutes to 31 days | that of Pub/Sub, 7 days |
/// | `labels` | labels of the subscription, `[("team", "orders")]`, or a constant slice of such pairs: at most 64, in lower case; labels that others have set stay | none |
/// | `use_cloud_tasks` | whether a message is forwarded to a task of Cloud Tasks, which runs the subscriber; `use_cloud_tasks` alone means `true` | `false` |
/// | `bare_body` | whether a body without any metadata is the content, as a subscription without a wrapper and without metadata pushes it | `false` |
/// | `idempotent` | as for `Task`: a message that is delivered more than once runs once | `false` |
/// | `name`, `aliases`, `crate` | as for `Task` | as for `Task` |
/// | `queue` | as for `Task`; applies with `use_cloud_tasks` | as for `Task` |
/// | `timeout` | the timeout of one run: at most the `ack_deadline`, or with `use_cloud_tasks` as for `Task` | the `ack_deadline`, or with `use_cloud_tasks` as for `Task` |
///
/// # State
///
/// `Context<Mailer>` requests the runtime's `Mailer`, `Context<(Db, Mailer)>` a clone of each, and `Context` nothing.
/// Only a literal tuple is split into parts; a type alias for a tuple is looked up as one type.
///
/// # Limitations
///
/// A task is registered at link time, so its type must be concrete and own its data: no `impl<T>`, no lifetimes. A type
/// can have only one `#[task]`, and an impl of one of the traits without `#[task]` does not compile. An event with a
/// handwritten `Event` is published by another crate: it has no `PublisherTask`.
#[proc_macro_attribute]
pub fn task(args: TokenStream, item: TokenStream) -> TokenStream {
    let (input, errors) = parse::parse(args.into(), item.into());
    expand::expand(input, &errors).into()
}

/// Implements `Model`, which names the topic of the model's events: `{app_label}-{name}`.
///
/// ```
/// use cloud_tasks::event::Topic;
/// use cloud_tasks::{Config, Model};
///
/// #[derive(Model)]
/// #[model(app_label = "sales")]
/// struct Order { id: u64 }
///
/// #[derive(Model)]
/// #[model(app_label = "sales", name = "line")]
/// struct OrderLine<T> { article: T }
///
/// let config = Config::default();
/// assert_eq!(Topic::of_model::<Order>().name(&config), "sales-order");
/// assert_eq!(Topic::of_model::<OrderLine<u64>>().name(&config), "sales-line");
/// ```
///
/// | option | value | default |
/// |---|---|---|
/// | `app_label` | the label of the model's application: at most 255 of `A-Z a-z 0-9 - _ . ~ + %`, starting with a letter | required |
/// | `name` | the model's name: 1 to 255 of the same characters | the type's name in lower case |
/// | `crate` | the path of this crate if it has another name: `jobs` or `"path::to::jobs"` | `::cloud_tasks` |
///
/// The first two may be constant expressions instead of literals. The type may be generic.
#[proc_macro_derive(Model, attributes(model))]
pub fn model(item: TokenStream) -> TokenStream {
    let (model, errors) = parse::Model::parse(item.into());
    expand::expand_model(model, &errors).into()
}

/// Errors that rustc reports in its own words. These change with the toolchain, so they have no `.stderr` file.
///
/// An `impl Task` without the attribute:
/// ```compile_fail,E0277
/// use cloud_tasks::{Context, Task, TaskResult};
///
/// #[derive(serde::Serialize, serde::Deserialize)]
/// struct Forgotten;
///
/// impl Task for Forgotten {
///     type State = ();
///     type Output = ();
///     async fn run(self, _cx: Context) -> TaskResult { Ok(()) }
/// }
/// ```
/// The attribute on two impls of one type:
/// ```compile_fail,E0119
/// use cloud_tasks::{Context, Task, TaskResult, task};
///
/// #[derive(serde::Serialize, serde::Deserialize)]
/// struct Twice;
///
/// #[task]
/// impl Task for Twice {
///     async fn run(self, _cx: Context) -> TaskResult { Ok(()) }
/// }
///
/// #[task(name = "Again")]
/// impl Task for Twice {
///     async fn run(self, _cx: Context) -> TaskResult { Ok(()) }
/// }
/// ```
/// A constant of the wrong type:
/// ```compile_fail,E0308
/// use cloud_tasks::{Context, Task, TaskResult, task};
///
/// const MINUTES: u64 = 15;
///
/// #[derive(serde::Serialize, serde::Deserialize)]
/// struct Timed;
///
/// #[task(timeout = MINUTES)]
/// impl Task for Timed {
///     async fn run(self, _cx: Context) -> TaskResult { Ok(()) }
/// }
/// ```
/// A schedule for a task without `Default` and without a payload:
/// ```compile_fail,E0277
/// use cloud_tasks::{Context, Task, TaskResult, task};
///
/// #[derive(serde::Serialize, serde::Deserialize)]
/// struct Digest { limit: u32 }
///
/// #[task(every = "@daily")]
/// impl Task for Digest {
///     async fn run(self, _cx: Context) -> TaskResult { Ok(()) }
/// }
/// ```
/// A payload of the wrong type:
/// ```compile_fail,E0277
/// use cloud_tasks::{Context, Task, TaskResult, task};
///
/// #[derive(serde::Serialize, serde::Deserialize)]
/// struct Digest { limit: u32 }
///
/// #[task(every = "@daily", payload = "ten")]
/// impl Task for Digest {
///     async fn run(self, _cx: Context) -> TaskResult { Ok(()) }
/// }
/// ```
/// A topic that is not a constant:
/// ```compile_fail,E0308
/// use cloud_tasks::{PublisherTask, task};
///
/// #[derive(serde::Serialize, serde::Deserialize)]
/// struct Event;
///
/// #[task(topic = String::from("bus"))]
/// impl PublisherTask for Event {}
/// ```
/// A model without a label, and no option that sets the topic:
/// ```compile_fail,E0277
/// use cloud_tasks::{ModelPublisherTask, task};
///
/// struct Order;
///
/// #[derive(serde::Serialize, serde::Deserialize)]
/// struct OrderCreated;
///
/// #[task]
/// impl ModelPublisherTask for OrderCreated {
///     fn content(_: &Order, _: &()) -> Self { Self }
/// }
/// ```
/// Content that is not an event, and no option that sets the topic:
/// ```compile_fail,E0277
/// use cloud_tasks::{Context, Message, SubscriberTask, TaskResult, task};
///
/// struct Auditor;
///
/// #[task]
/// impl SubscriberTask for Auditor {
///     async fn run(_: Message<String>, _: Context) -> TaskResult { Ok(()) }
/// }
/// ```
/// Content that serde cannot deserialize, and no `parse`:
/// ```compile_fail,E0277
/// use cloud_tasks::{Context, Message, SubscriberTask, TaskResult, task};
///
/// struct Raw;
/// struct Auditor;
///
/// #[task(topic = "bus")]
/// impl SubscriberTask for Auditor {
///     async fn run(_: Message<Raw>, _: Context) -> TaskResult { Ok(()) }
/// }
/// ```
/// One type as both a publisher and a subscriber:
/// ```compile_fail,E0119
/// use cloud_tasks::{Context, Message, PublisherTask, SubscriberTask, TaskResult, task};
///
/// #[derive(serde::Serialize, serde::Deserialize)]
/// struct Both;
///
/// #[task]
/// impl PublisherTask for Both {}
///
/// #[task(name = "Other")]
/// impl SubscriberTask for Both {
///     async fn run(_: Message<Self>, _: Context) -> TaskResult { Ok(()) }
/// }
/// ```
#[cfg(doctest)]
struct Refused;
