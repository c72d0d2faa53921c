use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::routing::get;
use bytes::Bytes;
use cloud_tasks::{Config, Context, Runtime, Task, TaskResult, task};
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::service::TowerToHyperService;
use serde::{Deserialize, Serialize};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::{AbortHandle, JoinHandle};
use tower::{Service, ServiceBuilder, ServiceExt, service_fn};

use crate::tasks::post;

const BODY: &str = r#"{"left": 40, "right": 2}"#;
const ANSWER: &str = r#"{"result":"42 in attempt 1","status":"executed"}"#;

async fn eager(endpoint: &str) -> Runtime {
    Runtime::eager()
        .config(Config::default().with_endpoint(endpoint))
        .build()
        .await
        .unwrap()
}

async fn call(app: Router, path: &str) -> (u16, String) {
    let response = app.oneshot(post(path, BODY)).await.unwrap();
    let status = response.status().as_u16();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8(body.into()).unwrap())
}

/// A server that ends with the test.
struct Server {
    address: SocketAddr,
    accepting: AbortHandle,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// Serves a tower service with nothing but hyper.
async fn serve<S>(service: S) -> Server
where
    S: Service<Request<Incoming>, Response = Response<Full<Bytes>>, Error = Infallible>
        + Clone
        + Send
        + 'static,
    S::Future: Send,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let accepting: JoinHandle<()> = tokio::spawn(async move {
        let mut connections = tokio::task::JoinSet::new();
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let service = TowerToHyperService::new(service.clone());
            connections.spawn(async move {
                let server = hyper_util::server::conn::auto::Builder::new(TokioExecutor::new());
                // An error here is a client that went away, which is what some tests are about.
                let _ = server.serve_connection(TokioIo::new(stream), service).await;
            });
        }
    });
    Server {
        address,
        accepting: accepting.abort_handle(),
    }
}

async fn over_http(server: &Server, path: &str) -> (u16, String) {
    let client = Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
    let request = Request::post(format!("http://{}{path}", server.address))
        .body(Full::from(BODY))
        .unwrap();
    let response = client.request(request).await.unwrap();
    let status = response.status().as_u16();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8(body.into()).unwrap())
}

#[tokio::test]
async fn under_nest_service_at_the_path_of_the_endpoint() {
    let runtime = eager("https://shop.example/jobs").await;
    let app = Router::new().nest_service("/jobs", runtime.service());

    assert_eq!(call(app, "/jobs/tasks/Add").await, (200, ANSWER.to_owned()));
}

#[tokio::test]
async fn as_the_fallback_service_of_a_router() {
    let runtime = eager("https://shop.example").await;
    let app = Router::new()
        .route("/", get(async || "home"))
        .fallback_service(runtime.service());

    assert_eq!(call(app, "/tasks/Add").await, (200, ANSWER.to_owned()));
}

#[tokio::test]
async fn as_a_layer_of_a_router_whose_other_routes_stay_as_they_are() {
    let runtime = eager("https://shop.example").await;
    let app = Router::new()
        .route("/hello", axum::routing::post(async || "hello"))
        .layer(runtime.layer());

    assert_eq!(call(app.clone(), "/tasks/Add").await, (200, ANSWER.to_owned()));
    assert_eq!(call(app.clone(), "/hello").await, (200, "hello".to_owned()));
    assert_eq!(call(app.clone(), "/tasks/Nobody").await.0, 404);
    assert_eq!(call(app, "/nowhere").await.0, 404);
}

#[tokio::test]
async fn a_layered_router_still_goes_into_axums_own_server() {
    let runtime = eager("https://shop.example").await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let app = Router::new().layer(runtime.layer());
    let serving = tokio::spawn(async move { axum::serve(listener, app).await });
    let server = Server {
        address,
        accepting: serving.abort_handle(),
    };

    assert_eq!(over_http(&server, "/tasks/Add").await, (200, ANSWER.to_owned()));
}

#[tokio::test]
async fn under_bare_hyper_util() {
    let server = serve(eager("https://shop.example").await.service()).await;

    assert_eq!(over_http(&server, "/tasks/Add").await, (200, ANSWER.to_owned()));
    assert_eq!(over_http(&server, "/else").await.0, 404);
}

#[tokio::test]
async fn as_a_layer_of_a_bare_tower_service_which_runs_inside_the_scope() {
    let runtime = eager("https://shop.example").await;
    let inner = service_fn(|_request: Request<Incoming>| {
        // In `call` itself, and in the future that it returns.
        let at_call = Runtime::current().is_ok();
        async move {
            let text = format!("{at_call} {}", Runtime::current().is_ok());
            Ok::<_, Infallible>(Response::new(Full::from(text)))
        }
    });
    let server = serve(ServiceBuilder::new().layer(runtime.layer()).service(inner)).await;

    assert_eq!(over_http(&server, "/tasks/Add").await, (200, ANSWER.to_owned()));
    assert_eq!(
        over_http(&server, "/tasks/a/b").await,
        (200, "true true".to_owned())
    );
}

