//! Every mistake is said at once.

use cloud_tasks::{Task, task};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct All(u8);

#[task(queue = "my_queue", timeout = 15, nme = "Other")]
impl Task for All {
    async fn run(&self, cx: &str) -> u8 {
        let _ = cx;
        self.0
    }
}

fn main() {}
