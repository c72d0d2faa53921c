//! Emulators of Cloud Tasks: how they are found, and that they get no credentials.

use std::sync::atomic::AtomicU32;

use cloud_tasks::backend::{Google, RetrySettings};
use cloud_tasks::{Config, Runtime};

use crate::credentials::Rotating;
use crate::stage::{http_request, requests, runtime_with, the_only_request, willing_api};
use crate::support::api::{QUEUES, config};
use crate::tasks::welcome;

#[tokio::test]
async fn the_variable_of_the_emulator_leads_there_without_credentials() {
    let emulator = willing_api().await;
    let host = emulator.address().to_string();
    let config = Config::from_vars([("CLOUD_TASKS_EMULATOR_HOST", host.as_str())]).unwrap();
    let runtime = runtime_with(config, Google::new()).await;

    let enqueued = welcome().on(&runtime).await.unwrap();

    let request = the_only_request(&emulator).await;
    assert_eq!(
        request.url.path(),
        "/v2/projects/local/locations/local/queues/emails/tasks"
    );
    assert!(!request.headers.contains_key("authorization"));
    assert_eq!(
        http_request(&request)["url"],
        "http://localhost:8080/tasks/Welcome"
    );
    assert_eq!(enqueued.queue(), "emails");
}

#[tokio::test]
async fn an_emulator_receives_the_project_location_and_account_of_the_settings() {
    let emulator = willing_api().await;
    let config = config().with_cloud_tasks_emulator_host(emulator.address().to_string());
    let runtime = runtime_with(config, Google::new()).await;

    welcome().on(&runtime).await.unwrap();

    let request = the_only_request(&emulator).await;
    assert_eq!(request.url.path(), format!("/v2/{QUEUES}/emails/tasks"));
    assert_eq!(
        http_request(&request)["oidcToken"]["serviceAccountEmail"],
        "tasks@acme.iam.gserviceaccount.com"
    );
}

#[tokio::test]
async fn an_emulator_of_the_settings_is_called_without_the_credentials_of_the_code() {
    let emulator = willing_api().await;
    let config = config().with_cloud_tasks_emulator_host(emulator.address().to_string());
    let credentials = Rotating {
        given: AtomicU32::new(1),
    };
    let runtime = runtime_with(config, Google::new().credentials(credentials)).await;

    welcome().on(&runtime).await.unwrap();
    // Other calls go another way.
    let _ = runtime.queue("emails").pause().await;
    let _ = runtime.queue("emails").get("7").await;

    let requests = requests(&emulator).await;
    assert!(requests.len() >= 3, "{requests:?}");
    for request in requests {
        assert!(!request.headers.contains_key("authorization"), "{request:?}");
    }
}

#[tokio::test]
async fn an_emulator_that_is_not_there_is_named_by_its_variable() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let host = free.local_addr().unwrap().to_string();
    drop(free);
    let config = Config::default()
        .with_cloud_tasks_emulator_host(host)
        .with_enqueue_retry(RetrySettings::off());
    let runtime = Runtime::builder()
        .config(config)
        .google(Google::new())
        .allow_unauthenticated()
        .build()
        .await
        .unwrap();

    let error = welcome().on(&runtime).await.unwrap_err();

    assert!(
        error
            .to_string()
            .contains("CLOUD_TASKS_EMULATOR_HOST is set, start its emulator"),
        "{error}"
    );
    assert!(!error.may_have_taken_effect(), "{error}");
}
