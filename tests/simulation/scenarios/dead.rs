//! Dead tasks: recorded, and their hooks run.

use std::time::Duration;

use cloud_tasks::dead_letters::Dead;
use cloud_tasks::idempotency::MemoryStore;
use cloud_tasks::queue::QueueSettings;
use cloud_tasks::testing::simulation::Cloud;
use cloud_tasks::{BoxError, Context, Message, Runtime, SubscriberTask, Task, TaskResult, task};
use serde::{Deserialize, Serialize};
use tokio::time::sleep;

use super::idempotent::bank;
use super::ledger::{Ledger, call};
use super::tasks::shop;

/// Keeps the records of dead tasks.
struct Coroner;

#[task(topic = "dead-promises")]
impl SubscriberTask for Coroner {
    async fn run(message: Message<serde_json::Value>, cx: Context<Ledger>) -> TaskResult {
        let task = message.attribute("task").unwrap_or_default();
        let id = message.attribute("id").unwrap_or_default();
        cx.state().add(&format!("record of {task} {id}"));
        Ok(())
    }
}

#[derive(Serialize, Deserialize)]
struct Declined {
    number: u32,
}

#[task(max_attempts = 3, dead_letter_topic = "dead-promises")]
impl Task for Declined {
    async fn run(self, _cx: Context<Ledger>) -> TaskResult {
        call().await;
        if self.number == 0 {
            return Ok(());
        }
        Err("the card was declined")?
    }

    async fn on_dead(self, _dead: Dead, cx: Context<Ledger>) -> TaskResult {
        call().await;
        cx.state().add(&format!("hook {}", self.number));
        Ok(())
    }
}

/// Or it is attempted again, until that has happened. The first task is healthy, and neither happens.
pub async fn a_task_that_dies_by_its_own_limit_is_recorded_and_its_hook_runs(
    cloud: Cloud,
) -> Result<(), BoxError> {
    let ledger = Ledger::default();
    let shop = shop(&cloud, &ledger);

    let mut sent = 0;
    for number in 0..3 {
        let result = shop.run(Declined { number }.asap()).await;
        if number > 0 {
            sent += usize::from(result.is_ok());
            ledger.expect(&format!("hook {number}"), &result);
        }
    }
    cloud.settle().await;

    ledger.check();
    assert!(ledger.counts("record of Declined").len() >= sent);
    // A process that is not killed sends nothing of a healthy task. One that is killed may use up all attempts.
    Ok(())
}

#[derive(Serialize, Deserialize)]
struct Overdrawn {
    number: u32,
}

#[task(idempotent, max_attempts = 2, dead_letter_topic = "dead-promises")]
impl Task for Overdrawn {
    async fn run(self, _cx: Context<Ledger>) -> TaskResult {
        call().await;
        Err("there is no money")?
    }

    async fn on_dead(self, _dead: Dead, cx: Context<Ledger>) -> TaskResult {
        sleep(Duration::from_secs(3)).await;
        cx.state().add(&format!("hook {}", self.number));
        Ok(())
    }
}

/// Also if its hook is slow and its answer is lost. A record that cannot be published is another matter: the hook waits for it.
pub async fn an_idempotent_task_dies_once(cloud: Cloud) -> Result<(), BoxError> {
    let ledger = Ledger::default();
    let bank = bank(&cloud, &ledger);

    for number in 0..2 {
        let sent = bank.run(Overdrawn { number }.asap()).await;
        ledger.expect(&format!("hook {number}"), &sent);
    }
    cloud.settle().await;

    ledger.check();
    ledger.check_once("hook");
    Ok(())
}

#[derive(Serialize, Deserialize)]
struct Hopeless {
    number: u32,
}

#[task(idempotent, queue = "short-lived", dead_letter_topic = "dead-promises")]
impl Task for Hopeless {
    async fn run(self, _cx: Context<Ledger>) -> TaskResult {
        call().await;
        Err("never")?
    }

    async fn on_dead(self, _dead: Dead, cx: Context<Ledger>) -> TaskResult {
        cx.state().add(&format!("hook {}", self.number));
        Ok(())
    }
}

/// Cut off, turned away or run: if the queue gives the task up, and the service was reached, there is a record.
pub async fn the_last_delivery_of_a_queue_leaves_a_record(cloud: Cloud) -> Result<(), BoxError> {
    let ledger = Ledger::default();
    let (state, store) = (ledger.clone(), MemoryStore::new());
    let bank = cloud.service("bank", move || {
        let queue = QueueSettings::new("short-lived");
        Runtime::simulated()
            .state(state.clone())
            .idempotency(store.clone())
            .queue(
                queue
                    .with_max_attempts(4)
                    .with_min_backoff(Duration::from_secs(5)),
            )
    });
    let bank = bank.instances(2);

    let mut sent = 0;
    for number in 0..3 {
        let result = bank.run(Hopeless { number }.asap()).await;
        sent += usize::from(result.is_ok());
        ledger.expect(&format!("hook {number}"), &result);
    }
    cloud.settle().await;

    ledger.check();
    assert!(ledger.counts("record of Hopeless").len() >= sent);
    Ok(())
}
