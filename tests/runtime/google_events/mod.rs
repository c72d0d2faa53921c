//! Events of Google's services, in every form in which they arrive, with the subscribers that a user writes for them.

mod fixture;
mod subscribers;

use axum::body::Body;
use cloud_tasks::testing::{Recorder, Signer};
use cloud_tasks::{Config, Message, Runtime};
use http::{HeaderValue, Request, header};
use http_body_util::BodyExt;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use self::fixture::{EventForm, Fixture, MessageForm, fixture};
use self::subscribers::SyncMailbox;
use crate::tasks::answer;

const ENDPOINT: &str = "https://shop.example/jobs";

const WITH_ATTRIBUTES: &[MessageForm] = &[
    MessageForm::Wrapped,
    MessageForm::WrappedUrlSafe,
    MessageForm::Unwrapped,
    MessageForm::EventarcBinary,
    MessageForm::EventarcStructured,
];
const EVENTS: &[EventForm] = &[
    EventForm::Binary,
    EventForm::BinaryQuoted,
    EventForm::Structured,
    EventForm::StructuredBase64,
    EventForm::PubsubBinding,
];

/// A runtime that lets in what the signer signed, and nothing else.
struct Shop {
    runtime: Runtime,
    recorder: Recorder,
    signer: Signer,
}

impl Shop {
    async fn new() -> Self {
        let signer = Signer::new().unwrap();
        let config = Config::default()
            .with_endpoint(ENDPOINT)
            .with_app_name("shop")
            .with_service_account("pushes@linden-shop.iam.gserviceaccount.com");
        let (runtime, recorder) = Runtime::recorded()
            .config(config)
            .state(crate::tasks::Log::default())
            .verified_by(&signer)
            .build()
            .await
            .unwrap();
        Self {
            runtime,
            recorder,
            signer,
        }
    }

    fn token(&self, audience: &str) -> HeaderValue {
        let push = self.signer.push::<SyncMailbox>(&self.runtime, &Message::new(()));
        let request = push.unwrap().audience(audience).request().unwrap();
        request.headers()[header::AUTHORIZATION].clone()
    }

    async fn deliver(&self, mut request: Request<Body>) -> (u16, Value) {
        request
            .headers_mut()
            .insert(header::AUTHORIZATION, self.token(ENDPOINT));
        answer(&self.runtime, request).await
    }

    /// Runs the task that a message was forwarded to last.
    async fn run_forwarded(&self) -> (u16, Value) {
        let envelopes = self.recorder.envelopes();
        let envelope = envelopes.last().unwrap();
        let request = self
            .signer
            .callback_of(&self.runtime, envelope)
            .request()
            .unwrap();
        answer(&self.runtime, request.map(Body::new)).await
    }

    async fn assert_message(&self, fixture: &Fixture, name: &str, forms: &[MessageForm], expected: &Value) {
        for form in forms {
            let answer = self.deliver(fixture.message(&path(name), *form)).await;
            assert_eq!(
                answer,
                (200, json!({"result": expected, "status": "executed"})),
                "{name}, {form:?}"
            );
        }
    }

    async fn assert_event(&self, fixture: &Fixture, name: &str, expected: &Value) {
        for form in EVENTS {
            let answer = self.deliver(fixture.event(&path(name), *form)).await;
            assert_eq!(
                answer,
                (200, json!({"result": expected, "status": "executed"})),
                "{name}, {form:?}"
            );
        }
    }
}

fn path(name: &str) -> String {
    format!("/jobs/subscriptions/{name}")
}

#[tokio::test]
async fn a_notification_of_cloud_storage_is_read_with_its_payload() {
    let expected = json!([
        {
            "eventType": "OBJECT_FINALIZE",
            "bucketId": "linden-uploads",
            "objectId": "Belege/März 2026/100% Wolle.pdf",
            "objectGeneration": 1_767_225_600_123_457_i64,
            "overwroteGeneration": 1_767_225_500_999_999_i64,
            "overwrittenByGeneration": null,
        },
        {
            "bucket": "linden-uploads",
            "name": "Belege/März 2026/100% Wolle.pdf",
            "contentType": "application/pdf",
            "generation": 1_767_225_600_123_457_i64,
            "size": 20480,
        },
    ]);
    let both = json!(["Belege/März 2026/100% Wolle.pdf", true]);
    let shop = Shop::new().await;

    let fixture = fixture!("storage_finalize");
    let name = &expected[0]["objectId"];

    shop.assert_message(&fixture, "CountChanges", WITH_ATTRIBUTES, name)
        .await;
    shop.assert_message(&fixture, "ImportObject", WITH_ATTRIBUTES, &expected)
        .await;
    shop.assert_message(&fixture, "WatchBucket", WITH_ATTRIBUTES, &both)
        .await;
}

