//! The example of the guide on simulations: its failure is printed there.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use cloud_tasks::testing::simulate;
use cloud_tasks::testing::simulation::{Event, Fault, Simulation};
use cloud_tasks::{Context, Runtime, Task, TaskResult, task};
use serde::{Deserialize, Serialize};

/// Outside of all processes: the bank, and the database of the shop.
#[derive(Clone, Default)]
struct Outside {
    charges: Arc<Mutex<BTreeMap<u64, u32>>>,
    paid: Arc<Mutex<BTreeMap<u64, bool>>>,
}

impl Outside {
    async fn charge(&self, invoice: u64) {
        tokio::time::sleep(Duration::from_millis(20)).await;
        *self.charges.lock().unwrap().entry(invoice).or_default() += 1;
    }

    async fn charge_with_key(&self, invoice: u64) {
        tokio::time::sleep(Duration::from_millis(20)).await;
        self.charges.lock().unwrap().entry(invoice).or_insert(1);
    }

    async fn is_paid(&self, invoice: u64) -> bool {
        tokio::time::sleep(Duration::from_millis(2)).await;
        self.paid.lock().unwrap().contains_key(&invoice)
    }

    async fn set_paid(&self, invoice: u64) {
        tokio::time::sleep(Duration::from_millis(2)).await;
        self.paid.lock().unwrap().insert(invoice, true);
    }
}

#[derive(Serialize, Deserialize)]
struct ChargeRenewal {
    invoice: u64,
}

#[task]
impl Task for ChargeRenewal {
    async fn run(self, cx: Context<Outside>) -> TaskResult {
        if cx.state().is_paid(self.invoice).await {
            return Ok(());
        }
        cx.state().charge(self.invoice).await;
        cx.state().set_paid(self.invoice).await;
        Ok(())
    }
}

#[derive(Serialize, Deserialize)]
struct ChargeRenewalOnce {
    invoice: u64,
}

#[task]
impl Task for ChargeRenewalOnce {
    async fn run(self, cx: Context<Outside>) -> TaskResult {
        if cx.state().is_paid(self.invoice).await {
            return Ok(());
        }
        cx.state().charge_with_key(self.invoice).await;
        cx.state().set_paid(self.invoice).await;
        Ok(())
    }
}

#[test]
fn a_renewal_that_charges_before_it_records_is_found_and_replayed() {
    let explore = |from| {
        Simulation::new().from_seed(from).explore(async |cloud| {
            let outside = Outside::default();
            let state = outside.clone();
            let shop = cloud.service("shop", move || Runtime::simulated().state(state.clone()));
            shop.instances(2).run(ChargeRenewal { invoice: 7 }.asap()).await?;
            cloud.settle().await;
            assert_eq!(outside.charges.lock().unwrap().get(&7), Some(&1), "charges");
            Ok(())
        })
    };

    let failure = *explore(0).expect_err("the bug was not found");
    let again = *explore(failure.seed()).expect_err("the seed does not fail again");

    assert_eq!(failure.to_string(), again.to_string());
    assert_eq!(failure.history().count(Event::Created), 1);
    assert!(failure.history().steps().len() <= 30, "{failure}");
    assert!(!failure.faults().contains(&Fault::ClockSkew), "{failure}");
}

#[test]
fn a_renewal_whose_bank_knows_a_key_charges_once() {
    simulate(150, async |cloud| {
        let outside = Outside::default();
        let state = outside.clone();
        let shop = cloud.service("shop", move || Runtime::simulated().state(state.clone()));
        shop.instances(2)
            .run(ChargeRenewalOnce { invoice: 7 }.asap())
            .await?;
        cloud.settle().await;
        assert_eq!(outside.charges.lock().unwrap().get(&7), Some(&1), "charges");
        Ok(())
    });
}
