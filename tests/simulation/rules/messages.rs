//! The rules of Pub/Sub. Sources: `google/pubsub/v1/pubsub.proto`, <https://cloud.google.com/pubsub/docs/push>,
//! <https://cloud.google.com/pubsub/docs/handling-failures>.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use cloud_tasks::testing::simulation::{Cloud, Event, History, Service};
use cloud_tasks::{BoxError, Context, Message, PublisherTask, Runtime, SubscriberTask, TaskResult, task};
use serde::{Deserialize, Serialize};

use super::{calm, pauses, times};

/// The deliveries, in order: subscriber, number of the letter, delivery attempt, attributes.
#[derive(Clone, Default)]
struct Deliveries(Arc<Mutex<Vec<Delivery>>>);

#[derive(Clone, Debug, PartialEq)]
struct Delivery {
    subscriber: &'static str,
    number: u32,
    attempt: Option<u32>,
    attributes: BTreeMap<String, String>,
}

impl Deliveries {
    fn of(&self, subscriber: &str) -> Vec<Delivery> {
        let all = self.0.lock().unwrap();
        all.iter()
            .filter(|delivery| delivery.subscriber == subscriber)
            .cloned()
            .collect()
    }

    fn numbers(&self, subscriber: &str) -> Vec<u32> {
        self.of(subscriber)
            .iter()
            .map(|delivery| delivery.number)
            .collect()
    }
}

/// Each subscriber fails it so often, and then takes it.
#[derive(Clone, Serialize, Deserialize)]
struct Letter {
    number: u32,
    fails: usize,
}

#[task(topic = "rule-letters")]
impl PublisherTask for Letter {}

fn deliver(subscriber: &'static str, message: &Message<Letter>, cx: &Context<Deliveries>) -> TaskResult {
    let Letter { number, fails } = message.content;
    let before = cx.state().numbers(subscriber);
    cx.state().0.lock().unwrap().push(Delivery {
        subscriber,
        number,
        attempt: message.delivery_attempt,
        attributes: message.attributes.clone(),
    });
    if before.iter().filter(|other| **other == number).count() < fails {
        Err("it was told to")?;
    }
    Ok(())
}

macro_rules! subscriber {
    ($name:ident, $topic:literal $(, $option:ident = $value:literal)* $(, [$flag:ident])*) => {
        struct $name;

        #[task(topic = $topic $(, $option = $value)* $(, $flag)*)]
        impl SubscriberTask for $name {
            async fn run(message: Message<Letter>, cx: Context<Deliveries>) -> TaskResult {
                deliver(stringify!($name), &message, &cx)
            }
        }
    };
}

subscriber!(RuleImmediate, "rule-letters");
subscriber!(
    RulePatient,
    "rule-letters",
    min_backoff = "10s",
    max_backoff = "60s"
);
subscriber!(RuleBooks, "rule-letters", filter = "attributes.kind = \"book\"");
subscriber!(
    RuleOrdered,
    "rule-letters",
    min_backoff = "10s",
    max_backoff = "10s",
    [ordering]
);
subscriber!(
    RuleMortal,
    "rule-letters",
    dead_letter_topic = "rule-dead",
    max_retries = 6,
    min_backoff = "10s",
    max_backoff = "10s",
    [ordering]
);
subscriber!(RuleUndertaker, "rule-dead");

/// Does not answer within the deadline the first time.
struct RuleSleeper;

#[task(topic = "rule-sleepers", ack_deadline = "30s")]
impl SubscriberTask for RuleSleeper {
    async fn run(message: Message<Letter>, cx: Context<Deliveries>) -> TaskResult {
        deliver("RuleSleeper", &message, &cx)?;
        if cx.state().numbers("RuleSleeper").len() == 1 {
            std::future::pending::<()>().await;
        }
        Ok(())
    }
}

#[derive(Serialize, Deserialize)]
struct Bedtime {
    number: u32,
    fails: usize,
}

#[task(topic = "rule-sleepers")]
impl PublisherTask for Bedtime {}

#[expect(
    clippy::needless_pass_by_value,
    reason = "a closure is written where it is passed"
)]
fn letters<F>(publish: F) -> (Deliveries, History)
where
    F: AsyncFn(&Cloud, &Service) -> Result<(), BoxError>,
{
    let deliveries = Deliveries::default();
    let history = calm(async |cloud| {
        let state = deliveries.clone();
        let shop = cloud.service("shop", move || Runtime::simulated().state(state.clone()));
        publish(cloud, &shop).await
    });
    (deliveries, history)
}

#[test]
fn a_push_without_a_retry_policy_backs_off_from_a_tenth_of_a_second_to_a_minute() {
    let (_, history) = letters(async |_, shop| {
        shop.run(Letter { number: 1, fails: 12 }.sync()).await?;
        Ok(())
    });

    let pauses = pauses(&history, "rule-letters-m1>RuleImmediate");
    assert_eq!(pauses[..4], [100, 200, 400, 800]);
    assert_eq!(pauses[9..], [51_200, 60_000, 60_000]);
}

