//! What a set-up did.

use std::error::Error as StdError;
use std::fmt;

use serde::Serialize;

use crate::admin::setup::change::{Action, Change, ResourceKind};
use crate::admin::setup::plan::HeldBack;
use crate::base::Error;
use crate::base::text::safe;

/// What an applied [`Plan`](crate::setup::Plan) did; its `Display` form is what the original library prints.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct SetUpReport {
    /// The base URL that tasks and messages come to.
    pub endpoint: String,
    /// What was changed, in the order in which it was.
    pub changes: Vec<Change>,
    /// The subscribers whose subscriptions were as they should be, as far as they can be.
    pub unchanged: Vec<String>,
    /// What differs and was left as it is.
    pub held_back: Vec<HeldBack>,
    /// What could not be looked at, and what was made in the place of something else, a sentence each.
    pub notes: Vec<String>,
    /// How many subscribers there are; `None` where they were not part of the set-up.
    pub subscribers: Option<usize>,
    /// How many queues there are; `None` where they were not part of the set-up.
    pub queues: Option<usize>,
    /// How many periodic tasks there are; `None` where they were not part of the set-up.
    pub schedules: Option<usize>,
}

impl SetUpReport {
    /// The names of what was changed in this way, of one kind, in order.
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
        Ok(())
    }
}

/// A change that was not made.
#[derive(Debug)]
#[non_exhaustive]
pub struct Failure {
    /// The change.
    pub change: Change,
    /// Why it was not made, and what helps.
    pub error: Error,
}

/// A set-up that was not finished: what was done, what failed, and what was not tried.
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

    /// What was done all the same.
    pub fn report(&self) -> &SetUpReport {
        &self.inner.report
    }

    /// What failed, and why.
    pub fn failed(&self) -> &[Failure] {
        &self.inner.failed
    }

    /// What was not tried, since it needs what failed.
    pub fn not_tried(&self) -> &[Change] {
        &self.inner.not_tried
    }
}

impl fmt::Display for SetUpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the set-up was not finished: {} of {} changes were made; what is missing is made by the next run",
            self.report().changes.len(),
            self.report().changes.len() + self.failed().len() + self.not_tried().len()
        )?;
        for failure in self.failed() {
            write!(f, "\nfailed: {}\n      {}", failure.change, failure.error)?;
        }
        for change in self.not_tried() {
            write!(f, "\nnot tried: {change}")?;
        }
        Ok(())
    }
}

impl StdError for SetUpError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.failed().first().map(|failure| &failure.error as _)
    }
}
