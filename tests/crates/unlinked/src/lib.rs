//! A crate of tasks that no test binary names, so that the linker drops it, and its tasks with it.

use cloud_tasks::{Context, Task, TaskResult, task};
use serde::{Deserialize, Serialize};

/// A task that never runs.
#[derive(Debug, Deserialize, Serialize)]
pub struct Forgotten;

#[task]
impl Task for Forgotten {
    async fn run(self, _cx: Context) -> TaskResult {
        Ok(())
    }
}
