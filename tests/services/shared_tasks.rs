use std::sync::{Arc, Mutex};
use std::time::Duration;

use cloud_tasks::backend::{Backend, BackendFuture, Envelope, ServiceEndpoint};
use cloud_tasks::queue::QueueExt;
use cloud_tasks::task::{Enqueued, SharedTask};
use cloud_tasks::{Config, Runtime};
use two_services::Charge;

use crate::support::http::{answer, post};

const URL: &str = "https://billing.example";
const ACCOUNT: &str = "billing@my-project.iam.gserviceaccount.com";

/// Keeps what it is given.
#[derive(Clone, Default)]
pub(crate) struct Kept(Arc<Mutex<Vec<Envelope>>>);

impl Kept {
    pub(crate) fn all(&self) -> Vec<Envelope> {
        self.0.lock().unwrap().clone()
    }
}

impl Backend for Kept {
    fn enqueue(&self, envelope: Envelope) -> BackendFuture<'_> {
        let enqueued = Enqueued::new(envelope.queue(), envelope.id().unwrap_or("1"));
        self.0.lock().unwrap().push(envelope);
        Box::pin(async move { Ok(enqueued) })
    }
}

fn billing() -> ServiceEndpoint {
    ServiceEndpoint::new(URL).with_account(ACCOUNT)
}

