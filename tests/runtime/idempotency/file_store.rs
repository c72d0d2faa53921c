//! The store in a file, in which workers of the example `crash` share their claims, keeps the contract.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use cloud_tasks::idempotency::{Claim, ClaimToken, IdempotencyStore};

use crate::support::store_contract::{KEEP, LEASE, ManualClock, StoreUnderTest, claim, store_contract};
use shared::FileStore;

#[path = "../../../examples/crash/file_store.rs"]
mod shared;

store_contract!(in_a_file);

#[allow(clippy::unused_async, reason = "every store is awaited")]
async fn in_a_file() -> StoreUnderTest {
    let (clock, file) = (ManualClock::new(), TempFile::new());
    let store = FileStore::with(&file.0, KEEP, clock.function()).unwrap();
    StoreUnderTest::new(Arc::new(store), clock, file)
}

/// The path of a file that is removed in the end.
struct TempFile(PathBuf);

impl TempFile {
    fn new() -> Self {
        let name = format!("cloud-tasks-store-{}", ClaimToken::random().as_str());
        Self(std::env::temp_dir().join(name))
    }
}

impl Drop for TempFile {
    fn drop(&mut self) {
        // A test that failed may have made none.
        let _ = std::fs::remove_file(&self.0);
    }
}

#[tokio::test]
async fn two_stores_on_one_file_share_their_claims() {
    let file = TempFile::new();
    let (first, second) = (
        FileStore::open(&file.0).unwrap(),
        FileStore::open(&file.0).unwrap(),
    );
    let key = "charge-7".into();

    let token = claim(&first, &key).await;
    let meanwhile = second.begin(&key, LEASE).await.unwrap();
    first.release(&key, &token).await.unwrap();
    let next = second.begin(&key, LEASE).await.unwrap();
    let lost = first.complete(&key, &token).await.unwrap();

    assert_eq!(meanwhile, Claim::InProgress);
    assert!(matches!(next, Claim::Run { runs: 2, .. }), "{next:?}");
    assert!(!lost);
}

#[tokio::test]
async fn a_line_that_a_dying_process_wrote_in_part_has_not_happened() {
    let file = TempFile::new();
    let store = FileStore::open(&file.0).unwrap();
    let (key, another) = ("charge-7".into(), "charge-8".into());
    let token = claim(&store, &key).await;
    let before = std::fs::read(&file.0).unwrap();

    std::fs::write(&file.0, [&before[..], br#"{"key":"charge-8","ent"#].concat()).unwrap();
    let claimed = store.begin(&another, Duration::from_secs(1)).await.unwrap();
    let completed = store.complete(&key, &token).await.unwrap();

    assert!(matches!(claimed, Claim::Run { runs: 1, .. }), "{claimed:?}");
    assert!(completed);
    let anew = FileStore::open(&file.0).unwrap();
    assert_eq!(anew.begin(&key, LEASE).await.unwrap(), Claim::Done);
    assert_eq!(anew.begin(&another, LEASE).await.unwrap(), Claim::InProgress);
}
