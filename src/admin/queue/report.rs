//! The report of a deletion.

use std::fmt;

use serde::{Serialize, Serializer};

use crate::base::Error;
use crate::base::text::safe;

/// Only this many failures are kept in full: a queue may have millions of tasks.
const KEPT: usize = 100;

/// The report of [`Queue::delete_tasks`](crate::queue::Queue::delete_tasks); its `Display` form is for people.
///
/// A task that could not be deleted does not stop the rest and is not an error of the call: check `failed`.
#[must_use = "tasks that could not be deleted are told here alone"]
#[derive(Debug, Serialize)]
#[non_exhaustive]
pub struct DeleteReport {
    /// The short name of the queue.
    pub queue: String,
    /// Whether this was a dry run, which deletes nothing.
    pub dry_run: bool,
    /// The number of tasks that were listed.
    pub scanned: u64,
    /// The number of tasks that were deleted, or would be.
    pub deleted: u64,
    /// The number of tasks that were already gone when their turn came.
    pub gone: u64,
    /// The number of tasks that could not be deleted.
    pub failed: u64,
    /// The first 100 failures.
    pub failures: Vec<DeleteFailure>,
}

/// A task that was not deleted.
#[derive(Debug, Serialize)]
#[non_exhaustive]
pub struct DeleteFailure {
    /// The task's id.
    pub id: String,
    /// Why it was not deleted, and what to do.
    #[serde(serialize_with = "text")]
    pub error: Error,
}

impl DeleteReport {
    pub(super) fn new(queue: &str, dry_run: bool) -> Self {
        Self {
            queue: queue.to_owned(),
            dry_run,
            scanned: 0,
            deleted: 0,
            gone: 0,
            failed: 0,
            failures: Vec::new(),
        }
    }

    /// Counts the outcome for a task.
    pub(super) fn count(&mut self, id: String, deleted: Result<bool, Error>) {
        match deleted {
            Ok(true) => self.deleted += 1,
            Ok(false) => self.gone += 1,
            Err(error) => {
                self.failed += 1;
                if self.failures.len() < KEPT {
                    self.failures.push(DeleteFailure { id, error });
                }
            }
        }
    }
}

impl fmt::Display for DeleteReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let were = if self.dry_run { "would be" } else { "were" };
        write!(
            f,
            "{} of {} tasks in queue {} {were} deleted",
            self.deleted, self.scanned, self.queue
        )?;
        if self.gone > 0 {
            write!(f, "; {} were gone already", self.gone)?;
        }
        if self.failed > 0 {
            write!(f, "; {} could not be deleted", self.failed)?;
        }
        for failure in &self.failures {
            write!(f, "\n{}: {:#}", safe(&failure.id), failure.error)?;
        }
        let more = self.failed - self.failures.len() as u64;
        if more > 0 {
            write!(f, "\nand {more} more")?;
        }
        Ok(())
    }
}

fn text<S: Serializer>(error: &Error, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&format_args!("{error:#}"))
}
