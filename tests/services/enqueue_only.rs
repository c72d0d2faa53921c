use cloud_tasks::backend::ServiceEndpoint;
use cloud_tasks::task::SharedTask;
use cloud_tasks::{Config, Context, Message, Runtime, SubscriberTask, Task, TaskResult, task};
use serde::{Deserialize, Serialize};
use two_services::{Charge, OrderPlaced};

use crate::shared_tasks::Kept;
use crate::support::http::{answer, post};

/// A state that no runtime here has.
struct Database;

#[derive(Debug, Deserialize, PartialEq, Serialize)]
struct Index {
    page: u64,
}

#[task(idempotent)]
impl Task for Index {
    async fn run(self, _cx: Context<Database>) -> TaskResult {
        Ok(())
    }
}

struct CountOrders;

#[task(oidc = false)]
impl SubscriberTask for CountOrders {
    async fn run(_: Message<OrderPlaced>, _cx: Context<Database>) -> TaskResult {
        Ok(())
    }
}

#[derive(Default, Deserialize, Serialize)]
struct Nightly;

#[task(every = "0 3 * * *")]
impl Task for Nightly {
    async fn run(self, _cx: Context<Database>) -> TaskResult {
        Ok(())
    }
}

fn config() -> Config {
    Config::default()
        .with_endpoint("https://worker.example")
        .with_service("billing", ServiceEndpoint::new("https://billing.example"))
}

async fn enqueue_only(kept: Kept) -> Runtime {
    Runtime::builder()
        .config(config())
        .backend(kept)
        .enqueue_only()
        .build()
        .await
        .unwrap()
}

#[tokio::test]
async fn a_service_that_runs_nothing_needs_no_state_no_store_and_no_callers() {
    let error = Runtime::builder()
        .config(config())
        .backend(Kept::default())
        .build()
        .await
        .unwrap_err()
        .to_string();
    for missing in ["Database", "idempotency store", "no caller is trusted"] {
        assert!(error.contains(missing), "{missing}: {error}");
    }
    let kept = Kept::default();

    let runtime = enqueue_only(kept.clone()).await;
    Charge { invoice: 7 }.asap().on(&runtime).await.unwrap();
    Index { page: 7 }.asap().on(&runtime).await.unwrap();

    let urls: Vec<_> = kept.all().iter().map(|task| task.url().to_owned()).collect();
    assert_eq!(
        urls,
        [
            "https://billing.example/tasks/Charge",
            "https://worker.example/tasks/Index"
        ]
    );
}

#[tokio::test]
async fn its_routes_answer_404_whoever_calls() {
    let runtime = enqueue_only(Kept::default()).await;

    for path in [
        "/tasks/Index",
        "/tasks/Nightly",
        "/tasks/Nothing",
        "/subscriptions/CountOrders",
    ] {
        let (status, body) = answer(&runtime, post(path, r#"{"page": 1}"#)).await;

        let name = path.rsplit('/').next().unwrap();
        assert_eq!(status, 404, "{path}");
        assert_eq!(body["error"], format!("Task {name} not found"), "{path}");
    }
}

#[tokio::test]
async fn it_has_no_subscriptions_and_no_schedules() {
    let runtime = enqueue_only(Kept::default()).await;

    assert!(runtime.subscriptions().is_empty());
    assert!(runtime.schedules().is_empty());
}

#[tokio::test]
async fn its_set_up_does_not_prune_what_it_does_not_know() {
    let runtime = enqueue_only(Kept::default()).await;

    let error = runtime.setup().prune().plan().await.unwrap_err();

    assert_eq!(
        error.to_string(),
        "nothing was looked at: this runtime only enqueues and knows no subscribers and no schedules, so everything would be a \
         leftover; prune with the service that runs the tasks"
    );
}

#[tokio::test]
async fn with_google_its_own_tasks_need_an_endpoint_that_google_can_call() {
    let config = Config::default()
        .with_project("p")
        .with_location("l")
        .with_service_account("shop@p.iam.gserviceaccount.com")
        .with_service(
            "billing",
            ServiceEndpoint::new("https://billing.example").with_account("billing@p.iam.gserviceaccount.com"),
        );
    let credentials = google_cloud_auth::credentials::anonymous::Builder::new().build();

    let error = Runtime::builder()
        .config(config)
        .google(cloud_tasks::backend::Google::new().credentials(credentials))
        .enqueue_only()
        .build()
        .await
        .unwrap_err();

    let error = error.to_string();
    for part in [
        "the runtime was not built: the tasks Index, Nightly, ",
        ": the endpoint \"http://localhost:8080\" cannot be called by Google: set CLOUD_TASKS_ENDPOINT to the https URL of this \
         service, since tokens are sent over https only",
    ] {
        assert!(error.contains(part), "{part}: {error}");
    }
    assert!(!error.contains("Charge"), "it runs elsewhere: {error}");
}
