//! What callers are answered.

use cloud_tasks::service::TrustedCallers;
use cloud_tasks::{Config, ErrorKind, Runtime};
use http::StatusCode;
use serde_json::{Value, json};

use crate::service::{Foreman, Nowhere, bearer, callers, config, key_server, post, push, send, verified};
use crate::support::tokens::{self, claims, header, sign, with};

const ROUTES: [&str; 2] = ["/tasks/Note", "/subscriptions/Listener"];

fn body_of(route: &str) -> String {
    if route.starts_with("/tasks") {
        "null".to_owned()
    } else {
        push(&json!({"what": "x"}))
    }
}

fn signed(changes: Value) -> String {
    format!(
        "Bearer {}",
        sign(&header(), &with(claims(crate::service::ENDPOINT), changes))
    )
}

#[tokio::test]
async fn only_callers_with_a_good_token_are_accepted_on_both_endpoints() {
    let server = key_server().await;
    let runtime = verified(&server).build().await.unwrap();

    for (authorization, status, error) in [
        (Some(bearer()), 200, None),
        (None, 401, Some("Not allowed: there is no token")),
        (
            Some("Basic eDp5".into()),
            401,
            Some("Not allowed: the Authorization header is not a Bearer token"),
        ),
        (
            Some("Bearer x".into()),
            401,
            Some("Not allowed: the token has not three parts"),
        ),
        (
            Some(format!("{}A", bearer())),
            401,
            Some("Not allowed: the token's signature is wrong"),
        ),
        (
            Some(signed(json!({"exp": 1}))),
            401,
            Some("Not allowed: the token is expired"),
        ),
        (
            Some(signed(json!({"email": "x@y"}))),
            403,
            Some("Not allowed: the token's account is not trusted"),
        ),
        (
            Some(signed(json!({"aud": "x"}))),
            403,
            Some("Not allowed: the token is meant for another audience"),
        ),
        (
            Some(signed(json!({"iss": "x"}))),
            403,
            Some("Not allowed: the token's issuer is not trusted"),
        ),
    ] {
        for route in ROUTES {
            let response = send(&runtime, post(route, authorization.as_deref(), body_of(route))).await;

            assert_eq!(response.status(), status, "{authorization:?} at {route}");
            assert_eq!(response.headers().contains_key("www-authenticate"), status == 401);
            if let Some(error) = error {
                let body: Value = serde_json::from_slice(response.body()).unwrap();
                assert_eq!(body, json!({ "error": error }));
            }
        }
    }
}

