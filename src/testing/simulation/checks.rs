//! What must hold in every history, whatever the test asserts.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use http::StatusCode;
use serde_json::Value;
use tokio::time::Instant;

use super::delivery::Answer;
use super::world::{World, lock};
use crate::base::TaskError;
use crate::base::names::last_segment;
use crate::registry::AttemptError;

/// How long the name of a task is blocked at least after its end.
const BLOCKED: Duration = Duration::from_secs(3_600);

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
    /// All tasks by queue and id, and when they have ended.
    tasks: BTreeMap<(String, String), Option<Instant>>,
    /// The messages with an ordering key, by what identifies them to their handler.
    ordered: BTreeMap<String, Ordered>,
}

/// A message with an ordering key.
struct Ordered {
    /// The subscription and the key.
    line: (String, String),
    number: usize,
    has_ended: bool,
}

#[derive(Default)]
struct Runs {
    ran: u32,
    discarded: u32,
    failed: u32,
    /// How often its arguments did not decode: then there is no task to call a hook of.
    undecodable: u32,
    hooks: u32,
}

impl Seen {
    pub fn ran(&mut self, subject: &str, outcome: &Result<Vec<u8>, AttemptError>) {
        let runs = self.runs.entry(subject.to_owned()).or_default();
        match outcome {
            Ok(_) => runs.ran += 1,
            Err(AttemptError::Task(TaskError::Discard(_))) => runs.discarded += 1,
            Err(error) => {
                runs.failed += 1;
                runs.undecodable += u32::from(matches!(error, AttemptError::Decode(_)));
            }
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
            .is_some_and(|runs| runs.ran + runs.discarded + runs.hooks > 0)
    }

    /// Whether its hook ran to its end, or cannot run.
    pub fn hook_is_done(&self, subject: &str) -> bool {
        let runs = self.runs.get(subject);
        runs.is_some_and(|runs| runs.hooks + runs.undecodable > 0)
    }

    /// Notes the end of a task.
    pub fn end_task(&mut self, place: &(String, String)) {
        self.tasks.insert(place.clone(), Some(Instant::now()));
    }

    /// Notes a message of an ordering key: it comes after those that were noted before.
    pub fn expect_in_order(&mut self, key: &str, line: (String, String)) {
        let number = self.ordered.len();
        let ordered = Ordered {
            line,
            number,
            has_ended: false,
        };
        self.ordered.insert(key.to_owned(), ordered);
    }

    /// Notes that a message is acknowledged, dead or too old.
    pub fn end_in_order(&mut self, key: &str) {
        if let Some(ordered) = self.ordered.get_mut(key) {
            ordered.has_ended = true;
        }
    }

    /// Whether a message is handled while an earlier one of its ordering key has not ended.
    fn overtakes(&self, key: &str) -> bool {
        self.ordered.get(key).is_some_and(|message| {
            let mut all = self.ordered.values();
            all.any(|other| other.line == message.line && other.number < message.number && !other.has_ended)
        })
    }

    /// Whether the response names a task that exists, to which a message was forwarded.
    fn was_forwarded(&self, body: &[u8]) -> bool {
        let body: Value = serde_json::from_slice(body).unwrap_or_default();
        let forwarded = &body["result"]["cloud-tasks-forwarded"];
        let part = |name| forwarded[name].as_str().unwrap_or_default().to_owned();
        self.tasks.contains_key(&(part("queue_name"), part("task_id")))
    }

    /// Whether all that is known of it is failure.
    pub fn has_only_failed(&self, subject: &str) -> bool {
        self.runs
            .get(subject)
            .is_some_and(|runs| runs.failed > 0 && runs.ran + runs.discarded == 0)
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
        let settled = || ids.iter().any(|id| seen.is_settled_for(id)) || seen.was_forwarded(body);
        if dead && !seen.hook_is_done(subject) && !settled() {
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

    /// Checks that a dead task is recorded, if there is a topic for it.
    pub fn check_recorded(&self, subject: &str, id: &str, url: &str, answer: &Answer) {
        let is_dead =
            answer.status() == Some(StatusCode::ACCEPTED) && lock(&self.seen).has_only_failed(subject);
        if !is_dead || lock(&self.seen).recorded.contains(id) {
            return;
        }
        if let Some(topic) = self.dead_letter_topic(url) {
            self.problem(format!("{subject} is dead, and {topic} has no record of it"));
        }
    }

    /// The topic that records the task at this URL if it dies, if there is one.
    fn dead_letter_topic(&self, url: &str) -> Option<String> {
        let runtime = self.service_at(url)?.any_runtime()?;
        let task = runtime.registry().by_name(last_segment(url));
        runtime.dead_letter_topic(task.map(|task| &task.registration))
    }

    /// Notes which task a call created, and checks that it may exist.
    pub fn check_created(&self, call: u64, subject: &str, queue: &str, id: &str) {
        let place = (queue.to_owned(), id.to_owned());
        let (other, earlier) = {
            let mut seen = lock(&self.seen);
            let earlier = seen.tasks.insert(place, None);
            (seen.create(call, subject), earlier)
        };
        if let Some(other) = other {
            self.problem(format!("one call of `asap()` created {other} and {subject}"));
        }
        let is_blocked = |ended: Option<Instant>| ended.is_none_or(|ended| ended.elapsed() < BLOCKED);
        if earlier.is_some_and(is_blocked) {
            self.problem(format!("{subject} was created while its name {id} was blocked"));
        }
    }

    /// Checks that a message is handled after the earlier ones of its ordering key.
    pub fn check_order(&self, subject: &str, key: &str) {
        if lock(&self.seen).overtakes(key) {
            self.problem(format!(
                "{subject} was handled before an earlier message of its ordering key had ended"
            ));
        }
    }
}