#[tokio::test]
async fn a_notification_without_a_payload_has_attributes_alone() {
    let expected = json!({
        "eventType": "OBJECT_DELETE",
        "bucketId": "linden-uploads",
        "objectId": "old/a+b=c.txt",
        "objectGeneration": 1_767_225_500_999_999_i64,
        "overwroteGeneration": null,
        "overwrittenByGeneration": 1_767_225_600_123_457_i64,
    });
    let both = json!(["old/a+b=c.txt", false]);
    let shop = Shop::new().await;

    let fixture = fixture!("storage_delete_without_payload");

    shop.assert_message(&fixture, "CountChanges", WITH_ATTRIBUTES, &json!("old/a+b=c.txt"))
        .await;
    shop.assert_message(&fixture, "ForgetObject", WITH_ATTRIBUTES, &expected)
        .await;
    shop.assert_message(&fixture, "WatchBucket", WITH_ATTRIBUTES, &both)
        .await;
}

#[tokio::test]
async fn an_entry_of_a_log_sink_is_read_to_its_last_digit() {
    let expected = json!({
        "timestamp": "2026-03-01T06:30:01.234567891Z",
        "severity": "ERROR",
        "jsonPayload": {
            "message": "card declined",
            "orderId": 9_007_199_254_740_993_i64,
            "attempts": [1, 2.5, null],
            "customer": null,
        },
        "textPayload": null,
        "protoPayload": null,
    });
    let audit = json!({
        "timestamp": "2026-03-01T06:31:07.5Z",
        "severity": "NOTICE",
        "jsonPayload": null,
        "textPayload": null,
        "protoPayload": {
            "serviceName": "pubsub.googleapis.com",
            "methodName": "google.pubsub.v1.Publisher.DeleteTopic",
            "resourceName": "projects/linden-shop/topics/orders",
            "authenticationInfo": {"principalEmail": "grace@linden.example"},
        },
    });
    let shop = Shop::new().await;
    let bare = &[WITH_ATTRIBUTES, &[MessageForm::Bare]].concat();

    shop.assert_message(&fixture!("log_sink_json_payload"), "WatchLogs", bare, &expected)
        .await;
    shop.assert_message(&fixture!("log_sink_audit"), "WatchLogs", bare, &audit)
        .await;
}

#[tokio::test]
async fn a_change_of_a_mailbox_has_its_history_as_a_number_or_as_a_string() {
    let expected =
        json!({"emailAddress": "orders@linden.example", "historyId": 1_234_567_890_123_456_789_i64});
    let shop = Shop::new().await;
    let bare = &[WITH_ATTRIBUTES, &[MessageForm::Bare]].concat();

    shop.assert_message(&fixture!("gmail_number"), "SyncMailbox", bare, &expected)
        .await;
    shop.assert_message(&fixture!("gmail_text"), "SyncMailbox", bare, &expected)
        .await;
}

#[tokio::test]
async fn a_build_is_read_with_its_status_and_its_steps() {
    let expected = json!([
        {"buildId": "5b1b4b1c-8e0a-4e2c-9d0e-6d3f4a2f9a11", "status": "FAILURE"},
        {
            "steps": [
                {"name": "gcr.io/cloud-builders/docker", "exitCode": 0},
                {"name": "rust:1", "exitCode": 101},
            ],
            "logUrl": "https://console.cloud.google.com/cloud-build/builds/5b1b4b1c?project=8412",
            "finishTime": "2026-03-01T06:31:45.003Z",
        },
    ]);
    let shop = Shop::new().await;

    shop.assert_message(
        &fixture!("cloud_build"),
        "ReportBuild",
        WITH_ATTRIBUTES,
        &expected,
    )
    .await;
}

