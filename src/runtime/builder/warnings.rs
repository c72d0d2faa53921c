//! Combinations of settings that build, and lose tasks.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::registry::Registry;
use crate::registry::queue_settings::QueueSettings;
use crate::registry::subscription::Subscription;
use crate::runtime::builder::Parts;

/// A queue should not give up sooner than a service restarts.
const RESTART: Duration = Duration::from_secs(10);

impl Parts {
    /// Warns of queues and subscriptions that give tasks up sooner than a service restarts, or than a lease ends.
    pub(super) fn warn_of_short_retries(&self, registry: &Registry) {
        for warning in self.short_retries(registry) {
            tracing::warn!("{warning}");
        }
    }

    fn short_retries(&self, registry: &Registry) -> Vec<String> {
        let mut tasks: BTreeMap<&str, (Vec<&str>, bool)> = BTreeMap::new();
        for registration in registry.registrations() {
            let queue = registration.queue.unwrap_or(self.config.default_queue());
            let (names, idempotent) = tasks.entry(queue).or_default();
            names.push(registration.name);
            *idempotent |= registration.idempotent && self.idempotency.is_some();
        }
        let of_queues = self.queues.iter().filter_map(|settings| {
            let (_, idempotent) = tasks.get(settings.name())?;
            let attempts = settings.attempts().filter(|attempts| *attempts > 1)?;
            let span = settings.retried_for(attempts);
            let (least, reason) = self.least(*idempotent);
            (span < least).then(|| {
                format!(
                    "the queue {:?} gives its tasks up after {attempts} attempts within {span:?}, {reason}: give it more \
                     attempts or a longer min_backoff",
                    settings.name()
                )
            })
        });
        let of_subscriptions = registry.subscriptions().iter().filter_map(|subscription| {
            let idempotent = registry.by_name(subscription.task)?.registration.idempotent;
            let (deliveries, span) = given_up_after(subscription)?;
            let (least, reason) = self.least(idempotent && self.idempotency.is_some());
            (idempotent && span < least).then(|| {
                format!(
                    "the subscription {:?} sends its messages to the dead-letter topic after {deliveries} deliveries, possibly \
                     within {span:?}, {reason}: set `max_retries` or `min_backoff` higher",
                    subscription.name
                )
            })
        });
        of_queues.chain(of_subscriptions).collect()
    }

    /// For how long a task should be retried at least, and why.
    fn least(&self, idempotent: bool) -> (Duration, String) {
        if idempotent && self.lease > RESTART {
            let reason = format!(
                "which is sooner than the claim of a process that has died ends ({:?})",
                self.lease
            );
            return (self.lease, reason);
        }
        (RESTART, "which is sooner than a service restarts".to_owned())
    }
}

/// The number of deliveries after which Pub/Sub gives a message up, and the shortest time that they take.
fn given_up_after(subscription: &Subscription) -> Option<(u32, Duration)> {
    subscription.dead_letter_topic.as_ref()?;
    let deliveries = subscription.max_retries.unwrap_or(DELIVERIES);
    let pause = subscription.min_backoff.unwrap_or_default();
    Some((deliveries, pause.saturating_mul(deliveries.saturating_sub(1))))
}

/// Source: `google.pubsub.v1.DeadLetterPolicy.max_delivery_attempts`.
const DELIVERIES: u32 = 5;

impl QueueSettings {
    /// The sum of the pauses between so many attempts. What is not set has the service's default.
    fn retried_for(&self, attempts: u32) -> Duration {
        let min = self.min_backoff().unwrap_or(Duration::from_millis(100));
        let max = self.max_backoff().unwrap_or(Duration::from_secs(3600)).max(min);
        let doublings = self.max_doublings().unwrap_or(16);
        let step = min.saturating_mul(2_u32.saturating_pow(doublings));
        let (mut pause, mut total) = (min, Duration::ZERO);
        for number in 1..attempts {
            total = total.saturating_add(pause);
            if total > Duration::from_secs(24 * 60 * 60) {
                // Long enough for everything.
                break;
            }
            // It doubles, and then grows by the same amount each time.
            let next = if number <= doublings {
                pause.saturating_mul(2)
            } else {
                pause.saturating_add(step)
            };
            pause = next.min(max);
        }
        total
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pauses_of_a_queue_are_added_as_cloud_tasks_makes_them() {
        let seconds = Duration::from_secs;
        let documented = QueueSettings::new("q")
            .with_min_backoff(seconds(10))
            .with_max_backoff(seconds(300))
            .with_max_doublings(3);
        // 10, 20, 40, 80, 160, 240, 300, 300: the example of `google.cloud.tasks.v2.RetryConfig.max_doublings`.
        for (attempts, expected) in [(1, 0), (2, 10), (5, 150), (7, 550), (9, 1150)] {
            assert_eq!(documented.retried_for(attempts), seconds(expected), "{attempts}");
        }
        let unset = QueueSettings::new("q");
        assert_eq!(unset.retried_for(5), Duration::from_millis(1500));
        assert!(unset.retried_for(u32::MAX) > seconds(24 * 60 * 60));
        let zero = unset.with_min_backoff(Duration::ZERO);
        assert_eq!(zero.retried_for(100), Duration::ZERO);
        let longest = zero.with_min_backoff(Duration::MAX).with_max_doublings(1000);
        assert_eq!(longest.retried_for(100), Duration::MAX);
    }
}