#[tokio::test]
async fn a_task_of_another_service_goes_to_its_url_with_its_options() {
    let config = Config::default()
        .with_endpoint("https://shop.example")
        .with_service("billing", billing());
    let (runtime, recorder) = Runtime::recorded().config(config).build().await.unwrap();

    let enqueued = Charge { invoice: 7 }
        .later(Duration::from_secs(60))
        .on(&runtime)
        .await
        .unwrap();
    let again = Charge { invoice: 7 }.asap().on(&runtime).await.unwrap();

    let envelope = &recorder.envelopes()[0];
    assert_eq!(envelope.url(), "https://billing.example/tasks/Charge");
    assert_eq!(envelope.body(), br#"{"invoice":7}"#);
    assert_eq!(envelope.timeout(), Some(Duration::from_secs(120)));
    assert_eq!(envelope.service(), Some(&billing()));
    assert_eq!((enqueued.queue(), enqueued.duplicate()), ("charges", false));
    assert!(again.duplicate(), "it is unique");
}

#[tokio::test]
async fn many_tasks_of_another_service_are_enqueued_like_others() {
    let config = Config::default().with_service("billing", billing());
    let (runtime, recorder) = Runtime::recorded().config(config).build().await.unwrap();

    let results = Charge::asap_all((1..=3).map(|invoice| Charge { invoice }))
        .on(&runtime)
        .await;

    assert!(results.iter().all(Result::is_ok));
    assert_eq!(recorder.envelopes().len(), 3);
}

#[tokio::test]
async fn the_queue_lists_the_tasks_of_another_service_by_their_type() {
    let config = Config::default().with_service("billing", billing());
    let (runtime, _recorder) = Runtime::recorded().config(config).build().await.unwrap();
    Charge { invoice: 7 }.asap().on(&runtime).await.unwrap();

    let mut queued = Charge::queued_tasks().on(&runtime).list();

    let task = queued.try_next().await.unwrap().unwrap();
    assert_eq!(task.arguments::<Charge>().unwrap(), Charge { invoice: 7 });
}

#[tokio::test]
async fn a_test_needs_no_endpoint_and_runs_no_task_of_another_service() {
    let (runtime, recorder) = Runtime::recorded().build().await.unwrap();
    Charge { invoice: 7 }.asap().on(&runtime).await.unwrap();
    let eager = Runtime::eager().build().await.unwrap();

    assert_eq!(recorder.envelopes()[0].url(), "https://billing.test/tasks/Charge");
    recorder.drain().await.unwrap();
    Charge { invoice: 7 }.asap().on(&eager).await.unwrap();
}

#[tokio::test]
async fn a_request_for_the_task_of_another_service_finds_nothing_here() {
    let runtime = Runtime::eager().build().await.unwrap();

    let (status, body) = answer(&runtime, post("/tasks/Charge", r#"{"invoice":7}"#)).await;

    assert_eq!((status, &body["error"]), (404, &"Task Charge not found".into()));
}

#[tokio::test]
async fn the_list_of_tasks_names_the_service() {
    let (runtime, _recorder) = Runtime::recorded().build().await.unwrap();

    let registered = runtime.registered();

    let charge = registered.iter().find(|task| task.name == "Charge").unwrap();
    assert_eq!(charge.service, Some("billing"));
    assert_eq!(charge.url, "https://billing.test/tasks/Charge");
}

#[tokio::test]
async fn build_names_the_service_whose_endpoint_is_unknown() {
    let error = Runtime::builder()
        .backend(Kept::default())
        .allow_unauthenticated()
        .build()
        .await
        .unwrap_err();

    let expected = "the endpoint of the service billing is unknown, which runs Charge: set CLOUD_TASKS_SERVICE_BILLING to its \
                    URL; in the service billing itself, link the handlers (`#[task] impl TaskHandler`)";
    assert!(error.to_string().contains(expected), "{error}");
}

#[tokio::test]
async fn with_google_build_names_the_missing_account_and_the_insecure_endpoint() {
    for (endpoint, expected) in [
        (
            ServiceEndpoint::new(URL),
            "the account of the service billing is unknown, which runs Charge: set CLOUD_TASKS_SERVICE_BILLING_ACCOUNT to an \
             account that it trusts; it trusts its own",
        ),
        (
            ServiceEndpoint::new("http://billing.example").with_account(ACCOUNT),
            "the service billing cannot be called by Google: set CLOUD_TASKS_SERVICE_BILLING to its https URL instead of \
             \"http://billing.example\", since tokens are sent over https only",
        ),
    ] {
        let config = Config::default()
            .with_endpoint("https://shop.example")
            .with_project("p")
            .with_location("l")
            .with_service_account("shop@p.iam.gserviceaccount.com")
            .with_service("billing", endpoint);
        let credentials = google_cloud_auth::credentials::anonymous::Builder::new().build();
        let google = cloud_tasks::backend::Google::new().credentials(credentials);

        let error = Runtime::builder()
            .config(config)
            .google(google)
            .build()
            .await
            .unwrap_err();

        assert!(error.to_string().contains(expected), "{error}");
    }
}

#[tokio::test]
async fn the_scheme_of_a_service_may_be_in_capitals() {
    // The build fails all the same: this service itself cannot be called.
    let config = Config::default()
        .with_endpoint("HTTP://shop.example")
        .with_project("p")
        .with_location("l")
        .with_service_account("shop@p.iam.gserviceaccount.com")
        .with_service(
            "billing",
            ServiceEndpoint::new("HTTPS://Billing.example").with_account(ACCOUNT),
        );
    let credentials = google_cloud_auth::credentials::anonymous::Builder::new().build();
    let google = cloud_tasks::backend::Google::new().credentials(credentials);

    let error = Runtime::builder()
        .config(config)
        .google(google)
        .build()
        .await
        .unwrap_err();

    let text = error.to_string();
    assert!(
        text.contains("the endpoint \"HTTP://shop.example\" cannot be called by Google"),
        "{text}"
    );
    assert!(!text.contains("billing cannot be called"), "{text}");
}

#[test]
fn other_services_come_from_the_environment() {
    let config = Config::from_vars([
        ("CLOUD_TASKS_SERVICE_BILLING", "https://billing.example/jobs/"),
        ("CLOUD_TASKS_SERVICE_BILLING_ACCOUNT", ACCOUNT),
        ("CLOUD_TASKS_SERVICE_MAIL_ROOM", "https://mail.example"),
        ("CLOUD_TASKS_SERVICE_ACCOUNT", "shop@p.iam.gserviceaccount.com"),
        // Kubernetes sets these for a service called `cloud-tasks`.
        ("CLOUD_TASKS_SERVICE_HOST", "10.0.0.1"),
        ("CLOUD_TASKS_SERVICE_PORT", "80"),
        ("CLOUD_TASKS_SERVICE_PORT_HTTP", "80"),
    ])
    .unwrap();

    let billing = config.service("billing").unwrap();
    assert_eq!(
        (billing.url(), billing.account()),
        ("https://billing.example/jobs", Some(ACCOUNT))
    );
    assert_eq!(
        config.service("mail-room").map(ServiceEndpoint::url),
        Some("https://mail.example")
    );
    assert_eq!(config.service_account(), Some("shop@p.iam.gserviceaccount.com"));
    assert_eq!(config.service("host"), None);
    assert_eq!(config.service("account"), None);
}

#[test]
fn a_variable_of_a_service_that_does_not_parse_is_named() {
    for (variable, value, expected) in [
        (
            "CLOUD_TASKS_SERVICE_BILLING",
            "billing.example",
            "CLOUD_TASKS_SERVICE_BILLING is \"billing.example\", which is not accepted: a URL that starts with http:// or \
             https:// and has no query, user or password, such as https://shop.example/jobs",
        ),
        (
            "CLOUD_TASKS_SERVICE_BILLING_ACCOUNT",
            "a@b",
            "CLOUD_TASKS_SERVICE_BILLING_ACCOUNT is \"***@b\", which is not accepted: without CLOUD_TASKS_SERVICE_BILLING, the \
             endpoint of the service, it has no use",
        ),
    ] {
        let error = Config::from_vars([(variable, value)]).unwrap_err();

        assert_eq!(error.to_string(), expected);
    }
}
