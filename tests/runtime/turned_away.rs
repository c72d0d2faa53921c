//! Deliveries that are turned away: how long they wait for a slot, and what is recorded of the last one of a queue.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use cloud_tasks::dead_letters::Dead;
use cloud_tasks::idempotency::MemoryStore;
use cloud_tasks::queue::QueueSettings;
use cloud_tasks::runtime::RuntimeBuilder;
use cloud_tasks::testing::{Recorded, Recorder, Signer};
use cloud_tasks::{Context, Message, Runtime, SubscriberTask, Task, TaskResult, task};
use http::Request;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::dependencies::with_dependencies;
use crate::support::logs::Logs;
use crate::support::nowhere::Nowhere;
use crate::tasks::{Log, answer, post};

/// Lets those run that a test allows.
#[derive(Clone)]
pub(crate) struct Permits(Arc<Semaphore>);

impl Default for Permits {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(0)))
    }
}

/// Occupies a slot until it is allowed to end.
#[derive(Deserialize, Serialize)]
struct Occupy {}

#[task(queue = "rooms", dead_letter_topic = "dead-rooms")]
impl Task for Occupy {
    async fn run(self, cx: Context<(Permits, Log)>) -> TaskResult {
        let (permits, log) = cx.state();
        log.write("run".to_owned());
        permits.0.acquire().await?.forget();
        Ok(())
    }

    async fn on_dead(self, dead: Dead, cx: Context<(Permits, Log)>) -> TaskResult {
        cx.state()
            .1
            .write(format!("{:?}: {}", dead.cause(), dead.error()));
        Ok(())
    }
}

/// The same with less time.
#[derive(Deserialize, Serialize)]
struct OccupyBriefly {}

#[task(queue = "rooms", timeout = "20s")]
impl Task for OccupyBriefly {
    async fn run(self, cx: Context<Permits>) -> TaskResult {
        cx.state().0.acquire().await?.forget();
        Ok(())
    }
}

/// Is remembered.
#[derive(Deserialize, Serialize)]
struct Settled {}

#[task(queue = "rooms", idempotent, dead_letter_topic = "dead-rooms")]
impl Task for Settled {
    async fn run(self, _cx: Context) -> TaskResult {
        Ok(())
    }
}

struct Stage {
    runtime: Runtime,
    recorder: Recorder,
    permits: Permits,
    log: Log,
}

/// A service with one slot, and a queue of three attempts.
async fn stage(change: impl FnOnce(RuntimeBuilder<Recorded>) -> RuntimeBuilder<Recorded>) -> Stage {
    unlimited(|builder| change(builder.max_concurrency(1))).await
}

/// The same without a limit of concurrent requests.
async fn unlimited(change: impl FnOnce(RuntimeBuilder<Recorded>) -> RuntimeBuilder<Recorded>) -> Stage {
    let (permits, log) = (Permits::default(), Log::default());
    let builder = Runtime::recorded()
        .state(permits.clone())
        .state(log.clone())
        .queue(QueueSettings::new("rooms").with_max_attempts(3))
        .idempotency(MemoryStore::new())
        .dead_letter_topic("dead-tasks");
    let (runtime, recorder) = change(builder).build().await.unwrap();
    Stage {
        runtime,
        recorder,
        permits,
        log,
    }
}

fn attempt(task: &str, id: &str, number: u32) -> Request<Body> {
    let mut request = post(&format!("/tasks/{task}"), "{}".to_owned());
    for (name, value) in [
        ("x-cloudtasks-queuename", "rooms".to_owned()),
        ("x-cloudtasks-taskname", id.to_owned()),
        ("x-cloudtasks-taskretrycount", (number - 1).to_string()),
    ] {
        request.headers_mut().insert(name, value.parse().unwrap());
    }
    request
}

impl Stage {
    fn deliver(&self, task: &str, id: &str, number: u32) -> JoinHandle<u16> {
        let (runtime, request) = (self.runtime.clone(), attempt(task, id, number));
        tokio::spawn(async move { answer(&runtime, request).await.0 })
    }

