//! Unique tasks: one is created while its name is blocked.

use std::time::Duration;

use cloud_tasks::testing::simulation::{Cloud, Event};
use cloud_tasks::{BoxError, Context, Task, TaskResult, task};
use futures_util::future::join_all;
use serde::{Deserialize, Serialize};

use super::idempotent::bank;
use super::ledger::{Ledger, call};
use super::tasks::shop;

/// How many tasks of this type were created.
fn created(cloud: &Cloud, task: &str) -> usize {
    let history = cloud.history();
    let steps = history.steps().iter();
    let created = steps.filter(|step| step.event == Event::Created);
    created
        .filter(|step| {
            step.subject
                .rsplit_once('-')
                .is_some_and(|(name, _)| name == task)
        })
        .count()
}

#[derive(Serialize, Deserialize)]
struct Statement {
    customer: u32,
    asked: u32,
}

#[task(unique(by = ["customer"]))]
impl Task for Statement {
    async fn run(self, cx: Context<Ledger>) -> TaskResult {
        call().await;
        cx.state().add("statement");
        Ok(())
    }
}

/// Whoever enqueues them, at once and later.
pub async fn of_equal_unique_tasks_one_is_created(cloud: Cloud) -> Result<(), BoxError> {
    let ledger = Ledger::default();
    let shop = shop(&cloud, &ledger);

    let at_once = join_all((0..4).map(|asked| shop.run(Statement { customer: 7, asked }.asap()))).await;
    cloud.settle().await;
    let later = shop
        .run(
            Statement {
                customer: 7,
                asked: 5,
            }
            .asap(),
        )
        .await;
    for sent in at_once.iter().chain([&later]) {
        ledger.expect("statement", sent);
    }
    cloud.settle().await;

    ledger.check();
    assert!(created(&cloud, "Statement") <= 1);
    Ok(())
}

#[derive(Serialize, Deserialize)]
struct Migrate;

#[task(only_once)]
impl Task for Migrate {
    async fn run(self, cx: Context<Ledger>) -> TaskResult {
        cx.state().add("migration");
        Ok(())
    }
}

pub async fn a_task_that_is_once_only_is_created_once(cloud: Cloud) -> Result<(), BoxError> {
    let ledger = Ledger::default();
    let shop = shop(&cloud, &ledger);

    for _ in 0..3 {
        ledger.expect("migration", &shop.run(Migrate.asap()).await);
        cloud.run_for(Duration::from_secs(600)).await;
    }
    cloud.settle().await;

    ledger.check();
    assert!(created(&cloud, "Migrate") <= 1);
    Ok(())
}

#[derive(Serialize, Deserialize)]
struct Link {
    chain: u32,
    left: u32,
}

#[task(unique)]
impl Task for Link {
    async fn run(self, cx: Context<Ledger>) -> TaskResult {
        let Self { chain, left } = self;
        cx.state().add_once(&format!("link {chain} {left}"));
        if left > 0 {
            Self {
                chain,
                left: left - 1,
            }
            .asap()
            .await?;
        }
        call().await;
        Ok(())
    }
}

/// A task that is run again within an hour enqueues the next one again, which is a duplicate.
pub async fn a_chain_of_unique_tasks_has_each_link_once(cloud: Cloud) -> Result<(), BoxError> {
    let ledger = Ledger::default();
    let shop = shop(&cloud, &ledger);

    let sent = shop.run(Link { chain: 1, left: 4 }.asap()).await;
    for left in 0..=4 {
        ledger.expect(&format!("link 1 {left}"), &sent);
    }
    cloud.settle().await;

    ledger.check();
    // The names of links are free again an hour after their ends at the earliest. A link whose run is repeated later enqueues the
    // next one anew.
    let history = cloud.history();
    let lasted = history.steps().last().map_or(Duration::ZERO, |step| step.at);
    assert!(created(&cloud, "Link") <= 5 || lasted > Duration::from_secs(3_600));
    Ok(())
}

#[derive(Serialize, Deserialize)]
struct Accrue {
    account: u32,
}

#[task(unique, idempotent)]
impl Task for Accrue {
    async fn run(self, cx: Context<Ledger>) -> TaskResult {
        call().await;
        cx.state().add("interest");
        Ok(())
    }
}

/// A day after its end a name is free. The task is then another one, and runs, although the one before is recorded.
pub async fn an_id_that_is_free_again_is_another_run(cloud: Cloud) -> Result<(), BoxError> {
    let ledger = Ledger::default();
    let bank = bank(&cloud, &ledger);

    let mut sent = 0;
    for _ in 0..2 {
        let result = bank.run(Accrue { account: 7 }.asap()).await;
        sent += u32::from(result.is_ok());
        ledger.expect("interest", &result);
        cloud.settle().await;
        cloud.run_for(Duration::from_secs(25 * 60 * 60)).await;
    }

    ledger.check();
    let (ran, created) = (ledger.count("interest"), created(&cloud, "Accrue"));
    assert!(ran >= sent, "{ran} of {sent} ran");
    assert_eq!(usize::try_from(ran)?, created);
    Ok(())
}
