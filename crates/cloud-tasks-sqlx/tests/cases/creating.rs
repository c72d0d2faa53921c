//! Creating the table: from several places at once, and under any name.

use std::sync::Arc;

use cloud_tasks::idempotency::{Claim, IdempotencyStore};
use tokio::sync::Barrier;
use tokio::task::JoinSet;

use super::queries::{number, text};
use super::{INDEXES, SCHEMA_OF_TABLES};
use crate::integration::IdempotencyTable;
use crate::support::database;
use crate::support::store_contract::{LEASE, claim};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn four_that_create_the_table_at_once_all_succeed_each_time() {
    let database = database!();
    let mut pools = Vec::new();
    for _ in 0..4 {
        pools.push(database.connected("SELECT 1").await);
    }

    for round in 0..10 {
        let together = Arc::new(Barrier::new(pools.len()));
        let mut creations = JoinSet::new();
        for pool in &pools {
            let table = IdempotencyTable::new(pool)
                .table(&format!("round_{round}"))
                .unwrap();
            let together = Arc::clone(&together);
            creations.spawn(async move {
                together.wait().await;
                table.create().await
            });
        }
        for created in creations.join_all().await {
            created.unwrap();
        }
        assert_eq!(
            number(&database.pool, &indexes(&format!("round_{round}"))).await,
            1
        );
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
