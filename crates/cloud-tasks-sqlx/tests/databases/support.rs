//! What the tests on all databases share, and the fixtures that the tests of cloud-tasks use too.

use std::collections::BTreeSet;
use std::io::Write;
use std::pin::Pin;
use std::sync::{Arc, Mutex};

use cloud_tasks::{Context, Task, TaskResult, task};
use serde::{Deserialize, Serialize};

#[path = "../../../../tests/support/commit.rs"]
pub(crate) mod commit;
#[path = "../../../../tests/support/deliveries.rs"]
pub(crate) mod deliveries;
#[path = "../../../../tests/support/effects.rs"]
mod effects;
#[path = "../../../../tests/support/store_contract.rs"]
pub(crate) mod store_contract;

/// The URL of a server. Where there is none, its tests do nothing, and the first one of a process says so.
pub(crate) fn server(variable: &'static str) -> Option<String> {
    static SKIPPED: Mutex<BTreeSet<&str>> = Mutex::new(BTreeSet::new());
    let url = std::env::var(variable).ok().filter(|url| !url.is_empty());
    if url.is_none() && SKIPPED.lock().unwrap().insert(variable) {
        // Not `eprintln!`, which the test harness hides.
        let text =
            format!("SKIPPED: all tests that need {variable}, which is not set; `.ci/databases` sets it\n");
        let _ = std::io::stderr().write_all(text.as_bytes());
    }
    url
}

/// The database under test; without its server, the test ends here.
macro_rules! database {
    () => {
        match super::Database::new().await {
            Some(database) => database,
            None => return,
        }
    };
}
pub(crate) use database;

/// Books a number.
#[derive(Deserialize, Serialize)]
pub(crate) struct Book {
    number: i64,
}

#[task(aliases = ["BookNumber"])]
impl Task for Book {
    async fn run(self, cx: Context<Bookkeeper>) -> TaskResult {
        cx.state().0.book(self.number).await
    }
}

/// The table in which numbers are booked, in any database.
pub(crate) trait Bookings: Send + Sync {
    fn book(&self, number: i64) -> Pin<Box<dyn Future<Output = TaskResult> + Send + '_>>;
}

#[derive(Clone)]
pub(crate) struct Bookkeeper(pub(crate) Arc<dyn Bookings>);

impl Bookkeeper {
    /// For programs of which no test books anything.
    pub(crate) fn idle() -> Self {
        struct Closed;
        impl Bookings for Closed {
            fn book(&self, number: i64) -> Pin<Box<dyn Future<Output = TaskResult> + Send + '_>> {
                Box::pin(async move { Err(format!("nothing is booked here, not even {number}"))? })
            }
        }
        Self(Arc::new(Closed))
    }
}
