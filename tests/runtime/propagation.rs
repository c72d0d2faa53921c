use axum::Router;
use axum::routing::post as on_post;
use cloud_tasks::testing::Recorder;
use cloud_tasks::{Config, Context, Message, PublisherTask, Runtime, SubscriberTask, Task, TaskResult, task};
use http::{HeaderMap, HeaderName, Request};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::events::action;
use crate::tasks::{Add, Log, answer, post, send};

const TRACE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

/// Enqueues another task from inside.
#[derive(Deserialize, Serialize)]
struct Forward;

#[task]
impl Task for Forward {
    async fn run(self, _cx: Context) -> TaskResult {
        let runtime = Runtime::current()?;
        Add { left: 1, right: 2 }.asap().await?;
        runtime.spawn(Add { left: 3, right: 4 }.asap()).await??;
        Ok(())
    }
}

async fn signup() {
    Forward.asap().await.unwrap();
}

async fn recorded(config: Config) -> (Runtime, Recorder) {
    Runtime::recorded().config(config).build().await.unwrap()
}

fn last_headers(recorder: &Recorder) -> HeaderMap {
    recorder.envelopes().last().unwrap().headers().clone()
}

fn signup_request() -> Request<axum::body::Body> {
    let mut request = post("/signup", "");
    request
        .headers_mut()
        .insert("traceparent", TRACE.parse().unwrap());
    request
        .headers_mut()
        .insert("authorization", "Bearer secret".parse().unwrap());
    request
        .headers_mut()
        .insert("x-request-id", "abc".parse().unwrap());
    request
}

#[tokio::test]
async fn tasks_of_a_request_carry_its_traceparent_and_no_other_header() {
    let (runtime, recorder) = recorded(Config::default()).await;
    let app = Router::new()
        .route("/signup", on_post(signup))
        .layer(runtime.layer());

    app.oneshot(signup_request()).await.unwrap();
    let first = last_headers(&recorder);

    assert_eq!(first["traceparent"], TRACE);
    assert!(!first.contains_key("authorization") && !first.contains_key("x-request-id"));
}

#[tokio::test]
async fn tasks_that_a_task_enqueues_or_spawns_carry_the_headers_of_its_request() {
    let (runtime, recorder) = recorded(Config::default()).await;
    let mut request = post("/tasks/Forward", "{}");
    request
        .headers_mut()
        .insert("traceparent", TRACE.parse().unwrap());

    let response = send(&runtime, request).await;

    assert_eq!(response.status(), 200);
    let traces: Vec<_> = recorder
        .envelopes()
        .iter()
        .map(|envelope| envelope.headers()["traceparent"].clone())
        .collect();
    assert_eq!(traces, [TRACE, TRACE]);
}

/// Writes the trace that it runs under into the log.
#[derive(Deserialize, Serialize)]
struct TellTrace {
    again: bool,
}

#[task]
impl Task for TellTrace {
    async fn run(self, cx: Context<Log>) -> TaskResult {
        let trace = cx
            .metadata()
            .headers()
            .get("traceparent")
            .map(|value| format!("{value:?}"));
        cx.state().write(trace.unwrap_or_default());
        if self.again {
            TellTrace { again: false }.asap().await?;
        }
        Ok(())
    }
}

#[tokio::test]
async fn tasks_that_run_in_this_process_hand_the_headers_on_too() {
    let log = Log::default();
    let runtime = Runtime::eager().state(log.clone()).build().await.unwrap();
    let app = Router::new()
        .route(
            "/signup",
            on_post(|| async { TellTrace { again: true }.asap().await.map(drop).unwrap() }),
        )
        .layer(runtime.layer());

    app.oneshot(signup_request()).await.unwrap();

    assert_eq!(log.lines(), [format!("{TRACE:?}"), format!("{TRACE:?}")]);
}

