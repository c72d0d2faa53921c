//! What a web page in the developer's browser can do with the engine: nothing.

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::Full;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::json;

use crate::operations::stage::Stage;

const JSON: (&str, &str) = ("content-type", "application/json");

/// A request that makes a task of the service, with these headers.
async fn create(stage: &Stage, headers: &[(&str, &str)]) -> StatusCode {
    let location = "projects/local/locations/local";
    let task =
        json!({"task": {"httpRequest": {"url": "http://127.0.0.1:9/tasks/Note", "httpMethod": "POST"}}});
    send(
        stage,
        "POST",
        &format!("/v2/{location}/queues/web/tasks"),
        &task.to_string(),
        headers,
    )
    .await
}

async fn send(stage: &Stage, method: &str, path: &str, body: &str, headers: &[(&str, &str)]) -> StatusCode {
    let mut request = Request::builder()
        .method(method)
        .uri(format!("{}{path}", stage.engine.url()));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Full::<Bytes>::from(body.to_owned())).unwrap();
    let client = Client::builder(TokioExecutor::new()).build_http();
    client.request(request).await.unwrap().status()
}

#[tokio::test]
async fn the_engine_refuses_what_a_web_page_can_send_and_takes_the_same_from_a_program() {
    let stage = Stage::set().await;
    let queue = json!({"name": "projects/local/locations/local/queues/web", "state": "PAUSED"}).to_string();
    let made = send(
        &stage,
        "POST",
        "/v2/projects/local/locations/local/queues",
        &queue,
        &[JSON],
    )
    .await;
    stage.runtime.queue("web").pause().await.unwrap();

    for headers in [
        &[JSON, ("origin", "https://evil.example")][..],
        &[JSON, ("origin", "null")],
        &[JSON, ("origin", &stage.engine.url())],
        &[("content-type", "text/plain"), ("origin", "https://evil.example")],
        &[JSON, ("host", "evil.example")],
        &[JSON, ("host", "127.0.0.1.evil.example:8123")],
        &[("content-type", "text/plain")],
        &[("content-type", "application/x-www-form-urlencoded")],
        &[("content-type", "multipart/form-data; boundary=x")],
    ] {
        assert_eq!(
            create(&stage, headers).await,
            StatusCode::FORBIDDEN,
            "{headers:?}"
        );
    }
    // What resolves to this machine, or looks like it, and is no name of it.
    for host in [
        "127.0.0.1.nip.io",
        "localhost.evil.example:8123",
        "evil-localhost",
        "localhost@evil.example",
        "evil.example@localhost",
        "[::1].evil.example",
        "[::ffff:127.0.0.1]:8123",
        "[fe80::1]:8123",
        "127.1",
        "0x7f000001",
        "2130706433",
        "127.0.0.1:8123:evil",
        "127.0.0.1, evil.example",
        "192.168.0.1",
    ] {
        assert_eq!(
            create(&stage, &[JSON, ("host", host)]).await,
            StatusCode::FORBIDDEN,
            "{host}"
        );
    }
    for (method, path) in [
        ("GET", "/jwks"),
        ("GET", "/v2/projects/local/locations/local/queues"),
        ("POST", "/v2/projects/local/locations/local/queues/web:resume"),
        ("POST", "/emulator:reset"),
        ("POST", "/v1/projects/local/subscriptions/dead-charges:pull"),
        (
            "POST",
            "/v1/projects/local/subscriptions/dead-charges:acknowledge",
        ),
        (
            "POST",
            "/v1/projects/local/subscriptions/dead-charges:modifyAckDeadline",
        ),
        ("DELETE", "/v2/projects/local/locations/local/queues/web"),
        ("OPTIONS", "/v2/projects/local/locations/local/queues/web/tasks"),
    ] {
        let rebound = send(&stage, method, path, "", &[("host", "evil.example")]).await;
        let cross = send(&stage, method, path, "", &[("origin", "https://evil.example")]).await;
        assert_eq!(
            (rebound, cross),
            (StatusCode::FORBIDDEN, StatusCode::FORBIDDEN),
            "{method} {path}"
        );
    }
    let before = stage.runtime.queue("web").list().try_next().await.unwrap();
    let from_program = create(&stage, &[JSON]).await;
    for host in [
        "localhost",
        "LOCALHOST:1",
        "127.0.0.1",
        "127.9.8.7:8123",
        "[::1]:8123",
    ] {
        let listed = send(
            &stage,
            "GET",
            "/v2/projects/local/locations/local/queues",
            "",
            &[("host", host)],
        )
        .await;
        assert_eq!(listed, StatusCode::OK, "{host}");
    }
    let after = stage.runtime.queue("web").list().try_next().await.unwrap();

    assert_eq!((made, from_program), (StatusCode::OK, StatusCode::OK));
    assert!(before.is_none());
    assert!(after.is_some());
    stage.strike().await;
}
