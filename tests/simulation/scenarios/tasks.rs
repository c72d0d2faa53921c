//! Tasks: at least once, whatever happens.

use std::future::pending;
use std::time::Duration;

use cloud_tasks::testing::simulation::{Cloud, Service};
use cloud_tasks::{BoxError, Config, Context, Discard, RetryAfter, Runtime, Task, TaskResult, task};
use serde::{Deserialize, Serialize};
use tokio::time::sleep;

use super::ledger::{Ledger, call};

/// A service with two instances that keeps this ledger.
pub fn shop(cloud: &Cloud, ledger: &Ledger) -> Service {
    let state = ledger.clone();
    let shop = cloud.service("shop", move || Runtime::simulated().state(state.clone()));
    shop.instances(2)
}

#[derive(Serialize, Deserialize)]
struct Order {
    number: u32,
}

#[task]
impl Task for Order {
    async fn run(self, cx: Context<Ledger>) -> TaskResult {
        call().await;
        cx.state().add(&format!("order {}", self.number));
        OrderMail { number: self.number }.asap().await?;
        Ok(())
    }
}

#[derive(Serialize, Deserialize)]
struct OrderMail {
    number: u32,
}

#[task(queue = "mails")]
impl Task for OrderMail {
    async fn run(self, cx: Context<Ledger>) -> TaskResult {
        cx.state().add(&format!("mail {}", self.number));
        Ok(())
    }
}

/// One service takes orders and runs nothing; the other runs them, and its tasks enqueue tasks.
pub async fn every_task_of_two_services_runs(cloud: Cloud) -> Result<(), BoxError> {
    let ledger = Ledger::default();
    let shop = shop(&cloud, &ledger);
    let web = cloud.service("web", || {
        let config = Config::default().with_endpoint("https://shop.simulated");
        Runtime::simulated().config(config).enqueue_only()
    });

    for number in 0..4 {
        let from = if number % 2 == 0 { &web } else { &shop };
        let sent = from.run(Order { number }.asap()).await;
        ledger.expect(&format!("order {number}"), &sent);
        ledger.expect(&format!("mail {number}"), &sent);
    }
    cloud.settle().await;

    ledger.check();
    Ok(())
}