#[tokio::test]
async fn only_the_headers_of_the_allow_list_travel_and_a_call_may_set_its_own() {
    let (runtime, recorder) = recorded(Config::default().with_propagated_headers(["X-Request-Id"])).await;
    let app = Router::new()
        .route(
            "/signup",
            on_post(|| async {
                Add { left: 1, right: 2 }.asap().await.unwrap();
                Add { left: 1, right: 2 }
                    .asap()
                    .header("x-request-id", "own")
                    .await
                    .unwrap();
            }),
        )
        .layer(runtime.layer());

    app.oneshot(signup_request()).await.unwrap();

    let envelopes = recorder.envelopes();
    assert_eq!(envelopes[0].headers()["x-request-id"], "abc");
    assert_eq!(envelopes[1].headers()["x-request-id"], "own");
    assert!(!envelopes[0].headers().contains_key("traceparent"));
}

#[tokio::test]
async fn outside_a_request_nothing_is_propagated() {
    let (runtime, recorder) = recorded(Config::default()).await;

    Add { left: 1, right: 2 }.asap().on(&runtime).await.unwrap();

    let headers = last_headers(&recorder);
    assert_eq!(headers.keys().collect::<Vec<_>>(), ["content-type"]);
}

#[tokio::test]
async fn a_header_of_a_visitor_never_makes_an_enqueue_fail() {
    for (value, arrives) in [
        (TRACE.to_owned(), true),
        (String::new(), false),
        ("x".repeat(83_000), false),
        ("x".repeat(8_000), true),
        ("ü".to_owned(), false),
        (" ".to_owned(), false),
        ("\t".to_owned(), false),
    ] {
        let (runtime, recorder) = recorded(Config::default()).await;
        let app = Router::new()
            .route("/signup", on_post(signup))
            .layer(runtime.layer());
        let mut from_visitor = post("/signup", "");
        let mut from_task = post("/tasks/Forward", "{}");
        for request in [&mut from_visitor, &mut from_task] {
            let value = http::HeaderValue::from_bytes(value.as_bytes()).unwrap();
            request.headers_mut().insert("traceparent", value);
        }

        let visited = app.oneshot(from_visitor).await.unwrap().status();
        let ran = send(&runtime, from_task).await.status();

        assert_eq!(
            (visited.as_u16(), ran.as_u16()),
            (200, 200),
            "{} bytes",
            value.len()
        );
        let envelopes = recorder.envelopes();
        assert_eq!(envelopes.len(), 3);
        for envelope in envelopes {
            assert_eq!(envelope.headers().contains_key("traceparent"), arrives);
        }
    }
}

#[tokio::test]
async fn a_header_that_is_listed_in_several_spellings_travels_once() {
    let listed = [
        Config::default().with_added_propagated_headers(["TraceParent", " traceparent ", "x-request-id"]),
        Config::from_vars([(
            "CLOUD_TASKS_PROPAGATED_HEADERS",
            "traceparent, TRACEPARENT,X-Request-Id",
        )])
        .unwrap(),
    ];
    for config in listed {
        let (runtime, recorder) = recorded(config).await;
        let app = Router::new()
            .route("/signup", on_post(signup))
            .layer(runtime.layer());

        app.oneshot(signup_request()).await.unwrap();
        // Each hop would double what is listed twice.
        let mut next = post("/tasks/Forward", "{}");
        next.headers_mut().extend(last_headers(&recorder));
        send(&runtime, next).await;

        for envelope in recorder.envelopes() {
            for (name, value) in [("traceparent", TRACE), ("x-request-id", "abc")] {
                let values: Vec<_> = envelope.headers().get_all(name).iter().collect();
                assert_eq!(values, [value], "{name}");
            }
        }
    }
}

#[tokio::test]
async fn a_header_that_a_visitor_sends_a_hundred_times_does_not_make_an_enqueue_fail() {
    let (runtime, recorder) = recorded(Config::default()).await;
    let app = Router::new()
        .route("/signup", on_post(signup))
        .layer(runtime.layer());
    let mut request = post("/signup", "");
    for _ in 0..100 {
        let value = TRACE.parse().unwrap();
        request.headers_mut().append("traceparent", value);
    }

    let status = app.oneshot(request).await.unwrap().status();

    assert_eq!(status, 200);
    assert_eq!(recorder.envelopes().len(), 1);
}

