//! Tasks between a Django service and this library, with every caller verified.

use std::time::{Duration, UNIX_EPOCH};

use cloud_tasks::Task;
use cloud_tasks::queue::QueueExt;
use serde_json::{Value, json};

use super::Django;
use crate::stage::{ACCOUNT, Stage, TRACE};
use crate::tasks::{Add, Flaky, Input, Nothing, Once, Store};

const QUEUE: &str = "shop";

/// What [`Store::sample`] is in Python, to the last digit.
const STORED: &str = r#"{'name': 'Zoë — 日本 🎉 "\\/\n\x00\x7f\u2028', 'ratio': 117.63331139400017, 'large': 1e+22, 'least': 5e-324, 'negative_zero': -0.0, 'whole': 3.0, 'beyond_a_double': 9007199254740993, 'most': 18446744073709551615, 'lowest': -9223372036854775808, 'beyond_a_word': 18446744073709551616, 'referrer': None, 'nested': {'größe': None, 'lines': [True, False]}, 'nobody': []}"#;

/// A service of ours, and a Django service that makes tasks for it.
async fn from_django(test: &str) -> Option<(Stage, Django)> {
    let stage = Stage::open().await;
    let django = Django::producer(test, &stage, None).await?;
    Some((stage, django))
}

/// A Django service, and an engine whose tasks go to it.
async fn to_django(test: &str) -> Option<(Stage, Django)> {
    let mut django = Django::start(test, &[]).await?;
    let stage = Stage::for_peer(&django.url, None).await;
    django.use_engine(&stage).await;
    Some((stage, django))
}

#[tokio::test]
async fn a_task_from_django_is_let_in_and_runs() {
    let Some((mut stage, mut django)) = from_django("a_task_from_django_is_let_in_and_runs").await else {
        return;
    };

    let told = django.asap("Add", json!({"a": 1, "b": 2})).await;

    assert_eq!(stage.answer().await, ("/tasks/Add".to_owned(), 200));
    let run = stage.run().await;
    assert_eq!(run.input, Input::Add(Add { a: 1, b: 2 }));
    assert_eq!(run.metadata.id(), told["id"].as_str());
    assert_eq!((run.metadata.queue(), run.metadata.attempt()), (Some(QUEUE), 1));
    assert_eq!(run.header("traceparent"), Some(TRACE));
    assert_eq!(run.header("x-request-id"), Some("req-42"));
    assert_eq!(
        run.header("x-cloudtasks-projectname"),
        Some(stage.project.as_str())
    );
    stage.engine.wait_idle(QUEUE).await.unwrap();
    stage.close().await;
}

#[tokio::test]
async fn values_from_django_arrive_unchanged() {
    let Some((mut stage, mut django)) = from_django("values_from_django_arrive_unchanged").await else {
        return;
    };

    django.asap("Store", Store::sample()).await;

    assert_eq!(stage.answer().await, ("/tasks/Store".to_owned(), 200));
    let Input::Store(stored) = stage.run().await.input else {
        panic!("another task ran");
    };
    assert_eq!(stored, Store::sample());
    // Which `==` does not tell from zero.
    assert!(stored.negative_zero.is_sign_negative());
    stage.close().await;
}

#[tokio::test]
async fn a_task_without_arguments_from_django_runs() {
    let Some((mut stage, mut django)) = from_django("a_task_without_arguments_from_django_runs").await else {
        return;
    };

    django.asap("Nothing", json!({})).await;

    assert_eq!(stage.answer().await, ("/tasks/Nothing".to_owned(), 200));
    assert_eq!(stage.run().await.input, Input::Nothing);
    stage.close().await;
}

#[tokio::test]
async fn a_task_from_django_that_fails_comes_again_with_the_next_number() {
    let Some((mut stage, mut django)) =
        from_django("a_task_from_django_that_fails_comes_again_with_the_next_number").await
    else {
        return;
    };

    django.asap("Flaky", json!({"fails": 2})).await;

    for (attempt, status) in [(1, 500), (2, 500), (3, 200)] {
        assert_eq!(stage.answer().await, ("/tasks/Flaky".to_owned(), status));
        let run = stage.run().await;
        assert_eq!(run.input, Input::Flaky(Flaky { fails: 2 }));
        assert_eq!(run.metadata.attempt(), attempt);
        assert_eq!(run.metadata.previous_response(), (attempt > 1).then_some(500));
    }
    stage.engine.wait_idle(QUEUE).await.unwrap();
    stage.close().await;
}

