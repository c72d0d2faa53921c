use cloud_tasks::testing::Performed;
use cloud_tasks::{Context, ErrorKind, Message, Runtime, Task, TaskResult, task};
use serde::{Deserialize, Serialize, Serializer};

use crate::tasks::{Add, End, Log, OrderPlaced, Ship, Try, new_year, note, panic_text, recorded, seconds};

/// Tells all that it was told; its output is of a type that cannot be read back.
#[derive(Deserialize, Serialize)]
struct Tell;

#[derive(Debug, PartialEq, Serialize)]
struct Told {
    text: &'static str,
    attempt: u32,
    queue: Option<String>,
    id: Option<String>,
    due: Option<std::time::SystemTime>,
    header: Option<String>,
}

#[task(queue = "tales")]
impl Task for Tell {
    async fn run(self, cx: Context) -> TaskResult<Told> {
        let metadata = cx.metadata();
        let header = metadata.headers().get("x-request-id");
        Ok(Told {
            text: "once upon a time",
            attempt: metadata.attempt(),
            queue: metadata.queue().map(str::to_owned),
            id: metadata.id().map(str::to_owned),
            due: metadata.eta(),
            header: header.map(|value| value.to_str().unwrap().to_owned()),
        })
    }
}

/// Does not read what it writes.
#[derive(Deserialize)]
struct Crooked {
    #[expect(dead_code, reason = "it is never read")]
    count: u64,
}

impl Serialize for Crooked {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str("crooked")
    }
}

#[task]
impl Task for Crooked {
    async fn run(self, _cx: Context) -> TaskResult {
        Ok(())
    }
}

async fn perform(end: End) -> Performed<String> {
    let (runtime, _recorder) = recorded(&Log::default()).await;
    runtime.perform(Try { end }).await.unwrap()
}

#[tokio::test]
async fn an_attempt_has_the_metadata_that_it_is_given() {
    let (runtime, _recorder) = recorded(&Log::default()).await;

    let told = runtime
        .perform(Tell)
        .attempt(3)
        .queue("slow")
        .id("tale-1")
        .eta(new_year() + seconds(5))
        .header("x-request-id", "abc")
        .await
        .unwrap()
        .assert_done();

    let expected = Told {
        text: "once upon a time",
        attempt: 3,
        queue: Some("slow".into()),
        id: Some("tale-1".into()),
        due: Some(new_year() + seconds(5)),
        header: Some("abc".into()),
    };
    assert_eq!(told, expected);
}

#[tokio::test]
async fn an_attempt_is_the_first_due_now_in_the_tasks_queue_unless_told_otherwise() {
    let (runtime, _recorder) = recorded(&Log::default()).await;

    let told = runtime.perform(Tell).await.unwrap().assert_done();

    assert_eq!((told.attempt, told.queue.as_deref()), (1, Some("tales")));
    assert_eq!((told.due, told.header), (Some(new_year()), None));
    assert_eq!(told.id.unwrap().len(), 32);
}

