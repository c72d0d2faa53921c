//! Tasks that should not be: what `build()` says of them. A test binary of its own, since they spoil every runtime in it.
#![allow(missing_docs, clippy::unwrap_used)]

use std::time::Duration;

use cloud_tasks::{Config, Context, Message, Runtime, SubscriberTask, Task, TaskResult, task};
use serde::{Deserialize, Serialize};

use nowhere::Nowhere;

#[path = "support/nowhere.rs"]
mod nowhere;

struct Database;
#[derive(Clone)]
struct Mailer;

mod one {
    use super::*;

    #[derive(Deserialize, Serialize)]
    pub(super) struct Twin;

    #[task]
    impl Task for Twin {
        async fn run(self, _cx: Context<Database>) -> TaskResult {
            Ok(())
        }
    }
}

mod other {
    use super::*;

    #[derive(Deserialize, Serialize)]
    pub(super) struct Twin;

    #[task]
    impl Task for Twin {
        async fn run(self, _cx: Context<(Mailer, u8)>) -> TaskResult {
            Ok(())
        }
    }
}

const NAME: &str = "no spaces, please";
const ALIAS: &str = "..";
const QUEUE: &str = "under_score";
const TIMEOUT: Duration = Duration::from_secs(3600);

#[derive(Deserialize, Serialize)]
struct AllWrong;

#[task(name = NAME, aliases = [ALIAS], queue = QUEUE, timeout = TIMEOUT)]
impl Task for AllWrong {
    async fn run(self, _cx: Context) -> TaskResult {
        Ok(())
    }
}

#[derive(Default, Deserialize, Serialize)]
struct Morning;

#[task(every = "0 6 * * *", schedule_name = "daily")]
impl Task for Morning {
    async fn run(self, _cx: Context) -> TaskResult {
        Ok(())
    }
}

#[derive(Default, Deserialize, Serialize)]
struct Noon;

#[task(every = "0 12 * * *", schedule_name = "daily")]
impl Task for Noon {
    async fn run(self, _cx: Context) -> TaskResult {
        Ok(())
    }
}

/// Constants, which the macro does not see.
const YES: bool = true;

struct InOrder;

#[task(topic = "steps", ordering = YES, use_cloud_tasks = YES)]
impl SubscriberTask for InOrder {
    async fn run(_message: Message<u64>, _cx: Context) -> TaskResult {
        Ok(())
    }
}

/// Would run for longer than Pub/Sub waits by default.
struct Hasty;

#[task(topic = "steps", timeout = "15s")]
impl SubscriberTask for Hasty {
    async fn run(_message: Message<u64>, _cx: Context) -> TaskResult {
        Ok(())
    }
}

/// Would run for longer than its subscription waits.
struct Slow;

#[task(topic = "steps", ack_deadline = "1m", timeout = "2m")]
impl SubscriberTask for Slow {
    async fn run(_message: Message<u64>, _cx: Context) -> TaskResult {
        Ok(())
    }
}

#[derive(Default, Deserialize, Serialize)]
struct Unsigned;

#[task(every = "@daily", oidc = false)]
impl Task for Unsigned {
    async fn run(self, _cx: Context) -> TaskResult {
        Ok(())
    }
}

#[tokio::test]
async fn build_names_everything_that_is_wrong_at_once() {
    let error = Runtime::builder()
        .backend(Nowhere::default())
        .allow_unauthenticated()
        .config(Config::default().with_endpoint("nowhere"))
        .expect_tasks(["Elsewhere"])
        .build()
        .await
        .unwrap_err();

    let text = error.to_string();
    assert!(
        text.starts_with("the runtime was not built, for 14 reasons:\n"),
        "{text}"
    );
    for mistake in [
        "two tasks are named \"Twin\": tests/mistakes.rs:",
        "the task name \"no spaces, please\" is not accepted",
        "the task name \"..\" is not accepted",
        "the queue \"under_score\" is not accepted",
        "the timeout 3600s is not accepted: Cloud Tasks accepts 15 seconds to 30 minutes",
        "the tasks Morning and Noon share the Cloud Scheduler job \"daily\"",
        "`ordering` and `use_cloud_tasks` exclude each other",
        "the subscriber Hasty (tests/mistakes.rs:",
        "timeout is 15s, but Pub/Sub waits only 10s (the default `ack_deadline`)",
        "the subscriber Slow (tests/mistakes.rs:",
        "timeout is 120s, but Pub/Sub waits only 60s (its `ack_deadline`)",
        "no state of type `mistakes::Database` was given, which Twin needs",
        "no state of type `mistakes::Mailer` was given, which Twin needs",
        "no state of type `u8` was given, which Twin needs",
        "the task \"Elsewhere\" is expected but not registered",
        "the endpoint \"nowhere\" is not accepted",
    ] {
        assert!(text.contains(mistake), "{mistake:?} is not in:\n{text}");
    }
    // A `main` that returns it prints this form.
    assert_eq!(format!("{error:?}"), text);
}

#[tokio::test]
async fn a_runtime_in_this_process_is_built_without_all_states() {
    let eager = Runtime::eager().build().await.unwrap_err().to_string();
    let recorded = Runtime::recorded().build().await.unwrap_err().to_string();

    assert_eq!(eager, recorded);
    assert!(eager.contains("two tasks are named \"Twin\""), "{eager}");
    assert!(!eager.contains("no state of type"), "{eager}");
}

#[tokio::test]
async fn the_same_mistakes_read_the_same_every_time() {
    let build = || async {
        Runtime::builder()
            .backend(Nowhere::default())
            .allow_unauthenticated()
            .build()
            .await
            .unwrap_err()
            .to_string()
    };

    assert_eq!(build().await, build().await);
}

#[tokio::test]
async fn a_schedule_without_a_token_is_an_error_if_callers_are_verified() {
    let build = |runtime: cloud_tasks::runtime::RuntimeBuilder| async {
        let error = runtime.backend(Nowhere::default()).build().await.unwrap_err();
        error
            .to_string()
            .contains("the scheduled requests to Unsigned have no token")
    };

    assert!(build(Runtime::builder()).await);
    assert!(!build(Runtime::builder().allow_unauthenticated()).await);
}
