use cloud_tasks::{PublisherTask, Runtime, Task};

use crate::tasks::{Add, End, Log, Note, OrderPlaced, Try, note, recorded};

#[tokio::test]
async fn within_inline_tasks_run_at_once_and_outside_they_are_recorded() {
    let log = Log::default();
    let (runtime, recorder) = recorded(&log).await;

    let run = async {
        note("within").asap().await.unwrap();
        log.lines()
    };
    let seen = recorder.inline(runtime.scope(run)).await;
    note("outside").asap().on(&runtime).await.unwrap();

    assert_eq!(
        (seen, log.lines()),
        (vec!["within".to_owned()], vec!["within".to_owned()])
    );
    assert_eq!(recorder.ran::<Note>()[0].task, note("within"));
    assert_eq!(recorder.enqueued::<Note>(), [note("outside")]);
}

#[tokio::test]
async fn a_failure_within_inline_comes_back_to_whoever_enqueued() {
    let (runtime, recorder) = recorded(&Log::default()).await;

    let outcome = recorder.inline(Try { end: End::Fail }.asap().on(&runtime)).await;

    assert_eq!(
        format!("{:#}", outcome.unwrap_err()),
        "task Try failed: the mail server is down"
    );
    assert_eq!(recorder.ran::<Try>().len(), 1);
    recorder.assert_nothing_enqueued();
}

#[tokio::test]
async fn within_inline_a_message_reaches_its_subscribers_at_once() {
    let log = Log::default();
    let (runtime, recorder) = recorded(&log).await;

    let publish = OrderPlaced { order_id: 7 }.asap().on(&runtime);
    recorder.inline(publish).await.unwrap();

    // `Ship` forwards its messages to tasks, which run at once as well.
    assert_eq!(log.lines(), ["order 7 None Some(1) Ship"]);
    assert_eq!(recorder.delivered().len(), 1);
    recorder.assert_published::<OrderPlaced>(|event, _| event.order_id == 7);
    recorder.assert_nothing_enqueued();
}

#[tokio::test]
async fn within_inline_a_second_task_of_an_id_is_a_duplicate_and_does_not_run() {
    let log = Log::default();
    let (runtime, recorder) = recorded(&log).await;
    let enqueue = || note("once").asap().task_id("one").on(&runtime);

    let (first, second) = recorder
        .inline(async { (enqueue().await, enqueue().await) })
        .await;

    assert!(!first.unwrap().duplicate() && second.unwrap().duplicate());
    assert_eq!(log.lines(), ["once"]);
}

#[tokio::test]
async fn inline_of_one_recorder_is_nothing_to_another() {
    let log = Log::default();
    let (first, in_first) = recorded(&log).await;
    let (second, in_second) = recorded(&log).await;

    let within_first = async {
        note("first").asap().on(&first).await.unwrap();
        note("second").asap().on(&second).await.unwrap();
        let within_both = async {
            note("both, first").asap().on(&first).await.unwrap();
            note("both, second").asap().on(&second).await.unwrap();
        };
        in_second.inline(within_both).await;
    };
    in_first.inline(within_first).await;

    assert_eq!(log.lines(), ["first", "both, first", "both, second"]);
    assert_eq!(in_second.enqueued::<Note>(), [note("second")]);
    in_first.assert_nothing_enqueued();
}

#[tokio::test]
async fn a_task_that_is_spawned_within_inline_is_outside() {
    let log = Log::default();
    let (runtime, recorder) = recorded(&log).await;

    let spawn = async { runtime.spawn(note("spawned").asap()).await.unwrap().unwrap() };
    recorder.inline(spawn).await;

    assert_eq!(log.lines().len(), 0);
    recorder.assert_enqueued::<Note>(|note| note.text == "spawned");
}

#[tokio::test]
async fn other_modes_perform_too() {
    let runtime = Runtime::eager().build().await.unwrap();

    let performed = runtime.perform(Add { left: 1, right: 2 }).await.unwrap();

    assert_eq!(performed.assert_done(), 3);
}
