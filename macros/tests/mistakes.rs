//! Constants are not seen by the attribute: `build()` checks them, and names the place.

use cloud_tasks::{Context, Runtime, Task, TaskResult, task};
use serde::{Deserialize, Serialize};

const QUEUE: &str = "not_a_queue";

#[derive(Serialize, Deserialize)]
struct Mistaken;

#[task(queue = QUEUE)]
impl Task for Mistaken {
    async fn run(self, _cx: Context) -> TaskResult {
        Ok(())
    }
}

#[tokio::test(flavor = "current_thread")]
async fn a_mistaken_constant_is_reported_at_the_line_of_the_attribute() {
    let refused = Runtime::recorded()
        .build()
        .await
        .map(drop)
        .map_err(|error| error.to_string());

    let message = refused.unwrap_err();
    assert!(
        message.contains("not_a_queue") && message.contains("mistakes.rs:11)"),
        "{message}"
    );
}
