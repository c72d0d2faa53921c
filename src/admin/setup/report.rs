//! The report of a set-up.

use std::error::Error as StdError;
use std::fmt;

use serde::Serialize;

use crate::admin::setup::change::{Action, Change, ResourceKind};
use crate::admin::setup::plan::HeldBack;
use crate::base::Error;
use crate::base::text::safe;

/// The result of an applied [`Plan`](crate::setup::Plan); its `Display` form is the output of django-cloud-tasks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct SetUpReport {
    /// The base URL that receives tasks and messages.
    pub endpoint: String,
    /// The changes, in the order they were made.
    pub changes: Vec<Change>,
    /// The subscribers whose subscriptions were already in the desired state, as far as possible.
    pub unchanged: Vec<String>,
    /// The changes that were not allowed.
    pub held_back: Vec<HeldBack>,
    /// What does not work and needs you, one sentence each.
    pub warnings: Vec<String>,
    /// What could not be checked, and what was created instead of something else, one sentence each.
    pub notes: Vec<String>,
    /// The number of subscribers; `None` if they were not part of the set-up.
    pub subscribers: Option<usize>,
    /// The number of queues; `None` if they were not part of the set-up.
    pub queues: Option<usize>,
    /// The number of periodic tasks; `None` if they were not part of the set-up.
    pub schedules: Option<usize>,
}

impl SetUpReport {
    /// Returns the names of the resources of one kind with this action, sorted.
    pub fn names(&self, action: Action, kind: ResourceKind) -> Vec<&str> {
        let mut names: Vec<_> = self
            .changes
            .iter()
            .filter(|change| change.action == action && change.kind == kind)
            .map(|change| change.name.as_str())
            .collect();
        names.sort_unstable();
        names
    }

    fn list(&self, f: &mut fmt::Formatter<'_>, kind: ResourceKind) -> fmt::Result {
        for action in [Action::Add, Action::Change, Action::Delete] {
            for name in self.names(action, kind) {
                write!(f, "\n[{}] {}", action.sign(), safe(name))?;
            }
        }
        Ok(())
    }

    /// What the listed resources need, which django-cloud-tasks does not list.
    fn list_requirements(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let of_list = [
            ResourceKind::Subscription,
            ResourceKind::Queue,
            ResourceKind::Schedule,
        ];
        let changes = self.changes.iter();
        let requirements: Vec<_> = changes.filter(|change| !of_list.contains(&change.kind)).collect();
        if requirements.is_empty() {
            return Ok(());
        }
        write!(
            f,
            "\nSuccessfully made {} topics, dead-letter subscriptions and IAM bindings for domain {}",
            requirements.len(),
            self.endpoint
        )?;
        for change in requirements {
            let (sign, kind, name) = (change.action.sign(), change.kind, safe(&change.name));
            write!(f, "\n[{sign}] {kind} {name}")?;
        }
        Ok(())
    }
}

impl fmt::Display for SetUpReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = [
            (
                self.subscribers,
                "initialized",
                "subscribers",
                ResourceKind::Subscription,
            ),
            (self.queues, "configured", "queues", ResourceKind::Queue),
            (self.schedules, "scheduled", "tasks", ResourceKind::Schedule),
        ];
        let mut first = true;
        for (count, done, what, kind) in parts {
            let Some(count) = count else {
                continue;
            };
            if !std::mem::take(&mut first) {
                writeln!(f)?;
            }
            write!(
                f,
                "Successfully {done} {count} {what} to domain {}",
                self.endpoint
            )?;
            self.list(f, kind)?;
        }
        self.list_requirements(f)
    }
}

/// A change that was not made.
#[derive(Debug)]
#[non_exhaustive]
pub struct Failure {
    /// The change.
    pub change: Change,
    /// Why it was not made, and what to do.
    pub error: Error,
}

/// A set-up that failed: what was done, what failed, and what was not attempted.
#[derive(Debug)]
pub struct SetUpError {
    inner: Box<Unfinished>,
}

#[derive(Debug)]
struct Unfinished {
    report: SetUpReport,
    failed: Vec<Failure>,
    not_tried: Vec<Change>,
}

impl SetUpError {
    pub(crate) fn new(report: SetUpReport, failed: Vec<Failure>, not_tried: Vec<Change>) -> Self {
        Self {
            inner: Box::new(Unfinished {
                report,
                failed,
                not_tried,
            }),
        }
    }

    /// What was done.
    pub fn report(&self) -> &SetUpReport {
        &self.inner.report
    }

    /// What failed, and why.
    pub fn failed(&self) -> &[Failure] {
        &self.inner.failed
    }

    /// What was not attempted, because it depends on a failed change.
    pub fn not_tried(&self) -> &[Change] {
        &self.inner.not_tried
    }
}

impl fmt::Display for SetUpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the set-up was not finished: {} of {} changes were made; the next run makes the rest",
            self.report().changes.len(),
            self.report().changes.len() + self.failed().len() + self.not_tried().len()
        )?;
        for failure in self.failed() {
            write!(f, "\nfailed: {}\n      {:#}", failure.change, failure.error)?;
        }
        for change in self.not_tried() {
            write!(f, "\nnot tried: {change}")?;
        }
        Ok(())
    }
}

/// Without a source: the text contains all [failures](SetUpError::failed), with their causes.
impl StdError for SetUpError {}
