//! A task that several tests send.

use cloud_tasks::task::Enqueue;
use cloud_tasks::{Context, Task, TaskResult, task};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
pub(crate) struct Welcome {
    pub(crate) user_id: u64,
}

#[task(queue = "emails")]
impl Task for Welcome {
    async fn run(self, _cx: Context) -> TaskResult {
        Ok(())
    }
}

pub(crate) fn welcome() -> Enqueue {
    Welcome { user_id: 7 }.asap()
}
