//! Which audience opens which route, with real tokens and a real server.

use std::net::SocketAddr;

use axum::body::Body;
use cloud_tasks::Runtime;
use cloud_tasks::service::TrustedCallers;
use http::{Request, StatusCode};
use http_body_util::BodyExt;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::service::{Nowhere, callers, config, key_server, push, state};
use crate::support::logs::Logs;
use crate::support::tokens::{self, claims, header, sign, with};

const ENDPOINT: &str = "https://shop.example/jobs";
const SECOND: &str = "https://shop-a1b2c3-ew.a.run.app";

/// A task, a scheduled one, a subscriber, the same by its alias, and one whose pushes go to a URL of its own.
const ROUTES: [&str; 5] = [NOTE, TICK, LISTENER, ALIAS, HOOKED];
const NOTE: &str = "/jobs/tasks/Note";
const TICK: &str = "/jobs/tasks/Tick";
const LISTENER: &str = "/jobs/subscriptions/Listener";
const ALIAS: &str = "/jobs/subscriptions/Hearer";
const HOOKED: &str = "/jobs/subscriptions/Hooked";

const ALL: &[&str] = &ROUTES;
const NONE: &[&str] = &[];

/// An audience, and the routes that a token for it opens.
const AUDIENCES: &[(&str, &[&str])] = &[
    ("https://shop.example/jobs", ALL),
    ("https://shop.example/jobs/", ALL),
    ("HTTPS://SHOP.Example/jobs", ALL),
    ("https://shop.example:443/jobs", ALL),
    ("https://shop.example/%6Aobs", ALL),
    (SECOND, ALL),
    ("https://shop-A1B2C3-ew.a.run.app/", ALL),
    ("https://shop.example/jobs/tasks/Note", &[NOTE]),
    ("https://shop.example/jobs/tasks/Note/", &[NOTE]),
    ("https://SHOP.EXAMPLE/jobs/tasks/Note", &[NOTE]),
    ("https://shop.example:443/jobs/tasks/Note", &[NOTE]),
    ("https://shop.example/jobs/tasks/%4eote", &[NOTE]),
    ("https://shop.example/jobs/tasks/Note?source=printemps", &[NOTE]),
    ("https://shop.example/jobs/tasks/Tick", &[TICK]),
    ("https://shop.example/jobs/subscriptions/Listener", &[LISTENER]),
    ("https://shop.example/jobs/subscriptions/Hearer", &[ALIAS]),
    ("https://shop.example/jobs/subscriptions/Hooked", &[HOOKED]),
    ("https://gateway.example/orders?key=1", &[HOOKED]),
    ("https://Gateway.example:443/orders?key=1", &[HOOKED]),
    // Other places of this host, and other spellings of a name.
    ("https://shop.example", NONE),
    ("https://shop.example/JOBS", NONE),
    ("https://shop.example/jobs//", NONE),
    ("https://shop.example/jobs?x", NONE),
    ("https://shop.example/jobs#x", NONE),
    ("https://shop.example/jobs/tasks", NONE),
    ("https://shop.example/jobs/tasks/", NONE),
    ("https://shop.example/jobs/tasks/note", NONE),
    ("https://shop.example/jobs/tasks/Note%20", NONE),
    ("https://shop.example/jobs/tasks/Note//", NONE),
    ("https://shop.example/jobs/tasks/Note/x", NONE),
    ("https://shop.example/jobs/tasks/Note#x", NONE),
    ("https://shop.example/jobs/tasks/Note?x#y", NONE),
    ("https://shop.example/jobs/tasks/%254eote", NONE),
    ("https://shop.example/jobs/tasks%2FNote", NONE),
    ("https://shop.example/jobs//tasks/Note", NONE),
    ("https://shop.example/jobs/tasks/x/../Note", NONE),
    ("https://shop.example/jobs/tasks/x/%2E%2E/Note", NONE),
    ("https://shop.example/jobs/tasks/Nobody", NONE),
    ("https://shop.example/tasks/Note", NONE),
    // A subscriber is no task, and a task no subscriber.
    ("https://shop.example/jobs/subscriptions/Note", NONE),
    ("https://shop.example/jobs/tasks/Listener", NONE),
    ("https://shop.example/jobs/subscriptions/Nobody", NONE),
    // Other services.
    ("http://shop.example/jobs", NONE),
    ("http://shop.example/jobs/tasks/Note", NONE),
    ("https://shop.example:8443/jobs", NONE),
    ("https://shop.example:80/jobs", NONE),
    ("https://user@shop.example/jobs", NONE),
    ("https://shop.example@evil.example/jobs", NONE),
    ("https://shop.example.evil.example/jobs/tasks/Note", NONE),
    ("https://evil.example/jobs/tasks/Note", NONE),
    ("https://evil.example/https://shop.example/jobs", NONE),
    ("https://gateway.example/orders", NONE),
    ("https://gateway.example/orders?key=2", NONE),
    ("https://gateway.example/orders?key=1&more", NONE),
    ("ftp://shop.example/jobs", NONE),
    ("shop.example/jobs", NONE),
    ("//shop.example/jobs", NONE),
    ("/jobs/tasks/Note", NONE),
    (" https://shop.example/jobs", NONE),
    ("https://shop.example/jobs\n", NONE),
    ("https://", NONE),
    ("://", NONE),
    ("%", NONE),
    ("", NONE),
];

