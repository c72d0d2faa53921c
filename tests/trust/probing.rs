//! The check at the start of `Runtime::serve`: who answers requests for tasks and for subscribers.

use std::future::{Ready, ready};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use cloud_tasks::{BoxError, Config, Runtime};
use http::StatusCode;
use tokio::net::TcpListener;
use tower::Service;

use crate::service::{Foreman, Nowhere};
use crate::support::logs::Logs;

async fn runtime(endpoint: &str) -> Runtime {
    Runtime::builder()
        .config(Config::default().with_endpoint(endpoint))
        .backend(Nowhere::default())
        .state(Foreman::new().0)
        .allow_unauthenticated()
        .build()
        .await
        .unwrap()
}

/// Starts to serve and stops at once: whether it started, or why not.
async fn start(runtime: &Runtime, app: Router) -> Result<(), String> {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let served = runtime
        .serve(listener, app)
        .grace(Duration::ZERO)
        .shutdown(async {})
        .await;
    served.map_err(|error| error.to_string())
}

async fn page() -> &'static str {
    "<!doctype html>"
}

#[tokio::test]
async fn it_does_not_start_if_something_else_answers_for_tasks() {
    let plain = runtime("https://shop.example").await;
    let under_a_path = runtime("https://shop.example/api").await;
    for (case, runtime, app) in [
        (
            "a fallback after the layer",
            &plain,
            Router::new()
                .route("/", get(page))
                .layer(plain.layer())
                .fallback(page),
        ),
        (
            "routes after the layer",
            &plain,
            Router::new()
                .layer(plain.layer())
                .route("/tasks/{name}", post(page)),
        ),
        ("no layer", &plain, Router::new().route("/", get(page))),
        (
            "a route of the page for every path",
            &plain,
            Router::new().route("/{*path}", get(page).post(page)),
        ),
        (
            "nested elsewhere",
            &plain,
            Router::new().nest("/api", Router::new().layer(plain.layer())),
        ),
        (
            "an endpoint whose path is served by a page",
            &under_a_path,
            Router::new().nest("/other", Router::new().layer(under_a_path.layer())),
        ),
        (
            "an outer layer that turns every 404 into a page",
            &plain,
            Router::new().layer(plain.layer()).layer(middleware::from_fn(
                async |request: Request, next: Next| {
                    let response = next.run(request).await;
                    if response.status() == StatusCode::NOT_FOUND {
                        return page().await.into_response();
                    }
                    response
                },
            )),
        ),
        (
            "a page for pushes",
            &plain,
            Router::new()
                .layer(plain.layer())
                .route("/subscriptions/{name}", post(page)),
        ),
        (
            "no place for pushes",
            &plain,
            Router::new().route_service("/tasks/{name}", plain.service()),
        ),
        (
            "a page for pushes, and a proxy that strips the path",
            &under_a_path,
            Router::new()
                .route_service("/tasks/{name}", under_a_path.service())
                .fallback(page),
        ),
    ] {
        let refused = start(runtime, app).await.expect_err(case);

        assert!(
            refused.contains("Router::new().route(..).fallback(..).layer(runtime.layer())"),
            "{case}: {refused}"
        );
        assert!(refused.contains("POST"), "{case}: {refused}");
        let (path, lost) = if case.contains("pushes") {
            ("/subscriptions/~probe", "subscriber")
        } else {
            ("/tasks/~probe", "task")
        };
        assert!(
            refused.contains(path) && refused.contains(lost),
            "{case}: {refused}"
        );
    }
}

