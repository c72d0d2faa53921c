//! The options of retries, as literals and as constants, with a hook and without.
#![deny(warnings)]

use cloud_tasks::dead_letters::Dead;
use cloud_tasks::{Context, PublisherTask, Task, TaskResult, task};
use serde::{Deserialize, Serialize};

const MOST: u32 = 3;
const DEAD: &str = "dead-tasks";

#[derive(Serialize, Deserialize)]
struct Charge {
    invoice: u64,
}

#[task(max_attempts = 5, dead_letter_topic = "dead-tasks")]
impl Task for Charge {
    async fn run(self, _: Context<String>) -> TaskResult<u64> {
        Ok(self.invoice)
    }

    async fn on_dead(self, dead: Dead, cx: Context<String>) -> TaskResult<()> {
        let _told = (self.invoice, dead.error(), cx.state().len());
        Ok(())
    }
}

#[derive(Serialize, Deserialize)]
struct Constants;

#[task(max_attempts = MOST, dead_letter_topic = DEAD)]
impl Task for Constants {
    async fn run(self, _: Context) -> TaskResult {
        Ok(())
    }
}

#[derive(Serialize, Deserialize)]
struct Placed;

#[task(max_attempts = 2147483647, dead_letter_topic = "projects/p/topics/dead")]
impl PublisherTask for Placed {}
