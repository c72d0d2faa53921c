//! What must hold in every history, whatever the test asserts.

use std::collections::{BTreeMap, BTreeSet};

use super::delivery::Answer;
use super::world::{World, lock};
use crate::base::TaskError;
use crate::registry::AttemptError;

/// What was seen of runs, for the checks.
#[derive(Default)]
pub(super) struct Seen {
    runs: BTreeMap<String, Runs>,
    /// The keys of effects whose end is recorded in a store.
    settled: BTreeSet<String>,
    /// The task that each call of `asap()` created.
    created: BTreeMap<u64, String>,
    /// The tasks that a dead-letter topic has taken.
    recorded: BTreeSet<String>,
}

#[derive(Default)]
struct Runs {
    ran: u32,
    discarded: u32,
    failed: u32,
    /// Arguments that do not decode: without them there is no hook.
    undecodable: u32,
    hooks: u32,
}

impl Seen {
    pub fn ran(&mut self, subject: &str, outcome: &Result<Vec<u8>, AttemptError>) {
        let runs = self.runs.entry(subject.to_owned()).or_default();
        match outcome {
            Ok(_) => runs.ran += 1,
            Err(AttemptError::Task(TaskError::Discard(_))) => runs.discarded += 1,
            Err(AttemptError::Decode(_)) => runs.undecodable += 1,
            Err(_) => runs.failed += 1,
        }
    }

    pub fn hook_ran(&mut self, subject: &str) {
        self.runs.entry(subject.to_owned()).or_default().hooks += 1;
    }

    pub fn settle(&mut self, key: &str) {
        self.settled.insert(key.to_owned());
    }

    pub fn is_settled(&self, key: &str) -> bool {
        self.settled.contains(key)
    }

    /// Whether the end of an effect of this task or message is recorded.
    pub fn is_settled_for(&self, id: &str) -> bool {
        self.settled
            .iter()
            .any(|key| key.split('/').any(|part| part == id))
    }

    /// Notes the dead task that a message records, by its id.
    pub fn record(&mut self, id: &str) {
        self.recorded.insert(id.to_owned());
    }

    /// Notes which task a call created. Returns the one that it has created before, if any.
    pub fn create(&mut self, call: u64, subject: &str) -> Option<String> {
        self.created.insert(call, subject.to_owned())
    }

    /// Whether a handler or a hook came to an end for this task or message.
    pub fn was_handled(&self, subject: &str) -> bool {
        self.runs
            .get(subject)
            .is_some_and(|runs| runs.ran + runs.discarded + runs.undecodable + runs.hooks > 0)
    }

    /// Whether its hook ran to its end.
    pub fn hook_has_run(&self, subject: &str) -> bool {
        self.runs.get(subject).is_some_and(|runs| runs.hooks > 0)
    }

    /// Whether all that is known of it is failure.
    pub fn has_only_failed(&self, subject: &str) -> bool {
        self.runs
            .get(subject)
            .is_some_and(|runs| runs.failed > 0 && runs.ran + runs.discarded + runs.undecodable == 0)
    }
}

impl World {
    /// Checks what was acknowledged with this response of a service: it must have been handled.
    ///
    /// The ids are those of the task and of the message that it was forwarded from.
    pub fn check_handled(&self, subject: &str, ids: &[&str], answer: &Answer) {
        let Answer::Response(status, body) = answer else {
            // What is in front of a service has said so: nothing of ours has handled it.
            self.problem(format!(
                "{subject} was acknowledged by what is in front of its service"
            ));
            return;
        };
        let seen = lock(&self.seen);
        let text = String::from_utf8_lossy(body);
        let dead = seen.has_only_failed(subject);
        // A message that became a task.
        if text.contains("cloud-tasks-forwarded") {
            return;
        }
        let settled = || ids.iter().any(|id| seen.is_settled_for(id));
        if dead && !seen.hook_has_run(subject) && !settled() {
            drop(seen);
            self.problem(format!(
                "{subject} was answered {status} {text}, but it has only failed, and its hook has not run"
            ));
        } else if !dead && !seen.was_handled(subject) && !settled() {
            drop(seen);
            self.problem(format!(
                "{subject} was answered {status} {text}, but no handler has ended"
            ));
        }
    }
}
