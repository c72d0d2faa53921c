//! The plan of a set-up.

use std::collections::BTreeSet;
use std::fmt;

use futures_util::StreamExt;
use futures_util::stream;
use serde::Serialize;
use serde_json::{Value, json};

use crate::admin::setup::change::{Action, Change};
use crate::admin::setup::operation::{Clients, Instead, Operation, Step};
use crate::admin::setup::options::Options;
use crate::admin::setup::report::{Failure, SetUpError, SetUpReport};
use crate::base::text::safe;

/// The maximum number of concurrent calls.
pub(crate) const AT_ONCE: usize = 16;

/// The changes that a [`Setup`](crate::setup::Setup) has planned; nothing happens until it is [applied](Self::apply).
///
/// Its `Display` form is for people: a line per change with its fields, and the changes that are held back, with the
/// reasons. [`to_json`](Self::to_json) is for programs.
#[must_use = "nothing is changed until it is applied"]
pub struct Plan {
    clients: Clients,
    found: PlanDraft,
    endpoint: String,
}

/// A plan under construction.
#[derive(Default)]
pub(crate) struct PlanDraft {
    pub steps: Vec<Step>,
    /// The names of subscribers whose subscriptions are in the desired state.
    pub unchanged: Vec<String>,
    pub held_back: Vec<HeldBack>,
    pub warnings: Vec<String>,
    pub notes: Vec<String>,
    /// How many subscribers, queues and schedules were checked; `None` if they were not.
    pub subscribers: Option<usize>,
    pub queues: Option<usize>,
    pub schedules: Option<usize>,
}

impl PlanDraft {
    /// Adds a deletion, if deletions are enabled.
    pub fn delete(&mut self, change: Change, operation: Operation, options: &Options) {
        if options.prune {
            self.steps.push(Step { change, operation });
        } else {
            self.hold_back(change, "it needs `prune`");
        }
    }

    pub fn hold_back(&mut self, change: Change, reason: &'static str) {
        self.held_back.push(HeldBack { change, reason });
    }
}

/// A change that a plan does not make unless you allow it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct HeldBack {
    /// The change.
    #[serde(flatten)]
    pub change: Change,
    /// The option that allows it.
    pub reason: &'static str,
}

impl Plan {
    pub(crate) fn new(clients: Clients, found: PlanDraft, endpoint: String) -> Self {
        let plan = Self {
            clients,
            found,
            endpoint,
        };
        plan.sorted()
    }

    /// Whether the cloud is as the code describes it: no changes, nothing held back and no warnings.
    pub fn is_empty(&self) -> bool {
        let PlanDraft {
            steps,
            held_back,
            warnings,
            ..
        } = &self.found;
        steps.is_empty() && held_back.is_empty() && warnings.is_empty()
    }

    /// The changes, in the order they will be made.
    pub fn changes(&self) -> impl Iterator<Item = &Change> {
        self.found.steps.iter().map(|step| &step.change)
    }

    /// The changes that lose data or delete something and were not allowed.
    pub fn held_back(&self) -> &[HeldBack] {
        &self.found.held_back
    }

    /// What does not work and needs you, since a set-up cannot or should not change it; one sentence each.
    pub fn warnings(&self) -> &[String] {
        &self.found.warnings
    }

    /// What could not be checked, and what else the plan does on its way, one sentence each.
    pub fn notes(&self) -> &[String] {
        &self.found.notes
    }

    /// The plan as `{"endpoint", "changes", "held_back", "unchanged", "warnings", "notes"}`.
    pub fn to_json(&self) -> Value {
        json!({
            "endpoint": self.endpoint,
            "changes": self.changes().collect::<Vec<_>>(),
            "held_back": self.found.held_back,
            "unchanged": self.found.unchanged,
            "warnings": self.found.warnings,
            "notes": self.found.notes,
        })
    }

    /// Applies the plan: topics, then subscriptions, permissions, queues, schedules, and finally deletions; 16
    /// concurrent calls.
    ///
    /// # Errors
    ///
    /// If any change fails. The error says what was done, what failed, and what was not attempted because of that; the
    /// next plan continues from there.
    pub async fn apply(self) -> Result<SetUpReport, SetUpError> {
        self.apply_with(|_| {}).await
    }

    /// Applies the plan, and reports each change to a callback.
    ///
    /// # Errors
    ///
    /// Like [`apply`](Self::apply).
    pub async fn apply_with(self, mut on_change: impl FnMut(&Change)) -> Result<SetUpReport, SetUpError> {
        let Self {
            clients,
            found,
            endpoint,
        } = self;
        let mut report = SetUpReport {
            endpoint,
            unchanged: found.unchanged,
            held_back: found.held_back,
            warnings: found.warnings,
            notes: found.notes,
            subscribers: found.subscribers,
            queues: found.queues,
            schedules: found.schedules,
            ..SetUpReport::default()
        };
        let (mut failed, mut not_tried) = (Vec::new(), Vec::new());
        let mut steps = found.steps.into_iter().peekable();
        while let Some(first) = steps.peek() {
            let phase = first.phase();
            let of_phase: Vec<_> =
                std::iter::from_fn(|| steps.next_if(|step| step.phase() == phase)).collect();
            // Later phases depend on earlier ones.
            if !failed.is_empty() {
                not_tried.extend(of_phase.into_iter().map(|step| step.change));
                continue;
            }
            let made: BTreeSet<_> = report
                .changes
                .iter()
                .map(|change| change.resource.clone())
                .collect();
            let mut outcomes = stream::iter(of_phase)
                .map(async |step| (step.perform(&clients, &made).await, step.change))
                .buffered(AT_ONCE);
            while let Some((outcome, change)) = outcomes.next().await {
                match outcome {
                    Ok(instead) => {
                        let change = match instead {
                            Some(Instead { change, note }) => {
                                report.notes.push(note);
                                change
                            }
                            None => change,
                        };
                        on_change(&change);
                        report.changes.push(change);
                    }
                    Err(error) => failed.push(Failure { change, error }),
                }
            }
        }
        if failed.is_empty() {
            Ok(report)
        } else {
            Err(SetUpError::new(report, failed, not_tried))
        }
    }

    /// Sorts the steps into the order in which they are made and shown.
    fn sorted(mut self) -> Self {
        self.found.steps.sort_by(|a, b| {
            let key = |step: &Step| {
                (
                    step.phase(),
                    step.change.action != Action::Add,
                    step.change.name.clone(),
                )
            };
            key(a).cmp(&key(b))
        });
        self.found.unchanged.sort_unstable();
        self
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = |action| self.changes().filter(|change| change.action == action).count();
        if self.is_empty() {
            write!(f, "Nothing to do for {}", self.endpoint)?;
        } else if self.found.steps.is_empty() {
            write!(
                f,
                "Nothing to change for {}, but {} held back and {} to look at",
                self.endpoint,
                self.held_back().len(),
                self.warnings().len()
            )?;
        } else {
            write!(
                f,
                "To do for {}: {} to add, {} to change, {} to delete",
                self.endpoint,
                count(Action::Add),
                count(Action::Change),
                count(Action::Delete)
            )?;
        }
        for change in self.changes() {
            write!(f, "\n{change}")?;
        }
        for held_back in self.held_back() {
            write!(f, "\nleft as it is, {}:\n{}", held_back.reason, held_back.change)?;
        }
        for warning in self.warnings() {
            write!(f, "\nwarning: {}", safe(warning))?;
        }
        for note in self.notes() {
            write!(f, "\nnote: {}", safe(note))?;
        }
        Ok(())
    }
}

impl fmt::Debug for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Plan")
            .field("changes", &self.changes().collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}