/// Takes nearly all that there is room for.
#[derive(Deserialize, Serialize)]
struct Large {
    text: String,
}

#[task]
impl Task for Large {
    async fn run(self, _cx: Context) -> TaskResult {
        Ok(())
    }
}

#[tokio::test]
async fn a_task_without_room_for_propagated_headers_is_sent_without_them() {
    async fn enqueue() {
        // As much as fits without any header.
        let text = "x".repeat(1_048_569 - 600);
        Large { text }.asap().await.unwrap();
    }
    let (runtime, recorder) = recorded(Config::default()).await;
    let app = Router::new()
        .route("/enqueue", on_post(enqueue))
        .layer(runtime.layer());
    let mut request = post("/enqueue", "");
    request
        .headers_mut()
        .insert("traceparent", "x".repeat(8000).parse().unwrap());

    let status = app.oneshot(request).await.unwrap().status();

    assert_eq!(status, 200);
    assert!(!last_headers(&recorder).contains_key("traceparent"));
}

#[tokio::test]
async fn where_there_is_no_room_for_propagated_headers_a_message_goes_without_them() {
    async fn publish_one_of(length: usize) {
        action(&"x".repeat(length)).sync().await.unwrap();
    }
    async fn publish() {
        // As much as fits without any header, and one with room for them.
        publish_one_of(10_000_000 - 160).await;
        publish_one_of(10).await;
    }
    let (runtime, recorder) = recorded(Config::default()).await;
    let app = Router::new()
        .route("/publish", on_post(publish))
        .layer(runtime.layer());
    let mut request = post("/publish", "");
    request
        .headers_mut()
        .insert("traceparent", TRACE.parse().unwrap());

    let status = app.oneshot(request).await.unwrap().status();

    assert_eq!(status, 200);
    let publications = recorder.publications();
    let [large, small] = &publications[..] else {
        panic!("{} publications", publications.len());
    };
    let carries = |data: &[u8]| data.windows(13).any(|part| part == b"_http_headers");
    assert!(large.attributes().is_empty() && !carries(large.data()));
    assert_eq!(small.attributes()["googclient_traceparent"], TRACE);
    assert!(carries(small.data()));
}

#[tokio::test]
async fn a_runtime_that_would_propagate_a_reserved_header_is_not_built() {
    let config = Config::default().with_added_propagated_headers([
        "Authorization",
        "cookie",
        "host",
        "x-cloudtasks-taskretrycount",
        "x-cloud-tasks-timeout",
        "content-type",
        "baggage",
    ]);

    let error = Runtime::recorded()
        .config(config)
        .build()
        .await
        .unwrap_err()
        .to_string();
    let variable = Config::from_vars([("CLOUD_TASKS_PROPAGATED_HEADERS", "traceparent,cookie")]).unwrap_err();

    assert_eq!(error.matches("the propagated header").count(), 6, "{error}");
    assert!(
        !error.contains("baggage") && !error.contains("\"traceparent\""),
        "{error}"
    );
    assert!(
        variable.to_string().contains("; cookie is not one of them: "),
        "{variable}"
    );
}

/// Tells the values of the headers that it runs with.
struct TellHeaders;

#[task(topic = "told-headers")]
impl SubscriberTask for TellHeaders {
    async fn run(_message: Message<Value>, cx: Context) -> TaskResult<Vec<String>> {
        let values = cx.metadata().headers().values();
        Ok(values
            .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
            .collect())
    }
}

const SMUGGLED: &str = "smuggled";

