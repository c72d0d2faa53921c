//! The claims of attempts that a stopping server cuts off.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use cloud_tasks::idempotency::{
    Claim, ClaimToken, IdempotencyKey, IdempotencyStore, MemoryStore, StoreFuture,
};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::yield_now;

use crate::support::deliveries::{answer, delivery};
use crate::support::wait::within;

/// A store that takes its time to release a claim, as a database does.
#[derive(Clone)]
struct Slow {
    inner: Arc<MemoryStore>,
    released: Arc<AtomicBool>,
}

impl IdempotencyStore for Slow {
    fn begin<'a>(&'a self, key: &'a IdempotencyKey, lease: Duration) -> StoreFuture<'a, Claim> {
        self.inner.begin(key, lease)
    }

    fn complete<'a>(&'a self, key: &'a IdempotencyKey, token: &'a ClaimToken) -> StoreFuture<'a, bool> {
        self.inner.complete(key, token)
    }

    fn renew<'a>(
        &'a self,
        key: &'a IdempotencyKey,
        token: &'a ClaimToken,
        lease: Duration,
    ) -> StoreFuture<'a, bool> {
        self.inner.renew(key, token, lease)
    }

    fn bury<'a>(&'a self, key: &'a IdempotencyKey, token: &'a ClaimToken) -> StoreFuture<'a, bool> {
        self.inner.bury(key, token)
    }

    fn release<'a>(&'a self, key: &'a IdempotencyKey, token: &'a ClaimToken) -> StoreFuture<'a, ()> {
        Box::pin(async move {
            // More often than the rest of a stop yields.
            for _ in 0..1000 {
                yield_now().await;
            }
            self.inner.release(key, token).await?;
            self.released.store(true, Ordering::SeqCst);
            Ok(())
        })
    }
}

#[tokio::test]
async fn a_claim_is_released_before_the_server_has_stopped() {
    let store = Slow {
        inner: Arc::default(),
        released: Arc::default(),
    };
    let (runtime, effects) = super::runtime(store.clone()).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let serve = runtime
        .serve(listener, runtime.service())
        .grace(Duration::from_millis(50))
        .linger(Duration::ZERO)
        .shutdown(async { drop(stopped.await) });
    let server = tokio::spawn(serve.into_future());
    let body = json!({"how": "hang"}).to_string();
    let head = "POST /tasks/Stumble HTTP/1.1\r\nhost: x\r\nx-cloudtasks-queuename: tasks\r\nx-cloudtasks-taskname: a\r\n";
    let request = format!("{head}content-length: {}\r\n\r\n{body}", body.len());
    stream.write_all(request.as_bytes()).await.unwrap();
    while effects.of(0) == 0 {
        yield_now().await;
    }

    stop.send(()).unwrap();
    within(server).await.unwrap().unwrap();

    assert!(store.released.load(Ordering::SeqCst));
    assert_eq!(stream.read(&mut [0; 16]).await.unwrap_or_default(), 0);
    // Another instance need not wait for the end of the lease.
    let again = answer(&runtime, delivery("Stumble", "a", &json!({"how": "hang"}))).await;
    assert_eq!(again.0, 200);
}
