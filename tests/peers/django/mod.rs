//! Django with `django-google-cloud-tasks`.

mod publishes;
mod subscribes;
mod tasks;

use cloud_tasks::event::Attributes;
use serde::Serialize;
use serde_json::{Value, json};

use crate::python::Python;
use crate::stage::{ACCOUNT, LOCATION, Stage, TRACE};
use crate::tasks::OrderCreated;

/// What a request under way in a Django service carries, as Django spells it.
pub(crate) fn carried() -> Value {
    json!({"Traceparent": TRACE, "X-Request-Id": "req-42"})
}

/// A Django service, and its URL.
struct Django {
    python: Python,
    url: String,
}

impl Django {
    /// Starts one that calls the engine of `stage`, and whose tasks and subscriptions are those of the service of `stage`.
    async fn producer(test: &str, stage: &Stage, emulator: Option<&str>) -> Option<Self> {
        let mut vars = vec![("DJANGO_CLOUD_TASKS_ENDPOINT", stage.endpoint.as_str())];
        vars.extend(emulator.map(|host| ("PUBSUB_EMULATOR_HOST", host)));
        let mut django = Self::start(test, &vars).await?;
        django.use_engine(stage).await;
        Some(django)
    }

    /// Starts one that calls nobody yet, and makes tasks for itself.
    async fn start(test: &str, vars: &[(&str, &str)]) -> Option<Self> {
        let mut all = vec![
            ("DJANGO_CLOUD_TASKS_APP_NAME", "shop"),
            (
                "DJANGO_CLOUD_TASKS_PROPAGATED_HEADERS",
                "traceparent,x-request-id",
            ),
            ("GCP_LOCATION", LOCATION),
            ("SERVICE_ACCOUNT", ACCOUNT),
        ];
        all.extend(vars);
        let (python, first) = Python::start(test, "django_peer.py", &all).await?;
        let url = first["url"].as_str().unwrap().to_owned();
        Some(Self { python, url })
    }

    /// Makes it call the engine of `stage`, where it makes its queue.
    async fn use_engine(&mut self, stage: &Stage) {
        let engine = json!({"url": stage.engine.url(), "project": stage.project});
        self.python.call("use_engine", engine).await;
        self.python.call("create_queue", json!({"name": "shop"})).await;
    }

    /// Enqueues by `asap`, and gives back what the library says of the task.
    async fn asap(&mut self, task: &str, arguments: impl Serialize) -> Value {
        #[derive(Serialize)]
        struct Call<'a, A> {
            task: &'a str,
            arguments: A,
            headers: Value,
        }
        let headers = carried();
        let call = Call {
            task,
            arguments,
            headers,
        };
        self.python.call("asap", call).await
    }
}

impl Django {
    /// The next run of this task or subscriber; those of others are passed over.
    async fn event_of(&mut self, task: &str) -> Value {
        loop {
            let run = self.python.event().await;
            if run["task"] == task {
                return run;
            }
        }
    }
}

fn attributes() -> Attributes {
    [
        ("priority".to_owned(), "high".to_owned()),
        ("region".to_owned(), "São Paulo".to_owned()),
    ]
    .into()
}

fn created() -> OrderCreated {
    OrderCreated {
        order_id: 7,
        total: "19.90".to_owned(),
        source: "printemps été".to_owned(),
    }
}