#[tokio::test]
async fn a_change_of_an_image_may_have_no_tag() {
    let digest = "europe-west1-docker.pkg.dev/linden-shop/images/shop@sha256:6ec128e26cd5b5d0";
    let tag = "europe-west1-docker.pkg.dev/linden-shop/images/shop:42";
    let tagged = json!({"action": "INSERT", "digest": digest, "tag": tag});
    let untagged = json!({"action": "DELETE", "digest": digest, "tag": null});
    let shop = Shop::new().await;
    let bare = &[WITH_ATTRIBUTES, &[MessageForm::Bare]].concat();

    shop.assert_message(&fixture!("artifact_registry"), "DeployImage", bare, &tagged)
        .await;
    shop.assert_message(
        &fixture!("artifact_registry_untagged"),
        "DeployImage",
        bare,
        &untagged,
    )
    .await;
}

#[tokio::test]
async fn the_text_of_a_schedule_reaches_a_parser_as_it_is() {
    let text = "täglich 06:00 {not JSON}";
    let shop = Shop::new().await;
    let fixture = fixture!("scheduler");

    shop.assert_message(&fixture, "MakeReport", WITH_ATTRIBUTES, &json!([text, "sales"]))
        .await;
    shop.assert_message(&fixture, "MakeReport", &[MessageForm::Bare], &json!([text, null]))
        .await;
}

#[tokio::test]
async fn an_event_of_cloud_storage_keeps_the_name_of_its_object() {
    let name = "Belege/März 2026/100% Wolle \"neu\".pdf";
    let object = json!({
        "bucket": "linden-uploads",
        "name": name,
        "contentType": "application/pdf",
        "generation": 1_767_225_600_123_457_i64,
        "size": 20480,
    });
    let with_numbers = json!({
        "bucket": "linden-uploads",
        "name": "a.txt",
        "contentType": null,
        "generation": 1_767_225_600_123_457_i64,
        "size": 0,
    });
    let shop = Shop::new().await;

    let event = fixture!("eventarc_storage");
    shop.assert_event(&event, "IndexObject", &json!([format!("objects/{name}"), object]))
        .await;
    let event = fixture!("eventarc_storage_numbers");
    shop.assert_event(&event, "IndexObject", &json!(["objects/a.txt", with_numbers]))
        .await;
}

#[tokio::test]
async fn the_members_of_an_audit_event_are_attributes() {
    let expected = json!([
        {
            "ce-methodname": "jobservice.jobcompleted",
            "ce-resourcename": "projects/linden-shop/jobs/nightly_7",
        },
        "etl@linden-shop.iam.gserviceaccount.com",
    ]);
    let shop = Shop::new().await;

    shop.assert_event(&fixture!("eventarc_audit_log"), "WatchAuditLog", &expected)
        .await;
}

#[tokio::test]
async fn an_alert_of_firebase_is_read_with_its_type_and_app() {
    let expected = json!([
        {"ce-alerttype": "crashlytics.newFatalIssue", "ce-appid": "1:8412:android:9b1f4b1c8e0a4e2c"},
        "CheckoutActivity.onCreate",
    ]);
    let shop = Shop::new().await;

    shop.assert_event(&fixture!("firebase_alert"), "PageOnCrash", &expected)
        .await;
}

#[tokio::test]
async fn a_message_through_eventarc_is_the_message_and_the_members_are_further_attributes() {
    let shop = Shop::new().await;
    let fixture = fixture!("storage_delete_without_payload");
    let members = [
        "ce-id",
        "ce-source",
        "ce-specversion",
        "ce-time",
        "ce-type",
        "ce-datacontenttype",
    ];
    let mut described = Vec::new();
    for form in WITH_ATTRIBUTES {
        let (status, body) = shop
            .deliver(fixture.message(&path("DescribeMessage"), *form))
            .await;
        assert_eq!(status, 200, "{form:?}: {body}");
        described.push(body["result"].clone());
    }

    let mut through_eventarc = described.split_off(3);
    for message in &mut through_eventarc {
        let attributes = message["attributes"].as_object_mut().unwrap();
        let found = members.map(|name| attributes.remove(name).is_some());
        assert_eq!(found, [true; 6], "{attributes:?}");
        assert_eq!(*message, described[0]);
    }
    // The names of headers are in lower case.
    assert_eq!(described[2]["attributes"]["objectid"], "old/a+b=c.txt");
    for member in ["bytes", "id", "subscription", "published"] {
        assert_eq!(described[2][member], described[0][member], "{member}");
    }
    assert_eq!(described[0]["id"], "7718349201553344");
    assert_eq!(described[0]["published"], "1772346602345000000");
}