#[tokio::test]
async fn who_is_not_let_in_does_not_learn_which_tasks_there_are() {
    let server = key_server().await;
    let runtime = verified(&server).build().await.unwrap();

    for path in ["/tasks/Note", "/tasks/Nobody", "/subscriptions/Nobody"] {
        assert_eq!(send(&runtime, post(path, None, "null")).await.status(), 401);
    }
    let unknown = send(&runtime, post("/tasks/Nobody", Some(&bearer()), "null")).await;

    assert_eq!(unknown.status(), 404);
    assert_eq!(unknown.body(), r#"{"error":"Task Nobody not found"}"#);
}

#[tokio::test]
async fn while_there_are_no_keys_callers_are_told_to_come_back() {
    let runtime = Runtime::builder()
        .backend(Nowhere::default())
        .config(config())
        .callers(TrustedCallers::new().issuer(tokens::ISSUER, "http://127.0.0.1:9/certs"))
        .state(Foreman::new().0)
        .build()
        .await
        .unwrap();

    let response = send(&runtime, post("/tasks/Note", Some(&bearer()), "null")).await;

    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(response.headers()["retry-after"], "10");
}

#[tokio::test]
async fn a_runtime_that_trusts_nobody_is_not_built_unless_it_says_so_in_words() {
    let builder = || {
        Runtime::builder()
            .backend(Nowhere::default())
            .state(Foreman::new().0)
    };

    let refused = builder().build().await.unwrap_err();
    let named = builder()
        .callers(TrustedCallers::new().account("a@b.example"))
        .build()
        .await;
    let open = builder().allow_unauthenticated().build().await.unwrap();

    assert_eq!(refused.kind(), ErrorKind::Build);
    assert_eq!(
        refused.to_string(),
        "the runtime was not built: no caller is trusted: set CLOUD_TASKS_SERVICE_ACCOUNT, name an \
         account with `.callers(TrustedCallers::new().account(\"..\"))`, or accept every caller with `.allow_unauthenticated()`"
    );
    assert!(named.is_ok());
    assert_eq!(send(&open, post("/tasks/Note", None, "null")).await.status(), 200);
}

#[tokio::test]
async fn what_is_wrong_with_the_callers_is_said_at_once() {
    let error = Runtime::builder()
        .backend(Nowhere::default())
        .state(Foreman::new().0)
        .callers(
            TrustedCallers::new()
                .account("my-project")
                .audience("")
                .issuer("x", "ftp://keys"),
        )
        .build()
        .await
        .unwrap_err()
        .to_string();

    for part in [
        "the account \"my-project\" is not accepted: expected the e-mail of a service account",
        "the audience \"\" is empty",
        "the URL of the keys \"ftp://keys\" is not accepted: expected an http or https URL",
    ] {
        assert!(error.contains(part), "{part} in {error}");
    }
}

#[tokio::test]
async fn keys_of_an_issuer_on_the_internet_are_not_fetched_in_the_clear() {
    const GOOGLE: &str = "https://accounts.google.com";
    for (issuer, url, is_accepted) in [
        (GOOGLE, "https://keys.example/certs", true),
        (GOOGLE, "http://127.0.0.1:9/certs", true),
        (GOOGLE, "http://localhost:9/certs", true),
        (GOOGLE, "http://[::1]:9/certs", true),
        (GOOGLE, "http://keys.example/certs", false),
        (GOOGLE, "http://10.0.0.1/certs", false),
        (GOOGLE, "http://localhost.keys.example/certs", false),
        (GOOGLE, "http://localhost@keys.example/certs", false),
        ("accounts.google.com", "http://keys.example/certs", false),
        ("https://issuer.example", "http://keys.example/certs", false),
        (
            "http://tasks-emulator:8123",
            "http://tasks-emulator:8123/jwks",
            true,
        ),
    ] {
        let built = Runtime::builder()
            .backend(Nowhere::default())
            .config(config())
            .callers(TrustedCallers::new().issuer(issuer, url))
            .state(Foreman::new().0)
            .build()
            .await;

        match built {
            Ok(_) => assert!(is_accepted, "{issuer} with {url}"),
            Err(error) => {
                assert!(!is_accepted, "{issuer} with {url}: {error}");
                assert!(
                    error
                        .to_string()
                        .contains("anybody on the network could replace them"),
                    "{error}"
                );
            }
        }
    }
}

#[tokio::test]
async fn a_password_in_the_url_of_the_keys_is_refused_and_not_shown() {
    for url in [
        "https://user:secret@keys.example/certs",
        "http://user:secret@keys.example/certs",
        "http://user:secret@127.0.0.1:9/certs",
        "ftp://user:secret@keys.example/certs",
        "https://user:secret@keys .example/certs",
    ] {
        let built = Runtime::builder()
            .backend(Nowhere::default())
            .config(config())
            .callers(TrustedCallers::new().issuer("https://issuer.example", url))
            .state(Foreman::new().0)
            .build()
            .await;

        let error = built.unwrap_err().to_string();
        assert!(error.contains("without user and password"), "{url}: {error}");
        assert!(!error.contains("secret"), "{url}: {error}");
    }
}

#[tokio::test]
async fn no_setting_loosens_the_check() {
    let vars = [
        ("CLOUD_TASKS_EAGER", "true"),
        ("CLOUD_TASKS_EMULATOR_HOST", "127.0.0.1:9"),
        ("PUBSUB_EMULATOR_HOST", "127.0.0.1:9"),
    ];
    for vars in [&vars[..1], &vars[1..], &vars[1..2]] {
        let config = Config::from_vars(vars.iter().copied()).unwrap();
        let runtime = Runtime::builder()
            .config(config)
            .state(Foreman::new().0)
            .build()
            .await
            .unwrap();

        for route in ROUTES {
            let response = send(&runtime, post(route, None, body_of(route))).await;
            assert_eq!(response.status(), 401, "{vars:?} at {route}");
        }
    }
}

#[tokio::test]
async fn pushes_of_an_emulator_are_accepted_where_the_code_says_so_and_tasks_are_not() {
    let server = key_server().await;
    let runtime = verified(&server).allow_emulator_pushes().build().await.unwrap();

    let [task, message] = ROUTES.map(|route| post(route, None, body_of(route)));

    assert_eq!(send(&runtime, task).await.status(), 401);
    assert_eq!(send(&runtime, message).await.status(), 200);
}

#[tokio::test]
async fn behind_a_platform_that_checks_signatures_the_claims_still_count() {
    let server = key_server().await;
    let runtime = Runtime::builder()
        .backend(Nowhere::default())
        .config(config())
        .callers(callers(&server))
        .state(Foreman::new().0)
        .trust_platform()
        .build()
        .await
        .unwrap();
    let removed = |changes| {
        let claims = with(claims(crate::service::ENDPOINT), changes).to_string();
        let text = tokens::unsigned(&header().to_string(), &claims);
        format!("Bearer {text}.SIGNATURE_REMOVED_BY_GOOGLE")
    };

    for (authorization, status) in [
        (Some(removed(json!({}))), 200),
        (Some(bearer()), 200),
        (Some(removed(json!({"email": "x@y"}))), 403),
        (Some(format!("{}A", bearer())), 401),
        (None, 401),
    ] {
        let response = send(&runtime, post("/tasks/Note", authorization.as_deref(), "null")).await;
        assert_eq!(response.status(), status, "{authorization:?}");
    }
}

#[cfg(feature = "local")]
#[tokio::test]
async fn the_local_engine_signs_for_real_and_nobody_else_gets_in() {
    let (foreman, mut starts) = Foreman::new();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let (runtime, engine) = Runtime::local()
        .config(Config::default().with_endpoint(endpoint))
        .state(foreman.clone())
        .build()
        .await
        .unwrap();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let serve = runtime
        .serve(listener, runtime.service())
        .linger(std::time::Duration::ZERO)
        .shutdown(async { drop(stopped.await) });
    let server = tokio::spawn(serve.into_future());

    let forged = send(&runtime, post("/tasks/Work", None, r#"{"number": 1}"#)).await;
    let googles = send(&runtime, post("/tasks/Work", Some(&bearer()), r#"{"number": 2}"#)).await;
    cloud_tasks::Task::asap(crate::service::Work { number: 3 })
        .on(&runtime)
        .await
        .unwrap();
    let started = starts.recv().await;
    foreman.release(1);
    let happened = crate::service::Happened { what: "x".repeat(40) };
    cloud_tasks::PublisherTask::sync(happened)
        .on(&runtime)
        .await
        .unwrap();
    let heard = starts.recv().await;
    engine.wait_idle("tasks").await.unwrap();

    assert_eq!((forged.status().as_u16(), googles.status().as_u16()), (401, 401));
    assert_eq!((started, heard), (Some(3), Some(40)));
    stop.send(()).unwrap();
    server.await.unwrap().unwrap();
    engine.stop().await;
}
