//! Each check fails where it must, and only there.

use std::future::Future;
use std::sync::Arc;

use bytes::Bytes;
use tokio::time::advance;

use super::*;
use crate::base::TaskError;
use crate::runtime::Runtime;
use crate::testing::simulation::Cloud;
use crate::testing::simulation::choices::Weights;

/// Runs a test with a world without faults.
fn in_world<F: Future>(test: impl FnOnce(Arc<World>) -> F) -> F::Output {
    let tokio = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    tokio.block_on(async { test(World::new(0, Weights::none(), Vec::new())).await })
}

fn answer(status: u16, body: &'static str) -> Answer {
    Answer::Response(
        StatusCode::from_u16(status).unwrap(),
        Bytes::from_static(body.as_bytes()),
    )
}

fn failed() -> Result<Vec<u8>, AttemptError> {
    Err(AttemptError::Task(TaskError::Failed("no".into())))
}

#[test]
fn what_something_in_front_of_a_service_acknowledges_was_not_handled() {
    in_world(async |world| {
        lock(&world.seen).ran("Charge-1", &Ok(Vec::new()));

        world.check_handled("Charge-1", &["id"], &Answer::Front(StatusCode::OK));

        assert_eq!(
            world.problems(),
            ["Charge-1 was acknowledged by what is in front of its service"]
        );
    });
}

#[test]
fn a_response_without_a_handler_that_has_ended_is_a_problem() {
    in_world(async |world| {
        world.check_handled("Charge-1", &["id"], &answer(200, "fine"));
        assert_eq!(
            world.problems(),
            ["Charge-1 was answered 200 OK fine, but no handler has ended"]
        );

        lock(&world.seen).ran("Charge-2", &Ok(Vec::new()));
        world.check_handled("Charge-2", &["id"], &answer(200, ""));
        lock(&world.seen).settle("queue/done/of/the/past");
        world.check_handled("Charge-3", &["past"], &answer(200, ""));
        assert_eq!(world.problems().len(), 1);
    });
}

#[test]
fn a_message_is_handled_if_the_task_exists_to_which_it_was_forwarded() {
    in_world(async |world| {
        let body = r#"{"result":{"cloud-tasks-forwarded":{"queue_name":"tasks","task_id":"a"}}}"#;
        world.check_created(1, "Track-1", "tasks", "a");
        world.check_handled("m1>Track", &["1"], &answer(200, body));
        assert!(world.problems().is_empty());

        world.check_handled(
            "m2>Track",
            &["2"],
            &answer(
                200,
                r#"{"result":{"cloud-tasks-forwarded":{"queue_name":"tasks","task_id":"b"}}}"#,
            ),
        );
        assert_eq!(world.problems().len(), 1);
    });
}

#[test]
fn a_dead_task_whose_hook_has_not_run_is_a_problem() {
    in_world(async |world| {
        lock(&world.seen).ran("Charge-1", &failed());
        world.check_handled("Charge-1", &["id"], &answer(202, "dead"));
        assert_eq!(
            world.problems(),
            ["Charge-1 was answered 202 Accepted dead, but it has only failed, and its hook has not run"]
        );

        lock(&world.seen).ran("Charge-2", &failed());
        lock(&world.seen).hook_ran("Charge-2");
        world.check_handled("Charge-2", &["id"], &answer(202, "dead"));
        assert_eq!(world.problems().len(), 1);
    });
}

#[test]
fn a_dead_task_without_a_record_is_a_problem_if_there_is_a_topic() {
    in_world(async |world| {
        let cloud = Cloud { world };
        let _recorded = cloud.service("shop", || Runtime::simulated().dead_letter_topic("dead"));
        let _unrecorded = cloud.service("mail", Runtime::simulated);
        cloud.world.start_services().await;
        let check = |subject: &str, id: &str, service: &str| {
            lock(&cloud.world.seen).ran(subject, &failed());
            let url = format!("https://{service}.simulated/tasks/Charge");
            cloud.world.check_recorded(subject, id, &url, &answer(202, ""));
        };

        lock(&cloud.world.seen).record("recorded");
        check("Charge-1", "recorded", "shop");
        check("Charge-2", "unrecorded", "mail");
        let before = cloud.world.problems();
        check("Charge-3", "unrecorded", "shop");

        assert_eq!(before, [""; 0]);
        assert_eq!(
            cloud.world.problems(),
            ["Charge-3 is dead, and dead has no record of it"]
        );
        cloud.world.end();
    });
}

#[test]
fn a_call_that_creates_two_tasks_is_a_problem() {
    in_world(async |world| {
        world.check_created(1, "Charge-1", "tasks", "a");
        world.check_created(2, "Charge-2", "tasks", "b");
        assert!(world.problems().is_empty());

        world.check_created(1, "Charge-3", "tasks", "c");
        assert_eq!(
            world.problems(),
            ["one call of `asap()` created Charge-1 and Charge-3"]
        );
    });
}

#[test]
fn a_task_that_is_created_while_its_name_is_blocked_is_a_problem() {
    in_world(async |world| {
        let place = ("tasks".to_owned(), "a".to_owned());
        world.check_created(1, "Charge-1", "tasks", "a");
        lock(&world.seen).end_task(&place);
        advance(BLOCKED).await;
        world.check_created(2, "Charge-2", "tasks", "a");
        assert!(world.problems().is_empty());

        world.check_created(3, "Charge-3", "tasks", "a");
        lock(&world.seen).end_task(&place);
        advance(BLOCKED / 2).await;
        world.check_created(4, "Charge-4", "tasks", "a");
        assert_eq!(
            world.problems(),
            [
                "Charge-3 was created while its name a was blocked",
                "Charge-4 was created while its name a was blocked"
            ]
        );
    });
}

#[test]
fn a_message_that_overtakes_another_of_its_key_is_a_problem() {
    in_world(async |world| {
        let line = |key: &str| ("orders".to_owned(), key.to_owned());
        for (message, key) in [("1", "a"), ("2", "a"), ("3", "b")] {
            lock(&world.seen).expect_in_order(message, line(key));
        }
        for message in ["1", "3"] {
            world.check_order(&format!("m{message}"), message);
        }
        assert!(world.problems().is_empty());

        world.check_order("m2", "2");
        assert_eq!(
            world.problems(),
            ["m2 was handled before an earlier message of its ordering key had ended"]
        );
        lock(&world.seen).end_in_order("1");
        world.check_order("another m2", "2");
        assert_eq!(world.problems().len(), 1);
    });
}
