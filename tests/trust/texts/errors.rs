//! What callers pass to this library, and what others' errors say, in every form of an error.

use std::error::Error as StdError;
use std::fmt;

use cloud_tasks::backend::Google;
use cloud_tasks::event::{Filter, Topic};
use cloud_tasks::queue::QueueSettings;
use cloud_tasks::runtime::RuntimeBuilder;
use cloud_tasks::service::TrustedCallers;
use cloud_tasks::{Config, Error, ErrorKind, ModelPublisherTask, Runtime, Task, task};
use google_cloud_auth::credentials::anonymous;
use serde::{Deserialize, Serialize};

use super::{Shown, combined, logged};
use crate::service::{Fail, Note, Nowhere, state};
use crate::support::logs::Logs;

/// Is published to the topic that it is made from.
#[derive(Deserialize, Serialize)]
struct Anywhere;

#[task(topic = "anywhere")]
impl ModelPublisherTask for Anywhere {
    fn content(_topic: &Topic, _extra: &()) -> Self {
        Self
    }

    fn topic_for(topic: &Topic, _extra: &()) -> Topic {
        topic.clone()
    }
}

/// An error that writes what it was given, raw.
struct Raw(String);

impl fmt::Display for Raw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Raw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl StdError for Raw {}

/// All forms of an error; that of a build has a line for each thing that is wrong.
pub(super) fn forms(place: &'static str, error: &Error) -> Vec<Shown> {
    let (display, chain, debug) = (error.to_string(), format!("{error:#}"), format!("{error:?}"));
    let form = if error.is_build() {
        Shown::lines
    } else {
        Shown::line
    };
    vec![
        form(place, display),
        form(place, chain),
        form(place, debug),
        Shown::lines(place, format!("{error:#?}")),
    ]
}

async fn of_calls(runtime: &Runtime, text: &str) -> Vec<(&'static str, Error)> {
    let queue = runtime.queue(text);
    let emails = runtime.queue("emails");
    let (there, somewhere) = (Topic::absolute(text.to_owned()), Topic::absolute("somewhere"));
    let event = || Anywhere::of(&there);
    let here = || Anywhere::of(&somewhere);
    vec![
        (
            "the name of a queue",
            Note.asap().queue(text).on(runtime).await.unwrap_err(),
        ),
        (
            "the id of a task",
            Note.asap().task_id(text).on(runtime).await.unwrap_err(),
        ),
        (
            "the name of a header",
            Note.asap().header(text, "1").on(runtime).await.unwrap_err(),
        ),
        (
            "the name of a topic",
            event().sync().on(runtime).await.unwrap_err(),
        ),
        (
            "the name of a task's topic",
            event().asap().on(runtime).await.unwrap_err(),
        ),
        (
            "a key",
            here()
                .sync()
                .attribute(text.repeat(200), "1")
                .on(runtime)
                .await
                .unwrap_err(),
        ),
        (
            "a value",
            here()
                .sync()
                .attribute("a", text.repeat(200))
                .on(runtime)
                .await
                .unwrap_err(),
        ),
        (
            "an ordering key",
            here()
                .sync()
                .ordering_key(text.repeat(200))
                .on(runtime)
                .await
                .unwrap_err(),
        ),
        ("an id to get", emails.get(text).await.unwrap_err()),
        ("an id to cancel", emails.cancel(text).await.unwrap_err()),
        ("an id to run", emails.run_now(text).await.unwrap_err()),
        ("an id to run here", emails.run_here(text).await.unwrap_err()),
        ("a queue to pause", queue.pause().await.unwrap_err()),
        ("a queue to look at", queue.info().await.unwrap_err()),
        (
            "a queue to list",
            queue.list().try_next().await.map(|_| ()).unwrap_err(),
        ),
        (
            "a queue to empty",
            queue.delete_tasks().await.map(|_| ()).unwrap_err(),
        ),
        (
            "a topic of dead tasks",
            runtime
                .dead_tasks(text.to_owned())
                .list()
                .await
                .map(|_| ())
                .unwrap_err(),
        ),
        (
            "a task that fails",
            Fail {
                card: text.to_owned(),
            }
            .sync()
            .on(runtime)
            .await
            .unwrap_err(),
        ),
    ]
}

