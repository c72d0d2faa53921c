//! A whole service that verifies its callers, over tower and over HTTP.

use axum::Router;
use axum::routing::get;
use bytes::Bytes;
use cloud_tasks::service::TrustedCallers;
use cloud_tasks::testing::Signer;
use cloud_tasks::{Config, Message, Runtime, Task};
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tower::ServiceExt;

use crate::support::nowhere::Nowhere;
use crate::tasks::{Add, End, Log, Note, OrderPlaced, Ship, Try, note, recorded};

const ACCOUNT: &str = "tasks@my-project.iam.gserviceaccount.com";
const STRANGER: &str = "stranger@other.iam.gserviceaccount.com";

fn app(runtime: &Runtime) -> Router {
    Router::new()
        .route("/", get(|| async { "shop" }))
        .layer(runtime.layer())
}

async fn answer(app: &Router, request: Request<Full<Bytes>>) -> (StatusCode, Value) {
    let response = app.clone().oneshot(request).await.unwrap();
    let status = response.status();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, serde_json::from_slice(&body).unwrap())
}

fn sum() -> Add {
    Add { left: 1, right: 2 }
}

#[tokio::test]
async fn a_signed_callback_is_let_in_and_every_other_is_refused_for_its_reason() {
    let signer = Signer::new().unwrap();
    let config = Config::default()
        .with_endpoint("https://shop.example/jobs")
        .with_service_account(ACCOUNT);
    let builder = Runtime::recorded().config(config).verified_by(&signer);
    let (runtime, _recorder) = builder.build().await.unwrap();
    let app = app(&runtime);
    let callback = || signer.callback(&runtime, &sum());
    let refused = |request, status, reason: &str| {
        (
            request,
            status,
            json!({"error": format!("Not allowed: {reason}")}),
        )
    };
    for (request, status, body) in [
        (callback(), 200, json!({"result": 3, "status": "executed"})),
        refused(callback().unsigned(), 401, "there is no token"),
        refused(callback().forged(), 401, "the token's signature is wrong"),
        refused(callback().expired(), 401, "the token is expired"),
        refused(
            callback().audience("https://other"),
            403,
            "the token is meant for another audience",
        ),
        refused(
            callback().account(STRANGER),
            403,
            "the token's account is not trusted",
        ),
    ] {
        let told = format!("{request:?}");
        let answered = answer(&app, request.request().unwrap()).await;
        assert_eq!((answered.0.as_u16(), answered.1), (status, body), "{told}");
    }
}

#[tokio::test]
async fn a_signed_push_is_let_in_wrapped_or_not_and_an_unsigned_one_is_not() {
    let signer = Signer::new().unwrap();
    let log = Log::default();
    let builder = Runtime::recorded().verified_by(&signer).state(log.clone());
    let (runtime, recorder) = builder.build().await.unwrap();
    let app = app(&runtime);
    let message = Message::new(OrderPlaced { order_id: 7 }).with_attribute("priority", "high");
    let push = || signer.push::<Ship>(&runtime, &message).unwrap();

    let mut statuses = Vec::new();
    for request in [
        push(),
        push().unwrapped(),
        push().unsigned(),
        push().forged(),
        push().account(STRANGER),
    ] {
        statuses.push(answer(&app, request.request().unwrap()).await.0.as_u16());
    }
    recorder.drain().await.unwrap();

    assert_eq!(statuses, [200, 200, 401, 401, 403]);
    // It forwards messages to tasks, whose delivery is not told.
    assert_eq!(
        log.lines(),
        ["order 7 Some(\"high\") Some(1) projects/local/subscriptions/Ship"; 2]
    );
}

/// Pushes without a token to a subscriber that says `oidc = false`, to one that does not, and to nobody; and a task.
#[tokio::test]
async fn unsigned_requests_reach_what_the_code_opens_and_nothing_else() {
    let signer = Signer::new().unwrap();
    let builder = || Runtime::recorded().verified_by(&signer).state(Log::default());
    let push = json!({"message": {"data": "eyJvcmRlcl9pZCI6N30=", "messageId": "1"}}).to_string();

    for (builder, expected) in [
        (builder(), [401, 401, 401, 401, 401]),
        (builder().allow_unsigned_pushes(), [200, 401, 401, 401, 401]),
        (builder().allow_emulator_pushes(), [200, 200, 404, 404, 401]),
        (
            builder().allow_emulator_pushes().allow_unsigned_pushes(),
            [200, 200, 404, 404, 401],
        ),
    ] {
        let (runtime, _recorder) = builder.build().await.unwrap();
        let app = app(&runtime);
        let mut statuses = Vec::new();
        for path in [
            "/subscriptions/Unsigned",
            "/subscriptions/Ship",
            "/subscriptions/Add",
            "/subscriptions/Nobody",
            "/tasks/Unsigned",
        ] {
            let request = Request::post(path).body(Full::from(push.clone())).unwrap();
            statuses.push(answer(&app, request).await.0.as_u16());
        }
        assert_eq!(statuses, expected);
    }
}