#[derive(Serialize, Deserialize)]
struct Stubborn {
    number: u32,
    how: Failing,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
enum Failing {
    Error,
    Panic,
    Hang,
    Later,
    Discard,
}

#[task(timeout = "15s")]
impl Task for Stubborn {
    async fn run(self, cx: Context<Ledger>) -> TaskResult {
        let Self { number, how } = self;
        if cx.state().add(&format!("run {number}")) > 2 {
            cx.state().add(&format!("success {number}"));
            return Ok(());
        }
        match how {
            Failing::Error => Err("not today")?,
            Failing::Panic => panic!("on fire"),
            Failing::Hang => pending().await,
            Failing::Later => Err(RetryAfter::new(Duration::from_secs(30)))?,
            Failing::Discard => Err(Discard::new("gone"))?,
        }
    }
}

/// A panic, an error and a passed deadline are retried; a discard is the end.
pub async fn a_failed_task_is_retried_until_it_succeeds_or_is_discarded(
    cloud: Cloud,
) -> Result<(), BoxError> {
    let ledger = Ledger::default();
    let shop = shop(&cloud, &ledger);

    let all = [
        Failing::Error,
        Failing::Panic,
        Failing::Hang,
        Failing::Later,
        Failing::Discard,
    ];
    for (number, how) in (0..).zip(all) {
        let sent = shop.run(Stubborn { number, how }.asap()).await;
        match how {
            Failing::Discard => ledger.expect(&format!("run {number}"), &sent),
            _ => ledger.expect(&format!("success {number}"), &sent),
        }
    }
    cloud.settle().await;

    ledger.check();
    Ok(())
}

#[derive(Serialize, Deserialize)]
struct Reminder {
    number: u32,
    seconds: u64,
}

#[task]
impl Task for Reminder {
    async fn run(self, cx: Context<Ledger>) -> TaskResult {
        let (ledger, elapsed) = (cx.state(), cx.state().elapsed());
        if elapsed < Duration::from_secs(self.seconds) {
            ledger.wrong(format!("reminder {} ran after {elapsed:?}", self.number));
        }
        ledger.add(&format!("reminder {}", self.number));
        Ok(())
    }
}

/// `later(..)` is the earliest time, and not the latest.
pub async fn no_task_runs_before_its_time(cloud: Cloud) -> Result<(), BoxError> {
    let ledger = Ledger::default();
    let shop = shop(&cloud, &ledger);

    for (number, seconds) in [(0, 60), (1, 5), (2, 86_400)] {
        let later = Duration::from_secs(seconds);
        let sent = shop.run(Reminder { number, seconds }.later(later)).await;
        ledger.expect(&format!("reminder {number}"), &sent);
    }
    cloud.settle().await;

    ledger.check();
    Ok(())
}

#[derive(Serialize, Deserialize)]
struct Parcel {
    number: u32,
}

#[task(queue = "parcels")]
impl Task for Parcel {
    async fn run(self, cx: Context<Ledger>) -> TaskResult {
        sleep(Duration::from_secs(2)).await;
        cx.state().add(&format!("parcel {}", self.number));
        Ok(())
    }
}

/// The results are those of the tasks, in their order.
pub async fn every_task_of_a_bulk_enqueue_that_succeeded_runs(cloud: Cloud) -> Result<(), BoxError> {
    let ledger = Ledger::default();
    let shop = shop(&cloud, &ledger);

    let parcels = (0..6).map(|number| Parcel { number });
    let results = shop.run(Parcel::asap_all(parcels).concurrency(3)).await;
    assert_eq!(results.len(), 6);
    for (number, sent) in results.iter().enumerate() {
        ledger.expect(&format!("parcel {number}"), sent);
    }
    cloud.settle().await;

    ledger.check();
    Ok(())
}

/// Sends parcels while the service is deployed, and waits until all have ended.
async fn deploy(cloud: &Cloud, shop: &Service, ledger: &Ledger) {
    for number in 0..6 {
        let sent = shop.run(Parcel { number }.asap()).await;
        ledger.expect(&format!("parcel {number}"), &sent);
        match number {
            1 => shop.scale(3).await,
            2 => shop.stop_one(),
            3 => cloud.run_for(Duration::from_millis(1_500)).await,
            4 => shop.scale(1).await,
            _ => {}
        }
    }
    cloud.settle().await;
}

/// A service is scaled, stopped and killed while it works.
pub async fn stops_kills_and_scaling_lose_nothing(cloud: Cloud) -> Result<(), BoxError> {
    let ledger = Ledger::default();
    let shop = shop(&cloud, &ledger);

    shop.run(async {}).await;
    shop.kill_one();
    deploy(&cloud, &shop, &ledger).await;

    ledger.check();
    Ok(())
}

/// With a grace period that is long enough, a run ends and is answered. Nothing is delivered twice here.
pub async fn a_deployment_neither_cuts_off_nor_doubles_a_run(cloud: Cloud) -> Result<(), BoxError> {
    let ledger = Ledger::default();
    let shop = shop(&cloud, &ledger);

    deploy(&cloud, &shop, &ledger).await;

    ledger.check();
    ledger.check_once("parcel");
    Ok(())
}

/// Requests wait for their turn, or are turned away and come again.
pub async fn a_concurrency_limit_loses_nothing(cloud: Cloud) -> Result<(), BoxError> {
    let ledger = Ledger::default();
    let state = ledger.clone();
    let shop = cloud.service("shop", move || {
        let builder = Runtime::simulated().state(state.clone()).max_concurrency(1);
        builder.max_concurrency_wait(Duration::from_secs(1))
    });

    for number in 0..5 {
        let sent = shop.run(Parcel { number }.asap()).await;
        ledger.expect(&format!("parcel {number}"), &sent);
    }
    cloud.settle().await;

    ledger.check();
    Ok(())
}
