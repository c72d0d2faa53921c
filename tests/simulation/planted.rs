//! Handlers with a bug, which the simulator finds, and the same handlers without it.

use std::time::Duration;

use cloud_tasks::backend::RetrySettings;
use cloud_tasks::dead_letters::Dead;
use cloud_tasks::idempotency::MemoryStore;
use cloud_tasks::testing::simulation::{Cloud, Failure, Simulation};
use cloud_tasks::{BoxError, Config, Context, Discard, Runtime, Task, TaskResult, task};
use serde::{Deserialize, Serialize};
use tokio::time::sleep;

use crate::scenarios::idempotent::bank;
use crate::scenarios::ledger::{Ledger, call};
use crate::scenarios::tasks::shop;

/// Whether a handler has its bug.
#[derive(Clone, Copy, Serialize, Deserialize)]
enum Version {
    Planted,
    Fixed,
}
use Version::{Fixed, Planted};

/// The bug is found within 100 seeds, and its history is short; the fixed version passes.
#[track_caller]
fn assert_found<F>(test: F) -> Failure
where
    F: AsyncFn(Cloud, Version) -> Result<(), BoxError>,
{
    let found = Simulation::new()
        .seeds(100)
        .explore(async |cloud| test(cloud, Planted).await);
    let failure = *found.expect_err("the bug was not found");
    let steps = failure.history().steps().len();
    assert!(steps <= 30, "{steps} steps: {failure}");
    let fixed = Simulation::new()
        .seeds(200)
        .explore(async |cloud| test(cloud, Fixed).await);
    match fixed {
        Ok(report) => assert!(report.faults() > 100, "{report:?}"),
        Err(failure) => panic!("the fixed version: {failure}"),
    }
    failure
}

/// Charges an invoice. The bank takes its number as a key, and charges once.
#[derive(Serialize, Deserialize)]
struct Charge {
    invoice: u64,
    version: Version,
}

#[task]
impl Task for Charge {
    async fn run(self, cx: Context<Ledger>) -> TaskResult {
        call().await;
        match self.version {
            Planted => drop(cx.state().add("charge")),
            Fixed => cx.state().add_once("charge"),
        }
        Ok(())
    }
}

#[test]
fn a_handler_without_idempotency_is_found() {
    assert_found(async |cloud, version| {
        let ledger = Ledger::default();
        let shop = shop(&cloud, &ledger);
        shop.run(Charge { invoice: 7, version }.asap()).await?;
        cloud.settle().await;
        assert_eq!(ledger.count("charge"), 1);
        Ok(())
    });
}

/// Notes that it has mailed a user.
#[derive(Serialize, Deserialize)]
struct Welcome {
    version: Version,
}

#[task]
impl Task for Welcome {
    async fn run(self, cx: Context<Ledger>) -> TaskResult {
        let ledger = cx.state();
        if ledger.count("noted") > 0 {
            return Ok(());
        }
        match self.version {
            Planted => {
                ledger.add("noted");
                call().await;
                ledger.add("mail");
            }
            Fixed => {
                call().await;
                ledger.add("mail");
                ledger.add("noted");
            }
        }
        Ok(())
    }
}

#[test]
fn a_note_that_is_written_before_the_effect_is_found() {
    assert_found(async |cloud, version| {
        let ledger = Ledger::default();
        let shop = shop(&cloud, &ledger);
        shop.run(Welcome { version }.asap()).await?;
        cloud.settle().await;
        assert!(ledger.count("mail") > 0, "no mail was sent");
        Ok(())
    });
}

/// Is declined, and refunded by its hook.
#[derive(Serialize, Deserialize)]
struct Booked {
    version: Version,
}

#[task(max_attempts = 2)]
impl Task for Booked {
    async fn run(self, _cx: Context<Ledger>) -> TaskResult {
        Err("declined")?
    }

    async fn on_dead(self, _dead: Dead, cx: Context<Ledger>) -> TaskResult {
        call().await;
        match self.version {
            Planted => drop(cx.state().add("refund")),
            Fixed => cx.state().add_once("refund"),
        }
        Ok(())
    }
}

#[test]
fn a_hook_that_is_not_idempotent_is_found() {
    assert_found(async |cloud, version| {
        let ledger = Ledger::default();
        let shop = shop(&cloud, &ledger);
        shop.run(Booked { version }.asap()).await?;
        cloud.settle().await;
        assert_eq!(ledger.count("refund"), 1);
        Ok(())
    });
}

#[derive(Serialize, Deserialize)]
struct OpenAccount;

#[task]
impl Task for OpenAccount {
    async fn run(self, cx: Context<Ledger>) -> TaskResult {
        call().await;
        cx.state().add_once("account");
        Ok(())
    }
}

/// Reads the account, which was opened by the task before.
#[derive(Serialize, Deserialize)]
struct Deposit {
    version: Version,
}

#[task]
impl Task for Deposit {
    async fn run(self, cx: Context<Ledger>) -> TaskResult {
        if cx.state().count("account") == 0 {
            match self.version {
                Planted => Err(Discard::new("there is no such account"))?,
                Fixed => Err("the account is not open yet")?,
            }
        }
        cx.state().add_once("deposit");
        Ok(())
    }
}