#[tokio::test]
async fn in_a_oneshot() {
    let request = Request::post("/tasks/Add")
        .body(Full::<Bytes>::from(BODY))
        .unwrap();

    let response = eager("https://shop.example")
        .await
        .service()
        .oneshot(request)
        .await
        .unwrap();

    assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), ANSWER);
}

/// Waits for ever; tells when it starts and when it is cancelled.
#[derive(Deserialize, Serialize)]
struct Stay;

#[derive(Clone, Default)]
pub(crate) struct Watch {
    started: Arc<Notify>,
    cancelled: Arc<Notify>,
}

struct Guard(Arc<Notify>);

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.notify_one();
    }
}

#[task]
impl Task for Stay {
    async fn run(self, cx: Context<Watch>) -> TaskResult {
        let _guard = Guard(cx.state().cancelled.clone());
        cx.state().started.notify_one();
        std::future::pending().await
    }
}

#[tokio::test]
async fn a_client_that_goes_away_cancels_the_run() {
    let watch = Watch::default();
    let runtime = Runtime::eager().state(watch.clone()).build().await.unwrap();
    let server = serve(runtime.service()).await;
    let mut client = TcpStream::connect(server.address).await.unwrap();
    client
        .write_all(b"POST /tasks/Stay HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n{}")
        .await
        .unwrap();
    watch.started.notified().await;

    drop(client);

    watch.cancelled.notified().await;
}

#[tokio::test]
async fn a_panic_costs_one_answer_and_not_the_connection() {
    let server = serve(eager("https://shop.example").await.service()).await;
    let client = Client::builder(TokioExecutor::new())
        .pool_max_idle_per_host(1)
        .build_http::<Full<Bytes>>();
    let post = |task: &str, body: &'static str| {
        Request::post(format!("http://{}/tasks/{task}", server.address))
            .body(Full::from(body))
            .unwrap()
    };

    let panicked = client
        .request(post("Misbehave", r#"{"how": "panic"}"#))
        .await
        .unwrap();
    let status = panicked.status();
    panicked.into_body().collect().await.unwrap();
    let next = client.request(post("Add", BODY)).await.unwrap();

    assert_eq!((status.as_u16(), next.status().as_u16()), (500, 200));
}

#[tokio::test]
async fn a_layer_takes_paths_that_a_router_or_a_proxy_has_stripped() {
    let runtime = eager("https://shop.example/api").await;
    let app = Router::new().fallback(async || "a page").layer(runtime.layer());
    let nested = Router::new().nest("/api", app.clone());

    assert_eq!(call(nested, "/api/tasks/Add").await, (200, ANSWER.to_owned()));
    assert_eq!(call(app.clone(), "/tasks/Add").await, (200, ANSWER.to_owned()));
    assert_eq!(
        call(app.clone(), "/api/tasks/Add").await,
        (200, ANSWER.to_owned())
    );
    assert_eq!(call(app, "/api/tasks/Nobody").await.0, 404);
}

#[tokio::test]
async fn routes_of_the_service_that_look_like_stripped_paths_stay_its_own() {
    let runtime = eager("https://shop.example/internal").await;
    let app = Router::new()
        .route("/tasks/{id}", get(async || "a to-do").post(async || "a to-do"))
        .layer(runtime.layer());
    let of_google = |name, value| {
        let mut request = post("/tasks/Nobody", BODY);
        request
            .headers_mut()
            .insert(name, http::HeaderValue::from_static(value));
        request
    };

    assert_eq!(call(app.clone(), "/tasks/5").await, (200, "a to-do".to_owned()));
    let shown = Request::get("/tasks/Add")
        .body(axum::body::Body::empty())
        .unwrap();
    assert_eq!(app.clone().oneshot(shown).await.unwrap().status(), 200);
    // A task that another version of the service enqueued is tried again, and does not end as a to-do.
    for (name, value) in [
        ("x-cloudtasks-taskname", "1"),
        ("x-cloudscheduler", "true"),
        ("user-agent", "Google-Cloud-Tasks"),
        ("user-agent", "CloudPubSub-Google"),
    ] {
        let response = app.clone().oneshot(of_google(name, value)).await.unwrap();

        assert_eq!(response.status(), 404, "{name}: {value}");
    }
}

#[tokio::test]
async fn every_answer_says_that_it_comes_from_this_library() {
    let runtime = eager("https://shop.example").await;
    let app = Router::new()
        .route("/hello", get(async || "hello"))
        .layer(runtime.layer());

    for (path, is_ours) in [
        ("/tasks/Add", true),
        ("/tasks/Misplaced", true),
        ("/hello", false),
    ] {
        let response = app.clone().oneshot(post(path, BODY)).await.unwrap();

        let header = response.headers().get("x-cloud-tasks-handled-by");
        assert_eq!(header.is_some(), is_ours, "{path}");
    }
}
