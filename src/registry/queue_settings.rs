//! The settings of a queue.

use std::time::Duration;

use crate::base::{Invalid, names};

/// Calls a macro with every setting of a queue: getter, setter, field in `google.cloud.tasks.v2.Queue`, accepted values.
///
/// Fields, getters, setters, checks, conversion and comparison are generated from this table. The order is that of an update
/// mask.
macro_rules! queue_settings {
    ($then:ident) => {
        $then! {
            /// The maximum number of dispatches per second.
            max_dispatches_per_second: f64,
            /// Sets the maximum number of dispatches per second; more than 0 and at most 500.
            with_max_dispatches_per_second => rate_limits.max_dispatches_per_second,
            |rate| *rate > 0.0 && *rate <= 500.0, "must be more than 0 and at most 500";

            /// The maximum number of concurrent dispatches.
            max_concurrent_dispatches: u32,
            /// Sets the maximum number of concurrent dispatches; 1 to 5,000.
            with_max_concurrent_dispatches => rate_limits.max_concurrent_dispatches,
            |tasks| (1..=5000).contains(tasks), "must be 1 to 5000";

            /// The maximum number of attempts; -1 means unlimited.
            max_attempts: i32,
            /// Sets the maximum number of attempts; -1 means unlimited.
            ///
            /// A task is given up when both this and [`max_retry_duration`](Self::max_retry_duration) are reached. If only
            /// this is set, the runtime knows which attempt of a task from this queue is the
            /// [last](crate::task::TaskMetadata::is_last_attempt), and runs its [hook](crate::Task::on_dead). Set-up therefore removes
            /// a `max_retry_duration` that was set by hand.
            with_max_attempts => retry_config.max_attempts,
            |attempts| *attempts > 0 || *attempts == -1, "must be 1 or more, or -1 for no limit";

            /// How long a task is retried; zero means unlimited.
            max_retry_duration: Duration,
            /// Sets how long a task is retried; zero means unlimited.
            with_max_retry_duration => retry_config.max_retry_duration,
            |_| true, "";

            /// The shortest backoff between two attempts.
            min_backoff: Duration,
            /// Sets the shortest backoff between two attempts.
            with_min_backoff => retry_config.min_backoff,
            |_| true, "";

            /// The longest backoff between two attempts.
            max_backoff: Duration,
            /// Sets the longest backoff between two attempts.
            with_max_backoff => retry_config.max_backoff,
            |_| true, "";

            /// How often the backoff doubles before it grows linearly.
            max_doublings: u32,
            /// Sets how often the backoff doubles before it grows linearly; 1 to 1,000.
            with_max_doublings => retry_config.max_doublings,
            |doublings| (1..=1000).contains(doublings), "must be 1 to 1000; Cloud Tasks does not distinguish 0 from unset";
        }
    };
}
#[cfg(feature = "google")]
pub(crate) use queue_settings;

/// Declares the settings.
macro_rules! declare {
    ($(
        $(#[$get_doc:meta])* $name:ident: $type:ty,
        $(#[$set_doc:meta])* $set:ident => $policy:ident.$field:ident, $accepts:expr, $accepted:expr;
    )*) => {
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
            $($name: Option<$type>,)*
        }

        impl QueueSettings {
            /// A queue with this name, without any settings.
            pub fn new(name: impl Into<String>) -> Self {
                Self {
                    name: name.into(),
                    $($name: None,)*
                }
            }

            /// The queue's name.
            pub fn name(&self) -> &str {
                &self.name
            }

            $($(#[$set_doc])*
            pub fn $set(mut self, $name: $type) -> Self {
                self.$name = Some($name);
                self
            }

            $(#[$get_doc])*
            pub fn $name(&self) -> Option<$type> {
                self.$name
            })*

            /// The settings that Cloud Tasks would reject, each alone.
            fn refused(&self) -> impl Iterator<Item = Invalid> {
                let checked = [$({
                    let accepts: fn(&$type) -> bool = $accepts;
                    let refused = self.$name.is_some_and(|value| !accepts(&value));
                    refused.then_some(concat!(stringify!($name), " ", $accepted))
                },)*];
                checked.into_iter().flatten().map(|refused| self.invalid(refused))
            }
        }
    };
}

queue_settings!(declare);

impl QueueSettings {
    /// The maximum number of attempts, if no other limit applies.
    pub(crate) fn attempts(&self) -> Option<u32> {
        let alone = self.max_retry_duration.is_none_or(|duration| duration.is_zero());
        let attempts = self.max_attempts.filter(|_| alone)?;
        u32::try_from(attempts).ok().filter(|attempts| *attempts > 0)
    }

    /// The settings for set-up. If the attempts alone are limited, the time is unlimited: the runtime relies on that when it runs
    /// the hook of the last attempt, and a time that somebody has set by hand would add attempts.
    #[cfg(feature = "google")]
    pub(crate) fn with_known_end(mut self) -> Self {
        if self.attempts().is_some() {
            self.max_retry_duration = Some(Duration::ZERO);
        }
        self
    }

    /// Every setting that Cloud Tasks would reject.
    pub(crate) fn errors(&self) -> Vec<Invalid> {
        let mut errors: Vec<_> = self.refused().collect();
        if matches!((self.min_backoff, self.max_backoff), (Some(min), Some(max)) if min > max) {
            errors.push(self.invalid("min_backoff is longer than max_backoff"));
        }
        errors.extend(names::validate_queue(&self.name).err());
        errors
    }

    fn invalid(&self, reason: &str) -> Invalid {
        Invalid::because(reason).of(format_args!("the queue {:?}", self.name))
    }
}
