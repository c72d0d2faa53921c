//! Settings that `build()` refuses.

use cloud_tasks::backend::Google;
use cloud_tasks::{Config, Runtime};
use google_cloud_auth::credentials::anonymous;
use wiremock::MockServer;

use crate::credentials::{Credentials, in_a_child};
use crate::support::api::{config, google};

#[tokio::test]
async fn build_names_everything_that_is_missing_at_once() {
    // A metadata server that knows nothing: there may be a real one.
    let metadata = MockServer::start().await;

    let error = in_a_child(
        None,
        Credentials::Passed,
        &[
            ("GCE_METADATA_HOST", &metadata.address().to_string()),
            ("CLOUD_TASKS_APP_NAME", "not a queue"),
        ],
    )
    .await
    .unwrap_err();

    assert!(error.contains("for 8 reasons"), "{error}");
    for expected in [
        "\"http://localhost:8080\"",
        "CLOUD_TASKS_ENDPOINT",
        "CLOUD_TASKS_PROJECT",
        "GOOGLE_CLOUD_PROJECT",
        "CLOUD_TASKS_LOCATION",
        "CLOUD_TASKS_SERVICE_ACCOUNT",
        "the queue \"not a queue\"",
        "the topic \"not a queue--counted\"",
        "the topic \"not a queue--said\"",
        "the topic \"not a queue--spread\"",
    ] {
        assert!(error.contains(expected), "{expected} is not in: {error}");
    }
}

#[tokio::test]
async fn build_names_missing_credentials_along_with_all_other_errors() {
    let error = in_a_child(
        None,
        Credentials::Found,
        &[("GOOGLE_APPLICATION_CREDENTIALS", "/nowhere/key.json")],
    )
    .await
    .unwrap_err();

    assert!(error.contains("for 5 reasons"), "{error}");
    for expected in [
        "no Google credentials were found",
        "GOOGLE_APPLICATION_CREDENTIALS",
        "gcloud auth application-default login",
        "CLOUD_TASKS_ENDPOINT",
        "CLOUD_TASKS_PROJECT",
        "CLOUD_TASKS_LOCATION",
        "CLOUD_TASKS_SERVICE_ACCOUNT",
    ] {
        assert!(error.contains(expected), "{expected} is not in: {error}");
    }
}

#[tokio::test]
async fn an_endpoint_that_google_cannot_reach_is_refused_by_build() {
    let google = Google::new().credentials(anonymous::Builder::new().build());
    let config = config().with_endpoint("http://shop.example");

    let error = Runtime::builder()
        .config(config)
        .google(google)
        .build()
        .await
        .unwrap_err();

    assert!(error.is_build());
    assert!(error.to_string().contains("\"http://shop.example\""), "{error}");
    assert!(error.to_string().contains("https"), "{error}");
}

#[tokio::test]
async fn a_path_that_was_pasted_whole_is_refused_with_the_variable() {
    for (variable, value) in [
        ("CLOUD_TASKS_LOCATION", "projects/acme/locations/europe-west1"),
        ("CLOUD_TASKS_PROJECT", "projects/acme"),
        ("GOOGLE_CLOUD_PROJECT", "projects/acme"),
    ] {
        let error = Config::from_vars([(variable, value)]).unwrap_err();

        assert!(
            error.to_string().starts_with(&format!("{variable} is {value:?}")),
            "{error}"
        );
    }
    let config = config().with_location("projects/acme/locations/europe-west1");
    let error = Runtime::builder()
        .config(config)
        .google(google("http://127.0.0.1:9"))
        .build()
        .await
        .unwrap_err();
    assert!(error.to_string().contains("the location"), "{error}");
}
