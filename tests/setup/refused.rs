//! Settings of subscriptions that Pub/Sub refuses: `build()` names them before any call.

use std::time::Duration;

use cloud_tasks::__private::Registration;
use cloud_tasks::event::Topic;
use cloud_tasks::task::Registered;
use cloud_tasks::{Config, Error, Runtime};

use crate::cloud::Cloud;
use crate::labels::Labelled;
use crate::support::api::{config, google};

const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

const fn days(days: u64) -> Duration {
    seconds(days * 24 * 60 * 60)
}

async fn build(cloud: &Cloud, config: Config, registration: Registration) -> Result<Runtime, Error> {
    let builder = cloud.builder(config);
    builder.register_all([registration]).build().await
}

#[tokio::test]
async fn limits_and_combinations_that_pub_sub_refuses_fail_the_build() {
    let cloud = Cloud::new().await;
    let of = || Labelled::__REGISTRATION;
    let refused = [
        (
            of().ack_deadline(seconds(9)),
            "ack_deadline is 9s; Pub/Sub accepts 10s to 600s",
        ),
        (of().ack_deadline(seconds(601)), "ack_deadline is 601s"),
        (
            of().ack_deadline(Duration::from_millis(10_500)),
            "ack_deadline is 10.5s; Pub/Sub accepts whole seconds",
        ),
        (
            of().retention(seconds(599)),
            "retention is 599s; Pub/Sub accepts 600s to 2678400s",
        ),
        (of().retention(days(32)), "retention is 2764800s"),
        (of().expiration(seconds(86_399)), "expiration is 86399s"),
        (
            of().expiration(days(2)).retention(days(3)),
            "expiration is 172800s, which is shorter than the retention, 259200s: a subscription would expire",
        ),
        (
            of().expiration(days(6)),
            "expiration is 518400s, which is shorter than the retention, 604800s by default",
        ),
        (
            of().min_backoff(seconds(601)),
            "min_backoff is 601s; Pub/Sub accepts 0ns to 600s",
        ),
        (of().max_backoff(seconds(601)), "max_backoff is 601s"),
        (
            of().min_backoff(seconds(60)).max_backoff(seconds(30)),
            "min_backoff is 60s, which is more than max_backoff, 30s",
        ),
        (
            of().max_backoff(seconds(9)),
            "max_backoff is 9s, which is less than the default of min_backoff, 10s: set min_backoff too",
        ),
        (
            of().max_retries(4).dead_letter_topic(|| Topic::new("failed")),
            "max_retries is 4; with a dead-letter topic Pub/Sub accepts 5 to 100",
        ),
        (
            of().max_retries(101).dead_letter_topic(|| Topic::new("failed")),
            "max_retries is 101",
        ),
        (
            of().dead_letter_topic(|| Topic::new("orders")),
            "its dead letters would go to the topic that it reads",
        ),
        (of().filter(long_filter()), "at most 256 bytes"),
        (of().filter("attributes.kind ="), "its filter is not accepted"),
        (of().absolute_subscription("goog-orders"), "goog-orders"),
        (of().absolute_subscription("ab"), "\"ab\""),
    ];
    let accepted = [
        of().ack_deadline(seconds(10)),
        of().ack_deadline(seconds(600))
            .retention(seconds(600))
            .expiration(days(1)),
        of().retention(days(31)).expiration(days(31)),
        of().expiration(days(7)),
        of().retention(days(31)).expiration(Duration::MAX),
        of().min_backoff(seconds(0)).max_backoff(seconds(0)),
        of().min_backoff(seconds(600)),
        of().max_backoff(seconds(10)),
        of().max_retries(5).dead_letter_topic(|| Topic::new("failed")),
        of().max_retries(100).dead_letter_topic(|| Topic::new("failed")),
    ];

    for (registration, message) in refused {
        let error = build(&cloud, config().with_app_name("shop"), registration).await;
        let error = error.unwrap_err().to_string();
        assert!(error.contains(message), "{message}: {error}");
        assert!(
            error.contains("the subscriber Labelled (tests/setup/labels.rs:"),
            "{error}"
        );
    }
    for registration in accepted {
        build(&cloud, config().with_app_name("shop"), registration)
            .await
            .unwrap();
    }
}

fn long_filter() -> &'static str {
    format!("attributes:{}", "a".repeat(256)).leak()
}

#[tokio::test]
async fn the_settings_of_all_subscribers_are_checked_like_those_of_one() {
    let cloud = Cloud::new().await;
    let config = config().with_subscriber_expiration(days(2));

    let error = build(&cloud, config, Labelled::__REGISTRATION.retention(days(3))).await;

    let error = error.unwrap_err().to_string();
    assert!(
        error.contains("expiration is 172800s, which is shorter than the retention"),
        "{error}"
    );
}

/// Whether a build fails because of the URL of a push.
async fn refuses(builder: impl Future<Output = Result<Runtime, Error>>) -> bool {
    match builder.await {
        Ok(_) => false,
        Err(error) => {
            let text = error.to_string();
            assert!(
                text.contains(
                    "which Pub/Sub does not call: it pushes to https URLs only; set CLOUD_TASKS_ENDPOINT"
                ),
                "{text}"
            );
            true
        }
    }
}

#[tokio::test]
async fn googles_pub_sub_pushes_to_https_only_and_an_emulator_to_anything() {
    let of = |url| Labelled::__REGISTRATION.url(url);
    let google_only = |config: Config, registration| {
        Runtime::builder()
            .config(config)
            .google(google("https://tasks.example"))
            .allow_unsigned_pushes()
            .register_all([registration])
            .build()
    };
    let local = || config().with_endpoint("http://localhost:8080");

    // The endpoint of all subscribers, and the URL of one.
    assert!(refuses(google_only(local(), Labelled::__REGISTRATION)).await);
    for url in [
        "http://shop.example/push",
        "ftp://shop.example",
        "shop.example/push",
        "https://",
        "",
    ] {
        assert!(refuses(google_only(config(), of(url))).await, "{url}");
    }
    assert!(!refuses(google_only(config(), of("https://push.example/x"))).await);
    let emulator = || local().with_pubsub_emulator_host("127.0.0.1:1");
    for url in ["http://127.0.0.1:2/x", "https://push.example/x"] {
        assert!(!refuses(google_only(emulator(), of(url))).await, "{url}");
    }
}
