//! A crate of tasks that a test binary names, so that the linker keeps it.

use cloud_tasks::{Context, Task, TaskResult, task};
use serde::{Deserialize, Serialize};

/// A task that says how long its text is.
#[derive(Debug, Deserialize, Serialize)]
pub struct Measure {
    /// What is measured.
    pub text: String,
}

#[task(aliases = ["MeasureText"])]
impl Task for Measure {
    async fn run(self, _cx: Context) -> TaskResult<usize> {
        Ok(self.text.len())
    }
}
