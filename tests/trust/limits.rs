//! What is turned away because there is too much of it.

use crate::service::{Foreman, bearer, key_server, post, send, verified};

#[tokio::test]
async fn beyond_the_concurrency_limit_requests_are_turned_away_and_told_to_come_back() {
    let server = key_server().await;
    let (foreman, mut starts) = Foreman::new();
    let runtime = verified(&server)
        .state(foreman.clone())
        .max_concurrency(2)
        .build()
        .await
        .unwrap();
    let work = |number: u64| {
        let (runtime, request) = (
            runtime.clone(),
            post(
                "/tasks/Work",
                Some(&bearer()),
                format!(r#"{{"number": {number}}}"#),
            ),
        );
        tokio::spawn(async move { send(&runtime, request).await })
    };
    let running = [work(1), work(2)];
    for _ in 0..2 {
        starts.recv().await.unwrap();
    }

    let third = work(3).await.unwrap();
    // They need no place.
    let stranger = send(&runtime, post("/tasks/Work", None, "{}")).await;
    let unknown = send(&runtime, post("/tasks/Nobody", Some(&bearer()), "{}")).await;
    foreman.release(3);
    for done in running {
        assert_eq!(done.await.unwrap().status(), 200);
    }
    let again = work(3).await.unwrap();

    assert_eq!(third.status(), 429);
    assert_eq!(third.headers()["retry-after"], "1");
    assert_eq!(third.body(), r#"{"error":"Too many requests at once"}"#);
    assert_eq!(
        (stranger.status().as_u16(), unknown.status().as_u16()),
        (401, 404)
    );
    assert_eq!(again.status(), 200);
}

#[tokio::test]
async fn a_request_that_is_given_up_frees_its_place() {
    let server = key_server().await;
    let (foreman, mut starts) = Foreman::new();
    let runtime = verified(&server)
        .state(foreman.clone())
        .max_concurrency(1)
        .build()
        .await
        .unwrap();
    let request = || post("/tasks/Work", Some(&bearer()), r#"{"number": 1}"#);

    let given_up = tokio::spawn({
        let (runtime, request) = (runtime.clone(), request());
        async move { send(&runtime, request).await }
    });
    starts.recv().await.unwrap();
    given_up.abort();
    assert!(given_up.await.unwrap_err().is_cancelled());
    foreman.release(1);

    assert_eq!(send(&runtime, request()).await.status(), 200);
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
