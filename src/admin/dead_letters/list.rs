//! Listing dead tasks.

use std::pin::Pin;
use std::time::Duration;

use serde::Serialize;

use crate::admin::dead_letters::dead_tasks::{Choice, DeadTasks, UnreplayedTask};
use crate::admin::dead_letters::reading::Read;
use crate::base::{DeadTask, Error};

/// A list of dead tasks; nothing happens until it is awaited, and it changes nothing.
///
/// It leases the messages while it reads, so a concurrent replay does not see them; they are released at the end. See
/// [`DeadTasks`] for an example.
#[must_use = "nothing is looked at until this is awaited"]
#[derive(Clone, Debug)]
pub struct ListDead {
    dead: DeadTasks,
    choice: Choice,
}

/// The result of a list, in no particular order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct DeadList {
    /// The dead tasks.
    pub tasks: Vec<DeadTask>,
    /// Messages that are not records of dead tasks.
    pub unreadable: Vec<UnreplayedTask>,
}

impl ListDead {
    pub(crate) fn new(dead: DeadTasks) -> Self {
        let choice = Choice {
            limit: 100,
            ..Choice::all()
        };
        Self { dead, choice }
    }

    /// Selects only tasks with this name.
    pub fn task(mut self, name: impl Into<String>) -> Self {
        self.choice.task = Some(name.into());
        self
    }

    /// Sets the maximum number of tasks; default 100, at most 1,000, which is the number that Pub/Sub leases at once.
    pub fn limit(mut self, tasks: usize) -> Self {
        self.choice.limit = tasks;
        self
    }

    /// Sets how long to wait for another message before the list ends; default 5 seconds. The local engine does not
    /// need to wait.
    pub fn idle_timeout(mut self, time: Duration) -> Self {
        self.choice.idle_timeout = time;
        self
    }

    async fn look(self) -> Result<DeadList, Error> {
        let mut list = DeadList::default();
        let mut letters = self.dead.open(&self.choice).await?;
        // Leased, so that no message arrives twice.
        let mut held = Vec::new();
        let looked = loop {
            let found = list.tasks.len() + list.unreadable.len();
            let missing = self.choice.limit.saturating_sub(found);
            if missing == 0 {
                break Ok(());
            }
            match letters.next(self.choice.ahead(missing)).await {
                Ok(Read::Letter(letter)) => {
                    match DeadTask::decode(&letter.data) {
                        Ok(task) if self.choice.takes(&task) => list.tasks.push(task),
                        Ok(_) => {}
                        Err(reason) => list.unreadable.push(UnreplayedTask::unread(&letter, &reason)),
                    }
                    held.push(letter.claim);
                }
                Ok(Read::NoMore | Read::Full) => break Ok(()),
                Err(error) => break Err(error),
            }
        };
        letters.close(held).await;
        looked.map(|()| list)
    }
}

impl IntoFuture for ListDead {
    type Output = Result<DeadList, Error>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.look())
    }
}
