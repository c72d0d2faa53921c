//! A library of tasks and its tests, without a server: the tests are the example.
//!
//! ```text
//! cargo test --example testing_only
//! ```
#![allow(clippy::print_stdout, reason = "the output is for the person at the terminal")]

use cloud_tasks::{Context, Discard, Error, OrDiscard, Runtime, Task, TaskResult, task};
use serde::{Deserialize, Serialize};

/// What customers have ordered.
#[derive(Debug)]
struct Orders(Vec<(u64, &'static str)>);

/// Charges an order, and then ships it.
#[derive(Debug, Deserialize, Serialize)]
struct ChargeOrder {
    order: u64,
}

#[task(queue = "billing", max_attempts = 3)]
impl Task for ChargeOrder {
    async fn run(self, cx: Context<Orders>) -> TaskResult {
        let orders = &cx.state().0;
        let found = orders.iter().find(|(order, _)| *order == self.order);
        let (order, card) = *found.or_discard_because("there is no such order")?;
        match card {
            "stolen" => Err(Discard::new("the card is stolen"))?,
            "broken" => Err("the bank did not answer")?,
            _ => {}
        }
        ShipOrder { order }.asap().await?;
        Ok(())
    }
}

/// Ships an order.
#[derive(Debug, Deserialize, Serialize)]
struct ShipOrder {
    order: u64,
}

#[task]
impl Task for ShipOrder {
    async fn run(self, _cx: Context) -> TaskResult {
        println!("order {} is on its way", self.order);
        Ok(())
    }
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    // Eager mode runs each task at once, and the tasks that it enqueues.
    let runtime = Runtime::eager().state(Orders(vec![(1, "good")])).build().await?;
    runtime.scope(ChargeOrder { order: 1 }.asap()).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use cloud_tasks::testing::Recorder;

    use super::*;

    async fn recorded() -> (Runtime, Recorder) {
        let orders = Orders(vec![(1, "good"), (2, "stolen"), (3, "broken")]);
        Runtime::recorded().state(orders).build().await.unwrap()
    }

    #[tokio::test]
    async fn a_charged_order_is_shipped() {
        let (runtime, recorder) = recorded().await;

        ChargeOrder { order: 1 }.asap().on(&runtime).await.unwrap();
        recorder.drain().await.unwrap();

        assert_eq!(recorder.ran::<ShipOrder>().len(), 1);
    }

    #[tokio::test]
    async fn a_stolen_card_and_an_unknown_order_are_not_tried_again() {
        let (runtime, _recorder) = recorded().await;

        let stolen = runtime.perform(ChargeOrder { order: 2 }).await.unwrap();
        let unknown = runtime.perform(ChargeOrder { order: 9 }).await.unwrap();

        assert_eq!(stolen.assert_discarded().reason(), "the card is stolen");
        assert_eq!(unknown.assert_discarded().reason(), "there is no such order");
    }

    #[tokio::test]
    async fn a_bank_that_does_not_answer_is_asked_again() {
        let (runtime, recorder) = recorded().await;

        let performed = runtime
            .perform(ChargeOrder { order: 3 })
            .attempt(2)
            .await
            .unwrap();

        assert_eq!(performed.assert_failed().to_string(), "the bank did not answer");
        recorder.refute_enqueued::<ShipOrder>(|_| true);
    }
}