#[tokio::test]
async fn it_starts_whatever_stands_around_the_layer() {
    let plain = runtime("https://shop.example").await;
    let under_a_path = runtime("https://shop.example/api").await;
    let routes = || Router::new().route("/", get(page)).fallback(page);
    for (case, runtime, app) in [
        ("the layer outermost", &plain, routes().layer(plain.layer())),
        (
            "the service as a fallback",
            &plain,
            Router::new()
                .route("/", get(page))
                .fallback_service(plain.service()),
        ),
        (
            "nested at the path of the endpoint",
            &under_a_path,
            Router::new().nest("/api", routes().layer(under_a_path.layer())),
        ),
        (
            "behind a proxy that strips the path",
            &under_a_path,
            Router::new()
                .route_service("/tasks/{name}", under_a_path.service())
                .route_service("/subscriptions/{name}", under_a_path.service()),
        ),
        (
            "a middleware that strips all headers",
            &plain,
            routes()
                .layer(plain.layer())
                .layer(middleware::from_fn(async |request: Request, next: Next| {
                    let mut response = next.run(request).await;
                    response.headers_mut().clear();
                    response
                })),
        ),
        (
            "a middleware that wraps the bodies",
            &plain,
            routes()
                .layer(plain.layer())
                .layer(middleware::from_fn(async |request: Request, next: Next| {
                    let (parts, body) = next.run(request).await.into_parts();
                    let body = to_bytes(body, usize::MAX).await.unwrap();
                    Response::from_parts(parts, Body::from(format!("<<{body:?}>>")))
                })),
        ),
        (
            "a middleware that makes the request anew",
            &plain,
            routes()
                .layer(plain.layer())
                .layer(middleware::from_fn(async |request: Request, next: Next| {
                    let (parts, body) = request.into_parts();
                    let mut anew = Request::new(body);
                    *anew.uri_mut() = parts.uri;
                    *anew.method_mut() = parts.method;
                    next.run(anew).await
                })),
        ),
    ] {
        assert_eq!(start(runtime, app).await, Ok(()), "{case}");
    }
}

#[tokio::test]
async fn a_refusal_in_front_of_the_layer_proves_nothing_and_is_logged() {
    let runtime = runtime("https://shop.example").await;
    for status in [301, 401, 403, 407, 429, 500, 503] {
        let log = Logs::capture();
        let app = Router::new().layer(runtime.layer()).layer(middleware::from_fn(
            move |_: Request, _: Next| async move { StatusCode::from_u16(status).unwrap() },
        ));

        let started = start(&runtime, app).await;

        assert_eq!(started, Ok(()), "{status}");
        assert!(log.text().contains("could not check"), "{status}: {}", log.text());
    }
}

/// A service that handles nothing, and says why.
#[derive(Clone)]
struct NoTenant;

impl<B> Service<http::Request<B>> for NoTenant {
    type Response = Response;
    type Error = BoxError;
    type Future = Ready<Result<Response, BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: http::Request<B>) -> Self::Future {
        ready(Err("no tenant\nERROR forged \u{1b}[2J\u{202e}".into()))
    }
}

#[tokio::test]
async fn what_refuses_the_check_is_quoted_on_one_line_of_the_log() {
    let runtime = runtime("https://shop.example").await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let logs = Logs::capture();

    let served = runtime
        .serve(listener, NoTenant)
        .grace(Duration::ZERO)
        .shutdown(async {})
        .await;

    assert!(served.is_ok());
    let lines = logs.raw_lines();
    let line = lines
        .iter()
        .find(|line| line.contains("could not check"))
        .unwrap();
    assert!(
        line.contains("no tenant\\u{a}ERROR forged \\u{1b}[2J\\u{202e}"),
        "{line}"
    );
}

#[tokio::test]
async fn a_panic_in_front_of_the_layer_does_not_stop_the_start() {
    let runtime = runtime("https://shop.example").await;
    let app = Router::new().layer(runtime.layer()).layer(middleware::from_fn(
        async |request: Request, _: Next| -> StatusCode {
            panic!("no header x-tenant in {:?}", request.uri())
        },
    ));

    assert_eq!(start(&runtime, app).await, Ok(()));
}

#[tokio::test]
async fn a_process_without_tasks_says_so_and_is_not_asked() {
    let runtime = runtime("https://shop.example").await;
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    let app = Router::new().fallback(move || async move {
        counted.fetch_add(1, Ordering::SeqCst);
    });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();

    let served = runtime
        .serve(listener, app)
        .without_tasks()
        .grace(Duration::ZERO)
        .shutdown(async {})
        .await;

    assert!(served.is_ok());
    assert_eq!(calls.load(Ordering::SeqCst), 0);
}
