use cloud_tasks::Task;

use crate::tasks::{Add, Log, note, panic_text, recorded, seconds};

fn add(left: u64) -> Add {
    Add { left, right: 2 }
}

#[tokio::test]
async fn a_failed_check_shows_tasks_of_its_type_first_with_queue_id_and_time() {
    let (runtime, recorder) = recorded(&Log::default()).await;
    let hidden = note("first").asap().on(&runtime).await;
    hidden.unwrap();
    add(1).asap().on(&runtime).await.unwrap();
    add(3)
        .later(seconds(90))
        .queue("slow")
        .task_id("three")
        .on(&runtime)
        .await
        .unwrap();

    let missing = panic_text(|| recorder.assert_enqueued::<Add>(|task| task.left == 9));
    let unwanted = panic_text(|| recorder.refute_enqueued::<Add>(|task| task.left == 3));

    let shown = "these were:\n  \
        Add {\"left\":1,\"right\":2} to tasks\n  \
        Add {\"left\":3,\"right\":2} to slow as three, in 1m 30s\n  \
        Note {\"text\":\"first\"} to notes";
    assert_eq!(missing, format!("no matching Add was enqueued; {shown}"));
    assert_eq!(unwanted, format!("a matching Add was enqueued; {shown}"));
}

#[tokio::test]
async fn a_time_is_shown_as_it_is_by_the_clock() {
    let (runtime, recorder) = recorded(&Log::default()).await;
    add(1).later(seconds(60)).on(&runtime).await.unwrap();
    let shown = || panic_text(|| recorder.assert_nothing_enqueued());
    let of = |time: &str| {
        format!("something was enqueued; these were:\n  Add {{\"left\":1,\"right\":2}} to tasks, {time}")
    };

    assert_eq!(shown(), of("in 1m"));
    recorder.advance(seconds(60));
    assert_eq!(shown(), of("due now"));
    recorder.advance(seconds(3600));
    assert_eq!(shown(), of("due 1h ago"));
}

#[tokio::test]
async fn a_long_body_is_cut_and_its_length_told() {
    let (runtime, recorder) = recorded(&Log::default()).await;
    note(&"ä".repeat(5000)).asap().on(&runtime).await.unwrap();

    let text = panic_text(|| recorder.assert_enqueued::<Add>(|_| true));

    assert!(text.ends_with("ä.. (10011 bytes) to notes"), "{text}");
    assert!(text.len() < 350, "{}", text.len());
}

#[tokio::test]
async fn a_wrong_count_is_reported_with_the_actual_tasks() {
    let (runtime, recorder) = recorded(&Log::default()).await;
    let none = panic_text(|| recorder.assert_enqueued_count::<Add>(2));
    add(1).asap().on(&runtime).await.unwrap();

    recorder.assert_enqueued_count::<Add>(1);
    let fewer = panic_text(|| recorder.assert_enqueued_count::<Add>(2));

    assert_eq!(none, "0 Add were enqueued, not 2; nothing was");
    assert_eq!(
        fewer,
        "1 Add were enqueued, not 2; these were:\n  Add {\"left\":1,\"right\":2} to tasks"
    );
}

#[tokio::test]
async fn what_was_found_has_its_queue_id_time_timeout_and_headers() {
    let (runtime, recorder) = recorded(&Log::default()).await;
    let enqueued = add(1)
        .later(seconds(60))
        .queue("slow")
        .timeout(seconds(120))
        .header("x-request-id", "abc")
        .on(&runtime)
        .await
        .unwrap();

    let found = recorder.find::<Add>();

    assert_eq!(found.len(), 1);
    assert_eq!((&found[0].task, found[0].queue()), (&add(1), "slow"));
    assert_eq!(found[0].id(), enqueued.id());
    assert_eq!(
        found[0].schedule_time(),
        Some(crate::tasks::new_year() + seconds(60))
    );
    assert_eq!(found[0].timeout(), Some(seconds(120)));
    assert_eq!(found[0].headers()["x-request-id"], "abc");
    assert_eq!(found[0].attempt(), 1);
    assert_eq!(found[0].envelope().task(), "Add");
}

#[tokio::test]
async fn cleared_tasks_are_gone_but_their_ids_stay_used() {
    let (runtime, recorder) = recorded(&Log::default()).await;
    add(1).asap().task_id("one").on(&runtime).await.unwrap();

    recorder.clear();
    let again = add(1).asap().task_id("one").on(&runtime).await.unwrap();

    recorder.assert_nothing_enqueued();
    assert!(again.duplicate());
}
