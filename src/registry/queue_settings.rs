//! The settings of a queue.

use std::time::Duration;

use crate::base::names;

/// The settings of a queue in Cloud Tasks, for [`Runtime::setup`](crate::Runtime::setup). Settings that you do not
/// specify are left as they are.
///
/// The service's defaults are 500 dispatches per second, 1,000 concurrent dispatches, and 100 attempts with a backoff
/// from 0.1 s to one hour that doubles 16 times. Source:
/// <https://cloud.google.com/tasks/docs/reference/rest/v2/projects.locations.queues>.
///
/// ```
/// use std::time::Duration;
/// use cloud_tasks::queue::QueueSettings;
/// use cloud_tasks::Runtime;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), cloud_tasks::Error> {
/// let runtime = Runtime::eager()
///     .queue(QueueSettings::new("emails").with_max_dispatches_per_second(10.0).with_max_attempts(20))
///     .queue(QueueSettings::new("billing").with_max_concurrent_dispatches(1).with_max_backoff(Duration::from_secs(60)))
///     .build()
///     .await?;
/// # let _ = runtime;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct QueueSettings {
    name: String,
    max_dispatches_per_second: Option<f64>,
    max_concurrent_dispatches: Option<u32>,
    max_attempts: Option<i32>,
    max_retry_duration: Option<Duration>,
    min_backoff: Option<Duration>,
    max_backoff: Option<Duration>,
    max_doublings: Option<u32>,
}

impl QueueSettings {
    /// A queue with this name, without any settings.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            max_dispatches_per_second: None,
            max_concurrent_dispatches: None,
            max_attempts: None,
            max_retry_duration: None,
            min_backoff: None,
            max_backoff: None,
            max_doublings: None,
        }
    }

    /// Sets the maximum number of dispatches per second; more than 0 and at most 500.
    pub fn with_max_dispatches_per_second(mut self, rate: f64) -> Self {
        self.max_dispatches_per_second = Some(rate);
        self
    }

    /// Sets the maximum number of concurrent dispatches; 1 to 5,000.
    pub fn with_max_concurrent_dispatches(mut self, tasks: u32) -> Self {
        self.max_concurrent_dispatches = Some(tasks);
        self
    }

    /// Sets the maximum number of attempts; -1 means unlimited.
    ///
    /// A task is given up when both this and [`max_retry_duration`](Self::max_retry_duration) are reached. If only this
    /// is set, the runtime knows which attempt of a task from this queue is the
    /// [last](crate::task::TaskMetadata::is_last_attempt), and runs its [hook](crate::Task::on_dead).
    pub fn with_max_attempts(mut self, attempts: i32) -> Self {
        self.max_attempts = Some(attempts);
        self
    }

    /// Sets how long a task is retried; zero means unlimited.
    pub fn with_max_retry_duration(mut self, duration: Duration) -> Self {
        self.max_retry_duration = Some(duration);
        self
    }

    /// Sets the shortest backoff between two attempts.
    pub fn with_min_backoff(mut self, pause: Duration) -> Self {
        self.min_backoff = Some(pause);
        self
    }

    /// Sets the longest backoff between two attempts.
    pub fn with_max_backoff(mut self, pause: Duration) -> Self {
        self.max_backoff = Some(pause);
        self
    }

    /// Sets how often the backoff doubles before it grows linearly; 1 to 1,000.
    pub fn with_max_doublings(mut self, doublings: u32) -> Self {
        self.max_doublings = Some(doublings);
        self
    }

    /// The queue's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The maximum number of dispatches per second.
    pub fn max_dispatches_per_second(&self) -> Option<f64> {
        self.max_dispatches_per_second
    }

    /// The maximum number of concurrent dispatches.
    pub fn max_concurrent_dispatches(&self) -> Option<u32> {
        self.max_concurrent_dispatches
    }

    /// The maximum number of attempts; -1 means unlimited.
    pub fn max_attempts(&self) -> Option<i32> {
        self.max_attempts
    }

    /// How long a task is retried; zero means unlimited.
    pub fn max_retry_duration(&self) -> Option<Duration> {
        self.max_retry_duration
    }

    /// The shortest backoff between two attempts.
    pub fn min_backoff(&self) -> Option<Duration> {
        self.min_backoff
    }

    /// The longest backoff between two attempts.
    pub fn max_backoff(&self) -> Option<Duration> {
        self.max_backoff
    }

    /// How often the backoff doubles before it grows linearly.
    pub fn max_doublings(&self) -> Option<u32> {
        self.max_doublings
    }

    /// The maximum number of attempts, if no other limit applies.
    pub(crate) fn attempts(&self) -> Option<u32> {
        let alone = self.max_retry_duration.is_none_or(|duration| duration.is_zero());
        let attempts = self.max_attempts.filter(|_| alone)?;
        u32::try_from(attempts).ok().filter(|attempts| *attempts > 0)
    }

    /// Every setting that Cloud Tasks would reject.
    pub(crate) fn mistakes(&self) -> Vec<String> {
        let mut mistakes = Vec::new();
        let mut check = |wrong: bool, what: &str| {
            if wrong {
                mistakes.push(format!("the queue {:?}: {what}", self.name));
            }
        };
        check(
            self.max_dispatches_per_second
                .is_some_and(|rate| !(rate > 0.0 && rate <= 500.0)),
            "max_dispatches_per_second must be more than 0 and at most 500",
        );
        check(
            self.max_concurrent_dispatches
                .is_some_and(|tasks| !(1..=5000).contains(&tasks)),
            "max_concurrent_dispatches must be 1 to 5000",
        );
        check(
            self.max_attempts
                .is_some_and(|attempts| attempts < -1 || attempts == 0),
            "max_attempts must be 1 or more, or -1 for no limit",
        );
        check(
            matches!((self.min_backoff, self.max_backoff), (Some(min), Some(max)) if min > max),
            "min_backoff is longer than max_backoff",
        );
        check(
            self.max_doublings
                .is_some_and(|doublings| !(1..=1000).contains(&doublings)),
            "max_doublings must be 1 to 1000; Cloud Tasks does not distinguish 0 from unset",
        );
        mistakes.extend(names::queue_mistake(&self.name));
        mistakes
    }
}
