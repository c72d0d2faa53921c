//! `Send`, `Sync` and `Unpin` of everything that users hold. This is checked when it compiles.

use std::convert::Infallible;

use cloud_tasks::backend::{BackendFuture, Envelope, Google, LocalEngine, RetrySettings};
use cloud_tasks::cli::{Command, Console};
use cloud_tasks::commit::{CommitHooks, UnsentError};
use cloud_tasks::dead_letters::{
    Dead, DeadCause, DeadList, DeadTask, DeadTasks, ListDead, Replay, ReplayEnd, ReplayError, Replayed,
    UnreplayedTask,
};
use cloud_tasks::event::{
    Filter, FilterError, PreparedEvent, Publication, Publish, PublishNow, Subscription, Topic,
};
use cloud_tasks::idempotency::{Claim, ClaimToken, IdempotencyKey, MemoryStore, Once, StoreFuture};
use cloud_tasks::queue::{
    DeleteFailure, DeleteReport, DeleteTasks, LastAttempt, Queue, QueueInfo, QueueSettings, QueueState,
    QueuedTask, QueuedTasks, Tasks,
};
use cloud_tasks::runtime::{Configured, Embedded, InProcess, RegisteredKind, RegisteredTask, RuntimeBuilder};
use cloud_tasks::schedule::Schedule;
use cloud_tasks::service::{
    Serve, ServeBody, TaskFuture, TaskLayer, TaskLayerService, TaskService, TrustedCallers,
};
use cloud_tasks::setup::{
    Action, Change, Failure, FieldChange, HeldBack, Plan, ResourceKind, SetUpError, SetUpReport, Setup,
};
use cloud_tasks::task::{BulkProgress, Enqueue, EnqueueAll, Enqueued, RunAt, RunNow, TaskMetadata};
use cloud_tasks::testing::{
    CallbackRequest, Drain, Perform, PerformMessage, Performed, PushRequest, Recorded, RecordedTask,
    Recorder, ScheduledRequest, Signer,
};
use cloud_tasks::{Config, Context, Discard, Error, ErrorKind, Message, RetryAfter, Runtime, TaskError};

use crate::events::Auditor;
use crate::tasks::Note;

const fn send_and_sync<T: Send + Sync + Unpin>() {}

const fn send<T: Send + Unpin>() {}

/// Values and handles.
const _: () = {
    send_and_sync::<Runtime>();
    send_and_sync::<RuntimeBuilder<Configured>>();
    send_and_sync::<RuntimeBuilder<Embedded>>();
    send_and_sync::<RuntimeBuilder<InProcess>>();
    send_and_sync::<RuntimeBuilder<Recorded>>();
    send_and_sync::<Config>();
    send_and_sync::<RetrySettings>();
    send_and_sync::<Google>();
    send_and_sync::<TrustedCallers>();
    send_and_sync::<LocalEngine>();
    send_and_sync::<Recorder>();
    send_and_sync::<Context>();
    send_and_sync::<Context<String>>();
    send_and_sync::<Message<Note>>();
    send_and_sync::<TaskMetadata>();
    send_and_sync::<Topic>();
    send_and_sync::<Subscription>();
    send_and_sync::<Schedule>();
    send_and_sync::<QueueSettings>();
    send_and_sync::<Filter>();
    send_and_sync::<FilterError>();
    send_and_sync::<RegisteredTask>();
    send_and_sync::<RegisteredKind>();
    send_and_sync::<Envelope>();
    send_and_sync::<Enqueued>();
    send_and_sync::<Publication>();
    send_and_sync::<RecordedTask<Note>>();
    send_and_sync::<Error>();
    send_and_sync::<ErrorKind>();
    send_and_sync::<TaskError>();
    send_and_sync::<Discard>();
    send_and_sync::<RetryAfter>();
    send_and_sync::<Dead>();
    send_and_sync::<DeadCause>();
    send_and_sync::<DeadTask>();
    send_and_sync::<DeadTasks>();
    send_and_sync::<DeadList>();
    send_and_sync::<Replayed>();
    send_and_sync::<ReplayEnd>();
    send_and_sync::<ReplayError>();
    send_and_sync::<UnreplayedTask>();
    send_and_sync::<Queue>();
    send_and_sync::<QueueInfo>();
    send_and_sync::<QueueState>();
    send_and_sync::<Tasks<Note>>();
    send_and_sync::<QueuedTask>();
    send_and_sync::<LastAttempt>();
    send_and_sync::<DeleteReport>();
    send_and_sync::<DeleteFailure>();
    send_and_sync::<BulkProgress>();
    send_and_sync::<CommitHooks>();
    send_and_sync::<UnsentError>();
    send_and_sync::<PreparedEvent>();
    send_and_sync::<RunAt>();
    send_and_sync::<IdempotencyKey>();
    send_and_sync::<Claim>();
    send_and_sync::<ClaimToken>();
    send_and_sync::<MemoryStore>();
    send_and_sync::<Once<Note>>();
    send_and_sync::<Plan>();
    send_and_sync::<Action>();
    send_and_sync::<Change>();
    send_and_sync::<FieldChange>();
    send_and_sync::<HeldBack>();
    send_and_sync::<Failure>();
    send_and_sync::<ResourceKind>();
    send_and_sync::<SetUpError>();
    send_and_sync::<SetUpReport>();
    send_and_sync::<TaskLayer>();
    send_and_sync::<TaskService>();
    send_and_sync::<TaskLayerService<TaskService>>();
    send_and_sync::<Signer>();
    send_and_sync::<Performed<Note>>();
    send_and_sync::<Command>();
};

/// Builders and streams, which one task awaits.
const _: () = {
    send::<Enqueue>();
    send::<RunNow<Note>>();
    send::<EnqueueAll<'static, Note>>();
    send::<Publish>();
    send::<PublishNow>();
    send::<QueuedTasks>();
    send::<DeleteTasks>();
    send::<ListDead>();
    send::<Replay>();
    send::<Setup>();
    send::<Drain>();
    send::<Perform<Note>>();
    send::<PerformMessage<Auditor>>();
    send::<CallbackRequest>();
    send::<PushRequest>();
    send::<ScheduledRequest>();
    send::<Serve<TaskService>>();
    send::<Console>();
};

const fn send_pinned<T: Send>() {}

/// Futures and a body that are polled pinned.
const _: () = {
    send_pinned::<TaskFuture<std::future::Ready<Result<(), Infallible>>>>();
    send_pinned::<BackendFuture<'static>>();
    send_pinned::<StoreFuture<'static, ()>>();
    send_pinned::<ServeBody>();
};