/// Where a header may come in, and whether this one does.
async fn entrances(name: &str) -> Vec<(&'static str, bool)> {
    let add = || Add { left: 1, right: 2 };
    let (runtime, recorder) = recorded(Config::default()).await;
    let call = add().asap().header(name, SMUGGLED).on(&runtime).await;
    let publisher = action("x").asap().header(name, SMUGGLED).on(&runtime).await;
    let bulk = Add::asap_all(vec![add()]).header(name, SMUGGLED).on(&runtime);
    let bulk = bulk.await.remove(0);
    let named = runtime
        .enqueue_named("Add", add())
        .unwrap()
        .header(name, SMUGGLED);
    let named = named.await;
    let added = Config::default().with_added_propagated_headers([name]);
    let setting = Runtime::recorded().config(added).build().await;
    let variable = Config::from_vars([("CLOUD_TASKS_PROPAGATED_HEADERS", name)]);

    let header: HeaderName = name.parse().unwrap();
    let with_header = |mut request: Request<axum::body::Body>| {
        request
            .headers_mut()
            .insert(header.clone(), SMUGGLED.parse().unwrap());
        request
    };
    recorder.clear();
    let app = Router::new()
        .route("/signup", on_post(signup))
        .layer(runtime.layer());
    app.oneshot(with_header(post("/signup", ""))).await.unwrap();
    send(&runtime, with_header(post("/tasks/Forward", "{}"))).await;
    let envelopes = recorder.envelopes();
    assert_eq!(envelopes.len(), 3);
    let is_carried = envelopes
        .iter()
        .any(|envelope| envelope.headers().values().any(|value| value == SMUGGLED));

    let carried = json!({ name: SMUGGLED });
    let content = json!({"a": 1, "_http_headers": carried}).to_string();
    let data = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, content);
    let message = json!({"data": data, "attributes": carried, "messageId": "1"});
    let pushed = post(
        "/subscriptions/TellHeaders",
        json!({ "message": message }).to_string(),
    );
    let (_, told) = answer(&runtime, with_header(pushed)).await;
    let body = json!({"message": {"id": 7}, "attributes": null, "headers": carried});
    send(&runtime, post("/tasks/AccountClosed", body.to_string())).await;
    let message = &recorder.publications()[0];
    let is_published = message.attributes().values().any(|value| value == SMUGGLED)
        || String::from_utf8_lossy(message.data()).contains(SMUGGLED);
    vec![
        ("a call", call.is_ok()),
        ("a publisher's call", publisher.is_ok()),
        ("a bulk", bulk.is_ok()),
        ("a task by its name", named.is_ok()),
        ("a setting", setting.is_ok()),
        ("a variable", variable.is_ok()),
        ("the headers of a publisher's task", is_published),
        ("a request or a task", is_carried),
        ("a message", told["result"].to_string().contains(SMUGGLED)),
    ]
}

/// The entrances where the code or an operator names the header.
const NAMED: usize = 7;

#[tokio::test]
async fn no_entrance_lets_a_reserved_header_in() {
    for name in [
        "Authorization",
        "PROXY-AUTHORIZATION",
        "x-serverless-authorization",
        "Cookie",
        "set-cookie",
        "Host",
        "connection",
        "keep-alive",
        "Transfer-Encoding",
        "content-length",
        "content-encoding",
        "te",
        "trailer",
        "upgrade",
        "expect",
        "forwarded",
        "X-Forwarded-For",
        "user-agent",
        "from",
        "via",
        "X-Cloud-Trace-Context",
        "x-cloudtasks-taskretrycount",
        "X-CloudTasks-QueueName",
        "x-cloud-tasks-timeout",
        "X-Cloud-Tasks-Message",
        "x-cloud-tasks-creation",
        "x-cloud-tasks-handled-by",
        "x-cloud-tasks-of-the-future",
        "x-google-anything",
        "X-AppEngine-QueueName",
    ] {
        for (entrance, is_in) in entrances(name).await {
            assert!(!is_in, "{name} through {entrance}");
        }
    }
    for name in ["X-Request-Id", "baggage"] {
        for (at, (entrance, is_in)) in entrances(name).await.into_iter().enumerate() {
            assert_eq!(is_in, at < NAMED, "{name} through {entrance}");
        }
    }
}