#[test]
fn a_push_with_a_retry_policy_backs_off_from_its_shortest_to_its_longest_pause() {
    let (deliveries, history) = letters(async |_, shop| {
        shop.run(Letter { number: 1, fails: 5 }.sync()).await?;
        Ok(())
    });

    let pauses = pauses(&history, "rule-letters-m1>RulePatient");
    assert_eq!(pauses, [10_000, 20_000, 40_000, 60_000, 60_000]);
    // Only a subscription with a dead-letter policy counts.
    assert!(
        deliveries
            .of("RulePatient")
            .iter()
            .all(|delivery| delivery.attempt.is_none())
    );
}

#[test]
fn a_message_reaches_a_service_whose_instances_have_all_died() {
    let (deliveries, _) = letters(async |cloud, shop| {
        let writer = cloud.service("writer", || Runtime::simulated().enqueue_only());
        cloud.run_for(Duration::from_secs(1)).await;
        shop.kill_one();
        writer.run(Letter { number: 1, fails: 0 }.sync()).await?;
        Ok(())
    });

    assert_eq!(deliveries.numbers("RuleImmediate"), [1]);
}

#[test]
fn a_message_that_does_not_match_a_filter_is_not_delivered() {
    let (deliveries, _) = letters(async |_, shop| {
        for (number, kind) in [(1, "book"), (2, "hat"), (3, "book")] {
            shop.run(Letter { number, fails: 0 }.sync().attribute("kind", kind))
                .await?;
        }
        shop.run(Letter { number: 4, fails: 0 }.sync()).await?;
        Ok(())
    });

    let mut books = deliveries.numbers("RuleBooks");
    books.sort_unstable();
    assert_eq!(books, [1, 3]);
    assert_eq!(deliveries.numbers("RuleImmediate").len(), 4);
}

#[test]
fn a_message_that_fails_blocks_its_ordering_key_and_no_other() {
    let (deliveries, _) = letters(async |_, shop| {
        for (number, fails, key) in [(1, 2, "a"), (2, 0, "a"), (3, 0, "b"), (4, 0, "a")] {
            shop.run(Letter { number, fails }.sync().ordering_key(key))
                .await?;
        }
        Ok(())
    });

    let delivered = deliveries.numbers("RuleOrdered");
    let of_a: Vec<_> = delivered.iter().filter(|number| **number != 3).collect();
    assert_eq!(of_a, [&1, &1, &1, &2, &4]);
    // Ten seconds before the second delivery of the first.
    assert_eq!(delivered.iter().position(|number| *number == 3), Some(1));
}

#[test]
fn a_message_that_fails_too_often_goes_to_the_dead_letter_topic_and_frees_its_key() {
    let (deliveries, history) = letters(async |_, shop| {
        let first = Letter { number: 1, fails: 6 }.sync().ordering_key("a");
        shop.run(first.attribute("kind", "hat")).await?;
        shop.run(Letter { number: 2, fails: 0 }.sync().ordering_key("a"))
            .await?;
        Ok(())
    });

    let mortal = deliveries.of("RuleMortal");
    let attempts: Vec<_> = mortal
        .iter()
        .map(|delivery| (delivery.number, delivery.attempt))
        .collect();
    let expected: Vec<_> = (1..=6)
        .map(|attempt| (1, Some(attempt)))
        .chain([(2, Some(1))])
        .collect();
    assert_eq!(attempts, expected);
    let dead = &deliveries.of("RuleUndertaker")[0];
    let time = &dead.attributes["CloudPubSubDeadLetterSourceTopicPublishTime"];
    assert!(time.ends_with("+00:00"), "{time}");
    let others = [
        ("CloudPubSubDeadLetterSourceDeliveryCount", "6"),
        ("CloudPubSubDeadLetterSourceSubscription", "RuleMortal"),
        ("CloudPubSubDeadLetterSourceSubscriptionProject", "simulated"),
        ("kind", "hat"),
    ];
    for (name, value) in others {
        assert_eq!(
            dead.attributes.get(name).map(String::as_str),
            Some(value),
            "{name}"
        );
    }
    assert_eq!(dead.number, 1);
    let given_up = times(&history, "rule-letters-m1>RuleMortal", Event::GivenUp);
    assert_eq!(given_up.len(), 1);
}

#[test]
fn a_push_that_is_not_answered_within_the_ack_deadline_is_repeated() {
    let (deliveries, history) = letters(async |_, shop| {
        shop.run(Bedtime { number: 1, fails: 0 }.sync()).await?;
        Ok(())
    });

    assert_eq!(deliveries.numbers("RuleSleeper"), [1, 1]);
    let attempts = times(&history, "rule-sleepers-m1>RuleSleeper", Event::Attempt);
    let between = attempts[1].saturating_sub(attempts[0]);
    // The service answers a little earlier, so that its answer still arrives.
    assert!(
        between > Duration::from_secs(20) && between < Duration::from_secs(31),
        "{between:?}"
    );
}
