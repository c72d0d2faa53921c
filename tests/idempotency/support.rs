//! Stores, tasks and requests that several tests share.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use axum::body::Body;
use bytes::Bytes;
use cloud_tasks::Runtime;
use cloud_tasks::idempotency::{IdempotencyStore, MemoryStore};
use cloud_tasks::sqlx::IdempotencyTable;
use http::{Request, Response};
use http_body_util::BodyExt;
use serde_json::Value;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{Sqlite, SqlitePool};
use tower::ServiceExt;
use uuid::Uuid;

/// A clock that stands still until it is moved.
#[derive(Clone)]
pub(crate) struct Hand(Arc<AtomicU64>);

impl Hand {
    pub(crate) fn new() -> Self {
        Self(Arc::new(AtomicU64::new(1_700_000_000)))
    }

    pub(crate) fn now(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(self.0.load(Ordering::SeqCst))
    }

    pub(crate) fn advance(&self, length: Duration) {
        self.0.fetch_add(length.as_secs(), Ordering::SeqCst);
    }

    pub(crate) fn function(&self) -> impl Fn() -> SystemTime + Send + Sync + 'static + use<> {
        let hand = self.clone();
        move || hand.now()
    }
}

/// A database in a file, which several connections share; it is gone in the end.
pub(crate) struct Database {
    pub(crate) pool: SqlitePool,
    path: PathBuf,
}

impl Database {
    pub(crate) async fn new() -> Self {
        let path = std::env::temp_dir().join(format!("cloud-tasks-{}.db", Uuid::new_v4()));
        let options = SqliteConnectOptions::new()
            .filename(&path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Off)
            .busy_timeout(Duration::from_secs(60));
        let pool = SqlitePoolOptions::new()
            .max_connections(8)
            .acquire_timeout(Duration::from_secs(120))
            .connect_with(options)
            .await
            .unwrap();
        Self { pool, path }
    }

    pub(crate) async fn table(&self) -> IdempotencyTable<Sqlite> {
        let table = IdempotencyTable::new(&self.pool);
        table.create().await.unwrap();
        table
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        for suffix in ["", "-wal", "-shm"] {
            let mut path = self.path.clone().into_os_string();
            path.push(suffix);
            // Not every one of them is there.
            let _ = std::fs::remove_file(path);
        }
    }
}

/// A store to be tried, and what it lives in.
pub(crate) struct Tried {
    pub(crate) store: Arc<dyn IdempotencyStore>,
    pub(crate) hand: Hand,
    _database: Option<Database>,
}

/// Remembers for this long.
pub(crate) const KEEP: Duration = Duration::from_secs(1000);

impl Tried {
    #[allow(clippy::unused_async, reason = "every store is awaited")]
    pub(crate) async fn memory() -> Self {
        let hand = Hand::new();
        Self {
            store: Arc::new(MemoryStore::new().keep(KEEP).clock(hand.function())),
            hand,
            _database: None,
        }
    }

    pub(crate) async fn table() -> Self {
        let (hand, database) = (Hand::new(), Database::new().await);
        let table = database.table().await.keep(KEEP).clock(hand.function());
        Self {
            store: Arc::new(table),
            hand,
            _database: Some(database),
        }
    }
}

/// Makes two tests of one, with the store in memory and with the table.
macro_rules! with_each_store {
    ($($name:ident)*) => {
        mod in_memory {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn $name() {
                super::$name($crate::support::Tried::memory().await).await;
            })*
        }

        mod in_a_table {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn $name() {
                super::$name($crate::support::Tried::table().await).await;
            })*
        }
    };
}
pub(crate) use with_each_store;

/// How often each effect happened.
#[derive(Clone, Default)]
pub(crate) struct Effects(Arc<Mutex<BTreeMap<u64, u32>>>);

impl Effects {
    pub(crate) fn happen(&self, number: u64) {
        *self.0.lock().unwrap().entry(number).or_default() += 1;
    }

    pub(crate) fn of(&self, number: u64) -> u32 {
        self.0.lock().unwrap().get(&number).copied().unwrap_or(0)
    }

    /// How many happened at all, and how many of these more than once.
    pub(crate) fn count(&self) -> (usize, usize) {
        let effects = self.0.lock().unwrap();
        (
            effects.len(),
            effects.values().filter(|times| **times > 1).count(),
        )
    }
}

/// A request for a task, as Cloud Tasks sends it.
pub(crate) fn delivery(task: &str, id: &str, body: &Value) -> Request<Body> {
    Request::post(format!("/tasks/{task}"))
        .header("x-cloudtasks-queuename", "tasks")
        .header("x-cloudtasks-taskname", id)
        .body(body.to_string().into())
        .unwrap()
}

/// The answer's status and body.
pub(crate) async fn answer(runtime: &Runtime, request: Request<Body>) -> (u16, Value) {
    let (parts, body) = runtime.service().oneshot(request).await.unwrap().into_parts();
    let response: Response<Bytes> = Response::from_parts(parts, body.collect().await.unwrap().to_bytes());
    let body = serde_json::from_slice(response.body()).unwrap();
    (response.status().as_u16(), body)
}
