//! The last attempt: what is answered, what is recorded, which hook runs, and what happens when that fails.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use axum::body::Body;
use cloud_tasks::dead_letters::{Dead, DeadCause};
use cloud_tasks::event::Publication;
use cloud_tasks::queue::QueueSettings;
use cloud_tasks::testing::Recorder;
use cloud_tasks::{
    Config, Context, Discard, Message, PublisherTask, RetryAfter, Runtime, SubscriberTask, Task, TaskResult,
    task,
};
use http::Request;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep};
use tower::ServiceExt;

use crate::tasks::{Log, Note, answer, post, send};

/// Ends, and is given up, in the ways that it is told.
#[derive(Debug, Deserialize, Serialize)]
struct Mortal {
    run: How,
    on_dead: How,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize)]
enum How {
    Succeed,
    Fail,
    Panic,
    Hang,
    /// Succeeds, after fifteen seconds.
    Linger,
    Wait,
    Discard,
}

impl How {
    async fn end(self) -> TaskResult {
        match self {
            Self::Succeed => Ok(()),
            Self::Fail => Err("out of paper")?,
            Self::Panic => panic!("on fire"),
            Self::Hang => std::future::pending().await,
            Self::Linger => {
                sleep(Duration::from_secs(15)).await;
                Ok(())
            }
            Self::Wait => Err(RetryAfter::new(Duration::from_secs(30)))?,
            Self::Discard => Err(Discard::new("gone"))?,
        }
    }
}

#[task(max_attempts = 3, dead_letter_topic = "dead-mortals", timeout = "20s")]
impl Task for Mortal {
    async fn run(self, cx: Context<Log>) -> TaskResult {
        let metadata = cx.metadata();
        cx.state().write(format!(
            "attempt {} of {:?}, last {}",
            metadata.attempt(),
            metadata.max_attempts(),
            metadata.is_last_attempt()
        ));
        self.run.end().await
    }

    async fn on_dead(self, dead: Dead, cx: Context<Log>) -> TaskResult {
        cx.state().write(format!("{dead:?}"));
        if self.on_dead == How::Succeed {
            Note { text: "sorry".into() }.asap().await?;
        }
        self.on_dead.end().await
    }
}

/// Fails, and has no hook.
#[derive(Deserialize, Serialize)]
struct Plain {}

#[task(queue = "notes")]
impl Task for Plain {
    async fn run(self, cx: Context<Log>) -> TaskResult {
        cx.state()
            .write(format!("last {}", cx.metadata().is_last_attempt()));
        Err("no luck")?
    }
}

/// Its output is no JSON.
#[derive(Deserialize, Serialize)]
struct Unspeakable {}

#[task(max_attempts = 1, dead_letter_topic = "projects/elsewhere/topics/dead")]
impl Task for Unspeakable {
    async fn run(self, _cx: Context) -> TaskResult<std::collections::HashMap<Vec<u8>, ()>> {
        Ok([(vec![1], ())].into())
    }
}

/// Is published by a task that may fail once.
#[derive(Deserialize, Serialize)]
struct Shouted {
    text: String,
}

#[task(max_attempts = 1, dead_letter_topic = "dead-shouts")]
impl PublisherTask for Shouted {}

/// Says too much when it fails.
#[derive(Deserialize, Serialize)]
struct Verbose {
    text: String,
}

#[task(max_attempts = 1, dead_letter_topic = "dead-mortals")]
impl Task for Verbose {
    async fn run(self, _cx: Context) -> TaskResult {
        Err("é".repeat(10_000_000))?
    }
}

/// Its record reaches a subscriber that fails.
#[derive(Deserialize, Serialize)]
struct Unrecorded {}

#[task(max_attempts = 1, dead_letter_topic = "dead-and-refused")]
impl Task for Unrecorded {
    async fn run(self, _cx: Context<Log>) -> TaskResult {
        Err("no luck")?
    }

    async fn on_dead(self, _dead: Dead, cx: Context<Log>) -> TaskResult {
        cx.state().write("its hook ran".to_owned());
        Ok(())
    }
}

struct RefusesRecords;

#[task(topic = "dead-and-refused")]
impl SubscriberTask for RefusesRecords {
    async fn run(_record: Message<Value>, _cx: Context) -> TaskResult {
        Err("the topic is closed")?
    }
}

/// Has a hook that ends when a test says so.
#[derive(Deserialize, Serialize)]
struct Slow {}