fn of_values(text: &str) -> Vec<(&'static str, Error)> {
    let variables = [
        "CLOUD_TASKS_ENDPOINT",
        "CLOUD_TASKS_EAGER",
        "CLOUD_TASKS_MAXIMUM_ETA_TASK",
        "CLOUD_TASKS_SUBSCRIBER_MAX_RETRIES",
        "CLOUD_TASKS_SUBSCRIBER_EXPIRATION",
        "CLOUD_TASKS_ENQUEUE_RETRY_MULTIPLIER",
        "CLOUD_TASKS_PROPAGATED_HEADERS",
        "CLOUD_TASKS_PROJECT",
        "CLOUD_TASKS_LOCATION",
        "CLOUD_TASKS_EMULATOR_HOST",
        "PUBSUB_EMULATOR_HOST",
    ];
    let of_settings = variables.into_iter().filter_map(|name| {
        let error = Config::from_vars([(name, text)]).err()?;
        Some((name, error))
    });
    let with_source = Error::new(ErrorKind::Rejected, text).with_source(Raw(text.to_owned()));
    let nested = Error::unavailable(text).with_source(with_source);
    let own = [
        ("an error of its own", Error::rejected(text)),
        ("an error with causes", nested),
    ];
    of_settings.chain(own).collect()
}

type Build = RuntimeBuilder;

fn google() -> Google {
    Google::new().credentials(anonymous::Builder::new().build())
}

/// Runtimes that are not built, because of one setting.
async fn of_builds(text: &str) -> Vec<(&'static str, Error)> {
    let builder = || Runtime::builder().state(state()).backend(Nowhere::default());
    let config = || crate::service::config().with_project("p").with_location("l");
    let trusting = |callers: TrustedCallers| builder().config(config()).callers(callers);
    let builders: Vec<(&'static str, Build)> = vec![
        ("an endpoint", builder().config(config().with_endpoint(text))),
        (
            "an application's name",
            builder().config(config().with_app_name(text)),
        ),
        (
            "a delimiter",
            builder().config(config().with_app_name("a").with_delimiter(text)),
        ),
        (
            "an account",
            builder().config(config().with_service_account(text)),
        ),
        (
            "a project",
            Runtime::builder()
                .state(state())
                .google(google())
                .config(config().with_project(text)),
        ),
        (
            "a location",
            Runtime::builder()
                .state(state())
                .google(google())
                .config(config().with_location(text)),
        ),
        (
            "a propagated header",
            builder().config(config().with_propagated_headers([text])),
        ),
        (
            "an emulator",
            builder().config(config().with_cloud_tasks_emulator_host(text)),
        ),
        (
            "an emulator of messages",
            builder().config(config().with_pubsub_emulator_host(text)),
        ),
        (
            "a backup queue",
            builder().config(config().with_backup_queue_name(text)),
        ),
        ("a trusted account", trusting(TrustedCallers::new().account(text))),
        (
            "a trusted audience",
            trusting(TrustedCallers::new().audience(text)),
        ),
        (
            "an issuer",
            trusting(TrustedCallers::new().issuer(text, "https://keys.example")),
        ),
        ("a URL of keys", trusting(TrustedCallers::new().issuer("x", text))),
        (
            "the settings of a queue",
            builder().config(config()).queue(QueueSettings::new(text)),
        ),
        (
            "a topic for dead tasks",
            builder().config(config()).dead_letter_topic(text.to_owned()),
        ),
        (
            "an expected task",
            builder().config(config()).expect_tasks([text]),
        ),
    ];
    let mut errors = Vec::new();
    for (place, builder) in builders {
        // Some are accepted as they are, and then the log shows them.
        if let Err(error) = builder.build().await {
            errors.push((place, error));
        }
    }
    errors
}

#[tokio::test]
async fn no_form_of_an_error_shows_what_steers_a_terminal() {
    for text in combined() {
        let (runtime, _recorder) = Runtime::recorded().state(state()).build().await.unwrap();
        let logs = Logs::capture();

        let mut errors = of_calls(&runtime, &text).await;
        errors.extend(of_values(&text));
        let of_builds = of_builds(&text).await;

        assert!(
            of_builds.len() > 8,
            "{:?}",
            of_builds.iter().map(|(place, _)| place).collect::<Vec<_>>()
        );
        errors.extend(of_builds);
        for (place, error) in &errors {
            for shown in forms(place, error) {
                shown.assert_safe(&text);
            }
        }
        if let Err(error) = Filter::parse(&format!("attributes.a = {text}")) {
            Shown::lines("a filter", error.to_string()).assert_safe(&text);
            Shown::lines("a filter", format!("{error:?}")).assert_safe(&text);
        }
        for shown in logged(&logs) {
            shown.assert_safe(&text);
        }
    }
}