#[tokio::test]
async fn an_event_is_identified_by_its_own_id_and_time() {
    let shop = Shop::new().await;
    let event = fixture!("eventarc_audit_log");
    for form in [
        EventForm::Binary,
        EventForm::Structured,
        EventForm::StructuredBase64,
    ] {
        let (_, body) = shop.deliver(event.event(&path("DescribeMessage"), form)).await;

        let described = &body["result"];
        assert_eq!(
            described["id"],
            "projects/linden-shop/logs/cloudaudit.googleapis.com%2Fdata_access-8k2f0pe1kxq31767225600123457",
            "{form:?}"
        );
        assert_eq!(described["published"], "1772346720653866570", "{form:?}");
        assert_eq!(
            described["attributes"]["ce-datacontenttype"],
            "application/json; charset=utf-8"
        );
    }
}

#[tokio::test]
async fn an_event_of_more_than_a_megabyte_is_read_in_every_form() {
    let shop = Shop::new().await;
    let step = r#"{"name": "gcr.io/cloud-builders/docker", "args": ["build", "."], "status": "SUCCESS"}"#;
    let steps = vec![step; 16_000].join(",");
    let build = Fixture::with_text(format!(
        r#"{{"logUrl": "https://logs.example", "steps": [{steps}]}}"#
    ));
    let bytes = build.message("/", MessageForm::Bare);
    let size = http_body::Body::size_hint(bytes.body()).exact().unwrap();
    assert!(size > 1_300_000, "{size}");

    for form in [WITH_ATTRIBUTES, &[MessageForm::Bare]].concat() {
        let (status, body) = shop.deliver(build.message(&path("DescribeMessage"), form)).await;

        assert_eq!(
            (status, &body["result"]["bytes"]),
            (200, &json!(size)),
            "{form:?}"
        );
    }
    let event = build
        .member("specversion", "1.0")
        .member("id", "1")
        .member("source", "//cloudbuild.googleapis.com/projects/linden-shop")
        .member("type", "google.cloud.cloudbuild.build.v1.statusChanged")
        .member("datacontenttype", "application/json");
    for form in EVENTS {
        let (status, body) = shop.deliver(event.event(&path("DescribeMessage"), *form)).await;

        assert_eq!(
            (status, &body["result"]["bytes"]),
            (200, &json!(size)),
            "{form:?}"
        );
    }
}

#[tokio::test]
async fn a_message_that_becomes_a_task_is_read_as_a_push_is() {
    let shop = Shop::new().await;
    let path = path("ScanObject");
    for (fixture, size) in [
        (fixture!("storage_finalize"), json!(20480)),
        (fixture!("storage_delete_without_payload"), Value::Null),
    ] {
        for form in WITH_ATTRIBUTES {
            let shop = Shop::new().await;
            let (status, body) = shop.deliver(fixture.message(&path, *form)).await;
            assert_eq!(status, 200, "{form:?}: {body}");

            let (status, body) = shop.run_forwarded().await;

            assert_eq!(status, 200, "{form:?}: {body}");
            assert_eq!(body["result"][1], size, "{form:?}");
            let attributes = body["result"][0].as_object().unwrap();
            let name = attributes.get("objectId").or_else(|| attributes.get("objectid"));
            assert_eq!(name, Some(&json!(fixture.attributes["objectId"])), "{form:?}");
        }
    }
    let event = fixture!("eventarc_storage");
    for form in EVENTS {
        let (status, body) = shop.deliver(event.event(&path, *form)).await;
        assert_eq!(status, 200, "{form:?}: {body}");

        let (status, body) = shop.run_forwarded().await;

        assert_eq!(status, 200, "{form:?}: {body}");
        assert_eq!(body["result"][1], 20480, "{form:?}");
        assert_eq!(
            body["result"][0]["ce-subject"], event.members["subject"],
            "{form:?}"
        );
    }
    // The forms of one event have the same identity; the push of Pub/Sub has that of its message.
    assert_eq!(shop.recorder.envelopes().len(), 2);
}