#[derive(Clone, Default)]
pub(crate) struct Steps {
    begun: Arc<Notify>,
    go_on: Arc<Notify>,
    done: Arc<Notify>,
}

#[task(max_attempts = 1)]
impl Task for Slow {
    async fn run(self, _cx: Context<Steps>) -> TaskResult {
        Err("slow")?
    }

    async fn on_dead(self, _dead: Dead, cx: Context<Steps>) -> TaskResult {
        cx.state().begun.notify_one();
        cx.state().go_on.notified().await;
        cx.state().done.notify_one();
        Ok(())
    }
}

struct Stage {
    runtime: Runtime,
    recorder: Recorder,
    log: Log,
}

impl Stage {
    async fn set() -> Self {
        Self::set_with(|builder| builder).await
    }

    async fn set_with(
        change: impl FnOnce(
            cloud_tasks::runtime::RuntimeBuilder<cloud_tasks::testing::Recorded>,
        ) -> cloud_tasks::runtime::RuntimeBuilder<cloud_tasks::testing::Recorded>,
    ) -> Self {
        let log = Log::default();
        let builder = change(Runtime::recorded().state(log.clone()).state(Steps::default()));
        let (runtime, recorder) = builder.build().await.unwrap();
        Self {
            runtime,
            recorder,
            log,
        }
    }

    async fn attempt(&self, number: u32, run: How, on_dead: How) -> (u16, Value) {
        answer(
            &self.runtime,
            attempt(
                "Mortal",
                number,
                &json!({"run": run, "on_dead": on_dead}).to_string(),
            ),
        )
        .await
    }

    fn recorded(&self) -> Vec<Publication> {
        self.recorder.publications()
    }
}

fn attempt(task: &str, number: u32, body: &str) -> Request<Body> {
    let mut request = post(&format!("/tasks/{task}"), body.to_owned());
    for (name, value) in [
        ("x-cloudtasks-queuename", "notes".to_owned()),
        ("x-cloudtasks-taskname", "m1".to_owned()),
        ("x-cloudtasks-taskretrycount", (number - 1).to_string()),
    ] {
        request.headers_mut().insert(name, value.parse().unwrap());
    }
    request
}

fn record(publication: &Publication) -> Value {
    serde_json::from_slice(publication.data()).unwrap()
}

fn discarded() -> (u16, Value) {
    (202, json!({"result": null, "status": "discarded"}))
}

fn failed(task: &str) -> (u16, Value) {
    (
        500,
        json!({"error": format!("Task {task} failed"), "status": "failed"}),
    )
}

#[tokio::test]
async fn the_last_attempt_is_marked_answered_as_a_discard_and_recorded_and_its_hook_runs() {
    let stage = Stage::set().await;
    let mut answers = Vec::new();
    let mut recorded = Vec::new();

    for number in 1..=3 {
        answers.push(stage.attempt(number, How::Fail, How::Succeed).await);
        recorded.push(stage.recorded().len());
    }

    assert_eq!(answers, [failed("Mortal"), failed("Mortal"), discarded()]);
    assert_eq!(recorded, [0, 0, 1]);
    assert_eq!(
        stage.log.lines(),
        [
            "attempt 1 of Some(3), last false",
            "attempt 2 of Some(3), last false",
            "attempt 3 of Some(3), last true",
            "Dead { cause: Failed, error: \"out of paper\", attempts: 3, runs: None, id: Some(\"m1\"), queue: Some(\"notes\") }",
        ]
    );
    stage
        .recorder
        .assert_enqueued::<Note>(|note| note.text == "sorry");
}

#[tokio::test]
async fn an_attempt_beyond_the_last_one_counts_as_the_last_one_again() {
    let stage = Stage::set().await;

    let answer = stage.attempt(4, How::Fail, How::Succeed).await;

    assert_eq!(answer, discarded());
    assert_eq!(record(&stage.recorded()[0])["attempts"], 4);
}

#[tokio::test]
async fn a_last_attempt_that_succeeds_or_discards_itself_is_not_recorded_as_dead() {
    let stage = Stage::set().await;

    let succeeded = stage.attempt(3, How::Succeed, How::Panic).await;
    let gave_up = stage.attempt(3, How::Discard, How::Panic).await;

    assert_eq!(succeeded, (200, json!({"result": null, "status": "executed"})));
    assert_eq!(gave_up, discarded());
    assert!(stage.recorded().is_empty());
    assert_eq!(stage.log.lines().len(), 2);
}

