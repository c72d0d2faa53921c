//! Nothing waits without a limit: neither for an access token nor for a connection.

use std::collections::HashSet;
use std::future::pending;
use std::sync::Mutex;
use std::time::Duration;

use cloud_tasks::backend::{Google, RetrySettings};
use cloud_tasks::{Config, Error, PublisherTask, Runtime};
use futures_util::future::join_all;
use google_cloud_auth::credentials::{CacheableResource, CredentialsProvider, EntityTag};
use google_cloud_auth::errors::CredentialsError;
use http::{Extensions, HeaderMap};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::credentials::KeyFile;
use crate::publishing::Counted;
use crate::retries::runtime;
use crate::support::api::google;
use crate::support::child;
use crate::support::peer::{Act, Peer};
use crate::support::publish_api::{PublishApi, Reply};
use crate::support::wait::within;
use crate::tasks::welcome;

/// Credentials that never answer the first so many callers.
#[derive(Clone, Debug)]
struct Silent {
    callers: usize,
    asked: watch::Sender<usize>,
}

impl Silent {
    fn to_the_first(callers: usize) -> Self {
        Self {
            callers,
            asked: watch::Sender::new(0),
        }
    }

    fn to_all() -> Self {
        Self::to_the_first(usize::MAX)
    }

    async fn wait_until_asked(&self) {
        within(self.asked.subscribe().wait_for(|asked| *asked > 0))
            .await
            .unwrap();
    }
}

impl CredentialsProvider for Silent {
    async fn headers(&self, _: Extensions) -> Result<CacheableResource<HeaderMap>, CredentialsError> {
        self.asked.send_modify(|asked| *asked += 1);
        if *self.asked.borrow() <= self.callers {
            return pending().await;
        }
        Ok(CacheableResource::New {
            entity_tag: EntityTag::new(),
            data: HeaderMap::new(),
        })
    }

    async fn universe_domain(&self) -> Option<String> {
        if self.callers == usize::MAX {
            return pending().await;
        }
        None
    }
}

/// Every call that needs a token.
async fn calls(runtime: &Runtime) -> Vec<(&'static str, Error)> {
    let queue = runtime.queue("emails");
    vec![
        ("an enqueue", welcome().on(runtime).await.map(drop).unwrap_err()),
        ("a task", queue.get("a").await.map(drop).unwrap_err()),
        ("a list", queue.list().try_next().await.map(drop).unwrap_err()),
        ("a pause", queue.pause().await.unwrap_err()),
        ("a purge", queue.purge().await.map(drop).unwrap_err()),
        (
            "a message",
            Counted(1).sync().on(runtime).await.map(drop).unwrap_err(),
        ),
        (
            "a message with a key",
            Counted(1)
                .sync()
                .ordering_key("key")
                .on(runtime)
                .await
                .map(drop)
                .unwrap_err(),
        ),
        (
            "dead tasks",
            runtime.dead_tasks("dead").list().await.map(drop).unwrap_err(),
        ),
        (
            "a plan for Pub/Sub",
            runtime
                .setup()
                .only_subscribers()
                .plan()
                .await
                .map(drop)
                .unwrap_err(),
        ),
        ("a plan", runtime.setup().plan().await.map(drop).unwrap_err()),
    ]
}

