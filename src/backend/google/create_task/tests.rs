//! Enqueues that wait for their calls, with a clock that goes on when everything waits.

use std::ops::Range;
use std::sync::Mutex;
use std::time::Duration;

use futures_util::future::join_all;
use google_cloud_auth::credentials::anonymous;
use google_cloud_gax::error::Error as GoogleError;
use google_cloud_gax::error::rpc::{Code, Status};
use google_cloud_gax::options::RequestOptions;
use google_cloud_gax::response::Response;
use google_cloud_tasks_v2::client::CloudTasks;
use google_cloud_tasks_v2::model::{CreateTaskRequest, Task};
use google_cloud_tasks_v2::stub;
use http::HeaderMap;
use tokio::time::sleep;

use super::GoogleBackend;
use crate::backend::Google;
use crate::base::{Config, Enqueued, Envelope, Error, RetrySettings};
use crate::registry::Role;

/// Takes a second for each call, and refuses the first call for each of these tasks.
#[derive(Debug)]
struct Slow {
    unavailable: Mutex<Vec<&'static str>>,
}

impl stub::CloudTasks for Slow {
    async fn create_task(
        &self,
        request: CreateTaskRequest,
        _options: RequestOptions,
    ) -> Result<Response<Task>, GoogleError> {
        sleep(Duration::from_secs(1)).await;
        let task = request.task.unwrap_or_default();
        let mut unavailable = self.unavailable.lock().unwrap();
        let before = unavailable.len();
        unavailable.retain(|id| !task.name.ends_with(id));
        if unavailable.len() < before {
            let status = Status::default().set_code(Code::Unavailable).set_message("later");
            return Err(GoogleError::service(status));
        }
        Ok(Response::from(task))
    }
}

async fn backend(unavailable: &[&'static str], max_wait: Duration) -> GoogleBackend {
    let mut config = Config::default()
        .with_endpoint("https://shop.example")
        .with_project("acme")
        .with_location("europe-west1")
        .with_service_account("tasks@acme.iam.gserviceaccount.com")
        .with_enqueue_retry(RetrySettings {
            deadline: Duration::from_secs(10),
            ..RetrySettings::default()
        });
    let google = Google::new()
        .credentials(anonymous::Builder::new().build())
        .calls_in_flight(1)
        .max_wait(max_wait);
    let mut backend = google.connect(&mut config, Role::Runs).await.unwrap();
    backend.transport = None;
    backend.client.set(CloudTasks::from_stub::<Slow>(Slow {
        unavailable: Mutex::new(unavailable.to_vec()),
    }));
    backend
}

fn envelope(id: &str) -> Envelope {
    Envelope {
        task: "Welcome".into(),
        service: None,
        queue: "emails".to_owned(),
        id: Some(id.to_owned()),
        url: "https://shop.example/tasks/Welcome".to_owned(),
        body: "{}".into(),
        headers: HeaderMap::new(),
        schedule_time: None,
        timeout: None,
    }
}

/// Enqueues so many tasks at once, one call at a time.
async fn burst(backend: &GoogleBackend, tasks: Range<usize>) -> Vec<Result<Enqueued, Error>> {
    let ids: Vec<_> = tasks.map(|number| format!("task-{number}")).collect();
    join_all(ids.iter().map(|id| backend.create(envelope(id)))).await
}

/// Its first call is made after 20 seconds and its second one after 31, and the deadline is 10 seconds.
#[tokio::test(start_paused = true)]
async fn a_failure_behind_a_burst_is_repeated() {
    let backend = backend(&["task-20"], Duration::from_secs(60)).await;

    let results = burst(&backend, 0..30).await;

    for result in results {
        assert!(!result.unwrap().duplicate());
    }
}

#[tokio::test(start_paused = true)]
async fn the_waits_of_one_enqueue_share_their_limit() {
    let backend = backend(&["task-20"], Duration::from_secs(25)).await;
    // It has waited 20 seconds for its first call when these come, and all of them are before its second one.
    let later = async {
        sleep(Duration::from_millis(20_500)).await;
        burst(&backend, 30..40).await
    };

    let (results, later) = tokio::join!(burst(&backend, 0..30), later);

    assert!(later.iter().all(Result::is_ok), "{later:?}");
    for (number, result) in results.into_iter().enumerate() {
        match number {
            0..20 | 21..25 => assert!(result.is_ok(), "{number}: {result:?}"),
            20 => {
                let error = result.unwrap_err();
                assert!(error.may_have_taken_effect(), "{error:#}");
                assert!(format!("{error:#}").contains("was not sent again"), "{error:#}");
            }
            // 25 is given a place at the very end of its wait, or not.
            25 => {}
            _ => {
                let error = result.unwrap_err();
                assert!(
                    error.is_unavailable() && !error.may_have_taken_effect(),
                    "{number}: {error:#}"
                );
                let text = format!("{error:#}");
                assert!(
                    text.contains("it waited 25s for the only connection, and was not sent;"),
                    "{text}"
                );
            }
        }
    }
}
