use std::time::{Duration, SystemTime};

use cloud_tasks::task::TaskMetadata;
use cloud_tasks::{Config, Context, PeriodicTask, Runtime, Task, TaskResult, task};
use http::Request;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::tasks::{Log, answer};

/// Writes what it was told down.
#[derive(Debug, Deserialize, PartialEq, Serialize)]
pub(crate) struct Digest {
    limit: u32,
}

#[task(
    queue = "digests",
    every = "0 9 * * 1-5",
    time_zone = "Europe/Paris",
    payload = Digest { limit: 10 },
    headers = [("X-Source", "schedule")],
    schedule_max_retries = 3,
    schedule_min_backoff = "10s",
    schedule_max_backoff = "5m",
    schedule_max_doublings = 2,
    attempt_deadline = "10m",
    description = "mails the digest",
    schedule_name = "morning-digest"
)]
impl Task for Digest {
    async fn run(self, cx: Context<Log>) -> TaskResult {
        let metadata = cx.metadata();
        let source = metadata.headers().get("x-source");
        cx.state().write(format!(
            "limit {} of {:?} from {:?}, due {}",
            self.limit,
            metadata.job_name().unwrap_or_default(),
            source.and_then(|value| value.to_str().ok()).unwrap_or_default(),
            metadata.schedule_time().is_some(),
        ));
        Ok(())
    }
}

#[derive(Debug, Default, Deserialize, PartialEq, Serialize)]
struct Sweep;

#[task(every = "@hourly", timeout = "20m", absolute_schedule_name = "sweep")]
impl Task for Sweep {
    async fn run(self, _cx: Context) -> TaskResult {
        Ok(())
    }
}

/// Never ends by itself.
#[derive(Default, Deserialize, Serialize)]
struct Endless;

#[task(every = "@yearly", timeout = "20m", attempt_deadline = "1m")]
impl Task for Endless {
    async fn run(self, _cx: Context) -> TaskResult {
        std::future::pending().await
    }
}

fn config() -> Config {
    Config::default()
        .with_app_name("shop")
        .with_endpoint("https://shop.example.com/jobs/")
}

async fn eager(log: &Log) -> Runtime {
    Runtime::eager()
        .config(config())
        .state(log.clone())
        .build()
        .await
        .unwrap()
}

#[tokio::test]
async fn a_schedule_combines_the_options_of_its_task_with_the_settings() {
    let runtime = eager(&Log::default()).await;

    let schedule = |task| {
        let mut schedules = runtime.schedules().iter();
        schedules.find(|schedule| schedule.task == task).unwrap()
    };
    let (digest, sweep) = (schedule("Digest"), schedule("Sweep"));
    assert_eq!(
        (digest.task, digest.name.as_str()),
        ("Digest", "shop--morning-digest")
    );
    assert_eq!(
        (digest.every.as_str(), digest.time_zone.as_str()),
        ("0 9 * * 1-5", "Europe/Paris")
    );
    assert_eq!(digest.url, "https://shop.example.com/jobs/tasks/Digest");
    assert_eq!(&digest.payload[..], br#"{"limit":10}"#);
    assert_eq!(digest.headers["x-source"], "schedule");
    assert_eq!(digest.headers["content-type"], "application/json");
    assert_eq!((digest.max_retries, digest.max_doublings), (Some(3), Some(2)));
    assert_eq!(digest.min_backoff, Some(Duration::from_secs(10)));
    assert_eq!(digest.max_backoff, Some(Duration::from_secs(300)));
    assert_eq!(digest.attempt_deadline, Some(Duration::from_secs(600)));
    assert_eq!(
        (digest.description, digest.oidc),
        (Some("mails the digest"), true)
    );

    assert_eq!((sweep.task, sweep.name.as_str()), ("Sweep", "sweep"));
    assert_eq!(
        (sweep.every.as_str(), sweep.time_zone.as_str()),
        ("0 * * * *", "UTC")
    );
    assert_eq!(&sweep.payload[..], b"{}");
    assert_eq!(
        (sweep.max_retries, sweep.min_backoff, sweep.max_doublings),
        (None, None, None)
    );
    assert_eq!(sweep.attempt_deadline, Some(Duration::from_secs(20 * 60)));
    let hour = SystemTime::UNIX_EPOCH + Duration::from_secs(3600);
    assert_eq!(sweep.next_after(SystemTime::UNIX_EPOCH), Some(hour));
}

#[tokio::test]
async fn a_request_of_cloud_scheduler_runs_the_task_with_the_name_of_its_job() {
    let log = Log::default();
    let runtime = eager(&log).await;
    let schedule = &runtime.schedules()[0];
    let mut request = Request::post("/jobs/tasks/Digest")
        .header("X-CloudScheduler", "true")
        .header("X-CloudScheduler-JobName", schedule.name.as_str())
        .header("X-CloudScheduler-ScheduleTime", "2024-01-01T09:00:00+01:00")
        .body(schedule.payload.clone().into())
        .unwrap();
    request.headers_mut().extend(schedule.headers.clone());

    let (status, body) = answer(&runtime, request).await;

    assert_eq!(
        (status, body),
        (200, json!({"result": null, "status": "executed"}))
    );
    assert_eq!(
        log.lines(),
        ["limit 10 of \"shop--morning-digest\" from \"schedule\", due true"]
    );
}

#[tokio::test(start_paused = true)]
async fn a_scheduled_attempt_is_cancelled_when_cloud_scheduler_gives_it_up() {
    let runtime = eager(&Log::default()).await;
    // A tenth of the minute of the schedule, whose only attempt is the last, is left for what follows a failure.
    for (scheduled, seconds) in [("true", 54), ("false", 20 * 60)] {
        let request = Request::post("/jobs/tasks/Endless")
            .header("X-CloudScheduler", scheduled)
            .body("{}".into())
            .unwrap();
        let started = tokio::time::Instant::now();

        let (status, _) = answer(&runtime, request).await;

        assert_eq!(status, 504);
        assert_eq!(started.elapsed().as_secs(), seconds);
    }
}

#[test]
fn the_time_of_a_schedule_is_read_with_any_offset() {
    let eight = SystemTime::UNIX_EPOCH + Duration::from_secs(1_704_096_000);
    for time in [
        "2024-01-01T08:00:00Z",
        "2024-01-01T09:00:00+01:00",
        "2024-01-01T00:00:00.000-08:00",
    ] {
        let mut headers = http::HeaderMap::new();
        headers.insert("x-cloudscheduler-scheduletime", time.parse().unwrap());
        assert_eq!(
            TaskMetadata::from_headers(headers).schedule_time(),
            Some(eight),
            "{time}"
        );
    }
}

#[tokio::test]
async fn a_periodic_task_runs_at_once_in_eager_mode_as_its_schedule_runs_it() {
    let log = Log::default();
    let runtime = eager(&log).await;

    Digest::run_scheduled().on(&runtime).await.unwrap();

    assert_eq!(
        log.lines(),
        ["limit 10 of \"shop--morning-digest\" from \"schedule\", due true"]
    );
}

#[tokio::test]
async fn a_run_of_a_schedule_goes_to_the_queue_of_its_task() {
    let (runtime, recorder) = Runtime::recorded().config(config()).build().await.unwrap();

    let enqueued = Digest::run_scheduled().on(&runtime).await.unwrap();

    assert_eq!(enqueued.queue(), "digests");
    recorder.assert_enqueued::<Digest>(|digest| digest.limit == 10);
}
