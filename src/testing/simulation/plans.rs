//! What is planned for an attempt: its process dies, or its connection breaks, at the k-th await of its handler.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use tokio::sync::Notify;

use super::world::lock;
use crate::base::TaskMetadata;
use crate::registry::TaskInput;

/// How an attempt is interrupted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Interruption {
    /// The process dies.
    Kill,
    /// The connection breaks.
    HangUp,
}

/// A planned interruption.
pub(super) struct Plan {
    pub how: Interruption,
    /// How often the handler is polled before. A handler that ends earlier is interrupted right after its end.
    pub polls: u32,
    /// Tells the caller that the connection is broken.
    pub cut: Notify,
}

/// The attempts under way, by what identifies them to a handler.
#[derive(Default)]
pub(super) struct Plans(Mutex<BTreeMap<String, Entry>>);

struct Entry {
    subject: String,
    plan: Option<Arc<Plan>>,
}

impl Plans {
    /// Names the subject of an attempt, and plans an interruption.
    pub fn put(&self, key: String, subject: &str, plan: Option<Arc<Plan>>) {
        let subject = subject.to_owned();
        lock(&self.0).insert(key, Entry { subject, plan });
    }

    /// The subject of an attempt, and what is planned for it. A plan is given once.
    pub fn take(&self, key: &str) -> (String, Option<Arc<Plan>>) {
        match lock(&self.0).get_mut(key) {
            Some(entry) => (entry.subject.clone(), entry.plan.take()),
            None => (key.to_owned(), None),
        }
    }
}

/// What identifies an attempt to its handler.
pub(super) fn key_of(input: &TaskInput, metadata: &TaskMetadata) -> String {
    match input {
        TaskInput::Push(push) => {
            let subscription = push.subscription.rsplit('/').next().unwrap_or_default();
            message_key(subscription, &push.id)
        }
        TaskInput::Body(_) => key_of_task(metadata),
    }
}

/// What identifies a task, or a run of a schedule.
pub(super) fn key_of_task(metadata: &TaskMetadata) -> String {
    match (metadata.job_name(), metadata.id()) {
        (Some(job), None) => format!("job {job}"),
        (_, id) => task_key(metadata.queue().unwrap_or_default(), id.unwrap_or_default()),
    }
}

pub(super) fn task_key(queue: &str, id: &str) -> String {
    format!("task {queue}/{id}")
}

pub(super) fn message_key(subscription: &str, id: &str) -> String {
    format!("message {subscription}/{id}")
}
