//! The set-up of push subscriptions on the wire: as whom Pub/Sub is to sign its pushes, and for whom.
#![cfg(feature = "google")]
#![allow(clippy::unwrap_used, clippy::expect_used)]

use cloud_tasks::{Config, Context, Message, Runtime, SetUpReport, SubscriberTask, TaskResult, task};
use serde_json::{Value, json};
use wiremock::matchers::{method, path};
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

use support::api::{config, google, refused, sent};

#[allow(dead_code, reason = "each test binary uses a part")]
mod support {
    pub(crate) mod api;
}

const SIGNED: &str = "/v1/projects/acme/subscriptions/Signed";
const UNSIGNED: &str = "/v1/projects/acme/subscriptions/Unsigned";

struct Signed;

#[task(topic = "orders")]
impl SubscriberTask for Signed {
    async fn run(_message: Message<u64>, _cx: Context) -> TaskResult {
        Ok(())
    }
}

struct Unsigned;

#[task(topic = "orders", oidc = false)]
impl SubscriberTask for Unsigned {
    async fn run(_message: Message<u64>, _cx: Context) -> TaskResult {
        Ok(())
    }
}

/// Answers with what it was sent.
fn as_sent(request: &Request) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_json(sent(request))
}

/// Mounts a Pub/Sub that makes whatever is asked for; what was mounted before it comes first.
async fn willing(pubsub: &MockServer) {
    Mock::given(method("PUT"))
        .respond_with(as_sent)
        .mount(pubsub)
        .await;
}

async fn set_up(pubsub: &MockServer, config: Config) -> SetUpReport {
    // No task is enqueued, so that no Cloud Tasks needs to be there.
    let google = google("http://127.0.0.1:9").pubsub_endpoint(pubsub.uri());
    let builder = Runtime::builder()
        .config(config)
        .google(google)
        .allow_unsigned_pushes();
    builder.build().await.unwrap().set_up_subscribers().await.unwrap()
}

/// The requests of this method to this path.
async fn requests(pubsub: &MockServer, method: &str, path: &str) -> Vec<Value> {
    let requests = pubsub.received_requests().await.unwrap();
    let wanted = requests
        .iter()
        .filter(|request| request.method.as_str() == method && request.url.path() == path);
    wanted.map(sent).collect()
}

/// A subscription of ours that is there, whose pushes are signed for this audience.
async fn there_is(pubsub: &MockServer, audience: &str) {
    Mock::given(method("PUT"))
        .and(path(SIGNED))
        .respond_with(refused(409, "ALREADY_EXISTS", "it is there"))
        .mount(pubsub)
        .await;
    let there = json!({
        "name": "projects/acme/subscriptions/Signed",
        "topic": "projects/acme/topics/orders",
        "ackDeadlineSeconds": 10,
        "pushConfig": {
            "pushEndpoint": "https://shop.example/subscriptions/Signed",
            "attributes": {"x-goog-version": "v1"},
            "oidcToken": {"serviceAccountEmail": "tasks@acme.iam.gserviceaccount.com", "audience": audience},
        },
    });
    Mock::given(method("GET"))
        .and(path(SIGNED))
        .respond_with(ResponseTemplate::new(200).set_body_json(there))
        .mount(pubsub)
        .await;
    Mock::given(method("PATCH"))
        .respond_with(|request: &Request| {
            ResponseTemplate::new(200).set_body_json(&sent(request)["subscription"])
        })
        .mount(pubsub)
        .await;
    willing(pubsub).await;
}

#[tokio::test]
async fn pushes_are_to_be_signed_as_the_service_account_for_the_endpoint() {
    let pubsub = MockServer::start().await;
    willing(&pubsub).await;

    let report = set_up(&pubsub, config()).await;

    assert_eq!(report.added, ["Signed", "Unsigned"]);
    let made = requests(&pubsub, "PUT", SIGNED).await;
    assert_eq!(made.len(), 1);
    assert_eq!(
        made[0]["pushConfig"],
        json!({
            "pushEndpoint": "https://shop.example/subscriptions/Signed",
            "oidcToken": {
                "serviceAccountEmail": "tasks@acme.iam.gserviceaccount.com",
                "audience": "https://shop.example",
            },
        })
    );
}

#[tokio::test]
async fn the_audience_is_the_endpoint_with_its_path_and_without_a_slash_behind_it() {
    let pubsub = MockServer::start().await;
    willing(&pubsub).await;

    set_up(&pubsub, config().endpoint("https://shop.example/jobs/")).await;

    let push = &requests(&pubsub, "PUT", SIGNED).await[0]["pushConfig"];
    assert_eq!(push["oidcToken"]["audience"], "https://shop.example/jobs");
    assert_eq!(
        push["pushEndpoint"],
        "https://shop.example/jobs/subscriptions/Signed"
    );
}

#[tokio::test]
async fn a_subscriber_that_wants_no_token_gets_none() {
    let pubsub = MockServer::start().await;
    willing(&pubsub).await;

    set_up(&pubsub, config()).await;

    assert_eq!(
        requests(&pubsub, "PUT", UNSIGNED).await[0]["pushConfig"],
        json!({"pushEndpoint": "https://shop.example/subscriptions/Unsigned"})
    );
}

#[tokio::test]
async fn a_token_for_another_audience_is_replaced_and_nothing_else_is() {
    let pubsub = MockServer::start().await;
    there_is(&pubsub, "https://old.example").await;

    let report = set_up(&pubsub, config()).await;

    assert_eq!(report.changed, ["Signed"]);
    let changed = requests(&pubsub, "PATCH", SIGNED).await;
    assert_eq!(changed.len(), 1);
    assert_eq!(changed[0]["updateMask"], "pushConfig");
    assert_eq!(
        changed[0]["subscription"]["pushConfig"]["oidcToken"]["audience"],
        "https://shop.example"
    );
}

#[tokio::test]
async fn a_token_that_is_right_stays_whatever_the_service_filled_in_beside_it() {
    let pubsub = MockServer::start().await;
    there_is(&pubsub, "https://shop.example").await;

    let report = set_up(&pubsub, config()).await;

    assert_eq!(report.unchanged, ["Signed"]);
    assert!(requests(&pubsub, "PATCH", SIGNED).await.is_empty());
}