#[tokio::test]
async fn the_url_that_eventarc_calls_may_have_a_query() {
    let shop = Shop::new().await;
    let event = fixture!("eventarc_storage_numbers");
    let url = "https://shop.example/jobs/subscriptions/IndexObject?__GCP_CloudEventsMode=GCS_NOTIFICATION";
    let path = url.strip_prefix("https://shop.example").unwrap();
    for (audience, expected) in [
        (ENDPOINT, 200),
        (url, 200),
        ("https://shop.example/jobs/subscriptions/WatchLogs", 403),
    ] {
        let mut request = event.event(path, EventForm::Binary);
        request
            .headers_mut()
            .insert(header::AUTHORIZATION, shop.token(audience));

        let (status, body) = answer(&shop.runtime, request).await;

        assert_eq!(status, expected, "{audience}: {body}");
    }
    let (status, _) = answer(&shop.runtime, event.event(path, EventForm::Binary)).await;
    assert_eq!(status, 401, "an event without a token");
}

#[tokio::test]
async fn a_name_with_any_characters_passes_the_server_in_a_header() {
    let shop = Shop::new().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let runtime = shop.runtime.clone();
    let server = tokio::spawn(async move { runtime.serve(listener, runtime.service()).await });
    let mut request = fixture!("storage_finalize").message(&path("WatchBucket"), MessageForm::Unwrapped);
    *request.uri_mut() = format!("http://{address}{}", request.uri()).parse().unwrap();
    request
        .headers_mut()
        .insert(header::AUTHORIZATION, shop.token(ENDPOINT));

    let client = Client::builder(TokioExecutor::new()).build_http();
    let response = client.request(request).await.unwrap();

    assert_eq!(response.status(), 200);
    let body = response.into_body().collect().await.unwrap().to_bytes();
    let body: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(body["result"], json!(["Belege/März 2026/100% Wolle.pdf", true]));
    server.abort();
}

#[tokio::test]
async fn the_server_rejects_an_attribute_that_is_not_a_valid_header() {
    let shop = Shop::new().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let runtime = shop.runtime.clone();
    let server = tokio::spawn(async move { runtime.serve(listener, runtime.service()).await });

    let head = "POST /jobs/subscriptions/WatchLogs HTTP/1.1\r\nhost: shop.example\r\nx-goog-pubsub-message-id: 7\r\n\
                logging.googleapis.com/timestamp: 2026-03-01T06:30:01Z\r\ncontent-length: 2\r\n\r\n{}";
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut response = String::new();
    stream.read_to_string(&mut response).await.unwrap();

    assert!(response.starts_with("HTTP/1.1 400 "), "{response}");
    server.abort();
}

#[tokio::test]
async fn a_subscriber_of_bare_bodies_reads_content_that_looks_like_a_push() {
    let shop = Shop::new().await;
    for content in [
        r#"{"message": {"text": "hi"}}"#,
        r#"{"message": {}}"#,
        r#"{"message": {"data": "aGk="}, "level": 7}"#,
        r#"{"message": "hi", "subscription": "weekly"}"#,
    ] {
        let bare = Fixture::with_text(content.to_owned());
        let request = bare.message(&path("DescribeMessage"), MessageForm::Bare);

        let (status, body) = shop.deliver(request).await;

        assert_eq!(
            (status, &body["result"]["bytes"]),
            (200, &json!(content.len())),
            "{content}"
        );
    }
}

#[tokio::test]
async fn a_topic_of_another_owner_has_no_prefix() {
    let shop = Shop::new().await;
    let topics: Vec<_> = ["ReportBuild", "WatchAuditLog"]
        .map(|task| {
            let mut all = shop.runtime.subscriptions().iter();
            all.find(|subscription| subscription.task == task)
                .unwrap()
                .topic
                .clone()
        })
        .into();

    assert_eq!(
        topics,
        ["projects/linden-shop/topics/cloud-builds", "shop--audit-logs"]
    );
}
