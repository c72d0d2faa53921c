//! An option that is not known is answered with those that are, and with the one that was probably meant.

use cloud_tasks::{Context, Task, TaskResult, task};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct Typo;

#[task(queu = "emails")]
impl Task for Typo {
    async fn run(self, _cx: Context) -> TaskResult {
        Ok(())
    }
}

#[derive(Serialize, Deserialize)]
struct Case;

#[task(Timeout = "15m")]
impl Task for Case {
    async fn run(self, _cx: Context) -> TaskResult {
        Ok(())
    }
}

#[derive(Serialize, Deserialize)]
struct Other;

#[task(retries = 5, queue = "emails")]
impl Task for Other {
    async fn run(self, _cx: Context) -> TaskResult {
        Ok(())
    }
}

#[derive(Serialize, Deserialize)]
struct Keyword;

#[task(type)]
impl Task for Keyword {
    async fn run(self, _cx: Context) -> TaskResult {
        Ok(())
    }
}

#[derive(Serialize, Deserialize)]
struct Called;

#[task(name("Other"), unknown(a, b), queue = "not a queue")]
impl Task for Called {
    async fn run(self, _cx: Context) -> TaskResult {
        Ok(())
    }
}

#[derive(Serialize, Deserialize)]
struct Cron;

#[task(cron = "0 9 * * *", delay = "5m", dlq = "dead")]
impl Task for Cron {
    async fn run(self, _cx: Context) -> TaskResult {
        Ok(())
    }
}

fn main() {}
