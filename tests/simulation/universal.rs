//! What holds in every history fails where something of a user breaks it, although the test asserts nothing.
//!
//! What no user can break is tested beside the checks, in `src/testing/simulation/checks/tests.rs`.

use std::time::Duration;

use cloud_tasks::dead_letters::Dead;
use cloud_tasks::idempotency::{
    Claim, ClaimToken, IdempotencyKey, IdempotencyStore, MemoryStore, StoreFuture,
};
use cloud_tasks::testing::simulation::{Cloud, Simulation};
use cloud_tasks::{BoxError, Context, Runtime, Task, TaskResult, task};
use serde::{Deserialize, Serialize};

use crate::scenarios::ledger::{Ledger, call};
use crate::scenarios::tasks::shop;

/// What a store does wrong.
#[derive(Clone, Copy, PartialEq)]
enum Mistake {
    /// It forgets that an effect is done.
    Forgets,
    /// It takes every effect for done.
    AlwaysDone,
    /// It takes an effect for dead whose first run has failed.
    DeadTooEarly,
    /// It forgets that a task is dead.
    Revives,
}

struct Broken {
    store: MemoryStore,
    mistake: Mistake,
}

impl IdempotencyStore for Broken {
    fn begin<'a>(&'a self, key: &'a IdempotencyKey, lease: Duration) -> StoreFuture<'a, Claim> {
        Box::pin(async move {
            if self.mistake == Mistake::AlwaysDone {
                return Ok(Claim::Done);
            }
            match self.store.begin(key, lease).await? {
                Claim::Run { runs: 2, .. } if self.mistake == Mistake::DeadTooEarly => Ok(Claim::Dead),
                claim => Ok(claim),
            }
        })
    }

    fn renew<'a>(
        &'a self,
        key: &'a IdempotencyKey,
        token: &'a ClaimToken,
        lease: Duration,
    ) -> StoreFuture<'a, bool> {
        self.store.renew(key, token, lease)
    }

    fn complete<'a>(&'a self, key: &'a IdempotencyKey, token: &'a ClaimToken) -> StoreFuture<'a, bool> {
        Box::pin(async move {
            if self.mistake == Mistake::Forgets {
                self.store.release(key, token).await?;
                return Ok(true);
            }
            self.store.complete(key, token).await
        })
    }

    fn bury<'a>(&'a self, key: &'a IdempotencyKey, token: &'a ClaimToken) -> StoreFuture<'a, bool> {
        Box::pin(async move {
            if self.mistake == Mistake::Revives {
                self.store.release(key, token).await?;
                return Ok(true);
            }
            self.store.bury(key, token).await
        })
    }

    fn release<'a>(&'a self, key: &'a IdempotencyKey, token: &'a ClaimToken) -> StoreFuture<'a, ()> {
        self.store.release(key, token)
    }
}

#[derive(Serialize, Deserialize)]
struct Refund {
    is_declined: bool,
}

#[task(idempotent, max_attempts = 5)]
impl Task for Refund {
    async fn run(self, _cx: Context) -> TaskResult {
        call().await;
        if self.is_declined {
            Err("declined")?;
        }
        Ok(())
    }

    async fn on_dead(self, _dead: Dead, _cx: Context) -> TaskResult {
        Ok(())
    }
}

/// The reason for which a run with this store fails, within 200 seeds.
#[track_caller]
fn reason(mistake: Mistake, is_declined: bool) -> String {
    let found = Simulation::new().seeds(200).explore(async |cloud| {
        let shop = cloud.service("shop", move || {
            let store = MemoryStore::new();
            Runtime::simulated().idempotency(Broken { store, mistake })
        });
        shop.run(Refund { is_declined }.asap()).await?;
        Ok(())
    });
    found.expect_err("nothing failed").reason().to_owned()
}

#[track_caller]
fn assert_contains(reason: &str, text: &str) {
    assert!(reason.contains(text), "{reason}");
}

#[test]
fn a_store_that_forgets_an_effect_is_found() {
    assert_contains(
        &reason(Mistake::Forgets, false),
        "was claimed again after its end was recorded",
    );
}

#[test]
fn a_store_that_forgets_a_dead_task_is_found() {
    assert_contains(
        &reason(Mistake::Revives, true),
        "was claimed again after its end was recorded",
    );
}

#[test]
fn a_store_that_takes_everything_for_done_is_found() {
    assert_contains(&reason(Mistake::AlwaysDone, false), "but no handler has ended");
}

#[test]
fn a_store_that_takes_a_failed_task_for_dead_is_found() {
    assert_contains(
        &reason(Mistake::DeadTooEarly, true),
        "but it has only failed, and its hook has not run",
    );
}

#[derive(Serialize, Deserialize)]
struct Parked;

#[task(queue = "parked")]
impl Task for Parked {
    async fn run(self, _cx: Context) -> TaskResult {
        Ok(())
    }
}

#[test]
fn a_task_without_an_end_is_found() {
    let found = Simulation::new().seeds(1).explore(async |cloud: Cloud| {
        let shop = shop(&cloud, &Ledger::default());
        shop.run(async {
            Runtime::current()?.queue("parked").pause().await?;
            Parked.asap().await
        })
        .await?;
        Ok::<_, BoxError>(())
    });

    let failure = found.expect_err("nothing failed");
    assert_contains(failure.reason(), "the cloud has not settled in 62 days: Parked-1");
}

/// Writes a receipt after its end, while its instance may already stop.
#[derive(Serialize, Deserialize)]
struct WriteReceipt;

#[task]
impl Task for WriteReceipt {
    async fn run(self, cx: Context<Ledger>) -> TaskResult {
        let ledger = cx.state().clone();
        Runtime::current()?.spawn(async move {
            tokio::time::sleep(Duration::from_secs(5)).await;
            ledger.add("receipt");
        });
        Ok(())
    }
}

#[test]
fn a_cloud_is_settled_only_when_an_instance_that_stops_has_ended() {
    Simulation::new().seeds(1).run(async |cloud: Cloud| {
        let ledger = Ledger::default();
        let shop = shop(&cloud, &ledger);
        let sent = shop.run(WriteReceipt.asap()).await;
        ledger.expect("receipt", &sent);
        cloud.run_for(Duration::from_secs(1)).await;
        shop.scale(0).await;

        cloud.settle().await;

        ledger.check();
        Ok(())
    });
}
