//! The limits of options, each with its source. `#[task]` applies them to literals, and `build()` to everything.

use std::time::Duration;

/// The lengths of time that an option accepts.
#[derive(Clone, Copy, Debug)]
pub struct Lengths {
    /// The shortest one.
    pub min: Duration,
    /// The longest one.
    pub max: Duration,
    /// Whether fractions of a second are refused.
    pub whole_seconds: bool,
    /// What is accepted, in words.
    pub words: &'static str,
}

impl Lengths {
    const fn new(min: Duration, max: Duration, words: &'static str) -> Self {
        Self {
            min,
            max,
            whole_seconds: false,
            words,
        }
    }

    /// Whether the option accepts this length of time.
    #[must_use]
    pub fn contain(&self, length: Duration) -> bool {
        (self.min..=self.max).contains(&length) && !(self.whole_seconds && length.subsec_nanos() != 0)
    }
}

/// The numbers that an option accepts.
#[derive(Clone, Copy, Debug)]
pub struct Numbers {
    /// The smallest one.
    pub min: u32,
    /// The largest one.
    pub max: u32,
}

impl Numbers {
    /// Whether the option accepts this number.
    #[must_use]
    pub fn contain(&self, number: u32) -> bool {
        (self.min..=self.max).contains(&number)
    }
}

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(60 * 60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

const fn times(count: u32, unit: Duration) -> Duration {
    unit.saturating_mul(count)
}

/// The timeout of a task. Source: `google.cloud.tasks.v2.Task.dispatch_deadline`.
pub const DISPATCH_DEADLINE: Lengths = Lengths::new(
    times(15, SECOND),
    times(30, MINUTE),
    "Cloud Tasks accepts 15 seconds to 30 minutes",
);

/// The attempts of a task. Source: `google.cloud.tasks.v2.RetryConfig.max_attempts`, an `int32`.
pub const ATTEMPTS: Numbers = Numbers {
    min: 1,
    max: i32::MAX.unsigned_abs(),
};

/// The window of a unique task, which is ours.
pub const WINDOW: Lengths = Lengths::new(
    Duration::from_nanos(1),
    Duration::MAX,
    "it must be longer than zero",
);

/// The deadline of a job's attempt. Source, also of the other limits of jobs: `google/cloud/scheduler/v1/job.proto`.
pub const ATTEMPT_DEADLINE: Lengths = Lengths::new(
    times(15, SECOND),
    times(30, MINUTE),
    "Cloud Scheduler accepts 15 seconds to 30 minutes",
);

/// The backoff of a job's retries.
pub const SCHEDULE_BACKOFF: Lengths = Lengths::new(
    times(5, SECOND),
    HOUR,
    "Cloud Scheduler accepts 5 seconds to 1 hour",
);

/// The retries of a job.
pub const SCHEDULE_RETRIES: Numbers = Numbers { min: 0, max: 5 };

/// How often the backoff of a job doubles.
pub const SCHEDULE_DOUBLINGS: Numbers = Numbers { min: 0, max: 5 };

/// The length of a job's description.
pub const DESCRIPTION_CHARS: usize = 500;

/// The backoff of a subscription's retries. Source, also of the other limits of subscriptions: `google/pubsub/v1/pubsub.proto`.
pub const BACKOFF: Lengths = Lengths::new(
    Duration::ZERO,
    times(600, SECOND),
    "Pub/Sub accepts 0 seconds to 10 minutes",
);

/// The deadline of a push.
pub const ACK_DEADLINE: Lengths = Lengths {
    whole_seconds: true,
    ..Lengths::new(
        times(10, SECOND),
        times(600, SECOND),
        "Pub/Sub accepts 10 seconds to 10 minutes, in whole seconds",
    )
};

/// How long an unacknowledged message is kept.
pub const RETENTION: Lengths = Lengths::new(
    times(10, MINUTE),
    times(31, DAY),
    "Pub/Sub accepts 10 minutes to 31 days",
);

/// How long a subscription may be unused, unless it never expires. The maximum is that of a protobuf `Duration`, 10,000 years.
pub const EXPIRATION: Lengths = Lengths::new(DAY, times(3_652_500, DAY), "Pub/Sub accepts 1 day or more");

/// The deliveries before a message goes to the dead-letter topic, if there is one.
pub const DEAD_LETTER_DELIVERIES: Numbers = Numbers { min: 5, max: 100 };

/// The same where there is none, and nothing is counted.
pub const DELIVERIES: Numbers = Numbers { min: 0, max: 100 };
