//! How many calls are made at once, and on how many connections.

use std::collections::HashSet;
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use cloud_tasks::Task;
use cloud_tasks::backend::RetrySettings;
use futures_util::future;
use http_body_util::{BodyExt, Full};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::Barrier;
use tokio::task::JoinSet;

use crate::retries::{AT_ONCE, runtime};
use crate::support::api::google;
use crate::support::peer::{Act, Peer};
use crate::tasks::{Welcome, welcome};
use crate::unclear_answers::created_by_hand;

/// An API that keeps its connections open, and counts them and the calls on them.
struct CountingApi {
    url: String,
    counts: Arc<Counts>,
    _connections: JoinSet<()>,
}

#[derive(Debug)]
struct Counts {
    /// No call is answered before so many are there; fewer at once would never end.
    together: Barrier,
    connections: AtomicUsize,
    calls: AtomicUsize,
    calls_at_once: AtomicUsize,
    most_calls_at_once: AtomicUsize,
}

impl CountingApi {
    async fn start(together: usize) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let counts = Arc::new(Counts {
            together: Barrier::new(together),
            connections: AtomicUsize::new(0),
            calls: AtomicUsize::new(0),
            calls_at_once: AtomicUsize::new(0),
            most_calls_at_once: AtomicUsize::new(0),
        });
        let counted = Arc::clone(&counts);
        let mut accepting = JoinSet::new();
        accepting.spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                counted.connections.fetch_add(1, Ordering::SeqCst);
                let counts = Arc::clone(&counted);
                let service = service_fn(move |request| create(Arc::clone(&counts), request));
                connections.spawn(async move {
                    let connection = hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), service);
                    // Ends when the client closes, in whatever way.
                    let _ = connection.await;
                });
            }
        });
        Self {
            url,
            counts,
            _connections: accepting,
        }
    }
}

async fn create(
    counts: Arc<Counts>,
    request: http::Request<hyper::body::Incoming>,
) -> Result<http::Response<Full<Bytes>>, Infallible> {
    counts.calls.fetch_add(1, Ordering::SeqCst);
    let at_once = counts.calls_at_once.fetch_add(1, Ordering::SeqCst) + 1;
    counts.most_calls_at_once.fetch_max(at_once, Ordering::SeqCst);
    let body = request.into_body().collect().await.unwrap().to_bytes();
    counts.together.wait().await;
    let mut body: Value = serde_json::from_slice(&body).unwrap();
    let task = body["task"].take().to_string();
    counts.calls_at_once.fetch_sub(1, Ordering::SeqCst);
    Ok(http::Response::new(Full::new(task.into())))
}

/// Enqueues a thousand tasks at once, all of which succeed, with at most 8 calls in flight.
///
/// They are answered in groups of `together`.
async fn a_thousand_at_once(together: usize) -> Arc<Counts> {
    let api = CountingApi::start(together).await;
    let google = google(api.url.as_str()).calls_in_flight(8);
    let runtime = runtime(google, AT_ONCE).await;

    let calls = (0..1000).map(|user_id| runtime.spawn(Welcome { user_id }.asap()));
    let outcomes = future::join_all(calls).await;

    let ids: HashSet<_> = outcomes
        .into_iter()
        .map(|outcome| outcome.unwrap().unwrap().id().to_owned())
        .collect();
    assert_eq!(ids.len(), 1000);
    Arc::clone(&api.counts)
}

fn count(counter: &AtomicUsize) -> usize {
    counter.load(Ordering::SeqCst)
}

#[tokio::test]
async fn a_thousand_tasks_at_once_take_no_more_connections_than_calls_in_flight() {
    let counts = a_thousand_at_once(8).await;

    assert_eq!(count(&counts.calls), 1000);
    assert_eq!(count(&counts.most_calls_at_once), 8);
    assert!(count(&counts.connections) <= 8, "{counts:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_thousand_tasks_at_once_on_many_threads_are_as_many_calls_as_may_be_in_flight() {
    let counts = a_thousand_at_once(8).await;

    assert_eq!(count(&counts.calls), 1000);
    assert_eq!(count(&counts.most_calls_at_once), 8);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_thousand_tasks_at_once_on_many_threads_take_no_more_connections_than_calls_in_flight() {
    let counts = a_thousand_at_once(1).await;

    assert!(count(&counts.connections) <= 8, "{counts:?}");
}

#[tokio::test]
async fn a_call_that_was_cut_short_frees_its_place() {
    let mut peer = Peer::start([Act::Nothing, Act::Nothing, created_by_hand()]).await;
    let runtime = runtime(google(peer.url()).calls_in_flight(1), RetrySettings::off()).await;

    for _ in 0..2 {
        let call = runtime.spawn(welcome());
        peer.wait_for_a_request().await;
        call.abort();
        assert!(call.await.unwrap_err().is_cancelled());
    }
    let enqueued = welcome().on(&runtime).await.unwrap();

    assert_eq!(enqueued.id(), "by-hand");
}
