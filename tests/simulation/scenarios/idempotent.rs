//! Idempotent tasks and messages, and effects with keys.
//!
//! What excludes faults: a process that dies between an effect and its record, and a record that cannot be written. The guide
//! says that neither is promised.

use std::time::Duration;

use cloud_tasks::idempotency::MemoryStore;
use cloud_tasks::testing::simulation::{Cloud, Service};
use cloud_tasks::{
    BoxError, Context, Message, PublisherTask, Runtime, SubscriberTask, Task, TaskResult, task,
};
use serde::{Deserialize, Serialize};
use tokio::time::sleep;

use super::ledger::{Ledger, call};

/// A service with two instances that share this ledger and a store.
pub fn bank(cloud: &Cloud, ledger: &Ledger) -> Service {
    let (state, store) = (ledger.clone(), MemoryStore::new());
    let bank = cloud.service("bank", move || {
        Runtime::simulated()
            .state(state.clone())
            .idempotency(store.clone())
    });
    bank.instances(2)
}

/// Takes longer than a lease.
#[derive(Serialize, Deserialize)]
struct Settlement {
    number: u32,
}

#[task(idempotent)]
impl Task for Settlement {
    async fn run(self, cx: Context<Ledger>) -> TaskResult {
        let what = format!("settlement {}", self.number);
        let _alone = cx.state().alone(&what);
        for _ in 0..4 {
            sleep(Duration::from_secs(12)).await;
        }
        cx.state().add(&what);
        Ok(())
    }
}

/// By lease, under skewed clocks, and whatever happens to the store and its clients.
pub async fn a_claim_is_held_by_one_run_at_a_time(cloud: Cloud) -> Result<(), BoxError> {
    let ledger = Ledger::default();
    let bank = bank(&cloud, &ledger);

    for number in 0..2 {
        let sent = bank.run(Settlement { number }.asap()).await;
        ledger.expect(&format!("settlement {number}"), &sent);
    }
    cloud.settle().await;

    ledger.check();
    Ok(())
}

#[derive(Serialize, Deserialize)]
struct Capture {
    number: u32,
}

#[task(idempotent)]
impl Task for Capture {
    async fn run(self, cx: Context<Ledger>) -> TaskResult {
        call().await;
        cx.state().add(&format!("capture {}", self.number));
        Ok(())
    }
}

async fn capture(cloud: &Cloud) -> Ledger {
    let ledger = Ledger::default();
    let bank = bank(cloud, &ledger);
    for number in 0..3 {
        let sent = bank.run(Capture { number }.asap()).await;
        ledger.expect(&format!("capture {number}"), &sent);
    }
    cloud.settle().await;
    ledger
}

pub async fn an_idempotent_task_has_its_effect_once(cloud: Cloud) -> Result<(), BoxError> {
    let ledger = capture(&cloud).await;

    ledger.check();
    ledger.check_once("capture");
    Ok(())
}

/// A success that cannot be recorded is answered as a success, so it is repeated only if its answer is lost too.
pub async fn a_store_that_fails_doubles_nothing_that_is_answered(cloud: Cloud) -> Result<(), BoxError> {
    let ledger = capture(&cloud).await;

    ledger.check();
    ledger.check_once("capture");
    Ok(())
}

#[derive(Serialize, Deserialize)]
struct Payment {
    number: u32,
}

#[task(topic = "payments")]
impl PublisherTask for Payment {}

struct Book;

#[task(idempotent)]
impl SubscriberTask for Book {
    async fn run(message: Message<Payment>, cx: Context<Ledger>) -> TaskResult {
        call().await;
        cx.state().add(&format!("payment {}", message.content.number));
        cx.state().add(&format!("message {}", message.id));
        Ok(())
    }
}

struct Thank;

#[task]
impl SubscriberTask for Thank {
    async fn run(message: Message<Payment>, cx: Context<Ledger>) -> TaskResult {
        let (ledger, number) = (cx.state().clone(), message.content.number);
        cx.once(format!("thank-{number}"), async {
            call().await;
            ledger.add(&format!("thanks {number}"));
            Ok::<_, BoxError>(())
        })
        .await?;
        call().await;
        ledger.add_once(&format!("handled {number}"));
        Ok(())
    }
}

async fn pay(cloud: &Cloud, effects: &[&str]) -> Ledger {
    let ledger = Ledger::default();
    let bank = bank(cloud, &ledger);
    for number in 0..2 {
        let sent = bank.run(Payment { number }.sync()).await;
        for effect in effects {
            ledger.expect(&format!("{effect} {number}"), &sent);
        }
    }
    cloud.settle().await;
    ledger
}

/// Each message, since one event may become two messages.
pub async fn an_idempotent_message_has_its_effect_once(cloud: Cloud) -> Result<(), BoxError> {
    let ledger = pay(&cloud, &["payment"]).await;

    ledger.check();
    ledger.check_once("message");
    Ok(())
}

/// Also if the event is published twice, and if what follows the effect fails.
pub async fn an_effect_with_a_key_happens_once(cloud: Cloud) -> Result<(), BoxError> {
    let ledger = pay(&cloud, &["thanks", "handled"]).await;

    ledger.check();
    ledger.check_once("thanks");
    Ok(())
}

/// Its effect is in the database that records it.
#[derive(Serialize, Deserialize)]
struct Booking {
    number: u32,
}

#[task]
impl Task for Booking {
    async fn run(self, cx: Context<Ledger>) -> TaskResult {
        call().await;
        // One transaction: the record that it is done, and the row.
        if cx.state().add(&format!("done {}", self.number)) == 1 {
            cx.state().add(&format!("booking {}", self.number));
        }
        call().await;
        Ok(())
    }
}

/// Exactly once, without any exception.
pub async fn an_effect_and_its_record_in_one_transaction_happen_once(cloud: Cloud) -> Result<(), BoxError> {
    let ledger = Ledger::default();
    let bank = bank(&cloud, &ledger);

    for number in 0..3 {
        let sent = bank.run(Booking { number }.asap()).await;
        ledger.expect(&format!("booking {number}"), &sent);
    }
    cloud.settle().await;

    ledger.check();
    ledger.check_once("booking");
    Ok(())
}