#[tokio::test]
async fn a_later_task_of_django_runs_with_the_time_that_it_was_meant_for() {
    let Some((mut stage, mut django)) =
        from_django("a_later_task_of_django_runs_with_the_time_that_it_was_meant_for").await
    else {
        return;
    };

    let call = json!({"task": "Add", "arguments": {"a": 1, "b": 2}, "seconds": 1});
    let told = django.python.call("later", call).await;

    assert_eq!(stage.answer().await, ("/tasks/Add".to_owned(), 200));
    let eta = stage.run().await.metadata.eta().unwrap();
    let eta = eta.duration_since(UNIX_EPOCH).unwrap().as_secs_f64();
    let meant = told["eta"].as_f64().unwrap();
    // Within what a double shows of a time.
    assert!((eta - meant).abs() < 1e-5, "{eta} {meant}");
    stage.close().await;
}

#[tokio::test]
async fn a_task_of_django_with_another_signer_is_refused_and_stays_in_the_queue() {
    let test = "a_task_of_django_with_another_signer_is_refused_and_stays_in_the_queue";
    let mut stage = Stage::open().await;
    let vars = [
        ("DJANGO_CLOUD_TASKS_ENDPOINT", stage.endpoint.as_str()),
        ("SERVICE_ACCOUNT", "somebody@else.iam.gserviceaccount.com"),
    ];
    let Some(mut django) = Django::start(test, &vars).await else {
        return;
    };
    django.use_engine(&stage).await;

    let told = django.asap("Add", json!({"a": 1, "b": 2})).await;

    assert_eq!(stage.answer().await, ("/tasks/Add".to_owned(), 403));
    // It is there: it is tried again.
    assert_eq!(stage.answer().await, ("/tasks/Add".to_owned(), 403));
    let queued = django
        .python
        .call("queued_task", json!({"queue": QUEUE, "task": told["id"]}))
        .await;
    assert_eq!(queued["account"], "somebody@else.iam.gserviceaccount.com");
    assert!(stage.nothing_ran());
    stage.close().await;
}

#[tokio::test]
async fn a_task_of_ours_is_let_in_and_run_by_django() {
    let Some((stage, mut django)) = to_django("a_task_of_ours_is_let_in_and_run_by_django").await else {
        return;
    };

    let task = Add { a: 1, b: 2 };
    let enqueued = task
        .asap()
        .header("traceparent", TRACE)
        .header("x-request-id", "req-42")
        .on(&stage.runtime)
        .await
        .unwrap();

    let run = django.python.event().await;
    assert_eq!(
        (&run["task"], &run["arguments"]),
        (&json!("Add"), &json!({"a": 1, "b": 2}))
    );
    assert_eq!(
        (&run["queue"], &run["id"]),
        (&json!(QUEUE), &json!(enqueued.id()))
    );
    assert_eq!(run["attempt"], 1);
    assert_eq!(
        run["carried"],
        json!({"Traceparent": TRACE, "X-Request-Id": "req-42"})
    );
    assert_eq!(run["audience"], django.url);
    assert_eq!(run["headers"]["Content-Type"], "application/json");
    stage.engine.wait_idle(QUEUE).await.unwrap();
    stage.close().await;
}

#[tokio::test]
async fn values_from_us_arrive_in_django_unchanged() {
    let Some((stage, mut django)) = to_django("values_from_us_arrive_in_django_unchanged").await else {
        return;
    };

    Store::sample().asap().on(&stage.runtime).await.unwrap();

    assert_eq!(django.python.event().await["repr"], STORED);
    stage.close().await;
}

#[tokio::test]
async fn a_task_of_ours_without_arguments_is_run_by_django() {
    let Some((stage, mut django)) = to_django("a_task_of_ours_without_arguments_is_run_by_django").await
    else {
        return;
    };

    Nothing.asap().on(&stage.runtime).await.unwrap();

    let run = django.python.event().await;
    assert_eq!((&run["task"], &run["arguments"]), (&json!("Nothing"), &json!({})));
    stage.close().await;
}

