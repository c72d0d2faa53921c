//! Tasks that several tests share.

use cloud_tasks::{Context, Task, TaskResult, task};
use serde::{Deserialize, Serialize};

pub(crate) use crate::support::http::{answer, post, send};
pub(crate) use crate::support::log::Log;

/// Adds, and says in which attempt.
#[derive(Debug, Deserialize, PartialEq, Serialize)]
pub(crate) struct Add {
    pub(crate) left: u64,
    pub(crate) right: u64,
}

#[task]
impl Task for Add {
    async fn run(self, cx: Context) -> TaskResult<String> {
        Ok(format!(
            "{} in attempt {}",
            self.left + self.right,
            cx.metadata().attempt()
        ))
    }
}

/// Writes a line into the log.
#[derive(Debug, Deserialize, PartialEq, Serialize)]
pub(crate) struct Note {
    pub(crate) text: String,
}

#[task(queue = "notes", timeout = "2m")]
impl Task for Note {
    async fn run(self, cx: Context<Log>) -> TaskResult {
        cx.state().write(self.text);
        Ok(())
    }
}
