//! Creating the table: from several processes at once, and under any name.

use std::io::Write;
use std::process::Stdio;

use cloud_tasks::idempotency::{Claim, IdempotencyStore};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use super::queries::{number, text};
use super::{INDEXES, SCHEMA_OF_TABLES};
use crate::integration::IdempotencyTable;
use crate::support::database;
use crate::support::store_contract::{LEASE, claim};

/// Set in the processes that create tables: the place of their database.
const PLACE: &str = "TEST_CREATING_PLACE";
/// The lines that they print.
const READY: &str = "ready";
const CREATED: &str = "created";

/// Creates the tables whose names it reads, in the processes that the next test starts; otherwise it does nothing.
#[tokio::test]
async fn the_creator() {
    let Ok(place) = std::env::var(PLACE) else {
        return;
    };
    let pool = super::Database::connected_to(&place).await;
    let mut names = BufReader::new(tokio::io::stdin()).lines();
    // The test harness has left an unfinished line.
    writeln!(std::io::stdout(), "\n{READY}").unwrap();
    while let Some(name) = names.next_line().await.unwrap() {
        let table = IdempotencyTable::new(&pool).table(&name).unwrap();
        table.create().await.unwrap();
        writeln!(std::io::stdout(), "{CREATED}").unwrap();
    }
}

struct Creator {
    _process: Child,
    names: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
}

impl Creator {
    fn start(place: &str) -> Self {
        // Without the name of the crate.
        let (_, module) = module_path!().split_once("::").unwrap();
        let mut process = Command::new(std::env::current_exe().unwrap())
            .args([&format!("{module}::the_creator"), "--exact", "--nocapture"])
            .env(PLACE, place)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let names = process.stdin.take().unwrap();
        let output = BufReader::new(process.stdout.take().unwrap()).lines();
        Self {
            _process: process,
            names,
            output,
        }
    }

    /// Waits for a line. A process that fails prints none.
    async fn says(&mut self, expected: &str) {
        loop {
            let line = self.output.next_line().await.unwrap();
            if line.expect("the process failed") == expected {
                return;
            }
        }
    }
}

#[tokio::test]
async fn four_processes_that_create_the_table_at_once_all_succeed_each_time() {
    let database = database!();
    let mut creators: Vec<_> = (0..4).map(|_| Creator::start(&database.place())).collect();
    for creator in &mut creators {
        creator.says(READY).await;
    }

    for round in 0..10 {
        let name = format!("round_{round}");
        for creator in &mut creators {
            let line = format!("{name}\n");
            creator.names.write_all(line.as_bytes()).await.unwrap();
        }
        for creator in &mut creators {
            creator.says(CREATED).await;
        }
        assert_eq!(number(&database.pool, &indexes(&name)).await, 1);
    }
}

/// Counts the indexes on the column of the expiry.
fn indexes(table: &str) -> String {
    INDEXES.replace("TABLE", table)
}

#[tokio::test]
async fn a_table_may_have_any_name_and_has_its_index() {
    let database = database!();
    let schema = text(&database.pool, SCHEMA_OF_TABLES).await;
    let (long, longest) = ("l".repeat(50), "l".repeat(63));
    for (place, name) in [
        ("", "order"),
        ("", "user"),
        ("", "Select"),
        ("", &*long),
        ("", &*longest),
        (&*schema, "effects"),
        (&*schema, "group"),
        (&*schema, &"m".repeat(63)),
    ] {
        let qualified = if place.is_empty() {
            name.to_owned()
        } else {
            format!("{place}.{name}")
        };
        let table = IdempotencyTable::new(&database.pool).table(&qualified).unwrap();
        let key = "charge-7".into();

        table.create().await.unwrap();
        table.create().await.unwrap();
        let token = claim(&table, &key).await;
        let completed = table.complete(&key, &token).await.unwrap();
        let again = table.begin(&key, LEASE).await.unwrap();
        table.purge().await.unwrap();

        assert_eq!((completed, again), (true, Claim::Done), "{qualified}");
        assert_eq!(number(&database.pool, &indexes(name)).await, 1, "{qualified}");
    }
}