#[tokio::test]
async fn the_record_has_the_body_as_it_came_and_the_headers_that_are_the_tasks() {
    let stage = Stage::set().await;
    let body = r#"{"on_dead":  "Succeed", "run": "Fail", "more": 12345678901234567890.10}"#;
    let mut request = attempt("Mortal", 3, body);
    for (name, value) in [
        ("content-type", "application/json"),
        ("x-request-id", "abc"),
        ("x-cloud-tasks-timeout", "20"),
        ("authorization", "Bearer hunter2"),
        ("x-serverless-authorization", "Bearer hunter2"),
        ("cookie", "hunter2"),
        ("forwarded", "for=1.2.3.4"),
        ("x-forwarded-proto", "https"),
        ("connection", "keep-alive"),
        ("host", "shop.example"),
        ("user-agent", "Google-Cloud-Tasks"),
        ("content-length", "71"),
    ] {
        request.headers_mut().insert(name, value.parse().unwrap());
    }
    let before = SystemTime::now();

    send(&stage.runtime, request).await;

    let publication = &stage.recorded()[0];
    let text = std::str::from_utf8(publication.data()).unwrap();
    let (start, died_at) = text.split_once(r#","died_at":""#).unwrap();
    assert_eq!(
        start,
        format!(
            r#"{{"task":"Mortal","queue":"notes","id":"m1","attempts":3,"cause":"failed","error":"out of paper","body":{body},"headers":{}"#,
            r#"{"content-type":"application/json","x-cloud-tasks-timeout":"20","x-request-id":"abc"}"#
        )
    );
    let died_at = humantime::parse_rfc3339(died_at.strip_suffix("\"}").unwrap()).unwrap();
    assert!(died_at + Duration::from_millis(1) > before && died_at <= SystemTime::now());
    assert_eq!(publication.topic(), "dead-mortals");
    let attributes: Vec<_> = publication.attributes().iter().collect();
    assert_eq!(
        format!("{attributes:?}"),
        r#"[("id", "m1"), ("queue", "notes"), ("task", "Mortal")]"#
    );
}

#[tokio::test]
async fn a_body_that_does_not_decode_is_recorded_and_its_hook_does_not_run() {
    let stage = Stage::set().await;

    let early = answer(&stage.runtime, attempt("Mortal", 2, "{}")).await;
    let json = answer(&stage.runtime, attempt("Mortal", 3, "{}")).await;
    let bytes = answer(&stage.runtime, attempt("Mortal", 3, "<xml>")).await;

    assert_eq!((early.0, json, bytes), (400, discarded(), discarded()));
    let [json, bytes] = &stage.recorded()[..] else {
        panic!("{:?}", stage.recorded())
    };
    let (json, bytes) = (record(json), record(bytes));
    assert_eq!((&json["body"], &json["data"]), (&json!({}), &Value::Null));
    assert_eq!(
        json["error"],
        "it cannot read its arguments: missing field `run` at line 1 column 2"
    );
    assert_eq!((bytes.get("body"), &bytes["data"]), (None, &json!("PHhtbD4=")));
    assert!(stage.log.lines().is_empty());
}

#[tokio::test]
async fn the_reason_why_the_last_attempt_ended_is_recorded() {
    let stage = Stage::set().await;

    let panicked = stage.attempt(3, How::Panic, How::Succeed).await;
    let waited = stage.attempt(3, How::Wait, How::Succeed).await;
    let unspeakable = answer(&stage.runtime, attempt("Unspeakable", 1, "{}")).await;

    assert_eq!(
        [panicked, waited, unspeakable],
        [discarded(), discarded(), discarded()]
    );
    let recorded = stage.recorded();
    let errors: Vec<_> = recorded
        .iter()
        .map(|publication| record(publication)["error"].clone())
        .collect();
    assert_eq!(
        errors,
        [
            "it panicked: on fire",
            "to be retried after 30s",
            "it cannot write its output: key must be a string"
        ]
    );
    assert_eq!(recorded[2].topic(), "projects/elsewhere/topics/dead");
    assert!(stage.log.lines()[1].contains("cause: Panicked"));
    assert!(stage.log.lines()[3].contains("cause: Failed"));
}

#[tokio::test(start_paused = true)]
async fn the_last_attempt_has_nine_tenths_of_its_time_so_that_its_answer_arrives() {
    let stage = Stage::set().await;
    let started = Instant::now();

    let answer = stage.attempt(3, How::Hang, How::Succeed).await;

    assert_eq!(started.elapsed().as_secs(), 18);
    assert_eq!(answer, discarded());
    assert_eq!(
        record(&stage.recorded()[0])["error"],
        "it did not finish within 18s"
    );
    assert!(stage.log.lines()[1].contains("cause: TimedOut"));
}

#[tokio::test]
async fn a_hook_that_fails_makes_an_ordinary_failure_so_that_nothing_is_lost() {
    let stage = Stage::set().await;

    let failing = stage.attempt(3, How::Fail, How::Fail).await;
    let panicking = stage.attempt(3, How::Fail, How::Panic).await;
    let waiting = stage.attempt(3, How::Fail, How::Wait).await;
    let discarding = stage.attempt(3, How::Fail, How::Discard).await;

    assert_eq!([failing, panicking], [failed("Mortal"), failed("Mortal")]);
    assert_eq!(waiting.0, 503);
    assert_eq!(discarding, discarded());
    assert_eq!(stage.recorded().len(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_hook_has_as_long_as_an_attempt_and_the_answer_does_not_wait_for_it() {
    let stage = Stage::set().await;
    let started = Instant::now();

    let answered = stage.attempt(3, How::Fail, How::Hang).await;
    let answered_after = started.elapsed();
    let during = stage.attempt(4, How::Succeed, How::Succeed).await;
    sleep(Duration::from_secs(2)).await;
    let after = stage.attempt(5, How::Fail, How::Succeed).await;

    // A hook that did not end in time has failed, and the task is attempted again.
    assert_eq!((answered, answered_after.as_secs()), (failed("Mortal"), 19));
    assert_eq!((during.0, after), (409, discarded()));
    assert_eq!(stage.recorded().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_task_whose_hook_is_slow_dies_once() {
    let stage = Stage::set().await;

    let first = stage.attempt(3, How::Hang, How::Linger).await;
    let during = stage.attempt(4, How::Hang, How::Linger).await;
    sleep(Duration::from_secs(20)).await;
    let after = stage.attempt(5, How::Hang, How::Linger).await;
    let long_after = stage.attempt(6, How::Hang, How::Linger).await;

    assert_eq!((first.0, during.0), (504, 409));
    assert_eq!([after, long_after], [discarded(), discarded()]);
    assert_eq!(stage.recorded().len(), 1);
    // Its only run, and its only hook.
    assert_eq!(stage.log.lines().len(), 2, "{:?}", stage.log.lines());
}

#[tokio::test]
async fn a_task_that_died_is_not_run_again_but_another_one_with_its_id_is() {
    let stage = Stage::set().await;

    stage.attempt(3, How::Fail, How::Succeed).await;
    let further = stage.attempt(4, How::Fail, How::Succeed).await;
    let another = stage.attempt(1, How::Succeed, How::Succeed).await;
    let its_last = stage.attempt(3, How::Succeed, How::Succeed).await;

    assert_eq!(further, discarded());
    assert_eq!((another.0, its_last.0), (200, 200));
    assert_eq!(stage.recorded().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn by_the_queues_limit_there_is_time_for_the_record_too() {
    let settings = QueueSettings::new("notes").with_max_attempts(2);
    let stage = Stage::set_with(|builder| builder.queue(settings)).await;
    let started = Instant::now();

    let answer = stage.attempt(2, How::Hang, How::Succeed).await;

    assert_eq!((answer.0, started.elapsed().as_secs()), (504, 18));
    assert_eq!(record(&stage.recorded()[0])["cause"], "timed-out");
}

#[tokio::test]
async fn a_caller_that_hangs_up_in_the_queues_last_attempt_leaves_a_record() {
    for (max_attempts, recorded) in [(2, 1), (100, 0)] {
        let settings = QueueSettings::new("notes").with_max_attempts(max_attempts);
        let stage = Stage::set_with(|builder| builder.queue(settings)).await;
        let body = json!({"run": How::Hang, "on_dead": How::Succeed}).to_string();
        let call = stage.runtime.service().oneshot(attempt("Mortal", 2, &body));

        let given_up = tokio::time::timeout(Duration::from_millis(1), call).await;
        stage.runtime.flush().await;

        assert!(given_up.is_err());
        assert_eq!(stage.recorded().len(), recorded);
        if recorded == 1 {
            let record = record(&stage.recorded()[0]);
            assert_eq!(record["cause"], "interrupted");
            assert_eq!(
                record["error"],
                "it was cancelled: its caller hung up, or the service stopped"
            );
            assert!(stage.log.lines()[1].contains("Interrupted"));
        }
    }
}

#[tokio::test]
async fn a_record_that_is_not_taken_makes_an_ordinary_failure_before_the_hook() {
    let log = Log::default();
    let runtime = Runtime::eager()
        .state(log.clone())
        .state(Steps::default())
        .build()
        .await
        .unwrap();

    // Here, a record is delivered at once, and its subscriber fails.
    let answer = answer(&runtime, attempt("Unrecorded", 1, "{}")).await;

    assert_eq!(answer, failed("Unrecorded"));
    assert!(log.lines().is_empty(), "{:?}", log.lines());
}

#[tokio::test]
async fn whatever_a_task_has_its_record_fits_into_a_message() {
    let stage = Stage::set_with(|builder| builder.max_body_bytes(64 * 1024 * 1024)).await;
    let huge = "é".repeat(6_000_000);
    let long = |text: &str| json!({ "text": text }).to_string();
    let mut long_id = attempt("Verbose", 1, &long("short"));
    long_id
        .headers_mut()
        .insert("x-cloudtasks-taskname", "x".repeat(2000).parse().unwrap());

    let answers = [
        answer(&stage.runtime, attempt("Verbose", 1, &long("short"))).await,
        answer(&stage.runtime, attempt("Verbose", 1, &long(&huge))).await,
        answer(&stage.runtime, attempt("Verbose", 1, &huge)).await,
        answer(&stage.runtime, long_id).await,
    ];

    assert_eq!(answers, [discarded(), discarded(), discarded(), discarded()]);
    let recorded = stage.recorded();
    let records: Vec<_> = recorded.iter().map(record).collect();
    assert!(recorded.iter().all(|message| message.data().len() < 10_000_000));
    let error = records[0]["error"].as_str().unwrap();
    assert!(
        error.starts_with("éé") && error.ends_with("é.. (19983616 more bytes)"),
        "{}",
        &error[error.len() - 40..]
    );
    assert_eq!(records[0]["body"], json!({"text": "short"}));
    for record in &records[1..3] {
        assert!(record.get("body").is_none() && record.get("data").is_none());
    }
    assert_eq!(records[1]["left_out"], json!(12_000_011));
    assert_eq!(records[2]["left_out"], json!(12_000_000));
    assert_eq!(records[3]["id"], "x".repeat(2000));
    assert_eq!(recorded[3].attributes()["id"], "x".repeat(1024));
}

#[tokio::test]
async fn a_hook_runs_on_when_its_caller_is_gone() {
    let steps = Steps::default();
    let stage = Stage::set_with(|builder| builder.state(steps.clone())).await;
    let call = tokio::spawn(stage.runtime.service().oneshot(attempt("Slow", 1, "{}")));
    steps.begun.notified().await;

    call.abort();
    assert!(call.await.unwrap_err().is_cancelled());
    steps.go_on.notify_one();

    steps.done.notified().await;
}

#[tokio::test]
async fn a_task_that_the_queues_limit_ends_gets_the_usual_answer() {
    let settings = QueueSettings::new("notes").with_max_attempts(2);
    let stage = Stage::set_with(|builder| builder.queue(settings).dead_letter_topic("dead-tasks")).await;

    let first = answer(&stage.runtime, attempt("Plain", 1, "{}")).await;
    let second = answer(&stage.runtime, attempt("Plain", 2, "{}")).await;

    assert_eq!([first, second], [failed("Plain"), failed("Plain")]);
    assert_eq!(stage.log.lines(), ["last false", "last true"]);
    let recorded = stage.recorded();
    assert_eq!(recorded.len(), 1);
    assert_eq!(
        (recorded[0].topic(), &record(&recorded[0])["attempts"]),
        ("dead-tasks", &json!(2))
    );
}

#[tokio::test]
async fn the_lower_limit_counts_and_a_hook_that_failed_changes_nothing_of_the_queues_answer() {
    let settings = QueueSettings::new("notes").with_max_attempts(2);
    let stage = Stage::set_with(|builder| builder.queue(settings)).await;

    let answer = stage.attempt(2, How::Wait, How::Fail).await;

    assert_eq!(answer.0, 503);
    assert_eq!(stage.log.lines()[0], "attempt 2 of Some(2), last true");
    assert_eq!(stage.recorded().len(), 1);
}

#[tokio::test]
async fn a_queue_whose_end_is_not_known_ends_nothing() {
    for settings in [
        QueueSettings::new("notes"),
        QueueSettings::new("notes").with_max_attempts(-1),
        QueueSettings::new("notes")
            .with_max_attempts(1)
            .with_max_retry_duration(Duration::from_secs(60)),
        QueueSettings::new("others").with_max_attempts(1),
    ] {
        let shown = format!("{settings:?}");
        let stage = Stage::set_with(|builder| builder.queue(settings).dead_letter_topic("dead-tasks")).await;

        let answer = answer(&stage.runtime, attempt("Plain", 100, "{}")).await;

        assert_eq!(answer, failed("Plain"));
        assert_eq!(stage.log.lines(), ["last false"], "{shown}");
        assert!(stage.recorded().is_empty(), "{shown}");
    }
    let endless_time = QueueSettings::new("notes")
        .with_max_attempts(1)
        .with_max_retry_duration(Duration::ZERO);
    let stage = Stage::set_with(|builder| builder.queue(endless_time)).await;
    answer(&stage.runtime, attempt("Plain", 1, "{}")).await;
    assert_eq!(stage.log.lines(), ["last true"]);
}

#[tokio::test]
async fn topics_get_the_prefix_of_the_application_and_a_tasks_own_comes_first() {
    let config = Config::default().with_app_name("shop");
    let stage = Stage::set_with(|builder| {
        let settings = QueueSettings::new("notes").with_max_attempts(3);
        builder
            .config(config)
            .queue(settings)
            .dead_letter_topic("dead-tasks")
    })
    .await;

    answer(&stage.runtime, attempt("Plain", 3, "{}")).await;
    stage.attempt(3, How::Fail, How::Succeed).await;

    let topics: Vec<_> = stage
        .recorded()
        .iter()
        .map(|dead| dead.topic().to_owned())
        .collect();
    assert_eq!(topics, ["shop--dead-tasks", "shop--dead-mortals"]);
}

#[tokio::test]
async fn a_dead_publisher_task_is_recorded_with_its_body() {
    let stage = Stage::set().await;
    let attributes = json!({"goog-x": "refused"});
    let body = json!({"message": {"text": "hey"}, "attributes": attributes}).to_string();

    let answer = answer(&stage.runtime, attempt("Shouted", 1, &body)).await;

    assert_eq!(answer, discarded());
    let recorded = stage.recorded();
    assert_eq!((recorded.len(), recorded[0].topic()), (1, "dead-shouts"));
    assert_eq!(
        record(&recorded[0])["body"],
        serde_json::from_str::<Value>(&body).unwrap()
    );
}

#[tokio::test]
async fn in_eager_mode_the_failure_comes_back_to_the_caller_and_only_a_single_attempt_is_the_last() {
    let log = Log::default();
    let runtime = Runtime::eager().state(log.clone()).build().await.unwrap();
    let mortal = Mortal {
        run: How::Fail,
        on_dead: How::Succeed,
    };

    let of_three = mortal.asap().on(&runtime).await.unwrap_err();
    let of_one = Unspeakable {}.asap().on(&runtime).await.unwrap_err();

    assert_eq!(of_three.to_string(), "task Mortal failed");
    assert_eq!(of_one.to_string(), "task Unspeakable cannot write its output");
    assert_eq!(log.lines(), ["attempt 1 of Some(3), last false"]);
}

#[tokio::test]
async fn the_build_says_which_hook_is_out_of_reach_and_which_topic_cannot_be() {
    let error = Runtime::eager()
        .queue(QueueSettings::new("tasks").with_max_attempts(2))
        .dead_letter_topic("no spaces")
        .build()
        .await
        .unwrap_err()
        .to_string();

    assert!(
        error.contains(
            "the task Mortal has max_attempts = 3, but its queue \"tasks\" gives up after 2: raise the queue's limit, or lower the task's (tests/runtime/dying.rs:"
        ),
        "{error}"
    );
    assert!(
        error.contains("the dead-letter topic \"no spaces\" is not accepted")
            && error.contains("(`.dead_letter_topic(..)` of the runtime)"),
        "{error}"
    );
}

#[test]
fn a_cause_reads_as_its_words() {
    let causes = [
        DeadCause::Failed,
        DeadCause::Panicked,
        DeadCause::TimedOut,
        DeadCause::Undecodable,
        DeadCause::InProgress,
        DeadCause::TurnedAway,
        DeadCause::Interrupted,
    ];
    assert_eq!(
        json!(causes),
        json!([
            "failed",
            "panicked",
            "timed-out",
            "undecodable",
            "in-progress",
            "turned-away",
            "interrupted"
        ])
    );
}
