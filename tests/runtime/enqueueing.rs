use std::time::{Duration, Instant, SystemTime};

use cloud_tasks::backend::Envelope;
use cloud_tasks::testing::Recorder;
use cloud_tasks::{Config, Context, ErrorKind, Runtime, Task, TaskResult, task};
use proptest::prelude::*;
use serde::{Deserialize, Serialize};

use crate::tasks::{Add, Note};

#[derive(Deserialize, Serialize)]
struct Bulky {
    text: String,
}

#[task(name = "bulky.v2")]
impl Task for Bulky {
    async fn run(self, _cx: Context) -> TaskResult {
        Ok(())
    }
}

#[derive(Deserialize, Serialize)]
struct Nothing;

#[task]
impl Task for Nothing {
    async fn run(self, _cx: Context) -> TaskResult {
        Ok(())
    }
}

async fn recorded(config: Config) -> (Runtime, Recorder) {
    Runtime::recorded().config(config).build().await.unwrap()
}

fn add() -> Add {
    Add { left: 1, right: 2 }
}

fn only_envelope(recorder: &Recorder) -> Envelope {
    let mut envelopes = recorder.envelopes();
    assert_eq!(envelopes.len(), 1);
    envelopes.remove(0)
}

#[tokio::test]
async fn a_task_takes_its_own_options_and_a_call_overrides_them() {
    let (runtime, recorder) = recorded(Config::default().with_app_name("shop")).await;

    add().asap().on(&runtime).await.unwrap();
    Note { text: String::new() }.asap().on(&runtime).await.unwrap();
    Note { text: String::new() }
        .asap()
        .queue("other")
        .timeout(Duration::from_secs(60))
        .on(&runtime)
        .await
        .unwrap();

    let seen: Vec<_> = recorder
        .envelopes()
        .iter()
        .map(|envelope| (envelope.queue().to_owned(), envelope.timeout()))
        .collect();
    assert_eq!(
        seen,
        [
            ("shop".to_owned(), None),
            ("notes".to_owned(), Some(Duration::from_secs(120))),
            ("other".to_owned(), Some(Duration::from_secs(60))),
        ]
    );
}

