//! The service that enqueues `Charge` and publishes `OrderPlaced`. It runs nothing: no state, no routes, no endpoint.
//!
//! Where `billing` is, the environment says: `CLOUD_TASKS_SERVICE_BILLING`.
#![allow(clippy::print_stdout, reason = "the lines are for the person at the terminal")]

use cloud_tasks::task::SharedTask;
use cloud_tasks::{BoxError, Config, PublisherTask, Runtime};
use two_services::{Charge, OrderPlaced};

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let config = Config::from_env()?.with_app_name("shop");
    let runtime = Runtime::builder().config(config).enqueue_only().build().await?;
    // A deployment does this: `shop initialize-tasks`.
    runtime.setup().only_queues().plan().await?.apply().await?;
    OrderPlaced { order: 7 }.sync().on(&runtime).await?;
    println!("shop: published order 7");
    Charge { invoice: 7 }.asap().on(&runtime).await?;
    println!("shop: enqueued the charge of invoice 7");
    runtime.flush().await;
    Ok(())
}
