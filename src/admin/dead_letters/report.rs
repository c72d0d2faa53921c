//! The report of a replay.

use std::error::Error as StdError;
use std::fmt;

use serde::Serialize;

use crate::admin::dead_letters::dead_tasks::UnreplayedTask;
use crate::base::Error;

/// The report of a replay. Each record that was read is in exactly one of its numbers and lists.
///
/// Its `Display` form is one line: `5 enqueued, 1 duplicates, 0 skipped, 0 failed, 2 left, 0 returned`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Replayed {
    /// The number of records whose tasks were enqueued again.
    pub replayed: usize,
    /// The number of records whose tasks had been enqueued before: the record was delivered twice, or an earlier replay
    /// could not acknowledge it. Cloud Tasks still knew the task's id, so no second task was created.
    pub duplicates: usize,
    /// The number of records that were skipped because of the task's name. They stay in the subscription.
    pub skipped: usize,
    /// The number of records that were returned to the subscription because the replay stopped before their turn.
    pub returned: usize,
    /// The records whose tasks Cloud Tasks did not accept, and why. They stay in the subscription.
    pub failed: Vec<UnreplayedTask>,
    /// The messages that this runtime cannot replay: they are not records, or their task or queue is invalid here. They
    /// stay in the subscription.
    pub left: Vec<UnreplayedTask>,
    /// How many of the records that were replayed, or were duplicates, could not be acknowledged. They will be delivered
    /// again; while Cloud Tasks remembers the ids of their tasks, a later replay finds duplicates.
    pub unacknowledged: usize,
    /// Why the replay ended; `None` while it runs.
    pub end: Option<ReplayEnd>,
}

/// Why a replay ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum ReplayEnd {
    /// No more records arrived.
    NoMore,
    /// The maximum number of tasks was enqueued.
    Limit,
    /// 1,000 records stay, and Pub/Sub leases no more at once. There may be others behind them.
    Full,
    /// The future of [`stop_when`](crate::dead_letters::Replay::stop_when) has completed.
    Stopped,
    /// An error, which the [`ReplayError`] has.
    Failed,
}

impl Replayed {
    /// The number of records that were read: the sum of all numbers and lists, except `unacknowledged`.
    ///
    /// ```
    /// use cloud_tasks::dead_letters::Replayed;
    ///
    /// let mut report = Replayed::default();
    /// (report.replayed, report.duplicates, report.unacknowledged) = (3, 1, 2);
    /// assert_eq!(report.read(), 4);
    /// assert_eq!(
    ///     report.to_string(),
    ///     "3 enqueued, 1 duplicates, 0 skipped, 0 failed, 0 left, 0 returned; 2 could not be acknowledged and will be \
    ///      delivered again"
    /// );
    /// ```
    pub fn read(&self) -> usize {
        self.replayed + self.duplicates + self.skipped + self.returned + self.failed.len() + self.left.len()
    }
}

impl fmt::Display for Replayed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            replayed,
            duplicates,
            skipped,
            returned,
            ..
        } = self;
        write!(
            f,
            "{replayed} enqueued, {duplicates} duplicates, {skipped} skipped, {} failed, {} left, {returned} returned",
            self.failed.len(),
            self.left.len(),
        )?;
        if self.unacknowledged > 0 {
            let count = self.unacknowledged;
            write!(
                f,
                "; {count} could not be acknowledged and will be delivered again"
            )?;
        }
        Ok(())
    }
}

/// A replay that stopped because of an error: what it had done, and why it stopped.
///
/// Nothing is lost: records whose tasks were not enqueued stay in the subscription, at the latest when their lease ends,
/// after 10 minutes.
pub struct ReplayError {
    inner: Box<Unfinished>,
}

struct Unfinished {
    report: Replayed,
    error: Error,
}

impl ReplayError {
    pub(super) fn new(mut report: Replayed, error: Error) -> Self {
        report.end = Some(ReplayEnd::Failed);
        Self {
            inner: Box::new(Unfinished { report, error }),
        }
    }

    /// What was done before.
    pub fn report(&self) -> &Replayed {
        &self.inner.report
    }

    /// Why the replay stopped.
    pub fn error(&self) -> &Error {
        &self.inner.error
    }
}

impl fmt::Display for ReplayError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the replay stopped: {}", self.inner.report)?;
        if f.alternate() {
            write!(f, ": {:#}", self.inner.error)?;
        }
        Ok(())
    }
}

impl fmt::Debug for ReplayError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:#}")
    }
}

impl StdError for ReplayError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        Some(&self.inner.error)
    }
}
