//! What no log and no answer tells.

use std::sync::{Arc, Mutex};

use http::HeaderMap;
use serde_json::json;
use tower::{Layer, ServiceExt};

use crate::service::{bearer, key_server, post, push, send, verified};
use crate::support::logs::Logs;
use crate::support::tokens::{self, claims, header, sign, with};

#[tokio::test]
async fn no_log_and_no_answer_holds_a_token_an_argument_or_an_internal_error() {
    let server = key_server().await;
    let runtime = verified(&server).build().await.unwrap();
    let foreign = sign(
        &header(),
        &with(
            claims("https://secret-audience.example"),
            json!({"email": "secret@mail"}),
        ),
    );
    let card = json!({"card": "4111-1111", "unknown": "4111-2222"}).to_string();
    let requests = [
        post("/tasks/Fail", Some(&bearer()), card.clone()),
        post("/tasks/Fail", Some(&bearer()), r#"{"card": 41113333}"#),
        post(
            "/subscriptions/Listener",
            Some(&bearer()),
            push(&json!({"what": "4111-4444"})),
        ),
        post(
            "/subscriptions/Listener",
            Some(&bearer()),
            push(&json!({"what": [41_115_555]})),
        ),
        post("/tasks/Fail", Some(&format!("Bearer {foreign}")), "null"),
        post("/tasks/Fail", Some(&format!("{}A", bearer())), "null"),
        post("/tasks/x%0AERROR%20forged%20line", Some(&bearer()), "null"),
    ];
    let logs = Logs::capture();
    let mut answers = Vec::new();

    for request in requests {
        let response = send(&runtime, request).await;
        answers.push(format!("{response:?}"));
    }

    let answers = answers.join("\n");
    let logged = logs.text();
    let token = tokens::good(crate::service::ENDPOINT);
    let (_, signature) = token.rsplit_once('.').unwrap();
    assert!(logged.contains("a caller was refused"), "{logged}");
    assert!(!logged.contains("\nERROR forged"), "{logged}");
    for secret in [signature, "eyJ", "4111"] {
        assert!(!logged.contains(secret), "{secret} in {logged}");
        assert!(!answers.contains(secret), "{secret} in {answers}");
    }
    // The log is where it stands for whom a foreign token was meant.
    for foreign in ["secret-audience", "secret@mail"] {
        assert!(logged.contains(foreign), "{foreign} in {logged}");
        assert!(!answers.contains(foreign), "{foreign} in {answers}");
    }
    // The log is where a task's own error goes.
    assert!(logged.contains("10.1.2.3"), "{logged}");
    assert!(!answers.contains("10.1.2.3"), "{answers}");
}

#[tokio::test]
async fn a_service_behind_the_layer_sees_the_token_marked_as_sensitive() {
    let server = key_server().await;
    let runtime = verified(&server).build().await.unwrap();
    let seen = Arc::new(Mutex::new(HeaderMap::new()));
    let keeper = Arc::clone(&seen);
    let inner = tower::service_fn(move |request: http::Request<axum::body::Body>| {
        *keeper.lock().unwrap() = request.headers().clone();
        async { Ok::<_, std::convert::Infallible>(http::Response::new(axum::body::Body::empty())) }
    });

    runtime
        .layer()
        .layer(inner)
        .oneshot(post("/elsewhere", Some("Bearer hunter2"), ""))
        .await
        .unwrap();

    let text = format!("{:?}", seen.lock().unwrap());
    assert!(text.contains("Sensitive"), "{text}");
    assert!(!text.contains("hunter2"), "{text}");
}
