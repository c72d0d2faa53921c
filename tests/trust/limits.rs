//! What is turned away because there is too much of it.

use std::io;
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use cloud_tasks::Runtime;
use futures_util::{FutureExt, StreamExt, stream};
use http::Response;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::service::{Foreman, bearer, key_server, post, send, verified};

/// A service with room for so many requests at once. Its tasks `Work` tell when they start, and wait to be released.
async fn limited(max_concurrency: usize) -> (Runtime, Foreman, mpsc::UnboundedReceiver<u64>) {
    let server = key_server().await;
    let (foreman, starts) = Foreman::new();
    let builder = verified(&server).state(foreman.clone());
    let builder = builder
        .max_concurrency(max_concurrency)
        .max_concurrency_wait(Duration::ZERO);
    let runtime = builder.build().await.unwrap();
    (runtime, foreman, starts)
}

fn work(runtime: &Runtime) -> JoinHandle<Response<Bytes>> {
    let runtime = runtime.clone();
    let request = post("/tasks/Work", Some(&bearer()), r#"{"number": 1}"#);
    tokio::spawn(async move { send(&runtime, request).await })
}

#[tokio::test]
async fn beyond_the_concurrency_limit_requests_are_turned_away_and_told_to_come_back() {
    let (runtime, foreman, mut starts) = limited(2).await;
    let running = [work(&runtime), work(&runtime)];
    for _ in 0..2 {
        starts.recv().await.unwrap();
    }

    let third = work(&runtime).await.unwrap();
    // They need no place.
    let stranger = send(&runtime, post("/tasks/Work", None, "{}")).await;
    let unknown = send(&runtime, post("/tasks/Nobody", Some(&bearer()), "{}")).await;
    foreman.release(3);
    for done in running {
        assert_eq!(done.await.unwrap().status(), 200);
    }
    let again = work(&runtime).await.unwrap();

    assert_eq!(third.status(), 429);
    assert_eq!(third.headers()["retry-after"], "1");
    assert_eq!(third.body(), r#"{"error":"Too many requests at once"}"#);
    assert_eq!(
        (stranger.status().as_u16(), unknown.status().as_u16()),
        (401, 404)
    );
    assert_eq!(again.status(), 200);
}

/// A body of which nothing arrives any more.
fn unfinished() -> Body {
    let first = stream::once(async { Ok::<_, io::Error>("{") });
    Body::from_stream(first.chain(stream::pending()))
}

#[tokio::test]
async fn an_unfinished_body_takes_no_place_whoever_sends_it() {
    let server = key_server().await;
    let runtime = verified(&server)
        .max_concurrency(1)
        .allow_emulator_pushes()
        .build()
        .await
        .unwrap();
    let bearer = bearer();
    let slow = [
        post("/subscriptions/Listener", None, unfinished()),
        post("/subscriptions/Listener", Some(&bearer), unfinished()),
        post("/tasks/Note", Some(&bearer), unfinished()),
        post("/tasks/Note", Some(&bearer), unfinished()),
    ];
    let mut slow = slow.map(|request| Box::pin(send(&runtime, request)));

    for request in &mut slow {
        for _ in 0..10 {
            assert!(request.as_mut().now_or_never().is_none());
        }
    }
    let response = send(&runtime, post("/tasks/Note", Some(&bearer), "null")).await;

    assert_eq!(response.status(), 200);
}

#[tokio::test]
async fn at_the_limit_a_body_is_not_waited_for() {
    let (runtime, foreman, mut starts) = limited(1).await;
    let running = work(&runtime);
    starts.recv().await.unwrap();

    let refused = send(&runtime, post("/tasks/Note", Some(&bearer()), unfinished())).await;
    foreman.release(1);

    assert_eq!(refused.status(), 429);
    assert_eq!(running.await.unwrap().status(), 200);
}

#[tokio::test]
async fn a_request_that_is_given_up_frees_its_place() {
    let (runtime, foreman, mut starts) = limited(1).await;

    let given_up = work(&runtime);
    starts.recv().await.unwrap();
    given_up.abort();
    assert!(given_up.await.unwrap_err().is_cancelled());
    foreman.release(1);

    assert_eq!(work(&runtime).await.unwrap().status(), 200);
}

#[tokio::test]
async fn a_name_of_any_length_is_quoted_in_part() {
    let server = key_server().await;
    let runtime = verified(&server).build().await.unwrap();
    let path = format!("/tasks/{}", "%C3%A9".repeat(2000));

    let response = send(&runtime, post(&path, Some(&bearer()), "null")).await;

    assert_eq!(response.status(), 404);
    assert_eq!(
        response.body(),
        &*format!(r#"{{"error":"Task {} not found"}}"#, "é".repeat(50))
    );
}
