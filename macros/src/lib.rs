//! The `#[task]` attribute and the `Model` derive of the `cloud-tasks` crate, which re-exports them: depend on that crate,
//! not on this one.

use proc_macro::TokenStream;

mod expand;
mod parse;
#[cfg(test)]
mod tests;

/// Makes an impl block a task of the program: registers it at link time and fills in what is omitted.
///
/// It goes above an impl of `Task`, `PublisherTask`, `ModelPublisherTask` or `SubscriberTask`. Types that are omitted are
/// read off the function that the trait asks for; write them in the impl where they cannot be read, as behind an alias.
///
/// Every value of an option may be a constant expression instead of a literal, but for that of `crate`. A literal is
/// checked when the program is compiled, a constant when the runtime is built.
///
/// # `Task`: a background job
///
/// `type State` is read off the context that `run` takes, `type Output` off the result that it gives back. `on_dead` may be
/// written in the impl, for what is left to do when the last attempt has failed.
///
/// ```standalone_crate
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
/// | `name` | what the task is called in queues and URLs: 1 to 255 of `A-Z a-z 0-9 _ . -`, not `.` or `..` | the type's name; required where the type has arguments |
/// | `aliases` | a list of names that the task answers to as well, `["OldName"]` | none |
/// | `queue` | the queue that it goes to, where a call names no other: 1 to 100 of `A-Z a-z 0-9 -` | `APP_NAME`, or `tasks` where there is none |
/// | `timeout` | how long one attempt may take, 15 seconds to 30 minutes | that of Cloud Tasks, 10 minutes |
/// | `idempotent` | whether a task that is delivered more than once runs once; the runtime needs a store for it | `false` |
/// | `max_attempts` | how often the task is tried altogether, 1 to 2147483647; it is then given up, whatever its queue says | as its queue says |
/// | `dead_letter_topic` | the base name or the full path of the topic where a task is recorded that is given up | that of the runtime, else none |
/// | `unique`, `only_once` | which tasks are the same one, [below](#unique-and-only_once-tasks-that-are-the-same-one) | none is the same as another |
/// | `crate` | the path of this crate, where it goes by another name: `jobs` or `"path::to::jobs"` | `::cloud_tasks` |
/// | `every` and what goes with it | a schedule, [below](#task-with-every-a-periodic-task) | none |
///
/// A length of time is a text of whole numbers with the units `d`, `h`, `m`, `s` and `ms` (`"15m"`, `"1m 30s"`), or a
/// constant `Duration`.
///
/// The name is what tasks that wait in a queue are found by. When a type is renamed, keep its `name`, or list the old one
/// in `aliases`.
///
/// # `unique` and `only_once`: tasks that are the same one
///
/// A second task that is the same as one that waits or runs, or ended not long ago, is not created: its receipt says that it
/// is a duplicate. The same options are those of `PublisherTask` and `ModelPublisherTask`.
///
/// ```standalone_crate
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
/// | `unique` | nothing: tasks with equal arguments are the same one; or options in parentheses, `unique(by = [..], window = "5m")` | none is the same as another |
/// | `by` in `unique(..)` | a list of fields of the type, `["order_id", "customer.id", "pair.0"]`, written out: tasks for which they are equal are the same one | all arguments |
/// | `window` in `unique(..)` | a length of time: tasks are the same one only within a window of it, counted from 1970 | none |
/// | `only_once` | whether all tasks of the type are the same one, whose id is the name, which then has no `.`; `only_once` alone means `true`; not beside `unique` | `false` |
///
/// # `Task` with `every`: a periodic task
///
/// The task also has a schedule, and becomes a `PeriodicTask`.
///
/// ```standalone_crate
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
/// | `every` | when: cron of five fields, `@hourly`, `@daily`, `@weekly`, `@monthly`, `@yearly`, or App Engine's words such as `every 5 minutes`, `every monday 09:00`; checked when the runtime is built | none; without it none of the others is taken |
/// | `time_zone` | the zone of these times, by its name in the tz database | `UTC` |
/// | `payload` | the arguments: a value of the type, or a function that gives one; made once, when the runtime is built | the type's `Default` |
/// | `headers` | headers of the request, `[("X-Source", "schedule")]`, or a constant slice of such pairs | `Content-Type: application/json` |
/// | `schedule_max_retries` | how often a run that failed is tried again: 0 to 5 | that of Cloud Scheduler, 0 |
/// | `schedule_min_backoff`, `schedule_max_backoff` | the shortest and the longest pause before: 5 seconds to 1 hour | those of Cloud Scheduler, 5 seconds and 1 hour |
/// | `schedule_max_doublings` | how often the pause doubles: 0 to 5 | that of Cloud Scheduler, 5 |
/// | `attempt_deadline` | how long one attempt of a scheduled run may take: 15 seconds to 30 minutes | `timeout`, else that of Cloud Scheduler, 3 minutes |
/// | `description` | what the job is for: at most 500 characters | none |
/// | `schedule_name` | the base name of the Cloud Scheduler job, which gets the prefix of the app: 1 to 500 of `A-Z a-z 0-9 _ -` | the task's name |
/// | `absolute_schedule_name` | the name of the job without any prefix; instead of `schedule_name` | none |
/// | `oidc` | whether its requests carry a signed token | `true` |
///
/// # `PublisherTask`: an event
///
/// The type is the message. It becomes an `Event` as well, which knows its topic.
///
/// ```standalone_crate
/// use cloud_tasks::{Config, Error, Event, PublisherTask, Runtime, task};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize)]
/// struct UserAction { user_id: u64 }
///
/// #[task(topic = "user-actions", app = "accounts", queue = "events")]
/// impl PublisherTask for UserAction {}
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Error> {
/// assert_eq!(UserAction::topic().name(&Config::default()), "accounts--user-actions");
///
/// let (runtime, recorder) = Runtime::recorded().build().await?;
/// UserAction { user_id: 7 }.sync().attribute("priority", "high").on(&runtime).await?;
/// assert_eq!(recorder.publications()[0].data(), br#"{"user_id":7}"#);
/// # Ok(())
/// # }
/// ```
///
/// | option | value | default |
/// |---|---|---|
/// | `topic` | the topic's base name, which gets the prefix of the app; or a full path, `"projects/P/topics/T"` | the type's name, also where `name` is given; required where the type has arguments |
/// | `absolute_topic` | the topic's name without any prefix, or a full path; instead of `topic` | none |
/// | `app` | the app that owns the topic, whose prefix it gets | the running one |
/// | `name`, `aliases`, `queue`, `timeout`, `max_attempts`, `dead_letter_topic`, `unique`, `only_once`, `crate` | as those of a `Task`: the task publishes the message | as there |
///
/// A topic's name has 3 to 255 of `A-Z a-z 0-9 - _ . ~ + %`, begins with a letter and not with `goog`. A base name may be
/// shorter than the whole.
///
/// # `ModelPublisherTask`: an event made from a model
///
/// `type Model` and `type Extra` are read off the references that `content` takes; `&()` is for no extras.
///
/// ```standalone_crate
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
/// | `app_label` | the label of the model's application: the topic is `{app_label}-{model}` in lower case, after the last name of the model's type | that of the `Model`, which the model is then to be |
/// | `topic`, `absolute_topic` | as those of a `PublisherTask`, instead of `app_label` | `{app_label}-{model}` |
/// | `app` | as that of a `PublisherTask` | the running one |
/// | `name`, `aliases`, `queue`, `timeout`, `max_attempts`, `dead_letter_topic`, `unique`, `only_once`, `crate` | as those of a `Task`: the task publishes the message | as there |
///
/// A topic for each object is no option, but a function: write `topic_for` in the impl.
///
/// # `SubscriberTask`: a task that runs on messages
///
/// `run` takes no `self`. `type Content` and `type Attributes` are read off its message, `type State` and `type Output` as
/// those of a task. `fn topic` is that of the content's `Event`, unless an option names one; `fn parse` reads JSON. Either
/// may be written in the impl.
///
/// ```standalone_crate
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
/// | `topic`, `absolute_topic` | the topic, as those of a `PublisherTask` | that of the content's `Event` |
/// | `app` | the app that owns the topic, that of the content's `Event` too | as the `Event` says, else the running one |
/// | `filter` | which messages are wanted, by their attributes: 1 to 256 bytes of Pub/Sub's filter syntax, which is checked when the runtime is built | every message |
/// | `max_retries` | how often a message is delivered before it goes to the dead-letter topic: 0 to 100, with a dead-letter topic at least 5; 0 leaves the number to Pub/Sub, whatever the settings say | that of the settings |
/// | `min_backoff`, `max_backoff` | the shortest and the longest pause before a message is delivered again: 0 seconds to 10 minutes | those of the settings |
/// | `expiration` | how long a subscription that nobody uses is kept: 1 day or more, or `"never"` | that of the settings |
/// | `ack_deadline` | how long a push may take: 10 seconds to 10 minutes, in whole seconds | that of Pub/Sub, 10 seconds |
/// | `dead_letter_topic` | the base name or the full path of the topic where messages go that were delivered too often | none |
/// | `dead_letter_subscription` | the base name of the subscription that keeps them; needs `dead_letter_topic` | the topic's name |
/// | `oidc` | whether pushes carry a signed token | `true` |
/// | `subscription` | the base name of the subscription, which gets the prefix of the app | the task's name |
/// | `absolute_subscription` | the name of the subscription without any prefix, or its full path; instead of `subscription` | none |
/// | `url` | where messages are pushed to | `{ENDPOINT}/subscriptions/{name}` |
/// | `ordering` | whether messages of one ordering key come one after the other; `ordering` alone means `true` | `false` |
/// | `retention` | how long a message that is not acknowledged is kept: 10 minutes to 31 days | that of Pub/Sub, 7 days |
/// | `use_cloud_tasks` | whether a message is forwarded to a task of Cloud Tasks, which runs the subscriber; `use_cloud_tasks` alone means `true` | `false` |
/// | `bare_body` | whether a body that says nothing of itself is the content, as a subscription without a wrapper and without metadata pushes it | `false` |
/// | `idempotent` | as that of a `Task`: a message that is delivered more than once runs once | `false` |
/// | `name`, `aliases`, `crate` | as those of a `Task` | as there |
/// | `queue`, `timeout` | as those of a `Task`; the queue is for `use_cloud_tasks` | as there |
///
/// # State
///
/// `Context<Mailer>` asks for the one `Mailer` that the runtime was given, `Context<(Db, Mailer)>` for a clone of each,
/// `Context` for nothing. Whether it is a tuple is told by its parentheses: a tuple behind a type alias is looked up as
/// one value.
///
/// # Where it does not work
///
/// A task is registered when the program is linked, so its type is concrete and owns what it carries: no `impl<T>`, no
/// lifetimes. A type is one task, so it has one `#[task]`; and an impl of one of the traits without `#[task]` does not
/// compile. An event whose `Event` is written by hand is published by another crate: it has no `PublisherTask`.
#[proc_macro_attribute]
pub fn task(args: TokenStream, item: TokenStream) -> TokenStream {
    let (input, errors) = parse::parse(args.into(), item.into());
    expand::expand(input, &errors).into()
}

/// Makes a type a `Model`, which says what the topic of its events is called: `{app_label}-{name}`.
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
/// | `app_label` | the label of the application that the model belongs to: at most 255 of `A-Z a-z 0-9 - _ . ~ + %`, the first a letter | required |
/// | `name` | the model's name: 1 to 255 of the same characters | the type's name in lower case |
/// | `crate` | the path of this crate, where it goes by another name: `jobs` or `"path::to::jobs"` | `::cloud_tasks` |
///
/// The first two may be constant expressions instead of literals. Parameters of the type pass through.
#[proc_macro_derive(Model, attributes(model))]
pub fn model(item: TokenStream) -> TokenStream {
    let (model, errors) = parse::Model::parse(item.into());
    expand::expand_model(model, &errors).into()
}

/// What rustc refuses in its own words, which change with the toolchain: no place for a `.stderr` file.
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
/// A constant of another type:
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
/// A schedule of a task that has no default, and no payload:
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
/// A payload of another type:
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
/// A topic that is no constant:
/// ```compile_fail,E0308
/// use cloud_tasks::{PublisherTask, task};
///
/// #[derive(serde::Serialize, serde::Deserialize)]
/// struct Event;
///
/// #[task(topic = String::from("bus"))]
/// impl PublisherTask for Event {}
/// ```
/// A model that does not say its label, where no option names the topic:
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
/// Content that is no event, where no option names the topic:
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
/// Content that serde cannot read, where no `parse` is written:
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
/// One type as a publisher and as a subscriber:
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