struct Service {
    address: SocketAddr,
    client: Client<HttpConnector, Body>,
    server: JoinHandle<()>,
}

impl Service {
    async fn start(callers: TrustedCallers) -> Self {
        let runtime = Runtime::builder()
            .backend(Nowhere::default())
            .config(config().with_endpoint(ENDPOINT))
            .callers(callers.audience(SECOND))
            .state(state())
            .build()
            .await
            .unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let serve = runtime.serve(listener, runtime.service());
        Self {
            address,
            client: Client::builder(TokioExecutor::new()).build_http(),
            server: tokio::spawn(async move { serve.await.unwrap() }),
        }
    }

    /// Whether a token gets in there.
    async fn lets_in(&self, token: &str, route: &str) -> bool {
        let (status, answer) = self.post(token, route).await;
        match status {
            StatusCode::OK => true,
            StatusCode::FORBIDDEN => {
                let error = "Not allowed: the token is meant for another audience";
                assert_eq!(answer, json!({ "error": error }));
                false
            }
            _ => panic!("{route}: {status} {answer}"),
        }
    }

    async fn post(&self, token: &str, route: &str) -> (StatusCode, Value) {
        let body = if route.contains("/tasks/") {
            "null".to_owned()
        } else {
            push(&json!({"what": "x"}))
        };
        let request = Request::post(format!("http://{}{route}", self.address))
            .header("authorization", format!("Bearer {token}"))
            .body(body.into())
            .unwrap();
        let response = self.client.request(request).await.unwrap();
        let status = response.status();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (status, serde_json::from_slice(&body).unwrap())
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.server.abort();
    }
}

#[tokio::test]
async fn a_token_opens_the_routes_of_its_audience_and_no_other() {
    let server = key_server().await;
    let service = Service::start(callers(&server)).await;

    for (audience, opened) in AUDIENCES {
        let token = tokens::good(audience);
        // Where it gets in comes first and last, so that a token that is remembered is tried everywhere too.
        let routes = opened.iter().chain(&ROUTES).chain(*opened);
        for route in routes {
            let is_in = service.lets_in(&token, route).await;

            assert_eq!(is_in, opened.contains(route), "{audience:?} at {route}");
        }
    }
}

