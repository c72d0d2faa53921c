//! Guides, one page per topic, in the order in which you may need them.
//!
//! * [Getting started](getting_started): the parts of the first program, and the four flows as diagrams.
//! * [`#[task]`](macro@crate::task): every option of a task, a publisher and a subscriber.
//! * [Events](pubsub): publishers, subscribers, filters, dead letters, and what travels in a message.
//! * [Events from Google's services](google_events): Cloud Storage, logs, Gmail, Cloud Build, Eventarc.
//! * [Schedules](periodic): cron, intervals, time zones, and what a missed run means.
//! * [Headers and traces](headers): what travels from a request to its tasks and messages, and the spans.
//! * [Transactions](transactions): sending only what has committed, with sqlx and with any other database.
//! * [Bulk enqueueing](bulk): thousands of tasks with bounded concurrency and memory.
//! * [Unique tasks](uniqueness): enqueueing the same work once.
//! * [Idempotency](idempotency): running a repeated delivery once, also exactly once in your own database.
//! * [Retries and dead tasks](retries): how often a task is tried, and what happens after the last attempt.
//! * [Operating queues](operations): listing, cancelling, pausing and replaying, from code and as commands.
//! * [Backup queues](backup_queue): what happens to the tasks of a deleted queue.
//! * [Testing](testing): the recorder, a clock that you move, single attempts and signed requests.
//! * [Simulation](simulation): every order of events, replayed from a seed.
//! * [The local engine](crate::backend::LocalEngine): what it has of Cloud Tasks, Pub/Sub and Cloud Scheduler.
//! * [Deploying](deploying): the image, the order of the first deployment, ingress, IAM and all roles.
//! * [Setting up the cloud](setup): the plan, what it creates, changes and deletes.
//! * [Configuration](configuration): every variable by its full name.
//! * [Several services](services): tasks of another service, shared events, tasks by name.
//! * [Changing a payload](changing_a_payload): what waits in a queue, and a check in CI.
//! * [Troubleshooting](troubleshooting): each error text and its cure.
//! * [Coming from django-cloud-tasks](django): the same calls, side by side.
//! * [Comparison with others](comparison): where another library is the better choice.

#[doc = include_str!("getting_started.md")]
#[doc(alias("quickstart", "tutorial", "worker"))]
pub mod getting_started {}

#[doc = include_str!("pubsub.md")]
#[doc(alias("events", "subscriber", "publisher"))]
pub mod pubsub {}

#[doc = include_str!("google_events.md")]
pub mod google_events {}

#[doc = include_str!("periodic.md")]
#[doc(alias("cron", "scheduler"))]
pub mod periodic {}

#[doc = include_str!("headers.md")]
#[doc(alias("traceparent", "tracing", "OpenTelemetry", "propagation"))]
pub mod headers {}

#[doc = include_str!("transactions.md")]
#[doc(alias("outbox", "sqlx", "commit hooks"))]
pub mod transactions {}

#[doc = include_str!("bulk.md")]
#[doc(alias("batch"))]
pub mod bulk {}

#[doc = include_str!("uniqueness.md")]
#[doc(alias("deduplication"))]
pub mod uniqueness {}

#[doc = include_str!("idempotency.md")]
#[doc(alias("exactly once"))]
pub mod idempotency {}

#[doc = include_str!("retries.md")]
#[doc(alias("DLQ", "dead letter"))]
pub mod retries {}

#[doc = include_str!("operations.md")]
pub mod operations {}

#[doc = include_str!("backup_queue.md")]
pub mod backup_queue {}

#[cfg(feature = "testing")]
#[doc = include_str!("testing.md")]
#[doc(alias("mock", "emulator"))]
pub mod testing {}

#[cfg(feature = "testing")]
#[doc = include_str!("simulation.md")]
#[doc(alias("deterministic simulation testing", "fault injection", "seed"))]
pub mod simulation {}

#[doc = include_str!("deploying.md")]
#[doc(alias("Cloud Run", "GKE", "Kubernetes", "Dockerfile"))]
pub mod deploying {}

#[cfg(feature = "google")]
#[doc = include_str!("setup.md")]
#[doc(alias("terraform"))]
pub mod setup {}

#[doc = include_str!("configuration.md")]
#[doc(alias("environment variables"))]
pub mod configuration {}

#[doc = include_str!("services.md")]
#[doc(alias("microservices", "shared crate"))]
pub mod services {}

#[cfg(feature = "schema")]
#[doc = include_str!("changing_a_payload.md")]
#[doc(alias("schema", "AsyncAPI", "migration", "compatibility"))]
pub mod changing_a_payload {}

#[doc = include_str!("troubleshooting.md")]
#[doc(alias("error messages", "FAQ"))]
pub mod troubleshooting {}

#[doc = include_str!("django.md")]
#[doc(alias("python"))]
pub mod django {}

#[doc = include_str!("comparison.md")]
pub mod comparison {}
