//! The service that runs `Charge` and hears `OrderPlaced`. Its local engine stands in for Google.
#![allow(clippy::print_stdout, reason = "the lines are for the person at the terminal")]

use cloud_tasks::task::TaskHandler;
use cloud_tasks::{BoxError, Config, Context, Message, Runtime, SubscriberTask, TaskResult, task};
use tokio::net::TcpListener;
use two_services::{Charge, OrderPlaced};

struct ChargeInvoices;

#[task]
impl TaskHandler for ChargeInvoices {
    async fn run(task: Charge, _cx: Context) -> TaskResult {
        println!("billing: charged invoice {}", task.invoice);
        Ok(())
    }
}

struct WriteInvoices;

#[task]
impl SubscriberTask for WriteInvoices {
    async fn run(message: Message<OrderPlaced>, _cx: Context) -> TaskResult {
        println!("billing: heard of order {}", message.content.order);
        Ok(())
    }
}

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let endpoint = format!("http://{}", listener.local_addr()?);
    let config = Config::from_env()?
        .with_app_name("billing")
        .with_endpoint(&endpoint);
    // In production, and with CLOUD_TASKS_MODE, `Runtime::builder()`; here the launcher has to know the engine's address.
    let (runtime, engine) = Runtime::local().config(config).build().await?;
    println!("listening {endpoint} {}", engine.url());
    runtime.serve(listener, runtime.service()).await?;
    engine.stop().await;
    Ok(())
}