#[tokio::test]
async fn the_endpoint_keeps_its_path_and_loses_its_slash() {
    let (runtime, recorder) = recorded(Config::default().with_endpoint("https://shop.example/jobs/")).await;

    Bulky { text: "hi".into() }.asap().on(&runtime).await.unwrap();

    let envelope = only_envelope(&recorder);
    assert_eq!(envelope.url(), "https://shop.example/jobs/tasks/bulky.v2");
    assert_eq!(envelope.body(), br#"{"text":"hi"}"#);
    assert_eq!(envelope.headers()["content-type"], "application/json");
}

#[tokio::test]
async fn a_task_without_arguments_travels_as_an_empty_object() {
    let (runtime, recorder) = recorded(Config::default()).await;

    Nothing.asap().on(&runtime).await.unwrap();

    assert_eq!(only_envelope(&recorder).body(), b"{}");
    assert_eq!(recorder.drain().await.unwrap(), 1);
}

#[tokio::test]
async fn later_takes_a_duration_a_system_time_and_an_instant() {
    let (runtime, recorder) = recorded(Config::default()).await;
    let minute = Duration::from_secs(60);
    let before = SystemTime::now();

    add().later(minute).on(&runtime).await.unwrap();
    add().later(Instant::now() + minute).on(&runtime).await.unwrap();
    add().later(before + minute).on(&runtime).await.unwrap();
    add().later(before - minute).on(&runtime).await.unwrap();

    let times: Vec<_> = recorder.envelopes().iter().map(Envelope::schedule_time).collect();
    let after = SystemTime::now();
    // An `Instant` and a `SystemTime` are two clocks, read one after the other.
    let slack = Duration::from_millis(100);
    for time in &times[..2] {
        let time = time.unwrap();
        assert!(time >= before + minute - slack && time <= after + minute + slack);
    }
    assert_eq!(times[2], Some(before + minute));
    assert_eq!(times[3], None, "an instant that is past means now");
}

#[tokio::test]
async fn the_farthest_instant_is_the_services_or_the_settings() {
    let days = |days: u64| Duration::from_secs(days * 24 * 60 * 60);
    let (free, _) = recorded(Config::default()).await;
    let (bound, _) = recorded(Config::default().with_maximum_eta(Duration::from_secs(3600))).await;

    let beyond = add().later(days(31)).on(&free).await.unwrap_err();
    let beyond_ours = add().later(days(1)).on(&bound).await.unwrap_err();
    let beyond_all = add().later(Duration::MAX).on(&free).await.unwrap_err();

    assert!(add().later(days(29)).on(&free).await.is_ok());
    for error in [&beyond, &beyond_ours, &beyond_all] {
        assert_eq!(error.kind(), ErrorKind::InvalidRequest);
        assert!(!error.may_have_taken_effect());
    }
    assert!(
        beyond
            .to_string()
            .contains("Cloud Tasks accepts at most 30 days: "),
        "{beyond}"
    );
    assert!(
        beyond_ours
            .to_string()
            .contains("the setting MAXIMUM_ETA_TASK allows 1h: "),
        "{beyond_ours}"
    );
}

#[tokio::test]
async fn a_timeout_is_15_seconds_to_30_minutes() {
    let (runtime, recorder) = recorded(Config::default()).await;
    for (seconds, fits) in [(14, false), (15, true), (1800, true), (1801, false)] {
        let result = add()
            .asap()
            .timeout(Duration::from_secs(seconds))
            .on(&runtime)
            .await;

        assert_eq!(result.is_ok(), fits, "{seconds} s");
    }
    assert_eq!(recorder.envelopes().len(), 2);
}

#[tokio::test]
async fn queues_and_ids_are_checked_before_any_call() {
    let (runtime, recorder) = recorded(Config::default()).await;
    let queue = add().asap().queue("under_score").on(&runtime).await.unwrap_err();
    let id = add().asap().task_id("a b").on(&runtime).await.unwrap_err();
    let long = add()
        .asap()
        .task_id("x".repeat(501))
        .on(&runtime)
        .await
        .unwrap_err();

    assert_eq!(
        queue.to_string(),
        "task Add was not enqueued: the queue \"under_score\" is not accepted: 1 to 100 letters, digits and `-`"
    );
    assert!(
        id.to_string()
            .contains("the task id \"a b\" (3 bytes) is not accepted"),
        "{id}"
    );
    assert!(long.is_invalid_request());
    assert!(recorder.envelopes().is_empty());
}

#[tokio::test]
async fn headers_that_cloud_tasks_sets_or_drops_are_refused() {
    let (runtime, recorder) = recorded(Config::default()).await;
    for (name, value) in [
        ("Authorization", "Bearer x"),
        ("host", "elsewhere"),
        ("Content-Length", "7"),
        ("User-Agent", "me"),
        ("X-CloudTasks-QueueName", "q"),
        ("X-Google-Anything", "x"),
        ("X-AppEngine-Anything", "x"),
        ("not a name", "x"),
        ("x-line-break", "a\r\nb"),
        ("x-umlaut", "ü"),
    ] {
        let error = add().asap().header(name, value).on(&runtime).await.unwrap_err();

        assert!(
            error.is_invalid_request() && error.to_string().contains(name),
            "{error}"
        );
    }
    add()
        .asap()
        .header("X-Request-Id", "abc")
        .on(&runtime)
        .await
        .unwrap();
    assert_eq!(only_envelope(&recorder).headers()["x-request-id"], "abc");
}

#[tokio::test]
async fn a_task_that_would_be_stored_larger_than_the_ceiling_is_refused() {
    let (runtime, recorder) = recorded(Config::default()).await;
    let fits = 1_047_500;

    Bulky {
        text: "x".repeat(fits),
    }
    .asap()
    .on(&runtime)
    .await
    .unwrap();
    let body = Bulky {
        text: "x".repeat(1_048_569),
    }
    .asap()
    .on(&runtime)
    .await
    .unwrap_err();
    let headers = (0..11).fold(add().asap(), |task, n| {
        task.header(format!("x-bulk-{n}"), "x".repeat(8000))
    });
    let headers = headers.on(&runtime).await.unwrap_err();
    let header = Bulky {
        text: "x".repeat(fits),
    }
    .asap()
    .header("x-bulk", "x".repeat(2000))
    .on(&runtime)
    .await;

    assert!(
        body.to_string().contains("Cloud Tasks accepts at most 1048569"),
        "{body}"
    );
    assert!(
        headers
            .to_string()
            .contains("Cloud Tasks accepts less than 81920"),
        "{headers}"
    );
    assert!(header.unwrap_err().is_invalid_request(), "headers count too");
    assert_eq!(recorder.envelopes().len(), 1);
}

#[tokio::test]
async fn nothing_is_enqueued_until_it_is_awaited() {
    let (runtime, recorder) = recorded(Config::default()).await;

    drop(add().asap().on(&runtime));

    assert!(recorder.envelopes().is_empty());
}

proptest! {
    #[test]
    fn until_picks_an_instant_before_the_deadline_and_the_maximum(seconds in 1..100_000_u64, maximum in 1..100_000_u64) {
        let tokio = tokio::runtime::Builder::new_current_thread().build().unwrap();
        tokio.block_on(async {
            let (runtime, recorder) = recorded(Config::default().with_maximum_eta(Duration::from_secs(maximum))).await;
            let before = SystemTime::now();

            add().spread_until(Duration::from_secs(seconds)).on(&runtime).await.unwrap();

            let time = only_envelope(&recorder).schedule_time().unwrap_or(before);
            let latest = SystemTime::now() + Duration::from_secs(seconds.min(maximum));
            prop_assert!(time >= before && time <= latest);
            Ok(())
        })?;
    }
}

#[tokio::test]
async fn until_spreads_over_the_whole_time_and_a_past_deadline_means_now() {
    let (runtime, recorder) = recorded(Config::default()).await;
    let start = SystemTime::now();

    for _ in 0..200 {
        add()
            .spread_until(start + Duration::from_secs(1000))
            .on(&runtime)
            .await
            .unwrap();
    }
    add()
        .spread_until(start - Duration::from_secs(1))
        .on(&runtime)
        .await
        .unwrap();

    let mut times: Vec<_> = recorder.envelopes().iter().map(Envelope::schedule_time).collect();
    assert_eq!(times.pop(), Some(None));
    let delays = times
        .iter()
        .map(|time| time.unwrap().duration_since(start).unwrap().as_secs());
    // The chance that 200 picks leave a third of the time empty is below 1 in 10^34.
    for third in 0..3 {
        assert!(delays.clone().any(|delay| delay / 334 == third));
    }
}

#[tokio::test]
async fn more_headers_than_a_server_takes_are_refused_and_so_is_one_of_our_own() {
    let (runtime, recorder) = recorded(Config::default()).await;
    let with = |count: usize, length: usize| {
        let headers = (0..count).map(|n| (format!("x-{n}"), "x".repeat(length)));
        headers.fold(add().asap(), |task, (name, value)| task.header(name, value))
    };

    let fits = with(79, 100).on(&runtime).await;
    let many = with(80, 1).on(&runtime).await.unwrap_err();
    let large = with(5, 7000).on(&runtime).await.unwrap_err();
    let ours = add()
        .asap()
        .header("x-cloud-tasks-timeout", "0.05")
        .on(&runtime)
        .await
        .unwrap_err();

    assert!(fits.is_ok(), "{fits:?}");
    for error in [many, large] {
        assert!(error.to_string().contains("answer 431 to more"), "{error}");
    }
    assert!(ours.to_string().contains("it is this library's own"), "{ours}");
    assert_eq!(recorder.envelopes().len(), 1);
}