#[tokio::test]
async fn a_task_of_ours_that_fails_in_django_comes_again_with_the_next_number() {
    let test = "a_task_of_ours_that_fails_in_django_comes_again_with_the_next_number";
    let Some((stage, mut django)) = to_django(test).await else {
        return;
    };

    Flaky { fails: 2 }.asap().on(&stage.runtime).await.unwrap();

    for attempt in 1..=3 {
        assert_eq!(django.python.event().await["attempt"], attempt);
    }
    stage.engine.wait_idle(QUEUE).await.unwrap();
    stage.close().await;
}

#[tokio::test]
async fn a_task_that_exists_once_is_the_same_one_for_both_sides() {
    let test = "a_task_that_exists_once_is_the_same_one_for_both_sides";
    let Some((stage, mut django)) = from_django(test).await else {
        return;
    };
    let hour = Duration::from_secs(3600);

    let call = json!({"task": "Once", "arguments": {}, "seconds": 3600});
    let told = django.python.call("later", call).await;
    let enqueued = Once {}.later(hour).on(&stage.runtime).await.unwrap();

    assert_eq!(told["id"], "Once");
    assert_eq!((enqueued.id(), enqueued.duplicate()), ("Once", true));
    stage.close().await;
}

#[tokio::test]
async fn django_discards_tasks_of_ours_and_we_discard_those_of_django() {
    let test = "django_discards_tasks_of_ours_and_we_discard_those_of_django";
    let Some((stage, mut django)) = from_django(test).await else {
        return;
    };
    let hour = Duration::from_secs(3600);
    let ours = Add { a: 1, b: 2 }.later(hour).on(&stage.runtime).await.unwrap();
    Nothing.later(hour).on(&stage.runtime).await.unwrap();

    let discarded = django.python.call("discard", json!({"task": "Add"})).await;
    assert_eq!(discarded, json!([format!("Add/{}", ours.id())]));

    let call = json!({"task": "Add", "arguments": {"a": 3, "b": 4}, "seconds": 3600});
    let theirs = django.python.call("later", call).await;
    let tasks = Add::queued_tasks().on(&stage.runtime);
    assert!(tasks.get(theirs["id"].as_str().unwrap()).await.unwrap().is_some());
    let report = tasks.delete_tasks().await.unwrap();
    assert_eq!((report.scanned, report.deleted), (2, 1));
    stage.close().await;
}

#[tokio::test]
async fn tasks_of_django_and_of_this_library_are_the_same_in_the_queue() {
    let test = "tasks_of_django_and_of_this_library_are_the_same_in_the_queue";
    let Some((stage, mut django)) = from_django(test).await else {
        return;
    };
    let call = json!({"task": "Add", "arguments": {"a": 1, "b": 2}, "seconds": 3600});

    let theirs = django.python.call("later", call).await;
    let enqueued = Add { a: 1, b: 2 }
        .later(Duration::from_secs(3600))
        .on(&stage.runtime)
        .await
        .unwrap();

    let mut queued = Vec::new();
    for id in [theirs["id"].clone(), json!(enqueued.id())] {
        queued.push(
            django
                .python
                .call("queued_task", json!({"queue": QUEUE, "task": id}))
                .await,
        );
    }
    let url = format!("{}/tasks/Add", stage.endpoint);
    let [theirs, ours] = [&queued[0], &queued[1]];
    for task in [theirs, ours] {
        // The local engine calls our tasks through its relay, which has the URL as the end of its own.
        let address = url.strip_prefix("http://").unwrap();
        let called = task["url"].as_str().unwrap();
        assert!(
            called == url || called.contains("/.tasks/") && called.ends_with(address),
            "{called}"
        );
        assert_eq!(task["account"], json!(ACCOUNT));
        let body: Value = serde_json::from_str(task["body"].as_str().unwrap()).unwrap();
        assert_eq!(body, json!({"a": 1, "b": 2}));
    }
    assert_eq!(
        (&theirs["audience"], &ours["audience"]),
        (&json!(url), &json!(stage.endpoint))
    );
    stage.close().await;
}
