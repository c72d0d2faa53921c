//! The schedule options of `#[task]`.

use std::time::Duration;

use cloud_tasks_rules::limits;

use super::ScheduleOptions;
use crate::base::{Config, Invalid};

macro_rules! options {
    ($($(#[$doc:meta])* $name:ident($option:ident: $type:ty) => $($field:ident = $value:expr),+;)*) => {
        impl ScheduleOptions {
            $($(#[$doc])*
            pub const fn $name(mut self, $option: $type) -> Self {
                $(self.$field = $value;)+
                self
            })*
        }
    };
}

options! {
    /// Sets the time zone.
    time_zone(zone: &'static str) => time_zone = zone;
    /// Sets headers of the request.
    headers(headers: &'static [(&'static str, &'static str)]) => headers = headers;
    /// Sets how often a failed run is retried.
    schedule_max_retries(retries: u32) => max_retries = Some(retries);
    /// Sets the shortest backoff before a retry.
    schedule_min_backoff(backoff: Duration) => min_backoff = Some(backoff);
    /// Sets the longest backoff before a retry.
    schedule_max_backoff(backoff: Duration) => max_backoff = Some(backoff);
    /// Sets how often the backoff doubles.
    schedule_max_doublings(doublings: u32) => max_doublings = Some(doublings);
    /// Sets the deadline of one attempt.
    attempt_deadline(deadline: Duration) => attempt_deadline = Some(deadline);
    /// Sets the description of the job.
    description(description: &'static str) => description = Some(description);
    /// Sets the base name of the job.
    schedule_name(name: &'static str) => name = Some(name), absolute = false;
    /// Sets the name of the job, without a prefix.
    absolute_schedule_name(name: &'static str) => name = Some(name), absolute = true;
    /// Sets whether requests carry a signed token.
    oidc(oidc: bool) => oidc = oidc;
}

impl ScheduleOptions {
    /// Options with this schedule.
    pub const fn new(every: &'static str) -> Self {
        Self {
            every,
            time_zone: "UTC",
            headers: &[],
            max_retries: None,
            min_backoff: None,
            max_backoff: None,
            max_doublings: None,
            attempt_deadline: None,
            description: None,
            name: None,
            absolute: false,
            oidc: true,
        }
    }

    /// The job's name for a task.
    pub(crate) fn job_name(&self, task: &str, config: &Config) -> String {
        let name = self.name.unwrap_or(task);
        if self.absolute {
            name.to_owned()
        } else {
            config.prefixed(name)
        }
    }

    /// Everything that Cloud Scheduler would reject, except times, headers, payload and name.
    pub(super) fn errors(&self) -> Vec<Invalid> {
        let mut errors = Vec::new();
        let counts = [
            ("schedule_max_retries", self.max_retries, limits::SCHEDULE_RETRIES),
            (
                "schedule_max_doublings",
                self.max_doublings,
                limits::SCHEDULE_DOUBLINGS,
            ),
        ];
        for (option, value, accepted) in counts {
            if let Some(value) = value.filter(|value| !accepted.contain(*value)) {
                errors.push(Invalid::because(format!(
                    "{option} is {value}; Cloud Scheduler accepts {} to {}",
                    accepted.min, accepted.max
                )));
            }
        }
        let lengths = [
            ("schedule_min_backoff", self.min_backoff, limits::SCHEDULE_BACKOFF),
            ("schedule_max_backoff", self.max_backoff, limits::SCHEDULE_BACKOFF),
            (
                "attempt_deadline",
                self.attempt_deadline,
                limits::ATTEMPT_DEADLINE,
            ),
        ];
        for (option, value, accepted) in lengths {
            if let Some(value) = value.filter(|value| !accepted.contain(*value)) {
                errors.push(Invalid::because(format!(
                    "{option} is {value:?}; Cloud Scheduler accepts {:?} to {:?}",
                    accepted.min, accepted.max
                )));
            }
        }
        if let (Some(min), Some(max)) = (self.min_backoff, self.max_backoff)
            && min > max
        {
            errors.push(Invalid::because(format!(
                "schedule_min_backoff is {min:?}, which is more than schedule_max_backoff, {max:?}"
            )));
        }
        if let Some(length) = self.description.map(|text| text.chars().count())
            && length > limits::DESCRIPTION_CHARS
        {
            errors.push(Invalid::because(format!(
                "its description has {length} characters; Cloud Scheduler accepts at most {}",
                limits::DESCRIPTION_CHARS
            )));
        }
        errors
    }
}