#[tokio::test]
async fn a_token_for_several_audiences_opens_what_each_of_them_opens() {
    let server = key_server().await;
    let service = Service::start(callers(&server)).await;
    let url = |path: &str| format!("https://shop.example{path}");

    for (audiences, opened) in [
        (vec![url(NOTE), url(LISTENER)], vec![NOTE, LISTENER]),
        (vec!["https://other.example".to_owned(), url(TICK)], vec![TICK]),
        (vec![url(NOTE), ENDPOINT.to_owned()], ROUTES.to_vec()),
        (vec!["https://other.example".to_owned()], vec![]),
        (vec![], vec![]),
    ] {
        let token = sign(&header(), &with(claims(""), json!({ "aud": audiences })));
        for route in ROUTES.iter().chain(&ROUTES) {
            let is_in = service.lets_in(&token, route).await;

            assert_eq!(is_in, opened.contains(route), "{audiences:?} at {route}");
        }
    }
}

#[tokio::test]
async fn the_url_of_a_route_that_is_escaped_in_the_request_opens_it_too() {
    let server = key_server().await;
    let service = Service::start(callers(&server)).await;
    let token = tokens::good("https://shop.example/jobs/tasks/Note");

    for (route, is_in) in [
        ("/jobs/tasks/%4Eote", true),
        ("/jobs/tasks/Note?source=printemps", true),
        ("/jobs/tasks/Tick?x=/jobs/tasks/Note", false),
        ("/jobs/tasks/%54ick", false),
    ] {
        assert_eq!(service.lets_in(&token, route).await, is_in, "{route}");
    }
}

#[tokio::test]
async fn a_token_for_a_task_that_does_not_exist_learns_of_that_task_alone() {
    let server = key_server().await;
    let service = Service::start(callers(&server)).await;
    let token = tokens::good("https://shop.example/jobs/tasks/Nobody");

    let (own, _) = service.post(&token, "/jobs/tasks/Nobody").await;
    let (other, _) = service.post(&token, "/jobs/tasks/Nobody2").await;

    assert_eq!((own.as_u16(), other.as_u16()), (404, 403));
}

#[tokio::test]
async fn behind_a_platform_that_checks_signatures_the_audiences_are_the_same() {
    let server = key_server().await;
    let runtime = Runtime::builder()
        .backend(Nowhere::default())
        .config(config().with_endpoint(ENDPOINT))
        .callers(callers(&server).audience(SECOND))
        .trust_platform()
        .state(state())
        .build()
        .await
        .unwrap();

    for (audience, opened) in AUDIENCES {
        let signed = tokens::unsigned(&header().to_string(), &claims(audience).to_string());
        let bearer = format!("Bearer {signed}.SIGNATURE_REMOVED_BY_GOOGLE");
        for route in [NOTE, TICK] {
            let request = crate::service::post(route, Some(&bearer), "null");
            let status = crate::service::send(&runtime, request).await.status();

            assert_eq!(status == 200, opened.contains(&route), "{audience:?} at {route}");
        }
    }
}

#[tokio::test]
async fn a_refused_audience_is_logged_with_those_that_are_accepted_the_path_and_the_account() {
    let server = key_server().await;
    let service = Service::start(callers(&server)).await;
    let token = tokens::good("https://shop.example/old\u{202e}\r\nERROR forged");
    let logs = Logs::capture();

    let (status, answer) = service.post(&token, HOOKED).await;

    let logged = logs.text();
    assert_eq!(status, StatusCode::FORBIDDEN);
    assert_eq!(
        answer,
        json!({"error": "Not allowed: the token is meant for another audience"})
    );
    let line = logged
        .lines()
        .find(|line| line.contains("a caller was refused"))
        .unwrap();
    for part in [
        "WARN",
        "reason=the token is meant for another audience",
        "path=\"/subscriptions/Hooked\"",
        "account=\"tasks@my-project.iam.gserviceaccount.com\"",
        r#"received=["https://shop.example/old\u{202e}\r\nERROR forged"]"#,
        "accepted=[\"https://shop.example/jobs\", \"https://shop-a1b2c3-ew.a.run.app\", \
         \"https://shop.example/jobs/subscriptions/Hooked\", \"https://gateway.example/orders?key=1\"]",
    ] {
        assert!(line.contains(part), "{part} in {line}");
    }
    assert!(!logged.contains("eyJ"), "{logged}");
}
