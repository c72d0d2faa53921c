//! Options take constant expressions.
#![deny(warnings)]

use std::time::Duration;

use cloud_tasks::{Context, Task, TaskResult, task};
use serde::{Deserialize, Serialize};

const QUEUE: &str = "emails";

const fn minutes(count: u64) -> Duration {
    Duration::from_secs(60 * count)
}

const fn old(number: usize) -> &'static str {
    ["Old", "Older"][number]
}

mod names {
    pub const NAME: &str = concat!("emails", ".", "welcome");
}

#[derive(Serialize, Deserialize)]
struct Constants;

impl Constants {
    const OLDEST: &'static str = "Oldest";
}

#[task(
    name = names::NAME,
    aliases = [old(0), old(1), Self::OLDEST, { "Block" }, concat!("Con", "cat")],
    queue = QUEUE,
    timeout = minutes(2),
)]
impl Task for Constants {
    async fn run(self, _cx: Context) -> TaskResult {
        Ok(())
    }
}

#[derive(Serialize, Deserialize)]
struct Macros;

#[task(name = concat!("a", ".", "b"), queue = if true { QUEUE } else { "slow" }, timeout = Duration::from_secs(20))]
impl Task for Macros {
    async fn run(self, _cx: Context) -> TaskResult {
        Ok(())
    }
}
