//! Cloud Tasks as the tests of the Google backend play it.

use cloud_tasks::Config;
use cloud_tasks::backend::Google;
use google_cloud_auth::credentials::anonymous;
use serde_json::{Value, json};
use wiremock::{Request, ResponseTemplate};

/// Where the queues of [`config`] are.
pub(crate) const QUEUES: &str = "projects/acme/locations/europe-west1/queues";

/// Settings that leave nothing to be found.
pub(crate) fn config() -> Config {
    Config::default()
        .with_endpoint("https://shop.example")
        .with_project("acme")
        .with_location("europe-west1")
        .with_service_account("tasks@acme.iam.gserviceaccount.com")
}

/// The client of an API at this URL, which asks for no credentials.
pub(crate) fn google(url: impl Into<String>) -> Google {
    Google::new()
        .credentials(anonymous::Builder::new().build())
        .api_endpoint(url)
}

/// What a request says.
pub(crate) fn sent(request: &Request) -> Value {
    serde_json::from_slice(&request.body).unwrap()
}

/// Answers as Cloud Tasks does: with the task, whose name it makes where none was given.
pub(crate) fn created(request: &Request) -> ResponseTemplate {
    let parent = request.url.path().trim_start_matches("/v2/");
    let mut task = sent(request)["task"].clone();
    if task["name"].is_null() {
        task["name"] = json!(format!("{parent}/made-by-the-service"));
    }
    ResponseTemplate::new(200).set_body_json(task)
}

/// An error in the format of Google's APIs.
pub(crate) fn refused(http: u16, code: &str, message: &str) -> ResponseTemplate {
    ResponseTemplate::new(http)
        .set_body_json(json!({"error": {"code": http, "message": message, "status": code}}))
}