#[test]
fn a_read_that_assumes_order_is_found() {
    assert_found(async |cloud, version| {
        let ledger = Ledger::default();
        let shop = shop(&cloud, &ledger);
        shop.run(OpenAccount.asap()).await?;
        cloud.run_for(Duration::from_secs(1)).await;
        shop.run(Deposit { version }.asap()).await?;
        cloud.settle().await;
        assert_eq!(ledger.count("deposit"), 1);
        Ok(())
    });
}

/// Answers before it has archived anything.
#[derive(Serialize, Deserialize)]
struct Archive {
    version: Version,
}

#[task]
impl Task for Archive {
    async fn run(self, cx: Context<Ledger>) -> TaskResult {
        let ledger = cx.state().clone();
        let archiving = Runtime::current()?.spawn(async move {
            sleep(Duration::from_secs(1)).await;
            ledger.add_once("archived");
        });
        if let Fixed = self.version {
            archiving.await?;
        }
        Ok(())
    }
}

#[test]
fn an_acknowledgement_before_the_effect_is_found() {
    assert_found(async |cloud, version| {
        let ledger = Ledger::default();
        let shop = shop(&cloud, &ledger);
        shop.run(Archive { version }.asap()).await?;
        cloud.settle().await;
        cloud.run_for(Duration::from_secs(5)).await;
        assert_eq!(ledger.count("archived"), 1);
        Ok(())
    });
}

#[derive(Serialize, Deserialize)]
struct Ship {
    order: u64,
}

#[task(idempotent)]
impl Task for Ship {
    async fn run(self, cx: Context<Ledger>) -> TaskResult {
        call().await;
        // One transaction at the carrier, by the id of the task.
        let id = cx.metadata().id().unwrap_or_default();
        if cx.state().add(&format!("task {id}")) == 1 {
            cx.state().add("parcel");
        }
        Ok(())
    }
}

#[test]
fn a_retry_that_creates_twice_is_found() {
    assert_found(async |cloud, version| {
        let ledger = Ledger::default();
        let state = ledger.clone();
        let store = MemoryStore::new();
        let shop = cloud.service("shop", move || {
            // Without retries of the library a create has no name.
            let retry = match version {
                Planted => RetrySettings::off(),
                Fixed => RetrySettings::default(),
            };
            Runtime::simulated()
                .config(Config::default().with_enqueue_retry(retry))
                .state(state.clone())
                .idempotency(store.clone())
        });
        match version {
            Planted => while shop.run(Ship { order: 7 }.asap()).await.is_err() {},
            Fixed => drop(shop.run(Ship { order: 7 }.asap()).await?),
        }
        cloud.settle().await;
        assert_eq!(ledger.count("parcel"), 1);
        Ok(())
    });
}

/// Both services note what they did for an order.
#[derive(Serialize, Deserialize)]
struct Confirmed {
    service: String,
    version: Version,
}

#[task]
impl Task for Confirmed {
    async fn run(self, cx: Context<Ledger>) -> TaskResult {
        let (ledger, service) = (cx.state().clone(), self.service);
        let key = match self.version {
            Planted => "order-7".to_owned(),
            Fixed => format!("{service}-order-7"),
        };
        let effect = async {
            call().await;
            ledger.add_once(&format!("{service} has seen it"));
            Ok::<_, BoxError>(())
        };
        cx.once(key, effect).await?;
        Ok(())
    }
}

#[test]
fn a_key_that_omits_the_service_is_found() {
    assert_found(async |cloud, version| {
        let (ledger, store) = (Ledger::default(), MemoryStore::new());
        for name in ["billing", "mailing"] {
            let (state, store) = (ledger.clone(), store.clone());
            let service = cloud.service(name, move || {
                Runtime::simulated()
                    .state(state.clone())
                    .idempotency(store.clone())
            });
            let service_name = name.to_owned();
            let confirmed = Confirmed {
                service: service_name,
                version,
            };
            service.run(confirmed.asap()).await?;
        }
        cloud.settle().await;
        for name in ["billing", "mailing"] {
            assert_eq!(ledger.count(&format!("{name} has seen it")), 1, "{name}");
        }
        Ok(())
    });
}

/// The bank takes the invoice as a key of its own, and the store remembers what is done.
#[derive(Serialize, Deserialize)]
struct ChargeByKey {
    invoice: u64,
}

#[task(idempotent)]
impl Task for ChargeByKey {
    async fn run(self, cx: Context<Ledger>) -> TaskResult {
        call().await;
        cx.state().add_once(&format!("charge {}", self.invoice));
        Ok(())
    }
}

#[test]
fn an_idempotent_handler_with_a_key_is_the_same_in_both_runs_of_each_seed() {
    let report = Simulation::new().seeds(100).twice().run(async |cloud| {
        let ledger = Ledger::default();
        let bank = bank(&cloud, &ledger);
        bank.run(ChargeByKey { invoice: 7 }.asap()).await?;
        cloud.settle().await;
        assert_eq!(ledger.count("charge 7"), 1);
        Ok(())
    });

    assert!(report.faults() > 100, "{report:?}");
}