    /// A task that has the only slot.
    async fn occupy(&self) -> JoinHandle<u16> {
        let running = self.deliver("Occupy", "first", 1);
        while self.log.lines().is_empty() {
            tokio::task::yield_now().await;
        }
        running
    }

    fn records(&self) -> Vec<Value> {
        let records = self.recorder.publications();
        let record = |data: &[u8]| serde_json::from_slice::<Value>(data).unwrap();
        records.iter().map(|message| record(message.data())).collect()
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_at_the_limit_gets_the_slot_of_one_that_ends() {
    let stage = stage(|builder| builder).await;
    let first = stage.occupy().await;

    let second = stage.deliver("Occupy", "second", 1);
    tokio::time::sleep(Duration::from_secs(9)).await;
    stage.permits.0.add_permits(2);

    assert_eq!((first.await.unwrap(), second.await.unwrap()), (200, 200));
}

#[tokio::test(start_paused = true)]
async fn a_request_waits_for_a_bounded_part_of_its_time() {
    for (task, setting, expected) in [
        ("Occupy", None, 10),
        ("OccupyBriefly", None, 5),
        ("Occupy", Some(3), 3),
        ("OccupyBriefly", Some(30), 5),
        ("Occupy", Some(30), 30),
        ("Occupy", Some(0), 0),
    ] {
        let stage = stage(|builder| match setting {
            Some(seconds) => builder.max_concurrency_wait(Duration::from_secs(seconds)),
            None => builder,
        })
        .await;
        let first = stage.occupy().await;
        let began = Instant::now();

        let second = stage.deliver(task, "second", 1).await.unwrap();

        assert_eq!(
            (second, began.elapsed().as_secs()),
            (429, expected),
            "{task} {setting:?}"
        );
        stage.permits.0.add_permits(1);
        assert_eq!(first.await.unwrap(), 200);
        assert!(stage.records().is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn the_wait_uses_up_the_time_of_the_attempt() {
    let stage = stage(|builder| builder).await;
    let first = stage.occupy().await;
    let began = Instant::now();

    let second = stage.deliver("OccupyBriefly", "second", 1);
    tokio::time::sleep(Duration::from_secs(4)).await;
    stage.permits.0.add_permits(1);
    let second = second.await.unwrap();

    assert_eq!((first.await.unwrap(), second), (200, 504));
    assert_eq!(began.elapsed().as_secs(), 20);
}

#[tokio::test(start_paused = true)]
async fn the_bodies_of_waiting_requests_have_a_limit() {
    let stage = stage(|builder| builder.max_body_bytes(usize::MAX)).await;
    let first = stage.occupy().await;
    let large = |mib: usize| {
        let runtime = stage.runtime.clone();
        let mut request = attempt("Occupy", "large", 1);
        *request.body_mut() = "x".repeat(mib * 1024 * 1024).into();
        tokio::spawn(async move { answer(&runtime, request).await.0 })
    };

    let waiting = large(60);
    tokio::time::sleep(Duration::from_secs(1)).await;
    let began = Instant::now();
    let refused = large(5).await.unwrap();
    let at_once = began.elapsed().is_zero();
    stage.permits.0.add_permits(2);

    assert_eq!((refused, at_once), (429, true));
    // It is no JSON.
    assert_eq!((first.await.unwrap(), waiting.await.unwrap()), (200, 400));
}

#[tokio::test(start_paused = true)]
async fn the_last_delivery_of_a_queue_that_is_turned_away_is_recorded_and_its_hook_runs() {
    let stage = stage(|builder| builder).await;
    let first = stage.occupy().await;

    let second = stage.deliver("Occupy", "second", 2).await.unwrap();
    let before = stage.records().len();
    let third = stage.deliver("Occupy", "second", 3).await.unwrap();
    stage.permits.0.add_permits(1);

    assert_eq!((second, before, third), (429, 0, 429));
    let record = &stage.records()[0];
    assert_eq!(
        (&record["cause"], &record["id"]),
        (&json!("turned-away"), &json!("second"))
    );
    let told = "it was turned away: the service was at its limit of concurrent requests";
    assert_eq!(record["error"], told);
    assert_eq!(
        stage.log.lines(),
        ["run".to_owned(), format!("TurnedAway: {told}")]
    );
    assert_eq!(first.await.unwrap(), 200);
}

#[tokio::test(start_paused = true)]
async fn what_has_happened_before_is_not_recorded_when_it_is_turned_away() {
    let stage = stage(|builder| builder.max_concurrency_wait(Duration::ZERO)).await;
    let done = stage.deliver("Settled", "s1", 1).await.unwrap();
    let first = stage.occupy().await;

    let again = stage.deliver("Settled", "s1", 3).await.unwrap();
    let another = stage.deliver("Settled", "s2", 3).await.unwrap();
    stage.permits.0.add_permits(1);

    assert_eq!((done, again, another), (200, 200, 429));
    assert_eq!(stage.records().len(), 1);
    assert_eq!(first.await.unwrap(), 200);
}

#[tokio::test]
async fn a_task_that_the_service_does_not_have_is_recorded_in_the_last_delivery_of_its_queue() {
    let stage = stage(|builder| builder).await;

    let second = stage.deliver("Retired", "r1", 2).await.unwrap();
    let before = stage.records().len();
    let third = stage.deliver("Retired", "r1", 3).await.unwrap();

    assert_eq!((second, before, third), (404, 0, 404));
    let record = &stage.records()[0];
    assert_eq!(
        (&record["task"], &record["body"]),
        (&json!("Retired"), &json!({}))
    );
    assert_eq!(
        record["error"],
        "it was turned away: the service has no task of this name"
    );
    assert_eq!(stage.recorder.publications()[0].topic(), "dead-tasks");
}

#[tokio::test]
async fn a_task_that_is_too_large_is_recorded_whole_in_the_last_delivery_of_its_queue() {
    let small = |builder: RuntimeBuilder<Recorded>| builder.max_body_bytes(20);
    for stage in [stage(small).await, unlimited(small).await] {
        let body = json!({"of_an_older_version": "x".repeat(1000)});
        let deliver = |number| {
            let (runtime, mut request) = (stage.runtime.clone(), attempt("Occupy", "large", number));
            *request.body_mut() = body.to_string().into();
            async move { answer(&runtime, request).await.0 }
        };

        let second = deliver(2).await;
        let before = stage.records().len();
        let third = deliver(3).await;

        assert_eq!((second, before, third), (413, 0, 413));
        let record = &stage.records()[0];
        assert_eq!(
            (&record["cause"], &record["body"]),
            (&json!("turned-away"), &body)
        );
        let told = "it was turned away: its body is larger than the service's limit of 20 bytes";
        assert_eq!(record["error"], told);
        assert_eq!(stage.log.lines(), [format!("TurnedAway: {told}")]);
    }
}

#[tokio::test]
async fn a_last_delivery_whose_body_cannot_be_read_is_logged_and_not_recorded() {
    let stage = stage(|builder| builder).await;
    let broken = || {
        let pieces = [Ok(r#"{"half"#), Err("the connection broke off")];
        Body::from_stream(futures_util::stream::iter(pieces))
    };
    let huge = || Body::from("x".repeat(2 * 1024 * 1024));
    for (body, status, reason) in [
        (broken as fn() -> Body, 400, "reason=Broken"),
        (huge, 413, "reason=TooLarge"),
    ] {
        for (number, logged) in [(2, 0), (3, 1)] {
            let mut request = attempt("Occupy", "broken", number);
            *request.body_mut() = body();
            let logs = Logs::capture();

            let answered = answer(&stage.runtime, request).await.0;

            assert_eq!(answered, status);
            let lines = logs.raw_lines();
            let told = lines
                .iter()
                .filter(|line| line.contains("so the task ends without a record") && line.contains(reason));
            assert_eq!(told.count(), logged, "{lines:?}");
        }
    }
    assert!(stage.records().is_empty());
}

#[tokio::test]
async fn a_stranger_never_causes_a_record() {
    let signer = Signer::new().unwrap();
    let stage = stage(|builder| builder.verified_by(&signer)).await;

    let mut answers = Vec::new();
    for task in ["Occupy", "OccupyBriefly", "Settled", "Retired"] {
        answers.push(stage.deliver(task, "third", 3).await.unwrap());
    }

    assert_eq!(answers, [401, 401, 401, 401]);
    assert!(stage.records().is_empty() && stage.log.lines().is_empty());
}

#[tokio::test]
async fn the_build_warns_of_queues_that_give_up_too_soon() {
    let idempotent = "which is sooner than the claim of a process that has died ends (30s)";
    for (settings, lease, expected) in [
        (
            QueueSettings::new("rooms").with_max_attempts(5),
            None,
            Some(("after 5 attempts within 1.5s", idempotent)),
        ),
        (
            QueueSettings::new("rooms").with_max_attempts(5),
            Some(5),
            Some((
                "after 5 attempts within 1.5s",
                "which is sooner than a service restarts",
            )),
        ),
        // Nothing of it is idempotent.
        (
            QueueSettings::new("notes").with_max_attempts(3),
            None,
            Some((
                "after 3 attempts within 300ms",
                "which is sooner than a service restarts",
            )),
        ),
        (
            QueueSettings::new("rooms")
                .with_max_attempts(5)
                .with_min_backoff(Duration::from_secs(2)),
            None,
            None,
        ),
        (QueueSettings::new("rooms").with_max_attempts(20), None, None),
        (QueueSettings::new("rooms").with_max_attempts(1), None, None),
        (QueueSettings::new("rooms"), None, None),
        (QueueSettings::new("of-nobody").with_max_attempts(2), None, None),
    ] {
        let shown = format!("{settings:?}");
        let builder = with_dependencies(Runtime::builder()).backend(Nowhere::default());
        let mut builder = builder.allow_unauthenticated().queue(settings);
        if let Some(seconds) = lease {
            builder = builder.idempotency_lease(Duration::from_secs(seconds));
        }
        let logs = Logs::capture();

        builder.build().await.unwrap();

        let lines = logs.raw_lines();
        let warned: Vec<_> = lines
            .iter()
            .filter(|line| line.contains("gives its tasks up"))
            .collect();
        match expected {
            Some((when, why)) => {
                assert_eq!(warned.len(), 1, "{lines:?}");
                assert!(warned[0].contains(when) && warned[0].contains(why), "{warned:?}");
                assert!(
                    warned[0].contains("more attempts or a longer min_backoff"),
                    "{warned:?}"
                );
            }
            None => assert!(warned.is_empty(), "{shown}: {warned:?}"),
        }
    }
}

/// Gives its messages up after five deliveries that follow each other at once.
struct Impatient;

#[task(topic = "rooms", dead_letter_topic = "dead-messages", idempotent)]
impl SubscriberTask for Impatient {
    async fn run(_message: Message<Value>, _cx: Context) -> TaskResult {
        Ok(())
    }
}

#[tokio::test]
async fn the_build_warns_of_a_subscription_that_gives_up_before_a_lease_ends() {
    let builder = with_dependencies(Runtime::builder()).backend(Nowhere::default());
    let logs = Logs::capture();

    builder.allow_unauthenticated().build().await.unwrap();

    let lines = logs.raw_lines();
    let told = "the subscription \"Impatient\" sends its messages to the dead-letter topic after 5 deliveries, possibly within \
                0ns, which is sooner than the claim of a process that has died ends (30s): set `max_retries` or `min_backoff` \
                higher";
    assert!(lines.iter().any(|line| line.contains(told)), "{lines:?}");
}
