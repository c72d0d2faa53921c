//! What is sent after a commit, and only then.

use cloud_tasks::commit::CommitHooks;
use cloud_tasks::testing::simulation::Cloud;
use cloud_tasks::{
    BoxError, Context, Discard, Message, PublisherTask, SubscriberTask, Task, TaskResult, task,
};
use serde::{Deserialize, Serialize};

use super::ledger::{Ledger, call};
use super::tasks::shop;

#[derive(Serialize, Deserialize)]
struct Checkout {
    number: u32,
    end: End,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
enum End {
    Commit,
    Rollback,
    /// The `COMMIT` is refused.
    Deadlock,
}

#[task]
impl Task for Checkout {
    async fn run(self, cx: Context<Ledger>) -> TaskResult {
        let Self { number, end } = self;
        let mut hooks = CommitHooks::new();
        call().await;
        Receipt { number }.asap().on_commit(&mut hooks)?;
        CheckedOut { number }.sync().on_commit(&mut hooks)?;
        call().await;
        if let End::Rollback = end {
            cx.state().add(&format!("rollback {number}"));
            return Ok(());
        }
        let database = cx.state().clone();
        let committed = hooks.commit_with(move |hooks| async move {
            call().await;
            if let End::Deadlock = end {
                return Err(BoxError::from("deadlock"));
            }
            database.add(&format!("row {number}"));
            call().await;
            hooks.run().await?;
            Ok(())
        });
        match (committed.await, end) {
            (Err(error), End::Deadlock) => Err(Discard::new(error.to_string()))?,
            (committed, _) => Ok(committed?),
        }
    }
}

fn check_committed(ledger: &Ledger, what: &str, number: u32) {
    if ledger.count(&format!("row {number}")) == 0 {
        ledger.wrong(format!("{what} {number} was sent without a commit"));
    }
    ledger.add(&format!("{what} {number}"));
}

#[derive(Serialize, Deserialize)]
struct Receipt {
    number: u32,
}

#[task]
impl Task for Receipt {
    async fn run(self, cx: Context<Ledger>) -> TaskResult {
        check_committed(cx.state(), "receipt", self.number);
        Ok(())
    }
}

#[derive(Serialize, Deserialize)]
struct CheckedOut {
    number: u32,
}

#[task(topic = "checked-out")]
impl PublisherTask for CheckedOut {}

struct Stocktaking;

#[task]
impl SubscriberTask for Stocktaking {
    async fn run(message: Message<CheckedOut>, cx: Context<Ledger>) -> TaskResult {
        check_committed(cx.state(), "stock", message.content.number);
        Ok(())
    }
}

/// A request of a user, whose client may hang up at each await.
async fn check_out(number: u32, database: Ledger) -> Result<(), BoxError> {
    let mut hooks = CommitHooks::new();
    Receipt { number }.asap().on_commit(&mut hooks)?;
    CheckedOut { number }.sync().on_commit(&mut hooks)?;
    call().await;
    hooks
        .commit_with(move |hooks| async move {
            call().await;
            database.add(&format!("row {number}"));
            call().await;
            hooks.run().await?;
            Ok::<_, BoxError>(())
        })
        .await
}

/// What is committed is sent. Nobody tries it again, so a process that dies, and a publish that is refused, are another matter.
pub async fn a_client_that_hangs_up_during_a_commit_changes_nothing(cloud: Cloud) -> Result<(), BoxError> {
    let ledger = Ledger::default();
    let shop = shop(&cloud, &ledger);

    for number in 0..4 {
        let _ = shop.request(check_out(number, ledger.clone())).await;
    }
    cloud.run_for(std::time::Duration::from_secs(300)).await;
    cloud.settle().await;

    ledger.check();
    for number in 0..4 {
        let sent = |what: &str| ledger.count(&format!("{what} {number}")) > 0;
        assert_eq!(
            (sent("receipt"), sent("stock")),
            (sent("row"), sent("row")),
            "{number}"
        );
    }
    Ok(())
}

/// What committed is sent, since a task that could not send it is attempted again.
pub async fn nothing_is_sent_without_its_commit(cloud: Cloud) -> Result<(), BoxError> {
    let ledger = Ledger::default();
    let shop = shop(&cloud, &ledger);

    for (number, end) in [(1, End::Commit), (2, End::Rollback), (3, End::Deadlock)] {
        let sent = shop.run(Checkout { number, end }.asap()).await;
        if let End::Commit = end {
            ledger.expect(&format!("receipt {number}"), &sent);
            ledger.expect(&format!("stock {number}"), &sent);
        }
    }
    cloud.settle().await;

    ledger.check();
    for number in [2, 3] {
        assert_eq!(ledger.count(&format!("receipt {number}")), 0);
        assert_eq!(ledger.count(&format!("stock {number}")), 0);
    }
    Ok(())
}
