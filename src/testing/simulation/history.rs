//! What happened in a simulation, step by step.

use std::fmt;
use std::time::Duration;

use serde::Serialize;

/// What happened in a simulation, in order.
///
/// Its `Display` has a line for each step; [`to_json_lines`](Self::to_json_lines) has an object for each.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(transparent)]
pub struct History {
    pub(super) steps: Vec<Step>,
}

/// One step of a [`History`].
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Step {
    /// The time since the start, in milliseconds.
    #[serde(rename = "ms", serialize_with = "millis")]
    pub at: Duration,
    /// Where it happened: an instance, such as `shop/1`, or the service of the cloud, such as `tasks`.
    pub place: String,
    /// What it is about, such as `Charge-1`, the first task of this type, or `orders-m2`, the second message of a topic.
    pub subject: String,
    /// What happened.
    pub event: Event,
    /// More about it; empty if there is nothing more.
    pub detail: String,
}

/// What happened in a [`Step`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Event {
    /// The seed decided that something goes wrong.
    Fault,
    /// An instance started.
    Started,
    /// An instance got SIGTERM.
    Stopping,
    /// An instance ended.
    Ended,
    /// A task was created.
    Created,
    /// A create was answered, but not with a new task.
    NotCreated,
    /// A message was published.
    Published,
    /// A schedule was due.
    Due,
    /// An attempt was sent to an instance.
    Attempt,
    /// A handler began to run.
    Began,
    /// A handler ended well.
    Ran,
    /// A handler failed.
    Failed,
    /// A handler was dropped before its end.
    Dropped,
    /// The hook of a dead task ended well.
    Hook,
    /// An attempt was answered.
    Answered,
    /// The service got no answer to an attempt.
    NotAnswered,
    /// A task or a message is done for its service.
    Acknowledged,
    /// Its service has given a task or a message up.
    GivenUp,
    /// A task was deleted.
    Deleted,
    /// The test noted something; see [`Cloud::note`](super::Cloud::note).
    Note,
}

impl Event {
    fn text(self) -> &'static str {
        match self {
            Self::Fault => "fault",
            Self::Started => "started",
            Self::Stopping => "stopping",
            Self::Ended => "ended",
            Self::Created => "created",
            Self::NotCreated => "not created",
            Self::Published => "published",
            Self::Due => "due",
            Self::Attempt => "attempt",
            Self::Began => "began",
            Self::Ran => "ran",
            Self::Failed => "failed",
            Self::Dropped => "dropped",
            Self::Hook => "hook ran",
            Self::Answered => "answered",
            Self::NotAnswered => "no answer",
            Self::Acknowledged => "acknowledged",
            Self::GivenUp => "given up",
            Self::Deleted => "deleted",
            Self::Note => "note",
        }
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.text())
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            at,
            place,
            subject,
            event,
            detail,
        } = self;
        let seconds = at.as_secs_f64();
        write!(f, "{seconds:>10.3}  {place:<10}  {subject:<16}  {event}")?;
        if !detail.is_empty() {
            write!(f, ": {detail}")?;
        }
        Ok(())
    }
}

impl History {
    /// Returns the steps.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// Returns how often something happened.
    pub fn count(&self, event: Event) -> usize {
        self.steps.iter().filter(|step| step.event == event).count()
    }

    /// Returns a JSON object for each step, each on a line of its own.
    ///
    /// Members: `ms`, `place`, `subject`, `event`, `detail`.
    pub fn to_json_lines(&self) -> String {
        let lines = self
            .steps
            .iter()
            .filter_map(|step| serde_json::to_string(step).ok());
        lines.map(|line| line + "\n").collect()
    }

    /// The number of the first step that differs, if one does.
    pub(super) fn first_difference(&self, other: &Self) -> Option<usize> {
        let same = self
            .steps
            .iter()
            .zip(&other.steps)
            .take_while(|(a, b)| a == b)
            .count();
        (same < self.steps.len().max(other.steps.len())).then_some(same)
    }
}

impl fmt::Display for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for step in &self.steps {
            writeln!(f, "{step}")?;
        }
        Ok(())
    }
}

fn millis<S: serde::Serializer>(at: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(u64::try_from(at.as_millis()).unwrap_or(u64::MAX))
}