#[tokio::test]
async fn a_last_attempt_knows_that_it_is() {
    let log = Log::default();
    let (runtime, _recorder) = recorded(&log).await;
    let attempt = || runtime.perform(Try { end: End::Well }).attempt(3);

    attempt().await.unwrap().assert_done();
    attempt().last_attempt().await.unwrap().assert_done();
    let before = runtime.perform(Try { end: End::Well }).last_attempt().attempt(2);
    before.await.unwrap().assert_done();

    assert_eq!(
        log.lines(),
        [
            "attempt 3, last false",
            "attempt 3, last true",
            "attempt 2, last true"
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn every_outcome_is_distinguished() {
    assert_eq!(perform(End::Well).await.assert_done(), "done in attempt 1");
    assert_eq!(
        perform(End::Fail).await.assert_failed().to_string(),
        "the mail server is down"
    );
    assert_eq!(
        perform(End::Discard).await.assert_discarded().reason(),
        "too late"
    );
    assert_eq!(
        perform(End::RetryAfter { seconds: 30 })
            .await
            .assert_retry_after(),
        seconds(30)
    );
    assert!(matches!(perform(End::Panic).await, Performed::Panicked(text) if text == "out of ink"));
    // The task's own timeout; no time passes but for tokio's clock, which stands still here until all wait.
    assert!(matches!(perform(End::Never).await, Performed::TimedOut(after) if after == seconds(60)));
}

#[tokio::test(start_paused = true)]
async fn the_timeout_of_a_call_wins_over_the_tasks() {
    let (runtime, _recorder) = recorded(&Log::default()).await;

    let performed = runtime
        .perform(Try { end: End::Never })
        .timeout(seconds(20))
        .await
        .unwrap();

    assert!(matches!(performed, Performed::TimedOut(after) if after == seconds(20)));
}

#[tokio::test]
async fn a_type_that_cannot_read_its_own_output_is_reported() {
    let (runtime, _recorder) = recorded(&Log::default()).await;

    let error = runtime.perform(Crooked { count: 1 }).await.unwrap_err();

    assert_eq!(error.kind(), ErrorKind::Encode);
    let text = format!("{error:#}");
    assert!(
        text.contains("its JSON does not decode: invalid type: string"),
        "{text}"
    );
}

#[tokio::test]
async fn a_failed_expectation_shows_the_actual_outcome() {
    let outcomes = [
        (perform(End::Fail).await, "it failed: the mail server is down"),
        (perform(End::Discard).await, "it discarded itself: too late"),
        (
            perform(End::RetryAfter { seconds: 30 }).await,
            "it asked to be retried later: after 30s",
        ),
        (perform(End::Panic).await, "it panicked: out of ink"),
    ];
    for (performed, told) in outcomes {
        let text = panic_text(|| drop(performed.assert_done()));
        assert_eq!(text, format!("expected a success, but {told}"));
    }
    let done = perform(End::Well).await;
    let text = panic_text(|| drop(done.assert_failed()));
    assert_eq!(text, "expected a failure, but it succeeded");
    let done = perform(End::Well).await;
    let text = panic_text(|| drop(done.assert_discarded()));
    assert_eq!(text, "expected a discard, but it succeeded");
    let done = perform(End::Well).await;
    let text = panic_text(|| {
        done.assert_retry_after();
    });
    assert_eq!(text, "expected a `RetryAfter`, but it succeeded");
}

#[tokio::test]
async fn nothing_runs_without_its_state_or_with_a_header_that_is_none() {
    let runtime = Runtime::eager().build().await.unwrap();

    let stateless = runtime.perform(note("needs a log")).await.unwrap_err();
    let header = runtime
        .perform(Add { left: 1, right: 2 })
        .header("x y", "z")
        .await;

    assert_eq!(stateless.kind(), ErrorKind::MissingState);
    assert_eq!(
        header.unwrap_err().to_string(),
        "the header \"x y\": \"z\" is not accepted: a name of letters, digits and `-`, and a value of one line"
    );
}

#[tokio::test]
async fn tasks_that_an_attempt_enqueues_are_recorded() {
    #[derive(Deserialize, Serialize)]
    struct Parent;
    #[task]
    impl Task for Parent {
        async fn run(self, _cx: Context) -> TaskResult {
            note("child").asap().await?;
            Ok(())
        }
    }
    let (runtime, recorder) = recorded(&Log::default()).await;

    runtime.perform(Parent).await.unwrap().assert_done();

    recorder.assert_enqueued::<crate::tasks::Note>(|child| child.text == "child");
}

#[tokio::test]
async fn a_subscriber_runs_here_on_a_message_as_it_is_pushed() {
    let log = Log::default();
    let (runtime, recorder) = recorded(&log).await;
    let message = Message::new(OrderPlaced { order_id: 7 }).with_attribute("priority", "high");
    let perform =
        async |message: &Message<OrderPlaced>| runtime.perform_message::<Ship>(message).await.unwrap();

    let first = perform(&message).await.assert_done();
    let fourth = perform(&message.clone().with_delivery_attempt(4))
        .await
        .assert_done();
    let failed = perform(&Message::new(OrderPlaced { order_id: 0 }))
        .await
        .assert_failed();

    let path = "projects/local/subscriptions/Ship";
    assert_eq!(first, format!("order 7 Some(\"high\") Some(1) {path}"));
    assert_eq!(fourth, format!("order 7 Some(\"high\") Some(4) {path}"));
    assert_eq!(failed.to_string(), "there is no order 0");
    // It forwards what is really pushed, and not this.
    recorder.assert_nothing_enqueued();
}

#[tokio::test]
async fn bytes_that_are_no_content_are_unreadable_to_a_subscriber() {
    let (runtime, _recorder) = recorded(&Log::default()).await;
    let message = Message::new(OrderPlaced { order_id: 7 });

    let performed = runtime
        .perform_message::<Ship>(&message)
        .data("no JSON")
        .await
        .unwrap();

    assert!(matches!(performed, Performed::Unreadable(_)), "{performed:?}");
}