/// The clock goes on when everything waits: what waits without a limit would never end.
#[tokio::test(start_paused = true)]
async fn no_call_waits_for_a_token_without_a_limit() {
    let silent = google("http://127.0.0.1:1")
        .credentials(Silent::to_all())
        .attempt_timeout(Duration::from_secs(2));
    let runtime = runtime(silent, RetrySettings::off()).await;

    for (what, error) in calls(&runtime).await {
        let text = format!("{error:#}");
        assert!(
            text.contains("no access token came within 1.5s"),
            "{what}: {text}"
        );
        assert!(error.is_unavailable(), "{what}: {text}");
        if !what.contains("plan") {
            assert!(!error.may_have_taken_effect(), "{what}: {text}");
            assert!(
                text.contains("no access token could be fetched"),
                "{what}: {text}"
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn enqueues_end_within_the_time_of_an_attempt_if_the_token_server_is_silent() {
    for (limit, places) in [(1, 64), (2, 64), (1, 1), (2, 1)] {
        let limit = Duration::from_secs(limit);
        let silent = google("http://127.0.0.1:1")
            .credentials(Silent::to_all())
            .calls_in_flight(places)
            .attempt_timeout(limit);
        let runtime = runtime(silent, RetrySettings::off()).await;
        let started = Instant::now();

        let results = join_all((0..5).map(|_| welcome().on(&runtime).into_future())).await;

        assert!(started.elapsed() <= limit, "{:?}", started.elapsed());
        for error in results.into_iter().map(Result::unwrap_err) {
            assert!(!error.may_have_taken_effect(), "{error:#}");
        }
    }
}

/// The child's part of the test below: five enqueues with short attempts, and the credentials of its environment.
#[tokio::test]
#[ignore = "part of another test, which runs it in a process of its own"]
async fn enqueues_five_tasks_with_short_attempts() {
    let Some(api) = child::api() else { return };
    let mut errors = Vec::new();
    for limit in [1, 2] {
        let config = Config::from_env()
            .unwrap()
            .with_enqueue_retry(RetrySettings::off());
        let google = Google::new()
            .api_endpoint(&api)
            .attempt_timeout(Duration::from_secs(limit));
        let runtime = Runtime::builder()
            .config(config)
            .google(google)
            .build()
            .await
            .unwrap();

        let results = join_all((0..5).map(|_| welcome().on(&runtime).into_future())).await;

        errors.extend(
            results
                .into_iter()
                .map(|result| format!("{:#}", result.unwrap_err())),
        );
    }
    child::tell(&Ok(errors));
}

/// With the source of tokens that is made for a key file, on a real connection.
#[tokio::test]
async fn a_token_server_that_accepts_and_says_nothing_ends_no_enqueue_late() {
    let api = Peer::start([Act::answer(200, "{}")]).await;
    let oauth = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let file = KeyFile::write("silent", &format!("http://{}/token", oauth.local_addr().unwrap()));

    let told = within(child::run(
        "waiting::enqueues_five_tasks_with_short_attempts",
        api.url(),
        false,
        &[
            ("GOOGLE_APPLICATION_CREDENTIALS", file.path()),
            ("CLOUD_TASKS_LOCATION", "europe-west1"),
        ],
    ))
    .await
    .unwrap();

    let errors = told.as_array().unwrap();
    assert_eq!(errors.len(), 10);
    for error in errors {
        let error = error.as_str().unwrap();
        assert!(
            error.starts_with("task Welcome was not created in queue emails: "),
            "{error}"
        );
        assert!(error.contains("no access token came within"), "{error}");
    }
    assert!(api.bodies().is_empty());
}

#[tokio::test]
async fn a_token_that_is_slow_to_come_takes_no_place_from_other_calls() {
    let peer = Peer::start([Act::answer(200, r#"{"name": "by-hand"}"#)]).await;
    let credentials = Silent::to_the_first(1);
    let one = google(peer.url())
        .credentials(credentials.clone())
        .calls_in_flight(1)
        .attempt_timeout(Duration::from_secs(600));
    let runtime = runtime(one, RetrySettings::off()).await;

    let slow = runtime.spawn(welcome());
    credentials.wait_until_asked().await;
    within(welcome().on(&runtime).into_future()).await.unwrap();

    assert_eq!(peer.bodies().len(), 1);
    slow.abort();
}

#[tokio::test]
async fn a_call_that_finds_no_free_connection_says_how_long_it_waited() {
    let mut peer = Peer::start([Act::Nothing]).await;
    let one = google(peer.url())
        .calls_in_flight(1)
        .max_wait(Duration::from_millis(20))
        .attempt_timeout(Duration::from_secs(600));
    let runtime = runtime(one, RetrySettings::off()).await;
    let first = runtime.spawn(welcome());
    peer.wait_for_a_request().await;
    let queue = runtime.queue("emails");

    let enqueue = within(welcome().on(&runtime).into_future()).await.unwrap_err();
    let get = within(queue.get("a")).await.map(drop).unwrap_err();
    let pause = within(queue.pause()).await.unwrap_err();

    assert_eq!(
        format!("{enqueue:#}"),
        "task Welcome was not created in queue emails: it waited 20ms for the only connection, and was not sent; make fewer \
         calls at once, or raise Google::calls_in_flight or Google::max_wait"
    );
    for error in [enqueue, get, pause] {
        assert!(
            error.is_unavailable() && !error.may_have_taken_effect(),
            "{error:?}"
        );
        assert!(
            format!("{error:#}").contains("waited 20ms for the only connection"),
            "{error:#}"
        );
    }
    assert_eq!(peer.bodies().len(), 1);
    first.abort();
}

#[tokio::test]
async fn a_call_whose_retry_finds_no_free_connection_keeps_the_failure() {
    let mut peer = Peer::start([
        Act::answer(
            503,
            r#"{"error": {"code": 503, "status": "UNAVAILABLE", "message": "later"}}"#,
        ),
        Act::Nothing,
    ])
    .await;
    let one = google(peer.url())
        .calls_in_flight(1)
        .max_wait(Duration::ZERO)
        .attempt_timeout(Duration::from_secs(600));
    let retry = RetrySettings {
        initial: Duration::from_secs(1),
        ..RetrySettings::default()
    };
    let runtime = runtime(one, retry).await;

    let repeated = runtime.spawn(welcome());
    peer.wait_for_a_request().await;
    // It takes the place during the pause of the other.
    let other = runtime.spawn(welcome());
    peer.wait_for_a_request().await;
    let error = within(repeated).await.unwrap().unwrap_err();

    let text = format!("{error:#}");
    assert!(error.may_have_taken_effect(), "{text}");
    assert!(
        text.starts_with(
            "task Welcome may have been created in queue emails, but there was no clear response: "
        ),
        "{text}"
    );
    assert!(
        text.contains("for the only connection, and was not sent again"),
        "{text}"
    );
    assert!(text.contains("later"), "{text}");
    other.abort();
}

/// The first answer is `UNAVAILABLE`, so each pause and each deadline is computed.
#[tokio::test]
async fn no_duration_of_a_setting_panics() {
    type Set = fn(&mut RetrySettings, Google, Duration) -> Google;
    let settings: [(&str, Set); 5] = [
        ("deadline", |retry, google, time| {
            retry.deadline = time;
            google
        }),
        ("initial", |retry, google, time| {
            retry.initial = time;
            google
        }),
        ("maximum", |retry, google, time| {
            retry.maximum = time;
            google
        }),
        ("attempt_timeout", |_, google, time| google.attempt_timeout(time)),
        ("max_wait", |_, google, time| google.max_wait(time)),
    ];
    let durations = [
        Duration::ZERO,
        Duration::from_nanos(1),
        Duration::from_secs(u64::MAX),
        Duration::MAX,
    ];
    for (name, set) in settings {
        for time in durations {
            let tasks =
                Peer::start([Act::answer(503, "{}"), Act::answer(200, r#"{"name": "by-hand"}"#)]).await;
            let refused = Mutex::new(HashSet::new());
            let messages = PublishApi::start(move |messages| {
                if refused.lock().unwrap().insert(messages[0].data.clone()) {
                    Reply::Refuse(14, "later")
                } else {
                    Reply::Accept
                }
            })
            .await;
            let mut retry = RetrySettings {
                initial: Duration::from_millis(1),
                maximum: Duration::from_millis(1),
                multiplier: 2.0,
                deadline: if name == "attempt_timeout" && time < Duration::from_secs(1) {
                    // Hardly any attempt has time to end.
                    Duration::from_millis(50)
                } else {
                    Duration::from_secs(600)
                },
            };
            let google = google(tasks.url()).pubsub_endpoint(messages.url());
            let google = set(&mut retry, google, time);
            let runtime = runtime(google, retry).await;

            let enqueue = within(welcome().on(&runtime).into_future()).await;
            let publish = within(Counted(1).sync().on(&runtime).into_future()).await;
            let ordered = Counted(2).sync().ordering_key("key").on(&runtime);
            let ordered = within(ordered.into_future()).await;
            let _ = within(runtime.queue("emails").pause()).await;

            // A timer has steps of 1 ms, so an attempt without time may succeed all the same on a loopback address.
            if name == "attempt_timeout" && time < Duration::from_secs(1) {
                continue;
            }
            // The longest pause of 1 ms also limits the first one, and each of them is at least 25 ms long.
            let is_repeated = name != "deadline" || time > Duration::from_secs(1);
            assert_eq!(enqueue.is_ok(), is_repeated, "{name} {time:?}: {enqueue:?}");
            assert_eq!(publish.is_ok(), is_repeated, "{name} {time:?}: {publish:?}");
            assert_eq!(ordered.is_ok(), is_repeated, "{name} {time:?}: {ordered:?}");
        }
    }
}