#[tokio::test]
async fn what_a_task_says_decides_the_status_as_ever() {
    let signer = Signer::new().unwrap();
    let runtime = Runtime::eager()
        .verified_by(&signer)
        .state(Log::default())
        .build()
        .await
        .unwrap();
    let app = app(&runtime);
    let status = async |end| {
        let request = signer.callback(&runtime, &Try { end }).attempt(2).request();
        answer(&app, request.unwrap()).await.0.as_u16()
    };

    assert_eq!(status(End::Well).await, 200);
    assert_eq!(status(End::Discard).await, 202);
    assert_eq!(status(End::Fail).await, 500);
    assert_eq!(status(End::RetryAfter { seconds: 30 }).await, 503);
    assert_eq!(status(End::FailUntil { attempt: 2 }).await, 200);
}

#[tokio::test]
async fn a_runtime_that_verifies_nobody_takes_every_variant() {
    let signer = Signer::new().unwrap();
    let (runtime, _recorder) = recorded(&Log::default()).await;
    let app = app(&runtime);

    let request = signer.callback(&runtime, &sum()).unsigned().request().unwrap();

    assert_eq!(answer(&app, request).await.0, 200);
}

#[tokio::test]
async fn a_runtime_for_production_trusts_the_signer_where_the_code_says_so() {
    let signer = Signer::new().unwrap();
    let builder = Runtime::builder()
        .backend(Nowhere::default())
        .state(Log::default());
    let builder = builder.callers(signer.callers()).allow_unsigned_pushes();
    let runtime = builder.build().await.unwrap();
    let app = app(&runtime);
    let callback = || signer.callback(&runtime, &sum());

    assert_eq!(answer(&app, callback().request().unwrap()).await.0, 200);
    assert_eq!(
        answer(&app, callback().account(STRANGER).request().unwrap())
            .await
            .0,
        403
    );
}

#[tokio::test]
async fn a_runtime_that_was_not_told_of_the_signer_does_not_trust_it() {
    let server = crate::support::key_server::key_server().await;
    let signer = Signer::new().unwrap();
    let callers =
        TrustedCallers::new().issuer("https://accounts.google.com", format!("{}/certs", server.uri()));
    let config = Config::default().with_service_account(ACCOUNT);
    let builder = Runtime::builder()
        .backend(Nowhere::default())
        .config(config)
        .callers(callers);
    let builder = builder.state(Log::default()).allow_unsigned_pushes();
    let runtime = builder.build().await.unwrap();

    let request = signer.callback(&runtime, &sum()).request().unwrap();
    let answered = answer(&app(&runtime), request).await;

    let reason = json!({"error": "Not allowed: the token is signed with an unknown key"});
    assert_eq!(answered, (StatusCode::UNAUTHORIZED, reason));
}

#[tokio::test]
async fn a_runtime_that_trusts_the_signer_trusts_no_other_key_and_looks_for_none() {
    let signer = Signer::new().unwrap();
    let builder = Runtime::recorded()
        .verified_by(&signer)
        .config(Config::default().with_service_account(ACCOUNT));
    let (runtime, _recorder) = builder.build().await.unwrap();
    let mut request = signer.callback(&runtime, &sum()).request().unwrap();
    let token = format!("Bearer {}", crate::support::tokens::good("http://localhost:8080"));
    request
        .headers_mut()
        .insert("authorization", token.parse().unwrap());

    let answered = answer(&app(&runtime), request).await;

    // Without an answer from Google's keys it would be 503.
    let reason = json!({"error": "Not allowed: the token is signed with an unknown key"});
    assert_eq!(answered, (StatusCode::UNAUTHORIZED, reason));
}

#[tokio::test]
async fn the_requests_also_go_over_http_to_a_real_server() {
    let signer = Signer::new().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let config = Config::default().with_endpoint(format!("http://{}", listener.local_addr().unwrap()));
    let log = Log::default();
    let builder = Runtime::recorded()
        .config(config)
        .verified_by(&signer)
        .state(log.clone());
    let (runtime, recorder) = builder.build().await.unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let serve = runtime
        .serve(listener, app(&runtime))
        .linger(std::time::Duration::ZERO)
        .shutdown(async { drop(stopped.await) });
    let served = tokio::spawn(serve.into_future());
    let client = Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();

    note("over HTTP").asap().on(&runtime).await.unwrap();
    let callback = signer.callback_of(&runtime, &recorder.envelopes()[0]);
    let accepted = client.request(callback.clone().request().unwrap()).await.unwrap();
    let refused = client
        .request(callback.unsigned().request().unwrap())
        .await
        .unwrap();
    stop.send(()).unwrap();
    served.await.unwrap().unwrap();

    assert_eq!(
        (accepted.status(), refused.status()),
        (StatusCode::OK, StatusCode::UNAUTHORIZED)
    );
    assert_eq!(log.lines(), ["over HTTP"]);
    recorder.assert_enqueued::<Note>(|note| note.text == "over HTTP");
}
