//! Messages: at least once, to those that want them, in the order of their keys.

use cloud_tasks::testing::simulation::{Cloud, Event};
use cloud_tasks::{BoxError, Context, Message, PublisherTask, SubscriberTask, TaskResult, task};
use futures_util::future::join_all;
use serde::{Deserialize, Serialize};

use super::ledger::{Ledger, call};
use super::tasks::shop;

#[derive(Serialize, Deserialize)]
struct Sold {
    number: u32,
}

#[task(topic = "sold")]
impl PublisherTask for Sold {}

struct Audit;

#[task]
impl SubscriberTask for Audit {
    async fn run(message: Message<Sold>, cx: Context<Ledger>) -> TaskResult {
        call().await;
        cx.state().add(&format!("audit {}", message.content.number));
        Ok(())
    }
}

struct AuditLarge;

#[task(filter = r#"attributes.large = "true""#)]
impl SubscriberTask for AuditLarge {
    async fn run(message: Message<Sold>, cx: Context<Ledger>) -> TaskResult {
        let number = message.content.number;
        if message.attribute("large") != Some("true") {
            cx.state().wrong(format!("{number} passed the filter"));
        }
        cx.state().add(&format!("large {number}"));
        Ok(())
    }
}

/// Published at once, or by a task.
pub async fn every_message_reaches_the_subscribers_that_want_it(cloud: Cloud) -> Result<(), BoxError> {
    let ledger = Ledger::default();
    let shop = shop(&cloud, &ledger);

    for number in 0..4 {
        let (sold, is_large) = (Sold { number }, number > 1);
        let large = is_large.to_string();
        let sent = if number % 2 == 0 {
            shop.run(sold.sync().attribute("large", large)).await.map(|_| ())
        } else {
            shop.run(sold.asap().attribute("large", large)).await.map(|_| ())
        };
        ledger.expect(&format!("audit {number}"), &sent);
        if is_large {
            ledger.expect(&format!("large {number}"), &sent);
        }
    }
    cloud.settle().await;

    ledger.check();
    assert_eq!((ledger.count("large 0"), ledger.count("large 1")), (0, 0));
    Ok(())
}

#[derive(Serialize, Deserialize)]
struct Moved {
    piece: u32,
    number: u32,
}

#[task(topic = "moved")]
impl PublisherTask for Moved {}

struct Board;

#[task(ordering)]
impl SubscriberTask for Board {
    async fn run(message: Message<Moved>, cx: Context<Ledger>) -> TaskResult {
        let Moved { piece, number } = message.content;
        if number > 0 && cx.state().count(&format!("move {piece} {}", number - 1)) == 0 {
            cx.state()
                .wrong(format!("move {number} of {piece} came before the one before it"));
        }
        call().await;
        cx.state().add(&format!("move {piece} {number}"));
        Ok(())
    }
}

/// Published one after the other, and all at once. What waits behind a message that is refused is refused too.
pub async fn messages_of_a_key_are_handled_in_order(cloud: Cloud) -> Result<(), BoxError> {
    let ledger = Ledger::default();
    let shop = shop(&cloud, &ledger);
    let publish = |piece: u32, number: u32| {
        let moved = Moved { piece, number }.sync().ordering_key(piece.to_string());
        shop.run(moved)
    };

    for number in 0..3 {
        let sent = publish(1, number).await;
        ledger.expect(&format!("move 1 {number}"), &sent);
        if sent.is_err() {
            break;
        }
    }
    let all = join_all((0..3).map(|number| publish(2, number))).await;
    for (number, sent) in all.iter().enumerate() {
        ledger.expect(&format!("move 2 {number}"), sent);
    }
    cloud.settle().await;

    ledger.check();
    Ok(())
}

#[derive(Serialize, Deserialize)]
struct Torn {
    number: u32,
}

#[task(topic = "torn")]
impl PublisherTask for Torn {}

struct ReadTorn;

#[task(max_retries = 5, dead_letter_topic = "torn-dead")]
impl SubscriberTask for ReadTorn {
    async fn run(_message: Message<Torn>, _cx: Context<Ledger>) -> TaskResult {
        Err("it is torn")?
    }
}

struct KeepTorn;

#[task(topic = "torn-dead")]
impl SubscriberTask for KeepTorn {
    async fn run(message: Message<Torn>, cx: Context<Ledger>) -> TaskResult {
        cx.state().add(&format!("kept {}", message.content.number));
        Ok(())
    }
}

pub async fn a_message_that_always_fails_goes_to_the_dead_letters(cloud: Cloud) -> Result<(), BoxError> {
    let ledger = Ledger::default();
    let shop = shop(&cloud, &ledger);

    for number in 0..2 {
        let sent = shop.run(Torn { number }.sync()).await;
        ledger.expect(&format!("kept {number}"), &sent);
    }
    cloud.settle().await;

    ledger.check();
    Ok(())
}

#[derive(Serialize, Deserialize)]
struct Shipped {
    number: u32,
}

#[task(topic = "shipped")]
impl PublisherTask for Shipped {}

struct Track;

#[task(use_cloud_tasks)]
impl SubscriberTask for Track {
    async fn run(message: Message<Shipped>, cx: Context<Ledger>) -> TaskResult {
        call().await;
        cx.state().add(&format!("tracked {}", message.content.number));
        Ok(())
    }
}

/// However often the message is delivered, as long as the name of the task is blocked.
pub async fn a_forwarded_message_becomes_one_task_that_runs(cloud: Cloud) -> Result<(), BoxError> {
    let ledger = Ledger::default();
    let shop = shop(&cloud, &ledger);

    for number in 0..3 {
        let sent = shop.run(Shipped { number }.sync()).await;
        ledger.expect(&format!("tracked {number}"), &sent);
    }
    cloud.settle().await;

    ledger.check();
    let history = cloud.history();
    let count = |event, beginning: &str| {
        let steps = history.steps().iter().filter(|step| step.event == event);
        steps.filter(|step| step.subject.starts_with(beginning)).count()
    };
    let (tasks, messages) = (
        count(Event::Created, "Track-"),
        count(Event::Published, "shipped-m"),
    );
    assert_eq!(tasks, messages);
    Ok(())
}
